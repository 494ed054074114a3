/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/nearest.h"
#include <string.h>

enum { LONGEST = 63 };

/* Edit distance where swapping two neighbours costs one, as a slip of the fingers should ("stpes" is one away from "steps").
 * Three rows of the usual table are enough; names longer than a row count as far away. */
static size_t edit_distance(const char *a, const char *b) {
  size_t rows[3][LONGEST + 1], *before = rows[0], *above = rows[1], *row = rows[2], la = strlen(a), lb = strlen(b);
  if (la > LONGEST || lb > LONGEST)
    return (size_t)-1;
  for (size_t j = 0; j <= lb; j++)
    above[j] = j;
  for (size_t i = 1; i <= la; i++) {
    row[0] = i;
    for (size_t j = 1; j <= lb; j++) {
      size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
      if (above[j] + 1 < best)
        best = above[j] + 1;
      if (row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
        best = before[j - 2] + 1;
      row[j] = best;
    }
    size_t *oldest = before;
    before = above;
    above = row;
    row = oldest;
  }
  return above[lb];
}

/* The least distance that is no slip of the fingers any more. */
static size_t too_far(const char *name) {
  const size_t limit = strlen(name) / 3;
  return (limit ? limit : 1) + 1;
}

const char *l2o_nearest(const char *name, const char *(*next)(const void *context, size_t i), const void *context) {
  const char *best = NULL, *candidate;
  size_t distance = too_far(name);
  for (size_t i = 0; (candidate = next(context, i)) != NULL; i++) {
    size_t d = edit_distance(name, candidate);
    if (d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best;
}

const char *l2o_nearest_word(size_t *length, const char *name, const char *words) {
  const char *best = NULL;
  size_t distance = too_far(name);
  for (;;) {
    char word[LONGEST + 1] = "";
    const size_t count = strcspn(words, "|");
    if (count <= LONGEST) {
      memcpy(word, words, count);
      const size_t d = edit_distance(name, word);
      if (d < distance) {
        distance = d;
        best = words;
        *length = count;
      }
    }
    if (!words[count])
      return best;
    words += count + 1;
  }
}
