/* SPDX-License-Identifier: BSD-3-Clause */
/* Minima of convex functions that have no closed form, for reports: to rounding, in double in both precisions, by dense Hessians.
 */
#ifndef L2O_PROBLEMS_NEWTON_MINIMUM_H
#define L2O_PROBLEMS_NEWTON_MINIMUM_H
#include "problems/instance.h"

/* A convex function f of n unknowns, twice differentiable. */
typedef struct l2o_smooth {
  size_t n;
  void *context;
  void (*gradient)(void *context, double *f, double *g, const double *x);
  void (*hessian)(void *context, double *H, const double *x); /* (n, n), both triangles */
} l2o_smooth;

enum { L2O_NEWTON_MINIMUM_LARGEST = 4000 }; /* unknowns: two matrices of that size are held */

/* min f(x) + l1 |x|_1: the value in *minimum, and the minimiser in xstar (n) unless that is NULL. Returns L2O_OK only where the
 * optimality conditions hold at x to 1e-10 of what they are at 0; L2O_ERR_NOTSUP where no minimiser was found (a function like
 * exp(x) has none), or n is above L2O_NEWTON_MINIMUM_LARGEST. Cost: some ten to thirty Hessians and O(n^3) each. */
l2o_status l2o_newton_minimum(double *minimum, l2o_real *xstar, const l2o_smooth *f, double l1);

/* An instance's F(x) = phi(A x) + ridge/2 |x|^2 + l1 |x|_1, and what phi is computed with. */
typedef struct l2o_in_double {
  const l2o_instance *d;
  size_t m, n;          /* rows and columns of A */
  double *A, *weighted; /* (m, n): the matrix, and room for it with weighted rows */
  double *scores;       /* room for A x */
  double *room;         /* whatever else */
} l2o_in_double;
typedef struct l2o_loss {
  size_t outputs, room;                                                      /* scores a row, and numbers of room */
  void (*gradient)(l2o_in_double *c, double *f, double *g, const double *x); /* phi(A x) and its gradient */
  void (*hessian)(l2o_in_double *c, double *H, const double *x);             /* both triangles */
} l2o_loss;

/* `minimum` of such an instance, which has outputs * n unknowns. */
l2o_status l2o_loss_minimum(const l2o_problem *p, double *fstar, l2o_real *xstar, const l2o_loss *loss);
#endif
