/* SPDX-License-Identifier: BSD-3-Clause */
/* Newton's method with Armijo's rule; for l1 > 0 the proximal one (Lee, Sun, Saunders, SIAM J. Optim. 24(3), 2014): the direction d
 * minimises the model g'd + 1/2 d'H d + l1 |x + d|_1, by coordinate descent (Friedman, Hastie, Tibshirani 2010) and then exactly on
 * the support that it found. */
#include "problems/newton_minimum.h"
#include "core/arena.h"
#include "core/linalg.h"
#include "problems/soft_threshold.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS = 60, HALVINGS = 50, SWEEPS = 200 };

typedef struct room {
  double *H, *scaled;                                                              /* (n, n) */
  double *x, *g, *next_g, *d, *Hd, *trial, *right, *scale, *solution, *correction; /* (n) */
  size_t *support;                                                                 /* (n) */
} room;

static void layout(room *r, l2o_arena *arena, size_t n) {
  double **const matrices[] = {&r->H, &r->scaled};
  double **const vectors[] = {&r->x,     &r->g,     &r->next_g, &r->d,        &r->Hd,
                              &r->trial, &r->right, &r->scale,  &r->solution, &r->correction};
  for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
    L2O_TAKE(arena, *matrices[i], n * n);
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
    L2O_TAKE(arena, *vectors[i], n);
  L2O_TAKE(arena, r->support, n);
}

static double dot(const double *x, const double *y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += x[i] * y[i];
  return sum;
}

static double largest(const double *x, size_t n) {
  double most = 0;
  for (size_t i = 0; i < n; i++)
    most = fmax(most, fabs(x[i]));
  return most;
}

/* Solves H_SS e = right over the rows and columns in support[count]. In units that make the diagonal 1 a small ridge stands in for
 * what H lacks where features depend on each other; those right sides have nothing but rounding in that direction. */
static l2o_status solve(double *e, room *r, size_t n, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const double diagonal = r->H[r->support[i] * n + r->support[i]];
    r->scale[i] = diagonal > 0 ? 1 / sqrt(diagonal) : 1;
    r->right[i] *= r->scale[i];
  }
  l2o_status status = L2O_ERR_NUMERIC;
  for (double ridge = 1e-10; status == L2O_ERR_NUMERIC && ridge < 0.1; ridge *= 100) {
    for (size_t i = 0; i < count; i++) {
      for (size_t j = 0; j < count; j++)
        r->scaled[i * count + j] = r->scale[i] * r->scale[j] * r->H[r->support[i] * n + r->support[j]];
      r->scaled[i * count + i] += ridge;
    }
    status = l2o_solve_spd(r->solution, r->scaled, r->right, count);
  }
  for (size_t i = 0; i < count; i++)
    e[i] = r->scale[i] * r->solution[i];
  return status;
}

/* d = -H^{-1} g */
static l2o_status newton_direction(room *r, size_t n) {
  for (size_t i = 0; i < n; i++) {
    r->support[i] = i;
    r->right[i] = -r->g[i];
  }
  return solve(r->d, r, n, n);
}

/* Minimises the model over one d_j after the other until none of them changes its slope by more than `accuracy`. */
static void coordinate_descent(room *r, const double *x, double l1, size_t n, double accuracy) {
  memset(r->d, 0, n * sizeof *r->d);
  memset(r->Hd, 0, n * sizeof *r->Hd);
  double worst = INFINITY;
  for (size_t sweep = 0; sweep < SWEEPS && worst > accuracy; sweep++) {
    worst = 0;
    for (size_t j = 0; j < n; j++) {
      const double *column = r->H + j * n, curvature = column[j];
      if (!(curvature > 0))
        continue;
      /* z = argmin (g_j + (H d)_j) z + 1/2 H_jj (z - (x + d)_j)^2 + l1 |z| */
      const double at = x[j] + r->d[j] - (r->g[j] + r->Hd[j]) / curvature, t = l1 / curvature;
      const double z = fabs(at) <= t ? 0 : at > 0 ? at - t : at + t, change = z - x[j] - r->d[j];
      if (change == 0)
        continue;
      r->d[j] = z - x[j];
      for (size_t i = 0; i < n; i++)
        r->Hd[i] += change * column[i];
      worst = fmax(worst, fabs(change) * curvature);
    }
  }
}

/* With the signs s of x + d: H_SS e = -(g + H d + l1 s)_S leads to the model's minimum if no sign changes on the way. */
static l2o_status finish_on_support(room *r, const double *x, double l1, size_t n) {
  size_t count = 0;
  for (size_t j = 0; j < n; j++) {
    const double z = x[j] + r->d[j];
    if (z == 0)
      continue;
    r->right[count] = -(r->g[j] + r->Hd[j] + (z > 0 ? l1 : -l1));
    r->support[count++] = j;
  }
  l2o_status status = count ? solve(r->correction, r, n, count) : L2O_OK;
  if (status)
    return status;
  for (size_t i = 0; i < count; i++) {
    const double z = x[r->support[i]] + r->d[r->support[i]];
    if (z * (z + r->correction[i]) <= 0)
      return L2O_OK;
  }
  for (size_t i = 0; i < count; i++)
    r->d[r->support[i]] += r->correction[i];
  return L2O_OK;
}

static double absolute_sum(const double *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += fabs(x[i]);
  return sum;
}

static l2o_status minimise(double *minimum, const l2o_smooth *f, double l1, room *r) {
  const size_t n = f->n;
  double *const x = r->x;
  double smooth, next, previous = -INFINITY;
  f->gradient(f->context, &smooth, r->g, x);
  const double start = fabs(smooth), steepest = largest(r->g, n);
  bool found = false;
  for (size_t k = 0; k < ITERATIONS && !found; k++) {
    f->hessian(f->context, r->H, x);
    if (!l2o_all_finite_double(r->H, n * n) || !l2o_all_finite_double(r->g, n))
      return L2O_ERR_NOTSUP;
    l2o_status status = L2O_OK;
    if (l1 > 0) {
      coordinate_descent(r, x, l1, n, 1e-2 * l2o_l1_optimality(r->g, x, l1, n));
      status = finish_on_support(r, x, l1, n);
    } else {
      status = newton_direction(r, n);
    }
    if (status)
      return status == L2O_ERR_NUMERIC ? L2O_ERR_NOTSUP : status;
    for (size_t i = 0; i < n; i++)
      r->trial[i] = x[i] + r->d[i];
    const double norm = absolute_sum(x, n), objective = smooth + l1 * norm;
    const double slope = dot(r->g, r->d, n) + l1 * (absolute_sum(r->trial, n) - norm); /* that of F along d, at most */
    const double size = start + fabs(objective);
    /* The gap is about -slope / 2. Where there is no minimum (separable classes: f falls like exp(-|x|)) the slope vanishes as
     * well, but by 1 / e a step instead of quadratically; and ITERATIONS such steps do not bring it to the last bound. */
    const bool small = -slope <= 1e-18 * size && (l1 > 0 || -slope <= -1e-2 * previous || -slope <= 1e-30 * size);
    previous = slope;
    double t = 1;
    for (int halvings = 0;; halvings++, t /= 2) { /* F(x + t d) <= F(x) + 1e-4 t slope, up to rounding */
      for (size_t i = 0; i < n; i++)
        r->trial[i] = t == 1 ? r->trial[i] : x[i] + t * r->d[i];
      f->gradient(f->context, &next, r->next_g, r->trial);
      if (next + l1 * absolute_sum(r->trial, n) <= objective + 1e-4 * t * slope + 4 * DBL_EPSILON * size)
        break;
      if (halvings == HALVINGS)
        return L2O_ERR_NOTSUP;
    }
    memcpy(x, r->trial, n * sizeof *x);
    memcpy(r->g, r->next_g, n * sizeof *x);
    smooth = next;
    found = small && l2o_l1_optimality(r->g, x, l1, n) <= 1e-10 * steepest;
  }
  if (!found)
    return L2O_ERR_NOTSUP;
  *minimum = smooth + l1 * absolute_sum(x, n);
  return L2O_OK;
}

l2o_status l2o_newton_minimum(double *minimum, l2o_real *xstar, const l2o_smooth *f, double l1) {
  room r = {0};
  l2o_arena arena = {0};
  if (f->n > L2O_NEWTON_MINIMUM_LARGEST)
    return L2O_ERR_NOTSUP;
  layout(&r, &arena, f->n);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout(&r, &arena, f->n);
  l2o_status status = minimise(minimum, f, l1, &r);
  for (size_t i = 0; xstar && !status && i < f->n; i++)
    xstar[i] = (l2o_real)r.x[i];
  free(arena.base);
  return status;
}

/* ---- instances ---- */

typedef struct objective {
  l2o_in_double c;
  const l2o_loss *loss;
  size_t unknowns;
} objective;

static void layout_in_double(l2o_in_double *c, l2o_arena *arena, const l2o_loss *loss) {
  L2O_TAKE(arena, c->A, c->m * c->n);
  L2O_TAKE(arena, c->weighted, c->m * c->n);
  L2O_TAKE(arena, c->scores, c->m * loss->outputs);
  L2O_TAKE(arena, c->room, loss->room);
}

static void add_ridge_to_gradient(void *context, double *f, double *g, const double *x) {
  objective *o = context;
  const double ridge = o->c.d->ridge;
  double squares = 0;
  o->loss->gradient(&o->c, f, g, x);
  for (size_t j = 0; j < o->unknowns; j++) {
    squares += x[j] * x[j];
    g[j] += ridge * x[j];
  }
  *f += 0.5 * ridge * squares;
}

static void add_ridge_to_hessian(void *context, double *H, const double *x) {
  objective *o = context;
  o->loss->hessian(&o->c, H, x);
  for (size_t j = 0; j < o->unknowns; j++)
    H[j * o->unknowns + j] += o->c.d->ridge;
}

l2o_status l2o_loss_minimum(const l2o_problem *p, double *fstar, l2o_real *xstar, const l2o_loss *loss) {
  const l2o_instance *d = p->data;
  objective o = {.c = {.d = d, .m = d->rows, .n = p->n / loss->outputs}, .loss = loss, .unknowns = p->n};
  l2o_arena arena = {0};
  if (!xstar && !isnan(d->minimum)) {
    *fstar = d->minimum;
    return L2O_OK;
  }
  if (p->n > L2O_NEWTON_MINIMUM_LARGEST)
    return L2O_ERR_NOTSUP;
  layout_in_double(&o.c, &arena, loss);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout_in_double(&o.c, &arena, loss);
  for (size_t i = 0; i < o.c.m * o.c.n; i++)
    o.c.A[i] = (double)d->matrix[i];
  const l2o_smooth f = {.n = p->n, .context = &o, .gradient = add_ridge_to_gradient, .hessian = add_ridge_to_hessian};
  l2o_status status = l2o_newton_minimum(fstar, xstar, &f, d->l1);
  free(arena.base);
  return status;
}
