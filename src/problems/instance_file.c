/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/families.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void layout(l2o_instance_set *set, l2o_arena *arena, bool start, bool minimum) {
  size_t entries = set->rows * set->columns; /* fits: checked by l2o_fits_blas() */
  size_t matrix = 0;
  if (__builtin_mul_overflow(set->matrices, entries, &matrix))
    arena->overflow = true;
  L2O_TAKE(arena, set->matrix, matrix);
  L2O_TAKE(arena, set->vector, set->count * set->rows);
  set->start = start ? l2o_take(arena, set->count * set->columns, sizeof *set->start) : NULL;
  set->minimum = minimum ? l2o_take(arena, set->count, sizeof *set->minimum) : NULL;
  L2O_TAKE(arena, set->lipschitz, set->matrices);
}

/* Is the tensor (count, length) or (count, length, 1)? */
static bool is_rows(const l2o_tensor *t, size_t count, size_t length) {
  return (t->rank == 2 || (t->rank == 3 && t->shape[2] == 1)) && t->shape[0] == count && t->shape[1] == length;
}

static l2o_status convert(l2o_real *out, const l2o_tensor *t, const char *path, l2o_diag *diag) {
  double *values = malloc((t->count ? t->count : 1) * sizeof *values);
  if (!values)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory for '%s'", path, t->name);
  l2o_tensor_to_double(t, values);
  for (size_t i = 0; i < t->count; i++)
    out[i] = (l2o_real)values[i];
  free(values);
  for (size_t i = 0; i < t->count; i++)
    if (!l2o_all_finite(&out[i], 1))
      return l2o_fail(diag, L2O_ERR_NUMERIC, "%s: '%s' holds a value that is not finite, at entry %zu", path, t->name, i);
  return L2O_OK;
}

l2o_status l2o_instances_read(l2o_instance_set *set, const char *path, const char *matrix_name, const char *vector_name,
                              l2o_diag *diag) {
  l2o_tensor_file *file;
  *set = (l2o_instance_set){0};
  l2o_status status = l2o_tensor_file_open(&file, path, diag);
  if (status)
    return status;
  const l2o_tensor *matrix = l2o_tensor_file_find(file, matrix_name), *vector = l2o_tensor_file_find(file, vector_name);
  const l2o_tensor *start = l2o_tensor_file_find(file, "x0"), *minimum = l2o_tensor_file_find(file, "fstar");
  status = L2O_ERR_SHAPE;
  if (!matrix || !vector) {
    status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: there is no array '%s'; instances need '%s' and '%s'", path,
                      matrix ? vector_name : matrix_name, matrix_name, vector_name);
    goto done;
  }
  if ((matrix->rank != 2 && matrix->rank != 3) || matrix->count == 0) {
    l2o_fail(diag, status, "%s: '%s' must have shape [instances, m, n] or [m, n], none of them 0", path, matrix_name);
    goto done;
  }
  bool shared = matrix->rank == 2;
  set->rows = matrix->shape[shared ? 0 : 1];
  set->columns = matrix->shape[shared ? 1 : 2];
  set->count = vector->rank ? vector->shape[0] : 0;
  set->matrices = shared ? 1 : matrix->shape[0];
  if (set->count == 0 || !is_rows(vector, set->count, set->rows)) {
    l2o_fail(diag, status, "%s: '%s' must have shape [instances, %zu] to go with '%s'", path, vector_name, set->rows, matrix_name);
    goto done;
  }
  if (!shared && matrix->shape[0] != set->count) {
    l2o_fail(diag, status, "%s: '%s' has %zu instances, '%s' has %zu", path, matrix_name, matrix->shape[0], vector_name,
             set->count);
    goto done;
  }
  if (start && !is_rows(start, set->count, set->columns)) {
    l2o_fail(diag, status, "%s: 'x0' must have shape [%zu, %zu]", path, set->count, set->columns);
    goto done;
  }
  if (minimum && minimum->count != set->count) {
    l2o_fail(diag, status, "%s: 'fstar' must have %zu entries", path, set->count);
    goto done;
  }
  if (!l2o_fits_blas(set->rows, set->columns)) {
    l2o_fail(diag, status, "%s: '%s' is too large for BLAS", path, matrix_name);
    goto done;
  }
  l2o_arena arena = {0};
  layout(set, &arena, start != NULL, minimum != NULL);
  if (!l2o_arena_new(&arena)) {
    status = l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
    goto done;
  }
  layout(set, &arena, start != NULL, minimum != NULL);
  set->block = (l2o_real *)arena.base;
  status = convert(set->matrix, matrix, path, diag);
  if (!status)
    status = convert(set->vector, vector, path, diag);
  if (!status && start)
    status = convert(set->start, start, path, diag);
  if (!status && minimum) {
    l2o_tensor_to_double(minimum, set->minimum);
    if (!l2o_all_finite_double(set->minimum, set->count))
      status = l2o_fail(diag, L2O_ERR_NUMERIC, "%s: 'fstar' holds a value that is not finite", path);
  }
  if (status) {
    free(set->block);
    *set = (l2o_instance_set){0};
  }
done:
  l2o_tensor_file_free(file);
  return status;
}

/* One array of the given shape from `count` pieces of `length` reals each. */
static l2o_status add_pieces(l2o_tensor_writer *writer, const char *name, const l2o_real *const *pieces, size_t count,
                             size_t length, const size_t *shape, size_t rank) {
  size_t total;
  if (__builtin_mul_overflow(count, length, &total) || total > SIZE_MAX / sizeof(double))
    return L2O_ERR_NOMEM;
  double *values = malloc(total * sizeof *values);
  if (!values)
    return L2O_ERR_NOMEM;
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < length; j++)
      values[i * length + j] = (double)pieces[i][j];
  l2o_dtype dtype = sizeof(l2o_real) == sizeof(float) ? L2O_F32 : L2O_F64;
  l2o_status status = l2o_tensor_writer_add(writer, name, dtype, values, shape, rank);
  free(values);
  return status;
}

l2o_status l2o_instances_write(const char *path, const char *matrix_name, const char *vector_name, const l2o_real *const *matrices,
                               const l2o_real *const *vectors, const l2o_real *const *starts, size_t count, size_t rows,
                               size_t columns, l2o_diag *diag) {
  bool shared = count > 1;
  for (size_t i = 1; i < count; i++)
    shared &= matrices[i] == matrices[0];
  l2o_tensor_writer *writer;
  l2o_status status = l2o_tensor_writer_new(&writer);
  if (status)
    return status;
  const size_t matrix[3] = {count, rows, columns}, vector[2] = {count, rows}, start[2] = {count, columns};
  status = shared ? add_pieces(writer, matrix_name, matrices, 1, rows * columns, matrix + 1, 2)
                  : add_pieces(writer, matrix_name, matrices, count, rows * columns, matrix, 3);
  if (!status)
    status = add_pieces(writer, vector_name, vectors, count, rows, vector, 2);
  if (!status && starts[0])
    status = add_pieces(writer, "x0", starts, count, columns, start, 2);
  if (!status)
    status = l2o_tensor_writer_save(writer, path, diag);
  l2o_tensor_writer_free(writer);
  return status;
}
