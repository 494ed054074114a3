#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figures 1, 3 and 4 on LASSO, of rules that were trained longer than those of ../curves: 12000 and 8000 updates, through all of 24 iterations at once.
. "$(dirname "$0")/../figure.sh"

instances=64
few=8
iterations=1000
values=-100,-10,0,10,100
if [ "$size" = small ]; then
  instances=16
  few=4
  iterations=300
  values=-10,0,10
fi
rules='go-long pa-long'

# seeds_of RULE: of go-long, whose training is the longest, the first alone
seeds_of() {
  case $1 in
  go-long) echo "${seeds%% *}" ;;
  *) echo "$seeds" ;;
  esac
}

solvers=$(by_hand lasso | tr ' ' '\n' | grep -E '^(ista|fista|best)=')
for rule in $rules; do
  for seed in $(seeds_of "$rule"); do
    model lasso "$rule" "$seed"
    solvers="$solvers $rule-$seed=$(learned lasso "$rule" "$seed")"
  done
done
evaluate lasso lasso $instances "$solvers" --iterations $iterations
number=2
for tolerance in 1e-2 1e-4 1e-6; do
  for rule in $rules; do
    for seed in $(seeds_of "$rule"); do
      measure "$rule to $tolerance; seed $seed" "$(column lasso "$rule-$seed" $number)"
      measure "ista over $rule to $tolerance; seed $seed" "$(ratio "$(column lasso ista $number)" "$(column lasso "$rule-$seed" $number)")"
      measure "fista over $rule to $tolerance; seed $seed" "$(ratio "$(column lasso fista $number)" "$(column lasso "$rule-$seed" $number)")"
    done
  done
  number=$((number + 1))
done
for shift in start function; do
  evaluate lasso-$shift lasso $few "$solvers" --iterations $iterations --sweep problem.shift.$shift=$values
done
{
  printf '| rule | to 1e-2 | 1e-4 | 1e-6 |\n|---|---|---|---|\n'
  awk -F, 'NR > 1 { printf "| %s | %s | %s | %s |\n", $1, $2, $3, $4 }' "$out/lasso.csv"
  for shift in start function; do
    echo
    sweep_table lasso-$shift "shift of the $shift"
  done
} >"$out/tables.md"
cat "$out/tables.md"
draw "$here/plot.gp" long "seeds = '$seeds'"
check
