/* SPDX-License-Identifier: BSD-3-Clause */
/* Family transformer: its options, text from a Markov chain, text from data. */
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/instance.h"
#include "problems/transformer_instance.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  OPTION_VOCAB,
  OPTION_WIDTH,
  OPTION_LAYERS,
  OPTION_HEADS,
  OPTION_KV_HEADS,
  OPTION_HEAD_DIM,
  OPTION_MLP,
  OPTION_GATED,
  OPTION_ACTIVATION,
  OPTION_NORM,
  OPTION_NORM_EPSILON,
  OPTION_QK_NORM,
  OPTION_POSITION,
  OPTION_ROTARY_BASE,
  OPTION_CONTEXT,
  OPTION_TIED,
  OPTION_SAMPLES,
  OPTION_LENGTH,
  OPTION_TASK,
  OPTION_SHIFT,
  OPTION_SHARPNESS
};
static const l2o_option options[] = {
    {"vocab", L2O_OPTION_INT, 32, 2, 1e7, NULL, "tokens that there are"},
    {"width", L2O_OPTION_INT, 64, 1, 65536, NULL, "of the residual stream"},
    {"layers", L2O_OPTION_INT, 2, 1, 1000, NULL, "layers, each of attention and units"},
    {"heads", L2O_OPTION_INT, 4, 1, 4096, NULL, "heads of attention"},
    {"kv_heads", L2O_OPTION_INT, 0, 0, 4096, NULL, "heads of keys and values, which heads share; 0: one for each"},
    {"head_dim", L2O_OPTION_INT, 0, 0, 4096, NULL, "width of a head; 0: width / heads"},
    {"mlp", L2O_OPTION_INT, 256, 1, 1e6, NULL, "units of a layer"},
    {"gated", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "units are multiplied by a second product"},
    {"activation", L2O_OPTION_CHOICE, L2O_UNIT_GELU, 0, 0, "gelu|tanh-gelu|silu|relu", "of the units"},
    {"norm", L2O_OPTION_CHOICE, 0, 0, 0, "layer|rms", "layer norm with biases, or RMS norm"},
    {"norm_epsilon", L2O_OPTION_REAL, 1e-5, 0, 1, NULL, "added to the variance"},
    {"qk_norm", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "RMS norm of every head's query and key"},
    {"position", L2O_OPTION_CHOICE, L2O_POSITIONS_LEARNED, 0, 0, "learned|rotary|none", "how positions are told"},
    {"rotary_base", L2O_OPTION_REAL, 10000, 1, 1e12, NULL, "of rotary positions"},
    {"context", L2O_OPTION_INT, 32, 1, 1e7, NULL, "positions: a sequence has at most one token more"},
    {"tied", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "the head is the table of tokens"},
    {"samples", L2O_OPTION_INT, 256, 0, 1e9, NULL, "sequences that the mean is taken over; of data: by default and if 0 all"},
    {"length", L2O_OPTION_INT, 32, 1, 1e7, NULL, "tokens to predict in a drawn sequence"},
    {"task", L2O_OPTION_INT, 1, 0, 4294967295, NULL, "the chain that text is drawn from: all instances share it"},
    {"drift", L2O_OPTION_REAL, 0, 0, 1, NULL, "share of another chain in its transitions"},
    {"sharpness", L2O_OPTION_REAL, 2, 0, 100, NULL, "of a chain: transitions are softmax(sharpness N(0, 1))"},
    {0},
};

enum { CHAIN_VOCAB = 4096 }; /* of a chain, whose table has the square of it */

typedef struct transformer_family {
  l2o_family base; /* first: the family handle points here */
  l2o_transformer net;
  size_t samples, length;
  uint64_t task;
  double shift, sharpness;
  /* of families from data */
  l2o_dataset *source;
  l2o_text text;
  uint32_t *token;
  size_t *begin;
  char note[200];
} transformer_family;

/* ---- drawn text ---- */

/* p += share softmax(sharpness N(0, 1)), row `from` of a chain */
static void add_transitions(double *p, double *drawn, const transformer_family *f, uint32_t chain, size_t from, double share) {
  const size_t n = f->net.vocab;
  double sum = 0;
  l2o_rng rng;
  l2o_rng_seed(&rng, f->task, chain, from);
  l2o_rng_normal(&rng, drawn, n);
  for (size_t j = 0; j < n; j++)
    sum += drawn[j] = exp(f->sharpness * drawn[j]);
  for (size_t j = 0; j < n; j++)
    p[j] += share * drawn[j] / sum;
}

/* chain (vocab, vocab): row i is the distribution function of what follows i; drawn (vocab) */
static void draw_chain(double *chain, double *drawn, const transformer_family *f) {
  const size_t n = f->net.vocab;
  for (size_t i = 0; i < n; i++) {
    double *row = chain + i * n;
    add_transitions(row, drawn, f, 1, i, 1 - f->shift);
    add_transitions(row, drawn, f, 2, i, f->shift);
    for (size_t j = 1; j < n; j++)
      row[j] += row[j - 1];
  }
}

/* The first j below n with u < row[j]. */
static size_t find(const double *row, double u, size_t n) {
  size_t low = 0, high = n - 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (u < row[middle])
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

static void draw_text(uint32_t *token, size_t *begin, const double *chain, const transformer_family *f, l2o_rng *rng) {
  const size_t n = f->net.vocab, length = f->length + 1;
  for (size_t s = 0; s <= f->samples; s++)
    begin[s] = s * length;
  for (size_t s = 0; s < f->samples; s++) {
    size_t now = (size_t)(l2o_rng_uniform(rng) * (double)n);
    for (size_t t = 0; t < length; t++) {
      token[begin[s] + t] = (uint32_t)now;
      now = find(chain + now * n, l2o_rng_uniform(rng), n);
    }
  }
}

static l2o_status sample_drawn(l2o_problem *out, const transformer_family *f, uint64_t seed, uint64_t index) {
  const size_t n = f->net.vocab;
  l2o_text text = {.sequences = f->samples, .longest = f->length};
  double *chain = calloc(n * n + n, sizeof *chain);
  l2o_status status =
      chain ? l2o_transformer_instance(out, &f->net, &text, f->samples * (f->length + 1), seed, index) : L2O_ERR_NOMEM;
  if (!status) {
    l2o_rng rng;
    l2o_rng_seed(&rng, seed, 0, index);
    draw_chain(chain, chain + n * n, f);
    draw_text((uint32_t *)(uintptr_t)text.token, (size_t *)(uintptr_t)text.begin, chain, f, &rng);
  }
  free(chain);
  return status;
}

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const transformer_family *f = (const transformer_family *)family;
  l2o_text text = f->text;
  (void)diag;
  return f->source ? l2o_transformer_instance(out, &f->net, &text, 0, seed, index) : sample_drawn(out, f, seed, index);
}

/* ---- the family ---- */

static void free_family(l2o_family *family) {
  transformer_family *f = (transformer_family *)family;
  l2o_dataset_free(f->source);
  free(f->token);
  free(f->begin);
  free(f);
}

static l2o_transformer architecture(const double *values) {
  l2o_transformer net = {.vocab = (size_t)values[OPTION_VOCAB],
                         .width = (size_t)values[OPTION_WIDTH],
                         .layers = (size_t)values[OPTION_LAYERS],
                         .heads = (size_t)values[OPTION_HEADS],
                         .kv_heads = (size_t)values[OPTION_KV_HEADS],
                         .head_dim = (size_t)values[OPTION_HEAD_DIM],
                         .mlp = (size_t)values[OPTION_MLP],
                         .context = (size_t)values[OPTION_CONTEXT],
                         .gated = values[OPTION_GATED] != 0,
                         .layer_norm = values[OPTION_NORM] == 0,
                         .qk_norm = values[OPTION_QK_NORM] != 0,
                         .tied = values[OPTION_TIED] != 0,
                         .unit = (l2o_unit)values[OPTION_ACTIVATION],
                         .positions = (l2o_positions)values[OPTION_POSITION],
                         .norm_epsilon = values[OPTION_NORM_EPSILON],
                         .rotary_base = values[OPTION_ROTARY_BASE]};
  net.kv_heads = net.kv_heads ? net.kv_heads : net.heads;
  net.head_dim = net.head_dim ? net.head_dim : net.width / net.heads;
  return net;
}

static l2o_status check_architecture(const l2o_transformer *net, const double *values, l2o_diag *diag) {
  if (values[OPTION_HEAD_DIM] == 0 && net->width % net->heads)
    return l2o_fail(diag, L2O_ERR_ARG, "transformer: width = %zu is no multiple of heads = %zu; head_dim gives heads another width",
                    net->width, net->heads);
  if (net->heads % net->kv_heads)
    return l2o_fail(diag, L2O_ERR_ARG, "transformer: heads = %zu is no multiple of kv_heads = %zu", net->heads, net->kv_heads);
  if (net->positions == L2O_POSITIONS_ROTARY && net->head_dim % 2)
    return l2o_fail(diag, L2O_ERR_ARG,
                    "transformer: rotary positions turn pairs, but a head has %zu entries; expected an even head_dim",
                    net->head_dim);
  return L2O_OK;
}

static size_t unknowns_of(const l2o_transformer *net) {
  const size_t attention = (2 * net->heads + 2 * net->kv_heads) * net->head_dim * net->width;
  const size_t units = (net->gated ? 3 : 2) * net->mlp * net->width, norm = (net->layer_norm ? 2 : 1) * net->width;
  const size_t layer = attention + units + 2 * norm + (net->qk_norm ? 2 * net->head_dim : 0);
  const size_t tables = (net->tied ? 1 : 2) * net->vocab + (net->positions == L2O_POSITIONS_LEARNED ? net->context : 0);
  return tables * net->width + net->layers * layer + norm;
}

static l2o_status new_family(transformer_family **out, const double *values, l2o_diag *diag) {
  const l2o_transformer net = architecture(values);
  l2o_status status = check_architecture(&net, values, diag);
  if (status)
    return status;
  transformer_family *f = calloc(1, sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "transformer: out of memory");
  f->base = (l2o_family){
      .struct_size = sizeof f->base, .name = "transformer", .n = unknowns_of(&net), .sample = sample, .free = free_family};
  f->net = net;
  f->samples = (size_t)values[OPTION_SAMPLES], f->length = (size_t)values[OPTION_LENGTH];
  f->task = (uint64_t)values[OPTION_TASK], f->shift = values[OPTION_SHIFT], f->sharpness = values[OPTION_SHARPNESS];
  *out = f;
  return L2O_OK;
}

/* Rows of a product: BLAS counts them by an int. */
static l2o_status check_rows(size_t sequences, size_t longest, l2o_diag *diag) {
  return sequences <= INT_MAX / longest
             ? L2O_OK
             : l2o_fail(diag, L2O_ERR_ARG, "transformer: %zu sequences of %zu tokens, expected at most %d tokens in all", sequences,
                        longest, INT_MAX);
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  transformer_family *f = NULL;
  const size_t samples = (size_t)values[OPTION_SAMPLES], length = (size_t)values[OPTION_LENGTH];
  if (samples == 0)
    return l2o_fail(diag, L2O_ERR_ARG, "transformer: samples = 0 means all of the data, but there is no data: expected at least 1");
  if (values[OPTION_VOCAB] > CHAIN_VOCAB)
    return l2o_fail(diag, L2O_ERR_ARG, "transformer: vocab = %.0f, but text is drawn from at most %d tokens: give it data",
                    values[OPTION_VOCAB], CHAIN_VOCAB);
  if (length > (size_t)values[OPTION_CONTEXT])
    return l2o_fail(diag, L2O_ERR_ARG, "transformer: length = %zu, but there are context = %.0f positions", length,
                    values[OPTION_CONTEXT]);
  l2o_status status = check_rows(samples, length, diag);
  if (!status)
    status = new_family(&f, values, diag);
  if (!status)
    *out = &f->base;
  return status;
}

/* ---- text from data: a row is a sequence, and a negative number ends it ---- */

static size_t tokens_of(const l2o_dataset *data, size_t row) {
  size_t count = 0;
  while (count < data->features && !(data->A[row * data->features + count] < 0))
    count++;
  return count;
}

static l2o_status check_sequence(const transformer_family *f, const l2o_dataset *data, size_t row, l2o_diag *diag) {
  const size_t count = tokens_of(data, row);
  if (count < 2 || count > f->net.context + 1)
    return l2o_fail(diag, L2O_ERR_SHAPE, "transformer: sequence %zu of %.100s has %zu tokens, expected from 2 to context + 1 = %zu",
                    row, data->name, count, f->net.context + 1);
  for (size_t t = 0; t < count; t++) {
    const double id = (double)data->A[row * data->features + t];
    if (!(id < (double)f->net.vocab) || id != floor(id))
      return l2o_fail(diag, L2O_ERR_FORMAT,
                      "transformer: token %zu of sequence %zu of %.100s is %.10g, expected an integer below vocab = %zu", t, row,
                      data->name, id, f->net.vocab);
  }
  return L2O_OK;
}

static l2o_status check_data(const transformer_family *f, const l2o_dataset *data, l2o_diag *diag) {
  l2o_status status = L2O_OK;
  if (f->samples > data->rows)
    return l2o_fail(diag, L2O_ERR_SHAPE, "transformer: samples = %zu, but %.100s has %zu sequences", f->samples, data->name,
                    data->rows);
  for (size_t row = 0; row < f->samples && !status; row++)
    status = check_sequence(f, data, row, diag);
  return status ? status : check_rows(f->samples, data->features, diag);
}

/* The text of the first sequences. */
static l2o_status take_text(transformer_family *f, const l2o_dataset *data) {
  f->begin = calloc(f->samples + 1, sizeof *f->begin);
  if (!f->begin)
    return L2O_ERR_NOMEM;
  f->text.longest = 0;
  for (size_t s = 0; s < f->samples; s++) {
    const size_t count = tokens_of(data, s);
    f->begin[s + 1] = f->begin[s] + count;
    f->text.longest = count - 1 > f->text.longest ? count - 1 : f->text.longest;
  }
  f->token = malloc(f->begin[f->samples] * sizeof *f->token);
  if (!f->token)
    return L2O_ERR_NOMEM;
  for (size_t s = 0; s < f->samples; s++)
    for (size_t t = 0; t < f->begin[s + 1] - f->begin[s]; t++)
      f->token[f->begin[s] + t] = (uint32_t)data->A[s * data->features + t];
  f->text.token = f->token, f->text.begin = f->begin, f->text.sequences = f->samples;
  return L2O_OK;
}

static l2o_status create_from(l2o_family **out, const double *values, l2o_dataset *data, l2o_diag *diag) {
  transformer_family *f = NULL;
  l2o_status status = new_family(&f, values, diag);
  if (status)
    return status;
  f->samples = l2o_size_given(&options[OPTION_SAMPLES], values[OPTION_SAMPLES]);
  f->samples = f->samples ? f->samples : data->rows;
  status = check_data(f, data, diag);
  if (!status) {
    status = take_text(f, data);
    if (status)
      l2o_fail(diag, status, "transformer: out of memory for the tokens of %.100s", data->name);
  }
  if (status) {
    free_family(&f->base);
    return status;
  }
  snprintf(f->note, sizeof f->note, "%.100s: the first %zu of %zu sequences", data->name, f->samples, data->rows);
  f->base.note = f->note;
  f->source = data;
  *out = &f->base;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_transformer = {
    .name = "transformer",
    .meaning = "a decoder of tokens on text, drawn from a Markov chain or given: mean cross-entropy of the next token",
    .options = options,
    .gap = "initial",
    .create = create,
    .create_from = create_from,
};
