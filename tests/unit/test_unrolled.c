/* SPDX-License-Identifier: BSD-3-Clause */
/* lista and its kin: initial weights from a matrix, derivatives, support selection, what is refused, the guard, training. */
#include "l2o_unrolling.h"

#include "../../solvers/unrolled.h"
#include "core/linalg.h"
#include "failing_malloc.h"
#include "nn/unrolled.h"
#include "problems/instance.h"

enum { M_ROWS = 6, N = 9 };
#define LASSO "lasso:n=9,m=6,sparsity=3,l1=0.1"
static const char *const RULES[] = {"lista", "lista-cp", "lista-cpss", "alista", "ada-lista"};
enum { RULE_COUNT = sizeof RULES / sizeof *RULES };

static bool of_one_matrix(const char *rule) {
  return strcmp(rule, "ada-lista") != 0;
}

/* A fitted model of such problems; more: further options. */
static l2o_model *fitted(const char *rule, const l2o_problem *p, const char *more) {
  const l2o_instance *d = l2o_squares_of(p);
  char spec[160], n[32] = "";
  l2o_diag diag = {""};
  if (of_one_matrix(rule))
    snprintf(n, sizeof n, ",n=%zu", p->n);
  snprintf(spec, sizeof spec, "%s:m=%zu%s%s", rule, d->rows, n, more);
  l2o_model *model = model_of(spec, 1);
  assert_status(l2o_model_fit_problem(model, p, &diag), L2O_OK, &diag);
  return model;
}

/* Learned entries + spread * N(0, 1). */
static void disturb(l2o_model *model, double spread, uint64_t seed) {
  size_t count;
  l2o_model_parameters(model, &count);
  double *w = weights_of(model), *noise = malloc(count * sizeof *noise);
  normal_doubles(noise, count, seed);
  for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
    const l2o_model_tensor t = l2o_model_tensor_at(model, i);
    for (size_t j = t.offset; t.learned && j < t.offset + t.count; j++)
      w[j] += spread * noise[j];
  }
  assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
  free(w), free(noise);
}

static const l2o_real *values_of(const l2o_model *model, const char *name) {
  return l2o_model_parameters(model, NULL) + tensor_named(model, name).offset;
}

static double base_step(const l2o_problem *p) {
  double L;
  assert_status(l2o_problem_lipschitz(p, &L), L2O_OK, NULL);
  return 0.9999 / L;
}

/* ---- initial weights ---- */

static void tensors_have_their_shapes(void **state) {
  (void)state;
  static const struct {
    const char *spec, *name;
    size_t rank, shape[3];
    bool learned;
  } cases[] = {{"lista:m=3,n=5,layers=4", "We", 3, {1, 5, 3}, true},
               {"lista:m=3,n=5,layers=4,shared=false", "S", 3, {4, 5, 5}, true},
               {"lista:m=3,n=5,layers=4", "theta", 1, {4}, true},
               {"lista:m=3,n=5,layers=4,learn_theta=false", "theta", 1, {4}, false},
               {"lista:m=3,n=5,layers=4", "A", 2, {3, 5}, false},
               {"lista-cp:m=3,n=5,layers=4", "W", 3, {1, 3, 5}, true},
               {"lista-cpss:m=3,n=5,layers=4,shared=false", "W", 3, {4, 3, 5}, true},
               {"alista:m=3,n=5,layers=4", "W", 2, {3, 5}, false},
               {"alista:m=3,n=5,layers=4", "gamma", 1, {4}, true},
               {"ada-lista:m=3,layers=4", "W1", 3, {1, 3, 3}, true},
               {"ada-lista:m=3,layers=4,shared=false", "W2", 3, {4, 3, 3}, true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_model *model = model_of(cases[i].spec, 1);
    const l2o_model_tensor t = tensor_named(model, cases[i].name);
    assert_true(t.rank == cases[i].rank && t.learned == cases[i].learned);
    for (size_t j = 0; j < t.rank; j++)
      assert_int_equal(t.shape[j], cases[i].shape[j]);
    l2o_model_free(model);
  }
}

/* Where training begins the rules are ista: lista, lista-cp, and ada-lista if it takes its numbers from the problem. */
static void untrained_rules_are_ista(void **state) {
  (void)state;
  enum { STEPS = 40 };
  static const char *const specs[][2] = {
      {"lista", ""}, {"lista", ",shared=false,step_scale=0.6"}, {"lista-cp", ""}, {"ada-lista", ",gamma=0,theta=0"}};
  static const char *const families[] = {LASSO, "lasso:n=7,m=12,sparsity=2", "qp:n=8,m=5", "least-squares:n=5,m=9"};
  for (size_t i = 0; i < 4; i++)
    for (size_t k = 0; k < 4; k++) {
      l2o_problem p = sampled(families[k], 3, i);
      l2o_model *model = fitted(specs[i][0], &p, specs[i][1]);
      l2o_real x[2][N];
      char step[40];
      l2o_settings s = l2o_settings_default();
      s.iterations = STEPS;
      snprintf(step, sizeof step, "step=%.17g", (strstr(specs[i][1], "step_scale") ? 0.6 / 0.9999 : 1) * base_step(&p));
      for (size_t which = 0; which < 2; which++) {
        l2o_diag diag = {""};
        l2o_result r;
        s.options = which ? step : "";
        normal_reals(x[which], p.n, 4);
        assert_status(l2o_minimize(solver_named(which ? "ista" : specs[i][0]), which ? NULL : model, &p, x[which], &r, &s, &diag),
                      L2O_OK, &diag);
        assert_true(r.last.iteration == STEPS && r.last.gradient_calls == STEPS && r.last.value_calls == STEPS);
      }
      for (size_t j = 0; j < p.n; j++)
        assert_close(x[0][j], x[1][j], 0, BY_PRECISION(1e-12, 1e-5));
      l2o_model_free(model);
      l2o_problem_free(&p);
    }
}

/* 1/2 |W'A|_F^2 */
static double coherence(const double *W, const double *A, size_t m, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      double dot = 0;
      for (size_t k = 0; k < m; k++)
        dot += W[k * n + i] * A[k * n + j];
      sum += dot * dot / 2;
    }
  return sum;
}

/* w_j'a_j = 1, and no move that keeps that makes |W'A|_F less; the eigenvalue against powers of W'A. */
static void the_analytic_weight_is_the_least_coherent(void **state) {
  (void)state;
  static const size_t sizes[][2] = {{6, 9}, {1, 3}, {5, 5}, {9, 4}, {20, 40}, {4, 1}};
  for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
    const size_t m = sizes[c][0], n = sizes[c][1];
    double *A = malloc(4 * m * n * sizeof *A), *W = A + m * n, *other = W + m * n, *move = other + m * n, largest, norm = 1;
    l2o_diag diag = {""};
    normal_doubles(A, m * n, 30 + c);
    assert_status(l2o_analytic_weight(W, &largest, A, m, n, "test", &diag), L2O_OK, &diag);
    for (size_t j = 0; j < n; j++) {
      double dot = 0;
      for (size_t i = 0; i < m; i++)
        dot += W[i * n + j] * A[i * n + j];
      assert_close(dot, 1, 1e-10, 0);
    }
    const double least = coherence(W, A, m, n);
    for (uint64_t trial = 0; trial < 20; trial++) {
      normal_doubles(move, m * n, 100 + trial);
      for (size_t j = 0; j < n; j++) {
        double along = 0, square = 0;
        for (size_t i = 0; i < m; i++) {
          along += move[i * n + j] * A[i * n + j];
          square += A[i * n + j] * A[i * n + j];
        }
        for (size_t i = 0; i < m; i++)
          other[i * n + j] = W[i * n + j] + 1e-3 * (move[i * n + j] - along / square * A[i * n + j]);
      }
      assert_true(coherence(other, A, m, n) >= least - 1e-12);
    }
    double *v = malloc(2 * n * sizeof *v), *next = v + n;
    normal_doubles(v, n, 7);
    for (int k = 0; k < 3000; k++) {
      norm = 0;
      for (size_t i = 0; i < n; i++) {
        next[i] = 0;
        for (size_t r = 0; r < m; r++) {
          double q = 0;
          for (size_t j = 0; j < n; j++)
            q += A[r * n + j] * v[j];
          next[i] += W[r * n + i] * q;
        }
        norm += next[i] * next[i];
      }
      norm = sqrt(norm);
      for (size_t i = 0; i < n; i++)
        v[i] = next[i] / norm;
    }
    assert_close(largest, norm, 1e-6, 0);
    free(A), free(v);
  }
}

static void initial_values_of_alista(void **state) {
  (void)state;
  l2o_problem p = sampled(LASSO, 3, 1);
  const l2o_instance *d = l2o_squares_of(&p);
  l2o_model *model = fitted("alista", &p, ""), *given = fitted("alista", &p, ",gamma=0.7,theta=0.3");
  double A[M_ROWS * N], W[M_ROWS * N], largest;
  for (size_t i = 0; i < M_ROWS * N; i++)
    A[i] = (double)d->matrix[i];
  assert_status(l2o_analytic_weight(W, &largest, A, M_ROWS, N, "test", NULL), L2O_OK, NULL);
  for (size_t i = 0; i < M_ROWS * N; i++)
    assert_true(values_of(model, "W")[i] == (l2o_real)W[i] && values_of(model, "A")[i] == d->matrix[i]);
  for (size_t k = 0; k < 16; k++) {
    assert_close(values_of(model, "gamma")[k], 0.9999 / largest, BY_PRECISION(1e-14, 1e-6), 0);
    assert_close(values_of(model, "theta")[k], 0.1 * 0.9999 / largest, BY_PRECISION(1e-14, 1e-6), 0);
    assert_true(values_of(given, "gamma")[k] == (l2o_real)0.7 && values_of(given, "theta")[k] == (l2o_real)0.3);
  }
  l2o_model_free(model), l2o_model_free(given);
  l2o_problem_free(&p);
}

/* Thresholds, steps and step_scale as given, of a fitted model and of one that is not fitted yet. */
static void options_set_initial_values(void **state) {
  (void)state;
  l2o_problem p = sampled(LASSO, 3, 1), ridge = sampled("least-squares:n=9,m=6,ridge=0.5", 3, 1);
  for (size_t c = 0; c < RULE_COUNT; c++) {
    char spec[80];
    snprintf(spec, sizeof spec, "%s:m=6%s,layers=3,theta=0.3", RULES[c], of_one_matrix(RULES[c]) ? ",n=9" : "");
    l2o_model *unfitted = model_of(spec, 1), *given = fitted(RULES[c], &p, ",layers=3,theta=0.3");
    size_t learned = 0;
    for (size_t k = 0; k < 3; k++)
      assert_true(values_of(unfitted, "theta")[k] == (l2o_real)0.3 && values_of(given, "theta")[k] == (l2o_real)0.3);
    for (size_t i = 0; i < l2o_model_tensor_count(given); i++)
      learned += l2o_model_tensor_at(given, i).learned ? l2o_model_tensor_at(given, i).count : 0;
    assert_int_equal(given->type->sum_len(given), learned);
    l2o_model_free(unfitted), l2o_model_free(given);
  }
  l2o_model *ada = fitted("ada-lista", &p, ",gamma=0.7"), *scaled = fitted("ada-lista", &p, ",gamma=0,theta=0,step_scale=0.5"),
            *half = fitted("lista-cp", &p, ",step_scale=0.5"), *plain = fitted("lista-cp", &ridge, "");
  const double L = 0.9999 / base_step(&p), smooth = 0.9999 / base_step(&ridge) - 0.5;
  assert_true(values_of(ada, "gamma")[0] == (l2o_real)0.7);
  assert_close(values_of(scaled, "gamma")[0], 0.5 / L, BY_PRECISION(1e-13, 1e-6), 0);
  assert_close(values_of(scaled, "theta")[0], 0.1 * 0.5 / L, BY_PRECISION(1e-13, 1e-6), 0);
  assert_close(values_of(half, "theta")[0], 0.1 * 0.5 / L, BY_PRECISION(1e-13, 1e-6), 0);
  assert_close(values_of(half, "W")[5], 0.5 / L * (double)values_of(half, "A")[5], BY_PRECISION(1e-13, 1e-6), 0);
  /* of a ridge problem L of A'A alone */
  assert_close(values_of(plain, "W")[5], 0.9999 / smooth * (double)values_of(plain, "A")[5], BY_PRECISION(1e-12, 1e-5), 0);
  l2o_model_free(ada), l2o_model_free(scaled), l2o_model_free(half), l2o_model_free(plain);
  l2o_problem_free(&p), l2o_problem_free(&ridge);
}

/* start=normal: the matrix is noted, the weights stay N(0, 1/(m n)^2). */
static void weights_may_start_at_random(void **state) {
  (void)state;
  l2o_problem p = sampled("lasso:n=40,m=20", 3, 0);
  l2o_model *model = fitted("lista-cp", &p, ",start=normal,shared=false"),
            *same = fitted("lista-cp", &p, ",start=normal,shared=false");
  const l2o_model_tensor t = tensor_named(model, "W");
  double square = 0;
  assert_same_reals(values_of(model, "W"), values_of(same, "W"), t.count);
  assert_same_reals(values_of(model, "A"), l2o_squares_of(&p)->matrix, 800);
  for (size_t i = 0; i < t.count; i++)
    square += (double)values_of(model, "W")[i] * (double)values_of(model, "W")[i];
  assert_close(sqrt(square / (double)t.count), 1.0 / 800, 0.05, 0);
  l2o_model_free(model), l2o_model_free(same);
  l2o_problem_free(&p);
}

/* ---- support selection ---- */

/* The same by counting. */
static void shrink_plainly(double *out, const double *v, double theta, double share, size_t n) {
  const size_t kept = (size_t)ceil(share * (double)(n - 1) - 1e-9);
  for (size_t i = 0; i < n; i++) {
    size_t before = 0;
    for (size_t j = 0; j < n; j++)
      before += fabs(v[j]) > fabs(v[i]) || (fabs(v[j]) == fabs(v[i]) && j < i);
    out[i] = fabs(v[i]) > theta && before < kept ? v[i] : copysign(fmax(fabs(v[i]) - theta, 0), v[i]);
  }
}

static void selection_is_the_formula(void **state) {
  (void)state;
  enum { MOST = 60 };
  double v[MOST], expected[MOST];
  l2o_real x[MOST], marks[MOST], scratch[MOST];
  for (size_t n = 1; n <= MOST; n++)
    for (int round = 0; round < 12; round++) {
      const double share = round % 6 / 5.0, theta = round % 4 * 0.5;
      normal_doubles(v, n, 1000 * n + (uint64_t)round);
      for (size_t i = 0; i < n; i++) {
        if (round >= 6) /* with many ties */
          v[i] = floor(2 * v[i] + 0.5) / 2;
        x[i] = (l2o_real)v[i], v[i] = (double)x[i];
      }
      shrink_plainly(expected, v, (double)(l2o_real)theta, share, n);
      l2o_shrink(x, marks, theta, share, scratch, n);
      for (size_t i = 0; i < n; i++) {
        assert_close(x[i], expected[i], BY_PRECISION(1e-15, 1e-6), BY_PRECISION(1e-15, 1e-6));
        assert_int_equal(marks[i] == L2O_SHRUNK_TO_ZERO, x[i] == 0);
        assert_true(marks[i] != L2O_KEPT || (double)x[i] == v[i]);
      }
    }
}

/* 0.07 * 100 is more than 7 in floating point. */
static void a_share_is_not_rounded_up(void **state) {
  (void)state;
  enum { COUNT = 101 };
  l2o_real x[COUNT], marks[COUNT], scratch[COUNT];
  size_t kept = 0;
  for (size_t i = 0; i < COUNT; i++)
    x[i] = (l2o_real)(1 + i);
  l2o_shrink(x, marks, 0.5, 0.07, scratch, COUNT);
  for (size_t i = 0; i < COUNT; i++)
    kept += marks[i] == L2O_KEPT;
  assert_int_equal(kept, 7);
}

static void what_is_not_a_number_stays(void **state) {
  (void)state;
  enum { COUNT = 9, FINITE = 6, KEPT = 4 };
  for (uint64_t round = 0; round < 200; round++) { /* wherever it is, the largest of the others are kept */
    l2o_real v[COUNT], out[COUNT], spare[COUNT];
    size_t place = round % COUNT;
    normal_reals(v, COUNT, round);
    for (size_t i = 0; i < COUNT - FINITE; i++, place = (place + 1 + round % 3) % COUNT)
      v[place] = (l2o_real)NAN;
    memcpy(out, v, sizeof v);
    l2o_shrink(out, NULL, 1e-3, 0.5, spare, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
      size_t larger = 0;
      for (size_t j = 0; j < COUNT; j++)
        larger += fabs((double)v[j]) > fabs((double)v[i]);
      assert_int_equal(isnan(out[i]) != 0, isnan(v[i]) != 0);
      assert_true(isnan(v[i]) || (out[i] == v[i]) == (larger < KEPT));
    }
  }
  l2o_real x[] = {1, (l2o_real)NAN, -2, (l2o_real)INFINITY, 0, 3}, scratch[6];
  l2o_shrink(x, NULL, 0.5, 0.4, scratch, 6); /* two are kept: infinity and 3 */
  assert_true(x[0] == (l2o_real)0.5 && isnan(x[1]) && x[2] == (l2o_real)-1.5 && x[3] == (l2o_real)INFINITY && x[4] == 0 &&
              x[5] == 3);
  l2o_real y[] = {(l2o_real)NAN, (l2o_real)NAN, (l2o_real)NAN};
  l2o_shrink(y, NULL, 0.5, 1, scratch, 3);
  assert_true(isnan(y[0]) && isnan(y[1]) && isnan(y[2]));
  l2o_real z[] = {1, 0, -1}; /* a threshold that was learned below zero pushes outwards; zero has no side */
  l2o_shrink(z, NULL, -0.5, 0, NULL, 3);
  assert_true(z[0] == (l2o_real)1.5 && z[1] == 0 && z[2] == (l2o_real)-1.5);
}

/* p_k = min(p (k + 1), p_max) of the layer; beyond the last layer its own. */
static void the_share_grows_with_the_layers(void **state) {
  (void)state;
  l2o_model *model = model_of("lista-cpss:layers=4,m=3,n=5,p=10,p_max=35", 1), *plain = model_of("lista-cp:m=3,n=5", 1);
  static const double expected[] = {0.1, 0.2, 0.3, 0.35, 0.35, 0.35};
  for (size_t k = 0; k < 6; k++) {
    const l2o_unrolled_layer layer = l2o_unrolled_at(l2o_unrolled_of(model), k);
    assert_close(layer.share, expected[k], 1e-14, 0);
    assert_true(layer.theta == l2o_unrolled_of(model)->theta + (k < 4 ? k : 3));
    assert_true(l2o_unrolled_at(l2o_unrolled_of(plain), k).share == 0);
  }
  l2o_model_free(model), l2o_model_free(plain);
  model = model_of("lista-cpss:layers=2,m=3,n=5,p=10,p_max=95,shared=false", 1);
  for (size_t k = 0; k < 5; k++) {
    const l2o_unrolled_layer layer = l2o_unrolled_at(l2o_unrolled_of(model), k);
    assert_close(layer.share, k ? 0.2 : 0.1, 1e-14, 0);
    assert_true(layer.first == values_of(model, "W") + (k ? 15 : 0));
  }
  l2o_model_free(model);
}

/* ---- derivatives ---- */

#ifndef L2O_SINGLE
/* Central differences of L by one parameter, extrapolated (Richardson). */
static double difference(unrolling *u, l2o_model *model, double *w, size_t count, size_t at) {
  const double value = w[at], h = 2e-5;
  double slope[2];
  for (int half = 0; half < 2; half++) {
    const double step = half ? h / 2 : h;
    double loss[2];
    for (int side = 0; side < 2; side++) {
      w[at] = value + (side ? step : -step);
      assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
      loss[side] = unroll(u, NULL, NULL, NULL);
    }
    slope[half] = (loss[1] - loss[0]) / (2 * step);
  }
  w[at] = value;
  assert_status(l2o_model_set_parameters(model, w, count), L2O_OK, NULL);
  return (4 * slope[1] - slope[0]) / 3;
}

/* More iterations than layers. L has kinks where an entry of an iterate leaves zero or the support, and differences across one are
 * wrong: what a model's other differences say is believed, of 100 one may differ. */
static void gradients_are_central_differences(void **state) {
  (void)state;
  static const struct {
    const char *rule, *options;
    double spread;
  } cases[] = {{"lista", ",layers=3", 0.1},
               {"lista", ",layers=3,shared=false", 0.1},
               {"lista-cp", ",layers=3", 0.05},
               {"lista-cp", ",layers=3,shared=false,start=normal", 0.2},
               {"lista-cpss", ",layers=3,p=12,p_max=30", 0.05},
               {"lista-cpss", ",layers=3,shared=false,p=45,p_max=90", 0.05},
               {"alista", ",layers=3,p=12,p_max=30", 0.05},
               {"alista", ",layers=3,p=0,theta=0.2", 0.05},
               {"ada-lista", ",layers=3", 0.05},
               {"ada-lista", ",layers=3,shared=false,gamma=0.1", 0.1}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    l2o_problem p = sampled(LASSO, 5, c);
    l2o_model *model = fitted(cases[c].rule, &p, cases[c].options);
    l2o_real x0[N], dx0[N];
    size_t count, compared = 0, wrong = 0, moving = 0;
    disturb(model, cases[c].spread, 6 + c);
    l2o_model_parameters(model, &count);
    normal_reals(x0, N, 8 + c);
    unrolling u = {.solver = solver_named(cases[c].rule),
                   .model = model,
                   .problem = &p,
                   .x0 = x0,
                   .step = base_step(&p),
                   .steps = 5,
                   .mode = L2O_STOP_GRADIENT_NONE};
    double *gradient = malloc(count * sizeof *gradient), *same = malloc(count * sizeof *same), *w = weights_of(model), largest = 0;
    unroll(&u, NULL, gradient, dx0);
    for (size_t i = 0; i < l2o_model_tensor_count(model); i++) {
      const l2o_model_tensor t = l2o_model_tensor_at(model, i);
      if (!t.learned)
        continue;
      largest = 0;
      for (size_t j = t.offset; j < t.offset + t.count; j++)
        largest = fmax(largest, fabs(gradient[j]));
      assert_true(largest > 1e-3);
      for (size_t j = t.offset; j < t.offset + t.count; j++) {
        const double by_difference = difference(&u, model, w, count, j);
        compared++;
        moving += gradient[j] != 0;
        if (!(fabs(by_difference - gradient[j]) <= 1e-8 * largest) && ++wrong > 1 + count / 100)
          fail_msg("%s%s, %s[%zu]: %.12g, by differences %.12g (largest %.3g)", cases[c].rule, cases[c].options, t.name,
                   j - t.offset, gradient[j], by_difference, largest);
      }
    }
    assert_true(moving > compared / 3);
    for (size_t i = 0; i < N; i++) { /* and the start */
      const l2o_real before = x0[i];
      const double h = 1e-5;
      x0[i] = before + (l2o_real)h;
      const double above = unroll(&u, NULL, NULL, NULL);
      x0[i] = before - (l2o_real)h;
      const double below = unroll(&u, NULL, NULL, NULL);
      x0[i] = before;
      assert_close((above - below) / (2 * h), dx0[i], 1e-6, 1e-7);
    }
    u.mode = L2O_STOP_GRADIENT_FEATURES; /* there is no network whose inputs could be constants */
    unroll(&u, NULL, same, NULL);
    assert_memory_equal(gradient, same, count * sizeof *same);
    free(gradient), free(same), free(w);
    l2o_model_free(model);
    l2o_problem_free(&p);
  }
}
#endif

/* stop_gradient=direction: one step gives the same; before it, the residual counts as constant, and dx is what passes the
 * threshold.
 */
static void a_lone_step_needs_no_way_through_the_residual(void **state) {
  (void)state;
  for (size_t c = 0; c < RULE_COUNT; c++) {
    l2o_problem p = sampled(LASSO, 5, c);
    l2o_model *model = fitted(RULES[c], &p, "");
    l2o_real x0[N], path[2 * N], dx0[N], slope[N], spare[N];
    size_t count, zeros = 0;
    disturb(model, 0.05, 6 + c);
    l2o_model_parameters(model, &count);
    normal_reals(x0, N, 8 + c);
    unrolling u = {.solver = solver_named(RULES[c]), .model = model, .problem = &p, .x0 = x0, .step = base_step(&p), .steps = 1};
    double *whole = malloc(count * sizeof *whole), *part = malloc(count * sizeof *part);
    u.mode = L2O_STOP_GRADIENT_NONE;
    unroll(&u, NULL, whole, NULL);
    u.mode = L2O_STOP_GRADIENT_DIRECTION;
    unroll(&u, path, part, dx0);
    assert_memory_equal(whole, part, count * sizeof *part);
    objective_and_slope(&p, slope, spare, path + N);
    for (size_t i = 0; i < N; i++) {
      zeros += path[N + i] == 0;
      assert_true(dx0[i] == (path[N + i] == 0 ? 0 : slope[i]));
    }
    assert_true(zeros < N);
    free(whole), free(part);
    l2o_model_free(model);
    l2o_problem_free(&p);
  }
}

/* The trainer sees the same loss and gradient. */
static void the_trainer_agrees(void **state) {
  (void)state;
  enum { U = 5, B = 3 };
  for (size_t c = 0; c < RULE_COUNT; c++) {
    l2o_family *family = family_of("lasso:n=9,m=6,sparsity=3,l1=0.1,matrix=shared");
    l2o_diag diag = {""};
    l2o_problem p;
    assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_TRAIN, 0, &diag), L2O_OK, &diag);
    l2o_model *model = fitted(RULES[c], &p, ",layers=3");
    l2o_problem_free(&p);
    disturb(model, 0.03, 3);
    l2o_train_settings s = l2o_train_settings_default();
    s.batch = B, s.horizon = U, s.loss = L2O_LOSS_MEAN, s.threads = 1;
    l2o_trainer *trainer;
    size_t count;
    l2o_model_parameters(model, &count);
    double *gradient = malloc(count * sizeof *gradient), *one = malloc(count * sizeof *one), *sum = calloc(count, sizeof *sum);
    double loss, expected = 0, largest = 0;
    assert_status(l2o_trainer_new(&trainer, model, solver_named(RULES[c]), family, &s, &diag), L2O_OK, &diag);
    assert_status(l2o_trainer_gradient(trainer, &loss, gradient, &diag), L2O_OK, &diag);
    for (uint64_t b = 0; b < B; b++) {
      l2o_real x0[N];
      assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_TRAIN, b, &diag), L2O_OK, &diag);
      assert_status(l2o_problem_start(&p, x0), L2O_OK, NULL);
      const unrolling u = {.solver = solver_named(RULES[c]),
                           .model = model,
                           .problem = &p,
                           .x0 = x0,
                           .step = base_step(&p),
                           .steps = U,
                           .mode = L2O_STOP_GRADIENT_NONE};
      expected += unroll(&u, NULL, one, NULL) / B;
      for (size_t i = 0; i < count; i++)
        sum[i] += one[i] / B;
      l2o_problem_free(&p);
    }
    assert_close(loss, expected, BY_PRECISION(1e-12, 1e-5), 0);
    for (size_t i = 0; i < count; i++)
      largest = fmax(largest, fabs(sum[i]));
    for (size_t i = 0; i < count; i++)
      assert_close(gradient[i], sum[i], 0, BY_PRECISION(1e-12, 1e-5) * largest);
    free(gradient), free(one), free(sum);
    l2o_trainer_free(trainer);
    l2o_model_free(model);
    l2o_family_free(family);
  }
}

/* A few hundred steps of Adam: lower than ista after as many iterations on instances it has not seen, and what is constant stays.
 */
static void training_beats_ista(void **state) {
  (void)state;
  enum { LAYERS = 8 };
  for (size_t c = 0; c < RULE_COUNT; c++) {
    l2o_family *family = family_of("lasso:n=24,m=12,sparsity=3,l1=0.1,matrix=shared,start=zero");
    l2o_diag diag = {""};
    l2o_problem p;
    assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_TRAIN, 0, &diag), L2O_OK, &diag);
    l2o_model *model = fitted(RULES[c], &p, ",layers=8");
    l2o_real *before = malloc(12 * 24 * sizeof *before);
    if (of_one_matrix(RULES[c]))
      memcpy(before, values_of(model, "A"), 12 * 24 * sizeof *before);
    l2o_problem_free(&p);
    l2o_train_settings s = l2o_train_settings_default();
    s.batch = 16, s.horizon = LAYERS, s.loss = L2O_LOSS_LAST, s.fresh = true, s.learning_rate = 5e-3, s.threads = 1;
    l2o_trainer *trainer;
    assert_status(l2o_trainer_new(&trainer, model, solver_named(RULES[c]), family, &s, &diag), L2O_OK, &diag);
    for (int i = 0; i < 300; i++)
      assert_status(l2o_trainer_step(trainer, NULL, &diag), L2O_OK, &diag);
    double mean[2] = {0, 0};
    for (uint64_t b = 0; b < 50; b++) {
      assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, b, &diag), L2O_OK, &diag);
      for (int which = 0; which < 2; which++) {
        l2o_real x[24] = {0};
        l2o_settings settings = l2o_settings_default();
        l2o_result r;
        settings.iterations = LAYERS;
        assert_status(l2o_minimize(solver_named(which ? "ista" : RULES[c]), which ? NULL : model, &p, x, &r, &settings, &diag),
                      L2O_OK, &diag);
        mean[which] += r.last.objective / 50;
      }
      l2o_problem_free(&p);
    }
    if (!(mean[0] < mean[1]))
      fail_msg("%s: %g, ista %g", RULES[c], mean[0], mean[1]);
    if (of_one_matrix(RULES[c]))
      assert_same_reals(before, values_of(model, "A"), 12 * 24);
    free(before);
    l2o_trainer_free(trainer);
    l2o_model_free(model);
    l2o_family_free(family);
  }
}

/* ---- what is refused ---- */

static void refuse(const char *rule, const l2o_model *model, const l2o_problem *p, l2o_status status, const char *sentence) {
  l2o_diag diag = {""};
  l2o_run *run;
  l2o_settings s = l2o_settings_default();
  assert_status(l2o_run_new(&run, solver_named(rule), model, p, &s, &diag), status, &diag);
  assert_names(&diag, rule);
  assert_names(&diag, sentence);
  assert_null(run);
}

static void problems_that_do_not_fit_are_refused(void **state) {
  (void)state;
  l2o_problem own = sampled(LASSO, 3, 0), other = sampled(LASSO, 3, 1), larger = sampled("lasso:n=10,m=6", 3, 0),
              taller = sampled("lasso:n=9,m=7", 3, 0), ridge = sampled("least-squares:n=9,m=6,ridge=0.5", 3, 0),
              quadratic = sampled("quadratic:n=9", 3, 0);
  for (size_t c = 0; c < RULE_COUNT; c++) {
    l2o_model *model = fitted(RULES[c], &own, "");
    refuse(RULES[c], model, &ridge, L2O_ERR_NOTSUP, "problem 'least-squares' has a ridge of 0.5; try ista");
    refuse(RULES[c], model, &quadratic, L2O_ERR_NOTSUP,
           "reads the matrix of 1/2 |A x - y|^2; problem 'quadratic' has none; try ista");
    refuse(RULES[c], model, &taller, L2O_ERR_SHAPE, "this model is for a matrix (6, 9), that of problem 'lasso' is (7, 9)");
    l2o_run *run;
    l2o_diag diag = {""};
    if (of_one_matrix(RULES[c])) {
      char sentence[120];
      const l2o_real *A = l2o_squares_of(&own)->matrix, *B = l2o_squares_of(&other)->matrix;
      size_t at = 0;
      for (size_t i = 0; i < M_ROWS * N; i++)
        at = fabs((double)A[i] - (double)B[i]) > fabs((double)A[at] - (double)B[at]) ? i : at;
      snprintf(sentence, sizeof sentence, "this model was made for another matrix A: they differ by %.3g at entry (%zu, %zu)",
               fabs((double)A[at] - (double)B[at]), at / N, at % N);
      refuse(RULES[c], model, &other, L2O_ERR_ARG, sentence);
      refuse(RULES[c], model, &larger, L2O_ERR_SHAPE, "(6, 9), that of problem 'lasso' is (6, 10)");
      char spec[60];
      snprintf(spec, sizeof spec, "%s:m=6,n=9", RULES[c]);
      l2o_model *empty = model_of(spec, 1);
      refuse(RULES[c], empty, &own, L2O_ERR_ARG, "has not been made for a matrix yet; l2o_model_fit_problem() does that");
      assert_status(l2o_model_fit_problem(empty, &larger, &diag), L2O_ERR_SHAPE, &diag);
      assert_names(&diag, "the problem's matrix is (m, n) = (6, 10), the model is for m = 6, n = 9");
      assert_status(l2o_model_fit_problem(empty, &quadratic, &diag), L2O_ERR_NOTSUP, &diag);
      assert_names(&diag, "is made from the matrix of 1/2 |A x - y|^2; problem 'quadratic' has none");
      l2o_model_free(empty);
    }
    assert_status(l2o_model_fit_problem(model, &taller, &diag), L2O_ERR_SHAPE, &diag);
    assert_names(&diag, "the problem's matrix is (m, n) = (7, 9), the model is for m = 6, n = 9");
    l2o_settings s = l2o_settings_default();
    s.options = "matrix=any";
    assert_status(l2o_run_new(&run, solver_named(RULES[c]), model, &other, &s, &diag), L2O_OK, &diag);
    l2o_run_free(run);
    l2o_model_free(model);
  }
  /* a start that is shifted changes nothing; a function that is, everything */
  for (double t = 0; t < 2; t++) {
    l2o_family *family;
    l2o_problem moved;
    l2o_diag diag = {""};
    assert_status(l2o_family_new(&family, LASSO, &diag), L2O_OK, &diag);
    assert_status(l2o_family_shifted(&family, family, 5, t, false, &diag), L2O_OK, &diag);
    assert_status(l2o_family_sample(family, &moved, 3, L2O_PURPOSE_EVAL, 0, &diag), L2O_OK, &diag);
    l2o_model *model = fitted("alista", &own, ""), *other_model = model_of("alista:m=6,n=9", 1);
    if (t > 0) {
      refuse("alista", model, &moved, L2O_ERR_NOTSUP, "problem 'lasso' is shifted by 1; shift its start instead, or try ista");
      assert_status(l2o_model_fit_problem(other_model, &moved, &diag), L2O_ERR_NOTSUP, &diag);
      assert_names(&diag, "problem 'lasso' is shifted by 1");
    } else {
      l2o_run *run;
      l2o_settings s = l2o_settings_default();
      assert_status(l2o_run_new(&run, solver_named("alista"), model, &moved, &s, &diag), L2O_OK, &diag);
      l2o_run_free(run);
      assert_status(l2o_model_fit_problem(other_model, &moved, &diag), L2O_OK, &diag);
    }
    l2o_model_free(model), l2o_model_free(other_model);
    l2o_problem_free(&moved);
    l2o_family_free(family);
  }
  l2o_model *gd = model_of("math-l2o-gd:hidden=4", 1); /* for any problem: nothing to do */
  assert_status(l2o_model_fit_problem(gd, &quadratic, NULL), L2O_OK, NULL);
  l2o_model_free(gd);
  l2o_problem_free(&own), l2o_problem_free(&other), l2o_problem_free(&larger), l2o_problem_free(&taller), l2o_problem_free(&ridge);
  l2o_problem_free(&quadratic);
}

/* An entry that is too large, one that is too small, and one that rounding does not explain. */
static void the_entry_that_differs_is_named(void **state) {
  (void)state;
  static const double changes[] = {1.3, -1.3, 1e-4};
  l2o_problem own = sampled(LASSO, 3, 0);
  const l2o_instance *d = l2o_squares_of(&own);
  l2o_model *model = fitted("lista", &own, "");
  for (size_t i = 0; i < 3; i++) {
    l2o_real A[M_ROWS * N];
    l2o_problem p;
    memcpy(A, d->matrix, sizeof A);
    A[4 * N + 7] += (l2o_real)changes[i];
    assert_status(l2o_lasso_new(&p, A, d->vector, NULL, 0.1, 0, M_ROWS, N, NULL), L2O_OK, NULL);
    refuse("lista", model, &p, L2O_ERR_ARG, i < 2 ? "they differ by 1.3 at entry (4, 7)" : "at entry (4, 7)");
    l2o_problem_free(&p);
  }
  l2o_model_free(model);
  l2o_problem_free(&own);
}

static void matrices_without_an_analytic_weight_are_named(void **state) {
  (void)state;
  l2o_real A[12], y[4] = {1, 2, 3, 4};
  static const struct {
    size_t m, n;
    const char *sentence;
  } cases[] = {{3, 4, "alista: column 2 of the matrix is zero: no weight w has w'a = 1 with it"},
               {3, 4, "alista: the rows of the matrix (3, 4) depend on each other: it has no analytic weight"},
               {4, 3, "alista: the columns of the matrix (4, 3) depend on each other: it has no analytic weight"}};
  for (size_t c = 0; c < 3; c++) {
    const size_t m = cases[c].m, n = cases[c].n;
    char spec[40];
    l2o_problem p;
    l2o_diag diag = {""};
    normal_reals(A, m * n, 3 + c);
    for (size_t i = 0; i < m && c == 0; i++)
      A[i * n + 2] = 0;
    for (size_t j = 0; j < n && c == 1; j++)
      A[2 * n + j] = A[j] - A[n + j];
    for (size_t i = 0; i < m && c == 2; i++)
      A[i * n + 2] = A[i * n] + 2 * A[i * n + 1];
    assert_status(l2o_qp_new(&p, A, y, NULL, 0, m, n, &diag), L2O_OK, &diag);
    snprintf(spec, sizeof spec, "alista:m=%zu,n=%zu", m, n);
    l2o_model *model = model_of(spec, 1);
    assert_status(l2o_model_fit_problem(model, &p, &diag), L2O_ERR_NUMERIC, &diag);
    assert_names(&diag, cases[c].sentence);
    refuse("alista", model, &p, L2O_ERR_ARG, "has not been made for a matrix yet");
    l2o_model_free(model);
    l2o_problem_free(&p);
  }
}

static void options_are_checked(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"lista-cpss:p=101", "p = 101: expected a number from 0 to 100"},
                                         {"lista-cpss:p_max=-1", "p_max = -1: expected a number from 0 to 100"},
                                         {"alista:p=-0.5", "p = -0.5: expected a number from 0 to 100"},
                                         {"lista-cp:p=1", "lista-cp has no option 'p'"},
                                         {"lista:layers=0", "layers = 0: expected an integer from 1 to"},
                                         {"ada-lista:n=4", "ada-lista has no option 'n'"},
                                         {"lista:theta=-1", "theta = -1: expected a number from 0 to"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_model *model;
    l2o_diag diag = {""};
    assert_status(l2o_model_new(&model, cases[i][0], 0, &diag), L2O_ERR_ARG, &diag);
    assert_names(&diag, cases[i][1]);
  }
}

/* With its matrix; and what is written in one precision serves in the other, whose matrix differs by its rounding. */
static void a_model_comes_back_with_its_matrix(void **state) {
  (void)state;
  l2o_problem p = sampled(LASSO, 3, 0);
  for (size_t c = 0; c < RULE_COUNT; c++) {
    l2o_model *model = fitted(RULES[c], &p, strcmp(RULES[c], "alista") == 0 ? ",layers=3" : ",layers=3,shared=false"), *loaded,
              *clone;
    size_t count;
    l2o_diag diag = {""};
    const l2o_real *w = l2o_model_parameters(model, &count);
    assert_status(l2o_model_save(model, in_folder("model"), &diag), L2O_OK, &diag);
    assert_status(l2o_model_load(&loaded, in_folder("model"), NULL, &diag), L2O_OK, &diag);
    assert_status(l2o_model_clone(&clone, model), L2O_OK, NULL);
    assert_same_reals(w, l2o_model_parameters(loaded, NULL), count);
    assert_true(l2o_unrolled_of(clone)->theta != l2o_unrolled_of(model)->theta);
    double *rounded = weights_of(loaded);
    for (size_t i = 0; i < count; i++)
      rounded[i] = (double)(float)rounded[i] * (1 + 1e-7);
    assert_status(l2o_model_set_parameters(loaded, rounded, count), L2O_OK, NULL);
    const l2o_model *each[] = {loaded, clone};
    for (size_t k = 0; k < 2; k++) {
      l2o_run *run;
      l2o_settings s = l2o_settings_default();
      assert_status(l2o_run_new(&run, solver_named(RULES[c]), each[k], &p, &s, &diag), L2O_OK, &diag);
      l2o_run_free(run);
    }
    free(rounded);
    l2o_model_free(model), l2o_model_free(loaded), l2o_model_free(clone);
  }
  l2o_problem_free(&p);
}

/* ---- memory ---- */

typedef struct fit_of {
  const char *spec;
  const l2o_problem *problem;
} fit_of;
static l2o_status make_and_fit(void *context) {
  const fit_of *c = context;
  l2o_model *model;
  l2o_run *run;
  l2o_settings s = l2o_settings_default();
  l2o_status status = l2o_model_new(&model, c->spec, 1, NULL);
  if (status)
    return status;
  status = l2o_model_fit_problem(model, c->problem, NULL);
  if (!status && !(status = l2o_run_new(&run, l2o_solver_find(l2o_model_kind_name(model), NULL), model, c->problem, &s, NULL)))
    l2o_run_free(run);
  l2o_model_free(model);
  return status;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  static const char *const specs[] = {"lista:m=6,n=9", "lista-cp:m=6,n=9", "lista-cpss:m=6,n=9,shared=false", "alista:m=6,n=9",
                                      "ada-lista:m=6"};
  if (!allocations_are_counted())
    skip();
  l2o_problem wide = sampled(LASSO, 3, 0), tall = sampled("lasso:n=4,m=6", 3, 0);
  fit_of c = {.problem = &wide};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    c.spec = specs[i];
    assert_true(assert_allocations_may_fail(make_and_fit, &c, L2O_OK, ALL_ARE_NEEDED) >= 4);
  }
  c = (fit_of){"alista:m=6,n=4", &tall};
  assert_true(assert_allocations_may_fail(make_and_fit, &c, L2O_OK, ALL_ARE_NEEDED) >= 4);
  l2o_problem_free(&wide), l2o_problem_free(&tall);
}

/* ---- the guard, on F = f + h ---- */

typedef struct path {
  l2o_trace *trace;
  const l2o_record *records;
  const l2o_real *x;
  size_t count;
} path;
static path follow(const char *rule, const l2o_model *model, const char *options, const l2o_problem *p, const l2o_real *start,
                   size_t steps) {
  path t;
  l2o_diag diag = {""};
  l2o_real x[N];
  l2o_settings s = l2o_settings_default();
  memcpy(x, start, p->n * sizeof *x);
  assert_status(l2o_trace_new(&t.trace, steps + 1, p->n), L2O_OK, NULL);
  s.options = options, s.iterations = steps, s.traces = &t.trace;
  assert_status(l2o_minimize(solver_named(rule), model, p, x, NULL, &s, &diag), L2O_OK, &diag);
  t.records = l2o_trace_records(t.trace, &t.count);
  t.x = l2o_trace_iterates(t.trace);
  return t;
}

static void the_guard_keeps_its_promises(void **state) {
  (void)state;
  enum { STEPS = 300 };
  static const char *const families[] = {LASSO, "lasso:n=5,m=9,sparsity=2,l1=0.3", "qp:n=8,m=5"};
  const double spreads[] = {0, 0.02, 0.3, 30};
  size_t fallbacks = 0, accepted = 0, better = 0;
  for (size_t c = 0; c < RULE_COUNT; c++)
    for (size_t f = 0; f < 3; f++)
      for (size_t k = 0; k < 4; k++) {
        l2o_problem p = sampled(families[f], 4, c);
        l2o_model *model = fitted(RULES[c], &p, "");
        l2o_real start[N];
        disturb(model, spreads[k], 9 + k);
        normal_reals(start, p.n, k);
        const double noise = BY_PRECISION(1e-13, 1e-5);
        path ista = follow("ista", NULL, "", &p, start, STEPS), shadow = follow(RULES[c], model, "guard=shadow", &p, start, STEPS),
             descent = follow(RULES[c], model, "guard=descent", &p, start, STEPS);
        assert_int_equal(shadow.count, STEPS + 1);
        for (size_t j = 0; j <= STEPS; j++) {
          assert_true(shadow.records[j].objective <= ista.records[j].objective);
          better += shadow.records[j].objective < ista.records[j].objective;
        }
        for (size_t j = 0; j < STEPS; j++) {
          path one = follow("ista", NULL, "", &p, descent.x + j * p.n, 1);
          const double here = descent.records[j].objective, most = here - 0.5 * (here - one.records[1].objective);
          if (!(descent.records[j + 1].objective <= most + noise * (1 + fabs(here))))
            fail_msg("%s on %s, spread %g, step %zu: from %.17g to %.17g, ista %.17g", RULES[c], families[f], spreads[k], j, here,
                     descent.records[j + 1].objective, one.records[1].objective);
          l2o_trace_free(one.trace);
        }
        fallbacks += descent.records[STEPS].fallbacks;
        accepted += STEPS - descent.records[STEPS].fallbacks;
        l2o_trace_free(ista.trace), l2o_trace_free(shadow.trace), l2o_trace_free(descent.trace);
        l2o_model_free(model);
        l2o_problem_free(&p);
      }
  assert_true(fallbacks > 100 && accepted > 100 && better > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_have_their_shapes),
      cmocka_unit_test(untrained_rules_are_ista),
      cmocka_unit_test(the_analytic_weight_is_the_least_coherent),
      cmocka_unit_test(initial_values_of_alista),
      cmocka_unit_test(options_set_initial_values),
      cmocka_unit_test(weights_may_start_at_random),
      cmocka_unit_test(selection_is_the_formula),
      cmocka_unit_test(a_share_is_not_rounded_up),
      cmocka_unit_test(what_is_not_a_number_stays),
      cmocka_unit_test(the_share_grows_with_the_layers),
#ifndef L2O_SINGLE
      cmocka_unit_test(gradients_are_central_differences),
#endif
      cmocka_unit_test(a_lone_step_needs_no_way_through_the_residual),
      cmocka_unit_test(the_trainer_agrees),
      cmocka_unit_test(training_beats_ista),
      cmocka_unit_test(problems_that_do_not_fit_are_refused),
      cmocka_unit_test(the_entry_that_differs_is_named),
      cmocka_unit_test(matrices_without_an_analytic_weight_are_named),
      cmocka_unit_test(options_are_checked),
      cmocka_unit_test_setup_teardown(a_model_comes_back_with_its_matrix, make_folder, remove_folder),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(the_guard_keeps_its_promises),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
