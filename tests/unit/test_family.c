/* SPDX-License-Identifier: BSD-3-Clause */
/* Families: sampling, the two families' own properties and minima, instance files good and broken, a user's family. */
#include "l2o_fixtures.h"

#include "failing_malloc.h"
#include <l2o/tensor_file.h>

/* ---- looking into a problem through its operations ---- */

enum { MAX = 40 };

/* H (n, n), symmetric, by Hessian-vector products with the unit vectors. */
static void hessian_of(const l2o_problem *p, double *H) {
  const size_t n = p->n;
  l2o_real unit[MAX] = {0}, column[MAX], *work = malloc((l2o_problem_hessian_work_len(p) + 1) * sizeof *work);
  assert_true(n <= MAX);
  for (size_t j = 0; j < n; j++) {
    unit[j] = 1;
    assert_status(l2o_problem_hessian_vector(p, column, unit, unit, work), L2O_OK, NULL);
    unit[j] = 0;
    for (size_t i = 0; i < n; i++)
      H[i * n + j] = (double)column[i];
  }
  free(work);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Eigenvalues of the symmetric A (n, n) by Jacobi's rotations, ascending; A is lost. */
static void eigenvalues(double *value, double *A, size_t n) {
  for (int sweep = 0; sweep < 60; sweep++)
    for (size_t p = 0; p < n; p++)
      for (size_t q = p + 1; q < n; q++) {
        if (A[p * n + q] == 0)
          continue;
        double theta = (A[q * n + q] - A[p * n + p]) / (2 * A[p * n + q]);
        double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1), s = t * c;
        for (size_t i = 0; i < n; i++) {
          double a = A[i * n + p], b = A[i * n + q];
          A[i * n + p] = c * a - s * b, A[i * n + q] = s * a + c * b;
        }
        for (size_t i = 0; i < n; i++) {
          double a = A[p * n + i], b = A[q * n + i];
          A[p * n + i] = c * a - s * b, A[q * n + i] = s * a + c * b;
        }
      }
  for (size_t i = 0; i < n; i++)
    value[i] = A[i * n + i];
  qsort(value, n, sizeof *value, ascending);
}

static double lipschitz_of(const l2o_problem *p) {
  double constant;
  assert_status(l2o_problem_lipschitz(p, &constant), L2O_OK, NULL);
  return constant;
}

/* A random point, in the set where there is one. */
static void point_of(const l2o_problem *p, l2o_real *x, uint64_t seed) {
  normal_reals(x, p->n, seed);
  assert_status(l2o_problem_project(p, x, x, NULL), L2O_OK, NULL);
}

/* The two instances answer alike, bit for bit; 0 and a status where they do not know an answer. */
static void assert_same_problems(const l2o_problem *a, const l2o_problem *b) {
  const size_t n = a->n;
  l2o_real *x = calloc(3 * n, sizeof *x), *g[2] = {x + n, x + 2 * n};
  double f[2] = {0}, constant[2] = {0};
  assert_int_equal(n, b->n);
  for (uint64_t seed = 0; seed < 3; seed++) {
    point_of(a, x, seed);
    assert_true(gradient_at(a, g[0], x) == gradient_at(b, g[1], x));
    assert_same_reals(g[0], g[1], n);
  }
  assert_status(l2o_problem_start(a, g[0]), L2O_OK, NULL);
  assert_status(l2o_problem_start(b, g[1]), L2O_OK, NULL);
  assert_same_reals(g[0], g[1], n);
  assert_int_equal(l2o_problem_lipschitz(a, &constant[0]), l2o_problem_lipschitz(b, &constant[1]));
  assert_true(constant[0] == constant[1]);
  assert_int_equal(l2o_problem_minimum(a, &f[0], g[0]), l2o_problem_minimum(b, &f[1], g[1]));
  assert_true(f[0] == f[1]);
  assert_same_reals(g[0], g[1], n);
  free(x);
}

static bool are_different(const l2o_problem *a, const l2o_problem *b) {
  l2o_real *x = malloc(a->n * sizeof *x);
  point_of(a, x, 0);
  const bool differ = a->n != b->n || value_at(a, x) != value_at(b, x);
  free(x);
  return differ;
}

/* ---- sampling ---- */

static l2o_problem instance(const l2o_family *family, uint64_t seed, l2o_purpose purpose, uint64_t index) {
  l2o_problem p;
  l2o_diag diag = {""};
  assert_status(l2o_family_sample(family, &p, seed, purpose, index, &diag), L2O_OK, &diag);
  return p;
}

static void an_instance_is_named_by_seed_purpose_and_index(void **state) {
  (void)state;
  for (const l2o_family_type *const *type = l2o_family_types(); *type; type++) {
    /* nothing is drawn in these: index, if anything, decides */
    const bool fixed = strcmp((*type)->name, "rosenbrock") == 0 || strcmp((*type)->name, "more-garbow-hillstrom") == 0;
    l2o_family *family = family_of((*type)->name), *again = family_of((*type)->name);
    l2o_problem p[] = {instance(family, 1, L2O_PURPOSE_TRAIN, 0), instance(family, 2, L2O_PURPOSE_TRAIN, 0),
                       instance(family, 1, L2O_PURPOSE_EVAL, 0), instance(family, 1, L2O_PURPOSE_VALIDATION, 0),
                       instance(family, 1, L2O_PURPOSE_TRAIN, 1)};
    for (size_t i = 0; i < 5; i++)
      for (size_t j = 0; j < i; j++)
        assert_true(fixed || are_different(&p[i], &p[j]));
    l2o_problem same = instance(again, 1, L2O_PURPOSE_TRAIN, 1);
    assert_same_problems(&same, &p[4]);
    l2o_problem_free(&same);
    for (size_t i = 0; i < 5; i++)
      l2o_problem_free(&p[i]);
    l2o_family_free(family);
    l2o_family_free(again);
  }
}

static void qp_is_as_in_the_paper(void **state) {
  (void)state;
  static const char *const specs[] = {
      "qp", "qp:n=6,m=9", "qp:n=1,m=4", "qp:n=5,m=1", "qp:n=8,m=6,sampler=torch,instances=4", "qp:n=6,m=4,matrix=shared"};
  static double H[MAX * MAX], value[MAX];
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    l2o_family *family = family_of(specs[i]); /* may hold the matrix */
    l2o_problem p = instance(family, 3, L2O_PURPOSE_EVAL, 1);
    hessian_of(&p, H);
    for (size_t j = 0; j < p.n; j++) /* unit columns */
      assert_close(H[j * p.n + j], 1, BY_PRECISION(1e-14, 1e-6), 0);
    eigenvalues(value, H, p.n);
    assert_close(lipschitz_of(&p), value[p.n - 1], BY_PRECISION(1e-13, 1e-6), 0);
    assert_true(value[0] >= -BY_PRECISION(1e-14, 1e-6));
    l2o_real x[MAX], g[MAX];
    double fstar, f;
    assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
    assert_close(fstar, 0, 0, BY_PRECISION(1e-26, 1e-12)); /* y = W x*: a solution exists, up to the rounding of y */
    f = gradient_at(&p, g, x);
    assert_close(f, fstar, 0, BY_PRECISION(1e-26, 1e-11));
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    for (size_t j = 0; j < p.n; j++)
      assert_true(x[j] == 0);
    assert_true(value_at(&p, x) > 1e-3);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
}

/* One matrix, many right-hand sides; another seed, another matrix. */
static void the_matrix_of_qp_may_be_shared(void **state) {
  (void)state;
  l2o_family *shared = family_of("qp:n=6,m=4,matrix=shared"), *other = family_of("qp:n=6,m=4,matrix=shared,matrix_seed=2");
  l2o_problem p[] = {instance(shared, 1, L2O_PURPOSE_TRAIN, 0), instance(shared, 2, L2O_PURPOSE_EVAL, 3),
                     instance(other, 1, L2O_PURPOSE_TRAIN, 0)};
  double H[3][6 * 6];
  for (size_t i = 0; i < 3; i++)
    hessian_of(&p[i], H[i]);
  assert_true(l2o_problem_together(&p[0], &p[1]) && are_different(&p[0], &p[1]));
  assert_memory_equal(H[0], H[1], sizeof *H);
  assert_true(memcmp(H[0], H[2], sizeof *H) != 0 && !l2o_problem_together(&p[0], &p[2]));
  for (size_t i = 0; i < 3; i++)
    l2o_problem_free(&p[i]);
  l2o_family_free(shared);
  l2o_family_free(other);
  static const refused_spec torch = {"qp:sampler=torch,matrix=shared",
                                     "sampler torch draws a matrix for each instance; matrix=shared is for philox"};
  assert_refused_specs(&torch, 1);
}

static void the_quadratics_spectrum_is_the_one_asked_for(void **state) {
  (void)state;
  enum { N = 9 };
  static const char *const names[] = {"log", "linear", "clustered"};
  for (size_t s = 0; s < 3; s++) {
    char spec[96];
    double H[N * N], value[N];
    snprintf(spec, sizeof spec, "quadratic:n=9,condition=50,spectrum=%s", names[s]);
    l2o_problem p = sampled(spec, 4, s);
    hessian_of(&p, H);
    eigenvalues(value, H, N);
    for (size_t i = 0; i < N; i++) {
      double t = (double)i / (N - 1), tolerance = BY_PRECISION(1e-13, 1e-6);
      if (s == 0)
        assert_close(value[i], pow(50, t - 1), 0, tolerance);
      else if (s == 1)
        assert_close(value[i], 0.02 + 0.98 * t, 0, tolerance);
      else /* half near each end */
        assert_true(t < 0.5 ? value[i] > 0.02 - tolerance && value[i] < 0.0221 : value[i] > 0.9 && value[i] < 1 + tolerance);
    }
    assert_close(value[0], 0.02, 0, BY_PRECISION(1e-14, 1e-6));
    assert_close(value[N - 1], 1, 0, BY_PRECISION(1e-14, 1e-6));
    assert_true(lipschitz_of(&p) == 1);
    l2o_problem_free(&p);
  }
  l2o_problem p = sampled("quadratic:n=1,condition=50", 4, 0);
  double one;
  hessian_of(&p, &one);
  assert_close(one, 1, BY_PRECISION(1e-15, 1e-7), 0);
  l2o_problem_free(&p);
}

/* experiments/zo-multi-query, strongly convex: diagonal A, x0 = 1, x* = 0; traces 100, 55, 21.8 and 5.2 at n = 100. */
static void quadratics_on_the_axes(void **state) {
  (void)state;
  static const struct {
    const char *options;
    double trace, least;
  } cases[] = {{"condition=1", 100, 1},
               {"condition=10,spectrum=linear", 55, 0.1},
               {"condition=100", 21.8, 0.01},
               {"condition=100,spectrum=harmonic", 5.2, 0.01}};
  for (size_t c = 0; c < 4; c++) {
    char spec[120];
    snprintf(spec, sizeof spec, "quadratic:n=100,basis=axes,start=ones,solution=zero,%s", cases[c].options);
    l2o_problem p = sampled(spec, 1, c);
    l2o_real x[100], g[100], unit[100] = {0};
    double trace, fstar, sum = 0, last = 0;
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    for (size_t j = 0; j < 100; j++)
      assert_true(x[j] == 1);
    const double f = gradient_at(&p, g, x); /* g = diag A, f = 1/2 trace A */
    for (size_t j = 0; j < 100; j++) {
      sum += (double)g[j];
      assert_true((double)g[j] >= last); /* ascending */
      last = (double)g[j];
    }
    assert_close(g[0], cases[c].least, BY_PRECISION(1e-14, 1e-6), 0);
    assert_close(last, 1, BY_PRECISION(1e-15, 1e-7), 0);
    assert_true(lipschitz_of(&p) == 1);
    assert_status(l2o_problem_hessian_trace(&p, &trace), L2O_OK, NULL);
    assert_close(trace, cases[c].trace, 0, 0.05);
    assert_close(trace, sum, BY_PRECISION(1e-14, 1e-6), 0);
    assert_close(f, 0.5 * trace, BY_PRECISION(1e-14, 1e-6), 0);
    unit[40] = 1; /* nothing beside the diagonal */
    gradient_at(&p, g, unit);
    for (size_t j = 0; j < 100; j++)
      assert_true(j == 40 || g[j] == 0);
    assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
    assert_true(fstar == 0);
    assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
    assert_true(fstar == 0);
    for (size_t j = 0; j < 100; j++)
      assert_true(x[j] == 0);
    l2o_problem_free(&p);
  }
  l2o_problem p = sampled("quadratic:n=6,condition=4,spectrum=harmonic", 1, 0), q = sampled("quadratic:n=6,basis=axes", 1, 0);
  double H[36], value[6], trace, fstar;
  l2o_real x[6], g[6], zero[6] = {0}, g0[6];
  hessian_of(&p, H);
  eigenvalues(value, H, 6);
  for (size_t i = 0; i < 6; i++) /* max(1/4, 1/i), i = 6, ..., 1 */
    assert_close(value[i], fmax(0.25, 1 / (double)(6 - i)), 0, BY_PRECISION(1e-14, 1e-6));
  assert_status(l2o_problem_hessian_trace(&p, &trace), L2O_OK, NULL);
  assert_close(trace, 0.75 + 1. / 3 + 0.5 + 1, BY_PRECISION(1e-13, 1e-6), 0);
  assert_status(l2o_problem_minimum(&q, &fstar, x), L2O_OK, NULL); /* x* ~ N(0, I) on the axes too */
  assert_close(gradient_at(&q, g, x), fstar, BY_PRECISION(1e-13, 1e-5), 0);
  gradient_at(&q, g0, zero);
  for (size_t j = 0; j < 6; j++)
    assert_true(x[j] != 0 && fabs((double)g[j]) <= BY_PRECISION(1e-14, 1e-6) * fabs((double)g0[j]));
  l2o_problem_free(&p);
  l2o_problem_free(&q);
}

/* Whatever the family says is the minimum: no gradient there, the value it says, and a well-known solver gets no lower. */
static void minima_are_minima(void **state) {
  (void)state;
  static const char *const specs[] = {"quadratic:n=12", "quadratic:n=12,condition=1e4,spectrum=linear",
                                      "quadratic:n=12,spectrum=clustered"};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    l2o_problem p = sampled(specs[i], 5, i);
    l2o_real x[MAX], g[MAX], zero[MAX] = {0}, g0[MAX];
    double fstar, alone, norm = 0, norm0 = 0;
    assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
    assert_status(l2o_problem_minimum(&p, &alone, NULL), L2O_OK, NULL);
    assert_close(alone, fstar, BY_PRECISION(1e-12, 1e-12), 0);
    assert_close(gradient_at(&p, g, x), fstar, BY_PRECISION(1e-12, 1e-5), 0);
    gradient_at(&p, g0, zero);
    for (size_t j = 0; j < p.n; j++)
      norm += (double)g[j] * (double)g[j], norm0 += (double)g0[j] * (double)g0[j];
    assert_true(sqrt(norm) <= BY_PRECISION(1e-12, 1e-4) * sqrt(norm0));
    l2o_problem_free(&p);
  }
}

/* ---- from a caller's arrays ---- */

static void least_squares_by_hand(void **state) {
  (void)state;
  static const l2o_real W[] = {1, 0, 0, 1, 1, 1}, y[] = {1, 2, 0}, x0[] = {5, 6};
  l2o_problem p;
  l2o_real x[2];
  double fstar;
  l2o_diag diag = {""};
  assert_status(l2o_qp_new(&p, W, y, x0, 0, 3, 2, &diag), L2O_OK, &diag);
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
  assert_close(x[0], 0, 0, BY_PRECISION(1e-14, 1e-6)); /* W'W = [2 1; 1 2], W'y = (1, 2): x* = (0, 1), residual (-1, -1, 1) */
  assert_close(x[1], 1, BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(fstar, 1.5, BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(lipschitz_of(&p), 3, 1e-14, 0);
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  assert_true(x[0] == 5 && x[1] == 6);
  l2o_problem_free(&p);
  assert_status(l2o_qp_new(&p, W, y, NULL, 7, 3, 2, &diag), L2O_OK, &diag); /* the caller knows better */
  assert_true(lipschitz_of(&p) == 7);
  l2o_problem_free(&p);
}

/* W = u v': f* = 1/2 (|y|^2 - (u'y)^2 / |u|^2), at x = v (u'y) / (|u|^2 |v|^2) of least norm. Tall, wide and square. */
static void rank_deficient_least_squares_has_its_minimum(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{7, 4}, {4, 7}, {5, 5}, {1, 3}, {3, 1}, {30, 20}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    const size_t m = shapes[s][0], n = shapes[s][1];
    l2o_real W[600], y[30], x[20];
    double u[30], v[20], uy = 0, uu = 0, vv = 0, yy = 0, fstar;
    normal_reals(y, m, 10 + s);
    for (size_t i = 0; i < m; i++) /* small whole numbers: floats hold the products */
      u[i] = (double)(i % 5) - 2.0 + (double)(i == 0), uu += u[i] * u[i], uy += u[i] * (double)y[i],
      yy += (double)y[i] * (double)y[i];
    for (size_t j = 0; j < n; j++)
      v[j] = (double)(j % 3) + 1, vv += v[j] * v[j];
    for (size_t i = 0; i < m * n; i++)
      W[i] = (l2o_real)(u[i / n] * v[i % n]);
    l2o_problem p;
    assert_status(l2o_qp_new(&p, W, y, NULL, 0, m, n, NULL), L2O_OK, NULL);
    assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
    assert_close(fstar, 0.5 * (yy - uy * uy / uu), 1e-12, 1e-13);
    for (size_t j = 0; j < n; j++)
      assert_close(x[j], v[j] * uy / (uu * vv), BY_PRECISION(1e-11, 1e-6), 1e-13);
    assert_close(lipschitz_of(&p), uu * vv, 1e-13, 0);
    l2o_problem_free(&p);
  }
  /* a column twice, one multiplied, and a zero one beside two regular ones: the same minimum as with the regular ones alone */
  l2o_real full[6 * 2], W[6 * 5], y[6];
  double expected, fstar;
  normal_reals(full, 12, 3);
  normal_reals(y, 6, 4);
  for (size_t i = 0; i < 6; i++) {
    const l2o_real row[] = {full[2 * i], full[2 * i + 1], full[2 * i], 0, -2 * full[2 * i + 1]};
    memcpy(W + 5 * i, row, sizeof row);
  }
  l2o_problem p, q;
  assert_status(l2o_qp_new(&p, full, y, NULL, 0, 6, 2, NULL), L2O_OK, NULL);
  assert_status(l2o_qp_new(&q, W, y, NULL, 0, 6, 5, NULL), L2O_OK, NULL);
  assert_status(l2o_problem_minimum(&p, &expected, NULL), L2O_OK, NULL);
  assert_status(l2o_problem_minimum(&q, &fstar, NULL), L2O_OK, NULL);
  assert_close(fstar, expected, BY_PRECISION(1e-12, 1e-6), 0);
  l2o_problem_free(&p);
  l2o_problem_free(&q);
}

static void quadratic_by_hand(void **state) {
  (void)state;
  static const l2o_real A[] = {2, 1, 1, 2}, b[] = {3, 3};
  l2o_problem p;
  l2o_real x[2];
  double fstar;
  assert_status(l2o_quadratic_new(&p, A, b, NULL, 0, 2, NULL), L2O_OK, NULL);
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
  assert_close(x[0], 1, BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(x[1], 1, BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(fstar, -3, 1e-14, 0);
  assert_close(lipschitz_of(&p), 3, 1e-14, 0);
  l2o_problem_free(&p);
  static const l2o_real saddle[] = {1, 2, 2, 1};
  assert_status(l2o_quadratic_new(&p, saddle, b, NULL, 0, 2, NULL), L2O_OK, NULL);
  assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_ERR_NUMERIC, NULL); /* has none */
  l2o_problem_free(&p);
}

static void bad_arrays_are_refused(void **state) {
  (void)state;
  const l2o_real bad = (l2o_real)NAN, good[4] = {1, 0, 0, 1}, one[4] = {1, bad, 0, 1}, lopsided[4] = {1, 2, 3, 4};
  const l2o_real zero[4] = {0}, negative[4] = {-1, 0, 0, -1};
  l2o_problem p;
  l2o_diag diag;
  assert_status(l2o_qp_new(&p, one, good, NULL, 0, 2, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_names(&diag, "holds a value that is not finite");
  assert_status(l2o_qp_new(&p, good, one, NULL, 0, 2, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_status(l2o_qp_new(&p, good, good, one, 0, 2, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_status(l2o_qp_new(&p, good, good, NULL, 0, 0, 2, &diag), L2O_ERR_SHAPE, NULL);
  assert_names(&diag, "m = 0");
  assert_status(l2o_qp_new(&p, good, good, NULL, 0, 2, 0, &diag), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_qp_new(&p, good, good, NULL, 0, (size_t)1 << 40, 2, &diag), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_qp_new(&p, good, good, NULL, -1, 2, 2, &diag), L2O_ERR_ARG, NULL);
  assert_status(l2o_qp_new(&p, good, good, NULL, (double)NAN, 2, 2, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "Lipschitz");
  assert_true(p.ops == NULL);
  assert_status(l2o_quadratic_new(&p, one, good, NULL, 0, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_status(l2o_quadratic_new(&p, good, one, NULL, 0, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_status(l2o_quadratic_new(&p, good, good, one, 0, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_status(l2o_quadratic_new(&p, good, good, NULL, 0, 0, &diag), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_quadratic_new(&p, good, good, NULL, -1, 2, &diag), L2O_ERR_ARG, NULL);
  assert_status(l2o_quadratic_new(&p, lopsided, good, NULL, 0, 2, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "not symmetric at (1, 0)");
  assert_status(l2o_quadratic_new(&p, negative, good, NULL, 0, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_names(&diag, "not positive definite");
  assert_status(l2o_quadratic_new(&p, zero, good, NULL, 0, 2, &diag), L2O_ERR_NUMERIC, NULL);
  assert_true(p.ops == NULL);
}

/* ---- specifications ---- */

static void specifications_that_make_no_sense(void **state) {
  (void)state;
  static const struct {
    const char *spec, *sentence;
  } cases[] = {
      {"qqp", "there is no family 'qqp'; did you mean 'qp'?"},
      {"quadratics:n=3", "did you mean 'quadratic'?"},
      {"lasso-of-the-future", "; known: cnn, geman-mcclure, lasso, "},
      {"", "not a specification"},
      {":n=3", "not a specification"},
      {"qp:n=0", "qp: n = 0: expected an integer from 1 to"},
      {"qp:n=-4", "n = -4"},
      {"qp:n=1.5", "n = 1.5: expected an integer"},
      {"qp:n=2000000", "from 1 to"},
      {"qp:n=3,n=4", "option 'n' is given twice"},
      {"qp:k=3", "qp has no option 'k'"},
      {"qp:sampler=numpy", "sampler = numpy: expected one of philox|torch"},
      {"qp:n", "'n' is not an option; expected key=value"},
      {"quadratic:condition=0.5", "condition = 0.5: expected a number from 1 to"},
      {"quadratic:condition=inf", "condition = inf: expected a number"},
      {"quadratic:spectrm=log", "did you mean 'spectrum'?"},
      {"quadratic:spectrum=flat", "expected one of log|linear|clustered|harmonic"},
      {"quadratic:basis=skew", "expected one of random|axes"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_diag diag = {""};
    l2o_family *family = (l2o_family *)&diag;
    l2o_status status = l2o_family_new(&family, cases[i].spec, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_status(status, L2O_ERR_ARG, &diag);
    assert_null(family);
  }
  l2o_diag diag;
  l2o_family *family;
  assert_status(l2o_family_new(&family, NULL, &diag), L2O_ERR_ARG, NULL);
  assert_null(l2o_family_type_find("qd", &diag));
  assert_status(l2o_family_new_data(&family, "qp", "absent.libsvm", &diag), L2O_ERR_NOTSUP, NULL);
  assert_string_equal(diag.text,
                      "family qp takes no data; those that do: cnn, lasso, least-squares, logistic, mlp, softmax, transformer");
  assert_string_equal(l2o_family_type_find("quadratic", NULL)->name, "quadratic");
  l2o_family_free(NULL);
}

/* ---- instance files ---- */

static size_t read_whole(const char *path, char *bytes, size_t room) {
  FILE *stream = fopen(path, "rb");
  assert_non_null(stream);
  size_t length = fread(bytes, 1, room, stream);
  fclose(stream);
  assert_true(length < room);
  return length;
}

static void instance_files_come_back_bit_for_bit(void **state) {
  (void)state;
  static char bytes[2][100000];
  for (const l2o_family_type *const *type = l2o_family_types(); *type; type++) {
    char spec[64];
    l2o_diag diag = {""};
    if (!(*type)->save || strcmp((*type)->name, "sum-rate") == 0) /* which has sizes, and a test, of its own */
      continue;
    snprintf(spec, sizeof spec, "%s:n=6", (*type)->name);
    l2o_family *family = family_of(spec), *file;
    assert_status(l2o_family_save(family, in_folder("first"), 7, L2O_PURPOSE_EVAL, 3, &diag), L2O_OK, &diag);
    size_t length = read_whole(in_folder("first"), bytes[0], sizeof bytes[0]);
    assert_status(l2o_family_open(&file, (*type)->name, in_folder("first"), &diag), L2O_OK, &diag);
    assert_true(file->n == 6 && file->count == 3);
    assert_string_equal(file->name, (*type)->name);
    for (uint64_t i = 0; i < 7; i++) { /* rows go round, whatever the seed and purpose */
      l2o_problem drawn = instance(family, 7, L2O_PURPOSE_EVAL, i % 3), read = instance(file, i, L2O_PURPOSE_TRAIN, i);
      l2o_real x[MAX], g[2][MAX];
      normal_reals(x, 6, i);
      assert_true(gradient_at(&drawn, g[0], x) == gradient_at(&read, g[1], x));
      assert_same_reals(g[0], g[1], 6);
      assert_close(lipschitz_of(&read), lipschitz_of(&drawn), BY_PRECISION(1e-14, 1e-6), 0);
      double fstar[2];
      assert_status(l2o_problem_minimum(&drawn, &fstar[0], NULL), L2O_OK, NULL);
      assert_status(l2o_problem_minimum(&read, &fstar[1], NULL), L2O_OK, NULL);
      assert_close(fstar[1], fstar[0], 1e-12, 1e-25);
      l2o_problem_free(&drawn);
      l2o_problem_free(&read);
    }
    assert_status(l2o_family_save(file, in_folder("second"), 0, L2O_PURPOSE_TRAIN, 3, &diag), L2O_OK, &diag);
    assert_int_equal(read_whole(in_folder("second"), bytes[1], sizeof bytes[1]), length);
    assert_memory_equal(bytes[0], bytes[1], length);
    l2o_family_free(file);
    l2o_family_free(family);
  }
}

typedef struct array {
  const char *name;
  size_t rank, shape[3];
  double fill, first; /* all entries, and the first one */
} array;

/* Entry i of an array is fill + i mod 3, the first one `first`. */
static void write_arrays(const char *path, const array *arrays, size_t count) {
  l2o_tensor_writer *writer;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  for (size_t i = 0; i < count && arrays[i].name; i++) {
    double values[64] = {0};
    for (size_t j = 0; j < 64; j++)
      values[j] = j ? arrays[i].fill + (double)(j % 3) : arrays[i].first;
    assert_status(l2o_tensor_writer_add(writer, arrays[i].name, L2O_F64, values, arrays[i].shape, arrays[i].rank), L2O_OK, NULL);
  }
  assert_status(l2o_tensor_writer_save(writer, path, NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
}

static void a_file_may_share_its_matrix(void **state) {
  (void)state;
  const array arrays[] = {{"W", 2, {3, 2}, 1, 5},    {"Y", 3, {4, 3, 1}, 0, 2},   {"x0", 2, {4, 2}, 7, 9},
                          {"fstar", 1, {4}, 20, 10}, {"h0", 3, {2, 8, 2}, 30, 4}, {"c0", 3, {2, 8, 2}, 40, 3},
                          {"notes", 1, {5}, 0, 0}}; /* what else is in it does not matter */
  l2o_family *file;
  l2o_diag diag = {""};
  write_arrays(in_folder("shared"), arrays, 7);
  assert_status(l2o_family_open(&file, "qp", in_folder("shared"), &diag), L2O_OK, &diag);
  assert_true(file->n == 2 && file->count == 4);
  for (uint64_t i = 0; i < 4; i++) {
    l2o_problem p = instance(file, 0, L2O_PURPOSE_EVAL, i);
    l2o_real x[2], zero[2] = {0};
    double fstar, squares = 0;
    for (size_t j = 3 * i; j < 3 * i + 3; j++)
      squares += j ? (double)((j % 3) * (j % 3)) : 4;
    assert_close(value_at(&p, zero), 0.5 * squares, 1e-6, 0); /* 1/2 |y|^2 */
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    assert_true(x[0] == (i ? (l2o_real)(7 + 2 * i % 3) : 9));
    assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
    assert_true(fstar == (i ? 20 + (double)(i % 3) : 10)); /* as the file says */
    l2o_states states;
    assert_status(l2o_problem_states(&p, &states), L2O_OK, NULL);
    assert_true(states.layers == 2 && states.hidden == 2);
    for (size_t l = 0; l < 2; l++)     /* (2, 4 x 2, 2) in the file, (2, 2, 2) of each instance */
      for (size_t k = 0; k < 4; k++) { /* no multiple of three, the period of the entries */
        const size_t at = (l * 8 + 2 * i) * 2 + k;
        assert_true((double)states.h[l * 4 + k] == (at ? 30 + (double)(at % 3) : 4));
        assert_true((double)states.c[l * 4 + k] == (at ? 40 + (double)(at % 3) : 3));
      }
    l2o_problem_free(&p);
  }
  assert_status(l2o_family_save(file, in_folder("again"), 0, L2O_PURPOSE_EVAL, 4, &diag), L2O_OK, &diag);
  l2o_tensor_file *tensors;
  assert_status(l2o_tensor_file_open(&tensors, in_folder("again"), NULL), L2O_OK, NULL);
  assert_int_equal(l2o_tensor_file_find(tensors, "W")->rank, 2); /* still one */
  assert_non_null(l2o_tensor_file_find(tensors, "x0"));
  for (size_t i = 3; i < 6; i++) { /* minima and states come back as they were read */
    const l2o_tensor *t = l2o_tensor_file_find(tensors, arrays[i].name);
    double values[64];
    assert_non_null(t);
    assert_true(t->rank == arrays[i].rank && t->shape[0] == arrays[i].shape[0] && (t->rank == 1 || t->shape[2] == 2));
    l2o_tensor_to_double(t, values);
    for (size_t j = 0; j < t->count; j++)
      assert_true(values[j] == (j ? arrays[i].fill + (double)(j % 3) : arrays[i].first));
  }
  l2o_tensor_file_free(tensors);
  l2o_family_free(file);
}

static void broken_instance_files_say_what_is_wrong(void **state) {
  (void)state;
  const double bad = (double)NAN, infinite = (double)INFINITY;
  const struct {
    const char *family;
    array arrays[4];
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {"qp", {{"W", 2, {3, 2}, 1, 1}}, L2O_ERR_FORMAT, "there is no array 'Y'; instances need 'W' and 'Y'"},
      {"qp", {{"Y", 2, {3, 2}, 1, 1}}, L2O_ERR_FORMAT, "there is no array 'W'"},
      {"quadratic", {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {3, 2}, 1, 1}}, L2O_ERR_FORMAT, "instances need 'A' and 'b'"},
      {"qp", {{"W", 1, {3}, 1, 1}, {"Y", 2, {3, 2}, 1, 1}}, L2O_ERR_SHAPE, "'W' must have shape"},
      {"qp", {{"W", 3, {2, 0, 2}, 1, 1}, {"Y", 2, {2, 0}, 1, 1}}, L2O_ERR_SHAPE, "'W' must have shape"},
      {"qp", {{"W", 2, {3, 2}, 1, 1}, {"Y", 1, {3}, 1, 1}}, L2O_ERR_SHAPE, "'Y' must have shape [instances, 3]"},
      {"qp", {{"W", 2, {3, 2}, 1, 1}, {"Y", 0, {0}, 1, 1}}, L2O_ERR_SHAPE, "'Y' must have shape"},
      {"qp", {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {0, 3}, 1, 1}}, L2O_ERR_SHAPE, "'Y' must have shape"},
      {"qp", {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {4, 2}, 1, 1}}, L2O_ERR_SHAPE, "'Y' must have shape [instances, 3]"},
      {"qp", {{"W", 2, {3, 2}, 1, 1}, {"Y", 3, {4, 3, 2}, 1, 1}}, L2O_ERR_SHAPE, "'Y' must have shape"},
      {"qp", {{"W", 3, {2, 3, 2}, 1, 1}, {"Y", 2, {4, 3}, 1, 1}}, L2O_ERR_SHAPE, "'W' has 2 instances, 'Y' has 4"},
      {"qp",
       {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {4, 3}, 1, 1}, {"x0", 2, {4, 3}, 1, 1}},
       L2O_ERR_SHAPE,
       "'x0' must have shape [4, 2]"},
      {"qp",
       {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {4, 3}, 1, 1}, {"fstar", 1, {3}, 1, 1}},
       L2O_ERR_SHAPE,
       "'fstar' must have 4 entries"},
      {"qp",
       {{"W", 2, {3, 2}, 1, bad}, {"Y", 2, {4, 3}, 1, 1}},
       L2O_ERR_NUMERIC,
       "'W' holds a value that is not finite, at entry 0"},
      {"qp", {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {4, 3}, 1, infinite}}, L2O_ERR_NUMERIC, "'Y' holds a value"},
      {"qp", {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {4, 3}, 1, 1}, {"x0", 2, {4, 2}, 1, bad}}, L2O_ERR_NUMERIC, "'x0' holds a value"},
      {"qp", {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {4, 3}, 1, 1}, {"fstar", 1, {4}, 1, bad}}, L2O_ERR_NUMERIC, "'fstar' holds a value"},
      {"qp", {{"W", 2, {1, 1}, 1, 0}, {"Y", 2, {4, 1}, 1, 1}}, L2O_ERR_NUMERIC, "W of instance 0 is zero"},
      {"qp",
       {{"W", 2, {1, 1}, 1, 1}, {"Y", 2, {4, 1}, 1, 1}, {"h0", 3, {2, 4, 3}, 1, 1}},
       L2O_ERR_FORMAT,
       "there is 'h0' without 'c0'; expected both or neither"},
      {"qp",
       {{"W", 2, {1, 1}, 1, 1}, {"Y", 2, {4, 1}, 1, 1}, {"c0", 3, {2, 4, 3}, 1, 1}},
       L2O_ERR_FORMAT,
       "there is 'c0' without 'h0'; expected both or neither"},
      {"qp",
       {{"W", 2, {1, 1}, 1, 1}, {"Y", 2, {4, 1}, 1, 1}, {"h0", 3, {2, 3, 3}, 1, 1}, {"c0", 3, {2, 3, 3}, 1, 1}},
       L2O_ERR_SHAPE,
       "'h0' must have shape [layers, 4, hidden], instances times unknowns in the middle"},
      {"qp",
       {{"W", 2, {1, 1}, 1, 1}, {"Y", 2, {4, 1}, 1, 1}, {"h0", 3, {2, 4, 3}, 1, 1}, {"c0", 3, {2, 4, 2}, 1, 1}},
       L2O_ERR_SHAPE,
       "'c0' must have shape [layers, 4, hidden], instances times unknowns in the middle, like 'h0'"},
      {"qp",
       {{"W", 2, {1, 1}, 1, 1}, {"Y", 2, {4, 1}, 1, 1}, {"h0", 2, {4, 3}, 1, 1}, {"c0", 2, {4, 3}, 1, 1}},
       L2O_ERR_SHAPE,
       "'h0' must have shape"},
      {"qp",
       {{"W", 2, {1, 1}, 1, 1}, {"Y", 2, {4, 1}, 1, 1}, {"h0", 3, {2, 4, 3}, 1, 1}, {"c0", 3, {2, 4, 3}, 1, bad}},
       L2O_ERR_NUMERIC,
       "'c0' holds a value that is not finite, at entry 0"},
      {"least-squares", {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {4, 3}, 1, 1}}, L2O_ERR_FORMAT, "instances need 'A' and 'b'"},
      {"least-squares", {{"A", 2, {1, 1}, 1, 0}, {"b", 2, {4, 1}, 1, 1}}, L2O_ERR_NUMERIC, "A of instance 0 is zero"},
      {"lasso", {{"A", 2, {3, 2}, 1, 1}, {"b", 2, {4, 3}, 1, 1}}, L2O_ERR_FORMAT, "instances need 'W' and 'Y'"},
      {"lasso",
       {{"W", 2, {1, 2}, -1, 1}, {"Y", 2, {4, 1}, 1, 1}},
       L2O_ERR_NUMERIC,
       "column 1 of 'W' of instance 0 is zero; expected a dictionary without such"},
      {"logistic", {{"W", 2, {3, 2}, 1, 1}, {"Y", 2, {4, 3}, 1, 1}}, L2O_ERR_FORMAT, "instances need 'A' and 'b'"},
      {"logistic",
       {{"A", 2, {3, 2}, 1, 1}, {"b", 2, {4, 3}, 1, 1}},
       L2O_ERR_FORMAT,
       "'b' of instance 0, row 1 is 2; expected one of two labels, -1 or 1"},
      {"logistic", {{"A", 2, {3, 2}, 1, 1}, {"b", 2, {4, 3}, 1, 0}}, L2O_ERR_FORMAT, "row 0 is 0; expected one of two labels"},
      {"logistic",
       {{"A", 2, {1, 2}, 0, 0}, {"b", 2, {1, 1}, 1, 1}, {"l1", 1, {1}, 0, -1}},
       L2O_ERR_NUMERIC,
       "'l1' of instance 0 is -1"},
      {"logistic",
       {{"A", 2, {1, 2}, 0, 0}, {"b", 2, {1, 1}, 1, 1}, {"l2", 0, {0}, 0, bad}},
       L2O_ERR_NUMERIC,
       "'l2' of instance 0 is nan"},
      {"logistic", {{"A", 2, {1, 1}, 0, 0}, {"b", 2, {1, 1}, 1, 1}}, L2O_ERR_NUMERIC, "A of instance 0 is zero"},
      {"quadratic", {{"A", 2, {3, 2}, 1, 1}, {"b", 2, {4, 3}, 1, 1}}, L2O_ERR_SHAPE, "'A' is 3 x 2, but must be square"},
      {"quadratic", {{"A", 2, {1, 1}, 1, -2}, {"b", 2, {4, 1}, 1, 1}}, L2O_ERR_NUMERIC, "A of instance 0 is not positive definite"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_diag diag = {""};
    l2o_family *family = (l2o_family *)&diag;
    write_arrays(in_folder("broken"), cases[i].arrays, 4);
    l2o_status status = l2o_family_open(&family, cases[i].family, in_folder("broken"), &diag);
    assert_names(&diag, cases[i].sentence);
    assert_names(&diag, in_folder("broken"));
    assert_status(status, cases[i].status, &diag);
    assert_null(family);
  }
#ifdef L2O_SINGLE
  l2o_family *huge;
  l2o_diag narrow;
  write_arrays(in_folder("huge"), (array[]){{"W", 2, {3, 2}, 1, 1e300}, {"Y", 2, {4, 3}, 1, 1}}, 2);
  assert_status(l2o_family_open(&huge, "qp", in_folder("huge"), &narrow), L2O_ERR_NUMERIC, NULL);
#endif
  l2o_diag diag;
  l2o_family *family = (l2o_family *)&diag;
  assert_status(l2o_family_open(&family, "qp", in_folder("absent"), &diag), L2O_ERR_IO, NULL);
  assert_null(family);
  assert_names(&diag, "absent: cannot read: No such file");
  FILE *stream = fopen(in_folder("text"), "w");
  fputs("W = 3\n", stream);
  fclose(stream);
  assert_status(l2o_family_open(&family, "qp", in_folder("text"), &diag), L2O_ERR_FORMAT, NULL);
  assert_names(&diag, "text: ");
  assert_status(l2o_family_open(&family, "pq", in_folder("text"), &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "there is no family 'pq'");
  /* an asymmetric matrix shows when the instance is made */
  write_arrays(in_folder("lopsided"), (array[]){{"A", 2, {2, 2}, 4, 9}, {"b", 2, {1, 2}, 1, 1}}, 2);
  l2o_problem p;
  assert_status(l2o_family_open(&family, "quadratic", in_folder("lopsided"), &diag), L2O_OK, &diag);
  assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_EVAL, 0, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "A is not symmetric at (1, 0)");
  l2o_family_free(family);
}

static void saving_what_cannot_be_saved(void **state) {
  (void)state;
  l2o_family *family = family_of("qp:n=3,m=2");
  l2o_diag diag;
  assert_status(l2o_family_save(family, in_folder("none"), 0, L2O_PURPOSE_EVAL, 0, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "at least one");
  assert_status(l2o_family_save(family, in_folder("absent/file"), 0, L2O_PURPOSE_EVAL, 1, &diag), L2O_ERR_IO, NULL);
  assert_names(&diag, "absent/file: cannot write");
  const l2o_family own = {.struct_size = sizeof own, .name = "my own", .sample = family->sample};
  assert_status(l2o_family_save(&own, in_folder("own"), 0, L2O_PURPOSE_EVAL, 1, &diag), L2O_ERR_NOTSUP, NULL);
  assert_string_equal(diag.text, "family my own has no instance files");
  l2o_family_free(family);
}

/* ---- a user's family ---- */

typedef struct strange {
  enum { ODD_SIZE, NO_UNKNOWNS, NO_TABLE, NO_VALUE, FAILS, FAILS_WITH_WORDS, GOOD } how;
  int freed;
} strange;

static void count_free(l2o_problem *p) {
  ((strange *)(uintptr_t)p->data)->freed++;
}
static l2o_status strange_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  static const l2o_problem_ops ops = {.struct_size = sizeof ops, .value = values_only, .free = count_free},
                               empty = {.struct_size = sizeof empty, .free = count_free};
  const strange *s = family->data;
  (void)seed, (void)index;
  *out = (l2o_problem){.ops = s->how == NO_VALUE ? &empty : &ops, .data = s, .n = s->how == ODD_SIZE ? 4 : 3};
  if (s->how == NO_UNKNOWNS)
    out->n = 0;
  if (s->how == NO_TABLE)
    out->ops = NULL;
  if (s->how == FAILS_WITH_WORDS && diag)
    snprintf(diag->text, sizeof diag->text, "the antenna is down");
  if (s->how == FAILS || s->how == FAILS_WITH_WORDS)
    *out = (l2o_problem){0};
  return s->how == FAILS || s->how == FAILS_WITH_WORDS ? L2O_ERR_IO : L2O_OK;
}

static void answers_of_a_users_family_are_checked(void **state) {
  (void)state;
  static const struct {
    l2o_status status;
    int freed;
    const char *sentence;
  } cases[] = {
      [ODD_SIZE] = {L2O_ERR_SHAPE, 1, "family mine, instance 5: the problem has 4 unknowns, the family says 3"},
      [NO_UNKNOWNS] = {L2O_ERR_ARG, 1, "family mine, instance 5: the problem has no unknowns or no operations"},
      [NO_TABLE] = {L2O_ERR_ARG, 0, "no unknowns or no operations"},
      [NO_VALUE] = {L2O_ERR_ARG, 1, "no unknowns or no operations"},
      [FAILS] = {L2O_ERR_IO, 0, "family mine, instance 5: a file could not be opened"},
      [FAILS_WITH_WORDS] = {L2O_ERR_IO, 0, "family mine, instance 5: the antenna is down"},
      [GOOD] = {L2O_OK, 0, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    strange s = {.how = (int)i};
    const l2o_family family = {.struct_size = sizeof family, .name = "mine", .n = 3, .sample = strange_sample, .data = &s};
    l2o_diag diag = {""};
    l2o_problem p;
    memset(&p, 0xff, sizeof p);
    l2o_status status = l2o_family_sample(&family, &p, 1, L2O_PURPOSE_EVAL, 5, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_status(status, cases[i].status, &diag);
    assert_int_equal(s.freed, cases[i].freed);
    assert_true(i == GOOD || (p.ops == NULL && p.data == NULL && p.n == 0));
    l2o_problem_free(&p);
    assert_int_equal(s.freed, i == GOOD ? 1 : cases[i].freed);
  }
}

static l2o_status seed_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)index, (void)diag;
  *(uint64_t *)(uintptr_t)family->data = seed;
  *out = values_only_problem;
  return L2O_OK;
}

static void plain_seeds_are_taken_as_written(void **state) {
  (void)state;
  uint64_t seen = 0;
  l2o_family family = {.struct_size = sizeof family, .name = "seeds", .n = 3, .sample = seed_sample, .data = &seen};
  l2o_problem p;
  assert_status(l2o_family_sample(&family, &p, 895, L2O_PURPOSE_TRAIN, 0, NULL), L2O_OK, NULL);
  assert_true(seen == l2o_seed_for(895, L2O_PURPOSE_TRAIN));
  family.plain_seeds = true;
  assert_status(l2o_family_sample(&family, &p, 895, L2O_PURPOSE_TRAIN, 0, NULL), L2O_OK, NULL);
  assert_true(seen == 895);
}

/* ---- the published data ---- */

static void torch_sampler_draws_a_batch_of_known_size(void **state) {
  (void)state;
  l2o_family *family = family_of("qp:n=8,m=6,sampler=torch,instances=4");
  l2o_problem p;
  l2o_diag diag;
  assert_true(family->plain_seeds);
  assert_status(l2o_family_sample(family, &p, 895, L2O_PURPOSE_TRAIN, 4, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "sampler torch draws 4 instances");
  assert_status(l2o_family_sample(family, &p, UINT64_C(1) << 33, L2O_PURPOSE_TRAIN, 0, &diag), L2O_ERR_ARG, NULL);
  l2o_problem a = instance(family, 895, L2O_PURPOSE_TRAIN, 3), b = instance(family, 895, L2O_PURPOSE_EVAL, 3);
  assert_same_problems(&a, &b); /* as the published code: a seed is a seed */
  l2o_problem_free(&a);
  l2o_problem_free(&b);
  l2o_family_free(family);
}

/* arXiv 2501.18092, figure 4b: gradient descent on the published training data, sum over the ten instances. */
static void gradient_descent_on_the_published_data(void **state) {
  (void)state;
  l2o_family *family = family_of("qp:n=512,m=400,sampler=torch,instances=10");
  l2o_problem problems[10];
  l2o_result results[10];
  l2o_real *x = calloc(10 * 512, sizeof *x);
  double sum = 0;
  for (uint64_t i = 0; i < 10; i++)
    problems[i] = instance(family, 895, L2O_PURPOSE_TRAIN, i);
  l2o_settings s = l2o_settings_default();
  s.iterations = 100, s.threads = 2;
  assert_status(l2o_solve_many(solver_named("gd"), NULL, problems, 10, x, results, &s, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < 10; i++) {
    sum += results[i].last.objective;
    l2o_problem_free(&problems[i]);
  }
  assert_close(sum, 0.94649, 0, 1e-4);
  free(x);
  l2o_family_free(family);
}

/* ---- memory ---- */

static l2o_status make_everything(void *context) {
  const char *path = context;
  static const l2o_real W[] = {1, 0, 0, 1, 1, 1}, y[] = {1, 2, 0}, A[] = {2, 1, 1, 2};
  l2o_family *family = (l2o_family *)(uintptr_t)W;
  l2o_problem p;
  double fstar;
  l2o_status status = l2o_qp_new(&p, W, y, NULL, 0, 3, 2, NULL);
  if (!status)
    status = l2o_problem_minimum(&p, &fstar, NULL);
  l2o_problem_free(&p);
  if (!status) {
    status = l2o_quadratic_new(&p, A, y, NULL, 0, 2, NULL);
    if (!status)
      status = l2o_problem_minimum(&p, &fstar, NULL);
    l2o_problem_free(&p);
  }
  for (const l2o_family_type *const *type = l2o_family_types(); *type && !status; type++) {
    char spec[40];
    if (!(*type)->save)
      continue;
    snprintf(spec, sizeof spec, "%s:%s=3", (*type)->name, strcmp((*type)->name, "sum-rate") == 0 ? "tx" : "n");
    status = l2o_family_new(&family, spec, NULL);
    if (status)
      return family ? L2O_ERR_ARG : status;
    status = l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL);
    if (status && p.ops)
      status = L2O_ERR_ARG;
    l2o_problem_free(&p);
    if (!status)
      status = l2o_family_save(family, path, 1, L2O_PURPOSE_EVAL, 2, NULL);
    l2o_family_free(family);
    if (status)
      return status;
    family = (l2o_family *)(uintptr_t)W;
    status = l2o_family_open(&family, (*type)->name, path, NULL);
    if (status)
      return family ? L2O_ERR_ARG : status;
    status = l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  char path[sizeof in_folder_path];
  strcpy(path, in_folder("instances"));
  assert_true(assert_allocations_may_fail(make_everything, path, L2O_OK, SOME_CAN_BE_SPARED) >= 80);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_instance_is_named_by_seed_purpose_and_index),
      cmocka_unit_test(qp_is_as_in_the_paper),
      cmocka_unit_test(the_matrix_of_qp_may_be_shared),
      cmocka_unit_test(the_quadratics_spectrum_is_the_one_asked_for),
      cmocka_unit_test(quadratics_on_the_axes),
      cmocka_unit_test(minima_are_minima),
      cmocka_unit_test(least_squares_by_hand),
      cmocka_unit_test(rank_deficient_least_squares_has_its_minimum),
      cmocka_unit_test(quadratic_by_hand),
      cmocka_unit_test(bad_arrays_are_refused),
      cmocka_unit_test(specifications_that_make_no_sense),
      cmocka_unit_test_setup_teardown(instance_files_come_back_bit_for_bit, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_file_may_share_its_matrix, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(broken_instance_files_say_what_is_wrong, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(saving_what_cannot_be_saved, make_folder, remove_folder),
      cmocka_unit_test(answers_of_a_users_family_are_checked),
      cmocka_unit_test(plain_seeds_are_taken_as_written),
      cmocka_unit_test(torch_sampler_draws_a_batch_of_known_size),
      cmocka_unit_test(gradient_descent_on_the_published_data),
      cmocka_unit_test_setup_teardown(every_allocation_may_fail, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
