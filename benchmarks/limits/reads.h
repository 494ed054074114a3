/* SPDX-License-Identifier: BSD-3-Clause */
/* What memory and caches give at most: loops that do nothing but move numbers, with the widest vectors of this processor. */
#ifndef BENCH_READS_H
#define BENCH_READS_H
#include "core/vector.h"

/* sum of x (n) */
L2O_KERNEL(l2o_real, bench_sum, (const l2o_real *x, size_t n));
static inline l2o_real bench_sum(const l2o_real *x, size_t n) {
  return L2O_DISPATCH(bench_sum, (x, n));
}

/* a = b + s c, (n): the triad of McCalpin's STREAM (1995) */
L2O_KERNEL(void, bench_triad, (l2o_real * a, const l2o_real *b, l2o_real s, const l2o_real *c, size_t n));
static inline void bench_triad(l2o_real *a, const l2o_real *b, l2o_real s, const l2o_real *c, size_t n) {
  L2O_DISPATCH(bench_triad, (a, b, s, c, n));
}
#endif
