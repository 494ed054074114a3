/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/elementwise.h"
#include "core/simd.h"

void L2O_HERE(l2o_add_scaled)(l2o_real *x, l2o_real a, const l2o_real *d, size_t n) {
  const vr factor = vr_set(a);
  size_t i = 0;
  for (; i + VR <= n; i += VR)
    vr_store(x + i, vr_fma(factor, vr_load(d + i), vr_load(x + i)));
  if (i < n)
    vr_store_part(x + i, vr_fma(factor, vr_load_part(d + i, n - i), vr_load_part(x + i, n - i)), n - i);
}

void L2O_HERE(l2o_add_scaled_by)(l2o_real *x, l2o_real a, const l2o_real *p, const l2o_real *d, size_t n) {
  const vr factor = vr_set(a);
  size_t i = 0;
  for (; i + VR <= n; i += VR)
    vr_store(x + i, vr_fma(vr_mul(factor, vr_load(p + i)), vr_load(d + i), vr_load(x + i)));
  if (i < n)
    vr_store_part(x + i, vr_fma(vr_mul(factor, vr_load_part(p + i, n - i)), vr_load_part(d + i, n - i), vr_load_part(x + i, n - i)),
                  n - i);
}
