/* SPDX-License-Identifier: BSD-3-Clause */
/* The 35 test functions of More, Garbow and Hillstrom (1981) as the rows of a table; the family is made of it in
 * more_garbow_hillstrom.c. */
#ifndef L2O_PROBLEMS_MORE_GARBOW_HILLSTROM_H
#define L2O_PROBLEMS_MORE_GARBOW_HILLSTROM_H
#include <complex.h>
#include <l2o/base.h>

/* a + i b with b so small that b^2 vanishes beside a: what is done to it happens to a, and to first order to b (Squire and Trapp,
 * 1998). So the gradient at x + i h v is grad f + i h (Hessian of f) v, exact but for rounding. */
typedef double complex l2o_mgh_dual;

static inline l2o_mgh_dual l2o_mgh_dual_of(double value, double derivative) {
  const union {
    double parts[2];
    l2o_mgh_dual number;
  } u = {{value, derivative}};
  return u.number;
}

/* One evaluation: f += |r(x)|^2, and g += 2 J(x)'r(x) unless g is NULL. */
typedef struct l2o_mgh_real_sum {
  double f, *g;
  const double *x;
  size_t n, m;
  double *room;         /* max(n, m) numbers */
  const double *weight; /* of the residuals still to come, for `weighted` only: f += sum_i weight_i r_i(x)^2 */
} l2o_mgh_real_sum;
typedef struct l2o_mgh_dual_sum {
  l2o_mgh_dual f, *g;
  const l2o_mgh_dual *x;
  size_t n, m;
  l2o_mgh_dual *room;
} l2o_mgh_dual_sum;

enum { L2O_MGH_COUNT = 35, L2O_MGH_MOST = 1000000 /* of n and of m */ };

typedef struct l2o_mgh_function {
  const char *name;
  size_t n, n_low, n_high, n_multiple; /* the customary number of unknowns, and the others that there are */
  size_t per_n, plus;                  /* number of residuals: m = per_n n + plus; */
  size_t m_high;                       /* where this is not 0, any other m from n to here, too */
  const double *start;                 /* x0_j = start[j mod period], or ... */
  size_t period;
  double (*start_at)(size_t j, size_t n); /* ... x0_j, j = 0, ..., n - 1 */
  void (*real)(l2o_mgh_real_sum *sum), (*weighted)(l2o_mgh_real_sum *sum);
  void (*dual)(l2o_mgh_dual_sum *sum);
} l2o_mgh_function;

extern const l2o_mgh_function l2o_mgh_functions[L2O_MGH_COUNT];

/* The least value of function `number` (1 to 35), and a point where it is taken in x[n] unless that is NULL.
 * @return L2O_ERR_NOTSUP when the value, or the point if that is asked for, is not known for these sizes. */
l2o_status l2o_mgh_minimum(double *fstar, double *x, size_t number, size_t n, size_t m);
#endif
