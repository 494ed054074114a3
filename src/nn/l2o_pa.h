/* SPDX-License-Identifier: BSD-3-Clause */
/* The model of L2O-PA, the recurrent form of Math-L2O (Liu, Chen, Wang, Yin, Cai, "Towards Constituting Mathematical Structures for
 * Learning to Optimize", ICML 2023, arXiv 2305.18577): a recurrent network with any of the heads P, A, B, B1, B2 (heads.h), of two
 * features a coordinate, the gradient and x; solvers/l2o_pa.c makes the step of them. */
#ifndef L2O_NN_L2O_PA_H
#define L2O_NN_L2O_PA_H
#include "nn/heads.h"

enum { L2O_PA_FEATURES = 2 };
enum { L2O_PA_P, L2O_PA_A, L2O_PA_B, L2O_PA_B1, L2O_PA_B2, L2O_PA_HEADS };

typedef enum l2o_pa_option {
  L2O_PA_HIDDEN,
  L2O_PA_LAYERS,
  L2O_PA_USES, /* off|on, five of them, in the order of the heads */
  L2O_PA_P_NORM = L2O_PA_USES + L2O_PA_HEADS,
  L2O_PA_A_NORM,
  L2O_PA_B_NORM, /* of B, B1 and B2 */
  L2O_PA_P_SCALE,
  L2O_PA_A_SCALE,
  L2O_PA_B_SCALE, /* of B */
  L2O_PA_SCALES,
  L2O_PA_STATE,
  L2O_PA_START,
  L2O_PA_STEP_SCALE,
  L2O_PA_OPTIONS
} l2o_pa_option;

extern const l2o_model_type l2o_model_type_l2o_pa;
#endif
