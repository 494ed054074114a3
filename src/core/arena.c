/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/arena.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

void *l2o_take(l2o_arena *arena, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2 - arena->used - ALIGNMENT) {
    arena->overflow = true;
    return NULL;
  }
  void *part = arena->base ? arena->base + arena->used : NULL;
  arena->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return part;
}

bool l2o_arena_new(l2o_arena *arena) {
  if (arena->overflow)
    return false;
  size_t bytes = arena->used ? arena->used : ALIGNMENT;
  arena->base = aligned_alloc(ALIGNMENT, bytes);
  arena->used = 0;
  if (!arena->base)
    return false;
  memset(arena->base, 0, bytes);
  return true;
}
