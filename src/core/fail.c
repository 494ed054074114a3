/* SPDX-License-Identifier: BSD-3-Clause */
/* Apart from diag.c, so that the commands can compile it (and what uses it) too. */
#include "core/diag.h"
#include <stdarg.h>
#include <stdio.h>

l2o_status l2o_fail(l2o_diag *diag, l2o_status status, const char *format, ...) {
  if (diag) {
    va_list args;
    va_start(args, format);
    vsnprintf(diag->text, sizeof diag->text, format, args);
    va_end(args);
  }
  return status;
}
