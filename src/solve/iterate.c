/* SPDX-License-Identifier: BSD-3-Clause */
#include "solve/iterate.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "nn/model.h"
#include <math.h>
#include <string.h>
#include <time.h>

double l2o_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int l2o_solver_option(const l2o_solver *solver, const char *name) {
  for (int i = 0; solver->options && solver->options[i].name; i++)
    if (strcmp(solver->options[i].name, name) == 0)
      return i;
  return -1;
}

l2o_status l2o_iterate_check(const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem, l2o_diag *diag) {
  if (problem->n == 0 || !problem->ops)
    return l2o_fail(diag, L2O_ERR_ARG, "%s: the problem has no unknowns or no operations", solver->name);
  if ((solver->needs & L2O_NEEDS_GRADIENT) && !l2o_problem_has_gradient(problem))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s needs a gradient; problem '%s' has none; try gsl-nmsimplex2", solver->name,
                    l2o_problem_name(problem));
  if (!(solver->needs & L2O_NEEDS_MODEL))
    return L2O_OK;
  if (!model)
    return l2o_fail(diag, L2O_ERR_ARG, "%s is a learned rule and needs a model (of kind %s)", solver->name, solver->model_kind);
  if (strcmp(l2o_model_kind_name(model), solver->model_kind) != 0)
    return l2o_fail(diag, L2O_ERR_ARG, "%s needs a model of kind %s, this one is of kind %s", solver->name, solver->model_kind,
                    l2o_model_kind_name(model));
  return L2O_OK;
}

void l2o_iterate_layout(l2o_iterate *it, const l2o_solver *solver, bool hessian, l2o_arena *arena) {
  L2O_TAKE(arena, it->x, it->n);
  L2O_TAKE(arena, it->g, it->n);
  L2O_TAKE(arena, it->state, solver->state_len ? solver->state_len(it) : 0);
  L2O_TAKE(arena, it->scratch, solver->scratch_len ? solver->scratch_len(it) : 0);
  L2O_TAKE(arena, it->work, hessian ? l2o_problem_hessian_work_len(it->problem) : l2o_problem_work_len(it->problem));
}

l2o_status l2o_iterate_base_step(l2o_iterate *it, const l2o_solver *solver, l2o_diag *diag) {
  int step = l2o_solver_option(solver, "step"), scale = l2o_solver_option(solver, "step_scale");
  it->step = step >= 0 ? it->options[step] : 0;
  if (!(solver->needs & L2O_NEEDS_STEP) || it->step > 0)
    return L2O_OK;
  double constant;
  l2o_status status = l2o_problem_lipschitz(it->problem, &constant);
  const char *name = l2o_problem_name(it->problem);
  if (status == L2O_ERR_NOTSUP)
    return l2o_fail(diag, status, "%s needs a step size; problem '%s' has no Lipschitz constant to take it from; give %s:step=...",
                    solver->name, name, solver->name);
  if (status)
    return l2o_fail(diag, status, "%s: the Lipschitz constant of problem '%s' is not a positive finite number", solver->name, name);
  it->step = (scale >= 0 ? it->options[scale] : it->model->type->step_scale(it->model)) / constant;
  return L2O_OK;
}

l2o_status l2o_iterate_init(l2o_iterate *it, const l2o_solver *solver) {
  it->k = 0;
  it->value_calls = it->gradient_calls = 0;
  it->has_gradient = it->pending = it->moved = false;
  it->pending_seconds = it->claimed_seconds = 0;
  size_t length = solver->state_len ? solver->state_len(it) : 0;
  memset(it->state, 0, length * sizeof *it->state);
  return solver->init ? solver->init(it) : L2O_OK;
}

/* Not finite is an answer: the driver makes L2O_STOP_DIVERGED of it. */
static l2o_status judge(l2o_status status, double f, const l2o_real *g, size_t n) {
  return status ? status : isfinite(f) && (!g || l2o_all_finite(g, n)) ? L2O_OK : L2O_ERR_NUMERIC;
}

l2o_status l2o_iterate_gradient_at(l2o_iterate *it, double *f, l2o_real *g, const l2o_real *x) {
  it->value_calls++;
  it->gradient_calls++;
  l2o_status status = l2o_problem_gradient(it->problem, f, g, x, it->work); /* first: C leaves the order of arguments open */
  return judge(status, *f, g, it->n);
}

l2o_status l2o_iterate_value_at(l2o_iterate *it, double *f, const l2o_real *x) {
  it->value_calls++;
  l2o_status status = l2o_problem_value(it->problem, f, x, it->work);
  return judge(status, *f, NULL, 0);
}

l2o_status l2o_iterate_gradient(l2o_iterate *it) {
  if (it->has_gradient) {
    if (it->pending) { /* made for the record, now really used */
      it->pending = false;
      it->claimed_seconds += it->pending_seconds;
      it->value_calls++;
      it->gradient_calls++;
    }
    return judge(L2O_OK, it->f, it->g, it->n);
  }
  l2o_status status = l2o_iterate_gradient_at(it, &it->f, it->g, it->x);
  it->has_gradient = status == L2O_OK || status == L2O_ERR_NUMERIC;
  return status;
}

void l2o_iterate_moved(l2o_iterate *it) {
  it->has_gradient = it->pending = false;
  it->moved = true;
}

l2o_status l2o_iterate_peek(l2o_iterate *it) {
  if (it->has_gradient)
    return L2O_OK;
  double begin = l2o_seconds();
  l2o_status status;
  if (l2o_problem_has_gradient(it->problem)) {
    status = l2o_problem_gradient(it->problem, &it->f, it->g, it->x, it->work);
    it->has_gradient = it->pending = status == L2O_OK;
  } else {
    status = l2o_problem_value(it->problem, &it->f, it->x, it->work);
  }
  it->pending_seconds = l2o_seconds() - begin;
  return status;
}
