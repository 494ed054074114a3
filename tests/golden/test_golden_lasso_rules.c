/* SPDX-License-Identifier: BSD-3-Clause */
/* GO-Math-L2O in its variants and L2O-PA with its heads on LASSO: iterates, objectives, memory, losses and gradients in both
 * stop-gradient modes of the published code, see README.md; and by central differences, where the models have other options. */
#include "l2o_fixtures.h"
#include "l2o_golden.h"
#include "nn/heads.h"
#include "problems/instance.h"
#include <l2o/l2o.h>

static const struct {
  const char *file, *rule, *model;
} cases[] = {
    {"go_lasso_12x8_gomathl2o", "go-math-l2o", ""},
    {"go_lasso_12x8_gomathl2ostd", "go-math-l2o", ",variant=std"},
    {"go_lasso_12x8_gomathl2olh", "go-math-l2o", ",variant=lh"},
    {"go_lasso_12x8_gomathl2o_all", "go-math-l2o", ",biases=on,scales=learned"},
    {"lstm_lasso_12x8_pa", "l2o-pa", ""},
    {"lstm_lasso_12x8_all", "l2o-pa", ",b=on,b1=on,b2=on,scales=learned"},
};
enum { CASES = sizeof cases / sizeof *cases };

typedef struct golden {
  l2o_tensor_file *file;
  size_t B, n, m, T, hidden, layers;
  l2o_real *x0;
  l2o_family *instances; /* the file is one of instances, h0 and c0 included, but for the name of the start */
  l2o_model *model;
  const l2o_solver *rule;
} golden;

/* h and c of a layer lie side by side, (H, n), layer after layer, where all coordinates are one chunk. */
static l2o_real *memory_of(const golden *g, l2o_real *network, size_t layer, bool cell) {
  return network + (2 * layer + cell) * g->hidden * g->n;
}

static golden open_golden(size_t c) {
  char path[512], spec[256];
  l2o_diag diag = {""};
  golden g = {0};
  snprintf(path, sizeof path, "%s/golden/%s.safetensors", L2O_TEST_DATA, cases[c].file);
  assert_status(l2o_tensor_file_open(&g.file, path, &diag), L2O_OK, &diag);
  g.B = (size_t)golden_scalar(g.file, "batch"), g.n = (size_t)golden_scalar(g.file, "n"), g.m = (size_t)golden_scalar(g.file, "m"),
  g.T = (size_t)golden_scalar(g.file, "T");
  g.hidden = (size_t)golden_scalar(g.file, "hidden"), g.layers = (size_t)golden_scalar(g.file, "layers");
  g.x0 = golden_reals(g.file, "X");
  assert_status(l2o_family_open(&g.instances, "lasso", path, &diag), L2O_OK, &diag);
  assert_true(g.instances->n == g.n && g.instances->count == g.B);
  assert_true(g.n <= L2O_LSTM_CHUNK);
  snprintf(spec, sizeof spec, "%s:hidden=%zu,layers=%zu%s", cases[c].rule, g.hidden, g.layers, cases[c].model);
  assert_status(l2o_model_new(&g.model, spec, 1, &diag), L2O_OK, &diag);
  size_t count;
  const l2o_real *parameters = l2o_model_parameters(g.model, &count);
  double *flat = malloc(count * sizeof *flat);
  for (size_t i = 0; i < count; i++)
    flat[i] = (double)parameters[i];
  for (size_t i = 0; i < l2o_model_tensor_count(g.model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(g.model, i);
    char name[64];
    snprintf(name, sizeof name, "param__%s", t.name);
    if (!l2o_tensor_file_find(g.file, name)) {
      assert_false(t.learned);
      continue;
    }
    size_t given;
    double *values = golden_values(g.file, name, &given);
    assert_int_equal(given, t.count);
    memcpy(flat + t.offset, values, given * sizeof *flat);
    free(values);
  }
  assert_status(l2o_model_set_parameters(g.model, flat, count), L2O_OK, NULL);
  free(flat);
  g.rule = l2o_solver_find(cases[c].rule, &diag);
  return g;
}

static void close_golden(golden *g) {
  l2o_tensor_file_free(g->file);
  l2o_model_free(g->model);
  l2o_family_free(g->instances);
  free(g->x0);
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const golden *g = family->data;
  l2o_status status = g->instances->sample(g->instances, out, seed, index, diag);
  if (!status)
    ((l2o_instance *)(uintptr_t)out->data)->start = g->x0 + index * g->n;
  return status;
}

static l2o_family golden_family(const golden *g) {
  return (l2o_family){.struct_size = sizeof(l2o_family), .name = "golden", .n = g->n, .sample = sample, .data = g};
}

static void forward(void **state) {
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(c);
    const l2o_family family = golden_family(&g);
    const bool go = strcmp(cases[c].rule, "go-math-l2o") == 0;
    double *X = golden_values(g.file, "X", NULL), *f = golden_values(g.file, "obj_batch", NULL),
           *memory = golden_values(g.file, go ? "VG" : "Z", NULL), *s = golden_values(g.file, "step_size", NULL),
           *hT = golden_values(g.file, "hT", NULL), *cT = golden_values(g.file, "cT", NULL);
    double largest_x = 0, largest_memory = 0, largest_f = 0;
    for (size_t i = 0; i < (g.T + 1) * g.B * g.n; i++) {
      largest_x = fmax(largest_x, fabs(X[i]));
      largest_memory = fmax(largest_memory, fabs(memory[i]));
    }
    for (size_t i = 0; i < (g.T + 1) * g.B; i++)
      largest_f = fmax(largest_f, fabs(f[i]));
    const double tolerance = BY_PRECISION(1e-11, 1e-5);
    for (size_t b = 0; b < g.B; b++) {
      l2o_problem p;
      l2o_run *run;
      l2o_record record;
      l2o_stop stop = L2O_STOP_NONE;
      double constant;
      assert_status(l2o_family_sample(&family, &p, 0, L2O_PURPOSE_TRAIN, b, NULL), L2O_OK, NULL);
      assert_status(l2o_problem_lipschitz(&p, &constant), L2O_OK, NULL);
      assert_close(0.9999 / constant, s[b], BY_PRECISION(1e-13, 1e-6), 0);
      l2o_iterate it = {.problem = &p, .model = g.model, .n = g.n, .step = 0.9999 / constant};
      double options[2] = {0};
      it.options = options;
      it.x = calloc(g.n, sizeof *it.x), it.g = calloc(g.n, sizeof *it.g), it.state = calloc(g.rule->state_len(&it), sizeof *it.x);
      it.scratch = calloc(g.rule->scratch_len(&it), sizeof *it.x), it.work = calloc(l2o_problem_work_len(&p) + 1, sizeof *it.x);
      memcpy(it.x, g.x0 + b * g.n, g.n * sizeof *it.x);
      assert_status(g.rule->init(&it), L2O_OK, NULL);
      assert_status(l2o_run_new(&run, g.rule, g.model, &p, NULL, NULL), L2O_OK, NULL);
      assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
      for (size_t k = 0; k <= g.T; k++) {
        if (k > 0) { /* the driver's step, and the rule's own, whose memory can be seen */
          assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
          assert_status(g.rule->step(&it, NULL, &stop), L2O_OK, NULL);
          it.has_gradient = false;
        }
        assert_status(l2o_run_record(run, &record), L2O_OK, NULL);
        assert_close(record.objective, f[k * g.B + b], 0, tolerance * largest_f);
        for (size_t i = 0; i < g.n; i++) {
          assert_close(l2o_run_x(run)[i], X[(k * g.B + b) * g.n + i], 0, tolerance * largest_x);
          assert_true(it.x[i] == l2o_run_x(run)[i]);
          assert_close(it.state[i], memory[(k * g.B + b) * g.n + i], 0, tolerance * largest_memory);
        }
      }
      l2o_real *network = it.state + g.rule->state_len(&it) - l2o_heads_state_len(l2o_heads_of(g.model), g.n);
      for (size_t l = 0; l < g.layers; l++)
        for (size_t i = 0; i < g.n; i++)
          for (size_t k = 0; k < g.hidden; k++) {
            const size_t at = (l * g.B * g.n + b * g.n + i) * g.hidden + k;
            assert_close(memory_of(&g, network, l, false)[k * g.n + i], hT[at], 0, BY_PRECISION(1e-11, 1e-4));
            assert_close(memory_of(&g, network, l, true)[k * g.n + i], cT[at], 0, BY_PRECISION(1e-11, 1e-4));
          }
      free(it.x);
      free(it.g);
      free(it.state);
      free(it.scratch);
      free(it.work);
      l2o_run_free(run);
      l2o_problem_free(&p);
    }
    free(X);
    free(f);
    free(memory);
    free(s);
    free(hT);
    free(cT);
    close_golden(&g);
  }
}

static void gradients(void **state) {
  (void)state;
  static const struct {
    const char *name;
    l2o_loss loss;
  } losses[] = {{"last", L2O_LOSS_LAST}, {"mean", L2O_LOSS_MEAN}, {"weighted_sum", L2O_LOSS_WEIGHTED}};
  static const struct {
    const char *name;
    l2o_stop_gradient mode;
  } modes[] = {{"detach", L2O_STOP_GRADIENT_FEATURES}, {"full", L2O_STOP_GRADIENT_NONE}};
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(c);
    const l2o_family family = golden_family(&g);
    size_t count, compared = 0;
    l2o_model_parameters(g.model, &count);
    double *gradient = malloc(count * sizeof *gradient);
    for (size_t l = 0; l < 3; l++)
      for (size_t m = 0; m < 2; m++) {
        l2o_train_settings settings = l2o_train_settings_default();
        settings.batch = g.B, settings.horizon = g.T, settings.loss = losses[l].loss, settings.stop_gradient = modes[m].mode;
        l2o_trainer *trainer;
        l2o_diag diag = {""};
        char name[128];
        double loss;
        assert_status(l2o_trainer_new(&trainer, g.model, g.rule, &family, &settings, &diag), L2O_OK, &diag);
        assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
        snprintf(name, sizeof name, "loss_%s", losses[l].name);
        assert_close(loss, golden_scalar(g.file, name), BY_PRECISION(1e-12, 1e-5), 0);
        for (size_t i = 0; i < l2o_model_tensor_count(g.model); i++) {
          const l2o_model_tensor t = l2o_model_tensor_at(g.model, i);
          snprintf(name, sizeof name, "grad_%s_%s__%s", losses[l].name, modes[m].name, t.name);
          if (!l2o_tensor_file_find(g.file, name)) {
            assert_false(t.learned);
            continue;
          }
          size_t given;
          double *expected = golden_values(g.file, name, &given), largest = 0;
          assert_int_equal(given, t.count);
          for (size_t j = 0; j < given; j++)
            largest = fmax(largest, fabs(expected[j]));
          for (size_t j = 0; j < given; j++)
            if (!(fabs(gradient[t.offset + j] - expected[j]) <= BY_PRECISION(1e-11, 1e-4) * largest))
              fail_msg("%s: %s[%zu] = %.17g, expected %.17g (largest %.3g)", cases[c].file, name, j, gradient[t.offset + j],
                       expected[j], largest);
          free(expected);
          compared++;
        }
        l2o_trainer_free(trainer);
      }
    assert_true(compared >= 6 * 14);
    free(gradient);
    close_golden(&g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forward),
      cmocka_unit_test(gradients),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
