/* SPDX-License-Identifier: BSD-3-Clause */
/* The long short-term memory against PyTorch (tests/golden/README.md), against a plain loop over coordinates, against central
 * differences; its gates on every instruction set that this processor has. */
#include "counting_malloc.h"
#include "l2o_fixtures.h"
#include "l2o_golden.h"

#include "nn/lstm.h"

static l2o_real *reals(size_t n) {
  return calloc(n + 1, sizeof(l2o_real));
}

static double logistic(double a) {
  return 1 / (1 + exp(-a));
}

/* ---- a stack of layers that runs T steps, chunk by chunk ---- */

enum { MOST_LAYERS = 3 };

typedef struct stack {
  size_t layers, I, H, n, T;
  l2o_lstm layer[MOST_LAYERS];
  l2o_real *parameters[MOST_LAYERS][4], *packed[MOST_LAYERS]; /* weight_ih, weight_hh, bias_ih, bias_hh */
  double *sum[MOST_LAYERS];
  /* (T, I, n), (layers, H, n), and what the loss multiplies outputs, last h and last c with: (T, H, n), (layers, H, n) */
  l2o_real *x, *h0, *c0, *w_y, *w_h, *w_c;
  l2o_real *y, *hn, *cn, *dx, *dh0, *dc0;
} stack;

static size_t inputs_of(const stack *s, size_t l) {
  return l ? s->H : s->I;
}
static size_t parameter_len(const stack *s, size_t l, int which) {
  return 4 * s->H * (which == 0 ? inputs_of(s, l) : which == 1 ? s->H : 1);
}

static void normal_block(l2o_real **out, size_t n, uint64_t seed, double spread) {
  *out = reals(n);
  normal_reals(*out, n, seed);
  for (size_t i = 0; i < n; i++)
    (*out)[i] *= (l2o_real)spread;
}

static void pack(stack *s) {
  for (size_t l = 0; l < s->layers; l++) {
    l2o_real **p = s->parameters[l];
    l2o_lstm_pack(s->packed[l], p[0], p[1], p[2], p[3], inputs_of(s, l), s->H);
  }
}

static stack make(size_t layers, size_t I, size_t H, size_t n, size_t T) {
  stack s = {.layers = layers, .I = I, .H = H, .n = n, .T = T};
  for (size_t l = 0; l < layers; l++) {
    for (int which = 0; which < 4; which++)
      normal_block(&s.parameters[l][which], parameter_len(&s, l, which), 10 * l + (size_t)which, 0.5);
    s.packed[l] = reals(l2o_lstm_packed_len(inputs_of(&s, l), H));
    s.sum[l] = calloc(l2o_lstm_sum_len(inputs_of(&s, l), H), sizeof *s.sum[l]);
    s.layer[l] = (l2o_lstm){.inputs = inputs_of(&s, l),
                            .hidden = H,
                            .weight_ih = s.parameters[l][0],
                            .weight_hh = s.parameters[l][1],
                            .packed = s.packed[l]};
  }
  normal_block(&s.x, T * I * n, 100, 1);
  normal_block(&s.h0, layers * H * n, 101, 0.5);
  normal_block(&s.c0, layers * H * n, 102, 1);
  normal_block(&s.w_y, T * H * n, 103, 1);
  normal_block(&s.w_h, layers * H * n, 104, 1);
  normal_block(&s.w_c, layers * H * n, 105, 1);
  s.y = reals(T * H * n), s.hn = reals(layers * H * n), s.cn = reals(layers * H * n);
  s.dx = reals(T * I * n), s.dh0 = reals(layers * H * n), s.dc0 = reals(layers * H * n);
  pack(&s);
  return s;
}

static void destroy(stack *s) {
  for (size_t l = 0; l < s->layers; l++) {
    for (int which = 0; which < 4; which++)
      free(s->parameters[l][which]);
    free(s->packed[l]);
    free(s->sum[l]);
  }
  l2o_real *const blocks[] = {s->x, s->h0, s->c0, s->w_y, s->w_h, s->w_c, s->y, s->hn, s->cn, s->dx, s->dh0, s->dc0};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
    free(blocks[i]);
}

/* Columns [first, first + count) of (rows, n), as (rows, count), and back. */
static void take_columns(l2o_real *out, const l2o_real *all, size_t rows, size_t n, size_t first, size_t count) {
  for (size_t r = 0; r < rows; r++)
    memcpy(out + r * count, all + r * n + first, count * sizeof *out);
}
static void put_columns(l2o_real *all, const l2o_real *part, size_t rows, size_t n, size_t first, size_t count) {
  for (size_t r = 0; r < rows; r++)
    memcpy(all + r * n + first, part + r * count, count * sizeof *part);
}

/* Forward and, if asked for, backward. Returns the loss  w_y.y + w_h.hn + w_c.cn. */
static double run(stack *s, size_t chunk, bool backward) {
  const size_t L = s->layers, I = s->I, H = s->H, T = s->T;
  l2o_real *h[MOST_LAYERS], *c[MOST_LAYERS], *tape[MOST_LAYERS], *dh[MOST_LAYERS], *dc[MOST_LAYERS];
  size_t work_len = 0;
  for (size_t l = 0; l < L; l++) {
    h[l] = reals(H * chunk), c[l] = reals(H * chunk), dh[l] = reals(H * chunk), dc[l] = reals(H * chunk);
    tape[l] = reals(T * l2o_lstm_tape_len(&s->layer[l], chunk));
    const size_t wanted = l2o_lstm_work_len(&s->layer[l], chunk);
    work_len = wanted > work_len ? wanted : work_len;
    if (backward)
      memset(s->sum[l], 0, l2o_lstm_sum_len(inputs_of(s, l), H) * sizeof *s->sum[l]);
  }
  l2o_real *work = reals(work_len), *x = reals(I * chunk), *dx = reals(I * chunk), *w = reals(H * chunk);
  for (size_t first = 0; first < s->n; first += chunk) {
    const size_t n = s->n - first < chunk ? s->n - first : chunk;
    for (size_t l = 0; l < L; l++) {
      take_columns(h[l], s->h0 + l * H * s->n, H, s->n, first, n);
      take_columns(c[l], s->c0 + l * H * s->n, H, s->n, first, n);
      take_columns(dh[l], s->w_h + l * H * s->n, H, s->n, first, n);
      take_columns(dc[l], s->w_c + l * H * s->n, H, s->n, first, n);
    }
    for (size_t t = 0; t < T; t++) {
      take_columns(x, s->x + t * I * s->n, I, s->n, first, n);
      for (size_t l = 0; l < L; l++)
        l2o_lstm_forward(&s->layer[l], h[l], c[l], tape[l] + t * l2o_lstm_tape_len(&s->layer[l], n), l ? h[l - 1] : x, NULL, n);
      put_columns(s->y + t * H * s->n, h[L - 1], H, s->n, first, n);
    }
    for (size_t l = 0; l < L; l++) {
      put_columns(s->hn + l * H * s->n, h[l], H, s->n, first, n);
      put_columns(s->cn + l * H * s->n, c[l], H, s->n, first, n);
    }
    for (size_t t = T; backward && t-- > 0;) {
      take_columns(w, s->w_y + t * H * s->n, H, s->n, first, n);
      for (size_t j = 0; j < H * n; j++)
        dh[L - 1][j] += w[j];
      memset(dx, 0, I * n * sizeof *dx);
      for (size_t l = L; l-- > 0;)
        l2o_lstm_backward(&s->layer[l], s->sum[l], l ? dh[l - 1] : dx, dh[l], dc[l],
                          tape[l] + t * l2o_lstm_tape_len(&s->layer[l], n), work, NULL, n);
      put_columns(s->dx + t * I * s->n, dx, I, s->n, first, n);
    }
    for (size_t l = 0; l < L && backward; l++) {
      put_columns(s->dh0 + l * H * s->n, dh[l], H, s->n, first, n);
      put_columns(s->dc0 + l * H * s->n, dc[l], H, s->n, first, n);
    }
  }
  for (size_t l = 0; l < L; l++) {
    free(h[l]), free(c[l]), free(dh[l]), free(dc[l]);
    free(tape[l]);
  }
  free(work), free(x), free(dx), free(w);
  double loss = 0;
  for (size_t i = 0; i < T * H * s->n; i++)
    loss += (double)s->w_y[i] * (double)s->y[i];
  for (size_t i = 0; i < L * H * s->n; i++)
    loss += (double)s->w_h[i] * (double)s->hn[i] + (double)s->w_c[i] * (double)s->cn[i];
  return loss;
}

/* dL/d(weight_ih, weight_hh, bias_ih = bias_hh) of layer l; free() it. */
static double *gradient_of(const stack *s, size_t l, int which) {
  double *d[3];
  for (int i = 0; i < 3; i++)
    d[i] = calloc(parameter_len(s, l, i), sizeof **d);
  l2o_lstm_gradient(d[0], d[1], d[2], s->sum[l], inputs_of(s, l), s->H);
  const int wanted = which < 2 ? which : 2;
  for (int i = 0; i < 3; i++)
    if (i != wanted)
      free(d[i]);
  return d[wanted];
}

/* ---- against the formulas ---- */

/* One step of coordinate j of layer 0, in double. */
static void plain_step(const stack *s, double *h, double *c, const l2o_real *x, size_t j) {
  const size_t I = s->I, H = s->H;
  double a[4 * 32];
  for (size_t r = 0; r < 4 * H; r++) {
    a[r] = (double)s->parameters[0][2][r] + (double)s->parameters[0][3][r];
    for (size_t k = 0; k < I; k++)
      a[r] += (double)s->parameters[0][0][r * I + k] * (double)x[k * s->n + j];
    for (size_t k = 0; k < H; k++)
      a[r] += (double)s->parameters[0][1][r * H + k] * h[k];
  }
  for (size_t k = 0; k < H; k++) {
    c[k] = logistic(a[H + k]) * c[k] + logistic(a[k]) * tanh(a[2 * H + k]);
    h[k] = logistic(a[3 * H + k]) * tanh(c[k]);
  }
}

static void steps_are_the_formulas(void **state) {
  (void)state;
  static const size_t numbers[] = {1, 3, 17, 64, 100};
  for (size_t i = 0; i < 5; i++) {
    const size_t n = numbers[i];
    stack s = make(1, 2, 20, n, 5);
    run(&s, n, false);
    for (size_t j = 0; j < n; j++) {
      double h[20], c[20];
      for (size_t k = 0; k < 20; k++) {
        h[k] = (double)s.h0[k * n + j];
        c[k] = (double)s.c0[k * n + j];
      }
      for (size_t t = 0; t < s.T; t++) {
        plain_step(&s, h, c, s.x + t * s.I * n, j);
        for (size_t k = 0; k < 20; k++)
          assert_close(s.y[(t * 20 + k) * n + j], h[k], 0, BY_PRECISION(1e-14, 5e-6));
      }
      for (size_t k = 0; k < 20; k++)
        assert_close(s.cn[k * n + j], c[k], 0, BY_PRECISION(1e-14, 5e-6));
    }
    destroy(&s);
  }
}

/* Coordinates are independent: chunks of any size give the same, up to the rounding of products that BLAS splits differently. */
static void chunks_do_not_matter(void **state) {
  (void)state;
  static const size_t chunks[] = {1, 3, 17, L2O_LSTM_CHUNK};
  stack whole = make(2, 3, 7, 100, 4), parts = make(2, 3, 7, 100, 4);
  const double loss = run(&whole, 100, true);
  for (size_t i = 0; i < 4; i++) {
    assert_close(run(&parts, chunks[i], true), loss, BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-11, 1e-4));
    for (size_t j = 0; j < 4 * 3 * 100; j++)
      assert_close(parts.dx[j], whole.dx[j], 0, BY_PRECISION(1e-13, 1e-5));
    for (size_t l = 0; l < 2; l++)
      for (size_t j = 0; j < l2o_lstm_sum_len(inputs_of(&whole, l), 7); j++)
        assert_close(parts.sum[l][j], whole.sum[l][j], 0, BY_PRECISION(1e-12, 1e-4));
  }
  destroy(&whole);
  destroy(&parts);
}

/* ---- against central differences ---- */

#ifndef L2O_SINGLE
/* Richardson's extrapolation, right to h^4. */
static double difference(stack *s, l2o_real *entry) {
  const double at = *entry, h = 1e-3;
  double f[4];
  static const double steps[] = {1, -1, 2, -2};
  for (int i = 0; i < 4; i++) {
    *entry = at + steps[i] * h;
    pack(s);
    f[i] = run(s, 3, false);
  }
  *entry = at;
  pack(s);
  return (4 * (f[0] - f[1]) / (2 * h) - (f[2] - f[3]) / (4 * h)) / 3;
}

static double largest_of(const double *d, size_t n) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = fmax(largest, fabs(d[i]));
  return largest;
}

static void compare_with_differences(stack *s, l2o_real *entries, const double *d, size_t n) {
  const double largest = largest_of(d, n);
  assert_true(largest > 0);
  for (size_t i = 0; i < n; i++)
    assert_close(d[i], difference(s, &entries[i]), 0, 1e-8 * largest);
}

static void gradients_are_central_differences(void **state) {
  (void)state;
  for (size_t layers = 1; layers <= MOST_LAYERS; layers++) {
    stack s = make(layers, 2, 3, 5, 4);
    run(&s, 3, true);
    for (size_t l = 0; l < layers; l++)
      for (int which = 0; which < 4; which++) {
        double *d = gradient_of(&s, l, which);
        compare_with_differences(&s, s.parameters[l][which], d, parameter_len(&s, l, which));
        free(d);
      }
    compare_with_differences(&s, s.x, s.dx, 4 * 2 * 5);
    compare_with_differences(&s, s.h0, s.dh0, layers * 3 * 5);
    compare_with_differences(&s, s.c0, s.dc0, layers * 3 * 5);
    destroy(&s);
  }
}
#endif

/* dx NULL: inputs are constants, all else is the same. */
static void inputs_may_be_constants(void **state) {
  (void)state;
  enum { I = 4, H = 6, N = 19 };
  stack s = make(1, I, H, N, 1);
  l2o_real *tape = reals(l2o_lstm_tape_len(s.layer, N)), *work = reals(l2o_lstm_work_len(s.layer, N));
  l2o_real dh[2][H * N], dc[2][H * N], dx[I * N];
  double *sum = calloc(l2o_lstm_sum_len(I, H), sizeof *sum);
  memcpy(s.hn, s.h0, sizeof dh[0]), memcpy(s.cn, s.c0, sizeof dc[0]);
  l2o_lstm_forward(s.layer, s.hn, s.cn, tape, s.x, NULL, N);
  for (int i = 0; i < 2; i++) {
    memcpy(dh[i], s.w_h, sizeof dh[i]), memcpy(dc[i], s.w_c, sizeof dc[i]);
    memset(dx, 0, sizeof dx);
    l2o_lstm_backward(s.layer, i ? s.sum[0] : sum, i ? dx : NULL, dh[i], dc[i], tape, work, NULL, N);
  }
  assert_same_reals(dh[0], dh[1], H * N);
  assert_same_reals(dc[0], dc[1], H * N);
  assert_memory_equal(sum, s.sum[0], l2o_lstm_sum_len(I, H) * sizeof *sum);
  free(tape), free(work), free(sum);
  destroy(&s);
}

/* sum and dx are added to. */
static void sums_are_added_to(void **state) {
  (void)state;
  enum { I = 2, H = 3, N = 5 };
  stack s = make(1, I, H, N, 1);
  l2o_real *tape = reals(l2o_lstm_tape_len(s.layer, N)), *work = reals(l2o_lstm_work_len(s.layer, N));
  l2o_real once[I * N], dx[I * N] = {0}, dh[H * N], dc[H * N];
  l2o_lstm_forward(s.layer, s.h0, s.c0, tape, s.x, NULL, N);
  double *first = calloc(l2o_lstm_sum_len(I, H), sizeof *first);
  for (int i = 0; i < 2; i++) {
    memcpy(dh, s.w_h, sizeof dh), memcpy(dc, s.w_c, sizeof dc);
    l2o_lstm_backward(s.layer, s.sum[0], dx, dh, dc, tape, work, NULL, N);
    if (i == 0) {
      memcpy(once, dx, sizeof dx);
      memcpy(first, s.sum[0], l2o_lstm_sum_len(I, H) * sizeof *first);
    }
  }
  for (size_t j = 0; j < I * N; j++)
    assert_close(dx[j], 2 * once[j], BY_PRECISION(1e-14, 1e-6), BY_PRECISION(1e-15, 1e-6));
  for (size_t j = 0; j < l2o_lstm_sum_len(I, H); j++)
    assert_close(s.sum[0][j], 2 * first[j], 1e-15, 0);
  free(tape), free(work), free(first);
  destroy(&s);
}

static void steps_do_not_allocate(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  static const size_t sizes[][3] = {{2, 20, 64}, {20, 20, 52}, {1, 1, 1}, {3, 5, 7}, {2, 20, 1000}, {7, 40, 17}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const size_t n = sizes[i][2];
    stack s = make(1, sizes[i][0], sizes[i][1], n, 1);
    l2o_real *tape = reals(l2o_lstm_tape_len(s.layer, n)), *work = reals(l2o_lstm_work_len(s.layer, n));
    for (int pass = 0; pass < 2; pass++) { /* the first may: BLAS gets what it keeps */
      allocations_watch(0);
      l2o_lstm_forward(s.layer, s.h0, s.c0, tape, s.x, NULL, n);
      l2o_lstm_backward(s.layer, s.sum[0], s.dx, s.w_h, s.w_c, tape, work, NULL, n);
      const allocations seen = allocations_seen();
      if (pass && seen.calls)
        fail_msg("I = %zu, H = %zu, n = %zu: %zu allocations", sizes[i][0], sizes[i][1], n, seen.calls);
    }
    free(tape), free(work);
    destroy(&s);
  }
}

/* ---- the gates ---- */

typedef void forward_kernel(l2o_real *h, l2o_real *c, l2o_real *gates, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead,
                            size_t K, size_t H, size_t n);
typedef void backward_kernel(l2o_real *da, l2o_real *dc, const l2o_real *dh, const l2o_real *gates, size_t count);

typedef struct instructions {
  const char *set;
  forward_kernel *forward;
  backward_kernel *backward;
} instructions;

static const instructions SETS[] = {
    {"portable", l2o_lstm_step_portable, l2o_lstm_gates_backward_portable},
#if L2O_VECTOR_MAX >= 1
    {"avx2", l2o_lstm_step_avx2, l2o_lstm_gates_backward_avx2},
#endif
#if L2O_VECTOR_MAX >= 2
    {"avx512", l2o_lstm_step_avx512, l2o_lstm_gates_backward_avx512},
#endif
};

static size_t sets(void) {
#if L2O_VECTOR_MAX >= 2
  if (L2O_HAS_AVX512)
    return 3;
#endif
#if L2O_VECTOR_MAX >= 1
  if (L2O_HAS_AVX2)
    return 2;
#endif
  return 1;
}

enum { CELLS = 3000 };

/* The first four of the six blocks of `gates`, pre-activations, go through: W = I, b = 0. */
static void gates_forward(const instructions *set, l2o_real *h, l2o_real *c, l2o_real *gates, size_t count) {
  static l2o_real z[4 * CELLS];
  l2o_real packed[5 * 4] = {0};
  for (size_t gate = 0; gate < 4; gate++)
    packed[5 * gate] = 1;
  memcpy(z, gates, 4 * count * sizeof *z);
  memcpy(gates + 4 * count, c, count * sizeof *c);
  set->forward(h, c, gates, packed, z, NULL, 4, 1, count);
}

typedef struct cells {
  l2o_real h[CELLS], c[CELLS], gates[6 * CELLS], da[4 * CELLS], dc[CELLS], dh[CELLS];
} cells;

/* Pre-activations N(0, 9), so that many saturate, of the cells [first, first + count) of CELLS. */
static void cells_begin(cells *z, size_t first, size_t count) {
  static l2o_real all[7 * CELLS];
  if (all[0] == 0)
    normal_reals(all, 7 * CELLS, 8);
  for (size_t b = 0; b < 4; b++)
    for (size_t j = 0; j < count; j++)
      z->gates[b * count + j] = 3 * all[b * CELLS + first + j];
  memcpy(z->c, all + 4 * CELLS + first, count * sizeof *all);
  memcpy(z->dc, all + 5 * CELLS + first, count * sizeof *all);
  memcpy(z->dh, all + 6 * CELLS + first, count * sizeof *all);
}

static void gates_are_the_formulas(void **state) {
  (void)state;
  const double eps = BY_PRECISION(2.3e-16, 1.2e-7);
  cells *z = malloc(sizeof *z), *in = malloc(sizeof *in);
  for (size_t s = 0; s < sets(); s++) {
    cells_begin(in, 0, CELLS);
    cells_begin(z, 0, CELLS);
    gates_forward(&SETS[s], z->h, z->c, z->gates, CELLS);
    SETS[s].backward(z->da, z->dc, z->dh, z->gates, CELLS);
    for (size_t j = 0; j < CELLS; j++) {
      const double i = logistic((double)in->gates[j]), f = logistic((double)in->gates[CELLS + j]);
      const double g = tanh((double)in->gates[2 * CELLS + j]), o = logistic((double)in->gates[3 * CELLS + j]);
      const double c = (double)in->c[j], after = f * c + i * g, t = tanh(after);
      const double dh = (double)in->dh[j], d = (double)in->dc[j] + dh * o * (1 - t * t);
      const double expected[] = {i, f, g, o, c, t};
      for (size_t b = 0; b < 6; b++) /* t inherits the rounding of c' */
        assert_close(z->gates[b * CELLS + j], expected[b], 4 * eps, b == 5 ? 8 * eps : 0);
      assert_close(z->c[j], after, 0, 6 * eps * (fabs(f * c) + fabs(i * g)));
      assert_close(z->h[j], o * t, 6 * eps, 8 * eps);
      const double size = fabs(d) + fabs(dh) + fabs((double)in->dc[j]);
      assert_close(z->da[j], d * g * i * (1 - i), 0, 16 * eps * size);
      assert_close(z->da[CELLS + j], d * c * f * (1 - f), 0, 16 * eps * size * (1 + fabs(c)));
      assert_close(z->da[2 * CELLS + j], d * i * (1 - g * g), 0, 16 * eps * size);
      assert_close(z->da[3 * CELLS + j], dh * t * o * (1 - o), 0, 16 * eps * size);
      assert_close(z->dc[j], d * f, 0, 16 * eps * size);
    }
  }
  free(z), free(in);
}

/* A cell's numbers depend neither on how many there are nor on its place, and nothing behind the last is touched. */
static void gates_of_tails_are_those_of_whole_vectors(void **state) {
  (void)state;
  enum { MOST = 37 };
  cells *z = malloc(sizeof *z), *one = malloc(sizeof *one);
  for (size_t s = 0; s < sets(); s++)
    for (size_t n = 1; n <= MOST; n++) {
      cells_begin(z, 0, n);
      z->h[n] = z->c[n] = z->dc[n] = z->gates[6 * n] = z->da[4 * n] = 77;
      gates_forward(&SETS[s], z->h, z->c, z->gates, n);
      SETS[s].backward(z->da, z->dc, z->dh, z->gates, n);
      assert_true(z->h[n] == 77 && z->c[n] == 77 && z->dc[n] == 77 && z->gates[6 * n] == 77 && z->da[4 * n] == 77);
      for (size_t j = 0; j < n; j++) {
        cells_begin(one, j, 1);
        gates_forward(&SETS[s], one->h, one->c, one->gates, 1);
        SETS[s].backward(one->da, one->dc, one->dh, one->gates, 1);
        assert_same_reals(&z->h[j], one->h, 1);
        assert_same_reals(&z->c[j], one->c, 1);
        assert_same_reals(&z->dc[j], one->dc, 1);
        for (size_t b = 0; b < 6; b++)
          assert_same_reals(&z->gates[b * n + j], &one->gates[b], 1);
        for (size_t b = 0; b < 4; b++)
          assert_same_reals(&z->da[b * n + j], &one->da[b], 1);
      }
    }
  free(z), free(one);
}

static void saturated_gates_stay_finite(void **state) {
  (void)state;
  static const double far[] = {1e4, -1e4, 1e30, -1e30};
  for (size_t s = 0; s < sets(); s++)
    for (int k = 0; k < 256; k++) {
      l2o_real gates[6], h, c = 2, da[4], dc = 1, dh = 1;
      for (int b = 0; b < 4; b++)
        gates[b] = (l2o_real)far[k >> (2 * b) & 3];
      gates_forward(&SETS[s], &h, &c, gates, 1);
      SETS[s].backward(da, &dc, &dh, gates, 1);
      assert_true(isfinite(h) && isfinite(c) && isfinite(dc));
      for (int b = 0; b < 4; b++)
        assert_true(da[b] == 0);
    }
}

/* No limit makes a number of what is none. */
static void what_is_not_a_number_stays_so(void **state) {
  (void)state;
  enum { MANY = 37, WHERE = 11 };
  for (size_t s = 0; s < sets(); s++)
    for (size_t which = 0; which < 5; which++) {
      l2o_real gates[6 * MANY], h[MANY], c[MANY];
      normal_reals(gates, 4 * MANY, 9);
      normal_reals(c, MANY, 10);
      *(which < 4 ? &gates[which * MANY + WHERE] : &c[WHERE]) = (l2o_real)NAN;
      gates_forward(&SETS[s], h, c, gates, MANY);
      for (size_t j = 0; j < MANY; j++)
        assert_true(j == WHERE ? isnan(h[j]) : isfinite(h[j]));
    }
}

/* ---- against PyTorch ---- */

/* (blocks, n, rows) of the file into (blocks, rows, n) */
static void read_transposed(l2o_real *out, const l2o_tensor_file *file, const char *name, size_t blocks, size_t n, size_t rows) {
  double *v = golden_exactly(file, name, blocks * n * rows);
  for (size_t b = 0; b < blocks; b++)
    for (size_t j = 0; j < n; j++)
      for (size_t r = 0; r < rows; r++)
        out[(b * rows + r) * n + j] = (l2o_real)v[(b * n + j) * rows + r];
  free(v);
}

static void compare_transposed(const l2o_real *ours, const l2o_tensor_file *file, const char *name, size_t blocks, size_t n,
                               size_t rows) {
  double *v = golden_exactly(file, name, blocks * n * rows);
  for (size_t b = 0; b < blocks; b++)
    for (size_t j = 0; j < n; j++)
      for (size_t r = 0; r < rows; r++)
        assert_close(ours[(b * rows + r) * n + j], v[(b * n + j) * rows + r], BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-13, 5e-6));
  free(v);
}

static void numbers_are_those_of_pytorch(void **state) {
  (void)state;
  enum { L = 2, I = 3, H = 5, N = 7, T = 6 };
  static const char *const PARTS[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
  stack s = make(L, I, H, N, T);
  l2o_tensor_file *file;
  l2o_diag diag = {""};
  char name[64];
  assert_status(l2o_tensor_file_open(&file, L2O_TEST_DATA "/golden/lstm_2x5.safetensors", &diag), L2O_OK, &diag);
  for (size_t l = 0; l < L; l++)
    for (int which = 0; which < 4; which++) {
      snprintf(name, sizeof name, "param__%s_l%zu", PARTS[which], l);
      double *v = golden_exactly(file, name, parameter_len(&s, l, which));
      for (size_t i = 0; i < parameter_len(&s, l, which); i++)
        s.parameters[l][which][i] = (l2o_real)v[i];
      free(v);
    }
  pack(&s);
  read_transposed(s.x, file, "x", T, N, I);
  read_transposed(s.h0, file, "h0", L, N, H);
  read_transposed(s.c0, file, "c0", L, N, H);
  read_transposed(s.w_y, file, "w_y", T, N, H);
  read_transposed(s.w_h, file, "w_h", L, N, H);
  read_transposed(s.w_c, file, "w_c", L, N, H);

  double *loss = golden_exactly(file, "loss", 1);
  assert_close(run(&s, 4, true), *loss, BY_PRECISION(1e-13, 1e-5), 0);
  compare_transposed(s.y, file, "y", T, N, H);
  compare_transposed(s.hn, file, "hn", L, N, H);
  compare_transposed(s.cn, file, "cn", L, N, H);
  compare_transposed(s.dx, file, "grad__x", T, N, I);
  compare_transposed(s.dh0, file, "grad__h0", L, N, H);
  compare_transposed(s.dc0, file, "grad__c0", L, N, H);
  for (size_t l = 0; l < L; l++)
    for (int which = 0; which < 4; which++) {
      snprintf(name, sizeof name, "grad__%s_l%zu", PARTS[which], l);
      double *expected = golden_exactly(file, name, parameter_len(&s, l, which)), *d = gradient_of(&s, l, which);
      for (size_t i = 0; i < parameter_len(&s, l, which); i++)
        assert_close(d[i], expected[i], BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-13, 2e-5));
      free(expected);
      free(d);
    }
  free(loss);
  l2o_tensor_file_free(file);
  destroy(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_are_the_formulas),
      cmocka_unit_test(chunks_do_not_matter),
#ifndef L2O_SINGLE
      cmocka_unit_test(gradients_are_central_differences),
#endif
      cmocka_unit_test(inputs_may_be_constants),
      cmocka_unit_test(sums_are_added_to),
      cmocka_unit_test(steps_do_not_allocate),
      cmocka_unit_test(gates_are_the_formulas),
      cmocka_unit_test(gates_of_tails_are_those_of_whole_vectors),
      cmocka_unit_test(saturated_gates_stay_finite),
      cmocka_unit_test(what_is_not_a_number_stays_so),
      cmocka_unit_test(numbers_are_those_of_pytorch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
