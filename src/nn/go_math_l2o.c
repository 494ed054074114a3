/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/go_math_l2o.h"

static const l2o_option options[] = {
    {"hidden", L2O_OPTION_INT, 20, 1, 1024, NULL, "hidden units H of every layer"},
    {"layers", L2O_OPTION_INT, 2, 1, L2O_RECURRENT_LAYERS_MAX, NULL, "layers of the recurrent network"},
    {"variant", L2O_OPTION_CHOICE, L2O_GO_PROPOSED, 0, 0, "proposed|std|lh",
     "what the history averages: x - x+; std, lh: that, without or with the history's share, divided by the step sizes"},
    {"biases", L2O_OPTION_CHOICE, 0, 0, 0, "off|on", "two more heads, added to the step and to the history"},
    {"r_norm", L2O_OPTION_CHOICE, L2O_SCALE_SIGMOID2, 0, 0, L2O_OUTPUT_SCALES, "from raw output to step sizes R, in base steps"},
    {"q_norm", L2O_OPTION_CHOICE, L2O_SCALE_SIGMOID2, 0, 0, L2O_OUTPUT_SCALES, "to the share Q of the history in a step"},
    {"b_norm", L2O_OPTION_CHOICE, L2O_SCALE_SIGMOID, 0, 0, L2O_OUTPUT_SCALES, "to the decay B of the history"},
    {"r_scale", L2O_OPTION_REAL, 1, 1e-6, 1e6, NULL, "factor of R"},
    {"q_scale", L2O_OPTION_REAL, 1, 1e-6, 1e6, NULL, "factor of Q"},
    {"b_scale", L2O_OPTION_REAL, 1, 1e-6, 1e6, NULL, "factor of B"},
    {"scales", L2O_OPTION_CHOICE, 0, 0, 0, "fixed|learned", "train these factors too"},
    {"history", L2O_OPTION_CHOICE, L2O_GO_ONE, 0, 0, "one|root|step|square", "Q times 1, sqrt(s), s or s^2, s the base step"},
    {"state", L2O_OPTION_CHOICE, 0, 0, 0, "zero|normal", "state of the network at a start: zero, or N(0, 1) by the run's seed"},
    {"start", L2O_OPTION_CHOICE, 0, 0, 0, "calm|glorot", "initial weights: heads that make it nearly ista; the published ones"},
    {"step_scale", L2O_OPTION_REAL, 0.9999, 1e-12, 1e6, NULL, "base step times L"},
    {0},
};

static const l2o_head_names names[L2O_GO_HEADS] = {
    {"linear_r.weight", "linear_r.bias", "r_scale"},    {"linear_q.weight", "linear_q.bias", "q_scale"},
    {"linear_b.weight", "linear_b.bias", "b_scale"},    {"linear_b3.weight", "linear_b3.bias", "b3_scale"},
    {"linear_b4.weight", "linear_b4.bias", "b4_scale"},
};

static l2o_heads_shape shape_of(const double *o) {
  const bool biases = o[L2O_GO_BIASES] > 0;
  return (l2o_heads_shape){
      .network = {.inputs = L2O_GO_FEATURES,
                  .layers = (size_t)o[L2O_GO_LAYERS],
                  .hidden = (size_t)o[L2O_GO_HIDDEN],
                  .outputs = biases ? L2O_GO_HEADS : L2O_GO_B3},
      .count = L2O_GO_HEADS,
      .used = {true, true, true, biases, biases},
      .scales_learned = o[L2O_GO_SCALES] > 0,
      .norm = {(l2o_output_scale)o[L2O_GO_R_NORM], (l2o_output_scale)o[L2O_GO_Q_NORM], (l2o_output_scale)o[L2O_GO_B_NORM],
               L2O_SCALE_SIGMOID, L2O_SCALE_SIGMOID},
      .scale = {o[L2O_GO_R_SCALE], o[L2O_GO_Q_SCALE], o[L2O_GO_B_SCALE], 1, 1},
      .start = {1, 0.02, 0.5, 0, 0},
  };
}

static const l2o_heads_kind heads = {.shape = shape_of,
                                     .names = names,
                                     .start = L2O_GO_START,
                                     .step_scale = L2O_GO_STEP_SCALE,
                                     .starts = {L2O_HEADS_CALM, L2O_HEADS_GLOROT}};

static size_t describe(l2o_model_tensor *tensors, const double *o) {
  return l2o_heads_describe(tensors, o, &heads);
}

const l2o_model_type l2o_model_type_go_math_l2o = {
    .kind = {.name = "go-math-l2o", .meaning = "recurrent network 3 -> H -> R, Q, B of GO-Math-L2O", .options = options},
    .describe = describe,
    .heads = &heads,
    L2O_HEADS_OPERATIONS,
};
