/* SPDX-License-Identifier: BSD-3-Clause */
/* Logistic regression, F(x) = 1/m sum_i ln(1 + exp(-b_i a_i'x)) + l2/2 |x|^2 + l1 |x|_1 with b_i = -1 or 1. Only the products
 * b_i a_i matter, and they are what is stored. Three published samplings share the name:
 * - go: Song, Lin, Wang, Xu (CVPR 2024), optimizees/logistic_l1.py of their code: A ~ N(0, 1), truth z with `sparsity` entries N(0,
 * 1), b_i = sign(a_i'z), start N(0, I). (Their step is 1 / 4L: they leave the 1/4 out of the Lipschitz constant.)
 * - bfgs: the L2O-BFGS problem LOG (Lin, Song, Xu, arXiv 2412.00059): A ~ N(0, 1), z ~ N(0, I), b_i = sign(a_i'z / sqrt(n) + noise
 * / 2).
 * - zo: zeroth-order comparison, 500 Gaussian rows of 100 features without regularisation. How the labels were drawn is not
 * published; P(b_i = 1) = s(2 a_i'z / sqrt(n)), z ~ N(0, I), s(t) = 1 / (1 + exp(-t)), gives a finite minimiser, L = 0.51 +- 0.01
 * (published: 0.499) and the published gaps (6.9e-4 after 50 steps of gradient descent; geometric mean here 7.4e-4). */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/mersenne_twister.h"
#include "core/real.h"
#include "problems/families.h"
#include "problems/features.h"
#include "problems/instance.h"
#include "problems/newton_minimum.h"
#include "problems/soft_threshold.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct logistic {
  const l2o_real *A;  /* (m, n), rows b_i a_i */
  const l2o_real *x0; /* (n); NULL: zero */
  size_t m;
  double l1, l2, lipschitz, trace;
} logistic;

/* work: t = A x and, for the Hessian, q = A v */
static size_t work_len(const l2o_problem *p) {
  return 2 * ((const logistic *)p->data)->m;
}

/* ln(1 + e) for 0 <= e <= 1, = 2 artanh(s) with s = e / (2 + e) <= 1/3: straight code that the compiler vectorises, unlike a call
 * of log1p(). Relative error below 4e-16. */
static inline double log_of_one_plus(double e) {
  const double s = e / (2 + e), q = s * s;
  double sum = 1.0 / 33;
  sum = sum * q + 1.0 / 31;
  sum = sum * q + 1.0 / 29;
  sum = sum * q + 1.0 / 27;
  sum = sum * q + 1.0 / 25;
  sum = sum * q + 1.0 / 23;
  sum = sum * q + 1.0 / 21;
  sum = sum * q + 1.0 / 19;
  sum = sum * q + 1.0 / 17;
  sum = sum * q + 1.0 / 15;
  sum = sum * q + 1.0 / 13;
  sum = sum * q + 1.0 / 11;
  sum = sum * q + 1.0 / 9;
  sum = sum * q + 1.0 / 7;
  sum = sum * q + 1.0 / 5;
  sum = sum * q + 1.0 / 3;
  return 2 * s * (1 + sum * q);
}

enum { BLOCK = 64 };

/* sum_i ln(1 + exp(-t_i)) = sum_i max(-t_i, 0) + ln(1 + e_i) with e_i = exp(-|t_i|), which cannot overflow. If `slopes`, t_i
 * becomes the derivative -s(-t_i) = -1 / (1 + exp(t_i)) divided by `count`. */
static double losses(l2o_real *t, bool slopes, size_t m, size_t count) {
  const l2o_real share = (l2o_real)(-1 / (double)count);
  double total = 0, loss[BLOCK];
  l2o_real e[BLOCK];
  for (size_t first = 0; first < m; first += BLOCK) {
    const size_t size = m - first < BLOCK ? m - first : BLOCK;
    for (size_t i = 0; i < size; i++)
      e[i] = r_decay(t[first + i]);
    for (size_t i = 0; i < size; i++)
      loss[i] = (double)(t[first + i] < 0 ? -t[first + i] : 0) + log_of_one_plus((double)e[i]);
    if (slopes)
      for (size_t i = 0; i < size; i++)
        t[first + i] = share * (t[first + i] < 0 ? 1 : e[i]) / (1 + e[i]);
    double sum = 0; /* by blocks, so that rounding does not add up over all the rows */
    for (size_t i = 0; i < size; i++)
      sum += loss[i];
    total += sum;
  }
  return total;
}

/* l2/2 |x|^2 */
static double ridge(const logistic *d, const l2o_real *x, size_t n) {
  return d->l2 > 0 ? 0.5 * d->l2 * l2o_dot(x, x, n) : 0;
}

static void add_ridge_gradient(l2o_real *g, const logistic *d, const l2o_real *x, size_t n) {
  for (size_t j = 0; d->l2 > 0 && j < n; j++)
    g[j] += (l2o_real)d->l2 * x[j];
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const logistic *d = p->data;
  l2o_gemv(work, d->A, x, d->m, p->n);
  *f = losses(work, false, d->m, d->m) / (double)d->m + ridge(d, x, p->n);
  return L2O_OK;
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const logistic *d = p->data;
  l2o_gemv(work, d->A, x, d->m, p->n);
  *f = losses(work, true, d->m, d->m) / (double)d->m + ridge(d, x, p->n);
  l2o_gemv_t(g, d->A, work, d->m, p->n); /* g = -1/m A' s(-A x) + l2 x */
  add_ridge_gradient(g, d, x, p->n);
  return L2O_OK;
}

/* hv = 1/m A' (s (1 - s) . A v) + l2 v, s (1 - s) = e / (1 + e)^2 with e = exp(-|a_i'x|) */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const logistic *d = p->data;
  l2o_real *q = work + d->m;
  const l2o_real share = (l2o_real)(1 / (double)d->m);
  l2o_gemv(work, d->A, x, d->m, p->n);
  l2o_gemv(q, d->A, v, d->m, p->n);
  for (size_t i = 0; i < d->m; i++) {
    const l2o_real e = r_decay(work[i]);
    q[i] *= share * e / ((1 + e) * (1 + e));
  }
  l2o_gemv_t(hv, d->A, q, d->m, p->n);
  add_ridge_gradient(hv, d, v, p->n);
  return L2O_OK;
}

static size_t summands(const l2o_problem *p) {
  return ((const logistic *)p->data)->m;
}

/* f_i = ln(1 + exp(-b_i a_i'x)) + l2/2 |x|^2 */
static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  const logistic *d = p->data;
  (void)work; /* rows may repeat, so their number is not bounded by m */
  double sum = 0;
  if (g)
    memset(g, 0, p->n * sizeof *g);
  for (size_t i = 0; i < count; i++) {
    const l2o_real *a = d->A + rows[i] * p->n;
    l2o_real t = (l2o_real)l2o_dot(a, x, p->n);
    sum += losses(&t, g != NULL, 1, count);
    for (size_t j = 0; g && j < p->n; j++)
      g[j] += t * a[j];
  }
  *f = sum / (double)count + ridge(d, x, p->n);
  if (g)
    add_ridge_gradient(g, d, x, p->n);
  return L2O_OK;
}

/* s (1 - s) <= 1/4, hence |A|_2^2 / 4m + l2 and |A|_F^2 / 4m + l2 n; both are reached at 0 */
static l2o_status lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const logistic *)p->data)->lipschitz;
  return L2O_OK;
}

static l2o_status hessian_trace(const l2o_problem *p, double *trace) {
  *trace = ((const logistic *)p->data)->trace;
  return L2O_OK;
}

static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  const logistic *d = p->data;
  if (d->x0)
    memcpy(x0, d->x0, p->n * sizeof *x0);
  else
    memset(x0, 0, p->n * sizeof *x0);
  return L2O_OK;
}

/* Whatever an instance owns stands in one block that begins with its logistic. */
static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

/* ---- the L1 term ---- */

static l2o_status nonsmooth(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  *h = l2o_l1_norm(s, x, ((const logistic *)p->data)->l1, p->n);
  return L2O_OK;
}

static l2o_status prox(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work) {
  (void)work;
  l2o_soft_threshold(out, x, tau, ((const logistic *)p->data)->l1, p->n);
  return L2O_OK;
}

static l2o_status prox_vjp(const l2o_problem *p, l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau,
                           const l2o_real *dout, l2o_real *work) {
  (void)work;
  l2o_soft_threshold_vjp(dx, dtau, x, tau, dout, ((const logistic *)p->data)->l1, p->n);
  return L2O_OK;
}

/* ---- the minimum ---- */

typedef struct in_double {
  double *A, *weighted; /* (m, n) */
  double *t;            /* (m) */
  double l2;
  size_t m, n;
} in_double;

static void layout_in_double(in_double *c, l2o_arena *arena) {
  L2O_TAKE(arena, c->A, c->m * c->n);
  L2O_TAKE(arena, c->weighted, c->m * c->n);
  L2O_TAKE(arena, c->t, c->m);
}

static void gradient_in_double(void *context, double *f, double *g, const double *x) {
  in_double *c = context;
  const double m = (double)c->m;
  double sum = 0, squares = 0;
  l2o_gemv_double(c->t, c->A, false, x, c->m, c->n);
  for (size_t i = 0; i < c->m; i++) {
    const double e = exp(-fabs(c->t[i]));
    sum += fmax(-c->t[i], 0) + log1p(e);
    c->t[i] = -(c->t[i] < 0 ? 1 : e) / (1 + e) / m;
  }
  l2o_gemv_double(g, c->A, true, c->t, c->m, c->n);
  for (size_t j = 0; j < c->n; j++) {
    squares += x[j] * x[j];
    g[j] += c->l2 * x[j];
  }
  *f = sum / m + 0.5 * c->l2 * squares;
}

static void hessian_in_double(void *context, double *H, const double *x) {
  in_double *c = context;
  l2o_gemv_double(c->t, c->A, false, x, c->m, c->n);
  for (size_t i = 0; i < c->m; i++) {
    const double e = exp(-fabs(c->t[i])), root = sqrt(e / (double)c->m) / (1 + e);
    for (size_t j = 0; j < c->n; j++)
      c->weighted[i * c->n + j] = root * c->A[i * c->n + j];
  }
  l2o_gram_double(H, c->weighted, c->m, c->n);
  for (size_t j = 0; j < c->n; j++)
    H[j * c->n + j] += c->l2;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const logistic *d = p->data;
  in_double c = {.l2 = d->l2, .m = d->m, .n = p->n};
  l2o_arena arena = {0};
  if (p->n > L2O_NEWTON_MINIMUM_LARGEST)
    return L2O_ERR_NOTSUP;
  layout_in_double(&c, &arena);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout_in_double(&c, &arena);
  for (size_t i = 0; i < c.m * c.n; i++)
    c.A[i] = (double)d->A[i];
  const l2o_smooth f = {.n = p->n, .context = &c, .gradient = gradient_in_double, .hessian = hessian_in_double};
  l2o_status status = l2o_newton_minimum(fstar, xstar, &f, d->l1);
  free(arena.base);
  return status;
}

#define SMOOTH_OPERATIONS                                                                                                          \
  .struct_size = sizeof(l2o_problem_ops), .name = "logistic", .work_len = work_len, .value = value, .gradient = gradient,          \
  .hessian_vector = hessian_vector, .lipschitz = lipschitz, .minimum = minimum, .start = start, .free = release,                   \
  .summands = summands, .partial = partial, .hessian_trace = hessian_trace
static const l2o_problem_ops smooth_ops = {SMOOTH_OPERATIONS};
static const l2o_problem_ops composite_ops = {SMOOTH_OPERATIONS, .nonsmooth = nonsmooth, .prox = prox, .prox_vjp = prox_vjp};

/* ---- the family ---- */

enum { GO, BFGS, ZO };
enum { PHILOX, MT19937 };
enum { OPTION_N, OPTION_M, OPTION_SPARSITY, OPTION_L1, OPTION_L2, OPTION_RECIPE, OPTION_SAMPLER, OPTION_SCALE, OPTION_BIAS };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 0, 0, 1e6, NULL, "features; 0: the recipe's (50, 50, 100)"},
    {"m", L2O_OPTION_INT, 0, 0, 1e7, NULL, "rows that are sampled; 0: the recipe's (1000, 500, 500)"},
    {"sparsity", L2O_OPTION_INT, 0, 0, 1e6, NULL, "non-zeros of the truth behind sampled labels; 0: the recipe's (20, all, all)"},
    /* -1 cannot be given: "not given" */
    {"l1", L2O_OPTION_REAL, -1, 0, 1e6, NULL, "weight of |x|_1; where not given, the recipe's (0.1, 0, 0), for data 0"},
    {"l2", L2O_OPTION_REAL, -1, 0, 1e6, NULL, "weight of 1/2 |x|^2; where not given, the recipe's (0, 1e-3, 0), for data 0"},
    {"recipe", L2O_OPTION_CHOICE, BFGS, 0, 0, "go|bfgs|zo", "published sampling"},
    {"sampler", L2O_OPTION_CHOICE, PHILOX, 0, 0, "philox|mt19937",
     "random numbers: our streams, or the reference data of recipe bfgs"},
    L2O_FEATURE_OPTIONS,
    {0},
};

typedef struct recipe {
  size_t n, m, sparsity; /* 0: all */
  double l1, l2;
} recipe;
static const recipe recipes[] = {[GO] = {50, 1000, 20, 0.1, 0}, [BFGS] = {50, 500, 0, 0, 1e-3}, [ZO] = {100, 500, 0, 0, 0}};

typedef struct logistic_family {
  l2o_family base; /* first: the family handle points here */
  size_t m, features, sparsity;
  int recipe, scale;
  bool bias;
  double l1, l2;
  char note[240];
  logistic data; /* of families from data; A is the family's */
  l2o_real *A;
} logistic_family;

/* Lipschitz constant and trace of d->A, whose shape is (d->m, n). */
static l2o_status finish(logistic *d, size_t n) {
  const double m = (double)d->m;
  if (!l2o_all_finite(d->A, d->m * n))
    return L2O_ERR_NUMERIC;
  l2o_status status = l2o_squares_constant(&d->lipschitz, d->A, d->m, n);
  d->lipschitz = d->lipschitz / (4 * m) + d->l2;
  d->trace = l2o_dot(d->A, d->A, d->m * n) / (4 * m) + d->l2 * (double)n;
  return status;
}

/* A (m, n) with rows b_i a_i from the features as read or drawn. */
static l2o_status prepare(l2o_real *A, const logistic_family *f, const l2o_real *features, const signed char *label, size_t m) {
  const size_t n = f->features + f->bias;
  l2o_status status = l2o_features(A, features, m, f->features, f->scale, f->bias);
  for (size_t i = 0; i < m && !status; i++)
    for (size_t j = 0; label[i] < 0 && j < n; j++)
      A[i * n + j] = -A[i * n + j];
  return status;
}

/* What is drawn for one instance. */
typedef struct draws {
  double *A, *truth, *noise, *start; /* (m, features), (features), (m), (features + 1) */
  l2o_real *features;                /* (m, features) */
  size_t *order;                     /* (features) */
  signed char *label;                /* (m) */
} draws;

static void layout_draws(draws *o, l2o_arena *arena, const logistic_family *f) {
  L2O_TAKE(arena, o->A, f->m * f->features);
  L2O_TAKE(arena, o->truth, f->features);
  L2O_TAKE(arena, o->noise, f->m);
  L2O_TAKE(arena, o->start, f->features + 1);
  L2O_TAKE(arena, o->features, f->m * f->features);
  L2O_TAKE(arena, o->order, f->features);
  L2O_TAKE(arena, o->label, f->m);
}

/* Zeroes all entries of the truth but `sparsity`, chosen uniformly by a shuffle's first steps. */
static void sparsify(draws *o, l2o_rng *rng, size_t n, size_t sparsity) {
  for (size_t j = 0; j < n; j++)
    o->order[j] = j;
  for (size_t j = 0; j < sparsity; j++) {
    const size_t k = j + (size_t)(l2o_rng_uniform(rng) * (double)(n - j)), kept = o->order[k];
    o->order[k] = o->order[j];
    o->order[j] = kept;
  }
  for (size_t j = sparsity; j < n; j++)
    o->truth[o->order[j]] = 0;
}

static void draw(draws *o, const logistic_family *f, uint64_t seed, uint64_t index) {
  const size_t m = f->m, n = f->features;
  const double root = sqrt((double)n);
  if (f->base.plain_seeds) {
    l2o_twister t;
    l2o_twister_seed_gsl(&t, (uint32_t)(seed + index));
    l2o_twister_normal(&t, o->A, m * n);
    l2o_twister_normal(&t, o->truth, n);
    l2o_twister_normal(&t, o->noise, m);
  } else {
    l2o_rng rng;
    l2o_rng_seed(&rng, seed, 0, index);
    l2o_rng_normal(&rng, o->A, m * n);
    l2o_rng_normal(&rng, o->truth, n);
    for (size_t i = 0; i < m && f->recipe == ZO; i++)
      o->noise[i] = l2o_rng_uniform(&rng);
    if (f->recipe == BFGS)
      l2o_rng_normal(&rng, o->noise, m);
    if (f->recipe == GO)
      l2o_rng_normal(&rng, o->start, n + f->bias);
    if (f->sparsity < n)
      sparsify(o, &rng, n, f->sparsity);
  }
  for (size_t i = 0; i < m; i++) {
    double t = 0;
    for (size_t j = 0; j < n; j++) {
      t += o->A[i * n + j] * o->truth[j];
      o->features[i * n + j] = (l2o_real)o->A[i * n + j];
    }
    const bool positive = f->recipe == ZO     ? o->noise[i] < 1 / (1 + exp(-2 * t / root))
                          : f->recipe == BFGS ? t / root + 0.5 * o->noise[i] >= 0
                                              : t >= 0;
    o->label[i] = positive ? 1 : -1;
  }
}

/* One instance in a block of its own. */
typedef struct parts {
  logistic *d;
  l2o_real *A, *x0;
} parts;

static void layout(parts *o, l2o_arena *arena, const logistic_family *f) {
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->A, f->m * f->base.n);
  L2O_TAKE(arena, o->x0, f->base.n);
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const logistic_family *f = (const logistic_family *)family;
  if (family->plain_seeds && (seed > UINT32_MAX || index > UINT32_MAX || seed + index > UINT32_MAX || seed + index == 0))
    return l2o_fail(diag, L2O_ERR_ARG, "sampler mt19937 draws instance i from seed + i, expected from 1 to 2^32 - 1");
  parts o = {0};
  draws drawn = {0};
  l2o_arena own = {0}, passing = {0};
  layout(&o, &own, f);
  layout_draws(&drawn, &passing, f);
  if (!l2o_arena_new(&own))
    return L2O_ERR_NOMEM;
  if (!l2o_arena_new(&passing)) {
    free(own.base);
    return L2O_ERR_NOMEM;
  }
  layout(&o, &own, f);
  layout_draws(&drawn, &passing, f);
  draw(&drawn, f, seed, index);
  for (size_t j = 0; j < family->n; j++)
    o.x0[j] = (l2o_real)drawn.start[j];
  *o.d = (logistic){.A = o.A, .x0 = o.x0, .m = f->m, .l1 = f->l1, .l2 = f->l2};
  l2o_status status = prepare(o.A, f, drawn.features, drawn.label, f->m);
  free(passing.base);
  if (!status)
    status = finish(o.d, family->n);
  if (status) {
    free(own.base);
    return status;
  }
  *out = (l2o_problem){.ops = f->l1 > 0 ? &composite_ops : &smooth_ops, .data = o.d, .n = family->n};
  return L2O_OK;
}

static l2o_status sample_data(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const logistic_family *f = (const logistic_family *)family;
  (void)seed, (void)index, (void)diag;
  logistic *d = malloc(sizeof *d);
  if (!d)
    return L2O_ERR_NOMEM;
  *d = f->data;
  *out = (l2o_problem){.ops = f->l1 > 0 ? &composite_ops : &smooth_ops, .data = d, .n = family->n};
  return L2O_OK;
}

static void free_family(l2o_family *family) {
  logistic_family *f = (logistic_family *)family;
  free(f->A);
  free(f);
}

static double given_or(double value, double otherwise) {
  return value >= 0 ? value : otherwise;
}

/* A family with everything but its sizes and its sampling. */
static logistic_family *new_family(const double *values, double l1, double l2) {
  logistic_family *f = calloc(1, sizeof *f);
  if (f)
    *f = (logistic_family){.base = {.struct_size = sizeof f->base, .name = "logistic", .free = free_family},
                           .recipe = (int)values[OPTION_RECIPE],
                           .scale = (int)values[OPTION_SCALE],
                           .bias = values[OPTION_BIAS] > 0,
                           .l1 = given_or(values[OPTION_L1], l1),
                           .l2 = given_or(values[OPTION_L2], l2)};
  return f;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const recipe *r = &recipes[(int)values[OPTION_RECIPE]];
  const size_t n = values[OPTION_N] > 0 ? (size_t)values[OPTION_N] : r->n;
  const size_t m = values[OPTION_M] > 0 ? (size_t)values[OPTION_M] : r->m;
  const size_t usual = r->sparsity && r->sparsity < n ? r->sparsity : n;
  const size_t sparsity = values[OPTION_SPARSITY] > 0 ? (size_t)values[OPTION_SPARSITY] : usual;
  const bool replays = (int)values[OPTION_SAMPLER] == MT19937;
  if (sparsity > n)
    return l2o_fail(diag, L2O_ERR_ARG, "logistic: sparsity = %zu, expected at most the %zu features", sparsity, n);
  if (replays && ((int)values[OPTION_RECIPE] != BFGS || sparsity < n))
    return l2o_fail(diag, L2O_ERR_ARG, "logistic: sampler mt19937 replays the data of recipe bfgs, whose truth is not sparse");
  if (!l2o_fits_blas(m, n + 1))
    return l2o_fail(diag, L2O_ERR_SHAPE, "logistic: n = %zu, m = %zu is too large", n, m);
  logistic_family *f = new_family(values, r->l1, r->l2);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "logistic: out of memory");
  f->m = m;
  f->features = n;
  f->sparsity = sparsity;
  f->base.n = n + f->bias;
  f->base.sample = sample;
  f->base.plain_seeds = replays;
  *out = &f->base;
  return L2O_OK;
}

/* The smaller of two labels counts as -1. */
static l2o_status labels_of(signed char **out, const l2o_dataset *data, l2o_diag *diag) {
  if (!data->labels)
    return l2o_fail(diag, L2O_ERR_FORMAT, "logistic: %s has no labels", data->name);
  if (data->class_count == 0)
    return l2o_fail(diag, L2O_ERR_FORMAT, "logistic: %s has more than %d distinct labels, expected 2", data->name,
                    (int)L2O_DATASET_CLASSES);
  if (data->class_count != 2)
    return l2o_fail(diag, L2O_ERR_FORMAT, "logistic: %s has %zu distinct label%s, expected 2%s", data->name, data->class_count,
                    data->class_count == 1 ? "" : "s", data->class_count > 2 ? "; family softmax takes more" : "");
  signed char *label = malloc(data->rows);
  if (!label)
    return l2o_fail(diag, L2O_ERR_NOMEM, "logistic: out of memory");
  for (size_t i = 0; i < data->rows; i++)
    label[i] = data->class_of[i] == 0 ? -1 : 1;
  *out = label;
  return L2O_OK;
}

static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  const size_t given = (size_t)values[OPTION_N];
  signed char *label = NULL;
  if (given && given != data->features)
    return l2o_fail(diag, L2O_ERR_SHAPE, "logistic: n = %zu, but %s has %zu features", given, data->name, data->features);
  if (!l2o_fits_blas(data->rows, data->features + 1))
    return l2o_fail(diag, L2O_ERR_SHAPE, "logistic: %s is too large", data->name);
  l2o_status status = labels_of(&label, data, diag);
  if (status)
    return status;
  logistic_family *f = new_family(values, 0, 0);
  if (f) {
    f->m = data->rows;
    f->features = data->features;
    f->base.n = f->features + f->bias;
    f->base.count = 1;
    f->base.sample = sample_data;
    f->base.note = f->note;
    f->A = malloc(f->m * f->base.n * sizeof *f->A);
  }
  status = f && f->A ? prepare(f->A, f, data->A, label, f->m) : L2O_ERR_NOMEM;
  free(label);
  if (!status) {
    f->data = (logistic){.A = f->A, .m = f->m, .l1 = f->l1, .l2 = f->l2};
    status = finish(&f->data, f->base.n);
    if (!status && !(f->data.lipschitz > 0 && isfinite(f->data.lipschitz)))
      status = L2O_ERR_NUMERIC;
  }
  if (status) {
    if (f)
      free_family(&f->base);
    return l2o_fail(diag, status, "logistic: %s: %s", data->name,
                    status == L2O_ERR_NUMERIC ? "the features are all 0, or too large" : l2o_strerror(status));
  }
  snprintf(f->note, sizeof f->note, "%.100s: %zu rows, %zu features; labels %.10g -> -1, %.10g -> +1", data->name, data->rows,
           data->features, data->classes[0], data->classes[1]);
  l2o_dataset_free(data);
  *out = &f->base;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_logistic = {
    .name = "logistic",
    .meaning = "f(x) = 1/m sum_i ln(1 + exp(-b_i a_i'x)) + l2/2 |x|^2 + l1 |x|_1 with labels b_i = -1, 1",
    .options = options,
    .gap = "absolute",
    .create = create,
    .create_from = create_from,
};
