/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = 1/2 |A x - b|^2 + ridge/2 |x|^2, A (m, n): the smooth part that the families qp, least-squares and lasso share. As a mean
 * over the rows a_i of A, f = 1/m sum_i f_i with f_i(x) = m/2 (a_i'x - b_i)^2 + ridge/2 |x|^2. */
#include "core/linalg.h"
#include "core/matrix.h"
#include "problems/instance.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t l2o_squares_work_len(const l2o_problem *p) {
  return ((const l2o_instance *)p->data)->rows;
}

const l2o_instance *l2o_squares_of(const l2o_problem *p) {
  p = l2o_unshifted(p);
  return p->ops && p->ops->value == l2o_squares_value ? p->data : NULL;
}

l2o_status l2o_squares_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  *f = 0.5 * l2o_residual(work, d->matrix, x, d->vector, d->rows, p->n) + l2o_instance_ridge(p, x);
  return L2O_OK;
}

/* g = A'(A x - b) + ridge x */
l2o_status l2o_squares_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  return l2o_squares_gradient_many(&p, 1, f, &g, &x, &work);
}

/* hv = A'A v + ridge v */
l2o_status l2o_squares_hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  return l2o_squares_hessian_vector_many(&p, 1, &hv, &x, &v, &work);
}

bool l2o_squares_together(const l2o_problem *a, const l2o_problem *b) {
  const l2o_instance *d = a->data, *e = b->data;
  return d->matrix == e->matrix && d->rows == e->rows && d->ridge == e->ridge;
}

enum { MANY = 4 }; /* what l2o_normal_products() takes at a time */

l2o_status l2o_squares_gradient_many(const l2o_problem *const *p, size_t count, double *f, l2o_real *const *g,
                                     const l2o_real *const *x, l2o_real *const *work) {
  const l2o_instance *shared = p[0]->data;
  for (size_t i = 0; i < count; i += MANY) {
    const size_t many = count - i < MANY ? count - i : MANY;
    const l2o_real *b[MANY];
    for (size_t k = 0; k < many; k++)
      b[k] = ((const l2o_instance *)p[i + k]->data)->vector;
    l2o_normal_products(many, g + i, work + i, f + i, shared->matrix, x + i, b, shared->rows, p[0]->n);
  }
  for (size_t i = 0; i < count; i++) {
    f[i] = 0.5 * f[i] + l2o_instance_ridge(p[i], x[i]);
    l2o_instance_add_ridge(p[i], g[i], x[i]);
  }
  return L2O_OK;
}

l2o_status l2o_squares_hessian_vector_many(const l2o_problem *const *p, size_t count, l2o_real *const *hv, const l2o_real *const *x,
                                           const l2o_real *const *v, l2o_real *const *work) {
  const l2o_instance *shared = p[0]->data;
  double squares[MANY];
  (void)x;
  for (size_t i = 0; i < count; i += MANY)
    l2o_normal_products(count - i < MANY ? count - i : MANY, hv + i, work + i, squares, shared->matrix, v + i, NULL, shared->rows,
                        p[0]->n);
  for (size_t i = 0; i < count; i++)
    l2o_instance_add_ridge(p[i], hv[i], v[i]);
  return L2O_OK;
}

/* A'A + ridge I */
l2o_status l2o_squares_hessian(const l2o_problem *p, l2o_real *packed) {
  const l2o_instance *d = p->data;
  l2o_status status = l2o_gram_packed(packed, d->matrix, d->rows, p->n);
  for (size_t i = 0; !status && i < p->n; packed += p->n - i, i++)
    packed[0] += (l2o_real)d->ridge;
  return status;
}

/* A'(A v) in one pass over A */
size_t l2o_squares_hessian_reads(const l2o_problem *p) {
  return ((const l2o_instance *)p->data)->rows * p->n;
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

void l2o_squares_apply(l2o_real *b, const l2o_real *A, const double *x, size_t rows, size_t n) {
  for (size_t i = 0; i < rows; i++) {
    double sum = 0;
    for (size_t j = 0; j < n; j++)
      sum += (double)A[i * n + j] * x[j];
    b[i] = (l2o_real)sum;
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
