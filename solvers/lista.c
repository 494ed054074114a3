/* SPDX-License-Identifier: BSD-3-Clause */
/* LISTA (Gregor, LeCun, ICML 2010): iteration k is layer min(k, K - 1),
 *   x <- soft(s We y + (I - s S) x, s theta),   s = step_scale / L.
 * With We = A', S = A'A and theta = l1, where training begins, it is ista with step s. docs/derivations/lista.md derives the way
 * back of this and its kin. */
#include "core/linalg.h"
#include "unrolled.h"
#include <string.h>

static const l2o_option options[] = {L2O_LEARNED_STEP_OPTIONS("ista"), L2O_UNROLLED_MATRIX_OPTION, {0}};

/* scratch: S x - We y (n) */
static size_t scratch_len(const l2o_iterate *it) {
  return it->n;
}
/* tape: x (n), marks (n), k */
static size_t tape_len(const l2o_iterate *it) {
  return 2 * it->n + 1;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const l2o_unrolled *u = l2o_unrolled_of(it->model);
  const l2o_unrolled_layer layer = l2o_unrolled_at(u, it->k);
  const size_t m = u->m, n = it->n;
  const l2o_real s = (l2o_real)it->step;
  l2o_real *q = it->scratch;
  l2o_unrolled_count(it);
  if (tape) {
    memcpy(tape, it->x, n * sizeof *tape);
    tape[2 * n] = (l2o_real)(it->k < u->layers ? it->k : u->layers - 1);
  }
  l2o_gemv(q, layer.second, it->x, n, n);
  l2o_gemv_add(q, -1, layer.first, l2o_squares_of(it->problem)->vector, n, m);
  for (size_t i = 0; i < n; i++)
    it->x[i] -= s * q[i];
  l2o_shrink(it->x, tape ? tape + n : NULL, it->step * (double)*layer.theta, 0, NULL, n);
  return L2O_OK;
}

/* v = x - s (S x - We y):  dWe = s dv y',  dS = -s dv x',  dx = dv - s S'dv;  the threshold is s theta */
static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  (void)dstate, (void)dg;
  const l2o_unrolled *u = l2o_unrolled_of(it->model);
  const size_t m = u->m, n = it->n;
  const l2o_unrolled_layer layer = l2o_unrolled_at(u, (size_t)tape[2 * n]);
  l2o_real *dv = it->scratch;
  *l2o_unrolled_sum(it, dsum, layer.theta) += it->step * l2o_shrink_vjp(dx, tape + n, n);
  memcpy(dv, dx, n * sizeof *dv);
  l2o_add_outer(l2o_unrolled_sum(it, dsum, layer.first), it->step, dv, n, l2o_squares_of(it->problem)->vector, m);
  l2o_add_outer(l2o_unrolled_sum(it, dsum, layer.second), -it->step, dv, n, tape, n);
  if (mode != L2O_STOP_GRADIENT_DIRECTION)
    l2o_gemv_t_add(dx, -(l2o_real)it->step, layer.second, dv, n, n);
  return L2O_OK;
}

const l2o_solver l2o_lista = {
    L2O_UNROLLED_RULE,
    .name = "lista",
    .meaning = "learned iterative shrinkage, for one matrix",
    .options = options,
    .scratch_len = scratch_len,
    .step = step,
    .model_kind = "lista",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
};
