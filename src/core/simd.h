/* SPDX-License-Identifier: BSD-3-Clause */
/* The vectors that kernels are written with; only for files NAME.simd.c, see core/vector.h. For AVX-512, AVX2 with FMA, and one
 * lane of plain C:
 *
 *   vd  VD doubles (8, 4, 1)          vf  VF floats (16, 8, 1)          vi  VD 32-bit integers, indices that go with a vd
 *   vu  VF unsigned 32-bit integers
 *   vr  VR reals: a vd or a vf, whichever l2o_real is
 *
 * Names are vX_operation. Tails take the same instructions as whole vectors: vX_load_part(p, count) reads the first `count` lanes,
 * 1 <= count <= lanes, touches no memory behind them, and leaves zeros in the others; vX_store_part() writes as many.
 * Kernels contain no loop that depends on the number of lanes but through VR, VD and VF. */
#ifndef L2O_CORE_SIMD_H
#define L2O_CORE_SIMD_H
#include <l2o/base.h>
#include <math.h>
#include <sleef.h>
#include <string.h>

/* brings the cache line at p into the second-level cache; p may be any address */
#define simd_fetch(p) __builtin_prefetch((p), 0, 2)

/* a table, one operation a line: */
/* clang-format off */
#define SIMD(type) static inline __attribute__((always_inline, unused)) type

#if defined L2O_ISA_AVX512
#include <immintrin.h>
#define L2O_HERE(name) name##_avx512
enum { VD = 8, VF = 16 };
typedef __m512d vd;
typedef __m512 vf;
typedef __m256i vi;
typedef __mmask8 vd_mask;
typedef __mmask16 vf_mask;

SIMD(__mmask8) vd_first(size_t count) { return (__mmask8)((1u << count) - 1); }
SIMD(__mmask16) vf_first(size_t count) { return (__mmask16)((1u << count) - 1); }

SIMD(vd) vd_zero(void) { return _mm512_setzero_pd(); }
SIMD(vd) vd_set(double a) { return _mm512_set1_pd(a); }
SIMD(vd) vd_load(const double *p) { return _mm512_loadu_pd(p); }
SIMD(vd) vd_load_part(const double *p, size_t count) { return _mm512_maskz_loadu_pd(vd_first(count), p); }
SIMD(void) vd_store(double *p, vd a) { _mm512_storeu_pd(p, a); }
SIMD(void) vd_store_part(double *p, vd a, size_t count) { _mm512_mask_storeu_pd(p, vd_first(count), a); }
SIMD(vd) vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
SIMD(vd) vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
/* a as it is, and in a register from here on: gcc likes to load an operand again for every use */
SIMD(vd) vd_keep(vd a) { __asm__("" : "+v"(a)); return a; }
SIMD(vd) vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
SIMD(vd) vd_div(vd a, vd b) { return _mm512_div_pd(a, b); }
SIMD(vd) vd_sqrt(vd a) { return _mm512_sqrt_pd(a); }
SIMD(vd) vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }   /* a b + c */
SIMD(vd) vd_fnma(vd a, vd b, vd c) { return _mm512_fnmadd_pd(a, b, c); } /* c - a b */
SIMD(vd) vd_min(vd a, vd b) { return _mm512_min_pd(a, b); }              /* b where one is not a number, also below */
SIMD(vd) vd_max(vd a, vd b) { return _mm512_max_pd(a, b); }
SIMD(vd) vd_abs(vd a) { return _mm512_abs_pd(a); }
/* of the bits of a the lowest 11 as exponent, 8 of a vf: 2^(k - bias) where they hold k, 0 and infinity at the ends */
SIMD(vd) vd_power(vd a) { return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), 52)); }
SIMD(double) vd_sum(vd a) { return _mm512_reduce_add_pd(a); }
SIMD(void) vd_sum4(double *p, const vd *a) { /* p[0..3] = the sums of a[0..3] */
  const __m512d b = _mm512_add_pd(_mm512_unpacklo_pd(a[0], a[1]), _mm512_unpackhi_pd(a[0], a[1]));
  const __m512d c = _mm512_add_pd(_mm512_unpacklo_pd(a[2], a[3]), _mm512_unpackhi_pd(a[2], a[3]));
  const __m256d d = _mm256_add_pd(_mm512_castpd512_pd256(b), _mm512_extractf64x4_pd(b, 1));
  const __m256d e = _mm256_add_pd(_mm512_castpd512_pd256(c), _mm512_extractf64x4_pd(c, 1));
  _mm256_storeu_pd(p, _mm256_add_pd(_mm256_permute2f128_pd(d, e, 0x20), _mm256_permute2f128_pd(d, e, 0x31)));
}
SIMD(vd_mask) vd_lt(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
SIMD(vd_mask) vd_le(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
SIMD(vd_mask) vd_eq(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
SIMD(vd) vd_select(vd_mask m, vd yes, vd no) { return _mm512_mask_blend_pd(m, no, yes); }
SIMD(bool) vd_any(vd_mask m) { return m != 0; }
SIMD(uint64_t) vd_bits(vd_mask m) { return m; } /* bit i: lane i */
SIMD(vd) vd_quotient(vd a, vd b) { return _mm512_mul_pd(a, _mm512_rcp14_pd(b)); } /* a / b to 2^-13 of it, or better */
/* a / b within 1 unit in the last place, for b from 2^-100 to 2^100, without the divider, which may be busy */
SIMD(vd) vd_div_beside(vd a, vd b) {
  vd r = _mm512_rcp14_pd(b);
  r = vd_fma(r, vd_fnma(b, r, vd_set(1)), r);
  r = vd_fma(r, vd_fnma(b, r, vd_set(1)), r);
  const vd q = vd_mul(a, r);
  return vd_fma(vd_fnma(b, q, a), r, q);
}
SIMD(vd) vd_gather(const double *table, vi index) { return _mm512_i32gather_pd(index, table, 8); }
SIMD(vi) vd_to_int(vd a) { return _mm512_cvttpd_epi32(a); } /* towards zero */
SIMD(vi) vi_gather(const int32_t *table, vi index) { return _mm256_i32gather_epi32(table, index, 4); }
SIMD(vi) vi_set(int32_t a) { return _mm256_set1_epi32(a); }
SIMD(vi) vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
SIMD(vi) vi_count(vi a, vd_mask m) { return _mm256_mask_add_epi32(a, m, a, _mm256_set1_epi32(1)); } /* a + 1 where m */
SIMD(vi) vi_add_where(vi a, vd_mask m, vi b) { return _mm256_mask_add_epi32(a, m, a, b); }
SIMD(vi) vi_min(vi a, vi b) { return _mm256_min_epi32(a, b); }
SIMD(vi) vi_load(const int32_t *p) { return _mm256_loadu_si256((const void *)p); }
SIMD(vi) vi_load_part(const int32_t *p, size_t count) { return _mm256_maskz_loadu_epi32(vd_first(count), p); }
SIMD(void) vi_store(int32_t *p, vi a) { _mm256_storeu_si256((void *)p, a); }
SIMD(void) vi_store_part(int32_t *p, vi a, size_t count) { _mm256_mask_storeu_epi32(p, vd_first(count), a); }

SIMD(vf) vf_zero(void) { return _mm512_setzero_ps(); }
SIMD(vf) vf_set(float a) { return _mm512_set1_ps(a); }
SIMD(vf) vf_load(const float *p) { return _mm512_loadu_ps(p); }
SIMD(vf) vf_load_part(const float *p, size_t count) { return _mm512_maskz_loadu_ps(vf_first(count), p); }
SIMD(void) vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
SIMD(void) vf_store_part(float *p, vf a, size_t count) { _mm512_mask_storeu_ps(p, vf_first(count), a); }
SIMD(vf) vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
SIMD(vf) vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
SIMD(vf) vf_keep(vf a) { __asm__("" : "+v"(a)); return a; }
SIMD(vf) vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
SIMD(vf) vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
SIMD(vf) vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
SIMD(vf) vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
SIMD(vf) vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
SIMD(vf) vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
SIMD(vf) vf_abs(vf a) { return _mm512_abs_ps(a); }
SIMD(vf) vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
SIMD(vf) vf_power(vf a) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23)); }
SIMD(void) vf_sum4(float *p, const vf *a) {
  const __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(a[0], a[1]), _mm512_unpackhi_ps(a[0], a[1]));
  const __m512 c = _mm512_add_ps(_mm512_unpacklo_ps(a[2], a[3]), _mm512_unpackhi_ps(a[2], a[3]));
  const __m512d d = _mm512_castps_pd(b), e = _mm512_castps_pd(c);
  const __m512 f = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(d, e)), _mm512_castpd_ps(_mm512_unpackhi_pd(d, e)));
  const __m256 g = _mm256_add_ps(_mm512_castps512_ps256(f), _mm512_extractf32x8_ps(f, 1));
  _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(g), _mm256_extractf128_ps(g, 1)));
}
SIMD(vf) vf_div_beside(vf a, vf b) {
  vf r = _mm512_rcp14_ps(b);
  r = vf_fma(r, vf_fnma(b, r, vf_set(1)), r);
  const vf q = vf_mul(a, r);
  return vf_fma(vf_fnma(b, q, a), r, q);
}
SIMD(vf_mask) vf_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
SIMD(vf_mask) vf_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
SIMD(vf) vf_select(vf_mask m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }

/* VD reals as doubles, and doubles rounded to reals */
SIMD(vd) vd_from_floats(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
SIMD(vd) vd_from_floats_part(const float *p, size_t count) { return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(vd_first(count), p)); }
SIMD(void) vd_to_floats(float *p, vd a) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(a)); }
SIMD(void) vd_to_floats_part(float *p, vd a, size_t count) { _mm256_mask_storeu_ps(p, vd_first(count), _mm512_cvtpd_ps(a)); }

/* a[i] lane j <-> a[j] lane i, as many vectors as lanes */
SIMD(void) simd_quarters(__m512d *a, size_t by) { /* the same of the quarters of a[0], a[by], a[2 by], a[3 by] */
  const __m512d b = _mm512_shuffle_f64x2(a[0], a[by], 0x44), c = _mm512_shuffle_f64x2(a[0], a[by], 0xee);
  const __m512d d = _mm512_shuffle_f64x2(a[2 * by], a[3 * by], 0x44), e = _mm512_shuffle_f64x2(a[2 * by], a[3 * by], 0xee);
  a[0] = _mm512_shuffle_f64x2(b, d, 0x88), a[by] = _mm512_shuffle_f64x2(b, d, 0xdd);
  a[2 * by] = _mm512_shuffle_f64x2(c, e, 0x88), a[3 * by] = _mm512_shuffle_f64x2(c, e, 0xdd);
}
SIMD(void) vd_transpose(vd *a) {
  for (int i = 0; i < 8; i += 2) {
    const vd low = _mm512_unpacklo_pd(a[i], a[i + 1]);
    a[i + 1] = _mm512_unpackhi_pd(a[i], a[i + 1]), a[i] = low;
  }
  simd_quarters(a, 2), simd_quarters(a + 1, 2);
}
SIMD(void) vf_transpose(vf *a) {
  __m512d q[16];
  for (int i = 0; i < 16; i += 4) {
    const __m512d b = _mm512_castps_pd(_mm512_unpacklo_ps(a[i], a[i + 1])), c = _mm512_castps_pd(_mm512_unpackhi_ps(a[i], a[i + 1]));
    const __m512d d = _mm512_castps_pd(_mm512_unpacklo_ps(a[i + 2], a[i + 3])),
                  e = _mm512_castps_pd(_mm512_unpackhi_ps(a[i + 2], a[i + 3]));
    q[i] = _mm512_unpacklo_pd(b, d), q[i + 1] = _mm512_unpackhi_pd(b, d);
    q[i + 2] = _mm512_unpacklo_pd(c, e), q[i + 3] = _mm512_unpackhi_pd(c, e);
  }
  for (int k = 0; k < 4; k++)
    simd_quarters(q + k, 4);
  for (int i = 0; i < 16; i++)
    a[i] = _mm512_castpd_ps(q[i]);
}

SIMD(vd) vd_exp(vd a) { return Sleef_finz_expd8_u10avx512f(a); }
SIMD(vf) vf_exp(vf a) { return Sleef_finz_expf16_u10avx512f(a); }
SIMD(vd) vd_tanh(vd a) { return Sleef_finz_tanhd8_u10avx512f(a); }
SIMD(vf) vf_tanh(vf a) { return Sleef_finz_tanhf16_u10avx512f(a); }
SIMD(vd) vd_tanh_quick(vd a) { return Sleef_finz_tanhd8_u35avx512f(a); } /* within 3.5 units in the last place, the others within 1.0 */
SIMD(vf) vf_tanh_quick(vf a) { return Sleef_finz_tanhf16_u35avx512f(a); }
SIMD(vd) vd_expm1(vd a) { return Sleef_finz_expm1d8_u10avx512f(a); }
SIMD(vf) vf_expm1(vf a) { return Sleef_finz_expm1f16_u10avx512f(a); }
SIMD(vd) vd_log1p(vd a) { return Sleef_finz_log1pd8_u10avx512f(a); }
SIMD(vf) vf_log1p(vf a) { return Sleef_finz_log1pf16_u10avx512f(a); }
SIMD(vd) vd_erf(vd a) { return Sleef_finz_erfd8_u10avx512f(a); }
SIMD(vf) vf_erf(vf a) { return Sleef_finz_erff16_u10avx512f(a); }

/* p[4 i + j] = lane i of a_j, i < lanes */
SIMD(void) vd_store4(double *p, vd a, vd b, vd c, vd d) {
  const __m512d w = _mm512_unpacklo_pd(a, b), x = _mm512_unpacklo_pd(c, d), y = _mm512_unpackhi_pd(a, b), z = _mm512_unpackhi_pd(c, d);
  const __m512d q = _mm512_shuffle_f64x2(w, x, 0x44), r = _mm512_shuffle_f64x2(y, z, 0x44);
  const __m512d s = _mm512_shuffle_f64x2(w, x, 0xee), t = _mm512_shuffle_f64x2(y, z, 0xee);
  _mm512_storeu_pd(p, _mm512_shuffle_f64x2(q, r, 0x88));
  _mm512_storeu_pd(p + 8, _mm512_shuffle_f64x2(q, r, 0xdd));
  _mm512_storeu_pd(p + 16, _mm512_shuffle_f64x2(s, t, 0x88));
  _mm512_storeu_pd(p + 24, _mm512_shuffle_f64x2(s, t, 0xdd));
}
SIMD(void) vf_store4(float *p, vf a, vf b, vf c, vf d) {
  const __m512d ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)), cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
  const __m512d AB = _mm512_castps_pd(_mm512_unpackhi_ps(a, b)), CD = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
  const __m512 w = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), x = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
  const __m512 y = _mm512_castpd_ps(_mm512_unpacklo_pd(AB, CD)), z = _mm512_castpd_ps(_mm512_unpackhi_pd(AB, CD));
  const __m512 q = _mm512_shuffle_f32x4(w, x, 0x44), r = _mm512_shuffle_f32x4(y, z, 0x44);
  const __m512 s = _mm512_shuffle_f32x4(w, x, 0xee), t = _mm512_shuffle_f32x4(y, z, 0xee);
  _mm512_storeu_ps(p, _mm512_shuffle_f32x4(q, r, 0x88));
  _mm512_storeu_ps(p + 16, _mm512_shuffle_f32x4(q, r, 0xdd));
  _mm512_storeu_ps(p + 32, _mm512_shuffle_f32x4(s, t, 0x88));
  _mm512_storeu_ps(p + 48, _mm512_shuffle_f32x4(s, t, 0xdd));
}

typedef __m512i vu;
SIMD(vu) vu_set(uint32_t a) { return _mm512_set1_epi32((int)a); }
SIMD(vu) vu_count(uint32_t first) { /* first, first + 1, ... */
  return _mm512_add_epi32(_mm512_set1_epi32((int)first), _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
}
SIMD(void) vu_store(uint32_t *p, vu a) { _mm512_storeu_si512(p, a); }
SIMD(vu) vu_xor3(vu a, vu b, vu c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
SIMD(void) vu_mul(vu *high, vu *low, vu a, vu b) { /* 2^32 high + low = a b */
  const __m512i even = _mm512_mul_epu32(a, b), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
  *high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
  *low = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}

#elif defined L2O_ISA_AVX2
#include <immintrin.h>
#define L2O_HERE(name) name##_avx2
enum { VD = 4, VF = 8 };
typedef __m256d vd;
typedef __m256 vf;
typedef __m128i vi;
typedef __m256d vd_mask;
typedef __m256 vf_mask;

/* all ones in the first `count` lanes: a window on eight ones and eight zeros */
static const int32_t simd_window[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
SIMD(__m256i) vf_first(size_t count) { return _mm256_loadu_si256((const void *)(simd_window + 8 - count)); }
SIMD(__m128i) vi_first(size_t count) { return _mm_loadu_si128((const void *)(simd_window + 8 - count)); }
SIMD(__m256i) vd_first(size_t count) { return _mm256_cvtepi32_epi64(vi_first(count)); }

SIMD(vd) vd_zero(void) { return _mm256_setzero_pd(); }
SIMD(vd) vd_set(double a) { return _mm256_set1_pd(a); }
SIMD(vd) vd_load(const double *p) { return _mm256_loadu_pd(p); }
SIMD(vd) vd_load_part(const double *p, size_t count) { return _mm256_maskload_pd(p, vd_first(count)); }
SIMD(void) vd_store(double *p, vd a) { _mm256_storeu_pd(p, a); }
SIMD(void) vd_store_part(double *p, vd a, size_t count) { _mm256_maskstore_pd(p, vd_first(count), a); }
SIMD(vd) vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
SIMD(vd) vd_sub(vd a, vd b) { return _mm256_sub_pd(a, b); }
SIMD(vd) vd_keep(vd a) { __asm__("" : "+x"(a)); return a; }
SIMD(vd) vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
SIMD(vd) vd_div(vd a, vd b) { return _mm256_div_pd(a, b); }
SIMD(vd) vd_sqrt(vd a) { return _mm256_sqrt_pd(a); }
SIMD(vd) vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
SIMD(vd) vd_fnma(vd a, vd b, vd c) { return _mm256_fnmadd_pd(a, b, c); }
SIMD(vd) vd_min(vd a, vd b) { return _mm256_min_pd(a, b); }
SIMD(vd) vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }
SIMD(vd) vd_abs(vd a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
SIMD(vd) vd_power(vd a) { return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), 52)); }
SIMD(double) vd_sum(vd a) {
  const __m128d b = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
  return _mm_cvtsd_f64(_mm_add_sd(b, _mm_unpackhi_pd(b, b)));
}
SIMD(void) vd_sum4(double *p, const vd *a) {
  const __m256d b = _mm256_add_pd(_mm256_unpacklo_pd(a[0], a[1]), _mm256_unpackhi_pd(a[0], a[1]));
  const __m256d c = _mm256_add_pd(_mm256_unpacklo_pd(a[2], a[3]), _mm256_unpackhi_pd(a[2], a[3]));
  _mm256_storeu_pd(p, _mm256_add_pd(_mm256_permute2f128_pd(b, c, 0x20), _mm256_permute2f128_pd(b, c, 0x31)));
}
SIMD(vd_mask) vd_lt(vd a, vd b) { return _mm256_cmp_pd(a, b, _CMP_LT_OQ); }
SIMD(vd_mask) vd_le(vd a, vd b) { return _mm256_cmp_pd(a, b, _CMP_LE_OQ); }
SIMD(vd_mask) vd_eq(vd a, vd b) { return _mm256_cmp_pd(a, b, _CMP_EQ_OQ); }
SIMD(vd) vd_select(vd_mask m, vd yes, vd no) { return _mm256_blendv_pd(no, yes, m); }
SIMD(bool) vd_any(vd_mask m) { return _mm256_movemask_pd(m) != 0; }
SIMD(uint64_t) vd_bits(vd_mask m) { return (uint64_t)_mm256_movemask_pd(m); }
SIMD(vd) vd_quotient(vd a, vd b) { return _mm256_div_pd(a, b); }
SIMD(vd) vd_div_beside(vd a, vd b) { return _mm256_div_pd(a, b); }
SIMD(vd) vd_gather(const double *table, vi index) { return _mm256_i32gather_pd(table, index, 8); }
SIMD(vi) vd_to_int(vd a) { return _mm256_cvttpd_epi32(a); }
SIMD(vi) vi_gather(const int32_t *table, vi index) { return _mm_i32gather_epi32(table, index, 4); }
SIMD(vi) vi_set(int32_t a) { return _mm_set1_epi32(a); }
SIMD(vi) vi_add(vi a, vi b) { return _mm_add_epi32(a, b); }
SIMD(vi) vi_from_mask(vd_mask m) { /* -1 where m: the lower halves of its lanes, brought together */
  const __m256i lanes = _mm256_permutevar8x32_epi32(_mm256_castpd_si256(m), _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  return _mm256_castsi256_si128(lanes);
}
SIMD(vi) vi_count(vi a, vd_mask m) { return _mm_sub_epi32(a, vi_from_mask(m)); }
SIMD(vi) vi_add_where(vi a, vd_mask m, vi b) { return _mm_add_epi32(a, _mm_and_si128(vi_from_mask(m), b)); }
SIMD(vi) vi_min(vi a, vi b) { return _mm_min_epi32(a, b); }
SIMD(vi) vi_load(const int32_t *p) { return _mm_loadu_si128((const void *)p); }
SIMD(vi) vi_load_part(const int32_t *p, size_t count) { return _mm_maskload_epi32(p, vi_first(count)); }
SIMD(void) vi_store(int32_t *p, vi a) { _mm_storeu_si128((void *)p, a); }
SIMD(void) vi_store_part(int32_t *p, vi a, size_t count) { _mm_maskstore_epi32(p, vi_first(count), a); }

SIMD(vf) vf_zero(void) { return _mm256_setzero_ps(); }
SIMD(vf) vf_set(float a) { return _mm256_set1_ps(a); }
SIMD(vf) vf_load(const float *p) { return _mm256_loadu_ps(p); }
SIMD(vf) vf_load_part(const float *p, size_t count) { return _mm256_maskload_ps(p, vf_first(count)); }
SIMD(void) vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
SIMD(void) vf_store_part(float *p, vf a, size_t count) { _mm256_maskstore_ps(p, vf_first(count), a); }
SIMD(vf) vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
SIMD(vf) vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
SIMD(vf) vf_keep(vf a) { __asm__("" : "+x"(a)); return a; }
SIMD(vf) vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
SIMD(vf) vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
SIMD(vf) vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
SIMD(vf) vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
SIMD(vf) vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
SIMD(vf) vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
SIMD(vf) vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
SIMD(vf) vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
SIMD(vf) vf_power(vf a) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23)); }
SIMD(void) vf_sum4(float *p, const vf *a) {
  const __m256 b = _mm256_add_ps(_mm256_unpacklo_ps(a[0], a[1]), _mm256_unpackhi_ps(a[0], a[1]));
  const __m256 c = _mm256_add_ps(_mm256_unpacklo_ps(a[2], a[3]), _mm256_unpackhi_ps(a[2], a[3]));
  const __m256d d = _mm256_castps_pd(b), e = _mm256_castps_pd(c);
  const __m256 f = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(d, e)), _mm256_castpd_ps(_mm256_unpackhi_pd(d, e)));
  _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(f), _mm256_extractf128_ps(f, 1)));
}
SIMD(vf) vf_div_beside(vf a, vf b) { return _mm256_div_ps(a, b); }
SIMD(vf_mask) vf_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
SIMD(vf_mask) vf_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
SIMD(vf) vf_select(vf_mask m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }

SIMD(vd) vd_from_floats(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
SIMD(vd) vd_from_floats_part(const float *p, size_t count) { return _mm256_cvtps_pd(_mm_maskload_ps(p, vi_first(count))); }
SIMD(void) vd_to_floats(float *p, vd a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a)); }
SIMD(void) vd_to_floats_part(float *p, vd a, size_t count) { _mm_maskstore_ps(p, vi_first(count), _mm256_cvtpd_ps(a)); }

SIMD(void) vd_transpose(vd *a) {
  const vd b = _mm256_unpacklo_pd(a[0], a[1]), c = _mm256_unpackhi_pd(a[0], a[1]);
  const vd d = _mm256_unpacklo_pd(a[2], a[3]), e = _mm256_unpackhi_pd(a[2], a[3]);
  a[0] = _mm256_permute2f128_pd(b, d, 0x20), a[1] = _mm256_permute2f128_pd(c, e, 0x20);
  a[2] = _mm256_permute2f128_pd(b, d, 0x31), a[3] = _mm256_permute2f128_pd(c, e, 0x31);
}
SIMD(void) vf_transpose(vf *a) {
  __m256d q[8];
  for (int i = 0; i < 8; i += 4) {
    const __m256d b = _mm256_castps_pd(_mm256_unpacklo_ps(a[i], a[i + 1])), c = _mm256_castps_pd(_mm256_unpackhi_ps(a[i], a[i + 1]));
    const __m256d d = _mm256_castps_pd(_mm256_unpacklo_ps(a[i + 2], a[i + 3])),
                  e = _mm256_castps_pd(_mm256_unpackhi_ps(a[i + 2], a[i + 3]));
    q[i] = _mm256_unpacklo_pd(b, d), q[i + 1] = _mm256_unpackhi_pd(b, d);
    q[i + 2] = _mm256_unpacklo_pd(c, e), q[i + 3] = _mm256_unpackhi_pd(c, e);
  }
  for (int k = 0; k < 4; k++) {
    a[k] = _mm256_castpd_ps(_mm256_permute2f128_pd(q[k], q[k + 4], 0x20));
    a[k + 4] = _mm256_castpd_ps(_mm256_permute2f128_pd(q[k], q[k + 4], 0x31));
  }
}

SIMD(vd) vd_exp(vd a) { return Sleef_finz_expd4_u10avx2(a); }
SIMD(vf) vf_exp(vf a) { return Sleef_finz_expf8_u10avx2(a); }
SIMD(vd) vd_tanh(vd a) { return Sleef_finz_tanhd4_u10avx2(a); }
SIMD(vf) vf_tanh(vf a) { return Sleef_finz_tanhf8_u10avx2(a); }
SIMD(vd) vd_tanh_quick(vd a) { return Sleef_finz_tanhd4_u35avx2(a); }
SIMD(vf) vf_tanh_quick(vf a) { return Sleef_finz_tanhf8_u35avx2(a); }
SIMD(vd) vd_expm1(vd a) { return Sleef_finz_expm1d4_u10avx2(a); }
SIMD(vf) vf_expm1(vf a) { return Sleef_finz_expm1f8_u10avx2(a); }
SIMD(vd) vd_log1p(vd a) { return Sleef_finz_log1pd4_u10avx2(a); }
SIMD(vf) vf_log1p(vf a) { return Sleef_finz_log1pf8_u10avx2(a); }
SIMD(vd) vd_erf(vd a) { return Sleef_finz_erfd4_u10avx2(a); }
SIMD(vf) vf_erf(vf a) { return Sleef_finz_erff8_u10avx2(a); }

SIMD(void) vd_store4(double *p, vd a, vd b, vd c, vd d) {
  const __m256d w = _mm256_unpacklo_pd(a, b), x = _mm256_unpacklo_pd(c, d), y = _mm256_unpackhi_pd(a, b), z = _mm256_unpackhi_pd(c, d);
  _mm256_storeu_pd(p, _mm256_permute2f128_pd(w, x, 0x20));
  _mm256_storeu_pd(p + 4, _mm256_permute2f128_pd(y, z, 0x20));
  _mm256_storeu_pd(p + 8, _mm256_permute2f128_pd(w, x, 0x31));
  _mm256_storeu_pd(p + 12, _mm256_permute2f128_pd(y, z, 0x31));
}
SIMD(void) vf_store4(float *p, vf a, vf b, vf c, vf d) {
  const __m256d ab = _mm256_castps_pd(_mm256_unpacklo_ps(a, b)), cd = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));
  const __m256d AB = _mm256_castps_pd(_mm256_unpackhi_ps(a, b)), CD = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
  const __m256 w = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)), x = _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd));
  const __m256 y = _mm256_castpd_ps(_mm256_unpacklo_pd(AB, CD)), z = _mm256_castpd_ps(_mm256_unpackhi_pd(AB, CD));
  _mm256_storeu_ps(p, _mm256_permute2f128_ps(w, x, 0x20));
  _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(y, z, 0x20));
  _mm256_storeu_ps(p + 16, _mm256_permute2f128_ps(w, x, 0x31));
  _mm256_storeu_ps(p + 24, _mm256_permute2f128_ps(y, z, 0x31));
}

typedef __m256i vu;
SIMD(vu) vu_set(uint32_t a) { return _mm256_set1_epi32((int)a); }
SIMD(vu) vu_count(uint32_t first) {
  return _mm256_add_epi32(_mm256_set1_epi32((int)first), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}
SIMD(void) vu_store(uint32_t *p, vu a) { _mm256_storeu_si256((__m256i *)(void *)p, a); }
SIMD(vu) vu_xor3(vu a, vu b, vu c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
SIMD(void) vu_mul(vu *high, vu *low, vu a, vu b) {
  const __m256i even = _mm256_mul_epu32(a, b), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
  *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

#else
#define L2O_HERE(name) name##_portable
enum { VD = 1, VF = 1 };
typedef double vd;
typedef float vf;
typedef int32_t vi;
typedef bool vd_mask;
typedef bool vf_mask;

SIMD(vd) vd_zero(void) { return 0; }
SIMD(vd) vd_set(double a) { return a; }
SIMD(vd) vd_load(const double *p) { return *p; }
SIMD(vd) vd_load_part(const double *p, size_t count) { (void)count; return *p; }
SIMD(void) vd_store(double *p, vd a) { *p = a; }
SIMD(void) vd_store_part(double *p, vd a, size_t count) { (void)count; *p = a; }
SIMD(vd) vd_add(vd a, vd b) { return a + b; }
SIMD(vd) vd_sub(vd a, vd b) { return a - b; }
SIMD(vd) vd_keep(vd a) { return a; }
SIMD(vd) vd_mul(vd a, vd b) { return a * b; }
SIMD(vd) vd_div(vd a, vd b) { return a / b; }
SIMD(vd) vd_sqrt(vd a) { return sqrt(a); }
SIMD(vd) vd_fma(vd a, vd b, vd c) { return a * b + c; }
SIMD(vd) vd_fnma(vd a, vd b, vd c) { return c - a * b; }
SIMD(vd) vd_min(vd a, vd b) { return a < b ? a : b; }
SIMD(vd) vd_max(vd a, vd b) { return a > b ? a : b; }
SIMD(vd) vd_abs(vd a) { return fabs(a); }
SIMD(vd) vd_power(vd a) { uint64_t b; memcpy(&b, &a, sizeof b); b <<= 52; memcpy(&a, &b, sizeof a); return a; }
SIMD(double) vd_sum(vd a) { return a; }
SIMD(void) vd_sum4(double *p, const vd *a) { for (int i = 0; i < 4; i++) p[i] = a[i]; }
SIMD(vd_mask) vd_lt(vd a, vd b) { return a < b; }
SIMD(vd_mask) vd_le(vd a, vd b) { return a <= b; }
SIMD(vd_mask) vd_eq(vd a, vd b) { return a == b; }
SIMD(vd) vd_select(vd_mask m, vd yes, vd no) { return m ? yes : no; }
SIMD(bool) vd_any(vd_mask m) { return m; }
SIMD(uint64_t) vd_bits(vd_mask m) { return m; }
SIMD(vd) vd_quotient(vd a, vd b) { return a / b; }
SIMD(vd) vd_div_beside(vd a, vd b) { return a / b; }
SIMD(vd) vd_gather(const double *table, vi index) { return table[index]; }
SIMD(vi) vd_to_int(vd a) { return (int32_t)a; }
SIMD(vi) vi_gather(const int32_t *table, vi index) { return table[index]; }
SIMD(vi) vi_set(int32_t a) { return a; }
SIMD(vi) vi_add(vi a, vi b) { return a + b; }
SIMD(vi) vi_count(vi a, vd_mask m) { return a + m; }
SIMD(vi) vi_add_where(vi a, vd_mask m, vi b) { return m ? a + b : a; }
SIMD(vi) vi_min(vi a, vi b) { return a < b ? a : b; }
SIMD(vi) vi_load(const int32_t *p) { return *p; }
SIMD(vi) vi_load_part(const int32_t *p, size_t count) { (void)count; return *p; }
SIMD(void) vi_store(int32_t *p, vi a) { *p = a; }
SIMD(void) vi_store_part(int32_t *p, vi a, size_t count) { (void)count; *p = a; }

SIMD(vf) vf_zero(void) { return 0; }
SIMD(vf) vf_set(float a) { return a; }
SIMD(vf) vf_load(const float *p) { return *p; }
SIMD(vf) vf_load_part(const float *p, size_t count) { (void)count; return *p; }
SIMD(void) vf_store(float *p, vf a) { *p = a; }
SIMD(void) vf_store_part(float *p, vf a, size_t count) { (void)count; *p = a; }
SIMD(vf) vf_add(vf a, vf b) { return a + b; }
SIMD(vf) vf_sub(vf a, vf b) { return a - b; }
SIMD(vf) vf_keep(vf a) { return a; }
SIMD(vf) vf_mul(vf a, vf b) { return a * b; }
SIMD(vf) vf_div(vf a, vf b) { return a / b; }
SIMD(vf) vf_sqrt(vf a) { return sqrtf(a); }
SIMD(vf) vf_fma(vf a, vf b, vf c) { return a * b + c; }
SIMD(vf) vf_fnma(vf a, vf b, vf c) { return c - a * b; }
SIMD(vf) vf_max(vf a, vf b) { return a > b ? a : b; }
SIMD(vf) vf_abs(vf a) { return fabsf(a); }
SIMD(vf) vf_min(vf a, vf b) { return a < b ? a : b; }
SIMD(vf) vf_power(vf a) { uint32_t b; memcpy(&b, &a, sizeof b); b <<= 23; memcpy(&a, &b, sizeof a); return a; }
SIMD(void) vf_sum4(float *p, const vf *a) { for (int i = 0; i < 4; i++) p[i] = a[i]; }
SIMD(vf) vf_div_beside(vf a, vf b) { return a / b; }
SIMD(vf_mask) vf_lt(vf a, vf b) { return a < b; }
SIMD(vf_mask) vf_eq(vf a, vf b) { return a == b; }
SIMD(vf) vf_select(vf_mask m, vf yes, vf no) { return m ? yes : no; }

SIMD(vd) vd_from_floats(const float *p) { return (double)*p; }
SIMD(vd) vd_from_floats_part(const float *p, size_t count) { (void)count; return (double)*p; }
SIMD(void) vd_to_floats(float *p, vd a) { *p = (float)a; }
SIMD(void) vd_to_floats_part(float *p, vd a, size_t count) { (void)count; *p = (float)a; }

SIMD(void) vd_transpose(vd *a) { (void)a; }
SIMD(void) vf_transpose(vf *a) { (void)a; }

SIMD(vd) vd_exp(vd a) { return Sleef_cinz_expd1_u10purec(a); }
SIMD(vf) vf_exp(vf a) { return Sleef_cinz_expf1_u10purec(a); }
SIMD(vd) vd_tanh(vd a) { return Sleef_cinz_tanhd1_u10purec(a); }
SIMD(vf) vf_tanh(vf a) { return Sleef_cinz_tanhf1_u10purec(a); }
SIMD(vd) vd_tanh_quick(vd a) { return Sleef_cinz_tanhd1_u35purec(a); }
SIMD(vf) vf_tanh_quick(vf a) { return Sleef_cinz_tanhf1_u35purec(a); }
SIMD(vd) vd_expm1(vd a) { return Sleef_cinz_expm1d1_u10purec(a); }
SIMD(vf) vf_expm1(vf a) { return Sleef_cinz_expm1f1_u10purec(a); }
SIMD(vd) vd_log1p(vd a) { return Sleef_cinz_log1pd1_u10purec(a); }
SIMD(vf) vf_log1p(vf a) { return Sleef_cinz_log1pf1_u10purec(a); }
SIMD(vd) vd_erf(vd a) { return Sleef_cinz_erfd1_u10purec(a); }
SIMD(vf) vf_erf(vf a) { return Sleef_cinz_erff1_u10purec(a); }

SIMD(void) vd_store4(double *p, vd a, vd b, vd c, vd d) { p[0] = a, p[1] = b, p[2] = c, p[3] = d; }
SIMD(void) vf_store4(float *p, vf a, vf b, vf c, vf d) { p[0] = a, p[1] = b, p[2] = c, p[3] = d; }

typedef uint32_t vu;
SIMD(vu) vu_set(uint32_t a) { return a; }
SIMD(vu) vu_count(uint32_t first) { return first; }
SIMD(void) vu_store(uint32_t *p, vu a) { *p = a; }
SIMD(vu) vu_xor3(vu a, vu b, vu c) { return a ^ b ^ c; }
SIMD(void) vu_mul(vu *high, vu *low, vu a, vu b) {
  const uint64_t product = (uint64_t)a * b;
  *high = (uint32_t)(product >> 32);
  *low = (uint32_t)product;
}
#endif

/* clang-format on */

/* vr: the vector of reals, and VD reals as doubles */
#ifdef L2O_SINGLE
enum { VR = VF };
typedef vf vr;
typedef vf_mask vr_mask;
#define VR_(operation) vf_##operation
SIMD(vd) vd_from_reals(const l2o_real *p) {
  return vd_from_floats(p);
}
SIMD(vd) vd_from_reals_part(const l2o_real *p, size_t count) {
  return vd_from_floats_part(p, count);
}
SIMD(void) vd_to_reals(l2o_real *p, vd a) {
  vd_to_floats(p, a);
}
SIMD(void) vd_to_reals_part(l2o_real *p, vd a, size_t count) {
  vd_to_floats_part(p, a, count);
}
#else
enum { VR = VD };
typedef vd vr;
typedef vd_mask vr_mask;
#define VR_(operation) vd_##operation
SIMD(vd) vd_from_reals(const l2o_real *p) {
  return vd_load(p);
}
SIMD(vd) vd_from_reals_part(const l2o_real *p, size_t count) {
  return vd_load_part(p, count);
}
SIMD(void) vd_to_reals(l2o_real *p, vd a) {
  vd_store(p, a);
}
SIMD(void) vd_to_reals_part(l2o_real *p, vd a, size_t count) {
  vd_store_part(p, a, count);
}
#endif
#define vr_zero VR_(zero)
#define vr_set VR_(set)
#define vr_load VR_(load)
#define vr_load_part VR_(load_part)
#define vr_store VR_(store)
#define vr_store_part VR_(store_part)
#define vr_store4 VR_(store4)
#define vr_add VR_(add)
#define vr_sub VR_(sub)
#define vr_keep VR_(keep)
#define vr_mul VR_(mul)
#define vr_div VR_(div)
#define vr_sqrt VR_(sqrt)
#define vr_div_beside VR_(div_beside)
#define vr_fma VR_(fma)
#define vr_fnma VR_(fnma)
#define vr_min VR_(min)
#define vr_max VR_(max)
#define vr_power VR_(power)
#define vr_abs VR_(abs)
#define vr_sum4 VR_(sum4)
#define vr_lt VR_(lt)
#define vr_eq VR_(eq)
#define vr_transpose VR_(transpose)
#define vr_select VR_(select)
#define vr_exp VR_(exp)
#define vr_tanh VR_(tanh)
#define vr_tanh_quick VR_(tanh_quick)
#define vr_expm1 VR_(expm1)
#define vr_log1p VR_(log1p)
#define vr_erf VR_(erf)

/* For a body that serves whole vectors and the tail: the first `count` lanes, a constant VR or VD where the vector is whole. */
SIMD(vr) vr_load_some(const l2o_real *p, size_t count) {
  return count == VR ? vr_load(p) : vr_load_part(p, count);
}
SIMD(void) vr_store_some(l2o_real *p, vr a, size_t count) {
  if (count == VR)
    vr_store(p, a);
  else
    vr_store_part(p, a, count);
}
SIMD(vd) vd_load_some(const double *p, size_t count) {
  return count == VD ? vd_load(p) : vd_load_part(p, count);
}
SIMD(void) vd_store_some(double *p, vd a, size_t count) {
  if (count == VD)
    vd_store(p, a);
  else
    vd_store_part(p, a, count);
}
SIMD(vd) vd_from_reals_some(const l2o_real *p, size_t count) {
  return count == VD ? vd_from_reals(p) : vd_from_reals_part(p, count);
}
SIMD(void) vd_to_reals_some(l2o_real *p, vd a, size_t count) {
  if (count == VD)
    vd_to_reals(p, a);
  else
    vd_to_reals_part(p, a, count);
}

enum { SIMD_ABREAST = 8 }; /* vectors side by side, at most */

/* For `count` vectors side by side, a constant: from a[i] = k ln 2 + r, |r| <= ln(2)/2, power[i] = 2^k and in a's place
 * q = exp(r) - 1, of which exponentials within 1.5 units in the last place are made inline: exp(a) = 2^k (1 + q),
 * exp(a) - 1 = 2^k q + (2^k - 1). Where -709.2 <= a <= 709.9, in single precision -88.1 <= a <= 89, at whose ends 2^k is 0 and
 * infinity. k is found by adding a number so large that the sum's last bit stands for 1; r with ln 2 in two parts, of which k times
 * the first is exact;  exp(r) - 1 = r + r^2 (1/2 + r P(r))  with the P of least largest error. Chains of operations as long as this
 * one wait for each other: several abreast fill the gaps. */
SIMD(void) vr_expm1_reduced(vr *a, vr *power, size_t count) {
#ifdef L2O_SINGLE
  static const l2o_real P[] = {0.00139187197f, 0.00835720493f, 0.0416666219f, 0.166666308f, 0.5f};
  const vr shift = vr_set(0x1.8p23f + 127), ln2 = vr_set(0x1.62e4p-1f), rest = vr_set(0x1.7f7d1cp-20f);
#else
  static const l2o_real P[] = {
      0x1.af236aac51d05p-26, 0x1.2880411bad1aap-22, 0x1.71de17e40edfep-19, 0x1.a019c9a5652d3p-16, 0x1.a01a01a4b322fp-13,
      0x1.6c16c1738ff55p-10, 0x1.1111111110e6ap-7,  0x1.5555555554cb7p-5,  0x1.5555555555555p-3,  0.5};
  const vr shift = vr_set(0x1.8p52 + 1023), ln2 = vr_set(0x1.62e42fefa38p-1), rest = vr_set(0x1.ef35793c7673p-45);
#endif
  vr p[SIMD_ABREAST];
  for (size_t i = 0; i < count; i++)
    p[i] = power[i] = vr_fma(a[i], vr_set((l2o_real)1.4426950408889634), shift);
  for (size_t i = 0; i < count; i++)
    p[i] = vr_sub(p[i], shift);
  for (size_t i = 0; i < count; i++)
    a[i] = vr_fnma(p[i], ln2, a[i]);
  for (size_t i = 0; i < count; i++)
    a[i] = vr_fnma(p[i], rest, a[i]);
  for (size_t i = 0; i < count; i++)
    p[i] = vr_set(P[0]);
  for (size_t j = 1; j < sizeof P / sizeof *P; j++)
    for (size_t i = 0; i < count; i++)
      p[i] = vr_fma(p[i], a[i], vr_set(P[j]));
  for (size_t i = 0; i < count; i++) {
    a[i] = vr_fma(vr_mul(a[i], a[i]), p[i], a[i]);
    power[i] = vr_power(power[i]);
  }
}

/* exp(-|a|): what the functions below are made of, since it cannot overflow */
SIMD(vr) vr_exp_minus_abs(vr a) {
  return vr_exp(vr_sub(vr_zero(), vr_abs(a)));
}
/* 1 / (1 + exp(-a)) from e = exp(-|a|): 1 / (1 + e), or e / (1 + e) where a < 0 */
SIMD(vr) vr_sigmoid_of(vr a, vr e) {
  const vr one = vr_set(1);
  return vr_div(vr_select(vr_lt(a, vr_zero()), e, one), vr_add(one, e));
}
SIMD(vr) vr_sigmoid(vr a) {
  return vr_sigmoid_of(a, vr_exp_minus_abs(a));
}

/* Functions that are compiled into their callers, and loops of constant length that are written out. */
#ifndef __has_feature /* clang's way to name its sanitizers */
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer) /* minutes for its checks in everything that is unrolled */
#define INLINE static inline
#define UNROLL
#else
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#endif
#endif
