/* SPDX-License-Identifier: BSD-3-Clause */
/* Multiclass logistic regression: x is a matrix X (features, classes), row-major, and with Z = A X
 *   f(X) = 1/m sum_i (ln sum_c exp(z_ic) - z_{i,y_i}) + l2/2 |X|^2.
 * Sampling: A ~ N(0, 1), labels drawn from the model itself with X ~ N(0, 4 / features), so that the classes overlap. */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/real.h"
#include "problems/families.h"
#include "problems/features.h"
#include "problems/instance.h"
#include "problems/newton_minimum.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct softmax {
  const l2o_real *A;   /* (m, features) */
  const size_t *label; /* (m) */
  size_t m, features, classes;
  double l2, lipschitz, trace;
} softmax;

/* X', Z and, for the Hessian, Q = A V */
static size_t work_len(const l2o_problem *p) {
  const softmax *d = p->data;
  return p->n + 2 * d->m * d->classes;
}

/* Z = A X (m, classes). BLAS gets X transposed: see l2o_gemm(). */
static void scores(const softmax *d, l2o_real *Z, const l2o_real *X, l2o_real *transposed) {
  for (size_t j = 0; j < d->features; j++)
    for (size_t c = 0; c < d->classes; c++)
      transposed[c * d->features + j] = X[j * d->classes + c];
  l2o_gemm(Z, d->A, false, transposed, true, d->m, d->classes, d->features);
}

/* z (classes) becomes p = exp(z) / sum exp(z); returns ln sum exp(z). Shifted by the largest entry: no exp() overflows, one is 1.
 */
static double to_probabilities(l2o_real *z, size_t classes) {
  l2o_real largest = z[0];
  for (size_t c = 1; c < classes; c++)
    largest = z[c] > largest ? z[c] : largest;
  double sum = 0;
  for (size_t c = 0; c < classes; c++)
    z[c] = r_decay(z[c] - largest);
  for (size_t c = 0; c < classes; c++)
    sum += (double)z[c];
  for (size_t c = 0; c < classes; c++)
    z[c] = (l2o_real)((double)z[c] / sum);
  return (double)largest + log(sum);
}

/* ln sum exp(z) - z_label; z becomes p. */
static double loss(l2o_real *z, size_t label, size_t classes) {
  const double at = (double)z[label];
  return to_probabilities(z, classes) - at;
}

/* l2/2 |x|^2 */
static double ridge(const softmax *d, const l2o_real *x, size_t n) {
  return d->l2 > 0 ? 0.5 * d->l2 * l2o_dot(x, x, n) : 0;
}

static void add_ridge_gradient(l2o_real *g, const softmax *d, const l2o_real *x, size_t n) {
  for (size_t j = 0; d->l2 > 0 && j < n; j++)
    g[j] += (l2o_real)d->l2 * x[j];
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const softmax *d = p->data;
  l2o_real *Z = work + p->n;
  double sum = 0;
  scores(d, Z, x, work);
  for (size_t i = 0; i < d->m; i++)
    sum += loss(Z + i * d->classes, d->label[i], d->classes);
  *f = sum / (double)d->m + ridge(d, x, p->n);
  return L2O_OK;
}

/* G = 1/m A'(P - Y) + l2 X, Y the labels' unit vectors */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const softmax *d = p->data;
  const l2o_real share = (l2o_real)(1 / (double)d->m);
  l2o_real *Z = work + p->n;
  double sum = 0;
  scores(d, Z, x, work);
  for (size_t i = 0; i < d->m; i++) {
    l2o_real *z = Z + i * d->classes;
    sum += loss(z, d->label[i], d->classes);
    z[d->label[i]] -= 1;
    for (size_t c = 0; c < d->classes; c++)
      z[c] *= share;
  }
  *f = sum / (double)d->m + ridge(d, x, p->n);
  l2o_gemm(g, d->A, true, Z, false, d->features, d->classes, d->m);
  add_ridge_gradient(g, d, x, p->n);
  return L2O_OK;
}

/* HV = 1/m A'R + l2 V, r_i = p_i . (q_i - p_i'q_i), Q = A V */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const softmax *d = p->data;
  const double m = (double)d->m;
  l2o_real *Z = work + p->n, *Q = Z + d->m * d->classes;
  scores(d, Z, x, work);
  scores(d, Q, v, work);
  for (size_t i = 0; i < d->m; i++) {
    l2o_real *z = Z + i * d->classes, *q = Q + i * d->classes;
    to_probabilities(z, d->classes);
    const double mean = l2o_dot(z, q, d->classes);
    for (size_t c = 0; c < d->classes; c++)
      q[c] = (l2o_real)((double)z[c] * ((double)q[c] - mean) / m);
  }
  l2o_gemm(hv, d->A, true, Q, false, d->features, d->classes, d->m);
  add_ridge_gradient(hv, d, v, p->n);
  return L2O_OK;
}

static size_t summands(const l2o_problem *p) {
  return ((const softmax *)p->data)->m;
}

static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  const softmax *d = p->data;
  double sum = 0;
  if (g)
    memset(g, 0, p->n * sizeof *g);
  for (size_t i = 0; i < count; i++) {
    const l2o_real *a = d->A + rows[i] * d->features;
    l2o_gemv_t(work, x, a, d->features, d->classes); /* z = X'a */
    sum += loss(work, d->label[rows[i]], d->classes);
    if (!g)
      continue;
    work[d->label[rows[i]]] -= 1;
    for (size_t j = 0; j < d->features; j++)
      for (size_t c = 0; c < d->classes && a[j] != 0; c++)
        g[j * d->classes + c] += a[j] * work[c];
  }
  *f = sum / (double)count + ridge(d, x, p->n);
  if (!g)
    return L2O_OK;
  for (size_t j = 0; j < p->n; j++)
    g[j] = (l2o_real)((double)g[j] / (double)count);
  add_ridge_gradient(g, d, x, p->n);
  return L2O_OK;
}

/* The Hessian of ln sum exp is diag(p) - p p', at most I / 2 (Boehning, Ann. Inst. Statist. Math. 44, 1992): v'(diag(p) - p p')v is
 * the variance of v under p, at most (max v - min v)^2 / 4 <= |v|^2 / 2. Hence |A|_2^2 / 2m + l2. Its trace is 1 - |p|^2 <= 1 -
 * 1/K, K classes, hence |A|_F^2 (1 - 1/K) / m + l2 n. */
static l2o_status lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const softmax *)p->data)->lipschitz;
  return L2O_OK;
}

static l2o_status hessian_trace(const l2o_problem *p, double *trace) {
  *trace = ((const softmax *)p->data)->trace;
  return L2O_OK;
}

/* Whatever an instance owns stands in one block that begins with its softmax. */
static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

/* ---- the minimum, where the dense Hessian is affordable ---- */

enum { LARGEST = 1000 };

typedef struct in_double {
  const softmax *d;
  double *A, *weighted, *P; /* (m, features), (m, features), (m, classes) */
  double *block;            /* (features, features) */
} in_double;

static void layout_in_double(in_double *c, l2o_arena *arena) {
  L2O_TAKE(arena, c->A, c->d->m * c->d->features);
  L2O_TAKE(arena, c->weighted, c->d->m * c->d->features);
  L2O_TAKE(arena, c->P, c->d->m * c->d->classes);
  L2O_TAKE(arena, c->block, c->d->features * c->d->features);
}

/* P from X, and the sum of the losses. */
static double probabilities_in_double(const in_double *c, const double *x) {
  const size_t classes = c->d->classes;
  double total = 0;
  memset(c->P, 0, c->d->m * classes * sizeof *c->P);
  for (size_t i = 0; i < c->d->m; i++) {
    double *z = c->P + i * classes, largest, sum = 0;
    for (size_t j = 0; j < c->d->features; j++)
      for (size_t k = 0; k < classes; k++)
        z[k] += c->A[i * c->d->features + j] * x[j * classes + k];
    const double at = z[c->d->label[i]];
    largest = z[0];
    for (size_t k = 1; k < classes; k++)
      largest = fmax(largest, z[k]);
    for (size_t k = 0; k < classes; k++)
      sum += z[k] = exp(z[k] - largest);
    for (size_t k = 0; k < classes; k++)
      z[k] /= sum;
    total += largest + log(sum) - at;
  }
  return total;
}

static void gradient_in_double(void *context, double *f, double *g, const double *x) {
  in_double *c = context;
  const softmax *d = c->d;
  const size_t n = d->features * d->classes;
  double squares = 0;
  *f = probabilities_in_double(c, x) / (double)d->m;
  memset(g, 0, n * sizeof *g);
  for (size_t i = 0; i < d->m; i++) {
    c->P[i * d->classes + d->label[i]] -= 1;
    for (size_t j = 0; j < d->features; j++)
      for (size_t k = 0; k < d->classes; k++)
        g[j * d->classes + k] += c->A[i * d->features + j] * c->P[i * d->classes + k];
  }
  for (size_t j = 0; j < n; j++) {
    squares += x[j] * x[j];
    g[j] = g[j] / (double)d->m + d->l2 * x[j];
  }
  *f += 0.5 * d->l2 * squares;
}

/* The block of classes k and l is 1/m sum_i (1[k = l] p_ik - p_ik p_il) a_i a_i'. */
static void hessian_in_double(void *context, double *H, const double *x) {
  in_double *c = context;
  const softmax *d = c->d;
  const size_t features = d->features, classes = d->classes, n = features * classes;
  probabilities_in_double(c, x);
  for (size_t k = 0; k < classes; k++)
    for (size_t l = 0; l <= k; l++) {
      for (size_t i = 0; i < d->m; i++) {
        const double *q = c->P + i * classes, root = sqrt(q[k] * (k == l ? 1 - q[k] : q[l]) / (double)d->m);
        for (size_t j = 0; j < features; j++)
          c->weighted[i * features + j] = root * c->A[i * features + j];
      }
      l2o_gram_double(c->block, c->weighted, d->m, features);
      for (size_t a = 0; a < features; a++)
        for (size_t b = 0; b < features; b++) {
          const double entry = (k == l ? 1 : -1) * c->block[a * features + b];
          H[(a * classes + k) * n + b * classes + l] = H[(a * classes + l) * n + b * classes + k] = entry;
        }
    }
  for (size_t j = 0; j < n; j++)
    H[j * n + j] += d->l2;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  in_double c = {.d = p->data};
  l2o_arena arena = {0};
  if (p->n > LARGEST)
    return L2O_ERR_NOTSUP;
  layout_in_double(&c, &arena);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout_in_double(&c, &arena);
  for (size_t i = 0; i < c.d->m * c.d->features; i++)
    c.A[i] = (double)c.d->A[i];
  const l2o_smooth f = {.n = p->n, .context = &c, .gradient = gradient_in_double, .hessian = hessian_in_double};
  l2o_status status = l2o_newton_minimum(fstar, xstar, &f, 0);
  free(arena.base);
  return status;
}

static const l2o_problem_ops ops = {
    .struct_size = sizeof ops,
    .name = "softmax",
    .work_len = work_len,
    .value = value,
    .gradient = gradient,
    .hessian_vector = hessian_vector,
    .lipschitz = lipschitz,
    .minimum = minimum,
    .free = release,
    .summands = summands,
    .partial = partial,
    .hessian_trace = hessian_trace,
};

/* ---- the family ---- */

enum { OPTION_N, OPTION_M, OPTION_CLASSES, OPTION_L2, OPTION_SCALE, OPTION_BIAS };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 20, 1, 1e6, NULL, "features, each with an unknown a class"},
    {"m", L2O_OPTION_INT, 300, 1, 1e7, NULL, "rows that are sampled"},
    {"classes", L2O_OPTION_INT, 3, 2, 1000, NULL, "classes that are sampled"},
    {"l2", L2O_OPTION_REAL, 0, 0, 1e6, NULL, "weight of 1/2 |x|^2"},
    L2O_FEATURE_OPTIONS,
    {0},
};

typedef struct softmax_family {
  l2o_family base; /* first: the family handle points here */
  size_t m, features, classes;
  int scale;
  bool bias;
  double l2;
  char note[240];
  softmax data; /* of families from data: its arrays are the two below */
  l2o_dataset *source;
  l2o_real *scaled;
} softmax_family;

/* Lipschitz constant and trace of d->A. */
static l2o_status finish(softmax *d) {
  const double m = (double)d->m, n = (double)(d->features * d->classes);
  if (!l2o_all_finite(d->A, d->m * d->features))
    return L2O_ERR_NUMERIC;
  l2o_status status = l2o_squares_constant(&d->lipschitz, d->A, d->m, d->features);
  d->lipschitz = d->lipschitz / (2 * m) + d->l2;
  d->trace = l2o_dot(d->A, d->A, d->m * d->features) * (1 - 1 / (double)d->classes) / m + d->l2 * n;
  return status;
}

/* One instance in a block of its own. */
typedef struct parts {
  softmax *d;
  l2o_real *A;
  size_t *label;
} parts;

static void layout(parts *o, l2o_arena *arena, const softmax_family *f) {
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->A, f->m * (f->features + f->bias));
  L2O_TAKE(arena, o->label, f->m);
}

typedef struct draws {
  double *A, *truth;  /* (m, features), (features, classes) */
  l2o_real *features; /* (m, features) */
} draws;

static void layout_draws(draws *o, l2o_arena *arena, const softmax_family *f) {
  L2O_TAKE(arena, o->A, f->m * f->features);
  L2O_TAKE(arena, o->truth, f->features * f->classes);
  L2O_TAKE(arena, o->features, f->m * f->features);
}

/* The label is argmax_c z_ic - ln(-ln u_ic), u uniform: drawn with probabilities exp(z_ic) / sum_c exp(z_ic) (Gumbel). */
static void draw(draws *o, size_t *label, const softmax_family *f, uint64_t seed, uint64_t index) {
  const size_t classes = f->classes;
  const double spread = 2 / sqrt((double)f->features);
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, index);
  l2o_rng_normal(&rng, o->A, f->m * f->features);
  l2o_rng_normal(&rng, o->truth, f->features * classes);
  for (size_t i = 0; i < f->m; i++) {
    double best = -INFINITY;
    for (size_t c = 0; c < classes; c++) {
      double z = 0;
      for (size_t j = 0; j < f->features; j++)
        z += o->A[i * f->features + j] * o->truth[j * classes + c];
      const double score = spread * z - log(-log(l2o_rng_uniform(&rng)));
      if (score > best) {
        best = score;
        label[i] = c;
      }
    }
  }
  for (size_t i = 0; i < f->m * f->features; i++)
    o->features[i] = (l2o_real)o->A[i];
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const softmax_family *f = (const softmax_family *)family;
  (void)diag;
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
  draw(&drawn, o.label, f, seed, index);
  l2o_status status = l2o_features(o.A, drawn.features, f->m, f->features, f->scale, f->bias);
  free(passing.base);
  *o.d = (softmax){.A = o.A, .label = o.label, .m = f->m, .features = f->features + f->bias, .classes = f->classes, .l2 = f->l2};
  if (!status)
    status = finish(o.d);
  if (status) {
    free(own.base);
    return status;
  }
  *out = (l2o_problem){.ops = &ops, .data = o.d, .n = family->n};
  return L2O_OK;
}

static l2o_status sample_data(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)seed, (void)index, (void)diag;
  softmax *d = malloc(sizeof *d);
  if (!d)
    return L2O_ERR_NOMEM;
  *d = ((const softmax_family *)family)->data;
  *out = (l2o_problem){.ops = &ops, .data = d, .n = family->n};
  return L2O_OK;
}

static void free_family(l2o_family *family) {
  softmax_family *f = (softmax_family *)family;
  l2o_dataset_free(f->source);
  free(f->scaled);
  free(f);
}

static l2o_status new_family(l2o_family **out, softmax_family **family, const double *values, size_t m, size_t features,
                             size_t classes, l2o_diag *diag) {
  const bool bias = values[OPTION_BIAS] > 0;
  if (!l2o_fits_blas(m, features + bias) || !l2o_fits_blas(m, 2 * classes) || !l2o_fits_blas(features + bias, classes))
    return l2o_fail(diag, L2O_ERR_SHAPE, "softmax: %zu rows, %zu features, %zu classes are too much", m, features, classes);
  softmax_family *f = calloc(1, sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "softmax: out of memory");
  *f = (softmax_family){.base = {.struct_size = sizeof f->base,
                                 .name = "softmax",
                                 .n = (features + bias) * classes,
                                 .sample = sample,
                                 .free = free_family},
                        .m = m,
                        .features = features,
                        .classes = classes,
                        .scale = (int)values[OPTION_SCALE],
                        .bias = bias,
                        .l2 = values[OPTION_L2]};
  *out = &f->base;
  *family = f;
  return L2O_OK;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  softmax_family *f = NULL;
  return new_family(out, &f, values, (size_t)values[OPTION_M], (size_t)values[OPTION_N], (size_t)values[OPTION_CLASSES], diag);
}

static l2o_status check_labels(const l2o_dataset *data, l2o_diag *diag) {
  if (!data->labels)
    return l2o_fail(diag, L2O_ERR_FORMAT, "softmax: %s has no labels", data->name);
  if (data->class_count == 0)
    return l2o_fail(diag, L2O_ERR_FORMAT, "softmax: %s has more than %d distinct labels", data->name, (int)L2O_DATASET_CLASSES);
  if (data->class_count == 1)
    return l2o_fail(diag, L2O_ERR_FORMAT, "softmax: %s has 1 distinct label, expected at least 2", data->name);
  return L2O_OK;
}

static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  softmax_family *f = NULL;
  l2o_status status = check_labels(data, diag);
  if (!status)
    status = new_family(out, &f, values, data->rows, data->features, data->class_count, diag);
  if (status)
    return status;
  const bool as_read = f->scale == L2O_FEATURES_NONE && !f->bias;
  if (!as_read) {
    f->scaled = malloc(f->m * (f->features + f->bias) * sizeof *f->scaled);
    status = f->scaled ? l2o_features(f->scaled, data->A, f->m, f->features, f->scale, f->bias) : L2O_ERR_NOMEM;
  }
  f->data = (softmax){.A = as_read ? data->A : f->scaled,
                      .label = data->class_of,
                      .m = f->m,
                      .features = f->features + f->bias,
                      .classes = f->classes,
                      .l2 = f->l2};
  if (!status)
    status = finish(&f->data);
  if (!status && !(f->data.lipschitz > 0 && isfinite(f->data.lipschitz)))
    status = L2O_ERR_NUMERIC;
  if (status) {
    free_family(&f->base);
    *out = NULL;
    return l2o_fail(diag, status, "softmax: %s: %s", data->name,
                    status == L2O_ERR_NUMERIC ? "the features are all 0, or too large" : l2o_strerror(status));
  }
  snprintf(f->note, sizeof f->note, "%.100s: %zu rows, %zu features, %zu classes from %.10g to %.10g", data->name, data->rows,
           data->features, data->class_count, data->classes[0], data->classes[data->class_count - 1]);
  f->source = data;
  f->base.note = f->note;
  f->base.count = 1;
  f->base.sample = sample_data;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_softmax = {
    .name = "softmax",
    .meaning = "multiclass logistic regression, f(X) = 1/m sum_i (ln sum_c exp(a_i'X)_c - (a_i'X)_{y_i}) + l2/2 |X|^2",
    .options = options,
    .gap = "absolute",
    .create = create,
    .create_from = create_from,
};
