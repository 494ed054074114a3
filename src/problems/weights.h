/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef L2O_PROBLEMS_WEIGHTS_H
#define L2O_PROBLEMS_WEIGHTS_H
#include <l2o/network.h>

/* As l2o_weights_load(), into an array of the caller's to free(); *x is NULL on failure. */
l2o_status l2o_weights_read(const l2o_problem *p, l2o_real **x, const char *path, l2o_diag *diag);
#endif
