/* SPDX-License-Identifier: BSD-3-Clause */
/* Rotary positions (Su, Lu, Pan, Murtadha, Wen, Liu, 2021), with the halves of a head as in published checkpoints: of the row at
 * position p and every head, for j < half,
 *
 *   y_j = x_j cos(p w_j) - x_{j+half} sin(p w_j),   y_{j+half} = x_{j+half} cos(p w_j) + x_j sin(p w_j),   w_j = base^(-j/half)
 *
 * x (rows, heads, 2 half) in positions 0, 1, ...; docs/derivations/transformer.md */
#ifndef L2O_NN_ROTARY_H
#define L2O_NN_ROTARY_H
#include "core/vector.h"

/* cosine and sine (positions, half) */
void l2o_rotary_tables(l2o_real *cosine, l2o_real *sine, double base, size_t positions, size_t half);

/* y may be x. */
L2O_KERNEL(void, l2o_rotary_forward,
           (l2o_real * y, const l2o_real *x, const l2o_real *cosine, const l2o_real *sine, size_t rows, size_t heads, size_t half));
static inline void l2o_rotary_forward(l2o_real *y, const l2o_real *x, const l2o_real *cosine, const l2o_real *sine, size_t rows,
                                      size_t heads, size_t half) {
  L2O_DISPATCH(l2o_rotary_forward, (y, x, cosine, sine, rows, heads, half));
}

/* dx = the rotation back of dy, which dx may be: not a sum, since nobody else reads x. */
L2O_KERNEL(void, l2o_rotary_backward,
           (l2o_real * dx, const l2o_real *dy, const l2o_real *cosine, const l2o_real *sine, size_t rows, size_t heads,
            size_t half));
static inline void l2o_rotary_backward(l2o_real *dx, const l2o_real *dy, const l2o_real *cosine, const l2o_real *sine, size_t rows,
                                       size_t heads, size_t half) {
  L2O_DISPATCH(l2o_rotary_backward, (dx, dy, cosine, sine, rows, heads, half));
}
#endif
