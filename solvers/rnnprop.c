/* SPDX-License-Identifier: BSD-3-Clause */
/* RNNprop (Lv, Jiang, Li, "Learning Gradient Descent: Better Generalization and Longer Horizons", ICML 2017), in the form of arXiv
 * 2305.18577. With g the gradient, of composite problems a subgradient, and its running moments
 *   m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,   r = sqrt(v / (1 - b2^k)) + 1e-8 in step k = 1, 2, ...
 * x+ = x - c w, w = network(g / r, m / ((1 - b1^k) r)); nn/blackbox.h. Blind to the scale of f. Nothing makes it converge but its
 * training. With the inputs of the network as constants the moments are constants, too. */
#include "blackbox.h"
#include "core/elementwise.h"
#include "core/real.h"
#include <string.h>

static const l2o_option options[] = {L2O_BLACKBOX_OPTIONS, {0}};
static const l2o_real EPSILON = (l2o_real)1e-8;

/* state: m (n), v (n), b1^k, b2^k; the network's */
enum { POWERS = 2 };
static size_t state_len(const l2o_iterate *it) {
  return 2 * it->n + POWERS + l2o_blackbox_state_len(it->model, it->n);
}
/* tape: x (n), g (n), m (n), v (n), b1^k and b2^k; the network's */
enum { KEPT = 4 };
static size_t tape_len(const l2o_iterate *it) {
  return KEPT * it->n + POWERS + l2o_blackbox_tape_len(it->model, it->n);
}
/* features (2, n), w (n); the network's */
static size_t scratch_len(const l2o_iterate *it) {
  return (L2O_BLACKBOX_FEATURES + 1) * it->n + l2o_blackbox_scratch_len(it->model, it->n);
}

static l2o_status init(l2o_iterate *it) {
  const size_t n = it->n;
  memset(it->state, 0, 2 * n * sizeof *it->state);
  it->state[2 * n] = it->state[2 * n + 1] = 1;
  return l2o_blackbox_start(it, it->state + 2 * n + POWERS);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const size_t n = it->n;
  const l2o_real b1 = (l2o_real)it->model->options[L2O_RNNPROP_BETA1], b2 = (l2o_real)it->model->options[L2O_RNNPROP_BETA2];
  l2o_real *m = it->state, *v = m + n, *powers = v + n, *u = it->scratch, *w = u + L2O_BLACKBOX_FEATURES * n;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  powers[0] *= b1;
  powers[1] *= b2;
  for (size_t i = 0; i < n; i++) {
    m[i] = b1 * m[i] + (1 - b1) * it->g[i];
    v[i] = b2 * v[i] + (1 - b2) * it->g[i] * it->g[i];
    const l2o_real r = r_sqrt(v[i] / (1 - powers[1])) + EPSILON;
    u[i] = it->g[i] / r;
    u[n + i] = m[i] / (1 - powers[0]) / r;
  }
  if (tape) {
    memcpy(tape, it->x, n * sizeof *tape);
    memcpy(tape + n, it->g, n * sizeof *tape);
    memcpy(tape + 2 * n, m, (2 * n + POWERS) * sizeof *tape);
  }
  l2o_blackbox_forward(it->model, w, powers + POWERS, tape ? tape + KEPT * n + POWERS : NULL, w + n, u, n);
  l2o_add_scaled(it->x, -(l2o_real)it->model->options[L2O_BLACKBOX_UPDATE_SCALE], w, n);
  return L2O_OK;
}

static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  const size_t n = it->n;
  const l2o_real b1 = (l2o_real)it->model->options[L2O_RNNPROP_BETA1], b2 = (l2o_real)it->model->options[L2O_RNNPROP_BETA2],
                 c = (l2o_real)it->model->options[L2O_BLACKBOX_UPDATE_SCALE];
  const l2o_real *g = tape + n, *m = g + n, *v = m + n, *powers = v + n;
  l2o_real *du = it->scratch, *dw = du + L2O_BLACKBOX_FEATURES * n, *dm = dstate, *dv = dm + n;
  const bool whole = mode == L2O_STOP_GRADIENT_NONE;
  for (size_t i = 0; i < n; i++)
    dw[i] = -c * dx[i];
  if (whole)
    memset(du, 0, L2O_BLACKBOX_FEATURES * n * sizeof *du);
  l2o_blackbox_backward(it->model, dsum, whole ? du : NULL, dstate + 2 * n + POWERS, dw, tape + KEPT * n + POWERS, dw + n, n);
  memset(dg, 0, n * sizeof *dg);
  for (size_t i = 0; whole && i < n; i++) {
    /* u = (g, m / (1 - b1^k)) / r, r = sqrt(v / (1 - b2^k)) + epsilon */
    const l2o_real root = r_sqrt(v[i] / (1 - powers[1])), r = root + EPSILON, mean = m[i] / (1 - powers[0]);
    const l2o_real dr = -(du[i] * g[i] + du[n + i] * mean) / (r * r);
    const l2o_real of_m = dm[i] + du[n + i] / ((1 - powers[0]) * r),
                   of_v = dv[i] + (root > 0 ? dr / (2 * root * (1 - powers[1])) : 0);
    /* m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2 */
    dg[i] = du[i] / r + (1 - b1) * of_m + 2 * (1 - b2) * g[i] * of_v;
    dm[i] = b1 * of_m;
    dv[i] = b2 * of_v;
  }
  return L2O_OK;
}

const l2o_solver l2o_rnnprop = {
    L2O_BLACKBOX_RULE,
    .name = "rnnprop",
    .meaning = "a recurrent network's updates, from running moments of the gradient (Lv, Jiang, Li 2017)",
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .init = init,
    .step = step,
    .model_kind = "rnnprop",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
};
