/* SPDX-License-Identifier: BSD-3-Clause */
/* What the families that are made of layers share: a forward pass that takes its weights from x, or from whoever perturbs them, a
 * tile at a time. A perturbed weight exists only as long as its tile is multiplied by, and x is never written. */
#ifndef L2O_PROBLEMS_LAYERED_H
#define L2O_PROBLEMS_LAYERED_H
#include <l2o/problem.h>

/* A forward pass. */
typedef struct l2o_layers {
  const l2o_block *blocks;
  const l2o_real *x;
  const l2o_pass *pass; /* not NULL; its functions may be */
  l2o_real *tile;       /* l2o_layers_tile_len(blocks, count) reals */
} l2o_layers;

/* Reals of the largest tile: no block has more in one. */
size_t l2o_layers_tile_len(const l2o_block *blocks, size_t count);
/* Rows of a whole tile of this block, a multiple of 4; its last tile may have less. */
size_t l2o_layers_tile_rows(const l2o_block *block);

/* Shows X (count, columns) to who watches, with `stride` reals from row to row; block: the first that takes it. */
l2o_status l2o_layers_watch(const l2o_layers *l, size_t block, const l2o_real *X, size_t count, size_t stride);
/* Likewise rows[count] of a table. */
l2o_status l2o_layers_watch_table(const l2o_layers *l, size_t block, const size_t *rows, size_t count);
/* *w = rows first, ..., first + count - 1 of a block as the pass takes them, at most a tile: where they stand in x, or in l->tile
 * until the next call. */
l2o_status l2o_layers_rows(const l2o_layers *l, const l2o_real **w, size_t block, size_t first, size_t count);
/* Y = X W' or Y += X W', W (rows, columns) the weights of a linear block or of a table, X (count, columns), Y (count, rows), with
 * ldx and ldy reals from row to row. */
l2o_status l2o_layers_apply(const l2o_layers *l, l2o_real *Y, size_t ldy, bool add, size_t block, const l2o_real *X, size_t ldx,
                            size_t count);
#endif
