/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/recurrent.h"
#include <l2o/random.h>
#include <math.h>
#include <string.h>

/* ---- tensors ---- */

enum { OF_A_LAYER = 4 }; /* weight_ih, weight_hh, bias_ih, bias_hh */

#define NAMES(l)                                                                                                                   \
  { "lstm.weight_ih_l" #l, "lstm.weight_hh_l" #l, "lstm.bias_ih_l" #l, "lstm.bias_hh_l" #l }
static const char *const layer_names[L2O_RECURRENT_LAYERS_MAX][OF_A_LAYER] = {
    NAMES(0), NAMES(1), NAMES(2),  NAMES(3),  NAMES(4),  NAMES(5),  NAMES(6),  NAMES(7),
    NAMES(8), NAMES(9), NAMES(10), NAMES(11), NAMES(12), NAMES(13), NAMES(14), NAMES(15)};

static size_t inputs_of(const l2o_recurrent_shape *s, size_t l) {
  return l ? s->hidden : s->inputs;
}

size_t l2o_recurrent_describe(l2o_model_tensor *tensors, const l2o_recurrent_shape *shape, const char *const *heads) {
  const size_t H = shape->hidden;
  l2o_model_tensor *t = tensors;
  for (size_t l = 0; l < shape->layers; l++) {
    const char *const *name = layer_names[l];
    *t++ = (l2o_model_tensor){.name = name[0], .rank = 2, .shape = {4 * H, inputs_of(shape, l)}, .learned = true};
    *t++ = (l2o_model_tensor){.name = name[1], .rank = 2, .shape = {4 * H, H}, .learned = true};
    *t++ = (l2o_model_tensor){.name = name[2], .rank = 1, .shape = {4 * H}, .learned = true};
    *t++ = (l2o_model_tensor){.name = name[3], .rank = 1, .shape = {4 * H}, .learned = true};
  }
  if (!shape->direct) {
    *t++ = (l2o_model_tensor){.name = "linear.weight", .rank = 2, .shape = {H, H}, .learned = true};
    *t++ = (l2o_model_tensor){.name = "linear.bias", .rank = 1, .shape = {H}, .learned = true};
  }
  for (size_t o = 0; o < shape->outputs; o++) {
    *t++ = (l2o_model_tensor){.name = heads[2 * o], .rank = 2, .shape = {1, H}, .learned = true};
    *t++ = (l2o_model_tensor){.name = heads[2 * o + 1], .rank = 1, .shape = {1}, .learned = true};
  }
  return (size_t)(t - tensors);
}

/* Where the tensors of the heads begin, two a head. */
static size_t first_head(size_t first, const l2o_recurrent_shape *shape) {
  return first + OF_A_LAYER * shape->layers + (shape->direct ? 0 : 2);
}

void l2o_recurrent_initialise(l2o_model *model, size_t first, const l2o_recurrent_shape *shape, uint64_t seed) {
  const size_t heads = first_head(first, shape);
  const double bound = 1 / sqrt((double)shape->hidden);
  l2o_rng rng;
  l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), 0, 0);
  for (size_t i = first; i < heads; i++)
    for (size_t j = 0; j < model->tensors[i].count; j++)
      l2o_model_values(model, i)[j] = (l2o_real)(bound * (2 * l2o_rng_uniform(&rng) - 1));
  for (size_t o = 0; o < shape->outputs; o++)
    memset(l2o_model_values(model, heads + 2 * o), 0, shape->hidden * sizeof(l2o_real));
}

/* ---- the network as it is evaluated ---- */

static size_t by_four(size_t rows) {
  return (rows + 3) / 4 * 4;
}

/* Row r of what l2o_affine() takes. */
static void pack_row(l2o_real *packed, size_t r, const l2o_real *weight, l2o_real bias, size_t K) {
  packed += r / 4 * 4 * (K + 1) + r % 4;
  for (size_t k = 0; k < K; k++)
    packed[4 * k] = weight[k];
  packed[4 * K] = bias;
}

void l2o_recurrent_layout(l2o_recurrent *net, l2o_arena *arena, const l2o_recurrent_shape *shape) {
  const size_t H = shape->hidden;
  net->shape = *shape;
  for (size_t l = 0; l < shape->layers; l++)
    L2O_TAKE(arena, net->packed[l], l2o_lstm_packed_len(inputs_of(shape, l), H));
  L2O_TAKE(arena, net->linear, shape->direct ? 0 : (H + 1) * by_four(H));
  L2O_TAKE(arena, net->heads, (H + 1) * by_four(shape->outputs));
}

void l2o_recurrent_build(l2o_recurrent *net, const l2o_model *model, size_t first) {
  const size_t H = net->shape.hidden;
  for (size_t l = 0; l < net->shape.layers; l++, first += OF_A_LAYER) {
    const l2o_real *weight_ih = l2o_model_values(model, first), *weight_hh = l2o_model_values(model, first + 1);
    l2o_lstm_pack(net->packed[l], weight_ih, weight_hh, l2o_model_values(model, first + 2), l2o_model_values(model, first + 3),
                  inputs_of(&net->shape, l), H);
    net->lstm[l] = (l2o_lstm){
        .inputs = inputs_of(&net->shape, l), .hidden = H, .weight_ih = weight_ih, .weight_hh = weight_hh, .packed = net->packed[l]};
  }
  if (!net->shape.direct) {
    const l2o_real *weight = l2o_model_values(model, first++), *bias = l2o_model_values(model, first++);
    for (size_t r = 0; r < H; r++)
      pack_row(net->linear, r, weight + r * H, bias[r], H);
    net->linear_weight = weight;
  }
  net->head_parameters = l2o_model_values(model, first);
  for (size_t o = 0; o < net->shape.outputs; o++) {
    const l2o_real *head = net->head_parameters + o * (H + 1);
    pack_row(net->heads, o, head, head[H], H);
  }
}

/* ---- reals of a coordinate ---- */

static size_t state_of(const l2o_recurrent_shape *s) {
  return 2 * s->layers * s->hidden;
}

static size_t lstm_tape_of(const l2o_recurrent_shape *s, size_t l) {
  return l2o_lstm_tape_len(&(l2o_lstm){.inputs = inputs_of(s, l), .hidden = s->hidden}, 1);
}

/* the tapes of the layers, (h_L; 1), (z; 1) unless direct */
static size_t tape_of(const l2o_recurrent_shape *s) {
  size_t sum = (s->direct ? 1 : 2) * (s->hidden + 1);
  for (size_t l = 0; l < s->layers; l++)
    sum += lstm_tape_of(s, l);
  return sum;
}

size_t l2o_recurrent_state_len(const l2o_recurrent_shape *shape, size_t n) {
  return state_of(shape) * n;
}

void l2o_recurrent_set_state(const l2o_recurrent_shape *shape, l2o_real *state, const l2o_real *h, const l2o_real *c, size_t n) {
  const size_t L = shape->layers, H = shape->hidden, chunk = n < L2O_LSTM_CHUNK ? n : L2O_LSTM_CHUNK;
  for (size_t first = 0; first < n; first += chunk) {
    const size_t m = n - first < chunk ? n - first : chunk;
    for (size_t l = 0; l < L; l++)
      for (size_t k = 0; k < H; k++)
        for (size_t j = 0; j < m; j++) {
          const size_t from = (l * n + first + j) * H + k;
          l2o_real *to = state + state_of(shape) * first + 2 * l * H * m + k * m + j;
          to[0] = h[from];
          to[H * m] = c[from];
        }
  }
}

size_t l2o_recurrent_tape_len(const l2o_recurrent_shape *shape, size_t n) {
  return tape_of(shape) * n;
}

static size_t largest(size_t a, size_t b) {
  return a > b ? a : b;
}

/* Inputs and outputs of a chunk; then forward a tape, backward dz and what a layer's backward pass or a product of weights takes.
 */
size_t l2o_recurrent_scratch_len(const l2o_recurrent_shape *shape, size_t n) {
  const size_t m = n < L2O_LSTM_CHUNK ? n : L2O_LSTM_CHUNK, H = shape->hidden;
  size_t work = l2o_outer_work_len(H + 1, m);
  for (size_t l = 0; l < shape->layers && l < 2; l++)
    work = largest(work, l2o_lstm_work_len(&(l2o_lstm){.inputs = inputs_of(shape, l), .hidden = H}, m));
  return (shape->inputs + shape->outputs) * m + largest(tape_of(shape) * m, H * m + work);
}

size_t l2o_recurrent_sum_len(const l2o_recurrent_shape *shape) {
  const size_t H = shape->hidden;
  size_t sum = (H + 1) * ((shape->direct ? 0 : H) + shape->outputs);
  for (size_t l = 0; l < shape->layers; l++)
    sum += l2o_lstm_sum_len(inputs_of(shape, l), H);
  return sum;
}

/* ---- forward ---- */

static void take_columns(l2o_real *out, const l2o_real *all, size_t rows, size_t n, size_t first, size_t count) {
  for (size_t r = 0; r < rows; r++)
    memcpy(out + r * count, all + r * n + first, count * sizeof *out);
}

static void ones(l2o_real *row, size_t m) {
  for (size_t j = 0; j < m; j++)
    row[j] = 1;
}

/* The record of the chunk that begins at coordinate `first`, if there is one. */
static l2o_ahead record_behind(const l2o_recurrent_shape *s, const l2o_real *tape, size_t first, size_t n) {
  const size_t m = n - first < L2O_LSTM_CHUNK ? n - first : L2O_LSTM_CHUNK;
  return tape ? (l2o_ahead){tape + tape_of(s) * first, tape + tape_of(s) * (first + m)} : (l2o_ahead){NULL, NULL};
}

/* y (O, m) of a chunk of m coordinates */
static void forward(const l2o_recurrent *net, l2o_real *y, l2o_real *state, l2o_real *tape, const l2o_real *u, l2o_ahead *ahead,
                    size_t m) {
  const size_t H = net->shape.hidden, L = net->shape.layers, O = net->shape.outputs;
  for (size_t l = 0; l < L; l++) {
    l2o_real *h = state + 2 * l * H * m;
    l2o_lstm_forward(&net->lstm[l], h, h + H * m, tape, u, ahead, m);
    tape += lstm_tape_of(&net->shape, l) * m;
    u = h;
  }
  l2o_real *h = tape, *z = net->shape.direct ? h : h + (H + 1) * m;
  memcpy(h, u, H * m * sizeof *h);
  ones(h + H * m, m);
  if (!net->shape.direct) {
    l2o_affine(z, net->linear, h, ahead, true, H, H, m);
    ones(z + H * m, m);
  }
  l2o_affine(y, net->heads, z, ahead, false, O, H, m);
}

void l2o_recurrent_forward(const l2o_recurrent *net, l2o_real *y, l2o_real *state, l2o_real *tape, l2o_real *scratch,
                           const l2o_real *u, size_t n) {
  const size_t I = net->shape.inputs, O = net->shape.outputs, chunk = n < L2O_LSTM_CHUNK ? n : L2O_LSTM_CHUNK;
  l2o_real *in = scratch, *out = in + I * chunk, *own = out + O * chunk;
  for (size_t first = 0; first < n; first += chunk) {
    const size_t m = n - first < chunk ? n - first : chunk;
    l2o_ahead ahead = record_behind(&net->shape, tape, first + m, n);
    take_columns(in, u, I, n, first, m);
    forward(net, out, state + state_of(&net->shape) * first, tape ? tape + tape_of(&net->shape) * first : own, in, &ahead, m);
    for (size_t o = 0; o < O; o++)
      memcpy(y + o * n + first, out + o * m, m * sizeof *y);
  }
}

/* ---- backward ---- */

static void backward(const l2o_recurrent *net, double *sum, l2o_real *du, l2o_real *dstate, const l2o_real *dy,
                     const l2o_real *tape, l2o_real *dz, l2o_real *work, l2o_ahead *ahead, size_t m) {
  const size_t H = net->shape.hidden, L = net->shape.layers, O = net->shape.outputs;
  const bool direct = net->shape.direct;
  const l2o_real *z = tape + (tape_of(&net->shape) - (H + 1)) * m, *h = direct ? z : z - (H + 1) * m;
  l2o_real *dh_last = dstate + 2 * (L - 1) * H * m;
  double *end = sum + l2o_recurrent_sum_len(&net->shape) - (H + 1) * O;
  l2o_add_outer(end, work, dy, z, O, H + 1, m);
  if (direct)
    l2o_transposed_product(dh_last, net->head_parameters, H + 1, dy, ahead, true, H, O, m);
  else {
    l2o_transposed_product(dz, net->head_parameters, H + 1, dy, ahead, false, H, O, m);
    for (size_t i = 0; i < H * m; i++)
      dz[i] = z[i] > 0 ? dz[i] : 0;
    end -= (H + 1) * H;
    l2o_add_outer(end, work, dz, h, H, H + 1, m);
    l2o_transposed_product(dh_last, net->linear_weight, H, dz, ahead, true, H, H, m);
  }
  tape = h;
  for (size_t l = L; l-- > 0;) {
    const l2o_lstm *layer = &net->lstm[l];
    l2o_real *dh = dstate + 2 * l * H * m;
    tape -= lstm_tape_of(&net->shape, l) * m;
    end -= l2o_lstm_sum_len(layer->inputs, H);
    l2o_lstm_backward(layer, end, l ? dh - 2 * H * m : du, dh, dh + H * m, tape, work, ahead, m);
  }
}

void l2o_recurrent_backward(const l2o_recurrent *net, double *sum, l2o_real *du, l2o_real *dstate, const l2o_real *dy,
                            const l2o_real *tape, l2o_real *scratch, size_t n) {
  const size_t I = net->shape.inputs, O = net->shape.outputs, chunk = n < L2O_LSTM_CHUNK ? n : L2O_LSTM_CHUNK;
  l2o_real *din = scratch, *dout = din + I * chunk, *dz = dout + O * chunk, *work = dz + net->shape.hidden * chunk;
  for (size_t first = 0; first < n; first += chunk) {
    const size_t m = n - first < chunk ? n - first : chunk;
    l2o_ahead ahead = record_behind(&net->shape, tape, first + m, n);
    take_columns(dout, dy, O, n, first, m);
    if (du)
      take_columns(din, du, I, n, first, m);
    backward(net, sum, du ? din : NULL, dstate + state_of(&net->shape) * first, dout, tape + tape_of(&net->shape) * first, dz, work,
             &ahead, m);
    for (size_t i = 0; du && i < I; i++)
      memcpy(du + i * n + first, din + i * m, m * sizeof *du);
  }
}

void l2o_recurrent_gradient(double *gradient, const double *sum, const l2o_recurrent_shape *shape) {
  const size_t H = shape->hidden;
  for (size_t l = 0; l < shape->layers; l++) {
    const size_t I = inputs_of(shape, l);
    double *weight_hh = gradient + 4 * H * I, *bias_ih = weight_hh + 4 * H * H, *bias_hh = bias_ih + 4 * H;
    l2o_lstm_gradient(gradient, weight_hh, bias_ih, sum, I, H);
    memcpy(bias_hh, bias_ih, 4 * H * sizeof *bias_hh);
    sum += l2o_lstm_sum_len(I, H);
    gradient = bias_hh + 4 * H;
  }
  for (size_t r = 0; r < H && !shape->direct; r++, sum += H + 1) {
    memcpy(gradient + r * H, sum, H * sizeof *sum);
    gradient[H * H + r] = sum[H];
  }
  memcpy(gradient + (shape->direct ? 0 : (H + 1) * H), sum,
         (H + 1) * shape->outputs * sizeof *sum); /* a head: weight (1, H), bias (1) */
}
