/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs that are written to a file and go on from it: every solver of the registry, bit for bit. */
#include "l2o_fixtures.h"

#include <l2o/tensor_file.h>

enum { STEPS = 17, MOST = 1500 };

/* Problems, among which every rule finds one that it runs on. */
static const char *const PROBLEMS[] = {"logistic:n=8,m=40,l2=0.1", "lasso:n=8,m=12,sparsity=3,l1=0.1", "sum-rate", "power-control",
                                       "mlp:inputs=5,width=6,depth=1,outputs=3,samples=20"};
enum { PROBLEM_COUNT = sizeof PROBLEMS / sizeof *PROBLEMS };

static bool has_option(const l2o_option *options, const char *name) {
  for (; options && options->name; options++)
    if (strcmp(options->name, name) == 0)
      return true;
  return false;
}

/* A model of the rule's kind that fits the problem, with random weights where that keeps it alive; NULL: there is none. */
static l2o_model *model_for(const l2o_solver *solver, const l2o_problem *p) {
  char spec[160];
  l2o_model *model = NULL;
  const l2o_option *options = l2o_model_kind_find(solver->model_kind, NULL)->options;
  snprintf(spec, sizeof spec, "%s%s%s", solver->model_kind, has_option(options, "m") ? ":layers=3,m=12" : "",
           !has_option(options, "m")  ? ""
           : has_option(options, "n") ? ",n=8"
                                      : ",gamma=0,theta=0");
  if (l2o_model_new(&model, spec, 1, NULL))
    return NULL;
  l2o_model_fit_problem(model, p, NULL); /* whether the rule takes the problem is for l2o_run_new() to say */
  return model;
}

typedef struct setup {
  l2o_problem problem;
  l2o_model *model;
  l2o_settings settings;
} setup;

/* The first problem on which the rule runs. */
static l2o_run *begin(setup *s, const l2o_solver *solver, const char *options) {
  for (size_t i = 0; i < PROBLEM_COUNT; i++) {
    l2o_run *run = NULL;
    *s = (setup){.problem = sampled(PROBLEMS[i], 5, i), .settings = l2o_settings_default()};
    s->settings.options = options;
    s->settings.seed = 11;
    if (solver->needs & L2O_NEEDS_MODEL)
      s->model = model_for(solver, &s->problem);
    if ((s->model || !(solver->needs & L2O_NEEDS_MODEL)) &&
        l2o_run_new(&run, solver, s->model, &s->problem, &s->settings, NULL) == L2O_OK) {
      assert_true(s->problem.n <= MOST);
      return run;
    }
    l2o_model_free(s->model);
    l2o_problem_free(&s->problem);
  }
  return NULL;
}

static void finish(setup *s) {
  l2o_model_free(s->model);
  l2o_problem_free(&s->problem);
}

/* Up to `steps` steps, with a record after every third as a driver would make them; false: the rule has ended. */
static bool walk(l2o_run *run, size_t from, size_t steps, l2o_stop *stop) {
  l2o_record record;
  for (size_t k = from; k < from + steps; k++) {
    assert_status(l2o_run_step(run, stop), L2O_OK, NULL);
    if (*stop)
      return false;
    if (k % 3 == 2)
      assert_status(l2o_run_record(run, &record), L2O_OK, NULL);
  }
  return true;
}

static void assert_same_runs(l2o_run *a, l2o_run *b, size_t n, const char *label) {
  l2o_record r, q;
  assert_status(l2o_run_record(a, &r), L2O_OK, NULL);
  assert_status(l2o_run_record(b, &q), L2O_OK, NULL);
  if (memcmp(l2o_run_x(a), l2o_run_x(b), n * sizeof(l2o_real)) != 0 || r.iteration != q.iteration ||
      r.value_calls != q.value_calls || r.gradient_calls != q.gradient_calls || r.charged != q.charged ||
      memcmp(&r.objective, &q.objective, sizeof r.objective) != 0)
    fail_msg("%s: not the unbroken run: %.17g after %zu, %.17g after %zu", label, r.objective, r.iteration, q.objective,
             q.iteration);
}

/* Why the runs ended. */
static l2o_stop compare_broken(const l2o_solver *solver, const char *options, size_t breaks) {
  const char *path = in_folder("run");
  l2o_stop stop = L2O_STOP_NONE;
  for (size_t broken = 0; broken < breaks; broken++) {
    setup s;
    l2o_run *whole = begin(&s, solver, options), *part = NULL;
    l2o_stop again = L2O_STOP_NONE;
    l2o_diag diag = {""};
    if (!whole)
      fail_msg("%s runs on none of the problems with '%s'", solver->name, options);
    assert_status(l2o_run_start(whole, NULL), L2O_OK, NULL);
    if (walk(whole, 0, broken, &stop)) {
      assert_status(l2o_run_save(whole, path, "an experiment", &diag), L2O_OK, &diag);
      assert_status(l2o_run_new(&part, solver, s.model, &s.problem, &s.settings, NULL), L2O_OK, NULL);
      assert_status(l2o_run_resume(part, path, "an experiment", &diag), L2O_OK, &diag);
      walk(whole, broken, STEPS - broken, &stop);
      walk(part, broken, STEPS - broken, &again);
      assert_int_equal(stop, again);
      assert_same_runs(whole, part, s.problem.n, solver->name);
    }
    l2o_run_free(whole);
    l2o_run_free(part);
    finish(&s);
  }
  return stop;
}

static void every_rule_goes_on(void **state) {
  (void)state;
  for (const l2o_solver *const *s = l2o_solver_list(); *s; s++) {
    const bool batches = has_option((*s)->options, "batch"), steps = ((*s)->needs & L2O_NEEDS_STEP) != 0;
    compare_broken(*s, (*s)->needs & L2O_NEEDS_LAYERS ? "step=0.01" : "", 6); /* of networks nobody knows L */
    if (batches)
      compare_broken(*s, steps ? "step=0.01,batch=3" : "batch=3", 6);
  }
}

/* A rule that runs away goes back to the same point, whether the step before was on record or not. */
static void breakdowns_are_the_same(void **state) {
  (void)state;
  static const char *const steps[] = {"step=1e12", "step=3e11", "step=1e11"}; /* too large sooner and later */
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    assert_int_equal(compare_broken(solver_named("gd"), steps[i], STEPS), L2O_STOP_DIVERGED);
    assert_int_equal(compare_broken(solver_named("momentum"), steps[i], STEPS), L2O_STOP_DIVERGED);
  }
}

/* ---- files that do not fit ---- */

static l2o_run *started(const char *rule, const char *options, const l2o_problem *p) {
  l2o_run *run;
  l2o_settings s = l2o_settings_default();
  l2o_diag diag = {""};
  s.options = options;
  assert_status(l2o_run_new(&run, solver_named(rule), NULL, p, &s, &diag), L2O_OK, &diag);
  assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
  return run;
}

/* Refused with that sentence, and as it was before. */
static void assert_refused(const char *rule, const char *options, const l2o_problem *p, const char *path, const char *id,
                           l2o_status expected, const char *sentence) {
  l2o_run *run = started(rule, options, p), *twin = started(rule, options, p);
  l2o_diag diag = {""};
  l2o_stop stop;
  walk(run, 0, 2, &stop);
  walk(twin, 0, 2, &stop);
  assert_status(l2o_run_resume(run, path, id, &diag), expected, &diag);
  assert_names(&diag, sentence);
  assert_names(&diag, path);
  walk(run, 2, 4, &stop);
  walk(twin, 2, 4, &stop);
  assert_same_runs(run, twin, p->n, sentence);
  l2o_run_free(run);
  l2o_run_free(twin);
}

/* The file with one tensor written anew, or left out where values is NULL. */
static void spoil_file(const char *good, const char *bad, const char *name, const double *values, size_t count) {
  l2o_tensor_file *file;
  l2o_tensor_writer *w;
  static const char *const keys[] = {"l2o.run", "l2o.solver", "l2o.problem", "l2o.precision", "id"};
  double all[100];
  assert_status(l2o_tensor_file_open(&file, good, NULL), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_new(&w), L2O_OK, NULL);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    assert_status(l2o_tensor_writer_metadata(w, keys[i], l2o_tensor_file_metadata(file, keys[i])), L2O_OK, NULL);
  for (size_t i = 0; i < l2o_tensor_file_count(file); i++) {
    const l2o_tensor *t = l2o_tensor_file_at(file, i);
    const bool spoilt = strcmp(t->name, name) == 0;
    assert_true(t->count <= 100);
    l2o_tensor_to_double(t, all);
    if (!spoilt)
      assert_status(l2o_tensor_writer_add(w, t->name, t->dtype, all, t->shape, t->rank), L2O_OK, NULL);
    else if (values)
      assert_status(l2o_tensor_writer_add(w, t->name, t->dtype, values, &count, 1), L2O_OK, NULL);
  }
  assert_status(l2o_tensor_writer_save(w, bad, NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(w);
  l2o_tensor_file_free(file);
}

static void other_files_are_refused(void **state) {
  (void)state;
  char good[sizeof in_folder_path], bad[sizeof in_folder_path];
  strcpy(good, in_folder("good"));
  strcpy(bad, in_folder("bad"));
  l2o_problem p = sampled("qp:n=8,m=5", 5, 0), other = sampled("qp:n=9,m=5", 5, 0), stranger = sampled("quadratic:n=8", 5, 0);
  l2o_run *run = started("momentum", "beta=0.5", &p);
  l2o_stop stop;
  walk(run, 0, 3, &stop);
  assert_status(l2o_run_save(run, good, "one", NULL), L2O_OK, NULL);
  l2o_diag diag = {""};
  assert_status(l2o_run_save(run, "/nowhere/at/all", "one", &diag), L2O_ERR_IO, &diag);
  assert_names(&diag, "/nowhere/at/all");
  assert_refused("momentum", "beta=0.5", &p, good, "two", L2O_ERR_ARG, "the run belongs to another experiment");
  assert_refused("nesterov", "", &p, good, "one", L2O_ERR_ARG, "the run belongs to another rule");
  assert_refused("momentum", "beta=0.6", &p, good, "one", L2O_ERR_ARG, "the run was made with beta = 0.5, this one has 0.6");
  assert_refused("momentum", "beta=0.5", &other, good, "one", L2O_ERR_SHAPE, "'x' has 8 entries, 9 expected");
  assert_refused("momentum", "beta=0.5", &stranger, good, "one", L2O_ERR_ARG, "the run belongs to another problem");
  assert_refused("momentum", "beta=0.5", &p, in_folder("none"), "one", L2O_ERR_IO, "");
  double x[8] = {[3] = (double)NAN};
  spoil_file(good, bad, "x", x, 8);
  assert_refused("momentum", "beta=0.5", &p, bad, "one", L2O_ERR_FORMAT, "'x' holds a value that is not finite");
  spoil_file(good, bad, "state", NULL, 0);
  assert_refused("momentum", "beta=0.5", &p, bad, "one", L2O_ERR_FORMAT, "the run lacks 'state'");
  double words[19] = {-1};
  spoil_file(good, bad, "words", words, 19);
  assert_refused("momentum", "beta=0.5", &p, bad, "one", L2O_ERR_FORMAT, "entry 0 of 'words' is no such count");
  double seconds = -1;
  spoil_file(good, bad, "seconds", &seconds, 1);
  assert_refused("momentum", "beta=0.5", &p, bad, "one", L2O_ERR_FORMAT, "'seconds' is not a time");
  l2o_run_free(run);
  l2o_problem_free(&p);
  l2o_problem_free(&other);
  l2o_problem_free(&stranger);
}

static void some_runs_have_no_file(void **state) {
  (void)state;
  l2o_problem p = sampled("qp:n=8,m=5", 5, 0);
  l2o_model *model = model_of("math-l2o-gd:hidden=8", 1);
  l2o_settings s = l2o_settings_default();
  l2o_run *run;
  l2o_diag diag = {""};
  s.options = "guard=shadow";
  assert_status(l2o_run_new(&run, solver_named("math-l2o-gd"), model, &p, &s, NULL), L2O_OK, NULL);
  assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
  assert_status(l2o_run_save(run, in_folder("guarded"), "", &diag), L2O_ERR_NOTSUP, &diag);
  assert_names(&diag, "a run with a guard cannot be saved");
  assert_status(l2o_run_resume(run, in_folder("guarded"), "", &diag), L2O_ERR_NOTSUP, &diag);
  assert_status(l2o_run_scale_step(run, 0.5, NULL), L2O_ERR_NOTSUP, NULL);
  l2o_run_free(run);
  l2o_solver elsewhere = *solver_named("gd");
  elsewhere.done = l2o_iterate_moved; /* of the right type, and harmless */
  s.options = "";
  assert_status(l2o_run_new(&run, &elsewhere, NULL, &p, &s, NULL), L2O_OK, NULL);
  assert_status(l2o_run_save(run, in_folder("unstarted"), "", &diag), L2O_ERR_NOTSUP, &diag);
  assert_names(&diag, "keeps its memory elsewhere");
  l2o_run_free(run);
  assert_status(l2o_run_new(&run, solver_named("gd"), NULL, &p, &s, NULL), L2O_OK, NULL);
  assert_status(l2o_run_save(run, in_folder("unstarted"), "", &diag), L2O_ERR_ARG, &diag);
  assert_status(l2o_run_scale_step(run, 0.5, NULL), L2O_ERR_ARG, NULL);
  l2o_run_free(run);
  l2o_model_free(model);
  l2o_problem_free(&p);
}

/* ---- schedules ---- */

static void a_scaled_step_is_a_smaller_step(void **state) {
  (void)state;
  l2o_problem p = sampled("qp:n=8,m=5", 5, 0);
  l2o_run *half = started("gd", "step=0.02", &p), *plain = started("gd", "step=0.01", &p), *free_step;
  l2o_problem rates = sampled("sum-rate:cells=2,tx=2", 5, 0);
  l2o_stop stop;
  double step = 0;
  free_step = started("wmmse", "", &rates);
  assert_status(l2o_run_scale_step(half, 0.5, &step), L2O_OK, NULL);
  assert_true(step == 0.01);
  walk(half, 0, 4, &stop);
  walk(plain, 0, 4, &stop);
  assert_same_runs(half, plain, p.n, "half the step");
  assert_status(l2o_run_scale_step(half, 1, &step), L2O_OK, NULL); /* of the base, not of the last one */
  assert_true(step == 0.02);
  assert_status(l2o_run_scale_step(half, 0, &step), L2O_OK, NULL);
  walk(half, 4, 3, &stop);
  assert_same_reals(l2o_run_x(half), l2o_run_x(plain), p.n);
  assert_status(l2o_run_start(half, NULL), L2O_OK, NULL); /* back to the whole step */
  l2o_run *again = started("gd", "step=0.02", &p);
  walk(half, 0, 2, &stop);
  walk(again, 0, 2, &stop);
  assert_same_runs(half, again, p.n, "started anew");
  assert_status(l2o_run_scale_step(half, -1, NULL), L2O_ERR_ARG, NULL);
  assert_status(l2o_run_scale_step(half, (double)NAN, NULL), L2O_ERR_ARG, NULL);
  assert_status(l2o_run_scale_step(half, HUGE_VAL, NULL), L2O_ERR_ARG, NULL);
  assert_status(l2o_run_scale_step(free_step, 0.5, NULL), L2O_ERR_NOTSUP, NULL);
  l2o_run_free(half);
  l2o_run_free(plain);
  l2o_run_free(again);
  l2o_run_free(free_step);
  l2o_problem_free(&p);
  l2o_problem_free(&rates);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(every_rule_goes_on, make_folder, remove_folder),
                                     cmocka_unit_test_setup_teardown(breakdowns_are_the_same, make_folder, remove_folder),
                                     cmocka_unit_test_setup_teardown(other_files_are_refused, make_folder, remove_folder),
                                     cmocka_unit_test_setup_teardown(some_runs_have_no_file, make_folder, remove_folder),
                                     cmocka_unit_test(a_scaled_step_is_a_smaller_step)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
