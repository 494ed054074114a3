/* SPDX-License-Identifier: BSD-3-Clause */
/* Times many pieces of work in turn, so that a burst of other load does not fall on one of them, and prints a line for each. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H
#include <stdbool.h>
#include <stddef.h>

/* What this machine gives at most; each is measured by a line of its own. */
typedef enum limit {
  LIMIT_NONE,
  LIMIT_L1,     /* reading, bytes a second */
  LIMIT_L2,     /* the same */
  LIMIT_BEYOND, /* the same, from whatever holds more than the second level */
  LIMIT_FLOPS,  /* floating-point operations a second */
  LIMIT_COUNT
} limit;

enum { LINE_NAME = 120 };

typedef struct line {
  char name[LINE_NAME];
  void (*work)(void *context);
  void *context;
  double units;                    /* of which one call of `work` does so many; times are given for one */
  double elements;                 /* coordinates or elements of a unit; 0: not counted */
  double bytes;                    /* read in a unit */
  limit from;                      /* ... from there */
  double flops;                    /* computed in a unit */
  bool stores;                     /* bytes are written as well as read: no limit of reading fits */
  limit measures;                  /* this line is that limit */
  const char *remark;              /* NULL: none */
  bool beside_above;               /* the line above is the same work done by another */
  const struct line *whole, *part; /* without `work`: the time of the one less that of the other */
  /* what was found, of one unit */
  double *sample, least, median;
  size_t samples, calls;
} line;

/* A new line, all zero but for what is given; ends the program where there are too many. The lines keep their addresses. */
line *line_add(const char *name, void (*work)(void *), void *context, double units);
/* Runs every line for `seconds` in each of `rounds` rounds. */
void lines_measure(size_t rounds, double seconds);
/* The table, as Markdown: the limits, then everything else. */
void lines_print(void);

/* calloc() that ends the program with a sentence where there is no memory; aligned to 64 bytes. */
void *get(size_t count, size_t size);
#endif
