/* SPDX-License-Identifier: BSD-3-Clause */
/** @file problem.h
 *  A problem: ONE instance of "minimise f(x), x in R^n", as a table of operations and a pointer to its data.
 *
 *  A function of your own takes five lines:
 *  @code
 *  static l2o_status f(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work)
 *  { (void)p; (void)work; *f = ...; g[0] = ...; return L2O_OK; }
 *  static const l2o_problem_ops ops = {.struct_size = sizeof ops, .name = "mine", .gradient = f};
 *  l2o_problem problem = {.ops = &ops, .n = 2};
 *  @endcode */
#ifndef L2O_PROBLEM_H
#define L2O_PROBLEM_H
#include <l2o/base.h>
#include <l2o/random.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct l2o_problem l2o_problem;

/** The operations of a problem. `value` or `gradient` is required, the rest may be NULL. All of them only read the problem, so
 *  many threads may use one problem, each with its own `work`. Not-a-number and infinity are ordinary answers; a status other
 *  than L2O_OK ends the run with L2O_ERR_CALLBACK. */
typedef struct l2o_problem_ops {
  size_t struct_size; /**< sizeof(l2o_problem_ops): lets an old caller meet a newer library */
  const char *name;
  /** Reals of scratch that the calls below need in `work`; NULL: none. */
  size_t (*work_len)(const l2o_problem *p);
  /** f = f(x). NULL: taken from `gradient`. */
  l2o_status (*value)(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work);
  /** g = grad f(x), written whole, and f = f(x). Neither f nor g is NULL. */
  l2o_status (*gradient)(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work);
  /** hv = (Hessian of f at x) v. hv does not overlap v. */
  l2o_status (*hessian_vector)(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v, l2o_real *work);
  /** A Lipschitz constant of the gradient: its inverse is the step of gradient descent. */
  l2o_status (*lipschitz)(const l2o_problem *p, double *constant);
  /** fstar = min f, and a minimiser in xstar unless that is NULL. May allocate. */
  l2o_status (*minimum)(const l2o_problem *p, double *fstar, l2o_real *xstar);
  /** The customary start; NULL: zero. */
  l2o_status (*start)(const l2o_problem *p, l2o_real *x0);
  /** Frees p->data; NULL: the data is somebody else's. Called by l2o_problem_free(). */
  void (*free)(l2o_problem *p);
} l2o_problem_ops;

struct l2o_problem {
  const l2o_problem_ops *ops;
  const void *data; /**< handed to the operations unread */
  size_t n;         /**< number of unknowns, at least 1 */
};

/** Frees what the problem owns and zeroes it. NULL and an already freed problem are fine. */
L2O_API void l2o_problem_free(l2o_problem *p);
/** Is there such an operation? */
L2O_API bool l2o_problem_has_gradient(const l2o_problem *p);
L2O_API bool l2o_problem_has_hessian_vector(const l2o_problem *p);
L2O_API bool l2o_problem_has_minimum(const l2o_problem *p);
L2O_API size_t l2o_problem_work_len(const l2o_problem *p);
L2O_API const char *l2o_problem_name(const l2o_problem *p);

/** f(x). `work` has l2o_problem_work_len() reals. @return L2O_ERR_CALLBACK if the operation failed. Never allocates. */
L2O_API l2o_status l2o_problem_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work);
/** f(x) and its gradient. @return L2O_ERR_NOTSUP without the operation, L2O_ERR_CALLBACK if it failed (g is then unspecified). */
L2O_API l2o_status l2o_problem_gradient(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, l2o_real *work);
/** Hessian-vector product: the problem's own, or else by central differences of the gradient,
 *  hv = (grad f(x + e v) - grad f(x - e v)) / 2e with e = eps^(1/3) (1 + |x|) / |v|; then `work` needs
 *  l2o_problem_hessian_work_len() reals. Cost: one product, or two gradients. */
L2O_API l2o_status l2o_problem_hessian_vector(const l2o_problem *p, l2o_real *hv, const l2o_real *x, const l2o_real *v,
                                              l2o_real *work);
L2O_API size_t l2o_problem_hessian_work_len(const l2o_problem *p);
/** Lipschitz constant of the gradient. @return L2O_ERR_NOTSUP when unknown, L2O_ERR_NUMERIC when not positive and finite. */
L2O_API l2o_status l2o_problem_lipschitz(const l2o_problem *p, double *constant);
/** Known minimum. @return L2O_ERR_NOTSUP when unknown. */
L2O_API l2o_status l2o_problem_minimum(const l2o_problem *p, double *fstar, l2o_real *xstar);
/** The customary start of the problem into x0[n]. */
L2O_API l2o_status l2o_problem_start(const l2o_problem *p, l2o_real *x0);

/** Compares gradient and Hessian-vector product at x with central differences.
 *  @param gradient_error  largest |g_i - difference_i| / max_j |g_j| over all coordinates.
 *  @param hessian_error   the same for H v, v random from `seed`; may be NULL. 0 where the problem has no such operation.
 *  Allocates; costs 2n values. Meaningful in double precision: with floats the differences carry about 1e-2. */
L2O_API l2o_status l2o_problem_check(const l2o_problem *p, double *gradient_error, double *hessian_error, const l2o_real *x,
                                     uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
