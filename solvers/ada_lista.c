/* SPDX-License-Identifier: BSD-3-Clause */
/* Ada-LISTA (Aberdam, Golts, Elad, arXiv 2001.08456), for every matrix A of m rows: iteration k is layer min(k, K - 1),
 *   x <- soft(x + gamma_k A'(W2 y - W1'W1 A x), theta_k).
 * With W1 = W2 = I, gamma = s and theta = s l1 it is ista with step s. */
#include "core/linalg.h"
#include "unrolled.h"

static const l2o_option options[] = {L2O_UNROLLED_GUARD_OPTIONS, L2O_UNROLLED_MATRIX_OPTION, {0}};

/* scratch: A x, W1 A x, z (m each); A'z (n) */
static size_t scratch_len(const l2o_iterate *it) {
  return 3 * l2o_unrolled_of(it->model)->m + it->n;
}
/* tape: A x, W1 A x, z = W2 y - W1'W1 A x (m each), marks (n), k */
static size_t tape_len(const l2o_iterate *it) {
  return 3 * l2o_unrolled_of(it->model)->m + it->n + 1;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const l2o_unrolled *u = l2o_unrolled_of(it->model);
  const l2o_unrolled_layer layer = l2o_unrolled_at(u, it->k);
  const l2o_instance *d = l2o_squares_of(it->problem);
  const size_t m = u->m, n = it->n;
  l2o_real *q = tape ? tape : it->scratch, *w = q + m, *z = w + m, *step = it->scratch + 3 * m;
  l2o_unrolled_count(it);
  l2o_gemv(q, d->matrix, it->x, m, n);
  l2o_gemv(w, layer.first, q, m, m);
  l2o_gemv(z, layer.second, d->vector, m, m);
  l2o_gemv_t_add(z, -1, layer.first, w, m, m);
  l2o_gemv_t(step, d->matrix, z, m, n);
  for (size_t i = 0; i < n; i++)
    it->x[i] += *layer.gamma * step[i];
  l2o_shrink(it->x, tape ? tape + 3 * m : NULL, (double)*layer.theta, 0, NULL, n);
  if (tape)
    tape[3 * m + n] = (l2o_real)(it->k < u->layers ? it->k : u->layers - 1);
  return L2O_OK;
}

static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  (void)dstate, (void)dg;
  const l2o_unrolled *u = l2o_unrolled_of(it->model);
  const l2o_instance *d = l2o_squares_of(it->problem);
  const size_t m = u->m, n = it->n;
  const l2o_real *q = tape, *w = q + m, *z = w + m;
  const l2o_unrolled_layer layer = l2o_unrolled_at(u, (size_t)tape[3 * m + n]);
  l2o_real *dz = it->scratch, *dw = dz + m, *dq = dw + m;
  *l2o_unrolled_sum(it, dsum, layer.theta) += l2o_shrink_vjp(dx, z + m, n); /* dx is dv from here on */
  l2o_gemv(dz, d->matrix, dx, m, n);                                        /* A dv:  dgamma = z'A dv,  dz = gamma A dv */
  *l2o_unrolled_sum(it, dsum, layer.gamma) += l2o_dot(z, dz, m);
  for (size_t i = 0; i < m; i++)
    dz[i] *= *layer.gamma;
  /* z = W2 y - W1'w, w = W1 q, q = A x:  dW2 = dz y',  dw = -W1 dz,  dW1 = -w dz' + dw q',  dq = W1'dw */
  double *dW1 = l2o_unrolled_sum(it, dsum, layer.first);
  l2o_add_outer(l2o_unrolled_sum(it, dsum, layer.second), 1, dz, m, d->vector, m);
  l2o_add_outer(dW1, -1, w, m, dz, m);
  l2o_gemv(dw, layer.first, dz, m, m);
  l2o_add_outer(dW1, -1, dw, m, q, m);
  if (mode == L2O_STOP_GRADIENT_DIRECTION)
    return L2O_OK;
  l2o_gemv_t(dq, layer.first, dw, m, m);
  l2o_gemv_t_add(dx, -1, d->matrix, dq, m, n);
  return L2O_OK;
}

const l2o_solver l2o_ada_lista = {
    L2O_UNROLLED_RULE,         .name = "ada-lista",        .meaning = "learned shrinkage for every matrix of as many rows",
    .options = options,        .scratch_len = scratch_len, .step = step,
    .model_kind = "ada-lista", .tape_len = tape_len,       .step_vjp = step_vjp,
};
