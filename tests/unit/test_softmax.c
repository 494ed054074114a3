/* SPDX-License-Identifier: BSD-3-Clause */
/* Family softmax: values against a plain computation in double, also where exp() would overflow; two classes are logistic
 * regression; minima by their optimality conditions; real data and bad input. */
#include "l2o_data_family.h"

#include "failing_malloc.h"

enum { M = 31, D = 3, K = 4, N = D * K };
static l2o_real A[M * D];
static double labels[M];

static int make_data(void **state) {
  (void)state;
  normal_reals(A, M * D, 5);
  for (size_t i = 0; i < M; i++)
    labels[i] = (double)(i * i % 13 % K) * 2 - 1; /* -1, 1, 3, 5 */
  return 0;
}

static l2o_family *family_of_data(const char *spec) {
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(family_from_arrays(&family, spec, A, labels, M, D, &diag), L2O_OK, &diag);
  return family;
}

/* f and its gradient in plain double; the constant feature stands behind the others. */
static double plain_value(double *g, const double *X, double l2, bool bias) {
  const size_t d = D + bias;
  double f = 0;
  for (size_t j = 0; j < d * K; j++) {
    g[j] = l2 * X[j];
    f += l2 / 2 * X[j] * X[j];
  }
  for (size_t i = 0; i < M; i++) {
    double z[K] = {0}, largest = -INFINITY, sum = 0;
    const size_t label = (size_t)((labels[i] + 1) / 2);
    for (size_t c = 0; c < K; c++) {
      for (size_t j = 0; j < d; j++)
        z[c] += (j < D ? (double)A[i * D + j] : 1) * X[j * K + c];
      largest = fmax(largest, z[c]);
    }
    for (size_t c = 0; c < K; c++)
      sum += exp(z[c] - largest);
    f += (largest - z[label] + log(sum)) / M;
    for (size_t c = 0; c < K; c++)
      for (size_t j = 0; j < d; j++)
        g[j * K + c] += (j < D ? (double)A[i * D + j] : 1) * (exp(z[c] - largest) / sum - (c == label)) / M;
  }
  return f;
}

static void assert_is_plain(const l2o_problem *p, const l2o_real *x, double l2, bool bias) {
  double at[N + K] = {0}, g[N + K], size = 0;
  l2o_real given[N + K];
  doubles_of(at, x, p->n);
  const double f = plain_value(g, at, l2, bias);
  for (size_t j = 0; j < p->n; j++)
    size = fmax(size, fabs(g[j]));
  assert_close(value_at(p, x), f, BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-14, 1e-5));
  assert_close(gradient_at(p, given, x), f, BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-14, 1e-5));
  for (size_t j = 0; j < p->n; j++)
    assert_close(given[j], g[j], 0, BY_PRECISION(1e-13, 2e-5) * size);
}

static void value_and_gradient_are_the_definition(void **state) {
  (void)state;
  l2o_family *family = family_of_data("softmax:l2=0.1"), *biased = family_of_data("softmax:l2=0.2,bias=true");
  l2o_problem p = instance_of(family), q = instance_of(biased);
  l2o_real x[N + K];
  assert_true(p.n == N && q.n == N + K);
  for (uint64_t seed = 0; seed < 5; seed++) {
    normal_reals(x, N + K, seed);
    assert_is_plain(&p, x, 0.1, false);
    assert_is_plain(&q, x, 0.2, true);
  }
  l2o_problem_free(&p);
  l2o_problem_free(&q);
  l2o_family_free(family);
  l2o_family_free(biased);
}

static void nothing_overflows(void **state) {
  (void)state;
  l2o_family *family = family_of_data("softmax");
  l2o_problem p = instance_of(family);
  l2o_real x[N], v[N], hv[N], work[N + 2 * M * K];
  for (double scale = 1; scale < 1e16; scale *= 10) {
    normal_reals(x, N, 3);
    for (size_t j = 0; j < N; j++)
      x[j] *= (l2o_real)scale;
    assert_is_plain(&p, x, 0, false);
    normal_reals(v, N, 4);
    assert_status(l2o_problem_hessian_vector(&p, hv, x, v, work), L2O_OK, NULL);
    for (size_t j = 0; j < N; j++)
      assert_true(isfinite((double)hv[j]) && (scale < 1e6 || hv[j] == 0));
  }
  x[N - 1] = (l2o_real)NAN;
  assert_true(isnan(value_at(&p, x)));
  x[N - 1] = 0, x[0] = (l2o_real)NAN;
  assert_true(isnan(value_at(&p, x)));
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* f(X) with columns 0 and x is the logistic loss of x, and so is its minimum but for where the weights stand. */
static void two_classes_are_logistic_regression(void **state) {
  (void)state;
  l2o_family *softmax = family_of_file("softmax", "ionosphere.libsvm"), *logistic = family_of_file("logistic", "ionosphere.libsvm");
  l2o_problem p = instance_of(softmax), q = instance_of(logistic);
  assert_int_equal(p.n, 2 * q.n);
  l2o_real *x = calloc(p.n, sizeof *x), *X = calloc(p.n, sizeof *X), *g = calloc(p.n, sizeof *g), *G = calloc(p.n, sizeof *G);
  for (uint64_t seed = 0; seed < 3; seed++) {
    normal_reals(x, q.n, seed);
    for (size_t j = 0; j < q.n; j++)
      X[2 * j + 1] = x[j];
    assert_close(gradient_at(&p, G, X), gradient_at(&q, g, x), BY_PRECISION(1e-13, 1e-5), 0);
    for (size_t j = 0; j < q.n; j++) {
      assert_close(G[2 * j + 1], g[j], BY_PRECISION(1e-12, 1e-3), BY_PRECISION(1e-15, 1e-6));
      assert_close(G[2 * j], -(double)g[j], BY_PRECISION(1e-12, 1e-3), BY_PRECISION(1e-15, 1e-6));
    }
  }
  double f[2];
  assert_status(l2o_problem_minimum(&p, &f[0], NULL), L2O_OK, NULL);
  assert_status(l2o_problem_minimum(&q, &f[1], NULL), L2O_OK, NULL);
  assert_close(f[0], f[1], 1e-13, 0);
  free(x);
  free(X);
  free(g);
  free(G);
  l2o_problem_free(&p);
  l2o_problem_free(&q);
  l2o_family_free(softmax);
  l2o_family_free(logistic);
}

static void minima_are_minima(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    double l2;
    bool bias;
  } cases[] = {{"softmax", 0, false}, {"softmax:bias=true", 0, true}, {"softmax:l2=0.05,bias=true", 0.05, true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_family *family = family_of_data(cases[i].spec);
    l2o_problem p = instance_of(family);
    l2o_real x[N + K];
    double fstar, at[N + K], g[N + K];
    assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
    doubles_of(at, x, p.n);
    assert_close(plain_value(g, at, cases[i].l2, cases[i].bias), fstar, BY_PRECISION(1e-14, 1e-7), 0);
    for (size_t j = 0; j < p.n; j++)
      assert_close(g[j], 0, 0, BY_PRECISION(1e-12, 1e-6));
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
  double fstar;
  l2o_problem large = sampled("softmax:n=501,m=9,classes=2,l2=1", 1, 0);
  assert_status(l2o_problem_minimum(&large, &fstar, NULL), L2O_ERR_NOTSUP, NULL); /* too many unknowns for a dense Hessian */
  l2o_problem_free(&large);
  const l2o_real apart[6] = {-1, -2, 1, 2, 3, 0.5f};
  const double two[6] = {0, 0, 1, 1, 1, 1};
  l2o_family *family;
  assert_status(family_from_arrays(&family, "softmax", apart, two, 6, 1, NULL), L2O_OK, NULL);
  l2o_problem p = instance_of(family);
  assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_ERR_NOTSUP, NULL); /* separable */
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* L and the trace bound the Hessian everywhere; at 0 the trace is exact, and so is L for two classes. */
static void constants_bound_the_hessian(void **state) {
  (void)state;
  for (int two = 0; two < 2; two++) {
    l2o_problem p = sampled(two ? "softmax:n=4,m=20,classes=2,l2=0.1" : "softmax:n=4,m=20,classes=5,l2=0.1", 1, 0);
    l2o_real x[20] = {0}, v[20];
    double constant, bound;
    assert_status(l2o_problem_lipschitz(&p, &constant), L2O_OK, NULL);
    assert_status(l2o_problem_hessian_trace(&p, &bound), L2O_OK, NULL);
    for (uint64_t seed = 0; seed < 6; seed++) {
      const double trace = trace_at(&p, x);
      normal_reals(v, p.n, seed);
      const double eigenvalue = eigenvalue_at(&p, v, x, 300);
      assert_true(trace <= bound * BY_PRECISION(1 + 1e-13, 1 + 1e-5) && eigenvalue <= constant * BY_PRECISION(1 + 1e-13, 1 + 1e-5));
      if (seed == 0) {
        assert_close(trace, bound, BY_PRECISION(1e-13, 1e-5), 0);
        if (two)
          assert_close(eigenvalue, constant, BY_PRECISION(1e-9, 1e-5), 0);
      }
      normal_reals(x, p.n, seed + 10);
    }
    l2o_problem_free(&p);
  }
}

static void rows_may_repeat_in_a_minibatch(void **state) {
  (void)state;
  l2o_family *family = family_of_data("softmax:l2=0.3");
  l2o_problem p = instance_of(family);
  enum { COUNT = 3 * M }; /* every row as often as the others: f itself */
  size_t rows[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    rows[i] = i * 7 % M;
  l2o_real x[N], g[N], full[N], work[N + 2 * M * K];
  double f, without;
  normal_reals(x, N, 2);
  assert_status(l2o_problem_partial(&p, &f, g, x, rows, COUNT, work), L2O_OK, NULL);
  assert_status(l2o_problem_partial(&p, &without, NULL, x, rows, COUNT, work), L2O_OK, NULL);
  assert_true(f == without);
  assert_close(f, gradient_at(&p, full, x), BY_PRECISION(1e-14, 1e-6), 0);
  for (size_t j = 0; j < N; j++)
    assert_close(g[j], full[j], BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-15, 1e-6));
  l2o_problem_free(&p);
  l2o_family_free(family);
}

static void samples_come_from_the_model(void **state) {
  (void)state;
  l2o_problem p = sampled("softmax:n=5,m=2000,classes=3", 1, 0), same = sampled("softmax:n=5,m=2000,classes=3", 1, 0);
  l2o_problem other = sampled("softmax:n=5,m=2000,classes=3", 1, 1);
  l2o_real x[15];
  double fstar;
  normal_reals(x, 15, 1);
  assert_true(value_at(&p, x) == value_at(&same, x) && value_at(&p, x) != value_at(&other, x));
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
  assert_true(fstar > 0.3 && fstar < 0.9 * log(3)); /* classes overlap, and can be told apart better than by chance */
  double spread = 0; /* the truth is N(0, 4/5); weights are determined up to a constant in each row, here with mean 0 */
  for (size_t j = 0; j < 5; j++) {
    const double a = (double)x[3 * j], b = (double)x[3 * j + 1], c = (double)x[3 * j + 2];
    spread += ((a - b) * (a - b) + (b - c) * (b - c) + (c - a) * (c - a)) / (6 * 5);
  }
  assert_true(spread > 0.2 && spread < 2.5); /* 0.8 times chi^2 with 10 degrees of freedom / 10: outside at 2e-4 */
  l2o_problem_free(&p);
  l2o_problem_free(&same);
  l2o_problem_free(&other);
}

static void images_of_digits_are_taken(void **state) {
  (void)state;
  l2o_family *family = family_of_file("softmax:l2=1e-4", "mnist10k-images-idx3-ubyte.gz");
  assert_string_equal(family->note, "mnist10k-images-idx3-ubyte.gz: 10000 rows, 784 features, 10 classes from 0 to 9");
  l2o_problem p = instance_of(family);
  assert_true(p.n == 7840 && l2o_problem_summands(&p) == 10000);
  l2o_real *x = calloc(p.n, sizeof *x), *g = calloc(p.n, sizeof *g);
  double f = 0, L;
  assert_close(value_at(&p, x), log(10), BY_PRECISION(1e-13, 1e-6), 0);
  assert_status(l2o_problem_lipschitz(&p, &L), L2O_OK, NULL);
  for (int k = 0; k < 5; k++) { /* a step of 1 / L takes at least |g|^2 / 2 L off */
    double before = gradient_at(&p, g, x), squares = 0;
    for (size_t j = 0; j < p.n; j++) {
      squares += (double)g[j] * (double)g[j];
      x[j] -= (l2o_real)((double)g[j] / L);
    }
    f = value_at(&p, x);
    assert_true(f <= before - squares / (2 * L) + BY_PRECISION(1e-12, 1e-6));
  }
  assert_true(f < 2.2);
  free(x);
  free(g);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

static void bad_input_is_refused(void **state) {
  (void)state;
  l2o_family *family;
  l2o_diag diag = {""};
  const double same[M] = {0};
  const l2o_real nothing[M * D] = {0};
  assert_status(family_from_arrays(&family, "softmax", A, NULL, M, D, &diag), L2O_ERR_FORMAT, NULL);
  assert_names(&diag, "has no labels");
  assert_status(family_from_arrays(&family, "softmax", A, same, M, D, &diag), L2O_ERR_FORMAT, NULL);
  assert_names(&diag, "1 distinct label, expected 2 to 1000");
  assert_status(family_from_arrays(&family, "softmax", nothing, labels, M, D, &diag), L2O_ERR_NUMERIC, NULL);
  assert_names(&diag, "all 0");
  assert_status(family_from_arrays(&family, "softmax:classes=5", A, labels, M, D, &diag), L2O_ERR_SHAPE, NULL);
  assert_names(&diag, "classes = 5, but data has 4 distinct labels");
  assert_status(family_from_arrays(&family, "softmax:n=5", A, labels, M, D, &diag), L2O_ERR_SHAPE, NULL);
  assert_names(&diag, "n = 5, but data has 3 features");
  assert_status(family_from_arrays(&family, "softmax:m=5", A, labels, M, D, &diag), L2O_ERR_SHAPE, NULL);
  assert_names(&diag, "m = 5, but data has 31 rows");
  assert_null(family);
  assert_status(l2o_family_new(&family, "softmax:classes=1", &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "expected an integer from 2");
}

/* BLAS included, whose small-matrix kernels have their own ideas of that. */
static void operations_never_allocate(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  for (size_t features = 1; features < 60; features = features * 3 / 2 + 1)
    for (size_t classes = 2; classes < 12; classes += 3)
      for (size_t m = 1; m < 300; m = m * 4 + 1) {
        char spec[80];
        snprintf(spec, sizeof spec, "softmax:n=%zu,classes=%zu,m=%zu", features, classes, m);
        l2o_problem p = sampled(spec, 1, 0);
        l2o_real *x = calloc(p.n, sizeof *x), *g = calloc(p.n, sizeof *g), *work = calloc(l2o_problem_work_len(&p), sizeof *work);
        const size_t rows[2] = {m - 1, 0};
        double f;
        for (int warm = 0; warm < 2; warm++) {
          allocations_watch(0);
          l2o_problem_value(&p, &f, x, work);
          l2o_problem_gradient(&p, &f, g, x, work);
          l2o_problem_hessian_vector(&p, g, x, x, work);
          l2o_problem_partial(&p, &f, g, x, rows, 2, work);
          const allocations seen = allocations_seen();
          if (warm && seen.calls)
            fail_msg("%s: %zu allocations", spec, seen.calls);
        }
        free(x);
        free(g);
        free(work);
        l2o_problem_free(&p);
      }
}

static l2o_status make_everything(void *context) {
  static const char *const specs[] = {"softmax", "softmax:scale=unit,bias=true,l2=0.1"};
  char drawn[] = "softmax:n=3,m=50";
  l2o_status status = make_and_use_family(drawn);
  (void)context;
  for (size_t i = 0; i < 2 && !status; i++) {
    l2o_family *family;
    status = family_from_arrays(&family, specs[i], A, labels, M, D, NULL);
    status = use_family(status, family);
  }
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  assert_true(assert_allocations_may_fail(make_everything, NULL, L2O_OK, ALL_ARE_NEEDED) >= 30);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(value_and_gradient_are_the_definition),
      cmocka_unit_test(nothing_overflows),
      cmocka_unit_test(two_classes_are_logistic_regression),
      cmocka_unit_test(minima_are_minima),
      cmocka_unit_test(constants_bound_the_hessian),
      cmocka_unit_test(rows_may_repeat_in_a_minibatch),
      cmocka_unit_test(samples_come_from_the_model),
      cmocka_unit_test(images_of_digits_are_taken),
      cmocka_unit_test(bad_input_is_refused),
      cmocka_unit_test(operations_never_allocate),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, make_data, NULL);
}
