/* SPDX-License-Identifier: BSD-3-Clause */
#include "blackbox.h"
#include <stdio.h>

enum { STEP }; /* options */

l2o_status l2o_blackbox_start(const l2o_iterate *it, l2o_real *state) {
  return l2o_recurrent_start(it, l2o_blackbox_network(it->model), state, it->model->options[L2O_BLACKBOX_STATE]);
}

l2o_status l2o_blackbox_check(const l2o_iterate *it, l2o_diag *diag) {
  return l2o_recurrent_start_check(it, l2o_blackbox_network(it->model), diag);
}

void l2o_blackbox_classical_options(const l2o_iterate *it, char *out, size_t size) {
  snprintf(out, size, "step=%.17g", it->options[STEP]);
}
