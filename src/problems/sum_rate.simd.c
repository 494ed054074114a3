/* SPDX-License-Identifier: BSD-3-Clause */
/* A lane is a user that receives. Rows of lanes are loaded, what a base station sends is the same number in every lane; sums over
 * the users that receive are sums over lanes. Sums are kept in registers, as many of them as hide what an operation takes. */
#include "problems/sum_rate.h"
#include "core/simd_complex.h"

enum { MANY_REGISTERS = VR * sizeof(l2o_real) == 64 }; /* wide vectors come with 32, others with 16 */

/* H_uj of the users abreast: entry (r, t) */
INLINE const l2o_real *channel(const l2o_sum_rate *d, size_t j, size_t t, size_t r) {
  return d->H + 2 * ((j * d->sizes.tx + t) * d->sizes.rx + r) * d->lanes;
}

/* ---- F_uw = H_{u b(w)} V_w ---- */

static const l2o_real number[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; /* of a lane */

/* Entry (r, s) of F_uw for lanes u, ...; the user's own goes to `own` and leaves a zero. The users come in order: the first of
 * these lanes clears those behind the users. */
INLINE void put_received(l2o_real *F, l2o_real *own, const l2o_sum_rate *d, size_t u, size_t w, size_t r, size_t s, vc sum) {
  const size_t entry = 2 * (r * d->sizes.streams + s) * d->lanes + u;
  if (w >= u && w < u + VR) {
    const vr_mask mine = vr_eq(vr_load(number), vr_set((l2o_real)(w - u)));
    vc_store(own + entry, d->lanes, vc_select(mine, sum, w == u ? vc_zero() : vc_load(own + entry, d->lanes)));
    sum = vc_select(mine, vc_zero(), sum);
  }
  vc_store(F + 2 * w * d->sizes.rx * d->sizes.streams * d->lanes + entry, d->lanes, sum);
}

/* rows r, ... and the columns c, ... of V_j, which are K d: stream s of the k-th user is column k d + s */
INLINE void receive(l2o_real *F, l2o_real *own, const l2o_sum_rate *d, const l2o_real *x, size_t j, size_t u, size_t r, size_t c,
                    size_t rows, size_t columns) {
  const size_t tx = d->sizes.tx, streams = d->sizes.streams;
  const l2o_real *H = channel(d, j, 0, r) + u, *v[4];
  vc sum[8];
  UNROLL for (size_t k = 0; k < columns; k++) {
    v[k] = x + 2 * ((j * d->sizes.users + (c + k) / streams) * tx * streams + (c + k) % streams);
    UNROLL for (size_t i = 0; i < rows; i++) sum[i * columns + k] = vc_zero();
  }
  for (size_t t = 0; t < tx; t++, H += 2 * d->sizes.rx * d->lanes) {
    vc h[2];
    UNROLL for (size_t i = 0; i < rows; i++) h[i] = vc_load(H + 2 * i * d->lanes, d->lanes);
    UNROLL for (size_t k = 0; k < columns; k++) {
      const vc a = vc_set(v[k] + 2 * t * streams);
      UNROLL for (size_t i = 0; i < rows; i++) sum[i * columns + k] = vc_fma(h[i], a, sum[i * columns + k]);
    }
  }
  UNROLL for (size_t k = 0; k < columns; k++) UNROLL for (size_t i = 0; i < rows; i++)
      put_received(F, own, d, u, j * d->sizes.users + (c + k) / streams, r + i, (c + k) % streams, sum[i * columns + k]);
}

INLINE void receive_rows(l2o_real *F, l2o_real *own, const l2o_sum_rate *d, const l2o_real *x, size_t j, size_t u, size_t r,
                         size_t rows) {
  const size_t columns = d->sizes.users * d->sizes.streams;
  size_t c = 0;
  for (; MANY_REGISTERS && c + 4 <= columns; c += 4)
    receive(F, own, d, x, j, u, r, c, rows, 4);
  for (; c + 2 <= columns; c += 2)
    receive(F, own, d, x, j, u, r, c, rows, 2);
  if (c < columns)
    receive(F, own, d, x, j, u, r, c, rows, 1);
}

void L2O_HERE(l2o_rate_receive)(l2o_real *F, l2o_real *own, const l2o_sum_rate *d, const l2o_real *x) {
  for (size_t u = 0; u < d->n; u += VR)
    for (size_t j = 0; j < d->sizes.cells; j++) {
      size_t r = 0;
      for (; r + 2 <= d->sizes.rx; r += 2)
        receive_rows(F, own, d, x, j, u, r, 2);
      if (r < d->sizes.rx)
        receive_rows(F, own, d, x, j, u, r, 1);
    }
}

/* ---- J_u = noise I + sum_{w != u} F_uw F_uw^H, F_uu being stored as zero ---- */

void L2O_HERE(l2o_rate_interference)(l2o_real *J, const l2o_sum_rate *d, const l2o_real *F) {
  const size_t lanes = d->lanes, rx = d->sizes.rx, columns = d->sizes.streams, each = 2 * rx * columns * lanes;
  for (size_t u = 0; u < d->n; u += VR)
    for (size_t i = 0; i < rx; i++) {
      for (size_t k = 0; k < i; k++) {
        vc sum = vc_zero();
        for (size_t w = 0; w < d->n; w++)
          for (size_t s = 0; s < columns; s++) {
            const l2o_real *column = F + w * each + 2 * s * lanes + u;
            sum = vc_cfma(vc_load(column + 2 * k * columns * lanes, lanes), vc_load(column + 2 * i * columns * lanes, lanes), sum);
          }
        vc_store(J + 2 * (i * rx + k) * lanes + u, lanes, sum);
      }
      vr re = vr_set((l2o_real)d->noise), im = vr_zero();
      for (size_t w = 0; w < d->n; w++)
        for (size_t s = 0; s < columns; s++) {
          const vc a = vc_load(F + w * each + 2 * (i * columns + s) * lanes + u, lanes);
          re = vr_fma(a.re, a.re, re);
          im = vr_fma(a.im, a.im, im);
        }
      vc_store(J + 2 * (i * rx + i) * lanes + u, lanes, (vc){vr_add(re, im), vr_zero()});
    }
}

/* ---- the gradient ---- */

/* M_u = scale a_u X_u X_u^H */
void L2O_HERE(l2o_rate_weigh)(l2o_real *M, const l2o_sum_rate *d, const l2o_real *X, double scale) {
  const size_t lanes = d->lanes, rx = d->sizes.rx, columns = d->sizes.streams;
  for (size_t u = 0; u < d->n; u += VR) {
    const vr factor = vr_mul(vr_set((l2o_real)scale), vr_load(d->a + u));
    for (size_t i = 0; i < rx; i++)
      for (size_t k = 0; k <= i; k++) {
        vc sum = vc_zero();
        for (size_t s = 0; s < columns; s++)
          sum = vc_cfma(vc_load(X + 2 * (k * columns + s) * lanes + u, lanes),
                        vc_load(X + 2 * (i * columns + s) * lanes + u, lanes), sum);
        sum = vc_scale(factor, sum);
        vc_store(M + 2 * (k * rx + i) * lanes + u, lanes, vc_conj(sum));
        vc_store(M + 2 * (i * rx + k) * lanes + u, lanes, sum);
      }
  }
}

/* out_u = scale a_u in_u, `entries` of them */
void L2O_HERE(l2o_rate_scale)(l2o_real *out, const l2o_sum_rate *d, const l2o_real *in, size_t entries, double scale) {
  for (size_t u = 0; u < d->n; u += VR) {
    const vr factor = vr_mul(vr_set((l2o_real)scale), vr_load(d->a + u));
    for (size_t i = 0; i < entries; i++)
      vc_store(out + 2 * i * d->lanes + u, d->lanes, vc_scale(factor, vc_load(in + 2 * i * d->lanes + u, d->lanes)));
  }
}

/* Q_uw = M_u T_uw + K_u F_uw, entry by entry; lane w of Q_w is own_w */
INLINE void spread(l2o_real *Q, const l2o_sum_rate *d, const l2o_real *M, const l2o_real *T, const l2o_real *K, const l2o_real *F,
                   const l2o_real *own, size_t rx, size_t columns) {
  const size_t lanes = d->lanes, each = 2 * rx * columns * lanes;
  for (size_t u = 0; u < d->n; u += VR)
    for (size_t w = 0; w < d->n; w++)
      for (size_t i = 0; i < rx; i++)
        for (size_t s = 0; s < columns; s++) {
          vc sum = vc_zero();
          for (size_t k = 0; k < rx; k++) {
            const size_t entry = w * each + 2 * (k * columns + s) * lanes + u;
            sum = vc_fma(vc_load(M + 2 * (i * rx + k) * lanes + u, lanes), vc_load(T + entry, lanes), sum);
            if (K)
              sum = vc_fma(vc_load(K + 2 * (i * rx + k) * lanes + u, lanes), vc_load(F + entry, lanes), sum);
          }
          const size_t entry = 2 * (i * columns + s) * lanes + u;
          if (w >= u && w < u + VR)
            sum = vc_select(vr_eq(vr_load(number), vr_set((l2o_real)(w - u))), vc_load(own + entry, lanes), sum);
          vc_store(Q + w * each + entry, lanes, sum);
        }
}

void L2O_HERE(l2o_rate_spread)(l2o_real *Q, const l2o_sum_rate *d, const l2o_real *M, const l2o_real *T, const l2o_real *K,
                               const l2o_real *F, const l2o_real *own) {
  const size_t rx = d->sizes.rx, columns = d->sizes.streams;
  if (rx == 2 && columns == 2 && !K)
    spread(Q, d, M, T, NULL, NULL, own, 2, 2);
  else if (K)
    spread(Q, d, M, T, K, F, own, rx, columns);
  else
    spread(Q, d, M, T, NULL, NULL, own, rx, columns);
}

/* out[0..4) = the sums over the lanes of two complex vectors: re, im, re, im */
INLINE void sum_pair(l2o_real *out, vc a, vc b) {
  const vr four[4] = {a.re, a.im, b.re, b.im};
  vr_sum4(out, four);
}

/* Rows t, ... and columns s, ... of sum_u H_uj^H Q_u: 4 by 1, 2 by 2, or what is left of them. */
INLINE void gather(l2o_real *g, const l2o_sum_rate *d, size_t j, const l2o_real *Q, size_t t, size_t s, size_t rows,
                   size_t columns) {
  const size_t lanes = d->lanes, rx = d->sizes.rx, streams = d->sizes.streams;
  vc sum[4] = {vc_zero(), vc_zero(), vc_zero(), vc_zero()};
  l2o_real numbers[8];
  for (size_t u = 0; u < d->n; u += VR)
    for (size_t r = 0; r < rx; r++) {
      vc q[2];
      UNROLL for (size_t k = 0; k < columns; k++) q[k] = vc_load(Q + 2 * (r * streams + s + k) * lanes + u, lanes);
      UNROLL for (size_t i = 0; i < rows; i++) {
        const vc h = vc_load(channel(d, j, t + i, r) + u, lanes);
        UNROLL for (size_t k = 0; k < columns; k++) sum[i * columns + k] = vc_cfma(h, q[k], sum[i * columns + k]);
      }
    }
  UNROLL for (size_t i = 0; i < rows * columns; i += 2) sum_pair(numbers + 2 * i, sum[i], sum[i + 1]);
  UNROLL for (size_t i = 0; i < rows; i++) UNROLL for (size_t k = 0; k < columns; k++)
      UNROLL for (size_t part = 0; part < 2; part++) g[2 * ((t + i) * streams + s + k) + part] =
          numbers[2 * (i * columns + k) + part];
}

INLINE void gather_columns(l2o_real *g, const l2o_sum_rate *d, size_t j, const l2o_real *Q, size_t s, size_t columns) {
  const size_t tx = d->sizes.tx;
  size_t t = 0;
  for (; t + 4 / columns <= tx; t += 4 / columns)
    gather(g, d, j, Q, t, s, 4 / columns, columns);
  for (; t < tx; t++)
    gather(g, d, j, Q, t, s, 1, columns);
}

/* What the lanes behind the users hold is dropped here. */
void L2O_HERE(l2o_rate_gather)(l2o_real *g, const l2o_sum_rate *d, const l2o_real *Q) {
  const size_t streams = d->sizes.streams, each = d->sizes.rx * streams * 2 * d->lanes, block = 2 * d->sizes.tx * streams;
  for (size_t w = 0; w < d->n; w++) {
    const size_t j = w / d->sizes.users;
    size_t s = 0;
    for (; s + 2 <= streams; s += 2)
      gather_columns(g + w * block, d, j, Q + w * each, s, 2);
    if (s < streams)
      gather_columns(g + w * block, d, j, Q + w * each, s, 1);
  }
}

/* ---- what WMMSE solves ---- */

void L2O_HERE(l2o_rate_columns_of)(l2o_real *Y, const l2o_sum_rate *d, size_t j, const l2o_real *B, const l2o_real *factor) {
  const size_t lanes = d->lanes, streams = d->sizes.streams;
  for (size_t u = 0; u < d->n; u += VR)
    for (size_t t = 0; t < d->sizes.tx; t++)
      for (size_t s = 0; s < streams; s++) {
        vc sum = vc_zero();
        for (size_t r = 0; r < d->sizes.rx; r++)
          sum = vc_cfma(vc_load(channel(d, j, t, r) + u, lanes), vc_load(B + 2 * (r * streams + s) * lanes + u, lanes), sum);
        vc_store(Y + 2 * (t * streams + s) * lanes + u, lanes, vc_scale(vr_load(factor + u), sum));
      }
}

/* A_tk = sum over users and streams of Y_t conj(Y_k), k <= t; A_kt its conjugate */
void L2O_HERE(l2o_rate_outer)(l2o_real *A, const l2o_sum_rate *d, const l2o_real *Y) {
  const size_t lanes = d->lanes, streams = d->sizes.streams, m = d->sizes.tx;
  for (size_t t = 0; t < m; t++)
    for (size_t k = 0; k <= t; k += 2) {
      const size_t second = k + 1 <= t ? k + 1 : k;
      vc sum[2] = {vc_zero(), vc_zero()};
      l2o_real numbers[4];
      for (size_t u = 0; u < d->n; u += VR)
        for (size_t s = 0; s < streams; s++) {
          const vc a = vc_load(Y + 2 * (t * streams + s) * lanes + u, lanes);
          sum[0] = vc_cfma(vc_load(Y + 2 * (k * streams + s) * lanes + u, lanes), a, sum[0]);
          sum[1] = vc_cfma(vc_load(Y + 2 * (second * streams + s) * lanes + u, lanes), a, sum[1]);
        }
      sum_pair(numbers, sum[0], sum[1]);
      for (size_t i = 0; i < 1 + (second > k); i++) {
        A[t * m + k + i] = A[(k + i) * m + t] = numbers[2 * i];
        A[m * m + (k + i) * m + t] = k + i == t ? 0 : -numbers[2 * i + 1];
        A[m * m + t * m + k + i] = k + i == t ? 0 : numbers[2 * i + 1];
      }
    }
}

/* Rows c, ... of A, columns s n + u, ...: A_ck = sum_t conj(Y_tc) Y_tk, where c and k run over the users of stream 0, then of
 * stream 1, ... */
INLINE void gram_rows(l2o_real *A, const l2o_sum_rate *d, const l2o_real *Y, size_t c, size_t rows, size_t s, size_t u) {
  const size_t lanes = d->lanes, n = d->n, m = n * d->sizes.streams, row = 2 * d->sizes.streams * lanes;
  const size_t count = n - u < VR ? n - u : VR;
  const l2o_real *other = Y + 2 * s * lanes + u, *own[4];
  vc sum[4];
  UNROLL for (size_t i = 0; i < rows; i++) {
    own[i] = Y + 2 * ((c + i) / n) * lanes + (c + i) % n;
    sum[i] = vc_zero();
  }
  for (size_t t = 0; t < d->sizes.tx; t++) {
    const vc y = vc_load(other + t * row, lanes);
    UNROLL for (size_t i = 0; i < rows; i++) sum[i] =
        vc_cfma((vc){vr_set(own[i][t * row]), vr_set(own[i][t * row + lanes])}, y, sum[i]);
  }
  UNROLL for (size_t i = 0; i < rows; i++) {
    vr_store_some(A + (c + i) * m + s * n + u, sum[i].re, count);
    vr_store_some(A + m * m + (c + i) * m + s * n + u, sum[i].im, count);
  }
}

void L2O_HERE(l2o_rate_gram)(l2o_real *A, const l2o_sum_rate *d, const l2o_real *Y) {
  const size_t m = d->n * d->sizes.streams;
  for (size_t s = 0; s < d->sizes.streams; s++)
    for (size_t u = 0; u < d->n; u += VR) {
      size_t c = 0;
      for (; c + 4 <= m; c += 4)
        gram_rows(A, d, Y, c, 4, s, u);
      for (; c < m; c++)
        gram_rows(A, d, Y, c, 1, s, u);
    }
}

/* V_j = Y Z for Z (n d, K d), planes: row by row of Y, columns side by side */
void L2O_HERE(l2o_rate_combine)(l2o_real *x, const l2o_sum_rate *d, const l2o_real *Y, const l2o_real *Z) {
  const size_t lanes = d->lanes, streams = d->sizes.streams, n = d->n, tx = d->sizes.tx;
  const size_t m = n * streams, columns = d->sizes.users * streams;
  for (size_t t = 0; t < tx; t++)
    for (size_t c = 0; c < columns; c += VR) {
      const size_t count = columns - c < VR ? columns - c : VR;
      l2o_real re[VR], im[VR];
      vc sum = vc_zero();
      for (size_t s = 0; s < streams; s++)
        for (size_t u = 0; u < n; u++) {
          const l2o_real *y = Y + 2 * (t * streams + s) * lanes + u, *z = Z + (s * n + u) * columns + c;
          sum =
              vc_fma((vc){vr_set(y[0]), vr_set(y[lanes])}, (vc){vr_load_some(z, count), vr_load_some(z + m * columns, count)}, sum);
        }
      vr_store(re, sum.re);
      vr_store(im, sum.im);
      for (size_t i = 0; i < count; i++) {
        l2o_real *v = x + 2 * (((c + i) / streams * tx + t) * streams + (c + i) % streams);
        v[0] = re[i];
        v[1] = im[i];
      }
    }
}

/* ---- the way back ---- */

/* N_u += sum_w T_uw F_uw^H, w < count */
void L2O_HERE(l2o_rate_overlap)(l2o_real *N, const l2o_sum_rate *d, const l2o_real *T, const l2o_real *F, size_t count) {
  const size_t lanes = d->lanes, rx = d->sizes.rx, columns = d->sizes.streams, each = 2 * rx * columns * lanes;
  for (size_t u = 0; u < d->n; u += VR)
    for (size_t i = 0; i < rx; i++)
      for (size_t k = 0; k < rx; k++) {
        l2o_real *entry = N + 2 * (i * rx + k) * lanes + u;
        vc sum = vc_load(entry, lanes);
        for (size_t w = 0; w < count; w++)
          for (size_t s = 0; s < columns; s++)
            sum = vc_cfma(vc_load(F + w * each + 2 * (k * columns + s) * lanes + u, lanes),
                          vc_load(T + w * each + 2 * (i * columns + s) * lanes + u, lanes), sum);
        vc_store(entry, lanes, sum);
      }
}

/* K_u = scale a_u (Y_u + Y_u^H) */
void L2O_HERE(l2o_rate_symmetric)(l2o_real *K, const l2o_sum_rate *d, const l2o_real *Y, double scale) {
  const size_t lanes = d->lanes, rx = d->sizes.rx;
  for (size_t u = 0; u < d->n; u += VR) {
    const vr factor = vr_mul(vr_set((l2o_real)scale), vr_load(d->a + u));
    for (size_t i = 0; i < rx; i++)
      for (size_t k = 0; k <= i; k++) {
        const vc a = vc_load(Y + 2 * (i * rx + k) * lanes + u, lanes), b = vc_load(Y + 2 * (k * rx + i) * lanes + u, lanes);
        const vc sum = vc_scale(factor, vc_add(a, vc_conj(b)));
        vc_store(K + 2 * (k * rx + i) * lanes + u, lanes, vc_conj(sum));
        vc_store(K + 2 * (i * rx + k) * lanes + u, lanes, sum);
      }
  }
}

/* sum_u <P_u, gram_u> for one base station */
double L2O_HERE(l2o_rate_inner)(const l2o_sum_rate *d, const l2o_real *P, const l2o_real *gram, size_t entries) {
  vr sum[4] = {vr_zero(), vr_zero(), vr_zero(), vr_zero()};
  l2o_real numbers[4];
  for (size_t u = 0; u < d->n; u += VR) {
    const size_t count = d->n - u < VR ? d->n - u : VR;
    for (size_t i = 0; i < 2 * entries; i += 2)
      UNROLL for (size_t part = 0; part < 2; part++) {
        const size_t at = (i + part) * d->lanes + u;
        vr *to = &sum[part + (i & 2)];
        *to = vr_fma(vr_load_some(P + at, count), vr_load_some(gram + at, count), *to);
      }
  }
  vr_sum4(numbers, sum);
  return ((double)numbers[0] + (double)numbers[1]) + ((double)numbers[2] + (double)numbers[3]);
}
