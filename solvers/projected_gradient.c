/* SPDX-License-Identifier: BSD-3-Clause */
/* Projected gradient (Goldstein, Bull. AMS 1964; Levitin and Polyak 1966): x_{k+1} = P(x_k - s grad f(x_k)), P the projection. The
 * step s is fixed, or found along the arc or along the chord: see adaptive_step.h. The spectral step is the long one of SPG2: with
 * bounds that bind it needs fewer calls than the others. A start outside the set is projected first. */
#include "adaptive_step.h"
#include "core/diag.h"
#include "solvers.h"

enum { STEP_RULE = 2, BB };
enum { FIXED, ARMIJO, SPECTRAL };
static const l2o_option options[] = {
    L2O_STEP_OPTIONS,
    {"step_rule", L2O_OPTION_CHOICE, SPECTRAL, 0, 0, "fixed|armijo|spectral",
     "the others take the step size for their first trial, and do without"},
    L2O_SPECTRAL_OPTION(L2O_SPECTRAL_LONG),
    {0},
};

static int rule(const l2o_iterate *it) {
  return (int)it->options[STEP_RULE];
}

static bool finds_step(const l2o_iterate *it) {
  return rule(it) != FIXED;
}

static size_t state_len(const l2o_iterate *it) {
  return rule(it) == FIXED ? 0 : rule(it) == ARMIJO ? l2o_armijo_state_len() : l2o_spectral_state_len(it);
}
static size_t scratch_len(const l2o_iterate *it) {
  return rule(it) == FIXED ? 0 : rule(it) == ARMIJO ? l2o_armijo_scratch_len(it) : l2o_spectral_scratch_len(it);
}

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

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  if (rule(it) == ARMIJO)
    return l2o_armijo_step(it, stop);
  if (rule(it) == SPECTRAL)
    return l2o_spectral_step(it, (l2o_spectral)it->options[BB], stop);
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  const l2o_real s = (l2o_real)it->step;
  for (size_t i = 0; i < it->n; i++)
    it->x[i] -= s * it->g[i];
  return l2o_problem_project(it->problem, it->x, it->x, it->work);
}

const l2o_solver l2o_projected_gradient = {
    .struct_size = sizeof l2o_projected_gradient,
    .name = "projected-gradient",
    .meaning = "projected gradient, with spectral, Armijo or fixed steps, for bounds and other simple sets",
    .needs = L2O_NEEDS_GRADIENT | L2O_TAKES_PROJECTION | L2O_GLOBAL,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .finds_step = finds_step,
    .init = init,
    .step = step,
};
