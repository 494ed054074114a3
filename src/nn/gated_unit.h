/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands between the matrices of a layer of a language model, elementwise over (n):
 *
 *   y = activation(a) o b, or y = activation(a) where b is NULL                          (gated: Shazeer, 2020)
 *   gelu(a) = a Phi(a), Phi(a) = (1 + erf(a / sqrt 2)) / 2                               (Hendrycks, Gimpel, 2016)
 *   tanh-gelu(a) = a (1 + tanh(sqrt(2/pi) (a + 0.044715 a^3))) / 2
 *   silu(a) = a / (1 + exp(-a))
 *   relu(a) = max(0, a)
 *
 * docs/derivations/transformer.md */
#ifndef L2O_NN_GATED_UNIT_H
#define L2O_NN_GATED_UNIT_H
#include "core/vector.h"

typedef enum l2o_unit { L2O_UNIT_GELU, L2O_UNIT_TANH_GELU, L2O_UNIT_SILU, L2O_UNIT_RELU } l2o_unit;

/* y may be a or b. */
L2O_KERNEL(void, l2o_gated_unit_forward, (l2o_real * y, const l2o_real *a, const l2o_real *b, l2o_unit unit, size_t n));
static inline void l2o_gated_unit_forward(l2o_real *y, const l2o_real *a, const l2o_real *b, l2o_unit unit, size_t n) {
  L2O_DISPATCH(l2o_gated_unit_forward, (y, a, b, unit, n));
}

/* da = (d y / d a)' dy, db likewise unless b is NULL; da and db may be a and b: not sums, since nobody else reads a and b. */
L2O_KERNEL(void, l2o_gated_unit_backward,
           (l2o_real * da, l2o_real *db, const l2o_real *dy, const l2o_real *a, const l2o_real *b, l2o_unit unit, size_t n));
static inline void l2o_gated_unit_backward(l2o_real *da, l2o_real *db, const l2o_real *dy, const l2o_real *a, const l2o_real *b,
                                           l2o_unit unit, size_t n) {
  L2O_DISPATCH(l2o_gated_unit_backward, (da, db, dy, a, b, unit, n));
}
#endif
