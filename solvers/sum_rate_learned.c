/* SPDX-License-Identifier: BSD-3-Clause */
/* Learned rules for sums of rates. With G the ascent direction dWSR / dV*, D_j the curvature that base station j sees and
 * lambda_j >= its eigenvalues, a layer is
 *
 *   R_0 = G / lambda,   R_k = (D / lambda)^k (G - mu V) / lambda,   mu_j = <V_j, G_j> / power
 *   V_u <- P(V_u + s_u R_0 + sum_k c_uk R_k + beta_u (V_u - V_u before))
 *
 * P the projection on the power budgets; s, c and beta come from the network (nn/rate_network.h), whose inputs are what a base
 * station knows anyway: norms, angles and rates, as logarithms. `sum-rate-lo` is the learning-only method (after Song et al.,
 * INFOCOM 2024, "A learning-only method for multi-cell multi-user MIMO sum rate maximization", of which only the abstract's content
 * was known): matrix products in the place of WMMSE's inverses, the factors of which a graph network over the users gives;
 * precoders may be lifted to more dimensions, V = Q X, and steps differ by direction (nn/rate_lift.h). With a network of zeros a
 * layer is FastFP's step. `sum-rate-pga` is projected gradient ascent with learned steps and momentum: lambda = 1, no R_k.
 *
 * For the derivative the inputs of the network and lambda are constants (docs/derivations/sum_rate_learned.md). */
#include "core/diag.h"
#include "core/linalg.h"
#include "core/pieces.h"
#include "core/real.h"
#include "nn/activation.h"
#include "nn/rate_network.h"
#include "problems/sum_rate.h"
#include "solvers.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double LN2 = 0.69314718055994530942;

static const l2o_option options[] = {L2O_GUARD_OPTION("fastfp"), {0}};

/* Everything that a layer computes, in the rule's scratch. n: unknowns of the problem; N: of the lifted one. */
typedef struct layer {
  const l2o_rate_network *net;
  const l2o_sum_rate *d;
  l2o_rate_point at;
  l2o_rate_curve curve;
  size_t n, N, entries; /* entries: reals of a user */
  const l2o_real *x, *g, *state;
  l2o_real *lambda, *scale, *mu;         /* (cells); scale: of the gradient, to make it R_0 */
  l2o_real *T;                           /* (n) (G - mu V) / lambda */
  l2o_real *R;                           /* (products, n) */
  l2o_real *moments, *phi, *edges, *own; /* (L2O_RATE_MOMENTS | L2O_RATE_NODE | L2O_RATE_EDGE n | 1, lanes) */
  l2o_real *o, *c;                       /* (outputs, lanes): of the network; the factors that they mean */
  l2o_real *record;
  l2o_real *next;                 /* (n) before the projection */
  l2o_real *Y, *X, *X_next;       /* lifted: (1 + products, N) Q^H R_k; (N); (N) */
  l2o_real *turned;               /* what l2o_rate_turn_back() wants */
  l2o_real *g_again;              /* the way back: (n) */
  l2o_real *dnext, *dG, *dR, *dT; /* (n) */
  l2o_real *dproducts;            /* (products, n): what the point hands to R_k */
  l2o_real *dP;                   /* (rx, rx) abreast */
  l2o_real *dc;                   /* (outputs, lanes) */
  l2o_real *dX, *dY;              /* (N), (N) */
  l2o_real *bound_scratch;
} layer;

static const l2o_rate_network *network_of(const l2o_iterate *it) {
  return l2o_rate_network_of(it->model);
}
static size_t lifted_len(const l2o_iterate *it) {
  const l2o_sum_rate *d = l2o_sum_rate_of(it->problem);
  return 2 * d->n * network_of(it)->lift.m * d->sizes.streams;
}

static size_t lay_out(layer *l, const l2o_iterate *it, l2o_real *scratch) {
  const l2o_rate_network *net = l->net = network_of(it);
  const l2o_sum_rate *d = l->d = l2o_sum_rate_of(it->problem);
  const size_t n = l->n = it->n, N = l->N = lifted_len(it), lanes = d->lanes, O = net->outputs, q = net->products;
  const size_t turned = 4 * net->lift.r * d->sizes.streams + 2 * (1 + net->lift.r);
  l->entries = n / d->n;
  const l2o_piece pieces[] = {{&l->lambda, d->sizes.cells},
                              {&l->scale, d->sizes.cells},
                              {&l->mu, d->sizes.cells},
                              {&l->T, q ? n : 0},
                              {&l->R, q * n},
                              {&l->moments, L2O_RATE_MOMENTS * lanes},
                              {&l->phi, L2O_RATE_NODE * lanes},
                              {&l->edges, L2O_RATE_EDGE * d->n * lanes},
                              {&l->own, lanes},
                              {&l->o, O * lanes},
                              {&l->c, O * lanes},
                              {&l->record, l2o_rate_record_len(net, d->n)},
                              {&l->next, n},
                              {&l->Y, (1 + q) * N},
                              {&l->X, N},
                              {&l->X_next, N},
                              {&l->turned, turned},
                              {&l->g_again, n},
                              {&l->dnext, n},
                              {&l->dG, n},
                              {&l->dR, n},
                              {&l->dT, n},
                              {&l->dproducts, q * n},
                              {&l->dP, 2 * d->sizes.rx * d->sizes.rx * lanes},
                              {&l->dc, O * lanes},
                              {&l->dX, N},
                              {&l->dY, N},
                              {&l->bound_scratch, net->scaled ? l2o_rate_lambda_scratch(d, (l2o_rate_bound)net->bound) : 0}};
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

/* state: V before; lifted: X and X before */
static size_t state_len(const l2o_iterate *it) {
  const l2o_rate_network *net = network_of(it);
  return net->lift.m ? 2 * lifted_len(it) : net->momentum ? it->n : 0;
}
/* tape: x, state, k */
static size_t tape_len(const l2o_iterate *it) {
  return it->n + state_len(it) + 1;
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  const l2o_sum_rate *d = l2o_sum_rate_of(it->problem);
  const char *name = l2o_model_kind_name(it->model);
  const size_t tx = network_of(it)->lift.tx;
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s solves problems of the family sum-rate; '%s' is none", name,
                    l2o_problem_name(it->problem));
  if (tx && tx != d->sizes.tx)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: this model lifts precoders of tx = %zu antennas; the problem has tx = %zu", name, tx,
                    d->sizes.tx);
  return L2O_OK;
}

/* X = X before = Q^H V */
static l2o_status init(l2o_iterate *it) {
  const l2o_rate_network *net = network_of(it);
  const l2o_sum_rate *d = l2o_sum_rate_of(it->problem);
  const size_t streams = d->sizes.streams, each = 2 * net->lift.m * streams, entries = it->n / d->n;
  l2o_rate_project(it->x, d, it->x);
  if (!net->lift.m) {
    memcpy(it->state, it->x, state_len(it) * sizeof *it->x);
    return L2O_OK;
  }
  for (size_t u = 0; u < d->n; u++)
    l2o_rate_lift_up(&net->lift, it->state + u * each, it->x + u * entries, streams);
  memcpy(it->state + d->n * each, it->state, d->n * each * sizeof *it->x);
  return L2O_OK;
}

/* ---- a layer forward ---- */

/* lambda, mu, T, R */
static void find_directions(layer *l) {
  const l2o_sum_rate *d = l->d;
  const l2o_rate_network *net = l->net;
  const size_t block = l2o_rate_block(d);
  l2o_rate_curve_begin(&l->curve, &l->at, d);
  for (size_t j = 0; j < d->sizes.cells; j++) {
    const double lambda = net->scaled ? l2o_rate_lambda(&l->at, &l->curve, d, j, (l2o_rate_bound)net->bound, l->bound_scratch) : 1;
    /* G = -ln 2 / 2 g; where D = 0 so is G */
    l->lambda[j] = (l2o_real)lambda;
    l->scale[j] = lambda > 0 ? (l2o_real)(0.5 * LN2 * net->step / lambda) : 0;
    l->mu[j] = (l2o_real)(-0.5 * LN2 * l2o_dot(l->x + j * block, l->g + j * block, block) / d->power);
    const l2o_real inverse = lambda > 0 ? (l2o_real)(1 / lambda) : 0;
    if (net->products)
      L2O_DISPATCH(l2o_rate_blend, (l->T + j * block, (l2o_real)(-0.5 * LN2) * inverse, l->g + j * block, -inverse * l->mu[j],
                                    l->x + j * block, block));
  }
  for (size_t k = 0; k < net->products; k++) {
    l2o_real *R = l->R + k * l->n;
    l2o_rate_curve_product(R, &l->curve, d, k ? R - l->n : l->T);
    for (size_t j = 0; j < d->sizes.cells; j++) {
      const l2o_real inverse = l->lambda[j] > 0 ? 1 / l->lambda[j] : 0;
      L2O_DISPATCH(l2o_rate_blend, (R + j * block, inverse, R + j * block, 0, NULL, block));
    }
  }
}

/* The inputs of the network; powers in units of a user's share, power / K. */
static void find_features(layer *l, size_t k) {
  const l2o_sum_rate *d = l->d;
  const l2o_rate_network *net = l->net;
  const size_t lanes = d->lanes, n = d->n, K = d->sizes.users, received = d->sizes.rx * d->sizes.streams;
  const l2o_real *before = net->lift.m ? NULL : net->momentum ? l->state : NULL;
  const l2o_real *m = l->moments;
  l2o_real *phi = l->phi, *heard = l->edges, *caused = heard + n * lanes, *same = caused + n * lanes;
  const double share = d->power / (double)K, last = (double)net->layers - 1;
  L2O_DISPATCH(l2o_rate_moments,
               (l->moments, l->x, before, l->g, net->products ? l->T : NULL, net->products ? l->R : NULL, l->entries, n));
  L2O_DISPATCH(l2o_rate_squares, (heard, l->at.F, received, n, n));
  L2O_DISPATCH(l2o_rate_squares, (l->own, l->at.own, received, 1, n));
  const l2o_real noise = (l2o_real)(1 / d->noise);
  for (size_t u = 0; u < n; u++) {
    const size_t j = u / K;
    const l2o_real xx = m[u], gg = m[lanes + u], xg = m[2 * lanes + u], vv = m[3 * lanes + u], vg = m[4 * lanes + u];
    const l2o_real tt = m[5 * lanes + u], tr = m[6 * lanes + u], scale = l->scale[j], lambda = l->lambda[j];
    const l2o_real tiny = (l2o_real)1e-30;
    phi[0 * lanes + u] = scale * scale * gg / (l2o_real)share; /* logarithms are taken below, of the first six */
    phi[1 * lanes + u] = xx / (l2o_real)share;
    phi[2 * lanes + u] = lambda * (l2o_real)share;
    phi[3 * lanes + u] = l->own[u] * noise;
    phi[4 * lanes + u] = vv / (l2o_real)share;
    phi[5 * lanes + u] = lambda > 0 && l->mu[j] > 0 ? l->mu[j] / lambda : 0;
    phi[6 * lanes + u] = -xg / r_sqrt(xx * gg + tiny);
    phi[7 * lanes + u] = -vg / r_sqrt(vv * gg + tiny);
    phi[8 * lanes + u] = l->at.rate[u] / (l2o_real)(4 * d->sizes.streams);
    phi[9 * lanes + u] = (l2o_real)(fmin((double)k, last) / (double)net->layers);
    phi[10 * lanes + u] = tr / (tt + tiny);
    for (size_t w = 0; w < n; w++) {
      heard[w * lanes + u] *= noise;
      same[w * lanes + u] = w / K == j;
    }
  }
  l2o_rate_log(phi, phi, 6 * lanes);
  l2o_rate_log(heard, heard, n * lanes);
  for (size_t w = 0; w < n; w++)
    for (size_t u = 0; u < n; u++)
      caused[w * lanes + u] = heard[u * lanes + w];
}

/* What the outputs mean: exp(o) or 2 sigmoid(o); tanh(o); o. */
static void find_factors(layer *l) {
  const l2o_rate_network *net = l->net;
  const size_t lanes = l->d->lanes, K = l->d->sizes.users;
  if (net->safe) /* one output a base station */
    for (size_t j = 0; j < l->d->sizes.cells; j++) {
      l2o_real mean = 0;
      for (size_t u = j * K; u < (j + 1) * K; u++)
        mean += l->o[u] / (l2o_real)K;
      for (size_t u = j * K; u < (j + 1) * K; u++)
        l->o[u] = mean;
    }
  memcpy(l->c, l->o, net->outputs * lanes * sizeof *l->c);
  for (size_t i = 0; i < net->outputs; i++) {
    l2o_real *c = l->c + i * lanes;
    const bool is_step = i == 0 || i >= l2o_rate_direction_output(net);
    if (is_step && net->bounded) {
      l2o_sigmoid(c, c, lanes);
      for (size_t u = 0; u < lanes; u++)
        c[u] *= 2;
    } else if (is_step) {
      l2o_exp(c, c, lanes);
    } else if (net->momentum && i == 1) {
      l2o_tanh(c, c, lanes);
    }
  }
}

/* next = V + s R_0 + sum_k c_k R_k + beta (V - V before) */
static void combine(layer *l) {
  const l2o_rate_network *net = l->net;
  const size_t lanes = l->d->lanes;
  for (size_t u = 0; u < l->d->n; u++) {
    const size_t first = u * l->entries;
    const l2o_rate_update update = {.x = l->x + first,
                                    .g = l->g + first,
                                    .before = net->momentum ? l->state + first : NULL,
                                    .R = l->R + first,
                                    .c = l->c + l2o_rate_product_output(net) * lanes + u,
                                    .s = l->scale[u / l->d->sizes.users] * l->c[u],
                                    .beta = net->momentum ? l->c[lanes + u] : 0,
                                    .count = net->products,
                                    .apart = l->n,
                                    .lanes = lanes};
    L2O_DISPATCH(l2o_rate_move, (l->next + first, &update, l->entries));
  }
}

/* s of user u: s_0 and those of the learned directions */
static void steps_of(const layer *l, l2o_real *s, size_t u) {
  const size_t lanes = l->d->lanes, first = l2o_rate_direction_output(l->net);
  s[0] = l->c[u];
  for (size_t i = 0; i < l->net->lift.r; i++)
    s[1 + i] = l->c[(first + i) * lanes + u];
}

/* The same of X: next = Q (X + M Q^H R_0 + sum_k c_k Q^H R_k + beta (X - X before)) */
static void combine_lifted(layer *l) {
  const l2o_rate_network *net = l->net;
  const size_t lanes = l->d->lanes, streams = l->d->sizes.streams, each = l->N / l->d->n, entries = l->entries;
  l2o_real *s = l->turned + 4 * net->lift.r * streams;
  for (size_t u = 0; u < l->d->n; u++) {
    l2o_real *X = l->X_next + u * each;
    const l2o_real *old = l->state + u * each, *before = l->state + l->N + u * each;
    const l2o_real scale = -l->scale[u / l->d->sizes.users], beta = net->momentum ? l->c[lanes + u] : 0;
    steps_of(l, s, u);
    for (size_t i = 0; i < each; i++)
      X[i] = old[i] + beta * (old[i] - before[i]);
    l2o_rate_lift_up(&net->lift, l->Y + u * each, l->g + u * entries, streams);
    for (size_t i = 0; i < each; i++)
      l->Y[u * each + i] *= scale;
    l2o_rate_turn(&net->lift, X, s, l->Y + u * each, l->turned, streams);
    for (size_t k = 0; k < net->products; k++) {
      l2o_real *Y = l->Y + (1 + k) * l->N + u * each;
      const l2o_real c = l->c[(l2o_rate_product_output(net) + k) * lanes + u];
      l2o_rate_lift_up(&net->lift, Y, l->R + k * l->n + u * entries, streams);
      for (size_t i = 0; i < each; i++)
        X[i] += c * Y[i];
    }
    l2o_rate_lift_down(&net->lift, l->next + u * entries, X, streams);
  }
}

/* From x, its gradient and the state to `next`. */
static void forward(layer *l, const l2o_real *x, const l2o_real *g, const l2o_real *state, size_t k) {
  l->x = x;
  l->g = g;
  l->state = state;
  l2o_rate_revisit(&l->at, l->d, x); /* the gradient may come from elsewhere */
  find_directions(l);
  if (l->net->network)
    find_features(l, k);
  l2o_rate_network_forward(l->net, l->o, l->record, l->phi, l->edges, k, l->d->n);
  find_factors(l);
  if (l->net->lift.m)
    combine_lifted(l);
  else
    combine(l);
}

/* The factor by which the projection scales the precoders of base station j. */
static double shrinkage(const layer *l, size_t j) {
  const size_t block = l2o_rate_block(l->d);
  const double p = l2o_dot(l->next + j * block, l->next + j * block, block);
  return p > l->d->power ? sqrt(l->d->power / p) : 1;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  layer l;
  (void)stop;
  const l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  lay_out(&l, it, it->scratch);
  forward(&l, it->x, it->g, it->state, it->k);
  const size_t memory = state_len(it);
  if (tape) {
    memcpy(tape, it->x, it->n * sizeof *tape);
    memcpy(tape + it->n, it->state, memory * sizeof *tape);
    tape[it->n + memory] = (l2o_real)it->k;
  }
  if (l.net->lift.m) {
    const size_t block = l.N / l.d->sizes.cells;
    memcpy(it->state + l.N, it->state, l.N * sizeof *it->state);
    for (size_t i = 0; i < l.N; i++)
      it->state[i] = (l2o_real)shrinkage(&l, i / block) * l.X_next[i];
  } else if (l.net->momentum) {
    memcpy(it->state, it->x, it->n * sizeof *it->state);
  }
  l2o_rate_project(it->x, l.d, l.next);
  return L2O_OK;
}

/* ---- the way back ---- */

static double inner(const l2o_real *a, const l2o_real *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double)a[i] * (double)b[i];
  return sum;
}

/* dnext from dL/dV+ = dx, and of a lifted point from dL/dX+ = dX, too: V+ = s next, X+ = s X_next with s = sqrt(power / p),
 *   dnext = s dx - s / p (<next, dx> + <X_next, dX>) next,   dX_next = s dX, without its part through `next` */
static void back_through_projection(const layer *l, const l2o_real *dx, const l2o_real *dX) {
  const size_t block = l2o_rate_block(l->d), lifted = l->N / l->d->sizes.cells;
  for (size_t j = 0; j < l->d->sizes.cells; j++) {
    const double s = shrinkage(l, j), p = l->d->power / (s * s);
    const l2o_real *next = l->next + j * block;
    double along = inner(next, dx + j * block, block);
    if (lifted)
      along += inner(l->X_next + j * lifted, dX + j * lifted, lifted);
    const l2o_real first = (l2o_real)s, second = s < 1 ? (l2o_real)(s / p * along) : 0;
    for (size_t i = 0; i < block; i++)
      l->dnext[j * block + i] = first * dx[j * block + i] - second * next[i];
    for (size_t i = j * lifted; i < (j + 1) * lifted; i++)
      l->dX[i] = first * dX[i];
  }
}

/* dc, dR_0 (in dR) and dproducts from dnext; dx and dstate become those of x and the state before. */
static void back_through_combination(layer *l, l2o_real *dx, l2o_real *dstate) {
  const l2o_rate_network *net = l->net;
  const size_t lanes = l->d->lanes, entries = l->entries;
  for (size_t u = 0; u < l->d->n; u++) {
    const size_t first = u * entries, end = first + entries;
    const l2o_real *dnext = l->dnext + first, scale = -l->scale[u / l->d->sizes.users];
    l->dc[u] = scale * (l2o_real)inner(l->g + first, dnext, entries);
    for (size_t k = 0; k < net->products; k++) {
      const size_t output = (l2o_rate_product_output(net) + k) * lanes + u;
      l->dc[output] = (l2o_real)inner(l->R + k * l->n + first, dnext, entries);
      for (size_t i = 0; i < entries; i++)
        l->dproducts[k * l->n + first + i] = l->c[output] * dnext[i];
    }
    const l2o_real beta = net->momentum ? l->c[lanes + u] : 0;
    double dbeta = 0;
    for (size_t i = first; i < end; i++) {
      l->dR[i] = l->c[u] * l->dnext[i];
      dx[i] = l->dnext[i];
      if (!net->momentum)
        continue;
      dbeta += (double)(l->x[i] - l->state[i]) * (double)l->dnext[i];
      dx[i] += beta * l->dnext[i] + dstate[i];
      dstate[i] = -beta * l->dnext[i];
    }
    if (net->momentum)
      l->dc[lanes + u] = (l2o_real)dbeta;
  }
}

/* The same of X; dsum_lift: of dQ and dE. */
static void back_through_lifted(layer *l, double *dsum_lift, l2o_real *dx, l2o_real *dstate, bool begins) {
  const l2o_rate_network *net = l->net;
  const size_t lanes = l->d->lanes, entries = l->entries, streams = l->d->sizes.streams, each = l->N / l->d->n, r = net->lift.r;
  l2o_real *s = l->turned + 4 * r * streams, *ds = s + 1 + r;
  memset(l->dR, 0, l->n * sizeof *l->dR);
  memset(l->dproducts, 0, net->products * l->n * sizeof *l->dproducts);
  for (size_t u = 0; u < l->d->n; u++) {
    const size_t at = u * each;
    const l2o_real *old = l->state + at, *before = l->state + l->N + at, scale = -l->scale[u / l->d->sizes.users];
    const l2o_real beta = net->momentum ? l->c[lanes + u] : 0;
    l2o_real *dX = l->dX + at, *dold = dstate + at, *dbefore = dstate + l->N + at, *R_0 = l->dT + u * entries;
    l2o_rate_lift_down_back(&net->lift, dsum_lift, dX, l->dnext + u * entries, l->X_next + at, streams);
    double dbeta = 0;
    for (size_t i = 0; i < each; i++) {
      dbeta += (double)(old[i] - before[i]) * (double)dX[i];
      dold[i] = (1 + beta) * dX[i] + dbefore[i];
      dbefore[i] = -beta * dX[i];
    }
    if (net->momentum)
      l->dc[lanes + u] = (l2o_real)dbeta;
    steps_of(l, s, u);
    memset(l->dY + at, 0, each * sizeof *l->dY);
    l2o_rate_turn_back(&net->lift, dsum_lift, l->dY + at, ds, dX, s, l->Y + at, l->turned, streams);
    l->dc[u] = ds[0];
    for (size_t i = 0; i < r; i++)
      l->dc[(l2o_rate_direction_output(net) + i) * lanes + u] = ds[1 + i];
    for (size_t i = 0; i < entries; i++)
      R_0[i] = scale * l->g[u * entries + i];
    l2o_rate_lift_up_back(&net->lift, dsum_lift, l->dR + u * entries, l->dY + at, R_0, streams);
    for (size_t k = 0; k < net->products; k++) {
      const size_t output = (l2o_rate_product_output(net) + k) * lanes + u, from = k * l->n + u * entries;
      l->dc[output] = (l2o_real)inner(l->Y + (1 + k) * l->N + at, dX, each);
      for (size_t i = 0; i < each; i++)
        l->dY[at + i] = l->c[output] * dX[i];
      l2o_rate_lift_up_back(&net->lift, dsum_lift, l->dproducts + from, l->dY + at, l->R + from, streams);
    }
    memset(dx + u * entries, 0, entries * sizeof *dx);
    if (begins) { /* X = X before = Q^H V */
      for (size_t i = 0; i < each; i++)
        dold[i] += dbefore[i];
      l2o_rate_lift_up_back(&net->lift, dsum_lift, dx + u * entries, dold, l->x + u * entries, streams);
      memset(dold, 0, each * sizeof *dold);
      memset(dbefore, 0, each * sizeof *dbefore);
    }
  }
}

/* R_0 = step G / lambda,  R_1 = D T / lambda,  R_k = D R_{k-1} / lambda,  T = (G - mu V) / lambda: into dG, dP and dx from dR_0 and
 * what the point hands to each R_k. */
static void back_through_directions(layer *l, l2o_real *dx) {
  const l2o_sum_rate *d = l->d;
  const size_t block = l2o_rate_block(d), q = l->net->products;
  for (size_t i = 0; i < l->n; i++) /* dR_0 / lambda; scale = ln 2 / 2 step / lambda */
    l->dG[i] = (l2o_real)(2 / LN2) * l->scale[i / block] * l->dR[i];
  memset(l->dP, 0, 2 * d->sizes.rx * d->sizes.rx * d->lanes * sizeof *l->dP);
  if (!q)
    return;
  memset(l->dT, 0, l->n * sizeof *l->dT);
  for (size_t k = q; k > 0; k--) {
    for (size_t i = 0; i < l->n; i++) {
      const l2o_real lambda = l->lambda[i / block];
      l->dR[i] = lambda > 0 ? (l->dT[i] + l->dproducts[(k - 1) * l->n + i]) / lambda : 0;
      l->dT[i] = 0;
    }
    l2o_rate_curve_back(l->dP, l->dT, &l->curve, d, k > 1 ? l->R + (k - 2) * l->n : l->T, l->dR);
  }
  for (size_t j = 0; j < d->sizes.cells; j++) {
    const size_t first = j * block;
    const l2o_real inverse = l->lambda[j] > 0 ? 1 / l->lambda[j] : 0;
    const l2o_real dmu = -inverse * (l2o_real)inner(l->x + first, l->dT + first, block);
    const l2o_real share = dmu / (l2o_real)d->power;
    for (size_t i = first; i < first + block; i++) {
      l->dG[i] += inverse * l->dT[i] + share * l->x[i];
      dx[i] += (l2o_real)(-0.5 * LN2) * share * l->g[i] - inverse * l->mu[j] * l->dT[i];
    }
  }
}

/* do from dc, in place */
static void back_through_factors(layer *l) {
  const l2o_rate_network *net = l->net;
  const size_t lanes = l->d->lanes, n = l->d->n, K = l->d->sizes.users;
  for (size_t i = 0; i < net->outputs; i++)
    for (size_t u = 0; u < n; u++) {
      const l2o_real c = l->c[i * lanes + u];
      l2o_real *to = &l->dc[i * lanes + u];
      if (i == 0 || i >= l2o_rate_direction_output(net))
        *to *= net->bounded ? c * (1 - c / 2) : c;
      else if (net->momentum && i == 1)
        *to *= 1 - c * c;
    }
  for (size_t u = 0; net->safe && u < n; u += K) {
    l2o_real sum = 0;
    for (size_t v = u; v < u + K; v++)
      sum += l->dc[v] / (l2o_real)K;
    for (size_t v = u; v < u + K; v++)
      l->dc[v] = sum;
  }
}

static l2o_status step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                           l2o_stop_gradient mode) {
  layer l;
  (void)dg;
  lay_out(&l, it, it->scratch);
  const l2o_real *x = tape, *state = tape + it->n;
  const size_t k = (size_t)tape[it->n + state_len(it)];
  double f;
  const l2o_status status = l2o_problem_gradient(it->problem, &f, l.g_again, x, it->work);
  if (status)
    return status;
  forward(&l, x, l.g_again, state, k);
  back_through_projection(&l, dx, dstate);
  if (l.net->lift.m)
    back_through_lifted(&l, dsum + it->model->parameter_count, dx, dstate, k == 0);
  else
    back_through_combination(&l, dx, dstate);
  back_through_factors(&l);
  l2o_rate_network_backward(it->model, dsum, l.dc, l.record, l.phi, l.edges, k, l.d->n);
  if (mode == L2O_STOP_GRADIENT_DIRECTION)
    return L2O_OK;
  back_through_directions(&l, dx);
  l2o_rate_back(dx, &l.curve, &l.at, l.d, l.dG, mode == L2O_STOP_GRADIENT_MATRIX ? NULL : l.dP);
  return L2O_OK;
}

static void classical_options(const l2o_iterate *it, char *out, size_t size) {
  static const char *const bounds[] = {"eigenvalue", "norm", "trace"};
  snprintf(out, size, "lambda=%s", bounds[network_of(it)->scaled ? network_of(it)->bound : L2O_RATE_TRACE]);
}

#define LEARNED_RATE_RULE(rule, text)                                                                                              \
  {                                                                                                                                \
    .struct_size = sizeof(l2o_solver), .name = rule, .meaning = text,                                                              \
    .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_MODEL | L2O_TAKES_PROJECTION | L2O_CONSTANT_INPUTS, .options = options,                \
    .state_len = state_len, .scratch_len = scratch_len, .check = check, .init = init, .step = step, .model_kind = rule,            \
    .classical = "fastfp", .tape_len = tape_len, .step_vjp = step_vjp, .classical_options = classical_options                      \
  }
const l2o_solver l2o_sum_rate_lo =
    LEARNED_RATE_RULE("sum-rate-lo", "learned updates of precoders by matrix products, for the family sum-rate (INFOCOM 2024)");
const l2o_solver l2o_sum_rate_pga =
    LEARNED_RATE_RULE("sum-rate-pga", "projected gradient ascent with learned steps and momentum, for the family sum-rate");
