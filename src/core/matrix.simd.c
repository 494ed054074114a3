/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/matrix.h"
#include "core/linalg.h"
#include "core/simd.h"

void L2O_HERE(l2o_normal_products)(size_t count, l2o_real *const *g, l2o_real *const *r, double *squares, const l2o_real *A,
                                   const l2o_real *const *x, const l2o_real *const *b, size_t m, size_t n) {
  for (size_t c = 0; c < count; c++) {
    l2o_gemv(r[c], A, x[c], m, n);
    for (size_t i = 0; b && i < m; i++)
      r[c][i] -= b[c][i];
    l2o_gemv_t(g[c], A, r[c], m, n);
    squares[c] = l2o_dot(r[c], r[c], m);
  }
}

void L2O_HERE(l2o_packed_products)(size_t count, l2o_real *const *y, const l2o_real *H, const l2o_real *const *x, size_t n) {
  for (size_t c = 0; c < count; c++) {
    const l2o_real *row = H;
    for (size_t i = 0; i < n; i++)
      y[c][i] = 0;
    for (size_t i = 0; i < n; row += n - i, i++) {
      y[c][i] += row[0] * x[c][i];
      for (size_t j = i + 1; j < n; j++) {
        y[c][i] += row[j - i] * x[c][j];
        y[c][j] += row[j - i] * x[c][i];
      }
    }
  }
}
