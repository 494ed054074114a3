/* SPDX-License-Identifier: BSD-3-Clause */
/* DeepFP (Zhu et al., arXiv 2601.02822): fastfp with steps that a network finds for each user, from its precoder and the ascent
 * direction G = dWSR / dV*:
 *   V_u <- P(V_u + s_u G_u),   s_u = (1 + o_u) / lambda_j,   o_u of nn/deepfp.h in layer k from V_u and R_u = G_u / lambda_j,
 * P the scaling onto the power budget, lambda_j >= the largest eigenvalue of D_j = sum_u a_u H_uj^H U_u W_u U_u^H H_uj. The network
 * sees V_u and R_u in units of sqrt(power / users): a model is for any power and noise. With W_4 and b_4 zero the rule is fastfp.
 *
 * The published rule takes s_u = Re o_u alone, of V_u and G_u as they stand: it has to learn the scale of the steps, which is that
 * of one noise and one power, and begins far from any sensible step. docs/derivations/deepfp.md tells what else differs, and
 * derives the way back. */
#include "nn/deepfp.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/pieces.h"
#include "problems/sum_rate.h"
#include "solvers.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double LN2 = 0.69314718055994530942;

static const l2o_option options[] = {L2O_GUARD_OPTION("fastfp"), {0}};

/* Everything that a layer computes, in the rule's scratch. */
typedef struct layer {
  const l2o_sum_rate *d;
  l2o_rate_bound bound;
  l2o_rate_point at;
  l2o_rate_curve curve;
  size_t n, entries;        /* reals of all precoders, of one */
  l2o_real *lambda, *scale; /* (cells); scale: of the gradient, to make it -R */
  l2o_real *R, *next;       /* (n); before the projection */
  l2o_real *o;              /* (lanes) */
  l2o_real *record;
  l2o_real *bound_scratch;
  /* the way back */
  l2o_real *g_again, *dnext, *dR; /* (n) */
  l2o_real *d_o;                  /* (lanes) */
  l2o_real *dP;                   /* (rx, rx) abreast */
} layer;

static size_t lay_out(layer *l, const l2o_iterate *it, l2o_real *scratch) {
  const l2o_sum_rate *d = l->d = l2o_sum_rate_of(it->problem);
  l->bound = (l2o_rate_bound)l2o_deepfp_bound(it->model);
  l->n = it->n;
  l->entries = it->n / d->n;
  const l2o_piece pieces[] = {{&l->lambda, d->sizes.cells},
                              {&l->scale, d->sizes.cells},
                              {&l->R, it->n},
                              {&l->next, it->n},
                              {&l->o, d->lanes},
                              {&l->record, l2o_deepfp_record_len(it->model, d->n)},
                              {&l->bound_scratch, l2o_rate_lambda_scratch(d, l->bound)},
                              {&l->g_again, it->n},
                              {&l->dnext, it->n},
                              {&l->dR, it->n},
                              {&l->d_o, d->lanes},
                              {&l->dP, 2 * d->sizes.rx * d->sizes.rx * d->lanes}};
  if (scratch) {
    l->at = l2o_rate_point_at(d, it->work);
    l->curve = l2o_rate_curve_at(d, it->work);
  }
  return L2O_LAY_OUT(scratch, pieces);
}

static size_t scratch_len(const l2o_iterate *it) {
  layer l;
  return lay_out(&l, it, NULL);
}

/* tape: x, k */
static size_t tape_len(const l2o_iterate *it) {
  return it->n + 1;
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  const l2o_sum_rate *d = l2o_sum_rate_of(it->problem);
  const size_t tx = l2o_deepfp_tx(it->model), streams = l2o_deepfp_streams(it->model);
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "deepfp solves problems of the family sum-rate; '%s' is none",
                    l2o_problem_name(it->problem));
  if (tx != d->sizes.tx || streams != d->sizes.streams)
    return l2o_fail(diag, L2O_ERR_SHAPE,
                    "deepfp: this model is for precoders of tx = %zu antennas and streams = %zu; the problem has tx = %zu and "
                    "streams = %zu",
                    tx, streams, d->sizes.tx, d->sizes.streams);
  return L2O_OK;
}

static l2o_status init(l2o_iterate *it) {
  return l2o_problem_project(it->problem, it->x, it->x, it->work);
}

/* sqrt(users / power) */
static double unit_of(const layer *l) {
  return sqrt((double)l->d->sizes.users / l->d->power);
}

/* From x and its gradient to `next`. */
static void forward(layer *l, const l2o_model *model, const l2o_real *x, const l2o_real *g, size_t k) {
  const l2o_sum_rate *d = l->d;
  const size_t users = d->sizes.users, block = l2o_rate_block(d);
  l2o_rate_revisit(&l->at, d, x); /* the gradient may come from elsewhere */
  l2o_rate_curve_begin(&l->curve, &l->at, d);
  for (size_t j = 0; j < d->sizes.cells; j++) {
    const double lambda = l2o_rate_lambda(&l->at, &l->curve, d, j, l->bound, l->bound_scratch);
    /* G = -ln(2) / 2 g; where D = 0 so is G */
    l->lambda[j] = (l2o_real)lambda;
    l->scale[j] = lambda > 0 ? (l2o_real)(0.5 * LN2 / lambda) : 0;
    for (size_t i = j * block; i < (j + 1) * block; i++)
      l->R[i] = -l->scale[j] * g[i];
  }
  l2o_deepfp_forward(model, l->o, l->record, x, l->R, unit_of(l), k, d->n);
  for (size_t u = 0; u < d->n; u++) {
    const l2o_real step = l->scale[u / users] * (1 + l->o[u]);
    for (size_t i = u * l->entries; i < (u + 1) * l->entries; i++)
      l->next[i] = x[i] - step * g[i];
  }
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  layer l;
  (void)stop;
  const l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  lay_out(&l, it, it->scratch);
  if (tape) {
    memcpy(tape, it->x, it->n * sizeof *tape);
    tape[it->n] = (l2o_real)it->k;
  }
  forward(&l, it->model, it->x, it->g, it->k);
  l2o_rate_project(it->x, l.d, l.next);
  return L2O_OK;
}

/* dP_u = sum_j dlambda_j H_uj H_uj^H of lambda_j = tr D_j = sum_u <P_u, H_uj H_uj^H>, where dlambda_j = -<R_j, dR_j> / lambda_j */
static void back_through_traces(const layer *l) {
  const l2o_sum_rate *d = l->d;
  const size_t block = l2o_rate_block(d), square = 2 * d->sizes.rx * d->sizes.rx * d->lanes;
  memset(l->dP, 0, square * sizeof *l->dP);
  for (size_t j = 0; j < d->sizes.cells; j++) {
    const double along = l2o_dot(l->R + j * block, l->dR + j * block, block);
    const l2o_real dlambda = l->lambda[j] > 0 ? (l2o_real)(-along / (double)l->lambda[j]) : 0;
    for (size_t i = 0; i < square; i++)
      l->dP[i] += dlambda * d->gram[j * square + i];
  }
}

static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  layer l;
  (void)dstate, (void)dg;
  lay_out(&l, it, it->scratch);
  const bool all = mode == L2O_STOP_GRADIENT_NONE;
  const size_t k = (size_t)tape[it->n], block = l2o_rate_block(l.d);
  double f;
  l2o_status status = l2o_problem_gradient(it->problem, &f, l.g_again, tape, it->work);
  if (status)
    return status;
  forward(&l, it->model, tape, l.g_again, k);
  memset(l.dnext, 0, it->n * sizeof *l.dnext);
  status = l2o_problem_project_vjp(it->problem, l.dnext, l.next, dx, it->work);
  if (status)
    return status;
  /* next = V + (1 + o) R */
  for (size_t u = 0; u < l.d->n; u++) {
    const size_t first = u * l.entries;
    l.d_o[u] = (l2o_real)l2o_dot(l.R + first, l.dnext + first, l.entries);
    for (size_t i = first; i < first + l.entries; i++) {
      l.dR[i] = (1 + l.o[u]) * l.dnext[i];
      dx[i] = l.dnext[i];
    }
  }
  l2o_deepfp_backward(it->model, dsum, all ? dx : NULL, l.dR, l.d_o, l.record, unit_of(&l), k, l.d->n);
  if (mode == L2O_STOP_GRADIENT_DIRECTION)
    return L2O_OK;
  const bool through_lambda = all && l.bound == L2O_RATE_TRACE;
  if (through_lambda)
    back_through_traces(&l);
  /* R = G / lambda, and scale = ln(2) / 2 / lambda */
  for (size_t i = 0; i < it->n; i++)
    l.dR[i] *= (l2o_real)(2 / LN2) * l.scale[i / block];
  l2o_rate_back(dx, &l.curve, &l.at, l.d, l.dR, through_lambda ? l.dP : NULL);
  return L2O_OK;
}

static void classical_options(const l2o_iterate *it, char *out, size_t size) {
  static const char *const bounds[] = {"eigenvalue", "norm", "trace"};
  snprintf(out, size, "lambda=%s", bounds[l2o_deepfp_bound(it->model)]);
}

const l2o_solver l2o_deepfp = {
    .struct_size = sizeof l2o_deepfp,
    .name = "deepfp",
    .meaning = "fastfp with steps that complex networks find for each user, for the family sum-rate (arXiv 2601.02822)",
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_MODEL | L2O_TAKES_PROJECTION,
    .options = options,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
    .model_kind = "deepfp",
    .classical = "fastfp",
    .tape_len = tape_len,
    .step_vjp = step_vjp,
    .classical_options = classical_options,
};
