/* SPDX-License-Identifier: BSD-3-Clause */
#include "output.h"
#include "core/diag.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *join(const char *a, const char *separator, const char *b) {
  size_t size = strlen(a) + strlen(separator) + strlen(b) + 1;
  char *out = malloc(size);
  if (out)
    snprintf(out, size, "%s%s%s", a, separator, b);
  return out;
}

char *output_path(const char *dir, const char *name) {
  size_t length = strlen(dir);
  return join(dir, length && dir[length - 1] == '/' ? "" : "/", name);
}

static l2o_status make_folders(const char *dir, l2o_diag *diag) {
  char *path = join(dir, "", "");
  int error = path ? 0 : ENOMEM;
  /* A parent that cannot be made may be there already; the last one tells. */
  for (char *at = path; at && (at = strchr(at + 1, '/')) != NULL;) {
    *at = '\0';
    mkdir(path, 0777);
    *at = '/';
  }
  if (path && mkdir(path, 0777) != 0)
    error = errno;
  struct stat is;
  if (error == EEXIST)
    error = stat(dir, &is) != 0 ? errno : S_ISDIR(is.st_mode) ? 0 : ENOTDIR;
  free(path);
  return error ? l2o_fail(diag, L2O_ERR_IO, "%.200s: cannot make the folder: %s", dir, strerror(error)) : L2O_OK;
}

l2o_status output_begin(l2o_atomic_file *file, char **path, const char *dir, const char *name, l2o_diag *diag) {
  *path = output_path(dir, name);
  if (!*path)
    return l2o_fail(diag, L2O_ERR_NOMEM, "out of memory");
  l2o_status status = l2o_file_begin(file, *path, diag);
  if (status) {
    free(*path);
    *path = NULL;
  }
  return status;
}

l2o_status output_open(const char *dir, const config *c, l2o_diag *diag) {
  l2o_atomic_file file;
  char *path;
  l2o_status status = make_folders(dir, diag);
  if (!status)
    status = output_begin(&file, &path, dir, "config.yaml", diag);
  if (status)
    return status;
  config_write(c, file.stream); /* commit sees writes that failed */
  status = l2o_file_commit(&file, diag);
  free(path);
  return status;
}

l2o_status output_probe(const char *path, l2o_diag *diag) {
  l2o_atomic_file file;
  l2o_status status = l2o_file_begin(&file, path, diag);
  if (!status)
    l2o_file_abandon(&file);
  return status;
}

/* ---- logs ---- */

static l2o_status cannot_write(const char *path, l2o_diag *diag) {
  return l2o_fail(diag, L2O_ERR_IO, "%.200s: cannot write: %s", path, strerror(errno ? errno : EIO));
}

/* Rows of an earlier run, except those behind step `last` and a last one that was cut off. */
static void copy_rows(FILE *from, FILE *to, size_t last, bool (*keep_row)(void *, const char *), void *context) {
  char row[512];
  bool header = true;
  for (; fgets(row, sizeof row, from); header = false) {
    char *end;
    unsigned long long step = strtoull(row, &end, 10);
    if (!header && end != row && step <= last && strchr(row, '\n') && keep_row(context, row))
      fputs(row, to);
  }
}

l2o_status output_log_open(output_log *log, const char *dir, const char *name, const char *header, const size_t *keep,
                           bool (*keep_row)(void *context, const char *row), void *context, l2o_diag *diag) {
  *log = (output_log){.path = output_path(dir, name)};
  log->part = log->path ? join(log->path, "", ".part") : NULL;
  char *fresh = log->part ? join(log->part, "", ".new") : NULL;
  l2o_status status = fresh ? L2O_OK : l2o_fail(diag, L2O_ERR_NOMEM, "out of memory");
  if (!status && !(log->stream = fopen(fresh, "w")))
    status = cannot_write(fresh, diag);
  if (!status) {
    fprintf(log->stream, "%s\n", header);
    /* A run that was killed left its rows in the part, one that ended in the file itself. */
    FILE *earlier = keep ? fopen(log->part, "r") : NULL;
    if (keep && !earlier)
      earlier = fopen(log->path, "r");
    if (earlier) {
      copy_rows(earlier, log->stream, *keep, keep_row, context);
      fclose(earlier);
    }
    status = output_log_flush(log, diag);
    if (!status && rename(fresh, log->part) != 0)
      status = cannot_write(log->part, diag);
    if (status)
      unlink(fresh);
  }
  free(fresh);
  if (status)
    output_log_close(log);
  return status;
}

l2o_status output_log_flush(output_log *log, l2o_diag *diag) {
  errno = 0;
  return fflush(log->stream) != 0 || ferror(log->stream) ? cannot_write(log->path, diag) : L2O_OK;
}

l2o_status output_log_finish(output_log *log, l2o_diag *diag) {
  l2o_status status = output_log_flush(log, diag);
  if (!status && (fsync(fileno(log->stream)) != 0 || rename(log->part, log->path) != 0))
    status = cannot_write(log->path, diag);
  output_log_close(log);
  return status;
}

void output_log_discard(output_log *log) {
  if (log->stream)
    unlink(log->part);
  output_log_close(log);
}

void output_log_close(output_log *log) {
  if (log->stream)
    fclose(log->stream);
  free(log->path);
  free(log->part);
  *log = (output_log){0};
}
