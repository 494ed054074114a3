# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The models of these figures. Sourced by figure.sh.
# Models lie beside the folders of the figures, each is trained once: models-full and models-small, NAME.safetensors. L2O_UPDATES=N trains all of them with N updates, into
# models-full-N. A training that was interrupted goes on from its last checkpoint.

models=$(dirname "$out")/models-$size${L2O_UPDATES:+-$L2O_UPDATES}

# solver_of NAME: the learned rule
solver_of() {
  case $1 in
  pga-*) echo sum-rate-pga ;;
  deepfp) echo deepfp ;;
  mlp-*) echo power-control-mlp ;;
  *) echo sum-rate-lo ;;
  esac
}

# config_of NAME: the config file that its options change
config_of() {
  case $1 in
  mlp-*) echo train-power.yaml ;;
  *) echo train.yaml ;;
  esac
}

# options_of NAME: options of l2o-train, each without blanks
options_of() {
  echo model.kind="$(solver_of "$1")"
  case $1 in
  lo-20 | lo-30) # the sum of all layers' rates guides so many of them
    echo model.layers="${1#lo-}" train.horizon="${1#lo-}" train.loss=weighted train.optimizer.lr=1e-3
    ;;
  pga-scalar) echo model.steps=scalar train.optimizer.lr=1e-2 ;;
  pga-network) echo model.steps=network ;;
  deepfp) echo train.horizon=8 train.optimizer.lr=2e-3 train.stop_gradient=none ;;
  lo-products-*) echo model.products="${1#lo-products-}" ;;
  lo-still) echo model.momentum=false ;;
  lo-shared) echo model.shared=true ;;
  lo-bounded) echo model.step=bounded ;;
  lo-safe) echo model.safe=true ;;
  lo-hidden-*) echo model.hidden="${1#lo-hidden-}" ;;
  lo-rank) echo model.tx=4 model.rank=4 ;;
  lo-lift-*) echo model.tx=4 model.rank=4 model.lift="${1#lo-lift-}" ;;
  lo-tx-32) echo problem.tx=32 problem.reduced=true model.layers=4 train.horizon=4 ;;
  lo-tx-64) echo problem.tx=64 problem.reduced=true model.layers=3 train.horizon=3 ;;
  lo-tx-*) echo problem.tx="${1#lo-tx-}" problem.reduced=true ;;
  lo-snr-*) echo problem.snr_db="${1#lo-snr-}" ;;
  lo-layout) # gradients through all ten layers explode there
    echo problem.channel=layout problem.tx=8 model.products=3 train.unroll=2 train.optimizer.lr=1e-3
    ;;
  siso-*)
    echo problem.cells="${1#siso-}" problem.users=1 problem.tx=1 problem.rx=1 problem.snr_db=0 train.loss=weighted train.optimizer.lr=1e-3
    ;;
  mlp-*)
    echo problem.links="${1#mlp-}" model.links="${1#mlp-}"
    ;;
  esac
}

# layers_of NAME: steps that its rule takes
layers_of() {
  case $1 in
  lo-20 | lo-30) echo "${1#lo-}" ;;
  lo-tx-32) echo 4 ;;
  lo-tx-64) echo 3 ;;
  deepfp) echo 8 ;;
  mlp-*) echo 1 ;;
  *) echo 10 ;;
  esac
}

# updates_of NAME
updates_of() {
  if [ "${L2O_UPDATES:-}" ]; then
    echo "$L2O_UPDATES"
    return
  fi
  case $size-$1 in
  small-*) echo 300 ;;
  full-lo | full-lo-layout) echo 10000 ;;
  full-lo-20 | full-lo-30) echo 5000 ;;
  full-lo-tx-*) echo 5000 ;;
  full-mlp-10) echo 3000 ;;
  full-mlp-20) echo 1500 ;;
  full-mlp-30 | full-siso-30) echo 1000 ;;
  *) echo 2000 ;;
  esac
}

# model NAME: trains $models/NAME.safetensors unless it is there, newer than what it is made by
model() ( # in a shell of its own: the variables are its own
  trained=$models/$1.safetensors
  if [ "$(find "$trained" -newer "$(command -v l2o-train)" -newer "$root/experiments/sum-rate/train.sh" -newer "$root/experiments/sum-rate/$(config_of "$1")" 2>/dev/null)" ]; then
    return
  fi
  echo "train $1"
  folder=$models/$1
  name=$1
  [ "$size" = full ] || folder=$folder.$$ # figures that run side by side
  set -- --steps "$(updates_of "$name")"
  # a short training is led by all layers
  [ "$size" = full ] || set -- "$@" --set train.batch=16 --set train.loss=weighted --set train.optimizer.lr=1e-3
  for option in $(options_of "$name"); do
    set -- "$@" --set "$option"
  done
  set -- "$root/experiments/sum-rate/$(config_of "$name")" --out "$folder" --quiet --threads 1 "$@"
  # on from a checkpoint that has the same settings; else from the beginning
  if ! { [ -f "$folder/checkpoint.safetensors" ] && l2o-train "$@" --resume 2>/dev/null; }; then
    l2o-train "$@"
  fi
  mv "$folder/model.safetensors" "$trained"
  rm -r "$folder"
)

# learned NAME: the rule with its model
learned() {
  echo "$(solver_of "$1"):model=$models/$1.safetensors"
}
