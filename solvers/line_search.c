/* SPDX-License-Identifier: BSD-3-Clause */
#include "line_search.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/real.h"
#include <float.h>
#include <string.h>

#ifdef L2O_SINGLE
#define EPSILON ((double)FLT_EPSILON)
#else
#define EPSILON DBL_EPSILON
#endif

enum kind { WOLFE, WEAK_WOLFE, ARMIJO, HALVING, UNIT, EXACT };
/* most trials of a search, quiet trials of a search, quiet trials of a run without progress between */
enum { TRIALS = 60, QUIET_TRIALS = 5, PATIENCE = 40 };
static const double NOISE = 10;      /* rounding errors of f, in units of epsilon |f|; */
static const double LOUDEST = 1000;  /* at most, where the slopes tell that they are larger */
static const double PROGRESS = 0.9;  /* |g| falls noticeably: to this share */
static const double FARTHEST = 1e17; /* times the first trial: no search goes on from there, */
static const double FAR = 1e10;      /* and where that is so many times max(1, |x|) away, f has no minimum along d */

typedef struct point {
  double a, f, slope;
} point;

/* A search under way. */
typedef struct search {
  l2o_iterate *it;
  l2o_line *line;
  enum kind kind;
  double c1, c2, noise; /* noise: rounding errors of f, as far as is known */
  point start, best, trial;
  double longest; /* trial so far */
  int trials, quiet;
  bool stuck, finite, endless; /* of the last trial: x did not move; f and g are finite; f is -infinity; */
  bool onwards;                /* it is the longest, and too short to tell f or slope from those at the start */
} search;

/* Does f fall without bound? Not for being far from a first trial that was next to nothing. */
static bool far(const search *s) {
  const size_t n = s->it->n;
  return s->endless || s->trial.a * l2o_norm(s->line->d, n) >= FAR * fmax(1, l2o_norm(s->line->x, n));
}

/* x = x_0 + a d; false if that is x_0. */
static bool move(search *s, double a) {
  const l2o_real step = (l2o_real)a, *x0 = s->line->x, *d = s->line->d;
  l2o_real *x = s->it->x;
  bool moved = false;
  for (size_t i = 0; i < s->it->n; i++) {
    x[i] = x0[i] + step * d[i];
    moved |= x[i] != x0[i];
  }
  return moved;
}

/* May there be another trial? */
static bool hopes(const search *s) {
  return s->trials < TRIALS && s->quiet < QUIET_TRIALS;
}

/* Where phi is convex, phi(a) - phi(0) is within a phi'(0) and a phi'(a). A trial that is farther off than twice that, but by
 * little as f goes, tells how large the rounding errors are: those of a sum of large terms of both signs are many epsilon |f|. */
static void hear(search *s) {
  const point *t = &s->trial, *start = &s->start;
  const double surplus = fabs(t->f - start->f - t->a * (start->slope + t->slope) / 2);
  if (surplus > t->a * (fabs(start->slope) + fabs(t->slope)) && surplus <= LOUDEST * EPSILON * fabs(start->f))
    s->noise = fmax(s->noise, surplus);
}

/* Evaluates at x_0 + a d into s->trial. Fails only where the callback does. */
static l2o_status evaluate(search *s, double a) {
  l2o_iterate *it = s->it;
  s->trial = (point){a, HUGE_VAL, HUGE_VAL};
  s->stuck = !move(s, a);
  if (s->stuck)
    return L2O_OK;
  s->trials++;
  l2o_status status = l2o_iterate_gradient_at(it, &it->f, it->g, it->x);
  s->finite = status == L2O_OK;
  s->endless = status == L2O_ERR_NUMERIC && it->f == -HUGE_VAL;
  if (s->finite) {
    s->trial = (point){a, it->f, l2o_dot(it->g, s->line->d, it->n)};
    hear(s);
  }
  s->onwards = a > s->longest && s->finite && fabs(s->trial.f - s->start.f) <= s->noise &&
               fabs(s->trial.slope - s->start.slope) <= sqrt(EPSILON) * -s->start.slope;
  s->quiet += -a * s->start.slope <= s->noise && !s->onwards;
  s->longest = fmax(a, s->longest);
  return status == L2O_ERR_NUMERIC ? L2O_OK : status;
}

/* Is there enough decrease? Where f at the trial cannot be told from f at the start the slope decides, and the gradient must have
 * become smaller: so a run ends. */
static bool decreases(const search *s) {
  const point *t = &s->trial, *start = &s->start;
  if (t->f < start->f && t->f <= start->f + s->c1 * t->a * start->slope)
    return true;
  return fabs(t->f - start->f) <= s->noise && t->slope <= (2 * s->c1 - 1) * start->slope &&
         l2o_norm(s->it->g, s->it->n) < l2o_norm(s->line->g, s->it->n);
}

/* The trial is not accepted, but may be the best so far. A gradient whose norm overflows cannot be reported. */
static void keep(search *s) {
  if (s->trial.f < s->best.f && isfinite(l2o_norm(s->it->g, s->it->n))) {
    s->best = s->trial;
    memcpy(s->line->kept, s->it->g, s->it->n * sizeof *s->it->g);
  }
}

static l2o_status accept(search *s) {
  s->line->alpha = s->trial.a;
  s->it->has_gradient = true;
  return L2O_OK;
}

/* Nothing is acceptable: the best trial is, if it is below the start; else back to the start. */
static l2o_status settle(search *s) {
  l2o_iterate *it = s->it;
  const size_t n = it->n;
  const bool better = s->best.a > 0;
  move(s, s->best.a);
  memcpy(it->g, better ? s->line->kept : s->line->g, n * sizeof *it->g);
  it->f = s->best.f;
  it->has_gradient = true;
  s->line->alpha = s->best.a;
  return L2O_OK;
}

/* ---- interpolation ---- */

/* Minimiser of the cubic through values and slopes at p and q; not a number if there is none. Nocedal and Wright (3.59). */
static double cubic(const point *p, const point *q) {
  const double h = q->a - p->a, d1 = p->slope + q->slope - 3 * (q->f - p->f) / h, square = d1 * d1 - p->slope * q->slope;
  const double d2 = copysign(sqrt(square), h);
  return q->a - h * (q->slope + d2 - d1) / (q->slope - p->slope + 2 * d2);
}

/* Minimiser of the parabola through f and slope at p and f at q. */
static double parabola(const point *p, const point *q) {
  const double h = q->a - p->a;
  return p->a - p->slope * h * h / (2 * (q->f - p->f - p->slope * h));
}

/* Zero of the line through both slopes. */
static double secant(const point *p, const point *q) {
  return q->a - q->slope * (q->a - p->a) / (q->slope - p->slope);
}

static double clamp(double a, double low, double high) {
  return a >= low ? fmin(a, high) : low; /* not a number: low */
}

/* ---- the searches ---- */

static l2o_status backtrack(search *s, double a, double lowest, double highest) {
  while (hopes(s)) {
    l2o_status status = evaluate(s, a);
    if (status)
      return status;
    if (s->stuck || s->endless)
      break;
    if (s->finite && decreases(s))
      return accept(s);
    if (s->finite)
      keep(s);
    a *= s->finite && lowest < highest ? clamp(cubic(&s->start, &s->trial) / a, lowest, highest) : lowest;
  }
  return settle(s);
}

static l2o_status bisect(search *s, double a, l2o_stop *stop) {
  double low = 0, high = HUGE_VAL;
  const double farthest = FARTHEST * a;
  while (hopes(s)) {
    l2o_status status = evaluate(s, a);
    if (status)
      return status;
    if (s->stuck)
      break;
    const bool falls = s->finite && decreases(s);
    if (falls && s->trial.slope >= s->c2 * s->start.slope)
      return accept(s);
    if (s->finite)
      keep(s);
    if (s->endless || (falls && a >= farthest)) {
      if (far(s))
        *stop = L2O_STOP_DIVERGED;
      break;
    }
    if (falls || s->onwards)
      low = a;
    else
      high = a;
    a = !s->finite ? low + 0.1 * (a - low) : high < HUGE_VAL ? (low + high) / 2 : 2 * low;
  }
  return settle(s);
}

/* The next trial of More and Thuente, section 4: `low` is the best end of the interval, `t` the last trial, `high` the other end,
 * or none (high->a infinite) with `most` the largest trial allowed. Then t joins the interval. */
static double next_trial(point *low, point *high, const point *t, double most, double noise) {
  const bool bracketed = high->a < HUGE_VAL;
  /* rising by less than rounding is rising only if the slope says so as well */
  const bool above = t->f > low->f + (t->slope * (t->a - low->a) > 0 ? 0 : noise);
  const double c = cubic(low, t);
  double next;
  if (above) { /* case 1: a minimum between, nearer to the lower end */
    const double q = parabola(low, t);
    next = fabs(c - low->a) < fabs(q - low->a) ? c : c + (q - c) / 2;
    if (!isfinite(next))
      next = (low->a + t->a) / 2;
    *high = *t;
    return next;
  }
  const bool turns = low->slope * t->slope < 0;
  if (turns) { /* case 2: a minimum between; the farther guess from t */
    const double q = secant(low, t);
    next = fabs(c - t->a) >= fabs(q - t->a) ? c : q;
    *high = *low;
    *low = *t;
    return next;
  }
  if (fabs(t->slope) <= fabs(low->slope)) { /* case 3: the slope flattens: extrapolate */
    const double q = secant(low, t);
    const bool ahead = (c - t->a) * (t->a - low->a) > 0; /* false for not a number too */
    if (bracketed) {
      next = ahead && fabs(c - t->a) < fabs(q - t->a) ? c : q;
      const double limit = t->a + 0.66 * (high->a - t->a);
      next = t->a > low->a ? fmin(limit, next) : fmax(limit, next);
    } else {
      next = ahead && fabs(c - t->a) > fabs(q - t->a) ? c : q;
      next = clamp(next, t->a + 1.1 * (t->a - low->a), t->a + 4 * (t->a - low->a));
    }
  } else if (bracketed) { /* case 4: it falls faster and faster */
    next = cubic(t, high);
    if (!isfinite(next))
      next = (t->a + high->a) / 2;
  } else {
    next = t->a + 4 * (t->a - low->a);
  }
  *low = *t;
  return bracketed ? next : fmin(next, most);
}

static l2o_status more_thuente(search *s, double a, l2o_stop *stop) {
  point low = s->start, high = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
  double most = FARTHEST * a, width = HUGE_VAL, before = HUGE_VAL; /* of the interval: last time, and the time before that */
  bool cliff = false, first_stage = true;                          /* cliff: beyond `most` f is not finite */
  while (hopes(s)) {
    l2o_status status = evaluate(s, a);
    if (status)
      return status;
    if (s->stuck)
      break;
    if (s->finite && decreases(s) && fabs(s->trial.slope) <= -s->c2 * s->start.slope)
      return accept(s);
    if (s->finite)
      keep(s);
    if (s->endless || (!cliff && s->finite && a >= most && s->trial.f <= s->start.f)) {
      if (far(s))
        *stop = L2O_STOP_DIVERGED;
      break;
    }
    if (!s->finite) { /* too far; within an interval, too far from its better end */
      if (!(high.a < HUGE_VAL)) {
        cliff = true;
        most = a;
      }
      a = low.a + 0.1 * (a - low.a);
      continue;
    }
    /* while no trial has enough decrease and a rising slope, the interval is that of psi(a) = phi(a) - c1 a phi'(0) */
    const double tilt = s->c1 * s->start.slope;
    const point *t = &s->trial;
    first_stage = first_stage && !(decreases(s) && t->slope >= fmin(s->c1, s->c2) * s->start.slope);
    if (first_stage && t->f <= low.f && !decreases(s)) {
      point l = {low.a, low.f - tilt * low.a, low.slope - tilt}, h = {high.a, high.f - tilt * high.a, high.slope - tilt},
            m = {t->a, t->f - tilt * t->a, t->slope - tilt};
      if (high.a == HUGE_VAL)
        h = high;
      a = next_trial(&l, &h, &m, most, s->noise);
      low = (point){l.a, l.f + tilt * l.a, l.slope + tilt};
      high = h.a < HUGE_VAL ? (point){h.a, h.f + tilt * h.a, h.slope + tilt} : h;
    } else {
      a = next_trial(&low, &high, t, most, s->noise);
    }
    if (high.a < HUGE_VAL) {
      const double now = fabs(high.a - low.a);
      if (now >= 0.66 * before || !((a - low.a) * (high.a - a) > 0)) /* or not between the ends, for rounding */
        a = (low.a + high.a) / 2;
      before = width;
      width = now;
      if (now <= EPSILON * fmax(low.a, high.a))
        break;
    } else if (cliff) {
      a = fmin(a, (low.a + most) / 2);
    }
  }
  return settle(s);
}

/* -g'd / d'Ad; 0 where d'Ad is not positive. The product counts as a gradient. */
static l2o_status exact_step(const search *s, double *a) {
  l2o_iterate *it = s->it;
  l2o_real *product = s->line->kept;
  it->gradient_calls++;
  l2o_status status = l2o_problem_hessian_vector(it->problem, product, it->x, s->line->d, it->work);
  const double curvature = status ? 0 : l2o_dot(s->line->d, product, it->n);
  *a = curvature > 0 ? -s->start.slope / curvature : 0;
  return status;
}

double l2o_line_first(const l2o_iterate *it) {
  if (it->options[L2O_LINE_FIRST_STEP] > 0)
    return it->options[L2O_LINE_FIRST_STEP];
  const double norm = l2o_norm(it->g, it->n);
  const double by_x = fmax(1, l2o_norm(it->x, it->n)) / norm, by_f = 2 * fabs(it->f) / (norm * norm);
  const double first = fmax(fmin(by_x, by_f), 0.01 * by_x);
  return first > 0 && isfinite(first) ? first : 1;
}

l2o_status l2o_line_check(const l2o_iterate *it, const char *solver, l2o_diag *diag) {
  if (it->options[L2O_LINE_C1] >= it->options[L2O_LINE_C2])
    return l2o_fail(diag, L2O_ERR_ARG, "%s: c1 = %g must be below c2 = %g", solver, it->options[L2O_LINE_C1],
                    it->options[L2O_LINE_C2]);
  if ((enum kind)it->options[L2O_LINE_KIND] == EXACT && !l2o_problem_has_hessian_vector(it->problem))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: line_search=exact needs Hessian-vector products; problem '%s' has none", solver,
                    l2o_problem_name(it->problem));
  return L2O_OK;
}

/* What the rule remembers of its searches since f fell by more than rounding, or |g| noticeably: quiet trials, the fall of f, |g|
 * at first. Too many of them end the run. What f fell by beyond a |phi'(0)| was luck. */
static void take_stock(const search *s, l2o_stop *stop) {
  l2o_real *quiet = s->line->memory, *fall = quiet + 1, *norm = quiet + 2;
  *fall += (l2o_real)fmin(s->start.f - s->it->f, -s->line->alpha * s->start.slope);
  if ((double)*fall > s->noise) {
    *quiet = *fall = *norm = 0;
    return;
  }
  const double now = l2o_norm(s->it->g, s->it->n);
  if (*norm == 0)
    *norm = (l2o_real)l2o_norm(s->line->g, s->it->n);
  if (now < PROGRESS * (double)*norm) {
    *quiet = *fall = 0;
    *norm = (l2o_real)now;
    return;
  }
  *quiet += (l2o_real)s->quiet;
  if (*quiet >= PATIENCE && s->line->alpha > 0 && *stop == L2O_STOP_NONE)
    *stop = L2O_STOP_STALLED;
}

l2o_status l2o_line_search(l2o_iterate *it, l2o_line *line, l2o_stop *stop) {
  const size_t n = it->n;
  search s = {.it = it,
              .line = line,
              .kind = (enum kind)it->options[L2O_LINE_KIND],
              .c1 = it->options[L2O_LINE_C1],
              .c2 = it->options[L2O_LINE_C2],
              .noise = NOISE * EPSILON * fabs(it->f)};
  double a = line->alpha;
  s.start = s.best = (point){0, it->f, l2o_dot(it->g, line->d, n)};
  line->alpha = 0;
  if (!(s.start.slope < 0) || !isfinite(s.start.slope))
    return L2O_OK;
  l2o_status status = L2O_OK;
  if (s.kind == EXACT) {
    double exact;
    if ((status = exact_step(&s, &exact)))
      return status;
    a = exact > 0 ? exact : a;
  }
  memcpy(line->x, it->x, n * sizeof *it->x);
  memcpy(line->g, it->g, n * sizeof *it->g);
  l2o_iterate_moved(it);
  switch (s.kind) {
  case UNIT:
    if ((status = evaluate(&s, it->step)))
      return status;
    return s.stuck ? settle(&s) : s.finite ? accept(&s) : L2O_ERR_NUMERIC;
  case WEAK_WOLFE:
    status = bisect(&s, a, stop);
    break;
  case HALVING:
    status = backtrack(&s, a, 0.5, 0.5);
    break;
  case ARMIJO:
  case EXACT:
    status = backtrack(&s, a, 0.1, 0.5);
    break;
  case WOLFE:
    status = more_thuente(&s, a, stop);
    break;
  }
  if (!status)
    take_stock(&s, stop);
  return status;
}
