/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/lstm.h"
#include "core/simd.h"

/* The first `lanes` of a vector; a constant VR where this is called for whole vectors. */
SIMD(vr) load(const l2o_real *p, size_t lanes) {
  return lanes == VR ? vr_load(p) : vr_load_part(p, lanes);
}
SIMD(void) store(l2o_real *p, vr a, size_t lanes) {
  if (lanes == VR)
    vr_store(p, a);
  else
    vr_store_part(p, a, lanes);
}

SIMD(void) cells(l2o_real *h, l2o_real *c, l2o_real *gates, size_t count, size_t lanes) {
  l2o_real *i_at = gates, *f_at = i_at + count, *g_at = f_at + count, *o_at = g_at + count, *c_at = o_at + count;
  const vr before = load(c, lanes);
  const vr i = vr_sigmoid(load(i_at, lanes)), g = vr_tanh_quick(load(g_at, lanes)), f = vr_sigmoid(load(f_at, lanes));
  const vr after = vr_fma(f, before, vr_mul(i, g)); /* c' = f c + i g */
  store(i_at, i, lanes);
  store(f_at, f, lanes);
  store(g_at, g, lanes);
  store(c_at, before, lanes);
  store(c, after, lanes);
  const vr o = vr_sigmoid(load(o_at, lanes)), t = vr_tanh_quick(after);
  store(o_at, o, lanes);
  store(c_at + count, t, lanes);
  store(h, vr_mul(o, t), lanes); /* h' = o tanh(c') */
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
  const vr i = load(gates, lanes), f = load(gates + count, lanes), g = load(gates + 2 * count, lanes);
  const vr o = load(gates + 3 * count, lanes), c = load(gates + 4 * count, lanes), t = load(gates + 5 * count, lanes);
  const vr dh_o = vr_mul(load(dh, lanes), o);
  const vr d = vr_fma(dh_o, vr_fnma(t, t, one), load(dc, lanes));            /* dc' = dc' + dh o (1 - tanh^2) */
  store(da, vr_mul(vr_mul(d, g), vr_mul(i, vr_sub(one, i))), lanes);         /* dc' g i (1 - i) */
  store(da + count, vr_mul(vr_mul(d, c), vr_mul(f, vr_sub(one, f))), lanes); /* dc' c f (1 - f) */
  store(da + 2 * count, vr_mul(vr_mul(d, i), vr_fnma(g, g, one)), lanes);    /* dc' i (1 - g^2) */
  store(da + 3 * count, vr_mul(vr_mul(dh_o, t), vr_sub(one, o)), lanes);     /* dh tanh(c') o (1 - o) */
  store(dc, vr_mul(d, f), lanes);                                            /* dc = dc' f */
}

void L2O_HERE(l2o_lstm_gates_backward)(l2o_real *da, l2o_real *dc, const l2o_real *dh, const l2o_real *gates, size_t count) {
  size_t j = 0;
  for (; j + VR <= count; j += VR)
    cells_backward(da + j, dc + j, dh + j, gates + j, count, VR);
  if (j < count)
    cells_backward(da + j, dc + j, dh + j, gates + j, count, count - j);
}
