/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/mlp.h"
#include "core/decay.h"
#include "core/linalg.h"
#include "core/pieces.h"
#include "problems/layered.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Samples at a time where the caller does not say: enough for products at full speed. */
enum { CHUNK = 256 };

static const l2o_pass nobody = {0};

/* ---- the parts of x ---- */

size_t l2o_mlp_block_count(const l2o_mlp_shape *shape) {
  return (shape->depth + 1) * (shape->bias ? 2 : 1);
}

static size_t columns_of(const l2o_mlp_shape *s, size_t layer) {
  return layer == 0 ? s->inputs : s->width;
}
static size_t rows_of(const l2o_mlp_shape *s, size_t layer) {
  return layer == s->depth ? s->outputs : s->width;
}
static size_t weight_of(const l2o_mlp_shape *s, size_t layer) {
  return s->bias ? 2 * layer : layer;
}

static size_t widest(const l2o_mlp_shape *s) {
  size_t most = s->inputs > s->outputs ? s->inputs : s->outputs;
  return s->depth > 0 && s->width > most ? s->width : most;
}

size_t l2o_mlp_unknowns(const l2o_mlp_shape *shape) {
  size_t n = 0;
  for (size_t layer = 0; layer <= shape->depth; layer++)
    n += rows_of(shape, layer) * (columns_of(shape, layer) + shape->bias);
  return n;
}

void l2o_mlp_blocks(l2o_block *blocks, char (*names)[L2O_MLP_NAME], const l2o_mlp_shape *shape) {
  size_t offset = 0;
  for (size_t layer = 0, b = 0; layer <= shape->depth; layer++) {
    const size_t rows = rows_of(shape, layer), columns = columns_of(shape, layer);
    snprintf(names[b], sizeof names[b], "layers.%zu.weight", layer);
    blocks[b] = (l2o_block){names[b], L2O_BLOCK_LINEAR, offset, rows, columns, 2, b, 1};
    offset += rows * columns;
    b++;
    if (!shape->bias)
      continue;
    snprintf(names[b], sizeof names[b], "layers.%zu.bias", layer);
    blocks[b] = (l2o_block){names[b], L2O_BLOCK_OTHER, offset, 1, rows, 1, 0, 0};
    offset += rows;
    b++;
  }
}

static const l2o_block *blocks(const l2o_problem *p, size_t *count) {
  const l2o_mlp *d = p->data;
  *count = d->block_count;
  return d->blocks;
}

/* ---- samples and losses ---- */

/* The row of A that sample i of a minibatch is. */
static size_t row_of(const l2o_mlp *d, const size_t *rows, size_t i) {
  const size_t sample = rows ? rows[i] : i;
  return d->row ? d->row[sample] : sample;
}

/* Samples first, ..., first + count - 1 of a minibatch: where they stand, or copied into `room`. */
static const l2o_real *inputs_of(const l2o_mlp *d, l2o_real *room, const size_t *rows, size_t first, size_t count) {
  const size_t inputs = d->shape.inputs;
  if (!rows && !d->row)
    return d->A + first * inputs;
  for (size_t i = 0; i < count; i++)
    memcpy(room + i * inputs, d->A + row_of(d, rows, first + i) * inputs, inputs * sizeof *room);
  return room;
}

/* ln sum_c exp(z_c) - z_y; z becomes exp(z) / sum - e_y. Shifted by the largest: nothing overflows, one exp() is 1. */
static double cross_entropy(l2o_real *z, size_t y, size_t classes) {
  l2o_real largest = z[0];
  double sum = 0;
  for (size_t c = 1; c < classes; c++)
    largest = z[c] > largest ? z[c] : largest;
  const double below = (double)largest - (double)z[y];
  for (size_t c = 0; c < classes; c++)
    z[c] -= largest;
  l2o_decay(z, z, classes);
  for (size_t c = 0; c < classes; c++)
    sum += (double)z[c];
  for (size_t c = 0; c < classes; c++)
    z[c] = (l2o_real)((double)z[c] / sum);
  z[y] -= 1;
  return below + log(sum);
}

/* 1/2 |z - t|^2; z becomes z - t. */
static double half_square(l2o_real *z, const l2o_real *t, size_t n) {
  double sum = 0;
  for (size_t c = 0; c < n; c++) {
    z[c] -= t[c];
    sum += (double)z[c] * (double)z[c];
  }
  return sum / 2;
}

/* The sum of the losses of the outputs Z (count, outputs), which become its slopes. */
static double losses(const l2o_mlp *d, l2o_real *Z, const size_t *rows, size_t first, size_t count) {
  const size_t outputs = d->shape.outputs;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    const size_t row = row_of(d, rows, first + i);
    l2o_real *z = Z + i * outputs;
    sum += d->label ? cross_entropy(z, d->label[row], outputs) : half_square(z, d->target + row * outputs, outputs);
  }
  return sum;
}

/* ---- forward ---- */

/* Z = X W' + 1 b' for the samples X (count, columns) */
static l2o_status linear(const l2o_mlp_shape *s, const l2o_layers *l, l2o_real *Z, const l2o_real *X, size_t layer, size_t count) {
  const size_t weight = weight_of(s, layer), rows = rows_of(s, layer), columns = columns_of(s, layer);
  const l2o_real *bias;
  l2o_status status = l2o_layers_watch(l, weight, X, count, columns);
  if (!status && s->bias)
    status = l2o_layers_rows(l, &bias, weight + 1, 0, 1);
  for (size_t i = 0; i < count && !status && s->bias; i++)
    memcpy(Z + i * rows, bias, rows * sizeof *Z);
  return status ? status : l2o_layers_apply(l, Z, rows, s->bias, weight, X, columns, count);
}

/* What goes in and what comes out of a layer, in turn. */
typedef struct streams {
  l2o_real *buffer[2], *tile;
} streams;

static size_t lay_out_streams(streams *o, const l2o_mlp *d, size_t count, l2o_real *work) {
  const size_t length = count * widest(&d->shape);
  const l2o_piece pieces[] = {
      {&o->buffer[0], length}, {&o->buffer[1], length}, {&o->tile, l2o_layers_tile_len(d->blocks, d->block_count)}};
  return L2O_LAY_OUT(work, pieces);
}

/* *sum = the losses of samples first, ..., first + count - 1 */
static l2o_status stream(const l2o_mlp *d, double *sum, const l2o_layers *l, const size_t *rows, size_t first, size_t count,
                         const streams *o) {
  const l2o_mlp_shape *s = &d->shape;
  const l2o_real *in = inputs_of(d, o->buffer[1], rows, first, count);
  l2o_status status = L2O_OK;
  for (size_t layer = 0; layer <= s->depth && !status; layer++) {
    l2o_real *out = o->buffer[layer % 2];
    status = linear(s, l, out, in, layer, count);
    if (!status && layer < s->depth)
      l2o_hidden_forward(out, out, s->activation, count * rows_of(s, layer));
    in = out;
  }
  if (!status)
    *sum = losses(d, o->buffer[s->depth % 2], rows, first, count);
  return status;
}

static size_t forward_work_len(const l2o_problem *p, size_t count) {
  streams o;
  return lay_out_streams(&o, p->data, count, NULL);
}

static l2o_status forward(const l2o_problem *p, double *f, const l2o_real *x, const size_t *rows, size_t count,
                          const l2o_pass *pass, l2o_real *work) {
  const l2o_mlp *d = p->data;
  streams o;
  lay_out_streams(&o, d, count, work);
  const l2o_layers l = {d->blocks, x, pass, o.tile};
  double sum = 0;
  const l2o_status status = stream(d, &sum, &l, rows, 0, count, &o);
  *f = sum / (double)count;
  return status;
}

static l2o_status mean(const l2o_problem *p, double *f, const l2o_real *x, const size_t *rows, size_t count, l2o_real *work) {
  const l2o_mlp *d = p->data;
  streams o;
  lay_out_streams(&o, d, CHUNK, work);
  const l2o_layers l = {d->blocks, x, &nobody, o.tile};
  l2o_status status = L2O_OK;
  double total = 0, sum = 0;
  for (size_t first = 0; first < count && !status; first += CHUNK, total += sum)
    status = stream(d, &sum, &l, rows, first, count - first < CHUNK ? count - first : CHUNK, &o);
  *f = total / (double)count;
  return status;
}

/* ---- backward ---- */

/* What a chunk keeps: of hidden layer k = 0, 1, ... Z and A (CHUNK, width) each, of the last the slopes D (CHUNK, widest). */
typedef struct kept {
  l2o_real *X, *Z, *A, *D, *transposed;
} kept;

static size_t lay_out_kept(kept *o, const l2o_mlp *d, l2o_real *work) {
  const l2o_mlp_shape *s = &d->shape;
  const size_t hidden = s->depth * CHUNK * s->width, most = CHUNK * widest(s);
  const l2o_piece pieces[] = {{&o->X, CHUNK * s->inputs}, {&o->Z, hidden}, {&o->A, hidden}, {&o->D, most}, {&o->transposed, most}};
  return L2O_LAY_OUT(work, pieces);
}

/* dg += (D' in, sum_i d_i) of a layer, and D becomes the slope of its input unless that is X. Slopes are transposed first: no
 * product then is one of two matrices as they stand, see l2o_gemm(). */
static void backward(const l2o_mlp *d, l2o_real *g, const kept *o, const l2o_real *x, const l2o_real *in, size_t layer,
                     size_t count) {
  const l2o_mlp_shape *s = &d->shape;
  const size_t rows = rows_of(s, layer), columns = columns_of(s, layer);
  const l2o_block *weight = &d->blocks[weight_of(s, layer)];
  l2o_gemm_add(g + weight->offset, o->D, true, in, false, rows, columns, count);
  for (size_t i = 0; i < count && s->bias; i++)
    for (size_t c = 0; c < rows; c++)
      g[weight[1].offset + c] += o->D[i * rows + c];
  if (layer == 0)
    return;
  for (size_t i = 0; i < count; i++)
    for (size_t c = 0; c < rows; c++)
      o->transposed[c * count + i] = o->D[i * rows + c];
  l2o_gemm(o->D, o->transposed, true, x + weight->offset, false, count, columns, rows);
}

/* Adds the losses of a chunk to *total, and `share` of their gradient to g. */
static l2o_status add_chunk(const l2o_mlp *d, double *total, l2o_real *g, const l2o_real *x, const size_t *rows, size_t first,
                            size_t count, double share, const kept *o) {
  const l2o_mlp_shape *s = &d->shape;
  const l2o_layers l = {d->blocks, x, &nobody, NULL};
  const size_t each = count * s->width;
  const l2o_real *X = inputs_of(d, o->X, rows, first, count), *in = X;
  for (size_t layer = 0; layer <= s->depth; layer++) {
    l2o_real *Z = layer < s->depth ? o->Z + layer * each : o->D;
    const l2o_status status = linear(s, &l, Z, in, layer, count);
    if (status)
      return status;
    if (layer == s->depth)
      break;
    in = o->A + layer * each;
    l2o_hidden_forward(o->A + layer * each, Z, s->activation, each);
  }
  *total += losses(d, o->D, rows, first, count);
  for (size_t i = 0; i < count * s->outputs; i++)
    o->D[i] *= (l2o_real)share;
  for (size_t layer = s->depth; layer > 0; layer--) {
    const size_t below = (layer - 1) * each;
    backward(d, g, o, x, o->A + below, layer, count);
    l2o_hidden_backward(o->D, o->A + below, o->Z + below, s->activation, each);
  }
  backward(d, g, o, x, X, 0, count);
  return L2O_OK;
}

static l2o_status gradient_of(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                              l2o_real *work) {
  const l2o_mlp *d = p->data;
  kept o;
  lay_out_kept(&o, d, work);
  l2o_status status = L2O_OK;
  double total = 0;
  memset(g, 0, p->n * sizeof *g);
  for (size_t first = 0; first < count && !status; first += CHUNK)
    status = add_chunk(d, &total, g, x, rows, first, count - first < CHUNK ? count - first : CHUNK, 1 / (double)count, &o);
  *f = total / (double)count;
  return status;
}

/* ---- the problem ---- */

static size_t value_work_len(const l2o_problem *p) {
  return forward_work_len(p, CHUNK);
}

static size_t work_len(const l2o_problem *p) {
  kept o;
  const size_t streaming = value_work_len(p), keeping = lay_out_kept(&o, p->data, NULL);
  return streaming > keeping ? streaming : keeping;
}

static size_t summands(const l2o_problem *p) {
  return ((const l2o_mlp *)p->data)->count;
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  return mean(p, f, x, NULL, summands(p), work);
}

static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  return gradient_of(p, f, g, x, NULL, summands(p), work);
}

static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  return g ? gradient_of(p, f, g, x, rows, count, work) : mean(p, f, x, rows, count, work);
}

static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  memcpy(x0, ((const l2o_mlp *)p->data)->start, p->n * sizeof *x0);
  return L2O_OK;
}

static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

const l2o_problem_ops l2o_mlp_ops = {
    .struct_size = sizeof l2o_mlp_ops,
    .name = "mlp",
    .work_len = work_len,
    .value = value,
    .gradient = gradient,
    .start = start,
    .free = release,
    .summands = summands,
    .partial = partial,
    .blocks = blocks,
    .forward = forward,
    .forward_work_len = forward_work_len,
    .value_work_len = value_work_len,
};
