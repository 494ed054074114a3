/* SPDX-License-Identifier: BSD-3-Clause */
/* Two functions on which descent is not easy: the extended Rosenbrock function and that of Geman and McClure in rotated
 * coordinates. */
#include "l2o_fixtures.h"

#include "failing_malloc.h"
#include <float.h>

enum { MOST = 40 };

static void differences_agree(const l2o_problem *p, const l2o_real *x) {
  l2o_check check;
  l2o_diag diag = {""};
  assert_status(l2o_problem_check(p, &check, x, BY_PRECISION(1e-7, 5e-2), 1, &diag), L2O_OK, &diag);
}

/* ---- Rosenbrock ---- */

static void rosenbrock_values_and_starts(void **state) {
  (void)state;
  l2o_real x[6];
  l2o_problem p = sampled("rosenbrock:n=6", 1, 0), other = sampled("rosenbrock:n=6", 2, 9);
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  for (size_t j = 0; j < 6; j++)
    assert_true(x[j] == (l2o_real)(j % 2 ? 1 : -1.2));
  assert_close(value_at(&p, x), 3 * 24.2, BY_PRECISION(1e-14, 1e-6), 0); /* More, Garbow, Hillstrom: 24.2 a pair */
  assert_true(value_at(&p, x) == value_at(&other, x));                   /* every instance is the same function */
  /* 100 (3 - 2^2)^2 + 1 + 100 (1 - 0)^2 + 1 + 100 (-2 - 1)^2 + 4 */
  const l2o_real y[] = {2, 3, 0, 1, -1, -2}, expected[] = {802, -200, -2, 200, -1204, -600};
  l2o_real g[6];
  assert_true(value_at(&p, y) == 1106 && gradient_at(&p, g, y) == 1106);
  for (size_t j = 0; j < 6; j++)
    assert_true(g[j] == expected[j]);
  l2o_problem_free(&p);
  l2o_problem_free(&other);
}

static void the_uneven_start_has_no_two_equal_pairs(void **state) {
  (void)state;
  l2o_problem p = sampled("rosenbrock:n=40,start=uneven", 1, 0);
  l2o_real x[MOST];
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  const double golden = (1 + sqrt(5)) / 2;
  for (size_t j = 0; j < MOST; j++) {
    const double t = (double)(j + 1) / golden;
    assert_close(x[j], (j % 2 ? 1 : -1.2) + (t - floor(t)) - 0.5, BY_PRECISION(1e-13, 1e-6), BY_PRECISION(1e-13, 1e-6));
    for (size_t i = j % 2; i < j; i += 2)
      assert_true(fabs((double)x[i] - (double)x[j]) > 1e-3);
  }
  l2o_problem_free(&p);
}

static void rosenbrock_derivatives(void **state) {
  (void)state;
  static const char *const specs[] = {"rosenbrock", "rosenbrock:n=10", "rosenbrock:n=10,start=uneven"};
  for (size_t i = 0; i < 3; i++) {
    l2o_problem p = sampled(specs[i], 1, 0);
    l2o_real x[MOST];
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    differences_agree(&p, x);
    for (uint64_t seed = 1; seed < 5; seed++) {
      normal_reals(x, p.n, seed);
      differences_agree(&p, x);
    }
    l2o_problem_free(&p);
  }
}

static void rosenbrock_minimum(void **state) {
  (void)state;
  l2o_problem p = sampled("rosenbrock:n=10", 1, 0);
  l2o_real x[10], g[10];
  double fstar = -1;
  assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
  assert_true(fstar == 0);
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
  assert_true(fstar == 0 && gradient_at(&p, g, x) == 0);
  for (size_t j = 0; j < 10; j++)
    assert_true(x[j] == 1 && g[j] == 0);
  l2o_problem_free(&p);
}

/* Pairs 1 and 3 (twice) of 5: the mean of 5 times their values. */
static void rosenbrock_minibatches(void **state) {
  (void)state;
  l2o_problem p = sampled("rosenbrock:n=10", 1, 0), two = sampled("rosenbrock", 1, 0);
  l2o_real x[10], g[10], pair[2][2];
  const size_t rows[] = {3, 1, 3};
  double f, alone = -1;
  normal_reals(x, 10, 4);
  assert_int_equal(l2o_problem_summands(&p), 5);
  const double f1 = gradient_at(&two, pair[0], x + 2), f3 = gradient_at(&two, pair[1], x + 6);
  assert_status(l2o_problem_partial(&p, &f, g, x, rows, 3, NULL), L2O_OK, NULL);
  assert_status(l2o_problem_partial(&p, &alone, NULL, x, rows, 3, NULL), L2O_OK, NULL);
  assert_true(f == alone);
  assert_close(f, 5 * (f1 + 2 * f3) / 3, 1e-14, 0);
  for (size_t j = 0; j < 10; j++) {
    const double expected = j / 2 == 1 ? 5 * (double)pair[0][j % 2] / 3 : j / 2 == 3 ? 10 * (double)pair[1][j % 2] / 3 : 0;
    assert_close(g[j], expected, BY_PRECISION(1e-14, 1e-6), 0);
  }
  l2o_problem_free(&p);
  l2o_problem_free(&two);
}

static void rosenbrock_of_bad_size(void **state) {
  (void)state;
  static const struct {
    const char *spec, *sentence;
  } bad[] = {{"rosenbrock:n=3", "rosenbrock: n = 3: expected an even number"},
             {"rosenbrock:n=0", "n = 0: expected an integer from 2 to 1e+06"},
             {"rosenbrock:start=odd", "start = odd: expected one of even|uneven"},
             {"geman-mcclure:n=0", "n = 0: expected an integer from 1 to"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    l2o_family *family;
    l2o_diag diag = {""};
    assert_status(l2o_family_new(&family, bad[i].spec, &diag), L2O_ERR_ARG, NULL);
    assert_null(family);
    assert_names(&diag, bad[i].sentence);
  }
}

/* ---- Geman and McClure ---- */

/* H e_j at 0 is 2 B'B e_j: B is a rotation. */
static void geman_mcclure_is_a_rotated_sum(void **state) {
  (void)state;
  enum { N = 12 };
  l2o_problem p = sampled("geman-mcclure:n=12", 3, 0);
  l2o_real x[N] = {0}, unit[N] = {0}, column[N], *work = malloc((l2o_problem_hessian_work_len(&p) + 1) * sizeof *work);
  double constant, trace, sum = 0;
  for (size_t j = 0; j < N; j++) {
    unit[j] = 1;
    assert_status(l2o_problem_hessian_vector(&p, column, x, unit, work), L2O_OK, NULL);
    unit[j] = 0;
    for (size_t i = 0; i < N; i++)
      assert_close(column[i], i == j ? 2 : 0, BY_PRECISION(1e-14, 1e-6), BY_PRECISION(1e-14, 1e-6));
    sum += (double)column[j];
  }
  assert_status(l2o_problem_lipschitz(&p, &constant), L2O_OK, NULL);
  assert_status(l2o_problem_hessian_trace(&p, &trace), L2O_OK, NULL);
  assert_true(constant == 2 && trace == 2 * N);
  assert_close(sum, trace, BY_PRECISION(1e-14, 1e-6), 0);
  /* the function is not a sum over the axes: moving along one of them couples the others */
  x[0] = 1;
  unit[1] = 1;
  assert_status(l2o_problem_hessian_vector(&p, column, x, unit, work), L2O_OK, NULL);
  assert_true(fabs((double)column[2]) > 1e-4);
  free(work);
  l2o_problem_free(&p);
}

static void geman_mcclure_starts_where_it_is_concave(void **state) {
  (void)state;
  l2o_problem p = sampled("geman-mcclure", 3, 1);
  l2o_real x[100], g[100], hg[100], *work = malloc((l2o_problem_hessian_work_len(&p) + 1) * sizeof *work);
  assert_int_equal(p.n, 100);
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  assert_close(gradient_at(&p, g, x), 80, BY_PRECISION(1e-13, 1e-5), 0); /* 4/5 for each z_i = 2 */
  double along = 0, square = 0, curvature = 0;
  assert_status(l2o_problem_hessian_vector(&p, hg, x, g, work), L2O_OK, NULL);
  for (size_t j = 0; j < 100; j++) {
    along += (double)x[j] * (double)g[j];
    square += (double)g[j] * (double)g[j];
    curvature += (double)hg[j] * (double)g[j];
  }
  /* phi'(2) = 4/25, phi''(2) = -22/125: x'g = sum z phi' = 32, |g|^2 = 100 (4/25)^2 */
  assert_close(along, 32, BY_PRECISION(1e-12, 1e-5), 0);
  assert_close(square, 2.56, BY_PRECISION(1e-12, 1e-5), 0);
  assert_close(curvature / square, -22. / 125, BY_PRECISION(1e-12, 1e-5), 0);
  free(work);
  l2o_problem_free(&p);
}

static void geman_mcclure_derivatives_and_minimum(void **state) {
  (void)state;
  l2o_problem p = sampled("geman-mcclure:n=9", 1, 0), other = sampled("geman-mcclure:n=9", 1, 1),
              same = sampled("geman-mcclure:n=9", 1, 0);
  l2o_real x[9], g[9];
  double fstar = -1;
  for (uint64_t seed = 1; seed < 5; seed++) {
    normal_reals(x, 9, seed);
    differences_agree(&p, x);
  }
  assert_true(value_at(&p, x) == value_at(&same, x) && value_at(&p, x) != value_at(&other, x));
  assert_true(value_at(&p, x) > 0 && value_at(&p, x) < 9);
  assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
  assert_true(fstar == 0);
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
  assert_true(fstar == 0 && gradient_at(&p, g, x) == 0);
  for (size_t j = 0; j < 9; j++)
    assert_true(x[j] == 0 && g[j] == 0);
  l2o_problem_free(&p);
  l2o_problem_free(&other);
  l2o_problem_free(&same);
}

/* Summand i is n phi(b_i'x). At the start b_i'x = 2, so that its gradient there is n phi'(2) b_i: that gives the rows of B, and
 * values at multiples of them. */
static void geman_mcclure_minibatches(void **state) {
  (void)state;
  enum { N = 7 };
  l2o_problem p = sampled("geman-mcclure:n=7", 2, 0);
  l2o_real start[N], x[N], g[N], B[N][N], single[N][N];
  double f, alone = -1, summand[N], mean = 0;
  const double slope = N * 0.16, near = BY_PRECISION(1e-13, 1e-5);
  assert_int_equal(l2o_problem_summands(&p), N);
  assert_status(l2o_problem_start(&p, start), L2O_OK, NULL);
  for (size_t i = 0; i < N; i++) {
    assert_status(l2o_problem_partial(&p, &f, B[i], start, &i, 1, NULL), L2O_OK, NULL);
    assert_close(f, N * 0.8, near, 0);
    for (size_t j = 0; j < N; j++)
      B[i][j] = (l2o_real)((double)B[i][j] / slope);
  }
  for (size_t i = 0; i < N; i++) { /* phi(3) = 9/10, phi(0) = 0: the rows are orthonormal */
    for (size_t j = 0; j < N; j++)
      x[j] = 3 * B[i][j];
    for (size_t k = 0; k < N; k++) {
      assert_status(l2o_problem_partial(&p, &f, NULL, x, &k, 1, NULL), L2O_OK, NULL);
      assert_close(f, k == i ? N * 0.9 : 0, near, near);
    }
  }
  normal_reals(x, N, 4);
  for (size_t i = 0; i < N; i++) {
    assert_status(l2o_problem_partial(&p, &summand[i], single[i], x, &i, 1, NULL), L2O_OK, NULL);
    mean += summand[i] / N;
  }
  assert_close(mean, value_at(&p, x), near, 0);
  const size_t rows[] = {5, 0, 5}; /* row 5 twice */
  assert_status(l2o_problem_partial(&p, &f, g, x, rows, 3, NULL), L2O_OK, NULL);
  assert_status(l2o_problem_partial(&p, &alone, NULL, x, rows, 3, NULL), L2O_OK, NULL);
  assert_true(f == alone);
  assert_close(f, (summand[0] + 2 * summand[5]) / 3, 1e-14, 0);
  for (size_t j = 0; j < N; j++)
    assert_close(g[j], ((double)single[0][j] + 2 * (double)single[5][j]) / 3, near, near);
  l2o_problem_free(&p);
}

/* The step 1/L never rises, and leads into the only basin that there is along every direction. */
static void gradient_descent_reaches_the_minimum(void **state) {
  (void)state;
  l2o_problem p = sampled("geman-mcclure:n=20", 7, 0);
  l2o_real x[20];
  l2o_settings s = l2o_settings_default();
  l2o_result result;
  s.iterations = 400;
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  assert_status(l2o_minimize(solver_named("gd"), NULL, &p, x, &result, &s, NULL), L2O_OK, NULL);
  assert_true(result.last.objective < BY_PRECISION(1e-20, 1e-10));
  l2o_problem_free(&p);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  char rosenbrock_spec[] = "rosenbrock:n=4", geman_mcclure_spec[] = "geman-mcclure:n=4";
  assert_int_equal(assert_allocations_may_fail(make_and_use_family, rosenbrock_spec, L2O_OK, ALL_ARE_NEEDED), 1);
  assert_true(assert_allocations_may_fail(make_and_use_family, geman_mcclure_spec, L2O_OK, ALL_ARE_NEEDED) >= 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rosenbrock_values_and_starts),
      cmocka_unit_test(the_uneven_start_has_no_two_equal_pairs),
      cmocka_unit_test(rosenbrock_derivatives),
      cmocka_unit_test(rosenbrock_minimum),
      cmocka_unit_test(rosenbrock_minibatches),
      cmocka_unit_test(rosenbrock_of_bad_size),
      cmocka_unit_test(geman_mcclure_is_a_rotated_sum),
      cmocka_unit_test(geman_mcclure_starts_where_it_is_concave),
      cmocka_unit_test(geman_mcclure_derivatives_and_minimum),
      cmocka_unit_test(geman_mcclure_minibatches),
      cmocka_unit_test(gradient_descent_reaches_the_minimum),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
