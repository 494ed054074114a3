/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/rotary.h"
#include "core/simd.h"

SIMD(void) rotate_some(l2o_real *y, const l2o_real *x, vr c, vr s, size_t half, size_t count) {
  const vr a = vr_load_some(x, count), b = vr_load_some(x + half, count);
  vr_store_some(y, vr_fnma(b, s, vr_mul(a, c)), count);
  vr_store_some(y + half, vr_fma(a, s, vr_mul(b, c)), count);
}

/* By the angles, or back by them. */
INLINE void rotate(l2o_real *y, const l2o_real *x, const l2o_real *cosine, const l2o_real *sine, bool back, size_t rows,
                   size_t heads, size_t half) {
  for (size_t i = 0; i < rows; i++, cosine += half, sine += half)
    for (size_t h = 0; h < heads; h++, x += 2 * half, y += 2 * half)
      for (size_t j = 0; j < half; j += VR) {
        const size_t count = half - j < VR ? half - j : VR;
        const vr c = vr_load_some(cosine + j, count), s = vr_load_some(sine + j, count);
        rotate_some(y + j, x + j, c, back ? vr_sub(vr_zero(), s) : s, half, count);
      }
}

void L2O_HERE(l2o_rotary_forward)(l2o_real *y, const l2o_real *x, const l2o_real *cosine, const l2o_real *sine, size_t rows,
                                  size_t heads, size_t half) {
  rotate(y, x, cosine, sine, false, rows, heads, half);
}

void L2O_HERE(l2o_rotary_backward)(l2o_real *dx, const l2o_real *dy, const l2o_real *cosine, const l2o_real *sine, size_t rows,
                                   size_t heads, size_t half) {
  rotate(dx, dy, cosine, sine, true, rows, heads, half);
}
