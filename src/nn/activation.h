/* SPDX-License-Identifier: BSD-3-Clause */
/* Activations of networks, elementwise over (n); y may be x. Through SLEEF (Shibata and Petrogalli, IEEE TPDS 31(6), 2020), with
 * the distance from the formula that tests/unit/test_activation.c finds at most; the same instructions for whole vectors and tails,
 * so that an element's result depends neither on n nor on its place. Not-a-number stays, infinities give the limits. */
#ifndef L2O_NN_ACTIVATION_H
#define L2O_NN_ACTIVATION_H
#include "core/vector.h"

/* y = exp(x), within 1.0 unit in the last place */
L2O_KERNEL(void, l2o_exp, (l2o_real * y, const l2o_real *x, size_t n));
static inline void l2o_exp(l2o_real *y, const l2o_real *x, size_t n) {
  L2O_DISPATCH(l2o_exp, (y, x, n));
}

/* y = 1 / (1 + exp(-x)), within 2.5 units: neither overflow nor cancellation */
L2O_KERNEL(void, l2o_sigmoid, (l2o_real * y, const l2o_real *x, size_t n));
static inline void l2o_sigmoid(l2o_real *y, const l2o_real *x, size_t n) {
  L2O_DISPATCH(l2o_sigmoid, (y, x, n));
}

/* y = tanh(x), within 1.01 units */
L2O_KERNEL(void, l2o_tanh, (l2o_real * y, const l2o_real *x, size_t n));
static inline void l2o_tanh(l2o_real *y, const l2o_real *x, size_t n) {
  L2O_DISPATCH(l2o_tanh, (y, x, n));
}
#endif
