/* SPDX-License-Identifier: BSD-3-Clause */
/* deepfp: fastfp where its networks are zero, the network against complex numbers of C, derivatives, units, guards, what is
 * refused, files, training. */
#include "l2o_fixtures.h"
#include <complex.h>

#include "counting_malloc.h"
#include "nn/deepfp.h"
#include "problems/sum_rate.h"

#define FAMILY "sum-rate:cells=2,users=2,tx=3,rx=2,snr_db=8"
#define SMALL "deepfp:layers=3,hidden=5,tx=3"
enum { N = 2 * 4 * 3 * 2, USERS = 4 }; /* unknowns of FAMILY */
static const char RULE[] = "deepfp";

/* ---- forward ---- */

static void with_zero_outputs_it_is_fastfp(void **state) {
  (void)state;
  static const char *const bounds[] = {"eigenvalue", "norm", "trace"};
  static const struct {
    const char *family;
    int tx, streams;
  } cases[] = {{"sum-rate:snr_db=10", 4, 2},
               {"sum-rate:cells=1,users=1,tx=2,rx=3,streams=1", 2, 1},
               {"sum-rate:cells=2,users=5,tx=9,rx=3,weights=random,start=random", 9, 3}};
  for (size_t c = 0; c < 3; c++)
    for (size_t b = 0; b < 3; b++)
      for (uint64_t seed = 0; seed < 3; seed++) {
        char spec[64], lambda[32];
        snprintf(spec, sizeof spec, "deepfp:tx=%d,streams=%d,lambda=%s", cases[c].tx, cases[c].streams, bounds[b]);
        snprintf(lambda, sizeof lambda, "lambda=%s", bounds[b]);
        l2o_model *model = model_of(spec, seed);
        l2o_problem p = sampled(cases[c].family, 1, seed);
        l2o_real *x = malloc(2 * p.n * sizeof *x);
        rates_along(RULE, "", model, &p, x, NULL, 12), rates_along("fastfp", lambda, NULL, &p, x + p.n, NULL, 12);
        assert_same_reals(x, x + p.n, p.n);
        free(x);
        l2o_problem_free(&p);
        l2o_model_free(model);
      }
}

static double _Complex complex_of(double re, double im) {
  const double parts[2] = {re, im};
  double _Complex z;
  memcpy(&z, parts, sizeof z);
  return z;
}

/* o of one user, from the tensors by name */
static double plain_output(const l2o_model *model, const l2o_real *V, const l2o_real *R, size_t entries, double unit, size_t k) {
  static const char *const names[] = {"fc1", "fc2", "fc3", "out"};
  const l2o_real *w = l2o_model_parameters(model, NULL);
  double _Complex z[64] = {0}, a[64];
  for (size_t i = 0; i < entries; i++) {
    z[i] = unit * complex_of((double)V[2 * i], (double)V[2 * i + 1]);
    z[entries + i] = unit * complex_of((double)R[2 * i], (double)R[2 * i + 1]);
  }
  for (size_t l = 0; l < 4; l++) {
    char name[2][16];
    snprintf(name[0], sizeof name[0], "%s.weight", names[l]);
    snprintf(name[1], sizeof name[1], "%s.bias", names[l]);
    const l2o_model_tensor W = tensor_named(model, name[0]), b = tensor_named(model, name[1]);
    const size_t rows = W.shape[1], columns = W.shape[3], parts = b.shape[1];
    assert_true(W.rank == 4 && W.shape[2] == 2 && b.rank == 3 && b.shape[2] == rows && parts == (l < 3 ? 2 : 1) && columns <= 64);
    for (size_t r = 0; r < rows; r++) {
      const l2o_real *row = w + W.offset + 2 * (k * rows + r) * columns, *c = w + b.offset + k * parts * rows + r;
      a[r] = complex_of((double)c[0], l < 3 ? (double)c[rows] : 0);
      for (size_t i = 0; i < columns; i++)
        a[r] += complex_of((double)row[i], (double)row[columns + i]) * z[i];
    }
    for (size_t r = 0; r < rows; r++)
      z[r] = complex_of(fmax(0, creal(a[r])), cimag(a[r]));
  }
  return creal(a[0]);
}

/* The network, in every layer and beyond the last one, for numbers of users around those of vectors; and the step made of it. */
static void the_step_is_the_formula(void **state) {
  (void)state;
  for (size_t n = 1; n <= 18; n++) {
    l2o_model *model = random_model("deepfp:layers=3,hidden=9,tx=3,streams=2", 0.4, n);
    const size_t entries = 6, lanes = l2o_lanes(n), len = l2o_deepfp_record_len(model, n);
    l2o_real *V = malloc(4 * n * entries * sizeof *V), *R = V + 2 * n * entries;
    l2o_real *record = malloc(len * sizeof *record), *o = malloc(lanes * sizeof *o);
    normal_reals(V, 4 * n * entries, 10 + n);
    for (size_t i = 0; i < len; i++)
      record[i] = (l2o_real)NAN; /* nothing of it is read before it is written, nor what stands behind the users */
    for (size_t k = 0; k < 5; k++) {
      l2o_deepfp_forward(model, o, record, V, R, 0.7, k, n);
      for (size_t u = 0; u < n; u++)
        assert_close(o[u], plain_output(model, V + 2 * u * entries, R + 2 * u * entries, entries, 0.7, k < 3 ? k : 2),
                     BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-13, 1e-5));
    }
    free(V), free(record), free(o);
    l2o_model_free(model);
  }
  /* V <- P(V + (1 + o) G / tr D) */
  l2o_model *model = random_model(SMALL, 0.4, 30);
  l2o_problem p = sampled(FAMILY, 2, 0);
  const l2o_sum_rate *d = l2o_sum_rate_of(&p);
  l2o_real x[N], g[N], R[N], next[N], *work = malloc(l2o_problem_work_len(&p) * sizeof *work);
  double f;
  assert_true(p.n == N && l2o_problem_start(&p, x) == L2O_OK);
  assert_status(l2o_problem_gradient(&p, &f, g, x, work), L2O_OK, NULL);
  const l2o_rate_point at = l2o_rate_point_at(d, work);
  const l2o_rate_curve curve = l2o_rate_curve_at(d, work);
  l2o_rate_curve_begin(&curve, &at, d);
  for (size_t i = 0; i < N; i++)
    R[i] = (l2o_real)(-0.5 * log(2) * (double)g[i] / l2o_rate_lambda(&at, &curve, d, i / (N / 2), L2O_RATE_TRACE, NULL));
  for (size_t u = 0; u < USERS; u++) {
    const size_t first = u * (N / USERS);
    const double o = plain_output(model, x + first, R + first, N / USERS / 2, sqrt(2 / d->power), 0);
    for (size_t i = first; i < first + N / USERS; i++)
      next[i] = x[i] + (l2o_real)(1 + o) * R[i];
  }
  l2o_rate_project(next, d, next);
  rates_along(RULE, "", model, &p, x, NULL, 1);
  for (size_t i = 0; i < N; i++)
    assert_close(x[i], next[i], BY_PRECISION(1e-12, 1e-4), BY_PRECISION(1e-13, 1e-5));
  free(work);
  l2o_problem_free(&p);
  l2o_model_free(model);
}

/* Four times the power and the noise double the precoders, a common factor of the weights does nothing. */
static void units_do_not_matter(void **state) {
  (void)state;
  enum { CHANNELS = 2 * 4 * 2 * 2 * 3 };
  const l2o_sum_rate_sizes sizes = {.cells = 2, .users = 2, .tx = 3, .rx = 2, .streams = 2};
  l2o_model *model = random_model(SMALL, 0.3, 40);
  l2o_real H[CHANNELS], weights[USERS] = {8, 8, 8, 8}, x[3][N];
  l2o_problem p[3];
  normal_reals(H, CHANNELS, 41);
  assert_status(l2o_sum_rate_new(&p[0], H, NULL, NULL, 0.3, 2, &sizes, NULL), L2O_OK, NULL);
  assert_status(l2o_sum_rate_new(&p[1], H, NULL, NULL, 1.2, 8, &sizes, NULL), L2O_OK, NULL);
  assert_status(l2o_sum_rate_new(&p[2], H, weights, NULL, 0.3, 2, &sizes, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < 3; i++)
    rates_along(RULE, "", model, &p[i], x[i], NULL, 3);
  for (size_t i = 0; i < N; i++) {
    assert_close(x[1][i], 2 * x[0][i], BY_PRECISION(1e-11, 1e-3), BY_PRECISION(1e-12, 1e-4));
    assert_close(x[2][i], x[0][i], BY_PRECISION(1e-11, 1e-3), BY_PRECISION(1e-12, 1e-4));
  }
  for (size_t i = 0; i < 3; i++)
    l2o_problem_free(&p[i]);
  l2o_model_free(model);
}

static void initial_weights(void **state) {
  (void)state;
  l2o_model *model = model_of(RULE, 1), *same = model_of(RULE, 1), *other = model_of(RULE, 2);
  size_t count;
  const l2o_real *w = l2o_model_parameters(model, &count);
  assert_int_equal(count, 8 * (2 * 64 * 17 + 2 * 2 * 64 * 65 + 2 * 64 + 1));
  assert_same_reals(w, l2o_model_parameters(same, NULL), count);
  const l2o_model_tensor fc1 = tensor_named(model, "fc1.weight"), fc2 = tensor_named(model, "fc2.weight");
  for (size_t c = 0; c < 2; c++) {
    const l2o_model_tensor t = c ? fc2 : fc1;
    double square = 0;
    for (size_t i = t.offset; i < t.offset + t.count; i++)
      square += (double)w[i] * (double)w[i];
    assert_close(sqrt(square / (double)t.count), 1 / sqrt(c ? 128 : 80), 5 / sqrt((double)t.count), 0);
    assert_true(w[t.offset] != l2o_model_parameters(other, NULL)[t.offset]);
  }
  static const char *const zero[] = {"fc1.bias", "fc2.bias", "fc3.bias", "out.weight", "out.bias"};
  for (size_t c = 0; c < 5; c++)
    for (size_t i = 0; i < tensor_named(model, zero[c]).count; i++)
      assert_true(w[tensor_named(model, zero[c]).offset + i] == 0);
  l2o_model_free(model), l2o_model_free(same), l2o_model_free(other);
}

/* ---- the way back ---- */

#ifndef L2O_SINGLE
/* The loss f after `steps` steps from x0. gradient (parameters) and dx0 (n): NULL, or its derivatives as `mode` takes them. */
static double unrolled(const l2o_model *model, const l2o_problem *p, const l2o_real *x0, size_t steps, l2o_stop_gradient mode,
                       double *gradient, l2o_real *dx0) {
  const l2o_solver *rule = solver_named(RULE);
  const double options[1] = {0};
  const size_t n = p->n, work_len = l2o_problem_hessian_work_len(p);
  l2o_iterate it = {.problem = p, .model = model, .options = options, .n = n};
  const size_t tape_len = rule->tape_len(&it);
  l2o_real *tape = malloc(steps * tape_len * sizeof *tape), *slope = malloc(n * sizeof *slope);
  l2o_stop stop = L2O_STOP_NONE;
  it.x = malloc(n * sizeof *it.x), it.g = malloc(n * sizeof *it.g), it.work = malloc(work_len * sizeof *it.work);
  it.scratch = malloc(rule->scratch_len(&it) * sizeof *it.scratch);
  memcpy(it.x, x0, n * sizeof *x0);
  for (size_t j = 0; j < steps; j++) {
    assert_status(rule->step(&it, gradient ? tape + j * tape_len : NULL, &stop), L2O_OK, NULL);
    it.has_gradient = false;
    it.k++;
  }
  const double loss = gradient_at(p, slope, it.x);
  it.k = 77; /* the way back does without */
  for (size_t j = steps; j > 0 && gradient; j--)
    assert_status(rule->step_vjp(&it, slope, NULL, NULL, gradient, tape + (j - 1) * tape_len, mode), L2O_OK, NULL);
  if (dx0)
    memcpy(dx0, slope, n * sizeof *dx0);
  free(tape), free(slope), free(it.x), free(it.g), free(it.work), free(it.scratch);
  return loss;
}

/* 4th order: of at[] = f(x - 2h), f(x - h), f(x + h), f(x + 2h) */
static double by_differences(const double *at, double h) {
  return (8 * (at[2] - at[1]) - (at[3] - at[0])) / (12 * h);
}
static const double OFFSETS[] = {-2, -1, 1, 2};

/* Every parameter and every coordinate of the start. Exact: one step whatever is left out; several steps with the trace, through
 * everything. */
static void gradients_are_central_differences(void **state) {
  (void)state;
  static const struct {
    const char *model;
    size_t steps;
    l2o_stop_gradient mode;
    bool start; /* is dL/dx0 exact, too? */
  } cases[] = {{SMALL, 1, L2O_STOP_GRADIENT_FEATURES, false},
               {SMALL, 1, L2O_STOP_GRADIENT_DIRECTION, false},
               {SMALL ",lambda=eigenvalue", 1, L2O_STOP_GRADIENT_FEATURES, false},
               {SMALL ",lambda=norm", 1, L2O_STOP_GRADIENT_NONE, false},
               {SMALL, 1, L2O_STOP_GRADIENT_NONE, true},
               {SMALL, 3, L2O_STOP_GRADIENT_NONE, true},
               {"deepfp:layers=2,hidden=5,tx=3", 3, L2O_STOP_GRADIENT_NONE, true}};
  const double h = 1e-4;
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    l2o_model *model = random_model(cases[c].model, 0.3, 50 + c);
    l2o_problem p = sampled(FAMILY ",weights=random", 3, c);
    size_t count, moving = 0, wrong = 0;
    l2o_model_parameters(model, &count);
    double *w = weights_of(model), *gradient = calloc(count, sizeof *gradient), at[4], largest = 0;
    l2o_real x[N], dx[N];
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    unrolled(model, &p, x, cases[c].steps, cases[c].mode, gradient, dx);
    for (size_t i = 0; i < count; i++)
      largest = fmax(largest, fabs(gradient[i]));
    for (size_t i = 0; i < count; i++) {
      const double before = w[i];
      for (int k = 0; k < 4; k++) {
        w[i] = before + OFFSETS[k] * h;
        assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
        at[k] = unrolled(model, &p, x, cases[c].steps, cases[c].mode, NULL, NULL);
      }
      w[i] = before;
      moving += gradient[i] != 0;
      if (!(fabs(by_differences(at, h) - gradient[i]) <= 1e-8 * largest) && ++wrong > count / 100) /* a unit may be at its kink */
        fail_msg("case %zu, parameter %zu: %.12g, by differences %.12g (largest %.3g)", c, i, gradient[i], by_differences(at, h),
                 largest);
    }
    assert_true(moving > count / (cases[c].steps == 1 ? 6 : 2)); /* one step moves one of three layers */
    assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
    largest = 0;
    for (size_t i = 0; i < N; i++)
      largest = fmax(largest, fabs(dx[i]));
    for (size_t i = 0; i < N && cases[c].start; i++) {
      const double before = x[i];
      for (int k = 0; k < 4; k++) {
        x[i] = before + OFFSETS[k] * h;
        at[k] = unrolled(model, &p, x, cases[c].steps, cases[c].mode, NULL, NULL);
      }
      x[i] = before;
      assert_close(dx[i], by_differences(at, h), 0, 1e-8 * largest);
    }
    free(w), free(gradient);
    l2o_problem_free(&p);
    l2o_model_free(model);
  }
}

/* P(x + c G(x) / lambda) with the c and lambda of x0 */
static double frozen(const l2o_problem *p, const l2o_real *x, const double *step) {
  l2o_real g[N], next[N];
  gradient_at(p, g, x);
  for (size_t i = 0; i < N; i++)
    next[i] = x[i] - step[i / (N / USERS)] * g[i];
  l2o_rate_project(next, l2o_sum_rate_of(p), next);
  return value_at(p, next);
}

/* With `features` the steps are constants, and with `direction` G is one, too. */
static void what_is_left_out(void **state) {
  (void)state;
  static const char *const specs[] = {SMALL, SMALL ",lambda=norm", SMALL ",lambda=eigenvalue"};
  const double h = 1e-4;
  for (size_t c = 0; c < 3; c++) {
    l2o_model *model = random_model(specs[c], 0.3, 60 + c);
    l2o_problem p = sampled(FAMILY, 4, c);
    const l2o_sum_rate *d = l2o_sum_rate_of(&p);
    size_t count;
    l2o_model_parameters(model, &count);
    double *ignored = calloc(count, sizeof *ignored), step[USERS], at[4];
    l2o_real x[N], g[N], dx[2][N], dnext[N], next[N];
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    const l2o_solver *rule = solver_named(RULE);
    const double options[1] = {0};
    l2o_iterate it = {.problem = &p, .model = model, .options = options, .n = N, .x = next};
    l2o_stop stop = L2O_STOP_NONE;
    it.g = g, it.work = malloc(l2o_problem_hessian_work_len(&p) * sizeof *it.work);
    it.scratch = malloc(rule->scratch_len(&it) * sizeof *it.scratch);
    memcpy(next, x, sizeof next);
    assert_status(rule->step(&it, NULL, &stop), L2O_OK, NULL);
    /* next = scale (x - step g), the scale one of the cell: two numbers of a user give both */
    for (size_t j = 0; j < d->sizes.cells; j++) {
      double scale = 0;
      for (size_t u = 2 * j; u < 2 * j + 2; u++) {
        const l2o_real *X = x + u * (N / USERS), *Y = next + u * (N / USERS), *g_u = g + u * (N / USERS);
        const double det = X[0] * g_u[1] - X[1] * g_u[0];
        scale = (Y[0] * g_u[1] - Y[1] * g_u[0]) / det;
        step[u] = -(X[0] * Y[1] - X[1] * Y[0]) / det / scale;
      }
      assert_true(scale > 0 && scale < 1 + 1e-9);
    }
    unrolled(model, &p, x, 1, L2O_STOP_GRADIENT_FEATURES, ignored, dx[0]);
    unrolled(model, &p, x, 1, L2O_STOP_GRADIENT_DIRECTION, ignored, dx[1]);
    for (size_t i = 0; i < N; i++) {
      const double before = x[i];
      for (int k = 0; k < 4; k++) {
        x[i] = before + OFFSETS[k] * h;
        at[k] = frozen(&p, x, step);
      }
      x[i] = before;
      assert_close(dx[0][i], by_differences(at, h), 1e-8, 1e-8);
    }
    gradient_at(&p, dnext, next);
    for (size_t i = 0; i < N; i++)
      next[i] = x[i] - step[i / (N / USERS)] * g[i];
    l2o_real expected[N] = {0};
    assert_status(l2o_problem_project_vjp(&p, expected, next, dnext, it.work), L2O_OK, NULL);
    for (size_t i = 0; i < N; i++)
      assert_close(dx[1][i], expected[i], 1e-9, 1e-9);
    free(ignored), free(it.work), free(it.scratch);
    l2o_problem_free(&p);
    l2o_model_free(model);
  }
}
#endif

/* ---- the trainer ---- */

static l2o_trainer *trainer_of(l2o_model *model, const l2o_family *family, const l2o_train_settings *settings) {
  l2o_trainer *trainer;
  l2o_diag diag = {""};
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), family, settings, &diag), L2O_OK, &diag);
  return trainer;
}

/* With the features, and with nothing left out. */
static void two_threads_give_the_same_bits(void **state) {
  (void)state;
  l2o_family *family = family_of(FAMILY);
  size_t count = 0;
  for (int mode = 0; mode < 2; mode++) {
    l2o_model *models[2] = {random_model(SMALL, 0.2, 70), random_model(SMALL, 0.2, 70)};
    for (int t = 0; t < 2; t++) {
      l2o_train_settings s = l2o_train_settings_default();
      s.batch = 6, s.horizon = 4, s.threads = 1 + t, s.fresh = true;
      s.stop_gradient = mode ? L2O_STOP_GRADIENT_NONE : L2O_STOP_GRADIENT_FEATURES;
      l2o_trainer *trainer = trainer_of(models[t], family, &s);
      for (int k = 0; k < 5; k++)
        assert_status(l2o_trainer_step(trainer, NULL, NULL), L2O_OK, NULL);
      l2o_trainer_free(trainer);
    }
    const l2o_real *a = l2o_model_parameters(models[0], &count), *b = l2o_model_parameters(models[1], NULL);
    assert_same_reals(a, b, count);
    l2o_model *before = random_model(SMALL, 0.2, 70);
    assert_memory_not_equal(a, l2o_model_parameters(before, NULL), count * sizeof *a);
    l2o_model_free(models[0]), l2o_model_free(models[1]), l2o_model_free(before);
  }
  l2o_family_free(family);
}

/* On new channels, at the number of layers, from the very steps of fastfp on. */
static void training_raises_the_rate(void **state) {
  (void)state;
  enum { INSTANCES = 40, LAYERS = 8 };
  static const char FAMILY_OF_EIGHT[] = "sum-rate:cells=2,users=2,tx=4,rx=2";
  l2o_family *family = family_of(FAMILY_OF_EIGHT);
  l2o_model *model = model_of("deepfp:hidden=12", 1);
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = 10, s.horizon = LAYERS, s.fresh = true, s.threads = 1, s.learning_rate = 3e-3;
  l2o_trainer *trainer = trainer_of(model, family, &s);
  for (size_t k = 0; k < 200; k++)
    assert_status(l2o_trainer_step(trainer, NULL, NULL), L2O_OK, NULL);
  double trained = 0, fastfp = 0, trace = 0, rates[LAYERS + 1];
  for (uint64_t i = 0; i < INSTANCES; i++) {
    l2o_problem p = sampled(FAMILY_OF_EIGHT, 5, i);
    l2o_real x[128];
    rates_along(RULE, "", model, &p, x, rates, LAYERS);
    trained += rates[LAYERS] / INSTANCES;
    rates_along("fastfp", "", NULL, &p, x, rates, LAYERS);
    fastfp += rates[LAYERS] / INSTANCES;
    rates_along("fastfp", "lambda=trace", NULL, &p, x, rates, LAYERS);
    trace += rates[LAYERS] / INSTANCES;
    l2o_problem_free(&p);
  }
  print_message("trained %.4f, fastfp %.4f, with lambda=trace %.4f\n", trained, fastfp, trace);
  assert_true(trained > 1.05 * fastfp && fastfp > trace);
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  l2o_family_free(family);
}

/* ---- guards, refusals, files ---- */

static void guards_keep_their_word(void **state) {
  (void)state;
  enum { T = 12 };
  size_t ahead = 0, behind = 0, fallbacks = 0;
  for (uint64_t seed = 0; seed < 20; seed++) {
    l2o_model *model = random_model(seed % 3 ? SMALL : SMALL ",lambda=eigenvalue", seed < 10 ? 0.2 : 3, 80 + seed);
    l2o_problem p = sampled(FAMILY, 6, seed);
    l2o_real x[N];
    double classical[T + 1], alone[T + 1], shadow[T + 1], descent[T + 1];
    rates_along("fastfp", seed % 3 ? "lambda=trace" : "", NULL, &p, x, classical, T);
    rates_along(RULE, "", model, &p, x, alone, T);
    rates_along(RULE, "guard=shadow", model, &p, x, shadow, T);
    const l2o_result r = rates_along(RULE, "guard=descent", model, &p, x, descent, T);
    for (size_t k = 1; k <= T; k++) {
      assert_true(shadow[k] >= classical[k]);
      assert_true(descent[k] >= descent[k - 1] - BY_PRECISION(1e-12, 1e-5));
      ahead += alone[k] > classical[k], behind += alone[k] < classical[k];
    }
    fallbacks += r.last.fallbacks;
    l2o_problem_free(&p);
    l2o_model_free(model);
  }
  assert_true(ahead > 0 && behind > 0 && fallbacks > 0);
}

static void refuse(const l2o_model *model, l2o_problem p, l2o_status status, const char *sentence) {
  l2o_run *run;
  l2o_diag diag = {""};
  assert_status(l2o_run_new(&run, solver_named(RULE), model, &p, NULL, &diag), status, &diag);
  assert_names(&diag, sentence);
  assert_null(run);
  l2o_problem_free(&p);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  l2o_model *model = model_of(SMALL, 1);
  l2o_diag diag = {""};
  refuse(model, sampled("qp:n=4,m=2", 1, 0), L2O_ERR_NOTSUP, "deepfp solves problems of the family sum-rate; 'qp' is none");
  refuse(model, sampled("power-control", 1, 0), L2O_ERR_NOTSUP, "'power-control' is none");
  refuse(model, sampled("sum-rate:tx=4", 1, 0), L2O_ERR_SHAPE,
         "deepfp: this model is for precoders of tx = 3 antennas and streams = 2; the problem has tx = 4 and streams = 2");
  refuse(model, sampled("sum-rate:tx=3,streams=1", 1, 0), L2O_ERR_SHAPE, "the problem has tx = 3 and streams = 1");
  l2o_model_free(model);
  static const char *const specs[][2] = {
      {"deepfp:layers=0", "layers = 0"}, {"deepfp:tx=0", "tx = 0"}, {"deepfp:lambda=mean", "mean"}, {"deepfp:depth=4", "depth"}};
  for (size_t i = 0; i < 4; i++) {
    assert_status(l2o_model_new(&model, specs[i][0], 1, &diag), L2O_ERR_ARG, NULL);
    assert_names(&diag, specs[i][1]);
    assert_null(model);
  }
}

static void a_model_comes_back_bit_for_bit(void **state) {
  (void)state;
  l2o_model *model = random_model(SMALL ",lambda=norm", 0.3, 90), *loaded;
  l2o_diag diag = {""};
  size_t count, again;
  assert_status(l2o_model_save(model, in_folder("deepfp"), &diag), L2O_OK, &diag);
  assert_status(l2o_model_load(&loaded, in_folder("deepfp"), NULL, &diag), L2O_OK, &diag);
  assert_string_equal(l2o_model_spec(model), l2o_model_spec(loaded));
  const l2o_real *w = l2o_model_parameters(model, &count), *v = l2o_model_parameters(loaded, &again);
  assert_int_equal(count, again);
  assert_same_reals(w, v, count);
  l2o_problem p = sampled(FAMILY, 7, 0);
  l2o_real x[2][N];
  rates_along(RULE, "", model, &p, x[0], NULL, 3), rates_along(RULE, "", loaded, &p, x[1], NULL, 3);
  assert_same_reals(x[0], x[1], N);
  l2o_problem_free(&p);
  l2o_model_free(model), l2o_model_free(loaded);
}

static void a_step_allocates_nothing(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  static const char *const guards[] = {"", "guard=shadow", "guard=descent"};
  l2o_model *model = model_of(SMALL ",lambda=eigenvalue", 1);
  l2o_problem p = sampled(FAMILY, 1, 0);
  for (size_t i = 0; i < 3; i++) {
    l2o_settings s = l2o_settings_default();
    l2o_run *run;
    l2o_stop stop = L2O_STOP_NONE;
    s.options = guards[i];
    assert_status(l2o_run_new(&run, solver_named(RULE), model, &p, &s, NULL), L2O_OK, NULL);
    assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
    allocations_watch(0);
    for (int k = 0; k < 3; k++)
      assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
    assert_int_equal(allocations_seen().calls, 0);
    l2o_run_free(run);
  }
  l2o_problem_free(&p);
  l2o_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(with_zero_outputs_it_is_fastfp),
      cmocka_unit_test(the_step_is_the_formula),
      cmocka_unit_test(units_do_not_matter),
      cmocka_unit_test(initial_weights),
#ifndef L2O_SINGLE
      cmocka_unit_test(gradients_are_central_differences),
      cmocka_unit_test(what_is_left_out),
#endif
      cmocka_unit_test(two_threads_give_the_same_bits),
      cmocka_unit_test(training_raises_the_rate),
      cmocka_unit_test(guards_keep_their_word),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test_setup_teardown(a_model_comes_back_bit_for_bit, make_folder, remove_folder),
      cmocka_unit_test(a_step_allocates_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
