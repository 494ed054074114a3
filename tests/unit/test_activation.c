/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise kernels on every instruction set that this processor has: distance from the formula in units in the last place,
 * special values, tails, the same bits wherever an element stands. */
#include "l2o_fixtures.h"

#include "core/decay.h"
#include "nn/activation.h"
#include "nn/output_scale.h"
#include <float.h>

typedef void kernel(l2o_real *y, const l2o_real *x, size_t n);
typedef double loss_kernel(l2o_real *e, const l2o_real *t, size_t n);
typedef void scale_kernel(l2o_real *p, const l2o_real *a, l2o_output_scale scale, size_t n);
typedef void slopes_kernel(l2o_real *p, l2o_real *ds, const l2o_real *a, l2o_output_scale scale, size_t n);

enum { EXP, SIGMOID, TANH, DECAY, FUNCTIONS };
static const char *const NAMES[] = {"exp", "sigmoid", "tanh", "decay"};

typedef struct instructions {
  const char *set;
  kernel *function[FUNCTIONS];
  scale_kernel *forward;
  slopes_kernel *slopes;
  loss_kernel *losses;
} instructions;

#define INSTRUCTIONS(name)                                                                                                         \
  {                                                                                                                                \
    .set = #name, .function = {l2o_exp_##name, l2o_sigmoid_##name, l2o_tanh_##name, l2o_decay_##name},                             \
    .forward = l2o_output_scale_forward_##name, .slopes = l2o_output_scale_slopes_##name, .losses = l2o_logistic_losses_##name     \
  }

static const instructions SETS[] = {
    INSTRUCTIONS(portable),
#if L2O_VECTOR_MAX >= 1
    INSTRUCTIONS(avx2),
#endif
#if L2O_VECTOR_MAX >= 2
    INSTRUCTIONS(avx512),
#endif
};

static size_t sets(void) {
#if L2O_VECTOR_MAX >= 2
  if (L2O_HAS_AVX512)
    return 3;
#endif
#if L2O_VECTOR_MAX >= 1
  if (L2O_HAS_AVX2)
    return 2;
#endif
  return 1;
}

/* ---- the points: a dense sweep, all magnitudes, random ones ---- */

enum { SWEEP = 150001, MAGNITUDES = 12000, RANDOM = 30000, POINTS = SWEEP + 2 * MAGNITUDES + RANDOM };
static const double FAR = BY_PRECISION(709, 88);

/* POINTS reals of [-far, far]; free() them. */
static l2o_real *points(double far) {
  l2o_real *x = malloc(POINTS * sizeof *x);
  for (size_t i = 0; i < SWEEP; i++)
    x[i] = (l2o_real)(far * (2 * (double)i / (SWEEP - 1) - 1));
  for (size_t i = 0; i < MAGNITUDES; i++) { /* 2^-60 to 2^7 */
    x[SWEEP + 2 * i] = (l2o_real)fmin(far, exp2(-60 + 67 * (double)i / MAGNITUDES));
    x[SWEEP + 2 * i + 1] = -x[SWEEP + 2 * i];
  }
  normal_reals(x + SWEEP + 2 * MAGNITUDES, RANDOM, 5);
  return x;
}

/* |y - exact| in units in the last place of `exact`. */
static double ulps(l2o_real y, long double exact) {
  int exponent;
  frexpl(exact, &exponent);
  const int digits = BY_PRECISION(DBL_MANT_DIG, FLT_MANT_DIG), least = BY_PRECISION(DBL_MIN_EXP, FLT_MIN_EXP);
  return (double)(fabsl((long double)y - exact) / ldexpl(1, (exponent < least ? least : exponent) - digits));
}

static long double sigmoid(long double x) {
  return 1 / (1 + expl(-x));
}

static long double exact(int function, long double x) {
  const long double least = BY_PRECISION(0x1p-400L, 0x1p-94L);
  switch (function) {
  case EXP:
    return expl(x);
  case SIGMOID:
    return sigmoid(x);
  case TANH:
    return tanhl(x);
  default:
    return expl(-fabsl(x)) < least ? 0 : expl(-fabsl(x));
  }
}

static void functions_are_within_their_bounds(void **state) {
  (void)state;
  static const double BOUND[] = {1.0, 2.5, 1.01, 1.0};
  l2o_real *x = points(FAR), *y = malloc(POINTS * sizeof *y);
  for (size_t s = 0; s < sets(); s++)
    for (int f = 0; f < FUNCTIONS; f++) {
      double worst = 0;
      size_t where = 0;
      SETS[s].function[f](y, x, POINTS);
      for (size_t i = 0; i < POINTS; i++) {
        const double error = ulps(y[i], exact(f, (long double)x[i]));
        if (!(error <= worst)) {
          worst = error;
          where = i;
        }
      }
      print_message("%-8s %-8s %.3f units in the last place, at %.9g\n", SETS[s].set, NAMES[f], worst, (double)x[where]);
      if (!(worst <= BOUND[f]))
        fail_msg("%s, %s(%.17g) = %.17g is off by %.3f units, allowed %.2f", SETS[s].set, NAMES[f], (double)x[where],
                 (double)y[where], worst, BOUND[f]);
    }
  free(x);
  free(y);
}

static void special_values_give_the_limits(void **state) {
  (void)state;
  const l2o_real huge = BY_PRECISION((l2o_real)1e300, (l2o_real)1e30), inf = (l2o_real)INFINITY;
  const l2o_real x[] = {inf, -inf, huge, -huge, 0, (l2o_real)-0.0};
  static const l2o_real expected[FUNCTIONS][6] = {{(l2o_real)INFINITY, 0, (l2o_real)INFINITY, 0, 1, 1},
                                                  {1, 0, 1, 0, (l2o_real)0.5, (l2o_real)0.5},
                                                  {1, -1, 1, -1, 0, (l2o_real)-0.0},
                                                  {0, 0, 0, 0, 1, 1}};
  const l2o_real nothing = (l2o_real)NAN;
  l2o_real y[6], none;
  for (size_t s = 0; s < sets(); s++)
    for (int f = 0; f < FUNCTIONS; f++) {
      SETS[s].function[f](y, x, 6);
      for (size_t i = 0; i < 6; i++)
        if (memcmp(&y[i], &expected[f][i], sizeof *y) != 0)
          fail_msg("%s: %s(%g) = %.17g, expected %g", SETS[s].set, NAMES[f], (double)x[i], (double)y[i], (double)expected[f][i]);
      SETS[s].function[f](&none, &nothing, 1);
      assert_true(isnan(none));
    }
}

static void decay_is_zero_or_far_from_denormal(void **state) {
  (void)state;
  const l2o_real least = BY_PRECISION((l2o_real)0x1p-400, (l2o_real)0x1p-94);
  l2o_real *x = points(BY_PRECISION(800, 120)), *y = malloc(POINTS * sizeof *y);
  for (size_t s = 0; s < sets(); s++) {
    SETS[s].function[DECAY](y, x, POINTS);
    for (size_t i = 0; i < POINTS; i++)
      assert_true(y[i] == 0 ? exp(-fabs((double)x[i])) <= (double)least : y[i] >= least && y[i] <= 1);
  }
  free(x);
  free(y);
}

static void losses_keep_their_precision(void **state) {
  (void)state;
  enum { MOST = 40 };
  static const double each[] = {-1e30, -750, -80, -3, -1e-9, 0, 1e-9, 0.1, 3, 30, 60, (double)INFINITY};
  l2o_real t[MOST], e[MOST + 1], decay[MOST];
  normal_reals(t, MOST, 4);
  for (size_t s = 0; s < sets(); s++) {
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) { /* of one row: tiny ones too are right to all digits */
      const l2o_real one = (l2o_real)each[i];
      const long double x = (long double)one;
      const long double exact = fmaxl(-x, 0) + log1pl(expl(-fabsl(x)));
      assert_close(SETS[s].losses(e, &one, 1), exact, BY_PRECISION(6e-16, 1.3e-7), 0);
    }
    for (size_t n = 0; n <= MOST; n++) {
      long double sum = 0;
      for (size_t i = 0; i < n; i++)
        sum += log1pl(expl(-(long double)t[i]));
      e[n] = 77;
      SETS[s].function[DECAY](decay, t, n);
      assert_close(SETS[s].losses(e, t, n), sum, BY_PRECISION(1e-15, 1.3e-7), 0);
      assert_same_reals(e, decay, n);
      assert_true(e[n] == 77);
    }
    const l2o_real nothing = (l2o_real)NAN;
    assert_true(isnan(SETS[s].losses(e, &nothing, 1)));
  }
}

/* A result depends neither on n nor on the place, nothing is written behind the last, and y may be x. */
static void tails_are_whole_vectors(void **state) {
  (void)state;
  enum { MOST = 40 };
  l2o_real x[MOST], alone[MOST], y[MOST + 1];
  normal_reals(x, MOST, 3);
  for (size_t s = 0; s < sets(); s++)
    for (int f = 0; f < FUNCTIONS; f++) {
      for (size_t i = 0; i < MOST; i++)
        SETS[s].function[f](&alone[i], &x[i], 1);
      for (size_t n = 0; n <= MOST; n++) {
        memcpy(y, x, sizeof x);
        y[n] = 77;
        SETS[s].function[f](y, y, n);
        assert_same_reals(y, alone, n);
        assert_true(y[n] == 77);
      }
    }
}

#if L2O_VECTOR_MAX >= 2
/* SLEEF's functions for AVX2 and AVX-512 are the same, and so is what is made of them. */
static void wide_vectors_give_the_same_bits(void **state) {
  (void)state;
  if (sets() < 3)
    skip();
  l2o_real *x = points(FAR), *y = malloc(POINTS * sizeof *y), *z = malloc(POINTS * sizeof *z);
  for (int f = 0; f < FUNCTIONS; f++) {
    SETS[1].function[f](y, x, POINTS);
    SETS[2].function[f](z, x, POINTS);
    assert_same_reals(y, z, POINTS);
  }
  free(x);
  free(y);
  free(z);
}
#endif

/* ---- output scales ---- */

static const char *const SCALES[] = {"sigmoid2", "sigmoid", "exp", "identity", "softplus", "gaussian"};

static long double exact_scale(int scale, long double a) {
  switch (scale) {
  case L2O_SCALE_SIGMOID2:
    return 2 * sigmoid(a);
  case L2O_SCALE_SIGMOID:
    return sigmoid(a);
  case L2O_SCALE_EXP:
    return expl(a);
  case L2O_SCALE_IDENTITY:
    return a;
  case L2O_SCALE_SOFTPLUS:
    return fmaxl(a, 0) + log1pl(expl(-fabsl(a)));
  default:
    return -2 * expm1l(-a * a);
  }
}

static long double exact_slope(int scale, long double a) {
  switch (scale) {
  case L2O_SCALE_SIGMOID2:
    return 2 * sigmoid(a) * sigmoid(-a);
  case L2O_SCALE_SIGMOID:
    return sigmoid(a) * sigmoid(-a);
  case L2O_SCALE_EXP:
    return expl(a);
  case L2O_SCALE_IDENTITY:
    return 1;
  case L2O_SCALE_SOFTPLUS:
    return sigmoid(a);
  default:
    return 4 * a * expl(-a * a);
  }
}

/* Tails of value and slope included: nothing cancels. The gaussian's slope carries the rounding of a^2 times a^2. */
static void scales_are_within_their_bounds(void **state) {
  (void)state;
  static const double VALUE[] = {2.5, 2.5, 1, 0, 2.5, 2}, SLOPE[] = {4, 4, 1, 0, 2.5, 2.5};
  l2o_real *all = points(BY_PRECISION(700, 86)), *p = malloc(POINTS * sizeof *p), *ds = malloc(POINTS * sizeof *ds);
  for (size_t s = 0; s < sets(); s++)
    for (int scale = 0; scale <= L2O_SCALE_GAUSSIAN; scale++) {
      const double near = BY_PRECISION(26, 9); /* exp(-a^2) is a normal number */
      double value = 0, slope = 0;
      SETS[s].slopes(p, ds, all, (l2o_output_scale)scale, POINTS);
      for (size_t i = 0; i < POINTS; i++) {
        const long double a = (long double)all[i];
        const bool gaussian = scale == L2O_SCALE_GAUSSIAN;
        value = fmax(value, ulps(p[i], exact_scale(scale, a)));
        if (!gaussian || fabsl(a) < (long double)near)
          slope = fmax(slope, ulps(ds[i], exact_slope(scale, a)) - (gaussian ? (double)(a * a) : 0));
        assert_false(isnan(p[i]) || isnan(ds[i]));
      }
      print_message("%-8s %-8s value %.3f, slope %.3f units in the last place\n", SETS[s].set, SCALES[scale], value, slope);
      assert_true(value <= VALUE[scale]);
      assert_true(slope <= SLOPE[scale]);
    }
  free(all);
  free(p);
  free(ds);
}

static void scales_agree_with_themselves_and_in_tails(void **state) {
  (void)state;
  enum { MOST = 40 };
  l2o_real a[MOST], alone[MOST], slope[MOST], y[MOST + 1], z[MOST + 1];
  normal_reals(a, MOST, 9);
  for (size_t i = 0; i < MOST; i++)
    a[i] *= 5;
  for (size_t s = 0; s < sets(); s++)
    for (l2o_output_scale scale = L2O_SCALE_SIGMOID2; scale <= L2O_SCALE_GAUSSIAN; scale++) {
      for (size_t i = 0; i < MOST; i++) {
        SETS[s].forward(&alone[i], &a[i], scale, 1);
        SETS[s].slopes(&y[0], &slope[i], &a[i], scale, 1);
        assert_same_reals(y, &alone[i], 1);
      }
      for (size_t n = 0; n <= MOST; n++) {
        y[n] = z[n] = 77;
        SETS[s].forward(y, a, scale, n);
        assert_same_reals(y, alone, n);
        SETS[s].slopes(y, z, a, scale, n);
        assert_same_reals(y, alone, n);
        assert_same_reals(z, slope, n);
        assert_true(y[n] == 77 && z[n] == 77);
      }
      memcpy(y, a, sizeof a);
      SETS[s].slopes(y, z, y, scale, MOST); /* p may be a */
      assert_same_reals(y, alone, MOST);
      assert_same_reals(z, slope, MOST);
    }
}

static void scales_keep_what_is_not_a_number(void **state) {
  (void)state;
  const l2o_real nothing = (l2o_real)NAN;
  for (size_t s = 0; s < sets(); s++)
    for (l2o_output_scale scale = L2O_SCALE_SIGMOID2; scale <= L2O_SCALE_GAUSSIAN; scale++) {
      l2o_real p, ds;
      SETS[s].slopes(&p, &ds, &nothing, scale, 1);
      assert_true(isnan(p));
      assert_true(scale == L2O_SCALE_IDENTITY || isnan(ds));
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(functions_are_within_their_bounds),
    cmocka_unit_test(special_values_give_the_limits),
    cmocka_unit_test(decay_is_zero_or_far_from_denormal),
    cmocka_unit_test(losses_keep_their_precision),
    cmocka_unit_test(tails_are_whole_vectors),
#if L2O_VECTOR_MAX >= 2
    cmocka_unit_test(wide_vectors_give_the_same_bits),
#endif
    cmocka_unit_test(scales_are_within_their_bounds),
    cmocka_unit_test(scales_agree_with_themselves_and_in_tails),
    cmocka_unit_test(scales_keep_what_is_not_a_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
