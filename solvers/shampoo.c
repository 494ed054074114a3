/* SPDX-License-Identifier: BSD-3-Clause */
/* Shampoo (Gupta, Koren and Singer, ICML 2018, algorithm 1) on x as a matrix X (r, c), row by row, G_k = grad f at X_k:
 *   L_k = epsilon I + sum_{i <= k} G_i G_i',   R_k = epsilon I + sum_{i <= k} G_i' G_i
 *   X_{k+1} = X_k - s L_k^{-1/4} G_k R_k^{-1/4}.
 * By default X is x itself, c = 1 and R a number, which is how Song, Lin, Wang and Xu (CVPR 2024) take it for vectors: the iterates
 * do not depend on the order of the unknowns. Where r does not divide n the last row ends early, as if padded with zeros.
 *
 * The roots come from an eigendecomposition in every step, in double in both precisions: epsilon is far below what single precision
 * tells from 0 beside |L|. Cost of a step: about 9 (r^3 + c^3) operations, memory 3 (r^2 + c^2) doubles. */
#include "core/diag.h"
#include "core/linalg.h"
#include "core/real.h"
#include "solvers.h"

enum { ROWS = 2, EPSILON, LARGEST = 4000 };
static const l2o_option options[] = {
    L2O_STEP_OPTIONS,
    {"rows", L2O_OPTION_INT, 0, 0, 1e9, NULL, "x as a matrix of so many rows, filled row by row; 0: x is one column"},
    {"epsilon", L2O_OPTION_REAL, 1e-8, 1e-300, 1e12, NULL, "both matrices begin as epsilon times the identity"},
    {0},
};

static size_t rows_of(const l2o_iterate *it) {
  return it->options[ROWS] > 0 ? (size_t)it->options[ROWS] : it->n;
}
static size_t columns_of(const l2o_iterate *it) {
  const size_t rows = rows_of(it);
  return (it->n + rows - 1) / rows;
}
static size_t larger_side(const l2o_iterate *it) {
  const size_t rows = rows_of(it), columns = columns_of(it);
  return rows > columns ? rows : columns;
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  const size_t rows = rows_of(it);
  if (rows > it->n)
    return l2o_fail(diag, L2O_ERR_ARG, "shampoo: rows = %zu: expected at most the %zu unknowns", rows, it->n);
  if (larger_side(it) > LARGEST)
    return l2o_fail(diag, L2O_ERR_ARG,
                    "shampoo: a matrix of %zu x %zu needs eigenvectors of more than %d unknowns; choose rows near the root of %zu",
                    rows, columns_of(it), (int)LARGEST, it->n);
  return L2O_OK;
}

#define DOUBLES(count) ((count) * sizeof(double) / sizeof(l2o_real))

/* state: L (r, r), R (c, c), of which the upper triangles count */
static size_t state_len(const l2o_iterate *it) {
  const size_t rows = rows_of(it), columns = columns_of(it);
  return DOUBLES(rows * rows + columns * columns);
}

/* scratch: G (r, c) and G' (c, r), then for one side at a time: a copy of the matrix and its eigenvectors (larger, larger), the
 * eigenvalues (larger), a row in their basis (larger), work */
static size_t scratch_len(const l2o_iterate *it) {
  const size_t side = larger_side(it);
  return DOUBLES(2 * rows_of(it) * columns_of(it) + 2 * side * side + 2 * side + l2o_eigenvectors_work(side));
}

static l2o_status init(l2o_iterate *it) {
  const size_t rows = rows_of(it), columns = columns_of(it);
  double *L = (void *)it->state, *R = L + rows * rows;
  memset(it->state, 0, (rows * rows + columns * columns) * sizeof(double));
  for (size_t i = 0; i < rows; i++)
    L[i * rows + i] = it->options[EPSILON];
  for (size_t i = 0; i < columns; i++)
    R[i * columns + i] = it->options[EPSILON];
  return L2O_OK;
}

/* S += G G', G (n, m), upper triangle */
static void accumulate(double *S, const double *G, size_t n, size_t m) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = i; j < n; j++) {
      double sum = 0;
      for (size_t k = 0; k < m; k++)
        sum += G[i * m + k] * G[j * m + k];
      S[i * n + j] += sum;
    }
}

static void transpose(double *out, const double *A, size_t m, size_t n) {
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++)
      out[j * m + i] = A[i * n + j];
}

/* Every row g of G (m, n) becomes S^{-1/4} g = V' D^{-1/4} V g, S = V' D V. */
static l2o_status precondition(double *G, const double *S, double epsilon, double *scratch, size_t m, size_t n) {
  double *V = scratch, *copy = V + n * n, *values = copy + n * n, *in_basis = values + n;
  memcpy(copy, S, n * n * sizeof *S);
  l2o_status status = l2o_eigenvectors(V, values, copy, in_basis + n, n);
  for (size_t j = 0; j < n && !status; j++)
    values[j] = 1 / sqrt(sqrt(fmax(values[j], epsilon))); /* below epsilon it is rounding */
  for (size_t i = 0; i < m && !status; i++) {
    l2o_gemv_double(in_basis, V, false, G + i * n, n, n);
    for (size_t j = 0; j < n; j++)
      in_basis[j] *= values[j];
    l2o_gemv_double(G + i * n, V, true, in_basis, n, n);
  }
  return status;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  const size_t n = it->n, rows = rows_of(it), columns = columns_of(it);
  const double epsilon = it->options[EPSILON];
  double *L = (void *)it->state, *R = L + rows * rows;
  double *G = (void *)it->scratch, *transposed = G + rows * columns, *room = transposed + rows * columns;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  for (size_t i = 0; i < rows * columns; i++)
    G[i] = i < n ? (double)it->g[i] : 0;
  transpose(transposed, G, rows, columns);
  accumulate(L, G, rows, columns);
  accumulate(R, transposed, columns, rows);
  for (size_t i = 0; i < rows; i++) /* the other entries are no larger than these */
    if (!isfinite(L[i * rows + i]))
      return L2O_ERR_NUMERIC;
  status = precondition(G, R, epsilon, room, rows, columns);
  transpose(transposed, G, rows, columns);
  if (!status)
    status = precondition(transposed, L, epsilon, room, columns, rows);
  transpose(G, transposed, columns, rows);
  for (size_t i = 0; i < n && !status; i++)
    it->x[i] -= (l2o_real)(it->step * G[i]);
  return status;
}

const l2o_solver l2o_shampoo = {
    .struct_size = sizeof l2o_shampoo,
    .name = "shampoo",
    .meaning = "Shampoo: steps scaled by roots of summed outer products of the gradient (Gupta, Koren, Singer 2018)",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
    .gradient_at = L2O_GRADIENT_AT_X,
};
