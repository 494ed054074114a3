/* SPDX-License-Identifier: BSD-3-Clause */
/* The instructions, not the bytes, are what these kernels have to save: on the processors at hand a vector of 64 bytes that comes
 * from the second-level cache in 1.3 cycles takes about two to be loaded twice and multiplied twice. */
#include "core/matrix.h"
#include "core/linalg.h"
#include "core/simd.h"
#include <string.h>

/* Up to TILE vectors at a time and ROWS rows: ROWS * TILE sums stay in registers. Wide vectors come with 32 registers, others with
 * 16. */
enum { TILE = 4, ROWS = 4, MANY_REGISTERS = VR * sizeof(l2o_real) == 64 };

/* out[i] = the sum of the lanes of a[i]; out has room for a multiple of four */
INLINE void sums(l2o_real *out, const vr *a, size_t count) {
  UNROLL for (size_t i = 0; i < count; i += 4) {
    vr four[4];
    UNROLL for (size_t k = 0; k < 4; k++) four[k] = i + k < count ? a[i + k] : vr_zero();
    vr_sum4(out + i, four);
  }
}

/* ---- g = A'(A x - b) ---- */

typedef struct normal_tile {
  const l2o_real *A, *x[TILE], *b[TILE];
  l2o_real *g[TILE], *r[TILE];
  size_t n;
} normal_tile;

/* Columns j, ..., j + lanes - 1:  sum_i += ahead_i x  for rows to come and  g += sum_i r_i behind_i  for rows whose r is known.
 * Adding up four rows before they are added to g makes the numbers better, and is the order for every count. */
INLINE void normal_columns(size_t count, size_t ahead, size_t behind, vr *sum, const vr *r, const normal_tile *t, size_t row,
                           size_t j, size_t lanes) {
  vr x[TILE], part[TILE];
  UNROLL for (size_t c = 0; ahead && c < count; c++) x[c] = vr_load_some(t->x[c] + j, lanes);
  UNROLL for (size_t i = 0; i < ahead; i++) {
    const vr a = vr_keep(vr_load_some(t->A + (row + i) * t->n + j, lanes));
    UNROLL for (size_t c = 0; c < count; c++) sum[i * count + c] = vr_fma(a, x[c], sum[i * count + c]);
  }
  UNROLL for (size_t i = 0; i < behind; i++) {
    const vr a = vr_keep(vr_load_some(t->A + (row - behind + i) * t->n + j, lanes));
    UNROLL for (size_t c = 0; c < count; c++) part[c] = i ? vr_fma(a, r[i * count + c], part[c]) : vr_mul(a, r[c]);
  }
  UNROLL for (size_t c = 0; behind && c < count; c++)
      vr_store_some(t->g[c] + j, vr_add(vr_load_some(t->g[c] + j, lanes), part[c]), lanes);
}

/* One way along the rows: r of rows row, ..., row + ahead - 1, and into g the `behind` rows before them. */
INLINE void normal_rows(size_t count, size_t ahead, size_t behind, const normal_tile *given, size_t row) {
  const normal_tile t = *given; /* a copy that the stores below cannot reach */
  vr sum[ROWS * TILE], r[ROWS * TILE];
  l2o_real product[ROWS * TILE];
  size_t j = 0;
  UNROLL for (size_t i = 0; i < ahead * count; i++) sum[i] = vr_zero();
  UNROLL for (size_t i = 0; i < behind; i++) UNROLL for (size_t c = 0; c < count; c++) r[i * count + c] =
      vr_set(t.r[c][row - behind + i]);
  for (; j + VR <= t.n; j += VR)
    normal_columns(count, ahead, behind, sum, r, &t, row, j, VR);
  if (j < t.n)
    normal_columns(count, ahead, behind, sum, r, &t, row, j, t.n - j);
  sums(product, sum, ahead * count);
  UNROLL for (size_t i = 0; i < ahead; i++) UNROLL for (size_t c = 0; c < count; c++) t.r[c][row + i] =
      t.b[c] ? product[i * count + c] - t.b[c][row + i] : product[i * count + c];
}

/* As many blocks of `rows` rows as there are from `row` on; returns the row behind them. Where the registers suffice, the products
 * of a block are formed on the way that brings the block before it into g: sums of one fill the time in which those of the other
 * wait for the cache. */
INLINE size_t normal_blocks(size_t count, size_t rows, const normal_tile *t, size_t row, size_t m) {
  const bool overlap = rows == ROWS && count <= (MANY_REGISTERS ? 2 : 1);
  if (row + rows > m)
    return row;
  normal_rows(count, rows, 0, t, row);
  for (row += rows; row + rows <= m; row += rows) {
    if (overlap) {
      normal_rows(count, rows, rows, t, row);
    } else {
      normal_rows(count, 0, rows, t, row);
      normal_rows(count, rows, 0, t, row);
    }
  }
  normal_rows(count, 0, rows, t, row);
  return row;
}

INLINE void normal_products(size_t count, l2o_real *const *g, l2o_real *const *r, const l2o_real *A, const l2o_real *const *x,
                            const l2o_real *const *b, size_t m, size_t n) {
  normal_tile t = {.A = A, .n = n};
  for (size_t c = 0; c < count; c++) {
    t.x[c] = x[c];
    t.b[c] = b ? b[c] : NULL;
    t.g[c] = g[c];
    t.r[c] = r[c];
    memset(g[c], 0, n * sizeof *g[c]);
  }
  size_t row = normal_blocks(count, ROWS, &t, 0, m);
  row = normal_blocks(count, 2, &t, row, m);
  normal_blocks(count, 1, &t, row, m);
}

/* ---- the same where A stays in the first-level cache: first all of r, then g by columns, which stay in registers ---- */

enum { SMALL = 16384, STRIP = 2 }; /* bytes of A; vectors of g that a way down the rows brings about */

INLINE void small_dots(size_t rows, vr *sum, const l2o_real *A, const l2o_real *x, size_t n, size_t lanes) {
  const vr in = vr_load_some(x, lanes);
  UNROLL for (size_t i = 0; i < rows; i++) sum[i] = vr_fma(vr_load_some(A + i * n, lanes), in, sum[i]);
}

/* r of `rows` <= 2 * ROWS rows; their squares are added to `square`. These are taken while r is in scalar registers: a vector load
 * right behind scalar stores would wait for all of them. */
INLINE void small_rows(size_t rows, double *square, l2o_real *r, const l2o_real *A, const l2o_real *x, const l2o_real *b,
                       size_t n) {
  vr sum[2 * ROWS];
  l2o_real product[2 * ROWS];
  size_t j = 0;
  UNROLL for (size_t i = 0; i < rows; i++) sum[i] = vr_zero();
  for (; j + VR <= n; j += VR)
    small_dots(rows, sum, A + j, x + j, n, VR);
  if (j < n)
    small_dots(rows, sum, A + j, x + j, n, n - j);
  sums(product, sum, rows);
  UNROLL for (size_t i = 0; i < rows; i++) {
    r[i] = b ? product[i] - b[i] : product[i];
    square[i % ROWS] += (double)r[i] * (double)r[i];
  }
}

/* g of `vectors` vectors of columns, the last one of `lanes` lanes; four sums each, for four rows in flight */
INLINE void small_columns(size_t vectors, size_t lanes, l2o_real *g, const l2o_real *A, const l2o_real *r, size_t m, size_t n) {
  vr sum[ROWS][STRIP];
  UNROLL for (size_t q = 0; q < ROWS; q++) UNROLL for (size_t k = 0; k < vectors; k++) sum[q][k] = vr_zero();
  size_t i = 0;
  for (; i + ROWS <= m; i += ROWS)
    UNROLL for (size_t q = 0; q < ROWS; q++) {
      const vr factor = vr_set(r[i + q]);
      UNROLL for (size_t k = 0; k < vectors; k++) sum[q][k] =
          vr_fma(vr_load_some(A + (i + q) * n + k * VR, k + 1 < vectors ? VR : lanes), factor, sum[q][k]);
    }
  for (; i < m; i++)
    UNROLL for (size_t k = 0; k < vectors; k++) sum[0][k] =
        vr_fma(vr_load_some(A + i * n + k * VR, k + 1 < vectors ? VR : lanes), vr_set(r[i]), sum[0][k]);
  UNROLL for (size_t k = 0; k < vectors; k++)
      vr_store_some(g + k * VR, vr_add(vr_add(sum[0][k], sum[1][k]), vr_add(sum[2][k], sum[3][k])), k + 1 < vectors ? VR : lanes);
}

static double small_residual(l2o_real *r, const l2o_real *A, const l2o_real *x, const l2o_real *b, size_t m, size_t n) {
  double square[ROWS] = {0};
  size_t i = 0;
  for (; i + 2 * ROWS <= m; i += 2 * ROWS)
    small_rows(2 * ROWS, square, r + i, A + i * n, x, b ? b + i : NULL, n);
  for (; i + ROWS <= m; i += ROWS)
    small_rows(ROWS, square, r + i, A + i * n, x, b ? b + i : NULL, n);
  for (; i < m; i++)
    small_rows(1, square, r + i, A + i * n, x, b ? b + i : NULL, n);
  return (square[0] + square[1]) + (square[2] + square[3]);
}

static double small_products(l2o_real *g, l2o_real *r, const l2o_real *A, const l2o_real *x, const l2o_real *b, size_t m,
                             size_t n) {
  const double square = small_residual(r, A, x, b, m, n);
  size_t j = 0;
  for (; j + STRIP * VR <= n; j += STRIP * VR)
    small_columns(STRIP, VR, g + j, A + j, r, m, n);
  if (n - j > VR)
    small_columns(STRIP, n - j - VR, g + j, A + j, r, m, n);
  else if (j < n)
    small_columns(1, n - j, g + j, A + j, r, m, n);
  return square;
}

/* ---- for callers ---- */

static double sum_of_squares(const l2o_real *r, size_t m) {
  vd sum[2] = {vd_zero(), vd_zero()};
  size_t i = 0;
  for (; i + 2 * VD <= m; i += 2 * VD) {
    const vd a = vd_from_reals(r + i), b = vd_from_reals(r + i + VD);
    sum[0] = vd_fma(a, a, sum[0]);
    sum[1] = vd_fma(b, b, sum[1]);
  }
  for (; i < m; i += VD) {
    const vd a = i + VD <= m ? vd_from_reals(r + i) : vd_from_reals_part(r + i, m - i);
    sum[0] = vd_fma(a, a, sum[0]);
  }
  return vd_sum(vd_add(sum[0], sum[1]));
}

/* One lane: BLAS has the better vectors, and takes rows in blocks that stay in the first-level cache between its two products. g
 * may be NULL. */
static void normal_products_by_blas(l2o_real *g, l2o_real *r, const l2o_real *A, const l2o_real *x, const l2o_real *b, size_t m,
                                    size_t n) {
  const size_t fit = 16384 / (n * sizeof *A), rows = fit ? fit : 1;
  if (g)
    memset(g, 0, n * sizeof *g);
  for (size_t i = 0; i < m; i += rows) {
    const size_t many = rows < m - i ? rows : m - i;
    l2o_gemv(r + i, A + i * n, x, many, n);
    for (size_t k = i; b && k < i + many; k++)
      r[k] -= b[k];
    if (g)
      l2o_gemv_t_add(g, 1, A + i * n, r + i, many, n);
  }
}

void L2O_HERE(l2o_normal_products)(size_t count, l2o_real *const *g, l2o_real *const *r, double *squares, const l2o_real *A,
                                   const l2o_real *const *x, const l2o_real *const *b, size_t m, size_t n) {
  if (VR > 1 && m * n * sizeof *A <= SMALL) {
    for (size_t c = 0; c < count; c++)
      squares[c] = small_products(g[c], r[c], A, x[c], b ? b[c] : NULL, m, n);
    return;
  }
  for (size_t c = 0; c < count; c++) {
    const l2o_real *const *from = b ? b + c : NULL;
    if (VR == 1)
      normal_products_by_blas(g[c], r[c], A, x[c], b ? b[c] : NULL, m, n);
    else if (count - c >= 4)
      normal_products(4, g + c, r + c, A, x + c, from, m, n), c += 3;
    else if (count - c == 3)
      normal_products(3, g + c, r + c, A, x + c, from, m, n), c += 2;
    else if (count - c == 2)
      normal_products(2, g + c, r + c, A, x + c, from, m, n), c += 1;
    else
      normal_products(1, g + c, r + c, A, x + c, from, m, n);
  }
  for (size_t c = 0; c < count; c++)
    squares[c] = sum_of_squares(r[c], m);
}

double L2O_HERE(l2o_residual)(l2o_real *r, const l2o_real *A, const l2o_real *x, const l2o_real *b, size_t m, size_t n) {
  const normal_tile t = {.A = A, .x = {x}, .b = {b}, .r = {r}, .n = n};
  size_t row = 0;
  if (VR > 1 && m * n * sizeof *A <= SMALL)
    return small_residual(r, A, x, b, m, n);
  if (VR == 1) {
    normal_products_by_blas(NULL, r, A, x, b, m, n);
    row = m;
  }
  for (; row + ROWS <= m; row += ROWS)
    normal_rows(1, ROWS, 0, &t, row);
  for (; row < m; row++)
    normal_rows(1, 1, 0, &t, row);
  return sum_of_squares(r, m);
}

/* ---- y = H x ---- */

/* A way along the rows row, ..., row + rows - 1 of a panel, `at` the first of them, from column `first` on:
 * sum_i += h_ij x_j and y_j += h_ij x_i; the diagonal's half is there once for each. */
INLINE void panel_rows(size_t count, size_t rows, l2o_real *const *y, const l2o_real *at, const l2o_real *const *x, size_t row,
                       size_t first, size_t stride, size_t n) {
  const l2o_real *from[TILE];
  l2o_real *to[TILE], product[2 * ROWS * TILE];
  vr sum[2 * ROWS * TILE], x_of_row[2 * ROWS * TILE];
  UNROLL for (size_t c = 0; c < count; c++) from[c] = x[c], to[c] = y[c];
  UNROLL for (size_t i = 0; i < rows; i++) UNROLL for (size_t c = 0; c < count; c++) {
    sum[i * count + c] = vr_zero();
    x_of_row[i * count + c] = vr_set(from[c][row + i]);
  }
  for (size_t j = first; j < n; j += VR) {
    const size_t lanes = n - j < VR ? n - j : VR;
    vr in[TILE], out[TILE];
    UNROLL for (size_t c = 0; c < count; c++) in[c] = vr_load_some(from[c] + j, lanes), out[c] = vr_load_some(to[c] + j, lanes);
    UNROLL for (size_t i = 0; i < rows; i++) {
      const vr h = vr_keep(vr_load(at + i * stride + (j - first))); /* rows are padded */
      UNROLL for (size_t c = 0; c < count; c++) {
        sum[i * count + c] = vr_fma(h, in[c], sum[i * count + c]);
        out[c] = vr_fma(h, x_of_row[i * count + c], out[c]);
      }
    }
    UNROLL for (size_t c = 0; c < count; c++) vr_store_some(to[c] + j, out[c], lanes);
  }
  sums(product, sum, rows * count);
  UNROLL for (size_t i = 0; i < rows; i++) UNROLL for (size_t c = 0; c < count; c++) to[c][row + i] += product[i * count + c];
}

INLINE void triangle_products(size_t count, l2o_real *const *y, const l2o_real *H, const l2o_real *const *x, size_t n) {
  const size_t rows = (MANY_REGISTERS ? 8 : 4) / (count == 3 ? 4 : count);
  for (size_t c = 0; c < count; c++)
    memset(y[c], 0, n * sizeof *y[c]);
  for (size_t first = 0; first < n; first += L2O_PANEL) {
    const size_t stride = l2o_panel_stride(n, first), end = n - first < L2O_PANEL ? n : first + L2O_PANEL;
    size_t row = first;
    for (; row + rows <= end; row += rows)
      panel_rows(count, rows, y, H + (row - first) * stride, x, row, first, stride, n);
    for (; row < end; row++)
      panel_rows(count, 1, y, H + (row - first) * stride, x, row, first, stride, n);
    H += L2O_PANEL * stride;
  }
}

/* One lane: BLAS has the better vectors. */
static void triangle_product_by_blas(l2o_real *y, const l2o_real *H, const l2o_real *x, size_t n) {
  memset(y, 0, n * sizeof *y);
  for (size_t first = 0; first < n; first += L2O_PANEL) {
    const size_t stride = l2o_panel_stride(n, first), rows = n - first < L2O_PANEL ? n - first : L2O_PANEL;
    l2o_gemv_panel_add(y + first, H, false, x + first, rows, n - first, stride);
    l2o_gemv_panel_add(y + first, H, true, x + first, rows, n - first, stride);
    H += L2O_PANEL * stride;
  }
}

void L2O_HERE(l2o_triangle_products)(size_t count, l2o_real *const *y, const l2o_real *H, const l2o_real *const *x, size_t n) {
  for (size_t c = 0; c < count; c++) {
    if (VR == 1)
      triangle_product_by_blas(y[c], H, x[c], n);
    else if (count - c >= 4)
      triangle_products(4, y + c, H, x + c, n), c += 3;
    else if (count - c == 3)
      triangle_products(3, y + c, H, x + c, n), c += 2;
    else if (count - c == 2)
      triangle_products(2, y + c, H, x + c, n), c += 1;
    else
      triangle_products(1, y + c, H, x + c, n);
  }
}
