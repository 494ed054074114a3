/* SPDX-License-Identifier: BSD-3-Clause */
#include "timing.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const double MIN_SECONDS = 0.5; /* short tasks repeat for at least so long */
enum { MAX_REPEATS = 50000 };

l2o_diag diag;

void must(l2o_status status) {
  if (status == L2O_OK)
    return;
  fprintf(stderr, "benchmark: %s\n", diag.text[0] ? diag.text : l2o_strerror(status));
  exit(1);
}

void *get(size_t count, size_t size) {
  void *p = calloc(count, size);
  if (!p)
    must(L2O_ERR_NOMEM);
  return p;
}

size_t size_of(const char *text) {
  char *end;
  unsigned long long value = strtoull(text, &end, 10);
  if (*end || value == 0) {
    fprintf(stderr, "benchmark: '%s' is not a positive number\n", text);
    exit(2);
  }
  return (size_t)value;
}

const char *in(char path[PATH_SIZE], const char *folder, const char *name) {
  if (snprintf(path, PATH_SIZE, "%s/%s.safetensors", folder, name) >= PATH_SIZE)
    must(L2O_ERR_ARG);
  return path;
}

double now(void) {
  const char *name = getenv("L2O_CLOCK");
  struct timespec t;
  clock_gettime(name && strcmp(name, "processor") == 0 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void report(void (*task)(void *), void *context, size_t repeats, double per, const double *objective) {
  double *seconds = get(MAX_REPEATS, sizeof *seconds), spent = 0;
  struct rusage usage;
  size_t done = 0;
  task(context); /* warm-up */
  for (; done < MAX_REPEATS && (done < repeats || spent < MIN_SECONDS); done++) {
    const double begin = now();
    task(context);
    seconds[done] = now() - begin;
    spent += seconds[done];
  }
  qsort(seconds, done, sizeof *seconds, ascending);
  getrusage(RUSAGE_SELF, &usage);
  printf("%.9g %.9g %zu %.1f %.9g\n", 0.5 * (seconds[(done - 1) / 2] + seconds[done / 2]) / per, seconds[0] / per, done,
         (double)usage.ru_maxrss / 1024, *objective);
  free(seconds);
}
