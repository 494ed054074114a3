/* SPDX-License-Identifier: BSD-3-Clause */
/* The coordinate-wise network of Math-L2O GD (arXiv 2501.18092): the same bias-free F -> F -> H -> 1 ReLU network for every
 * coordinate i, with u_i the F features of the coordinate:
 *
 *   z = relu(u W1)      W1 (F, F)   tensor dnn.0.weight
 *   b = relu(z W2)      W2 (F, H)   tensor linear.weight
 *   a = b w3            w3 (H, 1)   tensor linear_p.weight
 *   p = scale(a) c      c scalar    tensor p_scale
 *
 * Two evaluations of the layers behind z. Dense: as written, H multiplications a coordinate. Angular, for F = 2: z is in the
 * positive quadrant, where a = z . v(t) with v constant between the at most H "angles" t = z_1 / (z_0 + z_1) at which a hidden unit
 * switches; v is tabulated, so a coordinate costs a search whatever H is. Exact up to rounding, in double in both precisions.
 * docs/derivations/math_l2o_gd.md derives both. */
#ifndef L2O_NN_COORDINATE_MLP_H
#define L2O_NN_COORDINATE_MLP_H
#include "nn/model.h"

/* Reals of the record by which the backward pass of n coordinates knows what the forward pass found: slopes of the output scale,
 * and intervals of angles, which are integers: a record lies in memory that has no type of its own (malloc()). */
size_t l2o_coordinate_record_len(size_t n);

/* p (n) from features g, x (n), which p may not overlap. record: NULL where there is no way back. */
void l2o_coordinate_mlp_forward(const l2o_model *model, l2o_real *p, l2o_real *record, const l2o_real *g, const l2o_real *x,
                                size_t n);

/* From dp = dL/dp (n): adds dL/dparameters to `sum` (model->type->sum_len doubles); adds dL/dg and dL/dx to dg and dx unless they
 * are NULL (features taken as constants). p, record, g, x: of the forward pass. */
void l2o_coordinate_mlp_backward(const l2o_model *model, double *sum, l2o_real *dg, l2o_real *dx, const l2o_real *dp,
                                 const l2o_real *p, const l2o_real *record, const l2o_real *g, const l2o_real *x, size_t n);
#endif
