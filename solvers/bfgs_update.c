/* SPDX-License-Identifier: BSD-3-Clause */
#include "bfgs_update.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/real.h"
#include <string.h>

size_t l2o_bfgs_state_len(const l2o_iterate *it) {
  return it->n * it->n + it->n + 2; /* l2o_bfgs_check() has seen n */
}

l2o_bfgs_memory l2o_bfgs_recall(const l2o_iterate *it, l2o_bfgs_start start) {
  const size_t n = it->n;
  l2o_real *H = it->state;
  return (l2o_bfgs_memory){.H = H, .d = H + n * n, .scale = H + n * n + n, .fresh = H + n * n + n + 1, .start = start};
}

l2o_status l2o_bfgs_check(const l2o_iterate *it, l2o_bfgs_start start, const char *solver, l2o_diag *diag) {
  double constant;
  if (!l2o_fits_blas(it->n, it->n))
    return l2o_fail(diag, L2O_ERR_ARG, "%s: a matrix of n x n entries is too large for n = %zu; try lbfgs", solver, it->n);
  if (start == L2O_BFGS_LIPSCHITZ && l2o_problem_lipschitz(it->problem, &constant))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: h0=lipschitz needs a Lipschitz constant; problem '%s' has none", solver,
                    l2o_problem_name(it->problem));
  if (start == L2O_BFGS_HESSIAN && !l2o_problem_has_hessian_vector(it->problem))
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s: h0=hessian needs Hessian-vector products; problem '%s' has none", solver,
                    l2o_problem_name(it->problem));
  return L2O_OK;
}

enum { LANCZOS = 64 }; /* most products: beyond, an eigenvalue near the largest serves as well */

/* The largest eigenvalue of the symmetric tridiagonal matrix with a_0 .. a_{m-1} on and b_0 .. b_{m-2} beside the diagonal, by
 * bisection: of T - x I = L D L' as many pivots are positive as eigenvalues are above x. */
static double largest_tridiagonal(const double *a, const double *b, size_t m) {
  double low = a[0], high = a[0];
  for (size_t i = 0; i < m; i++) {
    low = fmax(low, a[i]);
    high = fmax(high, a[i] + (i ? b[i - 1] : 0) + (i + 1 < m ? b[i] : 0));
  }
  for (int k = 0; k < 60 && low < high; k++) {
    const double x = low + (high - low) / 2;
    double pivot = a[0] - x;
    size_t i = 1;
    for (; i < m && pivot < 0; i++)
      pivot = a[i] - x - b[i - 1] * b[i - 1] / pivot;
    *(pivot < 0 ? &high : &low) = x;
  }
  return high;
}

/* The largest eigenvalue of the Hessian at it->x by the method of Lanczos (1950), every vector made orthogonal to all before it.
 * These are kept in H's place, the product in d's. */
static l2o_status largest_curvature(l2o_iterate *it, const l2o_bfgs_memory *b, double *value) {
  const size_t n = it->n, most = n < LANCZOS ? n : LANCZOS;
  double a[LANCZOS], beside[LANCZOS], norm;
  l2o_real *v = b->H, *w = b->d;
  l2o_rng rng;
  l2o_rng_seed(&rng, 0, 0, 0); /* any start will do that is no eigenvector */
  for (size_t i = 0; i < n; i++) {
    double draw;
    l2o_rng_normal(&rng, &draw, 1);
    w[i] = (l2o_real)draw;
  }
  norm = l2o_norm(w, n);
  for (size_t m = 0;; v += n) {
    for (size_t i = 0; i < n; i++)
      v[i] = w[i] / (l2o_real)norm;
    it->gradient_calls++;
    l2o_status status = l2o_problem_hessian_vector(it->problem, w, it->x, v, it->work);
    if (status)
      return status;
    const double length = l2o_norm(w, n);
    a[m] = l2o_dot(v, w, n);
    for (int twice = 0; twice < 2; twice++)
      for (const l2o_real *u = b->H; u <= v; u += n) {
        const l2o_real share = (l2o_real)l2o_dot(u, w, n);
        for (size_t i = 0; i < n; i++)
          w[i] -= share * u[i];
      }
    norm = beside[m++] = l2o_norm(w, n);
    if (m == most || !(norm > 1e-6 * length)) {
      *value = largest_tridiagonal(a, beside, m);
      return L2O_OK;
    }
  }
}

static void multiple_of_identity(const l2o_bfgs_memory *b, double scale, size_t n) {
  memset(b->H, 0, n * n * sizeof *b->H);
  for (size_t i = 0; i < n; i++)
    b->H[i * n + i] = 1;
  *b->scale = (l2o_real)scale;
}

l2o_status l2o_bfgs_init(l2o_iterate *it, const l2o_bfgs_memory *b) {
  double constant = 1;
  l2o_status status = L2O_OK;
  if (b->start == L2O_BFGS_LIPSCHITZ)
    status = l2o_problem_lipschitz(it->problem, &constant);
  else if (b->start == L2O_BFGS_HESSIAN)
    status = largest_curvature(it, b, &constant);
  if (!(constant > 0) || !isfinite(constant)) /* where f is not convex */
    constant = 1;
  *b->fresh = 1;
  multiple_of_identity(b, 1 / constant, it->n);
  return status;
}

void l2o_bfgs_first_direction(const l2o_iterate *it, const l2o_bfgs_memory *b) {
  for (size_t i = 0; i < it->n; i++)
    b->d[i] = -*b->scale * it->g[i];
}

/* y <- theta y + (1 - theta) Bs with the largest theta <= 1 that gives s'y >= 0.2 s'Bs, and Hy likewise. Bs = -alpha g, and the old
 * g is the new one less y. Returns s'y. */
static double damp(const l2o_iterate *it, l2o_real *y, l2o_real *Hy, const l2o_real *s, double alpha, double sy) {
  const size_t n = it->n;
  const double sBs = -alpha * (l2o_dot(s, it->g, n) - sy);
  if (sy >= 0.2 * sBs || !(sBs > 0))
    return sy;
  const l2o_real theta = (l2o_real)(0.8 * sBs / (sBs - sy)), rest = (l2o_real)(alpha * (0.2 * sBs - sy) / (sBs - sy));
  for (size_t i = 0; i < n; i++) {
    y[i] = theta * y[i] - rest * (it->g[i] - y[i]);
    Hy[i] = theta * Hy[i] + rest / (l2o_real)alpha * s[i];
  }
  return l2o_dot(s, y, n);
}

/* H <- H max(1, s'y / y'Hy)^(3/4); u and Hy are scaled alike. Returns the factor. */
static double enlarge(const l2o_iterate *it, const l2o_bfgs_memory *b, l2o_real *u, l2o_real *Hy, double sy, double yHy) {
  const size_t n = it->n;
  if (!(yHy > 0 && sy > yHy))
    return 1;
  const l2o_real factor = (l2o_real)pow(sy / yHy, 0.75);
  if (!isfinite(factor))
    return 1;
  *b->scale *= factor;
  for (size_t i = 0; i < n; i++) {
    u[i] *= factor;
    Hy[i] *= factor;
  }
  return (double)factor;
}

/* H takes the scale in before the two grow too far apart. */
static void absorb(const l2o_bfgs_memory *b, size_t n) {
  if (!(*b->scale > (l2o_real)1e6))
    return;
  for (size_t i = 0; i < n * n; i++)
    b->H[i] *= *b->scale;
  *b->scale = 1;
}

l2o_bfgs_change l2o_bfgs_update(const l2o_iterate *it, const l2o_bfgs_memory *b, l2o_real *x, l2o_real *g, l2o_real *u,
                                double alpha) {
  const size_t n = it->n;
  l2o_real *s = x, *y = g, *d = b->d;
  for (size_t i = 0; i < n; i++) {
    s[i] = it->x[i] - x[i];
    y[i] = it->g[i] - g[i];
  }
  double sy = l2o_dot(s, y, n);
  const double yy = l2o_dot(y, y, n), ss = l2o_dot(s, s, n), gamma = sy / yy;
  const bool first = *b->fresh > 0, positive = sy > 1e-12 * sqrt(ss) * sqrt(yy);
  l2o_bfgs_change change = {.outcome = L2O_BFGS_SKIPPED, .enlarged = 1};
  const bool rescaled = first && positive && b->start == L2O_BFGS_SCALED && isnormal((l2o_real)gamma);
  if (rescaled) {
    *b->scale = (l2o_real)gamma; /* H is I still */
    for (size_t i = 0; i < n; i++) {
      u[i] = *b->scale * it->g[i];
      d[i] = *b->scale * y[i];
    }
  } else {
    l2o_symv(u, b->H, it->g, n); /* u = H g+, Hy = u + d, in d's place */
    for (size_t i = 0; i < n; i++) {
      u[i] *= *b->scale;
      d[i] += u[i];
    }
    if (b->rescale && positive && !first)
      change.enlarged = enlarge(it, b, u, d, sy, l2o_dot(y, d, n));
  }
  change.scale = (double)*b->scale;
  if (change.enlarged > 1)
    absorb(b, n);
  if (b->damp && alpha > 0)
    sy = damp(it, y, d, s, alpha, sy);
  const double rho = 1 / sy, yHy = l2o_dot(y, d, n), half = (rho * (rho * yHy) + rho) / 2;
  if (!(sy > 1e-12 * sqrt(ss) * sqrt(yy)) || !isfinite((l2o_real)rho) || !isfinite((l2o_real)half)) {
    for (size_t i = 0; i < n; i++)
      d[i] = -u[i];
    return change;
  }
  for (size_t i = 0; i < n; i++) /* w, in d's place */
    d[i] = (l2o_real)half * s[i] - (l2o_real)rho * d[i];
  l2o_syr2(b->H, 1 / *b->scale, s, d, n);
  const l2o_real wg = (l2o_real)l2o_dot(d, it->g, n), sg = (l2o_real)l2o_dot(s, it->g, n);
  for (size_t i = 0; i < n; i++)
    d[i] = -(u[i] + s[i] * wg + d[i] * sg);
  *b->fresh = 0;
  change.outcome = rescaled ? L2O_BFGS_RESCALED : L2O_BFGS_UPDATED;
  return change;
}

void l2o_bfgs_product(l2o_real *out, const l2o_real *v, const l2o_real *H, const l2o_real *s, const l2o_real *y,
                      const l2o_bfgs_change *change, l2o_real *work, size_t n) {
  const double sy = l2o_dot(s, y, n), scale = change->scale;
  const l2o_real rho = change->outcome == L2O_BFGS_SKIPPED ? 0 : (l2o_real)(1 / sy), sv = (l2o_real)l2o_dot(s, v, n);
  /* H+ v = V'(H (v - rho (s'v) y)) + rho (s'v) s,   V'a = a - rho (y'a) s */
  for (size_t i = 0; i < n; i++)
    work[i] = v[i] - rho * sv * y[i];
  l2o_symv(out, H, work, n);
  const l2o_real along = rho * ((l2o_real)scale * (l2o_real)l2o_dot(y, out, n) - sv);
  for (size_t i = 0; i < n; i++)
    out[i] = (l2o_real)scale * out[i] - along * s[i];
}

/* <A, B> of symmetric matrices */
static double inner_product(const l2o_real *A, const l2o_real *B, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += 2 * l2o_dot(A + i * n + i, B + i * n + i, n - i) - (double)A[i * n + i] * (double)B[i * n + i];
  return sum;
}

/* The way back through K = phi H, phi = (s'y / y'Hy)^(3/4), from dK in dH, with T = <dK, K>:
 *   ds += 3/4 T y / s'y,   dy += 3/4 T (s / s'y - 2 Ky / y'Ky),   dH = phi (dK - 3/4 T y y' / y'Ky). work: n reals. */
static void enlarge_vjp(l2o_real *dH, l2o_real *ds, l2o_real *dy, const l2o_real *H, const l2o_real *s, const l2o_real *y,
                        const l2o_bfgs_change *change, l2o_real *work, size_t n) {
  const double T = 0.75 * change->scale * inner_product(dH, H, n), sy = l2o_dot(s, y, n);
  l2o_symv(work, H, y, n); /* Ky / scale */
  const double yHy = l2o_dot(y, work, n);
  for (size_t i = 0; i < n; i++) {
    ds[i] += (l2o_real)(T / sy) * y[i];
    dy[i] += (l2o_real)(T / sy) * s[i] - (l2o_real)(2 * T / yHy) * work[i];
  }
  l2o_syr(dH, (l2o_real)(-T / (change->scale * yHy)), y, n);
  for (size_t i = 0; i < n; i++)
    for (size_t j = i; j < n; j++)
      dH[i * n + j] *= (l2o_real)change->enlarged;
}

/* With r = 1/s'y, V = I - r y s', M = dH: m = Ms, mu = s'm, and
 *   dH <- V M V' = M - r (y m' + m y') + r^2 mu y y'
 *   dV s = 2 H (m - r mu y),   dV'y = 2 M (Hy - r (y'Hy) s),   dr = mu - y'dV s
 *   dy += -r dV s - r^2 dr s,   ds += -r dV'y + 2 r m - r^2 dr y. */
void l2o_bfgs_update_vjp(l2o_real *dH, l2o_real *ds, l2o_real *dy, const l2o_real *H, const l2o_real *s, const l2o_real *y,
                         const l2o_bfgs_change *change, l2o_real *work, size_t n) {
  const double scale = change->scale;
  if (change->outcome == L2O_BFGS_SKIPPED)
    return;
  l2o_real *m = work, *a = m + n, *Vs = a + n, *Vy = Vs + n;
  const double sy = l2o_dot(s, y, n), r = 1 / sy;
  l2o_symv(m, dH, s, n);
  const double mu = l2o_dot(s, m, n);
  for (size_t i = 0; i < n; i++)
    a[i] = m[i] - (l2o_real)(r * mu) * y[i];
  l2o_symv(Vs, H, a, n);
  l2o_symv(a, H, y, n); /* Hy / scale */
  const double yHy = scale * l2o_dot(y, a, n);
  for (size_t i = 0; i < n; i++) {
    Vs[i] *= (l2o_real)(2 * scale);
    a[i] = (l2o_real)scale * a[i] - (l2o_real)(r * yHy) * s[i];
  }
  l2o_symv(Vy, dH, a, n);
  const double dr = mu - l2o_dot(y, Vs, n);
  for (size_t i = 0; i < n; i++) {
    dy[i] += (l2o_real)-r * Vs[i] - (l2o_real)(r * r * dr) * s[i];
    ds[i] += (l2o_real)(-2 * r) * Vy[i] + (l2o_real)(2 * r) * m[i] - (l2o_real)(r * r * dr) * y[i];
  }
  if (change->outcome == L2O_BFGS_RESCALED) { /* dL/dgamma = trace of V M V', gamma = s'y / y'y */
    const double yy = l2o_dot(y, y, n);
    double trace = 0;
    for (size_t i = 0; i < n; i++)
      trace += (double)dH[i * n + i];
    trace += -2 * r * l2o_dot(y, m, n) + r * r * mu * yy;
    for (size_t i = 0; i < n; i++) {
      ds[i] += (l2o_real)(trace / yy) * y[i];
      dy[i] += (l2o_real)(trace / yy) * (s[i] - (l2o_real)(2 * scale) * y[i]);
    }
    memset(dH, 0, n * n * sizeof *dH);
    return;
  }
  for (size_t i = 0; i < n; i++)
    m[i] -= (l2o_real)(r * mu / 2) * y[i];
  l2o_syr2(dH, (l2o_real)-r, y, m, n);
  if (change->enlarged > 1)
    enlarge_vjp(dH, ds, dy, H, s, y, change, work, n);
}

l2o_status l2o_bfgs_search(l2o_iterate *it, const l2o_bfgs_memory *b, l2o_line *line, l2o_stop *stop) {
  const bool fresh = *b->fresh > 0;
  line->alpha = fresh && b->start == L2O_BFGS_SCALED ? l2o_line_first(it) : 1;
  l2o_status status = l2o_line_search(it, line, stop);
  if (status || line->alpha != 0 || *stop || fresh)
    return status;
  /* as long as H would have it */
  const double scale = -l2o_dot(it->g, b->d, it->n) / l2o_dot(it->g, it->g, it->n);
  if ((status = l2o_bfgs_init(it, b)))
    return status;
  l2o_bfgs_first_direction(it, b);
  line->alpha = scale > 0 && isfinite(scale) ? scale : l2o_line_first(it);
  return l2o_line_search(it, line, stop);
}
