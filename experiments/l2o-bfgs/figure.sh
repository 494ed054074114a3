# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Models and runs of the figures on the convex families. Sourced by each FIGURE/run.sh.
. "$(dirname "$0")/../../figure.sh"
. "$root/experiments/l2o-bfgs/train.sh"

# instances_of WHICH: the options of l2o-eval that choose them
instances_of() {
  case $1 in
  reference) echo --set eval.problem.sampler=mt19937 --set eval.seed=1 --instances 20 ;; # of the published numbers
  fresh) echo --set eval.seed=900001 --instances "$fresh" ;;
  esac
}

# evaluate NAME FAMILY WHICH 'LABEL=RULE:OPTIONS ...' [options of l2o-eval]: one run into OUT/NAME, and the table OUT/NAME.csv
evaluate() (
  name=$1
  family=$2
  which=$3
  solvers=$4
  shift 4
  for solver in $solvers; do
    set -- "$@" --solver "${solver#*=},label=${solver%%=*}"
  done
  # shellcheck disable=SC2046 # lists of words
  l2o-eval "$root/experiments/l2o-bfgs/eval.yaml" --out "$out/$name" --quiet --threads 1 $(family_of "$family") $(instances_of "$which") "$@"
  echo 'solver,missed,median,max,values,gradients,milliseconds,fallbacks' >"$out/$name.csv"
  awk '
    function number(line) { sub(/.*:[ \t]*/, "", line); sub(/,$/, "", line); return line == "null" ? "inf" : line }
    /"name":/ { label = number($0); gsub(/"/, "", label); fallbacks = 0 }
    /"value_calls_mean":/ { values = number($0) }
    /"gradient_calls_mean":/ { gradients = number($0) }
    /"fallbacks":/ { fallbacks = number($0) }
    /"iterations_median":/ { median = number($0) }
    /"iterations_max":/ { most = number($0) }
    /"seconds_median":/ { seconds = number($0) }
    /"missed":/ {
      print label "," number($0) "," median "," most "," values "," gradients "," (seconds == "inf" ? "inf" : 1000 * seconds) "," fallbacks
    }' "$out/$name/summary.json" >>"$out/$name.csv"
)

# learned FAMILY SETTING SEED: the rule with its model
learned() {
  echo "l2o-bfgs:model=$models/$1-$2-$3.safetensors"
}

# column NAME LABEL COLUMN: of OUT/NAME.csv; 3: the median of the iterations
column() {
  awk -F, -v label="$2" -v column="$3" '$1 == label { print $column; found = 1 } END { exit !found }' "$out/$1.csv"
}

# best_of FAMILY: the best rule by hand, of those that need no second derivatives but to search exactly
best_of() {
  case $1 in
  LOG) echo best=bfgs:rescale=on,h0=lipschitz,line_search=wolfe,c2=0.1 ;;
  LSE) echo best=bfgs:rescale=on,h0=scaled,line_search=wolfe,c2=0.1 ;;
  *) echo best=lbfgs:first_step=0,memory=200,line_search=exact ;;
  esac
}
