/* SPDX-License-Identifier: BSD-3-Clause */
/* How far a long job is, on stderr: a bar on a terminal, a plain line about every tenth elsewhere. */
#ifndef L2O_CLI_PROGRESS_H
#define L2O_CLI_PROGRESS_H
#include <stdbool.h>
#include <stddef.h>

typedef struct progress {
  const char *what;           /* "step": what is counted */
  size_t first, total, tenth; /* where this run began; the last tenth that a line was written for */
  bool quiet, terminal, drawn;
  double began, shown; /* seconds of a monotonic clock */
  double patience;     /* no plain line before so many seconds */
} progress;

void progress_begin(progress *p, const char *what, size_t done, size_t total, double patience, bool quiet);
/* `detail`, "loss 0.44" for instance, is shown beside the count. Cheap enough for every step. */
void progress_update(progress *p, size_t done, const char *detail);
/* Is it worth making a `detail` for this count? */
bool progress_due(const progress *p, size_t done);
/* A line that stays, above the bar; nothing when quiet. */
void progress_line(progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void progress_end(progress *p);
/* Seconds of a monotonic clock. */
double progress_clock(void);
#endif
