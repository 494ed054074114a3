/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts allocations, and lets the n-th fail. Include it in the one source of a test: it replaces malloc and its kin in the whole
 * executable, shared libraries included. Only the thread that watches is counted.
 *
 *   allocations_watch(n);                 // the n-th from here fails; 0: none does
 *   status = l2o_something_new(&handle);
 *   l2o_something_free(handle);
 *   allocations seen = allocations_seen();
 *   assert_int_equal(seen.live, 0);       // nothing leaked
 *
 * With another C library, under valgrind and with sanitizers that bring their own malloc nothing is counted: a test then does
 *   if (!allocations_are_counted()) skip();
 */
#ifndef L2O_TEST_COUNTING_MALLOC_H
#define L2O_TEST_COUNTING_MALLOC_H
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#ifdef __has_feature
#define COUNTING_MALLOC_SANITIZED                                                                                                  \
  (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTING_MALLOC_SANITIZED 1
#else
#define COUNTING_MALLOC_SANITIZED 0
#endif
#if defined(__GLIBC__) && !COUNTING_MALLOC_SANITIZED
#define COUNTING_MALLOC 1
#else
#define COUNTING_MALLOC 0
#endif

typedef struct allocations {
  size_t calls; /* malloc, calloc, realloc and the aligned ones since allocations_watch */
  long live;    /* blocks got less blocks freed */
  size_t fail_at;
  bool watching;
} allocations;

/* volatile: compilers know malloc and take for granted that it changes no variable of ours. */
static _Thread_local volatile allocations l2o_allocations;

static inline void allocations_watch(size_t fail_at) {
  l2o_allocations = (allocations){.fail_at = fail_at, .watching = true};
}

/* What happened since allocations_watch; ends the watch. */
static inline allocations allocations_seen(void) {
  l2o_allocations.watching = false;
  return l2o_allocations;
}

#if COUNTING_MALLOC
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

static bool allocation_fails(void) {
  bool fails = l2o_allocations.watching && ++l2o_allocations.calls == l2o_allocations.fail_at;
  if (fails)
    errno = ENOMEM;
  return fails;
}

static void *allocation_counted(void *block) {
  if (l2o_allocations.watching && block)
    l2o_allocations.live++;
  return block;
}

void *malloc(size_t size) {
  return allocation_fails() ? NULL : allocation_counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
  return allocation_fails() ? NULL : allocation_counted(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size) {
  if (allocation_fails())
    return NULL;
  void *moved = __libc_realloc(block, size);
  if (!block)
    return allocation_counted(moved);
  if (l2o_allocations.watching && size == 0 && !moved)
    l2o_allocations.live--;
  return moved;
}

void *aligned_alloc(size_t alignment, size_t size) {
  return allocation_fails() ? NULL : allocation_counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **out, size_t alignment, size_t size) {
  void *block = aligned_alloc(alignment, size);
  if (block)
    *out = block;
  return block ? 0 : ENOMEM;
}

void free(void *block) {
  if (l2o_allocations.watching && block)
    l2o_allocations.live--;
  __libc_free(block);
}
#endif

static inline bool allocations_are_counted(void) {
  allocations_watch(0);
  void *volatile block = malloc(1);
  free(block);
  return allocations_seen().calls == 1;
}
#endif
