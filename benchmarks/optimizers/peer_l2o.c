/* SPDX-License-Identifier: BSD-3-Clause */
/* The library's own solvers, through l2o_minimize() and a user's callbacks. */
#include "peers.h"
#include <stdio.h>

/* A problem's data is const; the log behind it is not. */
typedef struct context {
  bench *b;
} context;

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = bench_value(((const context *)p->data)->b, x);
  return L2O_OK;
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = bench_evaluate(((const context *)p->data)->b, x, g);
  return L2O_OK;
}

static int progress(void *user, const l2o_record *record, const l2o_real *x, size_t instance) {
  (void)x, (void)instance;
  bench *b = user;
  if (record->iteration)
    bench_iteration(b);
  return bench_over(b);
}

static const char *run(const peer *self, bench *b, double *x) {
  static const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "bench", .value = value, .gradient = gradient};
  const context here = {b};
  const l2o_problem problem = {.ops = &ops, .data = &here, .n = bench_n(b)};
  char options[40] = "";
  l2o_diag diag = {""};
  l2o_result result;
  if (self->memory)
    snprintf(options, sizeof options, "memory=%d", self->memory);
  l2o_settings settings = l2o_settings_default();
  settings.options = options;
  settings.iterations = SIZE_MAX;
  settings.calls = bench_budget(b);
  settings.callback = progress;
  settings.context = b;
  const l2o_solver *solver = l2o_solver_find(self->method, &diag);
  if (!solver || l2o_minimize(solver, NULL, &problem, x, &result, &settings, &diag)) {
    fprintf(stderr, "%s: %s\n", self->name, diag.text);
    return "failed";
  }
  return l2o_stop_name(result.stop);
}

const peer peers_l2o[] = {
    {"l2o bfgs", 0, run, "bfgs"},       {"l2o lbfgs", 0, run, "lbfgs"}, {"l2o lbfgs m=6", 6, run, "lbfgs"},
    {"l2o lbfgs m=5", 5, run, "lbfgs"}, {NULL, 0, NULL, NULL},
};

const char *version_l2o(void) {
  static char text[60];
  snprintf(text, sizeof text, "libl2o %s", l2o_version());
  return text;
}
