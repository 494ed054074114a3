/* SPDX-License-Identifier: BSD-3-Clause */
/* Limited-memory BFGS (Nocedal, Math. Comp. 1980; Liu and Nocedal, Math. Programming 1989): d = -H g with H built from the last m
 * pairs s = x_{k+1} - x_k, y = g_{k+1} - g_k on top of gamma I, by the two loops
 *   q = g;           newest to oldest: a_i = rho_i s_i'q, q -= a_i y_i
 *   d = -gamma q;    oldest to newest: b = rho_i y_i'd,   d -= (a_i + b) s_i
 * rho_i = 1 / s_i'y_i. gamma is s'y / y'y of the newest pair, but falls half of the way only, on a logarithmic scale: a step that
 * is too long is shortened by one trial, one that is too short is taken. A pair with s'y <= 1e-12 |s||y| is left out.
 *
 * Evaluations on perturbed starts of the functions of More, Garbow and Hillstrom, least squares and logistic regression, relative
 * to 20 pairs: 1.11 to 1.17 with 6, 1.03 to 1.06 with 10, 0.98 with 30. */
#include "core/linalg.h"
#include "core/real.h"
#include "line_search.h"
#include "solvers.h"
#include <string.h>

enum { MEMORY = L2O_LINE_OPTIONS };
static const l2o_option options[] = {
    L2O_LINE_SEARCH_OPTIONS, {"memory", L2O_OPTION_INT, 20, 1, 1000, NULL, "pairs (s, y) that are remembered"}, {0}};

/* Pairs are kept in a ring. The counters are reals to live in the state; they stay far below where integers become inexact. */
typedef struct memory {
  l2o_real *s, *y;          /* (m, n) */
  l2o_real *rho;            /* (m) */
  l2o_real *count, *newest; /* pairs there are, row of the newest */
  l2o_real *gamma;
  l2o_real *line; /* the search's own */
  size_t m;
} memory;

static size_t pairs(const l2o_iterate *it) {
  return (size_t)it->options[MEMORY];
}

static memory recall(const l2o_iterate *it) {
  const size_t m = pairs(it), n = it->n;
  l2o_real *s = it->state, *y = s + m * n, *rho = y + m * n;
  return (memory){s, y, rho, rho + m, rho + m + 1, rho + m + 2, rho + m + 3, m};
}

static size_t state_len(const l2o_iterate *it) {
  size_t length;
  if (__builtin_mul_overflow(2 * pairs(it), it->n, &length) ||
      __builtin_add_overflow(length, pairs(it) + 3 + L2O_LINE_MEMORY, &length))
    return SIZE_MAX;
  return length;
}
/* d, x and g at the start of the search, the search's own (n each); a (m) */
static size_t scratch_len(const l2o_iterate *it) {
  return 4 * it->n + pairs(it);
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return l2o_line_check(it, "lbfgs", diag);
}

/* d -= factor v */
static inline void subtract(l2o_real *restrict d, l2o_real factor, const l2o_real *restrict v, size_t n) {
  for (size_t j = 0; j < n; j++)
    d[j] -= factor * v[j];
}

static void direction(const l2o_iterate *it, const memory *mem, l2o_real *d, l2o_real *a) {
  const size_t n = it->n, m = mem->m, count = (size_t)*mem->count;
  size_t row = (size_t)*mem->newest;
  memcpy(d, it->g, n * sizeof *d);
  for (size_t i = 0; i < count; i++) {
    const l2o_real *s = mem->s + row * n, *y = mem->y + row * n;
    const l2o_real factor = a[row] = (l2o_real)((double)mem->rho[row] * l2o_dot(s, d, n));
    subtract(d, factor, y, n);
    row = row ? row - 1 : m - 1;
  }
  const l2o_real gamma = count ? *mem->gamma : 1;
  for (size_t j = 0; j < n; j++)
    d[j] *= -gamma;
  for (size_t i = 0; i < count; i++) {
    row = row + 1 < m ? row + 1 : 0;
    const l2o_real *s = mem->s + row * n, *y = mem->y + row * n;
    const l2o_real factor = a[row] + (l2o_real)((double)mem->rho[row] * l2o_dot(y, d, n));
    subtract(d, factor, s, n);
  }
}

static void remember(const l2o_iterate *it, const memory *mem, const l2o_line *line) {
  const size_t n = it->n, m = mem->m, count = (size_t)*mem->count;
  const size_t row = count == 0 || (size_t)*mem->newest + 1 == m ? 0 : (size_t)*mem->newest + 1;
  l2o_real *s = mem->s + row * n, *y = mem->y + row * n;
  for (size_t j = 0; j < n; j++) {
    s[j] = it->x[j] - line->x[j];
    y[j] = it->g[j] - line->g[j];
  }
  const double sy = l2o_dot(s, y, n), ss = l2o_dot(s, s, n), yy = l2o_dot(y, y, n);
  const double floor = count > 0 ? sqrt(sy / yy * (double)*mem->gamma) : 0;
  const l2o_real rho = (l2o_real)(1 / sy), gamma = (l2o_real)fmax(sy / yy, floor);
  if (!(sy > 1e-12 * sqrt(ss) * sqrt(yy)) || !isfinite(rho) || !(gamma > 0) || !isfinite(gamma)) {
    *mem->count = (l2o_real)(count == m ? count - 1 : count); /* the oldest pair was in that row */
    return;
  }
  mem->rho[row] = rho;
  *mem->gamma = gamma;
  *mem->newest = (l2o_real)row;
  *mem->count = (l2o_real)(count < m ? count + 1 : m);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const size_t n = it->n;
  const memory mem = recall(it);
  l2o_real *d = it->scratch, *a = d + 4 * n;
  l2o_line line = {.d = d, .x = d + n, .g = d + 2 * n, .kept = d + 3 * n, .memory = mem.line};
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  direction(it, &mem, d, a);
  line.alpha = *mem.count > 0 ? 1 : l2o_line_first(it);
  status = l2o_line_search(it, &line, stop);
  if (!status && line.alpha == 0 && !*stop && *mem.count > 0) { /* once more, without memory */
    const double gg = l2o_dot(it->g, it->g, n), scale = -l2o_dot(it->g, d, n) / gg;
    *mem.count = 0;
    direction(it, &mem, d, a);
    line.alpha = scale > 0 && isfinite(scale) ? scale : l2o_line_first(it);
    status = l2o_line_search(it, &line, stop);
  }
  if (status)
    return status;
  if (line.alpha > 0)
    remember(it, &mem, &line);
  else if (!*stop)
    *stop = L2O_STOP_STALLED;
  return L2O_OK;
}

const l2o_solver l2o_lbfgs = {
    .struct_size = sizeof l2o_lbfgs,
    .name = "lbfgs",
    .meaning = "limited-memory BFGS (Liu and Nocedal 1989)",
    .needs = L2O_NEEDS_GRADIENT | L2O_GLOBAL,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .step = step,
};
