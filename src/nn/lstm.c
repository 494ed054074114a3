/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/lstm.h"
#include <string.h>

/* Rows of z = (x; h; 1), of which one product makes the gates of a step, and with which one makes the gradient of the weights. */
static size_t rows_of(size_t inputs, size_t hidden) {
  return inputs + hidden + 1;
}

size_t l2o_lstm_packed_len(size_t inputs, size_t hidden) {
  return rows_of(inputs, hidden) * 4 * hidden;
}

void l2o_lstm_pack(l2o_real *packed, const l2o_real *weight_ih, const l2o_real *weight_hh, const l2o_real *bias_ih,
                   const l2o_real *bias_hh, size_t inputs, size_t hidden) {
  for (size_t k = 0; k < hidden; k++)
    for (size_t i = 0; i < rows_of(inputs, hidden); i++)
      for (size_t q = 0; q < 4; q++) {
        const size_t r = q * hidden + k;
        *packed++ = i < inputs            ? weight_ih[r * inputs + i]
                    : i < inputs + hidden ? weight_hh[r * hidden + i - inputs]
                                          : bias_ih[r] + bias_hh[r];
      }
}

/* The tape: z (I + H + 1, n), then the six blocks of the gates (6H, n). */
size_t l2o_lstm_tape_len(const l2o_lstm *layer, size_t n) {
  return (rows_of(layer->inputs, layer->hidden) + 6 * layer->hidden) * n;
}

void l2o_lstm_forward(const l2o_lstm *layer, l2o_real *h, l2o_real *c, l2o_real *tape, const l2o_real *x, l2o_ahead *ahead,
                      size_t n) {
  const size_t I = layer->inputs, H = layer->hidden, K = rows_of(I, H);
  l2o_real *z = tape, *gates = tape + K * n;
  memcpy(z, x, I * n * sizeof *z);
  memcpy(z + I * n, h, H * n * sizeof *z);
  for (size_t j = 0; j < n; j++)
    z[(I + H) * n + j] = 1;
  memcpy(gates + 4 * H * n, c, H * n * sizeof *c);
  l2o_lstm_step(h, c, gates, layer->packed, z, ahead, I + H, H, n);
}

/* x, turned */
size_t l2o_outer_work_len(size_t columns, size_t n) {
  return n * l2o_whole_lines(columns);
}

/* dL/da (4H, n), and turned */
size_t l2o_lstm_work_len(const l2o_lstm *layer, size_t n) {
  return 4 * layer->hidden * n + l2o_outer_work_len(4 * layer->hidden, n);
}

size_t l2o_lstm_sum_len(size_t inputs, size_t hidden) {
  return 4 * hidden * rows_of(inputs, hidden);
}

void l2o_lstm_backward(const l2o_lstm *layer, double *sum, l2o_real *dx, l2o_real *dh, l2o_real *dc, const l2o_real *tape,
                       l2o_real *work, l2o_ahead *ahead, size_t n) {
  const size_t I = layer->inputs, H = layer->hidden, K = rows_of(I, H);
  const l2o_real *z = tape, *gates = tape + K * n;
  l2o_real *da = work;
  l2o_lstm_gates_backward(da, dc, dh, gates, H * n);
  l2o_add_outer(sum, work + 4 * H * n, z, da, K, 4 * H, n);
  l2o_transposed_product(dh, layer->weight_hh, H, da, ahead, false, H, 4 * H, n);
  if (dx)
    l2o_transposed_product(dx, layer->weight_ih, I, da, ahead, true, I, 4 * H, n);
}

/* sum: (Wih, Whh, b)' */
void l2o_lstm_gradient(double *weight_ih, double *weight_hh, double *bias, const double *sum, size_t inputs, size_t hidden) {
  const size_t rows = 4 * hidden;
  for (size_t r = 0; r < rows; r++) {
    for (size_t i = 0; i < inputs; i++)
      weight_ih[r * inputs + i] = sum[i * rows + r];
    for (size_t i = 0; i < hidden; i++)
      weight_hh[r * hidden + i] = sum[(inputs + i) * rows + r];
    bias[r] = sum[(inputs + hidden) * rows + r];
  }
}
