/* SPDX-License-Identifier: BSD-3-Clause */
/* Training of rules with layers: layer by layer, towards known solutions, and gradients that are summed over runs of instances. */
#include "l2o_unrolling.h"

#include "learn/layerwise.h"

enum { N = 9, ROWS = 6, LAYERS = 3 };
#define LASSO "lasso:n=9,m=6,sparsity=3,l1=0.1,matrix=shared"

/* A trainer with its model and family. */
typedef struct school {
  l2o_family *family;
  l2o_model *model;
  l2o_trainer *trainer;
  size_t parameters;
} school;

static l2o_train_settings small_settings(void) {
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = 3, s.horizon = LAYERS, s.threads = 1, s.seed = 5, s.learning_rate = 1e-2;
  return s;
}

/* A model of that specification, fitted to the first training instance if it is for one matrix, and learned entries moved by
 * spread N(0, 1). */
static school school_of(const char *spec, double spread, const char *family, const l2o_train_settings *settings) {
  school s = {.family = family_of(family), .model = model_of(spec, 1)};
  l2o_diag diag = {""};
  l2o_problem first;
  assert_status(l2o_family_sample(s.family, &first, settings->seed, L2O_PURPOSE_TRAIN, 0, &diag), L2O_OK, &diag);
  assert_status(l2o_model_fit_problem(s.model, &first, &diag), L2O_OK, &diag);
  l2o_problem_free(&first);
  l2o_model_parameters(s.model, &s.parameters);
  double *w = weights_of(s.model), *noise = malloc(s.parameters * sizeof *noise);
  normal_doubles(noise, s.parameters, 3);
  for (size_t i = 0; i < l2o_model_tensor_count(s.model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(s.model, i);
    for (size_t j = t.offset; t.learned && j < t.offset + t.count; j++)
      w[j] += spread * noise[j];
  }
  assert_status(l2o_model_set_parameters(s.model, w, s.parameters), L2O_OK, NULL);
  free(w), free(noise);
  const l2o_solver *solver = solver_named(l2o_model_kind_name(s.model));
  assert_status(l2o_trainer_new(&s.trainer, s.model, solver, s.family, settings, &diag), L2O_OK, &diag);
  return s;
}

static void school_free(school *s) {
  l2o_trainer_free(s->trainer);
  l2o_model_free(s->model);
  l2o_family_free(s->family);
}

static double gradient_of(const school *s, double *gradient) {
  double loss;
  l2o_diag diag = {""};
  assert_status(l2o_trainer_gradient(s->trainer, &loss, gradient, &diag), L2O_OK, &diag);
  return loss;
}

static l2o_train_record step(school *s) {
  l2o_train_record record;
  l2o_diag diag = {""};
  assert_status(l2o_trainer_step(s->trainer, &record, &diag), L2O_OK, &diag);
  return record;
}

/* ---- the loss solution ---- */

/* |x_k - x*|^2 and, in *start, |x_0 - x*|^2. */
static double off_solution(const school *s, const l2o_problem *p, size_t steps, double *start) {
  l2o_real x[N], solution[N];
  double fstar, sum = 0;
  l2o_run *run;
  l2o_stop stop;
  l2o_diag diag = {""};
  assert_status(l2o_problem_minimum(p, &fstar, solution), L2O_OK, NULL);
  assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  *start = 0;
  for (size_t i = 0; i < N; i++)
    *start += ((double)x[i] - (double)solution[i]) * ((double)x[i] - (double)solution[i]);
  assert_status(l2o_run_new(&run, solver_named(l2o_model_kind_name(s->model)), s->model, p, NULL, &diag), L2O_OK, &diag);
  assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
  for (size_t k = 0; k < steps; k++)
    assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
  for (size_t i = 0; i < N; i++)
    sum += ((double)l2o_run_x(run)[i] - (double)solution[i]) * ((double)l2o_run_x(run)[i] - (double)solution[i]);
  l2o_run_free(run);
  return sum;
}

static const struct {
  const char *spec, *family;
  double spread;
} lessons[] = {{"lista-cp:m=6,n=9,layers=3", LASSO, 0.03},
               {"lista-cpss:m=6,n=9,layers=2,shared=false,p=12,p_max=30", LASSO, 0.03},
               {"ada-lista:m=6,layers=3", "lasso:n=9,m=6,sparsity=3,l1=0.1", 0.03},
               {"go-math-l2o:hidden=3", "lasso:n=9,m=6,sparsity=3,l1=0.1", 0.5},
               {"math-l2o-gd:hidden=4", "qp:n=9,m=6", 0.5}};
enum { LESSONS = sizeof lessons / sizeof *lessons };

/* 1/2 |x_U - x*|^2 at the end of every segment; validation |x_T - x*|^2 / |x_0 - x*|^2. */
static void the_loss_is_the_distance_from_the_solution(void **state) {
  (void)state;
  enum { T = 6, B = 3 };
  for (size_t c = 0; c < LESSONS; c++)
    for (int fresh = 0; fresh < 2; fresh++) {
      l2o_train_settings settings = small_settings();
      settings.loss = L2O_LOSS_SOLUTION, settings.batch = B, settings.horizon = T, settings.unroll = 4, settings.fresh = fresh;
      settings.learning_rate = 0, settings.validation_instances = 2;
      school s = school_of(lessons[c].spec, lessons[c].spread, lessons[c].family, &settings);
      for (size_t round = 0; round < 2; round++)
        for (size_t k = 4; k <= T; k += 2) { /* the weights stay */
          double expected = 0;
          for (size_t b = 0; b < B; b++) {
            l2o_problem p;
            double start;
            assert_status(l2o_family_sample(s.family, &p, 5, L2O_PURPOSE_TRAIN, fresh ? round * B + b : b, NULL), L2O_OK, NULL);
            expected += off_solution(&s, &p, k, &start) / (2 * B);
            l2o_problem_free(&p);
          }
          assert_close(step(&s).loss, expected, BY_PRECISION(1e-12, 1e-4), 0);
        }
      double objective, validated = 0;
      assert_status(l2o_trainer_validate(s.trainer, &objective, NULL), L2O_OK, NULL);
      for (size_t b = 0; b < 2; b++) {
        l2o_problem p;
        double start;
        assert_status(l2o_family_sample(s.family, &p, 0, L2O_PURPOSE_VALIDATION, b, NULL), L2O_OK, NULL);
        const double end = off_solution(&s, &p, T, &start);
        validated += end / start / 2;
        l2o_problem_free(&p);
      }
      assert_close(objective, validated, BY_PRECISION(1e-12, 1e-4), 0);
      school_free(&s);
    }
}

#ifndef L2O_SINGLE
/* Central differences (to h^4) of the trainer's own loss. An iterate's entry may leave zero between them: of 100 one may differ. */
static void its_gradient_is_a_difference(void **state) {
  (void)state;
  for (size_t c = 0; c < LESSONS; c++) {
    l2o_train_settings settings = small_settings();
    settings.loss = L2O_LOSS_SOLUTION, settings.horizon = 5, settings.stop_gradient = L2O_STOP_GRADIENT_NONE;
    school s = school_of(lessons[c].spec, lessons[c].spread, lessons[c].family, &settings);
    double *gradient = malloc(2 * s.parameters * sizeof *gradient), *unused = gradient + s.parameters, *w = weights_of(s.model);
    size_t wrong = 0, moving = 0;
    gradient_of(&s, gradient);
    for (size_t i = 0; i < l2o_model_tensor_count(s.model); i++) {
      const l2o_model_tensor t = l2o_model_tensor_at(s.model, i);
      double largest = 0;
      for (size_t j = t.offset; j < t.offset + t.count; j++)
        largest = fmax(largest, fabs(gradient[j]));
      for (size_t j = t.offset; t.learned && j < t.offset + t.count; j++) {
        const double value = w[j];
        double slope[2], loss[2];
        for (int half = 0; half < 2; half++) {
          const double h = half ? 1e-5 : 2e-5;
          for (int side = 0; side < 2; side++) {
            w[j] = value + (side ? h : -h);
            assert_status(l2o_model_set_parameters(s.model, w, s.parameters), L2O_OK, NULL);
            loss[side] = gradient_of(&s, unused);
          }
          slope[half] = (loss[1] - loss[0]) / (2 * h);
        }
        w[j] = value;
        assert_status(l2o_model_set_parameters(s.model, w, s.parameters), L2O_OK, NULL);
        moving += gradient[j] != 0;
        const double difference = (4 * slope[1] - slope[0]) / 3;
        if (!(fabs(difference - gradient[j]) <= 1e-7 * largest + 1e-11) && ++wrong > 1 + s.parameters / 100)
          fail_msg("%s, %s[%zu]: %.12g, by differences %.12g (largest %.3g)", lessons[c].spec, t.name, j - t.offset, gradient[j],
                   difference, largest);
      }
    }
    assert_true(moving > 10);
    free(gradient), free(w);
    school_free(&s);
  }
}
#endif

/* A start that is the solution has nothing left to do. */
static void a_solved_instance_counts_as_solved(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  l2o_diag diag = {""};
  settings.loss = L2O_LOSS_SOLUTION, settings.validation_instances = 2;
  l2o_family *family = family_of("quadratic:n=9,solution=zero,start=zero");
  l2o_model *model = model_of("math-l2o-gd:hidden=4", 1);
  l2o_trainer *trainer;
  double objective;
  assert_status(l2o_trainer_new(&trainer, model, solver_named("math-l2o-gd"), family, &settings, &diag), L2O_OK, &diag);
  assert_status(l2o_trainer_validate(trainer, &objective, NULL), L2O_OK, NULL);
  assert_true(objective == 0);
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  l2o_family_free(family);
}

static void refuse(const char *spec, const char *family_spec, const l2o_train_settings *settings, l2o_status status,
                   const char *sentence) {
  l2o_family *family = family_of(family_spec);
  l2o_model *model = model_of(spec, 1);
  l2o_trainer *trainer;
  l2o_problem first;
  l2o_diag diag = {""};
  assert_status(l2o_family_sample(family, &first, settings->seed, L2O_PURPOSE_TRAIN, 0, &diag), L2O_OK, &diag);
  assert_status(l2o_model_fit_problem(model, &first, &diag), L2O_OK, &diag);
  l2o_problem_free(&first);
  assert_status(l2o_trainer_new(&trainer, model, solver_named(l2o_model_kind_name(model)), family, settings, &diag), status, &diag);
  assert_names(&diag, sentence);
  assert_null(trainer);
  l2o_model_free(model);
  l2o_family_free(family);
}

/* Some problems know f* and no x*. */
static void without_a_solution_there_is_no_such_loss(void **state) {
  (void)state;
  static const char *const families[] = {"logistic:n=5,m=3,l2=0", "more-garbow-hillstrom:function=28,n=12"};
  for (size_t i = 0; i < 2; i++) {
    l2o_train_settings settings = small_settings();
    char sentence[160];
    settings.loss = L2O_LOSS_SOLUTION, settings.options = "step=1e-3";
    snprintf(sentence, sizeof sentence,
             "the loss solution needs a minimiser of problem '%s', and none is known; try log-gap or log-gradient",
             i ? "discrete-boundary-value" : "logistic");
    refuse("math-l2o-gd:hidden=4", families[i], &settings, L2O_ERR_NOTSUP, sentence);
  }
}

/* ---- sums of gradients ---- */

/* More accumulators than fit into 16 MiB: the bits are the same for all threads, and the numbers those of one sum an instance. */
static void runs_of_instances_share_a_sum(void **state) {
  (void)state;
  static const struct {
    const char *spec, *family;
    size_t batch;
  } cases[] = {{"lista-cp:m=20,n=40,layers=16,shared=false", "lasso:n=40,m=20,matrix=shared", 350},
               {"math-l2o-gd:hidden=60000", "qp:n=8,m=6,matrix=shared", 70}};
  for (size_t c = 0; c < 2; c++) {
    l2o_train_settings settings = small_settings();
    settings.horizon = c ? 4 : 16, settings.batch = cases[c].batch;
    school one = school_of(cases[c].spec, 0.01, cases[c].family, &settings);
    const size_t count = one.parameters;
    assert_true(one.model->type->sum_len(one.model) * cases[c].batch > (size_t)1 << 22);
    double *gradient = malloc(2 * count * sizeof *gradient), *other = gradient + count, *sum = calloc(count, sizeof *sum),
           largest = 0;
    const double loss = gradient_of(&one, gradient);
    for (settings.threads = 2; settings.threads <= 3; settings.threads++) {
      school more = school_of(cases[c].spec, 0.01, cases[c].family, &settings);
      assert_true(gradient_of(&more, other) == loss);
      assert_memory_equal(gradient, other, count * sizeof *gradient);
      school_free(&more);
    }
    settings.threads = 1, settings.batch = 10, settings.fresh = true, settings.learning_rate = 0;
    school tens = school_of(cases[c].spec, 0.01, cases[c].family, &settings);
    for (size_t first = 0; first < cases[c].batch; first += 10) { /* each of its own sums */
      gradient_of(&tens, other);
      for (size_t i = 0; i < count; i++)
        sum[i] += other[i] * 10 / (double)cases[c].batch;
      step(&tens);
    }
    for (size_t i = 0; i < count; i++)
      largest = fmax(largest, fabs(sum[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < count; i++)
      assert_close(gradient[i], sum[i], 0, BY_PRECISION(1e-12, 1e-6) * largest);
    free(gradient), free(sum);
    school_free(&one), school_free(&tens);
  }
}

/* ---- layer by layer ---- */

static const struct {
  const char *spec;
  double spread;
} layered[] = {{"lista:m=6,n=9,layers=3", 0.02},
               {"lista:m=6,n=9,layers=3,shared=false", 0.02},
               {"lista-cp:m=6,n=9,layers=3", 0.02},
               {"lista-cpss:m=6,n=9,layers=3,shared=false,p=12,p_max=30", 0.02},
               {"lista-cpss:m=6,n=9,layers=3,shared=false,learn_theta=false", 0.02},
               {"alista:m=6,n=9,layers=3", 0.02},
               {"ada-lista:m=6,layers=3", 0.02},
               {"ada-lista:m=6,layers=3,shared=false", 0.02}};
enum { LAYERED = sizeof layered / sizeof *layered };

static l2o_train_settings layerwise_settings(size_t rounds, size_t length) {
  l2o_train_settings s = small_settings();
  s.layerwise_rounds = rounds, s.layer_decay = 0.3, s.steps = rounds * LAYERS * 3 * length;
  s.beta1 = 0.8, s.beta2 = 0.95, s.epsilon = 1e-6;
  return s;
}

/* Every step by the words of train.h: what moves, how fast, from fresh moments in every stage. */
static void layers_move_one_after_the_other(void **state) {
  (void)state;
  enum { ROUNDS = 2, LENGTH = 2 };
  static const double factors[] = {1, 0.2, 0.02};
  for (size_t c = 0; c < LAYERED; c++)
    for (int sgd = 0; sgd < 2; sgd++) {
      l2o_train_settings settings = layerwise_settings(ROUNDS, LENGTH);
      settings.optimizer = sgd ? L2O_OPTIMIZER_SGD : L2O_OPTIMIZER_ADAM, settings.fresh = sgd;
      settings.schedule = L2O_SCHEDULE_STEP, settings.decay = 0.5, settings.decay_every = 7;
      school s = school_of(layered[c].spec, layered[c].spread, LASSO, &settings);
      const size_t count = s.parameters;
      double *w = weights_of(s.model), *gradient = malloc(count * sizeof *gradient), *m = calloc(count, sizeof *m),
             *v = calloc(count, sizeof *v);
      for (size_t i = 0; i < settings.steps; i++) {
        const size_t number = i / LENGTH, stage = number % 3, layer = number / 3 % LAYERS, t = i % LENGTH + 1;
        const double loss = gradient_of(&s, gradient), rate = 1e-2 * pow(0.5, (double)(i / 7)) * factors[stage];
        const l2o_train_record record = step(&s);
        double *after = weights_of(s.model), squares = 0;
        assert_true(record.layer == layer + 1 && record.stage == stage + 1 && record.loss == loss && !record.rejected);
        assert_close(record.learning_rate, rate, 1e-15, 0);
        for (size_t k = 0; k < l2o_model_tensor_count(s.model); k++) {
          const l2o_model_tensor tensor = l2o_model_tensor_at(s.model, k);
          const bool shared = tensor.shape[0] != LAYERS;
          for (size_t j = tensor.offset; j < tensor.offset + tensor.count; j++) {
            const size_t own = shared ? 0 : (j - tensor.offset) / (tensor.count / LAYERS);
            const bool moves = tensor.learned && (shared || own == layer || (own < layer && stage > 0));
            const double factor = moves ? pow(0.3, (double)(layer - own)) : 0;
            if (t == 1)
              m[j] = v[j] = 0;
            m[j] = 0.8 * m[j] + 0.2 * gradient[j];
            v[j] = 0.95 * v[j] + 0.05 * gradient[j] * gradient[j];
            squares += moves ? gradient[j] * gradient[j] : 0;
            const double change =
                sgd ? gradient[j] : m[j] / (1 - pow(0.8, (double)t)) / (sqrt(v[j] / (1 - pow(0.95, (double)t))) + 1e-6);
            const double expected = w[j] - rate * factor * change;
            if (!moves)
              assert_true(after[j] == w[j]);
            else
              assert_close(after[j], expected, BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-14, 1e-6));
          }
        }
        assert_close(record.gradient_norm, sqrt(squares), BY_PRECISION(1e-12, 1e-5), 0);
        memcpy(w, after, count * sizeof *w);
        free(after);
      }
      free(w), free(gradient), free(m), free(v);
      school_free(&s);
    }
}

/* The loss is F after the layer that is trained; validation goes through all of them. */
static void the_loss_is_taken_after_the_layer(void **state) {
  (void)state;
  l2o_train_settings settings = layerwise_settings(1, 1);
  settings.learning_rate = 0, settings.batch = 1, settings.validation_instances = 1, settings.loss = L2O_LOSS_LAST;
  school s = school_of(layered[0].spec, layered[0].spread, LASSO, &settings);
  l2o_problem trained, validated;
  assert_status(l2o_family_sample(s.family, &trained, 5, L2O_PURPOSE_TRAIN, 0, NULL), L2O_OK, NULL);
  assert_status(l2o_family_sample(s.family, &validated, 0, L2O_PURPOSE_VALIDATION, 0, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < settings.steps; i++) {
    double objective;
    const l2o_problem *p[] = {&trained, &validated};
    l2o_result r[2];
    assert_status(l2o_trainer_validate(s.trainer, &objective, NULL), L2O_OK, NULL);
    const double loss = step(&s).loss;
    for (size_t k = 0; k < 2; k++) {
      l2o_settings one = l2o_settings_default();
      l2o_real x[N];
      one.iterations = k ? LAYERS : i / 3 + 1;
      assert_status(l2o_problem_start(p[k], x), L2O_OK, NULL);
      assert_status(l2o_minimize(solver_named("lista"), s.model, p[k], x, &r[k], &one, NULL), L2O_OK, NULL);
    }
    assert_close(loss, r[0].last.objective, BY_PRECISION(1e-13, 1e-5), 0);
    assert_close(objective, r[1].last.objective, BY_PRECISION(1e-13, 1e-5), 0);
  }
  l2o_problem_free(&trained), l2o_problem_free(&validated);
  school_free(&s);
}

/* Beyond the steps that were asked for another round begins. */
static void the_rounds_go_on(void **state) {
  (void)state;
  const l2o_train_settings settings = layerwise_settings(1, 1);
  school s = school_of(layered[0].spec, 0, LASSO, &settings);
  for (size_t i = 0; i < 2 * settings.steps; i++) {
    const l2o_train_record record = step(&s);
    assert_true(record.layer == i / 3 % LAYERS + 1 && record.stage == i % 3 + 1);
  }
  school_free(&s);
}

static void a_resumed_run_equals_an_unbroken_one(void **state) {
  (void)state;
  for (size_t c = 0; c < LAYERED; c += 3)
    for (int fresh = 0; fresh < 2; fresh++) {
      l2o_train_settings settings = layerwise_settings(2, 2);
      settings.fresh = fresh, settings.loss = fresh ? L2O_LOSS_SOLUTION : L2O_LOSS_LAST;
      school whole = school_of(layered[c].spec, layered[c].spread, LASSO, &settings);
      for (size_t i = 0; i < settings.steps; i++) {
        l2o_diag diag = {""};
        settings.threads = 1 + (int)(i % 2);
        school rest = school_of(layered[c].spec, 0, LASSO, &settings);
        assert_status(l2o_trainer_save(whole.trainer, in_folder("checkpoint"), "id", &diag), L2O_OK, &diag);
        assert_status(l2o_trainer_resume(rest.trainer, in_folder("checkpoint"), "id", &diag), L2O_OK, &diag);
        const l2o_train_record a = step(&whole), b = step(&rest);
        assert_true(a.step == b.step && a.loss == b.loss && a.learning_rate == b.learning_rate);
        assert_true(a.gradient_norm == b.gradient_norm && a.layer == b.layer && a.stage == b.stage);
        assert_same_reals(l2o_model_parameters(whole.model, NULL), l2o_model_parameters(rest.model, NULL), whole.parameters);
        if (i % 5 == 4) { /* and some steps on */
          for (int k = 0; k < 3; k++)
            step(&rest);
          assert_int_equal(l2o_trainer_steps_done(rest.trainer), i + 4);
        }
        school_free(&rest);
      }
      school_free(&whole);
    }
}

static void settings_that_do_not_fit_are_refused(void **state) {
  (void)state;
  static const char model[] = "lista-cp:m=6,n=9,layers=3";
  const l2o_train_settings good = layerwise_settings(2, 2);
  l2o_train_settings s = good;
  s.unroll = 2;
  refuse(model, LASSO, &s, L2O_ERR_ARG,
         "layer-wise training: horizon (3) and unroll (2) must be the number of the model's layers, 3");
  s = good, s.horizon = 4;
  refuse(model, LASSO, &s, L2O_ERR_ARG, "horizon (4) and unroll (4) must be the number of the model's layers, 3");
  for (size_t i = 0; i < 4; i++) {
    static const size_t steps[] = {0, 35, 27, 9};
    char sentence[120];
    s = good, s.steps = steps[i];
    snprintf(sentence, sizeof sentence, "steps (%zu) must be a multiple of rounds x layers x stages, 2 x 3 x 3", steps[i]);
    refuse(model, LASSO, &s, L2O_ERR_ARG, sentence);
  }
  for (size_t i = 0; i < 4; i++) {
    const double decays[] = {0, -0.5, 1.5, (double)NAN};
    s = good, s.layer_decay = decays[i];
    refuse(model, LASSO, &s, L2O_ERR_ARG, "the decay from layer to layer must be above 0 and at most 1");
  }
  s = good, s.layerwise_rounds = SIZE_MAX;
  refuse(model, LASSO, &s, L2O_ERR_ARG, "must be a multiple of rounds x layers x stages");
  refuse("math-l2o-gd:hidden=4", "qp:n=9,m=6", &good, L2O_ERR_NOTSUP,
         "layer-wise training is for models with layers (lista and its kin); math-l2o-gd has none");
}

/* From W = 0, where nothing moves, to below ista after as many steps, on instances that it has not seen. */
static void layer_by_layer_beats_ista(void **state) {
  (void)state;
  enum { K = 6, COUNT = 24 };
  static const char *const losses[] = {"last", "solution"};
  for (size_t loss = 0; loss < 2; loss++) {
    l2o_train_settings s = l2o_train_settings_default();
    s.batch = 16, s.horizon = K, s.fresh = true, s.learning_rate = 5e-3, s.threads = 1;
    s.layerwise_rounds = 2, s.layer_decay = 0.3, s.steps = 2 * K * 3 * 25;
    s.loss = loss ? L2O_LOSS_SOLUTION : L2O_LOSS_LAST;
    school pupil = school_of("lista-cp:m=12,n=24,layers=6,shared=false,start=normal", 0,
                             "lasso:n=24,m=12,sparsity=3,l1=0.1,matrix=shared,start=zero", &s);
    for (size_t i = 0; i < s.steps; i++)
      step(&pupil);
    double mean[2] = {0, 0};
    for (uint64_t b = 0; b < 50; b++) {
      l2o_problem p;
      assert_status(l2o_family_sample(pupil.family, &p, 1, L2O_PURPOSE_EVAL, b, NULL), L2O_OK, NULL);
      for (int which = 0; which < 2; which++) {
        l2o_real x[COUNT] = {0};
        l2o_settings settings = l2o_settings_default();
        l2o_result r;
        settings.iterations = K;
        assert_status(
            l2o_minimize(solver_named(which ? "ista" : "lista-cp"), which ? NULL : pupil.model, &p, x, &r, &settings, NULL), L2O_OK,
            NULL);
        mean[which] += r.last.objective / 50;
      }
      l2o_problem_free(&p);
    }
    if (!(mean[0] < mean[1]))
      fail_msg("loss %s: %g, ista %g", losses[loss], mean[0], mean[1]);
    school_free(&pupil);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_loss_is_the_distance_from_the_solution),
#ifndef L2O_SINGLE
      cmocka_unit_test(its_gradient_is_a_difference),
#endif
      cmocka_unit_test(a_solved_instance_counts_as_solved),
      cmocka_unit_test(without_a_solution_there_is_no_such_loss),
      cmocka_unit_test(runs_of_instances_share_a_sum),
      cmocka_unit_test(layers_move_one_after_the_other),
      cmocka_unit_test(the_loss_is_taken_after_the_layer),
      cmocka_unit_test(the_rounds_go_on),
      cmocka_unit_test_setup_teardown(a_resumed_run_equals_an_unbroken_one, make_folder, remove_folder),
      cmocka_unit_test(settings_that_do_not_fit_are_refused),
      cmocka_unit_test(layer_by_layer_beats_ista),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
