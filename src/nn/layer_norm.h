/* SPDX-License-Identifier: BSD-3-Clause */
/* Normalisation of the rows of x (rows, width):
 *
 *   with a bias     y = gain o (x - mean) / sqrt(mean((x - mean)^2) + epsilon) + bias     (Ba, Kiros, Hinton, 2016)
 *   without (NULL)  y = gain o x / sqrt(mean(x^2) + epsilon)                              (Zhang, Sennrich, NeurIPS 2019)
 *
 * gain and bias (width); sums over a row are in double. docs/derivations/transformer.md */
#ifndef L2O_NN_LAYER_NORM_H
#define L2O_NN_LAYER_NORM_H
#include "core/vector.h"

/* y may be x. */
L2O_KERNEL(void, l2o_layer_norm_forward,
           (l2o_real * y, const l2o_real *x, const l2o_real *gain, const l2o_real *bias, double epsilon, size_t rows,
            size_t width));
static inline void l2o_layer_norm_forward(l2o_real *y, const l2o_real *x, const l2o_real *gain, const l2o_real *bias,
                                          double epsilon, size_t rows, size_t width) {
  L2O_DISPATCH(l2o_layer_norm_forward, (y, x, gain, bias, epsilon, rows, width));
}

/* dx += (d y / d x)' dy, dgain += ..., and dbias += ... where there is one: NULL where not, which tells the two apart again. */
L2O_KERNEL(void, l2o_layer_norm_backward,
           (l2o_real * dx, l2o_real *dgain, l2o_real *dbias, const l2o_real *dy, const l2o_real *x, const l2o_real *gain,
            double epsilon, size_t rows, size_t width));
static inline void l2o_layer_norm_backward(l2o_real *dx, l2o_real *dgain, l2o_real *dbias, const l2o_real *dy, const l2o_real *x,
                                           const l2o_real *gain, double epsilon, size_t rows, size_t width) {
  L2O_DISPATCH(l2o_layer_norm_backward, (dx, dgain, dbias, dy, x, gain, epsilon, rows, width));
}
#endif
