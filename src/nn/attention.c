/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/attention.h"
#include "core/linalg.h"
#include "core/pieces.h"
#include "core/transpose.h"
#include <math.h>

/* One factor of every product is transposed: where it does not come so, it is copied so. */
typedef struct room {
  l2o_real *P, *dP, *turned;
} room;

static size_t lay_out(room *r, l2o_real *work, size_t length, size_t size, bool backward) {
  const l2o_piece pieces[] = {{&r->P, length * length}, {&r->turned, size * length}, {&r->dP, backward ? length * length : 0}};
  return L2O_LAY_OUT(work, pieces);
}

size_t l2o_attention_work(size_t length, size_t size) {
  room r;
  return lay_out(&r, NULL, length, size, false);
}

size_t l2o_attention_backward_work(size_t length, size_t size) {
  room r;
  return lay_out(&r, NULL, length, size, true);
}

/* P from q and k */
static void probabilities(l2o_real *P, const l2o_real *q, const l2o_real *k, const l2o_attention *s) {
  l2o_gemm_part(P, s->length, false, q, s->stride, false, k, s->kv_stride, true, s->length, s->length, s->size);
  l2o_causal_softmax_forward(P, 1 / sqrt((double)s->size), s->length);
}

/* C = A B for A (length, length), B (length, size) */
static void multiply(l2o_real *C, size_t ldc, const l2o_real *A, const l2o_real *B, l2o_real *turned, const l2o_attention *s) {
  l2o_transpose(turned, s->length, B, s->kv_stride, s->length, s->size);
  l2o_gemm_part(C, ldc, false, A, s->length, false, turned, s->length, true, s->length, s->size, s->length);
}

void l2o_attention_forward(l2o_real *o, const l2o_real *q, const l2o_real *k, const l2o_real *v, const l2o_attention *shape,
                           l2o_real *work) {
  room r;
  lay_out(&r, work, shape->length, shape->size, false);
  probabilities(r.P, q, k, shape);
  multiply(o, shape->stride, r.P, v, r.turned, shape); /* o = P v */
}

void l2o_attention_backward(l2o_real *dq, l2o_real *dk, l2o_real *dv, const l2o_real *dout, const l2o_real *q, const l2o_real *k,
                            const l2o_real *v, const l2o_attention *shape, l2o_real *work) {
  const l2o_attention *s = shape;
  room r;
  lay_out(&r, work, s->length, s->size, true);
  probabilities(r.P, q, k, s);
  /* o = P v:  dv += P' do,  dP = do v' */
  l2o_gemm_part(dv, s->kv_stride, true, r.P, s->length, true, dout, s->stride, false, s->length, s->size, s->length);
  l2o_gemm_part(r.dP, s->length, false, dout, s->stride, false, v, s->kv_stride, true, s->length, s->length, s->size);
  l2o_causal_softmax_backward(r.dP, r.P, 1 / sqrt((double)s->size), s->length);
  /* scores S = q k':  dk += dS' q,  dq = dS k */
  l2o_gemm_part(dk, s->kv_stride, true, r.dP, s->length, true, q, s->stride, false, s->length, s->size, s->length);
  multiply(dq, s->stride, r.dP, k, r.turned, s);
}
