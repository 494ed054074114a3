/* SPDX-License-Identifier: BSD-3-Clause */
/* What zo-avg and zo-align share: zeroth-order steps from q differences of f along directions u_1 .. u_q (Lin, Song, Xu, "The
 * Multi-Query Paradox in Zeroth-Order Optimization", arXiv 2509.15552). Directions, radius and counting are options, because what
 * is best depends on them: few queries for one convention, all of them for another.
 *
 *   one-sided:  delta_i = (f(x + mu u_i) - f(x)) / mu           q + 1 calls a step
 *   two-sided:  delta_i = (f(x + mu u_i) - f(x - mu u_i)) / 2mu     2 q calls a step
 *
 * Directions. gaussian: N(0, I). sphere: uniform with |u| = sqrt(n). orthonormal: a uniformly distributed q-dimensional subspace,
 * orthonormalised before it is probed. coordinate: q coordinate axes, drawn without replacement. The last two have unit length, are
 * probed at the distance h = mu sqrt(n), so that all kinds look equally far, and with q = n are the axes in order. Direction i of
 * step k is stream (it->seed, i, k) and depends on nothing else.
 *
 * Radius. The option `radius` is mu. 0: from f at the start and the Lipschitz constant L, so that curvature and rounding err alike,
 *   one-sided h = 2 s sqrt(eps |f| / L),  two-sided h = s (3 eps |f| / L)^(1/3),  s = max(1, |x| / sqrt(n)),
 * with eps the precision, and h at least s sqrt(eps): x + h u must differ from x (f may happen to be 0), which is why s follows x.
 * Where L is unknown |f| stands for it: f is taken to change by its size where x does, and h does not depend on the unit of f. The
 * two-sided rule takes L for the Hessian's Lipschitz constant, which nobody knows, and costs one value at the start.
 *
 * Counting. Every call is in value_calls. The budget is charged all of them (counting=calls) or q a step, as papers count
 * (counting=differences). A step that the budget does not allow whole is not begun.
 *
 * Constraints. The point after the step is projected; probes may leave the set by h. Where the constraint holds a coordinate back,
 * a step along random directions hands its slope on to the others as noise: with bounds take coordinate directions, or q = n.
 *
 * A probe without a finite answer says nothing, and its direction is left out of the step. When f(x) or every probe is like that,
 * the step fails with L2O_ERR_NUMERIC. */
#ifndef L2O_SOLVERS_ZO_H
#define L2O_SOLVERS_ZO_H
#include "solvers.h"

/* The options in the order of the tables. */
enum {
  ZO_STEP,
  ZO_STEP_SCALE,
  ZO_QUERIES,
  ZO_DIRECTIONS,
  ZO_RADIUS,
  ZO_DIFFERENCE,
  ZO_COUNTING,
  ZO_STEP_RULE,
  ZO_TRACE,
  ZO_SETTING,
  ZO_NOISE,
  ZO_HORIZON,
  ZO_DROP,
  ZO_BATCH,
  ZO_LINE_SEARCH /* zo-align */
};
enum { ZO_GAUSSIAN, ZO_SPHERE, ZO_ORTHONORMAL, ZO_COORDINATE };
enum { ZO_ONE_SIDED, ZO_TWO_SIDED };
enum { ZO_CALLS, ZO_DIFFERENCES };
enum { ZO_SMOOTHNESS, ZO_TRACE_AWARE };
enum { ZO_SMOOTH, ZO_CONVEX, ZO_STOCHASTIC };
enum { ZO_SEARCH_AUTO, ZO_SEARCH_NONE, ZO_SEARCH_ARMIJO };

#define ZO_OPTIONS(kind, limit, theory)                                                                                            \
  {"step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "step size; 0: step_scale times " theory},                                           \
      {"step_scale", L2O_OPTION_REAL, 1, 1e-12, 1e6, NULL, "factor of the step size, where step is 0"},                            \
      {"queries", L2O_OPTION_INT, 1, 1, 1e9, NULL, "directions q that a step probes"},                                             \
      {"directions", L2O_OPTION_CHOICE, kind, 0, 0, "gaussian|sphere|orthonormal|coordinate", "how they are drawn; needs " limit}, \
      {"radius",                                                                                                                   \
       L2O_OPTION_REAL,                                                                                                            \
       0,                                                                                                                          \
       0,                                                                                                                          \
       1e12,                                                                                                                       \
       NULL,                                                                                                                       \
       "smoothing radius mu: probes lie about mu sqrt(n) from x; 0: from precision, f and L"},                                     \
      {"difference",                                                                                                               \
       L2O_OPTION_CHOICE,                                                                                                          \
       ZO_ONE_SIDED,                                                                                                               \
       0,                                                                                                                          \
       0,                                                                                                                          \
       "one-sided|two-sided",                                                                                                      \
       "between a probe and f(x): q + 1 calls a step; between two probes: 2q"},                                                    \
      {"counting", L2O_OPTION_CHOICE, ZO_CALLS, 0, 0, "calls|differences", "what the budget is charged: every call, or q a step"}, \
      {"step_rule", L2O_OPTION_CHOICE, ZO_SMOOTHNESS, 0, 0, "smoothness|trace", "step from L, or from L and the Hessian's trace"}, \
      {"trace", L2O_OPTION_REAL, 0, 0, 1e300, NULL, "trace of the Hessian; 0: the problem's"},                                     \
      {"setting",                                                                                                                  \
       L2O_OPTION_CHOICE,                                                                                                          \
       ZO_SMOOTH,                                                                                                                  \
       0,                                                                                                                          \
       0,                                                                                                                          \
       "smooth|convex|stochastic",                                                                                                 \
       "theory of the step: smooth (convex or not), convex (half of it), stochastic (shorter, for the noise)"},                    \
      {"noise", L2O_OPTION_REAL, 0, 0, 1e300, NULL, "stochastic: variance sigma^2 of a minibatch's gradient"},                     \
      {"horizon", L2O_OPTION_REAL, 0, 0, 1e18, NULL, "stochastic: steps T to be made"},                                            \
      {"drop", L2O_OPTION_REAL, 0, 0, 1e300, NULL, "stochastic: f(x_0) - min f"}, L2O_BATCH_OPTION

/* A rule's view of the run during a step. */
typedef struct zo_plan {
  l2o_iterate *it;
  enum { ZO_STREAMED, ZO_AXES, ZO_MATRIX } handling; /* see zo_estimate.c */
  size_t q;
  double h, f; /* distance of a unit probe; f(x), if the step needs it */
  size_t left; /* charged calls that the budget allows beyond those that the step makes for sure */
  l2o_real *y, *g, *u, *delta, *work;
} zo_plan;

/* What is remembered between steps. */
typedef struct zo_memory {
  double h;      /* distance of a unit probe; with radius=0 in units of s, and 0 before the first step */
  bool searches; /* zo-align: step size by line search */
  double trial;  /* its first trial, 0 before the first step */
  size_t idle;   /* steps in a row that found nothing better */
} zo_memory;
zo_memory *zo_recall(const l2o_iterate *it);

/* Of the descriptors. */
size_t zo_state_len(const l2o_iterate *it);
size_t zo_scratch_len(const l2o_iterate *it, bool average);
l2o_status zo_check(const l2o_iterate *it, bool average, l2o_diag *diag);
l2o_status zo_init(l2o_iterate *it, bool average);

/* Begins a step: budget, f(x) if needed, radius at the first one. Where *stop is set nothing has been done. */
l2o_status zo_begin(zo_plan *plan, l2o_iterate *it, bool average, l2o_stop *stop);
/* s = max(1, |x| / sqrt(n)) */
double zo_size(const l2o_iterate *it);
/* Counted value at x; with counting=differences the budget is charged only if `charged`. */
l2o_status zo_value(l2o_iterate *it, double *f, const l2o_real *x, bool charged);
/* Draws the directions, probes f along them, and leaves in plan->g
 *   (1/q) sum_i delta_i u_i,  where they are streamed;
 *   the projection of the gradient to their span, the least g with u_i'g = delta_i for all i,  otherwise. */
l2o_status zo_estimate(zo_plan *plan);

/* out = x - eta g, projected where the problem is constrained; out may be x. */
l2o_status zo_move(const zo_plan *plan, l2o_real *out, double eta);

/* The parts of these. Scratch in reals, and its division. */
size_t zo_room(const zo_plan *plan, size_t n);
void zo_layout(zo_plan *plan);
/* Direction i of the step is the answer times u; orthonormal ones are not orthogonal yet. */
double zo_draw(l2o_real *u, const l2o_iterate *it, size_t i);
/* All directions into the rows of plan->u; the projection from what is there, which is overwritten. */
l2o_status zo_draw_matrix(zo_plan *plan);
l2o_status zo_probe_matrix(zo_plan *plan);
#endif
