/* SPDX-License-Identifier: BSD-3-Clause */
#include "layer_probe.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/normals.h"
#include <math.h>
#include <string.h>

enum { STRIPE = 256 }; /* rows of R that are drawn at a time, a multiple of 4 */

static const double LARGEST_MOVE = 1e15; /* of eta c: from here on W would soon not be finite */

static size_t padded(size_t n) {
  return (n + 3) / 4 * 4;
}

void probe_layout(probe *p, l2o_iterate *it, size_t rank, l2o_arena *arena) {
  *p = (probe){.it = it};
  p->blocks = l2o_problem_blocks(it->problem, &p->count);
  L2O_TAKE(arena, p->of, p->count);
  L2O_TAKE(arena, p->room, rank * (STRIPE + 4));
  for (size_t b = 0; b < p->count; b++) {
    const l2o_block *block = &p->blocks[b];
    if (block->kind == L2O_BLOCK_LINEAR && it->batch * block->uses > p->tokens)
      p->tokens = it->batch * block->uses;
    uint32_t *present = NULL;
    if (block->kind == L2O_BLOCK_TABLE && it->options[PROBE_TABLES] == PROBE_ROWS)
      L2O_TAKE(arena, present, (block->rows + 31) / 32);
    if (p->of)
      p->of[b].present = present;
  }
}

void probe_begin(probe *p) {
  const double *options = p->it->options;
  for (size_t b = 0; b < p->count; b++) {
    const l2o_block *block = &p->blocks[b];
    probe_direction *d = &p->of[b];
    d->scale = block->kind == L2O_BLOCK_OTHER ? (l2o_real)options[PROBE_OTHERS] : 1;
    const bool frozen = block->kind == L2O_BLOCK_TABLE && options[PROBE_TABLES] == PROBE_FROZEN;
    d->kind = frozen || d->scale == 0 ? PROBE_NONE : PROBE_GAUSSIAN;
    if (d->present)
      memset(d->present, 0, (block->rows + 31) / 32 * sizeof *d->present);
  }
}

/* ---- W + s D, a few rows at a time ---- */

static bool is_present(const probe_direction *d, size_t row) {
  return !d->present || (d->present[row / 32] >> row % 32 & 1);
}

/* out = base + s u */
static void add_gaussian(const probe *p, l2o_real *out, const l2o_real *base, size_t b, size_t first, size_t count, l2o_real s) {
  const l2o_iterate *it = p->it;
  const probe_direction *d = &p->of[b];
  const size_t columns = p->blocks[b].columns, step = d->present || columns % 4 ? 1 : count;
  for (size_t i = 0; i < count; i += step)
    if (is_present(d, first + i))
      l2o_normals_add(out + i * columns, base + i * columns, s, it->seed, (uint32_t)b, it->k, (first + i) * padded(columns),
                      step * columns);
    else if (out != base)
      memcpy(out + i * columns, base + i * columns, columns * sizeof *out);
}

/* out += s R A; R is drawn transposed, so that none of its numbers depends on where a stripe begins */
static void add_low_rank(const probe *p, l2o_real *out, size_t b, size_t first, size_t count, l2o_real s) {
  const l2o_iterate *it = p->it;
  const probe_direction *d = &p->of[b];
  const size_t columns = p->blocks[b].columns, rows = padded(p->blocks[b].rows);
  for (size_t done = 0, size; done < count; done += size) {
    const size_t at = first + done, skipped = at % 4;
    size = count - done < STRIPE ? count - done : STRIPE;
    const size_t width = padded(skipped + size);
    for (size_t j = 0; j < d->rank; j++)
      l2o_normals(p->room + j * width, it->seed, (uint32_t)b, it->k, j * rows + at - skipped, width);
    for (size_t j = 0; j < d->rank; j++)
      for (size_t i = 0; i < size; i++)
        p->room[j * width + skipped + i] *= is_present(d, at + i) ? s : 0;
    l2o_gemm_part(out + done * columns, columns, true, p->room + skipped, width, true, d->factor, columns, false, size, columns,
                  d->rank);
  }
}

/* out = base + s D for the rows first, ..., first + count - 1 of block b; out may be base. */
static void add_direction(const probe *p, l2o_real *out, const l2o_real *base, size_t b, size_t first, size_t count, double s) {
  const probe_direction *d = &p->of[b];
  const l2o_real scale = (l2o_real)s * d->scale;
  if (d->kind == PROBE_GAUSSIAN) {
    add_gaussian(p, out, base, b, first, count, scale);
    return;
  }
  if (out != base)
    memcpy(out, base, count * p->blocks[b].columns * sizeof *out);
  if (d->kind == PROBE_LOW_RANK)
    add_low_rank(p, out, b, first, count, scale);
}

/* W += s D */
static void move(const probe *p, double s) {
  for (size_t b = 0; b < p->count; b++) {
    l2o_real *w = p->it->x + p->blocks[b].offset;
    if (p->of[b].kind != PROBE_NONE)
      add_direction(p, w, w, b, 0, p->blocks[b].rows, s);
  }
}

/* ---- passes ---- */

static l2o_status perturbed(void *context, l2o_real *out, size_t block, size_t first, size_t count) {
  const probe *p = context;
  const l2o_block *b = &p->blocks[block];
  add_direction(p, out, p->it->x + b->offset + first * b->columns, block, first, count, p->mu);
  return L2O_OK;
}

static l2o_status watch(void *context, size_t block, const l2o_real *X, const size_t *rows, size_t count, size_t stride) {
  probe *p = context;
  uint32_t *present = p->of[block].present;
  for (size_t i = 0; rows && present && i < count; i++)
    present[rows[i] / 32] |= UINT32_C(1) << rows[i] % 32;
  return X && p->look ? p->look(p, block, X, count, stride) : L2O_OK;
}

/* f(W + mu D). `from`: how far along D the stored W is already, where it is moved in place. */
static l2o_status pass_at(probe *p, double *f, double mu, bool watched, double *from) {
  const bool in_place = p->it->options[PROBE_PERTURB] == PROBE_IN_PLACE;
  p->mu = mu;
  if (in_place && mu != *from) {
    move(p, mu - *from);
    *from = mu;
  }
  const l2o_pass pass = {.watch = watched ? watch : NULL, .weights = in_place || mu == 0 ? NULL : perturbed, .context = p};
  return l2o_iterate_forward(p->it, f, &pass);
}

size_t probe_calls(const l2o_iterate *it, bool base) {
  return it->options[PROBE_DIFFERENCE] == PROBE_TWO_SIDED ? 2 + base : 2;
}

static bool sees_tables(const probe *p) {
  for (size_t b = 0; b < p->count; b++)
    if (p->of[b].present)
      return true;
  return false;
}

/* In place the rows of tables must be known before the first probe. */
static bool needs_base(const probe *p) {
  return p->look || (sees_tables(p) && p->it->options[PROBE_PERTURB] == PROBE_IN_PLACE);
}

l2o_status probe_step(probe *p, l2o_stop *stop) {
  l2o_iterate *it = p->it;
  const bool two_sided = it->options[PROBE_DIFFERENCE] == PROBE_TWO_SIDED, base = !two_sided || needs_base(p);
  const double mu = it->options[PROBE_RADIUS] > 0 ? it->options[PROBE_RADIUS] : sizeof(l2o_real) == sizeof(double) ? 1e-6 : 1e-4;
  double f = 0, f_plus = 0, f_minus = 0, from = 0;
  if (it->allowance < probe_calls(it, two_sided && base)) {
    *stop = L2O_STOP_CALLS;
    return L2O_OK;
  }
  l2o_status status = base ? pass_at(p, &f, 0, true, &from) : L2O_OK;
  if (status)
    return status;
  status = pass_at(p, &f_plus, mu, !base && sees_tables(p), &from);
  if (!status && two_sided)
    status = pass_at(p, &f_minus, -mu, false, &from);
  if (status && status != L2O_ERR_NUMERIC) {
    if (from != 0)
      move(p, -from);
    return status;
  }
  const double c = two_sided ? (f_plus - f_minus) / (2 * mu) : (f_plus - f) / mu, size = status ? 0 : it->step * c;
  if (status)
    it->rejected++;
  else if (!(fabs(size) <= LARGEST_MOVE))
    *stop = L2O_STOP_DIVERGED;
  const double to = *stop ? 0 : -size; /* W <- W - eta c D */
  if (to != from)
    move(p, to - from);
  return L2O_OK;
}

l2o_status probe_check_rank(const l2o_iterate *it, const char *rule, size_t rank, l2o_diag *diag) {
  size_t count;
  const l2o_block *blocks = l2o_problem_blocks(it->problem, &count);
  for (size_t b = 0; b < count; b++)
    if (blocks[b].kind == L2O_BLOCK_LINEAR && rank > blocks[b].columns)
      return l2o_fail(diag, L2O_ERR_ARG, "%s: rank=%zu is more than layer '%s' has inputs, expected at most %zu", rule, rank,
                      blocks[b].name, blocks[b].columns);
  return L2O_OK;
}
