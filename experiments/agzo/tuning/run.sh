#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Loss against forward passes while networks that Adam has trained are fine-tuned on another task by mezo, lozo and agzo, with Adam as
# the floor: each at the best step of one grid, found on two instances, then run on five others. Use: see ../../figure.sh.
. "$(dirname "$0")/../figure.sh"

tasks="teacher digits text"
rules="mezo=mezo lozo1=lozo:rank=1,interval=50 lozo4=lozo:rank=4,interval=50 random=agzo:guide=random agzo1=agzo:rank=1 agzo4=agzo:rank=4
agzo8=agzo:rank=8 agzo16=agzo:rank=16 agzo32=agzo:rank=32 adam=adam"
steps="2.5e-5 5e-5 1e-4 2e-4 4e-4 8e-4 1.6e-3 3.2e-3 6.4e-3 1.28e-2 2.56e-2 5.12e-2 1.024e-1 2.048e-1"
chosen=2
final=5
if [ "$size" = small ]; then
  tasks=teacher
  rules="mezo=mezo lozo4=lozo:rank=4,interval=50 agzo4=agzo:rank=4 agzo16=agzo:rank=16 adam=adam"
  steps="2e-4 4e-4 8e-4 1.6e-3 3.2e-3 6.4e-3 1.28e-2 2.56e-2"
  final=2
fi

# common TASK RULE: what the rule is given beside its step; all of them train the same weights, none the embeddings but Adam
common() {
  case $1 in text) batch=8 ;; *) batch=64 ;; esac
  case $1-$2 in
  *-adam*) echo "batch=$batch" ;;
  text-*) echo "batch=$batch,tables=frozen" ;;
  *) echo "batch=$batch" ;;
  esac
}

# solver TASK LABEL=RULE STEP [LABEL]: with that step
solver() {
  case $2 in *:*) join=, ;; *) join=: ;; esac
  echo "${4:-${2%%=*}@$3}=${2#*=}${join}step=$3,$(common "$1" "${2#*=}")"
}

# best TASK LABEL: the step with the lowest mean loss, and that loss
best() {
  awk -F, -v label="$2" '
    index($1, label "@") == 1 && $2 != "inf" && (step == "" || $2 + 0 < loss) { step = substr($1, length(label) + 2); loss = $2 + 0 }
    END { print step, loss; exit step == "" }' "$out/$1-tuning.csv"
}

echo 'task,rule,step,loss_tuning' >"$out/steps.csv"
edges=0
for task in $tasks; do
  shorter=''
  if [ "$size" = small ]; then
    pretrain "$task" --steps 500
    shorter='--iterations 400'
  else
    pretrain "$task"
  fi
  all=''
  for rule in $rules; do
    for step in $steps; do
      all="$all $(solver "$task" "$rule" "$step")"
    done
  done
  # shellcheck disable=SC2086 # words
  fine_tune "$task-tuning" "$task" "$all" --instances $chosen --set eval.seed=500001 --set output.trace=none $shorter
  tuned=''
  for rule in $rules; do
    found=$(best "$task" "${rule%%=*}")
    step=${found% *}
    echo "$task,${rule%%=*},$step,${found#* }" >>"$out/steps.csv"
    case " $steps " in "  $step "* | " $step "* | *" $step ") edges=$((edges + 1)) ;; esac
    tuned="$tuned $(solver "$task" "$rule" "$step" "${rule%%=*}")"
  done
  # shellcheck disable=SC2086
  fine_tune "$task-final" "$task" "$tuned" --instances $final --set eval.seed=900001 $shorter
  measure "$task: start" "$(awk -F, '$1 == "mezo" && $2 == "mean" && $3 == 0 { print $4 }' "$out/$task-final/trace.csv")"
  for rule in $rules; do
    measure "$task: ${rule%%=*}" "$(column "$task-final" "${rule%%=*}" 2)"
  done
  lowest() {
    awk -F, -v pattern="$1" '$1 ~ pattern && $2 != "inf" && (least == "" || $2 + 0 < least) { least = $2 + 0 } END { print least }' "$out/$task-final.csv"
  }
  measure "$task: best agzo over best of the others" "$(ratio "$(lowest '^agzo')" "$(lowest '^(mezo|lozo)')")"
done
measure "steps at an end of the grid" "$edges"
if [ "$size" = full ]; then
  draw "$here/plot.gp" fine-tuning
fi
check
