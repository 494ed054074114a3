#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Minibatches of ten rows, the same ones for all probes of an iteration. The step of each rule and q is the best of a grid on other
# instances than those of the evaluation.
. "$(dirname "$0")/../figure.sh"

queries='1 2 5 10 25 50'
instances=16
budget=20000
scales='1 0.5 0.25 0.125 0.0625 0.03125 0.015625'
tuning=4
if [ "$size" = small ]; then
  queries='1 10 50'
  instances=4
  scales='0.0625 0.03125 0.015625'
  tuning=2
fi
# With minibatches the differences are noisy: a wider radius costs nothing on a quadratic but rounding.
common=radius=1e-4,difference=one-sided,counting=differences,batch=10
echo 'rule,q,step_scale,gap,error' >"$out/gap.csv"
: >"$out/scales"
chosen=
for rule in zo-avg zo-align; do
  for q in $queries; do
    candidates=
    for scale in $scales; do
      candidates="$candidates scale-$scale=$rule:queries=$q,$common,step_scale=$scale"
    done
    evaluate "tune-$rule-q$q" $budget "$candidates" --seed 1000 --instances $tuning
    best=
    for scale in $scales; do
      result=$(final "tune-$rule-q$q" "scale-$scale" 5)
      if [ -z "$best" ] || [ "$(awk -v a="${result% *}" -v b="$lowest" 'BEGIN { print (a < b) }')" = 1 ]; then
        lowest=${result% *}
        best=$scale
      fi
    done
    rm -r "$out/tune-$rule-q$q"
    echo "$rule $q $best" >>"$out/scales"
    chosen="$chosen $rule-q$q=$rule:queries=$q,$common,step_scale=$best"
  done
done
evaluate evaluation $budget "$chosen" --instances $instances
while read -r rule q scale; do
  result=$(final evaluation "$rule-q$q" 5)
  echo "$rule,$q,$scale,${result% *},${result#* }" >>"$out/gap.csv"
  measure "$rule with q = $q" "$(ratio "${result% *}" 1e-3)"
  curves evaluation "$rule-q$q" 5 >"$out/evaluation-$rule-q$q.csv"
done <"$out/scales"
rm "$out/scales"
draw "$here/../curves.gp" curves "budget = 20000; row = 'evaluation'; what = 'f - f*'; queries = '$queries'; setting = 'stochastic: least squares, minibatches of 10 rows of 2000'"
check
