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

# Models that are made for one matrix, where they do not belong.
expect 0 '' l2o-train lista.yaml --quiet --out lista --steps 1
expect 2 'lista-cp: this model was made for another matrix A: they differ by' l2o-eval lista.yaml --out lista --set eval.problem.dictionary_seed=2
expect 0 '' l2o-eval lista.yaml --out lista --set eval.problem.dictionary_seed=2 --solver lista-cp:matrix=any
expect 2 'lista-cp: this model was made for another matrix A' l2o-train lista.yaml --out new --set problem.matrix=fresh
expect 2 'lista-cp: this model was made for another matrix A' \
  l2o-train lista.yaml --out new --set model.init=lista/model.safetensors --set problem.dictionary_seed=2
expect 2 "lista-cp: this model is for a matrix (12, 24), that of problem 'lasso' is (13, 24)" \
  l2o-eval lista.yaml --out lista --set eval.problem.m=13
expect 2 "lista-cp: this model is for a matrix (12, 24), that of problem 'lasso' is (12, 25)" \
  l2o-eval lista.yaml --out lista --set eval.problem.n=25
expect 2 "the problem's matrix is (m, n) = (12, 24), the model is for m = 13, n = 24" l2o-train lista.yaml --out new --set model.m=13
expect 2 "the problem's matrix is (m, n) = (12, 24), the model is for m = 12, n = 25" l2o-train lista.yaml --out new --set model.n=25
for kind in lista-cpss alista; do
  for key in p p_max; do
    for share in -0.5 101; do
      expect 2 "model.$key: found $share, expected a number from 0 to 100" \
        l2o-train lista.yaml --out new --set model.kind=$kind --set model.$key=$share
    done
  done
done
expect 0 '' l2o-train lista.yaml --quiet --out only-lista --steps 1 --set model.kind=lista
expect 2 "lista reads the matrix of 1/2 |A x - y|^2; problem 'logistic' has none; try ista" \
  l2o-eval log.yaml --model only-lista/model.safetensors --solver lista
printf 'problem: {family: logistic, n: 24, m: 12, instances: 2}\nmodel: {kind: lista, m: 12, n: 24}\n' >unrolled-log.yaml
expect 2 "lista is made from the matrix of 1/2 |A x - y|^2; problem 'logistic' has none" l2o-train unrolled-log.yaml --out new

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

MINUS_ONE='\000\000\000\000\000\000\360\277'
header='{"W":{"dtype":"F64","shape":[1,1,2],"data_offsets":[0,16]},"Y":{"dtype":"F64","shape":[1,1],"data_offsets":[16,24]},"rho":{"dtype":"F64","shape":[1],"data_offsets":[24,32]}}'
tensor_file rho.safetensors "$header" "$ONE$ONE$ONE$MINUS_ONE"
expect 2 "rho.safetensors: 'rho' of instance 0 is -1; expected 0 or more" \
  l2o-eval qp.yaml --solver ista --set eval.problem.file=rho.safetensors --set eval.problem.family=lasso --instances 1
tensor_file atom.safetensors "$header" "$ONE$ZERO$ONE$ONE"
expect 2 "atom.safetensors: column 1 of 'W' of instance 0 is zero; expected a dictionary without such" \
  l2o-eval qp.yaml --solver ista --set eval.problem.file=atom.safetensors --set eval.problem.family=lasso --instances 1
expect 2 "column 1 of 'W' of instance 0 is zero" l2o-train qp.yaml --out new --set problem.file=atom.safetensors --set problem.family=lasso
header='{"A":{"dtype":"F64","shape":[2,1],"data_offsets":[0,16]},"b":{"dtype":"F64","shape":[1,2],"data_offsets":[16,32]}}'
tensor_file labels.safetensors "$header" "$ONE$ONE$ONE$MINUS_ONE"
expect 0 'n = 1' l2o-eval log.yaml --solver gd --set eval.problem.file=labels.safetensors --instances 1
tensor_file label.safetensors "$header" "$ONE$ONE$ONE$ZERO"
expect 2 "label.safetensors: 'b' of instance 0, row 1 is 0; expected one of two labels, -1 or 1" \
  l2o-eval log.yaml --solver gd --set eval.problem.file=label.safetensors --instances 1
expect 2 "row 1 is 0; expected one of two labels" l2o-train log.yaml --out new --set problem.file=label.safetensors

# Data and weights that do not suit.
printf '1 1:2\n2 1:3\n3 1:4\n' >three.libsvm
expect 2 'three.libsvm has 3 distinct labels, expected 2' \
  l2o-eval log.yaml --solver gd --set eval.problem.data=three.libsvm --set eval.problem.n=1 --set eval.problem.m=3
expect 2 'l1: found -1, expected a number from 0' l2o-eval qp.yaml --solver ista --set eval.problem.family=lasso --set eval.problem.l1=-1

# Evaluation on the training data, by accident and on purpose.
expect 2 'holds the instances to train on' l2o-eval qp.yaml --solver gd --set problem.file=good.safetensors --instances 1
expect 0 'TRAINING' l2o-eval qp.yaml --solver gd --set problem.file=good.safetensors --instances train

# Shifts.
printf 'problem: {family: lasso, n: 20, m: 10, sparsity: 3, instances: 2}\n' >lasso.yaml
expect 2 'problem.shift.start: found far, expected a number' l2o-eval lasso.yaml --solver ista --set problem.shift.start=far
expect 2 'one of correct, published' l2o-eval lasso.yaml --solver ista --set problem.shift.prox=right
expect 2 'did you mean problem.shift.function?' l2o-eval lasso.yaml --solver ista --set problem.shift.fucntion=1
expect 2 'expected keys below it: start, function, prox' l2o-eval lasso.yaml --solver ista --set problem.shift=10
expect 2 'shift of the start by 1e+300: a shift larger than the data makes sense of' \
  l2o-eval lasso.yaml --solver ista --set problem.shift.start=1e300 --out new
expect 2 'a shift larger than the data makes sense of' \
  l2o-eval lasso.yaml --solver ista --set eval.problem.shift.function=-1e7 --precision single --out new
expect 0 '' l2o-eval lasso.yaml --solver ista --set problem.shift.function=-1e7
expect 2 "problem 'qp' has no such term" l2o-eval qp.yaml --solver gd --set problem.shift.prox=published --set problem.shift.function=1
expect 2 'a shift larger than the data makes sense of' l2o-train qp.yaml --out new --set problem.shift.start=1e300

# Sweeps: what is wrong with any of the values is told before anything is written.
expect 2 '--sweep problem.n: expected KEY=V1,V2,...' l2o-eval qp.yaml --out new --solver gd --sweep problem.n
expect 2 '--sweep =3: expected KEY=V1,V2,...' l2o-eval qp.yaml --out new --solver gd --sweep =3
expect 2 '--sweep problem.n=: no values' l2o-eval qp.yaml --out new --solver gd --sweep problem.n=
expect 2 'value 2 is empty' l2o-eval qp.yaml --out new --solver gd --sweep problem.n=8,,9
expect 2 '8 and 8.0 are the same value' l2o-eval qp.yaml --out new --solver gd --sweep problem.n=8,9,8.0
expect 2 '--sweep problem.nn: unknown key' l2o-eval qp.yaml --out new --solver gd --sweep problem.nn=8,9
expect 2 '--sweep problem.n: found many, expected an integer' l2o-eval qp.yaml --out new --solver gd --sweep problem.n=8,many
expect 2 '--sweep problem.n: found 0, expected an integer' l2o-eval qp.yaml --out new --solver gd --sweep problem.n=8,0
expect 2 'a shift larger than the data makes sense of' l2o-eval qp.yaml --out new --solver gd --sweep problem.shift.start=1,1e300
expect 2 '--sweep problem.shift: found a single value' l2o-eval qp.yaml --out new --solver gd --sweep problem.shift=1,2
expect 2 'says where results go' l2o-eval qp.yaml --out new --solver gd --sweep output.dir=a,b
expect 2 'is a list' l2o-eval qp.yaml --out new --sweep eval.solvers=gd,nesterov
expect 2 '--sweep given twice' l2o-eval qp.yaml --out new --solver gd --sweep problem.n=8,9 --sweep problem.m=5,6
expect 2 'does not go with --dump-iterates' l2o-eval qp.yaml --out new --solver gd --sweep problem.n=8,9 --dump-iterates x.safetensors
expect 2 'does not go with --dump-instances' l2o-eval qp.yaml --out new --solver gd --sweep problem.n=8,9 --dump-instances x.safetensors
expect 2 'has no instance files' l2o-eval qp.yaml --out new --solver gd --set problem.family=log-sum-exp --dump-instances x.safetensors
expect 2 'shifted instances have no files' l2o-eval qp.yaml --out new --solver gd --set problem.shift.start=1 --dump-instances x.safetensors
expect 2 '--dump-instances belongs to l2o-eval' l2o-train qp.yaml --out new --dump-instances x.safetensors
expect 2 '--plot needs --out DIR' l2o-eval qp.yaml --plot --solver gd --sweep problem.n=8,9
expect 2 '--sweep belongs to l2o-eval' l2o-train qp.yaml --out new --sweep problem.n=8,9

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
expect 1 'none/x' l2o-eval qp.yaml --solver gd --dump-instances none/x
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
