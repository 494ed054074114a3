#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"
. "$here/../horizons.sh"

lengths='train.horizon model.layers'
descent
if [ "$size" = small ]; then
  rates=1e-4
  horizons 1e-4 5 --set train.optimizer.lr=1e-4
else
  rates='1e-5 3e-5 1e-4'
  horizons 1e-5 '5 20 100' --set train.optimizer.lr=1e-5
  horizons 3e-5 '5 20 100' --set train.optimizer.lr=3e-5
  horizons 1e-4 '5 20 30 35' --set train.optimizer.lr=1e-4
fi
draw "$here/plot.gp" fig2b "rates = '$rates'"
check
