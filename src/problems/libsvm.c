/* SPDX-License-Identifier: BSD-3-Clause */
/* The text format of LIBSVM (Chang & Lin 2011, ACM TIST 2(3):27): `label index:value index:value ...`, a row a line. */
#include "problems/readers.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_MAX = 1 << 24 }; /* above any published data set that could be dense; a typing error otherwise costs all memory */

typedef struct entry {
  uint32_t column; /* from 0 */
  l2o_real value;
} entry;

typedef struct row {
  double label;
  size_t end; /* of its entries */
} row;

/* The file as it comes: its number of columns is known at its end. */
typedef struct table {
  entry *entries;
  row *rows;
  size_t entry_count, entry_room, row_count, row_room, columns;
} table;

#define BAD(format, ...) l2o_fail(s->diag, L2O_ERR_FORMAT, "%s:%zu: " format, s->path, s->line, __VA_ARGS__)
static const char DIGITS[] = "0123456789";

static l2o_status no_memory(const l2o_byte_stream *s) {
  return l2o_fail(s->diag, L2O_ERR_NOMEM, "%s: out of memory at line %zu", s->path, s->line);
}

/* [sign] digits with at most one point among them [e [sign] digits]: strtod() alone would take hexadecimal numbers and names. */
static bool is_decimal(const char *text) {
  text += *text == '+' || *text == '-';
  size_t digits = strspn(text, DIGITS);
  text += digits;
  if (*text == '.') {
    size_t fraction = strspn(++text, DIGITS);
    digits += fraction;
    text += fraction;
  }
  if (digits && (*text == 'e' || *text == 'E')) {
    text++;
    text += *text == '+' || *text == '-';
    size_t exponent = strspn(text, DIGITS);
    digits = exponent;
    text += exponent;
  }
  return digits && *text == '\0';
}

/* "index:value" becomes the next entry of the last row, whose entries begin at `first`. */
static l2o_status add_entry(table *t, const l2o_byte_stream *s, char *word, size_t first, size_t features) {
  char *colon = strchr(word, ':');
  if (!colon)
    return BAD("'%s' has no colon, expected index:value", l2o_shown(word).text);
  *colon = '\0';
  const char *value = colon + 1;
  size_t index = 0;
  if (colon == word || word[strspn(word, DIGITS)] != '\0')
    return BAD("index '%s': expected a whole number from 1 to %d", l2o_shown(word).text, INDEX_MAX);
  for (const char *digit = word; *digit && index <= INDEX_MAX; digit++)
    index = 10 * index + (size_t)(*digit - '0');
  if (index == 0)
    return BAD("index %s: indices start at 1", l2o_shown(word).text);
  if (index > INDEX_MAX)
    return BAD("index %s: the largest supported is %d", l2o_shown(word).text, INDEX_MAX);
  if (features && index > features)
    return BAD("index %zu: expected at most %zu features", index, features);
  if (t->entry_count > first && index <= t->entries[t->entry_count - 1].column + (size_t)1)
    return BAD("index %zu behind index %zu: indices ascend", index, t->entries[t->entry_count - 1].column + (size_t)1);
  const double number = is_decimal(value) ? strtod(value, NULL) : (double)NAN;
  if (!isfinite((l2o_real)number))
    return BAD("index %zu: value '%s', expected a finite number%s", index, l2o_shown(value).text,
               isfinite(number) ? " of single precision" : "");
  if (t->entry_count == t->entry_room) {
    entry *grown = l2o_grown(t->entries, &t->entry_room, SIZE_MAX, sizeof *grown);
    if (!grown)
      return no_memory(s);
    t->entries = grown;
  }
  t->entries[t->entry_count++] = (entry){.column = (uint32_t)(index - 1), .value = (l2o_real)number};
  if (index > t->columns)
    t->columns = index;
  return L2O_OK;
}

static l2o_status add_row(table *t, const l2o_byte_stream *s, const char *label) {
  const double number = is_decimal(label) ? strtod(label, NULL) : (double)NAN;
  if (!isfinite(number))
    return BAD("label '%s': expected a finite number, then index:value ...", l2o_shown(label).text);
  if (t->row_count == t->row_room) {
    row *grown = l2o_grown(t->rows, &t->row_room, SIZE_MAX, sizeof *grown);
    if (!grown)
      return no_memory(s);
    t->rows = grown;
  }
  t->rows[t->row_count++] = (row){.label = number};
  return L2O_OK;
}

static l2o_status read_rows(table *t, l2o_byte_stream *s, size_t features) {
  l2o_word word;
  do {
    l2o_status status = l2o_stream_word(s, &word, false);
    if (!status && word.text[0]) {
      const size_t first = t->entry_count;
      status = add_row(t, s, word.text);
      while (!status && !(status = l2o_stream_word(s, &word, false)) && word.text[0])
        status = add_entry(t, s, word.text, first, features);
      if (!status)
        t->rows[t->row_count - 1].end = t->entry_count;
    }
    if (status)
      return status;
  } while (l2o_stream_line(s));
  if (t->row_count == 0)
    return l2o_fail(s->diag, L2O_ERR_FORMAT, "%s: no rows, expected lines 'label index:value ...'", s->path);
  if (t->columns == 0)
    return l2o_fail(s->diag, L2O_ERR_FORMAT, "%s: labels only, expected lines 'label index:value ...'", s->path);
  return L2O_OK;
}

static l2o_status make_dense(l2o_dataset *data, const table *t, const l2o_byte_stream *s, size_t features) {
  data->rows = t->row_count;
  data->features = features ? features : t->columns;
  size_t count, bytes;
  if (!__builtin_mul_overflow(data->rows, data->features, &count) && !__builtin_mul_overflow(count, sizeof *data->A, &bytes) &&
      bytes <= PTRDIFF_MAX)
    data->A = calloc(count, sizeof *data->A);
  data->labels = malloc(data->rows * sizeof *data->labels);
  if (!data->A || !data->labels)
    return l2o_fail(s->diag, L2O_ERR_NOMEM, "%s: out of memory for %zu rows of %zu features", s->path, data->rows, data->features);
  for (size_t i = 0, k = 0; i < data->rows; i++) {
    data->labels[i] = t->rows[i].label;
    for (; k < t->rows[i].end; k++)
      data->A[i * data->features + t->entries[k].column] = t->entries[k].value;
  }
  return L2O_OK;
}

l2o_status l2o_read_libsvm(l2o_dataset *data, l2o_byte_stream *stream, size_t features) {
  /* A program may have chosen a locale whose numbers have a decimal comma: this thread does without it meanwhile. */
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!plain)
    return no_memory(stream);
  locale_t before = uselocale(plain);
  table t = {0};
  l2o_status status = read_rows(&t, stream, features);
  uselocale(before);
  freelocale(plain);
  if (!status)
    status = make_dense(data, &t, stream, features);
  free(t.entries);
  free(t.rows);
  return status;
}
