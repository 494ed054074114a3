/* SPDX-License-Identifier: BSD-3-Clause */
/* Gradient descent (Cauchy 1847): x_{k+1} = x_k - s grad f(x_k). The step s is fixed, or found by Armijo's rule or that of Barzilai
 * and Borwein: see adaptive_step.h, with the identity for the projection. The Barzilai-Borwein step alternates: on ill-conditioned
 * quadratics the long one alone takes two to six times the calls. On a composite problem F = f + h it is subgradient descent (Shor
 * 1962): the driver hands it grad f plus a subgradient of h. */
#include "adaptive_step.h"
#include "core/diag.h"

enum { BATCH = L2O_ADAPTIVE_OPTION_COUNT };
static const l2o_option options[] = {
    L2O_ADAPTIVE_OPTIONS("barzilai-borwein", L2O_STEP_FIXED, L2O_SPECTRAL_ALTERNATE), L2O_BATCH_OPTION, {0}};

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  if (l2o_adaptive_rule(it) == L2O_STEP_FIXED)
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

const l2o_solver l2o_gd = {
    .struct_size = sizeof l2o_gd,
    .name = "gd",
    .meaning = "gradient descent, with fixed, Armijo or Barzilai-Borwein steps; with a nonsmooth term subgradient descent",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_MONOTONE,
    .options = options,
    .state_len = l2o_adaptive_state_len,
    .scratch_len = l2o_adaptive_scratch_len,
    .check = check,
    .finds_step = l2o_adaptive_finds_step,
    .step = l2o_adaptive_step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
