/* SPDX-License-Identifier: BSD-3-Clause */
/* Line searches, shared by bfgs, lbfgs and newton; no rule by itself. phi(a) = f(x + a d), phi'(0) = g'd < 0.
 *
 *   wolfe       strong Wolfe, phi(a) <= phi(0) + c1 a phi'(0) and |phi'(a)| <= c2 |phi'(0)|, by safeguarded interpolation
 *               (More and Thuente, ACM TOMS 1994, section 4)
 *   weak-wolfe  phi'(a) >= c2 phi'(0) in place of the second condition, by doubling and bisection
 *   armijo      the first condition alone, backtracking by safeguarded interpolation
 *   halving     the first condition alone, a <- a/2
 *   unit        a = step, unlooked at
 *   exact       a = -g'd / d'Ad with the problem's own Hessian-vector product: the minimum along d of a quadratic; elsewhere
 *               the first trial of armijo
 *
 * Where phi(a) - phi(0) drowns in the rounding of phi, the first condition is judged by slopes instead: phi'(a) <= (1 - 2 c1)
 * |phi'(0)| (the approximate Wolfe condition of Hager and Zhang, SIAM J. Optim. 2005, (4.1)).
 *
 * So a run ends: a trial is quiet if the decrease a |phi'(0)| that it stands for drowns in the rounding of phi. A search makes few
 * quiet trials, and a run few in a row while neither f falls by more than rounding nor |g| noticeably. */
#ifndef L2O_LINE_SEARCH_H
#define L2O_LINE_SEARCH_H
#include <l2o/solver.h>

/* The first rows of the table of a rule that searches, read by these indices. */
#define L2O_LINE_SEARCH_OPTIONS                                                                                                    \
  {"line_search", L2O_OPTION_CHOICE, 0, 0, 0, "wolfe|weak-wolfe|armijo|halving|unit|exact", "what a step must satisfy"},           \
      {"step", L2O_OPTION_REAL, 1, 1e-12, 1e12, NULL, "length of unit steps"},                                                     \
      {"first_step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "first trial along -gradient; 0: by the size of f and its gradient"},      \
      {"c1", L2O_OPTION_REAL, 1e-4, 0, 0.5, NULL, "share of the first-order decrease that a step must reach"}, {                   \
    "c2", L2O_OPTION_REAL, 0.9, 1e-6, 1, NULL, "share of the slope that a step may leave (Wolfe)"                                  \
  }
enum { L2O_LINE_KIND, L2O_LINE_STEP, L2O_LINE_FIRST_STEP, L2O_LINE_C1, L2O_LINE_C2, L2O_LINE_OPTIONS };
enum { L2O_LINE_MEMORY = 3 };

typedef struct l2o_line {
  const l2o_real *d; /* (n) direction */
  l2o_real *x, *g;   /* (n) out: the start of the search and its gradient */
  l2o_real *kept;    /* (n) scratch: the gradient of the best trial while others are tried */
  l2o_real *memory;  /* (L2O_LINE_MEMORY) of the rule's state, zeros at first: what went on since the last progress */
  double alpha;      /* in: the first trial; out: the accepted step, 0 if no trial could be told to be better than the start */
} l2o_line;

/* Refuses c1 >= c2, and `exact` where the problem has no Hessian-vector product of its own. */
l2o_status l2o_line_check(const l2o_iterate *it, const char *solver, l2o_diag *diag);

/* The first trial along d = -g, where nothing is known of the curvature: the option first_step, or a step as long as x, and at
 * least 1, but not beyond where a parabola from f to 0 has its minimum, 2|f| / |g|^2: right for sums of squares, harmless
 * elsewhere. it->f and it->g are set. */
double l2o_line_first(const l2o_iterate *it);

/* From it->x with it->f and it->g to the accepted point and its f and g, one l2o_iterate_gradient_at() a trial. With alpha = 0
 * the iterate is back at the start. f never rises by more than its rounding error (but with `unit`). A trial that is not finite
 * is too far. Where f falls without bound, *stop = L2O_STOP_DIVERGED and the iterate is at the best finite trial; where the last
 * trials of this search and those before it brought no progress, L2O_STOP_STALLED. */
l2o_status l2o_line_search(l2o_iterate *it, l2o_line *line, l2o_stop *stop);
#endif
