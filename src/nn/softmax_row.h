/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of kernels about rows of exponentials; only for files NAME.simd.c. */
#ifndef L2O_NN_SOFTMAX_ROW_H
#define L2O_NN_SOFTMAX_ROW_H
#include "core/simd.h"

/* The sum of the lanes, in double. */
SIMD(double) lane_sum(vr a) {
  l2o_real lane[VR];
  double sum = 0;
  vr_store(lane, a);
  for (size_t i = 0; i < VR; i++)
    sum += (double)lane[i];
  return sum;
}

/* The largest of z (n), n at least 1; the last vector reaches back into the one before. */
static inline l2o_real row_largest(const l2o_real *z, size_t n) {
  l2o_real lane[VR], largest = z[0];
  size_t lanes = n;
  const l2o_real *from = z;
  if (n >= VR) {
    vr most = vr_load(z + n - VR);
    for (size_t j = 0; j + VR <= n; j += VR)
      most = vr_max(most, vr_load(z + j));
    vr_store(lane, most);
    lanes = VR, from = lane, largest = lane[0];
  }
  for (size_t i = 1; i < lanes; i++)
    largest = from[i] > largest ? from[i] : largest;
  return largest;
}
#endif
