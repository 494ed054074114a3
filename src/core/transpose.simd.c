/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/transpose.h"
#include "core/simd.h"

/* One square. */
static void square(l2o_real *B, size_t ldb, const l2o_real *A, size_t lda) {
  vr row[VR];
  UNROLL for (size_t i = 0; i < VR; i++) row[i] = vr_load(A + i * lda);
  vr_transpose(row);
  UNROLL for (size_t i = 0; i < VR; i++) vr_store(B + i * ldb, row[i]);
}

static void rest(l2o_real *B, size_t ldb, const l2o_real *A, size_t lda, size_t m, size_t n) {
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++)
      B[j * ldb + i] = A[i * lda + j];
}

void L2O_HERE(l2o_transpose)(l2o_real *B, size_t ldb, const l2o_real *A, size_t lda, size_t m, size_t n) {
  const size_t rows = m / VR * VR, columns = n / VR * VR;
  for (size_t i = 0; i < rows; i += VR)
    for (size_t j = 0; j < columns; j += VR)
      square(B + j * ldb + i, ldb, A + i * lda + j, lda);
  rest(B + columns * ldb, ldb, A + columns, lda, rows, n - columns);
  rest(B + rows, ldb, A + rows * lda, lda, m - rows, n);
}
