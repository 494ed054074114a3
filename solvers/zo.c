/* SPDX-License-Identifier: BSD-3-Clause */
/* What the options of a zeroth-order rule mean: steps of the theory, smoothing radius, counting. */
#include "zo.h"
#include "core/diag.h"
#include "core/linalg.h"
#include <float.h>
#include <math.h>

static const double EPS = sizeof(l2o_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON;

static int choice(const l2o_iterate *it, int option) {
  return (int)it->options[option];
}

double zo_size(const l2o_iterate *it) {
  return fmax(1, l2o_norm(it->x, it->n) / sqrt((double)it->n));
}

zo_memory *zo_recall(const l2o_iterate *it) {
  return (void *)it->state;
}
size_t zo_state_len(const l2o_iterate *it) {
  (void)it;
  return L2O_REALS_OF(zo_memory);
}

static zo_plan plan_of(const l2o_iterate *it, bool average) {
  zo_plan plan = {.q = (size_t)it->options[ZO_QUERIES]};
  const int kind = choice(it, ZO_DIRECTIONS);
  plan.handling = kind == ZO_COORDINATE || (kind == ZO_ORTHONORMAL && plan.q == it->n) ? ZO_AXES
                  : kind == ZO_ORTHONORMAL || !average                                 ? ZO_MATRIX
                                                                                       : ZO_STREAMED;
  return plan;
}

size_t zo_scratch_len(const l2o_iterate *it, bool average) {
  const zo_plan plan = plan_of(it, average);
  return zo_room(&plan, it->n);
}

/* The step size with which theory proves its rates: with L the Lipschitz constant and tr the trace of the Hessian, q directions
 * in n unknowns,
 *                          step_rule=smoothness        step_rule=trace
 *   average of Gaussian    q / (L (n + q + 1))         q / (tr + (q + 1) L)
 *   average on the sphere  q / (L (n + q - 1))         q / (n / (n + 2) (tr + 2 L) + (q - 1) L)
 *   projection P           1 / L                       (q/n) / ((a + b) L + b tr)
 * where b = q (n - q) / (n (n - 1) (n + 2)), a = q/n - (n + 1) b, E[P A P] = (a + b) A + b tr(A) I; each is the minimiser of the
 * bound E f(x - eta g) <= f - eta E<g, grad f> + eta^2/2 E g'Ag. The average of q orthonormal directions is n/q times the
 * projection. setting=convex: half of it. setting=stochastic, with T steps, the variance sigma^2 of a minibatch's gradient and
 * Delta = f(x_0) - f*: at most sqrt(2 Delta eta / (c T sigma^2)), where eta is the above and c = E<g, grad f> / |grad f|^2. */
static double theory_step(const l2o_iterate *it, bool average, double L, double trace) {
  const zo_plan plan = plan_of(it, average);
  const double q = (double)plan.q, n = (double)it->n;
  const bool aware = choice(it, ZO_STEP_RULE) == ZO_TRACE_AWARE;
  double eta;
  if (plan.handling == ZO_STREAMED) {
    if (choice(it, ZO_DIRECTIONS) == ZO_GAUSSIAN)
      eta = aware ? q / (trace + (q + 1) * L) : q / (L * (n + q + 1));
    else
      eta = aware ? q / (n / (n + 2) * (trace + 2 * L) + (q - 1) * L) : q / (L * (n + q - 1));
  } else {
    const double b = q < n ? q * (n - q) / (n * (n - 1) * (n + 2)) : 0, a = q / n - (n + 1) * b;
    eta = aware ? q / n / ((a + b) * L + b * trace) : 1 / L;
    if (average)
      eta *= q / n;
  }
  if (choice(it, ZO_SETTING) == ZO_CONVEX)
    eta /= 2;
  if (choice(it, ZO_SETTING) == ZO_STOCHASTIC) {
    const double c = average ? 1 : q / n;
    eta = fmin(eta, sqrt(2 * it->options[ZO_DROP] * eta / (c * it->options[ZO_HORIZON] * it->options[ZO_NOISE])));
  }
  return eta * it->options[ZO_STEP_SCALE];
}

/* *eta: the option `step`, or the theory's; 0 where a line search has to find it. A sentence if it is to be had nowhere. */
static l2o_status step_size(double *eta, bool *searches, const l2o_iterate *it, bool average, l2o_diag *diag) {
  const char *rule = average ? "zo-avg" : "zo-align", *problem = l2o_problem_name(it->problem);
  const int search = average ? ZO_SEARCH_NONE : choice(it, ZO_LINE_SEARCH);
  *searches = search == ZO_SEARCH_ARMIJO;
  *eta = it->options[ZO_STEP];
  if (*eta > 0)
    return L2O_OK;
  double L, trace = it->options[ZO_TRACE];
  l2o_status status = l2o_problem_lipschitz(it->problem, &L);
  const bool plain = choice(it, ZO_STEP_RULE) == ZO_SMOOTHNESS && choice(it, ZO_SETTING) == ZO_SMOOTH;
  if (status == L2O_ERR_NOTSUP && (*searches || (search == ZO_SEARCH_AUTO && plain))) {
    *searches = true;
    return L2O_OK;
  }
  if (status == L2O_ERR_NOTSUP)
    return l2o_fail(diag, status,
                    "%s needs a step size; problem '%s' has no Lipschitz constant to take it from; give %s:step=...%s", rule,
                    problem, rule, average ? "" : " or line_search=armijo");
  if (status)
    return l2o_fail(diag, status, "%s: the Lipschitz constant of problem '%s' is not a positive finite number", rule, problem);
  if (choice(it, ZO_STEP_RULE) == ZO_TRACE_AWARE) {
    if (choice(it, ZO_DIRECTIONS) == ZO_COORDINATE && it->options[ZO_QUERIES] < (double)it->n)
      return l2o_fail(diag, L2O_ERR_ARG,
                      "%s: step_rule=trace needs directions without preference; coordinates may be the steep ones; take "
                      "directions=orthonormal, or step_rule=smoothness",
                      rule);
    if (!(trace > 0) && (status = l2o_problem_hessian_trace(it->problem, &trace)))
      return l2o_fail(diag, status, "%s: step_rule=trace needs the trace of the Hessian, which problem '%s' %s; give %s:trace=...",
                      rule, problem, status == L2O_ERR_NOTSUP ? "does not tell" : "gives no positive finite number for", rule);
  }
  if (choice(it, ZO_SETTING) == ZO_STOCHASTIC &&
      !(it->options[ZO_NOISE] > 0 && it->options[ZO_HORIZON] > 0 && it->options[ZO_DROP] > 0))
    return l2o_fail(
        diag, L2O_ERR_ARG,
        "%s: setting=stochastic needs noise (variance of a minibatch's gradient), horizon (steps) and drop (f(x_0) - min "
        "f), all positive, or step",
        rule);
  *eta = theory_step(it, average, L, trace);
  return L2O_OK;
}

l2o_status zo_check(const l2o_iterate *it, bool average, l2o_diag *diag) {
  const char *rule = average ? "zo-avg" : "zo-align", *problem = l2o_problem_name(it->problem);
  const zo_plan plan = plan_of(it, average);
  double eta;
  bool searches;
  if (plan.handling != ZO_STREAMED && plan.q > it->n)
    return l2o_fail(diag, L2O_ERR_ARG, "%s: queries=%zu exceeds the %zu unknowns of problem '%s'", rule, plan.q, it->n, problem);
  if (plan.handling != ZO_STREAMED && !l2o_fits_blas(it->n, plan.q))
    return l2o_fail(diag, L2O_ERR_ARG, "%s: %zu directions in %zu unknowns are too many to be kept", rule, plan.q, it->n);
  return step_size(&eta, &searches, it, average, diag);
}

l2o_status zo_init(l2o_iterate *it, bool average) {
  zo_memory *memory = zo_recall(it);
  memory->h = it->options[ZO_RADIUS] * sqrt((double)it->n);
  return step_size(&it->step, &memory->searches, it, average, NULL);
}

/* h / s where the option `radius` is 0 (zo.h); f = f(x_0). */
static double default_distance(const l2o_iterate *it, double f) {
  double L;
  const double share = l2o_problem_lipschitz(it->problem, &L) ? 1 : fabs(f) / L;
  const double h = choice(it, ZO_DIFFERENCE) == ZO_TWO_SIDED ? cbrt(3 * EPS * share) : 2 * sqrt(EPS * share);
  return fmax(h, sqrt(EPS));
}

l2o_status zo_value(l2o_iterate *it, double *f, const l2o_real *x, bool charged) {
  l2o_status status = l2o_iterate_value_at(it, f, x);
  if (!charged && choice(it, ZO_COUNTING) == ZO_DIFFERENCES)
    it->uncharged++;
  return status;
}

l2o_status zo_begin(zo_plan *plan, l2o_iterate *it, bool average, l2o_stop *stop) {
  zo_memory *memory = zo_recall(it);
  *plan = plan_of(it, average);
  plan->it = it;
  zo_layout(plan);
  const bool two_sided = choice(it, ZO_DIFFERENCE) == ZO_TWO_SIDED, base = !two_sided || memory->searches || memory->h == 0;
  size_t charge = memory->searches; /* one trial at least */
  charge += choice(it, ZO_COUNTING) == ZO_DIFFERENCES ? plan->q : (two_sided ? 2 : 1) * plan->q + base;
  if (it->allowance < charge) {
    *stop = L2O_STOP_CALLS;
    return L2O_OK;
  }
  plan->left = it->allowance - charge;
  if (base) {
    l2o_status status = zo_value(it, &plan->f, it->x, false);
    if (status)
      return status;
  }
  if (memory->h == 0)
    memory->h = default_distance(it, plan->f);
  plan->h = it->options[ZO_RADIUS] > 0 ? memory->h : memory->h * zo_size(it);
  return L2O_OK;
}

l2o_status zo_move(const zo_plan *plan, l2o_real *out, double eta) {
  const l2o_iterate *it = plan->it;
  const l2o_real s = (l2o_real)eta;
  for (size_t i = 0; i < it->n; i++)
    out[i] = it->x[i] - s * plan->g[i];
  return l2o_problem_is_constrained(it->problem) ? l2o_problem_project(it->problem, out, out, it->work) : L2O_OK;
}
