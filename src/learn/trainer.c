/* SPDX-License-Identifier: BSD-3-Clause */
#include "learn/trainer.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/matrix.h"
#include "core/vector.h"
#include "learn/optimizer.h"
#include "nn/model.h"
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void l2o_train_settings_init(l2o_train_settings *settings, size_t struct_size) {
  const l2o_train_settings defaults = {
      .struct_size = struct_size,
      .steps = 1000,
      .batch = 32,
      .horizon = 100,
      .optimizer = L2O_OPTIMIZER_ADAM,
      .learning_rate = 1e-3,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .epsilon = 1e-8,
      .decay = 0.1,
      .decay_every = 1000,
      .max_rejected = 10,
      .layer_decay = 1,
  };
  memset(settings, 0, struct_size);
  memcpy(settings, &defaults, struct_size < sizeof defaults ? struct_size : sizeof defaults);
}

/* How many sums of P vector-Jacobian products the instances of a batch get. The sizes alone decide: the bits must not depend on the
 * threads. */
static size_t slots_of(size_t batch, size_t P) {
  enum { ROOM = 1 << 24, LEAST = 4 }; /* bytes; sums */
  const size_t most = ROOM / sizeof(double) / (P ? P : 1);
  return batch <= most ? batch : most > LEAST ? most : batch < LEAST ? batch : LEAST;
}

static l2o_status check_settings(l2o_train_settings *s, l2o_diag *diag) {
  if (s->batch == 0 || s->horizon == 0)
    return l2o_fail(diag, L2O_ERR_ARG, "training: batch and horizon must be at least 1");
  if (s->unroll == 0)
    s->unroll = s->horizon;
  if (s->unroll > s->horizon)
    return l2o_fail(diag, L2O_ERR_ARG, "training: unroll (%zu) is longer than the horizon (%zu)", s->unroll, s->horizon);
  if (!(s->learning_rate >= 0) || !isfinite(s->learning_rate) || !(s->learning_rate_end >= 0) || !isfinite(s->learning_rate_end))
    return l2o_fail(diag, L2O_ERR_ARG, "training: the learning rate must be a finite number, not negative");
  if (!(s->beta1 >= 0 && s->beta1 < 1 && s->beta2 >= 0 && s->beta2 < 1 && s->epsilon >= 0))
    return l2o_fail(diag, L2O_ERR_ARG, "training: Adam needs 0 <= beta1, beta2 < 1 and epsilon >= 0");
  if (!(s->clip_norm >= 0))
    return l2o_fail(diag, L2O_ERR_ARG, "training: clip_norm must not be negative");
  if (!(s->regularisation >= 0) || !isfinite(s->regularisation))
    return l2o_fail(diag, L2O_ERR_ARG, "training: regularisation must be a finite number, not negative");
  return L2O_OK;
}

/* Row of the family for instance i of a purpose: files keep their last rows for validation. */
static uint64_t row(const l2o_trainer *t, l2o_purpose purpose, uint64_t i) {
  if (!t->rows)
    return i;
  return purpose == L2O_PURPOSE_VALIDATION ? t->rows + i : i % t->rows;
}

/* Does the loss make sense for this problem? */
static l2o_status check_loss(l2o_loss loss, const l2o_problem *p, l2o_diag *diag) {
  if (loss == L2O_LOSS_LOG_GRADIENT && l2o_problem_is_composite(p) && !l2o_problem_has_prox(p))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "the loss log-gradient needs the prox of problem '%s', which has none; try log-gap",
                    l2o_problem_name(p));
  return L2O_OK;
}

/* f*, solved for where the family has no formula. */
static l2o_status find_minimum(double *minimum, const l2o_problem *p, l2o_diag *diag) {
  const l2o_status status = l2o_problem_minimum(p, minimum, NULL);
  if (status == L2O_ERR_NOTSUP)
    return l2o_fail(diag, status, "the loss log-gap needs the minimum of problem '%s', which is not known; try log-gradient",
                    l2o_problem_name(p));
  return status ? l2o_fail(diag, status, "the minimum of problem '%s': %s", l2o_problem_name(p), l2o_strerror(status)) : L2O_OK;
}

/* x*, likewise, into *solution, whose room is reused. */
static l2o_status find_solution(l2o_real **solution, const l2o_problem *p, l2o_diag *diag) {
  double minimum;
  l2o_real *room = realloc(*solution, p->n * sizeof *room);
  if (!room)
    return l2o_fail(diag, L2O_ERR_NOMEM, "training: out of memory for a minimiser of %zu unknowns", p->n);
  *solution = room;
  const l2o_status status = l2o_problem_minimum(p, &minimum, room);
  if (status == L2O_ERR_NOTSUP)
    return l2o_fail(diag, status,
                    "the loss solution needs a minimiser of problem '%s', and none is known; try log-gap or log-gradient",
                    l2o_problem_name(p));
  return status ? l2o_fail(diag, status, "the minimiser of problem '%s': %s", l2o_problem_name(p), l2o_strerror(status)) : L2O_OK;
}

/* Samples instances first .. first+count-1 over the threads, with their base steps and what the loss wants to know of their minima.
 * The first failure, in order, is reported. */
static l2o_status sample(l2o_trainer *t, l2o_purpose purpose, uint64_t seed, uint64_t first, size_t count, l2o_diag *diag) {
  const bool trains = purpose == L2O_PURPOSE_TRAIN;
  l2o_problem *problems = trains ? t->problems : t->validation;
  double *steps = trains ? t->step_sizes : t->validation_steps;
  double *minima = t->settings.loss != L2O_LOSS_LOG_GAP ? NULL : trains ? t->minima : t->validation_minima;
  l2o_real **solutions = !t->solutions ? NULL : trains ? t->solutions : t->solutions + t->held;
  l2o_status status = L2O_OK;
  size_t failed = count;
#pragma omp parallel for schedule(dynamic) num_threads(t->threads)
  for (size_t i = 0; i < count; i++) {
    l2o_diag inner = {""};
    l2o_problem_free(&problems[i]);
    l2o_status mine = l2o_family_sample(t->family, &problems[i], seed, purpose, row(t, purpose, first + i), &inner);
    if (!mine)
      mine = l2o_iterate_check(t->solver, t->model, &problems[i], &inner);
    if (!mine && t->n && problems[i].n != t->n)
      mine = l2o_fail(&inner, L2O_ERR_SHAPE, "training needs instances of one size: %zu unknowns here, %zu before", problems[i].n,
                      t->n);
    l2o_iterate it = {.problem = &problems[i], .model = t->model, .options = t->options, .n = problems[i].n};
    if (!mine && t->solver->check)
      mine = t->solver->check(&it, &inner);
    if (!mine)
      mine = check_loss(t->settings.loss, &problems[i], &inner);
    if (!mine)
      mine = l2o_iterate_base_step(&it, t->solver, &inner);
    steps[i] = it.step;
    if (!mine && minima)
      mine = find_minimum(&minima[i], &problems[i], &inner);
    if (!mine && solutions)
      mine = find_solution(&solutions[i], &problems[i], &inner);
    if (mine) {
#pragma omp critical(l2o_trainer_sample)
      if (i < failed) {
        failed = i;
        status = mine;
        if (diag)
          *diag = inner;
      }
    }
  }
  return status;
}

static l2o_trainer *layout(l2o_trainer *t, l2o_arena *arena) {
  const l2o_train_settings *s = &t->settings;
  const size_t batch = t->share.count, validation = t->validation_share.count, P = t->parameters;
  const size_t losses = s->batch > s->validation_instances ? s->batch : s->validation_instances;
  size_t check;
  if (__builtin_mul_overflow(batch, t->n, &check) || __builtin_mul_overflow(batch, t->stride, &check) ||
      __builtin_mul_overflow(t->slots, t->sum_len, &check)) {
    arena->overflow = true;
    return NULL;
  }
  l2o_trainer *self = l2o_take(arena, 1, sizeof *self);
  L2O_TAKE(arena, t->weights, P);
  L2O_TAKE(arena, t->moment1, P);
  L2O_TAKE(arena, t->moment2, P);
  L2O_TAKE(arena, t->gradient, P);
  L2O_TAKE(arena, t->proposal, P);
  L2O_TAKE(arena, t->best, P);
  L2O_TAKE(arena, t->x, batch * t->n);
  L2O_TAKE(arena, t->next_x, batch * t->n);
  L2O_TAKE(arena, t->g, batch * t->n);
  L2O_TAKE(arena, t->next_g, batch * t->n);
  L2O_TAKE(arena, t->f, batch);
  L2O_TAKE(arena, t->next_f, batch);
  L2O_TAKE(arena, t->state, batch * t->stride);
  L2O_TAKE(arena, t->next_state, batch * t->stride);
  L2O_TAKE(arena, t->stretches, l2o_stretches_most(s, t->model));
  L2O_TAKE(arena, t->sums, t->slots * t->sum_len);
  L2O_TAKE(arena, t->sum, t->sum_len + losses + 1);
  t->losses = t->sum ? t->sum + t->sum_len : NULL; /* none while room is measured */
  L2O_TAKE(arena, t->statuses, batch > validation ? batch : validation);
  L2O_TAKE(arena, t->workers, (size_t)t->threads);
  return self;
}

/* Divides the instances into groups that a thread takes at once. */
static void divide(const l2o_trainer *t, size_t *groups, const l2o_problem *problems, size_t count, size_t threads) {
  memset(groups, 0, count * sizeof *groups);
  for (size_t first = 0; first < count; first += groups[first])
    groups[first] = l2o_iterate_team(t->solver, problems + first, count - first, threads, count);
}

/* A group whose instances share a sum must not depend on the threads. */
static void divide_batch(l2o_trainer *t) {
  if (t->slots >= t->share.count) {
    divide(t, t->groups, t->problems, t->held, (size_t)t->threads);
    return;
  }
  for (size_t s = 0; s < t->slots; s++) {
    const size_t first = l2o_part(t->share.count, s, t->slots), end = l2o_part(t->share.count, s + 1, t->slots);
    divide(t, t->groups + first, t->problems + first, end - first, 1);
  }
}

/* The instance with the largest scratch: all lanes get room for it. */
static const l2o_problem *hungriest(const l2o_trainer *t) {
  const l2o_problem *best = t->problems;
  for (size_t i = 1; i < t->held + t->validation_share.count; i++)
    if (l2o_problem_hessian_work_len(&t->problems[i]) > l2o_problem_hessian_work_len(best))
      best = &t->problems[i];
  return best;
}

/* Is one of the instances composite? */
static bool any_composite(const l2o_trainer *t) {
  bool composite = false;
  for (size_t i = 0; i < t->held + t->validation_share.count; i++)
    composite |= l2o_problem_is_composite(&t->problems[i]);
  return composite;
}

static size_t widest(const l2o_trainer *t) {
  size_t width = 1;
  for (size_t i = 0; i < t->held + t->validation_share.count; i++)
    width = t->groups[i] > width ? t->groups[i] : width;
  return width;
}

/* Memory for all threads; kept if it is enough already. */
static l2o_status new_workers(l2o_trainer *t) {
  const l2o_problem *largest = hungriest(t);
  const size_t width = widest(t), room = l2o_problem_hessian_work_len(largest);
  const bool composite = any_composite(t);
  l2o_arena arena = {0};
  if (t->worker_block && width <= t->width && room <= t->room && composite <= t->composite)
    return L2O_OK;
  free(t->worker_block);
  t->worker_block = NULL;
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < t->threads; i++) {
      for (size_t j = 0; j < width; j++) {
        l2o_lane *lane = &t->workers[i].lane[j];
        lane->it = (l2o_iterate){.problem = largest, .model = t->model, .options = t->options, .n = t->n, .rng = &lane->rng};
        lane->it.subgradient = composite && !(t->solver->needs & L2O_TAKES_PROX);
        l2o_lane_layout(lane, t->solver, &t->settings, t->settings.unroll, &arena);
      }
    }
    if (pass == 0 && !l2o_arena_new(&arena))
      return L2O_ERR_NOMEM;
  }
  t->worker_block = arena.base;
  t->width = width;
  t->room = room;
  t->composite = composite;
  return L2O_OK;
}

/* The Hessian of a problem as a triangle; free() it. */
static l2o_status new_hessian(l2o_real **out, const l2o_problem *p) {
  const size_t n = p->n;
  l2o_real *packed = malloc(n * (n + 1) / 2 * sizeof *packed),
           *triangle = aligned_alloc(64, l2o_triangle_len(n) * sizeof *triangle);
  l2o_status status = packed && triangle ? l2o_problem_hessian(p, packed) : L2O_ERR_NOMEM;
  if (!status)
    l2o_triangle_fill(triangle, packed, n);
  free(packed);
  *out = triangle;
  return status;
}

/* Does training multiply by Hessians at all? */
static bool multiplies(const l2o_trainer *t) {
  return t->settings.stop_gradient != L2O_STOP_GRADIENT_DIRECTION || t->settings.loss == L2O_LOSS_LOG_GRADIENT;
}

/* Instances that are used in every step, and whose Hessian is cheaper to multiply by than they are themselves. */
static bool keeps_hessian(const l2o_trainer *t, const l2o_problem *p) {
  return !t->settings.fresh && multiplies(t) && t->solver->gradient_at != L2O_GRADIENT_ANYWHERE && l2o_problem_prefers_hessian(p);
}

/* Hessians, where they are kept. A group shares one. */
static l2o_status new_hessians(l2o_trainer *t) {
  l2o_status status = L2O_OK;
#pragma omp parallel for schedule(dynamic) num_threads(t->threads)
  for (size_t b = 0; b < t->share.count; b++) {
    if (!t->groups[b] || !keeps_hessian(t, &t->problems[b]))
      continue;
    const l2o_status mine = new_hessian(&t->hessians[b], &t->problems[b]);
    if (mine) {
#pragma omp critical(l2o_trainer_sample)
      status = mine;
    }
  }
  return status;
}

/* Problems of the present round, and their base steps. */
static l2o_status begin_round(l2o_trainer *t, l2o_diag *diag) {
  const l2o_train_settings *s = &t->settings;
  if (t->sampled_round != SIZE_MAX && (!s->fresh || t->sampled_round == t->progress.round))
    return L2O_OK;
  uint64_t first = t->share.first + (s->fresh ? (uint64_t)t->progress.round * s->batch : 0);
  l2o_status status = sample(t, L2O_PURPOSE_TRAIN, s->seed, first, t->held, diag);
  if (!status)
    divide_batch(t);
  if (!status && t->workers && (status = new_workers(t)))
    l2o_fail(diag, status, "training step %zu: out of memory for new instances", t->progress.step);
  t->sampled_round = status ? SIZE_MAX : t->progress.round;
  return status;
}

static void free_instances(l2o_trainer *t) {
  for (size_t i = 0; t->problems && i < t->held + t->validation_share.count; i++)
    l2o_problem_free(&t->problems[i]);
  for (size_t i = 0; t->hessians && i < t->held; i++)
    free(t->hessians[i]);
  for (size_t i = 0; t->solutions && i < t->held + t->validation_share.count; i++)
    free(t->solutions[i]);
  free(t->solutions);
  free(t->problems);
  free(t->step_sizes);
  free(t->groups);
  free(t->hessians);
}

/* Options and what the settings ask of the family. */
static l2o_status accept(l2o_trainer *t, l2o_diag *diag) {
  l2o_train_settings *s = &t->settings;
  const l2o_solver *solver = t->solver;
  const l2o_family *family = t->family;
  l2o_status status = check_settings(s, diag);
  if (!status && !solver->step_vjp)
    status = l2o_fail(diag, L2O_ERR_NOTSUP, "%s is not a learned rule: there is nothing to train", solver->name);
  if (!status)
    status = l2o_layerwise_check(s, t->model, diag);
  if (!status && s->stop_gradient == L2O_STOP_GRADIENT_NONE && (solver->needs & L2O_CONSTANT_INPUTS))
    status = l2o_fail(diag, L2O_ERR_NOTSUP,
                      "training %s takes the inputs of its network for constants; expected stop_gradient features, not none",
                      solver->name);
  if (!status && s->loss == L2O_LOSS_DECREASE && !(solver->needs & L2O_FACTORS))
    status =
        l2o_fail(diag, L2O_ERR_NOTSUP,
                 "the loss decrease is for rules that multiply a direction of descent by factors; %s does not; try last or mean",
                 solver->name);
  if (!status && s->regularisation > 0 && !(solver->needs & L2O_FACTORS))
    status = l2o_fail(diag, L2O_ERR_NOTSUP,
                      "regularisation is for rules that multiply a direction of descent by factors; %s does not", solver->name);
  if (!status)
    status = l2o_options_parse(solver->options, t->options, solver->name, s->options, diag);
  s->options = NULL; /* parsed; the text may go */
  int guard = status ? -1 : l2o_solver_option(solver, "guard");
  if (guard >= 0 && t->options[guard] != 0)
    status = l2o_fail(diag, L2O_ERR_ARG, "%s: the guard is for solving; training needs guard=off", solver->name);
  if (!status && family->count) { /* a file: the last rows are for validation */
    if (s->validation_instances >= family->count)
      status = l2o_fail(diag, L2O_ERR_ARG, "family %s has %zu instances: no room for %zu validation instances beside training ones",
                        family->name, family->count, s->validation_instances);
    t->rows = family->count - s->validation_instances;
    if (!status && !s->fresh && s->batch > t->rows)
      status = l2o_fail(diag, L2O_ERR_ARG, "family %s has %zu instances to train on, fewer than the batch of %zu", family->name,
                        t->rows, s->batch);
  }
  return status;
}

/* This rank's instances; everything that can be wrong with them. */
static l2o_status set_up(l2o_trainer *t, l2o_diag *diag) {
  const l2o_train_settings *s = &t->settings;
  l2o_status status = accept(t, diag);
  if (status)
    return status;
  t->share = l2o_share_of(s, s->batch);
  t->validation_share = l2o_share_of(s, s->validation_instances);
  const size_t held = t->share.count ? t->share.count : 1, validation = t->validation_share.count;
  t->threads = s->threads > 0 ? s->threads : omp_get_max_threads();
  if ((size_t)t->threads > held && (size_t)t->threads > validation)
    t->threads = (int)(held > validation ? held : validation);
  t->problems = calloc(held + validation, sizeof *t->problems);
  t->step_sizes = calloc(2 * (held + validation), sizeof *t->step_sizes);
  t->groups = calloc(held + validation, sizeof *t->groups);
  t->hessians = calloc(held, sizeof *t->hessians);
  if (s->loss == L2O_LOSS_SOLUTION)
    t->solutions = calloc(held + validation, sizeof *t->solutions);
  if (!t->problems || !t->step_sizes || !t->groups || !t->hessians || (s->loss == L2O_LOSS_SOLUTION && !t->solutions))
    return l2o_fail(diag, L2O_ERR_NOMEM, "training: out of memory for %zu instances", held + validation);
  t->held = held;
  t->sum_len = t->model->type->sum_len(t->model);
  t->slots = slots_of(t->share.count, t->sum_len);
  t->validation = t->problems + held;
  t->validation_steps = t->step_sizes + held;
  t->minima = t->validation_steps + validation;
  t->validation_minima = t->minima + held;
  t->validation_groups = t->groups + held;
  t->n = t->family->n;
  if ((status = begin_round(t, diag)))
    return status;
  t->n = t->problems[0].n;
  for (size_t i = 1; i < held; i++)
    if (t->problems[i].n != t->n)
      return l2o_fail(diag, L2O_ERR_SHAPE,
                      "training needs instances of one size: instance %zu has %zu unknowns, instance %zu has %zu",
                      t->share.first + i, t->problems[i].n, t->share.first, t->n);
  status = sample(t, L2O_PURPOSE_VALIDATION, s->validation_seed, t->validation_share.first, validation, diag);
  if (status)
    return status;
  divide(t, t->validation_groups, t->validation, validation, (size_t)t->threads);
  status = new_hessians(t);
  return status ? l2o_fail(diag, status, "training: the Hessians of the instances: %s", l2o_strerror(status)) : L2O_OK;
}

/* What the sizes decided, for the log. */
static void describe(l2o_trainer *t) {
  const size_t reads = l2o_problem_hessian_reads(t->problems), packed = t->n * (t->n + 1) / 2;
  const char *many = t->width > 1 ? ", for several instances at a time" : "";
  if (!multiplies(t))
    return;
  if (reads && keeps_hessian(t, t->problems))
    snprintf(t->note, sizeof t->note, "backward passes multiply by the Hessian W'W, %zu reals, instead of by W, %zu%s", packed,
             reads, many);
  else if (reads)
    snprintf(t->note, sizeof t->note, "backward passes multiply by the problem's matrix, %zu reals%s", reads, many);
}

/* The trainer itself, once all ranks have their instances and agree on their size. */
static l2o_status assemble(l2o_trainer **out, l2o_trainer *t, l2o_diag *diag) {
  l2o_iterate probe = {.problem = t->problems, .model = t->model, .options = t->options, .n = t->n};
  l2o_arena arena = {0};
  l2o_model_parameters(t->model, &t->parameters);
  t->state_len = t->solver->state_len ? t->solver->state_len(&probe) : 0;
  t->stride = l2o_whole_lines(t->state_len); /* where a state begins does not depend on the ranks */
  layout(t, &arena);
  if (!l2o_arena_new(&arena))
    return l2o_fail(diag, L2O_ERR_NOMEM, "training: out of memory for %zu parameters and batch %zu", t->parameters, t->held);
  l2o_trainer *self = layout(t, &arena);
  *self = *t;
  l2o_status status = new_workers(self);
  if (status) {
    free(self);
    return l2o_fail(diag, status, "training: out of memory for %d threads of %zu unrolled steps", t->threads, t->settings.unroll);
  }
  for (size_t i = 0; i < self->parameters; i++)
    self->weights[i] = (double)self->model->parameters[i];
  describe(self);
  *out = self;
  return L2O_OK;
}

l2o_status l2o_trainer_new(l2o_trainer **out, l2o_model *model, const l2o_solver *solver, const l2o_family *family,
                           const l2o_train_settings *settings, l2o_diag *diag) {
  *out = NULL;
  l2o_trainer t = {.model = model, .solver = solver, .family = family, .sampled_round = SIZE_MAX, .progress = {.best = HUGE_VAL}};
  l2o_train_settings *s = &t.settings;
  l2o_train_settings_init(s, sizeof *s);
  if (settings && settings->struct_size)
    memcpy(s, settings, settings->struct_size < sizeof *s ? settings->struct_size : sizeof *s);
  s->struct_size = sizeof *s;
  l2o_status status = l2o_ranks_check(s, diag);
  if (status)
    return status;
  /* From here on every rank makes every call that adds up, whatever becomes of its own work. */
  status = l2o_ranks_agree(s, set_up(&t, diag), diag);
  const size_t sizes[] = {t.n, t.rows};
  if (!status)
    status = l2o_ranks_compare(s, sizes, sizeof sizes, L2O_ERR_SHAPE,
                               "training needs instances of one size and one file of them, and the ranks have several", diag);
  if (!status)
    status = l2o_ranks_agree(s, assemble(out, &t, diag), diag);
  if (!status)
    status = l2o_ranks_compare(s, (*out)->weights, (*out)->parameters * sizeof *(*out)->weights, L2O_ERR_ARG,
                               "training starts from one set of weights, and the ranks have several", diag);
  if (status && *out) /* another rank failed */
    l2o_trainer_free(*out);
  else if (status)
    free_instances(&t);
  if (status)
    *out = NULL;
  return status;
}

void l2o_trainer_free(l2o_trainer *t) {
  if (!t)
    return;
  free_instances(t);
  free(t->worker_block);
  free(t);
}

/* Points a lane at an instance. */
static void place(const l2o_trainer *t, l2o_lane *lane, const l2o_problem *problem, double step) {
  l2o_iterate *it = &lane->it;
  it->problem = problem;
  it->step = step;
  l2o_iterate_prepare(it, t->solver);
  it->f = (double)NAN;
  lane->status = L2O_OK;
}

static void start(const l2o_trainer *t, l2o_lane *lane) {
  lane->status = l2o_problem_start(lane->it.problem, lane->it.x);
  if (!lane->status)
    lane->status = l2o_iterate_init(&lane->it, t->solver);
}

/* Where the last segment of instance `at` ended. */
static void go_on(const l2o_trainer *t, l2o_lane *lane, size_t at) {
  l2o_iterate *it = &lane->it;
  l2o_iterate_clear(it);
  memcpy(it->x, t->x + at * t->n, t->n * sizeof *it->x);
  memcpy(it->state, t->state + at * t->stride, t->state_len * sizeof *it->state);
  it->k = t->progress.position;
  if (!t->looked)
    return;
  memcpy(it->g, t->g + at * t->n, t->n * sizeof *it->g);
  it->f = t->f[at];
  it->has_gradient = true;
}

/* First failure in the order of the instances; what is not finite is no failure. */
static l2o_status first_failure(const l2o_status *statuses, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (statuses[i] && statuses[i] != L2O_ERR_NUMERIC)
      return statuses[i];
  return L2O_OK;
}

/* Minus zero is what adds nothing to any number, zeros included: the losses of other ranks' instances will come out as they went
 * in. */
static void clear_losses(l2o_trainer *t, size_t count) {
  for (size_t i = 0; i < count; i++)
    t->losses[i] = -0.0;
}

static void note_loss(l2o_trainer *t, l2o_share share, size_t i, const l2o_lane *lane) {
  t->losses[share.first + i] = lane->status ? (double)NAN : lane->loss;
  t->statuses[i] = lane->status;
}

/* Adds up over the ranks: `count` losses, what stands before them from `values` on, and the number of ranks that failed. */
static l2o_status add_up(l2o_trainer *t, double *values, size_t count, l2o_status status, l2o_diag *diag) {
  t->losses[count] = status != L2O_OK;
  l2o_status summed = l2o_ranks_sum(&t->settings, values, (size_t)(t->losses - values) + count + 1, diag);
  if (summed)
    return summed;
  return t->losses[count] > 0 ? l2o_ranks_agree(&t->settings, status, diag) : L2O_OK;
}

enum { SUM_BLOCK = 256 }; /* sums that stay in the first-level cache while the instances are added to them */

/* What a training step goes through: `steps` of the horizon, forward; back to behind the first `from` of them. */
typedef struct segment {
  size_t steps, from;
} segment;

/* The instances at .. at+size-1, which belong together, through the segment. */
static void unroll_group(l2o_trainer *t, l2o_worker *w, size_t at, size_t size, double *const *sums, const segment *through,
                         double factor) {
  const l2o_train_settings *s = &t->settings;
  for (size_t i = 0; i < size; i++) {
    const size_t b = at + i;
    l2o_lane *lane = &w->lane[i];
    lane->hessian = t->hessians[at];
    lane->minimum = t->minima[b];
    lane->solution = t->solutions ? t->solutions[b] : NULL;
    lane->sum = sums[i];
    lane->it.state = t->next_state + b * t->stride; /* large for some rules: moved on in place */
    place(t, lane, &t->problems[b], t->step_sizes[b]);
    l2o_iterate_seed(&lane->it, s->seed, (uint32_t)t->progress.round, t->share.first + b);
    if (t->progress.position == 0)
      start(t, lane);
    else
      go_on(t, lane, b);
  }
  l2o_unroll(w->lane, size, t->solver, s, through->steps, through->from, factor);
  for (size_t i = 0; i < size; i++) {
    const size_t b = at + i;
    const l2o_lane *lane = &w->lane[i];
    memcpy(t->next_x + b * t->n, lane->it.x, t->n * sizeof *t->next_x);
    memcpy(t->next_g + b * t->n, lane->it.g, t->n * sizeof *t->next_g);
    t->next_f[b] = lane->it.f;
    note_loss(t, t->share, b, lane);
  }
}

/* Takes this rank's instances through a segment, forward and back: losses, and the sum of their accumulators; new iterates into
 * next_x, next_state. */
static l2o_status unroll_share(l2o_trainer *t, const segment *through, double factor, l2o_diag *diag) {
  const size_t batch = t->share.count, len = t->sum_len;
  const bool shared = t->slots < batch; /* a sum serves several instances, those of whole groups; else each has its own */
#pragma omp parallel num_threads(t->threads)
  {
    l2o_worker *w = &t->workers[omp_get_thread_num()];
#pragma omp for schedule(dynamic)
    for (size_t slot = 0; slot < t->slots; slot++) {
      const size_t end = l2o_part(batch, slot + 1, t->slots);
      if (shared)
        memset(t->sums + slot * len, 0, len * sizeof *t->sums);
      for (size_t at = l2o_part(batch, slot, t->slots); at < end; at++) {
        const size_t size = t->groups[at];
        double *sums[L2O_TOGETHER];
        for (size_t i = 0; i < size; i++) {
          sums[i] = t->sums + (shared ? slot : at + i) * len;
          if (!shared)
            memset(sums[i], 0, len * sizeof *t->sums);
        }
        if (size)
          unroll_group(t, w, at, size, sums, through, factor);
      }
    }
    /* sums in the order of the instances, so that the bits do not depend on the threads */
#pragma omp for schedule(static)
    for (size_t first = 0; first < len; first += SUM_BLOCK) {
      const size_t end = first + SUM_BLOCK < len ? first + SUM_BLOCK : len;
      memset(t->sum + first, 0, (end - first) * sizeof *t->sum);
      for (size_t slot = 0; slot < t->slots; slot++)
        for (size_t i = first; i < end; i++)
          t->sum[i] += t->sums[slot * len + i];
    }
  }
  l2o_status status = first_failure(t->statuses, batch);
  return status ? l2o_fail(diag, status, "training step %zu: %s", t->progress.step, l2o_strerror(status)) : L2O_OK;
}

/* Loss and gradient of a segment into *loss and t->gradient, of all instances of the batch. */
static l2o_status forward_backward(l2o_trainer *t, double *loss, bool *finite, const segment *through, l2o_diag *diag) {
  const size_t batch = t->settings.batch;
  const double factor = t->settings.reduction == L2O_REDUCTION_MEAN ? 1 / (double)batch : 1;
  clear_losses(t, batch);
  l2o_status status = begin_round(t, diag);
  if (!status)
    status = unroll_share(t, through, factor, diag);
  if ((status = add_up(t, t->sum, batch, status, diag)))
    return status;
  *loss = 0;
  for (size_t b = 0; b < batch; b++)
    *loss += t->losses[b];
  *loss *= factor;
  *finite = isfinite(*loss);
  if (*finite) {
    t->model->type->gradient(t->model, t->gradient, t->sum);
    *finite = l2o_all_finite_double(t->gradient, t->parameters);
  }
  return L2O_OK;
}

/* 2-norm of the gradient of what moves. */
static double norm_of(const l2o_trainer *t, size_t stretches) {
  double sum = 0;
  for (size_t i = 0; i < stretches; i++)
    for (size_t j = t->stretches[i].first; j < t->stretches[i].first + t->stretches[i].count; j++)
      sum += t->gradient[j] * t->gradient[j];
  return sqrt(sum);
}

/* Steps of the next segment: to the end of the horizon, or to the layer that is trained. */
static size_t next_steps(const l2o_trainer *t, const l2o_stage *stage) {
  const size_t left = stage->layer ? stage->layer : t->settings.horizon - t->progress.position;
  return left < t->settings.unroll ? left : t->settings.unroll;
}

l2o_status l2o_trainer_gradient(l2o_trainer *t, double *loss, double *gradient, l2o_diag *diag) {
  bool finite;
  const l2o_stage stage = l2o_stage_at(&t->settings, t->model, t->progress.step);
  const segment through = {.steps = next_steps(t, &stage)};
  l2o_status status = forward_backward(t, loss, &finite, &through, diag);
  if (status)
    return status;
  if (!finite)
    return l2o_fail(diag, L2O_ERR_NUMERIC, "the loss or its gradient is not finite");
  memcpy(gradient, t->gradient, t->parameters * sizeof *gradient);
  return L2O_OK;
}

/* Moments of what moves begin at zero. */
static void forget(l2o_trainer *t, size_t stretches) {
  for (size_t i = 0; i < stretches; i++) {
    const l2o_stretch *moves = &t->stretches[i];
    memset(t->moment1 + moves->first, 0, moves->count * sizeof *t->moment1);
    memset(t->moment2 + moves->first, 0, moves->count * sizeof *t->moment2);
  }
  t->progress.updates = 0;
}

/* Makes the update; false if a weight would not be finite, and the weights are as before then. */
static bool update(l2o_trainer *t, double rate, size_t stretches) {
  const l2o_train_settings *s = &t->settings;
  memcpy(t->proposal, t->weights, t->parameters * sizeof *t->weights);
  for (size_t i = 0; i < stretches; i++) {
    const l2o_stretch *moves = &t->stretches[i];
    const size_t at = moves->first;
    if (s->optimizer == L2O_OPTIMIZER_ADAM)
      l2o_adam_update(t->proposal + at, t->moment1 + at, t->moment2 + at, t->gradient + at, s, rate * moves->factor,
                      t->progress.updates + 1, moves->count);
    else
      l2o_sgd_update(t->proposal + at, t->gradient + at, rate * moves->factor, moves->count);
  }
  if (l2o_model_set_parameters(t->model, t->proposal, t->parameters))
    return false;
  memcpy(t->weights, t->proposal, t->parameters * sizeof *t->weights);
  t->progress.updates++;
  return true;
}

l2o_status l2o_trainer_step(l2o_trainer *t, l2o_train_record *record, l2o_diag *diag) {
  const l2o_train_settings *s = &t->settings;
  l2o_progress *p = &t->progress;
  const l2o_stage stage = l2o_stage_at(s, t->model, p->step);
  segment through = {.steps = next_steps(t, &stage)};
  const size_t stretches = l2o_stretches(t->stretches, &through.from, s, t->model, &stage);
  double loss = (double)NAN, norm = (double)NAN, rate = stage.factor * l2o_schedule_rate(s, p->step);
  bool accepted;
  l2o_status status = forward_backward(t, &loss, &accepted, &through, diag);
  if (status)
    return status;
  if (stage.begins)
    forget(t, stretches);
  if (accepted) {
    norm = norm_of(t, stretches);
    accepted = isfinite(norm);
    if (accepted && s->clip_norm > 0 && norm > s->clip_norm)
      for (size_t i = 0; i < t->parameters; i++)
        t->gradient[i] *= s->clip_norm / norm;
    accepted = accepted && update(t, rate, stretches);
  }
  p->step++;
  p->position += through.steps;
  if (accepted && p->position < s->horizon && !stage.layer) { /* the horizon goes on from here */
    l2o_real *swap = t->x;
    t->x = t->next_x, t->next_x = swap;
    swap = t->g;
    t->g = t->next_g, t->next_g = swap;
    swap = t->state;
    t->state = t->next_state, t->next_state = swap;
    double *objectives = t->f;
    t->f = t->next_f, t->next_f = objectives;
    t->looked = true;
  } else {
    p->position = 0;
    p->round++;
  }
  p->rejected_run = accepted ? 0 : p->rejected_run + 1;
  p->rejected += !accepted;
  if (record)
    *record = (l2o_train_record){.step = p->step,
                                 .loss = loss,
                                 .learning_rate = rate,
                                 .gradient_norm = norm,
                                 .rejected = !accepted,
                                 .rejected_total = p->rejected,
                                 .layer = stage.layer,
                                 .stage = stage.stage};
  if (s->max_rejected && p->rejected_run >= s->max_rejected)
    return l2o_fail(
        diag, L2O_ERR_NUMERIC,
        "training step %zu: loss or gradient was not finite %zu times in a row; try a smaller learning rate, clip_norm or "
        "a shorter horizon",
        p->step, p->rejected_run);
  return L2O_OK;
}

/* Takes this rank's validation instances through the whole horizon. */
static l2o_status solve_share(l2o_trainer *t, l2o_diag *diag) {
  const size_t count = t->validation_share.count;
  if (!t->worker_block && new_workers(t)) /* a step was short of memory */
    return l2o_fail(diag, L2O_ERR_NOMEM, "validation: %s", l2o_strerror(L2O_ERR_NOMEM));
#pragma omp parallel for schedule(dynamic) num_threads(t->threads)
  for (size_t b = 0; b < count; b++) {
    l2o_worker *w = &t->workers[omp_get_thread_num()];
    const size_t size = t->validation_groups[b];
    for (size_t i = 0; i < size; i++) {
      l2o_lane *lane = &w->lane[i];
      lane->it.state = lane->state;
      lane->minimum = t->validation_minima[b + i];
      lane->solution = t->solutions ? t->solutions[t->held + b + i] : NULL;
      place(t, lane, &t->validation[b + i], t->validation_steps[b + i]);
      l2o_iterate_seed(&lane->it, t->settings.validation_seed, 0, t->validation_share.first + b + i); /* the same in every round */
      start(t, lane);
    }
    if (size)
      l2o_unroll_forward(w->lane, size, t->solver, t->settings.loss, t->settings.horizon);
    for (size_t i = 0; i < size; i++)
      note_loss(t, t->validation_share, b + i, &w->lane[i]);
  }
  l2o_status status = first_failure(t->statuses, count);
  return status ? l2o_fail(diag, status, "validation: %s", l2o_strerror(status)) : L2O_OK;
}

l2o_status l2o_trainer_validate(l2o_trainer *t, double *objective, l2o_diag *diag) {
  const size_t count = t->settings.validation_instances;
  if (!count)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "there are no validation instances");
  clear_losses(t, count);
  l2o_status status = add_up(t, t->losses, count, solve_share(t, diag), diag);
  if (status)
    return status;
  *objective = 0;
  for (size_t i = 0; i < count; i++)
    *objective += t->losses[i] / (double)count;
  if (isnan(*objective))
    *objective = HUGE_VAL;
  return L2O_OK;
}

bool l2o_trainer_keep_best(l2o_trainer *t, double objective) {
  if (!(objective < t->progress.best))
    return false;
  t->progress.best = objective;
  memcpy(t->best, t->weights, t->parameters * sizeof *t->best);
  return true;
}

l2o_status l2o_trainer_use_best(l2o_trainer *t) {
  if (t->progress.best == HUGE_VAL)
    return L2O_ERR_NOTSUP;
  return l2o_model_set_parameters(t->model, t->best, t->parameters);
}

const char *l2o_trainer_note(const l2o_trainer *t) {
  return t->note;
}

size_t l2o_trainer_steps_done(const l2o_trainer *t) {
  return t->progress.step;
}
