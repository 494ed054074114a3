/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a fuzz target on files: what libFuzzer does with a corpus, for compilers without it. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a block of exactly its size, so that sanitizers and valgrind see a read behind the end. */
static int run(const char *path) {
  FILE *stream = fopen(path, "rb");
  if (!stream || fseek(stream, 0, SEEK_END) != 0) {
    perror(path);
    return 1;
  }
  size_t size = (size_t)ftell(stream);
  uint8_t *data = malloc(size ? size : 1);
  rewind(stream);
  if (!data || fread(data, 1, size, stream) != size) {
    perror(path);
    return 1;
  }
  fclose(stream);
  LLVMFuzzerTestOneInput(data, size);
  free(data);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s FILE...\n", argv[0]);
    return 2;
  }
  for (int i = 1; i < argc; i++)
    if (run(argv[i]) != 0)
      return 1;
  return 0;
}
