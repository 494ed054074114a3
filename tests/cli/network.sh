#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Networks: trained by a rule on their weights, resumed bit for bit, started from files, compared by steps, calls and time.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

cat >net.yaml <<'END'
problem: {family: mlp, inputs: 6, width: 8, depth: 1, outputs: 3, samples: 64, instances: 2, seed: 7}
train: {solver: "adam:step=1e-2,batch=8", steps: 40, record_every: 9, checkpoint_every: 13}
eval: {iterations: 50, record_every: 20, solvers: ["adam:step=1e-2,batch=8", "mezo:step=1e-3,batch=8"]}
END

# What comes of it.
expect 0 'trained 40 of 40 steps' l2o-train net.yaml --out run
grep -q 'loss 1\.[0-9]* -> 0\.[0-9]*' out || fail "the loss does not fall"
[ "$(cut -d, -f1 run/train.csv | tr '\n' ' ')" = 'step 0 9 18 27 36 40 ' ] || fail "the rows of train.csv"
awk -F, 'NR > 1 && ($3 != 0.01 || !($4 > 0)) { exit 1 }' run/train.csv || fail "learning rate and gradient norm of train.csv"
[ -s run/checkpoint.safetensors ] || fail "no checkpoint"
tidy run
cat >expected <<'END'
layers.0.bias F32 [8]
layers.0.weight F32 [8,6]
layers.1.bias F32 [3]
layers.1.weight F32 [3,8]
END
"$inspect" tensors run/model.safetensors | tr -d ' ' | sort >got
tr -d ' ' <expected | sort >want
same want got
expect 0 '' l2o-train run/config.yaml --out again --quiet
[ ! -s out ] || fail "--quiet prints"
same run/model.safetensors again/model.safetensors
no_seconds run/train.csv >a && no_seconds again/train.csv >b && same a b
expect 0 '' l2o-train net.yaml --out other --seed 8 --set problem.seed=8
cmp -s run/model.safetensors other/model.safetensors && fail "the seed changes nothing"
expect 0 '' l2o-train net.yaml --out twice --precision double --steps 2
"$inspect" tensors twice/model.safetensors | grep -q F64 || fail "--precision double is not heard"

# Resumed: the same bits, whatever the rule remembers, and whether the break is on record or not.
for rule in adam:step=1e-2,batch=8 sgd:step=0.1,batch=8,beta=0.9 sgd:step=0.1 adam-hd:step=1e-2 lbfgs zo-avg:step=1e-3 \
  mezo:step=1e-3,batch=8 lozo:step=1e-3,batch=8 agzo:step=1e-3,batch=8; do
  rm -rf whole parts
  expect 0 '' l2o-train net.yaml --out whole --set train.solver="$rule" --steps 30
  expect 0 '' l2o-train net.yaml --out parts --set train.solver="$rule" --steps 9
  expect 0 '' l2o-train net.yaml --out parts --set train.solver="$rule" --steps 20 --resume
  expect 0 'trained 30 of 30 steps' l2o-train net.yaml --out parts --set train.solver="$rule" --steps 30 --resume
  same whole/model.safetensors parts/model.safetensors
  no_seconds whole/train.csv >a && no_seconds parts/train.csv >b && same a b
  tidy parts
done
expect 2 'train.solver: was agzo' l2o-train net.yaml --out parts --resume
expect 2 'problem.width: was 8, is 9' l2o-train run/config.yaml --resume --set problem.width=9
expect 2 'checkpoint.safetensors' l2o-train net.yaml --out nowhere --resume
[ ! -e nowhere ] || fail "a failed --resume made a folder"

# Schedules act on the step: the column, and the way.
expect 0 '' l2o-train net.yaml --out cosine --set train.schedule.name=cosine --set train.schedule.end=2e-3 --set train.record_every=10
awk -F, 'NR > 1 { want = 2e-3 + 8e-3 * (1 + cos(3.14159265358979 * ($1 ? $1 - 1 : 0) / 40)) / 2
  if ($3 < 0.9999 * want || $3 > 1.0001 * want) exit 1 }' cosine/train.csv || fail "the rates of the cosine"
cmp -s run/model.safetensors cosine/model.safetensors && fail "the schedule changes nothing"
expect 0 '' l2o-train net.yaml --out staged --set train.schedule.name=step --set train.schedule.every=20 --set train.record_every=10
[ "$(sed 1d staged/train.csv | cut -d, -f3 | cut -c1-7 | tr '\n' ' ')" = '0.01 0.01 0.01 0.001 0.001 ' ] || fail "the rates of the steps"

# Killed in the middle of a schedule: the last checkpoint goes on.
set -- --set train.schedule.name=cosine --steps 150000 --set train.checkpoint_every=5000 --set train.record_every=5000 --quiet
l2o-train net.yaml --out killed "$@" >out 2>err &
child=$!
wait_for grep -qs '^[1-9]' killed/train.csv.part
kill -KILL $child
wait $child || true
expect 0 '' l2o-train net.yaml --out killed "$@" --resume
expect 0 '' l2o-train net.yaml --out straight "$@"
same straight/model.safetensors killed/model.safetensors
no_seconds straight/train.csv >a && no_seconds killed/train.csv >b && same a b

# Ctrl-C saves and goes on.
l2o-train net.yaml --out parts2 --steps 100000000 >out 2>err &
child=$!
wait_for grep -qs '^[1-9]' parts2/train.csv.part
kill -INT $child
code=0
wait $child || code=$?
[ $code -eq 130 ] || fail "exit code $code, expected 130"
grep -q 'with --resume goes on' out || fail "the way to go on is not told"
tidy parts2
steps=$(($("$inspect" number parts2/checkpoint.safetensors step 0) + 5))
expect 0 '' l2o-train net.yaml --out parts2 --steps $steps --resume --quiet
expect 0 '' l2o-train net.yaml --out whole2 --steps $steps --quiet
same whole2/model.safetensors parts2/model.safetensors

# A rule that runs away: the last good weights are kept. One that finds a minimum ends by itself.
expect 1 'the last good weights are in bad/model.safetensors' l2o-train net.yaml --out bad --set train.solver=sgd:step=1e12
grep -q 'step [0-9]*: ' err || fail "the step is not named"
expect 0 'the rule ended by itself' l2o-train net.yaml --out short --set train.solver=bfgs --set problem.depth=0 --set problem.samples=8 \
  --steps 100000 --set train.record_every=100000
sed 1d short/train.csv | tail -n 1 | awk -F, '!($1 > 0 && $2 < 0.1) { exit 1 }' || fail "the end is not on record"

# --dump-gradient: loss and gradient at the start, by layers; without layers as one tensor.
expect 0 'gradient in g.safetensors' l2o-train net.yaml --dump-gradient g.safetensors
"$inspect" tensors g.safetensors >listed
grep -qF 'loss F64 []' listed || fail "no scalar loss"
"$inspect" tensors run/model.safetensors | sed 's/^/grad./; s/F32/F64/' | sort >want
grep '^grad\.' listed | sort >got
same want got
sed -n 2p run/train.csv | grep -qF "0,$("$inspect" number g.safetensors loss 0)," || fail "the loss of --dump-gradient"
cat >valley.yaml <<'END'
problem: {family: rosenbrock, n: 4}
train: {solver: "sgd:step=1e-3", steps: 3}
END
expect 0 '' l2o-train valley.yaml --dump-gradient g.safetensors
"$inspect" tensors g.safetensors | grep -q '^grad.x F64' || fail "no gradient of a problem without layers"

# From given weights, in training and in evaluation.
expect 0 '' l2o-train net.yaml --out started --set problem.init=run/model.safetensors --steps 0
same run/model.safetensors started/model.safetensors
expect 0 '' l2o-train started/config.yaml --out started2
same run/model.safetensors started2/model.safetensors
expect 0 '' l2o-train net.yaml --out started3 --set problem.init=run --steps 0
same run/model.safetensors started3/model.safetensors
cat >valley_run.yaml <<'END'
problem: {family: rosenbrock, n: 4, init: valley/model.safetensors}
eval: {iterations: 1, instances: 1, solvers: ["gd:step=1e-9"]}
END
expect 0 '' l2o-train valley.yaml --out valley --precision double
expect 0 '' l2o-eval valley_run.yaml --out valley_run
[ "$(sed -n 2p valley_run/trace.csv | cut -d, -f4 | cut -c1-9)" = "$(tail -n 1 valley/train.csv | cut -d, -f2 | cut -c1-9)" ] ||
  fail "an evaluation does not start where training ended"
expect 0 '' l2o-eval net.yaml --out eval --instances train --set problem.init=run/model.safetensors
grep -q '^  init: run/model.safetensors' eval/config.yaml || fail "config.yaml does not say where the instances start"
[ "$(sed -n 2p eval/trace.csv | cut -d, -f4 | cut -c1-6)" = "$(tail -n 1 run/train.csv | cut -d, -f2 | cut -c1-6)" ] ||
  fail "the training instance of an evaluation is another one"
[ "$(grep '^adam,q0.5,' eval/trace.csv | cut -d, -f3 | tr '\n' ' ')" = '0 20 40 50 ' ] || fail "the rows of trace.csv"

# Records that are far apart show what those of every iteration show.
set -- --set problem.init=run/model.safetensors --set output.trace=all
expect 0 '' l2o-eval net.yaml --out near "$@" --set eval.record_every=1
expect 0 '' l2o-eval net.yaml --out far "$@"
no_seconds near/trace.csv | awk -F, '$2 ~ /^[01]$/ && ($3 % 20 == 0 || $3 == 50)' >a
no_seconds far/trace.csv | awk -F, '$2 ~ /^[01]$/' >b
[ "$(wc -l <b)" -eq 16 ] || fail "the rows of all instances"
cut -d, -f1-5,7- a >a4 && cut -d, -f1-5,7- b >b4 && same a4 b4
grep -q '^mezo,0,20,[^,]*,,,40,0,40$' b || fail "a rule without a gradient has an empty cell, and counts its calls"
"$inspect" json solvers.0.objective_mean <near/summary.json >a
"$inspect" json solvers.0.objective_mean <far/summary.json >b
same a b
# A budget, and a time, end a run between two records: the end is in the next row, and counted as it was.
expect 0 '' l2o-eval net.yaml --out budget "$@" --budget 27
grep -q '^adam,0,40,[^,]*,,[^,]*,27,27,27,' budget/trace.csv || fail "the end of a run that its budget ended"
expect 0 'seconds' l2o-eval net.yaml --out time "$@" --time 1e-9
grep -q '^adam,0,20,[^,]*,,[^,]*,1,1,1,' time/trace.csv || fail "the end of a run that its time ended"
# A tolerance is looked at where there is a record.
cat >convex.yaml <<'END'
problem: {family: quadratic, n: 6, instances: 2, seed: 7}
eval: {iterations: 300, tolerances: [1e-3], solvers: [gd]}
END
expect 0 '' l2o-eval convex.yaml --out one
expect 0 '' l2o-eval convex.yaml --out seven --set eval.record_every=7
"$inspect" json solvers.0.iterations_to.1e-3 <one/summary.json >a
"$inspect" json solvers.0.iterations_to.1e-3 <seven/summary.json >b
awk 'NR == FNR { one = $1; next } !($1 >= one && $1 < one + 7) { exit 1 }' a b || fail "iterations to a tolerance, by records"
expect 0 '' l2o-eval convex.yaml --out axis --set eval.record_every=7 --set output.axis=calls --set output.points=5

# A published checkpoint: architecture and weights; what the config says beside it must be the same.
golden=$(cd "$here/../golden" && pwd)
cat >published.yaml <<END
problem: {family: transformer, samples: 8, length: 6, seed: 3, checkpoint: $golden/qwen3_tied}
train: {solver: "agzo:step=1e-4,batch=4", steps: 10}
eval: {iterations: 4, instances: 2, solvers: ["mezo:step=1e-4"]}
END
expect 0 '' l2o-train published.yaml --out published
expect 0 '' l2o-train published/config.yaml --out published2
same published/model.safetensors published2/model.safetensors
expect 0 'started at' l2o-eval published.yaml
expect 2 'problem.width: is 99, but the checkpoint' l2o-train published.yaml --out new --set problem.width=99
expect 2 'problem.width: is 99, but the checkpoint' l2o-eval published.yaml --set eval.problem.width=99

# Wrong use.
expect 2 "there is no solver 'adma'; did you mean 'adam'?" l2o-train net.yaml --out new --set train.solver=adma:step=1
expect 2 'math-l2o-gd is a learned rule: training it needs a section model' l2o-train net.yaml --out new --set train.solver=math-l2o-gd
expect 2 'adam needs a step size' l2o-train net.yaml --out new --set train.solver=adam
expect 2 'batch = 0: expected' l2o-train net.yaml --out new --set train.solver=mezo:step=1e-3,batch=0
expect 2 "mezo has no option 'beta9'" l2o-train net.yaml --out new --set train.solver=mezo:step=1e-3,beta9=0
expect 2 'train.solver: model= and label= are for eval.solvers' l2o-train net.yaml --out new --set train.solver=adam:step=1,label=a
expect 2 '--set train.horizon: is about training a model' l2o-train net.yaml --out new --set train.horizon=9
expect 2 '--set train.batch: is about training a model' l2o-train net.yaml --out new --set train.batch=9
expect 2 '--set train.optimizer.lr: is about training a model' l2o-train net.yaml --out new --set train.optimizer.lr=9
expect 2 '--set train.record_every: is about training a network' l2o-train qp.yaml --out new --set train.record_every=9
cat >wmmse.yaml <<'END'
problem: {family: sum-rate}
train: {solver: wmmse, steps: 3, schedule: {name: cosine}}
END
expect 2 'has no step that a schedule could change' l2o-train wmmse.yaml --out new
expect 2 'nothing to train: the config has no section model, nor a rule' l2o-train convex.yaml --out new
expect 2 'none.safetensors' l2o-train net.yaml --out new --set problem.init=none.safetensors
expect 2 'layers.0.weight' l2o-train net.yaml --out new --set problem.init=run/model.safetensors --set problem.width=9
expect 2 'none.safetensors' l2o-eval net.yaml --set eval.problem.init=none.safetensors
expect 2 'published checkpoints are for family transformer' l2o-train net.yaml --out new --set problem.checkpoint=run
expect 2 'mezo perturbs layers' l2o-eval convex.yaml --solver mezo:step=1e-3
[ ! -e new ] || fail "wrong use made a folder"
