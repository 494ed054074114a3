/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/byte_stream.h"
#include "core/file_open.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static l2o_status no_memory(const char *path, l2o_diag *diag) {
  return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
}

l2o_status l2o_stream_open(l2o_byte_stream **out, const char *path, l2o_diag *diag) {
  *out = NULL;
  int descriptor;
  l2o_status status = l2o_file_open(&descriptor, NULL, path, diag);
  if (status)
    return status;
  l2o_byte_stream *stream = malloc(sizeof *stream);
  gzFile file = stream ? gzdopen(descriptor, "rb") : NULL;
  if (!file) {
    free(stream);
    close(descriptor);
    return no_memory(path, diag);
  }
  stream->file = file; /* the descriptor is its own now */
  stream->path = path;
  stream->diag = diag;
  stream->status = L2O_OK;
  stream->line = 1;
  stream->at = stream->end = 0;
  *out = stream;
  return L2O_OK;
}

void l2o_stream_close(l2o_byte_stream *stream) {
  if (!stream)
    return;
  gzclose_r(stream->file); /* tells nothing that the reads have not told */
  free(stream);
}

bool l2o_stream_fill(l2o_byte_stream *stream) {
  stream->at = stream->end = 0;
  if (stream->status)
    return false;
  int got = gzread(stream->file, stream->bytes, sizeof stream->bytes), why = errno, code = Z_OK;
  if (got == (int)sizeof stream->bytes) {
    stream->end = (size_t)got;
    return true;
  }
  gzerror(stream->file, &code); /* a stream that is cut off gives a short count, and says so only here */
  if (got >= 0 && code == Z_OK) {
    stream->end = (size_t)got;
    return got > 0;
  }
  if (code == Z_ERRNO)
    stream->status = l2o_fail(stream->diag, L2O_ERR_IO, "%s: cannot read: %s", stream->path, strerror(why));
  else if (code == Z_MEM_ERROR)
    stream->status = no_memory(stream->path, stream->diag);
  else
    stream->status = l2o_fail(stream->diag, L2O_ERR_FORMAT, "%s: its gzip compression is %s", stream->path,
                              code == Z_BUF_ERROR ? "cut off" : "damaged");
  return false;
}

/* ---- texts ---- */

/* Not isspace(): that depends on the program's locale. */
static bool is_blank(int byte) {
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\v' || byte == '\f';
}

static l2o_status zero_byte(const l2o_byte_stream *stream) {
  return l2o_fail(stream->diag, L2O_ERR_FORMAT, "%s:%zu: a zero byte, expected text", stream->path, stream->line);
}

bool l2o_stream_line(l2o_byte_stream *stream) {
  int byte;
  do
    byte = l2o_stream_next(stream);
  while (byte >= 0 && byte != '\n');
  stream->line += byte == '\n';
  return byte == '\n';
}

/* To where a word may begin. */
static l2o_status skip(l2o_byte_stream *stream, bool across) {
  for (int byte; (byte = l2o_stream_peek(stream)) >= 0;) {
    if (byte == '#') {
      while ((byte = l2o_stream_peek(stream)) > 0 && byte != '\n')
        stream->at++;
      if (byte == 0)
        return zero_byte(stream);
    } else if (is_blank(byte) || (byte == '\n' && across)) {
      stream->at++;
      stream->line += byte == '\n';
    } else
      break;
  }
  return stream->status;
}

l2o_status l2o_stream_word(l2o_byte_stream *stream, l2o_word *word, bool across) {
  size_t length = 0;
  l2o_status status = skip(stream, across);
  if (status)
    return status;
  for (int byte; (byte = l2o_stream_peek(stream)) >= 0 && byte != '\n' && byte != '#' && !is_blank(byte); stream->at++) {
    if (byte == 0)
      return zero_byte(stream);
    if (length == L2O_WORD_MAX)
      return l2o_fail(stream->diag, L2O_ERR_FORMAT, "%s:%zu: a word of more than %d characters, expected numbers", stream->path,
                      stream->line, L2O_WORD_MAX);
    word->text[length++] = (char)byte;
  }
  word->text[length] = '\0';
  return stream->status;
}

l2o_word l2o_shown(const char *text) {
  enum { ROOM = 40 };
  l2o_word shown = {""};
  size_t length = strlen(text);
  for (size_t i = 0; i < length && i < ROOM; i++)
    shown.text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
  if (length > ROOM)
    memcpy(shown.text + ROOM, "...", 4);
  return shown;
}

/* ---- arrays ---- */

void *l2o_grown(void *block, size_t *room, size_t most, size_t size) {
  enum { FIRST = 1024 };
  size_t more = *room < most / 2 ? 2 * *room : most, bytes;
  if (more < FIRST)
    more = most < FIRST ? most : FIRST;
  if (more == *room || __builtin_mul_overflow(more, size, &bytes) || bytes > PTRDIFF_MAX)
    return NULL;
  void *grown = realloc(block, bytes);
  if (grown)
    *room = more;
  return grown;
}

l2o_status l2o_stream_rest(l2o_byte_stream *stream, unsigned char **bytes, size_t count) {
  unsigned char *block = NULL, *grown;
  size_t room = 0, done = 0;
  l2o_status status = L2O_OK;
  while (done < count && l2o_stream_peek(stream) >= 0) {
    if (done == room) {
      if (!(grown = l2o_grown(block, &room, count, 1))) {
        status = no_memory(stream->path, stream->diag);
        break;
      }
      block = grown;
    }
    size_t part = stream->end - stream->at < room - done ? stream->end - stream->at : room - done;
    memcpy(block + done, stream->bytes + stream->at, part);
    stream->at += part;
    done += part;
  }
  bool more = !status && l2o_stream_peek(stream) >= 0;
  if (!status)
    status = stream->status;
  if (!status && done < count)
    status = l2o_fail(stream->diag, L2O_ERR_FORMAT, "%s: ends after %zu of the %zu bytes of data that its header announces",
                      stream->path, done, count);
  else if (!status && more)
    status = l2o_fail(stream->diag, L2O_ERR_FORMAT, "%s: goes on behind the %zu bytes of data that its header announces",
                      stream->path, count);
  if (status)
    free(block);
  *bytes = status ? NULL : block;
  return status;
}
