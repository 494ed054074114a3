/* SPDX-License-Identifier: BSD-3-Clause */
/* What the rules share that unroll iterative shrinkage (nn/unrolled.h). A layer makes v of x, and x+ of v:
 *
 *   soft(v, t)_i = sign(v_i) max(|v_i| - t, 0)
 *
 * with support selection (Chen, Liu, Wang, Yin, NeurIPS 2018) v_i as it is where |v_i| > t is among the largest of all. The rules
 * read A and y themselves, so their gradients are none of the driver's; a step counts as one call of value and gradient, which cost
 * the same as what it does. */
#ifndef L2O_SOLVERS_UNROLLED_H
#define L2O_SOLVERS_UNROLLED_H
#include "nn/unrolled.h"
#include "problems/instance.h"
#include "solvers.h"

/* The options of such a rule. */
enum { L2O_UNROLLED_MATRIX = 2 };
#define L2O_UNROLLED_MATRIX_OPTION                                                                                                 \
  {                                                                                                                                \
    "matrix", L2O_OPTION_CHOICE, 0, 0, 0, "own|any",                                                                               \
        "refuse problems whose matrix is not the one that the model was made for, or take all of its size"                         \
  }
#define L2O_UNROLLED_GUARD_OPTIONS                                                                                                 \
  {"step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "step of ista where the guard needs it; 0: the model's step_scale / L"}, {           \
    "guard", L2O_OPTION_CHOICE, 0, 0, 0, "off|descent|shadow", "fall back on ista; docs/guides/guard.md tells what each promises"  \
  }

/* Is it a problem 1/2 |A x - y|^2 + l1 |x|_1, with the model's matrix unless `matrix` is any? A sentence if not. */
l2o_status l2o_unrolled_check(const l2o_iterate *it, l2o_diag *diag);

/* How x+_i came from v_i. */
enum { L2O_SHRUNK_TO_ZERO = 0, L2O_SHRUNK = 1 /* times the sign */, L2O_KEPT = 2 };
/* Shrinks x in place. share: of the entries that are kept, ceil(share (n - 1)), those beyond the (1 - share) quantile; of equal
 * ones the first. marks (n): NULL, or what happened. scratch (n), not needed where share is 0. Not-a-number stays. */
void l2o_shrink(l2o_real *x, l2o_real *marks, double theta, double share, l2o_real *scratch, size_t n);
/* dv from dx, in place, and dL/dtheta: what is kept and what is zero stays so for small changes. */
double l2o_shrink_vjp(l2o_real *dx, const l2o_real *marks, size_t n);

/* sum (rows, columns) += scale a b' */
void l2o_add_outer(double *sum, double scale, const l2o_real *a, size_t rows, const l2o_real *b, size_t columns);
/* Where in `sum` the derivative with respect to this parameter of the model is. */
double *l2o_unrolled_sum(const l2o_iterate *it, double *sum, const l2o_real *parameter);
/* One call of value and gradient. */
void l2o_unrolled_count(l2o_iterate *it);

/* The layer v = x - gamma W'(A x - y) of lista-cp, lista-cpss and alista. */
size_t l2o_coupled_scratch_len(const l2o_iterate *it);
size_t l2o_coupled_tape_len(const l2o_iterate *it);
l2o_status l2o_coupled_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop);
l2o_status l2o_coupled_step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                                l2o_stop_gradient mode);

/* All that these rules' descriptors have in common. */
#define L2O_UNROLLED_RULE                                                                                                          \
  .struct_size = sizeof(l2o_solver), .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_NEEDS_MODEL | L2O_TAKES_PROX,              \
  .check = l2o_unrolled_check, .classical = "ista"
#define L2O_COUPLED_RULE                                                                                                           \
  L2O_UNROLLED_RULE, .scratch_len = l2o_coupled_scratch_len, .step = l2o_coupled_step, .tape_len = l2o_coupled_tape_len,           \
                     .step_vjp = l2o_coupled_step_vjp
#endif
