/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/file_atomic.h"
#include "core/diag.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

l2o_status l2o_file_begin(l2o_atomic_file *file, const char *path, l2o_diag *diag) {
  struct stat is;
  *file = (l2o_atomic_file){.path = path};
  if (stat(path, &is) == 0 && !S_ISREG(is.st_mode)) /* renaming would replace a device or a folder */
    return l2o_fail(diag, L2O_ERR_IO, "%.200s: cannot write: not an ordinary file", path);
  size_t size = strlen(path) + sizeof ".tmp-" + 20; /* room for any process number */
  file->temporary = malloc(size);
  if (!file->temporary)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  snprintf(file->temporary, size, "%s.tmp-%ld", path, (long)getpid());
  unlink(file->temporary); /* a killed process with our number may have left one; "x" follows no link that others place there */
  file->stream = fopen(file->temporary, "wbx");
  if (file->stream)
    return L2O_OK;
  l2o_status status = errno == ENOMEM ? L2O_ERR_NOMEM : L2O_ERR_IO;
  l2o_fail(diag, status, "%s: cannot write: %s", path, strerror(errno));
  free(file->temporary);
  *file = (l2o_atomic_file){0};
  return status;
}

/* Zero or the errno of the first thing that went wrong; a full disk may show at any of these calls. */
static int flush_and_rename(l2o_atomic_file *file) {
  int error = 0;
  errno = 0;
  bool lost = ferror(file->stream);
  if (lost)
    fputc(0, file->stream); /* a write failed earlier and errno may have changed since: this one fails for the same reason */
  if (fflush(file->stream) != 0 || lost || fsync(fileno(file->stream)) != 0)
    error = errno ? errno : EIO;
  if (fclose(file->stream) != 0 && !error)
    error = errno;
  file->stream = NULL;
  if (!error && rename(file->temporary, file->path) != 0)
    error = errno;
  return error;
}

l2o_status l2o_file_commit(l2o_atomic_file *file, l2o_diag *diag) {
  l2o_status status = L2O_OK;
  int error = flush_and_rename(file);
  if (error) {
    status = l2o_fail(diag, L2O_ERR_IO, "%s: cannot write: %s", file->path, strerror(error));
    unlink(file->temporary);
  }
  free(file->temporary);
  *file = (l2o_atomic_file){0};
  return status;
}

void l2o_file_abandon(l2o_atomic_file *file) {
  if (!file->stream)
    return;
  fclose(file->stream);
  unlink(file->temporary);
  free(file->temporary);
  *file = (l2o_atomic_file){0};
}
