/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a rule takes for a channel, beside WMMSE at the same rate; run.sh drives this and its peer.
 *
 *   bench_rates save NETWORK RULE CHANNELS SEED DIR       DIR/channels.safetensors and DIR/targets.csv, for the peer
 *   bench_rates compare NETWORK RULE CHANNELS SEED ROUND  one round of all rules in turn, as CSV
 *   bench_rates latency NETWORK RULE CHANNELS SEED        how long single channels take: rows of a Markdown table
 *   bench_rates batch NETWORK RULE CHANNELS SEED THREADS  all of them by l2o_solve_many(): what report() prints, of one channel
 *
 * NETWORK is CELLS USERS TX RX SNR_DB. RULE is SOLVER MODEL LAYERS: "name" or "name:options", the file of its model or "-", the
 * number of steps. A line of targets.csv: the rate of the rule, and that of WMMSE after 10 steps. Lines of `compare`:
 *   tx,round,channel,method,steps,rate,microseconds
 * steps, rate and microseconds are empty where a channel never comes to the rate. */
#include "timing.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  MOST_STEPS = 500, /* of WMMSE */
  REFERENCE_STEPS = 100,
  CHECKED_STEPS = 10,
  NEVER = MOST_STEPS + 1,
  WARM_UP = 1000 /* channels that `latency` does not count */
};

/* What the command line says. */
typedef struct task {
  l2o_sum_rate_sizes sizes;
  double power;
  char network[200]; /* the same as a specification of the family */
  const char *name;  /* of the rule, with its options */
  const l2o_solver *solver, *wmmse;
  const char *options;
  l2o_model *model;
  size_t layers, channels;
  uint64_t seed;
} task;

static double number_of(const char *text) {
  char *end;
  const double value = strtod(text, &end);
  if (*end || !*text || !isfinite(value)) {
    fprintf(stderr, "benchmark: '%s' is not a number\n", text);
    exit(2);
  }
  return value;
}

static const l2o_solver *find_solver(const char *name) {
  const l2o_solver *solver = l2o_solver_find(name, &diag);
  if (!solver)
    must(L2O_ERR_ARG);
  return solver;
}

static void read_task(task *t, char **arguments) {
  char name[100];
  t->sizes = (l2o_sum_rate_sizes){
      .cells = size_of(arguments[0]), .users = size_of(arguments[1]), .tx = size_of(arguments[2]), .rx = size_of(arguments[3])};
  t->sizes.streams = t->sizes.tx < t->sizes.rx ? t->sizes.tx : t->sizes.rx;
  const double snr_db = number_of(arguments[4]);
  t->power = pow(10, snr_db / 10);
  snprintf(t->network, sizeof t->network, "sum-rate:cells=%zu,users=%zu,tx=%zu,rx=%zu,snr_db=%.17g", t->sizes.cells, t->sizes.users,
           t->sizes.tx, t->sizes.rx, snr_db);
  t->name = arguments[5];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(t->name, ":"), t->name);
  t->solver = find_solver(name);
  t->options = t->name[strlen(name)] ? t->name + strlen(name) + 1 : NULL;
  t->wmmse = find_solver("wmmse");
  if (strcmp(arguments[6], "-") != 0)
    must(l2o_model_load(&t->model, arguments[6], NULL, &diag));
  t->layers = size_of(arguments[7]);
  t->channels = size_of(arguments[8]);
  t->seed = size_of(arguments[9]);
}

/* From the start of the run, until it ends or has so many steps; how many it made. */
static size_t solve(l2o_run *run, size_t steps) {
  l2o_stop stop = L2O_STOP_NONE;
  size_t k = 0;
  must(l2o_run_start(run, NULL));
  for (; k < steps && stop == L2O_STOP_NONE; k++)
    must(l2o_run_step(run, &stop));
  return stop == L2O_STOP_STALLED ? k - 1 : k; /* the last one only found that the one before gained too little */
}

static double rate_of(l2o_run *run) {
  l2o_record record;
  must(l2o_run_record(run, &record));
  return -record.objective;
}

static l2o_run *new_run(const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem, const char *options,
                        size_t iterations) {
  l2o_settings settings = l2o_settings_default();
  l2o_run *run;
  settings.options = options;
  settings.iterations = iterations;
  must(l2o_run_new(&run, solver, model, problem, &settings, &diag));
  return run;
}

/* ---- equal rates ---- */

typedef struct channel {
  l2o_problem problem;
  l2o_run *rule, *wmmse, *patient; /* patient: WMMSE that ends by its tolerance */
  double target;                   /* the rate of the rule */
  double *rates;                   /* (MOST_STEPS + 1) of WMMSE */
} channel;

static channel *new_channels(const task *t) {
  l2o_family *family;
  channel *channels = get(t->channels, sizeof *channels);
  must(l2o_family_new(&family, t->network, &diag));
  for (size_t i = 0; i < t->channels; i++) {
    channel *c = &channels[i];
    l2o_stop stop = L2O_STOP_NONE;
    must(l2o_family_sample(family, &c->problem, t->seed, L2O_PURPOSE_EVAL, i, &diag));
    c->rule = new_run(t->solver, t->model, &c->problem, t->options, t->layers);
    c->wmmse = new_run(t->wmmse, NULL, &c->problem, NULL, MOST_STEPS);
    c->patient = new_run(t->wmmse, NULL, &c->problem, "tolerance=1e-6", MOST_STEPS);
    solve(c->rule, t->layers);
    c->target = rate_of(c->rule);
    c->rates = get(MOST_STEPS + 1, sizeof *c->rates);
    must(l2o_run_start(c->wmmse, NULL));
    c->rates[0] = rate_of(c->wmmse);
    for (size_t k = 1; k <= MOST_STEPS; k++) {
      must(l2o_run_step(c->wmmse, &stop));
      c->rates[k] = rate_of(c->wmmse);
    }
  }
  l2o_family_free(family);
  return channels;
}

static void free_channels(const task *t, channel *channels) {
  for (size_t i = 0; i < t->channels; i++) {
    l2o_run_free(channels[i].rule);
    l2o_run_free(channels[i].wmmse);
    l2o_run_free(channels[i].patient);
    l2o_problem_free(&channels[i].problem);
    free(channels[i].rates);
  }
  free(channels);
}

static void save(const task *t, const char *folder) {
  char path[PATH_SIZE];
  l2o_family *family;
  must(l2o_family_new(&family, t->network, &diag));
  must(l2o_family_save(family, in(path, folder, "channels"), t->seed, L2O_PURPOSE_EVAL, t->channels, &diag));
  l2o_family_free(family);
  if (snprintf(path, sizeof path, "%s/targets.csv", folder) >= PATH_SIZE)
    must(L2O_ERR_ARG);
  FILE *file = fopen(path, "w");
  if (!file)
    must(L2O_ERR_IO);
  channel *channels = new_channels(t);
  for (size_t i = 0; i < t->channels; i++)
    fprintf(file, "%.17g,%.17g\n", channels[i].target, channels[i].rates[CHECKED_STEPS]);
  free_channels(t, channels);
  if (fclose(file) != 0)
    must(L2O_ERR_IO);
}

/* The steps after which WMMSE has the rate of the rule, on this channel; NEVER. */
static size_t steps_to(const double *rates, double target) {
  size_t k = 0;
  while (k <= MOST_STEPS && rates[k] < target)
    k++;
  return k;
}

/* The same of the means over all channels. */
static size_t steps_to_mean(const task *t, const channel *channels) {
  double means[MOST_STEPS + 1], target = 0;
  for (size_t k = 0; k <= MOST_STEPS; k++) {
    means[k] = 0;
    for (size_t i = 0; i < t->channels; i++)
      means[k] += channels[i].rates[k];
  }
  for (size_t i = 0; i < t->channels; i++)
    target += channels[i].target;
  return steps_to(means, target);
}

/* Twice, so that the data of all are where they would be if the channel had just been measured; the second time counts. */
static void time_method(const task *t, const char *round, size_t number, const char *method, l2o_run *run, size_t steps) {
  if (steps == NEVER) {
    printf("%zu,%s,%zu,%s,,,\n", t->sizes.tx, round, number, method);
    return;
  }
  solve(run, steps);
  const double begin = now();
  const size_t made = solve(run, steps);
  const double seconds = now() - begin;
  printf("%zu,%s,%zu,%s,%zu,%.9g,%.6g\n", t->sizes.tx, round, number, method, made, rate_of(run), 1e6 * seconds);
}

/* In fewer dimensions: the smaller problem is made, solved, and its precoders brought back; all of it counts. */
static void time_reduced(const task *t, const char *round, size_t number, const char *method, const l2o_problem *problem,
                         const l2o_solver *solver, const l2o_model *model, const char *options, size_t steps) {
  l2o_real *x = get(problem->n, sizeof *x), *work = get(l2o_problem_work_len(problem) + 1, sizeof *work);
  double seconds = 0, f = 0;
  if (steps == NEVER) {
    printf("%zu,%s,%zu,%s,,,\n", t->sizes.tx, round, number, method);
  } else {
    for (int again = 0; again < 2; again++) { /* the second time counts */
      l2o_problem small;
      const double begin = now();
      must(l2o_sum_rate_reduced(&small, problem, &diag));
      l2o_run *run = new_run(solver, model, &small, options, steps ? steps : 1);
      solve(run, steps);
      must(l2o_sum_rate_expand(x, problem, &small, l2o_run_x(run)));
      l2o_run_free(run);
      l2o_problem_free(&small);
      seconds = now() - begin;
    }
    must(l2o_problem_value(problem, &f, x, work));
    printf("%zu,%s,%zu,%s,%zu,%.9g,%.6g\n", t->sizes.tx, round, number, method, steps, -f, 1e6 * seconds);
  }
  free(x);
  free(work);
}

static void compare(const task *t, const char *round) {
  channel *channels = new_channels(t);
  const size_t mean_steps = steps_to_mean(t, channels), turn = size_of(round);
  for (size_t i = 0; i < t->channels; i++) {
    const channel *c = &channels[i];
    const struct {
      const char *method;
      l2o_run *run;
      size_t steps;
    } methods[] = {{"rule", c->rule, t->layers},
                   {"wmmse", c->wmmse, steps_to(c->rates, c->target)},
                   {"wmmse-mean", c->wmmse, mean_steps},
                   {"wmmse-tolerance", c->patient, MOST_STEPS},
                   {"wmmse-100", c->wmmse, REFERENCE_STEPS}};
    const size_t count = sizeof methods / sizeof *methods;
    for (size_t k = 0; k < count; k++) { /* nobody is always the first */
      const size_t m = (k + turn + i) % count;
      time_method(t, round, i, methods[m].method, methods[m].run, methods[m].steps);
    }
    if (t->sizes.tx > t->sizes.cells * t->sizes.users * t->sizes.rx) {
      time_reduced(t, round, i, "rule-reduced", &c->problem, t->solver, t->model, t->options, t->layers);
      time_reduced(t, round, i, "wmmse-reduced", &c->problem, t->wmmse, NULL, NULL, steps_to(c->rates, c->target));
    }
  }
  free_channels(t, channels);
}

/* ---- one channel after another ---- */

/* CN(0, 1) */
static void draw_channel(l2o_real *H, double *normals, const task *t, size_t count, uint64_t index) {
  l2o_rng rng;
  l2o_rng_seed(&rng, t->seed, 0, index);
  l2o_rng_normal(&rng, normals, count);
  for (size_t i = 0; i < count; i++)
    H[i] = (l2o_real)(sqrt(0.5) * normals[i]);
}

static void print_latencies(const char *what, double *seconds, size_t count) {
  static const double quantiles[] = {0.5, 0.99, 0.999, 1};
  qsort(seconds, count, sizeof *seconds, ascending);
  printf("| %s |", what);
  for (size_t q = 0; q < sizeof quantiles / sizeof *quantiles; q++) /* the least value that so many of them do not exceed */
    printf(" %.1f |", 1e6 * seconds[(size_t)ceil(quantiles[q] * (double)count) - 1]);
  putchar('\n');
}

/* The channels are drawn in blocks ahead of those that are timed: each has left the first level when its turn comes. */
static void latency(const task *t) {
  enum { BLOCK = 1000 };
  const size_t users = t->sizes.cells * t->sizes.users, entries = 2 * users * t->sizes.cells * t->sizes.rx * t->sizes.tx;
  const size_t unknowns = 2 * users * t->sizes.tx * t->sizes.streams;
  double *whole = get(t->channels, sizeof *whole), *steps = get(t->channels, sizeof *steps),
         *normals = get(entries, sizeof *normals);
  double rate = 0;
  l2o_real *H = get(BLOCK * entries, sizeof *H), *V = get(unknowns, sizeof *V);
  for (size_t i = 0; i < WARM_UP + t->channels; i++) {
    l2o_problem problem;
    if (i % BLOCK == 0)
      for (size_t k = 0; k < BLOCK; k++)
        draw_channel(H + k * entries, normals, t, entries, i + k);
    const double begin = now();
    must(l2o_sum_rate_new(&problem, H + i % BLOCK * entries, NULL, NULL, 1, t->power, &t->sizes, &diag));
    l2o_run *run = new_run(t->solver, t->model, &problem, t->options, t->layers);
    const double built = now();
    solve(run, t->layers);
    const double solved = now();
    const double reached = rate_of(run);
    const double looked = now();
    memcpy(V, l2o_run_x(run), unknowns * sizeof *V);
    l2o_run_free(run);
    l2o_problem_free(&problem);
    const double end = now();
    if (i < WARM_UP)
      continue;
    whole[i - WARM_UP] = end - looked + solved - begin;
    steps[i - WARM_UP] = solved - built;
    rate += reached / (double)t->channels;
  }
  print_latencies("from the channel to the precoders", whole, t->channels);
  print_latencies("start and steps alone", steps, t->channels);
  printf("\nMean rate of the %zu channels: %.4f bit/s/Hz.\n", t->channels, rate);
  free(whole);
  free(steps);
  free(normals);
  free(H);
  free(V);
}

/* ---- many at once ---- */

typedef struct batch {
  const task *task;
  l2o_problem *problems;
  l2o_result *results;
  l2o_real *x;
  int threads;
  double rate;
} batch;

static void solve_batch(void *context) {
  batch *b = context;
  const task *t = b->task;
  l2o_settings settings = l2o_settings_default();
  settings.options = t->options;
  settings.iterations = t->layers;
  settings.threads = b->threads;
  for (size_t i = 0; i < t->channels; i++)
    must(l2o_problem_start(&b->problems[i], b->x + i * b->problems->n));
  must(l2o_solve_many(t->solver, t->model, b->problems, t->channels, b->x, b->results, &settings, &diag));
  b->rate = 0;
  for (size_t i = 0; i < t->channels; i++)
    b->rate -= b->results[i].last.objective / (double)t->channels;
}

static void run_batch(const task *t, size_t threads) {
  enum { REPEATS = 5 };
  l2o_family *family;
  batch b = {.task = t, .threads = (int)threads, .problems = get(t->channels, sizeof *b.problems)};
  b.results = get(t->channels, sizeof *b.results);
  must(l2o_family_new(&family, t->network, &diag));
  for (size_t i = 0; i < t->channels; i++)
    must(l2o_family_sample(family, &b.problems[i], t->seed, L2O_PURPOSE_EVAL, i, &diag));
  b.x = get(t->channels * b.problems->n, sizeof *b.x);
  report(solve_batch, &b, REPEATS, (double)t->channels, &b.rate);
  for (size_t i = 0; i < t->channels; i++)
    l2o_problem_free(&b.problems[i]);
  l2o_family_free(family);
  free(b.problems);
  free(b.results);
  free(b.x);
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  const bool is_latency = argc == 12 && strcmp(command, "latency") == 0, is_save = argc == 13 && strcmp(command, "save") == 0,
             is_compare = argc == 13 && strcmp(command, "compare") == 0, is_batch = argc == 13 && strcmp(command, "batch") == 0;
  task t = {0};
  if (!(is_latency || is_save || is_compare || is_batch)) {
    fputs("usage: bench_rates save CELLS USERS TX RX SNR_DB SOLVER MODEL LAYERS CHANNELS SEED DIR\n"
          "       bench_rates compare CELLS USERS TX RX SNR_DB SOLVER MODEL LAYERS CHANNELS SEED ROUND\n"
          "       bench_rates latency CELLS USERS TX RX SNR_DB SOLVER MODEL LAYERS CHANNELS SEED\n"
          "       bench_rates batch CELLS USERS TX RX SNR_DB SOLVER MODEL LAYERS CHANNELS SEED THREADS\n",
          stderr);
    return 2;
  }
  read_task(&t, argv + 2);
  if (is_save)
    save(&t, argv[12]);
  else if (is_compare)
    compare(&t, argv[12]);
  else if (is_latency)
    latency(&t);
  else
    run_batch(&t, size_of(argv[12]));
  l2o_model_free(t.model);
  return 0;
}
