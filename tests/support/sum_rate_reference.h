/* SPDX-License-Identifier: BSD-3-Clause */
/* The sum of rates from its definition: complex numbers of C, Gaussian elimination, nothing of the library's kernels. */
#ifndef L2O_SUM_RATE_REFERENCE_H
#define L2O_SUM_RATE_REFERENCE_H
#include "l2o_fixtures.h"
#include <complex.h>

#include "problems/sum_rate.h"

typedef double _Complex number;

/* re + i im; C11's CMPLX() is not everywhere */
static inline double _Complex complex_of_doubles(double re, double im) {
  const double parts[2] = {re, im};
  double _Complex z;
  memcpy(&z, parts, sizeof z);
  return z;
}
#define complex_of(re, im) complex_of_doubles((double)(re), (double)(im))

/* X = A^-1 B and ln |det A|; A (n, n) and B (n, columns) are overwritten, X is B. */
static inline double eliminate(number *A, number *B, size_t n, size_t columns) {
  double log_det = 0;
  for (size_t k = 0; k < n; k++) {
    size_t pivot = k;
    for (size_t i = k + 1; i < n; i++)
      if (cabs(A[i * n + k]) > cabs(A[pivot * n + k]))
        pivot = i;
    for (size_t j = 0; j < n; j++) {
      const number swap = A[k * n + j];
      A[k * n + j] = A[pivot * n + j], A[pivot * n + j] = swap;
    }
    for (size_t j = 0; j < columns; j++) {
      const number swap = B[k * columns + j];
      B[k * columns + j] = B[pivot * columns + j], B[pivot * columns + j] = swap;
    }
    log_det += log(cabs(A[k * n + k]));
    for (size_t i = 0; i < n; i++) {
      const number factor = i == k ? 0 : A[i * n + k] / A[k * n + k];
      for (size_t j = k; j < n; j++)
        A[i * n + j] -= factor * A[k * n + j];
      for (size_t j = 0; j < columns; j++)
        B[i * columns + j] -= factor * B[k * columns + j];
    }
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < columns; j++)
      B[i * columns + j] /= A[i * n + i];
  return log_det;
}

/* C = op(A) op(B), (m, n) with inner size k; `left`, `right`: adjoint factors. C is new. */
static inline number *times(const number *A, bool left, const number *B, bool right, size_t m, size_t n, size_t k) {
  number *C = calloc(m * n, sizeof *C);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++)
      for (size_t h = 0; h < k; h++)
        C[i * n + j] += (left ? conj(A[h * m + i]) : A[i * k + h]) * (right ? conj(B[j * k + h]) : B[h * n + j]);
  return C;
}

typedef struct reference {
  const l2o_sum_rate *d;
  number *H; /* (n, cells, rx, tx) */
} reference;

static inline reference reference_of(const l2o_problem *p) {
  const l2o_sum_rate *d = l2o_sum_rate_of(p);
  const l2o_sum_rate_sizes *s = &d->sizes;
  reference r = {.d = d, .H = malloc(d->n * s->cells * s->rx * s->tx * sizeof *r.H)};
  number *H = r.H;
  for (size_t u = 0; u < d->n; u++)
    for (size_t j = 0; j < s->cells; j++)
      for (size_t i = 0; i < s->rx; i++)
        for (size_t t = 0; t < s->tx; t++) {
          const l2o_real *at = d->H + 2 * ((j * s->tx + t) * s->rx + i) * d->lanes + u;
          *H++ = complex_of(at[0], at[d->lanes]);
        }
  return r;
}

static inline const number *channel_to(const reference *r, size_t u, size_t j) {
  return r->H + (u * r->d->sizes.cells + j) * r->d->sizes.rx * r->d->sizes.tx;
}

/* F_uw = H_{u b(w)} V_w, new */
static inline number *received(const reference *r, const l2o_real *x, size_t u, size_t w) {
  const l2o_sum_rate_sizes *s = &r->d->sizes;
  number *V = malloc(s->tx * s->streams * sizeof *V);
  for (size_t i = 0; i < s->tx * s->streams; i++)
    V[i] = complex_of(x[2 * (w * s->tx * s->streams + i)], x[2 * (w * s->tx * s->streams + i) + 1]);
  number *F = times(channel_to(r, u, w / s->users), false, V, false, s->rx, s->streams, s->tx);
  free(V);
  return F;
}

/* C_u, or J_u without the user's own part; new */
static inline number *covariance(const reference *r, const l2o_real *x, size_t u, bool own) {
  const l2o_sum_rate_sizes *s = &r->d->sizes;
  number *C = calloc(s->rx * s->rx, sizeof *C);
  for (size_t i = 0; i < s->rx; i++)
    C[i * s->rx + i] = r->d->noise;
  for (size_t w = 0; w < r->d->n; w++) {
    if (w == u && !own)
      continue;
    number *F = received(r, x, u, w), *part = times(F, false, F, true, s->rx, s->rx, s->streams);
    for (size_t i = 0; i < s->rx * s->rx; i++)
      C[i] += part[i];
    free(F), free(part);
  }
  return C;
}

/* sum_u a_u (ln det C_u - ln det J_u) */
static inline double reference_rate(const reference *r, const l2o_real *x) {
  double sum = 0;
  for (size_t u = 0; u < r->d->n; u++) {
    number *C = covariance(r, x, u, true), *J = covariance(r, x, u, false);
    sum += (double)r->d->a[u] * (eliminate(C, NULL, r->d->sizes.rx, 0) - eliminate(J, NULL, r->d->sizes.rx, 0));
    free(C), free(J);
  }
  return sum;
}

/* G_w = sum_u a_u H^H C_u^-1 F_uw - sum_{u != w} a_u H^H J_u^-1 F_uw, (tx, streams), new */
static inline number *reference_gradient(const reference *r, const l2o_real *x, size_t w) {
  const l2o_sum_rate_sizes *s = &r->d->sizes;
  const size_t entries = s->tx * s->streams;
  number *G = calloc(entries, sizeof *G);
  for (size_t u = 0; u < r->d->n; u++)
    for (int own = 1; own >= (u == w); own--) {
      number *A = covariance(r, x, u, own), *F = received(r, x, u, w);
      eliminate(A, F, s->rx, s->streams);
      number *part = times(channel_to(r, u, w / s->users), true, F, false, s->tx, s->streams, s->rx);
      for (size_t i = 0; i < entries; i++)
        G[i] += (own ? 1 : -1) * (double)r->d->a[u] * part[i];
      free(A), free(F), free(part);
    }
  return G;
}

/* Is x stationary? The worst of |G_u - mu_j V_u| as a share of |G_j|, with mu_j = Re <V_j, G_j> / power on a budget that is used up
 * and 0 elsewhere; not-a-number where a mu is negative. */
static inline double stationarity(const reference *r, const l2o_real *x) {
  const l2o_sum_rate_sizes *s = &r->d->sizes;
  const size_t entries = s->tx * s->streams;
  double worst = 0;
  for (size_t j = 0; j < s->cells; j++) {
    double product = 0, power = 0, size = 0, rest = 0;
    for (int pass = 0; pass < 2; pass++)
      for (size_t k = 0; k < s->users; k++) {
        const size_t u = j * s->users + k;
        number *G = reference_gradient(r, x, u);
        for (size_t i = 0; i < entries; i++) {
          const number v = complex_of(x[2 * (u * entries + i)], x[2 * (u * entries + i) + 1]);
          if (pass == 0) {
            product += creal(conj(v) * G[i]);
            power += creal(v * conj(v));
            size += creal(G[i] * conj(G[i]));
          } else {
            const double mu = power < r->d->power * (1 - BY_PRECISION(1e-6, 1e-4)) ? 0 : product / r->d->power;
            rest += mu < 0 ? (double)NAN : creal((G[i] - mu * v) * conj(G[i] - mu * v));
          }
        }
        free(G);
      }
    worst = fmax(worst, sqrt(rest / size));
    if (isnan(rest))
      return rest;
  }
  return worst;
}
#endif
