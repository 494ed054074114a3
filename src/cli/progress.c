/* SPDX-License-Identifier: BSD-3-Clause */
#include "progress.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24 };
static const double REFRESH = 0.1; /* seconds between two drawings of the bar */

double progress_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_begin(progress *p, const char *what, size_t done, size_t total, double patience, bool quiet) {
  const char *term = getenv("TERM");
  *p = (progress){.what = what, .first = done, .total = total, .quiet = quiet, .patience = patience};
  p->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
  p->tenth = total ? 10 * done / total : 0;
  p->began = progress_clock();
  p->shown = p->began - 1; /* the first update draws */
}

bool progress_due(const progress *p, size_t done) {
  if (p->quiet || p->total == 0)
    return false;
  if (p->terminal)
    return done == p->total || progress_clock() - p->shown >= REFRESH;
  return 10 * done / p->total > p->tenth && progress_clock() - p->began >= p->patience;
}

/* "2 h 05 min", "3 min 20 s", "12 s" */
static void format_seconds(double seconds, char *out, size_t size) {
  unsigned long s = seconds < 1e9 ? (unsigned long)(seconds + 0.5) : 1000000000;
  if (s >= 3600)
    snprintf(out, size, "%lu h %02lu min", s / 3600, s / 60 % 60);
  else if (s >= 60)
    snprintf(out, size, "%lu min %02lu s", s / 60, s % 60);
  else
    snprintf(out, size, "%lu s", s);
}

void progress_update(progress *p, size_t done, const char *detail) {
  if (!progress_due(p, done))
    return;
  char left[40], bar[BAR + 1];
  double now = progress_clock();
  size_t here = done - p->first;
  const bool known = here && now - p->began > 0.5; /* the first steps are no measure */
  format_seconds(known ? (now - p->began) / (double)here * (double)(p->total - done) : 0, left, sizeof left);
  p->shown = now;
  p->tenth = 10 * done / p->total;
  if (!p->terminal) {
    fprintf(stderr, "%s %zu of %zu%s%s%s%s\n", p->what, done, p->total, *detail ? ", " : "", detail,
            known && done < p->total ? ", left: " : "", known && done < p->total ? left : "");
    return;
  }
  size_t full = (size_t)((double)BAR * (double)done / (double)p->total);
  memset(bar, '.', BAR);
  memset(bar, '#', full);
  bar[BAR] = '\0';
  fprintf(stderr, "\r\033[K%s %zu/%zu [%s] %s%s%s%s", p->what, done, p->total, bar, detail, *detail && known ? ", " : "",
          known ? left : "", known ? " left" : "");
  fflush(stderr);
  p->drawn = true;
}

static void wipe(progress *p) {
  if (p->drawn)
    fputs("\r\033[K", stderr);
  p->drawn = false;
}

void progress_line(progress *p, const char *format, ...) {
  if (p->quiet)
    return;
  wipe(p);
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  p->shown = 0; /* the bar comes back with the next update */
}

void progress_end(progress *p) {
  wipe(p);
  fflush(stderr);
}
