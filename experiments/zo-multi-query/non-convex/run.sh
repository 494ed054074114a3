#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Mean objective after 1500 differences.
. "$(dirname "$0")/../figure.sh"

queries='1 2 5 10 50 100'
instances=40
[ "$size" = small ] && instances=10
common=radius=1e-6,difference=one-sided,step_rule=smoothness,counting=differences
echo 'rule,q,objective,error' >"$out/objective.csv"
evaluate differences 1500 "$(solver_list zo-avg "$queries" $common) $(solver_list zo-align "$queries" $common)" --instances $instances
for rule in zo-avg zo-align; do
  for q in $queries; do
    result=$(final differences "$rule-q$q" 4)
    echo "$rule,$q,${result% *},${result#* }" >>"$out/objective.csv"
    measure "$rule with q = $q" "${result% *}"
    curves differences "$rule-q$q" 4 >"$out/differences-$rule-q$q.csv"
  done
done
draw "$here/../curves.gp" curves "budget = 1500; row = 'differences'; lowest = 1e-9; what = 'f'; setting = 'not convex: Geman-McClure function, differences counted'"
check
