/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls into a problem's table: what is missing is answered here, so that rules and trainers need not look. */
#include "core/linalg.h"
#include <float.h>
#include <l2o/problem.h>
#include <math.h>
#include <string.h>

/* An operation that the caller's (possibly older, shorter) table has. */
#define HAS(p, op) (offsetof(l2o_problem_ops, op) + sizeof(p)->ops->op <= (p)->ops->struct_size && (p)->ops->op)

void l2o_problem_free(l2o_problem *p) {
  if (!p)
    return;
  if (p->ops && HAS(p, free))
    p->ops->free(p);
  *p = (l2o_problem){0};
}

bool l2o_problem_has_gradient(const l2o_problem *p) {
  return HAS(p, gradient);
}
bool l2o_problem_has_hessian_vector(const l2o_problem *p) {
  return HAS(p, hessian_vector);
}
bool l2o_problem_has_minimum(const l2o_problem *p) {
  return HAS(p, minimum);
}
bool l2o_problem_is_composite(const l2o_problem *p) {
  return HAS(p, nonsmooth) || HAS(p, prox);
}
bool l2o_problem_has_prox(const l2o_problem *p) {
  return HAS(p, prox);
}
bool l2o_problem_is_constrained(const l2o_problem *p) {
  return HAS(p, project);
}
size_t l2o_problem_summands(const l2o_problem *p) {
  return HAS(p, summands) && HAS(p, partial) ? p->ops->summands(p) : 0;
}
const char *l2o_problem_name(const l2o_problem *p) {
  return p->ops && p->ops->name ? p->ops->name : "unnamed";
}

/* Own scratch, and room for a gradient behind it where the value has to come from the gradient. */
static size_t own_work_len(const l2o_problem *p) {
  return HAS(p, work_len) ? p->ops->work_len(p) : 0;
}
size_t l2o_problem_work_len(const l2o_problem *p) {
  return own_work_len(p) + (HAS(p, value) ? 0 : p->n);
}
size_t l2o_problem_value_work_len(const l2o_problem *p) {
  return HAS(p, value) && HAS(p, value_work_len) ? p->ops->value_work_len(p) : l2o_problem_work_len(p);
}
size_t l2o_problem_hessian_work_len(const l2o_problem *p) {
  return HAS(p, hessian_vector) ? l2o_problem_work_len(p) : l2o_problem_work_len(p) + 2 * p->n;
}

l2o_status l2o_problem_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  l2o_status status;
  if (HAS(p, value))
    status = p->ops->value(p, f, x, work);
  else if (HAS(p, gradient))
    status = p->ops->gradient(p, f, work + own_work_len(p), x, work);
  else
    return L2O_ERR_NOTSUP;
  return status ? L2O_ERR_CALLBACK : L2O_OK;
}

l2o_status l2o_problem_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  if (!HAS(p, gradient))
    return L2O_ERR_NOTSUP;
  return p->ops->gradient(p, f, g, x, work) ? L2O_ERR_CALLBACK : L2O_OK;
}

l2o_status l2o_problem_hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  if (HAS(p, hessian_vector))
    return p->ops->hessian_vector(p, hv, x, v, work) ? L2O_ERR_CALLBACK : L2O_OK;
  size_t n = p->n;
  l2o_real *point = work + l2o_problem_work_len(p), *other = point + n;
  double length = l2o_norm(v, n), f;
  if (length == 0) {
    memset(hv, 0, n * sizeof *hv);
    return L2O_OK;
  }
  double epsilon = sizeof(l2o_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON;
  double e = cbrt(epsilon) * (1 + l2o_norm(x, n)) / length;
  /* hv = (grad f(x + e v) - grad f(x - e v)) / 2e */
  for (size_t i = 0; i < n; i++)
    point[i] = (l2o_real)((double)x[i] + e * (double)v[i]);
  l2o_status status = l2o_problem_gradient(p, &f, hv, point, work);
  for (size_t i = 0; i < n; i++)
    point[i] = (l2o_real)((double)x[i] - e * (double)v[i]);
  if (!status)
    status = l2o_problem_gradient(p, &f, other, point, work);
  for (size_t i = 0; i < n; i++)
    hv[i] = (l2o_real)(((double)hv[i] - (double)other[i]) / (2 * e));
  return status;
}

bool l2o_problem_together(const l2o_problem *a, const l2o_problem *b) {
  return a->ops == b->ops && a->n == b->n && HAS(a, together) && a->ops->together(a, b);
}

l2o_status l2o_problem_gradient_many(const l2o_problem *const *p, size_t count, double *f, l2o_real *const *g,
                                     const l2o_real *const *x, l2o_real *const *work) {
  if (count > 1 && HAS(p[0], gradient_many))
    return p[0]->ops->gradient_many(p, count, f, g, x, work) ? L2O_ERR_CALLBACK : L2O_OK;
  l2o_status status = L2O_OK;
  for (size_t i = 0; i < count && !status; i++)
    status = l2o_problem_gradient(p[i], &f[i], g[i], x[i], work[i]);
  return status;
}

l2o_status l2o_problem_hessian_vector_many(const l2o_problem *const *p, size_t count, l2o_real *const *hv, const l2o_real *const *x,
                                           const l2o_real *const *v, l2o_real *const *work) {
  if (count > 1 && HAS(p[0], hessian_vector_many))
    return p[0]->ops->hessian_vector_many(p, count, hv, x, v, work) ? L2O_ERR_CALLBACK : L2O_OK;
  l2o_status status = L2O_OK;
  for (size_t i = 0; i < count && !status; i++)
    status = l2o_problem_hessian_vector(p[i], hv[i], x[i], v[i], work[i]);
  return status;
}

/* The matrix of `hessian_vector` is multiplied by twice, the Hessian's triangle once: measured, a real of it costs three quarters
 * of a real of a matrix, and a row as much as 24 for its sum; small problems, whose data are in the first-level cache in either
 * form, are decided by that. */
bool l2o_problem_prefers_hessian(const l2o_problem *p) {
  if (!HAS(p, hessian) || !HAS(p, hessian_reads) || p->n >= UINT32_MAX / 2)
    return false;
  const uint64_t n = p->n, packed = n * (n + 1) / 2;
  return packed - packed / 4 + 24 * n < p->ops->hessian_reads(p);
}

size_t l2o_problem_hessian_reads(const l2o_problem *p) {
  return HAS(p, hessian_reads) ? p->ops->hessian_reads(p) : 0;
}

l2o_status l2o_problem_hessian(const l2o_problem *p, l2o_real *packed) {
  if (!HAS(p, hessian))
    return L2O_ERR_NOTSUP;
  const l2o_status status = p->ops->hessian(p, packed);
  return status && status != L2O_ERR_NOMEM ? L2O_ERR_CALLBACK : status;
}

l2o_status l2o_problem_states(const l2o_problem *p, l2o_states *states) {
  *states = (l2o_states){0};
  const l2o_status status = HAS(p, states) ? p->ops->states(p, states) : L2O_ERR_NOTSUP;
  return status && status != L2O_ERR_NOTSUP ? L2O_ERR_CALLBACK : status;
}

l2o_status l2o_problem_nonsmooth(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  if (HAS(p, nonsmooth))
    return p->ops->nonsmooth(p, h, s, x) ? L2O_ERR_CALLBACK : L2O_OK;
  *h = 0;
  if (s)
    memset(s, 0, p->n * sizeof *s);
  return L2O_OK;
}

l2o_status l2o_problem_subdifferential(const l2o_problem *p, l2o_real *low, l2o_real *high, const l2o_real *x) {
  if (HAS(p, subdifferential))
    return p->ops->subdifferential(p, low, high, x) ? L2O_ERR_CALLBACK : L2O_OK;
  double h;
  l2o_status status = l2o_problem_nonsmooth(p, &h, low, x);
  if (!status)
    memcpy(high, low, p->n * sizeof *high);
  return status;
}

l2o_status l2o_problem_objective(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  double h = 0;
  l2o_status status = l2o_problem_value(p, f, x, work);
  if (!status)
    status = l2o_problem_nonsmooth(p, &h, NULL, x);
  if (!status)
    *f += h;
  return status;
}

l2o_status l2o_problem_project(const l2o_problem *p, l2o_real *out, const l2o_real *x, l2o_real *work) {
  if (HAS(p, project))
    return p->ops->project(p, out, x, work) ? L2O_ERR_CALLBACK : L2O_OK;
  if (out != x)
    memcpy(out, x, p->n * sizeof *x);
  return L2O_OK;
}

l2o_status l2o_problem_prox(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work) {
  if (HAS(p, prox))
    return p->ops->prox(p, out, x, tau, work) ? L2O_ERR_CALLBACK : L2O_OK;
  return l2o_problem_project(p, out, x, work);
}

l2o_status l2o_problem_prox_vjp(const l2o_problem *p, l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau,
                                const l2o_real *dout, l2o_real *work) {
  if (HAS(p, prox_vjp))
    return p->ops->prox_vjp(p, dx, dtau, x, tau, dout, work) ? L2O_ERR_CALLBACK : L2O_OK;
  if (HAS(p, prox) || HAS(p, project))
    return L2O_ERR_NOTSUP;
  for (size_t i = 0; i < p->n; i++) /* out = x */
    dx[i] += dout[i];
  return L2O_OK;
}

l2o_status l2o_problem_project_vjp(const l2o_problem *p, l2o_real *dx, const l2o_real *x, const l2o_real *dout, l2o_real *work) {
  if (HAS(p, project_vjp))
    return p->ops->project_vjp(p, dx, x, dout, work) ? L2O_ERR_CALLBACK : L2O_OK;
  if (HAS(p, project))
    return L2O_ERR_NOTSUP;
  for (size_t i = 0; i < p->n; i++)
    dx[i] += dout[i];
  return L2O_OK;
}

l2o_status l2o_problem_partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                               l2o_real *work) {
  if (!l2o_problem_summands(p))
    return L2O_ERR_NOTSUP;
  return p->ops->partial(p, f, g, x, rows, count, work) ? L2O_ERR_CALLBACK : L2O_OK;
}

l2o_status l2o_problem_hessian_trace(const l2o_problem *p, double *trace) {
  if (!HAS(p, hessian_trace))
    return L2O_ERR_NOTSUP;
  l2o_status status = p->ops->hessian_trace(p, trace);
  if (status)
    return status == L2O_ERR_NOTSUP ? status : L2O_ERR_CALLBACK;
  return isfinite(*trace) && *trace > 0 ? L2O_OK : L2O_ERR_NUMERIC;
}

l2o_status l2o_problem_lipschitz(const l2o_problem *p, double *constant) {
  if (!HAS(p, lipschitz))
    return L2O_ERR_NOTSUP;
  l2o_status status = p->ops->lipschitz(p, constant);
  if (status)
    return status == L2O_ERR_NOTSUP ? status : L2O_ERR_CALLBACK;
  return isfinite(*constant) && *constant > 0 ? L2O_OK : L2O_ERR_NUMERIC;
}

l2o_status l2o_problem_minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  return HAS(p, minimum) ? p->ops->minimum(p, fstar, xstar) : L2O_ERR_NOTSUP;
}

l2o_status l2o_problem_start(const l2o_problem *p, l2o_real *x0) {
  if (HAS(p, start))
    return p->ops->start(p, x0) ? L2O_ERR_CALLBACK : L2O_OK;
  memset(x0, 0, p->n * sizeof *x0);
  return L2O_OK;
}

const l2o_block *l2o_problem_blocks(const l2o_problem *p, size_t *count) {
  *count = 0;
  return HAS(p, blocks) && HAS(p, forward) ? p->ops->blocks(p, count) : NULL;
}

size_t l2o_problem_forward_work_len(const l2o_problem *p, size_t count) {
  return HAS(p, forward_work_len) ? p->ops->forward_work_len(p, count) : 0;
}

l2o_status l2o_problem_forward(const l2o_problem *p, double *f, const l2o_real *x, const size_t *rows, size_t count,
                               const l2o_pass *pass, l2o_real *work) {
  static const l2o_pass nobody = {0};
  if (!HAS(p, forward))
    return L2O_ERR_NOTSUP;
  return p->ops->forward(p, f, x, rows, count, pass ? pass : &nobody, work) ? L2O_ERR_CALLBACK : L2O_OK;
}
