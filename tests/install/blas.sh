#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every cblas_ call of the command and of all its libraries, GSL's included, is answered by OpenBLAS: blas.sh COMMAND
# (gslcblas defines the same names and is an order of magnitude slower.)
set -eu
bindings=$(LD_BIND_NOW=1 LD_DEBUG=bindings "$1" --version 2>&1 | grep 'symbol `cblas_')
echo "$bindings" | grep -q 'symbol `cblas_dgemv'
if echo "$bindings" | grep -v ' to [^ ]*libopenblas[^ ]* '; then
  echo "these calls do not go to OpenBLAS" >&2
  exit 1
fi
