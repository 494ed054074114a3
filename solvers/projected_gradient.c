/* SPDX-License-Identifier: BSD-3-Clause */
/* Projected gradient (Goldstein, Bull. AMS 1964; Levitin and Polyak 1966): x_{k+1} = P(x_k - s grad f(x_k)), P the projection. The
 * step s is fixed, or found along the arc or along the chord: see adaptive_step.h. The spectral step is the long one of SPG2: with
 * bounds that bind it needs fewer calls than the others. A start outside the set is projected first. */
#include "adaptive_step.h"
#include "core/diag.h"

static const l2o_option options[] = {L2O_ADAPTIVE_OPTIONS("spectral", L2O_STEP_SPECTRAL, L2O_SPECTRAL_LONG), {0}};

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  if (!l2o_problem_is_composite(it->problem))
    return L2O_OK;
  return l2o_fail(diag, L2O_ERR_NOTSUP,
                  "projected-gradient needs a smooth objective, that of problem '%s' is not; try fista, which takes its prox",
                  l2o_problem_name(it->problem));
}

static l2o_status init(l2o_iterate *it) {
  return l2o_problem_project(it->problem, it->x, it->x, it->work);
}

const l2o_solver l2o_projected_gradient = {
    .struct_size = sizeof l2o_projected_gradient,
    .name = "projected-gradient",
    .meaning = "projected gradient, with spectral, Armijo or fixed steps, for bounds and other simple sets",
    .needs = L2O_NEEDS_GRADIENT | L2O_TAKES_PROJECTION | L2O_GLOBAL,
    .options = options,
    .state_len = l2o_adaptive_state_len,
    .scratch_len = l2o_adaptive_scratch_len,
    .check = check,
    .finds_step = l2o_adaptive_finds_step,
    .init = init,
    .step = l2o_adaptive_step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
