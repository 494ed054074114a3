/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/l2o_pa.h"

static const l2o_option options[] = {
    {"hidden", L2O_OPTION_INT, 20, 1, 1024, NULL, "hidden units H of every layer"},
    {"layers", L2O_OPTION_INT, 2, 1, L2O_RECURRENT_LAYERS_MAX, NULL, "layers of the recurrent network"},
    {"p", L2O_OPTION_CHOICE, 1, 0, 0, "off|on", "head P, the step sizes; off: base steps"},
    {"a", L2O_OPTION_CHOICE, 1, 0, 0, "off|on", "head A, the momentum; off: none"},
    {"b", L2O_OPTION_CHOICE, 0, 0, 0, "off|on",
     "head B, the weight of x beside that of the point before momentum; costs a gradient"},
    {"b1", L2O_OPTION_CHOICE, 0, 0, 0, "off|on", "head B1, added before the prox"},
    {"b2", L2O_OPTION_CHOICE, 0, 0, 0, "off|on", "head B2, added after the momentum"},
    {"p_norm", L2O_OPTION_CHOICE, L2O_SCALE_SIGMOID2, 0, 0, L2O_OUTPUT_SCALES, "from raw output to P, in base steps"},
    {"a_norm", L2O_OPTION_CHOICE, L2O_SCALE_SIGMOID2, 0, 0, L2O_OUTPUT_SCALES, "to A"},
    {"b_norm", L2O_OPTION_CHOICE, L2O_SCALE_SIGMOID2, 0, 0, L2O_OUTPUT_SCALES, "to B, B1 and B2"},
    {"p_scale", L2O_OPTION_REAL, 1, 1e-6, 1e6, NULL, "factor of P"},
    {"a_scale", L2O_OPTION_REAL, 1, 1e-6, 1e6, NULL, "factor of A"},
    {"b_scale", L2O_OPTION_REAL, 1, 1e-6, 1e6, NULL, "factor of B"},
    {"scales", L2O_OPTION_CHOICE, 0, 0, 0, "fixed|learned", "train the factors too"},
    {"state", L2O_OPTION_CHOICE, 0, 0, 0, "zero|normal", "state of the network at a start: zero, or N(0, 1) by the run's seed"},
    {"start", L2O_OPTION_CHOICE, 0, 0, 0, "calm|torch|published",
     "initial weights: heads that make it nearly ista; PyTorch's defaults; the published ones, by PyTorch's generator"},
    {"step_scale", L2O_OPTION_REAL, 0.9999, 1e-12, 1e6, NULL, "base step times L"},
    {0},
};

static const l2o_head_names names[L2O_PA_HEADS] = {
    {"linear_p.weight", "linear_p.bias", "p_scale"},    {"linear_a.weight", "linear_a.bias", "a_scale"},
    {"linear_b.weight", "linear_b.bias", "b_scale"},    {"linear_b1.weight", "linear_b1.bias", "b1_scale"},
    {"linear_b2.weight", "linear_b2.bias", "b2_scale"},
};

static l2o_heads_shape shape_of(const double *o) {
  const l2o_output_scale b_norm = (l2o_output_scale)o[L2O_PA_B_NORM];
  l2o_heads_shape shape = {
      .network = {.inputs = L2O_PA_FEATURES, .layers = (size_t)o[L2O_PA_LAYERS], .hidden = (size_t)o[L2O_PA_HIDDEN]},
      .count = L2O_PA_HEADS,
      .scales_learned = o[L2O_PA_SCALES] > 0,
      .norm = {(l2o_output_scale)o[L2O_PA_P_NORM], (l2o_output_scale)o[L2O_PA_A_NORM], b_norm, b_norm, b_norm},
      .scale = {o[L2O_PA_P_SCALE], o[L2O_PA_A_SCALE], o[L2O_PA_B_SCALE], 1, 1},
      .start = {1, 0.02, 1, 0, 0},
  };
  for (size_t h = 0; h < L2O_PA_HEADS; h++) {
    shape.used[h] = o[L2O_PA_USES + h] > 0;
    shape.network.outputs += shape.used[h];
  }
  return shape;
}

static const l2o_heads_kind heads = {.shape = shape_of,
                                     .names = names,
                                     .start = L2O_PA_START,
                                     .step_scale = L2O_PA_STEP_SCALE,
                                     .starts = {L2O_HEADS_CALM, L2O_HEADS_TORCH, L2O_HEADS_REPLAYED},
                                     .made = {L2O_PA_P, L2O_PA_B, L2O_PA_B1, L2O_PA_B2, L2O_PA_A}};

static size_t describe(l2o_model_tensor *tensors, const double *o) {
  return l2o_heads_describe(tensors, o, &heads);
}

const l2o_model_type l2o_model_type_l2o_pa = {
    .kind = {.name = "l2o-pa", .meaning = "recurrent network 2 -> H -> P, A (B, B1, B2) of Math-L2O", .options = options},
    .describe = describe,
    .heads = &heads,
    L2O_HEADS_OPERATIONS,
};
