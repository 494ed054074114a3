/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiled once with each precision: draws a problem and minimises it. */
#include <l2o/l2o.h>

#ifdef L2O_SINGLE
double run_single(void);
#define RUN run_single
#else
double run_double(void);
#define RUN run_double
#endif

/* The objective after 200 steps of gradient descent, relative to the start; negative if anything failed. */
double RUN(void) {
  enum { n = 8 };
  l2o_family *family = NULL;
  l2o_problem problem;
  l2o_real x[n] = {0};
  l2o_result result;
  double start, ratio = -1;
  l2o_real work[4096];
  if (l2o_family_new(&family, "qp:n=8,m=6", NULL))
    return -1;
  if (!l2o_family_sample(family, &problem, 1, L2O_PURPOSE_EVAL, 0, NULL)) {
    l2o_settings settings = l2o_settings_default();
    settings.iterations = 200;
    if (l2o_problem_work_len(&problem) <= sizeof work / sizeof *work && !l2o_problem_value(&problem, &start, x, work) &&
        !l2o_minimize(l2o_solver_find("gd", NULL), NULL, &problem, x, &result, &settings, NULL))
      ratio = result.last.objective / start;
    l2o_problem_free(&problem);
  }
  l2o_family_free(family);
  return ratio;
}
