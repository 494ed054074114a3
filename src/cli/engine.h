/* SPDX-License-Identifier: BSD-3-Clause */
/* The library in either precision behind one table of functions that speak doubles, so that the commands are compiled once.
 * Families, models and trainers are handles here: only the engine that made one may take it. */
#ifndef L2O_CLI_ENGINE_H
#define L2O_CLI_ENGINE_H
#include <l2o/l2o.h>

/* The sampled instances of an evaluation, or a rank's share of them. */
typedef struct engine_problems engine_problems;

/* What a rule is, without the functions whose arguments depend on the precision. */
typedef struct engine_rule {
  bool learned;
  const char *model_kind;
} engine_rule;

/* A rule at work on one instance, step by step: the training of a network, whose weights are x. */
typedef struct engine_fit engine_fit;

/* One solver's work on all the instances. */
typedef struct engine_task {
  const char *rule, *options;
  const l2o_model *model;
  size_t iterations, calls;  /* calls 0: no limit */
  size_t record_every;       /* iterations between records */
  double seconds;            /* 0: no limit */
  double gradient_tolerance; /* 0: off */
  uint64_t seed;
  int threads;
  bool keep_iterates;
  bool (*go_on)(void *context); /* asked after every step, by any thread; false ends the runs */
  void *context;
} engine_task;

/* What came of it; engine_runs_free() releases the arrays. */
typedef struct engine_runs {
  size_t count, length; /* instances; records of each, engine_rows() */
  l2o_record *records;  /* (count, length): what was last on record at the iteration of the row, see engine_iteration() */
  l2o_stop *stops;      /* (count) */
  bool *failed;         /* (count): given up, see `failure` */
  double *iterates;     /* (length, count, n), or NULL */
  l2o_diag failure;     /* of the first run that was given up, "" if none was */
} engine_runs;

struct engine {
  const char *precision; /* "double", "single" */

  l2o_status (*family_new)(l2o_family **out, const char *spec, l2o_diag *diag);
  l2o_status (*family_open)(l2o_family **out, const char *name, const char *path, l2o_diag *diag);
  l2o_status (*family_new_data)(l2o_family **out, const char *spec, const char *path, l2o_diag *diag);
  l2o_status (*family_shifted)(l2o_family **out, l2o_family *inner, double start, double function, bool published_prox,
                               l2o_diag *diag);
  l2o_status (*family_started)(l2o_family **out, l2o_family *inner, const char *path, l2o_diag *diag);
  l2o_status (*family_save)(const l2o_family *family, const char *path, uint64_t seed, l2o_purpose purpose, size_t count,
                            l2o_diag *diag);
  void (*family_free)(l2o_family *family);
  /* Instances first .. first+count-1; count may be 0. */
  l2o_status (*problems_new)(engine_problems **out, const l2o_family *family, uint64_t seed, l2o_purpose purpose, size_t first,
                             size_t count, int threads, l2o_diag *diag);
  void (*problems_free)(engine_problems *problems);
  size_t (*unknowns)(const engine_problems *problems); /* 0: they differ, or there are none */
  /* minima[i]: the known minimum of instance i, not-a-number where there is none. */
  void (*minima)(double *minima, const engine_problems *problems, int threads);

  bool (*rule_find)(engine_rule *out, const char *name, l2o_diag *diag);
  /* Would the rule run on instance 0? Who does not hold it says yes. */
  l2o_status (*check)(const engine_problems *problems, const engine_task *task, l2o_diag *diag);
  l2o_status (*solve)(engine_runs *out, const engine_problems *problems, const engine_task *task, l2o_diag *diag);

  l2o_status (*model_new)(l2o_model **out, const char *spec, uint64_t seed, l2o_diag *diag);
  /* For models that are made for one matrix: the one of the first training instance. */
  l2o_status (*model_fit)(l2o_model *model, const l2o_family *family, uint64_t seed, l2o_diag *diag);
  l2o_status (*model_load)(l2o_model **out, const char *path, const char *spec, l2o_diag *diag);
  l2o_status (*model_save)(const l2o_model *model, const char *path, l2o_diag *diag);
  void (*model_free)(l2o_model *model);
  const char *(*model_kind_name)(const l2o_model *model);
  const char *(*model_spec)(const l2o_model *model);
  size_t (*tensor_count)(const l2o_model *model);
  l2o_model_tensor (*tensor_at)(const l2o_model *model, size_t i);

  l2o_status (*trainer_new)(l2o_trainer **out, l2o_model *model, const char *rule, const l2o_family *family,
                            const l2o_train_settings *settings, l2o_diag *diag);
  void (*trainer_free)(l2o_trainer *trainer);
  l2o_status (*trainer_step)(l2o_trainer *trainer, l2o_train_record *record, l2o_diag *diag);
  l2o_status (*trainer_gradient)(l2o_trainer *trainer, double *loss, double *gradient, l2o_diag *diag);
  l2o_status (*trainer_validate)(l2o_trainer *trainer, double *objective, l2o_diag *diag);
  bool (*trainer_keep_best)(l2o_trainer *trainer, double objective);
  l2o_status (*trainer_use_best)(l2o_trainer *trainer);
  const char *(*trainer_note)(const l2o_trainer *trainer);
  /* `rule` on the first training instance; nothing has been evaluated yet. */
  l2o_status (*fit_new)(engine_fit **out, const l2o_family *family, uint64_t seed, const char *rule, const char *options,
                        l2o_diag *diag);
  void (*fit_free)(engine_fit *fit);
  l2o_status (*fit_step)(engine_fit *fit, l2o_stop *stop);
  l2o_status (*fit_record)(engine_fit *fit, l2o_record *record);
  /* l2o_run_scale_step() */
  l2o_status (*fit_scale)(engine_fit *fit, double factor, double *step);
  size_t (*fit_steps_done)(const engine_fit *fit);
  l2o_status (*fit_save)(const engine_fit *fit, const char *path, const char *config_id, l2o_diag *diag);
  l2o_status (*fit_resume)(engine_fit *fit, const char *path, const char *config_id, l2o_diag *diag);
  l2o_status (*fit_save_weights)(const engine_fit *fit, const char *path, l2o_diag *diag);
  /* Objective and gradient at the start into a file, `loss` and a tensor `grad.NAME` for each block of the weights. */
  l2o_status (*fit_dump_gradient)(const engine_fit *fit, double *loss, const char *path, l2o_diag *diag);
  size_t (*trainer_steps_done)(const l2o_trainer *trainer);
  l2o_status (*trainer_save)(const l2o_trainer *trainer, const char *path, const char *config_id, l2o_diag *diag);
  l2o_status (*trainer_resume)(l2o_trainer *trainer, const char *path, const char *config_id, l2o_diag *diag);
};

extern const struct engine engine_double, engine_single;

/* Rows of a run of so many iterations with a record every `every` of them, and at the end; the iteration of a row. */
size_t engine_rows(size_t iterations, size_t every);
size_t engine_iteration(size_t row, size_t iterations, size_t every);
/* False: out of memory; engine_runs_free() frees what there is. n = 0: without iterates. */
bool engine_runs_new(engine_runs *runs, size_t count, size_t length, size_t n);
void engine_runs_free(engine_runs *runs);
/* To be called once: what the dependencies have as state of the whole program. */
void engine_start(void);
#endif
