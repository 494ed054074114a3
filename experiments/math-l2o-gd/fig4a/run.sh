#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"

updates=4900
[ "$size" = full ] || updates=100
train run --steps $((updates + 1))
for k in 0 100 500 1000 3000 4900; do
  [ $k -gt $updates ] || measure "F after $k updates" "$(loss run $k)"
done
measure 'largest rise from one update to the next' \
  "$(awk -F, 'NR > 2 && $2 - last > rise { rise = $2 - last } { last = $2 } END { printf "%.3g\n", rise + 0 }' "$out/run/train.csv")"
draw "$here/plot.gp" fig4a
check
