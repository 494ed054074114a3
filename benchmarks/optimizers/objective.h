/* SPDX-License-Identifier: BSD-3-Clause */
/* The one function that every solver of this comparison calls, from C or through ctypes: it evaluates a problem of the library,
 * counts, and keeps a log from which all are judged alike, after the run and whatever they thought of their own progress. */
#ifndef BENCH_OBJECTIVE_H
#define BENCH_OBJECTIVE_H
#include <l2o/l2o.h>

/* A problem and the log of the run on it. */
typedef struct bench bench;

/* Names of the problems, NULL behind the last. */
L2O_API const char *bench_problem_name(size_t index);
/* The problem of that name, whose data files are in `folder`; NULL and a sentence on stderr if it cannot be made. */
L2O_API bench *bench_open(const char *name, const char *folder);
L2O_API void bench_close(bench *b);
L2O_API size_t bench_n(const bench *b);
L2O_API size_t bench_budget(const bench *b);

/* Starts a run: the customary start goes to x0. It is over when the budget of evaluations or `seconds` are used up, or when f <=
 * target; what is called after that is not logged. */
L2O_API void bench_begin(bench *b, double *x0, double seconds, double target);
/* f(x); the fused call, f(x) and g = grad f(x); and g alone. Not-a-number where the problem fails. */
L2O_API double bench_value(bench *b, const double *x);
L2O_API double bench_evaluate(bench *b, const double *x, double *g);
L2O_API void bench_gradient(bench *b, const double *x, double *g);
/* An iteration of the solver is done. */
L2O_API void bench_iteration(bench *b);
L2O_API bool bench_over(const bench *b);
/* Ends the run, for that reason in the solver's own words (no commas). */
L2O_API void bench_end(bench *b, const char *reason);

/* Appends the log to a file, as lines of comma-separated values beginning with problem, n, solver:
 *   start,f,g                            of the first call, in hexadecimal: the same bits for everybody
 *   f,values,gradients,evaluations,f     whenever the best value so far was found
 *   stationary,values,gradients,evaluations,f    the first point, best so far, with |g|_inf <= 1e-5 max(1, |x|_inf)
 *   end,values,gradients,evaluations,iterations,f,seconds outside the callback,reason */
L2O_API void bench_write(const bench *b, const char *solver, const char *path);

/* The run's time outside the callback until it was over, iterations and evaluations until then, and whether it met the target. */
typedef struct bench_cost {
  double seconds;
  size_t iterations, evaluations;
  int reached;
} bench_cost;
L2O_API bench_cost bench_cost_of(const bench *b);
#endif
