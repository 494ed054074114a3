/* SPDX-License-Identifier: BSD-3-Clause */
/* Gradient descent with learned coordinate-wise step factors (Song, Lin, Xu, NeurIPS 2025, arXiv 2501.18092):
 *   p_k = network(grad f(x_k), x_k),   x_{k+1} = x_k - s p_k o grad f(x_k),   s = step_scale / L.
 * docs/derivations/math_l2o_gd.md derives the backward pass. */
#include "core/elementwise.h"
#include "nn/coordinate_mlp.h"
#include "solvers.h"
#include <string.h>

static const l2o_option options[] = {L2O_LEARNED_STEP_OPTIONS("gd"), {0}};

/* scratch: p (n); for the backward pass dp (n) */
static size_t scratch_len(const l2o_iterate *it) {
  return it->n;
}
/* tape of a step: x (n), g (n), p (n), the network's record */
static size_t tape_len(const l2o_iterate *it) {
  return 3 * it->n + l2o_coordinate_record_len(it->n);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const size_t n = it->n;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  l2o_real *p = tape ? tape + 2 * n : it->scratch;
  if (tape) {
    memcpy(tape, it->x, n * sizeof *tape);
    memcpy(tape + n, it->g, n * sizeof *tape);
  }
  l2o_coordinate_mlp_forward(it->model, p, tape ? tape + 3 * n : NULL, it->g, it->x, n);
  l2o_add_scaled_by(it->x, -(l2o_real)it->step, p, it->g, n);
  return L2O_OK;
}

static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  (void)dstate;
  const size_t n = it->n;
  const l2o_real *x = tape, *g = tape + n, *p = tape + 2 * n, *record = tape + 3 * n, s = (l2o_real)it->step;
  l2o_real *dp = it->scratch;
  for (size_t i = 0; i < n; i++) { /* x1 = x - s p o g:  dp = -s g o dx1,  dg = -s p o dx1,  dx = dx1 */
    dp[i] = -s * g[i] * dx[i];
    dg[i] = -s * p[i] * dx[i];
  }
  const bool whole = mode == L2O_STOP_GRADIENT_NONE;
  l2o_coordinate_mlp_backward(it->model, dsum, whole ? dg : NULL, whole ? dx : NULL, dp, p, record, g, x, n);
  return L2O_OK;
}

const l2o_solver l2o_math_l2o_gd = {
    .struct_size = sizeof l2o_math_l2o_gd,
    .name = "math-l2o-gd",
    .meaning = "gradient descent with learned coordinate-wise step factors (arXiv 2501.18092)",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_NEEDS_MODEL,
    .options = options,
    .scratch_len = scratch_len,
    .step = step,
    .model_kind = "math-l2o-gd",
    .classical = "gd",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
    .gradient_at = L2O_GRADIENT_AT_X,
};
