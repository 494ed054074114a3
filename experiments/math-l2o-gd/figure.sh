# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Numbers out of training, for the figures of this paper. Sourced by each FIGURE/run.sh.
. "$(dirname "$0")/../../figure.sh"

# The published experiments count meta-iterations k from 0: row k + 1 of train.csv has the loss of the weights after k updates.
# The loss is the objective summed over the training instances.

# train NAME [options]: trains by config.yaml of the figure into OUT/NAME
train() {
  name=$1
  shift
  echo "train $name"
  l2o-train "${config:-$here/config.yaml}" --out "$out/$name" --quiet "$@"
}

# loss NAME K: the loss after K updates
loss() {
  awk -F, -v row=$(($2 + 1)) '$1 == row { print $2; found = 1 } END { exit !found }' "$out/$1/train.csv"
}

# gain NAME K: by which part the loss after K updates is below that of gradient descent, which is the untrained rule (K = 0)
gain() {
  awk -F, -v row=$(($2 + 1)) '$1 == 1 { gd = $2 } $1 == row { printf "%.6g\n", 1 - $2 / gd; found = 1 } END { exit !found }' \
    "$out/$1/train.csv"
}

# objective NAME SOLVER ITERATION INSTANCES: from OUT/NAME/trace.csv, summed over the instances
objective() {
  awk -F, -v solver="$2" -v k="$3" -v instances="$4" \
    '$1 == solver && $2 == "mean" && $3 == k { printf "%.8g\n", $4 * instances; found = 1 } END { exit !found }' "$out/$1/trace.csv"
}
