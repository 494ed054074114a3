#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"

# Reads the models through the library; built with the commands.
: "${L2O_LISTA_CONDITIONS=$root/build/release/experiments/math-l2o-gd/l2o-lista-conditions}"

family=lasso:n=500,m=250,matrix=shared,start=zero
set -- --steps 1000
if [ "$size" = small ]; then
  family=lasso:n=40,m=20,matrix=shared,start=zero
  set -- --steps 300 --set problem.n=40 --set problem.m=20 --set model.n=40 --set model.m=20 --set train.optimizer.lr=1e-2
fi

# at NAME LAYER COLUMN
at() {
  awk -F, -v layer="$2" -v column="$3" '$1 == layer { print $column }' "$out/$1.csv"
}

for rule in lista lista-cpss; do
  for shared in true false; do
    case $shared in
    true) name=$rule-shared ;;
    false) name=$rule-unshared ;;
    esac
    train "$name" "$@" --set model.kind=$rule --set model.shared=$shared
    "$L2O_LISTA_CONDITIONS" "$out/$name/model.safetensors" "$family" 7000 64 >"$out/$name.csv"
    rm -f "$out/$name/checkpoint.safetensors"
    for layer in 1 5 10 16; do
      measure "$name: wrong signs after layer $layer (%)" "$(at "$name" $layer 2)"
    done
    # the least of the layers, and the most
    measure "$name: |w_i'a_i - 1| > 0.01 (%)" "$(awk -F, 'NR == 2 || (NR > 2 && $3 < least) { least = $3 } END { print least }' "$out/$name.csv")"
    measure "$name: w_i'a_j > 1 (%)" "$(awk -F, 'NR == 2 || (NR > 2 && $4 > most) { most = $4 } END { print most }' "$out/$name.csv")"
  done
done
draw "$here/plot.gp" fig3
check
