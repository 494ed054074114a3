/* SPDX-License-Identifier: BSD-3-Clause */
/* The processes that mpirun started together, or this one alone. Rank 0 alone prints and writes files. Whatever only some of the
 * ranks do or may fail at is followed by ranks_agree(), so that all of them go on, or end, together. Only the main thread calls
 * these functions, and every rank calls them in the same order. */
#ifndef L2O_CLI_RANKS_H
#define L2O_CLI_RANKS_H
#include "args.h"
#include <l2o/base.h>

/* Joins the other processes if a launcher started this one; a plain start costs nothing. False: they cannot be joined, a sentence
 * is on stderr, and main() returns EXIT_WRONG_USE. */
bool ranks_start(const char *command);
/* Leaves the others, once all have come here; the exit code of rank 0 is everybody's. */
int ranks_end(int exit_code);
size_t ranks_count(void);
size_t ranks_rank(void);
bool ranks_first(void); /* rank 0 */

/* args_parse() and args_load() on all ranks, which must find the same; one sentence if any of them finds a mistake. *c: NULL unless
 * true. */
bool ranks_load(cli_args *a, config **c, cli_command which, int argc, char **argv, const l2o_solver *const *more, int *exit_code);

/* The failure of the lowest rank that failed, with its sentence, on every rank. */
l2o_status ranks_agree(l2o_status status, l2o_diag *diag);
/* The text of the lowest rank that has any (others: ""), on every rank. @return that rank, or ranks_count(). */
size_t ranks_hear(char *text, size_t size);
/* Does any rank say so? */
bool ranks_any(bool yes);
/* The number that all ranks which have one have in common; 0 if they differ. */
size_t ranks_common(size_t number, bool has);

/* For l2o_train_settings. Each sum carries along whether a rank was interrupted, or wants all to stop. */
l2o_status ranks_sum(void *context, double *values, size_t count);
/* Asks all ranks to stop. */
void ranks_stop(void);
/* Shall all ranks stop? The same answer on all of them, as of the last sum. */
bool ranks_stopping(void);

/* This rank's share of `total` things: from *first on. @return how many. */
size_t ranks_share(size_t total, size_t *first);
/* Puts the shares of `total` rows of `size` bytes together in `all`, on rank 0. */
void ranks_gather(void *all, const void *mine, size_t total, size_t size);
#endif
