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
 *  @endcode
 *
 *  Beyond smooth functions a problem may be
 *  - composite: minimise F = f + h with f smooth (value, gradient, ... below are f's) and h simple: `nonsmooth` and `prox`;
 *  - constrained to a convex set: `project`; for bounds there is l2o_problem_bounded();
 *  - a sum f = 1/N sum_i f_i: `summands` and `partial`, for solvers that take minibatches;
 *  - made of layers: `blocks` names the parts of x, and `forward` computes f while a solver watches what goes into the layers and
 * says which weights they are to take. To every other solver x is one vector. */
#ifndef L2O_PROBLEM_H
#define L2O_PROBLEM_H
#include <l2o/base.h>
#include <l2o/random.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct l2o_problem l2o_problem;

/** Where a recurrent rule begins on a problem: h and c (layers, n, hidden) of its network, row-major, which belong to the problem.
 */
typedef struct l2o_states {
  size_t layers, hidden;
  const l2o_real *h, *c;
} l2o_states;

/** What a part of x does. */
typedef enum l2o_block_kind {
  L2O_BLOCK_LINEAR = 0, /**< the weight W (rows, columns) of y = W h */
  L2O_BLOCK_TABLE = 1,  /**< (rows, columns), of which single rows are looked up: an embedding, also where it serves as the last
                             layer too */
  L2O_BLOCK_OTHER = 2   /**< gains, biases and what else there is */
} l2o_block_kind;

/** A part of x with a name. All blocks, in order, cover x without gaps. */
typedef struct l2o_block {
  const char *name; /**< as in files of weights */
  l2o_block_kind kind;
  size_t offset;        /**< it begins at x + offset */
  size_t rows, columns; /**< row-major, rows next to each other; a vector has one row */
  size_t rank;          /**< of its shape in files: 1 (columns), 2 (rows, columns) */
  size_t input;         /**< of a linear block: the first block that has the same input; several may share one */
  size_t uses;          /**< of a linear block: most rows of input that one summand makes; of a table: most lookups */
} l2o_block;

/** What a solver sees and changes of one forward pass. Either function may be NULL; a status other than L2O_OK ends the pass. */
typedef struct l2o_pass {
  /** Called just before the first linear block of those that share an input is applied, with its number, X (count, columns), a row
   *  for every sample or token of the whole minibatch and `stride` reals from row to row, and rows = NULL; and for a table, with X
   * = NULL and the rows[count] that are looked up, which may repeat. Once a pass each. Both arrays are valid during the call. */
  l2o_status (*watch)(void *context, size_t block, const l2o_real *X, const size_t *rows, size_t count, size_t stride);
  /** Rows first, ..., first + count - 1 of a block as this pass is to take them, into out (count, columns): called just before they
   *  are used, and again each time they are. NULL: those of x. */
  l2o_status (*weights)(void *context, l2o_real *out, size_t block, size_t first, size_t count);
  void *context;
} l2o_pass;

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
  /** fstar = min f (min F where composite), and a minimiser in xstar unless that is NULL. May allocate. */
  l2o_status (*minimum)(const l2o_problem *p, double *fstar, l2o_real *xstar);
  /** The customary start; NULL: zero. */
  l2o_status (*start)(const l2o_problem *p, l2o_real *x0);
  /** Frees p->data; NULL: the data is somebody else's. Called by l2o_problem_free(). */
  void (*free)(l2o_problem *p);
  /** Composite problems: h(x), and one of its subgradients in s unless that is NULL. A problem that has a prox alone has h = 0. */
  l2o_status (*nonsmooth)(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x);
  /** out = argmin_z h(z) + sum_i (z_i - x_i)^2 / (2 tau_i), tau (n) positive; out may be x. Solvers that take the prox need it; a
   *  problem that is constrained too puts the constraint into h here. */
  l2o_status (*prox)(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work);
  /** Derivative of the prox at (x, tau): dx += (d out / d x)' dout, dtau += (d out / d tau)' dout; dtau may be NULL. */
  l2o_status (*prox_vjp)(const l2o_problem *p, l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau,
                         const l2o_real *dout, l2o_real *work);
  /** Constrained problems: out = the nearest point of the set to x; out may be x. */
  l2o_status (*project)(const l2o_problem *p, l2o_real *out, const l2o_real *x, l2o_real *work);
  /** Sums: the number N of summands in f = 1/N sum_i f_i. */
  size_t (*summands)(const l2o_problem *p);
  /** f = 1/count sum f_i over i in rows[count], entries below N that may repeat, and the same of the gradient in g unless that is
   *  NULL. */
  l2o_status (*partial)(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows, size_t count,
                        l2o_real *work);
  /** An upper bound, over all x, of the trace of the Hessian: zeroth-order methods take larger steps where it is below n L. */
  l2o_status (*hessian_trace)(const l2o_problem *p, double *trace);
  /** Do a and b, which have the same operations and the same n, read the same large data (one matrix with many right-hand sides for
   *  instance), so that the two calls below may take them together? Symmetric and transitive; then `hessian`, too, is the same. */
  bool (*together)(const l2o_problem *a, const l2o_problem *b);
  /** f[i] and g[i] of p[i] at x[i] for `count` problems that belong together: the numbers that `gradient` gives, bit for bit, in
   * fewer passes over the shared data. work[i] as for `gradient`. */
  l2o_status (*gradient_many)(const l2o_problem *const *p, size_t count, double *f, l2o_real *const *g, const l2o_real *const *x,
                              l2o_real *const *work);
  /** The same for hv[i] = (Hessian of p[i] at x[i]) v[i]. */
  l2o_status (*hessian_vector_many)(const l2o_problem *const *p, size_t count, l2o_real *const *hv, const l2o_real *const *x,
                                    const l2o_real *const *v, l2o_real *const *work);
  /** Quadratics: the Hessian, which does not depend on x, as its upper triangle row by row: n(n+1)/2 reals. May allocate. */
  l2o_status (*hessian)(const l2o_problem *p, l2o_real *packed);
  /** Reals that one `hessian_vector` reads. Where l2o_problem_prefers_hessian() says so, training keeps `hessian`
   *  and multiplies by it. */
  size_t (*hessian_reads)(const l2o_problem *p);
  /** Composite problems whose h is a sum over the coordinates: the ends of the subdifferential [low_i, high_i] of its terms at x;
   * an end that is infinite is given as 0. */
  l2o_status (*subdifferential)(const l2o_problem *p, l2o_real *low, l2o_real *high, const l2o_real *x);
  /** States that recurrent rules begin with, whatever their model's `state` says; L2O_ERR_NOTSUP: this problem has none after all.
   */
  l2o_status (*states)(const l2o_problem *p, l2o_states *states);
  /** Derivative of the projection at x: dx += (d out / d x)' dout. */
  l2o_status (*project_vjp)(const l2o_problem *p, l2o_real *dx, const l2o_real *x, const l2o_real *dout, l2o_real *work);
  /** Layered problems, which are sums: the parts of x, `count` of them. */
  const l2o_block *(*blocks)(const l2o_problem *p, size_t *count);
  /** f = 1/count sum f_i over i in rows[count] (NULL: 0, 1, ..., count - 1), as `partial` gives it, by one forward pass of all of
   * them together, which keeps the activations of one layer at a time. x is only read. work: forward_work_len(p, count). */
  l2o_status (*forward)(const l2o_problem *p, double *f, const l2o_real *x, const size_t *rows, size_t count, const l2o_pass *pass,
                        l2o_real *work);
  size_t (*forward_work_len)(const l2o_problem *p, size_t count);
  /** Reals of scratch that `value` needs, at most those of work_len; NULL: as many. */
  size_t (*value_work_len)(const l2o_problem *p);
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
/** The same where nothing but l2o_problem_value() is called. */
L2O_API size_t l2o_problem_value_work_len(const l2o_problem *p);
L2O_API const char *l2o_problem_name(const l2o_problem *p);

/** Is there a nonsmooth part h (composite), a set to stay in (constrained)? */
L2O_API bool l2o_problem_is_composite(const l2o_problem *p);
L2O_API bool l2o_problem_has_prox(const l2o_problem *p);
L2O_API bool l2o_problem_is_constrained(const l2o_problem *p);
/** Number of summands that minibatches are drawn from; 0: f is no sum. */
L2O_API size_t l2o_problem_summands(const l2o_problem *p);

/** f(x), the smooth part where composite. `work` has l2o_problem_work_len() reals. @return L2O_ERR_CALLBACK if the operation
 * failed. Never allocates. */
L2O_API l2o_status l2o_problem_value(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work);
/** The objective F(x) = f(x) + h(x). @return as l2o_problem_value(). */
L2O_API l2o_status l2o_problem_objective(const l2o_problem *p, double *f, const l2o_real *x, l2o_real *work);
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
/** The states that recurrent rules begin with. @return L2O_ERR_NOTSUP where the problem has none. */
L2O_API l2o_status l2o_problem_states(const l2o_problem *p, l2o_states *states);

/** h(x), 0 where not composite, and a subgradient in s unless that is NULL. */
L2O_API l2o_status l2o_problem_nonsmooth(const l2o_problem *p, double *h, l2o_real *s, const l2o_real *x);
/** The ends of the subdifferential of h at x, coordinate by coordinate; where the problem does not say, both are the subgradient of
 *  l2o_problem_nonsmooth(). */
L2O_API l2o_status l2o_problem_subdifferential(const l2o_problem *p, l2o_real *low, l2o_real *high, const l2o_real *x);
/** out = argmin_z h(z) + sum_i (z_i - x_i)^2 / (2 tau_i); the projection where the problem is only constrained, a copy where it is
 *  neither. out may be x. */
L2O_API l2o_status l2o_problem_prox(const l2o_problem *p, l2o_real *out, const l2o_real *x, const l2o_real *tau, l2o_real *work);
/** dx += (d out / d x)' dout, dtau (may be NULL) += (d out / d tau)' dout. @return L2O_ERR_NOTSUP where the prox has no derivative.
 */
L2O_API l2o_status l2o_problem_prox_vjp(const l2o_problem *p, l2o_real *dx, l2o_real *dtau, const l2o_real *x, const l2o_real *tau,
                                        const l2o_real *dout, l2o_real *work);
/** out = the nearest feasible point; a copy where there is no constraint. out may be x. */
L2O_API l2o_status l2o_problem_project(const l2o_problem *p, l2o_real *out, const l2o_real *x, l2o_real *work);
/** dx += (d out / d x)' dout for that point; the derivative of the copy where there is no constraint. @return L2O_ERR_NOTSUP where
 * the projection has no derivative. */
L2O_API l2o_status l2o_problem_project_vjp(const l2o_problem *p, l2o_real *dx, const l2o_real *x, const l2o_real *dout,
                                           l2o_real *work);
/** Mean of the summands in rows[count] and its gradient (g may be NULL). @return L2O_ERR_NOTSUP where f is no sum. */
L2O_API l2o_status l2o_problem_partial(const l2o_problem *p, double *f, l2o_real *g, const l2o_real *x, const size_t *rows,
                                       size_t count, l2o_real *work);
/** The parts of x; NULL and a count of 0 where the problem is not made of layers. */
L2O_API const l2o_block *l2o_problem_blocks(const l2o_problem *p, size_t *count);
/** f of the summands rows[count] (NULL: the first `count`) by one forward pass that `pass` watches and changes.
 *  @param pass  NULL: nobody watches.  @param work  l2o_problem_forward_work_len(p, count) reals.
 *  @return L2O_ERR_NOTSUP where the problem is not made of layers, L2O_ERR_CALLBACK where it or the pass failed. Never allocates.
 */
L2O_API l2o_status l2o_problem_forward(const l2o_problem *p, double *f, const l2o_real *x, const size_t *rows, size_t count,
                                       const l2o_pass *pass, l2o_real *work);
L2O_API size_t l2o_problem_forward_work_len(const l2o_problem *p, size_t count);
/** Upper bound of the trace of the Hessian. @return L2O_ERR_NOTSUP when unknown, L2O_ERR_NUMERIC when not positive and finite. */
L2O_API l2o_status l2o_problem_hessian_trace(const l2o_problem *p, double *trace);

/** Can a and b be evaluated together? Then so can all that go with one of them. */
L2O_API bool l2o_problem_together(const l2o_problem *a, const l2o_problem *b);
/** f[i] and g[i] of p[i] at x[i], i < count: together where the problems offer it, otherwise one by one; the same bits either way.
 *  All of them must belong together, or count be 1. @return as l2o_problem_gradient(), of the first that failed. Never allocates.
 */
L2O_API l2o_status l2o_problem_gradient_many(const l2o_problem *const *p, size_t count, double *f, l2o_real *const *g,
                                             const l2o_real *const *x, l2o_real *const *work);
/** hv[i] = (Hessian of p[i] at x[i]) v[i], i < count, in the same way; work as for l2o_problem_hessian_vector(). */
L2O_API l2o_status l2o_problem_hessian_vector_many(const l2o_problem *const *p, size_t count, l2o_real *const *hv,
                                                   const l2o_real *const *x, const l2o_real *const *v, l2o_real *const *work);
/** Is keeping the Hessian worth while: is a product with its triangle, n(n+1)/2 reals, cheaper than `hessian_vector`? By the sizes:
 *  3/4 n(n+1)/2 + 24 n < hessian_reads. */
L2O_API bool l2o_problem_prefers_hessian(const l2o_problem *p);
/** Reals that one Hessian-vector product of the problem's own reads; 0 where it does not say. */
L2O_API size_t l2o_problem_hessian_reads(const l2o_problem *p);
/** The constant Hessian of a quadratic. @return L2O_ERR_NOTSUP where the problem has no such operation. */
L2O_API l2o_status l2o_problem_hessian(const l2o_problem *p, l2o_real *packed);

/** A problem with bounds: minimise the inner problem's f over lower <= x <= upper. Solvers that take projections keep to them
 *  (`projected-gradient`, `ista`, `fista`, `zo-avg`, `zo-align`); the others refuse.
 *  @param inner  borrowed, must outlive the result; smooth and unconstrained.
 *  @param lower  (n) borrowed; NULL: none; entries may be -infinity.   @param upper  the same with +infinity.
 *  @return L2O_ERR_ARG with a sentence that names the first bound that is not a number or crosses the other. */
L2O_API l2o_status l2o_problem_bounded(l2o_problem *out, const l2o_problem *inner, const l2o_real *lower, const l2o_real *upper,
                                       l2o_diag *diag);

/** What l2o_problem_check() found. An error is |given - difference| / largest entry; 0 where the problem has no such operation. */
typedef struct l2o_check {
  double gradient_error;    /**< worst coordinate of the gradient */
  size_t coordinate;        /**< which it is */
  double given, difference; /**< the gradient's entry there, and what differences of the values say */
  double hessian_error;     /**< Hessian-vector product along a random direction, worst coordinate */
  double prox_error;        /**< optimality of the prox: the worst decrease that a random move from it finds */
  double prox_vjp_error;    /**< derivative of the prox along random directions */
  double partial_error;     /**< mean of all summands against value and gradient */
  double project_vjp_error; /**< derivative of the projection along random directions */
} l2o_check;

/** Compares the operations of a problem with central differences of its values at x, with step eps^(1/3) (1 + |x_i|).
 *  @param check   what was found; all of it is written on L2O_OK.
 *  @param seed    of the random directions.
 *  @return L2O_OK if every error is below `tolerance`; L2O_ERR_NUMERIC with a sentence that names the worst coordinate and both
 *          numbers there if one is not; L2O_ERR_CALLBACK if an operation failed; L2O_ERR_NOTSUP without a gradient.
 *  Allocates; costs 2n values. Meaningful in double precision (tolerance 1e-6): with floats the differences carry about 1e-2. */
L2O_API l2o_status l2o_problem_check(const l2o_problem *p, l2o_check *check, const l2o_real *x, double tolerance, uint64_t seed,
                                     l2o_diag *diag);

#ifdef __cplusplus
}
#endif
#endif
