/* SPDX-License-Identifier: BSD-3-Clause */
/* Eyes of the shell tests:
 *   inspect json [KEY.INDEX.KEY...] < FILE   fails unless the input is one JSON value; prints the value of that path
 *   inspect tensors FILE                     "NAME DTYPE [SHAPE]" of every tensor of a safetensors file, sorted by offset
 *   inspect number FILE TENSOR INDEX         one number of a tensor */
#include <cjson/cJSON.h>
#include <l2o/tensor_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int json(char *path) {
  static char text[1 << 20];
  const char *end = NULL;
  size_t length = fread(text, 1, sizeof text - 1, stdin);
  cJSON *root = cJSON_ParseWithOpts(text, &end, 1);
  const cJSON *at = root;
  if (!root || (size_t)(end - text) > length) {
    fprintf(stderr, "not JSON\n");
    return 1;
  }
  for (char *word = path ? strtok(path, ".") : NULL; word && at; word = strtok(NULL, "."))
    at = cJSON_IsArray(at) ? cJSON_GetArrayItem(at, atoi(word)) : cJSON_GetObjectItemCaseSensitive(at, word);
  if (path && at) {
    char *shown = cJSON_PrintUnformatted(at);
    printf("%s\n", shown);
    cJSON_free(shown);
  }
  cJSON_Delete(root);
  return at ? 0 : 1;
}

static int tensors(const l2o_tensor_file *file) {
  static const char *const names[] = {[L2O_F32] = "F32", [L2O_F64] = "F64", [L2O_I64] = "I64"};
  for (size_t i = 0; i < l2o_tensor_file_count(file); i++) {
    const l2o_tensor *t = l2o_tensor_file_at(file, i);
    printf("%s %s [", t->name, names[t->dtype]);
    for (size_t j = 0; j < t->rank; j++)
      printf("%s%zu", j ? "," : "", t->shape[j]);
    printf("]\n");
  }
  return 0;
}

static int number(const l2o_tensor_file *file, const char *name, size_t index) {
  const l2o_tensor *t = l2o_tensor_file_find(file, name);
  double *values = t ? calloc(t->count + 1, sizeof *values) : NULL;
  if (!values || index >= t->count)
    return 1;
  l2o_tensor_to_double(t, values);
  printf("%.17g\n", values[index]);
  free(values);
  return 0;
}

int main(int argc, char **argv) {
  if (argc >= 2 && strcmp(argv[1], "json") == 0)
    return json(argc > 2 ? argv[2] : NULL);
  l2o_tensor_file *file;
  l2o_diag diag;
  if (argc < 3 || l2o_tensor_file_open(&file, argv[2], &diag)) {
    fprintf(stderr, "%s\n", argc < 3 ? "usage: inspect json|tensors|number ..." : diag.text);
    return 1;
  }
  int answer = argc > 4 ? number(file, argv[3], strtoul(argv[4], NULL, 10)) : tensors(file);
  l2o_tensor_file_free(file);
  return answer;
}
