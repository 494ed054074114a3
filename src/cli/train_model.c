/* SPDX-License-Identifier: BSD-3-Clause */
/* The training of a model: config -> family, model -> trainer, step by step. Under mpirun every rank goes the same way with its
 * share of the instances. */
#include "instances.h"
#include "ranks.h"
#include "training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static l2o_train_settings settings_of(const config *c) {
  l2o_train_settings s = l2o_train_settings_default();
  s.options = config_text(c, "train.options");
  s.steps = config_integer(c, "train.steps");
  s.batch = config_integer(c, "train.batch");
  s.horizon = config_integer(c, "train.horizon");
  s.unroll = config_integer(c, "train.unroll");
  s.loss = (l2o_loss)config_choice(c, "train.loss");
  s.regularisation = config_real(c, "train.regularisation");
  s.reduction = (l2o_reduction)config_choice(c, "train.reduction");
  s.stop_gradient = (l2o_stop_gradient)config_choice(c, "train.stop_gradient");
  s.optimizer = (l2o_optimizer)config_choice(c, "train.optimizer.name");
  s.learning_rate = config_real(c, "train.optimizer.lr");
  s.beta1 = config_real(c, "train.optimizer.beta1");
  s.beta2 = config_real(c, "train.optimizer.beta2");
  s.epsilon = config_real(c, "train.optimizer.epsilon");
  s.clip_norm = config_real(c, "train.clip_norm");
  s.schedule = (l2o_schedule)config_choice(c, "train.schedule.name");
  s.learning_rate_end = config_real(c, "train.schedule.end");
  s.decay = config_real(c, "train.schedule.decay");
  s.decay_every = config_integer(c, "train.schedule.every");
  s.layerwise_rounds = config_integer(c, "train.layerwise.rounds");
  s.layer_decay = config_real(c, "train.layerwise.decay");
  s.fresh = config_is(c, "train.instances", "fresh");
  s.seed = config_integer(c, "train.seed");
  s.validation_seed = config_integer(c, "train.validation.seed");
  s.validation_instances = config_integer(c, "train.validation.instances");
  s.max_rejected = config_integer(c, "train.max_rejected");
  s.threads = (int)config_integer(c, "train.threads");
  s.ranks = ranks_count();
  s.rank = ranks_rank();
  s.sum = ranks_sum;
  return s;
}

/* A file's own specification rules, but it may not contradict what the config says in so many words. */
static l2o_status check_init(const training *t, const char *init, const char *wanted, l2o_diag *diag) {
  const char *have = t->engine->model_spec(t->model);
  const size_t kind = strcspn(have, ":");
  if (strncmp(have, wanted, kind) != 0 || (wanted[kind] && wanted[kind] != ':')) {
    snprintf(diag->text, sizeof diag->text, "%s holds a model of kind %.*s, the config says %.*s", init, (int)kind, have,
             (int)strcspn(wanted, ":"), wanted);
    return L2O_ERR_ARG;
  }
  while (*have && *wanted) { /* "kind:key=value,key=value": the same keys in the same order */
    have += strcspn(have, ":,"), wanted += strcspn(wanted, ":,");
    have += *have != 0, wanted += *wanted != 0;
    const size_t name = strcspn(have, "="), a = strcspn(have, ","), b = strcspn(wanted, ",");
    char key[100];
    snprintf(key, sizeof key, "model.%.*s", (int)name, have);
    if (name < a && (a != b || strncmp(have, wanted, a) != 0) && config_given(t->c, key)) {
      snprintf(diag->text, sizeof diag->text, "%s: %.*s, but %s holds a model with %.*s", config_where(t->c, key), (int)b, wanted,
               init, (int)a, have);
      return L2O_ERR_ARG;
    }
  }
  return L2O_OK;
}

/* The model that training starts from. */
static l2o_status begin_model(training *t, l2o_diag *diag) {
  const struct engine *e = t->engine;
  const char *init = config_text(t->c, "model.init"), *spec = config_model_spec(t->c);
  l2o_model *fresh = NULL; /* knows the value of every option */
  l2o_status status = e->model_new(init ? &fresh : &t->model, spec, config_integer(t->c, "model.seed"), diag);
  if (!status && !init)
    status = e->model_fit(t->model, t->family, config_integer(t->c, "train.seed"), diag);
  if (!status && init)
    status = e->model_load(&t->model, init, spec, diag);
  if (!status && init)
    status = check_init(t, init, e->model_spec(fresh), diag);
  if (fresh)
    e->model_free(fresh);
  return status;
}

static l2o_status build(training *t, l2o_diag *diag) {
  const config *c = t->c;
  l2o_status status = instances_open(&t->family, t->engine, c, false, diag);
  if (!status)
    status = begin_model(t, diag);
  status = ranks_agree(status, diag);
  if (!status) {
    const l2o_train_settings settings = settings_of(c);
    status = t->engine->trainer_new(&t->trainer, t->model, config_text(c, "train.solver"), t->family, &settings, diag);
  }
  t->validating = config_integer(c, "train.validation.instances") > 0;
  /* of the same instances, after as many steps */
  t->comparable = !config_is(c, "train.instances", "fresh") && config_integer(c, "train.layerwise.rounds") == 0;
  return status;
}

/* ---- --dump-gradient ---- */

static l2o_status write_gradient(const training *t, double loss, const double *gradient, const char *path, l2o_diag *diag) {
  l2o_tensor_writer *w;
  l2o_status status = l2o_tensor_writer_new(&w);
  if (!status)
    status = l2o_tensor_writer_add(w, "loss", L2O_F64, &loss, NULL, 0);
  for (size_t i = 0; i < t->engine->tensor_count(t->model) && !status; i++) {
    const l2o_model_tensor tensor = t->engine->tensor_at(t->model, i);
    char name[200];
    snprintf(name, sizeof name, "grad.%s", tensor.name);
    status = l2o_tensor_writer_add(w, name, L2O_F64, gradient + tensor.offset, tensor.shape, tensor.rank);
  }
  if (!status)
    status = l2o_tensor_writer_save(w, path, diag);
  l2o_tensor_writer_free(w);
  return status;
}

static l2o_status dump_gradient(training *t, double *loss, const char *path, l2o_diag *diag) {
  size_t count = 0;
  for (size_t i = 0; i < t->engine->tensor_count(t->model); i++)
    count += t->engine->tensor_at(t->model, i).count;
  double *gradient = calloc(count + 1, sizeof *gradient);
  l2o_status status = ranks_agree(gradient ? L2O_OK : L2O_ERR_NOMEM, diag);
  if (!status)
    status = t->engine->trainer_gradient(t->trainer, loss, gradient, diag);
  if (!status && ranks_first())
    status = write_gradient(t, *loss, gradient, path, diag);
  free(gradient);
  return status;
}

/* ---- checkpoints ---- */

static l2o_status resume(training *t, l2o_diag *diag) {
  return t->engine->trainer_resume(t->trainer, t->checkpoint_path, config_identity(t->c), diag);
}

static size_t steps_done(const training *t) {
  return t->engine->trainer_steps_done(t->trainer);
}

static l2o_status save(const training *t, l2o_diag *diag) {
  return t->engine->trainer_save(t->trainer, t->checkpoint_path, config_identity(t->c), diag);
}

/* ---- validation ---- */

/* Earlier rows of validation.csv, except the one that only the end of a run asked for: see finish(). */
static bool keep_validation(void *context, const char *row) {
  training *t = context;
  double objective;
  size_t step;
  if (sscanf(row, "%zu,%lf", &step, &objective) != 2 || step % config_integer(t->c, "train.validation.every") != 0)
    return false;
  if (objective < t->best) {
    t->best = objective;
    t->best_step = step;
  }
  return true;
}

static l2o_status validate(training *t, l2o_diag *diag) {
  double objective;
  l2o_status status = t->engine->trainer_validate(t->trainer, &objective, diag);
  if (status)
    return status;
  bool best = t->engine->trainer_keep_best(t->trainer, objective);
  if (best) {
    t->best = objective;
    t->best_step = t->done;
  }
  progress_line(&t->progress, "step %zu: validation %.6g%s", t->done, objective, best ? ", best so far" : "");
  if (ranks_first()) {
    fprintf(t->validation_log.stream, "%zu,%.17g,%d\n", t->done, objective, best);
    status = output_log_flush(&t->validation_log, diag);
  }
  return ranks_agree(status, diag);
}

static l2o_status open_logs(training *t, const size_t *keep, l2o_diag *diag) {
  return t->validating
             ? output_log_open(&t->validation_log, t->dir, "validation.csv", "step,objective,best", keep, keep_validation, t, diag)
             : L2O_OK;
}

/* ---- training ---- */

static l2o_status begin(training *t, l2o_diag *diag) {
  if (t->engine->trainer_note(t->trainer)[0])
    progress_line(&t->progress, "%s", t->engine->trainer_note(t->trainer));
  return t->validating && !t->args->resume ? validate(t, diag) : L2O_OK; /* the starting weights: training has to beat them */
}

static l2o_status step(training *t, training_row *row, l2o_diag *diag) {
  return t->engine->trainer_step(t->trainer, &row->record, diag);
}

static l2o_status after(training *t, l2o_diag *diag) {
  return t->validating && t->done % config_integer(t->c, "train.validation.every") == 0 ? validate(t, diag) : L2O_OK;
}

static l2o_status last_row(training *t, training_row *row, l2o_diag *diag) {
  (void)t, (void)diag;
  row->none = true;
  return L2O_OK;
}

static bool keeps_row(const training *t, size_t step) {
  (void)t, (void)step;
  return true;
}

/* The model with its best weights. A validation that only the end of the run asks for comes behind the checkpoint, so that a run
 * that goes on later never saw it. */
static l2o_status finish(training *t, bool ended, l2o_diag *diag) {
  l2o_status status = L2O_OK;
  if (t->validating && ended && t->done % config_integer(t->c, "train.validation.every") != 0)
    status = validate(t, diag);
  if (!status && t->validating) {
    if (ranks_first())
      status = output_log_finish(&t->validation_log, diag);
    /* L2O_ERR_NOTSUP: no validation was finite, and the model keeps the last weights */
    l2o_status used = t->engine->trainer_use_best(t->trainer);
    status = status ? status : used == L2O_ERR_NOTSUP ? L2O_OK : used;
  }
  if (!status && ranks_first())
    status = t->engine->model_save(t->model, t->model_path, diag);
  return status;
}

static void release(training *t) {
  if (t->trainer)
    t->engine->trainer_free(t->trainer);
  if (t->model)
    t->engine->model_free(t->model);
}

const training_kind train_model = {.build = build,
                                   .dump_gradient = dump_gradient,
                                   .identity = "config",
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
