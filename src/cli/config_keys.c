/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_keys.h"
#include "core/nearest.h"
#include "help.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UP HUGE_VAL
#define MANY 1e9 /* most instances, steps and the like: enough for anybody, small enough for every product of two */

const char *const config_sections[] = {"problem",
                                       "problem.shift",
                                       "model",
                                       "train",
                                       "train.optimizer",
                                       "train.schedule",
                                       "train.layerwise",
                                       "train.validation",
                                       "eval",
                                       "eval.problem",
                                       "eval.problem.shift",
                                       "output",
                                       NULL};

/* path, type, default, low, high, open end, words, meaning */
const config_key config_keys[] = {
    {"seed", KEY_INTEGER, "0", 0, UP, CLOSED, NULL, "seed of everything that has no seed of its own below"},

    {"problem.family", KEY_TEXT, NULL, 0, 0, CLOSED, NULL, "name of the problem family; required"},
    {"problem.file", KEY_TEXT, NULL, 0, 0, CLOSED, NULL,
     "read the instances from this safetensors file, which then rules the sizes"},
    {"problem.data", KEY_TEXT, NULL, 0, 0, CLOSED, NULL,
     "make the instances from this real data: LIBSVM text, IDX or PGM, gzipped or not"},
    {"problem.init", KEY_TEXT, NULL, 0, 0, CLOSED, NULL,
     "start every instance at the weights in this safetensors file, or folder with a model.safetensors or its index"},
    {"problem.checkpoint", KEY_TEXT, NULL, 0, 0, CLOSED, NULL,
     "family transformer: the folder of a published checkpoint, whose config.json gives the architecture and whose weights are the "
     "start unless problem.init names others"},
    {"problem.instances", KEY_INTEGER, "32", 1, MANY, CLOSED, NULL, "number of instances"},
    {"problem.seed", KEY_INTEGER, "=seed", 0, UP, CLOSED, NULL, "seed of the instances"},
    {"problem.shift.start", KEY_REAL, "0", -UP, UP, CLOSED, NULL, "added to every coordinate of the start x_0"},
    {"problem.shift.function", KEY_REAL, "0", -UP, UP, CLOSED, NULL,
     "t: F(x + t) is minimised in place of F(x); the same number for every coordinate, the minimum stays, x_0 is not moved"},
    {"problem.shift.prox", KEY_CHOICE, "correct", 0, 0, CLOSED, "correct|published",
     "published: the shifted prox of the GO-Math-L2O code, which takes sign(x) for sign(x + t) and ends elsewhere"},

    {"model.kind", KEY_TEXT, NULL, 0, 0, CLOSED, NULL, "kind of model; required where there is a model section"},
    {"model.seed", KEY_INTEGER, "=seed", 0, UP, CLOSED, NULL, "seed of the initial weights"},
    {"model.init", KEY_TEXT, NULL, 0, 0, CLOSED, NULL, "start from the weights in this safetensors file"},

    {"train.solver", KEY_TEXT, "=model.kind", 0, 0, CLOSED, NULL,
     "the learned rule to train; default: the one that reads this kind of model. Without a section model: the rule that trains a "
     "network, whose weights are the x of the first instance, as NAME or \"NAME:key=value,...\""},
    {"train.options", KEY_TEXT, NULL, 0, 0, CLOSED, NULL, "its options, key=value,..."},
    {"train.steps", KEY_INTEGER, "1000", 0, MANY, CLOSED, NULL, "updates of the weights"},
    {"train.batch", KEY_INTEGER, "=problem.instances", 1, MANY, CLOSED, NULL, "instances a step"},
    {"train.horizon", KEY_INTEGER, "100", 1, MANY, CLOSED, NULL, "iterations of one solve"},
    {"train.unroll", KEY_INTEGER, "=train.horizon", 0, MANY, CLOSED, NULL, "iterations between updates; 0: the horizon"},
    {"train.loss", KEY_CHOICE, "last", 0, 0, CLOSED, "last|mean|weighted|decrease|log-gap|log-gradient|solution",
     "objective of the last iterate, mean over the iterates, mean weighted by the iteration; or mean decrease by what the slope "
     "promised, mean ln(f - f*), mean ln |grad f|; or |x - x*|^2 / 2 of the last iterate"},
    {"train.regularisation", KEY_REAL, "0", 0, UP, CLOSED, NULL,
     "adds this times the mean (p - 1)^2 to the loss, for rules that multiply a direction by factors p"},
    {"train.reduction", KEY_CHOICE, "mean", 0, 0, CLOSED, "mean|sum", "how the losses of the instances are put together"},
    {"train.stop_gradient", KEY_CHOICE, "features", 0, 0, CLOSED, "features|none|matrix|direction",
     "what the derivative leaves out: the inputs of the network are constants; nothing; the inputs and a quasi-Newton matrix; the "
     "inputs and all gradients of f"},
    {"train.instances", KEY_CHOICE, "fixed", 0, 0, CLOSED, "fixed|fresh",
     "the same instances throughout, or new ones every horizon"},
    {"train.seed", KEY_INTEGER, "=problem.seed", 0, UP, CLOSED, NULL, "seed of the training instances"},
    {"train.clip_norm", KEY_REAL, "0", 0, UP, CLOSED, NULL, "gradients are scaled down to this norm; 0: never"},
    {"train.max_rejected", KEY_INTEGER, "10", 1, MANY, CLOSED, NULL, "steps without a finite gradient in a row that end training"},
    {"train.checkpoint_every", KEY_INTEGER, "100", 0, MANY, CLOSED, NULL, "steps between checkpoints; 0: only at the end"},
    {"train.record_every", KEY_INTEGER, "100", 1, MANY, CLOSED, NULL,
     "networks: steps between evaluations of the objective over all the data, the rows of train.csv"},
    {"train.precision", KEY_CHOICE, "auto", 0, 0, CLOSED, "auto|single|double",
     "arithmetic of training; auto: double for the rules that need it, else single"},
    {"train.threads", KEY_INTEGER, "0", 0, 4096, CLOSED, NULL, "threads; 0: as many as OpenMP gives"},
    {"train.optimizer.name", KEY_CHOICE, "adam", 0, 0, CLOSED, "sgd|adam", "rule that updates the weights"},
    {"train.optimizer.lr", KEY_REAL, "1e-3", 0, UP, CLOSED, NULL, "learning rate"},
    {"train.optimizer.beta1", KEY_REAL, "0.9", 0, 1, BELOW, NULL, "adam: decay of the mean gradient"},
    {"train.optimizer.beta2", KEY_REAL, "0.999", 0, 1, BELOW, NULL, "adam: decay of the mean squared gradient"},
    {"train.optimizer.epsilon", KEY_REAL, "1e-8", 0, UP, ABOVE, NULL, "adam: keeps the division finite"},
    {"train.schedule.name", KEY_CHOICE, "constant", 0, 0, CLOSED, "constant|cosine|step", "how the learning rate changes"},
    {"train.schedule.end", KEY_REAL, "0", 0, UP, CLOSED, NULL, "cosine: learning rate of the last step"},
    {"train.schedule.decay", KEY_REAL, "0.1", 0, UP, ABOVE, NULL, "step: factor of each decay"},
    {"train.schedule.every", KEY_INTEGER, "1000", 1, MANY, CLOSED, NULL, "step: steps between decays"},
    {"train.layerwise.rounds", KEY_INTEGER, "0", 0, MANY, CLOSED, NULL,
     "models with layers: train them one after the other, in so many passes; train.steps is divided evenly among the passes, the "
     "layers and their 3 stages; 0: all at once"},
    {"train.layerwise.decay", KEY_REAL, "1", 0, 1, ABOVE, NULL,
     "learning rate of an earlier layer, by the layer, while a later one is trained"},
    {"train.validation.seed", KEY_INTEGER, "=train.seed", 0, UP, CLOSED, NULL, "seed of the validation instances"},
    {"train.validation.instances", KEY_INTEGER, "0", 0, MANY, CLOSED, NULL, "number of validation instances; 0: no validation"},
    {"train.validation.every", KEY_INTEGER, "100", 1, MANY, CLOSED, NULL, "steps between validations; the best weights are kept"},

    {"eval.solvers", KEY_TEXTS, NULL, 0, 0, CLOSED, NULL,
     "solvers to compare, each NAME or \"NAME:key=value,...\"; empty: gd and the rule of the model"},
    {"eval.model", KEY_TEXT, NULL, 0, 0, CLOSED, NULL, "model file of the learned solvers that name none"},
    {"eval.iterations", KEY_INTEGER, "100", 1, MANY, CLOSED, NULL, "most iterations of a solver"},
    {"eval.record_every", KEY_INTEGER, "1", 1, MANY, CLOSED, NULL,
     "iterations between evaluations of the objective: the rows of trace.csv, what iterations are counted by, where tolerances end "
     "a "
     "run; the end is on record too"},
    {"eval.instances", KEY_INTEGER, "=problem.instances", 1, MANY, CLOSED, "train",
     "number of fresh instances, or train: the training instances"},
    {"eval.seed", KEY_INTEGER, "=problem.seed", 0, UP, CLOSED, NULL, "seed of the instances"},
    {"eval.tolerances", KEY_REALS, "1e-2 1e-4", 0, UP, ABOVE, NULL, "gaps to count the iterations to"},
    {"eval.gap", KEY_CHOICE, NULL, 0, 0, CLOSED, "relative|absolute|initial",
     "(f - f*)/|f*|, f - f*, or (f - f*)/(f0 - f*); default: the custom of the family"},
    {"eval.gradient_tolerance", KEY_REAL, "0", 0, UP, CLOSED, NULL,
     "a run ends where the norm of the gradient is at most this, and the iterations to there are counted; 0: off"},
    {"eval.budget", KEY_INTEGER, "0", 0, UP, CLOSED, NULL, "most function calls of a solver, as it counts them; 0: no limit"},
    {"eval.time", KEY_REAL, "0", 0, UP, CLOSED, NULL, "most seconds of a solver on an instance; 0: no limit"},
    {"eval.precision", KEY_CHOICE, "double", 0, 0, CLOSED, "single|double", "arithmetic of evaluation"},
    {"eval.threads", KEY_INTEGER, "0", 0, 4096, CLOSED, NULL, "threads; 0: as many as OpenMP gives"},
    {"eval.problem.family", KEY_TEXT, "=problem.family", 0, 0, CLOSED, NULL,
     "evaluate on another family; eval.problem overrides the other keys of problem, too"},
    {"eval.problem.shift.start", KEY_REAL, "=problem.shift.start", -UP, UP, CLOSED, NULL,
     "shift of the start in the evaluation alone"},
    {"eval.problem.shift.function", KEY_REAL, "=problem.shift.function", -UP, UP, CLOSED, NULL,
     "shift of the function in the evaluation alone"},
    {"eval.problem.shift.prox", KEY_CHOICE, "=problem.shift.prox", 0, 0, CLOSED, "correct|published",
     "prox of the shifted function in the evaluation alone"},
    {"eval.problem.file", KEY_TEXT, "=problem.file", 0, 0, CLOSED, NULL,
     "read the instances of the evaluation from this file; with other keys in eval.problem they are sampled"},
    {"eval.problem.data", KEY_TEXT, "=problem.data", 0, 0, CLOSED, NULL,
     "make the instances of the evaluation from this real data"},
    {"eval.problem.init", KEY_TEXT, "=problem.init", 0, 0, CLOSED, NULL, "start of the instances of the evaluation"},
    {"eval.problem.checkpoint", KEY_TEXT, "=problem.checkpoint", 0, 0, CLOSED, NULL, "published checkpoint of the evaluation"},

    {"output.dir", KEY_TEXT, NULL, 0, 0, CLOSED, NULL, "folder of the results"},
    {"output.trace", KEY_CHOICE, "quantiles", 0, 0, CLOSED, "quantiles|all|none",
     "what trace.csv holds: quantiles, every instance, nothing"},
    {"output.points", KEY_INTEGER, "0", 0, MANY, CLOSED, NULL,
     "trace.csv keeps about so many records of each solver, evenly spread, and the last one; 0: all"},
    {"output.plot", KEY_FLAG, "false", 0, 0, CLOSED, NULL, "draw convergence.svg and .png"},
    {"output.json", KEY_FLAG, "false", 0, 0, CLOSED, NULL, "print the summary as JSON instead of a table"},
    {"output.quiet", KEY_FLAG, "false", 0, 0, CLOSED, NULL, "print nothing but failures"},
    {"output.axis", KEY_CHOICE, "iterations", 0, 0, CLOSED, "iterations|calls|seconds",
     "what the figure counts along its axis: iterations, function calls charged to the budget, time"},
    {"output.title", KEY_TEXT, NULL, 0, 0, CLOSED, NULL, "title of the figure"},
    {NULL, KEY_TEXT, NULL, 0, 0, CLOSED, NULL, NULL}};

const config_key *key_find(const char *path) {
  for (const config_key *k = config_keys; k->path; k++)
    if (strcmp(k->path, path) == 0)
      return k;
  return NULL;
}

bool key_is_about_models(const char *path) {
  static const char *const keys[] = {"train.batch",          "train.horizon",      "train.unroll",        "train.loss",
                                     "train.regularisation", "train.reduction",    "train.stop_gradient", "train.instances",
                                     "train.clip_norm",      "train.max_rejected", "train.optimizer.",    "train.layerwise.",
                                     "train.validation."};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const size_t length = strlen(keys[i]);
    if (strncmp(path, keys[i], length) == 0 && (keys[i][length - 1] == '.' || path[length] == '\0'))
      return true;
  }
  return false;
}

config_key key_from_option(const l2o_option *option, const char *path) {
  static const key_type types[] = {[L2O_OPTION_REAL] = KEY_REAL, [L2O_OPTION_INT] = KEY_INTEGER, [L2O_OPTION_CHOICE] = KEY_CHOICE};
  return (config_key){.path = path,
                      .type = types[option->type],
                      .low = option->low,
                      .high = option->high,
                      .words = option->type == L2O_OPTION_CHOICE ? option->choices : NULL,
                      .meaning = option->meaning};
}

void format_real(double number, char *out, size_t size) {
  char text[40];
  int digits = 15;
  do
    snprintf(text, sizeof text, "%.*g", digits, number);
  while (strtod(text, NULL) != number && ++digits <= 17);
  char *exponent = strchr(text, 'e');
  if (exponent && !memchr(text, '.', (size_t)(exponent - text)))
    snprintf(out, size, "%.*s.0%s", (int)(exponent - text), text, exponent);
  else
    snprintf(out, size, "%s", text);
}

const char *words_at(const char *words, int i, size_t *length) {
  for (; words; words += *length + 1, i--) {
    *length = strcspn(words, "|");
    if (i == 0)
      return words;
    if (!words[*length])
      break;
  }
  return NULL;
}

int words_find(const char *words, const char *text) {
  const char *word;
  size_t length;
  for (int i = 0; (word = words_at(words, i, &length)) != NULL; i++)
    if (strlen(text) == length && memcmp(word, text, length) == 0)
      return i;
  return -1;
}

int choice_find(const config_key *k, const char *text) {
  const int word = words_find(k->words, text);
  const size_t digits = strspn(text, "0123456789");
  if (word >= 0 || !(k->high > 0) || digits == 0 || digits > 9 || text[digits])
    return word;
  const double number = strtod(text, NULL);
  return number >= k->low && number <= k->high ? (int)(number - k->low) : -1;
}

static int words_count(const char *words) {
  int count = words != NULL;
  for (const char *c = words; c && *c; c++)
    count += *c == '|';
  return count;
}

/* Appends the words with `separator` between them; those that do not fit are "...". */
static void append_words(const char *words, const char *separator, bool first, char *out, size_t size) {
  static const char dots[] = "...";
  size_t used = strlen(out), length, gap = strlen(separator);
  const char *word;
  for (int i = 0; (word = words_at(words, i, &length)) != NULL; i++) {
    if (used + gap + length + gap + sizeof dots > size) {
      if (used + gap + sizeof dots <= size)
        snprintf(out + used, size - used, "%s%s", separator, dots);
      return;
    }
    used += (size_t)snprintf(out + used, size - used, "%s%.*s", i || !first ? separator : "", (int)length, word);
  }
}

/* 1e9 rather than 1000000000. */
static void format_bound(double number, char *out, size_t size) {
  format_real(number, out, size);
  double large = fabs(number);
  if (large < 1e5 && large >= 1e-4)
    return;
  char text[40];
  int exponent = 0, digits = 0;
  snprintf(text, sizeof text, "%.2e", number);
  if (number != 0 && strtod(text, NULL) == number && sscanf(text, "%*[-.0-9]e%d", &exponent) == 1) {
    for (double mantissa = number / pow(10, exponent);
         digits < 2 && mantissa * pow(10, digits) != floor(mantissa * pow(10, digits));)
      digits++;
    snprintf(out, size, "%.*fe%d", digits, strtod(text, NULL) / pow(10, exponent), exponent);
  }
}

void option_initial(const l2o_option *option, char *out, size_t size) {
  size_t length;
  const char *word = option->type == L2O_OPTION_CHOICE ? words_at(option->choices, (int)option->initial, &length) : NULL;
  if (word)
    snprintf(out, size, "%.*s", (int)length, word);
  else if (option->initial < option->low || option->initial > option->high)
    snprintf(out, size, "none");
  else
    format_bound(option->initial, out, size);
}

/* Is there no upper end that anybody would run into? */
static bool unbounded(const config_key *k) {
  return k->high >= DBL_MAX || (k->type == KEY_INTEGER && k->high >= 9007199254740992.0);
}

static bool is_number(const config_key *k) {
  return k->type == KEY_REAL || k->type == KEY_INTEGER || k->type == KEY_REALS;
}

void key_expected(const config_key *k, const char *found, char *out, size_t size) {
  enum { MANY_WORDS = 12 }; /* more than a sentence should repeat */
  static const char *const nouns[] = {[KEY_REAL] = "a number",
                                      [KEY_INTEGER] = "an integer",
                                      [KEY_FLAG] = "true or false",
                                      [KEY_TEXT] = "a text",
                                      [KEY_CHOICE] = "one of ",
                                      [KEY_TEXTS] = "a list [a, b, ...] of texts",
                                      [KEY_REALS] = "a list [a, b, ...] of numbers"};
  char low[40], high[40], range[120] = "";
  format_bound(k->low, low, sizeof low);
  format_bound(k->high, high, sizeof high);
  if (is_number(k) && unbounded(k) && k->low > -DBL_MAX)
    snprintf(range, sizeof range, k->open == ABOVE ? " above %s" : " of at least %s", low);
  else if (is_number(k) && !unbounded(k))
    snprintf(range, sizeof range, " from %s%s to %s%s", k->open == ABOVE ? "above " : "", low, k->open == BELOW ? "below " : "",
             high);
  snprintf(out, size, "%s%s%s", nouns[k->type], range, k->words && k->type == KEY_INTEGER ? " or the word " : "");
  const int words = words_count(k->words);
  if (words <= MANY_WORDS)
    append_words(k->words, ", ", true, out, size);
  if (k->type != KEY_CHOICE)
    return;
  size_t used = strlen(out), length = 0;
  if (words > MANY_WORDS)
    used += (size_t)snprintf(out + used, size - used, "the %d words that --help shows", words);
  if (k->high > 0)
    used += (size_t)snprintf(out + used, size - used, " or a number from %s to %s", low, high);
  const char *near = words > MANY_WORDS && found ? l2o_nearest_word(&length, found, k->words) : NULL;
  if (near)
    snprintf(out + used, size - used, "; did you mean %.*s?", (int)length, near);
}

void key_meaning(const config_key *k, const char *initial, char *out, size_t size) {
  static const char *const nouns[] = {
      [KEY_REAL] = "number", [KEY_INTEGER] = "integer", [KEY_FLAG] = "true | false",    [KEY_TEXT] = "text",
      [KEY_CHOICE] = "",     [KEY_TEXTS] = "list",      [KEY_REALS] = "list of numbers"};
  char low[40], high[40], range[120] = "", words[KEY_MEANING - 400] = "";
  format_bound(k->low, low, sizeof low);
  format_bound(k->high, high, sizeof high);
  if (is_number(k) && k->low < -DBL_MAX)
    *range = '\0';
  else if (is_number(k) && (k->open != CLOSED || unbounded(k) || k->high >= MANY))
    snprintf(range, sizeof range, k->open == ABOVE ? " > %s" : " >= %s", low);
  else if (is_number(k))
    snprintf(range, sizeof range, " %s..%s", low, high);
  if (is_number(k) && k->open == BELOW)
    snprintf(range, sizeof range, " >= %s, < %s", low, high);
  append_words(k->words, " | ", k->type != KEY_INTEGER, words, sizeof words - sizeof range);
  if (k->type == KEY_CHOICE && k->high > 0)
    snprintf(words + strlen(words), sizeof range, " | %s..%s", low, high);
  snprintf(out, size, "%s [%s%s%s%s%s]", k->meaning, nouns[k->type], range, words, *initial ? "; default " : "", initial);
}

/* "train.optimizer.lr" belongs to the section "train", "seed" to "". */
static bool in_section(const char *path, const char *section) {
  size_t length = strlen(section);
  return length ? strncmp(path, section, length) == 0 && path[length] == '.' : !strchr(path, '.');
}

static void document_key(FILE *out, const config_key *k) {
  char text[KEY_MEANING], list[100];
  const char *initial = k->initial ? k->initial : "";
  if (k->type == KEY_REALS) { /* "1e-2 1e-4" */
    size_t used = 0;
    for (const char *c = initial; *c && used + 3 < sizeof list; c++) {
      if (*c == ' ')
        list[used++] = ',';
      list[used++] = *c;
    }
    list[used] = '\0';
    initial = list;
  }
  key_meaning(k, initial + (*initial == '='), text, sizeof text);
  help_row(out, k->path, text);
}

static void document_options(FILE *out, const char *section, const char *noun, const char *name, const l2o_option *options) {
  fprintf(out, "  with %s %s:\n", noun, name);
  for (; options && options->name; options++) {
    char path[80], initial[60], text[KEY_MEANING];
    snprintf(path, sizeof path, "%s.%s", section, options->name);
    if (key_find(path))
      continue;
    config_key k = key_from_option(options, path);
    option_initial(options, initial, sizeof initial);
    key_meaning(&k, initial, text, sizeof text);
    help_row(out, path, text);
  }
}

void config_document_section(FILE *out, const char *section) {
  for (const config_key *k = config_keys; k->path; k++)
    if (in_section(k->path, section))
      document_key(out, k);
  if (strcmp(section, "problem") == 0)
    for (const l2o_family_type *const *f = l2o_family_types(); *f; f++)
      document_options(out, section, "family", (*f)->name, (*f)->options);
  if (strcmp(section, "model") == 0)
    for (const l2o_model_kind *const *m = l2o_model_kinds(); *m; m++)
      document_options(out, section, "kind", (*m)->name, (*m)->options);
}

void config_document(FILE *out) {
  config_document_section(out, "");
  for (const char *const *s = config_sections; *s; s++)
    if (!strchr(*s, '.')) {
      fprintf(out, "\n");
      config_document_section(out, *s);
    }
}
