/* SPDX-License-Identifier: BSD-3-Clause */
/* l2o-dm and rnnprop on LASSO, by subgradients, against PyTorch (README.md): iterates, objectives, updates, moments and the
 * network's memory, losses and gradients with the inputs constant as published and not. */
#include "l2o_fixtures.h"
#include "l2o_golden.h"
#include "nn/blackbox.h"
#include "problems/instance.h"

static const struct {
  const char *file, *rule, *model;
} cases[] = {
    {"blackbox_l2o_dm", "l2o-dm", "update_scale=0.3,gradient_scale=0.5"},
    {"blackbox_rnnprop", "rnnprop", "update_scale=0.3,beta1=0.9,beta2=0.8"},
};
enum { CASES = sizeof cases / sizeof *cases };

typedef struct golden {
  l2o_tensor_file *file;
  size_t B, n, m, T, hidden, layers;
  l2o_real *W, *y, *x0;
  double *X, *h0, *c0, rho;
  l2o_model *model;
  l2o_solver rule;
  const l2o_solver *original;
  l2o_real *seen; /* the state that the last step left */
} golden;

/* of the file that is open: init() and step() have no other way to it */
static const golden *current;

/* Unit k of h (cell: c) of a layer and a coordinate in the state: the network's memory is the last of it, of one chunk. */
static l2o_real *memory_at(const golden *g, const l2o_iterate *it, l2o_real *state, size_t layer, bool cell, size_t k, size_t i) {
  l2o_real *network = state + g->original->state_len(it) - l2o_blackbox_state_len(it->model, g->n);
  return network + ((2 * layer + cell) * g->hidden + k) * g->n + i;
}
/* Where the file has it. */
static size_t entry_of(const golden *g, size_t b, size_t layer, size_t k, size_t i) {
  return (layer * g->B * g->n + b * g->n + i) * g->hidden + k;
}

/* The rule's own start, then the file's h and c. */
static l2o_status golden_init(l2o_iterate *it) {
  const golden *g = current;
  const size_t b = (size_t)(((const l2o_instance *)it->problem->data)->matrix - g->W) / (g->m * g->n);
  const l2o_status status = g->original->init(it);
  for (size_t l = 0; l < g->layers; l++)
    for (size_t i = 0; i < g->n; i++)
      for (size_t k = 0; k < g->hidden; k++) {
        *memory_at(g, it, it->state, l, false, k, i) = (l2o_real)g->h0[entry_of(g, b, l, k, i)];
        *memory_at(g, it, it->state, l, true, k, i) = (l2o_real)g->c0[entry_of(g, b, l, k, i)];
      }
  return status;
}

static l2o_status seen_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  const l2o_status status = current->original->step(it, tape, stop);
  memcpy(current->seen, it->state, current->original->state_len(it) * sizeof *it->state);
  return status;
}

static golden open_golden(size_t c) {
  char path[512], spec[256];
  l2o_diag diag = {""};
  golden g = {0};
  snprintf(path, sizeof path, "%s/golden/%s.safetensors", L2O_TEST_DATA, cases[c].file);
  assert_status(l2o_tensor_file_open(&g.file, path, &diag), L2O_OK, &diag);
  g.B = (size_t)golden_scalar(g.file, "B"), g.n = (size_t)golden_scalar(g.file, "n"), g.m = (size_t)golden_scalar(g.file, "m"),
  g.T = (size_t)golden_scalar(g.file, "T");
  g.hidden = (size_t)golden_scalar(g.file, "hidden"), g.layers = (size_t)golden_scalar(g.file, "layers"),
  g.rho = golden_scalar(g.file, "rho");
  g.W = golden_reals(g.file, "W"), g.y = golden_reals(g.file, "Y");
  g.X = golden_exactly(g.file, "X", (g.T + 1) * g.B * g.n);
  g.x0 = malloc(g.B * g.n * sizeof *g.x0);
  for (size_t i = 0; i < g.B * g.n; i++)
    g.x0[i] = (l2o_real)g.X[i];
  g.h0 = golden_exactly(g.file, "h0", g.layers * g.B * g.n * g.hidden),
  g.c0 = golden_exactly(g.file, "c0", g.layers * g.B * g.n * g.hidden);
  assert_true(g.n <= L2O_LSTM_CHUNK);
  snprintf(spec, sizeof spec, "%s:hidden=%zu,layers=%zu,%s", cases[c].rule, g.hidden, g.layers, cases[c].model);
  assert_status(l2o_model_new(&g.model, spec, 1, &diag), L2O_OK, &diag);
  double *flat = weights_of(g.model);
  size_t count;
  l2o_model_parameters(g.model, &count);
  for (size_t i = 0; i < l2o_model_tensor_count(g.model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(g.model, i);
    char name[64];
    snprintf(name, sizeof name, "param__%s", t.name);
    double *values = golden_exactly(g.file, name, t.count);
    memcpy(flat + t.offset, values, t.count * sizeof *flat);
    free(values);
  }
  assert_status(l2o_model_set_parameters(g.model, flat, count), L2O_OK, NULL);
  free(flat);
  g.original = solver_named(cases[c].rule);
  g.rule = *g.original;
  g.rule.init = golden_init;
  g.rule.step = seen_step;
  g.seen = calloc(g.original->state_len(&(l2o_iterate){.model = g.model, .n = g.n}), sizeof *g.seen);
  return g;
}

static void close_golden(golden *g) {
  l2o_tensor_file_free(g->file);
  l2o_model_free(g->model);
  free(g->W), free(g->y), free(g->x0), free(g->X), free(g->h0), free(g->c0), free(g->seen);
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const golden *g = family->data;
  (void)seed;
  return l2o_lasso_new(out, g->W + index * g->m * g->n, g->y + index * g->m, g->x0 + index * g->n, g->rho, 0, g->m, g->n, diag);
}

static l2o_family golden_family(const golden *g) {
  return (l2o_family){.struct_size = sizeof(l2o_family), .name = "golden", .n = g->n, .sample = sample, .data = g};
}

static double largest_of(const double *v, size_t n) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = fmax(largest, fabs(v[i]));
  assert_true(largest > 0);
  return largest;
}

/* The moments m and v of rnnprop stand first in its state. */
static void compare_moment(const golden *g, const char *name, const l2o_real *moment, size_t k, size_t b) {
  double *expected = golden_exactly(g->file, name, g->T * g->B * g->n);
  const double largest = largest_of(expected, g->T * g->B * g->n);
  for (size_t i = 0; i < g->n; i++)
    assert_close(moment[i], expected[(k * g->B + b) * g->n + i], 0, BY_PRECISION(1e-11, 1e-5) * largest);
  free(expected);
}

static void forward(void **state) {
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(c);
    const l2o_family family = golden_family(&g);
    const size_t numbers = g.layers * g.B * g.n * g.hidden;
    const double tolerance = BY_PRECISION(1e-11, 1e-5), largest_x = largest_of(g.X, (g.T + 1) * g.B * g.n);
    double *f = golden_exactly(g.file, "objective", (g.T + 1) * g.B), *hT = golden_exactly(g.file, "hT", numbers),
           *cT = golden_exactly(g.file, "cT", numbers);
    current = &g;
    for (size_t b = 0; b < g.B; b++) {
      l2o_problem p;
      l2o_run *run;
      l2o_record record;
      l2o_stop stop = L2O_STOP_NONE;
      assert_status(l2o_family_sample(&family, &p, 0, L2O_PURPOSE_TRAIN, b, NULL), L2O_OK, NULL);
      assert_status(l2o_run_new(&run, &g.rule, g.model, &p, NULL, NULL), L2O_OK, NULL);
      assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
      for (size_t k = 0; k <= g.T; k++) {
        if (k > 0)
          assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
        assert_status(l2o_run_record(run, &record), L2O_OK, NULL);
        assert_close(record.objective, f[k * g.B + b], tolerance, 0);
        for (size_t i = 0; i < g.n; i++)
          assert_close(l2o_run_x(run)[i], g.X[(k * g.B + b) * g.n + i], 0, tolerance * largest_x);
        if (k > 0 && l2o_tensor_file_find(g.file, "mean")) {
          compare_moment(&g, "mean", g.seen, k - 1, b);
          compare_moment(&g, "square", g.seen + g.n, k - 1, b);
        }
      }
      const l2o_iterate it = {.model = g.model, .n = g.n};
      for (size_t l = 0; l < g.layers; l++)
        for (size_t i = 0; i < g.n; i++)
          for (size_t k = 0; k < g.hidden; k++) {
            assert_close(*memory_at(&g, &it, g.seen, l, false, k, i), hT[entry_of(&g, b, l, k, i)], 0, BY_PRECISION(1e-11, 1e-5));
            assert_close(*memory_at(&g, &it, g.seen, l, true, k, i), cT[entry_of(&g, b, l, k, i)], 0, BY_PRECISION(1e-11, 1e-5));
          }
      l2o_run_free(run);
      l2o_problem_free(&p);
    }
    free(f), free(hT), free(cT);
    close_golden(&g);
  }
}

static void gradients(void **state) {
  (void)state;
  static const struct {
    const char *name;
    l2o_loss loss;
  } losses[] = {{"last", L2O_LOSS_LAST}, {"mean", L2O_LOSS_MEAN}};
  static const struct {
    const char *name;
    l2o_stop_gradient mode;
  } modes[] = {{"published", L2O_STOP_GRADIENT_FEATURES}, {"full", L2O_STOP_GRADIENT_NONE}};
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(c);
    const l2o_family family = golden_family(&g);
    double *gradient = weights_of(g.model);
    current = &g;
    for (size_t l = 0; l < 2; l++)
      for (size_t m = 0; m < 2; m++) {
        l2o_train_settings settings = l2o_train_settings_default();
        settings.batch = g.B, settings.horizon = g.T, settings.loss = losses[l].loss, settings.stop_gradient = modes[m].mode;
        l2o_trainer *trainer;
        l2o_diag diag = {""};
        char name[128];
        double loss;
        assert_status(l2o_trainer_new(&trainer, g.model, &g.rule, &family, &settings, &diag), L2O_OK, &diag);
        assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
        snprintf(name, sizeof name, "loss_%s", losses[l].name);
        assert_close(loss, golden_scalar(g.file, name), BY_PRECISION(1e-12, 1e-5), 0);
        for (size_t i = 0; i < l2o_model_tensor_count(g.model); i++) {
          const l2o_model_tensor t = l2o_model_tensor_at(g.model, i);
          snprintf(name, sizeof name, "grad_%s_%s__%s", losses[l].name, modes[m].name, t.name);
          double *expected = golden_exactly(g.file, name, t.count);
          const double largest = largest_of(expected, t.count);
          for (size_t j = 0; j < t.count; j++)
            if (!(fabs(gradient[t.offset + j] - expected[j]) <= BY_PRECISION(1e-11, 1e-4) * largest))
              fail_msg("%s: %s[%zu] = %.17g, expected %.17g (largest %.3g)", cases[c].file, name, j, gradient[t.offset + j],
                       expected[j], largest);
          free(expected);
        }
        l2o_trainer_free(trainer);
      }
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
