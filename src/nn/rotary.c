/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/rotary.h"
#include <math.h>

void l2o_rotary_tables(l2o_real *cosine, l2o_real *sine, double base, size_t positions, size_t half) {
  for (size_t j = 0; j < half; j++) {
    const double w = pow(base, -(double)j / (double)half);
    for (size_t p = 0; p < positions; p++) {
      cosine[p * half + j] = (l2o_real)cos((double)p * w);
      sine[p * half + j] = (l2o_real)sin((double)p * w);
    }
  }
}
