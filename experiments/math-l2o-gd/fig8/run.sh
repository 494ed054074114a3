#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"

# reach COLUMN LEVEL: the first iteration at which a column of curves.csv is at most LEVEL
reach() {
  awk -F, -v name="$1" -v level="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i; next }
    $column <= level { print $1; found = 1; exit } END { if (!found) print "never" }' "$out/curves.csv"
}

rates='1e-3 1e-4 1e-5 1e-6 1e-7'
levels='1 1e-3 1e-5 1e-7'
steps=500
iterations=3000
if [ "$size" = small ]; then # at 1e-3 the first update does it all
  rates=1e-3
  levels='1 1e-3'
  steps=3
  iterations=800
fi
set --
for rate in $rates; do
  train "lr-$rate" --steps $steps --set train.optimizer.lr="$rate"
  set -- "$@" --solver "math-l2o-gd:model=$out/lr-$rate/model.safetensors,label=lr-$rate"
done
echo 'evaluate the trained rules, gradient descent and Nesterov'
l2o-eval "$here/config.yaml" --out "$out/eval" --quiet --iterations $iterations "$@" \
  --solver gd --solver gd:step_scale=1.5,label=gd-1.5 --solver nesterov

# sums over the 32 instances: one column a solver; the learning rates as mean, smallest and largest
awk -F, '$2 != "mean" { next }
  { k = $3; f = 32 * $4; if (k > last) last = k }
  $1 !~ /^lr-/ { value[$1, k] = f; next }
  { mean[k] += f; count[k]++; if (count[k] == 1 || f < low[k]) low[k] = f; if (f > high[k]) high[k] = f }
  END {
    print "iteration,gd,ours,ours_low,ours_high,gd-1.5,nesterov"
    for (k = 0; k <= last; k++)
      printf "%d,%.8g,%.8g,%.8g,%.8g,%.8g,%.8g\n", k, value["gd", k], mean[k] / count[k], low[k], high[k],
             value["gd-1.5", k], value["nesterov", k]
  }' "$out/eval/trace.csv" >"$out/curves.csv"
for level in $levels; do
  for name in gd ours gd-1.5 nesterov; do
    measure "iterations to $level of $name" "$(reach $name "$level")"
  done
done
measure 'iterations to 1e-3: ours / gd' "$(ratio "$(reach ours 1e-3)" "$(reach gd 1e-3)")"

if [ "$size" = full ]; then
  echo 'evaluate Adam on its grid'
  set --
  for beta1 in 0.1 0.3 0.5 0.7 0.9; do
    for beta2 in 0.95 0.955 0.96 0.965 0.97 0.975 0.98 0.985 0.99 0.995; do # published up to 1, which divides 0 by 0
      set -- "$@" --solver adam:beta1=$beta1,beta2=$beta2,label=adam-$beta1-$beta2
    done
  done
  l2o-eval "$here/config.yaml" --out "$out/adam" --quiet "$@"
  awk -F, '$2 != "mean" { next }
    { k = $3; f = 32 * $4; mean[k] += f; if (k > last) last = k }
    !(k in count) || f < low[k] { low[k] = f }
    { count[k]++; if (f > high[k]) high[k] = f }
    END {
      print "iteration,mean,low,high"
      for (k = 0; k <= last; k++)
        printf "%d,%.8g,%.8g,%.8g\n", k, mean[k] / count[k], low[k], high[k]
    }' "$out/adam/trace.csv" >"$out/adam.csv"
  rm "$out/adam/trace.csv" # 100 MB
  for k in 1000 3000; do
    measure "Adam after $k iterations; mean of the grid" "$(awk -F, -v k=$k '$1 == k { print $2 }' "$out/adam.csv")"
    measure "Adam after $k iterations; best of the grid" "$(awk -F, -v k=$k '$1 == k { print $3 }' "$out/adam.csv")"
  done
fi
draw "$here/plot.gp" fig8 "with_adam = $([ "$size" = full ] && echo 1 || echo 0)"
check
