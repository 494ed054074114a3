/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/instance.h"
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/soft_threshold.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

l2o_status l2o_instance_lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const l2o_instance *)p->data)->lipschitz;
  return L2O_OK;
}

l2o_status l2o_instance_start(const l2o_problem *p, l2o_real *x0) {
  const l2o_instance *d = p->data;
  if (d->start)
    memcpy(x0, d->start, p->n * sizeof *x0);
  else
    memset(x0, 0, p->n * sizeof *x0);
  return L2O_OK;
}

l2o_status l2o_instance_states(const l2o_problem *p, l2o_states *states) {
  *states = ((const l2o_instance *)p->data)->states;
  return states->layers ? L2O_OK : L2O_ERR_NOTSUP;
}

void l2o_instance_free(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

l2o_status l2o_instance_trace(const l2o_problem *p, double *trace) {
  *trace = ((const l2o_instance *)p->data)->trace;
  return L2O_OK;
}

size_t l2o_instance_summands(const l2o_problem *p) {
  return ((const l2o_instance *)p->data)->rows;
}

double l2o_instance_ridge(const l2o_problem *p, const l2o_real *x) {
  const double ridge = ((const l2o_instance *)p->data)->ridge;
  return ridge > 0 ? 0.5 * ridge * l2o_dot(x, x, p->n) : 0;
}

void l2o_instance_add_ridge(const l2o_problem *p, l2o_real *g, const l2o_real *x) {
  const double ridge = ((const l2o_instance *)p->data)->ridge;
  for (size_t j = 0; ridge > 0 && j < p->n; j++)
    g[j] += (l2o_real)ridge * x[j];
}

static double l1_of(const l2o_problem *p) {
  return ((const l2o_instance *)p->data)->l1;
}

l2o_status l2o_instance_nonsmooth(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  *h = l2o_l1_norm(s, x, l1_of(p), p->n);
  return L2O_OK;
}

l2o_status l2o_instance_subdifferential(const l2o_problem *p, l2o_real *low, l2o_real *high, const l2o_real *x) {
  l2o_l1_subdifferential(low, high, x, l1_of(p), p->n);
  return L2O_OK;
}

l2o_status l2o_instance_prox(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work) {
  (void)work;
  l2o_soft_threshold(out, x, tau, l1_of(p), p->n);
  return L2O_OK;
}

l2o_status l2o_instance_prox_vjp(const l2o_problem *p, l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau,
                                 const l2o_real *dout, l2o_real *work) {
  (void)work;
  l2o_soft_threshold_vjp(dx, dtau, x, tau, dout, l1_of(p), p->n);
  return L2O_OK;
}

/* ---- making them ---- */

static l2o_status check_symmetry(const l2o_instance_kind *kind, const l2o_real *A, size_t n, l2o_diag *diag) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      if (A[i * n + j] != A[j * n + i])
        return l2o_fail(diag, L2O_ERR_ARG, "%s: %s is not symmetric at (%zu, %zu)", kind->name, kind->matrix, i, j);
  return L2O_OK;
}

l2o_status l2o_instance_new(l2o_problem *out, const l2o_instance_kind *kind, const l2o_instance *arrays, size_t n, l2o_diag *diag) {
  const size_t rows = arrays->rows;
  double constant = arrays->lipschitz;
  l2o_status status = L2O_OK;
  *out = (l2o_problem){0};
  if (rows == 0 || n == 0 || !l2o_fits_blas(rows, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: sizes m = %zu, n = %zu are 0 or too large", kind->name, rows, n);
  if (!l2o_all_finite(arrays->matrix, rows * n) || !l2o_all_finite(arrays->vector, rows) ||
      (arrays->start && !l2o_all_finite(arrays->start, n)))
    return l2o_fail(diag, L2O_ERR_NUMERIC, "%s: %s, %s or x0 holds a value that is not finite", kind->name, kind->matrix,
                    kind->vector);
  if (!(constant >= 0) || !isfinite(constant))
    return l2o_fail(diag, L2O_ERR_ARG, "%s: the Lipschitz constant must be positive, or 0 to have it computed", kind->name);
  if (!(arrays->ridge >= 0) || !isfinite(arrays->ridge))
    return l2o_fail(diag, L2O_ERR_ARG, "%s: the weight of 1/2 |x|^2 is %g; expected 0 or more", kind->name, arrays->ridge);
  if (kind->l1 && (!(arrays->l1 > 0) || !isfinite(arrays->l1)))
    return l2o_fail(diag, L2O_ERR_ARG, "%s: the weight of |x|_1 is %g; expected more than 0", kind->name, arrays->l1);
  if (kind->square)
    status = check_symmetry(kind, arrays->matrix, n, diag);
  if (status)
    return status;
  if (constant == 0)
    status = kind->constant(&constant, arrays->matrix, rows, n);
  if (status)
    return l2o_fail(diag, status, "%s: the norm of %s could not be computed: %s", kind->name, kind->matrix, l2o_strerror(status));
  if (kind->square && !(constant > 0))
    return l2o_fail(diag, L2O_ERR_NUMERIC, "%s: %s is not positive definite", kind->name, kind->matrix);
  l2o_instance *d = malloc(sizeof *d);
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", kind->name);
  *d = *arrays;
  d->lipschitz = constant + d->ridge;
  *out = (l2o_problem){.ops = kind->ops, .data = d, .n = n};
  return L2O_OK;
}

typedef struct room {
  l2o_instance *instance;
  l2o_real *matrix, *vector, *start;
} room;

static void layout(room *r, l2o_arena *arena, size_t rows, size_t n, bool matrix, bool vector, bool start) {
  L2O_TAKE(arena, r->instance, 1);
  L2O_TAKE(arena, r->matrix, matrix ? rows * n : 0);
  L2O_TAKE(arena, r->vector, vector ? rows : 0);
  L2O_TAKE(arena, r->start, start ? n : 0);
}

l2o_instance *l2o_instance_room(l2o_real **matrix, l2o_real **vector, l2o_real **start, size_t rows, size_t n) {
  room r;
  l2o_arena arena = {0};
  layout(&r, &arena, rows, n, matrix != NULL, vector != NULL, start != NULL);
  if (!l2o_arena_new(&arena))
    return NULL;
  layout(&r, &arena, rows, n, matrix != NULL, vector != NULL, start != NULL);
  if (matrix)
    *matrix = r.matrix;
  if (vector)
    *vector = r.vector;
  if (start)
    *start = r.start;
  *r.instance = (l2o_instance){.matrix = matrix ? r.matrix : NULL,
                               .vector = vector ? r.vector : NULL,
                               .start = start ? r.start : NULL,
                               .minimum = (double)NAN,
                               .rows = rows};
  return r.instance;
}

l2o_status l2o_instance_finish(l2o_problem *out, const l2o_instance_kind *kind, l2o_instance *d, size_t n) {
  l2o_status status = L2O_OK;
  if (d->lipschitz == 0) {
    status = kind->constant(&d->lipschitz, d->matrix, d->rows, n);
    d->lipschitz += d->ridge;
  }
  if (status) {
    free(d);
    return status;
  }
  *out = (l2o_problem){.ops = kind->ops, .data = d, .n = n};
  return L2O_OK;
}

void l2o_family_release(l2o_family *family) {
  free(family);
}
