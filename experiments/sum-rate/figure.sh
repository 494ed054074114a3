# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Models and runs of the figures. Sourced by each FIGURE/run.sh.
. "$(dirname "$0")/../../figure.sh"
. "$root/experiments/sum-rate/train.sh"

# evaluate NAME COUNT 'LABEL=RULE:OPTIONS ...' [options of l2o-eval]: one run on COUNT channels into OUT/NAME
evaluate() (
  name=$1
  count=$2
  solvers=$3
  shift 3
  for solver in $solvers; do
    rule=${solver#*=}
    case $rule in *:*) rule=$rule,label=${solver%%=*} ;; *) rule=$rule:label=${solver%%=*} ;; esac
    set -- "$@" --solver "$rule"
  done
  l2o-eval "$root/experiments/sum-rate/${config-eval.yaml}" --out "$out/$name" --quiet --threads 1 --instances "$count" "$@"
)

# rate NAME LABEL: the mean rate at the end of OUT/NAME
rate() {
  awk -v label="$2" '
    function number(line) { sub(/.*:[ \t]*/, "", line); sub(/,$/, "", line); return line }
    /"name":/ { name = number($0); gsub(/"/, "", name) }
    /"rate_mean":/ && name == label { print number($0); found = 1 }
    END { exit !found }' "$out/$1/summary.json"
}

# best_of COUNT: the best of so many starts, 300 steps each, as "LABEL=RULE:OPTIONS" and the iterations that it takes
best_of() {
  echo "best=wmmse:restarts=$(($1 - 1)),restart_after=300"
}
best_iterations() {
  echo $(($1 * 301))
}

# below TRACE A B: on how many channels A ends below B, by more than rounding, by a trace of all instances; objectives are minus the rate
below() {
  awk -F, -v first="$2" -v second="$3" '
    $2 !~ /^[0-9]+$/ { next }
    $1 == first { a[$2] = $4 }
    $1 == second { b[$2] = $4 }
    END { for (i in b) { channels++; n += !(a[i] <= b[i] + 1e-9) } print channels ? n + 0 : "nothing" }' "$1"
}

# falls TRACE LABEL: how many steps of its runs the rate fell in, by more than rounding
falls() {
  awk -F, -v label="$2" '
    $2 !~ /^[0-9]+$/ || $1 != label { next }
    $2 == channel && !($4 <= before + 1e-9) { n++ }
    { channel = $2; before = $4; points++ }
    END { print points ? n + 0 : "nothing" }' "$1"
}
