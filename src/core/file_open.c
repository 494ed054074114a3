/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/file_open.h"
#include "core/diag.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

l2o_status l2o_file_open(int *descriptor, size_t *length, const char *path, l2o_diag *diag) {
  const char *why = NULL;
  struct stat about;
  *descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* O_NONBLOCK: a pipe without a writer would wait for ever */
  if (*descriptor < 0 || fstat(*descriptor, &about) != 0)
    why = strerror(errno);
  else if (S_ISDIR(about.st_mode))
    why = strerror(EISDIR);
  else if (!S_ISREG(about.st_mode))
    why = "not a regular file";
  else if (length)
    *length = (uintmax_t)about.st_size < PTRDIFF_MAX ? (size_t)about.st_size : PTRDIFF_MAX;
  if (!why)
    return L2O_OK;
  l2o_status status = l2o_fail(diag, L2O_ERR_IO, "%s: cannot read: %s", path, why);
  if (*descriptor >= 0)
    close(*descriptor);
  *descriptor = -1;
  return status;
}
