/* SPDX-License-Identifier: BSD-3-Clause */
/* Iterative shrinkage-thresholding, the proximal gradient method (Daubechies, Defrise and De Mol, CPAM 2004; Beck and Teboulle,
 * SIAM J. Imaging Sci. 2009, section 3): x_{k+1} = prox_{s h}(x_k - s grad f(x_k)). On a smooth problem it is gradient descent, on
 * a constrained one the prox is the projection, and a start outside the set is projected first. */
#include "proximal_step.h"
#include <string.h>

enum { BACKTRACKING = 2 };
static const l2o_option options[] = {L2O_STEP_OPTIONS, L2O_BACKTRACKING_OPTION, {0}};

static bool backtracking(const l2o_iterate *it) {
  return it->options[BACKTRACKING] > 0;
}

/* state, with backtracking: s; scratch: tau (n); with backtracking: z (n), grad f(z) (n) */
static size_t state_len(const l2o_iterate *it) {
  return backtracking(it) ? L2O_REALS_OF(double) : 0;
}
static size_t scratch_len(const l2o_iterate *it) {
  return backtracking(it) ? 3 * it->n : it->n;
}

static l2o_status init(l2o_iterate *it) {
  memcpy(it->state, &it->step, state_len(it) ? sizeof it->step : 0);
  return l2o_problem_project(it->problem, it->x, it->x, it->work);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const size_t n = it->n;
  l2o_real *tau = it->scratch, *z = tau + n, *g = z + n;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  if (!backtracking(it))
    return l2o_proximal_step(it, it->x, it->x, it->g, it->step, tau);
  double s, f = it->f;
  memcpy(&s, it->state, sizeof s);
  status = l2o_proximal_backtrack(it, z, &f, &s, g, it->x, it->g, tau, stop);
  if (status)
    return status;
  l2o_iterate_moved(it);
  const bool stays = *stop == L2O_STOP_STALLED || memcmp(z, it->x, n * sizeof *z) == 0;
  if (!stays) { /* the trial's gradient is the next step's */
    memcpy(it->state, &s, sizeof s);
    memcpy(it->x, z, n * sizeof *z);
    memcpy(it->g, g, n * sizeof *g);
    it->f = f;
  }
  it->has_gradient = true;
  return L2O_OK;
}

const l2o_solver l2o_ista = {
    .struct_size = sizeof l2o_ista,
    .name = "ista",
    .meaning = "proximal gradient method (iterative shrinkage-thresholding)",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_TAKES_PROX | L2O_TAKES_PROJECTION | L2O_MONOTONE,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .finds_step = backtracking,
    .init = init,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
