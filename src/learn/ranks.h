/* SPDX-License-Identifier: BSD-3-Clause */
/* Training divided over ranks: who takes which instances, and how all of them come to know of a failure. It rests on the one
 * function that the settings give, which adds up over the ranks; every rank makes the same calls in the same order, whatever
 * happens. */
#ifndef L2O_LEARN_RANKS_H
#define L2O_LEARN_RANKS_H
#include <l2o/train.h>

/* Instances first .. first+count-1. */
typedef struct l2o_share {
  size_t first, count;
} l2o_share;

/* Where the k-th of R even parts of `total` things begins: total k / R. */
size_t l2o_part(size_t total, size_t k, size_t R);
/* This rank's share of `total` instances: [total r / R, total (r + 1) / R). */
l2o_share l2o_share_of(const l2o_train_settings *s, size_t total);
/* Can the ranks talk to each other at all? */
l2o_status l2o_ranks_check(const l2o_train_settings *s, l2o_diag *diag);
/* Adds up in place; does nothing for a single rank. */
l2o_status l2o_ranks_sum(const l2o_train_settings *s, double *values, size_t count, l2o_diag *diag);
/* The status of the lowest rank that failed and its sentence, on every rank. Allocates nothing, so that even a rank without memory
 * can tell. */
l2o_status l2o_ranks_agree(const l2o_train_settings *s, l2o_status status, l2o_diag *diag);
/* Fails on every rank, with this status and sentence, unless all have the same bytes (or the same checksum of 32 bits). */
l2o_status l2o_ranks_compare(const l2o_train_settings *s, const void *bytes, size_t size, l2o_status otherwise,
                             const char *sentence, l2o_diag *diag);
#endif
