/* SPDX-License-Identifier: BSD-3-Clause */
/* Cross-entropy of many classes without a row of scores being whole: z (rows, classes) comes as tiles of columns, and of every row
 * the largest score m so far and s = sum exp(z - m) are kept (Milakov, Gimelshein, 2018); in the end ln sum exp(z) = m + ln s. */
#ifndef L2O_NN_CROSS_ENTROPY_H
#define L2O_NN_CROSS_ENTROPY_H
#include "core/vector.h"

/* One more tile of z (rows, columns), `stride` reals from row to row. Before the first: largest = -infinity, sum = 0. */
L2O_KERNEL(void, l2o_cross_entropy_forward,
           (l2o_real * largest, double *sum, const l2o_real *z, size_t stride, size_t rows, size_t columns));
static inline void l2o_cross_entropy_forward(l2o_real *largest, double *sum, const l2o_real *z, size_t stride, size_t rows,
                                             size_t columns) {
  L2O_DISPATCH(l2o_cross_entropy_forward, (largest, sum, z, stride, rows, columns));
}

/* Of a tile, from what the forward pass has found: z = share_i exp(z - largest_i) / sum_i, in place, the gradient of
 * sum_i share_i ln sum exp(z_i). */
L2O_KERNEL(void, l2o_cross_entropy_backward,
           (l2o_real * z, const l2o_real *largest, const double *sum, const l2o_real *share, size_t stride, size_t rows,
            size_t columns));
static inline void l2o_cross_entropy_backward(l2o_real *z, const l2o_real *largest, const double *sum, const l2o_real *share,
                                              size_t stride, size_t rows, size_t columns) {
  L2O_DISPATCH(l2o_cross_entropy_backward, (z, largest, sum, share, stride, rows, columns));
}
#endif
