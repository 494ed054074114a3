/* SPDX-License-Identifier: BSD-3-Clause */
/* Small complex matrices abreast, and Hermitian systems with many shifts, against LAPACK and against what defines them. */
#include "l2o_fixtures.h"

#include "core/complex_small.h"
#include "core/hermitian.h"
#include <complex.h>
#include <lapacke.h>

enum { LARGEST = 12 };
static const double CLOSE = BY_PRECISION(1e-12, 2e-4); /* times the condition numbers below, of some hundreds */

/* re + i im; C11's CMPLX() is not everywhere */
static inline double _Complex complex_of_doubles(double re, double im) {
  const double parts[2] = {re, im};
  double _Complex z;
  memcpy(&z, parts, sizeof z);
  return z;
}
#define complex_of(re, im) complex_of_doubles((double)(re), (double)(im))

static double _Complex *numbers(size_t count, uint64_t seed) {
  double *parts = malloc(2 * count * sizeof *parts);
  normal_doubles(parts, 2 * count, seed);
  return (double _Complex *)parts; /* as C11 6.2.5 has it */
}

/* Entry (i, k) of matrix l of a set. */
static double _Complex entry(const l2o_real *a, size_t i, size_t k, size_t columns, size_t l, size_t count) {
  const l2o_real *at = a + 2 * (i * columns + k) * l2o_lanes(count) + l;
  return complex_of(at[0], at[l2o_lanes(count)]);
}
static void put(l2o_real *a, size_t i, size_t k, size_t columns, size_t l, size_t count, double _Complex z) {
  l2o_real *at = a + 2 * (i * columns + k) * l2o_lanes(count) + l;
  at[0] = (l2o_real)creal(z);
  at[l2o_lanes(count)] = (l2o_real)cimag(z);
}

static l2o_real *room(size_t rows, size_t columns, size_t count) {
  return calloc(2 * rows * columns * l2o_lanes(count) + 1, sizeof(l2o_real));
}

static void fill(l2o_real *a, size_t rows, size_t columns, size_t count, uint64_t seed) {
  double _Complex *z = numbers(rows * columns * count, seed);
  for (size_t l = 0; l < count; l++)
    for (size_t i = 0; i < rows * columns; i++)
      put(a, i, 0, 1, l, count, z[l * rows * columns + i]);
  free(z);
}

#define assert_same_complex(actual, expected)                                                                                      \
  do {                                                                                                                             \
    const double _Complex a_ = (actual), e_ = (expected);                                                                          \
    if (!(cabs(a_ - e_) <= CLOSE * (1 + cabs(e_))))                                                                                \
      fail_msg("%s: %g + %g i, expected %g + %g i", #actual, creal(a_), cimag(a_), creal(e_), cimag(e_));                          \
  } while (0)

static void products_are_sums(void **state) {
  (void)state;
  static const size_t shapes[][3] = {{1, 1, 1}, {2, 2, 2}, {2, 3, 4}, {3, 2, 1}, {4, 4, 4}, {5, 1, 7}, {8, 8, 8}, {2, 2, 12}};
  static const size_t counts[] = {1, 3, 8, 21};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (size_t c = 0; c < 4; c++)
      for (int adjoint = L2O_ADJOINT_NONE; adjoint <= L2O_ADJOINT_RIGHT; adjoint++) {
        const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], count = counts[c];
        const bool left = adjoint == L2O_ADJOINT_LEFT, right = adjoint == L2O_ADJOINT_RIGHT;
        l2o_real *A = room(m, k, count), *B = room(k, n, count), *C = room(m, n, count);
        fill(A, m, k, count, 1 + s);
        fill(B, k, n, count, 100 + s);
        l2o_abreast_product(C, A, B, (l2o_adjoint)adjoint, m, n, k, count);
        for (size_t l = 0; l < count; l++)
          for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) {
              double _Complex sum = 0;
              for (size_t h = 0; h < k; h++)
                sum += (left ? conj(entry(A, h, i, m, l, count)) : entry(A, i, h, k, l, count)) *
                       (right ? conj(entry(B, j, h, k, l, count)) : entry(B, h, j, n, l, count));
              assert_same_complex(entry(C, i, j, n, l, count), sum);
            }
        free(A), free(B), free(C);
      }
}

/* A = B B^H + I/2 of each lane, and in column-major order for LAPACK */
static void positive_definite(l2o_real *A, double _Complex *copies, size_t q, size_t count, uint64_t seed) {
  double _Complex *B = numbers(q * q * count, seed);
  for (size_t l = 0; l < count; l++)
    for (size_t i = 0; i < q; i++)
      for (size_t j = 0; j < q; j++) {
        double _Complex sum = i == j ? 0.5 : 0;
        for (size_t k = 0; k < q; k++)
          sum += B[(l * q + i) * q + k] * conj(B[(l * q + j) * q + k]);
        put(A, i, j, q, l, count, sum);
        copies[(l * q + j) * q + i] = entry(A, i, j, q, l, count); /* as it is stored */
      }
  free(B);
}

static void factors_inverses_and_determinants_are_lapacks(void **state) {
  (void)state;
  enum { COUNT = 11 };
  for (size_t q = 1; q <= LARGEST; q++) {
    const lapack_int size = (lapack_int)q;
    l2o_real *A = room(q, q, COUNT), *L = room(q, q, COUNT), *inverse = room(q, q, COUNT), each[COUNT], weights[COUNT];
    double _Complex *copies = malloc(q * q * COUNT * sizeof *copies);
    double expected_sum = 0;
    positive_definite(A, copies, q, COUNT, q);
    for (size_t l = 0; l < COUNT; l++)
      weights[l] = (l2o_real)(l + 1);
    l2o_abreast_cholesky(L, A, q, COUNT);
    l2o_abreast_inverse(inverse, L, q, COUNT);
    const double sum = l2o_abreast_log_det(each, L, weights, q, COUNT);
    for (size_t l = 0; l < COUNT; l++) {
      double _Complex *a = copies + l * q * q;
      double log_det = 0;
      assert_int_equal(LAPACKE_zpotrf(LAPACK_COL_MAJOR, 'L', size, (lapack_complex_double *)a, size), 0);
      for (size_t i = 0; i < q; i++) {
        log_det += 2 * log(creal(a[i * q + i]));
        assert_close(creal(entry(L, i, i, q, l, COUNT)), creal(a[i * q + i]), CLOSE, CLOSE);
        assert_close(cimag(entry(L, i, i, q, l, COUNT)), 1 / creal(a[i * q + i]), 10 * CLOSE, CLOSE);
        for (size_t j = 0; j < i; j++)
          assert_same_complex(entry(L, i, j, q, l, COUNT), a[j * q + i]);
      }
      assert_close(each[l], log_det, CLOSE, CLOSE);
      expected_sum += (double)(l + 1) * log_det;
      assert_int_equal(LAPACKE_zpotri(LAPACK_COL_MAJOR, 'L', size, (lapack_complex_double *)a, size), 0);
      for (size_t i = 0; i < q; i++)
        for (size_t j = 0; j < q; j++)
          assert_same_complex(entry(inverse, i, j, q, l, COUNT), i >= j ? a[j * q + i] : conj(a[i * q + j]));
    }
    assert_close(sum, expected_sum, CLOSE, CLOSE);
    free(A), free(L), free(inverse), free(copies);
  }
}

static void triangular_systems_are_solved(void **state) {
  (void)state;
  static const size_t columns[] = {1, 2, 5}, counts[] = {2, 8, 19};
  for (size_t q = 1; q <= 8; q++)
    for (size_t c = 0; c < 3; c++)
      for (int side = L2O_SOLVE_LEFT; side <= L2O_SOLVE_RIGHT_ADJOINT; side++) {
        const size_t n = columns[c], count = counts[c];
        const bool left = side == L2O_SOLVE_LEFT || side == L2O_SOLVE_LEFT_ADJOINT;
        const bool adjoint = side == L2O_SOLVE_LEFT_ADJOINT || side == L2O_SOLVE_RIGHT_ADJOINT;
        l2o_real *A = room(q, q, count), *L = room(q, q, count), *B = room(q, n, count), *X = room(q, n, count);
        double _Complex *unused = malloc(q * q * count * sizeof *unused);
        positive_definite(A, unused, q, count, 50 + q);
        l2o_abreast_cholesky(L, A, q, count);
        fill(B, q, n, count, 70 + q);
        memcpy(X, B, 2 * q * n * l2o_lanes(count) * sizeof *X);
        l2o_abreast_solve(X, L, (l2o_solve_side)side, q, n, count);
        for (size_t l = 0; l < count; l++)
          for (size_t i = 0; i < q; i++)
            for (size_t j = 0; j < n; j++) { /* B again: L X, L^H X, X L, X L^H */
              double _Complex sum = 0;
              for (size_t k = 0; k < q; k++) {
                const size_t row = left != adjoint ? i : k, column = left != adjoint ? k : i;
                if (column > row)
                  continue;
                const double _Complex factor =
                    row == column ? creal(entry(L, row, row, q, l, count)) : entry(L, row, column, q, l, count);
                sum += (adjoint ? conj(factor) : factor) * (left ? entry(X, k, j, n, l, count) : entry(X, j, k, q, l, count));
              }
              assert_same_complex(sum, left ? entry(B, i, j, n, l, count) : entry(B, j, i, q, l, count));
            }
        free(A), free(L), free(B), free(X), free(unused);
      }
}

/* Determinants that no double holds. */
static void large_and_small_determinants(void **state) {
  (void)state;
  enum { Q = 40 };
  l2o_real *A = room(Q, Q, 2), weights[2] = {1, 1}, each[2];
  const double sizes[2] = {BY_PRECISION(1e100, 1e15), BY_PRECISION(1e-90, 1e-14)};
  for (size_t l = 0; l < 2; l++)
    for (size_t i = 0; i < Q; i++)
      put(A, i, i, Q, l, 2, sizes[l]);
  l2o_abreast_cholesky(A, A, Q, 2);
  l2o_abreast_log_det(each, A, weights, Q, 2);
  for (size_t l = 0; l < 2; l++)
    assert_close(each[l], Q * log(sizes[l]), BY_PRECISION(1e-14, 1e-6), 0);
  put(A, 0, 0, Q, 0, 2, -1); /* not positive definite: that lane alone */
  put(A, 0, 0, Q, 1, 2, 4);
  l2o_abreast_cholesky(A, A, 1, 2);
  assert_true(isnan((double)A[0]) && A[1] == 2);
  free(A);
}

/* ---- Hermitian systems ---- */

typedef struct system_of {
  size_t m, columns;
  double _Complex *A, *B;
  l2o_real *block, *right, *solution, *scratch;
  l2o_tridiagonal t;
} system_of;

/* A = sum of `rank` outer products, B = A times random numbers */
static system_of make_system(size_t m, size_t columns, size_t rank, uint64_t seed) {
  system_of s = {.m = m, .columns = columns, .A = calloc(m * m, sizeof *s.A), .B = calloc(m * columns, sizeof *s.B)};
  double _Complex *Y = numbers(m * rank, seed), *C = numbers(m * columns, seed + 1000);
  s.block = calloc(2 * m * m + l2o_tridiagonal_len(m) + 4 * m, sizeof *s.block);
  s.right = calloc(4 * m * columns, sizeof *s.right);
  s.solution = s.right + 2 * m * columns;
  s.t = (l2o_tridiagonal){.A = s.block, .diagonal = s.block + 2 * m * m, .m = m};
  s.t.off = s.t.diagonal + m;
  s.t.tau = s.t.off + 2 * m;
  s.scratch = s.t.tau + m;
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < m; j++) {
      for (size_t k = 0; k < rank; k++)
        s.A[i * m + j] += Y[i * rank + k] * conj(Y[j * rank + k]);
      s.block[i * m + j] = (l2o_real)creal(s.A[i * m + j]);
      s.block[m * m + i * m + j] = (l2o_real)cimag(s.A[i * m + j]);
    }
  for (size_t i = 0; i < m; i++)
    for (size_t c = 0; c < columns; c++) {
      for (size_t k = 0; k < m; k++)
        s.B[i * columns + c] += s.A[i * m + k] * C[k * columns + c];
      s.right[i * columns + c] = (l2o_real)creal(s.B[i * columns + c]);
      s.right[m * columns + i * columns + c] = (l2o_real)cimag(s.B[i * columns + c]);
    }
  free(Y), free(C);
  return s;
}
static void free_system(system_of *s) {
  free(s->A), free(s->B), free(s->block), free(s->right);
}

static void hermitian_systems_are_solved_for_every_shift(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 2, 3, 4, 7, 8, 12, 19, 40}, columns[] = {1, 2, 4, 9};
  for (size_t a = 0; a < sizeof sizes / sizeof *sizes; a++)
    for (size_t b = 0; b < 4; b++) {
      const size_t m = sizes[a], n = columns[b];
      system_of s = make_system(m, n, a % 2 ? m + 3 : (m + 1) / 2, 3 + a);
      l2o_hermitian_reduce(&s.t, s.scratch);
      l2o_hermitian_rotate(s.right, &s.t, false, n);
      for (int shift = 0; shift < 3; shift++) {
        const double mu = shift == 0 ? 0.5 : shift == 1 ? 30 : 1e4;
        double quotient, form = 0, other = 0, largest = 0;
        assert_true(l2o_tridiagonal_solve(s.solution, &quotient, &s.t, mu, s.right, n, s.scratch));
        const double square = l2o_tridiagonal_form(&s.t, s.solution, n);
        l2o_hermitian_rotate(s.solution, &s.t, true, n);
        for (size_t i = 0; i < m; i++)
          for (size_t c = 0; c < n; c++) {
            double _Complex sum = 0;
            const double _Complex z = complex_of(s.solution[i * n + c], s.solution[m * n + i * n + c]);
            for (size_t k = 0; k < m; k++)
              sum += s.A[i * m + k] * (complex_of(s.solution[k * n + c], s.solution[m * n + k * n + c]));
            form += creal(conj(z) * sum);
            other += cabs(z) * cabs(z);
            largest = fmax(largest, cabs(s.B[i * n + c]));
            if (!(cabs(sum + mu * z - s.B[i * n + c]) <= BY_PRECISION(1e-12, 1e-4) * (double)m * (largest + 1)))
              fail_msg("m = %zu, mu = %g: residual %g", m, mu, cabs(sum + mu * z - s.B[i * n + c]));
          }
        assert_close(square, form, BY_PRECISION(1e-11, 1e-3), 1e-20);
        /* z^H (A + mu I)^-1 z is minus half the derivative of |z|^2: by differences */
        const double e = BY_PRECISION(1e-4, 3e-2) * (1 + mu);
        double ignored, up = 0, down = 0;
        assert_true(l2o_tridiagonal_solve(s.solution, &ignored, &s.t, mu + e, s.right, n, s.scratch));
        for (size_t i = 0; i < 2 * m * n; i++)
          up += (double)s.solution[i] * (double)s.solution[i];
        assert_true(l2o_tridiagonal_solve(s.solution, &ignored, &s.t, mu - e, s.right, n, s.scratch));
        for (size_t i = 0; i < 2 * m * n; i++)
          down += (double)s.solution[i] * (double)s.solution[i];
        assert_close(quotient, -(up - down) / (4 * e), BY_PRECISION(1e-5, 3e-2), 1e-12 * other);
      }
      free_system(&s);
    }
}

static void the_largest_eigenvalue_is_lapacks(void **state) {
  (void)state;
  for (size_t m = 1; m <= 33; m += m < 9 ? 1 : 6)
    for (size_t rank = 1; rank <= m + 1; rank += (m + 1) / 2) {
      system_of s = make_system(m, 1, rank, 7 * m + rank);
      double *values = malloc(m * sizeof *values);
      l2o_hermitian_reduce(&s.t, s.scratch);
      const double largest = l2o_tridiagonal_largest(&s.t);
      assert_int_equal(
          LAPACKE_zheev(LAPACK_ROW_MAJOR, 'N', 'U', (lapack_int)m, (lapack_complex_double *)s.A, (lapack_int)m, values), 0);
      assert_close(largest, values[m - 1], BY_PRECISION(1e-13, 1e-5), 0);
      assert_true(largest >= values[m - 1] * (1 - BY_PRECISION(2e-14, 1e-5)));
      assert_true(l2o_tridiagonal_bound(&s.t) >= largest * (1 - BY_PRECISION(1e-14, 1e-6)));
      free(values);
      free_system(&s);
    }
  /* zero, and eigenvalues that all are the same */
  system_of zero = make_system(5, 1, 0, 1), same = make_system(6, 1, 0, 1);
  l2o_hermitian_reduce(&zero.t, zero.scratch);
  assert_true(l2o_tridiagonal_largest(&zero.t) == 0 && l2o_tridiagonal_bound(&zero.t) == 0);
  for (size_t i = 0; i < 6; i++)
    same.block[7 * i] = 3;
  l2o_hermitian_reduce(&same.t, same.scratch);
  assert_close(l2o_tridiagonal_largest(&same.t), 3, BY_PRECISION(1e-15, 1e-7), 0);
  /* and a shift that leaves it indefinite */
  double quotient;
  l2o_real B[12] = {1}, Z[12];
  assert_false(l2o_tridiagonal_solve(Z, &quotient, &same.t, -3.5, B, 1, same.scratch));
  assert_true(l2o_tridiagonal_solve(Z, &quotient, &same.t, -2.5, B, 1, same.scratch) && Z[0] == 2);
  free_system(&zero);
  free_system(&same);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products_are_sums),
      cmocka_unit_test(factors_inverses_and_determinants_are_lapacks),
      cmocka_unit_test(triangular_systems_are_solved),
      cmocka_unit_test(large_and_small_determinants),
      cmocka_unit_test(hermitian_systems_are_solved_for_every_shift),
      cmocka_unit_test(the_largest_eigenvalue_is_lapacks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
