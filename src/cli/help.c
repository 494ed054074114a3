/* SPDX-License-Identifier: BSD-3-Clause */
#include "help.h"
#include "config_keys.h"
#include <string.h>

enum { NAME_COLUMN = 2, TEXT_COLUMN = 30, WIDTH = 80 };

void help_row(FILE *out, const char *name, const char *text) {
  int column = fprintf(out, "%*s%s", NAME_COLUMN, "", name);
  if (column > TEXT_COLUMN - 2) {
    fputc('\n', out);
    column = 0;
  }
  const char *gap = "";
  column += fprintf(out, "%*s", TEXT_COLUMN - column, "");
  for (const char *at = text; *at; at += strspn(at, " ")) {
    int word = (int)strcspn(at, " "), rest = (int)strlen(at);
    if (*at == '[' && rest <= WIDTH - TEXT_COLUMN) /* range and default stay together */
      word = rest;
    if (*gap && column + 1 + word > WIDTH) {
      column = fprintf(out, "\n%*s", TEXT_COLUMN, "") - 1;
      gap = "";
    }
    column += fprintf(out, "%s%.*s", gap, word, at);
    at += word;
    gap = " ";
  }
  fputc('\n', out);
}

static void flag_row(FILE *out, const cli_flag *f) {
  char name[80];
  snprintf(name, sizeof name, "%s%s%s", f->name, f->argument ? " " : "", f->argument ? f->argument : "");
  help_row(out, name, f->meaning);
}

void help_usage(FILE *out, cli_command which) {
  bool train = which == COMMAND_TRAIN;
  fputs(train ? "l2o-train: trains a learned optimizer on samples of a problem family\n\n"
                "usage: l2o-train CONFIG.yaml [options]\n\n"
              : "l2o-eval: compares solvers, classical and learned, on a problem family\n\n"
                "usage: l2o-eval CONFIG.yaml [options]\n\n",
        out);
  for (const cli_flag *f = args_flags; f->name; f++)
    if (f->commands & 1u << which)
      flag_row(out, f);
  fputs("\nKeys of CONFIG.yaml, and of --set. train.steps is the key steps of the section\n"
        "train. Each shows its range and what it is if not given.\n\n",
        out);
  static const char *const train_sections[] = {"", "problem", "model", "train", "output", NULL};
  static const char *const eval_sections[] = {"", "problem", "eval", "output", NULL};
  for (const char *const *s = train ? train_sections : eval_sections; *s; s++) {
    config_document_section(out, *s);
    fputc('\n', out);
  }
  fputs(train ? "l2o-eval uses the same file and reads problem, eval and output.\n\n"
                "Into DIR: model.safetensors, checkpoint.safetensors, train.csv, and config.yaml\n"
                "with every key as it was used. Ctrl-C finishes the step and saves.\n\n"
                "Examples\n"
                "  l2o-train qp.yaml --out run --steps 500 --set train.optimizer.lr=1e-4\n"
                "  l2o-train run/config.yaml --resume --steps 1000\n\n"
              : "l2o-train uses the same file and reads problem, model, train and output.\n\n"
                "Into DIR: trace.csv, summary.json, with --plot convergence.svg and .png, and\n"
                "config.yaml with every key as it was used. A sweep has these in DIR/KEY=VALUE,\n"
                "and sweep.csv, with --plot sweep.svg and .png, in DIR.\n\n"
                "Examples\n"
                "  l2o-eval run/config.yaml --model run/model.safetensors --out eval --plot\n"
                "  l2o-eval qp.yaml --solver gd --solver gd:step=0.5,label=half --json\n"
                "  l2o-eval lasso.yaml --out shifts --sweep problem.shift.start=-10,0,10 --plot\n\n",
        out);
  fputs("Exit codes: 0 done, 1 failed while running, 2 wrong use, 130 interrupted, saved\n", out);
}

void help_version(FILE *out, cli_command which) {
  fprintf(out, "%s %s\nVector instructions: %s\n", command_name(which), l2o_version(), l2o_vector_instructions());
#ifdef L2O_WITH_GSL
  fprintf(out, "The library is under the BSD-3-Clause licence. This command links GSL and is\n"
               "therefore under the GPL-3.\n");
#endif
}

static void option_rows(FILE *out, const l2o_option *options) {
  for (; options && options->name; options++) {
    char initial[60], text[KEY_MEANING], name[80];
    config_key k = key_from_option(options, options->name);
    option_initial(options, initial, sizeof initial);
    snprintf(name, sizeof name, "  %s", options->name);
    key_meaning(&k, initial, text, sizeof text);
    help_row(out, name, text);
  }
}

/* A name with its line, and its options below. */
static void entry_rows(FILE *out, const char *name, const char *meaning, const l2o_option *options) {
  help_row(out, name, meaning);
  option_rows(out, options);
  fputc('\n', out);
}

static void solver_rows(FILE *out, const l2o_solver *const *list) {
  for (; list && *list; list++)
    entry_rows(out, (*list)->name, (*list)->meaning, (*list)->options);
}

void help_solvers(FILE *out, const l2o_solver *const *more) {
  fprintf(out, "Solvers, and their options: NAME:option=value,... in --solver and eval.solvers.\nEvery solver also takes "
               "model=FILE and label=TEXT.\n\n");
  solver_rows(out, l2o_solver_list());
  solver_rows(out, more);
}

void help_families(FILE *out) {
  fprintf(out, "Problem families, and their keys in the section problem\n\n");
  for (const l2o_family_type *const *f = l2o_family_types(); *f; f++)
    entry_rows(out, (*f)->name, (*f)->meaning, (*f)->options);
}

void help_models(FILE *out) {
  fprintf(out, "Kinds of model, and their keys in the section model\n\n");
  for (const l2o_model_kind *const *m = l2o_model_kinds(); *m; m++)
    entry_rows(out, (*m)->name, (*m)->meaning, (*m)->options);
}
