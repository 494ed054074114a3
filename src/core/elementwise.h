/* SPDX-License-Identifier: BSD-3-Clause */
/* Updates of iterates, elementwise over (n). Written and read with the vectors of the other kernels: a wide load right behind
 * narrower stores of the same memory would wait for all of them. */
#ifndef L2O_CORE_ELEMENTWISE_H
#define L2O_CORE_ELEMENTWISE_H
#include "core/vector.h"

/* x += a d */
L2O_KERNEL(void, l2o_add_scaled, (l2o_real * x, l2o_real a, const l2o_real *d, size_t n));
static inline void l2o_add_scaled(l2o_real *x, l2o_real a, const l2o_real *d, size_t n) {
  L2O_DISPATCH(l2o_add_scaled, (x, a, d, n));
}
/* x += a p o d */
L2O_KERNEL(void, l2o_add_scaled_by, (l2o_real * x, l2o_real a, const l2o_real *p, const l2o_real *d, size_t n));
static inline void l2o_add_scaled_by(l2o_real *x, l2o_real a, const l2o_real *p, const l2o_real *d, size_t n) {
  L2O_DISPATCH(l2o_add_scaled_by, (x, a, p, d, n));
}
#endif
