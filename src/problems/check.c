/* SPDX-License-Identifier: BSD-3-Clause */
/* l2o_problem_check(): every operation of a problem against central differences, or against the property that defines it. */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include <float.h>
#include <l2o/problem.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Room for one check of a problem with n unknowns. */
typedef struct room {
  l2o_real *g, *y, *v, *product, *up, *down, *tau, *work;
  double *normal;
  size_t *rows;
} room;

static void layout(room *r, l2o_arena *arena, const l2o_problem *p) {
  L2O_TAKE(arena, r->g, p->n);
  L2O_TAKE(arena, r->y, p->n);
  L2O_TAKE(arena, r->v, p->n);
  L2O_TAKE(arena, r->product, p->n);
  L2O_TAKE(arena, r->up, p->n);
  L2O_TAKE(arena, r->down, p->n);
  L2O_TAKE(arena, r->tau, p->n);
  L2O_TAKE(arena, r->work, l2o_problem_hessian_work_len(p));
  L2O_TAKE(arena, r->normal, p->n);
  L2O_TAKE(arena, r->rows, l2o_problem_summands(p));
}

/* The larger of the two, and not-a-number once there is one: fmax() would forget it. */
static double larger(double a, double b) {
  return isnan(a) || a >= b ? a : b;
}

/* Worst difference of two vectors as a share of the largest entry of the second. */
static double worst_share(const l2o_real *a, const l2o_real *b, size_t n) {
  double worst = 0, largest = 0;
  for (size_t i = 0; i < n; i++) {
    worst = larger(worst, fabs((double)a[i] - (double)b[i]));
    largest = larger(largest, fabs((double)b[i]));
  }
  return worst == 0 ? 0 : worst / largest;
}

static double root_of_epsilon(void) {
  return cbrt(sizeof(l2o_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON);
}

static void draw(l2o_real *out, room *r, l2o_rng *rng, size_t n) {
  l2o_rng_normal(rng, r->normal, n);
  for (size_t i = 0; i < n; i++)
    out[i] = (l2o_real)r->normal[i];
}

/* out = x + e v; returns nothing, reals round */
static void along(l2o_real *out, const l2o_real *x, double e, const l2o_real *v, size_t n) {
  for (size_t i = 0; i < n; i++)
    out[i] = (l2o_real)((double)x[i] + e * (double)v[i]);
}

/* g_i against (f(x + e e_i) - f(x - e e_i)) / 2e */
static l2o_status check_gradient(const l2o_problem *p, l2o_check *c, const l2o_real *x, room *r) {
  const size_t n = p->n;
  double f, above = 0, below = 0, largest = 0, worst = 0;
  l2o_status status = l2o_problem_gradient(p, &f, r->g, x, r->work);
  memcpy(r->y, x, n * sizeof *x);
  for (size_t i = 0; i < n && !status; i++) {
    double e = root_of_epsilon() * (1 + fabs((double)x[i]));
    r->y[i] = (l2o_real)((double)x[i] + e);
    double high = (double)r->y[i];
    status = l2o_problem_value(p, &above, r->y, r->work);
    r->y[i] = (l2o_real)((double)x[i] - e);
    if (!status)
      status = l2o_problem_value(p, &below, r->y, r->work);
    double difference = (above - below) / (high - (double)r->y[i]), error = fabs(difference - (double)r->g[i]);
    r->y[i] = x[i];
    if (i == 0 || !(error <= worst)) { /* also when it is not a number */
      if (!isnan(worst)) {
        worst = error;
        c->coordinate = i;
        c->given = (double)r->g[i];
        c->difference = difference;
      }
    }
    largest = larger(largest, fabs((double)r->g[i]));
  }
  c->gradient_error = worst == 0 ? 0 : worst / largest;
  return status;
}

/* H v against (grad f(x + e v) - grad f(x - e v)) / 2e */
static l2o_status check_hessian(const l2o_problem *p, l2o_check *c, const l2o_real *x, room *r, l2o_rng *rng) {
  const size_t n = p->n;
  double f;
  draw(r->v, r, rng, n);
  const double e = root_of_epsilon() * (1 + l2o_norm(x, n)) / l2o_norm(r->v, n);
  l2o_status status = l2o_problem_hessian_vector(p, r->product, x, r->v, r->work);
  along(r->y, x, e, r->v, n);
  if (!status)
    status = l2o_problem_gradient(p, &f, r->up, r->y, r->work);
  along(r->y, x, -e, r->v, n);
  if (!status)
    status = l2o_problem_gradient(p, &f, r->down, r->y, r->work);
  for (size_t i = 0; i < n; i++)
    r->up[i] = (l2o_real)(((double)r->up[i] - (double)r->down[i]) / (2 * e));
  c->hessian_error = worst_share(r->up, r->product, n);
  return status;
}

/* q(z) = h(z) + sum_i (z_i - x_i)^2 / (2 tau_i) must not fall anywhere near the prox z: by strong convexity a random move d costs
 * at least sum_i d_i^2 / (2 tau_i). The largest shortfall, as a share of that. */
static l2o_status check_prox(const l2o_problem *p, l2o_check *c, const l2o_real *x, room *r, l2o_rng *rng) {
  enum { MOVES = 20 };
  const size_t n = p->n;
  double least, h, worst = 0;
  draw(r->v, r, rng, n);
  const bool any = l2o_problem_has_prox(p); /* a projection is the prox for equal tau; of bounds, for any */
  for (size_t i = 0; i < n; i++)
    r->tau[i] = any ? (l2o_real)(0.1 + fabs((double)r->v[i])) : 1;
  l2o_status status = l2o_problem_prox(p, r->product, x, r->tau, r->work);
  if (!status)
    status = l2o_problem_nonsmooth(p, &least, NULL, r->product);
  for (size_t k = 0; k < MOVES && !status; k++) {
    const double e = pow(10, -(double)(k % 4)) / sqrt((double)n);
    draw(r->v, r, rng, n);
    along(r->y, r->product, e, r->v, n);
    if (l2o_problem_is_constrained(p))
      status = l2o_problem_project(p, r->y, r->y, r->work);
    if (!status)
      status = l2o_problem_nonsmooth(p, &h, NULL, r->y);
    double rise = h - least, square = 0;
    for (size_t i = 0; i < n; i++) {
      const double z = (double)r->product[i], to = (double)r->y[i], at = (double)x[i], tau = (double)r->tau[i];
      rise += (to - z) * (to + z - 2 * at) / (2 * tau);
      square += (to - z) * (to - z) / (2 * tau);
    }
    if (square > 0)
      worst = larger(worst, (square - rise) / square);
  }
  c->prox_error = worst > 0 || isnan(worst) ? worst : 0;
  return status;
}

/* dout' (prox(x + e v, tau + e v) - prox(x - e v, tau - e v)) / 2e against dx'v + dtau'v */
static l2o_status check_prox_vjp(const l2o_problem *p, l2o_check *c, const l2o_real *x, room *r, l2o_rng *rng) {
  const size_t n = p->n;
  const double e = 0.01 * root_of_epsilon();
  l2o_real *dx = r->up, *dtau = r->down, *dout = r->g;
  draw(r->v, r, rng, n);
  draw(dout, r, rng, n);
  for (size_t i = 0; i < n; i++)
    r->tau[i] = 1;
  memset(dx, 0, n * sizeof *dx);
  memset(dtau, 0, n * sizeof *dtau);
  l2o_status status = l2o_problem_prox_vjp(p, dx, dtau, x, r->tau, dout, r->work);
  if (status)
    return status == L2O_ERR_NOTSUP ? L2O_OK : status;
  const double given = l2o_dot(dx, r->v, n) + l2o_dot(dtau, r->v, n);
  double difference = 0;
  for (int side = 1; side >= -1 && !status; side -= 2) {
    along(r->y, x, side * e, r->v, n);
    for (size_t i = 0; i < n; i++)
      r->tau[i] = (l2o_real)(1 + side * e * (double)r->v[i]);
    status = l2o_problem_prox(p, r->product, r->y, r->tau, r->work);
    difference += side * l2o_dot(dout, r->product, n) / (2 * e);
  }
  c->prox_vjp_error = fabs(given - difference) / (l2o_norm(dout, n) * l2o_norm(r->v, n));
  return status;
}

/* dout' (P(x + e v) - P(x - e v)) / 2e against dx'v */
static l2o_status check_project_vjp(const l2o_problem *p, l2o_check *c, const l2o_real *x, room *r, l2o_rng *rng) {
  const size_t n = p->n;
  const double e = 0.01 * root_of_epsilon();
  l2o_real *dx = r->up, *dout = r->g;
  draw(r->v, r, rng, n);
  draw(dout, r, rng, n);
  memset(dx, 0, n * sizeof *dx);
  l2o_status status = l2o_problem_project_vjp(p, dx, x, dout, r->work);
  if (status)
    return status == L2O_ERR_NOTSUP ? L2O_OK : status;
  double difference = 0;
  for (int side = 1; side >= -1 && !status; side -= 2) {
    along(r->y, x, side * e, r->v, n);
    status = l2o_problem_project(p, r->product, r->y, r->work);
    difference += side * l2o_dot(dout, r->product, n) / (2 * e);
  }
  c->project_vjp_error = fabs(l2o_dot(dx, r->v, n) - difference) / (l2o_norm(dout, n) * l2o_norm(r->v, n));
  return status;
}

/* The mean over all summands is the function itself. */
static l2o_status check_partial(const l2o_problem *p, l2o_check *c, const l2o_real *x, room *r) {
  const size_t n = p->n, summands = l2o_problem_summands(p);
  double f, mean;
  for (size_t i = 0; i < summands; i++)
    r->rows[i] = summands - 1 - i;
  l2o_status status = l2o_problem_gradient(p, &f, r->up, x, r->work);
  if (!status)
    status = l2o_problem_partial(p, &mean, r->down, x, r->rows, summands, r->work);
  if (status)
    return status;
  c->partial_error = larger(worst_share(r->down, r->up, n), f == mean ? 0 : fabs(f - mean) / larger(fabs(f), fabs(mean)));
  return L2O_OK;
}

static l2o_status say(const l2o_problem *p, const l2o_check *c, double tolerance, l2o_diag *diag) {
  const char *name = l2o_problem_name(p);
  if (!(c->gradient_error <= tolerance))
    return l2o_fail(diag, L2O_ERR_NUMERIC,
                    "problem '%s': coordinate %zu of the gradient is %.10g, differences of the values say %.10g", name,
                    c->coordinate, c->given, c->difference);
  const struct {
    double error;
    const char *what;
  } others[] = {{c->hessian_error, "the Hessian-vector product differs from differences of the gradient"},
                {c->prox_error, "the prox is not the minimiser that it should be"},
                {c->prox_vjp_error, "the derivative of the prox differs from differences of the prox"},
                {c->partial_error, "the mean of all summands is not the function"},
                {c->project_vjp_error, "the derivative of the projection differs from differences of the projection"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (!(others[i].error <= tolerance))
      return l2o_fail(diag, L2O_ERR_NUMERIC, "problem '%s': %s, by %.3g of the largest entry", name, others[i].what,
                      others[i].error);
  return L2O_OK;
}

l2o_status l2o_problem_check(const l2o_problem *p, l2o_check *check, const l2o_real *x, double tolerance, uint64_t seed,
                             l2o_diag *diag) {
  room r = {0};
  l2o_arena arena = {0};
  l2o_rng rng;
  *check = (l2o_check){0};
  if (!l2o_problem_has_gradient(p))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "problem '%s' has no gradient to check", l2o_problem_name(p));
  layout(&r, &arena, p);
  if (!l2o_arena_new(&arena))
    return l2o_fail(diag, L2O_ERR_NOMEM, "out of memory to check a problem with %zu unknowns", p->n);
  layout(&r, &arena, p);
  l2o_rng_seed(&rng, seed, 0, 0);
  l2o_status status = check_gradient(p, check, x, &r);
  if (!status && l2o_problem_has_hessian_vector(p))
    status = check_hessian(p, check, x, &r, &rng);
  if (!status && (l2o_problem_has_prox(p) || l2o_problem_is_constrained(p)))
    status = check_prox(p, check, x, &r, &rng);
  if (!status && l2o_problem_has_prox(p))
    status = check_prox_vjp(p, check, x, &r, &rng);
  if (!status && l2o_problem_is_constrained(p))
    status = check_project_vjp(p, check, x, &r, &rng);
  if (!status && l2o_problem_summands(p))
    status = check_partial(p, check, x, &r);
  free(arena.base);
  return status ? l2o_fail(diag, status, "problem '%s': an operation reported a failure", l2o_problem_name(p))
                : say(p, check, tolerance, diag);
}
