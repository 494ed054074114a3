/* SPDX-License-Identifier: BSD-3-Clause */
/* Approximate K-SVD (Aharon, Elad, Bruckstein, IEEE Trans. Signal Process. 2006; Rubinstein, Zibulevsky, Elad 2008), for
 * min |Y - D X|^2 over unit atoms d_k and codes X with at most s entries a sample. An iteration codes every sample by orthogonal
 * matching pursuit (Pati, Rezaiifar, Krishnaprasad 1993) and then takes one atom after the other: with E the residuals of the
 * samples that use it, had they no such atom, and g their coefficients, one step of the power method, d = E g / |E g|,   g = E' d.
 * An atom that no sample uses becomes the sample that is coded worst. Nothing is drawn: the start decides. */
#include "problems/ksvd.h"
#include "core/arena.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct learning {
  double *residual;    /* (count, rows) */
  double *code;        /* (count, s) */
  size_t *chosen;      /* (count, s): the atoms that go with the code */
  size_t *length;      /* (count): how many of them */
  double *basis;       /* (s, rows): the chosen atoms made orthonormal */
  double *triangle;    /* (s, s): chosen atom b = sum_a triangle[a, b] basis a */
  double *coordinates; /* (s): the sample's in that basis */
  double *direction;   /* (rows) */
  size_t count, rows, n, s;
} learning;

static void layout(learning *l, l2o_arena *arena) {
  L2O_TAKE(arena, l->residual, l->count * l->rows);
  L2O_TAKE(arena, l->code, l->count * l->s);
  L2O_TAKE(arena, l->chosen, l->count * l->s);
  L2O_TAKE(arena, l->length, l->count);
  L2O_TAKE(arena, l->basis, l->s * l->rows);
  L2O_TAKE(arena, l->triangle, l->s * l->s);
  L2O_TAKE(arena, l->coordinates, l->s);
  L2O_TAKE(arena, l->direction, l->rows);
}

static double dot(const double *x, const double *y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += x[i] * y[i];
  return sum;
}

static void add(double *y, double factor, const double *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    y[i] += factor * x[i];
}

/* The residual becomes orthogonal to the atoms that correlate with it most, one after the other. */
static void code(learning *l, size_t i, const double *atoms, const double *sample) {
  const size_t rows = l->rows, s = l->s;
  double *r = l->residual + i * rows, *x = l->code + i * s;
  size_t *chosen = l->chosen + i * s, t = 0;
  memcpy(r, sample, rows * sizeof *r);
  const double nothing = 1e-12 * dot(sample, sample, rows);
  for (; t < s && dot(r, r, rows) > nothing; t++) {
    double most = 0, *q = l->basis + t * rows;
    for (size_t j = 0; j < l->n; j++) {
      const double product = fabs(dot(atoms + j * rows, r, rows));
      if (product > most) {
        most = product;
        chosen[t] = j;
      }
    }
    if (most <= 0)
      break;
    memcpy(q, atoms + chosen[t] * rows, rows * sizeof *q);
    for (size_t a = 0; a < t; a++) {
      const double *before = l->basis + a * rows;
      l->triangle[a * s + t] = dot(before, q, rows);
      add(q, -l->triangle[a * s + t], before, rows);
    }
    const double length = sqrt(dot(q, q, rows));
    if (length < 1e-7) /* depends on those before */
      break;
    for (size_t k = 0; k < rows; k++)
      q[k] /= length;
    l->triangle[t * s + t] = length;
    l->coordinates[t] = dot(q, r, rows);
    add(r, -l->coordinates[t], q, rows);
  }
  l->length[i] = t;
  while (t-- > 0) {
    x[t] = l->coordinates[t];
    for (size_t b = t + 1; b < l->length[i]; b++)
      x[t] -= l->triangle[t * s + b] * x[b];
    x[t] /= l->triangle[t * s + t];
  }
}

/* The sample whose residual is longest takes the place of an atom, and counts as coded. */
static void replace(learning *l, double *atom, const double *samples) {
  size_t worst = 0;
  double most = 0;
  for (size_t i = 0; i < l->count; i++) {
    const double squares = dot(l->residual + i * l->rows, l->residual + i * l->rows, l->rows);
    if (squares > most) {
      most = squares;
      worst = i;
    }
  }
  const double *sample = samples + worst * l->rows, length = sqrt(dot(sample, sample, l->rows));
  if (!(most > 0) || !(length > 0))
    return;
  for (size_t k = 0; k < l->rows; k++)
    atom[k] = sample[k] / length;
  l->length[worst] = 0; /* from here to the next coding nobody uses it */
  memset(l->residual + worst * l->rows, 0, l->rows * sizeof *l->residual);
}

/* The coefficient of atom k in the code of sample i; NULL: none. */
static double *coefficient(const learning *l, size_t i, size_t k) {
  for (size_t t = 0; t < l->length[i]; t++)
    if (l->chosen[i * l->s + t] == k)
      return &l->code[i * l->s + t];
  return NULL;
}

static void update(learning *l, size_t k, double *atom, const double *samples) {
  const size_t rows = l->rows;
  bool used = false;
  memset(l->direction, 0, rows * sizeof *l->direction);
  for (size_t i = 0; i < l->count; i++) {
    const double *g = coefficient(l, i, k);
    if (!g)
      continue;
    used = true;
    add(l->residual + i * rows, *g, atom, rows);
    add(l->direction, *g, l->residual + i * rows, rows);
  }
  if (!used) {
    replace(l, atom, samples);
    return;
  }
  const double length = sqrt(dot(l->direction, l->direction, rows));
  for (size_t j = 0; j < rows && length > 0; j++)
    atom[j] = l->direction[j] / length;
  for (size_t i = 0; i < l->count; i++) {
    double *g = coefficient(l, i, k);
    if (!g)
      continue;
    *g = dot(l->residual + i * rows, atom, rows);
    add(l->residual + i * rows, -*g, atom, rows);
  }
}

l2o_status l2o_ksvd(double *atoms, const double *samples, size_t count, size_t rows, size_t n, size_t sparsity, size_t iterations) {
  learning l = {.count = count, .rows = rows, .n = n, .s = sparsity};
  l2o_arena arena = {0};
  layout(&l, &arena);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout(&l, &arena);
  for (size_t round = 0; round < iterations; round++) {
    for (size_t i = 0; i < count; i++)
      code(&l, i, atoms, samples + i * rows);
    for (size_t k = 0; k < n; k++)
      update(&l, k, atoms + k * rows, samples);
  }
  free(arena.base);
  return L2O_OK;
}
