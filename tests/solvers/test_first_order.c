/* SPDX-License-Identifier: BSD-3-Clause */
/* First-order rules: the published formulas replayed in plain loops, the rates that theory promises, optimality conditions
 * recomputed, and line searches on functions that give them no reason to stop. */
#include "l2o_fixtures.h"

#include "counting_malloc.h"

/* ---- runs ---- */

typedef struct path {
  l2o_trace *trace;
  const l2o_record *records;
  const l2o_real *x; /* (count, n) */
  size_t count, n;
  l2o_result result;
} path;

/* `steps` iterations of "name" or "name:options" from x0, NULL: the customary start. */
static path follow_from(const char *spec, const l2o_problem *p, const l2o_real *x0, size_t steps) {
  path t = {.n = p->n};
  char name[64];
  const char *colon = strchr(spec, ':');
  l2o_diag diag = {""};
  l2o_settings s = l2o_settings_default();
  l2o_real *x = malloc(p->n * sizeof *x);
  snprintf(name, sizeof name, "%.*s", (int)(colon ? (size_t)(colon - spec) : strlen(spec)), spec);
  if (x0)
    memcpy(x, x0, p->n * sizeof *x);
  else
    assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  assert_status(l2o_trace_new(&t.trace, steps + 1, p->n), L2O_OK, NULL);
  s.options = colon ? colon + 1 : NULL, s.iterations = steps, s.traces = &t.trace;
  assert_status(l2o_minimize(solver_named(name), NULL, p, x, &t.result, &s, &diag), L2O_OK, &diag);
  t.records = l2o_trace_records(t.trace, &t.count);
  t.x = l2o_trace_iterates(t.trace);
  free(x);
  return t;
}
static path follow(const char *spec, const l2o_problem *p, size_t steps) {
  return follow_from(spec, p, NULL, steps);
}
static const l2o_real *last_of(const path *t) {
  return t->x + (t->count - 1) * t->n;
}

static l2o_status refusal_of(const char *name, const char *options, const l2o_problem *p, l2o_diag *diag) {
  l2o_run *run;
  l2o_settings s = l2o_settings_default();
  s.options = options;
  l2o_status status = l2o_run_new(&run, solver_named(name), NULL, p, &s, diag);
  l2o_run_free(run);
  return status;
}

/* ---- problems ---- */

/* f(x) = 1/2N |A x - b|^2, a sum of N = ROWS terms, and h(x) = rho |x|_1. Made of sums in double. */
enum { ROWS = 30, COLUMNS = 12 };
typedef struct regression {
  double A[ROWS][COLUMNS], b[ROWS], rho, L;
} regression;

static l2o_status regression_partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows,
                                     size_t count, l2o_real *work) {
  const regression *r = p->data;
  double sum[COLUMNS] = {0};
  (void)work;
  *f = 0;
  for (size_t k = 0; k < count; k++) {
    double residual = -r->b[rows[k]];
    for (size_t j = 0; j < COLUMNS; j++)
      residual += r->A[rows[k]][j] * (double)x[j];
    *f += residual * residual / (2 * (double)count);
    for (size_t j = 0; j < COLUMNS; j++)
      sum[j] += residual * r->A[rows[k]][j] / (double)count;
  }
  for (size_t j = 0; g && j < COLUMNS; j++)
    g[j] = (l2o_real)sum[j];
  return L2O_OK;
}
static l2o_status regression_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  size_t rows[ROWS];
  for (size_t i = 0; i < ROWS; i++)
    rows[i] = i;
  return regression_partial(p, f, g, x, rows, ROWS, work);
}
static l2o_status regression_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  return regression_gradient(p, f, NULL, x, work);
}
static l2o_status regression_lipschitz(const l2o_problem *p, double *constant) {
  *constant = ((const regression *)p->data)->L;
  return L2O_OK;
}
static size_t regression_summands(const l2o_problem *p) {
  (void)p;
  return ROWS;
}
static l2o_status l1(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  const double rho = ((const regression *)p->data)->rho;
  *h = 0;
  for (size_t j = 0; j < p->n; j++) {
    *h += rho * fabs((double)x[j]);
    if (s)
      s[j] = (l2o_real)(x[j] > 0 ? rho : x[j] < 0 ? -rho : 0);
  }
  return L2O_OK;
}
static l2o_status shrink(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work) {
  (void)work;
  for (size_t j = 0; j < p->n; j++) {
    const double t = (double)tau[j] * ((const regression *)p->data)->rho, z = (double)x[j];
    out[j] = (l2o_real)(z > t ? z - t : z < -t ? z + t : 0);
  }
  return L2O_OK;
}
#define REGRESSION                                                                                                                 \
  .struct_size = sizeof(l2o_problem_ops), .value = regression_value, .gradient = regression_gradient,                              \
  .lipschitz = regression_lipschitz, .summands = regression_summands, .partial = regression_partial
static const l2o_problem_ops sum_ops = {REGRESSION, .name = "sum"};
static const l2o_problem_ops lasso_ops = {REGRESSION, .name = "l1-regression", .nonsmooth = l1, .prox = shrink};

/* rho = 0: smooth. The largest eigenvalue of A'A / N by the power method, from below by less than the share 1e-9. */
static l2o_problem regression_of(regression *r, double rho, uint64_t seed) {
  double v[COLUMNS] = {1}, norm = 1;
  normal_doubles(&r->A[0][0], (size_t)ROWS * COLUMNS, seed);
  normal_doubles(r->b, ROWS, seed + 1);
  for (size_t i = 0; i < ROWS; i++)
    r->b[i] *= 3;
  r->rho = rho;
  for (size_t k = 0; k < 2000; k++) {
    double w[COLUMNS] = {0};
    for (size_t i = 0; i < ROWS; i++) {
      double row = 0;
      for (size_t j = 0; j < COLUMNS; j++)
        row += r->A[i][j] * v[j];
      for (size_t j = 0; j < COLUMNS; j++)
        w[j] += row * r->A[i][j] / ROWS;
    }
    norm = 0;
    for (size_t j = 0; j < COLUMNS; j++)
      norm += w[j] * w[j];
    norm = sqrt(norm);
    for (size_t j = 0; j < COLUMNS; j++)
      v[j] = w[j] / norm;
  }
  r->L = norm * (1 + 1e-9);
  return (l2o_problem){.ops = rho > 0 ? &lasso_ops : &sum_ops, .data = r, .n = COLUMNS};
}

/* The largest violation of: grad_j = -rho sign(x_j) where x_j != 0, |grad_j| <= rho where x_j = 0. */
static double subgradient_violation(const l2o_problem *p, const l2o_real *x) {
  const double rho = ((const regression *)p->data)->rho;
  l2o_real g[COLUMNS];
  double worst = 0;
  gradient_at(p, g, x);
  for (size_t j = 0; j < p->n; j++) {
    double off = x[j] > 0 ? fabs((double)g[j] + rho) : x[j] < 0 ? fabs((double)g[j] - rho) : fmax(fabs((double)g[j]) - rho, 0);
    worst = fmax(worst, off);
  }
  return worst;
}

static double objective_of(const l2o_problem *p, const l2o_real *x) {
  double h = 0;
  assert_status(l2o_problem_nonsmooth(p, &h, NULL, x), L2O_OK, NULL);
  return value_at(p, x) + h;
}

/* ---- replays: one step in double from the points that the library reached ---- */

enum { N = 8, STEPS = 8 };
static const char QUADRATIC[] = "quadratic:n=8,condition=20";
#define SAME BY_PRECISION(1e-13, 2e-6)

typedef struct replay {
  const l2o_problem *p;
  double x[N], last[N], y[N], m[N], v[N], u[N], t, alpha, f;
  double s; /* base step */
} replay;

static double grad(const replay *r, double *g, const double *x) {
  l2o_real point[N], gradient[N];
  for (size_t i = 0; i < N; i++)
    point[i] = (l2o_real)x[i];
  double f = gradient_at(r->p, gradient, point);
  for (size_t i = 0; i < N; i++)
    g[i] = (double)gradient[i];
  return f;
}

static void momentum_step(replay *r, size_t k) {
  double g[N];
  (void)k;
  grad(r, g, r->x);
  for (size_t i = 0; i < N; i++) {
    double next = r->x[i] - r->s * g[i] + 0.8 * (r->x[i] - r->last[i]);
    r->last[i] = r->x[i];
    r->x[i] = next;
  }
}

static void sgd_step(replay *r, size_t k) {
  double g[N];
  (void)k;
  grad(r, g, r->x);
  for (size_t i = 0; i < N; i++) {
    r->m[i] = 0.8 * r->m[i] + g[i];
    r->x[i] -= r->s * r->m[i];
  }
}

static void adam_step(replay *r, size_t k) {
  double g[N];
  grad(r, g, r->x);
  for (size_t i = 0; i < N; i++) {
    r->m[i] = 0.7 * r->m[i] + 0.3 * g[i];
    r->v[i] = 0.9 * r->v[i] + 0.1 * g[i] * g[i];
    r->x[i] -= 0.05 * (r->m[i] / (1 - pow(0.7, (double)k + 1))) / (sqrt(r->v[i] / (1 - pow(0.9, (double)k + 1))) + 1e-3);
  }
}

static void adam_hd_step(replay *r, size_t k) {
  double g[N], product = 0;
  grad(r, g, r->x);
  if (k == 0)
    r->alpha = 0.05;
  for (size_t i = 0; i < N; i++)
    product += g[i] * r->u[i];
  if (k > 0)
    r->alpha = fmax(r->alpha - 2e-3 * product, 1e-8);
  for (size_t i = 0; i < N; i++) {
    r->m[i] = 0.7 * r->m[i] + 0.3 * g[i];
    r->v[i] = 0.9 * r->v[i] + 0.1 * g[i] * g[i];
    r->u[i] = -(r->m[i] / (1 - pow(0.7, (double)k + 1))) / (sqrt(r->v[i] / (1 - pow(0.9, (double)k + 1))) + 1e-3);
    r->x[i] += r->alpha * r->u[i];
  }
}

/* A learning rate so large that the step size meets its floor. */
static void adam_hd_floor_step(replay *r, size_t k) {
  double g[N], product = 0;
  grad(r, g, r->x);
  if (k == 0)
    r->alpha = 0.05;
  for (size_t i = 0; i < N; i++)
    product += g[i] * r->u[i];
  if (k > 0)
    r->alpha = fmax(r->alpha - 5 * product, 1e-8);
  for (size_t i = 0; i < N; i++) {
    r->u[i] = -g[i] / (fabs(g[i]) + 1e-3);
    r->x[i] += r->alpha * r->u[i];
  }
}

static void rmsprop_step(replay *r, size_t k) {
  double g[N];
  (void)k;
  grad(r, g, r->x);
  for (size_t i = 0; i < N; i++) {
    r->v[i] = 0.8 * r->v[i] + 0.2 * g[i] * g[i];
    r->x[i] -= 0.05 * g[i] / (sqrt(r->v[i]) + 1e-3);
  }
}

static void rmsprop_momentum_step(replay *r, size_t k) {
  double g[N];
  (void)k;
  grad(r, g, r->x);
  for (size_t i = 0; i < N; i++) {
    r->v[i] = 0.8 * r->v[i] + 0.2 * g[i] * g[i];
    r->u[i] = 0.5 * r->u[i] + g[i] / (sqrt(r->v[i]) + 1e-3);
    r->x[i] -= 0.05 * r->u[i];
  }
}

static void armijo_step(replay *r, size_t k) {
  double g[N], trial[N], unused[N], squares = 0, f = grad(r, g, r->x);
  r->alpha = k == 0 ? 10 : 2 * r->alpha;
  for (size_t i = 0; i < N; i++)
    squares += g[i] * g[i];
  for (;; r->alpha /= 2) {
    for (size_t i = 0; i < N; i++)
      trial[i] = r->x[i] - r->alpha * g[i];
    if (grad(r, unused, trial) <= f - 1e-4 * r->alpha * squares)
      break;
  }
  memcpy(r->x, trial, sizeof trial);
}

/* s's / s'y and s'y / y'y, without a line search: the test sees to it that none was needed. */
static void bb_step(replay *r, size_t k, bool brief) {
  double g[N], g_last[N], ss = 0, sy = 0, yy = 0;
  grad(r, g, r->x);
  if (k > 0) {
    grad(r, g_last, r->last);
    for (size_t i = 0; i < N; i++) {
      double s = r->x[i] - r->last[i], y = g[i] - g_last[i];
      ss += s * s, sy += s * y, yy += y * y;
    }
  }
  r->alpha = k == 0 ? r->s : brief ? sy / yy : ss / sy;
  for (size_t i = 0; i < N; i++) {
    r->last[i] = r->x[i];
    r->x[i] -= r->alpha * g[i];
  }
}
static void bb_long_step(replay *r, size_t k) {
  bb_step(r, k, false);
}
static void bb_short_step(replay *r, size_t k) {
  bb_step(r, k, true);
}
static void bb_alternate_step(replay *r, size_t k) {
  bb_step(r, k, k % 2 == 1);
}

/* restart: 'n', 'g' or 'f' */
static void nesterov_step(replay *r, size_t k, char restart) {
  double g[N], unused[N], next[N], product = 0;
  if (k == 0) {
    memcpy(r->y, r->x, sizeof r->y);
    r->t = 1;
    r->f = grad(r, g, r->x);
  }
  grad(r, g, r->y);
  for (size_t i = 0; i < N; i++) {
    next[i] = r->y[i] - r->s * g[i];
    product += g[i] * (next[i] - r->x[i]);
  }
  const double f = grad(r, unused, next), t = (1 + sqrt(1 + 4 * r->t * r->t)) / 2;
  const bool again = restart == 'g' ? product > 0 : restart == 'f' && f > r->f;
  for (size_t i = 0; i < N; i++) {
    r->y[i] = again ? next[i] : next[i] + (r->t - 1) / t * (next[i] - r->x[i]);
    r->x[i] = next[i];
  }
  r->t = again ? 1 : t;
  r->f = f;
  r->alpha += again;
}
static void plain_nesterov_step(replay *r, size_t k) {
  nesterov_step(r, k, 'n');
}
static void gradient_restart_step(replay *r, size_t k) {
  nesterov_step(r, k, 'g');
}
static void function_restart_step(replay *r, size_t k) {
  nesterov_step(r, k, 'f');
}

static void the_published_formulas_are_replayed(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    void (*step)(replay *r, size_t k);
    size_t steps, calls; /* charged, 0: any number */
    double restarts;     /* at least */
  } cases[] = {
      {"momentum:beta=0.8,step_scale=0.5", momentum_step, STEPS, STEPS, 0},
      {"sgd:beta=0.8,step_scale=0.5", sgd_step, STEPS, STEPS, 0},
      {"adam:step=0.05,beta1=0.7,beta2=0.9,epsilon=1e-3", adam_step, STEPS, STEPS, 0},
      {"adam-hd:step=0.05,kappa=2e-3,beta1=0.7,beta2=0.9,epsilon=1e-3", adam_hd_step, STEPS, STEPS, 0},
      {"adam-hd:step=0.05,kappa=5,beta1=0,beta2=0,epsilon=1e-3", adam_hd_floor_step, 3, 3, 0},
      {"rmsprop:step=0.05,decay=0.8,epsilon=1e-3", rmsprop_step, STEPS, STEPS, 0},
      {"rmsprop:step=0.05,decay=0.8,epsilon=1e-3,momentum=0.5", rmsprop_momentum_step, STEPS, STEPS, 0},
      {"gd:step_rule=armijo,step=10", armijo_step, STEPS, 0, 0},
      {"gd:step_rule=barzilai-borwein,step_scale=0.5,bb=long", bb_long_step, STEPS, STEPS + 1, 0},
      {"gd:step_rule=barzilai-borwein,step_scale=0.5,bb=short", bb_short_step, STEPS, STEPS + 1, 0},
      {"gd:step_rule=barzilai-borwein,step_scale=0.5", bb_alternate_step, STEPS, STEPS + 1, 0},
      {"projected-gradient:step_scale=0.5", bb_long_step, STEPS, STEPS + 1, 0},
      {"nesterov:step_scale=0.5", plain_nesterov_step, 70, 70, 0},
      {"nesterov:step_scale=0.5,restart=gradient", gradient_restart_step, 70, 70, 2},
      {"nesterov:step_scale=0.5,restart=function", function_restart_step, 70, 140, 2},
      {"fista:step_scale=0.5,restart=gradient", gradient_restart_step, 70, 70, 2},
      {"fista:step_scale=0.5,restart=function", function_restart_step, 70, 140, 2},
  };
  l2o_problem p = sampled(QUADRATIC, 3, 0); /* L = 1 */
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    l2o_real start[N];
    normal_reals(start, N, 5);
    replay r = {.p = &p, .s = 0.5};
    for (size_t i = 0; i < N; i++)
      r.x[i] = r.last[i] = (double)start[i];
    path t = follow_from(cases[c].spec, &p, start, cases[c].steps);
    assert_int_equal(t.count, cases[c].steps + 1);
    for (size_t k = 0; k < cases[c].steps; k++) {
      cases[c].step(&r, k);
      for (size_t i = 0; i < N; i++)
        if (!(fabs((double)t.x[(k + 1) * N + i] - r.x[i]) <= SAME * (10 + (double)k)))
          fail_msg("%s, step %zu, coordinate %zu: %.17g, replayed %.17g", cases[c].spec, k, i, (double)t.x[(k + 1) * N + i],
                   r.x[i]);
    }
    if (cases[c].calls && t.result.last.charged != cases[c].calls)
      fail_msg("%s charges %zu calls", cases[c].spec, t.result.last.charged);
    if (cases[c].restarts > 0)
      assert_true(r.alpha >= cases[c].restarts);
    if (cases[c].step == adam_hd_floor_step)
      assert_true(r.alpha == 1e-8);
    l2o_trace_free(t.trace);
  }
  l2o_problem_free(&p);
}

/* On a composite problem: ista, and fista as Beck and Teboulle number it. */
static void the_proximal_formulas_are_replayed(void **state) {
  (void)state;
  regression data;
  l2o_problem p = regression_of(&data, 0.3, 21);
  const double s = 0.9999 / data.L;
  double x[COLUMNS] = {0}, y[COLUMNS] = {0}, t = 1, plain[COLUMNS] = {0};
  path ista = follow("ista", &p, 10), fista = follow("fista", &p, 10);
  for (size_t k = 1; k <= 10; k++) {
    l2o_real point[COLUMNS], g[COLUMNS];
    const double t_next = (1 + sqrt(1 + 4 * t * t)) / 2;
    for (int accelerated = 0; accelerated < 2; accelerated++) {
      double *from = accelerated ? y : plain;
      for (size_t j = 0; j < COLUMNS; j++)
        point[j] = (l2o_real)from[j];
      gradient_at(&p, g, point);
      for (size_t j = 0; j < COLUMNS; j++) {
        const double z = from[j] - s * (double)g[j], shrunk = fmax(fabs(z) - s * 0.3, 0) * (z > 0 ? 1 : -1);
        if (accelerated) {
          y[j] = shrunk + (t - 1) / t_next * (shrunk - x[j]);
          x[j] = shrunk;
        } else {
          plain[j] = shrunk;
        }
        assert_close((accelerated ? fista : ista).x[k * COLUMNS + j], shrunk, SAME, 10 * SAME);
      }
    }
    t = t_next;
  }
  assert_int_equal(ista.result.last.charged, 10);
  assert_int_equal(fista.result.last.charged, 10);
  l2o_trace_free(ista.trace);
  l2o_trace_free(fista.trace);
}

/* ista with backtracking: from a step far too long, halved until f lies below its model. */
static void the_backtracking_is_replayed(void **state) {
  (void)state;
  regression data;
  l2o_problem p = regression_of(&data, 0.3, 22);
  double x[COLUMNS] = {0}, s = 50 / data.L;
  size_t halvings = 0, calls = 1;
  char spec[80];
  snprintf(spec, sizeof spec, "ista:backtracking=true,step=%.17g", s);
  path t = follow(spec, &p, 6);
  for (size_t k = 0; k < 6; k++) {
    l2o_real point[COLUMNS], g[COLUMNS], z[COLUMNS];
    for (size_t j = 0; j < COLUMNS; j++)
      point[j] = (l2o_real)x[j];
    const double f = gradient_at(&p, g, point);
    for (;; s /= 2, halvings++) {
      double model = f;
      for (size_t j = 0; j < COLUMNS; j++) {
        const double to = x[j] - s * (double)g[j], shrunk = fmax(fabs(to) - s * 0.3, 0) * (to > 0 ? 1 : -1), d = shrunk - x[j];
        model += (double)g[j] * d + d * d / (2 * s);
        z[j] = (l2o_real)shrunk;
      }
      calls++;
      if (value_at(&p, z) <= model)
        break;
    }
    for (size_t j = 0; j < COLUMNS; j++) {
      x[j] = (double)z[j];
      assert_close(t.x[(k + 1) * COLUMNS + j], x[j], SAME, 100 * SAME);
    }
  }
  assert_true(halvings >= 3);
  assert_int_equal(t.result.last.charged, calls); /* the gradient at an accepted trial is the next step's */
  l2o_trace_free(t.trace);
}

/* Where one rule contains another, the bits are the same. */
static void rules_that_contain_each_other_agree(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"ista", "gd"},
      {"ista", "projected-gradient:step_rule=fixed"},
      {"fista", "nesterov"},
      {"fista:restart=function", "nesterov:restart=function"},
      {"projected-gradient", "gd:step_rule=barzilai-borwein,bb=long"},
      {"projected-gradient:bb=alternate", "gd:step_rule=barzilai-borwein"},
      {"projected-gradient:step_rule=armijo", "gd:step_rule=armijo"},
      {"ista:backtracking=true", "ista"}, /* s <= 1/L is accepted at once */
      {"fista:backtracking=true", "fista"},
  };
  l2o_problem p = sampled(QUADRATIC, 4, 0);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    path a = follow(pairs[i][0], &p, 30), b = follow(pairs[i][1], &p, 30);
    assert_int_equal(a.count, 31);
    assert_int_equal(b.count, 31);
    assert_same_reals(a.x, b.x, 31 * N);
    l2o_trace_free(a.trace);
    l2o_trace_free(b.trace);
  }
  l2o_problem_free(&p);
}

/* ---- rates ---- */

/* f - f* along a trace */
static double gap(const path *t, size_t k, double fstar) {
  return t->records[k].objective - fstar;
}
static double minimum_of(const l2o_problem *p, l2o_real *xstar) {
  double fstar;
  assert_status(l2o_problem_minimum(p, &fstar, xstar), L2O_OK, NULL);
  return fstar;
}
static double squared_distance(const l2o_real *a, const l2o_real *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
  return sum;
}

/* The slowest mode is left after a while: it shrinks by 1 - s mu with gd, and by the spectral radius (sqrt(kappa) - 1) /
 * (sqrt(kappa) + 1) with the heavy ball's best parameters. */
static void linear_rates_match_theory(void **state) {
  (void)state;
  const double kappa = 20, root = sqrt(kappa), rho = (root - 1) / (root + 1), slow = 1 - 0.9999 / kappa;
  l2o_problem p = sampled(QUADRATIC, 6, 0);
  const double fstar = minimum_of(&p, NULL);
  path gd = follow("gd", &p, 90);
  const size_t from = BY_PRECISION(60, 30), to = BY_PRECISION(90, 50);
  double rate = pow(gap(&gd, to, fstar) / gap(&gd, from, fstar), 0.5 / (double)(to - from));
  assert_close(rate, slow, BY_PRECISION(1e-3, 5e-3), 0);
  char text[128];
  snprintf(text, sizeof text, "momentum:beta=%.17g,step=%.17g", rho * rho, 4 / pow(1 + 1 / root, 2));
  path ball = follow(text, &p, 60);
  for (size_t k = 10; k <= BY_PRECISION(40, 12); k++) /* |x_k - x*| <= C k rho^k */
    if (!(gap(&ball, k, fstar) <= 10 * pow((double)k * pow(rho, (double)k), 2) * gap(&ball, 0, fstar)))
      fail_msg("heavy ball, step %zu: %g", k, gap(&ball, k, fstar) / gap(&ball, 0, fstar));
  assert_true(gap(&ball, BY_PRECISION(60, 20), fstar) < 0.1 * gap(&gd, BY_PRECISION(60, 20), fstar));
  l2o_trace_free(gd.trace);
  l2o_trace_free(ball.trace);
  l2o_problem_free(&p);
}

/* F(x_k) - F* <= 2 |x_0 - x*|^2 / (s (k + 1)^2), and |x_0 - x*|^2 / (2 s k) for ista: Beck and Teboulle, theorems 4.4 and 3.1. */
static void the_bounds_of_beck_and_teboulle_hold(void **state) {
  (void)state;
  for (uint64_t seed = 31; seed < 35; seed++)
    for (int composite = 0; composite < 2; composite++) {
      regression data;
      l2o_real start[COLUMNS];
      l2o_problem p = regression_of(&data, composite ? 0.2 : 0, seed);
      normal_reals(start, COLUMNS, seed + 5);
      for (size_t j = 0; j < COLUMNS; j++)
        start[j] *= 10;
      path best = follow_from("fista:restart=gradient", &p, start, 3000);
      assert_true(subgradient_violation(&p, last_of(&best)) <= BY_PRECISION(1e-12, 1e-5));
      const double optimum = objective_of(&p, last_of(&best)), noise = BY_PRECISION(1e-12, 1e-4);
      const double distance = squared_distance(start, last_of(&best), COLUMNS), s = 0.9999 / data.L;
      path fista = follow_from("fista", &p, start, 300), ista = follow_from("ista", &p, start, 300),
           back = follow_from("fista:backtracking=true,step=100", &p, start, 300);
      for (size_t k = 1; k <= 300; k++) {
        const double bound = 2 * distance / (s * (double)((k + 1) * (k + 1)));
        assert_true(gap(&fista, k, optimum) <= bound + noise);
        assert_true(gap(&back, k, optimum) <= 2 * bound + noise); /* s >= 1 / 2L */
        assert_true(gap(&ista, k, optimum) <= distance / (2 * s * (double)k) + noise);
        assert_true(ista.records[k].objective <= ista.records[k - 1].objective * (1 + BY_PRECISION(1e-14, 1e-6)));
      }
      l2o_trace_free(best.trace);
      l2o_trace_free(fista.trace);
      l2o_trace_free(ista.trace);
      l2o_trace_free(back.trace);
    }
}

static size_t steps_to(const char *spec, const l2o_problem *p, double tolerance, size_t most) {
  l2o_settings s = l2o_settings_default();
  l2o_result result;
  l2o_diag diag = {""};
  char name[64];
  const char *colon = strchr(spec, ':');
  l2o_real *x = calloc(p->n, sizeof *x);
  snprintf(name, sizeof name, "%.*s", (int)(colon ? (size_t)(colon - spec) : strlen(spec)), spec);
  s.options = colon ? colon + 1 : NULL, s.iterations = most, s.gradient_tolerance = tolerance;
  assert_status(l2o_minimize(solver_named(name), NULL, p, x, &result, &s, &diag), L2O_OK, &diag);
  if (result.stop != L2O_STOP_GRADIENT)
    print_error("%s: %s after %zu steps, gradient %g\n", spec, l2o_stop_name(result.stop), result.last.iteration,
                result.last.gradient_norm);
  assert_int_equal(result.stop, L2O_STOP_GRADIENT);
  free(x);
  return result.last.charged;
}

static void steps_that_find_themselves_pay(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=50,condition=1e4", 7, 0);
  const double tolerance = BY_PRECISION(1e-6, 1e-3);
  const size_t gd = steps_to("gd", &p, tolerance, 1000000);
  static const char *const specs[] = {"gd:step_rule=barzilai-borwein", "gd:step_rule=barzilai-borwein,bb=short",
                                      "gd:step_rule=barzilai-borwein,bb=long", "projected-gradient"};
  for (size_t i = 0; i < 4; i++) {
    const size_t calls = steps_to(specs[i], &p, tolerance, 100000);
    if (!(calls * BY_PRECISION(20, 5) < gd))
      fail_msg("%s: %zu calls, gd %zu", specs[i], calls, gd);
  }
  const size_t none = steps_to("nesterov", &p, tolerance, 100000),
               restarted = steps_to("nesterov:restart=gradient", &p, tolerance, 100000),
               by_value = steps_to("nesterov:restart=function", &p, tolerance, 100000);
  if (!(BY_PRECISION(2, 1) * restarted <= none && by_value < BY_PRECISION(1, 3) * none && none < gd))
    fail_msg("nesterov %zu, restarted %zu and %zu", none, restarted, by_value);
  l2o_problem_free(&p);
}

/* ---- optimality ---- */

static void lasso_solutions_satisfy_the_subgradient_condition(void **state) {
  (void)state;
  static const char *const specs[] = {"ista",
                                      "ista:backtracking=true",
                                      "ista:backtracking=true,step=1e6",
                                      "fista",
                                      "fista:restart=gradient",
                                      "fista:restart=function",
                                      "fista:restart=gradient,backtracking=true",
                                      "fista:restart=function,backtracking=true,step=1e6"};
  l2o_problem_ops unknown = lasso_ops;
  unknown.lipschitz = NULL;
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
    for (int known = 0; known < 2; known++) {
      regression data;
      l2o_problem p = regression_of(&data, 0.25, 41 + i);
      if (!known && !strstr(specs[i], "backtracking"))
        continue;
      if (!known)
        p.ops = &unknown;
      l2o_real start[COLUMNS];
      normal_reals(start, COLUMNS, 3);
      path t = follow_from(specs[i], &p, start, 4000);
      size_t zeros = 0;
      for (size_t j = 0; j < COLUMNS; j++)
        zeros += last_of(&t)[j] == 0;
      assert_true(zeros > 0 && zeros < COLUMNS);
      /* backtracking stops short where differences of values drown in rounding */
      const double allowed = strstr(specs[i], "backtracking") ? BY_PRECISION(1e-7, 1e-3) : BY_PRECISION(1e-12, 1e-5);
      if (!(subgradient_violation(&p, last_of(&t)) <= allowed))
        fail_msg("%s: off by %g", specs[i], subgradient_violation(&p, last_of(&t)));
      assert_true(t.result.stop == L2O_STOP_ITERATIONS || t.result.stop == L2O_STOP_STALLED);
      assert_true(t.result.last.objective == objective_of(&p, last_of(&t)));
      if (strstr(specs[i], "ista:") == specs[i]) /* falls but for rounding */
        for (size_t k = 1; k < t.count; k++)
          assert_true(t.records[k].objective <= t.records[k - 1].objective * (1 + BY_PRECISION(1e-14, 1e-5)));
      l2o_trace_free(t.trace);
    }
}

static const char *const BOUNDED[] = {"projected-gradient",
                                      "projected-gradient:step_rule=armijo",
                                      "projected-gradient:step_rule=fixed",
                                      "projected-gradient:step=1e-6",
                                      "ista",
                                      "ista:backtracking=true",
                                      "fista",
                                      "fista:restart=gradient",
                                      "fista:backtracking=true"};

static void bounds_are_kept_and_the_signs_are_right(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof BOUNDED / sizeof *BOUNDED; i++) {
    l2o_problem inner = sampled("quadratic:n=8,condition=50", 9, i), p;
    l2o_real lower[N], upper[N], start[N], g[N];
    for (size_t j = 0; j < N; j++) { /* x* is N(0, 1): some bounds bind on either side, one coordinate is fixed */
      lower[j] = (l2o_real)(j % 2 ? -0.3 : -HUGE_VAL);
      upper[j] = (l2o_real)(j % 3 ? 0.4 : HUGE_VAL);
      start[j] = (l2o_real)(j % 2 ? 5 : -5);
    }
    lower[7] = upper[7] = (l2o_real)0.1;
    assert_status(l2o_problem_bounded(&p, &inner, lower, upper, NULL), L2O_OK, NULL);
    path t = follow_from(BOUNDED[i], &p, start, 3000);
    for (size_t k = 0; k < t.count; k++) /* from the first record on */
      for (size_t j = 0; j < N; j++)
        assert_true(t.x[k * N + j] >= lower[j] && t.x[k * N + j] <= upper[j]);
    const l2o_real *x = last_of(&t);
    gradient_at(&inner, g, x);
    size_t active = 0;
    const double zero =
        strstr(BOUNDED[i], "=armijo") || strstr(BOUNDED[i], "backtracking") ? BY_PRECISION(1e-6, 3e-3) : BY_PRECISION(1e-8, 1e-3);
    for (size_t j = 0; j < N; j++) {
      const bool low = x[j] == lower[j], high = x[j] == upper[j];
      active += low || high;
      if (!((low || (double)g[j] <= zero) && (high || (double)g[j] >= -zero)))
        fail_msg("%s: coordinate %zu is %g in [%g, %g], gradient %g", BOUNDED[i], j, (double)x[j], (double)lower[j],
                 (double)upper[j], (double)g[j]);
    }
    assert_true(active >= 2 && active < N);
    if (strstr(BOUNDED[i], "projected-gradient:step_rule=armijo"))
      for (size_t k = 1; k < t.count; k++)
        assert_true(t.records[k].objective <= t.records[k - 1].objective);
    l2o_trace_free(t.trace);
    l2o_problem_free(&p);
    l2o_problem_free(&inner);
  }
}

/* Outside, within and on bounds of every kind: what is clipped does not move. */
static void the_derivative_of_clipping(void **state) {
  (void)state;
  l2o_problem inner = sampled("quadratic:n=8,condition=50", 9, 0), p;
  const l2o_real infinity = (l2o_real)HUGE_VAL;
  const l2o_real lower[N] = {-infinity, -1, -1, -infinity, -1, 2, -1, -1}, upper[N] = {infinity, 1, infinity, 1, 1, 2, 1, 1};
  const l2o_real x[N] = {9, (l2o_real)0.5, -9, (l2o_real)0.5, 9, 2, 1, -1}, moves[N] = {1, 1, 0, 1, 0, 0, 1, 1};
  l2o_real dx[N], dout[N];
  assert_status(l2o_problem_bounded(&p, &inner, lower, upper, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < N; i++)
    dx[i] = 100, dout[i] = (l2o_real)(i + 1);
  assert_status(l2o_problem_project_vjp(&p, dx, x, dout, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < N; i++)
    assert_true(dx[i] == 100 + moves[i] * dout[i]);
  const l2o_real *const ends[][2] = {{lower, NULL}, {NULL, upper}, {NULL, NULL}};
  for (size_t k = 0; k < 3; k++) { /* differences, away from the kinks */
    l2o_check check;
    l2o_diag diag = {""};
    l2o_problem_free(&p);
    assert_status(l2o_problem_bounded(&p, &inner, ends[k][0], ends[k][1], NULL), L2O_OK, NULL);
    assert_status(l2o_problem_check(&p, &check, (l2o_real[N]){9, (l2o_real)0.5, -9, (l2o_real)0.5, 9, 3, -9, 0},
                                    BY_PRECISION(1e-6, 5e-2), 1, &diag),
                  L2O_OK, &diag);
    assert_true(check.project_vjp_error <= BY_PRECISION(1e-8, 1e-2));
  }
  l2o_problem_free(&p);
  l2o_problem_free(&inner);
}

/* SPG2 once more, in doubles: with a first step so long that the line search has to cut it. */
static void the_spectral_method_is_replayed(void **state) {
  (void)state;
  enum { K = 25 };
  l2o_problem inner = sampled("quadratic:n=8,condition=50", 13, 0), p;
  l2o_real lower[N], upper[N];
  for (size_t j = 0; j < N; j++)
    lower[j] = (l2o_real)-50, upper[j] = (l2o_real)0.75;
  assert_status(l2o_problem_bounded(&p, &inner, lower, upper, NULL), L2O_OK, NULL);
  replay r = {.p = &p};
  double values[K + 1], lambda = 1000;
  size_t calls = 1, cuts = 0;
  path t = follow("projected-gradient:step=1000", &p, K);
  for (size_t k = 0; k + 1 < t.count; k++) {
    double g[N], next_g[N], d[N], next[N], slope = 0, alpha = 1, level, f, ss = 0, sy = 0;
    values[k] = level = grad(&r, g, r.x);
    for (size_t j = k > 9 ? k - 9 : 0; j < k; j++)
      level = fmax(level, values[j]);
    for (size_t j = 0; j < N; j++) {
      d[j] = fmin(fmax(r.x[j] - lambda * g[j], -50), 0.75) - r.x[j];
      slope += d[j] * g[j];
    }
    for (;;) {
      for (size_t j = 0; j < N; j++)
        next[j] = r.x[j] + alpha * d[j];
      f = grad(&r, next_g, next);
      calls++;
      if (f <= level + 1e-4 * alpha * slope)
        break;
      const double parabola = -alpha * alpha * slope / (2 * (f - values[k] - alpha * slope));
      alpha = fmin(fmax(parabola, 0.1 * alpha), 0.5 * alpha);
      cuts++;
    }
    for (size_t j = 0; j < N; j++) {
      ss += (next[j] - r.x[j]) * (next[j] - r.x[j]);
      sy += (next[j] - r.x[j]) * (next_g[j] - g[j]);
      r.x[j] = next[j];
      /* small differences grow from step to step */
      assert_close(t.x[(k + 1) * N + j], next[j], 0, BY_PRECISION(1e-9, 2e-3));
    }
    lambda = ss / sy;
    if (ss < BY_PRECISION(1e-14, 1e-5))
      break;
  }
  assert_true(cuts > 0);
  assert_true(calls > 8);
  l2o_trace_free(t.trace);
  l2o_problem_free(&p);
  l2o_problem_free(&inner);
}

/* ---- what a rule can do without, and what it refuses ---- */

static void a_step_is_found_without_a_lipschitz_constant(void **state) {
  (void)state;
  static const char *const specs[] = {
      "gd:step_rule=armijo",    "gd:step_rule=barzilai-borwein",       "gd:step_rule=barzilai-borwein,bb=long",
      "projected-gradient",     "projected-gradient:step_rule=armijo", "ista:backtracking=true",
      "fista:backtracking=true"};
  static const l2o_real start[2] = {(l2o_real)-1.2, 1};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    path t = follow_from(specs[i], &rosenbrock_problem, start, 20000);
    const double f = value_at(&rosenbrock_problem, last_of(&t));
    if (!(f <= BY_PRECISION(1e-5, 1e-3)))
      fail_msg("%s on Rosenbrock's valley: %g after %zu steps (%s)", specs[i], f, t.result.last.iteration,
               l2o_stop_name(t.result.stop));
    if (i > 0 && i < 4)
      assert_true(f <= BY_PRECISION(1e-12, 1e-6) && t.count < 1000);
    l2o_trace_free(t.trace);
  }
  l2o_diag diag = {""};
  assert_status(refusal_of("gd", "", &rosenbrock_problem, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "gd needs a step size; problem 'rosenbrock' has no Lipschitz constant");
  assert_status(refusal_of("projected-gradient", "step_rule=fixed", &rosenbrock_problem, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "projected-gradient needs a step size");
  assert_status(refusal_of("ista", "", &rosenbrock_problem, &diag), L2O_ERR_NOTSUP, NULL);
  assert_status(refusal_of("fista", "restart=gradient", &rosenbrock_problem, &diag), L2O_ERR_NOTSUP, NULL);
}

static void options_that_do_not_fit_are_refused(void **state) {
  (void)state;
  regression data;
  l2o_diag diag = {""};
  l2o_problem sum = regression_of(&data, 0, 1);
  assert_status(refusal_of("gd", "step_rule=armijo,batch=4", &sum, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "gd: batch=4 needs step_rule=fixed");
  assert_status(refusal_of("gd", "step_rule=barzilai-borwein,batch=4", &sum, &diag), L2O_ERR_ARG, NULL);
  assert_status(refusal_of("gd", "batch=4", &sum, &diag), L2O_OK, &diag);
  assert_status(refusal_of("nesterov", "restart=function,batch=4", &sum, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "nesterov: batch=4 does not go with restart=function");
  assert_status(refusal_of("nesterov", "restart=gradient,batch=4", &sum, &diag), L2O_OK, &diag);
  l2o_problem lasso = regression_of(&data, 0.1, 1);
  assert_status(refusal_of("gd", "step_rule=armijo", &lasso, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "that of problem 'l1-regression' is not; try fista");
  assert_status(refusal_of("projected-gradient", "", &lasso, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "projected-gradient needs a smooth objective");
  assert_status(refusal_of("gd", "step_rule=wolfe", &sum, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "step_rule = wolfe: expected one of fixed|armijo|barzilai-borwein");
}

/* ---- minibatches ---- */

static const char *const STOCHASTIC[] = {"gd", "momentum", "nesterov", "adam", "adam-hd", "rmsprop", "sgd"};
enum { STOCHASTIC_COUNT = sizeof STOCHASTIC / sizeof *STOCHASTIC };

static void minibatches_are_reproducible(void **state) {
  (void)state;
  enum { MANY = 4 };
  static const char *const options[] = {"step_scale=0.1,batch=5", "step_scale=0.02,batch=5", "step_scale=0.001,batch=5",
                                        "step=0.02,batch=5",      "step=0.02,batch=5",       "step=0.02,batch=5",
                                        "step_scale=0.1,batch=5"};
  for (size_t i = 0; i < STOCHASTIC_COUNT; i++) {
    regression data;
    l2o_problem problems[MANY];
    l2o_real x[4][MANY * COLUMNS];
    l2o_result results[MANY];
    problems[0] = regression_of(&data, 0, 51);
    for (size_t j = 1; j < MANY; j++)
      problems[j] = problems[0];
    for (size_t run = 0; run < 4; run++) { /* 1 thread, 2 threads, another seed, the whole sum */
      l2o_settings s = l2o_settings_default();
      char whole[64];
      snprintf(whole, sizeof whole, "%.*s", (int)(strchr(options[i], ',') - options[i]), options[i]);
      s.options = run < 3 ? options[i] : whole;
      s.iterations = 400, s.threads = run == 1 ? 2 : 1, s.seed = run == 2;
      memset(x[run], 0, sizeof x[run]);
      assert_status(l2o_solve_many(solver_named(STOCHASTIC[i]), NULL, problems, MANY, x[run], results, &s, NULL), L2O_OK, NULL);
      for (size_t j = 0; j < MANY; j++) {
        const double f0 = value_at(&problems[0], (l2o_real[COLUMNS]){0}), f = value_at(&problems[0], x[run] + j * COLUMNS);
        assert_true(results[j].last.charged == 400 && results[j].last.objective == f);
        if (!(f < f0))
          fail_msg("%s:%s does not get below %g: %g", STOCHASTIC[i], s.options, f0, f);
      }
    }
    assert_same_reals(x[0], x[1], MANY * COLUMNS);
    for (size_t run = 2; run < 4; run++)
      assert_true(memcmp(x[0], x[run], sizeof x[0]) != 0);
    assert_true(memcmp(x[0], x[0] + COLUMNS, COLUMNS * sizeof x[0][0]) != 0); /* each instance draws its own */
  }
}

/* ---- functions that break, or have no minimum ---- */

/* sum x_i - log x_i: not a number left of 0, minimum n at 1. */
static l2o_status barrier(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    *f += (double)x[i] - log((double)x[i]);
    g[i] = 1 - 1 / x[i];
  }
  return L2O_OK;
}
static const l2o_problem_ops barrier_ops = {.struct_size = sizeof barrier_ops, .name = "barrier", .gradient = barrier};
static const l2o_problem barrier_problem = {.ops = &barrier_ops, .n = 3};

/* -sum x_i, and -infinity where an x_i exceeds 10 */
static l2o_status chasm(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  l2o_status status = falling_linear(p, f, g, x, work);
  for (size_t i = 0; i < p->n; i++)
    *f = x[i] > 10 ? -(double)INFINITY : *f;
  return status;
}
static const l2o_problem_ops chasm_ops = {.struct_size = sizeof chasm_ops, .name = "chasm", .gradient = chasm};
static const l2o_problem_ops linear_ops = {.struct_size = sizeof linear_ops, .name = "linear", .gradient = falling_linear};
static const l2o_problem_ops concave_ops = {.struct_size = sizeof concave_ops, .name = "concave", .gradient = falling_concave};

static const char *const SEARCHING[] = {
    "gd:step_rule=armijo",     "gd:step_rule=barzilai-borwein",           "gd:step_rule=barzilai-borwein,bb=short",
    "projected-gradient",      "projected-gradient:step_rule=armijo",     "ista:backtracking=true",
    "fista:backtracking=true", "fista:backtracking=true,restart=function"};
enum { SEARCHING_COUNT = sizeof SEARCHING / sizeof *SEARCHING };

static char *with(const char *spec, const char *more) {
  static char text[160];
  snprintf(text, sizeof text, "%s%s%s", spec, strchr(spec, ':') ? "," : ":", more);
  return text;
}

static void a_trial_that_is_not_finite_was_too_far(void **state) {
  (void)state;
  static const l2o_real start[3] = {(l2o_real)0.1, (l2o_real)0.5, (l2o_real)3};
  static const char *const first[] = {"step=1e3", "step=1e12", "step=0.01"};
  for (size_t i = 0; i < SEARCHING_COUNT; i++)
    for (size_t j = 0; j < 3; j++) {
      if (strncmp(SEARCHING[i], "fista", 5) == 0 && j < 2) /* y may leave the domain: x has no say in that */
        continue;
      path t = follow_from(with(SEARCHING[i], first[j]), &barrier_problem, start, 5000);
      for (size_t k = 0; k < t.count; k++)
        assert_true(isfinite(t.records[k].objective));
      if (!(t.result.last.objective - 3 <= BY_PRECISION(1e-9, 1e-4)))
        fail_msg("%s, %s: %g above the minimum (%s)", SEARCHING[i], first[j], t.result.last.objective - 3,
                 l2o_stop_name(t.result.stop));
      l2o_trace_free(t.trace);
    }
}

static void a_function_without_a_minimum_ends_the_run(void **state) {
  (void)state;
  const l2o_problem problems[] = {{.ops = &linear_ops, .n = 2}, {.ops = &concave_ops, .n = 2}, {.ops = &chasm_ops, .n = 2}};
  static const l2o_real start[2] = {1, (l2o_real)-0.5};
  for (size_t i = 0; i < SEARCHING_COUNT; i++)
    for (size_t j = 0; j < 3; j++) {
      path t = follow_from(SEARCHING[i], &problems[j], start, 3000);
      const double f = t.result.last.objective;
      const size_t last = t.result.last.iteration;
      /* where fista looks at y and finds no end, it goes back to the point before x */
      const bool behind = strncmp(SEARCHING[i], "fista", 5) == 0 && j == 2;
      assert_true(last == t.count - 1 || (behind && last == t.count - 2));
      assert_true(isfinite(f) && value_at(&problems[j], t.x + last * t.n) == f);
      for (size_t k = 0; k < t.count; k++)
        assert_true(t.records[k].iteration == k && (f <= t.records[k].objective || k > last));
      assert_true(t.result.last.value_calls <= 100 * t.count);
      /* float: the second gradient overflows before f does, which is a wall and no fall */
      if (t.result.stop != L2O_STOP_DIVERGED && !(BY_PRECISION(false, j == 1) && t.result.stop == L2O_STOP_STALLED))
        fail_msg("%s on %s: %s", SEARCHING[i], l2o_problem_name(&problems[j]), l2o_stop_name(t.result.stop));
      const bool doubles = strncmp(SEARCHING[i], "gd", 2) == 0 || strncmp(SEARCHING[i], "projected", 9) == 0;
      const double deep = j == 2 ? -15 : doubles ? -BY_PRECISION(1e100, 1e30) : -1e17;
      if (!(f < deep))
        fail_msg("%s on %s: %s at %g", SEARCHING[i], l2o_problem_name(&problems[j]), l2o_stop_name(t.result.stop), f);
      l2o_trace_free(t.trace);
    }
}

/* A first step that shows no curvature grows until it does, or until the set ends. */
static void a_first_step_grows_while_there_is_no_curvature(void **state) {
  (void)state;
  static const char *const rules[] = {"ista:backtracking=true", "fista:backtracking=true"};
  const l2o_problem inner = {.ops = &linear_ops, .n = 2};
  const l2o_real upper[2] = {5, 1000}, start[2] = {1, 2};
  l2o_problem p, q;
  assert_status(l2o_problem_bounded(&p, &inner, NULL, upper, NULL), L2O_OK, NULL);
  const l2o_real A[4] = {1, 0, 0, (l2o_real)0.5}, b[2] = {0, 0}, far[2] = {BY_PRECISION((l2o_real)1e9, (l2o_real)1e5), 0};
  assert_status(l2o_quadratic_new(&q, A, b, NULL, 0, 2, NULL), L2O_OK, NULL);
  l2o_problem_ops ops = *q.ops;
  ops.lipschitz = NULL;
  const l2o_problem box = {.ops = &ops, .data = q.data, .n = 2};
  for (size_t i = 0; i < 2; i++) {
    path t = follow_from(rules[i], &p, start, 100);
    assert_same_reals(last_of(&t), upper, 2);
    assert_int_equal(t.result.stop, L2O_STOP_STALLED);
    assert_true(t.result.last.value_calls < 12);
    l2o_trace_free(t.trace);
    t = follow_from(rules[i], &box, far, 100); /* a step of length 1 says nothing of the curvature out there */
    assert_true(fabs((double)last_of(&t)[0]) < BY_PRECISION(1e-3, 1e-1) * (double)far[0]);
    l2o_trace_free(t.trace);
  }
  l2o_problem_free(&p);
  l2o_problem_free(&q);
}

/* Whichever call is the first to be spoiled, and however, the run ends with the best point before it. */
static void a_callback_that_breaks_during_a_search(void **state) {
  (void)state;
  l2o_problem inner = sampled(QUADRATIC, 15, 0);
  for (size_t i = 0; i < SEARCHING_COUNT; i++)
    for (l2o_spoil kind = SPOIL_FAIL; kind <= SPOIL_GRADIENT; kind++)
      for (size_t from = 1; from < 14; from++) {
        watcher w;
        watch(&w, &inner);
        w.from = from, w.spoil = kind;
        l2o_real x[N] = {1, 2, 3}, start[N] = {1, 2, 3};
        const char *colon = strchr(SEARCHING[i], ':');
        char name[32];
        l2o_settings s = l2o_settings_default();
        l2o_result result;
        l2o_diag diag = {""};
        snprintf(name, sizeof name, "%.*s", (int)(colon ? (size_t)(colon - SEARCHING[i]) : strlen(SEARCHING[i])), SEARCHING[i]);
        s.options = colon ? colon + 1 : NULL, s.iterations = 20;
        l2o_status status = l2o_minimize(solver_named(name), NULL, &w.problem, x, &result, &s, &diag);
        assert_status(status, kind == SPOIL_FAIL ? L2O_ERR_CALLBACK : L2O_OK, &diag);
        if (kind != SPOIL_FAIL)
          assert_true(result.stop == L2O_STOP_DIVERGED || result.stop == L2O_STOP_STALLED || kind == SPOIL_GRADIENT);
        if (kind != SPOIL_FAIL && from > 1 && strcmp(SEARCHING[i], "projected-gradient") == 0) /* every call is a trial */
          assert_int_equal(result.stop, L2O_STOP_STALLED);
        assert_true(isfinite(value_at(&inner, x)) && value_at(&inner, x) <= value_at(&inner, start));
        assert_true(w.values < from + 200);
      }
  l2o_problem_free(&inner);
}

/* A problem that from call `from` on knows an answer at the points only where it has been asked before. */
typedef struct faint {
  l2o_problem problem;
  const l2o_problem *inner;
  size_t calls, from;
  l2o_real seen[64][N];
} faint;
static size_t faint_work(const l2o_problem *p) {
  return l2o_problem_work_len(((const faint *)p->data)->inner);
}
static l2o_status faint_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  faint *a = (faint *)(uintptr_t)p->data;
  bool known = false;
  for (size_t i = 0; i < a->calls && i < a->from; i++)
    known |= memcmp(a->seen[i], x, sizeof a->seen[i]) == 0;
  l2o_status status = l2o_problem_gradient(a->inner, f, g, x, work);
  if (a->calls < a->from)
    memcpy(a->seen[a->calls++], x, sizeof a->seen[0]);
  else if (!known)
    *f = (double)NAN;
  return status;
}
static const l2o_problem_ops faint_ops = {
    .struct_size = sizeof faint_ops, .name = "faint", .work_len = faint_work, .gradient = faint_gradient};

static void a_stalled_spectral_run_returns_its_best_point(void **state) {
  (void)state;
  l2o_problem inner = sampled("quadratic:n=8,condition=1000", 16, 0);
  size_t went_back = 0;
  for (size_t from = 2; from < 40; from++) {
    faint a = {.inner = &inner, .from = from};
    a.problem = (l2o_problem){.ops = &faint_ops, .data = &a, .n = N};
    path t = follow("projected-gradient:step=1", &a.problem, 100);
    assert_int_equal(t.result.stop, L2O_STOP_STALLED);
    double best = t.records[0].objective;
    for (size_t k = 0; k < t.count; k++)
      best = fmin(best, t.records[k].objective);
    assert_true(t.result.last.objective == best && value_at(&inner, last_of(&t)) == best);
    went_back += t.records[t.count - 2].objective > best;
    l2o_trace_free(t.trace);
  }
  assert_true(went_back >= 3);
  l2o_problem_free(&inner);
}

/* fista looks at y; when no trial from there succeeds, x stays. */
static void a_stalled_fista_stays_at_x(void **state) {
  (void)state;
  l2o_problem inner = sampled(QUADRATIC, 16, 1);
  size_t stalled = 0;
  for (size_t from = 3; from < 20; from++) {
    faint a = {.inner = &inner, .from = from};
    a.problem = (l2o_problem){.ops = &faint_ops, .data = &a, .n = N};
    path t = follow("fista:backtracking=true,step=0.5", &a.problem, 100);
    if (t.result.stop == L2O_STOP_STALLED && t.count > 1) {
      assert_same_reals(last_of(&t), last_of(&t) - N, N);
      stalled++;
    }
    l2o_trace_free(t.trace);
  }
  assert_true(stalled >= 3);
  l2o_problem_free(&inner);
}

static void at_the_minimum_a_search_stalls_at_once(void **state) {
  (void)state;
  l2o_problem_ops ops = concave_ops;
  const l2o_problem p = {.ops = &ops, .n = 2};
  for (size_t i = 0; i < SEARCHING_COUNT; i++) {
    static const l2o_real zero[2] = {0, 0};
    path t = follow_from(SEARCHING[i], &p, zero, 10); /* stationary: nothing tells it from a minimum */
    assert_int_equal(t.result.stop, L2O_STOP_STALLED);
    assert_int_equal(t.result.last.iteration, 1);
    assert_int_equal(t.result.last.charged, 1);
    assert_same_reals(last_of(&t), zero, 2);
    l2o_trace_free(t.trace);
  }
}

static void a_fixed_step_too_large_ends_as_diverged(void **state) {
  (void)state;
  static const char *const specs[] = {"gd:step=1e9",
                                      "momentum:step=1e9",
                                      "ista:step=1e9",
                                      "fista:step=1e9",
                                      "nesterov:step=1e9,restart=gradient",
                                      "projected-gradient:step_rule=fixed,step=1e9"};
  l2o_problem p = sampled(QUADRATIC, 17, 0);
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    path t = follow(specs[i], &p, 1000);
    assert_int_equal(t.result.stop, L2O_STOP_DIVERGED);
    for (size_t k = 0; k < t.count; k++)
      assert_true(isfinite(t.records[k].objective) && isfinite(t.records[k].gradient_norm));
    l2o_trace_free(t.trace);
  }
  l2o_problem_free(&p);
}

static void no_allocation_in_a_search(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  l2o_problem p = sampled(QUADRATIC, 18, 0);
  for (size_t i = 0; i < SEARCHING_COUNT; i++) {
    char name[32];
    const char *colon = strchr(SEARCHING[i], ':');
    l2o_settings s = l2o_settings_default();
    l2o_run *run;
    l2o_stop stop = L2O_STOP_NONE;
    l2o_status status = L2O_OK;
    snprintf(name, sizeof name, "%.*s", (int)(colon ? (size_t)(colon - SEARCHING[i]) : strlen(SEARCHING[i])), SEARCHING[i]);
    s.options = colon ? colon + 1 : NULL;
    assert_status(l2o_run_new(&run, solver_named(name), NULL, &p, &s, NULL), L2O_OK, NULL);
    assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
    allocations_watch(0);
    for (int k = 0; k < 20 && !status && !stop; k++)
      status = l2o_run_step(run, &stop);
    allocations seen = allocations_seen();
    assert_status(status, L2O_OK, NULL);
    assert_int_equal(seen.calls, 0);
    l2o_run_free(run);
  }
  l2o_problem_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_published_formulas_are_replayed),
      cmocka_unit_test(the_proximal_formulas_are_replayed),
      cmocka_unit_test(the_backtracking_is_replayed),
      cmocka_unit_test(rules_that_contain_each_other_agree),
      cmocka_unit_test(linear_rates_match_theory),
      cmocka_unit_test(the_bounds_of_beck_and_teboulle_hold),
      cmocka_unit_test(steps_that_find_themselves_pay),
      cmocka_unit_test(lasso_solutions_satisfy_the_subgradient_condition),
      cmocka_unit_test(bounds_are_kept_and_the_signs_are_right),
      cmocka_unit_test(the_derivative_of_clipping),
      cmocka_unit_test(the_spectral_method_is_replayed),
      cmocka_unit_test(a_step_is_found_without_a_lipschitz_constant),
      cmocka_unit_test(options_that_do_not_fit_are_refused),
      cmocka_unit_test(minibatches_are_reproducible),
      cmocka_unit_test(a_trial_that_is_not_finite_was_too_far),
      cmocka_unit_test(a_function_without_a_minimum_ends_the_run),
      cmocka_unit_test(a_first_step_grows_while_there_is_no_curvature),
      cmocka_unit_test(a_callback_that_breaks_during_a_search),
      cmocka_unit_test(a_stalled_spectral_run_returns_its_best_point),
      cmocka_unit_test(a_stalled_fista_stays_at_x),
      cmocka_unit_test(at_the_minimum_a_search_stalls_at_once),
      cmocka_unit_test(a_fixed_step_too_large_ends_as_diverged),
      cmocka_unit_test(no_allocation_in_a_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
