/* SPDX-License-Identifier: BSD-3-Clause */
/* One evaluation at each of several values of a key, and what they come to together: table, sweep.csv, JSON and figure. */
#ifndef L2O_CLI_SWEEP_H
#define L2O_CLI_SWEEP_H
#include "config.h"
#include "report.h"

/* One value, and what was found there. */
typedef struct sweep_point {
  char *value, *folder;   /* as it was given; "KEY=VALUE" as the name of a folder */
  double number;          /* not-a-number where the value is none */
  report_solver *solvers; /* in the order of the run, see report_solver */
  size_t count, instances, iterations;
  bool has_gap;
  char *json; /* the summary, or NULL */
} sweep_point;

typedef struct sweep {
  char *key;
  sweep_point *points;
  size_t count, done; /* values; the first `done` of them have been evaluated */
  double *tolerances;
  size_t tolerance_count;
  bool gradient_tolerance;              /* is there one? */
  const char *family, *precision, *gap; /* its formula; NULL where the values differ */
  const l2o_family_type *quantity;      /* report_maximised(); NULL where the values differ */
} sweep;

/* "KEY=V1,V2,...". False and a sentence if it is no such thing, or a key that no sweep is over. sweep_free() in either case. */
bool sweep_parse(sweep *s, const char *text, message *error);
/* Moves the solvers of a report, which `json` says to print as well, to the next value. */
l2o_status sweep_take(sweep *s, report *r, bool json, l2o_diag *diag);
/* dir/sweep.csv: a row for each value that was evaluated and each solver. */
l2o_status sweep_write(const sweep *s, const char *dir, l2o_diag *diag);
/* Rows: solvers. Columns: values. Cells: the median of the final gaps, or of the final objectives where there is a value without
 * gaps, or of what is maximised where that is the same. */
void sweep_table(const sweep *s, FILE *out);
/* The summaries in a list. */
void sweep_json(const sweep *s, FILE *out);
/* dir/sweep.svg and .png: the same numbers with their 10-90 % band. @return as plot_draw(). */
l2o_status sweep_plot(const sweep *s, const char *title, const char *dir, l2o_diag *diag);
void sweep_free(sweep *s);
#endif
