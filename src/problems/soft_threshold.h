/* SPDX-License-Identifier: BSD-3-Clause */
/* h(x) = l1 |x|_1 with its subgradient, prox and the prox's derivative: what the families with an L1 term share. */
#ifndef L2O_PROBLEMS_SOFT_THRESHOLD_H
#define L2O_PROBLEMS_SOFT_THRESHOLD_H
#include <l2o/base.h>

/* h = l1 |x|_1; subgradient l1 sign(x) with sign(0) = 0 in s unless that is NULL. */
double l2o_l1_norm(l2o_real *s, const l2o_real *x, double l1, size_t n);
/* The ends of the subdifferential: l1 sign(x) where x is not 0, and -l1, l1 where it is. */
void l2o_l1_subdifferential(l2o_real *low, l2o_real *high, const l2o_real *x, double l1, size_t n);
/* out_i = sign(x_i) max(|x_i| - l1 tau_i, 0), the prox of h; out may be x. Not-a-number stays. */
void l2o_soft_threshold(l2o_real *out, const l2o_real *x, const l2o_real *tau, double l1, size_t n);
/* dx += (d out / d x)' dout, dtau (may be NULL) += (d out / d tau)' dout; 0 at the kinks |x_i| = l1 tau_i. */
void l2o_soft_threshold_vjp(l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau, const l2o_real *dout, double l1,
                            size_t n);
/* The largest entry of the subgradient of least length of f + h at x, g = grad f(x): 0 exactly at a minimiser of convex f + h. */
double l2o_l1_optimality(const double *g, const double *x, double l1, size_t n);
#endif
