/* SPDX-License-Identifier: BSD-3-Clause */
/* Normal numbers with random access, many at a time: for directions that are drawn, forgotten and drawn again. */
#ifndef L2O_CORE_NORMALS_H
#define L2O_CORE_NORMALS_H
#include <l2o/base.h>

/* out[0..n) = entries first, first + 1, ... of a sequence of independent N(0, 1) that is named by (seed, stream, index), drawn in
 * double. first is a multiple of 4 and first + n at most 2^34. Entry j depends on the name and on j alone. The words are those of
 * l2o_rng_seed(seed, stream, index), the numbers are not those of l2o_rng_normal(): 32 bits make one (|entry| < 6.8), by straight
 * code that the compiler vectorises. */
void l2o_normals(l2o_real *out, uint64_t seed, uint32_t stream, uint64_t index, size_t first, size_t n);
#endif
