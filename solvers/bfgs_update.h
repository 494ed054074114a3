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

typedef enum l2o_bfgs_start { L2O_BFGS_SCALED, L2O_BFGS_IDENTITY, L2O_BFGS_LIPSCHITZ, L2O_BFGS_HESSIAN } l2o_bfgs_start;

#define L2O_BFGS_START_OPTION                                                                                                      \
  {                                                                                                                                \
    "h0", L2O_OPTION_CHOICE, 0, 0, 0, "scaled|identity|lipschitz|hessian",                                                         \
        "first inverse Hessian: I, then s'y / y'y I before the first update; I; I / L of the problem; I / largest eigenvalue at "  \
        "x_0, I where none is positive"                                                                                            \
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

/* Is H small enough for BLAS, and is there an L for h0=lipschitz, are there products for h0=hessian? */
l2o_status l2o_bfgs_check(const l2o_iterate *it, l2o_bfgs_start start, const char *solver, l2o_diag *diag);
/* H = the first inverse Hessian. h0=hessian: up to 64 Hessian-vector products at it->x, which count as gradients. */
l2o_status l2o_bfgs_init(l2o_iterate *it, const l2o_bfgs_memory *b);
/* d = -H g for the first H. */
void l2o_bfgs_first_direction(const l2o_iterate *it, const l2o_bfgs_memory *b);
/* What an update did: nothing, for want of curvature; the update; the first update, after H <- s'y / y'y I. */
typedef enum l2o_bfgs_outcome { L2O_BFGS_SKIPPED, L2O_BFGS_UPDATED, L2O_BFGS_RESCALED } l2o_bfgs_outcome;
typedef struct l2o_bfgs_change {
  l2o_bfgs_outcome outcome;
  double scale;    /* what was updated is `scale` times the H that stood there before */
  double enlarged; /* factor of this scale that `rescale` has put there; 1 where it has not */
} l2o_bfgs_change;
/* H and d of it->x, it->g after a step from x with the gradient g along d, of length alpha (0: of several lengths; then it cannot
 * be damped). x, g and u (n each) are overwritten. A pair with s'y <= 1e-12 |s||y| leaves H as it is. */
l2o_bfgs_change l2o_bfgs_update(const l2o_iterate *it, const l2o_bfgs_memory *b, l2o_real *x, l2o_real *g, l2o_real *u,
                                double alpha);
/* out = H+ v after that change, H (n, n) being what stood there before; work: n reals. */
void l2o_bfgs_product(l2o_real *out, const l2o_real *v, const l2o_real *H, const l2o_real *s, const l2o_real *y,
                      const l2o_bfgs_change *change, l2o_real *work, size_t n);
/* The way back through the change. dH: in dL/dH+, out dL/dH of the inverse Hessian before, a symmetric matrix, zero where that was
 * a multiple of I; ds and dy (n) are added to. work: 4n reals. Cost: three products with a matrix, two updates of one, and where H
 * was enlarged an inner product of two. docs/derivations/l2o_bfgs.md */
void l2o_bfgs_update_vjp(l2o_real *dH, l2o_real *ds, l2o_real *dy, const l2o_real *H, const l2o_real *s, const l2o_real *y,
                         const l2o_bfgs_change *change, l2o_real *work, size_t n);
/* Searches along d, and, should that find nothing, once more along -g with H a multiple of I. line->alpha is set here. */
l2o_status l2o_bfgs_search(l2o_iterate *it, const l2o_bfgs_memory *b, l2o_line *line, l2o_stop *stop);
#endif
