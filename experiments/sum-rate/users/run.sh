#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figure (g): the distribution of the rates of single users in the layout with path loss and shadowing: 3 cells, 2 users, 8x2 antennas.
. "$(dirname "$0")/../figure.sh"

: "${L2O_USER_RATES=$root/build/release/experiments/sum-rate/user_rates}"
channels=500
[ "$size" = full ] || channels=60
model lo-layout
model lo
layout='--set problem.channel=layout --set problem.tx=8'
# shellcheck disable=SC2086 # a list of words
evaluate layout $channels 'wmmse=wmmse' --iterations 100 $layout --dump-instances "$out/channels.safetensors"

# users NAME ITERATIONS SOLVER [MODEL]: OUT/NAME.csv, sorted by rate, with the share of users below
users() {
  name=$1
  iterations=$2
  shift 2
  "$L2O_USER_RATES" "$out/channels.safetensors" "$iterations" 2 "$@" | sort -t , -k 3 -g | awk -F, '{ rate[NR] = $3 } END { for (i = 1; i <= NR; i++) print rate[i] "," i / NR }' >"$out/$name.csv"
}
# quantile NAME SHARE, mean NAME
quantile() {
  awk -F, -v share="$2" '$2 >= share { print $1; exit }' "$out/$1.csv"
}
mean() {
  awk -F, '{ sum += $1 } END { printf "%.6g\n", sum / NR }' "$out/$1.csv"
}
users wmmse-100 100 wmmse
users wmmse-10 10 wmmse
users fastfp-10 10 fastfp
users lo-layout 10 sum-rate-lo "$models/lo-layout.safetensors"
users lo 10 sum-rate-lo "$models/lo.safetensors"
for rule in wmmse-10 fastfp-10 lo lo-layout; do
  measure "$rule: mean over that of wmmse-100" "$(ratio "$(mean $rule)" "$(mean wmmse-100)")"
done
for rule in wmmse-100 wmmse-10 fastfp-10 lo lo-layout; do
  measure "$rule: median rate of a user" "$(quantile $rule 0.5)"
  measure "$rule: rate of the worst tenth" "$(quantile $rule 0.1)"
done
draw "$here/plot.gp" users
check
