/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/layer_norm.h"
#include "core/simd.h"

/* sum (x - shift)^2 */
static double squares(const l2o_real *x, double shift, size_t n) {
  const vd by = vd_set(shift);
  vd sum = vd_zero();
  size_t j = 0;
  for (; j + VD <= n; j += VD) {
    const vd a = vd_sub(vd_from_reals(x + j), by);
    sum = vd_fma(a, a, sum);
  }
  double total = vd_sum(sum);
  for (; j < n; j++)
    total += ((double)x[j] - shift) * ((double)x[j] - shift);
  return total;
}

static double mean_of(const l2o_real *x, size_t n) {
  vd sum = vd_zero();
  size_t j = 0;
  for (; j + VD <= n; j += VD)
    sum = vd_add(sum, vd_from_reals(x + j));
  double total = vd_sum(sum);
  for (; j < n; j++)
    total += (double)x[j];
  return total / (double)n;
}

/* A row is normalised to (x - mean) scale. */
typedef struct statistics {
  double mean, scale;
} statistics;

static statistics statistics_of(const l2o_real *x, bool centred, double epsilon, size_t n) {
  const double mean = centred ? mean_of(x, n) : 0;
  return (statistics){mean, 1 / sqrt(squares(x, mean, n) / (double)n + epsilon)};
}

SIMD(vr) normalised(const l2o_real *x, vr mean, vr scale, size_t count) {
  return vr_mul(vr_sub(vr_load_some(x, count), mean), scale);
}

SIMD(void)
forward_some(l2o_real *y, const l2o_real *x, const l2o_real *gain, const l2o_real *bias, vr mean, vr scale, size_t count) {
  const vr a = normalised(x, mean, scale, count), factor = vr_load_some(gain, count);
  vr_store_some(y, bias ? vr_fma(a, factor, vr_load_some(bias, count)) : vr_mul(a, factor), count);
}

void L2O_HERE(l2o_layer_norm_forward)(l2o_real *y, const l2o_real *x, const l2o_real *gain, const l2o_real *bias, double epsilon,
                                      size_t rows, size_t width) {
  for (size_t i = 0; i < rows; i++, x += width, y += width) {
    const statistics s = statistics_of(x, bias, epsilon, width);
    const vr mean = vr_set((l2o_real)s.mean), scale = vr_set((l2o_real)s.scale);
    size_t j = 0;
    for (; j + VR <= width; j += VR)
      forward_some(y + j, x + j, gain + j, bias ? bias + j : NULL, mean, scale, VR);
    if (j < width)
      forward_some(y + j, x + j, gain + j, bias ? bias + j : NULL, mean, scale, width - j);
  }
}

/* dgain += dy o a, dbias += dy, for the normalised row a */
SIMD(void) parameters_some(l2o_real *dgain, l2o_real *dbias, const l2o_real *dy, vr a, size_t count) {
  const vr d = vr_load_some(dy, count);
  vr_store_some(dgain, vr_fma(d, a, vr_load_some(dgain, count)), count);
  if (dbias)
    vr_store_some(dbias, vr_add(d, vr_load_some(dbias, count)), count);
}

/* dx += scale (da - mean_da - a mean_da_a), da = dy o gain */
SIMD(void)
backward_some(l2o_real *dx, const l2o_real *dy, const l2o_real *gain, vr a, vr scale, vr mean_da, vr mean_da_a, size_t count) {
  vr d = vr_sub(vr_mul(vr_load_some(dy, count), vr_load_some(gain, count)), mean_da);
  d = vr_fnma(a, mean_da_a, d);
  vr_store_some(dx, vr_fma(scale, d, vr_load_some(dx, count)), count);
}

void L2O_HERE(l2o_layer_norm_backward)(l2o_real *dx, l2o_real *dgain, l2o_real *dbias, const l2o_real *dy, const l2o_real *x,
                                       const l2o_real *gain, double epsilon, size_t rows, size_t width) {
  for (size_t i = 0; i < rows; i++, x += width, dx += width, dy += width) {
    const statistics s = statistics_of(x, dbias, epsilon, width);
    const vr mean = vr_set((l2o_real)s.mean), scale = vr_set((l2o_real)s.scale);
    double sum = 0, product = 0; /* of da, of da and a */
    for (size_t j = 0; j < width; j++) {
      const double da = (double)dy[j] * (double)gain[j];
      sum += da;
      product += da * ((double)x[j] - s.mean) * s.scale;
    }
    const vr mean_da = vr_set((l2o_real)(dbias ? sum / (double)width : 0)), mean_da_a = vr_set((l2o_real)(product / (double)width));
    for (size_t j = 0; j < width; j += VR) {
      const size_t count = width - j < VR ? width - j : VR;
      const vr a = normalised(x + j, mean, scale, count);
      parameters_some(dgain + j, dbias ? dbias + j : NULL, dy + j, a, count);
      backward_some(dx + j, dy + j, gain + j, a, scale, mean_da, mean_da_a, count);
    }
  }
}
