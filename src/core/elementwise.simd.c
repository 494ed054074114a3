/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/elementwise.h"
#include "core/simd.h"

/* Each operation is rounded, as plain C does it: rules that contain each other give the same bits. */
SIMD(vr) add_scaled(vr x, vr a, vr d) {
  return vr_add(x, vr_mul(a, d));
}

void L2O_HERE(l2o_add_scaled)(l2o_real *x, l2o_real a, const l2o_real *d, size_t n) {
  const vr factor = vr_set(a);
  size_t i = 0;
  for (; i + VR <= n; i += VR)
    vr_store(x + i, add_scaled(vr_load(x + i), factor, vr_load(d + i)));
  if (i < n)
    vr_store_part(x + i, add_scaled(vr_load_part(x + i, n - i), factor, vr_load_part(d + i, n - i)), n - i);
}

void L2O_HERE(l2o_add_scaled_by)(l2o_real *x, l2o_real a, const l2o_real *p, const l2o_real *d, size_t n) {
  const vr factor = vr_set(a);
  size_t i = 0;
  for (; i + VR <= n; i += VR)
    vr_store(x + i, add_scaled(vr_load(x + i), vr_mul(factor, vr_load(p + i)), vr_load(d + i)));
  if (i < n) {
    const vr step = vr_mul(factor, vr_load_part(p + i, n - i));
    vr_store_part(x + i, add_scaled(vr_load_part(x + i, n - i), step, vr_load_part(d + i, n - i)), n - i);
  }
}
