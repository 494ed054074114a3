/* SPDX-License-Identifier: BSD-3-Clause */
/* The direct regression of powers on channels (Sun, Chen, Shi, Hong, Fu, Sidiropoulos, IEEE Trans. Signal Processing 2018). For K
 * links, with z_0 made of an instance of power-control, and three hidden layers:
 *
 *   z_l = max(0, W_l z_{l-1} + b_l), l = 1, 2, 3,     s = sigmoid(W_4 z_3 + b_4),     p = power s
 *   z_0 = ((sqrt(G_ij / gain) - mean) / deviation, row by row;  log10(gain power / noise);  K a_i / sum_j a_j - 1)
 *
 * gain is the mean of G, mean and deviation are those of Rayleigh fading, sqrt(pi) / 2 and sqrt(1 - pi / 4); the weights are there
 * with weights=true. docs/derivations/power_control_mlp.md derives the way back, and tells what differs from what was published.
 */
#ifndef L2O_NN_POWER_MLP_H
#define L2O_NN_POWER_MLP_H
#include "core/vector.h"
#include "nn/model.h"
#include "problems/power_control.h"

/* Links K of the instances that such a model is for. */
size_t l2o_power_mlp_links(const l2o_model *model);
/* Does it see their weights? */
bool l2o_power_mlp_sees_weights(const l2o_model *model);

/* p (K). record: z_0 .. z_3 and s, l2o_power_mlp_record_len() reals, which the way back reads. */
size_t l2o_power_mlp_record_len(const l2o_model *model);
void l2o_power_mlp_forward(const l2o_model *model, l2o_real *p, l2o_real *record, const l2o_power_control *instance);

/* From dp = dL/dp (K): adds dL/dparameters to `sum`, which is laid out as the parameters. work: l2o_power_mlp_work_len() reals. */
size_t l2o_power_mlp_work_len(const l2o_model *model);
void l2o_power_mlp_backward(const l2o_model *model, double *sum, const l2o_real *dp, const l2o_real *record, l2o_real *work,
                            const l2o_power_control *instance);

/* A layer a = W z + b back, W (rows, columns): dW += da z' and db += da in double, and unless dz is NULL dz = W'da. Rows with
 * da = 0, those that a rectifier has cut off, cost nothing. */
L2O_KERNEL(void, l2o_layer_backward,
           (double *dW, double *db, l2o_real *dz, const l2o_real *W, const l2o_real *da, const l2o_real *z, size_t rows,
            size_t columns));
static inline void l2o_layer_backward(double *dW, double *db, l2o_real *dz, const l2o_real *W, const l2o_real *da,
                                      const l2o_real *z, size_t rows, size_t columns) {
  L2O_DISPATCH(l2o_layer_backward, (dW, db, dz, W, da, z, rows, columns));
}
#endif
