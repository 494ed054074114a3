/* SPDX-License-Identifier: BSD-3-Clause */
/* The model of L2O-BFGS (arXiv 2412.00059): a recurrent network (recurrent.h) makes a raw output o of the seven (eleven) features
 * of every coordinate; solvers/l2o_bfgs.c turns it into the factor p of the coordinate's step. Tensors lstm.*, linear.*, head.*. At
 * its initial weights o gives p = 1: BFGS with unit steps. */
#ifndef L2O_NN_BFGS_LSTM_H
#define L2O_NN_BFGS_LSTM_H
#include "nn/recurrent.h"

enum {
  L2O_BFGS_LSTM_VECTORS = 4,
  L2O_BFGS_LSTM_FEATURES = 7,
  L2O_BFGS_LSTM_FEATURES_MAX = L2O_BFGS_LSTM_FEATURES + L2O_BFGS_LSTM_VECTORS
};

typedef enum l2o_bfgs_lstm_option {
  L2O_BFGS_LSTM_HIDDEN,    /* 20 */
  L2O_BFGS_LSTM_LAYERS,    /* 2 */
  L2O_BFGS_LSTM_OUTPUT,    /* sigmoid: q = p_high s(o); clip: q = min(max(1 + o, p_low), p_high) */
  L2O_BFGS_LSTM_P_LOW,     /* clip; 0.01 */
  L2O_BFGS_LSTM_P_HIGH,    /* 4 */
  L2O_BFGS_LSTM_STEPS,     /* coordinate, or scalar: q is the mean over the coordinates */
  L2O_BFGS_LSTM_GATE,      /* p = 1 + gamma_k (q - 1), gamma_k = 1 for k < K0 and K0 / (k + 1) from there on; 0: always 1; 30 */
  L2O_BFGS_LSTM_SAFEGUARD, /* sigma: g'(p o d) <= sigma g'd is kept; 0: off; 0.1 */
  L2O_BFGS_LSTM_H0,        /* scaled|identity|lipschitz|hessian: l2o_bfgs_start of solvers/bfgs_update.h */
  L2O_BFGS_LSTM_RESCALE,   /* off|on: enlarge an inverse Hessian that is too small before an update */
  L2O_BFGS_LSTM_INPUTS,    /* linear: the seven features; linear+log: and the logarithms of the first four */
  L2O_BFGS_LSTM_OPTIONS
} l2o_bfgs_lstm_option;
enum { L2O_BFGS_LSTM_SIGMOID, L2O_BFGS_LSTM_CLIP };
enum { L2O_BFGS_LSTM_COORDINATE, L2O_BFGS_LSTM_SCALAR };

extern const l2o_model_type l2o_model_type_bfgs_lstm;

/* The network of a model of this kind. */
const l2o_recurrent *l2o_bfgs_lstm_network(const l2o_model *model);
#endif
