#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"
. "$here/../gains.sh"

# gains CONFIG SIZE EXPANSION: into OUT/SIZE-EXPANSION
gains() {
  config=$here/$1
  whole=$out
  out=$whole/$2-$3
  mkdir -p "$out"
  : >"$out/measured.csv"
  for rate in $rates; do
    gain_curve "$rate" "$3"
  done
  draw_gains gain-ratio "100 iterations, $2, expansion $3" "$rates" "$3" "$here/published-$2.csv"
  sed "s/^gain/$2: gain/" "$out/measured.csv" >>"$whole/measured.csv"
  out=$whole
}
rates='1e-3 1e-4 1e-5 1e-6 1e-7'
gains ablation.yaml 32x25 100
if [ "$size" = full ]; then
  gains config.yaml 512x400 100
  gains config.yaml 512x400 500
fi
check
