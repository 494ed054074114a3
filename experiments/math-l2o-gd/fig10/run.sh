#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"
. "$here/../gains.sh"

expansions='1 5 25 50 100'
for rate in 1e-3 1e-5; do
  for expansion in $expansions; do
    gain_curve "$rate" "$expansion"
  done
done
draw_gains fig10a 'Figure 10a: 32x25, 20 iterations, learning rate 1e-3' 1e-3 "$expansions"
draw_gains fig10b 'Figure 10b: 32x25, 20 iterations, learning rate 1e-5' 1e-5 "$expansions"
check
