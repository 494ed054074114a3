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
  if (!solver)
    return l2o_fail(diag, L2O_ERR_ARG, "there is no solver; does l2o_solver_find() know the name?");
  if (problem->n == 0 || !problem->ops)
    return l2o_fail(diag, L2O_ERR_ARG, "%s: the problem has no unknowns or no operations", solver->name);
  if ((solver->needs & L2O_NEEDS_GRADIENT) && !l2o_problem_has_gradient(problem))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s needs a gradient; problem '%s' has none; try zo-align, gsl-nmsimplex2", solver->name,
                    l2o_problem_name(problem));
  if (l2o_problem_is_constrained(problem) && !(solver->needs & L2O_TAKES_PROJECTION))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s does not keep to the constraint of problem '%s'; try projected-gradient, or zo-align",
                    solver->name, l2o_problem_name(problem));
  if (l2o_problem_is_composite(problem) && !l2o_problem_has_prox(problem) && (solver->needs & L2O_TAKES_PROX))
    return l2o_fail(diag, L2O_ERR_NOTSUP,
                    "%s needs the prox of the nonsmooth part; problem '%s' has none; try gd, which takes subgradients",
                    solver->name, l2o_problem_name(problem));
  size_t blocks;
  if ((solver->needs & L2O_NEEDS_LAYERS) && !l2o_problem_blocks(problem, &blocks))
    return l2o_fail(
        diag, L2O_ERR_NOTSUP,
        "%s perturbs layers, and problem '%s' is not made of layers that it can see; try zo-avg, zo-align, or family mlp",
        solver->name, l2o_problem_name(problem));
  if ((solver->needs & L2O_NEEDS_LAYERS) && l2o_problem_is_composite(problem))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s sees the smooth part of problem '%s' alone; try zo-avg, zo-align", solver->name,
                    l2o_problem_name(problem));
  if ((solver->needs & L2O_NEEDS_HESSIAN) && !l2o_problem_has_hessian_vector(problem))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s needs Hessian-vector products; problem '%s' has none; try lbfgs", solver->name,
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

void l2o_iterate_prepare(l2o_iterate *it, const l2o_solver *solver) {
  const int batch = l2o_solver_option(solver, "batch");
  it->batch = batch >= 0 ? (size_t)it->options[batch] : 0;
  it->layered = (solver->needs & L2O_NEEDS_LAYERS) != 0;
  it->value_only = (solver->needs & L2O_KEEPS_X) != 0;
  if (it->layered && it->batch > l2o_problem_summands(it->problem))
    it->batch = l2o_problem_summands(it->problem);
  it->subgradient = l2o_problem_is_composite(it->problem) && !(solver->needs & L2O_TAKES_PROX);
  it->allowance = SIZE_MAX;
}

void l2o_iterate_layout(l2o_iterate *it, const l2o_solver *solver, bool hessian, l2o_arena *arena) {
  if (!it->borrowed)
    L2O_TAKE(arena, it->x, it->n);
  L2O_TAKE(arena, it->g, it->value_only ? 0 : it->n);
  L2O_TAKE(arena, it->state, solver->state_len ? solver->state_len(it) : 0);
  L2O_TAKE(arena, it->scratch, solver->scratch_len ? solver->scratch_len(it) : 0);
  const size_t forward = it->layered ? l2o_problem_forward_work_len(it->problem, it->batch) : 0;
  const size_t work = hessian          ? l2o_problem_hessian_work_len(it->problem)
                      : it->value_only ? l2o_problem_value_work_len(it->problem)
                                       : l2o_problem_work_len(it->problem);
  L2O_TAKE(arena, it->work, work > forward ? work : forward);
  L2O_TAKE(arena, it->rows, it->batch);
  L2O_TAKE(arena, it->spare, (it->batch || it->subgradient) && !it->value_only ? it->n : 0);
  L2O_TAKE(arena, it->ahead, solver->gradient_at == L2O_GRADIENT_AT_STATE ? it->n : 0);
}

l2o_status l2o_iterate_base_step(l2o_iterate *it, const l2o_solver *solver, l2o_diag *diag) {
  int step = l2o_solver_option(solver, "step"), scale = l2o_solver_option(solver, "step_scale");
  it->step = step >= 0 ? it->options[step] : 0;
  const bool wanted = solver->finds_step || (solver->needs & L2O_NEEDS_STEP);
  if (!wanted || it->step > 0)
    return L2O_OK;
  double constant;
  l2o_status status = l2o_problem_lipschitz(it->problem, &constant);
  const char *name = l2o_problem_name(it->problem);
  if (status == L2O_ERR_NOTSUP && solver->finds_step && solver->finds_step(it))
    return L2O_OK;
  if (status == L2O_ERR_NOTSUP)
    return l2o_fail(diag, status,
                    "%s needs a step size; problem '%s' has no Lipschitz constant to take it from; give %s:step=...%s",
                    solver->name, name, solver->name, solver->finds_step ? ", or an option by which it finds one" : "");
  if (status)
    return l2o_fail(diag, status, "%s: the Lipschitz constant of problem '%s' is not a positive finite number", solver->name, name);
  it->step = (scale >= 0 ? it->options[scale] : it->model->type->step_scale(it->model)) / constant;
  return L2O_OK;
}

void l2o_iterate_clear(l2o_iterate *it) {
  it->k = 0;
  it->value_calls = it->gradient_calls = it->uncharged = it->rejected = 0;
  it->has_gradient = it->pending = it->moved = it->has_ahead = false;
  it->pending_seconds = it->claimed_seconds = 0;
}

l2o_status l2o_iterate_init(l2o_iterate *it, const l2o_solver *solver) {
  l2o_iterate_clear(it);
  size_t length = solver->state_len ? solver->state_len(it) : 0;
  memset(it->state, 0, length * sizeof *it->state);
  return solver->init ? solver->init(it) : L2O_OK;
}

void l2o_iterate_seed(l2o_iterate *it, uint64_t seed, uint32_t stream, uint64_t instance) {
  l2o_rng_seed(it->rng, seed, stream, instance);
  const uint64_t high = l2o_rng_word(it->rng);
  it->seed = high << 32 | l2o_rng_word(it->rng);
}

/* Not finite is an answer: the driver makes L2O_STOP_DIVERGED of it. */
static l2o_status judge(l2o_status status, double f, const l2o_real *g, size_t n) {
  return status ? status : isfinite(f) && (!g || l2o_all_finite(g, n)) ? L2O_OK : L2O_ERR_NUMERIC;
}

/* f, and g = grad f unless g is NULL, of the minibatch or of the whole sum. */
static l2o_status evaluate(const l2o_iterate *it, double *f, l2o_real *g, const l2o_real *x) {
  const l2o_problem *p = it->problem;
  if (it->batch)
    return l2o_problem_partial(p, f, g, x, it->rows, it->batch, it->work);
  return g ? l2o_problem_gradient(p, f, g, x, it->work) : l2o_problem_value(p, f, x, it->work);
}

/* F = f + h, and grad f + a subgradient of h, for rules that see one function. */
static l2o_status add_nonsmooth(const l2o_iterate *it, double *f, l2o_real *g, const l2o_real *x) {
  double h = (double)NAN;
  l2o_status status = l2o_problem_nonsmooth(it->problem, &h, g ? it->spare : NULL, x);
  *f += h;
  for (size_t i = 0; g && i < it->n; i++)
    g[i] += it->spare[i];
  return status;
}

l2o_status l2o_iterate_gradient_at(l2o_iterate *it, double *f, l2o_real *g, const l2o_real *x) {
  l2o_status status = L2O_OK;
  it->value_calls++;
  it->gradient_calls++;
  if (it->has_ahead && x == it->state) {
    *f = it->ahead_f;
    memcpy(g, it->ahead, it->n * sizeof *g);
    it->has_ahead = false;
    it->claimed_seconds += it->ahead_seconds;
  } else {
    *f = (double)NAN; /* what a callback that fails leaves behind */
    status = evaluate(it, f, g, x);
    if (!status && it->subgradient)
      status = add_nonsmooth(it, f, g, x);
  }
  return judge(status, *f, g, it->n);
}

l2o_status l2o_iterate_value_at(l2o_iterate *it, double *f, const l2o_real *x) {
  it->value_calls++;
  *f = (double)NAN;
  l2o_status status = evaluate(it, f, NULL, x);
  if (!status && it->subgradient)
    status = add_nonsmooth(it, f, NULL, x);
  return judge(status, *f, NULL, 0);
}

l2o_status l2o_iterate_forward(l2o_iterate *it, double *f, const l2o_pass *pass) {
  it->value_calls++;
  *f = (double)NAN;
  const l2o_status status = l2o_problem_forward(it->problem, f, it->x, it->rows, it->batch, pass, it->work);
  return judge(status, *f, NULL, 0);
}

l2o_status l2o_iterate_gradient(l2o_iterate *it) {
  l2o_status status;
  if (it->has_gradient) {
    if (it->pending) { /* made for the record, now really used */
      it->pending = false;
      it->claimed_seconds += it->pending_seconds;
      it->value_calls++;
      it->gradient_calls++;
    }
    status = judge(L2O_OK, it->f, it->g, it->n);
  } else {
    status = l2o_iterate_gradient_at(it, &it->f, it->g, it->x);
    it->has_gradient = status == L2O_OK || status == L2O_ERR_NUMERIC;
  }
  it->finite = it->finite || (status == L2O_OK && !it->moved);
  return status;
}

size_t l2o_iterate_team(const l2o_solver *solver, const l2o_problem *problems, size_t count, size_t threads, size_t all) {
  const size_t share = (all + threads - 1) / threads, most = share < L2O_TOGETHER ? share : L2O_TOGETHER;
  size_t size = 1;
  if (!solver || solver->gradient_at == L2O_GRADIENT_ANYWHERE || !problems[0].ops) /* the check of such a run says why */
    return 1;
  while (size < most && size < count && l2o_problem_together(&problems[0], &problems[size]))
    size++;
  return size;
}

void l2o_iterate_together(l2o_iterate *const *its, size_t count, l2o_gradient_at where) {
  const l2o_problem *problems[L2O_TOGETHER];
  const l2o_real *x[L2O_TOGETHER];
  l2o_real *g[L2O_TOGETHER], *work[L2O_TOGETHER];
  l2o_iterate *wanting[L2O_TOGETHER];
  double f[L2O_TOGETHER];
  const bool at_x = where == L2O_GRADIENT_AT_X;
  size_t many = 0;
  for (size_t i = 0; i < count && where; i++) {
    l2o_iterate *it = its[i];
    if ((at_x ? it->has_gradient : it->has_ahead) || it->batch || it->subgradient)
      continue;
    problems[many] = it->problem;
    x[many] = at_x ? it->x : it->state;
    g[many] = at_x ? it->g : it->ahead;
    work[many] = it->work;
    wanting[many++] = it;
  }
  if (many < 2)
    return;
  const double begin = l2o_seconds();
  if (l2o_problem_gradient_many(problems, many, f, g, x, work))
    return;
  const double seconds = (l2o_seconds() - begin) / (double)many;
  for (size_t i = 0; i < many; i++) {
    l2o_iterate *it = wanting[i];
    if (at_x) {
      it->pending_seconds = seconds;
      it->f = f[i];
      it->has_gradient = it->pending = true;
    } else {
      it->ahead_seconds = seconds;
      it->ahead_f = f[i];
      it->has_ahead = true;
    }
  }
}

void l2o_iterate_moved(l2o_iterate *it) {
  it->has_gradient = it->pending = false;
  it->moved = true;
}

/* Rows are drawn with replacement: stream 2^31 of the run's seed, step k. A layered rule's batch that is as large as the sum is the
 * sum.
 */
void l2o_iterate_draw_batch(l2o_iterate *it) {
  const size_t summands = l2o_problem_summands(it->problem);
  l2o_rng rng;
  l2o_rng_seed(&rng, it->seed, UINT32_C(1) << 31, it->k);
  for (size_t i = 0; i < it->batch; i++)
    it->rows[i] = it->layered && it->batch == summands ? i : (size_t)(l2o_rng_uniform(&rng) * (double)summands);
  it->has_gradient = it->pending = false;
}

/* |x - prox(x - grad f(x))| with the prox of step 1. residual: 2n reals. */
static l2o_status natural_residual(const l2o_iterate *it, double *norm, const l2o_real *g, l2o_real *residual) {
  const size_t n = it->n;
  l2o_real *point = residual, *ones = residual + n;
  for (size_t i = 0; i < n; i++) {
    point[i] = it->x[i] - g[i];
    ones[i] = 1;
  }
  l2o_status status = l2o_problem_prox(it->problem, point, point, ones, it->work);
  for (size_t i = 0; i < n; i++)
    point[i] = it->x[i] - point[i];
  *norm = l2o_norm(point, n);
  return status;
}

l2o_status l2o_iterate_peek(l2o_iterate *it, double *objective, double *norm, l2o_real *residual) {
  const l2o_problem *p = it->problem;
  const bool differentiable = l2o_problem_has_gradient(p) && !it->value_only;
  const l2o_real *g = it->batch ? it->spare : it->g;
  l2o_status status = L2O_OK;
  *norm = (double)NAN;
  *objective = it->f;
  if (it->batch || !it->has_gradient) {
    double begin = l2o_seconds(), f = (double)NAN;
    if (it->batch)
      status = differentiable ? l2o_problem_gradient(p, &f, it->spare, it->x, it->work) : l2o_problem_value(p, &f, it->x, it->work);
    else
      status = evaluate(it, &f, differentiable ? it->g : NULL, it->x);
    if (!status && it->subgradient && !it->batch)
      status = add_nonsmooth(it, &f, differentiable ? it->g : NULL, it->x);
    it->pending_seconds = l2o_seconds() - begin;
    *objective = f;
    if (!it->batch) {
      it->f = f;
      it->has_gradient = it->pending = differentiable && status == L2O_OK;
    }
  }
  if (!status && l2o_problem_is_composite(p) && (!it->subgradient || it->batch)) {
    double h;
    status = l2o_problem_nonsmooth(p, &h, NULL, it->x);
    *objective += h;
  }
  if (status || !differentiable)
    return status;
  *norm = l2o_norm(g, it->n);
  return residual && isfinite(*norm) ? natural_residual(it, norm, g, residual) : L2O_OK;
}
