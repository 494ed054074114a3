#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Trains every variant of variants.csv with three seeds and counts the iterations to |g| <= 1e-6 on instances that none has seen.
# L2O_JOBS trainings at a time (1); the seconds of training are those of that many.
. "$(dirname "$0")/../../figure.sh"

families='LOG20 LOG50 LS-cond'
seeds='1 2 3'
fresh=100
if [ "$size" = small ]; then
  families=LOG20
  seeds=1
  fresh=20
fi

# family NAME: "updates K options ..."
family() {
  case $1 in
  LOG20) echo 2400 20 --set problem.n=20 --set problem.m=200 ;;
  LOG50) echo 2400 30 ;;
  LS-cond) echo 6000 60 --set problem.family=least-squares --set problem.condition=100 ;;
  esac
}
start_of() {
  if [ "$1" = LS-cond ]; then
    echo --set model.h0=scaled --set model.rescale=on --set model.p_high=30 --set model.gate=60
  fi
}

# Small: two of the changes, a quarter of the updates.
chosen() {
  awk -F, -v family="$1" -v size="$size" '
    FNR > 1 && index(" " $1 " ", " " family " ") &&
      (size == "full" || $2 == "base" || $2 == "p_high = 2" || $2 == "one scalar factor" || $2 == "sc rescale")' "$here/variants.csv"
}

# jobs FAMILY SEED: the trainings, the options of l2o-train, a line each
jobs() {
  set -- "$1" "$2" "$(family "$1")"
  updates=${3%% *}
  rest=${3#* }
  horizon=${rest%% *}
  options=${rest#* }
  [ "$options" != "$rest" ] || options=
  [ "$size" = full ] || updates=$((updates / 4))
  chosen "$1" | awk -F, -v family="$1" -v seed="$2" -v updates="$updates" -v horizon="$horizon" -v options="$options $(start_of "$1")" \
    -v out="$out" '
    {
      keys = $4
      gsub(/[^ ]+/, "--set &", keys)
      printf "--out \"%s/%s/%d-%d\" --steps %d --set train.horizon=%d --set model.seed=%d --set problem.seed=%d %s %s\n", out, family, NR, seed,
        updates / ($3 == "1/K" ? horizon : $3 == "1/4" ? 4 : 1), horizon, seed, 100 + seed, options, keys
    }' | sed 's/ *$//' # xargs joins a line that ends in a blank to the next
}

# evaluate FAMILY NAME SEED COUNT SAMPLER: OUT/FAMILY/NAME.csv, a row for each label: label,missed,median,max
evaluate() {
  into=$out/$1/$2
  set -- "$1" "$3" "$4" "$5" "$(family "$1")"
  rest=${5#* }
  options=${rest#* }
  [ "$options" != "$rest" ] || options=
  solvers="--solver bfgs:line_search=unit,rescale=off,h0=identity,label=unit-I --solver bfgs:line_search=unit,rescale=off,h0=scaled,label=unit-sc"
  for model in "$out/$1"/*/model.safetensors; do
    label=${model%/model.safetensors}
    solvers="$solvers --solver l2o-bfgs:model=$model,label=${label##*/}"
  done
  # shellcheck disable=SC2086 # lists of words
  l2o-eval "$here/config.yaml" --quiet --out "$into" --set output.trace=none --threads 1 $options --set eval.seed="$2" --instances "$3" \
    --set problem.sampler="$4" $solvers
  awk '
    function number(line) { sub(/.*:[ \t]*/, "", line); sub(/,$/, "", line); return line == "null" ? "inf" : line }
    /"name":/ { label = number($0); gsub(/"/, "", label) }
    /"iterations_median":/ { median = number($0) }
    /"iterations_max":/ { most = number($0) }
    /"missed":/ { print label "," number($0) "," median "," most }' "$into/summary.json" >"$into.csv"
}

echo 'family,variant,seed,reference median,reference max,fresh median,fresh max,fresh missed,seconds of training' >"$out/table.csv"
for family in $families; do
  echo "train $family"
  rm -rf "${out:?}/$family"
  mkdir -p "$out/$family"
  for seed in $seeds; do
    jobs "$family" "$seed"
  done >"$out/$family/jobs"
  # A variant that cannot be trained (its steps diverge) is left out of the table, with a message.
  xargs -r -P "${L2O_JOBS:-1}" -L 1 l2o-train "$here/config.yaml" --quiet --threads 1 <"$out/$family/jobs" || true
  evaluate "$family" reference 1 20 mt19937
  evaluate "$family" fresh 900001 $fresh philox
  for kind in I sc; do
    awk -F, -v family="$family" -v label="unit-$kind" '
      $1 == label { row = row (row == "" ? "" : ",") $3 "," $4; missed = $2 }
      END { print family ",BFGS unit " substr(label, 6) ",0," row "," missed ",0" }' "$out/$family/reference.csv" "$out/$family/fresh.csv" >>"$out/table.csv"
  done
  chosen "$family" | awk -F, '{ print NR "," $2 }' | while IFS=, read -r number variant; do
    for seed in $seeds; do
      [ -e "$out/$family/$number-$seed/train.csv" ] || continue
      seconds=$(awk -F, 'END { print $NF }' "$out/$family/$number-$seed/train.csv")
      awk -F, -v label="$number-$seed" -v head="$family,$variant,$seed" -v seconds="$seconds" '
        $1 == label { row = row (row == "" ? "" : ",") $3 "," $4; missed = $2 }
        END { print head "," row "," missed "," seconds }' "$out/$family/reference.csv" "$out/$family/fresh.csv" >>"$out/table.csv"
    done
  done
done

# The table of the README: the medians of every seed, and the mean seconds.
for family in $families; do
  printf '| %s | 20 reference instances | 100 fresh | most | missed | seconds |\n|---|---|---|---|---|---|\n' "$family"
  awk -F, -v family="$family" '
    $1 == family {
      if (!($2 in count)) order[++n] = $2
      count[$2]++; reference[$2] = reference[$2] " " $4; fresh[$2] = fresh[$2] " " $6; missed[$2] += $8; seconds[$2] += $9
      if ($7 == "inf" || most[$2] == "inf") most[$2] = "inf"; else if ($7 + 0 > most[$2] + 0) most[$2] = $7
    }
    END { for (i = 1; i <= n; i++) { v = order[i]; printf "| %s |%s |%s | %s | %d | %.1f |\n", v, reference[v], fresh[v], most[v], missed[v], seconds[v] / count[v] } }' \
    "$out/table.csv"
  echo
done >"$out/tables.md"
cat "$out/tables.md"

# median over the seeds, of the medians over the reference instances
awk -F, '
  FNR > 1 { key = $1 ": " $2; if (!(key in n)) order[++keys] = key; value[key, ++n[key]] = ($4 == "inf" ? 1e9 : $4) }
  END {
    for (i = 1; i <= keys; i++) {
      key = order[i]
      for (a = 1; a <= n[key]; a++) for (b = a + 1; b <= n[key]; b++) if (value[key, b] < value[key, a]) { t = value[key, a]; value[key, a] = value[key, b]; value[key, b] = t }
      print key "," (value[key, int((n[key] + 1) / 2)] + value[key, int(n[key] / 2) + 1]) / 2
    }
  }' "$out/table.csv" >>"$out/measured.csv"

draw "$here/plot.gp" ablation "families = '$families'"
check
