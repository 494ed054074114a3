/* SPDX-License-Identifier: BSD-3-Clause */
/* The patches are those of the BSDS500 experiment of "Towards Robust Learning to Optimize with Theoretical Guarantees" (Song, Lin,
 * Wang, Xu 2024); the DCT dictionary is the one of Elad, Aharon (2006), with the cosine taken between the samples. */
#include "problems/patches.h"
#include "core/arena.h"
#include "problems/instance.h"
#include "problems/ksvd.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t draw_below(l2o_rng *rng, size_t count) {
  return (size_t)(l2o_rng_uniform(rng) * (double)count);
}

void l2o_patch_draw(l2o_real *out, const l2o_dataset *data, size_t side, l2o_rng *rng) {
  const size_t height = data->image_height, width = data->image_width, count = side * side;
  /* one image in rows, or an image a row: in memory both are images one behind the other */
  const size_t images = data->rows * data->features / (height * width);
  const l2o_real *corner = data->A + draw_below(rng, images) * height * width;
  corner += draw_below(rng, height - side + 1) * width;
  corner += draw_below(rng, width - side + 1);
  double least = (double)*corner, largest = least, mean = 0;
  for (size_t i = 0; i < side; i++)
    for (size_t j = 0; j < side; j++) {
      least = fmin(least, (double)corner[i * width + j]);
      largest = fmax(largest, (double)corner[i * width + j]);
      mean += (double)corner[i * width + j];
    }
  mean /= (double)count;
  for (size_t i = 0; i < side; i++)
    for (size_t j = 0; j < side; j++)
      out[i * side + j] = (l2o_real)(((double)corner[i * width + j] - mean) / (largest - least + 1e-3));
}

/* Entry i of the 1-D atom j, before its mean is taken off. */
static double wave(size_t i, size_t j, size_t axis) {
  return cos(3.14159265358979323846 * ((double)i + 0.5) * (double)j / (double)axis);
}

/* Mean and length of the 1-D atom j. */
static void measure(double *mean, double *length, size_t j, size_t side, size_t axis) {
  *mean = *length = 0;
  for (size_t i = 0; j > 0 && i < side; i++)
    *mean += wave(i, j, axis) / (double)side;
  for (size_t i = 0; i < side; i++)
    *length += (wave(i, j, axis) - *mean) * (wave(i, j, axis) - *mean);
  *length = sqrt(*length);
}

void l2o_dictionary_dct(l2o_real *A, size_t side, size_t axis) {
  const size_t n = axis * axis;
  for (size_t j = 0; j < axis; j++)
    for (size_t k = 0; k < axis; k++) {
      double mean_j, mean_k, length_j, length_k;
      measure(&mean_j, &length_j, j, side, axis);
      measure(&mean_k, &length_k, k, side, axis);
      for (size_t row = 0; row < side; row++)
        for (size_t column = 0; column < side; column++)
          A[(row * side + column) * n + j * axis + k] =
              (l2o_real)((wave(row, j, axis) - mean_j) / length_j * (wave(column, k, axis) - mean_k) / length_k);
    }
}

l2o_status l2o_dictionary_random(l2o_real *A, size_t rows, size_t n, uint64_t seed) {
  double *normal = malloc(rows * n * sizeof *normal);
  if (!normal)
    return L2O_ERR_NOMEM;
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, 0);
  l2o_rng_normal(&rng, normal, rows * n);
  l2o_unit_columns(normal, rows, n);
  for (size_t i = 0; i < rows * n; i++)
    A[i] = (l2o_real)normal[i];
  free(normal);
  return L2O_OK;
}

enum { PATCHES = 1000, ITERATIONS = 10 };

typedef struct lesson {
  double *samples, *atoms; /* (PATCHES, rows), (n, rows) */
  l2o_real *patch;         /* (rows) */
} lesson;

static void layout(lesson *o, l2o_arena *arena, size_t rows, size_t n) {
  L2O_TAKE(arena, o->samples, PATCHES * rows);
  L2O_TAKE(arena, o->atoms, n * rows);
  L2O_TAKE(arena, o->patch, rows);
}

static double length_of(const double *x, size_t n) {
  double squares = 0;
  for (size_t i = 0; i < n; i++)
    squares += x[i] * x[i];
  return sqrt(squares);
}

/* Stream 0 of the seed draws the patches, then the atoms that they leave out. */
static void begin_lesson(lesson *o, const l2o_dataset *data, size_t side, size_t n, uint64_t seed) {
  const size_t rows = side * side;
  size_t next = 0;
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, 0);
  for (size_t i = 0; i < PATCHES; i++) {
    l2o_patch_draw(o->patch, data, side, &rng);
    for (size_t k = 0; k < rows; k++)
      o->samples[i * rows + k] = (double)o->patch[k];
  }
  for (size_t j = 0; j < n; j++) {
    double *atom = o->atoms + j * rows, length = 0;
    for (; next < PATCHES && !(length > 1e-6); next++) {
      length = length_of(o->samples + next * rows, rows);
      memcpy(atom, o->samples + next * rows, rows * sizeof *atom);
    }
    while (!(length > 1e-6)) {
      l2o_rng_normal(&rng, atom, rows);
      length = length_of(atom, rows);
    }
    for (size_t k = 0; k < rows; k++)
      atom[k] /= length;
  }
}

l2o_status l2o_dictionary_ksvd(l2o_real *A, const l2o_dataset *data, size_t side, size_t n, size_t sparsity, uint64_t seed) {
  const size_t rows = side * side;
  lesson o = {0};
  l2o_arena arena = {0};
  layout(&o, &arena, rows, n);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout(&o, &arena, rows, n);
  begin_lesson(&o, data, side, n, seed);
  l2o_status status = l2o_ksvd(o.atoms, o.samples, PATCHES, rows, n, sparsity, ITERATIONS);
  for (size_t k = 0; k < rows && !status; k++)
    for (size_t j = 0; j < n; j++)
      A[k * n + j] = (l2o_real)o.atoms[j * rows + k];
  free(arena.base);
  return status;
}
