# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Figures 5, 9 and 10 and the gain-ratio plots are all curves of one kind: the gain over gradient descent against the updates.

updates=4900
[ "$size" = full ] || updates=400

# gain_curve RATE EXPANSION [options]: trains, measures the gain at the end, and writes OUT/gain-RATE-EXPANSION.csv
gain_curve() {
  rate=$1
  expansion=$2
  shift 2
  train "lr-$rate-e-$expansion" --steps $((updates + 1)) \
    --set train.optimizer.lr="$rate" --set model.expansion="$expansion" "$@"
  measure "gain at learning rate $rate; expansion $expansion" "$(gain "lr-$rate-e-$expansion" $updates)"
  awk -F, 'NR == 1 { print "updates,gain" } NR == 2 { gd = $2 } NR > 1 { print $1 - 1 "," 1 - $2 / gd }' \
    "$out/lr-$rate-e-$expansion/train.csv" >"$out/gain-$rate-$expansion.csv"
}

# draw_gains NAME TITLE RATES EXPANSIONS [PUBLISHED.csv]: one of the two lists has one entry
draw_gains() {
  draw "$here/../gains.gp" "$1" "title = '$2'; rates = '$3'; expansions = '$4'; published = '${5:-$here/published.csv}'"
}
