#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs the commands of the guide "Train a network" as they are printed there: network.sh ROOT BINDIR
set -eu
root=$1
PATH=$2:$PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$root/examples" examples
ln -s "$root/experiments" experiments
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$root/docs/guides/train-network.md" >commands
[ "$(grep -c '^l2o-' commands)" -eq 2 ]
sh -eu ./commands >printed
# The promised losses, with room for the last bits of other processors, which training magnifies.
sed 1d out/digits/train.csv | awk -F, 'NR == 1 && ($2 < 2.29 || $2 > 2.33) { bad = 1 } { last = $2 } END { exit bad || last > 0.07 }'
awk -F, '$2 == "mean" { if ($3 == 0 && ($4 < 1.1 || $4 > 1.7)) bad = 1; if ($3 == 1000) end[$1] = $4 }
  END { exit bad || !(end["adam"] < 0.3 && end["mezo"] < 0.9 && end["agzo"] < 0.9) }' out/rotated/trace.csv
