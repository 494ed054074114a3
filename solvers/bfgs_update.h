/* SPDX-License-Identifier: BSD-3-Clause */
/* The inverse Hessian of BFGS, shared by bfgs, bfgs-hd and l2o-bfgs; no rule by itself. H (n, n) is symmetric, its upper triangle
 * is read and written. With rho = 1 / s'y and w = -rho Hy + (rho^2 y'Hy + rho)/2 s the update H+ = (I - rho s y') H (I - rho y s')
 * + rho s s'   is   H + s w' + w s', one pass. And as d = -H g is at hand when g+ arrives, one product u = H g+ gives both Hy = u +
 * d and the next direction d+ = -H+ g+ = -(u + s (w'g+) + w (s'g+)).
 *
 * Self-scaling: an H that is too small in the directions not seen yet (y'Hy < s'y: its curvatures are too large) is enlarged before
 * the update, three quarters of the way, on a logarithmic scale, to where Oren and Luenberger (Management Science 1974) would set
 * it. Enlarging alone, as Al-Baali (Comput. Optim. Appl. 1998) scales, keeps superlinear convergence, as the factor tends to 1. */
#ifndef L2O_BFGS_UPDATE_H
#define L2O_BFGS_UPDATE_H
#include "line_search.h"

typedef enum l2o_bfgs_start { L2O_BFGS_SCALED, L2O_BFGS_IDENTITY, L2O_BFGS_LIPSCHITZ } l2o_bfgs_start;

#define L2O_BFGS_START_OPTION                                                                                                      \
  {                                                                                                                                \
    "h0", L2O_OPTION_CHOICE, 0, 0, 0, "scaled|identity|lipschitz",                                                                 \
        "first inverse Hessian: I, then s'y / y'y I before the first update; I; I / L of the problem"                              \
  }

/* What the rules remember. The inverse Hessian is scale H. */
typedef struct l2o_bfgs_memory {
  l2o_real *H, *d;         /* (n, n), (n) */
  l2o_real *scale, *fresh; /* (1), and (1): not updated yet */
  l2o_bfgs_start start;
  bool rescale; /* before an update H <- H max(1, s'y / y'Hy)^(3/4) */
  bool damp;    /* Powell's damping (Math. Programming Study 1978) keeps s'y >= 0.2 s'Bs */
} l2o_bfgs_memory;

/* What the state of a rule begins with; rescale and damp are false. */
l2o_bfgs_memory l2o_bfgs_recall(const l2o_iterate *it, l2o_bfgs_start start);
size_t l2o_bfgs_state_len(const l2o_iterate *it);

/* Is H small enough for BLAS, and is there an L for h0=lipschitz? */
l2o_status l2o_bfgs_check(const l2o_iterate *it, l2o_bfgs_start start, const char *solver, l2o_diag *diag);
/* H = the first inverse Hessian. */
l2o_status l2o_bfgs_init(const l2o_iterate *it, const l2o_bfgs_memory *b);
/* d = -H g for the first H. */
void l2o_bfgs_first_direction(const l2o_iterate *it, const l2o_bfgs_memory *b);
/* What an update did: nothing, for want of curvature; the update; the first update, after H <- s'y / y'y I. */
typedef enum l2o_bfgs_outcome { L2O_BFGS_SKIPPED, L2O_BFGS_UPDATED, L2O_BFGS_RESCALED } l2o_bfgs_outcome;
/* H and d of it->x, it->g after a step from x with the gradient g along d, of length alpha (0: of several lengths; then it cannot
 * be damped). x, g and u (n each) are overwritten. A pair with s'y <= 1e-12 |s||y| leaves H as it is. */
l2o_bfgs_outcome l2o_bfgs_update(const l2o_iterate *it, const l2o_bfgs_memory *b, l2o_real *x, l2o_real *g, l2o_real *u,
                                 double alpha);
/* out = H+ v of that update; work: n reals. */
void l2o_bfgs_product(l2o_real *out, const l2o_real *v, const l2o_real *H, double scale, const l2o_real *s, const l2o_real *y,
                      l2o_bfgs_outcome outcome, l2o_real *work, size_t n);
/* The way back through H+ = update(scale H, s, y), as `outcome` says (RESCALED: H is I, scale the s'y / y'y of this pair). dH: in
 * dL/dH+, out dL/d(scale H), a symmetric matrix, zero where H was a multiple of I; ds and dy (n) are added to. work: 4n reals.
 * Cost: three products with a matrix and two updates of one. docs/derivations/l2o_bfgs.md */
void l2o_bfgs_update_vjp(l2o_real *dH, l2o_real *ds, l2o_real *dy, const l2o_real *H, double scale, const l2o_real *s,
                         const l2o_real *y, l2o_bfgs_outcome outcome, l2o_real *work, size_t n);
/* Searches along d, and, should that find nothing, once more along -g with H a multiple of I. line->alpha is set here. */
l2o_status l2o_bfgs_search(l2o_iterate *it, const l2o_bfgs_memory *b, l2o_line *line, l2o_stop *stop);
#endif
