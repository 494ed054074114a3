/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/coordinate_layers.h"
#include "core/simd.h"

enum {
  BLOCK = 64,   /* coordinates that are kept together between two loops: a bit of a word each */
  TOGETHER = 4, /* of these, dense: that share a pass over the weights */
  RUN = 16      /* vectors of hidden units that are summed up apart */
};

/* Lanes of z, u, v, ...: what belongs to the first feature or hidden feature, and to the second. */
typedef struct pair {
  vd at[2];
} pair;

/* ---- the first layer ---- */

/* relu(a); not-a-number stays */
SIMD(vd) relu(vd a) {
  return vd_max(vd_zero(), a);
}

/* p a + q b, both products rounded: where they cancel exactly the sum is 0, as relu'(0) = 0 needs it */
SIMD(vd) plain_sum(vd p, vd a, vd q, vd b) {
  return vd_add(vd_mul(p, a), vd_mul(q, b));
}

SIMD(pair) features(const l2o_coordinates *c, size_t i, bool two, size_t count) {
  return (pair){{vd_from_reals_some(c->u0 + i, count), two ? vd_from_reals_some(c->u1 + i, count) : vd_zero()}};
}

/* z = relu(u W1), in double: in float the sign of a small z would depend on rounding. Not-a-number in both parts where one is not
 * finite: no comparison of theirs is true. */
SIMD(pair) first_layer(pair u, const double *w1) {
  const vd z0 = relu(plain_sum(u.at[0], vd_set(w1[0]), u.at[1], vd_set(w1[2])));
  const vd z1 = relu(plain_sum(u.at[0], vd_set(w1[1]), u.at[1], vd_set(w1[3])));
  const vd s = vd_add(z0, z1), nothing = vd_sub(s, s);
  return (pair){{vd_add(z0, nothing), vd_add(z1, nothing)}};
}

/* dW1 += u' dz, du += dz W1', and dfactor += value dp */
SIMD(void)
first_layer_backward(vd *sums, const l2o_coordinates_back *back, pair dz, pair u, const double *w1, size_t i, size_t count) {
  sums[0] = vd_fma(u.at[0], dz.at[0], sums[0]);
  sums[1] = vd_fma(u.at[0], dz.at[1], sums[1]);
  sums[2] = vd_fma(u.at[1], dz.at[0], sums[2]);
  sums[3] = vd_fma(u.at[1], dz.at[1], sums[3]);
  sums[4] = vd_fma(vd_from_reals_some(back->value + i, count), vd_from_reals_some(back->dp + i, count), sums[4]);
  if (back->du0)
    vd_to_reals_some(
        back->du0 + i,
        vd_add(vd_from_reals_some(back->du0 + i, count), vd_fma(dz.at[0], vd_set(w1[0]), vd_mul(dz.at[1], vd_set(w1[1])))), count);
  if (back->du1)
    vd_to_reals_some(
        back->du1 + i,
        vd_add(vd_from_reals_some(back->du1 + i, count), vd_fma(dz.at[0], vd_set(w1[2]), vd_mul(dz.at[1], vd_set(w1[3])))), count);
}

static inline void add_sums(const l2o_coordinates_back *back, const vd *sums, bool two) {
  for (size_t j = 0; j < (two ? 4 : 1); j++)
    back->dw1[j] += vd_sum(sums[j]);
  *back->dfactor += vd_sum(sums[4]);
}

/* ---- angular ---- */

/* From the keys that are passed for sure, k, to all that are: at growing and then at falling distances. */
static __attribute__((noinline)) vi advance(const l2o_angular *table, vi k, vd s, vd z1) {
  const vi last = vi_set((int32_t)table->keys);
  bool up = true;
  for (int32_t distance = 1; distance > 0; distance = up ? 2 * distance : distance / 2) {
    /* is key k + distance - 1 passed? */
    const vd key = vd_gather(table->key, vi_min(vi_add(k, vi_set(distance - 1)), last));
    const vd_mask passed = vd_le(vd_mul(key, s), z1);
    k = vi_add_where(k, passed, vi_set(distance));
    up = up && vd_any(passed);
  }
  return k;
}

/* Number of keys with key s <= z_1: the interval of z. The bucket of a rough quotient z_1 / s says how many are passed for sure;
 * seldom more than one is left in doubt. */
SIMD(vi) interval(const l2o_angular *table, pair z) {
  const vd tiny = vd_set(L2O_ANGULAR_TINY), far = vd_set(0x1p600), sum = vd_add(z.at[0], z.at[1]);
  vd s = vd_max(sum, tiny), z1 = z.at[1];
  if (vd_any(vd_lt(sum, vd_min(tiny, vd_mul(z1, far))))) { /* denormal numbers have an angle, too: 0 < s < tiny */
    const vd scale = vd_select(vd_lt(sum, tiny), far, vd_set(1));
    s = vd_max(vd_mul(sum, scale), tiny);
    z1 = vd_mul(z1, scale);
  }
  const vd t = vd_min(vd_quotient(z1, s), vd_set(1));
  vi k = vi_gather(table->start, vd_to_int(vd_mul(t, vd_set((double)table->buckets))));
  const vd_mask first = vd_le(vd_mul(vd_gather(table->key, k), s), z1);
  const vd_mask second = vd_le(vd_mul(vd_gather(table->key + 1, k), s), z1);
  k = vi_count(vi_count(k, first), second);
  return vd_any(second) ? advance(table, k, s, z1) : k;
}

SIMD(pair) v_of(const l2o_angular *table, vi k) {
  const double *v = table->v[0];
  k = vi_add(k, k);
  return (pair){{vd_gather(v, k), vd_gather(v + 1, k)}};
}

/* What no search has to find: v of the first interval, where z_1 = 0, and of the last, where z_0 = 0. */
typedef struct axes {
  vd v[2];
  vi last;
} axes;

SIMD(void)
forward(const l2o_angular *table, axes on, l2o_real *a, int32_t *places, const l2o_coordinates *c, size_t i, size_t count) {
  const pair z = first_layer(features(c, i, true, count), c->w1);
  pair v = {{on.v[0], on.v[1]}};
  vi k = vi_add_where(vi_set(0), vd_lt(z.at[0], z.at[1]), on.last);
  if (vd_any(vd_lt(vd_zero(), vd_min(z.at[0], z.at[1])))) { /* is one inside the quadrant? */
    k = interval(table, z);
    v = v_of(table, k);
  }
  /* a = z . v; adding 0 makes of -0 the 0 that it is elsewhere */
  vd_to_reals_some(a + i, vd_add(vd_zero(), vd_fma(z.at[0], v.at[0], vd_mul(z.at[1], v.at[1]))), count);
  if (places && count == VD)
    vi_store(places + i, k);
  else if (places)
    vi_store_part(places + i, k, count);
}

void L2O_HERE(l2o_angular_forward)(const l2o_angular *table, l2o_real *a, int32_t *places, const l2o_coordinates *c) {
  const axes on = {{vd_set(table->v[0][0]), vd_set(table->v[table->keys][1])}, vi_set((int32_t)table->keys)};
  size_t i = 0;
  for (; i + VD <= c->n; i += VD)
    forward(table, on, a, places, c, i, VD);
  if (i < c->n)
    forward(table, on, a, places, c, i, c->n - i);
}

/* One vector of coordinates. delta z of those inside the quadrant goes to `inside`, a bit of the result for each of them; that of
 * those on an axis, which are many and lie in the first or in the last interval, to axis. */
SIMD(uint64_t)
backward(const l2o_angular *table, vd *sums, vd *axis, double *inside0, double *inside1, const l2o_coordinates_back *back,
         const int32_t *places, const l2o_coordinates *c, size_t i, size_t count) {
  const pair u = features(c, i, true, count), z = first_layer(u, c->w1);
  const pair v = v_of(table, count == VD ? vi_load(places + i) : vi_load_part(places + i, count));
  const vd zero = vd_zero(), da = vd_mul(vd_from_reals_some(back->dp + i, count), vd_from_reals_some(back->slope + i, count));
  const vd delta = vd_mul(da, vd_set(back->factor)), d0 = vd_mul(delta, z.at[0]), d1 = vd_mul(delta, z.at[1]);
  const pair dz = {{vd_select(vd_lt(zero, z.at[0]), vd_mul(delta, v.at[0]), zero), /* delta v o [z > 0] */
                    vd_select(vd_lt(zero, z.at[1]), vd_mul(delta, v.at[1]), zero)}};
  const vd_mask inside = vd_lt(zero, vd_min(z.at[0], z.at[1]));
  axis[0] = vd_add(axis[0], vd_select(inside, zero, d0));
  axis[1] = vd_add(axis[1], vd_select(inside, zero, d1));
  vd_store(inside0, d0);
  vd_store(inside1, d1);
  first_layer_backward(sums, back, dz, u, c->w1, i, count);
  return vd_bits(inside);
}

void L2O_HERE(l2o_angular_backward)(const l2o_angular *table, double (*D)[2], const l2o_coordinates_back *back,
                                    const int32_t *places, const l2o_coordinates *c) {
  double inside[2][BLOCK];
  vd sums[5] = {vd_zero(), vd_zero(), vd_zero(), vd_zero(), vd_zero()}, axis[2] = {vd_zero(), vd_zero()};
  for (size_t first = 0; first < c->n; first += BLOCK) {
    const size_t count = c->n - first < BLOCK ? c->n - first : BLOCK;
    uint64_t left = 0;
    size_t i = 0;
    for (; i + VD <= count; i += VD)
      left |= backward(table, sums, axis, inside[0] + i, inside[1] + i, back, places, c, first + i, VD) << i;
    if (i < count)
      left |= backward(table, sums, axis, inside[0] + i, inside[1] + i, back, places, c, first + i, count - i) << i;
    for (; left; left &= left - 1) { /* D_k += delta z */
      i = (size_t)__builtin_ctzll(left);
      double *into = D[places[first + i]];
      into[0] += inside[0][i];
      into[1] += inside[1][i];
    }
  }
  D[0][0] += vd_sum(axis[0]);           /* t = 0 */
  D[table->keys][1] += vd_sum(axis[1]); /* t = 1 */
  add_sums(back, sums, true);
}

/* ---- dense ---- */

/* z of a block, zero behind its last coordinate */
static inline void first_layer_of_block(double (*z)[BLOCK], const l2o_coordinates *c, size_t first, bool two, size_t count) {
  for (size_t i = 0; i < BLOCK; i += VD) {
    pair part = {{vd_zero(), vd_zero()}};
    if (i < count)
      part = first_layer(features(c, first + i, two, count - i < VD ? count - i : VD), c->w1);
    vd_store(z[0] + i, part.at[0]);
    vd_store(z[1] + i, part.at[1]);
  }
}

/* relu(z W2) of some hidden units with weights q */
SIMD(vd) second_layer(pair z, pair q, bool two) {
  return relu(two ? plain_sum(z.at[0], q.at[0], z.at[1], q.at[1]) : vd_mul(z.at[0], q.at[0]));
}

SIMD(void) dense_units(vd *a, const pair *z, const l2o_real *w2, const l2o_real *w3, size_t H, bool two, size_t count) {
  const pair q = {{vd_from_reals_some(w2, count), two ? vd_from_reals_some(w2 + H, count) : vd_zero()}};
  const vd w = vd_from_reals_some(w3, count);
  for (size_t r = 0; r < TOGETHER; r++)
    a[r] = vd_fma(second_layer(z[r], q, two), w, a[r]); /* a += b w3 */
}

SIMD(void) dense_forward(l2o_real *a, const l2o_real *w2, const l2o_real *w3, size_t H, const l2o_coordinates *c, bool two) {
  double of_block[2][BLOCK];
  for (size_t first = 0; first < c->n; first += BLOCK) {
    const size_t count = c->n - first < BLOCK ? c->n - first : BLOCK;
    first_layer_of_block(of_block, c, first, two, count);
    for (size_t i = 0; i < count; i += TOGETHER) {
      pair z[TOGETHER];
      vd sum[TOGETHER];
      for (size_t r = 0; r < TOGETHER; r++) {
        z[r] = (pair){{vd_set(of_block[0][i + r]), vd_set(of_block[1][i + r])}};
        sum[r] = vd_zero();
      }
      for (size_t j = 0; j < H;) { /* sums of sums: H roundings in one chain would cost digits */
        const size_t end = H - j < RUN * VD ? H : j + RUN * VD;
        vd part[TOGETHER];
        for (size_t r = 0; r < TOGETHER; r++)
          part[r] = vd_zero();
        for (; j + VD <= end; j += VD)
          dense_units(part, z, w2 + j, w3 + j, H, two, VD);
        if (j < end)
          dense_units(part, z, w2 + j, w3 + j, H, two, end - j);
        j = end;
        for (size_t r = 0; r < TOGETHER; r++)
          sum[r] = vd_add(sum[r], part[r]);
      }
      for (size_t r = 0; r < TOGETHER && i + r < count; r++)
        a[first + i + r] = (l2o_real)vd_sum(sum[r]);
    }
  }
}

void L2O_HERE(l2o_dense_forward)(l2o_real *a, const l2o_real *w2, const l2o_real *w3, size_t H, const l2o_coordinates *c) {
  if (c->u1)
    dense_forward(a, w2, w3, H, c, true);
  else
    dense_forward(a, w2, w3, H, c, false);
}

SIMD(void)
dense_units_backward(double *dw2, double *dw3, pair *dz, const pair *z, const vd *delta, const l2o_real *w2, const l2o_real *w3,
                     size_t H, bool two, size_t count) {
  const pair q = {{vd_from_reals_some(w2, count), two ? vd_from_reals_some(w2 + H, count) : vd_zero()}};
  const vd w = vd_from_reals_some(w3, count), zero = vd_zero();
  vd d0 = vd_load_some(dw2, count), d1 = two ? vd_load_some(dw2 + H, count) : zero, d3 = vd_load_some(dw3, count);
  for (size_t r = 0; r < TOGETHER; r++) {
    const vd b = second_layer(z[r], q, two);
    const vd db = vd_select(vd_le(b, zero), zero, vd_mul(delta[r], w)); /* w3 delta o [z W2 > 0] */
    d3 = vd_fma(b, delta[r], d3);                                       /* dw3 += b delta */
    d0 = vd_fma(z[r].at[0], db, d0);                                    /* dW2 += z' db */
    dz[r].at[0] = vd_fma(db, q.at[0], dz[r].at[0]);                     /* dz = db W2' */
    if (two) {
      d1 = vd_fma(z[r].at[1], db, d1);
      dz[r].at[1] = vd_fma(db, q.at[1], dz[r].at[1]);
    }
  }
  vd_store_some(dw2, d0, count);
  if (two)
    vd_store_some(dw2 + H, d1, count);
  vd_store_some(dw3, d3, count);
}

SIMD(void)
dense_backward(double *dw2, double *dw3, const l2o_coordinates_back *back, const l2o_real *w2, const l2o_real *w3, size_t H,
               const l2o_coordinates *c, bool two) {
  double of_block[2][BLOCK], d_of_block[2][BLOCK];
  vd sums[5] = {vd_zero(), vd_zero(), vd_zero(), vd_zero(), vd_zero()};
  for (size_t first = 0; first < c->n; first += BLOCK) {
    const size_t count = c->n - first < BLOCK ? c->n - first : BLOCK;
    first_layer_of_block(of_block, c, first, two, count);
    for (size_t i = 0; i < count; i += TOGETHER) {
      pair z[TOGETHER], dz[TOGETHER];
      vd delta[TOGETHER];
      for (size_t r = 0; r < TOGETHER; r++) {
        const size_t k = first + i + r;
        z[r] = (pair){{vd_set(of_block[0][i + r]), vd_set(of_block[1][i + r])}};
        delta[r] = vd_set(i + r < count ? (double)back->dp[k] * (double)back->slope[k] * back->factor : 0);
        dz[r] = (pair){{vd_zero(), vd_zero()}};
      }
      size_t j = 0;
      for (; j + VD <= H; j += VD)
        dense_units_backward(dw2 + j, dw3 + j, dz, z, delta, w2 + j, w3 + j, H, two, VD);
      if (j < H)
        dense_units_backward(dw2 + j, dw3 + j, dz, z, delta, w2 + j, w3 + j, H, two, H - j);
      for (size_t r = 0; r < TOGETHER; r++)
        for (size_t f = 0; f < 2; f++) /* relu'(0) = 0 */
          d_of_block[f][i + r] = of_block[f][i + r] > 0 ? vd_sum(dz[r].at[f]) : 0;
    }
    for (size_t i = 0; i < count; i += VD) {
      const size_t lanes = count - i < VD ? count - i : VD;
      const pair dz = {{vd_load_some(d_of_block[0] + i, lanes), vd_load_some(d_of_block[1] + i, lanes)}};
      first_layer_backward(sums, back, dz, features(c, first + i, two, lanes), c->w1, first + i, lanes);
    }
  }
  add_sums(back, sums, two);
}

void L2O_HERE(l2o_dense_backward)(double *dw2, double *dw3, const l2o_coordinates_back *back, const l2o_real *w2,
                                  const l2o_real *w3, size_t H, const l2o_coordinates *c) {
  if (c->u1)
    dense_backward(dw2, dw3, back, w2, w3, H, c, true);
  else
    dense_backward(dw2, dw3, back, w2, w3, H, c, false);
}
