/* SPDX-License-Identifier: BSD-3-Clause */
/** @file random.h
 *  Counter-based random streams: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011) through Random123.
 *
 *  A stream is named by (seed, stream, index) and costs nothing to create or to replay, so instance i of a seed is the same
 *  instance whatever the thread or rank that asks for it. Draws are made in double in both precisions. */
#ifndef L2O_RANDOM_H
#define L2O_RANDOM_H
#include <l2o/base.h>
#ifdef __cplusplus
extern "C" {
#endif

/** What random numbers are for. Seeds of different purposes never meet: see l2o_seed_for(). */
typedef enum l2o_purpose {
  L2O_PURPOSE_TRAIN = 1,
  L2O_PURPOSE_VALIDATION = 2,
  L2O_PURPOSE_EVAL = 3,
  L2O_PURPOSE_MODEL = 4
} l2o_purpose;

/** A generator by value: copy it to fork it. The fields are private. */
typedef struct l2o_rng {
  uint32_t key[2], counter[4], block[4];
  uint32_t left;  /* words of `block` not handed out yet */
  bool has_spare; /* the second normal of a Box-Muller pair */
  double spare;
} l2o_rng;

/** Starts stream (seed, stream, index): key = seed, counter = (block, stream, index). Period 2^34 words a stream. */
L2O_API void l2o_rng_seed(l2o_rng *rng, uint64_t seed, uint32_t stream, uint64_t index);
/** 32 uniform bits. */
L2O_API uint32_t l2o_rng_word(l2o_rng *rng);
/** Uniform in the open interval (0, 1), 52 bits. */
L2O_API double l2o_rng_uniform(l2o_rng *rng);
/** out[0..n) independent N(0, 1) by Box-Muller. */
L2O_API void l2o_rng_normal(l2o_rng *rng, double *out, size_t n);
/** The seed that `purpose` draws from: a hash (one Philox block) of (seed, purpose). */
L2O_API uint64_t l2o_seed_for(uint64_t seed, l2o_purpose purpose);

#ifdef __cplusplus
}
#endif
#endif
