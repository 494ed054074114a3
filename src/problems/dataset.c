/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/diag.h"
#include <l2o/data.h>

l2o_status l2o_dataset_read_libsvm(l2o_dataset **out, const char *path, size_t features, l2o_diag *diag) {
  (void)features;
  *out = NULL;
  return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: not yet", path);
}
l2o_status l2o_dataset_read_idx(l2o_dataset **out, const char *images, const char *labels, l2o_diag *diag) {
  (void)labels;
  *out = NULL;
  return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: not yet", images);
}
l2o_status l2o_dataset_read_pgm(l2o_dataset **out, const char *path, l2o_diag *diag) {
  *out = NULL;
  return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: not yet", path);
}
l2o_status l2o_dataset_read(l2o_dataset **out, const char *path, l2o_diag *diag) {
  *out = NULL;
  return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: not yet", path);
}
l2o_status l2o_dataset_new(l2o_dataset **out, const l2o_real *A, const double *labels, size_t rows, size_t features,
                           l2o_diag *diag) {
  (void)A, (void)labels, (void)rows, (void)features;
  *out = NULL;
  return l2o_fail(diag, L2O_ERR_NOTSUP, "not yet");
}
void l2o_dataset_free(l2o_dataset *data) {
  (void)data;
}
