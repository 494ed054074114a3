/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef L2O_CORE_FILE_OPEN_H
#define L2O_CORE_FILE_OPEN_H
#include <l2o/base.h>

/* Opens a regular file for reading. Anything else is refused: a directory, and a pipe or a device, which may never end.
 * @param descriptor  the caller's to close(); -1 on failure.
 * @param length      of the file in bytes, at most PTRDIFF_MAX; may be NULL.
 * Returns L2O_ERR_IO with a sentence that says why. */
l2o_status l2o_file_open(int *descriptor, size_t *length, const char *path, l2o_diag *diag);
#endif
