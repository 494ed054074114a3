#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# l2o-eval: table, CSV, JSON, dumps and figure.
. "$(dirname "$0")/common.sh"
l2o-train qp.yaml --out run --quiet

# The happy path; the model comes from the folder.
expect 0 'qp: 5 instances, n = 8, seed 99, double precision, 15 iterations' l2o-eval qp.yaml --out run
tidy run
[ "$(awk 'length > 110' out | wc -l)" -eq 0 ] || fail "the table is too wide"
grep -q '^nesterov ' out || fail "no row for nesterov"
header=solver,instance,iteration,objective,gap,grad_norm,value_calls,gradient_calls,charged,seconds
[ "$(head -n 1 run/trace.csv)" = $header ] || fail "header of trace.csv"
# Three solvers, five quantiles and the mean, 16 iterations.
[ "$(wc -l <run/trace.csv)" -eq 289 ] || fail "rows of trace.csv"
"$inspect" json problem <run/summary.json | grep -qF '{"family":"qp","n":8,"instances":5,"seed":99' || fail "summary.json"
[ "$("$inspect" json solvers.0.stopped <run/summary.json)" = '{"iterations":5}' ] || fail "stop reasons"
"$inspect" json solvers.0.iterations_to.1e-2 <run/summary.json >/dev/null || fail "iterations_to"

# All solvers begin at the same points, and an untrained rule is gradient descent.
expect 0 '' l2o-train qp.yaml --out untrained --steps 0 --quiet
expect 0 '' l2o-eval qp.yaml --out untrained --solver gd --solver math-l2o-gd --set output.trace=all
[ "$(grep -c '^gd,[0-9]' untrained/trace.csv)" -eq 80 ] || fail "one row an instance and iteration"
grep '^gd,[0-9]*,0,' untrained/trace.csv | cut -d, -f2-6 >gd
grep '^math-l2o-gd,[0-9]*,0,' untrained/trace.csv | cut -d, -f2-6 >learned
same gd learned
expect 0 '' l2o-eval qp.yaml --out untrained --set output.trace=none --set output.dir=none --solver gd
[ ! -e none/trace.csv ] && [ -e none/summary.json ] || fail "output.trace: none"
# Three places among the 15 iterations, the start and the end, of five quantiles and the mean.
expect 0 '' l2o-eval qp.yaml --set output.points=3 --out thin --solver gd
[ "$(tail -n +2 thin/trace.csv | cut -d, -f3 | sort -n | uniq -c | awk '{ printf "%s:%s ", $2, $1 }')" = '0:6 5:6 10:6 15:6 ' ] || fail "output.points"

# JSON instead of the table; nothing but failures when quiet.
expect 0 '' l2o-eval qp.yaml --json --solver gd --solver nesterov:label=fast
"$inspect" json <out || fail "--json"
[ "$("$inspect" json solvers.0.name <out)" = '"fast"' ] || fail "best first, by label"
expect 0 '' l2o-eval qp.yaml --quiet --solver gd
[ ! -s out ] && [ ! -s err ] || fail "--quiet prints"

# The same numbers with one thread and two, in both precisions, and from the resolved configuration.
for precision in single double; do
  for threads in 1 2; do
    expect 0 "$precision precision" l2o-eval qp.yaml --out $precision-$threads --model run/model.safetensors --threads $threads \
      --precision $precision --set output.trace=all
    no_seconds $precision-$threads/trace.csv >$precision-$threads.csv
  done
  same $precision-1.csv $precision-2.csv
done
expect 0 '' l2o-eval double-1/config.yaml --out again
no_seconds again/trace.csv >again.csv
same double-1.csv again.csv

# A model trained in one precision serves in the other.
expect 0 '' l2o-train qp.yaml --out single --precision single --quiet
expect 0 '' l2o-eval qp.yaml --out single

# Dumps.
expect 0 '' l2o-eval qp.yaml --dump-iterates dump.safetensors --solver gd --solver nesterov:label=fast
"$inspect" tensors dump.safetensors | sort >got
printf '%s\n' 'fast.X F64 [16,5,8]' 'fast.objective F64 [16,5]' 'gd.X F64 [16,5,8]' 'gd.objective F64 [16,5]' >expected
same expected got

# Instances that were dumped, their minima too, give the same numbers; quadratic has no formula for them.
for family in qp quadratic lasso; do
  printf 'problem: {family: %s, n: 8%s}\n' $family "$([ $family = quadratic ] || echo ', m: 6')" >sampled.yaml
  expect 0 '' l2o-eval sampled.yaml --instances 5 --iterations 20 --out sampled --solver bfgs --dump-instances instances.safetensors
  "$inspect" tensors instances.safetensors | grep -q '^fstar F64 \[5\]' || fail "minima of $family"
  printf 'problem: {family: %s, file: instances.safetensors}\n' $family >file.yaml
  expect 0 '' l2o-eval file.yaml --iterations 20 --out file --solver bfgs
  no_seconds sampled/trace.csv >sampled.csv
  no_seconds file/trace.csv >file.csv
  same sampled.csv file.csv
done

# What is maximised is shown as such.
printf 'problem: {family: sum-rate, cells: 2, users: 2, tx: 3, rx: 2}\n' >rates.yaml
expect 0 'rate in bit/s/Hz' l2o-eval rates.yaml --instances 3 --iterations 30 --out rates --solver fastfp --solver wmmse
[ "$(awk '/^wmmse|^fastfp/ { printf "%s ", $1 }' out)" = 'wmmse fastfp ' ] || fail "the highest rate first"
[ "$("$inspect" json solvers.0.rate_mean <rates/summary.json)" = "$("$inspect" json solvers.0.objective_mean <rates/summary.json | tr -d -)" ] ||
  fail "rate_mean"

# Budgets: the run ends early and its last record is held.
expect 0 'calls' l2o-eval qp.yaml --budget 5 --solver gd --out budget --set output.trace=all
grep '^gd,0,5,' budget/trace.csv | cut -d, -f4-8 >five
grep '^gd,0,15,' budget/trace.csv | cut -d, -f4-8 >fifteen
same five fifteen
expect 0 '' l2o-eval qp.yaml --time 1000 --solver gd

# Runs that end at a gradient norm: iterations to there, who missed it, best first.
expect 0 'to |g| T: median/most iterations of a run' l2o-eval qp.yaml --gradient-tolerance 1e-3 --iterations 400 --out norm --solver gd \
  --solver bfgs --solver nesterov:step=1e-9,label=slow
[ "$(awk '/^bfgs|^gd|^slow/ { printf "%s ", $1 }' out)" = 'bfgs gd slow ' ] || fail "order by iterations to the gradient norm"
grep -q '^slow  *-  ' out || fail "a solver that never gets there"
"$inspect" json solvers.0 <norm/summary.json >bfgs
grep -q '"iterations_median":[0-9]' bfgs && grep -q '"missed":0' bfgs && grep -q '"stopped":{"gradient":5}' bfgs || fail "iterations to the gradient norm"
[ "$("$inspect" json solvers.0.iterations_max <norm/summary.json)" = "$("$inspect" json solvers.0.iterations <norm/summary.json)" ] ||
  fail "iterations_max"
[ "$("$inspect" json solvers.2.missed <norm/summary.json)" = 5 ] || fail "missed"
for key in iterations_median iterations_max seconds_median; do
  [ "$("$inspect" json solvers.2.$key <norm/summary.json)" = null ] || fail "$key of a solver that never gets there"
done
[ "$("$inspect" json gradient_tolerance <norm/summary.json)" = 0.001 ] || fail "gradient_tolerance"
# Some get there and some do not: the largest of those numbers is none.
most=$("$inspect" json solvers.1.iterations_max <norm/summary.json)
expect 0 ' missed)' l2o-eval qp.yaml --gradient-tolerance 1e-3 --iterations $((most - 1)) --solver gd
expect 0 '' l2o-eval qp.yaml --solver gd --json
! grep -q 'iterations_median\|gradient_tolerance' out || fail "no gradient tolerance, no counts"
expect 2 'expected a number of at least 0' l2o-eval qp.yaml --gradient-tolerance -1 --solver gd

# Divergence breaks neither table nor files.
expect 0 'diverged' l2o-eval qp.yaml --out wild --solver gd:step=1e12,label=wild --solver gd --iterations 60 --tolerance 1e-1,1e-3 --plot
"$inspect" json <wild/summary.json || fail "summary.json of a run that diverged"
[ "$("$inspect" json solvers.1.iterations_to.1e-3 <wild/summary.json)" = null ] || fail "a gap that was never reached"
tidy wild

# The figure, and life without gnuplot.
if command -v gnuplot >/dev/null; then
  expect 0 '' l2o-eval qp.yaml --out figure --plot --solver gd --solver nesterov
  tidy figure
  head -c 4 figure/convergence.png | grep -q PNG || fail "convergence.png"
  grep -q '</svg>' figure/convergence.svg || fail "convergence.svg"
fi
expect 0 'gnuplot is not installed' env PATH="$1" l2o-eval qp.yaml --out bare --plot --solver gd
[ -s bare/trace.csv ] && [ ! -e bare/convergence.svg ] || fail "without gnuplot"

# The training instances only when asked for.
expect 0 '' l2o-eval qp.yaml --instances train --solver gd --json
[ "$("$inspect" json problem.training_instances <out)" = true ] || fail "training instances in JSON"
expect 0 '4 TRAINING instances' l2o-eval qp.yaml --instances train --solver gd

# Guards fall back and count.
expect 0 '' l2o-eval qp.yaml --model run/model.safetensors --solver math-l2o-gd:guard=descent,label=g --json
"$inspect" json solvers.0.fallbacks <out >/dev/null || fail "fallbacks"

# GSL's minimisers, where they are built in.
if l2o-eval --list-solvers | grep -q '^  gsl-'; then
  for precision in single double; do
    expect 0 '' l2o-eval qp.yaml --json --iterations 60 --precision $precision --solver gsl-bfgs2 --solver gsl-conjugate-fr --solver gsl-nmsimplex2
    "$inspect" json solvers.0.gap_median <out | awk '{ exit !($1 < 1e-6) }' || fail "GSL does not converge"
  done
fi
