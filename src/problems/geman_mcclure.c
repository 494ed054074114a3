/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = sum_i phi(z_i), phi(z) = z^2 / (1 + z^2), z = B x: the robust loss of Geman and McClure (1985), not convex for |z| >
 * 1/sqrt(3), in directions that are not the axes. B is uniform on the orthogonal group (QR of a Gaussian matrix). From z0 = (2,
 * ..., 2), where phi is concave, f(x0) = 0.8 n; minimum 0 at 0. */
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/instance.h"
#include <stdlib.h>
#include <string.h>

static size_t work_len(const l2o_problem *p) {
  return 2 * p->n;
}

/* z = B x, f = sum z_i^2 / (1 + z_i^2) */
static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_gemv(work, d->matrix, x, p->n, p->n);
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    const double square = (double)work[i] * (double)work[i];
    *f += square / (1 + square);
  }
  return L2O_OK;
}

/* g = B' phi'(z), phi'(z) = 2 z / (1 + z^2)^2 */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  const l2o_status status = value(p, f, x, work);
  for (size_t i = 0; i < p->n; i++) {
    const double z = (double)work[i], q = 1 + z * z;
    work[i] = (l2o_real)(2 * z / (q * q));
  }
  l2o_gemv_t(g, d->matrix, work, p->n, p->n);
  return status;
}

/* hv = B' diag(phi''(z)) B v, phi''(z) = 2 (1 - 3 z^2) / (1 + z^2)^3 */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_real *u = work + p->n;
  l2o_gemv(work, d->matrix, x, p->n, p->n);
  l2o_gemv(u, d->matrix, v, p->n, p->n);
  for (size_t i = 0; i < p->n; i++) {
    const double z = (double)work[i], q = 1 + z * z;
    u[i] = (l2o_real)(2 * (1 - 3 * z * z) / (q * q * q) * (double)u[i]);
  }
  l2o_gemv_t(hv, d->matrix, u, p->n, p->n);
  return L2O_OK;
}

static size_t summands(const l2o_problem *p) {
  return p->n;
}

/* f is the mean of n summands: summand i is n phi(z_i), z_i = b_i'x. Only the rows b_i of B that are asked for are read. */
static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  const l2o_instance *d = p->data;
  const size_t n = p->n;
  const double scale = (double)n / (double)count;
  (void)work;
  *f = 0;
  if (g)
    memset(g, 0, n * sizeof *g);
  for (size_t k = 0; k < count; k++) {
    const l2o_real *b = d->matrix + rows[k] * n;
    const double z = l2o_dot(b, x, n), q = 1 + z * z;
    const l2o_real weight = (l2o_real)(scale * 2 * z / (q * q));
    *f += scale * (z * z / q);
    for (size_t j = 0; g && j < n; j++)
      g[j] += weight * b[j];
  }
  return L2O_OK;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  *fstar = 0;
  if (xstar)
    memset(xstar, 0, p->n * sizeof *xstar);
  return L2O_OK;
}

static const l2o_problem_ops ops = {
    L2O_INSTANCE_OPERATIONS, .name = "geman-mcclure",
    .work_len = work_len,    .value = value,
    .gradient = gradient,    .hessian_vector = hessian_vector,
    .minimum = minimum,      .hessian_trace = l2o_instance_trace,
    .summands = summands,    .partial = partial,
};

static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 100, 1, 20000, NULL, "unknowns"},
    {0},
};

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const size_t n = family->n;
  (void)diag;
  l2o_real *B, *start;
  l2o_instance *d = l2o_instance_room(&B, NULL, &start, n, n);
  double *Q = malloc(n * n * sizeof *Q);
  l2o_status status = d && Q ? L2O_OK : L2O_ERR_NOMEM;
  if (!status) {
    l2o_rng rng;
    l2o_rng_seed(&rng, seed, 0, index);
    l2o_rng_normal(&rng, Q, n * n);
    status = l2o_orthogonalise(Q, n, n);
  }
  for (size_t i = 0; i < n * n && !status; i++)
    B[i] = (l2o_real)Q[i];
  free(Q);
  if (status) {
    free(d);
    return status;
  }
  for (size_t j = 0; j < n; j++) { /* x0 = B' (2, ..., 2) */
    double sum = 0;
    for (size_t i = 0; i < n; i++)
      sum += (double)B[i * n + j];
    start[j] = (l2o_real)(2 * sum);
  }
  d->lipschitz = 2; /* max |phi''| = phi''(0) = 2 */
  d->trace = 2 * (double)n;
  *out = (l2o_problem){.ops = &ops, .data = d, .n = n};
  return L2O_OK;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  l2o_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "geman-mcclure: out of memory");
  *f = (l2o_family){
      .struct_size = sizeof *f, .name = "geman-mcclure", .n = (size_t)values[0], .sample = sample, .free = l2o_family_release};
  *out = f;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_geman_mcclure = {
    .name = "geman-mcclure",
    .meaning = "f(x) = sum_i z_i^2 / (1 + z_i^2), z = B x with B a random rotation: smooth, not convex",
    .options = options,
    .gap = "absolute",
    .create = create,
};
