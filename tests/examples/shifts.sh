#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs the commands of the guide "Out of distribution, and sweeps" as they are printed there: shifts.sh ROOT BINDIR
set -eu
root=$1
PATH=$2:$PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$root/examples" examples
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$root/docs/guides/out-of-distribution.md" >commands
[ "$(grep -c '^l2o-eval ' commands)" -eq 5 ]
sh -eu ./commands >printed
for sweep in start published l1; do
  test -s "out/$sweep/sweep.csv"
done
sed -n '/^solver/,$p' "$root/docs/guides/out-of-distribution.md" | sed '/^```$/,$d' | awk 'NR > 1 { print $1, $2, $6 }' >promised
grep -A 5 'by problem.shift.start' printed | awk 'NR > 3 { print $1, $2, $6 }' >kept
# The names, and the far ends to a per cent; in between rounding has its say.
[ "$(wc -l <promised)" -eq 3 ]
paste -d ' ' promised kept | awk '{ for (i = 2; i < 4; i++) { d = $i - $(i + 3); if (d < 0) d = -d; if (d > 1e-2 * $i) bad = 1 } if ($1 != $4) bad = 1 } END { exit bad }'
