/* SPDX-License-Identifier: BSD-3-Clause */
/* f(x) = 1/2 |A x - b|^2 + ridge/2 |x|^2, A (m, n); start at 0. Sampling as in the data of L2O-BFGS (arXiv 2412.00059): entries of
 * A are N(0, 1), divided by sqrt(m) where `scaled`, and column j = 0, 1, ... multiplied by condition^(-j/(n-1)); b = A x* + noise e
 * with e ~ N(0, I), and x* zero or ~ N(0, I).
 *
 * Order of the draws: A row by row, then e, then x* where it is not zero. */
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/draws.h"
#include "problems/instance.h"
#include <math.h>
#include <stdlib.h>

static const l2o_problem_ops ops = {L2O_SQUARES_OPERATIONS, .name = "least-squares", .minimum = l2o_squares_minimum};

static const l2o_instance_kind kind = {
    .name = "least-squares", .matrix = "A", .vector = "b", .ridge = "ridge", .constant = l2o_squares_constant, .ops = &ops};

l2o_status l2o_least_squares_new(l2o_problem *out, const l2o_real *A, const l2o_real *b, const l2o_real *x0, double ridge,
                                 double constant, size_t m, size_t n, l2o_diag *diag) {
  const l2o_instance arrays = {
      .matrix = A, .vector = b, .start = x0, .ridge = ridge, .lipschitz = constant, .minimum = (double)NAN, .rows = m};
  return l2o_instance_new(out, &kind, &arrays, n, diag);
}

typedef struct least_squares_family {
  l2o_family base; /* first: the family handle points here */
  size_t m;
  double ridge, condition, noise;
  bool scaled, solved_by_zero;
} least_squares_family;

enum { NO, YES };
enum { ZERO, NORMAL };
enum { OPTION_N, OPTION_M, OPTION_RIDGE, OPTION_CONDITION, OPTION_SCALED, OPTION_SOLUTION, OPTION_NOISE, OPTION_SAMPLER };
static const l2o_option options[] = {
    {"n", L2O_OPTION_INT, 50, 1, 1e6, NULL, "unknowns"},
    {"m", L2O_OPTION_INT, 100, 1, 1e6, NULL, "rows of A"},
    {"ridge", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "weight of 1/2 |x|^2"},
    {"condition", L2O_OPTION_REAL, 1, 1, 1e15, NULL, "c: column j is multiplied by c^(-j/(n-1))"},
    {"scaled", L2O_OPTION_CHOICE, YES, 0, 0, "false|true", "divide A by sqrt(m)"},
    {"solution", L2O_OPTION_CHOICE, ZERO, 0, 0, "zero|normal", "x* in b = A x* + noise e: zero, or N(0, I)"},
    {"noise", L2O_OPTION_REAL, 1, 0, 1e12, NULL, "standard deviation of b - A x*"},
    L2O_SAMPLER_OPTION,
    {0},
};

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const least_squares_family *f = (const least_squares_family *)family;
  const size_t m = f->m, n = family->n;
  l2o_draws draws;
  l2o_status status = l2o_draws_begin(&draws, family, seed, index, diag);
  if (status)
    return status;
  l2o_real *stored, *b;
  l2o_instance *d = l2o_instance_room(&stored, &b, NULL, m, n);
  double *A = calloc(m * n + m + 2 * n, sizeof *A);
  if (!d || !A) {
    free(d);
    free(A);
    return L2O_ERR_NOMEM;
  }
  double *noise = A + m * n, *x = noise + m, *scale = x + n;
  l2o_draws_normal(&draws, A, m * n);
  l2o_draws_normal(&draws, noise, m);
  if (!f->solved_by_zero)
    l2o_draws_normal(&draws, x, n);
  for (size_t j = 0; j < n; j++) {
    scale[j] = f->scaled ? 1 / sqrt((double)m) : 1;
    if (n > 1)
      scale[j] *= pow(f->condition, -(double)j / (double)(n - 1));
  }
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++)
      A[i * n + j] *= scale[j];
    noise[i] *= f->noise;
  }
  l2o_squares_fill(stored, b, A, x, noise, m, n);
  free(A);
  d->ridge = f->ridge;
  return l2o_instance_finish(out, &kind, d, n);
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  const size_t n = (size_t)values[OPTION_N], m = (size_t)values[OPTION_M];
  if (!l2o_fits_blas(m, n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "least-squares: n = %zu, m = %zu is too large", n, m);
  least_squares_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "least-squares: out of memory");
  *f = (least_squares_family){.base = {.struct_size = sizeof f->base,
                                       .name = "least-squares",
                                       .n = n,
                                       .sample = sample,
                                       .free = l2o_family_release,
                                       .plain_seeds = values[OPTION_SAMPLER] == L2O_SAMPLER_MT19937},
                              .m = m,
                              .ridge = values[OPTION_RIDGE],
                              .condition = values[OPTION_CONDITION],
                              .noise = values[OPTION_NOISE],
                              .scaled = (int)values[OPTION_SCALED] == YES,
                              .solved_by_zero = (int)values[OPTION_SOLUTION] == ZERO};
  *out = &f->base;
  return L2O_OK;
}

/* Real data are taken as they are: of the options only the ridge applies. */
static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  const size_t m = l2o_size_given(&options[OPTION_M], values[OPTION_M]), n = l2o_size_given(&options[OPTION_N], values[OPTION_N]);
  l2o_status status = l2o_data_fits("least-squares", data, m, n, diag);
  return status ? status : l2o_instances_from_data(out, &kind, data, values[OPTION_RIDGE], 0, diag);
}

static l2o_status open_file(l2o_family **out, const char *path, l2o_diag *diag) {
  return l2o_instances_open(out, &kind, path, diag);
}

static l2o_status save(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag) {
  return l2o_instances_save(&kind, instances, count, path, diag);
}

const l2o_family_type l2o_family_type_least_squares = {
    .name = "least-squares",
    .meaning = "f(x) = 1/2 |A x - b|^2 + ridge/2 |x|^2, random or a data set",
    .options = options,
    .gap = "absolute",
    .create = create,
    .open = open_file,
    .save = save,
    .create_from = create_from,
};
