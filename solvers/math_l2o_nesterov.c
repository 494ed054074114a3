/* SPDX-License-Identifier: BSD-3-Clause */
/* Nesterov's method with learned coordinate-wise step factors: the network of Math-L2O GD (arXiv 2501.18092), momentum as in
 * nesterov.c:
 *   p_k = network(grad f(y_k), y_k),   x_{k+1} = y_k - s p_k o grad f(y_k),
 *   y_{k+1} = x_{k+1} + b_k (x_{k+1} - x_k),   b_k = (t_k - 1) / t_{k+1},   y_0 = x_0.
 * docs/derivations/math_l2o_gd.md derives the backward pass. */
#include "core/elementwise.h"
#include "core/real.h"
#include "nn/coordinate_mlp.h"
#include "solvers.h"
#include <string.h>

static const l2o_option options[] = {L2O_LEARNED_STEP_OPTIONS("nesterov"), {0}};

/* state: y (n), t (1) */
static size_t state_len(const l2o_iterate *it) {
  return it->n + 1;
}
/* scratch: g (n), p (n); for the backward pass dp (n) */
static size_t scratch_len(const l2o_iterate *it) {
  return 2 * it->n;
}
/* tape of a step: y (n), g (n), p (n), b (1), the network's record */
static size_t tape_len(const l2o_iterate *it) {
  return 3 * it->n + 1 + l2o_coordinate_record_len(it->n);
}

static l2o_status init(l2o_iterate *it) {
  memcpy(it->state, it->x, it->n * sizeof *it->x);
  it->state[it->n] = 1;
  return L2O_OK;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const size_t n = it->n;
  l2o_real *y = it->state, *t = it->state + n, *g = tape ? tape + n : it->scratch, *p = g + n;
  double f;
  l2o_status status = l2o_iterate_gradient_at(it, &f, g, y);
  if (status)
    return status;
  l2o_coordinate_mlp_forward(it->model, p, tape ? tape + 3 * n + 1 : NULL, g, y, n);
  const l2o_real s = (l2o_real)it->step, next = L2O_NESTEROV_NEXT(*t), momentum = (*t - 1) / next;
  if (tape) {
    memcpy(tape, y, n * sizeof *tape);
    tape[3 * n] = momentum;
  }
  for (size_t i = 0; i < n; i++) {
    l2o_real x = y[i] - s * p[i] * g[i];
    y[i] = x + momentum * (x - it->x[i]);
    it->x[i] = x;
  }
  *t = next;
  return L2O_OK;
}

/* A step of gradient descent: that of Nesterov's method depends on more than x, and need not make f fall. */
static l2o_status classical_point(l2o_iterate *it, l2o_real *x_c, double *f_c, l2o_stop *stop) {
  (void)stop;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  memcpy(x_c, it->x, it->n * sizeof *x_c);
  l2o_add_scaled(x_c, -(l2o_real)it->step, it->g, it->n);
  return l2o_iterate_value_at(it, f_c, x_c);
}

/* dx, dy in: derivatives with respect to x_{k+1}, y_{k+1}; out: to x_k, y_k. t depends on nothing. */
static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  const size_t n = it->n;
  const l2o_real *y = tape, *g = tape + n, *p = tape + 2 * n, momentum = tape[3 * n], *record = tape + 3 * n + 1;
  const l2o_real s = (l2o_real)it->step;
  l2o_real *dp = it->scratch, *dy = dstate;
  for (size_t i = 0; i < n; i++) {
    /* y1 = x1 + b (x1 - x):  dx1 += (1 + b) dy1,  dx = -b dy1 */
    l2o_real dx1 = dx[i] + (1 + momentum) * dy[i];
    dx[i] = -momentum * dy[i];
    /* x1 = y - s p o g:  dp = -s g o dx1,  dg = -s p o dx1,  dy = dx1 */
    dp[i] = -s * g[i] * dx1;
    dg[i] = -s * p[i] * dx1;
    dy[i] = dx1;
  }
  const bool whole = mode == L2O_STOP_GRADIENT_NONE;
  l2o_coordinate_mlp_backward(it->model, dsum, whole ? dg : NULL, whole ? dy : NULL, dp, p, record, g, y, n);
  return L2O_OK;
}

const l2o_solver l2o_math_l2o_nesterov = {
    .struct_size = sizeof l2o_math_l2o_nesterov,
    .name = "math-l2o-nesterov",
    .meaning = "Nesterov's method with learned coordinate-wise step factors",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_NEEDS_MODEL,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .init = init,
    .step = step,
    .model_kind = "math-l2o-nesterov",
    .classical = "nesterov",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
    .gradient_at = L2O_GRADIENT_AT_STATE,
    .classical_point = classical_point,
};
