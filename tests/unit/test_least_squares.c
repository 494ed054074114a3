/* SPDX-License-Identifier: BSD-3-Clause */
/* least-squares: the reference data of L2O-BFGS, minima against independent ones, summands, files, data sets; and what qp shares.
 */
#include "l2o_fixtures.h"

#include "core/mersenne_twister.h"
#include "failing_malloc.h"
#include <l2o/tensor_file.h>
#ifdef L2O_WITH_GSL
#include <gsl/gsl_multifit.h>
#include <gsl/gsl_rng.h>
#endif

enum { MAX = 20 };

static double norm_of(const l2o_real *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double)x[i] * (double)x[i];
  return sqrt(sum);
}

/* ---- the portable generator ---- */

static void words_of_seed_one(void **state) {
  (void)state;
  static const uint32_t words[] = {1791095845u, 4282876139u, 3093770124u, 4005303368u};
  l2o_twister t, u;
  l2o_twister_seed_gsl(&t, 1);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(l2o_twister_word(&t), words[i]);
  l2o_twister_seed_gsl(&t, 0); /* as gsl_rng_set() has it */
  l2o_twister_seed_gsl(&u, 4357);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(l2o_twister_word(&t), l2o_twister_word(&u));
#ifdef L2O_WITH_GSL
  static const uint32_t seeds[] = {0, 1, 20, UINT32_MAX};
  gsl_rng *gsl = gsl_rng_alloc(gsl_rng_mt19937);
  for (size_t i = 0; i < 4; i++) {
    gsl_rng_set(gsl, seeds[i]);
    l2o_twister_seed_gsl(&t, seeds[i]);
    for (int k = 0; k < 1000; k++)
      assert_int_equal(l2o_twister_word(&t), gsl_rng_get(gsl));
  }
  gsl_rng_free(gsl);
#endif
}

static void normals_come_in_pairs(void **state) {
  (void)state;
  l2o_twister t, u;
  double x[4], y[3];
  l2o_twister_seed_gsl(&t, 1);
  u = t;
  l2o_twister_normal(&t, x, 4);
  assert_close(x[0], 1.32237868, 0, 1e-8);
  assert_close(x[1], -0.02339317, 0, 1e-8);
  l2o_twister_normal(&u, y, 1); /* the second of the pair is dropped */
  l2o_twister_normal(&u, y + 1, 2);
  assert_true(y[0] == x[0] && y[1] == x[2] && y[2] == x[3]);
}

/* ---- sampling ---- */

/* computed apart from the library (numpy, same generator), seed 1 */
static void reference_data_of_seed_one(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    double f0, gradient, minimum;
  } rows[] = {{"least-squares:sampler=mt19937", 49.610282899795, 8.091042256181, 22.6503859827},
              {"least-squares:sampler=mt19937,scaled=false", 49.610282899795, 80.91042256181, 22.6503859827}};
  for (size_t i = 0; i < 2; i++) {
    l2o_problem p = sampled(rows[i].spec, 1, 0);
    l2o_real x[50], g[50];
    double fstar;
    assert_int_equal(p.n, 50);
    assert_int_equal(l2o_problem_summands(&p), 100);
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    assert_close(gradient_at(&p, g, x), rows[i].f0, BY_PRECISION(1e-13, 1e-6), 0);
    assert_close(norm_of(g, 50), rows[i].gradient, BY_PRECISION(1e-12, 1e-6), 0);
    assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
    assert_close(fstar, rows[i].minimum, BY_PRECISION(1e-11, 1e-6), 0);
    l2o_problem_free(&p);
  }
}

static void instance_i_of_the_reference_data_has_seed_plus_i(void **state) {
  (void)state;
  l2o_real x[50], g[2][50];
  normal_reals(x, 50, 3);
  l2o_problem p = sampled("least-squares:sampler=mt19937", 5, 3), q = sampled("least-squares:sampler=mt19937", 8, 0);
  assert_true(gradient_at(&p, g[0], x) == gradient_at(&q, g[1], x));
  assert_same_reals(g[0], g[1], 50);
  l2o_problem_free(&p);
  l2o_problem_free(&q);
  l2o_family *family = family_of("least-squares:sampler=mt19937");
  l2o_diag diag = {""};
  assert_true(family->plain_seeds);
  assert_status(l2o_family_sample(family, &p, UINT32_MAX, L2O_PURPOSE_EVAL, 1, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "sampler mt19937 draws instance i from seed + i, expected from 1 to 2^32 - 1");
  assert_status(l2o_family_sample(family, &p, UINT64_MAX, L2O_PURPOSE_EVAL, UINT64_MAX, &diag), L2O_ERR_ARG, NULL);
  assert_status(l2o_family_sample(family, &p, UINT32_MAX, L2O_PURPOSE_EVAL, 0, &diag), L2O_OK, &diag);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* (Hessian)_jj of a problem */
static double curvature(const l2o_problem *p, size_t j) {
  l2o_real unit[50] = {0}, column[50], *work = malloc((l2o_problem_hessian_work_len(p) + 1) * sizeof *work);
  assert_true(p->n <= 50);
  unit[j] = 1;
  assert_status(l2o_problem_hessian_vector(p, column, unit, unit, work), L2O_OK, NULL);
  free(work);
  return (double)column[j];
}

static void options_do_what_they_say(void **state) {
  (void)state;
  l2o_problem plain = sampled("least-squares:n=5,m=9", 2, 0), bad = sampled("least-squares:n=5,m=9,condition=100", 2, 0),
              raw = sampled("least-squares:n=5,m=9,scaled=false", 2, 0), ridge = sampled("least-squares:n=5,m=9,ridge=0.5", 2, 0),
              one = sampled("least-squares:n=1,m=9,condition=100", 2, 0), alone = sampled("least-squares:n=1,m=9", 2, 0);
  double trace[2], sum = 0, constant[2], fstar;
  for (size_t j = 0; j < 5; j++) {
    const double h = curvature(&plain, j);
    assert_close(curvature(&bad, j), h * pow(100, -2 * (double)j / 4), BY_PRECISION(1e-13, 1e-5), 0);
    assert_close(curvature(&raw, j), 9 * h, BY_PRECISION(1e-13, 1e-5), 0);
    assert_close(curvature(&ridge, j), h + 0.5, BY_PRECISION(1e-13, 1e-5), 0);
    sum += h;
  }
  assert_close(curvature(&one, 0), curvature(&alone, 0), 0, 0); /* one column has nothing to be worse than */
  assert_status(l2o_problem_hessian_trace(&plain, &trace[0]), L2O_OK, NULL);
  assert_status(l2o_problem_hessian_trace(&ridge, &trace[1]), L2O_OK, NULL);
  assert_close(trace[0], sum, BY_PRECISION(1e-13, 1e-5), 0);
  assert_close(trace[1], sum + 2.5, BY_PRECISION(1e-13, 1e-5), 0);
  assert_status(l2o_problem_lipschitz(&plain, &constant[0]), L2O_OK, NULL);
  assert_status(l2o_problem_lipschitz(&ridge, &constant[1]), L2O_OK, NULL);
  assert_close(constant[1], constant[0] + 0.5, 1e-14, 0);
  l2o_problem planted = sampled("least-squares:n=5,m=9,solution=normal,noise=0", 2, 0);
  l2o_real xstar[5], g[5], g0[5], zero[5] = {0};
  assert_status(l2o_problem_minimum(&planted, &fstar, xstar), L2O_OK, NULL);
  gradient_at(&planted, g0, zero);
  assert_true(norm_of(g0, 5) > 0.1 && norm_of(xstar, 5) > 0.1);
  gradient_at(&planted, g, xstar);
  assert_true(fstar <= BY_PRECISION(1e-28, 1e-12));
  assert_true(norm_of(g, 5) <= BY_PRECISION(1e-14, 1e-5) * norm_of(g0, 5));
  l2o_problem_free(&plain);
  l2o_problem_free(&bad);
  l2o_problem_free(&raw);
  l2o_problem_free(&ridge);
  l2o_problem_free(&one);
  l2o_problem_free(&alone);
  l2o_problem_free(&planted);
}

/* |A|_2^2 + ridge by the power method on the Hessian-vector product */
static void the_lipschitz_constant_is_exact(void **state) {
  (void)state;
  static const char *const specs[] = {"least-squares:n=7,m=12", "least-squares:n=7,m=3,ridge=2", "qp:n=7,m=5", "lasso:n=7,m=4"};
  for (size_t s = 0; s < 4; s++) {
    l2o_problem p = sampled(specs[s], 4, s);
    l2o_real v[7], hv[7], *work = malloc(l2o_problem_hessian_work_len(&p) * sizeof *work);
    double largest = 0, constant;
    normal_reals(v, 7, 1);
    for (int k = 0; k < 3000; k++) {
      assert_status(l2o_problem_hessian_vector(&p, hv, v, v, work), L2O_OK, NULL);
      largest = norm_of(hv, 7) / norm_of(v, 7);
      for (size_t j = 0; j < 7; j++)
        v[j] = hv[j] / (l2o_real)norm_of(hv, 7);
    }
    assert_status(l2o_problem_lipschitz(&p, &constant), L2O_OK, NULL);
    assert_close(constant, largest, BY_PRECISION(1e-10, 1e-5), 0);
    free(work);
    l2o_problem_free(&p);
  }
}

/* ---- minima ---- */

/* Solves A x = b (n, n) by Gauss's elimination with the largest pivot; both are lost. */
static void solve(double *x, double *A, double *b, size_t n) {
  for (size_t k = 0; k < n; k++) {
    size_t best = k;
    for (size_t i = k; i < n; i++)
      best = fabs(A[i * n + k]) > fabs(A[best * n + k]) ? i : best;
    for (size_t j = 0; j < n; j++) {
      const double swap = A[k * n + j];
      A[k * n + j] = A[best * n + j], A[best * n + j] = swap;
    }
    const double swap = b[k];
    b[k] = b[best], b[best] = swap;
    for (size_t i = k + 1; i < n; i++) {
      const double factor = A[i * n + k] / A[k * n + k];
      for (size_t j = k; j < n; j++)
        A[i * n + j] -= factor * A[k * n + j];
      b[i] -= factor * b[k];
    }
  }
  for (size_t i = n; i-- > 0;) {
    x[i] = b[i];
    for (size_t j = i + 1; j < n; j++)
      x[i] -= A[i * n + j] * x[j];
    x[i] /= A[i * n + i];
  }
}

/* (A'A + ridge I) x = A'b and 1/2 |A x - b|^2 + ridge/2 |x|^2, in plain loops */
static double normal_equations(double *x, const l2o_real *A, const l2o_real *b, double ridge, size_t m, size_t n) {
  double H[MAX * MAX], c[MAX], f = 0;
  for (size_t j = 0; j < n; j++) {
    c[j] = 0;
    for (size_t i = 0; i < m; i++)
      c[j] += (double)A[i * n + j] * (double)b[i];
    for (size_t k = 0; k < n; k++) {
      H[j * n + k] = j == k ? ridge : 0;
      for (size_t i = 0; i < m; i++)
        H[j * n + k] += (double)A[i * n + j] * (double)A[i * n + k];
    }
  }
  solve(x, H, c, n);
  for (size_t i = 0; i < m; i++) {
    double r = -(double)b[i];
    for (size_t j = 0; j < n; j++)
      r += (double)A[i * n + j] * x[j];
    f += 0.5 * r * r;
  }
  for (size_t j = 0; j < n; j++)
    f += 0.5 * ridge * x[j] * x[j];
  return f;
}

static void minima_equal_the_normal_equations(void **state) {
  (void)state;
  static const struct {
    size_t m, n;
    double ridge;
  } cases[] = {{12, 5, 0}, {12, 5, 0.3}, {5, 5, 1e-2}, {4, 9, 0.7}, {1, 3, 2}, {3, 1, 0}, {20, 12, 1e4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const size_t m = cases[i].m, n = cases[i].n;
    l2o_real A[20 * 12], b[20], x[12];
    double expected[MAX], fstar, alone;
    l2o_problem p;
    normal_reals(A, m * n, 5 + i);
    normal_reals(b, m, 50 + i);
    assert_status(l2o_least_squares_new(&p, A, b, NULL, cases[i].ridge, 0, m, n, NULL), L2O_OK, NULL);
    const double f = normal_equations(expected, A, b, cases[i].ridge, m, n);
    assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
    assert_status(l2o_problem_minimum(&p, &alone, NULL), L2O_OK, NULL);
    assert_true(fstar == alone);
    assert_close(fstar, f, 1e-11, 0);
    for (size_t j = 0; j < n; j++)
      assert_close(x[j], expected[j], BY_PRECISION(1e-10, 1e-6), BY_PRECISION(1e-12, 1e-7));
    assert_close(value_at(&p, x), f, BY_PRECISION(1e-12, 1e-5), 0);
#ifdef L2O_WITH_GSL
    if (m >= n && cases[i].ridge == 0) {
      gsl_matrix *X = gsl_matrix_alloc(m, n), *covariance = gsl_matrix_alloc(n, n);
      gsl_vector *y = gsl_vector_alloc(m), *c = gsl_vector_alloc(n);
      gsl_multifit_linear_workspace *work = gsl_multifit_linear_alloc(m, n);
      double squares;
      for (size_t k = 0; k < m * n; k++)
        gsl_matrix_set(X, k / n, k % n, (double)A[k]);
      for (size_t k = 0; k < m; k++)
        gsl_vector_set(y, k, (double)b[k]);
      assert_int_equal(gsl_multifit_linear(X, y, c, covariance, &squares, work), 0);
      assert_close(fstar, 0.5 * squares, 1e-12, 0);
      for (size_t j = 0; j < n; j++)
        assert_close(x[j], gsl_vector_get(c, j), BY_PRECISION(1e-11, 1e-6), 0);
      gsl_multifit_linear_free(work);
      gsl_matrix_free(X);
      gsl_matrix_free(covariance);
      gsl_vector_free(y);
      gsl_vector_free(c);
    }
#endif
    l2o_problem_free(&p);
  }
}

/* A = D Q, D = diag(1, 1e-2, ..., 1e-10), Q = I - 2/n 1 1': x* = Q y with y_j = d_j / (d_j^2 + ridge) where b = 1. The condition
 * number of the augmented system is 1e9, its square is beyond double. */
static void an_ill_conditioned_ridge_keeps_its_digits(void **state) {
  (void)state;
  enum { N = 6 };
  if (sizeof(l2o_real) == sizeof(float))
    skip(); /* floats do not hold such an A */
  l2o_real A[N * N], b[N], x[N];
  const double ridge = 1e-18;
  double fstar, f = 0, y[N], sum = 0, largest = 0;
  for (size_t i = 0; i < N; i++) {
    const double d = pow(10, -2 * (double)i);
    for (size_t j = 0; j < N; j++)
      A[i * N + j] = (l2o_real)(d * ((i == j) - 2. / N));
    b[i] = 1;
    y[i] = d / (d * d + ridge);
    f += 0.5 * ridge / (d * d + ridge);
    sum += y[i];
  }
  l2o_problem p;
  assert_status(l2o_least_squares_new(&p, A, b, NULL, ridge, 0, N, N, NULL), L2O_OK, NULL);
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
  for (size_t j = 0; j < N; j++)
    largest = fmax(largest, fabs(y[j] - 2. / N * sum));
  for (size_t j = 0; j < N; j++)
    assert_close(x[j], y[j] - 2. / N * sum, 0, 1e-6 * largest);
  assert_close(fstar, f, 1e-6, 0);
  l2o_problem_free(&p);
}

/* ---- summands ---- */

static void a_minibatch_is_the_mean_of_its_rows(void **state) {
  (void)state;
  static const char *const specs[] = {"least-squares:n=4,m=7,ridge=0.3", "least-squares:n=4,m=7", "qp:n=4,m=7", "lasso:n=4,m=7"};
  for (size_t s = 0; s < 4; s++) {
    l2o_problem p = sampled(specs[s], 3, s);
    l2o_real x[4], g[4], single[4], mean[4], *work = malloc((l2o_problem_work_len(&p) + 1) * sizeof *work);
    const size_t batch[] = {2, 6, 2, 0}, all[] = {3, 1, 0, 6, 5, 4, 2};
    double f, only, fmean = 0, gmean[4] = {0};
    normal_reals(x, 4, 8);
    assert_int_equal(l2o_problem_summands(&p), 7);
    for (size_t i = 0; i < 4; i++) {
      assert_status(l2o_problem_partial(&p, &f, single, x, &batch[i], 1, work), L2O_OK, NULL);
      assert_status(l2o_problem_partial(&p, &only, NULL, x, &batch[i], 1, work), L2O_OK, NULL);
      assert_true(f == only);
      fmean += f / 4;
      for (size_t j = 0; j < 4; j++)
        gmean[j] += (double)single[j] / 4;
    }
    assert_status(l2o_problem_partial(&p, &f, mean, x, batch, 4, work), L2O_OK, NULL);
    assert_close(f, fmean, 1e-14, 0);
    for (size_t j = 0; j < 4; j++)
      assert_close(mean[j], gmean[j], BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-14, 1e-6));
    assert_status(l2o_problem_partial(&p, &f, mean, x, all, 7, work), L2O_OK, NULL);
    assert_close(f, gradient_at(&p, g, x), BY_PRECISION(1e-14, 1e-6), 0);
    for (size_t j = 0; j < 4; j++)
      assert_close(mean[j], g[j], BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-14, 1e-6));
    free(work);
    l2o_problem_free(&p);
  }
}

static void a_summand_by_hand(void **state) {
  (void)state;
  const l2o_real A[] = {1, 2, 3, 4, (l2o_real)0.5, -1}, b[] = {1, -1, 2}, x[] = {2, 1};
  const size_t row = 1;
  l2o_problem p;
  l2o_real g[2], work[3];
  double f;
  assert_status(l2o_least_squares_new(&p, A, b, NULL, 0.5, 0, 3, 2, NULL), L2O_OK, NULL);
  /* 3/2 (3*2 + 4*1 + 1)^2 + 1/4 (4 + 1) = 181.5 + 1.25; gradient 3 * 11 * (3, 4) + 1/2 (2, 1) */
  assert_status(l2o_problem_partial(&p, &f, g, x, &row, 1, work), L2O_OK, NULL);
  assert_close(f, 182.75, 1e-15, 0);
  assert_true((double)g[0] == 100 && (double)g[1] == 132.5);
  l2o_problem_free(&p);
}

/* ---- files and data ---- */

static void files_keep_the_ridge(void **state) {
  (void)state;
  l2o_family *family = family_of("least-squares:n=4,m=6,ridge=0.3"), *file;
  l2o_diag diag = {""};
  assert_status(l2o_family_save(family, in_folder("ridge"), 1, L2O_PURPOSE_EVAL, 2, &diag), L2O_OK, &diag);
  assert_status(l2o_family_open(&file, "least-squares", in_folder("ridge"), &diag), L2O_OK, &diag);
  for (uint64_t i = 0; i < 2; i++) {
    l2o_problem p, q;
    l2o_real x[4], g[2][4];
    double fstar[2], constant[2];
    normal_reals(x, 4, 1 + i);
    assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, i, &diag), L2O_OK, &diag);
    assert_status(l2o_family_sample(file, &q, 9, L2O_PURPOSE_TRAIN, i, &diag), L2O_OK, &diag);
    assert_true(gradient_at(&p, g[0], x) == gradient_at(&q, g[1], x));
    assert_same_reals(g[0], g[1], 4);
    assert_status(l2o_problem_minimum(&p, &fstar[0], NULL), L2O_OK, NULL);
    assert_status(l2o_problem_minimum(&q, &fstar[1], NULL), L2O_OK, NULL);
    assert_status(l2o_problem_lipschitz(&p, &constant[0]), L2O_OK, NULL);
    assert_status(l2o_problem_lipschitz(&q, &constant[1]), L2O_OK, NULL);
    assert_true(fstar[0] == fstar[1] && constant[0] == constant[1]);
    l2o_problem_free(&p);
    l2o_problem_free(&q);
  }
  l2o_family_free(family);
  l2o_family_free(file);
}

/* A file with A [2,1,1], b [2,1] and what is asked for as the ridge. */
static l2o_status open_with_ridge(l2o_family **out, const double *ridge, size_t count, size_t rank, l2o_diag *diag) {
  static const double values[] = {2, 3};
  const size_t matrix[] = {2, 1, 1}, vector[] = {2, 1};
  l2o_tensor_writer *writer;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "A", L2O_F64, values, matrix, 3), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "b", L2O_F64, values, vector, 2), L2O_OK, NULL);
  if (ridge)
    assert_status(l2o_tensor_writer_add(writer, "ridge", L2O_F64, ridge, &count, rank), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_save(writer, in_folder("weights"), NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
  return l2o_family_open(out, "least-squares", in_folder("weights"), diag);
}

static void a_file_may_have_one_ridge_or_many(void **state) {
  (void)state;
  static const double weights[] = {0.5, 1.5};
  static const struct {
    size_t count, rank;
    double expected[2]; /* constants: A^2 + ridge */
  } cases[] = {{0, 0, {4, 9}}, {1, 0, {4.5, 9.5}}, {1, 1, {4.5, 9.5}}, {2, 1, {4.5, 10.5}}};
  for (size_t c = 0; c < 4; c++) {
    l2o_family *file;
    l2o_diag diag = {""};
    assert_status(open_with_ridge(&file, cases[c].count ? weights : NULL, cases[c].count, cases[c].rank, &diag), L2O_OK, &diag);
    for (uint64_t i = 0; i < 2; i++) {
      l2o_problem p;
      double constant;
      assert_status(l2o_family_sample(file, &p, 0, L2O_PURPOSE_EVAL, i, &diag), L2O_OK, &diag);
      assert_status(l2o_problem_lipschitz(&p, &constant), L2O_OK, NULL);
      assert_close(constant, cases[c].expected[i], 1e-14, 0);
      l2o_problem_free(&p);
    }
    l2o_family_free(file);
  }
  static const double bad[][3] = {{-1, 1, 1}, {1, (double)NAN, 1}, {1, 1, 1}};
  static const size_t counts[] = {2, 2, 3};
  static const char *const sentences[] = {"'ridge' of instance 0 is -1; expected 0 or more", "'ridge' of instance 1 is nan",
                                          "'ridge' must have 1 or 2 entries"};
  for (size_t i = 0; i < 3; i++) {
    l2o_family *file;
    l2o_diag diag = {""};
    assert_status(open_with_ridge(&file, bad[i], counts[i], 1, &diag), i == 2 ? L2O_ERR_SHAPE : L2O_ERR_NUMERIC, &diag);
    assert_names(&diag, sentences[i]);
    assert_null(file);
  }
}

static void option_defaults(double *values, const l2o_family_type *type) {
  for (size_t i = 0; type->options[i].name; i++)
    values[i] = type->options[i].initial;
}

static void a_data_set_is_one_instance(void **state) {
  (void)state;
  const l2o_real A[] = {1, 0, 0, 1, 1, 1};
  const double labels[] = {1, 2, 0};
  const l2o_family_type *type = l2o_family_type_find("least-squares", NULL);
  double values[32], fstar;
  l2o_dataset *data;
  l2o_family *family;
  l2o_problem p;
  l2o_real x[2];
  l2o_diag diag = {""};
  option_defaults(values, type);
  assert_string_equal(type->options[2].name, "ridge");
  assert_status(l2o_dataset_new(&data, A, labels, 3, 2, &diag), L2O_OK, &diag);
  assert_status(type->create_from(&family, values, data, &diag), L2O_OK, &diag);
  assert_true(family->n == 2 && family->count == 1);
  assert_non_null(strstr(family->note, "3 rows, 2 features"));
  assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 5, &diag), L2O_OK, &diag);
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL); /* x* = (0, 1), residual (-1, -1, 1) */
  assert_close(x[0], 0, 0, BY_PRECISION(1e-14, 1e-6));
  assert_close(x[1], 1, BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(fstar, 1.5, 1e-14, 0);
  l2o_problem_free(&p);
  l2o_family_free(family);
  values[2] = 1; /* x* = ((2, 1), (1, 2)) + I inverse times (1, 2) = (1/8, 5/8) */
  assert_status(l2o_dataset_new(&data, A, labels, 3, 2, &diag), L2O_OK, &diag);
  assert_status(type->create_from(&family, values, data, &diag), L2O_OK, &diag);
  assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, &diag), L2O_OK, &diag);
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
  assert_close(x[0], 0.125, BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(x[1], 0.625, BY_PRECISION(1e-14, 1e-6), 0);
  l2o_problem_free(&p);
  l2o_family_free(family);
  assert_status(l2o_dataset_new(&data, A, NULL, 3, 2, &diag), L2O_OK, &diag);
  assert_status(type->create_from(&family, values, data, &diag), L2O_ERR_ARG, &diag);
  assert_names(&diag, "least-squares needs a label for every row (its b), but there are none");
  l2o_dataset_free(data); /* still the caller's */
  values[0] = 3;
  assert_status(l2o_dataset_new(&data, A, labels, 3, 2, &diag), L2O_OK, &diag);
  assert_status(type->create_from(&family, values, data, &diag), L2O_ERR_SHAPE, &diag);
  assert_names(&diag, "least-squares: n = 3, but data has 2 features");
  values[0] = type->options[0].initial;
  l2o_dataset_free(data);
  const l2o_real zeros[6] = {0};
  assert_status(l2o_dataset_new(&data, zeros, labels, 3, 2, &diag), L2O_OK, &diag);
  assert_status(type->create_from(&family, values, data, &diag), L2O_ERR_NUMERIC, &diag);
  assert_names(&diag, "norm of the features: they are all 0");
  l2o_dataset_free(data);
}

static void bad_arguments_are_refused(void **state) {
  (void)state;
  const l2o_real good[4] = {1, 0, 0, 1}, bad[4] = {1, (l2o_real)NAN, 0, 1};
  l2o_problem p;
  l2o_diag diag = {""};
  assert_status(l2o_least_squares_new(&p, bad, good, NULL, 0, 0, 2, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_names(&diag, "least-squares: A, b or x0 holds a value that is not finite");
  assert_status(l2o_least_squares_new(&p, good, good, NULL, -1, 0, 2, 2, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "the weight of 1/2 |x|^2 is -1; expected 0 or more");
  assert_status(l2o_least_squares_new(&p, good, good, NULL, (double)NAN, 0, 2, 2, &diag), L2O_ERR_ARG, NULL);
  assert_status(l2o_least_squares_new(&p, good, good, NULL, 0, -1, 2, 2, &diag), L2O_ERR_ARG, NULL);
  assert_status(l2o_least_squares_new(&p, good, good, NULL, 0, 0, 0, 2, &diag), L2O_ERR_SHAPE, NULL);
  assert_null(p.ops);
  static const refused_spec cases[] = {{"least-squares:ridge=-1", "ridge = -1: expected a number from 0 to"},
                                       {"least-squares:condition=0.5", "condition = 0.5: expected a number from 1 to"},
                                       {"least-squares:scaled=maybe", "expected one of false|true"},
                                       {"least-squares:sampler=torch", "expected one of philox|mt19937"},
                                       {"least-squares:noise=-1", "noise = -1"},
                                       {"least-squares:n=0", "n = 0: expected an integer from 1 to"}};
  assert_refused_specs(cases, sizeof cases / sizeof *cases);
}

static l2o_status make_everything(void *context) {
  const l2o_real A[] = {1, 0, 0, 1, 1, 1}, b[] = {1, 2, 0};
  char drawn[] = "least-squares:n=3,m=5";
  l2o_problem p;
  double fstar;
  (void)context;
  l2o_status status = l2o_least_squares_new(&p, A, b, NULL, 0.5, 0, 3, 2, NULL);
  if (!status)
    status = l2o_problem_minimum(&p, &fstar, NULL);
  l2o_problem_free(&p);
  return status ? status : make_and_use_family(drawn);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  assert_true(assert_allocations_may_fail(make_everything, NULL, L2O_OK, ALL_ARE_NEEDED) >= 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words_of_seed_one),
      cmocka_unit_test(normals_come_in_pairs),
      cmocka_unit_test(reference_data_of_seed_one),
      cmocka_unit_test(instance_i_of_the_reference_data_has_seed_plus_i),
      cmocka_unit_test(options_do_what_they_say),
      cmocka_unit_test(the_lipschitz_constant_is_exact),
      cmocka_unit_test(minima_equal_the_normal_equations),
      cmocka_unit_test(an_ill_conditioned_ridge_keeps_its_digits),
      cmocka_unit_test(a_minibatch_is_the_mean_of_its_rows),
      cmocka_unit_test(a_summand_by_hand),
      cmocka_unit_test_setup_teardown(files_keep_the_ridge, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_file_may_have_one_ridge_or_many, make_folder, remove_folder),
      cmocka_unit_test(a_data_set_is_one_instance),
      cmocka_unit_test(bad_arguments_are_refused),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
