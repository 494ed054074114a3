/* SPDX-License-Identifier: BSD-3-Clause */
#include "objective.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double GRADIENT_TOLERANCE = 1e-5;
enum { SMALL_BUDGET = 2000, LARGE_BUDGET = 20000 };

typedef struct entry {
  const char *name, *spec, *data; /* data: a file, or NULL: sampled */
  size_t budget;
} entry;

/* The functions of More, Garbow and Hillstrom (1981) at their customary sizes and starts. */
#define MGH(number, function)                                                                                                      \
  { "mgh-" #number "-" function, "more-garbow-hillstrom:function=" function, NULL, SMALL_BUDGET }
static const entry entries[] = {
    MGH(1, "rosenbrock"),
    MGH(2, "freudenstein-roth"),
    MGH(3, "powell-badly-scaled"),
    MGH(4, "brown-badly-scaled"),
    MGH(5, "beale"),
    MGH(6, "jennrich-sampson"),
    MGH(7, "helical-valley"),
    MGH(8, "bard"),
    MGH(9, "gaussian"),
    MGH(10, "meyer"),
    MGH(11, "gulf"),
    MGH(12, "box-3d"),
    MGH(13, "powell-singular"),
    MGH(14, "wood"),
    MGH(15, "kowalik-osborne"),
    MGH(16, "brown-dennis"),
    MGH(17, "osborne-1"),
    MGH(18, "biggs-exp6"),
    MGH(19, "osborne-2"),
    MGH(20, "watson"),
    MGH(21, "extended-rosenbrock"),
    MGH(22, "extended-powell"),
    MGH(23, "penalty-1"),
    MGH(24, "penalty-2"),
    MGH(25, "variably-dimensioned"),
    MGH(26, "trigonometric"),
    MGH(27, "brown-almost-linear"),
    MGH(28, "discrete-boundary-value"),
    MGH(29, "discrete-integral-equation"),
    MGH(30, "broyden-tridiagonal"),
    MGH(31, "broyden-banded"),
    MGH(32, "linear-full-rank"),
    MGH(33, "linear-rank-1"),
    MGH(34, "linear-rank-1-zeros"),
    MGH(35, "chebyquad"),
    {"rosenbrock-100-even", "rosenbrock:n=100,start=even", NULL, LARGE_BUDGET},
    {"rosenbrock-100-uneven", "rosenbrock:n=100,start=uneven", NULL, LARGE_BUDGET},
    {"rosenbrock-1000-even", "rosenbrock:n=1000,start=even", NULL, LARGE_BUDGET},
    {"rosenbrock-1000-uneven", "rosenbrock:n=1000,start=uneven", NULL, LARGE_BUDGET},
    {"logistic-spambase", "logistic:l1=0,l2=1e-3,scale=standard,bias=true", "spambase.libsvm", LARGE_BUDGET},
    {"logistic-500x100", "logistic:recipe=zo,n=100,m=500,l1=0,l2=0", NULL, LARGE_BUDGET},
    {"least-squares-512x400", "least-squares:n=400,m=512", NULL, LARGE_BUDGET},
    {NULL, NULL, NULL, 0}};

/* Evaluations are fused calls; who asks for value and gradient apart is charged for the larger count. */
typedef struct point {
  size_t values, gradients;
  double f;
} point;

struct bench {
  l2o_family *family;
  l2o_problem problem;
  l2o_real *work;
  const entry *entry;
  double target, limit; /* when the run is over */
  size_t values, gradients, iterations;
  double began, inside; /* clock at the start, seconds in the callback so far */
  double outside;       /* seconds out of it, until the run was over */
  double first_f, first_g, least;
  point stationary, *improvements; /* improvements: (budget) */
  size_t improvement_count;
  bool over, closed, reached, is_stationary; /* closed: the iteration in which it was over is done as well */
  const char *reason;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t evaluations(size_t values, size_t gradients) {
  return values > gradients ? values : gradients;
}

const char *bench_problem_name(size_t index) {
  return entries[index].name;
}

bench *bench_open(const char *name, const char *folder) {
  l2o_diag diag = {""};
  char path[4096];
  bench *b = calloc(1, sizeof *b);
  if (!b)
    return NULL;
  for (b->entry = entries; b->entry->name && strcmp(b->entry->name, name) != 0;)
    b->entry++;
  if (!b->entry->name) {
    fprintf(stderr, "there is no problem '%s'\n", name);
    free(b);
    return NULL;
  }
  snprintf(path, sizeof path, "%s/%s", folder, b->entry->data ? b->entry->data : "");
  l2o_status status = b->entry->data ? l2o_family_new_data(&b->family, b->entry->spec, path, &diag)
                                     : l2o_family_new(&b->family, b->entry->spec, &diag);
  if (!status)
    status = l2o_family_sample(b->family, &b->problem, 0, L2O_PURPOSE_EVAL, 0, &diag);
  if (status) {
    fprintf(stderr, "%s: %s\n", name, diag.text[0] ? diag.text : l2o_strerror(status));
    bench_close(b);
    return NULL;
  }
  b->work = malloc((l2o_problem_work_len(&b->problem) + 1) * sizeof *b->work);
  b->improvements = malloc(b->entry->budget * sizeof *b->improvements);
  if (b->work && b->improvements)
    return b;
  fprintf(stderr, "%s: out of memory\n", name);
  bench_close(b);
  return NULL;
}

void bench_close(bench *b) {
  if (!b)
    return;
  l2o_problem_free(&b->problem);
  l2o_family_free(b->family);
  free(b->work);
  free(b->improvements);
  free(b);
}

size_t bench_n(const bench *b) {
  return b->problem.n;
}
size_t bench_budget(const bench *b) {
  return b->entry->budget;
}

void bench_begin(bench *b, double *x0, double seconds, double target) {
  b->values = b->gradients = b->iterations = b->improvement_count = 0;
  b->inside = b->outside = 0;
  b->least = HUGE_VAL;
  b->first_f = b->first_g = (double)NAN;
  b->over = b->closed = b->reached = b->is_stationary = false;
  b->target = target;
  b->limit = seconds;
  b->reason = "";
  if (l2o_problem_start(&b->problem, x0))
    memset(x0, 0, b->problem.n * sizeof *x0);
  b->began = now();
}

static double largest(const double *g, size_t n) {
  double most = 0;
  for (size_t i = 0; i < n; i++)
    most = fabs(g[i]) <= most ? most : fabs(g[i]); /* a not-a-number stays */
  return most;
}

/* Logs a call that has been counted. f is not-a-number where only the gradient was asked for, g NULL where only the value was. */
static void note(bench *b, const double *x, double f, const double *g, double f_there) {
  const size_t calls = evaluations(b->values, b->gradients);
  if (calls > b->entry->budget) {
    b->over = true;
    return;
  }
  const double size = g ? largest(g, b->problem.n) : HUGE_VAL;
  if (g && calls == 1) {
    b->first_f = f_there;
    b->first_g = size;
  }
  if (f < b->least) {
    b->least = f;
    b->improvements[b->improvement_count++] = (point){b->values, b->gradients, f};
  }
  if (!b->is_stationary && f_there <= b->least && size <= GRADIENT_TOLERANCE * fmax(1, largest(x, b->problem.n))) {
    b->is_stationary = true;
    b->stationary = (point){b->values, b->gradients, f_there};
  }
  b->reached = f <= b->target;
  b->over = b->reached || calls == b->entry->budget;
}

static double call(bench *b, const double *x, double *g, bool wants_value) {
  const double begin = now();
  double f;
  l2o_status status = g ? l2o_problem_gradient(&b->problem, &f, g, x, b->work) : l2o_problem_value(&b->problem, &f, x, b->work);
  if (status)
    f = (double)NAN;
  if (!b->over) {
    b->values += wants_value;
    b->gradients += g != NULL;
    note(b, x, wants_value ? f : (double)NAN, g, f);
    const double end = now();
    b->inside += end - begin;
    b->over = b->over || end - b->began > b->limit;
    if (b->over)
      b->outside = end - b->began - b->inside;
  }
  return f;
}

double bench_value(bench *b, const double *x) {
  return call(b, x, NULL, true);
}
double bench_evaluate(bench *b, const double *x, double *g) {
  return call(b, x, g, true);
}
void bench_gradient(bench *b, const double *x, double *g) {
  call(b, x, g, false);
}

void bench_iteration(bench *b) {
  b->iterations += !b->closed;
  b->closed = b->over;
}
bool bench_over(const bench *b) {
  return b->over;
}

void bench_end(bench *b, const char *reason) {
  if (!b->over)
    b->outside = now() - b->began - b->inside;
  b->reason = !b->over                                                   ? reason
              : b->reached                                               ? "target"
              : evaluations(b->values, b->gradients) >= b->entry->budget ? "budget"
                                                                         : "time";
  b->over = true;
}

bench_cost bench_cost_of(const bench *b) {
  return (bench_cost){b->outside, b->iterations, evaluations(b->values, b->gradients), b->reached};
}

static void write_point(FILE *file, const point *p) {
  fprintf(file, "%zu,%zu,%zu,%.17g\n", p->values, p->gradients, evaluations(p->values, p->gradients), p->f);
}

void bench_write(const bench *b, const char *solver, const char *path) {
  char key[200];
  FILE *file = fopen(path, "a");
  if (!file) {
    fprintf(stderr, "cannot write %s\n", path);
    return;
  }
  snprintf(key, sizeof key, "%s,%zu,%s", b->entry->name, b->problem.n, solver);
  fprintf(file, "%s,start,%a,%a\n", key, b->first_f, b->first_g);
  for (size_t i = 0; i < b->improvement_count; i++) {
    fprintf(file, "%s,f,", key);
    write_point(file, &b->improvements[i]);
  }
  if (b->is_stationary) {
    fprintf(file, "%s,stationary,", key);
    write_point(file, &b->stationary);
  }
  fprintf(file, "%s,end,%zu,%zu,%zu,%zu,%.17g,%.9g,%s\n", key, b->values, b->gradients, evaluations(b->values, b->gradients),
          b->iterations, b->least, b->outside, b->reason);
  fclose(file);
}
