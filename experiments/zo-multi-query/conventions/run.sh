#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Which q is best? One claim, four conventions side by side: what is counted, and what the step knows of the spectrum.
. "$(dirname "$0")/../figure.sh"

queries='1 2 5 10 20 50 100'
instances=40
if [ "$size" = small ]; then
  queries='1 10 100'
  instances=10
fi
common=radius=1e-6,difference=one-sided
echo 'panel,rule,q,decay,error' >"$out/decay.csv"
# panel BUDGET COUNTING STEP_RULE NAME OPTIONS...
panel() {
  budget=$1
  options=$common,counting=$2,step_rule=$3
  panel=$4
  shift 4
  evaluate "$panel" "$budget" "$(solver_list zo-avg "$queries" "$options") $(solver_list zo-align "$queries" "$options")" \
    --instances $instances "$@"
  for rule in zo-avg zo-align; do
    best=none
    lowest=1e9
    for q in $queries; do
      result=$(decay "$panel" "$rule-q$q")
      echo "$panel,$rule,$q,${result% *},${result#* }" >>"$out/decay.csv"
      measure "$panel: $rule with q = $q" "${result% *}"
      if [ "$(awk -v a="${result% *}" -v b="$lowest" 'BEGIN { print (a < b) }')" = 1 ]; then
        lowest=${result% *}
        best=$q
      fi
    done
    measure "$panel: best q of $rule" "$best"
  done
}
panel 4000 differences smoothness paper --set problem.condition=10 --set problem.spectrum=linear
panel 4000 calls smoothness calls --set problem.condition=10 --set problem.spectrum=linear
panel 10000 differences trace trace --set problem.condition=100 --set problem.spectrum=log
panel 10000 calls trace trace-calls --set problem.condition=100 --set problem.spectrum=log
draw "$here/plot.gp" conventions
check
