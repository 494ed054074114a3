/* SPDX-License-Identifier: BSD-3-Clause */
/* Adam (Kingma and Ba, ICLR 2015, algorithm 1), g = grad f(x_k):
 *   m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
 *   x_{k+1} = x_k - s (m / (1 - b1^{k+1})) / (sqrt(v / (1 - b2^{k+1})) + eps). */
#include "core/real.h"
#include "solvers.h"

enum { BETA1 = 2, BETA2, EPSILON };
static const l2o_option options[] = {L2O_STEP_OPTIONS, L2O_ADAM_OPTIONS, L2O_BATCH_OPTION, {0}};

/* state: m (n), v (n) */
static size_t state_len(const l2o_iterate *it) {
  return 2 * it->n;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  const l2o_real b1 = (l2o_real)it->options[BETA1], b2 = (l2o_real)it->options[BETA2], s = (l2o_real)it->step;
  const l2o_real epsilon = (l2o_real)it->options[EPSILON];
  const l2o_real unbias1 = (l2o_real)(1 / (1 - pow(it->options[BETA1], (double)it->k + 1)));
  const l2o_real unbias2 = (l2o_real)(1 / (1 - pow(it->options[BETA2], (double)it->k + 1)));
  l2o_real *m = it->state, *v = it->state + it->n;
  for (size_t i = 0; i < it->n; i++) {
    l2o_real g = it->g[i];
    m[i] = b1 * m[i] + (1 - b1) * g;
    v[i] = b2 * v[i] + (1 - b2) * g * g;
    l2o_real root = r_sqrt(v[i] * unbias2) + epsilon;
    it->x[i] -= root > 0 ? s * m[i] * unbias1 / root : 0; /* epsilon = 0 and no gradient so far: stay */
  }
  return L2O_OK;
}

const l2o_solver l2o_adam = {
    .struct_size = sizeof l2o_adam,
    .name = "adam",
    .meaning = "Adam: steps scaled by running moments of the gradient",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP,
    .options = options,
    .state_len = state_len,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
