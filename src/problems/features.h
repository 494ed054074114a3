/* SPDX-License-Identifier: BSD-3-Clause */
/* Features as a classifier takes them: scaled, with a constant one behind them where a bias is wanted. */
#ifndef L2O_PROBLEMS_FEATURES_H
#define L2O_PROBLEMS_FEATURES_H
#include <l2o/base.h>

enum { L2O_FEATURES_NONE, L2O_FEATURES_UNIT, L2O_FEATURES_STANDARD };
#define L2O_FEATURE_OPTIONS                                                                                                        \
  {"scale",                                                                                                                        \
   L2O_OPTION_CHOICE,                                                                                                              \
   L2O_FEATURES_NONE,                                                                                                              \
   0,                                                                                                                              \
   0,                                                                                                                              \
   "none|unit|standard",                                                                                                           \
   "features as they are, divided by their largest absolute value, or with mean 0 and variance 1"},                                \
  {                                                                                                                                \
    "bias", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "append a constant feature 1"                                                \
  }

/* out (rows, features + bias) from A (rows, features). A feature that does not vary has no variance to scale to: `standard` makes
 * it 0; `unit` leaves one that is 0 everywhere. Allocates 2 `features` doubles; out does not overlap A. */
l2o_status l2o_features(l2o_real *out, const l2o_real *A, size_t rows, size_t features, int scale, bool bias);
#endif
