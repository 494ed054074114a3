/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/layered.h"
#include "core/linalg.h"

/* A tile stays in the second-level cache, but has enough rows that a product with it costs what the whole one would. */
enum { TILE_REALS = 262144, LEAST_ROWS = 256, MOST_ROWS = 1024 };

size_t l2o_layers_tile_rows(const l2o_block *block) {
  const size_t rows = TILE_REALS / block->columns / 4 * 4;
  return rows < LEAST_ROWS ? LEAST_ROWS : rows > MOST_ROWS ? MOST_ROWS : rows;
}

size_t l2o_layers_tile_len(const l2o_block *blocks, size_t count) {
  size_t most = 0;
  for (size_t b = 0; b < count; b++) {
    const size_t tile = l2o_layers_tile_rows(&blocks[b]), rows = blocks[b].rows < tile ? blocks[b].rows : tile;
    most = rows * blocks[b].columns > most ? rows * blocks[b].columns : most;
  }
  return most;
}

l2o_status l2o_layers_watch(const l2o_layers *l, size_t block, const l2o_real *X, size_t count, size_t stride) {
  return l->pass->watch ? l->pass->watch(l->pass->context, block, X, NULL, count, stride) : L2O_OK;
}

l2o_status l2o_layers_watch_table(const l2o_layers *l, size_t block, const size_t *rows, size_t count) {
  return l->pass->watch ? l->pass->watch(l->pass->context, block, NULL, rows, count, 0) : L2O_OK;
}

l2o_status l2o_layers_rows(const l2o_layers *l, const l2o_real **w, size_t block, size_t first, size_t count) {
  const l2o_block *b = &l->blocks[block];
  *w = l->pass->weights ? l->tile : l->x + b->offset + first * b->columns;
  return l->pass->weights ? l->pass->weights(l->pass->context, l->tile, block, first, count) : L2O_OK;
}

l2o_status l2o_layers_apply(const l2o_layers *l, l2o_real *Y, size_t ldy, bool add, size_t block, const l2o_real *X, size_t ldx,
                            size_t count) {
  const l2o_block *b = &l->blocks[block];
  const size_t tile = l2o_layers_tile_rows(b); /* whoever gives the weights: BLAS rounds other shapes differently */
  l2o_status status = L2O_OK;
  for (size_t first = 0; first < b->rows && !status; first += tile) {
    const size_t rows = b->rows - first < tile ? b->rows - first : tile;
    const l2o_real *W;
    status = l2o_layers_rows(l, &W, block, first, rows);
    if (!status)
      l2o_gemm_part(Y + first, ldy, add, X, ldx, false, W, b->columns, true, count, rows, b->columns);
  }
  return status;
}
