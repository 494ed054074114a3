/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels of core/matrix.h, every instruction set that the processor has: against sums in long double, the same bits for every
 * count, nothing written beside the results; and the families that use them. */
#include "l2o_fixtures.h"

#include "core/matrix.h"
#include <float.h>

enum { COUNT = 9, GUARDS = 3 };
static const double eps = BY_PRECISION(DBL_EPSILON, (double)FLT_EPSILON);
static const l2o_real guard = (l2o_real)12345.5;

typedef struct kernels {
  const char *name;
  void (*normal)(size_t, l2o_real *const *, l2o_real *const *, double *, const l2o_real *, const l2o_real *const *,
                 const l2o_real *const *, size_t, size_t);
  double (*residual)(l2o_real *, const l2o_real *, const l2o_real *, const l2o_real *, size_t, size_t);
  void (*triangle)(size_t, l2o_real *const *, const l2o_real *, const l2o_real *const *, size_t);
} kernels;

/* Those that run here; the last is what callers get. */
static size_t available(kernels *out) {
  size_t count = 0;
  out[count++] = (kernels){"portable", l2o_normal_products_portable, l2o_residual_portable, l2o_triangle_products_portable};
#if L2O_VECTOR_MAX >= 1
  if (L2O_HAS_AVX2)
    out[count++] = (kernels){"avx2", l2o_normal_products_avx2, l2o_residual_avx2, l2o_triangle_products_avx2};
#endif
#if L2O_VECTOR_MAX >= 2
  if (L2O_HAS_AVX512)
    out[count++] = (kernels){"avx512", l2o_normal_products_avx512, l2o_residual_avx512, l2o_triangle_products_avx512};
#endif
  return count;
}

/* n reals between guards, not aligned to a vector */
static l2o_real *guarded(size_t n) {
  l2o_real *block = malloc((n + 2 * GUARDS) * sizeof *block);
  for (size_t i = 0; i < n + 2 * GUARDS; i++)
    block[i] = guard;
  return block + GUARDS;
}

static void release(l2o_real *p, size_t n) {
  for (size_t i = 0; i < GUARDS; i++)
    assert_true(p[-1 - (ptrdiff_t)i] == guard && p[n + i] == guard);
  free(p - GUARDS);
}

static l2o_real *drawn(size_t n, uint64_t seed) {
  l2o_real *p = guarded(n);
  normal_reals(p, n, seed);
  return p;
}

typedef struct vectors {
  l2o_real *x[COUNT], *b[COUNT], *g[COUNT], *r[COUNT];
  size_t m, n;
} vectors;

static void make(vectors *v, size_t m, size_t n) {
  v->m = m, v->n = n;
  for (size_t c = 0; c < COUNT; c++) {
    v->x[c] = drawn(n, 10 + c);
    v->b[c] = drawn(m, 30 + c);
    v->g[c] = guarded(n);
    v->r[c] = guarded(m);
  }
}

static void drop(vectors *v) {
  for (size_t c = 0; c < COUNT; c++) {
    release(v->x[c], v->n);
    release(v->b[c], v->m);
    release(v->g[c], v->n);
    release(v->r[c], v->m);
  }
}

static void run(const kernels *k, const vectors *v, double *squares, const l2o_real *A, size_t first, size_t count, bool with_b) {
  k->normal(count, v->g + first, v->r + first, squares, A, (const l2o_real *const *)v->x + first,
            with_b ? (const l2o_real *const *)v->b + first : NULL, v->m, v->n);
}

/* r, g and |r|^2 of vector c within the bounds of plain summation in this precision */
static void assert_normal(const vectors *v, double square, const l2o_real *A, size_t c, bool with_b) {
  const size_t m = v->m, n = v->n;
  double *bound = calloc(2 * n, sizeof *bound), *expected = bound + n, sum = 0;
  for (size_t i = 0; i < m; i++) {
    long double r = with_b ? -(long double)v->b[c][i] : 0;
    double size = fabs((double)r);
    for (size_t j = 0; j < n; j++) {
      r += (long double)A[i * n + j] * (long double)v->x[c][j];
      size += fabs((double)A[i * n + j] * (double)v->x[c][j]);
    }
    const double slack = eps * ((double)n + 2) * size;
    assert_close(v->r[c][i], r, 0, slack);
    sum += (double)v->r[c][i] * (double)v->r[c][i];
    for (size_t j = 0; j < n; j++) {
      expected[j] += (double)A[i * n + j] * (double)v->r[c][i];
      bound[j] += eps * ((double)m + 2) * fabs((double)A[i * n + j] * (double)v->r[c][i]);
    }
  }
  for (size_t j = 0; j < n; j++)
    assert_close(v->g[c][j], expected[j], 0, bound[j]);
  assert_close(square, sum, 1e-13, 0);
  free(bound);
}

static void check_normal(const kernels *k, size_t m, size_t n, bool with_b) {
  vectors alone, v;
  double squares[COUNT], many[COUNT];
  l2o_real *A = drawn(m * n, m + 1000 * n), *r = guarded(m);
  make(&alone, m, n);
  make(&v, m, n);
  for (size_t c = 0; c < COUNT; c++) {
    run(k, &alone, squares + c, A, c, 1, with_b);
    assert_normal(&alone, squares[c], A, c, with_b);
  }
  assert_true(k->residual(r, A, alone.x[0], with_b ? alone.b[0] : NULL, m, n) == squares[0]);
  assert_same_reals(r, alone.r[0], m);
  for (size_t count = 2; count <= COUNT; count++) {
    const size_t first = COUNT - count; /* so that each stands beside others every time */
    run(k, &v, many, A, first, count, with_b);
    for (size_t c = 0; c < count; c++) {
      assert_true(many[c] == squares[first + c]);
      assert_same_reals(v.g[first + c], alone.g[first + c], n);
      assert_same_reals(v.r[first + c], alone.r[first + c], m);
    }
  }
  drop(&alone);
  drop(&v);
  release(r, m);
  release(A, m * n);
}

static const size_t sizes[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void normal_products_of_every_shape(void **state) {
  (void)state;
  kernels k[3];
  for (size_t s = available(k); s-- > 0;) {
    for (size_t i = 0; i < SIZES; i++)
      for (size_t j = 0; j < SIZES; j++)
        check_normal(&k[s], sizes[i], sizes[j], (i + j) % 2 == 0);
    check_normal(&k[s], 61, 61, true); /* 61 x 61 is small for floats */
    check_normal(&k[s], 41, 512, true);
    check_normal(&k[s], 512, 41, true);
    check_normal(&k[s], 6, 5003, true);
  }
}

/* A triangle from its packed form, aligned; free() it. */
static l2o_real *triangle_of(const l2o_real *packed, size_t n) {
  l2o_real *T = aligned_alloc(64, l2o_triangle_len(n) * sizeof *T);
  l2o_triangle_fill(T, packed, n);
  return T;
}

/* y = H x against the dense product, and the same bits for every count */
static void check_triangle(const kernels *k, size_t n) {
  l2o_real *H = drawn(n * (n + 1) / 2, n), *T = triangle_of(H, n), *x[COUNT], *y[COUNT], *alone[COUNT];
  for (size_t c = 0; c < COUNT; c++) {
    x[c] = drawn(n, 50 + c);
    y[c] = guarded(n);
    alone[c] = guarded(n);
    k->triangle(1, &alone[c], T, (const l2o_real *const *)&x[c], n);
    for (size_t i = 0; i < n; i++) {
      long double sum = 0;
      double size = 0;
      for (size_t j = 0; j < n; j++) {
        const size_t low = i < j ? i : j, high = i < j ? j : i;
        const long double h = (long double)H[low * n - low * (low + 1) / 2 + high];
        sum += h * (long double)x[c][j];
        size += fabs((double)h * (double)x[c][j]);
      }
      assert_close(alone[c][i], sum, 0, eps * ((double)n + 2) * size);
    }
  }
  for (size_t count = 2; count <= COUNT; count++) {
    const size_t first = COUNT - count;
    k->triangle(count, y + first, T, (const l2o_real *const *)x + first, n);
    for (size_t c = first; c < COUNT; c++)
      assert_same_reals(y[c], alone[c], n);
  }
  for (size_t c = 0; c < COUNT; c++) {
    release(x[c], n);
    release(y[c], n);
    release(alone[c], n);
  }
  release(H, n * (n + 1) / 2);
  free(T);
}

static void triangle_products_of_every_size(void **state) {
  (void)state;
  kernels k[3];
  for (size_t s = available(k); s-- > 0;) {
    for (size_t n = 1; n <= 70; n++)
      check_triangle(&k[s], n);
    check_triangle(&k[s], 257);
  }
}

/* A not-a-number or an infinity anywhere reaches whatever depends on it, and no other vector. */
static void what_is_not_finite_stays_visible(void **state) {
  (void)state;
  enum { M = 21, N = 37 };
  kernels k[3];
  for (size_t s = available(k); s-- > 0;)
    for (size_t at = 0; at < N; at++)
      for (int infinite = 0; infinite < 2; infinite++) {
        const l2o_real bad = (l2o_real)(infinite ? INFINITY : NAN);
        vectors v;
        double squares[COUNT];
        l2o_real *A = drawn(M * N, 1), *H = drawn(N * (N + 1) / 2, 2), *T = triangle_of(H, N), kept;
        make(&v, M, N);
        kept = v.x[1][at];
        v.x[1][at] = bad;
        run(&k[s], &v, squares, A, 0, 3, true);
        assert_true(isfinite(squares[0]) && !isfinite(squares[1]) && isfinite(squares[2]));
        for (size_t j = 0; j < N; j++)
          assert_true(isfinite(v.g[0][j]) && !isfinite(v.g[1][j]) && isfinite(v.g[2][j]));
        k[s].triangle(3, v.g, T, (const l2o_real *const *)v.x, N);
        for (size_t j = 0; j < N; j++)
          assert_true(isfinite(v.g[0][j]) && !isfinite(v.g[1][j]) && isfinite(v.g[2][j]));
        v.x[1][at] = kept;
        v.b[2][at % M] = bad;
        run(&k[s], &v, squares, A, 0, 3, true);
        assert_true(isfinite(squares[1]) && !isfinite(squares[2]));
        for (size_t j = 0; j < N; j++)
          assert_true(isfinite(v.g[1][j]) && !isfinite(v.g[2][j]));
        /* zero times not-a-number is not zero */
        v.b[2][at % M] = 0;
        memset(v.x[0], 0, N * sizeof *v.x[0]);
        A[(at % M) * N + at] = bad;
        run(&k[s], &v, squares, A, 0, 1, true);
        assert_true(!isfinite(squares[0]) && !isfinite(v.g[0][at]));
        drop(&v);
        release(A, M * N);
        release(H, N * (N + 1) / 2);
        free(T);
      }
}

/* ---- the families ---- */

enum { ROWS = 11, UNKNOWNS = 19, TOGETHER = 6 };

static l2o_status make_problem(l2o_problem *p, int family, const l2o_real *A, const l2o_real *b) {
  return family == 0   ? l2o_qp_new(p, A, b, NULL, 1, ROWS, UNKNOWNS, NULL)
         : family == 1 ? l2o_least_squares_new(p, A, b, NULL, 0.25, 1, ROWS, UNKNOWNS, NULL)
                       : l2o_lasso_new(p, A, b, NULL, 0.1, 1, ROWS, UNKNOWNS, NULL);
}

static void problems_of_one_matrix_go_together(void **state) {
  (void)state;
  l2o_real A[ROWS * UNKNOWNS], other[ROWS * UNKNOWNS], b[TOGETHER][ROWS], x[TOGETHER][UNKNOWNS], g[TOGETHER][UNKNOWNS];
  l2o_real alone[UNKNOWNS], work[TOGETHER][ROWS];
  normal_reals(A, ROWS * UNKNOWNS, 1);
  memcpy(other, A, sizeof A);
  for (int family = 0; family < 3; family++) {
    l2o_problem p[TOGETHER], stranger;
    const l2o_problem *problems[TOGETHER];
    const l2o_real *at[TOGETHER];
    l2o_real *out[TOGETHER], *scratch[TOGETHER];
    double f[TOGETHER], value;
    for (size_t i = 0; i < TOGETHER; i++) {
      normal_reals(b[i], ROWS, 10 + i);
      normal_reals(x[i], UNKNOWNS, 20 + i);
      assert_status(make_problem(&p[i], family, A, b[i]), L2O_OK, NULL);
      assert_int_equal(l2o_problem_work_len(&p[i]), ROWS);
      problems[i] = &p[i], at[i] = x[i], out[i] = g[i], scratch[i] = work[i];
      assert_true(l2o_problem_together(&p[0], &p[i]));
    }
    assert_status(make_problem(&stranger, family, other, b[0]), L2O_OK, NULL);
    assert_false(l2o_problem_together(&p[0], &stranger));
    l2o_problem_free(&stranger);
    for (size_t count = 1; count <= TOGETHER; count++) {
      assert_status(l2o_problem_gradient_many(problems, count, f, out, at, scratch), L2O_OK, NULL);
      for (size_t i = 0; i < count; i++) {
        assert_true(gradient_at(&p[i], alone, x[i]) == f[i] && value_at(&p[i], x[i]) == f[i]);
        assert_same_reals(alone, g[i], UNKNOWNS);
      }
      assert_status(l2o_problem_hessian_vector_many(problems, count, out, at, at, scratch), L2O_OK, NULL);
      for (size_t i = 0; i < count; i++) {
        assert_status(l2o_problem_hessian_vector(&p[i], alone, x[i], x[i], work[i]), L2O_OK, NULL);
        assert_same_reals(alone, g[i], UNKNOWNS);
      }
    }
    value = 0;
    for (size_t j = 0; j < UNKNOWNS; j++) /* x'Hx = |A x|^2 + ridge |x|^2 >= 0 */
      value += (double)x[0][j] * (double)g[0][j];
    assert_true(value > 0);
    for (size_t i = 0; i < TOGETHER; i++)
      l2o_problem_free(&p[i]);
  }
}

static void another_ridge_is_another_hessian(void **state) {
  (void)state;
  l2o_real A[ROWS * UNKNOWNS], b[ROWS];
  l2o_problem p, q;
  normal_reals(A, ROWS * UNKNOWNS, 1);
  normal_reals(b, ROWS, 2);
  assert_status(l2o_least_squares_new(&p, A, b, NULL, 0.25, 1, ROWS, UNKNOWNS, NULL), L2O_OK, NULL);
  assert_status(l2o_least_squares_new(&q, A, b, NULL, 0.5, 1, ROWS, UNKNOWNS, NULL), L2O_OK, NULL);
  assert_false(l2o_problem_together(&p, &q));
  l2o_problem_free(&q);
  assert_status(l2o_least_squares_new(&q, A, b, NULL, 0.25, 1, ROWS - 1, UNKNOWNS, NULL), L2O_OK, NULL);
  assert_false(l2o_problem_together(&p, &q));
  l2o_problem_free(&q);
  l2o_problem_free(&p);
}

/* The Hessian gives what the problem's own product gives. */
static void stored_hessians_equal_the_products(void **state) {
  (void)state;
  static const char *const specs[] = {"qp:n=37,m=21", "least-squares:n=20,m=50,ridge=0.5", "lasso:n=33,m=12",
                                      "quadratic:n=29,condition=10"};
  for (size_t s = 0; s < 4; s++) {
    l2o_problem p = sampled(specs[s], 3, 1);
    const size_t n = p.n;
    l2o_real *H = guarded(n * (n + 1) / 2), *v = drawn(n, 4), *hv = guarded(n), *y = guarded(n);
    l2o_real *work = malloc((l2o_problem_hessian_work_len(&p) + 1) * sizeof *work);
    double length = 0;
    assert_status(l2o_problem_hessian(&p, H), L2O_OK, NULL);
    assert_status(l2o_problem_hessian_vector(&p, hv, v, v, work), L2O_OK, NULL);
    l2o_real *T = triangle_of(H, n);
    l2o_triangle_products(1, &y, T, (const l2o_real *const *)&v, n);
    free(T);
    for (size_t i = 0; i < n; i++)
      length = fmax(length, fabs((double)hv[i]));
    assert_true(length > 0.1);
    for (size_t i = 0; i < n; i++)
      assert_close(y[i], hv[i], 0, 50 * eps * length);
    free(work);
    release(H, n * (n + 1) / 2);
    release(v, n);
    release(hv, n);
    release(y, n);
    l2o_problem_free(&p);
  }
}

static void the_hessian_is_kept_where_it_is_cheaper(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    bool kept;
  } cases[] = {{"qp:n=512,m=400", true},           {"qp:n=32,m=20", false},   {"lasso:n=500,m=250", true},
               {"least-squares:n=32,m=100", true}, {"quadratic:n=20", false}, {"quadratic:n=120", true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_problem p = sampled(cases[i].spec, 1, 0);
    assert_true(l2o_problem_prefers_hessian(&p) == cases[i].kept);
    l2o_problem_free(&p);
  }
  assert_false(l2o_problem_prefers_hessian(&rosenbrock_problem));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(normal_products_of_every_shape),          cmocka_unit_test(triangle_products_of_every_size),
      cmocka_unit_test(what_is_not_finite_stays_visible),        cmocka_unit_test(problems_of_one_matrix_go_together),
      cmocka_unit_test(another_ridge_is_another_hessian),        cmocka_unit_test(stored_hessians_equal_the_products),
      cmocka_unit_test(the_hessian_is_kept_where_it_is_cheaper),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
