/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls into a problem's table: what is missing is answered here, so that rules and trainers need not look. */
#include "core/linalg.h"
#include <float.h>
#include <l2o/problem.h>
#include <math.h>
#include <stdlib.h>
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

l2o_status l2o_problem_lipschitz(const l2o_problem *p, double *constant) {
  if (!HAS(p, lipschitz))
    return L2O_ERR_NOTSUP;
  if (p->ops->lipschitz(p, constant))
    return L2O_ERR_CALLBACK;
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

/* The larger of the two, and not-a-number once there is one: fmax() would forget it. */
static double larger(double a, double b) {
  return isnan(a) || a >= b ? a : b;
}

l2o_status l2o_problem_check(const l2o_problem *p, double *gradient_error, double *hessian_error, const l2o_real *x,
                             uint64_t seed) {
  size_t n = p->n;
  *gradient_error = 0;
  if (hessian_error)
    *hessian_error = 0;
  if (!HAS(p, gradient))
    return L2O_ERR_NOTSUP;
  l2o_real *memory = calloc(6 * n + l2o_problem_hessian_work_len(p) + 1, sizeof *memory);
  double *normal = calloc(n, sizeof *normal);
  l2o_status status = memory && normal ? L2O_OK : L2O_ERR_NOMEM;
  if (!status) {
    l2o_real *g = memory, *y = g + n, *v = y + n, *hv = v + n, *up = hv + n, *down = up + n, *work = down + n;
    double f, above = 0, below = 0, largest = 0, worst = 0;
    double root = cbrt(sizeof(l2o_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON);
    status = l2o_problem_gradient(p, &f, g, x, work);
    memcpy(y, x, n * sizeof *y);
    for (size_t i = 0; i < n && !status; i++) {
      double e = root * (1 + fabs((double)x[i]));
      y[i] = (l2o_real)((double)x[i] + e);
      double high = (double)y[i];
      status = l2o_problem_value(p, &above, y, work);
      y[i] = (l2o_real)((double)x[i] - e);
      if (!status)
        status = l2o_problem_value(p, &below, y, work);
      worst = larger(worst, fabs((above - below) / (high - (double)y[i]) - (double)g[i]));
      largest = larger(largest, fabs((double)g[i]));
      y[i] = x[i];
    }
    *gradient_error = worst == 0 ? 0 : worst / largest;
    if (!status && hessian_error && HAS(p, hessian_vector)) {
      l2o_rng rng;
      l2o_rng_seed(&rng, seed, 0, 0);
      l2o_rng_normal(&rng, normal, n);
      for (size_t i = 0; i < n; i++)
        v[i] = (l2o_real)normal[i];
      double e = root * (1 + l2o_norm(x, n)) / l2o_norm(v, n);
      status = l2o_problem_hessian_vector(p, hv, x, v, work);
      for (size_t i = 0; i < n; i++)
        y[i] = (l2o_real)((double)x[i] + e * (double)v[i]);
      if (!status)
        status = l2o_problem_gradient(p, &f, up, y, work);
      for (size_t i = 0; i < n; i++)
        y[i] = (l2o_real)((double)x[i] - e * (double)v[i]);
      if (!status)
        status = l2o_problem_gradient(p, &f, down, y, work);
      worst = largest = 0;
      for (size_t i = 0; i < n; i++) {
        double difference = ((double)up[i] - (double)down[i]) / (2 * e);
        worst = larger(worst, fabs(difference - (double)hv[i]));
        largest = larger(largest, fabs((double)hv[i]));
      }
      *hessian_error = worst == 0 ? 0 : worst / largest;
    }
  }
  free(memory);
  free(normal);
  return status;
}
