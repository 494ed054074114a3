/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/gated_unit.h"
#include "core/simd.h"

/* The activation of a vector, and its slope unless that is NULL. */
typedef struct activated {
  vr value, slope;
} activated;

/* Phi(a), and Phi(a) + a phi(a), phi(a) = exp(-a^2 / 2) / sqrt(2 pi) */
SIMD(activated) gelu(vr a, bool slope) {
  const vr half = vr_set((l2o_real)0.5);
  const vr below = vr_fma(half, vr_erf(vr_mul(a, vr_set((l2o_real)0.70710678118654752440))), half);
  activated r = {vr_mul(a, below), below};
  if (slope) {
    const vr density = vr_mul(vr_set((l2o_real)0.39894228040143267794), vr_exp(vr_mul(vr_mul(a, a), vr_set((l2o_real)-0.5))));
    r.slope = vr_fma(a, density, below);
  }
  return r;
}

/* With t = tanh(u), u = c (a + k a^3): (1 + t) / 2 + a (1 - t^2) / 2 c (1 + 3 k a^2) */
SIMD(activated) tanh_gelu(vr a, bool slope) {
  const vr half = vr_set((l2o_real)0.5), one = vr_set(1), c = vr_set((l2o_real)0.79788456080286535588);
  const vr square = vr_mul(a, a), k = vr_set((l2o_real)0.044715);
  const vr t = vr_tanh(vr_mul(vr_mul(c, a), vr_fma(k, square, one)));
  const vr below = vr_fma(half, t, half);
  activated r = {vr_mul(a, below), below};
  if (slope) {
    const vr inner = vr_mul(c, vr_fma(vr_mul(vr_set(3), k), square, one));
    r.slope = vr_fma(vr_mul(vr_mul(half, a), vr_fnma(t, t, one)), inner, below);
  }
  return r;
}

/* With s = 1 / (1 + exp(-a)): s + a s (1 - s) */
SIMD(activated) silu(vr a) {
  const vr s = vr_sigmoid(a), value = vr_mul(a, s);
  return (activated){value, vr_fma(value, vr_sub(vr_set(1), s), s)};
}

/* Not-a-number stays; the slope at 0 is 0. */
SIMD(activated) relu(vr a) {
  const vr_mask positive = vr_lt(vr_zero(), a);
  return (activated){vr_max(vr_zero(), a), vr_select(positive, vr_set(1), vr_zero())};
}

SIMD(activated) activate(vr a, l2o_unit unit, bool slope) {
  return unit == L2O_UNIT_GELU        ? gelu(a, slope)
         : unit == L2O_UNIT_TANH_GELU ? tanh_gelu(a, slope)
         : unit == L2O_UNIT_SILU      ? silu(a)
                                      : relu(a);
}

INLINE void forward(l2o_real *y, const l2o_real *a, const l2o_real *b, l2o_unit unit, size_t n) {
  for (size_t i = 0; i < n; i += VR) {
    const size_t count = n - i < VR ? n - i : VR;
    const vr value = activate(vr_load_some(a + i, count), unit, false).value;
    vr_store_some(y + i, b ? vr_mul(value, vr_load_some(b + i, count)) : value, count);
  }
}

/* da = dy o b o activation'(a), db = dy o activation(a) */
INLINE void backward(l2o_real *da, l2o_real *db, const l2o_real *dy, const l2o_real *a, const l2o_real *b, l2o_unit unit,
                     size_t n) {
  for (size_t i = 0; i < n; i += VR) {
    const size_t count = n - i < VR ? n - i : VR;
    const activated at = activate(vr_load_some(a + i, count), unit, true);
    const vr d = vr_load_some(dy + i, count), slope = vr_mul(d, at.slope);
    vr_store_some(da + i, b ? vr_mul(slope, vr_load_some(b + i, count)) : slope, count);
    if (b)
      vr_store_some(db + i, vr_mul(d, at.value), count);
  }
}

/* A loop for each activation, which is a constant in it. */
#define FOR_UNIT(call)                                                                                                             \
  switch (unit) {                                                                                                                  \
  case L2O_UNIT_GELU:                                                                                                              \
    call(L2O_UNIT_GELU);                                                                                                           \
    break;                                                                                                                         \
  case L2O_UNIT_TANH_GELU:                                                                                                         \
    call(L2O_UNIT_TANH_GELU);                                                                                                      \
    break;                                                                                                                         \
  case L2O_UNIT_SILU:                                                                                                              \
    call(L2O_UNIT_SILU);                                                                                                           \
    break;                                                                                                                         \
  default:                                                                                                                         \
    call(L2O_UNIT_RELU);                                                                                                           \
    break;                                                                                                                         \
  }

void L2O_HERE(l2o_gated_unit_forward)(l2o_real *y, const l2o_real *a, const l2o_real *b, l2o_unit unit, size_t n) {
#define FORWARD(constant) forward(y, a, b, constant, n)
  FOR_UNIT(FORWARD)
}

void L2O_HERE(l2o_gated_unit_backward)(l2o_real *da, l2o_real *db, const l2o_real *dy, const l2o_real *a, const l2o_real *b,
                                       l2o_unit unit, size_t n) {
#define BACKWARD(constant) backward(da, db, dy, a, b, constant, n)
  FOR_UNIT(BACKWARD)
}
