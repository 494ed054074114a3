/* SPDX-License-Identifier: BSD-3-Clause */
#include "learn/unroll.h"
#include <math.h>
#include <string.h>

void l2o_worker_layout(l2o_worker *w, const l2o_solver *solver, const l2o_train_settings *settings, size_t unroll,
                       l2o_arena *arena) {
  size_t n = w->it.n, tape = 0, slopes = 0;
  if (__builtin_mul_overflow(unroll, solver->tape_len(&w->it), &tape) || __builtin_mul_overflow(unroll, n, &slopes))
    arena->overflow = true;
  l2o_iterate_layout(&w->it, solver, true, arena);
  L2O_TAKE(arena, w->tape, tape);
  L2O_TAKE(arena, w->slopes, settings->loss == L2O_LOSS_LAST ? n : slopes);
  L2O_TAKE(arena, w->dx, n);
  L2O_TAKE(arena, w->dstate, solver->state_len ? solver->state_len(&w->it) : 0);
}

double l2o_loss_weight(l2o_loss loss, size_t j, size_t U) {
  switch (loss) {
  case L2O_LOSS_LAST:
    return j == U ? 1 : 0;
  case L2O_LOSS_MEAN:
    return 1 / (double)U;
  default:
    return (double)j / (0.5 * (double)U * (double)(U + 1));
  }
}

l2o_status l2o_unroll(l2o_worker *w, double *loss, double *sum, const l2o_solver *solver, const l2o_train_settings *settings,
                      size_t U, double factor) {
  l2o_iterate *it = &w->it;
  const size_t n = it->n, tape_len = solver->tape_len(it);
  const bool every = settings->loss != L2O_LOSS_LAST;
  l2o_stop stop = L2O_STOP_NONE;
  l2o_status status = L2O_OK;
  *loss = 0;
  for (size_t j = 1; j <= U && !status; j++) {
    it->moved = false;
    status = solver->step(it, w->tape + (j - 1) * tape_len, &stop);
    it->k++;
    if (!it->moved)
      l2o_iterate_moved(it);
    if (status || !(every || j == U))
      continue;
    status = l2o_iterate_gradient(it); /* the next step starts with it */
    *loss += l2o_loss_weight(settings->loss, j, U) * it->f;
    memcpy(w->slopes + (every ? (j - 1) * n : 0), it->g, n * sizeof *it->g);
  }
  if (status || !sum)
    return status;
  /* back: dx_U = w_U grad f(x_U);  dx_{j-1} = (dx_j/dx_{j-1})' dx_j + w_{j-1} grad f(x_{j-1}) */
  memset(w->dx, 0, n * sizeof *w->dx);
  memset(w->dstate, 0, (solver->state_len ? solver->state_len(it) : 0) * sizeof *w->dstate);
  for (size_t j = U; j > 0 && !status; j--) {
    if (every || j == U) {
      const l2o_real weight = (l2o_real)(factor * l2o_loss_weight(settings->loss, j, U)),
                     *g = w->slopes + (every ? (j - 1) * n : 0);
      for (size_t i = 0; i < n; i++)
        w->dx[i] += weight * g[i];
    }
    status = solver->step_vjp(it, w->dx, w->dstate, sum, w->tape + (j - 1) * tape_len, settings->stop_gradient);
  }
  return status;
}
