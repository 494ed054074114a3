/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/rate_network.h"
#include "core/diag.h"
#include <l2o/random.h>
#include <math.h>
#include <string.h>

/* ---- options ---- */

/* First in both tables. */
enum { LAYERS, HIDDEN, SHARED, MOMENTUM, COMMON };
#define COMMON_OPTIONS                                                                                                             \
  {"layers", L2O_OPTION_INT, 10, 1, 1000, NULL, "layers; iterations beyond them repeat the last one"},                             \
      {"hidden", L2O_OPTION_INT, 16, 1, 1024, NULL, "units of every layer of the network"},                                        \
      {"shared", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "one network for all layers, or one a layer"}, {                        \
    "momentum", L2O_OPTION_CHOICE, 1, 0, 0, "false|true", "learned momentum"                                                       \
  }

enum { TRACE = 2 };
enum { LO_PRODUCTS = COMMON, LO_STEP, LO_SAFE, LO_LAMBDA, LO_TX, LO_LIFT, LO_RANK };
static const l2o_option lo_options[] = {
    COMMON_OPTIONS,
    {"products", L2O_OPTION_INT, 1, 0, L2O_RATE_PRODUCTS_MAX, NULL, "powers of the curvature D that the update contains"},
    {"step", L2O_OPTION_CHOICE, 0, 0, 0, "free|bounded", "steps exp(o) / lambda, or 2 sigmoid(o) / lambda, below 2"},
    {"safe", L2O_OPTION_CHOICE, 0, 0, 0, "false|true",
     "one bounded step a base station, neither momentum nor products: the rate never falls"},
    {"lambda", L2O_OPTION_CHOICE, TRACE, 0, 0, "eigenvalue|norm|trace", "bound of the curvature, as of fastfp"},
    {"tx", L2O_OPTION_INT, 0, 0, L2O_RATE_LIFT_MAX, NULL, "antennas of a base station where lift or rank is not 0"},
    {"lift", L2O_OPTION_INT, 0, 0, L2O_RATE_LIFT_MAX, NULL, "dimension m >= tx that precoders are lifted to; 0: none"},
    {"rank", L2O_OPTION_INT, 0, 0, 16, NULL, "learned directions that have steps of their own"},
    {0},
};
enum { PGA_STEPS = COMMON, PGA_STEP };
static const l2o_option pga_options[] = {
    COMMON_OPTIONS,
    {"steps", L2O_OPTION_CHOICE, 0, 0, 0, "scalar|network",
     "one step for all users of all problems in a layer, or from the network"},
    {"step", L2O_OPTION_REAL, 0.2, 1e-12, 1e12, NULL, "initial step along dR / dV*, R in nats"},
    {0},
};

/* What lifts or turns is for one number of antennas, and safe steps do neither. */
static l2o_status check_lo(const double *o, l2o_diag *diag) {
  const size_t tx = (size_t)o[LO_TX], lift = (size_t)o[LO_LIFT], rank = (size_t)o[LO_RANK], m = lift > tx ? lift : tx;
  if (!lift && !rank)
    return L2O_OK;
  if (o[LO_SAFE] > 0)
    return l2o_fail(diag, L2O_ERR_ARG, "sum-rate-lo: safe=true has one step a base station; expected lift=0 and rank=0");
  if (!tx)
    return l2o_fail(diag, L2O_ERR_ARG, "sum-rate-lo: lift = %zu, rank = %zu need tx, the antennas of a base station", lift, rank);
  if (lift && lift < tx)
    return l2o_fail(diag, L2O_ERR_ARG, "sum-rate-lo: lift = %zu: expected 0, or tx = %zu or more", lift, tx);
  if (rank > m)
    return l2o_fail(diag, L2O_ERR_ARG, "sum-rate-lo: rank = %zu: expected at most the %zu dimensions there are", rank, m);
  return L2O_OK;
}

static bool is_lo(const l2o_model_type *type) {
  return type == &l2o_model_type_sum_rate_lo;
}

/* Everything that the options say. */
static l2o_rate_network shape_of(const double *o, bool lo) {
  l2o_rate_network net = {.layers = (size_t)o[LAYERS],
                          .hidden = (size_t)o[HIDDEN],
                          .shared = o[SHARED] > 0,
                          .momentum = o[MOMENTUM] > 0,
                          .network = true,
                          .step = 1};
  if (lo) {
    net.safe = o[LO_SAFE] > 0;
    net.bounded = net.safe || o[LO_STEP] > 0;
    net.momentum &= !net.safe;
    net.products = net.safe ? 0 : (size_t)o[LO_PRODUCTS];
    net.scaled = true;
    net.bound = (int)o[LO_LAMBDA];
    const size_t tx = (size_t)o[LO_TX], lift = (size_t)o[LO_LIFT], rank = (size_t)o[LO_RANK];
    if (lift || rank)
      net.lift = (l2o_rate_lift){.tx = tx, .m = lift ? lift : tx, .r = rank};
  } else {
    net.network = o[PGA_STEPS] > 0;
    net.step = o[PGA_STEP];
  }
  net.outputs = 1 + net.momentum + net.products + net.lift.r;
  return net;
}
static bool has_Q(const double *o, const l2o_rate_network *net) {
  return net->lift.m && o[LO_LIFT] > 0;
}

/* ---- tensors ---- */

enum { A, B, C, W1, B1, W2, B2, W3, BIAS, NETWORK_TENSORS };

static size_t describe_network(l2o_model_tensor *t, const l2o_rate_network *net) {
  const size_t R = net->shared ? 1 : net->layers, h = net->hidden, F = L2O_RATE_NODE;
  const l2o_model_tensor all[] = {
      [A] = {.name = "message.node.weight", .rank = 3, .shape = {R, h, F}, .learned = true},
      [B] = {.name = "message.edge.weight", .rank = 3, .shape = {R, h, L2O_RATE_EDGE}, .learned = true},
      [C] = {.name = "message.bias", .rank = 2, .shape = {R, h}, .learned = true},
      [W1] = {.name = "node.0.weight", .rank = 3, .shape = {R, h, F + h}, .learned = true},
      [B1] = {.name = "node.0.bias", .rank = 2, .shape = {R, h}, .learned = true},
      [W2] = {.name = "node.1.weight", .rank = 3, .shape = {R, h, h}, .learned = true},
      [B2] = {.name = "node.1.bias", .rank = 2, .shape = {R, h}, .learned = true},
      [W3] = {.name = "output.weight", .rank = 3, .shape = {R, net->outputs, h}, .learned = true},
      [BIAS] = {.name = "output.bias", .rank = 2, .shape = {net->layers, net->outputs}, .learned = true},
  };
  if (net->network) {
    memcpy(t, all, sizeof all);
    return NETWORK_TENSORS;
  }
  *t = all[BIAS];
  return 1;
}

static size_t describe_lo(l2o_model_tensor *t, const double *o) {
  const l2o_rate_network net = shape_of(o, true);
  size_t count = describe_network(t, &net);
  if (has_Q(o, &net))
    t[count++] = (l2o_model_tensor){.name = "lift.weight", .rank = 4, .shape = {1, net.lift.m, net.lift.m, 2}, .learned = true};
  if (net.lift.r)
    t[count++] =
        (l2o_model_tensor){.name = "directions.weight", .rank = 4, .shape = {1, net.lift.m, net.lift.m, 2}, .learned = true};
  return count;
}
static size_t describe_pga(l2o_model_tensor *t, const double *o) {
  const l2o_rate_network net = shape_of(o, false);
  return describe_network(t, &net);
}

/* The tensor of Z for Q, and that for E, if they are there. */
static size_t lift_tensor(const l2o_model *m) {
  return has_Q(m->options, m->table) ? NETWORK_TENSORS : SIZE_MAX;
}
static size_t turn_tensor(const l2o_model *m) {
  const l2o_rate_network *net = m->table;
  return net->lift.r ? NETWORK_TENSORS + (net->lift.Q != NULL) : SIZE_MAX;
}

/* ---- the table ---- */

static l2o_rate_network *table_of(const l2o_model *m, l2o_arena *arena) {
  l2o_rate_network *table = l2o_take(arena, 1, sizeof *table), measured;
  l2o_rate_network *net = table ? table : &measured;
  *net = shape_of(m->options, is_lo(m->type));
  if (net->lift.m)
    l2o_rate_lift_layout(&net->lift, arena, has_Q(m->options, net));
  return table;
}
static size_t table_bytes(const l2o_model *m) {
  l2o_arena arena = {0};
  table_of(m, &arena);
  return arena.overflow ? SIZE_MAX : arena.used;
}

static const l2o_real *values_or_null(const l2o_model *m, size_t tensor) {
  return tensor < m->tensor_count ? l2o_model_values(m, tensor) : NULL;
}

static void commit(l2o_model *m) {
  l2o_arena arena = {.base = m->table};
  l2o_rate_network *net = table_of(m, &arena);
  if (net->network) {
    net->A = l2o_model_values(m, A);
    net->B = l2o_model_values(m, B);
    net->c = l2o_model_values(m, C);
    net->W1 = l2o_model_values(m, W1);
    net->b1 = l2o_model_values(m, B1);
    net->W2 = l2o_model_values(m, W2);
    net->b2 = l2o_model_values(m, B2);
    net->W3 = l2o_model_values(m, W3);
    net->bias = l2o_model_values(m, BIAS);
  } else {
    net->bias = l2o_model_values(m, 0);
  }
  l2o_rate_lift_build(&net->lift, values_or_null(m, lift_tensor(m)), values_or_null(m, turn_tensor(m)));
}

const l2o_rate_network *l2o_rate_network_of(const l2o_model *model) {
  return model->table;
}

/* the parameters' own, of which those of Z stay zero, then Q and E */
static size_t sum_len(const l2o_model *m) {
  return m->parameter_count + l2o_rate_lift_sum_len(&l2o_rate_network_of(m)->lift);
}
static void gradient(const l2o_model *m, double *out, const double *sum) {
  const size_t lift = lift_tensor(m), turn = turn_tensor(m);
  memcpy(out, sum, m->parameter_count * sizeof *out);
  l2o_rate_lift_gradient(&l2o_rate_network_of(m)->lift, lift < SIZE_MAX ? out + m->tensors[lift].offset : NULL,
                         turn < SIZE_MAX ? out + m->tensors[turn].offset : NULL, sum + m->parameter_count);
}

static double step_scale(const l2o_model *m) {
  (void)m;
  return 1;
}

static size_t layers(const l2o_model *m) {
  return l2o_rate_network_of(m)->layers;
}

/* ---- initial values ---- */

/* uniform in +- sqrt(6 / (inputs + outputs)) (Glorot and Bengio, AISTATS 2010) */
static void glorot(const l2o_model *m, size_t tensor, l2o_rng *rng) {
  const l2o_model_tensor *t = &m->tensors[tensor];
  const double bound = sqrt(6 / (double)(t->shape[1] + t->shape[2]));
  for (size_t i = 0; i < t->count; i++)
    l2o_model_values(m, tensor)[i] = (l2o_real)(bound * (2 * l2o_rng_uniform(rng) - 1));
}

/* Glorot's but for W3 and all biases, which are zero; Z ~ N(0, 1 / m) */
static l2o_status initialise(l2o_model *m, uint64_t seed) {
  static const size_t weights[] = {A, B, W1, W2};
  l2o_rng rng;
  l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), 0, 0);
  for (size_t i = 0; i < 4 && m->tensor_count > 1; i++)
    glorot(m, weights[i], &rng);
  for (size_t tensor = NETWORK_TENSORS; tensor < m->tensor_count; tensor++)
    for (size_t i = 0; i < m->tensors[tensor].count; i++) {
      double draw;
      l2o_rng_normal(&rng, &draw, 1);
      l2o_model_values(m, tensor)[i] = (l2o_real)(draw / sqrt((double)m->tensors[tensor].shape[1]));
    }
  return L2O_OK;
}

/* ---- forward, back ---- */

/* record: a, m, y1, y2, and room for the derivatives of two of them; (h, lanes) each */
enum { RECORDED = 6 };
size_t l2o_rate_record_len(const l2o_rate_network *net, size_t n) {
  return net->network ? RECORDED * net->hidden * l2o_lanes(n) : 0;
}

typedef struct layer {
  size_t k, weights; /* its own bias, and weights */
} layer;
static layer layer_at(const l2o_rate_network *net, size_t k) {
  const size_t own = k < net->layers ? k : net->layers - 1;
  return (layer){.k = own, .weights = net->shared ? 0 : own};
}

void l2o_rate_network_forward(const l2o_rate_network *net, l2o_real *o, l2o_real *record, const l2o_real *phi,
                              const l2o_real *edges, size_t k, size_t n) {
  const size_t h = net->hidden, F = L2O_RATE_NODE, lanes = l2o_lanes(n), O = net->outputs;
  const layer l = layer_at(net, k);
  const l2o_real *bias = net->bias + l.k * O;
  if (!net->network) {
    for (size_t i = 0; i < O * lanes; i++)
      o[i] = bias[i / lanes];
    return;
  }
  l2o_real *a = record, *m = a + h * lanes, *y1 = m + h * lanes, *y2 = y1 + h * lanes;
  const l2o_real *Wa = net->A + l.weights * h * F, *We = net->B + l.weights * h * L2O_RATE_EDGE, *c = net->c + l.weights * h;
  const l2o_real *first = net->W1 + l.weights * h * (F + h), *second = net->W2 + l.weights * h * h;
  const l2o_real *last = net->W3 + l.weights * O * h;
  L2O_DISPATCH(l2o_rate_dense, (a, Wa, F, NULL, phi, h, F, false, false, n));
  L2O_DISPATCH(l2o_rate_messages, (m, a, We, c, edges, h, n));
  L2O_DISPATCH(l2o_rate_dense, (y1, first, F + h, net->b1 + l.weights * h, phi, h, F, false, false, n));
  L2O_DISPATCH(l2o_rate_dense, (y1, first + F, F + h, NULL, m, h, h, true, true, n));
  L2O_DISPATCH(l2o_rate_dense, (y2, second, h, net->b2 + l.weights * h, y1, h, h, false, true, n));
  L2O_DISPATCH(l2o_rate_dense, (o, last, h, bias, y2, O, h, false, false, n));
}

void l2o_rate_network_backward(const l2o_model *model, double *sum, const l2o_real *d_o, l2o_real *record, const l2o_real *phi,
                               const l2o_real *edges, size_t k, size_t n) {
  const l2o_rate_network *net = l2o_rate_network_of(model);
  const size_t h = net->hidden, F = L2O_RATE_NODE, lanes = l2o_lanes(n), O = net->outputs;
  const layer l = layer_at(net, k);
  const l2o_model_tensor *t = model->tensors;
  double *dbias = sum + t[net->network ? BIAS : 0].offset + l.k * O;
  if (!net->network) {
    for (size_t i = 0; i < O; i++)
      for (size_t u = 0; u < n; u++)
        dbias[i] += (double)d_o[i * lanes + u];
    return;
  }
  const l2o_real *a = record, *m = a + h * lanes, *y1 = m + h * lanes, *y2 = y1 + h * lanes;
  l2o_real *d1 = record + 4 * h * lanes, *d2 = d1 + h * lanes;
  const l2o_real *We = net->B + l.weights * h * L2O_RATE_EDGE, *c = net->c + l.weights * h;
  const l2o_real *first = net->W1 + l.weights * h * (F + h), *second = net->W2 + l.weights * h * h;
  const l2o_real *last = net->W3 + l.weights * O * h;
  double *dA = sum + t[A].offset + l.weights * h * F, *dB = sum + t[B].offset + l.weights * h * L2O_RATE_EDGE;
  double *dc = sum + t[C].offset + l.weights * h, *dfirst = sum + t[W1].offset + l.weights * h * (F + h);
  double *db1 = sum + t[B1].offset + l.weights * h, *dsecond = sum + t[W2].offset + l.weights * h * h;
  double *db2 = sum + t[B2].offset + l.weights * h, *dlast = sum + t[W3].offset + l.weights * O * h;
  L2O_DISPATCH(l2o_rate_outer_sums, (dlast, h, dbias, d_o, y2, O, h, n));
  L2O_DISPATCH(l2o_rate_dense_back, (d2, last, h, d_o, y2, O, h, n));
  L2O_DISPATCH(l2o_rate_outer_sums, (dsecond, h, db2, d2, y1, h, h, n));
  L2O_DISPATCH(l2o_rate_dense_back, (d1, second, h, d2, y1, h, h, n));
  L2O_DISPATCH(l2o_rate_outer_sums, (dfirst, F + h, db1, d1, phi, h, F, n));
  L2O_DISPATCH(l2o_rate_outer_sums, (dfirst + F, F + h, NULL, d1, m, h, h, n));
  L2O_DISPATCH(l2o_rate_dense_back, (d2, first + F, F + h, d1, NULL, h, h, n));  /* dm */
  L2O_DISPATCH(l2o_rate_messages_back, (d1, dB, dc, d2, a, We, c, edges, h, n)); /* da */
  L2O_DISPATCH(l2o_rate_outer_sums, (dA, F, NULL, d1, phi, h, F, n));
}

#define RATE_NETWORK(rule, text, which, check_options)                                                                             \
  {                                                                                                                                \
    .kind = {.name = rule, .meaning = text, .options = which##_options}, .describe = describe_##which, .check = check_options,     \
    .initialise = initialise, .table_bytes = table_bytes, .commit = commit, .sum_len = sum_len, .gradient = gradient,              \
    .layers = layers, .step_scale = step_scale,                                                                                    \
  }
const l2o_model_type l2o_model_type_sum_rate_lo =
    RATE_NETWORK("sum-rate-lo", "graph network over users for the update of precoders", lo, check_lo);
const l2o_model_type l2o_model_type_sum_rate_pga =
    RATE_NETWORK("sum-rate-pga", "steps and momentum of projected gradient ascent on sums of rates", pga, NULL);
