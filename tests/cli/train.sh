#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# l2o-train: what it writes, and that going on equals never having stopped.
. "$(dirname "$0")/common.sh"

# The happy path.
expect 0 'trained 20 of 20 steps' l2o-train qp.yaml --out run
tidy run
for file in model.safetensors checkpoint.safetensors train.csv validation.csv config.yaml; do
  [ -s "run/$file" ] || fail "no $file"
done
[ "$(head -n 1 run/train.csv)" = step,loss,learning_rate,grad_norm,seconds ] || fail "header of train.csv"
[ "$(wc -l <run/train.csv)" -eq 21 ] || fail "train.csv has not one row a step"
grep -q '^step 10 of 20, loss ' err || fail "no plain lines of progress"
grep -q "^backward passes multiply by the problem's matrix, 48 reals" err || fail "the log does not say what is multiplied by"
expect 0 "backward passes multiply by the Hessian W'W, 36 reals, instead of by W, 4800" l2o-train qp.yaml --out tall --set problem.m=600
expect 0 '' l2o-train qp.yaml --out quiet --quiet
[ ! -s out ] && [ ! -s err ] || fail "--quiet prints"
same run/model.safetensors quiet/model.safetensors

# The resolved configuration gives the same numbers again.
expect 0 '' l2o-train run/config.yaml --out again
same run/model.safetensors again/model.safetensors
expect 0 '' l2o-train qp.yaml --out changed --set train.optimizer.lr=1e-2 --seed 3
expect 0 '' l2o-train changed/config.yaml --out changed-again
same changed/model.safetensors changed-again/model.safetensors

# Threads change nothing but the seconds.
for precision in single double; do
  for threads in 1 2; do
    expect 0 '' l2o-train qp.yaml --out $precision-$threads --precision $precision --threads $threads
    no_seconds $precision-$threads/train.csv >$precision-$threads.csv
  done
  same $precision-1/model.safetensors $precision-2/model.safetensors
  same $precision-1.csv $precision-2.csv
done
"$inspect" tensors single-1/model.safetensors | grep -q F32 || fail "a model trained in single precision is not F32"
"$inspect" tensors double-1/model.safetensors | grep -q F64 || fail "a model trained in double precision is not F64"

# 13 steps and then the other 7, in every way to move through instances and horizon.
for how in '' 'train.instances=fresh' 'train.unroll=5' 'train.optimizer.name=sgd' 'train.clip_norm=0.1'; do
  rm -rf whole parts
  expect 0 '' l2o-train qp.yaml --out whole ${how:+--set $how}
  expect 0 '' l2o-train qp.yaml --out parts ${how:+--set $how} --steps 13
  expect 0 '' l2o-train qp.yaml --out parts ${how:+--set $how} --resume --threads 1
  same whole/model.safetensors parts/model.safetensors
  same whole/checkpoint.safetensors parts/checkpoint.safetensors
  same whole/validation.csv parts/validation.csv
  no_seconds whole/train.csv >whole.csv
  no_seconds parts/train.csv >parts.csv
  same whole.csv parts.csv
done
expect 0 '' l2o-train qp.yaml --out parts --set train.clip_norm=0.1 --resume # nothing left to do
same whole/model.safetensors parts/model.safetensors

# A rule that scales a direction: a step an update, matrix and memory along the horizon; in the precision that it wants.
expect 0 'trained 16 of 16 steps' l2o-train log.yaml --out scaled
grep -q '^  precision: double' scaled/config.yaml || fail "l2o-bfgs was not trained in double precision"
grep -q '^  solver: ' scaled/config.yaml && fail "the rule does not follow the model"
"$inspect" tensors scaled/model.safetensors | grep -q F64 || fail "a model trained in double precision is not F64"
expect 0 '' l2o-train log.yaml --out scaled-single --precision single
"$inspect" tensors scaled-single/model.safetensors | grep -q F32 || fail "--precision single is not heard"
for how in 'train.loss=decrease' 'train.loss=log-gap' 'train.loss=log-gradient' 'train.regularisation=0.1' 'train.unroll=4' \
  'train.stop_gradient=none' 'train.stop_gradient=matrix' 'train.stop_gradient=direction'; do
  rm -rf whole parts
  expect 0 '' l2o-train log.yaml --out whole --set $how
  expect 0 '' l2o-train log.yaml --out parts --set $how --steps 9
  expect 0 '' l2o-train log.yaml --out parts --set $how --resume --threads 1
  same whole/model.safetensors parts/model.safetensors
  same whole/checkpoint.safetensors parts/checkpoint.safetensors
  same whole/validation.csv parts/validation.csv
done
expect 2 'train.loss: was decrease, is mean' l2o-train log.yaml --out scaled --resume --set train.loss=mean
expect 2 'train.precision: was double, is single' l2o-train log.yaml --out scaled --resume --precision single

# A rule for one matrix: made from the first instance, better than the rule that it grew from; its model says so to others.
expect 0 'trained 300 of 300 steps' l2o-train lista.yaml --out unrolled
expect 0 '' l2o-eval lista.yaml --out unrolled
[ "$("$inspect" json solvers.0.name <unrolled/summary.json)" = '"lista-cp"' ] || fail "the best is not lista-cp"
[ "$("$inspect" json solvers.1.name <unrolled/summary.json)" = '"ista"' ] || fail "ista is not beside lista-cp"
"$inspect" json solvers.0.objective_mean <unrolled/summary.json >learned
"$inspect" json solvers.1.objective_mean <unrolled/summary.json >classical
"$inspect" json solvers.0.gap_median <unrolled/summary.json >>learned
"$inspect" json solvers.1.gap_median <unrolled/summary.json >>classical
# On average 0.24 against 0.31, the median gap 0.023 against 0.26.
paste learned classical | awk '!($1 < (NR == 1 ? 0.9 : 0.3) * $2) { exit 1 }' || fail "lista-cp does not beat ista"
for how in '' 'train.unroll=4' 'train.stop_gradient=direction' 'model.kind=lista' 'model.kind=lista-cpss' 'model.kind=alista'; do
  rm -rf whole parts
  expect 0 '' l2o-train lista.yaml --out whole --steps 24 ${how:+--set $how}
  expect 0 '' l2o-train lista.yaml --out parts --steps 11 ${how:+--set $how}
  expect 0 '' l2o-train lista.yaml --out parts --steps 24 ${how:+--set $how} --resume --threads 2
  same whole/model.safetensors parts/model.safetensors
  same whole/checkpoint.safetensors parts/checkpoint.safetensors
  same whole/validation.csv parts/validation.csv
done

# Layer by layer: the number of a step tells layer and stage, so another number of steps is another training.
set -- --set train.layerwise.rounds=2 --set train.layerwise.decay=0.3 --set train.loss=solution
expect 0 'trained 48 of 48 steps' l2o-train lista.yaml --out layers "$@" --steps 48
grep -q '^step 5 of 48, layer 2, stage 2, loss ' err || fail "the progress does not name layer and stage"
awk -F, 'NR > 1 { want = 5e-3; if ($1 % 3 == 2) want *= 0.2; if ($1 % 3 == 0) want *= 0.02
  if ($3 < 0.999 * want || $3 > 1.001 * want) exit 1 }' layers/train.csv || fail "the stages do not have their rates"
expect 2 'train.steps: was 48, is 96' l2o-train lista.yaml --out layers "$@" --steps 96 --resume
expect 2 'steps (300) must be a multiple of rounds x layers x stages, 2 x 8 x 3' l2o-train lista.yaml --out new "$@"
expect 2 "must be the number of the model's layers, 8" l2o-train lista.yaml --out new "$@" --set train.horizon=9
expect 2 'is for models with layers (lista and its kin); math-l2o-gd has none' l2o-train qp.yaml --out new "$@"
set --

expect 0 '' l2o-train lista.yaml --out started --set model.init=unrolled/model.safetensors --steps 0
same unrolled/model.safetensors started/model.safetensors
rm -rf started

# Only from its own checkpoint.
expect 2 'train.optimizer.lr: was 0.001, is 0.002' l2o-train qp.yaml --out run --resume --set train.optimizer.lr=0.002
expect 2 'problem.seed: was 7, is 8' l2o-train qp.yaml --out run --resume --set problem.seed=8
expect 2 'checkpoint.safetensors' l2o-train qp.yaml --out nowhere --resume
[ ! -e nowhere ] || fail "a failed --resume made a folder"
head -c 300 run/checkpoint.safetensors >cut
cp -r run damaged
cp cut damaged/checkpoint.safetensors
expect 2 'checkpoint.safetensors' l2o-train qp.yaml --out damaged --resume
same run/model.safetensors damaged/model.safetensors

# --dump-gradient
expect 0 'gradient in g.safetensors' l2o-train qp.yaml --dump-gradient g.safetensors
"$inspect" tensors g.safetensors >tensors
grep -qF 'loss F64 []' tensors || fail "no scalar loss"
"$inspect" tensors run/model.safetensors | sed 's/^/grad./' | sort >expected
grep '^grad\.' tensors | sort >got
same expected got
loss=$("$inspect" number g.safetensors loss 0)
sed -n 2p run/train.csv | grep -qF "1,$loss," || fail "the loss of --dump-gradient is not the one of the first step"

# Start from given weights.
expect 0 '' l2o-train qp.yaml --out started --set model.init=run/model.safetensors --steps 0
same run/model.safetensors started/model.safetensors

# Steps without a finite gradient.
expect 1 '' l2o-train qp.yaml --out bad --set train.options=step=1e12 --set train.max_rejected=3 --set train.validation.instances=0
grep -q 'step 1: loss or gradient is not finite, step rejected' err || fail "the rejected step is not told"
[ -s bad/model.safetensors ] || fail "the last good weights were not saved"
