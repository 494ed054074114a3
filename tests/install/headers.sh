#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every public header compiles alone, without a warning, in C11 and C++17 and in both precisions: headers.sh CC INCLUDE BUILD
set -eu
cc=$1 include=$2 build=$3
cxx=${CXX:-c++}
rm -rf "$build"
mkdir -p "$build"
for header in "$include"/l2o/*.h; do
  name=l2o/$(basename "$header")
  printf '#include <%s>\nextern int alone;\n' "$name" >"$build/alone.c"
  cp "$build/alone.c" "$build/alone.cpp"
  for precision in '' -DL2O_SINGLE; do
    # shellcheck disable=SC2086 # an empty precision is no argument
    {
      "$cc" -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -fsyntax-only $precision -I"$include" "$build/alone.c"
      "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $precision -I"$include" "$build/alone.cpp"
    }
  done
done
