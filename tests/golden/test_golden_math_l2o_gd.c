/* SPDX-License-Identifier: BSD-3-Clause */
/* Iterates, objectives, losses, gradients in both stop-gradient modes and training sequences of the published code, see README.md:
 * relative to the largest entry 1e-11 in double, 1e-5 in single. */
#include "l2o_golden.h"
#include "l2o_test.h"
#include <l2o/l2o.h>

#ifdef L2O_SINGLE
static const double TOLERANCE = 1e-5;
#else
static const double TOLERANCE = 1e-11;
#endif

static const char *const TENSORS[] = {"dnn.0.weight", "linear.weight", "linear_p.weight", "p_scale"};

typedef struct golden {
  l2o_tensor_file *file;
  size_t B, m, n, T, hidden;
  l2o_real *W, *y;
  double *step;
} golden;

static golden open_golden(const char *stem) {
  char path[512];
  l2o_diag diag;
  golden g = {0};
  snprintf(path, sizeof path, "%s/golden/dnn_qp_%s.safetensors", L2O_TEST_DATA, stem);
  assert_status(l2o_tensor_file_open(&g.file, path, &diag), L2O_OK, &diag);
  g.B = (size_t)golden_scalar(g.file, "batch"), g.m = (size_t)golden_scalar(g.file, "m"), g.n = (size_t)golden_scalar(g.file, "n");
  g.T = golden_has(g.file, "T") ? (size_t)golden_scalar(g.file, "T") : 0, g.hidden = (size_t)golden_scalar(g.file, "hidden");
  g.W = golden_reals(g.file, "W"), g.y = golden_reals(g.file, "Y"), g.step = golden_values(g.file, "step_size", NULL);
  return g;
}

static void close_golden(golden *g) {
  l2o_tensor_file_free(g->file);
  free(g->W);
  free(g->y);
  free(g->step);
}

/* The file's instances as a user's family. */
static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const golden *g = family->data;
  (void)seed;
  return l2o_qp_new(out, g->W + index * g->m * g->n, g->y + index * g->m, NULL, 0, g->m, g->n, diag);
}

static l2o_family family_of(const golden *g) {
  return (l2o_family){.struct_size = sizeof(l2o_family), .name = "golden", .n = g->n, .sample = sample, .data = g};
}

/* Compares tensor by tensor, relative to the largest expected entry of each. */
static void compare(const golden *g, const char *prefix, const l2o_model *model, const double *flat, double tolerance) {
  size_t compared = 0;
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    l2o_model_tensor t = l2o_model_tensor_at(model, i);
    char name[128];
    snprintf(name, sizeof name, "%s__%s", prefix, t.name);
    if (!golden_has(g->file, name))
      continue;
    size_t count;
    double *expected = golden_values(g->file, name, &count), largest = 0;
    assert_int_equal(count, t.count);
    for (size_t j = 0; j < count; j++)
      largest = fmax(largest, fabs(expected[j]));
    for (size_t j = 0; j < count; j++)
      if (!(fabs(flat[t.offset + j] - expected[j]) <= tolerance * largest))
        fail_msg("%s[%zu] = %.17g, expected %.17g (largest %.3g)", name, j, flat[t.offset + j], expected[j], largest);
    free(expected);
    compared++;
  }
  assert_true(compared >= 3);
}

static l2o_model *model_of(const golden *g, const char *options) {
  char spec[256], name[64];
  l2o_diag diag;
  l2o_model *model;
  snprintf(spec, sizeof spec, "math-l2o-gd:hidden=%zu%s", g->hidden, options);
  assert_status(l2o_model_new(&model, spec, 1, &diag), L2O_OK, &diag);
  size_t count;
  l2o_model_parameters(model, &count);
  double *flat = malloc(count * sizeof *flat);
  for (size_t i = 0; i < 4; i++) {
    l2o_model_tensor t = l2o_model_tensor_at(model, i);
    assert_string_equal(t.name, TENSORS[i]);
    snprintf(name, sizeof name, "param__%s", t.name);
    if (golden_has(g->file, name)) {
      double *values = golden_values(g->file, name, NULL);
      memcpy(flat + t.offset, values, t.count * sizeof *values);
      free(values);
    } else {
      flat[t.offset] = 1; /* p_scale, where it is fixed */
    }
  }
  assert_status(l2o_model_set_parameters(model, flat, count), L2O_OK, NULL);
  free(flat);
  return model;
}

static void check_iterates(const golden *g, const l2o_model *model) {
  double *X = golden_values(g->file, "X", NULL), *obj = golden_values(g->file, "obj", NULL), largest = 0;
  const l2o_family family = family_of(g);
  for (size_t i = 0; i < (g->T + 1) * g->B * g->n; i++)
    largest = fmax(largest, fabs(X[i]));
  double *sum = calloc(g->T + 1, sizeof *sum);
  for (size_t b = 0; b < g->B; b++) {
    l2o_problem p;
    l2o_trace *trace;
    l2o_real *x = calloc(g->n, sizeof *x);
    l2o_settings s = l2o_settings_default();
    double constant;
    assert_status(l2o_family_sample(&family, &p, 0, L2O_PURPOSE_EVAL, b, NULL), L2O_OK, NULL);
    assert_status(l2o_problem_lipschitz(&p, &constant), L2O_OK, NULL);
    assert_close(0.9999 / constant, g->step[b], 1e-6 < TOLERANCE ? 1e-6 : TOLERANCE, 0);
    assert_status(l2o_trace_new(&trace, g->T + 1, g->n), L2O_OK, NULL);
    s.iterations = g->T;
    s.traces = (l2o_trace *const[]){trace};
    assert_status(l2o_minimize(l2o_solver_find("math-l2o-gd", NULL), model, &p, x, NULL, &s, NULL), L2O_OK, NULL);
    size_t records;
    const l2o_record *r = l2o_trace_records(trace, &records);
    const l2o_real *path = l2o_trace_iterates(trace);
    assert_int_equal(records, g->T + 1);
    for (size_t t = 0; t <= g->T; t++) {
      sum[t] += r[t].objective;
      for (size_t i = 0; i < g->n; i++)
        assert_close(path[t * g->n + i], X[(t * g->B + b) * g->n + i], 0, TOLERANCE * largest);
    }
    l2o_trace_free(trace);
    l2o_problem_free(&p);
    free(x);
  }
  for (size_t t = 0; t <= g->T; t++)
    assert_close(sum[t], obj[t], TOLERANCE, 0);
  free(sum);
  free(X);
  free(obj);
}

static void check_gradients(const golden *g, l2o_model *model) {
  static const char *const losses[] = {"last", "mean", "weighted_sum"}, *const modes[] = {"detach", "full"};
  const l2o_family family = family_of(g);
  size_t count;
  l2o_diag diag;
  l2o_model_parameters(model, &count);
  double *gradient = malloc(count * sizeof *gradient), loss;
  for (int i = 0; i < 3; i++)
    for (int mode = 0; mode < 2; mode++) {
      char name[64], prefix[64];
      snprintf(name, sizeof name, "loss_%s", losses[i]);
      snprintf(prefix, sizeof prefix, "grad_%s_%s", losses[i], modes[mode]);
      if (!golden_has(g->file, name))
        continue;
      l2o_train_settings s = l2o_train_settings_default();
      s.batch = g->B, s.horizon = g->T, s.loss = (l2o_loss)i, s.reduction = L2O_REDUCTION_SUM;
      s.stop_gradient = mode ? L2O_STOP_GRADIENT_NONE : L2O_STOP_GRADIENT_FEATURES;
      l2o_trainer *trainer;
      assert_status(l2o_trainer_new(&trainer, model, l2o_solver_find("math-l2o-gd", NULL), &family, &s, &diag), L2O_OK, &diag);
      assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
      assert_close(loss, golden_scalar(g->file, name), TOLERANCE, 0);
      compare(g, prefix, model, gradient, TOLERANCE);
      l2o_trainer_free(trainer);
    }
  free(gradient);
}

static void check_file(const char *stem, const char *options) {
  golden g = open_golden(stem);
  l2o_model *model = model_of(&g, options);
  check_iterates(&g, model);
  check_gradients(&g, model);
  l2o_model_free(model);
  close_golden(&g);
}

/* Both evaluations of the network must give the published numbers. */
static void random_weights(void **state) {
  (void)state;
  check_file("8x6_rand", "");
  check_file("8x6_rand", ",evaluation=dense");
  check_file("32x20_rand", "");
  check_file("32x20_rand", ",evaluation=dense");
}

static void published_initialisation(void **state) {
  (void)state;
  check_file("8x6_init", "");
  check_file("32x20_init", "");
  check_file("32x20_init", ",evaluation=dense");
}

static void output_scales(void **state) {
  (void)state;
  check_file("8x6_norm_Gaussian", ",scale=gaussian");
  check_file("8x6_norm_exp", ",scale=exp");
  check_file("8x6_norm_eye", ",scale=identity");
  check_file("8x6_norm_softplus", ",scale=softplus");
}

static void check_training(const char *stem, l2o_optimizer optimizer, const char *name) {
  golden g = open_golden(stem);
  l2o_model *model = model_of(&g, "");
  const l2o_family family = family_of(&g);
  char key[64];
  size_t steps;
  l2o_diag diag;
  snprintf(key, sizeof key, "losses_%s", name);
  double *losses = golden_values(g.file, key, &steps);
  l2o_train_settings s = l2o_train_settings_default();
  snprintf(key, sizeof key, "lr_%s", name);
  s.batch = g.B, s.horizon = (size_t)golden_scalar(g.file, "T"), s.reduction = L2O_REDUCTION_SUM, s.optimizer = optimizer;
  s.learning_rate = golden_scalar(g.file, key);
  l2o_trainer *trainer;
  assert_status(l2o_trainer_new(&trainer, model, l2o_solver_find("math-l2o-gd", NULL), &family, &s, &diag), L2O_OK, &diag);
  for (size_t i = 0; i < steps; i++) {
    l2o_train_record record;
    assert_status(l2o_trainer_step(trainer, &record, &diag), L2O_OK, &diag);
    assert_false(record.rejected);
    assert_close(record.loss, losses[i], TOLERANCE, 0);
  }
  size_t count;
  const l2o_real *weights = l2o_model_parameters(model, &count);
  double *flat = malloc(count * sizeof *flat);
  for (size_t i = 0; i < count; i++)
    flat[i] = (double)weights[i];
  snprintf(key, sizeof key, "after_%s", name);
  compare(&g, key, model, flat, TOLERANCE);
  free(flat);
  free(losses);
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  close_golden(&g);
}

static void training_with_sgd(void **state) {
  (void)state;
  check_training("8x6_train", L2O_OPTIMIZER_SGD, "SGD");
  check_training("32x20_train", L2O_OPTIMIZER_SGD, "SGD");
}

static void training_with_adam(void **state) {
  (void)state;
  check_training("8x6_train", L2O_OPTIMIZER_ADAM, "Adam");
  check_training("32x20_train", L2O_OPTIMIZER_ADAM, "Adam");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_weights),    cmocka_unit_test(published_initialisation), cmocka_unit_test(output_scales),
      cmocka_unit_test(training_with_sgd), cmocka_unit_test(training_with_adam),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
