/* SPDX-License-Identifier: BSD-3-Clause */
/* GSL's minimisers as solvers: their answers, their counts, and how they take what is not finite. */
#include "engine.h"
#include "gsl_solvers.h"
#include "l2o_test.h"

typedef struct counts {
  size_t values, gradients;
  size_t fail_at, poison_at; /* call that fails, or that answers not-a-number; 0: none */
} counts;

/* Rosenbrock's function. */
static double rosenbrock(const l2o_real *x, l2o_real *g) {
  double a = 1 - x[0], b = x[1] - x[0] * x[0];
  if (g) {
    g[0] = -2 * a - 400 * x[0] * b;
    g[1] = 200 * b;
  }
  return a * a + 100 * b * b;
}

static l2o_status answer(counts *c, double *f) {
  size_t calls = c->values + c->gradients;
  if (calls == c->poison_at)
    *f = nan("");
  return calls == c->fail_at ? L2O_ERR_IO : L2O_OK;
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  counts *c = (counts *)p->data;
  (void)work;
  c->values++;
  *f = rosenbrock(x, NULL);
  return answer(c, f);
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  counts *c = (counts *)p->data;
  (void)work;
  c->gradients++;
  *f = rosenbrock(x, g);
  return answer(c, f);
}

static const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "rosenbrock", .value = value, .gradient = gradient};

static l2o_result minimize(const l2o_solver *solver, counts *c, l2o_real *x) {
  l2o_problem p = {.ops = &ops, .data = c, .n = 2};
  l2o_settings s = l2o_settings_default();
  l2o_result result;
  l2o_diag diag;
  s.iterations = 500;
  x[0] = -1.2;
  x[1] = 1;
  l2o_minimize(solver, NULL, &p, x, &result, &s, &diag);
  return result;
}

static void test_answers_and_counts(void **state) {
  (void)state;
  for (size_t i = 0; gsl_solvers[i]; i++) {
    l2o_real x[2];
    counts c = {0};
    l2o_result r = minimize(gsl_solvers[i], &c, x);
    const bool values_only = !(gsl_solvers[i]->needs & L2O_NEEDS_GRADIENT);
    print_message("%s: %zu iterations, %zu value and %zu gradient calls, f = %g, %s\n", gsl_solvers[i]->name, r.last.iteration,
                  r.last.value_calls, r.last.gradient_calls, r.last.objective, l2o_stop_name(r.stop));
    assert_status(r.status, L2O_OK, NULL);
    assert_close(x[0], 1, 0, 1e-4);
    assert_close(x[1], 1, 0, 1e-4);
    assert_close(r.last.objective, rosenbrock(x, NULL), 0, 0);
    /* A fused call counts as one of each; the call for the record of the simplex method is not counted. */
    assert_int_equal(r.last.gradient_calls, c.gradients - (values_only ? 1 : 0));
    assert_int_equal(r.last.value_calls, c.values + r.last.gradient_calls);
  }
}

/* Whatever call fails or answers not-a-number, the run ends in order and x stays finite. */
static void test_failures(void **state) {
  (void)state;
  for (size_t i = 0; gsl_solvers[i]; i++)
    for (size_t at = 1; at < 60; at++) {
      l2o_real x[2];
      counts fails = {.fail_at = at}, poisons = {.poison_at = at};
      l2o_result r = minimize(gsl_solvers[i], &fails, x);
      assert_status(r.status, L2O_ERR_CALLBACK, NULL);
      assert_true(isfinite(x[0]) && isfinite(x[1]));
      r = minimize(gsl_solvers[i], &poisons, x);
      assert_status(r.status, L2O_OK, NULL);
      assert_true(isfinite(x[0]) && isfinite(x[1]));
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers_and_counts), cmocka_unit_test(test_failures)};
  engine_start();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
