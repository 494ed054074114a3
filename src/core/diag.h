/* SPDX-License-Identifier: BSD-3-Clause */
/* Failures inside the library: one call that writes the sentence and hands back the status. */
#ifndef L2O_CORE_DIAG_H
#define L2O_CORE_DIAG_H
#include "core/nearest.h"
#include <l2o/base.h>

/* Writes the sentence into diag (unless NULL), truncated to fit, and returns `status`:  return l2o_fail(diag, L2O_ERR_ARG, ...); */
l2o_status l2o_fail(l2o_diag *diag, l2o_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
#endif
