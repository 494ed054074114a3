/* SPDX-License-Identifier: BSD-3-Clause */
/* The problem itself: what a point gives, and instances from a caller's arrays. How they are drawn: sum_rate_family.c. */
#include "problems/sum_rate.h"
#include "core/arena.h"
#include "core/diag.h"
#include "core/hermitian.h"
#include "core/linalg.h"
#include "core/pieces.h"
#include "problems/families.h"
#include "problems/precoders.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LN2 = 0.69314718055994530942;

/* ---- the pieces of a point ---- */

static size_t point_layout(l2o_rate_point *at, const l2o_sum_rate *d, l2o_real *work) {
  const size_t rx = d->sizes.rx, s = d->sizes.streams, entry = 2 * d->lanes;
  const size_t received = entry * rx * s, square = entry * rx * rx, weight = entry * s * s;
  const l2o_piece pieces[] = {{&at->F, d->n * received}, {&at->own, received},      {&at->J, square},
                              {&at->L, square},          {&at->Z, received},        {&at->W, weight},
                              {&at->root, weight},       {&at->rate, d->lanes},     {&at->T, received},
                              {&at->X, received},        {&at->U, received},        {&at->M, square},
                              {&at->mine, received},     {&at->Q, d->n * received}, {&at->x, 2 * d->n * d->sizes.tx * s}};
  return L2O_LAY_OUT(work, pieces);
}

static size_t curve_layout(l2o_rate_curve *c, const l2o_sum_rate *d, l2o_real *work) {
  const size_t rx = d->sizes.rx, s = d->sizes.streams, entry = 2 * d->lanes;
  const size_t received = entry * rx * s, square = entry * rx * rx;
  const l2o_piece pieces[] = {{&c->P, square},
                              {&c->T, d->n * received},
                              {&c->own, received},
                              {&c->R, d->n * received},
                              {&c->mine, received},
                              {&c->Q, d->n * received},
                              {&c->A, square},
                              {&c->B, square},
                              {&c->N, square},
                              {&c->Y, square},
                              {&c->K, square},
                              {&c->KC, square},
                              {&c->g, 2 * d->n * d->sizes.tx * s}};
  return L2O_LAY_OUT(work, pieces);
}

size_t l2o_rate_point_len(const l2o_sum_rate *d) {
  l2o_rate_point at;
  l2o_rate_curve c;
  return point_layout(&at, d, NULL) + curve_layout(&c, d, NULL);
}

l2o_rate_point l2o_rate_point_at(const l2o_sum_rate *d, l2o_real *work) {
  l2o_rate_point at;
  point_layout(&at, d, work);
  return at;
}

l2o_rate_curve l2o_rate_curve_at(const l2o_sum_rate *d, l2o_real *work) {
  l2o_rate_point at;
  l2o_rate_curve c;
  curve_layout(&c, d, work + point_layout(&at, d, NULL));
  return c;
}

bool l2o_rate_is_at(const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *x) {
  return memcmp(at->x, x, l2o_rate_unknowns(d) * sizeof *x) == 0;
}

/* W_u = I + Z^H Z: no difference of large numbers, neither here nor in J */
double l2o_rate_value(const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *x) {
  const size_t rx = d->sizes.rx, streams = d->sizes.streams;
  at->x[0] = (l2o_real)NAN;
  L2O_DISPATCH(l2o_rate_receive, (at->F, at->own, d, x));
  L2O_DISPATCH(l2o_rate_interference, (at->J, d, at->F));
  l2o_abreast_cholesky(at->L, at->J, rx, d->n);
  memcpy(at->Z, at->own, 2 * rx * streams * d->lanes * sizeof *at->Z);
  l2o_abreast_solve(at->Z, at->L, L2O_SOLVE_LEFT, rx, streams, d->n);
  l2o_abreast_product(at->W, at->Z, at->Z, L2O_ADJOINT_LEFT, streams, streams, rx, d->n);
  for (size_t s = 0; s < streams; s++)
    for (size_t u = 0; u < d->lanes; u++)
      at->W[2 * (s * streams + s) * d->lanes + u] += 1;
  l2o_abreast_cholesky(at->root, at->W, streams, d->n);
  return l2o_abreast_log_det(at->rate, at->root, d->a, streams, d->n);
}

void l2o_rate_filters(const l2o_rate_point *at, const l2o_sum_rate *d) {
  const size_t rx = d->sizes.rx, streams = d->sizes.streams, bytes = 2 * rx * streams * d->lanes * sizeof *at->T;
  memcpy(at->T, at->Z, bytes);
  l2o_abreast_solve(at->T, at->L, L2O_SOLVE_LEFT_ADJOINT, rx, streams, d->n);
  memcpy(at->X, at->T, bytes);
  l2o_abreast_solve(at->X, at->root, L2O_SOLVE_RIGHT_ADJOINT, streams, rx, d->n);
  memcpy(at->U, at->X, bytes);
  l2o_abreast_solve(at->U, at->root, L2O_SOLVE_RIGHT, streams, rx, d->n);
}

void l2o_rate_revisit(const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *x) {
  if (l2o_rate_is_at(at, d, x))
    return;
  l2o_rate_value(at, d, x);
  l2o_rate_filters(at, d);
  memcpy(at->x, x, l2o_rate_unknowns(d) * sizeof *x);
}

void l2o_rate_ascent(l2o_real *g, const l2o_rate_point *at, const l2o_sum_rate *d, double scale) {
  L2O_DISPATCH(l2o_rate_weigh, (at->M, d, at->X, -scale));
  L2O_DISPATCH(l2o_rate_scale, (at->mine, d, at->U, d->sizes.rx * d->sizes.streams, scale));
  L2O_DISPATCH(l2o_rate_spread, (at->Q, d, at->M, at->F, NULL, NULL, at->mine));
  L2O_DISPATCH(l2o_rate_gather, (g, d, at->Q));
}

/* ---- products with D, and the way back ---- */

void l2o_rate_curve_begin(const l2o_rate_curve *c, const l2o_rate_point *at, const l2o_sum_rate *d) {
  L2O_DISPATCH(l2o_rate_weigh, (c->P, d, at->X, 1));
}

/* T, own = H Z */
static void receive(l2o_real *T, l2o_real *own, const l2o_sum_rate *d, const l2o_real *Z) {
  L2O_DISPATCH(l2o_rate_receive, (T, own, d, Z));
}

/* S_w = sum_u H_{u b(w)}^H P_u T_uw */
static void send_back(l2o_real *S, const l2o_rate_curve *c, const l2o_sum_rate *d, const l2o_real *T, const l2o_real *own) {
  const size_t rx = d->sizes.rx;
  l2o_abreast_product(c->mine, c->P, own, L2O_ADJOINT_NONE, rx, d->sizes.streams, rx, d->n);
  L2O_DISPATCH(l2o_rate_spread, (c->Q, d, c->P, T, NULL, NULL, c->mine));
  L2O_DISPATCH(l2o_rate_gather, (S, d, c->Q));
}

void l2o_rate_curve_product(l2o_real *S, const l2o_rate_curve *c, const l2o_sum_rate *d, const l2o_real *Z) {
  receive(c->T, c->own, d, Z);
  send_back(S, c, d, c->T, c->own);
}

/* N_u += sum_w T_uw R_uw^H, w = u among them */
static void overlap(l2o_real *N, const l2o_sum_rate *d, const l2o_real *T, const l2o_real *T_own, const l2o_real *R,
                    const l2o_real *R_own) {
  L2O_DISPATCH(l2o_rate_overlap, (N, d, T, R, d->n));
  L2O_DISPATCH(l2o_rate_overlap, (N, d, T_own, R_own, 1));
}

void l2o_rate_curve_back(l2o_real *dP, l2o_real *dZ, const l2o_rate_curve *c, const l2o_sum_rate *d, const l2o_real *Z,
                         const l2o_real *dS) {
  receive(c->T, c->own, d, dS);
  receive(c->R, c->mine, d, Z);
  overlap(dP, d, c->T, c->own, c->R, c->mine);
  send_back(c->g, c, d, c->T, c->own);
  for (size_t i = 0; i < l2o_rate_unknowns(d); i++)
    dZ[i] += c->g[i];
}

/* Y = E X E for Hermitian E; c->KC is used up */
static void sandwich(l2o_real *Y, const l2o_rate_curve *c, const l2o_real *E, const l2o_real *X, const l2o_sum_rate *d) {
  const size_t rx = d->sizes.rx;
  l2o_abreast_product(c->KC, E, X, L2O_ADJOINT_NONE, rx, rx, rx, d->n);
  l2o_abreast_product(Y, c->KC, E, L2O_ADJOINT_NONE, rx, rx, rx, d->n);
}

/* With A = C^-1, B = J^-1, T = H dG (docs/derivations/sum_rate_learned.md):
 *   N_u  = sum_{w != u} T_uw F_uw^H - dP_u
 *   K_C  = -a (A (N + T_uu F_uu^H) A + its adjoint),   K_J = a (B N B + its adjoint)
 *   dF_uw = -P_u T_uw + (K_C + K_J) F_uw,   dF_uu = a A T_uu + K_C F_uu,   dV_w += sum_u H^H dF_uw
 * of which the negatives are computed. */
void l2o_rate_back(l2o_real *dV, const l2o_rate_curve *c, const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *dG,
                   const l2o_real *dP) {
  const size_t rx = d->sizes.rx, streams = d->sizes.streams, square = 2 * rx * rx * d->lanes;
  l2o_abreast_inverse(c->B, at->L, rx, d->n);
  memcpy(c->Y, at->J, square * sizeof *c->Y); /* the lower triangle of C = J + F_uu F_uu^H */
  L2O_DISPATCH(l2o_rate_overlap, (c->Y, d, at->own, at->own, 1));
  l2o_abreast_cholesky(c->Y, c->Y, rx, d->n);
  l2o_abreast_inverse(c->A, c->Y, rx, d->n);
  receive(c->T, c->own, d, dG);
  for (size_t i = 0; i < square; i++)
    c->N[i] = dP ? -dP[i] : 0;
  L2O_DISPATCH(l2o_rate_overlap, (c->N, d, c->T, at->F, d->n));
  sandwich(c->Y, c, c->B, c->N, d);
  L2O_DISPATCH(l2o_rate_symmetric, (c->K, d, c->Y, -1));
  L2O_DISPATCH(l2o_rate_overlap, (c->N, d, c->own, at->own, 1));
  sandwich(c->Y, c, c->A, c->N, d);
  L2O_DISPATCH(l2o_rate_symmetric, (c->KC, d, c->Y, 1));
  for (size_t i = 0; i < square; i++)
    c->K[i] += c->KC[i];
  /* the user's own: a A T_uu, then K_C F_uu */
  l2o_real *other = c->R;
  l2o_abreast_product(c->mine, c->A, c->own, L2O_ADJOINT_NONE, rx, streams, rx, d->n);
  L2O_DISPATCH(l2o_rate_scale, (c->mine, d, c->mine, rx * streams, -1));
  l2o_abreast_product(other, c->KC, at->own, L2O_ADJOINT_NONE, rx, streams, rx, d->n);
  for (size_t i = 0; i < 2 * rx * streams * d->lanes; i++)
    c->mine[i] += other[i];
  L2O_DISPATCH(l2o_rate_spread, (c->Q, d, c->P, c->T, c->K, at->F, c->mine));
  L2O_DISPATCH(l2o_rate_gather, (c->g, d, c->Q));
  for (size_t i = 0; i < l2o_rate_unknowns(d); i++)
    dV[i] -= c->g[i];
}

void l2o_rate_columns(l2o_real *Y, const l2o_sum_rate *d, size_t j, const l2o_real *B, const l2o_real *factor) {
  L2O_DISPATCH(l2o_rate_columns_of, (Y, d, j, B, factor));
}

bool l2o_rate_is_gram(const l2o_sum_rate *d) {
  return d->n * d->sizes.streams < d->sizes.tx;
}

size_t l2o_rate_system_size(const l2o_sum_rate *d) {
  return l2o_rate_is_gram(d) ? d->n * d->sizes.streams : d->sizes.tx;
}

void l2o_rate_system(l2o_real *A, const l2o_sum_rate *d, const l2o_real *Y) {
  if (l2o_rate_is_gram(d))
    L2O_DISPATCH(l2o_rate_gram, (A, d, Y));
  else
    L2O_DISPATCH(l2o_rate_outer, (A, d, Y));
}

void l2o_rate_precoders(l2o_real *x, const l2o_sum_rate *d, const l2o_real *Y, const l2o_real *Z) {
  L2O_DISPATCH(l2o_rate_combine, (x, d, Y, Z));
}

/* scratch: Y, the matrix, its tridiagonal form and scratch for that */
size_t l2o_rate_lambda_scratch(const l2o_sum_rate *d, l2o_rate_bound bound) {
  const size_t m = l2o_rate_system_size(d);
  return bound == L2O_RATE_TRACE ? 0 : l2o_rate_columns_len(d) + 2 * m * m + l2o_tridiagonal_len(m) + 4 * m;
}

double l2o_rate_lambda(const l2o_rate_point *at, const l2o_rate_curve *c, const l2o_sum_rate *d, size_t j, l2o_rate_bound bound,
                       l2o_real *scratch) {
  const size_t m = l2o_rate_system_size(d), entries = d->sizes.rx * d->sizes.rx;
  if (bound == L2O_RATE_TRACE) /* tr H_uj^H P_u H_uj = <P_u, H_uj H_uj^H> */
    return L2O_DISPATCH(l2o_rate_inner, (d, c->P, d->gram + 2 * j * entries * d->lanes, entries));
  l2o_real *Y = scratch, *A = Y + l2o_rate_columns_len(d), *rest = A + 2 * m * m;
  l2o_tridiagonal t = {.A = A, .diagonal = rest, .off = rest + m, .tau = rest + 3 * m, .m = m};
  l2o_rate_columns(Y, d, j, at->X, d->root);
  l2o_rate_system(A, d, Y);
  if (bound == L2O_RATE_NORM)
    return l2o_norm(A, 2 * m * m);
  l2o_hermitian_reduce(&t, rest + l2o_tridiagonal_len(m));
  return l2o_tridiagonal_largest(&t);
}

/* ---- the operations of the problem ---- */

static const l2o_sum_rate *of(const l2o_problem *p) {
  return p->data;
}

static size_t work_len(const l2o_problem *p) {
  return l2o_rate_point_len(of(p));
}

static l2o_status value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const l2o_rate_point at = l2o_rate_point_at(of(p), work);
  *f = -l2o_rate_value(&at, of(p), x) / LN2;
  return L2O_OK;
}

/* The gradient in the 2 n real coordinates is -2 G / ln 2. */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_rate_point at = l2o_rate_point_at(of(p), work);
  *f = -l2o_rate_value(&at, of(p), x) / LN2;
  l2o_rate_filters(&at, of(p));
  l2o_rate_ascent(g, &at, of(p), -2 / LN2);
  memcpy(at.x, x, p->n * sizeof *x);
  return L2O_OK;
}

/* f = -WSR / ln 2:  (Hessian) v = -2 / ln 2 (dG/dV) v, and that derivative is its own adjoint */
static l2o_status hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const l2o_sum_rate *d = of(p);
  const l2o_rate_point at = l2o_rate_point_at(d, work);
  const l2o_rate_curve c = l2o_rate_curve_at(d, work);
  l2o_rate_revisit(&at, d, x);
  l2o_rate_curve_begin(&c, &at, d);
  memset(hv, 0, p->n * sizeof *hv);
  l2o_rate_back(hv, &c, &at, d, v, NULL);
  for (size_t i = 0; i < p->n; i++)
    hv[i] *= (l2o_real)(-2 / LN2);
  return L2O_OK;
}

void l2o_rate_project(l2o_real *out, const l2o_sum_rate *d, const l2o_real *x) {
  const size_t block = l2o_rate_block(d);
  for (size_t j = 0; j < d->sizes.cells; j++, out += block, x += block) {
    const double used = l2o_dot(x, x, block);
    const l2o_real scale = used > d->power ? (l2o_real)sqrt(d->power / used) : 1;
    for (size_t i = 0; i < block; i++)
      out[i] = scale * x[i];
  }
}

static l2o_status project(const l2o_problem *p, l2o_real *out, const l2o_real *x, l2o_real *work) {
  (void)work;
  l2o_rate_project(out, of(p), x);
  return L2O_OK;
}

/* Where |V|^2 = used > power the projection is s V, s = sqrt(power / used): its derivative's transpose is
 * s (dout - V <V, dout> / used), the inner product over the whole cell. */
static l2o_status project_vjp(const l2o_problem *p, l2o_real *dx, const l2o_real *x, const l2o_real *dout, l2o_real *work) {
  const l2o_sum_rate *d = of(p);
  const size_t block = l2o_rate_block(d);
  (void)work;
  for (size_t j = 0; j < d->sizes.cells; j++, dx += block, x += block, dout += block) {
    const double used = l2o_dot(x, x, block);
    const bool active = used > d->power;
    const l2o_real scale = active ? (l2o_real)sqrt(d->power / used) : 1;
    const l2o_real along = active ? (l2o_real)(l2o_dot(x, dout, block) / used) : 0;
    for (size_t i = 0; i < block; i++)
      dx[i] += scale * (dout[i] - along * x[i]);
  }
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
                                    .name = "sum-rate",
                                    .work_len = work_len,
                                    .value = value,
                                    .gradient = gradient,
                                    .hessian_vector = hessian_vector,
                                    .start = start,
                                    .free = release,
                                    .project = project,
                                    .project_vjp = project_vjp};

const l2o_sum_rate *l2o_sum_rate_of(const l2o_problem *p) {
  p = l2o_unshifted(p);
  return p->ops == &ops ? p->data : NULL;
}

/* ---- from a caller's arrays ---- */

static bool is_positive(double a) {
  return a > 0 && isfinite(a) && isfinite(1 / a);
}

/* Every size, and every array that the sizes make, fits. */
static bool fits(const l2o_sum_rate_sizes *s) {
  size_t n, entries, unknowns;
  const size_t most = SIZE_MAX / 4096; /* what is kept of a point is less than that many times larger */
  return s->cells && s->users && s->tx && s->rx && s->streams && !__builtin_mul_overflow(s->cells, s->users, &n) &&
         !__builtin_mul_overflow(n, s->tx, &unknowns) && !__builtin_mul_overflow(unknowns, s->streams, &unknowns) &&
         !__builtin_mul_overflow(n, s->cells, &entries) && !__builtin_mul_overflow(entries, s->rx, &entries) &&
         !__builtin_mul_overflow(entries, s->tx, &entries) && entries <= most && unknowns <= most && n <= 100000 &&
         s->rx <= 10000 && s->streams <= 10000;
}

static l2o_status check(const l2o_real *H, const l2o_real *weights, const l2o_real *x0, double noise, double power,
                        const l2o_sum_rate_sizes *s, l2o_diag *diag) {
  if (!fits(s))
    return l2o_fail(diag, L2O_ERR_SHAPE,
                    "sum-rate: cells = %zu, users = %zu, tx = %zu, rx = %zu, streams = %zu: one is 0 or too large", s->cells,
                    s->users, s->tx, s->rx, s->streams);
  if (s->streams > s->tx || s->streams > s->rx)
    return l2o_fail(diag, L2O_ERR_SHAPE, "sum-rate: streams = %zu: expected at most tx = %zu and rx = %zu, the antennas of a pair",
                    s->streams, s->tx, s->rx);
  if (!is_positive(noise))
    return l2o_fail(diag, L2O_ERR_ARG, "sum-rate: the noise is %g; expected a positive number", noise);
  if (!is_positive(power))
    return l2o_fail(diag, L2O_ERR_ARG, "sum-rate: the power is %g; expected a positive number", power);
  const size_t n = s->cells * s->users, entries = 2 * n * s->cells * s->rx * s->tx;
  for (size_t u = 0; weights && u < n; u++)
    if (!is_positive((double)weights[u]))
      return l2o_fail(diag, L2O_ERR_ARG, "sum-rate: the weight of user %zu is %g; expected a positive number", u,
                      (double)weights[u]);
  if (!l2o_all_finite(H, entries) || (x0 && !l2o_all_finite(x0, 2 * n * s->tx * s->streams)))
    return l2o_fail(diag, L2O_ERR_NUMERIC, "sum-rate: H or x0 holds a value that is not finite");
  size_t i = 0;
  while (i < entries && H[i] == 0)
    i++;
  return i < entries ? L2O_OK : l2o_fail(diag, L2O_ERR_NUMERIC, "sum-rate: H is zero; expected a channel");
}

typedef struct room {
  l2o_sum_rate *instance;
  l2o_real *H, *a, *root, *gram, *start;
} room;

static void layout(room *r, l2o_arena *arena, const l2o_sum_rate *d) {
  const l2o_sum_rate_sizes *s = &d->sizes;
  L2O_TAKE(arena, r->instance, 1);
  L2O_TAKE(arena, r->H, 2 * s->cells * s->tx * s->rx * d->lanes);
  L2O_TAKE(arena, r->a, d->lanes);
  L2O_TAKE(arena, r->root, d->lanes);
  L2O_TAKE(arena, r->gram, 2 * s->cells * s->rx * s->rx * d->lanes);
  L2O_TAKE(arena, r->start, 2 * d->n * s->tx * s->streams);
}

/* gram_u = H_uj H_uj^H, the conjugate of what the stored transposes S (tx, rx) give, S^H S */
static void gram_of(l2o_real *gram, const l2o_real *S, const l2o_sum_rate *d) {
  const size_t rx = d->sizes.rx;
  l2o_abreast_product(gram, S, S, L2O_ADJOINT_LEFT, rx, rx, d->sizes.tx, d->n);
  for (size_t i = 0; i < rx * rx; i++)
    for (size_t u = 0; u < d->lanes; u++)
      gram[(2 * i + 1) * d->lanes + u] = -gram[(2 * i + 1) * d->lanes + u];
}

l2o_status l2o_sum_rate_new(l2o_problem *out, const l2o_real *H, const l2o_real *weights, const l2o_real *x0, double noise,
                            double power, const l2o_sum_rate_sizes *sizes, l2o_diag *diag) {
  *out = (l2o_problem){0};
  l2o_status status = check(H, weights, x0, noise, power, sizes, diag);
  if (status)
    return status;
  const size_t n = sizes->cells * sizes->users, L = sizes->cells, rx = sizes->rx, tx = sizes->tx;
  const l2o_sum_rate d = {.sizes = *sizes, .n = n, .lanes = l2o_lanes(n), .noise = noise, .power = power};
  const size_t unknowns = 2 * n * tx * sizes->streams;
  room r = {0};
  l2o_arena arena = {0};
  layout(&r, &arena, &d);
  if (!l2o_arena_new(&arena))
    return l2o_fail(diag, L2O_ERR_NOMEM, "sum-rate: out of memory");
  layout(&r, &arena, &d);
  for (size_t u = 0; u < n; u++) {
    for (size_t j = 0; j < L; j++)
      for (size_t i = 0; i < rx; i++)
        for (size_t t = 0; t < tx; t++)
          for (size_t part = 0; part < 2; part++)
            r.H[(2 * ((j * tx + t) * rx + i) + part) * d.lanes + u] = H[2 * (((u * L + j) * rx + i) * tx + t) + part];
    r.a[u] = weights ? weights[u] : 1;
    r.root[u] = (l2o_real)sqrt((double)r.a[u]);
  }
  for (size_t j = 0; j < L; j++)
    gram_of(r.gram + 2 * j * rx * rx * d.lanes, r.H + 2 * j * tx * rx * d.lanes, &d);
  if (x0)
    memcpy(r.start, x0, unknowns * sizeof *x0);
  else
    l2o_start_matched(r.start, H, power, sizes);
  *r.instance = d;
  r.instance->H = r.H;
  r.instance->a = r.a;
  r.instance->root = r.root;
  r.instance->gram = r.gram;
  r.instance->start = r.start;
  *out = (l2o_problem){.ops = &ops, .data = r.instance, .n = unknowns};
  return L2O_OK;
}
