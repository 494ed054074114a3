/* SPDX-License-Identifier: BSD-3-Clause */
/* Multiclass logistic regression: x is a matrix X (features, classes), row-major, and with Z = A X
 *   f(X) = 1/m sum_i (ln sum_c exp(z_ic) - z_{i,y_i}) + l2/2 |X|^2.
 * Sampling: A ~ N(0, 1), labels drawn from the model itself with X ~ N(0, 4 / features), so that the classes overlap. */
#include "core/decay.h"
#include "core/linalg.h"
#include "problems/classification.h"
#include "problems/newton_minimum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t features_of(const l2o_problem *p) {
  return p->n / ((const l2o_instance *)p->data)->classes;
}

/* X', Z and, for the Hessian, Q = A V */
static size_t work_len(const l2o_problem *p) {
  const l2o_instance *d = p->data;
  return p->n + 2 * d->rows * d->classes;
}

/* Z = A X (m, classes). BLAS gets X transposed: see l2o_gemm(). */
static void scores(const l2o_problem *p, l2o_real *Z, const l2o_real *X, l2o_real *transposed) {
  const l2o_instance *d = p->data;
  const size_t features = features_of(p);
  for (size_t j = 0; j < features; j++)
    for (size_t c = 0; c < d->classes; c++)
      transposed[c * features + j] = X[j * d->classes + c];
  l2o_gemm(Z, d->matrix, false, transposed, true, d->rows, d->classes, features);
}

/* The rows of Z (rows, classes) become p = exp(z) / sum exp(z); returns the sum of ln sum exp(z) - z_label over the rows. Shifted
 * by the largest entry: no exp() overflows, one is 1. */
static double to_probabilities(l2o_real *Z, const size_t *label, size_t rows, size_t classes) {
  double total = 0;
  for (size_t i = 0; i < rows; i++) {
    l2o_real *z = Z + i * classes, largest = z[0];
    for (size_t c = 1; c < classes; c++)
      largest = z[c] > largest ? z[c] : largest;
    total += (double)largest - (double)z[label[i]];
    for (size_t c = 0; c < classes; c++)
      z[c] -= largest;
  }
  l2o_decay(Z, Z, rows * classes);
  for (size_t i = 0; i < rows; i++) {
    l2o_real *z = Z + i * classes;
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
      sum += (double)z[c];
    for (size_t c = 0; c < classes; c++)
      z[c] = (l2o_real)((double)z[c] / sum);
    total += log(sum);
  }
  return total;
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_real *Z = work + p->n;
  scores(p, Z, x, work);
  *f = to_probabilities(Z, d->label, d->rows, d->classes) / (double)d->rows + l2o_instance_ridge(p, x);
  return L2O_OK;
}

/* G = 1/m A'(P - Y) + l2 X, Y the labels' unit vectors */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  const l2o_real share = (l2o_real)(1 / (double)d->rows);
  l2o_real *Z = work + p->n;
  scores(p, Z, x, work);
  *f = to_probabilities(Z, d->label, d->rows, d->classes) / (double)d->rows + l2o_instance_ridge(p, x);
  for (size_t i = 0; i < d->rows; i++) {
    l2o_real *z = Z + i * d->classes;
    z[d->label[i]] -= 1;
    for (size_t c = 0; c < d->classes; c++)
      z[c] *= share;
  }
  l2o_gemm(g, d->matrix, true, Z, false, features_of(p), d->classes, d->rows);
  l2o_instance_add_ridge(p, g, x);
  return L2O_OK;
}

/* HV = 1/m A'R + l2 V, r_i = p_i . (q_i - p_i'q_i), Q = A V */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const l2o_instance *d = p->data;
  const double m = (double)d->rows;
  l2o_real *Z = work + p->n, *Q = Z + d->rows * d->classes;
  scores(p, Z, x, work);
  scores(p, Q, v, work);
  to_probabilities(Z, d->label, d->rows, d->classes);
  for (size_t i = 0; i < d->rows; i++) {
    l2o_real *z = Z + i * d->classes, *q = Q + i * d->classes;
    const double mean = l2o_dot(z, q, d->classes);
    for (size_t c = 0; c < d->classes; c++)
      q[c] = (l2o_real)((double)z[c] * ((double)q[c] - mean) / m);
  }
  l2o_gemm(hv, d->matrix, true, Q, false, features_of(p), d->classes, d->rows);
  l2o_instance_add_ridge(p, hv, v);
  return L2O_OK;
}

static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  const l2o_instance *d = p->data;
  const size_t features = features_of(p);
  double sum = 0;
  if (g)
    memset(g, 0, p->n * sizeof *g);
  for (size_t i = 0; i < count; i++) {
    const l2o_real *a = d->matrix + rows[i] * features;
    l2o_gemv_t(work, x, a, features, d->classes); /* z = X'a */
    sum += to_probabilities(work, &d->label[rows[i]], 1, d->classes);
    if (!g)
      continue;
    work[d->label[rows[i]]] -= 1;
    for (size_t j = 0; j < features; j++)
      for (size_t c = 0; c < d->classes && a[j] != 0; c++)
        g[j * d->classes + c] += a[j] * work[c];
  }
  *f = sum / (double)count + l2o_instance_ridge(p, x);
  if (!g)
    return L2O_OK;
  for (size_t j = 0; j < p->n; j++)
    g[j] = (l2o_real)((double)g[j] / (double)count);
  l2o_instance_add_ridge(p, g, x);
  return L2O_OK;
}

/* The Hessian of ln sum exp is diag(p) - p p', at most I / 2 (Boehning, Ann. Inst. Statist. Math. 44, 1992): v'(diag(p) - p p')v is
 * the variance of v under p, at most (max v - min v)^2 / 4 <= |v|^2 / 2. Its trace is 1 - |p|^2 <= 1 - 1/K, K classes. */
static void curvature(double *largest, double *trace, size_t classes) {
  *largest = 0.5;
  *trace = 1 - 1 / (double)classes;
}

/* ---- the minimum, where the dense Hessian is affordable ---- */

enum { LARGEST = 1000 };

/* P from X, and the sum of the losses. */
static double probabilities_in_double(const l2o_in_double *c, const double *x) {
  const size_t classes = c->d->classes;
  double total = 0;
  memset(c->scores, 0, c->m * classes * sizeof *c->scores);
  for (size_t i = 0; i < c->m; i++) {
    double *z = c->scores + i * classes, largest, sum = 0;
    for (size_t j = 0; j < c->n; j++)
      for (size_t k = 0; k < classes; k++)
        z[k] += c->A[i * c->n + j] * x[j * classes + k];
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

static void gradient_in_double(l2o_in_double *c, double *f, double *g, const double *x) {
  const size_t classes = c->d->classes;
  const double m = (double)c->m;
  *f = probabilities_in_double(c, x) / m;
  memset(g, 0, c->n * classes * sizeof *g);
  for (size_t i = 0; i < c->m; i++) {
    double *p = c->scores + i * classes;
    p[c->d->label[i]] -= 1;
    for (size_t j = 0; j < c->n; j++)
      for (size_t k = 0; k < classes; k++)
        g[j * classes + k] += c->A[i * c->n + j] * p[k];
  }
  for (size_t j = 0; j < c->n * classes; j++)
    g[j] /= m;
}

/* The block of classes k and l is 1/m sum_i (1[k = l] p_ik - p_ik p_il) a_i a_i'. */
static void hessian_in_double(l2o_in_double *c, double *H, const double *x) {
  const size_t features = c->n, classes = c->d->classes, n = features * classes;
  double *block = c->room;
  probabilities_in_double(c, x);
  for (size_t k = 0; k < classes; k++)
    for (size_t l = 0; l <= k; l++) {
      for (size_t i = 0; i < c->m; i++) {
        const double *q = c->scores + i * classes, root = sqrt(q[k] * (k == l ? 1 - q[k] : q[l]) / (double)c->m);
        for (size_t j = 0; j < features; j++)
          c->weighted[i * features + j] = root * c->A[i * features + j];
      }
      l2o_gram_double(block, c->weighted, c->m, features);
      for (size_t a = 0; a < features; a++)
        for (size_t b = 0; b < features; b++) {
          const double entry = (k == l ? 1 : -1) * block[a * features + b];
          H[(a * classes + k) * n + b * classes + l] = H[(a * classes + l) * n + b * classes + k] = entry;
        }
    }
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const l2o_instance *d = p->data;
  const l2o_loss loss = {
      .outputs = d->classes, .room = features_of(p) * features_of(p), .gradient = gradient_in_double, .hessian = hessian_in_double};
  return p->n > LARGEST ? L2O_ERR_NOTSUP : l2o_loss_minimum(p, fstar, xstar, &loss);
}

static const l2o_problem_ops ops = {
    L2O_INSTANCE_OPERATIONS, .name = "softmax",
    .work_len = work_len,    .value = value,
    .gradient = gradient,    .hessian_vector = hessian_vector,
    .minimum = minimum,      .summands = l2o_instance_summands,
    .partial = partial,      .hessian_trace = l2o_instance_trace,
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

/* The label is argmax_c z_ic - ln(-ln u_ic), u uniform: drawn with probabilities exp(z_ic) / sum_c exp(z_ic) (Gumbel). */
static l2o_status draw(const l2o_classification *f, double *A, size_t *label, l2o_real *start, l2o_draws *draws) {
  const size_t features = f->features, classes = f->classes;
  const double spread = 2 / sqrt((double)features);
  double *truth = malloc(features * classes * sizeof *truth);
  (void)start;
  if (!truth)
    return L2O_ERR_NOMEM;
  l2o_draws_normal(draws, A, f->m * features);
  l2o_draws_normal(draws, truth, features * classes);
  for (size_t i = 0; i < f->m; i++) {
    double best = -INFINITY;
    for (size_t c = 0; c < classes; c++) {
      double z = 0;
      for (size_t j = 0; j < features; j++)
        z += A[i * features + j] * truth[j * classes + c];
      const double score = spread * z - log(-log(l2o_rng_uniform(&draws->rng)));
      if (score > best) {
        best = score;
        label[i] = c;
      }
    }
  }
  free(truth);
  return L2O_OK;
}

static const l2o_classification_kind kind = {.name = "softmax", .ops = &ops, .curvature = curvature, .draw = draw};

static l2o_classification about(const double *values) {
  return (l2o_classification){.kind = &kind,
                              .m = (size_t)values[OPTION_M],
                              .features = (size_t)values[OPTION_N],
                              .classes = (size_t)values[OPTION_CLASSES],
                              .scale = (int)values[OPTION_SCALE],
                              .bias = values[OPTION_BIAS] > 0,
                              .l2 = values[OPTION_L2]};
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const l2o_classification wanted = about(values);
  l2o_classification *f;
  l2o_status status = l2o_classification_new(&f, sizeof *f, &wanted, diag);
  if (!status)
    *out = &f->base;
  return status;
}

static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  l2o_classification wanted = about(values);
  wanted.m = l2o_size_given(&options[OPTION_M], values[OPTION_M]);
  wanted.features = l2o_size_given(&options[OPTION_N], values[OPTION_N]);
  wanted.classes = l2o_size_given(&options[OPTION_CLASSES], values[OPTION_CLASSES]);
  return l2o_classification_from_data(out, &wanted, data, diag);
}

const l2o_family_type l2o_family_type_softmax = {
    .name = "softmax",
    .meaning = "multiclass logistic regression, f(X) = 1/m sum_i (ln sum_c exp(a_i'X)_c - (a_i'X)_{y_i}) + l2/2 |X|^2",
    .options = options,
    .gap = "absolute",
    .create = create,
    .create_from = create_from,
};
