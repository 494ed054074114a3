/* SPDX-License-Identifier: BSD-3-Clause */
/* Figures with one line a solver, the median over the instances, in a band from the 10 % to the 90 % quantile: of the convergence,
 * and of the ends by the values of a key. */
#ifndef L2O_CLI_PLOT_H
#define L2O_CLI_PLOT_H
#include <l2o/base.h>

typedef struct plot_curve {
  const char *label;
  size_t colour;       /* the same number has the same colour in every figure */
  const double *bands; /* (length, 3): 10 % quantile, median, 90 % quantile of each iteration, or value */
  const double *x;     /* (length) where they stand, ascending; NULL: at the number of the iteration */
} plot_curve;

typedef struct plot {
  const char *name; /* of the files */
  const char *title, *x_label, *y_label;
  const plot_curve *curves;
  size_t count, length; /* curves; iterations + 1, or values */
  const char *const
      *ticks; /* (length) what stands at the axis below each x, points being marked; NULL: iterations, calls, seconds */
  bool logarithmic_x, linear; /* linear: y, which otherwise has a logarithm where all medians are positive */
} plot;

/* Writes dir/NAME.gp, a gnuplot script with the data in it, and lets gnuplot draw dir/NAME.svg and .png from it.
 * @return L2O_ERR_NOTSUP with a sentence where there is no gnuplot; the script then stands. */
l2o_status plot_draw(const plot *p, const char *dir, l2o_diag *diag);
#endif
