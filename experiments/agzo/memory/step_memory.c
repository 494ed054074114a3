/* SPDX-License-Identifier: BSD-3-Clause */
/* step_memory SPEC BATCH RULE[:OPTIONS]
 *
 * Prints the rule, the megabytes of the weights of a network of the family SPEC, and the megabytes that this program held at most
 * until the end of two steps of the rule from C. `forward` makes passes of a minibatch that nobody watches instead, `gradient` its
 * gradient. */
#include <l2o/l2o.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static l2o_diag diag;

static void must(l2o_status status) {
  if (status == L2O_OK)
    return;
  fprintf(stderr, "step_memory: %s\n", diag.text[0] ? diag.text : l2o_strerror(status));
  exit(1);
}

static void *get(size_t count, size_t size) {
  void *p = calloc(count + 1, size);
  must(p ? L2O_OK : L2O_ERR_NOMEM);
  return p;
}

static void passes(const l2o_problem *p, const l2o_real *x, size_t batch, bool gradient) {
  size_t *rows = get(batch, sizeof *rows);
  double f;
  for (size_t i = 0; i < batch; i++)
    rows[i] = i % l2o_problem_summands(p);
  l2o_real *work = get(gradient ? l2o_problem_work_len(p) : l2o_problem_forward_work_len(p, batch), sizeof *work);
  l2o_real *g = get(gradient ? p->n : 0, sizeof *g);
  for (int i = 0; i < 2; i++)
    must(gradient ? l2o_problem_partial(p, &f, g, x, rows, batch, work) : l2o_problem_forward(p, &f, x, rows, batch, NULL, work));
  free(g);
  free(work);
  free(rows);
}

static void steps(const l2o_problem *p, l2o_real *x, size_t batch, const char *label) {
  char name[40], options[300];
  const char *own = strchr(label, ':');
  l2o_settings settings = l2o_settings_default();
  snprintf(name, sizeof name, "%.*s", (int)strcspn(label, ":"), label);
  snprintf(options, sizeof options, "step=1e-9,batch=%zu%s%s", batch, own ? "," : "", own ? own + 1 : "");
  settings.options = options;
  settings.iterations = 2;
  const l2o_solver *solver = l2o_solver_find(name, &diag);
  must(solver ? L2O_OK : L2O_ERR_ARG);
  must(l2o_minimize(solver, NULL, p, x, NULL, &settings, &diag));
}

int main(int argc, char **argv) {
  l2o_family *family;
  l2o_problem p;
  struct rusage usage;
  if (argc != 4 || strtoul(argv[2], NULL, 10) == 0) {
    fputs("use: step_memory SPEC BATCH RULE\n", stderr);
    return 2;
  }
  const size_t batch = strtoul(argv[2], NULL, 10);
  must(l2o_family_new(&family, argv[1], &diag));
  must(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, &diag));
  l2o_real *x = get(p.n, sizeof *x);
  must(l2o_problem_start(&p, x));
  if (strcmp(argv[3], "forward") == 0 || strcmp(argv[3], "gradient") == 0)
    passes(&p, x, batch, argv[3][0] == 'g');
  else
    steps(&p, x, batch, argv[3]);
  getrusage(RUSAGE_SELF, &usage);
  printf("%s %.2f %.2f\n", argv[3], (double)p.n * sizeof *x / 1048576, (double)usage.ru_maxrss / 1024);
  free(x);
  l2o_problem_free(&p);
  l2o_family_free(family);
  return 0;
}
