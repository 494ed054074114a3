/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = 1/2 |A x - b|^2 + ridge/2 |x|^2, A (m, n): the smooth part that the families qp, least-squares and lasso share. As a mean
 * over the rows a_i of A, f = 1/m sum_i f_i with f_i(x) = m/2 (a_i'x - b_i)^2 + ridge/2 |x|^2. */
#include "core/linalg.h"
#include "problems/instance.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t l2o_squares_work_len(const l2o_problem *p) {
  return ((const l2o_instance *)p->data)->rows;
}

/* r = A x - b into work; returns |r|^2 */
static double residual(const l2o_problem *p, const l2o_real *x, l2o_real *r) {
  const l2o_instance *d = p->data;
  l2o_gemv(r, d->matrix, x, d->rows, p->n);
  for (size_t i = 0; i < d->rows; i++)
    r[i] -= d->vector[i];
  return l2o_dot(r, r, d->rows);
}

l2o_status l2o_squares_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  *f = 0.5 * residual(p, x, work) + l2o_instance_ridge(p, x);
  return L2O_OK;
}

l2o_status l2o_squares_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_status status = l2o_squares_value(p, f, x, work);
  l2o_gemv_t(g, d->matrix, work, d->rows, p->n); /* g = A'(A x - b) + ridge x */
  l2o_instance_add_ridge(p, g, x);
  return status;
}

l2o_status l2o_squares_hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const l2o_instance *d = p->data;
  (void)x;
  l2o_gemv(work, d->matrix, v, d->rows, p->n);
  l2o_gemv_t(hv, d->matrix, work, d->rows, p->n); /* hv = A'A v + ridge v */
  l2o_instance_add_ridge(p, hv, v);
  return L2O_OK;
}

/* trace(A'A + ridge I) = |A|_F^2 + n ridge */
l2o_status l2o_squares_hessian_trace(const l2o_problem *p, double *trace) {
  const l2o_instance *d = p->data;
  *trace = l2o_dot(d->matrix, d->matrix, d->rows * p->n) + (double)p->n * d->ridge;
  return L2O_OK;
}

/* f = m / (2 count) sum_i (a_i'x - b_i)^2 + ridge/2 |x|^2; only the rows asked for are read */
l2o_status l2o_squares_partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                               l2o_real *work) {
  const l2o_instance *d = p->data;
  const double scale = (double)d->rows / (double)count;
  const size_t n = p->n;
  double squares = 0;
  (void)work;
  if (g)
    memset(g, 0, n * sizeof *g);
  for (size_t i = 0; i < count; i++) {
    const l2o_real *a = d->matrix + rows[i] * n;
    const double r = l2o_dot(a, x, n) - (double)d->vector[rows[i]];
    const l2o_real weight = (l2o_real)(scale * r);
    squares += r * r;
    for (size_t j = 0; g && j < n; j++)
      g[j] += weight * a[j];
  }
  *f = 0.5 * scale * squares + l2o_instance_ridge(p, x);
  if (g)
    l2o_instance_add_ridge(p, g, x);
  return L2O_OK;
}

/* By QR of A, or of A with sqrt(ridge) I below it and zeros below b: the normal equations would square the condition number. */
l2o_status l2o_squares_minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const l2o_instance *d = p->data;
  const size_t n = p->n, rows = d->rows + (d->ridge > 0 ? n : 0);
  if (!xstar && !isnan(d->minimum)) {
    *fstar = d->minimum;
    return L2O_OK;
  }
  if (!l2o_fits_blas(rows, n))
    return L2O_ERR_NOMEM;
  double *block = calloc(rows * n + rows + n, sizeof *block), squared = 0;
  if (!block)
    return L2O_ERR_NOMEM;
  double *A = block, *b = A + rows * n, *x = b + rows;
  for (size_t i = 0; i < d->rows * n; i++)
    A[i] = (double)d->matrix[i];
  for (size_t i = 0; i < d->rows; i++)
    b[i] = (double)d->vector[i];
  for (size_t j = 0; d->ridge > 0 && j < n; j++)
    A[(d->rows + j) * n + j] = sqrt(d->ridge);
  l2o_status status = l2o_least_squares(x, &squared, A, b, rows, n);
  if (!status) {
    *fstar = 0.5 * squared;
    for (size_t i = 0; xstar && i < n; i++)
      xstar[i] = (l2o_real)x[i];
  }
  free(block);
  return status;
}

l2o_status l2o_squares_constant(double *constant, const l2o_real *A, size_t rows, size_t n) {
  double *copy = malloc(rows * n * sizeof *copy);
  if (!copy)
    return L2O_ERR_NOMEM;
  for (size_t i = 0; i < rows * n; i++)
    copy[i] = (double)A[i];
  l2o_status status = l2o_squared_spectral_norm(constant, copy, rows, n);
  free(copy);
  return status;
}

void l2o_unit_columns(double *A, size_t rows, size_t n) {
  for (size_t j = 0; j < n; j++) {
    double sum = 0;
    for (size_t i = 0; i < rows; i++)
      sum += A[i * n + j] * A[i * n + j];
    const double scale = sum > 0 ? 1 / sqrt(sum) : 1;
    for (size_t i = 0; i < rows; i++)
      A[i * n + j] *= scale;
  }
}

void l2o_squares_fill(l2o_real *stored, l2o_real *b, const double *A, const double *x, const double *noise, size_t rows, size_t n) {
  for (size_t i = 0; i < rows; i++) {
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
      stored[i * n + j] = (l2o_real)A[i * n + j];
      sum += (double)stored[i * n + j] * x[j];
    }
    b[i] = (l2o_real)(noise ? sum + noise[i] : sum);
  }
}
