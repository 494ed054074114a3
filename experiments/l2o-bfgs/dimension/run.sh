#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Iterations to |g| <= 1e-6 against n, with m growing alike, of the rule that was trained at n = 50 only.
. "$(dirname "$0")/../figure.sh"

families='LS-cond100 LOG LSE'
sizes='20 50 100 200'
fresh=20
if [ "$size" = small ]; then
  families='LOG LSE'
  sizes='20 50 100'
  fresh=10
fi

# rows FAMILY: m / n as in training
rows() {
  case $1 in
  LOG) echo 10 ;;
  LSE) echo 4 ;;
  *) echo 2 ;;
  esac
}

# cheap_of FAMILY: the best rule by hand with one gradient a step
cheap_of() {
  case $1 in
  LOG) echo cheap=bfgs:rescale=on,h0=scaled,first_step=4,line_search=armijo,c1=0.1 ;;
  LSE) echo cheap=bfgs:rescale=on,h0=scaled,first_step=16,line_search=armijo,c1=0.1 ;;
  *) echo cheap=bfgs-hd:rescale=on,h0=scaled,step=1,hypergradient=diagonal,beta=2 ;;
  esac
}

for family in $families; do
  solvers="unit-I=bfgs:rescale=off,h0=identity,line_search=unit $(best_of "$family") $(cheap_of "$family")"
  for setting in I ours; do
    for seed in $seeds; do
      model "$family" $setting "$seed"
      solvers="$solvers learned-$setting-$seed=$(learned "$family" $setting "$seed")"
    done
  done
  echo "n,unit-I,best,cheap,$(for setting in I ours; do for seed in $seeds; do printf 'learned-%s-%s,' $setting "$seed"; done; done)milliseconds learned,milliseconds cheap,milliseconds best" >"$out/$family.csv"
  for n in $sizes; do
    evaluate "$family-$n" "$family" fresh "$solvers" --set eval.problem.n="$n" --set eval.problem.m=$(($(rows "$family") * n)) --set output.trace=none
    row=$n
    for solver in $solvers; do
      solver=${solver%%=*}
      value=$(column "$family-$n" "$solver" 3)
      row=$row,$value
      measure "$family: $solver at n = $n" "$value"
    done
    for solver in learned-ours-1 cheap best; do
      row=$row,$(column "$family-$n" $solver 7)
    done
    echo "$row" >>"$out/$family.csv"
  done
done
for family in $families; do
  printf '%s:\n\n' "$family"
  awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next }
    { n[++rows] = $1; for (i = 2; i <= NF; i++) value[rows, name[i]] = $i }
    function three(row, setting,  s, text) { for (s = 1; s <= 3; s++) if ((row, "learned-" setting "-" s) in value) text = text " " value[row, "learned-" setting "-" s]; return text }
    END {
      print "| n | unit, I | one gradient a step | best by hand | learned, I | learned, ours | milliseconds: learned, ours | one gradient a step | best by hand |\n|---|---|---|---|---|---|---|---|---|"
      for (i = 1; i <= rows; i++)
        printf "| %s | %s | %s | %s | %s | %s | %.2f | %.2f | %.2f |\n", n[i], value[i, "unit-I"], value[i, "cheap"], value[i, "best"], three(i, "I"), three(i, "ours"),
          value[i, "milliseconds learned"], value[i, "milliseconds cheap"], value[i, "milliseconds best"]
    }' "$out/$family.csv"
  echo
done >"$out/tables.md"
cat "$out/tables.md"
draw "$here/plot.gp" dimension "families = '$families'"
check
