/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run carries from one step to the next, for run_file.c. */
#ifndef L2O_SOLVE_RUN_H
#define L2O_SOLVE_RUN_H
#include <l2o/solver.h>

typedef struct l2o_run_memory {
  const l2o_solver *solver;
  l2o_iterate *it;
  l2o_real *previous; /* (n) where the run goes back to when a step breaks down; NULL: none is kept */
  double *seconds;
  bool *known; /* is that the present point? */
  bool guarded, started;
} l2o_run_memory;

l2o_run_memory l2o_run_memory_of(l2o_run *run);
#endif
