/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/mersenne_twister.h"
#include <math.h>

enum { N = 624, M = 397 };

void l2o_twister_seed(l2o_twister *t, uint32_t seed) {
  t->word[0] = seed;
  for (uint32_t i = 1; i < N; i++)
    t->word[i] = 1812433253u * (t->word[i - 1] ^ (t->word[i - 1] >> 30)) + i;
  t->next = N;
}

static void refill(l2o_twister *t) {
  uint32_t *w = t->word;
  for (unsigned i = 0; i < N; i++) {
    uint32_t y = (w[i] & 0x80000000u) | (w[(i + 1) % N] & 0x7fffffffu);
    w[i] = w[(i + M) % N] ^ (y >> 1) ^ ((y & 1u) ? 0x9908b0dfu : 0u);
  }
  t->next = 0;
}

uint32_t l2o_twister_word(l2o_twister *t) {
  if (t->next == N)
    refill(t);
  uint32_t y = t->word[t->next++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

void l2o_twister_skip(l2o_twister *t, uint64_t words) {
  while (words) {
    if (t->next == N)
      refill(t);
    uint64_t here = N - t->next < words ? N - t->next : words;
    t->next += (unsigned)here;
    words -= here;
  }
}

void l2o_twister_seed_gsl(l2o_twister *t, uint32_t seed) {
  l2o_twister_seed(t, seed ? seed : 4357);
}

void l2o_twister_normal(l2o_twister *t, double *out, size_t n) {
  for (size_t i = 0; i < n; i += 2) {
    const double u1 = ((double)l2o_twister_word(t) + 0.5) * 0x1p-32, u2 = ((double)l2o_twister_word(t) + 0.5) * 0x1p-32;
    const double r = sqrt(-2.0 * log(u1)), angle = 6.283185307179586476925286766559 * u2;
    out[i] = r * cos(angle);
    if (i + 1 < n)
      out[i + 1] = r * sin(angle);
  }
}

/* torch's float path: 24 bits a word, then Box-Muller within blocks of 16, entry j with entry j + 8. All of it in float, as torch
 * has it, so that the values are torch's up to the last bit of its vector logarithm and cosine. */
static void torch_block(double *block, const float *u) {
  for (int j = 0; j < 8; j++) {
    float r = sqrtf(-2.0f * logf(1.0f - u[j])), angle = 6.283185307179586f * u[j + 8];
    block[j] = (double)(r * cosf(angle));
    block[j + 8] = (double)(r * sinf(angle));
  }
}

static void torch_uniforms(float *u, l2o_twister *t) {
  for (int j = 0; j < 16; j++)
    u[j] = (float)(l2o_twister_word(t) & 0xffffffu) * 0x1p-24f;
}

static double torch_double(l2o_twister *t) {
  uint64_t high = l2o_twister_word(t), low = l2o_twister_word(t);
  return (double)((high << 32 | low) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

uint64_t l2o_torch_normal(double *out, uint32_t seed, uint64_t before, uint64_t first, uint64_t count, uint64_t total) {
  l2o_twister t;
  l2o_twister_seed(&t, seed);
  l2o_twister_skip(&t, before);
  if (total < 16) { /* pairs of doubles: r = sqrt(-2 log1p(-v0)), r cos 2 pi v1', one pair gives two entries */
    for (uint64_t i = 0; i < total; i += 2) {
      double v0 = torch_double(&t), v1 = torch_double(&t);
      double r = sqrt(-2.0 * log1p(-v1)), angle = 6.283185307179586476925286766559 * v0;
      double pair[2] = {r * cos(angle), r * sin(angle)};
      for (uint64_t j = i; j < i + 2; j++)
        if (j >= first && j < first + count)
          out[j - first] = (double)(float)pair[j - i];
    }
    return 4 * ((total + 1) / 2);
  }
  float u[16];
  double block[16];
  uint64_t whole = total / 16 * 16, start = first / 16 * 16;
  if (start > whole)
    start = whole;
  l2o_twister_skip(&t, start);
  for (uint64_t i = start; i < whole; i += 16) {
    if (i >= first + count && total == whole)
      break;
    if (i >= first + count) { /* nothing more to write, but the tail below starts behind all whole blocks */
      l2o_twister_skip(&t, whole - i);
      break;
    }
    torch_uniforms(u, &t);
    torch_block(block, u);
    for (uint64_t j = 0; j < 16; j++)
      if (i + j >= first && i + j < first + count)
        out[i + j - first] = block[j];
  }
  if (total == whole)
    return total;
  /* a ragged end: the remaining total - whole uniforms are drawn and dropped, then 16 fresh ones give the LAST 16 entries */
  l2o_twister_skip(&t, total - whole);
  torch_uniforms(u, &t);
  torch_block(block, u);
  for (uint64_t j = 0; j < 16; j++)
    if (total - 16 + j >= first && total - 16 + j < first + count)
      out[total - 16 + j - first] = block[j];
  return total + 16;
}
