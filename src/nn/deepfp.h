/* SPDX-License-Identifier: BSD-3-Clause */
/* The network of deepfp (Zhu et al., arXiv 2601.02822), which sees one user's precoder and one direction, both (tx, streams) and
 * complex, and gives one number. A layer k of the rule has weights of its own, complex as everything here:
 *
 *   z_0 = unit [vec V_u, vec R_u]                       2 tx streams of them
 *   z_l = crelu(W_l z_{l-1} + b_l), l = 1, 2, 3         h of them;   crelu(a) = max(0, Re a) + i Im a
 *   o_u = Re(W_4 z_3) + b_4
 *
 * Iterations beyond the last layer repeat it. W_4 and all biases are zero at first. A row of the tensor fcl.weight (layers, units,
 * 2, inputs) holds its real parts, then its imaginary parts, and fcl.bias (layers, 2, units) likewise; b_4 is real.
 *
 * What belongs to a user stands abreast, a user a lane (core/complex_small.h). z_l is three blocks of rows, its imaginary parts,
 * its real parts, its imaginary parts negated: the first two, and the last two, are what a row of W_l is multiplied with. */
#ifndef L2O_NN_DEEPFP_H
#define L2O_NN_DEEPFP_H
#include "core/complex_small.h"
#include "nn/model.h"

/* Precoders that such a model is for, and the bound of the curvature that its steps are relative to, a l2o_rate_bound
 * (problems/sum_rate.h). */
size_t l2o_deepfp_tx(const l2o_model *model);
size_t l2o_deepfp_streams(const l2o_model *model);
int l2o_deepfp_bound(const l2o_model *model);

/* Reals of the record of n users. */
size_t l2o_deepfp_record_len(const l2o_model *model, size_t n);
/* o (lanes) in layer k, from V and R (n, tx, streams), a complex number as its real and its imaginary part. */
void l2o_deepfp_forward(const l2o_model *model, l2o_real *o, l2o_real *record, const l2o_real *V, const l2o_real *R, double unit,
                        size_t k, size_t n);
/* From d_o = dL/do (lanes) adds dL/dparameters to `sum`, laid out as the parameters, and dL/dV and dL/dR to dV and dR, unless dV is
 * NULL: then dR is not looked at, either. */
void l2o_deepfp_backward(const l2o_model *model, double *sum, l2o_real *dV, l2o_real *dR, const l2o_real *d_o, l2o_real *record,
                         double unit, size_t k, size_t n);
#endif
