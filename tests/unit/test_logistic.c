/* SPDX-License-Identifier: BSD-3-Clause */
/* Family logistic: values against a plain computation in double, also where exp() would overflow; minima by their optimality
 * conditions; the reference data; labels, scaling and bias of real data; bad input. */
#include "l2o_data_family.h"

#include "core/mersenne_twister.h"
#include "failing_malloc.h"
#include <l2o/tensor_file.h>

/* ---- the definition, in plain double ---- */

/* Rows b_i a_i of what is minimised, and the weights. */
typedef struct plain {
  size_t m, n;
  double *A, l1, l2;
} plain;

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

/* The smooth part and its gradient. */
static double plain_value(const plain *d, double *g, const double *x) {
  double f = d->l2 / 2 * dot(x, x, d->n);
  for (size_t j = 0; j < d->n; j++)
    g[j] = d->l2 * x[j];
  for (size_t i = 0; i < d->m; i++) {
    const double *a = d->A + i * d->n, t = dot(a, x, d->n);
    f += (t > 0 ? log1p(exp(-t)) : log1p(exp(t)) - t) / (double)d->m;
    const double slope = t > 0 ? exp(-t) / (1 + exp(-t)) : 1 / (1 + exp(t));
    for (size_t j = 0; j < d->n; j++)
      g[j] -= slope * a[j] / (double)d->m;
  }
  return f;
}

/* Row i of the problem is -2 m times the part of its gradient at 0 that comes from that row: read through the operations. */
static plain plain_of(const l2o_problem *p, double l1, double l2) {
  plain d = {.m = l2o_problem_summands(p), .n = p->n, .l1 = l1, .l2 = l2};
  l2o_real *zero = calloc(d.n, sizeof *zero), *g = calloc(d.n, sizeof *g), *work = calloc(l2o_problem_work_len(p), sizeof *work);
  d.A = malloc(d.m * d.n * sizeof *d.A);
  for (size_t i = 0; i < d.m; i++) {
    double f;
    assert_status(l2o_problem_partial(p, &f, g, zero, &i, 1, work), L2O_OK, NULL);
    for (size_t j = 0; j < d.n; j++)
      d.A[i * d.n + j] = -2 * (double)g[j];
  }
  free(zero);
  free(g);
  free(work);
  return d;
}

static void assert_is_plain(const l2o_problem *p, const plain *d, const l2o_real *x) {
  double *at = malloc(2 * p->n * sizeof *at), *g = at + p->n;
  l2o_real *given = malloc(p->n * sizeof *given);
  doubles_of(at, x, p->n);
  const double f = plain_value(d, g, at), size = sqrt(dot(g, g, p->n));
  assert_close(value_at(p, x), f, BY_PRECISION(1e-13, 1e-5), 0);
  assert_close(gradient_at(p, given, x), f, BY_PRECISION(1e-13, 1e-5), 0);
  for (size_t j = 0; j < p->n; j++)
    assert_close(given[j], g[j], 0, BY_PRECISION(1e-13, 2e-5) * size);
  free(at);
  free(given);
}

/* ---- data of the test's own ---- */

enum { M = 23, N = 4 };
static l2o_real A[M * N];
static double labels[M];

static int make_data(void **state) {
  (void)state;
  normal_reals(A, M * N, 5);
  for (size_t i = 0; i < M; i++)
    labels[i] = i % 3 ? 4 : -0.5;
  return 0;
}

static plain plain_data(double l1, double l2) {
  plain d = {.m = M, .n = N, .A = malloc(M * N * sizeof *d.A), .l1 = l1, .l2 = l2};
  for (size_t i = 0; i < M * N; i++)
    d.A[i] = (labels[i / N] < 0 ? -1 : 1) * (double)A[i];
  return d;
}

static l2o_family *family_of_data(const char *spec) {
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(family_from_arrays(&family, spec, A, labels, M, N, &diag), L2O_OK, &diag);
  return family;
}

static void value_and_gradient_are_the_definition(void **state) {
  (void)state;
  l2o_family *family = family_of_data("logistic:l2=0.1");
  l2o_problem p = instance_of(family);
  plain d = plain_data(0, 0.1);
  l2o_real x[N];
  for (uint64_t seed = 0; seed < 5; seed++) {
    normal_reals(x, N, seed);
    assert_is_plain(&p, &d, x);
  }
  free(d.A);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

static void nothing_overflows(void **state) {
  (void)state;
  l2o_family *family = family_of_data("logistic");
  l2o_problem p = instance_of(family);
  plain d = plain_data(0, 0);
  l2o_real x[N], v[N], hv[N], work[2 * M];
  for (double scale = 1; scale < 1e16; scale *= 10) { /* |t| far beyond 1e4 */
    normal_reals(x, N, 3);
    for (size_t j = 0; j < N; j++)
      x[j] *= (l2o_real)scale;
    assert_is_plain(&p, &d, x);
    normal_reals(v, N, 4);
    assert_status(l2o_problem_hessian_vector(&p, hv, x, v, work), L2O_OK, NULL);
    for (size_t j = 0; j < N; j++)
      assert_true(isfinite((double)hv[j]) && (scale < 1e6 || hv[j] == 0));
  }
  x[1] = (l2o_real)NAN;
  assert_true(isnan(value_at(&p, x)));
  free(d.A);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* One row, a = 1, b = 1: f(t) = ln(1 + exp(-t)) to the last digits, down to exp(-80) (exp(-60) with floats). */
static void small_losses_keep_their_digits(void **state) {
  (void)state;
  const l2o_real one[2] = {1, -1};
  const double label[2] = {1, 0}; /* both rows become 1 */
  l2o_family *family;
  assert_status(family_from_arrays(&family, "logistic", one, label, 2, 1, NULL), L2O_OK, NULL);
  l2o_problem p = instance_of(family);
  double worst = 0;
  for (int i = -400; i < BY_PRECISION(800, 600); i++) {
    const l2o_real t = (l2o_real)(i * 0.1);
    const double f = t > 0 ? log1p(exp(-(double)t)) : log1p(exp((double)t)) - (double)t;
    worst = fmax(worst, fabs(value_at(&p, &t) / f - 1));
  }
  assert_true(worst < BY_PRECISION(8e-16, 3e-7));
  l2o_problem_free(&p);
  l2o_family_free(family);
}

static void rows_may_repeat_in_a_minibatch(void **state) {
  (void)state;
  l2o_family *family = family_of_data("logistic:l2=0.3");
  l2o_problem p = instance_of(family);
  plain d = plain_data(0, 0.3), batch = {.m = 60, .n = N, .A = malloc(60 * N * sizeof *batch.A), .l2 = 0.3};
  size_t rows[60]; /* more than there are */
  l2o_real x[N], g[N], work[2 * M];
  double at[N], expected[N], f, without;
  normal_reals(x, N, 8);
  doubles_of(at, x, N);
  for (size_t i = 0; i < 60; i++) {
    rows[i] = i * i % M;
    memcpy(batch.A + i * N, d.A + rows[i] * N, N * sizeof *d.A);
  }
  const double value = plain_value(&batch, expected, at);
  assert_status(l2o_problem_partial(&p, &f, g, x, rows, 60, work), L2O_OK, NULL);
  assert_status(l2o_problem_partial(&p, &without, NULL, x, rows, 60, work), L2O_OK, NULL);
  assert_close(f, value, BY_PRECISION(1e-14, 1e-6), 0);
  assert_true(f == without);
  for (size_t j = 0; j < N; j++)
    assert_close(g[j], expected[j], BY_PRECISION(1e-13, 1e-5), BY_PRECISION(1e-15, 1e-6));
  free(d.A);
  free(batch.A);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* Both are exact: they are those of the Hessian at 0. */
static void constants_are_those_at_zero(void **state) {
  (void)state;
  l2o_family *family = family_of_data("logistic:l2=0.2");
  l2o_problem p = instance_of(family);
  l2o_real zero[N] = {0}, v[N];
  double trace, constant;
  assert_status(l2o_problem_hessian_trace(&p, &trace), L2O_OK, NULL);
  assert_status(l2o_problem_lipschitz(&p, &constant), L2O_OK, NULL);
  normal_reals(v, N, 1);
  assert_close(trace, trace_at(&p, zero), BY_PRECISION(1e-13, 1e-5), 0);
  assert_close(constant, eigenvalue_at(&p, v, zero, 500), BY_PRECISION(1e-10, 1e-5), 0);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* sign(0) = 0, a kink belongs to the flat part, tau is a coordinate's own, and not-a-number stays. */
static void the_l1_term_is_soft_thresholded(void **state) {
  (void)state;
  l2o_family *family = family_of_data("logistic:l1=0.5");
  l2o_problem p = instance_of(family);
  const l2o_real x[N] = {0, -2, 1, (l2o_real)NAN}, tau[N] = {1, 2, 2, 1}, dout[N] = {3, 5, 7, 11};
  l2o_real out[N], s[N], dx[N] = {1, 1, 1, 1}, dtau[N] = {1, 1, 1, 1}, work[2 * M];
  double h;
  assert_status(l2o_problem_prox(&p, out, x, tau, work), L2O_OK, NULL);
  assert_true(out[0] == 0 && out[1] == -1 && out[2] == 0 && isnan((double)out[3]));
  assert_status(l2o_problem_nonsmooth(&p, &h, s, x), L2O_OK, NULL);
  assert_true(isnan(h) && s[0] == 0 && s[1] == (l2o_real)-0.5 && s[2] == (l2o_real)0.5);
  const l2o_real finite[N] = {0, -2, 1, 4};
  assert_status(l2o_problem_nonsmooth(&p, &h, NULL, finite), L2O_OK, NULL);
  assert_true(h == 3.5);
  assert_status(l2o_problem_prox_vjp(&p, dx, dtau, finite, tau, dout, work), L2O_OK, NULL);
  assert_true(dx[0] == 1 && dx[1] == 6 && dx[2] == 1 && dx[3] == 12); /* they are added to */
  assert_true(dtau[0] == 1 && dtau[1] == (l2o_real)3.5 && dtau[2] == 1 && dtau[3] == (l2o_real)-4.5);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* ---- minima ---- */

/* grad_i + l2 x_i within l1 of 0 where x_i = 0, -l1 sign(x_i) elsewhere; and F(x*) = f*. */
static void assert_minimum(const l2o_problem *p, double l1, double l2, const char *what) {
  plain d = plain_of(p, l1, l2);
  l2o_real *x = malloc(p->n * sizeof *x);
  double *at = malloc(3 * p->n * sizeof *at), *g = at + p->n, *first = g + p->n, fstar, alone, h = 0, steepest = 0;
  l2o_status status = l2o_problem_minimum(p, &fstar, x);
  if (status)
    fail_msg("%s: no minimum: %s", what, l2o_strerror(status));
  assert_status(l2o_problem_minimum(p, &alone, NULL), L2O_OK, NULL);
  assert_true(fstar == alone);
  memset(at, 0, p->n * sizeof *at);
  plain_value(&d, first, at);
  for (size_t j = 0; j < p->n; j++)
    steepest = fmax(steepest, fabs(first[j]));
  doubles_of(at, x, p->n);
  const double f = plain_value(&d, g, at);
  for (size_t j = 0; j < p->n; j++) {
    h += l1 * fabs(at[j]);
    const double error = at[j] > 0 ? fabs(g[j] + l1) : at[j] < 0 ? fabs(g[j] - l1) : fmax(fabs(g[j]) - l1, 0);
    if (!(error <= BY_PRECISION(1e-10, 1e-4) * steepest))
      fail_msg("%s: entry %zu: %g, gradient %g, off by %g", what, j, at[j], g[j], error);
  }
  assert_close(f + h, fstar, BY_PRECISION(1e-13, 1e-6), 0);
  free(d.A);
  free(x);
  free(at);
}

static void minima_are_minima(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    double l1, l2;
  } cases[] = {{"logistic", 0, 1e-3},
               {"logistic:recipe=zo", 0, 0},
               {"logistic:recipe=go", 0.1, 0},
               {"logistic:recipe=go,l1=1e-4", 1e-4, 0},
               {"logistic:recipe=go,l1=0.01,n=120,m=60", 0.01, 0}, /* separable, but the L1 term holds it */
               {"logistic:recipe=go,l1=0,l2=1,n=30,m=10", 0, 1},
               {"logistic:l1=0.02,l2=0.5,n=20,m=40", 0.02, 0.5},
               {"logistic:l1=5,n=8,m=40", 5, 1e-3}, /* x* = 0 */
               {"logistic:n=1,m=9,l2=0.1", 0, 0.1},
               {"logistic:n=8,m=90,scale=standard,bias=true", 0, 1e-3}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (uint64_t index = 0; index < 3; index++) {
      l2o_problem p = sampled(cases[i].spec, 1, index);
      assert_minimum(&p, cases[i].l1, cases[i].l2, cases[i].spec);
      l2o_problem_free(&p);
    }
}

static void real_data_has_its_minima(void **state) {
  (void)state;
  static const struct {
    const char *spec, *file;
    double l1, l2;
  } cases[] = {{"logistic", "spambase.libsvm", 0, 0},
               {"logistic:l2=1e-3", "spambase.libsvm", 0, 1e-3},
               {"logistic:l1=1e-3,scale=standard,bias=true", "spambase.libsvm", 1e-3, 0},
               {"logistic:l1=1e-3", "spambase.libsvm", 1e-3, 0},
               {"logistic:l2=1e-4,scale=unit,bias=true", "spambase.libsvm", 0, 1e-4},
               {"logistic", "ionosphere.libsvm", 0, 0}, /* one feature is always 0: any value of x there */
               {"logistic:l1=0.01,bias=true", "ionosphere.libsvm", 0.01, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_family *family = family_of_file(cases[i].spec, cases[i].file);
    l2o_problem p = instance_of(family);
    assert_minimum(&p, cases[i].l1, cases[i].l2, cases[i].spec);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
}

static void separable_classes_have_no_minimum(void **state) {
  (void)state;
  /* the first feature tells the classes apart; in the second set only on the rows where it is not 0 */
  static const l2o_real apart[] = {1, 0.3f, 2, -0.5f, 1.5f, 0.1f, -1, 0.2f, -3, 0.4f, -0.7f, -0.8f};
  static const l2o_real partly[] = {1, 0.5f, 0, -0.5f, 0, 0.25f, 0, 0.5f, 0, 0.125f, 0, -0.75f};
  static const double two[] = {1, 1, 1, 0, 0, 0};
  static const struct {
    const l2o_real *A;
    const char *spec;
    l2o_status status;
  } cases[] = {{apart, "logistic", L2O_ERR_NOTSUP},  {apart, "logistic:bias=true", L2O_ERR_NOTSUP},
               {apart, "logistic:l2=1e-6", L2O_OK},  {apart, "logistic:l1=1e-6", L2O_OK},
               {partly, "logistic", L2O_ERR_NOTSUP}, {partly, "logistic:bias=true", L2O_ERR_NOTSUP},
               {partly, "logistic:l2=1e-6", L2O_OK}, {partly, "logistic:l1=1e-4", L2O_OK}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_family *family;
    double fstar;
    assert_status(family_from_arrays(&family, cases[i].spec, cases[i].A, two, 6, 2, NULL), L2O_OK, NULL);
    l2o_problem p = instance_of(family);
    if (l2o_problem_minimum(&p, &fstar, NULL) != cases[i].status)
      fail_msg("case %zu, %s: %s", i, cases[i].spec, l2o_strerror(l2o_problem_minimum(&p, &fstar, NULL)));
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
  double fstar;
  l2o_problem p = sampled("logistic:recipe=go,l1=0", 1, 0); /* its labels are free of noise */
  assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_ERR_NOTSUP, NULL);
  l2o_problem_free(&p);
}

static void dependent_features_have_a_minimum(void **state) {
  (void)state;
  l2o_real wide[M * 4];
  for (size_t i = 0; i < M; i++) { /* twice the same, a zero, another one */
    wide[i * 4] = wide[i * 4 + 1] = A[i * N];
    wide[i * 4 + 2] = 0;
    wide[i * 4 + 3] = A[i * N + 1];
  }
  l2o_family *family;
  assert_status(family_from_arrays(&family, "logistic:bias=true", wide, labels, M, 4, NULL), L2O_OK, NULL);
  l2o_problem p = instance_of(family);
  assert_minimum(&p, 0, 0, "dependent features");
  l2o_problem_free(&p);
  l2o_family_free(family);
}

/* ---- published samplings ---- */

static void reference_data_are_reproduced(void **state) {
  (void)state;
  enum { ROWS = 500, COLUMNS = 50 };
  l2o_family *family = family_of("logistic:sampler=mt19937");
  assert_true(family->plain_seeds && family->n == COLUMNS);
  l2o_problem p;
  assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
  l2o_real zero[COLUMNS] = {0}, g[COLUMNS];
  double fstar, squares = 0;
  assert_close(gradient_at(&p, g, zero), log(2), BY_PRECISION(1e-15, 1e-7), 0);
  for (size_t j = 0; j < COLUMNS; j++)
    squares += (double)g[j] * (double)g[j];
  assert_close(sqrt(squares), 0.3905999918508773, BY_PRECISION(1e-14, 1e-6), 0);
  assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
  assert_close(fstar, 0.2584346528, 0, BY_PRECISION(6e-11, 1e-7));
  plain d = plain_of(&p, 0, 1e-3); /* the first row's gradient holds l2 x = 0 */
  double *drawn = malloc(ROWS * COLUMNS * sizeof *drawn);
  l2o_twister t;
  l2o_twister_seed(&t, 1);
  l2o_twister_normal(&t, drawn, ROWS * COLUMNS);
  size_t positive = 0;
  for (size_t i = 0; i < ROWS; i++) {
    const double sign = d.A[i * COLUMNS] * drawn[i * COLUMNS] > 0 ? 1 : -1;
    positive += sign > 0;
    for (size_t j = 0; j < COLUMNS; j++)
      assert_close(d.A[i * COLUMNS + j], sign * drawn[i * COLUMNS + j], BY_PRECISION(0, 1e-7), 0);
  }
  assert_int_equal(positive, 256);
  l2o_problem other; /* instance 1 of seed 1 is instance 0 of seed 2 */
  l2o_real g2[COLUMNS];
  assert_status(l2o_family_sample(family, &other, 1, L2O_PURPOSE_TRAIN, 1, NULL), L2O_OK, NULL);
  gradient_at(&other, g, zero);
  l2o_problem_free(&other);
  assert_status(l2o_family_sample(family, &other, 2, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
  gradient_at(&other, g2, zero);
  assert_same_reals(g, g2, COLUMNS);
  l2o_problem_free(&other);
  free(d.A);
  free(drawn);
  l2o_problem_free(&p);
  l2o_family_free(family);
}

static void recipes_have_their_sizes_and_weights(void **state) {
  (void)state;
  static const struct {
    const char *spec;
    size_t n, m;
    bool composite;
  } cases[] = {{"logistic", 50, 500, false},
               {"logistic:recipe=bfgs,l1=0.1", 50, 500, true},
               {"logistic:recipe=go", 50, 1000, true},
               {"logistic:recipe=go,l1=0,m=30", 50, 30, false},
               {"logistic:recipe=go,n=6", 6, 1000, true}, /* fewer than the 20 non-zeros */
               {"logistic:recipe=zo", 100, 500, false},
               {"logistic:recipe=zo,n=7,bias=true", 8, 500, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    l2o_problem p = sampled(cases[i].spec, 1, 0);
    assert_int_equal(p.n, cases[i].n);
    assert_int_equal(l2o_problem_summands(&p), cases[i].m);
    assert_int_equal(l2o_problem_is_composite(&p), cases[i].composite);
    l2o_real *x = malloc(p.n * sizeof *x);
    double length = 0;
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    for (size_t j = 0; j < p.n; j++)
      length += (double)x[j] * (double)x[j];
    assert_true(strstr(cases[i].spec, "go") ? length > 0.1 * (double)p.n && length < 4 * (double)p.n : length == 0);
    free(x);
    l2o_problem_free(&p);
  }
  for (int zero = 0; zero < 2; zero++) { /* l2 counts: at x the value differs by l2/2 |x|^2 */
    l2o_problem with = sampled(zero ? "logistic:recipe=zo,n=5" : "logistic:n=5", 1, 0);
    l2o_problem without = sampled(zero ? "logistic:recipe=zo,n=5,l2=0" : "logistic:n=5,l2=0", 1, 0);
    const l2o_real x[5] = {1, 2, 3, 4, 5};
    assert_close(value_at(&with, x) - value_at(&without, x), zero ? 0 : 1e-3 / 2 * 55, BY_PRECISION(1e-12, 1e-4), 0);
    l2o_problem_free(&with);
    l2o_problem_free(&without);
  }
}

/* With one non-zero the label is the sign of that feature or its opposite. */
static void the_truth_is_as_sparse_as_asked(void **state) {
  (void)state;
  bool seen[6] = {false};
  for (uint64_t index = 0; index < 40; index++) {
    l2o_problem p = sampled("logistic:recipe=go,n=6,m=50,sparsity=1", 1, index);
    plain d = plain_of(&p, 0, 0);
    size_t deciding = 0;
    for (size_t j = 0; j < 6; j++) {
      size_t positive = 0;
      for (size_t i = 0; i < 50; i++)
        positive += d.A[i * 6 + j] > 0;
      if (positive == 0 || positive == 50) {
        deciding++;
        seen[j] = true;
      }
    }
    assert_int_equal(deciding, 1);
    free(d.A);
    l2o_problem_free(&p);
  }
  for (size_t j = 0; j < 6; j++)
    assert_true(seen[j]);
}

/* Published: L = 0.499, and a gap of 6.9e-4 after 50 steps of gradient descent (49: 7.4e-4). One instance of many: the mean of L
 * and of ln gap over 60 of them, the tolerance 3 standard deviations of one instance. */
static void recipe_zo_is_like_the_published_problem(void **state) {
  (void)state;
  enum { INSTANCES = 60, D = 100 };
  double constants = 0, squares = 0, gaps = 0, gap_squares = 0;
  l2o_family *family = family_of("logistic:recipe=zo");
  for (uint64_t index = 0; index < INSTANCES; index++) {
    l2o_problem p;
    l2o_real x[D] = {0}, g[D];
    double L, fstar;
    assert_status(l2o_family_sample(family, &p, 5, L2O_PURPOSE_EVAL, index, NULL), L2O_OK, NULL);
    assert_status(l2o_problem_lipschitz(&p, &L), L2O_OK, NULL);
    assert_status(l2o_problem_minimum(&p, &fstar, NULL), L2O_OK, NULL);
    for (int k = 0; k < 50; k++) {
      gradient_at(&p, g, x);
      for (size_t j = 0; j < D; j++)
        x[j] -= (l2o_real)((double)g[j] / L);
    }
    const double gap = log(value_at(&p, x) - fstar);
    constants += L / INSTANCES, squares += L * L / INSTANCES;
    gaps += gap / INSTANCES, gap_squares += gap * gap / INSTANCES;
    l2o_problem_free(&p);
  }
  l2o_family_free(family);
  const double spread = sqrt(squares - constants * constants), gap_spread = sqrt(gap_squares - gaps * gaps);
  assert_true(spread < 0.02 && gap_spread < 1.5);
  assert_close(constants, 0.499, 0, 3 * spread);
  assert_close(gaps, log(6.9e-4), 0, 0.5); /* the mean itself is that close, beyond what one instance asks for */
}

/* ---- instance files ---- */

/* The instance's rows are those of the file times their labels, drawn or of a data set. */
static void files_hold_features_and_labels(void **state) {
  (void)state;
  for (int drawn = 0; drawn < 2; drawn++) {
    const double l1 = drawn ? 0.1 : 0.02, l2 = drawn ? 0 : 0.3;
    l2o_family *family = drawn ? family_of("logistic:recipe=go,m=23,n=4") : family_of_data("logistic:l1=0.02,l2=0.3"), *file;
    l2o_tensor_file *tensors;
    l2o_diag diag = {""};
    double rows[M * N], b[M], weight;
    assert_status(l2o_family_save(family, in_folder("instances"), 7, L2O_PURPOSE_EVAL, 1, &diag), L2O_OK, &diag);
    assert_status(l2o_tensor_file_open(&tensors, in_folder("instances"), &diag), L2O_OK, &diag);
    l2o_tensor_to_double(l2o_tensor_file_find(tensors, "A"), rows);
    l2o_tensor_to_double(l2o_tensor_file_find(tensors, "b"), b);
    l2o_tensor_to_double(l2o_tensor_file_find(tensors, "l1"), &weight);
    assert_true(weight == l1);
    l2o_tensor_to_double(l2o_tensor_file_find(tensors, "l2"), &weight);
    assert_true(weight == l2);
    assert_int_equal(l2o_tensor_file_find(tensors, "x0") != NULL, drawn);
    l2o_tensor_file_free(tensors);
    assert_status(l2o_family_open(&file, "logistic", in_folder("instances"), &diag), L2O_OK, &diag);
    l2o_problem p, read;
    l2o_real x[2][N];
    double constant[2], trace[2];
    assert_status(l2o_family_sample(family, &p, 7, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
    assert_status(l2o_family_sample(file, &read, 1, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
    plain d = plain_of(&p, l1, l2);
    size_t positive = 0;
    for (size_t i = 0; i < M; i++) {
      assert_true(b[i] == 1 || b[i] == -1);
      positive += b[i] > 0;
      for (size_t j = 0; j < N; j++) {
        rows[i * N + j] *= b[i];
        if (!drawn)
          assert_true(rows[i * N + j] == (labels[i] < 0 ? -1 : 1) * (double)A[i * N + j]);
      }
    }
    assert_true(positive > 0 && positive < M);
    free(d.A);
    d.A = rows, d.l2 = l2;
    normal_reals(x[0], N, 4);
    assert_is_plain(&read, &d, x[0]);
    assert_true(value_at(&read, x[0]) == value_at(&p, x[0]));
    assert_true(l2o_problem_is_composite(&read));
    assert_status(l2o_problem_start(&p, x[0]), L2O_OK, NULL);
    assert_status(l2o_problem_start(&read, x[1]), L2O_OK, NULL);
    assert_same_reals(x[0], x[1], N);
    for (int k = 0; k < 2; k++) {
      assert_status(l2o_problem_lipschitz(k ? &read : &p, &constant[k]), L2O_OK, NULL);
      assert_status(l2o_problem_hessian_trace(k ? &read : &p, &trace[k]), L2O_OK, NULL);
    }
    assert_close(constant[1], constant[0], BY_PRECISION(1e-13, 1e-6), 0);
    assert_true(trace[1] == trace[0]);
    assert_minimum(&read, l1, l2, "from a file");
    l2o_problem_free(&p);
    l2o_problem_free(&read);
    l2o_family_free(file);
    l2o_family_free(family);
  }
}

/* One A for two vectors of labels, no weights and no start: what is absent is 0. */
static void a_file_may_share_its_features(void **state) {
  (void)state;
  static const double features[] = {1, 2, 3, -1, 0.5, 0.25}, b[] = {1, -1, 1, -1, -1, 1};
  static const size_t matrix[] = {3, 2}, vector[] = {2, 3};
  l2o_tensor_writer *writer;
  l2o_family *file;
  l2o_diag diag = {""};
  assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "A", L2O_F64, features, matrix, 2), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_add(writer, "b", L2O_F64, b, vector, 2), L2O_OK, NULL);
  assert_status(l2o_tensor_writer_save(writer, in_folder("shared"), NULL), L2O_OK, NULL);
  l2o_tensor_writer_free(writer);
  assert_status(l2o_family_open(&file, "logistic", in_folder("shared"), &diag), L2O_OK, &diag);
  assert_true(file->n == 2 && file->count == 2);
  for (uint64_t i = 0; i < 2; i++) {
    l2o_problem p;
    l2o_real x[2];
    double signed_rows[6];
    plain d = {.m = 3, .n = 2, .A = signed_rows};
    for (size_t j = 0; j < 6; j++)
      signed_rows[j] = features[j] * b[3 * i + j / 2];
    assert_status(l2o_family_sample(file, &p, 1, L2O_PURPOSE_EVAL, i, &diag), L2O_OK, &diag);
    assert_true(!l2o_problem_is_composite(&p));
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    assert_true(x[0] == 0 && x[1] == 0);
    normal_reals(x, 2, i);
    assert_is_plain(&p, &d, x);
    l2o_problem_free(&p);
  }
  l2o_family_free(file);
}

/* ---- labels and features of data ---- */

static void labels_are_mapped_and_shown(void **state) {
  (void)state;
  l2o_family *family = family_of_data("logistic"), *other;
  assert_string_equal(family->note, "data: 23 rows, 4 features; labels -0.5 -> -1, 4 -> +1");
  double opposite[M];
  for (size_t i = 0; i < M; i++)
    opposite[i] = -labels[i];
  assert_status(family_from_arrays(&other, "logistic", A, opposite, M, N, NULL), L2O_OK, NULL);
  assert_non_null(strstr(other->note, "-4 -> -1, 0.5 -> +1"));
  l2o_problem p = instance_of(family), q = instance_of(other);
  l2o_real x[N], minus[N];
  normal_reals(x, N, 1);
  for (size_t j = 0; j < N; j++)
    minus[j] = -x[j];
  assert_true(value_at(&p, x) == value_at(&q, minus)); /* the other class counts as 1 */
  assert_true(value_at(&p, x) != value_at(&q, x));
  l2o_problem_free(&p);
  l2o_problem_free(&q);
  l2o_family_free(family);
  l2o_family_free(other);
  family = family_of_file("logistic", "spambase.libsvm");
  assert_string_equal(family->note, "spambase.libsvm: 4601 rows, 57 features; labels -1 -> -1, 1 -> +1");
  l2o_family_free(family);
}

static void features_are_scaled(void **state) {
  (void)state;
  enum { ROWS = 5, COLUMNS = 3 };
  /* the second never varies, and its mean is not exact; the third is 0 but once */
  const l2o_real same = (l2o_real)1.7, raw[ROWS * COLUMNS] = {1, same, 0, -4, same, 0, 3, same, 8, 2, same, 0, 0, same, 0};
  const double label[ROWS] = {1, 1, 1, 2, 1};
  static const char *const specs[] = {"logistic:scale=none", "logistic:scale=unit", "logistic:scale=standard",
                                      "logistic:scale=standard,bias=true"};
  for (int s = 0; s < 4; s++) {
    l2o_family *family;
    assert_status(family_from_arrays(&family, specs[s], raw, label, ROWS, COLUMNS, NULL), L2O_OK, NULL);
    l2o_problem p = instance_of(family);
    plain d = plain_of(&p, 0, 0);
    assert_int_equal(p.n, s == 3 ? 4 : 3);
    for (size_t i = 0; i < ROWS; i++) {
      const double sign = i == 3 ? 1 : -1, *row = d.A + i * p.n;
      for (size_t j = 0; j < COLUMNS; j++) {
        const double a = (double)raw[i * COLUMNS + j], largest[] = {4, (double)same, 8};
        const double mean[] = {0.4, (double)same, 1.6}, deviation[] = {sqrt(30 / 5. - 0.16), INFINITY, sqrt(64 / 5. - 2.56)};
        const double expected = s == 0 ? a : s == 1 ? a / largest[j] : (a - mean[j]) / deviation[j];
        assert_close(row[j], sign * expected, BY_PRECISION(1e-14, 1e-6), 0);
      }
      assert_true(s != 3 || row[3] == sign);
    }
    free(d.A);
    l2o_problem_free(&p);
    l2o_family_free(family);
  }
}

/* A feature that never varies stays 0 however much rounding its mean collects. */
static void a_constant_over_many_rows_is_no_feature(void **state) {
  (void)state;
  enum { ROWS = 100000 };
  l2o_real *raw = malloc(2 * ROWS * sizeof *raw);
  double *label = malloc(ROWS * sizeof *label);
  for (size_t i = 0; i < ROWS; i++) {
    raw[2 * i] = (l2o_real)0.9;
    raw[2 * i + 1] = (l2o_real)(i % 3);
    label[i] = (double)(i % 2);
  }
  l2o_family *family;
  assert_status(family_from_arrays(&family, "logistic:scale=standard", raw, label, ROWS, 2, NULL), L2O_OK, NULL);
  l2o_problem p = instance_of(family);
  const l2o_real x[2] = {1, 1}, other[2] = {7, 1};
  assert_true(value_at(&p, x) == value_at(&p, other));
  l2o_problem_free(&p);
  l2o_family_free(family);
  free(raw);
  free(label);
}

static void assert_refused(const char *spec, const double *label, size_t rows, l2o_status status, const char *part) {
  l2o_family *family;
  l2o_diag diag = {""};
  assert_status(family_from_arrays(&family, spec, A, label, rows, N, &diag), status, &diag);
  assert_names(&diag, part);
  assert_null(family);
}

static void bad_input_is_refused(void **state) {
  (void)state;
  double three[M], one[M];
  for (size_t i = 0; i < M; i++)
    three[i] = (double)(i % 3), one[i] = 1;
  assert_refused("logistic", three, M, L2O_ERR_FORMAT, "data has 3 distinct labels, expected 2; family softmax takes more");
  assert_refused("logistic", one, M, L2O_ERR_FORMAT, "data has 1 distinct label, expected 2");
  assert_refused("logistic", NULL, M, L2O_ERR_FORMAT, "has no labels");
  assert_refused("logistic:n=9", labels, M, L2O_ERR_SHAPE, "n = 9, but data has 4 features");
  assert_refused("logistic:m=9", labels, M, L2O_ERR_SHAPE, "m = 9, but data has 23 rows");
  l2o_real *regression = calloc(2000, sizeof *regression);
  double *many = calloc(2000, sizeof *many);
  for (size_t i = 0; i < 2000; i++)
    many[i] = (double)i;
  l2o_family *family;
  l2o_diag diag;
  assert_status(family_from_arrays(&family, "logistic", regression, many, 2000, 1, &diag), L2O_ERR_FORMAT, NULL);
  assert_names(&diag, "more than 1000 distinct labels");
  assert_status(family_from_arrays(&family, "logistic", regression, labels, M, 1, &diag), L2O_ERR_NUMERIC, NULL);
  assert_names(&diag, "all 0");
  free(regression);
  free(many);
  static const refused_spec specs[] = {{"logistic:sampler=mt19937,recipe=go", "replays the data of recipe bfgs"},
                                       {"logistic:sampler=mt19937,sparsity=3", "whose truth is not sparse"},
                                       {"logistic:sparsity=9,n=8", "sparsity = 9, expected at most the 8 features"},
                                       {"logistic:l1=-1", "expected a number from 0"},
                                       {"logistic:recipe=other", "go|bfgs|zo"}};
  assert_refused_specs(specs, sizeof specs / sizeof *specs);
  family = family_of("logistic:sampler=mt19937,n=2,m=3");
  l2o_problem p;
  assert_status(l2o_family_sample(family, &p, 0, L2O_PURPOSE_EVAL, 0, &diag), L2O_ERR_ARG, NULL);
  assert_names(&diag, "from 1 to 2^32 - 1");
  assert_status(l2o_family_sample(family, &p, UINT32_MAX, L2O_PURPOSE_EVAL, 1, &diag), L2O_ERR_ARG, NULL);
  assert_status(l2o_family_sample(family, &p, UINT64_MAX, L2O_PURPOSE_EVAL, 2, &diag), L2O_ERR_ARG, NULL);
  l2o_family_free(family);
}

/* ---- starts ---- */

static void start_of(l2o_real *x, double *value, const l2o_family *family, uint64_t seed) {
  l2o_problem p;
  assert_status(l2o_family_sample(family, &p, seed, L2O_PURPOSE_EVAL, 0, NULL), L2O_OK, NULL);
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  l2o_real at[N] = {1, -1, 1, 2};
  *value = value_at(&p, at);
  l2o_problem_free(&p);
}

/* Of data and of every recipe: zero, or normal and another one for every seed. What is drawn besides is the same. */
static void starts_are_as_asked(void **state) {
  (void)state;
  static const char *const recipes[] = {"recipe=go", "recipe=bfgs", "recipe=zo", NULL};
  for (size_t i = 0; i < 4; i++) {
    l2o_family *family[3];
    l2o_real x[4][N];
    double value[4];
    char spec[80];
    for (size_t k = 0; k < 3; k++) {
      static const char *const starts[] = {"start=recipe", "start=zero", "start=normal"};
      snprintf(spec, sizeof spec, "logistic:%s%s%s", recipes[i] ? recipes[i] : "", recipes[i] ? ",n=4,m=23," : "", starts[k]);
      family[k] = recipes[i] ? family_of(spec) : family_of_data(spec);
      start_of(x[k], &value[k], family[k], 7);
      assert_true(value[k] == value[0]);
    }
    start_of(x[3], &value[3], family[2], 8);
    bool differ = false, moved = false;
    for (size_t j = 0; j < N; j++) {
      assert_true(x[1][j] == 0);
      assert_true(x[0][j] == (i == 0 ? x[2][j] : 0));
      moved |= x[2][j] != 0;
      differ |= x[2][j] != x[3][j];
    }
    assert_true(moved && differ);
    for (size_t k = 0; k < 3; k++)
      l2o_family_free(family[k]);
  }
  l2o_family *family = family_of_data("logistic:start=normal,bias=true"); /* N(0, 1): mean, variance */
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < 400; i++) {
    l2o_problem p;
    l2o_real x[N + 1];
    assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, i, NULL), L2O_OK, NULL);
    assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
    for (size_t j = 0; j <= N; j++) {
      sum += (double)x[j] / 2000;
      squares += (double)(x[j] * x[j]) / 2000;
    }
    l2o_problem_free(&p);
  }
  assert_true(fabs(sum) < 0.09 && fabs(squares - 1) < 0.13); /* four standard errors */
  l2o_family_free(family);
}

/* ---- memory ---- */

static l2o_status make_everything(void *context) {
  char drawn[] = "logistic:recipe=go,n=4,m=9";
  l2o_family *family;
  (void)context;
  l2o_status status = make_and_use_family(drawn);
  if (status)
    return status;
  status = family_from_arrays(&family, "logistic:scale=standard,bias=true,start=normal", A, labels, M, N, NULL);
  return use_family(status, family);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  assert_true(assert_allocations_may_fail(make_everything, NULL, L2O_OK, ALL_ARE_NEEDED) >= 30);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(value_and_gradient_are_the_definition),
      cmocka_unit_test(nothing_overflows),
      cmocka_unit_test(small_losses_keep_their_digits),
      cmocka_unit_test(rows_may_repeat_in_a_minibatch),
      cmocka_unit_test(constants_are_those_at_zero),
      cmocka_unit_test(the_l1_term_is_soft_thresholded),
      cmocka_unit_test(minima_are_minima),
      cmocka_unit_test(real_data_has_its_minima),
      cmocka_unit_test(separable_classes_have_no_minimum),
      cmocka_unit_test(dependent_features_have_a_minimum),
      cmocka_unit_test(reference_data_are_reproduced),
      cmocka_unit_test(recipes_have_their_sizes_and_weights),
      cmocka_unit_test(the_truth_is_as_sparse_as_asked),
      cmocka_unit_test(recipe_zo_is_like_the_published_problem),
      cmocka_unit_test_setup_teardown(files_hold_features_and_labels, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_file_may_share_its_features, make_folder, remove_folder),
      cmocka_unit_test(labels_are_mapped_and_shown),
      cmocka_unit_test(features_are_scaled),
      cmocka_unit_test(a_constant_over_many_rows_is_no_feature),
      cmocka_unit_test(starts_are_as_asked),
      cmocka_unit_test(bad_input_is_refused),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, make_data, NULL);
}
