/* SPDX-License-Identifier: BSD-3-Clause */
/** @file family.h
 *  A family: a distribution of problems, sampled by (seed, index), or read from a file.
 *
 *  A family of your own is one callback; see examples/own_family.c. */
#ifndef L2O_FAMILY_H
#define L2O_FAMILY_H
#include <l2o/data.h>
#include <l2o/problem.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct l2o_family l2o_family;

/** A distribution of problems. Fill it yourself for a family of your own (struct_size, name, n, sample, data), or get one of
 *  the library's by l2o_family_new() or l2o_family_open(). `const`: threads sample from one family at the same time. */
struct l2o_family {
  size_t struct_size; /**< sizeof(l2o_family) */
  const char *name;
  size_t n;     /**< unknowns of every instance; 0: they differ */
  size_t count; /**< instances there are (a file); 0: without limit */
  /** Makes instance `index` of `seed`: the same arguments always give the same instance. The caller frees it with
   *  l2o_problem_free(); it may borrow from the family, which outlives it. */
  l2o_status (*sample)(const l2o_family *family, l2o_problem *out, uint64_t seed, uint64_t index, l2o_diag *diag);
  const void *data;                 /**< handed to `sample` unread */
  bool plain_seeds;                 /**< take seeds as written, without separating purposes (samplers that replay published data) */
  void (*free)(l2o_family *family); /**< set by the library for its own families */
  const char *note;                 /**< what a reader of results should know of the data, one line, or NULL */
};

/** A kind of family that the library knows by name. */
typedef struct l2o_family_type {
  const char *name;
  const char *meaning;
  const l2o_option *options; /**< ends with a NULL name */
  const char *gap;           /**< customary gap of reports: "relative", "absolute" or "initial" */
  l2o_status (*create)(l2o_family **out, const double *options, l2o_diag *diag);
  l2o_status (*open)(l2o_family **out, const char *path, l2o_diag *diag); /**< NULL: has no instance files */
  l2o_status (*save)(const l2o_problem *instances, size_t count, const char *path, l2o_diag *diag);
  /** Makes a family from real data, and takes the data set over if that succeeds; NULL: samples only. */
  l2o_status (*create_from)(l2o_family **out, const double *options, l2o_dataset *data, l2o_diag *diag);
  const char *maximised; /**< the objective is minus this quantity, by which name tables show it; NULL: it is what it is */
  const char *unit;      /**< of that quantity */
} l2o_family_type;

/** Every kind of family, ending with NULL. */
L2O_API const l2o_family_type *const *l2o_family_types(void);
/** The kind of that name; NULL and a sentence that suggests the nearest name if there is none. */
L2O_API const l2o_family_type *l2o_family_type_find(const char *name, l2o_diag *diag);

/** A family from a specification "name" or "name:key=value,...", for instance "qp:n=32,m=20". */
L2O_API l2o_status l2o_family_new(l2o_family **out, const char *spec, l2o_diag *diag);
/** A family from real data: the file is read by l2o_dataset_read(). "logistic:l2=1e-3" and "spambase.libsvm", for instance.
 *  @return L2O_ERR_NOTSUP for a family that takes no data; the reader's status if the file cannot be read. */
L2O_API l2o_status l2o_family_new_data(l2o_family **out, const char *spec, const char *path, l2o_diag *diag);
/** The same from a data set in memory (l2o_dataset_new(), or one that was read and changed).
 *  @param data  the family's own on L2O_OK, to be freed with it; the caller's still on failure. */
L2O_API l2o_status l2o_family_new_from(l2o_family **out, const char *spec, l2o_dataset *data, l2o_diag *diag);
/** The instances of a safetensors file: instance i is row i modulo the number of rows, whatever the seed.
 *  qp: `W` [B,m,n] or one [m,n] shared by all, `Y` [B,m] or [B,m,1], optional `x0` [B,n] or [B,n,1], `fstar` [B].
 *  quadratic: `A` [B,n,n] or [n,n], `b` [B,n], optional `x0`, `fstar`.
 *  least-squares: `A` [B,m,n] or [m,n], `b` [B,m], optional `ridge` [B] or one for all (absent: 0), `x0`, `fstar`.
 *  All of them: optional states `h0`, `c0` [layers,B n,hidden] that recurrent rules begin with.
 *  lasso: as qp, and the weight of |x|_1 in `rho` [B] or one for all (absent: 0.1); no column of `W` may be zero.
 *  logistic: `A` [B,m,n] or [m,n], labels -1 and 1 in `b` [B,m], optional weights `l1`, `l2` [B] or one for all (absent: 0), `x0`,
 *  `fstar`.
 *  sum-rate: channels `H` [B,users of all cells,cells,rx,tx,2], real and imaginary parts last, optional `weights` [B,users] or
 *  [users] (absent: 1), `noise`, `power` [B] or one for all (absent: 1), `streams` (absent: the smaller of rx and tx), `x0` [B,n].
 */
L2O_API l2o_status l2o_family_open(l2o_family **out, const char *name, const char *path, l2o_diag *diag);
/** Writes instances 0..count-1 of (seed, purpose) to a file that l2o_family_open() reads back bit for bit, with their minima in
 *  `fstar` where all of them are known: who reads the file need not compute them. */
L2O_API l2o_status l2o_family_save(const l2o_family *family, const char *path, uint64_t seed, l2o_purpose purpose, size_t count,
                                   l2o_diag *diag);
/** The instances of another family out of distribution (Song, Lin, Wang, Xu, CVPR 2024): started at x_0 + start, and with
 *  F'(x) = F(x + function) in place of F = f + h. The minimum is the same and minimisers are x* - function; constants, Hessians and
 *  summands are the inner problem's, and so are the bits where function is 0. x_0 is not moved by -function.
 *  @param inner  the family's own on L2O_OK, to be freed with it; the caller's still on failure. Its first instance is sampled once
 *                here, to see what it has; an operation costs what it costs there, and a pass over x.
 *  @param start, function  added to every coordinate.
 *  @param published_prox  imitates the published code, whose shifted prox takes sign(x) for sign(x + function),
 *                prox(x) + function = sign(x) max(sign(x) (x + function) - l1 tau, 0), and converges to something else than the
 *                minimum; for problems with h = l1 |x|_1.
 *  @return L2O_ERR_ARG for a shift that is not finite or from which on x + shift holds no digit of x, 1 / epsilon;
 *          L2O_ERR_NOTSUP where the problem has an h that is not the library's l1 |x|_1 and `function` is not 0 or
 *          `published_prox` set; or what sampling answered. Instances borrow from the family. l2o_family_save() refuses it. */
L2O_API l2o_status l2o_family_shifted(l2o_family **out, l2o_family *inner, double start, double function, bool published_prox,
                                      l2o_diag *diag);
L2O_API void l2o_family_free(l2o_family *family);
/** Instance `index` of (seed, purpose): mixes the purpose into the seed (unless plain_seeds), calls `sample`, checks the answer.
 *  On failure `*out` is zeroed. */
L2O_API l2o_status l2o_family_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, l2o_purpose purpose, uint64_t index,
                                     l2o_diag *diag);

/** The problem f(x) = 1/2 |W x - y|^2 from the caller's arrays, which are borrowed and outlive it.
 *  @param W  (m, n) row-major.  @param y (m).  @param x0 (n) or NULL: start at zero.
 *  @param lipschitz  |W|_2^2 if the caller knows it (instances that share W), or 0: computed here, O(m n min(m,n)).
 *  @return L2O_ERR_NUMERIC when W, y or x0 holds a not-a-number or infinity, L2O_ERR_SHAPE when a size is 0. */
L2O_API l2o_status l2o_qp_new(l2o_problem *out, const l2o_real *W, const l2o_real *y, const l2o_real *x0, double lipschitz,
                              size_t m, size_t n, l2o_diag *diag);
/** The problem f(x) = 1/2 x'A x - b'x, A (n, n) symmetric positive definite (both triangles stored); otherwise as l2o_qp_new(). */
L2O_API l2o_status l2o_quadratic_new(l2o_problem *out, const l2o_real *A, const l2o_real *b, const l2o_real *x0, double lipschitz,
                                     size_t n, l2o_diag *diag);

/** The problem f(x) = 1/2 |A x - b|^2 + ridge/2 |x|^2, the mean of m summands m/2 (a_i'x - b_i)^2 + ridge/2 |x|^2.
 *  @param ridge  0 or more.  @param lipschitz  |A|_2^2, without the ridge, or 0.  Otherwise as l2o_qp_new(). */
L2O_API l2o_status l2o_least_squares_new(l2o_problem *out, const l2o_real *A, const l2o_real *b, const l2o_real *x0, double ridge,
                                         double lipschitz, size_t m, size_t n, l2o_diag *diag);
/** The composite problem F(x) = 1/2 |A x - y|^2 + l1 |x|_1. Its minimum is computed in double, by coordinate descent and exact
 * solves on the support, and is answered only where the conditions of a minimum hold to 1e-12; L2O_ERR_NOTSUP otherwise, and for n
 * > 20000.
 *  @param l1  more than 0.  Otherwise as l2o_qp_new(). */
L2O_API l2o_status l2o_lasso_new(l2o_problem *out, const l2o_real *A, const l2o_real *y, const l2o_real *x0, double l1,
                                 double lipschitz, size_t m, size_t n, l2o_diag *diag);

/** Sizes of a network of cells: complex channels H_uj (rx, tx) from base station j to user u, precoders V_u (tx, streams). Base
 *  station u / users serves user u. */
typedef struct l2o_sum_rate_sizes {
  size_t cells;   /**< base stations */
  size_t users;   /**< of each */
  size_t tx, rx;  /**< antennas of a base station, of a user */
  size_t streams; /**< of a user, at most tx and rx */
} l2o_sum_rate_sizes;
/** The weighted sum of rates, negated: f = -sum_u a_u R_u, R_u = log2 det(I + F_uu^H J_u^-1 F_uu) in bit/s/Hz, where
 *  F_uw = H_{u b(w)} V_w and J_u = noise I + sum_{w != u} F_uw F_uw^H; constrained to |V_j|_F^2 <= power for the precoders V_j of
 *  every base station j. The unknowns are V_0, V_1, ..., row-major, each complex number its real and its imaginary part.
 *  @param H  (cells users, cells, rx, tx, 2), copied.  @param weights  a (cells users), positive, or NULL: 1.
 *  @param x0  (2 cells users tx streams) or NULL: the first columns of H_u^H, |V_u|_F^2 = power / users.
 *  @param noise, power  positive.
 *  @return L2O_ERR_SHAPE for sizes that do not fit together; L2O_ERR_NUMERIC where H or x0 is not finite, or H is zero; L2O_ERR_ARG
 *          for a noise, a power or a weight that is not positive and finite. */
L2O_API l2o_status l2o_sum_rate_new(l2o_problem *out, const l2o_real *H, const l2o_real *weights, const l2o_real *x0, double noise,
                                    double power, const l2o_sum_rate_sizes *sizes, l2o_diag *diag);
/** The same problem in fewer dimensions, where base stations have more antennas than all users together, m = n rx < tx: with the
 *  channels of base station j stacked, H_j (m, tx) = L_j Q_j, Q_j Q_j^H = I, precoders are V_j = Q_j^H X_j, and L_j takes the place
 * of H_j. Rates, powers and what gradient rules and WMMSE do are the same, and cost what m antennas cost.
 *  @param out  a problem of its own, with tx = m, started where p's start is heard.
 *  @return L2O_ERR_NOTSUP where m >= tx or p is of another family, or what l2o_sum_rate_new() says.  Cost: O(n m (tx + m) rx
 * cells). */
L2O_API l2o_status l2o_sum_rate_reduced(l2o_problem *out, const l2o_problem *p, l2o_diag *diag);
/** x (unknowns of p) = V for the point y of its reduced problem, kept to the power budgets, which rounding may exceed.
 *  @return L2O_ERR_SHAPE where `reduced` does not belong to p; L2O_ERR_NOMEM.  Allocates. */
L2O_API l2o_status l2o_sum_rate_expand(l2o_real *x, const l2o_problem *p, const l2o_problem *reduced, const l2o_real *y);
/** The same of K links that disturb each other, over their powers 0 <= p_i <= power:
 *  f = -sum_i a_i log2(1 + G_ii p_i / (noise + sum_{j != i} G_ij p_j)).
 *  @param G  (links, links) gains from sender j to receiver i, none of them negative, copied.
 *  @param weights  a (links), positive, or NULL: 1.
 *  @param x0  (links) or NULL: full power.  @param noise, power  positive.
 *  @return as l2o_sum_rate_new(). */
L2O_API l2o_status l2o_power_control_new(l2o_problem *out, const l2o_real *G, const l2o_real *weights, const l2o_real *x0,
                                         double noise, double power, size_t links, l2o_diag *diag);

#ifdef __cplusplus
}
#endif
#endif
