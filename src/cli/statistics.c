/* SPDX-License-Identifier: BSD-3-Clause */
#include "statistics.h"
#include <l2o/random.h>
#include <math.h>
#include <stdlib.h>
#ifdef L2O_WITH_GSL
#include <gsl/gsl_sort_double.h>
#include <gsl/gsl_statistics_double.h>
#endif

enum { RESAMPLES = 1000 };

#ifdef L2O_WITH_GSL
static double finite_mean(const double *values, size_t count) {
  return gsl_stats_mean(values, 1, count);
}
static void sort_numbers(double *values, size_t count) {
  gsl_sort(values, 1, count);
}
static double finite_quantile(const double *sorted, size_t count, double p) {
  return gsl_stats_quantile_from_sorted_data(sorted, 1, count, p);
}
#else
static double finite_mean(const double *values, size_t count) {
  long double mean = 0;
  for (size_t i = 0; i < count; i++)
    mean += (values[i] - mean) / (long double)(i + 1);
  return (double)mean;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void sort_numbers(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare);
}

static double finite_quantile(const double *sorted, size_t count, double p) {
  double at = (double)(count - 1) * p;
  size_t i = (size_t)at;
  double share = at - (double)i;
  return i + 1 == count ? sorted[i] : (1 - share) * sorted[i] + share * sorted[i + 1];
}
#endif

double statistics_mean(const double *values, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!isfinite(values[i]))
      return HUGE_VAL;
  return finite_mean(values, count);
}

void statistics_sort(double *values, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (isnan(values[i]))
      values[i] = HUGE_VAL;
  sort_numbers(values, count);
}

double statistics_quantile(const double *sorted, size_t count, double p) {
  double at = (double)(count - 1) * p;
  size_t below = (size_t)at, above = at > (double)below ? below + 1 : below;
  if (isfinite(sorted[below]) && isfinite(sorted[above]))
    return above == below ? sorted[below] : finite_quantile(sorted, count, p);
  return isfinite(sorted[above]) ? sorted[below] : sorted[above]; /* interpolation would make not-a-number of it */
}

static double median(double *values, size_t count) {
  statistics_sort(values, count);
  return statistics_quantile(values, count, 0.5);
}

static double mean(double *values, size_t count) {
  return statistics_mean(values, count);
}

static interval bootstrap(const double *values, size_t count, uint64_t seed, double (*statistic)(double *, size_t)) {
  double *sample = calloc(count, sizeof *sample), *results = calloc(RESAMPLES, sizeof *results);
  interval answer = {nan(""), nan("")};
  if (sample && results) {
    l2o_rng rng;
    l2o_rng_seed(&rng, seed, 0xb007, 0);
    for (size_t r = 0; r < RESAMPLES; r++) {
      for (size_t i = 0; i < count; i++)
        sample[i] = values[(size_t)(((uint64_t)l2o_rng_word(&rng) * count) >> 32)];
      results[r] = statistic(sample, count);
    }
    statistics_sort(results, RESAMPLES);
    answer = (interval){statistics_quantile(results, RESAMPLES, 0.025), statistics_quantile(results, RESAMPLES, 0.975)};
  }
  free(sample);
  free(results);
  return answer;
}

interval statistics_mean_interval(const double *values, size_t count, uint64_t seed) {
  return bootstrap(values, count, seed, mean);
}
interval statistics_median_interval(const double *values, size_t count, uint64_t seed) {
  return bootstrap(values, count, seed, median);
}
