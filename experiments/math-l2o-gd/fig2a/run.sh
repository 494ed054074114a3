#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"
. "$here/../horizons.sh"

# p and pa as published, with the heads B, B1 and B2 on; plain is p without them
plain='--set model.b=off --set model.b1=off --set model.b2=off'
descent
if [ "$size" = small ]; then
  labels=p-1e-5
  horizons p-1e-5 5 --set train.optimizer.lr=1e-5
  horizons p-5e-5 20 --set train.optimizer.lr=5e-5
else
  # to the last T with a published number, and the next
  labels='p-1e-5 p-2e-5 p-3e-5 p-4e-5 p-5e-5 p-7e-5 p-1e-4 plain-1e-5 plain-1e-3'
  horizons p-1e-5 '5 20 50 100' --set train.optimizer.lr=1e-5
  horizons p-2e-5 '5 20 75 100' --set train.optimizer.lr=2e-5
  horizons p-3e-5 '5 20 40 45' --set train.optimizer.lr=3e-5
  horizons p-4e-5 '5 20 25 30' --set train.optimizer.lr=4e-5
  horizons p-5e-5 '5 10 15 20' --set train.optimizer.lr=5e-5
  horizons p-7e-5 '5 10 15' --set train.optimizer.lr=7e-5
  horizons p-1e-4 '5 10' --set train.optimizer.lr=1e-4
  # shellcheck disable=SC2086 # a list of words
  horizons plain-1e-5 '5 20' --set train.optimizer.lr=1e-5 $plain
  # shellcheck disable=SC2086
  horizons plain-1e-3 '5 20 100' --set train.optimizer.lr=1e-3 $plain
  for rate in 1e-6 1e-7; do
    horizons p-$rate '5 100' --set train.optimizer.lr=$rate
  done
  for rate in 1e-5 1e-6 1e-7; do
    horizons pa-$rate '5 100' --set train.optimizer.lr=$rate --set model.a=on
  done
  draw "$here/plot.gp" fig2a-rates "labels = 'p-1e-5 p-1e-6 p-1e-7 pa-1e-5 pa-1e-6 pa-1e-7'"
fi
draw "$here/plot.gp" fig2a "labels = '$labels'"
check
