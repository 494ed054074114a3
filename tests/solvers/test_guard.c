/* SPDX-License-Identifier: BSD-3-Clause */
/* What the guard of learned rules promises, kept under weights that do their worst: docs/guides/guard.md. */
#include "l2o_fixtures.h"

enum { N = 8, STEPS = 400 };

/* Models that are of no use, or worse. */
typedef struct adversary {
  const char *name, *options;
  double spread;      /* of random weights */
  double output;      /* what w3 is set to, where it is not 0 */
  bool breaks_itself; /* without a guard the run diverges */
} adversary;

#ifdef L2O_SINGLE
#define HUGE_WEIGHT 1e30
#else
#define HUGE_WEIGHT 1e300
#endif

static const adversary ADVERSARIES[] = {
    {"tiny random", "", 0.1, 0, false},
    {"random", "", 0.6, 0, false},
    {"large random", "", 30, 0, false},
    {"random identity", "scale=identity", 0.6, 0, false},
    {"random exp", "scale=exp", 1, 0, false},
    {"steps near zero", "scale=sigmoid", 1, -1e3, false},
    {"steps upwards", "scale=identity", 1, -1, true},
    {"huge steps upwards", "scale=identity", 1, -1e4, true},
    {"overflow", "scale=exp", 1, 1e4, true},
    {"huge weights", "scale=identity", HUGE_WEIGHT, 0, true},
};
enum { ADVERSARY_COUNT = sizeof ADVERSARIES / sizeof *ADVERSARIES };

static l2o_model *model_by(const char *rule, const adversary *a, uint64_t seed) {
  char spec[96];
  snprintf(spec, sizeof spec, "%s:hidden=32%s%s", rule, *a->options ? "," : "", a->options);
  l2o_model *model = model_of(spec, 0);
  randomise(model, seed, a->spread);
  if (a->output != 0) { /* W1 that no coordinate is dead for, W2 positive: the output is w3 times something positive */
    size_t count;
    l2o_model_parameters(model, &count);
    double *w = weights_of(model);
    memcpy(w, (double[]){1, -1, 0.1, 0.1}, 4 * sizeof *w);
    for (size_t j = 4; j < 4 + 2 * 32; j++)
      w[j] = fabs(w[j]) + 0.1;
    for (size_t j = 0; j < 32; j++)
      w[4 + 2 * 32 + j] = a->output;
    assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
    free(w);
  }
  return model;
}

typedef struct path {
  l2o_trace *trace;
  const l2o_record *records;
  const l2o_real *x; /* (STEPS + 1, n) */
  size_t count;
  l2o_result result;
} path;

static path follow(const char *rule, const l2o_model *model, const char *options, const l2o_problem *p, const l2o_real *start,
                   size_t steps) {
  path t;
  l2o_diag diag = {""};
  l2o_real x[N] = {0};
  if (start)
    memcpy(x, start, p->n * sizeof *x);
  assert_status(l2o_trace_new(&t.trace, steps + 1, p->n), L2O_OK, NULL);
  l2o_settings s = l2o_settings_default();
  s.iterations = steps, s.options = options, s.traces = &t.trace;
  assert_status(l2o_minimize(solver_named(rule), model, p, x, &t.result, &s, &diag), L2O_OK, &diag);
  t.records = l2o_trace_records(t.trace, &t.count);
  t.x = l2o_trace_iterates(t.trace);
  assert_same_reals(t.x + (t.count - 1) * p->n, x, p->n);
  return t;
}

/* Every step keeps half of the classical decrease; a fallback is the classical point. Returns the number of steps that could be
 * told to be fallbacks. */
static void check_descent(const path *t, const l2o_problem *p, const char *classical_options, const char *name) {
  size_t classical_points = 0;
  for (size_t k = 0; k + 1 < t->count; k++) {
    l2o_real classical[N] = {0};
    memcpy(classical, t->x + k * p->n, p->n * sizeof *classical);
    l2o_settings one = l2o_settings_default();
    one.iterations = 1, one.options = classical_options;
    assert_status(l2o_minimize(solver_named("gd"), NULL, p, classical, NULL, &one, NULL), L2O_OK, NULL);
    const double f = t->records[k].objective, next = t->records[k + 1].objective, fc = value_at(p, classical);
    const bool same = memcmp(classical, t->x + (k + 1) * p->n, p->n * sizeof *classical) == 0;
    classical_points += same;
    const size_t fell = t->records[k + 1].fallbacks - t->records[k].fallbacks;
    assert_true(fell <= 1 && (!fell || same));
    if (!same && !(next <= f - 0.5 * (f - fc) + 1e-15 * fabs(f)))
      fail_msg("%s, step %zu: from %.17g to %.17g, classical %.17g", name, k, f, next, fc);
  }
  assert_true(t->records[t->count - 1].fallbacks <= classical_points);
}

static void descent_keeps_half_of_the_classical_decrease(void **state) {
  (void)state;
  size_t fallbacks = 0, accepted = 0;
  l2o_problem problems[] = {sampled("quadratic:n=8,condition=20", 1, 0), sampled("qp:n=8,m=12", 1, 1)};
  for (size_t i = 0; i < ADVERSARY_COUNT; i++)
    for (size_t j = 0; j < 2; j++) {
      l2o_model *model = model_by("math-l2o-gd", &ADVERSARIES[i], 5 + j);
      path t = follow("math-l2o-gd", model, "guard=descent", &problems[j], NULL, STEPS);
      double fstar, scale;
      assert_int_equal(t.result.stop, L2O_STOP_ITERATIONS);
      assert_int_equal(t.count, STEPS + 1);
      check_descent(&t, &problems[j], NULL, ADVERSARIES[i].name);
      assert_status(l2o_problem_minimum(&problems[j], &fstar, NULL), L2O_OK, NULL);
      scale = t.records[0].objective - fstar;
      if (!(t.records[STEPS].objective - fstar <=
            BY_PRECISION(1e-6, 1e-5) * scale)) /* half the decrease: at most twice the steps */
        fail_msg("%s does not converge: %g of %g", ADVERSARIES[i].name, t.records[STEPS].objective - fstar, scale);
      fallbacks += t.records[STEPS].fallbacks;
      accepted += STEPS - t.records[STEPS].fallbacks;
      assert_int_equal(t.result.last.fallbacks, t.records[STEPS].fallbacks);
      l2o_trace_free(t.trace);
      l2o_model_free(model);
    }
  assert_true(fallbacks > 100 && accepted > 100); /* both ways were taken */
  for (size_t j = 0; j < 2; j++)
    l2o_problem_free(&problems[j]);
}

static void descent_holds_on_a_valley_too(void **state) {
  (void)state;
  static const l2o_real start[2] = {(l2o_real)-1.2, 1};
  for (size_t i = 0; i < ADVERSARY_COUNT; i++) {
    l2o_model *model = model_by("math-l2o-gd", &ADVERSARIES[i], 7);
    path t = follow("math-l2o-gd", model, "guard=descent,step=1e-3", &rosenbrock_problem, start, STEPS);
    assert_int_equal(t.result.stop, L2O_STOP_ITERATIONS);
    check_descent(&t, &rosenbrock_problem, "step=1e-3", ADVERSARIES[i].name);
    l2o_trace_free(t.trace);
    l2o_model_free(model);
  }
}

/* One unknown: then "upwards" and "hardly" are worse beyond doubt, and the guarded run is the classical one, bit for bit. */
static void where_every_learned_step_is_worse_the_classical_run_remains(void **state) {
  (void)state;
  static const l2o_real A[] = {4}, b[] = {4}; /* minimum at 1, start at 0: g < 0, x >= 0 */
  static const struct {
    const char *options;
    double w[4], w3;
  } cases[] = {
      {"scale=sigmoid", {-1, -1, 0, 0}, -1e3}, /* factor 0 */
      {"scale=identity", {-1, -1, 0, 0}, -1},  /* upwards */
      {"scale=exp", {-1, -1, 0, 0}, 1e4},      /* infinite */
      {"scale=gaussian", {0, 0, 0, 0}, 1},     /* exactly 0 */
  };
  l2o_problem p;
  assert_status(l2o_quadratic_new(&p, A, b, NULL, 40, 1, NULL), L2O_OK, NULL); /* an L ten times too large: many steps */
  path gd = follow("gd", NULL, "", &p, NULL, 30);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char spec[96];
    snprintf(spec, sizeof spec, "math-l2o-gd:hidden=2,%s", cases[i].options);
    l2o_model *model = model_of(spec, 0);
    double w[11] = {0, 0, 0, 0, 1, 1, 1, 1, cases[i].w3, cases[i].w3, 1};
    memcpy(w, cases[i].w, sizeof cases[i].w);
    assert_status(l2o_model_set_parameters(model, w, 11), L2O_OK, NULL);
    path t = follow("math-l2o-gd", model, "guard=descent", &p, NULL, 30);
    assert_same_reals(t.x, gd.x, 31);
    for (size_t k = 0; k <= 30; k++)
      assert_int_equal(t.records[k].fallbacks, k);
    l2o_trace_free(t.trace);
    l2o_model_free(model);
  }
  l2o_trace_free(gd.trace);
  l2o_problem_free(&p);
}

static void a_rule_that_is_never_worse_never_falls_back(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=8,condition=20", 2, 0);
  l2o_model *model = model_of("math-l2o-gd", 1); /* untrained: the classical step itself */
  path gd = follow("gd", NULL, "", &p, NULL, 50), descent = follow("math-l2o-gd", model, "guard=descent", &p, NULL, 50),
       shadow = follow("math-l2o-gd", model, "guard=shadow", &p, NULL, 50);
  assert_same_reals(gd.x, descent.x, 51 * N);
  assert_same_reals(gd.x, shadow.x, 51 * N);
  assert_int_equal(descent.result.last.fallbacks, 0);
  assert_int_equal(shadow.result.last.fallbacks, 0);
  /* what the guard costs: one value a step; one gradient a step */
  assert_int_equal(gd.result.last.gradient_calls, 50);
  assert_int_equal(descent.result.last.value_calls, 50 + 51);
  assert_int_equal(descent.result.last.gradient_calls, 51);    /* the last point has been looked at */
  assert_int_equal(shadow.result.last.gradient_calls, 2 * 51); /* so have both of the shadow's */
  l2o_trace_free(gd.trace);
  l2o_trace_free(descent.trace);
  l2o_trace_free(shadow.trace);
  l2o_model_free(model);
  l2o_problem_free(&p);
}

static void shadow_is_never_worse_than_the_classical_rule(void **state) {
  (void)state;
  static const char *const rules[][2] = {{"math-l2o-gd", "gd"}, {"math-l2o-nesterov", "nesterov"}};
  static const char *const specs[] = {"quadratic:n=8,condition=200", "qp:n=8,m=5", "qp:n=8,m=12"};
  size_t better = 0, broken = 0;
  for (size_t j = 0; j < 3; j++)
    for (size_t r = 0; r < 2; r++) {
      l2o_problem p = sampled(specs[j], 3, j);
      path classical = follow(rules[r][1], NULL, "", &p, NULL, STEPS);
      for (size_t i = 0; i < ADVERSARY_COUNT; i++) {
        l2o_model *model = model_by(rules[r][0], &ADVERSARIES[i], 9 + j);
        path t = follow(rules[r][0], model, "guard=shadow", &p, NULL, STEPS);
        assert_int_equal(t.count, STEPS + 1);
        for (size_t k = 0; k <= STEPS; k++) {
          if (!(t.records[k].objective <= classical.records[k].objective))
            fail_msg("%s %s on %s, step %zu: %.17g, classical %.17g", rules[r][0], ADVERSARIES[i].name, specs[j], k,
                     t.records[k].objective, classical.records[k].objective);
          assert_true(t.records[k].objective == value_at(&p, t.x + k * N));
          better += t.records[k].objective < classical.records[k].objective;
        }
        broken += t.result.last.fallbacks > 0;
        l2o_trace_free(t.trace);
        l2o_model_free(model);
      }
      l2o_trace_free(classical.trace);
      l2o_problem_free(&p);
    }
  assert_true(better > 100); /* the learned point was taken too */
  assert_true(broken >= 3);  /* learned runs broke down and were taken up again from the classical point */
}

static void without_a_guard_bad_weights_end_as_diverged(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=8,condition=20", 4, 0);
  for (size_t i = 0; i < ADVERSARY_COUNT; i++) {
    if (!ADVERSARIES[i].breaks_itself)
      continue;
    l2o_model *model = model_by("math-l2o-gd", &ADVERSARIES[i], 5);
    path t = follow("math-l2o-gd", model, "guard=off", &p, NULL, 20 * STEPS);
    if (t.result.stop != L2O_STOP_DIVERGED)
      fail_msg("%s: %s", ADVERSARIES[i].name, l2o_stop_name(t.result.stop));
    assert_int_equal(t.result.last.fallbacks, 0);
    for (size_t k = 0; k < t.count * N; k++)
      assert_true(isfinite(t.x[k]));
    l2o_trace_free(t.trace);
    l2o_model_free(model);
  }
  l2o_problem_free(&p);
}

static void descent_needs_a_classical_rule_without_memory(void **state) {
  (void)state;
  l2o_problem p = sampled("qp:n=8,m=5", 1, 0);
  l2o_model *model = model_of("math-l2o-nesterov:hidden=4", 1);
  l2o_settings s = l2o_settings_default();
  l2o_diag diag = {""};
  l2o_run *run;
  s.options = "guard=descent";
  assert_status(l2o_run_new(&run, solver_named("math-l2o-nesterov"), model, &p, &s, &diag), L2O_ERR_NOTSUP, NULL);
  assert_null(run);
  assert_names(&diag, "guard=descent needs a classical rule without memory, nesterov has one; use guard=shadow");
  s.options = "guard=shadows";
  assert_status(l2o_run_new(&run, solver_named("math-l2o-nesterov"), model, &p, &s, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "guard = shadows: expected one of off|descent|shadow");
  l2o_model_free(model);
  l2o_problem_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(descent_keeps_half_of_the_classical_decrease),
      cmocka_unit_test(descent_holds_on_a_valley_too),
      cmocka_unit_test(where_every_learned_step_is_worse_the_classical_run_remains),
      cmocka_unit_test(a_rule_that_is_never_worse_never_falls_back),
      cmocka_unit_test(shadow_is_never_worse_than_the_classical_rule),
      cmocka_unit_test(without_a_guard_bad_weights_end_as_diverged),
      cmocka_unit_test(descent_needs_a_classical_rule_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
