/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a configuration, in two passes. First the YAML file and then the sets become a flat list of entries, "train.steps" with
 * the place it came from; a set replaces the entry of the same path. Then, the family and the kind of model being known and with
 * them their keys, every entry is checked against its row of the table. */
#include "config.h"
#include "args.h"
#include "config_keys.h"
#include "core/nearest.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A configuration is a page of text; more is a file that was named by mistake, or somebody who wants to see us busy. */
enum { MAX_FILE = 1 << 20, MAX_KEYS = 1000, MAX_DEPTH = 16 };

/* ---- memory and messages ---- */

typedef struct block {
  struct block *next;
  max_align_t data[];
} block;

/* Zeroed memory that config_free() frees. A command that cannot get a page of memory can only say so. */
static void *keep(config *c, size_t size) {
  block *b = calloc(1, sizeof *b + size);
  if (!b) {
    fputs("out of memory\n", stderr);
    exit(EXIT_FAILED);
  }
  b->next = c->blocks;
  c->blocks = b;
  return b->data;
}

static char *keep_text(config *c, const char *text, size_t length) {
  char *copy = keep(c, length + 1);
  memcpy(copy, text, length);
  return copy;
}

__attribute__((format(printf, 2, 3))) static char *keep_format(config *c, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  char *text = keep(c, (size_t)length + 1);
  vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  va_end(args);
  return text;
}

__attribute__((format(printf, 2, 3))) static bool fail(message *error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  return false;
}

/* At most 40 bytes of a text from outside, fit for one line of a terminal. */
typedef struct shown {
  char text[44];
} shown;

static shown show(const char *text, size_t length) {
  shown s;
  size_t used = 0;
  for (; used < length && used < 40; used++)
    s.text[used] = (unsigned char)text[used] < 0x20 || text[used] == 0x7f ? '?' : text[used];
  if (used < length) {
    while (used > 0 && ((unsigned char)text[used] & 0xc0) == 0x80) /* not in the middle of a UTF-8 sequence */
      used--;
    memcpy(s.text + used, "...", 3);
    used += 3;
  }
  s.text[used] = '\0';
  return s;
}

/* ---- first pass: entries ---- */

typedef struct entry {
  struct entry *next;
  const char *path, *where;
  enum { SCALAR, LIST, SECTION } kind;
  const char *text; /* scalar */
  bool plain;       /* written without quotes */
  const char **items;
  size_t count;
} entry;

typedef struct reader {
  config *c;
  entry *first, **last;
  size_t count;
  yaml_document_t *document;
  const char *place; /* the file, or the flag of a set */
  bool set;
  message *error;
} reader;

static const char *where(const reader *r, const yaml_node_t *node) {
  return r->set ? r->place : keep_format(r->c, "%s:%zu", r->place, node->start_mark.line + 1);
}

static bool is_section(const char *path) {
  for (const char *const *s = config_sections; *s; s++)
    if (strcmp(*s, path) == 0)
      return true;
  return false;
}

static bool is_null(const entry *e) {
  static const char *const words[] = {"", "~", "null", "Null", "NULL"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (e->kind == SCALAR && e->plain && strcmp(e->text, words[i]) == 0)
      return true;
  return false;
}

static entry *find_entry(const reader *r, const char *path) {
  for (entry *e = r->first; e; e = e->next)
    if (strcmp(e->path, path) == 0)
      return e;
  return NULL;
}

/* Appends the entry, or lets a set replace the one of the same path. */
static bool add_entry(reader *r, entry e) {
  entry *old = find_entry(r, e.path);
  if (old && !r->set)
    return fail(r->error, "%s: %s: given twice, first at %s", e.where, e.path, old->where);
  if (old) {
    e.next = old->next;
    *old = e;
    return true;
  }
  if (++r->count > MAX_KEYS)
    return fail(r->error, "%s: more than %d keys are too many for a configuration", e.where, MAX_KEYS);
  entry *new = keep(r->c, sizeof *new);
  *new = e;
  *r->last = new;
  r->last = &new->next;
  return true;
}

/* Is it a flag that names a key, so that messages must, too? */
static bool names_key(const char *place) {
  return strcmp(place, "--set") == 0 || strcmp(place, "--sweep") == 0;
}

/* "--set NAME: " or "FILE:LINE: NAME: " or "--steps: ": what stands before every complaint about an entry. */
static const char *before(config *c, const char *place, const char *path) {
  if (names_key(place))
    return keep_format(c, "%s %s", place, path);
  if (strncmp(place, "--", 2) == 0)
    return place;
  return keep_format(c, "%s: %s", place, path);
}

static bool read_text(reader *r, const char *path, const yaml_node_t *node, const char **text) {
  const char *bytes = (const char *)node->data.scalar.value;
  size_t length = node->data.scalar.length;
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
      return fail(r->error, "%s: found a control character (code %d) in the text, expected one printable line",
                  before(r->c, where(r, node), path), bytes[i]);
  *text = keep_text(r->c, bytes, length);
  return true;
}

static bool read_mapping(reader *r, const yaml_node_t *mapping, const char *section);

static bool read_value(reader *r, const yaml_node_t *node, const char *path, const char *place) {
  entry e = {.path = path, .where = place};
  switch (node->type) {
  case YAML_SCALAR_NODE:
    e.kind = SCALAR;
    e.plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!read_text(r, path, node, &e.text))
      return false;
    break;
  case YAML_SEQUENCE_NODE:
    e.kind = LIST;
    e.count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    e.items = keep(r->c, (e.count + 1) * sizeof *e.items);
    for (size_t i = 0; i < e.count; i++) {
      const yaml_node_t *item = yaml_document_get_node(r->document, node->data.sequence.items.start[i]);
      if (!item || item->type != YAML_SCALAR_NODE)
        return fail(r->error, "%s: %s: found a %s inside the list, expected a list of plain values", place, path,
                    item && item->type == YAML_MAPPING_NODE ? "mapping" : "list");
      if (!read_text(r, path, item, &e.items[i]))
        return false;
    }
    break;
  default:
    e.kind = SECTION;
    /* Sections do not nest deeper than the table, so neither does this recursion, whatever the aliases of the file. */
    if (is_section(path) && (r->set || !find_entry(r, path)))
      return add_entry(r, e) && read_mapping(r, node, path);
  }
  return add_entry(r, e);
}

static bool read_mapping(reader *r, const yaml_node_t *mapping, const char *section) {
  for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top; pair++) {
    const yaml_node_t *name = yaml_document_get_node(r->document, pair->key);
    const yaml_node_t *node = yaml_document_get_node(r->document, pair->value);
    if (!name || !node || name->type != YAML_SCALAR_NODE)
      return fail(r->error, "%s: %s%sfound a key that is not a word", where(r, mapping), section, *section ? ": " : "");
    const char *word = (const char *)name->data.scalar.value;
    size_t length = name->data.scalar.length;
    shown s = show(word, length);
    if (length > 40 || strlen(s.text) != strlen(word))
      return fail(r->error, "%s: %s%s%s: unknown key", where(r, name), section, *section ? "." : "", s.text);
    const char *path = keep_format(r->c, "%s%s%s", section, *section ? "." : "", s.text);
    if (!read_value(r, node, path, where(r, name)))
      return false;
  }
  return true;
}

/* The next document of the stream into r->document; its root, or NULL. */
static bool load_document(reader *r, yaml_parser_t *parser, yaml_node_t **root) {
  if (yaml_parser_load(parser, r->document)) {
    *root = yaml_document_get_root_node(r->document);
    return true;
  }
  char place[300];
  if (parser->error == YAML_READER_ERROR)
    return fail(r->error, "%.200s: not UTF-8 text: %s at byte %zu", r->place, parser->problem ? parser->problem : "a stray byte",
                parser->problem_offset);
  if (parser->error == YAML_MEMORY_ERROR)
    return fail(r->error, "%.200s: out of memory", r->place);
  if (r->set)
    snprintf(place, sizeof place, "%s", r->place);
  else
    snprintf(place, sizeof place, "%.250s:%zu", r->place, parser->problem_mark.line + 1);
  return fail(r->error, "%s: not valid YAML: %s%s%s", place, parser->context ? parser->context : "",
              parser->context && parser->problem ? ", " : "", parser->problem ? parser->problem : "");
}

/* Refuses deep nesting before it is all read, which takes libyaml quadratic time. Other mistakes are left to load_document(). */
static bool check_depth(reader *r, const char *text, size_t length) {
  yaml_parser_t parser;
  yaml_event_t event;
  if (!yaml_parser_initialize(&parser))
    return fail(r->error, "out of memory");
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
  int depth = 0;
  bool ok = true;
  for (bool more = true; more && ok && yaml_parser_parse(&parser, &event);) {
    bool opens = event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
    bool closes = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
    more = event.type != YAML_STREAM_END_EVENT && event.type != YAML_NO_EVENT;
    depth += opens - closes;
    if (depth > MAX_DEPTH)
      ok = fail(r->error, "%.250s: lists and sections nest deeper than %d levels", r->place, MAX_DEPTH);
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  return ok;
}

static bool read_file(reader *r, const char *text, size_t length) {
  yaml_parser_t parser;
  yaml_document_t document;
  yaml_node_t *root;
  if (length > MAX_FILE)
    return fail(r->error, "%.200s: %zu bytes are too many for a configuration", r->place, length);
  if (!check_depth(r, text, length))
    return false;
  if (!yaml_parser_initialize(&parser))
    return fail(r->error, "out of memory");
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
  r->document = &document;
  bool ok = load_document(r, &parser, &root);
  if (ok) {
    if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
      ok = fail(r->error, "%.200s: empty; expected the sections problem, model, train, eval, output", r->place);
    else if (root->type != YAML_MAPPING_NODE)
      ok = fail(r->error, "%s: found a %s, expected the sections problem, model, train, eval, output", where(r, root),
                root->type == YAML_SCALAR_NODE ? "text" : "list");
    else
      ok = read_mapping(r, root, "");
    yaml_document_delete(&document);
    if (ok && (ok = load_document(r, &parser, &root))) {
      if (root)
        ok = fail(r->error, "%s: found a second document, expected one", where(r, root));
      yaml_document_delete(&document);
    }
  }
  yaml_parser_delete(&parser);
  return ok;
}

/* "[--flag ]key.path=value" */
static bool read_set(reader *r, const char *text) {
  r->place = "--set";
  if (strncmp(text, "--", 2) == 0) {
    size_t length = strcspn(text, " ");
    r->place = keep_text(r->c, text, length);
    text += length + (text[length] == ' ');
  }
  const char *equals = strchr(text, '=');
  if (!equals || equals == text)
    return fail(r->error, "%s %s: expected key.path=value", r->place, show(text, strlen(text)).text);
  const char *value = equals + 1;
  shown name = show(text, (size_t)(equals - text));
  if (equals - text > 40)
    return fail(r->error, "%s %s: unknown key", r->place, name.text);
  const char *path = keep_text(r->c, name.text, strlen(name.text));

  yaml_parser_t parser;
  yaml_document_t document;
  yaml_node_t *root, nothing = {.type = YAML_SCALAR_NODE};
  unsigned char empty[1] = "";
  if (!yaml_parser_initialize(&parser))
    return fail(r->error, "out of memory");
  /* Messages read "--set train.steps: ..." but "--steps: ...", so that each names what was typed. */
  const char *flag = r->place;
  r->place = names_key(flag) ? keep_format(r->c, "%s %s", flag, path) : flag;
  yaml_parser_set_input_string(&parser, (const unsigned char *)value, strlen(value));
  r->document = &document;
  const config_key *k = key_find(path);
  bool ok;
  if (k && k->type == KEY_TEXT && *value && !strchr("'\"", *value)) {
    /* A text is taken as it is, so that a title may hold ": " and a file name "#". */
    yaml_event_t probe; /* making one checks the encoding, which config_write() would fail on */
    if (yaml_scalar_event_initialize(&probe, NULL, NULL, (const yaml_char_t *)value, -1, 1, 1, YAML_ANY_SCALAR_STYLE)) {
      yaml_event_delete(&probe);
      yaml_node_t verbatim = {.type = YAML_SCALAR_NODE};
      verbatim.data.scalar.value = (unsigned char *)keep_text(r->c, value, strlen(value));
      verbatim.data.scalar.length = strlen(value);
      verbatim.data.scalar.style = YAML_PLAIN_SCALAR_STYLE;
      r->place = flag;
      ok = read_value(r, &verbatim, path, flag);
    } else {
      ok = fail(r->error, "%s: found a text that is not UTF-8", r->place);
    }
  } else if ((ok = check_depth(r, value, strlen(value)) && load_document(r, &parser, &root))) {
    if (!root) {
      nothing.data.scalar.value = empty;
      nothing.data.scalar.style = YAML_PLAIN_SCALAR_STYLE;
      root = &nothing;
    }
    r->place = flag;
    ok = read_value(r, root, path, flag);
    yaml_document_delete(&document);
  }
  yaml_parser_delete(&parser);
  return ok;
}

/* ---- second pass: values ---- */

const config_value *config_find(const config *c, const char *path) {
  for (size_t i = 0; i < c->count; i++)
    if (strcmp(c->values[i].key->path, path) == 0)
      return &c->values[i];
  return NULL;
}

/* The same for a configuration in the making. */
static config_value *find_value(config *c, const char *path) {
  const config_value *v = config_find(c, path);
  return v ? &c->values[v - c->values] : NULL;
}

static const char *last_word(const char *path) {
  const char *dot = strrchr(path, '.');
  return dot ? dot + 1 : path;
}

/* Candidates for l2o_nearest(): the paths of all keys and sections, or the last words of those beside `path`. */
typedef struct candidates {
  const config *c;
  const char *beside;
  size_t parent; /* length of the path up to and with its last dot */
} candidates;

static const char *candidate(const void *context, size_t i) {
  const candidates *all = context;
  for (size_t j = 0;; j++) {
    const char *path = j < all->c->count ? all->c->values[j].key->path : config_sections[j - all->c->count];
    if (!path)
      return NULL;
    if (all->beside && (strncmp(path, all->beside, all->parent) || strchr(path + all->parent, '.')))
      continue;
    if (i-- == 0)
      return all->beside ? path + all->parent : path;
  }
}

/* "steps, batch, horizon": the keys whose paths begin as `path` does up to `parent`. */
static const char *known_beside(config *c, const char *path, size_t parent) {
  candidates siblings = {c, path, parent};
  const char *names = "", *other;
  for (size_t i = 0; (other = candidate(&siblings, i)) != NULL; i++)
    names = keep_format(c, "%s%s%s", names, i ? ", " : "", other);
  return names;
}

/* The complaint about a key that is not there: with the key that was probably meant, or else with those that there are. */
static bool unknown_key(config *c, const entry *e, message *error) {
  const char *word = last_word(e->path), *near = NULL, *start = before(c, e->where, e->path);
  size_t parent = (size_t)(word - e->path);
  if (strcmp(word, "<<") == 0)
    return fail(error, "%s: merge keys are not supported", start);
  candidates siblings = {c, e->path, parent}, all = {c, NULL, 0};
  /* Names of one or two letters are near to everything. */
  if (strlen(word) > 2)
    near = l2o_nearest(word, candidate, &siblings);
  if (near)
    return fail(error, "%s: unknown key; did you mean %.*s%s?", start, (int)parent, e->path, near);
  /* The right word in the wrong section: the section that shares most with the one given. */
  const char *other, *same = NULL;
  size_t most = 0;
  for (size_t i = 0; (other = candidate(&all, i)) != NULL; i++) {
    size_t shared = 1;
    while (other[shared - 1] && other[shared - 1] == e->path[shared - 1])
      shared++;
    if (strcmp(last_word(other), word) == 0 && shared > most) {
      most = shared;
      same = other;
    }
  }
  if (!same && !candidate(&siblings, 0)) /* the section is what is wrong */
    same = l2o_nearest(e->path, candidate, &all);
  if (same)
    return fail(error, "%s: unknown key; did you mean %s?", start, same);
  const char *known = known_beside(c, e->path, parent);
  return fail(error, "%s: unknown key%s%.250s", start, *known ? "; known here: " : "", known);
}

static bool wrong(config *c, const entry *e, const config_key *k, const char *text, message *error) {
  char expected[250], found[80];
  key_expected(k, text || e->kind != SCALAR ? text : e->text, expected, sizeof expected);
  if (text)
    snprintf(found, sizeof found, "%s", show(text, strlen(text)).text);
  else if (is_null(e))
    snprintf(found, sizeof found, "nothing");
  else if (e->kind == SCALAR)
    snprintf(found, sizeof found, e->plain ? "%s" : "the text \"%s\"", show(e->text, strlen(e->text)).text);
  else
    snprintf(found, sizeof found, "a %s", e->kind == LIST ? "list" : "section");
  return fail(error, "%s: found %s, expected %s", before(c, e->where, e->path), found, expected);
}

static bool in_range(const config_key *k, double number) {
  return isfinite(number) && (k->open == ABOVE ? number > k->low : number >= k->low) &&
         (k->open == BELOW ? number < k->high : number <= k->high);
}

/* Decimal numbers only: strtod() also reads hexadecimal, "inf" and "nan". */
static bool parse_real(const char *text, double *out) {
  char *end;
  if (!*text || text[strspn(text, "+-.0123456789eE")])
    return false;
  *out = strtod(text, &end);
  return *end == '\0' && isfinite(*out);
}

/* Digits are read exactly, all 64 bits; 1e5 is an integer, too, as long as a double holds it exactly. */
static bool parse_integer(const char *text, uint64_t *out) {
  double number;
  if (*text && !text[strspn(text, "0123456789")]) {
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0;
  }
  if (!parse_real(text, &number) || number != floor(number) || number < 0 || number > 9007199254740992.0)
    return false;
  *out = (uint64_t)number;
  return true;
}

static void set_word(config *c, config_value *v, int choice) {
  size_t length;
  const char *word = words_at(v->key->words, choice, &length);
  v->choice = choice;
  v->text = word ? keep_text(c, word, length) : NULL;
}

/* The value of an entry, checked against its row. */
static bool accept(config *c, config_value *v, const entry *e, message *error) {
  const config_key *k = v->key;
  bool bare = e->kind == SCALAR && e->plain && !is_null(e);
  v->given = true;
  v->where = e->where;
  v->choice = -1;
  switch (k->type) {
  case KEY_REAL:
    if (!bare || !parse_real(e->text, &v->real) || !in_range(k, v->real))
      return wrong(c, e, k, NULL, error);
    return true;
  case KEY_INTEGER:
    v->integer = 0;
    if (e->kind == SCALAR && k->words && words_find(k->words, e->text) >= 0)
      set_word(c, v, words_find(k->words, e->text));
    else if (!bare || !parse_integer(e->text, &v->integer) || !in_range(k, (double)v->integer))
      return wrong(c, e, k, NULL, error);
    return true;
  case KEY_FLAG:
    v->flag = bare && strcmp(e->text, "true") == 0;
    return v->flag || (bare && strcmp(e->text, "false") == 0) || wrong(c, e, k, NULL, error);
  case KEY_TEXT:
    if (e->kind != SCALAR)
      return wrong(c, e, k, NULL, error);
    v->text = is_null(e) || !*e->text ? NULL : e->text;
    return true;
  case KEY_CHOICE: {
    /* The library's words for lists: [grad, x] is "grad+x". */
    const char *text = e->kind == SCALAR ? e->text : "";
    for (size_t i = 0; e->kind == LIST && i < e->count && strlen(text) < 100; i++) /* 100: longer than any of them */
      text = keep_format(c, "%s%s%s", text, i ? "+" : "", e->items[i]);
    set_word(c, v, choice_find(k, text));
    return v->choice >= 0 || wrong(c, e, k, e->kind == LIST && e->count ? text : NULL, error);
  }
  case KEY_TEXTS:
  case KEY_REALS:
    if (e->kind == SECTION)
      return wrong(c, e, k, NULL, error);
    v->count = e->kind == LIST ? e->count : !is_null(e); /* one value needs no brackets */
    v->texts = keep(c, (v->count + 1) * sizeof *v->texts);
    v->reals = keep(c, (v->count + 1) * sizeof *v->reals);
    for (size_t i = 0; i < v->count; i++) {
      v->texts[i] = e->kind == LIST ? e->items[i] : e->text;
      if (k->type == KEY_REALS && (!parse_real(v->texts[i], &v->reals[i]) || !in_range(k, v->reals[i])))
        return wrong(c, e, k, v->texts[i], error);
    }
    return true;
  }
  return true;
}

/* The default of a row of the static table; the rows above it have their values already. */
static void set_default(config *c, config_value *v) {
  const config_key *k = v->key;
  v->where = "default";
  v->choice = -1;
  if (!k->initial)
    return;
  if (*k->initial == '=') {
    const config_value *other = config_find(c, k->initial + 1);
    assert(other);
    v->integer = other->integer;
    v->real = other->real;
    v->text = other->text;
    v->choice = k->type == KEY_CHOICE ? other->choice : -1;
    return;
  }
  entry e = {.path = k->path, .where = v->where, .kind = SCALAR, .text = k->initial, .plain = true};
  if (k->type == KEY_REALS) { /* "1e-2 1e-4" */
    e.kind = LIST;
    e.items = keep(c, strlen(k->initial) * sizeof *e.items);
    for (const char *at = k->initial; *at; at += strspn(at, " ")) {
      size_t length = strcspn(at, " ");
      e.items[e.count++] = keep_text(c, at, length);
      at += length;
    }
  }
  message ignored;
  bool good = accept(c, v, &e, &ignored);
  assert(good);
  (void)good;
  v->given = false;
}

/* The default of an option of the library: its own, or what `base`, the key that eval.problem overrides, has. Another family may
 * mean something else by the same name; only a value that suits both is handed on. */
static void set_option_default(config *c, config_value *v, const l2o_option *option, const config_value *base) {
  const config_key *k = v->key;
  v->where = "default";
  v->real = option->initial;
  v->integer = option->initial > 0 ? (uint64_t)option->initial : 0;
  v->choice = -1;
  if (k->type == KEY_CHOICE)
    set_word(c, v, (int)option->initial);
  if (!base || base->key->type != k->type || (k->type == KEY_REAL && !in_range(k, base->real)) ||
      (k->type == KEY_INTEGER && !in_range(k, (double)base->integer)) ||
      (k->type == KEY_CHOICE && (!base->text || words_find(k->words, base->text) < 0)))
    return;
  *v = *base;
  v->key = k;
  v->given = false;
  if (k->type == KEY_CHOICE)
    set_word(c, v, words_find(k->words, base->text));
}

static size_t option_count(const l2o_option *options) {
  size_t count = 0;
  while (options && options[count].name)
    count++;
  return count;
}

static bool below_eval(const char *section) {
  return strcmp(section, "eval.problem") == 0;
}

/* Adds the keys of the library's table under `section`. Where problem has a key of its own of that name, that one rules. */
static void add_options(config *c, const char *section, const l2o_option *options) {
  for (; options && options->name; options++) {
    const char *path = keep_format(c, "%s.%s", section, options->name);
    if (key_find(path) || (below_eval(section) && key_find(path + strlen("eval."))))
      continue;
    config_key *k = keep(c, sizeof *k);
    *k = key_from_option(options, path);
    config_value *v = &c->values[c->count++];
    v->key = k;
    set_option_default(c, v, options, NULL);
  }
}

/* The text of an entry that must be there, or NULL. */
static const char *entry_text(const reader *r, const char *path) {
  const entry *e = find_entry(r, path);
  return e && e->kind == SCALAR && !is_null(e) && *e->text ? e->text : NULL;
}

static bool find_family(reader *r, const char *path, const l2o_family_type **out) {
  l2o_diag diag;
  const entry *e = find_entry(r, path);
  const char *name = entry_text(r, path);
  if (e && e->kind != SCALAR) {
    config_key k = {.type = KEY_TEXT};
    return wrong(r->c, e, &k, NULL, r->error);
  }
  if (!name)
    return true;
  *out = l2o_family_type_find(name, &diag);
  return *out || fail(r->error, "%s: %s", before(r->c, e->where, path), diag.text);
}

/* Families and kinds known to the library, "qp, quadratic". */
static const char *known_families(config *c) {
  const char *names = "";
  for (const l2o_family_type *const *f = l2o_family_types(); *f; f++)
    names = keep_format(c, "%s%s%s", names, *names ? ", " : "", (*f)->name);
  return names;
}

static const char *known_kinds(config *c) {
  const char *names = "";
  for (const l2o_model_kind *const *m = l2o_model_kinds(); *m; m++)
    names = keep_format(c, "%s%s%s", names, *names ? ", " : "", (*m)->name);
  return names;
}

static const entry *first_below(const reader *r, const char *section) {
  size_t length = strlen(section);
  for (const entry *e = r->first; e; e = e->next)
    if (strncmp(e->path, section, length) == 0 && (e->path[length] == '.'))
      return e;
  return NULL;
}

static const char *only_name(const void *context, size_t i) {
  return i ? NULL : context;
}

/* A required key is missing: because it is misspelt? */
static bool fail_missing(const reader *r, const char *section, const char *key, const char *known) {
  size_t length = strlen(section);
  for (const entry *e = r->first; e; e = e->next)
    if (strncmp(e->path, section, length) == 0 && e->path[length] == '.' && l2o_nearest(e->path + length + 1, only_name, key))
      return fail(r->error, "%.200s: %.100s: unknown key; did you mean %s.%s?", e->where, e->path, section, key);
  const entry *other = first_below(r, section);
  return fail(r->error, "%.200s: %s.%s: missing, expected one of %s", other ? other->where : r->c->name, section, key, known);
}

/* Finds out whose keys the sections problem, eval.problem and model have. */
static bool find_tables(reader *r) {
  config *c = r->c;
  if (!find_family(r, "problem.family", &c->family))
    return false;
  if (!c->family)
    return fail_missing(r, "problem", "family", known_families(c));
  c->eval_family = c->family;
  if (!find_family(r, "eval.problem.family", &c->eval_family))
    return false;
  const char *kind = entry_text(r, "model.kind");
  const entry *e = find_entry(r, "model.kind"), *other = first_below(r, "model");
  if (kind) {
    l2o_diag diag;
    c->kind = l2o_model_kind_find(kind, &diag);
    return c->kind || fail(r->error, "%s: %s", before(c, e->where, e->path), diag.text);
  }
  if (e && e->kind != SCALAR) {
    config_key k = {.type = KEY_TEXT};
    return wrong(c, e, &k, NULL, r->error);
  }
  return !other || fail_missing(r, "model", "kind", known_kinds(c));
}

/* An item of eval.solvers; in a list without quotes YAML takes the commas of the options for its own. */
static bool check_solvers(config *c, message *error) {
  const config_value *v = config_find(c, "eval.solvers");
  for (size_t i = 0; i < v->count; i++) {
    solver_spec spec;
    message why;
    size_t name = strcspn(v->texts[i], ":=");
    if (solver_spec_parse(v->texts[i], &spec, &why))
      solver_spec_free(&spec);
    else if (i > 0 && v->texts[i][name] == '=')
      return fail(error, "%s: \"%s\" is no solver; quotes keep options together in a list: \"%s,%s\"",
                  before(c, v->where, "eval.solvers"), show(v->texts[i], strlen(v->texts[i])).text,
                  show(v->texts[i - 1], strlen(v->texts[i - 1])).text, show(v->texts[i], strlen(v->texts[i])).text);
    else
      return fail(error, "%s: %.300s", before(c, v->where, "eval.solvers"), why.text);
  }
  if (v->given && v->count == 0)
    return fail(error, "%s: found an empty list, expected at least one solver", before(c, v->where, "eval.solvers"));
  return true;
}

/* A value as text. */
static const char *keep_value(config *c, const config_value *v) {
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  if (!out)
    return "";
  value_format(v, out);
  fclose(out);
  const char *kept = keep_text(c, text, length);
  free(text);
  return kept;
}

/* The keys of the architecture of a published checkpoint, as if they had been given; those that were given must say the same. */
static bool take_architecture(config *c, const char *section, const l2o_family_type *family, message *error) {
  const config_value *folder = config_find(c, keep_format(c, "%s.checkpoint", section));
  char options[1024];
  l2o_diag diag = {""};
  if (!folder->text)
    return true;
  const char *start = before(c, folder->where, folder->key->path);
  if (strcmp(family->name, "transformer") != 0)
    return fail(error, "%s: published checkpoints are for family transformer; %s takes weights from %s.init", start, family->name,
                section);
  if (l2o_checkpoint_options(options, sizeof options, folder->text, &diag))
    return fail(error, "%s: %s", start, diag.text);
  for (const char *item = options; *item; item += strcspn(item, ","), item += *item == ',') {
    const size_t name = strcspn(item, "="), length = strcspn(item, ",");
    const char *path = keep_format(c, "%s.%.*s", section, (int)name, item);
    config_value *v = find_value(c, path), probe = {.key = v ? v->key : NULL};
    entry e = {.path = path, .where = folder->where, .kind = SCALAR, .plain = true};
    if (!v || name >= length)
      return fail(error, "%s: %.100s has %.*s, which family transformer does not know", start, folder->text, (int)length, item);
    e.text = keep_text(c, item + name + 1, length - name - 1);
    if (!accept(c, &probe, &e, error))
      return false;
    const char *text = keep_value(c, v);
    if (v->given && strcmp(text, keep_value(c, &probe)) != 0)
      return fail(error, "%s: is %s, but the checkpoint %.200s has %s", before(c, v->where, path), text, folder->text, e.text);
    if (!v->given && folder->given)
      *v = probe;
  }
  return true;
}

/* train.solver of a network, and keys that say something about the other kind of training. */
static bool check_training(config *c, message *error) {
  const config_value *rule = config_find(c, "train.solver"), *records = config_find(c, "train.record_every");
  solver_spec spec;
  message why;
  if (c->kind && records->given)
    return fail(error, "%s: is about training a network; train.csv of a model has every step",
                before(c, records->where, "train.record_every"));
  if (!config_trains_network(c))
    return true;
  if (!solver_spec_parse(rule->text, &spec, &why))
    return fail(error, "%s: %.300s", before(c, rule->where, "train.solver"), why.text);
  const bool named = spec.model || strcmp(spec.label, spec.name) != 0;
  solver_spec_free(&spec);
  if (named)
    return fail(error, "%s: model= and label= are for eval.solvers", before(c, rule->where, "train.solver"));
  for (size_t i = 0; i < c->count; i++) {
    const config_value *v = &c->values[i];
    if (v->given && key_is_about_models(v->key->path))
      return fail(error,
                  "%s: is about training a model; without a section model a network is trained, by a rule with options of its own, "
                  "train.solver: \"NAME:key=value,...\"",
                  before(c, v->where, v->key->path));
  }
  return true;
}

/* What no row can check alone. */
static bool check_together(config *c, message *error) {
  const config_value *unroll = config_find(c, "train.unroll"), *horizon = config_find(c, "train.horizon");
  if (unroll->integer > horizon->integer)
    return fail(error, "%s: found %llu, expected at most train.horizon, which is %llu", before(c, unroll->where, "train.unroll"),
                (unsigned long long)unroll->integer, (unsigned long long)horizon->integer);
  const config_value *data = config_find(c, "problem.data");
  if (data->text && config_find(c, "problem.file")->text)
    return fail(error, "%s: there is problem.file already, which holds the instances", before(c, data->where, "problem.data"));
  return check_solvers(c, error) && check_training(c, error);
}

/* "qp:n=32,m=20": the given keys of `section` that the table knows. */
static const char *make_spec(config *c, const char *name, const char *section, const l2o_option *options) {
  const char *text = name;
  char separator = ':';
  for (; options && options->name; options++) {
    const config_value *v = config_find(c, keep_format(c, "%s.%s", section, options->name));
    const config_value *base = below_eval(section) ? config_find(c, keep_format(c, "problem.%s", options->name)) : NULL;
    bool given = (v && v->given) || (base && base->given);
    if (!v)
      v = base;
    if (strcmp(options->name, "instances") == 0) {
      /* A sampler that draws all instances together wants to know how many there are, however that was said. */
      given = true;
      if (base && config_find(c, "eval.instances")->choice < 0)
        v = config_find(c, "eval.instances");
    }
    if (!v || !given)
      continue;
    text = keep_format(c, "%s%c%s=%s", text, separator, options->name, keep_value(c, v));
    separator = ',';
  }
  return text;
}

static void make_identity(config *c) {
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  if (!out)
    return;
  /* more steps are the same training going on, unless they shape it */
  bool constant = config_is(c, "train.schedule.name", "constant") && config_integer(c, "train.layerwise.rounds") == 0;
  for (size_t i = 0; i < c->count; i++) {
    const char *path = c->values[i].key->path;
    if (strncmp(path, "output.", 7) == 0 || strcmp(last_word(path), "threads") == 0 || strcmp(path, "train.record_every") == 0 ||
        (constant && strcmp(path, "train.steps") == 0))
      continue;
    fprintf(out, "%s=", path);
    value_format(&c->values[i], out);
    fputc('\n', out);
  }
  fclose(out);
  c->identity = keep_text(c, text, length);
  free(text);
}

/* What depends on the rule: which one it is, and which arithmetic it wants. */
static void settle_rule(config *c) {
  config_value *rule = find_value(c, "train.solver"), *precision = find_value(c, "train.precision");
  const char *name = rule->text ? keep_text(c, rule->text, strcspn(rule->text, ":")) : NULL;
  const l2o_solver *solver = name ? l2o_solver_find(name, NULL) : NULL;
  if (!rule->given && !solver) /* a kind of model that is not named for its rule */
    for (const l2o_solver *const *s = l2o_solver_list(); rule->text && *s; s++)
      if ((*s)->model_kind && strcmp((*s)->model_kind, rule->text) == 0) {
        solver = *s;
        rule->text = solver->name;
        break;
      }
  if (strcmp(precision->text, "auto") == 0)
    set_word(c, precision, words_find(precision->key->words, solver && solver->needs & L2O_WANTS_DOUBLE ? "double" : "single"));
}

/* Does the evaluation say anything of its own on the problem, other than how it is shifted? */
static bool overrides_sampling(const config *c) {
  static const char shift[] = "eval.problem.shift.";
  for (size_t i = 0; i < c->count; i++) {
    const char *path = c->values[i].key->path;
    if (c->values[i].given && strncmp(path, "eval.problem.", strlen("eval.problem.")) == 0 &&
        strncmp(path, shift, strlen(shift)) != 0)
      return true;
  }
  return false;
}

static bool resolve(reader *r) {
  config *c = r->c;
  if (!find_tables(r))
    return false;
  size_t room =
      option_count(c->family->options) + option_count(c->eval_family->options) + (c->kind ? option_count(c->kind->options) : 0);
  for (const config_key *k = config_keys; k->path; k++)
    room++;
  c->values = keep(c, room * sizeof *c->values);
  for (const config_key *k = config_keys; k->path; k++)
    c->values[c->count++].key = k;
  add_options(c, "problem", c->family->options);
  if (c->kind)
    add_options(c, "model", c->kind->options);
  add_options(c, "eval.problem", c->eval_family->options);
  for (const entry *e = r->first; e; e = e->next) {
    config_value *v = find_value(c, e->path);
    if (is_section(e->path)) {
      if (e->kind != SECTION && !is_null(e))
        return fail(r->error, "%s: found a %s, expected keys below it: %.250s", before(c, e->where, e->path),
                    e->kind == LIST ? "list" : "single value",
                    known_beside(c, keep_format(c, "%s.", e->path), strlen(e->path) + 1));
    } else if (!v) {
      return unknown_key(c, e, r->error);
    } else if (!accept(c, v, e, r->error)) {
      return false;
    }
  }
  for (size_t i = 0; config_keys[i].path; i++)
    if (!c->values[i].given)
      set_default(c, &c->values[i]);
  /* Who says what the evaluation samples does not want the file of the training; a shift says nothing of that. */
  config_value *file = find_value(c, "eval.problem.file");
  if (!file->given && overrides_sampling(c))
    file->text = NULL;
  /* Nor does one who names another family want its data, or who names a file want both. */
  config_value *data = find_value(c, "eval.problem.data");
  if (!data->given && (file->given || config_given(c, "eval.problem.family")))
    data->text = NULL;
  if (!file->given && data->given)
    file->text = NULL;
  config_value *init = find_value(c, "eval.problem.init"), *checkpoint = find_value(c, "eval.problem.checkpoint");
  if (!init->given && (checkpoint->given || config_given(c, "eval.problem.family")))
    init->text = NULL;
  if (!checkpoint->given && config_given(c, "eval.problem.family"))
    checkpoint->text = NULL;
  if (!take_architecture(c, "problem", c->family, r->error) || !take_architecture(c, "eval.problem", c->eval_family, r->error))
    return false;
  /* What eval.problem does not give is what problem has by now. */
  for (const l2o_option *o = c->eval_family->options; o && o->name; o++) {
    config_value *v = find_value(c, keep_format(c, "eval.problem.%s", o->name));
    if (v && !v->given)
      set_option_default(c, v, o, config_find(c, v->key->path + strlen("eval.")));
  }
  config_value *gap = find_value(c, "eval.gap");
  if (!gap->given)
    set_word(c, gap, words_find(gap->key->words, c->eval_family->gap));
  settle_rule(c);
  if (!check_together(c, r->error))
    return false;
  c->family_spec = make_spec(c, c->family->name, "problem", c->family->options);
  c->eval_spec = make_spec(c, c->eval_family->name, "eval.problem", c->eval_family->options);
  c->model_spec = c->kind ? make_spec(c, c->kind->name, "model", c->kind->options) : NULL;
  make_identity(c);
  return true;
}

config *config_parse(const char *text, size_t length, const char *name, const char *const *sets, size_t set_count, message *error) {
  config *c = calloc(1, sizeof *c);
  if (!c) {
    fail(error, "out of memory");
    return NULL;
  }
  c->name = keep_text(c, name, strlen(name));
  reader r = {.c = c, .last = &r.first, .place = c->name, .error = error};
  bool ok = read_file(&r, text, length);
  r.set = true;
  for (size_t i = 0; ok && i < set_count; i++)
    ok = read_set(&r, sets[i]);
  if (ok && resolve(&r))
    return c;
  config_free(c);
  return NULL;
}

config *config_load(const char *path, const char *const *sets, size_t set_count, message *error) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    fail(error, "%.200s: cannot open the configuration: %s", path, strerror(errno));
    return NULL;
  }
  char *text = malloc(MAX_FILE + 1);
  size_t length = text ? fread(text, 1, MAX_FILE + 1, file) : 0;
  config *c = NULL;
  if (!text)
    fail(error, "out of memory");
  else if (ferror(file))
    fail(error, "%.200s: cannot read the configuration: %s", path, strerror(errno));
  else
    c = config_parse(text, length, path, sets, set_count, error);
  free(text);
  fclose(file);
  return c;
}

void config_free(config *c) {
  while (c && c->blocks) {
    block *next = c->blocks->next;
    free(c->blocks);
    c->blocks = next;
  }
  free(c);
}

/* ---- access ---- */

/* The value of a key that the caller knows to exist and to have one of two types. */
static const config_value *get(const config *c, const char *path, key_type type, key_type other) {
  static const config_value none = {.where = "default", .choice = -1};
  const config_value *v = config_find(c, path);
  bool right = v && (v->key->type == type || v->key->type == other);
  assert(right && "no such key of that type");
  return right ? v : &none;
}

bool config_given(const config *c, const char *path) {
  size_t length = strlen(path);
  for (size_t i = 0; i < c->count; i++) {
    const char *have = c->values[i].key->path;
    if (c->values[i].given && strncmp(have, path, length) == 0 && (have[length] == '\0' || have[length] == '.'))
      return true;
  }
  return false;
}

const char *config_where(const config *c, const char *path) {
  const config_value *v = config_find(c, path);
  assert(v);
  return v ? v->where : "default";
}

double config_real(const config *c, const char *path) {
  return get(c, path, KEY_REAL, KEY_REAL)->real;
}
uint64_t config_integer(const config *c, const char *path) {
  return get(c, path, KEY_INTEGER, KEY_INTEGER)->integer;
}
bool config_flag(const config *c, const char *path) {
  return get(c, path, KEY_FLAG, KEY_FLAG)->flag;
}
const char *config_text(const config *c, const char *path) {
  return get(c, path, KEY_TEXT, KEY_CHOICE)->text;
}
int config_choice(const config *c, const char *path) {
  return get(c, path, KEY_CHOICE, KEY_CHOICE)->choice;
}
size_t config_list(const config *c, const char *path) {
  return get(c, path, KEY_TEXTS, KEY_REALS)->count;
}

const char *config_list_text(const config *c, const char *path, size_t i) {
  const config_value *v = get(c, path, KEY_TEXTS, KEY_TEXTS);
  return i < v->count ? v->texts[i] : NULL;
}

double config_list_real(const config *c, const char *path, size_t i) {
  const config_value *v = get(c, path, KEY_REALS, KEY_REALS);
  return i < v->count ? v->reals[i] : 0;
}

bool config_is(const config *c, const char *path, const char *word) {
  const config_value *v = get(c, path, KEY_CHOICE, KEY_INTEGER);
  return v->choice >= 0 && v->text && strcmp(v->text, word) == 0;
}

const char *config_family_name(const config *c, bool eval) {
  return (eval ? c->eval_family : c->family)->name;
}
const char *config_family_spec(const config *c, bool eval) {
  return eval ? c->eval_spec : c->family_spec;
}
bool config_trains_network(const config *c) {
  const config_value *rule = config_find(c, "train.solver");
  return !c->kind && rule->given && rule->text;
}
const char *config_model_spec(const config *c) {
  return c->model_spec;
}
const char *config_identity(const config *c) {
  return c->identity;
}

const char *config_family_file(const config *c, bool eval) {
  return config_text(c, eval ? "eval.problem.file" : "problem.file");
}
const char *config_family_data(const config *c, bool eval) {
  return config_text(c, eval ? "eval.problem.data" : "problem.data");
}
const char *config_family_weights(const config *c, bool eval) {
  const char *init = config_text(c, eval ? "eval.problem.init" : "problem.init");
  return init ? init : config_text(c, eval ? "eval.problem.checkpoint" : "problem.checkpoint");
}
