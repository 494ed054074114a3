/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/lstm.h"
#include "core/simd.h"

#ifdef L2O_SINGLE
#define LEAST (l2o_real) - 88.1
#define MOST (l2o_real)89
#define SATURATED 20
#else
#define LEAST -709.2
#define MOST 709.9
#define SATURATED 40
#endif

/* tanh(a) = m / (m + 2) from m = exp(2 a) - 1 */
SIMD(vr) twice(vr a) {
  return vr_max(vr_set(-SATURATED), vr_min(vr_set(SATURATED), vr_add(a, a)));
}
SIMD(vr) tanh_of(vr q, vr power) {
  const vr m = vr_fma(power, q, vr_sub(power, vr_set(1)));
  return vr_div_beside(m, vr_add(m, vr_set(2)));
}
/* s(a) = 1 / (1 + exp(-a)), 0 and 1 at the ends */
SIMD(vr) minus(vr a) {
  return vr_max(vr_set(LEAST), vr_min(vr_set(MOST), vr_sub(vr_zero(), a)));
}
SIMD(vr) sigmoid_of(vr q, vr power) {
  return vr_div(vr_set(1), vr_fma(power, vr_add(vr_set(1), q), vr_set(1)));
}

/* Columns are taken ABREAST vectors at a time, `vectors` of them at the end, where the last vector reaches back into the one before
 * rather than behind the last column: what it makes again is the same, for nothing is read from where something is written. A store
 * of some lanes only would hold up the loads behind it. Only fewer columns than a vector has lanes are a part of one. */
typedef struct block {
  size_t vectors; /* a constant, and so is */
  bool part;      /* ... this: one vector, of which `lanes` columns are there */
  size_t last;    /* where the last vector begins */
  size_t lanes;
} block;

enum {
  ABREAST = VD >= 8   ? 4
            : VD >= 4 ? 2
                      : 1,
  TWO = ABREAST < 2 ? 1 : 2,
  THREE = ABREAST < 3 ? TWO : 3,
  GATES_ABREAST = VD >= 8 ? 2 : 1
};

SIMD(size_t) place(block b, size_t v) {
  return v + 1 < b.vectors ? v * VR : b.last;
}
SIMD(vr) load(const l2o_real *p, block b, size_t v) {
  return b.part ? vr_load_part(p, b.lanes) : vr_load(p + place(b, v));
}
SIMD(void) store(l2o_real *p, vr a, block b, size_t v) {
  if (b.part)
    vr_store_part(p, a, b.lanes);
  else
    vr_store(p + place(b, v), a);
}

/* Calls work(first column, block) over n columns. Work that adds to what it stores gets a part of a vector where the last one would
 * reach back into another block. */
#define BY_BLOCKS(work, adds)                                                                                                      \
  do {                                                                                                                             \
    size_t j = 0;                                                                                                                  \
    for (; j + ABREAST * VR <= n; j += ABREAST * VR)                                                                               \
      work(j, ((block){ABREAST, false, (ABREAST - 1) * VR, VR}));                                                                  \
    const size_t rest = n - j;                                                                                                     \
    if (n < VR)                                                                                                                    \
      work(0, ((block){1, true, 0, n}));                                                                                           \
    else if (rest > 3 * VR)                                                                                                        \
      work(j, ((block){ABREAST, false, rest - VR, VR}));                                                                           \
    else if (rest > 2 * VR)                                                                                                        \
      work(j, ((block){THREE, false, rest - VR, VR}));                                                                             \
    else if (rest > VR)                                                                                                            \
      work(j, ((block){TWO, false, rest - VR, VR}));                                                                               \
    else if (rest && (adds))                                                                                                       \
      work(j, ((block){1, true, 0, rest}));                                                                                        \
    else if (rest)                                                                                                                 \
      work(n - VR, ((block){1, false, 0, VR}));                                                                                    \
  } while (0)

/* The cells of a block from their pre-activations a_i, a_f, a_g, a_o; the six blocks of `gates` lie `count` apart. */
SIMD(void) cells(l2o_real *h, l2o_real *c, l2o_real *gates, vr a[4][ABREAST], size_t count, block b) {
  vr out[ABREAST], t[ABREAST], power[4 * GATES_ABREAST];
  for (size_t first = 0; first < b.vectors; first += GATES_ABREAST) {
    const size_t some = b.vectors - first < GATES_ABREAST ? b.vectors - first : GATES_ABREAST;
    vr q[4 * GATES_ABREAST];
    for (size_t v = 0; v < some; v++)
      for (size_t gate = 0; gate < 4; gate++)
        q[4 * v + gate] = gate == 2 ? twice(a[gate][first + v]) : minus(a[gate][first + v]);
    vr_expm1_reduced(q, power, 4 * some);
    for (size_t v = 0; v < some; v++) {
      const vr before = load(gates + 4 * count, b, first + v);
      const vr i = sigmoid_of(q[4 * v], power[4 * v]), g = tanh_of(q[4 * v + 2], power[4 * v + 2]),
               f = sigmoid_of(q[4 * v + 1], power[4 * v + 1]);
      const vr after = vr_fma(f, before, vr_mul(i, g)); /* c' = f c + i g */
      out[first + v] = sigmoid_of(q[4 * v + 3], power[4 * v + 3]);
      t[first + v] = twice(after);
      store(gates, i, b, first + v);
      store(gates + count, f, b, first + v);
      store(gates + 2 * count, g, b, first + v);
      store(gates + 3 * count, out[first + v], b, first + v);
      store(c, after, b, first + v);
    }
  }
  vr_expm1_reduced(t, power, b.vectors);
  for (size_t v = 0; v < b.vectors; v++) {
    const vr tanh_c = tanh_of(t[v], power[v]);
    store(gates + 5 * count, tanh_c, b, v);
    store(h, vr_mul(out[v], tanh_c), b, v); /* h' = o tanh(c') */
  }
}

SIMD(void) fetch(l2o_ahead *ahead) {
  if (ahead && ahead->at < ahead->end) {
    simd_fetch(ahead->at);
    ahead->at += 64 / sizeof *ahead->at;
  }
}

/* a[q][v] += w_q'z, q = 0 .. 3, over the rows of z (K, n); w_q: every step-th real from w[at[q]] */
SIMD(void)
four_rows(vr a[4][ABREAST], const l2o_real *w, size_t step, const size_t at[4], const l2o_real *z, l2o_ahead *ahead, size_t K,
          size_t n, block b) {
  for (size_t k = 0; k < K; k++, w += step, z += n) {
    fetch(ahead);
    vr column[ABREAST];
    for (size_t v = 0; v < b.vectors; v++)
      column[v] = load(z, b, v);
    for (size_t q = 0; q < 4; q++) {
      const vr weight = vr_set(w[at[q]]);
      for (size_t v = 0; v < b.vectors; v++)
        a[q][v] = vr_fma(weight, column[v], a[q][v]);
    }
  }
}

/* a[q][v] = w_q'z + b_q, w (K + 1, 4) with b last */
SIMD(void) four_packed(vr a[4][ABREAST], const l2o_real *w, const l2o_real *z, l2o_ahead *ahead, size_t K, size_t n, block b) {
  for (size_t q = 0; q < 4; q++)
    for (size_t v = 0; v < b.vectors; v++)
      a[q][v] = vr_set(w[4 * K + q]);
  four_rows(a, w, 4, (size_t[]){0, 1, 2, 3}, z, ahead, K, n, b);
}

SIMD(void)
step(l2o_real *h, l2o_real *c, l2o_real *gates, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead, size_t K, size_t H,
     size_t n, block b) {
  for (size_t k = 0; k < H; k++, packed += 4 * (K + 1)) {
    vr a[4][ABREAST];
    four_packed(a, packed, z, ahead, K, n, b);
    cells(h + k * n, c + k * n, gates + k * n, a, H * n, b);
  }
}

void L2O_HERE(l2o_lstm_step)(l2o_real *h, l2o_real *c, l2o_real *gates, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead,
                             size_t K, size_t H, size_t n) {
#define STEP(j, b) step(h + (j), c + (j), gates + (j), packed, z + (j), ahead, K, H, n, b)
  BY_BLOCKS(STEP, false);
#undef STEP
}

SIMD(void)
affine(l2o_real *y, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead, bool rectify, size_t rows, size_t K, size_t n,
       block b) {
  for (size_t r = 0; r < rows; r += 4, packed += 4 * (K + 1)) {
    vr a[4][ABREAST];
    four_packed(a, packed, z, ahead, K, n, b);
    for (size_t q = 0; q < 4 && r + q < rows; q++)
      for (size_t v = 0; v < b.vectors; v++)
        store(y + (r + q) * n, rectify ? vr_max(vr_zero(), a[q][v]) : a[q][v], b, v);
  }
}

void L2O_HERE(l2o_affine)(l2o_real *y, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead, bool rectify, size_t rows,
                          size_t K, size_t n) {
#define AFFINE(j, b) affine(y + (j), packed, z + (j), ahead, rectify, rows, K, n, b)
  BY_BLOCKS(AFFINE, false);
#undef AFFINE
}

SIMD(void) cells_backward(l2o_real *da, l2o_real *dc, const l2o_real *dh, const l2o_real *gates, size_t count, size_t lanes) {
  const vr one = vr_set(1);
  const vr i = vr_load_some(gates, lanes), f = vr_load_some(gates + count, lanes), g = vr_load_some(gates + 2 * count, lanes);
  const vr o = vr_load_some(gates + 3 * count, lanes), c = vr_load_some(gates + 4 * count, lanes),
           t = vr_load_some(gates + 5 * count, lanes);
  const vr dh_o = vr_mul(vr_load_some(dh, lanes), o);
  const vr d = vr_fma(dh_o, vr_fnma(t, t, one), vr_load_some(dc, lanes));            /* dc' = dc' + dh o (1 - tanh^2) */
  vr_store_some(da, vr_mul(vr_mul(d, g), vr_mul(i, vr_sub(one, i))), lanes);         /* dc' g i (1 - i) */
  vr_store_some(da + count, vr_mul(vr_mul(d, c), vr_mul(f, vr_sub(one, f))), lanes); /* dc' c f (1 - f) */
  vr_store_some(da + 2 * count, vr_mul(vr_mul(d, i), vr_fnma(g, g, one)), lanes);    /* dc' i (1 - g^2) */
  vr_store_some(da + 3 * count, vr_mul(vr_mul(dh_o, t), vr_sub(one, o)), lanes);     /* dh tanh(c') o (1 - o) */
  vr_store_some(dc, vr_mul(d, f), lanes);                                            /* dc = dc' f */
}

void L2O_HERE(l2o_lstm_gates_backward)(l2o_real *da, l2o_real *dc, const l2o_real *dh, const l2o_real *gates, size_t count) {
  size_t j = 0;
  for (; j + VR <= count; j += VR)
    cells_backward(da + j, dc + j, dh + j, gates + j, count, VR);
  if (j < count)
    cells_backward(da + j, dc + j, dh + j, gates + j, count, count - j);
}

/* y (rows, n) = W'x, or that is added to y */
SIMD(void)
transposed(l2o_real *y, const l2o_real *W, size_t stride, const l2o_real *x, l2o_ahead *ahead, bool add, size_t rows, size_t K,
           size_t n, block b) {
  for (size_t r = 0; r < rows; r += 4, y += 4 * n, W += 4) {
    const size_t most = rows - r < 4 ? rows - r - 1 : 3, at[4] = {0, most < 1 ? most : 1, most < 2 ? most : 2, most};
    vr a[4][ABREAST];
    for (size_t q = 0; q < 4; q++)
      for (size_t v = 0; v < b.vectors; v++)
        a[q][v] = add ? load(y + at[q] * n, b, v) : vr_zero();
    four_rows(a, W, stride, at, x, ahead, K, n, b);
    for (size_t q = 0; q <= most; q++)
      for (size_t v = 0; v < b.vectors; v++)
        store(y + q * n, a[q][v], b, v);
  }
}

void L2O_HERE(l2o_transposed_product)(l2o_real *y, const l2o_real *W, size_t stride, const l2o_real *x, l2o_ahead *ahead, bool add,
                                      size_t rows, size_t K, size_t n) {
#define TRANSPOSED(j, b) transposed(y + (j), W, stride, x + (j), ahead, add, rows, K, n, b)
  BY_BLOCKS(TRANSPOSED, add);
#undef TRANSPOSED
}

/* ---- sums over the columns ---- */

enum { TILE = VD >= 8 ? 5 : VD >= 4 ? 2 : 4, TILE_ROWS = 4 }; /* as many sums as there are registers for */

/* A block of VR rows of x (rows, n) and VR columns of it, of which `lanes` are there, into (lanes, stride). */
SIMD(void) transpose(l2o_real *out, const l2o_real *x, size_t rows, size_t n, size_t stride, size_t lanes) {
  vr a[VR];
  for (size_t i = 0; i < VR; i++)
    a[i] = i < rows ? vr_load_some(x + i * n, lanes) : vr_zero();
  vr_transpose(a);
  for (size_t j = 0; j < lanes; j++)
    vr_store(out + j * stride, a[j]);
}

SIMD(void) add_to(double *sum, vr a, size_t lanes) {
  l2o_real terms[VR];
  vr_store(terms, a);
  for (size_t i = 0; i < lanes; i += VD) {
    const size_t count = lanes - i < VD ? lanes - i : VD;
    vd_store_some(sum + i, vd_add(vd_load_some(sum + i, count), vd_from_reals_some(terms + i, count)), count);
  }
}

/* `rows` of y times `vectors` of the transposed x, the last of which has `lanes` */
SIMD(void)
tile(double *sum, size_t columns, const l2o_real *x, size_t stride, const l2o_real *y, size_t n, size_t rows, size_t vectors,
     size_t lanes) {
  vr a[TILE_ROWS][TILE];
  for (size_t q = 0; q < rows; q++)
    for (size_t v = 0; v < vectors; v++)
      a[q][v] = vr_zero();
  for (size_t j = 0; j < n; j++, x += stride) {
    vr b[TILE];
    for (size_t v = 0; v < vectors; v++)
      b[v] = vr_keep(vr_load(x + v * VR));
    for (size_t q = 0; q < rows; q++) {
      const vr factor = vr_set(y[q * n + j]);
      for (size_t v = 0; v < vectors; v++)
        a[q][v] = vr_fma(factor, b[v], a[q][v]);
    }
  }
  for (size_t q = 0; q < rows; q++)
    for (size_t v = 0; v < vectors; v++)
      add_to(sum + q * columns + v * VR, a[q][v], v + 1 < vectors ? VR : lanes);
}

SIMD(void)
tiles(double *sum, size_t columns, const l2o_real *x, size_t stride, const l2o_real *y, size_t rows, size_t n, size_t vectors,
      size_t lanes) {
  size_t r = 0;
  for (; r + TILE_ROWS <= rows; r += TILE_ROWS)
    tile(sum + r * columns, columns, x, stride, y + r * n, n, TILE_ROWS, vectors, lanes);
  for (; r < rows; r++)
    tile(sum + r * columns, columns, x, stride, y + r * n, n, 1, vectors, lanes);
}

void L2O_HERE(l2o_add_outer)(double *sum, l2o_real *work, const l2o_real *y, const l2o_real *x, size_t rows, size_t columns,
                             size_t n) {
  const size_t stride = (columns + VR - 1) / VR * VR;
  for (size_t i = 0; i < columns; i += VR) {
    size_t j = 0;
    for (; j + VR <= n; j += VR)
      transpose(work + j * stride + i, x + i * n + j, columns - i, n, stride, VR);
    if (j < n)
      transpose(work + j * stride + i, x + i * n + j, columns - i, n, stride, n - j);
  }
  size_t i = 0;
  for (; i + TILE * VR <= columns; i += TILE * VR)
    tiles(sum + i, columns, work + i, stride, y, rows, n, TILE, VR);
  const size_t left = (columns - i + VR - 1) / VR, lanes = columns - i - (left - 1) * VR;
#define LAST_TILES(vectors)                                                                                                        \
  if (left == (vectors) && (vectors) <= TILE)                                                                                      \
  tiles(sum + i, columns, work + i, stride, y, rows, n, (vectors) < TILE ? (vectors) : TILE, lanes)
  LAST_TILES(1);
  LAST_TILES(2);
  LAST_TILES(3);
  LAST_TILES(4);
  LAST_TILES(5);
#undef LAST_TILES
}
