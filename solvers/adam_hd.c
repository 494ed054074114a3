/* SPDX-License-Identifier: BSD-3-Clause */
/* Adam with hypergradient descent on its step size (Baydin et al., ICLR 2018, algorithm 5), g = grad f(x_k):
 *   alpha = max(alpha - kappa g'u, 1e-8)                          (from the second step on; u is the last direction)
 *   m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
 *   u = -(m / (1 - b1^{k+1})) / (sqrt(v / (1 - b2^{k+1})) + eps),   x_{k+1} = x_k + alpha u.
 * The floor keeps the step from turning its sign. */
#include "core/linalg.h"
#include "core/real.h"
#include "solvers.h"

enum { KAPPA = 1, BETA1, BETA2, EPSILON };
static const double FLOOR = 1e-8;
static const l2o_option options[] = {
    {"step", L2O_OPTION_REAL, 1e-3, 0, 1e12, NULL, "step size at the start"},
    {"kappa", L2O_OPTION_REAL, 1e-7, 0, 1e12, NULL, "learning rate of the step size"},
    L2O_ADAM_OPTIONS,
    L2O_BATCH_OPTION,
    {0},
};

/* state: m (n), v (n), u (n), alpha (a double) */
static size_t state_len(const l2o_iterate *it) {
  return 3 * it->n + L2O_REALS_OF(double);
}

static l2o_status init(l2o_iterate *it) {
  memset(it->state, 0, 3 * it->n * sizeof *it->state);
  memcpy(it->state + 3 * it->n, &it->step, sizeof it->step);
  return L2O_OK;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  const size_t n = it->n;
  l2o_real *m = it->state, *v = m + n, *u = v + n;
  double alpha;
  memcpy(&alpha, u + n, sizeof alpha);
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  if (it->k > 0)
    alpha = fmax(alpha - it->options[KAPPA] * l2o_dot(it->g, u, n), FLOOR);
  memcpy(u + n, &alpha, sizeof alpha);
  const l2o_real b1 = (l2o_real)it->options[BETA1], b2 = (l2o_real)it->options[BETA2], s = (l2o_real)alpha;
  const l2o_real epsilon = (l2o_real)it->options[EPSILON];
  const l2o_real unbias1 = (l2o_real)(1 / (1 - pow(it->options[BETA1], (double)it->k + 1)));
  const l2o_real unbias2 = (l2o_real)(1 / (1 - pow(it->options[BETA2], (double)it->k + 1)));
  for (size_t i = 0; i < n; i++) {
    const l2o_real g = it->g[i];
    m[i] = b1 * m[i] + (1 - b1) * g;
    v[i] = b2 * v[i] + (1 - b2) * g * g;
    const l2o_real root = r_sqrt(v[i] * unbias2) + epsilon;
    u[i] = root > 0 ? -m[i] * unbias1 / root : 0; /* epsilon = 0 and no gradient so far: stay */
    it->x[i] += s * u[i];
  }
  return L2O_OK;
}

const l2o_solver l2o_adam_hd = {
    .struct_size = sizeof l2o_adam_hd,
    .name = "adam-hd",
    .meaning = "Adam with a step size that follows its hypergradient",
    .needs = L2O_NEEDS_GRADIENT,
    .options = options,
    .state_len = state_len,
    .init = init,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
