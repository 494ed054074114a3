/* SPDX-License-Identifier: BSD-3-Clause */
/* What does a trained math-l2o-gd model do?
 *   l2o-step-rule MODEL.safetensors FAMILY SEED INSTANCES ITERATIONS OUT
 * Looks at the step factors p of x+ = x - (0.9999/L) p o grad f(x) on a family such as "qp:n=512,m=400,sampler=torch,instances=32",
 * and runs hand-made rules beside the model that use nothing of it but, at most, the sign pattern of its first layer:
 *   OUT/plane.csv     p against the direction of (gradient, x), at three lengths
 *   OUT/steps.csv     mean of p and the shares of p = 1 and p = 2, iteration by iteration
 *   OUT/measured.csv  objectives summed over the instances, one row a rule, and totals of the above (rows are added) */
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const l2o_option options[] = {{"step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "base step; 0: step_scale / L"}, {0}};

/* One step with a factor for every coordinate. */
typedef double (*factor_fn)(l2o_iterate *it, const l2o_real *w1, size_t i);

static l2o_status step_by(l2o_iterate *it, factor_fn factor) {
  l2o_status status = l2o_iterate_gradient(it);
  size_t count;
  const l2o_real *w1 = l2o_model_parameters(it->model, &count); /* the first layer stands first: (2, 2) */
  for (size_t i = 0; i < it->n && !status; i++)
    it->x[i] -= it->step * factor(it, w1, i) * it->g[i];
  return status;
}

static bool dead(const l2o_real *w1, double g, double x) {
  return !(g * w1[0] + x * w1[2] > 0) && !(g * w1[1] + x * w1[3] > 0);
}
static double sign_factor(l2o_iterate *it, const l2o_real *w1, size_t i) {
  return dead(w1, it->g[i], it->x[i]) ? 1 : 2;
}
static double coin_factor(l2o_iterate *it, const l2o_real *w1, size_t i) {
  (void)w1, (void)i;
  return l2o_rng_uniform(it->rng) < 0.5 ? 1 : 2;
}
static double half_factor(l2o_iterate *it, const l2o_real *w1, size_t i) {
  (void)it, (void)w1, (void)i;
  return 1.5;
}
static double nearly_factor(l2o_iterate *it, const l2o_real *w1, size_t i) {
  (void)it, (void)w1, (void)i;
  return 1.9;
}
static double double_factor(l2o_iterate *it, const l2o_real *w1, size_t i) {
  (void)it, (void)w1, (void)i;
  return 2;
}
static double one_factor(l2o_iterate *it, const l2o_real *w1, size_t i) {
  (void)it, (void)w1, (void)i;
  return 1;
}

#define RULE(NAME)                                                                                                                 \
  static l2o_status NAME##_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {                                                 \
    (void)tape, (void)stop;                                                                                                        \
    return step_by(it, NAME##_factor);                                                                                             \
  }                                                                                                                                \
  static const l2o_solver NAME##_rule = {.struct_size = sizeof(l2o_solver),                                                        \
                                         .name = #NAME,                                                                            \
                                         .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_NEEDS_MODEL,                           \
                                         .options = options,                                                                       \
                                         .step = NAME##_step,                                                                      \
                                         .model_kind = "math-l2o-gd"};
RULE(one)
RULE(half)
RULE(nearly)
RULE(double)
RULE(sign)
RULE(coin)

static _Noreturn void stop_with(const char *what, const l2o_diag *diag) {
  fprintf(stderr, "l2o-step-rule: %s: %s\n", what, diag->text);
  exit(1);
}

static FILE *open_in(const char *folder, const char *name, const char *mode) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *out = fopen(path, mode);
  if (!out) {
    perror(path);
    exit(1);
  }
  return out;
}

/* ---- p against the direction of (gradient, x): one step of length 1 on a made-up problem whose gradient is what we want ---- */

enum { DIRECTIONS = 720 };
typedef struct plane {
  double g[DIRECTIONS], x[DIRECTIONS];
} plane;

static l2o_status plane_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)x, (void)work;
  *f = 0;
  memcpy(g, ((const plane *)p->data)->g, sizeof((const plane *)p->data)->g);
  return L2O_OK;
}

static void write_plane(const l2o_model *model, const char *folder) {
  static const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "plane", .gradient = plane_gradient};
  static const double lengths[] = {1, 1e-2, 1e-4};
  static plane at;
  static double p[3][DIRECTIONS];
  l2o_diag diag = {""};
  l2o_settings settings = l2o_settings_default();
  settings.iterations = 1;
  settings.options = "step=1";
  for (int r = 0; r < 3; r++) {
    l2o_real x[DIRECTIONS];
    for (int i = 0; i < DIRECTIONS; i++) {
      double angle = (i + 0.5) * 6.283185307179586 / DIRECTIONS;
      at.g[i] = lengths[r] * cos(angle);
      at.x[i] = x[i] = lengths[r] * sin(angle);
    }
    l2o_problem problem = {.ops = &ops, .data = &at, .n = DIRECTIONS};
    if (l2o_minimize(l2o_solver_find("math-l2o-gd", &diag), model, &problem, x, NULL, &settings, &diag))
      stop_with("plane", &diag);
    for (int i = 0; i < DIRECTIONS; i++)
      p[r][i] = (at.x[i] - x[i]) / at.g[i];
  }
  FILE *out = open_in(folder, "plane.csv", "w");
  fputs("degrees,length_1,length_1e-2,length_1e-4\n", out);
  for (int i = 0; i < DIRECTIONS; i++)
    fprintf(out, "%.4g,%.6g,%.6g,%.6g\n", (i + 0.5) * 360 / DIRECTIONS, p[0][i], p[1][i], p[2][i]);
  fclose(out);
}

/* ---- rules on the family ---- */

typedef struct bench {
  const l2o_model *model;
  l2o_problem *problems;
  size_t count, n, iterations;
  l2o_real *x;
  l2o_result *results;
} bench;

/* Objective summed over the instances; traces may be NULL. */
static double solve(const bench *b, const l2o_solver *rule, l2o_trace **traces) {
  l2o_diag diag = {""};
  l2o_settings settings = l2o_settings_default();
  settings.iterations = b->iterations;
  settings.traces = traces;
  memset(b->x, 0, b->count * b->n * sizeof *b->x); /* the customary start of the family */
  if (l2o_solve_many(rule, b->model, b->problems, b->count, b->x, b->results, &settings, &diag))
    stop_with(rule->name, &diag);
  double sum = 0;
  for (size_t i = 0; i < b->count; i++)
    sum += b->results[i].last.objective;
  return sum;
}

/* p of every coordinate at every step, from the iterates: p = (x_t - x_{t+1}) / (step g_t). */
static void write_steps(const bench *b, l2o_trace **traces, const char *folder, FILE *measured) {
  FILE *out = open_in(folder, "steps.csv", "w");
  fputs("iteration,mean,share_1,share_2,smallest\n", out);
  l2o_real *g = malloc(b->n * sizeof *g), *work = malloc((l2o_problem_work_len(b->problems) + 1) * sizeof *work);
  if (!g || !work)
    exit(1);
  double all = 0, all_one = 0, all_two = 0, mean = 0, smallest = HUGE_VAL;
  for (size_t t = 0; t < b->iterations; t++) {
    double sum = 0, one = 0, two = 0, coordinates = 0, low = HUGE_VAL;
    for (size_t k = 0; k < b->count; k++) {
      double f, L;
      const l2o_real *x = l2o_trace_iterates(traces[k]) + t * b->n, *next = x + b->n;
      if (l2o_problem_gradient(&b->problems[k], &f, g, x, work) || l2o_problem_lipschitz(&b->problems[k], &L))
        exit(1);
      for (size_t i = 0; i < b->n; i++) {
        double move = 0.9999 / L * g[i];
        if (fabs(move) < 1e-9 * fabs(x[i])) /* lost in rounding */
          continue;
        double p = (x[i] - next[i]) / move;
        sum += p, coordinates++;
        one += fabs(p - 1) < 0.01 ? 1 : 0;
        two += p > 1.99 ? 1 : 0;
        low = p < low ? p : low;
      }
    }
    fprintf(out, "%zu,%.6g,%.6g,%.6g,%.6g\n", t, sum / coordinates, one / coordinates, two / coordinates, low);
    all += coordinates, all_one += one, all_two += two, mean += sum;
    smallest = low < smallest ? low : smallest;
  }
  fclose(out);
  free(g);
  free(work);
  fprintf(measured, "mean step factor,%.5g\nsmallest step factor,%.5g\nshare of factors within 0.01 of 1,%.5g\n", mean / all,
          smallest, all_one / all);
  fprintf(measured, "share of factors above 1.99,%.5g\n", all_two / all);
}

int main(int count, char **arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: l2o-step-rule MODEL.safetensors FAMILY SEED INSTANCES ITERATIONS OUT\n");
    return 2;
  }
  l2o_diag diag = {""};
  l2o_model *model = NULL;
  l2o_family *family = NULL;
  const char *folder = arguments[6];
  if (l2o_model_load(&model, arguments[1], NULL, &diag) || l2o_family_new(&family, arguments[2], &diag))
    stop_with(model ? arguments[2] : arguments[1], &diag);
  bench b = {
      .model = model, .count = strtoul(arguments[4], NULL, 10), .n = family->n, .iterations = strtoul(arguments[5], NULL, 10)};
  b.problems = calloc(b.count, sizeof *b.problems);
  b.results = calloc(b.count, sizeof *b.results);
  b.x = calloc(b.count * b.n, sizeof *b.x);
  l2o_trace **traces = calloc(b.count, sizeof(l2o_trace *));
  if (!b.problems || !b.results || !b.x || !traces)
    return 1;
  for (size_t i = 0; i < b.count; i++)
    if (l2o_family_sample(family, &b.problems[i], strtoull(arguments[3], NULL, 10), L2O_PURPOSE_EVAL, i, &diag) ||
        l2o_trace_new(&traces[i], b.iterations + 1, b.n))
      stop_with("instances", &diag);

  write_plane(model, folder);
  FILE *measured = open_in(folder, "measured.csv", "a");
  fprintf(measured, "F of the trained rule,%.8g\n", solve(&b, l2o_solver_find("math-l2o-gd", &diag), traces));
  fprintf(measured, "F with factor 1,%.8g\n", solve(&b, &one_rule, NULL));
  fprintf(measured, "F with factor 1.5,%.8g\n", solve(&b, &half_rule, NULL));
  fprintf(measured, "F with factor 1.9,%.8g\n", solve(&b, &nearly_rule, NULL));
  fprintf(measured, "F with factor 2,%.8g\n", solve(&b, &double_rule, NULL));
  fprintf(measured, "F with factor 1 where layer one is dead; 2 elsewhere,%.8g\n", solve(&b, &sign_rule, NULL));
  fprintf(measured, "F with factor 1 or 2 by the toss of a coin,%.8g\n", solve(&b, &coin_rule, NULL));
  write_steps(&b, traces, folder, measured);
  fclose(measured);

  for (size_t i = 0; i < b.count; i++) {
    l2o_problem_free(&b.problems[i]);
    l2o_trace_free(traces[i]);
  }
  free(traces);
  free(b.problems);
  free(b.results);
  free(b.x);
  l2o_family_free(family);
  l2o_model_free(model);
  return 0;
}
