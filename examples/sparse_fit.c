/* SPDX-License-Identifier: BSD-3-Clause */
/* All that a problem can say of itself: a robust linear fit to readings with outliers, f(x) = 1/N sum_i huber(a_i'x - b_i), that is
 * a sum (minibatches), with the weight RHO on |x|_1 (prox). FISTA finds the sparse solution, Adam comes near it from 8 readings a
 * step. */
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { READINGS = 200, N = 20 };
static const double RHO = 0.05;

typedef struct readings {
  double a[READINGS][N], b[READINGS];
} readings;

/* The mean over the readings in rows[count], and its gradient unless g is NULL. huber(r) = r^2 / 2 where |r| <= 1, else |r| - 1/2.
 */
static l2o_status partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                          l2o_real *work) {
  const readings *d = p->data;
  (void)work;
  *f = 0;
  if (g)
    memset(g, 0, N * sizeof *g);
  for (size_t k = 0; k < count; k++) {
    const double *a = d->a[rows[k]];
    double r = -d->b[rows[k]];
    for (int j = 0; j < N; j++)
      r += a[j] * (double)x[j];
    *f += (fabs(r) <= 1 ? r * r / 2 : fabs(r) - 0.5) / (double)count;
    for (int j = 0; g && j < N; j++)
      g[j] += (l2o_real)(fmax(-1, fmin(r, 1)) * a[j] / (double)count);
  }
  return L2O_OK;
}

/* f itself is the mean over all readings. */
static l2o_status gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  size_t all[READINGS];
  for (size_t i = 0; i < READINGS; i++)
    all[i] = i;
  return partial(p, f, g, x, all, READINGS, work);
}

static size_t summands(const l2o_problem *p) {
  (void)p;
  return READINGS;
}

/* h(x) = RHO |x|_1, and one of its subgradients unless s is NULL. */
static l2o_status nonsmooth(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x) {
  *h = 0;
  for (size_t j = 0; j < p->n; j++) {
    *h += RHO * fabs((double)x[j]);
    if (s)
      s[j] = (l2o_real)(RHO * ((x[j] > 0) - (x[j] < 0)));
  }
  return L2O_OK;
}

/* out = argmin_z RHO |z|_1 + sum_j (z_j - x_j)^2 / (2 tau_j): every x_j comes nearer to 0 by RHO tau_j. */
static l2o_status prox(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work) {
  (void)work;
  for (size_t j = 0; j < p->n; j++)
    out[j] = (l2o_real)copysign(fmax(fabs((double)x[j]) - RHO * (double)tau[j], 0), (double)x[j]);
  return L2O_OK;
}

int main(void) {
  static readings data;
  l2o_rng rng;
  l2o_rng_seed(&rng, 1, 0, 0);
  for (int i = 0; i < READINGS; i++) { /* the truth is (1, -1, 0, ..., 0); every tenth reading is off by 10 */
    l2o_rng_normal(&rng, data.a[i], N);
    l2o_rng_normal(&rng, &data.b[i], 1);
    data.b[i] = data.a[i][0] - data.a[i][1] + 0.1 * data.b[i] + (i % 10 == 0 ? 10 : 0);
  }

  const l2o_problem_ops ops = {.struct_size = sizeof ops,
                               .name = "sparse fit",
                               .gradient = gradient,
                               .summands = summands,
                               .partial = partial,
                               .nonsmooth = nonsmooth,
                               .prox = prox};
  const l2o_problem problem = {.ops = &ops, .data = &data, .n = N};
  const char *const rules[][2] = {{"fista", "backtracking=true,step=1,restart=gradient"}, {"adam", "batch=8,step=0.01"}};
  for (int i = 0; i < 2; i++) {
    l2o_real x[N] = {0};
    int zeros = 0;
    l2o_diag diag = {""};
    l2o_result r;
    l2o_settings settings = l2o_settings_default();
    settings.options = rules[i][1];
    if (l2o_minimize(l2o_solver_find(rules[i][0], NULL), NULL, &problem, x, &r, &settings, &diag) != L2O_OK) {
      fprintf(stderr, "%s\n", diag.text);
      return 1;
    }
    for (int j = 0; j < N; j++)
      zeros += x[j] == 0;
    printf("%-5s  F = %.4f at (%.2f, %.2f, ...), %d of %d exactly 0\n", rules[i][0], r.last.objective, (double)x[0], (double)x[1],
           zeros, N);
  }
  return 0;
}
