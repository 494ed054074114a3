/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that appear whole or not at all: written beside as PATH.tmp-PID, then renamed onto PATH.
 *
 *   l2o_atomic_file file;
 *   l2o_status status = l2o_file_begin(&file, path, diag);
 *   if (status != L2O_OK) return status;
 *   fprintf(file.stream, ...);             // no need to look at the results: commit sees every write that failed
 *   return l2o_file_commit(&file, diag);   // or l2o_file_abandon(&file)
 *
 * One writer a path at a time. */
#ifndef L2O_CORE_FILE_ATOMIC_H
#define L2O_CORE_FILE_ATOMIC_H
#include <l2o/base.h>
#include <stdio.h>

typedef struct l2o_atomic_file {
  FILE *stream;
  const char *path; /* the caller's, alive until commit or abandon */
  char *temporary;
} l2o_atomic_file;

/* Opens the file beside `path`: L2O_ERR_IO or L2O_ERR_NOMEM with a sentence, and then nothing is left to clean up. */
l2o_status l2o_file_begin(l2o_atomic_file *file, const char *path, l2o_diag *diag);
/* Flushes to the disk and renames. After L2O_ERR_IO (a full disk, say) the temporary is gone and the old file untouched. */
l2o_status l2o_file_commit(l2o_atomic_file *file, l2o_diag *diag);
/* Closes and removes the temporary. Does nothing after a failed begin or after commit. */
void l2o_file_abandon(l2o_atomic_file *file);
#endif
