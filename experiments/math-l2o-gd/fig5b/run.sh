#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"
. "$here/../gains.sh"

expansions='1 5 25 50 100'
last=-1
rise=1
for expansion in $expansions; do
  gain_curve 1e-7 "$expansion"
  now=$(gain "lr-1e-7-e-$expansion" $updates)
  rise=$(awk -v now="$now" -v last="$last" -v rise="$rise" 'BEGIN { print now - last < rise ? now - last : rise }')
  last=$now
done
measure 'smallest rise from one expansion to the next' "$rise"
draw_gains fig5b 'Figure 5b: 32x25, 20 iterations, learning rate 1e-7' 1e-7 "$expansions"
check
