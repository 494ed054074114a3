/* SPDX-License-Identifier: BSD-3-Clause */
/* GSL's minimisers as solvers, for comparison. Compiled once a precision; GSL itself always works in double. */
#ifndef L2O_CLI_GSL_SOLVERS_H
#define L2O_CLI_GSL_SOLVERS_H
#include <l2o/solver.h>

#ifdef L2O_SINGLE
#define gsl_solvers gsl_solvers_single
#else
#define gsl_solvers gsl_solvers_double
#endif
extern const l2o_solver *const gsl_solvers[]; /* ends with NULL; empty without L2O_WITH_GSL */
#ifndef L2O_SINGLE
/* GSL's error handler, which would abort the program, is the program's to switch off. */
void gsl_solvers_start(void);
#endif
#endif
