/* SPDX-License-Identifier: BSD-3-Clause */
/* Nesterov's accelerated gradient (1983), in the form of Beck and Teboulle (SIAM J. Imaging Sci. 2009, section 4) without prox:
 *   x_{k+1} = y_k - s grad f(y_k)
 *   t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2
 *   y_{k+1} = x_{k+1} + (t_k - 1) / t_{k+1} (x_{k+1} - x_k),   y_0 = x_0, t_0 = 1.
 *
 * Restarts (O'Donoghue and Candes, Found. Comput. Math. 2015) put t back to 1 and y to x when the momentum points uphill:
 * grad f(y_k)'(x_{k+1} - x_k) > 0, or f(x_{k+1}) > f(x_k) at the cost of one value a step. They pay where f is strongly convex. */
#include "core/diag.h"
#include "core/linalg.h"
#include "core/real.h"
#include "solvers.h"

enum { RESTART = 2, BATCH };
static const l2o_option options[] = {L2O_STEP_OPTIONS, L2O_RESTART_OPTION, L2O_BATCH_OPTION, {0}};

/* state: y (n), t (1), f(x_k) (a double); scratch: grad f(y) (n), x_{k+1} - x_k (n) */
static size_t state_len(const l2o_iterate *it) {
  return it->n + 1 + L2O_REALS_OF(double);
}
static size_t scratch_len(const l2o_iterate *it) {
  return 2 * it->n;
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  if (it->options[BATCH] == 0 || it->options[RESTART] != L2O_RESTART_FUNCTION)
    return L2O_OK;
  return l2o_fail(diag, L2O_ERR_ARG,
                  "nesterov: batch=%zu does not go with restart=function: values of two minibatches do not compare",
                  (size_t)it->options[BATCH]);
}

static l2o_status init(l2o_iterate *it) {
  memcpy(it->state, it->x, it->n * sizeof *it->x);
  it->state[it->n] = 1;
  return L2O_OK;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  const size_t n = it->n;
  const int restart = (int)it->options[RESTART];
  l2o_real *y = it->state, *t = y + n, *g = it->scratch, *d = g + n;
  double f, last;
  memcpy(&last, t + 1, sizeof last);
  l2o_status status;
  if (it->k == 0) { /* y_0 = x_0: the record's evaluation serves */
    status = l2o_iterate_gradient(it);
    memcpy(g, it->g, n * sizeof *g);
    last = it->f;
  } else {
    status = l2o_iterate_gradient_at(it, &f, g, y);
  }
  if (status)
    return status;
  const l2o_real s = (l2o_real)it->step;
  for (size_t i = 0; i < n; i++) {
    l2o_real x = y[i] - s * g[i];
    d[i] = x - it->x[i];
    it->x[i] = x;
  }
  bool uphill = restart == L2O_RESTART_GRADIENT && l2o_dot(g, d, n) > 0;
  if (restart == L2O_RESTART_FUNCTION) {
    if ((status = l2o_iterate_value_at(it, &f, it->x)))
      return status;
    uphill = f > last;
    memcpy(t + 1, &f, sizeof f);
  }
  const l2o_real next = uphill ? 1 : L2O_NESTEROV_NEXT(*t), momentum = uphill ? 0 : (*t - 1) / next;
  for (size_t i = 0; i < n; i++)
    y[i] = it->x[i] + momentum * d[i];
  *t = next;
  return L2O_OK;
}

const l2o_solver l2o_nesterov = {
    .struct_size = sizeof l2o_nesterov,
    .name = "nesterov",
    .meaning = "Nesterov's accelerated gradient method",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_STATE,
};
