/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/power_mlp.h"
#include "core/matrix.h"
#include "nn/activation.h"
#include <l2o/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HIDDEN_LAYERS = 3, LAYERS };

enum { LINKS, HIDDEN, WEIGHTS = HIDDEN + HIDDEN_LAYERS, START };
static const l2o_option options[] = {
    {"links", L2O_OPTION_INT, 10, 1, 1000, NULL, "links K of the instances"},
    {"hidden", L2O_OPTION_INT, 200, 1, 4096, NULL, "units of the first hidden layer"},
    {"hidden2", L2O_OPTION_INT, 80, 1, 4096, NULL, "units of the second"},
    {"hidden3", L2O_OPTION_INT, 80, 1, 4096, NULL, "units of the third"},
    {"weights", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "the network sees the weights of the links; if not, they must be equal"},
    {"start", L2O_OPTION_REAL, 3, -30, 30, NULL, "initial output biases: powers begin near sigmoid of this times the largest"},
    {0},
};

static size_t links(const double *o) {
  return (size_t)o[LINKS];
}
static bool sees_weights(const double *o) {
  return o[WEIGHTS] > 0;
}
size_t l2o_power_mlp_links(const l2o_model *m) {
  return links(m->options);
}
bool l2o_power_mlp_sees_weights(const l2o_model *m) {
  return sees_weights(m->options);
}

/* Entries of z_l; of s for l = LAYERS. */
static size_t units(const double *o, size_t l) {
  const size_t K = links(o);
  return l == 0 ? K * K + 1 + (sees_weights(o) ? K : 0) : l < LAYERS ? (size_t)o[HIDDEN + l - 1] : K;
}

/* Tensors of layer l = 1 .. LAYERS. */
static size_t weight(size_t l) {
  return 2 * (l - 1);
}
static size_t bias(size_t l) {
  return 2 * (l - 1) + 1;
}

static size_t describe(l2o_model_tensor *t, const double *o) {
  static const char *const names[LAYERS][2] = {
      {"fc1.weight", "fc1.bias"}, {"fc2.weight", "fc2.bias"}, {"fc3.weight", "fc3.bias"}, {"out.weight", "out.bias"}};
  for (size_t l = 1; l <= LAYERS; l++) {
    t[weight(l)] = (l2o_model_tensor){.name = names[l - 1][0], .rank = 2, .shape = {units(o, l), units(o, l - 1)}, .learned = true};
    t[bias(l)] = (l2o_model_tensor){.name = names[l - 1][1], .rank = 1, .shape = {units(o, l)}, .learned = true};
  }
  return 2 * LAYERS;
}

/* W ~ N(0, 2 / inputs) before a rectifier (He, Zhang, Ren, Sun, ICCV 2015), the last ~ N(0, 2 / (inputs + outputs)) (Glorot,
 * Bengio, AISTATS 2010). b = 0, but at the output: links that training shuts off for all channels before it tells channels apart
 * stay off, for the slope of the sigmoid is gone there, so they begin with nearly all the power. */
static l2o_status initialise(l2o_model *m, uint64_t seed) {
  for (size_t l = 1; l <= LAYERS; l++) {
    const l2o_model_tensor *W = &m->tensors[weight(l)];
    const double deviation = sqrt(2 / (double)(W->shape[1] + (l < LAYERS ? 0 : W->shape[0])));
    double *normal = malloc(W->count * sizeof *normal);
    l2o_rng rng;
    if (!normal)
      return L2O_ERR_NOMEM;
    l2o_rng_seed(&rng, l2o_seed_for(seed, L2O_PURPOSE_MODEL), (uint32_t)l, 0);
    l2o_rng_normal(&rng, normal, W->count);
    for (size_t i = 0; i < W->count; i++)
      l2o_model_values(m, weight(l))[i] = (l2o_real)(deviation * normal[i]);
    free(normal);
  }
  for (size_t i = 0; i < links(m->options); i++)
    l2o_model_values(m, bias(LAYERS))[i] = (l2o_real)m->options[START];
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

/* z_0. Of |h|, h ~ CN(0, 1), the mean is sqrt(pi) / 2 and the variance 1 - pi / 4: of such channels the inputs have mean 0 and
 * variance 1 at any SNR. */
static void inputs(l2o_real *z, const l2o_power_control *d, size_t K, bool weights) {
  const double mean = 0.88622692545275801, deviation = 0.46325137517610424;
  double gain = 0, total = 0;
  for (size_t i = 0; i < K; i++) {
    gain += (double)d->own[i];
    total += (double)d->a[i];
  }
  for (size_t i = 0; i < K * K; i++)
    gain += (double)d->others[i];
  gain /= (double)(K * K);
  const double scale = 1 / (deviation * sqrt(gain)), shift = mean / deviation;
  for (size_t i = 0; i < K * K; i++)
    z[i] = (l2o_real)(scale * sqrt((double)d->others[i]) - shift);
  for (size_t i = 0; i < K; i++)
    z[i * (K + 1)] = (l2o_real)(scale * sqrt((double)d->own[i]) - shift);
  z += K * K;
  *z++ = (l2o_real)log10(gain * d->power / d->noise);
  for (size_t i = 0; weights && i < K; i++)
    *z++ = (l2o_real)((double)K * (double)d->a[i] / total - 1);
}

size_t l2o_power_mlp_record_len(const l2o_model *m) {
  size_t len = 0;
  for (size_t l = 0; l <= LAYERS; l++)
    len += units(m->options, l);
  return len;
}

void l2o_power_mlp_forward(const l2o_model *m, l2o_real *p, l2o_real *record, const l2o_power_control *d) {
  const size_t K = links(m->options);
  l2o_real *z = record;
  inputs(z, d, K, sees_weights(m->options));
  for (size_t l = 1; l <= LAYERS; l++) {
    const size_t rows = units(m->options, l), columns = units(m->options, l - 1);
    l2o_real *a = z + columns;
    const l2o_real *b = l2o_model_values(m, bias(l));
    l2o_residual(a, l2o_model_values(m, weight(l)), z, NULL, rows, columns);
    for (size_t i = 0; i < rows; i++) {
      a[i] += b[i];
      a[i] = l < LAYERS && a[i] < 0 ? 0 : a[i]; /* not-a-number stays */
    }
    z = a;
  }
  l2o_sigmoid(z, z, K);
  for (size_t i = 0; i < K; i++)
    p[i] = (l2o_real)d->power * z[i];
}

static size_t widest(const l2o_model *m) {
  size_t most = 0;
  for (size_t l = 1; l <= LAYERS; l++)
    most = units(m->options, l) > most ? units(m->options, l) : most;
  return most;
}

/* da and dz */
size_t l2o_power_mlp_work_len(const l2o_model *m) {
  return 2 * widest(m);
}

void l2o_power_mlp_backward(const l2o_model *m, double *sum, const l2o_real *dp, const l2o_real *record, l2o_real *work,
                            const l2o_power_control *d) {
  const size_t K = links(m->options);
  const l2o_real *s = record + l2o_power_mlp_record_len(m) - K, *z = s;
  l2o_real *da = work, *dz = work + widest(m);
  for (size_t i = 0; i < K; i++)
    da[i] = (l2o_real)d->power * s[i] * (1 - s[i]) * dp[i];
  for (size_t l = LAYERS; l >= 1; l--) {
    const size_t rows = units(m->options, l), columns = units(m->options, l - 1);
    z -= columns;
    l2o_layer_backward(sum + m->tensors[weight(l)].offset, sum + m->tensors[bias(l)].offset, l > 1 ? dz : NULL,
                       l2o_model_values(m, weight(l)), da, z, rows, columns);
    for (size_t j = 0; l > 1 && j < columns; j++)
      da[j] = z[j] > 0 ? dz[j] : 0;
  }
}

const l2o_model_type l2o_model_type_power_control_mlp = {
    .kind = {.name = "power-control-mlp",
             .meaning = "network K^2 -> 200 -> 80 -> 80 -> K from the channels of K links to their powers",
             .options = options},
    .describe = describe,
    .initialise = initialise,
    .table_bytes = table_bytes,
    .commit = commit,
    .sum_len = sum_len,
    .gradient = gradient,
};
