/* SPDX-License-Identifier: BSD-3-Clause */
/* LISTA with analytic weights (Liu, Chen, Wang, Yin, ICLR 2019): iteration k is layer min(k, K - 1),
 *   x <- soft_p(x - gamma_k W'(A x - y), theta_k),
 * soft_p with the support selection of lista-cpss. W has the least |W'A|_F with w_j'a_j = 1 (nn/unrolled.h) and is not learned: two
 * numbers a layer are. */
#include "unrolled.h"

static const l2o_option options[] = {L2O_UNROLLED_GUARD_OPTIONS, L2O_UNROLLED_MATRIX_OPTION, {0}};

const l2o_solver l2o_alista = {
    L2O_COUPLED_RULE,
    .name = "alista",
    .meaning = "learned shrinkage with analytic weights and support selection, for one matrix",
    .options = options,
    .model_kind = "alista",
};
