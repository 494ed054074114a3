/* SPDX-License-Identifier: BSD-3-Clause */
/* The IDX format of MNIST (LeCun, Cortes & Burges, "The MNIST database of handwritten digits"): 0, 0, the type of the elements, the
 * number of sizes; the sizes, 32 bits each; the elements. The most significant byte is first everywhere. */
#include "problems/readers.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNSIGNED_BYTE = 0x08, SIZES_MAX = 3 };

#define BAD(...) l2o_fail(s->diag, L2O_ERR_FORMAT, __VA_ARGS__)

typedef struct header {
  size_t count, size[SIZES_MAX];
} header;

/* Four bytes, most significant first. */
static bool read_bytes(l2o_byte_stream *s, unsigned char bytes[4]) {
  for (int i = 0; i < 4; i++) {
    int byte = l2o_stream_next(s);
    if (byte < 0)
      return false;
    bytes[i] = (unsigned char)byte;
  }
  return true;
}

static l2o_status ends_early(const l2o_byte_stream *s) {
  return s->status ? s->status : BAD("%s: ends within its header, expected an IDX file", s->path);
}

static l2o_status read_header(header *h, l2o_byte_stream *s) {
  unsigned char b[4];
  size_t bytes = sizeof(l2o_real);
  if (!read_bytes(s, b))
    return ends_early(s);
  if (b[0] || b[1])
    return BAD("%s: begins with the bytes %02x %02x %02x %02x, expected 00 00 08 and the number of sizes: an IDX file", s->path,
               b[0], b[1], b[2], b[3]);
  if (b[2] != UNSIGNED_BYTE)
    return BAD("%s: its elements are of type 0x%02x, supported is 0x08 (unsigned byte)", s->path, b[2]);
  h->count = b[3];
  if (h->count < 1 || h->count > SIZES_MAX)
    return BAD("%s: has %zu sizes, supported are 1 to %d", s->path, h->count, SIZES_MAX);
  for (size_t i = 0; i < h->count; i++) {
    if (!read_bytes(s, b))
      return ends_early(s);
    h->size[i] = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    if (h->size[i] == 0)
      return BAD("%s: size %zu of %zu is 0, expected at least 1", s->path, i + 1, h->count);
    if (__builtin_mul_overflow(bytes, h->size[i], &bytes) || bytes > PTRDIFF_MAX)
      return BAD("%s: its sizes, the last of them %zu, multiply to more than memory can hold", s->path, h->size[i]);
  }
  return L2O_OK;
}

static l2o_status read_labels(l2o_dataset *data, l2o_byte_stream *s) {
  header h;
  l2o_status status = read_header(&h, s);
  if (status)
    return status;
  if (h.count != 1)
    return BAD("%s: has %zu sizes, expected one, the number of labels", s->path, h.count);
  if (h.size[0] != data->rows)
    return BAD("%s: holds %zu labels for the %zu rows of %s", s->path, h.size[0], data->rows, data->name);
  unsigned char *bytes;
  status = l2o_stream_rest(s, &bytes, data->rows);
  if (status)
    return status;
  data->labels = malloc(data->rows * sizeof *data->labels);
  for (size_t i = 0; data->labels && i < data->rows; i++)
    data->labels[i] = bytes[i];
  free(bytes);
  return data->labels ? L2O_OK : l2o_fail(s->diag, L2O_ERR_NOMEM, "%s: out of memory", s->path);
}

/* Path of the labels that belong to the images, where the name tells and the file is there. */
static l2o_status find_labels(char **out, const l2o_byte_stream *s) {
  static const char images[] = "images-idx3", labels[] = "labels-idx1";
  const char *slash = strrchr(s->path, '/'), *place = strstr(slash ? slash : s->path, images);
  *out = NULL;
  if (!place)
    return L2O_OK;
  size_t length = strlen(s->path) + 1;
  char *path = malloc(length);
  if (!path)
    return l2o_fail(s->diag, L2O_ERR_NOMEM, "%s: out of memory", s->path);
  memcpy(path, s->path, length);
  memcpy(path + (place - s->path), labels, sizeof labels - 1); /* the two are of the same length */
  if (access(path, F_OK) == 0)
    *out = path;
  else
    free(path);
  return L2O_OK;
}

static l2o_status read_labels_from(l2o_dataset *data, const char *path, l2o_diag *diag) {
  l2o_byte_stream *stream;
  l2o_status status = l2o_stream_open(&stream, path, diag);
  if (!status)
    status = read_labels(data, stream);
  l2o_stream_close(stream);
  return status;
}

l2o_status l2o_read_idx(l2o_dataset *data, l2o_byte_stream *stream, const char *labels) {
  header h;
  l2o_status status = read_header(&h, stream);
  if (status)
    return status;
  data->rows = h.size[0];
  data->features = 1;
  for (size_t i = 1; i < h.count; i++)
    data->features *= h.size[i];
  if (h.count == 3) {
    data->image_height = h.size[1];
    data->image_width = h.size[2];
  }
  unsigned char *bytes;
  status = l2o_stream_rest(stream, &bytes, data->rows * data->features);
  if (status)
    return status;
  status = l2o_table_from_samples(data, stream, bytes, 1, UINT8_MAX);
  free(bytes);
  char *sibling = NULL;
  if (!status && !labels)
    status = find_labels(&sibling, stream);
  if (!status && (labels || sibling))
    status = read_labels_from(data, labels ? labels : sibling, stream->diag);
  free(sibling);
  return status;
}
