/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/bfgs_lstm.h"
#include <math.h>

static const l2o_option options[] = {
    {"hidden", L2O_OPTION_INT, 20, 1, 1024, NULL, "hidden units H of every layer"},
    {"layers", L2O_OPTION_INT, 2, 1, L2O_RECURRENT_LAYERS_MAX, NULL, "layers of the recurrent network"},
    {"output", L2O_OPTION_CHOICE, L2O_BFGS_LSTM_SIGMOID, 0, 0, "sigmoid|clip",
     "from raw output o to factor q: p_high / (1 + exp(-o)); 1 + o, kept between p_low and p_high"},
    {"p_low", L2O_OPTION_REAL, 0.01, 0, 0.999, NULL, "least factor, of output=clip"},
    {"p_high", L2O_OPTION_REAL, 4, 1.001, 1e6, NULL, "largest factor"},
    {"steps", L2O_OPTION_CHOICE, L2O_BFGS_LSTM_COORDINATE, 0, 0, "coordinate|scalar",
     "a factor for each coordinate, or their mean for all"},
    {"gate", L2O_OPTION_INT, 30, 0, 1e9, NULL, "iterations K0 after which factors fade to 1 as K0/(k+1); 0: never"},
    {"safeguard", L2O_OPTION_REAL, 0.1, 0, 0.99, NULL, "share of the slope of the BFGS direction that a step keeps; 0: none"},
    {"h0", L2O_OPTION_CHOICE, 0, 0, 0, "scaled|identity|lipschitz|hessian",
     "first inverse Hessian: I, then s'y / y'y I before the first update; I; I / L of the problem; I / largest eigenvalue at x_0, "
     "I "
     "where none is positive"},
    {"rescale", L2O_OPTION_CHOICE, 0, 0, 0, "off|on", "enlarge an inverse Hessian that is too small before an update"},
    {"features", L2O_OPTION_CHOICE, 0, 0, 0, "linear|linear+log",
     "inputs: gradient, direction, last y and s, last factor, progress, angle; and the logarithms of the sizes of the first four"},
    {0},
};

static l2o_recurrent_shape shape_of(const double *o) {
  return (l2o_recurrent_shape){.inputs = o[L2O_BFGS_LSTM_INPUTS] > 0 ? L2O_BFGS_LSTM_FEATURES_MAX : L2O_BFGS_LSTM_FEATURES,
                               .layers = (size_t)o[L2O_BFGS_LSTM_LAYERS],
                               .hidden = (size_t)o[L2O_BFGS_LSTM_HIDDEN],
                               .outputs = 1};
}

static size_t describe(l2o_model_tensor *t, const double *o) {
  static const char *const heads[] = {"head.weight", "head.bias"};
  const l2o_recurrent_shape shape = shape_of(o);
  return l2o_recurrent_describe(t, &shape, heads);
}

static l2o_recurrent *table_of(const l2o_model *m, l2o_arena *arena) {
  const l2o_recurrent_shape shape = shape_of(m->options);
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

const l2o_recurrent *l2o_bfgs_lstm_network(const l2o_model *model) {
  return model->table;
}

/* o = head.bias gives q = 1. */
static l2o_status initialise(l2o_model *m, uint64_t seed) {
  const l2o_recurrent_shape shape = shape_of(m->options);
  l2o_recurrent_initialise(m, 0, &shape, seed);
  *l2o_model_values(m, m->tensor_count - 1) =
      (int)m->options[L2O_BFGS_LSTM_OUTPUT] == L2O_BFGS_LSTM_SIGMOID ? (l2o_real)-log(m->options[L2O_BFGS_LSTM_P_HIGH] - 1) : 0;
  return L2O_OK;
}

static size_t sum_len(const l2o_model *m) {
  const l2o_recurrent_shape shape = shape_of(m->options);
  return l2o_recurrent_sum_len(&shape);
}

static void gradient(const l2o_model *m, double *out, const double *sum) {
  const l2o_recurrent_shape shape = shape_of(m->options);
  l2o_recurrent_gradient(out, sum, &shape);
}

static double step_scale(const l2o_model *m) {
  (void)m;
  return 1;
}

const l2o_model_type l2o_model_type_bfgs_lstm = {
    .kind = {.name = "bfgs-lstm", .meaning = "recurrent network 7 -> H -> 1 for the step factors of BFGS", .options = options},
    .describe = describe,
    .initialise = initialise,
    .table_bytes = table_bytes,
    .commit = commit,
    .sum_len = sum_len,
    .gradient = gradient,
    .step_scale = step_scale,
};
