/* SPDX-License-Identifier: BSD-3-Clause */
/* The library's side of the comparison with PyTorch; run.sh drives both sides.
 *
 *   bench_training write DIR N M BATCH HIDDEN     DIR/instances.safetensors and DIR/model.safetensors, for both sides
 *   bench_training gradient DIR T THREADS         DIR/gradient.safetensors: loss and grad.<tensor> of the first training step
 *   bench_training train DIR T THREADS REPEATS    one training step: T iterations on all instances, back, one update
 *   bench_training solve DIR T THREADS REPEATS    T iterations on instance 0
 *   bench_training iterate DIR T THREADS REPEATS  T iterations on all instances; the time of one
 *
 * The last three print: median and least seconds, repeats, megabytes of peak resident memory, final objective. */
#include "timing.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double LEARNING_RATE = 1e-30; /* the weights do not move while the clock runs: both sides repeat the same step */

/* What the timed tasks work on. */
typedef struct work {
  l2o_family *family;
  l2o_model *model;
  l2o_trainer *trainer;
  l2o_problem *problems;
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

static void solve(work *w, size_t count) {
  l2o_settings settings = l2o_settings_default();
  settings.iterations = w->T;
  settings.threads = w->threads;
  memset(w->x, 0, count * w->n * sizeof *w->x);
  const l2o_solver *rule = l2o_solver_find("math-l2o-gd", NULL);
  if (count == 1)
    must(l2o_minimize(rule, w->model, w->problems, w->x, w->results, &settings, &diag));
  else
    must(l2o_solve_many(rule, w->model, w->problems, count, w->x, w->results, &settings, &diag));
  w->objective = 0;
  for (size_t i = 0; i < count; i++)
    w->objective += w->results[i].last.objective;
}

static void solve_once(void *context) {
  solve(context, 1);
}
static void iterate_once(void *context) {
  work *w = context;
  solve(w, w->count);
}

static void new_trainer(work *w) {
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = w->count;
  s.horizon = w->T;
  s.reduction = L2O_REDUCTION_SUM;
  s.optimizer = L2O_OPTIMIZER_SGD;
  s.learning_rate = LEARNING_RATE;
  s.threads = w->threads;
  must(l2o_trainer_new(&w->trainer, w->model, l2o_solver_find("math-l2o-gd", NULL), w->family, &s, &diag));
}

static void new_problems(work *w, size_t count) {
  w->problems = get(count, sizeof *w->problems);
  w->results = get(count, sizeof *w->results);
  w->x = get(count * w->n, sizeof *w->x);
  for (size_t i = 0; i < count; i++)
    must(l2o_family_sample(w->family, &w->problems[i], 0, L2O_PURPOSE_TRAIN, i, &diag));
}

/* Instances from the qp family; the initial weights with a small random last layer, so that every gradient is at work. */
static void write_files(const char *folder, size_t n, size_t m, size_t batch, size_t hidden) {
  char path[PATH_SIZE], spec[100];
  l2o_family *family;
  l2o_model *model;
  l2o_rng rng;
  size_t count;
  snprintf(spec, sizeof spec, "qp:n=%zu,m=%zu", n, m);
  must(l2o_family_new(&family, spec, &diag));
  must(l2o_family_save(family, in(path, folder, "instances"), 1, L2O_PURPOSE_TRAIN, batch, &diag));
  snprintf(spec, sizeof spec, "math-l2o-gd:hidden=%zu,expansion=100", hidden);
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
  fputs("usage: bench_training write DIR N M BATCH HIDDEN\n"
        "       bench_training gradient DIR T THREADS\n"
        "       bench_training train|solve|iterate DIR T THREADS REPEATS\n",
        stderr);
  return 2;
}

int main(int argc, char **argv) {
  const char *task = argc > 1 ? argv[1] : "", *folder = argc > 2 ? argv[2] : "";
  char path[PATH_SIZE];
  if (argc == 7 && strcmp(task, "write") == 0) {
    write_files(folder, size_of(argv[3]), size_of(argv[4]), size_of(argv[5]), size_of(argv[6]));
    return 0;
  }
  const bool gradient = strcmp(task, "gradient") == 0, train = strcmp(task, "train") == 0, one = strcmp(task, "solve") == 0,
             many = strcmp(task, "iterate") == 0;
  if (argc != (gradient ? 5 : 6) || !(gradient || train || one || many))
    return usage();
  work w = {.T = size_of(argv[3]), .threads = (int)size_of(argv[4])};
  must(l2o_family_open(&w.family, "qp", in(path, folder, "instances"), &diag));
  must(l2o_model_load(&w.model, in(path, folder, "model"), NULL, &diag));
  w.count = w.family->count;
  w.n = w.family->n;
  if (gradient || train)
    new_trainer(&w);
  else
    new_problems(&w, one ? 1 : w.count);
  if (gradient)
    write_gradient(&w, folder);
  else if (train)
    report(train_once, &w, size_of(argv[5]), 1, &w.objective);
  else if (one)
    report(solve_once, &w, size_of(argv[5]), 1, &w.objective);
  else
    report(iterate_once, &w, size_of(argv[5]), (double)w.T, &w.objective);
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
