/* SPDX-License-Identifier: BSD-3-Clause */
/* The training of a network: a rule on the first training instance, whose unknowns are the weights. */
#include "core/diag.h"
#include "instances.h"
#include "ranks.h"
#include "training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The options of the rule: behind its name, and in train.options. */
static char *options_of(const config *c, const solver_spec *spec) {
  const char *more = config_text(c, "train.options");
  const size_t size = strlen(spec->options) + (more ? strlen(more) : 0) + 2;
  char *options = malloc(size);
  if (options)
    snprintf(options, size, "%s%s%s", spec->options, *spec->options && more ? "," : "", more ? more : "");
  return options;
}

static l2o_status build_fit(training *t, l2o_diag *diag) {
  const config *c = t->c;
  solver_spec spec;
  message why;
  if (!solver_spec_parse(config_text(c, "train.solver"), &spec, &why))
    return l2o_fail(diag, L2O_ERR_ARG, "%.380s", why.text);
  char *options = options_of(c, &spec);
  l2o_status status = options ? L2O_OK : L2O_ERR_NOMEM;
  if (!status)
    status = t->engine->fit_new(&t->fit, t->family, config_integer(c, "train.seed"), spec.name, options, diag);
  const l2o_status scaled = status ? L2O_ERR_NOTSUP : t->engine->fit_scale(t->fit, 1, &t->base_step);
  if (!status && scaled && !config_is(c, "train.schedule.name", "constant"))
    status = l2o_fail(diag, L2O_ERR_NOTSUP, "%s: %.60s has no step that a schedule could change",
                      config_where(c, "train.schedule.name"), spec.name);
  free(options);
  solver_spec_free(&spec);
  return status;
}

static l2o_status build(training *t, l2o_diag *diag) {
  if (ranks_count() > 1)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "a network is trained by one process: start l2o-train without mpirun");
  t->comparable = true;
  const l2o_status status = instances_open(&t->family, t->engine, t->c, false, diag);
  return status ? status : build_fit(t, diag);
}

static l2o_status dump_gradient(training *t, double *loss, const char *path, l2o_diag *diag) {
  return t->engine->fit_dump_gradient(t->fit, loss, path, diag);
}

static l2o_status resume(training *t, l2o_diag *diag) {
  return t->engine->fit_resume(t->fit, t->checkpoint_path, config_identity(t->c), diag);
}

static size_t steps_done(const training *t) {
  return t->engine->fit_steps_done(t->fit);
}

static l2o_status save(const training *t, l2o_diag *diag) {
  return t->engine->fit_save(t->fit, t->checkpoint_path, config_identity(t->c), diag);
}

static l2o_status open_logs(training *t, const size_t *keep, l2o_diag *diag) {
  (void)t, (void)keep, (void)diag;
  return L2O_OK;
}

/* The factor of step i = 0, 1, ... on the base step s: cosine (e + (s - e) (1 + cos(pi i / steps)) / 2) / s with e its end, step
 * decay^(i / every). */
static double factor_of(const training *t, size_t i) {
  const config *c = t->c;
  if (config_is(c, "train.schedule.name", "step"))
    return pow(config_real(c, "train.schedule.decay"), (double)(i / config_integer(c, "train.schedule.every")));
  if (!config_is(c, "train.schedule.name", "cosine"))
    return 1;
  const double end = config_real(c, "train.schedule.end") / t->base_step, part = i < t->steps ? (double)i / (double)t->steps : 1;
  return end + (1 - end) * (1 + cos(3.14159265358979323846 * part)) / 2;
}

/* The objective over all the data at the present weights. */
static l2o_status look(training *t, training_row *row, l2o_diag *diag) {
  l2o_record record;
  const l2o_status status = t->engine->fit_record(t->fit, &record);
  row->none = false;
  t->rejected = record.fallbacks; /* of a rule that takes steps back */
  row->record = (l2o_train_record){.step = record.iteration,
                                   .loss = record.objective,
                                   .learning_rate = t->base_step > 0 ? t->step_now : nan(""),
                                   .gradient_norm = record.gradient_norm};
  if (status)
    return l2o_fail(diag, status, "step %zu: %s", record.iteration, l2o_strerror(status));
  return isfinite(record.objective) ? L2O_OK
                                    : l2o_fail(diag, L2O_ERR_NUMERIC, "step %zu: the objective is not finite", record.iteration);
}

static l2o_status set_step(training *t) {
  return t->base_step > 0 ? t->engine->fit_scale(t->fit, factor_of(t, t->done), &t->step_now) : L2O_OK;
}

static l2o_status begin(training *t, l2o_diag *diag) {
  training_row row;
  l2o_status status = set_step(t);
  if (status || t->args->resume)
    return status;
  status = look(t, &row, diag);
  if (!status)
    training_log(t, &row);
  return status;
}

static l2o_status step(training *t, training_row *row, l2o_diag *diag) {
  l2o_stop stop;
  l2o_status status = set_step(t);
  if (!status)
    status = t->engine->fit_step(t->fit, &stop);
  if (status)
    return l2o_fail(diag, status, "step %zu: %s", t->done + 1, l2o_strerror(status));
  if (stop == L2O_STOP_DIVERGED)
    return l2o_fail(diag, L2O_ERR_NUMERIC, "step %zu: loss, gradient or weights are not finite; try a smaller step", t->done + 1);
  t->over = stop != L2O_STOP_NONE;
  t->ended = stop;
  const size_t done = t->engine->fit_steps_done(t->fit);
  if (done % config_integer(t->c, "train.record_every") == 0 && done > t->done)
    return look(t, row, diag);
  *row = (training_row){.none = true, .record = {.step = done}};
  return L2O_OK;
}

static l2o_status after(training *t, l2o_diag *diag) {
  (void)t, (void)diag;
  return L2O_OK;
}

static bool keeps_row(const training *t, size_t step) {
  return step % config_integer(t->c, "train.record_every") == 0;
}

static l2o_status last_row(training *t, training_row *row, l2o_diag *diag) {
  row->none = keeps_row(t, t->done);
  return row->none ? L2O_OK : look(t, row, diag);
}

static l2o_status finish(training *t, bool ended, l2o_diag *diag) {
  (void)ended;
  return t->engine->fit_save_weights(t->fit, t->model_path, diag);
}

static void release(training *t) {
  if (t->fit)
    t->engine->fit_free(t->fit);
}

const training_kind train_network = {.build = build,
                                     .dump_gradient = dump_gradient,
                                     .identity = "id",
                                     .resume = resume,
                                     .steps_done = steps_done,
                                     .open_logs = open_logs,
                                     .begin = begin,
                                     .step = step,
                                     .after = after,
                                     .save = save,
                                     .last_row = last_row,
                                     .keeps_row = keeps_row,
                                     .finish = finish,
                                     .free = release};
