/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/features.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* divisor_j = max_i |a_ij|, 1 where that is 0 */
static void by_largest(double *divisor, const l2o_real *A, size_t rows, size_t features) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < features; j++)
      divisor[j] = fmax(divisor[j], fabs((double)A[i * features + j]));
  for (size_t j = 0; j < features; j++)
    divisor[j] = divisor[j] > 0 ? divisor[j] : 1;
}

/* mean_j = 1/m sum_i a_ij, divisor_j = sqrt(1/m sum_i (a_ij - mean_j)^2), infinite where that is rounding alone */
static void by_deviation(double *mean, double *divisor, const l2o_real *A, size_t rows, size_t features) {
  const double m = (double)rows;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < features; j++)
      mean[j] += (double)A[i * features + j] / m;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < features; j++) {
      const double from_mean = (double)A[i * features + j] - mean[j];
      divisor[j] += from_mean * from_mean / m;
    }
  for (size_t j = 0; j < features; j++) {
    divisor[j] = sqrt(divisor[j]);
    if (divisor[j] <= 1e-12 * fabs(mean[j]))
      divisor[j] = INFINITY;
  }
}

l2o_status l2o_features(l2o_real *out, const l2o_real *A, size_t rows, size_t features, int scale, bool bias) {
  const size_t n = features + bias;
  double *mean = calloc(2 * features, sizeof *mean), *divisor = mean + features;
  if (!mean)
    return L2O_ERR_NOMEM;
  if (scale == L2O_FEATURES_UNIT)
    by_largest(divisor, A, rows, features);
  else if (scale == L2O_FEATURES_STANDARD)
    by_deviation(mean, divisor, A, rows, features);
  for (size_t i = 0; i < rows; i++) {
    const l2o_real *from = A + i * features;
    l2o_real *to = out + i * n;
    if (scale == L2O_FEATURES_NONE)
      memcpy(to, from, features * sizeof *to);
    else
      for (size_t j = 0; j < features; j++)
        to[j] = (l2o_real)(((double)from[j] - mean[j]) / divisor[j]);
    if (bias)
      to[features] = 1;
  }
  free(mean);
  return L2O_OK;
}
