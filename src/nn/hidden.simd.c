/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/hidden.h"
#include "core/simd.h"

/* P(z), the distribution function of N(0, 1) */
SIMD(vr) normal_share(vr z) {
  const vr half = vr_set((l2o_real)0.5);
  return vr_fma(half, vr_erf(vr_mul(z, vr_set((l2o_real)0.70710678118654752))), half);
}

SIMD(vr) relu(vr z) {
  return vr_max(vr_zero(), z); /* in this order not-a-number stays */
}
SIMD(vr) gelu(vr z) {
  return vr_mul(z, normal_share(z));
}
SIMD(vr) silu(vr z) {
  return vr_mul(z, vr_sigmoid(z));
}

SIMD(vr) relu_slope(vr a, vr z) {
  (void)a;
  return vr_select(vr_lt(vr_zero(), z), vr_set(1), vr_zero());
}
SIMD(vr) tanh_slope(vr a, vr z) {
  (void)z;
  return vr_fnma(a, a, vr_set(1));
}
SIMD(vr) gelu_slope(vr a, vr z) {
  const vr density = vr_mul(vr_exp(vr_mul(vr_mul(z, z), vr_set((l2o_real)-0.5))), vr_set((l2o_real)0.39894228040143268));
  (void)a;
  return vr_fma(z, density, normal_share(z));
}
SIMD(vr) silu_slope(vr a, vr z) {
  const vr q = vr_sigmoid(z);
  return vr_fnma(a, q, vr_add(a, q)); /* q + z q (1 - q) = q + a - a q */
}

/* a = function(z) */
#define FORWARD(function)                                                                                                          \
  do {                                                                                                                             \
    for (size_t i = 0; i < n; i += VR) {                                                                                           \
      const size_t count = n - i < VR ? n - i : VR;                                                                                \
      vr_store_some(a + i, function(vr_load_some(z + i, count)), count);                                                           \
    }                                                                                                                              \
  } while (0)

/* d = d o slope(a, z) */
#define BACKWARD(slope)                                                                                                            \
  do {                                                                                                                             \
    for (size_t i = 0; i < n; i += VR) {                                                                                           \
      const size_t count = n - i < VR ? n - i : VR;                                                                                \
      const vr s = slope(vr_load_some(a + i, count), vr_load_some(z + i, count));                                                  \
      vr_store_some(d + i, vr_mul(vr_load_some(d + i, count), s), count);                                                          \
    }                                                                                                                              \
  } while (0)

void L2O_HERE(l2o_hidden_forward)(l2o_real *a, const l2o_real *z, l2o_hidden kind, size_t n) {
  switch (kind) {
  case L2O_HIDDEN_RELU:
    FORWARD(relu);
    break;
  case L2O_HIDDEN_TANH:
    FORWARD(vr_tanh);
    break;
  case L2O_HIDDEN_GELU:
    FORWARD(gelu);
    break;
  case L2O_HIDDEN_SILU:
    FORWARD(silu);
    break;
  }
}

void L2O_HERE(l2o_hidden_backward)(l2o_real *d, const l2o_real *a, const l2o_real *z, l2o_hidden kind, size_t n) {
  switch (kind) {
  case L2O_HIDDEN_RELU:
    BACKWARD(relu_slope);
    break;
  case L2O_HIDDEN_TANH:
    BACKWARD(tanh_slope);
    break;
  case L2O_HIDDEN_GELU:
    BACKWARD(gelu_slope);
    break;
  case L2O_HIDDEN_SILU:
    BACKWARD(silu_slope);
    break;
  }
}
