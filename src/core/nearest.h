/* SPDX-License-Identifier: BSD-3-Clause */
/* "Did you mean ...?": no dependencies, so that the commands compile it too. */
#ifndef L2O_CORE_NEAREST_H
#define L2O_CORE_NEAREST_H
#include <stddef.h>

/* The name nearest to `name` (edit distance, swaps of neighbours counting once, at most a third of its length
 * or 1), or NULL. `next(context, i)` is the i-th
 * candidate, NULL behind the last. */
const char *l2o_nearest(const char *name, const char *(*next)(const void *context, size_t i), const void *context);

/* The word of "a|b|c" nearest to `name` in the same sense: its start and length, or NULL. */
const char *l2o_nearest_word(size_t *length, const char *name, const char *words);
#endif
