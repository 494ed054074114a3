/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/lstm.h"
#include "core/linalg.h"
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

void l2o_lstm_forward(const l2o_lstm *layer, l2o_real *h, l2o_real *c, l2o_real *tape, const l2o_real *x, size_t n) {
  const size_t I = layer->inputs, H = layer->hidden, K = rows_of(I, H);
  l2o_real *z = tape, *gates = tape + K * n;
  memcpy(z, x, I * n * sizeof *z);
  memcpy(z + I * n, h, H * n * sizeof *z);
  for (size_t j = 0; j < n; j++)
    z[(I + H) * n + j] = 1;
  memcpy(gates + 4 * H * n, c, H * n * sizeof *c);
  l2o_lstm_step(h, c, gates, layer->packed, z, I + H, H, n);
}

/* dL/da (4H, n), then dL/d(Wih, Whh, b) of these coordinates (4H, I + H + 1) */
size_t l2o_lstm_work_len(const l2o_lstm *layer, size_t n) {
  return 4 * layer->hidden * (n + rows_of(layer->inputs, layer->hidden));
}

size_t l2o_lstm_sum_len(size_t inputs, size_t hidden) {
  return 4 * hidden * rows_of(inputs, hidden);
}

void l2o_lstm_backward(const l2o_lstm *layer, double *sum, l2o_real *dx, l2o_real *dh, l2o_real *dc, const l2o_real *tape,
                       l2o_real *work, size_t n) {
  const size_t I = layer->inputs, H = layer->hidden, K = rows_of(I, H);
  const l2o_real *z = tape, *gates = tape + K * n;
  l2o_real *da = work, *dw = work + 4 * H * n;
  l2o_lstm_gates_backward(da, dc, dh, gates, H * n);
  l2o_gemm(dw, da, false, z, true, 4 * H, K, n);
  for (size_t i = 0; i < 4 * H * K; i++)
    sum[i] += (double)dw[i];
  l2o_gemm(dh, layer->weight_hh, true, da, false, H, n, 4 * H);
  if (dx)
    l2o_gemm_add(dx, layer->weight_ih, true, da, false, I, n, 4 * H);
}

void l2o_lstm_gradient(double *weight_ih, double *weight_hh, double *bias, const double *sum, size_t inputs, size_t hidden) {
  for (size_t r = 0; r < 4 * hidden; r++, sum += rows_of(inputs, hidden)) {
    memcpy(weight_ih + r * inputs, sum, inputs * sizeof *sum);
    memcpy(weight_hh + r * hidden, sum + inputs, hidden * sizeof *sum);
    bias[r] = sum[inputs + hidden];
  }
}
