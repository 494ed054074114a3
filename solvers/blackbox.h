/* SPDX-License-Identifier: BSD-3-Clause */
/* What the rules share whose network makes the update itself (nn/blackbox.h): nothing but their training, or the guard, makes them
 * converge. They have no base step of their own, but the guard's ista wants one. */
#ifndef L2O_SOLVERS_BLACKBOX_H
#define L2O_SOLVERS_BLACKBOX_H
#include "nn/blackbox.h"
#include "recurrent_start.h"

#define L2O_BLACKBOX_OPTIONS                                                                                                       \
  {"step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "step of ista where the guard needs it; 0: 0.9999 / L"}, L2O_GUARD_OPTION("ista")
l2o_status l2o_blackbox_start(const l2o_iterate *it, l2o_real *state);
l2o_status l2o_blackbox_check(const l2o_iterate *it, l2o_diag *diag);
void l2o_blackbox_classical_options(const l2o_iterate *it, char *out, size_t size);

/* All that these rules' descriptors have in common. */
#define L2O_BLACKBOX_RULE                                                                                                          \
  .struct_size = sizeof(l2o_solver), .needs = L2O_NEEDS_GRADIENT | L2O_NEEDS_MODEL, .classical = "ista",                           \
  .check = l2o_blackbox_check, .classical_options = l2o_blackbox_classical_options, .gradient_at = L2O_GRADIENT_AT_X
#endif
