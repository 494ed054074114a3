/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/deepfp.h"
#include "nn/rate_network.h"
#include <l2o/random.h>
#include <math.h>
#include <string.h>

enum { TRACE = 2 };
enum { LAYERS, HIDDEN, TX, STREAMS, LAMBDA };
static const l2o_option options[] = {
    {"layers", L2O_OPTION_INT, 8, 1, 1000, NULL, "layers; iterations beyond them repeat the last one"},
    {"hidden", L2O_OPTION_INT, 64, 1, 1024, NULL, "complex units of the three hidden layers of each network"},
    {"tx", L2O_OPTION_INT, 4, 1, 1024, NULL, "antennas of a base station"},
    {"streams", L2O_OPTION_INT, 2, 1, 64, NULL, "streams of a user"},
    {"lambda", L2O_OPTION_CHOICE, TRACE, 0, 0, "eigenvalue|norm|trace",
     "bound of the curvature, as of fastfp; the derivative takes all but the trace for a constant"},
    {0},
};

enum { DEPTH = 4 }; /* W_1 .. W_4 */

static size_t layers(const l2o_model *m) {
  return (size_t)m->options[LAYERS];
}
size_t l2o_deepfp_tx(const l2o_model *m) {
  return (size_t)m->options[TX];
}
size_t l2o_deepfp_streams(const l2o_model *m) {
  return (size_t)m->options[STREAMS];
}
int l2o_deepfp_bound(const l2o_model *m) {
  return (int)m->options[LAMBDA];
}

/* Complex numbers of z_l; of o for l = DEPTH. */
static size_t units(const double *o, size_t l) {
  return l == 0 ? 2 * (size_t)o[TX] * (size_t)o[STREAMS] : l < DEPTH ? (size_t)o[HIDDEN] : 1;
}

/* Tensors of l = 1 .. DEPTH. */
static size_t weight(size_t l) {
  return 2 * (l - 1);
}
static size_t bias(size_t l) {
  return 2 * (l - 1) + 1;
}

static size_t describe(l2o_model_tensor *t, const double *o) {
  static const char *const names[DEPTH][2] = {
      {"fc1.weight", "fc1.bias"}, {"fc2.weight", "fc2.bias"}, {"fc3.weight", "fc3.bias"}, {"out.weight", "out.bias"}};
  const size_t K = (size_t)o[LAYERS];
  for (size_t l = 1; l <= DEPTH; l++) {
    t[weight(l)] =
        (l2o_model_tensor){.name = names[l - 1][0], .rank = 4, .shape = {K, units(o, l), 2, units(o, l - 1)}, .learned = true};
    t[bias(l)] =
        (l2o_model_tensor){.name = names[l - 1][1], .rank = 3, .shape = {K, l < DEPTH ? 2 : 1, units(o, l)}, .learned = true};
  }
  return 2 * DEPTH;
}

/* W_4 and the biases are zero; the parts of the other weights ~ N(0, 1 / (inputs + outputs)), Glorot's for complex numbers
 * (Trabelsi et al., "Deep complex networks", ICLR 2018). */
static l2o_status initialise(l2o_model *m, uint64_t seed) {
  l2o_rng rng;
  l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), 0, 0);
  for (size_t l = 1; l < DEPTH; l++) {
    const double deviation = 1 / sqrt((double)(units(m->options, l - 1) + units(m->options, l)));
    for (size_t i = 0; i < m->tensors[weight(l)].count; i++) {
      double draw;
      l2o_rng_normal(&rng, &draw, 1);
      l2o_model_values(m, weight(l))[i] = (l2o_real)(deviation * draw);
    }
  }
  return L2O_OK;
}

static size_t table_bytes(const l2o_model *m) {
  (void)m;
  return 0;
}
static void commit(l2o_model *m) {
  (void)m;
}

static size_t sum_len(const l2o_model *m) {
  return m->parameter_count;
}
static void gradient(const l2o_model *m, double *out, const double *sum) {
  memcpy(out, sum, m->parameter_count * sizeof *out);
}

/* Where the weights of iteration k begin among those of a tensor, and among all parameters. */
static size_t offset_in_layer(const l2o_model *m, size_t tensor, size_t k) {
  const l2o_model_tensor *t = &m->tensors[tensor];
  const size_t own = k < layers(m) ? k : layers(m) - 1;
  return t->offset + own * (t->count / layers(m));
}

static size_t widest(const l2o_model *m) {
  const size_t inputs = units(m->options, 0), hidden = units(m->options, 1);
  return inputs > hidden ? inputs : hidden;
}

/* record: the blocks of z_0 .. z_3; for the way back dz, of as many blocks as a product gives, twice, and its two parts */
static size_t blocks_len(const l2o_model *m) {
  return 3 * (units(m->options, 0) + (DEPTH - 1) * units(m->options, 1));
}
size_t l2o_deepfp_record_len(const l2o_model *m, size_t n) {
  return (blocks_len(m) + 6 * widest(m)) * l2o_lanes(n);
}

static void negate(l2o_real *y, const l2o_real *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    y[i] = -x[i];
}

/* Rows first .. first + count of z_0 from (n, count) complex numbers. */
static void see(l2o_real *z, const l2o_real *from, double unit, size_t first, size_t count, size_t n) {
  const size_t lanes = l2o_lanes(n), inputs = 2 * count;
  for (size_t i = 0; i < count; i++)
    for (size_t u = 0; u < n; u++) {
      const l2o_real *number = from + 2 * (u * count + i);
      z[(first + i) * lanes + u] = (l2o_real)unit * number[1];
      z[(inputs + first + i) * lanes + u] = (l2o_real)unit * number[0];
    }
}

void l2o_deepfp_forward(const l2o_model *m, l2o_real *o, l2o_real *record, const l2o_real *V, const l2o_real *R, double unit,
                        size_t k, size_t n) {
  const size_t lanes = l2o_lanes(n), inputs = units(m->options, 0);
  l2o_real *z = record;
  see(z, V, unit, 0, inputs / 2, n);
  see(z, R, unit, inputs / 2, inputs / 2, n);
  negate(z + 2 * inputs * lanes, z, inputs * lanes);
  for (size_t l = 1; l <= DEPTH; l++) {
    const size_t rows = units(m->options, l), columns = units(m->options, l - 1);
    const l2o_real *W = m->parameters + offset_in_layer(m, weight(l), k), *b = m->parameters + offset_in_layer(m, bias(l), k);
    l2o_real *im = z + 3 * columns * lanes, *re = l < DEPTH ? im + rows * lanes : o;
    /* Re W z = [Re W, Im W] (Re z; -Im z),  Im W z = [Re W, Im W] (Im z; Re z) */
    L2O_DISPATCH(l2o_rate_dense, (re, W, 2 * columns, b, z + columns * lanes, rows, 2 * columns, false, l < DEPTH, n));
    if (l == DEPTH)
      break;
    L2O_DISPATCH(l2o_rate_dense, (im, W, 2 * columns, b + rows, z, rows, 2 * columns, false, false, n));
    negate(im + 2 * rows * lanes, im, rows * lanes);
    z = im;
  }
}

/* to (n, count) += unit dz_0, its rows from `first` on */
static void hand_back(l2o_real *to, const l2o_real *dre, const l2o_real *dim, double unit, size_t first, size_t count, size_t n) {
  const size_t lanes = l2o_lanes(n);
  for (size_t u = 0; u < n; u++)
    for (size_t i = 0; i < count; i++) {
      to[2 * (u * count + i)] += (l2o_real)unit * dre[(first + i) * lanes + u];
      to[2 * (u * count + i) + 1] += (l2o_real)unit * dim[(first + i) * lanes + u];
    }
}

void l2o_deepfp_backward(const l2o_model *m, double *sum, l2o_real *dV, l2o_real *dR, const l2o_real *d_o, l2o_real *record,
                         double unit, size_t k, size_t n) {
  const size_t lanes = l2o_lanes(n), inputs = units(m->options, 0), room = widest(m) * lanes;
  const l2o_real *z = record + blocks_len(m) * lanes, *da_re = d_o;
  l2o_real *by_re = record + blocks_len(m) * lanes, *by_im = by_re + 2 * room, *dre = by_im + 2 * room, *dim = dre + room;
  for (size_t l = DEPTH; l >= 1; l--) {
    const size_t rows = units(m->options, l), columns = units(m->options, l - 1), w = offset_in_layer(m, weight(l), k);
    const l2o_real *W = m->parameters + w;
    double *dW = sum + w, *db = sum + offset_in_layer(m, bias(l), k);
    z -= 3 * columns * lanes;
    const l2o_real *re = z + columns * lanes;
    L2O_DISPATCH(l2o_rate_outer_sums, (dW, 2 * columns, db, da_re, re, rows, 2 * columns, n));
    if (l < DEPTH)
      L2O_DISPATCH(l2o_rate_outer_sums, (dW, 2 * columns, db + rows, dim, z, rows, 2 * columns, n));
    if (l == 1 && !dV)
      return;
    /* of (Re z; -Im z), and of (Im z; Re z) */
    L2O_DISPATCH(l2o_rate_dense_back, (by_re, W, 2 * columns, da_re, NULL, rows, 2 * columns, n));
    if (l < DEPTH)
      L2O_DISPATCH(l2o_rate_dense_back, (by_im, W, 2 * columns, dim, NULL, rows, 2 * columns, n));
    else
      memset(by_im, 0, 2 * columns * lanes * sizeof *by_im);
    for (size_t i = 0; i < columns * lanes; i++) {
      const l2o_real slope = by_re[i] + by_im[columns * lanes + i];
      dre[i] = l == 1 || re[i] > 0 ? slope : 0;
      dim[i] = by_im[i] - by_re[columns * lanes + i];
    }
    da_re = dre;
  }
  hand_back(dV, dre, dim, unit, 0, inputs / 2, n);
  hand_back(dR, dre, dim, unit, inputs / 2, inputs / 2, n);
}

const l2o_model_type l2o_model_type_deepfp = {
    .kind = {.name = "deepfp", .meaning = "complex networks from a user's precoder and gradient to its step", .options = options},
    .describe = describe,
    .initialise = initialise,
    .table_bytes = table_bytes,
    .commit = commit,
    .sum_len = sum_len,
    .gradient = gradient,
    .layers = layers,
};
