/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/cross_entropy.h"
#include "nn/softmax_row.h"

/* sum exp(z - shift) */
static double sum_of_exponentials(const l2o_real *z, l2o_real shift, size_t n) {
  const vr by = vr_set(shift);
  vr sum = vr_zero();
  size_t j = 0;
  for (; j + VR <= n; j += VR)
    sum = vr_add(sum, vr_exp(vr_sub(vr_load(z + j), by)));
  if (j < n) {
    l2o_real rest[VR] = {0};
    vr_store_part(rest, vr_exp(vr_sub(vr_load_part(z + j, n - j), by)), n - j);
    sum = vr_add(sum, vr_load(rest));
  }
  return lane_sum(sum);
}

void L2O_HERE(l2o_cross_entropy_forward)(l2o_real *largest, double *sum, const l2o_real *z, size_t stride, size_t rows,
                                         size_t columns) {
  for (size_t i = 0; i < rows; i++, z += stride) {
    const l2o_real here = row_largest(z, columns);
    if (here > largest[i]) {
      sum[i] *= exp((double)largest[i] - (double)here);
      largest[i] = here;
    }
    sum[i] += sum_of_exponentials(z, largest[i], columns);
  }
}

void L2O_HERE(l2o_cross_entropy_backward)(l2o_real *z, const l2o_real *largest, const double *sum, const l2o_real *share,
                                          size_t stride, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++, z += stride) {
    const vr by = vr_set(largest[i]), factor = vr_set((l2o_real)((double)share[i] / sum[i]));
    for (size_t j = 0; j < columns; j += VR) {
      const size_t count = columns - j < VR ? columns - j : VR;
      vr_store_some(z + j, vr_mul(factor, vr_exp(vr_sub(vr_load_some(z + j, count), by))), count);
    }
  }
}
