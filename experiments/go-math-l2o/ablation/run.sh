#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Figures 5 to 12 on the published toy (n = 40, m = 20): what the history keeps, its weight, and how GO-Math-L2O is trained; one thing changed at a time.
. "$(dirname "$0")/../figure.sh"

variants='go std lh go-root go-step go-square go-glorot go-8x1 go-mean go-weighted go-gap go-held go-unclipped go-unroll10 go-unroll40 go-horizon100 go-batch4 go-batch16 go-half go-double'
instances=64
large=16
shifts=-100,-50,-20,-10,0,10,20,50,100
if [ "$size" = small ]; then
  variants='go std lh go-square go-mean go-held go-unroll10 go-half'
  instances=16
  large=0
  shifts=-10,0,10
fi
history='go go-root go-step go-square std lh'

# meaning VARIANT
meaning() {
  case $1 in
  go) echo "as in train.yaml" ;;
  std) echo "history std" ;;
  lh) echo "history lh" ;;
  go-root) echo "Q times the root of the base step" ;;
  go-step) echo "Q times the base step" ;;
  go-square) echo "Q times its square" ;;
  go-glorot) echo "published initial weights and random states" ;;
  go-8x1) echo "one layer of 8 units" ;;
  go-mean) echo "loss mean of 100 (published)" ;;
  go-weighted) echo "loss weighted of 100" ;;
  go-gap) echo "loss log-gap" ;;
  go-held) echo "features held constant" ;;
  go-unclipped) echo "gradient not clipped" ;;
  go-unroll*) echo "unroll ${1#go-unroll}" ;;
  go-horizon100) echo "horizon 100" ;;
  go-batch*) echo "batch ${1#go-batch}" ;;
  go-half) echo "half of the updates" ;;
  go-double) echo "twice the updates" ;;
  esac
}

solvers=$(by_hand lasso | tr ' ' '\n' | grep -E '^(ista|fista|best)=')
for variant in $variants; do
  for seed in $seeds; do
    model toy "$variant" "$seed"
    solvers="$solvers $variant-$seed=$(learned toy "$variant" "$seed")"
  done
done
evaluate toy toy $instances "$solvers" --iterations 400
[ $large = 0 ] || evaluate large lasso $large "$solvers" --iterations 400

# three RUN VARIANT COLUMN: of all seeds
three() {
  for seed in $seeds; do
    column "$1" "$2-$seed" "$3"
  done | paste -sd' ' -
}
{
  printf '| variant | to 1e-2 | 1e-4 | 1e-6 | n = 500: 1e-2 | 1e-4 | 1e-6 |\n|---|---|---|---|---|---|---|\n'
  for variant in $variants; do
    printf '| %s | %s | %s | %s |' "$(meaning "$variant")" "$(three toy "$variant" 2)" "$(three toy "$variant" 3)" "$(three toy "$variant" 4)"
    if [ $large = 0 ]; then
      echo ' - | - | - |'
    else
      printf ' %s | %s | %s |\n' "$(three large "$variant" 2)" "$(three large "$variant" 3)" "$(three large "$variant" 4)"
    fi
  done
} >"$out/tables.md"
for variant in $variants; do
  for seed in $seeds; do
    measure "$variant to 1e-6; seed $seed" "$(column toy "$variant-$seed" 4)"
  done
done

solvers=$(by_hand lasso | tr ' ' '\n' | grep -E '^(ista|fista)=')
for variant in $history; do
  case " $variants " in
  *" $variant "*) solvers="$solvers $variant=$(learned toy "$variant" 1)" ;;
  esac
done
for shift in start function; do
  evaluate toy-$shift toy 8 "$solvers" --sweep problem.shift.$shift=$shifts
  {
    echo
    sweep_table toy-$shift "shift of the $shift"
  } >>"$out/tables.md"
done
for variant in $history; do
  most=$(awk -F, -v label="$variant" '$2 == label && $3 + 0 > most { most = $3 + 0; } $2 == label { found = 1 } END { if (found) printf "%.6g\n", most }' "$out/toy-start/sweep.csv")
  [ ! "$most" ] || measure "$variant: largest median gap under shifts of the start" "$most"
done
cat "$out/tables.md"
for variant in $variants; do
  for seed in $seeds; do
    echo "$(meaning "$variant"),$(column toy "$variant-$seed" 2),$(column toy "$variant-$seed" 3),$(column toy "$variant-$seed" 4)"
  done
done >"$out/dots.csv"
draw "$here/plot.gp" ablation
check
