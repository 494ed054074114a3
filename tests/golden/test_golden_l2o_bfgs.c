/* SPDX-License-Identifier: BSD-3-Clause */
/* The rule l2o-bfgs against PyTorch's automatic differentiation, see README.md: iterates, objectives, raw outputs, factors, losses,
 * and the gradients of three losses in the four stop-gradient modes, whole and truncated. Then what must hold of the rule by
 * itself: BFGS at the initial weights, permutations of the coordinates, multiples of f, central differences. */
#include "l2o_data_family.h"
#include "l2o_golden.h"
#include "learn/unroll.h"
#include "nn/bfgs_lstm.h"

/* ---- the files ---- */

typedef enum golden_kind { LEAST_SQUARES, LOGISTIC, WAVES } golden_kind;
typedef struct golden_case {
  const char *name;
  golden_kind kind;
  const char *model, *h0;
  const char *rescale;
  double
      gradient; /* tolerance of gradients in single precision; larger where they pass through y'y and s'y, whose y has few digits */
  double spread; /* of weights drawn at random; 0: those of the file */
  double unit;   /* that A and b are multiplied by */
} golden_case;

#define NETWORK "bfgs-lstm:hidden=5,layers=2,"
static const golden_case cases[] = {
    {"identity", LEAST_SQUARES, NETWORK "p_high=4,gate=4,safeguard=0.3,h0=identity", "identity", "off", 1e-4, 0, 1},
    {"scaled", LOGISTIC, NETWORK "output=clip,p_low=0.4,p_high=1.6,gate=0,safeguard=0.6,h0=scaled", "scaled", "off", 1e-4, 0, 1},
    {"lipschitz", LEAST_SQUARES, NETWORK "p_high=4,steps=scalar,gate=0,safeguard=0,h0=lipschitz", "lipschitz", "off", 1e-4, 0, 1},
    {"rescaled", LEAST_SQUARES, NETWORK "p_high=3,gate=0,safeguard=0,h0=identity,rescale=on", "identity", "on", 1e-3, 0, 1},
    {"skipped", WAVES, NETWORK "p_high=3,gate=0,safeguard=0.5,h0=scaled", "scaled", "off", 1e-3, 0, 1},
};
/* With other weights than the files have, of which only the data are taken. */
static const golden_case drawn[] = {
    {"identity", LEAST_SQUARES, NETWORK "p_high=3,gate=0,safeguard=0,h0=identity,features=linear+log", "identity", "off", 0, 0.4,
     1},
    {"scaled", LOGISTIC, NETWORK "p_high=3,gate=0,safeguard=0,h0=scaled,features=linear+log", "scaled", "off", 0, 0.4, 1},
    {"lipschitz", LEAST_SQUARES, NETWORK "p_high=3,gate=0,safeguard=0,h0=lipschitz,rescale=on", "lipschitz", "on", 0, 0.4, 1e-5},
    {"identity", LEAST_SQUARES, NETWORK "p_high=3,gate=0,safeguard=0,h0=identity", "identity", "off", 0, 1.5, 1},
    {"identity", LEAST_SQUARES, NETWORK "p_high=3,gate=0,safeguard=0.2,h0=identity", "identity", "off", 0, 1.5, 1},
};
enum { SMOOTH = 3, UNRESTRAINED = 3, RESTRAINED = 4 };   /* the first three have no kink near */
enum { CASES = sizeof cases / sizeof *cases, MOST = 8 }; /* of unknowns and of steps */

typedef struct golden {
  const golden_case *is;
  l2o_tensor_file *file;
  size_t B, m, n, U;
  l2o_real *A, *b, *x0;
  l2o_family *data[2]; /* logistic: one for each instance */
  l2o_model *model;
} golden;

static golden open_golden(const golden_case *is) {
  char path[400], name[64];
  l2o_diag diag = {""};
  golden g = {.is = is};
  snprintf(path, sizeof path, "%s/golden/l2o_bfgs_%s.safetensors", L2O_TEST_DATA, is->name);
  assert_status(l2o_tensor_file_open(&g.file, path, &diag), L2O_OK, &diag);
  const l2o_tensor *A = l2o_tensor_file_find(g.file, "A"), *p = l2o_tensor_file_find(g.file, "p");
  assert_true(A && p);
  g.B = A->shape[0], g.m = A->shape[1], g.n = A->shape[2], g.U = p->shape[0];
  assert_true(g.B == 2 && g.n < MOST && g.U < MOST);
  g.A = golden_reals(g.file, "A"), g.b = golden_reals(g.file, "b"), g.x0 = golden_reals(g.file, "x0");
  for (size_t i = 0; i < g.B * g.m * g.n; i++)
    g.A[i] *= (l2o_real)is->unit;
  for (size_t i = 0; i < g.B * g.m && is->kind != LOGISTIC; i++)
    g.b[i] *= (l2o_real)is->unit;
  for (size_t i = 0; i < g.B && is->kind == LOGISTIC; i++) {
    double labels[64];
    doubles_of(labels, g.b + i * g.m, g.m);
    assert_status(family_from_arrays(&g.data[i], "logistic:l2=0.01", g.A + i * g.m * g.n, labels, g.m, g.n, &diag), L2O_OK, &diag);
  }
  g.model = model_of(is->model, 1);
  if (is->spread > 0) {
    randomise(g.model, 6, is->spread);
    return g;
  }
  size_t count;
  l2o_model_parameters(g.model, &count);
  double *flat = malloc(count * sizeof *flat);
  for (size_t i = 0; i < l2o_model_tensor_count(g.model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(g.model, i);
    snprintf(name, sizeof name, "param__%s", t.name);
    double *values = golden_values(g.file, name, NULL);
    memcpy(flat + t.offset, values, t.count * sizeof *values);
    free(values);
  }
  assert_status(l2o_model_set_parameters(g.model, flat, count), L2O_OK, NULL);
  free(flat);
  return g;
}

static void close_golden(golden *g) {
  l2o_model_free(g->model);
  for (size_t i = 0; i < 2; i++)
    l2o_family_free(g->data[i]);
  l2o_tensor_file_free(g->file);
  free(g->A);
  free(g->b);
  free(g->x0);
}

/* ---- their instances, as a user's family ---- */

/* f(x) = 1/2 |Ax - b|^2 + sum cos(2 x_i): curved downwards in places, where BFGS skips its update. */
typedef struct waves {
  const l2o_real *A, *b, *x0;
  size_t m;
} waves;

static l2o_status waves_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const waves *w = p->data;
  (void)work;
  *f = 0;
  for (size_t j = 0; j < p->n; j++) {
    *f += cos(2 * (double)x[j]);
    g[j] = (l2o_real)(-2 * sin(2 * (double)x[j]));
  }
  for (size_t i = 0; i < w->m; i++) {
    double r = -(double)w->b[i];
    for (size_t j = 0; j < p->n; j++)
      r += (double)w->A[i * p->n + j] * (double)x[j];
    *f += r * r / 2;
    for (size_t j = 0; j < p->n; j++)
      g[j] += (l2o_real)(r * (double)w->A[i * p->n + j]);
  }
  return L2O_OK;
}

static l2o_status waves_hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const waves *w = p->data;
  (void)work;
  for (size_t j = 0; j < p->n; j++)
    hv[j] = (l2o_real)(-4 * cos(2 * (double)x[j]) * (double)v[j]);
  for (size_t i = 0; i < w->m; i++) {
    double q = 0;
    for (size_t j = 0; j < p->n; j++)
      q += (double)w->A[i * p->n + j] * (double)v[j];
    for (size_t j = 0; j < p->n; j++)
      hv[j] += (l2o_real)(q * (double)w->A[i * p->n + j]);
  }
  return L2O_OK;
}

static l2o_status waves_start(const l2o_problem *p, l2o_real *x0) {
  memcpy(x0, ((const waves *)p->data)->x0, p->n * sizeof *x0);
  return L2O_OK;
}

static void waves_free(l2o_problem *p) {
  free((void *)(uintptr_t)p->data);
}

static const l2o_problem_ops waves_ops = {.struct_size = sizeof waves_ops,
                                          .name = "waves",
                                          .gradient = waves_gradient,
                                          .hessian_vector = waves_hessian_vector,
                                          .start = waves_start,
                                          .free = waves_free};

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const golden *g = family->data;
  const l2o_real *A = g->A + index * g->m * g->n, *b = g->b + index * g->m, *x0 = g->x0 + index * g->n;
  if (g->is->kind == LOGISTIC)
    return l2o_family_sample(g->data[index], out, seed, L2O_PURPOSE_EVAL, 0, diag);
  if (g->is->kind == LEAST_SQUARES)
    return l2o_least_squares_new(out, A, b, x0, 0, 0, g->m, g->n, diag);
  waves *w = malloc(sizeof *w);
  *w = (waves){.A = A, .b = b, .x0 = x0, .m = g->m};
  *out = (l2o_problem){.ops = &waves_ops, .data = w, .n = g->n};
  return L2O_OK;
}

static l2o_family golden_family(const golden *g) {
  return (l2o_family){.struct_size = sizeof(l2o_family), .name = "golden", .n = g->n, .sample = sample, .data = g};
}

static l2o_problem instance(const golden *g, size_t i) {
  const l2o_family family = golden_family(g);
  l2o_problem p;
  assert_status(l2o_family_sample(&family, &p, 0, L2O_PURPOSE_EVAL, i, NULL), L2O_OK, NULL);
  return p;
}

/* ---- forward ---- */

/* `steps` iterations from the problem's start; path (steps + 1, n), objective (steps + 1) or NULL. */
static void iterates(l2o_real *path, double *objective, const char *rule, const char *options, const l2o_model *model,
                     const l2o_problem *p, size_t steps) {
  l2o_trace *trace;
  l2o_diag diag = {""};
  l2o_real x[MOST];
  l2o_settings s = l2o_settings_default();
  size_t records;
  assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  assert_status(l2o_trace_new(&trace, steps + 1, p->n), L2O_OK, NULL);
  s.options = options, s.iterations = steps, s.traces = (l2o_trace *const[]){trace};
  assert_status(l2o_minimize(solver_named(rule), model, p, x, NULL, &s, &diag), L2O_OK, &diag);
  const l2o_record *r = l2o_trace_records(trace, &records);
  assert_int_equal(records, steps + 1);
  memcpy(path, l2o_trace_iterates(trace), (steps + 1) * p->n * sizeof *path);
  for (size_t k = 0; k <= steps && objective; k++)
    objective[k] = r[k].objective;
  l2o_trace_free(trace);
}

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

static void normalised(l2o_real *out, const double *v, size_t n) {
  const double norm = sqrt(dot(v, v, n));
  for (size_t i = 0; i < n; i++)
    out[i] = (l2o_real)(norm > 0 ? v[i] * sqrt((double)n) / norm : 0);
}

/* H <- (I - rho s y') H (I - rho y s') + rho s s', entry by entry. */
static void update(double *H, const double *s, const double *y, size_t n) {
  const double rho = 1 / dot(s, y, n);
  double Hy[MOST];
  for (size_t i = 0; i < n; i++)
    Hy[i] = dot(H + i * n, y, n);
  const double yHy = dot(y, Hy, n);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      H[i * n + j] += (rho * rho * yHy + rho) * s[i] * s[j] - rho * (s[i] * Hy[j] + Hy[i] * s[j]);
}

/* H <- max(1, s'y / y'Hy)^(3/4) H */
static void enlarge(double *H, const double *s, const double *y, size_t n) {
  double yHy = 0;
  for (size_t i = 0; i < n; i++)
    yHy += y[i] * dot(H + i * n, y, n);
  const double factor = pow(fmax(1, dot(s, y, n) / yHy), 0.75);
  for (size_t i = 0; i < n * n; i++)
    H[i] *= factor;
}

/* The directions d (steps, n) and raw outputs o (steps, n) that belong to a path, by plain loops from the iterates alone; records:
 * NULL, or what says where the rule fell back, and so forgot. */
static void replay(double *d, double *o, const l2o_real *path, const l2o_record *records, const golden_case *is,
                   const l2o_model *model, const l2o_problem *p, size_t steps) {
  const size_t n = p->n;
  const l2o_recurrent *net = l2o_bfgs_lstm_network(model);
  double H[MOST * MOST] = {0}, constant = 1, g[MOST], g0 = 0, before[MOST], s[MOST] = {0}, y[MOST] = {0};
  bool fresh = true;
  l2o_real *state = calloc(l2o_recurrent_state_len(&net->shape, n) + 1, sizeof *state);
  l2o_real *scratch = malloc((l2o_recurrent_scratch_len(&net->shape, n) + 1) * sizeof *scratch);
  if (strcmp(is->h0, "lipschitz") == 0)
    assert_status(l2o_problem_lipschitz(p, &constant), L2O_OK, NULL);
  for (size_t i = 0; i < n; i++)
    H[i * n + i] = 1 / constant;
  for (size_t k = 0; k < steps; k++, d += n, o += n) {
    l2o_real u[L2O_BFGS_LSTM_FEATURES_MAX * MOST], out[MOST], real[MOST];
    const bool fell = records && k && records[k].fallbacks > records[k - 1].fallbacks;
    gradient_at(p, real, path + k * n);
    doubles_of(g, real, n);
    for (size_t i = 0; i < n && k; i++) {
      s[i] = (double)path[k * n + i] - (double)path[(k - 1) * n + i];
      y[i] = g[i] - before[i];
    }
    if (dot(s, y, n) > 1e-12 * sqrt(dot(s, s, n) * dot(y, y, n))) {
      for (size_t i = 0; i < n && fresh && strcmp(is->h0, "scaled") == 0; i++)
        H[i * n + i] = dot(s, y, n) / dot(y, y, n);
      if (!fresh && strcmp(is->rescale, "on") == 0)
        enlarge(H, s, y, n);
      fresh = false;
      update(H, s, y, n);
    }
    const double norm = sqrt(dot(g, g, n));
    g0 = k ? g0 : norm;
    for (size_t i = 0; i < n; i++) {
      u[4 * n + i] = (l2o_real)(k && !fell ? s[i] / (d - n)[i] - 1 : 0);
      d[i] = -dot(H + i * n, g, n);
    }
    normalised(u, g, n);
    normalised(u + n, d, n);
    normalised(u + 2 * n, y, n);
    normalised(u + 3 * n, s, n);
    for (size_t i = 0; i < n; i++) {
      u[5 * n + i] = (l2o_real)(log10(norm / g0) / 6);
      u[6 * n + i] = (l2o_real)(-dot(g, d, n) / (norm * sqrt(dot(d, d, n))));
    }
    for (size_t i = 0; i < 4 * n; i++)
      u[7 * n + i] = (l2o_real)(log10((double)u[i] * (double)u[i] + 1e-12) / 6);
    if (fell)
      memset(state, 0, l2o_recurrent_state_len(&net->shape, n) * sizeof *state);
    l2o_recurrent_forward(net, out, state, NULL, scratch, u, n);
    doubles_of(o, out, n);
    memcpy(before, g, sizeof g);
  }
  free(state);
  free(scratch);
}

static double largest_of(const double *v, size_t count) {
  double largest = 0;
  for (size_t i = 0; i < count; i++)
    largest = fmax(largest, fabs(v[i]));
  return largest;
}

static void forward(void **state) {
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(&cases[c]);
    const size_t n = g.n, U = g.U;
    double *X = golden_values(g.file, "x", NULL), *f = golden_values(g.file, "objective", NULL),
           *P = golden_values(g.file, "p", NULL), *O = golden_values(g.file, "o", NULL);
    const double largest = largest_of(X, (U + 1) * g.B * n), tolerance = BY_PRECISION(1e-11, 2e-5);
    for (size_t b = 0; b < g.B; b++) {
      l2o_problem p = instance(&g, b);
      l2o_real path[MOST * MOST];
      double objective[MOST], d[MOST * MOST], o[MOST * MOST];
      iterates(path, objective, "l2o-bfgs", NULL, g.model, &p, U);
      for (size_t k = 0; k <= U; k++) {
        assert_close(objective[k], f[k * g.B + b], tolerance, tolerance);
        for (size_t i = 0; i < n; i++)
          assert_close(path[k * n + i], X[(k * g.B + b) * n + i], 0, tolerance * largest);
      }
      replay(d, o, path, NULL, g.is, g.model, &p, U);
      for (size_t k = 0; k < U; k++)
        for (size_t i = 0; i < n; i++) {
          const size_t at = (k * g.B + b) * n + i;
          assert_close(path[(k + 1) * n + i] - path[k * n + i], P[at] * d[k * n + i], 0, BY_PRECISION(1e-11, 1e-3) * largest);
          assert_close(o[k * n + i], O[at], 0, BY_PRECISION(1e-9, 1e-2));
        }
      l2o_problem_free(&p);
    }
    free(X);
    free(f);
    free(P);
    free(O);
    close_golden(&g);
  }
}

/* What the cases are for: the safeguard acts at some steps and not at others, a clip bounds some outputs and not others, an update
 * is skipped before the first one. */
static void every_branch_is_taken(void **state) {
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(&cases[c]);
    size_t count, acting = 0, bounded = 0;
    double *tau = golden_values(g.file, "tau", &count), *O = golden_values(g.file, "o", NULL);
    for (size_t i = 0; i < count; i++)
      acting += tau[i] < 1;
    assert_true(strstr(g.is->model, "safeguard=0,") ? acting == 0 : acting > 0 && acting < count);
    for (size_t i = 0; i < count * g.n; i++)
      bounded += 1 + O[i] < 0.4 || 1 + O[i] > 1.6;
    if (g.is->kind == LOGISTIC)
      assert_true(bounded > 0 && bounded < count * g.n);
    if (g.is->kind == WAVES) {
      double *X = golden_values(g.file, "x", NULL), s[MOST], y[MOST];
      l2o_problem p = instance(&g, 0);
      l2o_real x[2][MOST], gradient[2][MOST];
      for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < g.n; i++)
          x[k][i] = (l2o_real)X[k * g.B * g.n + i];
        gradient_at(&p, gradient[k], x[k]);
      }
      for (size_t i = 0; i < g.n; i++) {
        s[i] = (double)x[1][i] - (double)x[0][i];
        y[i] = (double)gradient[1][i] - (double)gradient[0][i];
      }
      assert_true(dot(s, y, g.n) < 0);
      l2o_problem_free(&p);
      free(X);
    }
    free(tau);
    free(O);
    close_golden(&g);
  }
}

/* ---- gradients ---- */

static l2o_train_settings settings_of(const golden *g, l2o_loss loss, double regularisation, l2o_stop_gradient mode) {
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = g->B, s.horizon = g->U, s.loss = loss, s.regularisation = regularisation, s.stop_gradient = mode;
  s.threads = 1, s.optimizer = L2O_OPTIMIZER_SGD, s.learning_rate = 0; /* steps move from segment to segment and change nothing */
  return s;
}

/* Loss and gradient of segment number `segment`. */
static void segment_gradient(double *loss, double *gradient, const golden *g, const l2o_train_settings *s, size_t segment) {
  const l2o_family family = golden_family(g);
  l2o_trainer *trainer;
  l2o_diag diag = {""};
  assert_status(l2o_trainer_new(&trainer, g->model, solver_named("l2o-bfgs"), &family, s, &diag), L2O_OK, &diag);
  for (size_t i = 0; i < segment; i++) {
    l2o_train_record record;
    assert_status(l2o_trainer_step(trainer, &record, &diag), L2O_OK, &diag);
    assert_false(record.rejected);
  }
  assert_status(l2o_trainer_gradient(trainer, loss, gradient, &diag), L2O_OK, &diag);
  l2o_trainer_free(trainer);
}

static const struct {
  const char *name;
  l2o_stop_gradient mode;
} modes[] = {{"direction", L2O_STOP_GRADIENT_DIRECTION},
             {"matrix", L2O_STOP_GRADIENT_MATRIX},
             {"features", L2O_STOP_GRADIENT_FEATURES},
             {"none", L2O_STOP_GRADIENT_NONE}};
enum { MODES = sizeof modes / sizeof *modes };

/* Tensor by tensor, relative to the largest expected entry of each. */
static void compare(const golden *g, const char *loss, size_t mode, const l2o_train_settings *s, size_t segment) {
  char name[64];
  double value, *golden_loss, *expected;
  size_t count;
  snprintf(name, sizeof name, "loss_%s", loss);
  golden_loss = golden_values(g->file, name, NULL);
  snprintf(name, sizeof name, "grad_%s_%s", loss, modes[mode].name);
  expected = golden_values(g->file, name, &count);
  double *gradient = malloc(count * sizeof *gradient);
  segment_gradient(&value, gradient, g, s, segment);
  assert_close(value, *golden_loss, 0, BY_PRECISION(1e-11, 2e-5) * fmax(1, fabs(*golden_loss)));
  for (size_t i = 0; i < l2o_model_tensor_count(g->model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(g->model, i);
    const double largest = largest_of(expected + t.offset, t.count);
    assert_true(largest > 0 && t.offset + t.count <= count);
    for (size_t j = t.offset; j < t.offset + t.count; j++)
      if (!(fabs(gradient[j] - expected[j]) <= BY_PRECISION(1e-11, g->is->gradient) * largest))
        fail_msg("%s: %s, %s[%zu] = %.17g, expected %.17g (largest %.3g)", g->is->name, name, t.name, j - t.offset, gradient[j],
                 expected[j], largest);
  }
  free(golden_loss);
  free(gradient);
  free(expected);
}

static void gradients(void **state) {
  (void)state;
  static const struct {
    const char *name;
    l2o_loss loss;
    double regularisation;
  } losses[] = {{"mean", L2O_LOSS_MEAN, 0},
                {"decrease", L2O_LOSS_DECREASE, 0},
                {"log-gradient", L2O_LOSS_LOG_GRADIENT, 0},
                {"regularised", L2O_LOSS_DECREASE, 0.7}};
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(&cases[c]);
    size_t compared = 0;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
      for (size_t mode = 0; mode < MODES; mode++) {
        char name[64];
        snprintf(name, sizeof name, "loss_%s", losses[i].name);
        if (!l2o_tensor_file_find(g.file, name))
          continue;
        const l2o_train_settings s = settings_of(&g, losses[i].loss, losses[i].regularisation, modes[mode].mode);
        compare(&g, losses[i].name, mode, &s, 0);
        compared++;
      }
    assert_true(compared >= MODES);
    close_golden(&g);
  }
}

/* Segments (first step, length) in the middle of the horizon: everything before them is a constant. */
static void truncated_gradients(void **state) {
  (void)state;
  size_t compared = 0;
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(&cases[c]);
    for (size_t mode = 0; mode < MODES && l2o_tensor_file_find(g.file, "segment"); mode++) {
      double *segment = golden_values(g.file, "segment", NULL);
      l2o_train_settings s = settings_of(&g, L2O_LOSS_DECREASE, 0, modes[mode].mode);
      s.unroll = (size_t)segment[1];
      compare(&g, "segment", mode, &s, (size_t)(segment[0] / segment[1]));
      free(segment);
      compared++;
    }
    close_golden(&g);
  }
  assert_int_equal(compared, 3 * MODES);
}

/* Mode `none` is the derivative: (4 D(h/2) - D(h)) / 3, D the central difference, every third entry of every tensor. */
static void central_differences(void **state) {
  (void)state;
#ifdef L2O_SINGLE
  skip();
#endif
  static const double h = 5e-5; /* no kink is nearer */
  for (size_t c = 0; c < CASES + SMOOTH; c++)
    for (int log_gradient = 0; log_gradient < 2; log_gradient++) {
      golden g = open_golden(c < CASES ? &cases[c] : &drawn[c - CASES]);
      l2o_family family = golden_family(&g);
      const l2o_train_settings s =
          settings_of(&g, log_gradient ? L2O_LOSS_LOG_GRADIENT : L2O_LOSS_MEAN, 0.3, L2O_STOP_GRADIENT_NONE);
      l2o_trainer *trainer;
      size_t count;
      l2o_model_parameters(g.model, &count);
      double *w = weights_of(g.model), loss, *gradient = malloc(count * sizeof *gradient), *unused = malloc(count * sizeof *unused);
      assert_status(l2o_trainer_new(&trainer, g.model, solver_named("l2o-bfgs"), &family, &s, NULL), L2O_OK, NULL);
      assert_status(l2o_trainer_gradient(trainer, &loss, gradient, NULL), L2O_OK, NULL);
      for (size_t i = 0; i < l2o_model_tensor_count(g.model); i++) {
        const l2o_model_tensor t = l2o_model_tensor_at(g.model, i);
        const double largest = largest_of(gradient + t.offset, t.count);
        for (size_t j = t.offset; j < t.offset + t.count; j += 3) {
          static const double at[] = {h, -h, h / 2, -h / 2};
          double f[4];
          const double middle = w[j];
          for (int q = 0; q < 4; q++) {
            w[j] = middle + at[q];
            assert_status(l2o_model_set_parameters(g.model, w, count), L2O_OK, NULL);
            assert_status(l2o_trainer_gradient(trainer, &f[q], unused, NULL), L2O_OK, NULL);
          }
          w[j] = middle;
          const double wide = (f[0] - f[1]) / (2 * h), narrow = (f[2] - f[3]) / h;
          assert_close((4 * narrow - wide) / 3, gradient[j], 0, 1e-7 * largest);
        }
      }
      l2o_trainer_free(trainer);
      free(w);
      free(gradient);
      free(unused);
      close_golden(&g);
    }
}

/* U steps from x; tape: NULL or room for them. */
static void walk(l2o_lane *lane, const l2o_solver *rule, const l2o_real *x, size_t U, bool record) {
  l2o_iterate *it = &lane->it;
  l2o_stop stop;
  memcpy(it->x, x, it->n * sizeof *x);
  assert_status(l2o_iterate_init(it, rule), L2O_OK, NULL);
  for (size_t j = 0; j < U; j++, it->k++) {
    assert_status(rule->step(it, record ? lane->tape + j * rule->tape_len(it) : NULL, &stop), L2O_OK, NULL);
    l2o_iterate_moved(it);
  }
}

/* d(w'x_U)/dx_0 as well, through the first step, its |g_0| and H_0: the trainer, for which x_0 is a constant, does not ask for it.
 */
static void derivative_with_respect_to_the_start(void **state) {
  (void)state;
#ifdef L2O_SINGLE
  skip();
#endif
  const l2o_solver *rule = solver_named("l2o-bfgs");
  const l2o_train_settings settings = l2o_train_settings_default();
  static const double h = 5e-5;
  for (size_t c = 0; c < CASES; c++)
    for (size_t b = 0; b < 2; b++) {
      golden g = open_golden(&cases[c]);
      l2o_problem p = instance(&g, b);
      const size_t n = g.n;
      double weights[MOST], options[L2O_OPTIONS_MAX] = {0}, *sum = calloc(g.model->type->sum_len(g.model), sizeof *sum);
      l2o_real x[MOST];
      l2o_lane lane = {.it = {.problem = &p, .model = g.model, .options = options, .n = n}, .sum = sum};
      l2o_arena arena = {0};
      l2o_lane_layout(&lane, rule, &settings, g.U, &arena);
      assert_true(l2o_arena_new(&arena));
      l2o_lane_layout(&lane, rule, &settings, g.U, &arena);
      assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
      normal_doubles(weights, n, 31);
      walk(&lane, rule, x, g.U, true);
      memset(lane.dstate, 0, rule->state_len(&lane.it) * sizeof *lane.dstate);
      for (size_t i = 0; i < n; i++)
        lane.dx[i] = (l2o_real)weights[i];
      for (size_t j = g.U; j-- > 0;)
        assert_status(l2o_step_back(&lane, rule, lane.tape + j * rule->tape_len(&lane.it), L2O_STOP_GRADIENT_NONE), L2O_OK, NULL);
      l2o_real slope[MOST];
      double largest = 0;
      memcpy(slope, lane.dx, n * sizeof *slope);
      for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)slope[i]));
      for (size_t i = 0; i < n; i++) {
        static const double at[] = {h, -h, h / 2, -h / 2};
        double f[4] = {0};
        const l2o_real middle = x[i];
        for (int q = 0; q < 4; q++) {
          x[i] = middle + (l2o_real)at[q];
          walk(&lane, rule, x, g.U, false);
          for (size_t k = 0; k < n; k++)
            f[q] += weights[k] * (double)lane.it.x[k];
        }
        x[i] = middle;
        assert_close((4 * (f[2] - f[3]) / h - (f[0] - f[1]) / (2 * h)) / 3, slope[i], 0, 1e-6 * largest);
      }
      free(arena.base);
      free(sum);
      l2o_problem_free(&p);
      close_golden(&g);
    }
}

/* ---- what must hold of the rule by itself ---- */

/* head.weight = 0, as the model starts. */
static void untrained_is_bfgs_with_unit_steps(void **state) {
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(&cases[c]);
    l2o_model *untrained = model_of(g.is->model, 3);
    char options[96];
    snprintf(options, sizeof options, "line_search=unit,rescale=%s,h0=%s", g.is->rescale, g.is->h0);
    for (size_t b = 0; b < g.B; b++) {
      l2o_problem p = instance(&g, b);
      l2o_real learned[MOST * MOST], classical[MOST * MOST];
      iterates(learned, NULL, "l2o-bfgs", NULL, untrained, &p, g.U);
      iterates(classical, NULL, "bfgs", options, NULL, &p, g.U);
      assert_same_reals(learned, classical, (g.U + 1) * g.n);
      l2o_problem_free(&p);
    }
    l2o_model_free(untrained);
    close_golden(&g);
  }
}

/* Unknown i of the permuted problem is unknown order[i] of the other: so are the iterates, and the factors. */
static void permuted_coordinates(void **state) {
  (void)state;
  static const size_t order[] = {3, 0, 5, 1, 4, 2};
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(&cases[c]), q = open_golden(&cases[c]);
    if (g.is->kind != LEAST_SQUARES) {
      close_golden(&g);
      close_golden(&q);
      continue;
    }
    const size_t n = g.n, U = g.U;
    assert_int_equal(n, sizeof order / sizeof *order);
    for (size_t i = 0; i < n; i++) {
      for (size_t r = 0; r < g.B * g.m; r++)
        q.A[r * n + i] = g.A[r * n + order[i]];
      for (size_t b = 0; b < g.B; b++)
        q.x0[b * n + i] = g.x0[b * n + order[i]];
    }
    for (size_t b = 0; b < g.B; b++) {
      l2o_problem plain = instance(&g, b), permuted = instance(&q, b);
      l2o_real x[MOST * MOST], y[MOST * MOST];
      double d[2][MOST * MOST], o[2][MOST * MOST];
      iterates(x, NULL, "l2o-bfgs", NULL, g.model, &plain, U);
      iterates(y, NULL, "l2o-bfgs", NULL, g.model, &permuted, U);
      replay(d[0], o[0], x, NULL, g.is, g.model, &plain, U);
      replay(d[1], o[1], y, NULL, g.is, g.model, &permuted, U);
      for (size_t k = 0; k <= U; k++)
        for (size_t i = 0; i < n; i++) {
          const size_t here = k * n + i, there = k * n + order[i];
          assert_close(y[here], x[there], 0, BY_PRECISION(1e-12, 1e-4));
          if (k < U) /* p_i d_there = p_there d_i */
            assert_close((y[here + n] - y[here]) * (l2o_real)d[0][there], (x[there + n] - x[there]) * (l2o_real)d[1][here], 0,
                         BY_PRECISION(1e-12, 1e-3));
        }
      l2o_problem_free(&plain);
      l2o_problem_free(&permuted);
    }
    close_golden(&g);
    close_golden(&q);
  }
}

/* With h0=lipschitz, 10 f has the iterates of f. */
static void multiple_of_the_objective(void **state) {
  (void)state;
  golden g = open_golden(&cases[2]), q = open_golden(&cases[2]);
  assert_string_equal(g.is->h0, "lipschitz");
  for (size_t i = 0; i < g.B * g.m * g.n; i++)
    q.A[i] = (l2o_real)(sqrt(10) * (double)g.A[i]);
  for (size_t i = 0; i < g.B * g.m; i++)
    q.b[i] = (l2o_real)(sqrt(10) * (double)g.b[i]);
  for (size_t b = 0; b < g.B; b++) {
    l2o_problem p = instance(&g, b), tenfold = instance(&q, b);
    l2o_real x[MOST * MOST], y[MOST * MOST];
    double f[MOST], F[MOST];
    iterates(x, f, "l2o-bfgs", NULL, g.model, &p, g.U);
    iterates(y, F, "l2o-bfgs", NULL, g.model, &tenfold, g.U);
    for (size_t k = 0; k <= g.U; k++) {
      assert_close(F[k], 10 * f[k], BY_PRECISION(1e-12, 1e-4), 0);
      for (size_t i = 0; i < g.n; i++)
        assert_close(y[k * g.n + i], x[k * g.n + i], 0, BY_PRECISION(1e-12, 1e-4));
    }
    l2o_problem_free(&p);
    l2o_problem_free(&tenfold);
  }
  close_golden(&g);
  close_golden(&q);
}

/* x+ - x = p o d, with features=linear+log too, and where H becomes so large that it takes in its scale. */
static void factors_of_other_models(void **state) {
  (void)state;
  for (size_t c = 0; c < SMOOTH; c++) {
    golden g = open_golden(&drawn[c]);
    assert_int_equal(l2o_bfgs_lstm_network(g.model)->shape.inputs, strstr(g.is->model, "linear+log") ? 11 : 7);
    for (size_t b = 0; b < g.B; b++) {
      l2o_problem p = instance(&g, b);
      l2o_real path[MOST * MOST];
      double d[MOST * MOST], o[MOST * MOST];
      iterates(path, NULL, "l2o-bfgs", NULL, g.model, &p, g.U);
      replay(d, o, path, NULL, g.is, g.model, &p, g.U);
      const double largest = largest_of(d, g.U * g.n);
      for (size_t i = 0; i < g.U * g.n; i++)
        assert_close(path[i + g.n] - path[i], 3 / (1 + exp(-o[i])) * d[i], 0, BY_PRECISION(1e-10, 1e-3) * largest);
      l2o_problem_free(&p);
    }
    close_golden(&g);
  }
}

/* Weights that send steps upwards are kept from it: g'(p o d) <= sigma g'd, with equality where factors are held back. */
static void the_safeguard_keeps_to_descent(void **state) {
  (void)state;
#ifdef L2O_SINGLE
  skip(); /* some of these runs come to rest */
#endif
  size_t upwards = 0, held = 0;
  for (size_t c = UNRESTRAINED; c <= RESTRAINED; c++) {
    golden g = open_golden(&drawn[c]);
    for (uint64_t seed = 1; seed <= 100; seed++)
      for (size_t b = 0; b < g.B; b++) {
        l2o_problem p = instance(&g, b);
        l2o_real path[MOST * MOST], at[MOST];
        double d[MOST * MOST], o[MOST * MOST];
        randomise(g.model, seed, g.is->spread);
        iterates(path, NULL, "l2o-bfgs", NULL, g.model, &p, g.U);
        replay(d, o, path, NULL, g.is, g.model, &p, g.U);
        for (size_t k = 0; k < g.U; k++) {
          double slope = 0, along = 0, wanted = 0, size = 0;
          gradient_at(&p, at, path + k * g.n);
          for (size_t i = 0; i < g.n; i++) {
            const double gd = (double)at[i] * d[k * g.n + i], factor = 3 / (1 + exp(-o[k * g.n + i]));
            slope += gd;
            along += (double)at[i] * ((double)path[(k + 1) * g.n + i] - (double)path[k * g.n + i]);
            wanted += factor * gd;
            size += fabs(gd);
          }
          const double noise = BY_PRECISION(1e-9, 1e-2) * size;
          upwards += c == UNRESTRAINED && wanted > noise;
          held += c == RESTRAINED && wanted > 0.2 * slope + noise;
          assert_close(along, c == RESTRAINED ? fmin(wanted, 0.2 * slope) : wanted, 0, noise);
        }
        l2o_problem_free(&p);
      }
    close_golden(&g);
  }
  assert_true(upwards > 5 && held > 50);
}

/* Factors that no feature changes: head.weight = 0. From x_0, where d = -g, one step tells them; bounds let no gradient through. */
static void factors_are_bounded(void **state) {
  (void)state;
  static const struct {
    const char *options;
    double o, p;
    bool learns;
  } rows[] = {
      {"output=clip,p_low=0.25,p_high=2", 0.5, 1.5, true},     {"output=clip,p_low=0.25,p_high=2", 5, 2, false},
      {"output=clip,p_low=0.25,p_high=2", -5, 0.25, false},    {"p_high=2", 0.5, 2 * 0.62245933120185457, true},
      {"p_high=1e6", -13, 1e6 * 2.2603242979035746e-06, true},
  };
  golden g = open_golden(&cases[0]);
  l2o_problem p = instance(&g, 0);
  l2o_real x0[MOST], slope[MOST];
  assert_status(l2o_problem_start(&p, x0), L2O_OK, NULL);
  gradient_at(&p, slope, x0);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    char spec[128];
    size_t count;
    snprintf(spec, sizeof spec, "bfgs-lstm:hidden=4,gate=0,safeguard=0,h0=identity,%s", rows[r].options);
    l2o_model *model = model_of(spec, 1);
    l2o_model_parameters(model, &count);
    double *w = weights_of(model), loss, *gradient = malloc(count * sizeof *gradient);
    const size_t bias = tensor_named(model, "head.bias").offset;
    w[bias] = rows[r].o;
    assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
    l2o_real path[2 * MOST];
    iterates(path, NULL, "l2o-bfgs", NULL, model, &p, 1);
    for (size_t i = 0; i < g.n; i++)
      assert_close(path[g.n + i], (double)x0[i] - rows[r].p * (double)slope[i], BY_PRECISION(1e-13, 1e-5),
                   BY_PRECISION(1e-13, 1e-5));
    golden other = g;
    other.model = model;
    const l2o_train_settings s = settings_of(&other, L2O_LOSS_MEAN, 0, L2O_STOP_GRADIENT_NONE);
    segment_gradient(&loss, gradient, &other, &s, 0);
    assert_true((gradient[bias] != 0) == rows[r].learns);
    free(w);
    free(gradient);
    l2o_model_free(model);
  }
  l2o_problem_free(&p);
  close_golden(&g);
}

/* x+ of each step, as the rule proposes it to its guard. */
static l2o_real proposals[MOST * MOST];
static size_t proposed;
static l2o_status noted_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  const l2o_status status = solver_named("l2o-bfgs")->step(it, tape, stop);
  memcpy(proposals + proposed++ * it->n, it->x, it->n * sizeof *it->x);
  return status;
}

/* With guard=descent the rule proposes what it would without it from the points that were taken, and after a fallback what it would
 * with a network that remembers nothing and factors of 1; the search for the classical point leaves no trace. */
static void what_is_proposed_under_guard(void **state) {
  (void)state;
  size_t fallbacks = 0, taken = 0;
  l2o_solver noted = *solver_named("l2o-bfgs");
  noted.step = noted_step;
  golden g = open_golden(&drawn[UNRESTRAINED]);
  for (uint64_t seed = 1; seed <= 10; seed++)
    for (size_t b = 0; b < g.B; b++) {
      l2o_problem p = instance(&g, b);
      l2o_trace *trace;
      l2o_real x[MOST];
      l2o_settings s = l2o_settings_default();
      size_t count;
      double d[MOST * MOST], o[MOST * MOST];
      randomise(g.model, seed, g.is->spread);
      assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
      assert_status(l2o_trace_new(&trace, g.U + 1, p.n), L2O_OK, NULL);
      s.options = "guard=descent", s.iterations = g.U, s.traces = &trace;
      proposed = 0;
      assert_status(l2o_minimize(&noted, g.model, &p, x, NULL, &s, NULL), L2O_OK, NULL);
      const l2o_record *records = l2o_trace_records(trace, &count);
      const l2o_real *path = l2o_trace_iterates(trace);
      assert_true(count == g.U + 1 && proposed == g.U);
      replay(d, o, path, records, g.is, g.model, &p, g.U);
      for (size_t k = 0; k < g.U; k++) {
        const double largest = largest_of(d + k * g.n, g.n);
        for (size_t i = k * g.n; i < (k + 1) * g.n; i++)
          assert_close(proposals[i] - path[i], 3 / (1 + exp(-o[i])) * d[i], 0, BY_PRECISION(1e-9, 2e-2) * largest);
        const bool fell = records[k + 1].fallbacks > records[k].fallbacks;
        fallbacks += fell && k + 1 < g.U;
        taken += !fell && k + 1 < g.U;
      }
      l2o_trace_free(trace);
      l2o_problem_free(&p);
    }
  close_golden(&g);
  assert_true(fallbacks > 10 && taken > 10);
}

/* Started where the gradient is 0: the run ends, and training finds nothing to learn but the regularisation's part, and nothing
 * that is not finite. */
static void nothing_moves_without_a_gradient(void **state) {
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    golden g = open_golden(&cases[c]);
    if (g.is->kind != LEAST_SQUARES) {
      close_golden(&g);
      continue;
    }
    memset(g.x0, 0, g.B * g.n * sizeof *g.x0);
    memset(g.b, 0, g.B * g.m * sizeof *g.b);
    l2o_problem p = instance(&g, 0);
    l2o_real x[MOST] = {0};
    l2o_result result;
    l2o_settings solving = l2o_settings_default();
    solving.iterations = 5;
    assert_status(l2o_minimize(solver_named("l2o-bfgs"), g.model, &p, x, &result, &solving, NULL), L2O_OK, NULL);
    assert_true(result.stop == L2O_STOP_STALLED && result.last.iteration == 1 && result.last.objective == 0);
    l2o_problem_free(&p);
    size_t count;
    l2o_model_parameters(g.model, &count);
    double *gradient = malloc(count * sizeof *gradient);
    for (l2o_loss loss = L2O_LOSS_LAST; loss <= L2O_LOSS_LOG_GRADIENT; loss++)
      for (size_t mode = 0; mode < MODES; mode++)
        for (int regularised = 0; regularised < 2; regularised++) {
          double value, size = 0;
          const l2o_train_settings s = settings_of(&g, loss, 0.5 * regularised, modes[mode].mode);
          segment_gradient(&value, gradient, &g, &s, 0);
          const double expected = loss == L2O_LOSS_LOG_GAP ? log(1e-10) : loss == L2O_LOSS_LOG_GRADIENT ? log(1e-14) : 0;
          for (size_t i = 0; i < count; i++)
            size = fmax(size, fabs(gradient[i]));
          assert_true(regularised ? value > expected + 1e-4 && size > 0 : value == expected && size == 0);
        }
    free(gradient);
    close_golden(&g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forward),
      cmocka_unit_test(every_branch_is_taken),
      cmocka_unit_test(gradients),
      cmocka_unit_test(truncated_gradients),
      cmocka_unit_test(central_differences),
      cmocka_unit_test(derivative_with_respect_to_the_start),
      cmocka_unit_test(untrained_is_bfgs_with_unit_steps),
      cmocka_unit_test(permuted_coordinates),
      cmocka_unit_test(multiple_of_the_objective),
      cmocka_unit_test(factors_of_other_models),
      cmocka_unit_test(the_safeguard_keeps_to_descent),
      cmocka_unit_test(factors_are_bounded),
      cmocka_unit_test(what_is_proposed_under_guard),
      cmocka_unit_test(nothing_moves_without_a_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
