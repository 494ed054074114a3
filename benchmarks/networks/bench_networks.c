/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of zeroth-order rules on a network, in turn and side by side:
 *   bench_networks SPEC BATCH ROUNDS RULE[:OPTIONS]...
 * prints a line "label median least" each, seconds a step, after the lines of "forward", a pass that nobody watches, "normals", n
 * of them added to x, and "copy", a copy of x. Before anything is timed each rule's step is made twice from the same point, and
 * must give the same bits. */
#include "core/normals.h"
#include "timing.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, SAMPLES = 4096 };

typedef struct contender {
  char label[200];
  l2o_run *run; /* NULL: one of the tasks below */
  double seconds[SAMPLES];
} contender;

static l2o_problem problem;
static l2o_real *x, *copy, *work;
static size_t *rows, batch;

static void forward(void) {
  double f;
  must(l2o_problem_forward(&problem, &f, x, rows, batch, NULL, work));
}
static void normals(void) {
  l2o_normals_add(copy, x, (l2o_real)1e-4, 1, 2, 3, 0, problem.n);
}
static void copying(void) {
  memcpy(copy, x, problem.n * sizeof *x);
}
static void (*const tasks[])(void) = {forward, normals, copying};
static const char *const task_names[] = {"forward", "normals", "copy"};
enum { TASKS = 3 };

static void step(l2o_run *run) {
  l2o_stop stop;
  must(l2o_run_step(run, &stop));
  if (stop) {
    fprintf(stderr, "bench_networks: the run stopped: %s\n", l2o_stop_name((int)stop));
    exit(1);
  }
}

static l2o_run *begin(const char *label, l2o_settings *settings) {
  static char options[400];
  char name[40] = "";
  const char *own = strchr(label, ':');
  snprintf(name, sizeof name, "%.*s", (int)strcspn(label, ":"), label);
  snprintf(options, sizeof options, "step=1e-9,batch=%zu%s%s", batch, own ? "," : "", own ? own + 1 : "");
  settings->options = options;
  l2o_run *run;
  const l2o_solver *solver = l2o_solver_find(name, &diag);
  must(solver ? L2O_OK : L2O_ERR_ARG);
  must(l2o_run_new(&run, solver, NULL, &problem, settings, &diag));
  must(l2o_run_start(run, x));
  return run;
}

static void check(contender *c, l2o_settings *settings) {
  l2o_run *again = begin(c->label, settings);
  step(c->run);
  step(again);
  if (memcmp(l2o_run_x(c->run), l2o_run_x(again), problem.n * sizeof *x) != 0) {
    fprintf(stderr, "bench_networks: two steps of %s differ\n", c->label);
    exit(1);
  }
  l2o_run_free(again);
}

static void measure(contender *c, size_t count, size_t rounds) {
  for (size_t round = 0; round < rounds; round++)
    for (size_t i = 0; i < count; i++) {
      const double start = now();
      if (c[i].run)
        step(c[i].run);
      else
        tasks[i]();
      c[i].seconds[round] = now() - start;
    }
  for (size_t i = 0; i < count; i++) {
    qsort(c[i].seconds, rounds, sizeof(double), ascending);
    printf("%s %.6g %.6g\n", c[i].label, c[i].seconds[rounds / 2], c[i].seconds[0]);
  }
}

static void prepare(const char *spec) {
  l2o_family *family;
  must(l2o_family_new(&family, spec, &diag));
  must(l2o_family_sample(family, &problem, 1, L2O_PURPOSE_EVAL, 0, &diag));
  l2o_family_free(family);
  rows = get(batch, sizeof *rows);
  for (size_t i = 0; i < batch; i++)
    rows[i] = i % l2o_problem_summands(&problem);
  x = get(problem.n, sizeof *x);
  must(l2o_problem_start(&problem, x));
}

static int time_rules(size_t rounds, char **labels, size_t count) {
  static contender c[MOST];
  l2o_settings settings = l2o_settings_default();
  if (rounds > SAMPLES || TASKS + count > MOST)
    return 2;
  copy = get(problem.n, sizeof *copy);
  work = get(l2o_problem_forward_work_len(&problem, batch), sizeof *work);
  for (size_t i = 0; i < TASKS; i++)
    snprintf(c[i].label, sizeof c[i].label, "%s", task_names[i]);
  for (size_t i = 0; i < count; i++) {
    snprintf(c[TASKS + i].label, sizeof c[i].label, "%s", labels[i]);
    c[TASKS + i].run = begin(labels[i], &settings);
    check(&c[TASKS + i], &settings);
  }
  printf("n %zu\n", problem.n);
  measure(c, TASKS + count, rounds);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fputs("use: bench_networks SPEC BATCH ROUNDS RULE...\n", stderr);
    return 2;
  }
  batch = size_of(argv[2]);
  prepare(argv[1]);
  return time_rules(size_of(argv[3]), argv + 4, (size_t)argc - 4);
}
