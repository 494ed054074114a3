/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels for several instruction sets. A kernel stands once, in a file NAME.simd.c, written with the vectors of core/simd.h and
 * named L2O_HERE(l2o_kernel). The build compiles such a file once for every instruction set of the architecture; callers call
 * l2o_kernel(), which takes the widest that the processor has. In its header:
 *
 *   L2O_KERNEL(void, l2o_scale, (l2o_real *y, l2o_real a, size_t n));              declares l2o_scale_avx512() and its kin
 *   static inline void l2o_scale(l2o_real *y, l2o_real a, size_t n) {
 *     L2O_DISPATCH(l2o_scale, (y, a, n));
 *   }
 *
 * One build gives the same bits on one processor every time; between instruction sets the last bits differ. L2O_VECTOR_MAX (0
 * portable, 1 AVX2 with FMA, 2 AVX-512) bounds the choice: CMake's -DL2O_VECTOR=portable|avx2|avx512. */
#ifndef L2O_CORE_VECTOR_H
#define L2O_CORE_VECTOR_H
#include <l2o/base.h>

#if L2O_VECTOR_MAX >= 1
#define L2O_HAS_AVX2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#endif
#if L2O_VECTOR_MAX >= 2
#define L2O_HAS_AVX512                                                                                                             \
  (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&                \
   __builtin_cpu_supports("avx512vl") && L2O_HAS_AVX2)
#define L2O_KERNEL(returns, name, parameters)                                                                                      \
  returns name##_avx512 parameters;                                                                                                \
  returns name##_avx2 parameters;                                                                                                  \
  returns name##_portable parameters
#define L2O_DISPATCH(name, arguments)                                                                                              \
  (L2O_HAS_AVX512 ? name##_avx512 arguments : L2O_HAS_AVX2 ? name##_avx2 arguments : name##_portable arguments)
#elif L2O_VECTOR_MAX == 1
#define L2O_KERNEL(returns, name, parameters)                                                                                      \
  returns name##_avx2 parameters;                                                                                                  \
  returns name##_portable parameters
#define L2O_DISPATCH(name, arguments) (L2O_HAS_AVX2 ? name##_avx2 arguments : name##_portable arguments)
#else
#define L2O_KERNEL(returns, name, parameters) returns name##_portable parameters
#define L2O_DISPATCH(name, arguments) name##_portable arguments
#endif

/* The least number of reals that is `count` or more and fills cache lines: from what begins on one, vectors come twice as fast as
 * across two. */
static inline size_t l2o_whole_lines(size_t count) {
  const size_t reals = 64 / sizeof(l2o_real);
  return (count + reals - 1) / reals * reals;
}
#endif
