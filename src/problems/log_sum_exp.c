/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = ln sum_i exp(a_i'x + b_i) + mu/2 |x|^2. Sampling: the L2O-BFGS problem LSE (Lin, Song, Xu, arXiv 2412.00059),
 * A = N(0, 1) / sqrt(n), b ~ N(0, I); start at 0. */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/mersenne_twister.h"
#include "core/real.h"
#include "problems/families.h"
#include "problems/newton_minimum.h"
#include <stdlib.h>

typedef struct log_sum_exp {
  const l2o_real *A, *b; /* (m, n), (m) */
  size_t m;
  double mu, lipschitz, trace;
} log_sum_exp;

/* z = A x + b and, for the Hessian, q = A v */
static size_t work_len(const l2o_problem *p) {
  return 2 * ((const log_sum_exp *)p->data)->m;
}

/* z = A x + b becomes exp(z - largest), which cannot overflow; returns ln sum exp(z), and sum exp(z - largest) in *sum. */
static double exponentials(const log_sum_exp *d, l2o_real *z, double *sum, const l2o_real *x, size_t n) {
  memcpy(z, d->b, d->m * sizeof *z);
  l2o_gemv_add(z, 1, d->A, x, d->m, n);
  l2o_real largest = z[0];
  for (size_t i = 1; i < d->m; i++)
    largest = z[i] > largest ? z[i] : largest;
  for (size_t i = 0; i < d->m; i++)
    z[i] = r_decay(z[i] - largest);
  *sum = 0;
  for (size_t i = 0; i < d->m; i++)
    *sum += (double)z[i];
  return (double)largest + log(*sum);
}

/* z becomes the probabilities p_i = exp(z_i) / sum exp(z). */
static double probabilities(const log_sum_exp *d, l2o_real *z, const l2o_real *x, size_t n) {
  double sum;
  const double f = exponentials(d, z, &sum, x, n);
  for (size_t i = 0; i < d->m; i++)
    z[i] = (l2o_real)((double)z[i] / sum);
  return f;
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const log_sum_exp *d = p->data;
  double sum;
  *f = exponentials(d, work, &sum, x, p->n) + 0.5 * d->mu * l2o_dot(x, x, p->n);
  return L2O_OK;
}

/* g = A'p + mu x */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const log_sum_exp *d = p->data;
  *f = probabilities(d, work, x, p->n) + 0.5 * d->mu * l2o_dot(x, x, p->n);
  l2o_gemv_t(g, d->A, work, d->m, p->n);
  for (size_t j = 0; j < p->n; j++)
    g[j] += (l2o_real)d->mu * x[j];
  return L2O_OK;
}

/* hv = A'(p . (q - p'q)) + mu v, q = A v */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const log_sum_exp *d = p->data;
  l2o_real *q = work + d->m;
  probabilities(d, work, x, p->n);
  l2o_gemv(q, d->A, v, d->m, p->n);
  const double mean = l2o_dot(work, q, d->m);
  for (size_t i = 0; i < d->m; i++)
    q[i] = (l2o_real)((double)work[i] * ((double)q[i] - mean));
  l2o_gemv_t(hv, d->A, q, d->m, p->n);
  for (size_t j = 0; j < p->n; j++)
    hv[j] += (l2o_real)d->mu * v[j];
  return L2O_OK;
}

static l2o_status lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const log_sum_exp *)p->data)->lipschitz;
  return L2O_OK;
}

static l2o_status hessian_trace(const l2o_problem *p, double *trace) {
  *trace = ((const log_sum_exp *)p->data)->trace;
  return L2O_OK;
}

static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

/* ---- the minimum ---- */

typedef struct in_double {
  double *A, *weighted, *b, *p, *mean; /* (m, n), (m, n), (m), (m), (n) */
  double mu;
  size_t m, n;
} in_double;

static void layout_in_double(in_double *c, l2o_arena *arena) {
  L2O_TAKE(arena, c->A, c->m * c->n);
  L2O_TAKE(arena, c->weighted, c->m * c->n);
  L2O_TAKE(arena, c->b, c->m);
  L2O_TAKE(arena, c->p, c->m);
  L2O_TAKE(arena, c->mean, c->n);
}

/* p from x; returns ln sum exp(A x + b). */
static double probabilities_in_double(in_double *c, const double *x) {
  double largest = -INFINITY, sum = 0;
  l2o_gemv_double(c->p, c->A, false, x, c->m, c->n);
  for (size_t i = 0; i < c->m; i++) {
    c->p[i] += c->b[i];
    largest = fmax(largest, c->p[i]);
  }
  for (size_t i = 0; i < c->m; i++)
    sum += c->p[i] = exp(c->p[i] - largest);
  for (size_t i = 0; i < c->m; i++)
    c->p[i] /= sum;
  return largest + log(sum);
}

static void gradient_in_double(void *context, double *f, double *g, const double *x) {
  in_double *c = context;
  double squares = 0;
  *f = probabilities_in_double(c, x);
  l2o_gemv_double(g, c->A, true, c->p, c->m, c->n);
  for (size_t j = 0; j < c->n; j++) {
    squares += x[j] * x[j];
    g[j] += c->mu * x[j];
  }
  *f += 0.5 * c->mu * squares;
}

/* H = sum_i p_i (a_i - mean)(a_i - mean)' + mu I, mean = A'p */
static void hessian_in_double(void *context, double *H, const double *x) {
  in_double *c = context;
  probabilities_in_double(c, x);
  l2o_gemv_double(c->mean, c->A, true, c->p, c->m, c->n);
  for (size_t i = 0; i < c->m; i++)
    for (size_t j = 0; j < c->n; j++)
      c->weighted[i * c->n + j] = sqrt(c->p[i]) * (c->A[i * c->n + j] - c->mean[j]);
  l2o_gram_double(H, c->weighted, c->m, c->n);
  for (size_t j = 0; j < c->n; j++)
    H[j * c->n + j] += c->mu;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const log_sum_exp *d = p->data;
  in_double c = {.mu = d->mu, .m = d->m, .n = p->n};
  l2o_arena arena = {0};
  if (p->n > L2O_NEWTON_MINIMUM_LARGEST)
    return L2O_ERR_NOTSUP;
  layout_in_double(&c, &arena);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout_in_double(&c, &arena);
  for (size_t i = 0; i < c.m * c.n; i++)
    c.A[i] = (double)d->A[i];
  for (size_t i = 0; i < c.m; i++)
    c.b[i] = (double)d->b[i];
  const l2o_smooth f = {.n = p->n, .context = &c, .gradient = gradient_in_double, .hessian = hessian_in_double};
  l2o_status status = l2o_newton_minimum(fstar, xstar, &f, 0);
  free(arena.base);
  return status;
}

static const l2o_problem_ops ops = {
    .struct_size = sizeof ops,
    .name = "log-sum-exp",
    .work_len = work_len,
    .value = value,
    .gradient = gradient,
    .hessian_vector = hessian_vector,
    .lipschitz = lipschitz,
    .minimum = minimum,
    .free = release,
    .hessian_trace = hessian_trace,
};

/* ---- the family ---- */

enum { PHILOX, MT19937 };
enum { OPTION_N, OPTION_M, OPTION_MU, OPTION_SAMPLER };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 50, 1, 1e6, NULL, "unknowns"},
    {"m", L2O_OPTION_INT, 200, 1, 1e6, NULL, "exponentials in the sum"},
    {"mu", L2O_OPTION_REAL, 1e-2, 0, 1e6, NULL, "weight of 1/2 |x|^2"},
    {"sampler", L2O_OPTION_CHOICE, PHILOX, 0, 0, "philox|mt19937", "random numbers: our streams, or the reference data"},
    {0},
};

typedef struct log_sum_exp_family {
  l2o_family base; /* first: the family handle points here */
  size_t m;
  double mu;
} log_sum_exp_family;

typedef struct parts {
  log_sum_exp *d;
  l2o_real *A, *b;
} parts;

static void layout(parts *o, l2o_arena *arena, size_t m, size_t n) {
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->A, m * n);
  L2O_TAKE(arena, o->b, m);
}

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
static void curvature(log_sum_exp *d, const double *A, double *centre, size_t n) {
  double radius = 0, diameter = 0;
  for (size_t i = 0; i < d->m; i++)
    for (size_t j = 0; j < n; j++)
      centre[j] += A[i * n + j] / (double)d->m;
  for (size_t i = 0; i < d->m; i++)
    radius = fmax(radius, squared_distance(A + i * n, centre, n));
  const bool pairs = (double)d->m * (double)d->m * (double)n <= 2e9;
  for (size_t i = 0; i < d->m && pairs; i++)
    for (size_t k = 0; k < i; k++)
      diameter = fmax(diameter, squared_distance(A + i * n, A + k * n, n));
  d->lipschitz = d->mu + (pairs ? diameter / 4 : radius);
  d->trace = d->mu * (double)n + radius;
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const log_sum_exp_family *f = (const log_sum_exp_family *)family;
  const size_t m = f->m, n = family->n;
  if (family->plain_seeds && (seed > UINT32_MAX || index > UINT32_MAX || seed + index > UINT32_MAX || seed + index == 0))
    return l2o_fail(diag, L2O_ERR_ARG, "sampler mt19937 draws instance i from seed + i, expected from 1 to 2^32 - 1");
  parts o = {0};
  l2o_arena arena = {0};
  layout(&o, &arena, m, n);
  double *block = calloc(m * n + m + n, sizeof *block);
  if (!block || !l2o_arena_new(&arena)) {
    free(block);
    return L2O_ERR_NOMEM;
  }
  layout(&o, &arena, m, n);
  double *A = block, *b = A + m * n, *centre = b + m;
  if (family->plain_seeds) {
    l2o_twister t;
    l2o_twister_seed_gsl(&t, (uint32_t)(seed + index));
    l2o_twister_normal(&t, A, m * n);
    l2o_twister_normal(&t, b, m);
  } else {
    l2o_rng rng;
    l2o_rng_seed(&rng, seed, 0, index);
    l2o_rng_normal(&rng, A, m * n);
    l2o_rng_normal(&rng, b, m);
  }
  for (size_t i = 0; i < m * n; i++) { /* curvature() sees what is stored */
    o.A[i] = (l2o_real)(A[i] / sqrt((double)n));
    A[i] = (double)o.A[i];
  }
  for (size_t i = 0; i < m; i++)
    o.b[i] = (l2o_real)b[i];
  *o.d = (log_sum_exp){.A = o.A, .b = o.b, .m = m, .mu = f->mu};
  curvature(o.d, A, centre, n);
  free(block);
  *out = (l2o_problem){.ops = &ops, .data = o.d, .n = n};
  return L2O_OK;
}

static void free_family(l2o_family *family) {
  free(family);
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
                                     .free = free_family,
                                     .plain_seeds = (int)values[OPTION_SAMPLER] == MT19937},
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
