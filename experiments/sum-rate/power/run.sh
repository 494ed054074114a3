#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figure (f): power control of K single-antenna links at 0 dB: the direct regression of 2017, trained on the rate itself, and the learning-only rule, to which a link is a cell with one user and one antenna.
. "$(dirname "$0")/../figure.sh"

channels=1000
links='10 20 30'
if [ "$size" = small ]; then
  channels=100
  links=10
fi
echo 'links,wmmse,full power,wmmse-10,mlp,lo' >"$out/power.csv"
for K in $links; do
  model "mlp-$K"
  model "siso-$K"
  config=eval-power.yaml
  evaluate "power-$K" $channels "wmmse=wmmse-power" --iterations 100 --set problem.links="$K"
  evaluate "start-$K" $channels "start=projected-gradient:step_rule=fixed,step=1e-9" --iterations 1 --set problem.links="$K" # full power, where all begin
  evaluate "short-$K" $channels "wmmse=wmmse-power" --iterations 10 --set problem.links="$K"
  evaluate "mlp-$K" $channels "mlp=$(learned "mlp-$K")" --iterations 1 --set problem.links="$K"
  config=eval.yaml
  cells="--set problem.cells=$K --set problem.users=1 --set problem.tx=1 --set problem.rx=1 --set problem.streams=1 --set problem.snr_db=0"
  # shellcheck disable=SC2086 # a list of words
  evaluate "lo-$K" $channels "lo=$(learned "siso-$K")" --iterations 10 $cells
  # shellcheck disable=SC2086
  evaluate "cells-$K" $channels 'wmmse=wmmse' --iterations 100 $cells
  mlp=$(ratio "$(rate "mlp-$K" mlp)" "$(rate "power-$K" wmmse)")
  lo=$(ratio "$(rate "lo-$K" lo)" "$(rate "cells-$K" wmmse)")
  short=$(ratio "$(rate "short-$K" wmmse)" "$(rate "power-$K" wmmse)")
  full=$(ratio "$(rate "start-$K" start)" "$(rate "power-$K" wmmse)")
  echo "$K,$(rate "power-$K" wmmse),$full,$short,$mlp,$lo" >>"$out/power.csv"
  measure "wmmse-power; K = $K" "$(rate "power-$K" wmmse)"
  measure "regression over wmmse-power; K = $K" "$mlp"
  measure "learning-only over wmmse; K = $K" "$lo"
done
draw "$here/plot.gp" power
check
