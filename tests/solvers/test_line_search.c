/* SPDX-License-Identifier: BSD-3-Clause */
/* Line searches through the rules that use them: every accepted step is judged again from outside. */
#include "l2o_fixtures.h"
#include <float.h>

#define EPSILON BY_PRECISION(DBL_EPSILON, (double)FLT_EPSILON)

/* ---- problems ---- */

/* sum_i c_i x_i - log x_i - log(1 - x_i), c_i = i, on 0 < x < 1; not a number, or infinite, elsewhere. */
static l2o_status barrier(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    const double v = (double)x[i];
    *f += (double)i * v - log(v) - log(1 - v);
    g[i] = (l2o_real)((double)i - 1 / v + 1 / (1 - v));
  }
  return L2O_OK;
}
static l2o_status middle(const l2o_problem *p, l2o_real *x) {
  for (size_t i = 0; i < p->n; i++)
    x[i] = (l2o_real)0.9;
  return L2O_OK;
}
static const l2o_problem_ops barrier_ops = {
    .struct_size = sizeof barrier_ops, .name = "barrier", .gradient = barrier, .start = middle};
static const l2o_problem barrier_problem = {.ops = &barrier_ops, .n = 6};

/* Without a lower bound, as falling_linear() and falling_concave(). */
static l2o_status exponential(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    *f -= exp((double)x[i]);
    g[i] = (l2o_real)-exp((double)x[i]);
  }
  return L2O_OK;
}
static const l2o_problem_ops unbounded_ops[] = {
    {.struct_size = sizeof(l2o_problem_ops), .name = "linear", .gradient = falling_linear},
    {.struct_size = sizeof(l2o_problem_ops), .name = "concave", .gradient = falling_concave},
    {.struct_size = sizeof(l2o_problem_ops), .name = "exponential", .gradient = exponential}};

/* Rosenbrock's function with a gradient that is wrong in one of four ways. */
typedef enum wrong { WRONG_SIGN, WRONG_ZERO, WRONG_CONSTANT, WRONG_SCALE } wrong;
static l2o_status wrong_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  l2o_status status = rosenbrock(p, f, g, x, work);
  for (size_t i = 0; i < 2; i++)
    switch (*(const wrong *)p->data) {
    case WRONG_SIGN:
      g[i] = -g[i];
      break;
    case WRONG_ZERO:
      g[i] = 0;
      break;
    case WRONG_CONSTANT:
      g[i] = 1;
      break;
    case WRONG_SCALE:
      g[i] *= i ? 100 : (l2o_real)-0.01;
      break;
    }
  return status;
}
static const l2o_problem_ops wrong_ops = {.struct_size = sizeof wrong_ops, .name = "wrong", .gradient = wrong_gradient};

/* ---- runs ---- */

enum { ITERATIONS = 200, CALLS = 20000 };
static const char *const RULES[] = {"bfgs", "lbfgs"};
static const char *const SEARCHES[] = {"wolfe", "weak-wolfe", "armijo", "halving"};

static l2o_result run(const char *rule, const char *options, const l2o_problem *p, l2o_real *x, l2o_trace *trace) {
  l2o_settings s = l2o_settings_default();
  l2o_result result;
  l2o_diag diag = {""};
  s.options = options;
  s.iterations = ITERATIONS;
  s.calls = CALLS;
  s.traces = trace ? &trace : NULL;
  assert_status(l2o_minimize(solver_named(rule), NULL, p, x, &result, &s, &diag), L2O_OK, &diag);
  return result;
}

static const char *searching(const char *kind, const char *more) {
  static char text[96];
  snprintf(text, sizeof text, "line_search=%s%s", kind, more);
  return text;
}

static double inner(const l2o_real *a, const l2o_real *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double)a[i] * (double)b[i];
  return sum;
}

/* The conditions do not change when d is replaced by s = alpha d, so they are checked on the steps themselves. What a change of f
 * by less than its rounding error hides is not asked for. */
static void judge(const char *label, const char *kind, const l2o_problem *p, const l2o_trace *trace, double c1, double c2) {
  enum { MOST = 16 };
  size_t count, n = p->n, looked_at = 0;
  l2o_trace_records(trace, &count);
  const l2o_real *x = l2o_trace_iterates(trace);
  assert_true(count > 2 && n <= MOST);
  for (size_t k = 0; k + 1 < count; k++, x += n) {
    l2o_real g[MOST], next_g[MOST], s[MOST];
    const double f = gradient_at(p, g, x), next = gradient_at(p, next_g, x + n);
    for (size_t i = 0; i < n; i++)
      s[i] = x[n + i] - x[i];
    const double slope = inner(g, s, n), next_slope = inner(next_g, s, n), noise = 20 * EPSILON * fabs(f);
    if (fabs(slope) < BY_PRECISION(1e-10, 1e-4) * fmax(1, fabs(f))) /* s itself is rounded */
      break;
    looked_at++;
    if (!(slope < 0) || !(next <= f + c1 * slope + noise))
      fail_msg("%s, step %zu: from %.17g to %.17g with slope %g", label, k, f, next, slope);
    if (strcmp(kind, "wolfe") == 0 && !(fabs(next_slope) <= c2 * fabs(slope) * (1 + 1e3 * EPSILON)))
      fail_msg("%s, step %zu: slope %g leaves %g", label, k, slope, next_slope);
    if (strcmp(kind, "weak-wolfe") == 0 && !(next_slope >= c2 * slope * (1 + 1e3 * EPSILON)))
      fail_msg("%s, step %zu: slope %g leaves %g", label, k, slope, next_slope);
  }
  assert_true(looked_at >= 2);
}

static void every_step_satisfies_its_conditions(void **state) {
  (void)state;
  for (size_t r = 0; r < 2; r++)
    for (size_t k = 0; k < 4; k++)
      for (int strict = 0; strict < 2; strict++)
        for (int i = 0; i < 3; i++) {
          l2o_problem p = i == 0 ? rosenbrock_problem : i == 1 ? barrier_problem : sampled("quadratic:n=12,condition=100", 3, 0);
          l2o_real x[12] = {0};
          if (i == 0)
            x[0] = (l2o_real)-1.2, x[1] = 1;
          if (i == 1)
            middle(&p, x);
          l2o_trace *trace;
          assert_status(l2o_trace_new(&trace, ITERATIONS + 1, p.n), L2O_OK, NULL);
          l2o_result result = run(RULES[r], searching(SEARCHES[k], strict ? ",c1=0.1,c2=0.2" : ""), &p, x, trace);
          assert_true(result.stop == L2O_STOP_STALLED || result.stop == L2O_STOP_ITERATIONS);
          char label[96];
          snprintf(label, sizeof label, "%s %s on %s", RULES[r], SEARCHES[k], l2o_problem_name(&p));
          judge(label, SEARCHES[k], &p, trace, strict ? 0.1 : 1e-4, strict ? 0.2 : 0.9);
          l2o_trace_free(trace);
          l2o_problem_free(&p);
        }
}

static void the_exact_step_ends_where_the_slope_vanishes(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=12,condition=20", 4, 0);
  l2o_real x[12] = {0}, g[12], before[12], s[12];
  l2o_settings settings = l2o_settings_default();
  settings.options = "line_search=exact";
  l2o_run *steps;
  l2o_stop stop;
  l2o_record record;
  assert_status(l2o_run_new(&steps, solver_named("bfgs"), NULL, &p, &settings, NULL), L2O_OK, NULL);
  assert_status(l2o_run_start(steps, x), L2O_OK, NULL);
  for (size_t k = 0; k < 8; k++) {
    memcpy(before, l2o_run_x(steps), sizeof before);
    assert_status(l2o_run_step(steps, &stop), L2O_OK, NULL);
    gradient_at(&p, g, l2o_run_x(steps));
    for (size_t i = 0; i < 12; i++)
      s[i] = l2o_run_x(steps)[i] - before[i];
    assert_true(inner(s, s, 12) > 0);
    assert_close(inner(g, s, 12) / sqrt(inner(g, g, 12) * inner(s, s, 12)), 0, 0, BY_PRECISION(1e-10, 1e-2));
    /* one trial and one product a step, and the gradient at the start */
    assert_status(l2o_run_record(steps, &record), L2O_OK, NULL);
    assert_int_equal(record.value_calls, k + 2);
    assert_int_equal(record.gradient_calls, 2 * k + 3);
  }
  l2o_run_free(steps);
  l2o_problem_free(&p);
}

static void the_unit_step_is_not_searched(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=8,condition=5", 4, 0);
  for (size_t r = 0; r < 2; r++) {
    l2o_real x[8] = {1}, start[8] = {1}, g[8];
    gradient_at(&p, g, start);
    l2o_settings s = l2o_settings_default();
    s.options = "line_search=unit,step=0.25";
    s.iterations = 1;
    l2o_result result;
    assert_status(l2o_minimize(solver_named(RULES[r]), NULL, &p, x, &result, &s, NULL), L2O_OK, NULL);
    for (size_t i = 0; i < 8; i++)
      start[i] = start[i] + (l2o_real)0.25 * -g[i];
    assert_same_reals(x, start, 8);
    assert_int_equal(result.last.gradient_calls, 2);
  }
  l2o_problem_free(&p);
}

/* Trials beyond the edge of the domain are not finite: the search must come back. The minimum by hand: c - 1/x + 1/(1-x) = 0. */
static void a_barrier_is_not_crossed(void **state) {
  (void)state;
  for (size_t r = 0; r < 2; r++)
    for (size_t k = 0; k < 4; k++) {
      l2o_real x[6];
      middle(&barrier_problem, x);
      for (size_t i = 0; i < 6; i++) /* close to the edge, where the gradient is huge */
        x[i] = (l2o_real)(i % 2 ? 1e-4 : 1 - 1e-4);
      l2o_result result = run(RULES[r], searching(SEARCHES[k], ""), &barrier_problem, x, NULL);
      assert_true(result.stop == L2O_STOP_STALLED || result.stop == L2O_STOP_ITERATIONS);
      for (size_t i = 0; i < 6; i++) {
        const double c = (double)i, root = i ? (c + 2 - sqrt(c * c + 4)) / (2 * c) : 0.5;
        assert_close(x[i], root, 0, BY_PRECISION(1e-7, 1e-3));
      }
    }
}

/* Every rule and search, on f without a lower bound: diverged, at a finite point below the start, after few calls. */
static void unbounded_functions_diverge(void **state) {
  (void)state;
  for (size_t r = 0; r < 2; r++)
    for (size_t k = 0; k < 2; k++)
      for (size_t i = 0; i < 3; i++) {
        const l2o_problem p = {.ops = &unbounded_ops[i], .n = 3};
        l2o_real x[3] = {1, 2, 3}, start[3] = {1, 2, 3};
        l2o_result result = run(RULES[r], searching(SEARCHES[k], ""), &p, x, NULL);
        /* float: the gradient of the last one overflows before f does, which is a wall and no fall */
        if (result.stop != L2O_STOP_DIVERGED && !(BY_PRECISION(false, i == 2) && result.stop == L2O_STOP_STALLED))
          fail_msg("%s %s on %s: %s at %g", RULES[r], SEARCHES[k], p.ops->name, l2o_stop_name(result.stop), result.last.objective);
        assert_true(isfinite(x[0]) && isfinite(x[1]) && isfinite(x[2]));
        assert_true(result.last.objective == value_at(&p, x) && isfinite(result.last.objective));
        if (!(result.last.objective < 10 * value_at(&p, start)))
          fail_msg("%s %s on %s ends at %g, begun at %g", RULES[r], SEARCHES[k], p.ops->name, result.last.objective,
                   value_at(&p, start));
        assert_true(result.last.gradient_calls <= 200);
      }
}

/* 1/2 |x - 1|^2 from 0, and -infinity but at 0. */
static l2o_status bowl(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    g[i] = x[i] - 1;
    *f += (double)g[i] * (double)g[i] / 2;
  }
  return L2O_OK;
}
static l2o_status pit(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  l2o_status status = bowl(p, f, g, x, work);
  if (*f < (double)p->n / 2)
    *f = -HUGE_VAL;
  return status;
}
static const l2o_problem_ops bowl_ops = {.struct_size = sizeof bowl_ops, .name = "bowl", .gradient = bowl};
static const l2o_problem_ops pit_ops = {.struct_size = sizeof pit_ops, .name = "pit", .gradient = pit};

/* From a first trial that is next to nothing a search may go a long way, and that is no fall without bound. */
static void a_tiny_first_trial_does_not_diverge(void **state) {
  (void)state;
  const l2o_problem p = {.ops = &bowl_ops, .n = 3};
  for (size_t r = 0; r < 2; r++)
    for (size_t k = 0; k < 2; k++) {
      l2o_real x[3] = {0};
      l2o_result result = run(RULES[r], searching(SEARCHES[k], ",first_step=1e-20"), &p, x, NULL);
      assert_int_equal(result.stop, L2O_STOP_STALLED);
      for (size_t i = 0; i < 3; i++)
        assert_close(x[i], 1, BY_PRECISION(1e-12, 1e-5), 0);
    }
}

/* f is -infinity wherever it is less than at the start: nothing better can be kept, but the run says why it ends. */
static void a_fall_to_minus_infinity_diverges(void **state) {
  (void)state;
  const l2o_problem p = {.ops = &pit_ops, .n = 3};
  for (size_t r = 0; r < 2; r++)
    for (size_t k = 0; k < 2; k++) {
      l2o_real x[3] = {0};
      const l2o_result result = run(RULES[r], searching(SEARCHES[k], ""), &p, x, NULL);
      assert_int_equal(result.stop, L2O_STOP_DIVERGED);
      assert_true(x[0] == 0 && x[1] == 0 && x[2] == 0);
      assert_true(result.last.objective == 1.5);
    }
}

/* No direction is one of descent, or the slopes say nothing about f: the run must end, no higher than it began. */
static void wrong_gradients_end(void **state) {
  (void)state;
  for (size_t r = 0; r < 2; r++)
    for (size_t k = 0; k < 4; k++)
      for (wrong w = WRONG_SIGN; w <= WRONG_SCALE; w++) {
        const l2o_problem p = {.ops = &wrong_ops, .data = &w, .n = 2};
        l2o_real x[2] = {(l2o_real)-1.2, 1};
        const double f0 = value_at(&rosenbrock_problem, x);
        l2o_result result = run(RULES[r], searching(SEARCHES[k], ""), &p, x, NULL);
        if (result.stop != L2O_STOP_STALLED && !(w == WRONG_SCALE && result.stop == L2O_STOP_ITERATIONS))
          fail_msg("%s %s, gradient wrong by %d: %s", RULES[r], SEARCHES[k], (int)w, l2o_stop_name(result.stop));
        assert_true(value_at(&rosenbrock_problem, x) <= f0);
        assert_true(result.last.gradient_calls < CALLS);
      }
}

static void a_callback_that_fails_ends_the_run(void **state) {
  (void)state;
  for (size_t r = 0; r < 2; r++)
    for (size_t k = 0; k < 4; k++) {
      watcher w;
      watch(&w, &rosenbrock_problem);
      w.from = 7;
      w.spoil = SPOIL_FAIL;
      l2o_real x[2] = {(l2o_real)-1.2, 1};
      l2o_settings s = l2o_settings_default();
      l2o_result result;
      s.options = searching(SEARCHES[k], "");
      assert_status(l2o_minimize(solver_named(RULES[r]), NULL, &w.problem, x, &result, &s, NULL), L2O_ERR_CALLBACK, NULL);
      assert_int_equal(w.gradients, 7);
      assert_true(isfinite(x[0]) && isfinite(x[1]));
    }
}

static void options_that_do_not_fit_are_refused(void **state) {
  (void)state;
  l2o_settings s = l2o_settings_default();
  l2o_diag diag = {""};
  l2o_run *steps;
  s.options = "c1=0.3,c2=0.2";
  assert_status(l2o_run_new(&steps, solver_named("bfgs"), NULL, &rosenbrock_problem, &s, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "c1 = 0.3 must be below c2 = 0.2");
  assert_null(steps);
  s.options = "line_search=exact";
  assert_status(l2o_run_new(&steps, solver_named("lbfgs"), NULL, &rosenbrock_problem, &s, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "line_search=exact needs Hessian-vector products; problem 'rosenbrock' has none");
  s.options = "h0=lipschitz";
  assert_status(l2o_run_new(&steps, solver_named("bfgs-hd"), NULL, &rosenbrock_problem, &s, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "h0=lipschitz needs a Lipschitz constant; problem 'rosenbrock' has none");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_step_satisfies_its_conditions), cmocka_unit_test(the_exact_step_ends_where_the_slope_vanishes),
      cmocka_unit_test(the_unit_step_is_not_searched),       cmocka_unit_test(a_barrier_is_not_crossed),
      cmocka_unit_test(a_tiny_first_trial_does_not_diverge), cmocka_unit_test(a_fall_to_minus_infinity_diverges),
      cmocka_unit_test(unbounded_functions_diverge),         cmocka_unit_test(wrong_gradients_end),
      cmocka_unit_test(a_callback_that_fails_ends_the_run),  cmocka_unit_test(options_that_do_not_fit_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
