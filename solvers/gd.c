/* SPDX-License-Identifier: BSD-3-Clause */
/* Gradient descent (Cauchy 1847): x_{k+1} = x_k - s grad f(x_k). */
#include "solvers.h"

static const l2o_option options[] = {L2O_STEP_OPTIONS, {0}};

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  const l2o_real s = (l2o_real)it->step;
  for (size_t i = 0; i < it->n; i++)
    it->x[i] -= s * it->g[i];
  return L2O_OK;
}

const l2o_solver l2o_gd = {
    .struct_size = sizeof l2o_gd,
    .name = "gd",
    .meaning = "gradient descent",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_MONOTONE,
    .options = options,
    .step = step,
};
