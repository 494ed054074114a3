/* SPDX-License-Identifier: BSD-3-Clause */
/* The solvers of this comparison that are called from C. Each file wraps one library: its usual settings, its own stopping tests
 * off as far as it lets us, so that it ends when it can make no more progress or the log says that the run is over. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H
#include "objective.h"

/* What the wrappers of a library need of it in common. */
typedef struct peer {
  const char *name; /* label in logs and tables */
  int memory;       /* correction pairs to keep; 0: the library's default, or the method has no such setting */
  /* From x[n], which it may change, after bench_begin(). Returns why it ended, in a word or two. */
  const char *(*run)(const struct peer *self, bench *b, double *x);
  const char *method; /* the library's name of the method */
} peer;

/* Each ends with a NULL name; a library that was not found at configure time has an empty list. */
extern const peer peers_l2o[], peers_gsl[], peers_nlopt[], peers_liblbfgs[];
/* "libl2o 0.1.0", or "" where there is none; at most 60 characters. */
const char *version_l2o(void), *version_gsl(void), *version_nlopt(void), *version_liblbfgs(void);
#endif
