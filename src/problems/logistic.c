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
#include "core/decay.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/classification.h"
#include "problems/newton_minimum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* t = A x and, for the Hessian, q = A v */
static size_t work_len(const l2o_problem *p) {
  return 2 * l2o_instance_summands(p);
}

enum { BLOCK = 64 };

/* sum_i ln(1 + exp(-t_i)). If `slopes`, t_i becomes the derivative -s(-t_i) = -1 / (1 + exp(t_i)) divided by `count`. */
static double losses(l2o_real *t, bool slopes, size_t m, size_t count) {
  const l2o_real share = (l2o_real)(-1 / (double)count);
  double total = 0;
  l2o_real e[BLOCK];
  for (size_t first = 0; first < m; first += BLOCK) { /* by blocks, so that rounding does not add up over all the rows */
    const size_t size = m - first < BLOCK ? m - first : BLOCK;
    total += l2o_logistic_losses(e, t + first, size);
    for (size_t i = 0; slopes && i < size; i++)
      t[first + i] = share * (t[first + i] < 0 ? 1 : e[i]) / (1 + e[i]);
  }
  return total;
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_gemv(work, d->matrix, x, d->rows, p->n);
  *f = losses(work, false, d->rows, d->rows) / (double)d->rows + l2o_instance_ridge(p, x);
  return L2O_OK;
}

/* g = -1/m A' s(-A x) + l2 x */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_gemv(work, d->matrix, x, d->rows, p->n);
  *f = losses(work, true, d->rows, d->rows) / (double)d->rows + l2o_instance_ridge(p, x);
  l2o_gemv_t(g, d->matrix, work, d->rows, p->n);
  l2o_instance_add_ridge(p, g, x);
  return L2O_OK;
}

/* hv = 1/m A' (s (1 - s) . A v) + l2 v, s (1 - s) = e / (1 + e)^2 with e = exp(-|a_i'x|) */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_real *q = work + d->rows;
  const l2o_real share = (l2o_real)(1 / (double)d->rows);
  l2o_gemv(work, d->matrix, x, d->rows, p->n);
  l2o_gemv(q, d->matrix, v, d->rows, p->n);
  l2o_decay(work, work, d->rows);
  for (size_t i = 0; i < d->rows; i++) {
    const l2o_real e = work[i];
    q[i] *= share * e / ((1 + e) * (1 + e));
  }
  l2o_gemv_t(hv, d->matrix, q, d->rows, p->n);
  l2o_instance_add_ridge(p, hv, v);
  return L2O_OK;
}

/* f_i = ln(1 + exp(-b_i a_i'x)) + l2/2 |x|^2 */
static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  const l2o_instance *d = p->data;
  (void)work; /* rows may repeat, so their number is not bounded by m */
  double sum = 0;
  if (g)
    memset(g, 0, p->n * sizeof *g);
  for (size_t i = 0; i < count; i++) {
    const l2o_real *a = d->matrix + rows[i] * p->n;
    l2o_real t = (l2o_real)l2o_dot(a, x, p->n);
    sum += losses(&t, g != NULL, 1, count);
    for (size_t j = 0; g && j < p->n; j++)
      g[j] += t * a[j];
  }
  *f = sum / (double)count + l2o_instance_ridge(p, x);
  if (g)
    l2o_instance_add_ridge(p, g, x);
  return L2O_OK;
}

/* 0 <= s (1 - s) <= 1/4, reached at 0 */
static void curvature(double *largest, double *trace, size_t classes) {
  (void)classes;
  *largest = *trace = 0.25;
}

/* ---- the minimum ---- */

static void gradient_in_double(l2o_in_double *c, double *f, double *g, const double *x) {
  const double m = (double)c->m;
  double sum = 0, *t = c->scores;
  l2o_gemv_double(t, c->A, false, x, c->m, c->n);
  for (size_t i = 0; i < c->m; i++) {
    const double e = exp(-fabs(t[i]));
    sum += fmax(-t[i], 0) + log1p(e);
    t[i] = -(t[i] < 0 ? 1 : e) / (1 + e) / m;
  }
  l2o_gemv_double(g, c->A, true, t, c->m, c->n);
  *f = sum / m;
}

static void hessian_in_double(l2o_in_double *c, double *H, const double *x) {
  l2o_gemv_double(c->scores, c->A, false, x, c->m, c->n);
  for (size_t i = 0; i < c->m; i++) {
    const double e = exp(-fabs(c->scores[i])), root = sqrt(e / (double)c->m) / (1 + e);
    for (size_t j = 0; j < c->n; j++)
      c->weighted[i * c->n + j] = root * c->A[i * c->n + j];
  }
  l2o_gram_double(H, c->weighted, c->m, c->n);
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  static const l2o_loss loss = {.outputs = 1, .gradient = gradient_in_double, .hessian = hessian_in_double};
  return l2o_loss_minimum(p, fstar, xstar, &loss);
}

#define SMOOTH_OPERATIONS                                                                                                          \
  L2O_INSTANCE_OPERATIONS, .name = "logistic", .work_len = work_len, .value = value, .gradient = gradient,                         \
                           .hessian_vector = hessian_vector, .minimum = minimum, .summands = l2o_instance_summands,                \
                           .partial = partial, .hessian_trace = l2o_instance_trace
static const l2o_problem_ops smooth_ops = {SMOOTH_OPERATIONS};
static const l2o_problem_ops composite_ops = {SMOOTH_OPERATIONS, L2O_L1_OPERATIONS};

/* ---- the family ---- */

enum { GO, BFGS, ZO };
enum {
  OPTION_N,
  OPTION_M,
  OPTION_SPARSITY,
  OPTION_L1,
  OPTION_L2,
  OPTION_RECIPE,
  OPTION_START,
  OPTION_SAMPLER,
  OPTION_SCALE,
  OPTION_BIAS
};
enum { OF_RECIPE, ZERO, NORMAL };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 0, 0, 1e6, NULL, "features; 0: the recipe's (50, 50, 100)"},
    {"m", L2O_OPTION_INT, 0, 0, 1e7, NULL, "rows that are sampled; 0: the recipe's (1000, 500, 500)"},
    {"sparsity", L2O_OPTION_INT, 0, 0, 1e6, NULL, "non-zeros of the truth behind sampled labels; 0: the recipe's (20, all, all)"},
    /* -1 cannot be given: "not given" */
    {"l1", L2O_OPTION_REAL, -1, 0, 1e6, NULL, "weight of |x|_1; where not given, the recipe's (0.1, 0, 0), for data 0"},
    {"l2", L2O_OPTION_REAL, -1, 0, 1e6, NULL, "weight of 1/2 |x|^2; where not given, the recipe's (0, 1e-3, 0), for data 0"},
    {"recipe", L2O_OPTION_CHOICE, BFGS, 0, 0, "go|bfgs|zo", "published sampling"},
    {"start", L2O_OPTION_CHOICE, OF_RECIPE, 0, 0, "recipe|zero|normal",
     "start: the recipe's (normal, zero, zero), for data zero; zero; or N(0, I)"},
    L2O_SAMPLER_OPTION,
    L2O_FEATURE_OPTIONS,
    {0},
};

typedef struct recipe {
  size_t n, m, sparsity; /* 0: all */
  double l1, l2;
} recipe;
static const recipe recipes[] = {[GO] = {50, 1000, 20, 0.1, 0}, [BFGS] = {50, 500, 0, 0, 1e-3}, [ZO] = {100, 500, 0, 0, 0}};

typedef struct logistic_family {
  l2o_classification base; /* first: the family handle points here */
  int recipe;
  size_t sparsity;
} logistic_family;

/* The truth, what the labels' noise is made of, the start, and the features in random order. */
typedef struct passing {
  double *truth, *noise, *start; /* (features), (m), (n) */
  size_t *order;                 /* (features) */
} passing;

static void layout(passing *o, l2o_arena *arena, const l2o_classification *f) {
  L2O_TAKE(arena, o->truth, f->features);
  L2O_TAKE(arena, o->noise, f->m);
  L2O_TAKE(arena, o->start, f->base.n);
  L2O_TAKE(arena, o->order, f->features);
}

/* Zeroes all entries of the truth but `sparsity`, chosen uniformly by a shuffle's first steps. */
static void sparsify(passing *o, l2o_rng *rng, size_t n, size_t sparsity) {
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

static l2o_status draw(const l2o_classification *f, double *A, size_t *label, l2o_real *start, l2o_draws *draws) {
  const logistic_family *own = (const logistic_family *)f;
  const size_t m = f->m, n = f->features;
  const double root = sqrt((double)n);
  passing o = {0};
  l2o_arena arena = {0};
  layout(&o, &arena, f);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout(&o, &arena, f);
  l2o_draws_normal(draws, A, m * n);
  l2o_draws_normal(draws, o.truth, n);
  for (size_t i = 0; i < m && own->recipe == ZO; i++)
    o.noise[i] = l2o_rng_uniform(&draws->rng);
  if (own->recipe == BFGS)
    l2o_draws_normal(draws, o.noise, m);
  if (own->recipe == GO || start) /* that of recipe go is drawn anyhow: the support of its truth comes after */
    l2o_draws_normal(draws, o.start, f->base.n);
  if (own->sparsity < n)
    sparsify(&o, &draws->rng, n, own->sparsity);
  for (size_t i = 0; i < m; i++) {
    double t = 0;
    for (size_t j = 0; j < n; j++)
      t += A[i * n + j] * o.truth[j];
    label[i] = own->recipe == ZO     ? o.noise[i] < 1 / (1 + exp(-2 * t / root))
               : own->recipe == BFGS ? t / root + 0.5 * o.noise[i] >= 0
                                     : t >= 0;
  }
  for (size_t j = 0; start && j < f->base.n; j++)
    start[j] = (l2o_real)o.start[j];
  free(arena.base);
  return L2O_OK;
}

static const l2o_classification_kind kind = {
    .name = "logistic", .ops = &smooth_ops, .composite_ops = &composite_ops, .binary = true, .curvature = curvature, .draw = draw};

/* What the options say, with weights and start as given or otherwise these; m and n as given, 0 if they are not. */
static l2o_classification about(const double *values, double l1, double l2, int start) {
  return (l2o_classification){.kind = &kind,
                              .m = (size_t)values[OPTION_M],
                              .features = (size_t)values[OPTION_N],
                              .classes = 2,
                              .scale = (int)values[OPTION_SCALE],
                              .bias = values[OPTION_BIAS] > 0,
                              .draws_start = (values[OPTION_START] > 0 ? (int)values[OPTION_START] : start) == NORMAL,
                              .l1 = values[OPTION_L1] >= 0 ? values[OPTION_L1] : l1,
                              .l2 = values[OPTION_L2] >= 0 ? values[OPTION_L2] : l2};
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const int number = (int)values[OPTION_RECIPE];
  const recipe *r = &recipes[number];
  l2o_classification *f, wanted = about(values, r->l1, r->l2, number == GO ? NORMAL : ZERO);
  const size_t n = wanted.features = wanted.features ? wanted.features : r->n;
  const size_t usual = r->sparsity && r->sparsity < n ? r->sparsity : n;
  const size_t sparsity = values[OPTION_SPARSITY] > 0 ? (size_t)values[OPTION_SPARSITY] : usual;
  wanted.m = wanted.m ? wanted.m : r->m;
  wanted.base.plain_seeds = values[OPTION_SAMPLER] == L2O_SAMPLER_MT19937;
  if (sparsity > n)
    return l2o_fail(diag, L2O_ERR_ARG, "logistic: sparsity = %zu, expected at most the %zu features", sparsity, n);
  if (wanted.base.plain_seeds && (number != BFGS || sparsity < n))
    return l2o_fail(diag, L2O_ERR_ARG, "logistic: sampler mt19937 replays the data of recipe bfgs, whose truth is not sparse");
  l2o_status status = l2o_classification_new(&f, sizeof(logistic_family), &wanted, diag);
  if (status)
    return status;
  ((logistic_family *)f)->recipe = number;
  ((logistic_family *)f)->sparsity = sparsity;
  *out = &f->base;
  return L2O_OK;
}

static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  const l2o_classification wanted = about(values, 0, 0, ZERO);
  return l2o_classification_from_data(out, &wanted, data, diag);
}

static l2o_status make_row(l2o_problem *out, const l2o_instance *arrays, size_t n, l2o_diag *diag) {
  return l2o_classification_from_row(out, &kind, arrays, n, diag);
}

static const l2o_instance_kind file_kind = {.name = "logistic",
                                            .matrix = "A",
                                            .vector = "b",
                                            .ridge = "l2",
                                            .l1 = "l1",
                                            .labels = true,
                                            .constant = l2o_squares_constant,
                                            .make = make_row};

static l2o_status open_file(l2o_family **out, const char *path, l2o_diag *diag) {
  return l2o_instances_open(out, &file_kind, path, diag);
}

static l2o_status save(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag) {
  return l2o_instances_save(&file_kind, instances, count, path, diag);
}

const l2o_family_type l2o_family_type_logistic = {
    .name = "logistic",
    .meaning = "f(x) = 1/m sum_i ln(1 + exp(-b_i a_i'x)) + l2/2 |x|^2 + l1 |x|_1 with labels b_i = -1, 1",
    .options = options,
    .gap = "absolute",
    .create = create,
    .open = open_file,
    .save = save,
    .create_from = create_from,
};
