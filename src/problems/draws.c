/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/draws.h"
#include "core/diag.h"

l2o_status l2o_draws_begin(l2o_draws *draws, const l2o_family *family, uint64_t seed, uint64_t index, l2o_diag *diag) {
  draws->replays = family->plain_seeds;
  if (!draws->replays) {
    l2o_rng_seed(&draws->rng, seed, 0, index);
    return L2O_OK;
  }
  if (seed > UINT32_MAX || index > UINT32_MAX - seed || seed + index == 0)
    return l2o_fail(diag, L2O_ERR_ARG, "sampler mt19937 draws instance i from seed + i, expected from 1 to 2^32 - 1");
  l2o_twister_seed_gsl(&draws->twister, (uint32_t)(seed + index));
  return L2O_OK;
}

void l2o_draws_normal(l2o_draws *draws, double *out, size_t n) {
  if (draws->replays)
    l2o_twister_normal(&draws->twister, out, n);
  else
    l2o_rng_normal(&draws->rng, out, n);
}

double l2o_draws_uniform(l2o_draws *draws) {
  return draws->replays ? (l2o_twister_word(&draws->twister) + 0.5) / 0x1p32 : l2o_rng_uniform(&draws->rng);
}

void l2o_draws_choose(l2o_draws *draws, size_t *row, size_t count, size_t rows) {
  for (size_t i = 0; i < rows; i++)
    row[i] = i;
  for (size_t i = 0; i < count; i++) { /* the beginning of Durstenfeld's shuffle */
    const size_t other = i + (size_t)(l2o_draws_uniform(draws) * (double)(rows - i)), taken = row[other];
    row[other] = row[i];
    row[i] = taken;
  }
}
