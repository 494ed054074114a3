#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Bad input: one clear sentence, the right exit code, nothing half-written.
. "$(dirname "$0")/common.sh"
l2o-train qp.yaml --out run --quiet
model=run/model.safetensors

# Words that do not exist.
expect 2 "did you mean 'gd'?" l2o-eval qp.yaml --solver gdd
expect 2 "did you mean 'step'?" l2o-eval qp.yaml --solver gd:stpe=1
expect 2 'did you mean train.steps?' l2o-train qp.yaml --out new --set train.stpes=3
expect 2 'did you mean --out?' l2o-train qp.yaml --oot new
expect 2 '' l2o-train
expect 2 'nowhere.yaml' l2o-eval nowhere.yaml

# Labels, models and solvers that do not go together.
expect 2 "two solvers are labelled 'gd'" l2o-eval qp.yaml --solver gd --solver gd:step=0.1
expect 0 '' l2o-eval qp.yaml --solver gd --solver gd:step=0.1,label=slow
expect 2 'needs a model' l2o-eval qp.yaml --solver math-l2o-gd
expect 2 'there is no empty/model.safetensors' l2o-eval qp.yaml --solver math-l2o-gd --out empty
[ ! -e empty ] || fail "a folder was made for nothing"
expect 2 'takes no model' l2o-eval qp.yaml --solver gd:model=$model
expect 2 'needs one of kind math-l2o-nesterov' l2o-eval qp.yaml --solver math-l2o-nesterov:model=$model
expect 2 'gd is not a learned rule' l2o-train qp.yaml --out new --set train.solver=gd
printf 'problem: {family: qp}\n' >bare.yaml
expect 2 'no section model' l2o-train bare.yaml --out new
expect 2 'Give --out DIR' l2o-train qp.yaml
expect 2 '--plot needs --out DIR' l2o-eval qp.yaml --plot --solver gd

# Losses and truncation.
expect 2 'the loss decrease is for rules that multiply a direction of descent by factors; math-l2o-gd does not' \
  l2o-train qp.yaml --out new --set train.loss=decrease
expect 2 'regularisation is for rules' l2o-train qp.yaml --out new --set train.regularisation=0.1
expect 2 'training needs guard=off' l2o-train log.yaml --out new --set train.options=guard=descent
expect 2 "log-gap needs the minimum of problem 'logistic', which is not known" \
  l2o-train log.yaml --out new --set train.loss=log-gap --set problem.m=4 --set problem.l2=0
expect 2 'one of last, mean, weighted, decrease, log-gap, log-gradient' l2o-train log.yaml --out new --set train.loss=gap
expect 2 'one of features, none, matrix, direction' l2o-train log.yaml --out new --set train.stop_gradient=all
expect 2 'train.regularisation' l2o-train log.yaml --out new --set train.regularisation=-1
expect 2 'found 7, expected at most train.horizon, which is 6' l2o-train log.yaml --out new --set train.unroll=7

# Model files.
expect 2 'none.safetensors' l2o-eval qp.yaml --model none.safetensors
head -c 100 $model >cut.safetensors
expect 2 'cut.safetensors' l2o-eval qp.yaml --model cut.safetensors
size=$(wc -c <$model)
head -c $((size - 8)) $model >short.safetensors
expect 2 'short.safetensors' l2o-eval qp.yaml --model short.safetensors
printf '\377\377\377\377\377\377\377\177{}' >huge.safetensors
expect 2 'huge.safetensors' l2o-eval qp.yaml --model huge.safetensors
: >empty.safetensors
expect 2 'empty.safetensors' l2o-eval qp.yaml --model empty.safetensors
expect 2 'qp.yaml' l2o-eval qp.yaml --model qp.yaml
expect 2 'run' l2o-eval qp.yaml --model run

expect 2 'hidden=12, but run/model.safetensors holds a model with hidden=16' l2o-train qp.yaml --out new --set "model.init=$model" --set model.hidden=12
cat >steps.yaml <<'EOF'
problem: {family: logistic, n: 4, m: 20, instances: 2}
model: {kind: bfgs-lstm, hidden: 6}
train: {steps: 1, horizon: 4, unroll: 2}
EOF
expect 0 '' l2o-train steps.yaml --quiet --out steps
expect 2 'features=linear+log, but steps/model.safetensors holds a model with features=linear' \
  l2o-train steps.yaml --out new --set model.init=steps/model.safetensors --set model.features=linear+log
expect 2 'steps/model.safetensors holds a model of kind bfgs-lstm, the config says math-l2o-gd' \
  l2o-train qp.yaml --out new --set model.init=steps/model.safetensors

# Instance files.
header='{"W":{"dtype":"F64","shape":[1,1,2],"data_offsets":[0,16]},"Y":{"dtype":"F64","shape":[1,1],"data_offsets":[16,24]}}'
tensor_file good.safetensors "$header" "$ONE$ZERO$ONE"
expect 0 'n = 2' l2o-eval qp.yaml --solver gd --set eval.problem.file=good.safetensors --set eval.problem.family=qp --instances 1
expect 2 'asks for 5 instances, good.safetensors has 1' l2o-eval qp.yaml --solver gd --set eval.problem.file=good.safetensors
tensor_file nan.safetensors "$header" "$ONE$NOT_A_NUMBER$ONE"
expect 2 'nan.safetensors' l2o-eval qp.yaml --solver gd --set eval.problem.file=nan.safetensors --instances 1
expect 2 'nan.safetensors' l2o-train qp.yaml --out new --set problem.file=nan.safetensors
tensor_file overlap.safetensors \
  '{"W":{"dtype":"F64","shape":[1,1,2],"data_offsets":[0,16]},"Y":{"dtype":"F64","shape":[1,1],"data_offsets":[8,16]}}' "$ONE$ONE"
expect 2 'overlap.safetensors' l2o-eval qp.yaml --solver gd --set eval.problem.file=overlap.safetensors --instances 1
tensor_file dtype.safetensors \
  '{"W":{"dtype":"F99","shape":[1,1,2],"data_offsets":[0,16]},"Y":{"dtype":"F64","shape":[1,1],"data_offsets":[16,24]}}' \
  "$ONE$ZERO$ONE"
expect 2 'dtype.safetensors' l2o-eval qp.yaml --solver gd --set eval.problem.file=dtype.safetensors --instances 1
expect 2 'none.safetensors' l2o-train qp.yaml --out new --set problem.file=none.safetensors

# Evaluation on the training data, by accident and on purpose.
expect 2 'holds the instances to train on' l2o-eval qp.yaml --solver gd --set problem.file=good.safetensors --instances 1
expect 0 'TRAINING' l2o-eval qp.yaml --solver gd --set problem.file=good.safetensors --instances train

# Sizes.
expect 2 'found 0' l2o-eval qp.yaml --instances 0 --solver gd
expect 2 '' l2o-train qp.yaml --out new --set problem.n=-3
expect 2 '' l2o-train qp.yaml --out new --set problem.n=0
[ ! -e new ] || fail "a folder was made in spite of the mistake"

# Where nothing can be written: told before the work begins.
expect 1 'qp.yaml/out' l2o-train qp.yaml --out qp.yaml/out
expect 1 'qp.yaml/out' l2o-eval qp.yaml --out qp.yaml/out --solver gd
expect 1 'not an ordinary file' l2o-eval qp.yaml --solver gd --dump-iterates .
expect 1 'none/x' l2o-eval qp.yaml --solver gd --dump-iterates none/x
expect 1 'none/x' l2o-train qp.yaml --dump-gradient none/x
if [ -w /dev/full ]; then
  full=0
  l2o-eval qp.yaml --solver gd >/dev/full 2>err || full=$?
  [ $full -eq 1 ] && grep -q 'standard output' err || fail "a full standard output"
fi
# A disk without room for the checkpoint: files end at 8 blocks of 512 bytes.
(
  trap '' XFSZ
  ulimit -f 8
  expect 1 'cannot write' l2o-train qp.yaml --out full --set model.hidden=500
) || exit 1
tidy full
[ ! -e full/model.safetensors ] && [ ! -e full/checkpoint.safetensors ] || fail "half a file on a full disk"
