/* SPDX-License-Identifier: BSD-3-Clause */
/* Family transformer: its tensors, its gradient against differences, one function however it is evaluated, what a pass shows and
 * takes, sequences of different lengths, drawn text, scores, bad input, memory. tests/golden has the numbers of PyTorch. */
#include "failing_malloc.h"
#include "l2o_data_family.h"
#include <l2o/network.h>

static const double ROUNDING = BY_PRECISION(1e-13, 1e-5);

/* Architectures whose linear blocks have more columns than the texts below have rows. */
static const char *const architectures[] = {
    "transformer:vocab=7,width=16,layers=2,heads=4,mlp=20,context=12,samples=3,length=3",
    "transformer:vocab=7,width=14,layers=2,heads=6,kv_heads=2,head_dim=4,mlp=21,context=12,samples=3,length=3,gated=true,"
    "activation=silu,norm=rms,qk_norm=true,position=rotary",
    "transformer:vocab=7,width=15,layers=2,heads=4,kv_heads=1,head_dim=6,mlp=19,context=12,samples=3,length=3,gated=true,"
    "activation=tanh-gelu,norm=rms,position=none,tied=true",
    "transformer:vocab=7,width=16,layers=1,heads=2,head_dim=8,mlp=17,context=12,samples=3,length=3,activation=relu,qk_norm=true,"
    "position=rotary,tied=true",
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures, N = 4, COLUMNS = 6 };

/* 5, 1, 3 and 2 rows; what stands behind a negative number is nothing */
static const l2o_real text[N][COLUMNS] = {{3, 1, 4, 1, 5, 6}, {2, 0, -1, -1, -1, -1}, {6, 6, 1, 2, -1, 3}, {0, 5, 5, -7, -1, -1}};
static const size_t lengths[N] = {5, 1, 3, 2};

static l2o_family *family_of_text(const char *spec) {
  char given[400];
  l2o_family *family;
  l2o_diag diag = {""};
  snprintf(given, sizeof given, "%s", spec);
  char *samples = strstr(given, ",samples=3"); /* all of the text */
  memmove(samples, samples + strlen(",samples=3"), strlen(samples + strlen(",samples=3")) + 1);
  assert_status(family_from_arrays(&family, given, text[0], NULL, N, COLUMNS, &diag), L2O_OK, &diag);
  return family;
}

static l2o_problem drawn_from(const l2o_family *family, uint64_t seed, uint64_t index) {
  l2o_problem p;
  l2o_diag diag = {""};
  assert_status(l2o_family_sample(family, &p, seed, L2O_PURPOSE_EVAL, index, &diag), L2O_OK, &diag);
  return p;
}

/* The start, and something more of everything. */
static l2o_real *point_of(const l2o_problem *p, uint64_t seed) {
  l2o_real *x = malloc(p->n * sizeof *x), *more = malloc(p->n * sizeof *more);
  assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  normal_reals(more, p->n, seed);
  for (size_t i = 0; i < p->n; i++)
    x[i] += (l2o_real)0.2 * more[i];
  free(more);
  return x;
}

static double forward_at(const l2o_problem *p, const l2o_real *x, const size_t *rows, size_t count, const l2o_pass *pass) {
  l2o_real *work = malloc(l2o_problem_forward_work_len(p, count) * sizeof *work);
  double f;
  assert_status(l2o_problem_forward(p, &f, x, rows, count, pass, work), L2O_OK, NULL);
  free(work);
  return f;
}

static double partial_at(const l2o_problem *p, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count) {
  l2o_real *work = malloc(l2o_problem_work_len(p) * sizeof *work);
  double f;
  assert_status(l2o_problem_partial(p, &f, g, x, rows, count, work), L2O_OK, NULL);
  free(work);
  return f;
}

/* ---- tensors ---- */

static void tensors_are_those_of_checkpoints(void **state) {
  (void)state;
  static const struct {
    const char *name;
    l2o_block_kind kind;
    size_t rows, columns, rank, input;
  } expected[] = {
      {"model.embed_tokens.weight", L2O_BLOCK_TABLE, 7, 14, 2, 0},
      {"model.layers.0.input_layernorm.weight", L2O_BLOCK_OTHER, 1, 14, 1, 1},
      {"model.layers.0.self_attn.q_proj.weight", L2O_BLOCK_LINEAR, 24, 14, 2, 2},
      {"model.layers.0.self_attn.k_proj.weight", L2O_BLOCK_LINEAR, 8, 14, 2, 2},
      {"model.layers.0.self_attn.v_proj.weight", L2O_BLOCK_LINEAR, 8, 14, 2, 2},
      {"model.layers.0.self_attn.q_norm.weight", L2O_BLOCK_OTHER, 1, 4, 1, 5},
      {"model.layers.0.self_attn.k_norm.weight", L2O_BLOCK_OTHER, 1, 4, 1, 6},
      {"model.layers.0.self_attn.o_proj.weight", L2O_BLOCK_LINEAR, 14, 24, 2, 7},
      {"model.layers.0.post_attention_layernorm.weight", L2O_BLOCK_OTHER, 1, 14, 1, 8},
      {"model.layers.0.mlp.gate_proj.weight", L2O_BLOCK_LINEAR, 21, 14, 2, 9},
      {"model.layers.0.mlp.up_proj.weight", L2O_BLOCK_LINEAR, 21, 14, 2, 9},
      {"model.layers.0.mlp.down_proj.weight", L2O_BLOCK_LINEAR, 14, 21, 2, 11},
      {"model.layers.1.input_layernorm.weight", L2O_BLOCK_OTHER, 1, 14, 1, 12},
  };
  l2o_problem p = sampled(architectures[1], 1, 0);
  size_t count;
  const l2o_block *b = l2o_problem_blocks(&p, &count);
  assert_int_equal(count, 1 + 2 * 11 + 2);
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    assert_string_equal(b[i].name, expected[i].name);
    assert_true(b[i].kind == expected[i].kind && b[i].rows == expected[i].rows && b[i].columns == expected[i].columns &&
                b[i].rank == expected[i].rank && b[i].input == expected[i].input);
    assert_int_equal(b[i].uses, b[i].kind == L2O_BLOCK_OTHER ? 0 : 3);
  }
  assert_string_equal(b[count - 2].name, "model.norm.weight");
  assert_string_equal(b[count - 1].name, "lm_head.weight");
  l2o_problem_free(&p);
}

static void tensors_cover_the_unknowns(void **state) {
  (void)state;
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_family *family = family_of(architectures[a]);
    l2o_problem p = drawn_from(family, 1, 0);
    size_t count, end = 0;
    const l2o_block *b = l2o_problem_blocks(&p, &count);
    for (size_t i = 0; i < count; i++) {
      assert_int_equal(b[i].offset, end);
      end += b[i].rows * b[i].columns;
    }
    assert_true(end == p.n && family->n == p.n);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
  /* papers/agzo: 2 layers, width 64, 4 heads, 256 units, 32 tokens, 32 positions */
  l2o_problem p = sampled("transformer", 1, 0);
  size_t count, linear = 0;
  const l2o_block *b = l2o_problem_blocks(&p, &count);
  for (size_t i = 0; i < count; i++)
    linear += b[i].kind == L2O_BLOCK_LINEAR ? b[i].rows * b[i].columns : 0;
  assert_true(linear == 100352 && p.n - linear == 4736);
  l2o_problem_free(&p);
}

/* ---- the function ---- */

static void gradients_are_those_of_differences(void **state) {
  (void)state;
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_family *family = family_of_text(architectures[a]);
    l2o_problem p = drawn_from(family, 1, 0);
    l2o_real *x = point_of(&p, 5);
    l2o_check check;
    l2o_diag diag = {""};
    assert_status(l2o_problem_check(&p, &check, x, BY_PRECISION(1e-6, 5e-2), 1, &diag), L2O_OK, &diag);
    free(x);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
}

/* Weights of more than a tile, block by block along a random direction v: g'v = (f(x + e v) - f(x - e v)) / 2e */
static void gradients_of_large_weights(void **state) {
  (void)state;
  static const char *const specs[] = {
      "transformer:vocab=1300,width=6,layers=1,heads=2,mlp=1100,samples=3,length=4",
      ("transformer:vocab=1300,width=6,layers=1,heads=300,head_dim=4,kv_heads=300,mlp=1100,samples=2,"
       "length=3,tied=true,gated=true,position=rotary,norm=rms")};
  for (size_t k = 0; k < 2; k++) {
    l2o_problem p = sampled(specs[k], 1, 0);
    const double e = BY_PRECISION(1e-5, 3e-2);
    l2o_real *x = point_of(&p, 1), *g = malloc(p.n * sizeof *g), *v = malloc(p.n * sizeof *v), *moved = malloc(p.n * sizeof *v);
    size_t count;
    const l2o_block *b = l2o_problem_blocks(&p, &count);
    gradient_at(&p, g, x);
    normal_reals(v, p.n, 9);
    for (size_t i = 0; i < count; i++) {
      double product = 0, norm = 0, side[2];
      for (int way = 0; way < 2; way++) {
        memcpy(moved, x, p.n * sizeof *x);
        for (size_t j = b[i].offset; j < b[i].offset + b[i].rows * b[i].columns; j++)
          moved[j] = (l2o_real)((double)x[j] + (way ? -e : e) * (double)v[j]);
        side[way] = value_at(&p, moved);
      }
      for (size_t j = b[i].offset; j < b[i].offset + b[i].rows * b[i].columns; j++) {
        product += (double)g[j] * (double)v[j];
        norm += (double)g[j] * (double)g[j];
      }
      assert_close((side[0] - side[1]) / (2 * e), product, 0, BY_PRECISION(1e-6, 0.1) * sqrt(norm));
    }
    free(x), free(g), free(v), free(moved);
    l2o_problem_free(&p);
  }
}

/* More rows than are taken at a time. */
static void one_function_however_it_is_evaluated(void **state) {
  (void)state;
  enum { SAMPLES = 150 };
  l2o_problem p = sampled("transformer:vocab=5,width=6,layers=1,heads=2,mlp=5,samples=150,length=15,context=15", 1, 0);
  l2o_real *x = point_of(&p, 1), *g = malloc(p.n * sizeof *g), *one = malloc(p.n * sizeof *one);
  double *sum = calloc(p.n, sizeof *sum), mean = 0, f = gradient_at(&p, g, x);
  for (size_t i = 0; i < SAMPLES; i++) {
    mean += partial_at(&p, one, x, &i, 1) / SAMPLES;
    for (size_t j = 0; j < p.n; j++)
      sum[j] += (double)one[j] / SAMPLES;
  }
  assert_int_equal(l2o_problem_summands(&p), SAMPLES);
  assert_close(f, mean, ROUNDING, 0);
  assert_close(value_at(&p, x), mean, ROUNDING, 0);
  assert_close(forward_at(&p, x, NULL, SAMPLES, NULL), mean, ROUNDING, 0);
  for (size_t j = 0; j < p.n; j++)
    assert_close(g[j], sum[j], 0, ROUNDING);
  const size_t rows[] = {149, 3, 3, 77};
  const double some =
      (partial_at(&p, NULL, x, &rows[0], 1) + 2 * partial_at(&p, NULL, x, &rows[1], 1) + partial_at(&p, NULL, x, &rows[3], 1)) / 4;
  assert_close(partial_at(&p, NULL, x, rows, 4), some, ROUNDING, 0);
  assert_close(partial_at(&p, g, x, rows, 4), some, ROUNDING, 0);
  assert_close(forward_at(&p, x, rows, 4, NULL), some, ROUNDING, 0);
  free(x), free(g), free(one), free(sum);
  l2o_problem_free(&p);
}

static void results_do_not_depend_on_where_work_lies(void **state) {
  (void)state;
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_problem p = sampled(architectures[a], 1, 0);
    l2o_real *x = point_of(&p, 1), *g[2] = {malloc(p.n * sizeof *x), malloc(p.n * sizeof *x)};
    const size_t len = l2o_problem_work_len(&p), forward_len = l2o_problem_forward_work_len(&p, 3);
    double f[2], value[2];
    for (size_t shift = 0; shift < 17; shift += 5) {
      l2o_real *work = malloc((shift + len + forward_len) * sizeof *work); /* a sanitizer sees what is behind it */
      for (size_t i = 0; i < shift + len + forward_len; i++)
        work[i] = (l2o_real)NAN;
      assert_status(l2o_problem_gradient(&p, &f[shift > 0], g[shift > 0], x, work + shift + forward_len), L2O_OK, NULL);
      assert_status(l2o_problem_forward(&p, &value[shift > 0], x, NULL, 3, NULL, work + shift + len), L2O_OK, NULL);
      assert_true(f[shift > 0] == f[0] && value[shift > 0] == value[0]);
      assert_same_reals(g[shift > 0], g[0], p.n);
      free(work);
    }
    free(x), free(g[0]), free(g[1]);
    l2o_problem_free(&p);
  }
}

static void not_a_number_is_told(void **state) {
  (void)state;
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_problem p = sampled(architectures[a], 1, 0);
    l2o_real *x = point_of(&p, 1);
    size_t count;
    const l2o_block *b = l2o_problem_blocks(&p, &count);
    for (size_t k = 0; k < count; k++) {
      const l2o_real before = x[b[k].offset];
      if (b[k].kind != L2O_BLOCK_TABLE) { /* of which a row may not be looked up */
        x[b[k].offset] = (l2o_real)NAN;
        assert_true(isnan(value_at(&p, x)) && isnan(forward_at(&p, x, NULL, 3, NULL)));
      }
      x[b[k].offset] = before;
    }
    assert_true(isfinite(value_at(&p, x)));
    free(x);
    l2o_problem_free(&p);
  }
}

/* ---- what a pass takes ---- */

typedef struct changed {
  const l2o_block *blocks;
  const l2o_real *x, *change; /* NULL: none */
  size_t calls, fails_at;
  bool *given; /* of every entry of x */
} changed;

static l2o_status give_weights(void *context, l2o_real *out, size_t block, size_t first, size_t count) {
  changed *c = context;
  const l2o_block *b = &c->blocks[block];
  const size_t at = b->offset + first * b->columns;
  assert_true(first + count <= b->rows);
  for (size_t j = 0; j < count * b->columns; j++) {
    out[j] = c->change ? c->x[at + j] + c->change[at + j] : c->x[at + j];
    c->given[at + j] = true;
  }
  return ++c->calls == c->fails_at ? L2O_ERR_IO : L2O_OK;
}

/* Bit for bit, also where weights are more than a tile. */
static void weights_that_are_given_take_the_place_of_x(void **state) {
  (void)state;
  static const char *const large[] = {"transformer:vocab=1500,width=8,layers=1,heads=2,mlp=1100,samples=9,length=4",
                                      ("transformer:vocab=1300,width=8,layers=1,heads=2,mlp=1100,samples=9,length=4,tied=true,"
                                       "gated=true,position=rotary,norm=rms,qk_norm=true"),
                                      "transformer:vocab=40,width=400,layers=1,heads=8,mlp=1400,samples=1,length=2"};
  for (size_t a = 0; a < ARCHITECTURES + 3; a++) {
    l2o_problem p = sampled(a < ARCHITECTURES ? architectures[a] : large[a - ARCHITECTURES], 1, 0);
    const size_t count = l2o_problem_summands(&p);
    l2o_real *x = point_of(&p, 1), *change = malloc(p.n * sizeof *change), *moved = malloc(p.n * sizeof *moved);
    size_t blocks;
    changed c = {l2o_problem_blocks(&p, &blocks), x, NULL, 0, 0, calloc(p.n, sizeof(bool))};
    const l2o_pass pass = {.weights = give_weights, .context = &c};
    assert_true(forward_at(&p, x, NULL, count, &pass) == forward_at(&p, x, NULL, count, NULL));
    for (size_t k = 0; k < blocks; k++)
      for (size_t j = 0; c.blocks[k].kind != L2O_BLOCK_TABLE && j < c.blocks[k].rows * c.blocks[k].columns; j++)
        assert_true(c.given[c.blocks[k].offset + j]);
    normal_reals(change, p.n, 3);
    for (size_t j = 0; j < p.n; j++) {
      change[j] *= (l2o_real)0.01;
      moved[j] = x[j] + change[j];
    }
    c.change = change;
    assert_true(forward_at(&p, x, NULL, count, &pass) == forward_at(&p, moved, NULL, count, NULL));
    assert_true(forward_at(&p, x, NULL, count, &pass) != forward_at(&p, x, NULL, count, NULL));
    free(x), free(change), free(moved), free(c.given);
    l2o_problem_free(&p);
  }
}

/* ---- what a pass shows ---- */

enum { MOST_BLOCKS = 40, MOST_ENTRIES = 512 };

typedef struct seen {
  const l2o_block *blocks;
  size_t calls, fails_at, times[MOST_BLOCKS], rows[MOST_BLOCKS], order[MOST_BLOCKS], ids[MOST_BLOCKS][32];
  double X[MOST_BLOCKS][MOST_ENTRIES];
} seen;

static l2o_status look(void *context, size_t block, const l2o_real *X, const size_t *rows, size_t count, size_t stride) {
  seen *s = context;
  const l2o_block *b = &s->blocks[block];
  s->times[block]++;
  s->rows[block] = count;
  s->order[block] = s->calls;
  assert_true(b->kind == L2O_BLOCK_TABLE ? !X && rows : b->kind == L2O_BLOCK_LINEAR && X && !rows);
  assert_true(count * b->columns <= MOST_ENTRIES || !X);
  for (size_t i = 0; i < count; i++)
    if (X)
      for (size_t j = 0; j < b->columns; j++)
        s->X[block][i * b->columns + j] = (double)X[i * stride + j];
    else
      s->ids[block][i] = rows[i];
  return ++s->calls == s->fails_at ? L2O_ERR_IO : L2O_OK;
}

/* |G - G A A'| / |G| for an orthonormal basis A of the span of the rows of X. */
static double outside(const l2o_real *G, size_t outputs, double *X, size_t rows, size_t columns) {
  double rest = 0, all = 0;
  size_t rank = 0;
  for (size_t i = 0; i < rows; i++) { /* Gram and Schmidt, twice */
    double *v = X + i * columns, before = 0, norm = 0;
    for (size_t j = 0; j < columns; j++)
      before += v[j] * v[j];
    for (size_t k = 0; k < 2 * rank; k++) {
      const double *a = X + k % rank * columns;
      double product = 0;
      for (size_t j = 0; j < columns; j++)
        product += v[j] * a[j];
      for (size_t j = 0; j < columns; j++)
        v[j] -= product * a[j];
    }
    for (size_t j = 0; j < columns; j++)
      norm += v[j] * v[j];
    if (norm <= 1e-20 * before)
      continue;
    for (size_t j = 0; j < columns; j++)
      X[rank * columns + j] = v[j] / sqrt(norm);
    rank++;
  }
  assert_true(rank > 0 && rank < columns); /* or the test says nothing */
  for (size_t o = 0; o < outputs; o++, G += columns) {
    double g[64];
    for (size_t j = 0; j < columns; j++) {
      g[j] = (double)G[j];
      all += g[j] * g[j];
    }
    for (size_t k = 0; k < rank; k++) {
      double product = 0;
      for (size_t j = 0; j < columns; j++)
        product += g[j] * X[k * columns + j];
      for (size_t j = 0; j < columns; j++)
        g[j] -= product * X[k * columns + j];
    }
    for (size_t j = 0; j < columns; j++)
      rest += g[j] * g[j];
  }
  return sqrt(rest / all);
}

static void who_watches_sees_the_inputs(void **state) {
  (void)state;
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_family *family = family_of_text(architectures[a]);
    l2o_problem p = drawn_from(family, 1, 0);
    l2o_real *x = point_of(&p, 2), *g = malloc(p.n * sizeof *g);
    const size_t chosen[] = {2, 0, 1}; /* 9 rows */
    size_t count, last = 0;
    seen *s = calloc(1, sizeof *s);
    s->blocks = l2o_problem_blocks(&p, &count);
    const l2o_pass pass = {.watch = look, .context = s};
    assert_true(forward_at(&p, x, chosen, 3, &pass) == forward_at(&p, x, chosen, 3, NULL));
    partial_at(&p, g, x, chosen, 3);
    for (size_t k = 0; k < count; k++) {
      const l2o_block *b = &s->blocks[k];
      const bool shown = b->kind == L2O_BLOCK_TABLE || (b->kind == L2O_BLOCK_LINEAR && b->input == k);
      double X[MOST_ENTRIES];
      assert_int_equal(s->times[k], shown);
      if (shown)
        assert_true(s->rows[k] == 9 && (k == 0 || s->order[k] == ++last)); /* in order */
      if (b->kind != L2O_BLOCK_LINEAR)
        continue;
      memcpy(X, s->X[b->input], sizeof X);
      if (outside(g + b->offset, b->rows, X, 9, b->columns) > BY_PRECISION(1e-10, 1e-4))
        fail_msg("the gradient of %s leaves the span of what was shown", b->name);
    }
    static const size_t ids[] = {6, 6, 1, 3, 1, 4, 1, 5, 2}, positions[] = {0, 1, 2, 0, 1, 2, 3, 4, 0};
    assert_memory_equal(s->ids[0], ids, sizeof ids);
    if (s->blocks[1].kind == L2O_BLOCK_TABLE)
      assert_memory_equal(s->ids[1], positions, sizeof positions);
    free(s), free(x), free(g);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
}

static void who_watches_may_end_the_pass(void **state) {
  (void)state;
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_problem p = sampled(architectures[a], 1, 0);
    l2o_real *x = point_of(&p, 1), *work = malloc(l2o_problem_forward_work_len(&p, 3) * sizeof *work);
    double f;
    size_t count, shown, given;
    seen *s = calloc(1, sizeof *s);
    s->blocks = l2o_problem_blocks(&p, &count);
    changed c = {s->blocks, x, NULL, 0, 0, calloc(p.n, sizeof(bool))};
    const l2o_pass watches = {.watch = look, .context = s}, gives = {.weights = give_weights, .context = &c};
    assert_status(l2o_problem_forward(&p, &f, x, NULL, 3, &watches, work), L2O_OK, NULL);
    assert_status(l2o_problem_forward(&p, &f, x, NULL, 3, &gives, work), L2O_OK, NULL);
    shown = s->calls, given = c.calls;
    for (s->fails_at = 1; s->fails_at <= shown; s->fails_at++) {
      s->calls = 0;
      assert_status(l2o_problem_forward(&p, &f, x, NULL, 3, &watches, work), L2O_ERR_CALLBACK, NULL);
      assert_int_equal(s->calls, s->fails_at);
    }
    for (c.fails_at = 1; c.fails_at <= given; c.fails_at++) {
      c.calls = 0;
      assert_status(l2o_problem_forward(&p, &f, x, NULL, 3, &gives, work), L2O_ERR_CALLBACK, NULL);
      assert_int_equal(c.calls, c.fails_at);
    }
    free(s), free(x), free(work), free(c.given);
    l2o_problem_free(&p);
  }
}

/* ---- sequences of different lengths, scores ---- */

/* The mean of -ln p over a sequence, from its scores. */
static double loss_from_scores(const l2o_problem *p, const l2o_real *x, size_t sequence) {
  const size_t rows = lengths[sequence], vocab = 7;
  size_t tokens[COLUMNS] = {0};
  l2o_real logits[COLUMNS * 7];
  double loss = 0;
  for (size_t t = 0; t < rows; t++)
    tokens[t] = (size_t)text[sequence][t];
  assert_status(l2o_transformer_logits(p, logits, x, tokens, rows, NULL), L2O_OK, NULL);
  for (size_t t = 0; t < rows; t++) {
    double sum = 0;
    for (size_t v = 0; v < vocab; v++)
      sum += exp((double)logits[t * vocab + v]);
    loss += (log(sum) - (double)logits[t * vocab + (size_t)text[sequence][t + 1]]) / (double)rows;
  }
  return loss;
}

static void sequences_do_not_see_each_other(void **state) {
  (void)state;
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_family *family = family_of_text(architectures[a]);
    assert_string_equal(family->note, "data: the first 4 of 4 sequences");
    l2o_problem p = drawn_from(family, 1, 0);
    l2o_real *x = point_of(&p, 4);
    double sum = 0;
    for (size_t s = 0; s < N; s++) {
      const double loss = loss_from_scores(&p, x, s);
      assert_close(partial_at(&p, NULL, x, &s, 1), loss, ROUNDING, 0);
      sum += loss / N;
    }
    assert_close(value_at(&p, x), sum, ROUNDING, 0);
    assert_close(forward_at(&p, x, NULL, N, NULL), sum, ROUNDING, 0);
    free(x);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
}

/* A narrower table that ends where the sequences do, and one with other numbers behind the ends. */
static void padding_never_matters(void **state) {
  (void)state;
  const l2o_real narrow[2][4] = {{6, 6, 1, 2}, {0, 5, 5, -1}};
  const l2o_real wide[2][7] = {{6, 6, 1, 2, -1, (l2o_real)NAN, 99}, {0, 5, 5, (l2o_real)-0.5, (l2o_real)1.5, -1, 3}};
  l2o_family *family[2];
  const char *spec = "transformer:vocab=7,width=8,layers=1,heads=2,mlp=9";
  double f[2];
  l2o_real *g[2];
  l2o_dataset *data; /* l2o_dataset_new() takes finite numbers only */
  assert_status(family_from_arrays(&family[0], spec, narrow[0], NULL, 2, 4, NULL), L2O_OK, NULL);
  l2o_real finite[2][7];
  memcpy(finite, wide, sizeof finite);
  finite[0][5] = 0;
  assert_status(l2o_dataset_new(&data, finite[0], NULL, 2, 7, NULL), L2O_OK, NULL);
  data->A[5] = wide[0][5];
  assert_status(l2o_family_new_from(&family[1], spec, data, NULL), L2O_OK, NULL);
  for (size_t k = 0; k < 2; k++) {
    l2o_problem p = drawn_from(family[k], 1, 0);
    l2o_real *x = point_of(&p, 1);
    g[k] = malloc(p.n * sizeof *x);
    f[k] = gradient_at(&p, g[k], x);
    free(x);
    if (k == 1)
      assert_same_reals(g[0], g[1], p.n);
    l2o_problem_free(&p);
    l2o_family_free(family[k]);
  }
  assert_true(f[0] == f[1]);
  free(g[0]), free(g[1]);
}

static void scores_look_back_only(void **state) {
  (void)state;
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_problem p = sampled(architectures[a], 1, 0); /* sequences of 3 rows; the question is longer */
    l2o_real *x = point_of(&p, 4), logits[2][12 * 7];
    size_t tokens[12] = {1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5};
    for (size_t changed_at = 0; changed_at < 12; changed_at++) {
      assert_status(l2o_transformer_logits(&p, logits[0], x, tokens, 12, NULL), L2O_OK, NULL);
      tokens[changed_at] = (tokens[changed_at] + 3) % 7;
      assert_status(l2o_transformer_logits(&p, logits[1], x, tokens, 12, NULL), L2O_OK, NULL);
      for (size_t i = 0; i < changed_at * 7; i++)
        assert_true(logits[0][i] == logits[1][i]);
      for (size_t t = changed_at; t < 12; t++)
        assert_memory_not_equal(logits[0] + 7 * t, logits[1] + 7 * t, 7 * sizeof **logits);
    }
    free(x);
    l2o_problem_free(&p);
  }
}

static void scores_that_cannot_be_had(void **state) {
  (void)state;
  l2o_problem p = sampled(architectures[0], 1, 0), other = sampled("qp", 1, 0);
  l2o_real *x = point_of(&p, 1), logits[16 * 7];
  size_t tokens[16] = {0};
  l2o_diag diag = {""};
  assert_status(l2o_transformer_logits(&other, logits, x, tokens, 3, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "qp is not a transformer");
  assert_status(l2o_transformer_logits(&p, logits, x, tokens, 13, &diag), L2O_ERR_SHAPE, NULL);
  assert_names(&diag, "13 tokens, expected from 1 to context = 12");
  assert_status(l2o_transformer_logits(&p, logits, x, tokens, 0, &diag), L2O_ERR_SHAPE, NULL);
  tokens[4] = 7;
  assert_status(l2o_transformer_logits(&p, logits, x, tokens, 5, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "token 4 is 7, expected one below vocab = 7");
  free(x);
  l2o_problem_free(&p), l2o_problem_free(&other);
}

/* ---- what is drawn ---- */

static void starts_are_as_described(void **state) {
  (void)state;
  l2o_problem p = sampled("transformer", 1, 0), same = sampled("transformer", 1, 0), other = sampled("transformer", 1, 1);
  l2o_real *x[3];
  size_t count;
  const l2o_block *b = l2o_problem_blocks(&p, &count);
  for (size_t i = 0; i < 3; i++) {
    const l2o_problem *of[] = {&p, &same, &other};
    x[i] = malloc(p.n * sizeof **x);
    assert_status(l2o_problem_start(of[i], x[i]), L2O_OK, NULL);
  }
  assert_same_reals(x[0], x[1], p.n);
  for (size_t k = 0; k < count; k++) {
    const size_t entries = b[k].rows * b[k].columns;
    const double bound = 1 / sqrt((double)b[k].columns);
    double square = 0;
    for (size_t j = b[k].offset; j < b[k].offset + entries; j++) {
      square += (double)x[0][j] * (double)x[0][j] / (double)entries;
      assert_true(b[k].kind == L2O_BLOCK_OTHER || x[0][j] != x[2][j]);
      assert_true(b[k].kind != L2O_BLOCK_LINEAR || fabs((double)x[0][j]) <= bound);
    }
    if (b[k].kind == L2O_BLOCK_OTHER)
      assert_true(square == (strstr(b[k].name, ".bias") ? 0 : 1));
    else /* 5 deviations of the mean of u^2, and of the squares of normals */
      assert_close(square, b[k].kind == L2O_BLOCK_LINEAR ? bound * bound / 3 : 0.04,
                   5 * (b[k].kind == L2O_BLOCK_LINEAR ? 0.9 : 1.42) / sqrt((double)entries), 0);
  }
  assert_close(value_at(&p, x[0]), log(32) + 1. / 6, 0.02, 0); /* scores of a normed row: variance 1/3 */
  l2o_problem_free(&p), l2o_problem_free(&same), l2o_problem_free(&other);
  free(x[0]), free(x[1]), free(x[2]);
}

enum { VOCAB = 6, SEQUENCES = 400, LENGTH = 60 };

typedef struct heard {
  size_t token[SEQUENCES * LENGTH];
} heard;

static l2o_status hear(void *context, size_t block, const l2o_real *X, const size_t *rows, size_t count, size_t stride) {
  heard *h = context;
  (void)stride;
  if (block == 0) {
    assert_true(!X && count == SEQUENCES * LENGTH);
    memcpy(h->token, rows, count * sizeof *rows);
  }
  return L2O_OK;
}

/* share[i][j]: how often j follows i in the text of an instance. */
static void transitions_of(double share[VOCAB][VOCAB], const char *more, uint64_t index) {
  char spec[200];
  snprintf(spec, sizeof spec, "transformer:vocab=6,width=2,layers=1,heads=1,mlp=1,context=60,samples=400,length=60%s", more);
  l2o_problem p = sampled(spec, 1, index);
  heard *h = malloc(sizeof *h);
  l2o_real *x = calloc(p.n, sizeof *x);
  const l2o_pass pass = {.watch = hear, .context = h};
  forward_at(&p, x, NULL, SEQUENCES, &pass);
  double of[VOCAB] = {0};
  memset(share, 0, VOCAB * sizeof *share);
  for (size_t i = 0; i + 1 < SEQUENCES * LENGTH; i++)
    if ((i + 1) % LENGTH) {
      share[h->token[i]][h->token[i + 1]]++;
      of[h->token[i]]++;
    }
  for (size_t i = 0; i < VOCAB * VOCAB; i++)
    share[i / VOCAB][i % VOCAB] /= of[i / VOCAB];
  free(h), free(x);
  l2o_problem_free(&p);
}

static double farthest(double a[VOCAB][VOCAB], double b[VOCAB][VOCAB]) {
  double worst = 0;
  for (size_t i = 0; i < VOCAB * VOCAB; i++)
    worst = fmax(worst, fabs(a[i / VOCAB][i % VOCAB] - b[i / VOCAB][i % VOCAB]));
  return worst;
}

/* The tokens of a pair appear hundreds of times: shares deviate by 0.02 and less. */
static void text_follows_the_chain_of_its_task(void **state) {
  (void)state;
  double first[VOCAB][VOCAB], again[VOCAB][VOCAB], other[VOCAB][VOCAB], half[VOCAB][VOCAB], shifted[VOCAB][VOCAB];
  transitions_of(first, "", 0), transitions_of(again, "", 1), transitions_of(other, ",task=2", 0);
  transitions_of(half, ",drift=0.5", 0), transitions_of(shifted, ",drift=1", 0);
  assert_true(farthest(first, again) > 0 && farthest(first, again) < 0.1);
  assert_true(farthest(first, other) > 0.3 && farthest(first, shifted) > 0.3);
  for (size_t i = 0; i < VOCAB; i++)
    for (size_t j = 0; j < VOCAB; j++)
      assert_close(half[i][j], (first[i][j] + shifted[i][j]) / 2, 0, 0.1);
  transitions_of(again, ",sharpness=0", 0);
  for (size_t i = 0; i < VOCAB * VOCAB; i++)
    assert_close(again[i / VOCAB][i % VOCAB], 1. / VOCAB, 0, 0.05);
}

static void text_is_learned(void **state) {
  (void)state;
  l2o_problem p = sampled("transformer:vocab=8,width=16,heads=2,mlp=24,samples=32,length=12", 1, 0);
  l2o_real *x = malloc(p.n * sizeof *x);
  l2o_result result;
  l2o_diag diag = {""};
  l2o_settings s = l2o_settings_default();
  s.iterations = 60, s.options = "step=0.01";
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  const double before = value_at(&p, x);
  assert_status(l2o_minimize(solver_named("adam"), NULL, &p, x, &result, &s, &diag), L2O_OK, &diag);
  assert_true(before > log(8) && value_at(&p, x) < 0.7 * before);
  free(x);
  l2o_problem_free(&p);
}

/* ---- what must be refused ---- */

static void assert_refused_text(const char *spec, const l2o_real *tokens, size_t rows, size_t columns, l2o_status status,
                                const char *sentence) {
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(family_from_arrays(&family, spec, tokens, NULL, rows, columns, &diag), status, NULL);
  assert_names(&diag, sentence);
  assert_null(family);
}

static void bad_input_is_refused(void **state) {
  (void)state;
  static const refused_spec specs[] = {
      {"transformer:width=30", "width = 30 is no multiple of heads = 4; head_dim gives heads another width"},
      {"transformer:kv_heads=3", "heads = 4 is no multiple of kv_heads = 3"},
      {"transformer:kv_heads=8", "heads = 4 is no multiple of kv_heads = 8"},
      {"transformer:head_dim=5,position=rotary", "a head has 5 entries; expected an even head_dim"},
      {"transformer:length=33", "length = 33, but there are context = 32 positions"},
      {"transformer:samples=0", "samples = 0 means all of the data, but there is no data"},
      {"transformer:vocab=5000", "vocab = 5000, but text is drawn from at most 4096 tokens: give it data"},
      {"transformer:samples=100000000", "100000000 sequences of 32 tokens"},
      {"transformer:drift=1.5", "drift"},
      {"transformer:norm=batch", "expected one of layer|rms"},
      {"transformer:vocab=1", "vocab"},
  };
  static const l2o_real good[] = {1, 2, 3, 0, 1, 2}, high[] = {1, 2, 3, 0, 7, 2}, between[] = {1, 2, (l2o_real)2.5, 0, 1, 2},
                        single[] = {1, 2, 3, 0, -1, 2};
  static const char *const small = "transformer:vocab=7,width=8,layers=1,heads=2,mlp=9,context=4";
  assert_refused_specs(specs, sizeof specs / sizeof *specs);
  assert_refused_text(small, high, 2, 3, L2O_ERR_FORMAT, "token 1 of sequence 1 of data is 7, expected an integer below vocab = 7");
  assert_refused_text(small, between, 2, 3, L2O_ERR_FORMAT, "token 2 of sequence 0 of data is 2.5, expected an integer below");
  assert_refused_text(small, single, 2, 3, L2O_ERR_SHAPE, "sequence 1 of data has 1 tokens, expected from 2 to context + 1 = 5");
  assert_refused_text(small, good, 1, 6, L2O_ERR_SHAPE, "sequence 0 of data has 6 tokens, expected from 2 to context + 1 = 5");
  assert_refused_text("transformer:samples=3", good, 2, 3, L2O_ERR_SHAPE, "samples = 3, but data has 2 sequences");
  assert_refused_text("transformer:kv_heads=3", good, 2, 3, L2O_ERR_ARG, "no multiple of kv_heads");
}

/* ---- memory ---- */

static void operations_never_allocate(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  for (size_t a = 0; a < ARCHITECTURES; a++) {
    l2o_family *family = family_of_text(architectures[a]);
    l2o_problem p = drawn_from(family, 1, 0);
    const size_t rows[] = {2, 0};
    l2o_real *x = point_of(&p, 1), *g = malloc(p.n * sizeof *g), *work = malloc(l2o_problem_work_len(&p) * sizeof *work);
    l2o_real *forward_work = malloc(l2o_problem_forward_work_len(&p, 2) * sizeof *work);
    double f;
    size_t count;
    changed c = {l2o_problem_blocks(&p, &count), x, NULL, 0, 0, calloc(p.n, sizeof(bool))};
    const l2o_pass pass = {.weights = give_weights, .context = &c};
    for (int warm = 0; warm < 2; warm++) {
      allocations_watch(0);
      l2o_problem_start(&p, x);
      l2o_problem_value(&p, &f, x, work);
      l2o_problem_gradient(&p, &f, g, x, work);
      l2o_problem_partial(&p, &f, g, x, rows, 2, work);
      l2o_problem_forward(&p, &f, x, rows, 2, &pass, forward_work);
      const allocations seen_now = allocations_seen();
      assert_true(!warm || seen_now.calls == 0);
    }
    free(x), free(g), free(work), free(forward_work), free(c.given);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
}

/* Sizes around those at which BLAS takes other ways. */
static void no_size_allocates(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  for (size_t width = 4; width <= 132; width += width < 20 ? 4 : 28) {
    char spec[160];
    snprintf(spec, sizeof spec, "transformer:width=%zu,layers=1,heads=2,mlp=%zu,samples=2,length=%zu,context=64", width, 2 * width,
             width < 64 ? width : 64);
    l2o_problem p = sampled(spec, 1, 0);
    l2o_real *x = point_of(&p, 1), *g = malloc(p.n * sizeof *g), *work = malloc(l2o_problem_work_len(&p) * sizeof *work);
    double f;
    for (int warm = 0; warm < 2; warm++) {
      allocations_watch(0);
      l2o_problem_gradient(&p, &f, g, x, work);
      const allocations seen_now = allocations_seen();
      assert_true(!warm || seen_now.calls == 0);
    }
    free(x), free(g), free(work);
    l2o_problem_free(&p);
  }
}

/* A forward pass has the activations of one layer: its room does not grow with the layers. */
static void room_does_not_grow_with_layers(void **state) {
  (void)state;
  size_t len[2];
  for (size_t i = 0; i < 2; i++) {
    l2o_problem p = sampled(i ? "transformer:layers=12" : "transformer:layers=1", 1, 0);
    len[i] = l2o_problem_forward_work_len(&p, 50);
    l2o_problem_free(&p);
  }
  assert_int_equal(len[0], len[1]);
}

static l2o_status make_everything(void *context) {
  static const char *const spec = "transformer:vocab=7,width=8,layers=1,heads=2,mlp=9,position=rotary,samples=4";
  l2o_status status = L2O_OK;
  (void)context;
  for (int drawn = 0; drawn < 2 && !status; drawn++) {
    l2o_family *family;
    l2o_problem p = {0};
    const size_t tokens[] = {1, 2};
    status = drawn ? l2o_family_new(&family, spec, NULL) : family_from_arrays(&family, spec, text[0], NULL, N, COLUMNS, NULL);
    if (status)
      break;
    status = l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL);
    if (!status) {
      static l2o_real x[2000], logits[14];
      assert_true(p.n <= 2000);
      status = l2o_transformer_logits(&p, logits, x, tokens, 2, NULL);
    }
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  assert_true(assert_allocations_may_fail(make_everything, NULL, L2O_OK, ALL_ARE_NEEDED) >= 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_are_those_of_checkpoints),
      cmocka_unit_test(tensors_cover_the_unknowns),
      cmocka_unit_test(gradients_are_those_of_differences),
      cmocka_unit_test(gradients_of_large_weights),
      cmocka_unit_test(one_function_however_it_is_evaluated),
      cmocka_unit_test(results_do_not_depend_on_where_work_lies),
      cmocka_unit_test(not_a_number_is_told),
      cmocka_unit_test(weights_that_are_given_take_the_place_of_x),
      cmocka_unit_test(who_watches_sees_the_inputs),
      cmocka_unit_test(who_watches_may_end_the_pass),
      cmocka_unit_test(sequences_do_not_see_each_other),
      cmocka_unit_test(padding_never_matters),
      cmocka_unit_test(scores_look_back_only),
      cmocka_unit_test(scores_that_cannot_be_had),
      cmocka_unit_test(starts_are_as_described),
      cmocka_unit_test(text_follows_the_chain_of_its_task),
      cmocka_unit_test(text_is_learned),
      cmocka_unit_test(bad_input_is_refused),
      cmocka_unit_test(operations_never_allocate),
      cmocka_unit_test(no_size_allocates),
      cmocka_unit_test(room_does_not_grow_with_layers),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
