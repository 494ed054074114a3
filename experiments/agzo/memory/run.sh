#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Resident memory of a step of mezo, lozo and agzo beside that of a forward pass and of a gradient, against sequence length and batch:
# a program of its own for each, which is told by the kernel what it held at most. Use: see ../../figure.sh; L2O_STEP_MEMORY is the
# program.
. "$(dirname "$0")/../figure.sh"
: "${L2O_STEP_MEMORY=$root/build/release/experiments/agzo/step_memory}"

rules="forward mezo lozo:rank=16 agzo:rank=1 agzo:rank=16 gradient"
cases="128:1 128:4 128:16 512:4 1024:4"
layers=8
width=512
if [ "$size" = small ]; then
  cases="64:2 64:8"
  layers=4
  width=256
fi
echo 'length,batch,rule,weights,resident' >"$out/memory.csv"
for case in $cases; do
  length=${case%:*}
  batch=${case#*:}
  spec="transformer:vocab=512,width=$width,heads=8,mlp=$((4 * width)),layers=$layers,length=$length,context=$length,samples=$batch"
  for rule in $rules; do
    "$L2O_STEP_MEMORY" "$spec" "$batch" "$rule" | sed "s/,/;/g; s/ /,/g; s/^/$length,$batch,/" >>"$out/memory.csv"
  done
done
# resident LENGTH BATCH RULE
resident() {
  awk -F, -v length_="$1" -v batch="$2" -v rule="$3" '$1 == length_ && $2 == batch && $3 == rule { print $5; found = 1 } END { exit !found }' "$out/memory.csv"
}
for case in $cases; do
  length=${case%:*}
  batch=${case#*:}
  for rule in mezo agzo:rank=16; do
    measure "$length x $batch: $rule over forward" "$(ratio "$(resident "$length" "$batch" "$rule")" "$(resident "$length" "$batch" forward)")"
  done
  measure "$length x $batch: agzo:rank=16 over mezo" "$(ratio "$(resident "$length" "$batch" agzo:rank=16)" "$(resident "$length" "$batch" mezo)")"
  measure "$length x $batch: gradient over mezo" "$(ratio "$(resident "$length" "$batch" gradient)" "$(resident "$length" "$batch" mezo)")"
done
check
