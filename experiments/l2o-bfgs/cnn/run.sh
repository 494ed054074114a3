#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Training loss of a small convolutional network against iterations and against time: learned factors beside hand-made rules, whose steps
# are tuned on other instances.
. "$(dirname "$0")/../../figure.sh"

seeds='1 2 3'
images=2000
tuning=2
instances=5
iterations=100
steps='1e-3 3e-3 1e-2 3e-2 0.1'
long='0.03 0.1 0.3 1'
searches='halving wolfe'
minibatch=600 # steps of 100 images: 30 times the data
if [ "$size" = small ]; then
  seeds=1
  images=300
  tuning=1
  instances=1
  iterations=40
  steps='1e-2 3e-2'
  long=0.1
  searches=halving
  minibatch=200
fi
data=$root/experiments/data/mnist10k-images-idx3-ubyte.gz

# evaluate NAME ITERATIONS 'SPEC ...' [options of l2o-eval]
evaluate() {
  name=$1
  most=$2
  specs=$3
  shift 3
  for spec in $specs; do
    set -- "$@" --solver "$spec"
  done
  echo "evaluate $name"
  l2o-eval "$here/config.yaml" --out "$out/$name" --quiet --set problem.data="$data" --set problem.images=$images --iterations "$most" \
    --set output.trace=all "$@"
}

# final NAME LABEL: the mean objective at the end
final() {
  awk -F, -v solver="$2" '
    $1 == solver && $2 ~ /^[0-9]+$/ { last[$2] = $4 }
    END { for (i in last) { n++; sum += last[i] } if (!n) exit 1; printf "%.6g\n", sum / n }' "$out/$1/trace.csv"
}

# tuned RULE 'SPEC ...' ITERATIONS: prints the spec with the lowest mean objective at the end
tuned() {
  number=0
  labelled=
  for spec in $2; do
    number=$((number + 1))
    labelled="$labelled $spec,label=$number"
  done
  evaluate "tune-$1" "$3" "$labelled" --set eval.seed=5000 --instances $tuning >&2
  best=
  number=0
  for spec in $2; do
    number=$((number + 1))
    value=$(final "tune-$1" $number)
    if [ -z "$best" ] || awk -v a="$value" -v b="$lowest" 'BEGIN { exit !(a + 0 < b + 0) }'; then
      best=$spec
      lowest=$value
    fi
  done
  rm -r "$out/tune-$1"
  echo "$1,$best,$lowest" >>"$out/tuned.csv"
  echo "$best"
}

# each RULE KEY 'VALUE ...'
each() {
  for value in $3; do
    printf '%s:%s=%s ' "$1" "$2" "$value"
  done
}

for seed in $seeds; do
  echo "train seed $seed"
  updates=600
  [ "$size" = full ] || updates=60
  small='--set train.batch=2 --set problem.images=200'
  [ "$size" = small ] || small=
  # shellcheck disable=SC2086 # a list of words
  l2o-train "$here/config.yaml" --out "$out/model-$seed" --quiet --threads 1 --steps $updates --set problem.data="$data" \
    --set problem.seed=$((100 + seed)) --set model.seed="$seed" $small
done

: >"$out/tuned.csv"
adam=$(tuned adam "$(each adam step "$steps")" $iterations)
rmsprop=$(tuned rmsprop "$(each rmsprop step "$steps")" $iterations)
gd=$(tuned gd "$(each gd step "$long")" $iterations)
bfgs=$(tuned bfgs "$(each bfgs line_search "$searches")" $iterations)
lbfgs=$(tuned lbfgs "$(each lbfgs line_search "$searches")" $iterations)
adam100=$(tuned adam-minibatch "$(each adam batch=100,step "$steps")" $minibatch)

learned=
for seed in $seeds; do
  model=$out/model-$seed/model.safetensors
  learned="$learned l2o-bfgs:model=$model,label=learned-$seed l2o-bfgs:model=$model,guard=descent,line_search=halving,label=guarded-$seed"
done
evaluate evaluation $iterations "$learned bfgs:line_search=unit,label=bfgs-unit $bfgs,label=bfgs $lbfgs,label=lbfgs $adam,label=adam \
  $rmsprop,label=rmsprop $gd,label=gd" --set eval.seed=900001 --instances $instances
evaluate minibatch $minibatch "$adam100,label=adam-100" --set eval.seed=900001 --instances $instances

# Of every solver, over the instances: the median iterations, gradients and milliseconds to a training loss of 0.1, of 0.01; and the loss
# after 50 and after all iterations.
awk -F, -v middle=50 '
  function median(kind, label, level, count, i, j, t, v) {
    count = 0
    for (i in seen) if (seen[i] == label) v[++count] = ((i, kind, level) in at) ? at[i, kind, level] : 1e99
    for (i = 1; i <= count; i++) for (j = i + 1; j <= count; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
    t = (v[int((count + 1) / 2)] + v[int(count / 2) + 1]) / 2
    return t >= 1e98 ? "inf" : sprintf("%.6g", t)
  }
  $2 ~ /^[0-9]+$/ {
    i = $1 "/" $2
    if (!(i in seen)) { seen[i] = $1; if (!($1 in known)) { known[$1]; order[++labels] = $1 } }
    for (level = 0.1; level > 0.005; level /= 10) {
      key = sprintf("%g", level)
      if ($4 + 0 <= level && $4 != "nan" && !((i, "iterations", key) in at)) {
        at[i, "iterations", key] = $3; at[i, "gradients", key] = $8; at[i, "ms", key] = 1000 * $10
      }
    }
    at[i, "loss", "last"] = $4 + 0
    if ($3 <= middle) at[i, "loss", "middle"] = $4 + 0
  }
  END {
    print "solver,iterations to 0.1,gradients to 0.1,ms to 0.1,iterations to 0.01,gradients to 0.01,ms to 0.01,loss after 50,loss at the end"
    for (l = 1; l <= labels; l++) {
      s = order[l]
      print s "," median("iterations", s, "0.1") "," median("gradients", s, "0.1") "," median("ms", s, "0.1") "," \
        median("iterations", s, "0.01") "," median("gradients", s, "0.01") "," median("ms", s, "0.01") "," median("loss", s, "middle") "," median("loss", s, "last")
    }
  }' "$out/evaluation/trace.csv" "$out/minibatch/trace.csv" >"$out/table.csv"
awk -F, '
  { printf "|"; for (i = 1; i <= NF; i++) printf " %s |", (NR > 1 && i > 1 && $i != "inf" ? sprintf("%.3g", $i) : $i); print "" }
  NR == 1 { printf "|"; for (i = 1; i <= NF; i++) printf "---|"; print "" }' "$out/table.csv" >"$out/table.md"
cat "$out/tuned.csv" "$out/table.md"
awk -F, 'FNR > 1 { print $1 ": iterations to 0.1," $2; print $1 ": gradients to 0.1," $3; print $1 ": iterations to 0.01," $5; print $1 ": loss at the end," $9 }' \
  "$out/table.csv" >>"$out/measured.csv"
# of all runs of the learned rule without guard: the share with a loss of at most 0.1 at the end
awk -F, '
  $1 ~ /^learned/ && $2 ~ /^[0-9]+$/ { last[$1 "/" $2] = $4 }
  END { for (i in last) { n++; good += last[i] + 0 <= 0.1 && last[i] != "nan" }; printf "learned: share of runs below 0.1 at the end,%.4g\n", good / n }' \
  "$out/evaluation/trace.csv" >>"$out/measured.csv"
draw "$here/plot.gp" loss "iterations = $iterations; seeds = '$seeds'"
check
