#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figures 1 and 13: the gap against the iteration and against time where the rules were trained, and the iterations to 1e-2, 1e-4 and 1e-6.
. "$(dirname "$0")/../figure.sh"

instances=64
[ "$size" = full ] || instances=16
rules='go pa dm rnnprop'

for family in lasso logistic; do
  solvers=$(by_hand $family)
  for seed in $seeds; do
    for rule in $rules; do
      model $family "$rule" "$seed"
      solvers="$solvers $rule-$seed=$(learned $family "$rule" "$seed")"
    done
  done
  evaluate $family $family $instances "$solvers"
  number=2
  for tolerance in 1e-2 1e-4 1e-6; do
    for rule in go pa; do
      for seed in $seeds; do
        measure "$family: $rule to $tolerance; seed $seed" "$(column $family "$rule-$seed" $number)"
      done
    done
    for rule in ista fista best; do
      measure "$family: $rule to $tolerance" "$(column $family $rule $number)"
      measure "$family: $rule over go to $tolerance" "$(ratio "$(column $family $rule $number)" "$(column $family go-1 $number)")"
    done
    if [ $family = logistic ]; then
      for rule in ista fista; do
        measure "$family: published $rule over go to $tolerance" "$(ratio "$(column $family $rule-published $number)" "$(column $family go-1 $number)")"
      done
    fi
    number=$((number + 1))
  done
  for rule in dm rnnprop adam; do
    case $rule in
    adam) label=$rule ;;
    *) label=$rule-1 ;;
    esac
    measure "$family: final gap of $rule" "$(column $family $label 6)"
  done
done

for family in lasso logistic; do
  printf '### %s\n\n| rule | to 1e-2 | 1e-4 | 1e-6 | final gap | microseconds an iteration | milliseconds to 1e-6 |\n|---|---|---|---|---|---|---|\n' "$family"
  awk -F, 'NR > 1 { printf "| %s | %s | %s | %s | %.2g | %.1f | %s |\n", $1, $2, $3, $4, $6, $5, $4 == "inf" ? "-" : sprintf("%.2f", $4 * $5 / 1000) }' "$out/$family.csv"
  echo
done >"$out/tables.md"
cat "$out/tables.md"
for family in lasso logistic; do
  draw "$here/plot.gp" "$family" "family = '$family'"
done
check
