/* SPDX-License-Identifier: BSD-3-Clause */
/* l2o-train: config -> family, model -> trainer, step by step; weights, checkpoint and log in the output folder. Under mpirun every
 * rank goes the same way with its share of the instances; rank 0 alone writes and speaks. */
#include "args.h"
#include "engine.h"
#include "gsl_solvers.h"
#include "instances.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "ranks.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct training {
  const cli_args *args;
  const config *c;
  const struct engine *engine;
  const char *dir;
  l2o_family *family;
  l2o_model *model;
  l2o_trainer *trainer;
  size_t steps, done; /* wanted, made */
  bool quiet, validating;
  char *checkpoint_path, *model_path;
  output_log log, validation_log;
  progress progress;
  double seconds_before, began; /* seconds of earlier runs; when this one began */
  double first_loss, last_loss;
  size_t rejected;
  l2o_status log_status; /* why train.csv could not be written */
  l2o_diag log_diag;
  double best; /* validation */
  size_t best_step;
} training;

static int complain(const char *text, int exit_code) {
  if (ranks_first())
    fprintf(stderr, "l2o-train: %s\n", text);
  return exit_code;
}

/* What goes wrong before training is the caller's to mend, unless memory is short. */
static int setup_failed(l2o_status status, const l2o_diag *diag) {
  return complain(diag->text[0] ? diag->text : l2o_strerror(status), status == L2O_ERR_NOMEM ? EXIT_FAILED : EXIT_WRONG_USE);
}

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

/* Family, model and trainer. */
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

static int dump_gradient(training *t) {
  l2o_diag diag = {""};
  const char *path = t->args->dump_gradient;
  double loss = 0;
  size_t count = 0;
  for (size_t i = 0; i < t->engine->tensor_count(t->model); i++)
    count += t->engine->tensor_at(t->model, i).count;
  double *gradient = calloc(count + 1, sizeof *gradient);
  l2o_status status = !gradient ? L2O_ERR_NOMEM : ranks_first() ? output_probe(path, &diag) : L2O_OK;
  status = ranks_agree(status, &diag);
  if (!status)
    status = t->engine->trainer_gradient(t->trainer, &loss, gradient, &diag);
  if (!status && ranks_first())
    status = write_gradient(t, loss, gradient, path, &diag);
  status = ranks_agree(status, &diag);
  free(gradient);
  if (status)
    return complain(diag.text[0] ? diag.text : l2o_strerror(status), EXIT_FAILED);
  if (!t->quiet)
    printf("loss %.10g at the starting weights; gradient in %s\n", loss, path);
  return EXIT_DONE;
}

/* ---- --resume ---- */

/* Is the checkpoint one of this experiment? A sentence with the first difference if not. */
static l2o_status check_checkpoint(const training *t, l2o_diag *diag) {
  l2o_tensor_file *file;
  message difference;
  l2o_status status = l2o_tensor_file_open(&file, t->checkpoint_path, diag);
  if (status)
    return status;
  const char *saved = l2o_tensor_file_metadata(file, "config");
  if (saved && !config_identity_same(t->c, saved, &difference)) {
    snprintf(diag->text, sizeof diag->text, "%.140s: the checkpoint belongs to another configuration: %.200s", t->checkpoint_path,
             difference.text);
    status = L2O_ERR_ARG;
  }
  l2o_tensor_file_free(file);
  return status;
}

static l2o_status resume(training *t, l2o_diag *diag) {
  l2o_status status = ranks_agree(check_checkpoint(t, diag), diag);
  return status ? status : t->engine->trainer_resume(t->trainer, t->checkpoint_path, config_identity(t->c), diag);
}

/* Earlier rows of train.csv. */
static bool keep_step(void *context, const char *row) {
  training *t = context;
  double loss, rate, norm, seconds;
  size_t step;
  if (sscanf(row, "%zu,%lf,%lf,%lf,%lf", &step, &loss, &rate, &norm, &seconds) != 5)
    return false;
  t->seconds_before = seconds;
  if (isnan(t->first_loss))
    t->first_loss = loss;
  return true;
}

/* Earlier rows of validation.csv, except the one that only the end of a run asked for: see save_all(). */
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

/* ---- training ---- */

static l2o_status save_checkpoint(training *t, l2o_diag *diag) {
  return t->engine->trainer_save(t->trainer, t->checkpoint_path, config_identity(t->c), diag);
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

static l2o_status open_logs(training *t, l2o_diag *diag) {
  const size_t *keep = t->args->resume ? &t->done : NULL;
  l2o_status status =
      output_log_open(&t->log, t->dir, "train.csv", "step,loss,learning_rate,grad_norm,seconds", keep, keep_step, t, diag);
  if (!status && t->validating)
    status = output_log_open(&t->validation_log, t->dir, "validation.csv", "step,objective,best", keep, keep_validation, t, diag);
  return status;
}

/* Opens the logs and the first checkpoint, which also tells whether there is room for it before hours are spent. */
static l2o_status begin(training *t, l2o_diag *diag) {
  l2o_status status = ranks_agree(ranks_first() ? open_logs(t, diag) : L2O_OK, diag);
  progress_begin(&t->progress, "step", t->done, t->steps, 0, t->quiet);
  if (!status && t->engine->trainer_note(t->trainer)[0])
    progress_line(&t->progress, "%s", t->engine->trainer_note(t->trainer));
  t->began = progress_clock();
  if (!status && t->validating && !t->args->resume)
    status = validate(t, diag); /* the starting weights: training has to beat them */
  if (!status)
    status = save_checkpoint(t, diag);
  if (status && !t->args->resume && ranks_first()) {
    output_log_discard(&t->log);
    output_log_discard(&t->validation_log);
  }
  return status;
}

/* The row of a step in train.csv. Where it cannot be written, all ranks are asked to stop, and steps() tells them why. */
static void log_step(training *t, const l2o_train_record *record) {
  if (!ranks_first() || t->log_status)
    return;
  fprintf(t->log.stream, "%zu,%.17g,%.17g,%.17g,%.6f\n", record->step, record->loss, record->learning_rate, record->gradient_norm,
          t->seconds_before + progress_clock() - t->began);
  t->log_status = output_log_flush(&t->log, &t->log_diag);
  if (t->log_status)
    ranks_stop();
}

static l2o_status one_step(training *t, l2o_diag *diag) {
  l2o_train_record record;
  l2o_status status = t->engine->trainer_step(t->trainer, &record, diag);
  if (status)
    return status;
  t->done = record.step;
  if (record.rejected && ++t->rejected <= 10)
    progress_line(&t->progress, "step %zu: loss or gradient is not finite, step rejected%s", record.step,
                  t->rejected == 10 ? "; further ones are only counted" : "");
  if (!record.rejected) {
    t->last_loss = record.loss;
    if (isnan(t->first_loss))
      t->first_loss = record.loss;
  }
  log_step(t, &record);
  if (progress_due(&t->progress, t->done)) {
    char detail[120], where[60] = "";
    if (record.layer)
      snprintf(where, sizeof where, "layer %zu, stage %zu, ", record.layer, record.stage);
    snprintf(detail, sizeof detail, "%sloss %.5g", where, record.loss);
    progress_update(&t->progress, t->done, detail);
  }
  return L2O_OK;
}

static l2o_status steps(training *t, l2o_diag *diag) {
  const config *c = t->c;
  const size_t every = config_integer(c, "train.checkpoint_every"), validate_every = config_integer(c, "train.validation.every");
  l2o_status status = L2O_OK;
  while (!status && t->done < t->steps && !ranks_stopping()) {
    status = one_step(t, diag);
    if (!status && t->validating && t->done % validate_every == 0)
      status = validate(t, diag);
    if (!status && every && t->done % every == 0 && t->done < t->steps)
      status = save_checkpoint(t, diag);
  }
  if (!status && t->log_status) {
    *diag = t->log_diag;
    status = t->log_status;
  }
  return ranks_agree(status, diag);
}

/* Checkpoint, logs, and the model with its best weights. A validation that only the end of the run asks for comes behind the
 * checkpoint, so that a run that goes on later never saw it. */
static l2o_status save_all(training *t, bool ended, l2o_diag *diag) {
  l2o_status status = save_checkpoint(t, diag);
  if (!status)
    status = ranks_agree(ranks_first() ? output_log_finish(&t->log, diag) : L2O_OK, diag);
  if (!status && t->validating && ended && t->done % config_integer(t->c, "train.validation.every") != 0)
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
  return ranks_agree(status, diag);
}

static void tell(const training *t, bool interrupted) {
  if (t->quiet)
    return;
  printf("%s %zu of %zu steps in %.3g s", interrupted ? "interrupted after" : "trained", t->done, t->steps,
         t->seconds_before + progress_clock() - t->began);
  if (!config_is(t->c, "train.instances", "fresh") && config_integer(t->c, "train.layerwise.rounds") == 0 &&
      isfinite(t->first_loss) && isfinite(t->last_loss)) /* of the same instances, after as many steps: they may be compared */
    printf(", loss %.5g -> %.5g", t->first_loss, t->last_loss);
  if (t->rejected)
    printf(", %zu step%s rejected", t->rejected, t->rejected == 1 ? "" : "s");
  printf("\n%s", t->model_path);
  if (isfinite(t->best))
    printf(" holds the best weights: step %zu, validation %.6g", t->best_step, t->best);
  printf("\n");
  if (interrupted)
    printf("the same command with --resume goes on\n");
}

static int train(training *t) {
  l2o_diag diag = {""}, other = {""};
  l2o_status status = begin(t, &diag);
  if (!status)
    status = steps(t, &diag);
  progress_end(&t->progress);
  const bool interrupted = !status && t->done < t->steps;
  if (!status)
    status = save_all(t, !interrupted, &diag);
  else if (status == L2O_ERR_NUMERIC && save_all(t, false, &other) == L2O_OK && ranks_first())
    fprintf(stderr, "l2o-train: the last good weights are in %s\n", t->model_path);
  if (status)
    return complain(diag.text[0] ? diag.text : l2o_strerror(status), EXIT_FAILED);
  tell(t, interrupted);
  return interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
}

static int run(training *t) {
  const config *c = t->c;
  l2o_diag diag = {""};
  t->engine = config_is(c, "train.precision", "double") ? &engine_double : &engine_single;
  t->dir = config_text(c, "output.dir");
  t->steps = config_integer(c, "train.steps");
  t->quiet = config_flag(c, "output.quiet") || !ranks_first();
  t->validating = config_integer(c, "train.validation.instances") > 0;
  if (!config_model_spec(c))
    return complain("nothing to train: the config has no section model", EXIT_WRONG_USE);
  if (t->args->dump_gradient && t->args->resume)
    return complain("--dump-gradient is about the starting weights: it does not go with --resume", EXIT_WRONG_USE);
  if (!t->dir && !t->args->dump_gradient)
    return complain("where to write? Give --out DIR, or output.dir in the config", EXIT_WRONG_USE);
  l2o_status status = build(t, &diag);
  if (status)
    return setup_failed(status, &diag);
  if (t->args->dump_gradient)
    return dump_gradient(t);
  t->checkpoint_path = output_path(t->dir, "checkpoint.safetensors");
  t->model_path = output_path(t->dir, "model.safetensors");
  if (ranks_any(!t->checkpoint_path || !t->model_path))
    return complain("out of memory", EXIT_FAILED);
  if (t->args->resume) {
    if ((status = resume(t, &diag)))
      return setup_failed(status, &diag);
    t->done = t->engine->trainer_steps_done(t->trainer);
  }
  if (ranks_agree(ranks_first() ? output_open(t->dir, c, &diag) : L2O_OK, &diag))
    return complain(diag.text, EXIT_FAILED);
  interrupt_catch();
  return train(t);
}

int main(int argc, char **argv) {
  cli_args args;
  config *c;
  int exit_code = EXIT_DONE;
  if (!ranks_start(command_name(COMMAND_TRAIN)))
    return EXIT_WRONG_USE;
  engine_start();
  if (ranks_load(&args, &c, COMMAND_TRAIN, argc, argv, gsl_solvers, &exit_code)) {
    training t = {.args = &args, .c = c, .first_loss = nan(""), .last_loss = nan(""), .best = HUGE_VAL};
    exit_code = run(&t);
    output_log_close(&t.log);
    output_log_close(&t.validation_log);
    if (t.trainer)
      t.engine->trainer_free(t.trainer);
    if (t.model)
      t.engine->model_free(t.model);
    if (t.family)
      t.engine->family_free(t.family);
    free(t.checkpoint_path);
    free(t.model_path);
    config_free(c);
  }
  args_free(&args);
  if (fflush(stdout) != 0 || ferror(stdout))
    exit_code = complain("cannot write to the standard output", EXIT_FAILED);
  return ranks_end(exit_code);
}
