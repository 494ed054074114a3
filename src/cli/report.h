/* SPDX-License-Identifier: BSD-3-Clause */
/* What an evaluation found: collected solver by solver, then shown as table, CSV, JSON and figure. */
#ifndef L2O_CLI_REPORT_H
#define L2O_CLI_REPORT_H
#include "config.h"
#include "engine.h"
#include "statistics.h"

enum { REPORT_STOPS = L2O_STOP_USER + 1 };

/* One solver. Numbers over the instances; not finite where a run broke down, gaps only where the minima are known. */
typedef struct report_solver {
  char *label, *rule, *model; /* model: its file, or NULL */
  size_t position;            /* in the order of the calls to report_add() */
  size_t iterations;          /* most that an instance took */
  double objective_mean, objective_median, gap_mean, gap_median, grad_norm_median;
  interval objective_mean_interval, objective_median_interval, gap_mean_interval, gap_median_interval;
  double value_calls_mean, gradient_calls_mean, queries_mean, charged_mean, seconds_per_iteration;
  size_t fallbacks;
  size_t stopped[REPORT_STOPS], failed;
  /* until the gradient tolerance was reached, infinite on an instance where it was not; `missed` of them */
  double iterations_median, iterations_max, seconds_median;
  size_t missed;
  double *iterations_to; /* one a tolerance: the median, infinite where half of the instances or more never get there */
  double *bands;         /* (length, 3) for the figure */
  double *axes;          /* (3, length) iterations, and medians of the calls charged and of the seconds, for the figure too */
} report_solver;

typedef struct report {
  const char *config, *family, *precision;
  const char *note;                       /* on the data, or NULL */
  const char *sweep_key, *sweep_value;    /* the value of a sweep that this is; NULL: of none */
  size_t unknowns, instances, iterations; /* unknowns 0: they differ */
  size_t record_every;                    /* iterations between records */
  size_t points;                          /* trace.csv keeps about so many records of each solver, and the last; 0: all */
  uint64_t seed;
  bool training; /* these are the training instances */
  bool interrupted;
  const double *minima; /* (instances), or NULL where they are unknown: there is no gap then */
  enum { GAP_RELATIVE, GAP_ABSOLUTE, GAP_INITIAL } gap;
  const double *tolerances;
  size_t tolerance_count;
  double gradient_tolerance; /* 0: none */
  report_solver *solvers;
  size_t count;
} report;

enum report_axis { AXIS_ITERATIONS, AXIS_CALLS, AXIS_SECONDS };
enum report_trace { TRACE_QUANTILES, TRACE_ALL, TRACE_NONE };

/* "(f - f*)/|f*|" */
const char *report_gap_formula(const report *r);
/* The family, if its objective is minus a quantity by which readers know it, and there is no gap to show; else NULL. */
const l2o_family_type *report_maximised(const report *r);
/* "1e-2", "5e-4": as one writes tolerances. */
void report_format_tolerance(double tolerance, char *out, size_t size);
void report_trace_header(FILE *csv);
/* Adds a solver, and its rows to the CSV unless that is NULL. @return L2O_ERR_NOMEM. */
l2o_status report_add(report *r, const engine_runs *runs, const char *label, const char *rule, const char *model, FILE *csv,
                      enum report_trace trace, l2o_diag *diag);
/* Best first: by the median iterations to the gradient tolerance if there is one, then by the final median gap, or where there is
 * none by the mean objective. */
void report_sort(report *r);
void report_table(const report *r, FILE *out);
l2o_status report_json(const report *r, FILE *out, l2o_diag *diag);
/* dir/convergence.svg and .png. */
l2o_status report_plot(const report *r, const char *title, enum report_axis axis, const char *dir, l2o_diag *diag);
/* Frees the solvers. */
void report_free(report *r);
#endif
