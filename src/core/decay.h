/* SPDX-License-Identifier: BSD-3-Clause */
/* The exponential of losses that sum exponentials, each shifted so that it cannot overflow. */
#ifndef L2O_CORE_DECAY_H
#define L2O_CORE_DECAY_H
#include "core/vector.h"

/* y = exp(-|x|) elementwise over (n), within 1.0 unit in the last place, but 0 where that is below 2^-94 (float) or 2^-400: its
 * share of a number of rows (float) or its square (double) would be a denormal number, on which arithmetic is many times slower. y
 * may be x; not-a-number stays. */
L2O_KERNEL(void, l2o_decay, (l2o_real * y, const l2o_real *x, size_t n));
static inline void l2o_decay(l2o_real *y, const l2o_real *x, size_t n) {
  L2O_DISPATCH(l2o_decay, (y, x, n));
}

/* sum_i ln(1 + exp(-t_i)) = sum_i max(-t_i, 0) + ln(1 + e_i) in double, e (n) as from l2o_decay(), which neither overflows nor
 * cancels; e may not be t */
L2O_KERNEL(double, l2o_logistic_losses, (l2o_real * e, const l2o_real *t, size_t n));
static inline double l2o_logistic_losses(l2o_real *e, const l2o_real *t, size_t n) {
  return L2O_DISPATCH(l2o_logistic_losses, (e, t, n));
}
#endif
