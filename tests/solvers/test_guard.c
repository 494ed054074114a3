/* SPDX-License-Identifier: BSD-3-Clause */
/* What the guard of learned rules promises, kept under weights and rules that do their worst: docs/guides/guard.md. Nothing is
 * trained. Every learned rule of the registry is run under watch: what it and its classical rule propose is noted, and the guard's
 * decision made again from f alone. */
#include "l2o_fixtures.h"

enum { N = 12, STEPS = 150 };

/* ---- problems ---- */

typedef struct place {
  const char *spec;
  const char *step;     /* for rules with a base step, where L is not known */
  double mu, condition; /* strong convexity: mu, or L / condition */
  bool solved;          /* l2o-bfgs with guard=descent gets to the minimum in STEPS steps */
} place;

static const place PLACES[] = {
    {"quadratic:n=8,condition=20", "", 0, 20, true},
    {"quadratic:n=8,condition=1e4", "", 0, 1e4, false},
    {"qp:n=8,m=12", "", 0, 0, true},
    {"qp:n=8,m=5", "", 0, 0, true},
    {"least-squares:n=8,m=16,ridge=0.1", "", 0.1, 0, true},
    {"least-squares:n=8,m=16,condition=1000", "", 0, 0, false},
    {"logistic:n=8,m=40,l2=0.1", "", 0.1, 0, true},
    {"log-sum-exp:n=8,m=30,mu=0.1", "", 0.1, 0, true},
    {"softmax:n=4,m=30,classes=3,l2=0.1", "", 0.1, 0, true},
    {"geman-mcclure:n=6", "", 0, 0, false},
    {"rosenbrock:n=4", "step=1e-3", 0, 0, false},
    {"more-garbow-hillstrom:function=beale", "step=1e-3", 0, 0, false},
    {"more-garbow-hillstrom:function=powell-singular", "step=1e-3", 0, 0, false},
    {"more-garbow-hillstrom:function=brown-dennis", "step=1e-3", 0, 0, false}, /* gd breaks down */
    {"more-garbow-hillstrom:function=broyden-tridiagonal", "step=1e-2", 0, 0, false},
    {"more-garbow-hillstrom:function=brown-badly-scaled", "step=1e-13", 0, 0, false},
    {"more-garbow-hillstrom:function=box-3d", "step=1e4", 0, 0, false}, /* gd breaks down at once */
};
#define FOR_EVERY_PLACE(p) for (const place *p = PLACES; p < PLACES + sizeof PLACES / sizeof *PLACES; p++)

/* ---- rules ---- */

/* What a rule made for the test does to x, g being the gradient there. */
enum { STILL, ORTHOGONAL, UPWARDS, FAR, NOT_A_NUMBER, INFINITE, BREAKS, STALLS, SHORT, LONG, RANDOM, WAYS };
static const char *const WAY_NAMES[] = {"still",  "orthogonal", "upwards", "far",  "not a number", "infinite",
                                        "breaks", "stalls",     "short",   "long", "random"};
static int way;

static l2o_status wayward_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const size_t n = it->n;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  const l2o_real s = it->step > 0 ? (l2o_real)it->step : (l2o_real)0.01;
  for (size_t i = 0; i < n; i++) {
    const l2o_real g = it->g[i], turned = i % 2 ? -it->g[i - 1] : i + 1 < n ? it->g[i + 1] : 0;
    const l2o_real by[WAYS] = {0,
                               s * turned,
                               s * g,
                               (l2o_real)1e12,
                               (l2o_real)NAN,
                               (l2o_real)INFINITY,
                               0,
                               0,
                               -s * g / 4,
                               -s * g * (l2o_real)1.5,
                               -2 * s * g * (l2o_real)l2o_rng_uniform(it->rng)};
    it->x[i] += by[way];
  }
  if (way == STALLS)
    *stop = L2O_STOP_STALLED;
  return way == BREAKS ? L2O_ERR_NUMERIC : L2O_OK;
}
static void halving(const l2o_iterate *it, char *out, size_t size) {
  (void)it;
  snprintf(out, size, "line_search=halving");
}
static const l2o_option wayward_options[] = {{"step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "base step"},
                                             {"step_scale", L2O_OPTION_REAL, 0.9999, 1e-12, 1e6, NULL, "step size times L"},
                                             {"guard", L2O_OPTION_CHOICE, 0, 0, 0, "off|descent|shadow", "guard"},
                                             {"batch", L2O_OPTION_INT, 0, 0, 1e9, NULL, "summands"},
                                             {0}};
#define WAYWARD(from, wants)                                                                                                       \
  {                                                                                                                                \
    .struct_size = sizeof(l2o_solver), .name = "wayward-" from, .needs = L2O_NEEDS_GRADIENT | (wants), .options = wayward_options, \
    .step = wayward_step, .classical = from                                                                                        \
  }
static const l2o_solver WAYWARD_GD = WAYWARD("gd", L2O_NEEDS_STEP), WAYWARD_NESTEROV = WAYWARD("nesterov", L2O_NEEDS_STEP);

/* Weights that are of no use, or worse. */
typedef struct adversary {
  const char *kind; /* of model; NULL: any */
  const char *name, *options;
  double spread;      /* of random weights */
  double output;      /* what the output is made of, where it is not 0: w3, or the last bias */
  bool breaks_itself; /* without a guard the run diverges */
} adversary;

#ifdef L2O_SINGLE
#define HUGE_WEIGHT 1e30
#else
#define HUGE_WEIGHT 1e300
#endif

static const adversary ADVERSARIES[] = {
    {NULL, "tiny random", "", 0.1, 0, false},
    {NULL, "random", "", 0.6, 0, false},
    {NULL, "large random", "", 30, 0, false},
    {"math-l2o-", "random identity", ",scale=identity", 0.6, 0, false},
    {"math-l2o-", "random exp", ",scale=exp", 1, 0, false},
    {"math-l2o-", "steps near zero", ",scale=sigmoid", 1, -1e3, false},
    {"math-l2o-", "steps upwards", ",scale=identity", 1, -1, true},
    {"math-l2o-", "huge steps upwards", ",scale=identity", 1, -1e4, true},
    {"math-l2o-", "overflow", ",scale=exp", 1, 1e4, true},
    {"math-l2o-", "huge weights", ",scale=identity", HUGE_WEIGHT, 0, true},
    {"bfgs-lstm", "steps of nothing", ",gate=0,safeguard=0", 0, -1e4, false},
    {"bfgs-lstm", "steps near zero", ",gate=0,safeguard=0,output=clip,p_low=1e-9", 0, -1e4, false},
    {"bfgs-lstm", "hundredfold steps", ",gate=0,safeguard=0,output=clip,p_high=100", 0, 1e4, true},
    {"bfgs-lstm", "nothing or a hundredfold", ",gate=0,safeguard=0,output=clip,p_high=100", 30, 0, false},
    {"bfgs-lstm", "one random factor for all", ",steps=scalar,output=clip,p_high=9", 3, 0, false},
    {"bfgs-lstm", "huge weights", ",gate=0,safeguard=0,output=clip", HUGE_WEIGHT, 0, false},
    {"bfgs-lstm", "huge weights, kept to descent", "", HUGE_WEIGHT, 0, false},
};
enum { ADVERSARY_COUNT = sizeof ADVERSARIES / sizeof *ADVERSARIES };

static l2o_model *model_by(const char *kind, const adversary *a, uint64_t seed) {
  char spec[128];
  snprintf(spec, sizeof spec, "%s:hidden=%d%s", kind, strstr(kind, "math-l2o-") ? 32 : 4, a->options);
  l2o_model *model = model_of(spec, 0);
  randomise(model, seed, a->spread);
  if (a->output != 0) {
    size_t count;
    l2o_model_parameters(model, &count);
    double *w = weights_of(model);
    if (strstr(kind, "math-l2o-")) { /* W1 that no coordinate is dead for, W2 positive: the output is w3 times something positive */
      memcpy(w, (double[]){1, -1, 0.1, 0.1}, 4 * sizeof *w);
      for (size_t j = 4; j < 4 + 2 * 32; j++)
        w[j] = fabs(w[j]) + 0.1;
      for (size_t j = 0; j < 32; j++)
        w[4 + 2 * 32 + j] = a->output;
    } else {
      w[tensor_named(model, "head.bias").offset] = a->output;
    }
    assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
    free(w);
  }
  return model;
}

/* A rule with what it does at its worst. */
typedef struct villain {
  const l2o_solver *solver;
  l2o_model *model;
  int way;
  char label[80];
} villain;
static villain villains[120];
static size_t villain_count;
#define FOR_EVERY_VILLAIN(v) for (const villain *v = villains; v < villains + villain_count; v++)

static villain *add(const l2o_solver *solver, l2o_model *model, const char *name) {
  assert_true(villain_count < sizeof villains / sizeof *villains);
  villain *v = &villains[villain_count++];
  *v = (villain){.solver = solver, .model = model};
  snprintf(v->label, sizeof v->label, "%s, %s", solver->name, name);
  return v;
}

static int gather(void **state) {
  (void)state;
  for (const l2o_solver *const *s = l2o_solver_list(); *s; s++)
    for (size_t i = 0; i < ADVERSARY_COUNT && ((*s)->needs & L2O_NEEDS_MODEL); i++)
      if (strstr((*s)->model_kind, "lista")) /* for one matrix each: tests/unit/test_unrolled.c */
        continue;
      else if (strcmp((*s)->name, "power-control-mlp") == 0 || strcmp((*s)->classical, "fastfp") == 0)
        continue; /* for one family each: tests/unit/test_power_mlp.c, test_sum_rate_learned.c, test_deepfp.c */
      else if (!ADVERSARIES[i].kind || strstr((*s)->model_kind, ADVERSARIES[i].kind))
        add(*s, model_by((*s)->model_kind, &ADVERSARIES[i], 5 + i), ADVERSARIES[i].name);
  for (int i = 0; i < WAYS; i++) {
    add(&WAYWARD_GD, NULL, WAY_NAMES[i])->way = i;
    add(&WAYWARD_NESTEROV, NULL, WAY_NAMES[i])->way = i;
  }
  return 0;
}
static int dismiss(void **state) {
  (void)state;
  while (villain_count)
    l2o_model_free(villains[--villain_count].model);
  return 0;
}

/* Does the rule, or the classical one for its guard, take a step from the caller? */
static bool has_step(const l2o_solver *solver) {
  return (solver->needs | solver_named(solver->classical)->needs) & L2O_NEEDS_STEP;
}

/* ---- rules under watch ---- */

/* What was proposed in a step, before the guard decided. */
typedef struct proposal {
  l2o_real x[N], x_c[N], x_plus[N];
  double f, f_c;
  l2o_status status_c, status; /* of the classical point and of the learned step */
  l2o_stop stop_c, stop;
  size_t fell; /* how often the rule was told to fall back */
} proposal;
static proposal seen[STEPS + 1];
static size_t proposals, starts;
static bool searched; /* the classical point of the step to come is noted */
static const l2o_solver *under_watch;

static l2o_status watched_init(l2o_iterate *it) {
  starts++;
  return under_watch->init ? under_watch->init(it) : L2O_OK;
}
static l2o_status watched_point(l2o_iterate *it, l2o_real *x_c, double *f_c, l2o_stop *stop) {
  proposal *now = &seen[proposals];
  *now = (proposal){0};
  memcpy(now->x, it->x, it->n * sizeof *it->x);
  l2o_real g[N];
  const double f = it->f;
  assert_true(it->has_gradient);
  memcpy(g, it->g, it->n * sizeof *g);
  now->status_c = under_watch->classical_point(it, x_c, f_c, stop);
  now->stop_c = *stop;
  now->f_c = *f_c;
  memcpy(now->x_c, x_c, it->n * sizeof *x_c);
  if (!now->status_c) { /* step() follows from the same point */
    assert_same_reals(it->x, now->x, it->n);
    assert_same_reals(it->g, g, it->n);
    assert_true(it->f == f && it->has_gradient);
    if (strcmp(under_watch->classical, "bfgs") == 0) /* a search that finds nothing says so */
      assert_true(*stop || memcmp(x_c, it->x, it->n * sizeof *x_c) != 0);
  }
  searched = true;
  return now->status_c;
}
static l2o_status watched_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  proposal *now = &seen[proposals++];
  assert_true(proposals <= STEPS);
  if (!searched)
    *now = (proposal){0};
  searched = false;
  memcpy(now->x, it->x, it->n * sizeof *it->x);
  now->status = under_watch->step(it, tape, stop);
  now->stop = *stop;
  memcpy(now->x_plus, it->x, it->n * sizeof *it->x);
  return now->status;
}
static l2o_status watched_fall(l2o_iterate *it) {
  seen[proposals - 1].fell++;
  return under_watch->fell_back(it);
}

typedef struct path {
  l2o_trace *trace;
  const l2o_record *records;
  const l2o_real *x; /* (count, n) */
  size_t count;
  l2o_result result;
} path;

static path follow(const l2o_solver *solver, const l2o_model *model, const char *options, const l2o_problem *p,
                   const l2o_real *start, l2o_settings settings) {
  path t;
  l2o_diag diag = {""};
  l2o_real x[N];
  assert_true(p->n <= N);
  if (start)
    memcpy(x, start, p->n * sizeof *x);
  else
    assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  assert_status(l2o_trace_new(&t.trace, settings.iterations + 1, p->n), L2O_OK, NULL);
  settings.options = options, settings.traces = &t.trace;
  assert_status(l2o_minimize(solver, model, p, x, &t.result, &settings, &diag), L2O_OK, &diag);
  t.records = l2o_trace_records(t.trace, &t.count);
  t.x = l2o_trace_iterates(t.trace);
  assert_same_reals(t.x + (t.count - 1) * p->n, x, p->n);
  assert_true(t.result.last.objective == t.records[t.count - 1].objective);
  return t;
}
static l2o_settings steps(size_t count) {
  l2o_settings s = l2o_settings_default();
  s.iterations = count;
  return s;
}

static path watch_rule(const villain *v, const char *guard, const place *at, const l2o_problem *p, l2o_settings settings) {
  char options[64];
  l2o_solver copy = *v->solver;
  const bool wants = has_step(&copy) && *at->step;
  snprintf(options, sizeof options, "guard=%s%s%s", guard, wants ? "," : "", wants ? at->step : "");
  under_watch = v->solver;
  proposals = starts = 0;
  searched = false;
  way = v->way;
  copy.step = watched_step;
  copy.init = watched_init;
  copy.classical_point = v->solver->classical_point ? watched_point : NULL;
  copy.fell_back = v->solver->fell_back ? watched_fall : NULL;
  return follow(&copy, v->model, options, p, NULL, settings);
}

/* The point that gd goes to, and f there; false if f is not finite. */
static bool gd_point(l2o_real *x_c, double *f_c, const l2o_problem *p, const char *step) {
  l2o_settings one = l2o_settings_default();
  l2o_run *run;
  l2o_stop stop;
  l2o_real *work = malloc((l2o_problem_work_len(p) + 1) * sizeof *work);
  one.options = step;
  assert_status(l2o_run_new(&run, solver_named("gd"), NULL, p, &one, NULL), L2O_OK, NULL);
  assert_status(l2o_run_start(run, x_c), L2O_OK, NULL);
  assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
  memcpy(x_c, l2o_run_x(run), p->n * sizeof *x_c);
  const bool fine = !stop && l2o_problem_value(p, f_c, x_c, work) == L2O_OK && isfinite(*f_c);
  l2o_run_free(run);
  free(work);
  return fine;
}

/* f at a point that may be anywhere; false if f or |g| is not finite. */
static bool look_at(double *f, const l2o_problem *p, const l2o_real *x) {
  double square = 0;
  l2o_real g[N], *work = malloc((l2o_problem_work_len(p) + 1) * sizeof *work);
  for (size_t i = 0; i < p->n; i++)
    square += 0 * (double)x[i];
  const bool fine = square == 0 && l2o_problem_gradient(p, f, g, x, work) == L2O_OK && isfinite(*f);
  for (size_t i = 0; i < p->n && fine; i++)
    square += (double)g[i] * (double)g[i];
  free(work);
  return fine && isfinite(square);
}

/* ---- descent ---- */

typedef struct tally {
  size_t accepted, rejected, broke, ended;
} tally;

/* Makes every decision of the run again. */
static void check_descent(const path *t, const villain *v, const place *at, const l2o_problem *p, tally *sum) {
  const size_t n = p->n;
  const bool searches = strcmp(v->solver->classical, "bfgs") == 0;
  size_t fallbacks = 0;
  for (size_t k = 0; k < proposals; k++) {
    proposal *now = &seen[k];
    double f, f_plus = 0;
    l2o_real x_c[N];
    assert_same_reals(now->x, t->x + k * n, n);
    assert_true(look_at(&f, p, now->x) && f == t->records[k].objective);
    bool has_point = now->status_c == L2O_OK;
    if (!searches) { /* a step of gd, made again */
      memcpy(x_c, now->x, n * sizeof *x_c);
      has_point = gd_point(x_c, &now->f_c, p, at->step);
      if (v->solver->classical_point && has_point)
        assert_same_reals(x_c, now->x_c, n);
      memcpy(now->x_c, x_c, n * sizeof *x_c);
    } else if (has_point) {
      double f_c, slope = 0;
      l2o_real g[N];
      assert_true(look_at(&f_c, p, now->x_c) && f_c == now->f_c);
      gradient_at(p, g, now->x);
      for (size_t i = 0; i < n; i++) /* alpha g'd */
        slope += (double)g[i] * ((double)now->x_c[i] - (double)now->x[i]);
      const double noise = BY_PRECISION(2e-13, 1e-4) * fabs(f) + BY_PRECISION(1e-28, 1e-12) * fabs(t->records[0].objective);
      if (!(f_c <= f + 1e-4 * slope + noise && slope <= noise))
        fail_msg("%s on %s, step %zu: the search went from %.17g to %.17g, slope %g", v->label, at->spec, k, f, f_c, slope);
      if (k + 1 < t->count && !(t->records[k + 1].objective <= f + 0.5 * 1e-4 * slope + noise))
        fail_msg("%s on %s, step %zu: from %.17g to %.17g, slope %g", v->label, at->spec, k, f, t->records[k + 1].objective, slope);
    }
    const double f_c = has_point ? now->f_c : f;
    const bool last = !has_point || now->stop_c;
    const bool accepted =
        !now->status && look_at(&f_plus, p, now->x_plus) && f_plus <= f - 0.5 * (f - f_c) && (f_plus < f || !last);
    fallbacks += !accepted && has_point;
    sum->accepted += accepted;
    sum->rejected += !accepted && has_point;
    sum->broke += !has_point;
    sum->ended += now->stop_c != L2O_STOP_NONE;
    double ignored;
    if (!accepted && !(has_point && look_at(&ignored, p, now->x_c))) { /* nobody has a way on */
      assert_int_equal(t->result.stop, L2O_STOP_DIVERGED);
      assert_int_equal(t->count, k + 1);
      assert_int_equal(proposals, k + 1);
      break;
    }
    assert_true(k + 1 < t->count);
    assert_same_reals(t->x + (k + 1) * n, accepted ? now->x_plus : now->x_c, n);
    assert_int_equal(t->records[k + 1].fallbacks, fallbacks);
    if (v->solver->fell_back)
      assert_int_equal(now->fell, !accepted);
    const l2o_stop stop = accepted ? now->stop : now->stop_c;
    if (stop || k + 1 == STEPS) {
      assert_int_equal(t->result.stop, stop ? stop : L2O_STOP_ITERATIONS);
      assert_int_equal(t->count, k + 2);
      assert_int_equal(proposals, k + 1);
    }
  }
  assert_int_equal(t->result.last.fallbacks, fallbacks);
  assert_int_equal(starts, v->solver->fell_back ? 1 : 1 + fallbacks);
}

static void descent_keeps_half_of_the_classical_decrease(void **state) {
  (void)state;
  tally sum[3] = {{0}};
  FOR_EVERY_PLACE(at) {
    l2o_problem p = sampled(at->spec, 1, 0);
    FOR_EVERY_VILLAIN(v) {
      if (v->solver == &WAYWARD_NESTEROV)
        continue;
      path t = watch_rule(v, "descent", at, &p, steps(STEPS));
      check_descent(&t, v, at, &p, &sum[strcmp(v->solver->classical, "bfgs") == 0 ? 2 : v->solver->classical_point ? 1 : 0]);
      l2o_trace_free(t.trace);
    }
    l2o_problem_free(&p);
  }
  for (int i = 0; i < 3; i++) /* every way was gone */
    assert_true(sum[i].accepted > 300 && sum[i].rejected > 300);
  if (!(sum[0].broke && sum[1].broke && sum[2].ended))
    fail_msg("%zu and %zu broke down, %zu ended", sum[0].broke, sum[1].broke, sum[2].ended);
}

/* f - f* <= (1 - a (2 - a) mu / (2L))^k (f_0 - f*), a = 0.9999 the step times L. */
static void descent_converges_at_half_the_classical_rate(void **state) {
  (void)state;
  size_t watched = 0;
  FOR_EVERY_PLACE(at) {
    l2o_problem p = sampled(at->spec, 2, 0);
    double L, fstar;
    FOR_EVERY_VILLAIN(v) {
      const bool bfgs = strcmp(v->solver->classical, "bfgs") == 0;
      if (v->solver == &WAYWARD_NESTEROV || !(at->mu > 0 || at->condition > 0 || (bfgs && at->solved)))
        continue;
      path t = watch_rule(v, "descent", at, &p, steps(STEPS));
      assert_status(l2o_problem_lipschitz(&p, &L), L2O_OK, NULL);
      assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
      const double f0 = t.records[0].objective, a = 0.9999, mu = at->mu > 0 ? at->mu : L / at->condition;
      const double noise = BY_PRECISION(1e-13, 1e-5) * (fabs(f0) + fabs(fstar)), rate = 1 - a * (2 - a) * mu / (2 * L);
      watched += t.count;
      for (size_t k = 0; k < t.count && !bfgs; k++)
        if (!(t.records[k].objective - fstar <= pow(rate, (double)k) * (f0 - fstar) + noise))
          fail_msg("%s on %s, step %zu: %g, %g allowed", v->label, at->spec, k, t.records[k].objective - fstar,
                   pow(rate, (double)k) * (f0 - fstar));
      const double end = t.result.last.objective - fstar;
      if (bfgs && at->solved && !(end <= BY_PRECISION(1e-9, 1e-4) * (f0 - fstar) + noise))
        fail_msg("%s on %s: %g left of %g, %s", v->label, at->spec, end, f0 - fstar, l2o_stop_name((int)t.result.stop));
      l2o_trace_free(t.trace);
    }
    l2o_problem_free(&p);
  }
  assert_true(watched > 10000);
}

/* One unknown: then "upwards" and "hardly" are worse beyond doubt, and the guarded run is the classical one, bit for bit. */
static void where_every_learned_step_is_worse_the_classical_run_remains(void **state) {
  (void)state;
  static const l2o_real A[] = {4}, b[] = {4}; /* minimum at 1, start at 0: g < 0, x >= 0 */
  static const struct {
    const char *options;
    double w[4], w3;
  } cases[] = {
      {"scale=sigmoid", {-1, -1, 0, 0}, -1e3}, /* factor 0 */
      {"scale=identity", {-1, -1, 0, 0}, -1},  /* upwards */
      {"scale=exp", {-1, -1, 0, 0}, 1e4},      /* infinite */
      {"scale=gaussian", {0, 0, 0, 0}, 1},     /* exactly 0 */
  };
  l2o_problem p;
  assert_status(l2o_quadratic_new(&p, A, b, NULL, 40, 1, NULL), L2O_OK, NULL); /* an L ten times too large: many steps */
  path gd = follow(solver_named("gd"), NULL, "", &p, NULL, steps(30));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    static const char *const rules[] = {"math-l2o-gd", "math-l2o-nesterov"}; /* gd for both */
    for (size_t r = 0; r < 2; r++) {
      char spec[96];
      snprintf(spec, sizeof spec, "%s:hidden=2,%s", rules[r], cases[i].options);
      l2o_model *model = model_of(spec, 0);
      double w[11] = {0, 0, 0, 0, 1, 1, 1, 1, cases[i].w3, cases[i].w3, 1};
      memcpy(w, cases[i].w, sizeof cases[i].w);
      assert_status(l2o_model_set_parameters(model, w, 11), L2O_OK, NULL);
      path t = follow(solver_named(rules[r]), model, "guard=descent", &p, NULL, steps(30));
      assert_same_reals(t.x, gd.x, 31);
      for (size_t k = 0; k <= 30; k++)
        assert_int_equal(t.records[k].fallbacks, k);
      l2o_trace_free(t.trace);
      l2o_model_free(model);
    }
  }
  l2o_trace_free(gd.trace);
  l2o_problem_free(&p);
}

/* Where the search says that the run is over, only a lower point goes on; at the minimum there is none. */
static void descent_ends_where_the_classical_rule_does(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=8,condition=20", 2, 0);
  l2o_real minimum[N] = {0}, g[N];
  path bfgs = follow(solver_named("bfgs"), NULL, "", &p, NULL, steps(1000));
  assert_int_equal(bfgs.result.stop, L2O_STOP_STALLED);
  memcpy(minimum, bfgs.x + (bfgs.count - 1) * p.n, p.n * sizeof *minimum);
  const double noise = BY_PRECISION(1e-14, 1e-6) * fabs(bfgs.result.last.objective);
  FOR_EVERY_VILLAIN(v) {
    if (!(solver_named(v->solver->classical)->needs & L2O_GLOBAL))
      continue;
    path t = follow(v->solver, v->model, "guard=descent", &p, minimum, steps(1000));
    if (t.result.stop != L2O_STOP_STALLED || !(t.result.last.objective <= t.records[0].objective + noise))
      fail_msg("%s: %s after %zu", v->label, l2o_stop_name((int)t.result.stop), t.count);
    l2o_trace_free(t.trace);
    /* g = 0 exactly: no direction at all */
    l2o_problem flat = sampled("quadratic:n=8,solution=zero", 2, 0);
    l2o_real zero[N] = {0};
    assert_true(gradient_at(&flat, g, zero) == 0 && g[0] == 0);
    t = follow(v->solver, v->model, "guard=descent", &flat, zero, steps(5));
    assert_int_equal(t.result.stop, L2O_STOP_STALLED);
    assert_same_reals(t.x + (t.count - 1) * flat.n, zero, flat.n);
    l2o_trace_free(t.trace);
    l2o_problem_free(&flat);
  }
  l2o_trace_free(bfgs.trace);
  l2o_problem_free(&p);
}

/* ---- shadow ---- */

/* The classical run that the shadow is. */
static path classical_run(const villain *v, const place *at, const l2o_problem *p, l2o_settings settings) {
  const bool wants = has_step(v->solver);
  return follow(solver_named(v->solver->classical), NULL, wants ? at->step : "", p, NULL, settings);
}

static void shadow_is_never_worse_than_the_classical_rule(void **state) {
  (void)state;
  size_t better = 0, broken = 0, outlived = 0;
  FOR_EVERY_PLACE(at) {
    l2o_problem p = sampled(at->spec, 3, 0);
    FOR_EVERY_VILLAIN(v) {
      path c = classical_run(v, at, &p, steps(STEPS)), t = watch_rule(v, "shadow", at, &p, steps(STEPS));
      assert_true(t.count >= c.count);
      size_t fallbacks = 0;
      for (size_t k = 0; k < t.count; k++) {
        const size_t there = k < c.count ? k : c.count - 1;
        double f;
        if (!(t.records[k].objective <= c.records[there].objective))
          fail_msg("%s on %s, step %zu: %.17g, classical %.17g", v->label, at->spec, k, t.records[k].objective,
                   c.records[there].objective);
        assert_true(look_at(&f, &p, t.x + k * p.n) && t.records[k].objective == f);
        better += f < c.records[there].objective;
        if (k < proposals && k + 1 < t.count) { /* the learned rule runs by itself; only what cannot be evaluated is put back */
          fallbacks += seen[k].status || !look_at(&f, &p, seen[k].x_plus);
          assert_int_equal(t.records[k + 1].fallbacks, fallbacks);
        }
      }
      assert_true(t.result.last.objective <= c.result.last.objective);
      assert_int_equal(starts, v->solver->fell_back ? 1 : 1 + fallbacks);
      broken += fallbacks > 0;
      outlived += t.count > c.count;
      l2o_trace_free(c.trace);
      l2o_trace_free(t.trace);
    }
    l2o_problem_free(&p);
  }
  assert_true(better > 1000);  /* the learned point was taken too */
  assert_true(broken >= 30);   /* learned runs broke down and were taken up again from the classical point */
  assert_true(outlived >= 10); /* classical runs ended or broke down before learned ones */
}

/* The run ends at the latest where the classical one does, at a point that meets the tolerance and is no higher; a budget of calls
 * ends it as it ends others. */
static void shadow_ends_no_later_than_the_classical_run(void **state) {
  (void)state;
  size_t met = 0, earlier = 0;
  FOR_EVERY_PLACE(at) {
    l2o_problem p = sampled(at->spec, 4, 0);
    FOR_EVERY_VILLAIN(v) {
      l2o_settings s = steps(STEPS);
      s.gradient_tolerance = 1e-4;
      path c = classical_run(v, at, &p, s), t = watch_rule(v, "shadow", at, &p, s);
      if (c.result.stop == L2O_STOP_GRADIENT) {
        met++;
        earlier += t.count < c.count;
        if (t.result.stop != L2O_STOP_GRADIENT || t.count > c.count)
          fail_msg("%s on %s: %s after %zu, classical %zu", v->label, at->spec, l2o_stop_name((int)t.result.stop), t.count,
                   c.count);
      }
      for (size_t k = 0; k < t.count; k++) {
        assert_true(t.records[k].objective <= c.records[k < c.count ? k : c.count - 1].objective);
        assert_int_equal(t.records[k].gradient_norm <= s.gradient_tolerance,
                         t.result.stop == L2O_STOP_GRADIENT && k + 1 == t.count);
      }
      l2o_trace_free(t.trace);
      s = steps(STEPS);
      s.calls = 40;
      t = watch_rule(v, "shadow", at, &p, s);
      assert_true(t.result.stop == L2O_STOP_CALLS ? t.result.last.charged >= 40 && t.records[t.count - 2].charged < 40
                                                  : t.result.stop != L2O_STOP_ITERATIONS);
      l2o_trace_free(c.trace);
      l2o_trace_free(t.trace);
    }
    l2o_problem_free(&p);
  }
  assert_true(met > 100 && earlier > 10);
}

/* The classical rule runs with the options that the learned one says. */
static void classical_options_are_handed_on(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=8,condition=200", 3, 0);
  l2o_solver rule = WAYWARD("bfgs", 0);
  rule.classical_options = halving;
  way = STILL; /* so all that is reported is bfgs */
  path t = follow(&rule, NULL, "guard=shadow", &p, NULL, steps(20)),
       c = follow(solver_named("bfgs"), NULL, "line_search=halving", &p, NULL, steps(20)),
       other = follow(solver_named("bfgs"), NULL, "", &p, NULL, steps(20));
  assert_int_equal(t.count, c.count);
  assert_same_reals(t.x, c.x, t.count * p.n);
  assert_true(memcmp(t.x, other.x, 10 * p.n * sizeof *t.x) != 0);
  l2o_trace_free(t.trace);
  l2o_trace_free(c.trace);
  l2o_trace_free(other.trace);
  l2o_model *model = model_of("bfgs-lstm:hidden=4,gate=0,safeguard=0,h0=identity", 0);
  size_t count;
  l2o_model_parameters(model, &count);
  double *w = calloc(count, sizeof *w);
  w[tensor_named(model, "head.bias").offset] = -1e4; /* goes nowhere */
  assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
  t = follow(solver_named("l2o-bfgs"), model, "guard=shadow,line_search=armijo,c1=0.2", &p, NULL, steps(20));
  c = follow(solver_named("bfgs"), NULL, "line_search=armijo,c1=0.2,h0=identity", &p, NULL, steps(20));
  assert_int_equal(t.count, c.count);
  assert_same_reals(t.x, c.x, t.count * p.n);
  l2o_trace_free(t.trace);
  l2o_trace_free(c.trace);
  free(w);
  l2o_model_free(model);
  l2o_problem_free(&p);
}

/* ---- both ---- */

static void a_rule_that_is_never_worse_never_falls_back(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=8,condition=20", 2, 0);
  l2o_model *model = model_of("math-l2o-gd", 1); /* untrained: the classical step itself */
  const l2o_solver *learned = solver_named("math-l2o-gd");
  path gd = follow(solver_named("gd"), NULL, "", &p, NULL, steps(50)),
       descent = follow(learned, model, "guard=descent", &p, NULL, steps(50)),
       shadow = follow(learned, model, "guard=shadow", &p, NULL, steps(50));
  assert_same_reals(gd.x, descent.x, 51 * p.n);
  assert_same_reals(gd.x, shadow.x, 51 * p.n);
  assert_int_equal(descent.result.last.fallbacks, 0);
  assert_int_equal(shadow.result.last.fallbacks, 0);
  assert_int_equal(gd.result.last.gradient_calls, 50);
  l2o_trace_free(gd.trace);
  l2o_trace_free(descent.trace);
  l2o_trace_free(shadow.trace);
  l2o_model_free(model);
  l2o_problem_free(&p);
}

/* Calls of `count` unlooked-at steps, as the problem and as the record count them. */
static l2o_record calls_of(const villain *v, const char *guard, const l2o_problem *inner, size_t count) {
  watcher w;
  char options[32];
  l2o_settings s = l2o_settings_default();
  l2o_run *run;
  l2o_stop stop = L2O_STOP_NONE;
  l2o_record record;
  watch(&w, inner);
  snprintf(options, sizeof options, "guard=%s", guard);
  s.options = options;
  way = v->way;
  assert_status(l2o_run_new(&run, v->solver, v->model, &w.problem, &s, NULL), L2O_OK, NULL);
  assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
  for (size_t k = 0; k < count && !stop; k++)
    assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
  const size_t values = w.values, gradients = w.gradients;
  assert_status(l2o_run_record(run, &record), L2O_OK, NULL);
  if (record.value_calls != values || record.gradient_calls != gradients)
    fail_msg("%s, guard=%s: %zu, %zu calls counted as %zu, %zu", v->label, guard, values, gradients, record.value_calls,
             record.gradient_calls);
  l2o_run_free(run);
  return record;
}

/* What docs/guides/guard.md says that the guard costs. */
static void every_call_is_counted(void **state) {
  (void)state;
  enum { K = 20 };
  size_t exact = 0;
  l2o_problem p = sampled("quadratic:n=8,condition=200", 5, 0);
  FOR_EVERY_VILLAIN(v) {
    const bool nesterov = strcmp(v->solver->classical, "nesterov") == 0, made = !v->model;
    const bool searches = solver_named(v->solver->classical)->needs & L2O_GLOBAL;
    /* x+ that are not finite are not evaluated; a learned rule with a gradient at its state takes it, besides that at x_k */
    const size_t looked = made && (v->way == NOT_A_NUMBER || v->way == INFINITE || v->way == BREAKS) ? 0 : K;
    const bool apart = v->solver->gradient_at == L2O_GRADIENT_AT_STATE;
    const bool told = made || (strstr(v->label, "tiny random") && !searches); /* every x+ is finite */
    const l2o_record shadow = calls_of(v, "shadow", &p, K);
    if (told) { /* nesterov: at y_k and at x_k, y_0 = x_0 */
      assert_int_equal(shadow.gradient_calls,
                       (nesterov ? 2 * K : 1 + K) + (apart ? 2 * K : 1 + (made && v->way == STALLS ? 1 : looked)));
      assert_int_equal(shadow.value_calls, shadow.gradient_calls);
      exact++;
    }
    if (v->solver == &WAYWARD_NESTEROV)
      continue;
    const l2o_record before = calls_of(v, "descent", &p, K - 1), descent = calls_of(v, "descent", &p, K);
    const size_t pending = descent.fallbacks - before.fallbacks; /* the gradient where the last step ended is still to be taken */
    if (told) {
      assert_int_equal(descent.gradient_calls, 1 + looked + descent.fallbacks - pending + (apart ? K : 0));
      assert_int_equal(descent.value_calls, descent.gradient_calls + K);
      exact++;
    } else if (searches && descent.iteration == K) {
      const size_t evaluated = descent.fallbacks - pending; /* every search takes at least one, and x+ may not be finite */
      assert_true(descent.gradient_calls >= 1 + K + evaluated && descent.value_calls == descent.gradient_calls);
    }
  }
  assert_int_equal(exact, 3 * WAYS + 2 * 6); /* the rules that do not search */
  l2o_problem_free(&p);
}

static void without_a_guard_bad_weights_end_as_diverged(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=8,condition=20", 4, 0);
  for (size_t i = 0; i < ADVERSARY_COUNT; i++) {
    if (!ADVERSARIES[i].breaks_itself)
      continue;
    const char *rule = strcmp(ADVERSARIES[i].kind, "bfgs-lstm") == 0 ? "l2o-bfgs" : "math-l2o-gd";
    l2o_model *model = model_by(solver_named(rule)->model_kind, &ADVERSARIES[i], 5);
    path t = follow(solver_named(rule), model, "guard=off", &p, NULL, steps(8000));
    if (t.result.stop != L2O_STOP_DIVERGED)
      fail_msg("%s: %s", ADVERSARIES[i].name, l2o_stop_name(t.result.stop));
    assert_int_equal(t.result.last.fallbacks, 0);
    for (size_t k = 0; k < t.count * p.n; k++)
      assert_true(isfinite(t.x[k]));
    l2o_trace_free(t.trace);
    l2o_model_free(model);
  }
  l2o_problem_free(&p);
}

static void what_a_guard_cannot_do_is_refused(void **state) {
  (void)state;
  l2o_problem p = sampled("qp:n=8,m=5", 1, 0), sum = sampled("least-squares:n=8,m=16", 1, 0);
  l2o_model *model = model_of("math-l2o-nesterov:hidden=4", 1);
  l2o_settings s = l2o_settings_default();
  l2o_diag diag = {""};
  l2o_run *run;
  s.options = "guard=descent";
  assert_status(l2o_run_new(&run, &WAYWARD_NESTEROV, NULL, &p, &s, &diag), L2O_ERR_NOTSUP, NULL);
  assert_null(run);
  assert_names(&diag, "guard=descent needs a classical rule without memory, nesterov has one; use guard=shadow");
  s.options = "guard=shadows";
  assert_status(l2o_run_new(&run, solver_named("math-l2o-nesterov"), model, &p, &s, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "guard = shadows: expected one of off|descent|shadow");
  s.options = "guard=shadow,batch=4";
  assert_status(l2o_run_new(&run, &WAYWARD_GD, NULL, &sum, &s, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "guard=shadow compares objectives, of which a minibatch of batch=4 tells too little");
  s.options = "guard=descent,batch=4"; /* compares values of one minibatch */
  assert_status(l2o_run_new(&run, &WAYWARD_GD, NULL, &sum, &s, &diag), L2O_OK, &diag);
  l2o_run_free(run);
  l2o_model_free(model);
  model = model_of("bfgs-lstm:hidden=4", 1);
  s.options = "guard=descent,c1=0.3,c2=0.2";
  assert_status(l2o_run_new(&run, solver_named("l2o-bfgs"), model, &p, &s, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "l2o-bfgs: c1 = 0.3 must be below c2 = 0.2");
  s.options = "guard=descent,line_search=exact";
  assert_status(l2o_run_new(&run, solver_named("l2o-bfgs"), model, &rosenbrock_problem, &s, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "l2o-bfgs: line_search=exact needs Hessian-vector products; problem 'rosenbrock' has none");
  l2o_model_free(model);
  l2o_problem_free(&p);
  l2o_problem_free(&sum);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(descent_keeps_half_of_the_classical_decrease),
      cmocka_unit_test(descent_converges_at_half_the_classical_rate),
      cmocka_unit_test(where_every_learned_step_is_worse_the_classical_run_remains),
      cmocka_unit_test(descent_ends_where_the_classical_rule_does),
      cmocka_unit_test(shadow_is_never_worse_than_the_classical_rule),
      cmocka_unit_test(shadow_ends_no_later_than_the_classical_run),
      cmocka_unit_test(classical_options_are_handed_on),
      cmocka_unit_test(a_rule_that_is_never_worse_never_falls_back),
      cmocka_unit_test(every_call_is_counted),
      cmocka_unit_test(without_a_guard_bad_weights_end_as_diverged),
      cmocka_unit_test(what_a_guard_cannot_do_is_refused),
  };
  return cmocka_run_group_tests(tests, gather, dismiss);
}
