/* SPDX-License-Identifier: BSD-3-Clause */
#include "reads.h"
#include "core/simd.h"

enum { CHAINS = 8 }; /* additions under way at once: two a cycle, four cycles each */

l2o_real L2O_HERE(bench_sum)(const l2o_real *x, size_t n) {
  vr sum[CHAINS];
  size_t i = 0;
  for (size_t j = 0; j < CHAINS; j++)
    sum[j] = vr_zero();
  for (; i + CHAINS * VR <= n; i += CHAINS * VR)
    for (size_t j = 0; j < CHAINS; j++)
      sum[j] = vr_add(sum[j], vr_load(x + i + j * VR));
  for (; i + VR <= n; i += VR)
    sum[0] = vr_add(sum[0], vr_load(x + i));
  if (i < n)
    sum[1] = vr_add(sum[1], vr_load_part(x + i, n - i));
  for (size_t j = 1; j < CHAINS; j++)
    sum[0] = vr_add(sum[0], sum[j]);
  l2o_real lanes[VR], total = 0;
  vr_store(lanes, sum[0]);
  for (size_t j = 0; j < VR; j++)
    total += lanes[j];
  return total;
}

void L2O_HERE(bench_triad)(l2o_real *a, const l2o_real *b, l2o_real s, const l2o_real *c, size_t n) {
  const vr factor = vr_set(s);
  size_t i = 0;
  for (; i + VR <= n; i += VR)
    vr_store(a + i, vr_fma(factor, vr_load(c + i), vr_load(b + i)));
  if (i < n)
    vr_store_part(a + i, vr_fma(factor, vr_load_part(c + i, n - i), vr_load_part(b + i, n - i)), n - i);
}
