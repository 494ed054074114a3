#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# rates.sh ROOT BIN: the configs of docs/guides/sum-rate.md, the learned one with a short training.
set -eu
root=$1
bin=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$bin/l2o-eval" "$root/examples/rates.yaml" --out "$out/rates" --instances 5 | grep -q '^wmmse .*[0-9]'
"$bin/l2o-train" "$root/examples/rates_learned.yaml" --out "$out/model" --quiet --steps 20
"$bin/l2o-eval" "$root/examples/rates_learned.yaml" --out "$out/learned" --model "$out/model/model.safetensors" --instances 20 | tee "$out/table"
# after so short a training already above the rule that it grew from
awk '$1 == "sum-rate-lo" { lo = $2 } $1 == "fastfp" { fastfp = $2 } END { exit !(lo > fastfp && fastfp > 10) }' "$out/table"
