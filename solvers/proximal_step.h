/* SPDX-License-Identifier: BSD-3-Clause */
/* The step that `ista` and `fista` make from a point y where g = grad f(y). */
#ifndef L2O_SOLVERS_PROXIMAL_STEP_H
#define L2O_SOLVERS_PROXIMAL_STEP_H
#include <l2o/solver.h>

/* z = prox_{s h}(y - s g); z may be y. tau (n) is filled with s. */
l2o_status l2o_proximal_step(const l2o_iterate *it, l2o_real *z, const l2o_real *y, const l2o_real *g, double s, l2o_real *tau);

/* The same with s halved until, up to rounding (Beck and Teboulle, SIAM J. Imaging Sci. 2009, backtracking of sections 3 and 4),
 *   f(z) <= f(y) + g'(z - y) + |z - y|^2 / 2s,
 * which every s <= 1/L satisfies. Where f(z) is not finite, s was too large.
 *   f     in: f(y); out: f(z).
 *   s     in: the last step, 0: none is known, then 1 / |g|, or longer if the curvature from there to z allows; out: the step
 * taken. g_z   (n) grad f(z); NULL: values are enough. stop  set as stalled when no z that differs from y is found: z is then y if
 * y is a fixed point of the first trial, and else it->x, to stay where we are. */
l2o_status l2o_proximal_backtrack(l2o_iterate *it, l2o_real *z, double *f, double *s, l2o_real *g_z, const l2o_real *y,
                                  const l2o_real *g, l2o_real *tau, l2o_stop *stop);
#endif
