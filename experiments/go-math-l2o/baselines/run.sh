#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The hand-made rules of the comparison with the published settings, beside the rows measured with the published implementation, and each
# with its best setting.
. "$(dirname "$0")/../../figure.sh"
. "$here/grid.sh"

instances=64
tuning=16
columns=4
if [ "$size" = small ]; then
  instances=8
  tuning=2
  columns=0
fi
places='0 10 30 100 300 1000'

# family_of NAME: the options of l2o-eval that choose it
family_of() {
  case $1 in
  lasso) echo --set problem.family=lasso ;;
  logistic) echo --set problem.family=logistic --set problem.recipe=go ;;
  esac
}

# evaluate NAME FAMILY SEED COUNT [options of l2o-eval]: l2o-eval on the lines "METHOD RULE:OPTIONS" of OUT/NAME.txt, and OUT/NAME.csv
# with a row for each: method,setting,score, then mean and standard error of the gap at every place, then the median iterations to
# 1e-2, 1e-4 and 1e-6. The score is the mean of log10 max(gap, 1e-8) over the instances and the places after the first.
evaluate() {
  name=$1
  family=$2
  seed=$3
  count=$4
  shift 4
  label=0
  while read -r _ spec; do
    label=$((label + 1))
    set -- "$@" --solver "$spec,label=$label"
  done <"$out/$name.txt"
  # shellcheck disable=SC2046 # a list of words
  l2o-eval "$here/config.yaml" --quiet --out "$out/$name" $(family_of "$family") --seed "$seed" --instances "$count" "$@"
  awk -v places="$places" '
    function number(line) { sub(/.*:[ \t]*/, "", line); sub(/,$/, "", line); return line == "null" ? "inf" : line }
    BEGIN { places_count = split(places, place, " ") }
    FILENAME ~ /txt$/ { method[++rules] = $1; setting[rules] = $2; gsub(/,/, " ", setting[rules]); next }
    FILENAME ~ /json$/ {
      if (/"name":/) { rule = number($0); gsub(/"/, "", rule) }
      if (/"1e-[246]":/) { split($0, part, "\""); to[rule, part[2]] = number($0) }
      next
    }
    { split($0, field, ",") }
    field[2] !~ /^[0-9]+$/ { next }
    {
      rule = field[1]; instance = field[2]; seen[instance]
      gap = field[5] ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ ? field[5] + 0 : 1e99
      for (i = 1; i <= places_count; i++) if (field[3] <= place[i] + 0) at[rule, instance, i] = gap
    }
    END {
      for (rule = 1; rule <= rules; rule++) {
        row = ""; score = 0; terms = 0
        for (i = 1; i <= places_count; i++) {
          n = sum = squares = 0
          for (instance in seen) {
            gap = at[rule, instance, i]
            n++; sum += gap; squares += gap * gap
            if (i > 1) { score += log(gap > 1e-8 ? gap : 1e-8) / log(10); terms++ }
          }
          mean = sum / n; variance = squares / n - mean * mean
          row = row "," sprintf("%.6g,%.3g", mean, n > 1 && variance > 0 ? sqrt(variance / (n - 1)) : 0)
        }
        print method[rule] "," setting[rule] "," sprintf("%.4f", score / terms) row "," \
          ((rule, "1e-2") in to ? to[rule, "1e-2"] : "-") "," ((rule, "1e-4") in to ? to[rule, "1e-4"] : "-") "," \
          ((rule, "1e-6") in to ? to[rule, "1e-6"] : "-")
      }
    }' "$out/$name.txt" "$out/$name/summary.json" "$out/$name/trace.csv" >"$out/$name.csv"
}

# table FILE: a row of the README for each line
table() {
  printf '| rule | setting | 10 | 30 | 100 | 300 | 1000 | to 1e-2 | 1e-4 | 1e-6 |\n|---|---|---|---|---|---|---|---|---|---|\n'
  awk -F, '{
    printf "| %s | `%s` |", $1, $2
    for (i = 6; i <= 14; i += 2) printf(($i >= 1e50 ? " - |" : " %.2g |"), $i)
    print " " $16 " | " $17 " | " $18 " |"
  }' "$1"
}

# column FILE METHOD NUMBER
column() {
  awk -F, -v method="$2" -v number="$3" '$1 == method { print $number }' "$1"
}

for family in lasso logistic; do
  echo "published $family"
  published "$family" >"$out/$family-published.txt"
  evaluate "$family-published" "$family" 1 $instances
  echo "tune $family"
  grid "$family" >"$out/$family-tuning.txt"
  evaluate "$family-tuning" "$family" 7000 $tuning
  sort -t, -k1,1 -k3,3g "$out/$family-tuning.csv" | awk -F, '!($1 in seen) { gsub(/ /, ",", $2); print $1, $2; seen[$1] }' >"$out/$family-tuned.txt"
  evaluate "$family-tuned" "$family" 1 $instances
  for rule in ista fista adam adam-hd; do
    number=4
    for k in $places; do
      measure "$family: $rule with k = $k" "$(column "$out/$family-published.csv" $rule $number)"
      number=$((number + 2))
    done
  done
  right=
  [ "$family" = lasso ] || right=-right
  for rule in ista fista; do
    for tolerance in 1e-2 1e-4 1e-6; do
      number=$((15 + ${tolerance#1e-} / 2))
      measure "$family: $rule with 1/L to $tolerance" "$(column "$out/$family-published.csv" $rule$right $number)"
      measure "$family: $rule tuned to $tolerance" "$(column "$out/$family-tuned.csv" $rule $number)"
    done
  done
  for rule in adam adam-hd subgradient shampoo; do
    measure "$family: $rule tuned with k = 1000" "$(column "$out/$family-tuned.csv" $rule 14)"
  done
  {
    printf '### %s, published settings\n\n' "$family"
    table "$out/$family-published.csv"
    printf '\n### %s, tuned\n\n' "$family"
    table "$out/$family-tuned.csv"
    echo
  } >"$out/$family.md"
done
if [ $columns -gt 0 ]; then # of one column: an eigendecomposition of 500 x 500 a step
  echo 'published lasso, shampoo'
  echo shampoo shampoo:step_scale=0.9999 >"$out/lasso-column.txt"
  evaluate lasso-column lasso 1 $columns
  measure 'lasso: shampoo of one column with k = 1000' "$(column "$out/lasso-column.csv" shampoo 14)"
  table "$out/lasso-column.csv" >>"$out/lasso.md"
fi
cat "$out/lasso.md" "$out/logistic.md"
check
