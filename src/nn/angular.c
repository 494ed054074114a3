/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/angular.h"
#include "nn/coordinate_layers.h"
#include <math.h>
#include <string.h>

/* Eight buckets a key where half of the units switch. More than that many would leave the second-level cache. */
enum { BUCKETS_PER_UNIT = 4, BUCKETS_MAX = 1 << 14 };

void l2o_angular_layout(l2o_angular *t, l2o_arena *arena, size_t H) {
  t->buckets = H < BUCKETS_MAX / BUCKETS_PER_UNIT ? BUCKETS_PER_UNIT * H : BUCKETS_MAX;
  L2O_TAKE(arena, t->key, H + 2);
  L2O_TAKE(arena, t->v, H + 1);
  L2O_TAKE(arena, t->start, t->buckets + 3);
  L2O_TAKE(arena, t->unit, H);
  L2O_TAKE(arena, t->found, H);
  L2O_TAKE(arena, t->sorted, H);
}

/* sum + error += x without loss (Knuth, The Art of Computer Programming 2, 4.2.2): v is a long sum of terms of both signs */
static inline void add(double *sum, double *error, double x) {
  const double s = *sum + x, part = s - *sum;
  *error += (*sum - (s - part)) + (x - part);
  *sum = s;
}

/* By key, then by unit: insertion at falling distances (Shell 1959), from one that fits `crowd`, the most entries that lie in the
 * place of one. */
static void sort(struct l2o_switch *a, size_t count, size_t crowd) {
  size_t gap = 1;
  while (9 * gap < crowd)
    gap = 3 * gap + 1;
  for (; gap > 0; gap /= 3)
    for (size_t i = gap; i < count; i++) {
      const struct l2o_switch x = a[i];
      size_t k = i;
      for (; k >= gap && (a[k - gap].key > x.key || (a[k - gap].key == x.key && a[k - gap].unit > x.unit)); k -= gap)
        a[k] = a[k - gap];
      a[k] = x;
    }
}

void l2o_angular_build(l2o_angular *t, const l2o_real *w2, const l2o_real *w3, size_t H) {
  const double buckets = (double)t->buckets;
  struct l2o_switch *found = t->found;
  double v0 = 0, v1 = 0, e0 = 0, e1 = 0; /* v at t = 0, where units with q_0 > 0 are active */
  size_t keys = 0;
  memset(t->start, 0, (t->buckets + 3) * sizeof *t->start);
  for (size_t j = 0; j < H; j++) {
    const double q0 = (double)w2[j], q1 = (double)w2[H + j], c = q0 > 0 ? (double)w3[j] : 0;
    const bool off = (q0 > 0) & (q1 <= 0), on = (q0 <= 0) & (q1 > 0);
    /* At the switch point itself relu'(0) = 0 asks that the unit counts as off: a unit switches off a few roundings early, on as
     * much late. Nothing has switched at t = 0, everything at t = 1. */
    double key = q0 / (q0 - q1) * (on ? 1 + 0x1p-50 : 1 - 0x1p-50);
    key = key < 1 ? key : 1;
    key = key > L2O_ANGULAR_TINY ? key : L2O_ANGULAR_TINY;
    found[keys] = (struct l2o_switch){key, on ? ~(int32_t)j : (int32_t)j};
    keys += off | on;
    t->start[(size_t)(int32_t)(key * buckets) + 2] += off | on;
    add(&v0, &e0, c * q0);
    add(&v1, &e1, c * q1);
  }
  /* start[b + 2], the keys in bucket b, becomes start[b + 1], where bucket b begins, and with its keys filled in, where it ends */
  int32_t crowd = 0;
  for (size_t b = 1; b < t->buckets + 3; b++) {
    crowd = t->start[b] > crowd ? t->start[b] : crowd;
    t->start[b] += t->start[b - 1];
  }
  for (size_t i = 0; i < keys; i++)
    t->sorted[t->start[(size_t)(int32_t)(found[i].key * buckets) + 1]++] = found[i];
  sort(t->sorted, keys, (size_t)crowd);

  t->keys = keys;
  t->v[0][0] = v0 + e0, t->v[0][1] = v1 + e1;
  for (size_t k = 0; k < keys; k++) {
    const struct l2o_switch at = t->sorted[k];
    const size_t j = (size_t)(at.unit < 0 ? ~at.unit : at.unit);
    const double c = at.unit < 0 ? (double)w3[j] : -(double)w3[j];
    add(&v0, &e0, c * (double)w2[j]);
    add(&v1, &e1, c * (double)w2[H + j]);
    t->v[k + 1][0] = v0 + e0, t->v[k + 1][1] = v1 + e1;
    t->key[k] = at.key;
    t->unit[k] = at.unit;
    /* a quotient that is too large by its error may lie in a bucket behind the key though t does not */
    const size_t last = (size_t)(int32_t)(at.key * buckets * (1 + L2O_QUOTIENT_ERROR));
    for (size_t b = (size_t)(int32_t)(at.key * buckets) + 1; b <= last && b <= t->buckets; b++)
      t->start[b] = t->start[b] < (int32_t)k ? t->start[b] : (int32_t)k;
  }
  t->key[keys] = t->key[keys + 1] = INFINITY;
}

/* With S_j = sum of D over the intervals in which unit j is active:
 *   dw3_j = W2[:, j] . S_j,   dW2[:, j] = w3_j S_j
 * Units that switch off at key k are active in intervals 0..k, units that switch on there in k+1..K: running sums from both ends (a
 * difference from the total would cancel). */
void l2o_angular_gradient(const l2o_angular *t, double *dw2, double *dw3, const double (*D)[2], const l2o_real *w2,
                          const l2o_real *w3, size_t H) {
  double s0 = 0, s1 = 0;
  for (size_t k = 0; k <= t->keys; k++)
    s0 += D[k][0], s1 += D[k][1];
  for (size_t j = 0; j < H; j++) { /* units that never switch */
    const bool always = (w2[j] > 0) & (w2[H + j] > 0);
    dw2[j] = always ? s0 : 0;
    dw2[H + j] = always ? s1 : 0;
  }
  s0 = s1 = 0;
  for (size_t k = 0; k < t->keys; k++) { /* upwards: units that switch off */
    s0 += D[k][0], s1 += D[k][1];
    if (t->unit[k] >= 0)
      dw2[t->unit[k]] = s0, dw2[H + (size_t)t->unit[k]] = s1;
  }
  s0 = s1 = 0;
  for (size_t k = t->keys; k-- > 0;) { /* downwards: units that switch on */
    s0 += D[k + 1][0], s1 += D[k + 1][1];
    if (t->unit[k] < 0)
      dw2[~t->unit[k]] = s0, dw2[H + (size_t)~t->unit[k]] = s1;
  }
  for (size_t j = 0; j < H; j++) {
    const double S0 = dw2[j], S1 = dw2[H + j];
    dw3[j] = (double)w2[j] * S0 + (double)w2[H + j] * S1;
    dw2[j] = (double)w3[j] * S0;
    dw2[H + j] = (double)w3[j] * S1;
  }
}
