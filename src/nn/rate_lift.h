/* SPDX-License-Identifier: BSD-3-Clause */
/* Precoders in more dimensions than there are antennas (after Song et al., INFOCOM 2024): V = Q X with learned Q (tx, m), Q Q^H =
 * I, and X (m, d) of each user; and steps that differ by learned directions E (m, r), E^H E = I:
 *
 *   M = s_0 (I - E E^H) + E diag(s_1 .. s_r) E^H
 *
 * Q is the first rows, E the first columns of a unitary matrix Phi = (I + O)^-1 (I - O), O = (Z - Z^H) / 2 (Cayley), of which Z is
 * the parameter. Complex matrices are row-major, real and imaginary parts side by side. */
#ifndef L2O_NN_RATE_LIFT_H
#define L2O_NN_RATE_LIFT_H
#include "core/arena.h"
#include "nn/model.h"
#include <complex.h>

enum { L2O_RATE_LIFT_MAX = 256 };

/* Phi and (I + O)^-1, both (m, m) */
typedef struct l2o_cayley {
  double complex *unitary, *inverse, *work;
} l2o_cayley;

typedef struct l2o_rate_lift {
  size_t tx, m, r;       /* m = 0: neither Q nor E; Q = NULL: the identity */
  l2o_cayley lift, turn; /* where Q and E come from */
  l2o_real *Q, *E;
} l2o_rate_lift;

/* Gives the tables of `lift`, whose sizes are set, their room. has_Q: is m more than the antennas by a learned Q? */
void l2o_rate_lift_layout(l2o_rate_lift *lift, l2o_arena *arena, bool has_Q);
/* Q, E from their parameters Z (m, m); that of a table that is missing is NULL. */
void l2o_rate_lift_build(l2o_rate_lift *lift, const l2o_real *Z_lift, const l2o_real *Z_turn);
/* Doubles in which dL/dQ (tx, m) and, behind it, dL/dE (m, r) are summed; and dL/dZ (m, m) from one of them. */
size_t l2o_rate_lift_sum_len(const l2o_rate_lift *lift);
void l2o_rate_lift_gradient(const l2o_rate_lift *lift, double *dZ_lift, double *dZ_turn, const double *sum);

/* Y = Q^H G, and X = Q^H V; V = Q X. (d columns) */
void l2o_rate_lift_up(const l2o_rate_lift *lift, l2o_real *Y, const l2o_real *G, size_t d);
void l2o_rate_lift_down(const l2o_rate_lift *lift, l2o_real *V, const l2o_real *X, size_t d);
/* dG += Q dY, dQ += G dY^H */
void l2o_rate_lift_up_back(const l2o_rate_lift *lift, double *sum, l2o_real *dG, const l2o_real *dY, const l2o_real *G, size_t d);
/* dX += Q^H dV, dQ += dV X^H */
void l2o_rate_lift_down_back(const l2o_rate_lift *lift, double *sum, l2o_real *dX, const l2o_real *dV, const l2o_real *X, size_t d);
/* out += M Y; s (1 + r): s_0 and s_1 .. s_r. scratch: 2 r d reals */
void l2o_rate_turn(const l2o_rate_lift *lift, l2o_real *out, const l2o_real *s, const l2o_real *Y, l2o_real *scratch, size_t d);
/* dY += M dout, ds (1 + r) = dL/ds, dE += ...; scratch: 4 r d reals */
void l2o_rate_turn_back(const l2o_rate_lift *lift, double *sum, l2o_real *dY, l2o_real *ds, const l2o_real *dout, const l2o_real *s,
                        const l2o_real *Y, l2o_real *scratch, size_t d);
#endif
