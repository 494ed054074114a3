/* SPDX-License-Identifier: BSD-3-Clause */
/* Random streams against published numbers: Random123's own vectors, PyTorch's randn, GSL's Mersenne Twister. */
#include "l2o_fixtures.h"

#include "core/mersenne_twister.h"
#ifdef L2O_WITH_GSL
#include <gsl/gsl_rng.h>
#endif

static void assert_block(l2o_rng *rng, const uint32_t *expected) {
  for (int i = 0; i < 4; i++)
    assert_int_equal(l2o_rng_word(rng), expected[i]);
}

/* philox4x32-10 in Random123's tests/kat_vectors. */
static void philox_known_answers(void **state) {
  (void)state;
  l2o_rng rng;
  l2o_rng_seed(&rng, 0, 0, 0);
  assert_block(&rng, (uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  l2o_rng_seed(&rng, UINT64_MAX, UINT32_MAX, UINT64_MAX);
  rng.counter[0] = UINT32_MAX; /* the block number */
  assert_block(&rng, (uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  l2o_rng_seed(&rng, UINT64_C(0x299f31d0a4093822), 0x85a308d3, UINT64_C(0x0370734413198a2e));
  rng.counter[0] = 0x243f6a88;
  assert_block(&rng, (uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

static void streams_do_not_meet(void **state) {
  (void)state;
  static const struct {
    uint64_t seed;
    uint32_t stream;
    uint64_t index;
  } names[] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {UINT64_C(1) << 32, 0, 0}, {0, 0, UINT64_C(1) << 32}};
  enum { NAMES = sizeof names / sizeof *names, WORDS = 12 };
  uint32_t words[NAMES][WORDS];
  for (size_t i = 0; i < NAMES; i++) {
    l2o_rng rng;
    l2o_rng_seed(&rng, names[i].seed, names[i].stream, names[i].index);
    for (size_t k = 0; k < WORDS; k++)
      words[i][k] = l2o_rng_word(&rng);
  }
  for (size_t a = 0; a < NAMES * WORDS; a++) /* 72 words of 2^32: two of them equal would be a chance of 1 in 1.6 million */
    for (size_t b = 0; b < a; b++)
      assert_true(words[a / WORDS][a % WORDS] != words[b / WORDS][b % WORDS]);
}

static void a_stream_can_be_replayed_and_forked(void **state) {
  (void)state;
  l2o_rng a, b;
  double x[7], y[7];
  l2o_rng_seed(&a, 5, 6, 7);
  l2o_rng_normal(&a, x, 3); /* leaves a spare normal and half a block */
  l2o_rng_seed(&b, 1, 2, 3);
  l2o_rng_normal(&b, y, 1);
  l2o_rng_seed(&b, 5, 6, 7); /* the spare of another stream is forgotten */
  l2o_rng_normal(&b, y, 3);
  assert_memory_equal(x, y, 3 * sizeof *x);
  b = a;
  l2o_rng_normal(&a, x, 7);
  l2o_rng_normal(&b, y, 7);
  assert_memory_equal(x, y, sizeof x);
  l2o_rng_seed(&a, 5, 6, 7); /* at once or one by one: the same numbers */
  l2o_rng_seed(&b, 5, 6, 7);
  l2o_rng_normal(&a, x, 7);
  for (int i = 0; i < 7; i++)
    l2o_rng_normal(&b, y + i, 1);
  assert_memory_equal(x, y, sizeof x);
}

static void purposes_have_seeds_of_their_own(void **state) {
  (void)state;
  static const uint64_t seeds[] = {0, 1, 2, 3, 4, 5, 777, UINT64_MAX};
  uint64_t all[32];
  size_t count = 0;
  for (size_t i = 0; i < 8; i++)
    for (l2o_purpose p = L2O_PURPOSE_TRAIN; p <= L2O_PURPOSE_MODEL; p++)
      all[count++] = l2o_seed_for(seeds[i], p);
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < a; b++)
      assert_true(all[a] != all[b]);
  assert_true(l2o_seed_for(777, L2O_PURPOSE_EVAL) == l2o_seed_for(777, L2O_PURPOSE_EVAL));
}

static void uniform_and_normal_have_their_moments(void **state) {
  (void)state;
  enum { COUNT = 100000 };
  double sum = 0, squares = 0, fourth = 0, pairs = 0, previous = 0, least = 1, largest = 0, *x = malloc(COUNT * sizeof *x);
  l2o_rng rng;
  l2o_rng_seed(&rng, 42, 0, 0);
  for (size_t i = 0; i < COUNT; i++) {
    double u = l2o_rng_uniform(&rng);
    least = fmin(least, u), largest = fmax(largest, u);
    sum += u, squares += u * u;
  }
  assert_true(least > 0 && least < 1e-4 && largest < 1 && largest > 1 - 1e-4);
  assert_close(sum / COUNT, 0.5, 0, 4 * sqrt(1. / 12 / COUNT));
  assert_close(squares / COUNT, 1. / 3, 0, 4 * sqrt(4. / 45 / COUNT));
  sum = squares = 0;
  l2o_rng_normal(&rng, x, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    sum += x[i], squares += x[i] * x[i], fourth += x[i] * x[i] * x[i] * x[i], pairs += x[i] * previous;
    previous = x[i];
  }
  assert_close(sum / COUNT, 0, 0, 4 / sqrt(COUNT));
  assert_close(squares / COUNT, 1, 0, 4 * sqrt(2. / COUNT));
  assert_close(fourth / COUNT, 3, 0, 4 * sqrt(96. / COUNT));
  assert_close(pairs / COUNT, 0, 0, 4 / sqrt(COUNT)); /* the two of a Box-Muller pair too */
  free(x);
}

/* ---- Mersenne Twister ---- */

static void twister_known_answers(void **state) {
  (void)state;
  l2o_twister t;
  uint32_t word = 0;
  l2o_twister_seed(&t, 5489);
  assert_int_equal(l2o_twister_word(&t), 3499211612u);
  for (int i = 1; i < 10000; i++)
    word = l2o_twister_word(&t);
  assert_int_equal(word, 4123659995u); /* the 10000th, as the C++ standard demands of mt19937 */
}

static void skipping_words_equals_drawing_them(void **state) {
  (void)state;
  static const uint64_t skips[] = {0, 1, 623, 624, 625, 5000};
  for (size_t i = 0; i < 6; i++)
    for (uint64_t before = 0; before < 700; before += 233) {
      l2o_twister a, b;
      l2o_twister_seed(&a, 118);
      for (uint64_t k = 0; k < before; k++)
        l2o_twister_word(&a);
      b = a;
      l2o_twister_skip(&a, skips[i]);
      for (uint64_t k = 0; k < skips[i]; k++)
        l2o_twister_word(&b);
      for (int k = 0; k < 3; k++)
        assert_int_equal(l2o_twister_word(&a), l2o_twister_word(&b));
    }
}

#ifdef L2O_WITH_GSL
static void twister_equals_gsl_word_for_word(void **state) {
  (void)state;
  static const uint32_t seeds[] = {1, 118, 895, 4357, 7895, UINT32_MAX}; /* gsl takes 0 for 4357 */
  gsl_rng *gsl = gsl_rng_alloc(gsl_rng_mt19937);
  for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
    l2o_twister t;
    gsl_rng_set(gsl, seeds[i]);
    l2o_twister_seed(&t, seeds[i]);
    for (int k = 0; k < 5000; k++)
      assert_int_equal(l2o_twister_word(&t), gsl_rng_get(gsl));
  }
  gsl_rng_free(gsl);
}
#endif

/* ---- PyTorch ---- */

static void torch_known_answers(void **state) {
  (void)state;
  static const double four[] = {-0.3737000823, -0.1225009784, 1.1329691410, 0.4778856039};
  static const double end[] = {0.8727193475, -0.7227367163, -0.9620126486, 0.9546709061};
  double out[20];
  assert_int_equal(l2o_torch_normal(out, 118, 0, 0, 4, 4), 8);
  for (int i = 0; i < 4; i++)
    assert_close(out[i], four[i], 0, 2e-7);
  assert_int_equal(l2o_torch_normal(out, 118, 0, 0, 20, 20), 36);
  for (int i = 0; i < 4; i++)
    assert_close(out[16 + i], end[i], 0, 2e-6);
}

static void torch_parts_equal_the_whole(void **state) {
  (void)state;
  static const uint64_t totals[] = {1, 2, 7, 15, 16, 17, 20, 31, 32, 33, 50};
  for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
    const uint64_t total = totals[i];
    double whole[50], part[50];
    const uint64_t words = l2o_torch_normal(whole, 9, 3, 0, total, total);
    assert_int_equal(words, total < 16 ? 4 * ((total + 1) / 2) : total % 16 ? total + 16 : total);
    for (uint64_t first = 0; first < total; first++)
      for (uint64_t count = 1; first + count <= total; count++) {
        l2o_torch_normal(part, 9, 3, first, count, total);
        assert_memory_equal(part, whole + first, count * sizeof *part);
      }
    double shifted[50]; /* `before` words are used up: as if another tensor had come first */
    const uint64_t earlier = l2o_torch_normal(part, 9, 0, 0, 3, 3);
    l2o_torch_normal(part, 9, earlier, 0, total, total);
    l2o_torch_normal(shifted, 9, 8, 0, total, total);
    assert_memory_equal(part, shifted, total * sizeof *part);
  }
}

/* Weights and data of the published code: Math-L2O GD, seed 118, expansion 100. */
static void torch_initial_weights(void **state) {
  (void)state;
  static const double w1[] = {82.9848, -55.7990, -55.7990, -82.9848};
  l2o_model *model = model_of("math-l2o-gd:hidden=1024,expansion=100,sampler=torch", 118);
  double *w = weights_of(model);
  for (int i = 0; i < 4; i++)
    assert_close(w[i], w1[i], 0, 1e-4);
  free(w);
  l2o_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(philox_known_answers),
      cmocka_unit_test(streams_do_not_meet),
      cmocka_unit_test(a_stream_can_be_replayed_and_forked),
      cmocka_unit_test(purposes_have_seeds_of_their_own),
      cmocka_unit_test(uniform_and_normal_have_their_moments),
      cmocka_unit_test(twister_known_answers),
      cmocka_unit_test(skipping_words_equals_drawing_them),
#ifdef L2O_WITH_GSL
      cmocka_unit_test(twister_equals_gsl_word_for_word),
#endif
      cmocka_unit_test(torch_known_answers),
      cmocka_unit_test(torch_parts_equal_the_whole),
      cmocka_unit_test(torch_initial_weights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
