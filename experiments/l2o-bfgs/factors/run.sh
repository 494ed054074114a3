#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# How far the learned factors are from 1 along the iterations, and how often the safeguard holds them back.
. "$(dirname "$0")/../../figure.sh"

# Reads the model through the library; built with the commands.
: "${L2O_FACTORS=$root/build/release/experiments/l2o-bfgs/l2o-factors}"

part=1
instances=100
names='LOG-I LOG-sc LS-cond'
ten='LOG-I LOG-sc unit'
if [ "$size" = small ]; then
  part=10
  instances=20
  names=LOG-sc
  ten='LOG-sc unit'
fi

tolerance=1e-11

# train NAME UPDATES HORIZON GATE [options of l2o-train]
train() {
  name=$1
  updates=$2
  horizon=$3
  gate=$4
  shift 4
  echo "train $name"
  l2o-train "$here/config.yaml" --out "$out/model-$name" --quiet --threads 1 --steps $((updates / part)) \
    --set train.horizon="$horizon" --set model.gate="$gate" "$@"
}

# look NAME MODEL FAMILY GATE
look() {
  "$L2O_FACTORS" "$out/model-$2/model.safetensors" "$3" 900001 $instances $tolerance "$4" "$1" "$out"
}

for name in $names; do
  case $name in
  LOG-I)
    train LOG-I 6000 30 30 --set model.h0=identity --set model.rescale=off --set model.p_high=12
    look LOG-I LOG-I logistic 30
    ;;
  LOG-sc)
    train LOG-sc 6000 16 16 --set model.h0=scaled --set model.rescale=on --set model.p_high=16
    look LOG-sc LOG-sc logistic 16
    ;;
  LS-cond)
    train LS-cond 6000 60 60 --set model.h0=scaled --set model.rescale=on --set model.p_high=30 --set problem.family=least-squares \
      --set problem.condition=100
    look LS-cond LS-cond least-squares:condition=100 60
    ;;
  esac
done
# Few unknowns, where BFGS reaches its superlinear phase before the precision ends: trained, and untrained, which is unit steps.
train unit 0 16 16 --set model.h0=scaled --set model.rescale=on
for name in $ten; do
  gate=16
  [ "$name" != LOG-I ] || gate=30
  look "$name-n10" "$name" logistic:n=10,m=100 "$gate"
done
draw "$here/plot.gp" factors "names = '$names'; ten = '$ten'"
check
