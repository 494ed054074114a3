/* SPDX-License-Identifier: BSD-3-Clause */
/* The resolved configuration as YAML, and as the lines that --resume compares. */
#include "config_keys.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

void value_format(const config_value *v, FILE *out) {
  char number[40];
  switch (v->key->type) {
  case KEY_REAL:
    format_real(v->real, number, sizeof number);
    fputs(number, out);
    break;
  case KEY_INTEGER:
    if (v->choice >= 0)
      fputs(v->text, out);
    else
      fprintf(out, "%llu", (unsigned long long)v->integer);
    break;
  case KEY_FLAG:
    fputs(v->flag ? "true" : "false", out);
    break;
  case KEY_TEXT:
  case KEY_CHOICE:
    fputs(v->text ? v->text : "", out);
    break;
  case KEY_TEXTS:
  case KEY_REALS:
    for (size_t i = 0; i < v->count; i++) {
      format_real(v->reals[i], number, sizeof number);
      fprintf(out, "%s%s", i ? "; " : "", v->key->type == KEY_REALS ? number : v->texts[i]);
    }
  }
}

/* ---- YAML ---- */

static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int initialized) {
  return initialized && yaml_emitter_emit(emitter, event);
}

static bool emit_text(yaml_emitter_t *emitter, const char *text, bool quoted) {
  yaml_event_t event;
  return emit(emitter, &event,
              yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                           quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE));
}

static bool emit_mapping_start(yaml_emitter_t *emitter) {
  yaml_event_t event;
  return emit(emitter, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

static bool emit_mapping_end(yaml_emitter_t *emitter) {
  yaml_event_t event;
  return emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_value(yaml_emitter_t *emitter, const config_value *v) {
  yaml_event_t event;
  if (v->key->type == KEY_TEXT) { /* quoted where YAML could take it for something else than a text */
    const char *text = v->text ? v->text : "";
    bool word = strspn(text, "abcdefghijklmnopqrstuvwxyz") > 0 && strcmp(text, "null") != 0;
    return emit_text(emitter, text, !word);
  }
  if (v->key->type == KEY_TEXTS || v->key->type == KEY_REALS) {
    if (!emit(emitter, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_FLOW_SEQUENCE_STYLE)))
      return false;
    for (size_t i = 0; i < v->count; i++) {
      char number[40];
      format_real(v->reals[i], number, sizeof number);
      if (!emit_text(emitter, v->key->type == KEY_REALS ? number : v->texts[i], v->key->type == KEY_TEXTS))
        return false;
    }
    return emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
  }
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  if (!out)
    return false;
  value_format(v, out);
  bool ok = fclose(out) == 0 && emit_text(emitter, text, false);
  free(text);
  return ok;
}

/* Does the value belong into the file? Seeds and the like that follow another key stay out, so that they go on following it. */
static bool matters(const config *c, const config_value *v) {
  const config_key *k = v->key;
  const bool network = config_trains_network(c);
  if (network ? key_is_about_models(k->path) : !v->given && strcmp(k->path, "train.record_every") == 0)
    return false;
  if (v->given)
    return strncmp(k->path, "model.", 6) != 0 || c->kind;
  bool own = k->initial != NULL; /* a default of our table, not of the library's */
  if (own)
    return *k->initial != '=' && (strncmp(k->path, "model.", 6) != 0 || c->kind);
  if (k->type == KEY_TEXT || k->type == KEY_TEXTS || strncmp(k->path, "eval.problem.", 13) == 0)
    return false;
  if (strncmp(k->path, "problem.", 8) == 0 && config_family_file(c, false)) /* the file rules */
    return false;
  return k->type == KEY_CHOICE ? v->choice >= 0
                               : v->real >= k->low && v->real <= k->high; /* a default outside the range means "none" */
}

/* The part of `path` below `section`, or NULL. */
static const char *below(const char *path, const char *section) {
  size_t length = strlen(section);
  if (length && (strncmp(path, section, length) != 0 || path[length] != '.'))
    return NULL;
  return path + length + (length > 0);
}

static bool section_matters(const config *c, const char *section) {
  for (size_t i = 0; i < c->count; i++)
    if (below(c->values[i].key->path, section) && matters(c, &c->values[i]))
      return true;
  return false;
}

static bool write_section(const config *c, yaml_emitter_t *emitter, const char *section) {
  if (!emit_mapping_start(emitter))
    return false;
  for (size_t i = 0; i < c->count; i++) {
    const char *name = below(c->values[i].key->path, section);
    if (name && !strchr(name, '.') && matters(c, &c->values[i]) &&
        !(emit_text(emitter, name, false) && emit_value(emitter, &c->values[i])))
      return false;
  }
  for (const char *const *s = config_sections; *s; s++) {
    const char *name = below(*s, section);
    if (name && !strchr(name, '.') && section_matters(c, *s) && !(emit_text(emitter, name, false) && write_section(c, emitter, *s)))
      return false;
  }
  return emit_mapping_end(emitter);
}

static int write_bytes(void *context, unsigned char *bytes, size_t size) {
  return fwrite(bytes, 1, size, context) == size;
}

bool config_write(const config *c, FILE *out) {
  yaml_emitter_t emitter;
  yaml_event_t event;
  if (!yaml_emitter_initialize(&emitter))
    return false;
  yaml_emitter_set_output(&emitter, write_bytes, out);
  yaml_emitter_set_unicode(&emitter, 1);
  yaml_emitter_set_width(&emitter, 100);
  bool ok = emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
            emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
            write_section(c, &emitter, "") && emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
            emit(&emitter, &event, yaml_stream_end_event_initialize(&event)) && yaml_emitter_flush(&emitter);
  yaml_emitter_delete(&emitter);
  return ok && !ferror(out);
}

/* ---- identity ---- */

/* The line of `text` that starts with "path=", behind the "="; NULL if there is none. */
static const char *line_of(const char *text, const char *path, size_t length) {
  while (text && *text) {
    if (strncmp(text, path, length) == 0 && text[length] == '=')
      return text + length + 1;
    text = strchr(text, '\n');
    text += text != NULL;
  }
  return NULL;
}

/* Has every line of `here` its equal in `there`? Lines without a partner count only if `missing`. */
static bool covered(const char *here, const char *there, bool here_is_saved, bool missing, message *difference) {
  for (const char *line = here; *line;) {
    size_t name = strcspn(line, "=\n"), whole = strcspn(line, "\n");
    const char *one = line + name + (line[name] == '='), *two = line_of(there, line, name);
    int one_length = (int)(line + whole - one), two_length = two ? (int)strcspn(two, "\n") : 0;
    if (two ? one_length != two_length || memcmp(one, two, (size_t)one_length) != 0 : missing) {
      const char *was = here_is_saved ? one : two, *is = here_is_saved ? two : one;
      int was_length = here_is_saved ? one_length : two_length, is_length = here_is_saved ? two_length : one_length;
      snprintf(difference->text, sizeof difference->text, "%.*s: was %.*s, is %.*s", name < 80 ? (int)name : 80, line,
               was_length ? was_length : 7, was_length ? was : "nothing", is_length ? is_length : 7, is_length ? is : "nothing");
      return false;
    }
    line += whole + (line[whole] == '\n');
  }
  return true;
}

/* Keys that come and go with a choice are named only where that choice itself is the same. */
bool config_identity_same(const config *c, const char *saved, message *difference) {
  const char *now = config_identity(c);
  return covered(now, saved, false, false, difference) && covered(now, saved, false, true, difference) &&
         covered(saved, now, true, true, difference);
}
