/* SPDX-License-Identifier: BSD-3-Clause */
/* A layer of long short-term memory (Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; Gers, Schmidhuber and Cummins 2000)
 * for n independent coordinates, with the tensors and the order of gates of PyTorch. I inputs, H hidden units; from x (I), h and c
 * (H):
 *
 *   a  = Wih x + bih + Whh h + bhh      weight_ih (4H, I), weight_hh (4H, H), bias_ih and bias_hh (4H); rows i, f, g, o
 *   i  = s(a_i)   f = s(a_f)   g = tanh(a_g)   o = s(a_o)      s(a) = 1 / (1 + exp(-a))
 *   c' = f c + i g
 *   h' = o tanh(c')
 *
 * Coordinates stand side by side: x is (I, n), h and c are (H, n), row-major. Any n will do; with chunks of L2O_LSTM_CHUNK
 * coordinates the tape of a segment stays in the cache. A stack of layers is a loop,
 *
 *   for (size_t l = 0; l < layers; l++)
 *     l2o_lstm_forward(&layer[l], h[l], c[l], tape[l], l ? h[l - 1] : x, NULL, n);
 *
 * and, since the backward pass adds to dx, so is the way back: for l = layers - 1 .. 0
 *
 *     l2o_lstm_backward(&layer[l], sum[l], l ? dh[l - 1] : dx, dh[l], dc[l], tape[l], work, NULL, n);
 *
 * docs/derivations/lstm.md derives it. Nothing here allocates. */
#ifndef L2O_NN_LSTM_H
#define L2O_NN_LSTM_H
#include "core/vector.h"

enum { L2O_LSTM_CHUNK = 64 };

/* Memory that is wanted soon, [at, end): while they multiply, kernels fetch one cache line of it after the other, until none is
 * left. Where they take it, NULL is nothing. */
typedef struct l2o_ahead {
  const l2o_real *at, *end;
} l2o_ahead;

typedef struct l2o_lstm {
  size_t inputs, hidden;
  const l2o_real *weight_ih, *weight_hh; /* borrowed */
  const l2o_real *packed;                /* made by l2o_lstm_pack(), anew whenever a parameter has changed */
} l2o_lstm;

/* packed (H, I + H + 1, 4): for each hidden unit its four rows of (Wih, Whh, bih + bhh), side by side */
size_t l2o_lstm_packed_len(size_t inputs, size_t hidden);
void l2o_lstm_pack(l2o_real *packed, const l2o_real *weight_ih, const l2o_real *weight_hh, const l2o_real *bias_ih,
                   const l2o_real *bias_hh, size_t inputs, size_t hidden);

/* One step: h and c become h' and c'. x may not overlap h. The tape, l2o_lstm_tape_len() reals, is what the backward pass of this
 * step reads; without one the same scratch serves all steps. */
size_t l2o_lstm_tape_len(const l2o_lstm *layer, size_t n);
void l2o_lstm_forward(const l2o_lstm *layer, l2o_real *h, l2o_real *c, l2o_real *tape, const l2o_real *x, l2o_ahead *ahead,
                      size_t n);

/* From dh = dL/dh' and dc = what later steps want of c', (H, n): dh and dc become dL/dh and dL/dc; adds dL/dx to dx unless that is
 * NULL (inputs taken as constants), and the gradient of the parameters to `sum`, l2o_lstm_sum_len() doubles: over the n coordinates
 * it is summed as l2o_real, over calls in double. work: l2o_lstm_work_len() reals. */
size_t l2o_lstm_work_len(const l2o_lstm *layer, size_t n);
size_t l2o_lstm_sum_len(size_t inputs, size_t hidden);
void l2o_lstm_backward(const l2o_lstm *layer, double *sum, l2o_real *dx, l2o_real *dh, l2o_real *dc, const l2o_real *tape,
                       l2o_real *work, l2o_ahead *ahead, size_t n);
/* The gradient from `sum`: of weight_ih, of weight_hh, and of bias_ih, which is that of bias_hh too. */
void l2o_lstm_gradient(double *weight_ih, double *weight_hh, double *bias, const double *sum, size_t inputs, size_t hidden);

/* a = W z + b of n coordinates from `packed` and z = (x; h) (K, n), K = I + H, and the cells. `gates` has six blocks (H, n): in:
 * the fifth c; out: i, f, g, o, c, tanh(c'). h' and c' are written to h and c. s(a) is within 2.5, tanh within 3.5 units in the
 * last place; an s that is not normal, below 2^-1022, may be 0. */
L2O_KERNEL(void, l2o_lstm_step,
           (l2o_real * h, l2o_real *c, l2o_real *gates, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead, size_t K,
            size_t H, size_t n));
static inline void l2o_lstm_step(l2o_real *h, l2o_real *c, l2o_real *gates, const l2o_real *packed, const l2o_real *z,
                                 l2o_ahead *ahead, size_t K, size_t H, size_t n) {
  L2O_DISPATCH(l2o_lstm_step, (h, c, gates, packed, z, ahead, K, H, n));
}
/* y (rows, n) = W z + b, or max(0, W z + b), z (K, n). packed (ceil(rows / 4), K + 1, 4): W and b by four rows side by side, what
 * is behind the last row finite. */
L2O_KERNEL(void, l2o_affine,
           (l2o_real * y, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead, bool rectify, size_t rows, size_t K,
            size_t n));
static inline void l2o_affine(l2o_real *y, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead, bool rectify, size_t rows,
                              size_t K, size_t n) {
  L2O_DISPATCH(l2o_affine, (y, packed, z, ahead, rectify, rows, K, n));
}
/* y (rows, n) = W'x, or with `add` y += W'x: W (K, rows), one row `stride` behind the other, x (K, n) */
L2O_KERNEL(void, l2o_transposed_product,
           (l2o_real * y, const l2o_real *W, size_t stride, const l2o_real *x, l2o_ahead *ahead, bool add, size_t rows, size_t K,
            size_t n));
static inline void l2o_transposed_product(l2o_real *y, const l2o_real *W, size_t stride, const l2o_real *x, l2o_ahead *ahead,
                                          bool add, size_t rows, size_t K, size_t n) {
  L2O_DISPATCH(l2o_transposed_product, (y, W, stride, x, ahead, add, rows, K, n));
}
/* sum (rows, columns) += y x' with y (rows, n), x (columns, n): a product of single rank for each of the n, summed as l2o_real, is
 * added. x is turned first, so that its entries for one of the n stand in vectors. work: l2o_outer_work_len() reals. */
size_t l2o_outer_work_len(size_t columns, size_t n);
L2O_KERNEL(void, l2o_add_outer,
           (double *sum, l2o_real *work, const l2o_real *y, const l2o_real *x, size_t rows, size_t columns, size_t n));
static inline void l2o_add_outer(double *sum, l2o_real *work, const l2o_real *y, const l2o_real *x, size_t rows, size_t columns,
                                 size_t n) {
  L2O_DISPATCH(l2o_add_outer, (sum, work, y, x, rows, columns, n));
}
/* da: four blocks, dL/da; dc: in dL/dc' as far as it does not go through h', out dL/dc. */
L2O_KERNEL(void, l2o_lstm_gates_backward, (l2o_real * da, l2o_real *dc, const l2o_real *dh, const l2o_real *gates, size_t count));
static inline void l2o_lstm_gates_backward(l2o_real *da, l2o_real *dc, const l2o_real *dh, const l2o_real *gates, size_t count) {
  L2O_DISPATCH(l2o_lstm_gates_backward, (da, dc, dh, gates, count));
}
#endif
