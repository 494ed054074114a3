/* SPDX-License-Identifier: BSD-3-Clause */
/* A data file as a stream of bytes, gunzipped on the way; one buffer of it is in memory. */
#ifndef L2O_PROBLEMS_BYTE_STREAM_H
#define L2O_PROBLEMS_BYTE_STREAM_H
#include "core/diag.h"
#include <zlib.h>

typedef struct l2o_byte_stream {
  gzFile file;
  const char *path; /* for sentences; borrowed, as diag is */
  l2o_diag *diag;
  l2o_status status; /* a failure to read ends the stream early and stays here, its sentence in diag */
  size_t line;       /* from 1; counted by l2o_stream_word() and l2o_stream_line() */
  size_t at, end;    /* bytes[at] .. bytes[end - 1] are next */
  unsigned char bytes[1 << 16];
} l2o_byte_stream;

enum { L2O_WORD_MAX = 127 };
typedef struct l2o_word {
  char text[L2O_WORD_MAX + 1];
} l2o_word;

/* Close it whatever this returns; regular files only: nothing that could wait for ever. */
l2o_status l2o_stream_open(l2o_byte_stream **out, const char *path, l2o_diag *diag);
void l2o_stream_close(l2o_byte_stream *stream);

/* Gets the next buffer where the last one is used up; false at the end. */
bool l2o_stream_fill(l2o_byte_stream *stream);

/* The next byte, or -1 at the end; peek does not take it. */
static inline int l2o_stream_peek(l2o_byte_stream *stream) {
  return stream->at < stream->end || l2o_stream_fill(stream) ? stream->bytes[stream->at] : -1;
}
static inline int l2o_stream_next(l2o_byte_stream *stream) {
  int byte = l2o_stream_peek(stream);
  stream->at += byte >= 0;
  return byte;
}

/* The next word of a text, "" if there is none: on this line, or on any (`across`). White space separates words, a comment goes
 * from # to the end of its line, and the byte behind the word is not taken. Fails for a zero byte, a longer word, a failed read. */
l2o_status l2o_stream_word(l2o_byte_stream *stream, l2o_word *word, bool across);
/* Takes the rest of the line, its end included. False at the end of the file. */
bool l2o_stream_line(l2o_byte_stream *stream);
/* As much of a word as a sentence has room for, unprintable bytes as question marks. */
l2o_word l2o_shown(const char *text);

/* Exactly `count` bytes up to the end of the file; free() them. Memory grows with what is there, not with what a header
 * announces. */
l2o_status l2o_stream_rest(l2o_byte_stream *stream, unsigned char **bytes, size_t count);

/* `block`, whose *room elements of `size` bytes are used up, with more room, but not for more than `most`; NULL: out of memory,
 * and the block is as it was. */
void *l2o_grown(void *block, size_t *room, size_t most, size_t size);
#endif
