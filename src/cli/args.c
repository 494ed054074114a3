/* SPDX-License-Identifier: BSD-3-Clause */
#include "args.h"
#include "core/nearest.h"
#include "help.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN = 1u << COMMAND_TRAIN, EVAL = 1u << COMMAND_EVAL, BOTH = TRAIN | EVAL };

/* In the order of the help text. */
const cli_flag args_flags[] = {
    {"--out", BOTH, "DIR", "output.dir", "folder of the results"},
    {"--solver", EVAL, "NAME[:key=value,...]", "eval.solvers",
     "a solver to compare, instead of eval.solvers; repeat for more; model=FILE and label=TEXT are options of every solver"},
    {"--model", EVAL, "FILE", "eval.model", "model of the learned solvers that name none"},
    {"--steps", TRAIN, "N", "train.steps", "updates of the weights"},
    {"--iterations", EVAL, "N", "eval.iterations", "most iterations of a solver"},
    {"--instances", EVAL, "N", "eval.instances", "number of fresh instances, or train: the training instances"},
    {"--seed", BOTH, "N", "seed", "seed of everything that has no seed of its own in the config"},
    {"--precision", TRAIN, "single|double", "train.precision", "arithmetic (default: what the rule needs)"},
    {"--precision", EVAL, "single|double", "eval.precision", "arithmetic (default double)"},
    {"--threads", TRAIN, "N", "train.threads", "threads; the numbers do not depend on it"},
    {"--threads", EVAL, "N", "eval.threads", "threads; the numbers do not depend on it"},
    {"--tolerance", EVAL, "LIST", "eval.tolerances", "gaps to count the iterations to: 1e-2,1e-4"},
    {"--gradient-tolerance", EVAL, "G", "eval.gradient_tolerance",
     "ends a run where |grad f| <= G, and counts the iterations to there"},
    {"--budget", EVAL, "QUERIES", "eval.budget", "most function calls of a solver"},
    {"--time", EVAL, "SECONDS", "eval.time", "most seconds of a solver on an instance"},
    {"--set", BOTH, "key.path=value", NULL, "sets any key of the config; repeat for more"},
    {"--sweep", EVAL, "KEY=V1,V2,...", NULL,
     "evaluates at each value of a key, into DIR/KEY=VALUE; shows the final gaps by value, and writes them to DIR/sweep.csv"},
    {"--resume", TRAIN, NULL, NULL, "goes on from the checkpoint in DIR, bit for bit"},
    {"--json", EVAL, NULL, "output.json", "prints the summary as JSON instead of a table"},
    {"--plot", EVAL, NULL, "output.plot",
     "draws convergence.svg and .png into DIR, for a sweep sweep.svg and .png too (needs gnuplot)"},
    {"--quiet", BOTH, NULL, "output.quiet", "prints nothing but failures"},
    {"--dump-gradient", TRAIN, "FILE", NULL, "writes loss and gradient at the starting weights, and ends"},
    {"--dump-iterates", EVAL, "FILE", NULL, "writes every iterate and objective of every solver"},
    {"--dump-instances", EVAL, "FILE", NULL, "writes the instances, with their minima where known, as problem.file reads them"},
    {"--list-solvers", BOTH, NULL, NULL, "lists the solvers with their options"},
    {"--list-families", BOTH, NULL, NULL, "lists the problem families with their keys"},
    {"--list-models", BOTH, NULL, NULL, "lists the kinds of model with their keys"},
    {"--help", BOTH, NULL, NULL, "prints this text"},
    {"--version", BOTH, NULL, NULL, "prints the version"},
    {NULL, 0, NULL, NULL, NULL}};

const char *command_name(cli_command which) {
  return which == COMMAND_TRAIN ? "l2o-train" : "l2o-eval";
}

/* ---- command line ---- */

typedef struct parsing {
  cli_args *a;
  FILE *err;
  int *exit_code;
} parsing;

/* One sentence and where to read more. */
__attribute__((format(printf, 2, 3))) static bool wrong_use(const parsing *p, const char *format, ...) {
  const char *name = command_name(p->a->command);
  va_list arguments;
  va_start(arguments, format);
  fprintf(p->err, "%s: ", name);
  vfprintf(p->err, format, arguments);
  fprintf(p->err, "\ntry '%s --help'\n", name);
  va_end(arguments);
  *p->exit_code = EXIT_WRONG_USE;
  return false;
}

static bool no_memory(const parsing *p) {
  fprintf(p->err, "%s: out of memory\n", command_name(p->a->command));
  *p->exit_code = EXIT_FAILED;
  return false;
}

static const cli_flag *find_flag(cli_command which, const char *name, size_t length) {
  for (const cli_flag *f = args_flags; f->name; f++)
    if ((f->commands & 1u << which) && strlen(f->name) == length && memcmp(f->name, name, length) == 0)
      return f;
  return NULL;
}

/* The i-th flag of a command without its dashes, which would make every flag resemble every other. */
static const char *flag_word(const void *context, size_t i) {
  for (const cli_flag *f = args_flags; f->name; f++)
    if ((f->commands & 1u << *(const cli_command *)context) && i-- == 0)
      return f->name + 2;
  return NULL;
}

static bool unknown_flag(const parsing *p, const char *text, size_t length) {
  cli_command which = p->a->command, other = which == COMMAND_TRAIN ? COMMAND_EVAL : COMMAND_TRAIN;
  if (find_flag(other, text, length))
    return wrong_use(p, "%.*s belongs to %s", (int)length, text, command_name(other));
  char name[64];
  size_t dashes = strspn(text, "-");
  snprintf(name, sizeof name, "%.*s", (int)(length - dashes), text + dashes);
  const char *near = l2o_nearest(name, flag_word, &which);
  return wrong_use(p, "unknown option %.*s%s%s%s", length < 60 ? (int)length : 60, text, near ? "; did you mean --" : "",
                   near ? near : "", near ? "?" : "");
}

/* Appends "--flag key=value", or a --set as it stands. */
static bool add_set(const parsing *p, const cli_flag *f, const char *value) {
  cli_args *a = p->a;
  size_t size = f->key ? strlen(f->name) + strlen(f->key) + strlen(value) + 5 : strlen(value) + 1;
  char *set = malloc(size);
  if (!set)
    return no_memory(p);
  if (!f->key)
    snprintf(set, size, "%s", value);
  else /* a list of numbers needs its brackets */
    snprintf(set, size, strcmp(f->argument ? f->argument : "", "LIST") == 0 ? "%s %s=[%s]" : "%s %s=%s", f->name, f->key, value);
  a->sets[a->set_count++] = set;
  return true;
}

/* The --solver flags together make one set: --solver eval.solvers=['gd', 'bfgs:line_search=armijo']. */
static bool add_solvers(const parsing *p, const char *const *solvers, size_t count) {
  size_t size = sizeof "--solver eval.solvers=[]";
  for (size_t i = 0; i < count; i++)
    size += 2 * strlen(solvers[i]) + sizeof ", ''";
  char *set = malloc(size), *at = set;
  if (!set)
    return no_memory(p);
  at += sprintf(at, "--solver eval.solvers=[");
  for (size_t i = 0; i < count; i++) {
    at += sprintf(at, i ? ", '" : "'");
    for (const char *c = solvers[i]; *c; c++) {
      *at++ = *c;
      if (*c == '\'') /* YAML's way to write a quote between quotes */
        *at++ = '\'';
    }
    *at++ = '\'';
  }
  memcpy(at, "]", 2);
  p->a->sets[p->a->set_count++] = set;
  return true;
}

static bool help_flag(const cli_args *a, const char *name, const l2o_solver *const *more, FILE *out) {
  if (strcmp(name, "--help") == 0)
    help_usage(out, a->command);
  else if (strcmp(name, "--version") == 0)
    help_version(out, a->command);
  else if (strcmp(name, "--list-solvers") == 0)
    help_solvers(out, more);
  else if (strcmp(name, "--list-families") == 0)
    help_families(out);
  else if (strcmp(name, "--list-models") == 0)
    help_models(out);
  else
    return false;
  return true;
}

static bool take_flag(const parsing *p, const cli_flag *f, const char *value, const char **solvers, size_t *solver_count) {
  cli_args *a = p->a;
  if (strcmp(f->name, "--solver") == 0) {
    solver_spec spec;
    message error;
    if (!solver_spec_parse(value, &spec, &error))
      return wrong_use(p, "--solver: %s", error.text);
    solver_spec_free(&spec);
    solvers[(*solver_count)++] = value;
    return true;
  }
  if (strcmp(f->name, "--resume") == 0)
    a->resume = true;
  else if (strcmp(f->name, "--dump-gradient") == 0)
    a->dump_gradient = value;
  else if (strcmp(f->name, "--dump-iterates") == 0)
    a->dump_iterates = value;
  else if (strcmp(f->name, "--dump-instances") == 0)
    a->dump_instances = value;
  else if (strcmp(f->name, "--sweep") == 0 && a->sweep)
    return wrong_use(p, "--sweep given twice: one key is swept at a time");
  else if (strcmp(f->name, "--sweep") == 0)
    a->sweep = value;
  else
    return add_set(p, f, f->argument ? value : "true");
  return true;
}

static bool parse(const parsing *p, int argc, char **argv, const l2o_solver *const *more, FILE *out, const char **solvers) {
  cli_args *a = p->a;
  size_t solver_count = 0;
  bool flags = true;
  for (int i = 1; i < argc; i++) {
    const char *text = argv[i];
    if (!flags || text[0] != '-' || !text[1]) {
      if (a->config)
        return wrong_use(p, "unexpected argument %s; the config is %s already", text, a->config);
      a->config = text;
      continue;
    }
    if (strcmp(text, "--") == 0) {
      flags = false;
      continue;
    }
    if (strcmp(text, "-h") == 0)
      text = "--help";
    size_t length = strcspn(text, "=");
    const cli_flag *f = find_flag(a->command, text, length);
    if (!f)
      return unknown_flag(p, text, length);
    const char *value = text[length] ? text + length + 1 : NULL;
    if (value && !f->argument)
      return wrong_use(p, "%s takes no value", f->name);
    if (!value && f->argument) {
      /* What looks like the next flag is the next flag: nobody's folder is called --quiet. */
      if (i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0)
        return wrong_use(p, "%s needs a value: %s %s", f->name, f->name, f->argument);
      value = argv[++i];
    }
    if (f->argument && !*value)
      return wrong_use(p, "%s needs a value: %s %s", f->name, f->name, f->argument);
    if (help_flag(a, f->name, more, out))
      return *p->exit_code = EXIT_DONE, false;
    if (!take_flag(p, f, value, solvers, &solver_count))
      return false;
  }
  if (!a->config)
    return wrong_use(p, "which experiment? Name a config: %s CONFIG.yaml", command_name(a->command));
  if (a->sweep && (a->dump_iterates || a->dump_instances))
    return wrong_use(p, "--sweep does not go with %s, which is of one evaluation",
                     a->dump_iterates ? "--dump-iterates" : "--dump-instances");
  return solver_count == 0 || add_solvers(p, solvers, solver_count);
}

bool args_parse(cli_args *a, cli_command which, int argc, char **argv, const l2o_solver *const *more, FILE *out, FILE *err,
                int *exit_code) {
  *a = (cli_args){.command = which};
  parsing p = {a, err, exit_code};
  size_t room = argc > 0 ? (size_t)argc + 1 : 1; /* every set and solver is an argument of its own */
  const char **solvers = calloc(room, sizeof *solvers);
  a->sets = calloc(room, sizeof *a->sets);
  bool ok = a->sets && solvers ? parse(&p, argc, argv, more, out, solvers) : no_memory(&p);
  free(solvers);
  return ok;
}

void args_free(cli_args *a) {
  for (size_t i = 0; i < a->set_count; i++)
    free(a->sets[i]);
  free(a->sets);
  *a = (cli_args){.command = a->command};
}

config *args_load(const cli_args *a, FILE *err) {
  message error;
  config *c = config_load(a->config, (const char *const *)a->sets, a->set_count, &error);
  if (!c)
    fprintf(err, "%s: %s\n", command_name(a->command), error.text);
  return c;
}

/* ---- solver specifications ---- */

static char *copy(const char *text, size_t length) {
  char *out = malloc(length + 1);
  if (out) {
    memcpy(out, text, length);
    out[length] = '\0';
  }
  return out;
}

void solver_spec_free(solver_spec *spec) {
  free(spec->name);
  free(spec->label);
  free(spec->options);
  free(spec->model);
  *spec = (solver_spec){0};
}

__attribute__((format(printf, 3, 4))) static bool bad_spec(solver_spec *spec, message *error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->text, sizeof error->text, format, arguments);
  va_end(arguments);
  solver_spec_free(spec);
  return false;
}

bool solver_spec_parse(const char *text, solver_spec *out, message *error) {
  *out = (solver_spec){0};
  size_t name = strcspn(text, ":");
  /* A label is a CSV cell, the name of a tensor and the legend of a curve: one printable line without quotes. */
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == '"')
      return bad_spec(out, error, "a solver is NAME[:key=value,...] on one line without double quotes");
  if (name == 0 || strcspn(text, "=, ") < name)
    return bad_spec(out, error, "\"%.60s\" is no solver, expected NAME[:key=value,...]", text);
  out->name = copy(text, name);
  out->options = calloc(1, strlen(text) + 1); /* room for all that is not taken out */
  if (!out->name || !out->options)
    return bad_spec(out, error, "out of memory");
  for (const char *item = text + name + (text[name] == ':'); text[name]; item++) {
    size_t length = strcspn(item, ","), word = strcspn(item, "=");
    if (word == 0 || word >= length)
      return bad_spec(out, error, "%.60s: found \"%.*s\", expected key=value", out->name, length < 60 ? (int)length : 60, item);
    bool model = word == 5 && memcmp(item, "model", word) == 0, label = word == 5 && memcmp(item, "label", word) == 0;
    char **own = model ? &out->model : label ? &out->label : NULL;
    if (own && *own)
      return bad_spec(out, error, "%.60s: %.*s= given twice", out->name, (int)word, item);
    if (own && length == word + 1)
      return bad_spec(out, error, "%.60s: nothing behind %.*s=", out->name, (int)word, item);
    if (own && !(*own = copy(item + word + 1, length - word - 1)))
      return bad_spec(out, error, "out of memory");
    if (!own) {
      if (*out->options)
        strcat(out->options, ",");
      strncat(out->options, item, length);
    }
    item += length;
    if (!*item)
      break;
  }
  if (!out->label && !(out->label = copy(text, name)))
    return bad_spec(out, error, "out of memory");
  return true;
}
