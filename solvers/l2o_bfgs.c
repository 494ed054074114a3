/* SPDX-License-Identifier: BSD-3-Clause */
/* BFGS with learned coordinate-wise step sizes (Lin, Song, Xu, arXiv 2412.00059). In step k, with the inverse Hessian H of BFGS
 * made of the steps so far and d = -H g:
 *
 *   u_i = the features of coordinate i, below;  o = network(u), nn/bfgs_lstm.h
 *
 *   q_i = p_high s(o_i), or 1 + o_i between p_low and p_high
 *
 *   p~ = 1 + gamma (q - 1),  gamma = 1 for k < K0, K0 / (k + 1) from there on, so that convergence stays superlinear
 *
 *   p = 1 + tau (p~ - 1),  tau = min(1, (1 - sigma) (-g'd) / e) where e = g'((p~ - 1) o d) > 0, else 1
 *
 *   x <- x + p o d,  where g'(p o d) <= sigma g'd < 0: positive factors alone do not make it descend
 *
 * One gradient an iteration, no line search. Untrained it is BFGS with unit steps. docs/derivations/l2o_bfgs.md derives it all. */
#include "bfgs_update.h"
#include "core/linalg.h"
#include "core/real.h"
#include "nn/activation.h"
#include "nn/bfgs_lstm.h"
#include "recurrent_start.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GUARD = L2O_LINE_OPTIONS };
static const l2o_option options[] = {
    L2O_LINE_SEARCH_OPTIONS, /* of bfgs, for the guard */
    {"guard", L2O_OPTION_CHOICE, 0, 0, 0, "off|descent|shadow",
     "fall back on bfgs with the line search above, which serves nothing else; docs/guides/guard.md tells what each promises"},
    {0}};

static const l2o_recurrent_shape *shape(const l2o_iterate *it) {
  return &l2o_bfgs_lstm_network(it->model)->shape;
}
static double model_option(const l2o_iterate *it, l2o_bfgs_lstm_option which) {
  return it->model->options[which];
}
static l2o_bfgs_start start(const l2o_iterate *it) {
  return (l2o_bfgs_start)model_option(it, L2O_BFGS_LSTM_H0);
}

/* Between the steps s and y hold x and g before the last step; within a step, once it is prepared, what their names say. */
enum phase { AT_START, MOVED, PREPARED };
typedef struct memory {
  l2o_bfgs_memory b;
  l2o_real *s, *y, *p; /* (n) each */
  l2o_real *norm0;     /* |g_0| */
  l2o_real *phase;
  l2o_real *line;    /* (L2O_LINE_MEMORY) of the guard's searches */
  l2o_real *network; /* h and c */
} memory;

static memory recall(const l2o_iterate *it) {
  const size_t n = it->n;
  l2o_real *at = it->state + l2o_bfgs_state_len(it);
  l2o_bfgs_memory b = l2o_bfgs_recall(it, start(it));
  b.rescale = model_option(it, L2O_BFGS_LSTM_RESCALE) > 0;
  return (memory){.b = b,
                  .s = at,
                  .y = at + n,
                  .p = at + 2 * n,
                  .norm0 = at + 3 * n,
                  .phase = at + 3 * n + 1,
                  .line = at + 3 * n + 2,
                  .network = at + 3 * n + 2 + L2O_LINE_MEMORY};
}
static size_t state_len(const l2o_iterate *it) {
  return l2o_bfgs_state_len(it) + 3 * it->n + 2 + L2O_LINE_MEMORY + l2o_recurrent_state_len(shape(it), it->n);
}

enum { VECTORS = 8 }; /* of scratch, besides features, raw output and what the network needs */
static size_t scratch_len(const l2o_iterate *it) {
  return (L2O_BFGS_LSTM_FEATURES_MAX + 1 + VECTORS) * it->n + l2o_recurrent_scratch_len(shape(it), it->n);
}
typedef struct scratch {
  l2o_real *features, *o, *vectors, *network;
} scratch;
static scratch room(const l2o_iterate *it) {
  const size_t n = it->n;
  l2o_real *at = it->scratch;
  return (scratch){.features = at,
                   .o = at + L2O_BFGS_LSTM_FEATURES_MAX * n,
                   .vectors = at + (L2O_BFGS_LSTM_FEATURES_MAX + 1) * n,
                   .network = at + (L2O_BFGS_LSTM_FEATURES_MAX + 1 + VECTORS) * n};
}

/* What the backward pass reads. */
typedef struct record {
  l2o_real *x, *g, *d, *s, *y, *p;
  l2o_real *raw;   /* p~ */
  l2o_real *slope; /* dq/do */
  l2o_real *about; /* (ABOUT) */
  l2o_real *H;     /* (n, n) before this step's update */
  l2o_real *network;
} record;
enum { OUTCOME, SCALE, ENLARGED, BEGINS, NORM0, GAMMA, TAU, ABOUT };
static record look(l2o_real *tape, size_t n) {
  l2o_real *at = tape;
  record r = {.x = at, .g = at + n, .d = at + 2 * n, .s = at + 3 * n, .y = at + 4 * n, .p = at + 5 * n};
  r.raw = at + 6 * n;
  r.slope = at + 7 * n;
  r.about = at + 8 * n;
  r.H = r.about + ABOUT;
  r.network = r.H + n * n;
  return r;
}
static size_t tape_len(const l2o_iterate *it) {
  return 8 * it->n + ABOUT + it->n * it->n + l2o_recurrent_tape_len(shape(it), it->n);
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  l2o_status status = l2o_line_check(it, "l2o-bfgs", diag);
  if (!status)
    status = l2o_recurrent_start_check(it, shape(it), diag);
  return status ? status : l2o_bfgs_check(it, start(it), "l2o-bfgs", diag);
}

static l2o_status init(l2o_iterate *it) {
  const memory m = recall(it);
  for (size_t i = 0; i < it->n; i++)
    m.p[i] = 1;
  const l2o_status status = l2o_recurrent_start(it, shape(it), m.network, 0);
  return status ? status : l2o_bfgs_init(it, &m.b);
}

/* The gradient at x, and H and d of it; tape: NULL, or where what goes into H is recorded. Once a step, whoever calls first. */
static l2o_status prepare(l2o_iterate *it, const memory *m, const record *tape) {
  const size_t n = it->n;
  l2o_status status = l2o_iterate_gradient(it);
  if (status || *m->phase == PREPARED)
    return status;
  const bool begins = *m->phase == AT_START;
  l2o_bfgs_change change = {.outcome = L2O_BFGS_SKIPPED, .scale = (double)*m->b.scale, .enlarged = 1};
  if (tape)
    memcpy(tape->H, m->b.H, n * n * sizeof *tape->H);
  if (begins) {
    *m->norm0 = (l2o_real)l2o_norm(it->g, n);
    l2o_bfgs_first_direction(it, &m->b);
  } else {
    change = l2o_bfgs_update(it, &m->b, m->s, m->y, room(it).vectors, 0);
  }
  if (tape) {
    tape->about[OUTCOME] = (l2o_real)change.outcome;
    tape->about[SCALE] = (l2o_real)change.scale;
    tape->about[ENLARGED] = (l2o_real)change.enlarged;
    tape->about[BEGINS] = begins;
    tape->about[NORM0] = *m->norm0;
  }
  *m->phase = PREPARED;
  return L2O_OK;
}

/* -g'd / (|g| |d|) */
static double cosine(const l2o_real *g, const l2o_real *d, size_t n) {
  const double norms = l2o_norm(g, n) * l2o_norm(d, n);
  return norms > 0 ? -l2o_dot(g, d, n) / norms : 0;
}

/* u = v sqrt(n) / |v| */
static void normalise(l2o_real *u, const l2o_real *v, size_t n) {
  const double norm = l2o_norm(v, n), factor = norm > 0 ? sqrt((double)n) / norm : 0;
  for (size_t i = 0; i < n; i++)
    u[i] = (l2o_real)(factor * (double)v[i]);
}
/* dv += sqrt(n) / |v| (du - v (v'du) / |v|^2) */
static void normalise_vjp(l2o_real *dv, const l2o_real *du, const l2o_real *v, size_t n) {
  const double norm = l2o_norm(v, n), factor = norm > 0 ? sqrt((double)n) / norm : 0;
  const double along = norm > 0 ? l2o_dot(v, du, n) / (norm * norm) : 0;
  for (size_t i = 0; i < n; i++)
    dv[i] += (l2o_real)(factor * ((double)du[i] - along * (double)v[i]));
}

static const double DIGITS = 6; /* decades of the gradient's norm that make a feature of -1 */
/* Sizes u of normalised coordinates: log10(u^2 + TINY^2) / 6, from -2 for none to about 0. */
static const double TINY = 1e-6;

/* (7, n): g, d, y, s normalised, p - 1 of the last step, log10(|g| / |g_0|) / 6, the cosine between -g and d; (11, n): and the
 * logarithms of the first four */
static void make_features(l2o_real *u, const l2o_iterate *it, const memory *m) {
  const size_t n = it->n;
  const double norm = l2o_norm(it->g, n);
  const l2o_real progress = norm > 0 ? (l2o_real)(log10(norm / (double)*m->norm0) / DIGITS) : 0;
  const l2o_real angle = (l2o_real)cosine(it->g, m->b.d, n);
  normalise(u, it->g, n);
  normalise(u + n, m->b.d, n);
  normalise(u + 2 * n, m->y, n);
  normalise(u + 3 * n, m->s, n);
  for (size_t i = 0; i < n; i++) {
    u[4 * n + i] = m->p[i] - 1;
    u[5 * n + i] = progress;
    u[6 * n + i] = angle;
  }
  if (shape(it)->inputs == L2O_BFGS_LSTM_FEATURES)
    return;
  for (size_t i = 0; i < L2O_BFGS_LSTM_VECTORS * n; i++)
    u[L2O_BFGS_LSTM_FEATURES * n + i] = (l2o_real)(log10((double)u[i] * (double)u[i] + TINY * TINY) / DIGITS);
}

/* The way back through those logarithms, which adds to du of the first four; v (n) is g, d, y or s. */
static void logarithm_vjp(l2o_real *du, const l2o_real *dlog, const l2o_real *v, size_t n) {
  const double norm = l2o_norm(v, n), factor = norm > 0 ? sqrt((double)n) / norm : 0;
  for (size_t i = 0; i < n; i++) {
    const double u = factor * (double)v[i];
    du[i] += (l2o_real)(2 * u / ((u * u + TINY * TINY) * DIGITS * log(10)) * (double)dlog[i]);
  }
}

/* The raw output becomes q, in place; slope: NULL or dq/do. */
static void squash(l2o_real *q, l2o_real *slope, const l2o_iterate *it) {
  const size_t n = it->n;
  const l2o_real low = (l2o_real)model_option(it, L2O_BFGS_LSTM_P_LOW), high = (l2o_real)model_option(it, L2O_BFGS_LSTM_P_HIGH);
  const bool clipped = model_option(it, L2O_BFGS_LSTM_OUTPUT) == L2O_BFGS_LSTM_CLIP;
  /* s of the initial bias is 1 / p_high but for rounding: divided by it, q is 1 there exactly */
  const l2o_real initial = (l2o_real)-log(model_option(it, L2O_BFGS_LSTM_P_HIGH) - 1);
  l2o_real unit = 1;
  if (!clipped) {
    l2o_sigmoid(q, q, n);
    l2o_sigmoid(&unit, &initial, 1);
  }
  for (size_t i = 0; i < n; i++) {
    const l2o_real s = q[i], value = clipped ? 1 + s : s / unit;
    const bool inside = value > low && value < high;
    if (slope)
      slope[i] = !clipped ? value * (1 - s) : inside ? 1 : 0;
    q[i] = !clipped || inside ? value : value >= high ? high : value <= low ? low : value;
  }
  if (model_option(it, L2O_BFGS_LSTM_STEPS) == L2O_BFGS_LSTM_SCALAR) {
    double mean = 0;
    for (size_t i = 0; i < n; i++)
      mean += (double)q[i];
    for (size_t i = 0; i < n; i++)
      q[i] = (l2o_real)(mean / (double)n); /* 1 where all are */
  }
}

static double gate(const l2o_iterate *it) {
  const double begin = model_option(it, L2O_BFGS_LSTM_GATE), k = (double)it->k;
  return begin > 0 && k >= begin ? begin / (k + 1) : 1;
}

/* g'((p~ - 1) o d) */
static double excess(const l2o_real *raw, const l2o_real *g, const l2o_real *d, size_t n) {
  double e = 0;
  for (size_t i = 0; i < n; i++)
    e += (double)g[i] * (double)d[i] * ((double)raw[i] - 1);
  return e;
}

/* tau, from promise = -g'd and the excess; no descent, no factors */
static double restraint(const l2o_iterate *it, double promise, double e) {
  const double sigma = model_option(it, L2O_BFGS_LSTM_SAFEGUARD);
  if (sigma == 0 || e <= 0)
    return 1;
  return promise > 0 ? fmin(1, (1 - sigma) * promise / e) : 0;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  const size_t n = it->n;
  const memory m = recall(it);
  const scratch w = room(it);
  record r = {0};
  if (tape)
    r = look(tape, n);
  l2o_status status = prepare(it, &m, tape ? &r : NULL);
  if (status)
    return status;
  const l2o_real *d = m.b.d;
  make_features(w.features, it, &m);
  l2o_recurrent_forward(l2o_bfgs_lstm_network(it->model), w.o, m.network, r.network, w.network, w.features, n);
  squash(w.o, r.slope, it);
  const double gamma = gate(it), slope = l2o_dot(it->g, d, n);
  for (size_t i = 0; i < n; i++)
    w.o[i] = 1 + (l2o_real)gamma * (w.o[i] - 1);
  const double tau = restraint(it, -slope, excess(w.o, it->g, d, n));
  if (tape) {
    memcpy(r.x, it->x, n * sizeof *r.x);
    memcpy(r.g, it->g, n * sizeof *r.g);
    memcpy(r.d, d, n * sizeof *r.d);
    memcpy(r.s, m.s, n * sizeof *r.s);
    memcpy(r.y, m.y, n * sizeof *r.y);
    memcpy(r.raw, w.o, n * sizeof *r.raw);
    r.about[GAMMA] = (l2o_real)gamma;
    r.about[TAU] = (l2o_real)tau;
  }
  memcpy(m.s, it->x, n * sizeof *m.s);
  memcpy(m.y, it->g, n * sizeof *m.y);
  bool moved = false;
  double deviation = 0;
  for (size_t i = 0; i < n; i++) {
    const l2o_real excess_factor = (l2o_real)tau * (w.o[i] - 1), before = it->x[i];
    m.p[i] = 1 + excess_factor;
    deviation += (double)excess_factor * (double)excess_factor;
    it->x[i] += m.p[i] * d[i];
    moved |= it->x[i] != before;
  }
  if (tape)
    memcpy(r.p, m.p, n * sizeof *r.p);
  *m.phase = MOVED;
  it->slope = slope;
  it->deviation = deviation / (double)n;
  it->restraint = tau;
  if (!moved)
    *stop = L2O_STOP_STALLED;
  return L2O_OK;
}

/* The way back through p~ = 1 + gamma (q - 1) and q of o: do from dp~, in place. */
static void squash_vjp(l2o_real *dq, const l2o_iterate *it, const record *r) {
  const size_t n = it->n;
  const bool scalar = model_option(it, L2O_BFGS_LSTM_STEPS) == L2O_BFGS_LSTM_SCALAR;
  double mean = 0;
  for (size_t i = 0; i < n; i++)
    mean += (double)dq[i] / (double)n;
  for (size_t i = 0; i < n; i++)
    dq[i] = r->about[GAMMA] * (scalar ? (l2o_real)mean : dq[i]) * r->slope[i];
}

/* The way back through tau = (1 - sigma) A / e, A = -g'd, e = g'((p~ - 1) o d), where it is below 1: dp is dL/dp on entry;
 * dp~ = tau dp + de g o d. dg and dd are added to. */
static void restraint_vjp(l2o_real *draw, l2o_real *dg, l2o_real *dd, const l2o_real *dp, const record *r, size_t n) {
  const double promise = -l2o_dot(r->g, r->d, n), e = excess(r->raw, r->g, r->d, n), tau = (double)r->about[TAU];
  double dtau = 0;
  for (size_t i = 0; i < n; i++)
    dtau += (double)dp[i] * ((double)r->raw[i] - 1);
  const l2o_real dA = (l2o_real)(dtau * tau / promise), de = (l2o_real)(-dtau * tau / e);
  for (size_t i = 0; i < n; i++) {
    const l2o_real g = r->g[i], d = r->d[i], factor = de * (r->raw[i] - 1);
    dg[i] += (factor - dA) * d;
    dd[i] += (factor - dA) * g;
    draw[i] += de * g * d;
  }
}

/* The way back through the features: adds to dg, dd, dy, ds, sets dp, the derivative with respect to the last step's factors, and
 * adds to *dnorm0. */
static void features_vjp(l2o_real *dg, l2o_real *dd, l2o_real *dy, l2o_real *ds, l2o_real *dp, double *dnorm0, l2o_real *du,
                         bool logarithms, const record *r, size_t n) {
  const l2o_real *vectors[L2O_BFGS_LSTM_VECTORS] = {r->g, r->d, r->y, r->s};
  l2o_real *slopes[L2O_BFGS_LSTM_VECTORS] = {dg, dd, dy, ds};
  const double norm = l2o_norm(r->g, n), norm_d = l2o_norm(r->d, n), c = cosine(r->g, r->d, n);
  double progress = 0, angle = 0;
  for (size_t j = 0; j < L2O_BFGS_LSTM_VECTORS; j++) {
    if (logarithms)
      logarithm_vjp(du + j * n, du + (L2O_BFGS_LSTM_FEATURES + j) * n, vectors[j], n);
    normalise_vjp(slopes[j], du + j * n, vectors[j], n);
  }
  memcpy(dp, du + 4 * n, n * sizeof *dp);
  for (size_t i = 0; i < n; i++) {
    progress += (double)du[5 * n + i];
    angle += (double)du[6 * n + i];
  }
  if (!(norm > 0))
    return;
  progress /= DIGITS * log(10);
  *dnorm0 -= progress / (double)r->about[NORM0];
  for (size_t i = 0; i < n; i++) {
    const double g = (double)r->g[i], d = (double)r->d[i];
    dg[i] += (l2o_real)(progress * g / (norm * norm));
    if (!(norm_d > 0))
      continue;
    dg[i] -= (l2o_real)(angle * (d / (norm * norm_d) + c * g / (norm * norm)));
    dd[i] -= (l2o_real)(angle * (g / (norm * norm_d) + c * d / (norm_d * norm_d)));
  }
}

/* In: dx, and of the state dH, what the next step wants of the matrix, of x_k and g_k (in the places of s and y), of the factors,
 * of |g_0| and of h and c. The other places stay zero: d is what H and g make of it. */
static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  const size_t n = it->n;
  const bool whole = mode == L2O_STOP_GRADIENT_NONE, curved = whole || mode == L2O_STOP_GRADIENT_FEATURES;
  const record r = look((l2o_real *)tape, n); /* read only */
  const l2o_bfgs_change change = {
      .outcome = (l2o_bfgs_outcome)r.about[OUTCOME], .scale = (double)r.about[SCALE], .enlarged = (double)r.about[ENLARGED]};
  const bool begins = r.about[BEGINS] > 0, restrained = r.about[TAU] < 1;
  const scratch w = room(it);
  l2o_iterate shadow = *it;
  shadow.state = dstate;
  const memory m = recall(&shadow);
  l2o_real *dH = m.b.H, *ds = w.vectors + 4 * n, *dy = ds + n, *dd = dy + n, *dp = dd + n;
  double dnorm0 = (double)*m.norm0;
  memset(ds, 0, 2 * n * sizeof *ds);
  const l2o_real pull = (l2o_real)(2 * it->deviation_weight / (double)n), tau = r.about[TAU];
  for (size_t i = 0; i < n; i++) { /* x+ = x + p o d */
    dp[i] = dx[i] * r.d[i] + pull * (r.p[i] - 1) + (whole ? m.p[i] : 0);
    dd[i] = dx[i] * r.p[i];
    dg[i] = m.y[i];
    dx[i] += m.s[i];
    w.o[i] = tau * dp[i];
  }
  if (whole && restrained && tau > 0)
    restraint_vjp(w.o, dg, dd, dp, &r, n);
  squash_vjp(w.o, it, &r);
  if (whole)
    memset(w.features, 0, L2O_BFGS_LSTM_FEATURES_MAX * n * sizeof *w.features);
  l2o_recurrent_backward(l2o_bfgs_lstm_network(it->model), dsum, whole ? w.features : NULL, m.network, w.o, r.network, w.network,
                         n);
  if (whole)
    features_vjp(dg, dd, dy, ds, m.p, &dnorm0, w.features, shape(it)->inputs > L2O_BFGS_LSTM_FEATURES, &r, n);
  if (mode != L2O_STOP_GRADIENT_DIRECTION) {
    /* d = -H g, H that of this step: dg -= H dd,  dH -= dd g' */
    l2o_bfgs_product(w.vectors, dd, r.H, r.s, r.y, &change, w.vectors + n, n);
    for (size_t i = 0; i < n; i++)
      dg[i] -= w.vectors[i];
  }
  if (curved) {
    l2o_syr2(dH, (l2o_real)-0.5, dd, r.g, n);
    l2o_bfgs_update_vjp(dH, ds, dy, r.H, r.s, r.y, &change, w.vectors, n);
  }
  if (begins && whole) { /* |g_0| is made here */
    const double norm = (double)r.about[NORM0];
    for (size_t i = 0; i < n && norm > 0; i++)
      dg[i] += (l2o_real)(dnorm0 * (double)r.g[i] / norm);
    dnorm0 = 0;
  }
  *m.norm0 = (l2o_real)dnorm0;
  for (size_t i = 0; i < n; i++) { /* s = x - x_{k-1}, y = g - g_{k-1} */
    dx[i] += begins ? 0 : ds[i];
    dg[i] += begins ? 0 : dy[i];
    m.s[i] = begins ? 0 : -ds[i];
    m.y[i] = begins ? 0 : -dy[i];
  }
  return L2O_OK;
}

static void classical_options(const l2o_iterate *it, char *out, size_t size) {
  static const l2o_option shared[] = {L2O_LINE_SEARCH_OPTIONS, L2O_BFGS_START_OPTION, {0}};
  double values[L2O_LINE_OPTIONS + 1];
  char text[L2O_SPEC_MAX];
  memcpy(values, it->options, L2O_LINE_OPTIONS * sizeof *values);
  values[L2O_LINE_OPTIONS] = start(it);
  l2o_options_format(shared, values, "bfgs", text, sizeof text);
  snprintf(out, size, "%s", text + strlen("bfgs:"));
}

static l2o_status classical_point(l2o_iterate *it, l2o_real *x_c, double *f_c, l2o_stop *stop) {
  const size_t n = it->n;
  const memory m = recall(it);
  l2o_real *at = room(it).vectors;
  l2o_line line = {.d = m.b.d, .x = at, .g = at + n, .kept = at + 2 * n, .memory = m.line};
  l2o_status status = prepare(it, &m, NULL);
  const double f = it->f;
  memcpy(line.x, it->x, n * sizeof *it->x); /* without a slope nothing is searched, nor set */
  memcpy(line.g, it->g, n * sizeof *it->g);
  if (!status)
    status = l2o_bfgs_search(it, &m.b, &line, stop);
  if (status)
    return status;
  *f_c = it->f;
  memcpy(x_c, it->x, n * sizeof *x_c);
  memcpy(it->x, line.x, n * sizeof *it->x);
  memcpy(it->g, line.g, n * sizeof *it->g);
  it->f = f;
  it->has_gradient = true;
  if (line.alpha == 0 && !*stop)
    *stop = L2O_STOP_STALLED;
  return L2O_OK;
}

/* The network forgets; the matrix learns from every step, whoever made it. */
static l2o_status fell_back(l2o_iterate *it) {
  const memory m = recall(it);
  for (size_t i = 0; i < it->n; i++)
    m.p[i] = 1;
  memset(m.network, 0, l2o_recurrent_state_len(shape(it), it->n) * sizeof *m.network);
  return L2O_OK;
}

const l2o_solver l2o_l2o_bfgs = {
    .struct_size = sizeof l2o_l2o_bfgs,
    .name = "l2o-bfgs",
    .meaning = "BFGS with learned coordinate-wise step sizes, without line search",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_MODEL | L2O_FACTORS | L2O_WANTS_DOUBLE,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
    .model_kind = "bfgs-lstm",
    .classical = "bfgs",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
    .gradient_at = L2O_GRADIENT_AT_X,
    .classical_options = classical_options,
    .classical_point = classical_point,
    .fell_back = fell_back,
};
