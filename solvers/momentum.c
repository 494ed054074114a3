/* SPDX-License-Identifier: BSD-3-Clause */
/* Gradient descent with momentum, the heavy ball method (Polyak, USSR Comp. Math. 1964):
 *   x_{k+1} = x_k - s grad f(x_k) + beta (x_k - x_{k-1}),   x_{-1} = x_0.
 * On quadratics it converges for s < 2 (1 + beta) / L, on other smooth convex functions surely for s < 2 (1 - beta) / L (Ghadimi,
 * Feyzmahdavian and Johansson, ECC 2015). */
#include "solvers.h"

enum { BETA = 2 };
static const l2o_option options[] = {
    L2O_STEP_OPTIONS,
    {"beta", L2O_OPTION_REAL, 0.9, 0, 0.9999999, NULL, "share of the last move that is kept"},
    L2O_BATCH_OPTION,
    {0},
};

/* state: v = x_k - x_{k-1} (n) */
static size_t state_len(const l2o_iterate *it) {
  return it->n;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  const l2o_real s = (l2o_real)it->step, beta = (l2o_real)it->options[BETA];
  l2o_real *v = it->state;
  for (size_t i = 0; i < it->n; i++) {
    v[i] = beta * v[i] - s * it->g[i];
    it->x[i] += v[i];
  }
  return L2O_OK;
}

const l2o_solver l2o_momentum = {
    .struct_size = sizeof l2o_momentum,
    .name = "momentum",
    .meaning = "gradient descent with momentum (Polyak's heavy ball)",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP,
    .options = options,
    .state_len = state_len,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
