/* SPDX-License-Identifier: BSD-3-Clause */
/* The library's side of the comparison with PyTorch; run.sh drives both sides.
 *
 *   bench_training write DIR N M BATCH HIDDEN RULE  DIR/instances.safetensors and DIR/model.safetensors, for both sides
 *   bench_training gradient DIR T THREADS           DIR/gradient.safetensors: loss and grad.<tensor> of the first training step
 *   bench_training train DIR T THREADS REPEATS      one training step: T iterations on all instances, back, one update
 *   bench_training solve DIR T THREADS REPEATS      T iterations on instance 0
 *   bench_training iterate DIR T THREADS REPEATS    T iterations on all instances; the time of one
 *
 * RULE is math-l2o-gd, on the family qp, or go-math-l2o, on lasso; later the model's file tells. The last three print: median and
 * least seconds, repeats, megabytes of peak resident memory, final objective. */
#include "timing.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double LEARNING_RATE = 1e-30; /* the weights do not move while the clock runs: both sides repeat the same step */

/* How a rule is published: the family, the options of the model beside its width, and the training. */
typedef struct rule {
  const char *name, *family, *model;
  l2o_loss loss;
  l2o_reduction reduction;
  l2o_stop_gradient stop_gradient;
  l2o_optimizer optimizer;
  double clip_norm;
} rule;
static const rule rules[] = {
    {"math-l2o-gd", "qp", "expansion=100", L2O_LOSS_LAST, L2O_REDUCTION_SUM, L2O_STOP_GRADIENT_FEATURES, L2O_OPTIMIZER_SGD, 0},
    {"go-math-l2o", "lasso", "start=glorot", L2O_LOSS_MEAN, L2O_REDUCTION_MEAN, L2O_STOP_GRADIENT_NONE, L2O_OPTIMIZER_ADAM, 1},
};

static const rule *find_rule(const char *name) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (strcmp(rules[i].name, name) == 0)
      return &rules[i];
  fprintf(stderr, "benchmark of training: the rule '%s' is not among those compared\n", name);
  exit(2);
}

/* What the timed tasks work on. */
typedef struct work {
  const rule *rule;
  const l2o_solver *solver;
  l2o_family *family;
  l2o_model *model;
  l2o_trainer *trainer;
  l2o_problem *problems;
  l2o_run *run; /* on instance 0 */
  l2o_result *results;
  l2o_real *x;
  size_t count, n, T;
  int threads;
  double objective;
} work;

static void train_once(void *context) {
  work *w = context;
  l2o_train_record record;
  must(l2o_trainer_step(w->trainer, &record, &diag));
  w->objective = record.loss;
}

static l2o_settings solver_settings(const work *w) {
  l2o_settings settings = l2o_settings_default();
  settings.iterations = w->T;
  settings.threads = w->threads;
  return settings;
}

static void solve_once(void *context) {
  work *w = context;
  l2o_stop stop = L2O_STOP_NONE;
  l2o_record record;
  must(l2o_run_start(w->run, NULL));
  for (size_t k = 0; k < w->T && stop == L2O_STOP_NONE; k++)
    must(l2o_run_step(w->run, &stop));
  must(l2o_run_record(w->run, &record));
  w->objective = record.objective;
}

static void iterate_once(void *context) {
  work *w = context;
  const l2o_settings settings = solver_settings(w);
  for (size_t i = 0; i < w->count; i++)
    must(l2o_problem_start(&w->problems[i], w->x + i * w->n));
  must(l2o_solve_many(w->solver, w->model, w->problems, w->count, w->x, w->results, &settings, &diag));
  w->objective = 0;
  for (size_t i = 0; i < w->count; i++)
    w->objective += w->results[i].last.objective;
}

static void new_trainer(work *w) {
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = w->count;
  s.horizon = w->T;
  s.loss = w->rule->loss;
  s.reduction = w->rule->reduction;
  s.stop_gradient = w->rule->stop_gradient;
  s.optimizer = w->rule->optimizer;
  s.clip_norm = w->rule->clip_norm;
  s.learning_rate = LEARNING_RATE;
  s.threads = w->threads;
  must(l2o_trainer_new(&w->trainer, w->model, w->solver, w->family, &s, &diag));
}

static void new_problems(work *w, size_t count) {
  w->problems = get(count, sizeof *w->problems);
  w->results = get(count, sizeof *w->results);
  w->x = get(count * w->n, sizeof *w->x);
  for (size_t i = 0; i < count; i++)
    must(l2o_family_sample(w->family, &w->problems[i], 0, L2O_PURPOSE_TRAIN, i, &diag));
}

static void new_run(work *w) {
  const l2o_settings settings = solver_settings(w);
  must(l2o_run_new(&w->run, w->solver, w->model, w->problems, &settings, &diag));
}

/* Instances, and the initial weights, of math-l2o-gd with a small random last layer, so that every gradient is at work. */
static void write_files(const char *folder, size_t n, size_t m, size_t batch, size_t hidden, const rule *which) {
  char path[PATH_SIZE], spec[100];
  l2o_family *family;
  l2o_model *model;
  l2o_rng rng;
  size_t count;
  snprintf(spec, sizeof spec, "%s:n=%zu,m=%zu", which->family, n, m);
  must(l2o_family_new(&family, spec, &diag));
  must(l2o_family_save(family, in(path, folder, "instances"), 1, L2O_PURPOSE_TRAIN, batch, &diag));
  snprintf(spec, sizeof spec, "%s:hidden=%zu,%s", which->name, hidden, which->model);
  must(l2o_model_new(&model, spec, 1, &diag));
  const l2o_real *values = l2o_model_parameters(model, &count);
  double *changed = get(count, sizeof *changed);
  for (size_t i = 0; i < count; i++)
    changed[i] = (double)values[i];
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    const l2o_model_tensor tensor = l2o_model_tensor_at(model, i);
    if (strcmp(tensor.name, "linear_p.weight") != 0)
      continue;
    l2o_rng_seed(&rng, 1, 0, 0);
    l2o_rng_normal(&rng, changed + tensor.offset, tensor.count);
    for (size_t j = 0; j < tensor.count; j++)
      changed[tensor.offset + j] *= 1e-4;
  }
  must(l2o_model_set_parameters(model, changed, count));
  must(l2o_model_save(model, in(path, folder, "model"), &diag));
  free(changed);
  l2o_model_free(model);
  l2o_family_free(family);
}

static void write_gradient(work *w, const char *folder) {
  char path[PATH_SIZE], name[100];
  size_t count;
  double loss;
  l2o_model_parameters(w->model, &count);
  double *gradient = get(count, sizeof *gradient);
  l2o_tensor_writer *writer;
  must(l2o_trainer_gradient(w->trainer, &loss, gradient, &diag));
  must(l2o_tensor_writer_new(&writer));
  must(l2o_tensor_writer_add(writer, "loss", L2O_F64, &loss, NULL, 0));
  for (size_t i = 0; i < l2o_model_tensor_count(w->model); i++) {
    const l2o_model_tensor tensor = l2o_model_tensor_at(w->model, i);
    snprintf(name, sizeof name, "grad.%s", tensor.name);
    must(l2o_tensor_writer_add(writer, name, L2O_F64, gradient + tensor.offset, tensor.shape, tensor.rank));
  }
  must(l2o_tensor_writer_save(writer, in(path, folder, "gradient"), &diag));
  l2o_tensor_writer_free(writer);
  free(gradient);
}

static int usage(void) {
  fputs("usage: bench_training write DIR N M BATCH HIDDEN RULE\n"
        "       bench_training gradient DIR T THREADS\n"
        "       bench_training train|solve|iterate DIR T THREADS REPEATS\n",
        stderr);
  return 2;
}

int main(int argc, char **argv) {
  const char *task = argc > 1 ? argv[1] : "", *folder = argc > 2 ? argv[2] : "";
  char path[PATH_SIZE];
  if (argc == 8 && strcmp(task, "write") == 0) {
    write_files(folder, size_of(argv[3]), size_of(argv[4]), size_of(argv[5]), size_of(argv[6]), find_rule(argv[7]));
    return 0;
  }
  const bool gradient = strcmp(task, "gradient") == 0, train = strcmp(task, "train") == 0, one = strcmp(task, "solve") == 0,
             many = strcmp(task, "iterate") == 0;
  if (argc != (gradient ? 5 : 6) || !(gradient || train || one || many))
    return usage();
  work w = {.T = size_of(argv[3]), .threads = (int)size_of(argv[4])};
  must(l2o_model_load(&w.model, in(path, folder, "model"), NULL, &diag));
  w.rule = find_rule(l2o_model_kind_name(w.model));
  w.solver = l2o_solver_find(w.rule->name, NULL);
  must(l2o_family_open(&w.family, w.rule->family, in(path, folder, "instances"), &diag));
  w.count = w.family->count;
  w.n = w.family->n;
  if (gradient || train)
    new_trainer(&w);
  else
    new_problems(&w, one ? 1 : w.count);
  if (one)
    new_run(&w);
  if (gradient)
    write_gradient(&w, folder);
  else if (train)
    report(train_once, &w, size_of(argv[5]), 1, &w.objective);
  else if (one)
    report(solve_once, &w, size_of(argv[5]), 1, &w.objective);
  else
    report(iterate_once, &w, size_of(argv[5]), (double)w.T, &w.objective);
  l2o_run_free(w.run);
  for (size_t i = 0; w.problems && i < (one ? 1 : w.count); i++)
    l2o_problem_free(&w.problems[i]);
  free(w.problems);
  free(w.results);
  free(w.x);
  l2o_trainer_free(w.trainer);
  l2o_model_free(w.model);
  l2o_family_free(w.family);
  return 0;
}
