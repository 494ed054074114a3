/* SPDX-License-Identifier: BSD-3-Clause */
#include "unrolled.h"
#include "core/diag.h"
#include "core/linalg.h"
#include "core/matrix.h"
#include "core/real.h"
#include <math.h>
#include <string.h>

/* A model may have been trained in single precision. */
static const double SAME = 1e-6;

/* The model's matrix and the problem's, (m, n) both. */
static l2o_status compare(const l2o_real *own, const l2o_real *A, size_t m, size_t n, const char *name, l2o_diag *diag) {
  double largest = 0, worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < m * n; i++) {
    const double difference = fabs((double)own[i] - (double)A[i]);
    largest = fmax(largest, fabs((double)own[i]));
    if (difference > worst) {
      worst = difference;
      at = i;
    }
  }
  if (largest == 0)
    return l2o_fail(diag, L2O_ERR_ARG, "%s: this model has not been made for a matrix yet; l2o_model_fit_problem() does that",
                    name);
  if (worst <= SAME * largest)
    return L2O_OK;
  return l2o_fail(diag, L2O_ERR_ARG, "%s: this model was made for another matrix A: they differ by %.3g at entry (%zu, %zu)", name,
                  worst, at / n, at % n);
}

l2o_status l2o_unrolled_check(const l2o_iterate *it, l2o_diag *diag) {
  const char *name = l2o_model_kind_name(it->model), *problem = l2o_problem_name(it->problem);
  const l2o_unrolled *u = l2o_unrolled_of(it->model);
  const l2o_instance *d = l2o_squares_of(it->problem);
  if (!d && l2o_function_shift(it->problem) != 0)
    return l2o_fail(diag, L2O_ERR_NOTSUP,
                    "%s is for 1/2 |A x - y|^2 + l1 |x|_1; problem '%s' is shifted by %g; shift its start instead, or try ista",
                    name, problem, l2o_function_shift(it->problem));
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s reads the matrix of 1/2 |A x - y|^2; problem '%s' has none; try ista", name, problem);
  if (d->ridge > 0)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s is for 1/2 |A x - y|^2 + l1 |x|_1; problem '%s' has a ridge of %g; try ista", name,
                    problem, d->ridge);
  if (d->rows != u->m || (u->n && u->n != it->n))
    return l2o_fail(diag, L2O_ERR_SHAPE, "%s: this model is for a matrix (%zu, %zu), that of problem '%s' is (%zu, %zu)", name,
                    u->m, u->n ? u->n : it->n, problem, d->rows, it->n);
  return u->A && it->options[L2O_UNROLLED_MATRIX] == 0 ? compare(u->A, d->matrix, u->m, it->n, name, diag) : L2O_OK;
}

/* ---- shrinkage ---- */

/* The k-th largest, k = 1 .. n, of numbers that are put into another order (Hoare, CACM 1961, algorithm 65). */
static l2o_real largest_but(l2o_real *a, size_t n, size_t k) {
  const ptrdiff_t target = (ptrdiff_t)k - 1;
  ptrdiff_t low = 0, high = (ptrdiff_t)n - 1;
  while (low < high) {
    const l2o_real pivot = a[target];
    ptrdiff_t i = low, j = high;
    do {
      while (a[i] > pivot)
        i++;
      while (pivot > a[j])
        j--;
      if (i <= j) {
        const l2o_real swap = a[i];
        a[i++] = a[j];
        a[j--] = swap;
      }
    } while (i <= j);
    if (j < target)
      low = i;
    if (target < i)
      high = j;
  }
  return a[target];
}

/* The least size of what is kept, and how many of that size. */
static l2o_real least_kept(size_t *ties, const l2o_real *v, double share, l2o_real *scratch, size_t n) {
  const size_t kept = (size_t)ceil(share * (double)(n - 1) - 1e-9); /* share may come of a product that was rounded up */
  *ties = 0;
  if (kept == 0)
    return (l2o_real)INFINITY;
  for (size_t i = 0; i < n; i++)
    scratch[i] = r_abs(v[i]) > 0 ? r_abs(v[i]) : 0; /* not-a-number sorts low */
  const l2o_real least = largest_but(scratch, n, kept);
  *ties = kept;
  for (size_t i = 0; i < n; i++)
    *ties -= scratch[i] > least;
  return least;
}

void l2o_shrink(l2o_real *x, l2o_real *marks, double theta, double share, l2o_real *scratch, size_t n) {
  const l2o_real t = (l2o_real)theta;
  size_t ties;
  const l2o_real least = least_kept(&ties, x, share > 0 ? share : 0, scratch, n);
  for (size_t i = 0; i < n; i++) {
    const l2o_real v = x[i], size = r_abs(v);
    int mark = L2O_SHRUNK_TO_ZERO;
    if (size > least || (size == least && ties > 0)) {
      ties -= size == least;
      mark = size > t ? L2O_KEPT : L2O_SHRUNK_TO_ZERO;
    } else if (!(size <= t || v == 0)) {
      mark = v > 0 ? L2O_SHRUNK : -L2O_SHRUNK;
    }
    x[i] = mark == L2O_KEPT ? v : mark == L2O_SHRUNK ? v - t : mark ? v + t : 0;
    if (marks)
      marks[i] = (l2o_real)mark;
  }
}

double l2o_shrink_vjp(l2o_real *dx, const l2o_real *marks, size_t n) {
  double dtheta = 0;
  for (size_t i = 0; i < n; i++) {
    if (marks[i] == L2O_SHRUNK_TO_ZERO)
      dx[i] = 0;
    else if (marks[i] != L2O_KEPT)
      dtheta -= (double)marks[i] * (double)dx[i];
  }
  return dtheta;
}

/* ---- accumulators ---- */

void l2o_add_outer(double *sum, double scale, const l2o_real *a, size_t rows, const l2o_real *b, size_t columns) {
  for (size_t i = 0; i < rows; i++) {
    const double factor = scale * (double)a[i];
    double *row = sum + i * columns;
    if (factor == 0) /* most of what comes back through a threshold */
      continue;
    for (size_t j = 0; j < columns; j++)
      row[j] += factor * (double)b[j];
  }
}

double *l2o_unrolled_sum(const l2o_iterate *it, double *sum, const l2o_real *parameter) {
  return sum + (parameter - it->model->parameters);
}

void l2o_unrolled_count(l2o_iterate *it) {
  it->value_calls++;
  it->gradient_calls++;
}

/* ---- x+ = shrink(x - gamma W'(A x - y)) ---- */

/* scratch: r (m), W'r (n), what the selection needs (n); on the way back W dv (m) */
size_t l2o_coupled_scratch_len(const l2o_iterate *it) {
  return l2o_unrolled_of(it->model)->m + 2 * it->n;
}
/* tape: r (m), marks (n), k */
size_t l2o_coupled_tape_len(const l2o_iterate *it) {
  return l2o_unrolled_of(it->model)->m + it->n + 1;
}

l2o_status l2o_coupled_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)stop;
  const l2o_unrolled *u = l2o_unrolled_of(it->model);
  const l2o_unrolled_layer layer = l2o_unrolled_at(u, it->k);
  const l2o_instance *d = l2o_squares_of(it->problem);
  const size_t m = u->m, n = it->n;
  const l2o_real gamma = layer.gamma ? *layer.gamma : 1;
  l2o_real *r = tape ? tape : it->scratch, *step = it->scratch + m, *scratch = step + n;
  l2o_unrolled_count(it);
  l2o_residual(r, d->matrix, it->x, d->vector, m, n);
  l2o_gemv_t(step, layer.first, r, m, n);
  for (size_t i = 0; i < n; i++)
    it->x[i] -= gamma * step[i];
  l2o_shrink(it->x, tape ? tape + m : NULL, (double)*layer.theta, layer.share, scratch, n);
  if (tape)
    tape[m + n] = (l2o_real)(it->k < u->layers ? it->k : u->layers - 1);
  return L2O_OK;
}

l2o_status l2o_coupled_step_vjp(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                                l2o_stop_gradient mode) {
  (void)dstate, (void)dg;
  const l2o_unrolled *u = l2o_unrolled_of(it->model);
  const size_t m = u->m, n = it->n;
  const l2o_real *r = tape, *marks = tape + m;
  const l2o_unrolled_layer layer = l2o_unrolled_at(u, (size_t)tape[m + n]);
  const l2o_real gamma = layer.gamma ? *layer.gamma : 1;
  l2o_real *e = it->scratch;
  *l2o_unrolled_sum(it, dsum, layer.theta) += l2o_shrink_vjp(dx, marks, n); /* dx is dv from here on */
  if (!layer.gamma)                                                         /* dW = -r dv' */
    l2o_add_outer(l2o_unrolled_sum(it, dsum, layer.first), -1, r, m, dx, n);
  if (!layer.gamma && mode == L2O_STOP_GRADIENT_DIRECTION)
    return L2O_OK;
  l2o_gemv(e, layer.first, dx, m, n); /* e = W dv:  dgamma = -e'r,  dx = dv - gamma A'e */
  if (layer.gamma)
    *l2o_unrolled_sum(it, dsum, layer.gamma) -= l2o_dot(e, r, m);
  if (mode != L2O_STOP_GRADIENT_DIRECTION)
    l2o_gemv_t_add(dx, -gamma, l2o_squares_of(it->problem)->matrix, e, m, n);
  return L2O_OK;
}
