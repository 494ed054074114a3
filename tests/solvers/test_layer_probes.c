/* SPDX-License-Identifier: BSD-3-Clause */
/* mezo, lozo and agzo on a small layered problem of the test's own: a table of embeddings, two linear layers that share an input, a
 * bias and an output layer,
 *   h = T[i mod ROWS],  a = tanh(W1 h) o (W2 h) + b,  y = W3 a,  f_i = 1/2 |y - target_i|^2. */
#include "core/linalg.h"
#include "core/normals.h"
#include "counting_malloc.h"
#include "l2o_fixtures.h"
#include "problems/layered.h"

enum { TABLE, WEIGHT1, WEIGHT2, BIAS, WEIGHT3, BLOCKS };
enum { ROWS = 5, WIDTH = 4, HIDDEN = 6, OUT = 3, SAMPLES = 12 };
enum {
  AT1 = ROWS * WIDTH,
  AT2 = AT1 + HIDDEN * WIDTH,
  AT_BIAS = AT2 + HIDDEN * WIDTH,
  AT3 = AT_BIAS + HIDDEN,
  N = AT3 + OUT * HIDDEN
};

static const l2o_block blocks[BLOCKS] = {
    {"table", L2O_BLOCK_TABLE, 0, ROWS, WIDTH, 2, TABLE, 1},         {"first", L2O_BLOCK_LINEAR, AT1, HIDDEN, WIDTH, 2, WEIGHT1, 1},
    {"second", L2O_BLOCK_LINEAR, AT2, HIDDEN, WIDTH, 2, WEIGHT1, 1}, {"bias", L2O_BLOCK_OTHER, AT_BIAS, 1, HIDDEN, 1, BIAS, 0},
    {"last", L2O_BLOCK_LINEAR, AT3, OUT, HIDDEN, 2, WEIGHT3, 1},
};

/* What the problem does besides, and what it saw. */
typedef struct toy {
  size_t piece;  /* rows that are asked for at a time; 0: all of them */
  bool zero;     /* every embedding counts as 0 */
  size_t breaks; /* the pass, counted from 1, whose answer is not a number; 0: none */
  bool fails;    /* ... or a failure */
  size_t passes, values;
  l2o_real stored[N];   /* x as the last pass found it */
  size_t rows[SAMPLES]; /* of the last pass */
  size_t count;
} toy;

static toy now;

static double target(size_t sample, size_t j) {
  return sin(1.0 + 3.0 * (double)sample + (double)j);
}

/* Y (count, rows) = X W', the rows of W in pieces */
static l2o_status apply(const l2o_layers *l, l2o_real *Y, size_t block, const l2o_real *X, size_t count) {
  const l2o_block *b = &blocks[block];
  const size_t piece = now.piece ? now.piece : b->rows;
  l2o_status status = L2O_OK;
  for (size_t first = 0; first < b->rows && !status; first += piece) {
    const size_t rows = b->rows - first < piece ? b->rows - first : piece;
    const l2o_real *W;
    status = l2o_layers_rows(l, &W, block, first, rows);
    for (size_t t = 0; t < count && !status; t++)
      for (size_t i = 0; i < rows; i++)
        Y[t * b->rows + first + i] = (l2o_real)l2o_dot(W + i * b->columns, X + t * b->columns, b->columns);
  }
  return status;
}

enum { TILE = 64 };

static size_t forward_work_len(const l2o_problem *p, size_t count) {
  (void)p;
  return TILE + count * (WIDTH + 2 * HIDDEN + OUT);
}

static l2o_status forward(const l2o_problem *p, double *f, const l2o_real *x, const size_t *rows, size_t count,
                          const l2o_pass *pass, l2o_real *work) {
  const l2o_layers l = {.blocks = blocks, .x = x, .pass = pass, .tile = work};
  l2o_real *h = work + TILE, *a = h + count * WIDTH, *other = a + count * HIDDEN, *y = other + count * HIDDEN;
  size_t looked_up[SAMPLES] = {0};
  const l2o_real *w;
  (void)p;
  assert_in_range(count, 1, SAMPLES);
  now.passes++;
  now.count = count;
  memcpy(now.stored, x, sizeof now.stored);
  for (size_t t = 0; t < count; t++) {
    const size_t sample = rows ? rows[t] : t;
    now.rows[t] = sample;
    looked_up[t] = sample % ROWS;
  }
  l2o_status status = l2o_layers_watch_table(&l, TABLE, looked_up, count);
  for (size_t t = 0; t < count && !status; t++) {
    status = l2o_layers_rows(&l, &w, TABLE, looked_up[t], 1);
    for (size_t j = 0; j < WIDTH && !status; j++)
      h[t * WIDTH + j] = now.zero ? 0 : w[j];
  }
  if (!status)
    status = l2o_layers_watch(&l, WEIGHT1, h, count, WIDTH);
  if (!status)
    status = apply(&l, a, WEIGHT1, h, count);
  if (!status)
    status = apply(&l, other, WEIGHT2, h, count);
  if (!status)
    status = l2o_layers_rows(&l, &w, BIAS, 0, 1);
  for (size_t i = 0; i < count * HIDDEN && !status; i++)
    a[i] = (l2o_real)(tanh((double)a[i]) * (double)other[i]) + w[i % HIDDEN];
  if (!status)
    status = l2o_layers_watch(&l, WEIGHT3, a, count, HIDDEN);
  if (!status)
    status = apply(&l, y, WEIGHT3, a, count);
  double sum = 0;
  for (size_t t = 0; t < count && !status; t++)
    for (size_t j = 0; j < OUT; j++) {
      const double error = (double)y[t * OUT + j] - target(rows ? rows[t] : t, j);
      sum += error * error / 2;
    }
  *f = now.passes == now.breaks ? (double)NAN : sum / (double)count;
  return now.fails && now.passes == now.breaks ? L2O_ERR_CALLBACK : status;
}

static size_t work_len(const l2o_problem *p) {
  return forward_work_len(p, SAMPLES);
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  static const l2o_pass nobody = {0};
  const toy before = now;
  const l2o_status status = forward(p, f, x, NULL, SAMPLES, &nobody, work);
  const size_t values = now.values + 1;
  now = before;
  now.values = values;
  return status;
}

static size_t summands(const l2o_problem *p) {
  (void)p;
  return SAMPLES;
}

static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  (void)p, (void)f, (void)g, (void)x, (void)rows, (void)count, (void)work;
  return L2O_ERR_NOTSUP; /* nobody asks for it */
}

static const l2o_block *get_blocks(const l2o_problem *p, size_t *count) {
  (void)p;
  *count = BLOCKS;
  return blocks;
}

static const l2o_problem_ops ops = {.struct_size = sizeof ops,
                                    .name = "toy",
                                    .work_len = work_len,
                                    .value = value,
                                    .summands = summands,
                                    .partial = partial,
                                    .blocks = get_blocks,
                                    .forward = forward,
                                    .forward_work_len = forward_work_len};
static const l2o_problem problem = {.ops = &ops, .n = N};

static void start(l2o_real *x) {
  now = (toy){0};
  normal_reals(x, N, 3);
  for (size_t i = 0; i < N; i++)
    x[i] *= (l2o_real)0.5;
}

/* f of all samples, or of the rows of the last pass, at x */
static double f_at(const l2o_real *x, bool last_rows) {
  l2o_real work[TILE + SAMPLES * (WIDTH + 2 * HIDDEN + OUT)];
  const toy before = now;
  double f;
  now.breaks = 0;
  assert_status(
      l2o_problem_forward(&problem, &f, x, last_rows ? before.rows : NULL, last_rows ? before.count : SAMPLES, NULL, work), L2O_OK,
      NULL);
  now = before;
  return f;
}

/* `steps` steps from x, which is moved; the last record. */
static l2o_record steps(const char *rule, const char *options, size_t count, l2o_real *x, uint64_t seed, l2o_stop expected) {
  l2o_diag diag = {""};
  l2o_result result;
  l2o_settings settings = l2o_settings_default();
  settings.options = options;
  settings.iterations = count;
  settings.seed = seed;
  assert_status(l2o_minimize(solver_named(rule), NULL, &problem, x, &result, &settings, &diag), L2O_OK, &diag);
  assert_int_equal(result.stop, expected);
  return result.last;
}

/* The seed that the run's directions are drawn from. */
static uint64_t run_seed(uint64_t seed) {
  l2o_rng rng;
  l2o_rng_seed(&rng, seed, 0, 0);
  const uint64_t high = l2o_rng_word(&rng);
  return high << 32 | l2o_rng_word(&rng);
}

static size_t padded(size_t n) {
  return (n + 3) / 4 * 4;
}

/* u of block b as the header of the rules says */
static void gaussian(l2o_real *d, size_t b, uint64_t seed, uint64_t k) {
  for (size_t i = 0; i < blocks[b].rows; i++)
    l2o_normals(d + blocks[b].offset + i * blocks[b].columns, seed, (uint32_t)b, k, i * padded(blocks[b].columns),
                blocks[b].columns);
}

/* R (rows, r) of block b */
static void left_factor(l2o_real *R, size_t b, size_t r, uint64_t seed, uint64_t k) {
  l2o_real column[32];
  for (size_t j = 0; j < r; j++) {
    l2o_normals(column, seed, (uint32_t)b, k, j * padded(blocks[b].rows), blocks[b].rows);
    for (size_t i = 0; i < blocks[b].rows; i++)
      R[i * r + j] = column[i];
  }
}

static void low_rank(l2o_real *d, size_t b, const l2o_real *R, const l2o_real *A, size_t r) {
  for (size_t i = 0; i < blocks[b].rows; i++)
    for (size_t j = 0; j < blocks[b].columns; j++) {
      double sum = 0;
      for (size_t k = 0; k < r; k++)
        sum += (double)R[i * r + k] * (double)A[k * blocks[b].columns + j];
      d[blocks[b].offset + i * blocks[b].columns + j] = (l2o_real)sum;
    }
}

static const double MU = BY_PRECISION(1e-4, 1e-2);

/* x - eta c D with c = (f(x + mu D) - f(x - mu D)) / 2 mu, or one-sided, over the rows of the last pass */
static void expected_step(l2o_real *x, const l2o_real *D, double eta, bool two_sided) {
  l2o_real plus[N], minus[N];
  for (size_t i = 0; i < N; i++) {
    plus[i] = x[i] + (l2o_real)MU * D[i];
    minus[i] = two_sided ? x[i] - (l2o_real)MU * D[i] : x[i];
  }
  const double c = (f_at(plus, true) - f_at(minus, true)) / (two_sided ? 2 * MU : MU);
  for (size_t i = 0; i < N; i++)
    x[i] -= (l2o_real)(eta * c) * D[i];
}

static void assert_points(const l2o_real *actual, const l2o_real *expected, double tolerance) {
  for (size_t i = 0; i < N; i++)
    assert_close(actual[i], expected[i], tolerance, tolerance);
}

/* ---- one step, from its formula ---- */

static void mezo_is_its_formula(void **state) {
  (void)state;
  l2o_real x[N], expected[N], D[N];
  char options[100];
  for (int two_sided = 0; two_sided < 2; two_sided++) {
    snprintf(options, sizeof options, "step=0.01,batch=7,radius=%g,difference=%s", MU, two_sided ? "two-sided" : "one-sided");
    start(x);
    memcpy(expected, x, sizeof x);
    const l2o_record last = steps("mezo", options, 1, x, 5, L2O_STOP_ITERATIONS);
    assert_int_equal(now.count, 7);
    assert_int_equal(last.value_calls, 2);
    for (size_t b = 0; b < BLOCKS; b++)
      gaussian(D, b, run_seed(5), 0);
    expected_step(expected, D, 0.01, two_sided);
    assert_points(x, expected, BY_PRECISION(1e-10, 1e-4));
  }
}

static void lozo_is_its_formula(void **state) {
  (void)state;
  enum { R = 2 };
  const uint64_t seed = run_seed(6);
  l2o_real x[N], expected[N], D[N], right[R * HIDDEN], left[HIDDEN * R];
  char options[100];
  snprintf(options, sizeof options, "step=0.01,batch=5,radius=%g,rank=2,interval=2", MU);
  start(x);
  for (size_t k = 0; k < 4; k++) { /* A of steps 0 and 1, then another one */
    l2o_real before[N];
    start(before);
    if (k)
      steps("lozo", options, k, before, 6, L2O_STOP_ITERATIONS);
    start(x);
    steps("lozo", options, k + 1, x, 6, L2O_STOP_ITERATIONS);
    gaussian(D, BIAS, seed, k);
    for (size_t b = 0; b < BLOCKS; b++) {
      if (b == BIAS)
        continue;
      l2o_normals(right, seed, (UINT32_C(1) << 30) + (uint32_t)b, k / 2, 0, R * blocks[b].columns);
      left_factor(left, b, R, seed, k);
      low_rank(D, b, left, right, R);
    }
    memcpy(expected, before, sizeof expected);
    expected_step(expected, D, 0.01, true);
    assert_points(x, expected, BY_PRECISION(1e-10, 1e-4));
  }
}

/* The inputs (count, columns) of block 1 or 4 at x for the rows of the last pass. */
typedef struct inputs {
  l2o_real X[SAMPLES * HIDDEN];
  size_t block, count;
} inputs;

static l2o_status keep_inputs(void *context, size_t block, const l2o_real *X, const size_t *rows, size_t count, size_t stride) {
  inputs *in = context;
  (void)rows;
  if (block != in->block)
    return L2O_OK;
  in->count = count;
  assert_int_equal(stride, blocks[block].columns);
  memcpy(in->X, X, count * stride * sizeof *X);
  return L2O_OK;
}

static void inputs_at(inputs *in, size_t block, const l2o_real *x) {
  l2o_real work[TILE + SAMPLES * (WIDTH + 2 * HIDDEN + OUT)];
  double f;
  const toy before = now;
  *in = (inputs){.block = block};
  const l2o_pass pass = {.watch = keep_inputs, .context = in};
  now.breaks = 0;
  assert_status(l2o_problem_forward(&problem, &f, x, before.rows, before.count, &pass, work), L2O_OK, NULL);
  now = before;
}

/* A: the right singular vectors of X with the largest singular values, (r, columns) */
static void dominant(l2o_real *A, const inputs *in, size_t r) {
  const size_t columns = blocks[in->block].columns;
  double gram[HIDDEN * HIDDEN] = {0}, V[HIDDEN * HIDDEN], values[HIDDEN],
                       *work = malloc(l2o_eigenvectors_work(HIDDEN) * sizeof *work);
  for (size_t t = 0; t < in->count; t++)
    for (size_t i = 0; i < columns; i++)
      for (size_t j = 0; j < columns; j++)
        gram[i * columns + j] += (double)in->X[t * columns + i] * (double)in->X[t * columns + j];
  assert_status(l2o_eigenvectors(V, values, gram, work, columns), L2O_OK, NULL);
  for (size_t k = 0; k < r; k++)
    for (size_t j = 0; j < columns; j++)
      A[k * columns + j] = (l2o_real)V[(columns - 1 - k) * columns + j];
  free(work);
}

/* The change of a block, and how much of it lies outside the span of A: |M - M A'A| / |M|. */
static double outside(const l2o_real *after, const l2o_real *before, size_t b, const l2o_real *A, size_t r) {
  const size_t columns = blocks[b].columns;
  double left = 0, all = 0;
  for (size_t i = 0; i < blocks[b].rows; i++) {
    double row[HIDDEN], rest[HIDDEN];
    for (size_t j = 0; j < columns; j++) {
      const size_t at = blocks[b].offset + i * columns + j;
      row[j] = rest[j] = (double)after[at] - (double)before[at];
      all += row[j] * row[j];
    }
    for (size_t k = 0; k < r; k++) {
      double along = 0;
      for (size_t j = 0; j < columns; j++)
        along += row[j] * (double)A[k * columns + j];
      for (size_t j = 0; j < columns; j++)
        rest[j] -= along * (double)A[k * columns + j];
    }
    for (size_t j = 0; j < columns; j++)
      left += rest[j] * rest[j];
  }
  assert_true(all > 0);
  return sqrt(left / all);
}

/* The rows of A (r, columns) by Gram and Schmidt. */
static void orthonormalise(double *A, size_t r, size_t columns) {
  for (size_t k = 0; k < r; k++) {
    double norm = 0;
    for (size_t l = 0; l < 2 * k; l++) { /* each of them twice */
      double along = 0;
      for (size_t j = 0; j < columns; j++)
        along += A[k * columns + j] * A[l % k * columns + j];
      for (size_t j = 0; j < columns; j++)
        A[k * columns + j] -= along * A[l % k * columns + j];
    }
    for (size_t j = 0; j < columns; j++)
      norm += A[k * columns + j] * A[k * columns + j];
    for (size_t j = 0; j < columns; j++)
      A[k * columns + j] /= sqrt(norm);
  }
}

/* A = orth(O' X), K times A = orth((X A')' X), as the header of the rule says. */
static void power_iteration(l2o_real *out, const inputs *in, size_t r, size_t K, uint64_t seed, uint64_t k) {
  const size_t columns = blocks[in->block].columns;
  l2o_real O[SAMPLES * HIDDEN];
  double A[HIDDEN * HIDDEN] = {0};
  l2o_normals(O, seed, (UINT32_C(1) << 30) + (uint32_t)in->block, k, 0, in->count * r);
  for (size_t t = 0; t < in->count; t++)
    for (size_t i = 0; i < r; i++)
      for (size_t j = 0; j < columns; j++)
        A[i * columns + j] += (double)O[t * r + i] * (double)in->X[t * columns + j];
  orthonormalise(A, r, columns);
  for (size_t iteration = 0; iteration < K; iteration++) {
    double next[HIDDEN * HIDDEN] = {0};
    for (size_t t = 0; t < in->count; t++)
      for (size_t i = 0; i < r; i++) {
        double z = 0;
        for (size_t j = 0; j < columns; j++)
          z += (double)in->X[t * columns + j] * A[i * columns + j];
        for (size_t j = 0; j < columns; j++)
          next[i * columns + j] += z * (double)in->X[t * columns + j];
      }
    memcpy(A, next, sizeof A);
    orthonormalise(A, r, columns);
  }
  for (size_t i = 0; i < r * columns; i++)
    out[i] = (l2o_real)A[i];
}

static void agzo_is_its_formula(void **state) {
  (void)state;
  const uint64_t seed = run_seed(7);
  for (size_t r = 1; r <= 3; r++)
    for (size_t K = 0; K <= 3; K += 3) {
      l2o_real x[N], expected[N], D[N], A[3 * HIDDEN], left[HIDDEN * 3];
      inputs in;
      char options[120];
      snprintf(options, sizeof options, "step=0.01,batch=9,radius=%g,rank=%zu,power=%zu,tables=all", MU, r, K);
      start(x);
      memcpy(expected, x, sizeof x);
      const l2o_record last = steps("agzo", options, 1, x, 7, L2O_STOP_ITERATIONS);
      assert_int_equal(last.value_calls, 2);
      for (size_t b = 0; b < BLOCKS; b++)
        gaussian(D, b, seed, 0);
      for (size_t b = 0; b < BLOCKS; b++) {
        if (blocks[b].kind != L2O_BLOCK_LINEAR)
          continue;
        inputs_at(&in, blocks[b].input, expected);
        power_iteration(A, &in, r, K, seed, 0);
        left_factor(left, b, r, seed, 0);
        low_rank(D, b, left, A, r);
      }
      expected_step(expected, D, 0.01, false);
      assert_points(x, expected, BY_PRECISION(1e-9, 1e-3));
    }
}

/* With many power iterations a layer moves within the dominant directions of its input and no others; guide=random ones know
 * nothing of them. */
static void agzo_finds_the_dominant_directions(void **state) {
  (void)state;
  for (size_t r = 1; r <= 3; r++) {
    l2o_real x[N], before[N], A[3 * HIDDEN];
    inputs in;
    char options[120];
    for (int random = 0; random < 2; random++) {
      snprintf(options, sizeof options, "step=0.01,batch=9,rank=%zu,power=100,guide=%s", r, random ? "random" : "activations");
      start(x);
      memcpy(before, x, sizeof x);
      steps("agzo", options, 1, x, 7, L2O_STOP_ITERATIONS);
      for (size_t b = 0; b < BLOCKS; b++) {
        if (blocks[b].kind != L2O_BLOCK_LINEAR)
          continue;
        inputs_at(&in, blocks[b].input, before);
        dominant(A, &in, r);
        if (random)
          assert_true(outside(x, before, b, A, r) > 0.1);
        else
          assert_close(outside(x, before, b, A, r), 0, 0, BY_PRECISION(1e-6, 2e-2));
        if (r > 1) /* fewer directions do not hold it */
          assert_true(outside(x, before, b, A, r - 1) > 0.05);
      }
    }
  }
}

/* energy: the rank that holds so much of the input, up to `rank`. */
static void agzo_takes_the_rank_that_holds_the_energy(void **state) {
  (void)state;
  l2o_real x[N], before[N], A[3 * HIDDEN];
  inputs in;
  start(x);
  for (size_t i = 0; i < ROWS; i++) /* embeddings that are nearly multiples of one */
    for (size_t j = 0; j < WIDTH; j++)
      x[i * WIDTH + j] = (l2o_real)((double)(i + 1) * (j + 1.0) + 0.01 * (double)x[i * WIDTH + j]);
  memcpy(before, x, sizeof x);
  steps("agzo", "step=1e-4,batch=9,rank=3,power=20,energy=0.99", 1, x, 7, L2O_STOP_ITERATIONS);
  inputs_at(&in, WEIGHT1, before);
  dominant(A, &in, 1);
  assert_close(outside(x, before, WEIGHT1, A, 1), 0, 0, BY_PRECISION(1e-6, 2e-2));
  memcpy(x, before, sizeof x);
  steps("agzo", "step=1e-4,batch=9,rank=3,power=20", 1, x, 7, L2O_STOP_ITERATIONS);
  assert_true(outside(x, before, WEIGHT1, A, 1) > 0.1);
}

/* ---- what moves, and what does not ---- */

static bool moved(const l2o_real *a, const l2o_real *b, size_t offset, size_t count) {
  return memcmp(a + offset, b + offset, count * sizeof *a) != 0;
}

static void tables_and_others_move_as_told(void **state) {
  (void)state;
  static const char *const rules[] = {"mezo", "lozo", "agzo"};
  static const char *const perturb[] = {"scratch", "in-place"};
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 2; j++) {
      l2o_real x[N], before[N];
      char options[160];
      snprintf(options, sizeof options, "step=0.01,batch=2,tables=rows,others=0,perturb=%s", perturb[j]);
      start(x);
      memcpy(before, x, sizeof x);
      steps(rules[i], options, 1, x, 8, L2O_STOP_ITERATIONS);
      for (size_t row = 0; row < ROWS; row++)
        assert_int_equal(moved(x, before, row * WIDTH, WIDTH), now.rows[0] % ROWS == row || now.rows[1] % ROWS == row);
      assert_false(moved(x, before, AT_BIAS, HIDDEN));
      assert_true(moved(x, before, AT1, HIDDEN * WIDTH) && moved(x, before, AT2, HIDDEN * WIDTH) &&
                  moved(x, before, AT3, OUT * HIDDEN));
      snprintf(options, sizeof options, "step=0.01,batch=2,tables=frozen,perturb=%s", perturb[j]);
      start(x);
      steps(rules[i], options, 1, x, 8, L2O_STOP_ITERATIONS);
      assert_false(moved(x, before, 0, ROWS * WIDTH));
      assert_true(moved(x, before, AT_BIAS, HIDDEN));
      snprintf(options, sizeof options, "step=0.01,batch=2,tables=all,perturb=%s", perturb[j]);
      start(x);
      steps(rules[i], options, 1, x, 8, L2O_STOP_ITERATIONS);
      for (size_t row = 0; row < ROWS; row++)
        assert_true(moved(x, before, row * WIDTH, WIDTH));
    }
}

/* `others` scales their direction, and so what they move. */
static void others_scale_their_direction(void **state) {
  (void)state;
  const uint64_t seed = run_seed(5);
  l2o_real x[N], expected[N], D[N];
  char options[100];
  snprintf(options, sizeof options, "step=0.01,batch=7,radius=%g,others=3", MU);
  start(x);
  memcpy(expected, x, sizeof x);
  steps("mezo", options, 1, x, 5, L2O_STOP_ITERATIONS);
  for (size_t b = 0; b < BLOCKS; b++)
    gaussian(D, b, seed, 0);
  for (size_t j = 0; j < HIDDEN; j++)
    D[AT_BIAS + j] *= 3;
  expected_step(expected, D, 0.01, true);
  assert_points(x, expected, BY_PRECISION(1e-10, 1e-4));
}

/* While it is probed W is not touched, a probe whose answer is not a number leaves it as it was, and the run goes on; in place it
 * comes back to rounding. */
static void a_step_without_a_finite_value_is_taken_back(void **state) {
  (void)state;
  static const char *const rules[] = {"mezo", "lozo", "agzo"};
  for (size_t i = 0; i < 3; i++)
    for (size_t bad = 1; bad <= 2; bad++) {
      l2o_real x[N], before[N];
      if (i == 2 && bad == 1) /* its first pass is at W */
        continue;
      start(x);
      memcpy(before, x, sizeof x);
      now.breaks = bad;
      const l2o_record last = steps(rules[i], "step=0.01,batch=4", 1, x, 9, L2O_STOP_ITERATIONS);
      assert_same_reals(x, before, N);
      assert_same_reals(now.stored, before, N);
      assert_int_equal(last.fallbacks, 1);
      assert_int_equal(last.iteration, 1);
      start(x);
      now.breaks = bad;
      steps(rules[i], "step=0.01,batch=4", 2, x, 9, L2O_STOP_ITERATIONS);
      assert_true(moved(x, before, 0, N));
      start(x);
      now.breaks = bad;
      steps(rules[i], "step=0.01,batch=4,perturb=in-place", 1, x, 9, L2O_STOP_ITERATIONS);
      assert_points(x, before, BY_PRECISION(1e-14, 1e-6));
    }
}

/* W itself is where f is not a number: the run ends there, and says so. */
static void at_a_bad_point_the_run_diverges(void **state) {
  (void)state;
  l2o_real x[N], before[N];
  start(x);
  memcpy(before, x, sizeof x);
  now.breaks = 1;
  steps("agzo", "step=0.01,batch=4", 5, x, 9, L2O_STOP_DIVERGED);
  assert_same_reals(x, before, N);
  start(x);
  steps("mezo", "step=1e12,radius=1,batch=4", 50, x, 9, L2O_STOP_DIVERGED);
  for (size_t i = 0; i < N; i++)
    assert_true(isfinite(x[i]));
}

static void a_failing_pass_ends_the_run_and_leaves_the_weights(void **state) {
  (void)state;
  static const char *const rules[] = {"mezo", "lozo", "agzo"};
  for (size_t i = 0; i < 3; i++)
    for (int in_place = 0; in_place < 2; in_place++) {
      l2o_real x[N], before[N];
      l2o_diag diag = {""};
      l2o_settings settings = l2o_settings_default();
      settings.options = in_place ? "step=0.01,batch=4,perturb=in-place" : "step=0.01,batch=4";
      settings.iterations = 3;
      start(x);
      memcpy(before, x, sizeof x);
      now.breaks = 2;
      now.fails = true;
      assert_status(l2o_minimize(solver_named(rules[i]), NULL, &problem, x, NULL, &settings, &diag), L2O_ERR_CALLBACK, NULL);
      assert_names(&diag, "iteration 0");
      if (in_place)
        assert_points(x, before, BY_PRECISION(1e-14, 1e-6));
      else
        assert_same_reals(x, before, N);
    }
}

/* In place the same step but for rounding. */
static void in_place_is_the_same_step(void **state) {
  (void)state;
  static const char *const rules[] = {"mezo", "lozo:rank=2", "agzo:rank=2", "agzo:difference=two-sided"};
  for (size_t i = 0; i < 4; i++) {
    l2o_real x[N], y[N];
    char name[20], options[160];
    const char *own = strchr(rules[i], ':');
    snprintf(name, sizeof name, "%.4s", rules[i]);
    snprintf(options, sizeof options, "step=0.01,batch=4,radius=1e-2%s%s", own ? "," : "", own ? own + 1 : "");
    start(x);
    steps(name, options, 3, x, 9, L2O_STOP_ITERATIONS);
    strcat(options, ",perturb=in-place");
    start(y);
    steps(name, options, 3, y, 9, L2O_STOP_ITERATIONS);
    assert_points(y, x, BY_PRECISION(1e-11, 1e-3));
  }
}

/* Whatever pieces a problem asks its weights in, the bits are the same. */
static void directions_do_not_depend_on_tiles(void **state) {
  (void)state;
  static const char *const rules[] = {"mezo", "lozo", "agzo"};
  for (size_t i = 0; i < 3; i++)
    for (size_t piece = 1; piece <= 5; piece++) {
      l2o_real x[N], y[N];
      const char *options = i ? "step=0.01,batch=4,rank=2" : "step=0.01,batch=4";
      start(x);
      steps(rules[i], options, 3, x, 9, L2O_STOP_ITERATIONS);
      start(y);
      now.piece = piece;
      steps(rules[i], options, 3, y, 9, L2O_STOP_ITERATIONS);
      assert_points(y, x, BY_PRECISION(1e-9, 1e-3)); /* products of other sizes may round otherwise */
      if (i == 0)
        assert_same_reals(y, x, N);
    }
}

/* ---- the driver ---- */

/* A batch as large as the sum is the sum, each summand once. */
static void a_whole_batch_is_every_summand_once(void **state) {
  (void)state;
  l2o_real x[N];
  start(x);
  steps("mezo", "step=0.01,batch=1000000000", 1, x, 9, L2O_STOP_ITERATIONS);
  assert_int_equal(now.count, SAMPLES);
  for (size_t i = 0; i < SAMPLES; i++)
    assert_int_equal(now.rows[i], i);
}

static void both_probes_see_one_minibatch(void **state) {
  (void)state;
  size_t rows[2][4];
  for (size_t bad = 1; bad <= 2; bad++) { /* the second pass, then the first of the next step */
    l2o_real x[N];
    l2o_settings settings = l2o_settings_default();
    settings.options = "step=0.01,batch=4";
    settings.iterations = 1;
    start(x);
    now.breaks = bad;
    now.fails = true; /* the pass is the last one */
    l2o_minimize(solver_named("mezo"), NULL, &problem, x, NULL, &settings, NULL);
    assert_int_equal(now.passes, bad);
    memcpy(rows[bad - 1], now.rows, sizeof rows[0]);
  }
  assert_memory_equal(rows[0], rows[1], sizeof rows[0]);
}

static void budgets_count_passes(void **state) {
  (void)state;
  l2o_real x[N];
  l2o_result result;
  l2o_settings settings = l2o_settings_default();
  settings.options = "step=0.01,batch=4,difference=two-sided";
  settings.iterations = 100;
  settings.calls = 7;
  start(x);
  assert_status(l2o_minimize(solver_named("agzo"), NULL, &problem, x, &result, &settings, NULL), L2O_OK, NULL);
  assert_int_equal(result.last.value_calls, 6); /* three a step: a base pass beside the two */
  assert_int_equal(result.stop, L2O_STOP_CALLS);
  assert_int_equal(now.passes, 6);
  settings.options = "step=0.01,batch=4";
  start(x);
  assert_status(l2o_minimize(solver_named("agzo"), NULL, &problem, x, &result, &settings, NULL), L2O_OK, NULL);
  assert_int_equal(result.last.value_calls, 6);
}

static void records_are_made_as_often_as_told(void **state) {
  (void)state;
  l2o_real x[N], y[N];
  l2o_trace *trace;
  l2o_settings settings = l2o_settings_default();
  assert_status(l2o_trace_new(&trace, 20, 0), L2O_OK, NULL);
  settings.options = "step=0.01,batch=4";
  settings.iterations = 10;
  settings.record_every = 4;
  settings.traces = &trace;
  start(x);
  assert_status(l2o_minimize(solver_named("mezo"), NULL, &problem, x, NULL, &settings, NULL), L2O_OK, NULL);
  assert_int_equal(now.values, 4);
  size_t count;
  const l2o_record *r = l2o_trace_records(trace, &count);
  static const size_t expected[] = {0, 4, 8, 10};
  assert_int_equal(count, 4);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(r[i].iteration, expected[i]);
    assert_int_equal(r[i].value_calls, 2 * expected[i]);
    assert_true(isnan(r[i].gradient_norm));
  }
  assert_close(r[3].objective, f_at(x, false), 1e-12, 0);
  settings.record_every = 1;
  start(y);
  assert_status(l2o_minimize(solver_named("mezo"), NULL, &problem, y, NULL, &settings, NULL), L2O_OK, NULL);
  assert_same_reals(x, y, N);
  assert_int_equal(now.values, 11);
  l2o_trace_free(trace);
}

static int stop_at_six(void *context, const l2o_record *record, const l2o_real *x, size_t instance) {
  size_t *evaluated = context;
  (void)x, (void)instance;
  *evaluated += isfinite(record->objective) != 0;
  assert_int_equal(isfinite(record->objective) != 0, record->iteration % 4 == 0);
  return record->iteration == 6;
}

/* The callback is asked after every step, also where nothing is evaluated, and the run ends with a record. */
static void a_callback_may_stop_between_records(void **state) {
  (void)state;
  l2o_real x[N];
  size_t evaluated = 0;
  l2o_result result;
  l2o_settings settings = l2o_settings_default();
  settings.options = "step=0.01,batch=4";
  settings.iterations = 10;
  settings.record_every = 4;
  settings.callback = stop_at_six;
  settings.context = &evaluated;
  start(x);
  assert_status(l2o_minimize(solver_named("mezo"), NULL, &problem, x, &result, &settings, NULL), L2O_OK, NULL);
  assert_int_equal(result.stop, L2O_STOP_USER);
  assert_int_equal(result.last.iteration, 6);
  assert_close(result.last.objective, f_at(x, false), 1e-12, 0);
  assert_int_equal(evaluated, 2);
}

/* It learns: the objective falls to a fraction. */
static void they_train(void **state) {
  (void)state;
  static const char *const rules[] = {"mezo", "lozo", "agzo"};
  static const char *const options[] = {"step=3e-3,batch=12", "step=3e-3,batch=12,rank=2,interval=50",
                                        "step=1e-2,batch=12,rank=2,tables=all"};
  for (size_t i = 0; i < 3; i++) {
    l2o_real x[N];
    start(x);
    const double before = f_at(x, false);
    steps(rules[i], options[i], 3000, x, 11, L2O_STOP_ITERATIONS);
    if (!(f_at(x, false) < 0.4 * before))
      fail_msg("%s: from %g to %g", rules[i], before, f_at(x, false));
  }
}

/* An input that is zero has no directions: the layer is probed as mezo would, and the run goes on. */
static void a_zero_input_is_probed_by_gaussian_directions(void **state) {
  (void)state;
  const uint64_t seed = run_seed(5);
  l2o_real x[N], before[N], D[N];
  start(x);
  memcpy(before, x, sizeof x);
  now.zero = true;
  steps("agzo", "step=0.01,batch=4", 1, x, 5, L2O_STOP_ITERATIONS);
  gaussian(D, WEIGHT1, seed, 0);
  const double c = ((double)x[AT1] - (double)before[AT1]) / (double)D[AT1];
  assert_true(c != 0);
  for (size_t i = AT1; i < AT2; i++)
    assert_close((double)x[i] - (double)before[i], c * (double)D[i], BY_PRECISION(1e-6, 2e-2), BY_PRECISION(1e-12, 1e-6));
}

/* ---- on a family's problem ---- */

static const char SMALL[] = "transformer:vocab=7,width=8,heads=2,mlp=12,layers=2,length=5,context=5,samples=9";
static const char *const RULES[] = {"mezo", "lozo", "agzo"};
static const char *const OPTIONS[] = {"step=1e-3,batch=4", "step=1e-3,batch=4,rank=2", "step=1e-3,batch=4,rank=2"};

/* Repeated, and on two threads: the same bits. */
static void runs_repeat_bit_for_bit(void **state) {
  (void)state;
  enum { COUNT = 3 };
  l2o_problem p[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    p[i] = sampled(SMALL, 4, i);
  const size_t n = p[0].n;
  l2o_real *x[3];
  for (size_t v = 0; v < 3; v++)
    x[v] = malloc(COUNT * n * sizeof **x);
  for (size_t r = 0; r < 3; r++) {
    for (size_t v = 0; v < 3; v++) {
      l2o_result results[COUNT];
      l2o_settings settings = l2o_settings_default();
      settings.options = OPTIONS[r];
      settings.iterations = 6;
      settings.threads = v == 2 ? 2 : 1;
      settings.seed = 3;
      for (size_t i = 0; i < COUNT; i++)
        assert_status(l2o_problem_start(&p[i], x[v] + i * n), L2O_OK, NULL);
      assert_status(l2o_solve_many(solver_named(RULES[r]), NULL, p, COUNT, x[v], results, &settings, NULL), L2O_OK, NULL);
    }
    assert_same_reals(x[1], x[0], COUNT * n);
    assert_same_reals(x[2], x[0], COUNT * n);
    assert_memory_not_equal(x[0], x[0] + n, n * sizeof **x);
  }
  for (size_t v = 0; v < 3; v++)
    free(x[v]);
  for (size_t i = 0; i < COUNT; i++)
    l2o_problem_free(&p[i]);
}

/* What families say of their scratch is enough: each call has a block of its own, which sanitizers watch. */
static void scratch_is_as_large_as_said(void **state) {
  (void)state;
  static const char *const families[] = {SMALL, "mlp:inputs=5,width=7,outputs=3,samples=9"};
  for (size_t i = 0; i < 2; i++) {
    l2o_problem p = sampled(families[i], 4, 0);
    l2o_real *x = malloc(p.n * sizeof *x);
    double f, all;
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    l2o_real *work = malloc(l2o_problem_value_work_len(&p) * sizeof *work);
    assert_status(l2o_problem_value(&p, &all, x, work), L2O_OK, NULL);
    free(work);
    work = malloc(l2o_problem_forward_work_len(&p, 9) * sizeof *work);
    assert_status(l2o_problem_forward(&p, &f, x, NULL, 9, NULL, work), L2O_OK, NULL);
    free(work);
    assert_close(f, all, BY_PRECISION(1e-13, 1e-6), 0);
    assert_true(l2o_problem_value_work_len(&p) <= l2o_problem_work_len(&p));
    free(x);
    l2o_problem_free(&p);
  }
}

static void steps_never_allocate(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  l2o_problem p = sampled(SMALL, 4, 0);
  for (size_t r = 0; r < 3; r++) {
    l2o_run *run;
    l2o_stop stop;
    l2o_settings settings = l2o_settings_default();
    settings.options = OPTIONS[r];
    assert_status(l2o_run_new(&run, solver_named(RULES[r]), NULL, &p, &settings, NULL), L2O_OK, NULL);
    assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
    allocations_watch(0);
    for (size_t k = 0; k < 3; k++)
      assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
    assert_int_equal(allocations_seen().calls, 0);
    l2o_run_free(run);
  }
  l2o_problem_free(&p);
}

/* ---- bad input ---- */

static l2o_status absolute_values(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  (void)p, (void)s, (void)x;
  *h = 1;
  return L2O_OK;
}

static void composite_problems_are_refused(void **state) {
  (void)state;
  l2o_problem_ops composite = ops;
  composite.nonsmooth = absolute_values;
  const l2o_problem p = {.ops = &composite, .n = N};
  l2o_real x[N];
  l2o_diag diag = {""};
  l2o_settings settings = l2o_settings_default();
  settings.options = "step=0.01";
  start(x);
  assert_status(l2o_minimize(solver_named("mezo"), NULL, &p, x, NULL, &settings, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "mezo sees the smooth part of problem 'toy' alone");
}

static void bad_input_is_said_in_a_sentence(void **state) {
  (void)state;
  static const struct {
    const char *rule, *options;
    l2o_status status;
    const char *says;
  } cases[] = {
      {"agzo", "step=0.01,rank=5", L2O_ERR_ARG, "agzo: rank=5 is more than layer 'first' has inputs, expected at most 4"},
      {"lozo", "step=0.01,rank=7", L2O_ERR_ARG, "lozo: rank=7 is more than layer 'first'"},
      {"mezo", "step=0.01,batch=0", L2O_ERR_ARG, "batch"},
      {"agzo", "step=0.01,batch=0", L2O_ERR_ARG, "batch"},
      {"agzo", "step=0.01,rank=0", L2O_ERR_ARG, "rank"},
      {"agzo", "batch=4", L2O_ERR_NOTSUP, "agzo needs a step size"},
      {"mezo", "step=0.01,tables=none", L2O_ERR_ARG, "frozen"},
  };
  l2o_real x[N];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_diag diag = {""};
    l2o_settings settings = l2o_settings_default();
    settings.options = cases[i].options;
    start(x);
    assert_status(l2o_minimize(solver_named(cases[i].rule), NULL, &problem, x, NULL, &settings, &diag), cases[i].status, &diag);
    assert_names(&diag, cases[i].says);
    assert_int_equal(now.passes, 0);
  }
  l2o_problem flat = sampled("qp:n=4,m=3", 1, 0);
  l2o_diag diag = {""};
  l2o_settings settings = l2o_settings_default();
  settings.options = "step=0.01";
  assert_status(l2o_minimize(solver_named("agzo"), NULL, &flat, x, NULL, &settings, &diag), L2O_ERR_NOTSUP, &diag);
  assert_names(&diag, "problem 'qp' is not made of layers");
  l2o_problem_free(&flat);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mezo_is_its_formula),
      cmocka_unit_test(lozo_is_its_formula),
      cmocka_unit_test(agzo_is_its_formula),
      cmocka_unit_test(agzo_finds_the_dominant_directions),
      cmocka_unit_test(agzo_takes_the_rank_that_holds_the_energy),
      cmocka_unit_test(tables_and_others_move_as_told),
      cmocka_unit_test(others_scale_their_direction),
      cmocka_unit_test(a_step_without_a_finite_value_is_taken_back),
      cmocka_unit_test(at_a_bad_point_the_run_diverges),
      cmocka_unit_test(a_failing_pass_ends_the_run_and_leaves_the_weights),
      cmocka_unit_test(in_place_is_the_same_step),
      cmocka_unit_test(directions_do_not_depend_on_tiles),
      cmocka_unit_test(a_whole_batch_is_every_summand_once),
      cmocka_unit_test(both_probes_see_one_minibatch),
      cmocka_unit_test(budgets_count_passes),
      cmocka_unit_test(records_are_made_as_often_as_told),
      cmocka_unit_test(a_callback_may_stop_between_records),
      cmocka_unit_test(they_train),
      cmocka_unit_test(a_zero_input_is_probed_by_gaussian_directions),
      cmocka_unit_test(runs_repeat_bit_for_bit),
      cmocka_unit_test(scratch_is_as_large_as_said),
      cmocka_unit_test(steps_never_allocate),
      cmocka_unit_test(composite_problems_are_refused),
      cmocka_unit_test(bad_input_is_said_in_a_sentence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
