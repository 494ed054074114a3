/* SPDX-License-Identifier: BSD-3-Clause */
/* Loops of a fixed length over arrays are what the compiler makes vectors of: every entry comes out of the same instructions,
 * wherever it stands. */
#include "core/normals.h"
#include "core/simd.h"

enum { BLOCKS = 32 }; /* Philox blocks of four words that are made side by side */

/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011); the counter is laid out as in random.c. */
static inline void philox(uint32_t w[4][BLOCKS], uint64_t seed, uint32_t stream, uint64_t index, uint32_t first) {
  const vu m0 = vu_set(UINT32_C(0xD2511F53)), m1 = vu_set(UINT32_C(0xCD9E8D57));
  for (size_t b = 0; b < BLOCKS; b += VF) {
    vu w0 = vu_count(first + (uint32_t)b), w1 = vu_set(stream), w2 = vu_set((uint32_t)index), w3 = vu_set((uint32_t)(index >> 32));
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
      vu high0, low0, high1, low1;
      vu_mul(&high0, &low0, w0, m0);
      vu_mul(&high1, &low1, w2, m1);
      w0 = vu_xor3(high1, w1, vu_set(k0));
      w1 = low1;
      w2 = vu_xor3(high0, w3, vu_set(k1));
      w3 = low0;
      k0 += UINT32_C(0x9E3779B9);
      k1 += UINT32_C(0xBB67AE85);
    }
    vu_store(w[0] + b, w0);
    vu_store(w[1] + b, w1);
    vu_store(w[2] + b, w2);
    vu_store(w[3] + b, w3);
  }
}

/* Box-Muller. With u = (2a + 1) / 2^(B+1) from the top B bits a of a word, an angle psi in (-pi/4, pi/4) from as many bits of
 * another word, and two signs from its top bits: r = sqrt(-ln u),   z = (+- r (cos psi - sin psi), +- r (cos psi + sin psi)), which
 * is (sqrt(-2 ln u) times) the cosine and sine of psi + pi/4, an angle in the first quadrant, moved to any quadrant. For the
 * logarithm 2a + 1 = m 2^k with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh(s), s = (m - 1) / (m + 1). */
#ifdef __FMA__
#define FMA(a, b, c) _Generic((a), float : __builtin_fmaf, double : __builtin_fma)(a, b, c)
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

#ifdef L2O_SINGLE

static inline float with_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
static inline uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* B = 23: all integers are exact. Series are cut off below 1e-8. */
static inline void box_muller(float *one, float *other, const uint32_t *a, const uint32_t *b) {
  for (size_t i = 0; i < BLOCKS; i++) {
    const uint32_t bits = bits_of((float)(int32_t)(a[i] >> 8 | 1)), k = (bits - UINT32_C(0x3f3504f3)) >> 23;
    const float m = with_bits(bits - (k << 23)), s = (m - 1) / (m + 1), t = s * s;
    const float ln_m = s * FMA(t, FMA(t, FMA(t, FMA(t, 2.F / 9, 2.F / 7), 2.F / 5), 2.F / 3), 2.F);
    const float r = __builtin_sqrtf((float)(24 - (int32_t)k) * 0.693147181F - ln_m);
    const float psi = ((float)(int32_t)(b[i] << 2 >> 9) + (0.5F - 0x1p22F)) * (1.57079633F * 0x1p-23F), p = psi * psi;
    const float sine = psi * FMA(p, FMA(p, FMA(p, FMA(p, 1.F / 362880, -1.F / 5040), 1.F / 120), -1.F / 6), 1.F);
    const float cosine = FMA(p, FMA(p, FMA(p, FMA(p, FMA(p, -1.F / 3628800, 1.F / 40320), -1.F / 720), 1.F / 24), -1.F / 2), 1.F);
    one[i] = with_bits(bits_of(r * (cosine - sine)) ^ (b[i] & UINT32_C(0x80000000)));
    other[i] = with_bits(bits_of(r * (cosine + sine)) ^ (b[i] << 1 & UINT32_C(0x80000000)));
  }
}

#else

static inline double with_bits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
static inline uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
/* The integer i < 2^52 as a double: by the bits of 2^52 + i, since vector units before AVX-512 have no such conversion. */
static inline double from_integer(uint64_t i) {
  return with_bits(UINT64_C(0x4330000000000000) | i) - 0x1p52;
}

/* B = 32, the angle from 30 bits. Series are cut off below 1e-13. */
static inline void box_muller(double *one, double *other, const uint32_t *a, const uint32_t *b) {
  for (size_t i = 0; i < BLOCKS; i++) {
    const uint64_t bits = bits_of(2 * from_integer(a[i]) + 1), k = (bits - UINT64_C(0x3fe6a09e667f3bcd)) >> 52;
    const double m = with_bits(bits - (k << 52)), s = (m - 1) / (m + 1), t = s * s;
    const double ln_m =
        s * FMA(t,
                FMA(t, FMA(t, FMA(t, FMA(t, FMA(t, FMA(t, FMA(t, 2. / 17, 2. / 15), 2. / 13), 2. / 11), 2. / 9), 2. / 7), 2. / 5),
                    2. / 3),
                2.);
    const double r = __builtin_sqrt((33 - from_integer(k)) * 0.69314718055994530942 - ln_m);
    const double psi = (from_integer(b[i] & UINT32_C(0x3fffffff)) + (0.5 - 0x1p29)) * (1.57079632679489661923 * 0x1p-30);
    const double p = psi * psi;
    const double sine =
        psi *
        FMA(p, FMA(p, FMA(p, FMA(p, FMA(p, FMA(p, 1. / 6227020800, -1. / 39916800), 1. / 362880), -1. / 5040), 1. / 120), -1. / 6),
            1.);
    const double cosine =
        FMA(p,
            FMA(p,
                FMA(p, FMA(p, FMA(p, FMA(p, FMA(p, -1. / 87178291200, 1. / 479001600), -1. / 3628800), 1. / 40320), -1. / 720),
                    1. / 24),
                -1. / 2),
            1.);
    one[i] = with_bits(bits_of(r * (cosine - sine)) ^ (uint64_t)(b[i] & UINT32_C(0x80000000)) << 32);
    other[i] = with_bits(bits_of(r * (cosine + sine)) ^ (uint64_t)(b[i] & UINT32_C(0x40000000)) << 33);
  }
}

#endif

/* z = entries 4 BLOCKS first, ... */
static inline void draw(l2o_real *z, uint64_t seed, uint32_t stream, uint64_t index, uint32_t first) {
  uint32_t words[4][BLOCKS];
  l2o_real part[4][BLOCKS];
  philox(words, seed, stream, index, first);
  box_muller(part[0], part[1], words[0], words[1]);
  box_muller(part[2], part[3], words[2], words[3]);
  for (size_t b = 0; b < BLOCKS; b += VR)
    vr_store4(z + 4 * b, vr_load(part[0] + b), vr_load(part[1] + b), vr_load(part[2] + b), vr_load(part[3] + b));
}

void L2O_HERE(l2o_normals_add)(l2o_real *out, const l2o_real *base, l2o_real scale, uint64_t seed, uint32_t stream, uint64_t index,
                               size_t first, size_t n) {
  l2o_real z[4 * BLOCKS];
  for (size_t done = 0; done < n; done += 4 * BLOCKS) {
    const size_t count = n - done < 4 * BLOCKS ? n - done : 4 * BLOCKS;
    draw(z, seed, stream, index, (uint32_t)((first + done) / 4));
    for (size_t i = 0; i < count; i++)
      out[done + i] = base[done + i] + scale * z[i];
  }
}

void L2O_HERE(l2o_normals)(l2o_real *out, uint64_t seed, uint32_t stream, uint64_t index, size_t first, size_t n) {
  l2o_real z[4 * BLOCKS];
  for (size_t done = 0; done < n; done += 4 * BLOCKS) {
    const size_t count = n - done < 4 * BLOCKS ? n - done : 4 * BLOCKS;
    draw(z, seed, stream, index, (uint32_t)((first + done) / 4));
    memcpy(out + done, z, count * sizeof *z);
  }
}
