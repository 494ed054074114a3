/* SPDX-License-Identifier: BSD-3-Clause */
/* Grey pictures of Netpbm (pgm(5)): P2 or P5, width, height, largest value; the pixels row by row, as numbers (P2), or as one or,
 * where the largest value is above 255, two bytes each, the more significant one first (P5). */
#include "problems/readers.h"
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = INT32_MAX, SAMPLE_MAX = 65535 };

#define BAD(...) l2o_fail(s->diag, L2O_ERR_FORMAT, __VA_ARGS__)

/* The word as a number from low to high. */
static l2o_status parse(size_t *out, const l2o_byte_stream *s, const l2o_word *word, const char *what, size_t low, size_t high) {
  const char *digit = word->text;
  size_t number = 0;
  for (; *digit >= '0' && *digit <= '9' && number <= high; digit++)
    number = 10 * number + (size_t)(*digit - '0');
  if (*digit || number < low || number > high)
    return BAD("%s:%zu: %s '%s', expected a whole number from %zu to %zu", s->path, s->line, what, l2o_shown(word->text).text, low,
               high);
  *out = number;
  return L2O_OK;
}

static l2o_status read_number(size_t *out, l2o_byte_stream *s, const char *what, size_t high) {
  l2o_word word;
  l2o_status status = l2o_stream_word(s, &word, true);
  if (status)
    return status;
  if (!word.text[0])
    return BAD("%s: ends within its header, before the %s", s->path, what);
  return parse(out, s, &word, what, 1, high);
}

/* P2: the numbers as the bytes that P5 would have. */
static l2o_status read_plain(unsigned char **out, l2o_byte_stream *s, size_t count, int width, size_t largest) {
  unsigned char *bytes = NULL;
  size_t room = 0, sample = 0;
  l2o_word word;
  l2o_status status = l2o_stream_word(s, &word, true);
  for (size_t i = 0; i < count && !status; i++) {
    if (!word.text[0]) {
      status = BAD("%s: ends after %zu of the %zu pixels that its header announces", s->path, i, count);
      break;
    }
    if (i == room) {
      unsigned char *grown = l2o_grown(bytes, &room, count, (size_t)width);
      if (!grown) {
        status = l2o_fail(s->diag, L2O_ERR_NOMEM, "%s: out of memory", s->path);
        break;
      }
      bytes = grown;
    }
    status = parse(&sample, s, &word, "pixel", 0, largest);
    if (width == 2)
      bytes[2 * i] = (unsigned char)(sample >> 8);
    bytes[(size_t)width * (i + 1) - 1] = (unsigned char)(sample & 0xff);
    if (!status)
      status = l2o_stream_word(s, &word, true);
  }
  if (!status && word.text[0])
    status = BAD("%s:%zu: goes on behind the %zu pixels that its header announces", s->path, s->line, count);
  *out = bytes;
  return status;
}

l2o_status l2o_read_pgm(l2o_dataset *data, l2o_byte_stream *s) {
  const int first = l2o_stream_next(s), second = l2o_stream_next(s), third = l2o_stream_peek(s);
  if (s->status)
    return s->status;
  if (first != 'P' || (second != '2' && second != '5') || (third > ' ' && third != '#'))
    return BAD("%s: does not begin with P2 or P5, expected a PGM picture", s->path);
  size_t largest = 0, count, bytes;
  l2o_status status = read_number(&data->features, s, "width", SIDE_MAX);
  if (!status)
    status = read_number(&data->rows, s, "height", SIDE_MAX);
  if (!status)
    status = read_number(&largest, s, "largest value", SAMPLE_MAX);
  if (status)
    return status;
  if (__builtin_mul_overflow(data->rows, data->features, &count) || __builtin_mul_overflow(count, sizeof *data->A, &bytes) ||
      bytes > PTRDIFF_MAX)
    return BAD("%s: %zu x %zu pixels are more than memory can hold", s->path, data->features, data->rows);
  data->image_height = data->rows;
  data->image_width = data->features;
  const int width = largest > 255 ? 2 : 1;
  unsigned char *samples = NULL;
  if (second == '2')
    status = read_plain(&samples, s, count, width, largest);
  else {
    if (l2o_stream_next(s) == '#') /* one byte of white space ends the header: here it ends a comment */
      l2o_stream_line(s);
    status = l2o_stream_rest(s, &samples, count * (size_t)width);
  }
  if (!status)
    status = l2o_table_from_samples(data, s, samples, width, (unsigned)largest);
  free(samples);
  return status;
}
