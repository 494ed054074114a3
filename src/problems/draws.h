/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers that an instance is drawn from: our streams or, where the family replays published data, the generator of those. */
#ifndef L2O_PROBLEMS_DRAWS_H
#define L2O_PROBLEMS_DRAWS_H
#include "core/mersenne_twister.h"
#include <l2o/family.h>

enum { L2O_SAMPLER_PHILOX, L2O_SAMPLER_MT19937 };
#define L2O_SAMPLER_OPTION                                                                                                         \
  {                                                                                                                                \
    "sampler", L2O_OPTION_CHOICE, L2O_SAMPLER_PHILOX, 0, 0, "philox|mt19937",                                                      \
        "random numbers: our streams, or GSL's Mersenne Twister (the L2O-BFGS data)"                                               \
  }

typedef struct l2o_draws {
  bool replays;
  l2o_rng rng;         /* stream 0 of (seed, index) */
  l2o_twister twister; /* gsl_rng_mt19937 of seed + index */
} l2o_draws;

/* L2O_ERR_ARG where the family's plain_seeds asks for the twister and seed + index is not from 1 to 2^32 - 1 (0 would be 4357). */
l2o_status l2o_draws_begin(l2o_draws *draws, const l2o_family *family, uint64_t seed, uint64_t index, l2o_diag *diag);
/* out[0..n) independent N(0, 1); with the twister each call begins a new pair of Box-Muller. */
void l2o_draws_normal(l2o_draws *draws, double *out, size_t n);
/* Uniform in (0, 1). */
double l2o_draws_uniform(l2o_draws *draws);
/* row[0..count) = different numbers below `rows`, each choice as likely as the others; row has room for `rows` of them. */
void l2o_draws_choose(l2o_draws *draws, size_t *row, size_t count, size_t rows);
#endif
