/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/heads.h"
#include "core/linalg.h"
#include "core/mersenne_twister.h"
#include <l2o/random.h>
#include <math.h>
#include <string.h>

enum { OF_A_LAYER = 4, OF_LINEAR = 2, OF_A_HEAD = 2 };

/* The first tensor of the heads; used ones come first. */
static size_t first_head(const l2o_heads_shape *s) {
  return OF_A_LAYER * s->network.layers + OF_LINEAR;
}

/* order[i]: the head whose tensors come i-th; returns how many are used. */
static size_t arrange(size_t *order, const l2o_heads_shape *s) {
  size_t used = 0, at = 0;
  for (int pass = 1; pass >= 0; pass--)
    for (size_t o = 0; o < s->count; o++)
      if (s->used[o] == (pass == 1)) {
        order[at++] = o;
        used += pass == 1;
      }
  return used;
}

static l2o_heads_shape shape_of(const l2o_model *model) {
  return model->type->heads->shape(model->options);
}

size_t l2o_heads_describe(l2o_model_tensor *tensors, const double *options, const l2o_heads_kind *kind) {
  const l2o_heads_shape shape = kind->shape(options);
  const l2o_head_names *names = kind->names;
  size_t order[L2O_HEADS_MAX];
  const char *used_names[OF_A_HEAD * L2O_HEADS_MAX];
  const size_t used = arrange(order, &shape), H = shape.network.hidden;
  for (size_t i = 0; i < used; i++) {
    used_names[2 * i] = names[order[i]].weight;
    used_names[2 * i + 1] = names[order[i]].bias;
  }
  l2o_model_tensor *t = tensors + l2o_recurrent_describe(tensors, &shape.network, used_names);
  for (size_t i = used; i < shape.count; i++) {
    *t++ = (l2o_model_tensor){.name = names[order[i]].weight, .rank = 2, .shape = {1, H}};
    *t++ = (l2o_model_tensor){.name = names[order[i]].bias, .rank = 1, .shape = {1}};
  }
  for (size_t o = 0; o < shape.count; o++)
    *t++ = (l2o_model_tensor){.name = names[o].scale, .rank = 0, .learned = shape.used[o] && shape.scales_learned};
  return (size_t)(t - tensors);
}

/* y with psi(y) = value, or nearly where psi does not reach it. */
static double inverse(l2o_output_scale psi, double value) {
  const double least = 1e-4, most = 1 - 1e-4;
  switch (psi) {
  case L2O_SCALE_SIGMOID2:
  case L2O_SCALE_SIGMOID: {
    const double share = fmin(fmax(psi == L2O_SCALE_SIGMOID ? value : value / 2, least), most);
    return log(share / (1 - share));
  }
  case L2O_SCALE_EXP:
    return log(fmax(value, least));
  case L2O_SCALE_SOFTPLUS:
    return log(expm1(fmax(value, least)));
  case L2O_SCALE_GAUSSIAN:
    return sqrt(-log1p(-fmin(fmax(value / 2, least), most)));
  default:
    return value;
  }
}

static void uniform(l2o_model *model, size_t tensor, double bound, l2o_rng *rng) {
  for (size_t j = 0; j < model->tensors[tensor].count; j++)
    l2o_model_values(model, tensor)[j] = (l2o_real)(bound * (2 * l2o_rng_uniform(rng) - 1));
}

/* torch.nn.init.uniform_() in +-bound: a word w gives u = (w mod 2^24) / 2^24 and 2 bound u - bound, in single precision. */
static void torch_uniform(l2o_model *model, size_t tensor, double bound, l2o_twister *twister) {
  for (size_t j = 0; j < model->tensors[tensor].count; j++) {
    const float u = (float)(l2o_twister_word(twister) & 0xffffff) * 0x1p-24f;
    l2o_model_values(model, tensor)[j] = (l2o_real)(u * (float)(2 * bound) - (float)bound);
  }
}

/* The stack in the order of its tensors, then the heads as they are made. */
static void replay(l2o_model *model, const l2o_heads_shape *shape, const size_t *order, uint64_t seed) {
  const double bound = 1 / sqrt((double)shape->network.hidden);
  const size_t first = first_head(shape), *made = model->type->heads->made;
  l2o_twister twister;
  l2o_twister_seed(&twister, (uint32_t)seed);
  for (size_t i = 0; i < first; i++)
    torch_uniform(model, i, bound, &twister);
  for (size_t i = 0; i < shape->count; i++) {
    size_t at = 0;
    while (order[at] != made[i])
      at++;
    for (size_t k = 0; k < OF_A_HEAD; k++)
      torch_uniform(model, first + OF_A_HEAD * at + k, bound, &twister);
  }
}

l2o_status l2o_heads_initialise(l2o_model *model, uint64_t seed) {
  const l2o_heads_kind *kind = model->type->heads;
  const l2o_heads_shape shape = shape_of(model);
  const l2o_heads_start start = kind->starts[(size_t)model->options[kind->start]];
  size_t order[L2O_HEADS_MAX];
  const size_t used = arrange(order, &shape), first = first_head(&shape), scales = first + OF_A_HEAD * shape.count;
  l2o_rng rng;
  l2o_recurrent_initialise(model, 0, &shape.network, seed);
  l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), 1, 0);
  for (size_t o = 0; o < shape.count; o++)
    *l2o_model_values(model, scales + o) = (l2o_real)shape.scale[o];
  switch (start) {
  case L2O_HEADS_CALM:
    for (size_t i = 0; i < used; i++) {
      const size_t o = order[i];
      *l2o_model_values(model, first + OF_A_HEAD * i + 1) = (l2o_real)inverse(shape.norm[o], shape.start[o] / shape.scale[o]);
    }
    break;
  case L2O_HEADS_TORCH:
    for (size_t i = first; i < scales; i++)
      uniform(model, i, 1 / sqrt((double)shape.network.hidden), &rng);
    break;
  case L2O_HEADS_GLOROT:
    for (size_t i = 0; i < scales; i++) {
      const l2o_model_tensor *t = &model->tensors[i];
      uniform(model, i, t->rank == 2 ? sqrt(6 / (double)(t->shape[0] + t->shape[1])) : 0, &rng);
    }
    break;
  case L2O_HEADS_REPLAYED:
    replay(model, &shape, order, seed);
    break;
  }
  return L2O_OK;
}

/* ---- the network as it is evaluated ---- */

static l2o_heads *layout(const l2o_heads_shape *shape, l2o_arena *arena) {
  l2o_heads *heads = l2o_take(arena, 1, sizeof *heads), measured;
  l2o_recurrent_layout(heads ? &heads->network : &measured.network, arena, &shape->network);
  return heads;
}

size_t l2o_heads_table_bytes(const l2o_model *model) {
  const l2o_heads_shape shape = shape_of(model);
  l2o_arena arena = {0};
  layout(&shape, &arena);
  return arena.overflow ? SIZE_MAX : arena.used;
}

void l2o_heads_commit(l2o_model *model) {
  const l2o_heads_shape shape = shape_of(model);
  l2o_arena arena = {.base = model->table};
  size_t order[L2O_HEADS_MAX];
  const size_t used = arrange(order, &shape), scales = first_head(&shape) + OF_A_HEAD * shape.count;
  l2o_heads *heads = layout(&shape, &arena);
  l2o_recurrent_build(&heads->network, model, 0);
  for (size_t o = 0; o < L2O_HEADS_MAX; o++)
    heads->row[o] = L2O_HEADS_MAX;
  for (size_t i = 0; i < used; i++) {
    heads->row[order[i]] = i;
    heads->norm[i] = shape.norm[order[i]];
    heads->scale[i] = *l2o_model_values(model, scales + order[i]);
  }
}

size_t l2o_heads_state_len(const l2o_heads *heads, size_t n) {
  return l2o_recurrent_state_len(&heads->network.shape, n);
}

/* slopes (outputs, n), then, on a cache line of its own, the network's */
size_t l2o_heads_tape_len(const l2o_heads *heads, size_t n) {
  return l2o_whole_lines(heads->network.shape.outputs * n) + l2o_recurrent_tape_len(&heads->network.shape, n);
}
size_t l2o_heads_scratch_len(const l2o_heads *heads, size_t n) {
  return l2o_recurrent_scratch_len(&heads->network.shape, n);
}

void l2o_heads_forward(const l2o_heads *heads, l2o_real *v, l2o_real *state, l2o_real *tape, l2o_real *scratch, const l2o_real *u,
                       size_t n) {
  const size_t O = heads->network.shape.outputs;
  l2o_recurrent_forward(&heads->network, v, state, tape ? tape + l2o_whole_lines(O * n) : NULL, scratch, u, n);
  for (size_t o = 0; o < O; o++) {
    const l2o_real scale = heads->scale[o];
    l2o_real *value = v + o * n, *slope = tape ? tape + o * n : NULL;
    if (slope)
      l2o_output_scale_slopes(value, slope, value, heads->norm[o], n);
    else
      l2o_output_scale_forward(value, value, heads->norm[o], n);
    for (size_t i = 0; scale != 1 && i < n; i++) {
      value[i] *= scale;
      if (slope)
        slope[i] *= scale;
    }
  }
}

/* the network's, then dc (outputs) */
size_t l2o_heads_sum_len(const l2o_model *model) {
  const l2o_heads_shape shape = shape_of(model);
  return l2o_recurrent_sum_len(&shape.network) + shape.network.outputs;
}

double l2o_heads_step_scale(const l2o_model *model) {
  return model->options[model->type->heads->step_scale];
}

void l2o_heads_backward(const l2o_heads *heads, double *sum, l2o_real *du, l2o_real *dstate, l2o_real *dv, const l2o_real *v,
                        const l2o_real *tape, l2o_real *scratch, size_t n) {
  const size_t O = heads->network.shape.outputs;
  double *dscale = sum + l2o_recurrent_sum_len(&heads->network.shape);
  for (size_t o = 0; o < O; o++) { /* dc = sum dv psi, dy = dv c psi' */
    const double along = l2o_dot(dv + o * n, v + o * n, n);
    for (size_t i = o * n; i < (o + 1) * n; i++)
      dv[i] *= tape[i];
    dscale[o] += heads->scale[o] != 0 ? along / (double)heads->scale[o] : 0;
  }
  l2o_recurrent_backward(&heads->network, sum, du, dstate, dv, tape + l2o_whole_lines(O * n), scratch, n);
}

void l2o_heads_gradient(const l2o_model *model, double *gradient, const double *sum) {
  const l2o_heads_shape shape = shape_of(model);
  size_t order[L2O_HEADS_MAX];
  const size_t used = arrange(order, &shape), first = first_head(&shape), scales = first + OF_A_HEAD * shape.count;
  const double *dscale = sum + l2o_recurrent_sum_len(&shape.network);
  memset(gradient, 0, model->parameter_count * sizeof *gradient);
  l2o_recurrent_gradient(gradient, sum, &shape.network);
  for (size_t i = 0; i < used; i++)
    gradient[model->tensors[scales + order[i]].offset] = dscale[i];
}
