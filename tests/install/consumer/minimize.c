/* SPDX-License-Identifier: BSD-3-Clause */
/* Minimises (x0 - 3)^2 + 2 (x1 + 1)^2 from the caller's own callback. */
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>

static l2o_status bowl(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  (void)p;
  (void)work;
  const l2o_real a = x[0] - 3, b = x[1] + 1;
  *f = (double)(a * a + 2 * b * b);
  g[0] = 2 * a;
  g[1] = 4 * b;
  return L2O_OK;
}

int main(void) {
  const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "bowl", .gradient = bowl};
  const l2o_problem problem = {.ops = &ops, .n = 2};
  l2o_settings settings = l2o_settings_default();
  settings.options = "step=0.25";
  settings.iterations = 100;
  l2o_real x[2] = {0, 0};
  l2o_result result;
  l2o_diag diag = {""};
  if (l2o_minimize(l2o_solver_find("gd", NULL), NULL, &problem, x, &result, &settings, &diag) != L2O_OK) {
    fprintf(stderr, "%s\n", diag.text);
    return 1;
  }
  printf("libl2o %s, %zu bytes a real: (%g, %g)\n", l2o_version(), sizeof(l2o_real), (double)x[0], (double)x[1]);
  return fabs((double)x[0] - 3) < 1e-5 && fabs((double)x[1] + 1) < 1e-5 ? 0 : 1;
}
