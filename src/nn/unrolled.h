/* SPDX-License-Identifier: BSD-3-Clause */
/* The models of rules that unroll iterative shrinkage for F(x) = 1/2 |A x - y|^2 + l1 |x|_1, A (m, n), into K layers. With R = 1
 * set of matrices that all layers share, or R = K:
 *
 *   kind        learned                                              constant
 *   lista       We (R, n, m), S (R, n, n), theta (K)                 A (m, n)
 *   lista-cp    W (R, m, n), theta (K)                               A
 *   lista-cpss  W (R, m, n), theta (K)                               A
 *   alista      gamma (K), theta (K)                                 W (m, n), A
 *   ada-lista   W1 (R, m, m), W2 (R, m, m), gamma (K), theta (K)
 *
 * What a layer does with them stands in the files of the rules, solvers/lista.c and so on; docs/derivations/lista.md derives the
 * way back. All but ada-lista are made for one matrix, which the model keeps: l2o_model_fit_problem(). A sum of vector-Jacobian
 * products is laid out as the parameters, up to the first constant. */
#ifndef L2O_NN_UNROLLED_H
#define L2O_NN_UNROLLED_H
#include "nn/model.h"

/* The table of such a model. */
typedef struct l2o_unrolled {
  size_t layers, m, n;                /* n = 0: any */
  const l2o_real *first, *second;     /* the matrices in the order above; second NULL: there is one */
  size_t first_stride, second_stride; /* reals from layer to layer; 0: shared */
  const l2o_real *theta, *gamma;      /* (K); gamma NULL: 1 */
  const l2o_real *A;                  /* (m, n), zero before it is known; NULL: the model is for every matrix */
  double p, p_max;                    /* per cent of the entries that layer k leaves as they are: min(p (k + 1), p_max) */
} l2o_unrolled;

/* One layer; what is NULL above is NULL here. */
typedef struct l2o_unrolled_layer {
  const l2o_real *first, *second, *theta, *gamma;
  double share; /* p_k / 100 */
} l2o_unrolled_layer;

const l2o_unrolled *l2o_unrolled_of(const l2o_model *model);
/* Layer min(k, K - 1): iterations beyond the last layer repeat it. */
l2o_unrolled_layer l2o_unrolled_at(const l2o_unrolled *u, size_t k);

/* W (m, n) of least |W'A|_F with w_j'a_j = 1 for every column j (Liu, Chen, Wang, Yin, ICLR 2019; there by projected gradients):
 *   w_j = (A A')^-1 a_j / (a_j'(A A')^-1 a_j),  m <= n;   W = A (A'A)^-1 beyond, where W'A = I
 * and the largest eigenvalue of W'A. Allocates. L2O_ERR_NUMERIC and a sentence that begins with `name` where a column is zero, or A
 * not of full rank. */
l2o_status l2o_analytic_weight(double *W, double *largest, const double *A, size_t m, size_t n, const char *name, l2o_diag *diag);
#endif
