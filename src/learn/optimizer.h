/* SPDX-License-Identifier: BSD-3-Clause */
/* Meta-optimizers and learning-rate schedules, on flat arrays of doubles. */
#ifndef L2O_LEARN_OPTIMIZER_H
#define L2O_LEARN_OPTIMIZER_H
#include <l2o/train.h>

/* Learning rate of training step i = 0, 1, ... */
double l2o_schedule_rate(const l2o_train_settings *settings, size_t i);

/* w = w - rate g */
void l2o_sgd_update(double *w, const double *g, double rate, size_t n);

/* Adam (Kingma and Ba 2015): m, v are updated, `t` = 1 for the first update.
 *   m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w = w - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon) */
void l2o_adam_update(double *w, double *m, double *v, const double *g, const l2o_train_settings *settings, double rate, size_t t,
                     size_t n);
#endif
