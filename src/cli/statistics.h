/* SPDX-License-Identifier: BSD-3-Clause */
/* Means, quantiles and how far to trust them. Not-a-number counts as infinity: a run that broke down is the worst there is. */
#ifndef L2O_CLI_STATISTICS_H
#define L2O_CLI_STATISTICS_H
#include <stddef.h>
#include <stdint.h>

/* Infinite as soon as one value is not finite. */
double statistics_mean(const double *values, size_t count);
/* Sorts in place, and turns not-a-number into infinity. */
void statistics_sort(double *values, size_t count);
/* Linear interpolation at (count - 1) p between neighbours of a sorted array, as GSL, R (type 7) and NumPy do. */
double statistics_quantile(const double *sorted, size_t count, double p);

typedef struct interval {
  double low, high;
} interval;
/* 95 % bootstrap percentile intervals (1000 resamples) of the mean and of the median. The same seed gives the same intervals. */
interval statistics_mean_interval(const double *values, size_t count, uint64_t seed);
interval statistics_median_interval(const double *values, size_t count, uint64_t seed);
#endif
