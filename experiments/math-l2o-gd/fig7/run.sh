#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"

rounds=50
layers=100
instances=128
updates=400
set --
if [ "$size" = small ]; then
  rounds=40
  layers=20
  instances=64
  updates=20
  set -- --set problem.n=16 --set problem.m=12 --set problem.instances=$instances --set train.horizon=$layers --set eval.iterations=$layers
fi
config=$here/ours.yaml
train ours "$@" --steps $((updates + 1))
config=$here/config.yaml
if [ "$size" = small ]; then
  set -- "$@" --set model.n=16 --set model.m=12 --set model.layers=$layers --set train.layerwise.rounds=$rounds --set train.optimizer.lr=3e-3
fi
train lista "$@" --steps $((3 * layers * rounds))

echo 'evaluate the trained rules'
for set in train unseen; do
  if [ $set = train ]; then count=train; else count=$instances; fi
  l2o-eval "$config" --out "$out/$set" --quiet "$@" --instances $count --solver gd --solver "math-l2o-gd:model=$out/ours/model.safetensors,label=ours" \
    --solver "lista-cpss:model=$out/lista/model.safetensors,matrix=any,label=lista"
done
start=$(objective train gd 0 "$instances")
descent=$(objective train gd $layers "$instances")
# F after the last layer: at the end of every round, and after every update of math-l2o-gd; before the first round W = 0, almost
awk -F, -v every=$((3 * layers)) -v start="$start" 'BEGIN { print "updates,objective"; print "1," start }
  NR > 1 && $1 % every == 0 { print $1 "," $2 }' "$out/lista/train.csv" >"$out/rounds.csv"
awk -F, 'BEGIN { print "updates,objective" } NR > 2 { print $1 - 1 "," $2 }' "$out/ours/train.csv" >"$out/updates.csv"

measure 'gradient descent: F(x_K) / F(x_0)' "$(ratio "$descent" "$start")"
measure 'math-l2o-gd / gradient descent' "$(ratio "$(loss ours $updates)" "$descent")"
measure 'LISTA-CPSS after training: F(x_K) / F(x_0)' "$(ratio "$(objective train lista $layers "$instances")" "$start")"
measure 'the same on unseen instances' "$(ratio "$(objective unseen lista $layers "$instances")" "$(objective unseen gd 0 "$instances")")"
measure 'LISTA-CPSS / gradient descent' "$(ratio "$(objective train lista $layers "$instances")" "$descent")"
measure 'LISTA-CPSS last round / first round' "$(ratio "$(awk -F, 'END { print $2 }' "$out/rounds.csv")" "$(awk -F, 'NR == 3 { print $2 }' "$out/rounds.csv")")"
draw "$here/plot.gp" fig7 "descent = $descent; layers = $layers; last = $((3 * layers * rounds))"
check
