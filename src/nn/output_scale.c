/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/output_scale.h"
#include "core/real.h"

void l2o_output_scale_forward(l2o_real *p, const l2o_real *a, l2o_output_scale scale, size_t n) {
  switch (scale) {
  case L2O_SCALE_SIGMOID2:
    for (size_t i = 0; i < n; i++) {
      const l2o_real e = r_exp_minus_abs(a[i]), low = 2 * e / (1 + e);
      p[i] = a[i] < 0 ? low : 2 - low;
    }
    break;
  case L2O_SCALE_SIGMOID:
    for (size_t i = 0; i < n; i++)
      p[i] = 1 / (1 + r_exp(-a[i]));
    break;
  case L2O_SCALE_EXP:
    for (size_t i = 0; i < n; i++)
      p[i] = r_exp(a[i]);
    break;
  case L2O_SCALE_IDENTITY:
    for (size_t i = 0; i < n; i++)
      p[i] = a[i];
    break;
  case L2O_SCALE_SOFTPLUS: /* max(a, 0) + log1p(exp(-|a|)): no overflow */
    for (size_t i = 0; i < n; i++)
      p[i] = (a[i] > 0 ? a[i] : 0) + r_log1p(r_exp(-r_abs(a[i])));
    break;
  case L2O_SCALE_GAUSSIAN: /* -2 expm1(-a^2): no cancellation near 0 */
    for (size_t i = 0; i < n; i++)
      p[i] = -2 * r_expm1(-a[i] * a[i]);
    break;
  }
}

void l2o_output_scale_backward(l2o_real *da, const l2o_real *dp, const l2o_real *a, l2o_output_scale scale, size_t n) {
  switch (scale) {
  case L2O_SCALE_SIGMOID2: /* 2 s (1 - s), both factors without cancellation: s(a) s(-a) */
    for (size_t i = 0; i < n; i++) {
      const l2o_real e = r_exp_minus_abs(a[i]), q = 1 / (1 + e);
      da[i] = 2 * dp[i] * e * q * q;
    }
    break;
  case L2O_SCALE_SIGMOID:
    for (size_t i = 0; i < n; i++)
      da[i] = dp[i] / (1 + r_exp(-a[i])) / (1 + r_exp(a[i]));
    break;
  case L2O_SCALE_EXP:
    for (size_t i = 0; i < n; i++)
      da[i] = dp[i] * r_exp(a[i]);
    break;
  case L2O_SCALE_IDENTITY:
    for (size_t i = 0; i < n; i++)
      da[i] = dp[i];
    break;
  case L2O_SCALE_SOFTPLUS: /* 1 / (1 + exp(-a)) */
    for (size_t i = 0; i < n; i++)
      da[i] = dp[i] / (1 + r_exp(-a[i]));
    break;
  case L2O_SCALE_GAUSSIAN: /* 4 a exp(-a^2) */
    for (size_t i = 0; i < n; i++)
      da[i] = 4 * dp[i] * a[i] * r_exp(-a[i] * a[i]);
    break;
  }
}
