/* SPDX-License-Identifier: BSD-3-Clause */
/* One allocation a handle. A layout function calls l2o_take() for each part; it runs twice, first on a measuring arena (no memory,
 * NULL pointers, sizes add up), then on the block that l2o_arena_new() got for that size:
 *
 *   l2o_arena arena = {0};
 *   layout(&parts, &arena);                            // measure
 *   if (!l2o_arena_new(&arena)) return L2O_ERR_NOMEM;  // one calloc; also answers a size that overflowed
 *   layout(&parts, &arena);                            // hand out
 *
 * free(arena.base) frees it all. */
#ifndef L2O_CORE_ARENA_H
#define L2O_CORE_ARENA_H
#include <stdbool.h>
#include <stddef.h>

typedef struct l2o_arena {
  unsigned char *base;
  size_t used;
  bool overflow;
} l2o_arena;

/* count elements of `size` bytes, zeroed, aligned to 64 bytes (a cache line); NULL while measuring. */
void *l2o_take(l2o_arena *arena, size_t count, size_t size);
bool l2o_arena_new(l2o_arena *arena);
#define L2O_TAKE(arena, pointer, count) ((pointer) = l2o_take((arena), (count), sizeof *(pointer)))
#endif
