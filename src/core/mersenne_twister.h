/* SPDX-License-Identifier: BSD-3-Clause */
/* MT19937 (Matsumoto, Nishimura 1998) and the sampling that PyTorch builds on it, to regenerate published data and weights. */
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

/* Entries first .. first+count-1 of torch.randn(total) (float32, CPU) drawn from seed `seed` with `before` words used up already.
 * Returns the number of words that the whole tensor uses. */
uint64_t l2o_torch_normal(double *out, uint32_t seed, uint64_t before, uint64_t first, uint64_t count, uint64_t total);
#endif
