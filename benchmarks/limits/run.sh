#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Each kernel beside what the machine gives at most; prints a Markdown table. README.md tells how to read it.
#   BUILD=build/benchmarks  where to build     PRECISION=single|double     ROUNDS=5  SECONDS_EACH=0.2  of a line in a round
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build/benchmarks}
precision=${PRECISION:-single}

case $precision in
single) program=bench_limits_single library=libl2of ;;
double) program=bench_limits library=libl2o ;;
*)
  echo "PRECISION is single or double, not '$precision'" >&2
  exit 2
  ;;
esac

cmake -S . -B "$build" -DL2O_BUILD_BENCHMARKS=ON -DL2O_BUILD_COMMANDS=OFF -DL2O_BUILD_TESTS=OFF --log-level=WARNING >/dev/null
log=$(cmake --build "$build" --target "$program") || {
  echo "$log" >&2
  exit 1
}

echo "$library $(sed -n 's/^project(l2o VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt); $precision precision; one thread;" \
  "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), L1d $(getconf LEVEL1_DCACHE_SIZE), L2 $(getconf LEVEL2_CACHE_SIZE)," \
  "L3 $(getconf LEVEL3_CACHE_SIZE) bytes"
echo
# the settings of the library itself are the calling thread's; regions of two threads ask for them by number
OMP_NUM_THREADS=1 "$build/benchmarks/limits/$program" "${ROUNDS:-5}" "${SECONDS_EACH:-0.2}"
