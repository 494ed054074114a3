/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/normals.h"
#include <math.h>
#include <string.h>

enum { BLOCKS = 32 }; /* Philox blocks of four words that are made side by side */

/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011) with the blocks side by side; the counter is laid out as in random.c. */
static void philox(uint32_t w[4][BLOCKS], uint64_t seed, uint32_t stream, uint64_t index, uint32_t first, size_t blocks) {
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (size_t b = 0; b < blocks; b++) {
    w[0][b] = first + (uint32_t)b;
    w[1][b] = stream;
    w[2][b] = (uint32_t)index;
    w[3][b] = (uint32_t)(index >> 32);
  }
  for (int round = 0; round < 10; round++) {
    for (size_t b = 0; b < blocks; b++) {
      const uint64_t p = (uint64_t)UINT32_C(0xD2511F53) * w[0][b], q = (uint64_t)UINT32_C(0xCD9E8D57) * w[2][b];
      w[0][b] = (uint32_t)(q >> 32) ^ w[1][b] ^ k0;
      w[1][b] = (uint32_t)q;
      w[2][b] = (uint32_t)(p >> 32) ^ w[3][b] ^ k1;
      w[3][b] = (uint32_t)p;
    }
    k0 += UINT32_C(0x9E3779B9);
    k1 += UINT32_C(0xBB67AE85);
  }
}

static inline uint64_t to_bits(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
static inline double from_bits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
/* The integer i < 2^52 as a double: by the bits of 2^52 + i, since vector units before AVX-512 have no such conversion. */
static inline double from_integer(uint64_t i) {
  return from_bits(UINT64_C(0x4330000000000000) | i) - 0x1p52;
}

/* Box-Muller. With u = (2a + 1) / 2^33 from the word a, angle psi in (-pi/4, pi/4) from 30 bits of the word b, and two signs from
 * the other two:
 *   r = sqrt(-ln u),   z = (+- r (cos psi - sin psi), +- r (cos psi + sin psi)),
 * which is (sqrt(-2 ln u) times) the cosine and sine of psi + pi/4, an angle in the first quadrant, moved to any quadrant. Series
 * for ln, cos and sin are cut off below 1e-13. out: pairs, four entries apart. */
static void box_muller(double *out, const uint32_t *a, const uint32_t *b, size_t blocks) {
  for (size_t i = 0; i < blocks; i++) {
    /* 2a + 1 = m 2^k with m in [sqrt(1/2), sqrt(2));  ln m = 2 artanh(s), s = (m - 1) / (m + 1) */
    const uint64_t bits = to_bits(2 * from_integer(a[i]) + 1), k = (bits - UINT64_C(0x3fe6a09e667f3bcd)) >> 52;
    const double m = from_bits(bits - (k << 52)), s = (m - 1) / (m + 1), t = s * s;
    const double ln_m =
        s * (2 + t * (2. / 3 +
                      t * (2. / 5 + t * (2. / 7 + t * (2. / 9 + t * (2. / 11 + t * (2. / 13 + t * (2. / 15 + t * (2. / 17)))))))));
    const double r = sqrt((33 - from_integer(k)) * 0.69314718055994530942 - ln_m);
    const double psi = (from_integer(b[i] & UINT32_C(0x3fffffff)) + (0.5 - 0x1p29)) * (1.57079632679489661923 * 0x1p-30);
    const double p = psi * psi;
    const double sine =
        psi *
        (1 + p * (-1. / 6 + p * (1. / 120 + p * (-1. / 5040 + p * (1. / 362880 + p * (-1. / 39916800 + p * (1. / 6227020800)))))));
    const double cosine =
        1 + p * (-1. / 2 +
                 p * (1. / 24 +
                      p * (-1. / 720 + p * (1. / 40320 + p * (-1. / 3628800 + p * (1. / 479001600 - p * (1. / 87178291200)))))));
    out[4 * i] = from_bits(to_bits(r * (cosine - sine)) ^ (uint64_t)(b[i] & UINT32_C(0x80000000)) << 32);
    out[4 * i + 1] = from_bits(to_bits(r * (cosine + sine)) ^ (uint64_t)(b[i] & UINT32_C(0x40000000)) << 33);
  }
}

void l2o_normals(l2o_real *out, uint64_t seed, uint32_t stream, uint64_t index, size_t first, size_t n) {
  uint32_t words[4][BLOCKS];
  double z[4 * BLOCKS];
  for (size_t done = 0; done < n; done += 4 * BLOCKS) {
    const size_t count = n - done < 4 * BLOCKS ? n - done : 4 * BLOCKS, blocks = (count + 3) / 4;
    philox(words, seed, stream, index, (uint32_t)((first + done) / 4), blocks);
    box_muller(z, words[0], words[1], blocks);
    box_muller(z + 2, words[2], words[3], blocks);
    for (size_t i = 0; i < count; i++)
      out[done + i] = (l2o_real)z[i];
  }
}
