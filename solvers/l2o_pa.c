/* SPDX-License-Identifier: BSD-3-Clause */
/* L2O-PA and its kin: Math-L2O with a recurrent network (Liu, Chen, Wang, Yin, Cai, "Towards Constituting Mathematical Structures
 * for Learning to Optimize", ICML 2023, arXiv 2305.18577), for F = f + h. From (x, z), z_0 = x_0, with g = grad f(x):
 *
 *   P, A, B, B1, B2 = network(g, x)        nn/l2o_pa.h; heads that are not used are P = B = 1, A = B1 = B2 = 0
 *   u = B o (x - s P o g) + (1 - B) o (z - s P o grad f(z)) + B1
 *   z+ = prox_{s P h}(u)
 *   x+ = z+ + A o (z+ - z) + B2
 *
 * The objective is reported at x, as published. With B a step takes a second gradient, at z. docs/derivations/go_math_l2o.md
 * derives the backward pass. */
#include "nn/l2o_pa.h"
#include "core/real.h"
#include "recurrent_start.h"
#include <string.h>

static const l2o_option options[] = {L2O_LEARNED_STEP_OPTIONS("ista"), {0}};

/* state: z (n), and the network's */
static size_t state_len(const l2o_iterate *it) {
  return it->n + l2o_heads_state_len(l2o_heads_of(it->model), it->n);
}

static bool weighs(const l2o_heads *heads) {
  return heads->row[L2O_PA_B] < L2O_HEADS_MAX;
}

/* A step's record. */
typedef struct record {
  l2o_real *x, *g, *z, *g_z, *u, *next_z; /* (n) each; next_z: z+ */
  l2o_real *values;                       /* (heads, n) */
  l2o_real *network;
} record;
enum { KEPT = 6 };

static record look(l2o_real *tape, const l2o_heads *heads, size_t n) {
  return (record){.x = tape,
                  .g = tape + n,
                  .z = tape + 2 * n,
                  .g_z = tape + 3 * n,
                  .u = tape + 4 * n,
                  .next_z = tape + 5 * n,
                  .values = tape + KEPT * n,
                  .network = tape + (KEPT + heads->network.shape.outputs) * n};
}
static size_t tape_len(const l2o_iterate *it) {
  const l2o_heads *heads = l2o_heads_of(it->model);
  return (KEPT + heads->network.shape.outputs) * it->n + l2o_heads_tape_len(heads, it->n);
}

/* features (2, n), the heads' values (5, n), u, z+, tau, grad f(z); the network's */
enum { VECTORS = L2O_PA_FEATURES + L2O_PA_HEADS + 4 };
static size_t scratch_len(const l2o_iterate *it) {
  return VECTORS * it->n + l2o_heads_scratch_len(l2o_heads_of(it->model), it->n);
}

static const l2o_recurrent_shape *network(const l2o_iterate *it) {
  return &l2o_heads_of(it->model)->network.shape;
}
static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return l2o_recurrent_start_check(it, network(it), diag);
}
static l2o_status init(l2o_iterate *it) {
  memcpy(it->state, it->x, it->n * sizeof *it->x);
  return l2o_recurrent_start(it, network(it), it->state + it->n, it->model->options[L2O_PA_STATE] > 0);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const size_t n = it->n;
  const l2o_heads *heads = l2o_heads_of(it->model);
  l2o_real *z = it->state, *features = it->scratch, *tau = features + (L2O_PA_FEATURES + L2O_PA_HEADS + 2) * n;
  record r = {.values = features + L2O_PA_FEATURES * n, .u = tau - 2 * n, .next_z = tau - n, .g_z = tau + n};
  if (tape)
    r = look(tape, heads, n);
  l2o_status status = l2o_iterate_gradient(it);
  double f;
  if (!status && weighs(heads))
    status = l2o_iterate_gradient_at(it, &f, r.g_z, z);
  if (status)
    return status;
  memcpy(features, it->g, n * sizeof *features);
  memcpy(features + n, it->x, n * sizeof *features);
  l2o_heads_forward(heads, r.values, z + n, r.network, it->scratch + VECTORS * n, features, n);
  const l2o_real *P = l2o_head(heads, r.values, L2O_PA_P, n), *A = l2o_head(heads, r.values, L2O_PA_A, n),
                 *B = l2o_head(heads, r.values, L2O_PA_B, n), *B1 = l2o_head(heads, r.values, L2O_PA_B1, n),
                 *B2 = l2o_head(heads, r.values, L2O_PA_B2, n);
  const l2o_real s = (l2o_real)it->step;
  if (tape) {
    memcpy(r.x, it->x, n * sizeof *r.x);
    memcpy(r.g, it->g, n * sizeof *r.g);
    memcpy(r.z, z, n * sizeof *r.z);
  }
  for (size_t i = 0; i < n; i++) {
    tau[i] = P ? s * P[i] : s;
    const l2o_real from_x = it->x[i] - tau[i] * it->g[i];
    r.u[i] = (B ? B[i] * from_x + (1 - B[i]) * (z[i] - tau[i] * r.g_z[i]) : from_x) + (B1 ? B1[i] : 0);
  }
  status = l2o_problem_prox(it->problem, r.next_z, r.u, tau, it->work);
  for (size_t i = 0; i < n; i++) {
    it->x[i] = r.next_z[i] + (A ? A[i] * (r.next_z[i] - z[i]) : 0) + (B2 ? B2[i] : 0);
    z[i] = r.next_z[i];
  }
  return status;
}

/* dx, dz in: derivatives with respect to x+, z+; out: to x, z. */
static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  const size_t n = it->n;
  const l2o_heads *heads = l2o_heads_of(it->model);
  const record r = look((l2o_real *)tape, heads, n); /* read only */
  l2o_real *dfeatures = it->scratch, *dvalues = dfeatures + L2O_PA_FEATURES * n, *du = dvalues + L2O_PA_HEADS * n, *dtau = du + n,
           *tau = dtau + n, *dg_z = tau + n, *dz = dstate;
  const l2o_real *P = l2o_head(heads, r.values, L2O_PA_P, n), *A = l2o_head(heads, r.values, L2O_PA_A, n),
                 *B = l2o_head(heads, r.values, L2O_PA_B, n);
  l2o_real *dP = l2o_head(heads, dvalues, L2O_PA_P, n), *dA = l2o_head(heads, dvalues, L2O_PA_A, n),
           *dB = l2o_head(heads, dvalues, L2O_PA_B, n), *dB1 = l2o_head(heads, dvalues, L2O_PA_B1, n),
           *dB2 = l2o_head(heads, dvalues, L2O_PA_B2, n);
  const l2o_real s = (l2o_real)it->step;
  const bool whole = mode == L2O_STOP_GRADIENT_NONE;
  memset(du, 0, 2 * n * sizeof *du); /* and dtau */
  for (size_t i = 0; i < n; i++) {
    /* x+ = z+ + A o (z+ - z) + B2 */
    const l2o_real a = A ? A[i] : 0, dnext = dx[i] * (1 + a) + dz[i];
    tau[i] = P ? s * P[i] : s;
    if (dA)
      dA[i] = dx[i] * (r.next_z[i] - r.z[i]);
    if (dB2)
      dB2[i] = dx[i];
    dz[i] = -dx[i] * a;
    dg[i] = dnext;
  }
  /* z+ = prox_{s P h}(u) */
  l2o_status status = l2o_problem_prox_vjp(it->problem, du, dtau, r.u, tau, dg, it->work);
  for (size_t i = 0; i < n; i++) {
    /* u = B o (x - tau o g) + (1 - B) o (z - tau o g_z) + B1 */
    const l2o_real b = B ? B[i] : 1, from_x = b * du[i], from_z = du[i] - from_x;
    dx[i] = from_x;
    dg[i] = -tau[i] * from_x;
    dtau[i] -= r.g[i] * from_x;
    if (B) {
      dB[i] = du[i] * (r.x[i] - tau[i] * r.g[i] - r.z[i] + tau[i] * r.g_z[i]);
      dtau[i] -= r.g_z[i] * from_z;
      dg_z[i] = -tau[i] * from_z;
      dz[i] += from_z;
    }
    if (dB1)
      dB1[i] = du[i];
    if (dP)
      dP[i] = s * dtau[i];
  }
  if (B && mode != L2O_STOP_GRADIENT_DIRECTION) { /* dz += (Hessian at z) dg_z; du has done its work */
    const l2o_status product = l2o_problem_hessian_vector(it->problem, du, r.z, dg_z, it->work);
    for (size_t i = 0; i < n; i++)
      dz[i] += du[i];
    status = status ? status : product;
  }
  if (whole)
    memset(dfeatures, 0, L2O_PA_FEATURES * n * sizeof *dfeatures);
  l2o_heads_backward(heads, dsum, whole ? dfeatures : NULL, dstate + n, dvalues, r.values, r.network, it->scratch + VECTORS * n, n);
  for (size_t i = 0; whole && i < n; i++) {
    dg[i] += dfeatures[i];
    dx[i] += dfeatures[n + i];
  }
  return status;
}

const l2o_solver l2o_l2o_pa = {
    .struct_size = sizeof l2o_l2o_pa,
    .name = "l2o-pa",
    .meaning = "proximal gradient steps with learned sizes and momentum, Math-L2O with a recurrent network (arXiv 2305.18577)",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_NEEDS_MODEL | L2O_TAKES_PROX,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
    .model_kind = "l2o-pa",
    .classical = "ista",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
    .gradient_at = L2O_GRADIENT_AT_X,
};
