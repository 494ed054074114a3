/* SPDX-License-Identifier: BSD-3-Clause */
/* A forward pass under way, and what it leaves for the backward pass. For the two files that are these passes. */
#ifndef L2O_PROBLEMS_TRANSFORMER_PASS_H
#define L2O_PROBLEMS_TRANSFORMER_PASS_H
#include "core/pieces.h"
#include "problems/layered.h"
#include "problems/transformer.h"

/* Activations of a layer, a row for every input token of all sequences. A gradient keeps such a set for every layer; a forward pass
 * alone has one set, in which what is no longer needed is overwritten: mid is in, o is q, and the unit's take the place of the
 * attention's. */
typedef struct l2o_activations {
  l2o_real *in, *mid;  /* (rows, width) the residual stream before and after attention */
  l2o_real *q, *k, *v; /* (rows, heads head_dim), (rows, kv_heads head_dim) as they are projected */
  l2o_real *o;         /* (rows, heads head_dim) what attention answers */
  l2o_real *a, *b;     /* (rows, mlp) arguments of the unit; b only where it is gated */
} l2o_activations;

typedef struct l2o_transformer_pass {
  const l2o_transformer *net;
  l2o_layers layers;
  size_t sequences, rows;            /* rows: input tokens of all sequences */
  size_t *begin;                     /* (sequences + 1) rows of each */
  size_t *input, *target, *position; /* (rows) */
  bool keeps;                        /* for a backward pass? */
  l2o_real *kept;                    /* the activations */
  size_t kept_len;                   /* of a layer */
  l2o_real *shared;                  /* activations and scores that take each other's place; NULL where all are kept */
  l2o_real *normed;                  /* (rows, width) */
  l2o_real *gain;                    /* (width or head_dim) */
  l2o_real *attention;               /* work of l2o_attention_forward() or _backward() */
  l2o_real *turned_q, *turned_k;     /* q and k as attention takes them: q and k themselves unless these are kept */
  l2o_real *product;                 /* (rows, mlp) what the unit answers: a unless that is kept */
  l2o_real *scores;                  /* (rows, a tile of the vocabulary) */
  l2o_real *largest, *of_target;     /* (rows) of the scores: the largest, the target's */
  double *sum;                       /* (rows) sum of exp(score - largest) */
} l2o_transformer_pass;

/* Lays the pass out in `work` and fills in its rows; with work = NULL only tells how many reals it takes for sequences that have
 * `rows` rows together, the longest `longest`. */
size_t l2o_transformer_room(l2o_transformer_pass *c, const l2o_transformer *net, size_t longest, size_t sequences, size_t rows,
                            bool keeps, bool tile, l2o_real *work);
size_t l2o_transformer_rows(const l2o_text *text, l2o_chosen chosen);
void l2o_transformer_begin(l2o_transformer_pass *c, const l2o_text *text, l2o_chosen chosen);
l2o_activations l2o_transformer_activations(const l2o_transformer_pass *c, size_t layer);
/* Where the last layer's answer stands. */
l2o_real *l2o_transformer_last(const l2o_transformer_pass *c);

/* normed = what the head sees, from the tokens on. */
l2o_status l2o_transformer_trunk(l2o_transformer_pass *c);
/* largest, sum and of_target from it. */
l2o_status l2o_transformer_head(l2o_transformer_pass *c);
/* The sum over the sequences of the mean losses of their rows. */
double l2o_transformer_loss(const l2o_transformer_pass *c);

/* y = the norm of x (rows, width) by the gain of block `gain`, and the bias behind it. */
l2o_status l2o_transformer_norm(l2o_transformer_pass *c, l2o_real *y, const l2o_real *x, size_t gain, bool bias, size_t rows,
                                size_t width);
/* y = q or k (rows, heads head_dim) as attention takes it: normed by block `gain` and rotated. y may be x. */
l2o_status l2o_transformer_turn(l2o_transformer_pass *c, l2o_real *y, const l2o_real *x, size_t gain, size_t heads);
/* Rows of a tile of the head. */
static inline size_t l2o_transformer_head_tile(const l2o_transformer_pass *c) {
  const l2o_block *b = &c->net->blocks[c->net->at[L2O_PART_HEAD]];
  const size_t tile = l2o_layers_tile_rows(b);
  return tile < b->rows ? tile : b->rows;
}
#endif
