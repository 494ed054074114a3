/* SPDX-License-Identifier: BSD-3-Clause */
/* l2o-train: a model, or a network, trained step by step; weights, checkpoint and log in the output folder. Rank 0 alone writes and
 * speaks. */
#include "gsl_solvers.h"
#include "interrupt.h"
#include "ranks.h"
#include "training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int complain(const char *text, int exit_code) {
  if (ranks_first())
    fprintf(stderr, "l2o-train: %s\n", text);
  return exit_code;
}

/* What goes wrong before training is the caller's to mend, unless memory is short. */
static int setup_failed(l2o_status status, const l2o_diag *diag) {
  return complain(diag->text[0] ? diag->text : l2o_strerror(status), status == L2O_ERR_NOMEM ? EXIT_FAILED : EXIT_WRONG_USE);
}

/* ---- --dump-gradient ---- */

static int dump_gradient(training *t) {
  l2o_diag diag = {""};
  const char *path = t->args->dump_gradient;
  double loss = 0;
  l2o_status status = ranks_agree(ranks_first() ? output_probe(path, &diag) : L2O_OK, &diag);
  if (!status)
    status = t->kind->dump_gradient(t, &loss, path, &diag);
  status = ranks_agree(status, &diag);
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
  const char *saved = l2o_tensor_file_metadata(file, t->kind->identity);
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
  return status ? status : t->kind->resume(t, diag);
}

/* Earlier rows of train.csv. */
static bool keep_step(void *context, const char *row) {
  training *t = context;
  double loss, rate, norm, seconds;
  size_t step;
  if (sscanf(row, "%zu,%lf,%lf,%lf,%lf", &step, &loss, &rate, &norm, &seconds) != 5 || !t->kind->keeps_row(t, step))
    return false;
  t->seconds_before = seconds;
  if (isfinite(loss))
    t->last_loss = loss;
  if (isnan(t->first_loss))
    t->first_loss = loss;
  return true;
}

/* ---- training ---- */

void training_log(training *t, const training_row *row) {
  const l2o_train_record *r = &row->record;
  if (!r->rejected && !row->none) {
    t->last_loss = r->loss;
    if (isnan(t->first_loss))
      t->first_loss = r->loss;
  }
  if (row->none || !ranks_first() || t->log_status)
    return;
  fprintf(t->log.stream, "%zu,%.17g,%.17g,%.17g,%.6f\n", r->step, r->loss, r->learning_rate, r->gradient_norm,
          t->seconds_before + progress_clock() - t->began);
  t->log_status = output_log_flush(&t->log, &t->log_diag);
  if (t->log_status)
    ranks_stop(); /* and steps() tells them why */
}

static l2o_status open_logs(training *t, l2o_diag *diag) {
  const size_t *keep = t->args->resume ? &t->done : NULL;
  l2o_status status =
      output_log_open(&t->log, t->dir, "train.csv", "step,loss,learning_rate,grad_norm,seconds", keep, keep_step, t, diag);
  return status ? status : t->kind->open_logs(t, keep, diag);
}

/* Opens the logs and the first checkpoint, which also tells whether there is room for it before hours are spent. */
static l2o_status begin(training *t, l2o_diag *diag) {
  l2o_status status = ranks_agree(ranks_first() ? open_logs(t, diag) : L2O_OK, diag);
  progress_begin(&t->progress, "step", t->done, t->steps, 0, t->quiet);
  t->began = progress_clock();
  if (!status)
    status = t->kind->begin(t, diag);
  if (!status)
    status = t->kind->save(t, diag);
  if (status && !t->args->resume && ranks_first()) {
    output_log_discard(&t->log);
    output_log_discard(&t->validation_log);
  }
  return status;
}

static l2o_status one_step(training *t, l2o_diag *diag) {
  training_row row = {.none = false};
  const l2o_train_record *r = &row.record;
  l2o_status status = t->kind->step(t, &row, diag);
  if (status)
    return status;
  t->done = r->step;
  if (r->rejected && ++t->rejected <= 10)
    progress_line(&t->progress, "step %zu: loss or gradient is not finite, step rejected%s", r->step,
                  t->rejected == 10 ? "; further ones are only counted" : "");
  training_log(t, &row);
  if (progress_due(&t->progress, t->done)) {
    char detail[120], where[60] = "";
    if (r->layer)
      snprintf(where, sizeof where, "layer %zu, stage %zu, ", r->layer, r->stage);
    snprintf(detail, sizeof detail, "%sloss %.5g", where, row.none ? t->last_loss : r->loss);
    progress_update(&t->progress, t->done, detail);
  }
  return L2O_OK;
}

static l2o_status steps(training *t, l2o_diag *diag) {
  const size_t every = config_integer(t->c, "train.checkpoint_every");
  l2o_status status = L2O_OK;
  while (!status && t->done < t->steps && !t->over && !ranks_stopping()) {
    status = one_step(t, diag);
    if (!status)
      status = t->kind->after(t, diag);
    if (!status && every && t->done % every == 0 && t->done < t->steps && !t->over)
      status = t->kind->save(t, diag);
  }
  if (!status && t->log_status) {
    *diag = t->log_diag;
    status = t->log_status;
  }
  return ranks_agree(status, diag);
}

/* Checkpoint, logs and weights. */
static l2o_status save_all(training *t, bool ended, l2o_diag *diag) {
  training_row row = {.none = true};
  l2o_status status = t->kind->save(t, diag);
  if (!status && ended)
    status = t->kind->last_row(t, &row, diag);
  if (!status)
    training_log(t, &row);
  if (!status)
    status = ranks_agree(ranks_first() ? output_log_finish(&t->log, diag) : L2O_OK, diag);
  if (!status)
    status = t->kind->finish(t, ended, diag);
  return ranks_agree(status, diag);
}

static void tell(const training *t, bool interrupted) {
  if (t->quiet)
    return;
  printf("%s %zu of %zu steps in %.3g s", interrupted ? "interrupted after" : "trained", t->done, t->steps,
         t->seconds_before + progress_clock() - t->began);
  if (t->comparable && isfinite(t->first_loss) && isfinite(t->last_loss))
    printf(", loss %.5g -> %.5g", t->first_loss, t->last_loss);
  if (t->rejected)
    printf(", %zu step%s rejected", t->rejected, t->rejected == 1 ? "" : "s");
  if (t->over)
    printf("; the rule ended by itself: %s", l2o_stop_name((int)t->ended));
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
  const bool interrupted = !status && t->done < t->steps && !t->over;
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
  t->kind = config_model_spec(c) ? &train_model : config_trains_network(c) ? &train_network : NULL;
  if (!t->kind)
    return complain("nothing to train: the config has no section model, nor a rule for a network in train.solver", EXIT_WRONG_USE);
  if (t->args->dump_gradient && t->args->resume)
    return complain("--dump-gradient is about the starting weights: it does not go with --resume", EXIT_WRONG_USE);
  if (!t->dir && !t->args->dump_gradient)
    return complain("where to write? Give --out DIR, or output.dir in the config", EXIT_WRONG_USE);
  l2o_status status = t->kind->build(t, &diag);
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
    t->done = t->kind->steps_done(t);
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
    if (t.kind)
      t.kind->free(&t);
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
