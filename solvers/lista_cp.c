/* SPDX-License-Identifier: BSD-3-Clause */
/* LISTA with coupled weights (Chen, Liu, Wang, Yin, NeurIPS 2018, eq. 10): iteration k is layer min(k, K - 1),
 *   x <- soft(x - W_k'(A x - y), theta_k).
 * With W = s A and theta = s l1, where training begins, it is ista with step s. */
#include "unrolled.h"

static const l2o_option options[] = {L2O_UNROLLED_GUARD_OPTIONS, L2O_UNROLLED_MATRIX_OPTION, {0}};

const l2o_solver l2o_lista_cp = {
    L2O_COUPLED_RULE,   .name = "lista-cp",       .meaning = "learned shrinkage with coupled weights, for one matrix",
    .options = options, .model_kind = "lista-cp",
};
