/* SPDX-License-Identifier: BSD-3-Clause */
/* The one file that knows BLAS and LAPACKE. Matrices are row-major with their rows next to each other. */
#ifndef L2O_CORE_LINALG_H
#define L2O_CORE_LINALG_H
#include <l2o/base.h>

/* Largest dimension that BLAS's int takes. */
bool l2o_fits_blas(size_t rows, size_t columns);

/* y = A x, A (m, n) */
void l2o_gemv(l2o_real *y, const l2o_real *A, const l2o_real *x, size_t m, size_t n);
/* y = A' x, A (m, n), y (n) */
void l2o_gemv_t(l2o_real *y, const l2o_real *A, const l2o_real *x, size_t m, size_t n);
/* y += alpha A x, A (m, n) */
void l2o_gemv_add(l2o_real *y, l2o_real alpha, const l2o_real *A, const l2o_real *x, size_t m, size_t n);
/* y += alpha A' x, A (m, n), y (n) */
void l2o_gemv_t_add(l2o_real *y, l2o_real alpha, const l2o_real *A, const l2o_real *x, size_t m, size_t n);
/* C = A B, (m, n) = (m, k)(k, n); a transposed factor is stored as (k, m) or (n, k). Where neither is transposed OpenBLAS calls
 * malloc(), unchecked, for some small sizes: in a step, transpose one. */
void l2o_gemm(l2o_real *C, const l2o_real *A, bool transpose_A, const l2o_real *B, bool transpose_B, size_t m, size_t n, size_t k);
/* C += A B, likewise */
void l2o_gemm_add(l2o_real *C, const l2o_real *A, bool transpose_A, const l2o_real *B, bool transpose_B, size_t m, size_t n,
                  size_t k);
/* C = A B or C += A B for parts of larger matrices, with ldc, lda, ldb reals from row to row. */
void l2o_gemm_part(l2o_real *C, size_t ldc, bool add, const l2o_real *A, size_t lda, bool transpose_A, const l2o_real *B,
                   size_t ldb, bool transpose_B, size_t m, size_t n, size_t k);
/* A symmetric (n, n), of which the upper triangle is read and written: y = A x; A += alpha x x'; A += alpha (x y' + y x') */
void l2o_symv(l2o_real *y, const l2o_real *A, const l2o_real *x, size_t n);
void l2o_syr(l2o_real *A, l2o_real alpha, const l2o_real *x, size_t n);
void l2o_syr2(l2o_real *A, l2o_real alpha, const l2o_real *x, const l2o_real *y, size_t n);
/* y += A x or y += A' x, A (m, n) with `stride` reals from row to row */
void l2o_gemv_panel_add(l2o_real *y, const l2o_real *A, bool transpose_A, const l2o_real *x, size_t m, size_t n, size_t stride);
/* H = A'A, A (m, n), stored in that way. Allocates; L2O_ERR_NOMEM. */
l2o_status l2o_gram_packed(l2o_real *H, const l2o_real *A, size_t m, size_t n);
/* x'y, summed in double */
double l2o_dot(const l2o_real *x, const l2o_real *y, size_t n);
/* |x|_2, summed in double; no overflow protection: an overflow is an infinity, and callers look for those */
double l2o_norm(const l2o_real *x, size_t n);
bool l2o_all_finite(const l2o_real *x, size_t n);
bool l2o_all_finite_double(const double *x, size_t n);

/* For steps: workspace comes from the caller. A (q, n), q <= n, holds q vectors of n entries. */

/* The rows of A become an orthonormal basis of their span, what Gram and Schmidt would make of them in that order: Q' of the QR
 * decomposition of A' with R's diagonal made positive. work: l2o_orthonormal_rows_work(q) reals. Cost: 4 q^2 (n - q/3). */
l2o_status l2o_orthonormal_rows(l2o_real *A, l2o_real *work, size_t q, size_t n);
size_t l2o_orthonormal_rows_work(size_t q);
/* x (n) = the vector of least norm with A x = b, and the rank of A (may be NULL). Rows that depend on others in this precision, and
 * their entries of b, are left out: by QR of A' with column pivoting, |R_ii| <= max(q, n) eps |R_11|. A is overwritten.
 * work: l2o_least_norm_work(q) reals. */
l2o_status l2o_least_norm(l2o_real *x, size_t *rank, l2o_real *A, const l2o_real *b, l2o_real *work, size_t q, size_t n);
size_t l2o_least_norm_work(size_t q);
/* In double in both precisions, A = V' D V for the symmetric A (n, n), of which the upper triangle is read: `values` (n) ascending,
 * an eigenvector a row of V (n, n). A is overwritten. work: l2o_eigenvectors_work(n) doubles. Cost: about 9 n^3. */
l2o_status l2o_eigenvectors(double *V, double *values, double *A, double *work, size_t n);
size_t l2o_eigenvectors_work(size_t n);

/* In double in both precisions, A = A^-1 for the complex A (n, n), by partial pivoting; L2O_ERR_LAPACK where it is singular.
 * work: l2o_inverse_complex_work(n) complex numbers. Cost: 2 n^3 complex multiplications and additions. */
l2o_status l2o_inverse_complex(double _Complex *A, double _Complex *work, size_t n);
size_t l2o_inverse_complex_work(size_t n);

/* The following work in double in both precisions, allocate, and are for building instances, not for steps. */

/* largest eigenvalue of the symmetric A (n, n) */
l2o_status l2o_largest_eigenvalue(double *value, const double *A, size_t n);
/* |A|_2^2 = largest eigenvalue of the smaller of A A' and A' A, A (m, n) */
l2o_status l2o_squared_spectral_norm(double *value, const double *A, size_t m, size_t n);
/* x (n) of least norm among the minimisers of |A x - y|_2, and the minimum |A x - y|^2; any rank */
l2o_status l2o_least_squares(double *x, double *squared_residual, const double *A, const double *y, size_t m, size_t n);
/* x = A^{-1} b for symmetric positive definite A (n, n); L2O_ERR_NUMERIC when it is not */
l2o_status l2o_solve_spd(double *x, const double *A, const double *b, size_t n);
/* x_i = A^{-1} b_i for the rows b_i of B (count, n), into the rows of X */
l2o_status l2o_solve_spd_many(double *X, const double *A, const double *B, size_t count, size_t n);
/* y = A x or A'x, A (m, n) */
void l2o_gemv_double(double *y, const double *A, bool transpose_A, const double *x, size_t m, size_t n);
/* C = A'A, A (m, n), both triangles of C (n, n) */
void l2o_gram_double(double *C, const double *A, size_t m, size_t n);
/* C = A B, (m, n) = (m, k)(k, n); a transposed B is stored as (n, k), and BLAS then calls no malloc(), see l2o_gemm() */
void l2o_gemm_double(double *C, const double *A, const double *B, bool transpose_B, size_t m, size_t n, size_t k);
/* In: A (m, n), m >= n. Out: the factor Q of its QR decomposition with R's diagonal made positive, in A's place. */
l2o_status l2o_orthogonalise(double *A, size_t m, size_t n);
#endif
