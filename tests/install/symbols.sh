#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The two libraries export the names of l2o/rename_single.h, left side and right side, and nothing else; and the headers declare
# no function that is missing there: symbols.sh INCLUDE LIBDIR
set -eu
include=$1 libdir=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# compare WHAT WANTED FOUND: two sorted lists of names
compare() {
  if ! diff "$2" "$3" >"$scratch/diff"; then
    echo "$1 (< only in l2o/rename_single.h, > not there):" >&2
    cat "$scratch/diff" >&2
    exit 1
  fi
}

sed -n 's/^#define \(l2o_[a-z0-9_]*\) l2of_[a-z0-9_]*$/\1/p' "$include/rename_single.h" | sort >"$scratch/double"
sed -n 's/^#define l2o_[a-z0-9_]* \(l2of_[a-z0-9_]*\)$/\1/p' "$include/rename_single.h" | sort >"$scratch/single"
sed 's/^l2o_/l2of_/' "$scratch/double" | sort >"$scratch/renamed"
test -s "$scratch/double"
compare 'a name is not renamed to its own counterpart' "$scratch/renamed" "$scratch/single"

for library in double:l2o single:l2of; do
  nm -D --defined-only "$libdir/lib${library#*:}.so" | awk '{print $3}' | sort >"$scratch/exported"
  compare "exported by lib${library#*:}.so" "$scratch/${library%:*}" "$scratch/exported"
done

cat "$include"/*.h | tr '\n' ' ' | grep -o 'L2O_API [^;(]*(' | sed -n 's/.*[ *]\(l2o_[a-z0-9_]*\)($/\1/p' | sort >"$scratch/declared"
compare 'declared with L2O_API in the headers' "$scratch/double" "$scratch/declared"
