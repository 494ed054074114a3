/* SPDX-License-Identifier: BSD-3-Clause */
#include "learn/unroll.h"
#include "core/linalg.h"
#include "core/matrix.h"
#include <math.h>
#include <string.h>

/* What a loss divides by, or takes the logarithm of, at least. */
static const double LEAST_DECREASE = 1e-14, LEAST_GAP = 1e-10, LEAST_NORM = 1e-14;

static size_t state_len(const l2o_solver *solver, const l2o_iterate *it) {
  return solver->state_len ? solver->state_len(it) : 0;
}

/* Does the loss look at x_U alone? */
static bool looks_at_the_last(l2o_loss loss) {
  return loss == L2O_LOSS_LAST || loss == L2O_LOSS_SOLUTION;
}

void l2o_lane_layout(l2o_lane *lane, const l2o_solver *solver, const l2o_train_settings *settings, size_t unroll,
                     l2o_arena *arena) {
  const size_t n = lane->it.n;
  size_t tape = 0, slopes = 0;
  if (__builtin_mul_overflow(unroll, solver->tape_len(&lane->it), &tape) || __builtin_mul_overflow(unroll, n, &slopes))
    arena->overflow = true;
  const bool every = !looks_at_the_last(settings->loss);
  l2o_iterate_layout(&lane->it, solver, true, arena);
  lane->state = lane->it.state;
  L2O_TAKE(arena, lane->tape, tape);
  L2O_TAKE(arena, lane->slopes, every ? slopes : n);
  L2O_TAKE(arena, lane->weights, every ? unroll : 1);
  L2O_TAKE(arena, lane->dx, n);
  L2O_TAKE(arena, lane->dstate, state_len(solver, &lane->it));
  L2O_TAKE(arena, lane->dg, n);
  L2O_TAKE(arena, lane->hv, n);
}

double l2o_loss_weight(l2o_loss loss, size_t j, size_t U) {
  switch (loss) {
  case L2O_LOSS_LAST:
  case L2O_LOSS_SOLUTION:
    return j == U ? 1 : 0;
  case L2O_LOSS_WEIGHTED:
    return (double)j / (0.5 * (double)U * (double)(U + 1));
  default:
    return 1 / (double)U;
  }
}

/* Evaluates, for the lanes that still run, the gradients that are asked for next. */
static void evaluate(l2o_lane *lanes, size_t count, l2o_gradient_at where) {
  l2o_iterate *its[L2O_TOGETHER];
  size_t running = 0;
  for (size_t i = 0; i < count; i++)
    if (!lanes[i].status)
      its[running++] = &lanes[i].it;
  if (running)
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

/* f and g of every lane where it stands: the next step of many rules starts with them. */
static void look(l2o_lane *lanes, size_t count) {
  evaluate(lanes, count, L2O_GRADIENT_AT_X);
  for (size_t i = 0; i < count; i++)
    if (!lanes[i].status)
      lanes[i].status = l2o_iterate_gradient(&lanes[i].it);
}

/* Adds h to f, the smooth part, where the rule takes the prox itself and so sees that part alone; and a subgradient of h to `slope`
 * unless that is NULL. */
static double objective(l2o_lane *lane, l2o_real *slope) {
  const l2o_iterate *it = &lane->it;
  double h;
  if (it->subgradient || !l2o_problem_is_composite(it->problem))
    return it->f;
  lane->status = l2o_problem_nonsmooth(it->problem, &h, slope ? lane->hv : NULL, it->x);
  for (size_t i = 0; slope && !lane->status && i < it->n; i++)
    slope[i] += lane->hv[i];
  return it->f + h;
}

/* r = x - q(x - s grad f(x)), q the prox of s h, s the base step or 1, of composite problems, and its norm. The point that q is
 * taken of stays in dg, and s in hv. */
static double natural_residual(l2o_lane *lane, l2o_real *r) {
  const l2o_iterate *it = &lane->it;
  const l2o_real s = it->step > 0 ? (l2o_real)it->step : 1;
  l2o_real *point = lane->dg, *tau = lane->hv;
  double h;
  memset(tau, 0, it->n * sizeof *tau);
  if (it->subgradient) /* g has one of h in it */
    lane->status = l2o_problem_nonsmooth(it->problem, &h, tau, it->x);
  for (size_t i = 0; i < it->n; i++) {
    point[i] = it->x[i] - s * (it->g[i] - tau[i]);
    tau[i] = s;
  }
  if (!lane->status)
    lane->status = l2o_problem_prox(it->problem, r, point, tau, it->work);
  for (size_t i = 0; i < it->n; i++)
    r[i] = it->x[i] - r[i];
  return l2o_norm(r, it->n);
}

/* From the minimum: the gap where the loss knows it, else what vanishes there. */
static double distance(l2o_lane *lane, l2o_loss loss) {
  if (loss == L2O_LOSS_LOG_GAP)
    return fmax(objective(lane, NULL) - lane->minimum, 0);
  return l2o_problem_is_composite(lane->it.problem) ? natural_residual(lane, lane->dx) : l2o_norm(lane->it.g, lane->it.n);
}

/* |x - x*|^2, and x - x* unless that is NULL. */
static double off_solution(const l2o_lane *lane, l2o_real *difference) {
  double squares = 0;
  for (size_t i = 0; i < lane->it.n; i++) {
    const double d = (double)lane->it.x[i] - (double)lane->solution[i];
    squares += d * d;
    if (difference)
      difference[i] = (l2o_real)d;
  }
  return squares;
}

void l2o_unroll_forward(l2o_lane *lanes, size_t count, const l2o_solver *solver, l2o_loss loss, size_t U) {
  const bool every = loss == L2O_LOSS_DECREASE || loss == L2O_LOSS_LOG_GAP || loss == L2O_LOSS_LOG_GRADIENT;
  double start[L2O_TOGETHER];
  if (every)
    look(lanes, count);
  for (size_t i = 0; i < count; i++) {
    lanes[i].loss = 0;
    start[i] = every ? distance(&lanes[i], loss) : loss == L2O_LOSS_SOLUTION ? off_solution(&lanes[i], NULL) : 1;
  }
  for (size_t j = 1; j <= U; j++) {
    step(lanes, count, solver, j - 1, false);
    if (every || j == U)
      look(lanes, count);
    for (size_t i = 0; i < count; i++) {
      l2o_lane *lane = &lanes[i];
      if (lane->status)
        continue;
      if (every) /* a start that is the minimum, 0 / 0, counts as done: fmax() takes the number */
        lane->loss += log(fmax(distance(lane, loss) / start[i], LEAST_NORM)) / (double)U;
      else if (j == U && loss == L2O_LOSS_SOLUTION)
        lane->loss = fmax(off_solution(lane, NULL) / start[i], 0);
      else if (j == U)
        lane->loss = objective(lane, NULL);
    }
  }
}

/* dL/dz of the point z at which a step evaluated its gradient. */
static l2o_real *point_slope(const l2o_lane *lane, const l2o_solver *solver) {
  return solver->gradient_at == L2O_GRADIENT_AT_X ? lane->dx : lane->dstate;
}

/* hv[i] = (Hessian at z[i]) v[i] */
static l2o_status multiply(l2o_lane *const *lanes, size_t count, l2o_real *const *hv, const l2o_real *const *z,
                           const l2o_real *const *v) {
  const l2o_problem *problems[L2O_TOGETHER];
  l2o_real *work[L2O_TOGETHER];
  if (lanes[0]->hessian) {
    l2o_triangle_products(count, hv, lanes[0]->hessian, v, lanes[0]->it.n);
    return L2O_OK;
  }
  for (size_t i = 0; i < count; i++) {
    problems[i] = lanes[i]->it.problem;
    work[i] = lanes[i]->it.work;
  }
  return l2o_problem_hessian_vector_many(problems, count, hv, z, v, work);
}

/* dz += H dg, g = grad f(z); tapes begin with z. */
static void add_hessian_products(l2o_lane *const *lanes, const l2o_real *const *tapes, size_t count, const l2o_solver *solver) {
  const l2o_real *dg[L2O_TOGETHER] = {NULL};
  l2o_real *hv[L2O_TOGETHER] = {NULL};
  for (size_t i = 0; i < count; i++) {
    dg[i] = lanes[i]->dg;
    hv[i] = lanes[i]->hv;
  }
  const l2o_status status = multiply(lanes, count, hv, tapes, dg);
  for (size_t i = 0; i < count; i++) {
    l2o_real *dz = point_slope(lanes[i], solver);
    lanes[i]->status = status;
    for (size_t k = 0; k < lanes[i]->it.n; k++)
      dz[k] += lanes[i]->hv[k];
  }
}

/* Of several lanes; `begins`: the steps are the first of their segment, and nobody asks for dL/dx before them. */
static void steps_back(l2o_lane *const *lanes, const l2o_real *const *tapes, size_t count, const l2o_solver *solver,
                       l2o_stop_gradient mode, bool begins) {
  const bool elsewhere = solver->gradient_at == L2O_GRADIENT_ANYWHERE;
  l2o_lane *running[L2O_TOGETHER];
  const l2o_real *at[L2O_TOGETHER];
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    l2o_lane *lane = lanes[i];
    lane->status = solver->step_vjp(&lane->it, lane->dx, lane->dstate, elsewhere ? NULL : lane->dg, lane->sum, tapes[i], mode);
    if (lane->status || elsewhere || begins || mode == L2O_STOP_GRADIENT_DIRECTION)
      continue;
    running[left] = lane;
    at[left++] = tapes[i];
  }
  if (left)
    add_hessian_products(running, at, left, solver);
}

l2o_status l2o_step_back(l2o_lane *lane, const l2o_solver *solver, const l2o_real *tape, l2o_stop_gradient mode) {
  steps_back(&lane, &tape, 1, solver, mode, false);
  return lane->status;
}

/* The j-th term of the loss, from the objective and g at x_j, into the lane's loss; weights and slopes of its derivative.
 * before: f_{j-1}. */
static void add_term(l2o_lane *lane, l2o_loss loss, size_t j, size_t U, double before) {
  const l2o_iterate *it = &lane->it;
  const size_t row = looks_at_the_last(loss) ? 0 : j - 1;
  const double share = l2o_loss_weight(loss, j, U);
  l2o_real *direction = lane->slopes + row * it->n;
  if (loss == L2O_LOSS_SOLUTION) {
    lane->loss += 0.5 * off_solution(lane, direction);
    lane->weights[row] = share;
    return;
  }
  memcpy(direction, it->g, it->n * sizeof *direction);
  const double f = objective(lane, direction);
  double term = f, slope = 1; /* dterm/df, or with log-gradient dterm/d(|g|^2 / 2) */
  if (loss == L2O_LOSS_DECREASE) {
    const double promise = fmax(-it->slope, LEAST_DECREASE);
    term = (f - before) / promise;
    slope = 1 / promise;
  } else if (loss == L2O_LOSS_LOG_GAP) {
    const double gap = f - lane->minimum;
    term = log(fmax(gap, LEAST_GAP));
    slope = gap > LEAST_GAP ? 1 / gap : 0;
  } else if (loss == L2O_LOSS_LOG_GRADIENT) { /* direction: r or g, which turn_slopes() makes the derivative of */
    const bool composite = l2o_problem_is_composite(it->problem);
    const double norm = composite ? natural_residual(lane, direction) : l2o_norm(it->g, it->n);
    term = log(fmax(norm, LEAST_NORM));
    slope = norm > LEAST_NORM ? 1 / (norm * norm) : 0;
  }
  lane->loss += share * term;
  lane->weights[row] = share * slope;
}

/* What H is multiplied by in the derivative of |r|^2 / 2, r = x - q(x - s g):  v - w + s H w with v = r, w = q'r. */
static l2o_real *through_prox(l2o_lane *lane, const l2o_real *r) {
  const l2o_iterate *it = &lane->it;
  l2o_real *w = lane->dx;
  memset(w, 0, it->n * sizeof *w);
  lane->status = l2o_problem_prox_vjp(it->problem, w, NULL, lane->dg, lane->hv, r, it->work);
  return w;
}

/* d(|g|^2 / 2)/dx = H g in place of g, at x_j; of composite problems that of |r|^2 / 2 in place of r. */
static void turn_slopes(l2o_lane *lanes, size_t count, size_t j) {
  l2o_lane *running[L2O_TOGETHER];
  l2o_real *hv[L2O_TOGETHER];
  const l2o_real *x[L2O_TOGETHER], *g[L2O_TOGETHER];
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    l2o_lane *lane = &lanes[i];
    if (lane->status)
      continue;
    l2o_real *slope = lane->slopes + (j - 1) * lane->it.n;
    const bool composite = l2o_problem_is_composite(lane->it.problem);
    g[left] = composite ? through_prox(lane, slope) : lane->it.g;
    hv[left] = composite ? lane->hv : slope;
    x[left] = lane->it.x;
    if (!lane->status)
      running[left++] = lane;
  }
  const l2o_status status = left ? multiply(running, left, hv, x, g) : L2O_OK;
  for (size_t i = 0; i < left; i++) {
    const l2o_iterate *it = &running[i]->it;
    const l2o_real s = it->step > 0 ? (l2o_real)it->step : 1;
    l2o_real *slope = running[i]->slopes + (j - 1) * it->n;
    running[i]->status = status;
    for (size_t k = 0; hv[i] != slope && k < it->n; k++)
      slope[k] += s * hv[i][k] - g[i][k];
  }
}

void l2o_unroll(l2o_lane *lanes, size_t count, const l2o_solver *solver, const l2o_train_settings *settings, size_t U, size_t from,
                double factor) {
  const l2o_loss loss = settings->loss;
  const bool every = !looks_at_the_last(loss);
  const double deviation_weight = settings->regularisation / (double)U;
  /* A lone step starts from constants, and so is its direction. (`none` goes further: it differentiates how factors are held back.)
   */
  const l2o_stop_gradient mode =
      U - from == 1 && settings->stop_gradient != L2O_STOP_GRADIENT_NONE ? L2O_STOP_GRADIENT_DIRECTION : settings->stop_gradient;
  double before[L2O_TOGETHER];
  if (loss == L2O_LOSS_DECREASE)
    look(lanes, count);
  for (size_t i = 0; i < count; i++)
    lanes[i].loss = 0;
  for (size_t j = 1; j <= U; j++) {
    for (size_t i = 0; i < count; i++)
      before[i] = lanes[i].it.f;
    step(lanes, count, solver, j - 1, true);
    for (size_t i = 0; settings->regularisation > 0 && i < count; i++)
      lanes[i].loss += deviation_weight * lanes[i].it.deviation;
    if (!(every || j == U))
      continue;
    look(lanes, count);
    for (size_t i = 0; i < count; i++)
      if (!lanes[i].status)
        add_term(&lanes[i], loss, j, U, before[i]);
    if (loss == L2O_LOSS_LOG_GRADIENT)
      turn_slopes(lanes, count, j);
  }
  /* back: dx_U = w_U s_U;  dx_{j-1} = (dx_j/dx_{j-1})' dx_j + w_{j-1} s_{j-1}, the weights and slopes of add_term() */
  for (size_t i = 0; i < count; i++) {
    lanes[i].it.deviation_weight = factor * deviation_weight;
    memset(lanes[i].dx, 0, lanes[i].it.n * sizeof *lanes[i].dx);
    memset(lanes[i].dstate, 0, state_len(solver, &lanes[i].it) * sizeof *lanes[i].dstate);
  }
  for (size_t j = U; j > from; j--) {
    l2o_lane *running[L2O_TOGETHER];
    const l2o_real *tapes[L2O_TOGETHER];
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
      l2o_lane *lane = &lanes[i];
      const size_t n = lane->it.n, row = every ? j - 1 : 0;
      if (lane->status)
        continue;
      const l2o_real weight = (l2o_real)(factor * lane->weights[row]), *slope = lane->slopes + row * n;
      for (size_t k = 0; (every || j == U) && k < n; k++)
        lane->dx[k] += weight * slope[k];
      tapes[left] = lane->tape + (j - 1) * solver->tape_len(&lane->it);
      running[left++] = lane;
    }
    steps_back(running, tapes, left, solver, mode, j == from + 1);
  }
}
