# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The families and the models of these figures. Sourced by the FIGURE/run.sh that need them, after figure.sh.
# Models lie beside the folders of the figures, each is trained once: models-full and models-small, FAMILY-RULE-SEED.safetensors.
# L2O_UPDATES=N trains all of them with N updates, into models-full-N; L2O_SEEDS='1 2' takes these training seeds in place of 1, 2 and 3. A training that was
# interrupted goes on from its last checkpoint.

models=$(dirname "$out")/models-$size${L2O_UPDATES:+-$L2O_UPDATES}
seeds=${L2O_SEEDS-1 2 3}
[ "$size" = full ] || seeds=1

# family_of NAME: its options, for l2o-train and l2o-eval; the small version is the published toy, and a logistic regression like it
family_of() {
  case $1-$size in
  lasso-full) echo --set problem.family=lasso ;;
  lasso-small | toy-*) echo --set problem.family=lasso --set problem.n=40 --set problem.m=20 ;;
  shared-full) echo --set problem.family=lasso --set problem.matrix=shared ;;
  shared-small) echo --set problem.family=lasso --set problem.n=40 --set problem.m=20 --set problem.matrix=shared ;;
  logistic-full) echo --set problem.family=logistic --set problem.recipe=go ;;
  logistic-small) echo --set problem.family=logistic --set problem.recipe=go --set problem.n=20 --set problem.m=400 --set problem.sparsity=8 ;;
  esac
}

# solver_of RULE: the learned rule; go, std, lh and what ../ablation calls go-... are one with several models
solver_of() {
  case $1 in
  go | go-* | std | lh) echo go-math-l2o ;;
  pa | pa-*) echo l2o-pa ;;
  dm) echo l2o-dm ;;
  ada-lista*) echo ada-lista ;;
  *) echo "$1" ;;
  esac
}

# configuration N: of the 24 that the paper compares, horizon 100. Batches are an eighth of the published 64 and 128.
configuration() {
  case $((($1 - 1) / 8)) in 0) unroll=20 ;; 1) unroll=50 ;; 2) unroll=100 ;; esac
  case $((($1 - 1) / 4 % 2)) in 0) epochs=1 ;; 1) epochs=3 ;; esac
  case $((($1 - 1) / 2 % 2)) in 0) batch=8 ;; 1) batch=16 ;; esac
  case $((($1 - 1) % 2)) in 0) loss=mean ;; 1) loss=weighted ;; esac
  if [ "$size" = full ]; then updates=$((500 * 100 / unroll)); else updates=$((20 * 100 / unroll)); fi # an epoch: 500 batches
}

# options_of FAMILY RULE: options of l2o-train that make the model and its training, each without blanks; scales are the published ones, the base step of logistic
# regression is ours, four times the published
options_of() {
  case $2 in
  go | go-* | std | lh) echo train.stop_gradient=none ;;
  dm | rnnprop) echo train.optimizer.lr=3e-3 ;;
  *lista*) echo train.loss=last train.horizon=16 train.unroll=16 ;;
  esac
  case $2-$size in
  ada-lista-small | ada-lista-supervised-small) echo model.m=20 ;;
  *lista*-small) echo model.m=20 model.n=40 ;;
  esac
  case $2-$size in
  lista*-full) echo train.optimizer.lr=1e-3 ;; # 1e-2 diverges with n = 500
  ada-lista-full) echo train.optimizer.lr=2e-3 ;;
  esac
  [ "$2" != ada-lista ] || echo model.gamma=0 model.theta=0 # where ista is
  case $2 in
  ada-lista-supervised) # as published, but for stages of one length
    echo model.layers=10 train.horizon=10 train.unroll=10 train.loss=solution train.layerwise.rounds=1 train.layerwise.decay=0.3
    echo train.optimizer.lr=2e-3 train.schedule.name=constant train.schedule.end=0 train.clip_norm=0
    ;;
  esac
  case $1-$2 in
  logistic-go* | logistic-std | logistic-lh) echo model.r_norm=softplus model.q_norm=softplus model.b_norm=softplus model.q_scale=10 ;;
  logistic-pa) echo model.p_norm=softplus model.p_scale=2 model.a_norm=softplus model.a_scale=0.3 ;;
  esac
  case $2 in
  std | lh) echo model.variant="$2" ;;
  go-root | go-step | go-square) echo model.history="${2#go-}" ;;
  go-glorot) echo model.start=glorot model.state=normal ;;
  go-config-*)
    configuration "${2#go-config-}"
    echo train.loss="$loss" train.horizon=100 train.unroll="$unroll" train.batch="$batch" problem.instances="$batch" \
      train.schedule.name=step train.schedule.end=0 train.schedule.every="$updates" train.max_rejected=1000000 # as published, go on
    ;;
  go-long | pa-long) echo train.horizon=24 train.unroll=24 ;;
  go-mean) echo train.loss=mean train.horizon=100 ;;
  go-weighted) echo train.loss=weighted train.horizon=100 ;;
  go-gap) echo train.loss=log-gap ;;
  go-unroll10) echo train.unroll=10 ;;
  go-unroll40) echo train.unroll=40 ;;
  go-horizon100) echo train.horizon=100 ;;
  go-batch4) echo train.batch=4 ;;
  go-batch16) echo train.batch=16 ;;
  go-unclipped) echo train.clip_norm=0 ;;
  go-held) echo train.stop_gradient=features ;;
  go-8x1) echo model.hidden=8 model.layers=1 ;;
  esac
}

# updates_of FAMILY RULE
updates_of() {
  if [ "${L2O_UPDATES:-}" ]; then
    echo "$L2O_UPDATES"
    return
  fi
  case $size-$1-$2 in
  *-toy-go-config-*)
    configuration "${2#go-config-}"
    echo $((epochs * updates))
    ;;
  small-toy-go-half) echo 100 ;;
  small-toy-go-double) echo 400 ;;
  small-toy-*) echo 200 ;;
  small-lasso-ada-lista-supervised) echo 3000 ;;
  small-*lista*) echo 600 ;;
  small-*) echo 300 ;;
  full-toy-go-half) echo 250 ;;
  full-toy-go-double) echo 1000 ;;
  full-toy-*) echo 500 ;;
  full-lasso-ada-lista) echo 300 ;;
  full-lasso-ada-lista-supervised) echo 900 ;;
  full-*lista*) echo 1000 ;;
  full-lasso-go-long) echo 12000 ;;
  full-lasso-pa-long) echo 8000 ;;
  full-lasso-go | full-lasso-pa) echo 1500 ;;
  full-lasso-*) echo 500 ;;
  full-logistic-*) echo 1500 ;;
  esac
}

# model FAMILY RULE SEED: trains $models/FAMILY-RULE-SEED.safetensors unless it is there, newer than what it is made by
model() ( # in a shell of its own: the variables are its own
  trained=$models/$1-$2-$3.safetensors
  if [ "$(find "$trained" -newer "$(command -v l2o-train)" -newer "$root/experiments/go-math-l2o/train.sh" \
    -newer "$root/experiments/go-math-l2o/train.yaml" 2>/dev/null)" ]; then
    return
  fi
  echo "train $1 $2, seed $3"
  family=$1
  rule=$2
  seed=$3
  folder=$models/$family-$rule-$seed
  [ "$size" = full ] || folder=$folder.$$ # figures that run side by side
  set -- --steps "$(updates_of "$family" "$rule")"
  for option in $(options_of "$family" "$rule"); do
    set -- "$@" --set "$option"
  done
  # shellcheck disable=SC2046 # a list of words
  set -- "$root/experiments/go-math-l2o/train.yaml" --out "$folder" --quiet --threads 1 $(family_of "$family") --set model.kind="$(solver_of "$rule")" \
    --set problem.seed="$((117 + seed))" --set model.seed="$seed" "$@"
  # on from a checkpoint that has the same settings; else from the beginning
  if ! { [ -f "$folder/checkpoint.safetensors" ] && l2o-train "$@" --resume 2>/dev/null; }; then
    l2o-train "$@"
  fi
  mv "$folder/model.safetensors" "$trained"
  rm -r "$folder"
)

# learned FAMILY RULE SEED: the rule with its model
learned() {
  echo "$(solver_of "$2"):model=$models/$1-$2-$3.safetensors"
}
