/* SPDX-License-Identifier: BSD-3-Clause */
/** @file tensor_file.h
 *  Safetensors files: an 8-byte little-endian header length, a JSON header, raw little-endian arrays. Models, instances,
 *  checkpoints and dumps are such files, readable from Python with `safetensors.numpy.load_file`. */
#ifndef L2O_TENSOR_FILE_H
#define L2O_TENSOR_FILE_H
#include <l2o/base.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef enum l2o_dtype { L2O_F32, L2O_F64, L2O_I64, L2O_F16, L2O_BF16 } l2o_dtype; /**< the last two are read only */
enum { L2O_TENSOR_MAX_RANK = 8 };

/** One array of a file, row-major. Points into the file's memory. */
typedef struct l2o_tensor {
  const char *name;
  l2o_dtype dtype;
  size_t rank; /**< 0: a scalar */
  size_t shape[L2O_TENSOR_MAX_RANK];
  size_t count;     /**< product of shape */
  const void *data; /**< raw bytes, not aligned */
} l2o_tensor;

typedef struct l2o_tensor_file l2o_tensor_file;

/** Reads a file whole. Nothing in it is trusted: lengths, offsets, overlaps, gaps, dtypes, shapes and duplicate names are checked.
 *  @return L2O_ERR_IO, L2O_ERR_FORMAT or L2O_ERR_NOMEM with a sentence that names the file. */
L2O_API l2o_status l2o_tensor_file_open(l2o_tensor_file **out, const char *path, l2o_diag *diag);
/** The same from memory, which is copied; `name` stands for the file in sentences. */
L2O_API l2o_status l2o_tensor_file_parse(l2o_tensor_file **out, const void *bytes, size_t length, const char *name, l2o_diag *diag);
/** Reads the header alone, with the same checks, and keeps the file open: for files that are too large to be in memory whole.
 * `data` of its tensors is NULL; l2o_tensor_file_read() has the numbers. @return as l2o_tensor_file_open(). */
L2O_API l2o_status l2o_tensor_file_open_header(l2o_tensor_file **out, const char *path, l2o_diag *diag);
/** out[count] = elements first, ..., first + count - 1 of tensor `which`, converted to doubles, of a file opened in any of these
 * ways.
 *  @return L2O_ERR_ARG for elements that are not there; L2O_ERR_IO, also where the file has become shorter. Never allocates. */
L2O_API l2o_status l2o_tensor_file_read(const l2o_tensor_file *file, double *out, size_t which, size_t first, size_t count,
                                        l2o_diag *diag);
L2O_API void l2o_tensor_file_free(l2o_tensor_file *file);
L2O_API size_t l2o_tensor_file_count(const l2o_tensor_file *file);
L2O_API const l2o_tensor *l2o_tensor_file_at(const l2o_tensor_file *file, size_t i);
/** The array of that name, or NULL. */
L2O_API const l2o_tensor *l2o_tensor_file_find(const l2o_tensor_file *file, const char *name);
/** The text of a `__metadata__` key, or NULL. */
L2O_API const char *l2o_tensor_file_metadata(const l2o_tensor_file *file, const char *key);
/** Converts a tensor to doubles, out[tensor->count]. I64 values beyond 2^53 are rounded. */
L2O_API void l2o_tensor_to_double(const l2o_tensor *tensor, double *out);

typedef struct l2o_tensor_writer l2o_tensor_writer;
L2O_API l2o_status l2o_tensor_writer_new(l2o_tensor_writer **out);
L2O_API void l2o_tensor_writer_free(l2o_tensor_writer *writer);
/** Adds a metadata text; the same key again replaces it. */
L2O_API l2o_status l2o_tensor_writer_metadata(l2o_tensor_writer *writer, const char *key, const char *text);
/** Adds a copy of an array, converted from double to `dtype`. @return L2O_ERR_ARG for a name that is there already, and for F16 and
 *  BF16. */
L2O_API l2o_status l2o_tensor_writer_add(l2o_tensor_writer *writer, const char *name, l2o_dtype dtype, const double *values,
                                         const size_t *shape, size_t rank);
/** Writes PATH.tmp-PID beside, flushes, renames: the file at `path` is either the old one or the whole new one. */
L2O_API l2o_status l2o_tensor_writer_save(const l2o_tensor_writer *writer, const char *path, l2o_diag *diag);

#ifdef __cplusplus
}
#endif
#endif
