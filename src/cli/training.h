/* SPDX-License-Identifier: BSD-3-Clause */
/* What l2o-train works on, and what it leaves to the two kinds of training: of a model, whose weights serve a learned rule
 * (train_model.c), and of a network, whose weights are the unknowns of a problem (train_network.c). */
#ifndef L2O_CLI_TRAINING_H
#define L2O_CLI_TRAINING_H
#include "args.h"
#include "engine.h"
#include "output.h"
#include "progress.h"
#include <stdio.h>

typedef struct training training;

/* A row of train.csv; where rejected, loss or gradient were not finite, and the weights are as before. */
typedef struct training_row {
  l2o_train_record record;
  bool none; /* this step has none */
} training_row;

typedef struct training_kind {
  /* Family, and model or network; the training starts from them. */
  l2o_status (*build)(training *t, l2o_diag *diag);
  /* Loss and gradient at the start, into a file. */
  l2o_status (*dump_gradient)(training *t, double *loss, const char *path, l2o_diag *diag);
  /* The key of a checkpoint's metadata under which it keeps config_identity(). */
  const char *identity;
  l2o_status (*resume)(training *t, l2o_diag *diag);
  size_t (*steps_done)(const training *t);
  /* Rank 0: logs of its own. `keep`: as of output_log_open(). */
  l2o_status (*open_logs)(training *t, const size_t *keep, l2o_diag *diag);
  /* Before the first step of this run; the bar is there. */
  l2o_status (*begin)(training *t, l2o_diag *diag);
  l2o_status (*step)(training *t, training_row *row, l2o_diag *diag);
  /* Behind a step and its row. */
  l2o_status (*after)(training *t, l2o_diag *diag);
  l2o_status (*save)(const training *t, l2o_diag *diag);
  /* The row that only the end of a run asks for, behind the last checkpoint: a run that goes on never saw it. */
  l2o_status (*last_row)(training *t, training_row *row, l2o_diag *diag);
  bool (*keeps_row)(const training *t, size_t step);
  /* The trained weights into t->model_path, when checkpoint and train.csv are written. `ended`: not interrupted. */
  l2o_status (*finish)(training *t, bool ended, l2o_diag *diag);
  void (*free)(training *t);
} training_kind;

extern const training_kind train_model, train_network;

struct training {
  const cli_args *args;
  const config *c;
  const training_kind *kind;
  const struct engine *engine;
  const char *dir;
  l2o_family *family;
  size_t steps, done; /* wanted, made */
  bool quiet;
  bool over;       /* the rule has ended by itself: */
  l2o_stop ended;  /* why */
  bool comparable; /* are first and last loss about the same thing? */
  char *checkpoint_path, *model_path;
  output_log log;
  progress progress;
  double seconds_before, began; /* seconds of earlier runs; when this one began */
  double first_loss, last_loss;
  size_t rejected;
  l2o_status log_status; /* why train.csv could not be written */
  l2o_diag log_diag;
  /* models */
  l2o_model *model;
  l2o_trainer *trainer;
  bool validating;
  output_log validation_log;
  double best; /* validation; infinite: none */
  size_t best_step;
  /* networks */
  engine_fit *fit;
  double base_step; /* 0: the rule has none */
  double step_now;
};

/* The row into train.csv, and first and last loss. */
void training_log(training *t, const training_row *row);
#endif
