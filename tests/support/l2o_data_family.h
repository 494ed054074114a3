/* SPDX-License-Identifier: BSD-3-Clause */
/* Families from arrays of the test's own, and the data sets of experiments/data. */
#ifndef L2O_TEST_DATA_FAMILY_H
#define L2O_TEST_DATA_FAMILY_H
#include "l2o_fixtures.h"

/* "logistic:l2=1e-3" from A (rows, features) and labels (may be NULL). */
static inline l2o_status family_from_arrays(l2o_family **out, const char *spec, const l2o_real *A, const double *labels,
                                            size_t rows, size_t features, l2o_diag *diag) {
  l2o_dataset *data;
  *out = NULL;
  l2o_status status = l2o_dataset_new(&data, A, labels, rows, features, diag);
  if (status)
    return status;
  status = l2o_family_new_from(out, spec, data, diag);
  if (status)
    l2o_dataset_free(data);
  return status;
}

/* The one instance of a family of data; the family goes on owning the data. */
static inline l2o_problem instance_of(const l2o_family *family) {
  l2o_problem p;
  l2o_diag diag = {""};
  assert_int_equal(family->count, 1);
  assert_status(l2o_family_sample(family, &p, 7, L2O_PURPOSE_EVAL, 0, &diag), L2O_OK, &diag);
  return p;
}

static inline l2o_family *family_of_file(const char *spec, const char *name) {
  char path[400];
  l2o_family *family;
  l2o_diag diag = {""};
  snprintf(path, sizeof path, "%s/../experiments/data/%s", L2O_TEST_DATA, name);
  assert_status(l2o_family_new_data(&family, spec, path, &diag), L2O_OK, &diag);
  return family;
}

static inline void doubles_of(double *out, const l2o_real *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    out[i] = (double)x[i];
}
#endif
