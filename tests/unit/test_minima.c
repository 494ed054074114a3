/* SPDX-License-Identifier: BSD-3-Clause */
/* Minima of the composite families that comparisons are made on, each with a certificate of its own: a dual point, computed here
 * in plain loops, below which F cannot go. */
#include "l2o_data_family.h"

#include "problems/instance.h"
#include <l2o/tensor_file.h>

enum { INSTANCES = 50 };

/* What lies between F(x) and its minimum is at most *gap. Returns F(x). */
typedef double certificate(double *gap, const l2o_problem *p, const double *x);

/* t = A x and c = A'u, or their largest |c_j| */
static void multiply(double *t, const l2o_instance *d, size_t n, const double *x) {
  for (size_t i = 0; i < d->rows; i++) {
    t[i] = 0;
    for (size_t j = 0; j < n; j++)
      t[i] += (double)d->matrix[i * n + j] * x[j];
  }
}
static double largest_correlation(const l2o_instance *d, size_t n, const double *u) {
  double *c = calloc(n, sizeof *c), largest = 0;
  for (size_t i = 0; i < d->rows; i++)
    for (size_t j = 0; j < n; j++)
      c[j] += u[i] * (double)d->matrix[i * n + j];
  for (size_t j = 0; j < n; j++)
    largest = fmax(largest, fabs(c[j]));
  free(c);
  return largest;
}
static double absolute_sum(const double *x, size_t n) {
  double sum = 0;
  for (size_t j = 0; j < n; j++)
    sum += fabs(x[j]);
  return sum;
}

/* F = 1/2 |A x - y|^2 + l1 |x|_1 >= D(v) = v'y - 1/2 |v|^2 for |A'v|_inf <= l1; here v = u (y - A x) with u <= 1. */
static double of_lasso(double *gap, const l2o_problem *p, const double *x) {
  const l2o_instance *d = p->data;
  double *r = calloc(d->rows, sizeof *r), squares = 0, product = 0;
  multiply(r, d, p->n, x);
  for (size_t i = 0; i < d->rows; i++) {
    r[i] = (double)d->vector[i] - r[i];
    squares += r[i] * r[i];
    product += r[i] * (double)d->vector[i];
  }
  const double largest = largest_correlation(d, p->n, r), u = largest > d->l1 ? d->l1 / largest : 1;
  const double F = 0.5 * squares + d->l1 * absolute_sum(x, p->n);
  *gap = F - (u * product - 0.5 * u * u * squares);
  free(r);
  return F;
}

/* F = 1/m sum_i ln(1 + exp(-t_i)) + l1 |x|_1, t = A x with signed rows, >= D(v) = -1/m sum_i v_i ln v_i + (1 - v_i) ln(1 - v_i)
 * for 0 <= v <= 1, |A'v|_inf <= m l1; here v_i = u / (1 + exp(t_i)) with u <= 1. */
static double of_logistic(double *gap, const l2o_problem *p, const double *x) {
  const l2o_instance *d = p->data;
  const double m = (double)d->rows;
  double *v = calloc(d->rows, sizeof *v), F = 0, D = 0;
  assert_true(d->ridge == 0);
  multiply(v, d, p->n, x);
  for (size_t i = 0; i < d->rows; i++) {
    const double e = exp(-fabs(v[i]));
    F += fmax(-v[i], 0) + log1p(e);
    v[i] = (v[i] > 0 ? e : 1) / (1 + e);
  }
  const double largest = largest_correlation(d, p->n, v), u = largest > m * d->l1 ? m * d->l1 / largest : 1;
  for (size_t i = 0; i < d->rows; i++) {
    const double w = u * v[i];
    D -= (w > 0 ? w * log(w) : 0) + (w < 1 ? (1 - w) * log1p(-w) : 0);
  }
  F = F / m + d->l1 * absolute_sum(x, p->n);
  *gap = F - D / m;
  free(v);
  return F;
}

/* f* is F(x*), and the dual point lies within 1e-10 of it. In single precision x* is rounded before it comes here, f* is not. */
static void assert_certified(const l2o_problem *p, certificate *certify, const char *what) {
  l2o_real *xstar = malloc(p->n * sizeof *xstar);
  double *x = malloc(p->n * sizeof *x), fstar, gap;
  l2o_status status = l2o_problem_minimum(p, &fstar, xstar);
  if (status)
    fail_msg("%s: no minimum: %s", what, l2o_strerror(status));
  doubles_of(x, xstar, p->n);
  const double F = certify(&gap, p, x);
  if (!(gap >= -1e-13 * F && gap <= BY_PRECISION(1e-10, 1e-4) * fstar && F - gap <= fstar * (1 + 1e-13) &&
        fabs(F - fstar) <= BY_PRECISION(1e-13, 1e-6) * fstar))
    fail_msg("%s: f* = %.17g, F(x*) = %.17g, F less its dual value = %g", what, fstar, F, gap);
  free(xstar);
  free(x);
}

static void assert_all_certified(l2o_family *family, certificate *certify, const char *what) {
  const size_t count = family->count ? family->count : INSTANCES;
  for (uint64_t i = 0; i < count; i++) {
    l2o_problem p;
    l2o_diag diag = {""};
    assert_status(l2o_family_sample(family, &p, 1, L2O_PURPOSE_EVAL, i, &diag), L2O_OK, &diag);
    assert_certified(&p, certify, what);
    l2o_problem_free(&p);
  }
  l2o_family_free(family);
}

static void minima_of_drawn_instances_are_certified(void **state) {
  (void)state;
  assert_all_certified(family_of("lasso"), of_lasso, "lasso");
  assert_all_certified(family_of("lasso:n=40,m=20,sparsity=5"), of_lasso, "lasso, small");
  assert_all_certified(family_of("logistic:recipe=go"), of_logistic, "logistic");
}

static void minima_of_real_data_are_certified(void **state) {
  (void)state;
  static const char *const images[] = {"ascent.pgm", "face.pgm"}, *const tables[] = {"ionosphere.libsvm", "spambase.libsvm"};
  for (size_t i = 0; i < 2; i++) {
    assert_all_certified(family_of_file("lasso:dictionary=random", images[i]), of_lasso, images[i]); /* 128 atoms, l1 = 0.5 */
    assert_all_certified(family_of_file("lasso:dictionary=ksvd", images[i]), of_lasso, images[i]);
    assert_all_certified(family_of_file("lasso", images[i]), of_lasso, images[i]);
    assert_all_certified(family_of_file("logistic:l1=0.1,scale=standard", tables[i]), of_logistic, tables[i]);
  }
}

/* A point that is not the minimiser is found out, by about what it is off. */
static void certificates_find_other_points_out(void **state) {
  (void)state;
  static const char *const specs[] = {"lasso", "logistic:recipe=go"};
  for (size_t c = 0; c < 2; c++) {
    l2o_problem p = sampled(specs[c], 1, 0);
    l2o_real *xstar = malloc(p.n * sizeof *xstar);
    double *x = malloc(p.n * sizeof *x), fstar, gap;
    assert_status(l2o_problem_minimum(&p, &fstar, xstar), L2O_OK, NULL);
    doubles_of(x, xstar, p.n);
    for (size_t j = 0; j < p.n; j++)
      x[j] *= 1 + 1e-3;
    const double F = (c ? of_logistic : of_lasso)(&gap, &p, x);
    assert_true(F > fstar && gap >= F - fstar && gap > 1e-8 * F);
    free(xstar);
    free(x);
    l2o_problem_free(&p);
  }
}

/* Files keep f*: who reads them has it without computing. Where one is missing, none is kept. */
static void files_keep_the_minima(void **state) {
  (void)state;
  static const struct {
    const char *family, *spec;
    bool kept;
  } cases[] = {{"lasso", "lasso:n=40,m=20", true},
               {"logistic", "logistic:recipe=go,m=60,n=8", true},
               {"qp", "qp:n=8,m=5", true},
               {"quadratic", "quadratic:n=8", true},
               {"least-squares", "least-squares:n=8", true},
               {"logistic", "logistic:recipe=go,l1=0", false}}; /* labels without noise are separable */
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    l2o_family *family = family_of(cases[c].spec), *file;
    l2o_tensor_file *tensors;
    l2o_diag diag = {""};
    double kept[3];
    assert_status(l2o_family_save(family, in_folder("instances"), 1, L2O_PURPOSE_EVAL, 3, &diag), L2O_OK, &diag);
    assert_status(l2o_tensor_file_open(&tensors, in_folder("instances"), &diag), L2O_OK, &diag);
    assert_status(l2o_family_open(&file, cases[c].family, in_folder("instances"), &diag), L2O_OK, &diag);
    const l2o_tensor *minima = l2o_tensor_file_find(tensors, "fstar");
    assert_int_equal(minima != NULL, cases[c].kept);
    if (minima) {
      assert_true(minima->dtype == L2O_F64 && minima->rank == 1 && minima->count == 3);
      l2o_tensor_to_double(minima, kept);
    }
    for (uint64_t i = 0; i < 3 && cases[c].kept; i++) {
      l2o_problem drawn, read;
      double fstar;
      assert_status(l2o_family_sample(family, &drawn, 1, L2O_PURPOSE_EVAL, i, NULL), L2O_OK, NULL);
      assert_status(l2o_family_sample(file, &read, 5, L2O_PURPOSE_EVAL, i, NULL), L2O_OK, NULL);
      assert_status(l2o_problem_minimum(&drawn, &fstar, NULL), L2O_OK, NULL);
      assert_true(fstar == kept[i]);
      assert_status(l2o_problem_minimum(&read, &fstar, NULL), L2O_OK, NULL);
      assert_true(fstar == kept[i]);
      l2o_problem_free(&drawn);
      l2o_problem_free(&read);
    }
    l2o_tensor_file_free(tensors);
    l2o_family_free(file);
    l2o_family_free(family);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(minima_of_drawn_instances_are_certified),
      cmocka_unit_test(minima_of_real_data_are_certified),
      cmocka_unit_test(certificates_find_other_points_out),
      cmocka_unit_test_setup_teardown(files_keep_the_minima, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
