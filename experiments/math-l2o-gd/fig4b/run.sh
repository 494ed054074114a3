#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"

rates='1e-3 1e-4 1e-5 1e-6 1e-7'
updates=400
if [ "$size" = small ]; then # at 1e-3 the first update does it all
  rates=1e-3
  updates=3
fi
echo 'horizon,objective' >"$out/gd.csv"
for rate in $rates; do
  echo 'horizon,objective' >"$out/lr-$rate.csv"
  for T in 5 10 15 20 25 30 35 40 45 50 55 60 65 70 75 80 85 90 95 100; do
    run=lr-$rate-T$T
    train "$run" --steps $((updates + 1)) --set train.optimizer.lr="$rate" --set train.horizon=$T
    after=$(loss "$run" $updates)
    echo "$T,$after" >>"$out/lr-$rate.csv"
    measure "F(x_$T) at learning rate $rate" "$after"
    if [ "$rate" = 1e-3 ]; then
      before=$(loss "$run" 0)
      echo "$T,$before" >>"$out/gd.csv"
      measure "F(x_$T) of gradient descent" "$before"
    fi
  done
done
draw "$here/plot.gp" fig4b "rates = '$rates'"
check
