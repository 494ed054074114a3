/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/rate_lift.h"
#include "core/linalg.h"
#include <string.h>

/* ---- Cayley ---- */

/* re + i im; C11's CMPLX() is not everywhere */
static double complex complex_of(double re, double im) {
  const double parts[2] = {re, im};
  double complex z;
  memcpy(&z, parts, sizeof z);
  return z;
}

static void cayley_layout(l2o_cayley *c, l2o_arena *arena, size_t m) {
  L2O_TAKE(arena, c->unitary, m * m);
  L2O_TAKE(arena, c->inverse, m * m);
  L2O_TAKE(arena, c->work, l2o_inverse_complex_work(m));
}

/* O_ik = (Z_ik - conj(Z_ki)) / 2 */
static double complex skew(const l2o_real *Z, size_t i, size_t k, size_t m) {
  const l2o_real *a = Z + 2 * (i * m + k), *b = Z + 2 * (k * m + i);
  return 0.5 * complex_of((double)a[0] - (double)b[0], (double)a[1] + (double)b[1]);
}

/* Phi = (I + O)^-1 (I - O) = 2 (I + O)^-1 - I. I + O is regular: its singular values are 1 or more. */
static void cayley_build(const l2o_cayley *c, const l2o_real *Z, size_t m) {
  for (size_t i = 0; i < m; i++)
    for (size_t k = 0; k < m; k++)
      c->inverse[i * m + k] = skew(Z, i, k, m) + (i == k);
  l2o_inverse_complex(c->inverse, c->work, m);
  for (size_t i = 0; i < m; i++)
    for (size_t k = 0; k < m; k++)
      c->unitary[i * m + k] = 2 * c->inverse[i * m + k] - (i == k);
}

/* dO = -K^H dPhi (I + Phi)^H with K = (I + O)^-1, dZ = (dO - dO^H) / 2; of dPhi the first `rows` and `columns` are not zero, and
 * given as interleaved doubles. */
static void cayley_back(const l2o_cayley *c, double *dZ, const double *dPhi, size_t rows, size_t columns, size_t m) {
  double complex row[L2O_RATE_LIFT_MAX];
  memset(dZ, 0, 2 * m * m * sizeof *dZ);
  for (size_t a = 0; a < rows; a++) {
    for (size_t j = 0; j < m; j++) {
      row[j] = 0;
      for (size_t b = 0; b < columns; b++) {
        const double *entry = dPhi + 2 * (a * columns + b);
        row[j] += complex_of(entry[0], entry[1]) * conj(c->unitary[j * m + b] + (j == b));
      }
    }
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < m; j++) {
        const double complex part = conj(c->inverse[a * m + i]) * row[j];
        dZ[2 * (i * m + j)] -= creal(part);
        dZ[2 * (i * m + j) + 1] -= cimag(part);
      }
  }
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j <= i; j++) {
      double *a = dZ + 2 * (i * m + j), *b = dZ + 2 * (j * m + i);
      const double re = 0.5 * (a[0] - b[0]), im = 0.5 * (a[1] + b[1]);
      a[0] = re;
      a[1] = im;
      b[0] = -re;
      b[1] = im;
    }
}

/* ---- tables ---- */

void l2o_rate_lift_layout(l2o_rate_lift *lift, l2o_arena *arena, bool has_Q) {
  if (has_Q) {
    cayley_layout(&lift->lift, arena, lift->m);
    L2O_TAKE(arena, lift->Q, 2 * lift->tx * lift->m);
  }
  if (lift->r) {
    cayley_layout(&lift->turn, arena, lift->m);
    L2O_TAKE(arena, lift->E, 2 * lift->m * lift->r);
  }
}

static void copy_entries(l2o_real *out, const double complex *unitary, size_t rows, size_t columns, size_t m) {
  for (size_t i = 0; i < rows; i++)
    for (size_t k = 0; k < columns; k++, out += 2) {
      out[0] = (l2o_real)creal(unitary[i * m + k]);
      out[1] = (l2o_real)cimag(unitary[i * m + k]);
    }
}

void l2o_rate_lift_build(l2o_rate_lift *lift, const l2o_real *Z_lift, const l2o_real *Z_turn) {
  if (lift->Q) {
    cayley_build(&lift->lift, Z_lift, lift->m);
    copy_entries(lift->Q, lift->lift.unitary, lift->tx, lift->m, lift->m);
  }
  if (lift->E) {
    cayley_build(&lift->turn, Z_turn, lift->m);
    copy_entries(lift->E, lift->turn.unitary, lift->m, lift->r, lift->m);
  }
}

static size_t Q_len(const l2o_rate_lift *lift) {
  return lift->Q ? 2 * lift->tx * lift->m : 0;
}
size_t l2o_rate_lift_sum_len(const l2o_rate_lift *lift) {
  return Q_len(lift) + 2 * lift->m * lift->r;
}

void l2o_rate_lift_gradient(const l2o_rate_lift *lift, double *dZ_lift, double *dZ_turn, const double *sum) {
  if (lift->Q)
    cayley_back(&lift->lift, dZ_lift, sum, lift->tx, lift->m, lift->m);
  if (lift->E)
    cayley_back(&lift->turn, dZ_turn, sum + Q_len(lift), lift->m, lift->r, lift->m);
}

/* ---- products of small complex matrices ---- */

/* C (rows, d) += A B, or A^H B where A (inner, rows) */
static void add_product(l2o_real *C, const l2o_real *A, bool adjoint, const l2o_real *B, size_t rows, size_t inner, size_t d) {
  const l2o_real sign = adjoint ? -1 : 1;
  for (size_t i = 0; i < rows; i++)
    for (size_t k = 0; k < inner; k++) {
      const l2o_real *a = A + 2 * (adjoint ? k * rows + i : i * inner + k), re = a[0], im = sign * a[1];
      for (size_t s = 0; s < d; s++) {
        const l2o_real *b = B + 2 * (k * d + s);
        l2o_real *c = C + 2 * (i * d + s);
        c[0] += re * b[0] - im * b[1];
        c[1] += re * b[1] + im * b[0];
      }
    }
}

/* sum (rows, columns) += A B^H, A (rows, d), B (columns, d) */
static void add_outer(double *sum, const l2o_real *A, const l2o_real *B, size_t rows, size_t columns, size_t d) {
  for (size_t i = 0; i < rows; i++)
    for (size_t k = 0; k < columns; k++, sum += 2)
      for (size_t s = 0; s < d; s++) {
        const l2o_real *a = A + 2 * (i * d + s), *b = B + 2 * (k * d + s);
        sum[0] += (double)(a[0] * b[0] + a[1] * b[1]);
        sum[1] += (double)(a[1] * b[0] - a[0] * b[1]);
      }
}

static void clear(l2o_real *a, size_t complexes) {
  memset(a, 0, 2 * complexes * sizeof *a);
}
static void add(l2o_real *to, const l2o_real *a, size_t complexes) {
  for (size_t i = 0; i < 2 * complexes; i++)
    to[i] += a[i];
}

/* ---- Q ---- */

void l2o_rate_lift_up(const l2o_rate_lift *lift, l2o_real *Y, const l2o_real *G, size_t d) {
  clear(Y, lift->m * d);
  if (lift->Q)
    add_product(Y, lift->Q, true, G, lift->m, lift->tx, d);
  else
    add(Y, G, lift->m * d);
}

void l2o_rate_lift_down(const l2o_rate_lift *lift, l2o_real *V, const l2o_real *X, size_t d) {
  clear(V, lift->tx * d);
  if (lift->Q)
    add_product(V, lift->Q, false, X, lift->tx, lift->m, d);
  else
    add(V, X, lift->m * d);
}

void l2o_rate_lift_up_back(const l2o_rate_lift *lift, double *sum, l2o_real *dG, const l2o_real *dY, const l2o_real *G, size_t d) {
  if (!lift->Q) {
    add(dG, dY, lift->m * d);
    return;
  }
  add_product(dG, lift->Q, false, dY, lift->tx, lift->m, d);
  add_outer(sum, G, dY, lift->tx, lift->m, d);
}

void l2o_rate_lift_down_back(const l2o_rate_lift *lift, double *sum, l2o_real *dX, const l2o_real *dV, const l2o_real *X,
                             size_t d) {
  if (!lift->Q) {
    add(dX, dV, lift->m * d);
    return;
  }
  add_product(dX, lift->Q, true, dV, lift->m, lift->tx, d);
  add_outer(sum, dV, X, lift->tx, lift->m, d);
}

/* ---- M = s_0 I + E N E^H, N = diag(s_i - s_0) ---- */

/* A = E^H Y (r, d) */
static void coordinates(const l2o_rate_lift *lift, l2o_real *A, const l2o_real *Y, size_t d) {
  clear(A, lift->r * d);
  add_product(A, lift->E, true, Y, lift->r, lift->m, d);
}
static void by_N(const l2o_rate_lift *lift, l2o_real *A, const l2o_real *s, size_t d) {
  for (size_t i = 0; i < 2 * lift->r * d; i++)
    A[i] *= s[1 + i / (2 * d)] - s[0];
}

void l2o_rate_turn(const l2o_rate_lift *lift, l2o_real *out, const l2o_real *s, const l2o_real *Y, l2o_real *scratch, size_t d) {
  for (size_t i = 0; i < 2 * lift->m * d; i++)
    out[i] += s[0] * Y[i];
  if (!lift->r)
    return;
  coordinates(lift, scratch, Y, d);
  by_N(lift, scratch, s, d);
  add_product(out, lift->E, false, scratch, lift->m, lift->r, d);
}

/* With A = E^H Y, B = E^H dout:  ds_i = <A_i, B_i>,  ds_0 = <Y, dout> - sum_i ds_i,  dE = (dout A^H + Y B^H) N */
void l2o_rate_turn_back(const l2o_rate_lift *lift, double *sum, l2o_real *dY, l2o_real *ds, const l2o_real *dout, const l2o_real *s,
                        const l2o_real *Y, l2o_real *scratch, size_t d) {
  double whole = 0;
  for (size_t i = 0; i < 2 * lift->m * d; i++) {
    whole += (double)Y[i] * (double)dout[i];
    dY[i] += s[0] * dout[i];
  }
  if (lift->r) {
    l2o_real *A = scratch, *B = scratch + 2 * lift->r * d;
    coordinates(lift, A, Y, d);
    coordinates(lift, B, dout, d);
    for (size_t i = 0; i < lift->r; i++) {
      double part = 0;
      for (size_t k = 2 * i * d; k < 2 * (i + 1) * d; k++)
        part += (double)A[k] * (double)B[k];
      ds[1 + i] = (l2o_real)part;
      whole -= part;
    }
    by_N(lift, A, s, d);
    by_N(lift, B, s, d);
    add_product(dY, lift->E, false, B, lift->m, lift->r, d);
    add_outer(sum + Q_len(lift), dout, A, lift->m, lift->r, d);
    add_outer(sum + Q_len(lift), Y, B, lift->m, lift->r, d);
  }
  ds[0] = (l2o_real)whole;
}
