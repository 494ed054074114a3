/* SPDX-License-Identifier: BSD-3-Clause */
/* Family transformer against PyTorch (README.md): losses of sequences of different lengths, scores, and the gradient of every
 * tensor, relative to its largest entry 1e-11 in double, 1e-5 in single. */
#include "l2o_data_family.h"
#include "l2o_golden.h"
#include <l2o/network.h>

static const double TOLERANCE = BY_PRECISION(1e-11, 1e-5);

static const struct {
  const char *file, *options;
} cases[] = {
    {"transformer_layer", "vocab=13,width=8,layers=2,heads=2,mlp=12,context=9"},
    {"transformer_rms", "vocab=11,width=12,layers=2,heads=4,kv_heads=2,head_dim=6,mlp=10,gated=true,activation=silu,norm=rms,"
                        "norm_epsilon=1e-3,qk_norm=true,position=rotary,rotary_base=50,context=16,tied=true"},
    {"transformer_tanh", "vocab=10,width=9,layers=1,heads=3,kv_heads=1,head_dim=4,mlp=7,gated=true,activation=tanh-gelu,norm=rms,"
                         "norm_epsilon=1e-6,position=none,context=8"},
};

typedef struct golden {
  l2o_tensor_file *file;
  l2o_family *family;
  l2o_problem p;
  l2o_real *x;
  size_t sequences, columns; /* of its tokens */
} golden;

/* out = the tensor of block b */
static void read_block(double *out, const golden *g, const char *prefix, const l2o_block *b) {
  char name[128];
  snprintf(name, sizeof name, "%s__%s", prefix, b->name);
  double *values = golden_exactly(g->file, name, b->rows * b->columns);
  const l2o_tensor *t = l2o_tensor_file_find(g->file, name);
  assert_int_equal(t->rank, b->rank);
  assert_int_equal(t->shape[t->rank - 1], b->columns);
  memcpy(out, values, b->rows * b->columns * sizeof *out);
  free(values);
}

static golden open_golden(size_t i) {
  char path[512], spec[512];
  l2o_diag diag = {""};
  golden g;
  snprintf(path, sizeof path, "%s/golden/%s.safetensors", L2O_TEST_DATA, cases[i].file);
  assert_status(l2o_tensor_file_open(&g.file, path, &diag), L2O_OK, &diag);
  const l2o_tensor *tokens = l2o_tensor_file_find(g.file, "tokens");
  g.sequences = tokens->shape[0], g.columns = tokens->shape[1];
  l2o_real *ids = golden_reals(g.file, "tokens");
  snprintf(spec, sizeof spec, "transformer:%s", cases[i].options);
  assert_status(family_from_arrays(&g.family, spec, ids, NULL, g.sequences, g.columns, &diag), L2O_OK, &diag);
  assert_status(l2o_family_sample(g.family, &g.p, 1, L2O_PURPOSE_EVAL, 0, &diag), L2O_OK, &diag);
  g.x = malloc(g.p.n * sizeof *g.x);
  size_t count;
  const l2o_block *b = l2o_problem_blocks(&g.p, &count);
  double *values = malloc(g.p.n * sizeof *values);
  for (size_t k = 0; k < count; k++) {
    read_block(values, &g, "param", &b[k]);
    for (size_t j = 0; j < b[k].rows * b[k].columns; j++)
      g.x[b[k].offset + j] = (l2o_real)values[j];
  }
  free(values);
  free(ids);
  return g;
}

static void close_golden(golden *g) {
  free(g->x);
  l2o_problem_free(&g->p);
  l2o_family_free(g->family);
  l2o_tensor_file_free(g->file);
}

/* The entries, relative to the largest of them. */
static void assert_block(const l2o_real *actual, const double *expected, const l2o_block *b) {
  double largest = 0;
  const size_t count = b->rows * b->columns;
  for (size_t j = 0; j < count; j++)
    largest = fmax(largest, fabs(expected[j]));
  for (size_t j = 0; j < count; j++)
    if (!(fabs((double)actual[j] - expected[j]) <= TOLERANCE * largest))
      fail_msg("%s, entry %zu: %.17g, expected %.17g", b->name, j, (double)actual[j], expected[j]);
}

static void losses_are_those_of_pytorch(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    golden g = open_golden(i);
    double *losses = golden_exactly(g.file, "losses", g.sequences), sum = 0, f;
    l2o_real *work = malloc((l2o_problem_work_len(&g.p) + l2o_problem_forward_work_len(&g.p, g.sequences)) * sizeof *work);
    assert_int_equal(l2o_problem_summands(&g.p), g.sequences);
    for (size_t s = 0; s < g.sequences; s++) {
      assert_status(l2o_problem_partial(&g.p, &f, NULL, g.x, &s, 1, work), L2O_OK, NULL);
      assert_close(f, losses[s], TOLERANCE, 0);
      sum += losses[s] / (double)g.sequences;
    }
    assert_status(l2o_problem_forward(&g.p, &f, g.x, NULL, g.sequences, NULL, work), L2O_OK, NULL);
    assert_close(f, sum, TOLERANCE, 0);
    assert_close(value_at(&g.p, g.x), sum, TOLERANCE, 0);
    free(losses);
    free(work);
    close_golden(&g);
  }
}

static void gradients_are_those_of_pytorch(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    golden g = open_golden(i);
    size_t count, tensors = 3; /* tokens, losses, scores */
    const l2o_block *b = l2o_problem_blocks(&g.p, &count);
    l2o_real *gradient = malloc(g.p.n * sizeof *gradient);
    double *expected = malloc(g.p.n * sizeof *expected);
    gradient_at(&g.p, gradient, g.x);
    for (size_t k = 0; k < count; k++, tensors += 2) {
      read_block(expected, &g, "grad", &b[k]);
      assert_block(gradient + b[k].offset, expected, &b[k]);
    }
    assert_int_equal(l2o_tensor_file_count(g.file), tensors); /* there is no other */
    free(expected);
    free(gradient);
    close_golden(&g);
  }
}

static void scores_are_those_of_pytorch(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    golden g = open_golden(i);
    const l2o_tensor *t = l2o_tensor_file_find(g.file, "scores");
    const size_t rows = t->shape[0], vocab = t->shape[1];
    double *tokens = golden_values(g.file, "tokens", NULL), *scores = golden_exactly(g.file, "scores", rows * vocab);
    size_t id[16];
    l2o_real *logits = malloc(rows * vocab * sizeof *logits);
    l2o_diag diag = {""};
    for (size_t r = 0; r < rows; r++)
      id[r] = (size_t)tokens[r];
    assert_status(l2o_transformer_logits(&g.p, logits, g.x, id, rows, &diag), L2O_OK, &diag);
    assert_block(logits, scores, &(l2o_block){.name = "scores", .rows = rows, .columns = vocab});
    free(tokens);
    free(scores);
    free(logits);
    close_golden(&g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(losses_are_those_of_pytorch),
      cmocka_unit_test(gradients_are_those_of_pytorch),
      cmocka_unit_test(scores_are_those_of_pytorch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
