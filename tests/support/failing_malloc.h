/* SPDX-License-Identifier: BSD-3-Clause */
/* Every allocation may fail, one at a time. Include it in the one source of a test, in place of counting_malloc.h. */
#ifndef L2O_TEST_FAILING_MALLOC_H
#define L2O_TEST_FAILING_MALLOC_H
#include "counting_malloc.h"
#include "l2o_fixtures.h"

/* Makes something, uses it and frees it again, as far as it gets. */
typedef l2o_status allocating(void *context);

/* What it may answer when an allocation fails. */
typedef enum l2o_shortage {
  ALL_ARE_NEEDED,
  SOME_CAN_BE_SPARED /* success, too: stdio does without its buffer */
} l2o_shortage;

/* Lets the first allocation of `work` fail, then the second and so on until none is left to fail and it answers `last`; skips the
 * test where allocations are not counted. Returns how many there are. */
static inline size_t assert_allocations_may_fail(allocating *work, void *context, l2o_status last, l2o_shortage shortage) {
  if (!allocations_are_counted())
    skip();
  assert_status(work(context), last, NULL); /* and BLAS has what it keeps */
  for (size_t n = 1;; n++) {
    allocations_watch(n);
    const l2o_status status = work(context);
    const allocations seen = allocations_seen();
    if (seen.live != 0)
      fail_msg("allocation %zu fails: %ld blocks are lost", n, seen.live);
    if (seen.calls < n) {
      assert_status(status, last, NULL);
      return n - 1;
    }
    if (status || shortage == ALL_ARE_NEEDED)
      assert_status(status, L2O_ERR_NOMEM, NULL);
  }
}

/* Frees the family that a call has made, if it says so, after an instance was drawn and its minimum found. */
static inline l2o_status use_family(l2o_status made, l2o_family *family) {
  l2o_problem p;
  l2o_real xstar[64];
  double fstar;
  if (made)
    return made;
  l2o_status status = l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL);
  if (!status)
    status = l2o_problem_minimum(&p, &fstar, p.n <= sizeof xstar / sizeof *xstar ? xstar : NULL);
  l2o_problem_free(&p);
  l2o_family_free(family);
  return status;
}

/* The same of a specification, the context. */
static inline l2o_status make_and_use_family(void *spec) {
  l2o_family *family;
  const l2o_status made = l2o_family_new(&family, spec, NULL);
  return use_family(made, family);
}
#endif
