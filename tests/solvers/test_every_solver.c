/* SPDX-License-Identifier: BSD-3-Clause */
/* One matrix for every solver of the registry: a new rule is tested without being mentioned here, with its defaults and with every
 * word of every option that is a choice. Learned rules come with a fresh model, with random weights, and with random weights under
 * each guard. */
#include "l2o_fixtures.h"

#include "counting_malloc.h"
#include "problems/instance.h"

/* ---- the rules ---- */

typedef struct variant {
  const l2o_solver *solver;
  l2o_model *model;
  char label[96], options[64];
  bool tame; /* classical, untrained or guarded: goes where the classical rule goes */
  bool random;
} variant;

enum { VARIANTS = 200 };
static variant variants[VARIANTS];
static size_t variant_count;

/* Rules whose model is made for the matrix of a problem, or at least for its rows: suit() makes it anew for each. */
static bool reads_a_matrix(const l2o_solver *solver) {
  if (!(solver->needs & L2O_NEEDS_MODEL))
    return false;
  const l2o_option *o = l2o_model_kind_find(solver->model_kind, NULL)->options;
  while (o->name && strcmp(o->name, "m") != 0)
    o++;
  return o->name;
}

/* Rules whose network makes the update itself: they go anywhere, also where there is no gradient. */
static bool is_a_black_box(const l2o_solver *solver) {
  return strcmp(solver->name, "l2o-dm") == 0 || strcmp(solver->name, "rnnprop") == 0;
}

/* Support selection and analytic weights, too, lead elsewhere than ista before they are trained. */
static bool begins_as_classical(const l2o_solver *solver) {
  return strcmp(solver->name, "lista-cpss") != 0 && strcmp(solver->name, "alista") != 0 && !is_a_black_box(solver);
}

static variant *add_variant(const l2o_solver *solver, bool random, const char *key, const char *word, size_t length) {
  assert_true(variant_count < VARIANTS);
  variant *v = &variants[variant_count++];
  const bool guarded = strcmp(key, "guard") == 0;
  char chosen[sizeof v->options] = "";
  if (*key)
    snprintf(chosen, sizeof chosen, "%s=%.*s", key, (int)length, word);
  *v = (variant){.solver = solver, .tame = guarded || (!random && begins_as_classical(solver)), .random = random};
  if (reads_a_matrix(solver)) {
    v->model = model_of(solver->model_kind, 1);
  } else if (solver->needs & L2O_NEEDS_MODEL) {
    char spec[96];
    snprintf(spec, sizeof spec, "%s:hidden=%d", solver->model_kind, strstr(solver->model_kind, "math-l2o-") ? 32 : 4);
    v->model = model_of(spec, 1);
    if (random)
      randomise(v->model, 2, 0.6);
  }
  memcpy(v->options, chosen, sizeof chosen);
  snprintf(v->label, sizeof v->label, "%s%s%s%s", solver->name, random ? " random" : "", *key ? ":" : "", chosen);
  return v;
}

/* A variant for each word of each choice but its default. */
static void add_choices(const l2o_solver *solver) {
  for (const l2o_option *o = solver->options; o && o->name; o++) {
    if (o->type != L2O_OPTION_CHOICE || strcmp(o->name, "guard") == 0)
      continue;
    const char *word = o->choices;
    for (int index = 0;; index++) {
      const size_t length = strcspn(word, "|");
      if (index != (int)o->initial)
        add_variant(solver, false, o->name, word, length);
      if (!word[length])
        break;
      word += length + 1;
    }
  }
}

static int make_variants(void **state) {
  (void)state;
  for (const l2o_solver *const *s = l2o_solver_list(); *s; s++) {
    add_variant(*s, false, "", "", 0);
    add_choices(*s);
    if (!((*s)->needs & L2O_NEEDS_MODEL))
      continue;
    add_variant(*s, true, "", "", 0);
    add_variant(*s, true, "guard", "shadow", 6);
    add_variant(*s, true, "guard", "descent", 7);
  }
  return 0;
}

static int free_variants(void **state) {
  (void)state;
  while (variant_count)
    l2o_model_free(variants[--variant_count].model);
  return 0;
}

#define FOR_EVERY_VARIANT(v) for (const variant *v = variants; v < variants + variant_count; v++)

static bool has_option(const l2o_solver *solver, const char *name) {
  for (const l2o_option *o = solver->options; o && o->name; o++)
    if (strcmp(o->name, name) == 0)
      return true;
  return false;
}

/* Rules that draw random numbers: those that see values only. */
static bool draws(const variant *v) {
  return !(v->solver->needs & (L2O_NEEDS_GRADIENT | L2O_NEEDS_MODEL));
}

/* The variant's options and `more`, in a buffer that the next call overwrites. */
static const char *options_of(const variant *v, const char *more) {
  static char text[160];
  snprintf(text, sizeof text, "%s%s%s", v->options, *v->options && *more ? "," : "", more);
  return text;
}

/* A model for the matrix of the problem, if it has one. */
static void suit(const variant *v, const l2o_problem *p) {
  const l2o_instance *d = reads_a_matrix(v->solver) ? l2o_squares_of(p) : NULL;
  char spec[96], n[32] = ",gamma=0,theta=0";
  if (!d)
    return;
  if (strcmp(v->solver->name, "ada-lista") != 0)
    snprintf(n, sizeof n, ",n=%zu", p->n);
  snprintf(spec, sizeof spec, "%s:layers=3,m=%zu%s", v->solver->model_kind, d->rows, n);
  variant *mine = &variants[v - variants];
  l2o_model_free(mine->model);
  mine->model = model_of(spec, 1);
  assert_status(l2o_model_fit_problem(mine->model, p, NULL), L2O_OK, NULL);
  if (mine->random)
    randomise(mine->model, 2, 0.6);
}

/* Does the variant run on the problem? Where not, a sentence says so. */
static bool runs_on(const variant *v, const l2o_problem *p, const char *more) {
  l2o_settings s = l2o_settings_default();
  l2o_run *steps = NULL;
  l2o_diag diag = {""};
  suit(v, p);
  s.options = options_of(v, more);
  l2o_status status = l2o_run_new(&steps, v->solver, v->model, p, &s, &diag);
  l2o_run_free(steps);
  if (status) {
    assert_names(&diag, v->solver->name);
    if (status != L2O_ERR_NOTSUP && status != L2O_ERR_ARG)
      fail_msg("%s: %s", v->label, diag.text);
  }
  return !status;
}

/* A step of the caller's where the problem says nothing about one. */
static const char *step_for(const variant *v, const char *step) {
  return v->solver->needs & L2O_NEEDS_STEP ? step : "";
}

static l2o_result run(const variant *v, const l2o_problem *p, l2o_real *x, const l2o_settings *settings) {
  l2o_settings s = *settings;
  l2o_result result;
  l2o_diag diag = {""};
  if (!s.options)
    s.options = v->options;
  l2o_status status = l2o_minimize(v->solver, v->model, p, x, &result, &s, &diag);
  if (status)
    fail_msg("%s: %s", v->label, diag.text);
  assert_int_equal(result.status, status);
  return result;
}

static l2o_settings iterations(size_t count) {
  l2o_settings s = l2o_settings_default();
  s.iterations = count;
  return s;
}

/* ---- the problems ---- */

enum { N = 8 };
static const char *const CONVEX[] = {"qp:n=8,m=5",
                                     "qp:n=8,m=12",
                                     "quadratic:n=8,condition=20",
                                     "quadratic:n=8,condition=20,spectrum=linear",
                                     "quadratic:n=8,condition=20,spectrum=clustered",
                                     "least-squares:n=8,m=16,ridge=0.1",
                                     "logistic:n=8,m=40,l2=0.1",
                                     "log-sum-exp:n=8,m=30,mu=0.1"};
enum { CONVEX_COUNT = sizeof CONVEX / sizeof *CONVEX };
static const char *const COMPOSITE[] = {"lasso:n=8,m=12,sparsity=3,l1=0.1", "logistic:n=8,m=40,l2=0.1,l1=0.02"};
enum { COMPOSITE_COUNT = sizeof COMPOSITE / sizeof *COMPOSITE };
static const char *const ONE_UNKNOWN[] = {"quadratic:n=1", "qp:n=1,m=1", "logistic:n=1,m=20,l2=0.1",
                                          "lasso:n=1,m=4,sparsity=1,l1=0.01"};
enum { ONE_UNKNOWN_COUNT = sizeof ONE_UNKNOWN / sizeof *ONE_UNKNOWN };
/* Sums, for minibatches. */
static const char *const SUMS[] = {"least-squares:n=8,m=16,ridge=0.1", "logistic:n=8,m=40,l2=0.1,l1=0.02"};
enum { SUMS_COUNT = sizeof SUMS / sizeof *SUMS };

/* What must vanish at the minimum, from the gradient alone. Composite problems have h = l1 |x|_1 here: where x_i = 0 the gradient
 * may be anything up to l1, elsewhere it must be -l1 sign x_i. */
static double optimality(const l2o_problem *p, const l2o_real *x) {
  l2o_real g[N] = {0}, unit[N] = {1};
  double l1 = 0, square = 0;
  gradient_at(p, g, x);
  assert_status(l2o_problem_nonsmooth(p, &l1, NULL, unit), L2O_OK, NULL);
  for (size_t i = 0; i < p->n; i++) {
    const double z = (double)x[i], d = (double)g[i];
    const double distance = z != 0 ? d + copysign(l1, z) : fmax(fabs(d) - l1, 0);
    square += (z != 0 || l1 > 0 ? distance : d) * (z != 0 || l1 > 0 ? distance : d);
  }
  return sqrt(square);
}

static double objective_at(const l2o_problem *p, const l2o_real *x) {
  double f;
  l2o_real *work = malloc((l2o_problem_work_len(p) + 1) * sizeof *work);
  assert_status(l2o_problem_objective(p, &f, x, work), L2O_OK, NULL);
  free(work);
  return f;
}

/* ---- what every rule does ---- */

/* How close a rule comes in 3000 steps, as a share of f(x_0) - f*. */
typedef struct claim {
  const char *rule; /* the beginning of its label */
  const char *options;
  double gap, gap_single;
} claim;

/* The last one that fits counts. */
static const claim claims[] = {
    {"", "", 1e-12, 1e-6},
    /* with a constant step they circle about the minimum at a distance that the step decides */
    {"adam", "step=0.01", 1e-4, 1e-4},
    {"rmsprop", "step=0.001", 1e-3, 1e-3},
    {"adam-hd", "step=0.01", 1e-2, 1e-2},
    /* as close as the differences are right, or, with one direction a step, as 3000 steps come */
    {"zo-", "", 1e-4, 1e-2},
};

static const claim *claim_of(const variant *v) {
  const claim *found = NULL;
  for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
    if (strncmp(v->label, claims[i].rule, strlen(claims[i].rule)) == 0)
      found = &claims[i];
  return found;
}

/* A run may end before its iterations where it has converged to what the precision can tell. */
static bool honest(const variant *v, l2o_stop stop) {
  return stop == L2O_STOP_ITERATIONS || stop == L2O_STOP_STALLED || (!v->tame && stop == L2O_STOP_DIVERGED);
}

static void reach_minimum(const variant *v, const char *spec, uint64_t index) {
  l2o_problem p = sampled(spec, 3, index);
  const claim *c = claim_of(v);
  if (runs_on(v, &p, c->options)) {
    l2o_real x[N] = {0}, start[N] = {0};
    double fstar, f0 = objective_at(&p, start), g0 = optimality(&p, start);
    assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
    l2o_settings s = iterations(3000);
    s.options = options_of(v, c->options);
    l2o_result r = run(v, &p, x, &s);
    const double gap = (objective_at(&p, x) - fstar) / (f0 - fstar), claimed = BY_PRECISION(c->gap, c->gap_single);
    const bool applies = v->tame && (!l2o_problem_is_composite(&p) || (v->solver->needs & L2O_TAKES_PROX));
    if (applies && !(gap <= claimed && optimality(&p, x) <= sqrt(20 * claimed) * g0))
      fail_msg("%s on %s: gap %g, gradient %g of %g, %s", v->label, spec, gap, optimality(&p, x), g0, l2o_stop_name((int)r.stop));
    /* a smooth rule on a kink may break down, but only at a point no worse than the start */
    const bool kink = l2o_problem_is_composite(&p) && !applies && r.stop == L2O_STOP_DIVERGED && gap <= 1;
    if (!(gap >= -BY_PRECISION(1e-13, 1e-6)) || !(honest(v, r.stop) || kink))
      fail_msg("%s on %s: gap %g, %s", v->label, spec, gap, l2o_stop_name((int)r.stop));
  }
  l2o_problem_free(&p);
}

static void the_known_minimum_is_reached(void **state) {
  (void)state;
  FOR_EVERY_VARIANT(v) {
    for (size_t i = 0; i < CONVEX_COUNT; i++)
      reach_minimum(v, CONVEX[i], i);
    for (size_t i = 0; i < COMPOSITE_COUNT; i++)
      reach_minimum(v, COMPOSITE[i], i);
    for (size_t i = 0; i < ONE_UNKNOWN_COUNT; i++)
      reach_minimum(v, ONE_UNKNOWN[i], i);
  }
}

/* A run that starts at the minimum stays there, or as close to it as the rule comes. */
static void the_minimum_is_kept(void **state) {
  (void)state;
  FOR_EVERY_VARIANT(v) {
    const claim *c = claim_of(v);
    for (size_t i = 0; i < CONVEX_COUNT; i++) {
      l2o_problem p = sampled(CONVEX[i], 21, i);
      l2o_real x[N], zero[N] = {0};
      double fstar;
      assert_status(l2o_problem_minimum(&p, &fstar, x), L2O_OK, NULL);
      if (runs_on(v, &p, c->options)) {
        l2o_settings s = iterations(300);
        s.options = options_of(v, c->options);
        l2o_result r = run(v, &p, x, &s);
        const double gap = (objective_at(&p, x) - fstar) / (objective_at(&p, zero) - fstar);
        if (!honest(v, r.stop) || !(gap <= BY_PRECISION(c->gap, c->gap_single) || !v->tame))
          fail_msg("%s on %s: gap %g, %s", v->label, CONVEX[i], gap, l2o_stop_name((int)r.stop));
      }
      l2o_problem_free(&p);
    }
  }
}

static l2o_status constant(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)x, (void)work;
  *f = 7;
  memset(g, 0, p->n * sizeof *g);
  return L2O_OK;
}
static l2o_status slope(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    *f -= (double)x[i];
    g[i] = -1;
  }
  return L2O_OK;
}
static l2o_status slope_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  l2o_real g[N];
  return slope(p, f, g, x, work);
}
static l2o_status flat_product(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  (void)x, (void)v, (void)work;
  memset(hv, 0, p->n * sizeof *hv);
  return L2O_OK;
}

/* f = 7: nobody moves. f = -sum x_i: a search ends as diverged, and nobody ends higher than he began. */
static void functions_without_a_slope_and_without_an_end(void **state) {
  (void)state;
  const l2o_problem_ops flat = {
      .struct_size = sizeof flat, .name = "constant", .gradient = constant, .hessian_vector = flat_product};
  const l2o_problem_ops steep = {
      .struct_size = sizeof steep, .name = "slope", .gradient = slope, .value = slope_value, .hessian_vector = flat_product};
  const l2o_problem calm = {.ops = &flat, .n = 3}, endless = {.ops = &steep, .n = 3};
  size_t diverged = 0;
  FOR_EVERY_VARIANT(v) {
    const char *more = runs_on(v, &calm, "") ? "" : "step=0.01"; /* a search finds its own */
    if (!runs_on(v, &calm, more))
      continue;
    l2o_settings s = iterations(2000);
    s.options = options_of(v, more);
    l2o_real x[3] = {1, -2, 3}, y[3] = {1, -2, 3}, start[3] = {1, -2, 3};
    l2o_result r = run(v, &calm, x, &s);
    if (!is_a_black_box(v->solver))
      assert_same_reals(x, start, 3);
    assert_true(honest(v, r.stop) && r.last.objective == 7);
    s.options = options_of(v, more);
    r = run(v, &endless, y, &s);
    const double f = value_at(&endless, y);
    if (!isfinite(f) || !(r.last.objective == f) || (v->tame && !(f < -2)))
      fail_msg("%s: %s at %g", v->label, l2o_stop_name((int)r.stop), f);
    const bool searches = (v->solver->needs & L2O_GLOBAL) && *v->options == '\0';
    const bool far = f < -BY_PRECISION(1e100, 1e15); /* where squares overflow a rule may see no way on */
    if (r.stop != L2O_STOP_DIVERGED && (searches || (r.stop != L2O_STOP_ITERATIONS && !far)))
      fail_msg("%s: %s at %g", v->label, l2o_stop_name((int)r.stop), f);
    diverged += r.stop == L2O_STOP_DIVERGED;
  }
  assert_true(diverged >= 8);
}

/* Minimum of a quadratic within bounds: g_i >= 0 at a lower bound, <= 0 at an upper one, 0 between. */
static void bounds_are_kept_or_refused(void **state) {
  (void)state;
  l2o_real lower[N], upper[N];
  for (size_t i = 0; i < N; i++)
    lower[i] = i % 3 ? (l2o_real)-0.3 : (l2o_real)-INFINITY, upper[i] = i % 4 ? (l2o_real)0.2 : (l2o_real)INFINITY;
  l2o_problem inner = sampled(CONVEX[2], 3, 1), p;
  assert_status(l2o_problem_bounded(&p, &inner, lower, upper, NULL), L2O_OK, NULL);
  size_t kept = 0;
  FOR_EVERY_VARIANT(v) {
    l2o_diag diag = {""};
    l2o_run *steps = NULL;
    l2o_settings s = iterations(3000);
    s.options = v->options;
    if (!(v->solver->needs & L2O_TAKES_PROJECTION)) {
      assert_status(l2o_run_new(&steps, v->solver, v->model, &p, &s, &diag), L2O_ERR_NOTSUP, NULL);
      assert_names(&diag, "does not keep to the constraint of problem 'bounded'; try projected-gradient");
      continue;
    }
    if (!runs_on(v, &p, ""))
      continue;
    kept++;
    l2o_real x[N] = {1, -1, 1, -1}, g[N];
    l2o_result r = run(v, &p, x, &s);
    gradient_at(&p, g, x);
    /* estimates along random directions do not settle where the gradient is not zero: they keep to the bounds, no more */
    const double tolerance = draws(v) ? HUGE_VAL : BY_PRECISION(1e-6, 1e-3);
    for (size_t i = 0; i < N; i++) {
      const double z = (double)x[i], d = (double)g[i], low = (double)lower[i], high = (double)upper[i];
      if (!(z >= low && z <= high) || !(d <= tolerance || z <= low) || !(d >= -tolerance || z >= high))
        fail_msg("%s: x_%zu = %g in [%g, %g], gradient %g, %s", v->label, i, z, low, high, d, l2o_stop_name((int)r.stop));
    }
  }
  assert_true(kept >= 3);
  l2o_problem_free(&p);
  l2o_problem_free(&inner);
}

static void monotone_rules_never_rise(void **state) {
  (void)state;
  size_t monotone = 0;
  FOR_EVERY_VARIANT(v) {
    bool guarded = strcmp(v->options, "guard=descent") == 0; /* inherits the promise of the classical rule */
    const bool promised = (v->solver->needs & L2O_MONOTONE) && (!*v->options || v->model); /* of the default options */
    if (!promised && !(guarded && (solver_named(v->solver->classical)->needs & L2O_MONOTONE)))
      continue;
    monotone++;
    for (size_t i = 0; i < CONVEX_COUNT; i++) {
      l2o_problem p = sampled(CONVEX[i], 4, i);
      if (!runs_on(v, &p, "")) {
        l2o_problem_free(&p);
        continue;
      }
      l2o_real x[N] = {0};
      l2o_trace *trace;
      assert_status(l2o_trace_new(&trace, 501, 0), L2O_OK, NULL);
      l2o_settings s = iterations(500);
      s.traces = &trace;
      run(v, &p, x, &s);
      size_t count;
      const l2o_record *r = l2o_trace_records(trace, &count);
      assert_true(count > 1);
      const double noise = BY_PRECISION(1e-14, 1e-6) * (fabs(r[0].objective) + fabs(r[count - 1].objective));
      for (size_t k = 1; k < count; k++)
        if (!(r[k].objective <= r[k - 1].objective + noise))
          fail_msg("%s on %s rises at %zu: %.17g, %.17g", v->label, CONVEX[i], k, r[k - 1].objective, r[k].objective);
      l2o_trace_free(trace);
      l2o_problem_free(&p);
    }
  }
  assert_true(monotone >= 2);
}

/* A problem times a power of two: every number on the way is exact. */
typedef struct scaled {
  l2o_problem problem;
  const l2o_problem *inner;
  double factor;
} scaled;
static size_t scaled_work(const l2o_problem *p) {
  return l2o_problem_work_len(((const scaled *)p->data)->inner);
}
static l2o_status scaled_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const scaled *s = p->data;
  l2o_status status = l2o_problem_value(s->inner, f, x, work);
  *f *= s->factor;
  return status;
}
static l2o_status scaled_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const scaled *s = p->data;
  l2o_status status = l2o_problem_gradient(s->inner, f, g, x, work);
  *f *= s->factor;
  for (size_t i = 0; i < p->n; i++)
    g[i] *= (l2o_real)s->factor;
  return status;
}
static l2o_status scaled_product(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  const scaled *s = p->data;
  l2o_status status = l2o_problem_hessian_vector(s->inner, hv, x, v, work);
  for (size_t i = 0; i < p->n; i++)
    hv[i] *= (l2o_real)s->factor;
  return status;
}
static l2o_status scaled_lipschitz(const l2o_problem *p, double *L) {
  const scaled *s = p->data;
  l2o_status status = l2o_problem_lipschitz(s->inner, L);
  *L *= s->factor;
  return status;
}
static l2o_status scaled_trace(const l2o_problem *p, double *trace) {
  const scaled *s = p->data;
  l2o_status status = l2o_problem_hessian_trace(s->inner, trace);
  *trace *= s->factor;
  return status;
}
static const l2o_problem_ops scaled_ops = {.struct_size = sizeof scaled_ops,
                                           .name = "scaled",
                                           .work_len = scaled_work,
                                           .value = scaled_value,
                                           .gradient = scaled_gradient,
                                           .hessian_vector = scaled_product,
                                           .lipschitz = scaled_lipschitz,
                                           .hessian_trace = scaled_trace};

/* Rules whose steps have a length of their own: those divided by a running size of the gradient, unit steps, and networks that read
 * the gradient. Newton's forcing term is one; of bfgs it can be said only up to rounding, since its first inverse Hessian is 1. */
static bool has_a_unit(const variant *v) {
  static const char *const names[] = {"adam", "adam-hd", "rmsprop", "shampoo", "bfgs", "bfgs-hd", "newton"};
  bool named = false;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    named |= strcmp(v->solver->name, names[i]) == 0;
  return v->model || named || strstr(v->options, "=unit");
}

/* In which unit f is measured does not matter: the same points, bit for bit. */
static void the_unit_of_f_does_not_matter(void **state) {
  (void)state;
  static const int powers[] = {BY_PRECISION(-90, -30), BY_PRECISION(60, 20)};
  FOR_EVERY_VARIANT(v) {
    if (has_a_unit(v))
      continue;
    for (size_t i = 0; i < CONVEX_COUNT; i++) {
      l2o_problem p = sampled(CONVEX[i], 22, i);
      scaled s = {.inner = &p, .factor = 1};
      s.problem = (l2o_problem){.ops = &scaled_ops, .data = &s, .n = p.n};
      if (runs_on(v, &s.problem, "")) {
        l2o_real x[3][N] = {{0}};
        l2o_settings settings = iterations(15);
        l2o_result results[3];
        for (int k = 0; k < 3; k++) {
          s.factor = k ? ldexp(1, powers[k - 1]) : 1;
          results[k] = run(v, &s.problem, x[k], &settings);
          for (size_t j = 0; j < N; j++)
            if (!(x[k][j] == x[0][j]))
              fail_msg("%s on %s, times %g: %.17g, %.17g", v->label, CONVEX[i], s.factor, (double)x[0][j], (double)x[k][j]);
          assert_int_equal(results[k].last.value_calls, results[0].last.value_calls);
          assert_int_equal(results[k].stop, results[0].stop);
        }
      }
      l2o_problem_free(&p);
    }
  }
}

/* A black box: rules that need no gradient get by with values, and the search with nothing else. */
static void values_are_enough_for_rules_that_need_no_gradient(void **state) {
  (void)state;
  size_t ran = 0;
  const l2o_problem_ops box = {.struct_size = sizeof box, .name = "box", .work_len = scaled_work, .value = scaled_value};
  FOR_EVERY_VARIANT(v) {
    if (v->solver->needs & (L2O_NEEDS_GRADIENT | L2O_NEEDS_LAYERS))
      continue;
    for (size_t i = 0; i < CONVEX_COUNT; i++) {
      l2o_problem p = sampled(CONVEX[i], 23, i);
      scaled s = {.inner = &p, .factor = 1};
      s.problem = (l2o_problem){.ops = &box, .data = &s, .n = p.n};
      char step[40];
      double L, fstar;
      assert_status(l2o_problem_lipschitz(&p, &L), L2O_OK, NULL);
      assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
      snprintf(step, sizeof step, "step=%.17g",
               1 / (L * (v->solver->needs & L2O_NEEDS_STEP ? N + 2 : 1))); /* averages need it shorter */
      const char *more = runs_on(v, &s.problem, "") ? "" : step;
      assert_true(runs_on(v, &s.problem, more));
      l2o_real x[N] = {0}, zero[N] = {0};
      l2o_settings settings = iterations(6000);
      settings.options = options_of(v, more);
      l2o_result r = run(v, &s.problem, x, &settings);
      const double gap = (objective_at(&p, x) - fstar) / (objective_at(&p, zero) - fstar);
      if (!honest(v, r.stop) || !(gap <= BY_PRECISION(1e-4, 3e-2)))
        fail_msg("%s on %s: gap %g, %s", v->label, CONVEX[i], gap, l2o_stop_name((int)r.stop));
      assert_true(r.last.gradient_calls == 0 && r.last.objective == objective_at(&p, x) && isnan(r.last.gradient_norm));
      ran++;
      l2o_problem_free(&p);
    }
  }
  assert_true(ran >= CONVEX_COUNT);
}

/* Each step evaluates a minibatch, drawn by the run's own stream; a record is of the whole sum. */
static void minibatches_repeat_and_records_are_whole(void **state) {
  (void)state;
  enum { COPIES = 3 };
  size_t ran = 0;
  FOR_EVERY_VARIANT(v) {
    for (size_t i = 0; i < SUMS_COUNT; i++) {
      l2o_problem p = sampled(SUMS[i], 24, i);
      const char *const more = "batch=4", *const too_many = "batch=1000"; /* rows repeat: more than there are is fine */
      if (has_option(v->solver, "batch") && runs_on(v, &p, more)) {
        l2o_real x[2][COPIES * N] = {{0}}, again[N] = {0}, whole[N] = {0}, many[N] = {0}, g[N];
        const l2o_problem copies[COPIES] = {p, p, p};
        l2o_result results[COPIES];
        l2o_settings s = iterations(30);
        s.options = options_of(v, more);
        for (int threads = 1; threads <= 2; threads++) {
          s.threads = threads;
          assert_status(l2o_solve_many(v->solver, v->model, copies, COPIES, x[threads - 1], results, &s, NULL), L2O_OK, NULL);
        }
        assert_same_reals(x[0], x[1], COPIES * N);
        assert_memory_not_equal(x[0], x[0] + N, N * sizeof(l2o_real)); /* each instance draws its own */
        l2o_result r = run(v, &p, again, &s);
        assert_same_reals(x[0], again, N);
        assert_true(r.last.objective == objective_at(&p, again) && isfinite(r.last.objective));
        if (!l2o_problem_is_composite(&p)) {
          gradient_at(&p, g, again);
          double squares = 0;
          for (size_t j = 0; j < N; j++)
            squares += (double)g[j] * (double)g[j];
          assert_close(r.last.gradient_norm, sqrt(squares), BY_PRECISION(1e-13, 1e-6), 0);
        }
        s.options = v->options;
        run(v, &p, whole, &s);
        assert_memory_not_equal(whole, again, sizeof whole);
        s.options = options_of(v, too_many);
        r = run(v, &p, many, &s);
        assert_true(isfinite(r.last.objective) && r.last.objective == objective_at(&p, many));
        ran++;
      }
      l2o_problem_free(&p);
    }
  }
  assert_true(ran >= SUMS_COUNT);
}

/* Not convex. Rules that search along their direction reach the minimum, the others end where they say. */
static void rosenbrock_ends_honestly(void **state) {
  (void)state;
  size_t reached = 0;
  l2o_problem p = sampled("rosenbrock:n=2", 1, 0);
  FOR_EVERY_VARIANT(v) {
    if (!runs_on(v, &p, step_for(v, "step=1e-3")))
      continue;
    l2o_real x[2] = {(l2o_real)-1.2, 1};
    const double f0 = value_at(&p, x);
    l2o_settings s = iterations(2000);
    s.options = options_of(v, step_for(v, "step=1e-3"));
    l2o_result r = run(v, &p, x, &s);
    assert_true(isfinite(x[0]) && isfinite(x[1]));
    assert_true(r.last.objective == value_at(&p, x));
    /* steps that are given, or searched for, lead down here; unit steps may lead anywhere */
    const bool down = v->tame && !draws(v) && (v->solver->needs & (L2O_NEEDS_STEP | L2O_GLOBAL)) && !strstr(v->options, "=unit");
    if (r.stop != L2O_STOP_DIVERGED && !(honest(v, r.stop) && (!down || r.last.objective <= f0)))
      fail_msg("%s: %s at %g", v->label, l2o_stop_name((int)r.stop), r.last.objective);
    if (v->solver->needs & L2O_GLOBAL) {
      reached++;
      if (*v->options == '\0' && !(r.last.objective < BY_PRECISION(1e-16, 1e-7) && r.stop != L2O_STOP_DIVERGED))
        fail_msg("%s: %s at %g", v->label, l2o_stop_name((int)r.stop), r.last.objective);
    }
  }
  assert_true(reached >= 1);
  l2o_problem_free(&p);
}

/* More, Garbow and Hillstrom's functions from their starts: rules that search reach a minimum (any of them), or a point where the
 * gradient vanishes; none ends higher than it began. projected-gradient, a first-order rule, is allowed to run out of steps. */
static void the_functions_of_1981_are_minimised(void **state) {
  (void)state;
  enum { FUNCTIONS = 35, LARGEST = 32 };
  FOR_EVERY_VARIANT(v) {
    if (!(v->solver->needs & L2O_GLOBAL) || *v->options)
      continue;
    size_t reached = 0;
    for (int number = 1; number <= FUNCTIONS; number++) {
      char spec[64];
      snprintf(spec, sizeof spec, "more-garbow-hillstrom:function=%d", number);
      l2o_problem p = sampled(spec, 1, 0);
      l2o_real x[LARGEST];
      double fstar, largest = 1;
      assert_true(p.n <= LARGEST);
      assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
      assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
      const double f0 = value_at(&p, x);
      l2o_settings s = iterations(2000);
      l2o_result r = run(v, &p, x, &s);
      for (size_t i = 0; i < p.n; i++)
        largest = fmax(largest, fabs((double)x[i]));
      if (!(r.last.objective <= f0 && honest(v, r.stop)))
        fail_msg("%s on %s: %s at %g, from %g", v->label, spec, l2o_stop_name((int)r.stop), r.last.objective, f0);
      reached += r.last.objective - fstar <= BY_PRECISION(1e-6, 1e-3) * (f0 - fstar) ||
                 r.last.gradient_norm <= BY_PRECISION(1e-5, 1e-2) * largest;
      l2o_problem_free(&p);
    }
    const bool second_order = !(v->solver->needs & L2O_TAKES_PROJECTION);
    if (reached < (second_order ? BY_PRECISION(34, 32) : 25))
      fail_msg("%s reaches a minimum of %zu of 35 functions only", v->label, reached);
  }
}

static void the_last_record_is_that_of_the_point(void **state) {
  (void)state;
  FOR_EVERY_VARIANT(v) {
    l2o_problem p = sampled(CONVEX[1], 5, 0);
    for (size_t count = 0; count < 4 && runs_on(v, &p, ""); count++)
      for (int traced = 0; traced < 2; traced++) {
        l2o_real x[N] = {1}, g[N];
        l2o_trace *trace;
        assert_status(l2o_trace_new(&trace, 2, N), L2O_OK, NULL); /* too small for most: later records are dropped */
        l2o_settings s = iterations(count);
        s.traces = traced ? &trace : NULL;
        l2o_result r = run(v, &p, x, &s);
        double f = gradient_at(&p, g, x), squares = 0;
        for (size_t i = 0; i < N; i++)
          squares += (double)g[i] * (double)g[i];
        assert_true(r.last.objective == f);
        assert_close(r.last.gradient_norm, sqrt(squares), 1e-14, 0);
        assert_true(r.stop == L2O_STOP_ITERATIONS ? r.last.iteration == count : r.stop == L2O_STOP_STALLED);
        size_t records;
        const l2o_record *kept = l2o_trace_records(trace, &records);
        assert_int_equal(records, !traced ? 0 : count < 1 ? 1 : 2);
        if (traced && count < 2) {
          assert_true(kept[count].objective == f);
          assert_same_reals(l2o_trace_iterates(trace) + count * N, x, N);
        }
        l2o_trace_free(trace);
      }
    l2o_problem_free(&p);
  }
}

/* Steps alone, no record: every call of the problem is one that the rule, or its guard, made. */
static void calls_are_counted(void **state) {
  (void)state;
  FOR_EVERY_VARIANT(v) {
    l2o_problem inner = sampled(CONVEX[0], 6, 0);
    watcher w;
    watch(&w, &inner);
    l2o_settings s = iterations(100);
    s.options = v->options;
    l2o_run *steps;
    l2o_record record, watched;
    if (runs_on(v, &w.problem, "")) {
      l2o_stop stop = L2O_STOP_NONE;
      size_t taken = 0;
      assert_status(l2o_run_new(&steps, v->solver, v->model, &w.problem, &s, NULL), L2O_OK, NULL);
      assert_status(l2o_run_start(steps, NULL), L2O_OK, NULL);
      for (; taken < 7 && stop == L2O_STOP_NONE; taken++)
        assert_status(l2o_run_step(steps, &stop), L2O_OK, NULL);
      assert_true(stop == L2O_STOP_NONE || stop == L2O_STOP_STALLED);
      const size_t values = w.values, gradients = w.gradients + w.products; /* a Hessian-vector product counts as a gradient */
      assert_status(l2o_run_record(steps, &record), L2O_OK, NULL);
      assert_true(values >= 1 && record.charged <= (values > gradients ? values : gradients));
      assert_int_equal(record.value_calls, values);
      assert_int_equal(record.gradient_calls, gradients);
      /* looking at every point changes what is called, not what is counted */
      assert_status(l2o_run_start(steps, NULL), L2O_OK, NULL);
      for (size_t k = 0; k < taken; k++) {
        assert_status(l2o_run_record(steps, &watched), L2O_OK, NULL);
        assert_status(l2o_run_step(steps, &stop), L2O_OK, NULL);
      }
      assert_status(l2o_run_record(steps, &watched), L2O_OK, NULL);
      assert_int_equal(watched.value_calls, record.value_calls);
      assert_int_equal(watched.gradient_calls, record.gradient_calls);
      assert_int_equal(watched.charged, record.charged);
      assert_true(watched.objective == record.objective && watched.iteration == record.iteration);
      l2o_run_free(steps);
    }
    l2o_problem_free(&inner);
  }
}

static void a_trace_does_not_change_the_run(void **state) {
  (void)state;
  FOR_EVERY_VARIANT(v) {
    l2o_problem p = sampled(CONVEX[1], 6, 1);
    if (!runs_on(v, &p, "")) {
      l2o_problem_free(&p);
      continue;
    }
    l2o_real plain[N] = {0}, traced[N] = {0};
    l2o_trace *trace;
    assert_status(l2o_trace_new(&trace, 41, N), L2O_OK, NULL);
    l2o_settings s = iterations(40);
    l2o_result a = run(v, &p, plain, &s);
    s.traces = &trace;
    l2o_result b = run(v, &p, traced, &s);
    assert_same_reals(plain, traced, N);
    assert_true(a.last.value_calls == b.last.value_calls && a.last.gradient_calls == b.last.gradient_calls);
    assert_true(a.last.objective == b.last.objective && a.last.fallbacks == b.last.fallbacks);
    size_t count;
    const l2o_record *r = l2o_trace_records(trace, &count);
    assert_true(count == 41 || (b.stop == L2O_STOP_STALLED && count == b.last.iteration + 1));
    for (size_t k = 0; k < count; k++) {
      assert_int_equal(r[k].iteration, k);
      assert_true(r[k].objective == value_at(&p, l2o_trace_iterates(trace) + k * N));
      assert_true(k == 0 || (r[k].value_calls >= r[k - 1].value_calls && r[k].seconds >= r[k - 1].seconds));
    }
    assert_true(r[0].value_calls == 0 && r[0].seconds == 0);
    l2o_trace_free(trace);
    l2o_problem_free(&p);
  }
}

static void a_repeat_gives_the_same_bits(void **state) {
  (void)state;
  FOR_EVERY_VARIANT(v) {
    l2o_problem p = sampled(CONVEX[2], 7, 0);
    if (!runs_on(v, &p, "")) {
      l2o_problem_free(&p);
      continue;
    }
    l2o_real x[3][N] = {{0}};
    l2o_settings s = iterations(50);
    for (int i = 0; i < 2; i++)
      run(v, &p, x[i], &s);
    assert_same_reals(x[0], x[1], N);
    /* and by steps, in a run that has been somewhere else before */
    l2o_run *steps;
    l2o_stop stop = L2O_STOP_NONE;
    l2o_record record;
    s.options = v->options;
    assert_status(l2o_run_new(&steps, v->solver, v->model, &p, &s, NULL), L2O_OK, NULL);
    l2o_real elsewhere[N] = {3, -2, 1};
    assert_status(l2o_run_start(steps, elsewhere), L2O_OK, NULL);
    for (int k = 0; k < 5 && stop == L2O_STOP_NONE; k++)
      assert_status(l2o_run_step(steps, &stop), L2O_OK, NULL);
    assert_status(l2o_run_start(steps, NULL), L2O_OK, NULL);
    assert_status(l2o_run_record(steps, &record), L2O_OK, NULL);
    assert_true(record.iteration == 0 && record.value_calls == 0 && record.fallbacks == 0 && record.seconds == 0);
    stop = L2O_STOP_NONE;
    for (int k = 0; k < 50 && stop == L2O_STOP_NONE; k++)
      assert_status(l2o_run_step(steps, &stop), L2O_OK, NULL);
    assert_same_reals(x[0], l2o_run_x(steps), N);
    l2o_run_free(steps);
    l2o_problem_free(&p);
  }
}

static void no_allocation_in_a_step(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  FOR_EVERY_VARIANT(v) {
    for (size_t i = 0; i <= CONVEX_COUNT; i++) {
      l2o_problem p = sampled(i < CONVEX_COUNT ? CONVEX[i] : "rosenbrock:n=4", 8, i);
      const char *more = i < CONVEX_COUNT ? "" : step_for(v, "step=1e-3");
      if (!runs_on(v, &p, more)) {
        l2o_problem_free(&p);
        continue;
      }
      l2o_settings s = iterations(100);
      s.options = options_of(v, more);
      l2o_run *steps;
      l2o_stop stop = L2O_STOP_NONE;
      l2o_record record;
      l2o_status status = L2O_OK;
      assert_status(l2o_run_new(&steps, v->solver, v->model, &p, &s, NULL), L2O_OK, NULL);
      assert_status(l2o_run_start(steps, NULL), L2O_OK, NULL);
      assert_status(l2o_run_step(steps, &stop), L2O_OK, NULL);
      allocations_watch(0);
      for (int k = 0; k < 10 && !status && !stop; k++) {
        status = l2o_run_step(steps, &stop);
        if (!status)
          status = l2o_run_record(steps, &record);
      }
      allocations seen = allocations_seen();
      assert_status(status, L2O_OK, NULL);
      if (seen.calls)
        fail_msg("%s allocates %zu times in 10 steps", v->label, seen.calls);
      l2o_run_free(steps);
      l2o_problem_free(&p);
    }
  }
}

/* ---- reasons to stop ---- */

typedef struct calls_back {
  size_t count, stop_at;
  double last;
} calls_back;
static int note_call(void *context, const l2o_record *record, const l2o_real *x, size_t instance) {
  calls_back *c = context;
  assert_int_equal(record->iteration, c->count++);
  assert_int_equal(instance, 0);
  assert_non_null(x);
  c->last = record->objective;
  return c->count > c->stop_at;
}

static void limits_end_the_run(void **state) {
  (void)state;
  FOR_EVERY_VARIANT(v) {
    l2o_problem p = sampled(CONVEX[2], 9, 0);
    for (int traced = 0; traced < 2 && runs_on(v, &p, ""); traced++) {
      l2o_trace *trace;
      assert_status(l2o_trace_new(&trace, 4000, 0), L2O_OK, NULL);
      l2o_real x[N] = {0};
      l2o_settings plain = iterations(3000), s;
      plain.traces = traced ? &trace : NULL;

      s = plain, s.calls = 10;
      l2o_result r = run(v, &p, x, &s);
      const bool quick = r.stop == L2O_STOP_STALLED; /* at the minimum before the calls were used up */
      assert_true(quick || r.stop == L2O_STOP_CALLS);
      /* a rule that counts its own way stays within the budget, the others finish the step that goes beyond it */
      assert_true(draws(v) ? r.last.charged <= 10 && r.last.charged >= 1 : quick || (r.last.charged >= 10 && r.last.charged < 80));

      memset(x, 0, sizeof x); /* a single call: no more than one step */
      s = plain, s.calls = 1;
      r = run(v, &p, x, &s);
      assert_true(r.stop == L2O_STOP_CALLS && r.last.iteration <= 1 && (draws(v) ? r.last.charged <= 1 : r.last.charged >= 1));
      assert_true(r.last.objective == value_at(&p, x));

      memset(x, 0, sizeof x);
      s = plain, s.seconds = 1e-9;
      r = run(v, &p, x, &s);
      assert_int_equal(r.stop, L2O_STOP_SECONDS);
      assert_int_equal(r.last.iteration, 1);

      memset(x, 0, sizeof x);
      calls_back c = {.stop_at = 3};
      s = plain, s.callback = note_call, s.context = &c;
      r = run(v, &p, x, &s);
      assert_true(r.stop == L2O_STOP_USER ? r.last.iteration == 3 && c.count == 4 : quick && r.stop == L2O_STOP_STALLED);
      assert_true(c.last == r.last.objective && r.last.objective == value_at(&p, x));

      if (v->tame) {
        l2o_real zero[N] = {0};
        double fstar, f0 = value_at(&p, zero);
        assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
        memset(x, 0, sizeof x);
        s = plain, s.objective_target = fstar + 0.1 * (f0 - fstar);
        r = run(v, &p, x, &s);
        assert_int_equal(r.stop, L2O_STOP_TARGET);
        assert_true(r.last.objective <= s.objective_target && value_at(&p, x) <= s.objective_target && r.last.iteration > 0);

        memset(x, 0, sizeof x);
        s = plain, s.gradient_tolerance = 0.1 * optimality(&p, zero);
        r = run(v, &p, x, &s);
        assert_int_equal(r.stop, L2O_STOP_GRADIENT);
        assert_true(r.last.gradient_norm <= s.gradient_tolerance && optimality(&p, x) <= 1.001 * s.gradient_tolerance);
        r = run(v, &p, x, &s); /* already there */
        assert_int_equal(r.stop, L2O_STOP_GRADIENT);
        assert_int_equal(r.last.iteration, 0);
      }
      l2o_trace_free(trace);
    }
    l2o_problem_free(&p);
  }
}

/* ---- when the problem breaks ---- */

/* A run on a problem that breaks at the given call. */
static l2o_result run_spoiled(const variant *v, const l2o_problem *inner, l2o_spoil kind, size_t from, bool traced, l2o_real *x,
                              bool *broke, l2o_diag *diag) {
  watcher w;
  l2o_trace *trace;
  l2o_result result;
  watch(&w, inner);
  w.from = from, w.spoil = kind;
  assert_status(l2o_trace_new(&trace, 200, inner->n), L2O_OK, NULL);
  l2o_settings s = iterations(20);
  s.options = v->options;
  s.traces = traced ? &trace : NULL;
  l2o_status status = l2o_minimize(v->solver, v->model, &w.problem, x, &result, &s, diag);
  assert_int_equal(status, result.status);
  *broke = w.values >= from; /* a rule may get by with fewer calls */
  if (!*broke && !honest(v, result.stop))
    fail_msg("%s, call %zu of %zu spoiled: %s", v->label, from, w.values, l2o_stop_name((int)result.stop));
  size_t count;
  const l2o_record *r = l2o_trace_records(trace, &count);
  for (size_t k = 0; k + 1 < count; k++) /* nothing on record but good points, and the point that came out is one of them */
    assert_true(isfinite(r[k].objective) && isfinite(r[k].gradient_norm));
  if (traced && from > 1 && w.values >= from) {
    bool found = false;
    for (size_t k = 0; k < count; k++)
      found |= memcmp(l2o_trace_iterates(trace) + k * inner->n, x, inner->n * sizeof *x) == 0;
    if (!found)
      fail_msg("%s, call %zu spoiled: the point that came out was not on record", v->label, from);
  }
  l2o_trace_free(trace);
  return result;
}

static void a_failing_callback_surfaces(void **state) {
  (void)state;
  l2o_problem p = sampled(CONVEX[1], 10, 0);
  FOR_EVERY_VARIANT(v) {
    for (size_t from = 1; from < 12 && !reads_a_matrix(v->solver) && runs_on(v, &p, ""); from++)
      for (int traced = 0; traced < 2; traced++) {
        l2o_real x[N] = {1, 2, 3};
        l2o_diag diag = {""};
        bool broke;
        l2o_result r = run_spoiled(v, &p, SPOIL_FAIL, from, traced, x, &broke, &diag);
        for (size_t i = 0; i < N; i++)
          assert_true(isfinite(x[i]));
        if (!broke)
          continue;
        assert_status(r.status, L2O_ERR_CALLBACK, &diag);
        assert_names(&diag, v->solver->name);
        assert_names(&diag, "'watched' reported a failure");
        if (from == 1)
          assert_true(x[0] == 1 && x[1] == 2 && x[2] == 3);
      }
  }
  l2o_problem_free(&p);
}

/* One call in seven fails: what comes out is the record of the point that comes out, as far as it is known. */
static l2o_status now_and_then(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  watcher *w = (watcher *)(uintptr_t)p->data;
  return ++w->values % 7 ? l2o_problem_gradient(w->inner, f, g, x, work) : L2O_ERR_IO;
}

static void the_record_of_a_failed_run_is_that_of_its_point(void **state) {
  (void)state;
  l2o_problem inner = sampled(CONVEX[1], 10, 0);
  l2o_problem_ops ops = watched_ops;
  ops.value = NULL, ops.gradient = now_and_then;
  FOR_EVERY_VARIANT(v) {
    watcher w = {.inner = &inner};
    const l2o_problem p = {.ops = &ops, .data = &w, .n = N};
    l2o_real x[N] = {1, 2, 3};
    l2o_result r;
    l2o_settings s = iterations(50);
    s.options = v->options;
    if (!runs_on(v, &p, "") || l2o_minimize(v->solver, v->model, &p, x, &r, &s, NULL) == L2O_OK)
      continue;
    assert_int_equal(r.status, L2O_ERR_CALLBACK);
    assert_true(isnan(r.last.objective) && isnan(r.last.gradient_norm) && r.last.value_calls == w.values);
    l2o_trace *trace;
    assert_status(l2o_trace_new(&trace, 60, 0), L2O_OK, NULL);
    s.traces = &trace;
    w.values = 0;
    memcpy(x, (const l2o_real[N]){1, 2, 3}, sizeof x);
    assert_status(l2o_minimize(v->solver, v->model, &p, x, &r, &s, NULL), L2O_ERR_CALLBACK, NULL);
    assert_true(r.last.objective == value_at(&inner, x));
    l2o_trace_free(trace);
  }
  l2o_problem_free(&inner);
}

/* Whether anybody looks on or not, a run that breaks in the middle of a step ends where that step began, if it began well. */
static void a_broken_step_ends_where_it_began(void **state) {
  (void)state;
  l2o_problem inner = sampled(CONVEX[1], 10, 1);
  static const char *const rules[][2] = {{"gd", ""}, {"bfgs", "line_search=unit"}, {"bfgs-hd", ""}};
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    for (size_t from = 2; from < 12; from++) {
      l2o_real x[2][N] = {{1, 2, 3}, {1, 2, 3}};
      for (int traced = 0; traced < 2; traced++) {
        const variant v = {.solver = solver_named(rules[i][0]), .label = "broken", .tame = false};
        watcher w;
        watch(&w, &inner);
        w.from = from, w.spoil = SPOIL_GRADIENT;
        l2o_trace *trace;
        assert_status(l2o_trace_new(&trace, 30, 0), L2O_OK, NULL);
        l2o_settings s = iterations(20);
        s.options = rules[i][1], s.traces = traced ? &trace : NULL;
        run(&v, &w.problem, x[traced], &s);
        l2o_trace_free(trace);
      }
      assert_same_reals(x[0], x[1], N);
    }
  l2o_problem_free(&inner);
}

/* |x - prox(x - grad f(x))| with the prox of step 1 where there is one, |grad f + subgradient| where the rule sees one function. */
static void stationarity_is_measured_as_documented(void **state) {
  (void)state;
  l2o_real lower[N], x[N], g[N], unit[N] = {1};
  for (size_t i = 0; i < N; i++) {
    lower[i] = (l2o_real)0.1;
    x[i] = (l2o_real)(0.3 * ((double)i - 3.5)); /* no zeros */
  }
  l2o_problem smooth = sampled(CONVEX[2], 3, 1), composite = sampled(COMPOSITE[0], 3, 0), bounded;
  assert_status(l2o_problem_bounded(&bounded, &smooth, lower, NULL, NULL), L2O_OK, NULL);
  const struct {
    const l2o_problem *p;
    const char *rule;
  } cases[] = {{&composite, "ista"}, {&bounded, "projected-gradient"}, {&composite, "gd"}};
  double l1;
  assert_status(l2o_problem_nonsmooth(&composite, &l1, NULL, unit), L2O_OK, NULL);
  for (size_t c = 0; c < 3; c++) {
    l2o_real at[N];
    memcpy(at, x, sizeof at);
    if (c == 1) /* the start is projected */
      for (size_t i = 0; i < N; i++)
        at[i] = at[i] < lower[i] ? lower[i] : at[i];
    gradient_at(cases[c].p, g, at);
    double square = 0;
    for (size_t i = 0; i < N; i++) {
      const double z = (double)at[i] - (double)g[i];
      const double after = c == 0 ? copysign(fmax(fabs(z) - l1, 0), z) : fmax(z, (double)lower[i]);
      const double part = c == 2 ? (double)g[i] + copysign(l1, (double)at[i]) : (double)at[i] - after;
      square += part * part;
    }
    l2o_run *steps;
    l2o_record record;
    l2o_settings s = iterations(1);
    assert_status(l2o_run_new(&steps, solver_named(cases[c].rule), NULL, cases[c].p, &s, NULL), L2O_OK, NULL);
    assert_status(l2o_run_start(steps, x), L2O_OK, NULL);
    assert_status(l2o_run_record(steps, &record), L2O_OK, NULL);
    assert_close(record.gradient_norm, sqrt(square), BY_PRECISION(1e-12, 1e-5), 0);
    assert_close(record.objective, objective_at(cases[c].p, at), BY_PRECISION(1e-13, 1e-6), 0);
    l2o_run_free(steps);
  }
  l2o_problem_free(&bounded);
  l2o_problem_free(&composite);
  l2o_problem_free(&smooth);
}

static l2o_status absolute_value(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  *h = 0;
  for (size_t i = 0; i < p->n; i++) {
    *h += fabs((double)x[i]);
    if (s)
      s[i] = (l2o_real)((x[i] > 0) - (x[i] < 0));
  }
  return L2O_OK;
}

static void what_cannot_run_is_refused(void **state) {
  (void)state;
  l2o_diag diag = {""};
  l2o_real x[2] = {1, 1};
  assert_status(l2o_minimize(l2o_solver_find("lbgfs", NULL), NULL, &rosenbrock_problem, x, NULL, NULL, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "there is no solver");
  l2o_problem_ops ops = rosenbrock_ops;
  ops.nonsmooth = absolute_value;
  const l2o_problem p = {.ops = &ops, .n = 2};
  l2o_settings s = iterations(10);
  s.options = "step=1e-3";
  assert_status(l2o_minimize(solver_named("fista"), NULL, &p, x, NULL, &s, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "fista needs the prox of the nonsmooth part; problem 'rosenbrock' has none");
  l2o_result r; /* with subgradients, it goes */
  assert_status(l2o_minimize(solver_named("gd"), NULL, &p, x, &r, &s, &diag), L2O_OK, &diag);
  assert_close(r.last.objective, value_at(&p, x) + fabs((double)x[0]) + fabs((double)x[1]), 1e-12, 0);
}

/* A search that meets nothing but nonsense shortens its step until the precision is used up: that is a stall at a good point. */
static void nonsense_from_a_callback_ends_at_a_good_point(void **state) {
  (void)state;
  l2o_problem p = sampled(CONVEX[1], 10, 1);
  FOR_EVERY_VARIANT(v) {
    for (l2o_spoil kind = SPOIL_NAN; kind <= SPOIL_GRADIENT; kind++)
      for (size_t from = 1; from < 12 && !reads_a_matrix(v->solver) && runs_on(v, &p, ""); from++)
        for (int traced = 0; traced < 2; traced++) {
          l2o_real x[N] = {1, 2, 3};
          l2o_diag diag = {""};
          bool broke;
          l2o_result r = run_spoiled(v, &p, kind, from, traced, x, &broke, &diag);
          assert_status(r.status, L2O_OK, &diag);
          if (broke && r.stop != L2O_STOP_DIVERGED && r.stop != L2O_STOP_STALLED)
            fail_msg("%s, call %zu spoiled: %s", v->label, from, l2o_stop_name((int)r.stop));
          if (strcmp(v->solver->name, "gd") == 0 && !*v->options)
            assert_int_equal(r.stop, L2O_STOP_DIVERGED);
          for (size_t i = 0; i < N; i++)
            assert_true(isfinite(x[i]));
          if (from == 1 && broke)
            assert_true(x[0] == 1 && x[1] == 2 && x[2] == 3);
        }
  }
  l2o_problem_free(&p);
}

static void a_step_too_large_ends_as_diverged(void **state) {
  (void)state;
  l2o_problem p = sampled(CONVEX[2], 11, 0);
  FOR_EVERY_VARIANT(v) {
    if (!has_option(v->solver, "step") || !runs_on(v, &p, "step=1e10"))
      continue;
    l2o_real x[N] = {0};
    l2o_settings s = iterations(2000);
    s.options = options_of(v, "step=1e10");
    l2o_result r = run(v, &p, x, &s);
    for (size_t i = 0; i < N; i++)
      assert_true(isfinite(x[i]));
    assert_true(isfinite(value_at(&p, x)));
    assert_true(r.stop == L2O_STOP_DIVERGED || honest(v, r.stop));
    assert_true(r.last.objective == value_at(&p, x));
    if (strcmp(v->solver->name, "gd") == 0 && !*v->options)
      assert_int_equal(r.stop, L2O_STOP_DIVERGED);
  }
  l2o_problem_free(&p);
}

static void a_start_that_is_not_finite_is_refused(void **state) {
  (void)state;
  l2o_problem p = sampled(CONVEX[2], 11, 0);
  FOR_EVERY_VARIANT(v) {
    if (!runs_on(v, &p, ""))
      continue;
    l2o_real x[N] = {0, (l2o_real)NAN};
    l2o_result result;
    l2o_diag diag = {""};
    l2o_settings s = iterations(10);
    s.options = v->options;
    assert_status(l2o_minimize(v->solver, v->model, &p, x, &result, &s, &diag), L2O_ERR_NUMERIC, &diag);
    assert_names(&diag, "the start of problem 'quadratic' is not finite");
  }
  l2o_problem_free(&p);
}

/* ---- what is missing ---- */

static void what_a_problem_lacks_is_named(void **state) {
  (void)state;
  FOR_EVERY_VARIANT(v) {
    l2o_settings s = iterations(10);
    s.options = v->options;
    l2o_diag diag = {""};
    l2o_run *steps = (l2o_run *)&diag;
    if (v->solver->needs & L2O_NEEDS_GRADIENT) {
      assert_status(l2o_run_new(&steps, v->solver, v->model, &values_only_problem, &s, &diag), L2O_ERR_NOTSUP, NULL);
      assert_null(steps);
      assert_names(&diag, v->solver->name);
      assert_names(&diag, "'values-only'");
      assert_names(&diag, "try zo-align, gsl-nmsimplex2");
    }
    if ((v->solver->needs & L2O_NEEDS_HESSIAN)) {
      assert_status(l2o_run_new(&steps, v->solver, v->model, &rosenbrock_problem, &s, &diag), L2O_ERR_NOTSUP, NULL);
      assert_names(&diag, "needs Hessian-vector products; problem 'rosenbrock' has none");
    }
    if (l2o_run_new(&steps, v->solver, v->model, &rosenbrock_problem, &s, &diag) == L2O_OK)
      l2o_run_free(steps); /* takes its step from elsewhere */
    else if (reads_a_matrix(v->solver)) {
      assert_names(&diag, "reads the matrix of 1/2 |A x - y|^2; problem 'rosenbrock' has none; try ista");
    } else if (v->solver->needs & L2O_NEEDS_LAYERS) { /* tests/solvers/test_layer_probes.c is theirs */
      assert_names(&diag, "perturbs layers, and problem 'rosenbrock' is not made of layers that it can see; try zo-avg");
    } else if (v->solver->needs & L2O_NEEDS_STEP) {
      steps = (l2o_run *)&diag;
      assert_status(l2o_run_new(&steps, v->solver, v->model, &rosenbrock_problem, &s, &diag), L2O_ERR_NOTSUP, NULL);
      assert_null(steps);
      assert_names(&diag, v->solver->name);
      assert_names(&diag, "'rosenbrock' has no Lipschitz constant");
      assert_names(&diag, "step=");
    }
    if (v->model) {
      l2o_real x[2] = {0};
      l2o_result result;
      s.options = options_of(v, "step=1e-3");
      assert_status(l2o_minimize(v->solver, NULL, &rosenbrock_problem, x, &result, &s, &diag), L2O_ERR_ARG, NULL);
      assert_names(&diag, "needs a model");
      for (size_t i = 0; i < variant_count; i++)
        if (variants[i].model && strcmp(l2o_model_kind_name(variants[i].model), v->solver->model_kind) != 0) {
          assert_status(l2o_minimize(v->solver, variants[i].model, &rosenbrock_problem, x, &result, &s, &diag), L2O_ERR_ARG, NULL);
          assert_names(&diag, v->solver->model_kind);
          assert_names(&diag, l2o_model_kind_name(variants[i].model));
        }
    }
  }
}

static l2o_status wild_lipschitz(const l2o_problem *p, double *constant) {
  *constant = *(const double *)p->data;
  return L2O_OK;
}

static void a_lipschitz_constant_that_is_none_is_refused(void **state) {
  (void)state;
  static const double constants[] = {0, -1, (double)INFINITY, (double)NAN};
  l2o_problem_ops ops = rosenbrock_ops;
  ops.lipschitz = wild_lipschitz;
  for (size_t i = 0; i < 4; i++) {
    const l2o_problem p = {.ops = &ops, .data = &constants[i], .n = 2};
    l2o_run *steps;
    l2o_diag diag = {""};
    assert_status(l2o_run_new(&steps, solver_named("gd"), NULL, &p, NULL, &diag), L2O_ERR_NUMERIC, NULL);
    assert_null(steps);
    assert_names(&diag, "gd: the Lipschitz constant of problem 'rosenbrock' is not a positive finite number");
  }
}

static void bad_options_are_named(void **state) {
  (void)state;
  static const struct {
    const char *text, *sentence;
  } cases[] = {
      {"stepp=1", "has no option 'stepp'; did you mean 'step'?"},
      {"zzzzzz=1", "has no option 'zzzzzz'"},
      {"step", "'step' is not an option; expected key=value"},
      {"step=", "step = : expected a number"},
      {"step=fast", "step = fast: expected a number"},
      {"step=nan", "step = nan: expected a number"},
      {"step=-1", "step = -1: expected a number from 0 to"},
      {"step=0.1x", "step = 0.1x: expected a number"},
      {"step=0.1,step=0.2", "option 'step' is given twice"},
  };
  l2o_problem p = sampled(CONVEX[0], 1, 0);
  FOR_EVERY_VARIANT(v) {
    if (!(v->solver->needs & L2O_NEEDS_STEP) || (v->solver->needs & L2O_NEEDS_LAYERS))
      continue;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      l2o_settings s = iterations(1);
      l2o_diag diag = {""};
      l2o_run *steps = (l2o_run *)&diag;
      s.options = options_of(v, cases[i].text);
      assert_status(l2o_run_new(&steps, v->solver, v->model, &p, &s, &diag), L2O_ERR_ARG, NULL);
      assert_null(steps);
      assert_names(&diag, v->solver->name);
      assert_names(&diag, cases[i].sentence);
    }
  }
  l2o_diag diag = {""};
  assert_null(l2o_solver_find("nestorov", &diag));
  assert_names(&diag, "there is no solver 'nestorov'; did you mean 'nesterov'?");
  assert_null(l2o_solver_find("simulated-annealing", &diag));
  assert_string_equal(diag.text, "there is no solver 'simulated-annealing'");
  l2o_problem_free(&p);
}

static void the_step_option_is_the_step(void **state) {
  (void)state;
  l2o_problem p = sampled(CONVEX[1], 12, 0);
  double constant;
  assert_status(l2o_problem_lipschitz(&p, &constant), L2O_OK, NULL);
  FOR_EVERY_VARIANT(v) { /* step_scale / L, said in words; rules that draw make their step from more than L */
    if (draws(v) || !(v->solver->needs & L2O_NEEDS_STEP) || !has_option(v->solver, "step_scale") || *v->options)
      continue;
    l2o_real by_default[N] = {0}, by_option[N] = {0}, shorter[N] = {0};
    char text[64];
    l2o_settings s = iterations(3);
    run(v, &p, by_default, &s);
    snprintf(text, sizeof text, "step=%.17g", 0.9999 / constant);
    s.options = options_of(v, text);
    run(v, &p, by_option, &s);
    assert_same_reals(by_default, by_option, N);
    snprintf(text, sizeof text, "step=%.17g", 0.5 / constant);
    s.options = options_of(v, text);
    run(v, &p, shorter, &s);
    assert_true(memcmp(by_default, shorter, sizeof shorter) != 0);
  }
  l2o_real x[N] = {0}, g[N], zero[N] = {0}; /* x_1 = x_0 - step grad f(x_0) */
  l2o_settings s = iterations(1);
  s.options = "step=0.25";
  assert_status(l2o_minimize(solver_named("gd"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  gradient_at(&p, g, zero);
  for (size_t i = 0; i < N; i++)
    assert_true(x[i] == -(l2o_real)0.25 * g[i]);
  memset(x, 0, sizeof x);
  s.options = "step_scale=0.5";
  assert_status(l2o_minimize(solver_named("gd"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < N; i++)
    assert_close(x[i], -0.5 / constant * (double)g[i], BY_PRECISION(1e-15, 1e-6), 0);
  l2o_problem_free(&p);
}

static void defaults_and_old_callers(void **state) {
  (void)state;
  l2o_problem p = sampled(CONVEX[1], 12, 1);
  l2o_real a[N] = {0}, b[N] = {0};
  l2o_result result;
  assert_status(l2o_minimize(solver_named("gd"), NULL, &p, a, &result, NULL, NULL), L2O_OK, NULL); /* no settings at all */
  assert_int_equal(result.last.iteration, 1000);
  l2o_settings s; /* a caller who was compiled before most fields were there */
  memset(&s, 0xff, sizeof s);
  s.struct_size = offsetof(l2o_settings, calls);
  s.options = NULL;
  s.iterations = 1000;
  assert_status(l2o_minimize(solver_named("gd"), NULL, &p, b, NULL, &s, NULL), L2O_OK, NULL);
  assert_same_reals(a, b, N);
  l2o_problem_free(&p);
}

/* ---- many problems ---- */

enum { MANY = 6 };
/* Six problems of several sizes, among them large ones: BLAS would split these over threads if it were let. */
static size_t many_problems(l2o_problem *problems) {
  static const char *const specs[MANY] = {"qp:n=8,m=5",      "qp:n=300,m=200", "quadratic:n=5",
                                          "quadratic:n=250", "qp:n=1,m=1",     "qp:n=20,m=40"};
  size_t reals = 0;
  for (size_t i = 0; i < MANY; i++) {
    problems[i] = sampled(specs[i], 13, i);
    reals += problems[i].n;
  }
  return reals;
}

static void many_at_once_equal_one_by_one(void **state) {
  (void)state;
  l2o_problem problems[MANY];
  size_t reals = many_problems(problems);
  l2o_real *x = malloc(3 * reals * sizeof *x);
  FOR_EVERY_VARIANT(v) {
    bool runs = true;
    for (size_t i = 0; i < MANY; i++)
      runs = runs && runs_on(v, &problems[i], "");
    if (!runs)
      continue;
    l2o_result results[3][MANY];
    memset(x, 0, 3 * reals * sizeof *x);
    for (int threads = 1; threads <= 2; threads++) {
      l2o_settings s = iterations(15);
      s.options = v->options, s.threads = threads;
      assert_status(
          l2o_solve_many(v->solver, v->model, problems, MANY, x + (size_t)(threads - 1) * reals, results[threads - 1], &s, NULL),
          L2O_OK, NULL);
    }
    l2o_settings s = iterations(15);
    for (size_t i = 0, at = 2 * reals; i < MANY; at += problems[i++].n)
      results[2][i] = run(v, &problems[i], x + at, &s);
    assert_same_reals(x, x + reals, reals);
    if (!draws(v)) /* whose streams differ by the number of the instance */
      assert_same_reals(x, x + 2 * reals, reals);
    for (size_t i = 0; i < MANY; i++)
      for (int j = 1; j < (draws(v) ? 2 : 3); j++) {
        assert_int_equal(results[0][i].stop, results[j][i].stop);
        assert_true(results[0][i].last.objective == results[j][i].last.objective);
        assert_int_equal(results[0][i].last.value_calls, results[j][i].last.value_calls);
        assert_int_equal(results[0][i].last.fallbacks, results[j][i].last.fallbacks);
      }
  }
  free(x);
  for (size_t i = 0; i < MANY; i++)
    l2o_problem_free(&problems[i]);
}

static void sampling_does_not_depend_on_who_asks(void **state) {
  (void)state;
  static const char *const specs[] = {"qp:n=60,m=40", "quadratic:n=40"};
  for (size_t i = 0; i < 2; i++) {
    l2o_family *family = family_of(specs[i]);
    double constant[2][4], fstar[2][4];
    for (int inside = 0; inside < 2; inside++) {
#pragma omp parallel for schedule(static) num_threads(2) if (inside)
      for (int j = 0; j < 4; j++) {
        l2o_problem p;
        if (l2o_family_sample(family, &p, 3, L2O_PURPOSE_TRAIN, (uint64_t)j, NULL) == L2O_OK) {
          l2o_problem_lipschitz(&p, &constant[inside][j]);
          l2o_problem_minimum(&p, &fstar[inside][j], NULL);
          l2o_problem_free(&p);
        }
      }
    }
    assert_memory_equal(constant[0], constant[1], sizeof constant[0]);
    assert_memory_equal(fstar[0], fstar[1], sizeof fstar[0]);
    l2o_family_free(family);
  }
}

static void one_bad_problem_does_not_stop_the_others(void **state) {
  (void)state;
  l2o_problem good = sampled(CONVEX[0], 14, 0);
  watcher failing[2];
  for (int i = 0; i < 2; i++) {
    watch(&failing[i], &good);
    failing[i].from = 3, failing[i].spoil = SPOIL_FAIL;
  }
  const l2o_problem problems[] = {good, good, failing[0].problem, good, values_only_problem};
  for (int threads = 1; threads <= 2; threads++) {
    l2o_real x[4 * N + 3] = {0}, alone[N] = {0};
    l2o_result results[5];
    l2o_diag diag = {""};
    l2o_settings s = iterations(9);
    s.threads = threads;
    failing[0].values = failing[0].gradients = 0;
    assert_status(l2o_solve_many(solver_named("gd"), NULL, problems, 5, x, results, &s, &diag), L2O_ERR_CALLBACK, NULL);
    assert_names(&diag, "problem 2: gd: an operation of problem 'watched' reported a failure");
    assert_status(l2o_minimize(solver_named("gd"), NULL, &good, alone, NULL, &s, NULL), L2O_OK, NULL);
    for (size_t i = 0; i < 4; i++) {
      assert_int_equal(results[i].status, i == 2 ? L2O_ERR_CALLBACK : L2O_OK);
      if (i != 2)
        assert_same_reals(x + i * N, alone, N);
    }
    assert_int_equal(results[4].status, L2O_ERR_NOTSUP);
  }
  l2o_problem_free(&good);
}

static int note_instance(void *context, const l2o_record *record, const l2o_real *x, size_t instance) {
  size_t(*seen)[2] = context; /* [instance][0]: calls; [1]: largest iteration. One thread has one instance at a time. */
  (void)x;
  seen[instance][0]++;
  seen[instance][1] = record->iteration;
  return instance == 3 && record->iteration == 2;
}

static void many_have_a_trace_and_a_callback_each(void **state) {
  (void)state;
  l2o_problem problems[MANY];
  size_t reals = many_problems(problems), seen[MANY][2] = {{0}};
  l2o_real *x = calloc(reals, sizeof *x);
  l2o_trace *traces[MANY];
  l2o_result results[MANY];
  for (size_t i = 0; i < MANY; i++)
    assert_status(l2o_trace_new(&traces[i], 6, 0), L2O_OK, NULL);
  l2o_settings s = iterations(5);
  s.traces = traces, s.callback = note_instance, s.context = seen, s.threads = 2;
  assert_status(l2o_solve_many(solver_named("nesterov"), NULL, problems, MANY, x, results, &s, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < MANY; i++) {
    size_t count;
    const l2o_record *r = l2o_trace_records(traces[i], &count);
    assert_int_equal(count, i == 3 ? 3 : 6);
    assert_int_equal(seen[i][0], count);
    assert_int_equal(seen[i][1], count - 1);
    assert_true(r[count - 1].objective == results[i].last.objective);
    assert_int_equal(results[i].stop, i == 3 ? L2O_STOP_USER : L2O_STOP_ITERATIONS);
    l2o_trace_free(traces[i]);
    l2o_problem_free(&problems[i]);
  }
  free(x);
  assert_status(l2o_solve_many(solver_named("gd"), NULL, NULL, 0, NULL, NULL, NULL, NULL), L2O_OK, NULL); /* none at all */
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  l2o_problem p = sampled(CONVEX[0], 15, 0);
  FOR_EVERY_VARIANT(v) {
    if (!runs_on(v, &p, ""))
      continue;
    l2o_settings s = iterations(3);
    s.options = v->options;
    for (size_t n = 1;; n++) {
      l2o_diag diag = {""};
      l2o_run *steps = (l2o_run *)&diag;
      allocations_watch(n);
      l2o_status status = l2o_run_new(&steps, v->solver, v->model, &p, &s, &diag);
      if (!status)
        l2o_run_free(steps);
      allocations seen = allocations_seen();
      assert_int_equal(seen.live, 0);
      if (seen.calls < n) {
        assert_status(status, L2O_OK, &diag);
        assert_int_equal(n, 2); /* one block a run */
        break;
      }
      assert_status(status, L2O_ERR_NOMEM, &diag);
      assert_null(steps);
      assert_names(&diag, "out of memory");
    }
  }
  for (size_t n = 1;; n++) {
    l2o_trace *trace = (l2o_trace *)&p;
    allocations_watch(n);
    l2o_status status = l2o_trace_new(&trace, 5, 3);
    if (!status)
      l2o_trace_free(trace);
    allocations seen = allocations_seen();
    assert_int_equal(seen.live, 0);
    if (seen.calls < n)
      break;
    assert_status(status, L2O_ERR_NOMEM, NULL);
    assert_null(trace);
  }
  l2o_trace *trace = (l2o_trace *)&p;
  assert_status(l2o_trace_new(&trace, SIZE_MAX / 4, 1000), L2O_ERR_NOMEM, NULL);
  assert_null(trace);
  l2o_problem_free(&p);
}

/* ---- what the theory says of the hand-made rules ---- */

/* Diagonal quadratic: coordinate i of gradient descent is x*_i + (1 - s lambda_i)^k (x_0 - x*)_i. */
static void gd_converges_at_the_rate_of_theory(void **state) {
  (void)state;
  static const l2o_real lambda[] = {1, (l2o_real)0.5, (l2o_real)0.1, (l2o_real)0.01}, b[] = {1, -2, (l2o_real)0.3, (l2o_real)0.04};
  l2o_real A[16] = {0}, x[4] = {0};
  for (size_t i = 0; i < 4; i++)
    A[5 * i] = lambda[i];
  l2o_problem p;
  assert_status(l2o_quadratic_new(&p, A, b, NULL, 0, 4, NULL), L2O_OK, NULL);
  for (size_t k = 1; k < 400; k *= 3) {
    memset(x, 0, sizeof x);
    l2o_settings s = iterations(k);
    assert_status(l2o_minimize(solver_named("gd"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
    for (size_t i = 0; i < 4; i++) {
      double minimiser = (double)b[i] / (double)lambda[i];
      assert_close(x[i], minimiser * (1 - pow(1 - 0.9999 * (double)lambda[i], (double)k)), BY_PRECISION(1e-12, 1e-5),
                   BY_PRECISION(1e-13, 1e-6));
    }
  }
  l2o_problem_free(&p);
}

/* f(x_k) - f* <= 2 |x_0 - x*|^2 / (s (k + 1)^2) (Beck and Teboulle, theorem 4.4), while gradient descent takes far longer here. */
static void nesterov_keeps_its_bound(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=40,condition=1e5", 16, 0);
  l2o_real x[40] = {0}, xstar[40];
  double fstar, distance = 0;
  assert_status(l2o_problem_minimum(&p, &fstar, xstar), L2O_OK, NULL);
  for (size_t i = 0; i < 40; i++)
    distance += (double)xstar[i] * (double)xstar[i];
  l2o_trace *trace;
  assert_status(l2o_trace_new(&trace, 301, 0), L2O_OK, NULL);
  l2o_settings s = iterations(300);
  s.traces = &trace;
  assert_status(l2o_minimize(solver_named("nesterov"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  const l2o_record *r = l2o_trace_records(trace, NULL);
  for (size_t k = 1; k <= 300; k++)
    assert_true(r[k].objective - fstar <= 2 * distance / (0.9999 * (double)((k + 1) * (k + 1))));
  double nesterov = r[300].objective - fstar;
  memset(x, 0, sizeof x);
  assert_status(l2o_minimize(solver_named("gd"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  assert_true(nesterov < 0.1 * (r[300].objective - fstar));
  l2o_trace_free(trace);
  l2o_problem_free(&p);
}

static void nesterov_steps_as_published(void **state) {
  (void)state;
  l2o_problem p = sampled(CONVEX[2], 17, 1);
  l2o_real x[N] = {0}, at[N], g[N];
  double now[N] = {0}, y[N] = {0}, t = 1;
  l2o_settings s = iterations(6);
  s.options = "step=0.9";
  assert_status(l2o_minimize(solver_named("nesterov"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  for (int k = 0; k < 6; k++) {
    const double next = (1 + sqrt(1 + 4 * t * t)) / 2;
    for (size_t i = 0; i < N; i++)
      at[i] = (l2o_real)y[i];
    gradient_at(&p, g, at);
    for (size_t i = 0; i < N; i++) {
      double moved = y[i] - 0.9 * (double)g[i];
      y[i] = moved + (t - 1) / next * (moved - now[i]);
      now[i] = moved;
    }
    t = next;
  }
  for (size_t i = 0; i < N; i++)
    assert_close(x[i], now[i], BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-14, 1e-6));
  l2o_problem_free(&p);
}

static void adam_steps_as_published(void **state) {
  (void)state;
  l2o_problem p = sampled(CONVEX[2], 17, 0);
  l2o_real x[N] = {0}, g[N];
  double y[N] = {0}, m[N] = {0}, v[N] = {0};
  l2o_settings s = iterations(5);
  s.options = "step=0.1,beta1=0.8,beta2=0.95,epsilon=1e-3";
  assert_status(l2o_minimize(solver_named("adam"), NULL, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  for (int t = 1; t <= 5; t++) {
    l2o_real at[N];
    for (size_t i = 0; i < N; i++)
      at[i] = (l2o_real)y[i];
    gradient_at(&p, g, at);
    for (size_t i = 0; i < N; i++) {
      m[i] = 0.8 * m[i] + 0.2 * (double)g[i];
      v[i] = 0.95 * v[i] + 0.05 * (double)g[i] * (double)g[i];
      y[i] -= 0.1 * (m[i] / (1 - pow(0.8, t))) / (sqrt(v[i] / (1 - pow(0.95, t))) + 1e-3);
    }
  }
  for (size_t i = 0; i < N; i++)
    assert_close(x[i], y[i], BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-14, 1e-6));
  s.options = "epsilon=0"; /* at a point without gradient: stays there, instead of 0 / 0 */
  const l2o_real identity[] = {1}, b[] = {0};
  l2o_problem flat;
  assert_status(l2o_quadratic_new(&flat, identity, b, NULL, 0, 1, NULL), L2O_OK, NULL);
  l2o_real zero = 0;
  l2o_result result;
  assert_status(l2o_minimize(solver_named("adam"), NULL, &flat, &zero, &result, &s, NULL), L2O_OK, NULL);
  assert_true(zero == 0 && result.stop == L2O_STOP_ITERATIONS);
  l2o_problem_free(&flat);
  l2o_problem_free(&p);
}

/* Output weights of zero: p = 1, and the rule is the one that it grew from, bit for bit. */
static void an_untrained_rule_is_its_classical_rule(void **state) {
  (void)state;
  static const struct {
    const char *kind, *model, *classical;
  } made[] = {{"math-l2o-gd", "expansion=100,scale=sigmoid2", NULL},
              {"math-l2o-nesterov", "expansion=100,scale=sigmoid2", NULL},
              {"bfgs-lstm", "hidden=6,p_high=7.3", "line_search=unit,rescale=off"}};
  size_t learned = 0;
  for (const l2o_solver *const *rule = l2o_solver_list(); *rule; rule++) {
    /* those that read a matrix: tests/unit/test_unrolled.c; the heads of go-math-l2o and l2o-pa come near ista, but not to it */
    if (!((*rule)->needs & L2O_NEEDS_MODEL) || reads_a_matrix(*rule) || is_a_black_box(*rule) ||
        strcmp((*rule)->name, "go-math-l2o") == 0 || strcmp((*rule)->name, "l2o-pa") == 0 ||
        strcmp((*rule)->name, "power-control-mlp") == 0 || /* a regression: it has no classical step in it */
        strcmp((*rule)->classical, "fastfp") == 0)         /* for one family: test_sum_rate_learned.c, test_deepfp.c */
      continue;
    size_t k = 0;
    while (k < sizeof made / sizeof *made && strcmp(made[k].kind, (*rule)->model_kind) != 0)
      k++;
    assert_true(k < sizeof made / sizeof *made);
    char spec[64];
    snprintf(spec, sizeof spec, "%s:%s", made[k].kind, made[k].model);
    l2o_model *model = model_of(spec, 118);
    for (size_t i = 0; i < CONVEX_COUNT; i++) {
      l2o_problem p = sampled(CONVEX[i], 18, i);
      l2o_real x[2][N] = {{0}};
      l2o_trace *traces[2];
      for (int which = 0; which < 2; which++) {
        l2o_settings s = iterations(60);
        assert_status(l2o_trace_new(&traces[which], 61, N), L2O_OK, NULL);
        s.traces = &traces[which];
        s.options = which ? NULL : made[k].classical;
        assert_status(
            l2o_minimize(which ? *rule : solver_named((*rule)->classical), which ? model : NULL, &p, x[which], NULL, &s, NULL),
            L2O_OK, NULL);
      }
      /* a classical rule that searches notices the end of its precision, and does something about it */
      size_t count;
      const l2o_record *r = l2o_trace_records(traces[0], &count);
      size_t steps = 0;
      while (steps + 1 < count && (!made[k].classical || r[steps + 1].gradient_norm > 1e-6 * r[0].gradient_norm))
        steps++;
      assert_true(steps >= 5);
      assert_same_reals(l2o_trace_iterates(traces[0]), l2o_trace_iterates(traces[1]), (steps + 1) * N);
      l2o_trace_free(traces[0]);
      l2o_trace_free(traces[1]);
      l2o_problem_free(&p);
    }
    l2o_model_free(model);
    learned++;
  }
  assert_true(learned >= 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_known_minimum_is_reached),
      cmocka_unit_test(the_minimum_is_kept),
      cmocka_unit_test(functions_without_a_slope_and_without_an_end),
      cmocka_unit_test(bounds_are_kept_or_refused),
      cmocka_unit_test(monotone_rules_never_rise),
      cmocka_unit_test(the_unit_of_f_does_not_matter),
      cmocka_unit_test(values_are_enough_for_rules_that_need_no_gradient),
      cmocka_unit_test(minibatches_repeat_and_records_are_whole),
      cmocka_unit_test(rosenbrock_ends_honestly),
      cmocka_unit_test(the_functions_of_1981_are_minimised),
      cmocka_unit_test(the_last_record_is_that_of_the_point),
      cmocka_unit_test(calls_are_counted),
      cmocka_unit_test(a_trace_does_not_change_the_run),
      cmocka_unit_test(a_repeat_gives_the_same_bits),
      cmocka_unit_test(no_allocation_in_a_step),
      cmocka_unit_test(limits_end_the_run),
      cmocka_unit_test(a_failing_callback_surfaces),
      cmocka_unit_test(the_record_of_a_failed_run_is_that_of_its_point),
      cmocka_unit_test(what_cannot_run_is_refused),
      cmocka_unit_test(a_broken_step_ends_where_it_began),
      cmocka_unit_test(stationarity_is_measured_as_documented),
      cmocka_unit_test(nonsense_from_a_callback_ends_at_a_good_point),
      cmocka_unit_test(a_step_too_large_ends_as_diverged),
      cmocka_unit_test(a_start_that_is_not_finite_is_refused),
      cmocka_unit_test(what_a_problem_lacks_is_named),
      cmocka_unit_test(a_lipschitz_constant_that_is_none_is_refused),
      cmocka_unit_test(bad_options_are_named),
      cmocka_unit_test(the_step_option_is_the_step),
      cmocka_unit_test(defaults_and_old_callers),
      cmocka_unit_test(many_at_once_equal_one_by_one),
      cmocka_unit_test(sampling_does_not_depend_on_who_asks),
      cmocka_unit_test(one_bad_problem_does_not_stop_the_others),
      cmocka_unit_test(many_have_a_trace_and_a_callback_each),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(gd_converges_at_the_rate_of_theory),
      cmocka_unit_test(nesterov_keeps_its_bound),
      cmocka_unit_test(nesterov_steps_as_published),
      cmocka_unit_test(adam_steps_as_published),
      cmocka_unit_test(an_untrained_rule_is_its_classical_rule),
  };
  return cmocka_run_group_tests(tests, make_variants, free_variants);
}
