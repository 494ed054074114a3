/* SPDX-License-Identifier: BSD-3-Clause */
/* Normal numbers with random access, many at a time: for directions that are drawn, forgotten and drawn again. */
#ifndef L2O_CORE_NORMALS_H
#define L2O_CORE_NORMALS_H
#include "core/vector.h"

/* out[i] = base[i] + scale z_i, i < n, with z_0, z_1, ... = entries first, first + 1, ... of a sequence of independent N(0, 1) that
 * is named by (seed, stream, index). base may be out. first is a multiple of 4 and first + n at most 2^34. Entry j depends on the
 * name and on j alone. The words are those of l2o_rng_seed(seed, stream, index), the numbers are not those of l2o_rng_normal(): 32
 * bits make one, by straight code that the compiler vectorises. In double |z| < 6.8; in single precision 23 of the bits are used,
 * |z| < 5.8. */
L2O_KERNEL(void, l2o_normals_add,
           (l2o_real * out, const l2o_real *base, l2o_real scale, uint64_t seed, uint32_t stream, uint64_t index, size_t first,
            size_t n));
static inline void l2o_normals_add(l2o_real *out, const l2o_real *base, l2o_real scale, uint64_t seed, uint32_t stream,
                                   uint64_t index, size_t first, size_t n) {
  L2O_DISPATCH(l2o_normals_add, (out, base, scale, seed, stream, index, first, n));
}

/* out[i] = z_i */
L2O_KERNEL(void, l2o_normals, (l2o_real * out, uint64_t seed, uint32_t stream, uint64_t index, size_t first, size_t n));
static inline void l2o_normals(l2o_real *out, uint64_t seed, uint32_t stream, uint64_t index, size_t first, size_t n) {
  L2O_DISPATCH(l2o_normals, (out, seed, stream, index, first, n));
}
#endif
