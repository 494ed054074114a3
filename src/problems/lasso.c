/* SPDX-License-Identifier: BSD-3-Clause */
/* F(x) = 1/2 |A x - y|^2 + l1 |x|_1, A (m, n): f is the square, h the L1 term. Sampling as in "Towards Robust Learning to Optimize
 * with Theoretical Guarantees" (Song, Lin, Wang, Xu, CVPR 2024): entries of A are N(0, 1), then each column is scaled to unit
 * 2-norm; y = A x* with x* ~ N(0, 1) at `sparsity` places drawn without replacement, zero elsewhere; start ~ N(0, I).
 *
 * Streams of (seed, index): 0 gives A row by row, then n values for x*; 1 the places among them; 2 the start. With matrix=shared
 * one A, by a seed of its own, serves all instances. Of an image an instance is a patch y drawn by stream 0 (patches.h), with one
 * dictionary A for all. */
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/instance.h"
#include "problems/lasso_minimum.h"
#include "problems/patches.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static l2o_status minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  const l2o_instance *d = p->data;
  const size_t m = d->rows, n = p->n;
  if (!xstar && !isnan(d->minimum)) {
    *fstar = d->minimum;
    return L2O_OK;
  }
  double *A = malloc((m * n + m + n) * sizeof *A);
  if (!A)
    return L2O_ERR_NOMEM;
  double *y = A + m * n, *x = y + m;
  for (size_t i = 0; i < m * n; i++)
    A[i] = (double)d->matrix[i];
  for (size_t i = 0; i < m; i++)
    y[i] = (double)d->vector[i];
  l2o_status status = l2o_lasso_minimum(fstar, x, A, y, d->l1, m, n);
  for (size_t j = 0; xstar && !status && j < n; j++)
    xstar[j] = (l2o_real)x[j];
  free(A);
  return status;
}

static const l2o_problem_ops ops = {L2O_SQUARES_OPERATIONS, L2O_L1_OPERATIONS, .name = "lasso", .minimum = minimum};

#define USUAL_L1 0.1
static const l2o_instance_kind kind = {.name = "lasso",
                                       .matrix = "W",
                                       .vector = "Y",
                                       .l1 = "rho",
                                       .usual_l1 = USUAL_L1,
                                       .atoms = true,
                                       .constant = l2o_squares_constant,
                                       .ops = &ops};

l2o_status l2o_lasso_new(l2o_problem *out, const l2o_real *A, const l2o_real *y, const l2o_real *x0, double l1, double constant,
                         size_t m, size_t n, l2o_diag *diag) {
  const l2o_instance arrays = {
      .matrix = A, .vector = y, .start = x0, .l1 = l1, .lipschitz = constant, .minimum = (double)NAN, .rows = m};
  return l2o_instance_new(out, &kind, &arrays, n, diag);
}

enum { NORMAL, ZERO };
enum { DCT, RANDOM, KSVD };
enum { FRESH, SHARED };
enum {
  OPTION_N,
  OPTION_M,
  OPTION_SPARSITY,
  OPTION_L1,
  OPTION_START,
  OPTION_PATCH,
  OPTION_DICTIONARY,
  OPTION_DICTIONARY_SEED,
  OPTION_MATRIX,
  OPTION_DICTIONARY_SPARSITY
};
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 0, 0, 1e6, NULL, "unknowns; 0: 500, or of an image's dictionary 121 (dct), 128 (random, ksvd)"},
    {"m", L2O_OPTION_INT, 250, 1, 1e6, NULL, "rows of A"},
    {"sparsity", L2O_OPTION_INT, 0, 0, 1e6, NULL, "non-zeros of x*; 0: a tenth of n, at least 1"},
    {"l1", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "weight of |x|_1; 0: 0.1, for an image 0.5"},
    {"start", L2O_OPTION_CHOICE, NORMAL, 0, 0, "normal|zero", "start: N(0, I), or zero"},
    {"patch", L2O_OPTION_INT, 8, 1, 1000, NULL, "of an image: side of the patches"},
    {"dictionary", L2O_OPTION_CHOICE, DCT, 0, 0, "dct|random|ksvd",
     "of an image: atoms are cosines (n is a square), random, or learned from 1000 other patches"},
    {"dictionary_seed", L2O_OPTION_INT, 1, 0, 1e15, NULL,
     "of random and ksvd dictionaries and of matrix=shared: one for all instances"},
    {"matrix", L2O_OPTION_CHOICE, FRESH, 0, 0, "fresh|shared", "drawn: a matrix for each instance, or one for all"},
    {"dictionary_sparsity", L2O_OPTION_INT, 0, 0, 1e6, NULL,
     "of ksvd: atoms a patch is coded with; 0: a tenth of its pixels, at least 1"},
    {0},
};

static void draw_start(l2o_real *start, double *scratch, size_t n, uint64_t seed, uint64_t index) {
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 2, index);
  l2o_rng_normal(&rng, scratch, n);
  for (size_t j = 0; j < n; j++)
    start[j] = (l2o_real)scratch[j];
}

/* ---- synthetic ---- */

typedef struct lasso_family {
  l2o_family base; /* first: the family handle points here */
  size_t m, sparsity;
  double l1, constant; /* constant: of the shared matrix */
  bool normal_start, shared;
  l2o_real matrix[]; /* (m, n), where it is shared */
} lasso_family;

/* Keeps `sparsity` of the n values, every such choice equally likely (Knuth, The Art of Computer Programming 3.4.2, algorithm S).
 */
static void thin_out(double *x, size_t n, size_t sparsity, uint64_t seed, uint64_t index) {
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 1, index);
  for (size_t j = 0; j < n; j++) {
    if ((double)(n - j) * l2o_rng_uniform(&rng) < (double)sparsity)
      sparsity--;
    else
      x[j] = 0;
  }
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const lasso_family *f = (const lasso_family *)family;
  const size_t m = f->m, n = family->n, drawn = f->shared ? 0 : m * n;
  (void)diag;
  l2o_real *stored, *y, *start;
  l2o_instance *d = l2o_instance_room(f->shared ? NULL : &stored, &y, f->normal_start ? &start : NULL, m, n);
  double *A = malloc((drawn + n) * sizeof *A);
  if (!d || !A) {
    free(d);
    free(A);
    return L2O_ERR_NOMEM;
  }
  double *x = A + drawn;
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, index);
  l2o_rng_normal(&rng, A, drawn);
  l2o_rng_normal(&rng, x, n);
  thin_out(x, n, f->sparsity, seed, index);
  if (f->shared) {
    d->matrix = f->matrix;
    d->lipschitz = f->constant;
    l2o_squares_apply(y, d->matrix, x, m, n);
  } else {
    l2o_unit_columns(A, m, n);
    l2o_squares_fill(stored, y, A, x, NULL, m, n);
  }
  if (f->normal_start)
    draw_start(start, x, n, seed, index);
  free(A);
  d->l1 = f->l1;
  return l2o_instance_finish(out, &kind, d, n);
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const size_t m = (size_t)values[OPTION_M], n = values[OPTION_N] > 0 ? (size_t)values[OPTION_N] : 500;
  const size_t sparsity = values[OPTION_SPARSITY] > 0 ? (size_t)values[OPTION_SPARSITY] : (n + 9) / 10;
  if (!l2o_fits_blas(m, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "lasso: n = %zu, m = %zu is too large", n, m);
  if (sparsity > n)
    return l2o_fail(diag, L2O_ERR_ARG, "lasso: sparsity = %zu: expected at most n = %zu, it counts the non-zeros", sparsity, n);
  const bool shared = (int)values[OPTION_MATRIX] == SHARED;
  lasso_family *f = malloc(sizeof *f + (shared ? m * n : 0) * sizeof *f->matrix);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "lasso: out of memory");
  *f =
      (lasso_family){.base = {.struct_size = sizeof f->base, .name = "lasso", .n = n, .sample = sample, .free = l2o_family_release},
                     .m = m,
                     .sparsity = sparsity,
                     .l1 = values[OPTION_L1] > 0 ? values[OPTION_L1] : USUAL_L1,
                     .normal_start = (int)values[OPTION_START] == NORMAL,
                     .shared = shared};
  l2o_status status = shared ? l2o_dictionary_random(f->matrix, m, n, (uint64_t)values[OPTION_DICTIONARY_SEED]) : L2O_OK;
  if (!status && shared)
    status = l2o_squares_constant(&f->constant, f->matrix, m, n);
  if (status) {
    free(f);
    return l2o_fail(diag, status, "lasso: the shared matrix: %s", l2o_strerror(status));
  }
  *out = &f->base;
  return L2O_OK;
}

/* ---- real data ---- */

typedef struct patch_family {
  l2o_family base; /* first: the family handle points here */
  l2o_dataset *data;
  size_t side;
  double l1, constant;
  bool normal_start;
  char note[160];
  l2o_real dictionary[]; /* (side^2, n) */
} patch_family;

static l2o_status sample_patch(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const patch_family *f = (const patch_family *)family;
  const size_t n = family->n;
  (void)diag;
  l2o_real *y, *start;
  l2o_instance *d = l2o_instance_room(NULL, &y, f->normal_start ? &start : NULL, f->side * f->side, n);
  double *scratch = malloc(n * sizeof *scratch);
  if (!d || !scratch) {
    free(d);
    free(scratch);
    return L2O_ERR_NOMEM;
  }
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, index);
  l2o_patch_draw(y, f->data, f->side, &rng);
  if (f->normal_start)
    draw_start(start, scratch, n, seed, index);
  free(scratch);
  d->matrix = f->dictionary;
  d->l1 = f->l1;
  d->lipschitz = f->constant;
  return l2o_instance_finish(out, &kind, d, n);
}

static void free_patch_family(l2o_family *family) {
  l2o_dataset_free(((patch_family *)family)->data);
  free(family);
}

/* The largest k with k^2 <= n. */
static size_t root_of(size_t n) {
  size_t k = (size_t)sqrt((double)n);
  while (k * k > n)
    k--;
  while ((k + 1) * (k + 1) <= n)
    k++;
  return k;
}

static l2o_status create_from_images(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  const char *name = data->name ? data->name : "the image";
  const size_t side = (size_t)values[OPTION_PATCH], rows = side * side;
  const int dictionary = (int)values[OPTION_DICTIONARY];
  const bool dct = dictionary == DCT;
  const size_t n = values[OPTION_N] > 0 ? (size_t)values[OPTION_N] : dct ? 121 : 128, axis = root_of(n);
  const size_t tenth = rows < 20 ? 1 : rows / 10, usual = tenth < n ? tenth : n;
  const size_t sparsity = values[OPTION_DICTIONARY_SPARSITY] > 0 ? (size_t)values[OPTION_DICTIONARY_SPARSITY] : usual;
  if (side > data->image_height || side > data->image_width)
    return l2o_fail(diag, L2O_ERR_ARG, "%s: a patch of %zu x %zu does not fit into an image of %zu x %zu", name, side, side,
                    data->image_height, data->image_width);
  if (dct && axis * axis != n)
    return l2o_fail(diag, L2O_ERR_ARG, "lasso: n = %zu: a DCT dictionary has a square number of atoms, for instance %zu or %zu", n,
                    axis * axis, (axis + 1) * (axis + 1));
  if (sparsity > rows || sparsity > n)
    return l2o_fail(diag, L2O_ERR_ARG,
                    "lasso: dictionary_sparsity = %zu: expected at most %zu, the pixels of a patch and the atoms", sparsity,
                    rows < n ? rows : n);
  if (!l2o_fits_blas(rows, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "lasso: n = %zu, patch = %zu is too large", n, side);
  patch_family *f = malloc(sizeof *f + rows * n * sizeof *f->dictionary);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "lasso: out of memory");
  *f = (patch_family){.base = {.struct_size = sizeof f->base,
                               .name = "lasso",
                               .n = n,
                               .sample = sample_patch,
                               .free = free_patch_family,
                               .note = f->note},
                      .data = data,
                      .side = side,
                      .l1 = values[OPTION_L1] > 0 ? values[OPTION_L1] : 0.5,
                      .normal_start = (int)values[OPTION_START] == NORMAL};
  snprintf(f->note, sizeof f->note, "%.80s: patches of %zu x %zu, %s dictionary of %zu atoms", name, side, side,
           dct                  ? "DCT"
           : dictionary == KSVD ? "K-SVD"
                                : "random",
           n);
  l2o_status status = L2O_OK;
  if (dct)
    l2o_dictionary_dct(f->dictionary, side, axis);
  else if (dictionary == KSVD)
    status = l2o_dictionary_ksvd(f->dictionary, data, side, n, sparsity, (uint64_t)values[OPTION_DICTIONARY_SEED]);
  else
    status = l2o_dictionary_random(f->dictionary, rows, n, (uint64_t)values[OPTION_DICTIONARY_SEED]);
  if (!status)
    status = l2o_squares_constant(&f->constant, f->dictionary, rows, n);
  if (status) {
    free(f);
    return l2o_fail(diag, status, "lasso: dictionary: %s", l2o_strerror(status));
  }
  *out = &f->base;
  return L2O_OK;
}

/* Patches where the data are images, else the regression of the labels on the features, which starts at zero. */
static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  if (data->image_height)
    return create_from_images(out, values, data, diag);
  const size_t m = l2o_size_given(&options[OPTION_M], values[OPTION_M]), n = l2o_size_given(&options[OPTION_N], values[OPTION_N]);
  l2o_status status = l2o_data_fits("lasso", data, m, n, diag);
  if (status)
    return status;
  return l2o_instances_from_data(out, &kind, data, 0, values[OPTION_L1] > 0 ? values[OPTION_L1] : USUAL_L1, diag);
}

static l2o_status open_file(l2o_family **out, const char *path, l2o_diag *diag) {
  return l2o_instances_open(out, &kind, path, diag);
}

static l2o_status save(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag) {
  return l2o_instances_save(&kind, instances, count, path, diag);
}

const l2o_family_type l2o_family_type_lasso = {
    .name = "lasso",
    .meaning = "F(x) = 1/2 |A x - y|^2 + l1 |x|_1 with a sparse solution, or patches of an image",
    .options = options,
    .gap = "relative",
    .create = create,
    .open = open_file,
    .save = save,
    .create_from = create_from,
};
