/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/classification.h"
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- features ---- */

/* divisor_j = max_i |a_ij|, 1 where that is 0 */
static void by_largest(double *divisor, const l2o_real *A, size_t rows, size_t features) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < features; j++)
      divisor[j] = fmax(divisor[j], fabs((double)A[i * features + j]));
  for (size_t j = 0; j < features; j++)
    divisor[j] = divisor[j] > 0 ? divisor[j] : 1;
}

/* mean_j = 1/m sum_i a_ij, divisor_j = sqrt(1/m sum_i (a_ij - mean_j)^2), infinite where that is rounding alone */
static void by_deviation(double *mean, double *divisor, const l2o_real *A, size_t rows, size_t features) {
  const double m = (double)rows;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < features; j++)
      mean[j] += (double)A[i * features + j] / m;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < features; j++) {
      const double from_mean = (double)A[i * features + j] - mean[j];
      divisor[j] += from_mean * from_mean / m;
    }
  for (size_t j = 0; j < features; j++) {
    divisor[j] = sqrt(divisor[j]);
    if (divisor[j] <= m * DBL_EPSILON * fabs(mean[j]))
      divisor[j] = INFINITY;
  }
}

l2o_status l2o_scale_features(l2o_real *out, const l2o_real *A, size_t rows, size_t features, int scale, bool bias) {
  const size_t n = features + bias;
  double *mean = calloc(2 * features, sizeof *mean), *divisor = mean + features;
  if (!mean)
    return L2O_ERR_NOMEM;
  if (scale == L2O_FEATURES_UNIT)
    by_largest(divisor, A, rows, features);
  else if (scale == L2O_FEATURES_STANDARD)
    by_deviation(mean, divisor, A, rows, features);
  for (size_t i = 0; i < rows; i++) {
    const l2o_real *from = A + i * features;
    l2o_real *to = out + i * n;
    if (scale == L2O_FEATURES_NONE)
      memcpy(to, from, features * sizeof *to);
    else
      for (size_t j = 0; j < features; j++)
        to[j] = (l2o_real)(((double)from[j] - mean[j]) / divisor[j]);
    if (bias)
      to[features] = 1;
  }
  free(mean);
  return L2O_OK;
}

/* ---- instances ---- */

static size_t columns_of(const l2o_classification *f) {
  return f->features + f->bias;
}

/* What is common to drawn and real instances: f's weights, and from the matrix, which is changed here where the kind wants its rows
 * signed, the constants L = largest |A|_2^2 / m + l2, trace = trace |A|_F^2 / m + l2 n. d->lipschitz is |A|_2^2, or 0 where that is
 * not known. */
static l2o_status prepare(l2o_instance *d, const l2o_classification *f, l2o_real *matrix, const size_t *label) {
  const size_t m = f->m, columns = columns_of(f);
  double largest, trace;
  f->kind->curvature(&largest, &trace, f->classes);
  if (!l2o_all_finite(d->matrix, m * columns))
    return L2O_ERR_NUMERIC;
  d->rows = m;
  d->ridge = f->l2;
  d->l1 = f->l1;
  d->label = label;
  d->classes = f->classes;
  d->minimum = (double)NAN;
  for (size_t i = 0; f->kind->binary && i < m; i++)
    for (size_t j = 0; label[i] == 0 && j < columns; j++)
      matrix[i * columns + j] = -matrix[i * columns + j];
  l2o_status status = d->lipschitz > 0 ? L2O_OK : l2o_squares_constant(&d->lipschitz, d->matrix, m, columns);
  d->lipschitz = largest * d->lipschitz / (double)m + f->l2;
  d->trace = l2o_dot(d->matrix, d->matrix, m * columns) * trace / (double)m + f->l2 * (double)f->base.n;
  return status;
}

static l2o_problem problem_of(const l2o_classification *f, const l2o_instance *d) {
  return (l2o_problem){.ops = f->l1 > 0 ? f->kind->composite_ops : f->kind->ops, .data = d, .n = f->base.n};
}

/* One drawn instance in a block of its own, and what passes. */
typedef struct parts {
  l2o_instance *d;
  l2o_real *matrix, *start;
  size_t *label;
} parts;
typedef struct passing {
  double *A;
  l2o_real *features;
} passing;

static void layout(parts *o, l2o_arena *arena, const l2o_classification *f) {
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->matrix, f->m * columns_of(f));
  L2O_TAKE(arena, o->start, f->draws_start ? f->base.n : 0);
  L2O_TAKE(arena, o->label, f->m);
}

static void layout_passing(passing *o, l2o_arena *arena, const l2o_classification *f) {
  L2O_TAKE(arena, o->A, f->m * f->features);
  L2O_TAKE(arena, o->features, f->m * f->features);
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const l2o_classification *f = (const l2o_classification *)family;
  l2o_draws draws;
  parts own = {0};
  passing drawn = {0};
  l2o_arena kept = {0}, freed = {0};
  l2o_status status = l2o_draws_begin(&draws, family, seed, index, diag);
  if (status)
    return status;
  layout(&own, &kept, f);
  layout_passing(&drawn, &freed, f);
  if (!l2o_arena_new(&kept))
    return L2O_ERR_NOMEM;
  if (!l2o_arena_new(&freed)) {
    free(kept.base);
    return L2O_ERR_NOMEM;
  }
  layout(&own, &kept, f);
  layout_passing(&drawn, &freed, f);
  own.d->matrix = own.matrix;
  own.d->start = f->draws_start ? own.start : NULL;
  status = f->kind->draw(f, drawn.A, own.label, f->draws_start ? own.start : NULL, &draws);
  for (size_t i = 0; i < f->m * f->features; i++)
    drawn.features[i] = (l2o_real)drawn.A[i];
  if (!status)
    status = l2o_scale_features(own.matrix, drawn.features, f->m, f->features, f->scale, f->bias);
  if (!status)
    status = prepare(own.d, f, own.matrix, own.label);
  free(freed.base);
  if (status)
    free(kept.base);
  else
    *out = problem_of(f, own.d);
  return status;
}

l2o_status l2o_classification_from_row(l2o_problem *out, const l2o_classification_kind *kind, const l2o_instance *arrays, size_t n,
                                       l2o_diag *diag) {
  const l2o_classification f = {.base = {.n = n},
                                .kind = kind,
                                .m = arrays->rows,
                                .features = n,
                                .classes = 2,
                                .draws_start = arrays->start != NULL,
                                .l1 = arrays->l1,
                                .l2 = arrays->ridge};
  parts own = {0};
  l2o_arena kept = {0};
  layout(&own, &kept, &f);
  if (!l2o_arena_new(&kept))
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", kind->name);
  layout(&own, &kept, &f);
  memcpy(own.matrix, arrays->matrix, f.m * n * sizeof *own.matrix);
  if (arrays->start)
    memcpy(own.start, arrays->start, n * sizeof *own.start);
  for (size_t i = 0; i < f.m; i++)
    own.label[i] = arrays->vector[i] > 0;
  own.d->matrix = own.matrix;
  own.d->start = arrays->start ? own.start : NULL;
  own.d->lipschitz = arrays->lipschitz;
  own.d->states = arrays->states;
  l2o_status status = prepare(own.d, &f, own.matrix, own.label);
  own.d->minimum = arrays->minimum;
  if (status)
    free(kept.base);
  else
    *out = problem_of(&f, own.d);
  return status;
}

static l2o_status sample_data(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const l2o_classification *f = (const l2o_classification *)family;
  const size_t n = family->n, drawn = f->draws_start ? n : 0;
  l2o_draws draws;
  l2o_instance *d = malloc(sizeof *d + drawn * sizeof(l2o_real));
  double *values = malloc((drawn + 1) * sizeof *values);
  l2o_status status = d && values ? l2o_draws_begin(&draws, family, seed, index, diag) : L2O_ERR_NOMEM;
  if (!status) {
    l2o_real *start = (l2o_real *)(d + 1);
    l2o_draws_normal(&draws, values, drawn);
    for (size_t j = 0; j < drawn; j++)
      start[j] = (l2o_real)values[j];
    *d = f->instance;
    d->start = drawn ? start : NULL;
    *out = problem_of(f, d);
  } else {
    free(d);
  }
  free(values);
  return status;
}

/* ---- families ---- */

static void free_family(l2o_family *family) {
  l2o_classification *f = (l2o_classification *)family;
  l2o_dataset_free(f->source);
  free(f->scaled);
  free(f);
}

l2o_status l2o_classification_new(l2o_classification **out, size_t size, const l2o_classification *about, l2o_diag *diag) {
  const char *name = about->kind->name;
  const size_t m = about->m, columns = columns_of(about), classes = about->classes;
  if (!l2o_fits_blas(m, columns) || !l2o_fits_blas(m, 2 * classes) || !l2o_fits_blas(columns, classes))
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: %zu rows, %zu features, %zu classes are too much", name, m, about->features, classes);
  l2o_classification *f = calloc(1, size);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", name);
  *f = *about;
  f->base = (l2o_family){.struct_size = sizeof f->base,
                         .name = name,
                         .n = columns * (about->kind->binary ? 1 : classes),
                         .sample = sample,
                         .free = free_family,
                         .plain_seeds = about->base.plain_seeds};
  *out = f;
  return L2O_OK;
}

static l2o_status check_data(const l2o_classification *about, const l2o_dataset *data, l2o_diag *diag) {
  const char *name = about->kind->name;
  const size_t most = about->kind->binary ? 2 : L2O_DATASET_CLASSES, count = data->class_count;
  char expected[40] = "2";
  if (!about->kind->binary)
    snprintf(expected, sizeof expected, "2 to %zu", most);
  if (!data->labels)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: %s has no labels", name, data->name);
  if (count == 0)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: %s has more than %d distinct labels, expected %s", name, data->name,
                    (int)L2O_DATASET_CLASSES, expected);
  if (count < 2 || count > most)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: %s has %zu distinct label%s, expected %s%s", name, data->name, count,
                    count == 1 ? "" : "s", expected, count > 2 ? "; family softmax takes more" : "");
  if (about->classes && about->classes != count)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: classes = %zu, but %s has %zu distinct labels", name, about->classes, data->name,
                    count);
  return l2o_data_fits(name, data, about->m, about->features, diag);
}

/* The family's instance: its matrix is that of the data where nothing has to be changed. */
static l2o_status take_instance(l2o_classification *f, const l2o_dataset *data) {
  l2o_status status = L2O_OK;
  if (f->kind->binary || f->bias || f->scale != L2O_FEATURES_NONE) {
    f->scaled = malloc(f->m * columns_of(f) * sizeof *f->scaled);
    status = f->scaled ? l2o_scale_features(f->scaled, data->A, f->m, f->features, f->scale, f->bias) : L2O_ERR_NOMEM;
  }
  f->instance.matrix = f->scaled ? f->scaled : data->A;
  if (!status)
    status = prepare(&f->instance, f, f->scaled, data->class_of);
  if (!status && !(f->instance.lipschitz > 0 && isfinite(f->instance.lipschitz)))
    status = L2O_ERR_NUMERIC;
  return status;
}

l2o_status l2o_classification_from_data(l2o_family **out, const l2o_classification *about, l2o_dataset *data, l2o_diag *diag) {
  l2o_classification all = *about, *f = NULL;
  l2o_status status = check_data(about, data, diag);
  all.m = data->rows;
  all.features = data->features;
  all.classes = data->class_count;
  if (!status)
    status = l2o_classification_new(&f, sizeof *f, &all, diag);
  if (status)
    return status;
  status = take_instance(f, data);
  if (status) {
    free_family(&f->base);
    return l2o_fail(diag, status, "%s: %s: %s", about->kind->name, data->name,
                    status == L2O_ERR_NUMERIC ? "the features are all 0, or too large" : l2o_strerror(status));
  }
  const double low = data->classes[0], high = data->classes[data->class_count - 1];
  const int length = snprintf(f->note, sizeof f->note, "%.100s: %zu rows, %zu features", data->name, data->rows, data->features);
  char *rest = f->note + length;
  const size_t room = sizeof f->note - (size_t)length;
  if (f->kind->binary)
    snprintf(rest, room, "; labels %.10g -> -1, %.10g -> +1", low, high);
  else
    snprintf(rest, room, ", %zu classes from %.10g to %.10g", data->class_count, low, high);
  if (f->scaled) { /* what was read has served */
    free(data->A);
    data->A = NULL;
  }
  f->source = data;
  f->base.note = f->note;
  f->base.count = 1;
  f->base.sample = sample_data;
  *out = &f->base;
  return L2O_OK;
}
