/* SPDX-License-Identifier: BSD-3-Clause */
/** @file data.h
 *  Real data: LIBSVM text, IDX arrays (MNIST) and PGM images, each gzipped or not, and safetensors. Files are read as a stream,
 * nothing in them is trusted, and memory grows with what is there, not with what a header announces. A failure names the file, the
 * line or the byte count, and what was expected. Numbers are read the same in every locale. */
#ifndef L2O_DATA_H
#define L2O_DATA_H
#include <l2o/base.h>
#ifdef __cplusplus
extern "C" {
#endif

/** Rows of numbers, with a label each where the file has labels. The arrays belong to the data set. */
typedef struct l2o_dataset {
  size_t rows, features;
  l2o_real *A;        /**< (rows, features) row-major; absent entries are 0 */
  double *labels;     /**< (rows) as in the file; NULL: it has none */
  double *classes;    /**< (class_count) the distinct labels, ascending */
  size_t class_count; /**< 0 where there are no labels, or more than L2O_DATASET_CLASSES of them (then they are not classes) */
  size_t *class_of;   /**< (rows) index into `classes`; NULL where class_count is 0 */
  size_t image_height, image_width; /**< of a row of IDX images, or of a PGM image as a whole; else 0 */
  char *name;                       /**< the file's name without folders, for messages; "data" for arrays of the caller's */
} l2o_dataset;

/** Most distinct labels that count as classes. */
enum { L2O_DATASET_CLASSES = 1000 };

/** LIBSVM text: a row a line, `label index:value ...`, indices from 1 to 2^24 and ascending; absent entries are 0. White space
 *  around, CRLF ends, blank lines and comments from `#` to the end of a line are fine. The table is dense, rows x features numbers.
 *  @param out  the caller's, for l2o_dataset_free(); NULL on failure.
 *  @param features  0: the largest index of the file; else the number of columns, and a larger index is an error (a test file read
 *                   with the columns of its training file).
 *  @return L2O_ERR_IO, L2O_ERR_FORMAT (with file and line), L2O_ERR_NOMEM. */
L2O_API l2o_status l2o_dataset_read_libsvm(l2o_dataset **out, const char *path, size_t features, l2o_diag *diag);
/** IDX: `images` (N), (N, n) or (N, height, width) of unsigned bytes, one row for each of the N, divided by 255. Nothing may follow
 *  the array.
 *  @param labels  a file of N unsigned bytes; NULL: the file beside `images` whose name has labels-idx1 for images-idx3, and no
 *                 labels if there is none. */
L2O_API l2o_status l2o_dataset_read_idx(l2o_dataset **out, const char *images, const char *labels, l2o_diag *diag);
/** PGM (P2, P5; 8 or 16 bits): a row for each line of the image, divided by the largest value that its header names. One image a
 *  file. */
L2O_API l2o_status l2o_dataset_read_pgm(l2o_dataset **out, const char *path, l2o_diag *diag);
/** Any of the three, told apart by the first bytes; features = 0, labels = NULL. Or a safetensors file (not gzipped) with `tokens`
 *  (rows, features), I64, sequences for language models, or `data` (rows, features) of any dtype, and perhaps `labels` (rows), and
 *  nothing else. */
L2O_API l2o_status l2o_dataset_read(l2o_dataset **out, const char *path, l2o_diag *diag);
/** Copies arrays of the caller's. @param A  (rows, features) row-major. @param labels  (rows) or NULL.
 *  @return L2O_ERR_SHAPE for a size of 0, L2O_ERR_NUMERIC for entries that are not finite, L2O_ERR_NOMEM. */
L2O_API l2o_status l2o_dataset_new(l2o_dataset **out, const l2o_real *A, const double *labels, size_t rows, size_t features,
                                   l2o_diag *diag);
/** NULL is fine. */
L2O_API void l2o_dataset_free(l2o_dataset *data);

#ifdef __cplusplus
}
#endif
#endif
