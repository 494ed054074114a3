/* SPDX-License-Identifier: BSD-3-Clause */
/* Families whose instances come from somewhere: the rows of a safetensors file, or a data set. */
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/instance.h"
#include <l2o/tensor_file.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading a file ---- */

/* Arrays of a file in one block: free(set->block). */
typedef struct instance_set {
  void *block;
  l2o_real *matrix;   /* (matrices, rows, columns) */
  l2o_real *vector;   /* (count, rows) */
  l2o_real *start;    /* (count, columns) or NULL */
  double *minimum;    /* (count) or NULL */
  double *ridge, *l1; /* (count) */
  double *constant;   /* (matrices) */
  l2o_real *h, *c;    /* (count, layers, columns, hidden) or NULL */
  size_t count, matrices, rows, columns, layers, hidden;
} instance_set;

/* What the file has of what it may have. */
typedef struct found {
  const l2o_tensor *matrix, *vector, *start, *minimum, *ridge, *l1, *h, *c;
} found;

static void layout(instance_set *set, l2o_arena *arena, const found *have) {
  size_t entries = set->rows * set->columns; /* fits: checked by l2o_fits_blas() */
  size_t matrix = 0;
  if (__builtin_mul_overflow(set->matrices, entries, &matrix))
    arena->overflow = true;
  L2O_TAKE(arena, set->matrix, matrix);
  L2O_TAKE(arena, set->vector, set->count * set->rows);
  set->start = have->start ? l2o_take(arena, set->count * set->columns, sizeof *set->start) : NULL;
  set->minimum = have->minimum ? l2o_take(arena, set->count, sizeof *set->minimum) : NULL;
  L2O_TAKE(arena, set->ridge, set->count);
  L2O_TAKE(arena, set->l1, set->count);
  L2O_TAKE(arena, set->constant, set->matrices);
  set->h = have->h ? l2o_take(arena, have->h->count, sizeof *set->h) : NULL;
  set->c = have->c ? l2o_take(arena, have->c->count, sizeof *set->c) : NULL;
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

/* h0 and c0 (layers, B n, hidden), both or none of them. */
static l2o_status check_states(instance_set *set, const found *have, const char *path, l2o_diag *diag) {
  if (!have->h && !have->c)
    return L2O_OK;
  if (!have->h || !have->c)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: there is '%s' without '%s'; expected both or neither", path, have->h ? "h0" : "c0",
                    have->h ? "c0" : "h0");
  const size_t rows = set->count * set->columns;
  for (size_t i = 0; i < 2; i++) {
    const l2o_tensor *t = i ? have->c : have->h;
    if (t->rank != 3 || t->count == 0 || t->shape[1] != rows || t->shape[0] != have->h->shape[0] ||
        t->shape[2] != have->h->shape[2])
      return l2o_fail(diag, L2O_ERR_SHAPE,
                      "%s: '%s' must have shape [layers, %zu, hidden], instances times unknowns in the middle%s", path, t->name,
                      rows, i ? ", like 'h0'" : "");
  }
  set->layers = have->h->shape[0];
  set->hidden = have->h->shape[2];
  return L2O_OK;
}

static l2o_status check_shapes(instance_set *set, const l2o_instance_kind *kind, const found *have, const char *path,
                               l2o_diag *diag) {
  const l2o_tensor *matrix = have->matrix, *vector = have->vector;
  if (!matrix || !vector)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: there is no array '%s'; instances need '%s' and '%s'", path,
                    matrix ? kind->vector : kind->matrix, kind->matrix, kind->vector);
  if ((matrix->rank != 2 && matrix->rank != 3) || matrix->count == 0)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' must have shape [instances, m, n] or [m, n], none of them 0", path,
                    kind->matrix);
  const bool shared = matrix->rank == 2;
  set->rows = matrix->shape[shared ? 0 : 1];
  set->columns = matrix->shape[shared ? 1 : 2];
  set->count = vector->rank ? vector->shape[0] : 0;
  set->matrices = shared ? 1 : matrix->shape[0];
  if (set->count == 0 || !is_rows(vector, set->count, set->rows))
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' must have shape [instances, %zu] to go with '%s'", path, kind->vector, set->rows,
                    kind->matrix);
  if (!shared && matrix->shape[0] != set->count)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' has %zu instances, '%s' has %zu", path, kind->matrix, matrix->shape[0],
                    kind->vector, set->count);
  if (have->start && !is_rows(have->start, set->count, set->columns))
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: 'x0' must have shape [%zu, %zu]", path, set->count, set->columns);
  if (have->minimum && have->minimum->count != set->count)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: 'fstar' must have %zu entries", path, set->count);
  if (!l2o_fits_blas(set->rows, set->columns))
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' is too large for BLAS", path, kind->matrix);
  if (kind->square && set->rows != set->columns)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' is %zu x %zu, but must be square", path, kind->matrix, set->rows, set->columns);
  return check_states(set, have, path, diag);
}

/* States of all instances, an instance after another: (layers, B, n hidden) become (B, layers, n hidden). */
static l2o_status convert_states(l2o_real *out, const instance_set *set, const l2o_tensor *t, const char *path, l2o_diag *diag) {
  const size_t piece = set->columns * set->hidden;
  l2o_real *all = malloc(t->count * sizeof *all);
  l2o_status status =
      all ? convert(all, t, path, diag) : l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory for '%s'", path, t->name);
  for (size_t l = 0; l < set->layers && !status; l++)
    for (size_t i = 0; i < set->count; i++)
      memcpy(out + (i * set->layers + l) * piece, all + (l * set->count + i) * piece, piece * sizeof *out);
  free(all);
  return status;
}

/* Two classes are told apart, no more. */
static l2o_status check_labels(const instance_set *set, const l2o_instance_kind *kind, const char *path, l2o_diag *diag) {
  for (size_t i = 0; i < set->count * set->rows; i++)
    if (set->vector[i] != 1 && set->vector[i] != -1)
      return l2o_fail(diag, L2O_ERR_FORMAT, "%s: '%s' of instance %zu, row %zu is %g; expected one of two labels, -1 or 1", path,
                      kind->vector, i / set->rows, i % set->rows, (double)set->vector[i]);
  return L2O_OK;
}

static l2o_status check_atoms(const l2o_instance_kind *kind, const l2o_real *matrix, size_t rows, size_t columns, size_t instance,
                              const char *path, l2o_diag *diag) {
  for (size_t j = 0; j < columns; j++) {
    size_t i = 0;
    while (i < rows && matrix[i * columns + j] == 0)
      i++;
    if (i == rows)
      return l2o_fail(diag, L2O_ERR_NUMERIC, "%s: column %zu of '%s' of instance %zu is zero; expected a dictionary without such",
                      path, j, kind->matrix, instance);
  }
  return L2O_OK;
}

/* A weight, one an instance or one for all of them; `usual` where the file has none. */
static l2o_status weights(double *out, const l2o_tensor *t, double usual, size_t count, const char *path, l2o_diag *diag) {
  for (size_t i = 0; i < count; i++)
    out[i] = usual;
  if (!t)
    return L2O_OK;
  if (t->count != 1 && t->count != count)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: '%s' must have 1 or %zu entries", path, t->name, count);
  l2o_tensor_to_double(t, out);
  for (size_t i = t->count; i < count; i++)
    out[i] = out[0];
  for (size_t i = 0; i < count; i++)
    if (!(out[i] >= 0) || !isfinite(out[i]))
      return l2o_fail(diag, L2O_ERR_NUMERIC, "%s: '%s' of instance %zu is %g; expected 0 or more", path, t->name, i, out[i]);
  return L2O_OK;
}

static l2o_status read_arrays(instance_set *set, const l2o_instance_kind *kind, const found *have, const char *path,
                              l2o_diag *diag) {
  l2o_status status = check_shapes(set, kind, have, path, diag);
  if (status)
    return status;
  l2o_arena arena = {0};
  layout(set, &arena, have);
  if (!l2o_arena_new(&arena))
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  layout(set, &arena, have);
  set->block = arena.base;
  status = convert(set->matrix, have->matrix, path, diag);
  if (!status)
    status = convert(set->vector, have->vector, path, diag);
  if (!status && have->start)
    status = convert(set->start, have->start, path, diag);
  if (!status && have->h)
    status = convert_states(set->h, set, have->h, path, diag);
  if (!status && have->c)
    status = convert_states(set->c, set, have->c, path, diag);
  if (!status && have->minimum) {
    l2o_tensor_to_double(have->minimum, set->minimum);
    if (!l2o_all_finite_double(set->minimum, set->count))
      status = l2o_fail(diag, L2O_ERR_NUMERIC, "%s: 'fstar' holds a value that is not finite", path);
  }
  if (!status && kind->labels)
    status = check_labels(set, kind, path, diag);
  if (!status)
    status = weights(set->ridge, have->ridge, 0, set->count, path, diag);
  if (!status)
    status = weights(set->l1, have->l1, kind->usual_l1, set->count, path, diag);
  for (size_t i = 0; i < set->matrices && !status; i++) {
    status = kind->constant(&set->constant[i], set->matrix + i * set->rows * set->columns, set->rows, set->columns);
    if (status)
      l2o_fail(diag, status, "%s: norm of %s, instance %zu: %s", path, kind->matrix, i, l2o_strerror(status));
    else if (!(set->constant[i] > 0))
      status = l2o_fail(diag, L2O_ERR_NUMERIC, "%s: %s of instance %zu is %s", path, kind->matrix, i,
                        kind->square ? "not positive definite" : "zero");
    else if (kind->atoms)
      status = check_atoms(kind, set->matrix + i * set->rows * set->columns, set->rows, set->columns, i, path, diag);
  }
  return status;
}

typedef struct file_family {
  l2o_family base; /* first: the family handle points here */
  const l2o_instance_kind *kind;
  instance_set set;
} file_family;

static l2o_states states_of(const instance_set *s, size_t row) {
  const size_t each = s->layers * s->columns * s->hidden;
  return s->h ? (l2o_states){.layers = s->layers, .hidden = s->hidden, .h = s->h + row * each, .c = s->c + row * each}
              : (l2o_states){0};
}

/* Instance i is row i modulo the number of rows. */
static l2o_status sample_row(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const file_family *f = (const file_family *)family;
  const instance_set *s = &f->set;
  const size_t row = (size_t)(index % s->count), matrix = s->matrices == 1 ? 0 : row;
  (void)seed;
  const l2o_instance arrays = {.matrix = s->matrix + matrix * s->rows * s->columns,
                               .vector = s->vector + row * s->rows,
                               .start = s->start ? s->start + row * s->columns : NULL,
                               .ridge = s->ridge[row],
                               .l1 = s->l1[row],
                               .lipschitz = s->constant[matrix],
                               .minimum = s->minimum ? s->minimum[row] : (double)NAN,
                               .rows = s->rows,
                               .states = states_of(s, row)};
  return f->kind->make ? f->kind->make(out, &arrays, s->columns, diag) : l2o_instance_new(out, f->kind, &arrays, s->columns, diag);
}

static void free_file_family(l2o_family *family) {
  file_family *f = (file_family *)family;
  free(f->set.block);
  free(f);
}

l2o_status l2o_instances_open(l2o_family **out, const l2o_instance_kind *kind, const char *path, l2o_diag *diag) {
  l2o_tensor_file *file;
  l2o_status status = l2o_tensor_file_open(&file, path, diag);
  if (status)
    return status;
  file_family *f = malloc(sizeof *f);
  if (!f) {
    l2o_tensor_file_free(file);
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  }
  *f = (file_family){.base = {.struct_size = sizeof f->base, .name = kind->name, .sample = sample_row, .free = free_file_family},
                     .kind = kind};
  const found have = {.matrix = l2o_tensor_file_find(file, kind->matrix),
                      .vector = l2o_tensor_file_find(file, kind->vector),
                      .start = l2o_tensor_file_find(file, "x0"),
                      .minimum = l2o_tensor_file_find(file, "fstar"),
                      .h = l2o_tensor_file_find(file, "h0"),
                      .c = l2o_tensor_file_find(file, "c0"),
                      .ridge = kind->ridge ? l2o_tensor_file_find(file, kind->ridge) : NULL,
                      .l1 = kind->l1 ? l2o_tensor_file_find(file, kind->l1) : NULL};
  status = read_arrays(&f->set, kind, &have, path, diag);
  l2o_tensor_file_free(file);
  if (status) {
    free_file_family(&f->base);
    return status;
  }
  f->base.n = f->set.columns;
  f->base.count = f->set.count;
  *out = &f->base;
  return L2O_OK;
}

/* ---- writing a file ---- */

static const l2o_instance *instance_of(const l2o_problem *p) {
  return p->data;
}

/* What an instance has of an array, as doubles; labels come off the rows again. */
typedef void piece_of(double *out, const l2o_instance_kind *kind, const l2o_instance *d, size_t columns);
static void matrix_of(double *out, const l2o_instance_kind *kind, const l2o_instance *d, size_t columns) {
  for (size_t i = 0; i < d->rows * columns; i++)
    out[i] = kind->labels && d->label[i / columns] == 0 ? -(double)d->matrix[i] : (double)d->matrix[i];
}
static void vector_of(double *out, const l2o_instance_kind *kind, const l2o_instance *d, size_t columns) {
  (void)columns;
  for (size_t i = 0; i < d->rows; i++)
    out[i] = !kind->labels ? (double)d->vector[i] : d->label[i] ? 1 : -1;
}
static void start_of(double *out, const l2o_instance_kind *kind, const l2o_instance *d, size_t columns) {
  (void)kind;
  for (size_t j = 0; j < columns; j++)
    out[j] = (double)d->start[j];
}

/* One array of the given shape from the `length` numbers that each of `count` instances has. */
static l2o_status add_pieces(l2o_tensor_writer *writer, const char *name, const l2o_instance_kind *kind,
                             const l2o_problem *instances, piece_of *piece, size_t count, size_t length, const size_t *shape,
                             size_t rank) {
  size_t total;
  if (__builtin_mul_overflow(count, length, &total) || total > SIZE_MAX / sizeof(double))
    return L2O_ERR_NOMEM;
  double *values = malloc(total * sizeof *values);
  if (!values)
    return L2O_ERR_NOMEM;
  for (size_t i = 0; i < count; i++)
    piece(values + i * length, kind, instance_of(&instances[i]), instances[i].n);
  l2o_dtype dtype = sizeof(l2o_real) == sizeof(float) ? L2O_F32 : L2O_F64;
  l2o_status status = l2o_tensor_writer_add(writer, name, dtype, values, shape, rank);
  free(values);
  return status;
}

/* The weights, one an instance. */
static l2o_status add_weights(l2o_tensor_writer *writer, const l2o_instance_kind *kind, const l2o_problem *instances,
                              size_t count) {
  double *values = malloc(count * sizeof *values);
  l2o_status status = values ? L2O_OK : L2O_ERR_NOMEM;
  if (!status && kind->ridge) {
    for (size_t i = 0; i < count; i++)
      values[i] = instance_of(&instances[i])->ridge;
    status = l2o_tensor_writer_add(writer, kind->ridge, L2O_F64, values, &count, 1);
  }
  if (!status && kind->l1) {
    for (size_t i = 0; i < count; i++)
      values[i] = instance_of(&instances[i])->l1;
    status = l2o_tensor_writer_add(writer, kind->l1, L2O_F64, values, &count, 1);
  }
  free(values);
  return status;
}

/* The minima, one an instance; none where one of them is not known. */
static l2o_status add_minima(l2o_tensor_writer *writer, const l2o_problem *instances, size_t count) {
  double *values = malloc(count * sizeof *values);
  l2o_status status = values ? L2O_OK : L2O_ERR_NOMEM;
  for (size_t i = 0; i < count && !status; i++)
    status = l2o_problem_minimum(&instances[i], &values[i], NULL);
  if (!status)
    status = l2o_tensor_writer_add(writer, "fstar", L2O_F64, values, &count, 1);
  free(values);
  return status == L2O_ERR_NOTSUP ? L2O_OK : status;
}

/* h0 and c0 (layers, B n, hidden); none where an instance has none, or of other sizes. */
static l2o_status add_states(l2o_tensor_writer *writer, const l2o_problem *instances, size_t count) {
  const l2o_states *first = &instance_of(&instances[0])->states;
  const size_t piece = instances[0].n * first->hidden, shape[3] = {first->layers, count * instances[0].n, first->hidden};
  for (size_t i = 0; i < count; i++) {
    const l2o_states *s = &instance_of(&instances[i])->states;
    if (!s->layers || s->layers != first->layers || s->hidden != first->hidden)
      return L2O_OK;
  }
  double *values = malloc(shape[0] * count * piece * sizeof *values);
  l2o_status status = values ? L2O_OK : L2O_ERR_NOMEM;
  const l2o_dtype dtype = sizeof(l2o_real) == sizeof(float) ? L2O_F32 : L2O_F64;
  for (int which = 0; which < 2 && !status; which++) {
    for (size_t l = 0; l < shape[0]; l++)
      for (size_t i = 0; i < count; i++) {
        const l2o_states *s = &instance_of(&instances[i])->states;
        const l2o_real *from = (which ? s->c : s->h) + l * piece;
        for (size_t k = 0; k < piece; k++)
          values[(l * count + i) * piece + k] = (double)from[k];
      }
    status = l2o_tensor_writer_add(writer, which ? "c0" : "h0", dtype, values, shape, 3);
  }
  free(values);
  return status;
}

l2o_status l2o_instances_save(const l2o_instance_kind *kind, const l2o_problem *instances, size_t count, const char *path,
                              l2o_diag *diag) {
  const l2o_instance *first = instance_of(&instances[0]);
  const size_t rows = first->rows, columns = instances[0].n;
  bool shared = count > 1;
  for (size_t i = 0; i < count; i++) {
    const l2o_instance *d = instance_of(&instances[i]);
    if (d->rows != rows || instances[i].n != columns || !d->start != !first->start)
      return l2o_fail(diag, L2O_ERR_SHAPE, "%s: instance %zu has other sizes than instance 0", path, i);
    if (kind->atoms && check_atoms(kind, d->matrix, rows, columns, i, path, diag))
      return L2O_ERR_NUMERIC;
    shared &= d->matrix == first->matrix;
  }
  l2o_tensor_writer *writer;
  l2o_status status = l2o_tensor_writer_new(&writer);
  if (status)
    return status;
  const size_t matrix[3] = {count, rows, columns}, vector[2] = {count, rows}, start[2] = {count, columns};
  status = shared ? add_pieces(writer, kind->matrix, kind, instances, matrix_of, 1, rows * columns, matrix + 1, 2)
                  : add_pieces(writer, kind->matrix, kind, instances, matrix_of, count, rows * columns, matrix, 3);
  if (!status)
    status = add_pieces(writer, kind->vector, kind, instances, vector_of, count, rows, vector, 2);
  if (!status && first->start)
    status = add_pieces(writer, "x0", kind, instances, start_of, count, columns, start, 2);
  if (!status && (kind->ridge || kind->l1))
    status = add_weights(writer, kind, instances, count);
  if (!status)
    status = add_minima(writer, instances, count);
  if (!status)
    status = add_states(writer, instances, count);
  if (!status)
    status = l2o_tensor_writer_save(writer, path, diag);
  l2o_tensor_writer_free(writer);
  return status;
}

/* ---- one instance from a data set ---- */

typedef struct data_family {
  l2o_family base; /* first: the family handle points here */
  const l2o_instance_kind *kind;
  l2o_dataset *data;
  l2o_instance arrays;
  char note[160];
  l2o_real vector[]; /* (rows) */
} data_family;

static l2o_status sample_data(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const data_family *f = (const data_family *)family;
  (void)seed, (void)index;
  return l2o_instance_new(out, f->kind, &f->arrays, family->n, diag);
}

static void free_data_family(l2o_family *family) {
  l2o_dataset_free(((data_family *)family)->data);
  free(family);
}

l2o_status l2o_data_fits(const char *name, const l2o_dataset *data, size_t rows, size_t features, l2o_diag *diag) {
  if (features && features != data->features)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: n = %zu, but %s has %zu features", name, features, data->name, data->features);
  if (rows && rows != data->rows)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: m = %zu, but %s has %zu rows", name, rows, data->name, data->rows);
  return L2O_OK;
}

l2o_status l2o_instances_from_data(l2o_family **out, const l2o_instance_kind *kind, l2o_dataset *data, double ridge, double l1,
                                   l2o_diag *diag) {
  const char *name = data->name ? data->name : "the data";
  if (!data->labels)
    return l2o_fail(diag, L2O_ERR_ARG, "%s: %s needs a label for every row (its %s), but there are none", name, kind->name,
                    kind->vector);
  if (data->rows == 0 || data->features == 0 || !l2o_fits_blas(data->rows, data->features))
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: %zu rows of %zu features are none or too many", name, data->rows, data->features);
  double constant;
  l2o_status status = kind->constant(&constant, data->A, data->rows, data->features);
  if (status || !(constant > 0))
    return l2o_fail(diag, status ? status : L2O_ERR_NUMERIC, "%s: norm of the features: %s", name,
                    status ? l2o_strerror(status) : "they are all 0");
  data_family *f = malloc(sizeof *f + data->rows * sizeof *f->vector);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", name);
  *f = (data_family){.base = {.struct_size = sizeof f->base,
                              .name = kind->name,
                              .n = data->features,
                              .count = 1,
                              .sample = sample_data,
                              .free = free_data_family,
                              .note = f->note},
                     .kind = kind,
                     .data = data,
                     .arrays = {.matrix = data->A,
                                .vector = f->vector,
                                .ridge = ridge,
                                .l1 = l1,
                                .lipschitz = constant,
                                .minimum = (double)NAN,
                                .rows = data->rows}};
  for (size_t i = 0; i < data->rows; i++)
    f->vector[i] = (l2o_real)data->labels[i];
  snprintf(f->note, sizeof f->note, "%.100s: %zu rows, %zu features", name, data->rows, data->features);
  *out = &f->base;
  return L2O_OK;
}
