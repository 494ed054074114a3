/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules with recurrent networks for F = f + h: go-math-l2o and l2o-pa, and the black boxes l2o-dm and rnnprop. Derivatives
 * against differences over the models' options, random starts of the network, initial weights, heads that are not used, published
 * files, and the shifts that go-math-l2o does not see. Golden numbers: tests/golden. */
#include "l2o_fixtures.h"
#include "nn/blackbox.h"
#include "nn/go_math_l2o.h"
#include "nn/l2o_pa.h"
#include "problems/instance.h"
#include <l2o/tensor_file.h>

/* Every learned tensor N(0, spread^2), learned scales between 0.7 and 1.1. */
static void spoil_weights(l2o_model *model, uint64_t seed, double spread) {
  size_t count;
  randomise(model, seed, spread);
  double *w = weights_of(model);
  l2o_model_parameters(model, &count);
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(model, i);
    if (t.learned && t.rank == 0)
      w[t.offset] = 0.7 + 0.1 * (double)(i % 5);
  }
  assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
  free(w);
}

static void set_tensor(l2o_model *model, const char *name, double value) {
  size_t count;
  double *w = weights_of(model);
  l2o_model_parameters(model, &count);
  const l2o_model_tensor t = tensor_named(model, name);
  for (size_t j = 0; j < t.count; j++)
    w[t.offset + j] = value;
  assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
  free(w);
}

static double tensor_max(const l2o_model *model, const l2o_model_tensor *t) {
  double largest = 0;
  for (size_t j = 0; j < t->count; j++)
    largest = fmax(largest, fabs((double)l2o_model_parameters(model, NULL)[t->offset + j]));
  return largest;
}

/* x_0 .. x_steps (steps + 1, n) of a rule by itself; free() them. */
static l2o_real *path_of(const char *rule, const l2o_model *model, const l2o_problem *p, size_t steps, const char *options,
                         uint64_t seed) {
  l2o_settings s = l2o_settings_default();
  l2o_run *run;
  l2o_stop stop = L2O_STOP_NONE;
  l2o_diag diag = {""};
  l2o_real *path = malloc((steps + 1) * p->n * sizeof *path);
  s.seed = seed;
  s.options = options;
  assert_status(l2o_run_new(&run, solver_named(rule), model, p, &s, &diag), L2O_OK, &diag);
  assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
  for (size_t k = 0; k <= steps; k++) {
    if (k)
      assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
    memcpy(path + k * p->n, l2o_run_x(run), p->n * sizeof *path);
  }
  l2o_run_free(run);
  return path;
}

static double distance_of(const l2o_real *a, const l2o_real *b, size_t n) {
  double most = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = fabs((double)a[i] - (double)b[i]);
    most = d > most || isnan(d) ? d : most;
  }
  return most;
}

/* ---- derivatives ---- */

static const char *const PLACES[] = {"lasso:n=6,m=4,sparsity=2,l1=0.05", "logistic:recipe=go,n=5,m=12,sparsity=2,l1=0.02",
                                     "least-squares:n=6,m=8"};
enum { PLACE_COUNT = sizeof PLACES / sizeof *PLACES };

typedef struct lesson {
  const char *rule;
  l2o_model *model;
  const l2o_family *family;
  l2o_loss loss;
  l2o_stop_gradient mode;
  size_t unroll, segment; /* the segment's number, from 0 */
} lesson;

/* A trainer that stands before the segment. What comes before is a constant: updates of 1e-300 leave weights as they are. */
static l2o_trainer *before_segment(const lesson *c) {
  l2o_train_settings s = l2o_train_settings_default();
  l2o_trainer *trainer;
  l2o_diag diag = {""};
  l2o_train_record record;
  s.batch = 2, s.horizon = 6, s.unroll = c->unroll, s.loss = c->loss, s.stop_gradient = c->mode, s.threads = 1, s.seed = 4;
  s.optimizer = L2O_OPTIMIZER_SGD, s.learning_rate = 1e-300;
  assert_status(l2o_trainer_new(&trainer, c->model, solver_named(c->rule), c->family, &s, &diag), L2O_OK, &diag);
  for (size_t i = 0; i < c->segment; i++) {
    assert_status(l2o_trainer_step(trainer, &record, &diag), L2O_OK, &diag);
    assert_false(record.rejected);
  }
  return trainer;
}

static double *gradient_of(const lesson *c) {
  l2o_trainer *trainer = before_segment(c);
  l2o_diag diag = {""};
  double loss, *gradient = weights_of(c->model);
  assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
  l2o_trainer_free(trainer);
  return gradient;
}

#ifndef L2O_SINGLE
/* Richardson's extrapolation, right to h^4. Returns the largest entry. */
static double compare_with_differences(const lesson *c) {
  static const double steps[] = {1, -1, 2, -2};
  const double h = 1e-5; /* few kinks are so near */
  size_t count;
  l2o_trainer *trainer = before_segment(c);
  l2o_diag diag = {""};
  double *w = weights_of(c->model), *unused = weights_of(c->model), *gradient = weights_of(c->model), largest = 0, loss;
  l2o_model_parameters(c->model, &count);
  assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
  for (size_t i = 0; i < count; i++)
    largest = fmax(largest, fabs(gradient[i]));
  for (size_t t = 0; t < l2o_model_tensor_count(c->model); t++) {
    const l2o_model_tensor tensor = l2o_model_tensor_at(c->model, t);
    for (size_t i = tensor.offset; i < tensor.offset + tensor.count; i++) {
      const double at = w[i];
      double f[4];
      if (!tensor.learned) {
        assert_true(gradient[i] == 0 || tensor.rank == 0);
        continue;
      }
      for (int j = 0; j < 4; j++) {
        w[i] = at + steps[j] * h;
        assert_status(l2o_model_set_parameters(c->model, w, count), L2O_OK, NULL);
        assert_status(l2o_trainer_gradient(trainer, &f[j], unused, &diag), L2O_OK, &diag);
      }
      w[i] = at;
      const double difference = (4 * (f[0] - f[1]) / (2 * h) - (f[2] - f[3]) / (4 * h)) / 3;
      if (!(fabs(difference - gradient[i]) <= 1e-6 * largest + 1e-10))
        fail_msg("%s, loss %d, segment %zu of %zu steps: %s[%zu] = %.12g, differences say %.12g (largest %.3g)",
                 l2o_model_spec(c->model), (int)c->loss, c->segment, c->unroll, tensor.name, i - tensor.offset, gradient[i],
                 difference, largest);
    }
  }
  assert_status(l2o_model_set_parameters(c->model, w, count), L2O_OK, NULL);
  l2o_trainer_free(trainer);
  free(w), free(unused), free(gradient);
  return largest;
}

/* No kink of the layer behind the stack within reach: its biases keep it away on both sides. */
static void away_from_kinks(l2o_model *model) {
  size_t count;
  double *w = weights_of(model);
  l2o_model_parameters(model, &count);
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(model, i);
    if (strcmp(t.name, "linear.bias") == 0 && t.count > 1)
      for (size_t k = 0; k < t.count; k++)
        w[t.offset + k] = k % 3 == 1 ? -3 : 3;
  }
  assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
  free(w);
}

/* Both losses, whole and the last of three segments, on every problem. */
static void compare_rule(const char *rule, const char *options, bool some_gradient) {
  char spec[200];
  snprintf(spec, sizeof spec, "%s:hidden=3,%s", rule, options);
  for (size_t i = 0; i < PLACE_COUNT; i++) {
    l2o_model *model = model_of(spec, 1);
    l2o_family *family = family_of(PLACES[i]);
    spoil_weights(model, 7 + i, 0.3);
    away_from_kinks(model);
    for (int whole = 0; whole < 2; whole++)
      for (int gap = 0; gap < 2; gap++) {
        const lesson c = {.rule = rule,
                          .model = model,
                          .family = family,
                          .loss = gap ? L2O_LOSS_LOG_GAP : L2O_LOSS_MEAN,
                          .mode = L2O_STOP_GRADIENT_NONE,
                          .unroll = whole ? 6 : 2,
                          .segment = whole ? 0 : 2};
        const double largest = compare_with_differences(&c);
        assert_true(some_gradient ? largest > 1e-4 : largest < 1e-12);
      }
    l2o_family_free(family);
    l2o_model_free(model);
  }
}

static void go_math_l2o_is_differentiated(void **state) {
  (void)state;
  static const char *const options[] = {"layers=2",
                                        "layers=1,variant=std,scales=learned",
                                        "layers=1,variant=lh,scales=learned",
                                        "layers=1,biases=on,scales=learned,variant=lh",
                                        "layers=1,biases=on,scales=learned,variant=std,history=root",
                                        "layers=1,biases=on,state=normal",
                                        "layers=1,history=root,q_scale=1.7",
                                        "layers=1,history=step,variant=std",
                                        "layers=1,history=square,variant=lh",
                                        "layers=1,r_norm=softplus,q_norm=softplus,b_norm=softplus,q_scale=0.6",
                                        "layers=1,r_norm=exp,q_norm=identity,b_norm=gaussian,r_scale=0.5",
                                        "layers=1,r_norm=gaussian,q_norm=sigmoid,b_norm=exp,b_scale=0.4,scales=learned"};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    compare_rule("go-math-l2o", options[i], true);
}

static void l2o_pa_is_differentiated_with_any_heads(void **state) {
  (void)state;
  for (int set = 0; set < 32; set++) {
    char options[120];
    snprintf(options, sizeof options, "layers=1,p=%s,a=%s,b=%s,b1=%s,b2=%s,b_norm=%s,scales=%s", set & 1 ? "on" : "off",
             set & 2 ? "on" : "off", set & 4 ? "on" : "off", set & 8 ? "on" : "off", set & 16 ? "on" : "off",
             set % 3 ? "sigmoid" : "identity", set % 2 ? "learned" : "fixed");
    compare_rule("l2o-pa", options, (set & ~4) != 0); /* B alone weighs x with itself */
  }
  compare_rule("l2o-pa", "layers=2,state=normal,p_norm=softplus,p_scale=0.5,a_norm=softplus,a_scale=0.3", true);
}

static void black_boxes_are_differentiated(void **state) {
  (void)state;
  compare_rule("l2o-dm", "layers=2,state_scale=1,gradient_scale=0.3", true);
  compare_rule("rnnprop", "layers=1,state_scale=0.1,beta1=0.8,beta2=0.7", true);
}
#endif

static const char *const RULES[] = {"go-math-l2o", "l2o-pa", "l2o-dm", "rnnprop"};
enum { RULE_COUNT = sizeof RULES / sizeof *RULES };

/* A segment of one step starts from constants: there all modes agree. In longer ones constant features leave something out. */
static void modes_agree_for_lone_steps(void **state) {
  (void)state;
  static const l2o_stop_gradient modes[] = {L2O_STOP_GRADIENT_NONE, L2O_STOP_GRADIENT_FEATURES, L2O_STOP_GRADIENT_DIRECTION};
  static const char *const models[] = {"go-math-l2o:biases=on", "l2o-pa:b=on,b1=on,b2=on", "l2o-dm", "rnnprop"};
  for (size_t r = 0; r < RULE_COUNT; r++)
    for (size_t unroll = 1; unroll <= 2; unroll++) {
      l2o_model *model = model_of(models[r], 1);
      l2o_family *family = family_of(PLACES[0]);
      size_t count;
      l2o_model_parameters(model, &count);
      spoil_weights(model, 5, 0.4);
      double *gradient[3], largest = 0, apart[3] = {0};
      for (size_t m = 0; m < 3; m++)
        gradient[m] = gradient_of(&(lesson){RULES[r], model, family, L2O_LOSS_MEAN, modes[m], unroll, 1});
      for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(gradient[0][i]));
        for (size_t m = 1; m < 3; m++)
          apart[m] = fmax(apart[m], fabs(gradient[m][i] - gradient[0][i]));
      }
      assert_true(largest > 0);
      for (size_t m = 1; m < 3; m++)
        assert_true(unroll == 1 ? apart[m] <= BY_PRECISION(1e-13, 1e-5) * largest : apart[m] > 1e-4 * largest);
      for (size_t m = 0; m < 3; m++)
        free(gradient[m]);
      l2o_family_free(family);
      l2o_model_free(model);
    }
}

static l2o_status sample_watched(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)seed, (void)index, (void)diag;
  *out = ((const watcher *)family->data)->problem;
  return L2O_OK;
}

/* One Hessian-vector product a step but the first of a segment, two with the gradient at z; none with constant gradients. */
static void products_are_those_that_are_needed(void **state) {
  (void)state;
  enum { STEPS = 6 };
  static const struct {
    const char *rule, *model;
    size_t whole, direction;
  } cases[] = {{"go-math-l2o", "go-math-l2o", STEPS - 1, 0},
               {"l2o-pa", "l2o-pa", STEPS - 1, 0},
               {"l2o-pa", "l2o-pa:b=on", 2 * STEPS - 1, 0},
               {"l2o-dm", "l2o-dm", STEPS - 1, 0},
               {"rnnprop", "rnnprop", STEPS - 1, 0}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
    for (int direction = 0; direction < 2; direction++) {
      l2o_problem inner = sampled("logistic:n=5,m=12", 3, 0);
      watcher w;
      watch(&w, &inner);
      const l2o_family family = {.struct_size = sizeof family, .name = "watched", .n = 5, .sample = sample_watched, .data = &w};
      l2o_model *model = model_of(cases[c].model, 1);
      spoil_weights(model, 3, 0.4);
      l2o_train_settings s = l2o_train_settings_default();
      l2o_trainer *trainer;
      double loss, *gradient = weights_of(model);
      s.batch = 1, s.horizon = STEPS, s.threads = 1;
      s.stop_gradient = direction ? L2O_STOP_GRADIENT_DIRECTION : L2O_STOP_GRADIENT_NONE;
      assert_status(l2o_trainer_new(&trainer, model, solver_named(cases[c].rule), &family, &s, NULL), L2O_OK, NULL);
      w.products = 0;
      assert_status(l2o_trainer_gradient(trainer, &loss, gradient, NULL), L2O_OK, NULL);
      assert_int_equal(w.products, direction ? cases[c].direction : cases[c].whole);
      free(gradient);
      l2o_trainer_free(trainer);
      l2o_model_free(model);
      l2o_problem_free(&inner);
    }
}

/* 1/2 (x_0 - 1)^2 in two unknowns: the gradient by the other one has never been anything but 0. */
static l2o_status of_one_unknown(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)p, (void)work;
  *f = 0.5 * ((double)x[0] - 1) * ((double)x[0] - 1);
  g[0] = x[0] - 1;
  g[1] = 0;
  return L2O_OK;
}
static l2o_status its_product(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  (void)p, (void)x, (void)work;
  hv[0] = v[0];
  hv[1] = 0 * v[1]; /* not a number, if that is */
  return L2O_OK;
}
static const l2o_problem_ops of_one_unknown_ops = {
    .struct_size = sizeof of_one_unknown_ops, .name = "one", .gradient = of_one_unknown, .hessian_vector = its_product};
static l2o_status sample_one(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)family, (void)seed, (void)index, (void)diag;
  *out = (l2o_problem){.ops = &of_one_unknown_ops, .n = 2};
  return L2O_OK;
}

static void a_gradient_that_is_always_zero_does_no_harm(void **state) {
  (void)state;
  const l2o_family family = {.struct_size = sizeof family, .name = "one", .n = 2, .sample = sample_one};
  l2o_model *model = model_of("rnnprop", 1);
  double *gradient = gradient_of(&(lesson){"rnnprop", model, &family, L2O_LOSS_MEAN, L2O_STOP_GRADIENT_NONE, 6, 0}), largest = 0;
  size_t count;
  l2o_model_parameters(model, &count);
  for (size_t i = 0; i < count; i++) {
    assert_true(isfinite(gradient[i]));
    largest = fmax(largest, fabs(gradient[i]));
  }
  assert_true(largest > 0 && largest < 100);
  free(gradient);
  l2o_model_free(model);
}

/* A black box gives a coordinate what it would have alone, with a record and without, however many there are. */
static void coordinates_are_together_as_alone(void **state) {
  (void)state;
  enum { N = 300, STEPS = 3 };
  static const char *const models[] = {"l2o-dm", "rnnprop", "rnnprop:hidden=3,layers=1"};
  for (size_t m = 0; m < 3; m++) {
    l2o_model *model = model_of(models[m], 1);
    l2o_real *u = calloc(2 * N, sizeof *u), w[N], again[N];
    spoil_weights(model, 3, 0.5);
    l2o_real *memory[3], *scratch[3], *tape = calloc(l2o_blackbox_tape_len(model, N), sizeof *tape);
    for (size_t i = 0; i < 3; i++) { /* of all with a record, of all without, of one */
      memory[i] = calloc(l2o_blackbox_state_len(model, i == 2 ? 1 : N), sizeof *memory[i]);
      scratch[i] = calloc(l2o_blackbox_scratch_len(model, i == 2 ? 1 : N), sizeof *scratch[i]);
    }
    normal_reals(u, 2 * N, 5);
    for (size_t k = 0; k < STEPS; k++) {
      l2o_blackbox_forward(model, w, memory[0], tape, scratch[0], u, N);
      l2o_blackbox_forward(model, again, memory[1], NULL, scratch[1], u, N);
      assert_same_reals(w, again, N);
    }
    for (size_t i = 0; i < N; i += 13) {
      const l2o_real own[2] = {u[i], u[N + i]};
      l2o_real one;
      memset(memory[2], 0, l2o_blackbox_state_len(model, 1) * sizeof *memory[2]);
      for (size_t k = 0; k < STEPS; k++)
        l2o_blackbox_forward(model, &one, memory[2], NULL, scratch[2], own, 1);
      assert_same_reals(&one, &w[i], 1);
    }
    for (size_t i = 0; i < 3; i++)
      free(memory[i]), free(scratch[i]);
    free(u), free(tape);
    l2o_model_free(model);
  }
}

/* ---- the network's state at a start ---- */

static const char *const RANDOM_STATE[] = {"go-math-l2o:state=normal", "l2o-pa:state=normal", "l2o-dm:state_scale=1",
                                           "rnnprop:state_scale=1"};

static void random_states_belong_to_seed_and_instance(void **state) {
  (void)state;
  enum { STEPS = 4, MANY = 3, N = 6 };
  for (size_t r = 0; r < RULE_COUNT; r++) {
    l2o_model *model = model_of(RANDOM_STATE[r], 1);
    spoil_weights(model, 3, 0.4);
    l2o_problem p[MANY];
    l2o_real x[4][MANY * N];
    l2o_result results[MANY];
    for (size_t i = 0; i < MANY; i++)
      p[i] = sampled(PLACES[0], 5, 0);     /* the same one */
    for (size_t run = 0; run < 4; run++) { /* twice the same, another seed, and a part of many */
      l2o_settings s = l2o_settings_default();
      s.iterations = STEPS, s.seed = run == 2 ? 9 : 8, s.first = run == 3 ? 1 : 0, s.threads = 1 + (int)(run % 2);
      memset(x[run], 0, sizeof x[run]);
      assert_status(l2o_solve_many(solver_named(RULES[r]), model, p, run == 3 ? MANY - 1 : MANY, x[run], results, &s, NULL), L2O_OK,
                    NULL);
    }
    assert_same_reals(x[0], x[1], MANY * N);
    assert_same_reals(x[0] + N, x[3], (MANY - 1) * N);
    for (size_t i = 0; i < MANY; i++)
      for (size_t j = 0; j < i; j++)
        assert_true(distance_of(x[0] + i * N, x[0] + j * N, N) > 1e-6);
    for (size_t i = 0; i < MANY; i++) {
      assert_true(distance_of(x[0] + i * N, x[2] + i * N, N) > 1e-6);
      l2o_problem_free(&p[i]);
    }
    l2o_model_free(model);
  }
}

/* What is drawn has the deviation that the option says, mean 0; off it is zero. */
static void random_states_are_normal(void **state) {
  (void)state;
  enum { N = 500 };
  static const struct {
    const char *rule, *model;
    double deviation;
  } cases[] = {{"go-math-l2o", "state=normal", 1},   {"go-math-l2o", "state=zero", 0},   {"l2o-pa", "state=normal", 1},
               {"l2o-pa", "state=zero", 0},          {"l2o-dm", "state_scale=0.3", 0.3}, {"l2o-dm", "", 0},
               {"rnnprop", "state_scale=0.01", 0.01}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    char spec[64];
    snprintf(spec, sizeof spec, "%s:%s", cases[c].rule, cases[c].model);
    const l2o_solver *rule = solver_named(cases[c].rule);
    l2o_model *model = model_of(spec, 1);
    l2o_rng rng;
    l2o_real *x = calloc(N, sizeof *x);
    l2o_problem p = sampled("rosenbrock:n=500", 1, 0);
    l2o_iterate it = {.problem = &p, .model = model, .n = N, .x = x, .rng = &rng};
    const size_t length = rule->state_len(&it), network = 4 * 20 * N; /* h and c of two layers of 20, behind the rule's own */
    double sum = 0, squares = 0;
    it.state = malloc(length * sizeof *it.state);
    for (size_t i = 0; i < length; i++)
      it.state[i] = 77;
    l2o_rng_seed(&rng, 1, 2, 3);
    assert_status(rule->init(&it), L2O_OK, NULL);
    for (size_t i = length - network; i < length; i++) {
      sum += (double)it.state[i] / network;
      squares += (double)it.state[i] * (double)it.state[i] / network;
    }
    assert_close(sqrt(squares), cases[c].deviation, 0.02, 0);
    assert_close(sum, 0, 0, 0.02 * cases[c].deviation);
    for (size_t i = 0; i < length - network; i++) /* of rnnprop the powers b^0 */
      assert_true(it.state[i] == (strcmp(cases[c].rule, "rnnprop") == 0 && i >= 2 * N ? 1 : 0));
    free(it.state), free(x);
    l2o_problem_free(&p);
    l2o_model_free(model);
  }
}

/* The first batch of a trainer is what a solver of the same seed does, and so are its validation instances, in every round. */
static void a_trainer_starts_as_a_solver_does(void **state) {
  (void)state;
  enum { STEPS = 5, BATCH = 3 };
  for (size_t r = 0; r < RULE_COUNT; r++) {
    l2o_model *model = model_of(RANDOM_STATE[r], 1);
    l2o_family *family = family_of(PLACES[0]);
    l2o_train_settings s = l2o_train_settings_default();
    l2o_trainer *trainer;
    double loss, mean = 0, *gradient = weights_of(model);
    spoil_weights(model, 3, 0.4);
    s.batch = BATCH, s.horizon = STEPS, s.seed = 21, s.validation_instances = BATCH, s.validation_seed = 22;
    s.optimizer = L2O_OPTIMIZER_SGD, s.learning_rate = 0;
    assert_status(l2o_trainer_new(&trainer, model, solver_named(RULES[r]), family, &s, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_gradient(trainer, &loss, gradient, NULL), L2O_OK, NULL);
    double validated, again, expected = 0;
    assert_status(l2o_trainer_validate(trainer, &validated, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_step(trainer, NULL, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_validate(trainer, &again, NULL), L2O_OK, NULL);
    assert_true(validated == again);
    l2o_problem p[BATCH];
    l2o_real x[BATCH * 6];
    l2o_result results[BATCH];
    l2o_settings many = l2o_settings_default();
    many.iterations = STEPS, many.seed = 21;
    for (size_t i = 0; i < BATCH; i++) {
      assert_status(l2o_family_sample(family, &p[i], 21, L2O_PURPOSE_TRAIN, i, NULL), L2O_OK, NULL);
      assert_status(l2o_problem_start(&p[i], x + i * 6), L2O_OK, NULL);
    }
    assert_status(l2o_solve_many(solver_named(RULES[r]), model, p, BATCH, x, results, &many, NULL), L2O_OK, NULL);
    for (size_t i = 0; i < BATCH; i++) {
      mean += results[i].last.objective / BATCH;
      l2o_problem_free(&p[i]);
    }
    assert_close(loss, mean, BY_PRECISION(1e-14, 1e-6), 0);
    many.seed = 22;
    for (size_t i = 0; i < BATCH; i++) {
      assert_status(l2o_family_sample(family, &p[i], 22, L2O_PURPOSE_VALIDATION, i, NULL), L2O_OK, NULL);
      assert_status(l2o_problem_start(&p[i], x + i * 6), L2O_OK, NULL);
    }
    assert_status(l2o_solve_many(solver_named(RULES[r]), model, p, BATCH, x, results, &many, NULL), L2O_OK, NULL);
    for (size_t i = 0; i < BATCH; i++) {
      expected += results[i].last.objective / BATCH;
      l2o_problem_free(&p[i]);
    }
    assert_close(validated, expected, BY_PRECISION(1e-14, 1e-6), 0);
    free(gradient);
    l2o_trainer_free(trainer);
    l2o_family_free(family);
    l2o_model_free(model);
  }
}

/* ---- heads ---- */

/* Weights, biases and scales of heads that are not used may be anything, and get no gradient. */
static void heads_that_are_not_used_do_not_matter(void **state) {
  (void)state;
  static const struct {
    const char *rule, *model, *heads[4];
  } cases[] = {{"go-math-l2o", "scales=learned", {"b3", "b4"}},
               {"l2o-pa", "scales=learned", {"b", "b1", "b2"}},
               {"l2o-pa", "p=off,b1=on", {"p", "b", "b2"}},
               {"l2o-pa", "a=off,b=on,b2=on", {"a", "b1"}}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    char spec[80];
    snprintf(spec, sizeof spec, "%s:%s", cases[c].rule, cases[c].model);
    l2o_model *model = model_of(spec, 1);
    l2o_problem p = sampled(PLACES[0], 5, 0);
    l2o_family *family = family_of(PLACES[0]);
    spoil_weights(model, 3, 0.4);
    l2o_real *before = path_of(cases[c].rule, model, &p, 8, NULL, 0);
    for (size_t h = 0; h < 4 && cases[c].heads[h]; h++) {
      char name[40];
      for (int part = 0; part < 3; part++) {
        snprintf(name, sizeof name, part == 2 ? "%s_scale" : part ? "linear_%s.bias" : "linear_%s.weight", cases[c].heads[h]);
        set_tensor(model, name, -3.5);
        assert_false(tensor_named(model, name).learned);
      }
    }
    l2o_real *after = path_of(cases[c].rule, model, &p, 8, NULL, 0);
    assert_same_reals(before, after, 9 * p.n);
    assert_true(distance_of(before, before + 8 * p.n, p.n) > 1e-3);
    double *gradient = gradient_of(&(lesson){cases[c].rule, model, family, L2O_LOSS_MEAN, L2O_STOP_GRADIENT_NONE, 6, 0});
    for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
      const l2o_model_tensor t = l2o_model_tensor_at(model, i);
      for (size_t j = t.offset; j < t.offset + t.count && t.rank && !t.learned; j++)
        assert_true(gradient[j] == 0);
    }
    free(before), free(after), free(gradient);
    l2o_family_free(family);
    l2o_problem_free(&p);
    l2o_model_free(model);
  }
}

/* Every tensor of a published checkpoint, used or not, but no scales: as the published state_dicts have them. */
static void published_files_load(void **state) {
  (void)state;
  static const struct {
    const char *file, *spec, *unused, *rule;
  } cases[] = {{"go_lasso_12x8_gomathl2o", "go-math-l2o:hidden=8", "linear_b4.weight", "go-math-l2o"},
               {"go_lasso_12x8_gomathl2o", "go-math-l2o:hidden=8,biases=on", NULL, "go-math-l2o"},
               {"lstm_lasso_12x8_pa", "l2o-pa:hidden=8", "linear_b2.weight", "l2o-pa"},
               {"lstm_lasso_12x8_pa", "l2o-pa:hidden=8,a=off,b1=on", "linear_a.weight", "l2o-pa"}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    char path[512];
    l2o_tensor_file *file;
    l2o_tensor_writer *writer;
    l2o_model *model;
    l2o_diag diag = {""};
    size_t written = 0;
    snprintf(path, sizeof path, "%s/golden/%s.safetensors", L2O_TEST_DATA, cases[c].file);
    assert_status(l2o_tensor_file_open(&file, path, &diag), L2O_OK, &diag);
    assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
    for (size_t i = 0; i < l2o_tensor_file_count(file); i++) {
      const l2o_tensor *t = l2o_tensor_file_at(file, i);
      if (strncmp(t->name, "param__", 7) != 0)
        continue;
      double *values = malloc(t->count * sizeof *values);
      l2o_tensor_to_double(t, values);
      assert_status(l2o_tensor_writer_add(writer, t->name + 7, L2O_F64, values, t->shape, t->rank), L2O_OK, NULL);
      free(values);
      written++;
    }
    assert_int_equal(written, 20); /* 8 of the stack, 2 of the layer, 2 of each of five heads */
    assert_status(l2o_tensor_writer_save(writer, in_folder("published"), NULL), L2O_OK, NULL);
    l2o_tensor_writer_free(writer);
    assert_status(l2o_model_load(&model, in_folder("published"), cases[c].spec, &diag), L2O_OK, &diag);
    assert_int_equal(l2o_model_tensor_count(model), 25);
    for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
      const l2o_model_tensor t = l2o_model_tensor_at(model, i);
      char name[64];
      snprintf(name, sizeof name, "param__%s", t.name);
      const l2o_tensor *expected = l2o_tensor_file_find(file, name);
      if (t.rank == 0) {
        assert_true(!expected && l2o_model_parameters(model, NULL)[t.offset] == 1);
        continue;
      }
      double *values = malloc(expected->count * sizeof *values);
      l2o_tensor_to_double(expected, values);
      for (size_t j = 0; j < t.count; j++)
        assert_true(l2o_model_parameters(model, NULL)[t.offset + j] == (l2o_real)values[j]);
      free(values);
    }
    if (cases[c].unused)
      assert_false(tensor_named(model, cases[c].unused).learned);
    assert_string_equal(l2o_model_kind_name(model), cases[c].rule);
    l2o_tensor_file_free(file);
    l2o_model_free(model);
  }
}

/* ---- initial weights ---- */

static void a_calm_start_is_nearly_ista(void **state) {
  (void)state;
  enum { STEPS = 50, INSTANCES = 5 };
  static const char *const models[] = {"go-math-l2o", "go-math-l2o:state=normal", "l2o-pa", "l2o-pa:p=off", "l2o-pa:a=off"};
  for (size_t m = 0; m < sizeof models / sizeof *models; m++)
    for (size_t i = 0; i < INSTANCES; i++) {
      l2o_model *model = model_of(models[m], 1);
      l2o_problem p = sampled("lasso:n=40,m=20,sparsity=5,l1=0.1", 3, i);
      double least, f[2];
      assert_status(l2o_problem_minimum(&p, &least, NULL), L2O_OK, NULL);
      for (int learned = 0; learned < 2; learned++) {
        l2o_settings s = l2o_settings_default();
        l2o_real x[40];
        l2o_result r;
        s.iterations = STEPS;
        assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
        assert_status(
            l2o_minimize(solver_named(learned ? l2o_model_kind_name(model) : "ista"), learned ? model : NULL, &p, x, &r, &s, NULL),
            L2O_OK, NULL);
        f[learned] = r.last.objective;
      }
      assert_true(f[1] - least <= 1.3 * (f[0] - least) && f[1] - least >= 0.3 * (f[0] - least));
      l2o_problem_free(&p);
      l2o_model_free(model);
    }
}

/* All heads off: ista, to the last bit. */
static void without_heads_l2o_pa_is_ista(void **state) {
  (void)state;
  l2o_model *model = model_of("l2o-pa:p=off,a=off", 1);
  spoil_weights(model, 2, 0.5);
  for (size_t i = 0; i < PLACE_COUNT; i++) {
    l2o_problem p = sampled(PLACES[i], 5, 1);
    l2o_real *one = path_of("l2o-pa", model, &p, 30, NULL, 0), *other = path_of("ista", NULL, &p, 30, NULL, 0);
    assert_same_reals(one, other, 31 * p.n);
    free(one), free(other);
    l2o_problem_free(&p);
  }
  l2o_model_free(model);
}

/* Zeros are what a model without random states begins with, and random states give way to those that are given; a network of
 * another size refuses them. What is done with them: tests/golden. */
static void problems_may_bring_states(void **state) {
  (void)state;
  static const char *const models[][2] = {{"go-math-l2o", "go-math-l2o:hidden=3,layers=2,state="},
                                          {"l2o-pa", "l2o-pa:hidden=3,layers=2,state="},
                                          {"l2o-dm", "l2o-dm:hidden=3,layers=2,state_scale="},
                                          {"rnnprop", "rnnprop:hidden=3,layers=2,state_scale="},
                                          {"l2o-bfgs", "bfgs-lstm:hidden=3,layers=2"}};
  enum { N = 5, STATES = 2 * N * 3, STEPS = 4 };
  l2o_real zeros[STATES] = {0}, h[STATES], c[STATES];
  normal_reals(h, STATES, 1), normal_reals(c, STATES, 2);
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    const bool draws = i < 4, scaled = i == 2 || i == 3;
    const char *rule = models[i][0];
    l2o_problem p = sampled("least-squares:n=5,m=7", 3, 0);
    l2o_states *given = &((l2o_instance *)(uintptr_t)p.data)->states, got;
    char spec[2][80];
    snprintf(spec[0], sizeof spec[0], "%s%s", models[i][1], draws ? scaled ? "0" : "zero" : "");
    snprintf(spec[1], sizeof spec[1], "%s%s", models[i][1], draws ? scaled ? "1" : "normal" : "");
    l2o_model *model = model_of(spec[0], 1), *drawing = model_of(spec[1], 1);
    spoil_weights(model, 4, 0.3), spoil_weights(drawing, 4, 0.3);
    assert_status(l2o_problem_states(&p, &got), L2O_ERR_NOTSUP, NULL);
    l2o_real *plain = path_of(rule, model, &p, STEPS, NULL, 7);
    *given = (l2o_states){.layers = 2, .hidden = 3, .h = zeros, .c = zeros};
    l2o_real *zero = path_of(rule, drawing, &p, STEPS, NULL, 7);
    assert_same_reals(zero, plain, (STEPS + 1) * N);
    l2o_real *before = zero;
    for (size_t k = 0; k < 2; k++) { /* h matters, and c */
      *(k ? &given->c : &given->h) = k ? c : h;
      l2o_real *moved = path_of(rule, drawing, &p, STEPS, NULL, 7), *again = path_of(rule, model, &p, STEPS, NULL, 8);
      assert_same_reals(moved, again, (STEPS + 1) * N);
      assert_true(distance_of(moved, before, (STEPS + 1) * N) > 1e-6);
      free(again), free(before);
      before = moved;
    }
    free(before), free(plain);
    given->hidden = 4;
    l2o_run *run;
    l2o_diag diag = {""};
    assert_status(l2o_run_new(&run, solver_named(rule), model, &p, NULL, &diag), L2O_ERR_SHAPE, NULL);
    assert_names(&diag, "problem 'least-squares' brings states of 2 layers of 4 units, the model has 2 of 3");
    l2o_model_free(model), l2o_model_free(drawing);
    l2o_problem_free(&p);
  }
}

/* The heads begin at the same values whatever brings them there, and a scale is a factor: the same iterates. */
static void calm_heads_begin_alike(void **state) {
  (void)state;
  static const struct {
    const char *rule, *models[8];
  } cases[] = {{"go-math-l2o",
                {"", "r_norm=exp,q_norm=exp,b_norm=exp", "r_norm=identity,q_norm=identity,b_norm=identity",
                 "r_norm=softplus,q_norm=softplus,b_norm=softplus", "r_norm=gaussian,q_norm=gaussian,b_norm=gaussian",
                 "r_norm=sigmoid,r_scale=3,q_norm=sigmoid,b_norm=sigmoid2", "r_scale=0.7,q_scale=10,b_scale=0.8"}},
               {"l2o-pa",
                {"b=on", "b=on,p_norm=exp,a_norm=exp,b_norm=exp", "b=on,p_norm=identity,a_norm=identity,b_norm=identity",
                 "b=on,p_norm=softplus,a_norm=softplus,b_norm=softplus", "b=on,p_norm=gaussian,a_norm=gaussian,b_norm=gaussian",
                 "b=on,p_norm=sigmoid,a_norm=sigmoid,b_norm=sigmoid,p_scale=3,b_scale=2", "b=on,p_scale=0.8,a_scale=0.3", ""}}};
  for (size_t c = 0; c < 2; c++) {
    l2o_problem p = sampled(PLACES[0], 5, 1);
    l2o_real *first = NULL;
    for (size_t m = 0; m < 8 && cases[c].models[m]; m++) {
      char spec[160];
      snprintf(spec, sizeof spec, "%s:%s", cases[c].rule, cases[c].models[m]);
      l2o_model *model = model_of(spec, 1);
      l2o_real *path = path_of(cases[c].rule, model, &p, 10, NULL, 0);
      if (!first)
        first = path;
      else
        assert_true(distance_of(first, path, 11 * p.n) <= BY_PRECISION(1e-12, 1e-5));
      if (path != first)
        free(path);
      l2o_model_free(model);
    }
    free(first);
    l2o_problem_free(&p);
  }
}

/* The published starts: Glorot's bounds and no biases; PyTorch's. By seed, and the heads differ. */
static void published_starts_have_their_bounds(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    bool glorot;
  } cases[] = {{"go-math-l2o:start=glorot", true}, {"l2o-pa:start=torch", false}, {"l2o-dm", false}, {"rnnprop", false}};
  for (size_t c = 0; c < 4; c++) {
    l2o_model *model = model_of(cases[c].spec, 1), *again = model_of(cases[c].spec, 1), *other = model_of(cases[c].spec, 2);
    size_t count;
    const l2o_real *w = l2o_model_parameters(model, &count);
    assert_same_reals(w, l2o_model_parameters(again, NULL), count);
    for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
      const l2o_model_tensor t = l2o_model_tensor_at(model, i);
      const double largest = tensor_max(model, &t);
      double bound = 1 / sqrt(20);
      if (cases[c].glorot)
        bound = t.rank == 2 ? sqrt(6.0 / (double)(t.shape[0] + t.shape[1])) : 0;
      if (strncmp(t.name, "linear_in", 9) == 0)
        bound = 1 / sqrt(2);
      if (t.rank == 0) {
        assert_true(w[t.offset] == 1);
        continue;
      }
      assert_true(largest <= bound * (1 + 1e-6) && (t.count < 20 || largest >= 0.8 * bound));
      if (bound > 0)
        assert_true(largest > 0 && w[t.offset] != l2o_model_parameters(other, NULL)[t.offset]);
    }
    l2o_model_free(model), l2o_model_free(again), l2o_model_free(other);
  }
}

/* start=published: entries as another MT19937 (numpy's) gives them, in the order in which the published code makes its layers,
 * whatever heads are used. */
static void published_weights_are_replayed(void **state) {
  (void)state;
  static const struct {
    const char *tensor;
    size_t at;
    double value;
  } entries[] = {{"lstm.weight_ih_l0", 0, -0.08103425800800323}, {"lstm.bias_hh_l1", 2, 0.07949259877204895},
                 {"linear.bias", 1, 0.007754981517791748},       {"linear_p.weight", 2, 0.1308986246585846},
                 {"linear_b.bias", 0, -0.05528716742992401},     {"linear_a.weight", 1, -0.20320837199687958},
                 {"linear_a.bias", 0, -0.046527206897735596}};
  static const char *const specs[] = {"l2o-pa:start=published", "l2o-pa:start=published,a=off,b=on,b2=on"};
  for (size_t s = 0; s < 2; s++) {
    l2o_model *model = model_of(specs[s], 118);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
      const l2o_model_tensor t = tensor_named(model, entries[i].tensor);
      assert_close(l2o_model_parameters(model, NULL)[t.offset + entries[i].at], entries[i].value, 1e-6, 0);
    }
    l2o_model_free(model);
  }
}

/* history=root|step|square: Q times sqrt(s), s, s^2. */
static void history_is_scaled_by_the_base_step(void **state) {
  (void)state;
  static const char *const history[] = {"root", "step", "square"};
  static const double power[] = {0.5, 1, 2};
  l2o_problem p = sampled(PLACES[0], 5, 1);
  double L;
  assert_status(l2o_problem_lipschitz(&p, &L), L2O_OK, NULL);
  for (size_t v = 0; v < 3; v++)
    for (size_t i = 0; i < 3; i++) {
      static const char *const variants[] = {"proposed", "std", "lh"};
      char spec[80];
      snprintf(spec, sizeof spec, "go-math-l2o:variant=%s,history=%s", variants[v], history[i]);
      l2o_model *scaled = model_of(spec, 1);
      snprintf(spec, sizeof spec, "go-math-l2o:variant=%s", variants[v]);
      l2o_model *plain = model_of(spec, 1);
      spoil_weights(scaled, 3, 0.4);
      spoil_weights(plain, 3, 0.4);
      set_tensor(scaled, "q_scale", 2);
      set_tensor(plain, "q_scale", 2 * pow(0.9999 / L, power[i]));
      l2o_real *a = path_of("go-math-l2o", scaled, &p, 8, NULL, 0), *b = path_of("go-math-l2o", plain, &p, 8, NULL, 0);
      assert_true(distance_of(a, b, 9 * p.n) <= BY_PRECISION(1e-12, 1e-4));
      set_tensor(plain, "q_scale", 2);
      free(b);
      b = path_of("go-math-l2o", plain, &p, 8, NULL, 0);
      assert_true(distance_of(a, b, 9 * p.n) > 1e-3);
      free(a), free(b);
      l2o_model_free(scaled), l2o_model_free(plain);
    }
  l2o_problem_free(&p);
}

/* ---- shifts ---- */

/* u_k = x_k + t of a rule on the shifted instance. */
static l2o_real *shifted_path(const char *rule, const l2o_model *model, const char *spec, double s, double t, size_t steps,
                              size_t *n) {
  l2o_family *family;
  l2o_problem p;
  assert_status(l2o_family_shifted(&family, family_of(spec), s, t, false, NULL), L2O_OK, NULL);
  assert_status(l2o_family_sample(family, &p, 3, L2O_PURPOSE_EVAL, 1, NULL), L2O_OK, NULL);
  l2o_real *path = path_of(rule, model, &p, steps, NULL, 0);
  for (size_t i = 0; i < (steps + 1) * p.n; i++)
    path[i] += (l2o_real)t;
  *n = p.n;
  l2o_problem_free(&p);
  l2o_family_free(family);
  return path;
}

/* Song, Lin, Wang, Xu: F(x + t) from x_0 is F from x_0 + t for a rule that sees nothing but gradients, at any weights; and F(x - t)
 * from x_0 + t is F from x_0. l2o-pa sees x. */
static void go_math_l2o_does_not_see_shifts(void **state) {
  (void)state;
  static const char *const models[] = {"go-math-l2o", "go-math-l2o:variant=std,biases=on", "go-math-l2o:variant=lh,state=normal",
                                       "go-math-l2o:r_norm=softplus,q_norm=softplus,b_norm=sigmoid,q_scale=0.5"};
  static const char *const problems[] = {"lasso:n=12,m=8,sparsity=3,l1=0.1", "logistic:recipe=go,n=8,m=30,sparsity=3",
                                         "least-squares:n=8,m=12"};
  static const double shifts[] = {10, -3};
  enum { STEPS = 30 };
  for (size_t m = 0; m < 5; m++)
    for (size_t i = 0; i < 3; i++)
      for (size_t a = 0; a < 2; a++) {
        const bool sees = m == 4;
        const char *rule = sees ? "l2o-pa" : "go-math-l2o";
        l2o_model *model = model_of(sees ? "l2o-pa" : models[m], 1);
        size_t n;
        spoil_weights(model, 30 + m, 0.3);
        l2o_real *start = shifted_path(rule, model, problems[i], shifts[a], 0, STEPS, &n),
                 *function = shifted_path(rule, model, problems[i], 0, shifts[a], STEPS, &n),
                 *both = shifted_path(rule, model, problems[i], shifts[a], -shifts[a], STEPS, &n),
                 *none = shifted_path(rule, model, problems[i], 0, 0, STEPS, &n);
        double largest = 1;
        for (size_t j = 0; j < (STEPS + 1) * n; j++)
          largest = fmax(largest, fabs((double)start[j]));
        const double one = distance_of(start, function, (STEPS + 1) * n), other = distance_of(both, none, (STEPS + 1) * n);
        if (sees) {
          assert_true(one > 1e-2 && other > 1e-2);
        } else {
          assert_close(one, 0, 0, BY_PRECISION(1e-12, 1e-3) * largest);
          assert_close(other, 0, 0, BY_PRECISION(1e-12, 1e-3) * largest);
          assert_true(distance_of(start, none, (STEPS + 1) * n) > 0.1);
        }
        free(start), free(function), free(both), free(none);
        l2o_model_free(model);
      }
}

/* ---- the guard ---- */

static l2o_real norms_seen[3], network_seen;
static bool norms_moved;
static l2o_status noting_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  const l2o_status status = solver_named("go-math-l2o")->step(it, tape, stop);
  if (it->k > 0 && memcmp(norms_seen, it->state + it->n, sizeof norms_seen) != 0)
    norms_moved = true;
  memcpy(norms_seen, it->state + it->n, sizeof norms_seen);
  return status;
}
static l2o_status noting_fall(l2o_iterate *it) {
  const l2o_status status = solver_named("go-math-l2o")->fell_back(it);
  const size_t rest = solver_named("go-math-l2o")->state_len(it);
  network_seen = 0;
  for (size_t i = 0; i < rest; i++) /* history and network begin anew */
    if (i < it->n || i >= it->n + 3)
      network_seen += it->state[i] * it->state[i];
  return status;
}

/* At a fallback gamma stays that of x_0, the rest begins anew. */
static void a_fallback_keeps_the_norms_of_the_start(void **state) {
  (void)state;
  enum { N = 6 };
  l2o_solver rule = *solver_named("go-math-l2o");
  rule.step = noting_step;
  rule.fell_back = noting_fall;
  l2o_model *model = model_of("go-math-l2o", 1);
  l2o_problem p = sampled(PLACES[0], 5, 1);
  l2o_settings s = l2o_settings_default();
  l2o_real x[N] = {1, -2, 3, -1, 2, 1}, g[N], ends[2][N];
  l2o_result r;
  spoil_weights(model, 3, 1.5);
  s.iterations = 30, s.options = "guard=descent";
  norms_moved = false, network_seen = 1;
  gradient_at(&p, g, x);
  assert_status(l2o_problem_subdifferential(&p, ends[0], ends[1], x), L2O_OK, NULL);
  assert_status(l2o_minimize(&rule, model, &p, x, &r, &s, NULL), L2O_OK, NULL);
  assert_true(r.last.fallbacks > 0 && !norms_moved && network_seen == 0);
  for (size_t j = 0; j < 3; j++) {
    const l2o_real *of = j ? ends[j - 1] : g;
    double sum = 0;
    for (size_t i = 0; i < N; i++)
      sum += (double)of[i] * (double)of[i];
    assert_close(norms_seen[j], sqrt(sum), BY_PRECISION(1e-14, 1e-6), 0);
  }
  l2o_problem_free(&p);
  l2o_model_free(model);
}

/* h = 0, and a start where the gradient vanishes: gamma is 1e-20 at least, and nothing moves. */
static void a_start_at_the_minimum_stays(void **state) {
  (void)state;
  l2o_model *model = model_of("go-math-l2o", 1);
  l2o_problem p = sampled("quadratic:n=4,condition=10", 5, 1);
  l2o_real x[4], star[4];
  double least;
  assert_status(l2o_problem_minimum(&p, &least, star), L2O_OK, NULL);
  memcpy(x, star, sizeof x);
  l2o_settings s = l2o_settings_default();
  s.iterations = 5;
  assert_status(l2o_minimize(solver_named("go-math-l2o"), model, &p, x, NULL, &s, NULL), L2O_OK, NULL);
  assert_true(distance_of(x, star, 4) <= BY_PRECISION(1e-14, 1e-5));
  l2o_problem_free(&p);
  l2o_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#ifndef L2O_SINGLE
      cmocka_unit_test(go_math_l2o_is_differentiated),
      cmocka_unit_test(l2o_pa_is_differentiated_with_any_heads),
      cmocka_unit_test(black_boxes_are_differentiated),
#endif
      cmocka_unit_test(modes_agree_for_lone_steps),
      cmocka_unit_test(products_are_those_that_are_needed),
      cmocka_unit_test(a_gradient_that_is_always_zero_does_no_harm),
      cmocka_unit_test(coordinates_are_together_as_alone),
      cmocka_unit_test(random_states_belong_to_seed_and_instance),
      cmocka_unit_test(random_states_are_normal),
      cmocka_unit_test(a_trainer_starts_as_a_solver_does),
      cmocka_unit_test(heads_that_are_not_used_do_not_matter),
      cmocka_unit_test_setup_teardown(published_files_load, make_folder, remove_folder),
      cmocka_unit_test(a_calm_start_is_nearly_ista),
      cmocka_unit_test(without_heads_l2o_pa_is_ista),
      cmocka_unit_test(problems_may_bring_states),
      cmocka_unit_test(calm_heads_begin_alike),
      cmocka_unit_test(published_starts_have_their_bounds),
      cmocka_unit_test(published_weights_are_replayed),
      cmocka_unit_test(history_is_scaled_by_the_base_step),
      cmocka_unit_test(go_math_l2o_does_not_see_shifts),
      cmocka_unit_test(a_fallback_keeps_the_norms_of_the_start),
      cmocka_unit_test(a_start_at_the_minimum_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
