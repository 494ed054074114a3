/* SPDX-License-Identifier: BSD-3-Clause */
/* FISTA, the accelerated proximal gradient method (Beck and Teboulle, SIAM J. Imaging Sci. 2009, section 4):
 *   x_{k+1} = prox_{s h}(y_k - s grad f(y_k))
 *   t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2
 *   y_{k+1} = x_{k+1} + (t_k - 1) / t_{k+1} (x_{k+1} - x_k),   y_0 = x_0, t_0 = 1.
 * F(x_k) - F* <= 2 |x_0 - x*|^2 / (s (k + 1)^2) for s <= 1/L (theorem 4.4). On a smooth problem it is `nesterov`.
 *
 * Restarts (O'Donoghue and Candes, Found. Comput. Math. 2015) put t back to 1 and y to x when the momentum points uphill:
 * (y_k - x_{k+1})'(x_{k+1} - x_k) > 0, or F(x_{k+1}) > F(x_k). They pay where F is strongly convex, be it only near x*; the bound
 * above is proved without, so none is the default.
 *
 * A start outside the set of a constrained problem is projected first; y_k may still leave the set, where f must be defined. */
#include "core/real.h"
#include "proximal_step.h"

enum { RESTART = 2, BACKTRACKING };
static const l2o_option options[] = {L2O_STEP_OPTIONS, L2O_RESTART_OPTION, L2O_BACKTRACKING_OPTION, {0}};

typedef struct memory {
  double s, objective; /* the last step, F(x_k) */
} memory;

static bool backtracking(const l2o_iterate *it) {
  return it->options[BACKTRACKING] > 0;
}

/* state: y (n), t (1), memory; scratch: grad f(y) (n), z (n), tau (n) */
static size_t state_len(const l2o_iterate *it) {
  return it->n + 1 + L2O_REALS_OF(memory);
}
static size_t scratch_len(const l2o_iterate *it) {
  return 3 * it->n;
}

static l2o_status init(l2o_iterate *it) {
  const memory m = {.s = it->step};
  l2o_status status = l2o_problem_project(it->problem, it->x, it->x, it->work);
  memcpy(it->state, it->x, it->n * sizeof *it->x);
  it->state[it->n] = 1;
  memcpy(it->state + it->n + 1, &m, sizeof m);
  return status;
}

/* F(x) where f(x) is known, or is called for. */
static l2o_status objective(l2o_iterate *it, double *F, double f, bool known, const l2o_real *x) {
  l2o_status status = L2O_OK;
  double h;
  if (!known)
    status = l2o_iterate_value_at(it, &f, x);
  if (!status)
    status = l2o_problem_nonsmooth(it->problem, &h, NULL, x);
  if (!status)
    *F = f + h;
  return status;
}

/* (y - z)'(z - x) */
static double uphill(const l2o_real *x, const l2o_real *y, const l2o_real *z, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += ((double)y[i] - (double)z[i]) * ((double)z[i] - (double)x[i]);
  return sum;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const size_t n = it->n;
  const int restart = (int)it->options[RESTART];
  l2o_real *y = it->state, *t = y + n, *g = it->scratch, *z = g + n, *tau = z + n;
  memory m;
  memcpy(&m, t + 1, sizeof m);
  double f, F = 0;
  l2o_status status;
  if (it->k == 0) { /* y_0 = x_0: the record's evaluation serves */
    status = l2o_iterate_gradient(it);
    f = it->f;
    memcpy(g, it->g, n * sizeof *g);
    if (!status && restart == L2O_RESTART_FUNCTION)
      status = objective(it, &m.objective, f, true, it->x);
  } else {
    status = l2o_iterate_gradient_at(it, &f, g, y);
  }
  if (!status)
    status = backtracking(it) ? l2o_proximal_backtrack(it, z, &f, &m.s, NULL, y, g, tau, stop)
                              : l2o_proximal_step(it, z, y, g, it->step, tau);
  if (!status && restart == L2O_RESTART_FUNCTION && !*stop)
    status = objective(it, &F, f, backtracking(it), z);
  if (status)
    return status;
  l2o_real next = L2O_NESTEROV_NEXT(*t), momentum = (*t - 1) / next;
  if ((restart == L2O_RESTART_FUNCTION && F > m.objective) || (restart == L2O_RESTART_GRADIENT && uphill(it->x, y, z, n) > 0)) {
    next = 1;
    momentum = 0;
  }
  for (size_t i = 0; i < n; i++) {
    y[i] = z[i] + momentum * (z[i] - it->x[i]);
    it->x[i] = z[i];
  }
  *t = next;
  m.objective = F;
  memcpy(t + 1, &m, sizeof m);
  return L2O_OK;
}

const l2o_solver l2o_fista = {
    .struct_size = sizeof l2o_fista,
    .name = "fista",
    .meaning = "FISTA: accelerated proximal gradient method",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_TAKES_PROX | L2O_TAKES_PROJECTION,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .finds_step = backtracking,
    .init = init,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_STATE,
};
