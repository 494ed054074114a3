/* SPDX-License-Identifier: BSD-3-Clause */
/* Directions, the differences along them, and the gradient that these speak of. Directions are handled in one of three ways:
 *   streamed (averages of Gaussian or sphere directions): one after another, drawn again when the difference is known rather than
 *     kept, unless a direction is so short that keeping it costs nothing. O(n) memory for any q.
 *   axes: q indices, drawn without replacement by the shuffle of Fisher and Yates that is left off after q places; for q = n
 *     nothing is drawn. O(n) memory.
 *   matrix: the rows of U (q, n), by LAPACK: orthonormalised before they are probed (error as small as can be), or probed as they
 *     are and solved for the least-norm g with U g = delta, by QR with column pivoting (a direction that depends on the others
 *     is left out, its query wasted). */
#include "core/linalg.h"
#include "core/normals.h"
#include "zo.h"
#include <math.h>
#include <string.h>

enum { KEPT = 4096 }; /* directions of no more entries are not drawn twice; a multiple of 4, as l2o_normals() wants it */

static size_t directions_len(const zo_plan *plan, size_t n) {
  switch (plan->handling) {
  case ZO_STREAMED:
    return n < KEPT ? n : KEPT;
  case ZO_AXES:
    return plan->q < n ? n : 0;
  default:
    return plan->q * n;
  }
}

size_t zo_room(const zo_plan *plan, size_t n) {
  const size_t a = l2o_orthonormal_rows_work(plan->q), b = l2o_least_norm_work(plan->q);
  return 2 * n + directions_len(plan, n) + (plan->handling == ZO_MATRIX ? plan->q + (a > b ? a : b) : 0);
}

void zo_layout(zo_plan *plan) {
  plan->y = plan->it->scratch;
  plan->g = plan->y + plan->it->n;
  plan->u = plan->g + plan->it->n;
  if (plan->handling == ZO_MATRIX) {
    plan->delta = plan->u + directions_len(plan, plan->it->n);
    plan->work = plan->delta + plan->q;
  }
}

static int kind(const l2o_iterate *it) {
  return (int)it->options[ZO_DIRECTIONS];
}
static bool two_sided(const l2o_iterate *it) {
  return it->options[ZO_DIFFERENCE] == ZO_TWO_SIDED;
}

/* delta = rise / width. A probe that says nothing: L2O_ERR_NUMERIC. */
static l2o_status divide(double *delta, double rise, double width) {
  *delta = rise / width;
  return isfinite((double)(l2o_real)*delta) ? L2O_OK : L2O_ERR_NUMERIC;
}

/* ---- along vectors ---- */

double zo_draw(l2o_real *u, const l2o_iterate *it, size_t i) {
  l2o_normals(u, it->seed, (uint32_t)i, it->k, 0, it->n);
  return kind(it) == ZO_GAUSSIAN ? 1 : (kind(it) == ZO_SPHERE ? sqrt((double)it->n) : 1) / l2o_norm(u, it->n);
}

static void displace(l2o_real *y, const l2o_real *x, const l2o_real *u, double t, size_t n) {
  const l2o_real s = (l2o_real)t;
  for (size_t j = 0; j < n; j++)
    y[j] = x[j] + s * u[j];
}

/* delta = derivative of f along u, direction i, by probes at x + t u. u may be plan->y, and is lost then. */
static l2o_status difference(zo_plan *plan, double *delta, const l2o_real *u, size_t i, double t) {
  l2o_iterate *it = plan->it;
  double ahead, behind = plan->f;
  displace(plan->y, it->x, u, t, it->n);
  l2o_status status = zo_value(it, &ahead, plan->y, true);
  if (status || !two_sided(it))
    return status ? status : divide(delta, ahead - behind, t);
  if (u == plan->y)
    zo_draw(plan->y, it, i);
  displace(plan->y, it->x, u, -t, it->n);
  status = zo_value(it, &behind, plan->y, false);
  return status ? status : divide(delta, ahead - behind, 2 * t);
}

/* g += c u, direction i; u is drawn again if it lay in plan->y. */
static void add_direction(zo_plan *plan, const l2o_real *u, size_t i, double factor) {
  const l2o_iterate *it = plan->it;
  const l2o_real c = (l2o_real)factor;
  for (size_t first = 0; first < it->n; first += KEPT) {
    const size_t count = it->n - first < KEPT ? it->n - first : KEPT;
    if (u == plan->y)
      l2o_normals(plan->u, it->seed, (uint32_t)i, it->k, first, count);
    for (size_t j = 0; j < count; j++)
      plan->g[first + j] += c * plan->u[j];
  }
}

static l2o_status streamed(zo_plan *plan) {
  const l2o_iterate *it = plan->it;
  const double q = (double)plan->q, mu = plan->h / sqrt((double)it->n);
  l2o_real *u = it->n <= KEPT ? plan->u : plan->y;
  size_t used = 0;
  memset(plan->g, 0, it->n * sizeof *plan->g);
  for (size_t i = 0; i < plan->q; i++) {
    const double scale = zo_draw(u, it, i); /* u_i = scale u */
    double delta;
    l2o_status status = difference(plan, &delta, u, i, mu * scale);
    if (status == L2O_ERR_NUMERIC)
      continue;
    if (status)
      return status;
    add_direction(plan, u, i, scale * scale * delta / q);
    used++;
  }
  return used ? L2O_OK : L2O_ERR_NUMERIC;
}

l2o_status zo_draw_matrix(zo_plan *plan) {
  const l2o_iterate *it = plan->it;
  const size_t q = plan->q, n = it->n;
  for (size_t i = 0; i < q; i++) {
    l2o_real *u = plan->u + i * n;
    const l2o_real scale = (l2o_real)zo_draw(u, it, i);
    for (size_t j = 0; j < n; j++)
      u[j] *= scale;
  }
  return kind(it) == ZO_ORTHONORMAL && q > 1 ? l2o_orthonormal_rows(plan->u, plan->work, q, n) : L2O_OK;
}

l2o_status zo_probe_matrix(zo_plan *plan) {
  const l2o_iterate *it = plan->it;
  const size_t n = it->n;
  const bool orthonormal = kind(it) == ZO_ORTHONORMAL;
  const double t = orthonormal ? plan->h : plan->h / sqrt((double)n);
  size_t used = 0;
  for (size_t i = 0; i < plan->q; i++) {
    const l2o_real *u = plan->u + i * n;
    double delta;
    l2o_status status = difference(plan, &delta, u, i, t);
    if (status == L2O_ERR_NUMERIC)
      continue;
    if (status)
      return status;
    if (used < i) /* the rows in use stay next to each other */
      memcpy(plan->u + used * n, u, n * sizeof *u);
    plan->delta[used++] = (l2o_real)delta;
  }
  if (used == 0)
    return L2O_ERR_NUMERIC;
  if (!orthonormal)
    return l2o_least_norm(plan->g, NULL, plan->u, plan->delta, plan->work, used, n);
  l2o_gemv_t(plan->g, plan->u, plan->delta, used, n); /* g = U' delta */
  return L2O_OK;
}

/* ---- along axes ---- */

static l2o_status axes(zo_plan *plan) {
  l2o_iterate *it = plan->it;
  const size_t n = it->n, q = plan->q;
  uint32_t *order = (void *)plan->u; /* indices in the room of reals; n fits, zo_check() has seen to it */
  l2o_rng rng;
  size_t used = 0;
  l2o_rng_seed(&rng, it->seed, 0, it->k);
  for (size_t j = 0; q < n && j < n; j++)
    order[j] = (uint32_t)j;
  memcpy(plan->y, it->x, n * sizeof *it->x);
  memset(plan->g, 0, n * sizeof *plan->g);
  for (size_t i = 0; i < q; i++) {
    size_t j = i;
    if (q < n) {
      const size_t other = i + (size_t)(l2o_rng_uniform(&rng) * (double)(n - i));
      j = order[other];
      order[other] = order[i];
    }
    /* the distance that rounding leaves between the points is the one to divide by */
    const l2o_real x = it->x[j], h = (l2o_real)plan->h, up = x + h, down = two_sided(it) ? x - h : x;
    double ahead, behind = plan->f, delta;
    plan->y[j] = up;
    l2o_status status = zo_value(it, &ahead, plan->y, true);
    if (!status && two_sided(it)) {
      plan->y[j] = down;
      status = zo_value(it, &behind, plan->y, false);
    }
    plan->y[j] = x;
    if (!status)
      status = divide(&delta, ahead - behind, (double)up - (double)down);
    if (status == L2O_ERR_NUMERIC)
      continue;
    if (status)
      return status;
    plan->g[j] = (l2o_real)delta;
    used++;
  }
  return used ? L2O_OK : L2O_ERR_NUMERIC;
}

l2o_status zo_estimate(zo_plan *plan) {
  if (plan->handling == ZO_STREAMED)
    return streamed(plan);
  if (plan->handling == ZO_AXES)
    return axes(plan);
  l2o_status status = zo_draw_matrix(plan);
  return status ? status : zo_probe_matrix(plan);
}
