/* SPDX-License-Identifier: BSD-3-Clause */
/* One file format a reader: each fills an empty data set but for name and classes. What it leaves there when it fails,
 * l2o_dataset_free() frees. */
#ifndef L2O_PROBLEMS_READERS_H
#define L2O_PROBLEMS_READERS_H
#include "problems/byte_stream.h"
#include <l2o/data.h>

l2o_status l2o_read_libsvm(l2o_dataset *data, l2o_byte_stream *stream, size_t features);
l2o_status l2o_read_idx(l2o_dataset *data, l2o_byte_stream *stream, const char *labels);
l2o_status l2o_read_pgm(l2o_dataset *data, l2o_byte_stream *stream);
l2o_status l2o_read_tensors(l2o_dataset *data, const char *path, l2o_diag *diag); /* not gzipped: it is read in places */

/* data->A (rows, features) = samples / largest; a sample is `width` bytes, the first one the most significant. */
l2o_status l2o_table_from_samples(l2o_dataset *data, const l2o_byte_stream *stream, const unsigned char *samples, int width,
                                  unsigned largest);
#endif
