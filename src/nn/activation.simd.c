/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/activation.h"
#include "core/simd.h"

/* y = function(x) */
#define ELEMENTWISE(function)                                                                                                      \
  do {                                                                                                                             \
    size_t i = 0;                                                                                                                  \
    for (; i + VR <= n; i += VR)                                                                                                   \
      vr_store(y + i, function(vr_load(x + i)));                                                                                   \
    if (i < n)                                                                                                                     \
      vr_store_part(y + i, function(vr_load_part(x + i, n - i)), n - i);                                                           \
  } while (0)

void L2O_HERE(l2o_exp)(l2o_real *y, const l2o_real *x, size_t n) {
  ELEMENTWISE(vr_exp);
}

void L2O_HERE(l2o_sigmoid)(l2o_real *y, const l2o_real *x, size_t n) {
  ELEMENTWISE(vr_sigmoid);
}

void L2O_HERE(l2o_tanh)(l2o_real *y, const l2o_real *x, size_t n) {
  ELEMENTWISE(vr_tanh);
}
