/* SPDX-License-Identifier: BSD-3-Clause */
/* A nonlinear least-squares fit: y = a exp(-b t) cos(c t) to noisy readings of a damped oscillation, by BFGS. The gradient is
 * checked first: a wrong one is the commonest reason why an optimizer "does not work". */
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>

enum { READINGS = 60 };

typedef struct readings {
  double t[READINGS], y[READINGS];
} readings;

/* f = 1/2 sum_i r_i^2, r_i = a exp(-b t_i) cos(c t_i) - y_i, and g = sum_i r_i grad r_i. */
static l2o_status misfit(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const readings *d = p->data;
  const double a = (double)x[0], b = (double)x[1], c = (double)x[2];
  double sum[3] = {0, 0, 0};
  (void)work;
  *f = 0;
  for (int i = 0; i < READINGS; i++) {
    const double t = d->t[i], decay = exp(-b * t), wave = decay * cos(c * t), r = a * wave - d->y[i];
    *f += 0.5 * r * r;
    sum[0] += r * wave;
    sum[1] -= r * t * a * wave;
    sum[2] -= r * t * a * decay * sin(c * t);
  }
  for (int j = 0; j < 3; j++)
    g[j] = (l2o_real)sum[j];
  return L2O_OK;
}

int main(void) {
  readings data;
  l2o_rng rng;
  l2o_rng_seed(&rng, 1, 0, 0);
  for (int i = 0; i < READINGS; i++) { /* a = 2, b = 0.3, c = 1.5, and noise */
    double noise;
    l2o_rng_normal(&rng, &noise, 1);
    data.t[i] = 0.1 * i;
    data.y[i] = 2 * exp(-0.3 * data.t[i]) * cos(1.5 * data.t[i]) + 0.02 * noise;
  }

  const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "damped oscillation", .gradient = misfit};
  const l2o_problem problem = {.ops = &ops, .data = &data, .n = 3};
  l2o_real x[3] = {1, 1, 1};
  l2o_diag diag = {""};

  l2o_check check;
  const double tolerance = sizeof(l2o_real) == sizeof(double) ? 1e-6 : 1e-2;
  if (l2o_problem_check(&problem, &check, x, tolerance, 0, &diag) != L2O_OK) {
    fprintf(stderr, "%s\n", diag.text);
    return 1;
  }
  printf("the gradient agrees with differences\n");

  l2o_result r;
  if (l2o_minimize(l2o_solver_find("bfgs", NULL), NULL, &problem, x, &r, NULL, &diag) != L2O_OK) {
    fprintf(stderr, "%s\n", diag.text);
    return 1;
  }
  printf("a = %.2f, b = %.2f, c = %.2f after %zu iterations and %zu gradients (%s)\n", (double)x[0], (double)x[1], (double)x[2],
         r.last.iteration, r.last.gradient_calls, l2o_stop_name((int)r.stop));
  return 0;
}
