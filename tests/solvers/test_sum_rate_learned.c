/* SPDX-License-Identifier: BSD-3-Clause */
/* sum-rate-lo and sum-rate-pga: where they begin, what they promise, symmetries, derivatives against differences, what is refused.
 * Golden numbers: tests/golden/test_golden_sum_rate.c. */
#include "l2o_fixtures.h"

#include "counting_malloc.h"
#include "problems/sum_rate.h"

static const double LN2 = 0.69314718055994530942;
static const char *const BOUNDS[] = {"eigenvalue", "norm", "trace"};

static l2o_problem problem_of(const char *options, uint64_t index) {
  char spec[160];
  snprintf(spec, sizeof spec, "sum-rate:%s", *options ? options : "cells=3");
  return sampled(spec, 7, index);
}

static l2o_model *model_with(const char *kind, const char *options) {
  char spec[200];
  snprintf(spec, sizeof spec, "%s:hidden=6%s%s", kind, *options ? "," : "", options);
  return model_of(spec, 3);
}

static bool is_without_lift(const char *options) {
  return !strstr(options, "lift=") && !strstr(options, "rank=");
}

/* A run from x0, or the problem's start, with all its points. */
typedef struct path {
  l2o_trace *trace;
  const l2o_record *records;
  const l2o_real *x; /* (steps + 1, n) */
  size_t steps;
  l2o_result result;
} path;

static path walk(const l2o_problem *p, const l2o_real *x0, const char *solver, const l2o_model *model, const char *options,
                 size_t steps) {
  path w = {.steps = steps};
  l2o_settings s = l2o_settings_default();
  l2o_diag diag = {""};
  l2o_real *x = malloc(p->n * sizeof *x);
  size_t count;
  if (x0)
    memcpy(x, x0, p->n * sizeof *x);
  else
    assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  assert_status(l2o_trace_new(&w.trace, steps + 1, p->n), L2O_OK, NULL);
  s.iterations = steps;
  s.options = options;
  s.traces = &w.trace;
  assert_status(l2o_minimize(solver_named(solver), model, p, x, &w.result, &s, &diag), L2O_OK, &diag);
  w.records = l2o_trace_records(w.trace, &count);
  w.x = l2o_trace_iterates(w.trace);
  if (count != steps + 1)
    fail_msg("%s ended after %zu steps", solver, count - 1);
  free(x);
  return w;
}

static void compare_points(const char *what, const l2o_real *a, const l2o_real *b, size_t n, double tolerance) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = fmax(largest, fabs((double)b[i]));
  for (size_t i = 0; i < n; i++)
    if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * largest))
      fail_msg("%s: entry %zu is %.17g, expected %.17g", what, i, (double)a[i], (double)b[i]);
}

/* ---- where they begin ---- */

static const char *const SHAPES[] = {"",
                                     "cells=1,users=1,tx=1,rx=1",
                                     "cells=1,users=1,tx=4,rx=2",
                                     "cells=1,users=4,tx=8,rx=1",
                                     "cells=2,users=9,tx=3,rx=3,weights=random",
                                     "channel=layout,tx=8,weights=random",
                                     "cells=4,users=1,tx=6,rx=4,streams=3,start=random",
                                     "cells=2,users=2,tx=16,rx=5,streams=1,snr_db=20"};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES };

static void untrained_rules_are_fastfp(void **state) {
  (void)state;
  enum { STEPS = 20 };
  static const char *const variants[] = {"",
                                         "step=bounded",
                                         "products=3,layers=4",
                                         "momentum=false,products=0",
                                         "momentum=false,step=bounded,shared=true,layers=30",
                                         "safe=true"};
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++)
    for (size_t bound = 0; bound < 3; bound++) {
      l2o_problem p = problem_of(SHAPES[shape], shape);
      char lambda[40], options[120];
      snprintf(lambda, sizeof lambda, "lambda=%s", BOUNDS[bound]);
      path expected = walk(&p, NULL, "fastfp", NULL, lambda, STEPS);
      assert_true(expected.records[STEPS].objective < expected.records[0].objective || p.n == 2);
      for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        snprintf(options, sizeof options, "%s%s%s", lambda, *variants[i] ? "," : "", variants[i]);
        l2o_model *model = model_with("sum-rate-lo", options);
        path own = walk(&p, NULL, "sum-rate-lo", model, "", STEPS);
        assert_same_reals(own.x, expected.x, (STEPS + 1) * p.n);
        assert_true(own.records[STEPS].gradient_calls == STEPS);
        l2o_trace_free(own.trace);
        l2o_model_free(model);
      }
      l2o_trace_free(expected.trace);
      l2o_problem_free(&p);
    }
}

/* Q Q^H = I, and a direction that steps like all others makes no difference. */
static void untrained_lifts_are_fastfp_but_for_rounding(void **state) {
  (void)state;
  enum { STEPS = 12 };
  static const char *const variants[] = {"tx=4,lift=8", "tx=4,lift=4", "tx=4,rank=3", "tx=4,lift=9,rank=2,step=bounded",
                                         "tx=4,lift=5,rank=5,momentum=false,products=2"};
  for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
    for (uint64_t index = 0; index < 3; index++) {
      l2o_problem p = problem_of("tx=4,weights=random", index);
      l2o_model *model = model_with("sum-rate-lo", variants[i]);
      path own = walk(&p, NULL, "sum-rate-lo", model, "", STEPS), expected = walk(&p, NULL, "fastfp", NULL, "lambda=trace", STEPS);
      compare_points(variants[i], own.x, expected.x, (STEPS + 1) * p.n, BY_PRECISION(1e-12, 1e-3));
      l2o_trace_free(own.trace);
      l2o_trace_free(expected.trace);
      l2o_model_free(model);
      l2o_problem_free(&p);
    }
}

/* A step of eta along dR / dV*, R in nats, is one of eta ln 2 / 2 of projected-gradient. */
static void untrained_ascent_is_projected_gradient(void **state) {
  (void)state;
  enum { STEPS = 12 };
  static const char *const variants[] = {"step=0.2", "step=0.05,steps=network", "step=0.2,momentum=false"};
  static const double eta[] = {0.2, 0.05, 0.2};
  for (size_t i = 0; i < 3; i++) {
    l2o_problem p = problem_of("weights=random", i);
    l2o_model *model = model_with("sum-rate-pga", variants[i]);
    char step[60];
    snprintf(step, sizeof step, "step_rule=fixed,step=%.17g", eta[i] * LN2 / 2);
    path own = walk(&p, NULL, "sum-rate-pga", model, "", STEPS), expected = walk(&p, NULL, "projected-gradient", NULL, step, STEPS);
    compare_points(variants[i], own.x, expected.x, (STEPS + 1) * p.n, BY_PRECISION(1e-12, 1e-3));
    l2o_trace_free(own.trace);
    l2o_trace_free(expected.trace);
    l2o_model_free(model);
    l2o_problem_free(&p);
  }
}

/* ---- what is promised ---- */

/* The step of a user: V+ = a (V + s R_0) is fitted by a and a s. */
static double step_of(const l2o_real *next, const l2o_real *x, const l2o_real *g, double scale, size_t entries) {
  double xx = 0, xr = 0, rr = 0, nx = 0, nr = 0, rest = 0, all = 0;
  for (size_t i = 0; i < entries; i++) {
    const double v = (double)x[i], r = scale * (double)g[i], to = (double)next[i];
    xx += v * v, xr += v * r, rr += r * r, nx += to * v, nr += to * r;
  }
  const double det = xx * rr - xr * xr, a = (nx * rr - nr * xr) / det, b = (nr * xx - nx * xr) / det;
  for (size_t i = 0; i < entries; i++) {
    rest += pow((double)next[i] - a * (double)x[i] - b * scale * (double)g[i], 2);
    all += pow((double)next[i], 2);
  }
  assert_true(rest <= BY_PRECISION(1e-20, 1e-8) * all);
  return b / a;
}

/* One step of every base station below 2 / lambda: the rate never falls. */
static void safe_steps_never_lower_the_rate(void **state) {
  (void)state;
  enum { STEPS = 15, CHANNELS = 25 };
  double least = 2, most = 0;
  for (uint64_t index = 0; index < CHANNELS; index++)
    for (size_t shape = 0; shape < 3; shape++) {
      static const char *const shapes[] = {"", "cells=2,users=4,tx=6,rx=2,weights=random,snr_db=20", "channel=layout,tx=8"};
      l2o_problem p = problem_of(shapes[shape], index);
      const l2o_sum_rate *d = l2o_sum_rate_of(&p);
      char options[60];
      snprintf(options, sizeof options, "safe=true,lambda=%s", BOUNDS[index % 3]);
      l2o_model *model = model_with("sum-rate-lo", options);
      randomise(model, index, 0.45);
      path w = walk(&p, NULL, "sum-rate-lo", model, "", STEPS);
      for (size_t k = 0; k < STEPS; k++)
        /* floats tell noise of 1 beside gains of 1e5 to two digits */
        if (!(w.records[k + 1].objective <= w.records[k].objective + BY_PRECISION(1e-12, 3e-4) * fabs(w.records[k].objective)))
          fail_msg("step %zu: from %.15g to %.15g", k, w.records[k].objective, w.records[k + 1].objective);
      l2o_real *g = malloc(p.n * sizeof *g), *work = malloc(l2o_problem_work_len(&p) * sizeof *work),
               *scratch = malloc((l2o_rate_lambda_scratch(d, L2O_RATE_EIGENVALUE) + 1) * sizeof *scratch);
      for (size_t k = 0; k < STEPS && shape == 0; k++) {
        const l2o_real *x = w.x + k * p.n, *next = x + p.n;
        const size_t entries = p.n / d->n;
        double f;
        assert_status(l2o_problem_gradient(&p, &f, g, x, work), L2O_OK, NULL);
        const l2o_rate_point at = l2o_rate_point_at(d, work);
        const l2o_rate_curve curve = l2o_rate_curve_at(d, work);
        l2o_rate_curve_begin(&curve, &at, d);
        for (size_t j = 0; j < d->sizes.cells; j++) {
          const double lambda = l2o_rate_lambda(&at, &curve, d, j, (l2o_rate_bound)(index % 3), scratch);
          double first = 0;
          for (size_t u = j * d->sizes.users; u < (j + 1) * d->sizes.users; u++) {
            const size_t from = u * entries;
            const double s = step_of(next + from, x + from, g + from, -0.5 * LN2 / lambda, entries);
            least = fmin(least, s), most = fmax(most, s);
            if (u == j * d->sizes.users)
              first = s;
            assert_close(s, first, BY_PRECISION(1e-8, 2e-2), BY_PRECISION(1e-8, 1e-2));
          }
        }
      }
      free(g), free(work), free(scratch);
      l2o_trace_free(w.trace);
      l2o_model_free(model);
      l2o_problem_free(&p);
    }
  if (!(least > BY_PRECISION(0, -1e-3) && most < BY_PRECISION(2, 2.01) && least < 0.5 && most > 1.5))
    fail_msg("steps from %.12g to %.12g", least, most);
}

#ifdef L2O_SINGLE
#define HUGE_WEIGHT 1e30
#else
#define HUGE_WEIGHT 1e300
#endif

/* Whatever the weights: shadow is nowhere below fastfp, descent never below where it was. */
static void the_guard_keeps_its_promises(void **state) {
  (void)state;
  enum { STEPS = 8 };
  static const struct {
    const char *kind, *options;
    double spread;
  } cases[] = {{"sum-rate-lo", "", 0.3},
               {"sum-rate-lo", "products=3,lambda=norm", 1},
               {"sum-rate-lo", "step=bounded,lambda=eigenvalue", 3},
               {"sum-rate-lo", "tx=4,lift=8,rank=2", 1},
               {"sum-rate-lo", "", HUGE_WEIGHT},
               {"sum-rate-lo", "tx=4,rank=2", HUGE_WEIGHT},
               {"sum-rate-pga", "steps=network", 1},
               {"sum-rate-pga", "", 3},
               {"sum-rate-pga", "", HUGE_WEIGHT}};
  enum { CASES = sizeof cases / sizeof *cases, CHANNELS = 25 };
  size_t rejected = 0, better = 0, hopeless = 0;
  for (size_t c = 0; c < CASES; c++)
    for (uint64_t index = 0; index < CHANNELS; index++) {
      l2o_problem p = problem_of(index % 5 ? "" : "tx=4,channel=layout,weights=random", index);
      l2o_model *model = model_with(cases[c].kind, cases[c].options);
      const char *bound = strstr(cases[c].options, "lambda=");
      randomise(model, index, cases[c].spread);
      path shadow = walk(&p, NULL, cases[c].kind, model, "guard=shadow", STEPS),
           descent = walk(&p, NULL, cases[c].kind, model, "guard=descent", STEPS),
           classical = walk(&p, NULL, "fastfp", NULL, bound ? bound : "lambda=trace", STEPS);
      for (size_t k = 0; k <= STEPS; k++) {
        if (!(shadow.records[k].objective <= classical.records[k].objective))
          fail_msg("%s, channel %zu: %.15g after %zu steps, fastfp has %.15g", l2o_model_spec(model), (size_t)index,
                   shadow.records[k].objective, k, classical.records[k].objective);
        if (k && !(descent.records[k].objective <= descent.records[k - 1].objective))
          fail_msg("%s, channel %zu: step %zu goes up from %.15g to %.15g", l2o_model_spec(model), (size_t)index, k,
                   descent.records[k - 1].objective, descent.records[k].objective);
        better += shadow.records[k].objective < classical.records[k].objective;
      }
      rejected += descent.records[STEPS].fallbacks;
      for (size_t k = 0; k <= STEPS && descent.records[STEPS].fallbacks == STEPS; k++) /* with the same lambda */
        assert_close(descent.records[k].objective, classical.records[k].objective, BY_PRECISION(1e-12, 1e-4), 0);
      hopeless += cases[c].spread >= HUGE_WEIGHT && descent.records[STEPS].fallbacks == STEPS;
      l2o_trace_free(shadow.trace);
      l2o_trace_free(descent.trace);
      l2o_trace_free(classical.trace);
      l2o_model_free(model);
      l2o_problem_free(&p);
    }
  assert_true(rejected > CHANNELS && better > CHANNELS && hopeless > CHANNELS);
}

/* ---- symmetries ---- */

enum { CELLS = 3, USERS = 2, N = CELLS * USERS, TX = 4, RX = 2, STREAMS = 2, EACH = 2 * TX * STREAMS, UNKNOWNS = N * EACH };
enum { LINK = 2 * RX * TX, ENTRIES = N * CELLS * LINK };
static const l2o_sum_rate_sizes SIZES = {.cells = CELLS, .users = USERS, .tx = TX, .rx = RX, .streams = STREAMS};
static const struct {
  const char *kind, *options;
} SYMMETRIC[] = {{"sum-rate-lo", ""},
                 {"sum-rate-lo", "products=3,shared=true,lambda=norm"},
                 {"sum-rate-lo", "safe=true,lambda=eigenvalue"},
                 {"sum-rate-lo", "tx=4,lift=7,rank=2"},
                 {"sum-rate-pga", "steps=network,step=0.05"}};
enum { SYMMETRIC_COUNT = sizeof SYMMETRIC / sizeof *SYMMETRIC, SYMMETRIC_STEPS = 6 };

static l2o_model *symmetric_model(size_t c) {
  l2o_model *model = model_with(SYMMETRIC[c].kind, SYMMETRIC[c].options);
  randomise(model, 40 + c, 0.3);
  return model;
}

static void the_order_of_users_and_cells_does_not_matter(void **state) {
  (void)state;
  static const size_t cell[CELLS] = {2, 0, 1}, user[USERS] = {1, 0};
  for (size_t c = 0; c < SYMMETRIC_COUNT; c++) {
    l2o_real H[ENTRIES], moved[ENTRIES], a[N], moved_a[N];
    l2o_real *expected = malloc((SYMMETRIC_STEPS + 1) * UNKNOWNS * sizeof *expected);
    l2o_problem p, q;
    normal_reals(H, ENTRIES, 1 + c);
    for (size_t u = 0; u < N; u++)
      a[u] = (l2o_real)(0.5 + (double)u / 7);
    for (size_t u = 0; u < N; u++) {
      const size_t from = cell[u / USERS] * USERS + user[u % USERS];
      moved_a[u] = a[from];
      for (size_t j = 0; j < CELLS; j++)
        memcpy(moved + (u * CELLS + j) * LINK, H + (from * CELLS + cell[j]) * LINK, LINK * sizeof *H);
    }
    assert_status(l2o_sum_rate_new(&p, H, a, NULL, 0.7, 3, &SIZES, NULL), L2O_OK, NULL);
    assert_status(l2o_sum_rate_new(&q, moved, moved_a, NULL, 0.7, 3, &SIZES, NULL), L2O_OK, NULL);
    l2o_model *model = symmetric_model(c);
    path w = walk(&p, NULL, SYMMETRIC[c].kind, model, "", SYMMETRIC_STEPS),
         v = walk(&q, NULL, SYMMETRIC[c].kind, model, "", SYMMETRIC_STEPS);
    for (size_t k = 0; k <= SYMMETRIC_STEPS; k++)
      for (size_t u = 0; u < N; u++)
        memcpy(expected + k * UNKNOWNS + u * EACH, w.x + k * UNKNOWNS + (cell[u / USERS] * USERS + user[u % USERS]) * EACH,
               EACH * sizeof *expected);
    compare_points(SYMMETRIC[c].options, v.x, expected, (SYMMETRIC_STEPS + 1) * UNKNOWNS, BY_PRECISION(1e-10, 1e-2));
    free(expected);
    l2o_trace_free(w.trace);
    l2o_trace_free(v.trace);
    l2o_model_free(model);
    l2o_problem_free(&p);
    l2o_problem_free(&q);
  }
}

/* V_u Theta with a unitary Theta, another one for each user: the same rates. */
static void rates_do_not_see_a_rotation_of_the_streams(void **state) {
  (void)state;
  for (size_t c = 0; c < SYMMETRIC_COUNT; c++) {
    l2o_problem p = problem_of("weights=random", c);
    l2o_model *model = symmetric_model(c);
    l2o_real x[UNKNOWNS], turned[UNKNOWNS];
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    for (size_t i = 0; i < UNKNOWNS; i += 4) { /* Theta = [c, -s; s, c] */
      const l2o_real angle = (l2o_real)(0.3 + (double)(i / EACH)), s = (l2o_real)sin((double)angle),
                     k = (l2o_real)cos((double)angle);
      for (size_t part = 0; part < 2; part++) {
        turned[i + part] = k * x[i + part] + s * x[i + 2 + part];
        turned[i + 2 + part] = k * x[i + 2 + part] - s * x[i + part];
      }
    }
    path w = walk(&p, x, SYMMETRIC[c].kind, model, "", SYMMETRIC_STEPS),
         v = walk(&p, turned, SYMMETRIC[c].kind, model, "", SYMMETRIC_STEPS);
    assert_true(w.records[SYMMETRIC_STEPS].objective != w.records[0].objective);
    for (size_t k = 0; k <= SYMMETRIC_STEPS; k++)
      assert_close(v.records[k].objective, w.records[k].objective, BY_PRECISION(1e-11, 1e-3), 0);
    l2o_trace_free(w.trace);
    l2o_trace_free(v.trace);
    l2o_model_free(model);
    l2o_problem_free(&p);
  }
}

/* Louder channels under louder noise have the same precoders, more power under as much more noise scales them. */
static void units_do_not_matter(void **state) {
  (void)state;
  for (size_t c = 0; c + 1 < SYMMETRIC_COUNT; c++) {
    l2o_real H[ENTRIES], louder[ENTRIES], *scaled = malloc((SYMMETRIC_STEPS + 1) * UNKNOWNS * sizeof *scaled);
    l2o_model *model = symmetric_model(c);
    l2o_problem p[3];
    path w[3];
    normal_reals(H, ENTRIES, 20 + c);
    for (size_t i = 0; i < ENTRIES; i++)
      louder[i] = 8 * H[i];
    for (size_t i = 0; i < 3; i++) {
      assert_status(
          l2o_sum_rate_new(&p[i], i == 1 ? louder : H, NULL, NULL, (i ? 64 : 1) * 0.7, (i == 2 ? 64 : 1) * 3., &SIZES, NULL),
          L2O_OK, NULL);
      w[i] = walk(&p[i], NULL, SYMMETRIC[c].kind, model, "", SYMMETRIC_STEPS);
    }
    for (size_t i = 0; i < (SYMMETRIC_STEPS + 1) * UNKNOWNS; i++)
      scaled[i] = 8 * w[0].x[i];
    compare_points(SYMMETRIC[c].options, w[1].x, w[0].x, (SYMMETRIC_STEPS + 1) * UNKNOWNS, BY_PRECISION(1e-10, 1e-2));
    compare_points(SYMMETRIC[c].options, w[2].x, scaled, (SYMMETRIC_STEPS + 1) * UNKNOWNS, BY_PRECISION(1e-10, 1e-2));
    for (size_t i = 0; i < 3; i++) {
      l2o_trace_free(w[i].trace);
      l2o_problem_free(&p[i]);
    }
    l2o_model_free(model);
    free(scaled);
  }
}

/* ---- derivatives ---- */

/* Instances whose base stations begin at different shares of their budgets. */
typedef struct recipe {
  l2o_sum_rate_sizes sizes;
  double power, share; /* of the budget, about, that the first base station uses at the start; 4 times as much the next, ... */
} recipe;
static const recipe ACTIVE = {{3, 2, 3, 2, 2}, 3, 0.1}, QUIET = {{3, 2, 3, 2, 2}, 1e4, 1e-5};

static size_t unknowns_of(const recipe *r) {
  return 2 * r->sizes.cells * r->sizes.users * r->sizes.tx * r->sizes.streams;
}

static l2o_status draw(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const recipe *r = family->data;
  const size_t n = r->sizes.cells * r->sizes.users, links = 2 * n * r->sizes.cells * r->sizes.rx * r->sizes.tx,
               each = family->n / n;
  l2o_real *H = malloc((links + n + family->n) * sizeof *H), *a = H + links, *x0 = a + n;
  (void)seed;
  normal_reals(H, links, 100 + index);
  normal_reals(x0, family->n, 200 + index);
  for (size_t u = 0; u < n; u++) {
    const double share = r->share * pow(4, (double)(u / r->sizes.users)) * r->power / (double)r->sizes.users;
    a[u] = (l2o_real)(0.6 + 0.15 * (double)u);
    for (size_t i = u * each; i < (u + 1) * each; i++)
      x0[i] *= (l2o_real)sqrt(share / (double)each);
  }
  const l2o_status status = l2o_sum_rate_new(out, H, a, x0, 0.8, r->power, &r->sizes, diag);
  free(H);
  return status;
}
static l2o_family family_from(const recipe *r) {
  return (l2o_family){.struct_size = sizeof(l2o_family), .name = "drawn", .n = unknowns_of(r), .sample = draw, .data = r};
}

typedef struct lesson {
  const recipe *recipe;
  const char *kind;
  l2o_model *model;
  size_t horizon, batch;
  l2o_loss loss;
  l2o_stop_gradient mode;
  int threads;
} lesson;

static l2o_trainer *trainer_of(const lesson *c, const l2o_family *family) {
  l2o_train_settings s = l2o_train_settings_default();
  l2o_trainer *trainer;
  l2o_diag diag = {""};
  s.batch = c->batch ? c->batch : 2, s.horizon = c->horizon, s.loss = c->loss, s.stop_gradient = c->mode, s.threads = c->threads;
  assert_status(l2o_trainer_new(&trainer, c->model, solver_named(c->kind), family, &s, &diag), L2O_OK, &diag);
  return trainer;
}

/* free() it */
static double *gradient_of(const lesson *c, double *loss) {
  const l2o_family family = family_from(c->recipe);
  l2o_trainer *trainer = trainer_of(c, &family);
  double *gradient = weights_of(c->model);
  l2o_diag diag = {""};
  assert_status(l2o_trainer_gradient(trainer, loss, gradient, &diag), L2O_OK, &diag);
  l2o_trainer_free(trainer);
  return gradient;
}

#ifndef L2O_SINGLE
static const recipe LARGE = {{2, 5, 4, 3, 1}, 5, 0.5}, SMALL = {{1, 1, 2, 2, 2}, 2, 2};

/* Base stations that use up their budget after so many steps on instance 0. */
static size_t active_budgets(const recipe *r, const char *kind, const l2o_model *model, size_t steps) {
  const l2o_family family = family_from(r);
  size_t active = 0;
  l2o_problem p;
  assert_status(l2o_family_sample(&family, &p, 0, L2O_PURPOSE_TRAIN, 0, NULL), L2O_OK, NULL);
  path w = walk(&p, NULL, kind, model, "", steps);
  for (size_t j = 0; j < r->sizes.cells; j++) {
    const size_t block = p.n / r->sizes.cells;
    double power = 0;
    for (size_t i = j * block; i < (j + 1) * block; i++)
      power += pow((double)w.x[steps * p.n + i], 2);
    active += power > 0.9999 * r->power;
  }
  l2o_trace_free(w.trace);
  l2o_problem_free(&p);
  return active;
}

/* Richardson's extrapolation, right to h^4. */
static void compare_with_differences(const lesson *c) {
  static const double steps[] = {1, -1, 2, -2};
  const double h = 1e-5; /* few kinks are so near */
  const l2o_family family = family_from(c->recipe);
  l2o_trainer *trainer = trainer_of(c, &family);
  l2o_diag diag = {""};
  double *w = weights_of(c->model), *unused = weights_of(c->model), *gradient = weights_of(c->model), loss;
  size_t count;
  l2o_model_parameters(c->model, &count);
  assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
  for (size_t t = 0; t < l2o_model_tensor_count(c->model); t++) {
    const l2o_model_tensor tensor = l2o_model_tensor_at(c->model, t);
    double largest = 0;
    for (size_t i = tensor.offset; i < tensor.offset + tensor.count; i++)
      largest = fmax(largest, fabs(gradient[i]));
    /* Q alone changes nothing: V follows the path of the problem that is not lifted */
    const bool matters = strcmp(tensor.name, "lift.weight") != 0 || strstr(l2o_model_spec(c->model), "rank=0") == NULL;
    if (matters ? !(largest > 1e-6) : !(largest < 1e-12)) /* nothing would be compared */
      fail_msg("%s: the largest derivative of %s is %g", l2o_model_spec(c->model), tensor.name, largest);
    for (size_t i = tensor.offset; i < tensor.offset + tensor.count; i++) {
      const double at = w[i];
      double f[4];
      for (int j = 0; j < 4; j++) {
        w[i] = at + steps[j] * h;
        assert_status(l2o_model_set_parameters(c->model, w, count), L2O_OK, NULL);
        assert_status(l2o_trainer_gradient(trainer, &f[j], unused, &diag), L2O_OK, &diag);
      }
      w[i] = at;
      const double difference = (4 * (f[0] - f[1]) / (2 * h) - (f[2] - f[3]) / (4 * h)) / 3;
      if (!(fabs(difference - gradient[i]) <= 1e-7 * largest + 2e-9))
        fail_msg("%s, loss %d: %s[%zu] = %.12g, differences say %.12g (largest %.3g)", l2o_model_spec(c->model), (int)c->loss,
                 tensor.name, i - tensor.offset, gradient[i], difference, largest);
    }
  }
  assert_status(l2o_model_set_parameters(c->model, w, count), L2O_OK, NULL);
  l2o_trainer_free(trainer);
  free(w), free(unused), free(gradient);
}

/* In a first step inputs of the network and lambda are constants: the derivative is exact. */
static void a_first_step_has_the_derivative_that_differences_say(void **state) {
  (void)state;
  static const struct {
    const char *kind, *options;
    const recipe *recipe;
  } cases[] = {{"sum-rate-lo", "products=0", &ACTIVE},
               {"sum-rate-lo", "", &ACTIVE},
               {"sum-rate-lo", "products=2,lambda=norm", &QUIET},
               {"sum-rate-lo", "products=3,step=bounded,momentum=false,lambda=eigenvalue", &ACTIVE},
               {"sum-rate-lo", "", &LARGE},
               {"sum-rate-lo", "safe=true", &ACTIVE},
               {"sum-rate-lo", "safe=true", &QUIET},
               {"sum-rate-lo", "tx=3,lift=6", &ACTIVE},
               {"sum-rate-lo", "tx=3,rank=2,step=bounded", &ACTIVE},
               {"sum-rate-lo", "tx=3,lift=4,rank=3,products=2", &QUIET},
               {"sum-rate-lo", "tx=3,lift=5,rank=5", &ACTIVE},
               {"sum-rate-pga", "steps=network", &ACTIVE},
               {"sum-rate-pga", "steps=network,step=30,momentum=false", &QUIET}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    char options[120];
    snprintf(options, sizeof options, "layers=1%s%s", *cases[c].options ? "," : "", cases[c].options);
    l2o_model *model = model_with(cases[c].kind, options);
    randomise(model, 161 + c, 0.5);
    const lesson l = {.recipe = cases[c].recipe, .kind = cases[c].kind, .model = model, .horizon = 1};
    compare_with_differences(&l);
    l2o_model_free(model);
  }
}

/* Without a network and lambda nothing is held constant: exact over any number of steps, and layers. */
static void unfolded_ascent_has_the_derivative_that_differences_say(void **state) {
  (void)state;
  static const l2o_loss losses[] = {L2O_LOSS_LAST, L2O_LOSS_MEAN, L2O_LOSS_WEIGHTED};
  static const struct {
    const char *options;
    const recipe *recipe;
    size_t least, most; /* budgets that are used up at the end */
  } cases[] = {{"layers=3,step=0.3", &ACTIVE, 1, 2}, {"layers=3,step=30", &QUIET, 0, 0},
               {"layers=3,step=3", &ACTIVE, 3, 3},   {"layers=2,step=0.2,momentum=false", &ACTIVE, 1, 3},
               {"layers=2,step=1", &LARGE, 2, 2},    {"layers=3", &SMALL, 1, 1}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
    for (size_t loss = 0; loss < 3; loss++) {
      l2o_model *model = model_with("sum-rate-pga", cases[c].options);
      randomise(model, 80 + c, 0.4);
      const size_t active = active_budgets(cases[c].recipe, "sum-rate-pga", model, 3);
      if (active < cases[c].least || active > cases[c].most)
        fail_msg("%s: %zu budgets are used up", cases[c].options, active);
      const lesson l = {.recipe = cases[c].recipe, .kind = "sum-rate-pga", .model = model, .horizon = 3, .loss = losses[loss]};
      compare_with_differences(&l);
      l2o_model_free(model);
    }
}
#endif

/* What each mode leaves out, as one can tell from the answers. */
static void modes_agree_where_they_must(void **state) {
  (void)state;
  static const struct {
    const char *kind, *options;
    size_t horizon;
    bool direction, matrix; /* are the derivatives those of `features`? */
  } cases[] = {{"sum-rate-lo", "", 1, true, true},
               {"sum-rate-lo", "tx=3,lift=5,rank=2", 1, true, true},
               {"sum-rate-lo", "", 3, false, false},
               {"sum-rate-lo", "products=0", 3, false, true},
               {"sum-rate-pga", "", 3, false, true}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    l2o_model *model = model_with(cases[c].kind, cases[c].options);
    randomise(model, 90 + c, 0.3);
    lesson l = {.recipe = &ACTIVE, .kind = cases[c].kind, .model = model, .horizon = cases[c].horizon};
    double loss[3], *gradient[3], largest = 0, direction = 0, matrix = 0;
    static const l2o_stop_gradient modes[] = {L2O_STOP_GRADIENT_FEATURES, L2O_STOP_GRADIENT_DIRECTION, L2O_STOP_GRADIENT_MATRIX};
    for (size_t i = 0; i < 3; i++) {
      l.mode = modes[i];
      gradient[i] = gradient_of(&l, &loss[i]);
    }
    size_t count;
    l2o_model_parameters(model, &count);
    for (size_t i = 0; i < count; i++) {
      largest = fmax(largest, fabs(gradient[0][i]));
      direction = fmax(direction, fabs(gradient[1][i] - gradient[0][i]));
      matrix = fmax(matrix, fabs(gradient[2][i] - gradient[0][i]));
    }
    const double close = BY_PRECISION(1e-12, 1e-4) * largest, apart = 1e-3 * largest;
    assert_true(loss[0] == loss[1] && loss[0] == loss[2] && largest > 0);
    assert_true(cases[c].direction ? direction <= close : direction > apart);
    assert_true(cases[c].matrix ? matrix <= close : matrix > apart);
    for (size_t i = 0; i < 3; i++)
      free(gradient[i]);
    l2o_model_free(model);
  }
}

/* With directions held constant a step's scale e^b is answered by -eta e^b <G_k, grad f(V_3)>: nothing passes through G or, within
 * the budgets, through the projection. */
static void directions_may_be_constants(void **state) {
  (void)state;
  enum { STEPS = 3 };
  const double eta = 30;
  l2o_model *model = model_with("sum-rate-pga", "layers=3,step=30,momentum=false");
  randomise(model, 5, 0.3);
  const lesson l = {
      .recipe = &QUIET, .kind = "sum-rate-pga", .model = model, .horizon = STEPS, .batch = 1, .mode = L2O_STOP_GRADIENT_DIRECTION};
  const l2o_family family = family_from(&QUIET);
  double loss, *gradient = gradient_of(&l, &loss), *bias = weights_of(model);
  l2o_problem p;
  assert_status(l2o_family_sample(&family, &p, 0, L2O_PURPOSE_TRAIN, 0, NULL), L2O_OK, NULL);
  path w = walk(&p, NULL, "sum-rate-pga", model, "", STEPS);
  l2o_real *g = malloc(2 * p.n * sizeof *g), *last = g + p.n;
  assert_close(gradient_at(&p, last, w.x + STEPS * p.n), loss, BY_PRECISION(1e-14, 1e-6), 0);
  for (size_t k = 0; k < STEPS; k++) {
    double product = 0;
    gradient_at(&p, g, w.x + k * p.n);
    for (size_t i = 0; i < p.n; i++)
      product += (double)g[i] * (double)last[i];
    assert_close(gradient[k], -0.5 * LN2 * eta * exp(bias[k]) * product, BY_PRECISION(1e-11, 1e-3), 0);
  }
  free(g), free(gradient), free(bias);
  l2o_trace_free(w.trace);
  l2o_problem_free(&p);
  l2o_model_free(model);
}

/* ---- models ---- */

static void iterations_beyond_the_layers_repeat_the_last(void **state) {
  (void)state;
  enum { STEPS = 9, FEWER = 3 };
  static const char *const rules[][2] = {{"sum-rate-pga", ""}, {"sum-rate-lo", "products=2"}, {"sum-rate-lo", "shared=true"}};
  for (size_t c = 0; c < 3; c++) {
    char options[2][60];
    l2o_model *model[2];
    double *w[2];
    size_t count[2];
    path walked[2];
    l2o_problem p = problem_of("", c);
    for (size_t i = 0; i < 2; i++) {
      snprintf(options[i], sizeof options[i], "layers=%d%s%s", i ? STEPS : FEWER, *rules[c][1] ? "," : "", rules[c][1]);
      model[i] = model_with(rules[c][0], options[i]);
    }
    randomise(model[0], 7, 0.3);
    for (size_t i = 0; i < 2; i++) {
      w[i] = weights_of(model[i]);
      l2o_model_parameters(model[i], &count[i]);
    }
    for (size_t t = 0; t < l2o_model_tensor_count(model[0]); t++) {
      const l2o_model_tensor from = l2o_model_tensor_at(model[0], t), to = l2o_model_tensor_at(model[1], t);
      const size_t slice = from.count / from.shape[0];
      /* the input k / layers, number 9 of 11, is another one */
      for (size_t i = 9; i < from.count && (strstr(from.name, "message.node") || strstr(from.name, "node.0.weight"));
           i += from.shape[2])
        w[0][from.offset + i] = 0;
      for (size_t k = 0; k < to.shape[0]; k++)
        memcpy(w[1] + to.offset + k * slice, w[0] + from.offset + (k < from.shape[0] ? k : from.shape[0] - 1) * slice,
               slice * sizeof *w[0]);
    }
    for (size_t i = 0; i < 2; i++) {
      assert_status(l2o_model_set_parameters(model[i], w[i], count[i]), L2O_OK, NULL);
      walked[i] = walk(&p, NULL, rules[c][0], model[i], "", STEPS);
    }
    assert_same_reals(walked[0].x, walked[1].x, (STEPS + 1) * p.n);
    for (size_t i = 0; i < 2; i++) {
      l2o_trace_free(walked[i].trace);
      l2o_model_free(model[i]);
      free(w[i]);
    }
    l2o_problem_free(&p);
  }
}

static void models_come_back_from_their_files(void **state) {
  (void)state;
  static const char *const specs[] = {"sum-rate-lo:hidden=7,products=2,lambda=norm", "sum-rate-lo:tx=4,lift=6,rank=3,step=bounded",
                                      "sum-rate-lo:safe=true,shared=true", "sum-rate-pga:steps=network,step=0.1",
                                      "sum-rate-pga:layers=4"};
  for (size_t c = 0; c < sizeof specs / sizeof *specs; c++) {
    l2o_model *model = model_of(specs[c], 2), *read;
    l2o_diag diag = {""};
    size_t count, read_count;
    randomise(model, 3, 0.3);
    assert_status(l2o_model_save(model, in_folder("model"), &diag), L2O_OK, &diag);
    assert_status(l2o_model_load(&read, in_folder("model"), NULL, &diag), L2O_OK, &diag);
    assert_string_equal(l2o_model_spec(read), l2o_model_spec(model));
    const l2o_real *a = l2o_model_parameters(model, &count), *b = l2o_model_parameters(read, &read_count);
    assert_true(count == read_count);
    assert_same_reals(a, b, count);
    l2o_problem p = problem_of("", c);
    path w = walk(&p, NULL, l2o_model_kind_name(model), model, "", 5), v = walk(&p, NULL, l2o_model_kind_name(read), read, "", 5);
    assert_same_reals(w.x, v.x, 6 * p.n);
    l2o_trace_free(w.trace);
    l2o_trace_free(v.trace);
    l2o_problem_free(&p);
    l2o_model_free(model);
    l2o_model_free(read);
  }
}

/* One model for every number of users, cells and, unless it lifts, antennas. */
static void models_are_of_no_size(void **state) {
  (void)state;
  l2o_model *model = model_with("sum-rate-lo", "products=2");
  randomise(model, 1, 0.2);
  for (size_t shape = 0; shape < SHAPE_COUNT; shape++) {
    l2o_problem p = problem_of(SHAPES[shape], 1);
    path w = walk(&p, NULL, "sum-rate-lo", model, "", 5);
    assert_true(isfinite(w.records[5].objective) && w.records[5].objective < 0);
    l2o_trace_free(w.trace);
    l2o_problem_free(&p);
  }
  l2o_model_free(model);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *kind, *options, *problem;
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {"sum-rate-lo", "", "quadratic:n=8", L2O_ERR_NOTSUP,
       "sum-rate-lo solves problems of the family sum-rate; 'quadratic' is none"},
      {"sum-rate-pga", "", "rosenbrock:n=4", L2O_ERR_NOTSUP,
       "sum-rate-pga solves problems of the family sum-rate; 'rosenbrock' is none"},
      {"sum-rate-lo", "tx=8,lift=16", "sum-rate:tx=4", L2O_ERR_SHAPE,
       "sum-rate-lo: this model lifts precoders of tx = 8 antennas; the problem has tx = 4"},
      {"sum-rate-lo", "tx=3,rank=1", "sum-rate:tx=4", L2O_ERR_SHAPE, "tx = 3 antennas; the problem has tx = 4"},
      {"sum-rate-lo", "tx=4,lift=4", "sum-rate:tx=4", L2O_OK, ""},
  };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    l2o_problem p = sampled(cases[c].problem, 1, 0);
    l2o_model *model = model_with(cases[c].kind, cases[c].options);
    l2o_run *run = NULL;
    l2o_diag diag = {""};
    assert_status(l2o_run_new(&run, solver_named(cases[c].kind), model, &p, NULL, &diag), cases[c].status, &diag);
    assert_names(&diag, cases[c].sentence);
    l2o_run_free(run);
    l2o_model_free(model);
    l2o_problem_free(&p);
  }
  static const char *const options[][2] = {
      {"lift=8", "sum-rate-lo: lift = 8, rank = 0 need tx, the antennas of a base station"},
      {"rank=2", "sum-rate-lo: lift = 0, rank = 2 need tx, the antennas of a base station"},
      {"tx=4,lift=3", "sum-rate-lo: lift = 3: expected 0, or tx = 4 or more"},
      {"tx=4,rank=5", "sum-rate-lo: rank = 5: expected at most the 4 dimensions there are"},
      {"tx=4,lift=8,rank=9", "sum-rate-lo: rank = 9: expected at most the 8 dimensions there are"},
      {"tx=4,rank=2,safe=true", "sum-rate-lo: safe=true has one step a base station; expected lift=0 and rank=0"}};
  for (size_t c = 0; c < sizeof options / sizeof *options; c++) {
    char spec[80];
    l2o_model *model;
    l2o_diag diag = {""};
    snprintf(spec, sizeof spec, "sum-rate-lo:%s", options[c][0]);
    assert_status(l2o_model_new(&model, spec, 1, &diag), L2O_ERR_ARG, &diag);
    assert_string_equal(diag.text, options[c][1]);
    assert_null(model);
  }
  for (size_t c = 0; c < 2; c++) { /* there is no derivative through the inputs of the network */
    const char *kind = c ? "sum-rate-pga" : "sum-rate-lo";
    const l2o_family family = family_from(&ACTIVE);
    l2o_model *model = model_with(kind, "");
    l2o_train_settings s = l2o_train_settings_default();
    l2o_trainer *trainer;
    l2o_diag diag = {""};
    char sentence[120];
    s.stop_gradient = L2O_STOP_GRADIENT_NONE;
    assert_status(l2o_trainer_new(&trainer, model, solver_named(kind), &family, &s, &diag), L2O_ERR_NOTSUP, &diag);
    snprintf(sentence, sizeof sentence,
             "training %s takes the inputs of its network for constants; expected stop_gradient features, not none", kind);
    assert_string_equal(diag.text, sentence);
    l2o_model_free(model);
  }
}

/* ---- corners ---- */

/* Silence is a point where there is no way on, one base station without anybody to hear it, users who hear nobody. */
static void silent_corners(void **state) {
  (void)state;
  static const char *const variants[] = {"products=2", "tx=4,lift=6,rank=2", "lambda=eigenvalue", "lambda=norm"};
  for (size_t c = 0; c < sizeof variants / sizeof *variants; c++)
    for (size_t corner = 0; corner < 3; corner++) {
      l2o_real H[ENTRIES], x0[UNKNOWNS] = {0};
      l2o_problem p;
      normal_reals(H, ENTRIES, 3);
      for (size_t i = 0; i < ENTRIES; i++) { /* nobody hears base station 1; user 0 hears nobody */
        const size_t link = i / LINK;
        if ((corner == 1 && link % CELLS == 1) || (corner == 2 && link / CELLS == 0))
          H[i] = 0;
      }
      normal_reals(x0, corner ? UNKNOWNS : 0, 4);
      assert_status(l2o_sum_rate_new(&p, H, NULL, x0, 1, 4, &SIZES, NULL), L2O_OK, NULL);
      l2o_model *model = model_with("sum-rate-lo", variants[c]);
      randomise(model, 2, 0.3);
      path w = walk(&p, NULL, "sum-rate-lo", model, "", 6);
      for (size_t i = 0; i < 7 * p.n; i++)
        assert_true(isfinite(w.x[i]));
      const size_t block = UNKNOWNS / CELLS;
      for (size_t k = 2; k <= 6 && corner == 1 && is_without_lift(variants[c]); k++)
        for (size_t i = block; i < 2 * block; i++) /* on a budget that is used up nothing but its scale may change */
          assert_close(w.x[k * UNKNOWNS + i] * w.x[UNKNOWNS + block], w.x[UNKNOWNS + i] * w.x[k * UNKNOWNS + block],
                       BY_PRECISION(1e-12, 1e-4), BY_PRECISION(1e-12, 1e-5));
      for (size_t i = 0; i < UNKNOWNS && !corner; i++)
        assert_true(w.x[6 * UNKNOWNS + i] == 0);
      l2o_trace_free(w.trace);
      l2o_model_free(model);
      l2o_problem_free(&p);
    }
}

/* The way back at such corners, too. */
static void silence_has_a_finite_derivative(void **state) {
  (void)state;
  static const char *const variants[] = {"products=2", "tx=3,lift=6,rank=2", "safe=true"};
  static const recipe silent = {{3, 2, 3, 2, 2}, 3, 0};
  for (size_t c = 0; c < 3; c++) {
    l2o_model *model = model_with("sum-rate-lo", variants[c]);
    randomise(model, 2, 0.3);
    const lesson l = {.recipe = &silent, .kind = "sum-rate-lo", .model = model, .horizon = 3};
    size_t count;
    double loss, *gradient = gradient_of(&l, &loss);
    l2o_model_parameters(model, &count);
    assert_true(loss == 0);
    for (size_t i = 0; i < count; i++)
      assert_true(gradient[i] == 0);
    free(gradient);
    l2o_model_free(model);
  }
}

static void a_step_allocates_nothing(void **state) {
  (void)state;
  static const char *const variants[][2] = {
      {"sum-rate-lo", "products=3"}, {"sum-rate-lo", "tx=4,lift=8,rank=2,lambda=eigenvalue"}, {"sum-rate-pga", ""}};
  if (!allocations_are_counted())
    skip();
  for (size_t c = 0; c < 3; c++) {
    l2o_problem p = problem_of("", c);
    l2o_model *model = model_with(variants[c][0], variants[c][1]);
    l2o_settings s = l2o_settings_default();
    l2o_run *run;
    l2o_stop stop;
    l2o_diag diag = {""};
    randomise(model, 2, 0.3);
    assert_status(l2o_run_new(&run, solver_named(variants[c][0]), model, &p, &s, &diag), L2O_OK, &diag);
    assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
    allocations_watch(0);
    for (int k = 0; k < 5; k++)
      l2o_run_step(run, &stop);
    const allocations seen = allocations_seen();
    assert_int_equal(seen.calls, 0);
    l2o_run_free(run);
    l2o_model_free(model);
    l2o_problem_free(&p);
  }
}

/* A step that is handed f and g finds the rest at its point anew; nothing of what scratch held before is used. */
static void the_gradient_may_come_from_elsewhere(void **state) {
  (void)state;
  static const char *const variants[] = {"products=2,lambda=norm", "tx=4,lift=6,rank=2"};
  for (size_t c = 0; c < 2; c++) {
    l2o_problem p = problem_of("weights=random", c);
    l2o_model *model = model_with("sum-rate-lo", variants[c]);
    const l2o_solver *solver = solver_named("sum-rate-lo");
    const double options[1] = {0};
    l2o_iterate it = {.problem = &p, .model = model, .options = options, .n = p.n, .allowance = SIZE_MAX, .has_gradient = true};
    l2o_stop stop = L2O_STOP_NONE;
    randomise(model, 4, 0.3);
    const size_t lengths[] = {p.n, p.n, solver->state_len(&it), solver->scratch_len(&it), l2o_problem_work_len(&p)};
    l2o_real **const arrays[] = {&it.x, &it.g, &it.state, &it.scratch, &it.work};
    for (size_t i = 0; i < 5; i++) {
      *arrays[i] = malloc(lengths[i] * sizeof **arrays[i]);
      memset(*arrays[i], 0xff, lengths[i] * sizeof **arrays[i]); /* not-a-numbers */
    }
    assert_status(l2o_problem_start(&p, it.x), L2O_OK, NULL);
    path w = walk(&p, it.x, "sum-rate-lo", model, "", 1);
    assert_status(solver->init(&it), L2O_OK, NULL);
    it.f = gradient_at(&p, it.g, it.x);
    assert_status(solver->step(&it, NULL, &stop), L2O_OK, NULL);
    assert_same_reals(it.x, w.x + p.n, p.n);
    for (size_t i = 0; i < 5; i++)
      free(*arrays[i]);
    l2o_trace_free(w.trace);
    l2o_model_free(model);
    l2o_problem_free(&p);
  }
}

/* ---- training ---- */

static void two_threads_give_the_bits_of_one(void **state) {
  (void)state;
  static const char *const variants[] = {"products=2", "tx=3,lift=6,rank=2"};
  for (size_t c = 0; c < 2; c++) {
    l2o_model *model = model_with("sum-rate-lo", variants[c]);
    size_t count;
    double *gradient[2], loss[2];
    randomise(model, 5, 0.3);
    l2o_model_parameters(model, &count);
    for (int i = 0; i < 2; i++) {
      const lesson l = {.recipe = &ACTIVE,
                        .kind = "sum-rate-lo",
                        .model = model,
                        .horizon = 3,
                        .batch = 7,
                        .threads = 1 + i,
                        .loss = L2O_LOSS_WEIGHTED};
      gradient[i] = gradient_of(&l, &loss[i]);
    }
    assert_true(loss[0] == loss[1]);
    for (size_t i = 0; i < count; i++)
      assert_true(gradient[0][i] == gradient[1][i]);
    free(gradient[0]), free(gradient[1]);
    l2o_model_free(model);
  }
}

/* On channels that it has not seen. */
static void training_beats_fastfp(void **state) {
  (void)state;
  enum { STEPS = 5, UPDATES = 60, CHANNELS = 20 };
  static const char *const variants[] = {"", "tx=4,lift=8,rank=2", "safe=true"};
  for (size_t c = 0; c < 3; c++) {
    char options[60];
    snprintf(options, sizeof options, "layers=%d%s%s", STEPS, *variants[c] ? "," : "", variants[c]);
    l2o_model *model = model_with("sum-rate-lo", options);
    l2o_family *family = family_of("sum-rate");
    l2o_train_settings s = l2o_train_settings_default();
    l2o_trainer *trainer;
    l2o_diag diag = {""};
    l2o_train_record record;
    s.batch = 8, s.horizon = STEPS, s.loss = L2O_LOSS_WEIGHTED, s.learning_rate = 0.01, s.fresh = true, s.seed = 3;
    assert_status(l2o_trainer_new(&trainer, model, solver_named("sum-rate-lo"), family, &s, &diag), L2O_OK, &diag);
    for (int i = 0; i < UPDATES; i++)
      assert_status(l2o_trainer_step(trainer, &record, &diag), L2O_OK, &diag);
    assert_int_equal(record.rejected_total, 0);
    double gain = 0;
    for (uint64_t index = 0; index < CHANNELS; index++) {
      l2o_problem p = problem_of("", index);
      path own = walk(&p, NULL, "sum-rate-lo", model, "", STEPS), classical = walk(&p, NULL, "fastfp", NULL, "lambda=trace", STEPS);
      gain += (classical.records[STEPS].objective - own.records[STEPS].objective) / CHANNELS;
      l2o_trace_free(own.trace);
      l2o_trace_free(classical.trace);
      l2o_problem_free(&p);
    }
    if (!(gain > 0.3)) /* bit/s/Hz */
      fail_msg("%s: %g bit/s/Hz more than fastfp", l2o_model_spec(model), gain);
    l2o_trainer_free(trainer);
    l2o_family_free(family);
    l2o_model_free(model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(untrained_rules_are_fastfp),
      cmocka_unit_test(untrained_lifts_are_fastfp_but_for_rounding),
      cmocka_unit_test(untrained_ascent_is_projected_gradient),
      cmocka_unit_test(safe_steps_never_lower_the_rate),
      cmocka_unit_test(the_guard_keeps_its_promises),
      cmocka_unit_test(the_order_of_users_and_cells_does_not_matter),
      cmocka_unit_test(rates_do_not_see_a_rotation_of_the_streams),
      cmocka_unit_test(units_do_not_matter),
#ifndef L2O_SINGLE
      cmocka_unit_test(a_first_step_has_the_derivative_that_differences_say),
      cmocka_unit_test(unfolded_ascent_has_the_derivative_that_differences_say),
#endif
      cmocka_unit_test(modes_agree_where_they_must),
      cmocka_unit_test(directions_may_be_constants),
      cmocka_unit_test(iterations_beyond_the_layers_repeat_the_last),
      cmocka_unit_test_setup_teardown(models_come_back_from_their_files, make_folder, remove_folder),
      cmocka_unit_test(models_are_of_no_size),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(silent_corners),
      cmocka_unit_test(silence_has_a_finite_derivative),
      cmocka_unit_test(a_step_allocates_nothing),
      cmocka_unit_test(the_gradient_may_come_from_elsewhere),
      cmocka_unit_test(two_threads_give_the_bits_of_one),
      cmocka_unit_test(training_beats_fastfp),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
