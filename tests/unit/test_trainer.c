/* SPDX-License-Identifier: BSD-3-Clause */
/* The trainer: updates, schedules, resuming, instances of training and validation, steps that are rejected. What the gradient is,
 * test_network.c and the golden files say. */
#include "l2o_fixtures.h"

#include "counting_malloc.h"
#include "learn/optimizer.h"
#include "learn/ranks.h"
#include "nn/coordinate_mlp.h"
#include <l2o/tensor_file.h>
#include <pthread.h>

static const char RULE[] = "math-l2o-gd";

/* A trainer with its model and family. */
typedef struct school {
  l2o_model *model;
  const l2o_family *family;
  l2o_family *own;
  l2o_trainer *trainer;
} school;

static school school_of(const char *rule, const l2o_family *family, const l2o_train_settings *settings) {
  char spec[80];
  l2o_diag diag = {""};
  school s = {.family = family};
  if (!family)
    s.family = s.own = family_of("qp:n=8,m=5");
  snprintf(spec, sizeof spec, "%s:hidden=16,expansion=2", rule);
  s.model = model_of(strcmp(rule, "l2o-bfgs") == 0 ? "bfgs-lstm:hidden=3,gate=4" : spec, 1);
  randomise(s.model, 2, 0.3);
  assert_status(l2o_trainer_new(&s.trainer, s.model, solver_named(rule), s.family, settings, &diag), L2O_OK, &diag);
  return s;
}

static void school_free(school *s) {
  l2o_trainer_free(s->trainer);
  l2o_model_free(s->model);
  l2o_family_free(s->own);
}

static l2o_train_settings small_settings(void) {
  l2o_train_settings s = l2o_train_settings_default();
  s.batch = 3, s.horizon = 6, s.threads = 1, s.seed = 5, s.learning_rate = 1e-2;
  return s;
}

static l2o_train_record step(school *s) {
  l2o_train_record record;
  l2o_diag diag = {""};
  assert_status(l2o_trainer_step(s->trainer, &record, &diag), L2O_OK, &diag);
  return record;
}

static void assert_same_models(const l2o_model *a, const l2o_model *b) {
  size_t count;
  const l2o_real *w = l2o_model_parameters(a, &count);
  assert_same_reals(w, l2o_model_parameters(b, NULL), count);
}

static void assert_same_records(const l2o_train_record *a, const l2o_train_record *b) {
  assert_int_equal(a->step, b->step);
  assert_true(a->loss == b->loss && a->learning_rate == b->learning_rate && a->gradient_norm == b->gradient_norm);
  assert_true(a->rejected == b->rejected && a->rejected_total == b->rejected_total);
}

/* ---- updates ---- */

static void sgd_steps_along_the_gradient(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.optimizer = L2O_OPTIMIZER_SGD;
  school s = school_of(RULE, NULL, &settings);
  double *before = weights_of(s.model), gradient[53], loss, squares = 0;
  assert_status(l2o_trainer_gradient(s.trainer, &loss, gradient, NULL), L2O_OK, NULL);
  l2o_train_record record = step(&s);
  double *after = weights_of(s.model);
  l2o_model_tensor scale = tensor_named(s.model, "p_scale");
  for (size_t i = 0; i < scale.offset; i++) {
    assert_close(after[i], before[i] - 1e-2 * gradient[i], BY_PRECISION(1e-14, 1e-6), BY_PRECISION(1e-15, 1e-7));
    squares += gradient[i] * gradient[i];
  }
  assert_true(after[scale.offset] == 1); /* not learned */
  assert_true(record.loss == loss && record.step == 1 && !record.rejected && record.learning_rate == 1e-2);
  assert_close(record.gradient_norm, sqrt(squares), 1e-13, 0);
  free(before);
  free(after);
  school_free(&s);
}

static void adam_steps_as_published(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.beta1 = 0.8, settings.beta2 = 0.95, settings.epsilon = 1e-4;
  school s = school_of(RULE, NULL, &settings);
  double *w = weights_of(s.model), gradient[53], loss, m[53] = {0}, v[53] = {0};
  for (int t = 1; t <= 4; t++) {
    assert_status(l2o_trainer_gradient(s.trainer, &loss, gradient, NULL), L2O_OK, NULL);
    step(&s);
    double *after = weights_of(s.model);
    for (size_t i = 0; i < 52; i++) {
      m[i] = 0.8 * m[i] + 0.2 * gradient[i];
      v[i] = 0.95 * v[i] + 0.05 * gradient[i] * gradient[i];
      w[i] -= 1e-2 * (m[i] / (1 - pow(0.8, t))) / (sqrt(v[i] / (1 - pow(0.95, t))) + 1e-4);
      assert_close(after[i], w[i], BY_PRECISION(1e-13, 1e-6), BY_PRECISION(1e-13, 1e-6));
    }
    assert_true(after[52] == 1);
    free(after);
  }
  free(w);
  school_free(&s);
}

static void learn_scale_trains_the_scale(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  l2o_family *family = family_of("qp:n=8,m=5");
  l2o_model *model = model_of("math-l2o-gd:hidden=16,learn_scale=true", 1);
  l2o_trainer *trainer;
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), family, &settings, NULL), L2O_OK, NULL);
  assert_status(l2o_trainer_step(trainer, NULL, NULL), L2O_OK, NULL);
  double *w = weights_of(model);
  assert_close(w[tensor_named(model, "p_scale").offset], 1.01, 1e-6, 0); /* Adam's first step has the size of the learning rate */
  free(w);
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  l2o_family_free(family);
}

static void clipping_shortens_long_gradients_only(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.optimizer = L2O_OPTIMIZER_SGD, settings.learning_rate = 1;
  school s = school_of(RULE, NULL, &settings);
  double gradient[53], loss, *start = weights_of(s.model);
  assert_status(l2o_trainer_gradient(s.trainer, &loss, gradient, NULL), L2O_OK, NULL);
  const double norm = step(&s).gradient_norm;
  school_free(&s);
  for (int i = 0; i < 2; i++) {
    settings.clip_norm = i ? 2 * norm : 0.25 * norm;
    s = school_of(RULE, NULL, &settings);
    assert_true(step(&s).gradient_norm == norm); /* reported before clipping */
    double *after = weights_of(s.model), factor = i ? 1 : 0.25;
    for (size_t j = 0; j < 52; j++)
      assert_close(start[j] - after[j], factor * gradient[j], BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-14, 1e-6));
    free(after);
    school_free(&s);
  }
  free(start);
}

static void schedules(void **state) {
  (void)state;
  l2o_train_settings s = small_settings();
  s.learning_rate = 0.1, s.steps = 10, s.learning_rate_end = 0.02;
  assert_true(l2o_schedule_rate(&s, 0) == 0.1 && l2o_schedule_rate(&s, 1000) == 0.1);
  s.schedule = L2O_SCHEDULE_COSINE;
  assert_close(l2o_schedule_rate(&s, 0), 0.1, 1e-15, 0);
  assert_close(l2o_schedule_rate(&s, 5), 0.06, 1e-15, 0);
  assert_close(l2o_schedule_rate(&s, 3), 0.02 + 0.08 * (1 + cos(0.3 * acos(-1))) / 2, 1e-15, 0);
  assert_close(l2o_schedule_rate(&s, 10), 0.02, 1e-15, 0);
  assert_close(l2o_schedule_rate(&s, 11), 0.02, 1e-15, 0); /* and stays there */
  s.schedule = L2O_SCHEDULE_STEP, s.decay = 0.5, s.decay_every = 4;
  assert_true(l2o_schedule_rate(&s, 3) == 0.1 && l2o_schedule_rate(&s, 4) == 0.05 && l2o_schedule_rate(&s, 8) == 0.025);
}

static void the_scheduled_rate_is_the_one_used(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.optimizer = L2O_OPTIMIZER_SGD, settings.schedule = L2O_SCHEDULE_STEP, settings.decay = 0.5, settings.decay_every = 2;
  school s = school_of(RULE, NULL, &settings);
  for (int i = 0; i < 5; i++) {
    double gradient[53], loss, *before = weights_of(s.model);
    assert_status(l2o_trainer_gradient(s.trainer, &loss, gradient, NULL), L2O_OK, NULL);
    double rate = 1e-2 * pow(0.5, i / 2);
    assert_true(step(&s).learning_rate == rate);
    double *after = weights_of(s.model);
    for (size_t j = 0; j < 52; j++)
      assert_close(after[j], before[j] - rate * gradient[j], BY_PRECISION(1e-14, 1e-6), BY_PRECISION(1e-15, 1e-7));
    free(before);
    free(after);
  }
  school_free(&s);
}

static void sum_is_batch_times_mean(void **state) {
  (void)state;
  double loss[2], gradient[2][53];
  for (int i = 0; i < 2; i++) {
    l2o_train_settings settings = small_settings();
    settings.reduction = i ? L2O_REDUCTION_SUM : L2O_REDUCTION_MEAN;
    school s = school_of(RULE, NULL, &settings);
    assert_status(l2o_trainer_gradient(s.trainer, &loss[i], gradient[i], NULL), L2O_OK, NULL);
    school_free(&s);
  }
  assert_close(loss[1], 3 * loss[0], 1e-14, 0);
  for (size_t j = 0; j < 53; j++)
    assert_close(gradient[1][j], 3 * gradient[0][j], BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-13, 1e-5));
}

static void training_lowers_the_loss(void **state) {
  (void)state;
  static const char *const rules[] = {"math-l2o-gd", "math-l2o-nesterov"};
  for (int rule = 0; rule < 2; rule++)
    for (int fresh = 0; fresh < 2; fresh++) {
      l2o_train_settings settings = small_settings();
      settings.batch = 8, settings.horizon = 20, settings.fresh = fresh, settings.learning_rate = 3e-3;
      settings.validation_instances = 16;
      char spec[64];
      snprintf(spec, sizeof spec, "%s:hidden=64,expansion=2", rules[rule]);
      l2o_family *family = family_of("qp:n=8,m=5");
      l2o_model *model = model_of(spec, 1);
      l2o_trainer *trainer;
      double before, after;
      assert_status(l2o_trainer_new(&trainer, model, solver_named(rules[rule]), family, &settings, NULL), L2O_OK, NULL);
      assert_status(l2o_trainer_validate(trainer, &before, NULL), L2O_OK, NULL);
      l2o_train_record first, last;
      assert_status(l2o_trainer_step(trainer, &first, NULL), L2O_OK, NULL);
      for (int i = 0; i < 60; i++)
        assert_status(l2o_trainer_step(trainer, &last, NULL), L2O_OK, NULL);
      assert_status(l2o_trainer_validate(trainer, &after, NULL), L2O_OK, NULL);
      assert_true(fresh || last.loss < 0.8 * first.loss);
      assert_true(rule > 0 || after < 0.7 * before); /* on instances that it has not seen; Nesterov's own momentum leaves little */
      l2o_trainer_free(trainer);
      l2o_model_free(model);
      l2o_family_free(family);
    }
}

/* ---- losses ---- */

/* A rule with factors: x <- x + p o d along d = -s g, p the network of math-l2o-gd. It counts its steps in
 * its state, behind room that is not a whole line. */
static size_t factors_scratch_len(const l2o_iterate *it) {
  return it->n;
}
static size_t factors_state_len(const l2o_iterate *it) {
  return it->n + 3;
}
static size_t factors_tape_len(const l2o_iterate *it) {
  return 3 * it->n + l2o_coordinate_record_len(it->n);
}
static l2o_status factors_init(l2o_iterate *it) {
  it->state[it->n] = 1;
  return L2O_OK;
}
static l2o_status factors_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  const size_t n = it->n;
  (void)stop;
  l2o_status status = l2o_iterate_gradient(it);
  if (status)
    return status;
  l2o_real *p = tape ? tape + 2 * n : it->scratch;
  if (tape) {
    memcpy(tape, it->x, n * sizeof *tape);
    memcpy(tape + n, it->g, n * sizeof *tape);
  }
  l2o_coordinate_mlp_forward(it->model, p, tape ? tape + 3 * n : NULL, it->g, it->x, n);
  if ((double)it->state[n] != 1 + (double)it->k)
    return L2O_ERR_CALLBACK; /* the state is not the one of this instance */
  it->state[n] += 1;
  it->slope = it->deviation = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = -it->step * (double)it->g[i], excess = (double)p[i] - 1;
    it->slope += d * (double)it->g[i];
    it->deviation += excess * excess / (double)n;
    it->x[i] += (l2o_real)d * p[i];
  }
  return L2O_OK;
}
static l2o_status factors_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                              l2o_stop_gradient mode) {
  const size_t n = it->n;
  const l2o_real *x = tape, *g = tape + n, *p = tape + 2 * n, s = (l2o_real)it->step;
  const bool whole = mode == L2O_STOP_GRADIENT_NONE;
  (void)dstate;
  for (size_t i = 0; i < n; i++) {
    it->scratch[i] = -s * g[i] * dx[i] + (l2o_real)(it->deviation_weight * 2 / (double)n) * (p[i] - 1);
    dg[i] = -s * p[i] * dx[i];
  }
  l2o_coordinate_mlp_backward(it->model, dsum, whole ? dg : NULL, whole ? dx : NULL, it->scratch, p, tape + 3 * n, g, x, n);
  return L2O_OK;
}
static const l2o_solver factors = {.struct_size = sizeof factors,
                                   .name = "factors",
                                   .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_STEP | L2O_NEEDS_MODEL | L2O_FACTORS,
                                   .scratch_len = factors_scratch_len,
                                   .state_len = factors_state_len,
                                   .init = factors_init,
                                   .step = factors_step,
                                   .model_kind = "math-l2o-gd",
                                   .tape_len = factors_tape_len,
                                   .step_vjp = factors_vjp,
                                   .gradient_at = L2O_GRADIENT_AT_X};

/* Few instances of logistic regression, lent to the trainer. */
enum { LOSS_N = 5, LOSS_BATCH = 3, LOSS_HORIZON = 5, LOSS_WEIGHTS = 53 };
typedef struct lent {
  l2o_problem own[LOSS_BATCH], given[LOSS_BATCH];
  l2o_problem_ops ops;
} lent;

static l2o_status lent_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  (void)seed, (void)diag;
  *out = ((const lent *)family->data)->given[index % LOSS_BATCH];
  return L2O_OK;
}

static l2o_family lend(lent *l) {
  for (size_t b = 0; b < LOSS_BATCH; b++)
    l->own[b] = sampled("logistic:n=5,m=20,l2=0.05", 3, b);
  l->ops = *l->own[0].ops;
  l->ops.free = NULL;
  for (size_t b = 0; b < LOSS_BATCH; b++)
    l->given[b] = (l2o_problem){.ops = &l->ops, .data = l->own[b].data, .n = LOSS_N};
  return (l2o_family){.struct_size = sizeof(l2o_family), .name = "lent", .n = LOSS_N, .sample = lent_sample, .data = l};
}

static void take_back(lent *l) {
  for (size_t b = 0; b < LOSS_BATCH; b++)
    l2o_problem_free(&l->own[b]);
}

/* One instance through a segment, by the formulas of train.h and nothing of the trainer's. */
typedef struct walk {
  l2o_real x[LOSS_HORIZON + 1][LOSS_N], g[LOSS_HORIZON + 1][LOSS_N];
  double f[LOSS_HORIZON + 1], slope[LOSS_HORIZON], deviation[LOSS_HORIZON];
} walk;

/* base: what the mode takes as constants; NULL: nothing is. */
static void follow(walk *at, const walk *base, const l2o_problem *p, const l2o_model *model, size_t U, l2o_stop_gradient mode) {
  double L;
  assert_status(l2o_problem_lipschitz(p, &L), L2O_OK, NULL);
  const bool fixed = base && mode != L2O_STOP_GRADIENT_NONE, still = base && mode == L2O_STOP_GRADIENT_DIRECTION;
  for (size_t j = 0; j <= U; j++) {
    at->f[j] = gradient_at(p, at->g[j], at->x[j]);
    if (j == U)
      break;
    l2o_real factor[LOSS_N];
    const walk *seen = fixed ? base : at;
    const l2o_real *g = still ? base->g[j] : at->g[j];
    l2o_coordinate_mlp_forward(model, factor, NULL, seen->g[j], seen->x[j], LOSS_N);
    at->slope[j] = at->deviation[j] = 0;
    for (size_t i = 0; i < LOSS_N; i++) {
      const double d = -model->type->step_scale(model) / L * (double)g[i], excess = (double)factor[i] - 1;
      at->slope[j] += d * (double)g[i];
      at->deviation[j] += excess * excess / LOSS_N;
      at->x[j + 1][i] = at->x[j][i] + (l2o_real)d * factor[i];
    }
  }
}

static double norm_of(const l2o_real *v, size_t n) {
  double squares = 0;
  for (size_t i = 0; i < n; i++)
    squares += (double)v[i] * (double)v[i];
  return sqrt(squares);
}

static double loss_of(const walk *at, const walk *base, const l2o_problem *p, const l2o_train_settings *s, size_t U) {
  double sum = 0, minimum;
  assert_status(l2o_problem_minimum(p, &minimum, NULL), L2O_OK, NULL);
  for (size_t j = 1; j <= U; j++) {
    const double count = (double)U;
    if (s->loss == L2O_LOSS_LAST)
      sum += j == U ? at->f[j] : 0;
    else if (s->loss == L2O_LOSS_MEAN)
      sum += at->f[j] / count;
    else if (s->loss == L2O_LOSS_WEIGHTED)
      sum += (double)j * at->f[j] / (count * (count + 1) / 2);
    else if (s->loss == L2O_LOSS_DECREASE)
      sum += (at->f[j] - base->f[j - 1]) / fmax(-base->slope[j - 1], 1e-14) / count;
    else if (s->loss == L2O_LOSS_LOG_GAP)
      sum += log(fmax(at->f[j] - minimum, 1e-10)) / count;
    else
      sum += log(fmax(norm_of(at->g[j], LOSS_N), 1e-14)) / count;
    sum += s->regularisation * at->deviation[j - 1] / count;
  }
  return sum;
}

/* Loss of the batch with these weights, from the points where `base` begins. */
static double batch_loss(walk *out, const walk *base, l2o_model *model, const double *w, const lent *l, const l2o_train_settings *s,
                         size_t U) {
  double sum = 0;
  assert_status(l2o_model_set_parameters(model, w, LOSS_WEIGHTS), L2O_OK, NULL);
  for (size_t b = 0; b < LOSS_BATCH; b++) {
    memcpy(out[b].x[0], base[b].x[0], sizeof out[b].x[0]);
    follow(&out[b], out == base ? NULL : &base[b], &l->given[b], model, U, s->stop_gradient);
    sum += loss_of(&out[b], &base[b], &l->given[b], s, U) / LOSS_BATCH;
  }
  return sum;
}

static void check_loss(const lent *l, const l2o_family *family, const l2o_train_settings *settings) {
  l2o_model *model = model_of("math-l2o-gd:hidden=16,expansion=2", 1), *other = model_of("math-l2o-gd:hidden=16,expansion=2", 1);
  l2o_diag diag = {""};
  l2o_trainer *trainer;
  walk base[LOSS_BATCH] = {0}, moved[LOSS_BATCH];
  randomise(model, 2, 0.4);
  assert_status(l2o_trainer_new(&trainer, model, &factors, family, settings, &diag), L2O_OK, &diag);
  for (size_t done = 0; done < LOSS_HORIZON;) {
    const size_t U = settings->unroll < LOSS_HORIZON - done ? settings->unroll : LOSS_HORIZON - done;
    double loss, gradient[LOSS_WEIGHTS], *w = weights_of(model), largest = 0, expected[LOSS_WEIGHTS];
    const double at_base = batch_loss(base, base, other, w, l, settings, U);
    assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
    assert_close(loss, at_base, BY_PRECISION(1e-11, 2e-5), BY_PRECISION(1e-11, 2e-5));
    for (size_t i = 0; i < LOSS_WEIGHTS - 1 && sizeof(l2o_real) == sizeof(double); i++) { /* the last is not learned */
      double near[4];
      const double at = w[i], h = 1e-4;
      for (int k = 0; k < 4; k++) {
        w[i] = at + (k % 2 ? -1 : 1) * (k / 2 ? 2 : 1) * h;
        near[k] = batch_loss(moved, base, other, w, l, settings, U);
      }
      w[i] = at;
      expected[i] = (8 * (near[0] - near[1]) - (near[2] - near[3])) / (12 * h);
      largest = fmax(largest, fabs(expected[i]));
    }
    for (size_t i = 0; i < LOSS_WEIGHTS - 1 && sizeof(l2o_real) == sizeof(double); i++)
      assert_close(gradient[i], expected[i], 0, 1e-8 * largest + 1e-11); /* rounding of the loss / h */
    l2o_train_record record;
    assert_status(l2o_trainer_step(trainer, &record, &diag), L2O_OK, &diag); /* learning rate 0: the next segment */
    assert_true(record.loss == loss);
    for (size_t b = 0; b < LOSS_BATCH; b++)
      memcpy(base[b].x[0], base[b].x[U], sizeof base[b].x[0]);
    done += U;
    free(w);
  }
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  l2o_model_free(other);
}

/* Every loss, with every way to take the derivative, whole and in segments. */
static void losses_against_differences(void **state) {
  (void)state;
  static const size_t unrolls[] = {5, 2, 1};
  lent l;
  const l2o_family family = lend(&l);
  for (l2o_loss loss = L2O_LOSS_LAST; loss <= L2O_LOSS_LOG_GRADIENT; loss++)
    for (int mode = L2O_STOP_GRADIENT_FEATURES; mode <= (int)L2O_STOP_GRADIENT_DIRECTION; mode++)
      for (size_t u = 0; u < 3; u++) {
        l2o_train_settings s = small_settings();
        s.batch = LOSS_BATCH, s.horizon = LOSS_HORIZON, s.unroll = unrolls[u], s.loss = loss;
        s.stop_gradient = (l2o_stop_gradient)mode, s.optimizer = L2O_OPTIMIZER_SGD, s.learning_rate = 0;
        s.regularisation = (mode + (int)u) % 2 ? 0.3 : 0;
        check_loss(&l, &family, &s);
      }
  take_back(&l);
}

/* f = |x|^2 / 2 from where there is nothing left to do: the bounds hold, and nothing is divided by zero. */
static l2o_status bowl_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    *f += 0.5 * (double)x[i] * (double)x[i];
    g[i] = x[i];
  }
  return L2O_OK;
}
static l2o_status bowl_lipschitz(const l2o_problem *p, double *constant) {
  (void)p;
  *constant = 1;
  return L2O_OK;
}
static l2o_status bowl_minimum(const l2o_problem *p, double *fstar, l2o_real *xstar) {
  (void)p, (void)xstar;
  *fstar = 0;
  return L2O_OK;
}
static l2o_status bowl_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  static const l2o_problem_ops ops = {
      .struct_size = sizeof ops, .name = "bowl", .gradient = bowl_gradient, .lipschitz = bowl_lipschitz, .minimum = bowl_minimum};
  (void)seed, (void)index, (void)diag;
  *out = (l2o_problem){.ops = &ops, .n = family->n};
  return L2O_OK;
}

/* Close to the minimum, but not there: what is below its bound is a constant and teaches nothing, and the decrease is divided by
 * its bound. */
static l2o_status near_bowl_start(const l2o_problem *p, l2o_real *x0) {
  for (size_t i = 0; i < p->n; i++)
    x0[i] = *(const l2o_real *)p->data;
  return L2O_OK;
}
static l2o_status near_bowl_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  static const l2o_problem_ops ops = {.struct_size = sizeof ops,
                                      .name = "bowl",
                                      .gradient = bowl_gradient,
                                      .lipschitz = bowl_lipschitz,
                                      .minimum = bowl_minimum,
                                      .start = near_bowl_start};
  (void)seed, (void)index, (void)diag;
  *out = (l2o_problem){.ops = &ops, .data = family->data, .n = family->n};
  return L2O_OK;
}

static void below_the_bounds_of_losses(void **state) {
  (void)state;
  static const struct {
    l2o_loss loss;
    l2o_real start;
    double expected; /* 0: (f_1 - f_0) / 1e-14 */
  } cases[] = {{L2O_LOSS_LOG_GAP, (l2o_real)1e-6, 1e-10},
               {L2O_LOSS_LOG_GRADIENT, (l2o_real)1e-15, 1e-14},
               {L2O_LOSS_DECREASE, (l2o_real)1e-8, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const l2o_family family = {
        .struct_size = sizeof family, .name = "bowl", .n = 4, .sample = near_bowl_sample, .data = &cases[i].start};
    double values[2], gradients[2][LOSS_WEIGHTS], size = 0;
    for (int which = 0; which < 2; which++) { /* with this loss, and f_1 itself */
      l2o_train_settings settings = small_settings();
      settings.horizon = 1, settings.loss = which ? L2O_LOSS_LAST : cases[i].loss;
      l2o_model *model = model_of("math-l2o-gd:hidden=16,expansion=2", 1);
      l2o_trainer *trainer;
      randomise(model, 2, 0.4);
      assert_status(l2o_trainer_new(&trainer, model, &factors, &family, &settings, NULL), L2O_OK, NULL);
      assert_status(l2o_trainer_gradient(trainer, &values[which], gradients[which], NULL), L2O_OK, NULL);
      l2o_trainer_free(trainer);
      l2o_model_free(model);
    }
    const double x0 = (double)cases[i].start;
    assert_close(values[0], cases[i].expected > 0 ? log(cases[i].expected) : (values[1] - 4 * x0 * x0 / 2) / 1e-14,
                 BY_PRECISION(1e-12, 1e-5), 0);
    for (size_t j = 0; j < LOSS_WEIGHTS; j++) {
      size = fmax(size, fabs(gradients[1][j]));
      if (cases[i].expected > 0)
        assert_true(gradients[0][j] == 0);
      else
        assert_close(gradients[0][j], 1e14 * gradients[1][j], BY_PRECISION(1e-10, 1e-4), BY_PRECISION(1e-18, 1e-10));
    }
    assert_true(size > 0);
  }
}

static void bounds_of_losses(void **state) {
  (void)state;
  const l2o_family family = {.struct_size = sizeof family, .name = "bowl", .n = 4, .sample = bowl_sample};
  static const struct {
    l2o_loss loss;
    double expected;
  } cases[] = {{L2O_LOSS_DECREASE, 0}, {L2O_LOSS_LOG_GAP, 1e-10}, {L2O_LOSS_LOG_GRADIENT, 1e-14}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_train_settings settings = small_settings();
    settings.loss = cases[i].loss, settings.validation_instances = 2;
    l2o_model *model = model_of("math-l2o-gd:hidden=16,expansion=2", 1);
    l2o_trainer *trainer;
    double loss, gradient[LOSS_WEIGHTS], objective;
    assert_status(l2o_trainer_new(&trainer, model, &factors, &family, &settings, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_gradient(trainer, &loss, gradient, NULL), L2O_OK, NULL);
    assert_close(loss, cases[i].expected > 0 ? log(cases[i].expected) : 0, 1e-14, 0);
    for (size_t j = 0; j < LOSS_WEIGHTS; j++)
      assert_true(gradient[j] == 0);
    assert_status(l2o_trainer_validate(trainer, &objective, NULL), L2O_OK, NULL);
    assert_close(objective, log(1e-14), 1e-14, 0);
    l2o_trainer_free(trainer);
    l2o_model_free(model);
  }
}

/* Losses of any scale are validated by the gradient's norm, or by the gap where that is known, along the whole horizon. */
static void validation_of_scale_free_losses(void **state) {
  (void)state;
  lent l;
  const l2o_family family = lend(&l);
  for (l2o_loss loss = L2O_LOSS_DECREASE; loss <= L2O_LOSS_LOG_GRADIENT; loss++) {
    l2o_train_settings settings = small_settings();
    settings.batch = LOSS_BATCH, settings.horizon = LOSS_HORIZON, settings.unroll = 2, settings.loss = loss;
    settings.validation_instances = LOSS_BATCH;
    l2o_model *model = model_of("math-l2o-gd:hidden=16,expansion=2", 1);
    l2o_trainer *trainer;
    double objective, expected = 0;
    randomise(model, 2, 0.4);
    assert_status(l2o_trainer_new(&trainer, model, &factors, &family, &settings, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_validate(trainer, &objective, NULL), L2O_OK, NULL);
    for (size_t b = 0; b < LOSS_BATCH; b++) {
      walk at = {0};
      follow(&at, NULL, &l.given[b], model, LOSS_HORIZON, L2O_STOP_GRADIENT_NONE);
      double minimum;
      assert_status(l2o_problem_minimum(&l.given[b], &minimum, NULL), L2O_OK, NULL);
      for (size_t j = 1; j <= LOSS_HORIZON; j++)
        expected += log(loss == L2O_LOSS_LOG_GAP ? (at.f[j] - minimum) / (at.f[0] - minimum)
                                                 : norm_of(at.g[j], LOSS_N) / norm_of(at.g[0], LOSS_N)) /
                    (LOSS_BATCH * LOSS_HORIZON);
    }
    assert_close(objective, expected, BY_PRECISION(1e-12, 1e-5), 0);
    l2o_trainer_free(trainer);
    l2o_model_free(model);
  }
  take_back(&l);
}

/* Hessian-vector products are asked for where the derivative needs them: none for a step that begins its segment. */
static size_t products;
static l2o_status counted_product(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  (void)p, (void)x, (void)v, (void)work;
  products++;
  memset(hv, 0, LOSS_N * sizeof *hv);
  return L2O_OK;
}

static void products_with_the_hessian(void **state) {
  (void)state;
  static const struct {
    l2o_loss loss;
    l2o_stop_gradient mode;
    size_t unroll, expected; /* of the first segment of an instance */
  } cases[] = {{L2O_LOSS_MEAN, L2O_STOP_GRADIENT_FEATURES, 5, 4},     {L2O_LOSS_MEAN, L2O_STOP_GRADIENT_MATRIX, 3, 2},
               {L2O_LOSS_LAST, L2O_STOP_GRADIENT_NONE, 5, 4},         {L2O_LOSS_DECREASE, L2O_STOP_GRADIENT_FEATURES, 1, 0},
               {L2O_LOSS_MEAN, L2O_STOP_GRADIENT_DIRECTION, 5, 0},    {L2O_LOSS_LOG_GRADIENT, L2O_STOP_GRADIENT_DIRECTION, 5, 5},
               {L2O_LOSS_LOG_GRADIENT, L2O_STOP_GRADIENT_NONE, 5, 9}, {L2O_LOSS_LOG_GAP, L2O_STOP_GRADIENT_NONE, 1, 0}};
  lent l;
  const l2o_family family = lend(&l);
  l.ops.hessian_vector = counted_product;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_train_settings s = small_settings();
    s.batch = LOSS_BATCH, s.horizon = LOSS_HORIZON, s.unroll = cases[i].unroll, s.loss = cases[i].loss;
    s.stop_gradient = cases[i].mode;
    l2o_model *model = model_of("math-l2o-gd:hidden=16,expansion=2", 1);
    l2o_trainer *trainer;
    assert_status(l2o_trainer_new(&trainer, model, &factors, &family, &s, NULL), L2O_OK, NULL);
    products = 0;
    assert_status(l2o_trainer_step(trainer, NULL, NULL), L2O_OK, NULL);
    assert_int_equal(products, LOSS_BATCH * cases[i].expected);
    l2o_trainer_free(trainer);
    l2o_model_free(model);
  }
  take_back(&l);
}

/* Gradients at the end of a segment serve the next one: U + 1 evaluations for a horizon, however it is divided. */
static size_t evaluations;
static l2o_status (*uncounted_gradient)(const l2o_problem *, double *, l2o_real *, const l2o_real *, l2o_real *);
static l2o_status counted_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  evaluations++;
  return uncounted_gradient(p, f, g, x, work);
}

static void a_gradient_is_evaluated_once(void **state) {
  (void)state;
  static const l2o_loss losses[] = {L2O_LOSS_MEAN, L2O_LOSS_DECREASE, L2O_LOSS_LOG_GRADIENT};
  lent l;
  const l2o_family family = lend(&l);
  uncounted_gradient = l.ops.gradient;
  l.ops.gradient = counted_gradient;
  for (size_t i = 0; i < 3; i++)
    for (size_t unroll = 1; unroll <= LOSS_HORIZON; unroll++) {
      l2o_train_settings s = small_settings();
      s.batch = LOSS_BATCH, s.horizon = LOSS_HORIZON, s.unroll = unroll, s.loss = losses[i];
      l2o_model *model = model_of("math-l2o-gd:hidden=16,expansion=2", 1);
      l2o_trainer *trainer;
      assert_status(l2o_trainer_new(&trainer, model, &factors, &family, &s, NULL), L2O_OK, NULL);
      for (int horizon = 0; horizon < 2; horizon++) {
        evaluations = 0;
        for (size_t done = 0; done < LOSS_HORIZON; done += unroll)
          assert_status(l2o_trainer_step(trainer, NULL, NULL), L2O_OK, NULL);
        assert_int_equal(evaluations, LOSS_BATCH * (LOSS_HORIZON + 1));
      }
      l2o_trainer_free(trainer);
      l2o_model_free(model);
    }
  take_back(&l);
}

/* |x - prox_{s h}(x - s grad f(x))| */
static double residual_of(const l2o_problem *p, const l2o_real *x) {
  enum { MOST = 16 };
  l2o_real g[MOST], tau[MOST];
  double constant, square = 0;
  assert_true(p->n <= MOST);
  assert_status(l2o_problem_lipschitz(p, &constant), L2O_OK, NULL);
  gradient_at(p, g, x);
  for (size_t i = 0; i < p->n; i++) {
    tau[i] = (l2o_real)(0.9999 / constant);
    g[i] = x[i] - tau[i] * g[i];
  }
  assert_status(l2o_problem_prox(p, g, g, tau, NULL), L2O_OK, NULL);
  for (size_t i = 0; i < p->n; i++)
    square += ((double)x[i] - (double)g[i]) * ((double)x[i] - (double)g[i]);
  return sqrt(square);
}

/* Objectives f[steps + 1] and residuals along a run. */
static void objectives(double *f, double *norms, const l2o_model *model, const l2o_problem *p, size_t steps) {
  l2o_run *run;
  l2o_record record;
  l2o_stop stop;
  assert_status(l2o_run_new(&run, solver_named(RULE), model, p, NULL, NULL), L2O_OK, NULL);
  assert_status(l2o_run_start(run, NULL), L2O_OK, NULL);
  for (size_t j = 0; j <= steps; j++) {
    if (j > 0)
      assert_status(l2o_run_step(run, &stop), L2O_OK, NULL);
    assert_status(l2o_run_record(run, &record), L2O_OK, NULL);
    f[j] = record.objective;
    norms[j] = residual_of(p, l2o_run_x(run));
  }
  l2o_run_free(run);
}

/* Of composite problems all losses are of F = f + h, for a rule, too, that takes subgradients. */
static void composite_objectives(void **state) {
  (void)state;
  enum { U = 4, BATCH = 3 };
  l2o_family *family = family_of("lasso:n=6,m=9,l1=0.3");
  static const l2o_loss losses[] = {L2O_LOSS_LAST, L2O_LOSS_MEAN, L2O_LOSS_LOG_GAP, L2O_LOSS_LOG_GRADIENT};
  for (size_t c = 0; c < 4; c++) {
    l2o_train_settings settings = small_settings();
    settings.batch = BATCH, settings.horizon = U, settings.loss = losses[c], settings.validation_instances = 2, settings.seed = 5;
    settings.stop_gradient = L2O_STOP_GRADIENT_NONE;
    l2o_model *model = model_of("math-l2o-gd:hidden=16,expansion=2", 1);
    l2o_trainer *trainer;
    double loss, gradient[LOSS_WEIGHTS], expected = 0, objective, validated = 0;
    randomise(model, 2, 0.4);
    assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), family, &settings, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_gradient(trainer, &loss, gradient, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_validate(trainer, &objective, NULL), L2O_OK, NULL);
    for (size_t b = 0; b < BATCH + 2; b++) {
      const bool trains = b < BATCH;
      l2o_problem p;
      double f[U + 1], norms[U + 1], minimum;
      assert_status(l2o_family_sample(family, &p, trains ? 5 : 0, trains ? L2O_PURPOSE_TRAIN : L2O_PURPOSE_VALIDATION,
                                      trains ? b : b - BATCH, NULL),
                    L2O_OK, NULL);
      assert_status(l2o_problem_minimum(&p, &minimum, NULL), L2O_OK, NULL);
      objectives(f, norms, model, &p, U);
      for (size_t j = 1; j <= U; j++) {
        expected += !trains                              ? 0
                    : losses[c] == L2O_LOSS_LAST         ? (j == U ? f[U] / BATCH : 0)
                    : losses[c] == L2O_LOSS_LOG_GAP      ? log(f[j] - minimum) / (U * BATCH)
                    : losses[c] == L2O_LOSS_LOG_GRADIENT ? log(norms[j]) / (U * BATCH)
                                                         : f[j] / (U * BATCH);
        validated += trains                               ? 0
                     : losses[c] == L2O_LOSS_LOG_GAP      ? log((f[j] - minimum) / (f[0] - minimum)) / (U * 2)
                     : losses[c] == L2O_LOSS_LOG_GRADIENT ? log(norms[j] / norms[0]) / (U * 2)
                                                          : (j == U ? f[U] / 2 : 0);
      }
      l2o_problem_free(&p);
    }
    assert_close(loss, expected, BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-12, 1e-5));
    assert_close(objective, validated, BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-12, 1e-5));
    double *w = weights_of(model), largest = 0, differences[LOSS_WEIGHTS];
    for (size_t i = 0; i < LOSS_WEIGHTS - 1 && sizeof(l2o_real) == sizeof(double); i++) {
      const double at = w[i], h = 1e-5;
      double up, down, unused[LOSS_WEIGHTS];
      w[i] = at + h;
      assert_status(l2o_model_set_parameters(model, w, LOSS_WEIGHTS), L2O_OK, NULL);
      assert_status(l2o_trainer_gradient(trainer, &up, unused, NULL), L2O_OK, NULL);
      w[i] = at - h;
      assert_status(l2o_model_set_parameters(model, w, LOSS_WEIGHTS), L2O_OK, NULL);
      assert_status(l2o_trainer_gradient(trainer, &down, unused, NULL), L2O_OK, NULL);
      w[i] = at;
      differences[i] = (up - down) / (2 * h);
      largest = fmax(largest, fabs(differences[i]));
    }
    for (size_t i = 0; i < LOSS_WEIGHTS - 1 && sizeof(l2o_real) == sizeof(double); i++)
      assert_close(gradient[i], differences[i], 0, 1e-7 * largest);
    free(w);
    l2o_trainer_free(trainer);
    l2o_model_free(model);
  }
  l2o_family_free(family);
}

static void losses_that_do_not_fit_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *rule, *family, *sentence;
    l2o_status status;
    l2o_loss loss;
    double regularisation;
  } cases[] = {
      {RULE, "qp:n=8,m=5", "math-l2o-gd does not; try last or mean", L2O_ERR_NOTSUP, L2O_LOSS_DECREASE, 0},
      {RULE, "qp:n=8,m=5", "regularisation is for rules that", L2O_ERR_NOTSUP, L2O_LOSS_MEAN, 0.1},
      {RULE, "qp:n=8,m=5", "regularisation must be a finite number", L2O_ERR_ARG, L2O_LOSS_MEAN, -1},
      {RULE, "qp:n=8,m=5", "regularisation must be a finite number", L2O_ERR_ARG, L2O_LOSS_MEAN, (double)NAN},
      {RULE, "logistic:n=5,m=3,l2=0", "log-gap needs the minimum of problem 'logistic', which is not known; try log-gradient",
       L2O_ERR_NOTSUP, L2O_LOSS_LOG_GAP, 0},
      {"l2o-bfgs", "rosenbrock", "l2o-bfgs: h0=lipschitz", L2O_ERR_NOTSUP, L2O_LOSS_DECREASE, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_family *family = family_of(cases[i].family);
    l2o_model *model = model_of(strcmp(cases[i].rule, RULE) == 0 ? "math-l2o-gd:hidden=4" : "bfgs-lstm:hidden=4,h0=lipschitz", 1);
    l2o_train_settings s = small_settings();
    l2o_diag diag = {""};
    l2o_trainer *trainer = (l2o_trainer *)&diag;
    s.loss = cases[i].loss, s.regularisation = cases[i].regularisation;
    const l2o_status status = l2o_trainer_new(&trainer, model, solver_named(cases[i].rule), family, &s, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_status(status, cases[i].status, &diag);
    assert_null(trainer);
    l2o_model_free(model);
    l2o_family_free(family);
  }
}

/* ---- resuming ---- */

static void check_resume(const char *rule, const l2o_train_settings *settings, int before, int after) {
  l2o_diag diag = {""};
  school unbroken = school_of(rule, NULL, settings), first = school_of(rule, NULL, settings),
         second = school_of(rule, NULL, settings);
  l2o_train_record expected = {0}, record = {0};
  for (int i = 0; i < before; i++) {
    expected = step(&unbroken);
    record = step(&first);
    assert_same_records(&record, &expected);
  }
  assert_true(l2o_trainer_keep_best(unbroken.trainer, 3) && l2o_trainer_keep_best(first.trainer, 3));
  assert_status(l2o_trainer_save(first.trainer, in_folder("checkpoint"), "id", &diag), L2O_OK, &diag);
  step(&first); /* does not reach back into the file */
  randomise(second.model, 99, 0.1);
  for (int i = 0; i < 2; i++)
    step(&second); /* a trainer that has been elsewhere */
  assert_status(l2o_trainer_resume(second.trainer, in_folder("checkpoint"), "id", &diag), L2O_OK, &diag);
  assert_int_equal(l2o_trainer_steps_done(second.trainer), before);
  assert_same_models(second.model, unbroken.model);
  for (int i = 0; i < after; i++) {
    expected = step(&unbroken);
    record = step(&second);
    assert_same_records(&record, &expected);
  }
  assert_same_models(second.model, unbroken.model);
  assert_false(l2o_trainer_keep_best(second.trainer, 3.5)); /* 3 is known */
  assert_status(l2o_trainer_use_best(second.trainer), L2O_OK, NULL);
  assert_status(l2o_trainer_use_best(unbroken.trainer), L2O_OK, NULL);
  assert_same_models(second.model, unbroken.model);
  school_free(&unbroken);
  school_free(&first);
  school_free(&second);
}

static void a_resumed_run_equals_an_unbroken_one(void **state) {
  (void)state;
  static const char *const rules[] = {"math-l2o-gd", "math-l2o-nesterov"};
  for (int rule = 0; rule < 2; rule++)
    for (int optimizer = 0; optimizer < 2; optimizer++)
      for (int fresh = 0; fresh < 2; fresh++)
        for (int schedule = 0; schedule < 3; schedule++) {
          l2o_train_settings s = small_settings();
          s.optimizer = (l2o_optimizer)optimizer, s.fresh = fresh, s.schedule = (l2o_schedule)schedule;
          s.steps = 10, s.decay_every = 3, s.decay = 0.5;
          s.horizon = 7, s.unroll = 3;                    /* segments of 3, 3, 1 */
          check_resume(rules[rule], &s, 3 + schedule, 5); /* at the end, after one and after two segments of a horizon */
        }
  /* with a matrix and a network's memory from segment to segment */
  for (size_t unroll = 1; unroll <= 3; unroll++)
    for (l2o_loss loss = L2O_LOSS_DECREASE; loss <= L2O_LOSS_LOG_GRADIENT; loss++) {
      l2o_train_settings s = small_settings();
      s.fresh = unroll == 1, s.horizon = 7, s.unroll = unroll, s.loss = loss, s.regularisation = 0.1;
      s.stop_gradient = unroll == 2 ? L2O_STOP_GRADIENT_NONE : L2O_STOP_GRADIENT_FEATURES;
      check_resume("l2o-bfgs", &s, 4, 5);
    }
}

static void resuming_with_another_number_of_threads(void **state) {
  (void)state;
  l2o_train_settings s = small_settings();
  s.unroll = 2;
  school one = school_of(RULE, NULL, &s);
  s.threads = 2;
  school two = school_of(RULE, NULL, &s);
  step(&one);
  assert_status(l2o_trainer_save(one.trainer, in_folder("checkpoint"), NULL, NULL), L2O_OK, NULL);
  assert_status(l2o_trainer_resume(two.trainer, in_folder("checkpoint"), NULL, NULL), L2O_OK, NULL);
  for (int i = 0; i < 4; i++) {
    l2o_train_record a = step(&one), b = step(&two);
    assert_same_records(&a, &b);
  }
  assert_same_models(one.model, two.model);
  school_free(&one);
  school_free(&two);
}

/* A trainer that refuses a checkpoint goes on as if nothing had been. */
static void assert_refused(school *s, school *twin, const char *path, const char *id, l2o_status expected, const char *sentence) {
  l2o_diag diag = {""};
  l2o_status status = l2o_trainer_resume(s->trainer, path, id, &diag);
  assert_names(&diag, sentence);
  assert_names(&diag, path);
  assert_status(status, expected, &diag);
  assert_status(l2o_trainer_resume(s->trainer, path, id, NULL), expected, NULL);
  l2o_train_record a = step(s), b = step(twin);
  assert_same_records(&a, &b);
  assert_same_models(s->model, twin->model);
}

static void checkpoints_of_another_run_are_refused(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.unroll = 4;
  school s = school_of(RULE, NULL, &settings), twin = school_of(RULE, NULL, &settings);
  settings.batch = 4;
  school larger = school_of(RULE, NULL, &settings);
  school other = school_of("math-l2o-nesterov", NULL, &settings);
  step(&larger);
  step(&other);
  assert_status(l2o_trainer_save(other.trainer, in_folder("other"), "id", NULL), L2O_OK, NULL);
  assert_refused(&s, &twin, in_folder("other"), "id", L2O_ERR_ARG, "another rule");
  assert_status(l2o_trainer_save(larger.trainer, in_folder("larger"), "id", NULL), L2O_OK, NULL);
  assert_refused(&s, &twin, in_folder("larger"), "another id", L2O_ERR_ARG, "another configuration");
  assert_refused(&s, &twin, in_folder("larger"), NULL, L2O_ERR_ARG, "another configuration");
  assert_refused(&s, &twin, in_folder("larger"), "id", L2O_ERR_SHAPE, "'x' has 32 entries, 24 expected");
  l2o_model *wider = model_of("math-l2o-gd:hidden=17", 1);
  l2o_trainer *trainer;
  assert_status(l2o_trainer_new(&trainer, wider, solver_named(RULE), s.family, &settings, NULL), L2O_OK, NULL);
  assert_status(l2o_trainer_save(trainer, in_folder("wider"), "id", NULL), L2O_OK, NULL);
  assert_refused(&s, &twin, in_folder("wider"), "id", L2O_ERR_ARG, "another model");
  assert_status(l2o_model_save(wider, in_folder("model"), NULL), L2O_OK, NULL);
  assert_refused(&s, &twin, in_folder("model"), "id", L2O_ERR_FORMAT, "not a checkpoint");
  assert_refused(&s, &twin, in_folder("absent"), "id", L2O_ERR_IO, "No such file");
  l2o_trainer_free(trainer);
  l2o_model_free(wider);
  school_free(&s);
  school_free(&twin);
  school_free(&larger);
  school_free(&other);
}

/* Copies a checkpoint with one array left out (value NULL), or filled with *value, `entries` of them (0: as many as before). */
static void tamper(const char *from, const char *to, const char *name, const double *value, size_t entries) {
  static const char *const keys[] = {"l2o.checkpoint", "l2o.model", "l2o.precision", "l2o.solver", "seed", "config"};
  l2o_tensor_file *file;
  l2o_tensor_writer *writer;
  bool found = false;
  assert_status(l2o_tensor_file_open(&file, from, NULL), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (strcmp(keys[i], name) != 0)
      assert_status(l2o_tensor_writer_metadata(writer, keys[i], l2o_tensor_file_metadata(file, keys[i])), L2O_OK, NULL);
    else
      found = true;
  for (size_t i = 0; i < l2o_tensor_file_count(file); i++) {
    const l2o_tensor *t = l2o_tensor_file_at(file, i);
    size_t shape[2] = {t->count, 0}, rank = 1;
    bool target = strcmp(t->name, name) == 0;
    double *values = malloc((t->count + entries + 1) * sizeof *values);
    l2o_tensor_to_double(t, values);
    if (target) {
      found = true;
      shape[0] = entries ? entries : t->count;
      for (size_t j = 0; value && j < shape[0]; j++)
        values[j] = *value;
    }
    if (!target || value)
      assert_status(l2o_tensor_writer_add(writer, t->name, t->dtype, values, shape, rank), L2O_OK, NULL);
    free(values);
  }
  assert_true(found);
  assert_status(l2o_tensor_writer_save(writer, to, NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
  l2o_tensor_file_free(file);
}

static void broken_checkpoints_are_refused(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.unroll = 2;
  static const char *const arrays[] = {"step",           "updates", "round",   "position", "rejected",
                                       "rejected_run",   "weights", "moment1", "moment2",  "best.weights",
                                       "best.objective", "x",       "state",   "config",   "l2o.precision"};
  school s = school_of("math-l2o-nesterov", NULL, &settings), twin = school_of("math-l2o-nesterov", NULL, &settings);
  char good[sizeof in_folder_path], bad[sizeof in_folder_path];
  strcpy(good, in_folder("good"));
  strcpy(bad, in_folder("bad"));
  step(&s);
  step(&twin);
  assert_status(l2o_trainer_save(s.trainer, good, "id", NULL), L2O_OK, NULL);
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    tamper(good, bad, arrays[i], NULL, 0);
    assert_refused(&s, &twin, bad, "id", L2O_ERR_FORMAT, arrays[i]);
  }
  const double not_a_number = (double)NAN, infinite = (double)INFINITY, huge = 1e300, negative = -1, six = 6;
  tamper(good, bad, "weights", &not_a_number, 0);
  assert_refused(&s, &twin, bad, "id", L2O_ERR_NUMERIC, "'weights'");
  tamper(good, bad, "moment2", &infinite, 0);
  assert_refused(&s, &twin, bad, "id", L2O_ERR_NUMERIC, "'moment2'");
  tamper(good, bad, "x", &not_a_number, 0);
  assert_refused(&s, &twin, bad, "id", L2O_ERR_NUMERIC, "'x'");
  tamper(good, bad, "weights", &negative, 7);
  assert_refused(&s, &twin, bad, "id", L2O_ERR_SHAPE, "'weights' has 7 entries");
  tamper(good, bad, "round", &negative, 0);
  assert_refused(&s, &twin, bad, "id", L2O_ERR_FORMAT, "'round' is not a count");
  tamper(good, bad, "position", &six, 0);
  assert_refused(&s, &twin, bad, "id", L2O_ERR_FORMAT, "beyond the horizon");
#ifdef L2O_SINGLE
  tamper(good, bad, "weights", &huge, 0);
  assert_refused(&s, &twin, bad, "id", L2O_ERR_NUMERIC, "do not fit");
#else
  (void)huge;
#endif
  /* the good file cut anywhere */
  static char bytes[100000];
  FILE *stream = fopen(good, "rb");
  size_t length = fread(bytes, 1, sizeof bytes, stream);
  fclose(stream);
  assert_true(length > 1000 && length < sizeof bytes);
  for (size_t cut = 0; cut < length; cut += length / 7) {
    stream = fopen(bad, "wb");
    fwrite(bytes, 1, cut, stream);
    fclose(stream);
    assert_refused(&s, &twin, bad, "id", L2O_ERR_FORMAT, "bad");
  }
  school_free(&s);
  school_free(&twin);
}

static void an_unwritable_checkpoint_says_why(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  l2o_diag diag = {""};
  school s = school_of(RULE, NULL, &settings);
  assert_status(l2o_trainer_save(s.trainer, in_folder("absent/checkpoint"), "id", &diag), L2O_ERR_IO, NULL);
  assert_names(&diag, "absent/checkpoint: cannot write");
  school_free(&s);
}

/* ---- threads ---- */

static void the_number_of_threads_does_not_change_a_bit(void **state) {
  (void)state;
  static const char *const rules[] = {"math-l2o-gd", "math-l2o-nesterov", "l2o-bfgs"};
  for (int rule = 0; rule < 3; rule++)
    for (int fresh = 0; fresh < 2; fresh++) {
      l2o_train_settings settings = small_settings();
      settings.batch = 5, settings.validation_instances = 3, settings.unroll = fresh ? 4 : 1, settings.fresh = fresh;
      settings.loss = rule == 2 ? L2O_LOSS_DECREASE : fresh ? L2O_LOSS_LOG_GAP : L2O_LOSS_LAST;
      school one = school_of(rules[rule], NULL, &settings);
      settings.threads = 2;
      school two = school_of(rules[rule], NULL, &settings);
      for (int i = 0; i < 6; i++) {
        double a, b;
        l2o_train_record x = step(&one), y = step(&two);
        assert_same_records(&x, &y);
        assert_status(l2o_trainer_validate(one.trainer, &a, NULL), L2O_OK, NULL);
        assert_status(l2o_trainer_validate(two.trainer, &b, NULL), L2O_OK, NULL);
        assert_true(a == b);
      }
      assert_same_models(one.model, two.model);
      school_free(&one);
      school_free(&two);
    }
}

/* ---- instances ---- */

/* A user's family that notes who was asked for. */
enum { NOTES = 256 };
typedef struct notebook {
  const l2o_family *inner;
  size_t count;
  uint64_t seed[NOTES], index[NOTES];
} notebook;

static l2o_status noting_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  notebook *notes = (notebook *)(uintptr_t)family->data;
  assert_true(notes->count < NOTES);
  notes->seed[notes->count] = seed;
  notes->index[notes->count++] = index;
  return notes->inner->sample(notes->inner, out, seed, index, diag);
}

static void validation_never_meets_training_instances(void **state) {
  (void)state;
  l2o_family *qp = family_of("qp:n=8,m=5");
  for (int fresh = 0; fresh < 2; fresh++) {
    notebook notes = {.inner = qp};
    const l2o_family family = {.struct_size = sizeof family, .name = "noting", .n = 8, .sample = noting_sample, .data = &notes};
    l2o_train_settings settings = small_settings();
    settings.validation_instances = 4, settings.validation_seed = settings.seed = 6, settings.fresh = fresh;
    school s = school_of(RULE, &family, &settings);
    double objective;
    for (int i = 0; i < 4; i++) {
      step(&s);
      assert_status(l2o_trainer_validate(s.trainer, &objective, NULL), L2O_OK, NULL);
    }
    size_t trained = 0, validated = 0;
    for (size_t i = 0; i < notes.count; i++)
      if (notes.seed[i] == l2o_seed_for(6, L2O_PURPOSE_TRAIN))
        assert_int_equal(notes.index[i], trained++);
      else if (notes.seed[i] == l2o_seed_for(6, L2O_PURPOSE_VALIDATION))
        assert_int_equal(notes.index[i], validated++);
      else
        fail_msg("a seed for another purpose");
    assert_int_equal(trained, fresh ? 12 : 3);
    assert_int_equal(validated, 4);
    school_free(&s);
  }
  l2o_family_free(qp);
}

static void a_file_keeps_its_last_rows_for_validation(void **state) {
  (void)state;
  l2o_family *qp = family_of("qp:n=8,m=5");
  for (int fresh = 0; fresh < 2; fresh++) {
    notebook notes = {.inner = qp};
    const l2o_family family = {
        .struct_size = sizeof family, .name = "noting", .n = 8, .count = 10, .sample = noting_sample, .data = &notes};
    l2o_train_settings settings = small_settings();
    settings.validation_instances = 3, settings.fresh = fresh;
    school s = school_of(RULE, &family, &settings);
    for (int i = 0; i < 4; i++)
      step(&s);
    bool trained[10] = {false}, validated[10] = {false};
    for (size_t i = 0; i < notes.count; i++)
      (notes.seed[i] == l2o_seed_for(5, L2O_PURPOSE_TRAIN) ? trained : validated)[notes.index[i]] = true;
    for (size_t i = 0; i < 10; i++) {
      assert_int_equal(validated[i], i >= 7);
      assert_int_equal(trained[i], i < (fresh ? 7 : 3)); /* 12 fresh ones go round the seven */
    }
    school_free(&s);
  }
  l2o_family_free(qp);
}

static void validation_is_the_mean_objective_after_the_horizon(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.validation_instances = 4, settings.validation_seed = 9, settings.unroll = 2;
  school s = school_of(RULE, NULL, &settings);
  double objective, mean = 0;
  step(&s); /* in the middle of a horizon validation starts at the start all the same */
  assert_status(l2o_trainer_validate(s.trainer, &objective, NULL), L2O_OK, NULL);
  l2o_settings run = l2o_settings_default();
  run.iterations = settings.horizon;
  for (uint64_t i = 0; i < 4; i++) {
    l2o_problem p;
    l2o_real x[8] = {0};
    assert_status(l2o_family_sample(s.family, &p, 9, L2O_PURPOSE_VALIDATION, i, NULL), L2O_OK, NULL);
    assert_status(l2o_minimize(solver_named(RULE), s.model, &p, x, NULL, &run, NULL), L2O_OK, NULL);
    mean += value_at(&p, x) / 4;
    l2o_problem_free(&p);
  }
  assert_close(objective, mean, 1e-14, 0);
  school_free(&s);
  settings.validation_instances = 0;
  s = school_of(RULE, NULL, &settings);
  l2o_diag diag;
  assert_status(l2o_trainer_validate(s.trainer, &objective, &diag), L2O_ERR_NOTSUP, NULL);
  assert_string_equal(diag.text, "there are no validation instances");
  school_free(&s);
}

static void validation_does_not_disturb_training(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.validation_instances = 2, settings.unroll = 2;
  school s = school_of("math-l2o-nesterov", NULL, &settings), quiet = school_of("math-l2o-nesterov", NULL, &settings);
  for (int i = 0; i < 5; i++) {
    double objective, gradient[53];
    assert_status(l2o_trainer_validate(s.trainer, &objective, NULL), L2O_OK, NULL);
    assert_status(l2o_trainer_gradient(s.trainer, &objective, gradient, NULL), L2O_OK, NULL);
    l2o_train_record a = step(&s), b = step(&quiet);
    assert_same_records(&a, &b);
  }
  assert_same_models(s.model, quiet.model);
  school_free(&s);
  school_free(&quiet);
}

static void the_best_weights_come_back(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  school s = school_of(RULE, NULL, &settings);
  assert_status(l2o_trainer_use_best(s.trainer), L2O_ERR_NOTSUP, NULL);
  assert_true(l2o_trainer_keep_best(s.trainer, 2));
  step(&s);
  assert_false(l2o_trainer_keep_best(s.trainer, 2));
  assert_false(l2o_trainer_keep_best(s.trainer, (double)NAN));
  assert_true(l2o_trainer_keep_best(s.trainer, 1));
  l2o_model *best;
  assert_status(l2o_model_clone(&best, s.model), L2O_OK, NULL);
  step(&s);
  assert_false(l2o_trainer_keep_best(s.trainer, 1.5));
  assert_status(l2o_trainer_use_best(s.trainer), L2O_OK, NULL);
  assert_same_models(s.model, best);
  l2o_model_free(best);
  school_free(&s);
}

/* ---- what a rule is shown ---- */

static const l2o_solver *shown_to;
static size_t shown_k[16], shown_count;

static l2o_status showing_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  assert_true(shown_count < 16);
  shown_k[shown_count++] = it->k;
  return shown_to->step(it, tape, stop);
}

/* Rules that depend on k: it goes on along the horizon, over the segments, and begins anew with it. */
static void k_counts_along_the_horizon(void **state) {
  (void)state;
  static const size_t expected[] = {0, 1, 2, 3, 4, 0, 1};
  l2o_train_settings settings = small_settings();
  settings.batch = 1, settings.horizon = 5, settings.unroll = 2;
  l2o_family *family = family_of("qp:n=8,m=5");
  l2o_model *model = model_of("math-l2o-gd:hidden=4", 1);
  l2o_solver rule = *(shown_to = solver_named(RULE)); /* a user's own rule, too */
  rule.step = showing_step;
  l2o_trainer *trainer;
  assert_status(l2o_trainer_new(&trainer, model, &rule, family, &settings, NULL), L2O_OK, NULL);
  shown_count = 0;
  for (int i = 0; i < 4; i++)
    assert_status(l2o_trainer_step(trainer, NULL, NULL), L2O_OK, NULL);
  assert_int_equal(shown_count, 7);
  assert_memory_equal(shown_k, expected, sizeof expected);
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  l2o_family_free(family);
}

/* ---- when things go wrong ---- */

/* 1/2 |x - 1|^2, until told to answer nonsense. */
typedef struct moody {
  enum { WELL, NOT_A_NUMBER, FAILING } mood;
} moody;

static l2o_status moody_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const moody *m = p->data;
  (void)work;
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    g[i] = x[i] - 1;
    *f += 0.5 * (double)g[i] * (double)g[i];
  }
  if (m->mood == NOT_A_NUMBER)
    *f = (double)NAN;
  return m->mood == FAILING ? L2O_ERR_ARG : L2O_OK;
}
static l2o_status moody_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  static const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "moody", .gradient = moody_gradient};
  (void)seed, (void)index, (void)diag;
  *out = (l2o_problem){.ops = &ops, .data = family->data, .n = 4};
  return L2O_OK;
}

static void rejected_steps_leave_the_weights(void **state) {
  (void)state;
  moody m = {WELL};
  const l2o_family family = {.struct_size = sizeof family, .name = "moody", .n = 4, .sample = moody_sample, .data = &m};
  l2o_train_settings settings = small_settings();
  settings.options = "step=0.3", settings.max_rejected = 3, settings.unroll = 2;
  school s = school_of(RULE, &family, &settings);
  l2o_diag diag = {""};
  l2o_train_record record = step(&s);
  assert_false(record.rejected);
  l2o_model *good;
  assert_status(l2o_model_clone(&good, s.model), L2O_OK, NULL);
  m.mood = NOT_A_NUMBER;
  for (size_t i = 1; i <= 2; i++) {
    record = step(&s);
    assert_true(record.rejected && isnan(record.loss));
    assert_int_equal(record.rejected_total, i);
    assert_same_models(s.model, good);
  }
  double loss, gradient[53];
  assert_status(l2o_trainer_gradient(s.trainer, &loss, gradient, &diag), L2O_ERR_NUMERIC, NULL);
  assert_string_equal(diag.text, "the loss or its gradient is not finite");
  m.mood = WELL; /* recovers: the run of rejections begins anew, and so does the horizon */
  record = step(&s);
  assert_false(record.rejected);
  assert_int_equal(record.rejected_total, 2);
  l2o_model_free(good);
  assert_status(l2o_model_clone(&good, s.model), L2O_OK, NULL);
  m.mood = NOT_A_NUMBER;
  step(&s);
  step(&s);
  assert_status(l2o_trainer_step(s.trainer, &record, &diag), L2O_ERR_NUMERIC, NULL);
  assert_names(&diag, "training step 7: loss or gradient was not finite 3 times in a row");
  assert_true(record.rejected && record.rejected_total == 5 && record.step == 7);
  assert_same_models(s.model, good);
  l2o_model_free(good);
  school_free(&s);
}

static void a_failing_callback_ends_the_step(void **state) {
  (void)state;
  moody m = {WELL};
  const l2o_family family = {.struct_size = sizeof family, .name = "moody", .n = 4, .sample = moody_sample, .data = &m};
  l2o_train_settings settings = small_settings();
  settings.options = "step=0.3", settings.validation_instances = 1;
  school s = school_of(RULE, &family, &settings), twin = school_of(RULE, &family, &settings);
  l2o_diag diag = {""};
  step(&s);
  step(&twin);
  m.mood = FAILING;
  double objective;
  assert_status(l2o_trainer_step(s.trainer, NULL, &diag), L2O_ERR_CALLBACK, NULL);
  assert_string_equal(diag.text, "training step 1: a callback reported a failure");
  assert_status(l2o_trainer_validate(s.trainer, &objective, &diag), L2O_ERR_CALLBACK, NULL);
  assert_string_equal(diag.text, "validation: a callback reported a failure");
  assert_same_models(s.model, twin.model);
  assert_int_equal(l2o_trainer_steps_done(s.trainer), 1);
  m.mood = NOT_A_NUMBER;
  assert_status(l2o_trainer_validate(s.trainer, &objective, NULL), L2O_OK, NULL);
  assert_true(objective == HUGE_VAL); /* no weights to keep */
  m.mood = WELL;
  l2o_train_record a = step(&s), b = step(&twin);
  assert_same_records(&a, &b);
  school_free(&s);
  school_free(&twin);
}

static void weights_that_would_overflow_are_rejected(void **state) {
  (void)state;
  l2o_train_settings settings = small_settings();
  settings.optimizer = L2O_OPTIMIZER_SGD, settings.learning_rate = 1e308, settings.reduction = L2O_REDUCTION_SUM;
  school s = school_of(RULE, NULL, &settings);
  l2o_model *before;
  assert_status(l2o_model_clone(&before, s.model), L2O_OK, NULL);
  randomise(before, 2, 0.3);
  l2o_train_record record = {0};
  for (int i = 0; i < 3 && !record.rejected; i++) {
    l2o_model_free(before);
    assert_status(l2o_model_clone(&before, s.model), L2O_OK, NULL);
    record = step(&s);
  }
  assert_true(record.rejected);
  assert_same_models(s.model, before);
  l2o_model_free(before);
  school_free(&s);
}

static void settings_that_make_no_sense_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *rule, *sentence;
    l2o_status status;
    size_t batch, horizon, unroll, validation;
    double rate, clip, beta2;
    const char *options;
  } cases[] = {
      {RULE, "batch and horizon", L2O_ERR_ARG, 0, 6, 0, 0, 1, 0, 0.9, NULL},
      {RULE, "batch and horizon", L2O_ERR_ARG, 3, 0, 0, 0, 1, 0, 0.9, NULL},
      {RULE, "unroll (7) is longer than the horizon (6)", L2O_ERR_ARG, 3, 6, 7, 0, 1, 0, 0.9, NULL},
      {RULE, "learning rate", L2O_ERR_ARG, 3, 6, 0, 0, -1, 0, 0.9, NULL},
      {RULE, "learning rate", L2O_ERR_ARG, 3, 6, 0, 0, (double)NAN, 0, 0.9, NULL},
      {RULE, "clip_norm", L2O_ERR_ARG, 3, 6, 0, 0, 1, (double)NAN, 0.9, NULL},
      {RULE, "beta2 < 1", L2O_ERR_ARG, 3, 6, 0, 0, 1, 0, 1, NULL},
      {RULE, "has no option 'stop'; did you mean 'step'?", L2O_ERR_ARG, 3, 6, 0, 0, 1, 0, 0.9, "stop=1"},
      {RULE, "training needs guard=off", L2O_ERR_ARG, 3, 6, 0, 0, 1, 0, 0.9, "guard=shadow"},
      {"gd", "gd is not a learned rule", L2O_ERR_NOTSUP, 3, 6, 0, 0, 1, 0, 0.9, NULL},
      {"math-l2o-nesterov", "needs a model of kind math-l2o-nesterov", L2O_ERR_ARG, 3, 6, 0, 0, 1, 0, 0.9, NULL},
  };
  l2o_family *family = family_of("qp:n=8,m=5");
  l2o_model *model = model_of("math-l2o-gd:hidden=4", 1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_train_settings s = small_settings();
    l2o_diag diag = {""};
    l2o_trainer *trainer = (l2o_trainer *)&diag;
    s.batch = cases[i].batch, s.horizon = cases[i].horizon, s.unroll = cases[i].unroll, s.beta2 = cases[i].beta2;
    s.learning_rate = cases[i].rate, s.clip_norm = cases[i].clip, s.options = cases[i].options;
    l2o_status status = l2o_trainer_new(&trainer, model, solver_named(cases[i].rule), family, &s, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_status(status, cases[i].status, &diag);
    assert_null(trainer);
  }
  l2o_model_free(model);
  l2o_family_free(family);
}

static l2o_status sample_of_two_sizes(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  l2o_status status = moody_sample(family, out, seed, index, diag);
  out->n = index == 2 ? 5 : 4;
  return status;
}

static void families_that_do_not_fit_are_refused(void **state) {
  (void)state;
  moody m = {WELL};
  l2o_family family = {.struct_size = sizeof family, .name = "moody", .sample = sample_of_two_sizes, .data = &m};
  l2o_model *model = model_of("math-l2o-gd:hidden=4", 1);
  l2o_train_settings s = small_settings();
  l2o_trainer *trainer;
  l2o_diag diag;
  s.options = "step=0.3";
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), &family, &s, &diag), L2O_ERR_SHAPE, NULL);
  assert_names(&diag, "instance 2 has 5 unknowns, instance 0 has 4");
  family.sample = moody_sample;
  s.options = NULL;
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), &family, &s, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "problem 'moody' has no Lipschitz constant");
  s.options = "step=0.3", s.validation_instances = 8, family.count = 10;
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), &family, &s, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "2 instances to train on, fewer than the batch of 3");
  s.validation_instances = 10;
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), &family, &s, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "10 instances: no room for 10 validation instances");
  l2o_model_free(model);
}

/* ---- ranks ---- */

enum { RANKS_MAX = 7, RANK_STEPS = 5 };

/* Ranks are threads here, which meet to add up in the order of the ranks. */
typedef struct crowd {
  size_t ranks;
  pthread_barrier_t barrier;
  double *parts[RANKS_MAX];
  const l2o_train_settings *settings;
  const l2o_family *family;
  const char *rule, *save, *resume;
  const char *resume_of_1; /* if that of rank 1 is another */
  const l2o_family *family_of_1;
  bool weights_of_1; /* rank 1 has its own */
  bool gradient;     /* before the first step */
  int steps;         /* to try */
  size_t fails_sum;  /* the call of `sum` that fails; 0: none */
} crowd;

/* One rank and what it saw. Nothing is asserted outside of the main thread. */
typedef struct member {
  crowd *crowd;
  size_t rank, sums;
  l2o_status made, saved, resumed, stepped;
  l2o_diag diag; /* of the last failure */
  double loss, gradient[53], objective, weights[53];
  l2o_train_record records[RANK_STEPS];
  char note[200];
  size_t sums_a_step;
} member;

static l2o_status meet(void *context, double *values, size_t count) {
  member *m = context;
  crowd *c = m->crowd;
  double *total = calloc(count, sizeof *total);
  if (++m->sums == c->fails_sum) {
    free(total);
    return L2O_ERR_CALLBACK;
  }
  c->parts[m->rank] = values;
  pthread_barrier_wait(&c->barrier);
  for (size_t i = 0; i < count; i++) {
    total[i] = c->parts[0][i];
    for (size_t r = 1; r < c->ranks; r++)
      total[i] += c->parts[r][i];
  }
  pthread_barrier_wait(&c->barrier);
  memcpy(values, total, count * sizeof *values);
  free(total);
  return L2O_OK;
}

static void *attend(void *context) {
  member *m = context;
  crowd *c = m->crowd;
  l2o_train_settings s = *c->settings;
  char spec[80];
  l2o_model *model = NULL;
  l2o_trainer *trainer = NULL;
  const char *resume = m->rank == 1 && c->resume_of_1 ? c->resume_of_1 : c->resume;
  const l2o_family *family = m->rank == 1 && c->family_of_1 ? c->family_of_1 : c->family;
  s.ranks = c->ranks, s.rank = m->rank, s.sum = meet, s.sum_context = m;
  snprintf(spec, sizeof spec, "%s:hidden=16,expansion=2", c->rule);
  l2o_model_new(&model, spec, 1, NULL);
  randomise(model, m->rank == 1 && c->weights_of_1 ? 3 : 2, 0.3);
  m->made = l2o_trainer_new(&trainer, model, solver_named(c->rule), family, &s, &m->diag);
  if (!m->made)
    snprintf(m->note, sizeof m->note, "%s", l2o_trainer_note(trainer));
  if (!m->made && resume)
    m->resumed = l2o_trainer_resume(trainer, resume, "id", &m->diag);
  if (!m->made && !m->resumed) {
    if (s.validation_instances)
      m->stepped = l2o_trainer_validate(trainer, &m->objective, &m->diag);
    if (c->gradient && !m->stepped)
      m->stepped = l2o_trainer_gradient(trainer, &m->loss, m->gradient, &m->diag);
    const size_t sums = m->sums;
    for (int i = 0; i < c->steps && !m->stepped; i++)
      m->stepped = l2o_trainer_step(trainer, &m->records[i], &m->diag);
    m->sums_a_step = m->sums - sums;
    if (c->save)
      m->saved = l2o_trainer_save(trainer, m->rank ? NULL : c->save, "id", &m->diag);
  }
  double *w = weights_of(model);
  memcpy(m->weights, w, sizeof m->weights);
  free(w);
  l2o_trainer_free(trainer);
  l2o_model_free(model);
  return NULL;
}

/* Runs all ranks to their end. What they saw must be the same on all of them, but for their numbers of calls. */
static void gather_round(crowd *c, member *members) {
  pthread_t threads[RANKS_MAX];
  memset(members, 0, c->ranks * sizeof *members);
  assert_int_equal(pthread_barrier_init(&c->barrier, NULL, (unsigned)c->ranks), 0);
  for (size_t r = 0; r < c->ranks; r++) {
    members[r].crowd = c;
    members[r].rank = r;
    assert_int_equal(pthread_create(&threads[r], NULL, attend, &members[r]), 0);
  }
  for (size_t r = 0; r < c->ranks; r++)
    assert_int_equal(pthread_join(threads[r], NULL), 0);
  pthread_barrier_destroy(&c->barrier);
  const member *a = &members[0];
  for (size_t r = 1; r < c->ranks; r++) {
    const member *b = &members[r];
    assert_int_equal(a->sums, b->sums);
    assert_true(a->made == b->made && a->saved == b->saved && a->resumed == b->resumed && a->stepped == b->stepped);
    assert_string_equal(a->diag.text, b->diag.text);
    assert_memory_equal(&a->loss, &b->loss, sizeof a->loss);
    assert_memory_equal(a->gradient, b->gradient, sizeof a->gradient);
    assert_memory_equal(&a->objective, &b->objective, sizeof a->objective);
    assert_true(c->weights_of_1 || memcmp(a->weights, b->weights, sizeof a->weights) == 0);
    for (int i = 0; i < RANK_STEPS; i++) {
      assert_true(memcmp(&a->records[i].loss, &b->records[i].loss, sizeof(double)) == 0);
      assert_true(a->records[i].rejected == b->records[i].rejected && a->records[i].step == b->records[i].step);
    }
  }
}

/* Losses of given weights are the same bits, gradients differ by the order of the sum; 7 ranks are more than instances. */
static void any_number_of_ranks_gives_the_numbers_of_one(void **state) {
  (void)state;
  static const char *const rules[] = {"math-l2o-gd", "math-l2o-nesterov"};
  static const size_t counts[] = {2, 3, 5, 7};
  l2o_family *family = family_of("qp:n=8,m=5");
  for (int rule = 0; rule < 2; rule++)
    for (int fresh = 0; fresh < 2; fresh++) {
      l2o_train_settings settings = small_settings();
      settings.batch = 5, settings.unroll = 4, settings.fresh = fresh, settings.validation_instances = 3;
      settings.loss = fresh ? L2O_LOSS_LOG_GAP : L2O_LOSS_LAST;
      school one = school_of(rules[rule], family, &settings);
      double objective, loss, gradient[53], largest = 0;
      assert_status(l2o_trainer_validate(one.trainer, &objective, NULL), L2O_OK, NULL);
      assert_status(l2o_trainer_gradient(one.trainer, &loss, gradient, NULL), L2O_OK, NULL);
      for (size_t i = 0; i < 53; i++)
        largest = fmax(largest, fabs(gradient[i]));
      l2o_train_record records[RANK_STEPS];
      for (int i = 0; i < RANK_STEPS; i++)
        records[i] = step(&one);
      school_free(&one);
      for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        member members[RANKS_MAX];
        crowd c = {.ranks = counts[k],
                   .settings = &settings,
                   .family = family,
                   .rule = rules[rule],
                   .gradient = true,
                   .steps = RANK_STEPS};
        gather_round(&c, members);
        const member *m = &members[0];
        assert_status(m->made, L2O_OK, &m->diag);
        assert_status(m->stepped, L2O_OK, &m->diag);
        assert_true(m->objective == objective && m->loss == loss && m->records[0].loss == loss);
        for (size_t i = 0; i < 53; i++)
          assert_close(m->gradient[i], gradient[i], 0, 1e-14 * largest);
        for (int i = 0; i < RANK_STEPS; i++)
          assert_close(m->records[i].loss, records[i].loss, BY_PRECISION(1e-10, 1e-4), 0);
        assert_int_equal(m->sums_a_step, RANK_STEPS); /* one a step */
      }
    }
  l2o_family_free(family);
}

static void a_checkpoint_serves_any_number_of_ranks(void **state) {
  (void)state;
  static const size_t counts[] = {2, 3, 7};
  char path[sizeof in_folder_path];
  strcpy(path, in_folder("checkpoint"));
  l2o_family *family = family_of("qp:n=8,m=5");
  l2o_train_settings settings = small_settings();
  settings.batch = 5, settings.horizon = 12, settings.unroll = 4, settings.fresh = true;
  member unbroken[RANKS_MAX], members[RANKS_MAX];
  crowd c = {.ranks = 3, .settings = &settings, .family = family, .rule = "math-l2o-nesterov", .steps = RANK_STEPS};
  gather_round(&c, unbroken);
  c.steps = 2, c.save = path; /* within a horizon */
  gather_round(&c, members);
  assert_status(members[0].saved, L2O_OK, &members[0].diag);
  c.save = NULL, c.resume = path, c.steps = RANK_STEPS - 2;
  for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
    c.ranks = counts[k];
    gather_round(&c, members);
    assert_status(members[0].resumed, L2O_OK, &members[0].diag);
    assert_true(members[0].records[0].loss == unbroken[0].records[2].loss); /* of the same weights and iterates */
    if (counts[k] == 3)
      assert_memory_equal(members[0].weights, unbroken[0].weights, sizeof members[0].weights);
  }
  settings.ranks = 0;
  school one = school_of("math-l2o-nesterov", family, &settings);
  assert_status(l2o_trainer_resume(one.trainer, path, "id", NULL), L2O_OK, NULL);
  assert_true(step(&one).loss == unbroken[0].records[2].loss);
  /* and the other way round */
  assert_status(l2o_trainer_save(one.trainer, path, "id", NULL), L2O_OK, NULL);
  const double loss = step(&one).loss;
  c.ranks = 2;
  gather_round(&c, members);
  assert_status(members[0].resumed, L2O_OK, &members[0].diag);
  assert_true(members[0].records[0].loss == loss);
  school_free(&one);
  /* failures of the one rank that writes, and of all that read */
  c.resume = NULL, c.save = "/nowhere/checkpoint";
  gather_round(&c, members);
  assert_status(members[1].saved, L2O_ERR_IO, NULL);
  assert_names(&members[1].diag, "/nowhere/checkpoint: cannot write");
  c.save = NULL, c.resume = "/nowhere/checkpoint";
  gather_round(&c, members);
  assert_status(members[1].resumed, L2O_ERR_IO, NULL);
  assert_int_equal(members[1].records[0].step, 0);
  l2o_family_free(family);
}

/* Instance i has its own mood; unless it cannot even be drawn, or has another size. */
typedef struct moods {
  moody of[8];
  size_t unsampled, odd; /* index + 1; 0: none */
} moods;

static l2o_status moods_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  static const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "moody", .gradient = moody_gradient};
  const moods *m = family->data;
  (void)seed;
  if (m->unsampled == index + 1) {
    snprintf(diag->text, sizeof diag->text, "there is no instance %d", (int)index);
    return L2O_ERR_IO;
  }
  *out = (l2o_problem){.ops = &ops, .data = &m->of[index % 8], .n = m->odd == index + 1 ? 5 : 4};
  return L2O_OK;
}

static void what_one_rank_fails_at_all_ranks_report(void **state) {
  (void)state;
  moods m = {.unsampled = 0};
  const l2o_family family = {.struct_size = sizeof family, .name = "moody", .sample = moods_sample, .data = &m};
  l2o_train_settings settings = small_settings();
  settings.options = "step=0.3", settings.batch = 6, settings.max_rejected = 3;
  member members[RANKS_MAX];
  crowd c = {.ranks = 3, .settings = &settings, .family = &family, .rule = RULE, .steps = RANK_STEPS};
  m.of[2].mood = FAILING; /* rank 1 has instances 2 and 3 */
  gather_round(&c, members);
  for (size_t r = 0; r < 3; r++) {
    assert_status(members[r].stepped, L2O_ERR_CALLBACK, NULL);
    assert_string_equal(members[r].diag.text, "rank 1: training step 0: a callback reported a failure");
  }
  m.of[0].mood = FAILING; /* the lowest rank is heard */
  gather_round(&c, members);
  assert_string_equal(members[2].diag.text, "training step 0: a callback reported a failure");
  m.of[0].mood = WELL;
  m.of[2].mood = NOT_A_NUMBER;
  gather_round(&c, members);
  assert_status(members[2].stepped, L2O_ERR_NUMERIC, NULL);
  assert_names(&members[0].diag, "not finite 3 times in a row");
  assert_true(members[0].records[0].rejected && isnan(members[0].records[0].loss) && members[0].records[2].rejected_total == 3);
  m.of[2].mood = WELL;
  m.unsampled = 6;
  gather_round(&c, members);
  assert_status(members[0].made, L2O_ERR_IO, NULL);
  assert_string_equal(members[0].diag.text, "rank 2: family moody, instance 5: there is no instance 5");
  m.unsampled = 0;
  m.odd = 6; /* within a rank's share, and a whole share of its own */
  gather_round(&c, members);
  assert_status(members[0].made, L2O_ERR_SHAPE, NULL);
  assert_names(&members[0].diag, "instance 5 has 5 unknowns, instance 4 has 4");
  c.ranks = 6;
  gather_round(&c, members);
  assert_status(members[0].made, L2O_ERR_SHAPE, NULL);
  assert_names(&members[0].diag, "training needs instances of one size");
  m.odd = 0;
  settings.fresh = true, m.unsampled = 8; /* met only by the second step */
  gather_round(&c, members);
  assert_status(members[0].stepped, L2O_ERR_IO, NULL);
  assert_string_equal(members[0].diag.text, "rank 1: family moody, instance 7: there is no instance 7");
  assert_int_equal(members[0].records[0].step, 1);
  m.unsampled = 0, settings.fresh = false;
  for (c.fails_sum = 1; c.fails_sum < 8; c.fails_sum++) {
    gather_round(&c, members);
    assert_status(members[1].made ? members[1].made : members[1].stepped, L2O_ERR_CALLBACK, NULL);
    assert_names(&members[1].diag, "adding up over the ranks");
  }
}

static void ranks_that_have_different_files_are_refused(void **state) {
  (void)state;
  char path[sizeof in_folder_path], other[sizeof in_folder_path];
  strcpy(path, in_folder("checkpoint"));
  strcpy(other, in_folder("other"));
  l2o_family *qp = family_of("qp:n=8,m=5");
  moody m = {WELL};
  const l2o_family rows = {.struct_size = sizeof rows, .name = "rows", .n = 4, .count = 10, .sample = moody_sample, .data = &m};
  l2o_family fewer = rows;
  fewer.count = 9;
  l2o_train_settings settings = small_settings();
  member members[RANKS_MAX];
  crowd c = {.ranks = 3, .settings = &settings, .family = qp, .rule = RULE, .steps = 1, .save = path};
  gather_round(&c, members);
  settings.learning_rate = 0.02, c.save = other;
  gather_round(&c, members);
  assert_status(members[0].saved, L2O_OK, &members[0].diag);
  c.save = NULL, c.resume = path;
  gather_round(&c, members);
  assert_status(members[0].stepped, L2O_OK, &members[0].diag);
  c.resume_of_1 = other; /* as many steps, other weights */
  gather_round(&c, members);
  assert_status(members[0].resumed, L2O_ERR_FORMAT, NULL);
  assert_names(&members[0].diag, "the ranks read different checkpoints");
  c.resume_of_1 = "/nowhere/checkpoint";
  gather_round(&c, members);
  assert_status(members[0].resumed, L2O_ERR_IO, NULL);
  assert_names(&members[0].diag, "rank 1: /nowhere/checkpoint");
  c.resume = c.resume_of_1 = NULL, c.weights_of_1 = true;
  gather_round(&c, members);
  assert_status(members[0].made, L2O_ERR_ARG, NULL);
  assert_names(&members[0].diag, "one set of weights");
  settings.options = "step=0.3", c.weights_of_1 = false, c.family = &rows, c.family_of_1 = &fewer;
  gather_round(&c, members);
  assert_status(members[0].made, L2O_ERR_SHAPE, NULL);
  assert_names(&members[0].diag, "one file of them");
  l2o_family_free(qp);
}

/* All ranks but one, as that one sees them: rank `failed` reports L2O_ERR_IO and a sentence. */
typedef struct others {
  size_t failed, heard; /* heard: ranks whose status has been added up */
} others;

static const char OTHERS_SENTENCE[] = "no such rows";

static l2o_status add_others(void *context, double *values, size_t count) {
  others *o = context;
  if (o->heard == 130) { /* the letters of the sentence */
    for (size_t i = 0; OTHERS_SENTENCE[i]; i++)
      values[i] += OTHERS_SENTENCE[i];
    return L2O_OK;
  }
  if (o->failed >= o->heard && o->failed - o->heard < count)
    values[o->failed - o->heard] += L2O_ERR_IO;
  o->heard += count;
  return L2O_OK;
}

static void any_of_many_ranks_is_heard(void **state) {
  (void)state;
  static const size_t failing[] = {1, 63, 64, 127, 128};
  for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
    others o = {.failed = failing[i]};
    l2o_train_settings s = small_settings();
    s.ranks = 130, s.rank = 129, s.sum = add_others, s.sum_context = &o;
    char expected[80];
    l2o_diag diag = {"something of its own"};
    snprintf(expected, sizeof expected, "rank %zu: no such rows", failing[i]);
    assert_status(l2o_ranks_agree(&s, i % 2 ? L2O_ERR_SHAPE : L2O_OK, &diag), L2O_ERR_IO, NULL);
    assert_string_equal(diag.text, expected);
  }
  others none = {.failed = 1000};
  l2o_train_settings s = small_settings();
  l2o_diag diag = {"sizes"};
  s.ranks = 130, s.rank = 129, s.sum = add_others, s.sum_context = &none;
  assert_status(l2o_ranks_agree(&s, L2O_OK, &diag), L2O_OK, NULL);
}

static void ranks_that_make_no_sense_are_refused(void **state) {
  (void)state;
  l2o_family *family = family_of("qp:n=8,m=5");
  l2o_model *model = model_of("math-l2o-gd:hidden=4", 1);
  l2o_train_settings settings = small_settings();
  l2o_trainer *trainer;
  l2o_diag diag;
  settings.ranks = 2, settings.rank = 2, settings.sum = meet;
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), family, &settings, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "rank 2 of 2: ranks count from 0");
  settings.rank = 1, settings.sum = NULL;
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), family, &settings, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "2 ranks need a function that adds up");
  assert_null(trainer);
  l2o_model_free(model);
  l2o_family_free(family);
}

/* ---- Hessians that are kept ---- */

enum { TALL_M = 300, TALL_N = 10, TALL = 6 };

/* 1/2 |A x - b_i|^2 + 0.05 |x|^2: one A for all, or one for each, whose problems then stand alone. */
typedef struct tall {
  l2o_real A[TALL][TALL_M * TALL_N], b[TALL][TALL_M];
  bool shared;
} tall;

static l2o_status tall_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  const tall *t = family->data;
  (void)seed;
  return l2o_least_squares_new(out, t->A[t->shared ? 0 : index % TALL], t->b[index % TALL], NULL, 0.1, 0, TALL_M, TALL_N, diag);
}

static l2o_family tall_family(tall *t, bool shared) {
  for (size_t i = 0; i < TALL; i++) {
    normal_reals(t->A[i], TALL_M * TALL_N, 1 + i);
    normal_reals(t->b[i], TALL_M, 50 + i);
  }
  t->shared = shared;
  return (l2o_family){.struct_size = sizeof(l2o_family), .name = "tall", .n = TALL_N, .sample = tall_sample, .data = t};
}

static double first_gradient(double *gradient, const char *rule, const l2o_family *family, const l2o_train_settings *settings,
                             const char *note) {
  double loss;
  school s = school_of(rule, family, settings);
  if (!strstr(l2o_trainer_note(s.trainer), note))
    fail_msg("'%s' does not say '%s'", l2o_trainer_note(s.trainer), note);
  assert_status(l2o_trainer_gradient(s.trainer, &loss, gradient, NULL), L2O_OK, NULL);
  school_free(&s);
  return loss;
}

/* The same instances, fixed and fresh: with their Hessians, and with their own products. */
static void a_kept_hessian_gives_the_same_gradient(void **state) {
  (void)state;
  static const char *const rules[] = {"math-l2o-gd", "math-l2o-nesterov"};
  static tall t;
  for (int shared = 0; shared < 2; shared++) {
    const l2o_family family = tall_family(&t, shared);
    const char *many = shared ? ", for several instances at a time" : "";
    char kept[120], own[120];
    snprintf(kept, sizeof kept, "by the Hessian W'W, 55 reals, instead of by W, 3000%s", many);
    snprintf(own, sizeof own, "by the problem's matrix, 3000 reals%s", many);
    for (int k = 0; k < 8; k++) {
      const char *rule = rules[k % 2];
      l2o_train_settings settings = small_settings();
      settings.batch = TALL;
      settings.stop_gradient = k / 2 % 2 ? L2O_STOP_GRADIENT_NONE : L2O_STOP_GRADIENT_FEATURES;
      settings.loss = k / 4 ? L2O_LOSS_MEAN : L2O_LOSS_LAST;
      double expected[53], gradient[53], again[53], largest = 0;
      settings.fresh = true;
      const double loss = first_gradient(expected, rule, &family, &settings, own);
      settings.fresh = false;
      assert_true(first_gradient(gradient, rule, &family, &settings, kept) == loss); /* which no Hessian has a part in */
      for (size_t i = 0; i < 53; i++)
        largest = fmax(largest, fabs(expected[i]));
      for (size_t i = 0; i < 53; i++)
        assert_close(gradient[i], expected[i], 0, BY_PRECISION(1e-12, 1e-4) * largest);
      for (settings.threads = 2; settings.threads <= 3; settings.threads++) { /* groups of three and of two */
        assert_true(first_gradient(again, rule, &family, &settings, kept) == loss);
        assert_memory_equal(again, gradient, sizeof gradient);
      }
    }
  }
}

/* Rank 0 of more ranks than instances has none of its own, and speaks for all. */
static void ranks_keep_hessians_too(void **state) {
  (void)state;
  static tall t;
  const l2o_family family = tall_family(&t, false);
  l2o_train_settings settings = small_settings();
  double gradient[53], largest = 0;
  settings.batch = TALL;
  const double loss = first_gradient(gradient, RULE, &family, &settings, "by the Hessian");
  member members[RANKS_MAX];
  crowd c = {.ranks = 7, .settings = &settings, .family = &family, .rule = RULE, .gradient = true, .steps = 1};
  gather_round(&c, members);
  assert_status(members[0].stepped, L2O_OK, &members[0].diag);
  assert_true(members[0].loss == loss);
  for (size_t i = 0; i < 53; i++)
    largest = fmax(largest, fabs(gradient[i]));
  for (size_t i = 0; i < 53; i++)
    assert_close(members[0].gradient[i], gradient[i], 0, 1e-14 * largest);
  for (size_t r = 0; r < 7; r++)
    assert_non_null(strstr(members[r].note, "by the Hessian"));
}

/* ---- memory ---- */

/* Some OpenMP libraries (LLVM's) allocate in every region: then nothing can be said of the trainer's own allocations. */
static bool openmp_allocates(void) {
  int sum = 0;
  for (int repeat = 0; repeat < 3; repeat++) {
    allocations_watch(0); /* the last time counts */
#pragma omp parallel num_threads(2)
    {
#pragma omp for schedule(dynamic) reduction(+ : sum)
      for (int i = 0; i < 3; i++)
        sum += i;
    }
  }
  return allocations_seen().calls > 0 || sum != 9;
}

/* A user's problems own nothing here, and two threads, since OpenMP's own team of one is allocated anew each time. */
static void a_step_allocates_nothing(void **state) {
  (void)state;
  if (!allocations_are_counted() || openmp_allocates())
    skip();
  moody m = {WELL};
  const l2o_family family = {.struct_size = sizeof family, .name = "moody", .n = 4, .sample = moody_sample, .data = &m};
  l2o_train_settings settings = small_settings();
  settings.options = "step=0.3", settings.threads = 2, settings.unroll = 4, settings.validation_instances = 2;
  school s = school_of(RULE, &family, &settings);
  double objective;
  step(&s);
  allocations_watch(0);
  for (int i = 0; i < 5; i++)
    step(&s);
  l2o_status status = l2o_trainer_validate(s.trainer, &objective, NULL);
  allocations seen = allocations_seen();
  assert_status(status, L2O_OK, NULL);
  assert_int_equal(seen.calls, 0);
  school_free(&s);
}

/* An instance whose gradient needs so much scratch. */
static size_t needy_work_len(const l2o_problem *p) {
  return *(const size_t *)p->data;
}
static l2o_status needy_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const moody well = {WELL};
  const l2o_problem inner = {.data = &well, .n = p->n};
  memset(work, 0, *(const size_t *)p->data * sizeof *work);
  return moody_gradient(&inner, f, g, x, NULL);
}
static l2o_status needy_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag) {
  static const l2o_problem_ops ops = {
      .struct_size = sizeof ops, .name = "needy", .gradient = needy_gradient, .work_len = needy_work_len};
  static const size_t needs[] = {10, 50000};
  (void)seed, (void)index, (void)diag;
  *out = (l2o_problem){.ops = &ops, .data = &needs[family->data && index >= 3], .n = 4};
  return L2O_OK;
}

/* Fresh instances may need more scratch than there is memory for: the step fails, and whatever comes next does its work. */
static void a_step_without_memory_can_be_tried_again(void **state) {
  (void)state;
  if (!allocations_are_counted() || openmp_allocates())
    skip();
  const l2o_family family = {.struct_size = sizeof family, .name = "needy", .n = 4, .sample = needy_sample, .data = (void *)&RULE};
  const l2o_family modest = {.struct_size = sizeof family, .name = "needy", .n = 4, .sample = needy_sample};
  l2o_train_settings settings = small_settings();
  settings.options = "step=0.3", settings.threads = 2, settings.fresh = true, settings.validation_instances = 2;
  school s = school_of(RULE, &family, &settings), twin = school_of(RULE, &modest, &settings);
  l2o_diag diag = {""};
  double objective, expected;
  step(&s);
  step(&twin);
  for (int i = 0; i < 2; i++) {
    allocations_watch(1);
    l2o_status status = l2o_trainer_step(s.trainer, NULL, &diag);
    allocations_seen();
    assert_status(status, L2O_ERR_NOMEM, NULL);
    assert_string_equal(diag.text, "training step 1: out of memory for new instances");
    allocations_watch(1);
    status = l2o_trainer_validate(s.trainer, &objective, &diag);
    allocations_seen();
    assert_status(status, L2O_ERR_NOMEM, NULL);
  }
  assert_status(l2o_trainer_validate(s.trainer, &objective, &diag), L2O_OK, &diag);
  assert_status(l2o_trainer_validate(twin.trainer, &expected, &diag), L2O_OK, &diag);
  assert_true(objective == expected);
  const l2o_train_record a = step(&s), b = step(&twin);
  assert_same_records(&a, &b);
  school_free(&s);
  school_free(&twin);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  if (!allocations_are_counted() || openmp_allocates())
    skip();
  moody m = {WELL};
  const l2o_family family = {.struct_size = sizeof family, .name = "moody", .n = 4, .sample = moody_sample, .data = &m};
  l2o_train_settings settings = small_settings();
  settings.options = "step=0.3", settings.threads = 2, settings.unroll = 4, settings.validation_instances = 2;
  school s = school_of(RULE, &family, &settings); /* and OpenMP has its threads */
  step(&s);
  assert_status(l2o_trainer_save(s.trainer, in_folder("checkpoint"), "id", NULL), L2O_OK, NULL);
  for (size_t n = 1;; n++) {
    l2o_trainer *trainer = s.trainer;
    l2o_diag diag;
    allocations_watch(n);
    l2o_status status = l2o_trainer_new(&trainer, s.model, solver_named(RULE), &family, &settings, &diag);
    if (!status)
      l2o_trainer_free(trainer);
    allocations seen = allocations_seen();
    assert_int_equal(seen.live, 0);
    if (seen.calls < n) {
      assert_status(status, L2O_OK, NULL);
      assert_int_equal(n, 7); /* instances, their steps, groups and Hessians, the trainer, its threads */
      break;
    }
    assert_status(status, L2O_ERR_NOMEM, &diag);
    assert_null(trainer);
    assert_names(&diag, "out of memory");
  }
  for (int save = 0; save < 2; save++)
    for (size_t n = 1;; n++) {
      l2o_diag diag = {""};
      const char *path = in_folder("checkpoint");
      allocations_watch(n);
      l2o_status status = save ? l2o_trainer_save(s.trainer, path, "id", &diag) : l2o_trainer_resume(s.trainer, path, "id", &diag);
      allocations seen = allocations_seen();
      assert_int_equal(seen.live, 0);
      if (seen.calls < n) {
        assert_status(status, L2O_OK, &diag);
        assert_true(n > 5);
        break;
      }
      if (status) /* stdio does without its buffer */
        assert_status(status, L2O_ERR_NOMEM, &diag);
      assert_true(!status || diag.text[0]);
    }
  school_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sgd_steps_along_the_gradient),
      cmocka_unit_test(adam_steps_as_published),
      cmocka_unit_test(learn_scale_trains_the_scale),
      cmocka_unit_test(clipping_shortens_long_gradients_only),
      cmocka_unit_test(schedules),
      cmocka_unit_test(the_scheduled_rate_is_the_one_used),
      cmocka_unit_test(sum_is_batch_times_mean),
      cmocka_unit_test(training_lowers_the_loss),
      cmocka_unit_test(losses_against_differences),
      cmocka_unit_test(below_the_bounds_of_losses),
      cmocka_unit_test(bounds_of_losses),
      cmocka_unit_test(validation_of_scale_free_losses),
      cmocka_unit_test(products_with_the_hessian),
      cmocka_unit_test(a_gradient_is_evaluated_once),
      cmocka_unit_test(composite_objectives),
      cmocka_unit_test(losses_that_do_not_fit_are_refused),
      cmocka_unit_test_setup_teardown(a_resumed_run_equals_an_unbroken_one, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(resuming_with_another_number_of_threads, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(checkpoints_of_another_run_are_refused, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(broken_checkpoints_are_refused, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(an_unwritable_checkpoint_says_why, make_folder, remove_folder),
      cmocka_unit_test(the_number_of_threads_does_not_change_a_bit),
      cmocka_unit_test(validation_never_meets_training_instances),
      cmocka_unit_test(a_file_keeps_its_last_rows_for_validation),
      cmocka_unit_test(validation_is_the_mean_objective_after_the_horizon),
      cmocka_unit_test(validation_does_not_disturb_training),
      cmocka_unit_test(the_best_weights_come_back),
      cmocka_unit_test(k_counts_along_the_horizon),
      cmocka_unit_test(rejected_steps_leave_the_weights),
      cmocka_unit_test(a_failing_callback_ends_the_step),
      cmocka_unit_test(weights_that_would_overflow_are_rejected),
      cmocka_unit_test(settings_that_make_no_sense_are_refused),
      cmocka_unit_test(families_that_do_not_fit_are_refused),
      cmocka_unit_test(any_number_of_ranks_gives_the_numbers_of_one),
      cmocka_unit_test_setup_teardown(a_checkpoint_serves_any_number_of_ranks, make_folder, remove_folder),
      cmocka_unit_test(what_one_rank_fails_at_all_ranks_report),
      cmocka_unit_test(any_of_many_ranks_is_heard),
      cmocka_unit_test_setup_teardown(ranks_that_have_different_files_are_refused, make_folder, remove_folder),
      cmocka_unit_test(ranks_that_make_no_sense_are_refused),
      cmocka_unit_test(a_kept_hessian_gives_the_same_gradient),
      cmocka_unit_test(ranks_keep_hessians_too),
      cmocka_unit_test(a_step_allocates_nothing),
      cmocka_unit_test(a_step_without_memory_can_be_tried_again),
      cmocka_unit_test_setup_teardown(every_allocation_may_fail, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
