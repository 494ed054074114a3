/* SPDX-License-Identifier: BSD-3-Clause */
/* L2O-DM: learning to learn by gradient descent by gradient descent (Andrychowicz et al., NeurIPS 2016), in the form of arXiv
 * 2305.18577: x+ = x + c w, w = network(a g, x), g the gradient, of composite problems a subgradient; nn/blackbox.h.
 * Nothing makes it converge but its training. With the inputs of the network as constants (features) the gradient is one, and x is
 * not, as published. */
#include "blackbox.h"
#include "core/elementwise.h"
#include <string.h>

static const l2o_option options[] = {L2O_BLACKBOX_OPTIONS, {0}};

static size_t state_len(const l2o_iterate *it) {
  return l2o_blackbox_state_len(it->model, it->n);
}
/* tape: x (n), the network's */
static size_t tape_len(const l2o_iterate *it) {
  return it->n + l2o_blackbox_tape_len(it->model, it->n);
}
/* features (2, n), w (n); the network's */
static size_t scratch_len(const l2o_iterate *it) {
  return (L2O_BLACKBOX_FEATURES + 1) * it->n + l2o_blackbox_scratch_len(it->model, it->n);
}

static l2o_status init(l2o_iterate *it) {
  return l2o_blackbox_start(it, it->state);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const size_t n = it->n;
  const l2o_real a = (l2o_real)it->model->options[L2O_DM_GRADIENT_SCALE];
  l2o_real *u = it->scratch, *w = u + L2O_BLACKBOX_FEATURES * n;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  for (size_t i = 0; i < n; i++)
    u[i] = a * it->g[i];
  memcpy(u + n, it->x, n * sizeof *u);
  if (tape)
    memcpy(tape, it->x, n * sizeof *tape);
  l2o_blackbox_forward(it->model, w, it->state, tape ? tape + n : NULL, w + n, u, n);
  l2o_add_scaled(it->x, (l2o_real)it->model->options[L2O_BLACKBOX_UPDATE_SCALE], w, n);
  return L2O_OK;
}

static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  const size_t n = it->n;
  const l2o_real a = (l2o_real)it->model->options[L2O_DM_GRADIENT_SCALE],
                 c = (l2o_real)it->model->options[L2O_BLACKBOX_UPDATE_SCALE];
  l2o_real *du = it->scratch, *dw = du + L2O_BLACKBOX_FEATURES * n;
  const bool whole = mode == L2O_STOP_GRADIENT_NONE;
  for (size_t i = 0; i < n; i++)
    dw[i] = c * dx[i];
  memset(du, 0, L2O_BLACKBOX_FEATURES * n * sizeof *du);
  l2o_blackbox_backward(it->model, dsum, du, dstate, dw, tape + n, dw + n, n);
  for (size_t i = 0; i < n; i++) {
    dg[i] = whole ? a * du[i] : 0;
    dx[i] += du[n + i];
  }
  return L2O_OK;
}

const l2o_solver l2o_l2o_dm = {
    L2O_BLACKBOX_RULE,
    .name = "l2o-dm",
    .meaning = "a recurrent network's updates, from gradient and x (Andrychowicz et al. 2016)",
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .init = init,
    .step = step,
    .model_kind = "l2o-dm",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
};
