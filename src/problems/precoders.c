/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/precoders.h"
#include "core/linalg.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* v scaled to |v|^2 = power; zero stays */
static void scale_to(l2o_real *v, double power, size_t length) {
  const double square = l2o_dot(v, v, length), scale = square > 0 ? sqrt(power / square) : 0;
  for (size_t i = 0; i < length; i++)
    v[i] = (l2o_real)(scale * (double)v[i]);
}

/* Entry (r, 0) of the channel from u's base station to it. */
static const l2o_real *own_row(const l2o_real *H, size_t u, size_t r, const l2o_sum_rate_sizes *s) {
  return H + 2 * ((u * s->cells + u / s->users) * s->rx + r) * s->tx;
}

void l2o_start_matched(l2o_real *V, const l2o_real *H, double power, const l2o_sum_rate_sizes *s) {
  const size_t block = 2 * s->tx * s->streams;
  for (size_t u = 0; u < s->cells * s->users; u++, V += block) {
    for (size_t k = 0; k < s->streams; k++)
      for (size_t t = 0; t < s->tx; t++) {
        const l2o_real *h = own_row(H, u, k, s) + 2 * t;
        V[2 * (t * s->streams + k)] = h[0];
        V[2 * (t * s->streams + k) + 1] = -h[1];
      }
    scale_to(V, power / (double)s->users, block);
  }
}

/* A v = e_i of least norm for the complex A (m, tx): with real numbers, [Re A, -Im A; Im A, Re A] [Re v; Im v] = [e_i; 0] */
l2o_status l2o_start_zero_forcing(l2o_real *V, const l2o_real *H, double power, const l2o_sum_rate_sizes *s) {
  const size_t d = s->streams, tx = s->tx, m = s->users * d, block = 2 * tx * d;
  double *A = malloc((4 * m * tx + 2 * tx + 2 * m) * sizeof *A), residual;
  if (!A)
    return L2O_ERR_NOMEM;
  double *v = A + 4 * m * tx, *unit = v + 2 * tx;
  l2o_status status = L2O_OK;
  for (size_t j = 0; j < s->cells && !status; j++) {
    for (size_t i = 0; i < m; i++)
      for (size_t t = 0; t < tx; t++) {
        const l2o_real *h = own_row(H, j * s->users + i / d, i % d, s) + 2 * t;
        A[i * 2 * tx + t] = A[(m + i) * 2 * tx + tx + t] = (double)h[0];
        A[(m + i) * 2 * tx + t] = (double)h[1];
        A[i * 2 * tx + tx + t] = -(double)h[1];
      }
    for (size_t i = 0; i < m && !status; i++) {
      l2o_real *column = V + (j * s->users + i / d) * block + 2 * (i % d);
      memset(unit, 0, 2 * m * sizeof *unit);
      unit[i] = 1;
      status = l2o_least_squares(v, &residual, A, unit, 2 * m, 2 * tx);
      for (size_t t = 0; t < tx && !status; t++) {
        column[2 * t * d] = (l2o_real)v[t];
        column[2 * t * d + 1] = (l2o_real)v[tx + t];
      }
    }
    for (size_t k = 0; k < s->users && !status; k++)
      scale_to(V + (j * s->users + k) * block, power / (double)s->users, block);
  }
  free(A);
  return status;
}

void l2o_start_full_power(l2o_real *V, double power, const l2o_sum_rate_sizes *s) {
  const size_t cell = 2 * s->users * s->tx * s->streams;
  for (size_t j = 0; j < s->cells; j++)
    scale_to(V + j * cell, power, cell);
}
