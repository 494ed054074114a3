/* SPDX-License-Identifier: BSD-3-Clause */
/* Models: specification, initial weights, files of ours and of PyTorch, good and broken. */
#include "l2o_fixtures.h"

#include "failing_malloc.h"
#include <l2o/tensor_file.h>

static const char KIND[] = "math-l2o-gd";

/* The kinds whose network is nn/coordinate_mlp.h; a rule of the same name reads each. */
static bool is_coordinate_mlp(const l2o_model_kind *kind) {
  return strncmp(kind->name, "math-l2o-", 9) == 0;
}

/* The kinds of nn/unrolled.h: tests/unit/test_unrolled.c. */
static bool reads_a_matrix(const l2o_model_kind *kind) {
  return strstr(kind->name, "lista");
}

/* ---- specification and initial weights ---- */

static void the_specification_is_complete_and_reads_back(void **state) {
  (void)state;
  for (const l2o_model_kind *const *kind = l2o_model_kinds(); *kind; kind++) {
    char spec[96];
    snprintf(spec, sizeof spec, "%s:%s%s", (*kind)->name, reads_a_matrix(*kind) ? "m=7,layers=3" : "hidden=7",
             is_coordinate_mlp(*kind) ? ",scale=exp" : "");
    l2o_model *a = model_of(spec, 3), *b = model_of(l2o_model_spec(a), 3);
    assert_string_equal(l2o_model_spec(a), l2o_model_spec(b));
    assert_string_equal(l2o_model_kind_name(a), (*kind)->name);
    assert_true(l2o_model_kind_find((*kind)->name, NULL) == *kind);
    size_t count;
    const l2o_real *w = l2o_model_parameters(a, &count);
    assert_same_reals(w, l2o_model_parameters(b, NULL), count);
    for (const l2o_option *o = (*kind)->options; o->name; o++) { /* every option is in it */
      char key[64];
      snprintf(key, sizeof key, "%s=", o->name);
      if (!strstr(l2o_model_spec(a), key))
        fail_msg("'%s' lacks %s", l2o_model_spec(a), key);
    }
    l2o_model_free(a);
    l2o_model_free(b);
  }
  l2o_model *model = model_of(KIND, 0);
  static const char *const defaults[] = {"math-l2o-gd:hidden=1024,", ",features=grad+x,",   ",scale=sigmoid2,",
                                         ",step_scale=0.9999,",      ",learn_scale=false,", ",evaluation=auto,"};
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
    assert_non_null(strstr(l2o_model_spec(model), defaults[i]));
  l2o_model_free(model);
  model = model_of("math-l2o-gd:expansion=0.1,step_scale=0.33333333333333331", 0);
  assert_non_null(strstr(l2o_model_spec(model), "expansion=0.1,"));
  assert_non_null(strstr(l2o_model_spec(model), "step_scale=0.3333333333333333")); /* as many digits as it takes */
  l2o_model_free(model);
}

static void tensors_lie_one_behind_another(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    size_t features, hidden;
  } cases[] = {{"math-l2o-gd:hidden=5", 2, 5}, {"math-l2o-gd:hidden=1,features=x", 1, 1}, {"math-l2o-nesterov:hidden=9", 2, 9}};
  for (size_t i = 0; i < 3; i++) {
    const size_t F = cases[i].features, H = cases[i].hidden;
    l2o_model *model = model_of(cases[i].spec, 0);
    const l2o_model_tensor expected[] = {{"dnn.0.weight", 2, {F, F}, 0, F * F, true},
                                         {"linear.weight", 2, {F, H}, F * F, F * H, true},
                                         {"linear_p.weight", 2, {H, 1}, F * F + F * H, H, true},
                                         {"p_scale", 0, {0}, F * F + F * H + H, 1, false}};
    size_t count;
    l2o_model_parameters(model, &count);
    assert_int_equal(l2o_model_tensor_count(model), 4);
    assert_int_equal(count, F * F + F * H + H + 1);
    for (size_t j = 0; j < 4; j++) {
      l2o_model_tensor t = l2o_model_tensor_at(model, j);
      assert_string_equal(t.name, expected[j].name);
      assert_true(t.rank == expected[j].rank && t.offset == expected[j].offset && t.count == expected[j].count);
      assert_true(t.learned == expected[j].learned);
      for (size_t k = 0; k < t.rank; k++)
        assert_int_equal(t.shape[k], expected[j].shape[k]);
    }
    l2o_model_free(model);
  }
  l2o_model *model = model_of("math-l2o-gd:hidden=2,learn_scale=true", 0);
  assert_true(tensor_named(model, "p_scale").learned);
  l2o_model_free(model);
}

/* W1 W1' = e^2 I, W2 W2' = e^2 I, w3 = 0, p_scale = 1. */
static void initial_weights_are_orthogonal(void **state) {
  (void)state;
  static const char *const specs[] = {"math-l2o-gd:hidden=50,expansion=10", "math-l2o-gd:hidden=50,expansion=10,sampler=torch",
                                      "math-l2o-gd:hidden=2,expansion=10", "math-l2o-gd:hidden=1,expansion=10",
                                      "math-l2o-nesterov:hidden=50,expansion=10"};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    l2o_model *model = model_of(specs[i], 4);
    double *w = weights_of(model);
    const size_t H = tensor_named(model, "linear_p.weight").count;
    const double *tensors[] = {w, w + 4};
    const size_t widths[] = {2, H};
    for (size_t k = 0; k < 2; k++) {
      double dots[3] = {0};
      for (size_t j = 0; j < widths[k]; j++) {
        double a = tensors[k][j], b = tensors[k][widths[k] + j];
        dots[0] += a * a, dots[1] += b * b, dots[2] += a * b;
      }
      if (widths[k] >= 2) {
        assert_close(dots[0], 100, BY_PRECISION(1e-13, 1e-6), 0);
        assert_close(dots[1], 100, BY_PRECISION(1e-13, 1e-6), 0);
        assert_close(dots[2], 0, 0, BY_PRECISION(1e-12, 1e-4));
      } else { /* one column of two rows: unit length */
        assert_close(dots[0] + dots[1], 100, BY_PRECISION(1e-13, 1e-6), 0);
      }
    }
    for (size_t j = 0; j < H; j++)
      assert_true(w[4 + 2 * H + j] == 0);
    assert_true(w[4 + 3 * H] == 1);
    free(w);
    l2o_model_free(model);
  }
}

static void a_seed_names_the_weights(void **state) {
  (void)state;
  l2o_model *a = model_of("math-l2o-gd:hidden=6", 1), *b = model_of("math-l2o-gd:hidden=6", 1),
            *c = model_of("math-l2o-gd:hidden=6", 2);
  size_t count;
  const l2o_real *w = l2o_model_parameters(a, &count);
  assert_same_reals(w, l2o_model_parameters(b, NULL), count);
  assert_memory_not_equal(w, l2o_model_parameters(c, NULL), 4 * sizeof *w);
  l2o_model_free(a);
  l2o_model_free(b);
  l2o_model_free(c);
}

static void specifications_that_make_no_sense(void **state) {
  (void)state;
  static const struct {
    const char *spec, *sentence;
  } cases[] = {
      {"math-l2o-dg", "there is no kind of model 'math-l2o-dg'; did you mean 'math-l2o-gd'?"},
      {"transformer-of-everything", "known: math-l2o-gd"},
      {"", "not a specification"},
      {"math-l2o-gd:hidden=0", "hidden = 0: expected an integer from 1 to"},
      {"math-l2o-gd:hiden=5", "math-l2o-gd has no option 'hiden'; did you mean 'hidden'?"},
      {"math-l2o-gd:features=grad-x", "features = grad-x: expected one of grad+x|x+grad|grad|x"},
      {"math-l2o-gd:scale=relu", "scale = relu: expected one of sigmoid2|"},
      {"math-l2o-gd:scale=sig", "scale = sig: expected one of"},
      {"math-l2o-gd:expansion=0x10", "expansion = 0x10: expected a number"},
      {"math-l2o-gd:expansion=-1", "expansion = -1: expected a number from 0 to"},
      {"math-l2o-gd:step_scale=0", "step_scale = 0: expected a number from"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_diag diag = {""};
    l2o_model *model = (l2o_model *)&diag;
    l2o_status status = l2o_model_new(&model, cases[i].spec, 0, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_status(status, L2O_ERR_ARG, &diag);
    assert_null(model);
  }
  assert_null(l2o_model_kind_find("math-l2o", NULL));
  l2o_model_free(NULL);
}

/* ---- parameters ---- */

static void parameters_are_taken_whole_or_not_at_all(void **state) {
  (void)state;
  l2o_model *model = model_of("math-l2o-gd:hidden=3", 1), *before;
  double w[14];
  assert_status(l2o_model_clone(&before, model), L2O_OK, NULL);
  for (size_t i = 0; i < 14; i++)
    w[i] = (double)i;
  assert_status(l2o_model_set_parameters(model, w, 13), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_model_set_parameters(model, w, 15), L2O_ERR_SHAPE, NULL);
  const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, BY_PRECISION(-(double)INFINITY, 1e39)};
  for (size_t i = 0; i < 4; i++) {
    w[13] = bad[i];
    assert_status(l2o_model_set_parameters(model, w, 14), L2O_ERR_NUMERIC, NULL);
    assert_same_reals(l2o_model_parameters(model, NULL), l2o_model_parameters(before, NULL), 14);
  }
  w[13] = 13;
  assert_status(l2o_model_set_parameters(model, w, 14), L2O_OK, NULL);
  for (size_t i = 0; i < 14; i++)
    assert_true(l2o_model_parameters(model, NULL)[i] == (l2o_real)i);
  l2o_model_free(model);
  l2o_model_free(before);
}

/* A rule makes of the two models the same steps: parameters and what is tabulated from them. */
static void assert_same_models(const l2o_model *a, const l2o_model *b) {
  size_t count;
  const l2o_real *w = l2o_model_parameters(a, &count);
  assert_string_equal(l2o_model_spec(a), l2o_model_spec(b));
  assert_same_reals(w, l2o_model_parameters(b, NULL), count);
  l2o_problem p = sampled("quadratic:n=8", 1, 0);
  l2o_real x[2][8] = {{0}};
  l2o_settings s = l2o_settings_default();
  s.iterations = 20;
  for (int i = 0; i < 2; i++)
    assert_status(l2o_minimize(solver_named(l2o_model_kind_name(a)), i ? b : a, &p, x[i], NULL, &s, NULL), L2O_OK, NULL);
  assert_same_reals(x[0], x[1], 8);
  assert_true(x[0][0] != 0);
  l2o_problem_free(&p);
}

static void a_clone_lives_on_its_own(void **state) {
  (void)state;
  l2o_model *model = model_of("math-l2o-gd:hidden=40,scale=exp", 1), *clone, *again;
  randomise(model, 2, 0.3);
  assert_status(l2o_model_clone(&clone, model), L2O_OK, NULL);
  assert_same_models(model, clone);
  assert_status(l2o_model_clone(&again, clone), L2O_OK, NULL);
  randomise(model, 3, 0.3);
  l2o_model_free(model);
  assert_same_models(again, clone);
  l2o_model_free(clone);
  l2o_model_free(again);
}

/* ---- files ---- */

static void models_come_back_bit_for_bit(void **state) {
  (void)state;
  static const char *const options[] = {"hidden=40", "hidden=40,features=x+grad,scale=softplus,step_scale=0.7",
                                        "hidden=3,features=grad,learn_scale=true", "hidden=40,evaluation=dense,sampler=torch"};
  for (const l2o_model_kind *const *kind = l2o_model_kinds(); *kind; kind++)
    for (size_t i = 0; i < 4 && is_coordinate_mlp(*kind); i++) {
      char spec[128];
      l2o_diag diag = {""};
      l2o_model *loaded;
      snprintf(spec, sizeof spec, "%s:%s", (*kind)->name, options[i]);
      l2o_model *model = model_of(spec, 1);
      randomise(model, 2, 0.3);
      assert_status(l2o_model_save(model, in_folder("model"), &diag), L2O_OK, &diag);
      assert_status(l2o_model_load(&loaded, in_folder("model"), NULL, &diag), L2O_OK, &diag);
      assert_same_models(model, loaded);
      l2o_model_free(loaded);
      /* the file knows better than the caller */
      assert_status(l2o_model_load(&loaded, in_folder("model"), "math-l2o-gd:hidden=77", &diag), L2O_OK, &diag);
      assert_same_models(model, loaded);
      l2o_model_free(loaded);
      l2o_model_free(model);
    }
}

/* What stands in a file that a test writes: entry i of a tensor is `first` + i / 8. */
typedef struct entry {
  const char *name;
  size_t rank, shape[3];
  double first;
  l2o_dtype dtype;
} entry;

static void write_file(const char *path, const char *format, const char *spec, const entry *entries, size_t count) {
  l2o_tensor_writer *writer;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  if (format)
    assert_status(l2o_tensor_writer_metadata(writer, "l2o.format", format), L2O_OK, NULL);
  if (spec)
    assert_status(l2o_tensor_writer_metadata(writer, "l2o.model", spec), L2O_OK, NULL);
  for (size_t i = 0; i < count && entries[i].name; i++) {
    double values[32];
    for (size_t j = 0; j < 32; j++)
      values[j] = entries[i].first + (double)j / 8;
    assert_status(l2o_tensor_writer_add(writer, entries[i].name, entries[i].dtype, values, entries[i].shape, entries[i].rank),
                  L2O_OK, NULL);
  }
  assert_status(l2o_tensor_writer_save(writer, path, NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
}

#define W1                                                                                                                         \
  { "dnn.0.weight", 2, {2, 2}, 1, L2O_F32 }
#define W2                                                                                                                         \
  { "linear.weight", 2, {2, 3}, 2, L2O_F32 }
#define W3                                                                                                                         \
  { "linear_p.weight", 2, {3, 1}, 3, L2O_F32 }
static const char SPEC[] = "math-l2o-gd:hidden=3";

/* A state_dict as safetensors.torch saves it: no metadata of ours, biases that are not used. */
static void a_pytorch_file_loads_as_it_is(void **state) {
  (void)state;
  static const entry entries[] = {
      W1, {"dnn.0.bias_value", 1, {1}, 0, L2O_F32},      {"linear.bias_value", 3, {1, 1, 1}, 0, L2O_F64}, W2,
      W3, {"linear_p.bias_value", 1, {1}, -0.0, L2O_F32}};
  l2o_model *model;
  l2o_diag diag = {""};
  write_file(in_folder("torch"), NULL, NULL, entries, 6);
  assert_status(l2o_model_load(&model, in_folder("torch"), SPEC, &diag), L2O_OK, &diag);
  for (size_t i = 0; i < 3; i++) {
    static const char *const names[] = {"dnn.0.weight", "linear.weight", "linear_p.weight"};
    l2o_model_tensor t = tensor_named(model, names[i]);
    for (size_t j = 0; j < t.count; j++)
      assert_true((double)l2o_model_parameters(model, NULL)[t.offset + j] == (double)(i + 1) + (double)j / 8);
  }
  assert_true(l2o_model_parameters(model, NULL)[13] == 1); /* p_scale may be missing: it is not learned */
  l2o_model_free(model);
  assert_status(l2o_model_load(&model, in_folder("torch"), NULL, &diag), L2O_ERR_FORMAT, NULL);
  assert_null(model);
  assert_names(&diag, "does not say which model it holds");
}

static void a_file_with_more_than_a_model_is_refused(void **state) {
  (void)state;
  char path[512];
  l2o_model *model;
  l2o_diag diag = {""};
  snprintf(path, sizeof path, "%s/golden/dnn_qp_8x6_init.safetensors", L2O_TEST_DATA);
  assert_status(l2o_model_load(&model, path, SPEC, &diag), L2O_ERR_FORMAT, NULL);
  assert_names(&diag, "unknown tensor '");
}

static void broken_model_files_say_what_is_wrong(void **state) {
  (void)state;
  const struct {
    const char *format, *own, *spec;
    entry entries[5];
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {NULL,
       NULL,
       SPEC,
       {W1, W2, W3, {"linear.bias_value", 1, {1}, 0.5, L2O_F32}},
       L2O_ERR_FORMAT,
       "'linear.bias_value' is not zero, but this model has no biases"},
      {NULL, NULL, SPEC, {W1, W2, W3, {"linear.bias_value", 1, {2}, 0, L2O_F32}}, L2O_ERR_FORMAT, "is not zero"},
      {NULL, NULL, SPEC, {W1, W2, W3, {"linear.bias_value", 1, {1}, (double)NAN, L2O_F32}}, L2O_ERR_FORMAT, "is not zero"},
      {NULL, NULL, SPEC, {W1, W2, W3, {"lstm.weight", 1, {1}, 0, L2O_F32}}, L2O_ERR_FORMAT, "unknown tensor 'lstm.weight'"},
      {NULL, NULL, SPEC, {W1, W3}, L2O_ERR_FORMAT, "tensor 'linear.weight' of math-l2o-gd is missing"},
      {NULL, NULL, SPEC, {{NULL, 0, {0}, 0, L2O_F32}}, L2O_ERR_FORMAT, "tensor 'dnn.0.weight' of math-l2o-gd is missing"},
      {NULL,
       NULL,
       "math-l2o-gd:hidden=3,learn_scale=true",
       {W1, W2, W3},
       L2O_ERR_FORMAT,
       "tensor 'p_scale' of math-l2o-gd is missing"},
      {NULL,
       NULL,
       "math-l2o-gd:hidden=4",
       {W1, W2, W3},
       L2O_ERR_SHAPE,
       "tensor 'linear.weight' has shape (2, 3), expected (2, 4) for math-l2o-gd:hidden=4,"},
      {NULL, NULL, SPEC, {W1, {"linear.weight", 2, {3, 2}, 2, L2O_F32}, W3}, L2O_ERR_SHAPE, "'linear.weight'"},
      {NULL, NULL, SPEC, {W1, W2, {"linear_p.weight", 1, {3}, 3, L2O_F32}}, L2O_ERR_SHAPE, "'linear_p.weight'"},
      {NULL, NULL, SPEC, {W1, W2, W3, {"p_scale", 1, {2}, 3, L2O_F32}}, L2O_ERR_SHAPE, "'p_scale'"},
      {NULL,
       NULL,
       SPEC,
       {W1, W2, {"linear_p.weight", 2, {3, 1}, (double)NAN, L2O_F32}},
       L2O_ERR_NUMERIC,
       "tensor 'linear_p.weight' holds a value that is not finite, at entry 0"},
      {NULL, NULL, SPEC, {W1, W2, {"linear_p.weight", 2, {3, 1}, (double)INFINITY, L2O_F64}}, L2O_ERR_NUMERIC, "not finite"},
      {"2", SPEC, NULL, {W1, W2, W3}, L2O_ERR_FORMAT, "model format '2' is newer than this library reads (1)"},
      {"1", "math-l2o-gd:hidden=three", NULL, {W1, W2, W3}, L2O_ERR_ARG, "hidden = three: expected an integer"},
      {"1", "math-l2o-3d:hidden=3", SPEC, {W1, W2, W3}, L2O_ERR_ARG, "there is no kind of model 'math-l2o-3d'"},
      {NULL, NULL, "math-l2o-gd:hidden=three", {W1, W2, W3}, L2O_ERR_ARG, "hidden = three"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_diag diag = {""};
    l2o_model *model = (l2o_model *)&diag;
    write_file(in_folder("broken"), cases[i].format, cases[i].own, cases[i].entries, 5);
    l2o_status status = l2o_model_load(&model, in_folder("broken"), cases[i].spec, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_names(&diag, in_folder("broken"));
    assert_status(status, cases[i].status, &diag);
    assert_null(model);
  }
#ifdef L2O_SINGLE
  l2o_model *model;
  l2o_diag diag;
  write_file(in_folder("wide"), NULL, NULL, (entry[]){W1, W2, {"linear_p.weight", 2, {3, 1}, 1e200, L2O_F64}}, 3);
  assert_status(l2o_model_load(&model, in_folder("wide"), SPEC, &diag), L2O_ERR_NUMERIC, NULL); /* no float holds it */
#endif
}

static void files_that_are_no_models(void **state) {
  (void)state;
  l2o_model *model = (l2o_model *)state;
  l2o_diag diag;
  assert_status(l2o_model_load(&model, in_folder("absent"), SPEC, &diag), L2O_ERR_IO, NULL);
  assert_null(model);
  assert_names(&diag, "absent: cannot read: No such file");
  FILE *stream = fopen(in_folder("text"), "w");
  fputs("weights", stream);
  fclose(stream);
  assert_status(l2o_model_load(&model, in_folder("text"), SPEC, &diag), L2O_ERR_FORMAT, NULL);
  assert_null(model);
  model = model_of(SPEC, 0);
  assert_status(l2o_model_save(model, in_folder("absent/model"), &diag), L2O_ERR_IO, NULL);
  assert_names(&diag, "absent/model: cannot write");
  l2o_model_free(model);
}

/* ---- memory ---- */

static l2o_status make_save_load(void *context) {
  const char *path = context;
  l2o_model *model = (l2o_model *)(uintptr_t)path, *clone = model, *loaded = model;
  l2o_status status = l2o_model_new(&model, SPEC, 1, NULL);
  if (status)
    return model ? L2O_ERR_ARG : status;
  status = l2o_model_clone(&clone, model);
  if (status && clone)
    status = L2O_ERR_ARG;
  if (!status) {
    status = l2o_model_save(clone, path, NULL);
    l2o_model_free(clone);
  }
  if (!status) {
    status = l2o_model_load(&loaded, path, NULL, NULL);
    if (status && loaded)
      status = L2O_ERR_ARG;
    if (!status)
      l2o_model_free(loaded);
  }
  l2o_model_free(model);
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  char path[sizeof in_folder_path];
  strcpy(path, in_folder("model"));
  assert_true(assert_allocations_may_fail(make_save_load, path, L2O_OK, SOME_CAN_BE_SPARED) >= 40);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_specification_is_complete_and_reads_back),
      cmocka_unit_test(tensors_lie_one_behind_another),
      cmocka_unit_test(initial_weights_are_orthogonal),
      cmocka_unit_test(a_seed_names_the_weights),
      cmocka_unit_test(specifications_that_make_no_sense),
      cmocka_unit_test(parameters_are_taken_whole_or_not_at_all),
      cmocka_unit_test(a_clone_lives_on_its_own),
      cmocka_unit_test_setup_teardown(models_come_back_bit_for_bit, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_pytorch_file_loads_as_it_is, make_folder, remove_folder),
      cmocka_unit_test(a_file_with_more_than_a_model_is_refused),
      cmocka_unit_test_setup_teardown(broken_model_files_say_what_is_wrong, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(files_that_are_no_models, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(every_allocation_may_fail, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
