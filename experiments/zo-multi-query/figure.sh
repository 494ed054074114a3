# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs and numbers of the figures of this paper. Sourced by each FIGURE/run.sh.
. "$(dirname "$0")/../../figure.sh"

# evaluate NAME BUDGET 'LABEL=SPEC ...' [options of l2o-eval]: one run of the given solvers, each until it has used up BUDGET function
# calls as it counts them. OUT/NAME/trace.csv keeps every instance at some 100 places.
evaluate() {
  name=$1
  budget=$2
  solvers=$3
  shift 3
  for solver in $solvers; do
    set -- "$@" --solver "${solver#*=},label=${solver%%=*}"
  done
  echo "evaluate $name"
  l2o-eval "$here/config.yaml" --out "$out/$name" --iterations "$budget" --budget "$budget" --quiet --set output.trace=all \
    --set output.points=100 "$@"
}

# solver_list RULE 'Q ...' OPTIONS: RULE-q1=RULE:queries=1,OPTIONS and so on
solver_list() {
  for q in $2; do
    printf '%s-q%s=%s:queries=%s,%s ' "$1" "$q" "$1" "$q" "$3"
  done
}

# decay NAME LABEL: mean over the instances of log10(f_K / f_0), and its standard error
decay() {
  awk -F, -v solver="$2" '
    $1 == solver && $2 ~ /^[0-9]+$/ { if ($3 == 0) first[$2] = $4; last[$2] = $4 }
    END {
      for (i in last) { d = log(last[i] / first[i]) / log(10); n++; sum += d; squares += d * d }
      if (!n) exit 1
      mean = sum / n
      printf "%.4f %.4f\n", mean, (n > 1 && squares > n * mean * mean ? sqrt((squares / n - mean * mean) / (n - 1)) : 0)
    }' "$out/$1/trace.csv"
}

# final NAME LABEL COLUMN: mean of the column (4: objective, 5: gap) over the instances at the end, and its standard error
final() {
  awk -F, -v solver="$2" -v column="$3" '
    $1 == solver && $2 ~ /^[0-9]+$/ { last[$2] = $column }
    END {
      for (i in last) { n++; sum += last[i]; squares += last[i] * last[i] }
      if (!n) exit 1
      mean = sum / n
      variance = squares / n - mean * mean
      printf "%.6g %.3g\n", mean, (n > 1 && variance > 0 ? sqrt(variance / (n - 1)) : 0)
    }' "$out/$1/trace.csv"
}

# curves NAME LABEL COLUMN: "charged,value" of the mean row at every place kept, for figures
curves() {
  awk -F, -v solver="$2" -v column="$3" '
    $1 == solver && $2 == "mean" && !($9 in seen) { print $9 "," $column; seen[$9] }' "$out/$1/trace.csv"
}
