/* SPDX-License-Identifier: BSD-3-Clause */
/* What hidden layers do to each number: a = s(z), elementwise over (n),
 *   relu  max(z, 0)                         s' = 1 where z > 0, else 0
 *   tanh  tanh(z)                           s' = 1 - a^2
 *   gelu  z P(z) (Hendrycks, Gimpel 2016)   s' = P + z exp(-z^2 / 2) / sqrt(2 pi),  P(z) = (1 + erf(z / sqrt 2)) / 2
 *   silu  z sigmoid(z)                      s' = q (1 + z (1 - q)),  q = sigmoid(z)
 * The same instructions for whole vectors and tails. Not-a-number stays. */
#ifndef L2O_NN_HIDDEN_H
#define L2O_NN_HIDDEN_H
#include "core/vector.h"

typedef enum l2o_hidden { L2O_HIDDEN_RELU, L2O_HIDDEN_TANH, L2O_HIDDEN_GELU, L2O_HIDDEN_SILU } l2o_hidden;
#define L2O_HIDDEN_CHOICES "relu|tanh|gelu|silu"

/* a = s(z); a may be z */
L2O_KERNEL(void, l2o_hidden_forward, (l2o_real * a, const l2o_real *z, l2o_hidden kind, size_t n));
static inline void l2o_hidden_forward(l2o_real *a, const l2o_real *z, l2o_hidden kind, size_t n) {
  L2O_DISPATCH(l2o_hidden_forward, (a, z, kind, n));
}

/* d = d o s'(z), from a = s(z) and z */
L2O_KERNEL(void, l2o_hidden_backward, (l2o_real * d, const l2o_real *a, const l2o_real *z, l2o_hidden kind, size_t n));
static inline void l2o_hidden_backward(l2o_real *d, const l2o_real *a, const l2o_real *z, l2o_hidden kind, size_t n) {
  L2O_DISPATCH(l2o_hidden_backward, (d, a, z, kind, n));
}
#endif
