/* SPDX-License-Identifier: BSD-3-Clause */
/* The problem itself: what a point gives, and instances from a caller's arrays. How they are drawn: sum_rate_family.c. */
#include "problems/sum_rate.h"
#include "core/arena.h"
#include "core/diag.h"
#include "core/linalg.h"
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
  const struct {
    l2o_real **piece;
    size_t length;
  } pieces[] = {{&at->F, d->n * received}, {&at->own, received},
                {&at->J, square},          {&at->L, square},
                {&at->Z, received},        {&at->W, weight},
                {&at->root, weight},       {&at->rate, d->lanes},
                {&at->T, received},        {&at->X, received},
                {&at->U, received},        {&at->M, square},
                {&at->Q, d->n * received}, {&at->x, 2 * d->n * d->sizes.tx * s}};
  size_t used = 0;
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    *pieces[i].piece = work ? work + used : NULL;
    used += pieces[i].length;
  }
  return used;
}

size_t l2o_rate_point_len(const l2o_sum_rate *d) {
  l2o_rate_point at;
  return point_layout(&at, d, NULL);
}

l2o_rate_point l2o_rate_point_at(const l2o_sum_rate *d, l2o_real *work) {
  l2o_rate_point at;
  point_layout(&at, d, work);
  return at;
}

bool l2o_rate_is_at(const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *x) {
  return memcmp(at->x, x, 2 * d->n * d->sizes.tx * d->sizes.streams * sizeof *x) == 0;
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

void l2o_rate_ascent(l2o_real *g, const l2o_rate_point *at, const l2o_sum_rate *d, double scale) {
  L2O_DISPATCH(l2o_rate_weigh, (at, d, scale));
  L2O_DISPATCH(l2o_rate_gather, (g, d, at->Q));
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
  l2o_real *H, *a, *root, *start;
} room;

static void layout(room *r, l2o_arena *arena, const l2o_sum_rate *d) {
  const l2o_sum_rate_sizes *s = &d->sizes;
  L2O_TAKE(arena, r->instance, 1);
  L2O_TAKE(arena, r->H, 2 * s->cells * s->tx * s->rx * d->lanes);
  L2O_TAKE(arena, r->a, d->lanes);
  L2O_TAKE(arena, r->root, d->lanes);
  L2O_TAKE(arena, r->start, 2 * d->n * s->tx * s->streams);
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
  if (x0)
    memcpy(r.start, x0, unknowns * sizeof *x0);
  else
    l2o_start_matched(r.start, H, power, sizes);
  *r.instance = d;
  r.instance->H = r.H;
  r.instance->a = r.a;
  r.instance->root = r.root;
  r.instance->start = r.start;
  *out = (l2o_problem){.ops = &ops, .data = r.instance, .n = unknowns};
  return L2O_OK;
}
