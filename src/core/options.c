/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/options.h"
#include "core/diag.h"
#include "core/nearest.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t l2o_option_count(const l2o_option *table) {
  size_t count = 0;
  while (table && table[count].name)
    count++;
  return count;
}

/* The index of `text` among "a|b|c", or -1. */
static int choice_index(const char *choices, const char *text) {
  size_t length = strlen(text);
  for (int index = 0;; index++) {
    size_t word = strcspn(choices, "|");
    if (word == length && memcmp(choices, text, length) == 0)
      return index;
    if (!choices[word])
      return -1;
    choices += word + 1;
  }
}

/* The index of the word that a number names, or -1. */
static int choice_number(const l2o_option *option, const char *text) {
  const size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 9 || text[digits])
    return -1;
  const double number = strtod(text, NULL);
  return option->high > 0 && number >= option->low && number <= option->high ? (int)(number - option->low) : -1;
}

static l2o_status fail_choice(const l2o_option *option, const char *text, l2o_diag *diag) {
  enum { MANY_WORDS = 12 }; /* more than a sentence should repeat */
  size_t count = 1, length = 0;
  for (const char *c = option->choices; *c; c++)
    count += *c == '|';
  char numbers[60] = "";
  if (option->high > 0)
    snprintf(numbers, sizeof numbers, " or a number from %.0f to %.0f", option->low, option->high);
  if (count <= MANY_WORDS)
    return l2o_fail(diag, L2O_ERR_ARG, "%s = %s: expected one of %s%s", option->name, text, option->choices, numbers);
  const char *near = l2o_nearest_word(&length, text, option->choices), *last = strrchr(option->choices, '|') + 1;
  if (near)
    return l2o_fail(diag, L2O_ERR_ARG, "%s = %.60s: there is no such word; did you mean '%.*s'?", option->name, text, (int)length,
                    near);
  return l2o_fail(diag, L2O_ERR_ARG, "%s = %.60s: expected one of the %zu words from %.*s to %s%s", option->name, text, count,
                  (int)strcspn(option->choices, "|"), option->choices, last, numbers);
}

l2o_status l2o_option_parse(const l2o_option *option, double *value, const char *text, l2o_diag *diag) {
  if (option->type == L2O_OPTION_CHOICE) {
    int index = choice_index(option->choices, text);
    if (index < 0)
      index = choice_number(option, text);
    if (index < 0)
      return fail_choice(option, text, diag);
    *value = index;
    return L2O_OK;
  }
  const char *noun = option->type == L2O_OPTION_INT ? "an integer" : "a number";
  char *end;
  double number = strtod(text, &end);
  /* strtod also reads hexadecimal, "inf" and "nan"; none of them is meant by anybody here. */
  bool decimal = text[0] && text[strspn(text, "+-0123456789.eE")] == '\0' && *end == '\0';
  if (!decimal || !isfinite(number) || (option->type == L2O_OPTION_INT && number != floor(number)))
    return l2o_fail(diag, L2O_ERR_ARG, "%s = %s: expected %s", option->name, text, noun);
  if (number < option->low || number > option->high)
    return l2o_fail(diag, L2O_ERR_ARG, "%s = %s: expected %s from %g to %g", option->name, text, noun, option->low, option->high);
  *value = number;
  return L2O_OK;
}

static const char *option_name(const void *table, size_t i) {
  return ((const l2o_option *)table)[i].name;
}

l2o_status l2o_options_parse(const l2o_option *table, double *values, const char *owner, const char *text, l2o_diag *diag) {
  size_t count = l2o_option_count(table);
  bool seen[L2O_OPTIONS_MAX] = {false};
  for (size_t i = 0; i < count; i++)
    values[i] = table[i].initial;
  while (text && *text) {
    char item[128];
    size_t length = strcspn(text, ",");
    if (length >= sizeof item)
      return l2o_fail(diag, L2O_ERR_ARG, "%s: option '%.40s...' is too long", owner, text);
    memcpy(item, text, length);
    item[length] = '\0';
    text += length + (text[length] == ',');
    char *equals = strchr(item, '=');
    if (!equals)
      return l2o_fail(diag, L2O_ERR_ARG, "%s: '%s' is not an option; expected key=value", owner, item);
    *equals = '\0';
    size_t i = 0;
    while (i < count && strcmp(table[i].name, item) != 0)
      i++;
    if (i == count) {
      const char *near = count ? l2o_nearest(item, option_name, table) : NULL;
      return l2o_fail(diag, L2O_ERR_ARG, "%s has no option '%s'%s%s%s", owner, item, near ? "; did you mean '" : "",
                      near ? near : "", near ? "'?" : "");
    }
    if (seen[i])
      return l2o_fail(diag, L2O_ERR_ARG, "%s: option '%s' is given twice", owner, item);
    seen[i] = true;
    l2o_diag inner;
    l2o_status status = l2o_option_parse(&table[i], &values[i], equals + 1, &inner);
    if (status)
      return l2o_fail(diag, status, "%s: %.300s", owner, inner.text);
  }
  return L2O_OK;
}

l2o_status l2o_spec_split(const char *spec, char *name, const char **rest, l2o_diag *diag) {
  size_t length = spec ? strcspn(spec, ":") : 0;
  if (length == 0 || length >= L2O_NAME_MAX)
    return l2o_fail(diag, L2O_ERR_ARG, "'%.40s' is not a specification; expected name or name:key=value,...", spec ? spec : "");
  memcpy(name, spec, length);
  name[length] = '\0';
  *rest = spec + length + (spec[length] == ':');
  return L2O_OK;
}

/* The shortest text that reads back as the same number: 0.9999 rather than 0.99990000000000001, 100 rather than 1e+02. */
static int format_number(char *out, size_t size, double value) {
  if (value == floor(value) && fabs(value) < 1e15)
    return snprintf(out, size, "%.0f", value);
  for (int digits = 1; digits < 17; digits++) {
    char text[48];
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value)
      return snprintf(out, size, "%s", text);
  }
  return snprintf(out, size, "%.17g", value);
}

bool l2o_options_format(const l2o_option *table, const double *values, const char *name, char *out, size_t size) {
  size_t used = 0;
  int wrote = snprintf(out, size, "%s", name);
  for (size_t i = 0, count = l2o_option_count(table);; i++) {
    if (wrote < 0 || (size_t)wrote >= size - used)
      return false;
    used += (size_t)wrote;
    if (i == count)
      return true;
    char separator = i ? ',' : ':';
    if (table[i].type == L2O_OPTION_CHOICE) {
      const char *word = table[i].choices;
      for (int skip = (int)values[i]; skip > 0; skip--)
        word += strcspn(word, "|") + 1;
      wrote = snprintf(out + used, size - used, "%c%s=%.*s", separator, table[i].name, (int)strcspn(word, "|"), word);
    } else {
      wrote = snprintf(out + used, size - used, "%c%s=", separator, table[i].name);
      if (wrote >= 0 && (size_t)wrote < size - used) {
        used += (size_t)wrote;
        wrote = format_number(out + used, size - used, values[i]);
      }
    }
  }
}
