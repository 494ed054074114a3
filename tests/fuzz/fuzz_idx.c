/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes are either refused with one printable sentence, or an array of numbers from 0 to 1; they are labels, too, where they
 * are one row of bytes. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  const char *path = file_with(bytes, size);
  l2o_dataset *data, *labelled;
  l2o_diag diag = {""};
  l2o_status status = l2o_dataset_read_idx(&data, path, NULL, &diag);
  check_dataset(status, data, path, &diag);
  check_pixels(data);
  status = l2o_dataset_read_idx(&labelled, path, path, &diag);
  check_dataset(status, labelled, path, &diag);
  require(!labelled || (data->features == 1 && labelled->rows == data->rows));
  for (size_t i = 0; labelled && i < data->rows; i++)
    require(data->A[i] == (l2o_real)(labelled->labels[i] / 255));
  l2o_dataset_free(data);
  l2o_dataset_free(labelled);
  return 0;
}
