#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figures 2, 14 and 15: patches of natural images, and two tables, with the models that were trained on drawn data, unchanged.
. "$(dirname "$0")/../figure.sh"

data=$root/experiments/data
patches=50
images='ascent face'
tables='ionosphere spambase'
rules='go pa dm rnnprop'
if [ "$size" = small ]; then
  patches=8
  images=ascent
  tables=ionosphere
  rules='go pa'
fi

# solvers_of FAMILY: by hand with the published and the best options, and learned
solvers_of() {
  by_hand "$1"
  for seed in $seeds; do
    for rule in $rules; do
      echo "$rule-$seed=$(learned "$1" "$rule" "$seed")"
    done
  done
}

for family in lasso logistic; do
  for seed in $seeds; do
    for rule in $rules; do
      model $family "$rule" "$seed"
    done
  done
done
# the small models were trained on few rows, which real data has its own number of
for image in $images; do
  evaluate "$image" lasso $patches "$(solvers_of lasso)" --set problem.data="$data/$image.pgm" --set problem.dictionary=ksvd --set problem.l1=0.5 --set problem.n=0
done
for table in $tables; do
  evaluate "$table" logistic 1 "$(solvers_of logistic)" --set problem.data="$data/$table.libsvm" --set problem.scale=standard --set problem.start=normal --set problem.l1=0.1 --set problem.n=0 --set problem.m=0
done
for set in $images $tables; do
  number=2
  for tolerance in 1e-2 1e-4 1e-6; do
    for rule in go pa; do
      for seed in $seeds; do
        measure "$set: $rule to $tolerance; seed $seed" "$(column "$set" "$rule-$seed" $number)"
      done
    done
    for rule in ista fista best; do
      measure "$set: $rule to $tolerance" "$(column "$set" $rule $number)"
    done
    number=$((number + 1))
  done
  for seed in $seeds; do
    measure "$set: final gap of go; seed $seed" "$(column "$set" "go-$seed" 6)"
  done
  {
    printf '### %s\n\n| rule | to 1e-2 | 1e-4 | 1e-6 | final gap | microseconds an iteration |\n|---|---|---|---|---|---|\n' "$set"
    awk -F, 'NR > 1 { printf "| %s | %s | %s | %s | %.2g | %.1f |\n", $1, $2, $3, $4, $6, $5 }' "$out/$set.csv"
    echo
  } >"$out/$set.md"
  cat "$out/$set.md"
  draw "$root/experiments/go-math-l2o/curves/plot.gp" "$set" "family = '$set'"
done
check
