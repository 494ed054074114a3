/* SPDX-License-Identifier: BSD-3-Clause */
/* shampoo against its formula with roots of another making (Jacobi's rotations in plain loops), its first step in closed form, and
 * the eigenvectors that it is made of. */
#include "l2o_fixtures.h"

#include "core/linalg.h"
#include "counting_malloc.h"

enum { N = 8, STEPS = 12, MOST = 16 };

/* S (n, n) becomes S^{-1/4}: Jacobi's rotations diagonalise a copy, V collects them. */
static void inverse_fourth_root(double *S, size_t n) {
  double A[MOST * MOST], V[MOST * MOST] = {0};
  memcpy(A, S, n * n * sizeof *A);
  for (size_t i = 0; i < n; i++)
    V[i * n + i] = 1;
  for (int sweep = 0; sweep < 60; sweep++)
    for (size_t p = 0; p < n; p++)
      for (size_t q = p + 1; q < n; q++) {
        if (A[p * n + q] == 0)
          continue;
        const double theta = (A[q * n + q] - A[p * n + p]) / (2 * A[p * n + q]);
        const double t = copysign(1, theta) / (fabs(theta) + sqrt(1 + theta * theta)), c = 1 / sqrt(1 + t * t), s = t * c;
        for (size_t k = 0; k < n; k++) {
          const double kp = A[k * n + p], kq = A[k * n + q];
          A[k * n + p] = c * kp - s * kq, A[k * n + q] = s * kp + c * kq;
        }
        for (size_t k = 0; k < n; k++) {
          const double pk = A[p * n + k], qk = A[q * n + k];
          A[p * n + k] = c * pk - s * qk, A[q * n + k] = s * pk + c * qk;
        }
        for (size_t k = 0; k < n; k++) {
          const double kp = V[k * n + p], kq = V[k * n + q];
          V[k * n + p] = c * kp - s * kq, V[k * n + q] = s * kp + c * kq;
        }
      }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      S[i * n + j] = 0;
      for (size_t k = 0; k < n; k++)
        S[i * n + j] += V[i * n + k] * pow(A[k * n + k], -0.25) * V[j * n + k];
    }
}

/* Every step of the library from the points that it reached, in plain loops: L += G G', R += G'G, x - s L^{-1/4} G R^{-1/4}. */
static void the_formula_is_replayed(void **state) {
  (void)state;
  static const struct {
    const char *options;
    size_t rows, columns;
    double epsilon;
  } cases[] = {{"step=0.3,epsilon=1e-3", N, 1, 1e-3},        {"step=0.3,rows=8,epsilon=1e-3", N, 1, 1e-3},
               {"step=0.3,rows=4,epsilon=1e-3", 4, 2, 1e-3}, {"step=0.3,rows=1,epsilon=1e-3", 1, N, 1e-3},
               {"step=0.3,rows=3,epsilon=1e-3", 3, 3, 1e-3}, {"step=0.3,rows=5,epsilon=0.1", 5, 2, 0.1},
               {"step=0.3,rows=7,epsilon=1e-3", 7, 2, 1e-3}};
  l2o_problem p = sampled("quadratic:n=8,condition=20", 3, 0);
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    const size_t rows = cases[c].rows, columns = cases[c].columns;
    double L[MOST * MOST] = {0}, R[MOST * MOST] = {0};
    l2o_real x[N], g[N];
    l2o_trace *trace;
    l2o_diag diag = {""};
    l2o_settings s = l2o_settings_default();
    for (size_t i = 0; i < rows; i++)
      L[i * rows + i] = cases[c].epsilon;
    for (size_t i = 0; i < columns; i++)
      R[i * columns + i] = cases[c].epsilon;
    assert_status(l2o_trace_new(&trace, STEPS + 1, N), L2O_OK, NULL);
    normal_reals(x, N, 5);
    s.options = cases[c].options, s.iterations = STEPS, s.traces = &trace;
    assert_status(l2o_minimize(solver_named("shampoo"), NULL, &p, x, NULL, &s, &diag), L2O_OK, &diag);
    const l2o_real *at = l2o_trace_iterates(trace);
    for (size_t k = 0; k < STEPS; k++) {
      double G[MOST * MOST] = {0}, left[MOST * MOST], right[MOST * MOST];
      gradient_at(&p, g, at + k * N);
      for (size_t i = 0; i < N; i++)
        G[i] = (double)g[i];
      for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < rows; j++)
          for (size_t l = 0; l < columns; l++)
            L[i * rows + j] += G[i * columns + l] * G[j * columns + l];
      for (size_t i = 0; i < columns; i++)
        for (size_t j = 0; j < columns; j++)
          for (size_t l = 0; l < rows; l++)
            R[i * columns + j] += G[l * columns + i] * G[l * columns + j];
      memcpy(left, L, sizeof left);
      memcpy(right, R, sizeof right);
      inverse_fourth_root(left, rows);
      inverse_fourth_root(right, columns);
      for (size_t i = 0; i < N; i++) {
        double moved = 0;
        for (size_t a = 0; a < rows; a++)
          for (size_t b = 0; b < columns; b++)
            moved += left[i / columns * rows + a] * G[a * columns + b] * right[b * columns + i % columns];
        const double expected = (double)at[k * N + i] - 0.3 * moved, got = (double)at[(k + 1) * N + i];
        if (!(fabs(got - expected) <= BY_PRECISION(1e-11, 1e-5)))
          fail_msg("%s, step %zu, coordinate %zu: %.17g, replayed %.17g", cases[c].options, k, i, got, expected);
      }
    }
    l2o_trace_free(trace);
  }
  l2o_problem_free(&p);
}

/* Of one column the first step is x - s g / sqrt(epsilon + |g|^2): both factors are (epsilon + |g|^2)^{-1/4} along g. */
static void the_first_step_is_along_the_gradient(void **state) {
  (void)state;
  enum { MANY = 60 };
  l2o_problem p = sampled("quadratic:n=60", 1, 0);
  l2o_real x[MANY], start[MANY], g[MANY];
  l2o_settings s = l2o_settings_default();
  normal_reals(start, MANY, 2);
  memcpy(x, start, sizeof x);
  gradient_at(&p, g, start);
  s.options = "step=0.1", s.iterations = 1;
  assert_status(l2o_minimize(solver_named("shampoo"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  const double length = l2o_norm(g, MANY);
  for (size_t i = 0; i < MANY; i++)
    assert_close(x[i], (double)start[i] - 0.1 * (double)g[i] / sqrt(1e-8 + length * length), 0, BY_PRECISION(1e-12, 1e-6));
  l2o_problem_free(&p);
}

/* A = V' D V with V V' = I and D ascending, of matrices with distinct, repeated, tiny and no eigenvalues other than 0. */
static void eigenvectors_are_those_of_the_matrix(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 2, 7, 40, 100};
  for (size_t c = 0; c < 4 * sizeof sizes / sizeof *sizes; c++) {
    const size_t n = sizes[c / 4], rank = c % 4 == 0 ? 2 * n : c % 4 == 1 ? 1 : c % 4 == 2 ? n / 2 : 0;
    double *B = calloc(rank * n + 1, sizeof *B), *A = calloc(4 * n * n + n + l2o_eigenvectors_work(n), sizeof *A);
    double *V = A + n * n, *copy = V + n * n, *VAV = copy + n * n, *values = VAV + n * n, size = 0;
    normal_doubles(B, rank * n, c);
    for (size_t i = 0; i < n; i++) { /* 1e-8 I + a sum of outer products */
      A[i * n + i] = 1e-8;
      for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < rank; k++)
          A[i * n + j] += B[k * n + i] * B[k * n + j];
      for (size_t j = 0; j < i; j++)
        copy[i * n + j] = 1e300; /* not read */
      size = fmax(size, A[i * n + i]);
    }
    for (size_t i = 0; i < n; i++)
      memcpy(copy + i * n + i, A + i * n + i, (n - i) * sizeof *A);
    allocations_watch(0);
    assert_status(l2o_eigenvectors(V, values, copy, values + n, n), L2O_OK, NULL);
    assert_int_equal(allocations_seen().calls, 0);
    for (size_t a = 0; a < n; a++) {
      assert_true(a == 0 || values[a] >= values[a - 1]);
      for (size_t b = 0; b < n; b++) {
        double product = 0, projected = 0;
        for (size_t i = 0; i < n; i++) {
          product += V[a * n + i] * V[b * n + i];
          for (size_t j = 0; j < n; j++)
            projected += V[a * n + i] * A[i * n + j] * V[b * n + j];
        }
        assert_close(product, a == b, 0, 1e-12);
        assert_close(projected, a == b ? values[a] : 0, 0, 1e-13 * (double)n * size);
      }
    }
    free(A);
    free(B);
  }
}

static void shapes_that_do_not_fit_are_refused(void **state) {
  (void)state;
  static const struct {
    size_t n;
    const char *options, *sentence;
  } cases[] = {{8, "rows=9", "shampoo: rows = 9: expected at most the 8 unknowns"},
               {5000, "", "shampoo: a matrix of 5000 x 1 needs eigenvectors of more than 4000 unknowns"},
               {5000, "rows=1", "shampoo: a matrix of 1 x 5000 needs"},
               {8, "epsilon=0", "epsilon = 0: expected a number from"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char spec[40];
    snprintf(spec, sizeof spec, "rosenbrock:n=%zu", cases[i].n);
    l2o_problem p = sampled(spec, 1, 0);
    l2o_run *run;
    l2o_diag diag = {""};
    char options[40];
    snprintf(options, sizeof options, "step=0.1%s%s", *cases[i].options ? "," : "", cases[i].options);
    l2o_settings s = l2o_settings_default();
    s.options = options;
    assert_status(l2o_run_new(&run, solver_named("shampoo"), NULL, &p, &s, &diag), L2O_ERR_ARG, NULL);
    assert_names(&diag, cases[i].sentence);
    assert_null(run);
    l2o_problem_free(&p);
  }
  l2o_problem p = sampled("rosenbrock:n=5000", 1, 0); /* as a matrix it fits */
  l2o_settings s = l2o_settings_default();
  s.options = "step=1e-3,rows=70", s.iterations = 2;
  l2o_real *x = calloc(5000, sizeof *x);
  l2o_result result;
  assert_status(l2o_minimize(solver_named("shampoo"), NULL, &p, x, &result, &s, NULL), L2O_OK, NULL);
  assert_int_equal(result.last.iteration, 2);
  free(x);
  l2o_problem_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_formula_is_replayed),
      cmocka_unit_test(the_first_step_is_along_the_gradient),
      cmocka_unit_test(eigenvectors_are_those_of_the_matrix),
      cmocka_unit_test(shapes_that_do_not_fit_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
