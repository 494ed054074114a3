/* SPDX-License-Identifier: BSD-3-Clause */
/* Weighted sum of rates in L cells of K users with M transmit and N receive antennas and d streams a user (papers: Shi, Razaviyayn,
 * Luo, He, IEEE Trans. Signal Processing 2011; Shen and Yu, the same 2018). Users u = 0..n-1, n = L K, served by base station
 * b(u) = u / K; H_uj (N, M) is the channel from base station j to user u, V_u (M, d) the precoder, V_j those of a cell:
 *   F_uw = H_{u b(w)} V_w,   J_u = noise I + sum_{w != u} F_uw F_uw^H,   C_u = J_u + F_uu F_uu^H,
 *   R_u = ln det C_u - ln det J_u = ln det W_u,   W_u = I + F_uu^H J_u^-1 F_uu,
 *   maximise sum_u a_u R_u   subject to   |V_j|_F^2 <= power for every base station j.
 * The problem minimises f = -sum_u a_u R_u / ln 2, in bit/s/Hz. Its unknowns are V_0, V_1, ..., row-major, a complex number as its
 * real and its imaginary part; n = 2 L K M d of them.
 *
 * What is computed at a point stands abreast (core/complex_small.h), a user a lane, in the scratch of the problem. */
#ifndef L2O_PROBLEMS_SUM_RATE_H
#define L2O_PROBLEMS_SUM_RATE_H
#include "core/complex_small.h"
#include <l2o/family.h>

/* p->data of such a problem. */
typedef struct l2o_sum_rate {
  l2o_sum_rate_sizes sizes;
  size_t n, lanes;       /* users of all cells; l2o_lanes(n) */
  double noise, power;   /* sigma^2; budget of a base station */
  const l2o_real *H;     /* (cells, tx, rx) abreast: entry (r, t) of H_uj in lane u of (j, t, r) */
  const l2o_real *a;     /* (lanes) the weights; 0 behind the users, also below */
  const l2o_real *root;  /* (lanes) their square roots */
  const l2o_real *gram;  /* (cells) of (rx, rx): H_uj H_uj^H */
  const l2o_real *start; /* (unknowns) */
} l2o_sum_rate;

/* Its unknowns. */
static inline size_t l2o_rate_unknowns(const l2o_sum_rate *d) {
  return 2 * d->n * d->sizes.tx * d->sizes.streams;
}

/* The instance behind a problem of this family; NULL for every other problem, and where its function is shifted. */
const l2o_sum_rate *l2o_sum_rate_of(const l2o_problem *p);

/* The pieces of a point, each a set of matrices abreast. */
typedef struct l2o_rate_point {
  l2o_real *F;    /* n of (rx, d): F_uw in lane u of the w-th; zero where u = w */
  l2o_real *own;  /* (rx, d) F_uu */
  l2o_real *J;    /* (rx, rx) lower triangle */
  l2o_real *L;    /* (rx, rx) J = L L^H, as l2o_abreast_cholesky() */
  l2o_real *Z;    /* (rx, d) L^-1 F_uu */
  l2o_real *W;    /* (d, d) */
  l2o_real *root; /* (d, d) W = root root^H, as l2o_abreast_cholesky() */
  l2o_real *rate; /* (lanes) R_u = ln det W_u */
  /* by l2o_rate_filters() */
  l2o_real *T; /* (rx, d) J^-1 F_uu = U_u W_u */
  l2o_real *X; /* (rx, d) U_u root_u:  D_j = sum_u a_u H_uj^H X_u X_u^H H_uj */
  l2o_real *U; /* (rx, d) C^-1 F_uu, the receivers of WMMSE */
  l2o_real *x; /* (unknowns) the point, after gradient() of the problem; see l2o_rate_is_at() */
  /* by l2o_rate_ascent() */
  l2o_real *M;    /* (rx, rx) a_u U_u W_u U_u^H, up to its scale */
  l2o_real *mine; /* (rx, d) a_u U_u, up to its scale */
  l2o_real *Q;    /* n of (rx, d): G_w = sum_u H_{u b(w)}^H Q_uw, up to its scale */
} l2o_rate_point;

/* Reals that the pieces take, and the pieces in so many reals at `work`. After value() or gradient() of the problem its scratch
 * holds the pieces of that point: those above l2o_rate_filters(), or all of them. */
size_t l2o_rate_point_len(const l2o_sum_rate *d);
l2o_rate_point l2o_rate_point_at(const l2o_sum_rate *d, l2o_real *work);

/* Does the scratch behind `at` hold the gradient's pieces of this x? Where a gradient was made elsewhere it does not. */
bool l2o_rate_is_at(const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *x);
/* Makes them anew if not. */
void l2o_rate_revisit(const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *x);

/* F, ..., rate at x; returns sum_u a_u R_u, in nats. */
double l2o_rate_value(const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *x);
/* T, X, U from what l2o_rate_value() left. */
void l2o_rate_filters(const l2o_rate_point *at, const l2o_sum_rate *d);
/* g = scale G, as many reals as there are unknowns, from what l2o_rate_filters() left: with Q_uw = -M_u F_uw for u != w and
 * Q_uu = a_u U_u it is  G_w = dWSR / dV_w^* = sum_u a_u H^H C_u^-1 F_uw - sum_{u != w} a_u H^H J_u^-1 F_uw  (docs/derivations). */
void l2o_rate_ascent(l2o_real *g, const l2o_rate_point *at, const l2o_sum_rate *d, double scale);

/* Products with D_j, and the way back through them and the gradient. Their room lies behind the pieces of the point. */
typedef struct l2o_rate_curve {
  l2o_real *P;       /* (rx, rx) P_u = a_u X_u X_u^H = a_u (J_u^-1 - C_u^-1):  D_j = sum_u H_uj^H P_u H_uj */
  l2o_real *T, *own; /* as F and own of the point: what is received of another matrix than V */
  /* scratch */
  l2o_real *R, *mine, *Q;           /* n of (rx, d); (rx, d); n of (rx, d) */
  l2o_real *A, *B, *N, *Y, *K, *KC; /* (rx, rx) */
  l2o_real *g;                      /* (unknowns) */
} l2o_rate_curve;
l2o_rate_curve l2o_rate_curve_at(const l2o_sum_rate *d, l2o_real *work);
/* P from what l2o_rate_filters() left */
void l2o_rate_curve_begin(const l2o_rate_curve *c, const l2o_rate_point *at, const l2o_sum_rate *d);
/* S_w = D_{b(w)} Z_w of every user; S may be Z */
void l2o_rate_curve_product(l2o_real *S, const l2o_rate_curve *c, const l2o_sum_rate *d, const l2o_real *Z);
/* For S = D Z:  dP_u (rx, rx) += sum_w (H_{u b(w)} dS_w) (H_{u b(w)} Z_w)^H,  dZ += D dS */
void l2o_rate_curve_back(l2o_real *dP, l2o_real *dZ, const l2o_rate_curve *c, const l2o_sum_rate *d, const l2o_real *Z,
                         const l2o_real *dS);
/* dV += the derivative of <dG, G> + sum_u <dP_u, P_u> at V; dP may be NULL. Without dP half the product of the Hessian of
 * sum_u a_u R_u, in real coordinates, and dG. */
void l2o_rate_back(l2o_real *dV, const l2o_rate_curve *c, const l2o_rate_point *at, const l2o_sum_rate *d, const l2o_real *dG,
                   const l2o_real *dP);
/* An upper bound of D_j's eigenvalues: the largest of them; |D_j|_F; or its trace, at the cost of n rx^2, after
 * l2o_rate_curve_begin(). scratch: as long as the next function says, for the first two. */
typedef enum l2o_rate_bound { L2O_RATE_EIGENVALUE, L2O_RATE_NORM, L2O_RATE_TRACE } l2o_rate_bound;
double l2o_rate_lambda(const l2o_rate_point *at, const l2o_rate_curve *c, const l2o_sum_rate *d, size_t j, l2o_rate_bound bound,
                       l2o_real *scratch);
size_t l2o_rate_lambda_scratch(const l2o_sum_rate *d, l2o_rate_bound bound);

/* D_j = Y Y^H, the curvature that base station j sees, is one of two matrices with the same eigenvalues but for zeros; where the
 * other, Y^H Y, is smaller, it is that which is made. */
/* Y (tx, d): in lane u factor_u H_uj^H B_u for B (rx, d) and factor (lanes); for D_j these are X and root */
void l2o_rate_columns(l2o_real *Y, const l2o_sum_rate *d, size_t j, const l2o_real *B, const l2o_real *factor);
/* Is the matrix below Y^H Y, and its size: min(tx, n d). */
bool l2o_rate_is_gram(const l2o_sum_rate *d);
size_t l2o_rate_system_size(const l2o_sum_rate *d);
/* A (m, m) = Y Y^H or Y^H Y as planes (core/hermitian.h); row or column s n + u of the latter belongs to stream s of user u. */
void l2o_rate_system(l2o_real *A, const l2o_sum_rate *d, const l2o_real *Y);
/* Reals of Y. */
static inline size_t l2o_rate_columns_len(const l2o_sum_rate *d) {
  return 2 * d->sizes.tx * d->sizes.streams * d->lanes;
}

/* V_j = Y Z, as the reals of a cell, for Z (n d, K d), planes. */
void l2o_rate_precoders(l2o_real *x, const l2o_sum_rate *d, const l2o_real *Y, const l2o_real *Z);

/* x scaled, base station by base station, onto |V_j|_F^2 <= power; out may be x. */
void l2o_rate_project(l2o_real *out, const l2o_sum_rate *d, const l2o_real *x);
/* Reals of a base station's precoders. */
static inline size_t l2o_rate_block(const l2o_sum_rate *d) {
  return 2 * d->sizes.users * d->sizes.tx * d->sizes.streams;
}

/* ---- kernels: rows of lanes against numbers that are the same in every lane ---- */

L2O_KERNEL(void, l2o_rate_receive, (l2o_real * F, l2o_real *own, const l2o_sum_rate *d, const l2o_real *x));
L2O_KERNEL(void, l2o_rate_interference, (l2o_real * J, const l2o_sum_rate *d, const l2o_real *F));
L2O_KERNEL(void, l2o_rate_weigh, (l2o_real * M, const l2o_sum_rate *d, const l2o_real *X, double scale));
L2O_KERNEL(void, l2o_rate_scale, (l2o_real * out, const l2o_sum_rate *d, const l2o_real *in, size_t entries, double scale));
L2O_KERNEL(void, l2o_rate_spread,
           (l2o_real * Q, const l2o_sum_rate *d, const l2o_real *M, const l2o_real *T, const l2o_real *K, const l2o_real *F,
            const l2o_real *own));
L2O_KERNEL(void, l2o_rate_gather, (l2o_real * g, const l2o_sum_rate *d, const l2o_real *Q));
L2O_KERNEL(void, l2o_rate_columns_of, (l2o_real * Y, const l2o_sum_rate *d, size_t j, const l2o_real *B, const l2o_real *factor));
L2O_KERNEL(void, l2o_rate_outer, (l2o_real * A, const l2o_sum_rate *d, const l2o_real *Y));
L2O_KERNEL(void, l2o_rate_combine, (l2o_real * x, const l2o_sum_rate *d, const l2o_real *Y, const l2o_real *Z));
L2O_KERNEL(void, l2o_rate_gram, (l2o_real * A, const l2o_sum_rate *d, const l2o_real *Y));
L2O_KERNEL(void, l2o_rate_overlap, (l2o_real * N, const l2o_sum_rate *d, const l2o_real *T, const l2o_real *F, size_t count));
L2O_KERNEL(void, l2o_rate_symmetric, (l2o_real * K, const l2o_sum_rate *d, const l2o_real *Y, double scale));
L2O_KERNEL(double, l2o_rate_inner, (const l2o_sum_rate *d, const l2o_real *P, const l2o_real *gram, size_t entries));
#endif
