/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays of the golden files (tests/golden/README.md); a file that lacks one fails the test. */
#ifndef L2O_TEST_GOLDEN_H
#define L2O_TEST_GOLDEN_H
#include "l2o_test.h"
#include <l2o/tensor_file.h>
#include <stdlib.h>

static inline bool golden_has(const l2o_tensor_file *file, const char *name) {
  return l2o_tensor_file_find(file, name) != NULL;
}

/* The values, and how many unless count is NULL; free() them. */
static inline double *golden_values(const l2o_tensor_file *file, const char *name, size_t *count) {
  const l2o_tensor *t = l2o_tensor_file_find(file, name);
  if (!t)
    fail_msg("golden file lacks %s", name);
  double *values = malloc((t->count + 1) * sizeof *values);
  l2o_tensor_to_double(t, values);
  if (count)
    *count = t->count;
  return values;
}

/* The values, which must be that many. */
static inline double *golden_exactly(const l2o_tensor_file *file, const char *name, size_t count) {
  size_t given;
  double *values = golden_values(file, name, &given);
  assert_int_equal(given, count);
  return values;
}

static inline double golden_scalar(const l2o_tensor_file *file, const char *name) {
  double *v = golden_values(file, name, NULL), value = v[0];
  free(v);
  return value;
}

static inline l2o_real *golden_reals(const l2o_tensor_file *file, const char *name) {
  size_t count;
  double *v = golden_values(file, name, &count);
  l2o_real *r = malloc((count + 1) * sizeof *r);
  for (size_t i = 0; i < count; i++)
    r[i] = (l2o_real)v[i];
  free(v);
  return r;
}
#endif
