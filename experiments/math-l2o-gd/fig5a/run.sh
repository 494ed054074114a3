#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"
. "$here/../gains.sh"

rates='1e-3 1e-4 1e-5 1e-6 1e-7'
for rate in $rates; do
  gain_curve "$rate" 50
done
draw_gains fig5a 'Figure 5a: 32x25, 20 iterations, expansion 50' "$rates" 50
check
