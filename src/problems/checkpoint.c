/* SPDX-License-Identifier: BSD-3-Clause */
/* config.json of a published checkpoint as options of the family `transformer`. What would change the function and is not known is
 * refused by name; what is about training or generation is passed over. */
#include "core/diag.h"
#include "problems/small_json.h"
#include <l2o/network.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_LIMIT = 1 << 20, PATH_ROOM = 4096, OPTIONS_ROOM = 512 /* ten sizes and two numbers of at most 24 characters */ };
static const char qwen3[] = "Qwen3ForCausalLM";

typedef struct config {
  const cJSON *json;
  const char *path;
  l2o_diag *diag;
  l2o_status status; /* the first failure, after which nothing is read */
} config;

static void refuse(config *c, const char *key, const char *what) {
  if (!c->status)
    c->status = l2o_fail(c->diag, L2O_ERR_NOTSUP, "%.200s: %.60s is %.60s, which is not supported", c->path, key, what);
}

static void bad(config *c, const char *key, const char *expected) {
  if (!c->status)
    c->status = l2o_fail(c->diag, L2O_ERR_FORMAT, "%.200s: %.60s %s", c->path, key, expected);
}

static const cJSON *member(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsNull(item) ? NULL : item;
}

static size_t read_count(config *c, const char *key) {
  const cJSON *item = member(c->json, key);
  const double value = cJSON_IsNumber(item) ? item->valuedouble : 0;
  if (!item)
    bad(c, key, "is missing");
  else if (!(value >= 1 && value <= 1e9) || value != floor(value))
    bad(c, key, "is no whole number from 1 to 10^9");
  return c->status ? 1 : (size_t)value;
}

static double read_positive(config *c, const cJSON *object, const char *key) {
  const cJSON *item = member(object, key);
  if (!item)
    bad(c, key, "is missing");
  else if (!cJSON_IsNumber(item) || !(item->valuedouble > 0 && item->valuedouble <= 1e300))
    bad(c, key, "is no positive number");
  return c->status ? 1 : item->valuedouble;
}

/* false where it is missing */
static bool read_truth(config *c, const char *key) {
  const cJSON *item = member(c->json, key);
  if (item && !cJSON_IsBool(item))
    bad(c, key, "is neither true nor false");
  return cJSON_IsTrue(item);
}

/* A text that may be missing, and otherwise must be this one. */
static void require_text(config *c, const cJSON *object, const char *key, const char *known) {
  const cJSON *item = member(object, key);
  if (!item)
    return;
  if (!cJSON_IsString(item))
    bad(c, key, "is no text");
  else if (strcmp(item->valuestring, known) != 0)
    refuse(c, key, item->valuestring);
}

static void check_architecture(config *c) {
  const cJSON *list = member(c->json, "architectures");
  if (!cJSON_IsArray(list) || !cJSON_IsString(list->child) || list->child->next) {
    bad(c, "architectures", "is no list of one name");
  } else if (strcmp(list->child->valuestring, qwen3) != 0) {
    c->status = l2o_fail(c->diag, L2O_ERR_NOTSUP, "%.200s: the architecture %.80s is not known, expected %s", c->path,
                         list->child->valuestring, qwen3);
  }
}

/* Settings that change what the network computes. */
static void check_settings(config *c) {
  static const char *const absent[] = {"rope_scaling", "quantization_config"};
  static const char *const off[] = {"attention_bias", "use_sliding_window"};
  require_text(c, c->json, "model_type", "qwen3");
  require_text(c, c->json, "hidden_act", "silu");
  for (size_t i = 0; i < 2; i++) {
    if (member(c->json, absent[i]))
      refuse(c, absent[i], "given");
    if (read_truth(c, off[i]))
      refuse(c, off[i], "true");
  }
  const cJSON *types = member(c->json, "layer_types"), *type;
  if (types && !cJSON_IsArray(types))
    bad(c, "layer_types", "is no list");
  cJSON_ArrayForEach(type, types) {
    if (!cJSON_IsString(type))
      bad(c, "layer_types", "has something that is no text");
    else if (strcmp(type->valuestring, "full_attention") != 0)
      refuse(c, "layer_types", type->valuestring);
  }
}

/* rope_theta stands by itself in older files, in rope_parameters in newer ones. */
static double rotary_base(config *c) {
  const cJSON *parameters = member(c->json, "rope_parameters"), *item;
  if (!parameters)
    return read_positive(c, c->json, "rope_theta");
  if (!cJSON_IsObject(parameters))
    bad(c, "rope_parameters", "is no object");
  cJSON_ArrayForEach(item, parameters) {
    if (strcmp(item->string, "rope_theta") != 0 && strcmp(item->string, "rope_type") != 0)
      refuse(c, item->string, "given in rope_parameters");
  }
  require_text(c, parameters, "rope_type", "default");
  const double base = read_positive(c, parameters, "rope_theta");
  if (member(c->json, "rope_theta") && read_positive(c, c->json, "rope_theta") != base)
    bad(c, "rope_theta", "is not that of rope_parameters");
  return base;
}

static int write_options(config *c, char *out, size_t size) {
  const size_t vocab = read_count(c, "vocab_size"), width = read_count(c, "hidden_size"),
               layers = read_count(c, "num_hidden_layers");
  const size_t heads = read_count(c, "num_attention_heads"), shared = read_count(c, "num_key_value_heads");
  const size_t head = read_count(c, "head_dim"), units = read_count(c, "intermediate_size");
  const size_t context = read_count(c, "max_position_embeddings");
  const double epsilon = read_positive(c, c->json, "rms_norm_eps"), base = rotary_base(c);
  const bool tied = read_truth(c, "tie_word_embeddings");
  const cJSON *types = member(c->json, "layer_types");
  if (heads % shared != 0)
    bad(c, "num_attention_heads", "is no multiple of num_key_value_heads");
  if (types && (size_t)cJSON_GetArraySize(types) != layers)
    bad(c, "layer_types", "has not as many entries as num_hidden_layers says");
  return snprintf(out, size,
                  "vocab=%zu,width=%zu,layers=%zu,heads=%zu,kv_heads=%zu,head_dim=%zu,mlp=%zu,gated=true,activation=silu,norm=rms,"
                  "norm_epsilon=%.17g,qk_norm=true,position=rotary,rotary_base=%.17g,context=%zu,tied=%s",
                  vocab, width, layers, heads, shared, head, units, epsilon, base, context, tied ? "true" : "false");
}

l2o_status l2o_checkpoint_options(char *options, size_t size, const char *folder, l2o_diag *diag) {
  char path[PATH_ROOM], text[OPTIONS_ROOM];
  cJSON *json;
  if ((size_t)snprintf(path, sizeof path, "%s/config.json", folder) >= sizeof path)
    return l2o_fail(diag, L2O_ERR_IO, "%.200s...: the path is too long", folder);
  l2o_status status = l2o_json_read(&json, path, CONFIG_LIMIT, diag);
  if (status)
    return status;
  config c = {.json = json, .path = path, .diag = diag};
  check_architecture(&c);
  check_settings(&c);
  const int length = write_options(&c, text, sizeof text);
  cJSON_Delete(json);
  if (!c.status && (size_t)length >= size)
    return l2o_fail(diag, L2O_ERR_SHAPE, "%.200s: its options have %d characters, more than there is room for", path, length);
  if (!c.status)
    memcpy(options, text, (size_t)length + 1);
  return c.status;
}
