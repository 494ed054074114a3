/* SPDX-License-Identifier: BSD-3-Clause */
/* Extended Rosenbrock function: f(x) = sum over the pairs (a, b) = (x_2k-1, x_2k) of 100 (b - a^2)^2 + (1 - a)^2 (Rosenbrock 1960;
 * More, Garbow and Hillstrom 1981, number 21). The pairs are separate: from equal starts all of them go the same way, and a solver
 * sees a problem in two unknowns; the uneven start prevents that. Minimum 0 at (1, ..., 1). */
#include "core/diag.h"
#include "problems/instance.h"
#include <math.h>
#include <stdlib.h>

typedef struct rosenbrock {
  bool uneven;
} rosenbrock;

/* The pair's value; the derivatives in g[2] unless that is NULL. */
static double pair(double *g, const l2o_real *x) {
  const double a = (double)x[0], b = (double)x[1], c = b - a * a, d = 1 - a;
  if (g) {
    g[0] = -400 * a * c - 2 * d;
    g[1] = 200 * c;
  }
  return 100 * c * c + d * d;
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t j = 0; j < p->n; j += 2)
    *f += pair(NULL, x + j);
  return L2O_OK;
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t j = 0; j < p->n; j += 2) {
    double slope[2];
    *f += pair(slope, x + j);
    g[j] = (l2o_real)slope[0];
    g[j + 1] = (l2o_real)slope[1];
  }
  return L2O_OK;
}

/* Blocks (1200 a^2 - 400 b + 2, -400 a; -400 a, 200) */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  (void)work;
  for (size_t j = 0; j < p->n; j += 2) {
    const double a = (double)x[j], b = (double)x[j + 1], u = (double)v[j], w = (double)v[j + 1];
    hv[j] = (l2o_real)((1200 * a * a - 400 * b + 2) * u - 400 * a * w);
    hv[j + 1] = (l2o_real)(200 * w - 400 * a * u);
  }
  return L2O_OK;
}

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  *fstar = 0;
  for (size_t j = 0; xstar && j < p->n; j++)
    xstar[j] = 1;
  return L2O_OK;
}

/* (-1.2, 1) for every pair; uneven: entry j = 1, ..., n moved by the fractional part of j / golden ratio, less 1/2 */
static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  const rosenbrock *d = p->data;
  for (size_t j = 0; j < p->n; j++) {
    const double shift = d->uneven ? fmod((double)(j + 1) * 0.6180339887498949, 1) - 0.5 : 0;
    x0[j] = (l2o_real)((j % 2 ? 1 : -1.2) + shift);
  }
  return L2O_OK;
}

static size_t summands(const l2o_problem *p) {
  return p->n / 2;
}

/* f is the mean of its summands: summand k is n/2 times pair k. */
static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  const double scale = (double)(p->n / 2) / (double)count;
  (void)work;
  *f = 0;
  for (size_t j = 0; g && j < p->n; j++)
    g[j] = 0;
  for (size_t k = 0; k < count; k++) {
    double slope[2];
    const size_t j = 2 * rows[k];
    *f += scale * pair(slope, x + j);
    if (g) {
      g[j] += (l2o_real)(scale * slope[0]);
      g[j + 1] += (l2o_real)(scale * slope[1]);
    }
  }
  return L2O_OK;
}

static const l2o_problem_ops ops = {
    .struct_size = sizeof ops,
    .name = "rosenbrock",
    .value = value,
    .gradient = gradient,
    .hessian_vector = hessian_vector,
    .minimum = minimum,
    .start = start,
    .summands = summands,
    .partial = partial,
};

static const rosenbrock even = {.uneven = false}, uneven = {.uneven = true};

static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 2, 2, 1e6, NULL, "unknowns, an even number"},
    {"start", L2O_OPTION_CHOICE, 0, 0, 0, "even|uneven",
     "(-1.2, 1, -1.2, 1, ...), or every pair from a start of its own about that"},
    {0},
};

/* Every instance is the same function. */
static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)seed, (void)index, (void)diag;
  *out = (l2o_problem){.ops = &ops, .data = family->data, .n = family->n};
  return L2O_OK;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const size_t n = (size_t)values[0];
  if (n % 2)
    return l2o_fail(diag, L2O_ERR_ARG, "rosenbrock: n = %zu: expected an even number", n);
  l2o_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "rosenbrock: out of memory");
  *f = (l2o_family){.struct_size = sizeof *f,
                    .name = "rosenbrock",
                    .n = n,
                    .sample = sample,
                    .data = values[1] == 0 ? &even : &uneven,
                    .free = l2o_family_release};
  *out = f;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_rosenbrock = {
    .name = "rosenbrock",
    .meaning = "f(x) = sum 100 (x_2k - x_2k-1^2)^2 + (1 - x_2k-1)^2, every instance the same",
    .options = options,
    .gap = "absolute",
    .create = create,
};
