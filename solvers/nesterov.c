/* SPDX-License-Identifier: BSD-3-Clause */
/* Nesterov's accelerated gradient (1983), in the form of Beck and Teboulle (SIAM J. Imaging Sci. 2009, section 4) without prox:
 *   x_{k+1} = y_k - s grad f(y_k)
 *   t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2
 *   y_{k+1} = x_{k+1} + (t_k - 1) / t_{k+1} (x_{k+1} - x_k),   y_0 = x_0, t_0 = 1. */
#include "core/real.h"
#include "solvers.h"
#include <string.h>

static const l2o_option options[] = {L2O_STEP_OPTIONS, {0}};

/* state: y (n), t (1); scratch: grad f(y) (n) */
static size_t state_len(const l2o_iterate *it) {
  return it->n + 1;
}
static size_t scratch_len(const l2o_iterate *it) {
  return it->n;
}

static l2o_status init(l2o_iterate *it) {
  memcpy(it->state, it->x, it->n * sizeof *it->x);
  it->state[it->n] = 1;
  return L2O_OK;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  const size_t n = it->n;
  l2o_real *y = it->state, *g = it->scratch, *t = it->state + n;
  double f;
  l2o_status status;
  if (it->k == 0) { /* y_0 = x_0: the record's evaluation serves */
    status = l2o_iterate_gradient(it);
    memcpy(g, it->g, n * sizeof *g);
  } else {
    status = l2o_iterate_gradient_at(it, &f, g, y);
  }
  if (status)
    return status;
  const l2o_real s = (l2o_real)it->step, next = L2O_NESTEROV_NEXT(*t), momentum = (*t - 1) / next;
  for (size_t i = 0; i < n; i++) {
    l2o_real x = y[i] - s * g[i];
    y[i] = x + momentum * (x - it->x[i]);
    it->x[i] = x;
  }
  *t = next;
  return L2O_OK;
}

const l2o_solver l2o_nesterov = {
    .struct_size = sizeof l2o_nesterov,
    .name = "nesterov",
    .meaning = "Nesterov's accelerated gradient method",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .init = init,
    .step = step,
};
