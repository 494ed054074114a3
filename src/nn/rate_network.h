/* SPDX-License-Identifier: BSD-3-Clause */
/* The network behind the steps of learned rules for sums of rates: a graph network over the users, who share its weights, so that
 * it is of no size (after Song et al., INFOCOM 2024, whose solution is unrolled with graph networks). User u has features phi_u, a
 * pair of users features e_uw of what u hears of w; h units in every layer:
 *
 *   m_u = 1/(n-1) sum_{w != u} relu(A phi_w + B e_uw + c)
 *   y_u = relu(W2 relu(W1 [phi_u, m_u] + b1) + b2)
 *   o_u = W3 y_u + bias_k        of layer k; iterations beyond the last one repeat it
 *
 * W3 and bias are zero at first. All features are constants for the derivative. What belongs to a user stands abreast, a user a
 * lane (core/complex_small.h): arrays (count, lanes). */
#ifndef L2O_NN_RATE_NETWORK_H
#define L2O_NN_RATE_NETWORK_H
#include "core/complex_small.h"
#include "nn/rate_lift.h"

enum { L2O_RATE_NODE = 11, L2O_RATE_EDGE = 3, L2O_RATE_PRODUCTS_MAX = 3 };

/* Outputs, in this order: the step; momentum; a factor of each power of D; steps in the learned directions. */
typedef struct l2o_rate_network {
  size_t layers, hidden, outputs;
  bool network;    /* false: bias_k alone */
  bool bounded;    /* steps 2 sigmoid(o), else exp(o) */
  bool momentum;   /* output 1 */
  bool safe;       /* one step a base station: the mean of its users' outputs */
  size_t products; /* powers of D */
  bool scaled;     /* are steps divided by lambda, */
  int bound;       /* this bound of the curvature, a l2o_rate_bound (problems/sum_rate.h)? */
  double step;     /* factor of steps */
  bool shared;     /* one network for all layers, or one a layer */
  const l2o_real *A, *B, *c, *W1, *b1, *W2, *b2, *W3, *bias; /* the first layer's */
  l2o_rate_lift lift;
} l2o_rate_network;

const l2o_rate_network *l2o_rate_network_of(const l2o_model *model);
/* Where the outputs begin that the powers of D and the learned directions have. */
static inline size_t l2o_rate_product_output(const l2o_rate_network *net) {
  return 1 + net->momentum;
}
static inline size_t l2o_rate_direction_output(const l2o_rate_network *net) {
  return l2o_rate_product_output(net) + net->products;
}

/* Reals of the record of n users. */
size_t l2o_rate_record_len(const l2o_rate_network *net, size_t n);
/* o (outputs, lanes) of layer k from phi (L2O_RATE_NODE, lanes) and edges (L2O_RATE_EDGE, n, lanes), row w of which is about w. */
void l2o_rate_network_forward(const l2o_rate_network *net, l2o_real *o, l2o_real *record, const l2o_real *phi,
                              const l2o_real *edges, size_t k, size_t n);
/* Adds dL/dparameters to `sum`, which is in the model's order, from d_o = dL/do. */
void l2o_rate_network_backward(const l2o_model *model, double *sum, const l2o_real *d_o, l2o_real *record, const l2o_real *phi,
                               const l2o_real *edges, size_t k, size_t n);

/* y = 1/4 ln(x + 1e-6), x >= 0: features of any scale. y may be x. */
L2O_KERNEL(void, l2o_rate_log, (l2o_real * y, const l2o_real *x, size_t n));
static inline void l2o_rate_log(l2o_real *y, const l2o_real *x, size_t n) {
  L2O_DISPATCH(l2o_rate_log, (y, x, n));
}

/* Of each user, in the rows of out (L2O_RATE_MOMENTS, lanes), with v = x - before, all of them (users, entries):
 *   <x, x>, <g, g>, <x, g>, <v, v>, <v, g>, <t, t>, <t, r>      before, or t and r, may be NULL: 0 */
enum { L2O_RATE_MOMENTS = 7 };
L2O_KERNEL(void, l2o_rate_moments,
           (l2o_real * out, const l2o_real *x, const l2o_real *before, const l2o_real *g, const l2o_real *t, const l2o_real *r,
            size_t entries, size_t n));
/* out = a x + b y; y may be NULL, out may be x or y */
L2O_KERNEL(void, l2o_rate_blend, (l2o_real * out, l2o_real a, const l2o_real *x, l2o_real b, const l2o_real *y, size_t n));
/* out (entries) = x - s g + sum_k c_k R_k + beta (x - before), R_k = R + k apart, c_k = c[k lanes], k < count; before may be NULL
 */
typedef struct l2o_rate_update {
  const l2o_real *x, *g, *before, *R, *c;
  l2o_real s, beta;
  size_t count, apart, lanes;
} l2o_rate_update;
L2O_KERNEL(void, l2o_rate_move, (l2o_real * out, const l2o_rate_update *update, size_t entries));
/* out (count, lanes): sums of squares of `entries` complex numbers abreast */
L2O_KERNEL(void, l2o_rate_squares, (l2o_real * out, const l2o_real *F, size_t entries, size_t count, size_t n));

/* ---- kernels of the network ---- */
/* y (rows, lanes) = relu(W x + b) or W x + b, x (columns, lanes); W (rows, stride) from its first column on. add: added to y */
L2O_KERNEL(void, l2o_rate_dense,
           (l2o_real * y, const l2o_real *W, size_t stride, const l2o_real *b, const l2o_real *x, size_t rows, size_t columns,
            bool add, bool relu, size_t n));
/* messages (h, lanes), a = A phi */
L2O_KERNEL(void, l2o_rate_messages,
           (l2o_real * m, const l2o_real *a, const l2o_real *B, const l2o_real *c, const l2o_real *edges, size_t h, size_t n));
/* dW (rows, stride) += dy x' summed over the users; db += sum dy unless NULL */
L2O_KERNEL(void, l2o_rate_outer_sums,
           (double *dW, size_t stride, double *db, const l2o_real *dy, const l2o_real *x, size_t rows, size_t columns, size_t n));
/* dx (columns, lanes) = W' dy, zero where `active` (columns, lanes; or NULL) is not positive */
L2O_KERNEL(void, l2o_rate_dense_back,
           (l2o_real * dx, const l2o_real *W, size_t stride, const l2o_real *dy, const l2o_real *active, size_t rows,
            size_t columns, size_t n));
/* da (h, lanes), dB, dc from dm */
L2O_KERNEL(void, l2o_rate_messages_back,
           (l2o_real * da, double *dB, double *dc, const l2o_real *dm, const l2o_real *a, const l2o_real *B, const l2o_real *c,
            const l2o_real *edges, size_t h, size_t n));
#endif
