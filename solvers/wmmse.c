/* SPDX-License-Identifier: BSD-3-Clause */
/* WMMSE, the weighted minimum mean-square error method for sums of rates (Shi, Razaviyayn, Luo, He, IEEE Trans. Signal Processing
 * 2011). With the receivers and weights of a point, U_u = C_u^-1 F_uu and W_u = (I - F_uu^H U_u)^-1, every base station j goes to
 * the maximiser of a concave quadratic on its power budget,
 *   V_u = (D_j + mu I)^-1 Lambda_u,   D_j = sum_u a_u H_uj^H U_u W_u U_u^H H_uj,   Lambda_u = a_u H_uj^H U_u W_u,
 * mu >= 0 the least for which |V_j|_F^2 <= power. The rate never falls.
 *
 * D_j = Y Y^H with one column of Y a stream. Where Y has fewer columns than rows, V_u = Y (Y^H Y + mu I)^-1 c_u takes the smaller
 * matrix (as Zhao, Lu, Shi, Luo, IEEE Trans. Signal Processing 2023, have it for large arrays). That matrix is brought to
 * tridiagonal form once, after which a trial of mu costs as much as the right-hand sides are long. mu is the zero of 1 / |V_j| -
 * 1 / sqrt(power), concave and nearly straight, by Newton's method between bounds (Reinsch 1971; More and Sorensen 1983), from the
 * mu of the step before.
 *
 * With restarts, a start that has had its steps, or gains no more, is followed by a random one; at the end x is the best point. */
#include "core/diag.h"
#include "core/hermitian.h"
#include "core/linalg.h"
#include "problems/precoders.h"
#include "problems/sum_rate.h"
#include "solvers.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { OPTION_TOLERANCE, OPTION_MULTIPLIER_TOLERANCE, OPTION_RESTARTS, OPTION_RESTART_AFTER };
static const l2o_option options[] = {
    {"tolerance", L2O_OPTION_REAL, 0, 0, 1, NULL, "a start ends where a step gains at most that share of the rate; 0: never"},
    {"multiplier_tolerance", L2O_OPTION_REAL, 1e-12, 1e-15, 1e-2, NULL, "of the power over its budget, where that binds"},
    {"restarts", L2O_OPTION_INT, 0, 0, 1e6, NULL, "random starts after the first; the run ends at the best point of all"},
    {"restart_after", L2O_OPTION_INT, 100, 1, 1e9, NULL, "steps of a start, where there are restarts"},
    {0},
};
static const double EPSILON = sizeof(l2o_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON;

typedef struct memory {
  double before;        /* f at the point before */
  double best;          /* f at the kept point */
  size_t steps, starts; /* of this start; random ones so far */
} memory;

/* state: memory, mu (cells), with restarts the kept point (n) */
static size_t state_len(const l2o_iterate *it) {
  const l2o_sum_rate *d = l2o_sum_rate_of(it->problem);
  return L2O_REALS_OF(memory) + d->sizes.cells + (it->options[OPTION_RESTARTS] > 0 ? it->n : 0);
}

typedef struct room {
  l2o_real *Y, *B, *Z, *scratch;
  l2o_tridiagonal t;
} room;

static size_t layout(room *r, const l2o_sum_rate *d, l2o_real *scratch) {
  const size_t m = l2o_rate_system_size(d), sides = 2 * m * d->sizes.users * d->sizes.streams;
  const size_t lengths[] = {l2o_rate_columns_len(d), sides, sides, 2 * m * m, m, 2 * m, m, 4 * m};
  l2o_real **parts[] = {&r->Y, &r->B, &r->Z, &r->t.A, &r->t.diagonal, &r->t.off, &r->t.tau, &r->scratch};
  size_t used = 0;
  r->t.m = m;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    *parts[i] = scratch ? scratch + used : NULL;
    used += lengths[i];
  }
  return used;
}

static size_t scratch_len(const l2o_iterate *it) {
  room r;
  return layout(&r, l2o_sum_rate_of(it->problem), NULL);
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  if (l2o_sum_rate_of(it->problem))
    return L2O_OK;
  return l2o_fail(diag, L2O_ERR_NOTSUP, "wmmse solves problems of the family sum-rate; '%s' is none",
                  l2o_problem_name(it->problem));
}

static l2o_status init(l2o_iterate *it) {
  const memory m = {.best = HUGE_VAL};
  memcpy(it->state, &m, sizeof m);
  return l2o_problem_project(it->problem, it->x, it->x, it->work);
}

/* The right-hand sides of cell j, a column a stream: Lambda_u of D_j + mu I; c_u with Lambda_u = Y c_u of Y^H Y + mu I, which are
 * sqrt(a_u) root_u^H in the rows of user u. */
static void right_hand_sides(const room *r, const l2o_sum_rate *d, const l2o_rate_point *at, size_t j) {
  const size_t streams = d->sizes.streams, columns = d->sizes.users * streams, plane = r->t.m * columns, lanes = d->lanes;
  if (l2o_rate_is_gram(d))
    memset(r->B, 0, 2 * plane * sizeof *r->B);
  else
    l2o_rate_columns(r->Y, d, j, at->T, d->a); /* Y itself is not needed any more */
  for (size_t c = 0; c < columns; c++) {
    const size_t u = j * d->sizes.users + c / streams, s = c % streams;
    if (l2o_rate_is_gram(d)) {
      for (size_t i = 0; i <= s; i++) {
        const l2o_real *root = at->root + 2 * (s * streams + i) * lanes + u;
        r->B[(i * d->n + u) * columns + c] = d->root[u] * root[0];
        r->B[plane + (i * d->n + u) * columns + c] = i == s ? 0 : -d->root[u] * root[lanes];
      }
    } else {
      for (size_t t = 0; t < d->sizes.tx; t++) {
        const l2o_real *entry = r->Y + 2 * (t * streams + s) * lanes + u;
        r->B[t * columns + c] = entry[0];
        r->B[plane + t * columns + c] = entry[lanes];
      }
    }
  }
}

/* |V_j|_F^2 for Z = (T + mu I)^-1 B, and minus half of its derivative; infinite where mu is too small to tell. */
static double power_at(double *fall, const room *r, const l2o_sum_rate *d, double mu) {
  const size_t columns = d->sizes.users * d->sizes.streams;
  double quotient;
  *fall = 1;
  if (!l2o_tridiagonal_solve(r->Z, &quotient, &r->t, mu, r->B, columns, r->scratch))
    return HUGE_VAL;
  const double square = l2o_dot(r->Z, r->Z, 2 * r->t.m * columns);
  *fall = l2o_rate_is_gram(d) ? square - mu * quotient : quotient;
  return l2o_rate_is_gram(d) ? l2o_tridiagonal_form(&r->t, r->Z, columns) : square;
}

/* Leaves Z at the multiplier, which it returns. What rounding makes of a zero eigenvalue is less than the floor of mu, and a floor
 * of that size is nothing to the others. */
static double find_multiplier(const room *r, const l2o_sum_rate *d, double bound, double mu, double tolerance) {
  enum { TRIES = 100 };
  const size_t columns = d->sizes.users * d->sizes.streams;
  const double sides = l2o_norm(r->B, 2 * r->t.m * columns), budget = d->power;
  const double least = EPSILON * bound;
  double low = least, high = fmax(2 * least, sides * sqrt((l2o_rate_is_gram(d) ? bound : 1) / budget));
  bool tried = false; /* low, and it was too low */
  tolerance = fmax(tolerance, 8 * EPSILON);
  mu = mu > low && mu < high ? mu : low;
  for (int tries = 0; tries < TRIES; tries++) {
    double fall;
    const double power = power_at(&fall, r, d, mu), ratio = power / budget;
    if (fabs(ratio - 1) <= tolerance || (ratio <= 1 && mu == least))
      break;
    if (ratio > 1) {
      low = mu;
      tried = true;
    } else {
      high = mu;
    }
    /* Newton for power^(-1/2) = budget^(-1/2) */
    double next = mu + power / fall * (sqrt(ratio) - 1);
    if (!(next > low))
      next = tried ? 0.5 * (low + high) : low;
    if (!(next < high))
      next = 0.5 * (low + high);
    if (next == mu)
      break;
    mu = next;
  }
  return mu;
}

static void solve_cell(l2o_iterate *it, const room *r, const l2o_sum_rate *d, const l2o_rate_point *at, size_t j, l2o_real *mu) {
  const size_t tx = d->sizes.tx, streams = d->sizes.streams, columns = d->sizes.users * streams, plane = r->t.m * columns;
  l2o_real *x = it->x + j * l2o_rate_block(d);
  l2o_tridiagonal t = r->t;
  l2o_rate_columns(r->Y, d, j, at->X, d->root);
  l2o_rate_system(t.A, d, r->Y);
  l2o_hermitian_reduce(&t, r->scratch);
  const double bound = l2o_tridiagonal_bound(&t);
  if (!(bound > 0)) /* nothing that it sends is received by anybody who listens */
    return;
  right_hand_sides(r, d, at, j);
  l2o_hermitian_rotate(r->B, &t, false, columns);
  *mu = (l2o_real)find_multiplier(r, d, bound, (double)*mu, it->options[OPTION_MULTIPLIER_TOLERANCE]);
  l2o_hermitian_rotate(r->Z, &t, true, columns);
  if (l2o_rate_is_gram(d)) {
    l2o_rate_precoders(x, d, r->Y, r->Z);
    return;
  }
  for (size_t i = 0; i < tx; i++)
    for (size_t c = 0; c < columns; c++) {
      l2o_real *v = x + 2 * ((c / streams * tx + i) * streams + c % streams);
      v[0] = r->Z[i * columns + c];
      v[1] = r->Z[plane + i * columns + c];
    }
}

/* CN(0, 1), scaled to the whole power */
static void draw_start(l2o_iterate *it, const l2o_sum_rate *d, size_t number) {
  l2o_rng rng;
  l2o_rng_seed(&rng, it->seed, 1, number);
  for (size_t i = 0; i < it->n; i++) {
    double value;
    l2o_rng_normal(&rng, &value, 1);
    it->x[i] = (l2o_real)value;
  }
  l2o_start_full_power(it->x, d->power, &d->sizes);
}

/* The start at x, where the objective is f, is over. */
static void next_start(l2o_iterate *it, const l2o_sum_rate *d, memory *m, double f, l2o_stop *stop) {
  const size_t restarts = (size_t)it->options[OPTION_RESTARTS], bytes = it->n * sizeof *it->x;
  l2o_real *mu = it->state + L2O_REALS_OF(memory), *kept = mu + d->sizes.cells;
  if (restarts && f < m->best) {
    m->best = f;
    memcpy(kept, it->x, bytes);
  }
  if (m->starts < restarts) {
    draw_start(it, d, m->starts++);
    memset(mu, 0, d->sizes.cells * sizeof *mu);
    m->steps = 0;
    return;
  }
  if (restarts)
    memcpy(it->x, kept, bytes);
  *stop = L2O_STOP_STALLED;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  const l2o_sum_rate *d = l2o_sum_rate_of(it->problem);
  const double tolerance = it->options[OPTION_TOLERANCE];
  l2o_real *mu = it->state + L2O_REALS_OF(memory);
  memory m;
  double f;
  (void)tape;
  l2o_status status = l2o_iterate_value_at(it, &f, it->x);
  if (status)
    return status;
  memcpy(&m, it->state, sizeof m);
  const bool used_up = it->options[OPTION_RESTARTS] > 0 && m.steps >= (size_t)it->options[OPTION_RESTART_AFTER];
  if (used_up || (m.steps && tolerance > 0 && m.before - f <= tolerance * fabs(f))) {
    next_start(it, d, &m, f, stop);
  } else {
    const l2o_rate_point at = l2o_rate_point_at(d, it->work); /* which holds the pieces of x */
    room r;
    layout(&r, d, it->scratch);
    l2o_rate_filters(&at, d);
    for (size_t j = 0; j < d->sizes.cells; j++)
      solve_cell(it, &r, d, &at, j, &mu[j]);
    l2o_rate_project(it->x, d, it->x); /* what the tolerance of mu leaves over */
    m.before = f;
    m.steps++;
  }
  memcpy(it->state, &m, sizeof m);
  return L2O_OK;
}

const l2o_solver l2o_wmmse = {
    .struct_size = sizeof l2o_wmmse,
    .name = "wmmse",
    .meaning = "WMMSE for the family sum-rate, with the exact multiplier of every base station",
    .needs = L2O_NEEDS_GRADIENT | L2O_TAKES_PROJECTION,
    .options = options,
    .state_len = state_len,
    .scratch_len = scratch_len,
    .check = check,
    .init = init,
    .step = step,
};
