/* SPDX-License-Identifier: BSD-3-Clause */
#include <Random123/philox.h>
#include <l2o/random.h>
#include <math.h>

static const double TWO_PI = 6.283185307179586476925286766559;

/* Counter layout: (block number, stream, index low, index high); key: (seed low, seed high). */
void l2o_rng_seed(l2o_rng *rng, uint64_t seed, uint32_t stream, uint64_t index) {
  *rng =
      (l2o_rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)}, .counter = {0, stream, (uint32_t)index, (uint32_t)(index >> 32)}};
}

uint32_t l2o_rng_word(l2o_rng *rng) {
  if (rng->left == 0) {
    philox4x32_ctr_t counter = {{rng->counter[0]++, rng->counter[1], rng->counter[2], rng->counter[3]}};
    philox4x32_key_t key = {{rng->key[0], rng->key[1]}};
    philox4x32_ctr_t block = philox4x32(counter, key);
    for (int i = 0; i < 4; i++)
      rng->block[i] = block.v[i];
    rng->left = 4;
  }
  return rng->block[4 - rng->left--];
}

double l2o_rng_uniform(l2o_rng *rng) {
  uint64_t high = l2o_rng_word(rng), low = l2o_rng_word(rng);
  uint64_t bits = (high << 32 | low) >> 12; /* 52 of 64, so that the half below is exact and 0 and 1 are never reached */
  return ((double)bits + 0.5) * 0x1p-52;
}

void l2o_rng_normal(l2o_rng *rng, double *out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (rng->has_spare) {
      rng->has_spare = false;
      out[i] = rng->spare;
      continue;
    }
    /* Box-Muller: r = sqrt(-2 ln u), (r cos 2 pi v, r sin 2 pi v) */
    double u = l2o_rng_uniform(rng), angle = TWO_PI * l2o_rng_uniform(rng), r = sqrt(-2.0 * log(u));
    out[i] = r * cos(angle);
    rng->spare = r * sin(angle);
    rng->has_spare = true;
  }
}

uint64_t l2o_seed_for(uint64_t seed, l2o_purpose purpose) {
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0x73656564u /* "seed" */, (uint64_t)purpose);
  uint64_t high = l2o_rng_word(&rng);
  return high << 32 | l2o_rng_word(&rng);
}
