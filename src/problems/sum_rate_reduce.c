/* SPDX-License-Identifier: BSD-3-Clause */
/* The smaller problem behind one whose base stations have more antennas than all users together, m = n rx < tx. With the channels
 * of base station j stacked, H_j (m, tx), and H_j H_j^H = L L^H, the rows of Q = L^-1 H_j are orthonormal, H_j = L Q, and V_j = Q^H
 * X_j:   H_j V_j = L X_j,   |V_j|_F = |X_j|_F while what V_j has beside these rows no user hears. So L takes the place of H_j. Row
 * r n + u of the stack is antenna r of user u. */
#include "core/arena.h"
#include "core/diag.h"
#include "problems/sum_rate.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A pivot below this share of its diagonal entry is rounding: the row depends on others. */
static const double DEPENDENT = sizeof(l2o_real) == sizeof(double) ? 64 * DBL_EPSILON : 64 * (double)FLT_EPSILON;

/* L (m, m, 2) from the planes A (m, m) of conj(L L^H). Of a row that depends on those before, the column is zero. */
static void cholesky(double *L, const l2o_real *A, size_t m) {
  memset(L, 0, 2 * m * m * sizeof *L);
  for (size_t k = 0; k < m; k++) {
    const double diagonal = (double)A[k * m + k];
    double pivot = diagonal;
    for (size_t i = 0; i < 2 * k; i++)
      pivot -= L[2 * k * m + i] * L[2 * k * m + i];
    if (!(pivot > DEPENDENT * diagonal))
      continue;
    const double root = sqrt(pivot);
    L[2 * (k * m + k)] = root;
    for (size_t i = k + 1; i < m; i++) {
      const double *a = L + 2 * i * m, *b = L + 2 * k * m;
      double re = (double)A[i * m + k], im = -(double)A[m * m + i * m + k];
      for (size_t h = 0; h < 2 * k; h += 2) {
        re -= a[h] * b[h] + a[h + 1] * b[h + 1];
        im -= a[h + 1] * b[h] - a[h] * b[h + 1];
      }
      L[2 * (i * m + k)] = re / root;
      L[2 * (i * m + k) + 1] = im / root;
    }
  }
}

/* Where antenna r of user u and stream s of user w meet in F or Q of a point. */
static size_t at(const l2o_sum_rate *d, size_t u, size_t r, size_t w, size_t s) {
  return 2 * ((w * d->sizes.rx + r) * d->sizes.streams + s) * d->lanes + u;
}

/* X = L^-1 F, column by column, for the start: what the users hear of it. */
static void reduce_start(l2o_real *X, const double *L, const l2o_real *F, const l2o_real *own, const l2o_sum_rate *d, size_t j) {
  const size_t n = d->n, m = n * d->sizes.rx, streams = d->sizes.streams, lanes = d->lanes;
  for (size_t w = j * d->sizes.users; w < (j + 1) * d->sizes.users; w++)
    for (size_t s = 0; s < streams; s++)
      for (size_t i = 0; i < m; i++) {
        const size_t u = i % n, r = i / n;
        const l2o_real *f = u == w ? own + at(d, u, r, 0, s) : F + at(d, u, r, w, s);
        double re = (double)f[0], im = (double)f[lanes];
        const double *row = L + 2 * i * m, pivot = row[2 * i];
        for (size_t k = 0; k < i; k++) {
          const l2o_real *x = X + 2 * ((w * m + k) * streams + s);
          re -= row[2 * k] * (double)x[0] - row[2 * k + 1] * (double)x[1];
          im -= row[2 * k] * (double)x[1] + row[2 * k + 1] * (double)x[0];
        }
        l2o_real *x = X + 2 * ((w * m + i) * streams + s);
        x[0] = pivot > 0 ? (l2o_real)(re / pivot) : 0;
        x[1] = pivot > 0 ? (l2o_real)(im / pivot) : 0;
      }
}

typedef struct room {
  l2o_real *A, *H, *start, *F, *own;
  double *L;
} room;

static void layout(room *r, l2o_arena *arena, const l2o_sum_rate *d, size_t m) {
  const size_t received = 2 * d->sizes.rx * d->sizes.streams * d->lanes;
  L2O_TAKE(arena, r->A, 2 * m * m);
  L2O_TAKE(arena, r->L, 2 * m * m);
  L2O_TAKE(arena, r->H, 2 * d->sizes.cells * m * m);
  L2O_TAKE(arena, r->start, 2 * d->n * m * d->sizes.streams);
  L2O_TAKE(arena, r->F, d->n * received);
  L2O_TAKE(arena, r->own, received);
}

l2o_status l2o_sum_rate_reduced(l2o_problem *out, const l2o_problem *p, l2o_diag *diag) {
  const l2o_sum_rate *d = l2o_sum_rate_of(p);
  *out = (l2o_problem){0};
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "only problems of the family sum-rate have fewer dimensions; '%s' is none",
                    l2o_problem_name(p));
  const size_t n = d->n, rx = d->sizes.rx, m = n * rx, cells = d->sizes.cells;
  if (m >= d->sizes.tx)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "sum-rate: %zu receive antennas in all and tx = %zu: no fewer dimensions", m,
                    d->sizes.tx);
  room r;
  l2o_arena arena = {0};
  layout(&r, &arena, d, m);
  if (!l2o_arena_new(&arena))
    return l2o_fail(diag, L2O_ERR_NOMEM, "sum-rate: out of memory");
  layout(&r, &arena, d, m);
  L2O_DISPATCH(l2o_rate_receive, (r.F, r.own, d, d->start));
  l2o_sum_rate stack = *d; /* to the kernel, the antennas of a user are its streams */
  stack.sizes.streams = rx;
  for (size_t j = 0; j < cells; j++) {
    L2O_DISPATCH(l2o_rate_gram, (r.A, &stack, d->H + 2 * j * d->sizes.tx * rx * d->lanes));
    cholesky(r.L, r.A, m);
    reduce_start(r.start, r.L, r.F, r.own, d, j);
    for (size_t i = 0; i < m; i++)
      for (size_t k = 0; k < 2 * m; k++)
        r.H[2 * (((i % n) * cells + j) * rx + i / n) * m + k] = (l2o_real)r.L[2 * i * m + k];
  }
  const l2o_sum_rate_sizes sizes = {.cells = cells, .users = d->sizes.users, .tx = m, .rx = rx, .streams = d->sizes.streams};
  const l2o_status status = l2o_sum_rate_new(out, r.H, d->a, r.start, d->noise, d->power, &sizes, diag);
  free(arena.base);
  return status;
}

/* Z = L^-H X backward, then V_w = sum_u H_{u b(w)}^H Z_uw. */
l2o_status l2o_sum_rate_expand(l2o_real *x, const l2o_problem *p, const l2o_problem *reduced, const l2o_real *y) {
  const l2o_sum_rate *d = l2o_sum_rate_of(p), *small = l2o_sum_rate_of(reduced);
  if (!d || !small || small->n != d->n || small->sizes.rx != d->sizes.rx || small->sizes.streams != d->sizes.streams ||
      small->sizes.tx != d->n * d->sizes.rx || small->sizes.cells != d->sizes.cells)
    return L2O_ERR_SHAPE;
  const size_t n = d->n, rx = d->sizes.rx, m = small->sizes.tx, streams = d->sizes.streams, lanes = d->lanes;
  l2o_real *Q = calloc(2 * n * rx * streams * lanes, sizeof *Q);
  if (!Q)
    return L2O_ERR_NOMEM;
  for (size_t w = 0; w < n; w++)
    for (size_t s = 0; s < streams; s++)
      for (size_t i = m; i-- > 0;) {
        const l2o_real *L = small->H + 2 * ((w / d->sizes.users) * m + i) * rx * lanes, *X = y + 2 * ((w * m + i) * streams + s);
        double re = (double)X[0], im = (double)X[1]; /* L_ki: antenna i to antenna k / n of user k % n */
        for (size_t k = i + 1; k < m; k++) {
          const l2o_real *l = L + 2 * (k / n) * lanes + k % n, *z = Q + at(d, k % n, k / n, w, s);
          re -= (double)l[0] * (double)z[0] + (double)l[lanes] * (double)z[lanes];
          im -= (double)l[0] * (double)z[lanes] - (double)l[lanes] * (double)z[0];
        }
        const double pivot = (double)L[2 * (i / n) * lanes + i % n];
        l2o_real *z = Q + at(d, i % n, i / n, w, s);
        z[0] = pivot > 0 ? (l2o_real)(re / pivot) : 0;
        z[lanes] = pivot > 0 ? (l2o_real)(im / pivot) : 0;
      }
  L2O_DISPATCH(l2o_rate_gather, (x, d, Q));
  l2o_rate_project(x, d, x);
  free(Q);
  return L2O_OK;
}
