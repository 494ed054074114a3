/* SPDX-License-Identifier: BSD-3-Clause */
/* The last operation of a step-size network: raw output a -> step factor p, elementwise. */
#ifndef L2O_NN_OUTPUT_SCALE_H
#define L2O_NN_OUTPUT_SCALE_H
#include <l2o/base.h>

typedef enum l2o_output_scale {
  L2O_SCALE_SIGMOID2, /* 2 / (1 + exp(-a)) */
  L2O_SCALE_SIGMOID,  /* 1 / (1 + exp(-a)) */
  L2O_SCALE_EXP,      /* exp(a) */
  L2O_SCALE_IDENTITY, /* a */
  L2O_SCALE_SOFTPLUS, /* log(1 + exp(a)) */
  L2O_SCALE_GAUSSIAN  /* 2 - 2 exp(-a^2) */
} l2o_output_scale;
#define L2O_OUTPUT_SCALES "sigmoid2|sigmoid|exp|identity|softplus|gaussian"

/* p = scale(a), (n); p may be a. */
void l2o_output_scale_forward(l2o_real *p, const l2o_real *a, l2o_output_scale scale, size_t n);
/* da = scale'(a) dp, (n); da may be dp. docs/derivations/math_l2o_gd.md */
void l2o_output_scale_backward(l2o_real *da, const l2o_real *dp, const l2o_real *a, l2o_output_scale scale, size_t n);
#endif
