/* SPDX-License-Identifier: BSD-3-Clause */
/* BFGS (Broyden, Fletcher, Goldfarb, Shanno 1970) with a dense inverse Hessian: x_{k+1} = x_k + alpha d, d = -H g,
 *   H <- (I - rho s y') H (I - rho y s') + rho s s',   s = x_{k+1} - x_k, y = g_{k+1} - g_k, rho = 1 / s'y,
 * self-scaled unless rescale=off (bfgs_update.h). An iteration is one product with H and one update of it: 2 n^2 multiplications on
 * half of a matrix. */
#include "bfgs_update.h"
#include "core/linalg.h"
#include "line_search.h"
#include "solvers.h"
#include <math.h>

enum { START = L2O_LINE_OPTIONS, CURVATURE, RESCALE };
static const l2o_option options[] = {
    L2O_LINE_SEARCH_OPTIONS,
    L2O_BFGS_START_OPTION,
    {"curvature", L2O_OPTION_CHOICE, 0, 0, 0, "skip|damp", "a step without positive curvature: no update, or Powell's damped one"},
    {"rescale", L2O_OPTION_CHOICE, 0, 0, 0, "on|off", "enlarge an inverse Hessian that is too small before an update"},
    {0}};

/* scratch: x and g at the start of the search, the search's own (n each) */
static size_t scratch_len(const l2o_iterate *it) {
  return 3 * it->n;
}

/* state: that of BFGS, then the search's memory */
static size_t state_len(const l2o_iterate *it) {
  return l2o_bfgs_state_len(it) + L2O_LINE_MEMORY;
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  l2o_status status = l2o_line_check(it, "bfgs", diag);
  return status ? status : l2o_bfgs_check(it, (l2o_bfgs_start)it->options[START], "bfgs", diag);
}

static l2o_status init(l2o_iterate *it) {
  const l2o_bfgs_memory b = l2o_bfgs_recall(it, (l2o_bfgs_start)it->options[START]);
  return l2o_bfgs_init(it, &b);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const size_t n = it->n;
  l2o_bfgs_memory b = l2o_bfgs_recall(it, (l2o_bfgs_start)it->options[START]);
  b.damp = it->options[CURVATURE] > 0;
  b.rescale = it->options[RESCALE] < 1;
  l2o_line line = {
      .d = b.d, .x = it->scratch, .g = it->scratch + n, .kept = it->scratch + 2 * n, .memory = it->state + l2o_bfgs_state_len(it)};
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  if (*b.fresh > 0)
    l2o_bfgs_first_direction(it, &b);
  status = l2o_bfgs_search(it, &b, &line, stop);
  if (status)
    return status;
  if (line.alpha > 0)
    l2o_bfgs_update(it, &b, line.x, line.g, line.kept, line.alpha);
  else if (!*stop)
    *stop = L2O_STOP_STALLED;
  return L2O_OK;
}

const l2o_solver l2o_bfgs = {
    .struct_size = sizeof l2o_bfgs,
    .name = "bfgs",
    .meaning = "BFGS with a dense inverse Hessian",
    .needs = L2O_NEEDS_GRADIENT | L2O_GLOBAL,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
};
