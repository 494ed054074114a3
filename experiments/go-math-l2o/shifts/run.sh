#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figures 3, 4, 16 and 17: the final gap against how far the start, or the function, is shifted; with the published prox; with the guard.
. "$(dirname "$0")/../figure.sh"

values=-100,-50,-20,-10,0,10,20,50,100
wrong=-100,-10,10,100
guarded=-100,0,20
rules='go pa'
guards='go pa rnnprop'
instances=8
few=4
fewest=2
iterations=1000
length=8000 # what ista needs from 100 away
if [ "$size" = small ]; then
  values=-50,-10,0,10,50
  wrong=-10,10
  guarded=-20,0,20
  guards='go rnnprop'
  instances=4
  iterations=600
  length=2000
fi

# cell NAME VALUE LABEL COLUMN: of OUT/NAME/sweep.csv; 3: median of the final gap
cell() {
  awk -F, -v value="$2" -v label="$3" -v column="$4" '$1 == value && $2 == label { print $column; found = 1 } END { exit !found }' "$out/$1/sweep.csv"
}

# apart A B: how many rows with solver go-... of two sweep.csv differ in their iterations to 1e-2, 1e-4 or 1e-6
apart() {
  awk -F, '$2 !~ /^go-/ { next } NR == FNR { seen[$1, $2] = $7 "," $8 "," $9; next } seen[$1, $2] != $7 "," $8 "," $9 { n++ } END { print n + 0 }' "$1" "$2"
}

# above TRACE RULE: at how many points of its runs RULE is above ista, by more than rounding
above() {
  awk -F, -v rule="$2" '
    $2 !~ /^[0-9]+$/ { next }
    $1 == "ista" { limit[$2, $3] = $4 }
    $1 == rule { found[$2, $3] = $4 }
    END {
      for (place in found) { points++; n += !(found[place] <= limit[place] + 1e-12 * limit[place]) }
      print points ? n + 0 : "nothing"
    }' "$1"
}

# worst TRACE RULE: its largest gap at the end of a run
worst() {
  awk -F, -v rule="$2" '
    $2 ~ /^[0-9]+$/ && $1 == rule { last[$2] = $5 ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ ? $5 + 0 : 1e99 }
    END { most = -1; for (i in last) if (last[i] > most) most = last[i]; printf "%.6g\n", most }' "$1"
}

for family in lasso logistic; do
  solvers=$(by_hand $family | tr ' ' '\n' | grep -E '^(ista|fista)=')
  for seed in $seeds; do
    for rule in $rules; do
      model $family "$rule" "$seed"
      solvers="$solvers $rule-$seed=$(learned $family "$rule" "$seed")"
    done
  done
  for shift in start function; do
    run=$family-$shift
    evaluate $run $family $instances "$solvers" --iterations $iterations --sweep problem.shift.$shift=$values
    for seed in $seeds; do
      behind=0
      for value in $(echo "$values" | tr , ' '); do
        behind=$((behind + $(awk -v go="$(cell $run "$value" "go-$seed" 3)" -v pa="$(cell $run "$value" "pa-$seed" 3)" \
          'BEGIN { print !(go != "" && go <= (pa > 1e-12 ? pa : 1e-12)) }')))
      done
      measure "$family $shift: shifts where go ends above pa; seed $seed" $behind
    done
    sweep_table $run rule >"$out/$run.md"
  done
  measure "$family: go with shifts of the start and of the function that differ" "$(apart "$out/$family-start/sweep.csv" "$out/$family-function/sweep.csv")"

  run=$family-published
  evaluate $run $family $few "$(by_hand $family | tr ' ' '\n' | grep -E '^(ista|fista)=') go-1=$(learned $family go 1) pa-1=$(learned $family pa 1)" --iterations $iterations \
    --set problem.shift.prox=published --sweep problem.shift.function=$wrong
  for value in $(echo $wrong | tr , ' '); do
    measure "$family: fista with the published prox; shift of the function $value" "$(cell $run "$value" fista 3)"
  done

  solvers=$(by_hand $family | tr ' ' '\n' | grep '^ista=')
  for rule in $guards; do
    model $family "$rule" 1
    solvers="$solvers $rule-shadow=$(learned $family "$rule" 1),guard=shadow"
  done
  evaluate $family-shadow $family $few "$solvers" --iterations $iterations --set output.trace=all --sweep problem.shift.start=$guarded
  solvers=
  for rule in $guards; do
    solvers="$solvers $rule-descent=$(learned $family "$rule" 1),guard=descent"
  done
  evaluate $family-descent $family $fewest "$solvers" --iterations $length --set output.trace=all --set output.points=100 --sweep problem.shift.start=$guarded
  for rule in $guards; do
    over=0
    most=0
    for value in $(echo $guarded | tr , ' '); do
      over=$((over + $(above "$out/$family-shadow/problem.shift.start=$value/trace.csv" "$rule-shadow")))
      most=$(awk -v a="$most" -v b="$(worst "$out/$family-descent/problem.shift.start=$value/trace.csv" "$rule-descent")" 'BEGIN { print (a > b ? a : b) }')
    done
    measure "$family: $rule with guard=shadow: points above ista" $over
    measure "$family: $rule with guard=descent: largest gap" "$most"
  done
  find "$out/$family-shadow" "$out/$family-descent" -name trace.csv -exec rm {} +
done

for family in lasso logistic; do
  for shift in start function; do
    printf '### %s, shift of the %s: final gap, iterations to 1e-6\n\n' $family $shift
    cat "$out/$family-$shift.md"
    echo
    draw "$here/plot.gp" $family-$shift "family = '$family'; shift = '$shift'; values = '$(echo $values | tr , ' ')'"
  done
done >"$out/tables.md"
cat "$out/tables.md"
check
