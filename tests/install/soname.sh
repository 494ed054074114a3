#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Each library is lib.so -> lib.so.ABI -> lib.so.VERSION with the middle name inside: soname.sh LIBDIR VERSION
set -eu
libdir=$1 version=$2
for name in l2o l2of; do
  soname=$(objdump -p "$libdir/lib$name.so" | awk '$1 == "SONAME" {print $2}')
  case $soname in
  lib$name.so.[0-9]) ;;
  *)
    echo "lib$name.so has the soname '$soname'" >&2
    exit 1
    ;;
  esac
  test "$(readlink "$libdir/lib$name.so")" = "$soname"
  test "$(readlink "$libdir/$soname")" = "lib$name.so.$version"
done
