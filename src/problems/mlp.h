/* SPDX-License-Identifier: BSD-3-Clause */
/* A fully connected network as a problem. With a_0 = A_i, row i of the samples,
 *   z_l = W_l a_{l-1} + b_l,  a_l = s(z_l)        l = 1, ..., depth + 1, the last z are the outputs,
 * f is the mean over the samples of ln sum_c exp(z_c) - z_y, or of 1/2 |z - t|^2. docs/derivations/mlp.md */
#ifndef L2O_PROBLEMS_MLP_H
#define L2O_PROBLEMS_MLP_H
#include "nn/hidden.h"
#include <l2o/problem.h>

typedef struct l2o_mlp_shape {
  size_t inputs, width, depth, outputs; /* depth: hidden layers of `width` */
  l2o_hidden activation;
  bool bias;
} l2o_mlp_shape;

/* p->data: in one block with what the instance owns */
typedef struct l2o_mlp {
  l2o_mlp_shape shape;
  const l2o_block *blocks; /* layers.0.weight, layers.0.bias, layers.1.weight, ... */
  size_t block_count;
  const l2o_real *A;      /* (.., inputs) */
  const size_t *label;    /* (..) below outputs; NULL: regression */
  const l2o_real *target; /* (.., outputs) */
  const size_t *row;      /* (count), the rows that take part; NULL: the first ones */
  size_t count;
  const l2o_real *start; /* (n) */
} l2o_mlp;

extern const l2o_problem_ops l2o_mlp_ops;

enum { L2O_MLP_NAME = 40 };
size_t l2o_mlp_block_count(const l2o_mlp_shape *shape);
/* How many numbers x has. */
size_t l2o_mlp_unknowns(const l2o_mlp_shape *shape);
/* Fills blocks[l2o_mlp_block_count()], and names[][L2O_MLP_NAME]. */
void l2o_mlp_blocks(l2o_block *blocks, char (*names)[L2O_MLP_NAME], const l2o_mlp_shape *shape);
#endif
