#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"

config=$here/config.yaml
[ "$size" = full ] || config=$here/small.yaml
set --
for instances in fixed fresh; do
  for seed in 1 2 3; do
    run=$instances-$seed
    train $run --set train.instances=$instances --set model.seed=$seed
    set -- "$@" --solver "math-l2o-gd:model=$out/$run/model.safetensors,label=$run"
  done
done
l2o-eval "$config" --out "$out/eval" "$@" --solver gd --solver gd:step_scale=1.5,label=gd-1.5 --solver nesterov

# better SOLVER: by which part the mean objective over the instances is below that of gradient descent
better() {
  ratio "$(objective eval "$1" 100 1)" "$(objective eval gd 100 1)" | awk '{ print 1 - $1 }'
}
for instances in fixed fresh; do
  for seed in 1 2 3; do
    measure "better than gd; $instances instances; seed $seed" "$(better $instances-$seed)"
  done
  awk -F, -v OFS=, -v like="$instances instances" 'index($1, like) { n++; sum += $2; squares += $2 * $2 }
    END { m = sum / n; print "better than gd; " like "; mean of the seeds", sprintf("%.4f", m)
          print "better than gd; " like "; standard deviation", sprintf("%.4f", sqrt((squares - n * m * m) / (n - 1))) }' \
    "$out/measured.csv" >"$out/spread.csv"
  cat "$out/spread.csv" >>"$out/measured.csv"
done
measure 'better than gd; plain gd with step 1.5/L' "$(better gd-1.5)"
draw "$here/plot.gp" fresh-instances
check
