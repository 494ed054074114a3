/* SPDX-License-Identifier: BSD-3-Clause */
/* GO-Math-L2O, gradient-only learning to optimise (Song, Lin, Wang, Xu, "Towards Robust Learning to Optimize with Theoretical
 * Guarantees", CVPR 2024, arXiv 2506.14263), for F = f + h. With g = grad f(x), [c, d] the subdifferential of h at x, and gamma the
 * norms that g, c and d have at x_0, each at least 1e-20:
 *
 *   R, Q, B (b3, b4) = network(g / gamma_g, c / gamma_c, d / gamma_d)    nn/go_math_l2o.h; R in base steps, Q in history factors
 *   p  = x - R o g - Q o v - b3
 *   x+ = prox_{R h}(p)
 *   G  = x - x+ - b3;  variant lh: (x - x+ - b3) / R;  std: (x - x+ - b3 - Q o v) / R
 *   v+ = B o v + (1 - B) o G - b4,   v_0 = 0
 *
 * Neither x nor F enters but through gradients: a shift of the variables changes nothing. docs/derivations/go_math_l2o.md derives
 * the backward pass. */
#include "nn/go_math_l2o.h"
#include "core/linalg.h"
#include "core/real.h"
#include "recurrent_start.h"
#include <math.h>
#include <string.h>

static const l2o_option options[] = {L2O_LEARNED_STEP_OPTIONS("ista"), {0}};

/* Added to R where G is divided by it; the least that gamma may be. */
static const l2o_real LEAST = (l2o_real)1e-20;

static l2o_go_variant variant(const l2o_iterate *it) {
  return (l2o_go_variant)it->model->options[L2O_GO_VARIANT];
}

enum { NORMS = L2O_GO_FEATURES };
/* state: v (n), the norms gamma, 0 until they are known, and, on a cache line of its own, the network's */
static size_t network_state(size_t n) {
  return l2o_whole_lines(n + NORMS);
}
static size_t state_len(const l2o_iterate *it) {
  return network_state(it->n) + l2o_heads_state_len(l2o_heads_of(it->model), it->n);
}

/* A step's record. */
typedef struct record {
  l2o_real *x, *g, *v, *p, *G; /* (n) each */
  l2o_real *values;            /* (heads, n) */
  l2o_real *norm;              /* gamma_g */
  l2o_real *network;
} record;

static record look(l2o_real *tape, const l2o_heads *heads, size_t n) {
  const size_t O = heads->network.shape.outputs;
  return (record){.x = tape,
                  .g = tape + n,
                  .v = tape + 2 * n,
                  .p = tape + 3 * n,
                  .G = tape + 4 * n,
                  .values = tape + 5 * n,
                  .norm = tape + (5 + O) * n,
                  .network = tape + l2o_whole_lines((5 + O) * n + 1)};
}
static size_t tape_len(const l2o_iterate *it) {
  const l2o_heads *heads = l2o_heads_of(it->model);
  return l2o_whole_lines(l2o_whole_lines((5 + heads->network.shape.outputs) * it->n + 1) + l2o_heads_tape_len(heads, it->n));
}

/* features (3, n), the heads' values (5, n), p, G, tau; the network's */
enum { VECTORS = L2O_GO_FEATURES + L2O_GO_HEADS + 3 };
static size_t scratch_len(const l2o_iterate *it) {
  return l2o_whole_lines(VECTORS * it->n) + l2o_heads_scratch_len(l2o_heads_of(it->model), it->n);
}

static const l2o_recurrent_shape *network(const l2o_iterate *it) {
  return &l2o_heads_of(it->model)->network.shape;
}
static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return l2o_recurrent_start_check(it, network(it), diag);
}
static l2o_status init(l2o_iterate *it) {
  const size_t n = it->n;
  memset(it->state, 0, network_state(n) * sizeof *it->state);
  return l2o_recurrent_start(it, network(it), it->state + network_state(n), it->model->options[L2O_GO_STATE] > 0);
}

/* Of Q, by its options. */
static l2o_real history_factor(const l2o_iterate *it) {
  switch ((l2o_go_history)it->model->options[L2O_GO_HISTORY]) {
  case L2O_GO_ROOT:
    return (l2o_real)sqrt(it->step);
  case L2O_GO_STEP:
    return (l2o_real)it->step;
  case L2O_GO_SQUARE:
    return (l2o_real)(it->step * it->step);
  default:
    return 1;
  }
}

/* u (3, n), and the norms where they are not known yet. */
static l2o_status make_features(l2o_iterate *it, l2o_real *u, l2o_real *norms) {
  const size_t n = it->n;
  memcpy(u, it->g, n * sizeof *u);
  l2o_status status = l2o_problem_subdifferential(it->problem, u + n, u + 2 * n, it->x);
  for (size_t j = 0; j < L2O_GO_FEATURES; j++) {
    if (norms[j] == 0)
      norms[j] = (l2o_real)fmax(l2o_norm(u + j * n, n), (double)LEAST);
    for (size_t i = 0; i < n; i++)
      u[j * n + i] /= norms[j];
  }
  return status;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const size_t n = it->n;
  const l2o_heads *heads = l2o_heads_of(it->model);
  l2o_real *v = it->state, *norms = v + n, *u = it->scratch, *tau = u + (L2O_GO_FEATURES + L2O_GO_HEADS + 2) * n;
  record r = {.values = u + L2O_GO_FEATURES * n, .p = u + (L2O_GO_FEATURES + L2O_GO_HEADS) * n, .G = tau - n};
  if (tape)
    r = look(tape, heads, n);
  l2o_status status = l2o_iterate_gradient(it);
  if (!status)
    status = make_features(it, u, norms);
  if (status)
    return status;
  l2o_heads_forward(heads, r.values, v + network_state(n), r.network, it->scratch + l2o_whole_lines(VECTORS * n), u, n);
  const l2o_real *R = l2o_head(heads, r.values, L2O_GO_R, n), *Q = l2o_head(heads, r.values, L2O_GO_Q, n),
                 *B = l2o_head(heads, r.values, L2O_GO_B, n), *b3 = l2o_head(heads, r.values, L2O_GO_B3, n),
                 *b4 = l2o_head(heads, r.values, L2O_GO_B4, n);
  const l2o_real s = (l2o_real)it->step, kappa = history_factor(it);
  const bool divided = variant(it) != L2O_GO_PROPOSED, standard = variant(it) == L2O_GO_STD;
  for (size_t i = 0; i < n; i++) {
    tau[i] = s * R[i];
    r.p[i] = it->x[i] - tau[i] * it->g[i] - kappa * Q[i] * v[i] - (b3 ? b3[i] : 0);
  }
  if (tape) {
    memcpy(r.x, it->x, n * sizeof *r.x);
    memcpy(r.g, it->g, n * sizeof *r.g);
    memcpy(r.v, v, n * sizeof *r.v);
    *r.norm = *norms;
  }
  l2o_real *next = u; /* the features are used */
  status = l2o_problem_prox(it->problem, next, r.p, tau, it->work);
  for (size_t i = 0; i < n; i++) {
    l2o_real G = it->x[i] - next[i] - (b3 ? b3[i] : 0);
    if (standard)
      G -= kappa * Q[i] * v[i];
    if (divided)
      G /= tau[i] + LEAST;
    r.G[i] = G;
    v[i] = B[i] * v[i] + (1 - B[i]) * G - (b4 ? b4[i] : 0);
    it->x[i] = next[i];
  }
  return status;
}

/* dx, dv in: derivatives with respect to x+, v+; out: to x, v. */
static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  const size_t n = it->n;
  const l2o_heads *heads = l2o_heads_of(it->model);
  const record r = look((l2o_real *)tape, heads, n); /* read only */
  l2o_real *du = it->scratch, *dvalues = du + L2O_GO_FEATURES * n, *dp = dvalues + L2O_GO_HEADS * n, *dtau = dp + n,
           *tau = dtau + n, *dv = dstate, *dnext = dx;
  const l2o_real *R = l2o_head(heads, r.values, L2O_GO_R, n), *Q = l2o_head(heads, r.values, L2O_GO_Q, n),
                 *B = l2o_head(heads, r.values, L2O_GO_B, n);
  l2o_real *dR = l2o_head(heads, dvalues, L2O_GO_R, n), *dQ = l2o_head(heads, dvalues, L2O_GO_Q, n),
           *dB = l2o_head(heads, dvalues, L2O_GO_B, n), *db3 = l2o_head(heads, dvalues, L2O_GO_B3, n),
           *db4 = l2o_head(heads, dvalues, L2O_GO_B4, n);
  const l2o_real s = (l2o_real)it->step, kappa = history_factor(it);
  const bool divided = variant(it) != L2O_GO_PROPOSED, standard = variant(it) == L2O_GO_STD, whole = mode == L2O_STOP_GRADIENT_NONE;
  memset(dp, 0, n * sizeof *dp);
  for (size_t i = 0; i < n; i++) {
    /* v+ = B o v + (1 - B) o G - b4 */
    const l2o_real dG = dv[i] * (1 - B[i]);
    dB[i] = dv[i] * (r.v[i] - r.G[i]);
    if (db4)
      db4[i] = -dv[i];
    dv[i] *= B[i];
    /* G = (x - x+ - b3 [- Q o v]) / R: e = dG / R */
    tau[i] = s * R[i];
    const l2o_real e = divided ? dG / (tau[i] + LEAST) : dG;
    dtau[i] = divided ? -e * r.G[i] : 0;
    dnext[i] -= e;
    dg[i] = e; /* for now what G wants of x */
    if (db3)
      db3[i] = -e;
    const l2o_real share = standard ? kappa * e : 0;
    dQ[i] = -share * r.v[i];
    dv[i] -= share * Q[i];
  }
  /* x+ = prox_{R h}(p) */
  l2o_status status = l2o_problem_prox_vjp(it->problem, dp, dtau, r.p, tau, dnext, it->work);
  for (size_t i = 0; i < n; i++) {
    /* p = x - R o g - Q o v - b3 */
    dx[i] = dg[i] + dp[i];
    dR[i] = s * (dtau[i] - r.g[i] * dp[i]);
    dg[i] = -tau[i] * dp[i];
    dQ[i] -= kappa * r.v[i] * dp[i];
    dv[i] -= kappa * Q[i] * dp[i];
    if (db3)
      db3[i] -= dp[i];
  }
  if (whole)
    memset(du, 0, L2O_GO_FEATURES * n * sizeof *du);
  l2o_heads_backward(heads, dsum, whole ? du : NULL, dstate + network_state(n), dvalues, r.values, r.network,
                     it->scratch + l2o_whole_lines(VECTORS * n), n);
  for (size_t i = 0; whole && i < n; i++) /* c and d are constant almost everywhere, gamma is a constant of the start */
    dg[i] += du[i] / *r.norm;
  return status;
}

/* From where ista has gone the history and the network begin anew; the norms are those of the start still. */
static l2o_status fell_back(l2o_iterate *it) {
  l2o_real norms[NORMS];
  memcpy(norms, it->state + it->n, sizeof norms);
  l2o_status status = init(it);
  memcpy(it->state + it->n, norms, sizeof norms);
  return status;
}

const l2o_solver l2o_go_math_l2o = {
    .struct_size = sizeof l2o_go_math_l2o,
    .name = "go-math-l2o",
    .meaning = "proximal gradient steps with learned sizes and history, blind to all but gradients (arXiv 2506.14263)",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_NEEDS_MODEL | L2O_TAKES_PROX,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
    .model_kind = "go-math-l2o",
    .classical = "ista",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
    .gradient_at = L2O_GRADIENT_AT_X,
    .fell_back = fell_back,
};
