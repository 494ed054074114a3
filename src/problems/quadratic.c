/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = 1/2 x'A x - b'x, A (n, n) symmetric positive definite. Sampling: A = Q diag(lambda) Q' with Q uniform on the orthogonal
 * group (QR of a Gaussian matrix), lambda from 1/condition to 1; b = A x*, x* ~ N(0, I); start at 0. On the axes A = diag(lambda),
 * and x* is the first that is drawn. */
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/instance.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t work_len(const l2o_problem *p) {
  return p->n;
}

/* u = A x; f = 1/2 x'u - b'x */
static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_gemv(work, d->matrix, x, p->n, p->n);
  *f = 0.5 * l2o_dot(x, work, p->n) - l2o_dot(d->vector, x, p->n);
  return L2O_OK;
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_instance *d = p->data;
  l2o_status status = value(p, f, x, work);
  for (size_t i = 0; i < p->n; i++)
    g[i] = work[i] - d->vector[i]; /* g = A x - b */
  return status;
}

static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const l2o_instance *d = p->data;
  (void)x, (void)work;
  l2o_gemv(hv, d->matrix, v, p->n, p->n);
  return L2O_OK;
}

static l2o_status hessian(const l2o_problem *p, l2o_real *packed) {
  const l2o_instance *d = p->data;
  for (size_t i = 0; i < p->n; packed += p->n - i, i++)
    memcpy(packed, d->matrix + i * p->n + i, (p->n - i) * sizeof *packed);
  return L2O_OK;
}

static size_t hessian_reads(const l2o_problem *p) {
  return p->n * p->n;
}

static l2o_status hessian_trace(const l2o_problem *p, double *trace) {
  const l2o_instance *d = p->data;
  *trace = 0;
  for (size_t i = 0; i < p->n; i++)
    *trace += (double)d->matrix[i * p->n + i];
  return L2O_OK;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const l2o_instance *d = p->data;
  size_t n = p->n;
  if (!xstar && !isnan(d->minimum)) {
    *fstar = d->minimum;
    return L2O_OK;
  }
  double *block = malloc((n * n + 2 * n) * sizeof *block);
  if (!block)
    return L2O_ERR_NOMEM;
  double *A = block, *b = A + n * n, *x = b + n;
  for (size_t i = 0; i < n * n; i++)
    A[i] = (double)d->matrix[i];
  for (size_t i = 0; i < n; i++)
    b[i] = (double)d->vector[i];
  l2o_status status = l2o_solve_spd(x, A, b, n);
  if (!status) {
    double sum = 0; /* f* = -1/2 b'x* */
    for (size_t i = 0; i < n; i++)
      sum += b[i] * x[i];
    *fstar = -0.5 * sum;
    for (size_t i = 0; xstar && i < n; i++)
      xstar[i] = (l2o_real)x[i];
  }
  free(block);
  return status;
}

static const l2o_problem_ops ops = {
    L2O_INSTANCE_OPERATIONS, .name = "quadratic",
    .work_len = work_len,    .value = value,
    .gradient = gradient,    .hessian_vector = hessian_vector,
    .minimum = minimum,      .hessian_trace = hessian_trace,
    .hessian = hessian,      .hessian_reads = hessian_reads,
};

static l2o_status largest(double *constant, const l2o_real *A, size_t rows, size_t n) {
  double *copy = malloc(rows * n * sizeof *copy);
  if (!copy)
    return L2O_ERR_NOMEM;
  for (size_t i = 0; i < rows * n; i++)
    copy[i] = (double)A[i];
  l2o_status status = l2o_largest_eigenvalue(constant, copy, n);
  free(copy);
  return status;
}

static const l2o_instance_kind kind = {
    .name = "quadratic", .matrix = "A", .vector = "b", .square = true, .constant = largest, .ops = &ops};

l2o_status l2o_quadratic_new(l2o_problem *out, const l2o_real *A, const l2o_real *b, const l2o_real *x0, double constant, size_t n,
                             l2o_diag *diag) {
  const l2o_instance arrays = {.matrix = A, .vector = b, .start = x0, .lipschitz = constant, .minimum = (double)NAN, .rows = n};
  return l2o_instance_new(out, &kind, &arrays, n, diag);
}

typedef struct quadratic_family {
  l2o_family base; /* first: the family handle points here */
  double condition;
  int spectrum;
  bool axes, ones, solved_by_zero;
} quadratic_family;

enum { LOG, LINEAR, CLUSTERED, HARMONIC };
enum { RANDOM, AXES };
enum { START_ZERO, START_ONES };
enum { NORMAL, ZERO };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 32, 1, 20000, NULL, "unknowns"},
    {"condition", L2O_OPTION_REAL, 100, 1, 1e15, NULL, "condition number of A"},
    {"spectrum", L2O_OPTION_CHOICE, LOG, 0, 0, "log|linear|clustered|harmonic",
     "eigenvalues: spaced evenly in the logarithm, spaced evenly, half of them near each end, or max(1/condition, 1/i)"},
    {"basis", L2O_OPTION_CHOICE, RANDOM, 0, 0, "random|axes",
     "eigenvectors: random, or the axes in ascending order (A is diagonal)"},
    {"start", L2O_OPTION_CHOICE, START_ZERO, 0, 0, "zero|ones", "customary start"},
    {"solution", L2O_OPTION_CHOICE, NORMAL, 0, 0, "normal|zero", "x*: N(0, I), or zero (b is zero then)"},
    {0},
};

/* lambda_i in [1/condition, 1], i = 0 the smallest */
static double eigenvalue(const quadratic_family *f, size_t i) {
  size_t n = f->base.n;
  double low = 1 / f->condition, t = n > 1 ? (double)i / (double)(n - 1) : 1;
  switch (f->spectrum) {
  case LINEAR:
    return low + (1 - low) * t;
  case CLUSTERED: /* two clusters, each 10 % wide, that keep the two ends exactly */
    return t < 0.5 ? low * (1 + 0.2 * t) : 1 - 0.2 * (1 - t) * (1 - low);
  case HARMONIC:
    return fmax(low, 1 / (double)(n - i));
  default:
    return pow(low, 1 - t);
  }
}

/* A = Q' diag(lambda) Q, of which both triangles are written; x* is drawn after Q. Q' is as uniform as Q. */
static l2o_status draw_rotated(l2o_real *stored, double *x, const quadratic_family *f, l2o_rng *rng) {
  const size_t n = f->base.n;
  double *Q = malloc(3 * n * n * sizeof *Q);
  if (!Q)
    return L2O_ERR_NOMEM;
  double *scaled = Q + n * n, *A = scaled + n * n;
  l2o_rng_normal(rng, Q, n * n);
  l2o_rng_normal(rng, x, n);
  l2o_status status = l2o_orthogonalise(Q, n, n);
  for (size_t i = 0; i < n; i++) /* scaled = diag(lambda) Q */
    for (size_t j = 0; j < n; j++)
      scaled[i * n + j] = eigenvalue(f, i) * Q[i * n + j];
  for (size_t i = 0; i < n; i++) /* transpose Q in place */
    for (size_t j = 0; j < i; j++) {
      double swap = Q[i * n + j];
      Q[i * n + j] = Q[j * n + i];
      Q[j * n + i] = swap;
    }
  l2o_gemm_double(A, Q, scaled, false, n, n, n);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++)
      stored[i * n + j] = stored[j * n + i] = (l2o_real)(0.5 * (A[i * n + j] + A[j * n + i]));
  free(Q);
  return status;
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const quadratic_family *f = (const quadratic_family *)family;
  const size_t n = family->n;
  (void)diag;
  l2o_real *A, *b, *start;
  l2o_instance *d = l2o_instance_room(&A, &b, f->ones ? &start : NULL, n, n);
  double *x = malloc(n * sizeof *x);
  l2o_status status = d && x ? L2O_OK : L2O_ERR_NOMEM;
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, index);
  if (!status && f->axes) {
    for (size_t i = 0; i < n; i++) /* the other entries are zero already */
      A[i * n + i] = (l2o_real)eigenvalue(f, i);
    l2o_rng_normal(&rng, x, n);
  } else if (!status) {
    status = draw_rotated(A, x, f, &rng);
  }
  if (status) {
    free(d);
    free(x);
    return status;
  }
  double sum = 0; /* b = A x* with A as stored */
  for (size_t i = 0; i < n && !f->solved_by_zero; i++) {
    double entry = 0;
    for (size_t j = 0; j < n; j++)
      entry += (double)A[i * n + j] * x[j];
    b[i] = (l2o_real)entry;
    sum += entry * x[i];
  }
  for (size_t i = 0; f->ones && i < n; i++)
    start[i] = 1;
  free(x);
  d->lipschitz = 1;
  /* f* = -1/2 b'x*, and not -0. Unless x* is zero it is exact in double only: in single b is rounded, and the minimum has to be
   * computed from it. */
  if (f->solved_by_zero || sizeof(l2o_real) == sizeof(double))
    d->minimum = 0 - 0.5 * sum;
  return l2o_instance_finish(out, &kind, d, n);
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  quadratic_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "quadratic: out of memory");
  *f = (quadratic_family){.base = {.struct_size = sizeof f->base,
                                   .name = "quadratic",
                                   .n = (size_t)values[0],
                                   .sample = sample,
                                   .free = l2o_family_release},
                          .condition = values[1],
                          .spectrum = (int)values[2],
                          .axes = (int)values[3] == AXES,
                          .ones = (int)values[4] == START_ONES,
                          .solved_by_zero = (int)values[5] == ZERO};
  *out = &f->base;
  return L2O_OK;
}

static l2o_status open_file(l2o_family **out, const char *path, l2o_diag *diag) {
  return l2o_instances_open(out, &kind, path, diag);
}

static l2o_status save(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag) {
  return l2o_instances_save(&kind, instances, count, path, diag);
}

const l2o_family_type l2o_family_type_quadratic = {
    .name = "quadratic",
    .meaning = "f(x) = 1/2 x'Ax - b'x with a chosen condition number and spectrum",
    .options = options,
    .gap = "relative",
    .create = create,
    .open = open_file,
    .save = save,
};
