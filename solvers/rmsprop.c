/* SPDX-License-Identifier: BSD-3-Clause */
/* RMSprop (Tieleman and Hinton, Coursera lecture 6.5, 2012), g = grad f(x_k):
 *   v = decay v + (1 - decay) g^2
 *   u = momentum u + g / (sqrt(v) + eps)
 *   x_{k+1} = x_k - s u. */
#include "core/real.h"
#include "solvers.h"

enum { DECAY = 2, EPSILON, MOMENTUM };
static const l2o_option options[] = {
    L2O_STEP_OPTIONS,   L2O_DECAY_OPTION("decay", 0.9, "squared gradient"),
    L2O_EPSILON_OPTION, {"momentum", L2O_OPTION_REAL, 0, 0, 0.9999999, NULL, "share of the last move that is kept"},
    L2O_BATCH_OPTION,   {0},
};

/* state: v (n), u (n) */
static size_t state_len(const l2o_iterate *it) {
  return 2 * it->n;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  const l2o_real s = (l2o_real)it->step, decay = (l2o_real)it->options[DECAY], epsilon = (l2o_real)it->options[EPSILON];
  const l2o_real momentum = (l2o_real)it->options[MOMENTUM];
  l2o_real *v = it->state, *u = v + it->n;
  for (size_t i = 0; i < it->n; i++) {
    const l2o_real g = it->g[i];
    v[i] = decay * v[i] + (1 - decay) * g * g;
    const l2o_real root = r_sqrt(v[i]) + epsilon;
    u[i] = momentum * u[i] + (root > 0 ? g / root : 0); /* epsilon = 0 and no gradient so far: stay */
    it->x[i] -= s * u[i];
  }
  return L2O_OK;
}

const l2o_solver l2o_rmsprop = {
    .struct_size = sizeof l2o_rmsprop,
    .name = "rmsprop",
    .meaning = "RMSprop: steps scaled by the running size of the gradient",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP,
    .options = options,
    .state_len = state_len,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
