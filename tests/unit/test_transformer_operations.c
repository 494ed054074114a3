/* SPDX-License-Identifier: BSD-3-Clause */
/* What a transformer is made of, against plain loops in double and their central differences, with every instruction set that this
 * processor has, for sizes on both sides of every number of lanes: norms, rotary positions, units, attention, cross-entropy by
 * tiles, and the transpose. */
#include "l2o_fixtures.h"

#include "core/transpose.h"
#include "nn/attention.h"
#include "nn/cross_entropy.h"
#include "nn/gated_unit.h"
#include "nn/layer_norm.h"
#include "nn/rotary.h"

#if L2O_VECTOR_MAX >= 2
#define ON_EVERY_SET(name) name##_portable, name##_avx2, name##_avx512
enum { SETS = 3 };
#elif L2O_VECTOR_MAX == 1
#define ON_EVERY_SET(name) name##_portable, name##_avx2
enum { SETS = 2 };
#else
#define ON_EVERY_SET(name) name##_portable
enum { SETS = 1 };
#endif

static bool has_set(int set) {
#if L2O_VECTOR_MAX >= 2
  if (set == 2)
    return L2O_HAS_AVX512;
#endif
#if L2O_VECTOR_MAX >= 1
  if (set == 1)
    return L2O_HAS_AVX2;
#endif
  return set == 0;
}

enum { MOST = 2000 };
static const double ROUNDING = BY_PRECISION(1e-14, 2e-6), DIFFERENCE = BY_PRECISION(1e-8, 2e-5);

static void doubles_from(double *out, const l2o_real *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    out[i] = (double)x[i];
}

/* Entries, up to `tolerance` times the largest of them, at least 1; `before` was there already. */
static void assert_entries(const l2o_real *actual, const double *expected, double before, size_t n, double tolerance) {
  double largest = 1;
  for (size_t i = 0; i < n; i++)
    largest = fmax(largest, fabs(expected[i]));
  for (size_t i = 0; i < n; i++)
    assert_close((double)actual[i] - before, expected[i], 0, tolerance * largest);
}

/* out = the gradient of f (x, context) by central differences */
static void differences(double *out, double (*f)(const double *x, const void *context), const void *context, double *x, size_t n) {
  const double e = 1e-5;
  for (size_t i = 0; i < n; i++) {
    const double at = x[i];
    x[i] = at + e;
    const double above = f(x, context);
    x[i] = at - e;
    out[i] = (above - f(x, context)) / (2 * e);
    x[i] = at;
  }
}

static void fill_ones(l2o_real *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    x[i] = 1;
}

/* ---- norms ---- */

typedef struct norm_case {
  size_t rows, width;
  bool centred;
  double epsilon;
  const double *dy;
} norm_case;

static void plain_norm(double *y, const double *x, const double *gain, const double *bias, const norm_case *c) {
  for (size_t i = 0; i < c->rows; i++, x += c->width, y += c->width) {
    double mean = 0, square = 0;
    for (size_t j = 0; c->centred && j < c->width; j++)
      mean += x[j] / (double)c->width;
    for (size_t j = 0; j < c->width; j++)
      square += (x[j] - mean) * (x[j] - mean) / (double)c->width;
    for (size_t j = 0; j < c->width; j++)
      y[j] = gain[j] * (x[j] - mean) / sqrt(square + c->epsilon) + (c->centred ? bias[j] : 0);
  }
}

/* of x, gain, bias one behind the other: dy'y */
static double norm_product(const double *x, const void *context) {
  const norm_case *c = context;
  const size_t n = c->rows * c->width;
  double y[MOST], sum = 0;
  plain_norm(y, x, x + n, x + n + c->width, c);
  for (size_t i = 0; i < n; i++)
    sum += c->dy[i] * y[i];
  return sum;
}

static void norms(void **state) {
  (void)state;
  static void (*const forward[])(l2o_real *, const l2o_real *, const l2o_real *, const l2o_real *, double, size_t,
                                 size_t) = {ON_EVERY_SET(l2o_layer_norm_forward)};
  static void (*const backward[])(l2o_real *, l2o_real *, l2o_real *, const l2o_real *, const l2o_real *, const l2o_real *, double,
                                  size_t, size_t) = {ON_EVERY_SET(l2o_layer_norm_backward)};
  for (size_t width = 1; width < 40; width += width < 20 ? 1 : 6)
    for (int centred = 0; centred < 2; centred++) {
      enum { ROWS = 3 };
      const size_t n = ROWS * width, all = n + 2 * width;
      l2o_real x[MOST], y[MOST], dy[MOST], d[MOST];
      double at[MOST], expected[MOST], product[MOST], slope[MOST];
      normal_reals(x, all, width), normal_reals(dy, n, width + 100);
      doubles_from(at, x, all), doubles_from(slope, dy, n);
      const norm_case c = {ROWS, width, centred, 0.01, slope};
      plain_norm(expected, at, at + n, at + n + width, &c);
      differences(product, norm_product, &c, at, all);
      for (int set = 0; set < SETS; set++) {
        if (!has_set(set))
          continue;
        const l2o_real *bias = centred ? x + n + width : NULL;
        forward[set](y, x, x + n, bias, c.epsilon, ROWS, width);
        assert_entries(y, expected, 0, n, ROUNDING * 10);
        memcpy(y, x, n * sizeof *y);
        forward[set](y, y, x + n, bias, c.epsilon, ROWS, width);
        assert_entries(y, expected, 0, n, ROUNDING * 10);
        fill_ones(d, all);
        backward[set](d, d + n, centred ? d + n + width : NULL, dy, x, x + n, c.epsilon, ROWS, width);
        assert_entries(d, product, 1, n + (centred ? 2 : 1) * width, DIFFERENCE);
      }
    }
}

/* ---- rotary positions ---- */

static void rotary_positions(void **state) {
  (void)state;
  enum { ROWS = 4, HEADS = 3 };
  static void (*const forward[])(l2o_real *, const l2o_real *, const l2o_real *, const l2o_real *, size_t, size_t,
                                 size_t) = {ON_EVERY_SET(l2o_rotary_forward)};
  static void (*const backward[])(l2o_real *, const l2o_real *, const l2o_real *, const l2o_real *, size_t, size_t,
                                  size_t) = {ON_EVERY_SET(l2o_rotary_backward)};
  for (size_t half = 1; half < 36; half += half < 18 ? 1 : 7) {
    const size_t n = ROWS * HEADS * 2 * half;
    l2o_real x[MOST], y[MOST], cosine[ROWS * 40], sine[ROWS * 40];
    double expected[MOST], at[MOST];
    normal_reals(x, n, half);
    doubles_from(at, x, n);
    l2o_rotary_tables(cosine, sine, 20, ROWS, half);
    for (size_t i = 0; i < ROWS; i++)
      for (size_t h = 0; h < HEADS; h++)
        for (size_t j = 0; j < half; j++) {
          const double angle = (double)i * pow(20, -(double)j / (double)half);
          const size_t a = (i * HEADS + h) * 2 * half + j, b = a + half;
          expected[a] = at[a] * cos(angle) - at[b] * sin(angle);
          expected[b] = at[b] * cos(angle) + at[a] * sin(angle);
        }
    for (int set = 0; set < SETS; set++) {
      if (!has_set(set))
        continue;
      forward[set](y, x, cosine, sine, ROWS, HEADS, half);
      assert_entries(y, expected, 0, n, ROUNDING);
      backward[set](y, y, cosine, sine, ROWS, HEADS, half); /* its transpose is its inverse */
      assert_entries(y, at, 0, n, ROUNDING);
      forward[set](y, y, cosine, sine, ROWS, HEADS, half);
      assert_entries(y, expected, 0, n, ROUNDING);
    }
  }
}

/* ---- units ---- */

static double plain_unit(double a, l2o_unit unit) {
  return unit == L2O_UNIT_GELU        ? a * erfc(-a / sqrt(2)) / 2
         : unit == L2O_UNIT_TANH_GELU ? a * (1 + tanh(sqrt(2 / acos(-1)) * (a + 0.044715 * a * a * a))) / 2
         : unit == L2O_UNIT_SILU      ? a / (1 + exp(-a))
                                      : fmax(0, a);
}

static void units(void **state) {
  (void)state;
  static void (*const forward[])(l2o_real *, const l2o_real *, const l2o_real *, l2o_unit,
                                 size_t) = {ON_EVERY_SET(l2o_gated_unit_forward)};
  static void (*const backward[])(l2o_real *, l2o_real *, const l2o_real *, const l2o_real *, const l2o_real *, l2o_unit,
                                  size_t) = {ON_EVERY_SET(l2o_gated_unit_backward)};
  enum { N = 61 };
  const double e = 1e-5;
  l2o_real a[N], b[N], dy[N], y[N], da[N], db[N];
  normal_reals(a, N, 1), normal_reals(b, N, 2), normal_reals(dy, N, 3);
  for (size_t i = 0; i < N; i++)
    a[i] *= 3;
  for (int unit = L2O_UNIT_GELU; unit <= L2O_UNIT_RELU; unit++)
    for (size_t n = 1; n <= N; n += 3)
      for (int gated = 0; gated < 2; gated++)
        for (int set = 0; set < SETS; set++) {
          if (!has_set(set))
            continue;
          forward[set](y, a, gated ? b : NULL, (l2o_unit)unit, n);
          backward[set](da, gated ? db : NULL, dy, a, gated ? b : NULL, (l2o_unit)unit, n);
          for (size_t i = 0; i < n; i++) {
            const double factor = gated ? (double)b[i] : 1, value = plain_unit((double)a[i], (l2o_unit)unit);
            const double slope =
                (plain_unit((double)a[i] + e, (l2o_unit)unit) - plain_unit((double)a[i] - e, (l2o_unit)unit)) / (2 * e);
            assert_close(y[i], value * factor, ROUNDING, ROUNDING);
            assert_close(da[i], (double)dy[i] * factor * slope, DIFFERENCE, DIFFERENCE);
            if (gated)
              assert_close(db[i], (double)dy[i] * value, ROUNDING, ROUNDING);
          }
          memcpy(da, a, n * sizeof *da), memcpy(db, b, n * sizeof *db);
          backward[set](da, gated ? db : NULL, dy, da, gated ? db : NULL, (l2o_unit)unit, n); /* in place */
          l2o_real again[N], other[N];
          backward[set](again, gated ? other : NULL, dy, a, gated ? b : NULL, (l2o_unit)unit, n);
          assert_same_reals(da, again, n);
          if (gated)
            assert_same_reals(db, other, n);
        }
}

static void units_far_out(void **state) {
  (void)state;
  for (int unit = L2O_UNIT_GELU; unit <= L2O_UNIT_RELU; unit++) {
    const l2o_real a[] = {60, -60, 0, (l2o_real)NAN}, one[] = {1, 1, 1, 1};
    l2o_real y[4], da[4];
    l2o_gated_unit_forward(y, a, NULL, (l2o_unit)unit, 4);
    l2o_gated_unit_backward(da, NULL, one, a, NULL, (l2o_unit)unit, 4);
    assert_true(y[0] == 60 && fabs((double)y[1]) < 1e-20 && y[2] == 0 && isnan((double)y[3]));
    assert_true(da[0] == 1 && fabs((double)da[1]) < 1e-20);
    assert_true(da[2] == (unit == L2O_UNIT_RELU ? 0 : (l2o_real)0.5));
  }
}

/* ---- attention ---- */

typedef struct attention_case {
  l2o_attention shape;
  const double *dout;
  size_t at_k, at_v; /* where these begin behind q */
} attention_case;

static void plain_attention(double *o, const double *q, const attention_case *c) {
  const l2o_attention *s = &c->shape;
  const double *k = q + c->at_k, *v = q + c->at_v;
  for (size_t i = 0; i < s->length; i++) {
    double p[64], sum = 0;
    for (size_t j = 0; j <= i; j++) {
      double score = 0;
      for (size_t e = 0; e < s->size; e++)
        score += q[i * s->stride + e] * k[j * s->kv_stride + e] / sqrt((double)s->size);
      sum += p[j] = exp(score);
    }
    for (size_t e = 0; e < s->size; e++) {
      o[i * s->size + e] = 0;
      for (size_t j = 0; j <= i; j++)
        o[i * s->size + e] += p[j] / sum * v[j * s->kv_stride + e];
    }
  }
}

static double attention_product(const double *q, const void *context) {
  const attention_case *c = context;
  double o[MOST], sum = 0;
  plain_attention(o, q, c);
  for (size_t i = 0; i < c->shape.length; i++)
    for (size_t e = 0; e < c->shape.size; e++)
      sum += c->dout[i * c->shape.stride + e] * o[i * c->shape.size + e];
  return sum;
}

/* Entries of a head: (length, size) of a matrix with a stride, against a matrix with another. */
static void assert_head(const l2o_real *actual, size_t stride, const double *expected, size_t expected_stride, double before,
                        const l2o_attention *s, double tolerance) {
  for (size_t i = 0; i < s->length; i++)
    for (size_t e = 0; e < stride; e++)
      if (e < s->size)
        assert_close((double)actual[i * stride + e] - before, expected[i * expected_stride + e], tolerance, tolerance);
}

static void attention(void **state) {
  (void)state;
  for (size_t length = 1; length < 20; length += 3)
    for (size_t size = 1; size < 8; size += 2) {
      const l2o_attention s = {length, size, size + 3, size + 2};
      const size_t n = length * s.stride, kv = length * s.kv_stride, all = n + 2 * kv;
      l2o_real x[MOST], dout[MOST], o[MOST], d[MOST];
      double at[MOST], slope[MOST], expected[MOST], product[MOST];
      l2o_real *work = malloc((l2o_attention_backward_work(length, size) + l2o_attention_work(length, size)) * sizeof *work);
      normal_reals(x, all, length + 50 * size), normal_reals(dout, n, 7);
      doubles_from(at, x, all), doubles_from(slope, dout, n);
      const attention_case c = {s, slope, n, n + kv};
      plain_attention(expected, at, &c);
      differences(product, attention_product, &c, at, all);
      l2o_attention_forward(o, x, x + n, x + n + kv, &s, work);
      assert_head(o, s.stride, expected, size, 0, &s, 20 * ROUNDING);
      memcpy(o, x, n * sizeof *o);
      l2o_attention_forward(o, o, x + n, x + n + kv, &s, work); /* in the place of q, and nowhere else */
      assert_head(o, s.stride, expected, size, 0, &s, 20 * ROUNDING);
      for (size_t i = 0; i < n; i++)
        assert_true(i % s.stride < size || o[i] == x[i]);
      fill_ones(d, all);
      memcpy(d, dout, n * sizeof *d);
      l2o_attention_backward(d, d + n, d + n + kv, d, x, x + n, x + n + kv, &s, work); /* dq in the place of dout */
      assert_head(d, s.stride, product, s.stride, 0, &s, 10 * DIFFERENCE);
      assert_head(d + n, s.kv_stride, product + n, s.kv_stride, 1, &s, 10 * DIFFERENCE);
      assert_head(d + n + kv, s.kv_stride, product + n + kv, s.kv_stride, 1, &s, 10 * DIFFERENCE);
      free(work);
    }
}

static void softmax_on_every_set(void **state) {
  (void)state;
  static void (*const forward[])(l2o_real *, double, size_t) = {ON_EVERY_SET(l2o_causal_softmax_forward)};
  static void (*const backward[])(l2o_real *, const l2o_real *, double, size_t) = {ON_EVERY_SET(l2o_causal_softmax_backward)};
  enum { N = 37 };
  l2o_real S[N * N], P[N * N], dP[N * N], d[N * N];
  normal_reals(S, N * N, 1), normal_reals(dP, N * N, 2);
  for (size_t i = 0; i < N * N; i++)
    S[i] = 400 * S[i] - 3000; /* of which exp() would be 0 */
  for (int set = 0; set < SETS; set++) {
    if (!has_set(set))
      continue;
    memcpy(P, S, sizeof P), memcpy(d, dP, sizeof d);
    forward[set](P, 0.01, N);
    backward[set](d, P, 0.01, N);
    for (size_t i = 0; i < N; i++) {
      double p[N], sum = 0, mean = 0;
      for (size_t j = 0; j <= i; j++)
        sum += p[j] = exp(0.01 * ((double)S[i * N + j] + 3000));
      for (size_t j = 0; j <= i; j++)
        mean += p[j] / sum * (double)dP[i * N + j];
      for (size_t j = 0; j < N; j++) {
        const double expected = j <= i ? p[j] / sum : 0;
        assert_close(P[i * N + j], expected, BY_PRECISION(1e-12, 1e-4), 0);
        assert_close(d[i * N + j], 0.01 * expected * ((double)dP[i * N + j] - mean), BY_PRECISION(1e-12, 1e-4), ROUNDING);
      }
    }
  }
}

/* ---- cross-entropy ---- */

static void cross_entropy_by_tiles(void **state) {
  (void)state;
  static void (*const forward[])(l2o_real *, double *, const l2o_real *, size_t, size_t,
                                 size_t) = {ON_EVERY_SET(l2o_cross_entropy_forward)};
  static void (*const backward[])(l2o_real *, const l2o_real *, const double *, const l2o_real *, size_t, size_t,
                                  size_t) = {ON_EVERY_SET(l2o_cross_entropy_backward)};
  enum { ROWS = 5, CLASSES = 83 };
  l2o_real z[ROWS * CLASSES], p[ROWS * CLASSES], share[ROWS] = {1, 2, (l2o_real)0.5, 3, 1};
  normal_reals(z, ROWS * CLASSES, 4);
  for (size_t i = 0; i < ROWS; i++) /* rows of which exp() would overflow, or be 0 */
    for (size_t j = 0; j < CLASSES; j++)
      z[i * CLASSES + j] += (l2o_real)(i == 1 ? 2000 : i == 2 ? -2000 : i == 3 ? 0.2 * (double)j : 0);
  for (size_t tile = 1; tile <= CLASSES; tile += tile < 20 ? 1 : 21)
    for (int set = 0; set < SETS; set++) {
      if (!has_set(set))
        continue;
      l2o_real largest[ROWS];
      double sum[ROWS] = {0};
      for (size_t i = 0; i < ROWS; i++)
        largest[i] = -(l2o_real)INFINITY;
      memcpy(p, z, sizeof p);
      for (size_t first = 0; first < CLASSES; first += tile)
        forward[set](largest, sum, z + first, CLASSES, ROWS, CLASSES - first < tile ? CLASSES - first : tile);
      for (size_t first = 0; first < CLASSES; first += tile)
        backward[set](p + first, largest, sum, share, CLASSES, ROWS, CLASSES - first < tile ? CLASSES - first : tile);
      for (size_t i = 0; i < ROWS; i++) {
        double most = -INFINITY, total = 0;
        for (size_t j = 0; j < CLASSES; j++)
          most = fmax(most, (double)z[i * CLASSES + j]);
        for (size_t j = 0; j < CLASSES; j++)
          total += exp((double)z[i * CLASSES + j] - most);
        assert_true((double)largest[i] == most);
        assert_close(sum[i], total, BY_PRECISION(1e-14, 1e-6), 0);
        for (size_t j = 0; j < CLASSES; j++)
          assert_close(p[i * CLASSES + j], (double)share[i] * exp((double)z[i * CLASSES + j] - most) / total,
                       BY_PRECISION(1e-13, 2e-6), 0);
      }
    }
}

/* ---- the transpose ---- */

static void transposes(void **state) {
  (void)state;
  static void (*const turn[])(l2o_real *, size_t, const l2o_real *, size_t, size_t, size_t) = {ON_EVERY_SET(l2o_transpose)};
  l2o_real A[40 * 43], B[40 * 42];
  normal_reals(A, 40 * 43, 1);
  for (size_t m = 1; m <= 40; m += 3)
    for (size_t n = 1; n <= 40; n += 2)
      for (int set = 0; set < SETS; set++) {
        if (!has_set(set))
          continue;
        for (size_t i = 0; i < 40 * 42; i++)
          B[i] = 9;
        turn[set](B, m + 2, A, n + 3, m, n);
        for (size_t j = 0; j < n; j++)
          for (size_t i = 0; i < m + 2; i++)
            assert_true(B[j * (m + 2) + i] == (i < m ? A[i * (n + 3) + j] : 9));
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(norms),
      cmocka_unit_test(rotary_positions),
      cmocka_unit_test(units),
      cmocka_unit_test(units_far_out),
      cmocka_unit_test(attention),
      cmocka_unit_test(softmax_on_every_set),
      cmocka_unit_test(cross_entropy_by_tiles),
      cmocka_unit_test(transposes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
