#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# libl2o beside PyTorch on the same work, alternating in one run; prints a Markdown table. README.md tells more.
#   PYTHON=python3  a Python that has torch and safetensors     BUILD=build/benchmarks  where to build
#   ROUNDS=5  REPEATS=3 (in a round)  THREADS='1 2'  PRECISION=single|double  TASKS='small large wide solve iterate'
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
build=${BUILD:-build/benchmarks}
rounds=${ROUNDS:-5}
repeats=${REPEATS:-3}
thread_counts=${THREADS:-1 2}
L2O_PRECISION=${PRECISION:-single}
tasks=${TASKS:-small large wide solve iterate}
export L2O_PRECISION
peer="$python benchmarks/training/math_l2o_gd.py"

case $L2O_PRECISION in
single) program=bench_training_single library=libl2of tolerance=1e-4 bytes=4 ;;
double) program=bench_training library=libl2o tolerance=1e-9 bytes=8 ;;
*)
  echo "PRECISION is single or double, not '$L2O_PRECISION'" >&2
  exit 2
  ;;
esac

versions=$($peer version) # says what is missing, if something is
cmake -S . -B "$build" -DL2O_BUILD_BENCHMARKS=ON -DL2O_BUILD_COMMANDS=OFF -DL2O_BUILD_TESTS=OFF --log-level=WARNING >/dev/null
cmake --build "$build" --target "$program" >/dev/null
ours=$build/benchmarks/$program
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# column N: of the rounds' numbers, ascending
column() {
  awk -v c="$1" '{print $c}' "$work/rows" | sort -g
}
middle() {
  awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'
}

# Would the peer's activations, T N hidden numbers, fit into the memory that is free?
fits() {
  awk -v need="$(($1 * $2 * $3 * bytes / 1024))" '/^MemAvailable/ {exit !($2 > 1.1 * need)}' /proc/meminfo
}

# compare LABEL TASK FOLDER T: one row of the table for each thread count
compare() {
  for threads in $thread_counts; do
    export OMP_NUM_THREADS="$threads"
    : >"$work/rows"
    round=0
    while [ "$round" -lt "$rounds" ]; do
      a=$($peer "$2" "$work/$3" "$4" "$threads" "$repeats")
      b=$("$ours" "$2" "$work/$3" "$4" "$threads" "$repeats")
      # both end at the same objective, or the times mean nothing
      echo "$a $b" | awk -v t=$tolerance '{d = $5 - $10; if (d < 0) d = -d; if (!(d <= t * $5)) {print "objectives differ: " $5 ", " $10; exit 1}}' >&2
      echo "$a $b" | awk '{print $1, $6, $1 / $6, $4, $9, $2, $7}' >>"$work/rows"
      round=$((round + 1))
    done
    awk -v label="$1" -v threads="$threads" \
      -v peer="$(column 1 | middle)" -v ours="$(column 2 | middle)" -v ratio="$(column 3 | middle)" \
      -v low="$(column 3 | head -n 1)" -v high="$(column 3 | tail -n 1)" -v peer_least="$(column 6 | head -n 1)" \
      -v ours_least="$(column 7 | head -n 1)" -v peer_mb="$(column 4 | tail -n 1)" -v ours_mb="$(column 5 | tail -n 1)" '
      function s(x) {return x >= 1 ? sprintf("%.3g s", x) : x >= 1e-3 ? sprintf("%.3g ms", 1e3 * x) : sprintf("%.3g us", 1e6 * x)}
      BEGIN {printf "| %s | %d | %s | %s | %.0f (%.0f to %.0f) | %.0f | %.0f MB | %.0f MB |\n", label, threads, s(peer), s(ours), \
        ratio, low, high, peer_least / ours_least, peer_mb, ours_mb}'
  done
}

# prepare FOLDER N M BATCH HIDDEN T: the data, and the check that both sides compute the same loss and gradients
prepare() {
  mkdir "$work/$1"
  "$ours" write "$work/$1" "$2" "$3" "$4" "$5"
  for threads in $thread_counts; do
    OMP_NUM_THREADS=$threads "$ours" gradient "$work/$1" "$6" "$threads"
    printf -- '- %sx%s, batch %s, hidden %s, T = %s, %s threads: ' "$2" "$3" "$4" "$5" "$6" "$threads"
    OMP_NUM_THREADS=$threads $peer check "$work/$1" "$6" "$threads" "$tolerance"
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
wide_fits=true
if wants small || wants solve; then prepare small 32 20 32 1024 100; fi
if wants large; then prepare large 512 400 10 1024 100; fi
if wants wide; then
  if fits 100 5120 5120; then
    prepare wide 512 400 10 5120 100
  else
    wide_fits=false
    echo "- 512x400, batch 10, hidden 5120: skipped, PyTorch needs more memory than is free"
  fi
fi
if wants iterate; then prepare iterate 512 400 32 1024 5; fi
echo
echo "| work | threads | PyTorch | $library | times faster (range) | by fastest repeats | PyTorch memory | $library memory |"
echo "|---|---|---|---|---|---|---|---|"
if wants small; then compare 'training step, 32x20, batch 32, T = 100, hidden 1024' train small 100; fi
if wants large; then compare 'training step, 512x400, batch 10, T = 100, hidden 1024' train large 100; fi
if wants wide && $wide_fits; then compare 'training step, 512x400, batch 10, T = 100, hidden 5120' train wide 100; fi
if wants solve; then compare '100 iterations on one 32x20 instance, hidden 1024' solve small 100; fi
if wants iterate; then compare 'one iteration of 20, 512x400, batch 32, hidden 1024' iterate iterate 20; fi
