# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Models and runs of the figures. Sourced by each FIGURE/run.sh that needs models.
. "$(dirname "$0")/../../figure.sh"
. "$root/experiments/go-math-l2o/train.sh"

# by_hand FAMILY: "LABEL=RULE:OPTIONS ...", as published (ista, fista) and at their best (../baselines)
by_hand() {
  echo ista=ista:step=0 fista=fista:step_scale=0.9999 best=fista:step_scale=0.9999,restart=gradient
  case $1 in
  lasso) echo adam=adam:beta1=0.9,beta2=0.999,step=0.1 adam-hd=adam-hd:beta1=0.001,beta2=0.1,step=0.1,kappa=1e-5 ;;
  logistic)
    echo adam=adam:beta1=0.9,beta2=0.999,step=3e-2 adam-hd=adam-hd:beta1=0.001,beta2=0.1,step=0.1,kappa=1e-4
    echo ista-published=ista:step=0,step_scale=0.249975 fista-published=fista:step_scale=0.249975
    ;;
  esac
}

# evaluate NAME FAMILY INSTANCES 'LABEL=RULE:OPTIONS ...' [options of l2o-eval]: one run into OUT/NAME, and the table OUT/NAME.csv
evaluate() (
  name=$1
  family=$2
  count=$3
  solvers=$4
  shift 4
  for solver in $solvers; do
    set -- "$@" --solver "${solver#*=},label=${solver%%=*}"
  done
  # shellcheck disable=SC2046 # a list of words
  l2o-eval "$root/experiments/go-math-l2o/eval.yaml" --out "$out/$name" --quiet --threads 1 $(family_of "$family") --instances "$count" "$@"
  # the figure of a sweep has a folder for each value
  [ ! -f "$out/$name/summary.json" ] || table_of "$out/$name/summary.json" >"$out/$name.csv"
)

# table_of SUMMARY: a row for each solver: the median iterations to the tolerances, microseconds an iteration, the final gap
table_of() {
  awk '
    function number(line) { sub(/.*:[ \t]*/, "", line); sub(/,$/, "", line); return line == "null" ? "inf" : line }
    BEGIN { print "solver,to 1e-2,to 1e-4,to 1e-6,microseconds,gap median,gap mean,fallbacks" }
    function row() { if (label != "") print label "," to["1e-2"] "," to["1e-4"] "," to["1e-6"] "," 1e6 * seconds "," median "," mean "," fallbacks }
    /"name":/ { row(); label = number($0); gsub(/"/, "", label); fallbacks = 0 }
    /"gap_mean":/ { mean = number($0) }
    /"gap_median":/ { median = number($0) }
    /"seconds_per_iteration":/ { seconds = number($0) }
    /"fallbacks":/ { fallbacks = number($0) }
    /"1e-[246]":/ { split($0, part, "\""); to[part[2]] = number($0) }
    END { row() }' "$1"
}

# column NAME LABEL COLUMN: of OUT/NAME.csv
column() {
  awk -F, -v label="$2" -v column="$3" '$1 == label { print $column; found = 1 } END { exit !found }' "$out/$1.csv"
}

# sweep_table NAME HEAD: of OUT/NAME/sweep.csv, a row for each rule, a column for each value: the median of the final gap, and of the iterations to 1e-6
sweep_table() {
  awk -F, -v head="$2" '
    FNR == 1 { next }
    !($1 in seen) { seen[$1]; order[++n] = $1 }
    !($2 in known) { known[$2]; rule[++m] = $2 }
    { gap[$1, $2] = $3; to[$1, $2] = $9 }
    END {
      printf "| %s |", head; for (i = 1; i <= n; i++) printf " %s |", order[i]
      printf "\n|---|"; for (i = 1; i <= n; i++) printf "---|"
      for (j = 1; j <= m; j++) { printf "\n| %s |", rule[j]; for (i = 1; i <= n; i++) printf " %.2g, %s |", gap[order[i], rule[j]], to[order[i], rule[j]] }
      print ""
    }' "$out/$1/sweep.csv"
}
