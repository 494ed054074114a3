/* SPDX-License-Identifier: BSD-3-Clause */
/** @file model.h
 *  A model: the parameters of a learned rule, named tensors over one flat array.
 *
 *  A const model is read by any number of threads. Setting its parameters rebuilds the lookup tables that make its
 *  evaluation fast. */
#ifndef L2O_MODEL_H
#define L2O_MODEL_H
#include <l2o/base.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct l2o_model l2o_model;

/** One named tensor of a model: `count` = product of `shape`, at `offset` of the flat parameter array. */
typedef struct l2o_model_tensor {
  const char *name;
  size_t rank, shape[4];
  size_t offset, count;
  bool learned; /**< does the trainer change it? */
} l2o_model_tensor;

/** A kind of model that the library knows by name. */
typedef struct l2o_model_kind {
  const char *name;
  const char *meaning;
  const l2o_option *options; /**< ends with a NULL name */
} l2o_model_kind;

/** Every kind of model, ending with NULL. */
L2O_API const l2o_model_kind *const *l2o_model_kinds(void);
/** The kind of that name; NULL and a sentence that suggests the nearest name if there is none. */
L2O_API const l2o_model_kind *l2o_model_kind_find(const char *name, l2o_diag *diag);

/** A freshly initialised model from "kind" or "kind:key=value,...", for instance "math-l2o-gd:hidden=1024,expansion=100".
 *  The same (spec, seed) gives the same weights. */
L2O_API l2o_status l2o_model_new(l2o_model **out, const char *spec, uint64_t seed, l2o_diag *diag);
/** Reads a safetensors file. The specification comes from its metadata, or from `spec` for a file without it (a PyTorch
 *  state_dict); where both are there the file's rules and `spec` may be NULL. Unknown tensors, wrong shapes and non-finite
 *  weights are errors; all-zero `*.bias_value` tensors of the published checkpoints are accepted. */
L2O_API l2o_status l2o_model_load(l2o_model **out, const char *path, const char *spec, l2o_diag *diag);
/** Writes the model with its specification; the file appears whole or not at all. */
L2O_API l2o_status l2o_model_save(const l2o_model *model, const char *path, l2o_diag *diag);
L2O_API l2o_status l2o_model_clone(l2o_model **out, const l2o_model *model);
L2O_API void l2o_model_free(l2o_model *model);

/** "kind:key=value,..." with every option: what l2o_model_new() would take. Owned by the model. */
L2O_API const char *l2o_model_spec(const l2o_model *model);
L2O_API const char *l2o_model_kind_name(const l2o_model *model);
/** The flat parameter array, for reading. */
L2O_API const l2o_real *l2o_model_parameters(const l2o_model *model, size_t *count);
/** Overwrites all parameters (rounded to l2o_real) and commits. @return L2O_ERR_NUMERIC, model unchanged, if one is not finite. */
L2O_API l2o_status l2o_model_set_parameters(l2o_model *model, const double *values, size_t count);
L2O_API size_t l2o_model_tensor_count(const l2o_model *model);
/** Tensor i; names point into the model. */
L2O_API l2o_model_tensor l2o_model_tensor_at(const l2o_model *model, size_t i);

#ifdef __cplusplus
}
#endif
#endif
