/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/linalg.h"
#include "problems/readers.h"
#include <stdlib.h>
#include <string.h>

void l2o_dataset_free(l2o_dataset *data) {
  if (!data)
    return;
  free(data->A);
  free(data->labels);
  free(data->classes);
  free(data->class_of);
  free(data->name);
  free(data);
}

static int compare_labels(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The distinct labels, if there are not too many of them to be classes, and which of them each row has. */
static l2o_status find_classes(l2o_dataset *data, const char *where, l2o_diag *diag) {
  if (!data->labels)
    return L2O_OK;
  double *sorted = malloc(data->rows * sizeof *sorted); /* as many as there are labels: fits */
  if (!sorted)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", where);
  memcpy(sorted, data->labels, data->rows * sizeof *sorted);
  qsort(sorted, data->rows, sizeof *sorted, compare_labels);
  size_t count = 0;
  for (size_t i = 0; i < data->rows && count <= L2O_DATASET_CLASSES; i++)
    if (count == 0 || sorted[count - 1] != sorted[i])
      sorted[count++] = sorted[i];
  if (count > L2O_DATASET_CLASSES) {
    free(sorted);
    return L2O_OK;
  }
  data->classes = malloc(count * sizeof *data->classes);
  data->class_of = malloc(data->rows * sizeof *data->class_of);
  if (!data->classes || !data->class_of) {
    free(sorted);
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", where);
  }
  memcpy(data->classes, sorted, count * sizeof *sorted);
  free(sorted);
  data->class_count = count;
  for (size_t i = 0; i < data->rows; i++) {
    const double *found = bsearch(&data->labels[i], data->classes, count, sizeof *data->classes, compare_labels);
    data->class_of[i] = (size_t)(found - data->classes);
  }
  return L2O_OK;
}

/* ---- arrays of the caller's ---- */

l2o_status l2o_dataset_new(l2o_dataset **out, const l2o_real *A, const double *labels, size_t rows, size_t features,
                           l2o_diag *diag) {
  static const char name[] = "data";
  *out = NULL;
  if (rows == 0 || features == 0)
    return l2o_fail(diag, L2O_ERR_SHAPE, "data: %zu rows of %zu features, expected at least one of each", rows, features);
  size_t entries, bytes;
  if (__builtin_mul_overflow(rows, features, &entries) || __builtin_mul_overflow(entries, sizeof(double), &bytes) ||
      bytes > PTRDIFF_MAX)
    return l2o_fail(diag, L2O_ERR_SHAPE, "data: %zu rows of %zu features are more than memory can hold", rows, features);
  for (size_t i = 0; i < entries; i++)
    if (!l2o_all_finite(&A[i], 1))
      return l2o_fail(diag, L2O_ERR_NUMERIC, "data: row %zu, feature %zu is %g, expected a finite number", i / features,
                      i % features, (double)A[i]);
  for (size_t i = 0; labels && i < rows; i++)
    if (!l2o_all_finite_double(&labels[i], 1))
      return l2o_fail(diag, L2O_ERR_NUMERIC, "data: label %zu is %g, expected a finite number", i, labels[i]);
  l2o_dataset *data = calloc(1, sizeof *data);
  if (!data)
    return l2o_fail(diag, L2O_ERR_NOMEM, "data: out of memory");
  data->rows = rows;
  data->features = features;
  data->A = malloc(entries * sizeof *data->A);
  data->labels = labels ? malloc(rows * sizeof *data->labels) : NULL;
  data->name = malloc(sizeof name);
  if (!data->A || !data->name || (labels && !data->labels)) {
    l2o_dataset_free(data);
    return l2o_fail(diag, L2O_ERR_NOMEM, "data: out of memory for %zu rows of %zu features", rows, features);
  }
  memcpy(data->A, A, entries * sizeof *A);
  memcpy(data->name, name, sizeof name);
  if (labels)
    memcpy(data->labels, labels, rows * sizeof *labels);
  l2o_status status = find_classes(data, name, diag);
  if (status) {
    l2o_dataset_free(data);
    return status;
  }
  *out = data;
  return L2O_OK;
}

/* ---- files ---- */

typedef enum format { ANY, LIBSVM, IDX, PGM, TENSORS } format;

/* By the first bytes; none of the others begins like a line of LIBSVM text. */
static format format_of(l2o_byte_stream *stream) {
  if (l2o_stream_peek(stream) < 0)
    return LIBSVM;                             /* an empty file, or a failure that its reader meets again */
  static const unsigned char no_more[4] = {0}; /* of a header's length, 8 bytes before its '{' */
  const unsigned char *bytes = stream->bytes;
  if (stream->end > 8 && memcmp(bytes + 4, no_more, sizeof no_more) == 0 && bytes[8] == '{')
    return TENSORS;
  if (stream->end >= 2 && bytes[0] == 0 && bytes[1] == 0)
    return IDX;
  if (stream->end >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' && (bytes[2] <= ' ' || bytes[2] == '#'))
    return PGM; /* its reader tells of the pixmaps that are no PGM */
  return LIBSVM;
}

l2o_status l2o_table_from_samples(l2o_dataset *data, const l2o_byte_stream *stream, const unsigned char *samples, int width,
                                  unsigned largest) {
  size_t count = data->rows * data->features; /* fits: the samples are there */
  data->A = count <= PTRDIFF_MAX / sizeof *data->A ? malloc(count * sizeof *data->A) : NULL;
  if (!data->A)
    return l2o_fail(stream->diag, L2O_ERR_NOMEM, "%s: out of memory for %zu rows of %zu features", stream->path, data->rows,
                    data->features);
  for (size_t i = 0; i < count; i++, samples += width) {
    unsigned sample = width == 1 ? samples[0] : (unsigned)samples[0] << 8 | samples[1];
    if (sample > largest)
      return l2o_fail(stream->diag, L2O_ERR_FORMAT, "%s: row %zu, column %zu is %u, above the largest value of its header, %u",
                      stream->path, i / data->features, i % data->features, sample, largest);
    data->A[i] = (l2o_real)(sample / (double)largest);
  }
  return L2O_OK;
}

static l2o_status read_stream(l2o_dataset *data, l2o_byte_stream *stream, format kind, const char *labels, size_t features) {
  const char *slash = strrchr(stream->path, '/'), *name = slash ? slash + 1 : stream->path;
  size_t length = strlen(name) + 1;
  data->name = malloc(length);
  if (!data->name)
    return l2o_fail(stream->diag, L2O_ERR_NOMEM, "%s: out of memory", stream->path);
  memcpy(data->name, name, length);
  if (kind == ANY)
    kind = format_of(stream);
  l2o_status status = kind == IDX       ? l2o_read_idx(data, stream, labels)
                      : kind == PGM     ? l2o_read_pgm(data, stream)
                      : kind == TENSORS ? l2o_read_tensors(data, stream->path, stream->diag)
                                        : l2o_read_libsvm(data, stream, features);
  return status ? status : find_classes(data, stream->path, stream->diag);
}

static l2o_status read_file(l2o_dataset **out, const char *path, format kind, const char *labels, size_t features, l2o_diag *diag) {
  *out = NULL;
  l2o_byte_stream *stream;
  l2o_status status = l2o_stream_open(&stream, path, diag);
  if (status)
    return status;
  l2o_dataset *data = calloc(1, sizeof *data);
  status = data ? read_stream(data, stream, kind, labels, features) : l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  l2o_stream_close(stream);
  if (status)
    l2o_dataset_free(data);
  else
    *out = data;
  return status;
}

l2o_status l2o_dataset_read_libsvm(l2o_dataset **out, const char *path, size_t features, l2o_diag *diag) {
  return read_file(out, path, LIBSVM, NULL, features, diag);
}

l2o_status l2o_dataset_read_idx(l2o_dataset **out, const char *images, const char *labels, l2o_diag *diag) {
  return read_file(out, images, IDX, labels, 0, diag);
}

l2o_status l2o_dataset_read_pgm(l2o_dataset **out, const char *path, l2o_diag *diag) {
  return read_file(out, path, PGM, NULL, 0, diag);
}

l2o_status l2o_dataset_read(l2o_dataset **out, const char *path, l2o_diag *diag) {
  return read_file(out, path, ANY, NULL, 0, diag);
}
