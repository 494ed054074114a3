/* SPDX-License-Identifier: BSD-3-Clause */
/* What several tests need: tolerances by precision, problems and models to try things on, a problem that watches or breaks another
 * one, a folder for files. */
#ifndef L2O_TEST_FIXTURES_H
#define L2O_TEST_FIXTURES_H
#include "l2o_test.h"
#include <dirent.h>
#include <l2o/l2o.h>
#include <unistd.h>

/* The tolerance for the precision that the test is built in. */
#ifdef L2O_SINGLE
#define BY_PRECISION(for_double, for_single) (for_single)
#else
#define BY_PRECISION(for_double, for_single) (for_double)
#endif

static inline void assert_names(const l2o_diag *diag, const char *part) {
  if (!strstr(diag->text, part))
    fail_msg("'%s' does not say '%s'", diag->text, part);
}

static inline void assert_same_reals(const l2o_real *a, const l2o_real *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (memcmp(&a[i], &b[i], sizeof *a) != 0)
      fail_msg("entry %zu: %.17g and %.17g differ", i, (double)a[i], (double)b[i]);
}

/* ---- random numbers ---- */

static inline void normal_doubles(double *out, size_t n, uint64_t seed) {
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 77, 0);
  l2o_rng_normal(&rng, out, n);
}

static inline void normal_reals(l2o_real *out, size_t n, uint64_t seed) {
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 77, 0);
  for (size_t i = 0; i < n; i++) {
    double value;
    l2o_rng_normal(&rng, &value, 1);
    out[i] = (l2o_real)value;
  }
}

/* ---- library things that must succeed ---- */

static inline const l2o_solver *solver_named(const char *name) {
  l2o_diag diag = {""};
  const l2o_solver *solver = l2o_solver_find(name, &diag);
  if (!solver)
    fail_msg("%s", diag.text);
  return solver;
}

static inline l2o_family *family_of(const char *spec) {
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(l2o_family_new(&family, spec, &diag), L2O_OK, &diag);
  return family;
}

static inline l2o_problem sampled(const char *spec, uint64_t seed, uint64_t index) {
  l2o_problem problem;
  l2o_diag diag = {""};
  l2o_family *family = family_of(spec);
  assert_status(l2o_family_sample(family, &problem, seed, L2O_PURPOSE_EVAL, index, &diag), L2O_OK, &diag);
  l2o_family_free(family); /* instances that are drawn own their data */
  return problem;
}

static inline l2o_model *model_of(const char *spec, uint64_t seed) {
  l2o_model *model;
  l2o_diag diag = {""};
  assert_status(l2o_model_new(&model, spec, seed, &diag), L2O_OK, &diag);
  return model;
}

/* Offset and count of a model's tensor. */
static inline l2o_model_tensor tensor_named(const l2o_model *model, const char *name) {
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++)
    if (strcmp(l2o_model_tensor_at(model, i).name, name) == 0)
      return l2o_model_tensor_at(model, i);
  fail_msg("the model has no tensor %s", name);
  return (l2o_model_tensor){0};
}

/* The parameters as doubles; free() them. */
static inline double *weights_of(const l2o_model *model) {
  size_t count;
  const l2o_real *w = l2o_model_parameters(model, &count);
  double *copy = malloc(count * sizeof *copy);
  for (size_t i = 0; i < count; i++)
    copy[i] = (double)w[i];
  return copy;
}

/* Every learned tensor's entries N(0, spread^2), scalars 1. */
static inline void randomise(l2o_model *model, uint64_t seed, double spread) {
  size_t count;
  l2o_model_parameters(model, &count);
  double *w = malloc(count * sizeof *w), *own = weights_of(model);
  normal_doubles(w, count, seed);
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    l2o_model_tensor t = l2o_model_tensor_at(model, i);
    for (size_t j = t.offset; j < t.offset + t.count; j++)
      w[j] = !t.learned ? own[j] : t.rank ? spread * w[j] : 1;
  }
  free(own);
  assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
  free(w);
}

static inline double value_at(const l2o_problem *p, const l2o_real *x) {
  double f;
  l2o_real *work = malloc((l2o_problem_work_len(p) + 1) * sizeof *work);
  assert_status(l2o_problem_value(p, &f, x, work), L2O_OK, NULL);
  free(work);
  return f;
}

static inline double gradient_at(const l2o_problem *p, l2o_real *g, const l2o_real *x) {
  double f;
  l2o_real *work = malloc((l2o_problem_work_len(p) + 1) * sizeof *work);
  assert_status(l2o_problem_gradient(p, &f, g, x, work), L2O_OK, NULL);
  free(work);
  return f;
}

/* Trace of the Hessian at x. */
static inline double trace_at(const l2o_problem *p, const l2o_real *x) {
  l2o_real *work = malloc((l2o_problem_hessian_work_len(p) + 1) * sizeof *work);
  l2o_real *unit = calloc(p->n, sizeof *unit), *column = malloc(p->n * sizeof *column);
  double trace = 0;
  for (size_t j = 0; j < p->n; j++) {
    unit[j] = 1;
    assert_status(l2o_problem_hessian_vector(p, column, x, unit, work), L2O_OK, NULL);
    trace += (double)column[j];
    unit[j] = 0;
  }
  free(work);
  free(unit);
  free(column);
  return trace;
}

/* Largest absolute eigenvalue of the Hessian at x by `iterations` of the power method, and its eigenvector, from v on. */
static inline double eigenvalue_at(const l2o_problem *p, l2o_real *v, const l2o_real *x, int iterations) {
  l2o_real *work = malloc((l2o_problem_hessian_work_len(p) + 1) * sizeof *work), *product = malloc(p->n * sizeof *product);
  double eigenvalue = 0;
  for (int k = 0; k < iterations; k++) {
    assert_status(l2o_problem_hessian_vector(p, product, x, v, work), L2O_OK, NULL);
    eigenvalue = 0;
    for (size_t j = 0; j < p->n; j++)
      eigenvalue += (double)product[j] * (double)product[j];
    eigenvalue = sqrt(eigenvalue);
    for (size_t j = 0; j < p->n; j++)
      v[j] = (l2o_real)((double)product[j] / eigenvalue);
  }
  free(work);
  free(product);
  return eigenvalue;
}

/* ---- what must be refused ---- */

typedef struct refused_spec {
  const char *spec, *sentence; /* a part of it */
} refused_spec;

static inline void assert_refused_specs(const refused_spec *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    l2o_family *family;
    l2o_diag diag = {""};
    assert_status(l2o_family_new(&family, cases[i].spec, &diag), L2O_ERR_ARG, NULL);
    assert_names(&diag, cases[i].sentence);
    assert_null(family);
  }
}

/* ---- problems of a user ---- */

/* Rosenbrock's valley in two unknowns, minimum 0 at (1, 1); a gradient and nothing else. */
static inline l2o_status rosenbrock(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  double a = 1 - (double)x[0], b = (double)x[1] - (double)x[0] * (double)x[0];
  (void)p, (void)work;
  *f = a * a + 100 * b * b;
  g[0] = (l2o_real)(-2 * a - 400 * b * (double)x[0]);
  g[1] = (l2o_real)(200 * b);
  return L2O_OK;
}
static const l2o_problem_ops rosenbrock_ops = {.struct_size = sizeof rosenbrock_ops, .name = "rosenbrock", .gradient = rosenbrock};
static const l2o_problem rosenbrock_problem = {.ops = &rosenbrock_ops, .n = 2};

/* Without a lower bound: -sum x_i, and -|x|^2. */
static inline l2o_status falling_linear(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    *f -= (double)x[i];
    g[i] = -1;
  }
  return L2O_OK;
}
static inline l2o_status falling_concave(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    *f -= (double)x[i] * (double)x[i];
    g[i] = -2 * x[i];
  }
  return L2O_OK;
}

/* |x|^2, known by its values only. */
static inline l2o_status values_only(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++)
    *f += (double)x[i] * (double)x[i];
  return L2O_OK;
}
static const l2o_problem_ops values_only_ops = {.struct_size = sizeof values_only_ops, .name = "values-only", .value = values_only};
static const l2o_problem values_only_problem = {.ops = &values_only_ops, .n = 3};

/* A problem that counts the calls to another one and spoils the answers from call `from` (1, 2, ...; 0: never) on. */
typedef enum l2o_spoil { SPOIL_FAIL, SPOIL_NAN, SPOIL_INFINITE, SPOIL_GRADIENT } l2o_spoil;
typedef struct watcher {
  l2o_problem problem; /* hand this to the library */
  const l2o_problem *inner;
  size_t values, gradients, products, from;
  l2o_spoil spoil;
} watcher;

static inline l2o_status spoil(watcher *w, double *f, l2o_real *g) {
  size_t calls = w->values > w->gradients ? w->values : w->gradients;
  if (!w->from || calls < w->from)
    return L2O_OK;
  if (w->spoil == SPOIL_FAIL)
    return L2O_ERR_IO; /* whatever a callback answers */
  if (w->spoil == SPOIL_GRADIENT && g)
    g[0] = (l2o_real)NAN;
  else
    *f = w->spoil == SPOIL_NAN ? (double)NAN : (double)INFINITY;
  return L2O_OK;
}
static inline size_t watched_work(const l2o_problem *p) {
  const watcher *w = p->data;
  return l2o_problem_work_len(w->inner);
}
static inline l2o_status watched_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  watcher *w = (watcher *)(uintptr_t)p->data;
  w->values++;
  l2o_status status = l2o_problem_value(w->inner, f, x, work);
  return status ? status : spoil(w, f, NULL);
}
static inline l2o_status watched_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  watcher *w = (watcher *)(uintptr_t)p->data;
  w->values++;
  w->gradients++;
  l2o_status status = l2o_problem_gradient(w->inner, f, g, x, work);
  return status ? status : spoil(w, f, g);
}
static inline l2o_status watched_product(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  watcher *w = (watcher *)(uintptr_t)p->data;
  w->products++;
  return l2o_problem_hessian_vector(w->inner, hv, x, v, work);
}
static inline l2o_status watched_lipschitz(const l2o_problem *p, double *constant) {
  return l2o_problem_lipschitz(((const watcher *)p->data)->inner, constant);
}
static inline l2o_status watched_trace(const l2o_problem *p, double *trace) {
  return l2o_problem_hessian_trace(((const watcher *)p->data)->inner, trace);
}
static const l2o_problem_ops watched_ops = {.struct_size = sizeof watched_ops,
                                            .name = "watched",
                                            .work_len = watched_work,
                                            .value = watched_value,
                                            .gradient = watched_gradient,
                                            .lipschitz = watched_lipschitz,
                                            .hessian_trace = watched_trace};
static const l2o_problem_ops watched_with_products = {.struct_size = sizeof watched_with_products,
                                                      .name = "watched",
                                                      .work_len = watched_work,
                                                      .value = watched_value,
                                                      .gradient = watched_gradient,
                                                      .hessian_vector = watched_product,
                                                      .lipschitz = watched_lipschitz,
                                                      .hessian_trace = watched_trace};

static inline void watch(watcher *w, const l2o_problem *inner) {
  const l2o_problem_ops *ops = l2o_problem_has_hessian_vector(inner) ? &watched_with_products : &watched_ops;
  *w = (watcher){.problem = {.ops = ops, .data = w, .n = inner->n}, .inner = inner};
}

/* ---- a folder for each test: setup and teardown of cmocka ---- */

static char folder[] = "/tmp/l2o_test_XXXXXX";
static char in_folder_path[sizeof folder + 40];

static inline const char *in_folder(const char *name) {
  snprintf(in_folder_path, sizeof in_folder_path, "%s/%s", folder, name);
  return in_folder_path;
}
static inline int make_folder(void **state) {
  (void)state;
  strcpy(folder + sizeof folder - 7, "XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}
static inline int remove_folder(void **state) {
  (void)state;
  DIR *directory = opendir(folder);
  for (const struct dirent *entry; directory && (entry = readdir(directory));) {
    char full[sizeof folder + sizeof entry->d_name + 1];
    snprintf(full, sizeof full, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] != '.')
      unlink(full);
  }
  if (directory)
    closedir(directory);
  return rmdir(folder);
}

/* A model whose learned entries are N(0, spread^2). */
static inline l2o_model *random_model(const char *spec, double spread, uint64_t seed) {
  l2o_model *model = model_of(spec, 1);
  randomise(model, seed, spread);
  return model;
}

/* Where `count` steps from the problem's start end; rates: minus f before the first and after every one, or NULL. */
static inline l2o_result rates_along(const char *rule, const char *options, const l2o_model *model, const l2o_problem *p,
                                     l2o_real *x, double *rates, size_t count) {
  l2o_settings s = l2o_settings_default();
  l2o_diag diag = {""};
  l2o_result result;
  l2o_trace *trace;
  assert_status(l2o_trace_new(&trace, count + 1, 0), L2O_OK, NULL);
  s.options = options, s.iterations = count, s.traces = &trace;
  assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  assert_status(l2o_minimize(solver_named(rule), model, p, x, &result, &s, &diag), L2O_OK, &diag);
  size_t seen;
  const l2o_record *records = l2o_trace_records(trace, &seen);
  assert_int_equal(seen, count + 1);
  for (size_t k = 0; rates && k <= count; k++)
    rates[k] = -records[k].objective;
  l2o_trace_free(trace);
  return result;
}
#endif
