/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration of an experiment: a YAML file checked against one table of keys (the table also prints the documentation).
 * Every value keeps the place it came from, so that a complaint can name file, line and key. */
#ifndef L2O_CLI_CONFIG_H
#define L2O_CLI_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct config config;

/* One clear sentence about what is wrong: "run.yaml:7: train.stpes: unknown key; did you mean train.steps?" */
typedef struct message {
  char text[512];
} message;

/* Reads `path`, applies `sets` ("key.path=value") in order, checks everything. NULL and a message on any mistake. A set that a
 * flag stands for is written "--flag key.path=value": messages then name the flag instead of --set. */
config *config_load(const char *path, const char *const *sets, size_t set_count, message *error);
/* The same from memory (tests, fuzzing); `name` stands for the file in messages. */
config *config_parse(const char *text, size_t length, const char *name, const char *const *sets, size_t set_count, message *error);
void config_free(config *c);

/* Was the key given (file or --set), as opposed to being at its default? Also true for a section with any key given. */
bool config_given(const config *c, const char *key);
/* "file:line" the value of the key came from, "--set", the flag, or "default". */
const char *config_where(const config *c, const char *key);

/* Values, the default where nothing was given. The key must be in the table and of that type (asserted); the keys of the family
 * ("problem.n", "eval.problem.n") and of the model's kind ("model.hidden") are in it too. */
double config_real(const config *c, const char *key);
uint64_t config_integer(const config *c, const char *key);
bool config_flag(const config *c, const char *key);
const char *config_text(const config *c, const char *key); /* NULL where empty; the word of a choice */
size_t config_list(const config *c, const char *key);      /* length of a list */
const char *config_list_text(const config *c, const char *key, size_t i);
double config_list_real(const config *c, const char *key, size_t i);
/* A choice: the index of the word in the table's list. */
int config_choice(const config *c, const char *key);
/* Does the value of the key, a choice or an integer that may also be a word, equal `word`?  config_is(c, "eval.instances",
 * "train"); the integer is then 0. */
bool config_is(const config *c, const char *key, const char *word);

/* Specifications for the library, "qp:n=32,m=20" and "math-l2o-gd:hidden=1024,...": the keys of the section that the family's or
 * the kind's own option table knows. `eval` applies eval.problem on top of problem. Owned by the config. */
const char *config_family_name(const config *c, bool eval);
const char *config_family_spec(const config *c, bool eval);
const char *config_family_file(const config *c, bool eval);    /* NULL: sampled, or made from data */
const char *config_family_data(const config *c, bool eval);    /* real data; NULL: none */
const char *config_family_weights(const config *c, bool eval); /* where the instances start; NULL: at a start of their own */
const char *config_model_spec(const config *c);                /* NULL: no model section */
/* Is train.solver the rule for a network, there being no model? */
bool config_trains_network(const config *c);

/* The resolved configuration as YAML (every key that matters, with --set applied); reading it again gives the same numbers. */
bool config_write(const config *c, FILE *out);
/* Text that is the same exactly for configurations between which --resume may switch: everything but train.steps (at a constant
 * learning rate), threads and output. Owned by the config. */
const char *config_identity(const config *c);
/* Is the identity `saved` the one of `c`? If not: the first difference, "train.batch: was 32, is 64". */
bool config_identity_same(const config *c, const char *saved, message *difference);
/* Every key with type, range, default and meaning, for --help and the documentation. */
void config_document(FILE *out);
/* The same for one section ("train"), or for the keys outside of sections (""). */
void config_document_section(FILE *out, const char *section);
#endif
