/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of the angular evaluation of a = relu(z W2) w3, z = (z_0, z_1) not negative: docs/derivations/math_l2o_gd.md.
 *
 * With s = z_0 + z_1 and t = z_1 / s in [0, 1], a unit with weights (q_0, q_1) = W2[:, j] is active iff q_0 (1 - t) + q_1 t > 0.
 * Where q_0 and q_1 differ in sign it switches once, at q_0 / (q_0 - q_1): off if q_0 > 0, on if q_1 > 0. Between neighbouring
 * switch points ("keys") the set A of active units, and with it v = sum of w3_j W2[:, j] over A, is constant, and a = z . v. */
#ifndef L2O_NN_ANGULAR_H
#define L2O_NN_ANGULAR_H
#include "core/arena.h"
#include <l2o/base.h>

typedef struct l2o_angular {
  size_t keys, buckets;
  double *key;    /* (H + 2) sorted, in (0, 1], closed by two infinities; key k is passed iff key s <= z_1 */
  double (*v)[2]; /* (H + 1) v behind the first k keys: v of interval k */
  int32_t *start; /* (buckets + 3) keys that every z has passed whose rough t lies in bucket b, [b, b + 1) / buckets */
  int32_t *unit;  /* (H) which unit switches at key k: j off, ~j on */
  struct l2o_switch {
    double key;
    int32_t unit;
  } * found, *sorted; /* (H) scratch of l2o_angular_build() */
} l2o_angular;

/* Gives the table of H units its room. */
void l2o_angular_layout(l2o_angular *table, l2o_arena *arena, size_t H);
/* Fills it from W2 (2, H) and w3 (H), in O(H) where no more than a few keys share a bucket. Allocates nothing. */
void l2o_angular_build(l2o_angular *table, const l2o_real *w2, const l2o_real *w3, size_t H);
/* From D (H + 1, 2), D_k the sum of dL/da z over what lies in interval k: dW2 (2, H) and dw3 (H), written whole. */
void l2o_angular_gradient(const l2o_angular *table, double *dw2, double *dw3, const double (*D)[2], const l2o_real *w2,
                          const l2o_real *w3, size_t H);
#endif
