#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# libl2o's bfgs and lbfgs beside GSL, NLopt, libLBFGS and SciPy on the same functions; prints Markdown tables. README.md tells more.
#   PYTHON=python3  a Python that has SciPy     BUILD=build/benchmarks  where to build     DATA=experiments/data
#   LIMIT=10  seconds of one run at most     ROUNDS=5  MIN_SECONDS=0.1 (of one solver in a round)
#   TIMED='rosenbrock-100-uneven rosenbrock-1000-even rosenbrock-1000-uneven least-squares-512x400'  problems whose overhead is taken; '': none
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
build=${BUILD:-build/benchmarks}
data=${DATA:-experiments/data}
limit=${LIMIT:-10}
rounds=${ROUNDS:-5}
min_seconds=${MIN_SECONDS:-0.1}
timed=${TIMED-rosenbrock-100-uneven rosenbrock-1000-even rosenbrock-1000-uneven least-squares-512x400}
here=benchmarks/optimizers
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

gsl=ON
pkg-config --exists gsl || gsl=OFF
cmake -S . -B "$build" -DL2O_BUILD_BENCHMARKS=ON -DL2O_BUILD_COMMANDS=OFF -DL2O_BUILD_TESTS=OFF -DL2O_WITH_GSL=$gsl \
  --log-level=WARNING >/dev/null
cmake --build "$build" --target bench_optimizers bench_objective >/dev/null
program=$build/$here/bench_optimizers
library=$(cd "$build/$here" && pwd)/libbench_objective.so
results=$build/$here/results
rm -rf "$results"
mkdir -p "$results"

versions=$("$program" versions)
if scipy=$($python $here/scipy_solvers.py version 2>/dev/null); then
  versions="$versions, $scipy"
else
  scipy=
  versions="$versions, SciPy is not installed: skipped"
fi
echo "$versions; double precision, 1 thread; a run ends by itself, after its budget of evaluations, or after $limit s"
echo

"$program" run "$data" "$results/log.csv" "$limit" 2>"$results/messages"
sort -u "$results/messages" | sed 's/^/- skipped: /; $s/$/\n/'
if [ "$scipy" ]; then
  # shellcheck disable=SC2046 # the names have no spaces
  $python $here/scipy_solvers.py run "$library" "$data" "$results/log.csv" "$limit" $(cut -d, -f1 "$results/log.csv" | uniq)
fi
awk -F, -v out="$results" -f $here/report.awk "$results/log.csv"
if command -v gnuplot >/dev/null; then
  gnuplot -e "folder='$results'" $here/profile.gp
  echo
  echo "Performance profile: $results/profile.png and .svg; every run: $results/evaluations.csv"
fi

# measure PROBLEM TARGET SOLVER
measure() {
  case $3 in
  SciPy*) $python $here/scipy_solvers.py time "$library" "$data" "$1" "$2" "$3" "$min_seconds" ;;
  *) "$program" time "$data" "$1" "$2" "$3" "$min_seconds" ;;
  esac
}

# Each with what its overhead is compared with: libLBFGS, where there is as much to remember.
solvers='l2o lbfgs m=6,libLBFGS
libLBFGS,-
NLopt LD_LBFGS m=6,libLBFGS
SciPy L-BFGS-B m=6,libLBFGS
l2o lbfgs m=5,libLBFGS m=5
libLBFGS m=5,-
NLopt LD_LBFGS m=5,libLBFGS m=5
SciPy L-BFGS-B m=5,libLBFGS m=5
l2o bfgs,-
l2o lbfgs,-
GSL vector_bfgs2,-
GSL conjugate_fr,-
SciPy BFGS,-
SciPy CG,-'

# overhead ROUND PROBLEM: a line for each solver
overhead() {
  target=$(awk -v p="$2" '$1 == p {print $2}' "$results/targets")
  echo "$solvers" | while IFS=, read -r solver reference; do
    # not there, or out of time when all of them ran: SciPy's BFGS multiplies n x n matrices at every iteration
    grep "^$2,[0-9]*,$solver,end," "$results/log.csv" | grep -qv 'time$' || continue
    echo "$2,$1,$solver,$reference,$(measure "$2" "$target" "$solver" | tr ' ' ',')"
  done
}

if [ "$timed" ]; then
  echo
  echo "### Overhead: microseconds outside the callback an iteration, from the start to 1e-9"
  echo
  echo "Medians of $rounds rounds of all solvers in turn. Behind the semicolon: the ratio to libLBFGS with as much memory within a round,"
  echo "median and range; an evaluation each where the solver does not tell its iterations."
  echo
  round=0
  while [ "$round" -lt "$rounds" ]; do
    for problem in $timed; do overhead "$round" "$problem"; done
    round=$((round + 1))
  done >"$results/overhead.csv"
  awk -F, -f $here/overhead.awk "$results/overhead.csv"
fi
