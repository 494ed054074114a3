#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Mean of log10(f_K / f_0) for each number q of directions: four spectra, two ways to count, two step sizes.
. "$(dirname "$0")/../figure.sh"

queries='1 2 5 10 50 100'
instances=40
rows='iso lin10 log100 low lin10-calls log100-trace log100-trace-calls low-trace'
if [ "$size" = small ]; then
  instances=10
  rows='iso lin10-calls log100-trace'
fi
# one radius for all: mu = 1e-6 with Gaussian directions, h = mu sqrt(n) with those of unit length
common=radius=1e-6,difference=one-sided
echo 'row,rule,q,decay,error' >"$out/decay.csv"
for row in $rows; do
  budget=10000
  case $row in
  iso) budget=1000 ;;
  lin10*) budget=4000 ;;
  esac
  case $row in
  iso) spectrum='--set problem.condition=1' ;;
  lin10*) spectrum='--set problem.condition=10 --set problem.spectrum=linear' ;;
  log100*) spectrum='--set problem.condition=100 --set problem.spectrum=log' ;;
  low*) spectrum='--set problem.condition=100 --set problem.spectrum=harmonic' ;;
  esac
  counting=differences
  step=smoothness
  case $row in *-calls) counting=calls ;; esac
  case $row in *-trace*) step=trace ;; esac
  # shellcheck disable=SC2086 # a list of options
  evaluate "$row" $budget "$(solver_list zo-avg "$queries" $common,counting=$counting,step_rule=$step) \
    $(solver_list zo-align "$queries" $common,counting=$counting,step_rule=$step)" $spectrum --instances $instances
  for rule in zo-avg zo-align; do
    for q in $queries; do
      result=$(decay "$row" "$rule-q$q")
      echo "$row,$rule,$q,${result% *},${result#* }" >>"$out/decay.csv"
      measure "$row: $rule with q = $q" "${result% *}"
    done
  done
done
for rule in zo-avg zo-align; do
  for q in $queries; do
    curves lin10-calls "$rule-q$q" 5 >"$out/lin10-calls-$rule-q$q.csv"
  done
done
draw "$here/../curves.gp" curves "budget = 4000; row = 'lin10-calls'; setting = 'strongly convex, spectrum from 0.1 to 1, all calls counted'"
check
