/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays in one block of reals that somebody else owns: scratch of a rule, work of a problem. */
#ifndef L2O_CORE_PIECES_H
#define L2O_CORE_PIECES_H
#include "core/vector.h"

typedef struct l2o_piece {
  l2o_real **at;
  size_t length;
} l2o_piece;

/* Points the pieces into `room`, one after another, each on a cache line if `room` is; nowhere where that is NULL. Returns the
 * reals that they take. */
static inline size_t l2o_lay_out(l2o_real *room, const l2o_piece *pieces, size_t count) {
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    *pieces[i].at = room ? room + used : NULL;
    used += l2o_whole_lines(pieces[i].length);
  }
  return used;
}
#define L2O_LAY_OUT(room, pieces) l2o_lay_out((room), (pieces), sizeof(pieces) / sizeof *(pieces))
#endif
