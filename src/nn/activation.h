/* SPDX-License-Identifier: BSD-3-Clause */
/* Activations of networks, elementwise over (n); y may be x. Through SLEEF (Shibata and Petrogalli, IEEE TPDS 31(6), 2020), whose
 * functions are within 1.0 unit in the last place; the same instructions for whole vectors and tails. */
#ifndef L2O_NN_ACTIVATION_H
#define L2O_NN_ACTIVATION_H
#include "core/vector.h"

/* y = exp(x) */
L2O_KERNEL(void, l2o_exp, (l2o_real * y, const l2o_real *x, size_t n));
static inline void l2o_exp(l2o_real *y, const l2o_real *x, size_t n) {
  L2O_DISPATCH(l2o_exp, (y, x, n));
}
#endif
