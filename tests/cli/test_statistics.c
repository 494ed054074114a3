/* SPDX-License-Identifier: BSD-3-Clause */
#include "l2o_test.h"
#include "statistics.h"

static void test_quantiles(void **state) {
  (void)state;
  double v[] = {4, 1, 3, 2};
  statistics_sort(v, 4);
  assert_close(statistics_quantile(v, 4, 0), 1, 0, 0);
  assert_close(statistics_quantile(v, 4, 0.5), 2.5, 1e-15, 0);
  assert_close(statistics_quantile(v, 4, 0.1), 1.3, 1e-15, 0); /* numpy.quantile([1, 2, 3, 4], 0.1) */
  assert_close(statistics_quantile(v, 4, 1), 4, 0, 0);
  assert_close(statistics_quantile(v, 1, 0.9), 1, 0, 0);
}

/* Runs that broke down are the worst, and poison no better quantile. */
static void test_not_finite(void **state) {
  (void)state;
  double v[] = {nan(""), 2, HUGE_VAL, 1, 3};
  assert_close(statistics_mean(v, 5), HUGE_VAL, 0, 0);
  statistics_sort(v, 5);
  assert_close(statistics_quantile(v, 5, 0.25), 2, 0, 0);
  assert_close(statistics_quantile(v, 5, 0.5), 3, 0, 0);
  assert_close(statistics_quantile(v, 5, 0.6), HUGE_VAL, 0, 0);
  assert_close(statistics_quantile(v, 5, 0.9), HUGE_VAL, 0, 0);
}

static void test_intervals(void **state) {
  (void)state;
  double v[400];
  for (int i = 0; i < 400; i++)
    v[i] = i;
  assert_close(statistics_mean(v, 400), 199.5, 1e-14, 0);
  interval mean = statistics_mean_interval(v, 400, 1), again = statistics_mean_interval(v, 400, 1),
           median = statistics_median_interval(v, 400, 1);
  /* The mean has the standard error 400 / sqrt(12 * 400) = 5.77, times 1.96; the median the one of 400 / (2 sqrt(400)) = 10. */
  assert_close(mean.low, 199.5 - 11.3, 0, 1.5);
  assert_close(mean.high, 199.5 + 11.3, 0, 1.5);
  assert_close(median.low, 199.5 - 19.6, 0, 4);
  assert_close(median.high, 199.5 + 19.6, 0, 4);
  assert_close(again.low, mean.low, 0, 0);
  interval one = statistics_mean_interval(v + 7, 1, 1);
  assert_close(one.low, 7, 0, 0);
  assert_close(one.high, 7, 0, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_quantiles), cmocka_unit_test(test_not_finite),
                                     cmocka_unit_test(test_intervals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
