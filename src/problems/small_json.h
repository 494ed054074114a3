/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON files beside checkpoints. */
#ifndef L2O_PROBLEMS_SMALL_JSON_H
#define L2O_PROBLEMS_SMALL_JSON_H
#include <cjson/cJSON.h>
#include <l2o/base.h>

/* A file of one JSON object, of at most `limit` bytes, no two members of which, at any depth, have the same name.
 * @param out  for cJSON_Delete(); NULL on failure: L2O_ERR_IO, L2O_ERR_FORMAT or L2O_ERR_NOMEM with a sentence. */
l2o_status l2o_json_read(cJSON **out, const char *path, size_t limit, l2o_diag *diag);
#endif
