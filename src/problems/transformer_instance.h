/* SPDX-License-Identifier: BSD-3-Clause */
/* Instances of family transformer: an architecture and a text. */
#ifndef L2O_PROBLEMS_TRANSFORMER_INSTANCE_H
#define L2O_PROBLEMS_TRANSFORMER_INSTANCE_H
#include "problems/transformer.h"

/* Makes the problem of `net`, whose tensors are yet to be named. The text is borrowed where it has tokens; where not, there is room
 * in the instance for `tokens` of them, to which text->token and text->begin point afterwards.
 * seed, index: of the start. L2O_ERR_NOMEM. */
l2o_status l2o_transformer_instance(l2o_problem *out, const l2o_transformer *net, l2o_text *text, size_t tokens, uint64_t seed,
                                    uint64_t index);
#endif
