# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The networks of the figures: TASK.yaml says what each learns, and what it is to learn afterwards. Sourced by each FIGURE/run.sh.
. "$(dirname "$0")/../../figure.sh"

# data TASK: the option that says where its data are
data() {
  case $1 in digits) echo "--set problem.data=$root/experiments/data/mnist10k-images-idx3-ubyte.gz" ;; esac
}

# pretrain TASK [options of l2o-train]: weights into OUT/TASK/model.safetensors
pretrain() (
  task=$1
  shift
  # shellcheck disable=SC2046 # words
  l2o-train "$root/experiments/agzo/$task.yaml" --quiet --out "$out/$task" $(data "$task") "$@"
)

# fine_tune NAME TASK 'LABEL=RULE:OPTIONS ...' [options of l2o-eval]: from those weights, into OUT/NAME, and the table OUT/NAME.csv
fine_tune() (
  name=$1
  task=$2
  solvers=$3
  shift 3
  for solver in $solvers; do
    set -- "$@" --solver "${solver#*=},label=${solver%%=*}"
  done
  # shellcheck disable=SC2046 # words
  l2o-eval "$root/experiments/agzo/$task.yaml" --out "$out/$name" --quiet $(data "$task") --set "eval.problem.init=$out/$task/model.safetensors" "$@"
  echo 'solver,mean,low,high,ms' >"$out/$name.csv"
  awk '
    function number(line) { sub(/.*:[ \t]*/, "", line); sub(/,$/, "", line); return line ~ /^-?[0-9]/ ? line : "inf" }
    function both(line) { sub(/.*\[/, "", line); sub(/\].*/, "", line); gsub(/[ \t]/, "", line); return line }
    /"name":/ { label = $0; sub(/.*:[ \t]*"/, "", label); sub(/".*/, "", label) }
    /"objective_mean":/ { mean = number($0) }
    /"objective_mean_interval":/ { interval = both($0) }
    /"seconds_per_iteration":/ { print label "," mean "," interval "," 1000 * number($0) }' "$out/$name/summary.json" >>"$out/$name.csv"
)

# column NAME LABEL COLUMN: of OUT/NAME.csv; 2: the mean loss at the end
column() {
  awk -F, -v label="$2" -v column="$3" '$1 == label { print $column; found = 1 } END { exit !found }' "$out/$1.csv"
}
