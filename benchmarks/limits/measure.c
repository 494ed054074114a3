/* SPDX-License-Identifier: BSD-3-Clause */
#include "measure.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINES_MAX = 100, SAMPLES_MAX = 1 << 14 };
static const double SAMPLE_SECONDS = 20e-6; /* a look at the clock costs 30 ns */

static line lines[LINES_MAX];
static size_t line_count;

void *get(size_t count, size_t size) {
  enum { ALIGNMENT = 64 };
  const size_t bytes = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  void *p = aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
  if (!p) {
    fputs("bench_limits: out of memory\n", stderr);
    exit(1);
  }
  return memset(p, 0, bytes);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

line *line_add(const char *name, void (*work)(void *), void *context, double units) {
  if (line_count == LINES_MAX) {
    fputs("bench_limits: too many lines\n", stderr);
    exit(1);
  }
  line *l = &lines[line_count++];
  snprintf(l->name, sizeof l->name, "%s", name);
  l->work = work;
  l->context = context;
  l->units = units;
  l->sample = get(SAMPLES_MAX, sizeof *l->sample);
  return l;
}

static double time_calls(const line *l, size_t calls) {
  const double begin = now();
  for (size_t i = 0; i < calls; i++)
    l->work(l->context);
  return now() - begin;
}

/* So many calls that a sample is long against a look at the clock; warms up on the way. */
static void calibrate(line *l) {
  l->calls = 1;
  while (time_calls(l, l->calls) < SAMPLE_SECONDS)
    l->calls *= 2;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void lines_measure(size_t rounds, double seconds) {
  for (size_t i = 0; i < line_count; i++)
    if (lines[i].work)
      calibrate(&lines[i]);
  for (size_t round = 0; round < rounds; round++)
    for (size_t i = 0; i < line_count; i++) {
      line *l = &lines[i];
      const size_t most = SAMPLES_MAX * (round + 1) / rounds; /* no round takes the room of the later ones */
      if (!l->work)
        continue;
      l->work(l->context); /* brings the data back that others have driven out of the caches */
      for (double spent = 0; spent < seconds && l->samples < most;) {
        const double sample = time_calls(l, l->calls);
        l->sample[l->samples++] = sample / (double)l->calls / l->units;
        spent += sample;
      }
    }
  for (size_t i = 0; i < line_count; i++) {
    line *l = &lines[i];
    if (!l->work)
      continue;
    qsort(l->sample, l->samples, sizeof *l->sample, ascending);
    l->least = l->sample[0];
    l->median = 0.5 * (l->sample[(l->samples - 1) / 2] + l->sample[l->samples / 2]);
  }
  for (size_t i = 0; i < line_count; i++)
    if (!lines[i].work) {
      lines[i].least = lines[i].whole->least - lines[i].part->least;
      lines[i].median = lines[i].whole->median - lines[i].part->median;
    }
}

static void print_scaled(double value, const char *unit) {
  static const struct {
    double scale;
    const char *prefix;
  } prefixes[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}};
  size_t i = 0;
  if (value <= 0) { /* a difference */
    fputs("below the noise", stdout);
    return;
  }
  while (i + 1 < sizeof prefixes / sizeof *prefixes && value < 0.9995 * prefixes[i].scale)
    i++;
  printf("%.3g %s%s", value / prefixes[i].scale, prefixes[i].prefix, unit);
}

/* The rate of a limit: the best of the lines that measure it. */
static double rate_of(limit which) {
  double best = 0;
  for (size_t i = 0; i < line_count; i++) {
    const double rate = (which == LIMIT_FLOPS ? lines[i].flops : lines[i].bytes) / lines[i].least;
    if (lines[i].measures == which && rate > best)
      best = rate;
  }
  return best;
}

static void print_fraction(double fraction, const char *name) {
  if (fraction > 2)
    printf("%.0f x %s", fraction, name);
  else
    printf("%.*f %% of %s", fraction < 0.0995 ? 1 : 0, 100 * fraction, name);
}

static void print_line(const line *l) {
  static const char *const names[LIMIT_COUNT] = {"", "L1 read", "L2 read", "read beyond L2", "matrix product"};
  printf("| %s | ", l->name);
  print_scaled(l->least, "s");
  fputs(" | ", stdout);
  print_scaled(l->median, "s");
  fputs(" | ", stdout);
  if (l->elements > 0)
    print_scaled(l->least / l->elements, "s");
  fputs(" | ", stdout);
  if (l->bytes > 0)
    print_scaled(l->bytes, "B");
  if (l->flops > 0) {
    fputs(l->bytes > 0 ? ", " : "", stdout);
    print_scaled(l->flops, "flop");
  }
  fputs(" | ", stdout);
  if (l->bytes > 0)
    print_scaled(l->bytes / l->least, "B/s");
  if (l->flops > 0) {
    fputs(l->bytes > 0 ? ", " : "", stdout);
    print_scaled(l->flops / l->least, "flop/s");
  }
  fputs(" | ", stdout);
  if (l->measures == LIMIT_NONE && !l->stores && l->least > 0) {
    const bool moves = l->bytes > 0 && rate_of(l->from) > 0;
    if (moves)
      print_fraction(l->bytes / rate_of(l->from) / l->least, names[l->from]);
    if (l->flops > 0) {
      fputs(moves ? ", " : "", stdout);
      print_fraction(l->flops / rate_of(LIMIT_FLOPS) / l->least, names[LIMIT_FLOPS]);
    }
  }
  fputs(" | ", stdout);
  if (l->beside_above)
    printf("%.2f x the line above", l[-1].least / l->least);
  if (l->remark)
    printf("%s%s", l->beside_above ? "; " : "", l->remark);
  puts(" |");
}

void lines_print(void) {
  puts("| work | least | median | an element | bytes, flops | rate | of the limit | remark |\n"
       "|---|---|---|---|---|---|---|---|");
  for (size_t i = 0; i < line_count; i++)
    print_line(&lines[i]);
}
