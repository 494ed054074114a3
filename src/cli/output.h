/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder of results. Files in it appear whole or not at all. */
#ifndef L2O_CLI_OUTPUT_H
#define L2O_CLI_OUTPUT_H
#include "config.h"
#include "core/file_atomic.h"

/* "dir/name"; free() it. NULL when memory is out. */
char *output_path(const char *dir, const char *name);
/* Makes the folder with its parents and writes DIR/config.yaml, which tells early whether there is room to write. */
l2o_status output_open(const char *dir, const config *c, l2o_diag *diag);
/* Could a file be written there? */
l2o_status output_probe(const char *path, l2o_diag *diag);
/* Opens dir/name; the path goes to *path, for the caller to free after commit or abandon. */
l2o_status output_begin(l2o_atomic_file *file, char **path, const char *dir, const char *name, l2o_diag *diag);

/* A table that grows with the steps of a long run. It grows in PATH.part, so that one can look at it, and becomes PATH at the end.
 */
typedef struct output_log {
  FILE *stream;
  char *path, *part;
} output_log;

/* Starts dir/name with the given header line. To go on with an earlier run, `keep` tells up to which step (the first column) its
 * rows stay, as far as `keep_row` agrees. */
l2o_status output_log_open(output_log *log, const char *dir, const char *name, const char *header, const size_t *keep,
                           bool (*keep_row)(void *context, const char *row), void *context, l2o_diag *diag);
/* Hands the rows printed to log->stream over to the system. */
l2o_status output_log_flush(output_log *log, l2o_diag *diag);
/* Makes PATH.part PATH. */
l2o_status output_log_finish(output_log *log, l2o_diag *diag);
/* Closes and removes PATH.part. */
void output_log_discard(output_log *log);
/* Closes; PATH.part stays for a later run to go on with. Does nothing after finish or a failed open. */
void output_log_close(output_log *log);
#endif
