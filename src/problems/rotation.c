/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/rotation.h"
#include <math.h>

typedef struct picture {
  const l2o_real *pixels;
  size_t height, width;
} picture;

static double at(const picture *p, double row, double column) {
  return row >= 0 && row < (double)p->height && column >= 0 && column < (double)p->width
             ? (double)p->pixels[(size_t)row * p->width + (size_t)column]
             : 0;
}

static double between(const picture *p, double row, double column) {
  const double top = floor(row), left = floor(column), down = row - top, right = column - left;
  return (1 - down) * ((1 - right) * at(p, top, left) + right * at(p, top, left + 1)) +
         down * ((1 - right) * at(p, top + 1, left) + right * at(p, top + 1, left + 1));
}

void l2o_rotate_image(l2o_real *out, const l2o_real *image, size_t height, size_t width, double degrees) {
  static const double half_turn = 3.14159265358979324;
  const picture p = {image, height, width};
  const double c = cos(degrees / 180 * half_turn), s = sin(degrees / 180 * half_turn);
  const double middle_row = (double)(height - 1) / 2, middle_column = (double)(width - 1) / 2;
  for (size_t i = 0; i < height; i++)
    for (size_t j = 0; j < width; j++) { /* x to the right, y upwards: it comes from (c x + s y, c y - s x) */
      const double x = (double)j - middle_column, y = middle_row - (double)i;
      out[i * width + j] = (l2o_real)between(&p, middle_row - (c * y - s * x), middle_column + (c * x + s * y));
    }
}
