#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# How near the directions of mezo, lozo and agzo come to the gradient, by rank, layer and phase of training: means of |cos| over many
# directions for minibatches of three seeds. Use: see ../../figure.sh; L2O_DIRECTION_COSINES is the program that measures.
. "$(dirname "$0")/../figure.sh"
: "${L2O_DIRECTION_COSINES=$root/build/release/experiments/agzo/direction_cosines}"

seeds="1 2 3"
draws=300
ranks="1 2 4 8 16 64"
if [ "$size" = small ]; then
  seeds=1
  draws=150
  ranks="1 4 8 16"
fi
guided=''
for rank in $ranks; do
  guided="$guided agzo:others=0,tables=frozen,rank=$rank"
done
powers=''
if [ "$size" = full ]; then
  for power in 0 1 2 5; do
    powers="$powers agzo:others=0,tables=frozen,rank=4,power=$power"
  done
fi
rules="mezo:others=0,tables=frozen lozo:others=0,tables=frozen,interval=1,rank=1 agzo:others=0,tables=frozen,guide=random,rank=1$guided$powers"

# cosines TASK PHASE SEED SPEC START: rows of OUT/cosines.csv
cosines() {
  # shellcheck disable=SC2086 # words
  "$L2O_DIRECTION_COSINES" "$4" "$3" "$5" "$draws" $rules mezo:tables=all agzo:tables=all,rank=1 agzo:tables=frozen,rank=1 | sed '1d' >"$out/rows.csv"
  sed "s/^/$1,$2,$3,/; s/others=0,tables=frozen,//; s/others=0,tables=frozen/linear/; s/\"//g" "$out/rows.csv" |
    awk -F, -v OFS=, '{ rule = $4; for (i = 5; i <= NF - 4; i++) rule = rule ";" $i; print $1, $2, $3, rule, $(NF - 3), $(NF - 2), $(NF - 1), $NF }' >>"$out/cosines.csv"
}

echo 'task,phase,seed,rule,layer,cosine,error,formula' >"$out/cosines.csv"
teacher='mlp:bias=false,samples=64'
text='transformer:samples=8'
for seed in $seeds; do
  cosines teacher init "$seed" "$teacher" -
  cosines text init "$seed" "$text" -
  if [ "$size" = full ]; then
    pretrain teacher --set "problem.seed=$seed" --steps 300
    cosines teacher 300 "$seed" "$teacher" "$out/teacher/model.safetensors"
    pretrain teacher --set "problem.seed=$seed" --steps 2000
    cosines teacher trained "$seed" "$teacher" "$out/teacher/model.safetensors"
    pretrain text --set "problem.seed=$seed"
    cosines text trained "$seed" "$text" "$out/text/model.safetensors"
    cosines text shifted "$seed" "$text,drift=0.5" "$out/text/model.safetensors"
  fi
done
rm -f "$out/rows.csv"

# mean TASK PHASE RULE LAYER: over the seeds
mean() {
  awk -F, -v task="$1" -v phase="$2" -v rule="$3" -v layer="$4" '
    $1 == task && $2 == phase && $4 == rule && $5 == layer { sum += $6; n++ } END { if (!n) exit 1; print sum / n }' "$out/cosines.csv"
}
for about in $(awk -F, 'NR > 1 { print $1 "-" $2 }' "$out/cosines.csv" | sort -u); do
  task=${about%-*}
  phase=${about#*-}
  measure "$task $phase: mezo" "$(mean "$task" "$phase" mezo:linear linear)"
  measure "$task $phase: lozo" "$(mean "$task" "$phase" 'lozo:interval=1;rank=1' linear)"
  measure "$task $phase: random" "$(mean "$task" "$phase" 'agzo:guide=random;rank=1' linear)"
  for rank in $ranks; do
    measure "$task $phase: agzo $rank" "$(mean "$task" "$phase" agzo:rank="$rank" linear)"
  done
done
# the least of agzo's means at ranks 1 to 8 over mezo's: for all linear weights together, and for each layer, of mezo's formula
measure "least ratio; linear weights" "$(awk -F, '
  $5 == "linear" && $4 == "mezo:linear" { plain[$1 $2 $3] = $6 }
  $5 == "linear" && $4 ~ /^agzo:rank=[1248]$/ { sum[$1 $2 ":" $4] += $6 / plain[$1 $2 $3]; n[$1 $2 ":" $4]++ }
  END { for (k in sum) if (!least || sum[k] / n[k] < least) least = sum[k] / n[k]; print least }' "$out/cosines.csv")"
# the largest distance of a mean from its formula, in standard errors, where the formula's subspace is the exact one
measure "worst distance from the formula in errors" "$(awk -F, '
  $5 == "linear" && $8 != "nan" && $7 > 0 && $4 !~ /power|tables/ { d = ($6 - $8) / $7; d = d < 0 ? -d : d; if (d > worst) worst = d } END { print worst }' "$out/cosines.csv")"
if [ "$size" = full ]; then
  for power in 0 1 2 5; do
    measure "teacher 300: agzo 4; power $power" "$(mean teacher 300 "agzo:rank=4;power=$power" linear)"
  done
  measure "text init: everything; mezo" "$(mean text init mezo:tables=all all)"
  measure "text init: everything; agzo 1" "$(mean text init 'agzo:tables=all;rank=1' all)"
  measure "text init: tables frozen; agzo 1" "$(mean text init 'agzo:tables=frozen;rank=1' all)"
  draw "$here/plot.gp" cosines
fi
check
