#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# libl2o beside PyTorch on the same work, alternating in one run; prints Markdown tables. README.md tells more.
#   PYTHON=python3  a Python that has torch and safetensors     BUILD=build/benchmarks  where to build
#   ROUNDS=5  REPEATS=3 (in a round)  THREADS='1 2'  PRECISION=single|double  MODES='eager compiled' (what PyTorch does)
#   L2O_CLOCK=processor  seconds of the processor, not of the clock on the wall: THREADS=1 on a machine with much other load
#   TASKS='small large wide batch batch-wide solve iterate lstm go go-small go-solve threads'
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
build=${BUILD:-build/benchmarks}
rounds=${ROUNDS:-5}
repeats=${REPEATS:-3}
thread_counts=${THREADS:-1 2}
L2O_PRECISION=${PRECISION:-single}
modes=${MODES:-eager compiled}
tasks=${TASKS:-small large wide batch batch-wide solve iterate lstm go go-small go-solve threads}
export L2O_PRECISION
here=benchmarks/training

case $L2O_PRECISION in
single) suffix=_single library=libl2of tolerance=1e-4 bytes=4 ;;
double) suffix='' library=libl2o tolerance=1e-9 bytes=8 ;;
*)
  echo "PRECISION is single or double, not '$L2O_PRECISION'" >&2
  exit 2
  ;;
esac
for mode in $modes; do
  case $mode in
  eager | compiled) ;;
  *)
    echo "MODES are eager and compiled, not '$mode'" >&2
    exit 2
    ;;
  esac
done

versions=$("$python" $here/math_l2o_gd.py version) # says what is missing, if something is
cmake -S . -B "$build" -DL2O_BUILD_BENCHMARKS=ON -DL2O_BUILD_COMMANDS=OFF -DL2O_BUILD_TESTS=OFF --log-level=WARNING >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cmake --build "$build" --target "bench_training$suffix" "bench_lstm$suffix" >"$work/build" || {
  cat "$work/build" >&2
  exit 1
}
TORCHINDUCTOR_CACHE_DIR=$work/inductor # compilation is timed from nothing
export TORCHINDUCTOR_CACHE_DIR

# ours PROGRAM ARGUMENTS..., peer MODE PROGRAM ARGUMENTS...: PROGRAM is math_l2o_gd, go_math_l2o or lstm
ours() {
  case $1 in lstm) ours_program=bench_lstm ;; *) ours_program=bench_training ;; esac
  ours_program=$build/benchmarks/$ours_program$suffix
  shift
  "$ours_program" "$@"
}
peer() {
  peer_mode=$1
  peer_program=$2.py
  shift 2
  L2O_MODE=$peer_mode "$python" "$here/$peer_program" "$@"
}

# sorted FILE N: column N, ascending; median, least, most of it
sorted() {
  awk -v c="$2" '{print $c}' "$1" | sort -g
}
median() {
  sorted "$1" "$2" | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'
}
least() {
  sorted "$1" "$2" | head -n 1
}
most() {
  sorted "$1" "$2" | tail -n 1
}
time_of() {
  awk -v x="$1" 'BEGIN {
    if (x >= 1) printf "%.3g s", x
    else if (x >= 1e-3) printf "%.3g ms", 1e3 * x
    else printf "%.3g us", 1e6 * x}'
}

# Would the peer's activations, T N hidden numbers, fit into the memory that is free?
fits() {
  awk -v need="$(($1 * $2 * $3 * bytes / 1024))" '/^MemAvailable/ {exit !($2 > 1.1 * need)}' /proc/meminfo
}

# both_agree A B: do the two lines end at the same objective? Otherwise the times mean nothing.
both_agree() {
  echo "$1 $2" | awk -v t=$tolerance '{d = $5 - $NF; if (d < 0) d = -d; m = $5 < 0 ? -$5 : $5
    if (!(d <= t * m)) {print "objectives differ: " $5 ", " $NF; exit 1}}' >&2
}

# compare LABEL PROGRAM TASK FOLDER T MODES: one row of the table for each thread count. A round runs the peer in each mode, and ours
# between.
compare() {
  for threads in $thread_counts; do
    export OMP_NUM_THREADS="$threads"
    rm -f "$work"/rows.*
    round=0
    while [ "$round" -lt "$rounds" ]; do
      b=$(ours "$2" "$3" "$work/$4" "$5" "$threads" "$repeats")
      echo "$b" >>"$work/rows.ours"
      for mode in $6; do
        a=$(peer "$mode" "$2" "$3" "$work/$4" "$5" "$threads" "$repeats")
        both_agree "$a" "$b"
        echo "$a $b" | awk '{print $1, $2, $1 / $7, $4, $6}' >>"$work/rows.$mode"
        if [ "$mode" != "${6##* }" ]; then
          b=$(ours "$2" "$3" "$work/$4" "$5" "$threads" "$repeats")
          echo "$b" >>"$work/rows.ours"
        fi
      done
      round=$((round + 1))
    done
    printf '| %s | %d | %s |' "$1" "$threads" "$(time_of "$(median "$work/rows.ours" 1)")"
    for mode in $modes; do
      rows=$work/rows.$mode
      if [ -e "$rows" ]; then
        printf ' %s | %s |' "$(time_of "$(median "$rows" 1)")" \
          "$(echo "$(median "$rows" 3) $(least "$rows" 3) $(most "$rows" 3) $(least "$rows" 2) $(least "$work/rows.ours" 2)" |
            awk '{printf "%.3g (%.3g to %.3g); %.3g", $1, $2, $3, $4 / $5}')"
      else
        printf ' - | - |'
      fi
    done
    printf ' %.0f MB |' "$(most "$work/rows.ours" 4)"
    for mode in $modes; do
      if [ -e "$work/rows.$mode" ]; then printf ' %.0f MB |' "$(most "$work/rows.$mode" 4)"; else printf ' - |'; fi
    done
    if [ -e "$work/rows.compiled" ]; then
      printf ' %s |\n' "$(time_of "$(most "$work/rows.compiled" 5)")" # the first round's: the others find it in inductor's cache
    else
      printf ' - |\n'
    fi
  done
}

# speedup LABEL PROGRAM TASK FOLDER T: ours with two threads against one
speedup() {
  rm -f "$work/rows.threads"
  round=0
  while [ "$round" -lt "$rounds" ]; do
    a=$(OMP_NUM_THREADS=1 ours "$2" "$3" "$work/$4" "$5" 1 "$repeats")
    b=$(OMP_NUM_THREADS=2 ours "$2" "$3" "$work/$4" "$5" 2 "$repeats")
    both_agree "$a" "$b"
    echo "$a $b" | awk '{print $1, $2, $6, $7, $1 / $6}' >>"$work/rows.threads"
    round=$((round + 1))
  done
  rows=$work/rows.threads
  echo "$(median "$rows" 5) $(least "$rows" 5) $(most "$rows" 5) $(least "$rows" 2) $(least "$rows" 4)" |
    awk -v label="$1" -v one="$(time_of "$(median "$rows" 1)")" -v two="$(time_of "$(median "$rows" 3)")" \
      '{printf "| %s | %s | %s | %.2f (%.2f to %.2f) | %.2f |\n", label, one, two, $1, $2, $3, $4 / $5}'
}

# prepare PROGRAM FOLDER N M BATCH HIDDEN: the data
prepare() {
  mkdir "$work/$2"
  case $1 in go_math_l2o) prepare_rule=go-math-l2o ;; *) prepare_rule=math-l2o-gd ;; esac
  ours "$1" write "$work/$2" "$3" "$4" "$5" "$6" "$prepare_rule"
}

# agree LABEL PROGRAM FOLDER T: do both sides compute the same loss and gradients?
agree() {
  for threads in $thread_counts; do
    export OMP_NUM_THREADS="$threads"
    ours "$2" gradient "$work/$3" "$4" "$threads"
    for mode in $modes; do
      printf -- '- %s, T = %s, %s threads, %s: ' "$1" "$4" "$threads" "$mode"
      TORCHINDUCTOR_CACHE_DIR=$work/inductor-check peer "$mode" "$2" check "$work/$3" "$4" "$threads" "$tolerance"
    done
  done
}

wants() {
  case " $tasks " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

echo "$versions; $library $(sed -n 's/^project(l2o VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt); $L2O_PRECISION precision;" \
  "threads: $thread_counts; $rounds alternating rounds of at least $repeats repeats after a warm-up"
echo
echo "Agreement (at most $tolerance of the largest entry):"
echo
wide_modes=$modes batch_modes=$modes batch_wide_modes=$modes go_modes=$modes
if wants small || wants solve; then
  prepare math_l2o_gd small 32 20 32 1024
  agree '32x20, batch 32, hidden 1024' math_l2o_gd small 100
fi
if wants large; then
  prepare math_l2o_gd large 512 400 10 1024
  agree '512x400, batch 10, hidden 1024' math_l2o_gd large 100
fi
if wants wide; then
  prepare math_l2o_gd wide 512 400 10 5120
  if fits 100 5120 5120; then agree '512x400, batch 10, hidden 5120' math_l2o_gd wide 100; else wide_modes=''; fi
fi
if wants batch || wants threads; then
  prepare math_l2o_gd batch 512 400 32 1024
  if wants batch; then
    if fits 100 16384 1024; then agree '512x400, batch 32, hidden 1024' math_l2o_gd batch 100; else batch_modes=''; fi
  fi
fi
if wants batch-wide; then
  prepare math_l2o_gd batch-wide 512 400 32 5120
  if fits 100 16384 5120; then agree '512x400, batch 32, hidden 5120' math_l2o_gd batch-wide 100; else batch_wide_modes=''; fi
fi
if wants iterate; then
  prepare math_l2o_gd iterate 512 400 32 1024
  agree '512x400, batch 32, hidden 1024' math_l2o_gd iterate 5
fi
if wants lstm; then
  mkdir "$work/lstm"
  ours lstm write "$work/lstm" 32 500 20 20
  agree 'LSTM, 16000 coordinates, hidden 20' lstm lstm 20
fi
if wants go; then
  prepare go_math_l2o go 500 250 128 20
  if fits 20 64000 2000; then agree 'GO-Math-L2O, LASSO 500x250, batch 128' go_math_l2o go 20; else go_modes=''; fi
fi
if wants go-small || wants go-solve; then
  prepare go_math_l2o go-small 500 250 16 20
  agree 'GO-Math-L2O, LASSO 500x250, batch 16' go_math_l2o go-small 20
fi
if [ -z "$go_modes" ] || [ -z "$wide_modes" ] || [ -z "$batch_modes" ] || [ -z "$batch_wide_modes" ]; then
  echo
  echo "A row without PyTorch: its activations would not fit into the memory that is free."
fi
echo
heading="| work | threads | $library |" rule='|---|---|---|'
for mode in $modes; do
  heading="$heading PyTorch $mode | times faster (range); by fastest repeats |" rule="$rule---|---|"
done
heading="$heading $library memory |" rule="$rule---|"
for mode in $modes; do heading="$heading $mode memory |" rule="$rule---|"; done
echo "$heading compiling |"
echo "$rule---|"
if wants small; then compare 'training step, 32x20, batch 32, T = 100, hidden 1024' math_l2o_gd train small 100 "$modes"; fi
if wants large; then compare 'training step, 512x400, batch 10, T = 100, hidden 1024' math_l2o_gd train large 100 "$modes"; fi
if wants wide; then compare 'training step, 512x400, batch 10, T = 100, hidden 5120' math_l2o_gd train wide 100 "$wide_modes"; fi
if wants batch; then compare 'training step, 512x400, batch 32, T = 100, hidden 1024' math_l2o_gd train batch 100 "$batch_modes"; fi
if wants batch-wide; then
  compare 'training step, 512x400, batch 32, T = 100, hidden 5120' math_l2o_gd train batch-wide 100 "$batch_wide_modes"
fi
if wants solve; then compare '100 iterations on one 32x20 instance, hidden 1024' math_l2o_gd solve small 100 "$modes"; fi
if wants iterate; then compare 'one iteration of 20, 512x400, batch 32, hidden 1024' math_l2o_gd iterate iterate 20 "$modes"; fi
if wants lstm; then
  compare 'LSTM segment, 16000 coordinates (LASSO 500x250, batch 32), 2 layers, hidden 20, T = 20: network alone' lstm train lstm 20 "$modes"
fi
if wants go; then
  compare 'GO-Math-L2O, training step, LASSO 500x250, batch 128, T = 20, 2 layers, hidden 20' go_math_l2o train go 20 "$go_modes"
fi
if wants go-small; then
  compare 'GO-Math-L2O, training step, LASSO 500x250, batch 16, T = 20, 2 layers, hidden 20' go_math_l2o train go-small 20 "$modes"
fi
if wants go-solve; then
  compare 'GO-Math-L2O, 100 iterations on one instance of LASSO 500x250' go_math_l2o solve go-small 100 "$modes"
fi
if wants threads; then
  echo
  echo "| $library alone | 1 thread | 2 threads | times faster (range) | by fastest repeats |"
  echo '|---|---|---|---|---|'
  speedup 'training step, 512x400, batch 32, T = 100, hidden 1024' math_l2o_gd train batch 100
  if wants go; then speedup 'GO-Math-L2O, training step, LASSO 500x250, batch 128, T = 20' go_math_l2o train go 20; fi
  if wants lstm; then speedup 'LSTM segment, 16000 coordinates, 2 layers, hidden 20, T = 20' lstm train lstm 20; fi
fi
