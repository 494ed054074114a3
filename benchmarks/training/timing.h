/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs of this folder and of ../rates need: ends, memory, the clock, and the line that run.sh reads. */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H
#include <l2o/l2o.h>

enum { PATH_SIZE = 4096 };
extern l2o_diag diag; /* of the last call that failed */

/* Ends the program with a sentence unless the status is L2O_OK. */
void must(l2o_status status);
/* calloc() that ends the program where there is no memory. */
void *get(size_t count, size_t size);
/* A positive number from the command line, or the end. */
size_t size_of(const char *text);
/* FOLDER/NAME.safetensors */
const char *in(char path[PATH_SIZE], const char *folder, const char *name);
/* Seconds; of the processor with L2O_CLOCK=processor. */
double now(void);
/* Of doubles, for qsort(). */
int ascending(const void *a, const void *b);
/* Warms up, repeats for at least `repeats` times and half a second, and prints: median and least seconds divided by `per`, repeats,
 * megabytes of peak resident memory, and *objective as the task left it. */
void report(void (*task)(void *), void *context, size_t repeats, double per, const double *objective);
#endif
