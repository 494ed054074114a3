#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs the commands of the guide "First run" as they are printed there: first_run.sh ROOT BINDIR
set -eu
root=$1
PATH=$2:$PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$root/examples" examples
sh "$root/tests/examples/code_block.sh" "$root/docs/guides/first-run.md" sh >commands
sh -eu ./commands
for file in model.safetensors train.csv checkpoint.safetensors config.yaml trace.csv summary.json; do
  test -s "out/first-run/$file"
done
