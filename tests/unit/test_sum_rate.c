/* SPDX-License-Identifier: BSD-3-Clause */
/* The family sum-rate: channels, value, gradient, pieces and projection against their definitions, starts, files. */
#include "l2o_fixtures.h"

#include "problems/channels.h"
#include "problems/precoders.h"
#include "sum_rate_reference.h"
#include <l2o/tensor_file.h>

static const double LN2 = 0.69314718055994530942;

/* Instance of a seed of the portable generator. */
static l2o_problem portable(const char *options, uint64_t seed) {
  char spec[160];
  snprintf(spec, sizeof spec, "sum-rate:sampler=mt19937%s%s", *options ? "," : "", options);
  return sampled(spec, seed, 0);
}

static l2o_real *start_of(const l2o_problem *p) {
  l2o_real *x = malloc(p->n * sizeof *x);
  assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  return x;
}

static l2o_real *normal_point(const l2o_problem *p, uint64_t seed) {
  l2o_real *x = malloc(p->n * sizeof *x);
  normal_reals(x, p->n, seed);
  return x;
}

/* ---- channels ---- */

static void the_portable_generator_is_as_written_down(void **state) {
  (void)state;
  l2o_problem p = portable("", 1);
  reference r = reference_of(&p);
  assert_close(creal(r.H[0]), 0.93506293, 0, 1e-7);
  assert_close(cimag(r.H[0]), -0.01654147, 0, 1e-7);
  assert_close(creal(r.H[1]), 0.52209983, 0, 1e-7);
  assert_close(cimag(r.H[1]), -0.23551062, 0, 1e-7);
  assert_true(r.d->noise == 1 && r.d->power == 10 && p.n == 96);
  free(r.H);
  l2o_problem_free(&p);
}

/* Gains by dividing out the coefficients, which are drawn last. */
static void the_layout_has_the_gains_written_down(void **state) {
  (void)state;
  enum { CELLS = 3, USERS = 2, N = CELLS * USERS, EACH = 2 * 8 };
  static const double expected[CELLS] = {2309.46, 0.92493, 31.3855};
  const l2o_sum_rate_sizes sizes = {.cells = CELLS, .users = USERS, .tx = 8, .rx = 2, .streams = 2};
  static double H[2 * N * CELLS * EACH], plain[2 * N * CELLS * EACH];
  double direct = 0;
  enum { SEEDS = 20 };
  for (uint32_t seed = 1; seed <= SEEDS; seed++) {
    l2o_draws draws = {.replays = true};
    l2o_twister_seed_gsl(&draws.twister, seed);
    assert_status(l2o_channel_draw(H, &draws, L2O_CHANNEL_LAYOUT, &sizes), L2O_OK, NULL);
    l2o_twister_seed_gsl(&draws.twister, seed);
    l2o_twister_skip(&draws.twister, 2 * N + N * CELLS);
    l2o_draws_complex(&draws, plain, N * CELLS * EACH);
    for (size_t u = 0; u < N; u++)
      for (size_t j = 0; j < CELLS; j++) {
        const size_t at = 2 * (u * CELLS + j) * EACH;
        const double gain = pow(H[at] / plain[at], 2);
        for (size_t i = 0; i < 2 * EACH; i++)
          assert_close(H[at + i], sqrt(gain) * plain[at + i], 1e-10, 0);
        if (seed == 1 && u == 0)
          assert_close(gain, expected[j], 1e-5, 0);
        if (j == u / USERS)
          direct += 10 * log10(gain) / (SEEDS * N);
      }
  }
  assert_close(direct, 25.0, 0, 0.05);
}

static void other_recipes(void **state) {
  (void)state;
  l2o_problem p = sampled("sum-rate:channel=deepfp,cells=7,users=6,tx=8,rx=4,streams=2", 1, 0);
  reference r = reference_of(&p);
  assert_true(r.d->noise == 1e-8 && r.d->power == 100 && r.d->a[0] == (l2o_real)(1. / 6));
  for (size_t link = 0; link < 42 * 7; link++) /* coefficients of one size */
    for (size_t i = 1; i < 32; i++)
      assert_close(cabs(r.H[link * 32 + i]), cabs(r.H[link * 32]), BY_PRECISION(1e-13, 1e-6), 0);
  double own = 0, others = 0; /* in dB: the own base station is near */
  for (size_t link = 0; link < 42 * 7; link++)
    *(link % 7 == link / 42 ? &own : &others) += 20 * log10(cabs(r.H[link * 32])) / (link % 7 == link / 42 ? 42 : 42 * 6);
  assert_true(own > others + 10);
  free(r.H);
  l2o_problem_free(&p);
  p = sampled("sum-rate:channel=imac,cells=7,users=3,snr_db=20", 1, 0);
  assert_true(l2o_sum_rate_of(&p)->power == 100 && l2o_sum_rate_of(&p)->noise == 1);
  l2o_problem_free(&p);
  p = sampled("sum-rate:weights=random,users=20", 1, 0);
  for (size_t u = 0; u < 60; u++) {
    const l2o_sum_rate *d = l2o_sum_rate_of(&p);
    assert_true(d->a[u] > (l2o_real)0.5 && d->a[u] < (l2o_real)1.5 && (!u || d->a[u] != d->a[u - 1]));
    assert_close(d->root[u] * d->root[u], d->a[u], BY_PRECISION(1e-15, 1e-6), 0);
  }
  l2o_problem_free(&p);
}

/* ---- value, gradient, pieces ---- */

/* Lanes in part and in several blocks, tiles whole and in part, one antenna, as many streams as antennas, a matrix of either kind.
 */
static const char *const SHAPES[] = {"",
                                     "cells=1,users=1,tx=1,rx=1",
                                     "cells=1,users=4,tx=8,rx=1",
                                     "cells=2,users=9,tx=3,rx=3,weights=random",
                                     "cells=7,users=3,tx=5,rx=4,streams=3,channel=imac,weights=random",
                                     "cells=2,users=2,tx=16,rx=5,streams=1,snr_db=20",
                                     "cells=3,users=1,tx=6,rx=6,streams=5",
                                     "cells=2,users=2,tx=24,rx=3,streams=3,snr_db=0"};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES };

static void value_and_gradient_are_those_of_the_definition(void **state) {
  (void)state;
  for (size_t i = 0; i < SHAPE_COUNT; i++)
    for (uint64_t point = 0; point < 2; point++) {
      l2o_problem p = portable(SHAPES[i], 3 + i);
      reference r = reference_of(&p);
      l2o_real *x = point ? normal_point(&p, 11) : start_of(&p), *g = malloc(p.n * sizeof *g);
      const double rate = reference_rate(&r, x) / LN2, f = gradient_at(&p, g, x);
      const size_t entries = p.n / (2 * r.d->n);
      double largest = 0;
      assert_close(-f, rate, BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-12, 1e-5));
      assert_true(value_at(&p, x) == f);
      for (size_t k = 0; k < p.n; k++)
        largest = fmax(largest, fabs((double)g[k]));
      for (size_t w = 0; w < r.d->n; w++) {
        number *G = reference_gradient(&r, x, w);
        for (size_t k = 0; k < entries; k++) {
          assert_close(g[2 * (w * entries + k)], -2 * creal(G[k]) / LN2, 0, BY_PRECISION(1e-12, 2e-5) * largest);
          assert_close(g[2 * (w * entries + k) + 1], -2 * cimag(G[k]) / LN2, 0, BY_PRECISION(1e-12, 2e-5) * largest);
        }
        free(G);
      }
      free(x), free(g), free(r.H);
      l2o_problem_free(&p);
    }
}

static void operations_agree_with_differences(void **state) {
  (void)state;
  for (size_t i = 0; i < SHAPE_COUNT; i++)
    for (uint64_t point = 0; point < 3; point++) {
      l2o_problem p = portable(SHAPES[i], 30 + i);
      l2o_real *x = point ? normal_point(&p, 5 + point) : start_of(&p);
      /* at the start the budgets are just used up, where the projection has a kink: inside, partly outside, outside */
      for (size_t k = 0; k < p.n; k++)
        x[k] *= (l2o_real)(point == 0 ? 0.9 : point == 1 && k < p.n / 2 ? 0.05 : 3);
      l2o_check check;
      l2o_diag diag = {""};
      assert_status(l2o_problem_check(&p, &check, x, BY_PRECISION(2e-6, 1e9), 1, &diag), L2O_OK, &diag);
      assert_true(check.project_vjp_error <= BY_PRECISION(1e-8, 1e-2)); /* of the others floats leave no differences here */
      free(x);
      l2o_problem_free(&p);
    }
}

/* Entry (i, k) of a piece with so many columns, of user u. */
static number piece(const l2o_sum_rate *d, const l2o_real *set, size_t i, size_t k, size_t columns, size_t u) {
  const l2o_real *at = set + 2 * (i * columns + k) * d->lanes + u;
  return complex_of(at[0], at[d->lanes]);
}

/* sum_u a_u ln det W_u = WSR, G_u = Lambda_u - D_j V_u, D_j and Y^H Y the same but for zeros */
static void pieces_of_a_point_fit_together(void **state) {
  (void)state;
  for (size_t i = 0; i < SHAPE_COUNT; i++) {
    l2o_problem p = portable(SHAPES[i], 50 + i);
    reference r = reference_of(&p);
    const l2o_sum_rate *d = r.d;
    const size_t rx = d->sizes.rx, tx = d->sizes.tx, s = d->sizes.streams, m = l2o_rate_system_size(d);
    l2o_real *x = normal_point(&p, 12), *g = malloc(p.n * sizeof *g), *work = malloc(l2o_problem_work_len(&p) * sizeof *work);
    l2o_real *Y = calloc(l2o_rate_columns_len(d), sizeof *Y), *A = calloc(2 * m * m, sizeof *A);
    const double close = BY_PRECISION(1e-11, 3e-4);
    double f, sum = 0;
    assert_status(l2o_problem_gradient(&p, &f, g, x, work), L2O_OK, NULL);
    const l2o_rate_point at = l2o_rate_point_at(d, work);
    for (size_t u = 0; u < d->n; u++) {
      sum += (double)d->a[u] * (double)at.rate[u];
      number *C = covariance(&r, x, u, true), *F = received(&r, x, u, u);
      for (size_t k = 0; k < rx * s; k++)
        assert_true(cabs(piece(d, at.own, 0, k, 0, u) - F[k]) <= close * (1 + cabs(F[k])));
      number *own = times(F, false, F, true, rx, rx, s); /* J = C - F F^H */
      for (size_t k = 0; k < rx; k++)
        for (size_t h = 0; h <= k; h++)
          assert_true(cabs(piece(d, at.J, k, h, rx, u) - C[k * rx + h] + own[k * rx + h]) <= close * (1 + cabs(C[k * rx + k])));
      eliminate(C, F, rx, s); /* F = U */
      for (size_t k = 0; k < rx; k++)
        for (size_t c = 0; c < s; c++) {
          number T = 0; /* U W */
          for (size_t h = 0; h < s; h++)
            T += F[k * s + h] * piece(d, at.W, h, c, s, u);
          assert_true(cabs(piece(d, at.U, k, c, s, u) - F[k * s + c]) <= close);
          assert_true(cabs(piece(d, at.T, k, c, s, u) - T) <= 10 * close * (1 + cabs(T)));
        }
      free(C), free(F), free(own);
    }
    assert_close(-f * LN2, sum, BY_PRECISION(1e-13, 1e-6), 1e-12);
    for (size_t j = 0; j < d->sizes.cells; j++) {
      number *D = calloc(tx * tx, sizeof *D);
      double trace = 0, trace_A = 0, square = 0, square_A = 0;
      for (size_t u = 0; u < d->n; u++) { /* a H^H (U W) U^H H */
        number *T = malloc(rx * s * sizeof *T), *U = malloc(rx * s * sizeof *U);
        for (size_t k = 0; k < rx * s; k++)
          T[k] = (double)d->a[u] * piece(d, at.T, 0, k, 0, u), U[k] = piece(d, at.U, 0, k, 0, u);
        number *left = times(channel_to(&r, u, j), true, T, false, tx, s, rx),
               *right = times(channel_to(&r, u, j), true, U, false, tx, s, rx), *part = times(left, false, right, true, tx, tx, s);
        for (size_t k = 0; k < tx * tx; k++)
          D[k] += part[k];
        free(T), free(U), free(left), free(right), free(part);
      }
      l2o_rate_columns(Y, d, j, at.X, d->root);
      l2o_rate_system(A, d, Y);
      for (size_t k = 0; k < tx * tx; k++)
        square += creal(D[k] * conj(D[k])), trace += k % (tx + 1) ? 0 : creal(D[k]);
      for (size_t k = 0; k < m * m; k++) {
        const size_t transposed = k % m * m + k / m;
        square_A += (double)A[k] * (double)A[k] + (double)A[m * m + k] * (double)A[m * m + k];
        trace_A += k % (m + 1) ? 0 : (double)A[k];
        assert_true(A[k] == A[transposed] || l2o_rate_is_gram(d));
        if (!l2o_rate_is_gram(d))
          assert_true(cabs(complex_of(A[k], A[m * m + k]) - D[k]) <= close * (1 + trace));
      }
      assert_close(trace_A, trace, close, 0);
      assert_close(square_A, square, close, 0);
      for (size_t u = j * d->sizes.users; u < (j + 1) * d->sizes.users; u++) {
        number *G = reference_gradient(&r, x, u), *T = malloc(rx * s * sizeof *T);
        for (size_t k = 0; k < rx * s; k++)
          T[k] = (double)d->a[u] * piece(d, at.T, 0, k, 0, u);
        number *Lambda = times(channel_to(&r, u, j), true, T, false, tx, s, rx);
        for (size_t t = 0; t < tx; t++)
          for (size_t c = 0; c < s; c++) {
            number from = Lambda[t * s + c];
            for (size_t k = 0; k < tx; k++) {
              const l2o_real *v = x + 2 * ((u * tx + k) * s + c);
              from -= D[t * tx + k] * (complex_of(v[0], v[1]));
            }
            assert_true(cabs(from - G[t * s + c]) <= 100 * close * (1 + cabs(Lambda[t * s + c])));
          }
        free(G), free(T), free(Lambda);
      }
      free(D);
    }
    free(x), free(g), free(work), free(Y), free(A), free(r.H);
    l2o_problem_free(&p);
  }
}

/* ---- the curvature ---- */

/* P_u = a_u (J_u^-1 - C_u^-1) by elimination, new */
static number *curvature_of(const reference *r, const l2o_real *x, size_t u) {
  const size_t rx = r->d->sizes.rx;
  number *P = calloc(rx * rx, sizeof *P);
  for (int own = 0; own < 2; own++) {
    number *A = covariance(r, x, u, own), *inverse = calloc(rx * rx, sizeof *inverse);
    for (size_t i = 0; i < rx; i++)
      inverse[i * rx + i] = 1;
    eliminate(A, inverse, rx, rx);
    for (size_t i = 0; i < rx * rx; i++)
      P[i] += (own ? -1 : 1) * (double)r->d->a[u] * inverse[i];
    free(A), free(inverse);
  }
  return P;
}

/* D_j = sum_u H_uj^H P_u H_uj, new */
static number *matrix_of_cell(const reference *r, const l2o_real *x, size_t j) {
  const size_t tx = r->d->sizes.tx, rx = r->d->sizes.rx;
  number *D = calloc(tx * tx, sizeof *D);
  for (size_t u = 0; u < r->d->n; u++) {
    number *P = curvature_of(r, x, u), *left = times(P, false, channel_to(r, u, j), false, rx, tx, rx),
           *part = times(channel_to(r, u, j), true, left, false, tx, tx, rx);
    for (size_t i = 0; i < tx * tx; i++)
      D[i] += part[i];
    free(P), free(left), free(part);
  }
  return D;
}

/* The largest eigenvalue of a positive semidefinite matrix: tr(D D^(2^40)) / tr D^(2^40), powers scaled to trace 1. */
static double largest_eigenvalue(const number *D, size_t m) {
  number *power = calloc(m * m, sizeof *power);
  memcpy(power, D, m * m * sizeof *power);
  double eigenvalue = 0;
  for (int k = 0; k < 40; k++) {
    number *square = times(power, false, power, false, m, m, m);
    double trace = 0;
    for (size_t i = 0; i < m; i++)
      trace += creal(square[i * (m + 1)]);
    for (size_t i = 0; i < m * m; i++)
      power[i] = square[i] / trace;
    free(square);
  }
  for (size_t i = 0; i < m * m; i++)
    eigenvalue += creal(D[i] * conj(power[i]));
  free(power);
  return eigenvalue;
}

/* What l2o_rate_curve_*() and l2o_rate_back() start from, at a point. */
typedef struct bend {
  l2o_problem p;
  const l2o_sum_rate *d;
  l2o_real *x, *g, *work;
  l2o_rate_point at;
  l2o_rate_curve c;
} bend;

static bend bend_of(size_t shape) {
  bend b = {.p = portable(SHAPES[shape], 70 + shape)};
  double f;
  b.d = l2o_sum_rate_of(&b.p);
  b.x = normal_point(&b.p, 13), b.g = malloc(b.p.n * sizeof *b.g);
  b.work = malloc(l2o_problem_work_len(&b.p) * sizeof *b.work);
  b.at = l2o_rate_point_at(b.d, b.work), b.c = l2o_rate_curve_at(b.d, b.work);
  assert_status(l2o_problem_gradient(&b.p, &f, b.g, b.x, b.work), L2O_OK, NULL);
  l2o_rate_curve_begin(&b.c, &b.at, b.d);
  return b;
}
static void free_bend(bend *b) {
  free(b->x), free(b->g), free(b->work);
  l2o_problem_free(&b->p);
}

static void products_with_the_curvature(void **state) {
  (void)state;
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++) {
    bend b = bend_of(shape);
    reference r = reference_of(&b.p);
    const size_t tx = r.d->sizes.tx, s = r.d->sizes.streams, each = tx * s;
    const double close = BY_PRECISION(1e-11, 1e-3);
    l2o_real *Z = normal_point(&b.p, 14), *S = malloc(b.p.n * sizeof *S);
    l2o_real *scratch = malloc((l2o_rate_lambda_scratch(b.d, L2O_RATE_EIGENVALUE) + 1) * sizeof *scratch);
    l2o_rate_curve_product(S, &b.c, b.d, Z);
    for (size_t j = 0; j < b.d->sizes.cells; j++) {
      number *D = matrix_of_cell(&r, b.x, j);
      double trace = 0, square = 0;
      for (size_t i = 0; i < tx * tx; i++)
        trace += i % (tx + 1) ? 0 : creal(D[i]), square += creal(D[i] * conj(D[i]));
      assert_true(trace > 0 && l2o_rate_lambda_scratch(b.d, L2O_RATE_TRACE) == 0);
      assert_close(l2o_rate_lambda(&b.at, &b.c, b.d, j, L2O_RATE_TRACE, NULL), trace, close, 0);
      assert_close(l2o_rate_lambda(&b.at, &b.c, b.d, j, L2O_RATE_NORM, scratch), sqrt(square), close, 0);
      assert_close(l2o_rate_lambda(&b.at, &b.c, b.d, j, L2O_RATE_EIGENVALUE, scratch), largest_eigenvalue(D, tx), close, 0);
      for (size_t w = j * b.d->sizes.users; w < (j + 1) * b.d->sizes.users; w++) {
        for (size_t i = 0; i < tx; i++)
          for (size_t k = 0; k < s; k++) {
            number sum = 0;
            for (size_t h = 0; h < tx; h++)
              sum += D[i * tx + h] * complex_of(Z[2 * (w * each + h * s + k)], Z[2 * (w * each + h * s + k) + 1]);
            const l2o_real *given = S + 2 * (w * each + i * s + k);
            assert_true(cabs(complex_of(given[0], given[1]) - sum) <= close * trace);
          }
      }
      free(D);
    }
    l2o_rate_curve_product(Z, &b.c, b.d, Z); /* in place */
    assert_same_reals(Z, S, b.p.n);
    free(Z), free(S), free(scratch), free(r.H);
    free_bend(&b);
  }
}

/* Of the users' lanes, rows of them. */
static double inner_of_lanes(const l2o_sum_rate *d, const l2o_real *a, const l2o_real *b, size_t rows) {
  double sum = 0;
  for (size_t i = 0; i < rows; i++)
    for (size_t u = 0; u < d->n; u++)
      sum += (double)a[i * d->lanes + u] * (double)b[i * d->lanes + u];
  return sum;
}
static double inner_of(const l2o_real *a, const l2o_real *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double)a[i] * (double)b[i];
  return sum;
}

/* <dS, D Z> is linear in P and in Z. */
static void products_with_the_curvature_backwards(void **state) {
  (void)state;
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++) {
    bend b = bend_of(shape);
    const size_t rows = 2 * b.d->sizes.rx * b.d->sizes.rx, square = rows * b.d->lanes;
    l2o_real *Z = normal_point(&b.p, 15), *dS = normal_point(&b.p, 16), *dZ = normal_point(&b.p, 17),
             *S = malloc(b.p.n * sizeof *S);
    l2o_real *base_Z = normal_point(&b.p, 17), *dP = malloc(4 * square * sizeof *dP), *base_P = dP + square, *P = base_P + square,
             *move = P + square;
    const double close = BY_PRECISION(1e-11, 1e-3);
    normal_reals(base_P, square, 18);
    normal_reals(move, square, 19);
    memcpy(dP, base_P, square * sizeof *dP); /* results are added */
    l2o_rate_curve_back(dP, dZ, &b.c, b.d, Z, dS);
    for (size_t i = 0; i < square; i++)
      dP[i] -= base_P[i];
    for (size_t i = 0; i < b.p.n; i++)
      dZ[i] -= base_Z[i];
    l2o_rate_curve_product(S, &b.c, b.d, base_Z); /* a move of Z */
    const double size = sqrt(inner_of(dS, dS, b.p.n) * inner_of(S, S, b.p.n));
    assert_true(size > 0);
    assert_close(inner_of(dZ, base_Z, b.p.n), inner_of(dS, S, b.p.n), 0, close * size);
    memcpy(P, b.c.P, square * sizeof *P);
    memcpy(b.c.P, move, square * sizeof *move); /* a move of P, which need not be Hermitian */
    l2o_rate_curve_product(S, &b.c, b.d, Z);
    assert_close(inner_of_lanes(b.d, dP, move, rows), inner_of(dS, S, b.p.n), 0,
                 close * sqrt(inner_of(dS, dS, b.p.n) * inner_of(S, S, b.p.n)));
    free(Z), free(dS), free(dZ), free(S), free(base_Z), free(dP);
    free_bend(&b);
  }
}

#ifndef L2O_SINGLE
/* <dG, G(V)> + sum_u <dP_u, P_u(V)> along random directions */
static void gradient_and_curvature_backwards(void **state) {
  (void)state;
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++) {
    bend b = bend_of(shape);
    const size_t rows = 2 * b.d->sizes.rx * b.d->sizes.rx, square = rows * b.d->lanes;
    double *dG = normal_point(&b.p, 20), *dV = normal_point(&b.p, 21), *base = normal_point(&b.p, 21),
           *moved = malloc(b.p.n * sizeof *moved), *dP = malloc(square * sizeof *dP);
    normal_reals(dP, square, 22);
    l2o_rate_back(dV, &b.c, &b.at, b.d, dG, dP);
    for (size_t i = 0; i < b.p.n; i++)
      dV[i] -= base[i];
    for (uint64_t trial = 0; trial < 3; trial++) {
      static const double steps[] = {1, -1, 2, -2};
      const double h = 1e-4;
      double *direction = normal_point(&b.p, 30 + trial), f[4], unused;
      for (int j = 0; j < 4; j++) {
        for (size_t i = 0; i < b.p.n; i++)
          moved[i] = b.x[i] + steps[j] * h * direction[i];
        assert_status(l2o_problem_gradient(&b.p, &unused, b.g, moved, b.work), L2O_OK, NULL);
        l2o_rate_curve_begin(&b.c, &b.at, b.d);
        f[j] = -0.5 * LN2 * inner_of(dG, b.g, b.p.n) + inner_of_lanes(b.d, dP, b.c.P, rows);
      }
      const double size = sqrt(inner_of(dV, dV, b.p.n) * inner_of(direction, direction, b.p.n));
      assert_close(inner_of(dV, direction, b.p.n), (4 * (f[0] - f[1]) / (2 * h) - (f[2] - f[3]) / (4 * h)) / 3, 0, 1e-8 * size);
      free(direction);
    }
    free(dG), free(dV), free(base), free(moved), free(dP);
    free_bend(&b);
  }
}
#endif

/* ---- symmetries ---- */

/* V_u Theta_u with a unitary Theta_u has the same rates, and the gradient turns with it. */
static void rates_do_not_see_a_rotation_of_the_streams(void **state) {
  (void)state;
  l2o_problem p = portable("", 9);
  l2o_real *x = normal_point(&p, 3), *turned = malloc(p.n * sizeof *turned), *g = malloc(p.n * sizeof *g),
           *turned_g = malloc(p.n * sizeof *g);
  for (size_t i = 0; i < p.n; i += 4) { /* Theta = [c, -conj(s); s, c] with c real, another angle for each user */
    const double angle = 0.3 + (double)(i / 16);
    const number s = sin(angle) * cexp(complex_of(0, angle)), c = cos(angle);
    const number a = complex_of(x[i], x[i + 1]), b = complex_of(x[i + 2], x[i + 3]);
    const number first = a * c + b * s, second = -a * conj(s) + b * c;
    turned[i] = (l2o_real)creal(first), turned[i + 1] = (l2o_real)cimag(first);
    turned[i + 2] = (l2o_real)creal(second), turned[i + 3] = (l2o_real)cimag(second);
  }
  assert_close(gradient_at(&p, turned_g, turned), gradient_at(&p, g, x), BY_PRECISION(1e-13, 1e-6), 0);
  for (size_t i = 0; i < p.n; i += 4) {
    const double angle = 0.3 + (double)(i / 16);
    const number s = sin(angle) * cexp(complex_of(0, angle)), c = cos(angle);
    const number a = complex_of(g[i], g[i + 1]), b = complex_of(g[i + 2], g[i + 3]);
    assert_close(turned_g[i], creal(a * c + b * s), 0, BY_PRECISION(1e-12, 1e-5));
    assert_close(turned_g[i + 3], cimag(-a * conj(s) + b * c), 0, BY_PRECISION(1e-12, 1e-5));
  }
  free(x), free(turned), free(g), free(turned_g);
  l2o_problem_free(&p);
}

/* Users of a cell and whole cells in another order: the same problem in another order. */
static void the_order_of_users_and_cells_does_not_matter(void **state) {
  (void)state;
  enum { CELLS = 3, USERS = 2, N = CELLS * USERS, TX = 4, RX = 2, D = 2, EACH = 2 * TX * D };
  static const size_t cell[CELLS] = {2, 0, 1}, user[USERS] = {1, 0};
  const l2o_sum_rate_sizes sizes = {.cells = CELLS, .users = USERS, .tx = TX, .rx = RX, .streams = D};
  l2o_real H[2 * N * CELLS * RX * TX], moved[2 * N * CELLS * RX * TX], a[N], moved_a[N], x[N * EACH], moved_x[N * EACH];
  l2o_real g[N * EACH], moved_g[N * EACH];
  normal_reals(H, 2 * N * CELLS * RX * TX, 1);
  normal_reals(x, N * EACH, 2);
  for (size_t u = 0; u < N; u++)
    a[u] = (l2o_real)(1 + (double)u / 7);
  for (size_t u = 0; u < N; u++) {
    const size_t from = cell[u / USERS] * USERS + user[u % USERS];
    moved_a[u] = a[from];
    memcpy(moved_x + u * EACH, x + from * EACH, EACH * sizeof *x);
    for (size_t j = 0; j < CELLS; j++)
      memcpy(moved + 2 * (u * CELLS + j) * RX * TX, H + 2 * (from * CELLS + cell[j]) * RX * TX, 2 * RX * TX * sizeof *H);
  }
  l2o_problem p, q;
  assert_status(l2o_sum_rate_new(&p, H, a, NULL, 0.7, 3, &sizes, NULL), L2O_OK, NULL);
  assert_status(l2o_sum_rate_new(&q, moved, moved_a, NULL, 0.7, 3, &sizes, NULL), L2O_OK, NULL);
  assert_close(gradient_at(&q, moved_g, moved_x), gradient_at(&p, g, x), BY_PRECISION(1e-13, 1e-6), 0);
  for (size_t u = 0; u < N; u++)
    for (size_t i = 0; i < EACH; i++)
      assert_close(moved_g[u * EACH + i], g[(cell[u / USERS] * USERS + user[u % USERS]) * EACH + i], BY_PRECISION(1e-10, 1e-4),
                   BY_PRECISION(1e-12, 1e-5));
  l2o_problem_free(&p);
  l2o_problem_free(&q);
}

/* ---- projection ---- */

static double power_of(const l2o_real *x, const l2o_sum_rate *d, size_t j) {
  double sum = 0;
  for (size_t i = j * l2o_rate_block(d); i < (j + 1) * l2o_rate_block(d); i++)
    sum += (double)x[i] * (double)x[i];
  return sum;
}

static l2o_status wrong_vjp(const l2o_problem *p, l2o_real *dx, const l2o_real *x, const l2o_real *dout, l2o_real *work) {
  (void)x, (void)work;
  for (size_t i = 0; i < p->n; i++)
    dx[i] += dout[i];
  return L2O_OK;
}

static void the_projection_scales_base_stations(void **state) {
  (void)state;
  l2o_problem p = portable("", 4), wrong = p;
  const l2o_sum_rate *d = l2o_sum_rate_of(&p);
  const size_t block = l2o_rate_block(d);
  l2o_real *x = normal_point(&p, 6), *out = malloc(p.n * sizeof *out);
  for (size_t i = 0; i < block; i++) /* the first within its budget, the others not */
    x[i] *= (l2o_real)0.2;
  assert_status(l2o_problem_project(&p, out, x, NULL), L2O_OK, NULL);
  assert_true(power_of(x, d, 0) < 10 && power_of(x, d, 1) > 10 && power_of(x, d, 2) > 10);
  assert_same_reals(out, x, block);
  for (size_t j = 1; j < 3; j++) {
    assert_close(power_of(out, d, j), 10, BY_PRECISION(1e-14, 1e-6), 0);
    for (size_t i = j * block; i < (j + 1) * block; i++)
      assert_close(out[i], (double)x[i] * sqrt(10 / power_of(x, d, j)), BY_PRECISION(1e-14, 1e-6), 0);
  }
  l2o_problem_ops ops = *p.ops;
  l2o_check check;
  l2o_diag diag;
  ops.project_vjp = wrong_vjp;
  wrong.ops = &ops;
  assert_status(l2o_problem_check(&wrong, &check, x, BY_PRECISION(1e-7, 2e-3), 1, &diag), L2O_ERR_NUMERIC, NULL);
  assert_names(&diag, "the derivative of the projection");
  ops.project_vjp = NULL; /* then there is nothing to check, and nothing to call */
  assert_status(l2o_problem_check(&wrong, &check, x, BY_PRECISION(1e-7, 2e-3), 1, &diag), L2O_OK, &diag);
  assert_true(check.project_vjp_error == 0);
  assert_status(l2o_problem_project_vjp(&wrong, out, x, x, NULL), L2O_ERR_NOTSUP, NULL);
  l2o_problem free_one = values_only_problem; /* no constraint: the identity */
  l2o_real dx[3] = {1, 2, 3};
  assert_status(l2o_problem_project_vjp(&free_one, dx, x, (l2o_real[]){1, 1, 2}, NULL), L2O_OK, NULL);
  assert_true(dx[0] == 2 && dx[1] == 3 && dx[2] == 5);
  free(x), free(out);
  l2o_problem_free(&p);
}

/* A start that is shifted leaves the problem what it is, a shift of the function does not; its projection is shifted, and so is the
 * derivative. */
static void shifted_instances(void **state) {
  (void)state;
  for (int function = 0; function < 2; function++) {
    l2o_family *inner = family_of("sum-rate"), *shifted;
    assert_status(l2o_family_shifted(&shifted, inner, 0.5, function ? 0.3 : 0, false, NULL), L2O_OK, NULL);
    l2o_problem p;
    l2o_check check;
    l2o_diag diag = {""};
    assert_status(l2o_family_sample(shifted, &p, 1, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
    assert_true((l2o_sum_rate_of(&p) == NULL) == function);
    l2o_real *x = normal_point(&p, 1);
    assert_status(l2o_problem_check(&p, &check, x, BY_PRECISION(2e-8, 5e-2), 1, &diag), L2O_OK, &diag);
    free(x);
    l2o_problem_free(&p);
    l2o_family_free(shifted);
  }
  assert_null(l2o_sum_rate_of(&values_only_problem));
}

/* ---- starts ---- */

static void starts_are_what_they_are_called(void **state) {
  (void)state;
  l2o_problem mf = portable("", 2), zf = portable("start=zf,tx=8", 2), random = portable("start=random", 2);
  const l2o_sum_rate *d = l2o_sum_rate_of(&mf);
  const size_t entries = d->sizes.tx * d->sizes.streams;
  l2o_real *x = start_of(&mf), *z = start_of(&zf), *r = start_of(&random);
  reference a = reference_of(&mf), b = reference_of(&zf);
  for (size_t u = 0; u < d->n; u++) { /* columns of H_u^H, half of the power */
    double power = 0;
    const number *H = channel_to(&a, u, u / d->sizes.users);
    for (size_t i = 0; i < 2 * entries; i++)
      power += (double)x[2 * u * entries + i] * (double)x[2 * u * entries + i];
    assert_close(power, 5, BY_PRECISION(1e-14, 1e-6), 0);
    const l2o_real *v = x + 2 * u * entries;
    const number ratio = (complex_of(v[0], v[1])) / conj(H[0]), same = (complex_of(v[6], v[7])) / conj(H[5]);
    assert_close(cimag(ratio), 0, 0, BY_PRECISION(1e-14, 1e-6));
    assert_close(creal(same), creal(ratio), BY_PRECISION(1e-13, 1e-5), 0);
  }
  assert_close(value_at(&mf, x), -7.057618, 0, BY_PRECISION(5e-7, 1e-4));
  for (size_t u = 0; u < 6; u++) /* 2 users of 2 streams fit into 8 antennas: no interference within the cell */
    for (size_t w = u / 2 * 2; w < u / 2 * 2 + 2; w++) {
      number *F = received(&b, z, u, w);
      for (size_t i = 0; i < 4; i++) {
        const bool own = u == w && i % 3 == 0;
        assert_true(own ? cabs(F[i]) > 0.1 : cabs(F[i]) < BY_PRECISION(1e-13, 1e-5));
      }
      free(F);
    }
  assert_true(power_of(z, b.d, 0) < 10 * (1 + BY_PRECISION(1e-14, 1e-6)) && value_at(&zf, z) < 0);
  for (size_t j = 0; j < 3; j++)
    assert_close(power_of(r, d, j), 10, BY_PRECISION(1e-14, 1e-6), 0);
  assert_true(r[0] != x[0]);
  free(x), free(z), free(r), free(a.H), free(b.H);
  l2o_problem_free(&mf);
  l2o_problem_free(&zf);
  l2o_problem_free(&random);
}

/* ---- what is refused ---- */

static void bad_arrays_are_refused(void **state) {
  (void)state;
  enum { ENTRIES = 2 * 2 * 2 * 2 * 3, UNKNOWNS = 2 * 2 * 3 * 2 };
  const l2o_sum_rate_sizes good = {.cells = 2, .users = 1, .tx = 3, .rx = 2, .streams = 2};
  l2o_sum_rate_sizes streams = good, none = good, large = good;
  l2o_real H[ENTRIES], zero[ENTRIES] = {0}, nan_H[ENTRIES], one_user[ENTRIES] = {0}, x0[UNKNOWNS], nan_x0[UNKNOWNS];
  streams.streams = 3, none.users = 0, large.users = SIZE_MAX / 2;
  normal_reals(H, ENTRIES, 1);
  normal_reals(x0, UNKNOWNS, 2);
  memcpy(nan_H, H, sizeof H), memcpy(nan_x0, x0, sizeof x0);
  memcpy(one_user, H, sizeof H / 2);
  nan_H[7] = (l2o_real)NAN, nan_x0[3] = (l2o_real)INFINITY;
  const l2o_real ones[2] = {1, 1}, negative[2] = {1, -1}, none_at_all[2] = {0, 1};
  const struct {
    const l2o_real *H, *a, *x0;
    double noise, power;
    const l2o_sum_rate_sizes *sizes;
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {H, ones, NULL, 1, 1, &good, L2O_OK, ""},
      {H, ones, x0, 1, 1, &good, L2O_OK, ""},
      {one_user, NULL, NULL, 1, 1, &good, L2O_OK, ""}, /* the second hears nothing: allowed */
      {H, ones, NULL, 1, 1, &streams, L2O_ERR_SHAPE, "streams = 3: expected at most tx = 3 and rx = 2"},
      {H, ones, NULL, 1, 1, &none, L2O_ERR_SHAPE, "users = 0"},
      {H, ones, NULL, 1, 1, &large, L2O_ERR_SHAPE, "one is 0 or too large"},
      {H, ones, NULL, 0, 1, &good, L2O_ERR_ARG, "the noise is 0; expected a positive number"},
      {H, ones, NULL, -1, 1, &good, L2O_ERR_ARG, "the noise is -1"},
      {H, ones, NULL, (double)NAN, 1, &good, L2O_ERR_ARG, "the noise is nan"},
      {H, ones, NULL, 1, 0, &good, L2O_ERR_ARG, "the power is 0; expected a positive number"},
      {H, ones, NULL, 1, (double)INFINITY, &good, L2O_ERR_ARG, "the power is inf"},
      {H, negative, NULL, 1, 1, &good, L2O_ERR_ARG, "the weight of user 1 is -1; expected a positive number"},
      {H, none_at_all, NULL, 1, 1, &good, L2O_ERR_ARG, "the weight of user 0 is 0"},
      {zero, ones, NULL, 1, 1, &good, L2O_ERR_NUMERIC, "H is zero; expected a channel"},
      {nan_H, ones, NULL, 1, 1, &good, L2O_ERR_NUMERIC, "H or x0 holds a value that is not finite"},
      {H, ones, nan_x0, 1, 1, &good, L2O_ERR_NUMERIC, "H or x0 holds a value that is not finite"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_problem p;
    l2o_diag diag = {""};
    l2o_status status =
        l2o_sum_rate_new(&p, cases[i].H, cases[i].a, cases[i].x0, cases[i].noise, cases[i].power, cases[i].sizes, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_status(status, cases[i].status, &diag);
    if (status) {
      assert_null(p.ops);
      continue;
    }
    l2o_real *x = start_of(&p);
    assert_true(isfinite(value_at(&p, x)) && (!cases[i].x0 || memcmp(x, x0, sizeof x0) == 0));
    free(x);
    l2o_problem_free(&p);
  }
  static const refused_spec specs[] = {
      {"sum-rate:streams=3", "sum-rate: streams = 3: expected at most tx = 4 and rx = 2"},
      {"sum-rate:channel=layout,cells=8", "cells = 8: this channel has 7 sites"},
      {"sum-rate:cells=0", "cells"},
      {"sum-rate:snr_db=nan", "snr_db"},
      {"sum-rate:channel=3gpp", "rayleigh"},
  };
  assert_refused_specs(specs, sizeof specs / sizeof *specs);
  l2o_family *family;
  l2o_diag diag;
  assert_status(l2o_family_new(&family, "sum-rate:cells=1000,users=1000", &diag), L2O_ERR_SHAPE, NULL);
  family = family_of("sum-rate:sampler=mt19937");
  l2o_problem p;
  assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_EVAL, 0, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "expected from 1 to 2^32 - 1");
  l2o_family_free(family);
}

/* Not-a-number at a point is an ordinary answer. */
static void points_that_are_not_finite(void **state) {
  (void)state;
  l2o_problem p = portable("", 1);
  l2o_real *x = start_of(&p), *g = malloc(p.n * sizeof *g);
  x[5] = (l2o_real)NAN;
  assert_true(isnan(gradient_at(&p, g, x)) && isnan(value_at(&p, x)));
  memset(x, 0, p.n * sizeof *x); /* and silence is a point: rate 0, and no way to tell a direction */
  assert_true(gradient_at(&p, g, x) == 0);
  for (size_t i = 0; i < p.n; i++)
    assert_true(g[i] == 0);
  free(x), free(g);
  l2o_problem_free(&p);
}

/* ---- files ---- */

static void channel_files_come_back_bit_for_bit(void **state) {
  (void)state;
  l2o_family *family = family_of("sum-rate:cells=2,users=3,tx=5,rx=3,streams=2,weights=random,start=random,channel=layout"), *file;
  l2o_diag diag = {""};
  assert_status(l2o_family_save(family, in_folder("channels"), 1, L2O_PURPOSE_EVAL, 3, &diag), L2O_OK, &diag);
  assert_status(l2o_family_open(&file, "sum-rate", in_folder("channels"), &diag), L2O_OK, &diag);
  assert_true(file->count == 3 && file->n == family->n);
  for (uint64_t i = 0; i < 4; i++) {
    l2o_problem p, q;
    assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, i % 3, NULL), L2O_OK, NULL);
    assert_status(l2o_family_sample(file, &q, 77, L2O_PURPOSE_TRAIN, i, NULL), L2O_OK, NULL);
    const l2o_sum_rate *d = l2o_sum_rate_of(&p), *e = l2o_sum_rate_of(&q);
    l2o_real *x = start_of(&p), *y = start_of(&q);
    assert_memory_equal(&d->sizes, &e->sizes, sizeof d->sizes);
    assert_same_reals(d->H, e->H, 2 * 2 * 5 * 3 * d->lanes);
    assert_same_reals(d->a, e->a, d->lanes);
    assert_same_reals(x, y, p.n);
    assert_true(d->noise == e->noise && d->power == e->power);
    free(x), free(y);
    l2o_problem_free(&p);
    l2o_problem_free(&q);
  }
  l2o_family_free(family);
  l2o_family_free(file);
}

typedef struct array {
  const char *name;
  size_t rank, shape[6];
  double first, rest;
} array;

static void write_arrays(const char *path, const array *arrays, size_t count) {
  l2o_tensor_writer *writer;
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  for (size_t i = 0; i < count && arrays[i].name; i++) {
    size_t entries = 1;
    for (size_t k = 0; k < arrays[i].rank; k++)
      entries *= arrays[i].shape[k];
    double *values = malloc((entries + 1) * sizeof *values);
    for (size_t k = 0; k < entries; k++)
      values[k] = k ? arrays[i].rest : arrays[i].first;
    assert_status(l2o_tensor_writer_add(writer, arrays[i].name, L2O_F64, values, arrays[i].shape, arrays[i].rank), L2O_OK, NULL);
    free(values);
  }
  assert_status(l2o_tensor_writer_save(writer, path, NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
}

#define CHANNEL                                                                                                                    \
  { "H", 6, {2, 4, 2, 3, 2, 2}, 1, 0.5 }

static void broken_channel_files_say_what_is_wrong(void **state) {
  (void)state;
  const struct {
    array arrays[3];
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {{CHANNEL}, L2O_OK, ""},
      {{CHANNEL, {"weights", 1, {4}, 1, 2}}, L2O_OK, ""},
      {{CHANNEL, {"noise", 0, {0}, 0.5, 0}, {"power", 1, {2}, 3, 4}}, L2O_OK, ""},
      {{{"G", 1, {2}, 1, 1}}, L2O_ERR_FORMAT, "there is no array 'H'"},
      {{{"H", 5, {4, 2, 3, 2, 2}, 1, 1}}, L2O_ERR_SHAPE, "'H' must have shape [instances, users of all cells, cells, rx, tx, 2]"},
      {{{"H", 6, {2, 4, 2, 3, 2, 1}, 1, 1}}, L2O_ERR_SHAPE, "'H' must have shape"},
      {{{"H", 6, {2, 4, 0, 3, 2, 2}, 1, 1}}, L2O_ERR_SHAPE, "none of them 0"},
      {{{"H", 6, {2, 5, 2, 3, 2, 2}, 1, 1}}, L2O_ERR_SHAPE, "'H' has 5 users in 2 cells; expected as many in each"},
      {{CHANNEL, {"streams", 0, {0}, 3, 0}}, L2O_ERR_SHAPE, "'streams' must be a number from 1 to 2"},
      {{CHANNEL, {"streams", 0, {0}, 1.5, 0}}, L2O_ERR_SHAPE, "'streams' must be a number"},
      {{CHANNEL, {"streams", 1, {2}, 1, 1}}, L2O_ERR_SHAPE, "'streams' must be a number"},
      {{CHANNEL, {"weights", 1, {3}, 1, 1}}, L2O_ERR_SHAPE, "'weights' must have 8 or 4 entries, it has 3"},
      {{CHANNEL, {"weights", 2, {2, 4}, 0, 1}}, L2O_ERR_NUMERIC, "entry 0 of 'weights' is 0; expected a positive number"},
      {{CHANNEL, {"noise", 1, {3}, 1, 1}}, L2O_ERR_SHAPE, "'noise' must have 2 or 1 entries"},
      {{CHANNEL, {"noise", 0, {0}, 0, 1}}, L2O_ERR_NUMERIC, "entry 0 of 'noise' is 0"},
      {{CHANNEL, {"power", 1, {2}, 1, -2}}, L2O_ERR_NUMERIC, "entry 1 of 'power' is -2"},
      {{CHANNEL, {"x0", 2, {2, 31}, 1, 1}}, L2O_ERR_SHAPE, "'x0' must have 64 or 64 entries"},
      {{CHANNEL, {"x0", 2, {2, 32}, (double)NAN, 1}}, L2O_ERR_NUMERIC, "'x0' holds a value that is not finite"},
      {{{"H", 6, {2, 4, 2, 3, 2, 2}, (double)NAN, 1}}, L2O_ERR_NUMERIC, "'H' holds a value that is not finite"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_diag diag = {""};
    l2o_family *family = (l2o_family *)&diag;
    write_arrays(in_folder("broken"), cases[i].arrays, 3);
    l2o_status status = l2o_family_open(&family, "sum-rate", in_folder("broken"), &diag);
    assert_names(&diag, cases[i].sentence);
    assert_names(&diag, status ? in_folder("broken") : "");
    assert_status(status, cases[i].status, &diag);
    if (status) {
      assert_null(family);
      continue;
    }
    l2o_problem p;
    assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 1, &diag), L2O_OK, &diag);
    const l2o_sum_rate *d = l2o_sum_rate_of(&p);
    assert_true(d->sizes.streams == 2 && d->noise == (i == 2 ? 0.5 : 1) && d->power == (i == 2 ? 4 : 1) &&
                d->a[3] == (i == 1 ? 2 : 1));
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
  l2o_family *family;
  l2o_problem p;
  l2o_diag diag;
  write_arrays(in_folder("zero"), (array[]){{"H", 6, {1, 1, 1, 1, 1, 2}, 0, 0}}, 1);
  assert_status(l2o_family_open(&family, "sum-rate", in_folder("zero"), &diag), L2O_OK, &diag);
  assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, &diag), L2O_ERR_NUMERIC, NULL);
  assert_names(&diag, "H is zero");
  l2o_family_free(family);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_portable_generator_is_as_written_down),
      cmocka_unit_test(the_layout_has_the_gains_written_down),
      cmocka_unit_test(other_recipes),
      cmocka_unit_test(value_and_gradient_are_those_of_the_definition),
      cmocka_unit_test(operations_agree_with_differences),
      cmocka_unit_test(pieces_of_a_point_fit_together),
      cmocka_unit_test(products_with_the_curvature),
      cmocka_unit_test(products_with_the_curvature_backwards),
#ifndef L2O_SINGLE
      cmocka_unit_test(gradient_and_curvature_backwards),
#endif
      cmocka_unit_test(rates_do_not_see_a_rotation_of_the_streams),
      cmocka_unit_test(the_order_of_users_and_cells_does_not_matter),
      cmocka_unit_test(the_projection_scales_base_stations),
      cmocka_unit_test(shifted_instances),
      cmocka_unit_test(starts_are_what_they_are_called),
      cmocka_unit_test(bad_arrays_are_refused),
      cmocka_unit_test(points_that_are_not_finite),
      cmocka_unit_test_setup_teardown(channel_files_come_back_bit_for_bit, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(broken_channel_files_say_what_is_wrong, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
