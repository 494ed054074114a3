/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the states of rules with a recurrent network (nn/recurrent.h) begin. */
#ifndef L2O_SOLVERS_RECURRENT_START_H
#define L2O_SOLVERS_RECURRENT_START_H
#include "nn/recurrent.h"
#include "solvers.h"

/* h and c of all layers and coordinates: those that the problem brings along, else zero, or deviation times N(0, 1) of the rule's
 * own stream. */
l2o_status l2o_recurrent_start(const l2o_iterate *it, const l2o_recurrent_shape *shape, l2o_real *state, double deviation);
/* Are the states that the problem brings along, if any, those of such a network? A sentence if not. */
l2o_status l2o_recurrent_start_check(const l2o_iterate *it, const l2o_recurrent_shape *shape, l2o_diag *diag);
#endif
