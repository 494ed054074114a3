/* SPDX-License-Identifier: BSD-3-Clause */
/* Published checkpoints: what transformers answers for those that it wrote (tests/golden/README.md), in every dtype, in one file
 * and in several; configurations that are not known or make no sense; a head that is tied and in the file all the same. */
#include "failing_malloc.h"
#include "l2o_golden.h"

#include <l2o/network.h>
#include <sys/stat.h>

static const char golden_folder[] = L2O_TEST_DATA "/golden/qwen3_";

static l2o_problem problem_of_folder(const char *name, const char *more) {
  char options[512], spec[600], path[300];
  l2o_diag diag = {""};
  snprintf(path, sizeof path, "%s%s", golden_folder, name);
  assert_status(l2o_checkpoint_options(options, sizeof options, path, &diag), L2O_OK, &diag);
  snprintf(spec, sizeof spec, "transformer:%s,samples=2,length=8%s", options, more);
  return sampled(spec, 1, 0);
}

/* ---- answers ---- */

static void answers_are_those_of_transformers(void **state) {
  (void)state;
  static const char *const names[] = {"untied", "tied", "shards", "half"};
  enum { VOCAB = 37, TOKENS = 16 };
  for (size_t k = 0; k < 4; k++) {
    char path[300];
    l2o_tensor_file *file;
    l2o_diag diag = {""};
    l2o_problem p = problem_of_folder(names[k], "");
    l2o_real *x = malloc(p.n * sizeof *x), logits[TOKENS * VOCAB];
    size_t tokens[TOKENS];
    snprintf(path, sizeof path, "%s%s", golden_folder, names[k]);
    assert_status(l2o_weights_load(&p, x, path, &diag), L2O_OK, &diag);
    strcat(path, "/answer.safetensors");
    assert_status(l2o_tensor_file_open(&file, path, &diag), L2O_OK, &diag);
    double *prompt = golden_exactly(file, "prompt", TOKENS), *expected = golden_exactly(file, "logits", TOKENS * VOCAB),
           largest = 0;
    for (size_t t = 0; t < TOKENS; t++)
      tokens[t] = (size_t)prompt[t];
    assert_status(l2o_transformer_logits(&p, logits, x, tokens, TOKENS, &diag), L2O_OK, &diag);
    for (size_t i = 0; i < TOKENS * VOCAB; i++)
      largest = fmax(largest, fabs(expected[i]));
    assert_true(largest > 1);
    for (size_t i = 0; i < TOKENS * VOCAB; i++)
      assert_close(logits[i], expected[i], 0, BY_PRECISION(1e-11, 1e-5) * largest);
    free(prompt), free(expected), free(x);
    l2o_tensor_file_free(file);
    l2o_problem_free(&p);
  }
}

/* ---- config.json ---- */

/* The configuration of the golden files, one line of it changed. */
typedef struct line {
  const char *key, *value;
} line;
static const line usual[] = {
    {"architectures", "[\"Qwen3ForCausalLM\"]"},
    {"attention_bias", "false"},
    {"head_dim", "8"},
    {"hidden_act", "\"silu\""},
    {"hidden_size", "16"},
    {"intermediate_size", "24"},
    {"max_position_embeddings", "64"},
    {"model_type", "\"qwen3\""},
    {"num_attention_heads", "4"},
    {"num_hidden_layers", "2"},
    {"num_key_value_heads", "2"},
    {"rms_norm_eps", "1e-06"},
    {"rope_scaling", "null"},
    {"rope_theta", "1000000"},
    {"sliding_window", "null"},
    {"tie_word_embeddings", "true"},
    {"use_sliding_window", "false"},
    {"vocab_size", "50"},
};

/* key = value (NULL: left out) in place of the usual, or beside it */
static void write_config(const char *key, const char *value) {
  FILE *stream = fopen(in_folder("config.json"), "wb");
  bool written = !value;
  const char *comma = "";
  assert_non_null(stream);
  fprintf(stream, "{");
  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
    const bool changed = strcmp(usual[i].key, key) == 0;
    if (changed && !value)
      continue;
    fprintf(stream, "%s\"%s\": %s", comma, usual[i].key, changed ? value : usual[i].value);
    written |= changed;
    comma = ",\n";
  }
  if (!written)
    fprintf(stream, "%s\"%s\": %s", comma, key, value);
  fprintf(stream, "}\n");
  assert_int_equal(fclose(stream), 0);
}

static const char options_of_usual[] =
    "vocab=50,width=16,layers=2,heads=4,kv_heads=2,head_dim=8,mlp=24,gated=true,activation=silu,norm=rms,norm_epsilon="
    "9.9999999999999995e-07,qk_norm=true,position=rotary,rotary_base=1000000,context=64,tied=true";

static void configurations_become_options(void **state) {
  (void)state;
  static const line same[] = {
      {"", NULL},
      {"model_type", NULL},
      {"attention_bias", NULL},
      {"rope_scaling", NULL},
      {"sliding_window", "4096"},
      {"torch_dtype", "\"bfloat16\""},
      {"layer_types", "[\"full_attention\", \"full_attention\"]"},
      {"rope_parameters", "{\"rope_theta\": 1000000.0, \"rope_type\": \"default\"}"},
  };
  char options[512];
  l2o_diag diag = {""};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    write_config(same[i].key, same[i].value);
    assert_status(l2o_checkpoint_options(options, sizeof options, folder, &diag), L2O_OK, &diag);
    assert_string_equal(options, options_of_usual);
  }
  write_config("tie_word_embeddings", NULL);
  assert_status(l2o_checkpoint_options(options, sizeof options, folder, &diag), L2O_OK, &diag);
  assert_non_null(strstr(options, "tied=false"));
  write_config("", NULL);
  strcpy(options, "as before");
  assert_status(l2o_checkpoint_options(options, sizeof options_of_usual - 1, folder, &diag), L2O_ERR_SHAPE, NULL);
  assert_string_equal(options, "as before");
  assert_names(&diag, "more than there is room for");
  assert_status(l2o_checkpoint_options(options, sizeof options_of_usual, folder, &diag), L2O_OK, &diag);
}

static void configurations_that_are_refused(void **state) {
  (void)state;
  static const struct {
    line changed;
    l2o_status status;
    const char *sentence;
  } cases[] = {
      {{"architectures", "[\"LlamaForCausalLM\"]"},
       L2O_ERR_NOTSUP,
       "the architecture LlamaForCausalLM is not known, expected Qwen3ForCausalLM"},
      {{"architectures", "[\"Qwen3ForCausalLM\", \"Other\"]"}, L2O_ERR_FORMAT, "architectures is no list of one name"},
      {{"architectures", NULL}, L2O_ERR_FORMAT, "architectures is no list of one name"},
      {{"architectures", "[]"}, L2O_ERR_FORMAT, "architectures is no list of one name"},
      {{"model_type", "\"qwen3_moe\""}, L2O_ERR_NOTSUP, "model_type is qwen3_moe, which is not supported"},
      {{"hidden_act", "\"gelu\""}, L2O_ERR_NOTSUP, "hidden_act is gelu, which is not supported"},
      {{"hidden_act", "3"}, L2O_ERR_FORMAT, "hidden_act is no text"},
      {{"attention_bias", "true"}, L2O_ERR_NOTSUP, "attention_bias is true, which is not supported"},
      {{"attention_bias", "1"}, L2O_ERR_FORMAT, "attention_bias is neither true nor false"},
      {{"use_sliding_window", "true"}, L2O_ERR_NOTSUP, "use_sliding_window is true"},
      {{"layer_types", "[\"full_attention\", \"sliding_attention\"]"}, L2O_ERR_NOTSUP, "layer_types is sliding_attention"},
      {{"layer_types", "[\"full_attention\"]"}, L2O_ERR_FORMAT, "layer_types has not as many entries"},
      {{"layer_types", "[1, 2]"}, L2O_ERR_FORMAT, "layer_types has something that is no text"},
      {{"layer_types", "\"full_attention\""}, L2O_ERR_FORMAT, "layer_types is no list"},
      {{"rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 4.0}"}, L2O_ERR_NOTSUP, "rope_scaling is given"},
      {{"rope_parameters", "{\"rope_theta\": 1000000, \"rope_type\": \"linear\"}"}, L2O_ERR_NOTSUP, "rope_type is linear"},
      {{"rope_parameters", "{\"rope_theta\": 1000000, \"factor\": 4}"}, L2O_ERR_NOTSUP, "factor is given in rope_parameters"},
      {{"rope_parameters", "{\"rope_theta\": 10000}"}, L2O_ERR_FORMAT, "rope_theta is not that of rope_parameters"},
      {{"rope_parameters", "7"}, L2O_ERR_FORMAT, "rope_parameters is no object"},
      {{"rope_theta", NULL}, L2O_ERR_FORMAT, "rope_theta is missing"},
      {{"rope_theta", "0"}, L2O_ERR_FORMAT, "rope_theta is no positive number"},
      {{"rms_norm_eps", "-1e-6"}, L2O_ERR_FORMAT, "rms_norm_eps is no positive number"},
      {{"quantization_config", "{}"}, L2O_ERR_NOTSUP, "quantization_config is given"},
      {{"vocab_size", NULL}, L2O_ERR_FORMAT, "vocab_size is missing"},
      {{"vocab_size", "null"}, L2O_ERR_FORMAT, "vocab_size is missing"},
      {{"vocab_size", "\"50\""}, L2O_ERR_FORMAT, "vocab_size is no whole number"},
      {{"hidden_size", "16.5"}, L2O_ERR_FORMAT, "hidden_size is no whole number from 1 to 10^9"},
      {{"hidden_size", "0"}, L2O_ERR_FORMAT, "hidden_size is no whole number"},
      {{"num_hidden_layers", "-2"}, L2O_ERR_FORMAT, "num_hidden_layers is no whole number"},
      {{"intermediate_size", "1e30"}, L2O_ERR_FORMAT, "intermediate_size is no whole number"},
      {{"num_key_value_heads", "3"}, L2O_ERR_FORMAT, "num_attention_heads is no multiple of num_key_value_heads"},
      {{"tie_word_embeddings", "\"yes\""}, L2O_ERR_FORMAT, "tie_word_embeddings is neither true nor false"},
      {{"head_dim", "8, \"head_dim\": 8"}, L2O_ERR_FORMAT, "'head_dim' is given twice, expected once"},
      {{"head_dim", ""}, L2O_ERR_FORMAT, "config.json: not JSON near its byte"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char options[512] = "as before";
    l2o_diag diag = {""};
    write_config(cases[i].changed.key, cases[i].changed.value);
    assert_status(l2o_checkpoint_options(options, sizeof options, folder, &diag), cases[i].status, &diag);
    assert_names(&diag, cases[i].sentence);
    assert_names(&diag, "/config.json: ");
    assert_string_equal(options, "as before");
  }
  unlink(in_folder("config.json"));
  char options[512];
  l2o_diag diag = {""};
  assert_status(l2o_checkpoint_options(options, sizeof options, folder, &diag), L2O_ERR_IO, NULL);
  assert_names(&diag, "config.json: cannot read: No such file");
}

/* ---- weights that do not fit ---- */

/* A copy of a checkpoint's file with one byte of its header or data changed. */
static void copy_changed(const char *from, const char *to, const char *text, const char *by) {
  static unsigned char bytes[40000];
  char path[300];
  snprintf(path, sizeof path, "%s%s", golden_folder, from);
  FILE *stream = fopen(path, "rb");
  assert_non_null(stream);
  const size_t length = fread(bytes, 1, sizeof bytes, stream);
  fclose(stream);
  assert_true(length < sizeof bytes);
  size_t found = 0;
  for (size_t i = 0; *text && i + strlen(text) <= length && !found; i++)
    if (memcmp(bytes + i, text, strlen(text)) == 0) {
      memcpy(bytes + i, by, strlen(text));
      found = 1;
    }
  assert_true(found || !*text);
  stream = fopen(in_folder(to), "wb");
  assert_int_equal(fwrite(bytes, 1, length, stream), length);
  fclose(stream);
}

static void assert_load(const l2o_problem *p, l2o_status status, const char *sentence) {
  l2o_real *x = malloc(2 * p->n * sizeof *x);
  l2o_diag diag = {""};
  normal_reals(x, p->n, 1);
  memcpy(x + p->n, x, p->n * sizeof *x);
  assert_status(l2o_weights_load(p, x, folder, &diag), status, &diag);
  assert_names(&diag, sentence);
  if (status)
    assert_same_reals(x, x + p->n, p->n);
  free(x);
}

static void checkpoints_of_another_network(void **state) {
  (void)state;
  l2o_problem tied = problem_of_folder("tied", ""), untied = problem_of_folder("untied", ""),
              shards = problem_of_folder("shards", "");
  copy_changed("untied/model.safetensors", "model.safetensors", "", "");
  assert_load(&untied, L2O_OK, "");
  assert_load(&shards, L2O_ERR_SHAPE, "tensor 'model.layers.0.self_attn.k_proj.weight' has shape [12, 20], expected [6, 20]");
  copy_changed("untied/model.safetensors", "model.safetensors", "model.layers.1.mlp.up_proj.weight",
               "model.layers.1.mlp.up_proj.wait!!");
  assert_load(&untied, L2O_ERR_FORMAT, "tensor 'model.layers.1.mlp.up_proj.weight' is missing");
  copy_changed("tied/model.safetensors", "model.safetensors", "", "");
  assert_load(&tied, L2O_OK, "");
  assert_load(&untied, L2O_ERR_SHAPE, "k_proj.weight' has shape [24, 20], expected [12, 20]");
  l2o_problem_free(&tied), l2o_problem_free(&untied), l2o_problem_free(&shards);
}

static void a_shard_that_is_missing_is_named(void **state) {
  (void)state;
  l2o_problem p = problem_of_folder("shards", "");
  copy_changed("shards/model.safetensors.index.json", "model.safetensors.index.json", "", "");
  copy_changed("shards/model-00001-of-00003.safetensors", "model-00001-of-00003.safetensors", "", "");
  copy_changed("shards/model-00003-of-00003.safetensors", "model-00003-of-00003.safetensors", "", "");
  assert_load(&p, L2O_ERR_IO, "model-00002-of-00003.safetensors: cannot read: No such file");
  copy_changed("shards/model-00002-of-00003.safetensors", "model-00002-of-00003.safetensors", "", "");
  assert_load(&p, L2O_OK, "");
  assert_int_equal(truncate(in_folder("model-00002-of-00003.safetensors"), 5001), 0);
  assert_load(&p, L2O_ERR_FORMAT, "but the file has only");
  l2o_problem_free(&p);
}

/* A tied head is the table: it may be in the file too, and then has to be the same. */
static void a_tied_head_may_be_in_the_file(void **state) {
  (void)state;
  l2o_problem p = sampled("transformer:vocab=5,width=4,layers=1,heads=2,mlp=3,tied=true,samples=2,length=4,context=4", 1, 0);
  size_t count;
  const l2o_block *b = l2o_problem_blocks(&p, &count);
  assert_string_equal(b[0].name, "model.embed_tokens.weight");
  l2o_real *x = malloc(p.n * sizeof *x);
  double *values = malloc(p.n * sizeof *values);
  normal_reals(x, p.n, 4);
  for (int differs = 0; differs < 3; differs++) {
    l2o_tensor_writer *writer;
    assert_status(l2o_tensor_writer_new(&writer), L2O_OK, NULL);
    for (size_t i = 0; i <= count; i++) {
      const l2o_block *part = &b[i < count ? i : 0];
      const size_t shape[2] = {part->rank == 2 ? part->rows : part->columns, part->columns};
      const size_t wrong[2] = {part->columns, part->rows};
      for (size_t j = 0; j < part->rows * part->columns; j++)
        values[j] = (double)x[part->offset + j];
      if (i == count && differs == 1)
        values[7] += 1;
      assert_status(l2o_tensor_writer_add(writer, i < count ? part->name : "lm_head.weight", L2O_F64, values,
                                          i == count && differs == 2 ? wrong : shape, part->rank),
                    L2O_OK, NULL);
    }
    assert_status(l2o_tensor_writer_save(writer, in_folder("model.safetensors"), NULL), L2O_OK, NULL);
    l2o_tensor_writer_free(writer);
    assert_load(&p,
                differs == 0   ? L2O_OK
                : differs == 1 ? L2O_ERR_FORMAT
                               : L2O_ERR_SHAPE,
                differs == 0   ? ""
                : differs == 1 ? "tensor 'lm_head.weight' is not model.embed_tokens.weight, which this network has in its place"
                               : "tensor 'lm_head.weight' has shape [4, 5], expected [5, 4]");
  }
  l2o_problem_free(&p);
  free(x), free(values);
}

static l2o_status read_options(void *context) {
  char options[512];
  return l2o_checkpoint_options(options, sizeof options, context, NULL);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  write_config("", NULL);
  assert_true(assert_allocations_may_fail(read_options, folder, L2O_OK, ALL_ARE_NEEDED) >= 20);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_are_those_of_transformers),
      IN_FOLDER(configurations_become_options),
      IN_FOLDER(configurations_that_are_refused),
      IN_FOLDER(checkpoints_of_another_network),
      IN_FOLDER(a_shard_that_is_missing_is_named),
      IN_FOLDER(a_tied_head_may_be_in_the_file),
      IN_FOLDER(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
