/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of configuration keys, and what a value of it looks like in memory. Private to config*.c and help.c. */
#ifndef L2O_CLI_CONFIG_KEYS_H
#define L2O_CLI_CONFIG_KEYS_H
#include "config.h"
#include <l2o/l2o.h>

typedef enum key_type { KEY_REAL, KEY_INTEGER, KEY_FLAG, KEY_TEXT, KEY_CHOICE, KEY_TEXTS, KEY_REALS } key_type;

/* One key: a row of the table that checks values and prints the documentation. */
typedef struct config_key {
  const char *path;
  key_type type;
  const char *initial;                /* default; NULL: empty; "=other.key": the value of that key, which stands above this one */
  double low, high;                   /* closed range of a number */
  enum { CLOSED, ABOVE, BELOW } open; /* ABOVE: low itself is outside; BELOW: high itself is outside */
  const char *words;                  /* "a|b|c" of a choice; words that an integer may also be */
  const char *meaning;
} config_key;

extern const config_key config_keys[]; /* ends with a NULL path */
/* The sections, outer ones before inner ones, ending with NULL. */
extern const char *const config_sections[];

/* The row of the table, or NULL. */
const config_key *key_find(const char *path);
/* Does the key of train say something about the training of a model that means nothing to a network? */
bool key_is_about_models(const char *path);
/* The row of an option of the library under `path`. */
config_key key_from_option(const l2o_option *option, const char *path);
/* "an integer from 1 to 9", "one of mean, sum", ...; where there are many words the one nearest to `found` (may be NULL). */
void key_expected(const config_key *k, const char *found, char *out, size_t size);
enum { KEY_MEANING = 2000 }; /* room for the longest line of help texts */
/* The line of help texts: "learning rate [number >= 0; default 1e-3]". */
void key_meaning(const config_key *k, const char *initial, char *out, size_t size);
/* The default of an option of the library, as text. */
void option_initial(const l2o_option *option, char *out, size_t size);
/* Word i of "a|b|c": its start and length; NULL behind the last. */
const char *words_at(const char *words, int i, size_t *length);
/* The index of `text` in "a|b|c", or -1. */
int words_find(const char *words, const char *text);
/* The same for the words of a choice, which a number may name, too: low for the first, and so on, where high is not 0. */
int choice_find(const config_key *k, const char *text);
/* The shortest text that reads back as the same number, and as a number in every YAML reader ("1.0e-05"). */
void format_real(double number, char *out, size_t size);

typedef struct config_value {
  const config_key *key;
  const char *where; /* "file:line", "--set", "--flag", "default" */
  bool given;
  bool flag;
  int choice; /* index of the word, or -1 */
  uint64_t integer;
  double real;
  const char *text;
  const char **texts;
  double *reals;
  size_t count; /* of texts or reals */
} config_value;

struct config {
  struct block *blocks; /* everything that config_free() frees */
  const char *name;     /* the file, for messages */
  const l2o_family_type *family, *eval_family;
  const l2o_model_kind *kind; /* NULL: no model section */
  config_value *values;
  size_t count;
  const char *family_spec, *eval_spec, *model_spec, *identity;
};

/* The value of the key, or NULL. */
const config_value *config_find(const config *c, const char *path);
/* A value as one line of text, canonical: equal values give equal text. For choices and texts the word itself. */
void value_format(const config_value *v, FILE *out);
#endif
