#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# One training step under mpirun: measured on as many ranks as there are cores, modelled (model.awk) to 1000. Prints Markdown.
#   BIN=build/release/src/cli  where the commands are     STEPS=40  of each run; the fastest counts
#   ROUNDS=5  RANKS=2  to measure beside one     LATENCY=2e-6 (s)  BANDWIDTH=10e9 (bytes/s)  of the modelled network
#   BATCH=1024  instances of the strong scaling     EACH=32  instances a rank of the weak scaling
set -eu
cd "$(dirname "$0")/../.."
bin=$(cd "${BIN:-build/release/src/cli}" && pwd)
model=$PWD/benchmarks/scaling/model.awk
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
OMP_NUM_THREADS=1
export OMP_NUM_THREADS

# The published experiments: n, m, hidden.
config() {
  echo "problem: {family: qp, n: $1, m: $2, seed: 7}
model: {kind: math-l2o-gd, hidden: 1024, expansion: 100}
train: {steps: ${STEPS:-40}, horizon: 100, reduction: sum, optimizer: {name: sgd, lr: 1.0e-9}, threads: 1, checkpoint_every: 0}" >config.yaml
}

# once RANKS BATCH: adds the fastest step of a run to the file of its kind; without mpirun for a single rank.
once() {
  launch=
  [ "$1" -eq 1 ] || launch="mpirun --quiet -n $1"
  # shellcheck disable=SC2086 # words
  $launch "$bin/l2o-train" config.yaml --out run --quiet --set train.batch="$2" </dev/null
  awk -F, 'NR > 3 { t = $5 - last; if (!best || t < best) best = t } { last = $5 } END { print best }' run/train.csv >>"seconds-$1-$2"
}

fastest() {
  sort -g "seconds-$1-$2" | head -n 1
}

# The gradient's accumulators of a 2-2-1024-1 network without biases in its wide layer.
accumulators=${ACCUMULATORS:-2055}
for task in '32 20' '512 400'; do
  # shellcheck disable=SC2086 # words
  set -- $task
  config "$1" "$2"
  printf '\n### %sx%s, T = 100, hidden 1024, single precision, one thread a rank\n\n' "$1" "$2"
  rm -f seconds-*
  for _ in $(seq "${ROUNDS:-5}"); do # alternating, so that other load on the machine meets all of them
    once 1 8
    for ranks in 1 ${RANKS:-2}; do
      once "$ranks" 40
    done
  done
  few=$(fastest 1 8)
  many=$(fastest 1 40)
  instance=$(awk -v a="$few" -v b="$many" 'BEGIN { print (b - a) / 32 }')
  fixed=$(awk -v a="$few" -v s="$instance" 'BEGIN { f = a - 8 * s; print (f > 0) * f }')
  awk -v s="$instance" -v f="$fixed" 'BEGIN { printf "One rank: %.4g us an instance and %.3g us a step beside them (fastest steps, batches of 8 and 40).\n\n", s * 1e6, f * 1e6 }'
  echo '| measured ranks | batch | a step | modelled without a network | efficiency |'
  echo '|---|---|---|---|---|'
  for ranks in 1 ${RANKS:-2}; do
    seconds=$(fastest "$ranks" 40)
    awk -v r="$ranks" -v t="$seconds" -v one="$many" -v s="$instance" -v f="$fixed" \
      'BEGIN { printf "| %d | 40 | %.4g ms | %.4g ms | %.0f %% |\n", r, t * 1e3, (f + int((40 + r - 1) / r) * s) * 1e3, 100 * one / (r * t) }'
  done
  echo
  awk -v fixed="$fixed" -v instance="$instance" -v latency="${LATENCY:-2e-6}" -v bandwidth="${BANDWIDTH:-10e9}" \
    -v accumulators="$accumulators" -v batch="${BATCH:-1024}" -v each="${EACH:-32}" -f "$model"
done
