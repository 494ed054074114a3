#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Shifted problems in both commands, and l2o-eval --sweep: folders, table, CSV, JSON, figure.
. "$(dirname "$0")/common.sh"
cat >lasso.yaml <<'END'
problem: {family: lasso, n: 30, m: 15, sparsity: 4, l1: 0.1, instances: 4, seed: 7}
eval: {iterations: 60, solvers: [ista, fista], tolerances: [1e-2, 1e-6]}
END

# column NUMBER FILE [KEY=VALUE of column 1]: cells of a CSV.
column() {
  awk -F, -v n="$1" -v only="${3-}" 'NR > 1 && (only == "" || $1 == only) { print $n }' "$2"
}

# A shift of the start and one of the function are the same run in x + t, to rounding: the same objectives.
expect 0 'shifted: from x_0 + 10' l2o-eval lasso.yaml --out start --set problem.shift.start=10
expect 0 'shifted: F(x + 10)' l2o-eval lasso.yaml --out function --set problem.shift.function=10
expect 0 'shifted: from x_0 + 10; F(x - 10)' l2o-eval lasso.yaml --out both --set problem.shift.start=10 --set problem.shift.function=-10
expect 0 '' l2o-eval lasso.yaml --out plain
! grep -q shifted out || fail "a note where nothing is shifted"
close() { # column 4 of two files: the objectives
  paste -d, "$1" "$2" | awk -F, 'NR > 1 { d = $4 - $(4 + NF / 2); if (d < 0) d = -d; if (d > 1e-9 * $4) exit 1 }' || fail "$1 and $2 differ"
}
close start/trace.csv function/trace.csv
close both/trace.csv plain/trace.csv
cmp -s start/trace.csv plain/trace.csv && fail "the shift does nothing"
# From the resolved configuration, and overridden in the evaluation alone.
grep -q 'start: 10' start/config.yaml || fail "config.yaml without the shift"
expect 0 '' l2o-eval start/config.yaml --out again
no_seconds start/trace.csv >one
no_seconds again/trace.csv >two
same one two
expect 0 '' l2o-eval lasso.yaml --out override --set problem.shift.start=3 --set eval.problem.shift.start=10
no_seconds override/trace.csv >two
same one two
# The published prox ends elsewhere.
expect 0 'with the published prox' l2o-eval lasso.yaml --out published --set problem.shift.function=10 --set problem.shift.prox=published
"$inspect" json solvers.0.gap_median <published/summary.json | awk '{ exit !($1 > 0.1) }' || fail "the published prox finds the minimum"
# In single precision, with instances from a file and from data.
expect 0 'shifted' l2o-eval lasso.yaml --precision single --set problem.shift.function=-5 --out single
header='{"W":{"dtype":"F64","shape":[1,1,2],"data_offsets":[0,16]},"Y":{"dtype":"F64","shape":[1,1],"data_offsets":[16,24]}}'
tensor_file rows.safetensors "$header" "$ONE$ONE$ONE"
echo 'problem: {family: lasso, file: rows.safetensors}' >file.yaml
expect 0 'shifted: from x_0 + 3' l2o-eval file.yaml --solver ista --set eval.problem.shift.start=3
printf -- '-1 1:0.5 2:1\n1 1:2 2:-1\n1 1:1 2:1\n' >rows.libsvm
echo 'problem: {family: logistic, data: rows.libsvm, l1: 0.1}' >data.yaml
expect 0 'shifted: F(x + 2)' l2o-eval data.yaml --solver fista --set problem.shift.function=2
# Training on shifted instances: other numbers, and a checkpoint that knows the shift.
expect 0 '' l2o-train qp.yaml --out trained --quiet --set problem.shift.start=5
expect 0 '' l2o-train qp.yaml --out plainly --quiet
cmp -s trained/train.csv plainly/train.csv && fail "training does not know the shift"
expect 2 'problem.shift.start: was 5, is 0' l2o-train qp.yaml --out trained --resume --steps 30

# A sweep: a folder for each value, as if it had been evaluated alone; the table; sweep.csv.
expect 0 'median of the final gap (f - f*)/|f*| by problem.shift.start' \
  l2o-eval lasso.yaml --out swept --sweep problem.shift.start=-10,0,10
tidy swept
[ "$(awk 'length > 110' out | wc -l)" -eq 0 ] || fail "the table is too wide"
[ "$(awk '$1 == "solver" || $1 == "ista" || $1 == "fista" { print $1, NF }' out | tr '\n' ' ')" = 'solver 4 ista 4 fista 4 ' ] ||
  fail "rows and columns of the table"
[ "$(awk '$1 == "solver" { print $2, $3, $4 }' out)" = '-10 0 10' ] || fail "columns in the order given"
header=value,solver,gap_median,gap_mean,objective_median,objective_mean,iterations_to_1e-2,iterations_to_1e-6,missed
[ "$(head -n 1 swept/sweep.csv)" = $header ] || fail "header of sweep.csv"
[ "$(column 1 swept/sweep.csv | tr '\n' ' ')" = '-10 -10 0 0 10 10 ' ] || fail "values in sweep.csv"
[ "$(column 2 swept/sweep.csv | tr '\n' ' ')" = 'ista fista ista fista ista fista ' ] || fail "solvers in sweep.csv"
no_seconds swept/problem.shift.start=10/trace.csv >two
same one two
for i in 0 1; do
  name=$("$inspect" json solvers.$i.name <swept/problem.shift.start=10/summary.json | tr -d '"')
  gap=$("$inspect" json solvers.$i.gap_median <swept/problem.shift.start=10/summary.json)
  awk -F, -v name="$name" -v gap="$gap" '$1 == 10 && $2 == name { d = $3 - gap; if (d < 0) d = -d; found = d <= 1e-12 * gap } END { exit !found }' \
    swept/sweep.csv || fail "sweep.csv and summary.json differ in $name"
done
[ "$("$inspect" json sweep.value <swept/problem.shift.start=10/summary.json)" = '"10"' ] || fail "the value in summary.json"
# Each folder can be evaluated again by its own config.yaml.
cp swept/problem.shift.start=-10/trace.csv before.csv
expect 0 'shifted: from x_0 - 10' l2o-eval swept/problem.shift.start=-10/config.yaml
no_seconds before.csv >one
no_seconds swept/problem.shift.start=-10/trace.csv >two
same one two

# Without a folder; lists as JSON; quiet.
expect 0 'by problem.l1' l2o-eval lasso.yaml --sweep problem.l1=0.05,0.1
expect 0 '' l2o-eval lasso.yaml --json --sweep problem.n=20,30,40
"$inspect" json <out || fail "--json of a sweep"
[ "$("$inspect" json 2.problem.n <out)" = 40 ] && [ "$("$inspect" json 1.sweep.value <out)" = '"30"' ] || fail "a list of summaries"
expect 0 '' l2o-eval lasso.yaml --quiet --sweep problem.n=20,30
[ ! -s out ] && [ ! -s err ] || fail "--quiet prints"
# Words and folders: a value need be no number, and may hold slashes and commas.
mkdir deep
cp rows.safetensors deep
expect 0 '' l2o-eval file.yaml --solver ista --out files --sweep problem.file=rows.safetensors,deep/rows.safetensors
[ -s files/problem.file=deep_rows.safetensors/summary.json ] || fail "a value with a slash"
expect 0 '' l2o-eval qp.yaml --solver gd --out words --sweep eval.gap=relative,absolute
[ "$(column 1 words/sweep.csv | tr '\n' ' ')" = 'relative absolute ' ] || fail "values that are words"
# A learned rule takes the model in the folder of the sweep.
expect 0 'math-l2o-gd' l2o-eval qp.yaml --out plainly --sweep problem.shift.start=0,20
[ "$(column 2 plainly/sweep.csv 20 | tr '\n' ' ')" = 'gd nesterov math-l2o-gd ' ] || fail "a learned rule in a sweep"
# Solvers that diverge, and gradients to reach.
expect 0 '' l2o-eval qp.yaml --out wild --solver gd:step=1e12,label=wild --solver gd --gradient-tolerance 1e-30 --iterations 60 --sweep problem.n=6,8
[ "$(column 9 wild/sweep.csv | tr '\n' ' ')" = '5 5 5 5 ' ] || fail "missed"
[ "$(column 7 wild/sweep.csv 6 | head -n 1)" = inf ] || fail "a gap that is never reached"
# Where there is no gap, the objective.
expect 0 'median of the final objective f by' l2o-eval qp.yaml --out none --solver gd \
  --set problem.family=logistic --set problem.m=3 --set problem.l2=0 --sweep problem.shift.start=0,1
[ "$(column 3 none/sweep.csv | tr -d '\n')" = '' ] || fail "a gap without a minimum"

# What is maximised is shown as such; sweep.csv keeps the objective.
printf 'problem: {family: sum-rate, cells: 2, users: 2, tx: 3, rx: 2}\n' >rates.yaml
expect 0 'median of the final rate in bit/s/Hz by problem.snr_db' l2o-eval rates.yaml --instances 3 --iterations 20 --solver fastfp --solver wmmse \
  --out rates --sweep problem.snr_db=0,10
for place in 0=2 10=3; do
  shown=$(awk -v column="${place#*=}" '$1 == "wmmse" { print $column }' out)
  objective=$(awk -F, -v value="${place%=*}" '$1 == value && $2 == "wmmse" { print $5 }' rates/sweep.csv)
  echo "$shown $objective" | awk '{ exit !($1 > 0 && $1 == sprintf("%.4g", -$2)) }' || fail "rate $shown, objective $objective"
done

# The figure, and life without gnuplot.
if command -v gnuplot >/dev/null; then
  for values in -10,0,10 1,10,100 5,6,8; do
    expect 0 '' l2o-eval lasso.yaml --out figure --plot --sweep "problem.shift.start=$values"
    tidy figure
    head -c 4 figure/sweep.png | grep -q PNG || fail "sweep.png"
    grep -q '</svg>' figure/sweep.svg || fail "sweep.svg"
    rm figure/sweep.png figure/sweep.svg
  done
  [ -s figure/problem.shift.start=-10/convergence.svg ] || fail "the convergence at a value"
  expect 0 '' l2o-eval rates.yaml --instances 3 --iterations 5 --solver fastfp --out figure --plot --sweep problem.snr_db=0,10
  grep -q 'final rate in bit/s/Hz (median, 10-90 % band)' figure/sweep.gp || fail "the axis of what is maximised"
  awk '/^\$curve0/ { within = 1; next } /^END/ { within = 0 } within { rows++; if (!(0 < $2 && $2 <= $3 && $3 <= $4)) exit 1 } END { exit rows != 2 }' \
    figure/sweep.gp || fail "the band of what is maximised"
fi
expect 0 'gnuplot is not installed' env PATH="$1" l2o-eval lasso.yaml --out bare --plot --sweep problem.shift.start=0,1
[ "$(wc -l <err)" -eq 1 ] || fail "more than one word about gnuplot"
[ -s bare/sweep.csv ] && [ ! -e bare/sweep.svg ] || fail "without gnuplot"
