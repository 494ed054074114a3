#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# mpirun -n N: the numbers of one process, one message, one exit code, and checkpoints that any number of ranks can go on from.
. "$(dirname "$0")/common.sh"
mpirun=$3
export OMP_NUM_THREADS=1
# Open MPI as root and with more ranks than cores, in containers too.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_btl=self,vader OMPI_MCA_plm_rsh_agent=false
export OMPI_MCA_odls_base_sigkill_timeout=0 # otherwise two seconds for every exit code that is not 0

# ranks N COMMAND...: --quiet keeps mpirun's own words about exit codes away.
ranks() {
  n=$1
  shift
  timeout 60 "$mpirun" --quiet -n "$n" "$@"
}

# JSON without its times.
no_times() {
  grep -v '"seconds_per_iteration"' "$1"
}

# Relative difference of two columns at most 1e-9.
close_columns() {
  paste -d, "$1" "$2" | awk -F, -v tolerance=1e-9 '
    NR > 1 { half = NF / 2
             for (i = 1; i <= half; i++) { d = $i - $(half + i); if (d < 0) d = -d
                                           s = $i < 0 ? -$i : $i; if (d > tolerance * s + 1e-30) exit 1 } }' || fail "$1 and $2 are not close"
}

# Training: fresh instances in segments, so that an odd number of steps ends within a horizon.
how='--set train.instances=fresh --set train.unroll=4 --set train.batch=6 --set train.checkpoint_every=0'
# shellcheck disable=SC2086 # $how is words
{
  expect 0 'trained 20 of 20 steps' l2o-train qp.yaml --out alone $how
  no_seconds alone/train.csv >alone.csv
  for n in 1 2 4 7; do # more ranks than instances as well
    expect 0 'trained 20 of 20 steps' ranks $n l2o-train qp.yaml --out "n$n" $how
    [ "$(grep -c trained out)" -eq 1 ] || fail "more than one rank speaks"
    tidy "n$n"
    no_seconds "n$n/train.csv" >"n$n.csv"
    [ "$(sed -n 2p alone.csv | cut -d, -f1-3)" = "$(sed -n 2p "n$n.csv" | cut -d, -f1-3)" ] || fail "the first loss is not the same bits"
    close_columns alone.csv "n$n.csv"
    close_columns alone/validation.csv "n$n/validation.csv"
  done
  same alone/model.safetensors n1/model.safetensors
  same alone.csv n1.csv

  # 13 steps and then the rest: bit for bit by the same number of ranks, and by any other as close as the whole run.
  for n in 2 1; do
    rm -rf parts
    expect 0 '' ranks 2 l2o-train qp.yaml --out parts $how --steps 13
    expect 0 '' ranks $n l2o-train qp.yaml --out parts $how --resume
    no_seconds parts/train.csv >parts.csv
    if [ $n -eq 2 ]; then
      same n2/model.safetensors parts/model.safetensors
      same n2/checkpoint.safetensors parts/checkpoint.safetensors
      same n2.csv parts.csv
    else
      close_columns alone.csv parts.csv
    fi
  done
}
expect 0 'gradient in g4.safetensors' ranks 4 l2o-train qp.yaml --dump-gradient g4.safetensors
expect 0 '' l2o-train qp.yaml --dump-gradient g1.safetensors
[ "$("$inspect" number g1.safetensors loss 0)" = "$("$inspect" number g4.safetensors loss 0)" ] || fail "loss of --dump-gradient"

# Evaluation: all files and the table are the same bytes, but for the times.
solvers='--solver gd --solver math-l2o-gd --solver zo-avg --solver gd:step=1e12,label=wild'
if l2o-eval --list-solvers | grep -q '^  gsl-'; then
  solvers="$solvers --solver gsl-bfgs2"
fi
# shellcheck disable=SC2086 # $solvers is words
for precision in single double; do
  for n in 0 2 4 7; do
    [ $precision = double ] || [ $n -le 2 ] || continue
    at="$precision-$n"
    launch=
    [ $n -eq 0 ] || launch="ranks $n"
    mkdir "$at"
    expect 0 '' $launch l2o-eval qp.yaml --out e --model alone/model.safetensors --precision $precision --set output.trace=all \
      --dump-iterates "$at/dump.safetensors" $solvers
    awk '{ print $1, $2, $3, $4, $5, $6, $7 }' out >"$at/table" # up to the calls
    no_seconds e/trace.csv >"$at/trace.csv"
    no_times e/summary.json >"$at/summary.json"
    [ $n -eq 0 ] && continue
    for file in table trace.csv summary.json dump.safetensors; do
      same "$precision-0/$file" "$at/$file"
    done
  done
done

# A sweep, too.
for n in 0 2; do
  launch=
  [ $n -eq 0 ] || launch="ranks $n"
  expect 0 'by problem.shift.start' $launch l2o-eval qp.yaml --out "sweep$n" --model alone/model.safetensors --sweep problem.shift.start=-10,0,10
  cp out "sweep$n/table"
done
same sweep0/table sweep2/table
same sweep0/sweep.csv sweep2/sweep.csv
no_times sweep0/problem.shift.start=10/summary.json >one
no_times sweep2/problem.shift.start=10/summary.json >two
same one two
expect 2 '--sweep problem.n: found x, expected an integer' ranks 2 l2o-eval qp.yaml --out new --sweep problem.n=8,x
[ "$(wc -l <err)" -eq 1 ] || fail "more than one message"

# Mistakes: one sentence, whoever makes them, the exit code of one process, nothing half-written.
expect 2 'did you mean train.steps?' ranks 4 l2o-train qp.yaml --out new --set train.stpes=3
[ "$(wc -l <err)" -eq 1 ] || fail "more than one message"
expect 2 'has another command line than rank 0' "$mpirun" --quiet -n 1 l2o-train qp.yaml --out new : -n 2 l2o-train qp.yaml --out other
expect 2 'by the launcher of another MPI' env PMI_SIZE=4 PMI_RANK=0 l2o-train qp.yaml --out new
header='{"W":{"dtype":"F64","shape":[2,1,2],"data_offsets":[0,32]},"Y":{"dtype":"F64","shape":[2,1],"data_offsets":[32,48]}}'
tensor_file nan.safetensors "$header" "$ONE$ZERO$ONE$NOT_A_NUMBER$ONE$ONE"
expect 2 'nan.safetensors' ranks 2 l2o-eval qp.yaml --solver gd --set eval.problem.file=nan.safetensors --set eval.problem.family=qp --instances 2
# A file of instances that is another one for rank 1: each rank has a folder of its own here.
two='{"W":{"dtype":"F64","shape":[2,1,1],"data_offsets":[0,16]},"Y":{"dtype":"F64","shape":[2,1],"data_offsets":[16,32]}}'
three='{"W":{"dtype":"F64","shape":[3,1,1],"data_offsets":[0,24]},"Y":{"dtype":"F64","shape":[3,1],"data_offsets":[24,48]}}'
mkdir here0 here1
tensor_file here0/rows.safetensors "$two" "$ONE$ONE$ONE$ONE"
tensor_file here1/rows.safetensors "$three" "$ONE$ONE$ONE$ONE$ONE$ONE"
echo 'problem: {family: qp, file: rows.safetensors}' >here0/rows.yaml
cp here0/rows.yaml here1
# shellcheck disable=SC2016 # for the ranks to expand
expect 2 'different numbers of instances' ranks 2 sh -c 'cd "here$OMPI_COMM_WORLD_RANK" && exec l2o-eval rows.yaml --solver gd'
: >file
expect 1 'file' ranks 2 l2o-train qp.yaml --out file/below
[ "$(wc -l <err)" -eq 1 ] || fail "more than one message"
expect 1 'the last good weights are in bad/model.safetensors' ranks 2 l2o-train qp.yaml --out bad --set train.options=step=1e12 \
  --set train.max_rejected=3 --set train.validation.instances=0
[ ! -e new ] && [ ! -e other ] || fail "a folder was made for nothing"

# A signal that mpirun hands on: every rank finishes the step, rank 0 saves.
"$mpirun" --quiet -n 2 l2o-train qp.yaml --out stopped --steps 100000000 --set train.validation.instances=0 >out 2>err &
child=$!
wait_for test -s stopped/train.csv.part
sleep 0.2
kill -USR1 $child
code=0
wait $child || code=$?
[ $code -eq 130 ] || fail "exit code $code, expected 130"
grep -q 'with --resume goes on' out || fail "the way to go on is not told"
tidy stopped
steps=$(($(tail -n 1 stopped/train.csv | cut -d, -f1) + 9))
expect 0 "trained $steps of $steps" ranks 2 l2o-train qp.yaml --out stopped --steps $steps --resume --set train.validation.instances=0
