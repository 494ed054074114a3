/* SPDX-License-Identifier: BSD-3-Clause */
/* BFGS whose step length is tuned by its own derivative (hypergradient descent, Baydin et al., ICLR 2018; Almeida et al. 1998),
 * without a line search: x_{k+1} = x_k + alpha_k d_k, and as df(x_{k+1}) / dalpha = g_{k+1}'d_k,
 *
 * - scalar: alpha_{k+1} = clip(alpha_k - beta g_{k+1}'d_k / (|g_{k+1}| |d_k|), 0.01, 2)
 * - diagonal: alpha_{k+1,i} = clip(alpha_{k,i} - beta g_{k+1,i} d_{k,i} / sum_j |g_{k+1,j} d_{k,j}|, 0.01, 2)
 *
 * the divisors left out with normalised=false. One gradient an iteration. */
#include "bfgs_update.h"
#include "core/linalg.h"
#include "core/real.h"
#include "solvers.h"
#include <math.h>
#include <string.h>

enum { STEP, BETA, HYPERGRADIENT, NORMALISED, START, RESCALE };
static const l2o_option options[] = {
    {"step", L2O_OPTION_REAL, 1, 1e-12, 1e12, NULL, "first length of the steps"},
    {"beta", L2O_OPTION_REAL, 0.05, 0, 1e12, NULL, "step size of the step length"},
    {"hypergradient", L2O_OPTION_CHOICE, 0, 0, 0, "scalar|diagonal", "one length, or one for every coordinate"},
    {"normalised", L2O_OPTION_CHOICE, 0, 0, 0, "true|false", "divide the hypergradient by the sizes of its factors"},
    L2O_BFGS_START_OPTION,
    {"rescale", L2O_OPTION_CHOICE, 0, 0, 0, "off|on", "enlarge an inverse Hessian that is too small before an update"},
    {0}};

/* state: that of BFGS, then the lengths (1 or n) */
static bool is_diagonal(const l2o_iterate *it) {
  return it->options[HYPERGRADIENT] > 0;
}
static size_t state_len(const l2o_iterate *it) {
  return l2o_bfgs_state_len(it) + (is_diagonal(it) ? it->n : 1);
}
static l2o_real *lengths(const l2o_iterate *it) {
  return it->state + l2o_bfgs_state_len(it);
}
/* x and g before the step, d before the step or the update's own (n each) */
static size_t scratch_len(const l2o_iterate *it) {
  return 3 * it->n;
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return l2o_bfgs_check(it, (l2o_bfgs_start)it->options[START], "bfgs-hd", diag);
}

static l2o_status init(l2o_iterate *it) {
  const l2o_bfgs_memory b = l2o_bfgs_recall(it, (l2o_bfgs_start)it->options[START]);
  for (size_t i = 0; i < (is_diagonal(it) ? it->n : 1); i++)
    lengths(it)[i] = (l2o_real)it->step;
  return l2o_bfgs_init(it, &b);
}

static l2o_real clip(l2o_real alpha) {
  return alpha < (l2o_real)0.01 ? (l2o_real)0.01 : alpha > 2 ? 2 : alpha;
}

/* The lengths of the next step, from the new gradient and the direction that led there. */
static void tune(const l2o_iterate *it, const l2o_real *d) {
  const size_t n = it->n;
  const bool normalised = it->options[NORMALISED] < 1;
  l2o_real *alpha = lengths(it);
  double divisor = 1;
  if (is_diagonal(it)) {
    if (normalised) {
      divisor = 0;
      for (size_t i = 0; i < n; i++)
        divisor += fabs((double)it->g[i] * (double)d[i]);
    }
    const double rate = divisor > 0 ? it->options[BETA] / divisor : 0;
    for (size_t i = 0; i < n; i++)
      alpha[i] = clip(alpha[i] - (l2o_real)(rate * (double)it->g[i] * (double)d[i]));
    return;
  }
  if (normalised)
    divisor = l2o_norm(it->g, n) * l2o_norm(d, n);
  const double rate = divisor > 0 ? it->options[BETA] / divisor : 0;
  *alpha = clip(*alpha - (l2o_real)(rate * l2o_dot(it->g, d, n)));
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const size_t n = it->n, stride = is_diagonal(it) ? 1 : 0;
  l2o_bfgs_memory b = l2o_bfgs_recall(it, (l2o_bfgs_start)it->options[START]);
  b.rescale = it->options[RESCALE] > 0;
  const l2o_real *alpha = lengths(it);
  l2o_real *x = it->scratch, *g = x + n, *u = g + n;
  bool moved = false;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  if (*b.fresh > 0)
    l2o_bfgs_first_direction(it, &b);
  memcpy(x, it->x, n * sizeof *x);
  memcpy(g, it->g, n * sizeof *g);
  for (size_t i = 0; i < n; i++) {
    it->x[i] += alpha[i * stride] * b.d[i];
    moved |= it->x[i] != x[i];
  }
  if (!moved) {
    *stop = L2O_STOP_STALLED;
    return L2O_OK;
  }
  l2o_iterate_moved(it);
  status = l2o_iterate_gradient(it);
  if (status)
    return status;
  tune(it, b.d);
  l2o_bfgs_update(it, &b, x, g, u, 0);
  return L2O_OK;
}

const l2o_solver l2o_bfgs_hd = {
    .struct_size = sizeof l2o_bfgs_hd,
    .name = "bfgs-hd",
    .meaning = "BFGS with steps tuned by their hypergradient, without line search",
    .needs = L2O_NEEDS_GRADIENT,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
};
