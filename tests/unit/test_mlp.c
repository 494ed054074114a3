/* SPDX-License-Identifier: BSD-3-Clause */
/* Fully connected networks: the layers that a pass sees and changes, minibatches, what is drawn, real data, bad options. */
#include "failing_malloc.h"
#include "l2o_data_family.h"

#include "core/linalg.h"
#include "nn/hidden.h"
#include "problems/rotation.h"

static l2o_real *room(size_t count) {
  return calloc(count + 1, sizeof(l2o_real));
}

static double forward_at(const l2o_problem *p, const l2o_real *x, const size_t *rows, size_t count, const l2o_pass *pass) {
  double f;
  l2o_real *work = room(l2o_problem_forward_work_len(p, count));
  assert_status(l2o_problem_forward(p, &f, x, rows, count, pass, work), L2O_OK, NULL);
  free(work);
  return f;
}

static double partial_at(const l2o_problem *p, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count) {
  double f;
  l2o_real *work = room(l2o_problem_work_len(p));
  assert_status(l2o_problem_partial(p, &f, g, x, rows, count, work), L2O_OK, NULL);
  free(work);
  return f;
}

static double largest_of(const l2o_real *a, size_t n) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = fmax(largest, fabs((double)a[i]));
  return largest;
}

/* ---- activations ---- */

static double plain(l2o_hidden kind, double z) {
  switch (kind) {
  case L2O_HIDDEN_RELU:
    return z > 0 ? z : 0;
  case L2O_HIDDEN_TANH:
    return tanh(z);
  case L2O_HIDDEN_GELU:
    return z * (1 + erf(z / sqrt(2))) / 2;
  default:
    return z / (1 + exp(-z));
  }
}

/* With tails of every length; slopes against differences in double, against themselves in single. */
static void activations_and_their_slopes(void **state) {
  (void)state;
  enum { MOST = 37 };
  const double h = BY_PRECISION(1e-5, 1e-3);
  for (int kind = L2O_HIDDEN_RELU; kind <= L2O_HIDDEN_SILU; kind++)
    for (size_t n = 1; n <= MOST; n++) {
      l2o_real z[MOST], a[MOST], d[MOST + 1];
      normal_reals(z, n, n);
      for (size_t i = 0; i < n; i++) {
        z[i] *= 3;
        d[i] = 2;
      }
      d[n] = 7;
      l2o_hidden_forward(a, z, (l2o_hidden)kind, n);
      l2o_hidden_backward(d, a, z, (l2o_hidden)kind, n);
      for (size_t i = 0; i < n; i++) {
        const double x = (double)z[i], slope = (plain((l2o_hidden)kind, x + h) - plain((l2o_hidden)kind, x - h)) / (2 * h);
        assert_close(a[i], plain((l2o_hidden)kind, x), BY_PRECISION(1e-14, 1e-5), BY_PRECISION(1e-15, 1e-6));
        assert_close(d[i], 2 * slope, BY_PRECISION(1e-9, 1e-5), BY_PRECISION(1e-9, 1e-5));
      }
      assert_true(d[n] == 7);
    }
  l2o_real z[3] = {(l2o_real)NAN, 0, (l2o_real)-INFINITY}, a[3];
  l2o_hidden_forward(a, z, L2O_HIDDEN_RELU, 3);
  assert_true(isnan(a[0]) && a[1] == 0 && a[2] == 0);
}

/* ---- the layers that a pass sees ---- */

static void the_parts_cover_x(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    size_t count, n;
  } cases[] = {{"mlp:inputs=5,width=7,depth=2,outputs=3,samples=4", 6, 42 + 56 + 24},
               {"mlp:inputs=5,width=7,depth=2,outputs=3,samples=4,bias=false", 3, 35 + 49 + 21},
               {"mlp:inputs=5,depth=0,outputs=3,samples=4", 2, 18},
               {"mlp", 6, 64 * 128 + 128 + 128 * 128 + 128 + 1280 + 10}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    l2o_problem p = sampled(cases[k].spec, 1, 0);
    size_t count, offset = 0;
    const l2o_block *b = l2o_problem_blocks(&p, &count);
    assert_int_equal(count, cases[k].count);
    assert_int_equal(p.n, cases[k].n);
    for (size_t i = 0; i < count; i++) {
      assert_int_equal(b[i].offset, offset);
      offset += b[i].rows * b[i].columns;
      if (b[i].kind == L2O_BLOCK_LINEAR)
        assert_true(b[i].rank == 2 && b[i].input == i && b[i].uses == 1);
      else
        assert_true(b[i].kind == L2O_BLOCK_OTHER && b[i].rank == 1 && b[i].rows == 1);
    }
    assert_int_equal(offset, p.n);
    assert_string_equal(b[0].name, "layers.0.weight");
    assert_string_equal(b[count - 1].name,
                        b[count - 1].rank == 1 ? (p.n == 18 ? "layers.0.bias" : "layers.2.bias") : "layers.2.weight");
    l2o_problem_free(&p);
  }
}

/* Hands out x + e, e NULL: x itself; counts the rows. */
typedef struct perturbing {
  const l2o_block *blocks;
  const l2o_real *x, *e;
  size_t handed, seen;
} perturbing;

static l2o_status hand_out(void *context, l2o_real *out, size_t block, size_t first, size_t count) {
  perturbing *o = context;
  const l2o_block *b = &o->blocks[block];
  assert_true(first + count <= b->rows);
  for (size_t i = 0; i < count * b->columns; i++) {
    const size_t at = b->offset + first * b->columns + i;
    out[i] = o->e ? o->x[at] + o->e[at] : o->x[at];
  }
  o->handed += count * b->columns;
  return L2O_OK;
}

/* Layers of several tiles, with and without biases. */
static void a_pass_takes_the_weights_that_it_is_given(void **state) {
  (void)state;
  static const char *const specs[] = {"mlp:inputs=33,width=601,depth=1,outputs=1300,samples=23,activation=tanh",
                                      "mlp:inputs=700,width=403,depth=2,outputs=9,samples=70,bias=false,loss=regression",
                                      "mlp:inputs=3,depth=0,outputs=2,samples=5,activation=silu"};
  for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
    l2o_problem p = sampled(specs[k], 2, k);
    const size_t N = l2o_problem_summands(&p);
    size_t count;
    l2o_real *x = room(p.n), *e = room(p.n), *moved = room(p.n);
    size_t rows[3] = {N - 1, 0, N - 1};
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    normal_reals(e, p.n, 5);
    for (size_t j = 0; j < p.n; j++) {
      e[j] *= (l2o_real)0.01;
      moved[j] = x[j] + e[j];
    }
    perturbing o = {.blocks = l2o_problem_blocks(&p, &count), .x = x};
    const l2o_pass copying = {.weights = hand_out, .context = &o};
    assert_true(forward_at(&p, x, NULL, N, &copying) == forward_at(&p, x, NULL, N, NULL)); /* bit for bit */
    assert_int_equal(o.handed, p.n);
    assert_true(forward_at(&p, x, rows, 3, &copying) == forward_at(&p, x, rows, 3, NULL));
    o.e = e;
    assert_true(forward_at(&p, x, NULL, N, &copying) == forward_at(&p, moved, NULL, N, NULL));
    assert_close(forward_at(&p, x, NULL, N, &copying), value_at(&p, moved), BY_PRECISION(1e-13, 1e-6), 0);
    assert_true(value_at(&p, moved) != value_at(&p, x));
    l2o_problem_free(&p);
    free(x), free(e), free(moved);
  }
}

/* What a solver does: an orthonormal basis of the rows of each layer's X. */
typedef struct spanning {
  l2o_real *basis[16]; /* (count, columns) */
  size_t order[16], seen, count;
  const l2o_block *blocks;
} spanning;

static l2o_status span(void *context, size_t block, const l2o_real *X, const size_t *rows, size_t count, size_t stride) {
  spanning *o = context;
  const size_t columns = o->blocks[block].columns;
  assert_true(!rows && stride >= columns);
  l2o_real *basis = room(count * columns), *work = room(l2o_orthonormal_rows_work(count));
  for (size_t i = 0; i < count; i++)
    memcpy(basis + i * columns, X + i * stride, columns * sizeof *basis);
  assert_status(l2o_orthonormal_rows(basis, work, count, columns), L2O_OK, NULL);
  free(work);
  o->basis[block] = basis;
  o->order[o->seen++] = block;
  o->count = count;
  return L2O_OK;
}

/* The gradient of every layer lies in the span of its inputs, G = G A A'. */
static void gradients_lie_in_the_span_of_what_is_watched(void **state) {
  (void)state;
  static const char *const specs[] = {
      "mlp:inputs=20,width=25,depth=3,outputs=6,samples=40,activation=gelu",
      "mlp:inputs=12,width=31,depth=1,outputs=3,samples=40,bias=false,activation=tanh,loss=regression"};
  for (size_t k = 0; k < 2; k++) {
    l2o_problem p = sampled(specs[k], 4, k);
    const size_t rows[] = {7, 31, 2, 39, 0};
    enum { COUNT = 5 };
    spanning o = {0};
    size_t count, linear = 0;
    o.blocks = l2o_problem_blocks(&p, &count);
    const l2o_pass watching = {.watch = span, .context = &o};
    l2o_real *x = room(p.n), *g = room(p.n);
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    assert_true(forward_at(&p, x, rows, COUNT, &watching) == forward_at(&p, x, rows, COUNT, NULL));
    partial_at(&p, g, x, rows, COUNT);
    for (size_t b = 0; b < count; b++) {
      if (o.blocks[b].kind != L2O_BLOCK_LINEAR)
        continue;
      const size_t m = o.blocks[b].rows, n = o.blocks[b].columns;
      assert_int_equal(o.order[linear++], b);
      assert_int_equal(o.count, COUNT);
      l2o_real *G = g + o.blocks[b].offset, *GA = room(m * COUNT), *back = room(m * n);
      l2o_gemm(GA, G, false, o.basis[b], true, m, COUNT, n);
      l2o_gemm(back, GA, false, o.basis[b], false, m, n, COUNT);
      const double largest = largest_of(G, m * n);
      assert_true(largest > 0);
      for (size_t i = 0; i < m * n; i++)
        assert_close(back[i], G[i], 0, BY_PRECISION(1e-10, 1e-4) * largest);
      free(GA), free(back), free(o.basis[b]);
    }
    assert_int_equal(linear, o.seen);
    l2o_problem_free(&p);
    free(x), free(g);
  }
}

static l2o_status fail_to_watch(void *context, size_t block, const l2o_real *X, const size_t *rows, size_t count, size_t stride) {
  (void)context, (void)X, (void)rows, (void)count, (void)stride;
  return block == 2 ? L2O_ERR_NOMEM : L2O_OK;
}
static l2o_status fail_to_hand_out(void *context, l2o_real *out, size_t block, size_t first, size_t count) {
  (void)out, (void)first, (void)count;
  return block == *(const size_t *)context ? L2O_ERR_NOMEM : L2O_OK;
}

static void a_pass_that_fails_ends(void **state) {
  (void)state;
  l2o_problem p = sampled("mlp:inputs=4,width=3,samples=5,outputs=2", 1, 0);
  l2o_real *x = room(p.n), *work = room(l2o_problem_forward_work_len(&p, 5));
  double f;
  const l2o_pass watching = {.watch = fail_to_watch};
  assert_status(l2o_problem_forward(&p, &f, x, NULL, 5, &watching, work), L2O_ERR_CALLBACK, NULL);
  for (size_t block = 0; block < 6; block++) {
    const l2o_pass changing = {.weights = fail_to_hand_out, .context = &block};
    assert_status(l2o_problem_forward(&p, &f, x, NULL, 5, &changing, work), L2O_ERR_CALLBACK, NULL);
  }
  l2o_problem_free(&p);
  free(x), free(work);
}

/* ---- sums ---- */

/* More samples than a chunk. */
static void minibatches_are_means_of_their_samples(void **state) {
  (void)state;
  static const char *const specs[] = {"mlp:inputs=6,width=9,samples=530,outputs=4",
                                      "mlp:inputs=6,depth=0,samples=300,loss=regression"};
  for (size_t k = 0; k < 2; k++) {
    l2o_problem p = sampled(specs[k], 3, 1);
    const size_t N = l2o_problem_summands(&p);
    l2o_real *x = room(p.n), *g = room(p.n), *part = room(p.n);
    double *sum = calloc(p.n, sizeof *sum), f = 0;
    size_t *rows = malloc(2 * N * sizeof *rows);
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    const double full = gradient_at(&p, g, x), tolerance = BY_PRECISION(1e-13, 1e-5), largest = largest_of(g, p.n);
    assert_close(value_at(&p, x), full, BY_PRECISION(1e-14, 1e-6), 0);
    assert_close(forward_at(&p, x, NULL, N, NULL), full, BY_PRECISION(1e-14, 1e-6), 0);
    for (size_t i = 0; i < 2 * N; i++) /* every sample twice, in another order */
      rows[i] = i * 7 % N;
    assert_close(partial_at(&p, part, x, rows, 2 * N), full, BY_PRECISION(1e-14, 1e-6), 0);
    assert_close(partial_at(&p, NULL, x, rows, 2 * N), full, BY_PRECISION(1e-14, 1e-6), 0);
    assert_close(forward_at(&p, x, rows, 2 * N, NULL), full, BY_PRECISION(1e-14, 1e-6), 0);
    for (size_t j = 0; j < p.n; j++)
      assert_close(part[j], g[j], 0, tolerance * largest);
    for (size_t i = 0; i < N; i++) {
      f += partial_at(&p, part, x, &i, 1) / (double)N;
      for (size_t j = 0; j < p.n; j++)
        sum[j] += (double)part[j] / (double)N;
    }
    assert_close(f, full, BY_PRECISION(1e-13, 1e-6), 0);
    for (size_t j = 0; j < p.n; j++)
      assert_close(g[j], sum[j], 0, tolerance * largest);
    l2o_problem_free(&p);
    free(x), free(g), free(part), free(sum), free(rows);
  }
}

static void evaluations_do_not_allocate(void **state) {
  (void)state;
  static const char *const specs[] = {"mlp:samples=300", "mlp:inputs=4,width=3,depth=3,outputs=2,samples=7,activation=gelu",
                                      "mlp:inputs=30,width=20,outputs=1,samples=50,loss=regression,activation=silu"};
  if (!allocations_are_counted())
    skip();
  for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
    l2o_problem p = sampled(specs[k], 1, 0);
    const size_t rows[] = {1, 1, 6};
    l2o_real *x = room(p.n), *g = room(p.n), *work = room(l2o_problem_work_len(&p));
    l2o_real *forward = room(l2o_problem_forward_work_len(&p, 7));
    double f;
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    l2o_problem_gradient(&p, &f, g, x, work); /* BLAS gets what it keeps */
    allocations_watch(0);
    l2o_problem_value(&p, &f, x, work);
    l2o_problem_gradient(&p, &f, g, x, work);
    l2o_problem_partial(&p, &f, g, x, rows, 3, work);
    l2o_problem_forward(&p, &f, x, rows, 3, NULL, forward);
    l2o_problem_forward(&p, &f, x, NULL, 7, NULL, forward);
    assert_int_equal(allocations_seen().calls, 0);
    l2o_problem_free(&p);
    free(x), free(g), free(work), free(forward);
  }
}

static void large_outputs_do_not_overflow_and_not_a_number_is_told(void **state) {
  (void)state;
  l2o_problem p = sampled("mlp:inputs=3,depth=0,outputs=4,samples=12", 1, 0);
  l2o_real *x = room(p.n), *g = room(p.n);
  assert_close(gradient_at(&p, g, x), log(4), BY_PRECISION(1e-15, 1e-7), 0);
  x[12] = (l2o_real)1e30; /* class 0 for sure */
  double share = 0;
  const double f = gradient_at(&p, g, x);
  for (size_t c = 1; c < 4; c++)
    share -= (double)g[12 + c];
  assert_close(f, share * 1e30, 1e-6, 0);
  x[5] = (l2o_real)NAN;
  assert_true(isnan(value_at(&p, x)) && isnan(gradient_at(&p, g, x)));
  l2o_problem_free(&p);
  free(x), free(g);
}

/* ---- what is drawn ---- */

/* f at the weights 0 and biases 1e4 e_c of a linear model: 1e4 times the share of the samples that are not of class c. */
static double share_of_class(const l2o_problem *p, size_t c, size_t outputs) {
  l2o_real *x = room(p->n);
  x[p->n - outputs + c] = (l2o_real)1e4;
  const double f = value_at(p, x);
  free(x);
  return 1 - f / 1e4;
}

static void classes_are_of_a_size(void **state) {
  (void)state;
  for (size_t task = 1; task <= 10; task++) {
    char spec[80];
    snprintf(spec, sizeof spec, "mlp:depth=0,samples=2000,task=%zu", task);
    l2o_problem p = sampled(spec, 1, task);
    for (size_t c = 0; c < 10; c++) {
      const double share = share_of_class(&p, c, 10);
      if (!(share > 0.02 && share < 0.25))
        fail_msg("task %zu: class %zu is %.3g of the samples", task, c, share);
    }
    l2o_problem_free(&p);
  }
}

static void inputs_have_the_covariance_that_is_said(void **state) {
  (void)state;
  enum { N = 6, SAMPLES = 40000 };
  /* a linear regression without bias: the Hessian of f is the second moment of the inputs, once for the one output */
  l2o_problem p = sampled("mlp:inputs=6,depth=0,outputs=1,bias=false,samples=40000,loss=regression", 1, 0);
  l2o_real unit[N] = {0}, g[N], g0[N];
  double trace = 0, square = 0;
  gradient_at(&p, g0, unit);
  for (size_t j = 0; j < N; j++) {
    unit[j] = 1;
    gradient_at(&p, g, unit);
    unit[j] = 0;
    trace += (double)g[j] - (double)g0[j];
    for (size_t i = 0; i < N; i++)
      square += ((double)g[i] - (double)g0[i]) * ((double)g[i] - (double)g0[i]);
  }
  assert_close(trace, 1 + 1. / 2 + 1. / 3 + 1. / 4 + 1. / 5 + 1. / 6, 0.03, 0);
  assert_close(square, 1 + 1. / 4 + 1. / 9 + 1. / 16 + 1. / 25 + 1. / 36, 0.05, 0);
  l2o_problem_free(&p);
}

/* Tasks are shared, samples and starts are not; drift moves the labels and nothing else. */
static void what_belongs_to_whom(void **state) {
  (void)state;
  const char *const spec = "mlp:inputs=8,depth=0,outputs=3,samples=3000";
  l2o_problem a = sampled(spec, 1, 0), b = sampled(spec, 1, 1),
              other = sampled("mlp:inputs=8,depth=0,outputs=3,samples=3000,task=2", 1, 0);
  l2o_problem shifted = sampled("mlp:inputs=8,depth=0,outputs=3,samples=3000,drift=1", 1, 0);
  l2o_problem half = sampled("mlp:inputs=8,depth=0,outputs=3,samples=3000,drift=0.5", 1, 0);
  l2o_real x[27] = {0}, ga[27], gb[27], go[27], gs[27], gh[27], start[2][27];
  gradient_at(&a, ga, x), gradient_at(&b, gb, x), gradient_at(&other, go, x), gradient_at(&shifted, gs, x),
      gradient_at(&half, gh, x);
  double same = 0, distance = 0, far = 0, near = 0;
  for (size_t j = 0; j < 24; j++) {
    same += pow((double)ga[j] - (double)gb[j], 2);
    distance += pow((double)ga[j] - (double)go[j], 2);
    far += pow((double)ga[j] - (double)gs[j], 2);
    near += pow((double)ga[j] - (double)gh[j], 2);
  }
  assert_true(same > 0 && same < 0.01 * distance);
  assert_true(near < 0.7 * far && near > 0.05 * far);
  l2o_problem_start(&a, start[0]), l2o_problem_start(&b, start[1]);
  assert_true(memcmp(start[0], start[1], sizeof start[0]) != 0);
  l2o_problem_start(&shifted, start[1]);
  assert_same_reals(start[0], start[1], 27);
  for (size_t j = 0; j < 27; j++)
    assert_true(fabs((double)start[0][j]) <= 1 / sqrt(8) + 1e-7);
  assert_true(largest_of(start[0], 27) > 0.9 / sqrt(8));
  l2o_problem_free(&a), l2o_problem_free(&b), l2o_problem_free(&other), l2o_problem_free(&shifted), l2o_problem_free(&half);
}

/* ---- data ---- */

static void images_turn_anticlockwise(void **state) {
  (void)state;
  const l2o_real image[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; /* 3 rows of 4 */
  l2o_real out[12], back[12];
  l2o_rotate_image(out, image, 3, 4, 180);
  for (size_t i = 0; i < 12; i++)
    assert_close(out[i], image[11 - i], BY_PRECISION(1e-13, 1e-6), 0);
  const l2o_real corner[9] = {0, 0, 8, 0, 0, 0, 0, 0, 0};
  l2o_rotate_image(back, corner, 3, 3, 90); /* right above becomes left above */
  for (size_t i = 0; i < 9; i++)
    assert_close(back[i], i == 0 ? 8 : 0, 0, 1e-6);
  l2o_rotate_image(back, corner, 3, 3, 45); /* between the pixels at the top: sqrt 2 above the centre, of which 1 is in the image */
  assert_close(back[1], 8 * (sqrt(2) / 2) * (sqrt(2) / 2), 1e-6, 0);
}

static const char mnist[] = "mnist10k-images-idx3-ubyte.gz";

static void digits_are_classes(void **state) {
  (void)state;
  l2o_family *plain = family_of_file("mlp:width=16,samples=50", mnist);
  l2o_family *turned = family_of_file("mlp:width=16,samples=0,rotate=30,subset=first,scale=unit", mnist);
  l2o_family *any = family_of_file("mlp:width=16,samples=50,subset=random", mnist);
  l2o_family *numbers = family_of_file("mlp:width=16,samples=50,loss=regression", mnist);
  assert_string_equal(plain->note, "mnist10k-images-idx3-ubyte.gz: the first 50 of 10000 samples");
  assert_string_equal(turned->note, "mnist10k-images-idx3-ubyte.gz: the first 10000 of 10000 samples, turned by 30 degrees");
  l2o_problem p[5];
  const l2o_family *const families[5] = {plain, turned, any, any, numbers};
  double f[5];
  for (size_t i = 0; i < 5; i++) {
    assert_status(l2o_family_sample(families[i], &p[i], 1, L2O_PURPOSE_EVAL, i, NULL), L2O_OK, NULL);
    assert_int_equal(p[i].n, 784 * 16 + 16 + 256 + 16 + 160 + 10);
    l2o_real *x = room(p[i].n);
    normal_reals(x, p[i].n, 9);
    f[i] = value_at(&p[i], x);
    if (i == 4) { /* unit vectors: f(0) = 1/2 */
      memset(x, 0, p[i].n * sizeof *x);
      assert_close(value_at(&p[i], x), 0.5, 1e-6, 0);
    }
    free(x);
  }
  assert_int_equal(l2o_problem_summands(&p[1]), 10000);
  assert_true(f[0] != f[1] && f[2] != f[3] && f[0] != f[2]);
  for (size_t i = 0; i < 5; i++)
    l2o_problem_free(&p[i]);
  l2o_family_free(plain), l2o_family_free(turned), l2o_family_free(any), l2o_family_free(numbers);
}

/* 4 rows of 3 features; labels 1.5, 3, 1.5, 7 are three classes, or numbers. */
static const l2o_real A[12] = {1, 0, 2, 0, 1, 1, -1, 1, 0, 2, 2, 2};
static const double labels[4] = {1.5, 3, 1.5, 7};

static void tables_are_classes_or_numbers(void **state) {
  (void)state;
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(family_from_arrays(&family, "mlp:depth=0", A, labels, 4, 3, &diag), L2O_OK, &diag);
  assert_int_equal(family->n, 12);
  l2o_problem p;
  assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
  l2o_real x[12] = {0}, g[12];
  assert_close(gradient_at(&p, g, x), log(3), BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(g[9], 1. / 3 - 0.5, BY_PRECISION(1e-14, 1e-6), 0);
  l2o_problem_free(&p);
  l2o_family_free(family);
  assert_status(family_from_arrays(&family, "mlp:depth=0,loss=regression,bias=false", A, labels, 4, 3, &diag), L2O_OK, &diag);
  assert_int_equal(family->n, 3);
  assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
  x[0] = 1; /* z = 1, 0, -1, 2 */
  assert_close(gradient_at(&p, g, x), (0.25 + 9 + 6.25 + 25) / 8, BY_PRECISION(1e-14, 1e-6), 0);
  assert_close(g[2], (2 * -0.5 + -3 + 0 + 2 * -5) / 4, BY_PRECISION(1e-14, 1e-6), 0);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

static void data_that_does_not_fit(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    bool labelled;
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {"mlp", false, L2O_ERR_FORMAT, "mlp: data has no labels"},
      {"mlp:inputs=4", true, L2O_ERR_SHAPE, "mlp: inputs = 4, but data has 3 features"},
      {"mlp:samples=5", true, L2O_ERR_SHAPE, "mlp: samples = 5, but data has 4"},
      {"mlp:outputs=2", true, L2O_ERR_SHAPE, "mlp: outputs = 2, but the labels of data are 3 classes"},
      {"mlp:outputs=2,loss=regression", true, L2O_ERR_SHAPE, "outputs = 2, expected 1, the label, or 3"},
      {"mlp:rotate=10", true, L2O_ERR_ARG, "rotate = 10 turns images, but the rows of data are none"},
      {"mlp:drift=0.5", true, L2O_ERR_ARG, "drift = 0.5 moves the teacher of drawn data"},
  };
  l2o_family *family;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_diag diag = {""};
    assert_status(family_from_arrays(&family, cases[i].spec, A, cases[i].labelled ? labels : NULL, 4, 3, &diag), cases[i].status,
                  NULL);
    assert_names(&diag, cases[i].sentence);
    assert_null(family);
  }
  enum { MANY = 1200 };
  l2o_real *rows = room(MANY);
  double *all = malloc(MANY * sizeof *all);
  l2o_diag diag = {""};
  for (size_t i = 0; i < MANY; i++)
    all[i] = (double)i;
  assert_status(family_from_arrays(&family, "mlp", rows, all, MANY, 1, &diag), L2O_ERR_FORMAT, NULL);
  assert_names(&diag, "set loss = regression");
  assert_status(family_from_arrays(&family, "mlp:loss=regression,width=2,samples=0", rows, all, MANY, 1, &diag), L2O_OK, &diag);
  l2o_family_free(family);
  free(rows), free(all);
}

static void options_that_make_no_sense(void **state) {
  (void)state;
  static const refused_spec cases[] = {
      {"mlp:samples=0", "samples = 0 means all of the data, but there is no data"},
      {"mlp:subset=random", "subset = random chooses from data, but there is no data"},
      {"mlp:rotate=30", "rotate = 30 turns the images of data, but there is no data"},
      {"mlp:scale=unit", "scale is for the features of data, but there is no data"},
      {"mlp:inputs=5000", "inputs = 5000 is too many to draw their basis, expected at most 4096"},
      {"mlp:depth=-1", "depth"},
      {"mlp:drift=1.5", "drift"},
      {"mlp:activation=sigmoid", "relu|tanh|gelu|silu"},
      {"mlp:width=0", "width"},
  };
  assert_refused_specs(cases, sizeof cases / sizeof *cases);
}

static l2o_status make_from_data(void *context) {
  l2o_family *family;
  const l2o_status made = family_from_arrays(&family, context, A, labels, 4, 3, NULL);
  if (made)
    return made;
  l2o_problem p;
  const l2o_status status = l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL);
  l2o_problem_free(&p);
  l2o_family_free(family);
  return status;
}

static l2o_status make_drawn(void *context) {
  l2o_family *family;
  l2o_status status = l2o_family_new(&family, context, NULL);
  if (status)
    return status;
  l2o_problem p;
  status = l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL);
  l2o_problem_free(&p);
  l2o_family_free(family);
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  char drawn[] = "mlp:inputs=3,width=2,samples=4,outputs=2",
       data[] = "mlp:width=2,subset=random,samples=3,scale=standard,loss=regression";
  assert_true(assert_allocations_may_fail(make_drawn, drawn, L2O_OK, ALL_ARE_NEEDED) >= 5);
  assert_true(assert_allocations_may_fail(make_from_data, data, L2O_OK, ALL_ARE_NEEDED) >= 8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(activations_and_their_slopes),
      cmocka_unit_test(the_parts_cover_x),
      cmocka_unit_test(a_pass_takes_the_weights_that_it_is_given),
      cmocka_unit_test(gradients_lie_in_the_span_of_what_is_watched),
      cmocka_unit_test(a_pass_that_fails_ends),
      cmocka_unit_test(minibatches_are_means_of_their_samples),
      cmocka_unit_test(evaluations_do_not_allocate),
      cmocka_unit_test(large_outputs_do_not_overflow_and_not_a_number_is_told),
      cmocka_unit_test(classes_are_of_a_size),
      cmocka_unit_test(inputs_have_the_covariance_that_is_said),
      cmocka_unit_test(what_belongs_to_whom),
      cmocka_unit_test(images_turn_anticlockwise),
      cmocka_unit_test(digits_are_classes),
      cmocka_unit_test(tables_are_classes_or_numbers),
      cmocka_unit_test(data_that_does_not_fit),
      cmocka_unit_test(options_that_make_no_sense),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
