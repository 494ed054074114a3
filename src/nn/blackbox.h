/* SPDX-License-Identifier: BSD-3-Clause */
/* Recurrent networks whose output is the update itself, from two features a coordinate:
 * - l2o-dm (Andrychowicz et al., "Learning to learn by gradient descent by gradient descent", NeurIPS 2016):
 *     w = elu(network(u)), tensors lstm.*, linear.*
 * - rnnprop (Lv, Jiang, Li, "Learning Gradient Descent: Better Generalization and Longer Horizons", ICML 2017):
 *     w = tanh(network(elu(M u + m))), M (H, 2), m (H), tensors linear_in.*, lstm.*, linear_out.*
 * elu(t) = t where t > 0, else exp(t) - 1. The networks are direct ones of recurrent.h; names and sizes are those of the code
 * published with arXiv 2305.18577. */
#ifndef L2O_NN_BLACKBOX_H
#define L2O_NN_BLACKBOX_H
#include "nn/recurrent.h"

enum { L2O_BLACKBOX_FEATURES = 2 };
typedef enum l2o_blackbox_option {
  L2O_BLACKBOX_HIDDEN,
  L2O_BLACKBOX_LAYERS,
  L2O_BLACKBOX_STATE,        /* deviation of h and c at a start: N(0, 1) times this; 0: none */
  L2O_BLACKBOX_UPDATE_SCALE, /* factor of w in the step */
  L2O_BLACKBOX_OWN           /* first option of the kind */
} l2o_blackbox_option;
enum { L2O_DM_GRADIENT_SCALE = L2O_BLACKBOX_OWN };
enum { L2O_RNNPROP_BETA1 = L2O_BLACKBOX_OWN, L2O_RNNPROP_BETA2 };

static inline const l2o_recurrent_shape *l2o_blackbox_network(const l2o_model *model) {
  return &((const l2o_recurrent *)model->table)->shape;
}
size_t l2o_blackbox_state_len(const l2o_model *model, size_t n);
size_t l2o_blackbox_tape_len(const l2o_model *model, size_t n);
size_t l2o_blackbox_scratch_len(const l2o_model *model, size_t n);
/* w (n) from u (2, n), moving the state on; tape: NULL where there is no way back. */
void l2o_blackbox_forward(const l2o_model *model, l2o_real *w, l2o_real *state, l2o_real *tape, l2o_real *scratch,
                          const l2o_real *u, size_t n);
/* From dw (n), which is lost: adds to du (2, n) unless that is NULL; otherwise as l2o_recurrent_backward(). */
void l2o_blackbox_backward(const l2o_model *model, double *sum, l2o_real *du, l2o_real *dstate, l2o_real *dw, const l2o_real *tape,
                           l2o_real *scratch, size_t n);
#endif
