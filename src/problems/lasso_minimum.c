/* SPDX-License-Identifier: BSD-3-Clause */
/* Coordinate descent on the Gram matrix finds the support (Friedman, Hastie, Hoefling, Tibshirani 2007), a Newton step on the
 * support that stops where a coordinate would change its sign makes it exact (the feature-sign search of Lee, Battle, Raina, Ng
 * 2006), and both are repeated until the conditions of a minimum hold. Neither ever raises F. */
#include "problems/lasso_minimum.h"
#include "core/arena.h"
#include "core/linalg.h"
#include "problems/soft_threshold.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 20000, SWEEPS = 10, ROUNDS = 200 };

typedef struct lasso {
  const double *A, *y;
  double l1, scale; /* the larger of l1 and |A'y|_inf */
  size_t m, n;
  double *gram;             /* (n, n) */
  double *part;             /* its rows and columns of the support */
  double *c, *g;            /* c = A'(y - A x), g = -c */
  double *move, *rest;      /* on the support */
  size_t *support, members; /* j with x_j != 0 */
} lasso;

static void layout(lasso *s, l2o_arena *arena) {
  const size_t n = s->n;
  L2O_TAKE(arena, s->gram, n * n);
  L2O_TAKE(arena, s->part, n * n);
  L2O_TAKE(arena, s->c, n);
  L2O_TAKE(arena, s->g, n);
  L2O_TAKE(arena, s->move, n);
  L2O_TAKE(arena, s->rest, n);
  L2O_TAKE(arena, s->support, n);
}

/* c = A'(y - A x); returns |y - A x|^2 */
static double correlate(lasso *s, const double *x) {
  double squares = 0;
  memset(s->c, 0, s->n * sizeof *s->c);
  for (size_t i = 0; i < s->m; i++) {
    const double *a = s->A + i * s->n;
    double r = s->y[i];
    for (size_t j = 0; j < s->n; j++)
      r -= a[j] * x[j];
    for (size_t j = 0; j < s->n; j++)
      s->c[j] += r * a[j];
    squares += r * r;
  }
  return squares;
}

/* x_j = soft(c_j + G_jj x_j, l1) / G_jj for every j, c kept up to date */
static void sweep(lasso *s, double *x) {
  const size_t n = s->n;
  for (size_t j = 0; j < n; j++) {
    const double *row = s->gram + j * n, z = s->c[j] + row[j] * x[j], size = fabs(z) - s->l1;
    const double change = (size > 0 && row[j] > 0 ? copysign(size, z) / row[j] : 0) - x[j];
    if (change == 0)
      continue;
    x[j] += change;
    if (size <= 0)
      x[j] = 0; /* exactly */
    for (size_t k = 0; k < n; k++)
      s->c[k] -= change * row[k];
  }
}

/* One Newton step for the coordinates that are not zero, their signs held: x += t G^{-1} (c - l1 sign(x)), where t <= 1 ends at the
 * first coordinate that reaches zero. *stopped tells whether one did. */
static l2o_status newton_step(lasso *s, double *x, bool *stopped) {
  size_t count = 0, first = 0;
  double t = 1;
  *stopped = false;
  for (size_t j = 0; j < s->n; j++)
    if (x[j] != 0)
      s->support[count++] = j;
  s->members = count;
  if (count == 0)
    return L2O_OK;
  for (size_t a = 0; a < count; a++) {
    const size_t j = s->support[a];
    s->rest[a] = s->c[j] - copysign(s->l1, x[j]);
    for (size_t b = 0; b < count; b++)
      s->part[a * count + b] = s->gram[j * s->n + s->support[b]];
  }
  l2o_status status = l2o_solve_spd(s->move, s->part, s->rest, count);
  if (status == L2O_ERR_NUMERIC) { /* dependent columns: with a little more on the diagonal it goes down still, and far enough */
    for (size_t a = 0; a < count; a++)
      s->part[a * count + a] *= 1 + 1e-10;
    status = l2o_solve_spd(s->move, s->part, s->rest, count);
  }
  for (size_t a = 0; a < count && !status; a++) {
    const double from = x[s->support[a]], to = from + s->move[a];
    if (from * to <= 0 && -from / s->move[a] < t) {
      t = -from / s->move[a];
      first = a;
      *stopped = true;
    }
  }
  for (size_t a = 0; a < count && !status; a++)
    x[s->support[a]] += t * s->move[a];
  if (*stopped)
    x[s->support[first]] = 0;
  return status;
}

/* The minimum over the coordinates that are not zero. Its last step is taken twice: the second one removes the rounding of the
 * first.
 */
static l2o_status solve_on_support(lasso *s, double *x) {
  bool stopped = true, once_more = true;
  l2o_status status = L2O_OK;
  while (!status && (stopped || once_more)) {
    once_more = stopped;
    correlate(s, x);
    status = newton_step(s, x, &stopped);
  }
  return status == L2O_ERR_NUMERIC ? L2O_OK : status; /* columns that depend on each other: coordinate descent goes on */
}

static bool is_minimum(lasso *s, double *f, const double *x) {
  const double squares = correlate(s, x);
  double norm = 0, product = 0, largest = 0;
  for (size_t j = 0; j < s->n; j++) {
    s->g[j] = -s->c[j];
    norm += fabs(x[j]);
    product += s->c[j] * x[j];
    largest = fmax(largest, fabs(s->c[j]));
  }
  *f = 0.5 * squares + s->l1 * norm;
  /* dual point u r, r = y - A x, with u = min(1, l1 / |A'r|_inf): F(x) - D(u r) = 1/2 (1 - u)^2 |r|^2 + l1 |x|_1 - u (A'r)'x */
  const double u = largest > s->l1 ? s->l1 / largest : 1, gap = 0.5 * (1 - u) * (1 - u) * squares + s->l1 * norm - u * product;
  return l2o_l1_optimality(s->g, x, s->l1, s->n) <= 1e-12 * s->scale && gap <= 1e-10 * *f;
}

/* From weight to weight, down to l1: the support of a large one is small, and that of the next one is near. At once from zero the
 * sweeps would fill it with more columns than are independent. */
static l2o_status minimise(lasso *s, double *fstar, double *x) {
  const double l1 = s->l1;
  memset(x, 0, s->n * sizeof *x);
  correlate(s, x);
  s->scale = l1;
  for (size_t j = 0; j < s->n; j++)
    s->scale = fmax(s->scale, fabs(s->c[j]));
  s->l1 = s->scale;
  for (size_t round = 0; round < ROUNDS;) {
    s->l1 = fmax(l1, 0.7 * s->l1);
    round += s->l1 == l1;
    for (size_t k = 0; k < SWEEPS; k++)
      sweep(s, x);
    l2o_status status = solve_on_support(s, x);
    if (status)
      return status;
    if (s->l1 == l1 && is_minimum(s, fstar, x))
      return L2O_OK;
  }
  return L2O_ERR_NOTSUP;
}

l2o_status l2o_lasso_minimum(double *fstar, double *x, const double *A, const double *y, double l1, size_t m, size_t n) {
  if (n > LARGEST)
    return L2O_ERR_NOTSUP;
  lasso s = {.A = A, .y = y, .l1 = l1, .m = m, .n = n};
  l2o_arena arena = {0};
  layout(&s, &arena);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout(&s, &arena);
  l2o_gram_double(s.gram, A, m, n);
  l2o_status status = minimise(&s, fstar, x);
  free(arena.base);
  return status;
}
