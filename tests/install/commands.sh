#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The installed commands find their libraries and tell their version: commands.sh BINDIR VERSION
set -eu
bindir=$1 version=$2
for command in l2o-train l2o-eval; do
  "$bindir/$command" --version | grep -F "$version"
  if ldd "$bindir/$command" | grep 'not found'; then
    exit 1
  fi
done
