/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/attention.h"
#include "nn/softmax_row.h"

/* z = exp(scale (z - shift)); returns the sum */
static double exponentials(l2o_real *z, l2o_real shift, l2o_real scale, size_t n) {
  const vr by = vr_set(shift), factor = vr_set(scale);
  vr sum = vr_zero();
  for (size_t j = 0; j < n; j += VR) {
    const size_t count = n - j < VR ? n - j : VR;
    vr_store_some(z + j, vr_exp(vr_mul(factor, vr_sub(vr_load_some(z + j, count), by))), count);
    sum = vr_add(sum, vr_load_some(z + j, count));
  }
  return lane_sum(sum);
}

static void multiply(l2o_real *z, l2o_real by, size_t n) {
  const vr factor = vr_set(by);
  for (size_t j = 0; j < n; j += VR) {
    const size_t count = n - j < VR ? n - j : VR;
    vr_store_some(z + j, vr_mul(factor, vr_load_some(z + j, count)), count);
  }
}

void L2O_HERE(l2o_causal_softmax_forward)(l2o_real *S, double scale, size_t n) {
  for (size_t i = 0; i < n; i++, S += n) {
    const double sum = exponentials(S, row_largest(S, i + 1), (l2o_real)scale, i + 1);
    multiply(S, (l2o_real)(1 / sum), i + 1);
    memset(S + i + 1, 0, (n - i - 1) * sizeof *S);
  }
}

static double product(const l2o_real *a, const l2o_real *b, size_t n) {
  vr sum = vr_zero();
  for (size_t j = 0; j < n; j += VR) {
    const size_t count = n - j < VR ? n - j : VR;
    sum = vr_fma(vr_load_some(a + j, count), vr_load_some(b + j, count), sum);
  }
  return lane_sum(sum);
}

void L2O_HERE(l2o_causal_softmax_backward)(l2o_real *dP, const l2o_real *P, double scale, size_t n) {
  const vr factor = vr_set((l2o_real)scale);
  for (size_t i = 0; i < n; i++, P += n, dP += n) {
    const vr mean = vr_set((l2o_real)product(P, dP, i + 1));
    for (size_t j = 0; j < n; j += VR) { /* P is 0 behind the diagonal */
      const size_t count = n - j < VR ? n - j : VR;
      const vr d = vr_sub(vr_load_some(dP + j, count), mean);
      vr_store_some(dP + j, vr_mul(factor, vr_mul(vr_load_some(P + j, count), d)), count);
    }
  }
}
