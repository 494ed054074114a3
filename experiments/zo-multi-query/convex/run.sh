#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Mean suboptimality, in units of 1e-4, after 5000 function calls, counted as differences and as calls.
. "$(dirname "$0")/../figure.sh"

queries='1 2 5 10 50 100'
instances=10
budget=5000
if [ "$size" = small ]; then
  queries='1 10 100'
  instances=4
fi
common=radius=1e-6,difference=one-sided,step_rule=smoothness
echo 'counting,rule,q,gap,error' >"$out/gap.csv"
for counting in differences calls; do
  evaluate $counting $budget "$(solver_list zo-avg "$queries" $common,counting=$counting) \
    $(solver_list zo-align "$queries" $common,counting=$counting)" --instances $instances
  for rule in zo-avg zo-align; do
    for q in $queries; do
      result=$(final $counting "$rule-q$q" 5)
      echo "$counting,$rule,$q,${result% *},${result#* }" >>"$out/gap.csv"
      measure "$counting: $rule with q = $q" "$(ratio "${result% *}" 1e-4)"
      [ "$q" = 1 ] && single=${result% *}
      measure "$counting: $rule with q = $q over q = 1" "$(ratio "${result% *}" "$single")"
      curves $counting "$rule-q$q" 5 >"$out/$counting-$rule-q$q.csv"
    done
  done
done
draw "$here/../curves.gp" curves "budget = 5000; row = 'differences'; what = 'f - f*'; queries = '$queries'; setting = 'convex: logistic regression, differences counted'"
check
