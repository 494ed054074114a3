/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/coordinate_mlp.h"
#include "core/arena.h"
#include "core/linalg.h"
#include "core/mersenne_twister.h"
#include "nn/output_scale.h"
#include <l2o/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { W1, W2, W3, P_SCALE };                                                              /* tensors */
enum { HIDDEN, EXPANSION, FEATURES, SCALE, STEP_SCALE, LEARN_SCALE, EVALUATION, SAMPLER }; /* options */
enum { GRAD_X, X_GRAD, GRAD, X };
enum { AUTO, ANGULAR, DENSE };
enum { PHILOX, TORCH };

static const l2o_option options[] = {
    {"hidden", L2O_OPTION_INT, 1024, 1, 1e6, NULL, "width H of the wide layer"},
    {"expansion", L2O_OPTION_REAL, 100, 0, 1e6, NULL, "factor e of the orthogonal initial weights"},
    {"features", L2O_OPTION_CHOICE, GRAD_X, 0, 0, "grad+x|x+grad|grad|x", "inputs of the network, in this order"},
    {"scale", L2O_OPTION_CHOICE, L2O_SCALE_SIGMOID2, 0, 0, L2O_OUTPUT_SCALES,
     "from raw output to step factor; gaussian is 0 at the initial weights and does not train from there"},
    {"step_scale", L2O_OPTION_REAL, 0.9999, 1e-12, 1e6, NULL, "base step times L"},
    {"learn_scale", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "train p_scale too"},
    {"evaluation", L2O_OPTION_CHOICE, AUTO, 0, 0, "auto|angular|dense", "angular needs two features; auto takes it where it can"},
    {"sampler", L2O_OPTION_CHOICE, PHILOX, 0, 0, "philox|torch", "initial weights from our streams, or the published code's"},
    {0},
};

/* Lookup table of the angular evaluation. A unit with weights (q1, q2) = W2[:, j] is active at z = s (1 - t, t), s > 0, iff
 * q1 + (q2 - q1) t > 0. Where q1 and q2 differ in sign it switches at t = q1 / (q1 - q2): off there if q1 > 0, on behind it
 * if q2 > 0. `key` holds the switch points so that "key <= t" means "switched" for both kinds, sorted. */
typedef struct table {
  size_t keys, buckets;
  bool crowded;     /* is there a bucket with more than 8 keys? */
  double *key;      /* (H + 1) sorted, closed by an infinity */
  double (*v)[2];   /* (H + 1) v between key[k-1] and key[k]: sum of w3_j W2[:, j] over the active units */
  uint32_t *bucket; /* (buckets + 1) first key of each of `buckets` equal parts of [0, 1] */
  int32_t *place;   /* (H) r >= 0: switches off at key r; -1 - r: switches on at key r; see ALWAYS, NEVER */
  struct entry {
    double key;
    int32_t unit;
    int32_t on;
  } * entry; /* (H) for sorting */
} table;
enum { ALWAYS = INT32_MAX, NEVER = INT32_MAX - 1 };

static size_t features(const double *o) {
  return (int)o[FEATURES] == GRAD_X || (int)o[FEATURES] == X_GRAD ? 2 : 1;
}
static size_t hidden(const double *o) {
  return (size_t)o[HIDDEN];
}
static bool is_angular(const l2o_model *m) {
  return features(m->options) == 2 && (int)m->options[EVALUATION] != DENSE;
}

static size_t describe(l2o_model_tensor *t, const double *o) {
  size_t F = features(o), H = hidden(o);
  t[W1] = (l2o_model_tensor){.name = "dnn.0.weight", .rank = 2, .shape = {F, F}, .learned = true};
  t[W2] = (l2o_model_tensor){.name = "linear.weight", .rank = 2, .shape = {F, H}, .learned = true};
  t[W3] = (l2o_model_tensor){.name = "linear_p.weight", .rank = 2, .shape = {H, 1}, .learned = true};
  t[P_SCALE] = (l2o_model_tensor){.name = "p_scale", .rank = 0, .learned = o[LEARN_SCALE] != 0};
  return 4;
}

static void layout(table *t, l2o_arena *arena, const l2o_model *m) {
  size_t H = hidden(m->options);
  t->buckets = 2;
  while (t->buckets < 2 * H) /* a power of two: scaling t by it is exact */
    t->buckets *= 2;
  L2O_TAKE(arena, t->key, H + 1);
  L2O_TAKE(arena, t->v, H + 1);
  L2O_TAKE(arena, t->bucket, t->buckets + 1);
  L2O_TAKE(arena, t->place, H);
  L2O_TAKE(arena, t->entry, H);
}

static size_t table_bytes(const l2o_model *m) {
  if (!is_angular(m))
    return 0;
  table t;
  l2o_arena arena = {0};
  l2o_take(&arena, 1, sizeof(table));
  layout(&t, &arena, m);
  return arena.overflow ? SIZE_MAX : arena.used;
}

static int by_key(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return x->key != y->key ? (x->key < y->key ? -1 : 1) : (x->unit > y->unit) - (x->unit < y->unit);
}

static void commit(l2o_model *m) {
  if (!is_angular(m))
    return;
  l2o_arena arena = {.base = m->table};
  table *t = l2o_take(&arena, 1, sizeof *t);
  layout(t, &arena, m);
  size_t H = hidden(m->options);
  const l2o_real *w2 = l2o_model_values(m, W2), *w3 = l2o_model_values(m, W3);
  double v1 = 0, v2 = 0; /* v at t = 0 */
  t->keys = 0;
  for (size_t j = 0; j < H; j++) {
    double q1 = (double)w2[j], q2 = (double)w2[H + j], c = (double)w3[j];
    bool off = q1 > 0 && q2 <= 0, on = q1 <= 0 && q2 > 0;
    t->place[j] = q1 > 0 && q2 > 0 ? ALWAYS : NEVER;
    if (off || on) {
      double at = q1 / (q1 - q2);
      /* an "on" unit is inactive at the switch point itself (relu'(0) = 0), an "off" unit too: on means t > at, that is t >= next
       */
      t->entry[t->keys++] = (struct entry){on ? nextafter(at, 2) : at, (int32_t)j, on};
    }
    if (off || t->place[j] == ALWAYS)
      v1 += c * q1, v2 += c * q2;
  }
  qsort(t->entry, t->keys, sizeof *t->entry, by_key);
  t->v[0][0] = v1, t->v[0][1] = v2;
  for (size_t k = 0; k < t->keys; k++) {
    size_t j = (size_t)t->entry[k].unit;
    double c = t->entry[k].on ? (double)w3[j] : -(double)w3[j];
    v1 += c * (double)w2[j], v2 += c * (double)w2[H + j];
    t->key[k] = t->entry[k].key;
    t->v[k + 1][0] = v1, t->v[k + 1][1] = v2;
    t->place[j] = t->entry[k].on ? -1 - (int32_t)k : (int32_t)k;
  }
  t->key[t->keys] = INFINITY;
  t->crowded = false;
  for (size_t b = 0, k = 0; b <= t->buckets; b++) {
    while (k < t->keys && t->key[k] < (double)b / (double)t->buckets)
      k++;
    t->bucket[b] = (uint32_t)k;
    t->crowded |= b > 0 && k - t->bucket[b - 1] > 8;
  }
}

/* Number of keys <= t, t in [0, 1]. */
static inline size_t interval(const table *angles, double t) {
  size_t b = (size_t)(int64_t)(t * (double)angles->buckets); /* signed: one instruction */
  size_t low = angles->bucket[b];
  if (angles->crowded) {
    size_t high = b < angles->buckets ? angles->bucket[b + 1] : angles->keys;
    while (high - low > 8) {
      size_t middle = low + (high - low) / 2;
      if (angles->key[middle] <= t)
        low = middle + 1;
      else
        high = middle;
    }
  }
  low += angles->key[low] <= t; /* without a branch: nobody could predict it */
  while (angles->key[low] <= t) /* ends at the infinity at the latest */
    low++;
  return low;
}

/* The features of a coordinate, in the model's order. */
typedef struct inputs {
  const l2o_real *u[2];
  size_t count;
} inputs;

static inputs order(const l2o_model *m, const l2o_real *g, const l2o_real *x) {
  switch ((int)m->options[FEATURES]) {
  case GRAD_X:
    return (inputs){{g, x}, 2};
  case X_GRAD:
    return (inputs){{x, g}, 2};
  case GRAD:
    return (inputs){{g, NULL}, 1};
  default:
    return (inputs){{x, NULL}, 1};
  }
}

/* z = relu(u W1) of coordinate i. The sum is made in double: in float the sign of a small z would depend on rounding. */
static inline void first_layer(double *z, const l2o_real *w1, const inputs *in, size_t i) {
  if (in->count == 2) {
    double u0 = (double)in->u[0][i], u1 = (double)in->u[1][i];
    double z0 = u0 * (double)w1[0] + u1 * (double)w1[2], z1 = u0 * (double)w1[1] + u1 * (double)w1[3];
    z[0] = z0 > 0 ? z0 : 0;
    z[1] = z1 > 0 ? z1 : 0;
  } else {
    double z0 = (double)in->u[0][i] * (double)w1[0];
    z[0] = z0 > 0 ? z0 : 0;
    z[1] = 0;
  }
}

/* z and t of up to BLOCK coordinates, two features: straight code that the compiler vectorises. z = 0 gives t = 0. A z that is not
 * finite becomes not-a-number, with t = 0. */
enum { BLOCK = 32 };
typedef struct block {
  double z0[BLOCK], z1[BLOCK], t[BLOCK];
} block;

static void first_layer_block(block *out, const l2o_real *w1, const inputs *in, size_t first, size_t count) {
  const double a = (double)w1[0], b = (double)w1[1], c = (double)w1[2], d = (double)w1[3];
  const l2o_real *u0 = in->u[0] + first, *u1 = in->u[1] + first;
  for (size_t i = 0; i < count; i++) {
    const double p = (double)u0[i], q = (double)u1[i];
    double z0 = p * a + q * c, z1 = p * b + q * d;
    z0 = z0 > 0 ? z0 : 0;
    z1 = z1 > 0 ? z1 : 0;
    const double s = z0 + z1, t = z1 / (s > 0 ? s : 1);
    const bool finite = s < (double)INFINITY;
    out->z0[i] = finite ? z0 : (double)NAN;
    out->z1[i] = z1;
    out->t[i] = finite ? t : 0;
  }
}

/* a = relu(z W2) w3 */
static double dense_output(const l2o_model *m, const double *z, size_t F) {
  size_t H = hidden(m->options);
  const l2o_real *w2 = l2o_model_values(m, W2), *w3 = l2o_model_values(m, W3);
  double a = 0;
  for (size_t j = 0; j < H; j++) {
    double b = z[0] * (double)w2[j] + (F == 2 ? z[1] * (double)w2[H + j] : 0);
    a += b > 0 ? b * (double)w3[j] : 0;
  }
  return a;
}

void l2o_coordinate_mlp_forward(const l2o_model *m, l2o_real *p, l2o_real *raw, const l2o_real *g, const l2o_real *x, size_t n) {
  const l2o_real *w1 = l2o_model_values(m, W1), c = *l2o_model_values(m, P_SCALE);
  const inputs in = order(m, g, x);
  const table *t = m->table;
  double z[2];
  if (is_angular(m)) {
    for (size_t first = 0; first < n; first += BLOCK) {
      const size_t count = n - first < BLOCK ? n - first : BLOCK;
      block part;
      first_layer_block(&part, w1, &in, first, count);
      for (size_t i = 0; i < count; i++) {
        const double *v = t->v[interval(t, part.t[i])];
        raw[first + i] = (l2o_real)(part.z0[i] * v[0] + part.z1[i] * v[1]);
      }
    }
  } else {
    for (size_t i = 0; i < n; i++) {
      first_layer(z, w1, &in, i);
      raw[i] = (l2o_real)dense_output(m, z, in.count);
    }
  }
  l2o_output_scale_forward(p, raw, (l2o_output_scale)m->options[SCALE], n);
  if (c != 1)
    for (size_t i = 0; i < n; i++)
      p[i] *= c;
}

/* Accumulators. Dense: dW1, dW2, dw3, dc as they are. Angular: dW1 (4), dc, then D (H + 1, 2), D_k the sum of da z over the
 * coordinates whose t lies in interval k. */
static size_t sum_len(const l2o_model *m) {
  return is_angular(m) ? 5 + 2 * (hidden(m->options) + 1) : m->parameter_count;
}

/* dense: dw3 += b da, dW2 += z' (w3 da o [b > 0]), dz = (w3 da o [b > 0]) W2' */
static void dense_backward(const l2o_model *m, double *sum, double *dz, const double *z, double da, size_t F) {
  size_t H = hidden(m->options);
  const l2o_real *w2 = l2o_model_values(m, W2), *w3 = l2o_model_values(m, W3);
  double *dw2 = sum + m->tensors[W2].offset, *dw3 = sum + m->tensors[W3].offset;
  dz[0] = dz[1] = 0;
  for (size_t j = 0; j < H; j++) {
    double b = z[0] * (double)w2[j] + (F == 2 ? z[1] * (double)w2[H + j] : 0);
    if (!(b > 0))
      continue;
    double db = da * (double)w3[j];
    dw3[j] += b * da;
    dw2[j] += z[0] * db;
    dz[0] += db * (double)w2[j];
    if (F == 2) {
      dw2[H + j] += z[1] * db;
      dz[1] += db * (double)w2[H + j];
    }
  }
}

/* The angular backward pass of up to BLOCK coordinates, given delta = dL/da. */
static void angular_backward(const l2o_model *m, double *dw1, double (*D)[2], l2o_real *const *du, const double *delta,
                             const inputs *in, size_t first, size_t count) {
  const l2o_real *w1 = l2o_model_values(m, W1);
  const table *t = m->table;
  const l2o_real *u0 = in->u[0] + first, *u1 = in->u[1] + first;
  double dz0[BLOCK], dz1[BLOCK], sum[4] = {0, 0, 0, 0};
  block part;
  first_layer_block(&part, w1, in, first, count);
  for (size_t i = 0; i < count; i++) {
    const size_t k = interval(t, part.t[i]);
    D[k][0] += delta[i] * part.z0[i];
    D[k][1] += delta[i] * part.z1[i];
    dz0[i] = part.z0[i] > 0 ? delta[i] * t->v[k][0] : 0; /* relu'(0) = 0 */
    dz1[i] = part.z1[i] > 0 ? delta[i] * t->v[k][1] : 0;
  }
  for (size_t i = 0; i < count; i++) { /* dW1 += u' dz */
    const double p = (double)u0[i], q = (double)u1[i];
    sum[0] += p * dz0[i];
    sum[1] += p * dz1[i];
    sum[2] += q * dz0[i];
    sum[3] += q * dz1[i];
  }
  for (size_t j = 0; j < 4; j++)
    dw1[j] += sum[j];
  for (size_t i = 0; du[0] && i < count; i++) { /* du += dz W1' */
    du[0][first + i] += (l2o_real)(dz0[i] * (double)w1[0] + dz1[i] * (double)w1[1]);
    du[1][first + i] += (l2o_real)(dz0[i] * (double)w1[2] + dz1[i] * (double)w1[3]);
  }
}

void l2o_coordinate_mlp_backward(const l2o_model *m, double *sum, l2o_real *dg, l2o_real *dx, l2o_real *da, const l2o_real *dp,
                                 const l2o_real *raw, const l2o_real *g, const l2o_real *x, size_t n) {
  const l2o_real *w1 = l2o_model_values(m, W1), c = *l2o_model_values(m, P_SCALE);
  const inputs in = order(m, g, x);
  const bool angular = is_angular(m);
  const l2o_output_scale scale = (l2o_output_scale)m->options[SCALE];
  const size_t F = in.count;
  double *dw1 = sum + (angular ? 0 : m->tensors[W1].offset), *dc = sum + (angular ? 4 : m->tensors[P_SCALE].offset);
  l2o_real *du[2] = {0};
  if (dg && dx) {
    const bool gradient_first = in.u[0] == g;
    du[0] = gradient_first ? dg : dx;
    du[1] = gradient_first ? dx : dg;
  }
  for (size_t first = 0; first < n; first += BLOCK) {
    const size_t count = n - first < BLOCK ? n - first : BLOCK;
    l2o_real value[BLOCK];
    double delta[BLOCK];
    l2o_output_scale_forward(value, raw + first, scale, count); /* again, since p itself is not kept: dc = sum scale(a) dp */
    *dc += l2o_dot(value, dp + first, count);
    l2o_output_scale_backward(da + first, dp + first, raw + first, scale, count);
    for (size_t i = 0; i < count; i++)
      delta[i] = (double)(da[first + i] * c);
    if (angular) {
      angular_backward(m, dw1, (double(*)[2])(sum + 5), du, delta, &in, first, count);
      continue;
    }
    for (size_t i = 0; i < count; i++) {
      double z[2], dz[2];
      first_layer(z, w1, &in, first + i);
      if (z[0] + z[1] == 0) /* dead: no derivative reaches anything (relu'(0) = 0) */
        continue;
      dense_backward(m, sum, dz, z, delta[i], F);
      for (size_t r = 0; r < F; r++) {
        if (!(z[r] > 0))
          continue;
        for (size_t q = 0; q < F; q++) { /* dW1 += u' dz, du = dz W1' */
          dw1[q * F + r] += (double)in.u[q][first + i] * dz[r];
          if (du[0])
            du[q][first + i] += (l2o_real)(dz[r] * (double)w1[q * F + r]);
        }
      }
    }
  }
}

/* Angular sums -> gradient. With S_j = sum of D over the intervals in which unit j is active:
 *   dw3_j = W2[:, j] . S_j,   dW2[:, j] = w3_j S_j
 * Units that switch off at key r are active in intervals 0..r, units that switch on there in r+1..K: running sums from both ends (a
 * difference from the total would cancel). */
static void gradient(const l2o_model *m, double *out, const double *sum) {
  if (!is_angular(m)) {
    memcpy(out, sum, m->parameter_count * sizeof *out);
    return;
  }
  const table *t = m->table;
  const double(*D)[2] = (const double(*)[2])(sum + 5);
  size_t H = hidden(m->options);
  const l2o_real *w2 = l2o_model_values(m, W2), *w3 = l2o_model_values(m, W3);
  double *dw2 = out + m->tensors[W2].offset, *dw3 = out + m->tensors[W3].offset;
  memcpy(out + m->tensors[W1].offset, sum, 4 * sizeof *out);
  out[m->tensors[P_SCALE].offset] = sum[4];
  double s1 = 0, s2 = 0;
  for (size_t k = 0; k < t->keys; k++) { /* upwards: units that switch off */
    s1 += D[k][0], s2 += D[k][1];
    size_t j = (size_t)t->entry[k].unit;
    if (!t->entry[k].on)
      dw2[j] = s1, dw2[H + j] = s2;
  }
  const double total1 = s1 + D[t->keys][0], total2 = s2 + D[t->keys][1];
  s1 = s2 = 0;
  for (size_t k = t->keys; k-- > 0;) { /* downwards: units that switch on */
    s1 += D[k + 1][0], s2 += D[k + 1][1];
    size_t j = (size_t)t->entry[k].unit;
    if (t->entry[k].on)
      dw2[j] = s1, dw2[H + j] = s2;
  }
  for (size_t j = 0; j < H; j++) {
    if (t->place[j] == ALWAYS)
      dw2[j] = total1, dw2[H + j] = total2;
    else if (t->place[j] == NEVER)
      dw2[j] = dw2[H + j] = 0;
    double S1 = dw2[j], S2 = dw2[H + j];
    dw3[j] = (double)w2[j] * S1 + (double)w2[H + j] * S2;
    dw2[j] = (double)w3[j] * S1;
    dw2[H + j] = (double)w3[j] * S2;
  }
}

static double step_scale(const l2o_model *m) {
  return m->options[STEP_SCALE];
}

/* e Q, Q from the QR decomposition of a Gaussian matrix with R's diagonal positive; (rows, columns) as stored. */
static l2o_status orthogonal(l2o_real *out, double *normal, size_t rows, size_t columns, double e) {
  double *tall = malloc(rows * columns * sizeof *tall);
  if (!tall)
    return L2O_ERR_NOMEM;
  bool flip = rows < columns;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      tall[flip ? j * rows + i : i * columns + j] = normal[i * columns + j];
  l2o_status status = l2o_orthogonalise(tall, flip ? columns : rows, flip ? rows : columns);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      out[i * columns + j] = (l2o_real)(e * tall[flip ? j * rows + i : i * columns + j]);
  free(tall);
  return status;
}

/* W1 = e Q1, W2 = e Q2, w3 = 0, p_scale = 1: with scale sigmoid2 (or exp) p = 1, and the rule is gradient descent. */
static l2o_status initialise(l2o_model *m, uint64_t seed) {
  size_t F = features(m->options), H = hidden(m->options);
  double *normal = malloc(F * (F + H) * sizeof *normal), e = m->options[EXPANSION];
  if (!normal)
    return L2O_ERR_NOMEM;
  double *first = normal, *second = normal + F * F;
  if ((int)m->options[SAMPLER] == TORCH) {
    /* the published code draws each layer's uniform initial values first and then overwrites them */
    uint64_t used = F * F;
    used += l2o_torch_normal(first, (uint32_t)seed, used, 0, F * F, F * F);
    l2o_torch_normal(second, (uint32_t)seed, used + F * H, 0, F * H, F * H);
  } else {
    l2o_rng rng;
    l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), 0, 0);
    l2o_rng_normal(&rng, normal, F * (F + H));
  }
  l2o_status status = orthogonal(l2o_model_values(m, W1), first, F, F, e);
  if (!status)
    status = orthogonal(l2o_model_values(m, W2), second, F, H, e);
  memset(l2o_model_values(m, W3), 0, H * sizeof(l2o_real));
  *l2o_model_values(m, P_SCALE) = 1;
  free(normal);
  return status;
}

/* One network, a kind for each rule that it is trained for: a model file says by its kind which rule reads it. */
#define COORDINATE_MLP(rule, text)                                                                                                 \
  {                                                                                                                                \
    .kind = {.name = rule, .meaning = text, .options = options}, .describe = describe, .initialise = initialise,                   \
    .table_bytes = table_bytes, .commit = commit, .sum_len = sum_len, .gradient = gradient, .step_scale = step_scale,              \
  }

const l2o_model_type l2o_model_type_math_l2o_gd =
    COORDINATE_MLP("math-l2o-gd", "coordinate-wise network F -> F -> H -> 1 for the step factors of gradient descent");
const l2o_model_type l2o_model_type_math_l2o_nesterov =
    COORDINATE_MLP("math-l2o-nesterov", "the same network for the step factors of Nesterov's method");
