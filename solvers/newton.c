/* SPDX-License-Identifier: BSD-3-Clause */
/* Newton's method with truncated conjugate gradients (Dembo and Steihaug, Math. Programming 1983): d solves
 *   (Hessian) d = -g   to   |residual| <= min(0.5, sqrt|g|) |g|
 * by conjugate gradients from d = 0, which end early along a direction p of curvature p'(Hessian)p <= 0: with d as it is by then,
 * or with p itself if it is the first. Then a line search along d. Quadratic convergence where the Hessian is positive definite. A
 * Hessian-vector product is counted as a gradient call: it costs about as much. */
#include "core/linalg.h"
#include "line_search.h"
#include "solvers.h"
#include <math.h>
#include <string.h>

enum { CG_ITERATIONS = L2O_LINE_OPTIONS };
static const l2o_option options[] = {
    L2O_LINE_SEARCH_OPTIONS,
    {"cg_iterations", L2O_OPTION_INT, 0, 0, 1e9, NULL, "most conjugate-gradient iterations a step; 0: 2 n + 10"},
    {0}};

/* d; then, one after the other, p, residual, product of conjugate gradients, and x, g, the search's own of the search (n each) */
static size_t scratch_len(const l2o_iterate *it) {
  return 4 * it->n;
}

/* the search's memory */
static size_t state_len(const l2o_iterate *it) {
  (void)it;
  return L2O_LINE_MEMORY;
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return l2o_line_check(it, "newton", diag);
}

static l2o_status direction(l2o_iterate *it, l2o_real *d) {
  const size_t n = it->n;
  l2o_real *p = d + n, *r = d + 2 * n, *product = d + 3 * n;
  double rr = l2o_dot(it->g, it->g, n);
  const double norm = sqrt(rr), goal = fmin(0.5, sqrt(norm)) * norm;
  const double most = it->options[CG_ITERATIONS] > 0 ? it->options[CG_ITERATIONS] : 2 * (double)n + 10;
  for (size_t i = 0; i < n; i++) { /* r = the residual -g - Hd */
    d[i] = 0;
    p[i] = r[i] = -it->g[i];
  }
  for (double k = 0; k < most && sqrt(rr) > goal; k++) {
    it->gradient_calls++;
    l2o_status status = l2o_problem_hessian_vector(it->problem, product, it->x, p, it->work);
    if (status)
      return status;
    const double curvature = l2o_dot(p, product, n);
    if (!isfinite(curvature) || curvature <= 0) {
      if (k == 0)
        memcpy(d, p, n * sizeof *d);
      break;
    }
    const l2o_real a = (l2o_real)(rr / curvature);
    for (size_t i = 0; i < n; i++) {
      d[i] += a * p[i];
      r[i] -= a * product[i];
    }
    const double next = l2o_dot(r, r, n);
    const l2o_real b = (l2o_real)(next / rr);
    rr = next;
    for (size_t i = 0; i < n; i++)
      p[i] = r[i] + b * p[i];
  }
  return L2O_OK;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const size_t n = it->n;
  l2o_real *d = it->scratch;
  l2o_line line = {.d = d, .x = d + n, .g = d + 2 * n, .kept = d + 3 * n, .memory = it->state, .alpha = 1};
  l2o_status status = l2o_iterate_gradient(it);
  if (!status)
    status = direction(it, d);
  if (!status)
    status = l2o_line_search(it, &line, stop);
  if (!status && line.alpha == 0 && !*stop) { /* once more along -g */
    const double scale = -l2o_dot(it->g, d, n) / l2o_dot(it->g, it->g, n);
    for (size_t i = 0; i < n; i++)
      d[i] = -it->g[i];
    line.alpha = scale > 0 && isfinite(scale) ? scale : l2o_line_first(it);
    status = l2o_line_search(it, &line, stop);
  }
  if (!status && line.alpha == 0 && !*stop)
    *stop = L2O_STOP_STALLED;
  return status;
}

const l2o_solver l2o_newton = {
    .struct_size = sizeof l2o_newton,
    .name = "newton",
    .meaning = "Newton's method with truncated conjugate gradients",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_HESSIAN | L2O_GLOBAL,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
