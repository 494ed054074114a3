/* SPDX-License-Identifier: BSD-3-Clause */
/* The model of GO-Math-L2O (Song, Lin, Wang, Xu, "Towards Robust Learning to Optimize with Theoretical Guarantees", CVPR 2024,
 * arXiv 2506.14263): a recurrent network with heads R, Q, B and, with biases=on, b3 and b4 (heads.h), of three features a
 * coordinate; solvers/go_math_l2o.c makes the step of them. */
#ifndef L2O_NN_GO_MATH_L2O_H
#define L2O_NN_GO_MATH_L2O_H
#include "nn/heads.h"

enum { L2O_GO_FEATURES = 3 };
enum { L2O_GO_R, L2O_GO_Q, L2O_GO_B, L2O_GO_B3, L2O_GO_B4, L2O_GO_HEADS };

typedef enum l2o_go_option {
  L2O_GO_HIDDEN,
  L2O_GO_LAYERS,
  L2O_GO_VARIANT, /* what the history keeps of a step: l2o_go_variant */
  L2O_GO_BIASES,  /* off|on: b3 and b4 */
  L2O_GO_R_NORM,  /* psi of R, Q, B */
  L2O_GO_Q_NORM,
  L2O_GO_B_NORM,
  L2O_GO_R_SCALE, /* initial c of R, Q, B */
  L2O_GO_Q_SCALE,
  L2O_GO_B_SCALE,
  L2O_GO_SCALES,     /* fixed|learned */
  L2O_GO_HISTORY,    /* factor of Q: l2o_go_history */
  L2O_GO_STATE,      /* zero|normal: h and c at a start */
  L2O_GO_START,      /* calm|glorot: initial weights */
  L2O_GO_STEP_SCALE, /* base step times L */
  L2O_GO_OPTIONS
} l2o_go_option;
typedef enum l2o_go_variant { L2O_GO_PROPOSED, L2O_GO_STD, L2O_GO_LH } l2o_go_variant;
typedef enum l2o_go_history { L2O_GO_ONE, L2O_GO_ROOT, L2O_GO_STEP, L2O_GO_SQUARE } l2o_go_history; /* 1, sqrt(s), s, s^2 */

extern const l2o_model_type l2o_model_type_go_math_l2o;
#endif
