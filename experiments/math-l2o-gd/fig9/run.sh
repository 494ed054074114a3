#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"
. "$here/../gains.sh"

rates='1e-3 1e-4 1e-5 1e-6 1e-7'
for expansion in 25 100; do
  for rate in $rates; do
    gain_curve "$rate" "$expansion"
  done
done
draw_gains fig9a 'Figure 9a: 32x25, 20 iterations, expansion 25' "$rates" 25
draw_gains fig9b 'Figure 9b: 32x25, 20 iterations, expansion 100' "$rates" 100
check
