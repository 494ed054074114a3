/* SPDX-License-Identifier: BSD-3-Clause */
/* The solvers that registry.c lists, one file each. */
#ifndef L2O_SOLVERS_H
#define L2O_SOLVERS_H
#include <l2o/solver.h>

extern const l2o_solver l2o_gd;
extern const l2o_solver l2o_nesterov;
extern const l2o_solver l2o_adam;
extern const l2o_solver l2o_math_l2o_gd;

/* Options that every rule with a base step has, first in its table. */
#define L2O_STEP_OPTIONS                                                                                                           \
  {"step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "step size; 0: step_scale / L of the problem"}, {                                    \
    "step_scale", L2O_OPTION_REAL, 0.9999, 1e-12, 1e6, NULL, "step size times L, where step is 0"                                  \
  }
#endif
