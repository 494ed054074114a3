/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = sum_i r_i(x)^2, one of the 35 unconstrained problems of More, Garbow and Hillstrom (1981), from the paper's start or 10 or
 * 100 times that. Everything is computed in double in both precisions: several of the functions are badly scaled on purpose. */
#include "problems/more_garbow_hillstrom.h"
#include "core/diag.h"
#include "problems/instance.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct instance {
  l2o_problem_ops ops; /* the table below under the function's own name */
  size_t number, n, m; /* number from 1, as in the paper */
  double start_factor;
} instance;

static const l2o_mgh_function *function_of(const l2o_problem *p) {
  return &l2o_mgh_functions[((const instance *)p->data)->number - 1];
}

/* x, g and max(n, m) numbers of room. */
static size_t numbers(const instance *d) {
  return 2 * d->n + (d->n > d->m ? d->n : d->m);
}

/* Numbers with a derivative are two doubles each: minibatches have their m weights in the second half. One is for alignment. */
static size_t work_len(const l2o_problem *p) {
  return (2 * numbers(p->data) + 1) * sizeof(double) / sizeof(l2o_real);
}

/* `work` as memory for doubles: reals may be smaller, and lie between two of them. */
static void *aligned(l2o_real *work) {
  const uintptr_t mask = sizeof(double) - 1;
  return (void *)(((uintptr_t)work + mask) & ~mask);
}

/* weight (m): of the residuals; NULL: all are 1 */
static void evaluate(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const double *weight, l2o_real *work) {
  const instance *d = p->data;
  double *point = aligned(work), *slope = point + d->n;
  l2o_mgh_real_sum sum = {.g = g ? slope : NULL, .x = point, .n = d->n, .m = d->m, .room = slope + d->n, .weight = weight};
  for (size_t j = 0; j < d->n; j++) {
    point[j] = (double)x[j];
    slope[j] = 0;
  }
  (weight ? function_of(p)->weighted : function_of(p)->real)(&sum);
  *f = sum.f;
  for (size_t j = 0; g && j < d->n; j++)
    g[j] = (l2o_real)slope[j];
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  evaluate(p, f, NULL, x, NULL, work);
  return L2O_OK;
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  evaluate(p, f, g, x, NULL, work);
  return L2O_OK;
}

static size_t summands(const l2o_problem *p) {
  return ((const instance *)p->data)->m;
}

/* f is the mean of m summands, m r_i(x)^2 each: residual i has the weight m / count for every time that it is drawn. They are
 * numbered in the order in which they are computed, which for penalty-2 is not the paper's. Residuals share much of their work, so
 * that a minibatch costs what all of them cost; those that were not drawn may be infinite or not a number. */
static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  const instance *d = p->data;
  double *weight = (double *)aligned(work) + numbers(d);
  for (size_t i = 0; i < d->m; i++)
    weight[i] = 0;
  for (size_t k = 0; k < count; k++)
    weight[rows[k]] += 1;
  for (size_t i = 0; i < d->m; i++)
    weight[i] *= (double)d->m / (double)count;
  evaluate(p, f, g, x, weight, work);
  return L2O_OK;
}

/* grad f(x + i h v) = grad f(x) + i h (Hessian of f at x) v */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const instance *d = p->data;
  const double h = 0x1p-330; /* a power of two: exact */
  l2o_mgh_dual *point = aligned(work), *slope = point + d->n;
  l2o_mgh_dual_sum sum = {.g = slope, .x = point, .n = d->n, .m = d->m, .room = slope + d->n};
  for (size_t j = 0; j < d->n; j++) {
    point[j] = l2o_mgh_dual_of((double)x[j], h * (double)v[j]);
    slope[j] = 0;
  }
  function_of(p)->dual(&sum);
  for (size_t j = 0; j < d->n; j++)
    hv[j] = (l2o_real)(cimag(slope[j]) / h);
  return L2O_OK;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const instance *d = p->data;
  double *x = xstar ? malloc(d->n * sizeof *x) : NULL;
  if (xstar && !x)
    return L2O_ERR_NOMEM;
  l2o_status status = l2o_mgh_minimum(fstar, x, d->number, d->n, d->m);
  for (size_t j = 0; xstar && !status && j < d->n; j++)
    xstar[j] = (l2o_real)x[j];
  free(x);
  return status;
}

static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  const instance *d = p->data;
  const l2o_mgh_function *f = function_of(p);
  for (size_t j = 0; j < d->n; j++)
    x0[j] = (l2o_real)(d->start_factor * (f->start ? f->start[j % f->period] : f->start_at(j, d->n)));
  return L2O_OK;
}

static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

static const l2o_problem_ops ops = {
    .struct_size = sizeof ops,
    .name = "more-garbow-hillstrom",
    .work_len = work_len,
    .value = value,
    .gradient = gradient,
    .hessian_vector = hessian_vector,
    .minimum = minimum,
    .start = start,
    .free = release,
    .summands = summands,
    .partial = partial,
};

/* ---- the family ---- */

typedef struct mgh_family {
  l2o_family base; /* first: the family handle points here */
  size_t number;   /* 0: all of them */
  size_t n, m;     /* 0: the function's customary ones */
  double start_factor;
} mgh_family;

static const l2o_option options[] = {
    {"function", L2O_OPTION_CHOICE, L2O_MGH_COUNT, 1, L2O_MGH_COUNT,
     "rosenbrock|freudenstein-roth|powell-badly-scaled|brown-badly-scaled|beale|jennrich-sampson|helical-valley|bard|gaussian|"
     "meyer|"
     "gulf|box-3d|powell-singular|wood|kowalik-osborne|brown-dennis|osborne-1|biggs-exp6|osborne-2|watson|extended-rosenbrock|"
     "extended-powell|penalty-1|penalty-2|variably-dimensioned|trigonometric|brown-almost-linear|discrete-boundary-value|"
     "discrete-integral-equation|broyden-tridiagonal|broyden-banded|linear-full-rank|linear-rank-1|linear-rank-1-zeros|chebyquad|"
     "all",
     "the function by its name or its number in the paper; all: instance i is function i mod 35 + 1"},
    {"n", L2O_OPTION_INT, 0, 0, L2O_MGH_MOST, NULL, "unknowns; 0: as customary for the function"},
    {"m", L2O_OPTION_INT, 0, 0, L2O_MGH_MOST, NULL, "residuals; 0: as customary for the function"},
    {"start_factor", L2O_OPTION_CHOICE, 0, 0, 0, "1|10|100", "start at so many times the paper's start"},
    {0},
};

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const mgh_family *f = (const mgh_family *)family;
  const size_t number = f->number ? f->number : (size_t)(index % L2O_MGH_COUNT) + 1;
  const l2o_mgh_function *row = &l2o_mgh_functions[number - 1];
  (void)seed, (void)diag;
  instance *d = malloc(sizeof *d);
  if (!d)
    return L2O_ERR_NOMEM;
  *d = (instance){.ops = ops, .number = number, .n = f->n ? f->n : row->n, .m = f->m, .start_factor = f->start_factor};
  d->ops.name = row->name;
  if (!d->m)
    d->m = row->per_n * d->n + row->plus;
  *out = (l2o_problem){.ops = &d->ops, .data = d, .n = d->n};
  return L2O_OK;
}

/* Are there n unknowns and m residuals (0: customary) of this function? */
static l2o_status check_sizes(const l2o_mgh_function *row, size_t n, size_t m, l2o_diag *diag) {
  const size_t unknowns = n ? n : row->n, residuals = row->per_n * unknowns + row->plus;
  if (row->n_low == row->n_high && unknowns != row->n)
    return l2o_fail(diag, L2O_ERR_ARG, "more-garbow-hillstrom: n = %zu: function %s has n = %zu", n, row->name, row->n);
  if (unknowns < row->n_low || unknowns > row->n_high || unknowns % row->n_multiple) {
    char multiple[40] = "n";
    if (row->n_multiple > 1)
      snprintf(multiple, sizeof multiple, "a multiple of %zu", row->n_multiple);
    return l2o_fail(diag, L2O_ERR_ARG, "more-garbow-hillstrom: n = %zu: function %s expects %s from %zu to %zu", n, row->name,
                    multiple, row->n_low, row->n_high);
  }
  if (!m && row->m_high && residuals > row->m_high)
    return l2o_fail(diag, L2O_ERR_ARG, "more-garbow-hillstrom: n = %zu: function %s has m = %zu then, expected at most %zu", n,
                    row->name, residuals, row->m_high);
  if (!m || m == residuals)
    return L2O_OK;
  if (!row->m_high)
    return l2o_fail(diag, L2O_ERR_ARG, "more-garbow-hillstrom: m = %zu: function %s with n = %zu has m = %zu", m, row->name,
                    unknowns, residuals);
  if (m < unknowns || m > row->m_high)
    return l2o_fail(diag, L2O_ERR_ARG, "more-garbow-hillstrom: m = %zu: function %s with n = %zu expects m from %zu to %zu", m,
                    row->name, unknowns, unknowns, row->m_high);
  return L2O_OK;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const size_t choice = (size_t)values[0], number = choice < L2O_MGH_COUNT ? choice + 1 : 0;
  const size_t n = (size_t)values[1], m = (size_t)values[2];
  if (!number && (n || m))
    return l2o_fail(diag, L2O_ERR_ARG,
                    "more-garbow-hillstrom: n and m are for a single function; all functions together have their customary sizes");
  l2o_status status = number ? check_sizes(&l2o_mgh_functions[number - 1], n, m, diag) : L2O_OK;
  if (status)
    return status;
  mgh_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "more-garbow-hillstrom: out of memory");
  *f = (mgh_family){
      .base = {.struct_size = sizeof f->base, .name = "more-garbow-hillstrom", .sample = sample, .free = l2o_family_release},
      .number = number,
      .n = n,
      .m = m,
      .start_factor = values[3] == 0   ? 1
                      : values[3] == 1 ? 10
                                       : 100};
  if (number)
    f->base.n = n ? n : l2o_mgh_functions[number - 1].n;
  *out = &f->base;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_more_garbow_hillstrom = {
    .name = "more-garbow-hillstrom",
    .meaning = "f(x) = sum_i r_i(x)^2, the 35 test functions of More, Garbow and Hillstrom (1981) at their starts",
    .options = options,
    .gap = "absolute",
    .create = create,
};
