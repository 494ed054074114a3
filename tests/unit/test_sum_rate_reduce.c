/* SPDX-License-Identifier: BSD-3-Clause */
/* The smaller problem behind one with many antennas: the same rates, powers and runs. */
#include "l2o_fixtures.h"

#include "problems/sum_rate.h"

/* x after so many steps from the problem's start */
static l2o_real *after(const l2o_problem *p, const char *solver, size_t iterations) {
  l2o_real *x = malloc(p->n * sizeof *x);
  l2o_settings settings = l2o_settings_default();
  l2o_diag diag = {""};
  settings.iterations = iterations;
  assert_status(l2o_problem_start(p, x), L2O_OK, NULL);
  assert_status(l2o_minimize(solver_named(solver), NULL, p, x, NULL, &settings, &diag), L2O_OK, &diag);
  return x;
}

static const char *const SPECS[] = {"sum-rate:cells=2,users=2,tx=16,rx=2,snr_db=10",
                                    "sum-rate:cells=3,users=2,tx=64,rx=2,streams=1", "sum-rate:cells=1,users=1,tx=5,rx=1",
                                    "sum-rate:cells=2,users=9,tx=20,rx=1,weights=random",
                                    "sum-rate:cells=3,users=1,tx=24,rx=3,start=random,snr_db=0"};

static void the_smaller_problem_is_the_same(void **state) {
  (void)state;
  const char *const solvers[] = {"wmmse", "fastfp", "projected-gradient"};
  const double tolerance = BY_PRECISION(1e-10, 2e-4);
  for (size_t i = 0; i < sizeof SPECS / sizeof *SPECS; i++) {
    l2o_problem p = sampled(SPECS[i], 5, 1), small;
    l2o_diag diag = {""};
    assert_status(l2o_sum_rate_reduced(&small, &p, &diag), L2O_OK, &diag);
    const l2o_sum_rate *d = l2o_sum_rate_of(&p), *s = l2o_sum_rate_of(&small);
    assert_true(s->sizes.tx == d->n * d->sizes.rx && s->sizes.tx < d->sizes.tx && s->noise == d->noise && s->power == d->power);
    for (size_t k = 0; k < 3; k++) {
      l2o_real *x = after(&p, solvers[k], 6), *y = after(&small, solvers[k], 6), *expanded = malloc(p.n * sizeof *expanded);
      assert_status(l2o_sum_rate_expand(expanded, &p, &small, y), L2O_OK, NULL);
      assert_close(value_at(&small, y), value_at(&p, expanded), tolerance, tolerance);
      for (size_t j = 0; j < d->sizes.cells; j++) { /* powers */
        double big = 0, little = 0;
        for (size_t e = j * l2o_rate_block(d); e < (j + 1) * l2o_rate_block(d); e++)
          big += (double)expanded[e] * (double)expanded[e];
        for (size_t e = j * l2o_rate_block(s); e < (j + 1) * l2o_rate_block(s); e++)
          little += (double)y[e] * (double)y[e];
        assert_close(big, little, tolerance, 0);
      }
      if (i < 4) /* a start of any direction is not heard with all of its power, and the runs differ */
        for (size_t e = 0; e < p.n; e++)
          assert_close(expanded[e], x[e], 0, 1e3 * tolerance);
      free(x), free(y), free(expanded);
    }
    l2o_problem_free(&small);
    l2o_problem_free(&p);
  }
}

/* A user whose channels are those of one of the other cell, and one that hears nothing: rows that depend on others. */
static void dependent_channels(void **state) {
  (void)state;
  enum { N = 4, TX = 7, EACH = 2 * TX };
  const l2o_sum_rate_sizes sizes = {.cells = 2, .users = 2, .tx = TX, .rx = 1, .streams = 1};
  l2o_real H[N * 2 * EACH];
  normal_reals(H, N * 2 * EACH, 8);
  memcpy(H + 2 * 2 * EACH, H, 2 * EACH * sizeof *H);
  memset(H + 3 * 2 * EACH, 0, 2 * EACH * sizeof *H);
  l2o_problem p, small;
  l2o_diag diag;
  assert_status(l2o_sum_rate_new(&p, H, NULL, NULL, 1, 10, &sizes, &diag), L2O_OK, &diag);
  assert_status(l2o_sum_rate_reduced(&small, &p, &diag), L2O_OK, &diag);
  l2o_real *x = after(&p, "fastfp", 20), *y = after(&small, "fastfp", 20), *expanded = malloc(p.n * sizeof *expanded);
  assert_status(l2o_sum_rate_expand(expanded, &p, &small, y), L2O_OK, NULL);
  const double tolerance = BY_PRECISION(1e-8, 1e-3);
  assert_close(value_at(&p, expanded), value_at(&p, x), tolerance, 0);
  assert_close(value_at(&p, expanded), value_at(&small, y), tolerance, 0);
  free(x), free(y), free(expanded);
  l2o_problem_free(&small);
  l2o_problem_free(&p);
}

static void what_has_no_smaller_problem(void **state) {
  (void)state;
  l2o_problem p = sampled("sum-rate:tx=12", 1, 0), small, other = sampled("qp", 1, 0), many = sampled("sum-rate:tx=13", 1, 0);
  l2o_diag diag;
  assert_status(l2o_sum_rate_reduced(&small, &p, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "12 receive antennas in all and tx = 12");
  assert_true(small.ops == NULL);
  assert_status(l2o_sum_rate_reduced(&small, &other, &diag), L2O_ERR_NOTSUP, NULL);
  assert_names(&diag, "family sum-rate");
  assert_status(l2o_sum_rate_reduced(&small, &many, &diag), L2O_OK, &diag);
  l2o_real *x = malloc(many.n * sizeof *x), *y = calloc(small.n, sizeof *y);
  assert_status(l2o_sum_rate_expand(x, &small, &many, y), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_sum_rate_expand(x, &other, &small, y), L2O_ERR_SHAPE, NULL);
  assert_status(l2o_sum_rate_expand(x, &many, &small, y), L2O_OK, NULL);
  assert_true(x[0] == 0);
  free(x), free(y);
  l2o_problem_free(&small);
  l2o_problem_free(&many);
  l2o_problem_free(&other);
  l2o_problem_free(&p);
}

/* The family's option, which leaves problems alone that have no smaller one. */
static void families_reduce(void **state) {
  (void)state;
  l2o_problem whole = sampled("sum-rate:tx=20", 3, 2), small = sampled("sum-rate:tx=20,reduced=true", 3, 2);
  l2o_problem same = sampled("sum-rate:tx=8,reduced=true", 3, 2);
  assert_true(small.n == 2 * 6 * 12 * 2 && same.n == 2 * 6 * 8 * 2);
  l2o_real *x = after(&whole, "wmmse", 3), *y = after(&small, "wmmse", 3);
  assert_close(value_at(&whole, x), value_at(&small, y), BY_PRECISION(1e-10, 2e-4), 0);
  free(x), free(y);
  l2o_problem_free(&whole);
  l2o_problem_free(&small);
  l2o_problem_free(&same);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_smaller_problem_is_the_same),
      cmocka_unit_test(dependent_channels),
      cmocka_unit_test(what_has_no_smaller_problem),
      cmocka_unit_test(families_reduce),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
