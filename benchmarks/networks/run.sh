#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Steps of zeroth-order rules on a decoder, as Markdown: seconds, and the same as multiples of mezo's step and of two forward passes.
# Settings: WIDTHS, BATCHES, LENGTH, LAYERS, RANKS, ROUNDS, PRECISION (single, double). README.md tells how to read it.
set -eu
cd "$(dirname "$0")/../.."
here=benchmarks/networks
: "${WIDTHS=512 1024}" "${BATCHES=1 4 8}" "${LENGTH=128}" "${LAYERS=2}" "${RANKS=1 4 16}" "${ROUNDS=15}" "${PRECISION=single}" "${BUILD=build/benchmarks}"
export OPENBLAS_NUM_THREADS=1
case $PRECISION in
single) program=bench_networks_single bytes=4 ;;
double) program=bench_networks bytes=8 ;;
*)
  echo "$0: PRECISION is single or double, not $PRECISION" >&2
  exit 2
  ;;
esac
cmake -S . -B "$BUILD" -DCMAKE_BUILD_TYPE=Release -DL2O_BUILD_BENCHMARKS=ON >/dev/null
cmake --build "$BUILD" --target "$program" >/dev/null
rules="mezo mezo:perturb=in-place lozo:rank=16"
for rank in $RANKS; do
  rules="$rules agzo:rank=$rank"
done
echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), one thread; $PRECISION precision; $ROUNDS rounds; decoder of $LAYERS layers, sequences of $LENGTH tokens"
for width in $WIDTHS; do
  spec="transformer:vocab=1024,width=$width,heads=$((width / 64)),mlp=$((4 * width)),layers=$LAYERS,length=$LENGTH,context=$LENGTH,samples=64"
  for batch in $BATCHES; do
    # shellcheck disable=SC2086 # words
    "$BUILD/benchmarks/$program" "$spec" "$batch" "$ROUNDS" $rules |
      awk -v width="$width" -v batch="$batch" -v bytes="$bytes" -f "$here/report.awk"
  done
done
