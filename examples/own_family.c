/* SPDX-License-Identifier: BSD-3-Clause */
/* A family of the caller's own: train a model on samples of it, save it, load it, and solve new instances with it.
 *
 * The family: find n weights from m noisy readings b = A x + noise, some of them far off, by the robust fit
 *   f(x) = sum_i sqrt(1 + r_i^2) - 1,   r = A x - b.
 * Every instance has its own A and b. Usage: own_family [MODEL.safetensors] */
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 16, M = 32, INSTANCES = 64, ITERATIONS = 30 };

typedef struct readings {
  l2o_real A[M][N], b[M];
  double lipschitz;
} readings;

/* f and g = A' (r / s) with s = sqrt(1 + r^2). */
static l2o_status fit_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const readings *d = p->data;
  (void)work;
  *f = 0;
  for (int j = 0; j < N; j++)
    g[j] = 0;
  for (int i = 0; i < M; i++) {
    double r = -(double)d->b[i];
    for (int j = 0; j < N; j++)
      r += (double)d->A[i][j] * (double)x[j];
    const double s = sqrt(1 + r * r);
    *f += s - 1;
    for (int j = 0; j < N; j++)
      g[j] += (l2o_real)(r / s) * d->A[i][j];
  }
  return L2O_OK;
}

/* hv = A' diag(1 / s^3) A v: training needs it; without it the library takes differences of the gradient. */
static l2o_status fit_hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const readings *d = p->data;
  (void)work;
  for (int j = 0; j < N; j++)
    hv[j] = 0;
  for (int i = 0; i < M; i++) {
    double r = -(double)d->b[i], q = 0;
    for (int j = 0; j < N; j++)
      r += (double)d->A[i][j] * (double)x[j], q += (double)d->A[i][j] * (double)v[j];
    for (int j = 0; j < N; j++)
      hv[j] += (l2o_real)(q / pow(1 + r * r, 1.5)) * d->A[i][j];
  }
  return L2O_OK;
}

static l2o_status fit_lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const readings *)p->data)->lipschitz;
  return L2O_OK;
}

static void fit_free(l2o_problem *p) {
  free((void *)p->data);
}

static const l2o_problem_ops fit_ops = {.struct_size = sizeof fit_ops,
                                        .name = "robust-fit",
                                        .gradient = fit_gradient,
                                        .hessian_vector = fit_hessian_vector,
                                        .lipschitz = fit_lipschitz,
                                        .free = fit_free};

/* Instance `index` of `seed`: the same two numbers always give the same problem. */
static l2o_status fit_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)family, (void)diag;
  readings *d = malloc(sizeof *d);
  if (!d)
    return L2O_ERR_NOMEM;
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, index);
  double truth[N], row[N], noise;
  l2o_rng_normal(&rng, truth, N);
  for (int i = 0; i < M; i++) {
    l2o_rng_normal(&rng, row, N);
    l2o_rng_normal(&rng, &noise, 1);
    double b = (l2o_rng_uniform(&rng) < 0.1 ? 5 : 0.1) * noise; /* one reading in ten is far off */
    for (int j = 0; j < N; j++) {
      d->A[i][j] = (l2o_real)row[j];
      b += row[j] * truth[j];
    }
    d->b[i] = (l2o_real)b;
  }
  /* |A'A| is at most its largest sum of absolute values in a row. */
  d->lipschitz = 0;
  for (int j = 0; j < N; j++) {
    double sum = 0;
    for (int k = 0; k < N; k++) {
      double entry = 0;
      for (int i = 0; i < M; i++)
        entry += (double)d->A[i][j] * (double)d->A[i][k];
      sum += fabs(entry);
    }
    d->lipschitz = fmax(d->lipschitz, sum);
  }
  *out = (l2o_problem){.ops = &fit_ops, .data = d, .n = N};
  return L2O_OK;
}

static double mean_objective(const l2o_result *results) {
  double sum = 0;
  for (int i = 0; i < INSTANCES; i++)
    sum += results[i].last.objective;
  return sum / INSTANCES;
}

#define TRY(call)                                                                                                                  \
  do {                                                                                                                             \
    const l2o_status status_ = (call);                                                                                             \
    if (status_ != L2O_OK) {                                                                                                       \
      fprintf(stderr, "%s: %s\n", l2o_strerror(status_), diag.text);                                                               \
      return 1;                                                                                                                    \
    }                                                                                                                              \
  } while (0)

/* Trains the rule on samples of the family and saves the model. */
static int train(const l2o_family *family, const l2o_solver *rule, const char *path) {
  l2o_diag diag = {""};
  l2o_model *model;
  l2o_trainer *trainer;
  l2o_train_record step;
  l2o_train_settings settings = l2o_train_settings_default();
  settings.steps = 150;
  settings.horizon = ITERATIONS;
  settings.learning_rate = 1e-2;
  settings.fresh = true;
  settings.seed = 1;
  TRY(l2o_model_new(&model, "math-l2o-gd:hidden=32,expansion=1", 1, &diag));
  TRY(l2o_trainer_new(&trainer, model, rule, family, &settings, &diag));
  for (size_t i = 0; i < settings.steps; i++) {
    TRY(l2o_trainer_step(trainer, &step, &diag));
    if (i == 0 || i + 1 == settings.steps)
      printf("training step %3zu: mean objective %.4f\n", step.step, step.loss);
  }
  TRY(l2o_model_save(model, path, &diag));
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  return 0;
}

/* Loads the model and solves instances that training never saw: many at once over threads, and one of them alone. */
static int solve(const l2o_family *family, const l2o_solver *rule, const char *path) {
  static l2o_problem problems[INSTANCES];
  static l2o_real x_gd[INSTANCES][N], x_rule[INSTANCES][N], alone[N];
  static l2o_result by_gd[INSTANCES], by_rule[INSTANCES], by_alone;
  l2o_diag diag = {""};
  l2o_model *model;
  l2o_settings settings = l2o_settings_default();
  settings.iterations = ITERATIONS;
  TRY(l2o_model_load(&model, path, NULL, &diag));
  for (int i = 0; i < INSTANCES; i++)
    TRY(l2o_family_sample(family, &problems[i], 2, L2O_PURPOSE_EVAL, (uint64_t)i, &diag));
  TRY(l2o_solve_many(l2o_solver_find("gd", NULL), NULL, problems, INSTANCES, x_gd[0], by_gd, &settings, &diag));
  TRY(l2o_solve_many(rule, model, problems, INSTANCES, x_rule[0], by_rule, &settings, &diag));
  TRY(l2o_minimize(rule, model, &problems[5], alone, &by_alone, &settings, &diag));

  const bool same = memcmp(alone, x_rule[5], sizeof alone) == 0 && by_alone.last.objective == by_rule[5].last.objective;
  const double before = mean_objective(by_gd), after = mean_objective(by_rule);
  printf("%d new instances, %d iterations: mean objective %.4f by gd, %.4f by the trained rule\n", INSTANCES, ITERATIONS, before,
         after);
  printf("instance 5 alone and among the others: %s\n", same ? "the same bits" : "DIFFERENT");
  for (int i = 0; i < INSTANCES; i++)
    l2o_problem_free(&problems[i]);
  l2o_model_free(model);
  return same && after < before ? 0 : 1;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "own_family.safetensors";
  const l2o_family family = {.struct_size = sizeof family, .name = "robust-fit", .n = N, .sample = fit_sample};
  const l2o_solver *rule = l2o_solver_find("math-l2o-gd", NULL);
  return train(&family, rule, path) || solve(&family, rule, path);
}
