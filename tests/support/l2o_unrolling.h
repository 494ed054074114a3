/* SPDX-License-Identifier: BSD-3-Clause */
/* A learned rule without memory unrolled by hand, forward and back, without the trainer: L = 1/U sum_j F(x_j), j = 1 .. U. */
#ifndef L2O_TEST_UNROLLING_H
#define L2O_TEST_UNROLLING_H
#include "l2o_fixtures.h"
#include "nn/model.h"

typedef struct unrolling {
  const l2o_solver *solver;
  const l2o_model *model;
  const l2o_problem *problem;
  const l2o_real *x0;
  double step;
  size_t steps;
  l2o_stop_gradient mode;
} unrolling;

/* F, and grad f plus a subgradient of h. */
static inline double objective_and_slope(const l2o_problem *p, l2o_real *slope, l2o_real *spare, const l2o_real *x) {
  const double f = gradient_at(p, slope, x);
  double h;
  assert_status(l2o_problem_nonsmooth(p, &h, spare, x), L2O_OK, NULL);
  for (size_t i = 0; i < p->n && l2o_problem_is_composite(p); i++)
    slope[i] += spare[i];
  return f + h;
}

/* L. path (U + 1, n), gradient (parameters) and dx0 (n) may be NULL; without a gradient nothing is recorded. */
static inline double unroll(const unrolling *u, l2o_real *path, double *gradient, l2o_real *dx0) {
  const size_t n = u->problem->n, U = u->steps;
  const double options[16] = {0};
  l2o_iterate it = {.problem = u->problem, .model = u->model, .options = options, .n = n, .step = u->step};
  const size_t tape_len = u->solver->tape_len(&it), scratch_len = u->solver->scratch_len(&it);
  l2o_real *tape = malloc((U * tape_len + 1) * sizeof *tape), *slopes = malloc(U * n * sizeof *slopes);
  l2o_real *spare = malloc(n * sizeof *spare), *dx = calloc(n, sizeof *dx);
  double *sum = calloc(u->model->type->sum_len(u->model), sizeof *sum), loss = 0;
  l2o_stop stop = L2O_STOP_NONE;
  it.x = malloc(n * sizeof *it.x);
  it.scratch = malloc((scratch_len + 1) * sizeof *it.scratch);
  memcpy(it.x, u->x0, n * sizeof *it.x);
  for (size_t j = 0; j <= U; j++) {
    if (path)
      memcpy(path + j * n, it.x, n * sizeof *path);
    if (j == U)
      break;
    assert_status(u->solver->step(&it, gradient ? tape + j * tape_len : NULL, &stop), L2O_OK, NULL);
    it.k++;
    loss += objective_and_slope(u->problem, slopes + j * n, spare, it.x) / (double)U;
  }
  it.k = 77; /* the way back does without */
  for (size_t j = U; j > 0 && gradient; j--) {
    for (size_t i = 0; i < n; i++)
      dx[i] += slopes[(j - 1) * n + i] / (l2o_real)U;
    assert_status(u->solver->step_vjp(&it, dx, NULL, NULL, sum, tape + (j - 1) * tape_len, u->mode), L2O_OK, NULL);
  }
  if (gradient)
    u->model->type->gradient(u->model, gradient, sum);
  if (dx0)
    memcpy(dx0, dx, n * sizeof *dx0);
  free(tape), free(slopes), free(spare), free(dx), free(sum), free(it.x), free(it.scratch);
  return loss;
}
#endif
