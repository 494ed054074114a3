/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeroth-order rules against what is known of them: projection identities, moments, closed forms, floors, counts. Statistical
 * tests have fixed seeds and bounds of 5 standard errors (a false alarm in 1.7 million for each number), or 3 where the
 * acceptance check asks for it (1 in 370). */
#include "l2o_fixtures.h"

#include "../../solvers/zo.h"
#include "core/linalg.h"
#include "core/normals.h"
#include "core/options.h"
#include "counting_malloc.h"
#include <float.h>

enum { D = 100 };
static const double EPS = BY_PRECISION(DBL_EPSILON, (double)FLT_EPSILON);

/* ---- problems: f = c'x, and f = 1/2 sum lambda_i x_i^2 from x = 1 ---- */

static l2o_status linear(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const double *c = p->data;
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++)
    *f += c[i] * (double)x[i];
  return L2O_OK;
}
static const l2o_problem_ops linear_ops = {.struct_size = sizeof linear_ops, .name = "linear", .value = linear};

typedef struct diagonal {
  double lambda[D], L, trace;
} diagonal;
static l2o_status diagonal_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const diagonal *q = p->data;
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++)
    *f += 0.5 * q->lambda[i] * (double)x[i] * (double)x[i];
  return L2O_OK;
}
static l2o_status diagonal_lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const diagonal *)p->data)->L;
  return L2O_OK;
}
static l2o_status diagonal_trace(const l2o_problem *p, double *trace) {
  *trace = ((const diagonal *)p->data)->trace;
  return L2O_OK;
}
static l2o_status ones(const l2o_problem *p, l2o_real *x0) {
  for (size_t i = 0; i < p->n; i++)
    x0[i] = 1;
  return L2O_OK;
}
static const l2o_problem_ops diagonal_ops = {.struct_size = sizeof diagonal_ops,
                                             .name = "diagonal",
                                             .value = diagonal_value,
                                             .lipschitz = diagonal_lipschitz,
                                             .start = ones,
                                             .hessian_trace = diagonal_trace};

/* Eigenvalues from `low` to 1, evenly. */
static diagonal spectrum(double low) {
  diagonal q = {.L = 1};
  for (size_t i = 0; i < D; i++) {
    q.lambda[i] = low + (1 - low) * (double)i / (D - 1);
    q.trace += q.lambda[i];
  }
  return q;
}

/* ---- a rule's parts, taken by hand ---- */

typedef struct hands {
  l2o_iterate it;
  zo_plan plan;
  bool average;
  double options[L2O_OPTIONS_MAX];
} hands;

static hands *take(const char *rule, const char *options, const l2o_problem *p, uint64_t seed) {
  const l2o_solver *solver = solver_named(rule);
  l2o_diag diag = {""};
  hands *h = calloc(1, sizeof *h);
  h->average = strcmp(rule, "zo-avg") == 0;
  assert_status(l2o_options_parse(solver->options, h->options, rule, options, &diag), L2O_OK, &diag);
  h->it = (l2o_iterate){.problem = p, .options = h->options, .n = p->n, .seed = seed, .allowance = SIZE_MAX};
  assert_status(solver->check(&h->it, &diag), L2O_OK, &diag);
  h->it.x = calloc(p->n, sizeof(l2o_real));
  h->it.state = calloc(solver->state_len(&h->it), sizeof(l2o_real));
  h->it.scratch = calloc(solver->scratch_len(&h->it), sizeof(l2o_real));
  assert_status(l2o_problem_start(p, h->it.x), L2O_OK, NULL);
  assert_status(solver->init(&h->it), L2O_OK, NULL);
  return h;
}

static void drop(hands *h) {
  free(h->it.x);
  free(h->it.state);
  free(h->it.scratch);
  free(h);
}

/* The estimate of step k, which lasts until the next one. The average of directions of length sqrt(n) is n/q times the projection.
 */
static const l2o_real *estimate(hands *h, size_t k) {
  l2o_stop stop = L2O_STOP_NONE;
  h->it.k = k;
  assert_status(zo_begin(&h->plan, &h->it, h->average, &stop), L2O_OK, NULL);
  assert_int_equal(stop, L2O_STOP_NONE);
  assert_status(zo_estimate(&h->plan), L2O_OK, NULL);
  return h->plan.g;
}

static const char *with(const char *format, size_t q) {
  static char text[200];
  snprintf(text, sizeof text, format, q);
  return text;
}

static double dot(const double *a, const l2o_real *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += a[i] * (double)b[i];
  return sum;
}

/* A unit vector. */
static void unit(double *c, size_t n, uint64_t seed) {
  normal_doubles(c, n, seed);
  double squares = 0;
  for (size_t i = 0; i < n; i++)
    squares += c[i] * c[i];
  for (size_t i = 0; i < n; i++)
    c[i] /= sqrt(squares);
}

/* ---- random numbers ---- */

static void normals_have_random_access_and_moments(void **state) {
  (void)state;
  enum { COUNT = 400000 };
  l2o_real *whole = malloc(COUNT * sizeof *whole), part[300];
  l2o_normals(whole, 5, 6, 7, 0, COUNT);
  static const size_t firsts[] = {0, 4, 128, 132, 1000, 4096};
  for (size_t i = 0; i < 6; i++)
    for (size_t n = 1; n <= 300; n += 23) {
      l2o_normals(part, 5, 6, 7, firsts[i], n);
      assert_same_reals(part, whole + firsts[i], n);
    }
  /* the words are Philox's, the formula is Box and Muller's */
  l2o_rng rng;
  l2o_rng_seed(&rng, 5, 6, 7);
  for (size_t i = 0; i < 1000; i += 2) {
    /* in single precision of 23 bits */
    const bool few = sizeof(l2o_real) == sizeof(float);
    const uint32_t length = l2o_rng_word(&rng), word = l2o_rng_word(&rng), bits = word & 0x3fffffffu;
    const double u = few ? (2. * (length >> 9) + 1) * 0x1p-24 : (2. * length + 1) * 0x1p-33;
    const double turn = few ? ((bits >> 7) + 0.5) * 0x1p-23 : (bits + 0.5) * 0x1p-30;
    const double angle = acos(-1.) / 2 * turn, r = sqrt(-2 * log(u));
    assert_close(whole[i], (word >> 31 ? -1 : 1) * r * cos(angle), 8 * EPS, few ? 1e-6 : 1e-12);
    assert_close(whole[i + 1], (word >> 30 & 1 ? -1 : 1) * r * sin(angle), 8 * EPS, few ? 1e-6 : 1e-12);
  }
  double sum = 0, squares = 0, cubes = 0, fourth = 0, pairs = 0, signs = 0, most = 0;
  for (size_t i = 0; i < COUNT; i++) {
    const double x = (double)whole[i], next = i % 2 == 0 ? (double)whole[i + 1] : (double)whole[i - 1];
    sum += x, squares += x * x, cubes += x * x * x, fourth += x * x * x * x;
    pairs += x * next, signs += fabs(x) * fabs(next), most = fmax(most, fabs(x));
  }
  assert_close(sum / COUNT, 0, 0, 5 / sqrt(COUNT));
  assert_close(squares / COUNT, 1, 0, 5 * sqrt(2. / COUNT));
  assert_close(cubes / COUNT, 0, 0, 5 * sqrt(15. / COUNT));
  assert_close(fourth / COUNT, 3, 0, 5 * sqrt(96. / COUNT));
  assert_close(pairs / COUNT, 0, 0, 5 * sqrt(2. / COUNT));                                /* each pair is seen twice */
  assert_close(signs / COUNT, 2 / acos(-1.), 0, 5 * sqrt(2. * (1 - 4 / 9.8696) / COUNT)); /* E|x||y| = 2/pi */
  assert_true(most > 4 && most < 6.8);
  free(whole);
}

/* A direction that is longer than what is kept is drawn again: the same numbers, and the same estimate as from the directions. */
static void replayed_directions_are_the_first_draw(void **state) {
  (void)state;
  enum { N = 2 * 4096 + 7, Q = 3 };
  double *c = malloc(N * sizeof *c);
  l2o_real *u = malloc(N * sizeof *u), *expected = malloc(N * sizeof *expected), *x = malloc(N * sizeof *x);
  unit(c, N, 1);
  const l2o_problem p = {.ops = &linear_ops, .data = c, .n = N};
  static const char *const kinds[] = {"gaussian", "sphere"}, *const differences[] = {"one-sided", "two-sided"};
  for (int kind = 0; kind < 2; kind++)
    for (int sided = 0; sided < 2; sided++) {
      char options[120];
      snprintf(options, sizeof options, "queries=3,radius=0.5,step=1,directions=%s,difference=%s", kinds[kind], differences[sided]);
      hands *h = take("zo-avg", options, &p, 99);
      const l2o_real *g = estimate(h, 4);
      memset(expected, 0, N * sizeof *expected);
      for (uint32_t i = 0; i < Q; i++) {
        double f[2] = {0, 0};
        l2o_normals(u, 99, i, 4, 0, N);
        const double scale = kind ? sqrt(N) / l2o_norm(u, N) : 1;
        const l2o_real t[2] = {(l2o_real)(0.5 * scale), (l2o_real)(-0.5 * scale)};
        for (int side = 0; side <= sided; side++) {
          for (size_t j = 0; j < N; j++)
            x[j] = t[side] * u[j];
          linear(&p, &f[side], x, NULL);
        }
        const l2o_real factor = (l2o_real)(scale * scale * ((f[0] - f[1]) / (sided ? scale : 0.5 * scale)) / Q);
        for (size_t j = 0; j < N; j++)
          expected[j] += factor * u[j];
      }
      for (size_t j = 0; j < N; j++)
        assert_close(g[j], expected[j], 8 * EPS, 1e-12);
      drop(h);
    }
  free(c);
  free(u);
  free(expected);
  free(x);
}

/* ---- projections ---- */

static const char *const SPANS[] = {"orthonormal", "gaussian", "sphere", "coordinate"};

static void aligned_estimates_are_projections(void **state) {
  (void)state;
  static const size_t queries[] = {1, 2, 10, 50, 99, 100};
  static const double tolerance[] = {1e-13, 1e-13, 1e-13, 1e-13, 1e-11, 1e-10}; /* cond(U) of Gaussian U near q = n */
  for (size_t kind = 0; kind < 4; kind++)
    for (size_t i = 0; i < 6; i++)
      for (size_t k = 0; k < 5; k++) {
        const size_t q = queries[i];
        double c[D], projected[D], along = 0;
        char options[120];
        unit(c, D, 2 + k);
        const l2o_problem p = {.ops = &linear_ops, .data = c, .n = D}, again = {.ops = &linear_ops, .data = projected, .n = D};
        snprintf(options, sizeof options, "queries=%zu,radius=1,step=1,directions=%s", q, SPANS[kind]);
        hands *h = take("zo-align", options, &p, 3), *twice = take("zo-align", options, &again, 3);
        const l2o_real *g = estimate(h, k);
        for (size_t j = 0; j < D; j++) {
          projected[j] = (double)g[j];
          along += c[j] * projected[j];
        }
        const double bound = BY_PRECISION(tolerance[i], 3e9 * tolerance[i] > 0.5 ? 0.5 : 3e8 * tolerance[i]);
        assert_close(along, dot(projected, g, D), 0, bound); /* <g, grad f> = |g|^2 */
        const l2o_real *g2 = estimate(twice, k);
        for (size_t j = 0; j < D; j++)
          assert_close(g2[j], projected[j], 0, bound); /* P P = P */
        if (q == D)
          for (size_t j = 0; j < D; j++)
            assert_close(g[j], c[j], 0, bound);
        if (kind != 3 && q < D) { /* U'g = U'grad f, with the directions as they were drawn */
          l2o_real u[D];
          for (size_t direction = 0; direction < q; direction++) {
            zo_draw(u, &h->it, direction);
            assert_close(dot(projected, u, D), dot(c, u, D), 0, 100 * bound);
          }
        }
        drop(h);
        drop(twice);
      }
}

/* The same draws span the same subspace whether they are orthonormalised before or solved for after; and an average of directions
 * of length sqrt(n) from it, at its own step, makes the same step. */
static void all_ways_to_a_projection_agree(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.1);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  static const size_t queries[] = {1, 2, 30, 100};
  for (size_t i = 0; i < 4; i++) {
    l2o_real x[5][D];
    static const char *const rules[] = {"zo-align", "zo-align", "zo-align", "zo-avg", "zo-align"};
    static const char *const kinds[] = {"orthonormal", "gaussian", "sphere", "orthonormal", "coordinate"};
    for (size_t j = 0; j < 5; j++) {
      char options[120];
      snprintf(options, sizeof options, "queries=%zu,difference=two-sided,radius=1e-2,directions=%s", queries[i], kinds[j]);
      l2o_settings s = l2o_settings_default();
      s.options = options, s.iterations = 1, s.seed = 5;
      ones(&p, x[j]);
      assert_status(l2o_minimize(solver_named(rules[j]), NULL, &p, x[j], NULL, &s, NULL), L2O_OK, NULL);
    }
    for (size_t j = 1; j < 4; j++)
      for (size_t k = 0; k < D; k++)
        assert_close(x[j][k], x[0][k], 0, BY_PRECISION(1e-9, j == 3 ? 1e-4 : 0.1));
    if (queries[i] == D)
      assert_same_reals(x[4], x[0], D); /* the axes in order */
  }
}

static void with_all_queries_it_is_the_finite_difference_gradient(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=12,condition=20", 3, 0);
  for (int sided = 0; sided < 2; sided++) {
    hands *h = take("zo-align", sided ? "queries=12,radius=0.01,difference=two-sided" : "queries=12,radius=0.01", &p, 1);
    h->it.work = calloc(l2o_problem_work_len(&p), sizeof(l2o_real));
    normal_reals(h->it.x, 12, 4);
    const l2o_real *g = estimate(h, 0);
    const double distance = 0.01 * sqrt(12), f = value_at(&p, h->it.x);
    assert_close(h->plan.h, distance, 1e-15, 0);
    for (size_t i = 0; i < 12; i++) {
      const l2o_real x = h->it.x[i];
      h->it.x[i] = x + (l2o_real)distance;
      const double up = (double)h->it.x[i], ahead = value_at(&p, h->it.x);
      h->it.x[i] = sided ? x - (l2o_real)distance : x;
      const double behind = sided ? value_at(&p, h->it.x) : f;
      assert_true(g[i] == (l2o_real)((ahead - behind) / (up - (double)h->it.x[i])));
      h->it.x[i] = x;
    }
    assert_int_equal(h->it.value_calls, sided ? 24 : 13);
    free(h->it.work);
    drop(h);
  }
  l2o_problem_free(&p);
}

/* |g - P c| of the least-norm solution, P by Gram and Schmidt twice over in double. */
static void raw_directions_are_solved_for_accurately(void **state) {
  (void)state;
  static const size_t queries[] = {1, 50, 99, 100};
  static const double bound[] = {1e-14, 1e-13, 1e-11, 1e-10};
  l2o_real *U = malloc(D * D * sizeof *U), *work = malloc(l2o_least_norm_work(D) * sizeof *work);
  double *Q = malloc(D * D * sizeof *Q);
  for (size_t i = 0; i < 4; i++)
    for (uint64_t draw = 0; draw < 40; draw++) {
      const size_t q = queries[i];
      double c[D], wanted[D] = {0}, worst = 0;
      l2o_real b[D], g[D];
      size_t rank;
      unit(c, D, draw);
      normal_reals(U, q * D, 100 + draw);
      for (size_t a = 0; a < q; a++) {
        b[a] = (l2o_real)dot(c, U + a * D, D);
        for (size_t j = 0; j < D; j++)
          Q[a * D + j] = (double)U[a * D + j];
        for (int pass = 0; pass < 2; pass++)
          for (size_t e = 0; e < a; e++) {
            double s = 0;
            for (size_t j = 0; j < D; j++)
              s += Q[e * D + j] * Q[a * D + j];
            for (size_t j = 0; j < D; j++)
              Q[a * D + j] -= s * Q[e * D + j];
          }
        double squares = 0, s = 0;
        for (size_t j = 0; j < D; j++)
          squares += Q[a * D + j] * Q[a * D + j];
        for (size_t j = 0; j < D; j++) {
          Q[a * D + j] /= sqrt(squares);
          s += Q[a * D + j] * c[j];
        }
        for (size_t j = 0; j < D; j++)
          wanted[j] += s * Q[a * D + j];
      }
      assert_status(l2o_least_norm(g, &rank, U, b, work, q, D), L2O_OK, NULL);
      assert_int_equal(rank, q);
      for (size_t j = 0; j < D; j++)
        worst = fmax(worst, fabs((double)g[j] - wanted[j]));
      if (worst > BY_PRECISION(bound[i], fmin(3e8 * bound[i], 1)))
        fail_msg("q = %zu, draw %d: off by %g", q, (int)draw, worst);
    }
  free(U);
  free(work);
  free(Q);
}

/* Directions that repeat or depend on each other cost their queries and nothing else. */
static void dependent_directions_are_left_out(void **state) {
  (void)state;
  enum { Q = 6 };
  double c[D];
  unit(c, D, 8);
  const l2o_problem p = {.ops = &linear_ops, .data = c, .n = D};
  hands *three = take("zo-align", "queries=3,radius=1,step=1,directions=gaussian", &p, 11);
  hands *six = take("zo-align", "queries=6,radius=1,step=1,directions=gaussian", &p, 11);
  const l2o_real *g = estimate(three, 0);
  l2o_stop stop = L2O_STOP_NONE;
  assert_status(zo_begin(&six->plan, &six->it, false, &stop), L2O_OK, NULL);
  assert_status(zo_draw_matrix(&six->plan), L2O_OK, NULL);
  l2o_real *U = six->plan.u;
  for (size_t j = 0; j < D; j++) { /* u4 = u1, u5 = -2 u2, u6 = u1 + u3 */
    U[3 * D + j] = U[j];
    U[4 * D + j] = -2 * U[D + j];
    U[5 * D + j] = U[j] + U[2 * D + j];
  }
  assert_status(zo_probe_matrix(&six->plan), L2O_OK, NULL);
  assert_int_equal(six->it.value_calls, Q + 1);
  for (size_t j = 0; j < D; j++)
    assert_close(six->plan.g[j], g[j], 0, BY_PRECISION(1e-13, 1e-5));
  /* and all of them zero */
  assert_status(zo_begin(&six->plan, &six->it, false, &stop), L2O_OK, NULL);
  memset(U, 0, Q * D * sizeof *U);
  assert_status(zo_probe_matrix(&six->plan), L2O_OK, NULL);
  for (size_t j = 0; j < D; j++)
    assert_true(six->plan.g[j] == 0);
  drop(three);
  drop(six);
}

static void orthonormal_rows_are(void **state) {
  (void)state;
  static const size_t queries[] = {1, 7, 40, 100};
  l2o_real *A = malloc(D * D * sizeof *A), *copy = malloc(D * D * sizeof *copy),
           *work = malloc(l2o_orthonormal_rows_work(D) * sizeof *work);
  for (size_t i = 0; i < 4; i++) {
    const size_t q = queries[i];
    normal_reals(A, q * D, 1);
    memcpy(copy, A, q * D * sizeof *A);
    assert_status(l2o_orthonormal_rows(A, work, q, D), L2O_OK, NULL);
    for (size_t a = 0; a < q; a++) {
      for (size_t b = 0; b < q; b++)
        assert_close(l2o_dot(A + a * D, A + b * D, D), a == b, 0, 20 * EPS);
      assert_true(l2o_dot(A + a * D, copy + a * D, D) > 0); /* R's diagonal; and the span of the leading rows stays: */
      for (size_t b = a + 1; b < q; b++)
        assert_close(l2o_dot(A + b * D, copy + a * D, D), 0, 0, 200 * EPS);
    }
  }
  free(A);
  free(copy);
  free(work);
}

/* ---- moments (closed forms: zo.h): d = 100, unit gradient ---- */

static void moments_are_those_of_theory(void **state) {
  (void)state;
  static const size_t queries[] = {1, 2, 5, 10, 50, 100};
  static const double average_cosine[] = {.080, .125, .209, .296, .578, .709}; /* measured there, three digits */
  static const struct {
    const char *rule, *kind;
  } ways[] = {{"zo-avg", "gaussian"},
              {"zo-avg", "sphere"},
              {"zo-align", "orthonormal"},
              {"zo-align", "gaussian"},
              {"zo-align", "coordinate"}};
  double c[D];
  unit(c, D, 21);
  const l2o_problem p = {.ops = &linear_ops, .data = c, .n = D};
  for (size_t way = 0; way < 5; way++)
    for (size_t i = 0; i < 6; i++) {
      const size_t q = queries[i], draws = (COUNTING_MALLOC_SANITIZED ? 10000 : 250000) / q + 1000;
      if (way == 3 && q != 5)
        continue; /* the same spans as orthonormal: one will do */
      const double d = D, dq = (double)q;
      double mean[D] = {0}, sum = 0, squares = 0, gain = 0, gains = 0, cosine = 0, cosines = 0;
      char options[120];
      snprintf(options, sizeof options, "queries=%zu,radius=1,step=1,directions=%s", q, ways[way].kind);
      hands *h = take(ways[way].rule, options, &p, 31 + way);
      for (size_t k = 0; k < draws; k++) {
        const l2o_real *g = estimate(h, k);
        const double norm2 = l2o_dot(g, g, D), along = dot(c, g, D), cosine_now = along / sqrt(norm2);
        for (size_t j = 0; j < D; j++)
          mean[j] += (double)g[j] / (double)draws;
        sum += norm2, squares += norm2 * norm2, gain += along, gains += along * along;
        if (norm2 > 0)
          cosine += cosine_now, cosines += cosine_now * cosine_now;
      }
      drop(h);
      const double n = (double)draws;
      sum /= n, gain /= n, cosine /= n;
      const double se = sqrt(fmax(squares / n - sum * sum, 0) / n), gain_se = sqrt(fmax(gains / n - gain * gain, 0) / n),
                   cosine_se = sqrt(fmax(cosines / n - cosine * cosine, 0) / n);
      const bool average = way < 2;
      const double norm2 = way == 0 ? (d + dq + 1) / dq : way == 1 ? (d + dq - 1) / dq : dq / d, share = average ? 1 : dq / d;
      const double rounding = 1e3 * EPS;
      if (way < 4 && !COUNTING_MALLOC_SANITIZED)
        assert_true(5 * se < 0.02 * norm2 + rounding); /* the test can see two per cent */
      assert_close(sum, norm2, rounding, 5 * se);
      assert_close(gain, share, rounding, 5 * gain_se); /* E g = share grad f: along it, and across */
      double across = 0;
      for (size_t j = 0; j < D; j++)
        across += pow(mean[j] - share * c[j], 2);
      if (way != 4) { /* |mean - E g|^2 is (E|g|^2 - |E g|^2) / draws in the mean, and nearly chi-square with 100 degrees */
        assert_true(across <= (norm2 - share * share) / n * (1 + 5 * sqrt(2. / D)) + rounding);
        const double expected =
            average ? average_cosine[i] : exp(lgamma((dq + 1) / 2) + lgamma(d / 2) - lgamma(dq / 2) - lgamma((d + 1) / 2));
        if (way != 1) /* one rounded digit of the table */
          assert_close(cosine, expected, 1e-4, 5 * cosine_se + (average ? 6e-4 : 0));
        else
          assert_close(cosine, expected, 0.02, 5 * cosine_se);
      }
    }
}

/* E g'Ag where the gradient lies along the steepest axis: the bound that the trace-aware steps rest on is attained. */
static void trace_aware_steps_minimise_their_bound(void **state) {
  (void)state;
  static const struct {
    const char *rule, *kind;
    size_t q;
  } cases[] = {{"zo-avg", "gaussian", 1}, {"zo-avg", "gaussian", 7},      {"zo-avg", "sphere", 1},
               {"zo-avg", "sphere", 7},   {"zo-align", "orthonormal", 1}, {"zo-align", "orthonormal", 20}};
  const diagonal lin = spectrum(0.01);
  double c[D] = {0};
  c[D - 1] = 1;
  const l2o_problem p = {.ops = &linear_ops, .data = c, .n = D}, quadratic = {.ops = &diagonal_ops, .data = &lin, .n = D};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char options[160];
    double sum = 0, squares = 0, gain = 0;
    const size_t draws = (COUNTING_MALLOC_SANITIZED ? 10000 : 100000) / cases[i].q;
    snprintf(options, sizeof options, "queries=%zu,directions=%s,step_rule=trace", cases[i].q, cases[i].kind);
    hands *h = take(cases[i].rule, options, &quadratic, 1);
    const double eta = h->it.step;
    drop(h);
    snprintf(options, sizeof options, "queries=%zu,directions=%s,step=1,radius=1", cases[i].q, cases[i].kind);
    h = take(cases[i].rule, options, &p, 41);
    for (size_t k = 0; k < draws; k++) {
      const l2o_real *g = estimate(h, k);
      double bent = 0;
      for (size_t j = 0; j < D; j++)
        bent += lin.lambda[j] * (double)g[j] * (double)g[j];
      sum += bent, squares += bent * bent, gain += dot(c, g, D);
    }
    drop(h);
    const double n = (double)draws, mean = sum / n, se = sqrt((squares / n - mean * mean) / n);
    const double share = strcmp(cases[i].rule, "zo-avg") == 0 ? 1 : (double)cases[i].q / D;
    assert_close(gain / n, share, COUNTING_MALLOC_SANITIZED ? 0.2 : 0.05, 0);
    assert_close(mean, share / eta, 0, 5 * se); /* eta = E<g, grad f> / E g'Ag */
    assert_true(COUNTING_MALLOC_SANITIZED || se < 0.02 * mean);
  }
}

/* ---- step sizes ---- */

static void step_sizes_are_those_of_theory(void **state) {
  (void)state;
  diagonal lin = spectrum(0.1);
  lin.L = 4, lin.trace = 60;
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  const double b10 = 10. * 90 / (100. * 99 * 102), a10 = 0.1 - 101 * b10, align10 = 0.1 / ((a10 + b10) * 4 + b10 * 60);
  const struct {
    const char *rule, *options;
    double step;
  } cases[] = {
      {"zo-avg", "", 1 / (4 * 102.)},
      {"zo-avg", "queries=10", 10 / (4 * 111.)},
      {"zo-avg", "queries=200", 200 / (4 * 301.)},
      {"zo-avg", "queries=10,directions=sphere", 10 / (4 * 109.)},
      {"zo-avg", "queries=10,directions=orthonormal", 10 / (4 * 100.)},
      {"zo-avg", "queries=10,directions=coordinate", 10 / (4 * 100.)},
      {"zo-align", "", 0.25},
      {"zo-align", "queries=10", 0.25},
      {"zo-align", "queries=100,directions=gaussian", 0.25},
      {"zo-align", "queries=100,step_scale=0.5", 0.125},
      {"zo-align", "queries=100,step_scale=0.5,step=0.7", 0.7},
      {"zo-avg", "queries=10,step_rule=trace", 10 / (60 + 44.)},
      {"zo-avg", "queries=10,step_rule=trace,trace=80", 10 / (80 + 44.)},
      {"zo-avg", "queries=10,step_rule=trace,directions=sphere", 10 / (100 / 102. * (60 + 8) + 36)},
      {"zo-align", "queries=10,step_rule=trace", align10},
      {"zo-avg", "queries=10,step_rule=trace,directions=orthonormal", 0.1 * align10},
      {"zo-align", "queries=100,step_rule=trace", 0.25},
      {"zo-align", "queries=100,step_rule=trace,directions=coordinate", 0.25},
      {"zo-avg", "queries=10,setting=convex", 10 / (8 * 111.)},
      {"zo-align", "queries=10,setting=convex", 0.125},
      {"zo-avg", "queries=10,setting=stochastic,noise=9,horizon=5000,drop=3", sqrt(2 * 3 * 10 / (5000 * 4 * 9 * 111.))},
      {"zo-align", "queries=10,setting=stochastic,noise=9,horizon=5000,drop=3", sqrt(2 * 3 * 100 / (10 * 5000. * 4 * 9))},
      {"zo-align", "queries=10,setting=stochastic,noise=1e-9,horizon=5000,drop=3", 0.25},
      {"zo-avg", "queries=10,setting=stochastic,noise=1e-9,horizon=5000,drop=3", 10 / (4 * 111.)},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hands *h = take(cases[i].rule, cases[i].options, &p, 1);
    assert_close(h->it.step, cases[i].step, 1e-14, 0);
    drop(h);
  }
  hands *h = take("zo-align", "queries=7", &p, 1);
  assert_true(h->it.step == 0.25); /* 1/L exactly */
  drop(h);
}

static void the_radius_follows_its_rule(void **state) {
  (void)state;
  diagonal lin = spectrum(1);
  lin.L = 4;
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  static const char *const sided[] = {"directions=gaussian", "directions=gaussian,difference=two-sided"};
  for (int i = 0; i < 2; i++)
    for (int far = 0; far < 2; far++) {
      hands *h = take("zo-avg", sided[i], &p, 1);
      for (size_t j = 0; j < D; j++)
        h->it.x[j] = far ? -30 : (l2o_real)0.5;
      const double f = far ? 45000 : 12.5, scale = far ? 30 : 1;
      estimate(h, 0);
      assert_close(h->plan.h, scale * (i ? cbrt(3 * EPS * f / 4) : 2 * sqrt(EPS * f / 4)), 1e-12, 0);
      assert_int_equal(h->it.value_calls, i ? 3 : 2); /* two-sided: the value at the start once */
      const double first = h->plan.h;
      h->it.x[0] = 7; /* s follows x, f is that at the start */
      estimate(h, 1);
      assert_close(h->plan.h, far ? first * sqrt((99 * 900. + 49) / 90000) : first, 1e-12, 0);
      assert_int_equal(h->it.value_calls, i ? 5 : 4);
      drop(h);
    }
  /* f = 0 at the start: x + h u must differ from x all the same */
  hands *h = take("zo-align", "", &p, 1);
  memset(h->it.x, 0, D * sizeof *h->it.x);
  estimate(h, 0);
  assert_close(h->plan.h, sqrt(EPS), 1e-12, 0);
  drop(h);
  /* mu of the option, and mu sqrt(n) along unit vectors, wherever x is */
  h = take("zo-avg", "radius=0.25", &p, 1);
  h->it.x[0] = 1000;
  estimate(h, 0);
  assert_close(h->plan.h, 2.5, 1e-15, 0);
  drop(h);
  /* no L: the unit of f makes no difference */
  const l2o_problem_ops box = {.struct_size = sizeof box, .name = "box", .value = diagonal_value, .start = ones};
  for (int i = 0; i < 2; i++)
    for (int k = -20; k <= 20; k += 20) {
      diagonal scaled = spectrum(1);
      const l2o_problem q = {.ops = &box, .data = &scaled, .n = D};
      for (size_t j = 0; j < D; j++)
        scaled.lambda[j] *= pow(2, k);
      h = take("zo-align", i ? "difference=two-sided" : "", &q, 1);
      estimate(h, 0);
      assert_close(h->plan.h, i ? cbrt(3 * EPS) : 2 * sqrt(EPS), 1e-12, 0);
      drop(h);
    }
}

/* |x - x_0| of every call into a list. */
typedef struct distances {
  const l2o_real *from;
  double list[400];
  size_t count;
} distances;
static l2o_status distance_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  distances *d = (distances *)(uintptr_t)p->data;
  double squares = 0;
  (void)work;
  for (size_t i = 0; i < p->n; i++)
    squares += pow((double)x[i] - (double)d->from[i], 2);
  d->list[d->count++] = sqrt(squares);
  *f = squares;
  return L2O_OK;
}
static const l2o_problem_ops distance_ops = {.struct_size = sizeof distance_ops, .name = "distance", .value = distance_value};

static void all_kinds_of_directions_probe_as_far(void **state) {
  (void)state;
  static const char *const rules[] = {"zo-avg", "zo-align"};
  static const char *const kinds[] = {"sphere", "orthonormal", "coordinate", "gaussian"};
  for (int rule = 0; rule < 2; rule++)
    for (int kind = 0; kind < 4; kind++)
      for (int sided = 0; sided < 2; sided++) {
        distances d = {.count = 0};
        const l2o_problem p = {.ops = &distance_ops, .data = &d, .n = D};
        char options[120];
        snprintf(options, sizeof options, "queries=90,step=1,radius=0.25,directions=%s,difference=%s", kinds[kind],
                 sided ? "two-sided" : "one-sided");
        hands *h = take(rules[rule], options, &p, 5);
        if (rule == 1 && kind == 0 && sided == 0)
          normal_reals(h->it.x, D, 1);
        d.from = h->it.x;
        estimate(h, 0);
        assert_int_equal(d.count, sided ? 180 : 91);
        double squares = 0;
        for (size_t i = sided ? 0 : 1; i < d.count; i++) {
          squares += d.list[i] * d.list[i] / (double)(sided ? 180 : 90);
          if (kind < 3)
            assert_close(d.list[i], 2.5, 100 * EPS, 0); /* 0.25 sqrt(100) */
        }
        assert_close(squares, 6.25, 5 * sqrt(2. / (90 * D)), 0); /* Gaussian: in the mean */
        drop(h);
      }
}

/* ---- runs ---- */

typedef struct run {
  l2o_result result;
  double f; /* at the end */
} run;

static run go(const char *rule, const char *options, const l2o_problem *p, size_t iterations, size_t calls, uint64_t seed,
              l2o_trace *trace) {
  l2o_real x[D];
  l2o_diag diag = {""};
  l2o_settings s = l2o_settings_default();
  run r;
  s.options = options, s.iterations = iterations, s.calls = calls, s.seed = seed, s.traces = trace ? &trace : NULL;
  assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  assert_status(l2o_minimize(solver_named(rule), NULL, p, x, &r.result, &s, &diag), L2O_OK, &diag);
  r.f = r.result.last.objective;
  return r;
}

/* f = |x|^2 / 2: E f_K / f_0 = (1 - q/(d+q+1))^{K/q} for the average, (1 - q/d)^{K/q} for the projection, K = 1000. */
static void decay_on_the_sphere_has_its_closed_form(void **state) {
  (void)state;
  enum { K = 1000, SEEDS = COUNTING_MALLOC_SANITIZED ? 30 : 300 };
  static const size_t queries[] = {1, 10, 50};
  const diagonal iso = spectrum(1);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &iso, .n = D};
  for (int average = 0; average < 2; average++)
    for (size_t i = 0; i < 3; i++) {
      const double q = (double)queries[i], d = D, f0 = 0.5 * D;
      double sum = 0, squares = 0;
      for (uint64_t seed = 0; seed < SEEDS; seed++) {
        run r = go(average ? "zo-avg" : "zo-align",
                   with(BY_PRECISION("queries=%zu,counting=differences,radius=1e-6",
                                     "queries=%zu,counting=differences,radius=1e-2,difference=two-sided"),
                        queries[i]),
                   &p, 100000, K, 1000 + seed, NULL);
        assert_int_equal(r.result.last.iteration, K / queries[i]);
        assert_int_equal(r.result.last.charged, K);
        sum += r.f / f0;
        squares += r.f / f0 * r.f / f0;
      }
      const double mean = sum / SEEDS, se = sqrt((squares / SEEDS - mean * mean) / SEEDS);
      assert_close(mean, pow(1 - (average ? q / (d + q + 1) : q / d), K / q), 0, 3 * se);
      assert_true(COUNTING_MALLOC_SANITIZED || se < 0.06 * mean);
    }
}

/* Forward differences along axes come to rest where A x = -(h/2) diag A, f = (h^2/8) tr A; central ones go on. */
static void differences_have_their_floor(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.1);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  static const char *const forward[] = {"queries=100,radius=%s", "queries=20,radius=%s,directions=coordinate"};
  for (int i = 0; i < 2; i++)
    for (int fine = 0; fine < BY_PRECISION(2, 1); fine++) {
      char options[100];
      const double h = fine ? 1e-4 : 1e-2;
      snprintf(options, sizeof options, forward[i], fine ? "1e-5" : "1e-3");
      run r = go("zo-align", options, &p, i ? 4000 : 400, 0, 1, NULL);
      assert_close(r.f, h * h / 8 * 55, BY_PRECISION(1e-5, 1e-2), 0);
    }
  run central = go("zo-align", "queries=100,radius=1e-3,difference=two-sided", &p, 400, 0, 1, NULL);
  assert_true(central.f < BY_PRECISION(1e-18, 1e-8));
}

/* With eta = 1/L every draw descends. */
static void every_aligned_step_descends(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.01);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  static const size_t queries[] = {1, 3, 40, 100};
  for (size_t kind = 0; kind < 4; kind++)
    for (size_t i = 0; i < 4; i++)
      for (int sided = 0; sided < 2; sided++) {
        if (kind > 0 && kind < 3 && queries[i] == D)
          continue; /* as drawn, 100 directions magnify the error of the differences a hundredfold and more */
        char options[120];
        l2o_trace *trace;
        assert_status(l2o_trace_new(&trace, 301, 0), L2O_OK, NULL);
        snprintf(options, sizeof options, "queries=%zu,directions=%s,difference=%s", queries[i], SPANS[kind],
                 sided ? "two-sided" : "one-sided");
        go("zo-align", options, &p, 300, 0, 7, trace);
        size_t count;
        const l2o_record *r = l2o_trace_records(trace, &count);
        assert_int_equal(count, 301);
        for (size_t k = 1; k < count; k++)
          if (!(r[k].objective <= r[k - 1].objective * (1 + 4 * EPS) + 100 * EPS * r[0].objective))
            fail_msg("%s rises at %zu: %.17g, %.17g", options, k, r[k - 1].objective, r[k].objective);
        assert_true(r[300].objective < 0.999 * r[0].objective);
        l2o_trace_free(trace);
      }
}

/* ---- counting ---- */

static void budgets_are_counted_in_three_modes(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.1);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  static const struct {
    const char *options;
    size_t budget, iterations, calls, charged;
  } cases[] = {
      {"queries=3,counting=differences", 1000, 333, 1332, 999},
      {"queries=3,counting=differences,difference=two-sided,radius=1e-3", 1000, 333, 1998, 999},
      {"queries=3,counting=differences,difference=two-sided", 1000, 333, 1999, 999}, /* one value more chose the radius */
      {"queries=3,counting=calls", 1000, 250, 1000, 1000},
      {"queries=3", 999, 249, 996, 996},
      {"queries=3,difference=two-sided,radius=1e-3", 1000, 166, 996, 996},
      {"queries=3,difference=two-sided", 1000, 166, 997, 997},
      {"queries=100,counting=differences", 250, 2, 202, 200},
      {"queries=100", 250, 2, 202, 202},
      {"queries=100", 100, 0, 0, 0}, /* not even one step */
      {"queries=100,counting=differences", 99, 0, 0, 0},
      {"queries=100,counting=differences", 100, 1, 101, 100},
  };
  static const char *const rules[] = {"zo-avg", "zo-align"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int rule = 0; rule < 2; rule++)
      for (int traced = 0; traced < 2; traced++) {
        l2o_trace *trace;
        assert_status(l2o_trace_new(&trace, 400, 0), L2O_OK, NULL);
        run r = go(rules[rule], cases[i].options, &p, 100000, cases[i].budget, 3, traced ? trace : NULL);
        assert_int_equal(r.result.stop, L2O_STOP_CALLS);
        assert_int_equal(r.result.last.iteration, cases[i].iterations);
        assert_int_equal(r.result.last.value_calls, cases[i].calls);
        assert_int_equal(r.result.last.charged, cases[i].charged);
        assert_int_equal(r.result.last.gradient_calls, 0);
        size_t count;
        l2o_trace_records(trace, &count);
        assert_int_equal(count, traced ? cases[i].iterations + 1 : 0);
        l2o_trace_free(trace);
      }
  run r = go("zo-align", "queries=3,counting=differences", &p, 5, 1000, 3, NULL); /* the other stop */
  assert_int_equal(r.result.stop, L2O_STOP_ITERATIONS);
  assert_int_equal(r.result.last.charged, 15);
}

/* ---- minibatches ---- */

enum { SUMMANDS = 50, CALLS = 64, BATCH = 4 };
typedef struct recorder {
  size_t rows[CALLS][BATCH], count, calls;
} recorder;
static size_t recorder_summands(const l2o_problem *p) {
  (void)p;
  return SUMMANDS;
}
/* f_i(x) = 1/2 |x - i e_1|^2 */
static l2o_status recorder_partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows,
                                   size_t count, l2o_real *work) {
  recorder *r = (recorder *)(uintptr_t)p->data;
  (void)work, (void)g;
  assert_int_equal(count, BATCH);
  assert_true(r->calls < CALLS);
  memcpy(r->rows[r->calls++], rows, sizeof r->rows[0]);
  *f = 0;
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < p->n; j++)
      *f += 0.5 * pow((double)x[j] - (j ? 0 : (double)rows[i]), 2) / (double)count;
  return L2O_OK;
}
static l2o_status recorder_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t j = 0; j < p->n; j++)
    *f += 0.5 * (double)x[j] * (double)x[j];
  return L2O_OK;
}
static const l2o_problem_ops recorder_ops = {.struct_size = sizeof recorder_ops,
                                             .name = "recorder",
                                             .value = recorder_value,
                                             .summands = recorder_summands,
                                             .partial = recorder_partial};

static void a_step_sees_one_minibatch(void **state) {
  (void)state;
  static const char *const rules[] = {"zo-avg", "zo-align"};
  static const struct {
    const char *options;
    size_t calls;
  } cases[] = {{"queries=3,step=0.01,batch=4", 4},
               {"queries=3,step=0.01,batch=4,difference=two-sided,radius=1e-2", 6},
               {"queries=3,step=0.01,batch=4,directions=coordinate", 4},
               {"queries=3,step=0.01,batch=4,directions=sphere", 4}};
  for (int rule = 0; rule < 2; rule++)
    for (size_t i = 0; i < 4; i++)
      for (int traced = 0; traced < 2; traced++) {
        recorder r = {.calls = 0};
        const l2o_problem p = {.ops = &recorder_ops, .data = &r, .n = 6};
        l2o_trace *trace;
        assert_status(l2o_trace_new(&trace, 10, 0), L2O_OK, NULL);
        run result = go(rules[rule], cases[i].options, &p, 8, 0, 5, traced ? trace : NULL);
        assert_int_equal(r.calls, 8 * cases[i].calls); /* the base value of each step is evaluated on its own batch */
        assert_int_equal(result.result.last.value_calls, r.calls);
        for (size_t k = 0; k < 8; k++) {
          const size_t *first = r.rows[k * cases[i].calls];
          for (size_t j = 0; j < cases[i].calls; j++)
            assert_memory_equal(r.rows[k * cases[i].calls + j], first, sizeof r.rows[0]);
          if (k)
            assert_memory_not_equal(first, r.rows[(k - 1) * cases[i].calls], sizeof r.rows[0]);
        }
        l2o_trace_free(trace);
      }
}

/* ---- memory ---- */

static size_t scratch_of(const char *rule, const char *options, size_t n) {
  const l2o_solver *solver = solver_named(rule);
  double values[L2O_OPTIONS_MAX];
  assert_status(l2o_options_parse(solver->options, values, rule, options, NULL), L2O_OK, NULL);
  const l2o_problem p = {.ops = &linear_ops, .n = n};
  const l2o_iterate it = {.problem = &p, .options = values, .n = n};
  assert_true(solver->state_len(&it) <= 4 * sizeof(double) / sizeof(l2o_real));
  return solver->scratch_len(&it);
}

static void memory_is_what_is_promised(void **state) {
  (void)state;
  static const char *const average[] = {"queries=1", "queries=1000000", "queries=1000000,directions=sphere"};
  for (int i = 0; i < 3; i++) { /* streamed: two vectors and a block, for any number of directions */
    assert_int_equal(scratch_of("zo-avg", average[i], 1000000), 2 * 1000000 + 4096);
    assert_int_equal(scratch_of("zo-avg", average[i], 100), 3 * 100);
  }
  assert_int_equal(scratch_of("zo-align", "queries=1000,directions=coordinate", 100000), 3 * 100000);
  assert_int_equal(scratch_of("zo-align", "queries=2000", 2000), 2 * 2000); /* q = d: nothing to keep */
  assert_int_equal(scratch_of("zo-avg", "queries=2000,directions=orthonormal", 2000), 2 * 2000);
  assert_true(scratch_of("zo-align", "queries=100", 100000) <= 2 * 100000 + 100 * 100000 + 40 * 101);
  assert_true(scratch_of("zo-align", "queries=2000,directions=gaussian", 2000) <= 2000 * 2000 + 2 * 2000 + 40 * 2001);
}

static void no_step_allocates(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  static const struct {
    const char *rule, *options;
  } cases[] = {{"zo-avg", "queries=3"},
               {"zo-avg", "queries=3,directions=sphere,difference=two-sided"},
               {"zo-avg", "queries=3,directions=orthonormal"},
               {"zo-align", ""},
               {"zo-align", "queries=60"},
               {"zo-align", "queries=60,directions=gaussian"},
               {"zo-align", "queries=100,directions=gaussian"},
               {"zo-align", "queries=100"},
               {"zo-align", "queries=60,directions=coordinate"},
               {"zo-align", "queries=60,line_search=armijo"}};
  const diagonal lin = spectrum(0.1);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_settings s = l2o_settings_default();
    l2o_run *steps;
    l2o_stop stop = L2O_STOP_NONE;
    l2o_status status = L2O_OK;
    s.options = cases[i].options;
    assert_status(l2o_run_new(&steps, solver_named(cases[i].rule), NULL, &p, &s, NULL), L2O_OK, NULL);
    assert_status(l2o_run_start(steps, NULL), L2O_OK, NULL);
    assert_status(l2o_run_step(steps, &stop), L2O_OK, NULL);
    allocations_watch(0);
    for (int k = 0; k < 10 && !status && !stop; k++)
      status = l2o_run_step(steps, &stop);
    allocations seen = allocations_seen();
    assert_status(status, L2O_OK, NULL);
    assert_int_equal(seen.calls, 0);
    l2o_run_free(steps);
  }
}

/* ---- threads ---- */

static void threads_do_not_change_a_bit(void **state) {
  (void)state;
  enum { COUNT = 6 };
  static const struct {
    const char *rule, *options;
  } cases[] = {{"zo-avg", "queries=4"},
               {"zo-avg", "queries=4,directions=sphere"},
               {"zo-align", "queries=60"},
               {"zo-align", "queries=60,directions=gaussian"},
               {"zo-align", "queries=60,directions=coordinate"}};
  const diagonal lin = spectrum(0.1);
  l2o_problem problems[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    problems[i] = (l2o_problem){.ops = &diagonal_ops, .data = &lin, .n = D};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_real x[2][COUNT * D];
    for (int threads = 1; threads <= 2; threads++) {
      l2o_result results[COUNT];
      l2o_settings s = l2o_settings_default();
      s.options = cases[i].options, s.iterations = 20, s.threads = threads;
      for (size_t j = 0; j < COUNT * D; j++)
        x[threads - 1][j] = 1;
      assert_status(l2o_solve_many(solver_named(cases[i].rule), NULL, problems, COUNT, x[threads - 1], results, &s, NULL), L2O_OK,
                    NULL);
    }
    assert_same_reals(x[0], x[1], COUNT * D);
    assert_memory_not_equal(x[0], x[0] + D, D * sizeof(l2o_real)); /* each instance has its own directions */
  }
}

/* ---- line search ---- */

static l2o_status valley(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  l2o_real g[2];
  return rosenbrock(p, f, g, x, work);
}
static const l2o_problem_ops valley_ops = {.struct_size = sizeof valley_ops, .name = "valley", .value = valley};

/* f = sum x_i - ln x_i: infinite for x_i <= 0, minimum n at 1 */
static l2o_status barrier(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++)
    *f += x[i] > 0 ? (double)x[i] - log((double)x[i]) : (double)INFINITY;
  return L2O_OK;
}
static l2o_status far(const l2o_problem *p, l2o_real *x0) {
  for (size_t i = 0; i < p->n; i++)
    x0[i] = (l2o_real)(1 + i);
  return L2O_OK;
}
static const l2o_problem_ops barrier_ops = {.struct_size = sizeof barrier_ops, .name = "barrier", .value = barrier, .start = far};

static void a_black_box_needs_no_step(void **state) {
  (void)state;
  const l2o_problem box = {.ops = &barrier_ops, .n = 5}, bent = {.ops = &valley_ops, .n = 2};
  static const char *const options[] = {"queries=5,difference=two-sided", "queries=5", "queries=2,difference=two-sided", ""};
  for (size_t i = 0; i < 4; i++) {
    run r = go("zo-align", options[i], &box, 20000, 20000, 1, NULL);
    assert_close(r.f, 5, BY_PRECISION(1e-9, 1e-3), 0);
    assert_true(r.result.stop == L2O_STOP_STALLED || r.result.stop == L2O_STOP_CALLS || r.result.stop == L2O_STOP_ITERATIONS);
    if (i == 0)
      assert_int_equal(r.result.stop, L2O_STOP_STALLED);
  }
  l2o_trace *trace;
  assert_status(l2o_trace_new(&trace, 3001, 0), L2O_OK, NULL);
  run r = go("zo-align", "queries=2,difference=two-sided", &bent, 3000, 0, 1, trace); /* from 0: f = 1 */
  assert_true(r.f < 0.05);
  size_t count;
  const l2o_record *records = l2o_trace_records(trace, &count);
  for (size_t k = 1; k < count; k++)
    assert_true(records[k].objective <= records[k - 1].objective);
  l2o_trace_free(trace);
}

static void trials_are_charged_and_end_with_the_budget(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.1);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  for (size_t budget = 1; budget < 60; budget++)
    for (int differences = 0; differences < 2; differences++) {
      run r =
          go("zo-align",
             differences ? "queries=3,line_search=armijo,step=1e3,counting=differences" : "queries=3,line_search=armijo,step=1e3",
             &p, 1000, budget, 1, NULL);
      assert_int_equal(r.result.stop, L2O_STOP_CALLS);
      assert_true(r.result.last.charged <= budget && r.result.last.charged + 4 + !differences > budget);
      const size_t steps = r.result.last.iteration;
      assert_int_equal(r.result.last.value_calls - r.result.last.charged, differences ? steps : 0);
      assert_true(steps == 0 || r.result.last.charged >= (4 + (size_t)!differences) * steps);
    }
  /* accepted steps satisfy what was asked: 1/4 of the predicted decrease, at a step size of at most 1.5/lambda */
  run r = go("zo-align", "queries=100,difference=two-sided,line_search=armijo,step=1e3", &p, 200, 0, 1, NULL);
  assert_true(r.f < BY_PRECISION(1e-11, 1e-4));
}

static l2o_status falling(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const bool steep = *(const bool *)p->data;
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++)
    *f -= steep ? exp((double)x[i]) : (double)x[i];
  return L2O_OK;
}
static const l2o_problem_ops falling_ops = {.struct_size = sizeof falling_ops, .name = "falling", .value = falling};

static void a_function_without_a_minimum_ends_as_diverged(void **state) {
  (void)state;
  static const bool steep[] = {false, true};
  static const char *const options[] = {"", "queries=3", "difference=two-sided", "directions=gaussian"};
  for (size_t i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++) {
      const l2o_problem p = {.ops = &falling_ops, .data = &steep[j], .n = 3};
      run r = go("zo-align", options[i], &p, 3000, 0, 1, NULL);
      if (r.result.stop != L2O_STOP_DIVERGED || !(r.f == r.result.last.objective && r.f < -BY_PRECISION(1e15, 10)))
        fail_msg("%s, %d: %s at %g", options[i], j, l2o_stop_name((int)r.result.stop), r.f);
    }
}

/* Nothing is to be found nearer than the differences err: a stall at a minimum costs a few trials a direction. */
static void a_stall_is_cheap(void **state) {
  (void)state;
  const l2o_problem p = {.ops = &values_only_ops, .n = 50}; /* from 0, where f = 0 and no rounding hides a decrease */
  run r = go("zo-align", "", &p, 1000, 0, 1, NULL);
  assert_int_equal(r.result.stop, L2O_STOP_STALLED);
  assert_true(r.f == 0 && r.result.last.iteration == 50 && r.result.last.value_calls <= 50 * 40);
}

static void trial_steps_grow_again(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.1);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  /* from a millionth of 1/L: 20 doublings, and then steps of about 1/L */
  run r = go("zo-align", "queries=100,difference=two-sided,radius=1e-2,line_search=armijo,step=1e-6", &p, 60, 0, 1, NULL);
  assert_true(r.f < 0.1 * 27.5);
  assert_true(r.result.last.value_calls <= 60 * (200 + 1 + 2));
}

/* ---- constraints ---- */

static void steps_end_inside_the_bounds(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.1);
  const l2o_problem inner = {.ops = &diagonal_ops, .data = &lin, .n = D};
  l2o_real lower[D];
  for (size_t i = 0; i < D; i++)
    lower[i] = i % 2 ? (l2o_real)0.5 : -1;
  l2o_problem p;
  assert_status(l2o_problem_bounded(&p, &inner, lower, NULL, NULL), L2O_OK, NULL);
  double fstar = 0;
  for (size_t i = 1; i < D; i += 2)
    fstar += 0.5 * lin.lambda[i] * 0.25;
  static const char *const options[] = {"queries=100,difference=two-sided,radius=1e-3",
                                        "queries=10,directions=coordinate,difference=two-sided,radius=1e-3",
                                        "queries=100,difference=two-sided,radius=1e-3,line_search=armijo", "queries=10"};
  for (size_t i = 0; i < 4; i++) {
    l2o_real x[D];
    l2o_result result;
    l2o_settings s = l2o_settings_default();
    s.options = options[i], s.iterations = 3000;
    ones(&p, x);
    assert_status(l2o_minimize(solver_named("zo-align"), NULL, &p, x, &result, &s, NULL), L2O_OK, NULL);
    for (size_t j = 0; j < D; j++)
      assert_true(x[j] >= lower[j]);
    if (i < 3)
      assert_close(result.last.objective, fstar, BY_PRECISION(1e-12, 1e-5), 0);
  }
  l2o_real x[D];
  l2o_settings s = l2o_settings_default();
  ones(&p, x);
  assert_status(l2o_minimize(solver_named("zo-avg"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  for (size_t j = 0; j < D; j++)
    assert_true(x[j] >= lower[j]);
  l2o_problem_free(&p);
}

/* ---- bad answers, bad input ---- */

/* f = x_1 + ... + x_n, spoiled in the calls of a mask. */
typedef struct spoiled_sum {
  uint64_t mask; /* bit i: call i (0, 1, ...) */
  size_t calls;
  double answer;
} spoiled_sum;
static l2o_status spoiled_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  spoiled_sum *s = (spoiled_sum *)(uintptr_t)p->data;
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++)
    *f += (double)x[i];
  if (s->mask >> s->calls++ & 1)
    *f = s->answer;
  return L2O_OK;
}
static const l2o_problem_ops spoiled_ops = {.struct_size = sizeof spoiled_ops, .name = "spoiled", .value = spoiled_value};

static void a_probe_without_an_answer_is_left_out(void **state) {
  (void)state;
  static const double answers[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1.7e308};
  for (int k = 0; k < 4; k++) { /* 1.7e308: a difference that overflows */
    spoiled_sum s = {.mask = 1u << 2, .answer = answers[k]};
    const l2o_problem p = {.ops = &spoiled_ops, .data = &s, .n = 4};
    hands *h = take("zo-align", "queries=4,radius=0.25,step=1", &p, 1); /* axes: call 2 is the probe of x_2 */
    const l2o_real *g = estimate(h, 0);
    for (size_t i = 0; i < 4; i++)
      assert_true(g[i] == (i != 1));
    drop(h);
    for (int kind = 0; kind < 2; kind++) /* the projection to the direction that is left of two */
      for (int lost = 0; lost < 2; lost++) {
        char options[100];
        l2o_real u[2][4];
        s.calls = 0;
        s.mask = lost ? 1u << 2 : 1u << 1;
        snprintf(options, sizeof options, "queries=2,radius=0.25,step=1,directions=%s", kind ? "orthonormal" : "gaussian");
        h = take("zo-align", options, &p, 1);
        g = estimate(h, 0);
        zo_draw(u[0], &h->it, 0);
        zo_draw(u[1], &h->it, 1);
        const double overlap = kind ? l2o_dot(u[0], u[1], 4) / l2o_dot(u[0], u[0], 4) : 0; /* of the second with the first */
        const l2o_real *left = u[!lost];
        for (size_t i = 0; i < 4; i++)
          u[1][i] -= (l2o_real)overlap * u[0][i];
        const double share = ((double)left[0] + (double)left[1] + (double)left[2] + (double)left[3]) / l2o_dot(left, left, 4);
        for (size_t i = 0; i < 4; i++)
          assert_close(g[i], share * (double)left[i], 0, BY_PRECISION(1e-13, 1e-4));
        drop(h);
      }
    s.mask = 1u << 2;
    s.calls = 0;
    h = take("zo-avg", "queries=2,radius=0.25,step=1", &p, 1); /* counts as zero */
    g = estimate(h, 0);
    l2o_real u[4];
    zo_draw(u, &h->it, 0);
    const double sum = (double)u[0] + (double)u[1] + (double)u[2] + (double)u[3];
    for (size_t i = 0; i < 4; i++)
      assert_close(g[i], sum * (double)u[i] / 2, 0, BY_PRECISION(1e-14, 1e-5));
    drop(h);
  }
}

/* The value at x, or all probes: the run ends as diverged where it stood. */
static void no_answer_at_all_ends_as_diverged(void **state) {
  (void)state;
  static const struct {
    const char *rule, *options;
    uint64_t mask;
    size_t steps;
  } cases[] = {{"zo-avg", "step=1e-3,radius=1,queries=2", 1, 0},
               {"zo-align", "step=1e-3,radius=1,queries=2", 1, 0},
               {"zo-avg", "step=1e-3,radius=1,queries=2", 1 << 3, 0},
               {"zo-align", "step=1e-3,radius=1,queries=2", 6, 0},
               {"zo-avg", "step=1e-3,radius=1,queries=2", 6 << 3, 1},
               {"zo-align", "step=1e-3,radius=1,queries=4", 30, 0},
               {"zo-align", "step=1e-3,radius=1,queries=2,directions=gaussian", 6, 0},
               {"zo-align", "step=1e-3,radius=1,queries=2,difference=two-sided", 3, 0},
               {"zo-align", "step=1e-3,radius=1,queries=2,difference=two-sided,directions=coordinate", 6, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    spoiled_sum s = {.mask = cases[i].mask, .answer = (double)NAN};
    const l2o_problem p = {.ops = &spoiled_ops, .data = &s, .n = 4};
    l2o_run *steps;
    l2o_stop stop = L2O_STOP_NONE;
    l2o_settings settings = l2o_settings_default();
    settings.options = cases[i].options;
    assert_status(l2o_run_new(&steps, solver_named(cases[i].rule), NULL, &p, &settings, NULL), L2O_OK, NULL);
    assert_status(l2o_run_start(steps, NULL), L2O_OK, NULL);
    size_t done = 0;
    while (stop == L2O_STOP_NONE && done < 10) {
      assert_status(l2o_run_step(steps, &stop), L2O_OK, NULL);
      done++;
    }
    assert_int_equal(stop, L2O_STOP_DIVERGED);
    assert_true(done == cases[i].steps + 1 || (cases[i].mask == 1 << 3 && done == 2));
    for (size_t j = 0; j < 4; j++)
      assert_true(isfinite(l2o_run_x(steps)[j]));
    l2o_run_free(steps);
  }
}

static l2o_status wild(const l2o_problem *p, double *constant) {
  (void)p;
  *constant = -1;
  return L2O_OK;
}
static const l2o_problem_ops wild_ops = {
    .struct_size = sizeof wild_ops, .name = "wild", .value = diagonal_value, .lipschitz = wild, .hessian_trace = wild};
static const l2o_problem_ops traceless_ops = {
    .struct_size = sizeof traceless_ops, .name = "traceless", .value = diagonal_value, .lipschitz = diagonal_lipschitz};
static const l2o_problem_ops wild_trace_ops = {.struct_size = sizeof wild_trace_ops,
                                               .name = "wild-trace",
                                               .value = diagonal_value,
                                               .lipschitz = diagonal_lipschitz,
                                               .hessian_trace = wild};

static void bad_input_is_said_in_a_sentence(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.1);
  const struct {
    const l2o_problem_ops *ops;
    const char *rule, *options;
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {&diagonal_ops, "zo-align", "queries=12", L2O_ERR_ARG, "zo-align: queries=12 exceeds the 10 unknowns of problem 'diagonal'"},
      {&diagonal_ops, "zo-align", "queries=11,directions=gaussian", L2O_ERR_ARG, "zo-align: queries=11 exceeds the 10 unknowns"},
      {&diagonal_ops, "zo-avg", "queries=11,directions=coordinate", L2O_ERR_ARG, "zo-avg: queries=11 exceeds the 10 unknowns"},
      {&diagonal_ops, "zo-avg", "queries=11,directions=orthonormal", L2O_ERR_ARG, "zo-avg: queries=11 exceeds the 10 unknowns"},
      {&diagonal_ops, "zo-avg", "queries=11,directions=sphere", L2O_OK, ""},
      {&diagonal_ops, "zo-avg", "queries=0", L2O_ERR_ARG, "zo-avg: queries = 0: expected an integer from 1 to"},
      {&diagonal_ops, "zo-align", "queries=0", L2O_ERR_ARG, "zo-align: queries = 0: expected an integer from 1 to"},
      {&diagonal_ops, "zo-align", "queries=2.5", L2O_ERR_ARG, "zo-align: queries = 2.5: expected an integer"},
      {&diagonal_ops, "zo-align", "radius=-1", L2O_ERR_ARG, "zo-align: radius = -1: expected a number from 0 to"},
      {&diagonal_ops, "zo-avg", "radius=nan", L2O_ERR_ARG, "zo-avg: radius = nan: expected a number"},
      {&diagonal_ops, "zo-avg", "difference=both", L2O_ERR_ARG, "expected one of one-sided|two-sided"},
      {&diagonal_ops, "zo-avg", "counting=some", L2O_ERR_ARG, "expected one of calls|differences"},
      {&diagonal_ops, "zo-avg", "line_search=armijo", L2O_ERR_ARG, "zo-avg has no option 'line_search'"},
      {&diagonal_ops, "zo-avg", "batch=4", L2O_ERR_NOTSUP, "needs a sum to take minibatches of"},
      {&linear_ops, "zo-avg", "", L2O_ERR_NOTSUP, "zo-avg needs a step size; problem 'linear' has no Lipschitz constant"},
      {&linear_ops, "zo-align", "line_search=none", L2O_ERR_NOTSUP, "zo-align:step=... or line_search=armijo"},
      {&linear_ops, "zo-align", "", L2O_OK, ""},
      {&linear_ops, "zo-align", "step_rule=trace", L2O_ERR_NOTSUP, "zo-align needs a step size; problem 'linear'"},
      {&linear_ops, "zo-align", "setting=convex", L2O_ERR_NOTSUP, "zo-align needs a step size; problem 'linear'"},
      {&linear_ops, "zo-avg", "step=1", L2O_OK, ""},
      {&wild_ops, "zo-avg", "", L2O_ERR_NUMERIC, "the Lipschitz constant of problem 'wild' is not a positive finite number"},
      {&wild_ops, "zo-align", "", L2O_ERR_NUMERIC, "the Lipschitz constant of problem 'wild' is not a positive finite number"},
      {&traceless_ops, "zo-avg", "step_rule=trace", L2O_ERR_NOTSUP, "problem 'traceless' does not tell; give zo-avg:trace=..."},
      {&traceless_ops, "zo-avg", "step_rule=trace,trace=3", L2O_OK, ""},
      {&wild_trace_ops, "zo-align", "step_rule=trace", L2O_ERR_NUMERIC, "'wild-trace' gives no positive finite number for"},
      {&diagonal_ops, "zo-align", "step_rule=trace,directions=coordinate,queries=5", L2O_ERR_ARG, "directions without preference"},
      {&diagonal_ops, "zo-align", "setting=stochastic,noise=1,horizon=100", L2O_ERR_ARG, "needs noise"},
      {&diagonal_ops, "zo-align", "setting=stochastic,step=0.1", L2O_OK, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const l2o_problem p = {.ops = cases[i].ops, .data = &lin, .n = 10};
    l2o_settings s = l2o_settings_default();
    l2o_diag diag = {""};
    l2o_run *steps;
    s.options = cases[i].options;
    l2o_status status = l2o_run_new(&steps, solver_named(cases[i].rule), NULL, &p, &s, &diag);
    if (status != cases[i].status)
      fail_msg("%s:%s: %s", cases[i].rule, cases[i].options, diag.text);
    assert_names(&diag, cases[i].sentence);
    assert_true((steps != NULL) == (status == L2O_OK));
    l2o_run_free(steps);
  }
}

/* ---- the order of the reference table (experiments/zo-multi-query/README.md), small ---- */

static double mean_log(const char *rule, const char *options, const l2o_problem *p, size_t budget) {
  enum { SEEDS = 6 };
  double sum = 0;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    l2o_real x0[D];
    ones(p, x0);
    sum += log10(go(rule, options, p, 1000000, budget, 50 + seed, NULL).f / value_at(p, x0)) / SEEDS;
  }
  return sum;
}

/* lin10, K = 4000. Under counting=differences with steps from L: -5.69, -3.82 for the average of q = 1, 100; -5.77, -6.12 for the
 * projection. Under counting=calls q = 1 loses: -3.61, -5.01, -3.76 for the average of q = 1, 10, 100; -3.66, -6.02. */
static void the_dichotomy_and_its_reversal(void **state) {
  (void)state;
  const diagonal lin = spectrum(0.1);
  const l2o_problem p = {.ops = &diagonal_ops, .data = &lin, .n = D};
  static const struct {
    const char *rule, *options;
    double expected;
  } cases[] = {{"zo-avg", "radius=1e-6,counting=differences,queries=1", -5.69},
               {"zo-avg", "radius=1e-6,counting=differences,queries=100", -3.82},
               {"zo-align", "radius=1e-6,counting=differences,queries=1", -5.77},
               {"zo-align", "radius=1e-6,counting=differences,queries=100", -6.12},
               {"zo-avg", "radius=1e-6,queries=1", -3.61},
               {"zo-avg", "radius=1e-6,queries=10", -5.01},
               {"zo-avg", "radius=1e-6,queries=100", -3.76},
               {"zo-align", "radius=1e-6,queries=1", -3.66},
               {"zo-align", "radius=1e-6,queries=100", -6.02}};
  if (sizeof(l2o_real) == sizeof(float))
    skip(); /* mu = 1e-6 is below what floats tell apart */
  for (size_t i = 0; i < sizeof cases / sizeof *cases;
       i++) /* their spread over 40 seeds: 0.06 a mean of six, doubled by the table */
    assert_close(mean_log(cases[i].rule, cases[i].options, &p, 4000), cases[i].expected, 0, 0.25);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(normals_have_random_access_and_moments),
      cmocka_unit_test(replayed_directions_are_the_first_draw),
      cmocka_unit_test(aligned_estimates_are_projections),
      cmocka_unit_test(all_ways_to_a_projection_agree),
      cmocka_unit_test(with_all_queries_it_is_the_finite_difference_gradient),
      cmocka_unit_test(raw_directions_are_solved_for_accurately),
      cmocka_unit_test(dependent_directions_are_left_out),
      cmocka_unit_test(orthonormal_rows_are),
      cmocka_unit_test(moments_are_those_of_theory),
      cmocka_unit_test(trace_aware_steps_minimise_their_bound),
      cmocka_unit_test(step_sizes_are_those_of_theory),
      cmocka_unit_test(the_radius_follows_its_rule),
      cmocka_unit_test(all_kinds_of_directions_probe_as_far),
      cmocka_unit_test(decay_on_the_sphere_has_its_closed_form),
      cmocka_unit_test(differences_have_their_floor),
      cmocka_unit_test(every_aligned_step_descends),
      cmocka_unit_test(budgets_are_counted_in_three_modes),
      cmocka_unit_test(a_step_sees_one_minibatch),
      cmocka_unit_test(memory_is_what_is_promised),
      cmocka_unit_test(no_step_allocates),
      cmocka_unit_test(threads_do_not_change_a_bit),
      cmocka_unit_test(a_black_box_needs_no_step),
      cmocka_unit_test(trials_are_charged_and_end_with_the_budget),
      cmocka_unit_test(a_function_without_a_minimum_ends_as_diverged),
      cmocka_unit_test(a_stall_is_cheap),
      cmocka_unit_test(trial_steps_grow_again),
      cmocka_unit_test(steps_end_inside_the_bounds),
      cmocka_unit_test(a_probe_without_an_answer_is_left_out),
      cmocka_unit_test(no_answer_at_all_ends_as_diverged),
      cmocka_unit_test(bad_input_is_said_in_a_sentence),
      cmocka_unit_test(the_dichotomy_and_its_reversal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
