/* SPDX-License-Identifier: BSD-3-Clause */
/* The transpose of a matrix, by squares that fit the vectors. */
#ifndef L2O_CORE_TRANSPOSE_H
#define L2O_CORE_TRANSPOSE_H
#include "core/vector.h"

/* B = A', A (m, n), B (n, m), with lda and ldb reals from row to row; they do not overlap. */
L2O_KERNEL(void, l2o_transpose, (l2o_real * B, size_t ldb, const l2o_real *A, size_t lda, size_t m, size_t n));
static inline void l2o_transpose(l2o_real *B, size_t ldb, const l2o_real *A, size_t lda, size_t m, size_t n) {
  L2O_DISPATCH(l2o_transpose, (B, ldb, A, lda, m, n));
}
#endif
