/* SPDX-License-Identifier: BSD-3-Clause */
/* A recurrent network (recurrent.h) whose heads are the factors of an update: head o gives for every coordinate
 *
 *   v_o = c_o psi_o(y_o)     psi_o one of output_scale.h, c_o a scalar, tensor NAME_scale
 *
 * A kind of model has a table of heads, of which a model uses some. Tensors, as the published checkpoints of Math-L2O (arXiv
 * 2305.18577) and GO-Math-L2O (CVPR 2024) name them: lstm.*, linear.*, then linear_NAME.weight and linear_NAME.bias of the heads
 * that are used, those of the heads that are not, which nothing reads, and the scales of all. */
#ifndef L2O_NN_HEADS_H
#define L2O_NN_HEADS_H
#include "nn/output_scale.h"
#include "nn/recurrent.h"

enum { L2O_HEADS_MAX = 5 };

/* A row of the table of a kind of model. */
typedef struct l2o_head_names {
  const char *weight, *bias, *scale;
} l2o_head_names;

/* What a model's options say of its heads. */
typedef struct l2o_heads_shape {
  l2o_recurrent_shape network; /* its outputs are the heads that are used */
  size_t count;                /* heads of the kind */
  bool used[L2O_HEADS_MAX], scales_learned;
  l2o_output_scale norm[L2O_HEADS_MAX];
  double scale[L2O_HEADS_MAX]; /* initial c_o */
  double start[L2O_HEADS_MAX]; /* v_o at initial weights of our own, as near as psi_o comes to it */
} l2o_heads_shape;

/* How a model begins: heads without weights, biases that give `start`; or as the published code, the heads' weights random too, by
 * PyTorch's defaults (stack and heads uniform in +-1/sqrt(H)), or uniform in +-sqrt(6 / (rows + columns)) with zero biases (Glorot
 * and Bengio 2010); or by PyTorch's defaults and its generator, which gives the published weights, up to rounding. */
typedef enum l2o_heads_start { L2O_HEADS_CALM, L2O_HEADS_TORCH, L2O_HEADS_GLOROT, L2O_HEADS_REPLAYED } l2o_heads_start;

/* The table of such a model. Row r of the arrays below belongs to output r of the network. */
typedef struct l2o_heads {
  l2o_recurrent network;
  size_t row[L2O_HEADS_MAX]; /* of each head of the kind; L2O_HEADS_MAX: not used */
  l2o_output_scale norm[L2O_HEADS_MAX];
  l2o_real scale[L2O_HEADS_MAX];
} l2o_heads;

/* What a kind of model with heads brings along, `heads` of its type. */
typedef struct l2o_heads_kind {
  l2o_heads_shape (*shape)(const double *options);
  const l2o_head_names *names;
  size_t start, step_scale; /* options: a word of `starts`; the base step times L */
  l2o_heads_start starts[3];
  size_t made[L2O_HEADS_MAX]; /* L2O_HEADS_REPLAYED: the heads in the order in which the published code makes them, used or not */
} l2o_heads_kind;

/* The operations of its type but `describe`, which hands its own kind on. */
size_t l2o_heads_describe(l2o_model_tensor *tensors, const double *options, const l2o_heads_kind *kind);
l2o_status l2o_heads_initialise(l2o_model *model, uint64_t seed);
size_t l2o_heads_table_bytes(const l2o_model *model);
void l2o_heads_commit(l2o_model *model);
size_t l2o_heads_sum_len(const l2o_model *model);
void l2o_heads_gradient(const l2o_model *model, double *gradient, const double *sum);
double l2o_heads_step_scale(const l2o_model *model);
#define L2O_HEADS_OPERATIONS                                                                                                       \
  .initialise = l2o_heads_initialise, .table_bytes = l2o_heads_table_bytes, .commit = l2o_heads_commit,                            \
  .sum_len = l2o_heads_sum_len, .gradient = l2o_heads_gradient, .step_scale = l2o_heads_step_scale

static inline const l2o_heads *l2o_heads_of(const l2o_model *model) {
  return model->table;
}

/* h and c of all layers and coordinates. */
size_t l2o_heads_state_len(const l2o_heads *heads, size_t n);

/* Reals of record and scratch: those of the network, the record with the slopes dv/dy. */
size_t l2o_heads_tape_len(const l2o_heads *heads, size_t n);
size_t l2o_heads_scratch_len(const l2o_heads *heads, size_t n);
/* One step: v (used, n) from the features u (inputs, n); moves the state on. tape: NULL where there is no way back. */
void l2o_heads_forward(const l2o_heads *heads, l2o_real *v, l2o_real *state, l2o_real *tape, l2o_real *scratch, const l2o_real *u,
                       size_t n);
/* From dv (used, n), which is lost, and v as it was; otherwise as l2o_recurrent_backward(). A scale of exactly 0 is told nothing of
 * its slope. `sum` has l2o_heads_sum_len() doubles. */
void l2o_heads_backward(const l2o_heads *heads, double *sum, l2o_real *du, l2o_real *dstate, l2o_real *dv, const l2o_real *v,
                        const l2o_real *tape, l2o_real *scratch, size_t n);

/* v of head `which` of the kind; NULL where it is not used. */
static inline l2o_real *l2o_head(const l2o_heads *heads, l2o_real *v, size_t which, size_t n) {
  return heads->row[which] < L2O_HEADS_MAX ? v + heads->row[which] * n : NULL;
}
#endif
