/* SPDX-License-Identifier: BSD-3-Clause */
/* Complex numbers in vectors, the real parts in one and the imaginary parts in another; only for files NAME.simd.c. In memory the
 * imaginary parts stand `apart` reals behind the real parts. */
#ifndef L2O_CORE_SIMD_COMPLEX_H
#define L2O_CORE_SIMD_COMPLEX_H
#include "core/simd.h"

typedef struct vc {
  vr re, im;
} vc;

SIMD(vc) vc_zero(void) {
  return (vc){vr_zero(), vr_zero()};
}
SIMD(vc) vc_load(const l2o_real *p, size_t apart) {
  return (vc){vr_load(p), vr_load(p + apart)};
}
SIMD(void) vc_store(l2o_real *p, size_t apart, vc a) {
  vr_store(p, a.re);
  vr_store(p + apart, a.im);
}
/* the same complex number in every lane; its parts are neighbours */
SIMD(vc) vc_set(const l2o_real *p) {
  return (vc){vr_set(p[0]), vr_set(p[1])};
}
SIMD(vc) vc_add(vc a, vc b) {
  return (vc){vr_add(a.re, b.re), vr_add(a.im, b.im)};
}
SIMD(vc) vc_conj(vc a) {
  return (vc){a.re, vr_sub(vr_zero(), a.im)};
}
/* r a, r real */
SIMD(vc) vc_scale(vr r, vc a) {
  return (vc){vr_mul(r, a.re), vr_mul(r, a.im)};
}
/* c + a b */
SIMD(vc) vc_fma(vc a, vc b, vc c) {
  return (vc){vr_fnma(a.im, b.im, vr_fma(a.re, b.re, c.re)), vr_fma(a.im, b.re, vr_fma(a.re, b.im, c.im))};
}
/* c - a b */
SIMD(vc) vc_fnma(vc a, vc b, vc c) {
  return (vc){vr_fma(a.im, b.im, vr_fnma(a.re, b.re, c.re)), vr_fnma(a.im, b.re, vr_fnma(a.re, b.im, c.im))};
}
/* c + conj(a) b */
SIMD(vc) vc_cfma(vc a, vc b, vc c) {
  return (vc){vr_fma(a.im, b.im, vr_fma(a.re, b.re, c.re)), vr_fnma(a.im, b.re, vr_fma(a.re, b.im, c.im))};
}
/* c - conj(a) b */
SIMD(vc) vc_cfnma(vc a, vc b, vc c) {
  return (vc){vr_fnma(a.im, b.im, vr_fnma(a.re, b.re, c.re)), vr_fma(a.im, b.re, vr_fnma(a.re, b.im, c.im))};
}
/* a where m, b elsewhere */
SIMD(vc) vc_select(vr_mask m, vc a, vc b) {
  return (vc){vr_select(m, a.re, b.re), vr_select(m, a.im, b.im)};
}
#endif
