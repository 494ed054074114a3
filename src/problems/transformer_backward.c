/* SPDX-License-Identifier: BSD-3-Clause */
/* The gradient of a transformer's loss: docs/derivations/transformer.md. dv stands for d loss / d v and has the shape of v. */
#include "core/linalg.h"
#include "core/real.h"
#include "core/transpose.h"
#include "nn/attention.h"
#include "nn/cross_entropy.h"
#include "nn/layer_norm.h"
#include "nn/rotary.h"
#include "problems/transformer_pass.h"

typedef struct backward {
  l2o_transformer_pass c;
  l2o_real *g;
  l2o_real *share;         /* (rows) of a row's loss in f */
  l2o_real *dstream;       /* (rows, width) of the residual stream */
  l2o_real *dnormed;       /* (rows, width) */
  l2o_real *dk, *dv;       /* (rows, kv_heads head_dim) */
  l2o_real *wide;          /* (rows, heads head_dim or mlp), of o and q, or of the unit's product */
  l2o_real *turned_weight; /* a tile of a weight, transposed */
} backward;

static size_t lay_out(backward *b, const l2o_transformer *net, size_t longest, size_t sequences, size_t rows, l2o_real *work) {
  const size_t own = net->heads * net->head_dim, common = rows * net->kv_heads * net->head_dim;
  l2o_real *pass;
  const l2o_piece pieces[] = {
      {&pass, l2o_transformer_room(&b->c, net, longest, sequences, rows, true, false, NULL)},
      {&b->share, rows},
      {&b->dstream, rows * net->width},
      {&b->dnormed, rows * net->width},
      {&b->dk, common},
      {&b->dv, common},
      {&b->wide, rows * (own > net->mlp ? own : net->mlp)},
      {&b->turned_weight, l2o_layers_tile_len(net->blocks, net->count)},
  };
  const size_t used = L2O_LAY_OUT(work, pieces);
  if (work)
    l2o_transformer_room(&b->c, net, longest, sequences, rows, true, false, pass);
  return used;
}

/* dX = or += dY W for rows first, ..., first + count - 1 of W, dY (rows, count) */
static void add_through(const backward *b, l2o_real *dX, bool add, const l2o_block *block, size_t first, size_t count,
                        const l2o_real *dY, size_t ldy) {
  const l2o_real *W = b->c.layers.x + block->offset + first * block->columns;
  l2o_transpose(b->turned_weight, count, W, block->columns, count, block->columns);
  l2o_gemm_part(dX, block->columns, add, dY, ldy, false, b->turned_weight, count, true, b->c.rows, block->columns, count);
}

/* Y = X W':  dW += dY' X,  dX = or += dY W */
static void linear_backward(const backward *b, l2o_real *dX, bool add, size_t number, const l2o_real *dY, const l2o_real *X) {
  const l2o_block *block = &b->c.net->blocks[number];
  const size_t tile = l2o_layers_tile_rows(block);
  l2o_gemm_part(b->g + block->offset, block->columns, true, dY, block->rows, true, X, block->columns, false, block->rows,
                block->columns, b->c.rows);
  for (size_t first = 0; first < block->rows; first += tile) {
    const size_t count = block->rows - first < tile ? block->rows - first : tile;
    add_through(b, dX, add || first > 0, block, first, count, dY + first, block->rows);
  }
}

/* dx += the gradient through a norm of x by block `gain` and the bias behind it */
static void norm_backward(const backward *b, l2o_real *dx, const l2o_real *dy, const l2o_real *x, size_t gain, bool bias,
                          size_t rows, size_t width) {
  const size_t at = b->c.net->blocks[gain].offset;
  l2o_layer_norm_backward(dx, b->g + at, bias ? b->g + at + width : NULL, dy, x, b->c.layers.x + at, b->c.net->norm_epsilon, rows,
                          width);
}

/* dnormed from the scores, which are computed once more, tile by tile:  dz = share (exp(z) / sum exp(z) - [target]) */
static void head_backward(backward *b) {
  const l2o_transformer_pass *c = &b->c;
  const l2o_block *block = &c->net->blocks[c->net->at[L2O_PART_HEAD]];
  const size_t tile = l2o_transformer_head_tile(c), width = block->columns;
  for (size_t first = 0; first < block->rows; first += tile) {
    const size_t count = block->rows - first < tile ? block->rows - first : tile, offset = block->offset + first * width;
    l2o_gemm_part(c->scores, tile, false, c->normed, width, false, c->layers.x + offset, width, true, c->rows, count, width);
    l2o_cross_entropy_backward(c->scores, c->largest, c->sum, b->share, tile, c->rows, count);
    for (size_t row = 0; row < c->rows; row++)
      if (c->target[row] >= first && c->target[row] < first + count)
        c->scores[row * tile + c->target[row] - first] -= b->share[row];
    l2o_gemm_part(b->g + offset, width, true, c->scores, tile, true, c->normed, width, false, count, width, c->rows);
    add_through(b, b->dnormed, first > 0, block, first, count, c->scores, tile);
  }
}

/* out = mid + unit(a, b) DOWN', (a, b) = normed (GATE, UP)' */
static void unit_backward(backward *b, const l2o_activations *a, size_t layer) {
  l2o_transformer_pass *c = &b->c;
  const l2o_transformer *net = c->net;
  const size_t UP = l2o_transformer_block(net, L2O_PART_UP, layer), NORM2 = l2o_transformer_block(net, L2O_PART_NORM2, layer);
  l2o_real *gate = net->gated ? a->b : NULL;
  l2o_gated_unit_forward(c->product, a->a, gate, net->unit, c->rows * net->mlp);
  linear_backward(b, b->wide, false, l2o_transformer_block(net, L2O_PART_DOWN, layer), b->dstream, c->product);
  l2o_gated_unit_backward(a->a, gate, b->wide, a->a, gate, net->unit, c->rows * net->mlp);
  l2o_transformer_norm(c, c->normed, a->mid, NORM2, net->layer_norm, c->rows, net->width);
  linear_backward(b, b->dnormed, false, net->gated ? l2o_transformer_block(net, L2O_PART_GATE, layer) : UP, a->a, c->normed);
  if (net->gated)
    linear_backward(b, b->dnormed, true, UP, a->b, c->normed);
  norm_backward(b, b->dstream, b->dnormed, a->mid, NORM2, net->layer_norm, c->rows, net->width);
}

/* From q or k as attention takes it to how it was projected: dx = ..., `turned` is dy on entry and lost. */
static void turn_backward(const backward *b, l2o_real *dx, l2o_real *turned, const l2o_real *x, size_t gain, size_t heads) {
  const l2o_transformer_pass *c = &b->c;
  const l2o_transformer *net = c->net;
  const size_t columns = heads * net->head_dim;
  if (net->positions == L2O_POSITIONS_ROTARY)
    for (size_t s = 0; s < c->sequences; s++)
      l2o_rotary_backward(turned + c->begin[s] * columns, turned + c->begin[s] * columns, net->cosine, net->sine,
                          c->begin[s + 1] - c->begin[s], heads, net->head_dim / 2);
  if (net->qk_norm) {
    memset(dx, 0, c->rows * columns * sizeof *dx);
    norm_backward(b, dx, turned, x, gain, false, c->rows * heads, net->head_dim);
  } else {
    memcpy(dx, turned, c->rows * columns * sizeof *dx);
  }
}

/* wide is do on entry, and dq as attention took it afterwards; dk and dv are sums over the heads of a group. */
static void attend_backward(backward *b, const l2o_activations *a) {
  const l2o_transformer_pass *c = &b->c;
  const l2o_transformer *net = c->net;
  const size_t group = net->heads / net->kv_heads;
  l2o_attention shape = {.size = net->head_dim, .stride = net->heads * net->head_dim, .kv_stride = net->kv_heads * net->head_dim};
  memset(b->dk, 0, c->rows * shape.kv_stride * sizeof *b->dk);
  memset(b->dv, 0, c->rows * shape.kv_stride * sizeof *b->dv);
  for (size_t s = 0; s < c->sequences; s++)
    for (size_t h = 0; h < net->heads; h++) {
      const size_t own = c->begin[s] * shape.stride + h * net->head_dim;
      const size_t common = c->begin[s] * shape.kv_stride + h / group * net->head_dim;
      shape.length = c->begin[s + 1] - c->begin[s];
      l2o_attention_backward(b->wide + own, b->dk + common, b->dv + common, b->wide + own, c->turned_q + own, c->turned_k + common,
                             a->v + common, &shape, c->attention);
    }
}

/* mid = in + attention(q, k, v) O', (q, k, v) = normed (Q, K, V)' */
static void attention_backward(backward *b, const l2o_activations *a, size_t layer) {
  l2o_transformer_pass *c = &b->c;
  const l2o_transformer *net = c->net;
  const size_t Q_NORM = l2o_transformer_block(net, L2O_PART_Q_NORM, layer),
               K_NORM = l2o_transformer_block(net, L2O_PART_K_NORM, layer);
  const size_t NORM1 = l2o_transformer_block(net, L2O_PART_NORM1, layer);
  l2o_transformer_turn(c, c->turned_q, a->q, Q_NORM, net->heads);
  l2o_transformer_turn(c, c->turned_k, a->k, K_NORM, net->kv_heads);
  linear_backward(b, b->wide, false, l2o_transformer_block(net, L2O_PART_O, layer), b->dstream, a->o);
  attend_backward(b, a);
  turn_backward(b, c->turned_q, b->wide, a->q, Q_NORM, net->heads);
  turn_backward(b, c->turned_k, b->dk, a->k, K_NORM, net->kv_heads);
  l2o_transformer_norm(c, c->normed, a->in, NORM1, net->layer_norm, c->rows, net->width);
  linear_backward(b, b->dnormed, false, l2o_transformer_block(net, L2O_PART_Q, layer), c->turned_q, c->normed);
  linear_backward(b, b->dnormed, true, l2o_transformer_block(net, L2O_PART_K, layer), c->turned_k, c->normed);
  linear_backward(b, b->dnormed, true, l2o_transformer_block(net, L2O_PART_V, layer), b->dv, c->normed);
  norm_backward(b, b->dstream, b->dnormed, a->in, NORM1, net->layer_norm, c->rows, net->width);
}

/* Rows of the tables += those of the stream that they went into. */
static void look_up_backward(const backward *b) {
  const l2o_transformer_pass *c = &b->c;
  const size_t width = c->net->width;
  const bool learned = c->net->positions == L2O_POSITIONS_LEARNED;
  l2o_real *tokens = b->g + c->net->blocks[c->net->at[L2O_PART_TOKENS]].offset;
  l2o_real *positions = learned ? b->g + c->net->blocks[c->net->at[L2O_PART_POSITIONS]].offset : NULL;
  for (size_t row = 0; row < c->rows; row++)
    for (size_t j = 0; j < width; j++) {
      const l2o_real d = b->dstream[row * width + j];
      tokens[c->input[row] * width + j] += d;
      if (learned)
        positions[c->position[row] * width + j] += d;
    }
}

static const l2o_pass nobody = {0};

size_t l2o_transformer_gradient_work(const l2o_transformer *net, size_t longest, size_t count) {
  backward b;
  return lay_out(&b, net, longest, count, count * longest, NULL);
}

void l2o_transformer_gradient(double *f, l2o_real *g, double share, const l2o_transformer *net, const l2o_real *x,
                              const l2o_text *text, l2o_chosen chosen, l2o_real *work) {
  backward b = {0};
  l2o_transformer_pass *c = &b.c;
  lay_out(&b, net, text->longest, chosen.count, l2o_transformer_rows(text, chosen), work);
  b.g = g;
  c->layers.blocks = net->blocks, c->layers.x = x, c->layers.pass = &nobody;
  l2o_transformer_begin(c, text, chosen);
  for (size_t s = 0; s < c->sequences; s++)
    for (size_t row = c->begin[s]; row < c->begin[s + 1]; row++)
      b.share[row] = (l2o_real)(share / (double)(c->begin[s + 1] - c->begin[s]));
  l2o_transformer_trunk(c); /* with nobody to watch nothing can fail */
  l2o_transformer_head(c);
  *f = l2o_transformer_loss(c);
  head_backward(&b);
  memset(b.dstream, 0, c->rows * net->width * sizeof *b.dstream);
  norm_backward(&b, b.dstream, b.dnormed, l2o_transformer_last(c), net->at[L2O_PART_NORM], net->layer_norm, c->rows, net->width);
  for (size_t layer = net->layers; layer-- > 0;) {
    const l2o_activations a = l2o_transformer_activations(c, layer);
    unit_backward(&b, &a, layer);
    attention_backward(&b, &a, layer);
  }
  look_up_backward(&b);
}
