/* SPDX-License-Identifier: BSD-3-Clause */
/* The family that a configuration asks for: sampled, from an instance file, or from real data, and shifted. */
#ifndef L2O_CLI_INSTANCES_H
#define L2O_CLI_INSTANCES_H
#include "config.h"
#include "engine.h"

/* `eval`: the one of the evaluation, which may differ from that of the training. */
l2o_status instances_open(l2o_family **out, const struct engine *engine, const config *c, bool eval, l2o_diag *diag);
#endif
