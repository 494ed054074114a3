/* SPDX-License-Identifier: BSD-3-Clause */
/* sum-rate-lo against PyTorch's automatic differentiation with the network's inputs and lambda held constant, see README.md:
 * precoders, loss, and its derivative with respect to every tensor, relative to the largest entry 1e-10 in double, 2e-4 in single.
 * There are more iterations than layers, weights differ, one of three power budgets is not used up at the start. */
#include "l2o_fixtures.h"

#include "l2o_golden.h"

static const double TOLERANCE = BY_PRECISION(1e-10, 2e-4);

typedef struct golden {
  l2o_tensor_file *file;
  l2o_real *H, *weights, *V0;
  size_t instances, unknowns;
  l2o_sum_rate_sizes sizes;
} golden;

/* The file's instances as a user's family. */
static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const golden *g = family->data;
  const size_t n = g->sizes.cells * g->sizes.users, entries = 2 * n * g->sizes.cells * g->sizes.rx * g->sizes.tx;
  (void)seed;
  return l2o_sum_rate_new(out, g->H + index * entries, g->weights + index * n, g->V0 + index * g->unknowns, 0.7, 3, &g->sizes,
                          diag);
}

static golden open_golden(const char *name) {
  char path[400];
  l2o_diag diag = {""};
  golden g = {0};
  snprintf(path, sizeof path, "%s/golden/sum_rate_lo_%s.safetensors", L2O_TEST_DATA, name);
  assert_status(l2o_tensor_file_open(&g.file, path, &diag), L2O_OK, &diag);
  const l2o_tensor *H = l2o_tensor_file_find(g.file, "H"), *V0 = l2o_tensor_file_find(g.file, "V0");
  assert_true(H && V0 && H->rank == 6 && V0->rank == 5);
  g.H = golden_reals(g.file, "H"), g.weights = golden_reals(g.file, "weights"), g.V0 = golden_reals(g.file, "V0");
  g.instances = H->shape[0];
  g.sizes = (l2o_sum_rate_sizes){
      .cells = H->shape[2], .users = H->shape[1] / H->shape[2], .tx = H->shape[4], .rx = H->shape[3], .streams = V0->shape[3]};
  g.unknowns = V0->count / g.instances;
  return g;
}

static void compare(const char *what, const double *actual, const double *expected, size_t count) {
  double largest = 0;
  for (size_t i = 0; i < count; i++)
    largest = fmax(largest, fabs(expected[i]));
  assert_true(largest > 0);
  for (size_t i = 0; i < count; i++)
    if (!(fabs(actual[i] - expected[i]) <= TOLERANCE * largest))
      fail_msg("%s[%zu] = %.17g, expected %.17g (largest %.3g)", what, i, actual[i], expected[i], largest);
}

static l2o_model *model_from(const golden *g, const char *options) {
  char spec[120], name[64];
  size_t count;
  snprintf(spec, sizeof spec, "sum-rate-lo:layers=2,hidden=5%s", options);
  l2o_model *model = model_of(spec, 1);
  double *flat = weights_of(model);
  l2o_model_parameters(model, &count);
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(model, i);
    snprintf(name, sizeof name, "param__%s", t.name);
    double *values = golden_exactly(g->file, name, t.count);
    memcpy(flat + t.offset, values, t.count * sizeof *values);
    free(values);
  }
  assert_status(l2o_model_set_parameters(model, flat, count), L2O_OK, NULL);
  free(flat);
  return model;
}

/* The precoders after every iteration. */
static void check_iterates(const golden *g, const l2o_family *family, const l2o_model *model, size_t U) {
  double *expected = golden_exactly(g->file, "V", g->instances * (U + 1) * g->unknowns);
  double *actual = malloc(U * g->unknowns * sizeof *actual);
  for (size_t i = 0; i < g->instances; i++) {
    l2o_problem p;
    l2o_trace *trace;
    l2o_settings s = l2o_settings_default();
    l2o_diag diag = {""};
    l2o_real *x = malloc(g->unknowns * sizeof *x);
    assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_EVAL, i, &diag), L2O_OK, &diag);
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    assert_status(l2o_trace_new(&trace, U + 1, g->unknowns), L2O_OK, NULL);
    s.iterations = U;
    s.traces = (l2o_trace *const[]){trace};
    assert_status(l2o_minimize(solver_named("sum-rate-lo"), model, &p, x, NULL, &s, &diag), L2O_OK, &diag);
    for (size_t k = 0; k < U * g->unknowns; k++)
      actual[k] = (double)l2o_trace_iterates(trace)[g->unknowns + k];
    compare("V", actual, expected + (i * (U + 1) + 1) * g->unknowns, U * g->unknowns);
    l2o_trace_free(trace);
    l2o_problem_free(&p);
    free(x);
  }
  free(expected), free(actual);
}

static void numbers_are_those_of_pytorch(void **state) {
  (void)state;
  static const struct {
    const char *name, *options;
  } cases[] = {{"default", ""},
               {"bounded", ",step=bounded,momentum=false"},
               {"products", ",products=2"},
               {"shared", ",shared=true"},
               {"lift", ",tx=3,lift=6,rank=4"},
               {"rank", ",tx=3,rank=2,step=bounded,momentum=false,products=0"}};
  enum { U = 3 };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    golden g = open_golden(cases[c].name);
    l2o_model *model = model_from(&g, cases[c].options);
    const l2o_family family = {.struct_size = sizeof family, .name = "golden", .n = g.unknowns, .sample = sample, .data = &g};
    l2o_train_settings s = l2o_train_settings_default();
    l2o_trainer *trainer;
    l2o_diag diag = {""};
    double loss;
    size_t count;
    check_iterates(&g, &family, model, U);
    l2o_model_parameters(model, &count);
    double *gradient = malloc(count * sizeof *gradient);
    s.batch = g.instances, s.horizon = U, s.loss = L2O_LOSS_WEIGHTED;
    assert_status(l2o_trainer_new(&trainer, model, solver_named("sum-rate-lo"), &family, &s, &diag), L2O_OK, &diag);
    assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
    assert_close(loss, golden_scalar(g.file, "loss"), TOLERANCE, 0);
    for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
      const l2o_model_tensor t = l2o_model_tensor_at(model, i);
      char name[64];
      snprintf(name, sizeof name, "grad__%s", t.name);
      double *expected = golden_exactly(g.file, name, t.count);
      compare(name, gradient + t.offset, expected, t.count);
      free(expected);
    }
    l2o_trainer_free(trainer);
    l2o_model_free(model);
    l2o_tensor_file_free(g.file);
    free(gradient), free(g.H), free(g.weights), free(g.V0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_are_those_of_pytorch)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
