/* SPDX-License-Identifier: BSD-3-Clause */
/* Readers take paths: one file without a name for all inputs of a fuzz target, and what every reader must hold to. */
#ifndef L2O_FUZZ_FILE_H
#define L2O_FUZZ_FILE_H
#include <l2o/data.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool holds) {
  if (!holds)
    abort();
}

/* Path of a file that holds these bytes. */
static inline const char *file_with(const uint8_t *bytes, size_t size) {
  static char path[40];
  static FILE *file;
  if (!file) {
    require((file = tmpfile()) != NULL);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
  }
  /* not cut to nothing first: some file systems then write to the disk at each close */
  require(pwrite(fileno(file), bytes, size, 0) == (ssize_t)size && ftruncate(fileno(file), (off_t)size) == 0);
  return path;
}

/* Refused with one printable sentence that begins with the path, or finite numbers and classes that are the labels. */
static inline void check_dataset(l2o_status status, const l2o_dataset *data, const char *path, const l2o_diag *diag) {
  if (status) {
    require(status == L2O_ERR_FORMAT && !data && strncmp(diag->text, path, strlen(path)) == 0);
    for (const char *c = diag->text; *c; c++)
      require(*c >= ' ' && *c <= '~');
    return;
  }
  require(data && data->rows && data->features);
  for (size_t i = 0; i < data->rows * data->features; i++)
    require(isfinite(data->A[i]));
  require(!data->class_count == !data->classes && !data->class_count == !data->class_of);
  for (size_t i = 1; i < data->class_count; i++)
    require(data->classes[i - 1] < data->classes[i]);
  for (size_t i = 0; data->class_of && i < data->rows; i++)
    require(data->classes[data->class_of[i]] == data->labels[i]);
}

/* Pictures and arrays: numbers from 0 to 1. */
static inline void check_pixels(const l2o_dataset *data) {
  for (size_t i = 0; data && i < data->rows * data->features; i++)
    require(data->A[i] >= 0 && data->A[i] <= 1);
}
#endif
