/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/complex_small.h"
#include "core/simd_complex.h"

/* Sizes up to 4 get a body of their own. */
#define BY_SIZE(q, body)                                                                                                           \
  switch (q) {                                                                                                                     \
  case 1:                                                                                                                          \
    body(1);                                                                                                                       \
    break;                                                                                                                         \
  case 2:                                                                                                                          \
    body(2);                                                                                                                       \
    break;                                                                                                                         \
  case 3:                                                                                                                          \
    body(3);                                                                                                                       \
    break;                                                                                                                         \
  case 4:                                                                                                                          \
    body(4);                                                                                                                       \
    break;                                                                                                                         \
  default:                                                                                                                         \
    body(q);                                                                                                                       \
  }

/* a + entry (i, k), lanes from l on */
#define ENTRY(a, i, k, columns) ((a) + 2 * ((i) * (columns) + (k)) * lanes + l)

/* ---- products ---- */

/* Entries (i, j) and, where `rows` and `columns` are 2, those beside and below: what is loaded is used twice. */
INLINE void product_tile(l2o_real *C, const l2o_real *A, const l2o_real *B, l2o_adjoint adjoint, size_t i, size_t j, size_t rows,
                         size_t columns, size_t m, size_t n, size_t k, size_t lanes) {
  const bool left = adjoint == L2O_ADJOINT_LEFT, right = adjoint == L2O_ADJOINT_RIGHT;
  const size_t entry = 2 * lanes, down_A = (left ? 1 : k) * entry, along_A = (left ? m : 1) * entry;
  const size_t down_B = (right ? k : 1) * entry, along_B = (right ? 1 : n) * entry;
  vc sum[4];
  A += i * down_A;
  B += j * down_B;
  UNROLL for (size_t r = 0; r < rows * columns; r++) sum[r] = vc_zero();
  for (size_t h = 0; h < k; h++, A += along_A, B += along_B) {
    vc b[2];
    UNROLL for (size_t c = 0; c < columns; c++) b[c] = vc_load(B + c * down_B, lanes);
    UNROLL for (size_t r = 0; r < rows; r++) {
      const vc a = vc_load(A + r * down_A, lanes);
      UNROLL for (size_t c = 0; c < columns; c++) {
        vc *s = &sum[r * columns + c];
        *s = left ? vc_cfma(a, b[c], *s) : right ? vc_cfma(b[c], a, *s) : vc_fma(a, b[c], *s);
      }
    }
  }
  UNROLL for (size_t r = 0; r < rows; r++) UNROLL for (size_t c = 0; c < columns; c++)
      vc_store(C + ((i + r) * n + j + c) * entry, lanes, sum[r * columns + c]);
}

INLINE void product_rows(l2o_real *C, const l2o_real *A, const l2o_real *B, l2o_adjoint adjoint, size_t i, size_t rows, size_t m,
                         size_t n, size_t k, size_t lanes) {
  size_t j = 0;
  for (; j + 2 <= n; j += 2)
    product_tile(C, A, B, adjoint, i, j, rows, 2, m, n, k, lanes);
  if (j < n)
    product_tile(C, A, B, adjoint, i, j, rows, 1, m, n, k, lanes);
}

INLINE void product(l2o_real *C, const l2o_real *A, const l2o_real *B, l2o_adjoint adjoint, size_t m, size_t n, size_t k,
                    size_t count) {
  const size_t lanes = l2o_lanes(count);
  for (size_t l = 0; l < count; l += VR) {
    size_t i = 0;
    for (; i + 2 <= m; i += 2)
      product_rows(C + l, A + l, B + l, adjoint, i, 2, m, n, k, lanes);
    if (i < m)
      product_rows(C + l, A + l, B + l, adjoint, i, 1, m, n, k, lanes);
  }
}

void L2O_HERE(l2o_abreast_product)(l2o_real *C, const l2o_real *A, const l2o_real *B, l2o_adjoint adjoint, size_t m, size_t n,
                                   size_t k, size_t count) {
  if (adjoint == L2O_ADJOINT_NONE)
    product(C, A, B, L2O_ADJOINT_NONE, m, n, k, count);
  else if (adjoint == L2O_ADJOINT_LEFT)
    product(C, A, B, L2O_ADJOINT_LEFT, m, n, k, count);
  else
    product(C, A, B, L2O_ADJOINT_RIGHT, m, n, k, count);
}

/* ---- A = L L^H ---- */

/* Row by row:  L_ij = (A_ij - sum_{k<j} L_ik conj(L_jk)) / L_jj,  L_ii = sqrt(A_ii - sum_{k<i} |L_ik|^2) */
INLINE void cholesky(l2o_real *L, const l2o_real *A, size_t q, size_t lanes, size_t l) {
  for (size_t i = 0; i < q; i++) {
    for (size_t j = 0; j < i; j++) {
      vc sum = vc_load(ENTRY(A, i, j, q), lanes);
      for (size_t k = 0; k < j; k++)
        sum = vc_cfnma(vc_load(ENTRY(L, j, k, q), lanes), vc_load(ENTRY(L, i, k, q), lanes), sum);
      vc_store(ENTRY(L, i, j, q), lanes, vc_scale(vr_load(ENTRY(L, j, j, q) + lanes), sum));
    }
    vr pivot = vr_load(ENTRY(A, i, i, q));
    for (size_t k = 0; k < i; k++) {
      const vc a = vc_load(ENTRY(L, i, k, q), lanes);
      pivot = vr_fnma(a.im, a.im, vr_fnma(a.re, a.re, pivot));
    }
    const vr root = vr_sqrt(pivot);
    vc_store(ENTRY(L, i, i, q), lanes, (vc){root, vr_div(vr_set(1), root)});
  }
}

void L2O_HERE(l2o_abreast_cholesky)(l2o_real *L, const l2o_real *A, size_t q, size_t count) {
  const size_t lanes = l2o_lanes(count);
#define CHOLESKY(size)                                                                                                             \
  for (size_t l = 0; l < count; l += VR)                                                                                           \
  cholesky(L, A, size, lanes, l)
  BY_SIZE(q, CHOLESKY)
}

/* ---- triangular systems ---- */

/* L X = B forward, L^H X = B backward, for `columns` columns from c on and rows from `first` on: those before are known to be zero,
 * or not asked for. Row i is the sum over the rows that are done. */
INLINE void solve_columns(l2o_real *B, const l2o_real *L, bool adjoint, size_t first, size_t c, size_t columns, size_t q, size_t n,
                          size_t lanes) {
  const size_t entry = 2 * lanes;
  for (size_t step = first; step < q; step++) {
    const size_t i = adjoint ? q - 1 - (step - first) : step, from = adjoint ? i + 1 : first, to = adjoint ? q : i;
    l2o_real *row = B + (i * n + c) * entry;
    vc sum[4];
    UNROLL for (size_t j = 0; j < columns; j++) sum[j] = vc_load(row + j * entry, lanes);
    for (size_t k = from; k < to; k++) {
      const vc a = vc_load(L + (adjoint ? k * q + i : i * q + k) * entry, lanes);
      UNROLL for (size_t j = 0; j < columns; j++) {
        const vc x = vc_load(B + (k * n + c + j) * entry, lanes);
        sum[j] = adjoint ? vc_cfnma(a, x, sum[j]) : vc_fnma(a, x, sum[j]);
      }
    }
    const vr inverse = vr_load(L + (i * q + i) * entry + lanes);
    UNROLL for (size_t j = 0; j < columns; j++) vc_store(row + j * entry, lanes, vc_scale(inverse, sum[j]));
  }
}

INLINE void solve_left(l2o_real *B, const l2o_real *L, bool adjoint, size_t q, size_t n, size_t lanes) {
  size_t c = 0;
  for (; c + 4 <= n; c += 4)
    solve_columns(B, L, adjoint, 0, c, 4, q, n, lanes);
  for (; c < n; c++)
    solve_columns(B, L, adjoint, 0, c, 1, q, n, lanes);
}

/* X L = B from the last column on, X L^H = B from the first, for `rows` rows from r on */
INLINE void solve_rows(l2o_real *B, const l2o_real *L, bool adjoint, size_t r, size_t rows, size_t q, size_t lanes) {
  const size_t entry = 2 * lanes;
  for (size_t step = 0; step < q; step++) {
    const size_t i = adjoint ? step : q - 1 - step, from = adjoint ? 0 : i + 1, to = adjoint ? i : q;
    vc sum[2];
    UNROLL for (size_t j = 0; j < rows; j++) sum[j] = vc_load(B + ((r + j) * q + i) * entry, lanes);
    for (size_t k = from; k < to; k++) {
      const vc a = vc_load(L + (adjoint ? i * q + k : k * q + i) * entry, lanes);
      UNROLL for (size_t j = 0; j < rows; j++) {
        const vc x = vc_load(B + ((r + j) * q + k) * entry, lanes);
        sum[j] = adjoint ? vc_cfnma(a, x, sum[j]) : vc_fnma(a, x, sum[j]);
      }
    }
    const vr inverse = vr_load(L + (i * q + i) * entry + lanes);
    UNROLL for (size_t j = 0; j < rows; j++) vc_store(B + ((r + j) * q + i) * entry, lanes, vc_scale(inverse, sum[j]));
  }
}

INLINE void solve_right(l2o_real *B, const l2o_real *L, bool adjoint, size_t q, size_t n, size_t lanes) {
  size_t r = 0;
  for (; r + 2 <= n; r += 2)
    solve_rows(B, L, adjoint, r, 2, q, lanes);
  if (r < n)
    solve_rows(B, L, adjoint, r, 1, q, lanes);
}

void L2O_HERE(l2o_abreast_solve)(l2o_real *B, const l2o_real *L, l2o_solve_side side, size_t q, size_t columns, size_t count) {
  const size_t lanes = l2o_lanes(count);
#define SOLVE(size)                                                                                                                \
  for (size_t l = 0; l < count; l += VR)                                                                                           \
    if (side == L2O_SOLVE_LEFT)                                                                                                    \
      solve_left(B + l, L + l, false, size, columns, lanes);                                                                       \
    else if (side == L2O_SOLVE_LEFT_ADJOINT)                                                                                       \
      solve_left(B + l, L + l, true, size, columns, lanes);                                                                        \
    else if (side == L2O_SOLVE_RIGHT)                                                                                              \
      solve_right(B + l, L + l, false, size, columns, lanes);                                                                      \
    else                                                                                                                           \
      solve_right(B + l, L + l, true, size, columns, lanes)
  BY_SIZE(q, SOLVE)
}

/* ---- (L L^H)^-1 = L^-H L^-1 ---- */

/* Columns c, ... of L^-1, which is lower triangular, and then of the inverse from row c down; above the diagonal stand the
 * conjugates.
 */
INLINE void inverse_columns(l2o_real *inverse, const l2o_real *L, size_t c, size_t columns, size_t q, size_t lanes) {
  for (size_t i = c; i < q; i++)
    UNROLL for (size_t j = 0; j < columns; j++)
        vc_store(inverse + 2 * (i * q + c + j) * lanes, lanes, (vc){vr_set(i == c + j), vr_zero()});
  solve_columns(inverse, L, false, c, c, columns, q, q, lanes);
  solve_columns(inverse, L, true, c, c, columns, q, q, lanes);
  UNROLL for (size_t j = 0; j < columns; j++) for (size_t i = c + j; i < q; i++)
      vc_store(inverse + 2 * ((c + j) * q + i) * lanes, lanes, vc_conj(vc_load(inverse + 2 * (i * q + c + j) * lanes, lanes)));
}

INLINE void inverse_of(l2o_real *inverse, const l2o_real *L, size_t q, size_t lanes) {
  size_t c = 0;
  for (; c + 4 <= q; c += 4)
    inverse_columns(inverse, L, c, 4, q, lanes);
  for (; c < q; c++)
    inverse_columns(inverse, L, c, 1, q, lanes);
}

void L2O_HERE(l2o_abreast_inverse)(l2o_real *inverse, const l2o_real *L, size_t q, size_t count) {
  const size_t lanes = l2o_lanes(count);
#define INVERSE(size)                                                                                                              \
  for (size_t l = 0; l < count; l += VR)                                                                                           \
  inverse_of(inverse + l, L + l, size, lanes)
  BY_SIZE(q, INVERSE)
}
