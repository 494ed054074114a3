/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/soft_threshold.h"
#include "core/real.h"

double l2o_l1_norm(l2o_real *s, const l2o_real *x, double l1, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += fabs((double)x[i]);
  for (size_t i = 0; s && i < n; i++)
    s[i] = (l2o_real)(x[i] > 0 ? l1 : x[i] < 0 ? -l1 : 0);
  return l1 * sum;
}

void l2o_l1_subdifferential(l2o_real *low, l2o_real *high, const l2o_real *x, double l1, size_t n) {
  for (size_t i = 0; i < n; i++) {
    low[i] = (l2o_real)(x[i] > 0 ? l1 : -l1);
    high[i] = (l2o_real)(x[i] < 0 ? -l1 : l1);
  }
}

void l2o_soft_threshold(l2o_real *out, const l2o_real *x, const l2o_real *tau, double l1, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const l2o_real t = (l2o_real)l1 * tau[i];
    out[i] = r_abs(x[i]) <= t ? 0 : x[i] > 0 ? x[i] - t : x[i] + t;
  }
}

void l2o_soft_threshold_vjp(l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau, const l2o_real *dout, double l1,
                            size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (r_abs(x[i]) <= (l2o_real)l1 * tau[i])
      continue;
    dx[i] += dout[i];
    if (dtau) /* d out / d tau = -l1 sign(x) */
      dtau[i] += (x[i] > 0 ? -(l2o_real)l1 : (l2o_real)l1) * dout[i];
  }
}

double l2o_l1_optimality(const double *g, const double *x, double l1, size_t n) {
  double worst = 0;
  for (size_t i = 0; i < n; i++) {
    /* x_i = 0: any of [g_i - l1, g_i + l1]; otherwise g_i + l1 sign(x_i) */
    const double size = fabs(g[i]) - l1, least = x[i] > 0 ? fabs(g[i] + l1) : x[i] < 0 ? fabs(g[i] - l1) : size > 0 ? size : 0;
    if (!(least <= worst)) /* also when it is not a number */
      worst = least;
    if (isnan(worst))
      break;
  }
  return worst;
}
