/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiled twice: against libl2o it is engine_double, with L2O_SINGLE against libl2of engine_single. */
#include "engine.h"
#include "core/nearest.h"
#include "gsl_solvers.h"
#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef L2O_SINGLE
/* OpenBLAS is left alone: the library calls it on one thread, and openblas_set_num_threads() of its OpenMP build would take the
 * threads from our loops too. */
void engine_start(void) {
  gsl_solvers_start();
}

size_t engine_rows(size_t iterations, size_t every) {
  return (iterations + every - 1) / every + 1;
}

size_t engine_iteration(size_t row, size_t iterations, size_t every) {
  return row * every < iterations ? row * every : iterations;
}

bool engine_runs_new(engine_runs *runs, size_t count, size_t length, size_t n) {
  runs->count = count;
  runs->length = length;
  runs->records = calloc(count * length + 1, sizeof *runs->records);
  runs->stops = calloc(count + 1, sizeof *runs->stops);
  runs->failed = calloc(count + 1, sizeof *runs->failed);
  runs->iterates = n ? calloc(count * length * n + 1, sizeof *runs->iterates) : NULL;
  return runs->records && runs->stops && runs->failed && (!n || runs->iterates);
}

void engine_runs_free(engine_runs *runs) {
  free(runs->records);
  free(runs->stops);
  free(runs->failed);
  free(runs->iterates);
  *runs = (engine_runs){0};
}
#endif

struct engine_problems {
  size_t first, count, n; /* n: unknowns of each, 0 where they differ */
  l2o_problem *at;
};

__attribute__((format(printf, 3, 4))) static l2o_status fail(l2o_diag *diag, l2o_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (diag)
    vsnprintf(diag->text, sizeof diag->text, format, args);
  va_end(args);
  return status;
}

static int thread_count(int threads) {
  return threads > 0 ? threads : omp_get_max_threads();
}

/* ---- instances ---- */

static void problems_free(engine_problems *problems) {
  if (!problems)
    return;
  for (size_t i = 0; i < problems->count; i++)
    if (problems->at[i].ops)
      l2o_problem_free(&problems->at[i]);
  free(problems->at);
  free(problems);
}

static l2o_status problems_new(engine_problems **out, const l2o_family *family, uint64_t seed, l2o_purpose purpose, size_t first,
                               size_t count, int threads, l2o_diag *diag) {
  engine_problems *p = calloc(1, sizeof *p);
  *out = NULL;
  if (p)
    p->at = calloc(count + 1, sizeof *p->at);
  if (!p || !p->at) {
    free(p);
    return fail(diag, L2O_ERR_NOMEM, "out of memory for %zu instances", count);
  }
  p->first = first;
  p->count = count;
  l2o_status status = L2O_OK;
  size_t failed = count; /* the failure that is told is the same whatever the threads do */
#pragma omp parallel for schedule(dynamic) num_threads(thread_count(threads))
  for (size_t i = 0; i < count; i++) {
    l2o_diag inner = {""};
    l2o_status mine = l2o_family_sample(family, &p->at[i], seed, purpose, first + i, &inner);
    if (mine) {
#pragma omp critical(engine_problems_new)
      if (i < failed) {
        failed = i;
        status = mine;
        fail(diag, mine, "%s", inner.text[0] ? inner.text : l2o_strerror(mine));
      }
    }
  }
  if (status) {
    problems_free(p);
    return status;
  }
  p->n = p->at[0].n;
  for (size_t i = 1; i < count; i++)
    if (p->at[i].n != p->n)
      p->n = 0;
  *out = p;
  return L2O_OK;
}

static size_t unknowns(const engine_problems *problems) {
  return problems->n;
}

static void minima(double *out, const engine_problems *problems, int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(thread_count(threads))
  for (size_t i = 0; i < problems->count; i++)
    if (l2o_problem_minimum(&problems->at[i], &out[i], NULL) != L2O_OK)
      out[i] = nan("");
}

/* ---- solvers ---- */

/* The i-th of the library's solvers and then of the peers. */
static const l2o_solver *solver_at(size_t i) {
  const l2o_solver *const *s = l2o_solver_list();
  for (; *s; s++)
    if (i-- == 0)
      return *s;
  for (s = gsl_solvers; *s; s++)
    if (i-- == 0)
      return *s;
  return NULL;
}

static const char *solver_name(const void *context, size_t i) {
  (void)context;
  const l2o_solver *s = solver_at(i);
  return s ? s->name : NULL;
}

static const l2o_solver *find(const char *name, l2o_diag *diag) {
  const l2o_solver *s;
  for (size_t i = 0; (s = solver_at(i)) != NULL; i++)
    if (strcmp(s->name, name) == 0)
      return s;
  const char *near = l2o_nearest(name, solver_name, NULL);
  if (near)
    fail(diag, L2O_ERR_ARG, "there is no solver '%.60s'; did you mean '%s'?", name, near);
  else
    fail(diag, L2O_ERR_ARG, "there is no solver '%.60s'; --list-solvers lists them", name);
  return NULL;
}

static bool rule_find(engine_rule *out, const char *name, l2o_diag *diag) {
  const l2o_solver *s = find(name, diag);
  *out = (engine_rule){.learned = s && (s->needs & L2O_NEEDS_MODEL), .model_kind = s ? s->model_kind : NULL};
  return s != NULL;
}

static int go_on(void *context, const l2o_record *record, const l2o_real *x, size_t instance) {
  const engine_task *task = context;
  (void)record, (void)x, (void)instance;
  return !task->go_on(task->context);
}

static l2o_settings settings_of(const engine_task *task) {
  l2o_settings s = l2o_settings_default();
  s.options = task->options;
  s.iterations = task->iterations;
  s.record_every = task->record_every;
  s.calls = task->calls;
  s.seconds = task->seconds;
  s.gradient_tolerance = task->gradient_tolerance;
  s.seed = task->seed;
  s.threads = task->threads;
  return s;
}

static l2o_status check(const engine_problems *problems, const engine_task *task, l2o_diag *diag) {
  const l2o_solver *solver = find(task->rule, diag);
  const l2o_settings settings = settings_of(task);
  l2o_run *run = NULL;
  if (!solver)
    return L2O_ERR_ARG;
  if (problems->first || !problems->count)
    return L2O_OK;
  l2o_status status = l2o_run_new(&run, solver, task->model, &problems->at[0], &settings, diag);
  l2o_run_free(run);
  return status;
}

/* Every trace stretched to the same rows: a run that ended early stays where it ended. */
static bool keep_records(engine_runs *out, l2o_trace *const *traces, const l2o_result *results, const engine_task *task, size_t n) {
  const size_t count = out->count, length = out->length;
  if (!engine_runs_new(out, count, length, n))
    return false;
  for (size_t i = 0; i < count; i++) {
    size_t have;
    const l2o_record *from = l2o_trace_records(traces[i], &have);
    const l2o_real *x = n ? l2o_trace_iterates(traces[i]) : NULL;
    out->stops[i] = results[i].stop;
    out->failed[i] = results[i].status != L2O_OK;
    for (size_t k = 0, row = 0; k < length; k++) {
      while (row + 1 < have && from[row + 1].iteration <= engine_iteration(k, task->iterations, task->record_every))
        row++;
      /* Without any record not even the start could be evaluated. */
      out->records[i * length + k] = have ? from[row] : (l2o_record){.objective = nan(""), .gradient_norm = nan("")};
      for (size_t j = 0; j < n; j++)
        out->iterates[(k * count + i) * n + j] = have ? (double)x[row * n + j] : nan("");
    }
  }
  return true;
}

static l2o_status solve(engine_runs *out, const engine_problems *problems, const engine_task *task, l2o_diag *diag) {
  const size_t count = problems->count, n = task->keep_iterates ? problems->n : 0;
  *out = (engine_runs){.count = count, .length = engine_rows(task->iterations, task->record_every)};
  const l2o_solver *solver = find(task->rule, diag);
  if (!solver)
    return L2O_ERR_ARG;
  size_t reals = 0, offset = 0;
  for (size_t i = 0; i < count; i++)
    reals += problems->at[i].n;
  l2o_settings settings = settings_of(task);
  l2o_real *x = calloc(reals + 1, sizeof *x);
  l2o_result *results = calloc(count + 1, sizeof *results);
  l2o_trace **traces = calloc(count + 1, sizeof *traces);
  l2o_status status = x && results && traces ? L2O_OK : L2O_ERR_NOMEM;
  for (size_t i = 0; i < count && !status; i++) {
    status = l2o_trace_new(&traces[i], out->length, n);
    if (!status)
      status = l2o_problem_start(&problems->at[i], x + offset);
    offset += problems->at[i].n;
  }
  settings.traces = traces;
  settings.first = problems->first;
  settings.callback = task->go_on ? go_on : NULL;
  settings.context = (void *)task; /* go_on() only reads it */
  if (!status) {
    /* Runs that were given up are told apart below; the other instances count all the same. */
    if (l2o_solve_many(solver, task->model, problems->at, count, x, results, &settings, &out->failure) == L2O_OK)
      out->failure.text[0] = '\0';
    if (!keep_records(out, traces, results, task, n))
      status = L2O_ERR_NOMEM;
  }
  for (size_t i = 0; traces && i < count; i++)
    l2o_trace_free(traces[i]);
  free(traces);
  free(results);
  free(x);
  if (status == L2O_ERR_NOMEM)
    fail(diag, status, "out of memory for %zu iterations of %zu instances", task->iterations, count);
  else if (status)
    fail(diag, status, "the start of an instance: %s", l2o_strerror(status));
  if (status)
    engine_runs_free(out);
  return status;
}

/* ---- training ---- */

static l2o_status model_fit(l2o_model *model, const l2o_family *family, uint64_t seed, l2o_diag *diag) {
  l2o_problem first;
  l2o_status status = l2o_family_sample(family, &first, seed, L2O_PURPOSE_TRAIN, 0, diag);
  if (status)
    return status;
  status = l2o_model_fit_problem(model, &first, diag);
  l2o_problem_free(&first);
  return status;
}

static l2o_status trainer_new(l2o_trainer **out, l2o_model *model, const char *rule, const l2o_family *family,
                              const l2o_train_settings *settings, l2o_diag *diag) {
  const l2o_solver *solver = find(rule, diag);
  *out = NULL;
  if (!solver)
    return L2O_ERR_ARG;
  if (!(solver->needs & L2O_NEEDS_MODEL))
    return fail(diag, L2O_ERR_ARG, "%s is not a learned rule: there is nothing to train", rule);
  return l2o_trainer_new(out, model, solver, family, settings, diag);
}

/* ---- training of a network ---- */

struct engine_fit {
  l2o_problem problem;
  l2o_run *run;
};

static void fit_free(engine_fit *fit) {
  if (!fit)
    return;
  l2o_run_free(fit->run);
  if (fit->problem.ops)
    l2o_problem_free(&fit->problem);
  free(fit);
}

static l2o_status fit_new(engine_fit **out, const l2o_family *family, uint64_t seed, const char *rule, const char *options,
                          l2o_diag *diag) {
  const l2o_solver *solver = find(rule, diag);
  l2o_settings s = l2o_settings_default();
  *out = NULL;
  if (!solver)
    return L2O_ERR_ARG;
  if (solver->needs & L2O_NEEDS_MODEL)
    return fail(diag, L2O_ERR_ARG, "%s is a learned rule: training it needs a section model", rule);
  engine_fit *fit = calloc(1, sizeof *fit);
  if (!fit)
    return fail(diag, L2O_ERR_NOMEM, "out of memory");
  s.options = options;
  s.seed = seed;
  l2o_status status = l2o_family_sample(family, &fit->problem, seed, L2O_PURPOSE_TRAIN, 0, diag);
  if (!status)
    status = l2o_run_new(&fit->run, solver, NULL, &fit->problem, &s, diag);
  if (!status && (status = l2o_run_start(fit->run, NULL)))
    fail(diag, status, "the start of problem '%s': %s", l2o_problem_name(&fit->problem), l2o_strerror(status));
  if (status)
    fit_free(fit);
  else
    *out = fit;
  return status;
}

static l2o_status fit_step(engine_fit *fit, l2o_stop *stop) {
  return l2o_run_step(fit->run, stop);
}

static l2o_status fit_record(engine_fit *fit, l2o_record *record) {
  return l2o_run_record(fit->run, record);
}

static l2o_status fit_scale(engine_fit *fit, double factor, double *step) {
  return l2o_run_scale_step(fit->run, factor, step);
}

static size_t fit_steps_done(const engine_fit *fit) {
  return l2o_run_steps(fit->run);
}

static l2o_status fit_save(const engine_fit *fit, const char *path, const char *config_id, l2o_diag *diag) {
  return l2o_run_save(fit->run, path, config_id, diag);
}

static l2o_status fit_resume(engine_fit *fit, const char *path, const char *config_id, l2o_diag *diag) {
  return l2o_run_resume(fit->run, path, config_id, diag);
}

static l2o_status fit_save_weights(const engine_fit *fit, const char *path, l2o_diag *diag) {
  return l2o_weights_save(&fit->problem, l2o_run_x(fit->run), path, diag);
}

static l2o_status write_gradient(const engine_fit *fit, double loss, const double *g, const char *path, l2o_diag *diag) {
  const l2o_problem *p = &fit->problem;
  const l2o_block whole = {.name = "x", .columns = p->n, .rows = 1, .rank = 1};
  size_t count;
  const l2o_block *blocks = l2o_problem_blocks(p, &count);
  l2o_tensor_writer *w;
  l2o_status status = l2o_tensor_writer_new(&w);
  if (!status)
    status = l2o_tensor_writer_add(w, "loss", L2O_F64, &loss, NULL, 0);
  for (size_t i = 0; i < (count ? count : 1) && !status; i++) {
    const l2o_block *b = count ? &blocks[i] : &whole;
    const size_t shape[] = {b->rows, b->columns};
    char name[200];
    snprintf(name, sizeof name, "grad.%s", b->name);
    status = l2o_tensor_writer_add(w, name, L2O_F64, g + b->offset, shape + (b->rank == 1), b->rank);
  }
  if (!status)
    status = l2o_tensor_writer_save(w, path, diag);
  l2o_tensor_writer_free(w);
  return status;
}

static l2o_status fit_dump_gradient(const engine_fit *fit, double *loss, const char *path, l2o_diag *diag) {
  const l2o_problem *p = &fit->problem;
  l2o_real *g = calloc(p->n, sizeof *g), *work = calloc(l2o_problem_work_len(p) + 1, sizeof *work);
  double *doubles = calloc(p->n, sizeof *doubles);
  l2o_status status = g && work && doubles ? L2O_OK : fail(diag, L2O_ERR_NOMEM, "out of memory");
  if (!status && (status = l2o_problem_gradient(p, loss, g, l2o_run_x(fit->run), work)))
    fail(diag, status, "the gradient of problem '%s': %s", l2o_problem_name(p), l2o_strerror(status));
  for (size_t i = 0; i < p->n && !status; i++)
    doubles[i] = (double)g[i];
  if (!status)
    status = write_gradient(fit, *loss, doubles, path, diag);
  free(g);
  free(work);
  free(doubles);
  return status;
}

const struct engine
#ifdef L2O_SINGLE
    engine_single = {.precision = "single",
#else
    engine_double = {.precision = "double",
#endif
                     .family_new = l2o_family_new,
                     .family_open = l2o_family_open,
                     .family_new_data = l2o_family_new_data,
                     .family_shifted = l2o_family_shifted,
                     .family_started = l2o_family_started,
                     .family_save = l2o_family_save,
                     .family_free = l2o_family_free,
                     .problems_new = problems_new,
                     .problems_free = problems_free,
                     .unknowns = unknowns,
                     .minima = minima,
                     .rule_find = rule_find,
                     .check = check,
                     .solve = solve,
                     .model_new = l2o_model_new,
                     .model_fit = model_fit,
                     .model_load = l2o_model_load,
                     .model_save = l2o_model_save,
                     .model_free = l2o_model_free,
                     .model_kind_name = l2o_model_kind_name,
                     .model_spec = l2o_model_spec,
                     .tensor_count = l2o_model_tensor_count,
                     .tensor_at = l2o_model_tensor_at,
                     .fit_new = fit_new,
                     .fit_free = fit_free,
                     .fit_step = fit_step,
                     .fit_record = fit_record,
                     .fit_scale = fit_scale,
                     .fit_steps_done = fit_steps_done,
                     .fit_save = fit_save,
                     .fit_resume = fit_resume,
                     .fit_save_weights = fit_save_weights,
                     .fit_dump_gradient = fit_dump_gradient,
                     .trainer_new = trainer_new,
                     .trainer_free = l2o_trainer_free,
                     .trainer_step = l2o_trainer_step,
                     .trainer_gradient = l2o_trainer_gradient,
                     .trainer_validate = l2o_trainer_validate,
                     .trainer_keep_best = l2o_trainer_keep_best,
                     .trainer_use_best = l2o_trainer_use_best,
                     .trainer_note = l2o_trainer_note,
                     .trainer_steps_done = l2o_trainer_steps_done,
                     .trainer_save = l2o_trainer_save,
                     .trainer_resume = l2o_trainer_resume};
