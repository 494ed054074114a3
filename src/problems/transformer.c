/* SPDX-License-Identifier: BSD-3-Clause */
/* Training of a decoder on text: f = 1/N sum_i f_i over the sequences i, f_i the mean of -ln p(next token) over a sequence. */
#include "problems/transformer.h"
#include "core/arena.h"
#include "core/diag.h"
#include "nn/rotary.h"
#include "problems/families.h"
#include "problems/transformer_instance.h"
#include <l2o/network.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct instance {
  l2o_transformer net;
  l2o_text text;
  uint64_t seed, index;
} instance;

/* ---- the function ---- */

enum { CHUNK = 1024, LINE = 64 / sizeof(l2o_real) };

/* Values and gradients of many sequences are taken so many at a time: rows enough for the products, and not more to keep. */
static size_t chunk_of(const instance *d) {
  const size_t sequences = CHUNK / d->text.longest, least = sequences ? sequences : 1;
  return least < d->text.sequences ? least : d->text.sequences;
}

/* Wherever the caller's reals begin. */
static l2o_real *aligned(l2o_real *work) {
  return (l2o_real *)(((uintptr_t)work + 63) & ~(uintptr_t)63);
}

static size_t value_work_len(const l2o_problem *p) {
  const instance *d = p->data;
  return LINE + l2o_transformer_forward_work(&d->net, d->text.longest, chunk_of(d), false);
}

static size_t work_len(const l2o_problem *p) {
  const instance *d = p->data;
  const size_t value = value_work_len(p), gradient = LINE + l2o_transformer_gradient_work(&d->net, d->text.longest, chunk_of(d));
  return value > gradient ? value : gradient;
}

/* The mean over the sequences rows[count] (NULL: 0, 1, ...); g may be NULL. */
static l2o_status mean(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                       l2o_real *work) {
  const instance *d = p->data;
  const size_t chunk = chunk_of(d);
  double sum = 0;
  work = aligned(work);
  if (g)
    memset(g, 0, p->n * sizeof *g);
  for (size_t first = 0; first < count; first += chunk) {
    const l2o_chosen chosen = {rows, first, count - first < chunk ? count - first : chunk};
    double part;
    if (g)
      l2o_transformer_gradient(&part, g, 1 / (double)count, &d->net, x, &d->text, chosen, work);
    else
      l2o_transformer_forward(&part, &d->net, x, &d->text, chosen, NULL, work);
    sum += part;
  }
  *f = sum / (double)count;
  return L2O_OK;
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  return mean(p, f, NULL, x, NULL, ((const instance *)p->data)->text.sequences, work);
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  return mean(p, f, g, x, NULL, ((const instance *)p->data)->text.sequences, work);
}

static size_t summands(const l2o_problem *p) {
  return ((const instance *)p->data)->text.sequences;
}

static const l2o_block *blocks(const l2o_problem *p, size_t *count) {
  const instance *d = p->data;
  *count = d->net.count;
  return d->net.blocks;
}

static size_t forward_work_len(const l2o_problem *p, size_t count) {
  const instance *d = p->data;
  return LINE + l2o_transformer_forward_work(&d->net, d->text.longest, count, true);
}

static l2o_status forward(const l2o_problem *p, double *f, const l2o_real *x, const size_t *rows, size_t count,
                          const l2o_pass *pass, l2o_real *work) {
  const instance *d = p->data;
  const l2o_status status = l2o_transformer_forward(f, &d->net, x, &d->text, (l2o_chosen){rows, 0, count}, pass, aligned(work));
  *f /= (double)count;
  return status;
}

/* As PyTorch starts linear layers, uniform in +-1/sqrt(columns); tables N(0, 0.2^2); gains 1, biases 0. */
static void start_block(l2o_real *x, const l2o_block *b, l2o_rng *rng) {
  const size_t count = b->rows * b->columns;
  const double bound = 1 / sqrt((double)b->columns), spread = 0.2;
  const bool bias = strcmp(strrchr(b->name, '.'), ".bias") == 0;
  for (size_t j = 0; j < count; j++) {
    double value = bias ? 0 : 1;
    if (b->kind == L2O_BLOCK_LINEAR) {
      value = (2 * l2o_rng_uniform(rng) - 1) * bound;
    } else if (b->kind == L2O_BLOCK_TABLE) {
      l2o_rng_normal(rng, &value, 1);
      value *= spread;
    }
    x[j] = (l2o_real)value;
  }
}

static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  const instance *d = p->data;
  l2o_rng rng;
  l2o_rng_seed(&rng, d->seed, 1, d->index); /* stream 0 has drawn the text */
  for (size_t b = 0; b < d->net.count; b++)
    start_block(x0 + d->net.blocks[b].offset, &d->net.blocks[b], &rng);
  return L2O_OK;
}

static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

static const l2o_problem_ops ops = {
    .struct_size = sizeof ops,
    .name = "transformer",
    .work_len = work_len,
    .value = value,
    .gradient = gradient,
    .start = start,
    .free = release,
    .summands = summands,
    .partial = mean,
    .blocks = blocks,
    .forward = forward,
    .forward_work_len = forward_work_len,
    .value_work_len = value_work_len,
};

/* ---- making one ---- */

typedef struct parts {
  instance *d;
  l2o_block *blocks;
  char (*names)[L2O_TENSOR_NAME];
  l2o_real *cosine, *sine;
  uint32_t *token;
  size_t *begin;
} parts;

static void layout(parts *o, l2o_arena *arena, const l2o_transformer *net, const l2o_text *text, size_t tokens) {
  const size_t count = l2o_transformer_blocks(net);
  const size_t angles = net->positions == L2O_POSITIONS_ROTARY ? text->longest * (net->head_dim / 2) : 0;
  L2O_TAKE(arena, o->d, 1);
  L2O_TAKE(arena, o->blocks, count);
  L2O_TAKE(arena, o->names, count);
  L2O_TAKE(arena, o->cosine, angles);
  L2O_TAKE(arena, o->sine, angles);
  L2O_TAKE(arena, o->token, text->token ? 0 : tokens);
  L2O_TAKE(arena, o->begin, text->token ? 0 : text->sequences + 1);
}

l2o_status l2o_transformer_instance(l2o_problem *out, const l2o_transformer *net, l2o_text *text, size_t tokens, uint64_t seed,
                                    uint64_t index) {
  parts own = {0};
  l2o_arena arena = {0};
  layout(&own, &arena, net, text, tokens);
  if (!l2o_arena_new(&arena))
    return L2O_ERR_NOMEM;
  layout(&own, &arena, net, text, tokens);
  if (!text->token)
    text->token = own.token, text->begin = own.begin;
  *own.d = (instance){.net = *net, .text = *text, .seed = seed, .index = index};
  own.d->net.blocks = own.blocks;
  l2o_transformer_name(&own.d->net, own.names, text->longest);
  if (net->positions == L2O_POSITIONS_ROTARY)
    l2o_rotary_tables(own.cosine, own.sine, net->rotary_base, text->longest, net->head_dim / 2);
  own.d->net.cosine = own.cosine, own.d->net.sine = own.sine;
  *out = (l2o_problem){.ops = &ops, .data = own.d, .n = own.d->net.unknowns};
  return L2O_OK;
}

/* ---- what a trained one says ---- */

typedef struct question {
  uint32_t *token;
  size_t *begin;
  l2o_real *cosine, *sine, *work;
} question;

static void layout_question(question *q, l2o_arena *arena, const l2o_transformer *net, size_t count) {
  const size_t angles = net->positions == L2O_POSITIONS_ROTARY ? count * (net->head_dim / 2) : 0;
  L2O_TAKE(arena, q->token, count + 1);
  L2O_TAKE(arena, q->begin, 2);
  L2O_TAKE(arena, q->cosine, angles);
  L2O_TAKE(arena, q->sine, angles);
  L2O_TAKE(arena, q->work, l2o_transformer_forward_work(net, count, 1, false));
}

static l2o_status check_tokens(const l2o_transformer *net, const size_t *tokens, size_t count, l2o_diag *diag) {
  if (count == 0 || count > net->context)
    return l2o_fail(diag, L2O_ERR_SHAPE, "transformer: %zu tokens, expected from 1 to context = %zu", count, net->context);
  for (size_t t = 0; t < count; t++)
    if (tokens[t] >= net->vocab)
      return l2o_fail(diag, L2O_ERR_ARG, "transformer: token %zu is %zu, expected one below vocab = %zu", t, tokens[t], net->vocab);
  return L2O_OK;
}

l2o_status l2o_transformer_logits(const l2o_problem *p, l2o_real *logits, const l2o_real *x, const size_t *tokens, size_t count,
                                  l2o_diag *diag) {
  p = l2o_unshifted(p);
  if (p->ops != &ops)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s is not a transformer: it has no scores of tokens", l2o_problem_name(p));
  l2o_transformer net = ((const instance *)p->data)->net;
  l2o_status status = check_tokens(&net, tokens, count, diag);
  if (status)
    return status;
  question q = {0};
  l2o_arena arena = {0};
  layout_question(&q, &arena, &net, count);
  if (!l2o_arena_new(&arena))
    return l2o_fail(diag, L2O_ERR_NOMEM, "transformer: out of memory for %zu tokens", count);
  layout_question(&q, &arena, &net, count);
  for (size_t t = 0; t < count; t++)
    q.token[t] = (uint32_t)tokens[t];
  q.begin[1] = count + 1; /* behind the last there is one to predict, whichever */
  if (net.positions == L2O_POSITIONS_ROTARY)
    l2o_rotary_tables(q.cosine, q.sine, net.rotary_base, count, net.head_dim / 2);
  net.cosine = q.cosine, net.sine = q.sine;
  const l2o_text text = {.token = q.token, .begin = q.begin, .sequences = 1, .longest = count};
  status = l2o_transformer_scores(logits, &net, x, &text, q.work);
  free(arena.base);
  return status;
}
