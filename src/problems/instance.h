/* SPDX-License-Identifier: BSD-3-Clause */
/* Instances that are a matrix, mostly with a vector: what their families hold, share and keep in files. A family says once, in an
 * l2o_instance_kind, what its arrays are called and which operations they have; making an instance from a caller's arrays, from
 * room of its own, from the rows of a file or from a data set is the same for all of them. Rows that belong to classes have a
 * header of their own, classification.h. */
#ifndef L2O_PROBLEMS_INSTANCE_H
#define L2O_PROBLEMS_INSTANCE_H
#include "problems/families.h"

/* p->data of such a problem. What an instance owns stands in one block that begins with this. */
typedef struct l2o_instance {
  const l2o_real *matrix, *vector, *start; /* (rows, n), (rows), (n) or NULL: start at zero */
  const size_t *label; /* (rows), below classes; of families that tell classes apart. Of two, the matrix has its rows times -1, 1 */
  double ridge, l1;    /* weights of 1/2 |x|^2 and of |x|_1 */
  double lipschitz;    /* of the smooth part's gradient, ridge included */
  double trace;        /* of the Hessian at most, ridge included; of families with l2o_instance_trace() */
  double minimum;      /* not-a-number: to be computed when asked for */
  size_t rows, classes;
  l2o_states states; /* borrowed; no layers: there are none */
} l2o_instance;

typedef struct l2o_instance_kind {
  const char *name;            /* of the family, and in sentences */
  const char *matrix, *vector; /* names of the arrays */
  const char *ridge, *l1;      /* names of the weights in a file; NULL: the family has none */
  double usual_l1;             /* of a file that does not say */
  bool square;                 /* the matrix must be square and symmetric, and its constant positive */
  bool atoms;                  /* of a file: no column of the matrix may be zero */
  bool labels;                 /* the vector is of labels -1 and 1, which instances keep multiplied into their rows */
  /* Lipschitz constant of the gradient without the ridge */
  l2o_status (*constant)(double *constant, const l2o_real *matrix, size_t rows, size_t n);
  /* Makes the instance of a row of a file, whose arrays may be borrowed and whose `lipschitz` is that constant. NULL:
   * l2o_instance_new(). */
  l2o_status (*make)(l2o_problem *out, const l2o_instance *arrays, size_t n, l2o_diag *diag);
  const l2o_problem_ops *ops;
} l2o_instance_kind;

/* ---- operations that fit every kind ---- */

l2o_status l2o_instance_lipschitz(const l2o_problem *p, double *constant);
l2o_status l2o_instance_start(const l2o_problem *p, l2o_real *x0);
l2o_status l2o_instance_states(const l2o_problem *p, l2o_states *states);
void l2o_instance_free(l2o_problem *p);
#define L2O_INSTANCE_OPERATIONS                                                                                                    \
  .struct_size = sizeof(l2o_problem_ops), .lipschitz = l2o_instance_lipschitz, .start = l2o_instance_start,                        \
  .states = l2o_instance_states, .free = l2o_instance_free

l2o_status l2o_instance_trace(const l2o_problem *p, double *trace);
size_t l2o_instance_summands(const l2o_problem *p); /* one a row */
/* ridge/2 |x|^2; g += ridge x */
double l2o_instance_ridge(const l2o_problem *p, const l2o_real *x);
void l2o_instance_add_ridge(const l2o_problem *p, l2o_real *g, const l2o_real *x);

/* h(x) = l1 |x|_1 */
l2o_status l2o_instance_nonsmooth(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x);
l2o_status l2o_instance_subdifferential(const l2o_problem *p, l2o_real *low, l2o_real *high, const l2o_real *x);
l2o_status l2o_instance_prox(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work);
l2o_status l2o_instance_prox_vjp(const l2o_problem *p, l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau,
                                 const l2o_real *dout, l2o_real *work);
#define L2O_L1_OPERATIONS                                                                                                          \
  .nonsmooth = l2o_instance_nonsmooth, .subdifferential = l2o_instance_subdifferential, .prox = l2o_instance_prox,                 \
  .prox_vjp = l2o_instance_prox_vjp

/* ---- the smooth part f(x) = 1/2 |A x - b|^2 + ridge/2 |x|^2 (squares.c) ---- */

size_t l2o_squares_work_len(const l2o_problem *p);
l2o_status l2o_squares_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work);
l2o_status l2o_squares_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work);
l2o_status l2o_squares_hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work);
bool l2o_squares_together(const l2o_problem *a, const l2o_problem *b); /* one matrix, one ridge */
l2o_status l2o_squares_gradient_many(const l2o_problem *const *p, size_t count, double *f, l2o_real *const *g,
                                     const l2o_real *const *x, l2o_real *const *work);
l2o_status l2o_squares_hessian_vector_many(const l2o_problem *const *p, size_t count, l2o_real *const *hv, const l2o_real *const *x,
                                           const l2o_real *const *v, l2o_real *const *work);
l2o_status l2o_squares_hessian(const l2o_problem *p, l2o_real *packed);
size_t l2o_squares_hessian_reads(const l2o_problem *p);
l2o_status l2o_squares_hessian_trace(const l2o_problem *p, double *trace);
l2o_status l2o_squares_partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                               l2o_real *work);
/* The arrays of a problem whose smooth part is this one; NULL for every other problem. */
const l2o_instance *l2o_squares_of(const l2o_problem *p);
/* of the smooth part alone: least squares have it, LASSO does not */
l2o_status l2o_squares_minimum(const l2o_problem *p, double *fstar, l2o_real *xstar);
/* |A|_2^2 in double from reals of either precision */
l2o_status l2o_squares_constant(double *constant, const l2o_real *A, size_t rows, size_t n);
/* For samplers. A (rows, n): every column scaled to unit 2-norm; a zero one stays. */
void l2o_unit_columns(double *A, size_t rows, size_t n);
/* b = A x */
void l2o_squares_apply(l2o_real *b, const l2o_real *A, const double *x, size_t rows, size_t n);
/* stored = A, b = A x + noise with A as it is stored; noise (rows) may be NULL */
void l2o_squares_fill(l2o_real *stored, l2o_real *b, const double *A, const double *x, const double *noise, size_t rows, size_t n);
#define L2O_SQUARES_OPERATIONS                                                                                                     \
  L2O_INSTANCE_OPERATIONS, .work_len = l2o_squares_work_len, .value = l2o_squares_value, .gradient = l2o_squares_gradient,         \
                           .hessian_vector = l2o_squares_hessian_vector, .summands = l2o_instance_summands,                        \
                           .partial = l2o_squares_partial, .hessian_trace = l2o_squares_hessian_trace,                             \
                           .together = l2o_squares_together, .gradient_many = l2o_squares_gradient_many,                           \
                           .hessian_vector_many = l2o_squares_hessian_vector_many, .hessian = l2o_squares_hessian,                 \
                           .hessian_reads = l2o_squares_hessian_reads

/* ---- making instances (instance.c) ---- */

/* From a caller's arrays, which are borrowed and are checked here. `arrays->lipschitz` is the constant without the ridge, or 0 to
 * have it computed. */
l2o_status l2o_instance_new(l2o_problem *out, const l2o_instance_kind *kind, const l2o_instance *arrays, size_t n, l2o_diag *diag);
/* An instance with room for its arrays in one block, all zero: the caller fills them through the three pointers. Each of these may
 * be NULL: there is no such array, or it is borrowed from elsewhere. NULL when out of memory. */
l2o_instance *l2o_instance_room(l2o_real **matrix, l2o_real **vector, l2o_real **start, size_t rows, size_t n);
/* Makes the problem of a filled room: computes the constant where it is 0, and frees the room on failure. */
l2o_status l2o_instance_finish(l2o_problem *out, const l2o_instance_kind *kind, l2o_instance *room, size_t n);

/* `free` of a family that is one block. */
void l2o_family_release(l2o_family *family);

/* ---- families that are not sampled (instance_file.c) ---- */

/* The rows of a file: `matrix` [B,rows,n], or [rows,n] shared by all; `vector` [B,rows] or [B,rows,1]; optional `x0` [B,n] or
 * [B,n,1], `fstar` [B], `h0` and `c0` [layers, B n, hidden], and the weights, [B] or one for all; anything else in the file is left
 * alone. Everything must be finite. */
l2o_status l2o_instances_open(l2o_family **out, const l2o_instance_kind *kind, const char *path, l2o_diag *diag);
/* Writes such a file, with the minima if every instance has one; the matrix is stored once where all instances share it. */
l2o_status l2o_instances_save(const l2o_instance_kind *kind, const l2o_problem *instances, size_t count, const char *path,
                              l2o_diag *diag);
/* A size that the user gave, or 0 where it is the option's default. */
static inline size_t l2o_size_given(const l2o_option *option, double value) {
  return value == option->initial ? 0 : (size_t)value;
}
/* Are there as many rows and features as the user asked for? 0: any number. L2O_ERR_SHAPE and a sentence if not. */
l2o_status l2o_data_fits(const char *name, const l2o_dataset *data, size_t rows, size_t features, l2o_diag *diag);
/* The one instance that a data set is: matrix = features, vector = labels. Takes the data over on success. */
l2o_status l2o_instances_from_data(l2o_family **out, const l2o_instance_kind *kind, l2o_dataset *data, double ridge, double l1,
                                   l2o_diag *diag);
#endif
