/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes are either refused with a sentence or a file whose every part can be read. */
#include <l2o/tensor_file.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds)
    abort();
}

/* What was read can be written; the writer refuses only 16 bits and whole numbers that doubles round beyond I64. */
static void read_everything(const l2o_tensor_file *file, size_t size) {
  l2o_tensor_writer *writer;
  require(l2o_tensor_writer_new(&writer) == L2O_OK);
  for (size_t i = 0; i < l2o_tensor_file_count(file); i++) {
    const l2o_tensor *tensor = l2o_tensor_file_at(file, i);
    require(l2o_tensor_file_find(file, tensor->name) == tensor);
    require(tensor->rank <= L2O_TENSOR_MAX_RANK && tensor->count <= size / 2);
    double *values = malloc((tensor->count + 1) * sizeof *values);
    require(values != NULL);
    l2o_tensor_to_double(tensor, values);
    l2o_status status = l2o_tensor_writer_add(writer, tensor->name, tensor->dtype, values, tensor->shape, tensor->rank);
    require(status == L2O_OK || (status == L2O_ERR_ARG && tensor->dtype >= L2O_I64));
    free(values);
  }
  const char *text = l2o_tensor_file_metadata(file, "rule");
  require(!text || l2o_tensor_writer_metadata(writer, "rule", text) == L2O_OK);
  l2o_tensor_writer_free(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  l2o_tensor_file *file;
  l2o_diag diag = {""};
  l2o_status status = l2o_tensor_file_parse(&file, data, size, "fuzz", &diag);
  if (status == L2O_OK)
    read_everything(file, size);
  else
    require(status == L2O_ERR_FORMAT && !file && strncmp(diag.text, "fuzz: ", 6) == 0);
  l2o_tensor_file_free(file);
  return 0;
}
