#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Builds and runs the consumer through pkg-config: pkg_config.sh CC LIBDIR SOURCE BUILD
set -eu
cc=$1 libdir=$2 source=$3 build=$4
cxx=${CXX:-c++}
rm -rf "$build"
mkdir -p "$build"
export PKG_CONFIG_PATH="$libdir/pkgconfig"

# flags PACKAGE: what to compile and link with, finding the library where it is
flags() { echo "$(pkg-config --cflags --libs "$1") -Wl,-rpath,$libdir"; }
# shellcheck disable=SC2046 # flags are words
{
  "$cc" -std=c11 "$source/minimize.c" -o "$build/double_c" $(flags l2o)
  "$cc" -std=c11 "$source/minimize.c" -o "$build/single_c" $(flags l2of)
  "$cxx" -std=c++17 "$source/minimize.cpp" -o "$build/double_cpp" $(flags l2o)
  "$cxx" -std=c++17 "$source/minimize.cpp" -o "$build/single_cpp" $(flags l2of)
  "$cc" -std=c11 -c "$source/part.c" -o "$build/part_double.o" $(pkg-config --cflags l2o)
  "$cc" -std=c11 -c "$source/part.c" -o "$build/part_single.o" $(pkg-config --cflags l2of)
  "$cc" -std=c11 "$source/both.c" "$build/part_double.o" "$build/part_single.o" -o "$build/both" $(flags l2o) -ll2of
}
for program in double_c single_c double_cpp single_cpp both; do
  "$build/$program"
done

# The wrong library must not link.
# shellcheck disable=SC2046
if "$cc" -std=c11 "$source/minimize.c" -o "$build/wrong" $(pkg-config --cflags l2of) $(pkg-config --libs l2o) 2>"$build/wrong.log"; then
  echo "a single-precision program linked with the double-precision library" >&2
  exit 1
fi
grep -q 'undefined reference to `l2of_' "$build/wrong.log"
