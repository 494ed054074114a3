/* SPDX-License-Identifier: BSD-3-Clause */
/* The convolutional network against PyTorch (tests/golden/README.md), against a plain loop over pixels, against central
 * differences; minibatches, real and drawn images, bad data; its kernel on every instruction set that this processor has. */
#include "failing_malloc.h"
#include "l2o_data_family.h"
#include "l2o_golden.h"

#include "problems/cnn.h"
#include <l2o/tensor_file.h>

enum { PIXELS = L2O_CNN_PIXELS, UNKNOWNS = L2O_CNN_UNKNOWNS };

/* ---- the definition, one image, one output at a time ---- */

typedef struct plain_maxima {
  double maximum[3][14][14];
  size_t row[3][14][14], column[3][14][14];
} plain_maxima;

static double plain_at(const double *plane, long side, long i, long j) {
  return i >= 0 && i < side && j >= 0 && j < side ? plane[i * side + j] : 0;
}

/* maxima over 2 x 2 of the rectified convolution of in (inputs, side, side) */
static void plain_layer(plain_maxima *out, const double *in, const double *w, const double *bias, size_t outputs, size_t inputs,
                        size_t side) {
  for (size_t o = 0; o < outputs; o++)
    for (size_t i = 0; i < side; i++)
      for (size_t j = 0; j < side; j++) {
        double sum = bias[o], *best = &out->maximum[o][i / 2][j / 2];
        for (size_t c = 0; c < inputs; c++)
          for (size_t tap = 0; tap < 9; tap++)
            sum += w[9 * (o * inputs + c) + tap] *
                   plain_at(in + c * side * side, (long)side, (long)(i + tap / 3) - 1, (long)(j + tap % 3) - 1);
        if ((i % 2 == 0 && j % 2 == 0) || sum > *best)
          *best = sum, out->row[o][i / 2][j / 2] = i, out->column[o][i / 2][j / 2] = j;
      }
}

static void rectified(double *out, const plain_maxima *m, size_t channels, size_t side) {
  for (size_t o = 0; o < channels; o++)
    for (size_t i = 0; i < side; i++)
      for (size_t j = 0; j < side; j++)
        out[(o * side + i) * side + j] = fmax(0, m->maximum[o][i][j]);
}

/* The slopes of the maxima to weights, bias and inputs (NULL: not asked for). */
static void plain_layer_backward(double *dw, double *dbias, double *din, const plain_maxima *m, const double *slope,
                                 const double *in, const double *w, size_t outputs, size_t inputs, size_t side) {
  const size_t half = side / 2;
  for (size_t o = 0; o < outputs; o++)
    for (size_t i = 0; i < half; i++)
      for (size_t j = 0; j < half; j++) {
        const double d = m->maximum[o][i][j] > 0 ? slope[(o * half + i) * half + j] : 0;
        dbias[o] += d;
        for (size_t c = 0; c < inputs; c++)
          for (size_t tap = 0; tap < 9; tap++) {
            const long row = (long)(m->row[o][i][j] + tap / 3) - 1, column = (long)(m->column[o][i][j] + tap % 3) - 1;
            const size_t weight = 9 * (o * inputs + c) + tap;
            dw[weight] += d * plain_at(in + c * side * side, (long)side, row, column);
            if (din && row >= 0 && row < (long)side && column >= 0 && column < (long)side)
              din[c * side * side + (size_t)row * side + (size_t)column] += d * w[weight];
          }
      }
}

/* Cross-entropy of one image, and g += its gradient. */
static double plain_image(double *g, const double *x, const double *image, size_t label) {
  static plain_maxima first, second;
  double hidden[392], features[147], slope2[147] = {0}, slope1[392] = {0}, z[10], total = 0, largest = -INFINITY;
  plain_layer(&first, image, x + L2O_CNN_WEIGHT1, x + L2O_CNN_BIAS1, 2, 1, 28);
  rectified(hidden, &first, 2, 14);
  plain_layer(&second, hidden, x + L2O_CNN_WEIGHT2, x + L2O_CNN_BIAS2, 3, 2, 14);
  rectified(features, &second, 3, 7);
  for (size_t c = 0; c < 10; c++) {
    z[c] = x[L2O_CNN_BIAS3 + c];
    for (size_t j = 0; j < 147; j++)
      z[c] += x[L2O_CNN_WEIGHT3 + 147 * c + j] * features[j];
    largest = fmax(largest, z[c]);
  }
  for (size_t c = 0; c < 10; c++)
    total += exp(z[c] - largest);
  for (size_t c = 0; c < 10; c++) {
    const double error = exp(z[c] - largest) / total - (c == label);
    g[L2O_CNN_BIAS3 + c] += error;
    for (size_t j = 0; j < 147; j++) {
      g[L2O_CNN_WEIGHT3 + 147 * c + j] += error * features[j];
      slope2[j] += error * x[L2O_CNN_WEIGHT3 + 147 * c + j];
    }
  }
  plain_layer_backward(g + L2O_CNN_WEIGHT2, g + L2O_CNN_BIAS2, slope1, &second, slope2, hidden, x + L2O_CNN_WEIGHT2, 3, 2, 14);
  plain_layer_backward(g + L2O_CNN_WEIGHT1, g + L2O_CNN_BIAS1, NULL, &first, slope1, image, x + L2O_CNN_WEIGHT1, 2, 1, 28);
  return log(total) + largest - z[label];
}

/* ---- images of the test's own ---- */

enum { MOST = 150 };
static l2o_real pixels[MOST * PIXELS];
static double labels[MOST];

static int make_images(void **state) {
  (void)state;
  normal_reals(pixels, MOST * PIXELS, 5);
  for (size_t i = 0; i < MOST; i++)
    labels[i] = (double)(i * i % 10);
  return 0;
}

static l2o_family *family_of_images(const char *spec, size_t count) {
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(family_from_arrays(&family, spec, pixels, labels, count, PIXELS, &diag), L2O_OK, &diag);
  return family;
}

static l2o_problem drawn_from(const l2o_family *family, uint64_t seed, uint64_t index) {
  l2o_problem p;
  l2o_diag diag = {""};
  assert_status(l2o_family_sample(family, &p, seed, L2O_PURPOSE_EVAL, index, &diag), L2O_OK, &diag);
  assert_int_equal(p.n, UNKNOWNS);
  return p;
}

static double largest_of(const double *a, size_t n) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = fmax(largest, fabs(a[i]));
  return largest;
}

/* Within `tolerance` of the largest entry. */
static void assert_gradients(const l2o_real *g, const double *expected, double tolerance) {
  const double largest = largest_of(expected, UNKNOWNS);
  for (size_t j = 0; j < UNKNOWNS; j++)
    assert_close(g[j], expected[j], 0, tolerance * largest);
}

static double partial_at(const l2o_problem *p, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count) {
  double f;
  l2o_real *work = malloc(l2o_problem_work_len(p) * sizeof *work);
  assert_status(l2o_problem_partial(p, &f, g, x, rows, count, work), L2O_OK, NULL);
  free(work);
  return f;
}

/* ---- value and gradient ---- */

/* Sizes on both sides of every number of lanes and of the kernel's blocks. */
static void value_and_gradient_are_the_definition(void **state) {
  (void)state;
  static const size_t counts[] = {1, 3, 4, 5, 8, 13, 16, 17, 63, 64, 65, MOST};
  for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
    l2o_family *family = family_of_images("cnn:images=0,l2=0.1", counts[k]);
    l2o_problem p = drawn_from(family, 1, k);
    l2o_real x[UNKNOWNS], g[UNKNOWNS];
    double at[UNKNOWNS], expected[UNKNOWNS] = {0}, image[PIXELS], f = 0;
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    doubles_of(at, x, UNKNOWNS);
    for (size_t i = 0; i < counts[k]; i++) {
      for (size_t j = 0; j < PIXELS; j++)
        image[j] = ((double)pixels[i * PIXELS + j] - 0.1307) / 0.3081;
      f += plain_image(expected, at, image, (size_t)labels[i]) / (double)counts[k];
    }
    for (size_t j = 0; j < UNKNOWNS; j++) {
      expected[j] = expected[j] / (double)counts[k] + 0.1 * at[j];
      f += 0.05 * at[j] * at[j];
    }
    assert_int_equal(l2o_problem_summands(&p), counts[k]);
    assert_close(gradient_at(&p, g, x), f, BY_PRECISION(1e-13, 1e-6), 0);
    assert_true(gradient_at(&p, g, x) == value_at(&p, x));
    assert_gradients(g, expected, BY_PRECISION(1e-13, 1e-5));
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
}

static void numbers_are_those_of_pytorch(void **state) {
  (void)state;
  enum { IMAGES = 12 };
  l2o_tensor_file *file;
  l2o_diag diag = {""};
  assert_status(l2o_tensor_file_open(&file, L2O_TEST_DATA "/golden/cnn_mnist.safetensors", &diag), L2O_OK, &diag);
  double *image = golden_exactly(file, "images", IMAGES * PIXELS), *label = golden_exactly(file, "labels", IMAGES);
  double *weights = golden_exactly(file, "x", UNKNOWNS), *gradient = golden_exactly(file, "grad", UNKNOWNS);
  double *loss = golden_exactly(file, "loss", 1);
  l2o_real *A = malloc(IMAGES * PIXELS * sizeof *A), x[UNKNOWNS], g[UNKNOWNS];
  for (size_t i = 0; i < IMAGES * PIXELS; i++)
    A[i] = (l2o_real)image[i];
  for (size_t j = 0; j < UNKNOWNS; j++)
    x[j] = (l2o_real)weights[j];
  l2o_family *own, *mnist = family_of_file("cnn:images=12", "mnist10k-images-idx3-ubyte.gz");
  assert_status(family_from_arrays(&own, "cnn", A, label, IMAGES, PIXELS, &diag), L2O_OK, &diag);
  assert_string_equal(mnist->note, "mnist10k-images-idx3-ubyte.gz: the first 12 of 10000 images");
  assert_string_equal(own->note, "data: the first 12 of 12 images"); /* 2000 is no demand */
  l2o_family *const families[] = {own, mnist};
  for (size_t k = 0; k < 2; k++) {
    l2o_problem p = drawn_from(families[k], 1, 0);
    assert_int_equal(l2o_problem_summands(&p), IMAGES);
    assert_close(gradient_at(&p, g, x), *loss, BY_PRECISION(1e-11, 1e-5), 0);
    assert_gradients(g, gradient, BY_PRECISION(1e-11, 1e-5));
    l2o_problem_free(&p);
    l2o_family_free(families[k]);
  }
  free(image), free(label), free(weights), free(gradient), free(loss), free(A);
  l2o_tensor_file_free(file);
}

static void gradients_are_those_of_differences(void **state) {
  (void)state;
  if (sizeof(l2o_real) == sizeof(float)) /* no step is small enough for the kinks and large enough for the rounding */
    skip();
  l2o_family *family = family_of_images("cnn:images=3,l2=0.01", 3);
  l2o_problem p = drawn_from(family, 1, 0);
  l2o_real x[UNKNOWNS];
  l2o_check check;
  l2o_diag diag = {""};
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  assert_status(l2o_problem_check(&p, &check, x, 1e-7, 1, &diag), L2O_OK, &diag);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* An image of zeros has ties under every maximum, exact ones where weights are dyadic, and a network that is 0 rectifies zeros: the
 * first of the largest counts, and the slope at 0 is 0. */
static void ties_and_zeros_are_as_in_pytorch(void **state) {
  (void)state;
  l2o_real flat[PIXELS], x[UNKNOWNS] = {0}, g[UNKNOWNS];
  const double label = 3, image[PIXELS] = {0};
  double at[UNKNOWNS], expected[UNKNOWNS] = {0};
  for (size_t j = 0; j < PIXELS; j++)
    flat[j] = (l2o_real)0.1307;
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(family_from_arrays(&family, "cnn", flat, &label, 1, PIXELS, &diag), L2O_OK, &diag);
  l2o_problem p = drawn_from(family, 1, 0);
  assert_close(gradient_at(&p, g, x), log(10), BY_PRECISION(1e-14, 1e-6), 0);
  for (size_t j = 0; j < UNKNOWNS; j++) /* only the last biases see the error: 1/10 - [c = 3] */
    assert_close(g[j], j < L2O_CNN_BIAS3 ? 0 : j - L2O_CNN_BIAS3 == 3 ? -0.9 : 0.1, 0, BY_PRECISION(1e-15, 1e-7));
  for (size_t j = 0; j < UNKNOWNS; j++)
    x[j] = (l2o_real)(((double)(j * 7 % 16) - 5) / 16);
  doubles_of(at, x, UNKNOWNS);
  const double f = plain_image(expected, at, image, 3);
  assert_close(gradient_at(&p, g, x), f, BY_PRECISION(1e-13, 1e-5), 0);
  assert_gradients(g, expected, BY_PRECISION(1e-13, 1e-5));
  assert_true(expected[L2O_CNN_BIAS1] != 0 && expected[L2O_CNN_BIAS2 + 1] != 0);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

static void not_a_number_is_told_and_large_scores_do_not_overflow(void **state) {
  (void)state;
  l2o_family *family = family_of_images("cnn", 5);
  l2o_problem p = drawn_from(family, 1, 0);
  l2o_real x[UNKNOWNS], g[UNKNOWNS];
  static const size_t places[] = {L2O_CNN_WEIGHT1, L2O_CNN_BIAS1 + 1,   L2O_CNN_WEIGHT2 + 50,
                                  L2O_CNN_BIAS2,   L2O_CNN_WEIGHT3 + 9, UNKNOWNS - 1};
  for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    x[places[k]] = (l2o_real)NAN;
    assert_true(isnan(value_at(&p, x)));
    assert_true(isnan(gradient_at(&p, g, x)));
  }
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  x[L2O_CNN_BIAS3 + 3] = (l2o_real)1e30; /* class 3 for sure: labels are 0, 1, 4, 9, 6 */
  const double f = gradient_at(&p, g, x);
  assert_close(f, 1e30, BY_PRECISION(1e-12, 1e-6), 0);
  assert_close(g[L2O_CNN_BIAS3 + 3], 1, BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(g[L2O_CNN_BIAS3 + 4], -0.2, BY_PRECISION(1e-14, 1e-6), 0);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* ---- minibatches ---- */

static void minibatches_are_means_of_their_images(void **state) {
  (void)state;
  l2o_family *family = family_of_images("cnn:l2=0.3", 37);
  l2o_problem p = drawn_from(family, 1, 0);
  enum { COUNT = 37, REPEATED = 3 * COUNT };
  l2o_real x[UNKNOWNS], g[UNKNOWNS], part[UNKNOWNS];
  size_t rows[REPEATED];
  double whole[UNKNOWNS], sum[UNKNOWNS] = {0}, f = 0;
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  const double full = gradient_at(&p, g, x);
  doubles_of(whole, g, UNKNOWNS);
  for (size_t i = 0; i < REPEATED; i++) /* every image three times, in another order */
    rows[i] = i * 11 % COUNT;
  assert_close(partial_at(&p, part, x, rows, REPEATED), full, BY_PRECISION(1e-14, 1e-6), 0);
  assert_gradients(part, whole, BY_PRECISION(1e-13, 1e-5));
  assert_true(partial_at(&p, NULL, x, rows, REPEATED) == partial_at(&p, part, x, rows, REPEATED));
  assert_close(partial_at(&p, part, x, rows, COUNT), full, BY_PRECISION(1e-14, 1e-6), 0); /* a permutation */
  assert_gradients(part, whole, BY_PRECISION(1e-13, 1e-5));
  for (size_t i = 0; i < COUNT; i++) { /* one by one */
    f += partial_at(&p, part, x, &i, 1) / COUNT;
    for (size_t j = 0; j < UNKNOWNS; j++)
      sum[j] += (double)part[j] / COUNT;
  }
  assert_close(f, full, BY_PRECISION(1e-14, 1e-6), 0);
  assert_gradients(g, sum, BY_PRECISION(1e-13, 1e-5));
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* The kernel itself, for each instruction set, with room that is aligned and not aligned to begin with. */
static void every_instruction_set_gives_the_same(void **state) {
  (void)state;
  l2o_family *family = family_of_images("cnn", MOST);
  l2o_problem p = drawn_from(family, 1, 0);
  l2o_cnn_images images = {.count = 21, .shift = (l2o_real)0.25, .scale = 2};
  l2o_real x[UNKNOWNS], g[UNKNOWNS], *room = aligned_alloc(64, (L2O_CNN_ROOM * sizeof *room + 63) / 64 * 64);
  double loss[3] = {0}, sum[3][UNKNOWNS] = {{0}}, expected[UNKNOWNS] = {0}, f = 0, at[UNKNOWNS], image[PIXELS];
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  doubles_of(at, x, UNKNOWNS);
  for (size_t i = 0; i < L2O_CNN_BLOCK; i++) {
    images.image[i] = pixels + (i < 21 ? i : 0) * PIXELS;
    images.label[i] = (l2o_real)labels[i];
    images.share[i] = i < 21;
  }
  for (size_t i = 0; i < 21; i++) {
    for (size_t j = 0; j < PIXELS; j++)
      image[j] = ((double)pixels[i * PIXELS + j] - 0.25) * 2;
    f += plain_image(expected, at, image, (size_t)labels[i]);
  }
  int count = 1;
  memset(room, 0, L2O_CNN_ROOM * sizeof *room);
  l2o_cnn_add_portable(&loss[0], sum[0], x, &images, room);
#if L2O_VECTOR_MAX >= 1
  memset(room, 0, L2O_CNN_ROOM * sizeof *room);
  if (L2O_HAS_AVX2)
    l2o_cnn_add_avx2(&loss[count], sum[count], x, &images, room), count++;
#endif
#if L2O_VECTOR_MAX >= 2
  memset(room, 0, L2O_CNN_ROOM * sizeof *room);
  if (L2O_HAS_AVX512)
    l2o_cnn_add_avx512(&loss[count], sum[count], x, &images, room), count++;
#endif
  for (int k = 0; k < count; k++) {
    assert_close(loss[k], f, BY_PRECISION(1e-13, 1e-6), 0);
    for (size_t j = 0; j < UNKNOWNS; j++)
      g[j] = (l2o_real)sum[k][j];
    assert_gradients(g, expected, BY_PRECISION(1e-13, 1e-5));
  }
  free(room);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

static void results_do_not_depend_on_where_work_lies(void **state) {
  (void)state;
  l2o_family *family = family_of_images("cnn", 9);
  l2o_problem p = drawn_from(family, 1, 0);
  const size_t length = l2o_problem_work_len(&p);
  l2o_real x[UNKNOWNS], g[2][UNKNOWNS], *work = malloc((length + 17) * sizeof *work);
  double f[2];
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  for (size_t shift = 0; shift < 16; shift++) {
    for (size_t i = 0; i < length + 17; i++)
      work[i] = (l2o_real)NAN; /* whatever was there before */
    assert_status(l2o_problem_gradient(&p, &f[shift > 0], g[shift > 0], x, work + shift), L2O_OK, NULL);
    assert_true(f[shift > 0] == f[0] && isnan((double)work[shift + length]));
    assert_same_reals(g[shift > 0], g[0], UNKNOWNS);
  }
  free(work);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* ---- which images, which start ---- */

static void starts_are_pytorchs_initialisation(void **state) {
  (void)state;
  static const struct {
    size_t first, end;
    double inputs;
  } tensors[] = {{0, L2O_CNN_WEIGHT2, 9}, {L2O_CNN_WEIGHT2, L2O_CNN_WEIGHT3, 18}, {L2O_CNN_WEIGHT3, UNKNOWNS, 147}};
  l2o_family *family = family_of_images("cnn", 5);
  for (uint64_t index = 0; index < 4; index++) {
    l2o_problem p = drawn_from(family, 1, index), again = drawn_from(family, 1, index), other = drawn_from(family, 1, index + 1);
    l2o_real x[UNKNOWNS], y[UNKNOWNS];
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    assert_status(l2o_problem_start(&again, y), L2O_OK, NULL);
    assert_same_reals(x, y, UNKNOWNS);
    assert_status(l2o_problem_start(&other, y), L2O_OK, NULL);
    for (size_t t = 0; t < 3; t++) {
      const double bound = 1 / sqrt(tensors[t].inputs), count = (double)(tensors[t].end - tensors[t].first);
      double square = 0;
      for (size_t j = tensors[t].first; j < tensors[t].end; j++) {
        assert_true(fabs((double)x[j]) <= bound && x[j] != y[j]);
        square += (double)x[j] * (double)x[j] / count;
      }
      /* the mean of u^2 is bound^2 / 3, of one u^2 the deviation bound^2 0.298: five of them */
      assert_close(square, bound * bound / 3, 0, 5 * 0.299 * bound * bound / sqrt(count));
    }
    l2o_problem_free(&p), l2o_problem_free(&again), l2o_problem_free(&other);
  }
  l2o_family_free(family);
}

/* With subset = random an instance is a choice without replacement, again the same for the same name, and every image has its turn.
 */
static void subsets_are_drawn_without_replacement(void **state) {
  (void)state;
  enum { ALL = 20, SOME = 12, INSTANCES = 60 };
  l2o_family *family = family_of_images("cnn:images=12,subset=random", ALL), *each = family_of_images("cnn", ALL);
  assert_string_equal(family->note, "data: any 12 of 20 images");
  l2o_problem one = drawn_from(each, 1, 0);
  l2o_real x[UNKNOWNS];
  double value[ALL];
  size_t chosen[ALL] = {0};
  assert_status(l2o_problem_start(&one, x), L2O_OK, NULL);
  for (size_t i = 0; i < ALL; i++)
    value[i] = partial_at(&one, NULL, x, &i, 1);
  for (uint64_t index = 0; index < INSTANCES; index++) {
    l2o_problem p = drawn_from(family, 2, index), again = drawn_from(family, 2, index);
    bool taken[ALL] = {false};
    assert_int_equal(l2o_problem_summands(&p), SOME);
    for (size_t k = 0; k < SOME; k++) {
      const double f = partial_at(&p, NULL, x, &k, 1);
      size_t i = 0;
      while (i < ALL && value[i] != f)
        i++;
      assert_true(i < ALL && !taken[i] && f == partial_at(&again, NULL, x, &k, 1));
      taken[i] = true;
      chosen[i]++;
    }
    l2o_problem_free(&p), l2o_problem_free(&again);
  }
  for (size_t i = 0; i < ALL; i++) /* 36 expected, deviation 3.8 */
    assert_true(chosen[i] > 17 && chosen[i] < 55);
  l2o_problem_free(&one);
  l2o_family_free(family);
  l2o_family_free(each);
}

/* With the identity for convolutions, far from the rectifiers, a feature is the largest of 4 x 4 pixels, and where the scores are 0
 * the gradient of a class that is not the image's shows it: 1/10 feature_j. Images of one class have a template in common. */
static void drawn_images_are_noisy_templates(void **state) {
  (void)state;
  enum { IMAGES = 40, FEATURES = L2O_CNN_FEATURES };
  static const char *const specs[] = {"cnn:images=40", "cnn:images=40,sampler=mt19937"};
  static double feature[IMAGES][49];
  for (size_t k = 0; k < 2; k++) {
    l2o_problem p = sampled(specs[k], 1, 0), same = sampled(specs[k], 1, 0), other = sampled(specs[k], 1, 1);
    l2o_real x[UNKNOWNS], g[UNKNOWNS];
    double distance[2] = {0}, pairs[2] = {0};
    assert_int_equal(l2o_problem_summands(&p), IMAGES);
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    assert_true(value_at(&p, x) == value_at(&same, x) && value_at(&p, x) != value_at(&other, x));
    memset(x, 0, sizeof x);
    x[L2O_CNN_WEIGHT1 + 4] = x[L2O_CNN_WEIGHT2 + 4] = 1, x[L2O_CNN_BIAS1] = 10;
    gradient_at(&p, g, x);
    for (size_t c = 0; c < 10; c++) /* as many of each class */
      assert_close(g[L2O_CNN_BIAS3 + c], 0, 0, BY_PRECISION(1e-15, 1e-7));
    for (size_t i = 0; i < IMAGES; i++) {
      partial_at(&p, g, x, &i, 1);
      assert_close(g[L2O_CNN_BIAS3 + i % 10], -0.9, BY_PRECISION(1e-14, 1e-6), 0); /* of class i mod 10 */
      for (size_t j = 0; j < 49; j++)
        feature[i][j] = 10 * (double)g[L2O_CNN_WEIGHT3 + FEATURES * ((i + 1) % 10) + j];
    }
    for (size_t i = 0; i < IMAGES; i++)
      for (size_t l = 0; l < i; l++) {
        const bool apart = i % 10 != l % 10;
        for (size_t j = 0; j < 49; j++)
          distance[apart] += (feature[i][j] - feature[l][j]) * (feature[i][j] - feature[l][j]);
        pairs[apart]++;
      }
    assert_true(distance[0] / pairs[0] < 0.9 * distance[1] / pairs[1]);
    assert_true(distance[0] / pairs[0] > 2); /* and noise of their own */
    l2o_problem_free(&p), l2o_problem_free(&same), l2o_problem_free(&other);
  }
}

/* ---- training ---- */

static double trained(const char *solver, const char *rule_options, const l2o_problem *p, size_t count) {
  l2o_real x[UNKNOWNS];
  l2o_result result;
  l2o_diag diag = {""};
  l2o_settings s = l2o_settings_default();
  s.iterations = count;
  s.options = rule_options;
  assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  assert_status(l2o_minimize(solver_named(solver), NULL, p, x, &result, &s, &diag), L2O_OK, &diag);
  return value_at(p, x);
}

static void digits_are_learned(void **state) {
  (void)state;
  l2o_family *family = family_of_file("cnn:images=200", "mnist10k-images-idx3-ubyte.gz");
  l2o_problem p = drawn_from(family, 1, 0);
  l2o_real x[UNKNOWNS];
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  assert_close(value_at(&p, x), log(10), 0.1, 0);
  assert_true(trained("adam", "step=0.01", &p, 60) < 0.8);
  assert_true(trained("lbfgs", "", &p, 40) < 0.6);
  assert_true(trained("bfgs", "", &p, 40) < 0.6);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* ---- what must be refused ---- */

static void assert_refused_data(const char *spec, const double *of, size_t rows, size_t features, l2o_status status,
                                const char *sentence) {
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(family_from_arrays(&family, spec, pixels, of, rows, features, &diag), status, NULL);
  assert_names(&diag, sentence);
  assert_null(family);
}

static void bad_input_is_refused(void **state) {
  (void)state;
  static const refused_spec specs[] = {
      {"cnn:images=0", "cnn: images = 0 means all images of the data, but there is no data"},
      {"cnn:subset=random", "cnn: subset = random chooses from data, but there is no data"},
      {"cnn:images=-1", "images"},
      {"cnn:l2=-1", "l2"},
  };
  double wrong[5] = {0, 9, 10, 3, 4};
  assert_refused_specs(specs, sizeof specs / sizeof *specs);
  assert_refused_data("cnn", NULL, 5, PIXELS, L2O_ERR_FORMAT, "cnn: data has no labels");
  assert_refused_data("cnn", labels, 5, PIXELS - 1, L2O_ERR_SHAPE,
                      "cnn: data has 783 features, expected 784, the pixels of an image of 28x28");
  assert_refused_data("cnn:images=6", labels, 5, PIXELS, L2O_ERR_SHAPE, "cnn: images = 6, but data has 5");
  assert_refused_data("cnn", wrong, 5, PIXELS, L2O_ERR_FORMAT, "cnn: label 2 of data is 10, expected a digit from 0 to 9");
  wrong[2] = 2.5;
  assert_refused_data("cnn", wrong, 5, PIXELS, L2O_ERR_FORMAT, "cnn: label 2 of data is 2.5, expected a digit");
  wrong[2] = -1;
  assert_refused_data("cnn", wrong, 5, PIXELS, L2O_ERR_FORMAT, "cnn: label 2 of data is -1, expected a digit");
  l2o_dataset *data; /* 784 pixels of another shape */
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(l2o_dataset_new(&data, pixels, labels, 5, PIXELS, &diag), L2O_OK, &diag);
  data->image_height = 14, data->image_width = 56;
  assert_status(l2o_family_new_from(&family, "cnn", data, &diag), L2O_ERR_SHAPE, NULL);
  assert_names(&diag, "cnn: the images of data are 14x56 pixels, expected 28x28");
  l2o_dataset_free(data);
}

/* ---- memory ---- */

static void operations_never_allocate(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  l2o_problem p = sampled("cnn:images=70,l2=0.1", 1, 0);
  l2o_real x[UNKNOWNS], g[UNKNOWNS], *work = calloc(l2o_problem_work_len(&p), sizeof *work);
  const size_t rows[] = {69, 0};
  double f;
  for (int warm = 0; warm < 2; warm++) {
    allocations_watch(0);
    l2o_problem_start(&p, x);
    l2o_problem_value(&p, &f, x, work);
    l2o_problem_gradient(&p, &f, g, x, work);
    l2o_problem_partial(&p, &f, g, x, rows, 2, work);
    const allocations seen = allocations_seen();
    assert_true(!warm || seen.calls == 0);
  }
  free(work);
  l2o_problem_free(&p);
}

static l2o_status make_everything(void *context) {
  static const char *const specs[] = {"cnn:images=3", "cnn:images=3,subset=random"};
  l2o_status status = L2O_OK;
  (void)context;
  for (size_t i = 0; i < 3 && !status; i++) {
    l2o_family *family;
    l2o_problem p = {0};
    status = i < 2 ? family_from_arrays(&family, specs[i], pixels, labels, 5, PIXELS, NULL)
                   : l2o_family_new(&family, "cnn:images=3", NULL);
    if (status)
      break;
    status = l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  assert_true(assert_allocations_may_fail(make_everything, NULL, L2O_OK, ALL_ARE_NEEDED) >= 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(value_and_gradient_are_the_definition),
      cmocka_unit_test(numbers_are_those_of_pytorch),
      cmocka_unit_test(gradients_are_those_of_differences),
      cmocka_unit_test(ties_and_zeros_are_as_in_pytorch),
      cmocka_unit_test(not_a_number_is_told_and_large_scores_do_not_overflow),
      cmocka_unit_test(minibatches_are_means_of_their_images),
      cmocka_unit_test(every_instruction_set_gives_the_same),
      cmocka_unit_test(results_do_not_depend_on_where_work_lies),
      cmocka_unit_test(starts_are_pytorchs_initialisation),
      cmocka_unit_test(subsets_are_drawn_without_replacement),
      cmocka_unit_test(drawn_images_are_noisy_templates),
      cmocka_unit_test(digits_are_learned),
      cmocka_unit_test(bad_input_is_refused),
      cmocka_unit_test(operations_never_allocate),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, make_images, NULL);
}
