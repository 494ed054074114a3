/* SPDX-License-Identifier: BSD-3-Clause */
/* Logistic regression on the spambase data: is a message spam? Reads LIBSVM text, fits by L-BFGS while a callback reports and may
 * cancel, and counts the messages that the fit gets right. Usage: logistic_regression spambase.libsvm */
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Every tenth iteration a line; a return value other than 0 would end the run. */
static int report(void *context, const l2o_record *record, const l2o_real *x, size_t instance) {
  (void)context, (void)x, (void)instance;
  if (record->iteration % 10 == 0)
    printf("%4zu  f = %.6f  |g| = %.1e\n", record->iteration, record->objective, record->gradient_norm);
  return 0;
}

/* Share of the rows on whose side of the plane x the label lies. The fit saw every feature divided by its largest absolute value
 * (scale=unit), and a last feature that is always 1 (bias=true). */
static double accuracy(const l2o_dataset *data, const l2o_real *x) {
  const size_t m = data->rows, n = data->features;
  double *margin = calloc(m, sizeof *margin);
  size_t right = 0;
  for (size_t j = 0; margin && j < n; j++) {
    double largest = 0;
    for (size_t i = 0; i < m; i++)
      largest = fmax(largest, fabs((double)data->A[i * n + j]));
    for (size_t i = 0; largest > 0 && i < m; i++)
      margin[i] += (double)data->A[i * n + j] / largest * (double)x[j];
  }
  for (size_t i = 0; margin && i < m; i++)
    right += (margin[i] + (double)x[n] >= 0) == (data->class_of[i] == 1);
  free(margin);
  return (double)right / (double)m;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "spambase.libsvm";
  l2o_diag diag = {""};
  l2o_dataset *data = NULL;
  l2o_family *family = NULL;
  l2o_problem problem = {0};
  l2o_real *x = NULL;
  l2o_status status = l2o_family_new_data(&family, "logistic:l2=1e-4,scale=unit,bias=true", path, &diag);
  if (!status)
    status = l2o_family_sample(family, &problem, 0, L2O_PURPOSE_TRAIN, 0, &diag);
  if (!status)
    status = l2o_dataset_read_libsvm(&data, path, 0, &diag); /* once more, to look at the labels */
  if (!status && !(x = calloc(problem.n, sizeof *x)))
    status = L2O_ERR_NOMEM;
  if (!status) {
    l2o_result r;
    l2o_settings settings = l2o_settings_default();
    settings.gradient_tolerance = 1e-5;
    settings.callback = report;
    printf("%s\n", family->note);
    status = l2o_minimize(l2o_solver_find("lbfgs", NULL), NULL, &problem, x, &r, &settings, &diag);
    if (!status)
      printf("%.1f %% of the messages are told apart, after %zu gradients (%s)\n", 100 * accuracy(data, x), r.last.gradient_calls,
             l2o_stop_name((int)r.stop));
  }
  if (status)
    fprintf(stderr, "%s\n", diag.text[0] ? diag.text : l2o_strerror(status));
  free(x);
  l2o_dataset_free(data);
  l2o_problem_free(&problem);
  l2o_family_free(family);
  return status ? 1 : 0;
}
