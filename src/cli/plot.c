/* SPDX-License-Identifier: BSD-3-Clause */
#include "plot.h"
#include "core/diag.h"
#include "output.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_POINTS = 600, NO_GNUPLOT = 127 };
/* Okabe and Ito's colours, told apart by colour-blind readers too; from the eighth curve on they come again, dashed. */
static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};
enum { COLOURS = sizeof colours / sizeof *colours };

/* A text between double quotes of gnuplot. */
static void put_quoted(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fputc('\\', out);
    fputc(*text, out);
  }
  fputc('"', out);
}

typedef struct scale {
  bool logarithmic;
  double floor; /* what is not positive is drawn here */
} scale;

/* A logarithm shows orders of magnitude, but only of what is positive: a gap that rounding made zero stands at the bottom, while an
 * objective with negative medians gets a linear axis, as does what is maximised, and what stays within one order. */
static scale find_scale(const plot *p) {
  double lowest = HUGE_VAL, highest = 0;
  scale s = {.logarithmic = !p->linear};
  for (size_t i = 0; i < p->count; i++)
    for (size_t k = 0; k < p->length * 3; k++) {
      double y = p->curves[i].bands[k];
      if (!isfinite(y))
        continue;
      if (y > 0 && y < lowest)
        lowest = y;
      if (fabs(y) > highest)
        highest = fabs(y);
    }
  for (size_t i = 0; i < p->count && s.logarithmic; i++)
    for (size_t k = 0; k < p->length; k++)
      if (p->curves[i].bands[3 * k + 1] < -1e-12 * highest)
        s.logarithmic = false;
  if (lowest == HUGE_VAL || highest < 10 * lowest)
    s.logarithmic = false;
  s.floor = fmax(lowest, 1e-18 * highest);
  return s;
}

static void put_value(FILE *out, double y, const scale *s) {
  if (!isfinite(y))
    fputs(" NaN", out);
  else
    fprintf(out, " %.8g", s->logarithmic && !(y > s->floor) ? s->floor : y);
}

/* Curves from the highest end to the lowest, so that the legend stands in the order of the lines at its side. */
static void order_by_end(const plot *p, size_t *order) {
  for (size_t i = 0; i < p->count; i++) {
    double end = p->curves[i].bands[3 * p->length - 2];
    size_t j = i;
    /* !(>=): what is not a number goes to the top */
    for (; j > 0 && !(p->curves[order[j - 1]].bands[3 * p->length - 2] >= end); j--)
      order[j] = order[j - 1];
    order[j] = i;
  }
}

/* The end of the axis. */
static double furthest(const plot *p) {
  double x = 0;
  for (size_t i = 0; i < p->count; i++)
    x = fmax(x, p->curves[i].x ? p->curves[i].x[p->length - 1] : (double)(p->length - 1));
  return x > 0 ? x : 1;
}

/* Where the axis ends, and its ticks: the values themselves, or some of them if they are too many to read. */
static void write_axis(const plot *p, FILE *out) {
  enum { LEGIBLE = 16, ROOM = 80 }; /* ticks; characters beside each other */
  size_t letters = 0;
  const double *x = p->count ? p->curves[0].x : NULL;
  if (!p->ticks || !x) {
    fprintf(out, "set xrange [0:%.8g]\n", furthest(p));
    return;
  }
  const double last = x[p->length - 1], room = last > x[0] ? 0.05 * (last - x[0]) : 0.5;
  if (p->logarithmic_x)
    fprintf(out, "set logscale x\nset xrange [%.8g:%.8g]\n", x[0] / 1.2, last * 1.2);
  else
    fprintf(out, "set xrange [%.8g:%.8g]\n", x[0] - room, last + room);
  fputs("unset mxtics\nset xtics (", out);
  for (size_t k = 0; k < p->length; k += (p->length + LEGIBLE - 1) / LEGIBLE) {
    fputs(k ? ", " : "", out);
    put_quoted(out, p->ticks[k]);
    fprintf(out, " %.8g", x[k]);
    letters += strlen(p->ticks[k]) + 2;
  }
  fprintf(out, ") noenhanced%s\n", letters > ROOM ? " rotate by 30 right" : "");
}

static void write_script(const plot *p, FILE *out, const size_t *order) {
  const scale s = find_scale(p);
  const size_t stride = (p->length + MAX_POINTS - 1) / MAX_POINTS;
  fprintf(out,
          "# Drawn by l2o-eval; `gnuplot %s.gp` in this folder draws it again.\n"
          "# Columns of the data: place on the axis, 10 %% quantile, median, 90 %% quantile over the instances.\n"
          "if (!exists(\"stem\")) stem = \"%s\"\n",
          p->name, p->name);
  for (size_t i = 0; i < p->count; i++) {
    fprintf(out, "$curve%zu << END\n", i);
    for (size_t k = 0; k < p->length; k++) {
      const double *x = p->curves[i].x;
      if ((k % stride != 0 && k + 1 != p->length) || (x && k && !(x[k] > x[k - 1]))) /* a run that has ended stands still */
        continue;
      fprintf(out, "%.8g", x ? x[k] : (double)k);
      for (size_t q = 0; q < 3; q++)
        put_value(out, p->curves[i].bands[3 * k + q], &s);
      fputc('\n', out);
    }
    fputs("END\n", out);
  }
  fputs("set encoding utf8\nset title ", out);
  put_quoted(out, p->title);
  fputs(" noenhanced\nset xlabel ", out);
  put_quoted(out, p->x_label);
  fputs(" noenhanced\nset ylabel ", out);
  put_quoted(out, p->y_label);
  fputs(" noenhanced\n", out);
  if (s.logarithmic)
    fputs("set logscale y\nunset mytics\nset format y \"10^{%T}\"\n", out);
  write_axis(p, out);
  fputs("set border 3 lc rgb \"#666666\"\nset tics nomirror out\nset grid ytics lc rgb \"#dddddd\" lw 1 lt 1\n"
        "set key outside right center vertical Left reverse noenhanced samplen 2 spacing 1.3\n"
        "do for [type in \"svg png\"] {\n"
        "  if (type eq \"svg\") {\n"
        "    set terminal svg size 900,540 dynamic font \"sans-serif,15\" background rgb \"white\" linewidth 1.2\n"
        "  } else {\n"
        "    set terminal pngcairo size 1440,864 font \"sans,19\" background rgb \"white\" linewidth 2\n"
        "  }\n"
        "  set output stem.\".\".type\n"
        "  plot ",
        out);
  for (size_t i = 0; i < p->count; i++) /* bands first: lines lie above all of them */
    fprintf(out, "$curve%zu using 1:2:4 with filledcurves fc rgb \"%s\" fs transparent solid 0.15 noborder notitle, \\\n    ",
            order[i], colours[p->curves[order[i]].colour % COLOURS]);
  for (size_t i = 0; i < p->count; i++) {
    const plot_curve *c = &p->curves[order[i]];
    fprintf(out, "$curve%zu using 1:3 with %s lw 2 dt %zu lc rgb \"%s\" title ", order[i],
            p->ticks ? "linespoints pt 7 ps 0.7" : "lines", c->colour / COLOURS % 5 + 1, colours[c->colour % COLOURS]);
    put_quoted(out, c->label);
    fputs(i + 1 < p->count ? ", \\\n    " : "\n", out);
  }
  fputs("  unset output\n}\n", out);
}

/* Runs `gnuplot -e stem='STEM' NAME.gp` in the folder, without a shell. Its exit status, or -1. */
static int run_gnuplot(const char *dir, const char *name, const char *stem) {
  char set_stem[80], script[40];
  snprintf(script, sizeof script, "%s.gp", name);
  snprintf(set_stem, sizeof set_stem, "stem='%s'", stem);
  pid_t child = fork();
  if (child == 0) {
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || chdir(dir) != 0)
      _exit(1);
    execlp("gnuplot", "gnuplot", "-e", set_stem, script, (char *)NULL);
    _exit(errno == ENOENT ? NO_GNUPLOT : 126);
  }
  int status = 0;
  if (child < 0)
    return -1;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Puts the drawing in its place, or removes it. */
static l2o_status take_drawing(const char *dir, const char *name, const char *stem, const char *type, bool good, l2o_diag *diag) {
  char from_name[80], to_name[40];
  snprintf(from_name, sizeof from_name, "%s.%s", stem, type);
  snprintf(to_name, sizeof to_name, "%s.%s", name, type);
  char *from = output_path(dir, from_name), *to = output_path(dir, to_name);
  l2o_status status = from && to ? L2O_OK : l2o_fail(diag, L2O_ERR_NOMEM, "out of memory");
  if (!status && good && rename(from, to) != 0)
    status = l2o_fail(diag, L2O_ERR_IO, "%.200s: cannot write: %s", to, strerror(errno));
  else if (!status && !good)
    unlink(from);
  free(from);
  free(to);
  return status;
}

l2o_status plot_draw(const plot *p, const char *dir, l2o_diag *diag) {
  l2o_atomic_file file;
  char *path, stem[60], script[40];
  size_t *order = calloc(p->count, sizeof *order);
  if (!order)
    return l2o_fail(diag, L2O_ERR_NOMEM, "out of memory");
  snprintf(script, sizeof script, "%s.gp", p->name);
  l2o_status status = output_begin(&file, &path, dir, script, diag);
  if (!status) {
    order_by_end(p, order);
    write_script(p, file.stream, order);
    status = l2o_file_commit(&file, diag);
    free(path);
  }
  free(order);
  if (status)
    return status;
  snprintf(stem, sizeof stem, ".%s-%ld", p->name, (long)getpid());
  int answer = run_gnuplot(dir, p->name, stem);
  l2o_status svg = take_drawing(dir, p->name, stem, "svg", answer == 0, diag),
             png = take_drawing(dir, p->name, stem, "png", answer == 0, diag);
  if (answer == NO_GNUPLOT)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "no figure: gnuplot is not installed (apt-get install gnuplot-nox); %.150s/%s.csv stands",
                    dir, p->ticks ? "sweep" : "trace");
  if (answer != 0)
    return l2o_fail(diag, L2O_ERR_IO, "no figure: gnuplot failed on %.150s/%s", dir, script);
  return svg ? svg : png;
}
