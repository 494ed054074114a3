/* SPDX-License-Identifier: BSD-3-Clause */
/* The decoder of a language model: tokens in, scores of the next token out. Names and layouts of its tensors are those of published
 * checkpoints (Llama, Qwen3). docs/derivations/transformer.md has the formulas. */
#ifndef L2O_PROBLEMS_TRANSFORMER_H
#define L2O_PROBLEMS_TRANSFORMER_H
#include "nn/gated_unit.h"
#include <l2o/problem.h>

typedef enum l2o_positions { L2O_POSITIONS_LEARNED, L2O_POSITIONS_ROTARY, L2O_POSITIONS_NONE } l2o_positions;

/* Kinds of tensors; those from L2O_PART_NORM1 on are there once a layer. */
typedef enum l2o_part {
  L2O_PART_TOKENS,    /* (vocab, width) */
  L2O_PART_POSITIONS, /* (context, width) */
  L2O_PART_NORM,      /* gain, and behind it the bias of a layer norm, also below */
  L2O_PART_HEAD,      /* (vocab, width); the table of tokens where tied */
  L2O_PART_NORM1,
  L2O_PART_Q, /* (heads head_dim, width) */
  L2O_PART_K, /* (kv_heads head_dim, width) */
  L2O_PART_V,
  L2O_PART_Q_NORM, /* (head_dim) */
  L2O_PART_K_NORM,
  L2O_PART_O, /* (width, heads head_dim) */
  L2O_PART_NORM2,
  L2O_PART_GATE, /* (mlp, width) */
  L2O_PART_UP,
  L2O_PART_DOWN, /* (width, mlp) */
  L2O_PARTS
} l2o_part;

typedef struct l2o_transformer {
  size_t vocab, width, layers, heads, kv_heads, head_dim, mlp, context;
  bool gated, layer_norm, qk_norm, tied;
  l2o_unit unit;
  l2o_positions positions;
  double norm_epsilon, rotary_base;
  /* by l2o_transformer_name() */
  l2o_block *blocks;
  size_t count, unknowns;
  size_t at[L2O_PARTS], layer_blocks; /* the block of a part in the first layer, blocks of a layer */
  /* of rotary positions, (positions of the text, head_dim / 2) */
  const l2o_real *cosine, *sine;
} l2o_transformer;

enum { L2O_TENSOR_NAME = 80 };
/* Blocks that there are. */
size_t l2o_transformer_blocks(const l2o_transformer *net);
/* Fills net->blocks, for which there is room, and what belongs to it. names: of each block; longest: rows of a sequence. */
void l2o_transformer_name(l2o_transformer *net, char (*names)[L2O_TENSOR_NAME], size_t longest);

static inline size_t l2o_transformer_block(const l2o_transformer *net, l2o_part part, size_t layer) {
  return net->at[part] + layer * net->layer_blocks;
}

/* Sequences of tokens, one after another. Row t of a sequence has token t as its input and predicts token t + 1. */
typedef struct l2o_text {
  const uint32_t *token;
  const size_t *begin;       /* (sequences + 1), in `token` */
  size_t sequences, longest; /* rows of the longest sequence */
} l2o_text;

/* Sequences first, ..., first + count - 1 of a list, or of all of them (NULL). */
typedef struct l2o_chosen {
  const size_t *rows;
  size_t first, count;
} l2o_chosen;

/* *f = sum over the chosen of the mean of -ln p(token t + 1 | tokens 0 to t) over the rows t of a sequence. Memory is that of one
 * layer's activations. work: l2o_transformer_forward_work(), aligned to 64 bytes; `tile` is for passes that give weights. */
l2o_status l2o_transformer_forward(double *f, const l2o_transformer *net, const l2o_real *x, const l2o_text *text,
                                   l2o_chosen chosen, const l2o_pass *pass, l2o_real *work);
size_t l2o_transformer_forward_work(const l2o_transformer *net, size_t longest, size_t count, bool tile);
/* The same, and g += share times its gradient, through the activations of all layers. work: l2o_transformer_gradient_work(),
 * aligned likewise. */
void l2o_transformer_gradient(double *f, l2o_real *g, double share, const l2o_transformer *net, const l2o_real *x,
                              const l2o_text *text, l2o_chosen chosen, l2o_real *work);
size_t l2o_transformer_gradient_work(const l2o_transformer *net, size_t longest, size_t count);
/* Scores (rows, vocab) of the one sequence of the text; work as for the forward pass of it. */
l2o_status l2o_transformer_scores(l2o_real *scores, const l2o_transformer *net, const l2o_real *x, const l2o_text *text,
                                  l2o_real *work);
#endif
