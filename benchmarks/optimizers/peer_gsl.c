/* SPDX-License-Identifier: BSD-3-Clause */
/* GSL's minimisers with gradients; first step 0.01 and line search 0.1 as in its manual. */
#include "peers.h"
#include <string.h>
#ifdef BENCH_WITH_GSL
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multimin.h>
#include <gsl/gsl_version.h>

static const double FIRST_STEP = 0.01, LINE_SEARCH = 0.1;

static double value(const gsl_vector *x, void *b) {
  return bench_value(b, x->data);
}
static void gradient(const gsl_vector *x, void *b, gsl_vector *g) {
  bench_gradient(b, x->data, g->data);
}
static void value_and_gradient(const gsl_vector *x, void *b, double *f, gsl_vector *g) {
  *f = bench_evaluate(b, x->data, g->data);
}

static const char *run(const peer *self, bench *b, double *x) {
  const gsl_multimin_fdfminimizer_type *type =
      strcmp(self->method, "vector_bfgs2") == 0 ? gsl_multimin_fdfminimizer_vector_bfgs2 : gsl_multimin_fdfminimizer_conjugate_fr;
  const size_t n = bench_n(b);
  gsl_multimin_function_fdf function = {value, gradient, value_and_gradient, n, b};
  gsl_vector_const_view start = gsl_vector_const_view_array(x, n);
  gsl_set_error_handler_off();
  gsl_multimin_fdfminimizer *minimizer = gsl_multimin_fdfminimizer_alloc(type, n);
  if (!minimizer)
    return "out of memory";
  int answer = gsl_multimin_fdfminimizer_set(minimizer, &function, &start.vector, FIRST_STEP, LINE_SEARCH);
  while (!answer && !bench_over(b)) {
    answer = gsl_multimin_fdfminimizer_iterate(minimizer);
    bench_iteration(b);
  }
  gsl_multimin_fdfminimizer_free(minimizer);
  return answer == GSL_ENOPROG ? "no progress" : answer ? "failed" : "over";
}

const peer peers_gsl[] = {
    {"GSL vector_bfgs2", 0, run, "vector_bfgs2"}, {"GSL conjugate_fr", 0, run, "conjugate_fr"}, {NULL, 0, NULL, NULL}};

const char *version_gsl(void) {
  return "GSL " GSL_VERSION;
}
#else
const peer peers_gsl[] = {{NULL, 0, NULL, NULL}};
const char *version_gsl(void) {
  return "";
}
#endif
