/* SPDX-License-Identifier: BSD-3-Clause */
/* Family log-sum-exp: values against a plain computation in double from the drawn numbers, also where exp() would overflow; the
 * reference data; minima and constants. */
#include "l2o_fixtures.h"

#include "core/mersenne_twister.h"
#include "failing_malloc.h"

enum { M = 200, N = 50 };

/* A and b of the reference data, as the library stores them. */
static void drawn(double *A, double *b, uint32_t seed, size_t m, size_t n) {
  l2o_twister t;
  l2o_twister_seed(&t, seed);
  l2o_twister_normal(&t, A, m * n);
  l2o_twister_normal(&t, b, m);
  for (size_t i = 0; i < m * n; i++)
    A[i] = (double)(l2o_real)(A[i] / sqrt((double)n));
  for (size_t i = 0; i < m; i++)
    b[i] = (double)(l2o_real)b[i];
}

static double plain_value(double *g, const double *A, const double *b, double mu, const l2o_real *x, size_t m, size_t n) {
  double *z = calloc(m, sizeof *z), largest = -INFINITY, sum = 0, squares = 0;
  for (size_t i = 0; i < m; i++) {
    z[i] = b[i];
    for (size_t j = 0; j < n; j++)
      z[i] += A[i * n + j] * (double)x[j];
    largest = fmax(largest, z[i]);
  }
  for (size_t i = 0; i < m; i++)
    sum += exp(z[i] - largest);
  for (size_t j = 0; j < n; j++) {
    g[j] = mu * (double)x[j];
    squares += (double)x[j] * (double)x[j];
    for (size_t i = 0; i < m; i++)
      g[j] += A[i * n + j] * exp(z[i] - largest) / sum;
  }
  free(z);
  return largest + log(sum) + mu / 2 * squares;
}

static l2o_problem reference(const char *spec, uint64_t seed) {
  l2o_problem p;
  l2o_family *family = family_of(spec);
  assert_status(l2o_family_sample(family, &p, seed, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
  l2o_family_free(family);
  return p;
}

static void value_and_gradient_are_the_definition(void **state) {
  (void)state;
  double *A = malloc(M * N * sizeof *A), b[M], expected[N];
  l2o_problem p = reference("log-sum-exp:sampler=mt19937,mu=0.5", 3);
  l2o_real x[N], v[N], hv[N], g[N], *work = malloc(l2o_problem_work_len(&p) * sizeof *work);
  drawn(A, b, 3, M, N);
  for (double scale = 0.1; scale < 1e16; scale *= 10) { /* far beyond what exp() takes */
    normal_reals(x, N, 1);
    for (size_t j = 0; j < N; j++)
      x[j] *= (l2o_real)scale;
    const double f = plain_value(expected, A, b, 0.5, x, M, N);
    assert_close(value_at(&p, x), f, BY_PRECISION(1e-14, 1e-6), 0);
    assert_close(gradient_at(&p, g, x), f, BY_PRECISION(1e-14, 1e-6), 0);
    for (size_t j = 0; j < N; j++)
      assert_close(g[j], expected[j], BY_PRECISION(1e-12, 1e-4), BY_PRECISION(1e-13, 1e-4));
    normal_reals(v, N, 2);
    assert_status(l2o_problem_hessian_vector(&p, hv, x, v, work), L2O_OK, NULL);
    for (size_t j = 0; j < N; j++)
      assert_true(isfinite((double)hv[j]));
  }
  x[7] = (l2o_real)NAN;
  assert_true(isnan(value_at(&p, x)));
  free(A);
  free(work);
  l2o_problem_free(&p);
}

static void reference_data_are_reproduced(void **state) {
  (void)state;
  l2o_problem p = reference("log-sum-exp:sampler=mt19937", 1);
  assert_int_equal(p.n, N);
  l2o_real zero[N] = {0}, g[N];
  double fstar, squares = 0;
  assert_close(gradient_at(&p, g, zero), 5.961169278078523, BY_PRECISION(1e-15, 1e-7), 0);
  for (size_t j = 0; j < N; j++)
    squares += (double)g[j] * (double)g[j];
  assert_close(sqrt(squares), 0.1267065638014803, BY_PRECISION(1e-14, 1e-6), 0);
  assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
  assert_close(fstar, 5.739266026, 0, BY_PRECISION(6e-10, 1e-6));
  l2o_problem_free(&p);
}

static void minima_are_minima(void **state) {
  (void)state;
  static const struct {
    size_t m, n;
    double mu;
  } cases[] = {{200, 50, 1e-2}, {30, 5, 0}, {1, 3, 1e-3}, {40, 60, 1e-4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char spec[100];
    const size_t m = cases[i].m, n = cases[i].n;
    snprintf(spec, sizeof spec, "log-sum-exp:sampler=mt19937,m=%zu,n=%zu,mu=%g", m, n, cases[i].mu);
    l2o_problem p = reference(spec, 4);
    double *A = malloc(m * n * sizeof *A), *b = malloc(m * sizeof *b), *g = malloc(n * sizeof *g), fstar;
    l2o_real *x = malloc(n * sizeof *x);
    drawn(A, b, 4, m, n);
    assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
    assert_close(plain_value(g, A, b, cases[i].mu, x, m, n), fstar, BY_PRECISION(1e-13, 1e-6), BY_PRECISION(1e-13, 1e-6));
    for (size_t j = 0; j < n; j++)
      assert_close(g[j], 0, 0, BY_PRECISION(1e-12, 1e-5));
    free(A);
    free(b);
    free(g);
    free(x);
    l2o_problem_free(&p);
  }
  double fstar;
  l2o_problem unbounded = sampled("log-sum-exp:n=50,m=40,mu=0", 1, 0);
  assert_status(l2o_problem_minimum(&unbounded, &fstar, NULL), L2O_ERR_NOTSUP, NULL);
  l2o_problem_free(&unbounded);
}

/* Where the two farthest rows have half the probability each, the Hessian has the constant itself as an eigenvalue. */
static void constants_bound_the_hessian(void **state) {
  (void)state;
  l2o_problem p = sampled("log-sum-exp:n=4,m=2,mu=0.1", 1, 0), q = sampled("log-sum-exp:n=4,m=30,mu=0.1", 1, 0);
  for (int two = 1; two >= 0; two--) {
    const l2o_problem *problem = two ? &p : &q;
    l2o_real x[4] = {0}, v[4];
    double constant, bound, largest = 0;
    assert_status(l2o_problem_lipschitz(problem, &constant), L2O_OK, NULL);
    assert_status(l2o_problem_hessian_trace(problem, &bound), L2O_OK, NULL);
    for (uint64_t seed = 0; seed < 400; seed++) {
      const double trace = trace_at(problem, x);
      normal_reals(v, 4, seed);
      const double eigenvalue = eigenvalue_at(problem, v, x, 40);
      const double rounding = BY_PRECISION(1 + 1e-13, 1 + 1e-5);
      assert_true(trace <= bound * rounding && eigenvalue <= constant * rounding);
      largest = fmax(largest, eigenvalue);
      if (!two)
        normal_reals(x, 4, seed + 1000);
      for (size_t j = 0; j < 4; j++) /* on two rows v is a_1 - a_2 wherever x is: somewhere along it p = 1/2 */
        x[j] = two ? (l2o_real)(0.1 * ((double)seed - 200)) * v[j] : 10 * x[j];
    }
    assert_true(largest > (two ? 0.99 : 0.5) * constant); /* the bound is not far off */
  }
  l2o_problem_free(&p);
  l2o_problem_free(&q);
}

static void seeds_are_checked(void **state) {
  (void)state;
  l2o_family *family = family_of("log-sum-exp:sampler=mt19937,n=2,m=3");
  l2o_problem p;
  l2o_diag diag;
  assert_true(family->plain_seeds);
  assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_EVAL, 0, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "from 1 to 2^32 - 1");
  assert_status(l2o_family_sample(family, &p, UINT32_MAX, L2O_PURPOSE_EVAL, 1, &diag), L2O_ERR_ARG, NULL);
  l2o_family_free(family);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  char spec[] = "log-sum-exp:n=3,m=9";
  assert_true(assert_allocations_may_fail(make_and_use_family, spec, L2O_OK, ALL_ARE_NEEDED) >= 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(value_and_gradient_are_the_definition),
      cmocka_unit_test(reference_data_are_reproduced),
      cmocka_unit_test(minima_are_minima),
      cmocka_unit_test(constants_bound_the_hessian),
      cmocka_unit_test(seeds_are_checked),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
