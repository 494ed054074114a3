/* SPDX-License-Identifier: BSD-3-Clause */
#include "proximal_step.h"
#include "core/linalg.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { TRIES = 60 };
/* An objective carries rounding errors of this share: a violation within it says nothing. */
static const double NOISE = 10 * (sizeof(l2o_real) == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON);
static const double GROWTH = 10, FARTHEST = 1e17; /* while f shows no curvature; times the first trial */
static const double LARGEST = sizeof(l2o_real) == sizeof(double) ? DBL_MAX : (double)FLT_MAX;

l2o_status l2o_proximal_step(const l2o_iterate *it, l2o_real *z, const l2o_real *y, const l2o_real *g, double s, l2o_real *tau) {
  const l2o_real step = (l2o_real)s;
  for (size_t i = 0; i < it->n; i++) {
    z[i] = y[i] - step * g[i];
    tau[i] = step;
  }
  return l2o_problem_prox(it->problem, z, z, tau, it->work);
}

l2o_status l2o_proximal_backtrack(l2o_iterate *it, l2o_real *z, double *f, double *s, l2o_real *g_z, const l2o_real *y,
                                  const l2o_real *g, l2o_real *tau, l2o_stop *stop) {
  const size_t n = it->n;
  const double f_y = *f;
  l2o_real *d = tau;                                        /* z - y, once the prox is done */
  bool unknown = *s == 0, grows = unknown, endless = false; /* endless: f is -infinity at a trial, or z infinite */
  if (unknown) {
    const double norm = l2o_norm(g, n);
    *s = norm > 0 ? fmin(1 / norm, LARGEST) : 1;
  }
  const double farthest = fmin(FARTHEST * *s, LARGEST);
  double last = 0; /* |z - y|^2 of the trial before */
  for (int tries = 0; tries < TRIES; tries++) {
    l2o_status status = l2o_proximal_step(it, z, y, g, *s, tau);
    if (status)
      return status;
    bool differs = false;
    for (size_t i = 0; i < n; i++) {
      d[i] = z[i] - y[i];
      differs |= z[i] != y[i];
    }
    if (!differs) {
      *stop = endless ? L2O_STOP_DIVERGED : L2O_STOP_STALLED;
      if (tries > 0)
        memcpy(z, it->x, n * sizeof *z);
      return L2O_OK;
    }
    *f = -HUGE_VAL;
    if (l2o_all_finite(z, n))
      status = g_z ? l2o_iterate_gradient_at(it, f, g_z, z) : l2o_iterate_value_at(it, f, z);
    else
      status = L2O_ERR_NUMERIC;
    if (status == L2O_OK) {
      const double rise = *f - f_y - l2o_dot(g, d, n), square = l2o_dot(d, d, n), noise = NOISE * fmax(fabs(f_y), fabs(*f));
      if (grows && rise <= noise && square > last) {
        if (*s >= farthest) {
          *stop = L2O_STOP_DIVERGED;
          return L2O_OK;
        }
        last = square;
        *s = fmin(GROWTH * *s, farthest);
        continue;
      }
      if (unknown && rise > noise && square / (2 * rise) > *s) {
        unknown = false;
        *s = fmin(square / (2 * rise), LARGEST);
        continue;
      }
      if (rise <= square / (2 * *s) + noise)
        return L2O_OK;
    } else if (status != L2O_ERR_NUMERIC) {
      return status;
    }
    endless |= *f == -HUGE_VAL;
    grows = false;
    *s /= 2;
  }
  *stop = endless ? L2O_STOP_DIVERGED : L2O_STOP_STALLED;
  memcpy(z, it->x, n * sizeof *z);
  return L2O_OK;
}
