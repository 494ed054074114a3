/* SPDX-License-Identifier: BSD-3-Clause */
/* A function that is known by its values only, within bounds: the range of a projectile with drag, simulated step by step, to be
 * made as large as possible by the angle and the spin. Zeroth-order steps from differences along directions; the loop is the
 * caller's own. */
#include <l2o/l2o.h>
#include <math.h>
#include <stdio.h>

/* Minus the distance, in units of 100 m, at which the projectile comes down. x: angle (rad), spin (relative to the fastest). */
static l2o_status minus_range(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work) {
  const double dt = 1e-3, drag = 0.006, lift = 0.1 * (double)x[1];
  double px = 0, py = 0, vx = 60 * cos((double)x[0]), vy = 60 * sin((double)x[0]);
  (void)p, (void)work;
  for (int i = 0; i < 100000 && (i == 0 || py > 0); i++) {
    const double speed = sqrt(vx * vx + vy * vy), ax = -drag * speed * vx - lift * vy, ay = -9.81 - drag * speed * vy + lift * vx;
    vx += dt * ax, vy += dt * ay, px += dt * vx, py += dt * vy;
  }
  if (vy != 0)
    px -= vx * py / vy; /* back to the ground from the last step below it */
  *f = -px / 100;
  return L2O_OK;
}

int main(void) {
  const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "projectile", .value = minus_range};
  const l2o_problem inner = {.ops = &ops, .n = 2};
  const l2o_real lower[] = {(l2o_real)0.1, -1}, upper[] = {(l2o_real)1.4, 1};
  l2o_real x[] = {(l2o_real)1.2, 0};
  l2o_problem problem;
  l2o_diag diag = {""};
  l2o_run *run = NULL;
  l2o_settings settings = l2o_settings_default();
  settings.options = "step=0.1,queries=2,difference=two-sided,radius=1e-2";
  l2o_status status = l2o_problem_bounded(&problem, &inner, lower, upper, &diag);
  if (!status)
    status = l2o_run_new(&run, l2o_solver_find("zo-align", NULL), NULL, &problem, &settings, &diag);
  if (!status)
    status = l2o_run_start(run, x);
  l2o_stop stop = L2O_STOP_NONE;
  l2o_record record = {0};
  for (int k = 0; k <= 200 && !status && stop == L2O_STOP_NONE; k++) {
    status = l2o_run_record(run, &record);
    if (!status && k % 50 == 0)
      printf("%3d  %6.2f m at angle %.3f, spin %.3f; %zu calls\n", k, -100 * record.objective, (double)l2o_run_x(run)[0],
             (double)l2o_run_x(run)[1], record.value_calls);
    if (!status)
      status = l2o_run_step(run, &stop);
  }
  if (status)
    fprintf(stderr, "%s\n", diag.text[0] ? diag.text : l2o_strerror(status));
  l2o_run_free(run);
  l2o_problem_free(&problem);
  return status ? 1 : 0;
}
