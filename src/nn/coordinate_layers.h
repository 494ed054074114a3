/* SPDX-License-Identifier: BSD-3-Clause */
/* The layers of the coordinate-wise network, u (F) -> z = relu(u W1) -> a = relu(z W2) w3, forward and backward for n coordinates:
 * angular (F = 2) by a search in a table, a few coordinates at a time; dense (F = 1 or 2) as written, a few hidden units at a time.
 * Both in double, from reals to reals. What a coordinate gets depends on nothing but its own features: not on n, its place or its
 * neighbours. A feature that is not a number makes a not-a-number, an infinite one where z is infinite. */
#ifndef L2O_NN_COORDINATE_LAYERS_H
#define L2O_NN_COORDINATE_LAYERS_H
#include "core/vector.h"
#include "nn/angular.h"

/* Below it t counts as 0, and z is scaled up: products of two such numbers are still normal. */
#define L2O_ANGULAR_TINY 0x1p-500
/* Relative error of the quotient by which the bucket is found: the worst of the kernels'. */
#define L2O_QUOTIENT_ERROR 0x1p-13

/* n coordinates: their features, and W1, (2, 2) or (1, 1) by the features, in doubles; one feature: u1 is NULL. */
typedef struct l2o_coordinates {
  const l2o_real *u0, *u1; /* (n) */
  double w1[4];
  size_t n;
} l2o_coordinates;

/* What goes back into them: dL/da = factor slope o dp, where p = factor value, and value and its slope are functions of a. */
typedef struct l2o_coordinates_back {
  const l2o_real *dp, *slope, *value; /* (n) */
  double factor;
  double *dw1, *dfactor; /* added to: dW1, and sum of value dp */
  l2o_real *du0, *du1;   /* (n) added to; NULL: features are constants */
} l2o_coordinates_back;

/* a (n) by the table. places (n), unless it is NULL, gets the intervals, for the way back. */
L2O_KERNEL(void, l2o_angular_forward, (const l2o_angular *table, l2o_real *a, int32_t *places, const l2o_coordinates *c));
static inline void l2o_angular_forward(const l2o_angular *table, l2o_real *a, int32_t *places, const l2o_coordinates *c) {
  L2O_DISPATCH(l2o_angular_forward, (table, a, places, c));
}
/* Adds also to D (H + 1, 2), see l2o_angular_gradient(). */
L2O_KERNEL(void, l2o_angular_backward,
           (const l2o_angular *table, double (*D)[2], const l2o_coordinates_back *back, const int32_t *places,
            const l2o_coordinates *c));
static inline void l2o_angular_backward(const l2o_angular *table, double (*D)[2], const l2o_coordinates_back *back,
                                        const int32_t *places, const l2o_coordinates *c) {
  L2O_DISPATCH(l2o_angular_backward, (table, D, back, places, c));
}

/* The same from W2 (F, H) and w3 (H), and back to them. */
L2O_KERNEL(void, l2o_dense_forward, (l2o_real * a, const l2o_real *w2, const l2o_real *w3, size_t H, const l2o_coordinates *c));
static inline void l2o_dense_forward(l2o_real *a, const l2o_real *w2, const l2o_real *w3, size_t H, const l2o_coordinates *c) {
  L2O_DISPATCH(l2o_dense_forward, (a, w2, w3, H, c));
}
L2O_KERNEL(void, l2o_dense_backward,
           (double *dw2, double *dw3, const l2o_coordinates_back *back, const l2o_real *w2, const l2o_real *w3, size_t H,
            const l2o_coordinates *c));
static inline void l2o_dense_backward(double *dw2, double *dw3, const l2o_coordinates_back *back, const l2o_real *w2,
                                      const l2o_real *w3, size_t H, const l2o_coordinates *c) {
  L2O_DISPATCH(l2o_dense_backward, (dw2, dw3, back, w2, w3, H, c));
}
#endif
