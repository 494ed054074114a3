/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeroth-order steps along the projection of the gradient to the span of q directions (Lin, Song, Xu, arXiv 2509.15552,
 * "ZO-Align"): the minimiser of the local model f + delta'a + L/2 |U a|^2 over a,
 *   g = U (U'U)^{-1} delta = P grad f,   x_{k+1} = x_k - eta g,   eta = 1/L for every q,
 * never formed like that: the directions are orthonormalised before they are probed, so that g = U delta. With q = n it is gradient
 * descent by differences along the axes. f never rises, up to the error of the differences, since <g, grad f> = |g|^2.
 *
 * line_search=armijo, and auto where neither `step` nor L is known: eta is halved until
 *   f(x - eta g) <= f(x) - c eta |g|^2,  c = 1/4        (on a constrained problem: |x - x_{k+1}|^2 / eta instead of eta |g|^2)
 * and doubled for the next step if that held at once. Every trial is a call and is charged. The first eta is `step` or the theory's
 * or moves x by max(1, |x| / sqrt(n)). A step that finds nothing better than rounding stays where it is; it does not look nearer
 * than a share of h, or of h^2 / s where differences are two-sided: there their error decides. As many in a row as it takes to see
 * n directions, and the run has stalled. It has diverged if all trials fail and f was -infinity at one of them.
 *
 * zo.h tells what the options mean. Cost: q or 2q values, and O(q^2 n) for the orthonormal basis; q n reals, none for axes. */
#include "core/linalg.h"
#include "zo.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const double DECREASE = 0.25, CLOSEST = 1. / 64;
enum { TRIALS = 100 };

static const l2o_option options[] = {ZO_OPTIONS(ZO_ORTHONORMAL, "queries <= n", "1/L"),
                                     {"line_search", L2O_OPTION_CHOICE, ZO_SEARCH_AUTO, 0, 0, "auto|none|armijo",
                                      "auto: armijo where the problem gives no L and step is 0"},
                                     {0}};

static size_t scratch_len(const l2o_iterate *it) {
  return zo_scratch_len(it, false);
}
static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return zo_check(it, false, diag);
}
static l2o_status init(l2o_iterate *it) {
  return zo_init(it, false);
}

static double first_trial(const l2o_iterate *it, double norm) {
  return it->step > 0 ? it->step : zo_size(it) / norm;
}

/* eta |g|^2, or |x - y|^2 / eta where y has been projected. */
static double predicted(const zo_plan *plan, double eta, double squares) {
  const l2o_iterate *it = plan->it;
  if (!l2o_problem_is_constrained(it->problem))
    return eta * squares;
  double moved = 0;
  for (size_t i = 0; i < it->n; i++)
    moved += ((double)it->x[i] - (double)plan->y[i]) * ((double)it->x[i] - (double)plan->y[i]);
  return moved / eta;
}

static l2o_status search(zo_plan *plan, l2o_stop *stop) {
  l2o_iterate *it = plan->it;
  zo_memory *memory = zo_recall(it);
  const double squares = l2o_dot(plan->g, plan->g, it->n);
  const double noise = fabs(plan->f) * (sizeof(l2o_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON);
  if (memory->trial == 0 && squares > 0)
    memory->trial = first_trial(it, sqrt(squares));
  double eta = memory->trial;
  bool endless = false;
  const double blind = it->options[ZO_DIFFERENCE] == ZO_TWO_SIDED ? plan->h * plan->h / zo_size(it) : plan->h;
  const double shortest = CLOSEST * blind / sqrt(squares);
  for (size_t trial = 0; trial < TRIALS && squares > 0 && (trial == 0 || eta >= shortest); trial++, eta /= 2) {
    double f = 0;
    if (trial > plan->left) /* the budget ends here, and with it the run */
      return L2O_OK;
    l2o_status status = zo_move(plan, plan->y, eta);
    const double decrease = DECREASE * predicted(plan, eta, squares);
    if (!status && !(decrease > noise))
      break;
    if (!status)
      status = zo_value(it, &f, plan->y, true);
    if (status == L2O_OK && f <= plan->f - decrease) {
      memcpy(it->x, plan->y, it->n * sizeof *it->x);
      memory->trial = trial ? eta : 2 * eta;
      memory->idle = 0;
      return L2O_OK;
    }
    if (status && status != L2O_ERR_NUMERIC)
      return status;
    endless |= f == -HUGE_VAL;
  }
  if (endless)
    *stop = L2O_STOP_DIVERGED;
  else if (++memory->idle * plan->q >= it->n)
    *stop = L2O_STOP_STALLED;
  return L2O_OK;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  zo_plan plan;
  l2o_status status = zo_begin(&plan, it, false, stop);
  if (status || *stop)
    return status;
  status = zo_estimate(&plan);
  if (status)
    return status;
  return zo_recall(it)->searches ? search(&plan, stop) : zo_move(&plan, it->x, it->step);
}

const l2o_solver l2o_zo_align = {
    .struct_size = sizeof l2o_zo_align,
    .name = "zo-align",
    .meaning = "zeroth order: projection of the gradient to q probed directions (arXiv 2509.15552)",
    .needs = L2O_TAKES_PROJECTION | L2O_MONOTONE,
    .options = options,
    .state_len = zo_state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
};
