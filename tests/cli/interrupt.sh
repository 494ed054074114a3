#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Ctrl-C finishes the step, saves and exits 130; going on then equals never having stopped.
. "$(dirname "$0")/common.sh"

l2o-train qp.yaml --out parts --steps 100000000 >out 2>err &
child=$!
wait_for test -s parts/train.csv.part
sleep 0.3
kill -INT $child
code=0
wait $child || code=$?
[ $code -eq 130 ] || fail "exit code $code, expected 130"
grep -q 'with --resume goes on' out || fail "the way to go on is not told"
tidy parts
done=$(tail -n 1 parts/train.csv | cut -d, -f1)
steps=$((done + 9))
expect 0 '' l2o-train qp.yaml --out parts --steps $steps --resume --quiet
expect 0 '' l2o-train qp.yaml --out whole --steps $steps --quiet
same whole/model.safetensors parts/model.safetensors
same whole/checkpoint.safetensors parts/checkpoint.safetensors
no_seconds whole/train.csv >whole.csv
no_seconds parts/train.csv >parts.csv
same whole.csv parts.csv

# Killed without warning: the last checkpoint is whole, and the rows behind it are forgotten.
l2o-train qp.yaml --out killed --steps 100000000 --quiet >out 2>err &
child=$!
wait_for test -s killed/checkpoint.safetensors
sleep 0.2
kill -KILL $child
wait $child || true
done=$("$inspect" number killed/checkpoint.safetensors step 0)
steps=$((done + 9))
expect 0 '' l2o-train qp.yaml --out killed --steps $steps --resume --quiet
expect 0 '' l2o-train qp.yaml --out straight --steps $steps --quiet
same straight/model.safetensors killed/model.safetensors
no_seconds straight/train.csv >straight.csv
no_seconds killed/train.csv >killed.csv
same straight.csv killed.csv

# An evaluation that is cut short reports the solvers that had finished.
l2o-eval qp.yaml --out long --solver gd --solver nesterov:step=1e-9,label=long --iterations 20 --instances 1 --quiet
l2o-eval qp.yaml --out long --solver gd --iterations 400000 --instances 60 --threads 1 --set output.trace=none >out 2>err &
child=$!
wait_for grep -q 'iterations: 400000' long/config.yaml
sleep 0.2
kill -INT $child
code=0
wait $child || code=$?
[ $code -eq 130 ] || fail "exit code $code of l2o-eval, expected 130"
grep -q interrupted err || fail "the interruption is not told"
tidy long

# A sweep that is cut short reports the values that had finished.
l2o-eval qp.yaml --out swept --solver gd --instances 60 --threads 1 --set output.trace=none \
  --sweep eval.iterations=10,20,400000 >out 2>err &
child=$!
wait_for test -s swept/eval.iterations=400000/config.yaml
sleep 0.2
kill -INT $child
code=0
wait $child || code=$?
[ $code -eq 130 ] || fail "exit code $code of a sweep, expected 130"
grep -q 'eval.iterations=400000: interrupted' err || fail "the interruption is not told"
grep -q '2 of 3 values' out || fail "the values that had finished are not shown"
[ "$(cut -d, -f1,2 swept/sweep.csv | tr '\n' ' ')" = 'value,solver 10,gd 20,gd ' ] || fail "sweep.csv of the values that had finished"
[ ! -e swept/eval.iterations=400000/summary.json ] || fail "a summary of a value that had not finished"
tidy swept
