/* SPDX-License-Identifier: BSD-3-Clause */
#include "learn/unroll.h"
#include "core/matrix.h"
#include <math.h>
#include <string.h>

static size_t state_len(const l2o_solver *solver, const l2o_iterate *it) {
  return solver->state_len ? solver->state_len(it) : 0;
}

void l2o_lane_layout(l2o_lane *lane, const l2o_solver *solver, const l2o_train_settings *settings, size_t unroll,
                     l2o_arena *arena) {
  const size_t n = lane->it.n;
  size_t tape = 0, slopes = 0;
  if (__builtin_mul_overflow(unroll, solver->tape_len(&lane->it), &tape) || __builtin_mul_overflow(unroll, n, &slopes))
    arena->overflow = true;
  l2o_iterate_layout(&lane->it, solver, true, arena);
  L2O_TAKE(arena, lane->tape, tape);
  L2O_TAKE(arena, lane->slopes, settings->loss == L2O_LOSS_LAST ? n : slopes);
  L2O_TAKE(arena, lane->dx, n);
  L2O_TAKE(arena, lane->dstate, state_len(solver, &lane->it));
  L2O_TAKE(arena, lane->dg, n);
  L2O_TAKE(arena, lane->hv, n);
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

/* Evaluates, for the lanes that still run, the gradients that are asked for next. */
static void evaluate(l2o_lane *lanes, size_t count, l2o_gradient_at where) {
  l2o_iterate *its[L2O_TOGETHER];
  size_t running = 0;
  for (size_t i = 0; i < count; i++)
    if (!lanes[i].status)
      its[running++] = &lanes[i].it;
  l2o_iterate_together(its, running, where);
}

/* One step of every lane; tape: j-th record, or none. */
static void step(l2o_lane *lanes, size_t count, const l2o_solver *solver, size_t j, bool record) {
  l2o_stop stop = L2O_STOP_NONE;
  evaluate(lanes, count, solver->gradient_at);
  for (size_t i = 0; i < count; i++) {
    l2o_lane *lane = &lanes[i];
    if (lane->status)
      continue;
    lane->it.moved = false;
    lane->status = solver->step(&lane->it, record ? lane->tape + j * solver->tape_len(&lane->it) : NULL, &stop);
    lane->it.k++;
    lane->it.has_ahead = false;
    if (!lane->it.moved)
      l2o_iterate_moved(&lane->it);
  }
}

void l2o_unroll_forward(l2o_lane *lanes, size_t count, const l2o_solver *solver, size_t U) {
  for (size_t j = 0; j < U; j++)
    step(lanes, count, solver, j, false);
  evaluate(lanes, count, L2O_GRADIENT_AT_X);
  for (size_t i = 0; i < count; i++) {
    if (!lanes[i].status)
      lanes[i].status = l2o_iterate_gradient(&lanes[i].it);
    lanes[i].loss = lanes[i].it.f;
  }
}

/* dL/dz of the point z at which a step evaluated its gradient. */
static l2o_real *point_slope(const l2o_lane *lane, const l2o_solver *solver) {
  return solver->gradient_at == L2O_GRADIENT_AT_X ? lane->dx : lane->dstate;
}

/* dz += H dg, g = grad f(z); tapes begin with z. */
static void add_hessian_products(l2o_lane *const *lanes, const l2o_real *const *tapes, size_t count, const l2o_solver *solver) {
  const l2o_problem *problems[L2O_TOGETHER];
  const l2o_real *dg[L2O_TOGETHER];
  l2o_real *hv[L2O_TOGETHER], *work[L2O_TOGETHER];
  for (size_t i = 0; i < count; i++) {
    problems[i] = lanes[i]->it.problem;
    dg[i] = lanes[i]->dg;
    hv[i] = lanes[i]->hv;
    work[i] = lanes[i]->it.work;
  }
  l2o_status status = L2O_OK;
  if (count && lanes[0]->hessian)
    l2o_triangle_products(count, hv, lanes[0]->hessian, dg, lanes[0]->it.n);
  else if (count)
    status = l2o_problem_hessian_vector_many(problems, count, hv, tapes, dg, work);
  for (size_t i = 0; i < count; i++) {
    l2o_real *dz = point_slope(lanes[i], solver);
    lanes[i]->status = status;
    for (size_t k = 0; k < lanes[i]->it.n; k++)
      dz[k] += lanes[i]->hv[k];
  }
}

static void steps_back(l2o_lane *const *lanes, const l2o_real *const *tapes, size_t count, const l2o_solver *solver,
                       l2o_stop_gradient mode) {
  const bool elsewhere = solver->gradient_at == L2O_GRADIENT_ANYWHERE;
  l2o_lane *running[L2O_TOGETHER];
  const l2o_real *at[L2O_TOGETHER];
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    l2o_lane *lane = lanes[i];
    lane->status = solver->step_vjp(&lane->it, lane->dx, lane->dstate, elsewhere ? NULL : lane->dg, lane->sum, tapes[i], mode);
    if (lane->status || elsewhere)
      continue;
    running[left] = lane;
    at[left++] = tapes[i];
  }
  add_hessian_products(running, at, left, solver);
}

l2o_status l2o_step_back(l2o_lane *lane, const l2o_solver *solver, const l2o_real *tape, l2o_stop_gradient mode) {
  steps_back(&lane, &tape, 1, solver, mode);
  return lane->status;
}

void l2o_unroll(l2o_lane *lanes, size_t count, const l2o_solver *solver, const l2o_train_settings *settings, size_t U,
                double factor) {
  const bool every = settings->loss != L2O_LOSS_LAST;
  for (size_t i = 0; i < count; i++)
    lanes[i].loss = 0;
  for (size_t j = 1; j <= U; j++) {
    step(lanes, count, solver, j - 1, true);
    if (!(every || j == U))
      continue;
    evaluate(lanes, count, L2O_GRADIENT_AT_X); /* the next step of many rules starts with it */
    for (size_t i = 0; i < count; i++) {
      l2o_lane *lane = &lanes[i];
      const size_t n = lane->it.n;
      if (lane->status || (lane->status = l2o_iterate_gradient(&lane->it)))
        continue;
      lane->loss += l2o_loss_weight(settings->loss, j, U) * lane->it.f;
      memcpy(lane->slopes + (every ? (j - 1) * n : 0), lane->it.g, n * sizeof *lane->slopes);
    }
  }
  /* back: dx_U = w_U grad f(x_U);  dx_{j-1} = (dx_j/dx_{j-1})' dx_j + w_{j-1} grad f(x_{j-1}) */
  for (size_t i = 0; i < count; i++) {
    memset(lanes[i].dx, 0, lanes[i].it.n * sizeof *lanes[i].dx);
    memset(lanes[i].dstate, 0, state_len(solver, &lanes[i].it) * sizeof *lanes[i].dstate);
  }
  for (size_t j = U; j > 0; j--) {
    const l2o_real weight = (l2o_real)(factor * l2o_loss_weight(settings->loss, j, U));
    l2o_lane *running[L2O_TOGETHER];
    const l2o_real *tapes[L2O_TOGETHER];
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
      l2o_lane *lane = &lanes[i];
      const size_t n = lane->it.n;
      const l2o_real *g = lane->slopes + (every ? (j - 1) * n : 0);
      if (lane->status)
        continue;
      for (size_t k = 0; (every || j == U) && k < n; k++)
        lane->dx[k] += weight * g[k];
      tapes[left] = lane->tape + (j - 1) * solver->tape_len(&lane->it);
      running[left++] = lane;
    }
    steps_back(running, tapes, left, solver, settings->stop_gradient);
  }
}
