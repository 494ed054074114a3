/* SPDX-License-Identifier: BSD-3-Clause */
/* Stochastic gradient descent with momentum, as networks are trained (Sutskever, Martens, Dahl, Hinton, ICML 2013, in the form of
 * PyTorch's SGD), g the gradient of a minibatch, or of the whole sum where batch = 0:
 *   v_{k+1} = beta v_k + g_k,   x_{k+1} = x_k - s v_{k+1},   v_0 = 0.
 * With a constant step this is `momentum`; where a schedule changes s, the sum v keeps its length and the move follows s at once.
 */
#include "solvers.h"

enum { BETA = 2 };
static const l2o_option options[] = {
    L2O_STEP_OPTIONS,
    {"beta", L2O_OPTION_REAL, 0, 0, 0.9999999, NULL, "share of the last sum of gradients that is kept: momentum"},
    L2O_BATCH_OPTION,
    {0},
};

/* state: v (n) */
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
    v[i] = beta * v[i] + it->g[i];
    it->x[i] -= s * v[i];
  }
  return L2O_OK;
}

const l2o_solver l2o_sgd = {
    .struct_size = sizeof l2o_sgd,
    .name = "sgd",
    .meaning = "stochastic gradient descent with momentum, as networks are trained",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP,
    .options = options,
    .state_len = state_len,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
