/* SPDX-License-Identifier: BSD-3-Clause */
/* FastFP: fractional programming for sums of rates without inverses of large matrices (Chen, Zhao, Zhang, Shen, "Fast fractional
 * programming", arXiv 2312.05726; the quadratic transform of Shen and Yu, IEEE Trans. Signal Processing 2018). Gradient ascent in
 * which the step of a base station is the inverse of the curvature D_j of the surrogate that WMMSE maximises:
 *   V_j <- P(V_j + rho / lambda_j G_j),   D_j = sum_u a_u H_uj^H U_u W_u U_u^H H_uj,   lambda_j >= the largest eigenvalue of D_j,
 * P the scaling onto the power budget. For 0 < rho < 2 the rate never falls. With extrapolation, step k = 1, 2, ... starts from
 *   V + (k - 1) / (k + 2) (V - V_before),
 * and the rate may fall. */
#include "core/diag.h"
#include "problems/sum_rate.h"
#include "solvers.h"
#include <math.h>
#include <string.h>

enum { OPTION_RHO, OPTION_LAMBDA, OPTION_EXTRAPOLATION };
static const l2o_option options[] = {
    {"rho", L2O_OPTION_REAL, 1, 1e-6, 1.999999, NULL, "step times lambda, below 2"},
    {"lambda", L2O_OPTION_CHOICE, L2O_RATE_EIGENVALUE, 0, 0, "eigenvalue|norm|trace",
     "bound of D: its largest eigenvalue, |D|_F, or its trace, each cheaper than the one before"},
    {"extrapolation", L2O_OPTION_CHOICE, 0, 0, 0, "false|true",
     "steps begin ahead of the point, along the last one: faster, not monotone"},
    {0},
};

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  if (l2o_sum_rate_of(it->problem))
    return L2O_OK;
  return l2o_fail(diag, L2O_ERR_NOTSUP, "fastfp solves problems of the family sum-rate; '%s' is none",
                  l2o_problem_name(it->problem));
}

static bool extrapolates(const l2o_iterate *it) {
  return it->options[OPTION_EXTRAPOLATION] > 0;
}

static l2o_rate_bound bound_of(const l2o_iterate *it) {
  return (l2o_rate_bound)it->options[OPTION_LAMBDA];
}

/* state, with extrapolation: the point before */
static size_t state_len(const l2o_iterate *it) {
  return extrapolates(it) ? it->n : 0;
}
static size_t scratch_len(const l2o_iterate *it) {
  return l2o_rate_lambda_scratch(l2o_sum_rate_of(it->problem), bound_of(it));
}

static l2o_status init(l2o_iterate *it) {
  l2o_status status = l2o_problem_project(it->problem, it->x, it->x, it->work);
  memcpy(it->state, it->x, state_len(it) * sizeof *it->x);
  return status;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  const l2o_sum_rate *d = l2o_sum_rate_of(it->problem);
  const size_t n = it->n, block = l2o_rate_block(d);
  const double LN2 = 0.69314718055994530942;
  (void)tape, (void)stop;
  l2o_status status;
  if (extrapolates(it)) {
    /* (k - 1) / (k + 2) for k = 1 in the first step */
    const l2o_real ahead = (l2o_real)((double)it->k / (double)(it->k + 3));
    for (size_t i = 0; i < n; i++) {
      const l2o_real x = it->x[i];
      it->x[i] += ahead * (x - it->state[i]);
      it->state[i] = x;
    }
    double f;
    status = l2o_iterate_gradient_at(it, &f, it->g, it->x);
    l2o_iterate_moved(it);
  } else {
    status = l2o_iterate_gradient(it);
  }
  if (status)
    return status;
  const l2o_rate_point at = l2o_rate_point_at(d, it->work);
  const l2o_rate_curve curve = l2o_rate_curve_at(d, it->work);
  l2o_rate_revisit(&at, d, it->x); /* the gradient may come from elsewhere */
  if (bound_of(it) == L2O_RATE_TRACE)
    l2o_rate_curve_begin(&curve, &at, d);
  for (size_t j = 0; j < d->sizes.cells; j++) {
    const double lambda = l2o_rate_lambda(&at, &curve, d, j, bound_of(it), it->scratch);
    /* G = -ln(2) / 2 g; where D = 0 so is G */
    const l2o_real scale = lambda > 0 ? (l2o_real)(0.5 * LN2 * it->options[OPTION_RHO] / lambda) : 0;
    for (size_t i = j * block; i < (j + 1) * block; i++)
      it->x[i] -= scale * it->g[i];
  }
  l2o_rate_project(it->x, d, it->x);
  return L2O_OK;
}

const l2o_solver l2o_fastfp = {
    .struct_size = sizeof l2o_fastfp,
    .name = "fastfp",
    .meaning = "FastFP for the family sum-rate: gradient ascent by the surrogate's curvature, no inverses",
    .needs = L2O_NEEDS_GRADIENT | L2O_TAKES_PROJECTION,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
};
