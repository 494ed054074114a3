/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of a safetensors file: `tokens` (rows, features) of whole numbers or `data` (rows, features), and perhaps `labels` (rows).
 */
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/readers.h"
#include <l2o/tensor_file.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096 };

/* Where the tensors stand; `absent`: there is none. */
typedef struct places {
  size_t rows, labels, absent;
  bool tokens;
} places;

static l2o_status find(places *o, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  o->absent = o->rows = o->labels = l2o_tensor_file_count(file);
  for (size_t i = 0; i < o->absent; i++) {
    const char *name = l2o_tensor_file_at(file, i)->name;
    const bool tokens = strcmp(name, "tokens") == 0;
    if (strcmp(name, "labels") == 0) {
      o->labels = i;
    } else if (!tokens && strcmp(name, "data") != 0) {
      return l2o_fail(diag, L2O_ERR_FORMAT, "%s: tensor '%.80s' is unknown, expected tokens or data, and perhaps labels", path,
                      name);
    } else if (o->rows != o->absent) {
      return l2o_fail(diag, L2O_ERR_FORMAT, "%s: has tokens and data, expected one of them", path);
    } else {
      o->rows = i;
      o->tokens = tokens;
    }
  }
  if (o->rows == o->absent)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: has no tensor `tokens` or `data`", path);
  return L2O_OK;
}

static l2o_status check(const places *o, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  const l2o_tensor *t = l2o_tensor_file_at(file, o->rows), *labels = l2o_tensor_file_at(file, o->labels);
  if (t->rank != 2 || t->count == 0)
    return l2o_fail(diag, L2O_ERR_FORMAT,
                    "%s: tensor '%s' has %zu sizes and %zu elements, expected rows of features, at least one of each", path,
                    t->name, t->rank, t->count);
  if (o->tokens && t->dtype != L2O_I64)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: tokens are no whole numbers, expected dtype I64", path);
  if (labels && (labels->rank != 1 || labels->count != t->shape[0]))
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: labels have %zu sizes and %zu elements, expected one for each of the %zu rows", path,
                    labels->rank, labels->count, t->shape[0]);
  return L2O_OK;
}

/* A real may hold fewer digits than the file has; of a token none may be lost. */
static l2o_status read_rows(l2o_dataset *data, const places *o, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  const size_t count = data->rows * data->features; /* fits: the bytes are there */
  double piece[PIECE];
  for (size_t first = 0; first < count; first += PIECE) {
    const size_t next = count - first < PIECE ? count - first : PIECE;
    const l2o_status status = l2o_tensor_file_read(file, piece, o->rows, first, next, diag);
    if (status)
      return status;
    for (size_t i = 0; i < next; i++) {
      const size_t at = first + i;
      data->A[at] = (l2o_real)piece[i];
      if (!l2o_all_finite(&data->A[at], 1) || (o->tokens && (double)data->A[at] != piece[i]))
        return l2o_fail(diag, L2O_ERR_FORMAT, "%s: row %zu, column %zu is %.17g, expected a %s that this precision holds", path,
                        at / data->features, at % data->features, piece[i], o->tokens ? "token" : "finite number");
    }
  }
  return L2O_OK;
}

static l2o_status read_labels(l2o_dataset *data, const places *o, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  const l2o_status status = l2o_tensor_file_read(file, data->labels, o->labels, 0, data->rows, diag);
  for (size_t i = 0; i < data->rows && !status; i++)
    if (!l2o_all_finite_double(&data->labels[i], 1))
      return l2o_fail(diag, L2O_ERR_FORMAT, "%s: label %zu is %g, expected a finite number", path, i, data->labels[i]);
  return status;
}

static l2o_status read_file(l2o_dataset *data, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  places o;
  l2o_status status = find(&o, file, path, diag);
  if (!status)
    status = check(&o, file, path, diag);
  if (status)
    return status;
  const bool labelled = o.labels != o.absent;
  const l2o_tensor *t = l2o_tensor_file_at(file, o.rows);
  data->rows = t->shape[0];
  data->features = t->shape[1];
  data->A = t->count <= PTRDIFF_MAX / sizeof *data->A ? malloc(t->count * sizeof *data->A) : NULL;
  data->labels = labelled ? malloc(data->rows * sizeof *data->labels) : NULL;
  if (!data->A || (labelled && !data->labels))
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory for %zu rows of %zu features", path, data->rows, data->features);
  status = read_rows(data, &o, file, path, diag);
  return status || !labelled ? status : read_labels(data, &o, file, path, diag);
}

l2o_status l2o_read_tensors(l2o_dataset *data, const char *path, l2o_diag *diag) {
  l2o_tensor_file *file;
  l2o_status status = l2o_tensor_file_open_header(&file, path, diag);
  if (status)
    return status;
  status = read_file(data, file, path, diag);
  l2o_tensor_file_free(file);
  return status;
}
