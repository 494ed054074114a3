/* SPDX-License-Identifier: BSD-3-Clause */
/* Power control of K single-antenna links that disturb each other (Sun, Chen, Shi, Hong, Fu, Sidiropoulos, IEEE Trans. Signal
 * Processing 2018): the unknowns are the powers 0 <= p_i <= power. With G_ij the gain from sender j to receiver i,
 *   J_i = noise + sum_{j != i} G_ij p_j,  T_i = J_i + G_ii p_i,  R_i = ln T_i - ln J_i,  f = -sum_i a_i R_i / ln 2. */
#ifndef L2O_PROBLEMS_POWER_CONTROL_H
#define L2O_PROBLEMS_POWER_CONTROL_H
#include <l2o/family.h>

/* p->data of such a problem. */
typedef struct l2o_power_control {
  const l2o_real *others; /* (K, K) G with a zero diagonal */
  const l2o_real *own;    /* (K) G_ii */
  const l2o_real *a;      /* (K) weights */
  const l2o_real *start;  /* (K) */
  double noise, power;
} l2o_power_control;

/* The instance behind a problem of this family; NULL for every other problem, and where its function is shifted. */
const l2o_power_control *l2o_power_control_of(const l2o_problem *p);
#endif
