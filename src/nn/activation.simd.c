/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/activation.h"
#include "core/simd.h"

void L2O_HERE(l2o_exp)(l2o_real *y, const l2o_real *x, size_t n) {
  size_t i = 0;
  for (; i + VR <= n; i += VR)
    vr_store(y + i, vr_exp(vr_load(x + i)));
  if (i < n)
    vr_store_part(y + i, vr_exp(vr_load_part(x + i, n - i)), n - i);
}
