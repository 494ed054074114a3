/* SPDX-License-Identifier: BSD-3-Clause */
/* What theory says of bfgs, lbfgs, bfgs-hd and newton. */
#include "../../solvers/bfgs_update.h"
#include "../../solvers/line_search.h"
#include "core/linalg.h"
#include "l2o_fixtures.h"

enum { N = 10 };

/* f = 1/2 sum_i (i + 1) u_i^2 + 1/4 sum_i u_i^4 - b'u with u = x + the mean of x: strongly convex, not quadratic. */
static const double B[N] = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10};
static double mean_of(const l2o_real *v) {
  double sum = 0;
  for (size_t i = 0; i < N; i++)
    sum += (double)v[i];
  return sum / N;
}
static l2o_status quartic(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)p, (void)work;
  const double mean = mean_of(x);
  double du[N], total = 0;
  *f = 0;
  for (size_t i = 0; i < N; i++) {
    const double u = (double)x[i] + mean, c = (double)(i + 1);
    *f += c * u * u / 2 + u * u * u * u / 4 - B[i] * u;
    du[i] = c * u + u * u * u - B[i];
    total += du[i] / N;
  }
  for (size_t i = 0; i < N; i++)
    g[i] = (l2o_real)(du[i] + total);
  return L2O_OK;
}
static l2o_status quartic_hv(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  (void)p, (void)work;
  const double x_mean = mean_of(x), v_mean = mean_of(v);
  double du[N], total = 0;
  for (size_t i = 0; i < N; i++) {
    const double u = (double)x[i] + x_mean;
    du[i] = ((double)(i + 1) + 3 * u * u) * ((double)v[i] + v_mean);
    total += du[i] / N;
  }
  for (size_t i = 0; i < N; i++)
    hv[i] = (l2o_real)(du[i] + total);
  return L2O_OK;
}
static const l2o_problem_ops quartic_ops = {
    .struct_size = sizeof quartic_ops, .name = "quartic", .gradient = quartic, .hessian_vector = quartic_hv};
static const l2o_problem quartic_problem = {.ops = &quartic_ops, .n = N};

/* u_i solves c u + u^3 = b by bisection; x = u - mean(u) / 2. */
static void quartic_minimiser(double *x) {
  double mean = 0;
  for (size_t i = 0; i < N; i++) {
    double low = -20, high = 20;
    for (int k = 0; k < 200; k++) {
      const double u = (low + high) / 2;
      *((double)(i + 1) * u + u * u * u < B[i] ? &low : &high) = u;
    }
    x[i] = low;
    mean += low / N;
  }
  for (size_t i = 0; i < N; i++)
    x[i] -= mean / 2;
}

/* x1^4/4 - x1^2/2 + x2^2/2: a saddle at 0 between the minima (-1, 0) and (1, 0). */
static l2o_status saddle(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)p, (void)work;
  const double a = (double)x[0], b = (double)x[1];
  *f = a * a * a * a / 4 - a * a / 2 + b * b / 2;
  g[0] = (l2o_real)(a * a * a - a);
  g[1] = x[1];
  return L2O_OK;
}
static l2o_status saddle_hv(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  (void)p, (void)work;
  hv[0] = (3 * x[0] * x[0] - 1) * v[0];
  hv[1] = v[1];
  return L2O_OK;
}
static const l2o_problem_ops saddle_ops = {
    .struct_size = sizeof saddle_ops, .name = "saddle", .gradient = saddle, .hessian_vector = saddle_hv};
static const l2o_problem saddle_problem = {.ops = &saddle_ops, .n = 2};

/* The extended Rosenbrock function. */
static l2o_status extended(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i += 2) {
    const double a = 1 - (double)x[i], b = 10 * ((double)x[i + 1] - (double)x[i] * (double)x[i]);
    *f += a * a + b * b;
    g[i] = (l2o_real)(-2 * a - 40 * (double)x[i] * b);
    g[i + 1] = (l2o_real)(20 * b);
  }
  return L2O_OK;
}
static const l2o_problem_ops extended_ops = {.struct_size = sizeof extended_ops, .name = "extended", .gradient = extended};

/* ---- runs ---- */

static l2o_result minimise(const char *rule, const char *options, const l2o_problem *p, l2o_real *x, size_t iterations,
                           double gradient_tolerance, l2o_trace *trace) {
  l2o_settings s = l2o_settings_default();
  l2o_result result;
  l2o_diag diag = {""};
  s.options = options;
  s.iterations = iterations;
  s.gradient_tolerance = gradient_tolerance;
  s.traces = trace ? &trace : NULL;
  assert_status(l2o_minimize(solver_named(rule), NULL, p, x, &result, &s, &diag), L2O_OK, &diag);
  return result;
}

static double distance(const l2o_real *x, const double *target, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += ((double)x[i] - target[i]) * ((double)x[i] - target[i]);
  return sqrt(sum);
}

/* |x_{k+1} - x*| / |x_k - x*| of a run from 0 tends to 0: as long as rounding does not show, its product over the last `last` steps
 * is below `bound`. */
static void superlinear(const char *rule, const char *options, size_t last, double bound) {
  double target[N];
  quartic_minimiser(target);
  l2o_trace *trace;
  assert_status(l2o_trace_new(&trace, 201, N), L2O_OK, NULL);
  l2o_real x[N] = {0};
  minimise(rule, options, &quartic_problem, x, 200, 0, trace);
  size_t count, k = 0;
  l2o_trace_records(trace, &count);
  const l2o_real *points = l2o_trace_iterates(trace);
  while (k + 1 < count && distance(points + k * N, target, N) > BY_PRECISION(1e-12, 1e-5))
    k++;
  assert_true(k > last && distance(points + k * N, target, N) <= BY_PRECISION(1e-12, 1e-5));
  const double ratio = distance(points + k * N, target, N) / distance(points + (k - last) * N, target, N);
  if (!(ratio <= bound))
    fail_msg("%s:%s: %zu steps reduce the distance by %g, expected %g", rule, options, last, ratio, bound);
  l2o_trace_free(trace);
}

static void bfgs_is_superlinear(void **state) {
  (void)state;
  superlinear("bfgs", "", 4, BY_PRECISION(1e-4, 1e-2));
  superlinear("bfgs", "rescale=off", 4, BY_PRECISION(1e-4, 1e-2));
  superlinear("bfgs", "rescale=off,h0=identity,line_search=weak-wolfe", 4, BY_PRECISION(1e-4, 1e-2));
}

/* Quadratic: three steps from 1e-2 on reach rounding. */
static void newton_is_quadratic(void **state) {
  (void)state;
  superlinear("newton", "", 2, BY_PRECISION(1e-6, 1e-3));
  double target[N];
  quartic_minimiser(target);
  l2o_real x[N] = {0};
  l2o_result result = minimise("newton", "", &quartic_problem, x, 100, 0, NULL);
  assert_int_equal(result.stop, L2O_STOP_STALLED);
  assert_true(distance(x, target, N) <= BY_PRECISION(1e-14, 1e-6) * 10);
  assert_true(result.last.iteration <= 20);
}

static void bfgs_ends_a_quadratic_in_n_steps(void **state) {
  (void)state;
  const char *const options[] = {"line_search=exact", "line_search=exact,rescale=off", "line_search=exact,h0=identity,rescale=off",
                                 "line_search=exact,h0=lipschitz"};
  for (size_t i = 0; i < 4; i++) {
    l2o_problem p = sampled("quadratic:n=12,condition=20", 11, i);
    l2o_real x[12] = {0};
    l2o_real g[12], g0[12];
    gradient_at(&p, g0, x);
    minimise("bfgs", options[i], &p, x, 6, 0, NULL);
    gradient_at(&p, g, x);
    assert_true(l2o_norm(g, 12) > 3e-3 * l2o_norm(g0, 12)); /* half of them are not enough */
    memset(x, 0, sizeof x);
    minimise("bfgs", options[i], &p, x, 12, 0, NULL);
    gradient_at(&p, g, x);
    if (!(l2o_norm(g, 12) <= BY_PRECISION(1e-9, 1e-3) * l2o_norm(g0, 12)))
      fail_msg("%s: gradient %g of %g is left", options[i], l2o_norm(g, 12), l2o_norm(g0, 12));
    l2o_problem_free(&p);
  }
}

/* With exact searches on a quadratic both follow the conjugate gradients, as long as nothing is forgotten. */
static void lbfgs_with_room_for_all_pairs_is_bfgs(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=12,condition=20", 12, 0);
  for (size_t steps = 1; steps <= 10; steps++) {
    l2o_real a[12] = {0}, b[12] = {0}, short_of[12] = {0};
    minimise("bfgs", "line_search=exact,rescale=off", &p, a, steps, 0, NULL);
    minimise("lbfgs", "line_search=exact,memory=12", &p, b, steps, 0, NULL);
    minimise("lbfgs", "line_search=armijo,memory=1", &p, short_of, steps, 0, NULL);
    double difference = 0, forgetful = 0, size = 0;
    for (size_t i = 0; i < 12; i++) {
      difference = fmax(difference, fabs((double)a[i] - (double)b[i]));
      forgetful = fmax(forgetful, fabs((double)a[i] - (double)short_of[i]));
      size = fmax(size, fabs((double)a[i]));
    }
    assert_true(size > 0 && difference <= BY_PRECISION(1e-10, 1e-3) * size);
    assert_true(forgetful > 1e-2 * size);
  }
  l2o_problem_free(&p);
}

/* ---- the update itself ---- */

typedef struct update {
  l2o_real state[N * N + N + 2], x[N], g[N], old_x[N], old_g[N], u[N], s[N], y[N];
  double options[1];
  l2o_iterate it;
  l2o_bfgs_memory b;
} update;

static void start_update(update *v, l2o_bfgs_start start) {
  memset(v, 0, sizeof *v);
  v->options[0] = start;
  v->it = (l2o_iterate){.problem = &quartic_problem, .options = v->options, .n = N, .x = v->x, .g = v->g, .state = v->state};
  v->b = l2o_bfgs_recall(&v->it, start);
  assert_int_equal(l2o_bfgs_state_len(&v->it), N * N + N + 2);
  assert_status(l2o_bfgs_init(&v->it, &v->b), L2O_OK, NULL);
}

/* H v with the whole matrix written out. */
static void product(const update *v, double *out, const l2o_real *vector) {
  for (size_t i = 0; i < N; i++) {
    out[i] = 0;
    for (size_t j = 0; j < N; j++)
      out[i] += (double)*v->b.scale * (double)v->b.H[i < j ? i * N + j : j * N + i] * (double)vector[j];
  }
}

/* H y = s, d = -H g, and the pivots of H are positive, after each of 40 steps of arbitrary length; and the update is the textbook's
 * product formula. */
static void the_update_is_that_of_bfgs(void **state) {
  (void)state;
  for (int rescale = 0; rescale < 2; rescale++)
    for (l2o_bfgs_start start = L2O_BFGS_SCALED; start <= L2O_BFGS_IDENTITY; start++) {
      update v;
      start_update(&v, start);
      v.b.rescale = rescale;
      gradient_at(&quartic_problem, v.g, v.x);
      l2o_bfgs_first_direction(&v.it, &v.b);
      for (int k = 0; k < 40; k++) {
        double before[N][N], expected[N][N];
        for (size_t i = 0; i < N; i++)
          for (size_t j = 0; j < N; j++)
            before[i][j] = (double)*v.b.scale * (double)v.b.H[i < j ? i * N + j : j * N + i];
        memcpy(v.old_x, v.x, sizeof v.x);
        memcpy(v.old_g, v.g, sizeof v.g);
        double random[N], norm = l2o_norm(v.b.d, N);
        normal_doubles(random, N, (uint64_t)k);
        for (size_t i = 0; i < N; i++)
          v.x[i] += (l2o_real)(0.1 * random[i] + 0.1 * (double)v.b.d[i] / fmax(1, norm));
        gradient_at(&quartic_problem, v.g, v.x);
        double sy = 0, yy = 0, Hy[N] = {0}, yHy = 0;
        for (size_t i = 0; i < N; i++) {
          v.s[i] = v.x[i] - v.old_x[i];
          v.y[i] = v.g[i] - v.old_g[i];
          sy += (double)v.s[i] * (double)v.y[i];
          yy += (double)v.y[i] * (double)v.y[i];
        }
        l2o_bfgs_update(&v.it, &v.b, v.old_x, v.old_g, v.u, 0);
        /* (I - rho s y') H (I - rho y s') + rho s s' with what H is scaled to before */
        for (size_t i = 0; i < N; i++)
          for (size_t j = 0; j < N; j++) {
            if (k == 0 && start == L2O_BFGS_SCALED)
              before[i][j] = i == j ? sy / yy : 0;
            Hy[i] += before[i][j] * (double)v.y[j];
          }
        for (size_t i = 0; i < N; i++)
          yHy += (double)v.y[i] * Hy[i];
        const double factor = rescale && k > 0 ? pow(fmax(1, sy / yHy), 0.75) : 1;
        double size = 0;
        for (size_t i = 0; i < N; i++)
          for (size_t j = 0; j < N; j++) {
            const double si = (double)v.s[i], sj = (double)v.s[j];
            expected[i][j] = factor * (before[i][j] - (si * Hy[j] + Hy[i] * sj) / sy + yHy * si * sj / (sy * sy)) + si * sj / sy;
            size = fmax(size, fabs(expected[i][j]));
          }
        for (size_t i = 0; i < N; i++)
          for (size_t j = i; j < N; j++)
            assert_close((double)*v.b.scale * (double)v.b.H[i * N + j], expected[i][j], 0, BY_PRECISION(1e-11, 1e-3) * size);
        double secant[N], direction[N];
        product(&v, secant, v.y);
        product(&v, direction, v.g);
        const double s_size = l2o_norm(v.s, N), d_size = l2o_norm(v.b.d, N);
        for (size_t i = 0; i < N; i++) {
          assert_close(secant[i], v.s[i], 0, BY_PRECISION(1e-10, 1e-2) * s_size);
          assert_close(direction[i], -(double)v.b.d[i], 0, BY_PRECISION(1e-10, 1e-2) * d_size);
        }
        for (size_t i = 0; i < N; i++) { /* Gaussian elimination of `expected` */
          assert_true(expected[i][i] > 0);
          for (size_t r = i + 1; r < N; r++)
            for (size_t j = N; j-- > i;)
              expected[r][j] -= expected[r][i] / expected[i][i] * expected[i][j];
        }
      }
    }
}

/* A step along which the gradient falls: skipped, H is as before and d = -H g; damped, s'y is made 0.2 s'Bs and H stays positive.
 */
static void negative_curvature_is_skipped_or_damped(void **state) {
  (void)state;
  for (int damp = 0; damp < 2; damp++) {
    update v;
    start_update(&v, L2O_BFGS_IDENTITY);
    v.b.damp = damp;
    for (size_t i = 0; i < N; i++) {
      v.g[i] = (l2o_real)(i + 1);
      v.old_g[i] = v.g[i];
    }
    l2o_bfgs_first_direction(&v.it, &v.b);
    for (size_t i = 0; i < N; i++) {
      v.x[i] = (l2o_real)0.5 * v.b.d[i];
      v.g[i] *= 2; /* s'y = -|g|^2 / 2, s'Bs = |g|^2 / 4 */
    }
    l2o_bfgs_update(&v.it, &v.b, v.old_x, v.old_g, v.u, 0.5);
    double direction[N], along[N], slope = 0;
    product(&v, direction, v.g);
    product(&v, along, v.x);
    double gg = 0, xHx = 0, xx = 0;
    for (size_t i = 0; i < N; i++) {
      assert_close(direction[i], -(double)v.b.d[i], 1e-5, 0);
      slope += direction[i] * (double)v.g[i];
      gg += (double)v.g[i] * (double)v.g[i];
      xHx += (double)v.x[i] * along[i];
      xx += (double)v.x[i] * (double)v.x[i];
      if (!damp)
        assert_true(v.b.d[i] == -v.g[i]);
    }
    assert_true(slope > 0);
    /* damped: y = 0.2 s'Bs / s's s here, as everything is along one line, and H y = s makes it 5 there */
    assert_close(xHx / xx, damp ? 5 : 1, 1e-5, 0);
    assert_close(slope / gg, damp ? 5 : 1, 1e-5, 0);
  }
}

/* Pairs (s, y) of which nothing can be learned: next to no curvature, numbers that overflow. H and its scale are as before, and the
 * next direction is -g. One just above the bound is learned of. */
static void useless_pairs_are_skipped(void **state) {
  (void)state;
  static const struct {
    l2o_real s, y, across; /* s = (s, 0, ...), y = (y, across, 0, ...) */
    bool scaled, identity; /* is it used, with this start? */
  } pairs[] = {
      {1, (l2o_real)0.9e-12, 1, false, false},
      {1, (l2o_real)1.1e-12, 1, true, true},
      {BY_PRECISION(1e-81, 1e-16F), BY_PRECISION(2e-81, 2e-16F), 0, true, true}, /* (s'y)^2 is not normal, nor need it be */
      {BY_PRECISION(1e81, 1e16F), BY_PRECISION(2e81, 2e16F), 0, true, true},
      {BY_PRECISION(1e-157, 1e-25F), BY_PRECISION(1e152, 1e14F), 0, false, false}, /* s'y / y'y is not normal */
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    for (l2o_bfgs_start start = L2O_BFGS_SCALED; start <= L2O_BFGS_IDENTITY; start++) {
      update v;
      start_update(&v, start);
      memset(v.old_x, 0, sizeof v.old_x);
      memset(v.old_g, 0, sizeof v.old_g);
      memset(v.x, 0, sizeof v.x);
      memset(v.g, 0, sizeof v.g);
      l2o_bfgs_first_direction(&v.it, &v.b);
      v.x[0] = pairs[i].s, v.g[0] = pairs[i].y, v.g[1] = pairs[i].across;
      const l2o_bfgs_change change = l2o_bfgs_update(&v.it, &v.b, v.old_x, v.old_g, v.u, 0);
      const bool used = start == L2O_BFGS_SCALED ? pairs[i].scaled : pairs[i].identity;
      assert_true((change.outcome != L2O_BFGS_SKIPPED) == used && (*v.b.fresh == 0) == used);
      for (size_t k = 0; k < N && !used; k++)
        assert_true(v.b.d[k] == -v.g[k] && v.b.H[k * N + k] == 1);
      assert_true(used || (*v.b.scale == 1 && change.scale == 1));
      if (used && pairs[i].across == 0) /* H y = s */
        assert_close(*v.b.scale * v.b.H[0], 0.5, BY_PRECISION(1e-14, 1e-6), 0);
    }
  /* 1 / s'y overflows */
  update v;
  start_update(&v, L2O_BFGS_IDENTITY);
  memset(v.old_x, 0, sizeof v.old_x);
  memset(v.old_g, 0, sizeof v.old_g);
  memset(v.x, 0, sizeof v.x);
  memset(v.g, 0, sizeof v.g);
  l2o_bfgs_first_direction(&v.it, &v.b);
  v.x[0] = v.g[0] = BY_PRECISION(1e-160, 1e-30F);
  assert_int_equal(l2o_bfgs_update(&v.it, &v.b, v.old_x, v.old_g, v.u, 0).outcome, L2O_BFGS_SKIPPED);
  assert_true(v.b.d[0] == -v.g[0] && v.b.H[0] == 1);
}

/* ---- hypergradients ---- */

static const double *trace_steps(const l2o_trace *trace, size_t k, double *out, size_t n) {
  const l2o_real *x = l2o_trace_iterates(trace) + k * n;
  for (size_t i = 0; i < n; i++)
    out[i] = (double)x[n + i] - (double)x[i];
  return out;
}

static void hypergradients_tune_the_step(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=12,condition=20", 13, 0);
  enum { M = 12 };
  const double low = 0.01, high = 2, beta = 0.3;
  const char *const options[] = {"h0=identity,beta=0.3,hypergradient=scalar", "h0=identity,beta=0.3,hypergradient=diagonal",
                                 "h0=identity,beta=0.3,hypergradient=scalar,normalised=false",
                                 "h0=identity,beta=0.3,hypergradient=diagonal,normalised=false"};
  /* without tuning it is bfgs with unit steps */
  l2o_real a[M] = {0}, b[M] = {0};
  minimise("bfgs-hd", "h0=identity,beta=0", &p, a, 9, 0, NULL);
  minimise("bfgs", "h0=identity,line_search=unit,rescale=off", &p, b, 9, 0, NULL);
  assert_same_reals(a, b, M);
  for (size_t o = 0; o < 4; o++) {
    const bool diagonal = o % 2, normalised = o < 2;
    l2o_trace *trace;
    assert_status(l2o_trace_new(&trace, 3, M), L2O_OK, NULL);
    l2o_real x[M] = {0}, g[M];
    minimise("bfgs-hd", options[o], &p, x, 2, 0, trace);
    /* x_1 = x_0 - g_0 as for any rule here; the second step is p_1 . d_1, and d_1 is that of the plain rule after one such step */
    l2o_real plain[M] = {0};
    l2o_trace *reference;
    assert_status(l2o_trace_new(&reference, 3, M), L2O_OK, NULL);
    minimise("bfgs-hd", "h0=identity,beta=0", &p, plain, 2, 0, reference);
    double d0[M], d1[M], step[M], alpha[M];
    trace_steps(trace, 0, d0, M);
    trace_steps(reference, 1, d1, M);
    trace_steps(trace, 1, step, M);
    gradient_at(&p, g, l2o_trace_iterates(trace) + M);
    double gd = 0, absolute = 0, gg = 0, dd = 0;
    for (size_t i = 0; i < M; i++) {
      gd += (double)g[i] * d0[i];
      absolute += fabs((double)g[i] * d0[i]);
      gg += (double)g[i] * (double)g[i];
      dd += d0[i] * d0[i];
    }
    for (size_t i = 0; i < M; i++) {
      const double hyper = diagonal ? (double)g[i] * d0[i] / (normalised ? absolute : 1) : gd / (normalised ? sqrt(gg * dd) : 1);
      alpha[i] = fmin(high, fmax(low, 1 - beta * hyper));
      assert_close(step[i], alpha[i] * d1[i], BY_PRECISION(1e-9, 1e-3), BY_PRECISION(1e-12, 1e-5));
    }
    l2o_trace_free(trace);
    l2o_trace_free(reference);
  }
  l2o_problem_free(&p);
}

/* ---- ends ---- */

static void the_end_is_at_the_minimum(void **state) {
  (void)state;
  const char *const rules[] = {"bfgs", "lbfgs", "newton"};
  double target[N];
  quartic_minimiser(target);
  for (size_t r = 0; r < 3; r++) {
    l2o_real x[N] = {0}, again[N], g[N];
    l2o_result result = minimise(rules[r], "", &quartic_problem, x, 1000, 0, NULL);
    if (result.stop != L2O_STOP_STALLED)
      fail_msg("%s: %s after %zu steps", rules[r], l2o_stop_name(result.stop), result.last.iteration);
    gradient_at(&quartic_problem, g, x);
    if (!(distance(x, target, N) <= BY_PRECISION(1e-13, 1e-5)))
      fail_msg("%s ends %g off, gradient %g", rules[r], distance(x, target, N), l2o_norm(g, N));
    /* and from there it does not go away */
    memcpy(again, x, sizeof x);
    result = minimise(rules[r], "", &quartic_problem, again, 1000, 0, NULL);
    assert_int_equal(result.stop, L2O_STOP_STALLED);
    assert_true(distance(again, target, N) <= BY_PRECISION(1e-13, 1e-5));
    assert_true(value_at(&quartic_problem, again) <= value_at(&quartic_problem, x) * (1 - BY_PRECISION(1e-14, 1e-5)) ||
                value_at(&quartic_problem, again) <= value_at(&quartic_problem, x) + BY_PRECISION(1e-12, 1e-3));
    /* a tolerance ends it earlier */
    memset(x, 0, sizeof x);
    result = minimise(rules[r], "", &quartic_problem, x, 1000, 1e-2, NULL);
    assert_int_equal(result.stop, L2O_STOP_GRADIENT);
  }
}

/* At the minimum f is flat to rounding and g is rounding itself: a run without a tolerance must notice, at once. Most calls, where
 * the minimum is reached within a few to 30. */
static void runs_end_where_the_precision_does(void **state) {
  (void)state;
  static const struct {
    int function;
    double factor; /* of the start */
    size_t most;
  } cases[] = {{2, 1, 45},  {6, 1, 45},  {8, 1, 45},        {9, 1, 50},        {26, 1, 100},    {33, 1, 30},
               {34, 1, 30}, {35, 1, 80}, {9, 1.09375, 100}, {9, 1.28125, 100}, {9, 1.3125, 100}};
  const char *const rules[] = {"bfgs", "lbfgs", "lbfgs"}, *const options[] = {"", "", "memory=6"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t r = 0; r < 3; r++) {
      char spec[64];
      snprintf(spec, sizeof spec, "more-garbow-hillstrom:function=%d", cases[i].function);
      l2o_problem p = sampled(spec, 0, 0);
      l2o_real x[20], g[20];
      assert_true(p.n <= 20);
      assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
      for (size_t j = 0; j < p.n; j++)
        x[j] *= (l2o_real)cases[i].factor;
      gradient_at(&p, g, x);
      const double first = l2o_norm(g, p.n);
      l2o_result result = minimise(rules[r], options[r], &p, x, 1000, 0, NULL);
      if (result.stop != L2O_STOP_STALLED || result.last.charged > cases[i].most)
        fail_msg("%s:%s on %s: %s after %zu calls", rules[r], options[r], l2o_problem_name(&p), l2o_stop_name(result.stop),
                 result.last.charged);
      assert_true(result.last.gradient_norm <= BY_PRECISION(1e-7, 1e-2) * first);
      l2o_problem_free(&p);
    }
}

/* f = 1 + 1/2 sum_i (i + 1) (x_i - 1)^2 with rounding errors of up to 200 units in the last place, as those of a sum that cancels;
 * g is exact. What f cannot tell, the slopes can: g still becomes small. */
static l2o_status noisy(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  uint32_t hash = 2166136261u;
  *f = 1;
  for (size_t i = 0; i < p->n; i++) {
    unsigned char bytes[sizeof *x];
    memcpy(bytes, &x[i], sizeof bytes);
    for (size_t j = 0; j < sizeof bytes; j++)
      hash = (hash ^ bytes[j]) * 16777619u;
    g[i] = (l2o_real)(i + 1) * (x[i] - 1);
    *f += (double)g[i] * (double)(x[i] - 1) / 2;
  }
  *f += BY_PRECISION(2.2e-16, 1.2e-7) * 200 * (2 * (double)(hash >> 8) / 16777216 - 1);
  return L2O_OK;
}
static const l2o_problem_ops noisy_ops = {.struct_size = sizeof noisy_ops, .name = "noisy", .gradient = noisy};

static void slopes_decide_where_f_is_noise(void **state) {
  (void)state;
  const char *const rules[] = {"bfgs", "lbfgs"};
  const l2o_problem p = {.ops = &noisy_ops, .n = N};
  for (size_t r = 0; r < 2; r++)
    for (uint64_t seed = 0; seed < 10; seed++) {
      l2o_real x[N];
      double start[N];
      normal_doubles(start, N, seed);
      for (size_t i = 0; i < N; i++)
        x[i] = (l2o_real)start[i];
      l2o_result result = minimise(rules[r], "", &p, x, 1000, 0, NULL);
      assert_int_equal(result.stop, L2O_STOP_STALLED);
      if (result.last.charged > 120)
        fail_msg("%s, start %d: %zu calls", rules[r], (int)seed, result.last.charged);
      if (!(result.last.gradient_norm <= BY_PRECISION(1e-9, 1e-4)))
        fail_msg("%s, start %d: gradient %g is left", rules[r], (int)seed, result.last.gradient_norm);
    }
}

/* Conjugate gradients meet negative curvature at once, or after a step; the run still ends in a minimum. */
static void newton_leaves_a_saddle(void **state) {
  (void)state;
  const double starts[][2] = {{0.1, 0}, {0.1, 1}, {-0.3, 2}, {-0.5, 1e-3}};
  for (size_t i = 0; i < 4; i++) {
    l2o_real x[2] = {(l2o_real)starts[i][0], (l2o_real)starts[i][1]};
    l2o_result result = minimise("newton", "", &saddle_problem, x, 100, 0, NULL);
    assert_int_equal(result.stop, L2O_STOP_STALLED);
    assert_close(fabs((double)x[0]), 1, BY_PRECISION(1e-13, 1e-5), 0);
    assert_close(x[1], 0, 0, BY_PRECISION(1e-13, 1e-5));
    assert_true(result.last.gradient_calls > result.last.value_calls); /* products are charged */
    assert_true(result.last.charged == result.last.gradient_calls && result.last.gradient_calls <= 25);
  }
}

/* Rosenbrock's function; once armed it is not a number but on the line through `center` along the gradient there. */
typedef struct fenced {
  bool armed;
  l2o_real center[2], g[2];
} fenced;
static l2o_status fenced_rosenbrock(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const fenced *fence = p->data;
  const double s0 = (double)(x[0] - fence->center[0]), s1 = (double)(x[1] - fence->center[1]);
  const double g0 = (double)fence->g[0], g1 = (double)fence->g[1];
  l2o_status status = rosenbrock(p, f, g, x, work);
  if (fence->armed && !(fabs(s0 * g1 - s1 * g0) <= 1e-2 * hypot(s0, s1) * hypot(g0, g1)))
    *f = (double)NAN;
  return status;
}
static const l2o_problem_ops fenced_ops = {.struct_size = sizeof fenced_ops, .name = "fenced", .gradient = fenced_rosenbrock};

/* Where the quasi-Newton direction leads nowhere, the gradient still does: the rule goes on along it. */
static void a_failed_search_is_tried_along_the_gradient(void **state) {
  (void)state;
  const char *const rules[] = {"bfgs", "lbfgs"};
  for (size_t r = 0; r < 2; r++) {
    fenced fence = {.armed = false};
    const l2o_problem p = {.ops = &fenced_ops, .data = &fence, .n = 2};
    const l2o_real start[2] = {(l2o_real)-1.2, 1};
    l2o_run *run;
    l2o_stop stop;
    assert_status(l2o_run_new(&run, solver_named(rules[r]), NULL, &p, NULL, NULL), L2O_OK, NULL);
    assert_status(l2o_run_start(run, start), L2O_OK, NULL);
    for (size_t k = 0; k < 6; k++)
      assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
    memcpy(fence.center, l2o_run_x(run), sizeof fence.center);
    const double before = gradient_at(&p, fence.g, fence.center);
    fence.armed = true;
    assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
    assert_int_equal(stop, L2O_STOP_NONE);
    assert_true(value_at(&rosenbrock_problem, l2o_run_x(run)) < before);
    l2o_run_free(run);
  }
}

/* Evaluations until |g| <= 1e-5 max(1, |x|) on functions that every library knows. libLBFGS (m = 6) and NLopt need 54 and 56 for
 * the last. */
static void few_evaluations_do(void **state) {
  (void)state;
  const struct {
    const char *rule;
    size_t n, most;
  } cases[] = {{"bfgs", 2, BY_PRECISION(52, 60)},    {"lbfgs", 2, BY_PRECISION(48, 60)},   {"bfgs", 100, BY_PRECISION(54, 70)},
               {"lbfgs", 100, BY_PRECISION(50, 70)}, {"bfgs", 1000, BY_PRECISION(54, 70)}, {"lbfgs", 1000, BY_PRECISION(50, 70)}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const l2o_problem p = {.ops = &extended_ops, .n = cases[i].n};
    l2o_real *x = malloc(p.n * sizeof *x);
    for (size_t j = 0; j < p.n; j++)
      x[j] = (l2o_real)(j % 2 ? 1 : -1.2);
    l2o_result result = minimise(cases[i].rule, "", &p, x, 200, BY_PRECISION(1e-5, 1e-3) * sqrt((double)p.n), NULL);
    assert_int_equal(result.stop, L2O_STOP_GRADIENT);
    for (size_t j = 0; j < p.n; j++)
      assert_close(x[j], 1, 0, BY_PRECISION(1e-3, 1e-2));
    if (result.last.charged > cases[i].most)
      fail_msg("%s, n = %zu: %zu evaluations, expected at most %zu", cases[i].rule, p.n, result.last.charged, cases[i].most);
    free(x);
  }
}

/* Eigenvalues from 1e-3 to 1: without a scaled first inverse Hessian lbfgs needs 138 evaluations, with it 82. */
static void the_inverse_hessian_starts_at_the_right_scale(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=50,condition=1000", 14, 0);
  const char *const rules[] = {"bfgs", "lbfgs"};
  const size_t most[] = {80, 100};
  for (size_t r = 0; r < 2; r++) {
    l2o_real x[50] = {0}, g[50];
    gradient_at(&p, g, x);
    l2o_result result = minimise(rules[r], "", &p, x, 500, 1e-4 * l2o_norm(g, 50), NULL);
    assert_int_equal(result.stop, L2O_STOP_GRADIENT);
    assert_true(result.last.charged <= most[r]);
  }
  l2o_problem_free(&p);
}

static void too_large_a_matrix_is_refused(void **state) {
  (void)state;
  const l2o_problem p = {.ops = &extended_ops, .n = (size_t)1 << 33};
  l2o_run *run;
  l2o_diag diag = {""};
  l2o_settings s = l2o_settings_default();
  assert_status(l2o_run_new(&run, solver_named("bfgs"), NULL, &p, &s, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "try lbfgs");
  assert_status(l2o_run_new(&run, solver_named("bfgs-hd"), NULL, &p, &s, &diag), L2O_ERR_ARG, NULL);
  const l2o_problem endless = {.ops = &extended_ops, .n = SIZE_MAX / 16};
  assert_status(l2o_run_new(&run, solver_named("lbfgs"), NULL, &endless, &s, &diag), L2O_ERR_NOMEM, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bfgs_is_superlinear),
      cmocka_unit_test(newton_is_quadratic),
      cmocka_unit_test(bfgs_ends_a_quadratic_in_n_steps),
      cmocka_unit_test(lbfgs_with_room_for_all_pairs_is_bfgs),
      cmocka_unit_test(the_update_is_that_of_bfgs),
      cmocka_unit_test(negative_curvature_is_skipped_or_damped),
      cmocka_unit_test(useless_pairs_are_skipped),
      cmocka_unit_test(hypergradients_tune_the_step),
      cmocka_unit_test(the_end_is_at_the_minimum),
      cmocka_unit_test(runs_end_where_the_precision_does),
      cmocka_unit_test(slopes_decide_where_f_is_noise),
      cmocka_unit_test(newton_leaves_a_saddle),
      cmocka_unit_test(a_failed_search_is_tried_along_the_gradient),
      cmocka_unit_test(few_evaluations_do),
      cmocka_unit_test(the_inverse_hessian_starts_at_the_right_scale),
      cmocka_unit_test(too_large_a_matrix_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
