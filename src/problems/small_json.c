/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/small_json.h"
#include "core/diag.h"
#include "core/file_open.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static l2o_status read_bytes(char *bytes, int descriptor, size_t length, const char *path, l2o_diag *diag) {
  for (size_t done = 0; done < length;) {
    const ssize_t got = read(descriptor, bytes + done, length - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return l2o_fail(diag, L2O_ERR_IO, "%s: cannot read: %s", path, got ? strerror(errno) : "it changed while it was read");
    done += (size_t)got;
  }
  return L2O_OK;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first level of an object, sorted. */
static l2o_status check_members(const cJSON *object, const char *path, l2o_diag *diag) {
  size_t count = 0;
  for (const cJSON *item = object->child; item; item = item->next)
    count++;
  const char **names = malloc((count + 1) * sizeof *names);
  if (!names)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  count = 0;
  for (const cJSON *item = object->child; item; item = item->next)
    names[count++] = item->string;
  qsort(names, count, sizeof *names, compare_names);
  l2o_status status = L2O_OK;
  for (size_t i = 1; i < count && !status; i++)
    if (strcmp(names[i - 1], names[i]) == 0)
      status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: '%.80s' is given twice, expected once", path, names[i]);
  free(names);
  return status;
}

/* cJSON bounds the depth of what it reads. */
static l2o_status check_names(const cJSON *item, const char *path, l2o_diag *diag) {
  l2o_status status = cJSON_IsObject(item) ? check_members(item, path, diag) : L2O_OK;
  for (const cJSON *child = item->child; child && !status; child = child->next)
    if (child->child)
      status = check_names(child, path, diag);
  return status;
}

static l2o_status parse(cJSON **out, const char *bytes, size_t length, const char *path, l2o_diag *diag) {
  const char *end = bytes;
  errno = 0; /* cJSON answers NULL for lack of memory too; only malloc's ENOMEM tells that apart */
  *out = memchr(bytes, 0, length) ? NULL : cJSON_ParseWithLengthOpts(bytes, length + 1, &end, true);
  if (!*out && errno == ENOMEM)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  if (!*out)
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: not JSON near its byte %zu of %zu", path, (size_t)(end - bytes), length);
  if (!cJSON_IsObject(*out))
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: expected one JSON object", path);
  return check_names(*out, path, diag);
}

l2o_status l2o_json_read(cJSON **out, const char *path, size_t limit, l2o_diag *diag) {
  int descriptor;
  size_t length;
  *out = NULL;
  l2o_status status = l2o_file_open(&descriptor, &length, path, diag);
  if (status)
    return status;
  char *bytes = NULL;
  if (length > limit)
    status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: has %zu bytes, supported are %zu", path, length, limit);
  else if (!(bytes = malloc(length + 1)))
    status = l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  else
    status = read_bytes(bytes, descriptor, length, path, diag);
  close(descriptor);
  if (!status) {
    bytes[length] = 0;
    status = parse(out, bytes, length, path, diag);
  }
  free(bytes);
  if (status) {
    cJSON_Delete(*out);
    *out = NULL;
  }
  return status;
}
