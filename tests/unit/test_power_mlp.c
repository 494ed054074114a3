/* SPDX-License-Identifier: BSD-3-Clause */
/* power-control-mlp: the network against plain loops, derivatives, what is refused, the guards, files, training. */
#include "l2o_unrolling.h"

#include "core/linalg.h"
#include "counting_malloc.h"
#include "nn/power_mlp.h"

enum { K = 4, MOST = 32 };
#define SMALL "power-control-mlp:links=4,hidden=6,hidden2=5,hidden3=7"
static const char RULE[] = "power-control-mlp";

static l2o_problem links_of(const l2o_real *G, const l2o_real *a, double noise, double power) {
  l2o_problem p;
  l2o_diag diag = {""};
  assert_status(l2o_power_control_new(&p, G, a, NULL, noise, power, K, &diag), L2O_OK, &diag);
  return p;
}

/* ---- the network ---- */

/* y = W z + b by name */
static void affine(double *y, const l2o_model *model, const char *layer, const double *z) {
  char name[2][16];
  snprintf(name[0], sizeof name[0], "%s.weight", layer);
  snprintf(name[1], sizeof name[1], "%s.bias", layer);
  const l2o_model_tensor W = tensor_named(model, name[0]), b = tensor_named(model, name[1]);
  const l2o_real *w = l2o_model_parameters(model, NULL);
  assert_true(W.rank == 2 && b.rank == 1 && W.shape[0] == b.shape[0] && W.learned && b.learned);
  for (size_t i = 0; i < W.shape[0]; i++) {
    y[i] = (double)w[b.offset + i];
    for (size_t j = 0; j < W.shape[1]; j++)
      y[i] += (double)w[W.offset + i * W.shape[1] + j] * z[j];
  }
}

static void the_powers_are_the_formula(void **state) {
  (void)state;
  static const char *const layers[] = {"fc1", "fc2", "fc3"};
  for (uint64_t seed = 0; seed < 8; seed++) {
    const bool weights = seed % 2;
    const double noise = 0.3 + (double)seed, power = 2.5;
    l2o_model *model = random_model(weights ? SMALL ",weights=true" : SMALL, 0.6, seed);
    l2o_real G[K * K], a[K], x[K];
    double z[MOST], y[MOST], total = 0, gain = 0;
    normal_reals(G, K * K, 20 + seed), normal_reals(a, K, 40 + seed);
    for (size_t i = 0; i < K * K; i++) {
      G[i] *= G[i];
      gain += (double)G[i] / (K * K);
    }
    for (size_t i = 0; i < K * K; i++)
      z[i] = (sqrt((double)G[i] / gain) - sqrt(acos(-1.0)) / 2) / sqrt(1 - acos(-1.0) / 4);
    z[K * K] = log10(gain * power / noise);
    for (size_t i = 0; i < K; i++)
      a[i] = weights ? 1 + a[i] * a[i] : 3;
    for (size_t i = 0; i < K; i++)
      total += (double)a[i];
    for (size_t i = 0; i < K; i++)
      z[K * K + 1 + i] = (double)a[i] / (total / K) - 1;
    for (size_t l = 0; l < 3; l++) {
      affine(y, model, layers[l], z);
      for (size_t i = 0; i < MOST; i++)
        z[i] = fmax(y[i], 0);
    }
    affine(y, model, "out", z);
    l2o_problem p = links_of(G, a, noise, power);
    l2o_result r = rates_along(RULE, "", model, &p, x, NULL, 1);
    for (size_t i = 0; i < K; i++)
      assert_close(x[i], power / (1 + exp(-y[i])), BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-14, 1e-6));
    assert_true(r.last.value_calls == 0 && r.last.gradient_calls == 0);
    l2o_problem_free(&p);
    l2o_model_free(model);
  }
}

/* Gains, noise and power may be in any unit. */
static void units_do_not_matter(void **state) {
  (void)state;
  l2o_model *model = random_model(SMALL, 0.6, 3);
  l2o_real G[K * K], scaled[K * K], x[2][K];
  normal_reals(G, K * K, 4);
  for (size_t i = 0; i < K * K; i++) {
    G[i] *= G[i];
    scaled[i] = G[i] / 16;
  }
  l2o_problem p = links_of(G, NULL, 1, 2), q = links_of(scaled, NULL, 4, 128);
  rates_along(RULE, "", model, &p, x[0], NULL, 1), rates_along(RULE, "", model, &q, x[1], NULL, 1);
  for (size_t i = 0; i < K; i++)
    assert_true(x[1][i] == 64 * x[0][i] && x[0][i] > 0 && x[0][i] < 2);
  l2o_problem_free(&p), l2o_problem_free(&q);
  l2o_model_free(model);
}

/* It depends neither on where it starts nor on how often it is asked. */
static void the_first_step_is_all_there_is(void **state) {
  (void)state;
  l2o_model *model = random_model(SMALL, 0.6, 5);
  l2o_problem p = sampled("power-control:links=4,start=uniform", 1, 0), full = sampled("power-control:links=4", 1, 0);
  l2o_real x[3][K], from[K];
  double rates[6];
  rates_along(RULE, "", model, &p, x[0], NULL, 1), rates_along(RULE, "", model, &p, x[1], rates, 5);
  rates_along(RULE, "", model, &full, x[2], NULL, 1);
  assert_same_reals(x[0], x[1], K);
  assert_same_reals(x[0], x[2], K);
  assert_true(rates[0] != rates[1]);
  for (size_t k = 2; k <= 5; k++)
    assert_true(rates[k] == rates[1]);
  normal_reals(from, K, 6); /* from outside the set, too */
  assert_status(l2o_minimize(solver_named(RULE), model, &p, from, NULL, NULL, NULL), L2O_OK, NULL);
  assert_same_reals(x[0], from, K);
  l2o_problem_free(&p), l2o_problem_free(&full);
  l2o_model_free(model);
}

/* He's and Glorot's deviations; the same for the same seed. */
static void initial_weights(void **state) {
  (void)state;
  l2o_model *model = model_of("power-control-mlp", 1), *same = model_of("power-control-mlp", 1),
            *other = model_of("power-control-mlp", 2);
  static const struct {
    const char *name;
    size_t rows, columns;
    double deviation;
  } cases[] = {{"fc1.weight", 200, 101, 0.14071950894605836},
               {"fc2.weight", 80, 200, 0.1},
               {"fc3.weight", 80, 80, 0.15811388300841897},
               {"out.weight", 10, 80, 0.14907119849998599}};
  size_t count;
  const l2o_real *w = l2o_model_parameters(model, &count);
  assert_int_equal(count, 102 * 200 + 201 * 80 + 81 * 80 + 81 * 10);
  assert_same_reals(w, l2o_model_parameters(same, NULL), count);
  for (size_t c = 0; c < 4; c++) {
    const l2o_model_tensor t = tensor_named(model, cases[c].name);
    double square = 0;
    assert_true(t.shape[0] == cases[c].rows && t.shape[1] == cases[c].columns);
    for (size_t i = t.offset; i < t.offset + t.count; i++)
      square += (double)w[i] * (double)w[i];
    assert_close(sqrt(square / (double)t.count), cases[c].deviation, 5 / sqrt((double)t.count), 0);
    assert_true(w[t.offset] != l2o_model_parameters(other, NULL)[t.offset]);
  }
  const l2o_model_tensor b = tensor_named(model, "fc2.bias"), out = tensor_named(model, "out.bias");
  for (size_t i = b.offset; i < b.offset + b.count; i++)
    assert_true(w[i] == 0);
  for (size_t i = out.offset; i < out.offset + out.count; i++)
    assert_true(w[i] == 3);
  l2o_model_free(model), l2o_model_free(same), l2o_model_free(other);
}

/* ---- the way back ---- */

/* Sizes around those of vectors, rows that are cut off, with and without dz; it adds to the sums, and writes dz. */
static void the_way_back_through_a_layer(void **state) {
  (void)state;
  enum { ROWS = 5, COLUMNS = 67 };
  l2o_real W[ROWS * COLUMNS], da[ROWS], z[COLUMNS], dz[COLUMNS + 1];
  double dW[ROWS * COLUMNS + 1], db[ROWS + 1];
  normal_reals(W, ROWS * COLUMNS, 1), normal_reals(da, ROWS, 2), normal_reals(z, COLUMNS, 3);
  da[1] = 0;
  for (size_t columns = 1; columns <= COLUMNS; columns++) {
    for (size_t i = 0; i <= ROWS * columns; i++)
      dW[i] = 7;
    for (size_t i = 0; i <= ROWS; i++)
      db[i] = 9;
    for (size_t j = 0; j <= columns; j++)
      dz[j] = 11;
    l2o_layer_backward(dW, db, columns % 2 ? dz : NULL, W, da, z, ROWS, columns);
    for (size_t i = 0; i < ROWS; i++) {
      assert_close(db[i], 9 + (double)da[i], 1e-15, 0);
      for (size_t j = 0; j < columns; j++)
        assert_close(dW[i * columns + j], 7 + (double)da[i] * (double)z[j], 1e-15, 1e-15);
    }
    for (size_t j = 0; columns % 2 && j < columns; j++) {
      double sum = 0;
      for (size_t i = 0; i < ROWS; i++)
        sum += (double)W[i * columns + j] * (double)da[i];
      assert_close(dz[j], sum, BY_PRECISION(1e-14, 1e-5), BY_PRECISION(1e-14, 1e-5));
    }
    assert_true(dW[ROWS * columns] == 7 && db[ROWS] == 9 && dz[columns] == 11 && (columns % 2 || dz[0] == 11));
  }
}

/* A family whose links have weights, and a model that sees them. */
#define FAMILY "power-control:links=4,snr_db=5,weights=random"
#define SEEING SMALL ",weights=true"

static l2o_trainer *trainer_of(l2o_model *model, const l2o_family *family, size_t batch, size_t horizon) {
  l2o_train_settings s = l2o_train_settings_default();
  l2o_trainer *trainer;
  l2o_diag diag = {""};
  s.batch = batch, s.horizon = horizon, s.threads = 1, s.learning_rate = 3e-3;
  assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), family, &s, &diag), L2O_OK, &diag);
  return trainer;
}

#ifndef L2O_SINGLE
/* Every derivative that the trainer tells, over a batch, away from kinks. */
static void gradients_are_central_differences(void **state) {
  (void)state;
  l2o_family *family = family_of(FAMILY);
  for (uint64_t seed = 0; seed < 3; seed++) {
    l2o_model *model = random_model(SEEING, 0.4, 60 + seed);
    l2o_trainer *trainer = trainer_of(model, family, 3, 1);
    double *w = weights_of(model), largest = 0, loss;
    size_t count, moving = 0, wrong = 0;
    l2o_model_parameters(model, &count);
    double *gradient = malloc(count * sizeof *gradient), *ignored = malloc(count * sizeof *ignored);
    assert_status(l2o_trainer_gradient(trainer, &loss, gradient, NULL), L2O_OK, NULL);
    for (size_t i = 0; i < count; i++)
      largest = fmax(largest, fabs(gradient[i]));
    for (size_t i = 0; i < count; i++) {
      const double h = 1e-4, before = w[i];
      double at[4];
      for (int k = 0; k < 4; k++) {
        w[i] = before + (double[]){-2 * h, -h, h, 2 * h}[k];
        assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
        assert_status(l2o_trainer_gradient(trainer, &at[k], ignored, NULL), L2O_OK, NULL);
      }
      w[i] = before;
      const double by_difference = (8 * (at[2] - at[1]) - (at[3] - at[0])) / (12 * h);
      moving += gradient[i] != 0;
      if (!(fabs(by_difference - gradient[i]) <= 1e-9 * largest) && ++wrong > count / 100) /* a unit may be at its kink */
        fail_msg("parameter %zu: %.12g, by differences %.12g (largest %.3g)", i, gradient[i], by_difference, largest);
    }
    assert_true(moving > count / 2);
    free(gradient), free(ignored), free(w);
    l2o_trainer_free(trainer);
    l2o_model_free(model);
  }
  l2o_family_free(family);
}
#endif

/* The trainer's gradient is the mean of the rule's own, dx before a step is zero, and of a longer horizon the last step alone has a
 * derivative. */
static void only_the_last_step_counts(void **state) {
  (void)state;
  enum { B = 3, U = 4 };
  l2o_family *family = family_of(FAMILY);
  l2o_model *model = random_model(SEEING, 0.4, 70);
  size_t count;
  l2o_model_parameters(model, &count);
  double *gradient = malloc(2 * count * sizeof *gradient), *longer = gradient + count;
  double *one = malloc(count * sizeof *one), *sum = calloc(count, sizeof *sum), loss[2], expected = 0;
  for (size_t k = 0; k < 2; k++) {
    l2o_trainer *trainer = trainer_of(model, family, B, k ? U : 1);
    assert_status(l2o_trainer_gradient(trainer, &loss[k], k ? longer : gradient, NULL), L2O_OK, NULL);
    l2o_trainer_free(trainer);
  }
  assert_true(loss[0] == loss[1]);
  assert_memory_equal(gradient, longer, count * sizeof *gradient);
  for (uint64_t b = 0; b < B; b++) {
    l2o_problem p;
    l2o_real x0[K], dx0[K];
    assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_TRAIN, b, NULL), L2O_OK, NULL);
    assert_status(l2o_problem_start(&p, x0), L2O_OK, NULL);
    const unrolling u = {.solver = solver_named(RULE), .model = model, .problem = &p, .x0 = x0, .steps = 1};
    expected += unroll(&u, NULL, one, dx0) / B;
    for (size_t i = 0; i < count; i++)
      sum[i] += one[i] / B;
    for (size_t i = 0; i < K; i++)
      assert_true(dx0[i] == 0);
    l2o_problem_free(&p);
  }
  assert_close(loss[0], expected, BY_PRECISION(1e-13, 1e-6), 0);
  for (size_t i = 0; i < count; i++)
    assert_close(gradient[i], sum[i], BY_PRECISION(1e-12, 1e-5), BY_PRECISION(1e-14, 1e-6));
  free(gradient), free(one), free(sum);
  l2o_model_free(model);
  l2o_family_free(family);
}

/* ---- what is refused ---- */

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
  l2o_model *model = model_of(SMALL, 1), *seeing = model_of(SEEING, 1);
  l2o_family *shifted, *inner = family_of("power-control:links=4");
  l2o_problem p;
  l2o_diag diag = {""};
  refuse(model, sampled("qp:n=4,m=2", 1, 0), L2O_ERR_NOTSUP,
         "power-control-mlp solves problems of the family power-control; 'qp' is none");
  refuse(model, sampled("sum-rate", 1, 0), L2O_ERR_NOTSUP, "'sum-rate' is none");
  refuse(model, sampled("power-control:links=5", 1, 0), L2O_ERR_SHAPE, "this model is for 4 links, problem 'power-control' has 5");
  refuse(model, sampled("power-control:links=4,weights=random", 1, 0), L2O_ERR_NOTSUP, "train one with weights=true");
  assert_status(l2o_family_shifted(&shifted, inner, 0, 0.5, false, &diag), L2O_OK, &diag);
  assert_status(l2o_family_sample(shifted, &p, 1, L2O_PURPOSE_EVAL, 0, &diag), L2O_OK, &diag);
  refuse(model, p, L2O_ERR_NOTSUP, "problem 'power-control' is shifted by 0.5");
  l2o_family_free(shifted);
  p = sampled("power-control:links=4,weights=random", 1, 0);
  l2o_real x[K];
  rates_along(RULE, "", seeing, &p, x, NULL, 1); /* which one that sees them takes */
  l2o_problem_free(&p);
  l2o_model_free(model), l2o_model_free(seeing);
  static const char *const specs[][2] = {{"links=0", "links = 0"}, {"hidden2=0", "hidden2 = 0"}, {"depth=4", "depth"}};
  for (size_t i = 0; i < 3; i++) {
    char spec[64];
    snprintf(spec, sizeof spec, "%s:%s", RULE, specs[i][0]);
    assert_status(l2o_model_new(&model, spec, 1, &diag), L2O_ERR_ARG, NULL);
    assert_names(&diag, specs[i][1]);
    assert_null(model);
  }
}

/* ---- the guards ---- */

static void guards_keep_their_word(void **state) {
  (void)state;
  enum { T = 20 };
  size_t ahead = 0, behind = 0, fallbacks = 0;
  for (uint64_t seed = 0; seed < 20; seed++) {
    l2o_model *model = random_model(SMALL, seed < 10 ? 0.3 : 30, 80 + seed);
    l2o_problem p = sampled("power-control:links=4,snr_db=6", 2, seed);
    l2o_real x[K];
    double classical[T + 1], alone[T + 1], shadow[T + 1], descent[T + 1];
    rates_along("wmmse-power", "", NULL, &p, x, classical, T);
    rates_along(RULE, "", model, &p, x, alone, T);
    rates_along(RULE, "guard=shadow", model, &p, x, shadow, T);
    const l2o_result r = rates_along(RULE, "guard=descent", model, &p, x, descent, T);
    for (size_t k = 1; k <= T; k++) {
      assert_true(shadow[k] == fmax(classical[k], alone[k]));
      assert_true(descent[k] >= descent[k - 1] - BY_PRECISION(1e-12, 1e-5));
      ahead += alone[k] > classical[k], behind += alone[k] < classical[k];
    }
    fallbacks += r.last.fallbacks;
    l2o_problem_free(&p);
    l2o_model_free(model);
  }
  assert_true(ahead > 0 && behind > 0 && fallbacks > 0);
}

/* ---- the rest ---- */

static void a_model_comes_back_bit_for_bit(void **state) {
  (void)state;
  l2o_model *model = random_model(SEEING, 0.5, 90), *loaded;
  l2o_diag diag = {""};
  size_t count, again;
  assert_status(l2o_model_save(model, in_folder("mlp"), &diag), L2O_OK, &diag);
  assert_status(l2o_model_load(&loaded, in_folder("mlp"), NULL, &diag), L2O_OK, &diag);
  assert_string_equal(l2o_model_spec(model), l2o_model_spec(loaded));
  const l2o_real *w = l2o_model_parameters(model, &count), *v = l2o_model_parameters(loaded, &again);
  assert_int_equal(count, again);
  assert_same_reals(w, v, count);
  l2o_problem p = sampled(FAMILY, 3, 0);
  l2o_real x[2][K];
  rates_along(RULE, "", model, &p, x[0], NULL, 1), rates_along(RULE, "", loaded, &p, x[1], NULL, 1);
  assert_same_reals(x[0], x[1], K);
  l2o_problem_free(&p);
  l2o_model_free(model), l2o_model_free(loaded);
}

static void a_step_allocates_nothing(void **state) {
  (void)state;
  if (!allocations_are_counted())
    skip();
  l2o_model *model = model_of("power-control-mlp:links=30", 1);
  l2o_problem p = sampled("power-control:links=30", 1, 0);
  static const char *const guards[] = {"", "guard=shadow", "guard=descent"};
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

/* Some hundred steps of Adam on the rate itself: on new channels far above all links at full power, and near WMMSE. */
static void training_raises_the_rate(void **state) {
  (void)state;
  enum { INSTANCES = 200 };
  l2o_family *family = family_of("power-control:links=4,snr_db=10");
  l2o_model *model = model_of("power-control-mlp:links=4,hidden=64,hidden2=32,hidden3=32", 1);
  l2o_train_settings s = l2o_train_settings_default();
  l2o_trainer *trainer;
  l2o_diag diag = {""};
  double mean[4] = {0}; /* full power, untrained, trained, WMMSE */
  s.batch = 100, s.horizon = 1, s.fresh = true, s.threads = 1, s.learning_rate = 3e-3, s.schedule = L2O_SCHEDULE_COSINE,
  s.steps = 400;
  for (int stage = 1; stage <= 2; stage++) {
    for (uint64_t i = 0; i < INSTANCES; i++) {
      l2o_problem p;
      l2o_real x[K];
      double rates[101];
      assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, i, &diag), L2O_OK, &diag);
      rates_along(RULE, "", model, &p, x, rates, 1);
      mean[stage] += rates[1] / INSTANCES;
      if (stage == 1) {
        rates_along("wmmse-power", "", NULL, &p, x, rates, 100);
        mean[0] += rates[0] / INSTANCES;
        mean[3] += rates[100] / INSTANCES;
      }
      l2o_problem_free(&p);
    }
    if (stage == 2)
      break;
    assert_status(l2o_trainer_new(&trainer, model, solver_named(RULE), family, &s, &diag), L2O_OK, &diag);
    for (size_t k = 0; k < s.steps; k++)
      assert_status(l2o_trainer_step(trainer, NULL, &diag), L2O_OK, &diag);
    l2o_trainer_free(trainer);
  }
  print_message("full power %.4f, untrained %.4f, trained %.4f, wmmse-power %.4f\n", mean[0], mean[1], mean[2], mean[3]);
  assert_true(mean[1] < 0.6 * mean[3] && mean[2] > 1.5 * mean[0] && mean[2] > 0.9 * mean[3]);
  l2o_model_free(model);
  l2o_family_free(family);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_powers_are_the_formula),
      cmocka_unit_test(units_do_not_matter),
      cmocka_unit_test(the_first_step_is_all_there_is),
      cmocka_unit_test(initial_weights),
      cmocka_unit_test(the_way_back_through_a_layer),
#ifndef L2O_SINGLE
      cmocka_unit_test(gradients_are_central_differences),
#endif
      cmocka_unit_test(only_the_last_step_counts),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(guards_keep_their_word),
      cmocka_unit_test_setup_teardown(a_model_comes_back_bit_for_bit, make_folder, remove_folder),
      cmocka_unit_test(a_step_allocates_nothing),
      cmocka_unit_test(training_raises_the_rate),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
