/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes are either refused with one printable sentence, or a configuration that, written out, reads back as itself. Texts
 * behind a zero byte are sets. */
#include "config.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds)
    abort();
}

static void check_message(const message *error) {
  require(*error->text != '\0');
  for (const char *c = error->text; *c; c++)
    require((unsigned char)*c >= 0x20);
}

static void check_round_trip(const config *c) {
  char *text = NULL;
  size_t length = 0;
  message error = {""};
  FILE *out = open_memstream(&text, &length);
  require(out && config_write(c, out) && fclose(out) == 0);
  config *again = config_parse(text, length, "again", NULL, 0, &error);
  require(again != NULL);
  require(config_identity_same(again, config_identity(c), &error));
  static const char *const texts[] = {"output.dir", "output.title", "problem.file", "eval.problem.file", "train.options"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const char *a = config_text(c, texts[i]), *b = config_text(again, texts[i]);
    require(a && b ? strcmp(a, b) == 0 : a == b);
  }
  config_free(again);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  enum { SETS = 4 };
  const char *sets[SETS];
  char *copy = malloc(size + 1); /* ends every set with a zero byte */
  require(copy != NULL);
  if (size)
    memcpy(copy, data, size);
  copy[size] = '\0';
  size_t length = strlen(copy), count = 0;
  for (size_t at = length + 1; at < size && count < SETS; at += strlen(copy + at) + 1)
    if (strncmp(copy + at, "--", 2) != 0) /* only the commands write flags there */
      sets[count++] = copy + at;
  message error = {""};
  config *c = config_parse((const char *)data, length, "fuzz", sets, count, &error);
  if (c)
    check_round_trip(c);
  else
    check_message(&error);
  config_free(c);
  free(copy);
  return 0;
}
