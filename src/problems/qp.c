/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = 1/2 |W x - y|^2, W (m, n). Sampling as in "Learning Provably Improves the Convergence of Gradient Descent"
 * (arXiv 2501.18092): entries of W are N(0, 1), then each column is scaled to unit 2-norm; y = W x* with x* ~ N(0, I); start at 0.
 *
 * sampler philox: stream 0 of (seed, index) gives W row by row, then x*. With matrix=shared one W, by a seed of its own, serves all
 * instances, and the stream gives x* alone.
 * sampler torch: the published data. With seed s the matrices of all instances are one torch.randn(B, m, n) from seed s+1, their
 * x* one torch.randn(B, n, 1) from seed s+2; B only matters where B m n or B n is no multiple of 16. */
#include "core/diag.h"
#include "core/linalg.h"
#include "core/mersenne_twister.h"
#include "problems/instance.h"
#include "problems/patches.h"
#include <math.h>
#include <stdlib.h>

static const l2o_problem_ops ops = {L2O_SQUARES_OPERATIONS, .name = "qp", .minimum = l2o_squares_minimum};

static const l2o_instance_kind kind = {.name = "qp", .matrix = "W", .vector = "Y", .constant = l2o_squares_constant, .ops = &ops};

l2o_status l2o_qp_new(l2o_problem *out, const l2o_real *W, const l2o_real *y, const l2o_real *x0, double constant, size_t m,
                      size_t n, l2o_diag *diag) {
  const l2o_instance arrays = {.matrix = W, .vector = y, .start = x0, .lipschitz = constant, .minimum = (double)NAN, .rows = m};
  return l2o_instance_new(out, &kind, &arrays, n, diag);
}

typedef struct qp_family {
  l2o_family base; /* first: the family handle points here */
  size_t m, instances;
  bool shared;
  double constant;   /* of the shared matrix */
  l2o_real matrix[]; /* (m, n), where it is shared */
} qp_family;

enum { PHILOX, TORCH };
enum { FRESH, SHARED };
enum { OPTION_N, OPTION_M, OPTION_SAMPLER, OPTION_INSTANCES, OPTION_MATRIX, OPTION_MATRIX_SEED };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 32, 1, 1e6, NULL, "unknowns"},
    {"m", L2O_OPTION_INT, 20, 1, 1e6, NULL, "rows of W"},
    {"sampler", L2O_OPTION_CHOICE, PHILOX, 0, 0, "philox|torch", "random numbers: our streams, or the published code's data"},
    {"instances", L2O_OPTION_INT, 32, 1, 1e9, NULL, "instances that sampler torch draws at once (B)"},
    {"matrix", L2O_OPTION_CHOICE, FRESH, 0, 0, "fresh|shared", "of philox: a matrix for each instance, or one for all"},
    {"matrix_seed", L2O_OPTION_INT, 1, 0, 1e15, NULL, "of matrix=shared"},
    {0},
};

/* W unless it is shared, and x. */
static void draw(double *W, double *x, const qp_family *f, uint64_t seed, uint64_t index) {
  const size_t n = f->base.n, mn = f->shared ? 0 : f->m * n;
  if (f->base.plain_seeds) {
    l2o_torch_normal(W, (uint32_t)(seed + 1), 0, index * mn, mn, f->instances * mn);
    l2o_torch_normal(x, (uint32_t)(seed + 2), 0, index * n, n, f->instances * n);
    return;
  }
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, index);
  l2o_rng_normal(&rng, W, mn);
  l2o_rng_normal(&rng, x, n);
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const qp_family *f = (const qp_family *)family;
  const size_t m = f->m, n = family->n, drawn = f->shared ? 0 : m * n;
  if (family->plain_seeds && (index >= f->instances || seed > UINT32_MAX - 2))
    return l2o_fail(diag, L2O_ERR_ARG, "sampler torch draws %zu instances (key problem.instances) from a 32-bit seed",
                    f->instances);
  l2o_real *stored, *y;
  l2o_instance *d = l2o_instance_room(f->shared ? NULL : &stored, &y, NULL, m, n);
  double *W = malloc((drawn + n) * sizeof *W);
  if (!d || !W) {
    free(d);
    free(W);
    return L2O_ERR_NOMEM;
  }
  double *x = W + drawn;
  draw(W, x, f, seed, index);
  if (f->shared) {
    d->matrix = f->matrix;
    d->lipschitz = f->constant;
    l2o_squares_apply(y, d->matrix, x, m, n); /* y = W x* */
  } else {
    l2o_unit_columns(W, m, n);
    l2o_squares_fill(stored, y, W, x, NULL, m, n);
  }
  free(W);
  return l2o_instance_finish(out, &kind, d, n);
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const size_t n = (size_t)values[OPTION_N], m = (size_t)values[OPTION_M];
  const bool shared = (int)values[OPTION_MATRIX] == SHARED, torch = (int)values[OPTION_SAMPLER] == TORCH;
  if (!l2o_fits_blas(m, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "qp: n = %zu, m = %zu is too large", n, m);
  if (shared && torch)
    return l2o_fail(diag, L2O_ERR_ARG, "qp: sampler torch draws a matrix for each instance; matrix=shared is for philox");
  qp_family *f = malloc(sizeof *f + (shared ? m * n : 0) * sizeof *f->matrix);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "qp: out of memory");
  *f = (qp_family){
      .base =
          {.struct_size = sizeof f->base, .name = "qp", .n = n, .sample = sample, .free = l2o_family_release, .plain_seeds = torch},
      .m = m,
      .instances = (size_t)values[OPTION_INSTANCES],
      .shared = shared};
  l2o_status status = shared ? l2o_dictionary_random(f->matrix, m, n, (uint64_t)values[OPTION_MATRIX_SEED]) : L2O_OK;
  if (!status && shared)
    status = l2o_squares_constant(&f->constant, f->matrix, m, n);
  if (status) {
    free(f);
    return l2o_fail(diag, status, "qp: the shared matrix: %s", l2o_strerror(status));
  }
  *out = &f->base;
  return L2O_OK;
}

static l2o_status open_file(l2o_family **out, const char *path, l2o_diag *diag) {
  return l2o_instances_open(out, &kind, path, diag);
}

static l2o_status save(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag) {
  return l2o_instances_save(&kind, instances, count, path, diag);
}

const l2o_family_type l2o_family_type_qp = {
    .name = "qp",
    .meaning = "f(x) = 1/2 |W x - y|^2 with unit columns and a known solution",
    .options = options,
    .gap = "absolute",
    .create = create,
    .open = open_file,
    .save = save,
};
