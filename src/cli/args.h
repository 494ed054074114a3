/* SPDX-License-Identifier: BSD-3-Clause */
/* The command lines of l2o-train and l2o-eval: one table of flags for both. A flag that mirrors a key of the configuration becomes
 * a set of that key, so that the resolved configuration holds it. */
#ifndef L2O_CLI_ARGS_H
#define L2O_CLI_ARGS_H
#include "config.h"
#include <l2o/solver.h>

typedef enum cli_command { COMMAND_TRAIN, COMMAND_EVAL } cli_command;
/* "l2o-train" or "l2o-eval". */
const char *command_name(cli_command which);

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2, EXIT_INTERRUPTED = 130 };

/* What was asked for. Texts other than the sets point into argv. */
typedef struct cli_args {
  cli_command command;
  const char *config; /* CONFIG.yaml */
  char **sets;        /* what config_load() takes */
  size_t set_count;
  bool resume;                /* l2o-train --resume */
  const char *dump_gradient;  /* l2o-train --dump-gradient FILE, or NULL */
  const char *dump_iterates;  /* l2o-eval --dump-iterates FILE, or NULL */
  const char *dump_instances; /* l2o-eval --dump-instances FILE, or NULL */
  const char *sweep;          /* l2o-eval --sweep KEY=V1,V2,..., or NULL */
} cli_args;

/* Reads the command line. True: go on. False: `*exit_code` is what main() returns: a help text is on `out` (0), or a sentence and
 * a hint are on `err` (2). `more` are solvers that --list-solvers names behind the library's (NULL: none). Call args_free() in
 * either case. */
bool args_parse(cli_args *a, cli_command which, int argc, char **argv, const l2o_solver *const *more, FILE *out, FILE *err,
                int *exit_code);
void args_free(cli_args *a);
/* Loads the configuration that the command line names. NULL: the sentence is on `err`, and main() returns EXIT_WRONG_USE. */
config *args_load(const cli_args *a, FILE *err);

/* One flag, for the help text; the table ends with a NULL name. */
typedef struct cli_flag {
  const char *name;     /* with its dashes */
  unsigned commands;    /* bit 1 << command of each command that has it */
  const char *argument; /* what follows, for the help text; NULL: nothing */
  const char *key;      /* the key of the configuration that it sets; NULL: none */
  const char *meaning;
} cli_flag;
extern const cli_flag args_flags[];

/* "NAME:key=value,..." with `model=` and `label=` taken out; the other options are the library's to check. */
typedef struct solver_spec {
  char *name, *label; /* label: unique in a run; the name where none is given */
  char *options;      /* "key=value,...", perhaps "" */
  char *model;        /* a model file, or NULL */
} solver_spec;
/* False, a message and a zeroed `out` if the text is no such thing. */
bool solver_spec_parse(const char *text, solver_spec *out, message *error);
void solver_spec_free(solver_spec *spec);
#endif
