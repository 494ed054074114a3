/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver: one rule at work on one problem, with the guard of learned rules.
 *
 * guard=descent. From x the classical rule goes to x_c, the learned one to x+. x+ is taken only if
 *     F(x+) <= F(x) - s (F(x) - F(x_c)),  s = 1/2,
 * otherwise x_c, counted as a fallback: every step keeps at least half of the classical decrease. Where the classical rule finds no
 * way on, x+ must be lower than x, or the run ends. The costs are those of x_c, and a gradient at each fallback.
 *
 * guard=shadow. The classical rule also runs beside it from the same start, and the better of the two points is reported: never
 * worse than the classical rule at the same iteration. The costs are those of the classical rule. */
#include "solve/run.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "nn/model.h"
#include "solve/iterate.h"
#include "solve/trace.h"
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum guard { GUARD_OFF, GUARD_DESCENT, GUARD_SHADOW };
static const double GUARD_SHARE = 0.5;

struct l2o_run {
  const l2o_solver *solver, *classical; /* classical: the rule that `other` runs, NULL if none does */
  l2o_settings settings;
  double options[L2O_OPTIONS_MAX], classical_options[L2O_OPTIONS_MAX];
  l2o_iterate it, other; /* other: the classical rule, at the same x (descent) or beside it (shadow) */
  l2o_rng rng;
  l2o_real *previous;              /* (n) what was reported when the last step started: objective and gradient are finite there */
  l2o_real *before;                /* (n) what is reported when the step being made starts; becomes `previous` when it succeeds */
  const l2o_iterate *best;         /* the iterate that is reported: `it`, or `other` while the shadow is ahead */
  l2o_real *residual;              /* (2n) to measure stationarity through the prox; NULL: by the gradient */
  l2o_real *classical_x;           /* (n) guards: x_c; the classical rule's point before its last step */
  l2o_stop ended, classical_ended; /* shadow: what the two rules said when they could not go on */
  enum guard guard;
  size_t instance, fallbacks;
  double seconds;
  double made_step, base_step; /* it.step of a new run, and as a started one found it: what l2o_run_scale_step() scales */
  bool started;
  bool known; /* the present point is on record with finite objective and gradient, and stands in `previous` */
};

void l2o_settings_init(l2o_settings *settings, size_t struct_size) {
  l2o_settings defaults = {.struct_size = struct_size, .iterations = 1000, .objective_target = -HUGE_VAL, .record_every = 1};
  memset(settings, 0, struct_size);
  memcpy(settings, &defaults, struct_size < sizeof defaults ? struct_size : sizeof defaults);
}

/* The caller's settings, which may be of an older and shorter layout. */
static l2o_settings complete(const l2o_settings *settings) {
  l2o_settings all;
  l2o_settings_init(&all, sizeof all);
  if (settings && settings->struct_size)
    memcpy(&all, settings, settings->struct_size < sizeof all ? settings->struct_size : sizeof all);
  all.struct_size = sizeof all;
  all.record_every += all.record_every == 0;
  return all;
}

static l2o_run *layout(l2o_run *run, l2o_arena *arena) {
  l2o_run *self = l2o_take(arena, 1, sizeof *self);
  l2o_iterate_layout(&run->it, run->solver, false, arena);
  L2O_TAKE(arena, run->previous, run->it.value_only ? 0 : run->it.n);
  L2O_TAKE(arena, run->before, run->it.value_only ? 0 : run->it.n);
  const l2o_problem *p = run->it.problem;
  if (l2o_problem_is_constrained(p) ||
      (l2o_problem_has_prox(p) && (!run->it.subgradient || run->it.batch || (run->classical && !run->other.subgradient))))
    L2O_TAKE(arena, run->residual, 2 * run->it.n);
  L2O_TAKE(arena, run->classical_x, run->guard != GUARD_OFF ? run->it.n : 0);
  if (run->classical)
    l2o_iterate_layout(&run->other, run->classical, false, arena);
  return self;
}

/* The classical rule of the guard, with the options and the step that the learned one has for it. */
static l2o_status prepare_classical(l2o_run *run, l2o_diag *diag) {
  const l2o_solver *solver = run->solver;
  char options[L2O_SPEC_MAX] = "";
  if (run->guard == GUARD_DESCENT && solver->classical_point)
    return L2O_OK; /* it makes that rule's point itself */
  if (run->guard == GUARD_SHADOW && run->it.batch)
    return l2o_fail(diag, L2O_ERR_NOTSUP,
                    "%s: guard=shadow compares objectives, of which a minibatch of batch=%zu tells too little", solver->name,
                    run->it.batch);
  const l2o_solver *classical = run->classical = l2o_solver_find(solver->classical, diag);
  if (!classical)
    return L2O_ERR_NOTSUP;
  if (solver->classical_options)
    solver->classical_options(&run->it, options, sizeof options);
  l2o_status status = l2o_options_parse(classical->options, run->classical_options, classical->name, options, diag);
  run->other = (l2o_iterate){.problem = run->it.problem, .options = run->classical_options, .n = run->it.n, .step = run->it.step};
  l2o_diag inner = {""};
  if (!status && solver->classical_options && (status = l2o_iterate_base_step(&run->other, classical, &inner)))
    l2o_fail(diag, status, "%s with a guard: %s", solver->name, inner.text);
  if (status)
    return status;
  l2o_iterate_prepare(&run->other, classical);
  if (run->guard == GUARD_DESCENT && classical->state_len && classical->state_len(&run->other)) /* depends on more than x */
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: guard=descent needs a classical rule without memory, %s has one; use guard=shadow",
                    solver->name, classical->name);
  return classical->check ? classical->check(&run->other, diag) : L2O_OK;
}

/* x: NULL, or what rules that keep x may work in. */
static l2o_status new_run(l2o_run **out, const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem,
                          const l2o_settings *settings, l2o_real *x, l2o_diag *diag) {
  *out = NULL;
  l2o_run run = {.solver = solver, .settings = complete(settings), .guard = GUARD_OFF};
  l2o_status status = l2o_iterate_check(solver, model, problem, diag);
  if (!status)
    status = l2o_options_parse(solver->options, run.options, solver->name, run.settings.options, diag);
  if (status)
    return status;
  const int guard = l2o_solver_option(solver, "guard");
  if (guard >= 0)
    run.guard = (enum guard)run.options[guard];
  run.it = (l2o_iterate){.problem = problem, .model = model, .options = run.options, .n = problem->n};
  l2o_iterate_prepare(&run.it, solver);
  if (x && run.it.value_only) {
    run.it.x = x;
    run.it.borrowed = true;
  }
  if (run.it.batch && !l2o_problem_summands(problem))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: batch=%zu needs a sum to take minibatches of; problem '%s' is none", solver->name,
                    run.it.batch, l2o_problem_name(problem));
  if (solver->check && (status = solver->check(&run.it, diag)))
    return status;
  if ((status = l2o_iterate_base_step(&run.it, solver, diag)))
    return status;
  if (run.guard != GUARD_OFF && (status = prepare_classical(&run, diag)))
    return status;
  run.made_step = run.it.step;
  l2o_arena arena = {0};
  layout(&run, &arena);
  if (!l2o_arena_new(&arena))
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory for n = %zu", solver->name, problem->n);
  l2o_run *self = layout(&run, &arena);
  *self = run;
  self->it.options = self->options;
  self->other.options = self->classical_options;
  self->it.rng = self->other.rng = &self->rng;
  self->best = &self->it;
  *out = self;
  return L2O_OK;
}

l2o_status l2o_run_new(l2o_run **out, const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem,
                       const l2o_settings *settings, l2o_diag *diag) {
  return new_run(out, solver, model, problem, settings, NULL, diag);
}

void l2o_run_free(l2o_run *run) {
  if (run && run->started && run->solver->done)
    run->solver->done(&run->it);
  free(run);
}

/* A copy of a point, unless the rule never leaves a good one for another that is not. */
static void keep(const l2o_run *run, l2o_real *copy, const l2o_real *x) {
  if (!run->it.value_only)
    memcpy(copy, x, run->it.n * sizeof *x);
}

l2o_status l2o_run_start(l2o_run *run, const l2o_real *x0) {
  l2o_iterate *it = &run->it;
  if (run->started && run->solver->done)
    run->solver->done(it);
  run->started = false;
  run->seconds = 0;
  run->fallbacks = 0;
  run->known = false;
  run->best = it;
  run->ended = run->classical_ended = L2O_STOP_NONE;
  it->step = run->made_step;
  l2o_status status = L2O_OK;
  if (x0 && x0 != it->x)
    memcpy(it->x, x0, it->n * sizeof *x0);
  else if (!x0)
    status = l2o_problem_start(it->problem, it->x);
  if (status)
    return status;
  if (!l2o_all_finite(it->x, it->n))
    return L2O_ERR_NUMERIC;
  l2o_iterate_seed(it, run->settings.seed, 0, run->instance);
  run->other.seed = it->seed;
  if (run->classical) {
    memcpy(run->other.x, it->x, it->n * sizeof *it->x);
    status = l2o_iterate_init(&run->other, run->classical);
  }
  if (!status)
    status = l2o_iterate_init(it, run->solver); /* which may move x into a set */
  keep(run, run->previous, it->x);
  run->base_step = it->step;
  run->started = status == L2O_OK;
  return status;
}

l2o_status l2o_run_scale_step(l2o_run *run, double factor, double *step) {
  if (!run->started || !(factor >= 0 && isfinite(factor)))
    return L2O_ERR_ARG;
  if (!(run->base_step > 0) || run->guard != GUARD_OFF)
    return L2O_ERR_NOTSUP;
  run->it.step = factor * run->base_step;
  if (step)
    *step = run->it.step;
  return L2O_OK;
}

l2o_run_memory l2o_run_memory_of(l2o_run *run) {
  return (l2o_run_memory){.solver = run->solver,
                          .it = &run->it,
                          .previous = run->it.value_only ? NULL : run->previous,
                          .seconds = &run->seconds,
                          .known = &run->known,
                          .guarded = run->guard != GUARD_OFF,
                          .started = run->started};
}

/* f and gradient where the iterate stands. L2O_ERR_NUMERIC: that point cannot be reported. */
static l2o_status evaluate(l2o_iterate *it) {
  const l2o_status status = l2o_all_finite(it->x, it->n) ? l2o_iterate_gradient(it) : L2O_ERR_NUMERIC;
  return status || isfinite(l2o_norm(it->g, it->n)) ? status : L2O_ERR_NUMERIC;
}

/* Takes the classical point x instead of the learned one. */
static l2o_status fall_back(l2o_run *run, const l2o_real *x) {
  l2o_iterate *it = &run->it;
  memcpy(it->x, x, it->n * sizeof *x);
  l2o_iterate_moved(it);
  run->fallbacks++;
  if (run->solver->fell_back)
    return run->solver->fell_back(it);
  return run->solver->init ? run->solver->init(it) : L2O_OK;
}

/* f and its gradient of another iterate that stands at the same point, if both see the same function. */
static void take_gradient(l2o_iterate *it, const l2o_iterate *other) {
  it->has_gradient = it->subgradient == other->subgradient;
  it->pending = false;
  if (!it->has_gradient)
    return;
  it->f = other->f;
  memcpy(it->g, other->g, it->n * sizeof *it->g);
}

/* x_c and the objective there. L2O_ERR_NUMERIC: it is not finite. */
static l2o_status find_classical_point(l2o_run *run, double *f_c, l2o_stop *ended) {
  l2o_iterate *it = &run->it, *other = &run->other;
  if (run->solver->classical_point)
    return run->solver->classical_point(it, run->classical_x, f_c, ended);
  memcpy(other->x, it->x, it->n * sizeof *it->x);
  take_gradient(other, it);
  l2o_status status = run->classical->step(other, NULL, ended);
  other->k++;
  memcpy(run->classical_x, other->x, it->n * sizeof *it->x);
  return status ? status : l2o_iterate_value_at(it, f_c, other->x);
}

/* F = f + h at x, for f as the rule sees it: with h, or without. */
static l2o_status add_unseen(const l2o_iterate *it, double *F, double f, const l2o_real *x) {
  double h = 0;
  const l2o_status status = it->subgradient ? L2O_OK : l2o_problem_nonsmooth(it->problem, &h, NULL, x);
  *F = f + h;
  return status;
}

static l2o_status step_descent(l2o_run *run, l2o_stop *stop) {
  l2o_iterate *it = &run->it;
  l2o_stop ended = L2O_STOP_NONE; /* of the classical rule */
  double f, f_c, f_plus = (double)NAN;
  l2o_status status = l2o_iterate_gradient(it);
  if (!status)
    status = add_unseen(it, &f, it->f, it->x);
  if (status)
    return status;
  status = find_classical_point(run, &f_c, &ended);
  if (!status)
    status = add_unseen(it, &f_c, f_c, run->classical_x);
  const bool broke = status == L2O_ERR_NUMERIC; /* the classical rule did: it has no point, and a search may have left x anywhere */
  if (broke) {
    memcpy(it->x, run->before, it->n * sizeof *it->x);
    l2o_iterate_moved(it);
    f_c = f;
  } else if (status) {
    return status;
  }
  const double most = f - GUARD_SHARE * (f - f_c);
  it->moved = false; /* a search moves, and goes back */
  status = run->solver->step(it, NULL, stop);
  if (!it->moved)
    l2o_iterate_moved(it);
  if (!status)
    status = evaluate(it);
  if (!status)
    status = add_unseen(it, &f_plus, it->f, it->x);
  if (status && status != L2O_ERR_NUMERIC)
    return status;
  if (!status && f_plus <= most && (f_plus < f || !(broke || ended)))
    return L2O_OK;
  if (broke)
    return L2O_ERR_NUMERIC;
  *stop = ended;
  return fall_back(run, run->classical_x);
}

/* The classical rule beside the learned one, until it ends; where it breaks down, at the point before. */
static l2o_status step_beside(l2o_run *run) {
  l2o_iterate *other = &run->other;
  if (run->classical_ended)
    return L2O_OK;
  memcpy(run->classical_x, other->x, other->n * sizeof *other->x);
  other->moved = false;
  l2o_status status = run->classical->step(other, NULL, &run->classical_ended);
  other->k++;
  if (!other->moved)
    l2o_iterate_moved(other);
  if (!status)
    status = evaluate(other);
  if (status != L2O_ERR_NUMERIC)
    return status;
  run->classical_ended = L2O_STOP_DIVERGED;
  memcpy(other->x, run->classical_x, other->n * sizeof *other->x);
  l2o_iterate_moved(other);
  return evaluate(other);
}

/* The learned rule, until it ends; where it breaks down it goes on from the classical point, if the classical rule does. */
static l2o_status step_learned(l2o_run *run) {
  l2o_iterate *it = &run->it;
  const l2o_iterate *other = &run->other;
  if (run->ended) {
    it->moved = true; /* and f and g are known there */
    return L2O_OK;
  }
  l2o_status status = run->solver->step(it, NULL, &run->ended);
  if (!it->moved)
    l2o_iterate_moved(it);
  if (!status)
    status = evaluate(it);
  if (status != L2O_ERR_NUMERIC)
    return status;
  status = fall_back(run, other->x);
  take_gradient(it, other);
  run->ended = run->classical_ended;
  return status;
}

/* Objective and stationarity of either iterate; a rule that takes subgradients is measured by them, also beside one that takes the
 * prox. */
static l2o_status peek(l2o_run *run, l2o_iterate *it, double *objective, double *norm) {
  const bool by_gradient = it->subgradient && !it->batch && !l2o_problem_is_constrained(it->problem);
  return l2o_iterate_peek(it, objective, norm, by_gradient ? NULL : run->residual);
}

/* The better point is reported, or the classical one where it meets the tolerance and the better one does not: the run ends no
 * later than the classical one, be it for the tolerance or because the rule has ended whose point is the better one. But where the
 * learned rule alone has ended the classical one may still come lower. */
static l2o_status step_shadow(l2o_run *run, l2o_stop *stop) {
  l2o_iterate *it = &run->it, *other = &run->other;
  const double tolerance = run->settings.gradient_tolerance;
  double f = 0, norm = 0, f_c = 0, norm_c = 0;
  l2o_status status = step_beside(run);
  if (!status)
    status = step_learned(run);
  if (!status)
    status = peek(run, it, &f, &norm);
  if (!status)
    status = peek(run, other, &f_c, &norm_c);
  if (status)
    return status;
  run->best = f_c < f || (tolerance > 0 && norm_c <= tolerance && norm > tolerance) ? other : it;
  if (run->classical_ended && (run->ended || run->best == other))
    *stop = run->best == other ? run->classical_ended : run->ended;
  return L2O_OK;
}

/* Goes back to the last point with finite objective and gradient. */
static void restore(l2o_run *run) {
  if (run->it.value_only)
    return;
  if (run->it.k && !run->known)
    run->it.k--; /* that point's number: the step that led away from it does not count */
  memcpy(run->it.x, run->previous, run->it.n * sizeof *run->previous);
  run->it.has_gradient = run->it.pending = false;
  run->best = &run->it;
  run->known = true;
}

/* The counts of the run so far. */
static void count(const l2o_run *run, l2o_record *record) {
  const l2o_iterate *it = &run->it, *other = &run->other;
  record->iteration = it->k;
  record->value_calls = it->value_calls + other->value_calls;
  record->gradient_calls = it->gradient_calls + other->gradient_calls;
  record->charged = (record->value_calls > record->gradient_calls ? record->value_calls : record->gradient_calls) - it->uncharged;
  record->fallbacks = run->fallbacks + it->rejected;
  record->seconds = run->seconds;
}

/* One step; the caller looks at the clock. */
static l2o_status move(l2o_run *run, l2o_stop *stop) {
  l2o_iterate *it = &run->it;
  *stop = L2O_STOP_NONE;
  keep(run, run->before, run->best->x);
  it->moved = it->finite = false;
  it->claimed_seconds = run->other.claimed_seconds = 0;
  if (run->settings.calls) {
    l2o_record now;
    count(run, &now);
    it->allowance = run->settings.calls > now.charged ? run->settings.calls - now.charged : 0;
  }
  if (it->batch)
    l2o_iterate_draw_batch(it);
  l2o_status status = run->guard == GUARD_OFF       ? run->solver->step(it, NULL, stop)
                      : run->guard == GUARD_DESCENT ? step_descent(run, stop)
                                                    : step_shadow(run, stop);
  it->has_ahead = false; /* whether the step took it or not */
  if (!it->moved)
    it->has_gradient = it->pending = false;
  if (status == L2O_OK && *stop == L2O_STOP_CALLS) /* nothing was done: the step would have cost too much */
    return L2O_OK;
  if (status == L2O_OK) {
    l2o_real *swap = run->previous;
    run->previous = run->before;
    run->before = swap;
    run->known = false;
    it->k++;
    if (it->value_only || l2o_all_finite(it->x, it->n))
      return L2O_OK;
    status = L2O_ERR_NUMERIC;
  } else if (!run->known && it->finite && !it->batch && run->best == it) { /* the step began at a good point */
    keep(run, run->previous, run->before);
    run->known = true;
  }
  restore(run);
  if (status != L2O_ERR_NUMERIC)
    return status;
  *stop = L2O_STOP_DIVERGED;
  return L2O_OK;
}

l2o_status l2o_run_step(l2o_run *run, l2o_stop *stop) {
  double begin = l2o_seconds();
  l2o_status status = move(run, stop);
  run->seconds += l2o_seconds() - begin + run->it.claimed_seconds + run->other.claimed_seconds;
  return status;
}

const l2o_real *l2o_run_x(const l2o_run *run) {
  return run->best->x;
}

size_t l2o_run_steps(const l2o_run *run) {
  return run->it.k;
}

/* Is the record of a point that a caller may keep? Where the rule's records have a gradient it must be finite too. */
static bool is_finite_record(const l2o_record *r, const l2o_iterate *it) {
  return isfinite(r->objective) && (isfinite(r->gradient_norm) || it->value_only || !l2o_problem_has_gradient(it->problem));
}

l2o_status l2o_run_record(l2o_run *run, l2o_record *record) {
  l2o_iterate *best = run->best == &run->it ? &run->it : &run->other;
  *record = (l2o_record){0};
  l2o_status status = peek(run, best, &record->objective, &record->gradient_norm);
  count(run, record);
  if (!status && !run->known && is_finite_record(record, best)) { /* whatever the next step does, this point is good */
    keep(run, run->previous, best->x);
    run->known = true;
  }
  return status;
}

/* The stop reason that the settings find in a record. */
static l2o_stop judge(const l2o_run *run, const l2o_record *record) {
  const l2o_settings *s = &run->settings;
  if (s->gradient_tolerance > 0 && record->gradient_norm <= s->gradient_tolerance)
    return L2O_STOP_GRADIENT;
  if (record->objective <= s->objective_target)
    return L2O_STOP_TARGET;
  if (record->iteration >= s->iterations)
    return L2O_STOP_ITERATIONS;
  if (s->calls && record->charged >= s->calls)
    return L2O_STOP_CALLS;
  if (s->seconds > 0 && record->seconds >= s->seconds)
    return L2O_STOP_SECONDS;
  return L2O_STOP_NONE;
}

/* A run on its way from x to the last good point. */
typedef struct passage {
  l2o_run *run;
  l2o_real *x;
  l2o_result *result;
  l2o_trace *trace;
  l2o_record record;
  l2o_stop stop;
  l2o_status status;
  size_t expected; /* iteration of the next record on the trace */
  double began;
  bool watched; /* does anybody look at the points on the way? Otherwise none of them is evaluated for a record. */
  bool clocked; /* does anybody read the clock on the way? Two looks at it cost as much as a small gradient. */
  bool over;
} passage;

static void begin(passage *p) {
  const l2o_settings *s = &p->run->settings;
  if (p->trace)
    l2o_trace_clear(p->trace);
  p->watched = p->trace || s->callback || s->gradient_tolerance > 0 || s->objective_target > -HUGE_VAL;
  p->clocked = p->watched || s->seconds > 0;
  p->status = l2o_run_start(p->run, p->x);
  p->began = p->clocked ? 0 : l2o_seconds();
  p->over = p->status != L2O_OK;
}

/* Does the run end with the record of the present point, as far as is known before it? */
static bool ends(const passage *p) {
  return p->stop || p->run->it.k >= p->run->settings.iterations;
}

/* Puts the present point on record; true if the run ends here. */
static bool look(passage *p, double share) {
  l2o_run *run = p->run;
  const l2o_settings *s = &run->settings;
  l2o_record next;
  if (!p->clocked)
    run->seconds = share * (l2o_seconds() - p->began);
  p->status = l2o_run_record(run, &next);
  if (p->status) { /* the point cannot be evaluated: the one before is the last good one */
    restore(run);
    return true;
  }
  p->record = next;
  if (!is_finite_record(&next, &run->it)) { /* noticed only now: the point before is the last good one */
    const bool first = run->it.k == 0;
    restore(run);
    p->stop = L2O_STOP_DIVERGED;
    p->status = first ? L2O_OK : l2o_run_record(run, &p->record);
    return true;
  }
  /* a run that broke down has put back a point that is on record already, and one short of calls has not left it */
  if (p->trace && next.iteration >= p->expected)
    l2o_trace_add(p->trace, &next, l2o_run_x(run), run->it.n);
  p->expected = next.iteration + 1;
  if (!p->stop && s->callback && s->callback(s->context, &next, l2o_run_x(run), run->instance))
    p->stop = L2O_STOP_USER;
  return p->stop != L2O_STOP_NONE;
}

/* Does the callback want the run to end, at a point that is not evaluated? */
static bool asks_to_stop(const passage *p) {
  const l2o_settings *s = &p->run->settings;
  l2o_record record = p->record;
  record.objective = record.gradient_norm = (double)NAN;
  return s->callback && s->callback(s->context, &record, l2o_run_x(p->run), p->run->instance);
}

/* One step, and before it the record of the point that it starts from. share: of the clock's time that is this run's. */
static void advance(passage *p, double share) {
  l2o_run *run = p->run;
  const bool looks = (p->watched && run->it.k % run->settings.record_every == 0) || ends(p);
  if (looks && (p->over = look(p, share)))
    return;
  if (!looks) {
    count(run, &p->record);
    p->record.objective = p->record.gradient_norm = HUGE_VAL;
  }
  p->stop = !looks && asks_to_stop(p) ? L2O_STOP_USER : judge(run, &p->record);
  if (!p->stop)
    p->status = p->clocked ? l2o_run_step(run, &p->stop) : move(run, &p->stop);
  else
    p->over = looks; /* otherwise once more round, to put the point on record */
  p->over |= p->status != L2O_OK;
}

static void end(passage *p) {
  l2o_run *run = p->run;
  if (p->status && !p->watched && run->started) { /* nobody asks a callback again that has just failed */
    count(run, &p->record);
    p->record.objective = p->record.gradient_norm = (double)NAN;
  }
  if (run->started && !run->it.borrowed)
    memcpy(p->x, l2o_run_x(run), run->it.n * sizeof *p->x);
  if (p->result)
    *p->result = (l2o_result){.status = p->status, .stop = p->stop, .last = p->record};
}

static l2o_status explain(const l2o_run *run, l2o_status status, l2o_diag *diag) {
  const char *rule = run->solver->name, *problem = l2o_problem_name(run->it.problem);
  if (status == L2O_ERR_CALLBACK)
    return l2o_fail(diag, status, "%s: an operation of problem '%s' reported a failure at iteration %zu", rule, problem, run->it.k);
  if (status == L2O_ERR_NUMERIC)
    return l2o_fail(diag, status, "%s: the start of problem '%s' is not finite", rule, problem);
  return status ? l2o_fail(diag, status, "%s on problem '%s': %s", rule, problem, l2o_strerror(status)) : status;
}

/* What a thread works on: one problem, or a few that belong together, a step of each in turn. */
typedef struct team {
  passage of[L2O_TOGETHER];
  l2o_diag diags[L2O_TOGETHER];
  size_t size;
} team;

static void join(team *t, const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem, l2o_real *x,
                 l2o_result *result, const l2o_settings *settings, size_t instance) {
  passage *p = &t->of[t->size];
  l2o_diag *diag = &t->diags[t->size++];
  *p = (passage){.x = x, .result = result, .trace = settings->traces ? settings->traces[instance] : NULL};
  diag->text[0] = '\0';
  p->status = new_run(&p->run, solver, model, problem, settings, x, diag);
  p->over = p->status != L2O_OK;
  if (!p->over) {
    p->run->instance = settings->first + instance;
    begin(p);
  } else if (result) {
    *result = (l2o_result){.status = p->status};
  }
}

/* The gradients that the next steps, and the records before them, begin with. */
static void evaluate_together(team *t) {
  l2o_iterate *at_x[L2O_TOGETHER], *at_state[L2O_TOGETHER];
  size_t many_x = 0, many_state = 0;
  for (size_t i = 0; t->size > 1 && i < t->size; i++) {
    const passage *p = &t->of[i];
    if (p->over)
      continue;
    const l2o_gradient_at where = p->run->solver->gradient_at;
    if (where == L2O_GRADIENT_AT_X || p->watched || ends(p))
      at_x[many_x++] = &p->run->it;
    if (where == L2O_GRADIENT_AT_STATE && !ends(p))
      at_state[many_state++] = &p->run->it;
  }
  l2o_iterate_together(at_x, many_x, L2O_GRADIENT_AT_X);
  l2o_iterate_together(at_state, many_state, L2O_GRADIENT_AT_STATE);
}

static void solve(team *t) {
  bool running = true;
  while (running) {
    running = false;
    evaluate_together(t);
    for (size_t i = 0; i < t->size; i++) {
      if (!t->of[i].over)
        advance(&t->of[i], 1 / (double)t->size);
      running |= !t->of[i].over;
    }
  }
  for (size_t i = 0; i < t->size; i++) {
    passage *p = &t->of[i];
    if (!p->run)
      continue;
    end(p);
    explain(p->run, p->status, &t->diags[i]);
    l2o_run_free(p->run);
  }
}

l2o_status l2o_minimize(const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem, l2o_real *x,
                        l2o_result *result, const l2o_settings *settings, l2o_diag *diag) {
  const l2o_settings all = complete(settings);
  team t = {.size = 0};
  join(&t, solver, model, problem, x, result, &all, 0);
  solve(&t);
  if (t.of[0].status && diag)
    *diag = t.diags[0];
  return t.of[0].status;
}

l2o_status l2o_solve_many(const l2o_solver *solver, const l2o_model *model, const l2o_problem *problems, size_t count, l2o_real *x,
                          l2o_result *results, const l2o_settings *settings, l2o_diag *diag) {
  const l2o_settings all = complete(settings);
  const size_t threads = (size_t)(all.threads > 0 ? all.threads : omp_get_max_threads());
  l2o_status first_status = L2O_OK;
  size_t failed = count, teams = 0, *first = malloc(2 * (count + 1) * sizeof *first), *offset = first + count + 1;
  l2o_diag first_diag = {""};
  if (!first)
    return l2o_fail(diag, L2O_ERR_NOMEM, "out of memory for %zu problems", count);
  offset[0] = 0;
  for (size_t i = 0; i < count; i++)
    offset[i + 1] = offset[i] + problems[i].n;
  for (size_t i = 0; i < count; i += l2o_iterate_team(solver, problems + i, count - i, threads, count))
    first[teams++] = i;
  first[teams] = count;
#pragma omp parallel for schedule(dynamic) num_threads((int)threads)
  for (size_t k = 0; k < teams; k++) {
    team t = {.size = 0};
    for (size_t i = first[k]; i < first[k + 1]; i++)
      join(&t, solver, model, &problems[i], x + offset[i], results ? &results[i] : NULL, &all, i);
    solve(&t);
    for (size_t i = 0; i < t.size; i++) {
      if (!t.of[i].status)
        continue;
#pragma omp critical(l2o_solve_many)
      if (first[k] + i < failed) {
        failed = first[k] + i;
        first_status = t.of[i].status;
        first_diag = t.diags[i];
      }
    }
  }
  free(first);
  if (first_status)
    l2o_fail(diag, first_status, "problem %zu: %.360s", all.first + failed, first_diag.text);
  return first_status;
}
