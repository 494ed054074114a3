/* SPDX-License-Identifier: BSD-3-Clause */
/* Power control by direct regression (Sun, Chen, Shi, Hong, Fu, Sidiropoulos, IEEE Trans. Signal Processing 2018): a step sets the
 * powers to what a network makes of the channels, nn/power_mlp.h, wherever x is. So the first step is all there is: the others
 * stay. It evaluates nothing. docs/derivations/power_control_mlp.md derives the backward pass. */
#include "core/diag.h"
#include "nn/power_mlp.h"
#include "problems/families.h"
#include "solvers.h"
#include <string.h>

static const l2o_option options[] = {L2O_GUARD_OPTION("wmmse-power"), {0}};

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  const l2o_power_control *d = l2o_power_control_of(it->problem);
  const char *problem = l2o_problem_name(it->problem);
  if (!d && l2o_function_shift(it->problem) != 0)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "power-control-mlp reads the channels of power-control; problem '%s' is shifted by %g",
                    problem, l2o_function_shift(it->problem));
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "power-control-mlp solves problems of the family power-control; '%s' is none", problem);
  const size_t K = l2o_power_mlp_links(it->model);
  if (it->n != K)
    return l2o_fail(diag, L2O_ERR_SHAPE, "power-control-mlp: this model is for %zu links, problem '%s' has %zu", K, problem, it->n);
  for (size_t i = 1; i < K && !l2o_power_mlp_sees_weights(it->model); i++)
    if (d->a[i] != d->a[0])
      return l2o_fail(
          diag, L2O_ERR_NOTSUP,
          "power-control-mlp: links 0 and %zu have the weights %g and %g, and this model does not see weights; train one "
          "with weights=true",
          i, (double)d->a[0], (double)d->a[i]);
  return L2O_OK;
}

/* the record of a step without a tape; on the way back what the network needs */
static size_t scratch_len(const l2o_iterate *it) {
  const size_t record = l2o_power_mlp_record_len(it->model), work = l2o_power_mlp_work_len(it->model);
  return record > work ? record : work;
}
static size_t tape_len(const l2o_iterate *it) {
  return l2o_power_mlp_record_len(it->model);
}

static l2o_status init(l2o_iterate *it) {
  return l2o_problem_project(it->problem, it->x, it->x, it->work);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  l2o_power_mlp_forward(it->model, it->x, tape ? tape : it->scratch, l2o_power_control_of(it->problem));
  return L2O_OK;
}

static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  (void)dstate, (void)dg, (void)mode;
  l2o_power_mlp_backward(it->model, dsum, dx, tape, it->scratch, l2o_power_control_of(it->problem));
  memset(dx, 0, it->n * sizeof *dx); /* x+ does not depend on x */
  return L2O_OK;
}

const l2o_solver l2o_power_control_mlp = {
    .struct_size = sizeof l2o_power_control_mlp,
    .name = "power-control-mlp",
    .meaning = "powers by direct regression on the channels, for the family power-control",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_MODEL | L2O_TAKES_PROJECTION,
    .options = options,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
    .model_kind = "power-control-mlp",
    .classical = "wmmse-power",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
};
