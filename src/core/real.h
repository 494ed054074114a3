/* SPDX-License-Identifier: BSD-3-Clause */
/* Mathematical functions of l2o_real. */
#ifndef L2O_CORE_REAL_H
#define L2O_CORE_REAL_H
#include <l2o/base.h>
#include <math.h>
#include <string.h>
#ifdef L2O_SINGLE
#define r_exp expf
#define r_expm1 expm1f
#define r_log1p log1pf
#define r_sqrt sqrtf
#define r_abs fabsf
#else
#define r_exp exp
#define r_expm1 expm1
#define r_log1p log1p
#define r_sqrt sqrt
#define r_abs fabs
#endif

/* exp(-|x|) by 2^k p(r), |r| <= ln 2 / 2: straight code that the compiler vectorises, unlike a call of exp(). Relative error below
 * 2e-7 (float), 3e-16 (double); arguments beyond -87 (-708) count as that. Not-a-number stays. */
static inline l2o_real r_exp_minus_abs(l2o_real x) {
#ifdef L2O_SINGLE
  float y = -fabsf(x);
  y = y < -87.0f ? -87.0f : y;
  const float shifted = y * 0x1.715476p+0f + 0x1.8p23f, k = shifted - 0x1.8p23f; /* nearest integer to y / ln 2 */
  const float r = (y - k * 0x1.62ep-1f) - k * 0x1.0bfbe8p-15f;
  const float p = 1 + r * (1 + r * (0.5f + r * (1.6666667e-1f + r * (4.1666668e-2f + r * (8.3333338e-3f + r * 1.3888889e-3f)))));
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return p * power;
#else
  double y = -fabs(x);
  y = y < -708.0 ? -708.0 : y;
  const double shifted = y * 0x1.71547652b82fep+0 + 0x1.8p52, k = shifted - 0x1.8p52;
  const double r = (y - k * 0x1.62e42fefa0000p-1) - k * 0x1.cf79abc9e3b3ap-40;
  const double p =
      1 +
      r * (1 + r * (1.0 / 2 +
                    r * (1.0 / 6 +
                         r * (1.0 / 24 +
                              r * (1.0 / 120 +
                                   r * (1.0 / 720 +
                                        r * (1.0 / 5040 +
                                             r * (1.0 / 40320 +
                                                  r * (1.0 / 362880 +
                                                       r * (1.0 / 3628800 + r * (1.0 / 39916800 + r * (1.0 / 479001600))))))))))));
  uint64_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 1023) << 52;
  double power;
  memcpy(&power, &bits, sizeof power);
  return p * power;
#endif
}

/* exp(-|x|), 0 where that is below 2^-94 (float) or 2^-400: its share of a number of rows (float) or its square (double) would be a
 * denormal number, on which arithmetic is many times slower. */
static inline l2o_real r_decay(l2o_real x) {
#ifdef L2O_SINGLE
  const l2o_real least = 0x1p-94f;
#else
  const l2o_real least = 0x1p-400;
#endif
  const l2o_real e = r_exp_minus_abs(x);
  return e < least ? 0 : e;
}
#endif
