/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = 1/2 x'A x - b'x, A (n, n) symmetric positive definite. Sampling: A = Q diag(lambda) Q' with Q uniform on the orthogonal
 * group (QR of a Gaussian matrix), lambda from 1/condition to 1; b = A x*, x* ~ N(0, I); start at 0. */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/families.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct quadratic {
  const l2o_real *A, *b, *x0;
  double lipschitz; /* largest eigenvalue */
  double minimum;   /* not-a-number: to be computed when asked for */
} quadratic;

static size_t work_len(const l2o_problem *p) {
  return p->n;
}

/* u = A x; f = 1/2 x'u - b'x */
static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const quadratic *d = p->data;
  l2o_gemv(work, d->A, x, p->n, p->n);
  *f = 0.5 * l2o_dot(x, work, p->n) - l2o_dot(d->b, x, p->n);
  return L2O_OK;
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const quadratic *d = p->data;
  l2o_status status = value(p, f, x, work);
  for (size_t i = 0; i < p->n; i++)
    g[i] = work[i] - d->b[i]; /* g = A x - b */
  return status;
}

static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const quadratic *d = p->data;
  (void)x, (void)work;
  l2o_gemv(hv, d->A, v, p->n, p->n);
  return L2O_OK;
}

static l2o_status lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const quadratic *)p->data)->lipschitz;
  return L2O_OK;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const quadratic *d = p->data;
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
    A[i] = (double)d->A[i];
  for (size_t i = 0; i < n; i++)
    b[i] = (double)d->b[i];
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

static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  const quadratic *d = p->data;
  if (d->x0)
    memcpy(x0, d->x0, p->n * sizeof *x0);
  else
    memset(x0, 0, p->n * sizeof *x0);
  return L2O_OK;
}

static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

static const l2o_problem_ops ops = {
    .struct_size = sizeof ops,
    .name = "quadratic",
    .work_len = work_len,
    .value = value,
    .gradient = gradient,
    .hessian_vector = hessian_vector,
    .lipschitz = lipschitz,
    .minimum = minimum,
    .start = start,
    .free = release,
};

static l2o_status largest(double *constant, const l2o_real *A, size_t n) {
  double *copy = malloc(n * n * sizeof *copy);
  if (!copy)
    return L2O_ERR_NOMEM;
  for (size_t i = 0; i < n * n; i++)
    copy[i] = (double)A[i];
  l2o_status status = l2o_largest_eigenvalue(constant, copy, n);
  free(copy);
  return status;
}

l2o_status l2o_quadratic_new(l2o_problem *out, const l2o_real *A, const l2o_real *b, const l2o_real *x0, double constant, size_t n,
                             l2o_diag *diag) {
  *out = (l2o_problem){0};
  if (n == 0 || !l2o_fits_blas(n, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "quadratic: size n = %zu is 0 or too large", n);
  if (!l2o_all_finite(A, n * n) || !l2o_all_finite(b, n) || (x0 && !l2o_all_finite(x0, n)))
    return l2o_fail(diag, L2O_ERR_NUMERIC, "quadratic: A, b or x0 holds a value that is not finite");
  if (!(constant >= 0) || !isfinite(constant))
    return l2o_fail(diag, L2O_ERR_ARG, "quadratic: the Lipschitz constant must be positive, or 0 to have it computed");
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      if (A[i * n + j] != A[j * n + i])
        return l2o_fail(diag, L2O_ERR_ARG, "quadratic: A is not symmetric at (%zu, %zu)", i, j);
  if (constant == 0) {
    l2o_status status = largest(&constant, A, n);
    if (status)
      return l2o_fail(diag, status, "quadratic: the largest eigenvalue of A could not be computed: %s", l2o_strerror(status));
  }
  if (!(constant > 0))
    return l2o_fail(diag, L2O_ERR_NUMERIC, "quadratic: A is not positive definite");
  quadratic *d = malloc(sizeof *d);
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOMEM, "quadratic: out of memory");
  *d = (quadratic){.A = A, .b = b, .x0 = x0, .lipschitz = constant, .minimum = NAN};
  *out = (l2o_problem){.ops = &ops, .data = d, .n = n};
  return L2O_OK;
}

typedef struct quadratic_family {
  l2o_family base; /* first: the family handle points here */
  double condition;
  int spectrum;
  l2o_instance_set set;
} quadratic_family;

enum { LOG, LINEAR, CLUSTERED };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 32, 1, 20000, NULL, "unknowns"},
    {"condition", L2O_OPTION_REAL, 100, 1, 1e15, NULL, "condition number of A"},
    {"spectrum", L2O_OPTION_CHOICE, LOG, 0, 0, "log|linear|clustered",
     "eigenvalues: spaced evenly in the logarithm, spaced evenly, or half of them near each end"},
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
  default:
    return pow(low, 1 - t);
  }
}

typedef struct parts {
  quadratic *d;
  l2o_real *A, *b;
} parts;

static void layout(parts *o, l2o_arena *arena, size_t n) {
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->A, n * n);
  L2O_TAKE(arena, o->b, n);
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const quadratic_family *f = (const quadratic_family *)family;
  size_t n = family->n;
  (void)diag;
  parts o = {0};
  l2o_arena arena = {0};
  layout(&o, &arena, n);
  double *block = malloc((3 * n * n + n) * sizeof *block);
  if (!block || !l2o_arena_new(&arena)) {
    free(block);
    return L2O_ERR_NOMEM;
  }
  layout(&o, &arena, n);
  double *Q = block, *scaled = Q + n * n, *A = scaled + n * n, *x = A + n * n;
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, index);
  l2o_rng_normal(&rng, Q, n * n);
  l2o_rng_normal(&rng, x, n);
  l2o_status status = l2o_orthogonalise(Q, n, n);
  for (size_t i = 0; i < n; i++) /* scaled = diag(lambda) Q, A = Q' scaled; Q' is as uniform as Q */
    for (size_t j = 0; j < n; j++)
      scaled[i * n + j] = eigenvalue(f, i) * Q[i * n + j];
  for (size_t i = 0; i < n; i++) /* transpose Q in place */
    for (size_t j = 0; j < i; j++) {
      double swap = Q[i * n + j];
      Q[i * n + j] = Q[j * n + i];
      Q[j * n + i] = swap;
    }
  l2o_gemm_double(A, Q, scaled, n, n, n);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++)
      o.A[i * n + j] = o.A[j * n + i] = (l2o_real)(0.5 * (A[i * n + j] + A[j * n + i]));
  double sum = 0; /* b = A x* with A as stored */
  for (size_t i = 0; i < n; i++) {
    double b = 0;
    for (size_t j = 0; j < n; j++)
      b += (double)o.A[i * n + j] * x[j];
    o.b[i] = (l2o_real)b;
    sum += b * x[i];
  }
  free(block);
  if (status) {
    free(o.d);
    return status;
  }
  /* x* is exact in double only: in single b is rounded, and the minimum has to be computed from it */
  *o.d = (quadratic){.A = o.A, .b = o.b, .lipschitz = 1, .minimum = sizeof(l2o_real) == sizeof(double) ? -0.5 * sum : (double)NAN};
  *out = (l2o_problem){.ops = &ops, .data = o.d, .n = n};
  return L2O_OK;
}

static l2o_status sample_file(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const l2o_instance_set *s = &((const quadratic_family *)family)->set;
  size_t row = (size_t)(index % s->count), matrix = s->matrices == 1 ? 0 : row;
  (void)seed;
  l2o_status status = l2o_quadratic_new(out, s->matrix + matrix * s->rows * s->columns, s->vector + row * s->rows,
                                        s->start ? s->start + row * s->columns : NULL, s->lipschitz[matrix], s->columns, diag);
  if (!status && s->minimum)
    ((quadratic *)(uintptr_t)out->data)->minimum = s->minimum[row];
  return status;
}

static void free_family(l2o_family *family) {
  quadratic_family *f = (quadratic_family *)family;
  free(f->set.block);
  free(f);
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  quadratic_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "quadratic: out of memory");
  *f = (quadratic_family){
      .base = {.struct_size = sizeof f->base, .name = "quadratic", .n = (size_t)values[0], .sample = sample, .free = free_family},
      .condition = values[1],
      .spectrum = (int)values[2]};
  *out = &f->base;
  return L2O_OK;
}

static l2o_status open_file(l2o_family **out, const char *path, l2o_diag *diag) {
  quadratic_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "quadratic: out of memory");
  *f = (quadratic_family){.base = {.struct_size = sizeof f->base, .name = "quadratic", .sample = sample_file, .free = free_family}};
  l2o_instance_set *s = &f->set;
  l2o_status status = l2o_instances_read(s, path, "A", "b", diag);
  if (!status && s->rows != s->columns)
    status = l2o_fail(diag, L2O_ERR_SHAPE, "%s: 'A' is %zu x %zu, but must be square", path, s->rows, s->columns);
  for (size_t i = 0; i < s->matrices && !status; i++) {
    status = largest(&s->lipschitz[i], s->matrix + i * s->rows * s->columns, s->rows);
    if (status)
      l2o_fail(diag, status, "%s: largest eigenvalue of A, instance %zu: %s", path, i, l2o_strerror(status));
    else if (!(s->lipschitz[i] > 0))
      status = l2o_fail(diag, L2O_ERR_NUMERIC, "%s: A of instance %zu is not positive definite", path, i);
  }
  if (status) {
    free_family(&f->base);
    return status;
  }
  f->base.n = s->columns;
  f->base.count = s->count;
  *out = &f->base;
  return L2O_OK;
}

static l2o_status save(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag) {
  const l2o_real **pointers = malloc(3 * count * sizeof *pointers);
  if (!pointers)
    return L2O_ERR_NOMEM;
  const l2o_real **A = pointers, **b = A + count, **x0 = b + count;
  l2o_status status = L2O_OK;
  for (size_t i = 0; i < count; i++) {
    const quadratic *d = instances[i].data;
    A[i] = d->A, b[i] = d->b, x0[i] = d->x0;
    if (instances[i].n != instances[0].n || !x0[i] != !x0[0])
      status = l2o_fail(diag, L2O_ERR_SHAPE, "%s: instance %zu has other sizes than instance 0", path, i);
  }
  if (!status)
    status = l2o_instances_write(path, "A", "b", A, b, x0, count, instances[0].n, instances[0].n, diag);
  free(pointers);
  return status;
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
