/* SPDX-License-Identifier: BSD-3-Clause */
/* Many small complex matrices at once, one a lane: sizes from 1x1 to some tens, where a call of LAPACK costs more than its work.
 *
 * `count` matrices of one shape (rows, columns) stand abreast: the real parts of entry (i, k) of all of them are neighbours, at
 *   a + 2 (i columns + k) lanes,
 * and their imaginary parts `lanes` reals behind; lanes = l2o_lanes(count), so that every row of lanes begins on a cache line if
 * `a` does. Lanes from `count` on may hold anything, before and after: no lane depends on another. */
#ifndef L2O_CORE_COMPLEX_SMALL_H
#define L2O_CORE_COMPLEX_SMALL_H
#include "core/vector.h"

static inline size_t l2o_lanes(size_t count) {
  return l2o_whole_lines(count);
}

/* C = A B, C = A^H B, C = A B^H; C (m, n), k the inner size */
typedef enum l2o_adjoint { L2O_ADJOINT_NONE, L2O_ADJOINT_LEFT, L2O_ADJOINT_RIGHT } l2o_adjoint;
L2O_KERNEL(void, l2o_abreast_product,
           (l2o_real * C, const l2o_real *A, const l2o_real *B, l2o_adjoint adjoint, size_t m, size_t n, size_t k, size_t count));
static inline void l2o_abreast_product(l2o_real *C, const l2o_real *A, const l2o_real *B, l2o_adjoint adjoint, size_t m, size_t n,
                                       size_t k, size_t count) {
  L2O_DISPATCH(l2o_abreast_product, (C, A, B, adjoint, m, n, k, count));
}

/* A = L L^H, A (q, q) Hermitian positive definite, of which the lower triangle is read and that of L written; L may be A. The
 * imaginary part of L_ii, which is zero, holds 1 / L_ii. A matrix that is not positive definite leaves not-a-numbers in its lane.
 */
L2O_KERNEL(void, l2o_abreast_cholesky, (l2o_real * L, const l2o_real *A, size_t q, size_t count));
static inline void l2o_abreast_cholesky(l2o_real *L, const l2o_real *A, size_t q, size_t count) {
  L2O_DISPATCH(l2o_abreast_cholesky, (L, A, q, count));
}

/* In place, with such an L: B = L^-1 B, B = L^-H B for B (q, columns); B = B L^-1, B = B L^-H for B (columns, q) */
typedef enum l2o_solve_side { L2O_SOLVE_LEFT, L2O_SOLVE_LEFT_ADJOINT, L2O_SOLVE_RIGHT, L2O_SOLVE_RIGHT_ADJOINT } l2o_solve_side;
L2O_KERNEL(void, l2o_abreast_solve, (l2o_real * B, const l2o_real *L, l2o_solve_side side, size_t q, size_t columns, size_t count));
static inline void l2o_abreast_solve(l2o_real *B, const l2o_real *L, l2o_solve_side side, size_t q, size_t columns, size_t count) {
  L2O_DISPATCH(l2o_abreast_solve, (B, L, side, q, columns, count));
}

/* inverse (q, q) = (L L^H)^-1 */
L2O_KERNEL(void, l2o_abreast_inverse, (l2o_real * inverse, const l2o_real *L, size_t q, size_t count));
static inline void l2o_abreast_inverse(l2o_real *inverse, const l2o_real *L, size_t q, size_t count) {
  L2O_DISPATCH(l2o_abreast_inverse, (inverse, L, q, count));
}

/* each[i] = ln det L_i L_i^H (`each` may be NULL); returns sum_i weights[i] ln det L_i L_i^H, in double. Determinants are never
 * formed further than doubles carry them. */
double l2o_abreast_log_det(l2o_real *each, const l2o_real *L, const l2o_real *weights, size_t q, size_t count);
#endif
