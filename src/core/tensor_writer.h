/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing tensor files whose arrays are parts of one that is in memory already, and may be too large to be there twice. */
#ifndef L2O_CORE_TENSOR_WRITER_H
#define L2O_CORE_TENSOR_WRITER_H
#include <l2o/tensor_file.h>

/* Announces an array of reals, F32 or F64, for l2o_tensor_writer_save_reals(); instead of l2o_tensor_writer_add(), not beside it.
 */
l2o_status l2o_tensor_writer_declare(l2o_tensor_writer *writer, const char *name, const size_t *shape, size_t rank);
/* l2o_tensor_writer_save() of what was declared: `values` has all of it, one array after the other. NULL: what was added. */
l2o_status l2o_tensor_writer_save_reals(const l2o_tensor_writer *writer, const l2o_real *values, const char *path, l2o_diag *diag);
#endif
