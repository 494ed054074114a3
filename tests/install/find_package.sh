#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Builds and runs the consumer through find_package(l2o): find_package.sh CMAKE CC PREFIX SOURCE BUILD
set -eu
cmake=$1 cc=$2 prefix=$3 source=$4 build=$5
rm -rf "$build"
"$cmake" -S "$source" -B "$build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix"
"$cmake" --build "$build"
for program in double_c double_cpp single_c single_cpp both; do
  "$build/$program"
done

# A version that this one does not stand in for is refused.
if "$cmake" -S "$source" -B "$build.future" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED=99.0 >/dev/null 2>&1; then
  echo "find_package(l2o 99.0) was satisfied" >&2
  exit 1
fi
