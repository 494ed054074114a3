/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"
#include "core/diag.h"
#include "plot.h"
#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

enum field { OBJECTIVE, GAP, GRAD_NORM, VALUE_CALLS, GRADIENT_CALLS, CHARGED, SECONDS, FIELDS };
static const double quantiles[] = {0.1, 0.25, 0.5, 0.75, 0.9};
enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

const char *report_gap_formula(const report *r) {
  static const char *const formulas[] = {
      [GAP_RELATIVE] = "(f - f*)/|f*|", [GAP_ABSOLUTE] = "f - f*", [GAP_INITIAL] = "(f - f*)/(f0 - f*)"};
  return formulas[r->gap];
}

const l2o_family_type *report_maximised(const report *r) {
  const l2o_family_type *type = r->minima ? NULL : l2o_family_type_find(r->family, NULL);
  return type && type->maximised ? type : NULL;
}

static interval negated(interval i) {
  return (interval){-i.high, -i.low};
}

static const l2o_record *record_at(const engine_runs *runs, size_t instance, size_t row) {
  return &runs->records[instance * runs->length + row];
}

/* f - f* is zero where it is negative by no more than rounding; a minimum that is really wrong stays visible. */
static double gap_at(const report *r, const engine_runs *runs, size_t instance, size_t row) {
  if (!r->minima)
    return nan("");
  const double minimum = r->minima[instance], f = record_at(runs, instance, row)->objective,
               f0 = record_at(runs, instance, 0)->objective;
  if (!isfinite(f))
    return HUGE_VAL;
  const double epsilon = strcmp(r->precision, "single") == 0 ? (double)FLT_EPSILON : DBL_EPSILON;
  double gap = f - minimum;
  if (gap < 0 && -gap <= 64 * epsilon * (fabs(f0) + fabs(minimum)))
    gap = 0;
  switch (r->gap) {
  case GAP_RELATIVE:
    return gap / fabs(minimum);
  case GAP_INITIAL:
    return gap / (f0 - minimum);
  default:
    return gap;
  }
}

static double field_at(const report *r, const engine_runs *runs, enum field field, size_t instance, size_t row) {
  const l2o_record *record = record_at(runs, instance, row);
  switch (field) {
  case OBJECTIVE:
    return record->objective;
  case GAP:
    return gap_at(r, runs, instance, row);
  case GRAD_NORM:
    return record->gradient_norm;
  case VALUE_CALLS:
    return (double)record->value_calls;
  case GRADIENT_CALLS:
    return (double)record->gradient_calls;
  case CHARGED:
    return (double)record->charged;
  default:
    return record->seconds;
  }
}

/* ---- trace.csv ---- */

void report_trace_header(FILE *csv) {
  fputs("solver,instance,iteration,objective,gap,grad_norm,value_calls,gradient_calls,charged,seconds\n", csv);
}

/* An empty cell where the number does not exist; "inf" where it ran away. */
static void put_cell(FILE *csv, enum field field, double value) {
  if (isnan(value))
    fputc(',', csv);
  else
    fprintf(csv, field <= GRAD_NORM ? ",%.17g" : ",%.10g", value);
}

static void put_row(FILE *csv, const char *label, const char *instance, size_t iteration, const double *fields) {
  fprintf(csv, "%s,%s,%zu", label, instance, iteration);
  for (int f = 0; f < FIELDS; f++)
    put_cell(csv, (enum field)f, fields[f]);
  fputc('\n', csv);
}

/* Is the row one that trace.csv keeps of a solver that took `used` iterations at most? */
static bool is_kept(const report *r, size_t k, size_t used, size_t length) {
  const size_t last = (used + r->record_every - 1) / r->record_every, stride = r->points ? (last + r->points - 1) / r->points : 1;
  return stride < 2 ? !r->points || k <= last || k + 1 == length : (k <= last && k % stride == 0) || k == last || k + 1 == length;
}

static size_t iteration_of(const report *r, size_t row) {
  return engine_iteration(row, r->iterations, r->record_every);
}

static void put_instances(FILE *csv, const report *r, const engine_runs *runs, const char *label, size_t used) {
  for (size_t i = 0; i < runs->count; i++)
    for (size_t k = 0; k < runs->length; k++) {
      if (!is_kept(r, k, used, runs->length))
        continue;
      char name[24];
      double fields[FIELDS];
      snprintf(name, sizeof name, "%zu", i);
      for (int f = 0; f < FIELDS; f++)
        fields[f] = field_at(r, runs, (enum field)f, i, k);
      put_row(csv, label, name, iteration_of(r, k), fields);
    }
}

/* Quantiles and mean of every field in every row; those of the figure go to `bands` and `axes`. table: (QUANTILES + 1,
 * length, FIELDS). */
static void reduce(const report *r, const engine_runs *runs, double *table, report_solver *s, double *values) {
  const enum field shown = r->minima ? GAP : OBJECTIVE;
  for (size_t k = 0; k < runs->length; k++)
    for (int f = 0; f < FIELDS; f++) {
      bool exists = false;
      for (size_t i = 0; i < runs->count; i++) {
        values[i] = field_at(r, runs, (enum field)f, i, k);
        exists = exists || !isnan(values[i]);
      }
      const double mean = exists || f == OBJECTIVE ? statistics_mean(values, runs->count) : nan("");
      table[(QUANTILES * runs->length + k) * FIELDS + (size_t)f] = mean;
      if (exists)
        statistics_sort(values, runs->count);
      for (size_t q = 0; q < QUANTILES; q++)
        table[(q * runs->length + k) * FIELDS + (size_t)f] =
            exists || f == OBJECTIVE ? statistics_quantile(values, runs->count, quantiles[q]) : nan("");
    }
  static const size_t band[] = {0, 2, 4};
  const bool turned = report_maximised(r) != NULL;
  for (size_t k = 0; k < runs->length; k++) {
    for (size_t b = 0; b < 3; b++) {
      const double value = table[(band[turned ? 2 - b : b] * runs->length + k) * FIELDS + shown];
      s->bands[3 * k + b] = turned ? -value : value;
    }
    const double *median = table + (2 * runs->length + k) * FIELDS;
    s->axes[k] = (double)iteration_of(r, k);
    s->axes[runs->length + k] = median[CHARGED];
    s->axes[2 * runs->length + k] = median[SECONDS];
  }
}

static void put_quantiles(FILE *csv, const report *r, const char *label, size_t used, const double *table, size_t length) {
  for (size_t q = 0; q <= QUANTILES; q++)
    for (size_t k = 0; k < length; k++) {
      if (!is_kept(r, k, used, length))
        continue;
      char name[24] = "mean";
      if (q < QUANTILES)
        snprintf(name, sizeof name, "q%g", quantiles[q]);
      put_row(csv, label, name, iteration_of(r, k), table + (q * length + k) * FIELDS);
    }
}

/* ---- collecting ---- */

static double iterations_to(const report *r, const engine_runs *runs, double tolerance, double *values) {
  for (size_t i = 0; i < runs->count; i++) {
    values[i] = HUGE_VAL;
    for (size_t k = 0; k < runs->length && values[i] == HUGE_VAL; k++)
      if (gap_at(r, runs, i, k) <= tolerance)
        values[i] = (double)record_at(runs, i, k)->iteration;
  }
  statistics_sort(values, runs->count);
  return statistics_quantile(values, runs->count, 0.5);
}

/* Iterations and seconds until the norm of the gradient was at most the tolerance. */
static void count_to_gradient(report_solver *s, const report *r, const engine_runs *runs, double *values) {
  const size_t last = runs->length - 1, count = runs->count;
  s->iterations_median = s->iterations_max = s->seconds_median = nan("");
  if (!(r->gradient_tolerance > 0))
    return;
  for (int field = 0; field < 2; field++) {
    for (size_t i = 0; i < count; i++) {
      const l2o_record *end = record_at(runs, i, last);
      const bool there = !runs->failed[i] && end->gradient_norm <= r->gradient_tolerance;
      values[i] = !there ? HUGE_VAL : field == 0 ? (double)end->iteration : end->seconds;
      s->missed += field == 0 && !there;
    }
    statistics_sort(values, count);
    *(field == 0 ? &s->iterations_median : &s->seconds_median) = statistics_quantile(values, count, 0.5);
    if (field == 0)
      s->iterations_max = values[count - 1];
  }
}

static char *copy(const char *text) {
  char *out = text ? malloc(strlen(text) + 1) : NULL;
  return out ? strcpy(out, text) : NULL;
}

/* Statistics of the last iteration. */
static void summarise(report_solver *s, const report *r, const engine_runs *runs, double *values) {
  const size_t last = runs->length - 1, count = runs->count;
  double seconds = 0, steps = 0, value_calls = 0, gradient_calls = 0, queries = 0, charged = 0;
  for (size_t i = 0; i < count; i++) {
    const l2o_record *end = record_at(runs, i, last);
    s->iterations = end->iteration > s->iterations ? end->iteration : s->iterations;
    seconds += end->seconds;
    steps += (double)end->iteration;
    value_calls += (double)end->value_calls;
    gradient_calls += (double)end->gradient_calls;
    queries += (double)(end->value_calls > end->gradient_calls ? end->value_calls : end->gradient_calls);
    charged += (double)end->charged;
    s->fallbacks += end->fallbacks;
    if (runs->failed[i])
      s->failed++;
    else if ((int)runs->stops[i] >= 0 && (int)runs->stops[i] < REPORT_STOPS)
      s->stopped[runs->stops[i]]++;
    values[i] = end->objective;
  }
  s->seconds_per_iteration = steps > 0 ? seconds / steps : nan("");
  s->value_calls_mean = value_calls / (double)count;
  s->gradient_calls_mean = gradient_calls / (double)count;
  s->queries_mean = queries / (double)count;
  s->charged_mean = charged / (double)count;
  s->objective_mean = statistics_mean(values, count);
  s->objective_mean_interval = statistics_mean_interval(values, count, r->seed);
  s->objective_median_interval = statistics_median_interval(values, count, r->seed);
  statistics_sort(values, count);
  s->objective_median = statistics_quantile(values, count, 0.5);
  s->gap_mean = s->gap_median = nan("");
  s->gap_mean_interval = s->gap_median_interval = (interval){nan(""), nan("")};
  if (r->minima) {
    for (size_t i = 0; i < count; i++)
      values[i] = gap_at(r, runs, i, last);
    s->gap_mean = statistics_mean(values, count);
    s->gap_mean_interval = statistics_mean_interval(values, count, r->seed);
    s->gap_median_interval = statistics_median_interval(values, count, r->seed);
    statistics_sort(values, count);
    s->gap_median = statistics_quantile(values, count, 0.5);
  }
  bool has_gradient = false;
  for (size_t i = 0; i < count; i++) {
    values[i] = record_at(runs, i, last)->gradient_norm;
    has_gradient = has_gradient || !isnan(values[i]);
  }
  statistics_sort(values, count);
  s->grad_norm_median = has_gradient ? statistics_quantile(values, count, 0.5) : nan("");
  count_to_gradient(s, r, runs, values);
  for (size_t t = 0; t < r->tolerance_count; t++)
    s->iterations_to[t] = r->minima ? iterations_to(r, runs, r->tolerances[t], values) : HUGE_VAL;
}

static void solver_free(report_solver *s) {
  free(s->label);
  free(s->rule);
  free(s->model);
  free(s->iterations_to);
  free(s->bands);
  free(s->axes);
  *s = (report_solver){0};
}

l2o_status report_add(report *r, const engine_runs *runs, const char *label, const char *rule, const char *model, FILE *csv,
                      enum report_trace trace, l2o_diag *diag) {
  report_solver s = {.label = copy(label), .rule = copy(rule), .model = copy(model), .position = r->count};
  s.iterations_to = calloc(r->tolerance_count + 1, sizeof *s.iterations_to);
  s.bands = calloc(runs->length * 3, sizeof *s.bands);
  s.axes = calloc(runs->length * 3, sizeof *s.axes);
  double *values = calloc(runs->count, sizeof *values);
  double *table = calloc((QUANTILES + 1) * runs->length * FIELDS, sizeof *table);
  report_solver *grown = realloc(r->solvers, (r->count + 1) * sizeof *grown);
  if (grown)
    r->solvers = grown;
  bool room = s.label && s.rule && (s.model || !model) && s.iterations_to && s.bands && s.axes && values && table && grown;
  if (room) {
    reduce(r, runs, table, &s, values);
    summarise(&s, r, runs, values);
    if (csv && trace != TRACE_NONE)
      put_quantiles(csv, r, label, s.iterations, table, runs->length);
    if (csv && trace == TRACE_ALL)
      put_instances(csv, r, runs, label, s.iterations);
    r->solvers[r->count++] = s;
  } else {
    solver_free(&s);
  }
  free(values);
  free(table);
  return room ? L2O_OK : l2o_fail(diag, L2O_ERR_NOMEM, "out of memory for the report of %s", label);
}

void report_free(report *r) {
  for (size_t i = 0; i < r->count; i++)
    solver_free(&r->solvers[i]);
  free(r->solvers);
  r->solvers = NULL;
  r->count = 0;
}

static bool better(const report *r, const report_solver *a, const report_solver *b) {
  if (r->gradient_tolerance > 0 && a->iterations_median != b->iterations_median)
    return a->iterations_median < b->iterations_median;
  const double x = r->minima ? a->gap_median : a->objective_mean, y = r->minima ? b->gap_median : b->objective_mean;
  return x < y || (isnan(y) && !isnan(x));
}

void report_sort(report *r) {
  for (size_t i = 1; i < r->count; i++) {
    report_solver s = r->solvers[i];
    size_t j = i;
    for (; j > 0 && better(r, &s, &r->solvers[j - 1]); j--)
      r->solvers[j] = r->solvers[j - 1];
    r->solvers[j] = s;
  }
}

void report_format_tolerance(double tolerance, char *out, size_t size) {
  char text[40], *exponent;
  for (int digits = 0; digits < 17; digits++) {
    snprintf(text, sizeof text, "%.*e", digits, tolerance);
    if (strtod(text, NULL) == tolerance)
      break;
  }
  exponent = strchr(text, 'e');
  snprintf(out, size, "%.*se%d", (int)(exponent - text), text, atoi(exponent + 1));
}

/* ---- the table ---- */

enum { WIDTH = 110, CELL = 96, COLUMNS = 40, GAPS = 2 };

typedef struct column {
  char title[CELL];
  char (*cells)[CELL]; /* one a solver */
  bool left;           /* aligned at the left */
  int width;
} column;

typedef struct grid {
  column columns[COLUMNS];
  size_t count;
} grid;

/* Bytes of UTF-8 that begin a character. */
static int characters(const char *text) {
  int count = 0;
  for (; *text; text++)
    count += ((unsigned char)*text & 0xc0) != 0x80;
  return count;
}

static column *add_column(grid *g, const report *r, bool left, const char *title) {
  column *c = &g->columns[g->count];
  c->cells = calloc(r->count + 1, sizeof *c->cells);
  if (!c->cells)
    return NULL;
  g->count++;
  c->left = left;
  snprintf(c->title, sizeof c->title, "%s", title);
  return c;
}

static void format_mean(char *out, size_t size, double mean, interval i, size_t instances) {
  if (!isfinite(mean))
    snprintf(out, size, "not finite");
  else if (instances < 2 || !isfinite(i.low) || !isfinite(i.high))
    snprintf(out, size, "%.4g", mean);
  else
    snprintf(out, size, "%.4g [%.3g, %.3g]", mean, i.low, i.high);
}

/* A mean of counts: "12", "12.5". */
static void format_count(char *out, size_t size, double mean) {
  snprintf(out, size, "%.*f", mean == floor(mean) ? 0 : 1, mean);
}

/* "27.5/32": median and largest; "27.5/- (2 missed)" where two instances did not get there, "-" where none did. */
static void format_to_gradient(char *out, size_t size, const report_solver *s, size_t instances) {
  char median[24] = "-", most[24] = "-";
  if (isfinite(s->iterations_median))
    snprintf(median, sizeof median, "%g", s->iterations_median);
  if (isfinite(s->iterations_max))
    snprintf(most, sizeof most, "%g", s->iterations_max);
  if (s->missed == 0)
    snprintf(out, size, "%s/%s", median, most);
  else if (s->missed == instances)
    snprintf(out, size, "-");
  else
    snprintf(out, size, "%s/%s (%zu missed)", median, most, s->missed);
}

static void format_stops(char *out, size_t size, const report_solver *s, size_t instances) {
  size_t used = 0;
  out[0] = '\0';
  for (int i = 0; i <= REPORT_STOPS; i++) {
    const size_t count = i < REPORT_STOPS ? s->stopped[i] : s->failed;
    const char *name = i < REPORT_STOPS ? l2o_stop_name(i) : "failed";
    if (count == 0 || used >= size)
      continue;
    if (count == instances)
      used += (size_t)snprintf(out + used, size - used, "%s", name);
    else
      used += (size_t)snprintf(out + used, size - used, "%s%zu %s", used ? ", " : "", count, name);
  }
}

static int fit(grid *g, const report *r) {
  int width = -GAPS;
  for (size_t c = 0; c < g->count; c++) {
    column *at = &g->columns[c];
    at->width = characters(at->title);
    for (size_t i = 0; i < r->count; i++)
      if (characters(at->cells[i]) > at->width)
        at->width = characters(at->cells[i]);
    width += at->width + GAPS;
  }
  return width;
}

static void remove_column(grid *g, size_t c) {
  free(g->columns[c].cells);
  memmove(&g->columns[c], &g->columns[c + 1], (g->count - c - 1) * sizeof *g->columns);
  g->count--;
}

static void put_padded(FILE *out, const char *text, int width, bool left, bool last) {
  const int padding = width - characters(text);
  if (!left)
    fprintf(out, "%*s", padding, "");
  fputs(text, out);
  if (left && !last)
    fprintf(out, "%*s", padding, "");
  fputs(last ? "\n" : "  ", out);
}

static void build_grid(grid *g, const report *r, size_t *first_tolerance, size_t *tolerances) {
  column *label = add_column(g, r, true, "solver");
  if (r->gradient_tolerance > 0) {
    char title[CELL] = "to |g| ";
    report_format_tolerance(r->gradient_tolerance, title + 7, sizeof title - 7);
    column *to = add_column(g, r, false, title);
    for (size_t i = 0; to && i < r->count; i++)
      format_to_gradient(to->cells[i], CELL, &r->solvers[i], r->instances);
  }
  const l2o_family_type *quantity = report_maximised(r);
  char mean[CELL] = "mean objective";
  if (quantity)
    snprintf(mean, sizeof mean, "mean %s", quantity->maximised);
  column *objective = add_column(g, r, true, mean);
  column *gap = r->minima ? add_column(g, r, false, "median gap") : NULL;
  *first_tolerance = g->count;
  *tolerances = 0;
  for (size_t t = 0; gap && t < r->tolerance_count && t < COLUMNS - 10; t++) {
    char title[CELL] = "to ";
    report_format_tolerance(r->tolerances[t], title + 3, sizeof title - 3);
    column *to = add_column(g, r, false, title);
    *tolerances += to != NULL;
    for (size_t i = 0; to && i < r->count; i++) {
      const double k = r->solvers[i].iterations_to[t];
      snprintf(to->cells[i], CELL, isfinite(k) ? "%g" : "-", k);
    }
  }
  size_t fallbacks = 0;
  bool differs = false; /* does a solver count in its own way? */
  for (size_t i = 0; i < r->count; i++) {
    fallbacks += r->solvers[i].fallbacks;
    differs = differs || r->solvers[i].charged_mean != r->solvers[i].queries_mean;
  }
  column *calls = add_column(g, r, false, "calls"), *charged = differs ? add_column(g, r, false, "charged") : NULL, *speed = NULL;
  double slowest = 0;
  for (size_t i = 0; i < r->count; i++)
    slowest = fmax(slowest, r->solvers[i].seconds_per_iteration); /* not-a-number never wins */
  const double scale = slowest >= 1 ? 1 : slowest >= 1e-3 ? 1e3 : 1e6;
  speed = add_column(g, r, false, scale < 1e3 ? "s/iter" : scale < 1e6 ? "ms/iter" : "us/iter");
  column *fell = fallbacks ? add_column(g, r, false, "fallbacks") : NULL; /* no guard, no column */
  column *stopped = add_column(g, r, true, "stopped");
  for (size_t i = 0; i < r->count; i++) {
    const report_solver *s = &r->solvers[i];
    if (label)
      snprintf(label->cells[i], CELL, "%.*s", CELL - 1, s->label);
    if (objective && quantity)
      format_mean(objective->cells[i], CELL, -s->objective_mean, negated(s->objective_mean_interval), r->instances);
    else if (objective)
      format_mean(objective->cells[i], CELL, s->objective_mean, s->objective_mean_interval, r->instances);
    if (gap)
      snprintf(gap->cells[i], CELL, isfinite(s->gap_median) ? "%.3g" : "not finite", s->gap_median);
    if (calls)
      format_count(calls->cells[i], CELL, s->queries_mean);
    if (charged)
      format_count(charged->cells[i], CELL, s->charged_mean);
    if (speed)
      snprintf(speed->cells[i], CELL, isfinite(s->seconds_per_iteration) ? "%.3g" : "-", scale * s->seconds_per_iteration);
    if (fell)
      snprintf(fell->cells[i], CELL, "%zu", s->fallbacks);
    if (stopped)
      format_stops(stopped->cells[i], CELL, s, r->instances);
  }
}

void report_table(const report *r, FILE *out) {
  fprintf(out, "%s: %zu %sinstance%s", r->family, r->instances, r->training ? "TRAINING " : "", r->instances == 1 ? "" : "s");
  if (r->unknowns)
    fprintf(out, ", n = %zu", r->unknowns);
  fprintf(out, ", seed %llu, %s precision, %zu iterations\n", (unsigned long long)r->seed, r->precision, r->iterations);
  const l2o_family_type *quantity = report_maximised(r);
  if (r->minima)
    fprintf(out, "gap %s; to T: median iterations until the gap is at most T; ", report_gap_formula(r));
  else if (quantity)
    fprintf(out, "%s in %s, minus the objective that is minimised; ", quantity->maximised, quantity->unit);
  else
    fprintf(out, "the minimum is unknown, hence no gap; ");
  fprintf(out, "[95 %% bootstrap interval]\n");
  if (r->gradient_tolerance > 0)
    fprintf(out, "to |g| T: median/most iterations of a run, which ends where |grad f| is at most T\n");
  if (r->note)
    fprintf(out, "%s\n", r->note);
  fputc('\n', out);
  grid g = {0};
  size_t first, tolerances;
  build_grid(&g, r, &first, &tolerances);
  size_t dropped = 0;
  while (fit(&g, r) > WIDTH && tolerances > 1) {
    remove_column(&g, first + --tolerances);
    dropped++;
  }
  for (size_t i = 0; g.count && fit(&g, r) > WIDTH && i < r->count; i++)
    if (characters(g.columns[0].cells[i]) > 24)
      snprintf(g.columns[0].cells[i] + 21, 4, "...");
  fit(&g, r);
  for (size_t c = 0; c < g.count; c++)
    put_padded(out, g.columns[c].title, g.columns[c].width, g.columns[c].left, c + 1 == g.count);
  for (size_t i = 0; i < r->count; i++)
    for (size_t c = 0; c < g.count; c++)
      put_padded(out, g.columns[c].cells[i], g.columns[c].width, g.columns[c].left, c + 1 == g.count);
  while (g.count)
    remove_column(&g, g.count - 1);
  if (dropped)
    fprintf(out, "no room for %zu more tolerance%s: --json and summary.json have all\n", dropped, dropped == 1 ? "" : "s");
  if (r->training)
    fprintf(out, "these are the instances that the model was trained on\n");
}

/* ---- JSON ---- */

/* null where there is no finite number */
static void add_number(cJSON *to, const char *name, double value) {
  if (isfinite(value))
    cJSON_AddNumberToObject(to, name, value);
  else
    cJSON_AddNullToObject(to, name);
}

static void add_interval(cJSON *to, const char *name, interval i) {
  if (!isfinite(i.low) || !isfinite(i.high)) {
    cJSON_AddNullToObject(to, name);
    return;
  }
  const double ends[] = {i.low, i.high};
  cJSON_AddItemToObject(to, name, cJSON_CreateDoubleArray(ends, 2));
}

static void add_solver(cJSON *list, const report *r, const report_solver *s) {
  cJSON *o = cJSON_CreateObject();
  cJSON_AddItemToArray(list, o);
  cJSON_AddStringToObject(o, "name", s->label);
  cJSON_AddStringToObject(o, "rule", s->rule);
  if (s->model)
    cJSON_AddStringToObject(o, "model", s->model);
  else
    cJSON_AddNullToObject(o, "model");
  add_number(o, "iterations", (double)s->iterations);
  add_number(o, "objective_mean", s->objective_mean);
  add_interval(o, "objective_mean_interval", s->objective_mean_interval);
  add_number(o, "objective_median", s->objective_median);
  add_interval(o, "objective_median_interval", s->objective_median_interval);
  const l2o_family_type *quantity = report_maximised(r);
  if (quantity) {
    char name[80];
    snprintf(name, sizeof name, "%s_mean", quantity->maximised);
    add_number(o, name, -s->objective_mean);
    snprintf(name, sizeof name, "%s_mean_interval", quantity->maximised);
    add_interval(o, name, negated(s->objective_mean_interval));
    snprintf(name, sizeof name, "%s_median", quantity->maximised);
    add_number(o, name, -s->objective_median);
  }
  add_number(o, "gap_mean", s->gap_mean);
  add_interval(o, "gap_mean_interval", s->gap_mean_interval);
  add_number(o, "gap_median", s->gap_median);
  add_interval(o, "gap_median_interval", s->gap_median_interval);
  add_number(o, "grad_norm_median", s->grad_norm_median);
  add_number(o, "value_calls_mean", s->value_calls_mean);
  add_number(o, "gradient_calls_mean", s->gradient_calls_mean);
  add_number(o, "queries_mean", s->queries_mean);
  add_number(o, "charged_mean", s->charged_mean);
  add_number(o, "seconds_per_iteration", s->seconds_per_iteration);
  add_number(o, "fallbacks", (double)s->fallbacks);
  if (r->gradient_tolerance > 0) {
    add_number(o, "iterations_median", s->iterations_median);
    add_number(o, "iterations_max", s->iterations_max);
    add_number(o, "seconds_median", s->seconds_median);
    add_number(o, "missed", (double)s->missed);
  }
  cJSON *stopped = cJSON_AddObjectToObject(o, "stopped");
  for (int i = 0; i < REPORT_STOPS; i++)
    if (s->stopped[i])
      add_number(stopped, l2o_stop_name(i), (double)s->stopped[i]);
  if (s->failed)
    add_number(stopped, "failed", (double)s->failed);
  cJSON *to = cJSON_AddObjectToObject(o, "iterations_to");
  for (size_t t = 0; t < r->tolerance_count; t++) {
    char name[40];
    report_format_tolerance(r->tolerances[t], name, sizeof name);
    add_number(to, name, s->iterations_to[t]);
  }
}

l2o_status report_json(const report *r, FILE *out, l2o_diag *diag) {
  cJSON *root = cJSON_CreateObject(), *problem = cJSON_CreateObject(), *solvers = cJSON_CreateArray();
  cJSON_AddStringToObject(root, "version", l2o_version());
  cJSON_AddStringToObject(root, "config", r->config);
  if (r->sweep_key) {
    cJSON *sweep = cJSON_AddObjectToObject(root, "sweep");
    cJSON_AddStringToObject(sweep, "key", r->sweep_key);
    cJSON_AddStringToObject(sweep, "value", r->sweep_value);
  }
  cJSON_AddStringToObject(problem, "family", r->family);
  if (r->unknowns)
    add_number(problem, "n", (double)r->unknowns);
  else
    cJSON_AddNullToObject(problem, "n");
  if (r->note)
    cJSON_AddStringToObject(problem, "note", r->note);
  if (report_maximised(r)) {
    cJSON_AddStringToObject(problem, "maximised", report_maximised(r)->maximised);
    cJSON_AddStringToObject(problem, "unit", report_maximised(r)->unit);
  }
  add_number(problem, "instances", (double)r->instances);
  char seed[24]; /* all 64 bits of it */
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)r->seed);
  cJSON_AddRawToObject(problem, "seed", seed);
  cJSON_AddBoolToObject(problem, "training_instances", r->training);
  cJSON_AddItemToObject(root, "problem", problem);
  cJSON_AddStringToObject(root, "precision", r->precision);
  if (r->minima)
    cJSON_AddStringToObject(root, "gap", report_gap_formula(r));
  else
    cJSON_AddNullToObject(root, "gap");
  if (r->gradient_tolerance > 0)
    add_number(root, "gradient_tolerance", r->gradient_tolerance);
  cJSON_AddBoolToObject(root, "interrupted", r->interrupted);
  for (size_t i = 0; i < r->count; i++)
    add_solver(solvers, r, &r->solvers[i]);
  cJSON_AddItemToObject(root, "solvers", solvers);
  char *text = root ? cJSON_Print(root) : NULL;
  if (text)
    fprintf(out, "%s\n", text);
  cJSON_free(text);
  cJSON_Delete(root);
  return text ? L2O_OK : l2o_fail(diag, L2O_ERR_NOMEM, "out of memory for the summary");
}

/* ---- the figure ---- */

l2o_status report_plot(const report *r, const char *title, enum report_axis axis, const char *dir, l2o_diag *diag) {
  static const char *const x_labels[] = {"iteration", "function calls", "seconds"};
  const size_t length = engine_rows(r->iterations, r->record_every);
  const char *spread = r->instances > 1 ? " (median, 10-90 % band)" : "";
  char own_title[200], y_label[80];
  plot_curve *curves = calloc(r->count + 1, sizeof *curves);
  if (!curves)
    return l2o_fail(diag, L2O_ERR_NOMEM, "out of memory for the figure");
  for (size_t i = 0; i < r->count; i++)
    curves[i] = (plot_curve){.label = r->solvers[i].label,
                             .colour = r->solvers[i].position,
                             .bands = r->solvers[i].bands,
                             .x = r->solvers[i].axes + (size_t)axis * length};
  const l2o_family_type *quantity = report_maximised(r);
  if (r->minima)
    snprintf(y_label, sizeof y_label, "%s%s", report_gap_formula(r), spread);
  else if (quantity)
    snprintf(y_label, sizeof y_label, "%s in %s%s", quantity->maximised, quantity->unit, spread);
  else
    snprintf(y_label, sizeof y_label, "objective f%s", spread);
  snprintf(own_title, sizeof own_title, "%s, %zu %sinstance%s", r->family, r->instances, r->training ? "training " : "",
           r->instances == 1 ? "" : "s");
  const plot p = {.name = "convergence",
                  .title = title ? title : own_title,
                  .x_label = x_labels[axis],
                  .y_label = y_label,
                  .curves = curves,
                  .count = r->count,
                  .length = length,
                  .linear = quantity != NULL};
  l2o_status status = plot_draw(&p, dir, diag);
  free(curves);
  return status;
}
