/* SPDX-License-Identifier: BSD-3-Clause */
/* l2o-eval: config -> family -> instances -> every solver on the very same instances -> table, CSV, JSON, figure.
 * Under mpirun every rank solves its share of the instances; rank 0 puts them together, writes and speaks. */
#include "args.h"
#include "engine.h"
#include "gsl_solvers.h"
#include "instances.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "ranks.h"
#include "report.h"
#include "sweep.h"
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One solver of the run. */
typedef struct contender {
  solver_spec spec;
  char *model_path; /* learned rules */
  l2o_model *model;
} contender;

typedef struct evaluation {
  const cli_args *args;
  const config *c;
  const struct engine *engine;
  const char *dir;
  const sweep *sweep;       /* the sweep that this is one value of, or NULL */
  const sweep_point *point; /* the value */
  l2o_family *family;
  engine_problems *problems;
  uint64_t seed;
  l2o_purpose purpose;
  size_t instances;    /* of all ranks */
  size_t first, share; /* this one's: first .. first+share-1 */
  size_t unknowns;     /* 0: they differ */
  int threads;
  bool quiet;
  bool complete; /* all solvers have run, and what they did is written */
  contender *contenders;
  size_t count;
  double *minima, *tolerances;
  report report;
  progress progress;
  atomic_size_t iterations_done;
  atomic_flag drawing;
} evaluation;

/* `point`: the value of a sweep that this is about, or NULL. */
static int complain(const sweep_point *point, const char *text, int exit_code) {
  if (ranks_first())
    fprintf(stderr, "l2o-eval: %s%s%s\n", point ? point->folder : "", point ? ": " : "", text);
  return exit_code;
}

/* What goes wrong before the first solver runs is the caller's to mend, unless memory is short. */
static int setup_failed(const sweep_point *point, l2o_status status, const l2o_diag *diag) {
  return complain(point, diag->text[0] ? diag->text : l2o_strerror(status), status == L2O_ERR_NOMEM ? EXIT_FAILED : EXIT_WRONG_USE);
}

__attribute__((format(printf, 3, 4))) static l2o_status fail(l2o_diag *diag, l2o_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(diag->text, sizeof diag->text, format, args);
  va_end(args);
  return status;
}

/* ---- instances ---- */

/* The model must not meet instances that it was trained on unless that is what the config asks for. */
static l2o_status check_not_trained_on(const evaluation *e, l2o_diag *diag) {
  const config *c = e->c;
  const char *eval_file = config_family_file(c, true), *train_file = config_family_file(c, false);
  if (!config_given(c, "train") || config_trains_network(c) || e->purpose == L2O_PURPOSE_TRAIN)
    return L2O_OK;
  if (eval_file && train_file && strcmp(eval_file, train_file) == 0)
    return fail(diag, L2O_ERR_ARG,
                "%.200s holds the instances to train on: give eval.problem.file another file, or say eval.instances: train",
                eval_file);
  if (e->family->plain_seeds && e->seed == config_integer(c, "train.seed") &&
      strcmp(config_family_name(c, true), config_family_name(c, false)) == 0)
    return fail(diag, L2O_ERR_ARG,
                "seed %llu gives the instances to train on, this sampler knowing no purposes: give eval.seed another value, or say "
                "eval.instances: train",
                (unsigned long long)e->seed);
  return L2O_OK;
}

static l2o_status choose_instances(evaluation *e, l2o_diag *diag) {
  const config *c = e->c;
  const size_t rows = e->family->count;
  const bool training = config_is(c, "eval.instances", "train");
  e->purpose = training ? L2O_PURPOSE_TRAIN : L2O_PURPOSE_EVAL;
  e->seed = config_integer(c, training ? "train.seed" : "eval.seed");
  e->instances = config_integer(c, training ? "train.batch" : "eval.instances");
  if (training && config_trains_network(c))
    e->instances = 1;
  if (rows && e->instances > rows) {
    if (!training && config_given(c, "eval.instances"))
      return fail(diag, L2O_ERR_ARG, "%s: eval.instances asks for %zu instances, %.150s has %zu", config_where(c, "eval.instances"),
                  e->instances, config_family_file(c, true) ? config_family_file(c, true) : config_family_name(c, true), rows);
    e->instances = rows;
  } else if (rows && !training && !config_given(c, "eval.instances") && !config_given(c, "problem.instances")) {
    e->instances = rows; /* a file is evaluated whole unless somebody says otherwise */
  }
  return check_not_trained_on(e, diag);
}

/* The minima come from the double-precision library, whatever the solvers run in. */
static l2o_status find_minima(evaluation *e, l2o_diag *diag) {
  l2o_family *family = NULL;
  engine_problems *problems = e->problems;
  double *mine = calloc(e->share + 1, sizeof *mine);
  e->minima = calloc(e->instances, sizeof *e->minima);
  l2o_status status = mine && e->minima ? L2O_OK : L2O_ERR_NOMEM;
  if (!status && e->engine != &engine_double) {
    status = instances_open(&family, &engine_double, e->c, true, diag);
    if (!status)
      status = engine_double.problems_new(&problems, family, e->seed, e->purpose, e->first, e->share, e->threads, diag);
  }
  if (!status)
    engine_double.minima(mine, problems, e->threads);
  if (e->engine != &engine_double) {
    if (!status)
      engine_double.problems_free(problems);
    engine_double.family_free(family);
  }
  status = ranks_agree(status, diag);
  if (!status)
    ranks_gather(e->minima, mine, e->instances, sizeof *mine);
  free(mine);
  e->report.minima = e->minima;
  for (size_t i = 0; i < e->instances && !status; i++)
    if (isnan(e->minima[i]))
      e->report.minima = NULL;
  return status;
}

/* ---- solvers ---- */

/* The model file of a learned rule: its own, --model, or the one in the output folder. */
static l2o_status choose_model(const evaluation *e, contender *s, l2o_diag *diag) {
  const char *named = s->spec.model ? s->spec.model : config_text(e->c, "eval.model");
  if (named) {
    s->model_path = strdup(named);
    return s->model_path ? L2O_OK : L2O_ERR_NOMEM;
  }
  if (e->dir) {
    s->model_path = output_path(e->dir, "model.safetensors");
    if (!s->model_path)
      return L2O_ERR_NOMEM;
    if (access(s->model_path, F_OK) == 0)
      return L2O_OK;
    return fail(diag, L2O_ERR_ARG, "%.60s needs a model, and there is no %.200s: train first, or give --model FILE", s->spec.name,
                s->model_path);
  }
  return fail(diag, L2O_ERR_ARG, "%.60s needs a model: give --model FILE, or --out DIR with a trained model in it", s->spec.name);
}

static l2o_status add_contender(evaluation *e, const char *text, l2o_diag *diag) {
  contender *s = &e->contenders[e->count];
  engine_rule rule;
  message error;
  if (!solver_spec_parse(text, &s->spec, &error))
    return fail(diag, L2O_ERR_ARG, "%.380s", error.text);
  e->count++;
  if (!e->engine->rule_find(&rule, s->spec.name, diag))
    return L2O_ERR_ARG;
  for (size_t i = 0; i + 1 < e->count; i++)
    if (strcmp(e->contenders[i].spec.label, s->spec.label) == 0)
      return fail(diag, L2O_ERR_ARG, "two solvers are labelled '%.60s': give one of them another label, %.60s:label=...",
                  s->spec.label, s->spec.name);
  if (!rule.learned)
    return s->spec.model ? fail(diag, L2O_ERR_ARG, "%.60s is not a learned rule and takes no model", s->spec.name) : L2O_OK;
  l2o_status status = choose_model(e, s, diag);
  if (!status)
    status = e->engine->model_load(&s->model, s->model_path, config_model_spec(e->c), diag);
  if (!status && strcmp(e->engine->model_kind_name(s->model), rule.model_kind) != 0)
    status = fail(diag, L2O_ERR_ARG, "%.200s is a model of kind %.60s, and %.60s needs one of kind %.60s", s->model_path,
                  e->engine->model_kind_name(s->model), s->spec.name, rule.model_kind);
  return status;
}

static l2o_status add_contenders(evaluation *e, l2o_diag *diag) {
  const config *c = e->c;
  const size_t given = config_list(c, "eval.solvers");
  e->contenders = calloc(given + 2, sizeof *e->contenders);
  l2o_status status = e->contenders ? L2O_OK : L2O_ERR_NOMEM;
  for (size_t i = 0; i < given && !status; i++)
    status = add_contender(e, config_list_text(c, "eval.solvers", i), diag);
  if (given || status)
    return status;
  /* Nothing given: the rule that the config trains, and what it should beat; or the rule that trains its network. */
  if (config_trains_network(c))
    return add_contender(e, config_text(c, "train.solver"), diag);
  status = add_contender(e, "gd", diag);
  return !status && config_model_spec(c) ? add_contender(e, config_text(c, "train.solver"), diag) : status;
}

/* ---- running ---- */

static bool go_on(void *context) {
  evaluation *e = context;
  /* Every thread counts; now and then one that finds nobody else at it looks at the clock and draws. */
  const size_t done = atomic_fetch_add_explicit(&e->iterations_done, 1, memory_order_relaxed) + 1;
  if (done % 64 == 0 && !e->quiet && !atomic_flag_test_and_set(&e->drawing)) {
    if (done < e->progress.total) /* runs report their start too: a little more than iterations x instances */
      progress_update(&e->progress, done, "");
    atomic_flag_clear(&e->drawing);
  }
  return !interrupt_requested();
}

static engine_task task_of(evaluation *e, const contender *s) {
  return (engine_task){.rule = s->spec.name,
                       .options = s->spec.options,
                       .model = s->model,
                       .iterations = config_integer(e->c, "eval.iterations"),
                       .record_every = config_integer(e->c, "eval.record_every"),
                       .calls = config_integer(e->c, "eval.budget"),
                       .seconds = config_real(e->c, "eval.time"),
                       .gradient_tolerance = config_real(e->c, "eval.gradient_tolerance"),
                       .seed = e->seed,
                       .threads = e->threads,
                       .keep_iterates = e->args->dump_iterates != NULL,
                       .go_on = go_on,
                       .context = e};
}

static l2o_status dump(const evaluation *e, l2o_tensor_writer *w, const engine_runs *runs, const char *label, l2o_diag *diag) {
  const size_t shape[] = {runs->length, runs->count, e->unknowns};
  char name[200];
  double *objective = calloc(runs->length * runs->count, sizeof *objective);
  if (!objective)
    return fail(diag, L2O_ERR_NOMEM, "out of memory for the iterates");
  for (size_t k = 0; k < runs->length; k++)
    for (size_t i = 0; i < runs->count; i++)
      objective[k * runs->count + i] = runs->records[i * runs->length + k].objective;
  snprintf(name, sizeof name, "%.180s.X", label);
  l2o_status status = l2o_tensor_writer_add(w, name, L2O_F64, runs->iterates, shape, 3);
  snprintf(name, sizeof name, "%.180s.objective", label);
  if (!status)
    status = l2o_tensor_writer_add(w, name, L2O_F64, objective, shape, 2);
  free(objective);
  return status;
}

/* Puts the runs of all ranks together, on rank 0: *all, which is `mine` where there are no other ranks. */
static l2o_status collect(const evaluation *e, engine_runs *all, engine_runs *mine, l2o_diag *diag) {
  const size_t length = mine->length, n = e->args->dump_iterates ? e->unknowns : 0, total = e->instances;
  bool room = true;
  if (ranks_count() == 1) {
    *all = *mine;
    *mine = (engine_runs){0};
    return L2O_OK;
  }
  ranks_hear(mine->failure.text, sizeof mine->failure.text);
  if (ranks_first())
    room = engine_runs_new(all, total, length, n);
  l2o_status status = room ? L2O_OK : fail(diag, L2O_ERR_NOMEM, "out of memory for the runs of all ranks");
  if ((status = ranks_agree(status, diag)))
    return status;
  all->failure = mine->failure;
  ranks_gather(all->records, mine->records, total, length * sizeof *mine->records);
  ranks_gather(all->stops, mine->stops, total, sizeof *mine->stops);
  ranks_gather(all->failed, mine->failed, total, sizeof *mine->failed);
  for (size_t k = 0; n && k < length; k++)
    ranks_gather(ranks_first() ? all->iterates + k * total * n : NULL, e->share ? mine->iterates + k * e->share * n : NULL, total,
                 n * sizeof *mine->iterates);
  return L2O_OK;
}

/* What rank 0 makes of the runs. */
static l2o_status keep(evaluation *e, const contender *s, const engine_runs *runs, FILE *csv, l2o_tensor_writer *iterates,
                       l2o_diag *diag) {
  if (runs->failure.text[0])
    fprintf(stderr, "l2o-eval: %s%s%s: %s\n", e->point ? e->point->folder : "", e->point ? ": " : "", s->spec.label,
            runs->failure.text);
  if (e->report.interrupted) /* a solver that was cut short compares with nothing */
    return L2O_OK;
  l2o_status status = report_add(&e->report, runs, s->spec.label, s->spec.name, s->model_path, csv,
                                 (enum report_trace)config_choice(e->c, "output.trace"), diag);
  return !status && iterates ? dump(e, iterates, runs, s->spec.label, diag) : status;
}

static l2o_status run_contender(evaluation *e, const contender *s, FILE *csv, l2o_tensor_writer *iterates, l2o_diag *diag) {
  const engine_task task = task_of(e, s);
  engine_runs mine = {0}, all = {0};
  char what[200];
  snprintf(what, sizeof what, "%s%s%s", e->point ? e->point->folder : "", e->point ? " " : "", s->spec.label);
  progress_begin(&e->progress, what, 0, task.iterations * e->share, 2, e->quiet);
  atomic_store(&e->iterations_done, 0);
  l2o_status status = ranks_agree(e->engine->solve(&mine, e->problems, &task, diag), diag);
  progress_end(&e->progress);
  e->report.interrupted = ranks_any(interrupt_requested());
  if (!status)
    status = collect(e, &all, &mine, diag);
  if (!status)
    status = ranks_agree(ranks_first() ? keep(e, s, &all, csv, iterates, diag) : L2O_OK, diag);
  engine_runs_free(&mine);
  engine_runs_free(&all);
  return status;
}

static l2o_status write_summary(const evaluation *e, l2o_diag *diag) {
  l2o_atomic_file file;
  char *path;
  l2o_status status = output_begin(&file, &path, e->dir, "summary.json", diag);
  if (status)
    return status;
  status = report_json(&e->report, file.stream, diag);
  if (status)
    l2o_file_abandon(&file);
  else
    status = l2o_file_commit(&file, diag);
  free(path);
  return status;
}

/* Table or JSON, and the files of the folder except for trace.csv. */
static l2o_status show(evaluation *e, l2o_diag *diag) {
  const config *c = e->c;
  l2o_status status = L2O_OK;
  report_sort(&e->report);
  const bool alone = !e->point; /* a sweep shows all values together */
  if (alone && config_flag(c, "output.json"))
    status = report_json(&e->report, stdout, diag);
  else if (alone && !e->quiet)
    report_table(&e->report, stdout);
  if (!status && e->dir)
    status = write_summary(e, diag);
  if (!status && config_flag(c, "output.plot")) {
    status =
        report_plot(&e->report, config_text(c, "output.title"), (enum report_axis)config_choice(c, "output.axis"), e->dir, diag);
    if (status == L2O_ERR_NOTSUP) { /* no gnuplot: everything else stands */
      if (alone)
        fprintf(stderr, "l2o-eval: %s\n", diag->text);
      status = L2O_OK;
    }
  }
  return status;
}

/* What is written while the solvers run, by rank 0. */
typedef struct outputs {
  l2o_atomic_file csv;
  char *csv_path;
  l2o_tensor_writer *iterates;
} outputs;

static l2o_status open_outputs(const evaluation *e, outputs *out, l2o_diag *diag) {
  l2o_status status = L2O_OK;
  if (e->dir && !config_is(e->c, "output.trace", "none")) {
    status = output_begin(&out->csv, &out->csv_path, e->dir, "trace.csv", diag);
    if (!status)
      report_trace_header(out->csv.stream);
  }
  return !status && e->args->dump_iterates ? l2o_tensor_writer_new(&out->iterates) : status;
}

static l2o_status finish(evaluation *e, outputs *out, l2o_status status, l2o_diag *diag) {
  if (status || e->report.count == 0)
    l2o_file_abandon(&out->csv);
  else if (out->csv.stream)
    status = l2o_file_commit(&out->csv, diag);
  if (!status && out->iterates && e->report.count)
    status = l2o_tensor_writer_save(out->iterates, e->args->dump_iterates, diag);
  l2o_tensor_writer_free(out->iterates);
  free(out->csv_path);
  return !status && e->report.count ? show(e, diag) : status;
}

static l2o_status compete(evaluation *e, l2o_diag *diag) {
  outputs out = {.csv_path = NULL};
  l2o_status status = ranks_agree(ranks_first() ? open_outputs(e, &out, diag) : L2O_OK, diag);
  for (size_t i = 0; i < e->count && !status && !e->report.interrupted; i++)
    status = run_contender(e, &e->contenders[i], out.csv.stream, out.iterates, diag);
  return ranks_agree(ranks_first() ? finish(e, &out, status, diag) : status, diag);
}

static l2o_status prepare_share(evaluation *e, l2o_diag *diag) {
  const config *c = e->c;
  l2o_status status = instances_open(&e->family, e->engine, c, true, diag);
  if (!status)
    status = choose_instances(e, diag);
  if (!status)
    status = add_contenders(e, diag);
  e->share = ranks_share(e->instances, &e->first);
  if (!status)
    status = e->engine->problems_new(&e->problems, e->family, e->seed, e->purpose, e->first, e->share, e->threads, diag);
  for (size_t i = 0; i < e->count && !status; i++) {
    const engine_task task = task_of(e, &e->contenders[i]);
    status = e->engine->check(e->problems, &task, diag);
  }
  return status;
}

/* Everything that can be found wrong before the first solver runs. */
static l2o_status prepare(evaluation *e, l2o_diag *diag) {
  l2o_status status = ranks_agree(prepare_share(e, diag), diag);
  if (!status && !ranks_common(e->instances, true))
    status = fail(diag, L2O_ERR_ARG, "the ranks find different numbers of instances: is the file of instances the same for all?");
  if (!status) {
    e->unknowns = ranks_common(e->engine->unknowns(e->problems), e->share > 0);
    if (e->args->dump_iterates && !e->unknowns)
      status = fail(diag, L2O_ERR_ARG, "--dump-iterates needs instances of one size");
  }
  return status ? status : find_minima(e, diag);
}

/* Is there room for the results? */
static l2o_status open_folder(const evaluation *e, l2o_diag *diag) {
  l2o_status status = e->dir ? output_open(e->dir, e->c, diag) : L2O_OK;
  return !status && e->args->dump_iterates ? output_probe(e->args->dump_iterates, diag) : status;
}

/* --dump-instances, by rank 0, which holds the whole family. */
static int dump_instances(const evaluation *e, l2o_diag *diag) {
  const char *path = e->args->dump_instances;
  l2o_status status =
      path && ranks_first() ? e->engine->family_save(e->family, path, e->seed, e->purpose, e->instances, diag) : L2O_OK;
  if (!(status = ranks_agree(status, diag)))
    return EXIT_DONE;
  return complain(NULL, diag->text[0] ? diag->text : l2o_strerror(status), status == L2O_ERR_NOTSUP ? EXIT_WRONG_USE : EXIT_FAILED);
}

static int run(evaluation *e) {
  const config *c = e->c;
  l2o_diag diag = {""};
  const size_t tolerances = config_list(c, "eval.tolerances");
  e->engine = config_is(c, "eval.precision", "single") ? &engine_single : &engine_double;
  e->dir = config_text(c, "output.dir");
  e->quiet = config_flag(c, "output.quiet") || !ranks_first();
  e->threads = (int)config_integer(c, "eval.threads");
  e->tolerances = calloc(tolerances + 1, sizeof *e->tolerances);
  if (ranks_any(!e->tolerances))
    return complain(e->point, "out of memory", EXIT_FAILED);
  for (size_t i = 0; i < tolerances; i++)
    e->tolerances[i] = config_list_real(c, "eval.tolerances", i);
  if (config_flag(c, "output.plot") && !e->dir)
    return complain(NULL, "where to draw? --plot needs --out DIR, or output.dir in the config", EXIT_WRONG_USE);
  l2o_status status = prepare(e, &diag);
  if (status)
    return setup_failed(e->point, status, &diag);
  const int dumped = dump_instances(e, &diag);
  if (dumped != EXIT_DONE)
    return dumped;
  if (ranks_agree(ranks_first() ? open_folder(e, &diag) : L2O_OK, &diag))
    return complain(e->point, diag.text, EXIT_FAILED);
  e->report.config = e->args->config;
  e->report.family = config_family_name(c, true);
  e->report.note = e->family->note;
  e->report.sweep_key = e->sweep ? e->sweep->key : NULL;
  e->report.sweep_value = e->sweep ? e->point->value : NULL;
  e->report.precision = e->engine->precision;
  e->report.unknowns = e->unknowns;
  e->report.instances = e->instances;
  e->report.iterations = config_integer(c, "eval.iterations");
  e->report.record_every = config_integer(c, "eval.record_every");
  e->report.points = config_integer(c, "output.points");
  e->report.seed = e->seed;
  e->report.training = e->purpose == L2O_PURPOSE_TRAIN;
  e->report.gap = config_choice(c, "eval.gap");
  e->report.tolerances = e->tolerances;
  e->report.tolerance_count = tolerances;
  e->report.gradient_tolerance = config_real(c, "eval.gradient_tolerance");
  interrupt_catch();
  status = compete(e, &diag);
  if (status)
    return complain(e->point, diag.text[0] ? diag.text : l2o_strerror(status), EXIT_FAILED);
  size_t failed = 0;
  for (size_t i = 0; i < e->report.count; i++)
    failed += e->report.solvers[i].failed == e->instances;
  if (e->report.interrupted)
    return complain(
        e->point, e->report.count ? "interrupted; the solvers that had finished are reported" : "interrupted; nothing was written",
        EXIT_INTERRUPTED);
  e->complete = true;
  return failed == e->report.count ? EXIT_FAILED : EXIT_DONE; /* each failure had its sentence */
}

static void evaluation_free(evaluation *e) {
  report_free(&e->report);
  for (size_t i = 0; i < e->count; i++) {
    if (e->contenders[i].model)
      e->engine->model_free(e->contenders[i].model);
    free(e->contenders[i].model_path);
    solver_spec_free(&e->contenders[i].spec);
  }
  free(e->contenders);
  if (e->problems)
    e->engine->problems_free(e->problems);
  if (e->family)
    e->engine->family_free(e->family);
  free(e->minima);
  free(e->tolerances);
}

/* ---- a sweep ---- */

/* free() it; NULL when out of memory. */
__attribute__((format(printf, 1, 2))) static char *text_of(const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  const size_t size = (size_t)vsnprintf(NULL, 0, format, args) + 1;
  char *text = malloc(size);
  if (text)
    vsnprintf(text, size, format, again);
  va_end(again);
  va_end(args);
  return text;
}

/* The configuration of one value: KEY=VALUE, a folder of its own, and the model in the folder of the sweep where there is one. NULL
 * and a sentence if there is no such configuration. */
static config *point_config(const cli_args *args, const config *base, const sweep *s, const sweep_point *p, message *error) {
  const char *dir = config_text(base, "output.dir");
  const char **sets = calloc(args->set_count + 3, sizeof *sets);
  char *folder = output_path(dir ? dir : "", p->folder), *model = output_path(dir ? dir : "", "model.safetensors");
  char *own[3] = {text_of("--sweep %s=%s", s->key, p->value), NULL, NULL};
  size_t count = 1;
  bool room = sets && folder && model && own[0];
  if (room && dir)
    room = (own[count++] = text_of("--out output.dir=%s", folder)) != NULL;
  if (room && dir && !config_text(base, "eval.model") && access(model, F_OK) == 0)
    room = (own[count++] = text_of("--model eval.model=%s", model)) != NULL;
  config *c = NULL;
  snprintf(error->text, sizeof error->text, "out of memory");
  if (room) {
    for (size_t i = 0; i < args->set_count; i++)
      sets[i] = args->sets[i];
    for (size_t i = 0; i < count; i++)
      sets[args->set_count + i] = own[i];
    c = config_load(args->config, sets, args->set_count + count, error);
  }
  for (size_t i = 0; i < count; i++)
    free(own[i]);
  free(folder);
  free(model);
  free(sets);
  return c;
}

/* Reads the configurations of all values and opens their families, so that a mistake in the last one is told before the first one
 * runs. */
static l2o_status prepare_points(config **configs, const cli_args *args, const config *base, const sweep *s, l2o_diag *diag) {
  for (size_t i = 0; i < s->count; i++) {
    message error;
    l2o_family *family;
    configs[i] = point_config(args, base, s, &s->points[i], &error);
    if (!configs[i])
      return fail(diag, L2O_ERR_ARG, "%.380s", error.text);
    const struct engine *engine = config_is(configs[i], "eval.precision", "single") ? &engine_single : &engine_double;
    l2o_diag why = {""};
    const l2o_status status = instances_open(&family, engine, configs[i], true, &why);
    if (status)
      return fail(diag, status, "--sweep %.200s: %.300s", s->points[i].folder, why.text[0] ? why.text : l2o_strerror(status));
    engine->family_free(family);
  }
  return L2O_OK;
}

/* Adds what a value came to, and writes the values that there are by now. */
static l2o_status keep_point(sweep *s, evaluation *e, const char *dir, l2o_diag *diag) {
  l2o_status status = sweep_take(s, &e->report, config_flag(e->c, "output.json"), diag);
  return !status && dir ? sweep_write(s, dir, diag) : status;
}

static l2o_status show_sweep(const sweep *s, const config *c, l2o_diag *diag) {
  if (config_flag(c, "output.json"))
    sweep_json(s, stdout);
  else if (!config_flag(c, "output.quiet"))
    sweep_table(s, stdout);
  if (!config_flag(c, "output.plot"))
    return L2O_OK;
  const l2o_status status = sweep_plot(s, config_text(c, "output.title"), config_text(c, "output.dir"), diag);
  if (status == L2O_ERR_NOTSUP) /* no gnuplot: everything else stands */
    fprintf(stderr, "l2o-eval: %s\n", diag->text);
  return status == L2O_ERR_NOTSUP ? L2O_OK : status;
}

/* Evaluates at one value after the other; stops at the first that cannot be completed, but not where solvers failed. */
static int run_points(sweep *s, config *const *configs, const cli_args *args, const config *base) {
  l2o_diag diag = {""};
  int exit_code = EXIT_DONE;
  bool going = true;
  for (size_t i = 0; i < s->count && going; i++) {
    if (ranks_any(interrupt_requested())) {
      exit_code = complain(NULL, "interrupted; the values that had finished are reported", EXIT_INTERRUPTED);
      break;
    }
    evaluation e = {.args = args, .c = configs[i], .sweep = s, .point = &s->points[i], .drawing = ATOMIC_FLAG_INIT};
    const int code = run(&e);
    going = e.complete;
    if (going && ranks_agree(ranks_first() ? keep_point(s, &e, config_text(base, "output.dir"), &diag) : L2O_OK, &diag)) {
      exit_code = complain(e.point, diag.text, EXIT_FAILED);
      going = false;
    } else if (code != EXIT_DONE) {
      exit_code = code;
    }
    evaluation_free(&e);
  }
  if (ranks_agree(ranks_first() && s->done ? show_sweep(s, base, &diag) : L2O_OK, &diag))
    exit_code = complain(NULL, diag.text, EXIT_FAILED);
  return exit_code;
}

static int run_sweep(const cli_args *args, const config *base) {
  sweep s;
  message error;
  l2o_diag diag = {""};
  config **configs = NULL;
  int exit_code = EXIT_WRONG_USE;
  if (!sweep_parse(&s, args->sweep, &error)) {
    complain(NULL, error.text, exit_code);
  } else if (ranks_any(!(configs = calloc(s.count, sizeof *configs)))) {
    exit_code = complain(NULL, "out of memory", EXIT_FAILED);
  } else {
    const l2o_status status = ranks_agree(prepare_points(configs, args, base, &s, &diag), &diag);
    exit_code = status ? setup_failed(NULL, status, &diag) : run_points(&s, configs, args, base);
  }
  for (size_t i = 0; configs && i < s.count; i++)
    config_free(configs[i]);
  free(configs);
  sweep_free(&s);
  return exit_code;
}

int main(int argc, char **argv) {
  cli_args args;
  config *c;
  int exit_code = EXIT_DONE;
  if (!ranks_start(command_name(COMMAND_EVAL)))
    return EXIT_WRONG_USE;
  engine_start();
  if (ranks_load(&args, &c, COMMAND_EVAL, argc, argv, gsl_solvers, &exit_code)) {
    if (args.sweep) {
      exit_code = run_sweep(&args, c);
    } else {
      evaluation e = {.args = &args, .c = c, .drawing = ATOMIC_FLAG_INIT};
      exit_code = run(&e);
      evaluation_free(&e);
    }
    config_free(c);
  }
  args_free(&args);
  if (fflush(stdout) != 0 || ferror(stdout))
    exit_code = complain(NULL, "cannot write to the standard output", EXIT_FAILED);
  return ranks_end(exit_code);
}
