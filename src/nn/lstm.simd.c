/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/lstm.h"
#include "core/simd.h"

SIMD(void) cells(l2o_real *h, l2o_real *c, l2o_real *gates, size_t count, size_t lanes) {
  l2o_real *i_at = gates, *f_at = i_at + count, *g_at = f_at + count, *o_at = g_at + count, *c_at = o_at + count;
  const vr before = vr_load_some(c, lanes);
  const vr i = vr_sigmoid(vr_load_some(i_at, lanes)), g = vr_tanh_quick(vr_load_some(g_at, lanes)),
           f = vr_sigmoid(vr_load_some(f_at, lanes));
  const vr after = vr_fma(f, before, vr_mul(i, g)); /* c' = f c + i g */
  vr_store_some(i_at, i, lanes);
  vr_store_some(f_at, f, lanes);
  vr_store_some(g_at, g, lanes);
  vr_store_some(c_at, before, lanes);
  vr_store_some(c, after, lanes);
  const vr o = vr_sigmoid(vr_load_some(o_at, lanes)), t = vr_tanh_quick(after);
  vr_store_some(o_at, o, lanes);
  vr_store_some(c_at + count, t, lanes);
  vr_store_some(h, vr_mul(o, t), lanes); /* h' = o tanh(c') */
}

void L2O_HERE(l2o_lstm_gates)(l2o_real *h, l2o_real *c, l2o_real *gates, size_t count) {
  size_t j = 0;
  for (; j + VR <= count; j += VR)
    cells(h + j, c + j, gates + j, count, VR);
  if (j < count)
    cells(h + j, c + j, gates + j, count, count - j);
}

SIMD(void) cells_backward(l2o_real *da, l2o_real *dc, const l2o_real *dh, const l2o_real *gates, size_t count, size_t lanes) {
  const vr one = vr_set(1);
  const vr i = vr_load_some(gates, lanes), f = vr_load_some(gates + count, lanes), g = vr_load_some(gates + 2 * count, lanes);
  const vr o = vr_load_some(gates + 3 * count, lanes), c = vr_load_some(gates + 4 * count, lanes),
           t = vr_load_some(gates + 5 * count, lanes);
  const vr dh_o = vr_mul(vr_load_some(dh, lanes), o);
  const vr d = vr_fma(dh_o, vr_fnma(t, t, one), vr_load_some(dc, lanes));            /* dc' = dc' + dh o (1 - tanh^2) */
  vr_store_some(da, vr_mul(vr_mul(d, g), vr_mul(i, vr_sub(one, i))), lanes);         /* dc' g i (1 - i) */
  vr_store_some(da + count, vr_mul(vr_mul(d, c), vr_mul(f, vr_sub(one, f))), lanes); /* dc' c f (1 - f) */
  vr_store_some(da + 2 * count, vr_mul(vr_mul(d, i), vr_fnma(g, g, one)), lanes);    /* dc' i (1 - g^2) */
  vr_store_some(da + 3 * count, vr_mul(vr_mul(dh_o, t), vr_sub(one, o)), lanes);     /* dh tanh(c') o (1 - o) */
  vr_store_some(dc, vr_mul(d, f), lanes);                                            /* dc = dc' f */
}

void L2O_HERE(l2o_lstm_gates_backward)(l2o_real *da, l2o_real *dc, const l2o_real *dh, const l2o_real *gates, size_t count) {
  size_t j = 0;
  for (; j + VR <= count; j += VR)
    cells_backward(da + j, dc + j, dh + j, gates + j, count, VR);
  if (j < count)
    cells_backward(da + j, dc + j, dh + j, gates + j, count, count - j);
}
