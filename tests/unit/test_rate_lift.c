/* SPDX-License-Identifier: BSD-3-Clause */
/* Lifted precoders and learned directions: Cayley's map, products and their derivatives against definitions and differences, and
 * the inverse of a complex matrix. */
#include "l2o_fixtures.h"

#include "core/linalg.h"
#include "nn/rate_lift.h"

static const struct {
  size_t tx, m, r, d;
  bool has_Q;
} SHAPES[] = {{4, 8, 3, 2, true}, {4, 4, 2, 1, false}, {3, 7, 7, 2, true},
              {1, 1, 1, 1, true}, {5, 12, 0, 3, true}, {2, 2, 2, 2, true}};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES };

typedef struct thing {
  l2o_rate_lift lift;
  void *block;
  size_t d, q, e;              /* complex numbers of Q, E */
  l2o_real *Z_lift, *Z_turn;   /* (m, m) */
  l2o_real *Y, *G, *X, *s, *B; /* (m, d); (tx, d); (m, d); (1 + r); (m, d) */
  l2o_real *scratch;
} thing;

/* Random parameters, and random matrices to multiply. */
static thing thing_of(size_t shape) {
  const size_t tx = SHAPES[shape].tx, m = SHAPES[shape].m, r = SHAPES[shape].r, d = SHAPES[shape].d;
  thing t = {.lift = {.tx = tx, .m = m, .r = r}, .d = d, .q = SHAPES[shape].has_Q ? tx * m : 0, .e = m * r};
  l2o_arena arena = {0};
  l2o_rate_lift_layout(&t.lift, &arena, SHAPES[shape].has_Q);
  assert_true(l2o_arena_new(&arena));
  t.block = arena.base;
  l2o_rate_lift_layout(&t.lift, &arena, SHAPES[shape].has_Q);
  const size_t lengths[] = {2 * m * m, 2 * m * m, 2 * m * d, 2 * tx * d, 2 * m * d, 1 + r, 2 * m * d, 4 * r * d + 1};
  l2o_real **const arrays[] = {&t.Z_lift, &t.Z_turn, &t.Y, &t.G, &t.X, &t.s, &t.B, &t.scratch};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    *arrays[i] = malloc(lengths[i] * sizeof **arrays[i]);
    normal_reals(*arrays[i], lengths[i], 10 * shape + i);
  }
  l2o_rate_lift_build(&t.lift, t.Z_lift, t.Z_turn);
  assert_true((t.lift.Q != NULL) == SHAPES[shape].has_Q && (t.lift.E != NULL) == (r > 0));
  assert_int_equal(l2o_rate_lift_sum_len(&t.lift), 2 * (t.q + t.e));
  return t;
}

static void free_thing(thing *t) {
  free(t->block), free(t->Z_lift), free(t->Z_turn), free(t->Y), free(t->G), free(t->X), free(t->s), free(t->B), free(t->scratch);
}

static double complex entry(const l2o_real *A, size_t i) {
  const double parts[2] = {(double)A[2 * i], (double)A[2 * i + 1]};
  double complex z;
  memcpy(&z, parts, sizeof z);
  return z;
}
/* Q, the identity where there is none */
static double complex entry_of_Q(const thing *t, size_t i, size_t k) {
  return t->lift.Q ? entry(t->lift.Q, i * t->lift.m + k) : (i == k);
}

/* Phi Phi^H = I and (I + O) Phi = I - O; Q has its first rows, E its first columns. */
static void cayley_maps_to_unitary_matrices(void **state) {
  (void)state;
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++) {
    thing t = thing_of(shape);
    const size_t m = t.lift.m, r = t.lift.r;
    for (int which = 0; which < 2; which++) {
      const double complex *Phi = which ? t.lift.turn.unitary : t.lift.lift.unitary;
      const l2o_real *Z = which ? t.Z_turn : t.Z_lift;
      for (size_t i = 0; i < m && Phi; i++)
        for (size_t k = 0; k < m; k++) {
          double complex product = 0, mapped = Phi[i * m + k];
          for (size_t j = 0; j < m; j++) {
            product += Phi[i * m + j] * conj(Phi[k * m + j]);
            mapped += (entry(Z, i * m + j) - conj(entry(Z, j * m + i))) / 2 * Phi[j * m + k];
          }
          const double complex O = (entry(Z, i * m + k) - conj(entry(Z, k * m + i))) / 2;
          assert_true(cabs(product - (i == k)) < 1e-13 && cabs(mapped - ((i == k) - O)) < 1e-12);
        }
    }
    for (size_t i = 0; i < t.lift.tx && t.lift.Q; i++)
      for (size_t k = 0; k < m; k++)
        assert_true(cabs(entry_of_Q(&t, i, k) - t.lift.lift.unitary[i * m + k]) < BY_PRECISION(1e-15, 1e-6));
    for (size_t i = 0; i < m && r; i++)
      for (size_t k = 0; k < r; k++)
        assert_true(cabs(entry(t.lift.E, i * r + k) - t.lift.turn.unitary[i * m + k]) < BY_PRECISION(1e-15, 1e-6));
    free_thing(&t);
  }
}

/* Y = Q^H G, V = Q X, M Y = s_0 (I - E E^H) Y + E diag(s_1 ..) E^H Y */
static void products_are_those_of_the_definition(void **state) {
  (void)state;
  const double close = BY_PRECISION(1e-13, 1e-5);
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++) {
    thing t = thing_of(shape);
    const size_t tx = t.lift.tx, m = t.lift.m, r = t.lift.r, d = t.d;
    l2o_real *up = malloc(2 * m * d * sizeof *up), *down = malloc(2 * tx * d * sizeof *down),
             *out = malloc(2 * m * d * sizeof *out);
    l2o_rate_lift_up(&t.lift, up, t.G, d);
    l2o_rate_lift_down(&t.lift, down, t.X, d);
    memcpy(out, t.B, 2 * m * d * sizeof *out);
    l2o_rate_turn(&t.lift, out, t.s, t.Y, t.scratch, d);
    for (size_t c = 0; c < d; c++) {
      for (size_t i = 0; i < m; i++) {
        double complex y = 0, turned = entry(t.B, i * d + c) + (double)t.s[0] * entry(t.Y, i * d + c);
        for (size_t k = 0; k < tx; k++)
          y += conj(entry_of_Q(&t, k, i)) * entry(t.G, k * d + c);
        assert_true(cabs(y - entry(up, i * d + c)) < close * 10);
        for (size_t j = 0; j < r; j++) {
          double complex coordinate = 0;
          for (size_t k = 0; k < m; k++)
            coordinate += conj(entry(t.lift.E, k * r + j)) * entry(t.Y, k * d + c);
          turned += entry(t.lift.E, i * r + j) * ((double)t.s[1 + j] - (double)t.s[0]) * coordinate;
        }
        assert_true(cabs(turned - entry(out, i * d + c)) < close * 10);
      }
      for (size_t i = 0; i < tx; i++) {
        double complex v = 0;
        for (size_t k = 0; k < m; k++)
          v += entry_of_Q(&t, i, k) * entry(t.X, k * d + c);
        assert_true(cabs(v - entry(down, i * d + c)) < close * 10);
      }
    }
    free(up), free(down), free(out);
    free_thing(&t);
  }
}

#ifndef L2O_SINGLE
static double inner(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

enum { MOST = 2 * 12 * 12 };

/* <D, Q^H G>, <D', Q X> and <D, M Y> with random D, D': numbers 0, 1, 2. */
static double functional(const thing *t, int which, const double *dout) {
  double out[MOST] = {0};
  if (which == 0)
    l2o_rate_lift_up(&t->lift, out, t->G, t->d);
  else if (which == 1)
    l2o_rate_lift_down(&t->lift, out, t->X, t->d);
  else
    l2o_rate_turn(&t->lift, out, t->s, t->Y, t->scratch, t->d);
  return inner(out, dout, 2 * (which == 1 ? t->lift.tx : t->lift.m) * t->d);
}

/* In each of its arguments a functional is at most quadratic: the central difference is exact but for rounding. */
static void compare(const thing *t, int which, const double *dout, double *argument, const double *given, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const double at = argument[i], h = 0.5;
    argument[i] = at + h;
    const double more = functional(t, which, dout);
    argument[i] = at - h;
    const double difference = (more - functional(t, which, dout)) / (2 * h);
    argument[i] = at;
    if (!(fabs(difference - given[i]) <= 1e-11 * (1 + fabs(given[i]))))
      fail_msg("functional %d, entry %zu: %.15g, differences say %.15g", which, i, given[i], difference);
  }
}

static void products_have_the_derivatives_that_differences_say(void **state) {
  (void)state;
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++) {
    thing t = thing_of(shape);
    const size_t tx = t.lift.tx, m = t.lift.m, r = t.lift.r, d = t.d, q = 2 * t.q;
    double dout[MOST], sum[2 * MOST], before[2 * MOST], d_in[MOST], base[MOST], ds[20];
    normal_doubles(dout, MOST, 90 + shape);
    normal_doubles(base, MOST, 91 + shape);
    normal_doubles(before, 2 * MOST, 92 + shape); /* results are added */
    for (int which = 0; which < 3; which++) {
      const size_t count = which == 0 ? 2 * tx * d : 2 * m * d;
      memcpy(d_in, base, sizeof d_in);
      memcpy(sum, before, sizeof sum);
      if (which == 0)
        l2o_rate_lift_up_back(&t.lift, sum, d_in, dout, t.G, d);
      else if (which == 1)
        l2o_rate_lift_down_back(&t.lift, sum, d_in, dout, t.X, d);
      else
        l2o_rate_turn_back(&t.lift, sum, d_in, ds, dout, t.s, t.Y, t.scratch, d);
      for (size_t i = 0; i < count; i++)
        d_in[i] -= base[i];
      for (size_t i = 0; i < q + 2 * t.e; i++)
        sum[i] -= before[i];
      compare(&t, which, dout, which == 0 ? t.G : which == 1 ? t.X : t.Y, d_in, count);
      if (t.lift.Q)
        compare(&t, which, dout, t.lift.Q, sum, q);
      if (r)
        compare(&t, which, dout, t.lift.E, sum + q, 2 * t.e);
      if (which == 2)
        compare(&t, which, dout, t.s, ds, 1 + r);
    }
    free_thing(&t);
  }
}

/* <dQ, Q> + <dE, E> of the parameters Z */
static void cayley_has_the_derivative_that_differences_say(void **state) {
  (void)state;
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++) {
    thing t = thing_of(shape);
    const size_t count = 2 * t.lift.m * t.lift.m, q = 2 * t.q, e = 2 * t.e;
    double sum[2 * MOST], dZ[2][MOST];
    normal_doubles(sum, 2 * MOST, 70 + shape);
    l2o_rate_lift_gradient(&t.lift, dZ[0], dZ[1], sum);
    for (int which = 0; which < 2; which++)
      for (size_t i = 0; i < count && (which ? t.lift.r > 0 : t.lift.Q != NULL); i++) {
        l2o_real *Z = which ? t.Z_turn : t.Z_lift;
        static const double steps[] = {1, -1, 2, -2};
        const double at = Z[i], h = 1e-3;
        double f[4];
        for (int j = 0; j < 4; j++) {
          Z[i] = at + steps[j] * h;
          l2o_rate_lift_build(&t.lift, t.Z_lift, t.Z_turn);
          f[j] = which ? inner(sum + q, t.lift.E, e) : inner(sum, t.lift.Q, q);
        }
        Z[i] = at;
        l2o_rate_lift_build(&t.lift, t.Z_lift, t.Z_turn);
        assert_close(dZ[which][i], (4 * (f[0] - f[1]) / (2 * h) - (f[2] - f[3]) / (4 * h)) / 3, 1e-9, 1e-9);
      }
    free_thing(&t);
  }
}
#endif

/* LAPACK's blocks end at 64. */
static void inverses_of_complex_matrices(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 2, 5, 17, 64, 70};
  for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
    const size_t n = sizes[c];
    double complex *A = malloc(2 * n * n * sizeof *A), *inverse = A + n * n,
                   *work = malloc(l2o_inverse_complex_work(n) * sizeof *work);
    normal_doubles((double *)A, 2 * n * n, c);
    for (size_t i = 0; i < n; i++)
      A[i * n + i] += 2 * sqrt((double)n);
    memcpy(inverse, A, n * n * sizeof *A);
    assert_status(l2o_inverse_complex(inverse, work, n), L2O_OK, NULL);
    for (size_t i = 0; i < n; i++)
      for (size_t k = 0; k < n; k++) {
        double complex sum = 0;
        for (size_t j = 0; j < n; j++)
          sum += A[i * n + j] * inverse[j * n + k];
        assert_true(cabs(sum - (i == k)) < 1e-12);
      }
    memset(A, 0, n * n * sizeof *A);
    assert_status(l2o_inverse_complex(A, work, n), L2O_ERR_LAPACK, NULL);
    free(A), free(work);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cayley_maps_to_unitary_matrices),
      cmocka_unit_test(products_are_those_of_the_definition),
#ifndef L2O_SINGLE
      cmocka_unit_test(products_have_the_derivatives_that_differences_say),
      cmocka_unit_test(cayley_has_the_derivative_that_differences_say),
#endif
      cmocka_unit_test(inverses_of_complex_matrices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
