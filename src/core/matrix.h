/* SPDX-License-Identifier: BSD-3-Clause */
/* Products of one matrix with few vectors, at the speed at which the matrix comes out of the cache: what solvers of least-squares
 * problems spend their time on. Matrices are row-major with their rows next to each other. */
#ifndef L2O_CORE_MATRIX_H
#define L2O_CORE_MATRIX_H
#include "core/vector.h"

/* r_i = A x_i - b_i (A x_i where b is NULL), g_i = A' r_i, squares[i] = |r_i|^2 in double, for i < count; A (m, n), g_i (n), r_i
 * (m), none of which overlap. A is read once for both products and up to four vectors: m n reals for 4 m n count flops. The numbers
 * of a vector are the same bits whatever `count` is and whoever stands beside it. */
L2O_KERNEL(void, l2o_normal_products,
           (size_t count, l2o_real *const *g, l2o_real *const *r, double *squares, const l2o_real *A, const l2o_real *const *x,
            const l2o_real *const *b, size_t m, size_t n));
static inline void l2o_normal_products(size_t count, l2o_real *const *g, l2o_real *const *r, double *squares, const l2o_real *A,
                                       const l2o_real *const *x, const l2o_real *const *b, size_t m, size_t n) {
  L2O_DISPATCH(l2o_normal_products, (count, g, r, squares, A, x, b, m, n));
}

/* r = A x - b (A x where b is NULL) and |r|^2: the bits of l2o_normal_products() */
L2O_KERNEL(double, l2o_residual, (l2o_real * r, const l2o_real *A, const l2o_real *x, const l2o_real *b, size_t m, size_t n));
static inline double l2o_residual(l2o_real *r, const l2o_real *A, const l2o_real *x, const l2o_real *b, size_t m, size_t n) {
  return L2O_DISPATCH(l2o_residual, (r, A, x, b, m, n));
}

/* A symmetric (n, n) matrix of which half is read: the upper triangle in panels of L2O_PANEL rows, as many reals as a cache line
 * has. A panel is a row-major matrix that begins at the column of its first row and is padded to whole cache lines, so that every
 * row begins in the same place of a line; zero left of the diagonal and right of column n - 1, the diagonal halved. */
enum { L2O_PANEL = 64 / sizeof(l2o_real) };
/* Reals from row to row in the panel that begins at row `first`. */
static inline size_t l2o_panel_stride(size_t n, size_t first) {
  return (n - first + L2O_PANEL - 1) / L2O_PANEL * L2O_PANEL;
}
/* Reals of the whole, about n (n + L2O_PANEL) / 2; to be aligned to 64 bytes. */
size_t l2o_triangle_len(size_t n);
/* Fills it from the upper triangle row by row, n(n+1)/2 reals. */
void l2o_triangle_fill(l2o_real *H, const l2o_real *packed, size_t n);

/* y_i = H x_i for i < count, H a triangle as above, read once for up to four vectors; the same bits whatever `count` is. */
L2O_KERNEL(void, l2o_triangle_products, (size_t count, l2o_real *const *y, const l2o_real *H, const l2o_real *const *x, size_t n));
static inline void l2o_triangle_products(size_t count, l2o_real *const *y, const l2o_real *H, const l2o_real *const *x, size_t n) {
  L2O_DISPATCH(l2o_triangle_products, (count, y, H, x, n));
}
#endif
