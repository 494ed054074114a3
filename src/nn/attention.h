/* SPDX-License-Identifier: BSD-3-Clause */
/* Causal attention of one head (Vaswani et al., 2017) on one sequence of `length` rows:
 *
 *   P_i = softmax over j <= i of q_i'k_j / sqrt(size),   o = P v
 *
 * q, k, v, o (length, size) are columns of larger matrices, with `stride` or `kv_stride` reals from row to row. The scores of the
 * head, (length, length), are whole, those of other heads and sequences are not there at the same time.
 * docs/derivations/transformer.md */
#ifndef L2O_NN_ATTENTION_H
#define L2O_NN_ATTENTION_H
#include "core/vector.h"

typedef struct l2o_attention {
  size_t length, size, stride, kv_stride;
} l2o_attention;

/* o may be q. work: l2o_attention_work(length, size). */
void l2o_attention_forward(l2o_real *o, const l2o_real *q, const l2o_real *k, const l2o_real *v, const l2o_attention *shape,
                           l2o_real *work);
/* dq = ..., which may be dout; dk += ..., dv += ..., which other heads share. work: l2o_attention_backward_work(length, size). */
void l2o_attention_backward(l2o_real *dq, l2o_real *dk, l2o_real *dv, const l2o_real *dout, const l2o_real *q, const l2o_real *k,
                            const l2o_real *v, const l2o_attention *shape, l2o_real *work);
size_t l2o_attention_work(size_t length, size_t size);
size_t l2o_attention_backward_work(size_t length, size_t size);

/* S (n, n) = its softmax over the columns j <= i of row i of scale S, and 0 in the others. */
L2O_KERNEL(void, l2o_causal_softmax_forward, (l2o_real * S, double scale, size_t n));
static inline void l2o_causal_softmax_forward(l2o_real *S, double scale, size_t n) {
  L2O_DISPATCH(l2o_causal_softmax_forward, (S, scale, n));
}
/* dP (n, n), in place, = scale P o (dP - the sum over the row of P o dP): the gradient of the scores. */
L2O_KERNEL(void, l2o_causal_softmax_backward, (l2o_real * dP, const l2o_real *P, double scale, size_t n));
static inline void l2o_causal_softmax_backward(l2o_real *dP, const l2o_real *P, double scale, size_t n) {
  L2O_DISPATCH(l2o_causal_softmax_backward, (dP, P, scale, n));
}
#endif
