/* SPDX-License-Identifier: BSD-3-Clause */
/* The unrolled rules against PyTorch's automatic differentiation, see README.md: iterates, loss, and its derivative with respect to
 * every learned tensor and the start, relative to the largest entry 1e-11 in double, 1e-5 in single. There are more iterations than
 * layers. */
#include "l2o_golden.h"
#include "l2o_unrolling.h"
#include <l2o/tensor_file.h>

static const double TOLERANCE = BY_PRECISION(1e-11, 1e-5);

static const struct {
  const char *file, *rule, *options;
} cases[] = {
    {"lista_unshared", "lista", "n=11,shared=false"},    {"lista_shared", "lista", "n=11"},
    {"lista_cp", "lista-cp", "n=11,shared=false"},       {"lista_cpss", "lista-cpss", "n=11,p=13,p_max=31"},
    {"alista", "alista", "n=11,p=13,p_max=31"},          {"ada_lista", "ada-lista", "shared=true"},
    {"ada_lista_unshared", "ada-lista", "shared=false"},
};

static double *read_values(const l2o_tensor_file *file, const char *prefix, const char *name, size_t *count) {
  char full[80];
  *count = 0;
  snprintf(full, sizeof full, "%s%s", prefix, name);
  const l2o_tensor *t = l2o_tensor_file_find(file, full);
  if (!t)
    return NULL;
  double *values = malloc((t->count + 1) * sizeof *values);
  l2o_tensor_to_double(t, values);
  *count = t->count;
  return values;
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

static void compare_reals(const char *what, const l2o_real *actual, const double *expected, size_t count) {
  double *values = malloc(count * sizeof *values);
  for (size_t i = 0; i < count; i++)
    values[i] = (double)actual[i];
  compare(what, values, expected, count);
  free(values);
}

/* The model with the file's tensors; what the file does not have keeps its value. */
static l2o_model *model_from(const l2o_tensor_file *file, const char *spec) {
  l2o_model *model = model_of(spec, 1);
  size_t count, total, found = 0;
  l2o_model_parameters(model, &total);
  double *flat = weights_of(model);
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(model, i);
    double *values = read_values(file, t.learned ? "param__" : "", t.name, &count);
    if (!values)
      continue;
    memcpy(flat + t.offset, values, t.count * sizeof *values); /* of A [2, m, n] the first: they are the same */
    assert_true(count % t.count == 0);
    found++;
    free(values);
  }
  assert_int_equal(found, l2o_model_tensor_count(model));
  assert_status(l2o_model_set_parameters(model, flat, total), L2O_OK, NULL);
  free(flat);
  return model;
}

static void numbers_are_those_of_pytorch(void **state) {
  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    char path[400], spec[96];
    l2o_tensor_file *file;
    l2o_diag diag = {""};
    snprintf(path, sizeof path, "%s/golden/%s.safetensors", L2O_TEST_DATA, cases[c].file);
    assert_status(l2o_tensor_file_open(&file, path, &diag), L2O_OK, &diag);
    const l2o_tensor *shape = l2o_tensor_file_find(file, "x"), *matrix = l2o_tensor_file_find(file, "A");
    assert_true(shape && matrix);
    const size_t U = shape->shape[0] - 1, B = shape->shape[1], n = shape->shape[2], m = matrix->shape[1];
    snprintf(spec, sizeof spec, "%s:layers=4,m=%zu,%s", cases[c].rule, m, cases[c].options);
    l2o_model *model = model_from(file, spec);
    l2o_real *A = golden_reals(file, "A"), *y = golden_reals(file, "y"), *x0 = golden_reals(file, "x0"),
             *l1 = golden_reals(file, "l1");
    l2o_real *walk = malloc((U + 1) * n * sizeof *walk), *dx0 = malloc(n * sizeof *dx0);
    size_t count, total;
    l2o_model_parameters(model, &total);
    double *gradient = calloc(total, sizeof *gradient), *one = malloc(total * sizeof *one),
           *loss = read_values(file, "", "loss", &count);
    double *x = read_values(file, "", "x", &count), *gx0 = read_values(file, "grad__", "x0", &count),
           *expected = malloc(U * n * sizeof *expected);
    assert_true(U == 6 && B == 2 && loss && x && gx0);
    for (size_t b = 0; b < B; b++) {
      l2o_problem p;
      double L;
      assert_status(l2o_lasso_new(&p, A + b * m * n, y + b * m, NULL, (double)l1[0], 0, m, n, &diag), L2O_OK, &diag);
      assert_status(l2o_problem_lipschitz(&p, &L), L2O_OK, NULL);
      const unrolling u = {.solver = solver_named(cases[c].rule),
                           .model = model,
                           .problem = &p,
                           .x0 = x0 + b * n,
                           .step = 0.9999 / L,
                           .steps = U,
                           .mode = L2O_STOP_GRADIENT_NONE};
      assert_close(unroll(&u, walk, one, dx0), loss[b], TOLERANCE, 0);
      for (size_t k = 1; k <= U; k++)
        memcpy(expected + (k - 1) * n, x + (k * B + b) * n, n * sizeof *expected);
      compare_reals(cases[c].file, walk + n, expected, U * n);
      compare_reals("x0", dx0, gx0 + b * n, n);
      for (size_t i = 0; i < total; i++)
        gradient[i] += one[i];
      l2o_problem_free(&p);
    }
    for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
      const l2o_model_tensor t = l2o_model_tensor_at(model, i);
      double *values = t.learned ? read_values(file, "grad__", t.name, &count) : NULL;
      if (t.learned)
        compare(t.name, gradient + t.offset, values, t.count);
      for (size_t j = 0; !t.learned && j < t.count; j++)
        assert_true(gradient[t.offset + j] == 0);
      free(values);
    }
    free(A), free(y), free(x0), free(l1), free(walk), free(dx0), free(gradient), free(one), free(loss), free(x), free(gx0);
    free(expected);
    l2o_model_free(model);
    l2o_tensor_file_free(file);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_are_those_of_pytorch)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
