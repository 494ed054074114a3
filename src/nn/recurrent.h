/* SPDX-License-Identifier: BSD-3-Clause */
/* A recurrent network for n independent coordinates with the same weights: a stack of long short-term memories (lstm.h), then a
 * layer and O linear heads. From I inputs a coordinate:
 *
 *   h_1, c_1 = lstm_1(u, h_1, c_1)   ...   h_L, c_L = lstm_L(h_{L-1}, h_L, c_L)
 *   z = relu(V h_L + v)      V (H, H), v (H)     tensors linear.weight, linear.bias
 *   y_o = w_o'z + b_o        w_o (1, H), b_o (1)  tensors NAME.weight, NAME.bias of each head
 *
 * or, direct, without the layer between: z = h_L.
 *
 * Coordinates stand side by side: u is (I, n), y is (O, n), row-major. Inside they are taken in chunks of L2O_LSTM_CHUNK, whose
 * states and tapes lie together. docs/derivations/lstm.md derives the backward pass. Nothing here allocates but what says so. */
#ifndef L2O_NN_RECURRENT_H
#define L2O_NN_RECURRENT_H
#include "core/arena.h"
#include "nn/lstm.h"
#include "nn/model.h"

enum { L2O_RECURRENT_LAYERS_MAX = 16 };

typedef struct l2o_recurrent_shape {
  size_t inputs, layers, hidden, outputs;
  bool direct;
} l2o_recurrent_shape;

/* Appends the tensors of a network: for layer l = 0 .. L-1 lstm.weight_ih_l<l> (4H, I or H), lstm.weight_hh_l<l> (4H, H),
 * lstm.bias_ih_l<l>, lstm.bias_hh_l<l> (4H), then linear.weight, linear.bias unless direct, then the heads, whose names
 * "NAME.weight", "NAME.bias" the caller gives, two a head. All are learned. Returns how many. */
size_t l2o_recurrent_describe(l2o_model_tensor *tensors, const l2o_recurrent_shape *shape, const char *const *heads);
/* PyTorch's initial weights, from our own stream: all of the stack uniform in +-1/sqrt(H), linear.* too; the heads' weights are
 * zero. The heads' biases are left as they are. `first`: the network's first tensor. */
void l2o_recurrent_initialise(l2o_model *model, size_t first, const l2o_recurrent_shape *shape, uint64_t seed);

/* The network as it is evaluated, in the table of the model. */
typedef struct l2o_recurrent {
  l2o_recurrent_shape shape;
  l2o_lstm lstm[L2O_RECURRENT_LAYERS_MAX];
  l2o_real *packed[L2O_RECURRENT_LAYERS_MAX];
  l2o_real *linear, *heads;                        /* (V, v) and the (w_o, b_o), as l2o_affine() takes them */
  const l2o_real *linear_weight, *head_parameters; /* borrowed: V, and (w_o, b_o) one behind another, (O, H + 1) */
} l2o_recurrent;
/* Its room in the arena, and (base of the arena given) the pointers into it. */
void l2o_recurrent_layout(l2o_recurrent *net, l2o_arena *arena, const l2o_recurrent_shape *shape);
/* Fills it from the parameters; they are borrowed and outlive it. */
void l2o_recurrent_build(l2o_recurrent *net, const l2o_model *model, size_t first);

/* State: h and c of all layers and coordinates; zeros at a start. */
size_t l2o_recurrent_state_len(const l2o_recurrent_shape *shape, size_t n);
/* From h and c (layers, n, hidden), row-major. */
void l2o_recurrent_set_state(const l2o_recurrent_shape *shape, l2o_real *state, const l2o_real *h, const l2o_real *c, size_t n);
/* What the backward pass of a step reads. Without one (tape NULL) l2o_recurrent_scratch_len() reals of scratch are needed. */
size_t l2o_recurrent_tape_len(const l2o_recurrent_shape *shape, size_t n);
size_t l2o_recurrent_scratch_len(const l2o_recurrent_shape *shape, size_t n);

/* One step: y (O, n) from u (I, n); the state is moved on. scratch: l2o_recurrent_scratch_len() reals. */
void l2o_recurrent_forward(const l2o_recurrent *net, l2o_real *y, l2o_real *state, l2o_real *tape, l2o_real *scratch,
                           const l2o_real *u, size_t n);

/* From dy (O, n) and dstate, what later steps want of the state: dstate becomes what this step wants of the state before it; adds
 * dL/du to du (I, n) unless that is NULL (inputs taken as constants), and the gradient of the parameters to `sum`,
 * l2o_recurrent_sum_len() doubles. scratch: l2o_recurrent_scratch_len() reals. */
size_t l2o_recurrent_sum_len(const l2o_recurrent_shape *shape);
void l2o_recurrent_backward(const l2o_recurrent *net, double *sum, l2o_real *du, l2o_real *dstate, const l2o_real *dy,
                            const l2o_real *tape, l2o_real *scratch, size_t n);
/* The gradient (flat, tensor order of l2o_recurrent_describe(), beginning at the network's first tensor) from such a sum. */
void l2o_recurrent_gradient(double *gradient, const double *sum, const l2o_recurrent_shape *shape);
#endif
