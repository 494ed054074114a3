#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The unrolled rules of 16 layers: the gap after 16 iterations, of those for one matrix on data that share it, of ada-lista on a matrix for each instance; there also with
# 10 layers and its published training.
. "$(dirname "$0")/../figure.sh"

instances=64
[ "$size" = full ] || instances=32
hand=$(by_hand lasso | tr ' ' '\n' | grep -E '^(ista|fista|best)=')

# rules_of FAMILY
rules_of() {
  case $1 in
  shared) echo lista lista-cp lista-cpss alista ;;
  lasso) echo ada-lista ada-lista-supervised ;;
  esac
}

for family in shared lasso; do
  solvers=$hand
  for seed in $seeds; do
    model lasso go "$seed"
    solvers="$solvers go-$seed=$(learned lasso go "$seed")"
    for rule in $(rules_of $family); do
      model $family "$rule" "$seed"
      solvers="$solvers $rule-$seed=$(learned $family "$rule" "$seed")"
    done
  done
  evaluate $family $family $instances "$solvers" --iterations 16
  evaluate $family-long $family $instances "$solvers" --iterations 100
  for rule in $(rules_of $family) go; do
    for seed in $seeds; do
      measure "$family: $rule after 16; seed $seed" "$(column $family "$rule-$seed" 6)"
    done
  done
  for rule in ista fista; do
    measure "$family: $rule after 16" "$(column $family $rule 6)"
  done
done

for family in shared lasso; do
  printf '### %s\n\n| rule | median gap after 16 | mean | after 100 | mean | microseconds an iteration |\n|---|---|---|---|---|---|\n' "$family"
  awk -F, 'FNR == 1 { next } NR == FNR { median[$1] = $6; mean[$1] = $7; next } { printf "| %s | %.2g | %.2g | %.2g | %.2g | %.1f |\n", $1, $6, $7, median[$1], mean[$1], $5 }' \
    "$out/$family-long.csv" "$out/$family.csv"
  echo
done >"$out/tables.md"
cat "$out/tables.md"
draw "$here/plot.gp" unrolled
check
