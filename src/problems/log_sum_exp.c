/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = ln sum_i exp(a_i'x + b_i) + mu/2 |x|^2. Sampling: the L2O-BFGS problem LSE (Lin, Song, Xu, arXiv 2412.00059),
 * A = N(0, 1) / sqrt(n), b ~ N(0, I); start at 0. */
#include "core/decay.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/draws.h"
#include "problems/newton_minimum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* z = A x + b and, for the Hessian, q = A v */
static size_t work_len(const l2o_problem *p) {
  return 2 * ((const l2o_instance *)p->data)->rows;
}

/* z = A x + b becomes exp(z - largest), which cannot overflow; returns ln sum exp(z), and sum exp(z - largest) in *sum. */
static double exponentials(const l2o_instance *d, l2o_real *z, double *sum, const l2o_real *x, size_t n) {
  memcpy(z, d->vector, d->rows * sizeof *z);
  l2o_gemv_add(z, 1, d->matrix, x, d->rows, n);
  l2o_real largest = z[0];
  for (size_t i = 1; i < d->rows; i++)
    largest = z[i] > largest ? z[i] : largest;
  for (size_t i = 0; i < d->rows; i++)
    z[i] -= largest;
  l2o_decay(z, z, d->rows);
  *sum = 0;
  for (size_t i = 0; i < d->rows; i++)
    *sum += (double)z[i];
  return (double)largest + log(*sum);
}

/* z becomes the probabilities p_i = exp(z_i) / sum exp(z). */
static double probabilities(const l2o_instance *d, l2o_real *z, const l2o_real *x, size_t n) {
  double sum;
  const double f = exponentials(d, z, &sum, x, n);
  for (size_t i = 0; i < d->rows; i++)
    z[i] = (l2o_real)((double)z[i] / sum);
  return f;
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  double sum;
  *f = exponentials(d, work, &sum, x, p->n) + l2o_instance_ridge(p, x);
  return L2O_OK;
}

/* g = A'p + mu x */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  *f = probabilities(d, work, x, p->n) + l2o_instance_ridge(p, x);
  l2o_gemv_t(g, d->matrix, work, d->rows, p->n);
  l2o_instance_add_ridge(p, g, x);
  return L2O_OK;
}

/* hv = A'(p . (q - p'q)) + mu v, q = A v */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_real *q = work + d->rows;
  probabilities(d, work, x, p->n);
  l2o_gemv(q, d->matrix, v, d->rows, p->n);
  const double mean = l2o_dot(work, q, d->rows);
  for (size_t i = 0; i < d->rows; i++)
    q[i] = (l2o_real)((double)work[i] * ((double)q[i] - mean));
  l2o_gemv_t(hv, d->matrix, q, d->rows, p->n);
  l2o_instance_add_ridge(p, hv, v);
  return L2O_OK;
}

/* ---- the minimum ---- */

/* p from x; returns ln sum exp(A x + b). */
static double probabilities_in_double(l2o_in_double *c, const double *x) {
  double *p = c->scores, largest = -INFINITY, sum = 0;
  l2o_gemv_double(p, c->A, false, x, c->m, c->n);
  for (size_t i = 0; i < c->m; i++) {
    p[i] += (double)c->d->vector[i];
    largest = fmax(largest, p[i]);
  }
  for (size_t i = 0; i < c->m; i++)
    sum += p[i] = exp(p[i] - largest);
  for (size_t i = 0; i < c->m; i++)
    p[i] /= sum;
  return largest + log(sum);
}

static void gradient_in_double(l2o_in_double *c, double *f, double *g, const double *x) {
  *f = probabilities_in_double(c, x);
  l2o_gemv_double(g, c->A, true, c->scores, c->m, c->n);
}

/* H = sum_i p_i (a_i - mean)(a_i - mean)', mean = A'p */
static void hessian_in_double(l2o_in_double *c, double *H, const double *x) {
  double *mean = c->room;
  probabilities_in_double(c, x);
  l2o_gemv_double(mean, c->A, true, c->scores, c->m, c->n);
  for (size_t i = 0; i < c->m; i++)
    for (size_t j = 0; j < c->n; j++)
      c->weighted[i * c->n + j] = sqrt(c->scores[i]) * (c->A[i * c->n + j] - mean[j]);
  l2o_gram_double(H, c->weighted, c->m, c->n);
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const l2o_loss loss = {.outputs = 1, .room = p->n, .gradient = gradient_in_double, .hessian = hessian_in_double};
  return l2o_loss_minimum(p, fstar, xstar, &loss);
}

static const l2o_problem_ops ops = {
    L2O_INSTANCE_OPERATIONS, .name = "log-sum-exp",
    .work_len = work_len,    .value = value,
    .gradient = gradient,    .hessian_vector = hessian_vector,
    .minimum = minimum,      .hessian_trace = l2o_instance_trace,
};

/* ---- the family ---- */

enum { OPTION_N, OPTION_M, OPTION_MU, OPTION_SAMPLER };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 50, 1, 1e6, NULL, "unknowns"},
    {"m", L2O_OPTION_INT, 200, 1, 1e6, NULL, "exponentials in the sum"},
    {"mu", L2O_OPTION_REAL, 1e-2, 0, 1e6, NULL, "weight of 1/2 |x|^2"},
    L2O_SAMPLER_OPTION,
    {0},
};

typedef struct log_sum_exp_family {
  l2o_family base; /* first: the family handle points here */
  size_t m;
  double mu;
} log_sum_exp_family;

static double squared_distance(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t j = 0; j < n; j++)
    sum += (a[j] - b[j]) * (a[j] - b[j]);
  return sum;
}

/* v'(Hessian - mu I)v is the variance of a_i'v under p, at most a quarter of the squared range (Popoviciu 1935), hence
 * L <= mu + 1/4 max_ij |a_i - a_j|^2, which p = 1/2 on the two farthest rows reaches; the customary |A|_2^2 is much larger. Above
 * 10^9 operations the radius about the mean row stands in for half the diameter. The trace is mu n + sum_i p_i |a_i - A'p|^2
 * <= mu n + max_i |a_i - c|^2 for every c. */
static void curvature(l2o_instance *d, const double *A, double *centre, size_t n) {
  double radius = 0, diameter = 0;
  for (size_t i = 0; i < d->rows; i++)
    for (size_t j = 0; j < n; j++)
      centre[j] += A[i * n + j] / (double)d->rows;
  for (size_t i = 0; i < d->rows; i++)
    radius = fmax(radius, squared_distance(A + i * n, centre, n));
  const bool pairs = (double)d->rows * (double)d->rows * (double)n <= 2e9;
  for (size_t i = 0; i < d->rows && pairs; i++)
    for (size_t k = 0; k < i; k++)
      diameter = fmax(diameter, squared_distance(A + i * n, A + k * n, n));
  d->lipschitz = d->ridge + (pairs ? diameter / 4 : radius);
  d->trace = d->ridge * (double)n + radius;
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const log_sum_exp_family *f = (const log_sum_exp_family *)family;
  const size_t m = f->m, n = family->n;
  l2o_draws draws;
  l2o_status status = l2o_draws_begin(&draws, family, seed, index, diag);
  if (status)
    return status;
  l2o_real *stored, *vector;
  l2o_instance *d = l2o_instance_room(&stored, &vector, NULL, m, n);
  double *A = calloc(m * n + m + n, sizeof *A);
  if (!d || !A) {
    free(d);
    free(A);
    return L2O_ERR_NOMEM;
  }
  double *b = A + m * n, *centre = b + m;
  l2o_draws_normal(&draws, A, m * n);
  l2o_draws_normal(&draws, b, m);
  for (size_t i = 0; i < m * n; i++) { /* curvature() sees what is stored */
    stored[i] = (l2o_real)(A[i] / sqrt((double)n));
    A[i] = (double)stored[i];
  }
  for (size_t i = 0; i < m; i++)
    vector[i] = (l2o_real)b[i];
  d->ridge = f->mu;
  curvature(d, A, centre, n);
  free(A);
  *out = (l2o_problem){.ops = &ops, .data = d, .n = n};
  return L2O_OK;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const size_t n = (size_t)values[OPTION_N], m = (size_t)values[OPTION_M];
  if (!l2o_fits_blas(m, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "log-sum-exp: n = %zu, m = %zu is too large", n, m);
  log_sum_exp_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "log-sum-exp: out of memory");
  *f = (log_sum_exp_family){.base = {.struct_size = sizeof f->base,
                                     .name = "log-sum-exp",
                                     .n = n,
                                     .sample = sample,
                                     .free = l2o_family_release,
                                     .plain_seeds = values[OPTION_SAMPLER] == L2O_SAMPLER_MT19937},
                            .m = m,
                            .mu = values[OPTION_MU]};
  *out = &f->base;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_log_sum_exp = {
    .name = "log-sum-exp",
    .meaning = "f(x) = ln sum_i exp(a_i'x + b_i) + mu/2 |x|^2",
    .options = options,
    .gap = "absolute",
    .create = create,
};
