/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/complex_small.h"
#include <math.h>

double l2o_abreast_log_det(l2o_real *each, const l2o_real *L, const l2o_real *weights, size_t q, size_t count) {
  const size_t lanes = l2o_lanes(count);
  const double most = 0x1p500, least = 0x1p-500;
  double total = 0;
  for (size_t l = 0; l < count; l++) {
    double product = 1, sum = 0; /* of the pivots; of logarithms of what would have left the range */
    for (size_t i = 0; i < q; i++) {
      const double root = (double)L[2 * (i * q + i) * lanes + l];
      product *= root * root;
      if (product > most || product < least) {
        sum += log(product);
        product = 1;
      }
    }
    sum += log(product);
    if (each)
      each[l] = (l2o_real)sum;
    total += (double)weights[l] * sum;
  }
  return total;
}
