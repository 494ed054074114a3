/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes are either refused with one printable sentence, or a picture of numbers from 0 to 1; what the reader for any format
 * takes for a picture is the same one. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  const char *path = file_with(bytes, size);
  l2o_dataset *picture, *any;
  l2o_diag diag = {""};
  l2o_status status = l2o_dataset_read_pgm(&picture, path, &diag);
  check_dataset(status, picture, path, &diag);
  check_pixels(picture);
  if (picture) {
    require(picture->rows == picture->image_height && picture->features == picture->image_width && !picture->labels);
    require(l2o_dataset_read(&any, path, &diag) == L2O_OK && any->image_width == picture->image_width);
    require(memcmp(any->A, picture->A, picture->rows * picture->features * sizeof *any->A) == 0);
    l2o_dataset_free(any);
  }
  l2o_dataset_free(picture);
  return 0;
}
