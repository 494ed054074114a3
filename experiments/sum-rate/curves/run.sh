#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figure (a): rate against iteration and time, where the rules were trained: 3 cells, 2 users, 4x2 antennas, 10 dB.
. "$(dirname "$0")/../figure.sh"

channels=1000
starts=11
longer='20 30'
if [ "$size" = small ]; then
  channels=100
  starts=3
  longer=20
fi

hand='wmmse=wmmse fastfp=fastfp fastfp-1.9=fastfp:rho=1.9 extrapolated=fastfp:extrapolation=true pga=projected-gradient:step_rule=fixed,step=0.0693147'
evaluate hand $channels "$hand" --iterations 100
evaluate best $channels "$(best_of $starts)" --iterations "$(best_iterations $starts)" --set output.points=2
for reached in 10 20 30; do
  evaluate hand-$reached $channels 'wmmse=wmmse fastfp=fastfp fastfp-1.9=fastfp:rho=1.9 extrapolated=fastfp:extrapolation=true' --iterations $reached
done
learned=
for name in lo pga-scalar pga-network; do
  model $name
  learned="$learned $name=$(learned $name)"
done
evaluate learned-10 $channels "$learned" --iterations 10
model deepfp
evaluate learned-8 $channels "deepfp=$(learned deepfp) fastfp=fastfp" --iterations 8
for layers in $longer; do
  model "lo-$layers"
  evaluate "learned-$layers" $channels "lo-$layers=$(learned "lo-$layers")" --iterations "$layers"
done

wmmse=$(rate hand wmmse)
best=$(rate best best)
measure 'wmmse-100' "$wmmse"
measure 'wmmse-100 over the best of its starts' "$(ratio "$wmmse" "$best")"
for rule in wmmse fastfp fastfp-1.9 extrapolated; do
  measure "$rule-10 over wmmse-100" "$(ratio "$(rate hand-10 $rule)" "$wmmse")"
done
measure 'fastfp-8 over wmmse-100' "$(ratio "$(rate learned-8 fastfp)" "$wmmse")"
measure 'deepfp over wmmse-100' "$(ratio "$(rate learned-8 deepfp)" "$wmmse")"
for rule in pga-scalar pga-network lo; do
  measure "$rule over wmmse-100" "$(ratio "$(rate learned-10 $rule)" "$wmmse")"
done
measure 'lo over the best' "$(ratio "$(rate learned-10 lo)" "$best")"
for layers in $longer; do
  measure "lo-$layers over wmmse-100" "$(ratio "$(rate "learned-$layers" "lo-$layers")" "$wmmse")"
  measure "lo-$layers over the best" "$(ratio "$(rate "learned-$layers" "lo-$layers")" "$best")"
  measure "wmmse-$layers over the best" "$(ratio "$(rate "hand-$layers" wmmse)" "$best")"
done

# the guards, on channels that are looked at one by one
few=200
[ "$size" = full ] || few=50
evaluate guards $few "fastfp=fastfp:lambda=trace shadow=$(learned lo),guard=shadow descent=$(learned lo),guard=descent lo=$(learned lo)" --iterations 10 \
  --set output.trace=all
measure 'guard=shadow: channels below fastfp' "$(below "$out/guards/trace.csv" shadow fastfp)"
measure 'guard=descent: steps in which the rate fell' "$(falls "$out/guards/trace.csv" descent)"
rm "$out/guards/trace.csv"
draw "$here/plot.gp" curves "longer = '$longer'; wmmse = $wmmse"
check
