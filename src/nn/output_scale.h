/* SPDX-License-Identifier: BSD-3-Clause */
/* The last operation of a step-size network: raw output a -> step factor p, elementwise over (n). An element's result depends
 * neither on n nor on its place. The forms neither overflow nor cancel: docs/derivations/math_l2o_gd.md */
#ifndef L2O_NN_OUTPUT_SCALE_H
#define L2O_NN_OUTPUT_SCALE_H
#include "core/vector.h"

typedef enum l2o_output_scale {
  L2O_SCALE_SIGMOID2, /* 2 / (1 + exp(-a)) */
  L2O_SCALE_SIGMOID,  /* 1 / (1 + exp(-a)) */
  L2O_SCALE_EXP,      /* exp(a) */
  L2O_SCALE_IDENTITY, /* a */
  L2O_SCALE_SOFTPLUS, /* log(1 + exp(a)) */
  L2O_SCALE_GAUSSIAN  /* 2 - 2 exp(-a^2) */
} l2o_output_scale;
#define L2O_OUTPUT_SCALES "sigmoid2|sigmoid|exp|identity|softplus|gaussian"

/* p = scale(a); p may be a. */
L2O_KERNEL(void, l2o_output_scale_forward, (l2o_real * p, const l2o_real *a, l2o_output_scale scale, size_t n));
static inline void l2o_output_scale_forward(l2o_real *p, const l2o_real *a, l2o_output_scale scale, size_t n) {
  L2O_DISPATCH(l2o_output_scale_forward, (p, a, scale, n));
}

/* p = scale(a) and ds = scale'(a); the backward pass is one multiplication by ds. p or ds may be a. */
L2O_KERNEL(void, l2o_output_scale_slopes, (l2o_real * p, l2o_real *ds, const l2o_real *a, l2o_output_scale scale, size_t n));
static inline void l2o_output_scale_slopes(l2o_real *p, l2o_real *ds, const l2o_real *a, l2o_output_scale scale, size_t n) {
  L2O_DISPATCH(l2o_output_scale_slopes, (p, ds, a, scale, n));
}
#endif
