#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figure (e): what the parts of the learned rule are worth: the lift, learned directions, powers of the curvature, momentum, a network a layer, bounds. All are trained with 2000 updates.
. "$(dirname "$0")/../figure.sh"

channels=1000
rules='products-0 products-1 products-2 products-3 still shared bounded safe hidden-4 hidden-8 hidden-32 rank lift-4 lift-8 lift-16'
if [ "$size" = small ]; then
  channels=100
  rules='products-0 products-1 still safe lift-8'
fi
solvers=
for rule in $rules; do
  model "lo-$rule"
  solvers="$solvers $rule=$(learned "lo-$rule")"
done
evaluate learned $channels "$solvers" --iterations 10
evaluate hand $channels 'wmmse=wmmse' --iterations 100
evaluate fastfp $channels 'fastfp=fastfp fastfp-1.9=fastfp:rho=1.9,lambda=trace' --iterations 10
wmmse=$(rate hand wmmse)
{
  echo '| | mean rate | over wmmse-100 |'
  echo '|---|---|---|'
  for rule in $rules; do
    printf '| %s | %.3f | %.4f |\n' "$rule" "$(rate learned "$rule")" "$(ratio "$(rate learned "$rule")" "$wmmse")"
  done
} >"$out/table.md"
cat "$out/table.md"
for rule in $rules; do
  measure "$rule over wmmse-100" "$(ratio "$(rate learned "$rule")" "$wmmse")"
done
measure 'fastfp over wmmse-100' "$(ratio "$(rate fastfp fastfp)" "$wmmse")"
draw "$here/plot.gp" ablation
check
