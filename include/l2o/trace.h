/* SPDX-License-Identifier: BSD-3-Clause */
/** @file trace.h
 *  What happened in a run, iteration by iteration: one trace per (solver, instance), allocated before the run. */
#ifndef L2O_TRACE_H
#define L2O_TRACE_H
#include <l2o/base.h>
#ifdef __cplusplus
extern "C" {
#endif

/** State after `iteration` steps. Calls are what the rule needed to get here: a fused value-and-gradient call adds one to each;
 *  evaluations made only for the record are not counted and their time is left out of `seconds`. */
typedef struct l2o_record {
  size_t iteration;
  double objective; /**< f(x), of the whole sum also where the rule takes minibatches */
  /** |grad f(x)|_2; not-a-number where the problem has no gradient. Composite or constrained problems: |x - prox(x - grad f(x))|_2
   *  with the prox of step 1, which vanishes exactly at stationary points; rules that do not take the prox: |grad f + subgradient|.
   */
  double gradient_norm;
  size_t value_calls, gradient_calls;
  size_t fallbacks; /**< steps taken back so far: learned points that the guard rejected, perturbations without a finite value */
  double seconds;   /**< time inside steps so far */
  /** Calls charged to the budget: the larger of both counts, less what the rule's own way of counting leaves out (zeroth-order
   * rules with counting=differences). */
  size_t charged;
} l2o_record;

typedef struct l2o_trace l2o_trace;

/** Room for `capacity` records (iterations + 1), and for as many iterates of n reals if n > 0; later records are dropped. */
L2O_API l2o_status l2o_trace_new(l2o_trace **out, size_t capacity, size_t n);
L2O_API void l2o_trace_free(l2o_trace *trace);
/** The records so far, in order. */
L2O_API const l2o_record *l2o_trace_records(const l2o_trace *trace, size_t *count);
/** Iterates (count, n) row-major that belong to the records; NULL if none were asked for. */
L2O_API const l2o_real *l2o_trace_iterates(const l2o_trace *trace);

#ifdef __cplusplus
}
#endif
#endif
