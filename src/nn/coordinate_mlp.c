/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/coordinate_mlp.h"
#include "core/arena.h"
#include "core/linalg.h"
#include "core/mersenne_twister.h"
#include "nn/coordinate_layers.h"
#include "nn/output_scale.h"
#include <l2o/random.h>
#include <stdlib.h>
#include <string.h>

enum { W1, W2, W3, P_SCALE };                                                              /* tensors */
enum { HIDDEN, EXPANSION, FEATURES, SCALE, STEP_SCALE, LEARN_SCALE, EVALUATION, SAMPLER }; /* options */
enum { GRAD_X, X_GRAD, GRAD, X };
enum { AUTO, ANGULAR, DENSE };
enum { PHILOX, TORCH };

static const l2o_option options[] = {
    {"hidden", L2O_OPTION_INT, 1024, 1, 1e6, NULL, "width H of the wide layer"},
    {"expansion", L2O_OPTION_REAL, 100, 0, 1e6, NULL, "factor e of the orthogonal initial weights"},
    {"features", L2O_OPTION_CHOICE, GRAD_X, 0, 0, "grad+x|x+grad|grad|x", "inputs of the network, in this order"},
    {"scale", L2O_OPTION_CHOICE, L2O_SCALE_SIGMOID2, 0, 0, L2O_OUTPUT_SCALES,
     "from raw output to step factor; gaussian is 0 at the initial weights and does not train from there"},
    {"step_scale", L2O_OPTION_REAL, 0.9999, 1e-12, 1e6, NULL, "base step times L"},
    {"learn_scale", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "train p_scale too"},
    {"evaluation", L2O_OPTION_CHOICE, AUTO, 0, 0, "auto|angular|dense", "angular needs two features; auto takes it where it can"},
    {"sampler", L2O_OPTION_CHOICE, PHILOX, 0, 0, "philox|torch", "initial weights from our streams, or the published code's"},
    {0},
};

static size_t features(const double *o) {
  return (int)o[FEATURES] == GRAD_X || (int)o[FEATURES] == X_GRAD ? 2 : 1;
}
static size_t hidden(const double *o) {
  return (size_t)o[HIDDEN];
}
static bool is_angular(const l2o_model *m) {
  return features(m->options) == 2 && (int)m->options[EVALUATION] != DENSE;
}

static size_t describe(l2o_model_tensor *t, const double *o) {
  size_t F = features(o), H = hidden(o);
  t[W1] = (l2o_model_tensor){.name = "dnn.0.weight", .rank = 2, .shape = {F, F}, .learned = true};
  t[W2] = (l2o_model_tensor){.name = "linear.weight", .rank = 2, .shape = {F, H}, .learned = true};
  t[W3] = (l2o_model_tensor){.name = "linear_p.weight", .rank = 2, .shape = {H, 1}, .learned = true};
  t[P_SCALE] = (l2o_model_tensor){.name = "p_scale", .rank = 0, .learned = o[LEARN_SCALE] != 0};
  return 4;
}

static l2o_angular *table_of(const l2o_model *m, l2o_arena *arena) {
  l2o_angular *table = l2o_take(arena, 1, sizeof *table), measured;
  l2o_angular_layout(table ? table : &measured, arena, hidden(m->options));
  return table;
}

static size_t table_bytes(const l2o_model *m) {
  if (!is_angular(m))
    return 0;
  l2o_arena arena = {0};
  table_of(m, &arena);
  return arena.overflow ? SIZE_MAX : arena.used;
}

static void commit(l2o_model *m) {
  if (!is_angular(m))
    return;
  l2o_arena arena = {.base = m->table};
  l2o_angular_build(table_of(m, &arena), l2o_model_values(m, W2), l2o_model_values(m, W3), hidden(m->options));
}

/* Coordinates that are taken together: what lies between two operations stays in the first-level cache. */
enum { BLOCK = 512 };

/* Coordinates first .. first + count, their features in the model's order. */
static l2o_coordinates coordinates(const l2o_model *m, const l2o_real *g, const l2o_real *x, size_t first, size_t count) {
  const l2o_real *w1 = l2o_model_values(m, W1);
  const int order = (int)m->options[FEATURES];
  const bool two = features(m->options) == 2, gradient_first = order == GRAD_X || order == GRAD;
  l2o_coordinates c = {.u0 = (gradient_first ? g : x) + first, .u1 = two ? (gradient_first ? x : g) + first : NULL, .n = count};
  for (size_t j = 0; j < (two ? 4 : 1); j++)
    c.w1[j] = (double)w1[j];
  return c;
}

/* a of some coordinates; places: NULL or, if angular, their intervals */
static void raw_output(const l2o_model *m, l2o_real *a, int32_t *places, const l2o_coordinates *c) {
  if (is_angular(m))
    l2o_angular_forward(m->table, a, places, c);
  else
    l2o_dense_forward(a, l2o_model_values(m, W2), l2o_model_values(m, W3), hidden(m->options), c);
}

/* record: slopes (n), then places (n) */
size_t l2o_coordinate_record_len(size_t n) {
  return n + (n * sizeof(int32_t) + sizeof(l2o_real) - 1) / sizeof(l2o_real);
}

void l2o_coordinate_mlp_forward(const l2o_model *m, l2o_real *p, l2o_real *record, const l2o_real *g, const l2o_real *x, size_t n) {
  const l2o_output_scale scale = (l2o_output_scale)m->options[SCALE];
  const l2o_real factor = *l2o_model_values(m, P_SCALE);
  int32_t *places = record ? (int32_t *)(void *)(record + n) : NULL;
  for (size_t first = 0; first < n; first += BLOCK) {
    const size_t count = n - first < BLOCK ? n - first : BLOCK;
    const l2o_coordinates c = coordinates(m, g, x, first, count);
    l2o_real *value = p + first;
    raw_output(m, value, places ? places + first : NULL, &c);
    if (record)
      l2o_output_scale_slopes(value, record + first, value, scale, count);
    else
      l2o_output_scale_forward(value, value, scale, count);
    for (size_t i = 0; factor != 1 && i < count; i++)
      value[i] *= factor;
  }
}

/* Accumulators. Dense: dW1, dW2, dw3, dc as they are. Angular: dW1 (4), dc, nothing, then D (H + 1, 2), D_k the sum of da z over
 * the coordinates in interval k. */
enum { ANGULAR_SUMS = 6 };
static size_t sum_len(const l2o_model *m) {
  return is_angular(m) ? ANGULAR_SUMS + 2 * (hidden(m->options) + 1) : m->parameter_count;
}

void l2o_coordinate_mlp_backward(const l2o_model *m, double *sum, l2o_real *dg, l2o_real *dx, const l2o_real *dp, const l2o_real *p,
                                 const l2o_real *record, const l2o_real *g, const l2o_real *x, size_t n) {
  const l2o_real factor = *l2o_model_values(m, P_SCALE);
  const int32_t *places = (const int32_t *)(const void *)(record + n);
  const bool angular = is_angular(m), whole = dg && dx;
  l2o_real value[BLOCK];
  for (size_t first = 0; first < n; first += BLOCK) {
    const size_t count = n - first < BLOCK ? n - first : BLOCK;
    const l2o_coordinates c = coordinates(m, g, x, first, count);
    l2o_coordinates_back back = {
        .dp = dp + first,
        .slope = record + first,
        .value = p + first,
        .factor = (double)factor,
        .dw1 = sum + (angular ? 0 : m->tensors[W1].offset),
        .dfactor = sum + (angular ? 4 : m->tensors[P_SCALE].offset),
    };
    if (factor != 1) { /* dc = sum value dp, value = p / c: evaluated again, for c may be 0 */
      raw_output(m, value, NULL, &c);
      l2o_output_scale_forward(value, value, (l2o_output_scale)m->options[SCALE], count);
      back.value = value;
    }
    if (whole) {
      const bool gradient_first = c.u0 == g + first;
      back.du0 = (gradient_first ? dg : dx) + first;
      back.du1 = c.u1 ? (gradient_first ? dx : dg) + first : NULL;
    }
    if (angular)
      l2o_angular_backward(m->table, (double(*)[2])(sum + ANGULAR_SUMS), &back, places + first, &c);
    else
      l2o_dense_backward(sum + m->tensors[W2].offset, sum + m->tensors[W3].offset, &back, l2o_model_values(m, W2),
                         l2o_model_values(m, W3), hidden(m->options), &c);
  }
}

static void gradient(const l2o_model *m, double *out, const double *sum) {
  if (!is_angular(m)) {
    memcpy(out, sum, m->parameter_count * sizeof *out);
    return;
  }
  memcpy(out + m->tensors[W1].offset, sum, 4 * sizeof *out);
  out[m->tensors[P_SCALE].offset] = sum[4];
  l2o_angular_gradient(m->table, out + m->tensors[W2].offset, out + m->tensors[W3].offset, (const double(*)[2])(sum + ANGULAR_SUMS),
                       l2o_model_values(m, W2), l2o_model_values(m, W3), hidden(m->options));
}

static double step_scale(const l2o_model *m) {
  return m->options[STEP_SCALE];
}

/* e Q, Q from the QR decomposition of a Gaussian matrix with R's diagonal positive; (rows, columns) as stored. */
static l2o_status orthogonal(l2o_real *out, double *normal, size_t rows, size_t columns, double e) {
  double *tall = malloc(rows * columns * sizeof *tall);
  if (!tall)
    return L2O_ERR_NOMEM;
  bool flip = rows < columns;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      tall[flip ? j * rows + i : i * columns + j] = normal[i * columns + j];
  l2o_status status = l2o_orthogonalise(tall, flip ? columns : rows, flip ? rows : columns);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      out[i * columns + j] = (l2o_real)(e * tall[flip ? j * rows + i : i * columns + j]);
  free(tall);
  return status;
}

/* W1 = e Q1, W2 = e Q2, w3 = 0, p_scale = 1: with scale sigmoid2 (or exp) p = 1, and the rule is gradient descent. */
static l2o_status initialise(l2o_model *m, uint64_t seed) {
  size_t F = features(m->options), H = hidden(m->options);
  double *normal = malloc(F * (F + H) * sizeof *normal), e = m->options[EXPANSION];
  if (!normal)
    return L2O_ERR_NOMEM;
  double *first = normal, *second = normal + F * F;
  if ((int)m->options[SAMPLER] == TORCH) {
    /* the published code draws each layer's uniform initial values first and then overwrites them */
    uint64_t used = F * F;
    used += l2o_torch_normal(first, (uint32_t)seed, used, 0, F * F, F * F);
    l2o_torch_normal(second, (uint32_t)seed, used + F * H, 0, F * H, F * H);
  } else {
    l2o_rng rng;
    l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), 0, 0);
    l2o_rng_normal(&rng, normal, F * (F + H));
  }
  l2o_status status = orthogonal(l2o_model_values(m, W1), first, F, F, e);
  if (!status)
    status = orthogonal(l2o_model_values(m, W2), second, F, H, e);
  memset(l2o_model_values(m, W3), 0, H * sizeof(l2o_real));
  *l2o_model_values(m, P_SCALE) = 1;
  free(normal);
  return status;
}

/* One network, a kind for each rule that it is trained for: a model file says by its kind which rule reads it. */
#define COORDINATE_MLP(rule, text)                                                                                                 \
  {                                                                                                                                \
    .kind = {.name = rule, .meaning = text, .options = options}, .describe = describe, .initialise = initialise,                   \
    .table_bytes = table_bytes, .commit = commit, .sum_len = sum_len, .gradient = gradient, .step_scale = step_scale,              \
  }

const l2o_model_type l2o_model_type_math_l2o_gd =
    COORDINATE_MLP("math-l2o-gd", "coordinate-wise network F -> F -> H -> 1 for the step factors of gradient descent");
const l2o_model_type l2o_model_type_math_l2o_nesterov =
    COORDINATE_MLP("math-l2o-nesterov", "the same network for the step factors of Nesterov's method");
