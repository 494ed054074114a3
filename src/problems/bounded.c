/* SPDX-License-Identifier: BSD-3-Clause */
/* A problem with bounds lower <= x <= upper around another one: its operations, and the projection x_i -> min(max(x_i, l_i), u_i).
 */
#include "core/diag.h"
#include <l2o/problem.h>
#include <math.h>
#include <stdlib.h>

typedef struct bounded {
  const l2o_problem *inner;
  const l2o_real *lower, *upper; /* (n) or NULL */
} bounded;

static const l2o_problem *inner_of(const l2o_problem *p) {
  return ((const bounded *)p->data)->inner;
}

static size_t work_len(const l2o_problem *p) {
  return l2o_problem_hessian_work_len(inner_of(p));
}
static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  return l2o_problem_value(inner_of(p), f, x, work);
}
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  return l2o_problem_gradient(inner_of(p), f, g, x, work);
}
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  return l2o_problem_hessian_vector(inner_of(p), hv, x, v, work);
}
static l2o_status lipschitz(const l2o_problem *p, double *constant) {
  return l2o_problem_lipschitz(inner_of(p), constant);
}
static size_t summands(const l2o_problem *p) {
  return l2o_problem_summands(inner_of(p));
}
static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  return l2o_problem_partial(inner_of(p), f, g, x, rows, count, work);
}
static l2o_status hessian_trace(const l2o_problem *p, double *trace) {
  return l2o_problem_hessian_trace(inner_of(p), trace);
}

static l2o_status project(const l2o_problem *p, l2o_real *out, const l2o_real *x, l2o_real *work) {
  const bounded *b = p->data;
  (void)work;
  for (size_t i = 0; i < p->n; i++) {
    l2o_real z = x[i];
    if (b->lower && z < b->lower[i])
      z = b->lower[i];
    if (b->upper && z > b->upper[i])
      z = b->upper[i];
    out[i] = z;
  }
  return L2O_OK;
}

/* A coordinate that is clipped, or held between equal bounds, does not move with x. */
static l2o_status project_vjp(const l2o_problem *p, l2o_real *dx, const l2o_real *x, const l2o_real *dout, l2o_real *work) {
  const bounded *b = p->data;
  (void)work;
  for (size_t i = 0; i < p->n; i++) {
    const bool low = b->lower && x[i] < b->lower[i], high = b->upper && x[i] > b->upper[i];
    dx[i] += low || high || (b->lower && b->upper && b->lower[i] == b->upper[i]) ? 0 : dout[i];
  }
  return L2O_OK;
}

/* The customary start of the inner problem, moved into the bounds. */
static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  l2o_status status = l2o_problem_start(inner_of(p), x0);
  return status ? status : project(p, x0, x0, NULL);
}

static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

/* What the inner problem may lack is asked for before it is called, so one table of each kind will do. */
#define COMMON                                                                                                                     \
  .struct_size = sizeof(l2o_problem_ops), .name = "bounded", .work_len = work_len, .value = value, .lipschitz = lipschitz,         \
  .start = start, .free = release, .project = project, .project_vjp = project_vjp, .summands = summands, .partial = partial,       \
  .hessian_trace = hessian_trace
static const l2o_problem_ops values_ops = {COMMON};
static const l2o_problem_ops gradient_ops = {COMMON, .gradient = gradient};
static const l2o_problem_ops hessian_ops = {COMMON, .gradient = gradient, .hessian_vector = hessian_vector};

l2o_status l2o_problem_bounded(l2o_problem *out, const l2o_problem *inner, const l2o_real *lower, const l2o_real *upper,
                               l2o_diag *diag) {
  *out = (l2o_problem){0};
  if (l2o_problem_is_composite(inner) || l2o_problem_is_constrained(inner))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "bounds: problem '%s' is composite or constrained already", l2o_problem_name(inner));
  for (size_t i = 0; i < inner->n; i++) {
    const double low = lower ? (double)lower[i] : -HUGE_VAL, high = upper ? (double)upper[i] : HUGE_VAL;
    if (!(low <= high) || low == HUGE_VAL || high == -HUGE_VAL)
      return l2o_fail(diag, L2O_ERR_ARG, "bounds: coordinate %zu has lower bound %g and upper bound %g", i, low, high);
  }
  bounded *b = malloc(sizeof *b);
  if (!b)
    return l2o_fail(diag, L2O_ERR_NOMEM, "bounds: out of memory");
  *b = (bounded){.inner = inner, .lower = lower, .upper = upper};
  const l2o_problem_ops *ops = l2o_problem_has_hessian_vector(inner) ? &hessian_ops
                               : l2o_problem_has_gradient(inner)     ? &gradient_ops
                                                                     : &values_ops;
  *out = (l2o_problem){.ops = ops, .data = b, .n = inner->n};
  return L2O_OK;
}
