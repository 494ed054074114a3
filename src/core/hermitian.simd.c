/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/hermitian.h"
#include "core/simd_complex.h"
#include <string.h>

/* Entries j, j + 1, ... of two planes, `lanes` of them. */
INLINE vc some(const l2o_real *p, size_t plane, size_t lanes) {
  return (vc){vr_load_some(p, lanes), vr_load_some(p + plane, lanes)};
}
INLINE void put_some(l2o_real *p, size_t plane, vc a, size_t lanes) {
  vr_store_some(p, a.re, lanes);
  vr_store_some(p + plane, a.im, lanes);
}
INLINE vc one(const l2o_real *p, size_t plane) {
  return (vc){vr_set(p[0]), vr_set(p[plane])};
}
#define FOR_LANES(j, n) for (size_t j = 0, lanes; lanes = (n)-j < VR ? (n)-j : VR, j < (n); j += VR)

/* p = sum_i conj(row i of A) v_i = A v over the trailing q rows and columns; A points at their corner */
INLINE void multiply(l2o_real *p, const l2o_real *A, const l2o_real *v, size_t q, size_t m) {
  FOR_LANES(j, q) {
    vc sum = vc_zero(), other = vc_zero();
    size_t i = 0;
    for (; i + 2 <= q; i += 2) {
      sum = vc_cfma(some(A + i * m + j, m * m, lanes), one(v + i, m), sum);
      other = vc_cfma(some(A + (i + 1) * m + j, m * m, lanes), one(v + i + 1, m), other);
    }
    if (i < q)
      sum = vc_cfma(some(A + i * m + j, m * m, lanes), one(v + i, m), sum);
    put_some(p + j, m, vc_add(sum, other), lanes);
  }
}

/* A -= v w^H + w v^H there */
INLINE void update(l2o_real *A, const l2o_real *v, const l2o_real *w, size_t q, size_t m) {
  FOR_LANES(j, q) {
    const vc a = vc_conj(some(v + j, m, lanes)), b = vc_conj(some(w + j, m, lanes));
    for (size_t i = 0; i < q; i++) {
      l2o_real *row = A + i * m + j;
      put_some(row, m * m, vc_fnma(one(w + i, m), a, vc_fnma(one(v + i, m), b, some(row, m * m, lanes))), lanes);
    }
  }
}

/* scratch: p, then w (m complex); v (m complex) */
void L2O_HERE(l2o_hermitian_reduce)(l2o_tridiagonal *t, l2o_real *scratch) {
  const size_t m = t->m, plane = m * m;
  l2o_real *p = scratch, *v = scratch + 2 * m;
  for (size_t k = 0; k + 1 < m; k++) {
    const size_t q = m - k - 1;
    l2o_real *row = t->A + k * m + k + 1, *corner = t->A + (k + 1) * m + k + 1;
    double tail = 0;
    t->diagonal[k] = t->A[k * m + k];
    for (size_t i = 0; i < q; i++) { /* x = column k below the diagonal: the conjugate of the row */
      v[i] = row[i];
      v[m + i] = -row[plane + i];
      if (i)
        tail += (double)v[i] * (double)v[i] + (double)v[m + i] * (double)v[m + i];
    }
    t->tau[k] = 0;
    t->off[k] = v[0];
    t->off[m + k] = v[m];
    if (tail == 0)
      continue;
    /* v = x + e^{i theta} |x| e_1, theta the argument of x_1:  H x = -e^{i theta} |x| e_1 */
    const double first = hypot((double)v[0], (double)v[m]), norm = sqrt(first * first + tail);
    const double c = first > 0 ? (double)v[0] / first : 1, s = first > 0 ? (double)v[m] / first : 0;
    const double tau = 1 / (norm * (norm + first)); /* 2 / |v|^2 */
    t->off[k] = (l2o_real)(-c * norm);
    t->off[m + k] = (l2o_real)(-s * norm);
    t->tau[k] = (l2o_real)tau;
    v[0] += (l2o_real)(c * norm);
    v[m] += (l2o_real)(s * norm);
    memcpy(row, v, q * sizeof *v);
    memcpy(row + plane, v + m, q * sizeof *v);
    /* H A H = A - v w^H - w v^H with p = tau A v, w = p - 1/2 tau (v^H p) v */
    multiply(p, corner, v, q, m);
    double product = 0;
    for (size_t i = 0; i < q; i++)
      product += (double)v[i] * (double)p[i] + (double)v[m + i] * (double)p[m + i];
    const l2o_real half = (l2o_real)(0.5 * tau * tau * product), whole = (l2o_real)tau;
    for (size_t i = 0; i < q; i++) {
      p[i] = whole * p[i] - half * v[i];
      p[m + i] = whole * p[m + i] - half * v[m + i];
    }
    update(corner, v, p, q, m);
  }
  t->diagonal[m - 1] = t->A[plane - 1];
  t->off[m - 1] = t->off[2 * m - 1] = 0;
}

/* B -= tau v (v^H B) for one reflector after the other */
void L2O_HERE(l2o_hermitian_rotate)(l2o_real *B, const l2o_tridiagonal *t, bool back, size_t columns) {
  const size_t m = t->m, plane = m * columns;
  for (size_t step = 0; step + 2 < m; step++) {
    const size_t k = back ? m - 3 - step : step, q = m - k - 1;
    const l2o_real *v = t->A + k * m + k + 1;
    const vr tau = vr_set(t->tau[k]);
    l2o_real *rows = B + (k + 1) * columns;
    if (t->tau[k] == 0)
      continue;
    FOR_LANES(c, columns) {
      vc sum = vc_zero(), other = vc_zero();
      size_t last = 0;
      for (; last + 2 <= q; last += 2) {
        sum = vc_cfma(one(v + last, m * m), some(rows + last * columns + c, plane, lanes), sum);
        other = vc_cfma(one(v + last + 1, m * m), some(rows + (last + 1) * columns + c, plane, lanes), other);
      }
      if (last < q)
        sum = vc_cfma(one(v + last, m * m), some(rows + last * columns + c, plane, lanes), sum);
      sum = vc_scale(tau, vc_add(sum, other));
      for (size_t i = 0; i < q; i++) {
        l2o_real *row = rows + i * columns + c;
        put_some(row, plane, vc_fnma(one(v + i, m * m), sum, some(row, plane, lanes)), lanes);
      }
    }
  }
}

/* T + mu I = N diag(p) N^H, N unit lower bidiagonal with l_k = T_{k+1,k} / p_k:
 *   y_0 = b_0, y_{k+1} = b_{k+1} - l_k y_k,   z_k = y_k / p_k - conj(l_k) z_{k+1}
 * scratch: 1 / p (m), l (m complex) */
bool L2O_HERE(l2o_tridiagonal_solve)(l2o_real *Z, double *quotient, const l2o_tridiagonal *t, double mu, const l2o_real *B,
                                     size_t columns, l2o_real *scratch) {
  const size_t m = t->m, plane = m * columns;
  l2o_real *inverse = scratch, *l = inverse + m;
  double pivot = 0;
  for (size_t k = 0; k < m; k++) {
    pivot = (double)t->diagonal[k] + mu;
    if (k)
      pivot -= ((double)l[k - 1] * (double)t->off[k - 1] + (double)l[m + k - 1] * (double)t->off[m + k - 1]);
    if (!(pivot > 0))
      return false;
    inverse[k] = (l2o_real)(1 / pivot);
    l[k] = t->off[k] * inverse[k];
    l[m + k] = t->off[m + k] * inverse[k];
  }
  *quotient = 0;
  FOR_LANES(c, columns) {
    vc y = some(B + c, plane, lanes);
    put_some(Z + c, plane, y, lanes);
    for (size_t k = 0; k + 1 < m; k++) {
      y = vc_fnma(one(l + k, m), y, some(B + (k + 1) * columns + c, plane, lanes));
      put_some(Z + (k + 1) * columns + c, plane, y, lanes);
    }
    vc z = vc_scale(vr_set(inverse[m - 1]), y);
    put_some(Z + (m - 1) * columns + c, plane, z, lanes);
    for (size_t k = m - 1; k-- > 0;) {
      z = vc_cfnma(one(l + k, m), z, vc_scale(vr_set(inverse[k]), some(Z + k * columns + c, plane, lanes)));
      put_some(Z + k * columns + c, plane, z, lanes);
    }
    vr sum = vr_zero(); /* y from z in place of b: sum_k |y_k|^2 / p_k */
    y = vc_zero();
    for (size_t k = 0; k < m; k++) {
      z = some(Z + k * columns + c, plane, lanes);
      y = k ? vc_fnma(one(l + k - 1, m), y, z) : z;
      sum = vr_fma(vr_set(inverse[k]), vr_fma(y.re, y.re, vr_mul(y.im, y.im)), sum);
    }
    l2o_real each[VR];
    vr_store(each, sum);
    for (size_t i = 0; i < lanes; i++)
      *quotient += (double)each[i];
  }
  return true;
}
