/* SPDX-License-Identifier: BSD-3-Clause */
#include "solve/trace.h"
#include "core/arena.h"
#include <stdlib.h>
#include <string.h>

struct l2o_trace {
  l2o_record *records;
  l2o_real *iterates; /* (capacity, n) or NULL */
  size_t capacity, count, n;
};

static l2o_trace *layout(l2o_trace *t, l2o_arena *arena) {
  l2o_trace *self = l2o_take(arena, 1, sizeof *self);
  L2O_TAKE(arena, t->records, t->capacity);
  size_t reals;
  if (__builtin_mul_overflow(t->capacity, t->n, &reals))
    arena->overflow = true;
  else
    L2O_TAKE(arena, t->iterates, reals);
  return self;
}

l2o_status l2o_trace_new(l2o_trace **out, size_t capacity, size_t n) {
  l2o_trace trace = {.capacity = capacity, .n = n};
  l2o_arena arena = {0};
  *out = NULL;
  layout(&trace, &arena);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  l2o_trace *self = layout(&trace, &arena);
  *self = trace;
  *out = self;
  return L2O_OK;
}

void l2o_trace_free(l2o_trace *trace) {
  free(trace);
}

const l2o_record *l2o_trace_records(const l2o_trace *trace, size_t *count) {
  if (count)
    *count = trace->count;
  return trace->records;
}

const l2o_real *l2o_trace_iterates(const l2o_trace *trace) {
  return trace->n ? trace->iterates : NULL;
}

void l2o_trace_clear(l2o_trace *trace) {
  trace->count = 0;
}

void l2o_trace_add(l2o_trace *trace, const l2o_record *record, const l2o_real *x, size_t n) {
  if (trace->count == trace->capacity)
    return;
  trace->records[trace->count] = *record;
  if (trace->n == n && n)
    memcpy(trace->iterates + trace->count * n, x, n * sizeof *x);
  trace->count++;
}
