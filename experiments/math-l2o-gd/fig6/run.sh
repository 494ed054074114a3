#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"

rounds=50
layers=100
instances=32
set --
if [ "$size" = small ]; then
  rounds=40
  layers=20
  instances=16
  set -- --set problem.n=16 --set problem.m=12 --set model.n=16 --set model.m=12 --set problem.instances=$instances --set model.layers=$layers \
    --set train.horizon=$layers --set train.layerwise.rounds=$rounds --set train.optimizer.lr=3e-3 --set eval.iterations=$layers
fi
train lista "$@" --steps $((3 * layers * rounds))

# objectives NAME SOLVER: iteration and objective, summed over the instances
objectives() {
  awk -F, -v solver="$2" -v instances="$instances" 'BEGIN { print "iteration,objective" }
    $1 == solver && $2 == "mean" { printf "%d,%.8g\n", $3, $4 * instances }' "$out/$1/trace.csv" >"$out/$1-$2.csv"
}
echo 'evaluate the trained rule'
rule="lista-cpss:model=$out/lista/model.safetensors,matrix=any,label=lista"
l2o-eval "$here/config.yaml" --out "$out/trained" --quiet "$@" --instances train --solver gd --solver "$rule"
l2o-eval "$here/config.yaml" --out "$out/unseen" --quiet "$@" --instances "$instances" --solver gd --solver "$rule"
l2o-eval "$here/config.yaml" --out "$out/random" --quiet "$@" --instances "$instances" --set eval.problem.matrix=fresh --solver gd --solver "$rule"
for set in trained unseen random; do
  objectives $set gd
  objectives $set lista
done
# F after the last layer at the end of every round; before the first one W = 0, almost
awk -F, -v every=$((3 * layers)) -v start="$(objective trained gd 0 "$instances")" 'BEGIN { print "round,objective"; print "0," start }
  NR > 1 && $1 % every == 0 { print $1 / every "," $2 }' "$out/lista/train.csv" >"$out/rounds.csv"

# round R: F then
round() {
  awk -F, -v round="$1" '$1 == round { print $2 }' "$out/rounds.csv"
}

start=$(objective trained gd 0 "$instances")
measure 'gradient descent: F(x_K) / F(x_0)' "$(ratio "$(objective trained gd $layers "$instances")" "$start")"
measure 'F(x_K) / F(x_0) after 1 round' "$(ratio "$(round 1)" "$start")"
measure 'F(x_K) / F(x_0) after 10 rounds' "$(ratio "$(round 10)" "$start")"
measure 'F(x_K) last round / first round' "$(ratio "$(round $rounds)" "$(round 1)")"
measure 'F(x_K) / F(x_0) after training' "$(ratio "$(objective trained lista $layers "$instances")" "$start")"
measure 'the same on unseen y' "$(ratio "$(objective unseen lista $layers "$instances")" "$(objective unseen gd 0 "$instances")")"
measure 'the same on random A' "$(ratio "$(objective random lista $layers "$instances")" "$(objective random gd 0 "$instances")")"
draw "$here/plot.gp" fig6 "rounds = $rounds; layers = $layers"
check
