/* SPDX-License-Identifier: BSD-3-Clause */
/** @file network.h
 *  Networks as problems: the weights are x. Families `mlp` and `transformer` make them, solvers train them; here are their weights
 * in files, published checkpoints, and what a language model answers. */
#ifndef L2O_NETWORK_H
#define L2O_NETWORK_H
#include <l2o/family.h>
#ifdef __cplusplus
extern "C" {
#endif

/** Writes x as safetensors: a tensor for each of l2o_problem_blocks(), or one tensor `x` (n) where the problem has no layers; F32
 * from single precision, F64 from double. @return L2O_ERR_IO, L2O_ERR_NOMEM. */
L2O_API l2o_status l2o_weights_save(const l2o_problem *p, const l2o_real *x, const char *path, l2o_diag *diag);
/** Reads x. @param path  a safetensors file, or a folder with model.safetensors or, in several files, with
 *  model.safetensors.index.json. F64, F32, F16 and BF16 are converted. Of a file no more than a piece is in memory at a time.
 *  @return L2O_ERR_FORMAT or L2O_ERR_SHAPE with a sentence that names the tensor that is missing, has another shape, is unknown, or
 * is not finite; L2O_ERR_IO for a file that cannot be read, also one that an index names. x is then as before. */
L2O_API l2o_status l2o_weights_load(const l2o_problem *p, l2o_real *x, const char *path, l2o_diag *diag);
/** The instances of another family, all of them started at the weights of l2o_weights_load(), which are read once.
 *  @param inner  the family's own on L2O_OK, to be freed with it; the caller's still on failure. */
L2O_API l2o_status l2o_family_started(l2o_family **out, l2o_family *inner, const char *path, l2o_diag *diag);

/** The architecture of a published checkpoint, as the options of family `transformer`: "vocab=...,width=...,...", from the folder's
 *  config.json. Known is `Qwen3ForCausalLM`.
 *  @return L2O_ERR_NOTSUP with a sentence that names the architecture, or the setting, that is not known; L2O_ERR_FORMAT for a file
 *          that is not such a configuration; L2O_ERR_IO; L2O_ERR_SHAPE where `size` is too small. */
L2O_API l2o_status l2o_checkpoint_options(char *options, size_t size, const char *folder, l2o_diag *diag);

/** logits (count, vocab) of a transformer with weights x for every prefix of tokens[count]: row t is about token t + 1.
 *  @return L2O_ERR_NOTSUP for another problem; L2O_ERR_ARG for a token that is not below vocab, and a sentence that names it;
 *          L2O_ERR_SHAPE for more tokens than there are positions; L2O_ERR_NOMEM. Allocates; one forward pass. */
L2O_API l2o_status l2o_transformer_logits(const l2o_problem *p, l2o_real *logits, const l2o_real *x, const size_t *tokens,
                                          size_t count, l2o_diag *diag);

#ifdef __cplusplus
}
#endif
#endif
