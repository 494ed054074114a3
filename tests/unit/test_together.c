/* SPDX-License-Identifier: BSD-3-Clause */
/* Problems that share their data are evaluated together, in solving and in training: the same bits as alone, fewer calls, and what
 * happens to one of them is nobody else's business. */
#include "l2o_fixtures.h"

enum { COUNT = 9, N = 7, M = 5 };

/* COUNT right-hand sides for one matrix, or for as many copies of it, whose problems then stand alone. */
typedef struct dictionary {
  l2o_real W[COUNT][M * N], y[COUNT][M], x0[COUNT][N];
  bool shared;
} dictionary;

static void fill(dictionary *d, bool shared) {
  normal_reals(d->W[0], M * N, 1);
  for (size_t i = 0; i < COUNT; i++) {
    memcpy(d->W[i], d->W[0], sizeof d->W[0]);
    normal_reals(d->y[i], M, 2 + i);
    normal_reals(d->x0[i], N, 50 + i);
  }
  d->shared = shared;
}

static l2o_problem qp_of(const dictionary *d, size_t i) {
  l2o_problem p;
  l2o_diag diag = {""};
  assert_status(l2o_qp_new(&p, d->W[d->shared ? 0 : i], d->y[i], d->x0[i], 0, M, N, &diag), L2O_OK, &diag);
  return p;
}

static l2o_problem lasso_of(const dictionary *d, size_t i) {
  l2o_problem p;
  l2o_diag diag = {""};
  assert_status(l2o_lasso_new(&p, d->W[d->shared ? 0 : i], d->y[i], d->x0[i], 0.1, 0, M, N, &diag), L2O_OK, &diag);
  return p;
}

/* ---- solving ---- */

typedef struct outcome {
  l2o_real x[COUNT][N];
  l2o_result results[COUNT];
  l2o_trace *traces[COUNT];
} outcome;

static void outcome_free(outcome *o) {
  for (size_t i = 0; i < COUNT; i++)
    l2o_trace_free(o->traces[i]);
}

/* All problems through l2o_solve_many(), or (threads 0) one by one through l2o_minimize(). */
static void run(outcome *o, const l2o_solver *solver, const l2o_problem *problems, l2o_settings s, int threads, bool watched) {
  l2o_model *model = NULL;
  char spec[64];
  if (solver->needs & L2O_NEEDS_MODEL) {
    snprintf(spec, sizeof spec, "%s:hidden=8", solver->model_kind);
    model = model_of(spec, 3);
    randomise(model, 5, 0.3);
  }
  *o = (outcome){0};
  for (size_t i = 0; i < COUNT; i++) {
    l2o_problem_start(&problems[i], o->x[i]);
    if (watched)
      assert_status(l2o_trace_new(&o->traces[i], s.iterations + 1, N), L2O_OK, NULL);
  }
  s.traces = watched ? o->traces : NULL;
  s.threads = threads;
  if (threads) {
    l2o_solve_many(solver, model, problems, COUNT, o->x[0], o->results, &s, NULL);
  } else {
    for (size_t i = 0; i < COUNT; i++) {
      s.traces = watched ? o->traces + i : NULL;
      s.first = i; /* its number, for random streams and the callback */
      l2o_minimize(solver, model, &problems[i], o->x[i], &o->results[i], &s, NULL);
    }
  }
  l2o_model_free(model);
}

static void assert_same_record(l2o_record a, l2o_record b) {
  a.seconds = b.seconds = 0; /* the only number that may differ */
  assert_int_equal(a.iteration, b.iteration);
  assert_int_equal(a.value_calls, b.value_calls);
  assert_int_equal(a.gradient_calls, b.gradient_calls);
  assert_int_equal(a.charged, b.charged);
  assert_true(a.objective == b.objective || (isnan(a.objective) && isnan(b.objective)));
  assert_true(a.gradient_norm == b.gradient_norm || (isnan(a.gradient_norm) && isnan(b.gradient_norm)));
}

static void assert_same_outcome(const outcome *a, const outcome *b) {
  for (size_t i = 0; i < COUNT; i++) {
    assert_same_reals(a->x[i], b->x[i], N);
    assert_int_equal(a->results[i].status, b->results[i].status);
    assert_int_equal(a->results[i].stop, b->results[i].stop);
    assert_same_record(a->results[i].last, b->results[i].last);
    if (!a->traces[i])
      continue;
    size_t rows, others;
    const l2o_record *left = l2o_trace_records(a->traces[i], &rows), *right = l2o_trace_records(b->traces[i], &others);
    assert_int_equal(rows, others);
    for (size_t k = 0; k < rows; k++)
      assert_same_record(left[k], right[k]);
    assert_same_reals(l2o_trace_iterates(a->traces[i]), l2o_trace_iterates(b->traces[i]), rows * N);
  }
}

static void compare(const l2o_solver *solver, const l2o_problem *problems, const l2o_settings *s) {
  for (int watched = 0; watched < 2; watched++) {
    outcome alone, together;
    run(&alone, solver, problems, *s, 0, watched);
    for (int threads = 1; threads <= 3; threads++) {
      run(&together, solver, problems, *s, threads, watched);
      assert_same_outcome(&alone, &together);
      outcome_free(&together);
    }
    outcome_free(&alone);
  }
}

static void every_rule_gives_the_same_bits(void **state) {
  (void)state;
  dictionary d;
  fill(&d, true);
  l2o_problem smooth[COUNT], composite[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    smooth[i] = qp_of(&d, i);
    composite[i] = lasso_of(&d, i);
  }
  assert_true(l2o_problem_together(&smooth[0], &smooth[8]) && l2o_problem_together(&composite[0], &composite[8]));
  assert_false(l2o_problem_together(&smooth[0], &composite[0]));
  size_t rules = 0;
  l2o_settings fixed = l2o_settings_default(), tolerant = fixed, counted = fixed;
  fixed.iterations = 6;
  tolerant.iterations = 200; /* ends at another iteration for each */
  tolerant.gradient_tolerance = 1e-2;
  counted.calls = 4;
  for (const l2o_solver *const *s = l2o_solver_list(); *s; s++) {
    if ((*s)->gradient_at == L2O_GRADIENT_ANYWHERE)
      continue;
    compare(*s, smooth, &fixed);
    compare(*s, smooth, &tolerant);
    compare(*s, smooth, &counted);
    compare(*s, composite, &fixed);
    rules++;
  }
  assert_true(rules >= 10);
  for (size_t i = 0; i < COUNT; i++) {
    l2o_problem_free(&smooth[i]);
    l2o_problem_free(&composite[i]);
  }
}

/* Ends instance i after i steps. */
static int leave_early(void *context, const l2o_record *record, const l2o_real *x, size_t instance) {
  (void)context, (void)x;
  return record->iteration >= instance;
}

/* Restarts, guards, minibatches, steps that are too long; problems that are left at different times. */
static void every_option_gives_the_same_bits(void **state) {
  (void)state;
  static const char *const variants[][2] = {{"nesterov", "restart=gradient"},
                                            {"nesterov", "restart=function"},
                                            {"fista", "restart=gradient"},
                                            {"fista", "restart=function"},
                                            {"math-l2o-gd", "guard=descent"},
                                            {"math-l2o-gd", "guard=shadow"},
                                            {"math-l2o-nesterov", ""},
                                            {"math-l2o-nesterov", "guard=shadow"},
                                            {"gd", "batch=2"},
                                            {"nesterov", "batch=2,step=0.01"},
                                            {"gd", "step=1e3"},
                                            {"nesterov", "step=1e3"},
                                            {"math-l2o-nesterov", "step=1e6"}};
  static dictionary d;
  fill(&d, true);
  l2o_problem smooth[COUNT], composite[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    smooth[i] = qp_of(&d, i);
    composite[i] = lasso_of(&d, i);
  }
  for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
    const l2o_solver *rule = solver_named(variants[v][0]);
    l2o_settings s = l2o_settings_default(), changed;
    s.options = variants[v][1];
    s.iterations = 60;
    compare(rule, smooth, &s);
    compare(rule, composite, &s);
    changed = s;
    changed.calls = 7;
    compare(rule, smooth, &changed);
    changed = s;
    changed.callback = leave_early;
    compare(rule, smooth, &changed);
    changed = s;
    changed.objective_target = 0.1;
    compare(rule, smooth, &changed);
    changed = s;
    changed.iterations = 0;
    compare(rule, smooth, &changed);
  }
  for (size_t i = 0; i < COUNT; i++) {
    l2o_problem_free(&smooth[i]);
    l2o_problem_free(&composite[i]);
  }
}

/* A rule that looks elsewhere before it takes the gradient at its state, and does so in two steps of three only:
 * x_{k+1} = x_k - 0.05 (grad f(x_k) + grad f(y_k)), or x_k / 2;  y_{k+1} = x_{k+1} / 2. */
static size_t wanderer_len(const l2o_iterate *it) {
  return it->n;
}
static l2o_status wanderer_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape, (void)stop;
  const bool looks = it->k % 3 != 2;
  double f;
  l2o_status status = looks ? l2o_iterate_gradient(it) : L2O_OK;
  if (!status && looks)
    status = l2o_iterate_gradient_at(it, &f, it->scratch, it->state);
  for (size_t i = 0; i < it->n && !status; i++) {
    it->x[i] -= looks ? (l2o_real)0.05 * (it->g[i] + it->scratch[i]) : it->x[i] / 2;
    it->state[i] = it->x[i] / 2;
  }
  return status;
}

static void gradients_go_to_the_points_that_they_belong_to(void **state) {
  (void)state;
  const l2o_solver wanderer = {.struct_size = sizeof wanderer,
                               .name = "wanderer",
                               .needs = L2O_NEEDS_GRADIENT,
                               .state_len = wanderer_len,
                               .scratch_len = wanderer_len,
                               .step = wanderer_step,
                               .gradient_at = L2O_GRADIENT_AT_STATE};
  static dictionary d;
  fill(&d, true);
  l2o_problem problems[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    problems[i] = qp_of(&d, i);
  l2o_settings s = l2o_settings_default();
  s.iterations = 8;
  compare(&wanderer, problems, &s);
  for (size_t i = 0; i < COUNT; i++)
    l2o_problem_free(&problems[i]);
}

static void problems_that_are_none_are_refused(void **state) {
  (void)state;
  const l2o_problem nothing[2] = {{.n = 1}, {.n = 1}};
  l2o_real x[2] = {0};
  l2o_result results[2];
  l2o_diag diag = {""};
  assert_status(l2o_solve_many(solver_named("gd"), NULL, nothing, 2, x, results, NULL, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "problem 0: gd: the problem has no unknowns or no operations");
  assert_status(results[1].status, L2O_ERR_ARG, NULL);
}

/* f(x) = 1/2 |x - c|^2 with an eye on the calls. */
typedef struct bowl {
  const int *family; /* problems with the same one go together */
  double centre;
  size_t alone, together, largest; /* evaluations of this problem alone, with others, and with how many */
  size_t breaks_at;                /* evaluation from which on it reports a failure; 0: never */
  bool breaks_many;                /* gradient_many reports a failure */
} bowl;

static l2o_status bowl_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  bowl *b = (bowl *)(uintptr_t)p->data;
  (void)work;
  b->alone++;
  if (b->breaks_at && b->alone + b->together >= b->breaks_at)
    return L2O_ERR_CALLBACK;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    g[i] = x[i] - (l2o_real)b->centre;
    *f += 0.5 * (double)g[i] * (double)g[i];
  }
  return L2O_OK;
}
static l2o_status bowl_gradient_many(const l2o_problem *const *p, size_t count, double *f, l2o_real *const *g,
                                     const l2o_real *const *x, l2o_real *const *work) {
  for (size_t i = 0; i < count; i++) {
    bowl *b = (bowl *)(uintptr_t)p[i]->data;
    if (b->breaks_many || (b->breaks_at && b->alone + b->together + 1 >= b->breaks_at))
      return L2O_ERR_CALLBACK;
  }
  for (size_t i = 0; i < count; i++) {
    bowl *b = (bowl *)(uintptr_t)p[i]->data;
    assert_status(bowl_gradient(p[i], &f[i], g[i], x[i], work[i]), L2O_OK, NULL);
    b->alone--;
    b->together++;
    b->largest = count > b->largest ? count : b->largest;
  }
  return L2O_OK;
}
static bool bowl_together(const l2o_problem *a, const l2o_problem *b) {
  return ((const bowl *)a->data)->family == ((const bowl *)b->data)->family;
}
static l2o_status bowl_lipschitz(const l2o_problem *p, double *constant) {
  (void)p;
  *constant = 2;
  return L2O_OK;
}
static const l2o_problem_ops bowl_ops = {.struct_size = sizeof bowl_ops,
                                         .name = "bowl",
                                         .gradient = bowl_gradient,
                                         .lipschitz = bowl_lipschitz,
                                         .together = bowl_together,
                                         .gradient_many = bowl_gradient_many};

static void solve_bowls(const char *rule, bowl *bowls, l2o_problem *problems, outcome *o, size_t iterations) {
  l2o_settings s = l2o_settings_default();
  s.iterations = iterations;
  for (size_t i = 0; i < COUNT; i++) {
    bowls[i].centre = 1 + (double)i;
    problems[i] = (l2o_problem){.ops = &bowl_ops, .data = &bowls[i], .n = N};
  }
  run(o, solver_named(rule), problems, s, 1, false);
}

static void neighbours_are_evaluated_together(void **state) {
  (void)state;
  const int family[2] = {0, 0};
  bowl bowls[COUNT] = {{0}};
  l2o_problem problems[COUNT];
  outcome o;
  for (size_t i = 0; i < COUNT; i++) /* 0-3 together, 4 with them in kind but not in the four, 5 apart, 6-8 together */
    bowls[i].family = &family[i == 5];
  solve_bowls("gd", bowls, problems, &o, 10);
  for (size_t i = 0; i < COUNT; i++) {
    const bool in_four = i<4, in_three = i> 5;
    assert_int_equal(bowls[i].largest, in_four ? 4 : in_three ? 3 : 0);
    assert_int_equal(bowls[i].together, in_four || in_three ? 11 : 0); /* 10 steps, and the record of the end */
    assert_int_equal(bowls[i].alone, in_four || in_three ? 0 : 11);
    assert_int_equal(o.results[i].last.gradient_calls, 10);
    assert_close(o.x[i][0], bowls[i].centre * (1 - pow(1 - 0.5 * 0.9999, 10)), 1e-5, 0);
  }
}

/* Ten steps from points beside x, the last x on record, and nothing for a step that will not be made. */
static void points_beside_x_are_evaluated_together(void **state) {
  (void)state;
  const int family = 0;
  bowl bowls[COUNT] = {{0}};
  l2o_problem problems[COUNT];
  outcome o;
  for (size_t i = 0; i < COUNT; i++)
    bowls[i].family = &family;
  solve_bowls("math-l2o-nesterov", bowls, problems, &o, 10);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(bowls[i].together, i < 8 ? 11 : 0);
    assert_int_equal(bowls[i].alone, i < 8 ? 0 : 11);
    assert_int_equal(o.results[i].last.gradient_calls, 10);
  }
}

static void one_failure_is_not_everybodys(void **state) {
  (void)state;
  const int family = 0;
  bowl bowls[COUNT] = {{0}};
  l2o_problem problems[COUNT];
  outcome o;
  for (size_t i = 0; i < COUNT; i++)
    bowls[i].family = &family;
  bowls[2].breaks_at = 4;
  bowls[6].breaks_many = true;
  solve_bowls("gd", bowls, problems, &o, 10);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(o.results[i].status, i == 2 ? L2O_ERR_CALLBACK : L2O_OK);
    assert_int_equal(o.results[i].last.iteration, i == 2 ? 2 : 10); /* x_3 has no gradient: x_2 stands */
    if (i != 2)
      assert_close(o.x[i][0], bowls[i].centre * (1 - pow(1 - 0.5 * 0.9999, 10)), 1e-5, 0);
  }
  assert_int_equal(bowls[1].alone, 1); /* the call in which number 2 broke; then the three went on together */
  assert_int_equal(bowls[1].largest, 4);
  assert_int_equal(bowls[5].together, 0);
}

/* ---- training ---- */

static l2o_status sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)seed, (void)diag;
  *out = qp_of(family->data, index % COUNT);
  return L2O_OK;
}

/* Loss and gradient (free() it) of a few training steps' last one. */
static double *train(double *loss, size_t *count, const char *rule, const dictionary *d, l2o_train_settings s) {
  const l2o_family family = {
      .struct_size = sizeof family, .name = "dictionary", .n = N, .sample = sample, .data = (void *)(uintptr_t)d};
  char spec[64];
  l2o_diag diag = {""};
  snprintf(spec, sizeof spec, "%s:hidden=8", rule);
  l2o_model *model = model_of(spec, 3);
  randomise(model, 5, 0.3);
  l2o_trainer *trainer;
  assert_status(l2o_trainer_new(&trainer, model, solver_named(rule), &family, &s, &diag), L2O_OK, &diag);
  for (int i = 0; i < 3; i++)
    assert_status(l2o_trainer_step(trainer, NULL, &diag), L2O_OK, &diag);
  l2o_model_parameters(model, count);
  double *gradient = calloc(*count + 1, sizeof *gradient);
  assert_status(l2o_trainer_gradient(trainer, loss, gradient, &diag), L2O_OK, &diag);
  assert_status(l2o_trainer_validate(trainer, &gradient[*count], &diag), L2O_OK, &diag);
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  return gradient;
}

static void training_gives_the_same_bits(void **state) {
  (void)state;
  static const char *const rules[] = {"math-l2o-gd", "math-l2o-nesterov"};
  static dictionary shared, copies;
  fill(&shared, true);
  fill(&copies, false);
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = COUNT;
  s.horizon = 6;
  s.unroll = 2;
  s.fresh = true; /* no Hessians are kept: the problems' own products, together or alone */
  s.validation_instances = 5;
  s.learning_rate = 1e-2;
  for (size_t r = 0; r < 2; r++)
    for (s.loss = L2O_LOSS_LAST; s.loss <= L2O_LOSS_WEIGHTED; s.loss++)
      for (s.threads = 1; s.threads <= 3; s.threads++) {
        s.stop_gradient = s.threads == 2 ? L2O_STOP_GRADIENT_NONE : L2O_STOP_GRADIENT_FEATURES;
        size_t count;
        double loss[2], *a = train(&loss[0], &count, rules[r], &shared, s), *b = train(&loss[1], &count, rules[r], &copies, s);
        assert_true(loss[0] == loss[1]);
        assert_memory_equal(a, b, (count + 1) * sizeof *a);
        free(a);
        free(b);
      }
}

/* Leaves the gradient at its state alone in every second step, as rules may. */
static l2o_status idle_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  if (it->k % 2)
    return solver_named("math-l2o-nesterov")->step(it, tape, stop);
  for (size_t i = 0; i < it->n; i++)
    it->state[i] = it->x[i] /= 2;
  return L2O_OK;
}

static void a_gradient_that_no_step_takes_is_forgotten(void **state) {
  (void)state;
  static dictionary d;
  double objectives[2];
  l2o_solver rule = *solver_named("math-l2o-nesterov");
  rule.step = idle_step;
  l2o_model *model = model_of("math-l2o-nesterov:hidden=8", 3);
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = 1, s.horizon = 6, s.validation_instances = 8, s.threads = 1;
  for (int shared = 0; shared < 2; shared++) {
    const l2o_family family = {.struct_size = sizeof family, .name = "dictionary", .n = N, .sample = sample, .data = &d};
    l2o_trainer *trainer;
    fill(&d, shared);
    assert_status(l2o_trainer_new(&trainer, model, &rule, &family, &s, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_validate(trainer, &objectives[shared], NULL), L2O_OK, NULL);
    l2o_trainer_free(trainer);
  }
  assert_true(objectives[0] == objectives[1]);
  l2o_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_rule_gives_the_same_bits),
      cmocka_unit_test(every_option_gives_the_same_bits),
      cmocka_unit_test(gradients_go_to_the_points_that_they_belong_to),
      cmocka_unit_test(problems_that_are_none_are_refused),
      cmocka_unit_test(neighbours_are_evaluated_together),
      cmocka_unit_test(points_beside_x_are_evaluated_together),
      cmocka_unit_test(one_failure_is_not_everybodys),
      cmocka_unit_test(training_gives_the_same_bits),
      cmocka_unit_test(a_gradient_that_no_step_takes_is_forgotten),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
