/* SPDX-License-Identifier: BSD-3-Clause */
/* LISTA with coupled weights and support selection (Chen, Liu, Wang, Yin, NeurIPS 2018, section 3.2): as lista-cp, but of
 * v = x - W_k'(A x - y) the entries larger than theta_k that are among the p_k per cent largest stay as they are,
 *   p_k = min(p (k + 1), p_max):
 * they are trusted to be in the support, and go without the bias of a threshold. */
#include "unrolled.h"

static const l2o_option options[] = {L2O_UNROLLED_GUARD_OPTIONS, L2O_UNROLLED_MATRIX_OPTION, {0}};

const l2o_solver l2o_lista_cpss = {
    L2O_COUPLED_RULE,
    .name = "lista-cpss",
    .meaning = "learned shrinkage with coupled weights and support selection, for one matrix",
    .options = options,
    .model_kind = "lista-cpss",
};
