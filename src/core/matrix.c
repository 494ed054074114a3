/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/matrix.h"
#include <string.h>

size_t l2o_triangle_len(size_t n) {
  size_t length = 0;
  for (size_t first = 0; first < n; first += L2O_PANEL)
    length += L2O_PANEL * l2o_panel_stride(n, first);
  return length;
}

void l2o_triangle_fill(l2o_real *H, const l2o_real *packed, size_t n) {
  memset(H, 0, l2o_triangle_len(n) * sizeof *H);
  for (size_t i = 0; i < n; i++) {
    const size_t first = i - i % L2O_PANEL;
    memcpy(H + (i - first), packed, (n - i) * sizeof *H);
    H[i - first] /= 2; /* exact but for denormal numbers */
    H += l2o_panel_stride(n, first);
    packed += n - i;
  }
}
