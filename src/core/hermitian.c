/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/hermitian.h"
#include <float.h>
#include <math.h>

/* |T_{k+1,k}|^2 */
static double off_square(const l2o_tridiagonal *t, size_t k) {
  const double re = (double)t->off[k], im = (double)t->off[t->m + k];
  return re * re + im * im;
}

/* sum_k T_kk |z_k|^2 + 2 Re conj(z_{k+1}) T_{k+1,k} z_k */
double l2o_tridiagonal_form(const l2o_tridiagonal *t, const l2o_real *Z, size_t columns) {
  const size_t m = t->m, plane = m * columns;
  double sum = 0;
  for (size_t k = 0; k < m; k++) {
    const l2o_real *re = Z + k * columns, *im = re + plane;
    double square = 0, a = 0, b = 0; /* a + i b = sum of conj(z_{k+1}) z_k */
    for (size_t c = 0; c < columns; c++) {
      square += (double)re[c] * (double)re[c] + (double)im[c] * (double)im[c];
      if (k + 1 == m)
        continue;
      a += (double)re[columns + c] * (double)re[c] + (double)im[columns + c] * (double)im[c];
      b += (double)re[columns + c] * (double)im[c] - (double)im[columns + c] * (double)re[c];
    }
    sum += (double)t->diagonal[k] * square;
    if (k + 1 < m)
      sum += 2 * ((double)t->off[k] * a - (double)t->off[m + k] * b);
  }
  return sum;
}

/* One side of Gershgorin's discs: the largest of sign T_kk + the sizes beside it. */
static double disc(const l2o_tridiagonal *t, double sign) {
  double most = -HUGE_VAL, before = 0;
  for (size_t k = 0; k < t->m; k++) {
    const double after = k + 1 < t->m ? sqrt(off_square(t, k)) : 0;
    most = fmax(most, sign * (double)t->diagonal[k] + before + after);
    before = after;
  }
  return most;
}

double l2o_tridiagonal_bound(const l2o_tridiagonal *t) {
  return fmax(disc(t, 1), disc(t, -1));
}

/* det(lambda I - T) is the product of q_k = lambda - T_kk - |T_{k,k-1}|^2 / q_{k-1}. With S1 = sum_i 1 / (lambda - lambda_i), the
 * sum of q_k' / q_k, and S2 = sum_i 1 / (lambda - lambda_i)^2 = -S1':
 *   lambda <- lambda - m / (S1 + sqrt((m - 1) (m S2 - S1^2))) */
double l2o_tridiagonal_largest(const l2o_tridiagonal *t) {
  enum { STEPS = 100 };
  const double m = (double)t->m, bound = l2o_tridiagonal_bound(t), least = 4 * DBL_EPSILON * bound;
  double lambda = disc(t, 1);
  for (int step = 0; step < STEPS && bound > 0; step++) {
    double S1 = 0, S2 = 0, q = 1, q1 = 0, q2 = 0; /* of the k before: q, q', q'' */
    for (size_t k = 0; k < t->m; k++) {
      const double e = k ? off_square(t, k - 1) : 0;
      const double first = 1 + e * q1 / (q * q), second = e * (q2 - 2 * q1 * q1 / q) / (q * q);
      q = lambda - (double)t->diagonal[k] - e / q;
      if (!(q > 0)) /* at the eigenvalue itself, or not a number */
        return lambda;
      q1 = first;
      q2 = second;
      S1 += q1 / q;
      S2 += q1 * q1 / (q * q) - q2 / q;
    }
    const double down = m / (S1 + sqrt(fmax((m - 1) * (m * S2 - S1 * S1), 0)));
    lambda -= down;
    if (!(down > least))
      return lambda;
  }
  return lambda;
}
