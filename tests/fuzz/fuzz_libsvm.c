/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes are either refused with one printable sentence, or a table of finite numbers; more columns than the file names change
 * nothing but their number. Wide tables are left out: they are mostly zeros, which take long to look at. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  enum { COLUMNS = 64 };
  const char *path = file_with(bytes, size);
  l2o_dataset *wide, *narrow;
  l2o_diag diag = {""};
  l2o_status status = l2o_dataset_read_libsvm(&wide, path, COLUMNS, &diag);
  check_dataset(status, wide, path, &diag);
  if (status)
    return 0;
  require(l2o_dataset_read_libsvm(&narrow, path, 0, &diag) == L2O_OK);
  check_dataset(L2O_OK, narrow, path, &diag);
  require(wide->features == COLUMNS && narrow->features <= COLUMNS && wide->rows == narrow->rows);
  require(memcmp(wide->labels, narrow->labels, wide->rows * sizeof *wide->labels) == 0);
  for (size_t i = 0; i < wide->rows; i++)
    for (size_t j = 0; j < COLUMNS; j++)
      require(wide->A[i * COLUMNS + j] == (j < narrow->features ? narrow->A[i * narrow->features + j] : 0));
  l2o_dataset_free(wide);
  l2o_dataset_free(narrow);
  return 0;
}
