/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/output_scale.h"
#include "core/simd.h"

/* What value and slope share. `scale` is a constant wherever these three are called. */
SIMD(vr) common(vr a, l2o_output_scale scale) {
  switch (scale) {
  case L2O_SCALE_SIGMOID2:
  case L2O_SCALE_SIGMOID:
  case L2O_SCALE_SOFTPLUS:
    return vr_exp_minus_abs(a);
  case L2O_SCALE_EXP:
    return vr_exp(a);
  case L2O_SCALE_GAUSSIAN:
    return vr_mul(a, vr_sub(vr_zero(), a));
  default:
    return a;
  }
}

SIMD(vr) value(vr a, vr e, l2o_output_scale scale) {
  switch (scale) {
  case L2O_SCALE_SIGMOID2:
    return vr_mul(vr_set(2), vr_sigmoid_of(a, e));
  case L2O_SCALE_SIGMOID:
    return vr_sigmoid_of(a, e);
  case L2O_SCALE_SOFTPLUS: /* max(a, 0) + log1p(exp(-|a|)) */
    return vr_add(vr_max(a, vr_zero()), vr_log1p(e));
  case L2O_SCALE_GAUSSIAN: /* -2 expm1(-a^2) */
    return vr_mul(vr_set(-2), vr_expm1(e));
  default:
    return e;
  }
}

SIMD(vr) slope(vr a, vr e, l2o_output_scale scale) {
  const vr root = vr_add(vr_set(1), e);
  switch (scale) {
  case L2O_SCALE_SIGMOID2: /* 2 s(a) s(-a), s(a) s(-a) = e / (1 + e)^2 with e = exp(-|a|) */
    return vr_div(vr_mul(vr_set(2), e), vr_mul(root, root));
  case L2O_SCALE_SIGMOID:
    return vr_div(e, vr_mul(root, root));
  case L2O_SCALE_EXP:
    return e;
  case L2O_SCALE_SOFTPLUS: /* s(a) */
    return vr_sigmoid_of(a, e);
  case L2O_SCALE_GAUSSIAN: /* 4 a exp(-a^2) */
    return vr_mul(vr_mul(vr_set(4), a), vr_exp(e));
  default:
    return vr_set(1);
  }
}

/* One loop a scale: `loop` gets it as a constant. */
#define FOR_EACH_SCALE(loop, ...)                                                                                                  \
  switch (scale) {                                                                                                                 \
  case L2O_SCALE_SIGMOID2:                                                                                                         \
    loop(__VA_ARGS__, L2O_SCALE_SIGMOID2, n);                                                                                      \
    break;                                                                                                                         \
  case L2O_SCALE_SIGMOID:                                                                                                          \
    loop(__VA_ARGS__, L2O_SCALE_SIGMOID, n);                                                                                       \
    break;                                                                                                                         \
  case L2O_SCALE_EXP:                                                                                                              \
    loop(__VA_ARGS__, L2O_SCALE_EXP, n);                                                                                           \
    break;                                                                                                                         \
  case L2O_SCALE_IDENTITY:                                                                                                         \
    loop(__VA_ARGS__, L2O_SCALE_IDENTITY, n);                                                                                      \
    break;                                                                                                                         \
  case L2O_SCALE_SOFTPLUS:                                                                                                         \
    loop(__VA_ARGS__, L2O_SCALE_SOFTPLUS, n);                                                                                      \
    break;                                                                                                                         \
  case L2O_SCALE_GAUSSIAN:                                                                                                         \
    loop(__VA_ARGS__, L2O_SCALE_GAUSSIAN, n);                                                                                      \
    break;                                                                                                                         \
  }

SIMD(vr) forward_at(vr a, l2o_output_scale scale) {
  return value(a, common(a, scale), scale);
}

SIMD(void) forward(l2o_real *p, const l2o_real *a, l2o_output_scale scale, size_t n) {
  size_t i = 0;
  for (; i + VR <= n; i += VR)
    vr_store(p + i, forward_at(vr_load(a + i), scale));
  if (i < n)
    vr_store_part(p + i, forward_at(vr_load_part(a + i, n - i), scale), n - i);
}

void L2O_HERE(l2o_output_scale_forward)(l2o_real *p, const l2o_real *a, l2o_output_scale scale,
                                        size_t n){FOR_EACH_SCALE(forward, p, a)}

SIMD(void) slopes(l2o_real *p, l2o_real *ds, const l2o_real *a, l2o_output_scale scale, size_t n) {
  size_t i = 0;
  for (; i + VR <= n; i += VR) {
    const vr raw = vr_load(a + i), e = common(raw, scale);
    vr_store(p + i, value(raw, e, scale));
    vr_store(ds + i, slope(raw, e, scale));
  }
  if (i < n) {
    const vr raw = vr_load_part(a + i, n - i), e = common(raw, scale);
    vr_store_part(p + i, value(raw, e, scale), n - i);
    vr_store_part(ds + i, slope(raw, e, scale), n - i);
  }
}

void L2O_HERE(l2o_output_scale_slopes)(l2o_real *p, l2o_real *ds, const l2o_real *a, l2o_output_scale scale, size_t n) {
  FOR_EACH_SCALE(slopes, p, ds, a)
}
