#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Tunes every hand-made method on instances of its own, then runs the best setting of each on the evaluation instances.
. "$(dirname "$0")/../../figure.sh"
. "$here/grid.sh"

families='LS LS-cond LOG LSE LSraw'
tuning=40
fresh=100
if [ "$size" = small ]; then
  tuning=5
  fresh=10
fi

# family_of NAME: the options of l2o-eval that choose it
family_of() {
  case $1 in
  LS) echo --set problem.family=least-squares ;;
  LS-cond) echo --set problem.family=least-squares --set problem.condition=100 ;;
  LSraw) echo --set problem.family=least-squares --set problem.scaled=false ;;
  LOG) echo --set problem.family=logistic ;;
  LSE) echo --set problem.family=log-sum-exp ;;
  esac
}

# evaluate NAME FAMILY LINES SEED COUNT SAMPLER: l2o-eval on the lines "METHOD RULE:OPTIONS" of a file, and OUT/NAME.csv with a row for
# each: family,method,setting,missed,median,max,values,gradients,milliseconds
evaluate() {
  set -- "$1" "$2" "$3" "$4" "$5" "$6" "$(awk '{ printf "--solver %s,label=%d ", $2, NR }' "$3")"
  # shellcheck disable=SC2046,SC2086 # lists of words
  l2o-eval "$here/config.yaml" --quiet --out "$out/$1" --set output.trace=none --threads 1 $(family_of "$2") --seed "$4" \
    --set problem.sampler="$6" --instances "$5" $7
  awk -v family="$2" '
    function number(line) { sub(/.*:[ \t]*/, "", line); sub(/,$/, "", line); return line == "null" ? "inf" : line }
    NR == FNR { method[NR] = $1; setting[NR] = $2; next }
    /"name":/ { label = number($0); gsub(/"/, "", label) }
    /"value_calls_mean":/ { values = number($0) }
    /"gradient_calls_mean":/ { gradients = number($0) }
    /"iterations_median":/ { median = number($0) }
    /"iterations_max":/ { most = number($0) }
    /"seconds_median":/ { seconds = number($0) }
    /"missed":/ {
      gsub(/,/, " ", setting[label])
      print family "," method[label] "," setting[label] "," number($0) "," median "," most "," values "," gradients "," \
        (seconds == "inf" ? "inf" : 1000 * seconds)
    }' "$3" "$out/$1/summary.json" >"$out/$1.csv"
}

# best FILE: of every method the row with the fewest failures, then the lowest median, maximum, gradients
best() {
  sed 's/inf/1e99/g' "$1" | sort -t, -k2,2 -k4,4g -k5,5g -k6,6g -k8,8g | awk -F, '!($2 in seen) { print; seen[$2] }'
}

header=family,method,setting,missed,median,max,values,gradients,milliseconds
echo $header >"$out/tuning.csv"
echo $header >"$out/reference.csv"
echo $header >"$out/fresh.csv"
for family in $families; do
  echo "tune $family"
  grid >"$out/lines-$family"
  evaluate "tune-$family" "$family" "$out/lines-$family" 5000 $tuning mt19937
  cat "$out/tune-$family.csv" >>"$out/tuning.csv"
  best "$out/tune-$family.csv" | awk -F, '{ gsub(/ /, ",", $3); print $2, $3 }' >"$out/best-$family"
  evaluate "reference-$family" "$family" "$out/best-$family" 1 20 mt19937
  evaluate "fresh-$family" "$family" "$out/best-$family" 900001 $fresh philox
  cat "$out/reference-$family.csv" >>"$out/reference.csv"
  cat "$out/fresh-$family.csv" >>"$out/fresh.csv"
done

# pick FILE FAMILY [cheap]: median of the best method without second derivatives; cheap: with at most a quarter more gradients than steps
pick() {
  sed 's/inf/1e99/g' "$1" | awk -F, -v family="$2" -v cheap="${3:-}" '
    $1 == family && $2 != "newton" && (!cheap || $8 <= 1.25 * $5) && $4 == 0 && (best == "" || $5 < best) { best = $5 }
    END { print best }'
}

# row FILE FAMILY METHOD: its median
row() {
  awk -F, -v family="$2" -v method="$3" '$1 == family && $2 == method { print $5 }' "$1"
}

for family in $families; do
  for instances in reference fresh; do
    measure "$family: paper's baseline on $instances instances" "$(row "$out/$instances.csv" "$family" paper)"
    measure "$family: best method on $instances instances" "$(pick "$out/$instances.csv" "$family")"
    measure "$family: best with one gradient a step on $instances instances" "$(pick "$out/$instances.csv" "$family" cheap)"
  done
done

# The tables of the README.
for family in $families; do
  printf '### %s\n\n| method | best setting | seeds 1..20 | gradients | 100 fresh | missed | gradients | ms |\n|---|---|---|---|---|---|---|---|\n' "$family"
  awk -F, -v family="$family" '
    NR == FNR { if ($1 == family) reference[$2] = $5 "/" $6 " | " sprintf("%.1f", $8); next }
    $1 == family {
      printf "| %s | `%s` | %s | %s/%s | %s | %.1f | %s |\n", $2, $3, reference[$2], $5, $6, $4, $8, $9 == "inf" ? "inf" : sprintf("%.3f", $9)
    }' "$out/reference.csv" "$out/fresh.csv"
  echo
done >"$out/tables.md"
cat "$out/tables.md"
check
