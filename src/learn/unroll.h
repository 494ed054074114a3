/* SPDX-License-Identifier: BSD-3-Clause */
/* One instance through one segment, forward and back. */
#ifndef L2O_LEARN_UNROLL_H
#define L2O_LEARN_UNROLL_H
#include "solve/iterate.h"
#include <l2o/train.h>

/* Memory of one thread. */
typedef struct l2o_worker {
  l2o_iterate it;
  l2o_rng rng;
  l2o_real *tape;   /* (unroll, tape_len) */
  l2o_real *slopes; /* (unroll, n) gradients at the points on the way; only where the loss looks at them */
  l2o_real *dx, *dstate;
} l2o_worker;

/* Room for segments of `unroll` steps; it->problem (with the largest work), model, options and n are set before. */
void l2o_worker_layout(l2o_worker *w, const l2o_solver *solver, const l2o_train_settings *settings, size_t unroll,
                       l2o_arena *arena);

/* Weight of f_j, j = 1..U, in the loss of a segment of U steps. */
double l2o_loss_weight(l2o_loss loss, size_t j, size_t U);

/* Runs U steps from w->it.x and w->it.state (both left at their new values), recording, and sums the loss; then, if `sum` is not
 * NULL, sweeps back and adds factor * dloss/dparameters to it. L2O_ERR_NUMERIC: something was not finite. */
l2o_status l2o_unroll(l2o_worker *w, double *loss, double *sum, const l2o_solver *solver, const l2o_train_settings *settings,
                      size_t U, double factor);
#endif
