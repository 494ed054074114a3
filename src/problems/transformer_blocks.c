/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/transformer.h"
#include <stdio.h>

/* Blocks are added one after another; without room for them they are counted. */
typedef struct list {
  l2o_transformer *net; /* NULL: to be counted */
  char (*names)[L2O_TENSOR_NAME];
  size_t count, offset, longest;
} list;

/* The next block, of this name, which has `%zu` for a layer's number. */
static void add(list *l, const char *format, size_t layer, l2o_block_kind kind, size_t rows, size_t columns, size_t rank) {
  if (l->net) {
    char *name = l->names[l->count];
    snprintf(name, L2O_TENSOR_NAME, format, layer);
    l->net->blocks[l->count] = (l2o_block){.name = name,
                                           .kind = kind,
                                           .offset = l->offset,
                                           .rows = rows,
                                           .columns = columns,
                                           .rank = rank,
                                           .input = l->count,
                                           .uses = kind == L2O_BLOCK_OTHER ? 0 : l->longest};
  }
  l->offset += rows * columns;
  l->count++;
}

static void begin_part(list *l, l2o_part part, size_t layer) {
  if (l->net && layer == 0)
    l->net->at[part] = l->count;
}

static void add_linear(list *l, l2o_part part, const char *format, size_t layer, size_t rows, size_t columns) {
  begin_part(l, part, layer);
  add(l, format, layer, L2O_BLOCK_LINEAR, rows, columns, 2);
}

/* The last block has the input of the first one of its kind in this layer. */
static void shares_input(list *l, l2o_part with, size_t layer) {
  if (l->net)
    l->net->blocks[l->count - 1].input = l2o_transformer_block(l->net, with, layer);
}

static void add_norm(list *l, l2o_part part, const char *gain, const char *bias, size_t layer, size_t columns) {
  begin_part(l, part, layer);
  add(l, gain, layer, L2O_BLOCK_OTHER, 1, columns, 1);
  if (bias)
    add(l, bias, layer, L2O_BLOCK_OTHER, 1, columns, 1);
}
#define NORM_NAMES(net, stem) stem ".weight", (net)->layer_norm ? stem ".bias" : NULL

static void add_attention(list *l, const l2o_transformer *net, size_t layer) {
  const size_t own = net->heads * net->head_dim, shared = net->kv_heads * net->head_dim;
  add_norm(l, L2O_PART_NORM1, NORM_NAMES(net, "model.layers.%zu.input_layernorm"), layer, net->width);
  add_linear(l, L2O_PART_Q, "model.layers.%zu.self_attn.q_proj.weight", layer, own, net->width);
  add_linear(l, L2O_PART_K, "model.layers.%zu.self_attn.k_proj.weight", layer, shared, net->width);
  shares_input(l, L2O_PART_Q, layer);
  add_linear(l, L2O_PART_V, "model.layers.%zu.self_attn.v_proj.weight", layer, shared, net->width);
  shares_input(l, L2O_PART_Q, layer);
  if (net->qk_norm) {
    add_norm(l, L2O_PART_Q_NORM, "model.layers.%zu.self_attn.q_norm.weight", NULL, layer, net->head_dim);
    add_norm(l, L2O_PART_K_NORM, "model.layers.%zu.self_attn.k_norm.weight", NULL, layer, net->head_dim);
  }
  add_linear(l, L2O_PART_O, "model.layers.%zu.self_attn.o_proj.weight", layer, net->width, own);
}

static void add_mlp(list *l, const l2o_transformer *net, size_t layer) {
  add_norm(l, L2O_PART_NORM2, NORM_NAMES(net, "model.layers.%zu.post_attention_layernorm"), layer, net->width);
  if (net->gated)
    add_linear(l, L2O_PART_GATE, "model.layers.%zu.mlp.gate_proj.weight", layer, net->mlp, net->width);
  add_linear(l, L2O_PART_UP, "model.layers.%zu.mlp.up_proj.weight", layer, net->mlp, net->width);
  if (net->gated)
    shares_input(l, L2O_PART_GATE, layer);
  add_linear(l, L2O_PART_DOWN, "model.layers.%zu.mlp.down_proj.weight", layer, net->width, net->mlp);
}

static void add_all(list *l, const l2o_transformer *net) {
  begin_part(l, L2O_PART_TOKENS, 0);
  add(l, "model.embed_tokens.weight", 0, L2O_BLOCK_TABLE, net->vocab, net->width, 2);
  if (net->positions == L2O_POSITIONS_LEARNED) {
    begin_part(l, L2O_PART_POSITIONS, 0);
    add(l, "model.embed_positions.weight", 0, L2O_BLOCK_TABLE, net->context, net->width, 2);
  }
  for (size_t layer = 0, first = l->count; layer < net->layers; layer++) {
    add_attention(l, net, layer);
    add_mlp(l, net, layer);
    if (l->net && layer == 0)
      l->net->layer_blocks = l->count - first;
  }
  add_norm(l, L2O_PART_NORM, NORM_NAMES(net, "model.norm"), 0, net->width);
  if (!net->tied)
    add_linear(l, L2O_PART_HEAD, "lm_head.weight", 0, net->vocab, net->width);
}

size_t l2o_transformer_blocks(const l2o_transformer *net) {
  list l = {0};
  add_all(&l, net);
  return l.count;
}

void l2o_transformer_name(l2o_transformer *net, char (*names)[L2O_TENSOR_NAME], size_t longest) {
  list l = {.net = net, .names = names, .longest = longest};
  add_all(&l, net);
  if (net->tied)
    net->at[L2O_PART_HEAD] = net->at[L2O_PART_TOKENS];
  net->count = l.count;
  net->unknowns = l.offset;
}
