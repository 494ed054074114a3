/* SPDX-License-Identifier: BSD-3-Clause */
#include "adaptive_step.h"
#include "core/elementwise.h"
#include "core/linalg.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { TRIES = 60, HISTORY = 10 };
static const double C1 = 1e-4, RANGE = 1e10, GROWTH = 10;
static const double LARGEST = sizeof(l2o_real) == sizeof(double) ? DBL_MAX : (double)FLT_MAX;

static double first_step(const l2o_iterate *it) {
  return it->step > 0 ? it->step : 1 / l2o_norm(it->g, it->n);
}

/* d = z - x; does any coordinate differ? */
static bool differs(l2o_real *d, const l2o_real *z, const l2o_real *x, size_t n) {
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    d[i] = z[i] - x[i];
    any |= z[i] != x[i];
  }
  return any;
}

/* z = P(x - a g) */
static l2o_status arc(const l2o_iterate *it, l2o_real *z, double a) {
  const l2o_real s = (l2o_real)a;
  for (size_t i = 0; i < it->n; i++)
    z[i] = it->x[i] - s * it->g[i];
  return l2o_problem_project(it->problem, z, z, it->work);
}

/* The rule ends at x, to which f and g belong. */
static l2o_status end(l2o_iterate *it, bool endless, l2o_stop *stop) {
  l2o_iterate_moved(it);
  it->has_gradient = true;
  *stop = endless ? L2O_STOP_DIVERGED : L2O_STOP_STALLED;
  return L2O_OK;
}

/* ---- fixed ---- */

static l2o_status fixed_step(l2o_iterate *it) {
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  l2o_add_scaled(it->x, -(l2o_real)it->step, it->g, it->n);
  return l2o_problem_project(it->problem, it->x, it->x, it->work);
}

/* ---- Armijo ---- */

/* state: the last accepted step; scratch: trial (n), d (n) */
static size_t armijo_state_len(void) {
  return L2O_REALS_OF(double);
}
static size_t armijo_scratch_len(const l2o_iterate *it) {
  return 2 * it->n;
}

static l2o_status armijo_step(l2o_iterate *it, l2o_stop *stop) {
  const size_t n = it->n;
  l2o_real *trial = it->scratch, *d = trial + n;
  double last, f;
  memcpy(&last, it->state, sizeof last);
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  double a = fmin(last > 0 ? 2 * last : first_step(it), LARGEST);
  bool endless = false;
  for (int tries = 0; tries < TRIES; tries++, a /= 2) {
    if ((status = arc(it, trial, a)))
      return status;
    if (!differs(d, trial, it->x, n))
      break;
    if (!l2o_all_finite(trial, n)) {
      endless = true;
      continue;
    }
    status = l2o_iterate_value_at(it, &f, trial);
    endless |= f == -HUGE_VAL;
    if (status == L2O_OK && f <= it->f + C1 * l2o_dot(it->g, d, n)) {
      memcpy(it->x, trial, n * sizeof *trial);
      memcpy(it->state, &a, sizeof a);
      return L2O_OK;
    }
    if (status != L2O_OK && status != L2O_ERR_NUMERIC)
      return status;
  }
  return end(it, endless, stop);
}

/* ---- spectral ---- */

typedef struct memory {
  double lambda;          /* for the next step */
  double unit;            /* the first that was accepted */
  double values[HISTORY]; /* of the last points, in a ring */
  double best;            /* objective at the kept point; infinity: none is kept */
  size_t points;          /* so far */
} memory;

/* state: memory, kept point (n), gradient there (n); scratch: trial (n), d (n), gradient at the trial (n) */
static size_t spectral_state_len(const l2o_iterate *it) {
  return L2O_REALS_OF(memory) + 2 * it->n;
}
static size_t spectral_scratch_len(const l2o_iterate *it) {
  return 3 * it->n;
}

static double highest(const memory *m) {
  double f = m->values[0];
  for (size_t i = 1; i < HISTORY && i < m->points; i++)
    f = fmax(f, m->values[i]);
  return f;
}

static void note(memory *m, double f) {
  m->values[m->points++ % HISTORY] = f;
}

static double next_lambda(const memory *m, l2o_spectral length, double last, double ss, double sy, double yy) {
  if (!(sy > 0))
    return fmin(GROWTH * last, LARGEST);
  const bool brief = length == L2O_SPECTRAL_SHORT || (length == L2O_SPECTRAL_ALTERNATE && m->points % 2 == 0);
  return fmin(fmax(brief ? sy / yy : ss / sy, m->unit / RANGE), fmin(m->unit * RANGE, LARGEST));
}

/* From x to the trial, where the objective is f and the gradient g. */
static void accept(l2o_iterate *it, memory *m, l2o_spectral length, double last, double f, const l2o_real *g) {
  const size_t n = it->n;
  l2o_real *trial = it->scratch, *s = trial + n, *y = trial, *kept = it->state + L2O_REALS_OF(memory);
  if (f > it->f && it->f < m->best) { /* uphill: the best point so far is left */
    m->best = it->f;
    memcpy(kept, it->x, n * sizeof *kept);
    memcpy(kept + n, it->g, n * sizeof *kept);
  }
  differs(s, trial, it->x, n);
  memcpy(it->x, trial, n * sizeof *trial);
  for (size_t i = 0; i < n; i++)
    y[i] = g[i] - it->g[i];
  if (m->unit == 0)
    m->unit = last;
  note(m, f);
  m->lambda = next_lambda(m, length, last, l2o_dot(s, s, n), l2o_dot(s, y, n), l2o_dot(y, y, n));
  l2o_iterate_moved(it);
  memcpy(it->g, g, n * sizeof *g);
  it->f = f;
  it->has_gradient = true;
}

static l2o_status spectral_step(l2o_iterate *it, l2o_spectral length, l2o_stop *stop) {
  const size_t n = it->n;
  l2o_real *trial = it->scratch, *d = trial + n, *g = d + n, *kept = it->state + L2O_REALS_OF(memory);
  memory m;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  memcpy(&m, it->state, sizeof m);
  if (m.points == 0) {
    m.lambda = fmin(first_step(it), LARGEST);
    m.best = HUGE_VAL;
    note(&m, it->f);
  }
  int tries = 0;
  double lambda = m.lambda, alpha = 1;
  while (!(status = arc(it, trial, lambda)) && !l2o_all_finite(trial, n) && tries++ < TRIES)
    lambda /= 10;
  if (status)
    return status;
  bool endless = tries > 0;
  differs(d, trial, it->x, n);
  const double slope = l2o_dot(it->g, d, n), level = highest(&m);
  for (bool moves = slope < 0; moves && tries < TRIES; tries++) {
    double f = 0, shorter = 0;
    status = l2o_all_finite(trial, n) ? l2o_iterate_gradient_at(it, &f, g, trial) : L2O_ERR_NUMERIC;
    if (status == L2O_OK && f <= level + C1 * alpha * slope) {
      accept(it, &m, length, alpha * lambda, f, g);
      memcpy(it->state, &m, sizeof m);
      return L2O_OK;
    }
    if (status == L2O_OK) /* the minimiser of the parabola through f(x), its slope and f */
      shorter = -alpha * alpha * slope / (2 * (f - it->f - alpha * slope));
    else if (status != L2O_ERR_NUMERIC)
      return status;
    endless |= f == -HUGE_VAL;
    alpha = fmin(fmax(shorter, 0.1 * alpha), 0.5 * alpha);
    moves = false;
    for (size_t i = 0; i < n; i++) { /* x and x + d are in the set, and it is convex */
      trial[i] = it->x[i] + (l2o_real)alpha * d[i];
      moves |= trial[i] != it->x[i];
    }
  }
  if (m.best < it->f) {
    memcpy(it->x, kept, n * sizeof *kept);
    memcpy(it->g, kept + n, n * sizeof *kept);
    it->f = m.best;
  }
  return end(it, endless, stop);
}

/* ---- the rule that the options name ---- */

l2o_step_rule l2o_adaptive_rule(const l2o_iterate *it) {
  return (l2o_step_rule)it->options[L2O_ADAPTIVE_RULE];
}

bool l2o_adaptive_finds_step(const l2o_iterate *it) {
  return l2o_adaptive_rule(it) != L2O_STEP_FIXED;
}

size_t l2o_adaptive_state_len(const l2o_iterate *it) {
  const l2o_step_rule rule = l2o_adaptive_rule(it);
  return rule == L2O_STEP_FIXED ? 0 : rule == L2O_STEP_ARMIJO ? armijo_state_len() : spectral_state_len(it);
}

size_t l2o_adaptive_scratch_len(const l2o_iterate *it) {
  const l2o_step_rule rule = l2o_adaptive_rule(it);
  return rule == L2O_STEP_FIXED ? 0 : rule == L2O_STEP_ARMIJO ? armijo_scratch_len(it) : spectral_scratch_len(it);
}

l2o_status l2o_adaptive_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const l2o_step_rule rule = l2o_adaptive_rule(it);
  return rule == L2O_STEP_FIXED    ? fixed_step(it)
         : rule == L2O_STEP_ARMIJO ? armijo_step(it, stop)
                                   : spectral_step(it, (l2o_spectral)it->options[L2O_ADAPTIVE_BB], stop);
}
