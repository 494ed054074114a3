/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/blackbox.h"
#include "nn/activation.h"
#include <l2o/random.h>
#include <math.h>
#include <string.h>

#define OPTIONS(deviation)                                                                                                         \
  {"hidden", L2O_OPTION_INT, 20, 1, 1024, NULL, "hidden units H of every layer"},                                                  \
      {"layers", L2O_OPTION_INT, 2, 1, L2O_RECURRENT_LAYERS_MAX, NULL, "layers of the recurrent network"},                         \
      {"state_scale",                                                                                                              \
       L2O_OPTION_REAL,                                                                                                            \
       0,                                                                                                                          \
       0,                                                                                                                          \
       1e6,                                                                                                                        \
       NULL,                                                                                                                       \
       "state of the network at a start: N(0, 1) by the run's seed, times this; 0: zero; published: " deviation},                  \
  {                                                                                                                                \
    "update_scale", L2O_OPTION_REAL, 0.1, 1e-12, 1e6, NULL, "factor of the update"                                                 \
  }
static const l2o_option dm_options[] = {
    OPTIONS("1"),
    {"gradient_scale", L2O_OPTION_REAL, 1, 1e-12, 1e6, NULL, "factor of the gradient as a feature; published: 1 / batch"},
    {0},
};
static const l2o_option rnnprop_options[] = {
    OPTIONS("0.01"),
    {"beta1", L2O_OPTION_REAL, 0.95, 0, 0.9999999, NULL, "decay of the running mean of the gradient"},
    {"beta2", L2O_OPTION_REAL, 0.95, 0, 0.9999999, NULL, "decay of the running mean of its square"},
    {0},
};

static bool embeds(const l2o_model *m) {
  return m->type == &l2o_model_type_rnnprop;
}

static l2o_recurrent_shape shape_of(const double *o, bool embedded) {
  const size_t H = (size_t)o[L2O_BLACKBOX_HIDDEN];
  return (l2o_recurrent_shape){.inputs = embedded ? H : L2O_BLACKBOX_FEATURES,
                               .layers = (size_t)o[L2O_BLACKBOX_LAYERS],
                               .hidden = H,
                               .outputs = 1,
                               .direct = true};
}
static l2o_recurrent_shape shape_of_model(const l2o_model *m) {
  return shape_of(m->options, embeds(m));
}

static size_t describe_dm(l2o_model_tensor *t, const double *o) {
  static const char *const head[] = {"linear.weight", "linear.bias"};
  const l2o_recurrent_shape shape = shape_of(o, false);
  return l2o_recurrent_describe(t, &shape, head);
}
static size_t describe_rnnprop(l2o_model_tensor *t, const double *o) {
  static const char *const head[] = {"linear_out.weight", "linear_out.bias"};
  const l2o_recurrent_shape shape = shape_of(o, true);
  const size_t count = l2o_recurrent_describe(t, &shape, head);
  t[count] =
      (l2o_model_tensor){.name = "linear_in.weight", .rank = 2, .shape = {shape.hidden, L2O_BLACKBOX_FEATURES}, .learned = true};
  t[count + 1] = (l2o_model_tensor){.name = "linear_in.bias", .rank = 1, .shape = {shape.hidden}, .learned = true};
  return count + 2;
}

/* linear_in.weight; the bias comes next. */
static size_t embedding(const l2o_model *m) {
  return m->tensor_count - 2;
}

/* PyTorch's: uniform in +-1/sqrt(H), of the embedding in +-1/sqrt(2) */
static l2o_status initialise(l2o_model *m, uint64_t seed) {
  const l2o_recurrent_shape shape = shape_of_model(m);
  const size_t embedded = embeds(m) ? embedding(m) : m->tensor_count;
  l2o_rng rng;
  l2o_recurrent_initialise(m, 0, &shape, seed);
  l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), 1, 0);
  for (size_t i = embedded - 2; i < m->tensor_count; i++) {
    const double bound = 1 / sqrt(i < embedded ? (double)shape.hidden : L2O_BLACKBOX_FEATURES);
    for (size_t j = 0; j < m->tensors[i].count; j++)
      l2o_model_values(m, i)[j] = (l2o_real)(bound * (2 * l2o_rng_uniform(&rng) - 1));
  }
  return L2O_OK;
}

static l2o_recurrent *table_of(const l2o_model *m, l2o_arena *arena) {
  const l2o_recurrent_shape shape = shape_of_model(m);
  l2o_recurrent *table = l2o_take(arena, 1, sizeof *table), measured;
  l2o_recurrent_layout(table ? table : &measured, arena, &shape);
  return table;
}
static size_t table_bytes(const l2o_model *m) {
  l2o_arena arena = {0};
  table_of(m, &arena);
  return arena.overflow ? SIZE_MAX : arena.used;
}
static void commit(l2o_model *m) {
  l2o_arena arena = {.base = m->table};
  l2o_recurrent_build(table_of(m, &arena), m, 0);
}

/* the network's, then dM and dm, (H, 3) */
static size_t sum_len(const l2o_model *m) {
  const l2o_recurrent_shape shape = shape_of_model(m);
  return l2o_recurrent_sum_len(&shape) + (embeds(m) ? (L2O_BLACKBOX_FEATURES + 1) * shape.hidden : 0);
}
static void gradient(const l2o_model *m, double *out, const double *sum) {
  const l2o_recurrent_shape shape = shape_of_model(m);
  l2o_recurrent_gradient(out, sum, &shape);
  if (!embeds(m))
    return;
  double *weight = out + m->tensors[embedding(m)].offset, *bias = out + m->tensors[embedding(m) + 1].offset;
  sum += l2o_recurrent_sum_len(&shape);
  for (size_t k = 0; k < shape.hidden; k++, sum += L2O_BLACKBOX_FEATURES + 1) {
    memcpy(weight + L2O_BLACKBOX_FEATURES * k, sum, L2O_BLACKBOX_FEATURES * sizeof *sum);
    bias[k] = sum[L2O_BLACKBOX_FEATURES];
  }
}
static double step_scale(const l2o_model *m) {
  (void)m;
  return 1;
}

size_t l2o_blackbox_state_len(const l2o_model *model, size_t n) {
  const l2o_recurrent_shape shape = shape_of_model(model);
  return l2o_recurrent_state_len(&shape, n);
}
/* w (n); u (2, n) and elu(M u + m) (H, n); the network's */
size_t l2o_blackbox_tape_len(const l2o_model *model, size_t n) {
  const l2o_recurrent_shape shape = shape_of_model(model);
  return (embeds(model) ? 1 + L2O_BLACKBOX_FEATURES + shape.hidden : 1) * n + l2o_recurrent_tape_len(&shape, n);
}
/* elu(M u + m), or what is wanted of it, (H, n); the network's */
size_t l2o_blackbox_scratch_len(const l2o_model *model, size_t n) {
  const l2o_recurrent_shape shape = shape_of_model(model);
  return (embeds(model) ? shape.hidden * n : 0) + l2o_recurrent_scratch_len(&shape, n);
}

/* t where t > 0, else exp(t) - 1, in place */
static void elu(l2o_real *t, size_t n) {
  enum { BLOCK = 256 };
  l2o_real e[BLOCK];
  for (size_t first = 0; first < n; first += BLOCK, t += BLOCK) {
    const size_t count = n - first < BLOCK ? n - first : BLOCK;
    for (size_t i = 0; i < count; i++)
      e[i] = t[i] > 0 ? 0 : t[i];
    l2o_exp(e, e, count);
    for (size_t i = 0; i < count; i++)
      t[i] = t[i] > 0 ? t[i] : e[i] - 1;
  }
}
/* elu' from elu */
static l2o_real elu_slope(l2o_real y) {
  return y > 0 ? 1 : y + 1;
}

void l2o_blackbox_forward(const l2o_model *model, l2o_real *w, l2o_real *state, l2o_real *tape, l2o_real *scratch,
                          const l2o_real *u, size_t n) {
  const l2o_recurrent *net = model->table;
  const size_t H = net->shape.hidden;
  if (embeds(model)) {
    const l2o_real *M = l2o_model_values(model, embedding(model)), *m = l2o_model_values(model, embedding(model) + 1);
    l2o_real *e = tape ? tape + (1 + L2O_BLACKBOX_FEATURES) * n : scratch;
    for (size_t k = 0; k < H; k++)
      for (size_t i = 0; i < n; i++)
        e[k * n + i] = M[2 * k] * u[i] + M[2 * k + 1] * u[n + i] + m[k];
    elu(e, H * n);
    if (tape)
      memcpy(tape + n, u, L2O_BLACKBOX_FEATURES * n * sizeof *tape);
    l2o_recurrent_forward(net, w, state, tape ? e + H * n : NULL, scratch + H * n, e, n);
    l2o_tanh(w, w, n);
  } else {
    l2o_recurrent_forward(net, w, state, tape ? tape + n : NULL, scratch, u, n);
    elu(w, n);
  }
  if (tape)
    memcpy(tape, w, n * sizeof *tape);
}

void l2o_blackbox_backward(const l2o_model *model, double *sum, l2o_real *du, l2o_real *dstate, l2o_real *dw, const l2o_real *tape,
                           l2o_real *scratch, size_t n) {
  const l2o_recurrent *net = model->table;
  const size_t H = net->shape.hidden;
  const l2o_real *w = tape;
  if (!embeds(model)) {
    for (size_t i = 0; i < n; i++)
      dw[i] *= elu_slope(w[i]);
    l2o_recurrent_backward(net, sum, du, dstate, dw, tape + n, scratch, n);
    return;
  }
  const l2o_real *M = l2o_model_values(model, embedding(model)), *u = tape + n, *e = u + L2O_BLACKBOX_FEATURES * n;
  l2o_real *de = scratch;
  for (size_t i = 0; i < n; i++)
    dw[i] *= 1 - w[i] * w[i];
  memset(de, 0, H * n * sizeof *de);
  l2o_recurrent_backward(net, sum, de, dstate, dw, e + H * n, scratch + H * n, n);
  sum += l2o_recurrent_sum_len(&net->shape);
  for (size_t k = 0; k < H; k++, sum += L2O_BLACKBOX_FEATURES + 1) /* e = elu(M u + m) */
    for (size_t i = 0; i < n; i++) {
      const l2o_real d = de[k * n + i] * elu_slope(e[k * n + i]);
      sum[0] += (double)d * (double)u[i];
      sum[1] += (double)d * (double)u[n + i];
      sum[2] += (double)d;
      if (du) {
        du[i] += M[2 * k] * d;
        du[n + i] += M[2 * k + 1] * d;
      }
    }
}

#define COMMON                                                                                                                     \
  .initialise = initialise, .table_bytes = table_bytes, .commit = commit, .sum_len = sum_len, .gradient = gradient,                \
  .step_scale = step_scale
const l2o_model_type l2o_model_type_l2o_dm = {
    .kind = {.name = "l2o-dm", .meaning = "recurrent network 2 -> H -> update", .options = dm_options},
    .describe = describe_dm,
    COMMON,
};
const l2o_model_type l2o_model_type_rnnprop = {
    .kind = {.name = "rnnprop",
             .meaning = "recurrent network 2 -> H -> H -> update of normalised gradients",
             .options = rnnprop_options},
    .describe = describe_rnnprop,
    COMMON,
};
