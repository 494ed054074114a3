/* SPDX-License-Identifier: BSD-3-Clause */
/* The recurrent network against PyTorch (tests/golden/README.md), against central differences, and coordinates together as alone;
 * the model bfgs-lstm and its files. */
#include "counting_malloc.h"
#include "l2o_fixtures.h"
#include "l2o_golden.h"

#include "nn/bfgs_lstm.h"
#include <l2o/tensor_file.h>

static l2o_real *reals(size_t n) {
  return calloc(n + 1, sizeof(l2o_real));
}

static l2o_real *normal_block(size_t n, uint64_t seed, double spread) {
  l2o_real *out = reals(n);
  normal_reals(out, n, seed);
  for (size_t i = 0; i < n; i++)
    out[i] *= (l2o_real)spread;
  return out;
}

/* ---- a network of any shape with two heads, without a kind of model around it ---- */

static const char *const HEADS[] = {"head.weight", "head.bias", "other.weight", "other.bias"};

typedef struct subject {
  l2o_model model;
  l2o_recurrent net;
  l2o_arena arena;
} subject;

static l2o_recurrent_shape shape_of(size_t inputs, size_t layers, size_t hidden) {
  return (l2o_recurrent_shape){.inputs = inputs, .layers = layers, .hidden = hidden, .outputs = 2};
}

static l2o_recurrent_shape direct_of(l2o_recurrent_shape shape) {
  shape.direct = true;
  return shape;
}

static subject *subject_of(l2o_recurrent_shape shape) {
  subject *s = calloc(1, sizeof *s);
  l2o_model *m = &s->model;
  m->tensor_count = l2o_recurrent_describe(m->tensors, &shape, HEADS);
  assert_true(m->tensor_count <= L2O_MODEL_TENSORS_MAX);
  for (size_t i = 0; i < m->tensor_count; i++) {
    l2o_model_tensor *t = &m->tensors[i];
    t->count = t->rank == 2 ? t->shape[0] * t->shape[1] : t->shape[0];
    t->offset = m->parameter_count;
    m->parameter_count += t->count;
  }
  m->parameters = normal_block(m->parameter_count, 1, 0.4);
  l2o_recurrent_layout(&s->net, &s->arena, &shape);
  assert_true(l2o_arena_new(&s->arena));
  l2o_recurrent_layout(&s->net, &s->arena, &shape);
  l2o_recurrent_build(&s->net, m, 0);
  return s;
}

static void free_subject(subject *s) {
  free(s->model.parameters);
  free(s->arena.base);
  free(s);
}

/* ---- T steps of n coordinates ---- */

typedef struct pass {
  size_t n, T;
  l2o_recurrent_shape shape;
  l2o_real *u, *y, *state, *end; /* (T, I, n), (T, O, n), state before and behind */
  l2o_real *w_y, *w_state;       /* the loss is w_y.y + w_state.end */
  l2o_real *du, *dstate, *tape, *scratch;
  double *sum, *gradient;
} pass;

static pass pass_of(const subject *s, size_t n, size_t T) {
  const l2o_recurrent_shape *shape = &s->net.shape;
  const size_t states = l2o_recurrent_state_len(shape, n);
  pass p = {.n = n, .T = T, .shape = *shape};
  p.u = normal_block(T * shape->inputs * n, 10, 1);
  p.w_y = normal_block(T * shape->outputs * n, 11, 1);
  p.state = normal_block(states, 12, 0.5);
  p.w_state = normal_block(states, 13, 1);
  p.y = reals(T * shape->outputs * n), p.end = reals(states), p.dstate = reals(states);
  p.du = reals(T * shape->inputs * n);
  p.tape = reals(T * l2o_recurrent_tape_len(shape, n)), p.scratch = reals(l2o_recurrent_scratch_len(shape, n));
  p.sum = calloc(l2o_recurrent_sum_len(shape), sizeof *p.sum);
  p.gradient = calloc(s->model.parameter_count, sizeof *p.gradient);
  return p;
}

static void free_pass(pass *p) {
  l2o_real *const blocks[] = {p->u, p->y, p->state, p->end, p->w_y, p->w_state, p->du, p->dstate, p->tape, p->scratch};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
    free(blocks[i]);
  free(p->sum);
  free(p->gradient);
}

static double forward(const subject *s, pass *p, bool taped) {
  const l2o_recurrent_shape *shape = &p->shape;
  const size_t states = l2o_recurrent_state_len(shape, p->n), outputs = shape->outputs * p->n;
  double loss = 0;
  memcpy(p->end, p->state, states * sizeof *p->end);
  for (size_t t = 0; t < p->T; t++)
    l2o_recurrent_forward(&s->net, p->y + t * outputs, p->end, taped ? p->tape + t * l2o_recurrent_tape_len(shape, p->n) : NULL,
                          p->scratch, p->u + t * shape->inputs * p->n, p->n);
  for (size_t i = 0; i < p->T * outputs; i++)
    loss += (double)p->w_y[i] * (double)p->y[i];
  for (size_t i = 0; i < states; i++)
    loss += (double)p->w_state[i] * (double)p->end[i];
  return loss;
}

/* After forward(): sum, gradient, du and, of the state at the start, dstate. */
static void backward(const subject *s, pass *p, bool constant_inputs) {
  const l2o_recurrent_shape *shape = &p->shape;
  const size_t inputs = shape->inputs * p->n;
  memcpy(p->dstate, p->w_state, l2o_recurrent_state_len(shape, p->n) * sizeof *p->dstate);
  memset(p->sum, 0, l2o_recurrent_sum_len(shape) * sizeof *p->sum);
  memset(p->du, 0, p->T * inputs * sizeof *p->du);
  for (size_t t = p->T; t-- > 0;)
    l2o_recurrent_backward(&s->net, p->sum, constant_inputs ? NULL : p->du + t * inputs, p->dstate,
                           p->w_y + t * shape->outputs * p->n, p->tape + t * l2o_recurrent_tape_len(shape, p->n), p->scratch, p->n);
  l2o_recurrent_gradient(p->gradient, p->sum, shape);
}

/* ---- where entries of a state lie: chunks of coordinates, in each h and c of the layers one behind another ---- */

static size_t state_at(const l2o_recurrent_shape *s, size_t n, size_t layer, bool cell, size_t unit, size_t j) {
  const size_t first = j / L2O_LSTM_CHUNK * L2O_LSTM_CHUNK, m = n - first < L2O_LSTM_CHUNK ? n - first : L2O_LSTM_CHUNK;
  return 2 * s->layers * s->hidden * first + ((2 * layer + cell) * s->hidden + unit) * m + (j - first);
}

/* ---- against PyTorch ---- */

/* (T, n, rows) of the file into (T, rows, n), or compares */
static void transposed(l2o_real *ours, const l2o_tensor_file *file, const char *name, size_t T, size_t n, size_t rows,
                       bool compare) {
  double *v = golden_exactly(file, name, T * n * rows);
  for (size_t t = 0; t < T; t++)
    for (size_t j = 0; j < n; j++)
      for (size_t r = 0; r < rows; r++) {
        l2o_real *entry = &ours[(t * rows + r) * n + j];
        const double value = v[(t * n + j) * rows + r];
        if (compare)
          assert_close(*entry, value, BY_PRECISION(1e-11, 1e-5), BY_PRECISION(1e-12, 1e-5));
        else
          *entry = (l2o_real)value;
      }
  free(v);
}

/* h or c of all layers, (layers, n, hidden) in the file */
static void states(l2o_real *ours, const l2o_recurrent_shape *s, const l2o_tensor_file *file, const char *name, bool cell, size_t n,
                   bool compare) {
  double *v = golden_exactly(file, name, s->layers * n * s->hidden);
  for (size_t l = 0; l < s->layers; l++)
    for (size_t j = 0; j < n; j++)
      for (size_t k = 0; k < s->hidden; k++) {
        l2o_real *entry = &ours[state_at(s, n, l, cell, k, j)];
        const double value = v[(l * n + j) * s->hidden + k];
        if (compare)
          assert_close(*entry, value, BY_PRECISION(1e-11, 1e-5), BY_PRECISION(1e-12, 1e-5));
        else
          *entry = (l2o_real)value;
      }
  free(v);
}

static const char GOLDEN[] = L2O_TEST_DATA "/golden/recurrent_2x20.safetensors";

static void numbers_are_those_of_pytorch(void **state) {
  (void)state;
  enum { I = 7, H = 20, L = 2, N = 9, T = 5 };
  subject *s = subject_of(shape_of(I, L, H));
  pass p = pass_of(s, N, T);
  l2o_tensor_file *file;
  l2o_diag diag = {""};
  char name[80];
  assert_status(l2o_tensor_file_open(&file, GOLDEN, &diag), L2O_OK, &diag);
  for (size_t i = 0; i < s->model.tensor_count; i++) {
    const l2o_model_tensor *t = &s->model.tensors[i];
    snprintf(name, sizeof name, "param__%s", t->name);
    double *v = golden_exactly(file, name, t->count);
    for (size_t j = 0; j < t->count; j++)
      s->model.parameters[t->offset + j] = (l2o_real)v[j];
    free(v);
  }
  l2o_recurrent_build(&s->net, &s->model, 0);
  transposed(p.u, file, "u", T, N, I, false);
  transposed(p.w_y, file, "w_y", T, N, 2, false);
  states(p.state, &p.shape, file, "h0", false, N, false);
  states(p.state, &p.shape, file, "c0", true, N, false);
  states(p.w_state, &p.shape, file, "w_h", false, N, false);
  states(p.w_state, &p.shape, file, "w_c", true, N, false);

  double *loss = golden_exactly(file, "loss", 1);
  assert_close(forward(s, &p, true), *loss, BY_PRECISION(1e-12, 1e-5), 0);
  backward(s, &p, false);
  transposed(p.y, file, "y", T, N, 2, true);
  states(p.end, &p.shape, file, "hn", false, N, true);
  states(p.end, &p.shape, file, "cn", true, N, true);
  transposed(p.du, file, "grad__u", T, N, I, true);
  states(p.dstate, &p.shape, file, "grad__h0", false, N, true);
  states(p.dstate, &p.shape, file, "grad__c0", true, N, true);
  for (size_t i = 0; i < s->model.tensor_count; i++) {
    const l2o_model_tensor *t = &s->model.tensors[i];
    snprintf(name, sizeof name, "grad__%s", t->name);
    double *expected = golden_exactly(file, name, t->count);
    for (size_t j = 0; j < t->count; j++)
      assert_close(p.gradient[t->offset + j], expected[j], BY_PRECISION(1e-11, 1e-5), BY_PRECISION(1e-12, 2e-5));
    free(expected);
  }
  free(loss);
  l2o_tensor_file_free(file);
  free_pass(&p);
  free_subject(s);
}

/* ---- against central differences ---- */

#ifndef L2O_SINGLE
/* Richardson's extrapolation, right to h^4. */
static double difference(subject *s, pass *p, l2o_real *entry) {
  const double at = *entry, h = 1e-3;
  double f[4];
  static const double steps[] = {1, -1, 2, -2};
  for (int i = 0; i < 4; i++) {
    *entry = at + steps[i] * h;
    l2o_recurrent_build(&s->net, &s->model, 0);
    f[i] = forward(s, p, false);
  }
  *entry = at;
  l2o_recurrent_build(&s->net, &s->model, 0);
  return (4 * (f[0] - f[1]) / (2 * h) - (f[2] - f[3]) / (4 * h)) / 3;
}

/* No kink within reach of the differences: biases of the layer behind the stack that keep it away from them, on both sides. */
static void away_from_kinks(subject *s) {
  const size_t H = s->net.shape.hidden;
  if (s->net.shape.direct)
    return;
  l2o_real *bias = l2o_model_values(&s->model, 4 * s->net.shape.layers + 1);
  for (size_t k = 0; k < H; k++)
    bias[k] = k % 3 == 1 ? -4 : 4;
  l2o_recurrent_build(&s->net, &s->model, 0);
}

static void compare_with_differences(subject *s, pass *p, l2o_real *entries, const double *d, size_t n) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = fmax(largest, fabs(d[i]));
  assert_true(largest > 0);
  for (size_t i = 0; i < n; i++)
    assert_close(d[i], difference(s, p, &entries[i]), 0, 1e-8 * largest);
}

static void gradients_are_central_differences(void **state) {
  (void)state;
  for (size_t i = 0; i < 6; i++) {
    const l2o_recurrent_shape shape = shape_of(2, 1 + i / 2, 4);
    subject *s = subject_of(i % 2 ? direct_of(shape) : shape);
    pass p = pass_of(s, 5, 4);
    away_from_kinks(s);
    forward(s, &p, true);
    backward(s, &p, false);
    compare_with_differences(s, &p, s->model.parameters, p.gradient, s->model.parameter_count);
    compare_with_differences(s, &p, p.u, p.du, p.T * p.shape.inputs * p.n);
    compare_with_differences(s, &p, p.state, p.dstate, l2o_recurrent_state_len(&p.shape, p.n));
    free_pass(&p);
    free_subject(s);
  }
}
#endif

/* Two segments, the second from where the first ended, nothing flowing from it into the first: the sums add up to those of the
 * segments by themselves, and the second is a run from a constant state. */
static void truncation_adds_segments(void **state) {
  (void)state;
  subject *s = subject_of(shape_of(3, 2, 6));
  pass first = pass_of(s, 11, 3), second = pass_of(s, 11, 2);
  memset(first.w_state, 0, l2o_recurrent_state_len(&first.shape, 11) * sizeof *first.w_state);
  forward(s, &first, true);
  memcpy(second.state, first.end, l2o_recurrent_state_len(&first.shape, 11) * sizeof *second.state);
  forward(s, &second, true);
  backward(s, &first, false);
  backward(s, &second, false);
  const size_t len = l2o_recurrent_sum_len(&first.shape);
  double *both = malloc(len * sizeof *both);
  memcpy(both, second.sum, len * sizeof *both);
  memset(first.dstate, 0, l2o_recurrent_state_len(&first.shape, 11) * sizeof *first.dstate);
  for (size_t t = 3; t-- > 0;)
    l2o_recurrent_backward(&s->net, both, NULL, first.dstate, first.w_y + t * 22,
                           first.tape + t * l2o_recurrent_tape_len(&first.shape, 11), first.scratch, 11);
  for (size_t i = 0; i < len; i++)
    assert_close(both[i], first.sum[i] + second.sum[i], 1e-13, 1e-13);
  free(both);
  free_pass(&first), free_pass(&second);
  free_subject(s);
}

/* Without the layer between: what the network does whose layer is the identity, where h is positive (c_0 is, and so is what every
 * step adds to c). */
static void a_direct_network_is_one_with_an_idle_layer(void **state) {
  (void)state;
  enum { L = 2, H = 5, N = 70, T = 3 };
  subject *direct = subject_of(direct_of(shape_of(3, L, H))), *idle = subject_of(shape_of(3, L, H));
  const size_t stack = 4 * L, layer = H * (H + 1), before = idle->model.tensors[stack].offset;
  assert_int_equal(direct->model.tensor_count + 2, idle->model.tensor_count);
  assert_string_equal(direct->model.tensors[stack].name, "head.weight");
  assert_int_equal(direct->model.parameter_count + layer, idle->model.parameter_count);
  for (size_t l = 0; l < L; l++)
    for (size_t k = 2 * H; k < 3 * H; k++)
      l2o_model_values(&direct->model, 4 * l + 2)[k] = 9; /* g near 1 */
  memcpy(idle->model.parameters, direct->model.parameters, before * sizeof(l2o_real));
  for (size_t k = 0; k < H * H; k++)
    l2o_model_values(&idle->model, stack)[k] = k % (H + 1) == 0;
  memset(l2o_model_values(&idle->model, stack + 1), 0, H * sizeof(l2o_real));
  memcpy(idle->model.parameters + before + layer, direct->model.parameters + before, 2 * (H + 1) * sizeof(l2o_real));
  l2o_recurrent_build(&direct->net, &direct->model, 0), l2o_recurrent_build(&idle->net, &idle->model, 0);
  pass a = pass_of(direct, N, T), b = pass_of(idle, N, T);
  const size_t states = l2o_recurrent_state_len(&a.shape, N);
  assert_int_equal(states, l2o_recurrent_state_len(&b.shape, N));
  for (size_t i = 0; i < states; i++)
    a.state[i] = b.state[i] = (l2o_real)fabs((double)a.state[i]);
  assert_close(forward(direct, &a, true), forward(idle, &b, true), BY_PRECISION(1e-13, 1e-5), 0);
  backward(direct, &a, false), backward(idle, &b, false);
  for (size_t i = 0; i < T * 2 * N; i++)
    assert_close(a.y[i], b.y[i], 0, BY_PRECISION(1e-14, 1e-5));
  assert_same_reals(a.end, b.end, states);
  for (size_t i = 0; i < states; i++)
    assert_close(a.dstate[i], b.dstate[i], 0, BY_PRECISION(1e-13, 1e-4));
  for (size_t i = 0; i < T * 3 * N; i++)
    assert_close(a.du[i], b.du[i], 0, BY_PRECISION(1e-13, 1e-4));
  for (size_t i = 0; i < direct->model.parameter_count; i++)
    assert_close(a.gradient[i], b.gradient[i < before ? i : i + layer], 1e-12, BY_PRECISION(1e-11, 1e-2));
  free_pass(&a), free_pass(&b);
  free_subject(direct), free_subject(idle);
}

/* ---- coordinates ---- */

static const size_t NUMBERS[] = {1, 2, 7, 63, 64, 65, 130};
enum { OF_NUMBERS = sizeof NUMBERS / sizeof *NUMBERS };

/* Coordinate j of `from` as coordinate k of `to`: inputs, state and weights of the loss. */
static void copy_coordinate(pass *to, size_t k, const pass *from, size_t j) {
  const l2o_recurrent_shape *s = &from->shape;
  for (size_t r = 0; r < from->T * s->inputs; r++)
    to->u[r * to->n + k] = from->u[r * from->n + j];
  for (size_t r = 0; r < from->T * s->outputs; r++)
    to->w_y[r * to->n + k] = from->w_y[r * from->n + j];
  for (size_t l = 0; l < s->layers; l++)
    for (size_t i = 0; i < 2 * s->hidden; i++) {
      const size_t at = state_at(s, to->n, l, i % 2, i / 2, k), old = state_at(s, from->n, l, i % 2, i / 2, j);
      to->state[at] = from->state[old];
      to->w_state[at] = from->w_state[old];
    }
}

/* Bit for bit: what came out for coordinate j of `a` and k of `b`. */
static void assert_same_coordinate(const pass *a, size_t j, const pass *b, size_t k) {
  const l2o_recurrent_shape *s = &a->shape;
  for (size_t r = 0; r < a->T * s->outputs; r++)
    assert_same_reals(&a->y[r * a->n + j], &b->y[r * b->n + k], 1);
  for (size_t r = 0; r < a->T * s->inputs; r++)
    assert_same_reals(&a->du[r * a->n + j], &b->du[r * b->n + k], 1);
  for (size_t l = 0; l < s->layers; l++)
    for (size_t i = 0; i < 2 * s->hidden; i++) {
      const size_t at = state_at(s, a->n, l, i % 2, i / 2, j), other = state_at(s, b->n, l, i % 2, i / 2, k);
      assert_same_reals(&a->end[at], &b->end[other], 1);
      assert_same_reals(&a->dstate[at], &b->dstate[other], 1);
    }
}

/* A coordinate's outputs, states and derivatives are those that it has alone; gradients are the sums over coordinates. */
static void compare_together_and_alone(l2o_recurrent_shape shape) {
  subject *s = subject_of(shape);
  for (size_t i = 0; i < OF_NUMBERS; i++) {
    const size_t n = NUMBERS[i];
    pass all = pass_of(s, n, 3), one = pass_of(s, 1, 3);
    double *gradient = calloc(s->model.parameter_count, sizeof *gradient), largest = 0;
    forward(s, &all, true);
    backward(s, &all, false);
    for (size_t j = 0; j < n; j++) {
      copy_coordinate(&one, 0, &all, j);
      forward(s, &one, true);
      backward(s, &one, false);
      assert_same_coordinate(&all, j, &one, 0);
      for (size_t k = 0; k < s->model.parameter_count; k++)
        gradient[k] += one.gradient[k];
    }
    for (size_t k = 0; k < s->model.parameter_count; k++)
      largest = fmax(largest, fabs(gradient[k]));
    assert_true(largest > 0);
    for (size_t k = 0; k < s->model.parameter_count; k++)
      assert_close(all.gradient[k], gradient[k], 0, BY_PRECISION(1e-14, 4e-6) * largest);
    free(gradient);
    free_pass(&all), free_pass(&one);
  }
  free_subject(s);
}

static void coordinates_are_together_as_alone(void **state) {
  (void)state;
  compare_together_and_alone(shape_of(7, 2, 20));
  compare_together_and_alone(direct_of(shape_of(2, 2, 20)));
}

static void permuted_coordinates_give_permuted_outputs(void **state) {
  (void)state;
  enum { N = 130 };
  subject *s = subject_of(shape_of(3, 3, 5));
  pass a = pass_of(s, N, 3), b = pass_of(s, N, 3);
  for (size_t j = 0; j < N; j++)
    copy_coordinate(&b, (37 * j + 5) % N, &a, j);
  forward(s, &a, true), forward(s, &b, true);
  backward(s, &a, false), backward(s, &b, false);
  for (size_t j = 0; j < N; j++)
    assert_same_coordinate(&a, j, &b, (37 * j + 5) % N);
  free_pass(&a), free_pass(&b);
  free_subject(s);
}

static void a_tape_changes_nothing(void **state) {
  (void)state;
  for (size_t i = 0; i < OF_NUMBERS; i++) {
    const l2o_recurrent_shape shape = shape_of(1 + i, 1 + i % 3, 1 + 3 * i);
    subject *s = subject_of(i % 2 ? direct_of(shape) : shape);
    pass a = pass_of(s, NUMBERS[i], 4), b = pass_of(s, NUMBERS[i], 4);
    forward(s, &a, true), forward(s, &b, false);
    assert_same_reals(a.y, b.y, 4 * 2 * NUMBERS[i]);
    assert_same_reals(a.end, b.end, l2o_recurrent_state_len(&a.shape, NUMBERS[i]));
    free_pass(&a), free_pass(&b);
    free_subject(s);
  }
}

/* du NULL: all else is the same; and du and sum are added to. */
static void inputs_may_be_constants(void **state) {
  (void)state;
  subject *s = subject_of(shape_of(7, 2, 9));
  pass a = pass_of(s, 70, 1), b = pass_of(s, 70, 1);
  forward(s, &a, true), forward(s, &b, true);
  backward(s, &a, true), backward(s, &b, false);
  assert_same_reals(a.dstate, b.dstate, l2o_recurrent_state_len(&a.shape, 70));
  assert_memory_equal(a.sum, b.sum, l2o_recurrent_sum_len(&a.shape) * sizeof *a.sum);
  memcpy(a.du, b.du, 7 * 70 * sizeof *a.du);
  memcpy(b.dstate, b.w_state, l2o_recurrent_state_len(&a.shape, 70) * sizeof *b.dstate);
  l2o_recurrent_backward(&s->net, b.sum, b.du, b.dstate, b.w_y, b.tape, b.scratch, 70);
  for (size_t i = 0; i < 7 * 70; i++)
    assert_close(b.du[i], 2 * (double)a.du[i], BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-13, 1e-5));
  for (size_t i = 0; i < l2o_recurrent_sum_len(&a.shape); i++)
    assert_close(b.sum[i], 2 * a.sum[i], 1e-14, 0);
  free_pass(&a), free_pass(&b);
  free_subject(s);
}

static void steps_do_not_allocate(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  for (size_t i = 0; i < OF_NUMBERS; i++) {
    subject *s = subject_of(shape_of(7, 2, 20));
    pass p = pass_of(s, NUMBERS[i], 1);
    for (int round = 0; round < 2; round++) { /* the first may: BLAS gets what it keeps */
      allocations_watch(0);
      l2o_recurrent_forward(&s->net, p.y, p.state, p.tape, p.scratch, p.u, p.n);
      l2o_recurrent_backward(&s->net, p.sum, p.du, p.dstate, p.w_y, p.tape, p.scratch, p.n);
      const allocations seen = allocations_seen();
      if (round && seen.calls)
        fail_msg("n = %zu: %zu allocations", p.n, seen.calls);
    }
    free_pass(&p);
    free_subject(s);
  }
}

/* What is not a number in one coordinate's inputs is so in its outputs, and in no other's. */
static void not_a_number_stays_where_it_is(void **state) {
  (void)state;
  subject *s = subject_of(shape_of(2, 2, 8));
  pass p = pass_of(s, 70, 1);
  p.u[65] = (l2o_real)NAN;
  forward(s, &p, false);
  for (size_t j = 0; j < 70; j++)
    assert_true(isnan((double)p.y[j]) == (j == 65) && isnan((double)p.y[70 + j]) == (j == 65));
  free_pass(&p);
  free_subject(s);
}

/* ---- the affine layers, on every instruction set ---- */

typedef void affine_kernel(l2o_real *y, const l2o_real *packed, const l2o_real *z, l2o_ahead *ahead, bool rectify, size_t rows,
                           size_t K, size_t n);

/* Against sums in double; a column's numbers do not depend on how many there are, and nothing behind the last is touched. */
static void compare_affine(affine_kernel *kernel) {
  enum { ROWS = 5, K = 3, MOST = 70 };
  l2o_real *z = normal_block(K * MOST, 20, 1), *w = normal_block(8 * (K + 1), 21, 1);
  l2o_real some[K * MOST], y[ROWS * MOST + 1];
  for (size_t n = 1; n <= MOST; n++)
    for (int rectify = 0; rectify < 2; rectify++) {
      for (size_t k = 0; k < K; k++)
        memcpy(some + k * n, z + k * MOST, n * sizeof *z);
      y[ROWS * n] = 77;
      kernel(y, w, some, NULL, rectify, ROWS, K, n);
      assert_true(y[ROWS * n] == 77);
      for (size_t r = 0; r < ROWS; r++)
        for (size_t j = 0; j < n; j++) {
          const l2o_real *row = w + r / 4 * 4 * (K + 1) + r % 4;
          double sum = (double)row[4 * K];
          for (size_t k = 0; k < K; k++)
            sum += (double)row[4 * k] * (double)z[k * MOST + j];
          assert_close(y[r * n + j], rectify && sum < 0 ? 0 : sum, 0, BY_PRECISION(1e-14, 4e-6));
        }
    }
  free(z), free(w);
}

static void affine_layers_are_the_formula(void **state) {
  (void)state;
  compare_affine(l2o_affine_portable);
#if L2O_VECTOR_MAX >= 1
  if (L2O_HAS_AVX2)
    compare_affine(l2o_affine_avx2);
#endif
#if L2O_VECTOR_MAX >= 2
  if (L2O_HAS_AVX512)
    compare_affine(l2o_affine_avx512);
#endif
}

/* ---- the products of the way back, on every instruction set ---- */

typedef void transposed_kernel(l2o_real *y, const l2o_real *W, size_t stride, const l2o_real *x, l2o_ahead *ahead, bool add,
                               size_t rows, size_t K, size_t n);
typedef void outer_kernel(double *sum, l2o_real *work, const l2o_real *y, const l2o_real *x, size_t rows, size_t columns, size_t n);

/* Against sums in double, for one to six rows; nothing but the rows is read of W and written of y, and a column's numbers do not
 * depend on how many there are. What is wanted ahead changes nothing and is taken to its end. */
static void compare_transposed(transposed_kernel *kernel) {
  enum { ROWS = 6, K = 5, STRIDE = 7, MOST = 70 };
  l2o_real *x = normal_block(K * MOST, 22, 1), *all = normal_block(K * STRIDE, 23, 1), *before = normal_block(ROWS * MOST, 24, 1);
  l2o_real some[K * MOST], y[ROWS * MOST + 1];
  for (size_t rows = 1; rows <= ROWS; rows++) {
    const size_t used = (K - 1) * STRIDE + rows;
    l2o_real *W = malloc(used * sizeof *W);
    memcpy(W, all, used * sizeof *W);
    for (size_t n = 1; n <= MOST; n++)
      for (int add = 0; add < 2; add++) {
        l2o_ahead ahead = {before, before + 17};
        for (size_t k = 0; k < K; k++)
          memcpy(some + k * n, x + k * MOST, n * sizeof *x);
        for (size_t r = 0; r < rows; r++)
          memcpy(y + r * n, before + r * MOST, n * sizeof *y);
        y[rows * n] = 77;
        kernel(y, W, STRIDE, some, &ahead, add, rows, K, n);
        assert_true(y[rows * n] == 77);
        assert_true(ahead.at >= ahead.end);
        for (size_t r = 0; r < rows; r++)
          for (size_t j = 0; j < n; j++) {
            double sum = add ? (double)before[r * MOST + j] : 0;
            for (size_t k = 0; k < K; k++)
              sum += (double)W[k * STRIDE + r] * (double)x[k * MOST + j];
            assert_close(y[r * n + j], sum, 0, BY_PRECISION(1e-14, 4e-6));
          }
      }
    free(W);
  }
  free(x), free(all), free(before);
}

/* Against sums in double, for numbers of rows and columns around those of a tile; it adds, and to nothing else. */
static void compare_outer(outer_kernel *kernel) {
  enum { ROWS = 9, COLUMNS = 90, MOST = 37, SUMS = ROWS * COLUMNS };
  static const size_t columns[] = {1, 3, 8, 15, 16, 17, 40, 63, 64, 80, 81, 90}, rows[] = {1, 3, 4, 9}, numbers[] = {1, 7, 16, 37};
  l2o_real *x = normal_block(COLUMNS * MOST, 25, 1), *y = normal_block(ROWS * MOST, 26, 1);
  double sum[SUMS + 1];
  for (size_t a = 0; a < sizeof columns / sizeof *columns; a++)
    for (size_t b = 0; b < 4; b++)
      for (size_t c = 0; c < 4; c++) {
        const size_t C = columns[a], R = rows[b], n = numbers[c];
        l2o_real *work = malloc(l2o_outer_work_len(C, n) * sizeof *work);
        for (size_t i = 0; i <= SUMS; i++)
          sum[i] = (double)i;
        kernel(sum, work, y, x, R, C, n);
        free(work);
        for (size_t i = 0; i <= SUMS; i++) {
          double product = 0;
          for (size_t j = 0; i < R * C && j < n; j++)
            product += (double)y[i / C * n + j] * (double)x[i % C * n + j];
          assert_close(sum[i], (double)i + product, 0, i < R * C ? BY_PRECISION(1e-12, 2e-5) : 0);
        }
      }
  free(x), free(y);
}

static void products_are_the_formula(void **state) {
  (void)state;
  compare_transposed(l2o_transposed_product_portable);
  compare_outer(l2o_add_outer_portable);
#if L2O_VECTOR_MAX >= 1
  if (L2O_HAS_AVX2) {
    compare_transposed(l2o_transposed_product_avx2);
    compare_outer(l2o_add_outer_avx2);
  }
#endif
#if L2O_VECTOR_MAX >= 2
  if (L2O_HAS_AVX512) {
    compare_transposed(l2o_transposed_product_avx512);
    compare_outer(l2o_add_outer_avx512);
  }
#endif
}

/* ---- the model of L2O-BFGS ---- */

static void tensors_are_those_of_a_state_dict(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t rank, shape[2];
  } expected[] = {{"lstm.weight_ih_l0", 2, {80, 7}}, {"lstm.weight_hh_l0", 2, {80, 20}}, {"lstm.bias_ih_l0", 1, {80}},
                  {"lstm.bias_hh_l0", 1, {80}},      {"lstm.weight_ih_l1", 2, {80, 20}}, {"lstm.weight_hh_l1", 2, {80, 20}},
                  {"lstm.bias_ih_l1", 1, {80}},      {"lstm.bias_hh_l1", 1, {80}},       {"linear.weight", 2, {20, 20}},
                  {"linear.bias", 1, {20}},          {"head.weight", 2, {1, 20}},        {"head.bias", 1, {1}}};
  l2o_model *model = model_of("bfgs-lstm", 1);
  size_t count;
  l2o_model_parameters(model, &count);
  assert_int_equal(count, 6121);
  assert_int_equal(l2o_model_tensor_count(model), 12);
  for (size_t i = 0; i < 12; i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(model, i);
    assert_string_equal(t.name, expected[i].name);
    assert_true(t.learned && t.rank == expected[i].rank && t.shape[0] == expected[i].shape[0]);
    assert_true(t.rank == 1 || t.shape[1] == expected[i].shape[1]);
  }
  l2o_model_free(model);
  model = model_of("bfgs-lstm:layers=16,hidden=3", 1);
  assert_int_equal(l2o_model_tensor_count(model), 68);
  assert_string_equal(l2o_model_tensor_at(model, 63).name, "lstm.bias_hh_l15");
  l2o_model_free(model);
}

/* o of the initial network is head.bias, whatever goes in; weights spread over +-1/sqrt(H). */
static void an_untrained_network_has_constant_outputs(void **state) {
  (void)state;
  enum { N = 70 };
  static const struct {
    const char *spec;
    double bias;
  } cases[] = {{"bfgs-lstm", -1.0986122886681098},
               {"bfgs-lstm:p_high=12", -2.3978952727983707},
               {"bfgs-lstm:p_high=2,layers=1", 0},
               {"bfgs-lstm:output=clip,hidden=5", 0}};
  for (size_t i = 0; i < 4; i++) {
    l2o_model *model = model_of(cases[i].spec, 3);
    const l2o_recurrent *net = l2o_bfgs_lstm_network(model);
    const l2o_real *weights = l2o_model_parameters(model, NULL), bias = (l2o_real)cases[i].bias;
    const l2o_model_tensor linear = tensor_named(model, "linear.bias");
    l2o_real *state_of = reals(l2o_recurrent_state_len(&net->shape, N)), *u = normal_block(7 * N, 5, 3), y[N];
    l2o_real *scratch = reals(l2o_recurrent_scratch_len(&net->shape, N));
    double largest = 0;
    for (size_t j = 0; j < linear.offset + linear.count; j++)
      largest = fmax(largest, fabs((double)weights[j]));
    assert_true(largest <= 1 / sqrt((double)net->shape.hidden) && largest > 0.95 / sqrt((double)net->shape.hidden));
    for (int t = 0; t < 3; t++) {
      l2o_recurrent_forward(net, y, state_of, NULL, scratch, u, N);
      for (size_t j = 0; j < N; j++)
        assert_same_reals(&y[j], &bias, 1);
    }
    free(state_of), free(u), free(scratch);
    l2o_model_free(model);
  }
}

static void options_are_checked(void **state) {
  (void)state;
  static const char *const wrong[] = {"hidden=0",    "hidden=1025", "layers=0", "layers=17",  "output=relu",
                                      "p_low=-1",    "p_low=1",     "p_high=1", "p_high=1e9", "steps=vector",
                                      "safeguard=1", "gate=-1",     "gate=1.5", "h0=zero",    "p_hi=4"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char spec[60];
    l2o_model *model;
    l2o_diag diag = {""};
    snprintf(spec, sizeof spec, "bfgs-lstm:%s", wrong[i]);
    assert_status(l2o_model_new(&model, spec, 0, &diag), L2O_ERR_ARG, &diag);
    assert_names(&diag, "bfgs-lstm");
  }
  l2o_model *model = model_of("bfgs-lstm", 0);
  static const char defaults[] = "bfgs-lstm:hidden=20,layers=2,output=sigmoid,p_low=0.01,p_high=4,steps=coordinate,gate=30,"
                                 "safeguard=0.1,h0=scaled,";
  assert_memory_equal(l2o_model_spec(model), defaults, sizeof defaults - 1);
  l2o_model_free(model);
}

/* The parameters of the golden file as a state_dict: no metadata; `spoil` breaks one entry. */
static void write_state_dict(const char *path, bool spoil) {
  l2o_tensor_file *file;
  l2o_tensor_writer *writer;
  assert_status(l2o_tensor_file_open(&file, GOLDEN, NULL), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  for (size_t i = 0; i < l2o_tensor_file_count(file); i++) {
    const l2o_tensor *t = l2o_tensor_file_at(file, i);
    if (strncmp(t->name, "param__", 7) != 0 || strstr(t->name, "other"))
      continue;
    double *values = golden_exactly(file, t->name, t->count);
    if (spoil && strstr(t->name, "linear.bias"))
      values[3] = (double)NAN;
    assert_status(l2o_tensor_writer_add(writer, t->name + 7, L2O_F64, values, t->shape, t->rank), L2O_OK, NULL);
    free(values);
  }
  assert_status(l2o_tensor_writer_save(writer, path, NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
  l2o_tensor_file_free(file);
}

static void a_state_dict_loads_as_it_is(void **state) {
  (void)state;
  l2o_model *model;
  l2o_diag diag = {""};
  l2o_tensor_file *file;
  write_state_dict(in_folder("dict"), false);
  assert_status(l2o_model_load(&model, in_folder("dict"), "bfgs-lstm:hidden=20,layers=2", &diag), L2O_OK, &diag);
  assert_status(l2o_tensor_file_open(&file, GOLDEN, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(model, i);
    char name[80];
    snprintf(name, sizeof name, "param__%s", t.name);
    double *v = golden_exactly(file, name, t.count);
    for (size_t j = 0; j < t.count; j++)
      assert_true(l2o_model_parameters(model, NULL)[t.offset + j] == (l2o_real)v[j]);
    free(v);
  }
  l2o_tensor_file_free(file);
  l2o_model_free(model);
}

static void a_model_comes_back_bit_for_bit(void **state) {
  (void)state;
  l2o_model *model = model_of("bfgs-lstm:hidden=7,layers=3,output=clip,steps=scalar", 1), *loaded;
  l2o_diag diag = {""};
  size_t count;
  randomise(model, 2, 0.3);
  assert_status(l2o_model_save(model, in_folder("model"), &diag), L2O_OK, &diag);
  assert_status(l2o_model_load(&loaded, in_folder("model"), NULL, &diag), L2O_OK, &diag);
  assert_string_equal(l2o_model_spec(loaded), l2o_model_spec(model));
  const l2o_real *weights = l2o_model_parameters(model, &count);
  assert_same_reals(weights, l2o_model_parameters(loaded, NULL), count);
  l2o_model_free(model), l2o_model_free(loaded);
}

static void files_of_other_networks_say_what_differs(void **state) {
  (void)state;
  static const struct {
    const char *spec, *sentence;
    bool spoil;
    l2o_status status;
  } cases[] = {
      {"bfgs-lstm:hidden=24", "tensor 'lstm.weight_ih_l0' has shape (80, 7), expected (96, 7) for bfgs-lstm:hidden=24,", false,
       L2O_ERR_SHAPE},
      {"bfgs-lstm:layers=3", "tensor 'lstm.weight_ih_l2' of bfgs-lstm is missing", false, L2O_ERR_FORMAT},
      {"bfgs-lstm:layers=1", "unknown tensor 'lstm.", false, L2O_ERR_FORMAT},
      {"math-l2o-gd:hidden=20", "unknown tensor '", false, L2O_ERR_FORMAT},
      {"bfgs-lstm", "tensor 'linear.bias' holds a value that is not finite, at entry 3", true, L2O_ERR_NUMERIC},
      {NULL, "does not say which model it holds", false, L2O_ERR_FORMAT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_model *model;
    l2o_diag diag = {""};
    write_state_dict(in_folder("dict"), cases[i].spoil);
    assert_status(l2o_model_load(&model, in_folder("dict"), cases[i].spec, &diag), cases[i].status, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_names(&diag, in_folder("dict"));
    assert_null(model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_those_of_pytorch),
#ifndef L2O_SINGLE
      cmocka_unit_test(gradients_are_central_differences),
#endif
      cmocka_unit_test(truncation_adds_segments),
      cmocka_unit_test(a_direct_network_is_one_with_an_idle_layer),
      cmocka_unit_test(coordinates_are_together_as_alone),
      cmocka_unit_test(permuted_coordinates_give_permuted_outputs),
      cmocka_unit_test(a_tape_changes_nothing),
      cmocka_unit_test(inputs_may_be_constants),
      cmocka_unit_test(steps_do_not_allocate),
      cmocka_unit_test(not_a_number_stays_where_it_is),
      cmocka_unit_test(affine_layers_are_the_formula),
      cmocka_unit_test(products_are_the_formula),
      cmocka_unit_test(tensors_are_those_of_a_state_dict),
      cmocka_unit_test(an_untrained_network_has_constant_outputs),
      cmocka_unit_test(options_are_checked),
      cmocka_unit_test_setup_teardown(a_state_dict_loads_as_it_is, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_model_comes_back_bit_for_bit, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(files_of_other_networks_say_what_differs, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
