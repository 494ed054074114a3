/* SPDX-License-Identifier: BSD-3-Clause */
/* Building an l2o_iterate: shared by the driver (run.c) and the trainer. */
#ifndef L2O_SOLVE_ITERATE_H
#define L2O_SOLVE_ITERATE_H
#include "core/arena.h"
#include "core/options.h"
#include <l2o/solver.h>

/* Does the rule find what it needs? A sentence if not. */
l2o_status l2o_iterate_check(const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem, l2o_diag *diag);
/* What the options and the problem say of the run: minibatches, subgradients. it->problem, options and n are set before. */
void l2o_iterate_prepare(l2o_iterate *it, const l2o_solver *solver);
/* Gives it->x, g, state, scratch and work their room; it->problem, model, options and n are set before. `hessian`: work is large
 * enough for Hessian-vector products too. */
void l2o_iterate_layout(l2o_iterate *it, const l2o_solver *solver, bool hessian, l2o_arena *arena);
/* it->step: the rule's option `step`, or step_scale / L. */
l2o_status l2o_iterate_base_step(l2o_iterate *it, const l2o_solver *solver, l2o_diag *diag);
enum { L2O_TOGETHER = 4 }; /* most instances that are evaluated together: as many vectors as a matrix is read once for */
/* How many of the `count` problems a thread takes at once, beginning with the first: neighbours that belong together, as long as
 * every thread has some of the `all` problems. The numbers do not depend on it. */
size_t l2o_iterate_team(const l2o_solver *solver, const l2o_problem *problems, size_t count, size_t threads, size_t all);
/* Evaluates f and its gradient for `count` <= L2O_TOGETHER iterates whose problems belong together, ahead of the calls that will
 * ask for them and that count them. Where nothing can be gained, or the problem fails, nothing is done. */
void l2o_iterate_together(l2o_iterate *const *its, size_t count, l2o_gradient_at where);
/* The run's own stream from the first number on, and it->seed: of a run by (seed, 0, instance), in training by round in place of 0.
 */
void l2o_iterate_seed(l2o_iterate *it, uint64_t seed, uint32_t stream, uint64_t instance);
/* Counters and flags as before the first step. */
void l2o_iterate_clear(l2o_iterate *it);
/* That, and the state for a start at it->x. */
l2o_status l2o_iterate_init(l2o_iterate *it, const l2o_solver *solver);
/* Draws the minibatch of step it->k. */
void l2o_iterate_draw_batch(l2o_iterate *it);
/* The record's objective and gradient norm at it->x, evaluated without counting where they are not known. residual: NULL, or 2n
 * reals for problems whose stationarity is measured through the prox. */
l2o_status l2o_iterate_peek(l2o_iterate *it, double *objective, double *norm, l2o_real *residual);
/* Seconds of a monotonic clock. */
double l2o_seconds(void);
/* Index of an option of the solver by name, -1 if it has none of that name. */
int l2o_solver_option(const l2o_solver *solver, const char *name);
#endif
