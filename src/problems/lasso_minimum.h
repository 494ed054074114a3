/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef L2O_PROBLEMS_LASSO_MINIMUM_H
#define L2O_PROBLEMS_LASSO_MINIMUM_H
#include <l2o/base.h>

/* x (n) = a minimiser of F(x) = 1/2 |A x - y|^2 + l1 |x|_1, A (m, n), l1 > 0, and fstar = F(x), in double in both precisions.
 * Answered only with a certificate, recomputed from A itself: with c = A'(y - A x),
 *   |c_j| <= l1 where x_j = 0 and c_j = l1 sign(x_j) elsewhere, to 1e-12 of the larger of l1 and |A'y|_inf,
 *   F(x) - F(dual point) <= 1e-10 F(x).
 * @return L2O_ERR_NOTSUP where that is not reached, or n > 20000; L2O_ERR_NOMEM. Allocates 2 n^2 doubles and some n. */
l2o_status l2o_lasso_minimum(double *fstar, double *x, const double *A, const double *y, double l1, size_t m, size_t n);
#endif
