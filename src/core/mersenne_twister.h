/* SPDX-License-Identifier: BSD-3-Clause */
/* MT19937 (Matsumoto, Nishimura 1998) and what PyTorch and the L2O-BFGS data (arXiv 2412.00059) draw from it, to regenerate
 * published data and weights. */
#ifndef L2O_CORE_MERSENNE_TWISTER_H
#define L2O_CORE_MERSENNE_TWISTER_H
#include <l2o/base.h>

typedef struct l2o_twister {
  uint32_t word[624];
  unsigned next;
} l2o_twister;

void l2o_twister_seed(l2o_twister *t, uint32_t seed);
uint32_t l2o_twister_word(l2o_twister *t);
void l2o_twister_skip(l2o_twister *t, uint64_t words);

/* Seeds as gsl_rng_set() of gsl_rng_mt19937 does: 0 stands for 4357. */
void l2o_twister_seed_gsl(l2o_twister *t, uint32_t seed);
/* out[0..n) independent N(0, 1): a word w gives u = (w + 1/2) / 2^32, and two of them by Box-Muller sqrt(-2 ln u1) cos 2 pi u2 and
 * sqrt(-2 ln u1) sin 2 pi u2. Every call starts a new pair: the second entry of an odd last one is dropped. */
void l2o_twister_normal(l2o_twister *t, double *out, size_t n);

/* Entries first .. first+count-1 of torch.randn(total) (float32, CPU) drawn from seed `seed` with `before` words used up already.
 * Returns the number of words that the whole tensor uses. */
uint64_t l2o_torch_normal(double *out, uint32_t seed, uint64_t before, uint64_t first, uint64_t count, uint64_t total);
#endif
