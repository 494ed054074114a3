/* SPDX-License-Identifier: BSD-3-Clause */
#include "learn/layerwise.h"
#include "core/diag.h"
#include <math.h>

enum { STAGES = 3 };
static const double STAGE_FACTORS[STAGES] = {1, 0.2, 0.02};

static size_t layers_of(const l2o_model *model) {
  return model->type->layers ? model->type->layers(model) : 0;
}

l2o_status l2o_layerwise_check(const l2o_train_settings *s, const l2o_model *model, l2o_diag *diag) {
  const size_t layers = layers_of(model), passes = layers ? s->steps / (STAGES * layers) : 0;
  if (!s->layerwise_rounds)
    return L2O_OK;
  if (!layers)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "layer-wise training is for models with layers (lista and its kin); %s has none",
                    model->type->kind.name);
  if (s->horizon != layers || s->unroll != layers)
    return l2o_fail(diag, L2O_ERR_ARG,
                    "layer-wise training: horizon (%zu) and unroll (%zu) must be the number of the model's layers, %zu", s->horizon,
                    s->unroll, layers);
  if (s->steps == 0 || s->steps % (STAGES * layers) || passes % s->layerwise_rounds)
    return l2o_fail(diag, L2O_ERR_ARG,
                    "layer-wise training: steps (%zu) must be a multiple of rounds x layers x stages, %zu x %zu x %d", s->steps,
                    s->layerwise_rounds, layers, STAGES);
  if (!(s->layer_decay > 0 && s->layer_decay <= 1))
    return l2o_fail(diag, L2O_ERR_ARG, "layer-wise training: the decay from layer to layer must be above 0 and at most 1");
  return L2O_OK;
}

l2o_stage l2o_stage_at(const l2o_train_settings *s, const l2o_model *model, size_t step) {
  if (!s->layerwise_rounds)
    return (l2o_stage){.factor = 1};
  const size_t layers = layers_of(model), length = s->steps / (STAGES * layers) / s->layerwise_rounds, number = step / length;
  return (l2o_stage){.layer = number / STAGES % layers + 1,
                     .stage = number % STAGES + 1,
                     .begins = step % length == 0,
                     .factor = STAGE_FACTORS[number % STAGES]};
}

/* Slices of a tensor that may move by themselves. */
static size_t slices(const l2o_train_settings *s, const l2o_model *model, const l2o_model_tensor *tensor) {
  const size_t layers = s->layerwise_rounds ? layers_of(model) : 0;
  return layers && tensor->rank && tensor->shape[0] == layers ? layers : 1;
}

size_t l2o_stretches_most(const l2o_train_settings *s, const l2o_model *model) {
  size_t most = 0;
  for (size_t i = 0; i < model->tensor_count; i++)
    most += slices(s, model, &model->tensors[i]);
  return most;
}

size_t l2o_stretches(l2o_stretch *out, size_t *from, const l2o_train_settings *s, const l2o_model *model, const l2o_stage *stage) {
  size_t count = 0;
  *from = stage->stage == 1 ? stage->layer - 1 : 0;
  for (size_t i = 0; i < model->tensor_count; i++) {
    const l2o_model_tensor *tensor = &model->tensors[i];
    const size_t parts = slices(s, model, tensor), each = tensor->count / parts;
    const size_t first = parts > 1 && stage->stage == 1 ? stage->layer - 1 : 0, end = parts > 1 ? stage->layer : 1;
    if (!tensor->learned)
      continue;
    for (size_t j = first; j < end; j++)
      out[count++] = (l2o_stretch){.first = tensor->offset + j * each,
                                   .count = each,
                                   .factor = stage->layer ? pow(s->layer_decay, (double)(stage->layer - 1 - j)) : 1};
    if (parts == 1)
      *from = 0;
  }
  return count;
}
