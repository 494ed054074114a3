#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Where nothing is installed, configuring tells in one line which Debian packages to get, and scripts/install-packages gets just
# those: missing.sh CMAKE CC SOURCE BUILD
set -eu
cmake=$1 cc=$2 source=$3 build=$4
rm -rf "$build"
if "$cmake" -S "$source" -B "$build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_FIND_ROOT_PATH=/nowhere \
  -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY >"$build.log" 2>&1; then
  echo "configured without any dependency" >&2
  exit 1
fi
line=$(grep 'apt-get install' "$build.log")
echo "$line"
packages=${line##*apt-get install }
installed=" $("$source/scripts/install-packages" test --list) "
for package in libopenblas-openmp-dev liblapacke-dev libcjson-dev zlib1g-dev librandom123-dev libyaml-dev libgsl-dev libcmocka-dev; do
  case " $packages " in *" $package "*) ;; *) echo "$package is not named" >&2 && exit 1 ;; esac
done
for package in $packages; do
  case $installed in *" $package "*) ;; *) echo "scripts/install-packages does not have $package" >&2 && exit 1 ;; esac
done
