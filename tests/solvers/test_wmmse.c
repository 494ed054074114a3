/* SPDX-License-Identifier: BSD-3-Clause */
/* Solvers of sums of rates: wmmse, fastfp, projected-gradient and wmmse-power against published numbers of the portable generator,
 * against WMMSE from its definition, stationarity, and the closed form of one link. */
#include "l2o_fixtures.h"

#include "counting_malloc.h"
#include "problems/power_control.h"
#include "sum_rate_reference.h"

static const double LN2 = 0.69314718055994530942;

/* Rate after so many iterations, from x or, where that is NULL, from the start. */
static double rate_from(const l2o_problem *p, l2o_real *x, const char *solver, const char *options, size_t iterations) {
  l2o_settings s = l2o_settings_default();
  l2o_result result;
  l2o_diag diag = {""};
  l2o_real *own = malloc(p->n * sizeof *own);
  if (!x)
    assert_status(l2o_problem_start(p, own), L2O_OK, NULL);
  s.iterations = iterations;
  s.options = options;
  assert_status(l2o_minimize(solver_named(solver), NULL, p, x ? x : own, &result, &s, &diag), L2O_OK, &diag);
  free(own);
  return -result.last.objective;
}

static l2o_problem portable(const char *family, const char *options, uint64_t seed) {
  char spec[160];
  snprintf(spec, sizeof spec, "%s:sampler=mt19937%s%s", family, *options ? "," : "", options);
  return sampled(spec, seed, 0);
}

static double mean_rate(const char *family, const char *setting, uint64_t seeds, const char *solver, const char *options,
                        size_t iterations) {
  double sum = 0;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    l2o_problem p = portable(family, setting, seed);
    sum += rate_from(&p, NULL, solver, options, iterations);
    l2o_problem_free(&p);
  }
  return sum / (double)seeds;
}

/* Steps of projected ascent by eta dR / dp, or eta G = eta dR / dV^*: of f in bits and real coordinates. */
#define FIXED "step_rule=fixed,step="
static const char *fixed(double eta, bool complex_unknowns) {
  static char text[60];
  snprintf(text, sizeof text, FIXED "%.17g", eta * LN2 / (complex_unknowns ? 2 : 1));
  return text;
}

/* ---- published numbers ---- */

/* Digits that a number has in its table; single precision may leave the path of double where two points are as good. */
static const double SIX = BY_PRECISION(6e-7, 3e-2), FOUR = BY_PRECISION(6e-5, 2e-2);

static void rates_of_five_seeds(void **state) {
  (void)state;
  static const struct {
    const char *solver;
    double eta;
    size_t iterations;
    double rates[5];
  } rows[] = {
      {"wmmse", 0, 100, {21.157489, 18.635607, 19.050417, 20.802033, 18.909152}},
      {"wmmse", 0, 1, {12.386431, 12.229213, 10.073104, 13.770587, 12.930604}},
      {"fastfp", 0, 100, {20.600085, 18.556937, 18.856336, 20.360249, 18.710249}},
      {"projected-gradient", 0.2, 100, {20.466995, 18.550859, 18.975430, 20.372417, 18.818487}},
      {"wmmse", 0, 0, {7.279949, 7.057618, 6.648468, 8.185303, 5.950076}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (uint64_t seed = 1; seed <= 5; seed++) {
      l2o_problem p = portable("sum-rate", "", seed);
      assert_close(rate_from(&p, NULL, rows[i].solver, rows[i].eta > 0 ? fixed(rows[i].eta, true) : "", rows[i].iterations),
                   rows[i].rates[seed - 1], 0, SIX);
      l2o_problem_free(&p);
    }
}

typedef struct row {
  const char *setting, *solver, *options;
  double eta;
  size_t iterations;
  double rate;
} row;

/* Steps that are too long for convergence, at 20 dB and of the layout, are compared for ten iterations: after a hundred what
 * rounding began has grown into half a bit. */
static void means_of_twenty_seeds(void **state) {
  (void)state;
  static const row rows[] = {
      {"", "wmmse", "", 0, 0, 6.8595},
      {"", "wmmse", "", 0, 1, 11.7852},
      {"", "wmmse", "", 0, 5, 17.9448},
      {"", "wmmse", "", 0, 10, 18.7841},
      {"", "wmmse", "", 0, 20, 19.0963},
      {"", "wmmse", "", 0, 50, 19.2740},
      {"", "wmmse", "", 0, 100, 19.3143},
      {"", "wmmse", "", 0, 1000, 19.3719},
      {"", "fastfp", "", 0, 1, 9.8157},
      {"", "fastfp", "", 0, 5, 14.0178},
      {"", "fastfp", "", 0, 10, 15.5646},
      {"", "fastfp", "", 0, 20, 16.8963},
      {"", "fastfp", "", 0, 50, 18.3533},
      {"", "fastfp", "", 0, 100, 18.9642},
      {"", "fastfp", "", 0, 1000, 19.2952},
      {"", "fastfp", "rho=1.5", 0, 10, 16.5291},
      {"", "fastfp", "rho=1.5", 0, 100, 19.1286},
      {"", "fastfp", "rho=1.9", 0, 10, 17.0512},
      {"", "fastfp", "rho=1.9", 0, 100, 19.1796},
      {"", "fastfp", "lambda=norm", 0, 10, 15.3196},
      {"", "fastfp", "lambda=norm", 0, 100, 18.9020},
      {"", "fastfp", "extrapolation=true", 0, 5, 15.1930},
      {"", "fastfp", "extrapolation=true", 0, 10, 17.0748},
      {"", "fastfp", "extrapolation=true", 0, 100, 19.3073},
      {"", "projected-gradient", NULL, 0.15, 10, 8.7874},
      {"", "projected-gradient", NULL, 0.15, 100, 18.7480},
      {"", "projected-gradient", NULL, 0.2, 1, 7.0604},
      {"", "projected-gradient", NULL, 0.2, 10, 9.6505},
      {"", "projected-gradient", NULL, 0.2, 100, 19.0066},
      {"", "projected-gradient", NULL, 0.5, 10, 14.4474},
      {"", "projected-gradient", NULL, 0.5, 100, 16.3416},
      {"snr_db=0", "wmmse", "", 0, 1, 7.0624},
      {"snr_db=0", "wmmse", "", 0, 10, 8.3024},
      {"snr_db=0", "wmmse", "", 0, 100, 8.3769},
      {"snr_db=0", "fastfp", "", 0, 10, 8.1221},
      {"snr_db=0", "fastfp", "", 0, 100, 8.3834},
      {"snr_db=0", "projected-gradient", NULL, 0.2, 100, 8.3889},
      {"snr_db=20", "wmmse", "", 0, 1, 13.1041},
      {"snr_db=20", "wmmse", "", 0, 10, 28.9064},
      {"snr_db=20", "wmmse", "", 0, 100, 31.6522},
      {"snr_db=20", "fastfp", "", 0, 10, 18.0466},
      {"snr_db=20", "fastfp", "", 0, 100, 24.1568},
      {"snr_db=20", "projected-gradient", NULL, 1, 1, 7.2661},
      {"snr_db=20", "projected-gradient", NULL, 1, 10, 8.7051},
      {"tx=8", "wmmse", "", 0, 1, 20.3366},
      {"tx=8", "wmmse", "", 0, 10, 29.6293},
      {"tx=8", "wmmse", "", 0, 100, 30.4577},
      {"tx=8", "fastfp", "", 0, 100, 29.3722},
      {"tx=8", "projected-gradient", NULL, 0.1, 100, 29.5490},
      {"cells=1,users=4,tx=8,rx=1", "wmmse", "", 0, 1, 13.1643},
      {"cells=1,users=4,tx=8,rx=1", "wmmse", "", 0, 10, 15.1122},
      {"cells=1,users=4,tx=8,rx=1", "wmmse", "", 0, 100, 15.1365},
      {"cells=1,users=4,tx=8,rx=1", "fastfp", "", 0, 100, 15.1187},
      {"cells=1,users=4,tx=8,rx=1", "projected-gradient", NULL, 0.1, 100, 15.1155},
      {"channel=layout,tx=8", "wmmse", "", 0, 1, 55.6309},
      {"channel=layout,tx=8", "wmmse", "", 0, 10, 80.3141},
      {"channel=layout,tx=8", "wmmse", "", 0, 100, 82.9149},
      {"channel=layout,tx=8", "fastfp", "", 0, 100, 55.9719},
      {"channel=layout,tx=8", "projected-gradient", NULL, 0.003, 1, 30.9017},
      {"channel=layout,tx=8", "projected-gradient", NULL, 0.003, 10, 38.1736},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const row *r = &rows[i];
    const double rate =
        mean_rate("sum-rate", r->setting, 20, r->solver, r->options ? r->options : fixed(r->eta, true), r->iterations);
    if (!(fabs(rate - r->rate) <= FOUR * BY_PRECISION(1, fmax(1, r->rate / 20))))
      fail_msg("%s on '%s', %zu iterations: %.4f, expected %.4f", r->solver, r->setting, r->iterations, rate, r->rate);
  }
}

/* 200 seeds; one table is of Pmax and of uniform powers, before any step */
static void means_of_power_control(void **state) {
  (void)state;
  static const struct {
    int links;
    double wmmse, full, uniform, ascent;
  } rows[] = {{5, 2.0596, 1.3788, 1.1401, 2.0608},
              {10, 2.8756, 1.4668, 1.3530, 2.8719},
              {20, 3.5833, 1.4307, 1.3896, 3.5891},
              {30, 4.0521, 1.3955, 1.3523, 4.0568}};
  const double close = BY_PRECISION(6e-5, 5e-3);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char setting[40];
    snprintf(setting, sizeof setting, "links=%d", rows[i].links);
    assert_close(mean_rate("power-control", setting, 200, "wmmse-power", "", 0), rows[i].full, 0, close);
    assert_close(mean_rate("power-control", setting, 200, "wmmse-power", "", 100), rows[i].wmmse, 0, close);
    assert_close(mean_rate("power-control", setting, 200, "projected-gradient", fixed(2, false), 100), rows[i].ascent, 0, close);
    snprintf(setting, sizeof setting, "links=%d,start=uniform", rows[i].links);
    assert_close(mean_rate("power-control", setting, 200, "wmmse-power", "", 0), rows[i].uniform, 0, close);
  }
}

/* ---- promises ---- */

static void assert_monotone(const char *family, const char *setting, uint64_t seed, const char *solver, const char *options,
                            size_t iterations) {
  l2o_problem p = portable(family, setting, seed);
  l2o_trace *trace;
  l2o_settings s = l2o_settings_default();
  l2o_diag diag = {""};
  size_t count;
  l2o_real *x = malloc(p.n * sizeof *x);
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  assert_status(l2o_trace_new(&trace, iterations + 1, 0), L2O_OK, NULL);
  s.iterations = iterations, s.options = options, s.traces = &trace;
  assert_status(l2o_minimize(solver_named(solver), NULL, &p, x, NULL, &s, &diag), L2O_OK, &diag);
  const l2o_record *r = l2o_trace_records(trace, &count);
  assert_int_equal(count, iterations + 1);
  for (size_t k = 1; k < count; k++)
    if (!(r[k].objective <= r[k - 1].objective + BY_PRECISION(2e-11, 3e-4 - 5e-5 * r[k].objective)))
      fail_msg("%s:%s on '%s', seed %llu: the rate falls at %zu from %.15g to %.15g", solver, options, setting,
               (unsigned long long)seed, k, -r[k - 1].objective, -r[k].objective);
  assert_true(r[count - 1].objective < r[0].objective);
  l2o_trace_free(trace);
  free(x);
  l2o_problem_free(&p);
}

static void rates_never_fall(void **state) {
  (void)state;
  static const char *const settings[] = {"",
                                         "weights=random,snr_db=20",
                                         "cells=2,users=5,tx=3,rx=3,snr_db=0",
                                         "channel=layout,tx=8",
                                         "cells=1,users=4,tx=8,rx=1",
                                         "cells=2,users=2,tx=16,streams=1,weights=random",
                                         "cells=7,users=3,channel=imac,start=random",
                                         "channel=deepfp,cells=3,users=3,start=zf"};
  static const char *const rhos[] = {"rho=1", "rho=1.5", "rho=1.9", "rho=1.9,lambda=norm"};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    for (uint64_t seed = 1; seed <= 4; seed++) {
      assert_monotone("sum-rate", settings[i], seed, "wmmse", "", 150);
      for (size_t k = 0; k < 4; k++)
        assert_monotone("sum-rate", settings[i], seed, "fastfp", rhos[k], 100);
    }
  for (uint64_t seed = 1; seed <= 20; seed++)
    assert_monotone("power-control", "links=20,weights=random,snr_db=10", seed, "wmmse-power", "", 200);
}

/* ---- WMMSE from its definition ---- */

/* One step: D_j and Lambda_u from the receivers and weights, mu by bisection. */
static void definition_of_a_step(const reference *r, l2o_real *next, const l2o_real *x) {
  const l2o_sum_rate *d = r->d;
  const size_t rx = d->sizes.rx, tx = d->sizes.tx, s = d->sizes.streams, K = d->sizes.users, n = d->n;
  number **U = malloc(n * sizeof *U), **UW = malloc(n * sizeof *UW);
  for (size_t u = 0; u < n; u++) {
    number *C = covariance(r, x, u, true), *F = received(r, x, u, u), *receiver = received(r, x, u, u);
    eliminate(C, receiver, rx, s);
    number *E = times(F, true, receiver, false, s, s, rx), *W = calloc(s * s, sizeof *W);
    for (size_t i = 0; i < s * s; i++) { /* (I - F^H U)^-1 */
      E[i] = (i % (s + 1) ? 0 : 1) - E[i];
      W[i] = i % (s + 1) ? 0 : 1;
    }
    eliminate(E, W, s, s);
    U[u] = receiver, UW[u] = times(receiver, false, W, false, rx, s, s);
    free(C), free(F), free(E), free(W);
  }
  for (size_t j = 0; j < d->sizes.cells; j++) {
    number *D = calloc(tx * tx, sizeof *D), *B = calloc(tx * K * s, sizeof *B);
    for (size_t u = 0; u < n; u++) {
      number *left = times(channel_to(r, u, j), true, UW[u], false, tx, s, rx),
             *right = times(channel_to(r, u, j), true, U[u], false, tx, s, rx), *part = times(left, false, right, true, tx, tx, s);
      for (size_t i = 0; i < tx * tx; i++)
        D[i] += (double)d->a[u] * part[i];
      for (size_t i = 0; u / K == j && i < tx * s; i++)
        B[i / s * K * s + u % K * s + i % s] = (double)d->a[u] * left[i];
      free(left), free(right), free(part);
    }
    double low = 0, high = 0;
    for (size_t i = 0; i < tx * K * s; i++)
      high += creal(B[i] * conj(B[i]));
    high = sqrt(high / d->power);
    number *A = malloc(tx * tx * sizeof *A), *V = malloc(tx * K * s * sizeof *V);
    for (int pass = 0; pass < 70; pass++) { /* the last one at the upper end, which keeps to the budget */
      const double mu = pass == 0 ? 1e-9 * high : pass == 69 ? high : 0.5 * (low + high);
      double power = 0;
      memcpy(A, D, tx * tx * sizeof *A), memcpy(V, B, tx * K * s * sizeof *V);
      for (size_t i = 0; i < tx; i++)
        A[i * (tx + 1)] += mu;
      eliminate(A, V, tx, K * s);
      for (size_t i = 0; i < tx * K * s; i++)
        power += creal(V[i] * conj(V[i]));
      *(power <= d->power ? &high : &low) = mu;
      if (pass == 0 && power <= d->power)
        break;
    }
    for (size_t i = 0; i < tx * K * s; i++) {
      l2o_real *v = next + 2 * ((j * K + i % (K * s) / s) * tx * s + i / (K * s) * s + i % s);
      v[0] = (l2o_real)creal(V[i]), v[1] = (l2o_real)cimag(V[i]);
    }
    free(D), free(B), free(A), free(V);
  }
  for (size_t u = 0; u < n; u++)
    free(U[u]), free(UW[u]);
  free(U), free(UW);
}

static void a_step_is_that_of_the_definition(void **state) {
  (void)state;
  static const struct {
    const char *setting;
    double tolerance; /* 1e-6 where D is singular and mu is 0: no more can be said of its inverse */
  } cases[] = {{"", 1e-9},
               {"weights=random,cells=2,users=5,tx=5,rx=3,streams=2", 1e-9},
               {"cells=1,users=1,tx=1,rx=1", 1e-9},
               {"cells=2,users=2,tx=16,streams=1", 1e-6}, /* Y^H Y is the smaller matrix */
               {"cells=2,users=2,tx=12,rx=3,streams=2,weights=random,snr_db=-5", 1e-6},
               {"cells=1,users=9,tx=10,rx=2,streams=1,snr_db=30", 1e-6}, /* two blocks of lanes */
               {"cells=1,users=3,tx=9,rx=3,streams=3", 1e-9}};           /* 9 x 9 either way */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_problem p = portable("sum-rate", cases[i].setting, 40 + i);
    reference r = reference_of(&p);
    l2o_real *x = malloc(p.n * sizeof *x), *expected = malloc(p.n * sizeof *x);
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    for (int k = 0; k < 3; k++) {
      double size = 0;
      definition_of_a_step(&r, expected, x);
      rate_from(&p, x, "wmmse", "", 1);
      for (size_t m = 0; m < p.n; m++)
        size = fmax(size, fabs((double)expected[m]));
      for (size_t m = 0; m < p.n; m++)
        if (!(fabs((double)x[m] - (double)expected[m]) <= BY_PRECISION(cases[i].tolerance, 2e-3) * size))
          fail_msg("'%s', step %d: x_%zu = %.12g, expected %.12g", cases[i].setting, k, m, (double)x[m], (double)expected[m]);
    }
    free(x), free(expected), free(r.H);
    l2o_problem_free(&p);
  }
}

/* After many steps the conditions of a stationary point hold, as the test sees them. */
static void limits_are_stationary(void **state) {
  (void)state;
  static const struct {
    const char *setting, *solver, *options;
    size_t iterations;
    double tolerance;
  } rows[] = {
      {"cells=1,users=4,tx=8,rx=1", "wmmse", "", 3000, 1e-6},
      {"cells=2,users=2,tx=16,streams=1,weights=random", "wmmse", "", 3000, 1e-5},
      {"snr_db=0", "wmmse", "", 20000, 1e-5},
      {"snr_db=0", "fastfp", "rho=1.9", 20000, 1e-5},
      {"snr_db=0", "projected-gradient", "", 3000, 1e-5},
      {"cells=1,users=3,tx=4,rx=2", "projected-gradient", "step_rule=armijo", 3000, 1e-4},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    l2o_problem p = portable("sum-rate", rows[i].setting, 2);
    reference r = reference_of(&p);
    l2o_real *x = malloc(p.n * sizeof *x);
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    assert_true(stationarity(&r, x) > 0.05 || isnan(stationarity(&r, x)));
    rate_from(&p, x, rows[i].solver, rows[i].options, rows[i].iterations);
    const double rest = stationarity(&r, x);
    if (!(rest <= BY_PRECISION(rows[i].tolerance, 2e-2)))
      fail_msg("%s on '%s': %g", rows[i].solver, rows[i].setting, rest);
    free(x), free(r.H);
    l2o_problem_free(&p);
  }
}

/* dR_i / dp_j <= 0 at 0, >= 0 at the largest power, 0 between; no better neighbour on the axes */
static void limits_of_power_control_are_stationary(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 10; seed++) {
    l2o_problem p = portable("power-control", "links=10,weights=random", seed);
    l2o_real x[10], g[10];
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    rate_from(&p, x, "wmmse-power", "", 20000);
    gradient_at(&p, g, x);
    for (size_t i = 0; i < 10; i++) {
      const double z = (double)x[i], slope = (double)g[i], close = BY_PRECISION(1e-3, 1e-2);
      assert_true(z >= 0 && z <= 1);
      assert_true(z > 0.9999 ? slope <= close : z < 1e-4 ? slope >= -close : fabs(slope) <= close);
    }
    l2o_problem_free(&p);
  }
}

/* ---- one link ---- */

/* Squares of the singular values of the only channel: eigenvalues of H H^H (2, 2). */
static void singular_values(double *value, const number *H, size_t tx) {
  double a = 0, b = 0;
  number c = 0;
  for (size_t t = 0; t < tx; t++) {
    a += creal(H[t] * conj(H[t]));
    b += creal(H[tx + t] * conj(H[tx + t]));
    c += H[t] * conj(H[tx + t]);
  }
  const double half = 0.5 * (a - b), root = sqrt(half * half + creal(c * conj(c)));
  value[0] = 0.5 * (a + b) + root;
  value[1] = 0.5 * (a + b) - root;
}

static void one_user_fills_water(void **state) {
  (void)state;
  static const int decibels[] = {-10, 0, 10, 30}; /* the second stream is off at the first, and on at the last */
  size_t off = 0, on = 0;
  for (size_t i = 0; i < 4; i++)
    for (uint64_t seed = 1; seed <= 4; seed++) {
      char setting[80];
      double value[2];
      snprintf(setting, sizeof setting, "cells=1,users=1,tx=3,rx=2,snr_db=%d", decibels[i]);
      l2o_problem p = portable("sum-rate", setting, seed);
      reference r = reference_of(&p);
      singular_values(value, r.H, 3);
      /* p_i = max(level - 1 / value_i, 0), sum p_i = power */
      double level = 0.5 * (r.d->power + 1 / value[0] + 1 / value[1]);
      const bool both = level > 1 / value[1];
      if (!both)
        level = r.d->power + 1 / value[0];
      const double best = (log(level * value[0]) + (both ? log(level * value[1]) : 0)) / LN2;
      off += !both, on += both;
      /* where a stream is just about to go, it goes slowly */
      assert_close(rate_from(&p, NULL, "wmmse", "", 20000), best, BY_PRECISION(1e-6, 1e-4), 0);
      assert_close(rate_from(&p, NULL, "projected-gradient", "", 2000), best, BY_PRECISION(1e-6, 1e-4), 0);
      assert_true(rate_from(&p, NULL, "wmmse", "", 20000) <= best * (1 + BY_PRECISION(1e-12, 1e-5)));
      free(r.H);
      l2o_problem_free(&p);
    }
  assert_true(off >= 1 && on >= 4);
  for (uint64_t seed = 1; seed <= 3; seed++) { /* one antenna at the user: the matched filter, log2(1 + power |h|^2) */
    l2o_problem p = portable("sum-rate", "cells=1,users=1,tx=5,rx=1", seed);
    reference r = reference_of(&p);
    double square = 0;
    for (size_t t = 0; t < 5; t++)
      square += creal(r.H[t] * conj(r.H[t]));
    const double best = log(1 + 10 * square) / LN2;
    assert_close(rate_from(&p, NULL, "wmmse", "", 0), best, BY_PRECISION(1e-13, 1e-6), 0);
    l2o_real x[10];
    normal_reals(x, 10, seed);
    assert_close(rate_from(&p, x, "wmmse", "", 300), best, BY_PRECISION(1e-10, 1e-5), 0);
    free(r.H);
    l2o_problem_free(&p);
  }
  l2o_problem p = portable("power-control", "links=1,start=uniform", 1); /* and of one link: all the power */
  l2o_real x[1];
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  assert_true(x[0] < 1);
  rate_from(&p, x, "wmmse-power", "", 100);
  assert_close(x[0], 1, BY_PRECISION(1e-12, 1e-6), 0);
  l2o_problem_free(&p);
}

/* ---- corners ---- */

/* Channels of rank one, a user that nobody reaches, a base station that reaches nobody. */
static void poor_channels(void **state) {
  (void)state;
  enum { CELLS = 2, USERS = 2, N = 4, TX = 3, RX = 2, ENTRIES = 2 * N * CELLS * RX * TX };
  const l2o_sum_rate_sizes sizes = {.cells = CELLS, .users = USERS, .tx = TX, .rx = RX, .streams = 2};
  static const char *const solvers[] = {"wmmse", "fastfp", "projected-gradient"};
  for (int kind = 0; kind < 3; kind++)
    for (size_t s = 0; s < 3; s++) {
      l2o_real H[ENTRIES], x[2 * N * TX * 2];
      normal_reals(H, ENTRIES, 4);
      for (size_t u = 0; u < N; u++)
        for (size_t j = 0; j < CELLS; j++) {
          l2o_real *block = H + 2 * (u * CELLS + j) * RX * TX;
          for (size_t i = 0; i < 2 * TX; i++)
            if (kind == 0)
              block[2 * TX + i] = 2 * block[i]; /* the second row twice the first */
          if ((kind == 1 && u == 1) || (kind == 2 && j == 1))
            memset(block, 0, 2 * RX * TX * sizeof *block);
        }
      l2o_problem p;
      assert_status(l2o_sum_rate_new(&p, H, NULL, NULL, 1, 100, &sizes, NULL), L2O_OK, NULL);
      assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
      const double f0 = value_at(&p, x), rate = rate_from(&p, x, solvers[s], "", 300);
      assert_true(rate > -f0 && isfinite(rate));
      l2o_real projected[2 * N * TX * 2];
      assert_status(l2o_problem_project(&p, projected, x, NULL), L2O_OK, NULL);
      for (size_t i = 0; i < p.n; i++)
        assert_close(projected[i], x[i], BY_PRECISION(1e-13, 1e-5), 0);
      l2o_problem_free(&p);
    }
}

/* From silence nothing can be heard to do better: every solver stays, and says so or runs on. */
static void silence_stays(void **state) {
  (void)state;
  static const char *const solvers[] = {"wmmse", "fastfp"};
  l2o_problem p = portable("sum-rate", "", 1);
  for (size_t s = 0; s < 2; s++) {
    l2o_real *x = calloc(p.n, sizeof *x);
    assert_true(rate_from(&p, x, solvers[s], "", 5) == 0);
    for (size_t i = 0; i < p.n; i++)
      assert_true(x[i] == 0);
    free(x);
  }
  l2o_problem_free(&p);
}

/* ---- restarts and the tolerance ---- */

static void restarts_end_at_the_best(void **state) {
  (void)state;
  double alone = 0, best = 0;
  for (uint64_t seed = 1; seed <= 5; seed++) {
    l2o_problem p = portable("sum-rate", "", seed);
    l2o_settings s = l2o_settings_default();
    l2o_result result;
    l2o_real *x = malloc(p.n * sizeof *x), *again = malloc(p.n * sizeof *x);
    const double first = rate_from(&p, NULL, "wmmse", "", 60);
    for (int run = 0; run < 2; run++) {
      assert_status(l2o_problem_start(&p, run ? again : x), L2O_OK, NULL);
      s.options = "restarts=5,restart_after=60", s.iterations = 10000;
      assert_status(l2o_minimize(solver_named("wmmse"), NULL, &p, run ? again : x, &result, &s, NULL), L2O_OK, NULL);
    }
    assert_same_reals(x, again, p.n);
    assert_true(result.stop == L2O_STOP_STALLED && result.last.iteration == 6 * 61);
    assert_true(-result.last.objective >= first && result.last.objective == value_at(&p, x));
    alone += first, best += -result.last.objective;
    free(x), free(again);
    l2o_problem_free(&p);
  }
  assert_true(best > alone + 0.1);
}

static void the_tolerance_ends_a_run(void **state) {
  (void)state;
  l2o_problem p = portable("sum-rate", "", 1);
  l2o_settings s = l2o_settings_default();
  l2o_result result;
  l2o_real *x = malloc(p.n * sizeof *x);
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  s.options = "tolerance=1e-4", s.iterations = 1000;
  assert_status(l2o_minimize(solver_named("wmmse"), NULL, &p, x, &result, &s, NULL), L2O_OK, NULL);
  const size_t k = result.last.iteration - 1; /* the last step found out, and did not move */
  assert_true(result.stop == L2O_STOP_STALLED && k > 5 && k < 200);
  const double last = rate_from(&p, NULL, "wmmse", "", k), before = rate_from(&p, NULL, "wmmse", "", k - 1),
               earlier = rate_from(&p, NULL, "wmmse", "", k - 2);
  assert_true(-result.last.objective == last);
  assert_true(last - before <= 1e-4 * last && before - earlier > 1e-4 * before);
  /* a rough multiplier keeps to the budget all the same */
  const double rough = rate_from(&p, NULL, "wmmse", "multiplier_tolerance=1e-2", 50);
  assert_close(rough, rate_from(&p, NULL, "wmmse", "", 50), 1e-2, 0);
  free(x);
  l2o_problem_free(&p);
}

/* ---- what a step does beside its work ---- */

static void other_problems_are_refused(void **state) {
  (void)state;
  static const char *const names[] = {"wmmse", "fastfp", "wmmse-power"};
  l2o_problem qp = sampled("qp", 1, 0), rate = sampled("sum-rate", 1, 0), power = sampled("power-control", 1, 0);
  for (size_t i = 0; i < 3; i++) {
    l2o_run *run;
    l2o_diag diag = {""};
    assert_status(l2o_run_new(&run, solver_named(names[i]), NULL, &qp, NULL, &diag), L2O_ERR_NOTSUP, NULL);
    assert_names(&diag, "solves problems of the family");
    assert_status(l2o_run_new(&run, solver_named(names[i]), NULL, i < 2 ? &power : &rate, NULL, &diag), L2O_ERR_NOTSUP, NULL);
    assert_names(&diag, i < 2 ? "'power-control' is none" : "'sum-rate' is none");
  }
  l2o_problem_free(&qp);
  l2o_problem_free(&rate);
  l2o_problem_free(&power);
}

static void steps_allocate_nothing_and_count_their_calls(void **state) {
  (void)state;
  static const struct {
    const char *family, *solver, *options;
    size_t values, gradients; /* a step */
  } rows[] = {{"sum-rate", "wmmse", "", 1, 0},
              {"sum-rate:tx=16,streams=1", "wmmse", "", 1, 0},
              {"sum-rate", "wmmse", "restarts=3,restart_after=4", 1, 0},
              {"sum-rate", "fastfp", "", 1, 1},
              {"sum-rate", "fastfp", "extrapolation=true", 1, 1},
              {"sum-rate", "fastfp", "lambda=norm", 1, 1},
              {"power-control", "wmmse-power", "", 1, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    l2o_problem p = sampled(rows[i].family, 3, 0);
    l2o_settings s = l2o_settings_default();
    l2o_run *run;
    l2o_record record;
    l2o_stop stop = L2O_STOP_NONE;
    s.options = rows[i].options;
    assert_status(l2o_run_new(&run, solver_named(rows[i].solver), NULL, &p, &s, NULL), L2O_OK, NULL);
    assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
    allocations_watch(0);
    for (int k = 0; k < 12; k++) {
      assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
      assert_status(l2o_run_record(run, &record), L2O_OK, NULL); /* which looks at the point, and changes nothing */
    }
    assert_int_equal(allocations_seen().calls, 0);
    assert_int_equal(record.value_calls, 12 * rows[i].values);
    assert_int_equal(record.gradient_calls, 12 * rows[i].gradients);
    l2o_real *x = malloc(p.n * sizeof *x);
    memcpy(x, l2o_run_x(run), p.n * sizeof *x);
    assert_status(l2o_run_start(run, NULL), L2O_OK, NULL); /* the same without looking */
    for (int k = 0; k < 12; k++)
      assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
    assert_same_reals(l2o_run_x(run), x, p.n);
    free(x);
    l2o_run_free(run);
    l2o_problem_free(&p);
  }
}

/* A gradient that was made with other scratch, as guards hand it over, does for a step as well. */
static void fastfp_takes_a_gradient_from_elsewhere(void **state) {
  (void)state;
  const l2o_solver *solver = solver_named("fastfp");
  const double options[] = {1, 0, 0};
  l2o_problem p = portable("sum-rate", "", 3);
  l2o_iterate it = {.problem = &p, .options = options, .n = p.n};
  l2o_real *expected = malloc(p.n * sizeof *expected), *elsewhere = malloc(l2o_problem_work_len(&p) * sizeof *elsewhere);
  it.x = malloc(p.n * sizeof *it.x), it.g = malloc(p.n * sizeof *it.g);
  it.work = calloc(l2o_problem_work_len(&p), sizeof *it.work), it.scratch = malloc(solver->scratch_len(&it) * sizeof *it.scratch);
  assert_status(l2o_problem_start(&p, it.x), L2O_OK, NULL);
  memcpy(expected, it.x, p.n * sizeof *expected);
  rate_from(&p, expected, "fastfp", "", 2);
  rate_from(&p, it.x, "fastfp", "", 1);
  assert_status(l2o_problem_gradient(&p, &it.f, it.g, it.x, elsewhere), L2O_OK, NULL);
  it.has_gradient = true;
  l2o_stop stop = L2O_STOP_NONE;
  assert_status(solver->step(&it, NULL, &stop), L2O_OK, NULL);
  assert_same_reals(it.x, expected, p.n);
  free(it.x), free(it.g), free(it.work), free(it.scratch), free(expected), free(elsewhere);
  l2o_problem_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rates_of_five_seeds),
      cmocka_unit_test(means_of_twenty_seeds),
      cmocka_unit_test(means_of_power_control),
      cmocka_unit_test(rates_never_fall),
      cmocka_unit_test(a_step_is_that_of_the_definition),
      cmocka_unit_test(limits_are_stationary),
      cmocka_unit_test(limits_of_power_control_are_stationary),
      cmocka_unit_test(one_user_fills_water),
      cmocka_unit_test(poor_channels),
      cmocka_unit_test(silence_stays),
      cmocka_unit_test(restarts_end_at_the_best),
      cmocka_unit_test(the_tolerance_ends_a_run),
      cmocka_unit_test(other_problems_are_refused),
      cmocka_unit_test(steps_allocate_nothing_and_count_their_calls),
      cmocka_unit_test(fastfp_takes_a_gradient_from_elsewhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
