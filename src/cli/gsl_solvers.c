/* SPDX-License-Identifier: BSD-3-Clause */
/* GSL's minimisers wrapped as solvers: one step is one of their iterations, and every call that they make is counted like ours.
 * GSL asks for the gradient alone where we have only value and gradient together, which counts as one call of each. */
#include "gsl_solvers.h"

#ifdef L2O_WITH_GSL
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multimin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifndef L2O_SINGLE
void gsl_solvers_start(void) {
  gsl_set_error_handler_off();
}
#endif

typedef struct peer {
  l2o_iterate *it;
  gsl_multimin_fdfminimizer *with_gradient; /* one of these two */
  gsl_multimin_fminimizer *with_values;
  gsl_multimin_function_fdf fdf;
  gsl_multimin_function f;
  gsl_vector *start, *size;
  l2o_real *x, *g;   /* GSL's doubles as our reals */
  l2o_status status; /* of the first callback that failed */
} peer;

/* A solver's memory is an array of reals; ours is on the heap, and the array holds its address. */
static size_t state_len(const l2o_iterate *it) {
  (void)it;
  return (sizeof(peer *) + sizeof(l2o_real) - 1) / sizeof(l2o_real);
}

static peer *recall(const l2o_iterate *it) {
  peer *p;
  memcpy(&p, it->state, sizeof p);
  return p;
}

static void to_real(l2o_real *out, const gsl_vector *v) {
  for (size_t i = 0; i < v->size; i++)
    out[i] = (l2o_real)gsl_vector_get(v, i);
}

/* Not finite is an ordinary answer to a line search; anything else is kept for step(). */
static void note(peer *p, l2o_status status) {
  if (status != L2O_OK && status != L2O_ERR_NUMERIC && p->status == L2O_OK)
    p->status = status;
}

static double value(const gsl_vector *x, void *context) {
  peer *p = context;
  double f = 0;
  to_real(p->x, x);
  l2o_status status = l2o_iterate_value_at(p->it, &f, p->x);
  note(p, status);
  return status == L2O_OK ? f : nan("");
}

static void value_and_gradient(const gsl_vector *x, void *context, double *f, gsl_vector *g) {
  peer *p = context;
  *f = 0;
  to_real(p->x, x);
  l2o_status status = l2o_iterate_gradient_at(p->it, f, p->g, p->x);
  note(p, status);
  if (status != L2O_OK)
    *f = nan("");
  for (size_t i = 0; i < g->size; i++)
    gsl_vector_set(g, i, status == L2O_OK ? (double)p->g[i] : nan(""));
}

static void gradient(const gsl_vector *x, void *context, gsl_vector *g) {
  double f;
  value_and_gradient(x, context, &f, g);
}

static void done(l2o_iterate *it) {
  peer *p = recall(it);
  if (!p)
    return;
  if (p->with_gradient)
    gsl_multimin_fdfminimizer_free(p->with_gradient);
  if (p->with_values)
    gsl_multimin_fminimizer_free(p->with_values);
  if (p->start)
    gsl_vector_free(p->start);
  if (p->size)
    gsl_vector_free(p->size);
  free(p->x);
  free(p->g);
  free(p);
  p = NULL;
  memcpy(it->state, &p, sizeof p);
}

/* Exactly one of the types is given. The state is zeroed before init, so that done() finds NULL if we fail early. */
static l2o_status begin(l2o_iterate *it, const gsl_multimin_fdfminimizer_type *fdf_type,
                        const gsl_multimin_fminimizer_type *f_type) {
  peer *p = calloc(1, sizeof *p);
  memcpy(it->state, &p, sizeof p);
  if (!p)
    return L2O_ERR_NOMEM;
  const size_t n = it->n;
  p->it = it;
  p->fdf = (gsl_multimin_function_fdf){value, gradient, value_and_gradient, n, p};
  p->f = (gsl_multimin_function){value, n, p};
  p->x = malloc(n * sizeof *p->x);
  p->g = malloc(n * sizeof *p->g);
  p->start = gsl_vector_alloc(n);
  p->size = gsl_vector_alloc(n);
  if (fdf_type)
    p->with_gradient = gsl_multimin_fdfminimizer_alloc(fdf_type, n);
  else
    p->with_values = gsl_multimin_fminimizer_alloc(f_type, n);
  if (!p->x || !p->g || !p->start || !p->size || (!p->with_gradient && !p->with_values)) {
    done(it);
    return L2O_ERR_NOMEM;
  }
  for (size_t i = 0; i < n; i++)
    gsl_vector_set(p->start, i, (double)it->x[i]);
  gsl_vector_set_all(p->size, it->options[0]);
  if (fdf_type)
    gsl_multimin_fdfminimizer_set(p->with_gradient, &p->fdf, p->start, it->options[0], it->options[1]);
  else
    gsl_multimin_fminimizer_set(p->with_values, &p->f, p->start, p->size);
  l2o_status status = p->status;
  if (status != L2O_OK)
    done(it);
  return status; /* a start that is not finite is for the first step to say */
}

/* GSL's answer to an iteration that ended at objective f. */
static l2o_status judge(peer *p, int answer, double f, l2o_stop *stop) {
  if (p->status != L2O_OK)
    return p->status;
  if (!isfinite(f) || answer == GSL_EBADFUNC)
    return L2O_ERR_NUMERIC;
  if (answer != GSL_SUCCESS)
    *stop = L2O_STOP_STALLED; /* GSL_ENOPROG and its relatives: x is as good as it gets */
  return L2O_OK;
}

static l2o_status step_with_gradient(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  peer *p = recall(it);
  p->it = it;
  int answer = gsl_multimin_fdfminimizer_iterate(p->with_gradient);
  l2o_status status = judge(p, answer, p->with_gradient->f, stop);
  to_real(it->x, p->with_gradient->x);
  l2o_iterate_moved(it);
  it->f = p->with_gradient->f;
  to_real(it->g, p->with_gradient->gradient);
  it->has_gradient = status == L2O_OK;
  return status;
}

static l2o_status step_with_values(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  peer *p = recall(it);
  p->it = it;
  int answer = gsl_multimin_fminimizer_iterate(p->with_values);
  to_real(it->x, p->with_values->x);
  return judge(p, answer, p->with_values->fval, stop);
}

static l2o_status init_bfgs2(l2o_iterate *it) {
  return begin(it, gsl_multimin_fdfminimizer_vector_bfgs2, NULL);
}
static l2o_status init_conjugate_fr(l2o_iterate *it) {
  return begin(it, gsl_multimin_fdfminimizer_conjugate_fr, NULL);
}
static l2o_status init_nmsimplex2(l2o_iterate *it) {
  return begin(it, NULL, gsl_multimin_fminimizer_nmsimplex2);
}

/* begin() reads them by position. */
static const l2o_option line_search_options[] = {
    {"first_step", L2O_OPTION_REAL, 0.01, 1e-12, 1e12, NULL, "length of the first trial step"},
    {"tol", L2O_OPTION_REAL, 0.1, 0, 1, NULL, "accuracy of the line search"},
    {0}};
static const l2o_option simplex_options[] = {{"size", L2O_OPTION_REAL, 1, 1e-12, 1e12, NULL, "edge of the first simplex"}, {0}};

static const l2o_solver bfgs2 = {.struct_size = sizeof(l2o_solver),
                                 .name = "gsl-bfgs2",
                                 .meaning = "BFGS with Fletcher's line search, by GSL (vector_bfgs2)",
                                 .needs = L2O_NEEDS_GRADIENT,
                                 .options = line_search_options,
                                 .state_len = state_len,
                                 .init = init_bfgs2,
                                 .step = step_with_gradient,
                                 .done = done};
static const l2o_solver conjugate_fr = {.struct_size = sizeof(l2o_solver),
                                        .name = "gsl-conjugate-fr",
                                        .meaning = "Fletcher-Reeves conjugate gradients, by GSL (conjugate_fr)",
                                        .needs = L2O_NEEDS_GRADIENT,
                                        .options = line_search_options,
                                        .state_len = state_len,
                                        .init = init_conjugate_fr,
                                        .step = step_with_gradient,
                                        .done = done};
static const l2o_solver nmsimplex2 = {.struct_size = sizeof(l2o_solver),
                                      .name = "gsl-nmsimplex2",
                                      .meaning = "Nelder-Mead simplex search by values alone, by GSL (nmsimplex2)",
                                      .options = simplex_options,
                                      .state_len = state_len,
                                      .init = init_nmsimplex2,
                                      .step = step_with_values,
                                      .done = done};

const l2o_solver *const gsl_solvers[] = {&bfgs2, &conjugate_fr, &nmsimplex2, NULL};

#else
const l2o_solver *const gsl_solvers[] = {NULL};
#ifndef L2O_SINGLE
void gsl_solvers_start(void) {}
#endif
#endif
