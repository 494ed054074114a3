/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef L2O_PROBLEMS_ROTATION_H
#define L2O_PROBLEMS_ROTATION_H
#include <l2o/base.h>

/* out = the image (height, width) turned about its centre, anticlockwise as one sees it with row 0 above: bilinear between the four
 * pixels around the place where each comes from, 0 beyond the edge. out is not the image. */
void l2o_rotate_image(l2o_real *out, const l2o_real *image, size_t height, size_t width, double degrees);
#endif
