/* SPDX-License-Identifier: BSD-3-Clause */
/* Systems (A + mu I) Z = B with one Hermitian A and many shifts mu: A is brought to tridiagonal form once, A = Q T Q^H, after which
 * a shift costs as much as the right-hand sides are long. Matrices are row-major planes, all real parts before all imaginary parts.
 * For sizes at which a call of LAPACK costs more than its work; right for every size. */
#ifndef L2O_CORE_HERMITIAN_H
#define L2O_CORE_HERMITIAN_H
#include "core/vector.h"

/* T: diagonal[k] = T_kk and, below it, off[k] + i off[m + k] = T_{k+1,k}. Q = H_0 H_1 ... with the reflectors H_k = I - tau_k v
 * v^H, v from entry k + 1 on in row k of A. */
typedef struct l2o_tridiagonal {
  l2o_real *A, *diagonal, *off, *tau;
  size_t m;
} l2o_tridiagonal;
/* Reals that the three arrays beside A take, and those of the scratch below. */
static inline size_t l2o_tridiagonal_len(size_t m) {
  return 4 * m;
}

/* Reduces t->A (m, m), Hermitian, both triangles of which are stored; A is overwritten. Householder's reduction (J. ACM 1958) with
 * reflectors that leave off-diagonal entries complex. scratch: 4 m reals. Cost: 4/3 m^3 complex multiplications and additions. */
L2O_KERNEL(void, l2o_hermitian_reduce, (l2o_tridiagonal * t, l2o_real *scratch));
static inline void l2o_hermitian_reduce(l2o_tridiagonal *t, l2o_real *scratch) {
  L2O_DISPATCH(l2o_hermitian_reduce, (t, scratch));
}
/* B = Q^H B, or B = Q B; B (m, columns) */
L2O_KERNEL(void, l2o_hermitian_rotate, (l2o_real * B, const l2o_tridiagonal *t, bool back, size_t columns));
static inline void l2o_hermitian_rotate(l2o_real *B, const l2o_tridiagonal *t, bool back, size_t columns) {
  L2O_DISPATCH(l2o_hermitian_rotate, (B, t, back, columns));
}
/* Z = (T + mu I)^-1 B, and quotient = sum of z^H (T + mu I)^-1 z over the columns; false where T + mu I is not positive definite.
 * scratch: 3 m reals. */
L2O_KERNEL(bool, l2o_tridiagonal_solve,
           (l2o_real * Z, double *quotient, const l2o_tridiagonal *t, double mu, const l2o_real *B, size_t columns,
            l2o_real *scratch));
static inline bool l2o_tridiagonal_solve(l2o_real *Z, double *quotient, const l2o_tridiagonal *t, double mu, const l2o_real *B,
                                         size_t columns, l2o_real *scratch) {
  return L2O_DISPATCH(l2o_tridiagonal_solve, (Z, quotient, t, mu, B, columns, scratch));
}

/* sum of z^H T z over the columns of Z */
double l2o_tridiagonal_form(const l2o_tridiagonal *t, const l2o_real *Z, size_t columns);
/* The largest eigenvalue of T, from above: Laguerre's method from Gershgorin's bound, which converges cubically and stays on that
 * side (Parlett, The Symmetric Eigenvalue Problem). */
double l2o_tridiagonal_largest(const l2o_tridiagonal *t);
/* The largest of Gershgorin's bounds of |eigenvalue|. */
double l2o_tridiagonal_bound(const l2o_tridiagonal *t);
#endif
