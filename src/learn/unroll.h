/* SPDX-License-Identifier: BSD-3-Clause */
/* Instances through one segment, forward and back, by one thread: one of them, or a few that share their data in step. */
#ifndef L2O_LEARN_UNROLL_H
#define L2O_LEARN_UNROLL_H
#include "solve/iterate.h"
#include <l2o/train.h>

/* One instance in the hands of a thread. */
typedef struct l2o_lane {
  l2o_iterate it;
  l2o_rng rng;
  const l2o_real *hessian;  /* a triangle, see core/matrix.h; NULL: the problem multiplies itself */
  double minimum;           /* f*, for the loss log-gap */
  const l2o_real *solution; /* x*, for the loss solution */
  l2o_real *state;          /* room for it.state, which may lie elsewhere */
  l2o_real *tape;           /* (unroll, tape_len) */
  l2o_real *slopes;         /* (unroll, n); dloss/dx_j = weights[j - 1] slopes[j - 1], */
  double *weights;          /* (unroll) only where the loss looks at x_j */
  l2o_real *dx, *dstate, *dg, *hv;
  double *sum; /* accumulators that the backward pass adds to */
  double loss;
  l2o_status status;
} l2o_lane;

/* Memory of one thread. */
typedef struct l2o_worker {
  l2o_lane lane[L2O_TOGETHER];
} l2o_worker;

/* Room for segments of `unroll` steps; it.problem (with the largest work), model, options and n are set before. */
void l2o_lane_layout(l2o_lane *lane, const l2o_solver *solver, const l2o_train_settings *settings, size_t unroll, l2o_arena *arena);

/* Weight of the j-th term, j = 1..U, in the loss of a segment of U steps. */
double l2o_loss_weight(l2o_loss loss, size_t j, size_t U);

/* Runs U steps of `count` instances that belong together from it.x and it.state (both left at their new values, f and g known),
 * recording, and sets their loss and status; then sweeps back through all steps but the first `from` and adds
 * factor * dloss/dparameters to their sums. L2O_ERR_NUMERIC: something was not finite. A lane that comes with a status is left
 * alone. */
void l2o_unroll(l2o_lane *lanes, size_t count, const l2o_solver *solver, const l2o_train_settings *settings, size_t U, size_t from,
                double factor);

/* U steps without a record; their loss is what l2o_trainer_validate() reports of an instance. */
void l2o_unroll_forward(l2o_lane *lanes, size_t count, const l2o_solver *solver, l2o_loss loss, size_t U);

/* One step of one lane back: step_vjp(), and what its gradient adds by the Hessian. */
l2o_status l2o_step_back(l2o_lane *lane, const l2o_solver *solver, const l2o_real *tape, l2o_stop_gradient mode);
#endif
