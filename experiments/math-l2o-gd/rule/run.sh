#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$(dirname "$0")/../figure.sh"

# Reads the model through the library; built with the commands.
: "${L2O_STEP_RULE=$root/build/release/experiments/math-l2o-gd/l2o-step-rule}"

updates=400 # the first one does it all
[ "$size" = full ] || updates=3
train run --steps $((updates + 1))
"$L2O_STEP_RULE" "$out/run/model.safetensors" qp:n=512,m=400,sampler=torch,instances=10 895 10 100 "$out"
draw "$here/plane.gp" plane
draw "$here/steps.gp" steps
check
