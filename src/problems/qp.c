/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = 1/2 |W x - y|^2, W (m, n). Sampling as in "Learning Provably Improves the Convergence of Gradient Descent"
 * (arXiv 2501.18092): entries of W are N(0, 1), then each column is scaled to unit 2-norm; y = W x* with x* ~ N(0, I); start at 0.
 *
 * sampler philox: stream 0 of (seed, index) gives W row by row, then x*.
 * sampler torch: the published data. With seed s the matrices of all instances are one torch.randn(B, m, n) from seed s+1, their
 * x* one torch.randn(B, n, 1) from seed s+2; B only matters where B m n or B n is no multiple of 16. */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/mersenne_twister.h"
#include "problems/families.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct qp {
  const l2o_real *W, *y, *x0; /* (m, n), (m), (n) or NULL */
  double lipschitz;           /* |W|_2^2 */
  double minimum;             /* not-a-number: to be computed when asked for */
  size_t m;
} qp;

static size_t work_len(const l2o_problem *p) {
  return ((const qp *)p->data)->m;
}

/* r = W x - y into work; returns |r|^2 */
static double residual(const l2o_problem *p, const l2o_real *x, l2o_real *r) {
  const qp *d = p->data;
  l2o_gemv(r, d->W, x, d->m, p->n);
  for (size_t i = 0; i < d->m; i++)
    r[i] -= d->y[i];
  return l2o_dot(r, r, d->m);
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  *f = 0.5 * residual(p, x, work);
  return L2O_OK;
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const qp *d = p->data;
  *f = 0.5 * residual(p, x, work);
  l2o_gemv_t(g, d->W, work, d->m, p->n); /* g = W'(W x - y) */
  return L2O_OK;
}

static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const qp *d = p->data;
  (void)x;
  l2o_gemv(work, d->W, v, d->m, p->n);
  l2o_gemv_t(hv, d->W, work, d->m, p->n); /* hv = W'W v */
  return L2O_OK;
}

static l2o_status lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const qp *)p->data)->lipschitz;
  return L2O_OK;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const qp *d = p->data;
  if (!xstar && !isnan(d->minimum)) {
    *fstar = d->minimum;
    return L2O_OK;
  }
  double *block = malloc((d->m * p->n + d->m + p->n) * sizeof *block), squared = 0;
  if (!block)
    return L2O_ERR_NOMEM;
  double *W = block, *y = W + d->m * p->n, *x = y + d->m;
  for (size_t i = 0; i < d->m * p->n; i++)
    W[i] = (double)d->W[i];
  for (size_t i = 0; i < d->m; i++)
    y[i] = (double)d->y[i];
  l2o_status status = l2o_least_squares(x, &squared, W, y, d->m, p->n);
  if (!status) {
    *fstar = 0.5 * squared;
    for (size_t i = 0; xstar && i < p->n; i++)
      xstar[i] = (l2o_real)x[i];
  }
  free(block);
  return status;
}

static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  const qp *d = p->data;
  if (d->x0)
    memcpy(x0, d->x0, p->n * sizeof *x0);
  else
    memset(x0, 0, p->n * sizeof *x0);
  return L2O_OK;
}

/* Whatever an instance owns stands in one block that begins with its qp. */
static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

static const l2o_problem_ops ops = {
    .struct_size = sizeof ops,
    .name = "qp",
    .work_len = work_len,
    .value = value,
    .gradient = gradient,
    .hessian_vector = hessian_vector,
    .lipschitz = lipschitz,
    .minimum = minimum,
    .start = start,
    .free = release,
};

/* |W|_2^2 in double from reals of either precision */
static l2o_status spectral(double *constant, const l2o_real *W, size_t m, size_t n) {
  double *copy = malloc(m * n * sizeof *copy);
  if (!copy)
    return L2O_ERR_NOMEM;
  for (size_t i = 0; i < m * n; i++)
    copy[i] = (double)W[i];
  l2o_status status = l2o_squared_spectral_norm(constant, copy, m, n);
  free(copy);
  return status;
}

l2o_status l2o_qp_new(l2o_problem *out, const l2o_real *W, const l2o_real *y, const l2o_real *x0, double constant, size_t m,
                      size_t n, l2o_diag *diag) {
  *out = (l2o_problem){0};
  if (m == 0 || n == 0 || !l2o_fits_blas(m, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "qp: sizes m = %zu, n = %zu are 0 or too large", m, n);
  if (!l2o_all_finite(W, m * n) || !l2o_all_finite(y, m) || (x0 && !l2o_all_finite(x0, n)))
    return l2o_fail(diag, L2O_ERR_NUMERIC, "qp: W, y or x0 holds a value that is not finite");
  if (!(constant >= 0) || !isfinite(constant))
    return l2o_fail(diag, L2O_ERR_ARG, "qp: the Lipschitz constant must be positive, or 0 to have it computed");
  if (constant == 0) {
    l2o_status status = spectral(&constant, W, m, n);
    if (status)
      return l2o_fail(diag, status, "qp: the norm of W could not be computed: %s", l2o_strerror(status));
  }
  qp *d = malloc(sizeof *d);
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOMEM, "qp: out of memory");
  *d = (qp){.W = W, .y = y, .x0 = x0, .lipschitz = constant, .minimum = NAN, .m = m};
  *out = (l2o_problem){.ops = &ops, .data = d, .n = n};
  return L2O_OK;
}

/* The family: sampled, or the rows of a file. */
typedef struct qp_family {
  l2o_family base; /* first: the family handle points here */
  size_t m, instances;
  l2o_instance_set set;
} qp_family;

enum { PHILOX, TORCH };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 32, 1, 1e6, NULL, "unknowns"},
    {"m", L2O_OPTION_INT, 20, 1, 1e6, NULL, "rows of W"},
    {"sampler", L2O_OPTION_CHOICE, PHILOX, 0, 0, "philox|torch", "random numbers: our streams, or the published code's data"},
    {"instances", L2O_OPTION_INT, 32, 1, 1e9, NULL, "instances that sampler torch draws at once (B)"},
    {0},
};

/* One instance in a block of its own: qp, W, y. */
typedef struct parts {
  qp *d;
  l2o_real *W, *y;
} parts;

static void layout(parts *o, l2o_arena *arena, size_t m, size_t n) {
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->W, m * n);
  L2O_TAKE(arena, o->y, m);
}

static void draw(double *W, double *x, const qp_family *f, uint64_t seed, uint64_t index) {
  size_t n = f->base.n, mn = f->m * n;
  if (f->base.plain_seeds) {
    l2o_torch_normal(W, (uint32_t)(seed + 1), 0, index * mn, mn, f->instances * mn);
    l2o_torch_normal(x, (uint32_t)(seed + 2), 0, index * n, n, f->instances * n);
    return;
  }
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, index);
  l2o_rng_normal(&rng, W, mn);
  l2o_rng_normal(&rng, x, n);
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const qp_family *f = (const qp_family *)family;
  size_t m = f->m, n = family->n;
  if (family->plain_seeds && (index >= f->instances || seed > UINT32_MAX - 2))
    return l2o_fail(diag, L2O_ERR_ARG, "sampler torch draws %zu instances (key problem.instances) from a 32-bit seed",
                    f->instances);
  parts o = {0};
  l2o_arena arena = {0};
  layout(&o, &arena, m, n);
  double *block = malloc((m * n + n) * sizeof *block);
  if (!block || !l2o_arena_new(&arena)) {
    free(block);
    return L2O_ERR_NOMEM;
  }
  layout(&o, &arena, m, n);
  double *W = block, *x = W + m * n;
  draw(W, x, f, seed, index);
  for (size_t j = 0; j < n; j++) { /* unit columns */
    double sum = 0;
    for (size_t i = 0; i < m; i++)
      sum += W[i * n + j] * W[i * n + j];
    double scale = sum > 0 ? 1 / sqrt(sum) : 1;
    for (size_t i = 0; i < m; i++)
      W[i * n + j] *= scale;
  }
  for (size_t i = 0; i < m; i++) { /* y = W x*, with W as it will be stored */
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
      o.W[i * n + j] = (l2o_real)W[i * n + j];
      W[i * n + j] = (double)o.W[i * n + j];
      sum += W[i * n + j] * x[j];
    }
    o.y[i] = (l2o_real)sum;
  }
  *o.d = (qp){.W = o.W, .y = o.y, .minimum = NAN, .m = m};
  l2o_status status = l2o_squared_spectral_norm(&o.d->lipschitz, W, m, n);
  free(block);
  if (status) {
    free(o.d);
    return status;
  }
  *out = (l2o_problem){.ops = &ops, .data = o.d, .n = n};
  return L2O_OK;
}

static l2o_status sample_file(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const l2o_instance_set *s = &((const qp_family *)family)->set;
  size_t row = (size_t)(index % s->count), matrix = s->matrices == 1 ? 0 : row;
  (void)seed;
  l2o_status status = l2o_qp_new(out, s->matrix + matrix * s->rows * s->columns, s->vector + row * s->rows,
                                 s->start ? s->start + row * s->columns : NULL, s->lipschitz[matrix], s->rows, s->columns, diag);
  if (!status && s->minimum)
    ((qp *)(uintptr_t)out->data)->minimum = s->minimum[row];
  return status;
}

static void free_family(l2o_family *family) {
  qp_family *f = (qp_family *)family;
  free(f->set.block);
  free(f);
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  size_t n = (size_t)values[0], m = (size_t)values[1];
  if (!l2o_fits_blas(m, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "qp: n = %zu, m = %zu is too large", n, m);
  qp_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "qp: out of memory");
  *f = (qp_family){.base = {.struct_size = sizeof f->base,
                            .name = "qp",
                            .n = n,
                            .sample = sample,
                            .free = free_family,
                            .plain_seeds = (int)values[2] == TORCH},
                   .m = m,
                   .instances = (size_t)values[3]};
  *out = &f->base;
  return L2O_OK;
}

static l2o_status open_file(l2o_family **out, const char *path, l2o_diag *diag) {
  qp_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "qp: out of memory");
  *f = (qp_family){.base = {.struct_size = sizeof f->base, .name = "qp", .sample = sample_file, .free = free_family}};
  l2o_instance_set *s = &f->set;
  l2o_status status = l2o_instances_read(s, path, "W", "Y", diag);
  for (size_t i = 0; i < s->matrices && !status; i++) {
    status = spectral(&s->lipschitz[i], s->matrix + i * s->rows * s->columns, s->rows, s->columns);
    if (status)
      l2o_fail(diag, status, "%s: norm of W, instance %zu: %s", path, i, l2o_strerror(status));
    else if (s->lipschitz[i] == 0)
      status = l2o_fail(diag, L2O_ERR_NUMERIC, "%s: W of instance %zu is zero", path, i);
  }
  if (status) {
    free_family(&f->base);
    return status;
  }
  f->base.n = s->columns;
  f->base.count = s->count;
  f->m = s->rows;
  *out = &f->base;
  return L2O_OK;
}

static l2o_status save(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag) {
  const l2o_real **pointers = malloc(3 * count * sizeof *pointers);
  if (!pointers)
    return L2O_ERR_NOMEM;
  const l2o_real **W = pointers, **y = W + count, **x0 = y + count;
  l2o_status status = L2O_OK;
  for (size_t i = 0; i < count; i++) {
    const qp *d = instances[i].data;
    W[i] = d->W, y[i] = d->y, x0[i] = d->x0;
    if (d->m != ((const qp *)instances[0].data)->m || instances[i].n != instances[0].n || !x0[i] != !x0[0])
      status = l2o_fail(diag, L2O_ERR_SHAPE, "%s: instance %zu has other sizes than instance 0", path, i);
  }
  if (!status)
    status = l2o_instances_write(path, "W", "Y", W, y, x0, count, ((const qp *)instances[0].data)->m, instances[0].n, diag);
  free(pointers);
  return status;
}

const l2o_family_type l2o_family_type_qp = {
    .name = "qp",
    .meaning = "f(x) = 1/2 |W x - y|^2 with unit columns and a known solution",
    .options = options,
    .gap = "absolute",
    .create = create,
    .open = open_file,
    .save = save,
};
