/* SPDX-License-Identifier: BSD-3-Clause */
/* A lane is a user, a weight the same number in every lane. */
#include "nn/rate_network.h"
#include "core/simd.h"

enum { ROWS = sizeof(l2o_real) * VR == 64 ? 8 : 4 }; /* units that share what is loaded */

static const l2o_real number[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; /* of a lane */

/* relu(a); not-a-number stays */
SIMD(vr) relu(vr a) {
  return vr_max(vr_zero(), a);
}
/* lanes that are left, at most a vector of them */
SIMD(size_t) users_from(size_t u, size_t n) {
  return n - u < VR ? n - u : VR;
}

void L2O_HERE(l2o_rate_log)(l2o_real *y, const l2o_real *x, size_t n) {
  const vr scale = vr_set((l2o_real)1e6), quarter = vr_set((l2o_real)0.25), least = vr_set((l2o_real)-3.453877639491069);
  for (size_t i = 0; i < n; i += VR) {
    const size_t count = users_from(i, n);
    vr_store_some(y + i, vr_fma(quarter, vr_log1p(vr_mul(scale, vr_load_some(x + i, count))), least), count);
  }
}

/* <a, b> and so on of one user: vectors run along its entries */
void L2O_HERE(l2o_rate_moments)(l2o_real *out, const l2o_real *x, const l2o_real *before, const l2o_real *g, const l2o_real *t,
                                const l2o_real *r, size_t entries, size_t n) {
  const size_t lanes = l2o_lanes(n);
  for (size_t u = 0; u < n; u++) {
    vr sum[8];
    l2o_real numbers[8];
    UNROLL for (size_t i = 0; i < 8; i++) sum[i] = vr_zero();
    for (size_t i = u * entries; i < (u + 1) * entries; i += VR) {
      const size_t count = users_from(i, (u + 1) * entries);
      const vr a = vr_load_some(x + i, count), b = vr_load_some(g + i, count);
      const vr v = before ? vr_sub(a, vr_load_some(before + i, count)) : vr_zero();
      sum[0] = vr_fma(a, a, sum[0]);
      sum[1] = vr_fma(b, b, sum[1]);
      sum[2] = vr_fma(a, b, sum[2]);
      sum[3] = vr_fma(v, v, sum[3]);
      sum[4] = vr_fma(v, b, sum[4]);
      if (t) {
        const vr c = vr_load_some(t + i, count);
        sum[5] = vr_fma(c, c, sum[5]);
        sum[6] = vr_fma(c, vr_load_some(r + i, count), sum[6]);
      }
    }
    vr_sum4(numbers, sum);
    vr_sum4(numbers + 4, sum + 4);
    for (size_t i = 0; i < L2O_RATE_MOMENTS; i++)
      out[i * lanes + u] = numbers[i];
  }
}

void L2O_HERE(l2o_rate_blend)(l2o_real *out, l2o_real a, const l2o_real *x, l2o_real b, const l2o_real *y, size_t n) {
  for (size_t i = 0; i < n; i += VR) {
    const size_t count = users_from(i, n);
    const vr sum = vr_mul(vr_set(a), vr_load_some(x + i, count));
    vr_store_some(out + i, y ? vr_fma(vr_set(b), vr_load_some(y + i, count), sum) : sum, count);
  }
}

/* x - s g is rounded as fastfp does it, so that zero networks give its bits */
void L2O_HERE(l2o_rate_move)(l2o_real *out, const l2o_rate_update *update, size_t entries) {
  const vr s = vr_set(update->s), beta = vr_set(update->beta);
  for (size_t i = 0; i < entries; i += VR) {
    const size_t count = users_from(i, entries);
    const vr x = vr_load_some(update->x + i, count);
    vr sum = vr_sub(x, vr_keep(vr_mul(s, vr_load_some(update->g + i, count))));
    for (size_t k = 0; k < update->count; k++)
      sum = vr_fma(vr_set(update->c[k * update->lanes]), vr_load_some(update->R + k * update->apart + i, count), sum);
    if (update->before)
      sum = vr_fma(beta, vr_sub(x, vr_load_some(update->before + i, count)), sum);
    vr_store_some(out + i, sum, count);
  }
}

void L2O_HERE(l2o_rate_squares)(l2o_real *out, const l2o_real *F, size_t entries, size_t count, size_t n) {
  const size_t lanes = l2o_lanes(n);
  for (size_t w = 0; w < count; w++)
    for (size_t u = 0; u < n; u += VR) {
      vr sum[2] = {vr_zero(), vr_zero()};
      for (size_t i = 0; i < entries; i++)
        UNROLL for (size_t part = 0; part < 2; part++) {
          const vr a = vr_load(F + (2 * (w * entries + i) + part) * lanes + u);
          sum[part] = vr_fma(a, a, sum[part]);
        }
      vr_store(out + w * lanes + u, vr_add(sum[0], sum[1]));
    }
}

INLINE void dense(l2o_real *y, const l2o_real *W, size_t stride, const l2o_real *b, const l2o_real *x, size_t rows, size_t columns,
                  bool add, bool is_relu, size_t lanes) {
  vr sum[ROWS];
  UNROLL for (size_t r = 0; r < rows; r++) {
    sum[r] = b ? vr_set(b[r]) : vr_zero();
    if (add)
      sum[r] = vr_add(sum[r], vr_load(y + r * lanes));
  }
  for (size_t c = 0; c < columns; c++) {
    const vr a = vr_load(x + c * lanes);
    UNROLL for (size_t r = 0; r < rows; r++) sum[r] = vr_fma(vr_set(W[r * stride + c]), a, sum[r]);
  }
  UNROLL for (size_t r = 0; r < rows; r++) vr_store(y + r * lanes, is_relu ? relu(sum[r]) : sum[r]);
}

void L2O_HERE(l2o_rate_dense)(l2o_real *y, const l2o_real *W, size_t stride, const l2o_real *b, const l2o_real *x, size_t rows,
                              size_t columns, bool add, bool is_relu, size_t n) {
  const size_t lanes = l2o_lanes(n);
  for (size_t u = 0; u < n; u += VR) {
    size_t r = 0;
    for (; r + ROWS <= rows; r += ROWS)
      dense(y + r * lanes + u, W + r * stride, stride, b ? b + r : NULL, x + u, ROWS, columns, add, is_relu, lanes);
    for (; r < rows; r++)
      dense(y + r * lanes + u, W + r * stride, stride, b ? b + r : NULL, x + u, 1, columns, add, is_relu, lanes);
  }
}

/* ---- messages ---- */

/* The unit that u finds of w, before relu: a_w + B e_uw + c */
SIMD(vr) heard(const vr *e, l2o_real a, const l2o_real *B, l2o_real c) {
  vr sum = vr_set(a + c);
  UNROLL for (size_t i = 0; i < L2O_RATE_EDGE; i++) sum = vr_fma(vr_set(B[i]), e[i], sum);
  return sum;
}

/* 1 where a user is not w, else 0 */
SIMD(vr) others(size_t u, size_t w) {
  if (w < u || w >= u + VR)
    return vr_set(1);
  return vr_select(vr_eq(vr_load(number), vr_set((l2o_real)(w - u))), vr_zero(), vr_set(1));
}

INLINE void messages(l2o_real *m, const l2o_real *a, const l2o_real *B, const l2o_real *c, const l2o_real *edges, size_t units,
                     size_t u, size_t n) {
  const size_t lanes = l2o_lanes(n);
  const vr share = vr_set(n > 1 ? 1 / (l2o_real)(n - 1) : 0);
  vr sum[ROWS];
  UNROLL for (size_t k = 0; k < units; k++) sum[k] = vr_zero();
  for (size_t w = 0; w < n; w++) {
    const vr other = others(u, w);
    vr e[L2O_RATE_EDGE];
    UNROLL for (size_t i = 0; i < L2O_RATE_EDGE; i++) e[i] = vr_load(edges + (i * n + w) * lanes + u);
    UNROLL for (size_t k = 0; k < units; k++) sum[k] =
        vr_fma(other, relu(heard(e, a[k * lanes + w], B + k * L2O_RATE_EDGE, c[k])), sum[k]);
  }
  UNROLL for (size_t k = 0; k < units; k++) vr_store(m + k * lanes + u, vr_mul(share, sum[k]));
}

void L2O_HERE(l2o_rate_messages)(l2o_real *m, const l2o_real *a, const l2o_real *B, const l2o_real *c, const l2o_real *edges,
                                 size_t h, size_t n) {
  const size_t lanes = l2o_lanes(n);
  for (size_t u = 0; u < n; u += VR) {
    size_t k = 0;
    for (; k + ROWS <= h; k += ROWS)
      messages(m + k * lanes, a + k * lanes, B + k * L2O_RATE_EDGE, c + k, edges, ROWS, u, n);
    for (; k < h; k++)
      messages(m + k * lanes, a + k * lanes, B + k * L2O_RATE_EDGE, c + k, edges, 1, u, n);
  }
}

/* With g_u = dm_u / (n-1) where the unit is active:  da_w = sum_u g_u,  dB = sum_uw g_u e_uw,  dc = sum_uw g_u */
void L2O_HERE(l2o_rate_messages_back)(l2o_real *da, double *dB, double *dc, const l2o_real *dm, const l2o_real *a,
                                      const l2o_real *B, const l2o_real *c, const l2o_real *edges, size_t h, size_t n) {
  const size_t lanes = l2o_lanes(n);
  const vr share = vr_set(n > 1 ? 1 / (l2o_real)(n - 1) : 0);
  for (size_t k = 0; k < h; k++) {
    for (size_t w = 0; w < n; w++) {
      vr sum[4] = {vr_zero(), vr_zero(), vr_zero(), vr_zero()};
      l2o_real numbers[4];
      for (size_t u = 0; u < n; u += VR) {
        const size_t count = users_from(u, n);
        vr e[L2O_RATE_EDGE];
        UNROLL for (size_t i = 0; i < L2O_RATE_EDGE; i++) e[i] = vr_load_some(edges + (i * n + w) * lanes + u, count);
        const vr z = heard(e, a[k * lanes + w], B + k * L2O_RATE_EDGE, c[k]);
        vr g = vr_mul(vr_mul(share, others(u, w)), vr_load_some(dm + k * lanes + u, count));
        g = vr_select(vr_lt(vr_zero(), z), g, vr_zero());
        sum[0] = vr_add(sum[0], g);
        UNROLL for (size_t i = 0; i < L2O_RATE_EDGE; i++) sum[1 + i] = vr_fma(g, e[i], sum[1 + i]);
      }
      vr_sum4(numbers, sum);
      da[k * lanes + w] = numbers[0];
      dc[k] += (double)numbers[0];
      for (size_t i = 0; i < L2O_RATE_EDGE; i++)
        dB[k * L2O_RATE_EDGE + i] += (double)numbers[1 + i];
    }
  }
}

/* ---- the way back through dense layers ---- */

void L2O_HERE(l2o_rate_outer_sums)(double *dW, size_t stride, double *db, const l2o_real *dy, const l2o_real *x, size_t rows,
                                   size_t columns, size_t n) {
  const size_t lanes = l2o_lanes(n);
  l2o_real numbers[4];
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns + (db != NULL); c += 4) { /* a column of ones behind the others */
      vr sum[4] = {vr_zero(), vr_zero(), vr_zero(), vr_zero()};
      const size_t some = columns + (db != NULL) - c < 4 ? columns + (db != NULL) - c : 4;
      for (size_t u = 0; u < n; u += VR) {
        const size_t count = users_from(u, n);
        const vr g = vr_load_some(dy + r * lanes + u, count);
        for (size_t i = 0; i < some; i++)
          sum[i] = c + i < columns ? vr_fma(g, vr_load_some(x + (c + i) * lanes + u, count), sum[i]) : vr_add(sum[i], g);
      }
      vr_sum4(numbers, sum);
      for (size_t i = 0; i < some; i++)
        *(c + i < columns ? dW + r * stride + c + i : db + r) += (double)numbers[i];
    }
}

void L2O_HERE(l2o_rate_dense_back)(l2o_real *dx, const l2o_real *W, size_t stride, const l2o_real *dy, const l2o_real *active,
                                   size_t rows, size_t columns, size_t n) {
  const size_t lanes = l2o_lanes(n);
  for (size_t u = 0; u < n; u += VR)
    for (size_t c = 0; c < columns; c++) {
      vr sum = vr_zero();
      for (size_t r = 0; r < rows; r++)
        sum = vr_fma(vr_set(W[r * stride + c]), vr_load(dy + r * lanes + u), sum);
      if (active)
        sum = vr_select(vr_lt(vr_zero(), vr_load(active + c * lanes + u)), sum, vr_zero());
      vr_store(dx + c * lanes + u, sum);
    }
}
