#include <l2o/l2o.h>
#include <stdio.h>

/* Rosenbrock's valley, f(x) = 100 (x1 - x0^2)^2 + (1 - x0)^2, and its gradient. */
static l2o_status valley(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work) {
  const l2o_real u = x[1] - x[0] * x[0], v = 1 - x[0];
  *f = 100 * u * u + v * v;
  g[0] = -400 * x[0] * u - 2 * v;
  g[1] = 200 * u;
  return (void)p, (void)work, L2O_OK;
}

int main(void) {
  const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "valley", .gradient = valley};
  const l2o_problem problem = {.ops = &ops, .n = 2};
  l2o_real x[2] = {-1.2, 1};
  l2o_result r;
  if (l2o_minimize(l2o_solver_find("bfgs", NULL), NULL, &problem, x, &r, NULL, NULL) == L2O_OK)
    printf("f = %.6f at (%.3f, %.3f)\n", r.last.objective, (double)x[0], (double)x[1]);
}
