/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/decay.h"
#include "core/simd.h"

/* The argument stops behind the bound, where the result is 0 anyway: exp() itself meets no denormal number. */
SIMD(vr) decay(vr x) {
#ifdef L2O_SINGLE
  const vr least = vr_set(0x1p-94f), far = vr_set(-66); /* ln 2^-94 = -65.2 */
#else
  const vr least = vr_set(0x1p-400), far = vr_set(-278); /* ln 2^-400 = -277.3 */
#endif
  const vr e = vr_exp(vr_max(far, vr_sub(vr_zero(), vr_abs(x)))); /* vr_max() passes its second argument on if not a number */
  return vr_select(vr_lt(e, least), vr_zero(), e);
}

void L2O_HERE(l2o_decay)(l2o_real *y, const l2o_real *x, size_t n) {
  size_t i = 0;
  for (; i + VR <= n; i += VR)
    vr_store(y + i, decay(vr_load(x + i)));
  if (i < n)
    vr_store_part(y + i, decay(vr_load_part(x + i, n - i)), n - i);
}

SIMD(vd) loss(vd t, vd e) {
  return vd_add(vd_max(vd_sub(vd_zero(), t), vd_zero()), vd_log1p(e));
}

double L2O_HERE(l2o_logistic_losses)(l2o_real *e, const l2o_real *t, size_t n) {
  vd sum = vd_zero();
  size_t i = 0;
  L2O_HERE(l2o_decay)(e, t, n);
  for (; i + VD <= n; i += VD)
    sum = vd_add(sum, loss(vd_from_reals(t + i), vd_from_reals(e + i)));
  if (i < n) /* zeros behind the last add nothing */
    sum = vd_add(sum, loss(vd_from_reals_part(t + i, n - i), vd_from_reals_part(e + i, n - i)));
  return vd_sum(sum);
}
