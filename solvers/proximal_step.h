/* SPDX-License-Identifier: BSD-3-Clause */
/* The step that `ista` and `fista` make from a point y where g = grad f(y). */
#ifndef L2O_SOLVERS_PROXIMAL_STEP_H
#define L2O_SOLVERS_PROXIMAL_STEP_H
#include "solvers.h"

/* z = prox_{s h}(y - s g); z may be y. tau (n) is filled with s. */
l2o_status l2o_proximal_step(const l2o_iterate *it, l2o_real *z, const l2o_real *y, const l2o_real *g, double s, l2o_real *tau);

/* The same with s halved until, up to rounding (Beck and Teboulle, SIAM J. Imaging Sci. 2009, backtracking of sections 3 and 4),
 *   f(z) <= f(y) + g'(z - y) + |z - y|^2 / 2s,
 * which every s <= 1/L satisfies. Where f(z) is not finite, s was too large.
 *   f     in: f(y); out: f(z).
 *   s     in: the last step; out: the step taken. 0: none is known; the first trial is then 1 / |g|, or longer as the curvature
 *         from y to z allows; while z moves on without any, s grows tenfold.
 *   g_z   (n) grad f(z); NULL: values are enough.
 *   stop  stalled when no z that differs from y is found: z is then y if y is a fixed point of the first trial, and else it->x, to
 *         stay where we are. Diverged when f falls without bound: without curvature up to 1e17 times the first trial, where z
 *         is the last one, or to -infinity at one of the trials that fail, where z is it->x. */
#define L2O_BACKTRACKING_OPTION                                                                                                    \
  {                                                                                                                                \
    "backtracking", L2O_OPTION_CHOICE, 0, 0, 0, "false|true",                                                                      \
        "search the step, first at `step`: halve it until f lies below its quadratic model; needs no L"                            \
  }
l2o_status l2o_proximal_backtrack(l2o_iterate *it, l2o_real *z, double *f, double *s, l2o_real *g_z, const l2o_real *y,
                                  const l2o_real *g, l2o_real *tau, l2o_stop *stop);
#endif
