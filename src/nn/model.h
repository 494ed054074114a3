/* SPDX-License-Identifier: BSD-3-Clause */
/* What a kind of model brings along, and how the trainer sees it. */
#ifndef L2O_NN_MODEL_H
#define L2O_NN_MODEL_H
#include "core/options.h"
#include <l2o/model.h>

enum { L2O_MODEL_TENSORS_MAX = 96 }; /* 16 recurrent layers with 15 heads */

/* A problem 1/2 |A x - y|^2 + l1 |x|_1 that initial weights are made of: A (m, n), L = |A|_2^2. */
typedef struct l2o_matrix_fit {
  const l2o_real *A;
  size_t m, n;
  double lipschitz, l1;
} l2o_matrix_fit;

typedef struct l2o_model_type {
  l2o_model_kind kind; /* first: the public part */
  /* Names, shapes and learned flags of the tensors; offsets and counts are filled in by the caller. Returns how many, 0 when a size
   * overflows. */
  size_t (*describe)(l2o_model_tensor *tensors, const double *options);
  /* Do the options fit together? A sentence if not. NULL: any do. */
  l2o_status (*check)(const double *options, l2o_diag *diag);
  l2o_status (*initialise)(l2o_model *model, uint64_t seed);
  /* Initial weights for a matrix, and the notes that the model takes of it; commit() follows. NULL: the model is for any problem.
   * On failure nothing has changed. */
  l2o_status (*fit)(l2o_model *model, const l2o_matrix_fit *fit, l2o_diag *diag);
  /* Bytes of lookup tables, and rebuilding them from the parameters (no allocation). */
  size_t (*table_bytes)(const l2o_model *model);
  void (*commit)(l2o_model *model);
  /* Doubles in which one instance's vector-Jacobian products are summed, and the gradient (flat, tensor order) from that sum. Sums
   * of several instances may be added before. */
  size_t (*sum_len)(const l2o_model *model);
  void (*gradient)(const l2o_model *model, double *gradient, const double *sum);
  /* Layers K that iterations 0, 1, ... go through one by one; a learned tensor whose first extent is K has a slice for each, the
   * others serve them all. NULL: the model has none. */
  size_t (*layers)(const l2o_model *model);
  /* Factor of 1/L in the rule's base step. */
  double (*step_scale)(const l2o_model *model);
  const struct l2o_heads_kind *heads; /* kinds that nn/heads.h serves */
} l2o_model_type;

struct l2o_model {
  const l2o_model_type *type;
  double options[L2O_OPTIONS_MAX];
  char spec[L2O_SPEC_MAX];
  l2o_model_tensor tensors[L2O_MODEL_TENSORS_MAX];
  size_t tensor_count, parameter_count;
  l2o_real *parameters; /* block of its own */
  void *table;          /* block of its own; written by commit() only */
};

extern const l2o_model_type l2o_model_type_math_l2o_gd;
extern const l2o_model_type l2o_model_type_math_l2o_nesterov;
extern const l2o_model_type l2o_model_type_bfgs_lstm;
extern const l2o_model_type l2o_model_type_go_math_l2o;
extern const l2o_model_type l2o_model_type_l2o_pa;
extern const l2o_model_type l2o_model_type_l2o_dm;
extern const l2o_model_type l2o_model_type_rnnprop;
extern const l2o_model_type l2o_model_type_lista;
extern const l2o_model_type l2o_model_type_lista_cp;
extern const l2o_model_type l2o_model_type_lista_cpss;
extern const l2o_model_type l2o_model_type_alista;
extern const l2o_model_type l2o_model_type_ada_lista;
extern const l2o_model_type l2o_model_type_sum_rate_lo;
extern const l2o_model_type l2o_model_type_sum_rate_pga;
extern const l2o_model_type l2o_model_type_deepfp;
extern const l2o_model_type l2o_model_type_power_control_mlp;

/* Flat parameters of tensor i. */
static inline l2o_real *l2o_model_values(const l2o_model *model, size_t i) {
  return model->parameters + model->tensors[i].offset;
}
#endif
