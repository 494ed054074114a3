#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs a program in a folder with the data sets and nothing else; it must succeed and print a line for every pattern: run.sh PROGRAM PATTERN...
set -eu
program=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$(cd "$(dirname "$0")/../.." && pwd)"/experiments/data/*.libsvm "$folder"
cd "$folder"
"$program" >output || {
  cat output
  exit 1
}
cat output
for pattern in "$@"; do
  grep -Eq -e "$pattern" output || {
    echo "no line matches: $pattern" >&2
    exit 1
  }
done
