/* SPDX-License-Identifier: BSD-3-Clause */
#include "blackbox.h"
#include <stdio.h>

enum { STEP }; /* options */

void l2o_blackbox_classical_options(const l2o_iterate *it, char *out, size_t size) {
  snprintf(out, size, "step=%.17g", it->options[STEP]);
}
