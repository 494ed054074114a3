/* SPDX-License-Identifier: BSD-3-Clause */
/* Gradient descent (Cauchy 1847): x_{k+1} = x_k - s grad f(x_k). The step s is fixed, or found by Armijo's rule or that of Barzilai
 * and Borwein: see adaptive_step.h, with the identity for the projection. The Barzilai-Borwein step alternates: on ill-conditioned
 * quadratics the long one alone takes two to six times the calls. */
#include "adaptive_step.h"
#include "core/diag.h"
#include "solvers.h"

enum { STEP_RULE = 2, BB, BATCH };
enum { FIXED, ARMIJO, BARZILAI_BORWEIN };
static const l2o_option options[] = {
    L2O_STEP_OPTIONS,
    {"step_rule", L2O_OPTION_CHOICE, FIXED, 0, 0, "fixed|armijo|barzilai-borwein",
     "the others take the step size for their first trial, and do without"},
    L2O_SPECTRAL_OPTION(L2O_SPECTRAL_ALTERNATE),
    L2O_BATCH_OPTION,
    {0},
};

static int rule(const l2o_iterate *it) {
  return (int)it->options[STEP_RULE];
}

static bool finds_step(const l2o_iterate *it) {
  return rule(it) != FIXED;
}

/* With a fixed step there is no memory: guard=descent counts on that. */
static size_t state_len(const l2o_iterate *it) {
  return rule(it) == FIXED ? 0 : rule(it) == ARMIJO ? l2o_armijo_state_len() : l2o_spectral_state_len(it);
}
static size_t scratch_len(const l2o_iterate *it) {
  return rule(it) == FIXED ? 0 : rule(it) == ARMIJO ? l2o_armijo_scratch_len(it) : l2o_spectral_scratch_len(it);
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  if (rule(it) == FIXED)
    return L2O_OK;
  if (it->options[BATCH] > 0)
    return l2o_fail(diag, L2O_ERR_ARG, "gd: batch=%zu needs step_rule=fixed: a line search compares values of one function",
                    (size_t)it->options[BATCH]);
  if (l2o_problem_is_composite(it->problem))
    return l2o_fail(diag, L2O_ERR_NOTSUP,
                    "gd: a line search needs a smooth objective, that of problem '%s' is not; try fista, or step_rule=fixed",
                    l2o_problem_name(it->problem));
  return L2O_OK;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  if (rule(it) == ARMIJO)
    return l2o_armijo_step(it, stop);
  if (rule(it) == BARZILAI_BORWEIN)
    return l2o_spectral_step(it, (l2o_spectral)it->options[BB], stop);
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
    .meaning = "gradient descent, with fixed, Armijo or Barzilai-Borwein steps",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_MONOTONE,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .finds_step = finds_step,
    .step = step,
};
