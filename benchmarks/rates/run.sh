#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What a rule takes for a channel beside WMMSE at the same rate; prints Markdown tables. README.md tells how to read them.
#   SOLVER=fastfp:rho=1.9  MODEL=-  LAYERS=10   the rule, the file of its model (-: it has none; @ in its name stands for the antennas), its steps: one
#       number, or as many as TX has
#   CELLS=3 USERS=2 RX=2 SNR_DB=10 TX='4 8 16 32 64'   the networks
#   CHANNELS=200 SEED=1 ROUNDS=5   NUMPY_CHANNELS=20  of them for the peer     PYTHON=python3  a Python that has NumPy
#   LATENCY=100000  channels one by one at the first TX    BATCH=256  channels at once    THREADS='1 2'  for those
#   BUILD=build/benchmarks  where to build     PRECISION=double|single
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
build=${BUILD:-build/benchmarks}
solver=${SOLVER:-fastfp:rho=1.9}
model=${MODEL:--}
layers=${LAYERS:-10}
cells=${CELLS:-3} users=${USERS:-2} rx=${RX:-2} snr_db=${SNR_DB:-10}
sizes=${TX:-4 8 16 32 64}
channels=${CHANNELS:-200}
seed=${SEED:-1}
rounds=${ROUNDS:-5}
numpy_channels=${NUMPY_CHANNELS:-20}
threads=${THREADS:-1 2}
precision=${PRECISION:-double}
here=benchmarks/rates
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

case $precision in
single) suffix=_single library=libl2of tolerance=1e-4 ;;
double) suffix='' library=libl2o tolerance=1e-9 ;;
*)
  echo "PRECISION is single or double, not '$precision'" >&2
  exit 2
  ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cmake -S . -B "$build" -DL2O_BUILD_BENCHMARKS=ON -DL2O_BUILD_COMMANDS=OFF -DL2O_BUILD_TESTS=OFF --log-level=WARNING >/dev/null
cmake --build "$build" --target "bench_rates$suffix" >"$work/build" || {
  cat "$work/build" >&2
  exit 1
}
peer=$("$python" $here/numpy_wmmse.py version 2>/dev/null) || peer=''

# layers_at TX: the number of LAYERS in its place, or the last
layers_at() {
  echo "$sizes" | awk -v tx="$1" -v layers="$layers" '{ n = split(layers, l, " "); for (i = 1; i <= NF; i++) if ($i == tx) print l[i < n ? i : n] }'
}

# rates COMMAND TX CHANNELS ARGUMENTS...
rates() {
  command=$1 tx=$2 count=$3
  shift 3
  file=$(echo "$model" | sed "s/@/$tx/g")
  "$build/benchmarks/bench_rates$suffix" "$command" "$cells" "$users" "$tx" "$rx" "$snr_db" "$solver" "$file" "$(layers_at "$tx")" "$count" "$seed" "$@"
}

echo "$library $(sed -n 's/^project(l2o VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt); $precision precision;" \
  "${peer:-NumPy is not installed: skipped}; $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1); $rounds rounds;" \
  "$cells cells, $users users, $rx antennas a user, $snr_db dB; $channels channels, of which NumPy has $numpy_channels"
echo
for tx in $sizes; do
  if [ "$peer" ]; then rates save "$tx" "$numpy_channels" "$work"; fi
  round=1
  while [ "$round" -le "$rounds" ]; do
    rates compare "$tx" "$channels" "$round" >>"$work/lines.csv"
    if [ "$peer" ]; then "$python" $here/numpy_wmmse.py run "$work" "$tx" "$round" $tolerance >>"$work/lines.csv"; fi
    round=$((round + 1))
  done
done
awk -v rule="$solver" -f $here/report.awk "$work/lines.csv"

echo
echo "| ${LATENCY:-100000} channels one by one, tx = ${sizes%% *}, us | median | 99 % | 99.9 % | most |"
echo '|---|---|---|---|---|'
rates latency "${sizes%% *}" "${LATENCY:-100000}"

echo
echo "| ${BATCH:-256} channels by l2o_solve_many(), us a channel | tx | threads | median | least |"
echo '|---|---|---|---|---|'
for tx in $sizes; do
  for count in $threads; do
    rates batch "$tx" "${BATCH:-256}" "$count" |
      awk -v tx="$tx" -v threads="$count" -v rule="$solver" '{printf "| %s | %s | %s | %.3g | %.3g |\n", rule, tx, threads, 1e6 * $1, 1e6 * $2}'
  done
done
