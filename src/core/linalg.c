/* SPDX-License-Identifier: BSD-3-Clause */
/* cblas.h of OpenBLAS takes int sizes; every caller's sizes pass l2o_fits_blas() when the instance is made. */
#include "core/linalg.h"
#include "core/real.h"
#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#ifdef L2O_SINGLE
#define BLAS(name) cblas_s##name
#else
#define BLAS(name) cblas_d##name
#endif

/* Every call goes through here: on one thread, so that sums are split the same way wherever the call comes from. OpenBLAS's OpenMP
 * build keeps to one thread inside a parallel region of several threads, but takes what OpenMP offers outside and in a region of
 * one, and the last bits differ. The setting is the calling thread's own and is put back. */
#define ON_ONE_THREAD(...)                                                                                                         \
  do {                                                                                                                             \
    const int threads_before = omp_get_max_threads();                                                                              \
    omp_set_num_threads(1);                                                                                                        \
    __VA_ARGS__;                                                                                                                   \
    omp_set_num_threads(threads_before);                                                                                           \
  } while (0)

bool l2o_fits_blas(size_t rows, size_t columns) {
  size_t entries;
  return rows <= INT_MAX && columns <= INT_MAX && !__builtin_mul_overflow(rows, columns, &entries) &&
         entries <= SIZE_MAX / (2 * sizeof(double));
}

void l2o_gemv(l2o_real *y, const l2o_real *A, const l2o_real *x, size_t m, size_t n) {
  ON_ONE_THREAD(BLAS(gemv)(CblasRowMajor, CblasNoTrans, (int)m, (int)n, 1, A, (int)n, x, 1, 0, y, 1));
}

void l2o_gemv_t(l2o_real *y, const l2o_real *A, const l2o_real *x, size_t m, size_t n) {
  ON_ONE_THREAD(BLAS(gemv)(CblasRowMajor, CblasTrans, (int)m, (int)n, 1, A, (int)n, x, 1, 0, y, 1));
}

void l2o_gemv_add(l2o_real *y, l2o_real alpha, const l2o_real *A, const l2o_real *x, size_t m, size_t n) {
  ON_ONE_THREAD(BLAS(gemv)(CblasRowMajor, CblasNoTrans, (int)m, (int)n, alpha, A, (int)n, x, 1, 1, y, 1));
}

void l2o_gemv_t_add(l2o_real *y, l2o_real alpha, const l2o_real *A, const l2o_real *x, size_t m, size_t n) {
  ON_ONE_THREAD(BLAS(gemv)(CblasRowMajor, CblasTrans, (int)m, (int)n, alpha, A, (int)n, x, 1, 1, y, 1));
}

void l2o_gemm_part(l2o_real *C, size_t ldc, bool add, const l2o_real *A, size_t lda, bool transpose_A, const l2o_real *B,
                   size_t ldb, bool transpose_B, size_t m, size_t n, size_t k) {
  ON_ONE_THREAD(BLAS(gemm)(CblasRowMajor, transpose_A ? CblasTrans : CblasNoTrans, transpose_B ? CblasTrans : CblasNoTrans, (int)m,
                           (int)n, (int)k, 1, A, (int)lda, B, (int)ldb, add ? 1 : 0, C, (int)ldc));
}

void l2o_gemm(l2o_real *C, const l2o_real *A, bool transpose_A, const l2o_real *B, bool transpose_B, size_t m, size_t n, size_t k) {
  l2o_gemm_part(C, n, false, A, transpose_A ? m : k, transpose_A, B, transpose_B ? k : n, transpose_B, m, n, k);
}

void l2o_gemm_add(l2o_real *C, const l2o_real *A, bool transpose_A, const l2o_real *B, bool transpose_B, size_t m, size_t n,
                  size_t k) {
  l2o_gemm_part(C, n, true, A, transpose_A ? m : k, transpose_A, B, transpose_B ? k : n, transpose_B, m, n, k);
}

void l2o_symv(l2o_real *y, const l2o_real *A, const l2o_real *x, size_t n) {
  ON_ONE_THREAD(BLAS(symv)(CblasRowMajor, CblasUpper, (int)n, 1, A, (int)n, x, 1, 0, y, 1));
}

void l2o_syr(l2o_real *A, l2o_real alpha, const l2o_real *x, size_t n) {
  ON_ONE_THREAD(BLAS(syr)(CblasRowMajor, CblasUpper, (int)n, alpha, x, 1, A, (int)n));
}

void l2o_syr2(l2o_real *A, l2o_real alpha, const l2o_real *x, const l2o_real *y, size_t n) {
  ON_ONE_THREAD(BLAS(syr2)(CblasRowMajor, CblasUpper, (int)n, alpha, x, 1, y, 1, A, (int)n));
}

void l2o_gemv_panel_add(l2o_real *y, const l2o_real *A, bool transpose_A, const l2o_real *x, size_t m, size_t n, size_t stride) {
  ON_ONE_THREAD(
      BLAS(gemv)(CblasRowMajor, transpose_A ? CblasTrans : CblasNoTrans, (int)m, (int)n, 1, A, (int)stride, x, 1, 1, y, 1));
}

l2o_status l2o_gram_packed(l2o_real *H, const l2o_real *A, size_t m, size_t n) {
  l2o_real *gram = l2o_fits_blas(n, n) ? calloc(n * n, sizeof *gram) : NULL;
  if (!gram)
    return L2O_ERR_NOMEM;
  ON_ONE_THREAD(BLAS(syrk)(CblasRowMajor, CblasUpper, CblasTrans, (int)n, (int)m, 1, A, (int)n, 0, gram, (int)n));
  for (size_t i = 0; i < n; H += n - i, i++)
    memcpy(H, gram + i * n + i, (n - i) * sizeof *H);
  free(gram);
  return L2O_OK;
}

/* Four partial sums: the order is fixed, so the result does not depend on who calls. */
double l2o_dot(const l2o_real *x, const l2o_real *y, size_t n) {
  double sum[4] = {0, 0, 0, 0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t j = 0; j < 4; j++)
      sum[j] += (double)x[i + j] * (double)y[i + j];
  for (; i < n; i++)
    sum[0] += (double)x[i] * (double)y[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

double l2o_norm(const l2o_real *x, size_t n) {
  return sqrt(l2o_dot(x, x, n));
}

/* Not finite: all bits of the exponent are set. Compared as integers, which compilers vectorise. */
bool l2o_all_finite_double(const double *x, size_t n) {
  uint32_t bad = 0;
  for (size_t i = 0; i < n; i++) {
    uint64_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    bad |= ((uint32_t)(bits >> 32) & 0x7ff00000u) == 0x7ff00000u;
  }
  return !bad;
}

bool l2o_all_finite(const l2o_real *x, size_t n) {
#ifdef L2O_SINGLE
  uint32_t bad = 0;
  for (size_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    bad |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return !bad;
#else
  return l2o_all_finite_double(x, n);
#endif
}

#ifdef L2O_SINGLE
#define LAPACK(name) LAPACKE_s##name
#else
#define LAPACK(name) LAPACKE_d##name
#endif

enum { PANEL = 32 }; /* columns that the blocked QR in steps takes at a time */

/* work: R's diagonal (q), tau (q), LAPACK's own */
size_t l2o_orthonormal_rows_work(size_t q) {
  return 2 * q + PANEL * q;
}

l2o_status l2o_orthonormal_rows(l2o_real *A, l2o_real *work, size_t q, size_t n) {
  const lapack_int rows = (lapack_int)n, columns = (lapack_int)q, lwork = PANEL * columns;
  l2o_real *diagonal = work, *tau = diagonal + q;
  lapack_int info;
  work = tau + q;
  ON_ONE_THREAD(info = LAPACK(geqrf_work)(LAPACK_COL_MAJOR, rows, columns, A, rows, tau, work, lwork));
  for (size_t i = 0; i < q; i++)
    diagonal[i] = A[i * n + i];
  if (info == 0)
    ON_ONE_THREAD(info = LAPACK(orgqr_work)(LAPACK_COL_MAJOR, rows, columns, columns, A, rows, tau, work, lwork));
  for (size_t i = 0; i < q; i++)
    if (diagonal[i] < 0)
      for (size_t j = 0; j < n; j++)
        A[i * n + j] = -A[i * n + j];
  return info == 0 ? L2O_OK : L2O_ERR_LAPACK;
}

/* work: the order of the columns (q integers), tau (q), LAPACK's own */
size_t l2o_least_norm_work(size_t q) {
  return 2 * q + 2 * q + PANEL * (q + 1);
}

l2o_status l2o_least_norm(l2o_real *x, size_t *rank, l2o_real *A, const l2o_real *b, l2o_real *work, size_t q, size_t n) {
  const lapack_int rows = (lapack_int)n, columns = (lapack_int)q, lwork = 2 * columns + PANEL * (columns + 1);
  const l2o_real eps = sizeof(l2o_real) == sizeof(double) ? (l2o_real)DBL_EPSILON : (l2o_real)FLT_EPSILON;
  lapack_int *order = (void *)work, info;
  l2o_real *tau = work + q;
  size_t r = 0;
  work = tau + q;
  memset(order, 0, q * sizeof *order); /* any column may come first */
  memset(x, 0, n * sizeof *x);
  ON_ONE_THREAD(info = LAPACK(geqp3_work)(LAPACK_COL_MAJOR, rows, columns, A, rows, order, tau, work, lwork));
  while (r < q && r_abs(A[r * n + r]) > (l2o_real)(q > n ? q : n) * eps * r_abs(A[0]))
    r++;
  if (rank)
    *rank = r;
  if (info || r == 0)
    return info == 0 ? L2O_OK : L2O_ERR_LAPACK;
  /* A' P = Q R:  x = Q (R^-T P'b, 0) over the leading r columns */
  for (size_t i = 0; i < r; i++)
    x[i] = b[order[i] - 1];
  const lapack_int leading = (lapack_int)r;
  ON_ONE_THREAD(BLAS(trsv)(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, leading, A, rows, x, 1);
                info = LAPACK(ormqr_work)(LAPACK_COL_MAJOR, 'L', 'N', rows, 1, leading, A, rows, tau, x, rows, work, lwork));
  return info == 0 ? L2O_OK : L2O_ERR_LAPACK;
}

static void *allocate(size_t count) {
  return calloc(count ? count : 1, sizeof(double));
}

/* Workspace is got here and the `_work` calls are made: the others print to stderr when memory is short. */
static l2o_status from_lapack(lapack_int info) {
  return info == 0 ? L2O_OK : L2O_ERR_LAPACK;
}

enum { BLOCK = 64 }; /* columns that LAPACK's blocked factorisations take at a time, at most */

/* work: LAPACK's own, then the order of the rows. Row-major is the transpose, and so is the inverse. */
size_t l2o_inverse_complex_work(size_t n) {
  return BLOCK * n + n;
}

l2o_status l2o_inverse_complex(double _Complex *A, double _Complex *work, size_t n) {
  const lapack_int size = (lapack_int)n, lwork = BLOCK * size;
  lapack_int *order = (void *)(work + lwork), info;
  ON_ONE_THREAD(info = LAPACKE_zgetrf_work(LAPACK_COL_MAJOR, size, size, A, size, order);
                if (info == 0) info = LAPACKE_zgetri_work(LAPACK_COL_MAJOR, size, A, size, order, work, lwork));
  return from_lapack(info);
}

/* work: LAPACK's own, then its integers */
size_t l2o_eigenvectors_work(size_t n) {
  return (BLOCK + 6) * n + 12 * n;
}

l2o_status l2o_eigenvectors(double *V, double *values, double *A, double *work, size_t n) {
  const lapack_int size = (lapack_int)n, lwork = (BLOCK + 6) * size;
  lapack_int *support = (void *)(work + lwork), *integers = support + 2 * n, found = 0, info;
  /* the upper triangle by rows is the lower one by columns */
  ON_ONE_THREAD(info = LAPACKE_dsyevr_work(LAPACK_COL_MAJOR, 'V', 'A', 'L', size, A, size, 0, 0, 0, 0, 0, &found, values, V, size,
                                           support, work, lwork, integers, 10 * size));
  return info == 0 && found == size ? L2O_OK : L2O_ERR_LAPACK;
}

l2o_status l2o_largest_eigenvalue(double *value, const double *A, size_t n) {
  lapack_int size = (lapack_int)n, found = 0, support[2], integers;
  double *copy = allocate(n * n), *values = allocate(n), unused, wanted;
  lapack_int info = LAPACKE_dsyevr_work(LAPACK_COL_MAJOR, 'N', 'I', 'U', size, NULL, size, 0, 0, size, size, 0, &found, NULL, NULL,
                                        1, NULL, &wanted, -1, &integers, -1);
  double *work = info ? NULL : allocate((size_t)wanted);
  lapack_int *iwork = info ? NULL : malloc((size_t)integers * sizeof *iwork);
  l2o_status status = info ? from_lapack(info) : L2O_ERR_NOMEM;
  if (copy && values && work && iwork) {
    memcpy(copy, A, n * n * sizeof *copy);
    ON_ONE_THREAD(info = LAPACKE_dsyevr_work(LAPACK_COL_MAJOR, 'N', 'I', 'U', size, copy, size, 0, 0, size, size, 0, &found, values,
                                             &unused, 1, support, work, (lapack_int)wanted, iwork, integers));
    status = from_lapack(info);
    if (!status && found != 1)
      status = L2O_ERR_LAPACK;
    *value = values[0];
  }
  free(copy);
  free(values);
  free(work);
  free(iwork);
  return status;
}

l2o_status l2o_squared_spectral_norm(double *value, const double *A, size_t m, size_t n) {
  size_t k = m < n ? m : n;
  double *gram = allocate(k * k);
  if (!gram)
    return L2O_ERR_NOMEM;
  /* A A' (m <= n) or A' A, whichever is smaller; the same largest eigenvalue */
  ON_ONE_THREAD(cblas_dsyrk(CblasRowMajor, CblasUpper, m < n ? CblasNoTrans : CblasTrans, (int)k, (int)(m < n ? n : m), 1, A,
                            (int)n, 0, gram, (int)k));
  for (size_t i = 0; i < k; i++)
    for (size_t j = 0; j < i; j++)
      gram[i * k + j] = gram[j * k + i];
  l2o_status status = l2o_largest_eigenvalue(value, gram, k);
  free(gram);
  return status;
}

static void to_column_major(double *out, const double *A, size_t m, size_t n) {
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++)
      out[j * m + i] = A[i * n + j];
}

/* By QR (m >= n) or LQ (m < n); *regular tells whether the triangle's condition number says that A has full rank. */
static l2o_status full_rank_least_squares(double *copy, double *b, bool *regular, size_t m, size_t n, size_t longer) {
  lapack_int rows = (lapack_int)m, columns = (lapack_int)n, order = m < n ? rows : columns, info;
  const size_t lwork = (m + n) * BLOCK; /* at least 3 min(m, n), which the condition number needs */
  double *work = allocate(lwork), reciprocal = 0;
  lapack_int *iwork = malloc((size_t)order * sizeof *iwork);
  l2o_status status = L2O_ERR_NOMEM;
  if (work && iwork) {
    ON_ONE_THREAD(info = LAPACKE_dgels_work(LAPACK_COL_MAJOR, 'N', rows, columns, 1, copy, rows, b, (lapack_int)longer, work,
                                            (lapack_int)lwork));
    if (info == 0)
      ON_ONE_THREAD(
          info = LAPACKE_dtrcon_work(LAPACK_COL_MAJOR, '1', m < n ? 'L' : 'U', 'N', order, copy, rows, &reciprocal, work, iwork));
    *regular = info == 0 && reciprocal > 1e-12;
    status = info > 0 ? L2O_OK : from_lapack(info); /* > 0: a zero on the diagonal, that is, not regular */
  }
  free(work);
  free(iwork);
  return status;
}

/* By singular values: ten times the work, but right for any rank. */
static l2o_status any_rank_least_squares(double *copy, double *b, double *singular, size_t m, size_t n, size_t longer) {
  lapack_int rows = (lapack_int)m, columns = (lapack_int)n, leading = (lapack_int)longer, rank, integers;
  /* what rounding makes of a zero singular value is below this share of the largest; machine precision alone is too little */
  const double nothing = (double)longer * DBL_EPSILON;
  double wanted;
  lapack_int info = LAPACKE_dgelsd_work(LAPACK_COL_MAJOR, rows, columns, 1, NULL, rows, NULL, leading, NULL, nothing, &rank,
                                        &wanted, -1, &integers);
  double *work = info ? NULL : allocate((size_t)wanted);
  lapack_int *iwork = info ? NULL : malloc((size_t)(integers > 0 ? integers : 1) * sizeof *iwork);
  l2o_status status = info ? from_lapack(info) : L2O_ERR_NOMEM;
  if (work && iwork) {
    ON_ONE_THREAD(info = LAPACKE_dgelsd_work(LAPACK_COL_MAJOR, rows, columns, 1, copy, rows, b, leading, singular, nothing, &rank,
                                             work, (lapack_int)wanted, iwork));
    status = from_lapack(info);
  }
  free(work);
  free(iwork);
  return status;
}

l2o_status l2o_least_squares(double *x, double *squared_residual, const double *A, const double *y, size_t m, size_t n) {
  size_t longer = m > n ? m : n, shorter = m < n ? m : n;
  double *copy = allocate(m * n), *b = allocate(longer), *singular = allocate(shorter);
  l2o_status status = L2O_ERR_NOMEM;
  if (copy && b && singular) {
    bool regular;
    to_column_major(copy, A, m, n);
    memcpy(b, y, m * sizeof *b);
    status = full_rank_least_squares(copy, b, &regular, m, n, longer);
    if (!status && !regular) {
      to_column_major(copy, A, m, n);
      memcpy(b, y, m * sizeof *b);
      status = any_rank_least_squares(copy, b, singular, m, n, longer);
    }
    if (!status) {
      double sum = 0;
      for (size_t i = 0; i < m; i++) {
        double r = -y[i];
        for (size_t j = 0; j < n; j++)
          r += A[i * n + j] * b[j];
        sum += r * r;
      }
      memcpy(x, b, n * sizeof *x);
      *squared_residual = sum;
    }
  }
  free(copy);
  free(b);
  free(singular);
  return status;
}

l2o_status l2o_solve_spd(double *x, const double *A, const double *b, size_t n) {
  return l2o_solve_spd_many(x, A, b, 1, n);
}

l2o_status l2o_solve_spd_many(double *X, const double *A, const double *B, size_t count, size_t n) {
  double *copy = allocate(n * n);
  if (!copy)
    return L2O_ERR_NOMEM;
  memcpy(copy, A, n * n * sizeof *copy);
  memcpy(X, B, count * n * sizeof *X);
  lapack_int info;
  ON_ONE_THREAD(
      info = LAPACKE_dposv_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, (lapack_int)count, copy, (lapack_int)n, X, (lapack_int)n));
  free(copy);
  return info > 0 ? L2O_ERR_NUMERIC : from_lapack(info);
}

void l2o_gemv_double(double *y, const double *A, bool transpose_A, const double *x, size_t m, size_t n) {
  ON_ONE_THREAD(cblas_dgemv(CblasRowMajor, transpose_A ? CblasTrans : CblasNoTrans, (int)m, (int)n, 1, A, (int)n, x, 1, 0, y, 1));
}

void l2o_gram_double(double *C, const double *A, size_t m, size_t n) {
  ON_ONE_THREAD(cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)n, (int)m, 1, A, (int)n, 0, C, (int)n));
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      C[i * n + j] = C[j * n + i];
}

void l2o_gemm_double(double *C, const double *A, const double *B, bool transpose_B, size_t m, size_t n, size_t k) {
  ON_ONE_THREAD(cblas_dgemm(CblasRowMajor, CblasNoTrans, transpose_B ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, 1, A,
                            (int)k, B, (int)(transpose_B ? k : n), 0, C, (int)n));
}

l2o_status l2o_orthogonalise(double *A, size_t m, size_t n) {
  lapack_int rows = (lapack_int)m, columns = (lapack_int)n;
  double *column_major = allocate(m * n), *tau = allocate(n), *sign = allocate(n), *work = allocate(n * BLOCK);
  l2o_status status = L2O_ERR_NOMEM;
  if (column_major && tau && sign && work) {
    to_column_major(column_major, A, m, n);
    lapack_int info;
    ON_ONE_THREAD(info = LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, rows, columns, column_major, rows, tau, work, columns * BLOCK));
    status = from_lapack(info);
    for (size_t j = 0; j < n; j++)
      sign[j] = column_major[j * m + j] < 0 ? -1 : 1;
    if (!status) {
      ON_ONE_THREAD(
          info = LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, rows, columns, columns, column_major, rows, tau, work, columns * BLOCK));
      status = from_lapack(info);
    }
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++)
        A[i * n + j] = column_major[j * m + i] * sign[j];
  }
  free(column_major);
  free(tau);
  free(sign);
  free(work);
  return status;
}
