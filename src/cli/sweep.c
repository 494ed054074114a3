/* SPDX-License-Identifier: BSD-3-Clause */
#include "sweep.h"
#include "core/diag.h"
#include "output.h"
#include "plot.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_FOLDER = 200 };

__attribute__((format(printf, 2, 3))) static bool fail(message *error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  return false;
}

/* ---- the command line ---- */

static char *copy(const char *text, size_t length) {
  char *out = malloc(length + 1);
  if (out) {
    memcpy(out, text, length);
    out[length] = '\0';
  }
  return out;
}

/* Bytes of the value that begins here: up to a comma that stands outside of brackets and quotes. */
static size_t value_length(const char *text) {
  int depth = 0;
  char quote = '\0';
  size_t i = 0;
  for (; text[i] && (text[i] != ',' || depth > 0 || quote); i++) {
    if (quote)
      quote = text[i] == quote ? '\0' : quote;
    else if (text[i] == '"' || text[i] == '\'')
      quote = text[i];
    else
      depth += (text[i] == '[' || text[i] == '{') - (text[i] == ']' || text[i] == '}');
  }
  return i;
}

static double number_of(const char *text) {
  char *end;
  const bool plain = *text && !text[strspn(text, "+-.0123456789eE")];
  const double number = plain ? strtod(text, &end) : 0;
  return plain && !*end && isfinite(number) ? number : nan("");
}

static bool add_value(sweep *s, const char *text, size_t length, message *error) {
  for (; length && *text == ' '; text++)
    length--;
  for (; length && text[length - 1] == ' ';)
    length--;
  sweep_point *p = &s->points[s->count];
  p->value = copy(text, length);
  p->folder = p->value ? malloc(strlen(s->key) + length + 2) : NULL;
  s->count++;
  if (!p->folder)
    return fail(error, "out of memory");
  sprintf(p->folder, "%s=%s", s->key, p->value);
  for (char *c = p->folder; *c; c++)
    if (*c == '/')
      *c = '_';
  p->number = number_of(p->value);
  if (!length)
    return fail(error, "--sweep %s: value %zu is empty, expected %s=V1,V2,...", s->key, s->count, s->key);
  if (strlen(p->folder) > LONGEST_FOLDER)
    return fail(error, "--sweep %s: a value of %zu characters is too long for the name of a folder", s->key, length);
  for (size_t i = 0; i + 1 < s->count; i++)
    if (strcmp(s->points[i].folder, p->folder) == 0 || s->points[i].number == p->number)
      return fail(error, "--sweep %s: %.60s and %.60s are the same value", s->key, s->points[i].value, p->value);
  return true;
}

bool sweep_parse(sweep *s, const char *text, message *error) {
  static const char *const lists[] = {"eval.solvers", "eval.tolerances"};
  const size_t length = strcspn(text, "=");
  *s = (sweep){0};
  if (!text[length] || length == 0)
    return fail(error, "--sweep %.60s: expected KEY=V1,V2,...", text);
  if (!text[length + 1])
    return fail(error, "--sweep %.60s: no values, expected KEY=V1,V2,...", text);
  s->key = copy(text, length);
  s->points = calloc(strlen(text), sizeof *s->points); /* there are fewer values than characters */
  if (!s->key || !s->points)
    return fail(error, "out of memory");
  if (strncmp(s->key, "output.", 7) == 0)
    return fail(error, "--sweep %.60s: says where results go, not what is evaluated", s->key);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    if (strcmp(s->key, lists[i]) == 0)
      return fail(error, "--sweep %s: is a list, and every value of a sweep has the same; sweep over another key", s->key);
  for (const char *at = text + length + 1;; at++) {
    const size_t size = value_length(at);
    if (!add_value(s, at, size, error))
      return false;
    at += size;
    if (!*at)
      return true;
  }
}

/* ---- collecting ---- */

/* What all values have in common; NULL once two of them differ. */
static void common(const char **all, const char *mine, bool first) {
  if (first)
    *all = mine;
  else if (*all && strcmp(*all, mine) != 0)
    *all = NULL;
}

l2o_status sweep_take(sweep *s, report *r, bool json, l2o_diag *diag) {
  sweep_point *p = &s->points[s->done];
  if (!s->tolerances) {
    s->tolerances = calloc(r->tolerance_count + 1, sizeof *s->tolerances);
    if (!s->tolerances)
      return l2o_fail(diag, L2O_ERR_NOMEM, "out of memory for the sweep");
    memcpy(s->tolerances, r->tolerances, r->tolerance_count * sizeof *s->tolerances);
    s->tolerance_count = r->tolerance_count;
  }
  common(&s->family, r->family, s->done == 0);
  common(&s->precision, r->precision, s->done == 0);
  common(&s->gap, report_gap_formula(r), s->done == 0);
  const l2o_family_type *quantity = report_maximised(r);
  s->quantity = s->done == 0 || s->quantity == quantity ? quantity : NULL;
  s->gradient_tolerance = r->gradient_tolerance > 0;
  size_t length;
  FILE *stream = json ? open_memstream(&p->json, &length) : NULL;
  l2o_status status = json && !stream ? L2O_ERR_NOMEM : L2O_OK;
  if (stream) {
    status = report_json(r, stream, diag);
    if (fclose(stream) != 0 && !status)
      status = L2O_ERR_NOMEM;
  }
  if (status)
    return l2o_fail(diag, status, "out of memory for the sweep");
  /* Best first differs from value to value. */
  for (size_t i = 1; i < r->count; i++) {
    const report_solver moving = r->solvers[i];
    size_t j = i;
    for (; j > 0 && r->solvers[j - 1].position > moving.position; j--)
      r->solvers[j] = r->solvers[j - 1];
    r->solvers[j] = moving;
  }
  p->solvers = r->solvers;
  p->count = r->count;
  p->instances = r->instances;
  p->iterations = r->iterations;
  p->has_gap = r->minima != NULL;
  r->solvers = NULL;
  r->count = 0;
  s->done++;
  return L2O_OK;
}

void sweep_free(sweep *s) {
  for (size_t i = 0; i < s->count; i++) {
    sweep_point *p = &s->points[i];
    report_free(&(report){.solvers = p->solvers, .count = p->count});
    free(p->value);
    free(p->folder);
    free(p->json);
  }
  free(s->points);
  free(s->key);
  free(s->tolerances);
  *s = (sweep){0};
}

/* ---- sweep.csv ---- */

/* A cell as RFC 4180 has it. */
static void put_text(FILE *csv, const char *text) {
  const bool quoted = text[strcspn(text, ",\"")] != '\0';
  for (fputs(quoted ? "\"" : "", csv); *text; text++) {
    if (*text == '"')
      fputc('"', csv);
    fputc(*text, csv);
  }
  fputs(quoted ? "\"" : "", csv);
}

/* Empty where there is no such number, "inf" where it ran away or was never reached. */
static void put_number(FILE *csv, double value) {
  fprintf(csv, isnan(value) ? "," : ",%.17g", value);
}

static void put_csv(const sweep *s, FILE *csv) {
  fputs("value,solver,gap_median,gap_mean,objective_median,objective_mean", csv);
  for (size_t t = 0; t < s->tolerance_count; t++) {
    char name[40];
    report_format_tolerance(s->tolerances[t], name, sizeof name);
    fprintf(csv, ",iterations_to_%s", name);
  }
  fputs(",missed\n", csv);
  for (size_t i = 0; i < s->done; i++)
    for (size_t j = 0; j < s->points[i].count; j++) {
      const sweep_point *p = &s->points[i];
      const report_solver *r = &p->solvers[j];
      put_text(csv, p->value);
      fprintf(csv, ",%s", r->label);
      put_number(csv, r->gap_median);
      put_number(csv, r->gap_mean);
      put_number(csv, r->objective_median);
      put_number(csv, r->objective_mean);
      for (size_t t = 0; t < s->tolerance_count; t++)
        put_number(csv, p->has_gap ? r->iterations_to[t] : nan(""));
      put_number(csv, s->gradient_tolerance ? (double)r->missed : nan(""));
      fputc('\n', csv);
    }
}

l2o_status sweep_write(const sweep *s, const char *dir, l2o_diag *diag) {
  l2o_atomic_file file;
  char *path;
  l2o_status status = output_begin(&file, &path, dir, "sweep.csv", diag);
  if (status)
    return status;
  put_csv(s, file.stream);
  status = l2o_file_commit(&file, diag);
  free(path);
  return status;
}

/* ---- the table ---- */

static bool has_gaps(const sweep *s) {
  bool all = true;
  for (size_t i = 0; i < s->done; i++)
    all = all && s->points[i].has_gap;
  return all;
}

/* What is shown of a solver: "gap (f - f*)/|f*|", "rate in bit/s/Hz", "objective f". */
static void name_shown(const sweep *s, char *out, size_t size) {
  if (has_gaps(s))
    snprintf(out, size, "gap%s%s", s->gap ? " " : "", s->gap ? s->gap : "");
  else if (s->quantity)
    snprintf(out, size, "%s in %s", s->quantity->maximised, s->quantity->unit);
  else
    snprintf(out, size, "objective f");
}
static double shown(const sweep *s, const report_solver *r) {
  return has_gaps(s) ? r->gap_median : s->quantity ? -r->objective_median : r->objective_median;
}

/* Every value has the same solvers but for those that somebody swept away with their models: the first value's are the rows. */
static const report_solver *find_solver(const sweep_point *p, const char *label) {
  for (size_t j = 0; j < p->count; j++)
    if (strcmp(p->solvers[j].label, label) == 0)
      return &p->solvers[j];
  return NULL;
}

/* "lasso, 8 instances, 300 iterations, double precision", as far as that is the same for all values. */
static void describe(const sweep *s, char *out, size_t size) {
  bool instances = true, iterations = true;
  for (size_t i = 1; i < s->done; i++) {
    instances = instances && s->points[i].instances == s->points[0].instances;
    iterations = iterations && s->points[i].iterations == s->points[0].iterations;
  }
  size_t used = (size_t)snprintf(out, size, "%.60s", s->family ? s->family : "sweep");
  if (instances)
    used += (size_t)snprintf(out + used, size - used, ", %zu instance%s", s->points[0].instances,
                             s->points[0].instances == 1 ? "" : "s");
  if (iterations)
    used += (size_t)snprintf(out + used, size - used, ", %zu iterations", s->points[0].iterations);
  if (s->precision)
    snprintf(out + used, size - used, ", %s precision", s->precision);
}

enum { WIDTH = 110, CELL = 24, LABEL = 40 };

/* The cell of a solver at a value; its length. */
static int format_cell(char *out, const sweep *s, const sweep_point *p, const char *label) {
  const report_solver *r = find_solver(p, label);
  const double median = r ? shown(s, r) : 0;
  return snprintf(out, CELL, !r ? "-" : !isfinite(median) ? "not finite" : s->quantity ? "%.4g" : "%.3g", median);
}

static int larger(int a, int b) {
  return a > b ? a : b;
}

void sweep_table(const sweep *s, FILE *out) {
  const sweep_point *rows = &s->points[0];
  char about[200], name[80], text[CELL];
  describe(s, about, sizeof about);
  name_shown(s, name, sizeof name);
  fprintf(out, "%s\nmedian of the final %s by %s\n", about, name, s->key);
  int label = (int)strlen("solver"), cell = 0;
  for (size_t j = 0; j < rows->count; j++)
    label = larger(label, (int)strlen(rows->solvers[j].label));
  for (size_t i = 0; i < s->done; i++) {
    cell = larger(cell, (int)strlen(s->points[i].value));
    for (size_t j = 0; j < rows->count; j++)
      cell = larger(cell, format_cell(text, s, &s->points[i], rows->solvers[j].label));
  }
  label = label < LABEL ? label : LABEL;
  cell = cell < CELL ? cell : CELL;
  const size_t columns = (size_t)((WIDTH - label) / (cell + 2)); /* at least two */
  for (size_t first = 0; first < s->done; first += columns) {
    const size_t end = s->done < first + columns ? s->done : first + columns;
    fprintf(out, "\n%-*s", label, "solver");
    for (size_t i = first; i < end; i++)
      fprintf(out, "  %*.*s", cell, CELL, s->points[i].value);
    fputc('\n', out);
    for (size_t j = 0; j < rows->count; j++) {
      fprintf(out, "%-*.*s", label, LABEL, rows->solvers[j].label);
      for (size_t i = first; i < end; i++) {
        format_cell(text, s, &s->points[i], rows->solvers[j].label);
        fprintf(out, "  %*s", cell, text);
      }
      fputc('\n', out);
    }
  }
  if (s->done < s->count)
    fprintf(out, "%zu of %zu values\n", s->done, s->count);
}

void sweep_json(const sweep *s, FILE *out) {
  fputs("[\n", out);
  for (size_t i = 0; i < s->done; i++) {
    fputs(s->points[i].json, out); /* ends its line */
    fputs(i + 1 < s->done ? ",\n" : "", out);
  }
  fputs("]\n", out);
}

/* ---- the figure ---- */

/* What the axis of the values is like. */
enum axis { BY_PLACE, LINEAR, LOGARITHMIC };

/* Numbers of one sign have an axis of numbers, a logarithmic one from a ratio of 20 on; others stand side by side. */
static enum axis find_axis(const sweep *s) {
  double least = HUGE_VAL, most = -HUGE_VAL;
  for (size_t i = 0; i < s->done; i++) {
    if (isnan(s->points[i].number))
      return BY_PLACE;
    least = fmin(least, s->points[i].number);
    most = fmax(most, s->points[i].number);
  }
  return least > 0 && most >= 20 * least ? LOGARITHMIC : least > 0 ? LINEAR : BY_PLACE;
}

/* The points by their numbers, those without in the order in which they were given. */
static void order_points(const sweep *s, size_t *order) {
  bool numbers = true;
  for (size_t i = 0; i < s->done; i++)
    numbers = numbers && !isnan(s->points[i].number);
  for (size_t i = 0; i < s->done; i++) {
    size_t j = i;
    for (; numbers && j > 0 && s->points[order[j - 1]].number > s->points[i].number; j--)
      order[j] = order[j - 1];
    order[j] = i;
  }
}

/* 10 % quantile, median, 90 % quantile of one solver at one value; where only some values have gaps, three times the median. */
static void fill_band(double *band, const sweep *s, const sweep_point *p, const char *label) {
  const report_solver *r = find_solver(p, label);
  const bool banded = has_gaps(s) || s->quantity;
  for (size_t q = 0; q < 3; q++)
    band[q] = !r ? nan("") : banded ? r->bands[3 * p->iterations + q] : r->objective_median;
}

l2o_status sweep_plot(const sweep *s, const char *title, const char *dir, l2o_diag *diag) {
  const size_t lines = s->points[0].count, length = s->done;
  const bool banded = has_gaps(s) || s->quantity;
  const enum axis axis = find_axis(s);
  size_t *order = calloc(length, sizeof *order);
  double *numbers = calloc(length * (1 + 3 * lines), sizeof *numbers), *x = numbers;
  plot_curve *curves = calloc(lines + 1, sizeof *curves);
  const char **ticks = calloc(length, sizeof *ticks);
  l2o_status status = order && numbers && curves && ticks ? L2O_OK : l2o_fail(diag, L2O_ERR_NOMEM, "out of memory for the figure");
  if (!status) {
    char own_title[200], name[80], y_label[120];
    order_points(s, order);
    for (size_t k = 0; k < length; k++) {
      x[k] = axis == BY_PLACE ? (double)k : s->points[order[k]].number;
      ticks[k] = s->points[order[k]].value;
    }
    for (size_t j = 0; j < lines; j++) {
      const char *label = s->points[0].solvers[j].label;
      double *bands = numbers + length * (1 + 3 * j);
      for (size_t k = 0; k < length; k++)
        fill_band(bands + 3 * k, s, &s->points[order[k]], label);
      curves[j] = (plot_curve){.label = label, .colour = j, .bands = bands, .x = x};
    }
    name_shown(s, name, sizeof name);
    snprintf(y_label, sizeof y_label, "final %s (median%s)", name, banded ? ", 10-90 % band" : "");
    describe(s, own_title, sizeof own_title);
    const plot p = {.name = "sweep",
                    .title = title ? title : own_title,
                    .x_label = s->key,
                    .y_label = y_label,
                    .curves = curves,
                    .count = lines,
                    .length = length,
                    .ticks = ticks,
                    .logarithmic_x = axis == LOGARITHMIC,
                    .linear = s->quantity != NULL};
    status = plot_draw(&p, dir, diag);
  }
  free(order);
  free(numbers);
  free(curves);
  free(ticks);
  return status;
}
