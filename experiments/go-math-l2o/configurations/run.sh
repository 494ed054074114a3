#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figures 6 to 9: the published 24 configurations of the training, on the published toy (n = 40, m = 20) with an eighth of the published batches.
. "$(dirname "$0")/../figure.sh"

numbers=$(seq 24)
instances=64
if [ "$size" = small ]; then
  numbers='1 7 17'
  instances=16
fi
solvers=$(by_hand lasso | tr ' ' '\n' | grep -E '^(ista|fista|best)=')
for seed in $seeds; do
  for number in $numbers; do
    model toy "go-config-$number" "$seed"
    solvers="$solvers $number-$seed=$(learned toy "go-config-$number" "$seed")"
  done
done
evaluate toy toy $instances "$solvers" --iterations 400

# of COLUMN NUMBER: of all seeds
of() {
  for seed in $seeds; do
    column toy "$2-$seed" "$1"
  done | paste -sd' ' -
}
{
  printf '| no. | unroll | epochs | batch | loss | to 1e-2 | 1e-4 | 1e-6 |\n|---|---|---|---|---|---|---|---|\n'
  for number in $numbers; do
    configuration "$number"
    printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$number" "$unroll" "$epochs" "$batch" "$loss" "$(of 2 "$number")" "$(of 3 "$number")" "$(of 4 "$number")"
  done
} >"$out/tables.md"
cat "$out/tables.md"
for number in $numbers; do
  for seed in $seeds; do
    echo "$number,$(column toy "$number-$seed" 2),$(column toy "$number-$seed" 3),$(column toy "$number-$seed" 4)"
    measure "configuration $number to 1e-4; seed $seed" "$(column toy "$number-$seed" 3)"
  done
done >"$out/dots.csv"
draw "$here/plot.gp" configurations
check
