/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeroth-order steps along the average of q directional differences (Nesterov, Spokoiny, Found. Comput. Math. 2017, for q = 1; Lin,
 * Song, Xu, arXiv 2509.15552, "ZO-Avg"):
 *   g = 1/q sum_i delta_i u_i,   x_{k+1} = x_k - eta g,   E g = grad f for quadratics,
 *   eta = q / (L (n + q + 1)) for Gaussian directions.
 * With orthonormal or coordinate directions of length sqrt(n) the average is n/q times their projection of the gradient. zo.h tells
 * what the options mean. Cost: q or 2q values and O(q n); O(n) memory but for orthonormal directions. */
#include "zo.h"

static const l2o_option options[] = {
    ZO_OPTIONS(ZO_GAUSSIAN, "queries <= n if orthonormal or coordinate", "q/(L(n+q+1)) (Gaussian)"), {0}};

static size_t scratch_len(const l2o_iterate *it) {
  return zo_scratch_len(it, true);
}
static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return zo_check(it, true, diag);
}
static l2o_status init(l2o_iterate *it) {
  return zo_init(it, true);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  zo_plan plan;
  l2o_status status = zo_begin(&plan, it, true, stop);
  if (status || *stop)
    return status;
  status = zo_estimate(&plan);
  if (status)
    return status;
  const double factor = plan.handling == ZO_STREAMED ? 1 : (double)it->n / (double)plan.q;
  return zo_move(&plan, it->x, it->step * factor);
}

const l2o_solver l2o_zo_avg = {
    .struct_size = sizeof l2o_zo_avg,
    .name = "zo-avg",
    .meaning = "zeroth order: average of q directional differences (arXiv 2509.15552)",
    .needs = L2O_NEEDS_STEP | L2O_TAKES_PROJECTION,
    .options = options,
    .state_len = zo_state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
};
