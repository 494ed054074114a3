/* SPDX-License-Identifier: BSD-3-Clause */
/* Losses and gradients of fully connected networks against PyTorch's automatic differentiation, see README.md: relative to the
 * largest entry 1e-11 in double, 1e-5 in single. */
#include "l2o_data_family.h"
#include "l2o_golden.h"

static const double TOLERANCE = BY_PRECISION(1e-11, 1e-5);

static const struct {
  const char *file, *spec;
} cases[] = {
    {"relu", "mlp:width=7,depth=2"},
    {"tanh", "mlp:width=7,depth=1,activation=tanh,loss=regression,outputs=4"},
    {"gelu", "mlp:width=7,depth=3,activation=gelu"},
    {"silu", "mlp:width=7,depth=2,activation=silu,loss=regression"},
    {"linear", "mlp:depth=0"},
};

/* x = the tensors of the file by the blocks' names, `prefix` before them */
static void gather(double *x, const l2o_tensor_file *file, const char *prefix, const l2o_problem *p) {
  size_t count;
  const l2o_block *b = l2o_problem_blocks(p, &count);
  for (size_t i = 0; i < count; i++) {
    char name[80];
    snprintf(name, sizeof name, "%s%s", prefix, b[i].name);
    double *values = golden_exactly(file, name, b[i].rows * b[i].columns);
    memcpy(x + b[i].offset, values, b[i].rows * b[i].columns * sizeof *x);
    free(values);
  }
}

static void compare(size_t k) {
  char path[200];
  l2o_tensor_file *file;
  l2o_family *family;
  l2o_diag diag = {""};
  snprintf(path, sizeof path, "%s/golden/mlp_%s.safetensors", L2O_TEST_DATA, cases[k].file);
  assert_status(l2o_tensor_file_open(&file, path, &diag), L2O_OK, &diag);
  size_t entries, rows;
  l2o_real *A = golden_reals(file, "A");
  free(golden_values(file, "A", &entries));
  double *labels = golden_values(file, "labels", &rows);
  assert_status(family_from_arrays(&family, cases[k].spec, A, labels, rows, entries / rows, &diag), L2O_OK, &diag);
  l2o_problem p;
  assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, &diag), L2O_OK, &diag);
  double *weights = malloc(p.n * sizeof *weights), *expected = malloc(p.n * sizeof *expected), largest = 0;
  l2o_real *x = malloc(2 * p.n * sizeof *x), *g = x + p.n;
  gather(weights, file, "", &p);
  gather(expected, file, "grad__", &p);
  for (size_t j = 0; j < p.n; j++) {
    x[j] = (l2o_real)weights[j];
    largest = fmax(largest, fabs(expected[j]));
  }
  const double loss = golden_scalar(file, "loss");
  assert_close(gradient_at(&p, g, x), loss, TOLERANCE, 0);
  assert_close(value_at(&p, x), loss, TOLERANCE, 0);
  for (size_t j = 0; j < p.n; j++)
    if (!(fabs((double)g[j] - expected[j]) <= TOLERANCE * largest))
      fail_msg("%s: gradient[%zu] = %.17g, expected %.17g (largest %.3g)", cases[k].file, j, (double)g[j], expected[j], largest);
  l2o_problem_free(&p);
  l2o_family_free(family);
  l2o_tensor_file_free(file);
  free(A), free(labels), free(weights), free(expected), free(x);
}

static void losses_and_gradients_are_those_of_pytorch(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
    compare(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(losses_and_gradients_are_those_of_pytorch)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
