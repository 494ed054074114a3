/* SPDX-License-Identifier: BSD-3-Clause */
/* The library and its peers in C on the same functions; run.sh drives this program and its sibling for SciPy.
 *
 *   bench_optimizers versions             what is compared, and what is missing
 *   bench_optimizers solvers|problems     their names, one a line
 *   bench_optimizers run FOLDER LOG SECONDS     every solver on every problem: appends the logs to LOG (objective.h); a run ends
 *                                               after SECONDS at the latest. FOLDER has the data files
 *   bench_optimizers time FOLDER PROBLEM TARGET SOLVER SECONDS     repeats the run from the start to f <= TARGET for SECONDS, and
 *       prints medians: microseconds outside the callback an iteration (nan: not told) and an evaluation; iterations, evaluations,
 *       repeats, and whether TARGET was met */
#include "peers.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const peer *const lists[] = {peers_l2o, peers_gsl, peers_nlopt, peers_liblbfgs};
enum { LISTS = sizeof lists / sizeof *lists, MAX_REPEATS = 20000, WARM_UPS = 2 };
static const double RUN_LIMIT = 20; /* seconds of one timed run at most */

static double number(const char *text) {
  char *end;
  const double value = strtod(text, &end);
  if (end == text || *end || isnan(value)) {
    fprintf(stderr, "bench_optimizers: '%s' is not a number\n", text);
    exit(2);
  }
  return value;
}

static double *vector(size_t n) {
  double *x = calloc(n, sizeof *x);
  if (!x) {
    fputs("bench_optimizers: out of memory\n", stderr);
    exit(1);
  }
  return x;
}

static void versions(void) {
  const char *(*const version[])(void) = {version_l2o, version_gsl, version_nlopt, version_liblbfgs};
  const char *const package[] = {"", "GSL", "NLopt", "libLBFGS"};
  for (size_t i = 0; i < sizeof version / sizeof *version; i++)
    if (version[i]()[0])
      printf("%s%s", i ? ", " : "", version[i]());
    else
      printf(", %s is not installed: skipped", package[i]);
  putchar('\n');
}

static int run_all(const char *folder, const char *path, double seconds) {
  for (size_t i = 0; bench_problem_name(i); i++) {
    bench *b = bench_open(bench_problem_name(i), folder);
    if (!b)
      continue; /* said why */
    double *x = vector(bench_n(b));
    for (size_t list = 0; list < LISTS; list++)
      for (const peer *p = lists[list]; p->name; p++) {
        bench_begin(b, x, seconds, -HUGE_VAL);
        bench_end(b, p->run(p, b, x));
        bench_write(b, p->name, path);
      }
    free(x);
    bench_close(b);
  }
  return 0;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int measure(const char *folder, const char *problem, double target, const char *solver, double seconds) {
  const peer *found = NULL;
  for (size_t list = 0; list < LISTS; list++)
    for (const peer *p = lists[list]; p->name; p++)
      if (strcmp(p->name, solver) == 0)
        found = p;
  bench *b = bench_open(problem, folder);
  if (!found || !b) {
    fprintf(stderr, "bench_optimizers: no solver '%s', or no problem '%s'\n", solver, problem);
    bench_close(b);
    return 1;
  }
  double *x = vector(bench_n(b)), *outside = vector(MAX_REPEATS);
  size_t repeats = 0;
  bench_cost cost = {0};
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (size_t i = 0; repeats < MAX_REPEATS; i++) {
    bench_begin(b, x, RUN_LIMIT, target);
    bench_end(b, found->run(found, b, x));
    cost = bench_cost_of(b);
    clock_gettime(CLOCK_MONOTONIC, &now);
    const bool enough = (double)(now.tv_sec - begin.tv_sec) + 1e-9 * (double)(now.tv_nsec - begin.tv_nsec) >= seconds;
    if (i >= WARM_UPS || enough)
      outside[repeats++] = 1e6 * cost.seconds;
    if (enough)
      break;
  }
  qsort(outside, repeats, sizeof *outside, ascending);
  const double median = 0.5 * (outside[(repeats - 1) / 2] + outside[repeats / 2]);
  printf("%.9g %.9g %zu %zu %zu %d\n", cost.iterations ? median / (double)cost.iterations : (double)NAN,
         median / (double)cost.evaluations, cost.iterations, cost.evaluations, repeats, cost.reached);
  free(outside);
  free(x);
  bench_close(b);
  return 0;
}

int main(int argc, char **argv) {
  const char *task = argc > 1 ? argv[1] : "";
  if (argc == 2 && strcmp(task, "versions") == 0)
    versions();
  else if (argc == 2 && strcmp(task, "problems") == 0)
    for (size_t i = 0; bench_problem_name(i); i++)
      puts(bench_problem_name(i));
  else if (argc == 2 && strcmp(task, "solvers") == 0)
    for (size_t list = 0; list < LISTS; list++)
      for (const peer *p = lists[list]; p->name; p++)
        puts(p->name);
  else if (argc == 5 && strcmp(task, "run") == 0)
    return run_all(argv[2], argv[3], number(argv[4]));
  else if (argc == 7 && strcmp(task, "time") == 0)
    return measure(argv[2], argv[3], number(argv[4]), argv[5], number(argv[6]));
  else {
    fputs("usage: bench_optimizers versions|solvers|problems\n"
          "       bench_optimizers run FOLDER LOG SECONDS\n"
          "       bench_optimizers time FOLDER PROBLEM TARGET SOLVER SECONDS\n",
          stderr);
    return 2;
  }
  return 0;
}
