/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/linalg.h"
#include "core/real.h"
#include "nn/attention.h"
#include "nn/cross_entropy.h"
#include "nn/layer_norm.h"
#include "nn/rotary.h"
#include "problems/transformer_pass.h"

/* ---- where everything stands ---- */

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

/* Reals that hold as many sizes or doubles. */
static size_t reals_of(size_t count, size_t size) {
  return (count * size + sizeof(l2o_real) - 1) / sizeof(l2o_real);
}

static size_t lay_out_attention(l2o_activations *a, const l2o_transformer_pass *c, size_t rows, l2o_real *room) {
  const size_t own = rows * c->net->heads * c->net->head_dim, common = rows * c->net->kv_heads * c->net->head_dim;
  const l2o_piece pieces[] = {{&a->q, own}, {&a->k, common}, {&a->v, common}};
  return L2O_LAY_OUT(room, pieces);
}

static size_t lay_out_unit(l2o_activations *a, const l2o_transformer_pass *c, size_t rows, l2o_real *room) {
  const l2o_piece pieces[] = {{&a->a, rows * c->net->mlp}, {&a->b, c->net->gated ? rows * c->net->mlp : 0}};
  return L2O_LAY_OUT(room, pieces);
}

static size_t lay_out_layer(l2o_activations *a, const l2o_transformer_pass *c, size_t rows, l2o_real *room) {
  const size_t stream = rows * c->net->width;
  l2o_real *attention, *unit;
  const l2o_piece pieces[] = {{&a->in, stream},
                              {&a->mid, stream},
                              {&a->o, rows * c->net->heads * c->net->head_dim},
                              {&attention, lay_out_attention(a, c, rows, NULL)},
                              {&unit, lay_out_unit(a, c, rows, NULL)}};
  const size_t used = L2O_LAY_OUT(room, pieces);
  lay_out_attention(a, c, rows, attention);
  lay_out_unit(a, c, rows, unit);
  return used;
}

l2o_activations l2o_transformer_activations(const l2o_transformer_pass *c, size_t layer) {
  l2o_activations a = {.in = c->kept, .mid = c->kept};
  if (c->keeps) {
    lay_out_layer(&a, c, c->rows, c->kept + layer * c->kept_len);
    return a;
  }
  lay_out_attention(&a, c, c->rows, c->shared);
  lay_out_unit(&a, c, c->rows, c->shared);
  a.o = a.q;
  return a;
}

l2o_real *l2o_transformer_last(const l2o_transformer_pass *c) {
  return c->kept + (c->keeps ? c->net->layers * c->kept_len : 0);
}

/* A last set of activations has only its `in`. */
size_t l2o_transformer_room(l2o_transformer_pass *c, const l2o_transformer *net, size_t longest, size_t sequences, size_t rows,
                            bool keeps, bool tile, l2o_real *work) {
  *c = (l2o_transformer_pass){.net = net, .sequences = sequences, .rows = rows, .keeps = keeps};
  const size_t own = net->heads * net->head_dim, common = net->kv_heads * net->head_dim, stream = rows * net->width;
  const size_t scores = rows * l2o_transformer_head_tile(c);
  l2o_activations none;
  l2o_real *begin, *input, *target, *position, *sum;
  c->kept_len = keeps ? lay_out_layer(&none, c, rows, NULL) : 0;
  const size_t shared =
      larger(scores, keeps ? 0 : larger(lay_out_attention(&none, c, rows, NULL), lay_out_unit(&none, c, rows, NULL)));
  const l2o_piece pieces[] = {
      {&begin, reals_of(sequences + 1, sizeof(size_t))},
      {&input, reals_of(rows, sizeof(size_t))},
      {&target, reals_of(rows, sizeof(size_t))},
      {&position, net->positions == L2O_POSITIONS_LEARNED ? reals_of(rows, sizeof(size_t)) : 0},
      {&sum, reals_of(rows, sizeof(double))},
      {&c->largest, rows},
      {&c->of_target, rows},
      {&c->gain, larger(net->width, net->head_dim)},
      {&c->attention, keeps ? l2o_attention_backward_work(longest, net->head_dim) : l2o_attention_work(longest, net->head_dim)},
      {&c->normed, stream},
      {&c->kept, net->layers * c->kept_len + stream},
      {&c->shared, shared},
      {&c->turned_q, keeps ? rows * own : 0},
      {&c->turned_k, keeps ? rows * common : 0},
      {&c->product, keeps ? rows * net->mlp : 0},
      {&c->layers.tile, tile ? l2o_layers_tile_len(net->blocks, net->count) : 0},
  };
  const size_t used = L2O_LAY_OUT(work, pieces);
  c->begin = (size_t *)(void *)begin, c->input = (size_t *)(void *)input, c->target = (size_t *)(void *)target;
  c->position = (size_t *)(void *)position, c->sum = (double *)(void *)sum;
  c->scores = c->shared;
  return used;
}

/* The sequence that stands at place i of those chosen. */
static size_t sequence_at(l2o_chosen chosen, size_t i) {
  return chosen.rows ? chosen.rows[chosen.first + i] : chosen.first + i;
}

size_t l2o_transformer_rows(const l2o_text *text, l2o_chosen chosen) {
  size_t rows = 0;
  for (size_t i = 0; i < chosen.count; i++) {
    const size_t s = sequence_at(chosen, i);
    rows += text->begin[s + 1] - text->begin[s] - 1;
  }
  return rows;
}

void l2o_transformer_begin(l2o_transformer_pass *c, const l2o_text *text, l2o_chosen chosen) {
  size_t row = 0;
  for (size_t i = 0; i < chosen.count; i++) {
    const size_t s = sequence_at(chosen, i), length = text->begin[s + 1] - text->begin[s] - 1;
    const uint32_t *token = text->token + text->begin[s];
    c->begin[i] = row;
    for (size_t t = 0; t < length; t++, row++) {
      c->input[row] = token[t];
      c->target[row] = token[t + 1];
      if (c->net->positions == L2O_POSITIONS_LEARNED)
        c->position[row] = t;
    }
  }
  c->begin[chosen.count] = row;
}

/* ---- the pass ---- */

static l2o_status watch(const l2o_transformer_pass *c, size_t block, const l2o_real *X) {
  const size_t columns = c->net->blocks[block].columns;
  return l2o_layers_watch(&c->layers, block, X, c->rows, columns);
}

/* Y = X W' or Y += X W' */
static l2o_status apply(const l2o_transformer_pass *c, l2o_real *Y, bool add, size_t block, const l2o_real *X) {
  const l2o_block *b = &c->net->blocks[block];
  return l2o_layers_apply(&c->layers, Y, b->rows, add, block, X, b->columns, c->rows);
}

static l2o_status add_positions(const l2o_transformer_pass *c, l2o_real *h) {
  const l2o_transformer *net = c->net;
  const size_t block = net->at[L2O_PART_POSITIONS], tile = l2o_layers_tile_rows(&net->blocks[block]);
  size_t longest = 0;
  for (size_t s = 0; s < c->sequences; s++)
    longest = larger(longest, c->begin[s + 1] - c->begin[s]);
  l2o_status status = l2o_layers_watch_table(&c->layers, block, c->position, c->rows);
  for (size_t first = 0; first < longest && !status; first += tile) {
    const size_t end = first + tile < longest ? first + tile : longest;
    const l2o_real *w;
    status = l2o_layers_rows(&c->layers, &w, block, first, end - first);
    for (size_t row = 0; row < c->rows && !status; row++)
      if (c->position[row] >= first && c->position[row] < end)
        for (size_t j = 0; j < net->width; j++)
          h[row * net->width + j] += w[(c->position[row] - first) * net->width + j];
  }
  return status;
}

/* h = rows of the tables */
static l2o_status look_up(const l2o_transformer_pass *c, l2o_real *h) {
  const size_t block = c->net->at[L2O_PART_TOKENS], width = c->net->width;
  l2o_status status = l2o_layers_watch_table(&c->layers, block, c->input, c->rows);
  for (size_t row = 0; row < c->rows && !status; row++) {
    const l2o_real *w;
    status = l2o_layers_rows(&c->layers, &w, block, c->input[row], 1);
    if (!status)
      memcpy(h + row * width, w, width * sizeof *h);
  }
  return status || c->net->positions != L2O_POSITIONS_LEARNED ? status : add_positions(c, h);
}

l2o_status l2o_transformer_norm(l2o_transformer_pass *c, l2o_real *y, const l2o_real *x, size_t gain, bool bias, size_t rows,
                                size_t width) {
  const l2o_real *w;
  l2o_status status = l2o_layers_rows(&c->layers, &w, gain, 0, 1);
  if (status)
    return status;
  memcpy(c->gain, w, width * sizeof *w); /* the bias may take its place */
  if (bias)
    status = l2o_layers_rows(&c->layers, &w, gain + 1, 0, 1);
  if (!status)
    l2o_layer_norm_forward(y, x, c->gain, bias ? w : NULL, c->net->norm_epsilon, rows, width);
  return status;
}

l2o_status l2o_transformer_turn(l2o_transformer_pass *c, l2o_real *y, const l2o_real *x, size_t gain, size_t heads) {
  const l2o_transformer *net = c->net;
  const size_t columns = heads * net->head_dim;
  if (net->qk_norm) {
    const l2o_status status = l2o_transformer_norm(c, y, x, gain, false, c->rows * heads, net->head_dim);
    if (status)
      return status;
    x = y;
  }
  if (net->positions == L2O_POSITIONS_ROTARY) {
    for (size_t s = 0; s < c->sequences; s++)
      l2o_rotary_forward(y + c->begin[s] * columns, x + c->begin[s] * columns, net->cosine, net->sine,
                         c->begin[s + 1] - c->begin[s], heads, net->head_dim / 2);
    x = y;
  }
  if (x != y)
    memcpy(y, x, c->rows * columns * sizeof *y);
  return L2O_OK;
}

static void attend(const l2o_transformer_pass *c, l2o_real *o, const l2o_real *q, const l2o_real *k, const l2o_real *v) {
  const l2o_transformer *net = c->net;
  const size_t group = net->heads / net->kv_heads;
  l2o_attention shape = {.size = net->head_dim, .stride = net->heads * net->head_dim, .kv_stride = net->kv_heads * net->head_dim};
  for (size_t s = 0; s < c->sequences; s++)
    for (size_t h = 0; h < net->heads; h++) {
      const size_t own = c->begin[s] * shape.stride + h * net->head_dim;
      const size_t common = c->begin[s] * shape.kv_stride + h / group * net->head_dim;
      shape.length = c->begin[s + 1] - c->begin[s];
      l2o_attention_forward(o + own, q + own, k + common, v + common, &shape, c->attention);
    }
}

/* mid = in + attention(norm(in)) O' */
static l2o_status attention_part(l2o_transformer_pass *c, const l2o_activations *a, size_t layer) {
  const l2o_transformer *net = c->net;
  const size_t Q = l2o_transformer_block(net, L2O_PART_Q, layer), O = l2o_transformer_block(net, L2O_PART_O, layer);
  l2o_real *q = c->keeps ? c->turned_q : a->q, *k = c->keeps ? c->turned_k : a->k;
  l2o_status status = l2o_transformer_norm(c, c->normed, a->in, l2o_transformer_block(net, L2O_PART_NORM1, layer), net->layer_norm,
                                           c->rows, net->width);
  if (!status)
    status = watch(c, Q, c->normed);
  if (!status)
    status = apply(c, a->q, false, Q, c->normed);
  if (!status)
    status = apply(c, a->k, false, l2o_transformer_block(net, L2O_PART_K, layer), c->normed);
  if (!status)
    status = apply(c, a->v, false, l2o_transformer_block(net, L2O_PART_V, layer), c->normed);
  if (!status)
    status = l2o_transformer_turn(c, q, a->q, l2o_transformer_block(net, L2O_PART_Q_NORM, layer), net->heads);
  if (!status)
    status = l2o_transformer_turn(c, k, a->k, l2o_transformer_block(net, L2O_PART_K_NORM, layer), net->kv_heads);
  if (status)
    return status;
  attend(c, a->o, q, k, a->v);
  if (a->mid != a->in)
    memcpy(a->mid, a->in, c->rows * net->width * sizeof *a->mid);
  status = watch(c, O, a->o);
  return status ? status : apply(c, a->mid, true, O, a->o);
}

/* out = mid + unit(norm(mid)) DOWN' */
static l2o_status unit_part(l2o_transformer_pass *c, l2o_real *out, const l2o_activations *a, size_t layer) {
  const l2o_transformer *net = c->net;
  const size_t UP = l2o_transformer_block(net, L2O_PART_UP, layer), DOWN = l2o_transformer_block(net, L2O_PART_DOWN, layer);
  const size_t first = net->gated ? l2o_transformer_block(net, L2O_PART_GATE, layer) : UP;
  l2o_real *product = c->keeps ? c->product : a->a;
  l2o_status status = l2o_transformer_norm(c, c->normed, a->mid, l2o_transformer_block(net, L2O_PART_NORM2, layer), net->layer_norm,
                                           c->rows, net->width);
  if (!status)
    status = watch(c, first, c->normed);
  if (!status)
    status = apply(c, a->a, false, first, c->normed);
  if (!status && net->gated)
    status = apply(c, a->b, false, UP, c->normed);
  if (status)
    return status;
  l2o_gated_unit_forward(product, a->a, net->gated ? a->b : NULL, net->unit, c->rows * net->mlp);
  if (out != a->mid)
    memcpy(out, a->mid, c->rows * net->width * sizeof *out);
  status = watch(c, DOWN, product);
  return status ? status : apply(c, out, true, DOWN, product);
}

l2o_status l2o_transformer_trunk(l2o_transformer_pass *c) {
  const l2o_transformer *net = c->net;
  l2o_status status = look_up(c, c->kept);
  for (size_t layer = 0; layer < net->layers && !status; layer++) {
    const l2o_activations a = l2o_transformer_activations(c, layer);
    status = attention_part(c, &a, layer);
    if (!status)
      status = unit_part(c, c->kept + (layer + 1) * c->kept_len, &a, layer);
  }
  return status ? status
                : l2o_transformer_norm(c, c->normed, l2o_transformer_last(c), net->at[L2O_PART_NORM], net->layer_norm, c->rows,
                                       net->width);
}

l2o_status l2o_transformer_head(l2o_transformer_pass *c) {
  const size_t block = c->net->at[L2O_PART_HEAD], tile = l2o_transformer_head_tile(c), width = c->net->width;
  l2o_status status = c->net->tied ? L2O_OK : watch(c, block, c->normed);
  for (size_t row = 0; row < c->rows; row++)
    c->largest[row] = -(l2o_real)INFINITY, c->sum[row] = 0;
  for (size_t first = 0; first < c->net->vocab && !status; first += tile) {
    const size_t count = c->net->vocab - first < tile ? c->net->vocab - first : tile;
    const l2o_real *W;
    status = l2o_layers_rows(&c->layers, &W, block, first, count);
    if (status)
      break;
    l2o_gemm_part(c->scores, tile, false, c->normed, width, false, W, width, true, c->rows, count, width);
    l2o_cross_entropy_forward(c->largest, c->sum, c->scores, tile, c->rows, count);
    for (size_t row = 0; row < c->rows; row++)
      if (c->target[row] >= first && c->target[row] < first + count)
        c->of_target[row] = c->scores[row * tile + c->target[row] - first];
  }
  return status;
}

double l2o_transformer_loss(const l2o_transformer_pass *c) {
  double loss = 0;
  for (size_t s = 0; s < c->sequences; s++) {
    double sum = 0;
    for (size_t row = c->begin[s]; row < c->begin[s + 1]; row++)
      sum += log(c->sum[row]) + ((double)c->largest[row] - (double)c->of_target[row]);
    loss += sum / (double)(c->begin[s + 1] - c->begin[s]);
  }
  return loss;
}

/* ---- whole passes ---- */

static const l2o_pass nobody = {0};

size_t l2o_transformer_forward_work(const l2o_transformer *net, size_t longest, size_t count, bool tile) {
  l2o_transformer_pass c;
  return l2o_transformer_room(&c, net, longest, count, count * longest, false, tile, NULL);
}

l2o_status l2o_transformer_forward(double *f, const l2o_transformer *net, const l2o_real *x, const l2o_text *text,
                                   l2o_chosen chosen, const l2o_pass *pass, l2o_real *work) {
  l2o_transformer_pass c;
  l2o_transformer_room(&c, net, text->longest, chosen.count, l2o_transformer_rows(text, chosen), false, pass && pass->weights,
                       work);
  c.layers.blocks = net->blocks, c.layers.x = x, c.layers.pass = pass ? pass : &nobody;
  l2o_transformer_begin(&c, text, chosen);
  l2o_status status = l2o_transformer_trunk(&c);
  if (!status)
    status = l2o_transformer_head(&c);
  *f = status ? (double)NAN : l2o_transformer_loss(&c);
  return status;
}

l2o_status l2o_transformer_scores(l2o_real *scores, const l2o_transformer *net, const l2o_real *x, const l2o_text *text,
                                  l2o_real *work) {
  l2o_transformer_pass c;
  l2o_transformer_room(&c, net, text->longest, 1, text->longest, false, false, work);
  c.layers.blocks = net->blocks, c.layers.x = x, c.layers.pass = &nobody;
  l2o_transformer_begin(&c, text, (l2o_chosen){.count = 1});
  const l2o_status status = l2o_transformer_trunk(&c);
  return status ? status : apply(&c, scores, false, net->at[L2O_PART_HEAD], c.normed);
}
