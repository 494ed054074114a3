/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as config.json and as the index of a checkpoint are either refused with a sentence that names the file, and nothing is
 * changed, or options that the family `transformer` reads or refuses. */
#include "fuzz_file.h"
#include <l2o/network.h>

static char folder[] = "/tmp/l2o_fuzz_XXXXXX";
static const char *const names[] = {"config.json", "model.safetensors.index.json"};

static void remove_folder(void) {
  char path[80];
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
}

static void put(const char *name, const uint8_t *bytes, size_t size) {
  char path[80];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  require(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static void check_sentence(const l2o_diag *diag) {
  require(strncmp(diag->text, folder, strlen(folder)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "none"};
  static const l2o_problem p = {.ops = &ops, .n = 2};
  l2o_real x[2] = {7, 8};
  char options[512] = "as before";
  l2o_diag diag = {""};
  if (strcmp(folder + sizeof folder - 7, "XXXXXX") == 0)
    require(mkdtemp(folder) && atexit(remove_folder) == 0);
  for (int i = 0; i < 2; i++)
    put(names[i], data, size);
  if (l2o_checkpoint_options(options, sizeof options, folder, &diag)) {
    check_sentence(&diag);
    require(strcmp(options, "as before") == 0);
  }
  const l2o_status status = l2o_weights_load(&p, x, folder, &diag); /* there is no file of weights */
  require((status == L2O_ERR_FORMAT || status == L2O_ERR_IO) && x[0] == 7 && x[1] == 8);
  check_sentence(&diag);
  return 0;
}
