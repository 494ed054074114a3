/* SPDX-License-Identifier: BSD-3-Clause */
/* WMMSE for power control (Shi, Razaviyayn, Luo, He, IEEE Trans. Signal Processing 2011; in this form Sun et al., the same 2018).
 * With amplitudes v_i = sqrt(p_i) and h_i = sqrt(G_ii) it is
 *   u_i = h_i v_i / (sum_j G_ij v_j^2 + noise),   w_i = 1 / (1 - u_i h_i v_i) = T_i / J_i,
 *   v_i = min(a_i w_i u_i h_i / sum_k a_k G_ki w_k u_k^2, sqrt(power)).
 * The rate never falls. A step costs a value and a product with G'. */
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/power_control.h"
#include "solvers.h"
#include <math.h>

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  if (l2o_power_control_of(it->problem))
    return L2O_OK;
  return l2o_fail(diag, L2O_ERR_NOTSUP, "wmmse-power solves problems of the family power-control; '%s' is none",
                  l2o_problem_name(it->problem));
}

/* scratch: a w u^2 (n), its product with G' (n) */
static size_t scratch_len(const l2o_iterate *it) {
  return 2 * it->n;
}

static l2o_status init(l2o_iterate *it) {
  return l2o_problem_project(it->problem, it->x, it->x, it->work);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  const l2o_power_control *d = l2o_power_control_of(it->problem);
  const size_t n = it->n;
  l2o_real *weight = it->scratch, *sum = weight + n;
  double f;
  (void)tape, (void)stop;
  l2o_status status = l2o_iterate_value_at(it, &f, it->x);
  if (status)
    return status;
  const l2o_real *J = it->work; /* as the value leaves it */
  for (size_t i = 0; i < n; i++) {
    const double signal = (double)d->own[i] * (double)it->x[i], T = (double)J[i] + signal;
    weight[i] = (l2o_real)((double)d->a[i] * signal / (T * (double)J[i])); /* w u^2 = h^2 v^2 / (T J) */
  }
  l2o_gemv_t(sum, d->others, weight, n, n);
  for (size_t i = 0; i < n; i++) {
    /* w u h = h^2 v / J */
    const double own = (double)d->own[i], v = sqrt((double)it->x[i]);
    const double below = (double)sum[i] + own * (double)weight[i], above = (double)d->a[i] * own * v / (double)J[i];
    const double next = above > 0 ? above / below : 0;
    it->x[i] = (l2o_real)fmin(next * next, d->power);
  }
  return L2O_OK;
}

const l2o_solver l2o_wmmse_power = {
    .struct_size = sizeof l2o_wmmse_power,
    .name = "wmmse-power",
    .meaning = "WMMSE for the family power-control",
    .needs = L2O_NEEDS_GRADIENT | L2O_TAKES_PROJECTION,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
};
