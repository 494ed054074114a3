/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls into a problem's table: what is missing, what fails, tables of older callers, and the check of a user's derivatives. */
#include "l2o_fixtures.h"

#include "failing_malloc.h"

/* f(x) = sum of x_i^3 / 6 + x_i: gradient x_i^2 / 2 + 1, Hessian diag(x_i). Scratch of n + 1, of which every entry is used. */
static void fill(const l2o_problem *p, l2o_real *work) {
  for (size_t i = 0; i < p->n + 1; i++)
    work[i] = (l2o_real)NAN;
}
static size_t cubic_work(const l2o_problem *p) {
  return p->n + 1;
}
static l2o_status cubic_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  fill(p, work);
  *f = 0;
  for (size_t i = 0; i < p->n; i++) {
    *f += (double)x[i] * (double)x[i] * (double)x[i] / 6 + (double)x[i];
    g[i] = x[i] * x[i] / 2 + 1;
  }
  return L2O_OK;
}
static l2o_status cubic_hessian(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  fill(p, work);
  for (size_t i = 0; i < p->n; i++)
    hv[i] = x[i] * v[i];
  return L2O_OK;
}
static l2o_status wrong_hessian(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  l2o_status status = cubic_hessian(p, hv, x, v, work);
  hv[p->n - 1] *= (l2o_real)1.1;
  return status;
}
static l2o_status wrong_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  l2o_status status = cubic_gradient(p, f, g, x, work);
  g[1] *= (l2o_real)1.1;
  return status;
}
static l2o_status undefined_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  l2o_status status = cubic_gradient(p, f, g, x, work);
  g[0] = (l2o_real)NAN;
  return status;
}
static l2o_status undefined_hessian(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  l2o_status status = cubic_hessian(p, hv, x, v, work);
  hv[0] = (l2o_real)NAN;
  return status;
}
static const l2o_problem_ops cubic = {.struct_size = sizeof cubic,
                                      .name = "cubic",
                                      .work_len = cubic_work,
                                      .gradient = cubic_gradient,
                                      .hessian_vector = cubic_hessian};

enum { N = 5 };

static void what_is_there_is_told(void **state) {
  (void)state;
  const l2o_problem p = {.ops = &cubic, .n = N};
  assert_true(l2o_problem_has_gradient(&p) && l2o_problem_has_hessian_vector(&p) && !l2o_problem_has_minimum(&p));
  assert_string_equal(l2o_problem_name(&p), "cubic");
  const l2o_problem_ops nameless = {.struct_size = sizeof nameless, .value = values_only};
  const l2o_problem q = {.ops = &nameless, .n = N}, nothing = {.n = N};
  assert_string_equal(l2o_problem_name(&q), "unnamed");
  assert_string_equal(l2o_problem_name(&nothing), "unnamed");
  assert_true(!l2o_problem_has_gradient(&q) && !l2o_problem_has_hessian_vector(&q));
  assert_int_equal(l2o_problem_work_len(&q), 0);
}

static void a_value_comes_from_the_gradient_where_there_is_no_other(void **state) {
  (void)state;
  const l2o_problem p = {.ops = &cubic, .n = N};
  const l2o_real x[N] = {1, 2, 3, 4, 5};
  assert_int_equal(l2o_problem_work_len(&p), N + 1 + N); /* a gradient has to go somewhere */
  assert_close(value_at(&p, x), 225. / 6 + 15, 1e-6, 0);
}

static void hessian_vector_products_by_differences(void **state) {
  (void)state;
  l2o_problem_ops ops = cubic;
  ops.hessian_vector = NULL;
  const l2o_problem p = {.ops = &ops, .n = N};
  l2o_real x[N], v[N], hv[N], *work = calloc(l2o_problem_hessian_work_len(&p), sizeof *work);
  for (double scale = 1e-3; scale < 1e4; scale *= 100) { /* of x and v: the difference's width follows */
    for (size_t i = 0; i < N; i++) {
      x[i] = (l2o_real)(scale * (1 + (double)i));
      v[i] = (l2o_real)((i % 2 ? -1 : 1) / scale);
    }
    assert_status(l2o_problem_hessian_vector(&p, hv, x, v, work), L2O_OK, NULL);
    for (size_t i = 0; i < N; i++)
      assert_close(hv[i], (double)x[i] * (double)v[i], BY_PRECISION(1e-7, 2e-2),
                   BY_PRECISION(1e-7, 2e-2) / (scale < 1 ? scale : 1));
  }
  memset(v, 0, sizeof v);
  assert_status(l2o_problem_hessian_vector(&p, hv, x, v, work), L2O_OK, NULL);
  for (size_t i = 0; i < N; i++)
    assert_true(hv[i] == 0);
  free(work);
}

static void what_is_missing_is_not_supported(void **state) {
  (void)state;
  static const l2o_problem_ops none = {.struct_size = sizeof none};
  const l2o_problem p = {.ops = &none, .n = 2};
  l2o_real x[2] = {1, 1}, g[2], work[8];
  double f;
  l2o_check check;
  assert_status(l2o_problem_value(&p, &f, x, work), L2O_ERR_NOTSUP, NULL);
  assert_status(l2o_problem_gradient(&p, &f, g, x, work), L2O_ERR_NOTSUP, NULL);
  assert_status(l2o_problem_lipschitz(&p, &f), L2O_ERR_NOTSUP, NULL);
  assert_status(l2o_problem_minimum(&p, &f, NULL), L2O_ERR_NOTSUP, NULL);
  assert_status(l2o_problem_check(&p, &check, x, 1e-6, 0, NULL), L2O_ERR_NOTSUP, NULL);
  assert_status(l2o_problem_start(&p, x), L2O_OK, NULL);
  assert_true(x[0] == 0 && x[1] == 0);
}

static l2o_status failing_start(const l2o_problem *p, l2o_real *x) {
  (void)p, (void)x;
  return L2O_ERR_IO;
}
static l2o_status failing_constant(const l2o_problem *p, double *constant) {
  (void)p, (void)constant;
  return L2O_ERR_IO;
}
static l2o_status failing_hessian(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work) {
  (void)p, (void)hv, (void)x, (void)v, (void)work;
  return L2O_ERR_IO;
}

static void failures_of_callbacks_have_one_name(void **state) {
  (void)state;
  watcher w;
  watch(&w, &rosenbrock_problem);
  w.from = 1, w.spoil = SPOIL_FAIL;
  l2o_problem_ops ops = watched_ops;
  ops.start = failing_start, ops.lipschitz = failing_constant, ops.hessian_vector = failing_hessian;
  const l2o_problem p = {.ops = &ops, .data = &w, .n = 2};
  l2o_real x[2] = {0}, g[2], work[16];
  double f;
  l2o_check check;
  assert_status(l2o_problem_value(&p, &f, x, work), L2O_ERR_CALLBACK, NULL);
  assert_status(l2o_problem_gradient(&p, &f, g, x, work), L2O_ERR_CALLBACK, NULL);
  assert_status(l2o_problem_hessian_vector(&p, g, x, x, work), L2O_ERR_CALLBACK, NULL);
  assert_status(l2o_problem_start(&p, x), L2O_ERR_CALLBACK, NULL);
  assert_status(l2o_problem_lipschitz(&p, &f), L2O_ERR_CALLBACK, NULL);
  for (w.from = 1; w.from < 6; w.from++) {
    w.values = w.gradients = 0;
    assert_status(l2o_problem_check(&p, &check, x, 1e-6, 0, NULL), L2O_ERR_CALLBACK, NULL);
  }
}

static void tables_of_older_callers_are_shorter(void **state) {
  (void)state;
  l2o_problem p = sampled("qp:n=4,m=3", 1, 0);
  l2o_problem_ops old = *p.ops; /* compiled when a gradient was the last operation there was */
  old.struct_size = offsetof(l2o_problem_ops, hessian_vector);
  const l2o_problem q = {.ops = &old, .data = p.data, .n = p.n};
  double f;
  l2o_real x[4] = {9, 9, 9, 9};
  assert_true(l2o_problem_has_gradient(&q) && !l2o_problem_has_hessian_vector(&q) && !l2o_problem_has_minimum(&q));
  assert_status(l2o_problem_lipschitz(&q, &f), L2O_ERR_NOTSUP, NULL);
  assert_status(l2o_problem_minimum(&q, &f, x), L2O_ERR_NOTSUP, NULL);
  assert_status(l2o_problem_start(&q, x), L2O_OK, NULL);
  assert_true(x[0] == 0 && x[3] == 0);
  l2o_problem r = q;
  l2o_problem_free(&r); /* has no `free` to call: p still owns the data */
  assert_null(r.ops);
  assert_true(value_at(&p, x) >= 0);
  l2o_problem_free(&p);
}

static void freeing_twice_is_fine(void **state) {
  (void)state;
  l2o_problem p = sampled("quadratic:n=4", 1, 0);
  l2o_problem_free(&p);
  assert_true(p.ops == NULL && p.data == NULL && p.n == 0);
  l2o_problem_free(&p);
  l2o_problem_free(NULL);
}

static void derivatives_of_all_families_are_right(void **state) {
  (void)state;
  static const char *const specs[] = {"cnn:images=1",
                                      "qp",
                                      "qp:n=5,m=9",
                                      "qp:n=1,m=1",
                                      "qp:n=6,m=4,sampler=torch",
                                      "quadratic",
                                      "quadratic:n=1",
                                      "quadratic:n=7,condition=1e4,spectrum=linear",
                                      "quadratic:n=7,spectrum=clustered",
                                      "quadratic:n=7,spectrum=harmonic,basis=axes,start=ones,solution=zero",
                                      "least-squares",
                                      "least-squares:n=5,m=9,ridge=0.4,condition=100,scaled=false",
                                      "least-squares:n=6,m=3,sampler=mt19937",
                                      "lasso:n=12,m=8",
                                      "lasso:n=7,m=9,l1=0.6,start=zero",
                                      "mlp:inputs=4,width=5,outputs=3,samples=20,activation=tanh",
                                      "mlp:inputs=4,width=5,depth=3,samples=300,activation=gelu,loss=regression,bias=false",
                                      "mlp:inputs=3,width=4,outputs=1,samples=9,activation=silu,loss=regression",
                                      "mlp:inputs=5,depth=0,samples=30",
                                      "more-garbow-hillstrom:function=wood",
                                      "rosenbrock:n=6",
                                      "rosenbrock:n=8,start=uneven",
                                      "geman-mcclure:n=6",
                                      "log-sum-exp:n=6,m=9,mu=0.5",
                                      "log-sum-exp:n=5,m=20,sampler=mt19937",
                                      "logistic:n=6,m=30",
                                      "logistic:n=6,m=30,l1=0.2,bias=true",
                                      "logistic:recipe=go,n=8,m=30,scale=standard",
                                      "logistic:recipe=zo,n=7,m=40",
                                      "softmax:n=4,m=30",
                                      "softmax:n=3,m=20,classes=5,l2=0.3,scale=unit,bias=true",
                                      "sum-rate",
                                      "sum-rate:cells=2,users=3,tx=5,rx=3,streams=1,snr_db=25,weights=random,channel=imac",
                                      "power-control:links=4,weights=random,snr_db=3",
                                      "transformer:vocab=5,width=4,layers=1,heads=2,mlp=5,samples=2,length=3"};
  for (const l2o_family_type *const *type = l2o_family_types(); *type; type++) {
    bool mentioned = false;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
      mentioned |= strncmp(specs[i], (*type)->name, strlen((*type)->name)) == 0;
    if (!mentioned)
      fail_msg("family %s is not checked here", (*type)->name);
  }
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    l2o_problem p = sampled(specs[i], 2, 0);
    l2o_real *x = malloc(p.n * sizeof *x);
    normal_reals(x, p.n, 3);
    const bool powers = strcmp(l2o_problem_name(&p), "power-control") == 0; /* which are not negative */
    for (size_t j = 0; powers && j < p.n; j++)
      x[j] = (l2o_real)fabs((double)x[j]);
    l2o_check check;
    l2o_diag diag = {""};
    assert_status(l2o_problem_check(&p, &check, x, BY_PRECISION(1e-8, 5e-2), 1, &diag), L2O_OK, &diag);
    size_t blocks;
    const bool network = l2o_problem_blocks(&p, &blocks) || strcmp(l2o_problem_name(&p), "cnn") == 0;
    const bool by_differences = powers || network;
    assert_true(l2o_problem_has_hessian_vector(&p) != by_differences);
    free(x);
    l2o_problem_free(&p);
  }
}

static void wrong_derivatives_are_found(void **state) {
  (void)state;
  const l2o_real x[N] = {1, -2, 1, 3, 2};
  l2o_problem_ops ops = cubic;
  const l2o_problem p = {.ops = &ops, .n = N};
  const double tolerance = BY_PRECISION(1e-8, 1e-2);
  l2o_check check;
  l2o_diag diag = {""};
  assert_status(l2o_problem_check(&p, &check, x, tolerance, 1, &diag), L2O_OK, &diag);
  ops.gradient = wrong_gradient; /* 3.3 where it should be 3; the largest is 5.5 */
  assert_status(l2o_problem_check(&p, &check, x, tolerance, 1, &diag), L2O_ERR_NUMERIC, NULL);
  assert_close(check.gradient_error, 0.3 / 5.5, BY_PRECISION(1e-6, 0.3), 0);
  assert_close(check.given - check.difference, 0.3, BY_PRECISION(1e-6, 0.3), 0);
  assert_names(&diag, "coordinate 1 of the gradient is 3.3"); /* of several equally wrong ones the first */
  ops = cubic;
  ops.hessian_vector = wrong_hessian;
  assert_status(l2o_problem_check(&p, &check, x, tolerance, 1, &diag), L2O_ERR_NUMERIC, NULL);
  assert_true(check.gradient_error < tolerance && check.hessian_error > 0.02);
  assert_names(&diag, "the Hessian-vector product");
  ops = cubic;
  ops.gradient = undefined_gradient;
  assert_status(l2o_problem_check(&p, &check, x, tolerance, 1, &diag), L2O_ERR_NUMERIC, NULL);
  assert_false(check.gradient_error < 1); /* not-a-number is not "right" */
  ops = cubic;
  ops.hessian_vector = undefined_hessian;
  assert_status(l2o_problem_check(&p, &check, x, tolerance, 1, &diag), L2O_ERR_NUMERIC, NULL);
  assert_false(check.hessian_error < 1);
  ops = cubic;
  ops.hessian_vector = NULL; /* nothing to check */
  assert_status(l2o_problem_check(&p, &check, x, tolerance, 1, &diag), L2O_OK, NULL);
  assert_true(check.hessian_error == 0);
}

static l2o_status check_cubic(void *context) {
  const l2o_real x[N] = {1, -2, 1, 3, 2};
  const l2o_problem p = {.ops = &cubic, .n = N};
  l2o_check check;
  (void)context;
  return l2o_problem_check(&p, &check, x, BY_PRECISION(1e-8, 1e-2), 1, NULL);
}

/* h(x) = |x|_1 and f as a mean of n summands, n times the terms of cubic; `wrong` tells which operation is not what it should be.
 */
enum { NOTHING, PROX, PROX_VJP, PARTIAL_VALUE, PARTIAL_GRADIENT };
static int wrong;

static l2o_status one_norm(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  *h = 0;
  for (size_t i = 0; i < p->n; i++) {
    *h += fabs((double)x[i]);
    if (s)
      s[i] = (l2o_real)((x[i] > 0) - (x[i] < 0));
  }
  return L2O_OK;
}
static l2o_status shrink(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work) {
  (void)work;
  for (size_t i = 0; i < p->n; i++) {
    const double threshold = (wrong == PROX ? 1.1 : 1) * (double)tau[i], rest = fabs((double)x[i]) - threshold;
    out[i] = (l2o_real)(rest > 0 ? copysign(rest, (double)x[i]) : 0);
  }
  return L2O_OK;
}
static l2o_status shrink_vjp(const l2o_problem *p, l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau,
                             const l2o_real *dout, l2o_real *work) {
  (void)work;
  for (size_t i = 0; i < p->n; i++) {
    if (fabs((double)x[i]) <= (double)tau[i])
      continue;
    dx[i] += dout[i];
    if (dtau)
      dtau[i] -= (l2o_real)((wrong == PROX_VJP ? 1.1 : 1) * copysign((double)dout[i], (double)dout[i] * (double)x[i]));
  }
  return L2O_OK;
}
static size_t terms(const l2o_problem *p) {
  return p->n;
}
static l2o_status some_terms(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                             l2o_real *work) {
  const double weight = (double)p->n / (double)count;
  (void)work;
  *f = wrong == PARTIAL_VALUE ? 1 : 0;
  for (size_t i = 0; g && i < p->n; i++)
    g[i] = wrong == PARTIAL_GRADIENT ? 1 : 0;
  for (size_t k = 0; k < count; k++) {
    const double z = (double)x[rows[k]];
    *f += weight * (z * z * z / 6 + z);
    if (g)
      g[rows[k]] += (l2o_real)(weight * (z * z / 2 + 1));
  }
  return L2O_OK;
}

static void wrong_proxes_and_summands_are_found(void **state) {
  (void)state;
  static const char *const sentences[] = {[PROX] = "the prox is not the minimiser that it should be",
                                          [PROX_VJP] = "the derivative of the prox differs",
                                          [PARTIAL_VALUE] = "the mean of all summands is not the function",
                                          [PARTIAL_GRADIENT] = "the mean of all summands is not the function"};
  const l2o_real x[N] = {(l2o_real)1.5, -2, (l2o_real)0.5, 3, 2};
  l2o_problem_ops ops = cubic;
  ops.nonsmooth = one_norm, ops.prox = shrink, ops.prox_vjp = shrink_vjp, ops.summands = terms, ops.partial = some_terms;
  const l2o_problem p = {.ops = &ops, .n = N};
  const double tolerance = BY_PRECISION(1e-7, 2e-2);
  l2o_check check;
  for (int kind = NOTHING; kind <= PARTIAL_GRADIENT; kind++) {
    l2o_diag diag = {""};
    wrong = kind;
    assert_status(l2o_problem_check(&p, &check, x, tolerance, 1, &diag), kind == NOTHING ? L2O_OK : L2O_ERR_NUMERIC, &diag);
    if (kind != NOTHING)
      assert_names(&diag, sentences[kind]);
  }
  wrong = NOTHING;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  assert_int_equal(assert_allocations_may_fail(check_cubic, NULL, L2O_OK, ALL_ARE_NEEDED), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_there_is_told),
      cmocka_unit_test(a_value_comes_from_the_gradient_where_there_is_no_other),
      cmocka_unit_test(hessian_vector_products_by_differences),
      cmocka_unit_test(what_is_missing_is_not_supported),
      cmocka_unit_test(failures_of_callbacks_have_one_name),
      cmocka_unit_test(tables_of_older_callers_are_shorter),
      cmocka_unit_test(freeing_twice_is_fine),
      cmocka_unit_test(derivatives_of_all_families_are_right),
      cmocka_unit_test(wrong_derivatives_are_found),
      cmocka_unit_test(wrong_proxes_and_summands_are_found),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
