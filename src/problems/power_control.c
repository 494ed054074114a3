/* SPDX-License-Identifier: BSD-3-Clause */
/* Sampling: G_ij = |CN(0, 1)|^2. Stream 0 of (seed, index) gives the channel, 1 a random start, 2 random weights; with
 * sampler=mt19937 the twister of seed + index gives the channel and that of 5000 + seed + index the start. */
#include "problems/power_control.h"
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "problems/channels.h"
#include "problems/families.h"
#include "problems/instance.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LN2 = 0.69314718055994530942;

static const l2o_power_control *of(const l2o_problem *p) {
  return p->data;
}

/* J, and what the gradient multiplies by */
static size_t work_len(const l2o_problem *p) {
  return 2 * p->n;
}

/* J = noise + (G - diag G) p; R_i = ln(1 + G_ii p_i / J_i) */
static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const l2o_power_control *d = of(p);
  *f = 0;
  l2o_gemv(work, d->others, x, p->n, p->n);
  for (size_t i = 0; i < p->n; i++) {
    work[i] += (l2o_real)d->noise;
    *f -= (double)d->a[i] * log1p((double)d->own[i] * (double)x[i] / (double)work[i]) / LN2;
  }
  return L2O_OK;
}

/* -d / dp_j sum_i a_i R_i = -a_j G_jj / T_j + sum_{i != j} G_ij a_i (1 / J_i - 1 / T_i), the last difference being G_ii p_i / (T_i
 * J_i)
 */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_power_control *d = of(p);
  l2o_real *J = work, *harm = work + p->n;
  l2o_status status = value(p, f, x, work);
  for (size_t i = 0; i < p->n; i++) {
    const double signal = (double)d->own[i] * (double)x[i];
    harm[i] = (l2o_real)((double)d->a[i] / LN2 * signal / (((double)J[i] + signal) * (double)J[i]));
  }
  l2o_gemv_t(g, d->others, harm, p->n, p->n);
  for (size_t i = 0; i < p->n; i++)
    g[i] -= (l2o_real)((double)d->a[i] / LN2 * (double)d->own[i] / ((double)J[i] + (double)d->own[i] * (double)x[i]));
  return status;
}

static l2o_status project(const l2o_problem *p, l2o_real *out, const l2o_real *x, l2o_real *work) {
  const l2o_real most = (l2o_real)of(p)->power;
  (void)work;
  for (size_t i = 0; i < p->n; i++)
    out[i] = x[i] < 0 ? 0 : x[i] > most ? most : x[i];
  return L2O_OK;
}

static l2o_status project_vjp(const l2o_problem *p, l2o_real *dx, const l2o_real *x, const l2o_real *dout, l2o_real *work) {
  const l2o_real most = (l2o_real)of(p)->power;
  (void)work;
  for (size_t i = 0; i < p->n; i++)
    dx[i] += x[i] < 0 || x[i] > most ? 0 : dout[i];
  return L2O_OK;
}

static l2o_status start(const l2o_problem *p, l2o_real *x0) {
  memcpy(x0, of(p)->start, p->n * sizeof *x0);
  return L2O_OK;
}

static void release(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

static const l2o_problem_ops ops = {.struct_size = sizeof ops,
                                    .name = "power-control",
                                    .work_len = work_len,
                                    .value = value,
                                    .gradient = gradient,
                                    .start = start,
                                    .free = release,
                                    .project = project,
                                    .project_vjp = project_vjp};

const l2o_power_control *l2o_power_control_of(const l2o_problem *p) {
  p = l2o_unshifted(p);
  return p->ops == &ops ? p->data : NULL;
}

/* ---- from a caller's arrays ---- */

static bool is_positive(double a) {
  return a > 0 && isfinite(a);
}

static l2o_status check(const l2o_real *G, const l2o_real *weights, const l2o_real *x0, double noise, double power, size_t K,
                        l2o_diag *diag) {
  if (K == 0 || !l2o_fits_blas(K, K))
    return l2o_fail(diag, L2O_ERR_SHAPE, "power-control: links = %zu is 0 or too large", K);
  if (!is_positive(noise))
    return l2o_fail(diag, L2O_ERR_ARG, "power-control: the noise is %g; expected a positive number", noise);
  if (!is_positive(power))
    return l2o_fail(diag, L2O_ERR_ARG, "power-control: the power is %g; expected a positive number", power);
  for (size_t i = 0; weights && i < K; i++)
    if (!is_positive((double)weights[i]))
      return l2o_fail(diag, L2O_ERR_ARG, "power-control: the weight of link %zu is %g; expected a positive number", i,
                      (double)weights[i]);
  if (!l2o_all_finite(G, K * K) || (x0 && !l2o_all_finite(x0, K)))
    return l2o_fail(diag, L2O_ERR_NUMERIC, "power-control: G or x0 holds a value that is not finite");
  bool any = false;
  for (size_t i = 0; i < K * K; i++) {
    if (G[i] < 0)
      return l2o_fail(diag, L2O_ERR_ARG, "power-control: the gain from sender %zu to receiver %zu is %g; expected 0 or more", i % K,
                      i / K, (double)G[i]);
    any |= i / K == i % K && G[i] > 0;
  }
  return any ? L2O_OK : l2o_fail(diag, L2O_ERR_NUMERIC, "power-control: the diagonal of G is zero; expected a channel");
}

typedef struct room {
  l2o_power_control *instance;
  l2o_real *others, *own, *a, *start;
} room;

static void layout(room *r, l2o_arena *arena, size_t K) {
  L2O_TAKE(arena, r->instance, 1);
  L2O_TAKE(arena, r->others, K * K);
  L2O_TAKE(arena, r->own, K);
  L2O_TAKE(arena, r->a, K);
  L2O_TAKE(arena, r->start, K);
}

l2o_status l2o_power_control_new(l2o_problem *out, const l2o_real *G, const l2o_real *weights, const l2o_real *x0, double noise,
                                 double power, size_t K, l2o_diag *diag) {
  room r = {0};
  l2o_arena arena = {0};
  *out = (l2o_problem){0};
  l2o_status status = check(G, weights, x0, noise, power, K, diag);
  if (status)
    return status;
  layout(&r, &arena, K);
  if (!l2o_arena_new(&arena))
    return l2o_fail(diag, L2O_ERR_NOMEM, "power-control: out of memory");
  layout(&r, &arena, K);
  memcpy(r.others, G, K * K * sizeof *G);
  for (size_t i = 0; i < K; i++) {
    r.own[i] = G[i * K + i];
    r.others[i * K + i] = 0;
    r.a[i] = weights ? weights[i] : 1;
    r.start[i] = x0 ? x0[i] : (l2o_real)power;
  }
  *r.instance = (l2o_power_control){.others = r.others, .own = r.own, .a = r.a, .start = r.start, .noise = noise, .power = power};
  *out = (l2o_problem){.ops = &ops, .data = r.instance, .n = K};
  return L2O_OK;
}

/* ---- the family ---- */

enum { FULL, UNIFORM };
enum { EQUAL, RANDOM };
enum { OPTION_LINKS, OPTION_SNR_DB, OPTION_WEIGHTS, OPTION_START, OPTION_SAMPLER };
static const l2o_option options[] = {
    {"links", L2O_OPTION_INT, 10, 1, 10000, NULL, "pairs of a sender and a receiver"},
    {"snr_db", L2O_OPTION_REAL, 0, -100, 200, NULL, "largest power of a sender over the noise in dB"},
    {"weights", L2O_OPTION_CHOICE, EQUAL, 0, 0, "equal|random", "weights of the links: equal, or uniform from 1/2 to 3/2"},
    {"start", L2O_OPTION_CHOICE, FULL, 0, 0, "full|uniform", "powers: the largest, or uniform below it"},
    {"sampler", L2O_OPTION_CHOICE, L2O_SAMPLER_PHILOX, 0, 0, "philox|mt19937",
     "random numbers: our streams, or GSL's Mersenne Twister, seed + i for instance i"},
    {0},
};

typedef struct links_family {
  l2o_family base; /* first: the family handle points here */
  double power;
  bool uniform_start, random_weights;
} links_family;

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const links_family *f = (const links_family *)family;
  const size_t K = family->n;
  l2o_draws draws;
  l2o_rng rng;
  l2o_status status = l2o_draws_begin(&draws, family, seed, index, diag);
  if (status)
    return status;
  double *h = malloc(2 * K * K * sizeof *h);
  l2o_real *G = malloc((K * K + 2 * K) * sizeof *G);
  if (!h || !G) {
    free(h);
    free(G);
    return l2o_fail(diag, L2O_ERR_NOMEM, "power-control: out of memory");
  }
  l2o_real *weights = G + K * K, *p = weights + K;
  l2o_draws_complex(&draws, h, K * K);
  for (size_t i = 0; i < K * K; i++)
    G[i] = (l2o_real)(h[2 * i] * h[2 * i] + h[2 * i + 1] * h[2 * i + 1]);
  l2o_rng_seed(&rng, seed, 2, index);
  for (size_t i = 0; i < K; i++)
    weights[i] = f->random_weights ? (l2o_real)(0.5 + l2o_rng_uniform(&rng)) : 1;
  if (draws.replays)
    l2o_twister_seed_gsl(&draws.twister, (uint32_t)(5000 + seed + index));
  else
    l2o_rng_seed(&draws.rng, seed, 1, index);
  for (size_t i = 0; i < K; i++)
    p[i] = (l2o_real)(f->power * (f->uniform_start ? l2o_draws_uniform(&draws) : 1));
  status = l2o_power_control_new(out, G, weights, p, 1, f->power, K, diag);
  free(h);
  free(G);
  return status;
}

static l2o_status create(l2o_family **out, const double *values, l2o_diag *diag) {
  links_family *f = malloc(sizeof *f);
  if (!f)
    return l2o_fail(diag, L2O_ERR_NOMEM, "power-control: out of memory");
  *f = (links_family){.base = {.struct_size = sizeof f->base,
                               .name = "power-control",
                               .n = (size_t)values[OPTION_LINKS],
                               .sample = sample,
                               .free = l2o_family_release,
                               .plain_seeds = (int)values[OPTION_SAMPLER] == L2O_SAMPLER_MT19937},
                      .power = pow(10, values[OPTION_SNR_DB] / 10),
                      .uniform_start = (int)values[OPTION_START] == UNIFORM,
                      .random_weights = (int)values[OPTION_WEIGHTS] == RANDOM};
  *out = &f->base;
  return L2O_OK;
}

const l2o_family_type l2o_family_type_power_control = {
    .name = "power-control",
    .meaning = "weighted sum of rates of links that disturb each other, negated, over their powers: not convex",
    .options = options,
    .gap = "absolute",
    .create = create,
    .maximised = "rate",
    .unit = "bit/s/Hz",
};
