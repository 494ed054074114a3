/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/power_mlp.h"
#include "core/simd.h"

/* sum += a x */
SIMD(void) add_to_sum(double *sum, double a, const l2o_real *x, size_t n) {
  const vd factor = vd_set(a);
  size_t j = 0;
  for (; j + VD <= n; j += VD)
    vd_store(sum + j, vd_fma(factor, vd_from_reals(x + j), vd_load(sum + j)));
  if (j < n)
    vd_store_part(sum + j, vd_fma(factor, vd_from_reals_part(x + j, n - j), vd_load_part(sum + j, n - j)), n - j);
}

/* y += a x */
SIMD(void) add_to(l2o_real *y, l2o_real a, const l2o_real *x, size_t n) {
  const vr factor = vr_set(a);
  size_t j = 0;
  for (; j + VR <= n; j += VR)
    vr_store(y + j, vr_fma(factor, vr_load(x + j), vr_load(y + j)));
  if (j < n)
    vr_store_part(y + j, vr_fma(factor, vr_load_part(x + j, n - j), vr_load_part(y + j, n - j)), n - j);
}

void L2O_HERE(l2o_layer_backward)(double *dW, double *db, l2o_real *dz, const l2o_real *W, const l2o_real *da, const l2o_real *z,
                                  size_t rows, size_t columns) {
  if (dz)
    memset(dz, 0, columns * sizeof *dz);
  for (size_t i = 0; i < rows; i++) {
    if (da[i] == 0)
      continue;
    db[i] += (double)da[i];
    add_to_sum(dW + i * columns, (double)da[i], z, columns);
    if (dz)
      add_to(dz, da[i], W + i * columns, columns);
  }
}
