/* SPDX-License-Identifier: BSD-3-Clause */
#include "learn/ranks.h"
#include "core/diag.h"
#include <string.h>

size_t l2o_part(size_t total, size_t k, size_t R) { /* without overflow */
  return total / R * k + total % R * k / R;
}

l2o_share l2o_share_of(const l2o_train_settings *s, size_t total) {
  if (s->ranks < 2)
    return (l2o_share){0, total};
  const size_t first = l2o_part(total, s->rank, s->ranks);
  return (l2o_share){first, l2o_part(total, s->rank + 1, s->ranks) - first};
}

l2o_status l2o_ranks_check(const l2o_train_settings *s, l2o_diag *diag) {
  if (s->rank && s->rank >= s->ranks)
    return l2o_fail(diag, L2O_ERR_ARG, "training: rank %zu of %zu: ranks count from 0", s->rank, s->ranks);
  if (s->ranks > 1 && !s->sum)
    return l2o_fail(diag, L2O_ERR_ARG, "training: %zu ranks need a function that adds up over them", s->ranks);
  return L2O_OK;
}

l2o_status l2o_ranks_sum(const l2o_train_settings *s, double *values, size_t count, l2o_diag *diag) {
  if (s->ranks < 2)
    return L2O_OK;
  l2o_status status = s->sum(s->sum_context, values, count);
  return status ? l2o_fail(diag, status, "adding up over the ranks: %s", l2o_strerror(status)) : L2O_OK;
}

/* Everybody gets the sentence of the rank that failed: its letters are added to zeros. */
static l2o_status tell(const l2o_train_settings *s, l2o_status status, size_t failed, l2o_diag *diag) {
  enum { LETTERS = sizeof diag->text };
  double letters[LETTERS] = {0};
  char text[LETTERS] = "";
  if (failed == s->rank && diag)
    for (size_t i = 0; i + 1 < LETTERS && diag->text[i]; i++)
      letters[i] = (double)(unsigned char)diag->text[i];
  l2o_status summed = l2o_ranks_sum(s, letters, LETTERS, diag);
  if (summed)
    return summed;
  for (size_t i = 0; i < LETTERS; i++)
    text[i] = (char)(unsigned char)letters[i];
  const char *sentence = text[0] ? text : l2o_strerror(status);
  return failed ? l2o_fail(diag, status, "rank %zu: %.370s", failed, sentence) : l2o_fail(diag, status, "%s", sentence);
}

l2o_status l2o_ranks_agree(const l2o_train_settings *s, l2o_status status, l2o_diag *diag) {
  enum { SLOTS = 64 }; /* one a rank, so many at a time */
  size_t failed = s->ranks;
  l2o_status first = L2O_OK;
  if (s->ranks < 2)
    return status;
  for (size_t base = 0; base < s->ranks; base += SLOTS) {
    double slots[SLOTS] = {0};
    const size_t count = s->ranks - base < SLOTS ? s->ranks - base : SLOTS;
    if (s->rank >= base && s->rank - base < count)
      slots[s->rank - base] = (double)status;
    l2o_status summed = l2o_ranks_sum(s, slots, count, diag);
    if (summed)
      return summed;
    for (size_t i = 0; i < count && !first; i++)
      if (slots[i] != 0) {
        failed = base + i;
        first = (l2o_status)slots[i];
      }
  }
  return first ? tell(s, first, failed, diag) : L2O_OK;
}

/* FNV-1a (Fowler, Noll, Vo 1991). */
static uint32_t checksum(const unsigned char *bytes, size_t size) {
  uint32_t hash = UINT32_C(2166136261);
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ bytes[i]) * UINT32_C(16777619);
  return hash;
}

/* Where ranks differ, one of them at least is not at the mean; the sum of up to 2^21 ranks is exact. */
l2o_status l2o_ranks_compare(const l2o_train_settings *s, const void *bytes, size_t size, l2o_status otherwise,
                             const char *sentence, l2o_diag *diag) {
  if (s->ranks < 2)
    return L2O_OK;
  const double mine = (double)checksum(bytes, size);
  double total = mine;
  l2o_status status = l2o_ranks_sum(s, &total, 1, diag);
  if (status)
    return status;
  return l2o_ranks_agree(s, total == mine * (double)s->ranks ? L2O_OK : l2o_fail(diag, otherwise, "%s", sentence), diag);
}
