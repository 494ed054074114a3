/* SPDX-License-Identifier: BSD-3-Clause */
/* What do the factors p of a trained l2o-bfgs model do along the iterations, x+ = x + p o d?
 *   l2o-factors MODEL.safetensors FAMILY SEED INSTANCES TOLERANCE GATE NAME OUT
 * Runs the rule on instances of a family such as "logistic:n=50" until |g| <= TOLERANCE and writes
 *   OUT/NAME.csv      iteration by iteration: the instances that still run, the mean over them of the root of the mean (p_i - 1)^2,
 *                     the share of them where the safeguard acts (tau < 1), the gate gamma, the medians of |g| and of |g+| / |g|
 *   OUT/measured.csv  totals, rows are added
 * GATE is the option of that name of the model. */
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1000 };

typedef struct visit {
  double deviation, restraint, norm, next; /* next: |g| after the step */
} visit;

/* The rule with an ear at its steps. */
static l2o_solver rule;
static l2o_status (*rule_step)(l2o_iterate *it, l2o_real *tape, l2o_stop *stop);
static visit last;

static l2o_status listened_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  l2o_status status = rule_step(it, tape, stop);
  last.deviation = it->deviation;
  last.restraint = it->restraint;
  return status;
}

static _Noreturn void stop_with(const char *what, const char *why) {
  fprintf(stderr, "l2o-factors: %s: %s\n", what, why);
  exit(1);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, ascending);
  return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* One instance: visits[k] is what step k did. Returns the number of steps. */
static size_t follow(visit *visits, const l2o_model *model, const l2o_problem *problem, double tolerance) {
  l2o_diag diag = {""};
  l2o_run *run = NULL;
  l2o_record record;
  l2o_stop stop = L2O_STOP_NONE;
  if (l2o_run_new(&run, &rule, model, problem, NULL, &diag) || l2o_run_start(run, NULL) || l2o_run_record(run, &record))
    stop_with("start", diag.text);
  size_t k = 0;
  for (; k < MOST && record.gradient_norm > tolerance && !stop; k++) {
    last.norm = record.gradient_norm;
    if (l2o_run_step(run, &stop) || l2o_run_record(run, &record))
      stop_with("step", "the run broke down");
    last.next = record.gradient_norm;
    visits[k] = last;
  }
  l2o_run_free(run);
  return k;
}

static FILE *open_in(const char *folder, const char *name, const char *ending, const char *mode) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
  FILE *out = fopen(path, mode);
  if (!out) {
    perror(path);
    exit(1);
  }
  return out;
}

int main(int count, char **arguments) {
  if (count != 9) {
    fprintf(stderr, "usage: l2o-factors MODEL.safetensors FAMILY SEED INSTANCES TOLERANCE GATE NAME OUT\n");
    return 2;
  }
  l2o_diag diag = {""};
  l2o_model *model = NULL;
  l2o_family *family = NULL;
  const uint64_t seed = strtoull(arguments[3], NULL, 10);
  const size_t instances = strtoul(arguments[4], NULL, 10);
  const double tolerance = strtod(arguments[5], NULL), begin = strtod(arguments[6], NULL);
  const char *name = arguments[7], *folder = arguments[8];
  if (l2o_model_load(&model, arguments[1], NULL, &diag) || l2o_family_new(&family, arguments[2], &diag))
    stop_with(model ? arguments[2] : arguments[1], diag.text);
  rule = *l2o_solver_find("l2o-bfgs", &diag);
  rule_step = rule.step;
  rule.step = listened_step;

  visit *visits = calloc(instances * MOST, sizeof *visits);
  size_t *steps = calloc(instances, sizeof *steps), most = 0, all = 0, restrained = 0;
  double *norms = calloc(instances, sizeof *norms), *ratios = calloc(instances, sizeof *ratios);
  if (!visits || !steps || !norms || !ratios)
    return 1;
  for (size_t i = 0; i < instances; i++) {
    l2o_problem problem;
    if (l2o_family_sample(family, &problem, seed, L2O_PURPOSE_EVAL, i, &diag))
      stop_with("instances", diag.text);
    steps[i] = follow(visits + i * MOST, model, &problem, tolerance);
    most = steps[i] > most ? steps[i] : most;
    l2o_problem_free(&problem);
  }

  FILE *out = open_in(folder, name, ".csv", "w");
  fputs("iteration,running,deviation,restrained,gate,norm,ratio\n", out);
  double largest = 0;
  for (size_t k = 0; k < most; k++) {
    size_t running = 0, held = 0;
    double deviation = 0;
    for (size_t i = 0; i < instances; i++) {
      const visit *v = visits + i * MOST + k;
      if (k >= steps[i])
        continue;
      deviation += sqrt(v->deviation);
      held += v->restraint < 1;
      norms[running] = v->norm;
      ratios[running++] = v->next / v->norm;
    }
    deviation /= (double)running;
    largest = deviation > largest ? deviation : largest;
    all += running;
    restrained += held;
    fprintf(out, "%zu,%zu,%.6g,%.6g,%.6g,%.6g,%.6g\n", k, running, deviation, (double)held / (double)running,
            begin > 0 && (double)k >= begin ? begin / ((double)k + 1) : 1, median(norms, running), median(ratios, running));
  }
  fclose(out);

  /* of every instance: its last step, and the first that ends at |g| <= 1e-6 */
  double deviation = 0, at = 0;
  for (size_t i = 0; i < instances; i++) {
    const visit *v = visits + i * MOST;
    size_t k = 0;
    while (k + 1 < steps[i] && v[k].next > 1e-6)
      k++;
    norms[i] = (double)(k + 1);
    at += sqrt(v[k].deviation) / (double)instances;
    deviation += sqrt(v[steps[i] - 1].deviation) / (double)instances;
    ratios[i] = v[steps[i] - 1].next / v[steps[i] - 1].norm;
  }
  FILE *measured = open_in(folder, "measured", ".csv", "a");
  fprintf(measured, "%s: iterations to 1e-6,%.6g\n", name, median(norms, instances));
  for (size_t i = 0; i < instances; i++)
    norms[i] = (double)steps[i];
  fprintf(measured, "%s: iterations to the end,%.6g\n", name, median(norms, instances));
  fprintf(measured, "%s: largest deviation,%.4g\n%s: deviation at 1e-6,%.4g\n%s: deviation in the last step,%.4g\n", name, largest,
          name, at, name, deviation);
  fprintf(measured, "%s: share of restrained steps,%.4g\n%s: ratio in the last step,%.4g\n", name, (double)restrained / (double)all,
          name, median(ratios, instances));
  fclose(measured);

  free(visits);
  free(steps);
  free(norms);
  free(ratios);
  l2o_family_free(family);
  l2o_model_free(model);
  return 0;
}
