/* SPDX-License-Identifier: BSD-3-Clause */
/* The texts of --help, --version and --list-*, written from the tables that the program itself works with. */
#ifndef L2O_CLI_HELP_H
#define L2O_CLI_HELP_H
#include "args.h"
#include <stdio.h>

void help_usage(FILE *out, cli_command which);
void help_version(FILE *out, cli_command which);
/* The solvers of the library and then `more` (ends with NULL; NULL: none), each with its options, ranges and defaults. */
void help_solvers(FILE *out, const l2o_solver *const *more);
void help_families(FILE *out);
void help_models(FILE *out);
/* One line of a list: a name, and a text that is wrapped beside it. */
void help_row(FILE *out, const char *name, const char *text);
#endif
