/* SPDX-License-Identifier: BSD-3-Clause */
/** @file solver.h
 *  A solver is a rule that moves x: a const descriptor at the end of its own file in solvers/. Hand-made and learned rules are
 *  the same kind of thing. Below: the descriptor, the step API for callers who own the loop, and l2o_minimize() and
 *  l2o_solve_many() for those who do not. */
#ifndef L2O_SOLVER_H
#define L2O_SOLVER_H
#include <l2o/model.h>
#include <l2o/problem.h>
#include <l2o/trace.h>
#ifdef __cplusplus
extern "C" {
#endif

/** What the derivative of an unrolled learned rule leaves out (papers call it detaching). */
typedef enum l2o_stop_gradient {
  L2O_STOP_GRADIENT_FEATURES = 0, /**< the inputs of the network are constants */
  L2O_STOP_GRADIENT_NONE = 1,     /**< the true derivative; needs Hessian-vector products */
  L2O_STOP_GRADIENT_MATRIX = 2,   /**< the inputs, and the matrix that a rule multiplies gradients by (of quasi-Newton rules, of
                                       sum-rate-lo); elsewhere as FEATURES */
  L2O_STOP_GRADIENT_DIRECTION = 3 /**< the inputs, and all gradients of f, hence the directions made of them: no Hessian-vector
                                       products; exact for segments of one step */
} l2o_stop_gradient;

/** What a rule may see and change during a step. All memory exists before the first step. */
typedef struct l2o_iterate {
  const l2o_problem *problem;
  const l2o_model *model; /**< learned rules */
  const double *options;  /**< in the order of the descriptor's table */
  size_t n;               /**< unknowns */
  size_t k;               /**< steps taken before this one */
  double step;            /**< base step: the option `step`, or step_scale / L */
  l2o_real *x;            /**< (n) iterate, moved by the step */
  l2o_real *g;            /**< (n) gradient at x, valid after l2o_iterate_gradient() */
  double f;               /**< objective at x, valid after l2o_iterate_gradient(); see L2O_TAKES_PROX for composite problems */
  l2o_real *state;        /**< (state_len) what the rule remembers between steps */
  l2o_real *scratch;      /**< (scratch_len) contents do not survive the step */
  l2o_real *work;         /**< the problem's scratch */
  l2o_rng *rng;           /**< the run's own stream */
  uint64_t seed;          /**< of this run: stream (seed, s, k) may be drawn and replayed by step k for any s below 2^31 */
  size_t value_calls, gradient_calls;
  size_t rejected;     /**< steps that the rule has taken back since they found no finite value */
  size_t uncharged;    /**< calls that the rule's way of counting does not charge to the budget */
  size_t allowance;    /**< charged calls that the budget still allows; SIZE_MAX: no limit */
  bool has_gradient;   /**< f and g belong to x */
  size_t batch, *rows; /**< summands that the functions below evaluate, drawn anew for each step; batch 0: the whole sum */
  /* how a learned rule with L2O_FACTORS stepped: x += p o d, d the direction of the classical rule */
  double slope;             /**< out: g'd */
  double deviation;         /**< out: 1/n sum_i (p_i - 1)^2 */
  double restraint;         /**< out: tau, p = 1 + tau (p~ - 1) where the network wants p~; below 1 where a safeguard acts */
  double deviation_weight;  /**< in, for step_vjp(): dL / d deviation */
  bool layered, value_only; /* of a rule with L2O_NEEDS_LAYERS, with L2O_KEEPS_X: there is no g then */
  bool borrowed;            /* x is the caller's */
  /* private to the driver: an evaluation made for the record that no step has claimed yet */
  bool pending, moved, subgradient, finite;
  double pending_seconds, claimed_seconds;
  l2o_real *spare; /* (n) second half of a subgradient, or the full gradient beside that of a minibatch */
  /* the gradient at the first n of the state, evaluated together with other instances' for the step to come */
  l2o_real *ahead; /* (n) */
  double ahead_f, ahead_seconds;
  bool has_ahead;
} l2o_iterate;

/** Objective and gradient at it->x into it->f and it->g, counted as one call of each; free if already there.
 *  @return L2O_ERR_NUMERIC when one of them is not finite (also below): a rule hands that on and the driver ends the run as
 *  diverged. */
L2O_API l2o_status l2o_iterate_gradient(l2o_iterate *it);
/** Says that x has changed and f and g no longer belong to it. Only rules that evaluate the new point before their step ends need
 *  to call it; for all others the driver does. */
L2O_API void l2o_iterate_moved(l2o_iterate *it);
/** Objective and gradient at another point, counted. */
L2O_API l2o_status l2o_iterate_gradient_at(l2o_iterate *it, double *f, l2o_real *g, const l2o_real *x);
/** Objective at a point, counted. */
L2O_API l2o_status l2o_iterate_value_at(l2o_iterate *it, double *f, const l2o_real *x);

/** Objective of the minibatch at it->x by one forward pass of a layered problem, counted as a value call. */
L2O_API l2o_status l2o_iterate_forward(l2o_iterate *it, double *f, const l2o_pass *pass);

/** The gradient that every step begins with, which lets drivers evaluate it for several instances at once. Of a learned rule it is
 * the only evaluation. */
typedef enum l2o_gradient_at {
  L2O_GRADIENT_ANYWHERE = 0, /**< no such gradient */
  L2O_GRADIENT_AT_X,         /**< l2o_iterate_gradient() */
  L2O_GRADIENT_AT_STATE      /**< l2o_iterate_gradient_at() at it->state, that is, at its first n reals */
} l2o_gradient_at;

/** What a rule needs of a problem, and what it promises. */
enum {
  L2O_NEEDS_GRADIENT = 1u, /**< the problem must have a gradient */
  L2O_NEEDS_STEP = 2u,     /**< option `step`, or a Lipschitz constant to take step_scale / L from; see finds_step */
  L2O_NEEDS_MODEL = 4u,    /**< a learned rule */
  L2O_MONOTONE = 8u,       /**< on a smooth convex problem with step <= 1/L the objective never rises */
  L2O_NEEDS_HESSIAN = 16u, /**< the problem must have Hessian-vector products */
  /** The rule applies the prox (l2o_problem_prox()) itself: on composite problems f and g are those of the smooth part. Every other
   *  rule is handed F = f + h, and grad f plus a subgradient of h. */
  L2O_TAKES_PROX = 32u,
  /** The rule keeps to the set of a constrained problem (l2o_problem_project(), or the prox). Every other rule refuses such a
   *  problem. */
  L2O_TAKES_PROJECTION = 64u,
  /** With its default options the rule reaches a stationary point from any start, or what the precision can tell from one, where
   * the function is smooth and bounded below: it searches along its directions. */
  L2O_GLOBAL = 128u,
  /** A learned rule that multiplies a direction of descent by factors, coordinate by coordinate, and tells it->slope and
   *  it->deviation: it can be trained with the loss `decrease` and with regularisation. */
  L2O_FACTORS = 256u,
  /** Single precision is not enough for it: l2o-train takes double unless told otherwise. */
  L2O_WANTS_DOUBLE = 512u,
  /** A learned rule whose derivative always takes the inputs of its network for constants: training with L2O_STOP_GRADIENT_NONE
   *  is refused. */
  L2O_CONSTANT_INPUTS = 1024u,
  /** The problem must be made of layers (l2o_problem_blocks()). The option `batch` then counts from 1, and as many as there are
   *  summands or more are all of them, each once. */
  L2O_NEEDS_LAYERS = 2048u,
  /** x changes by whole steps alone: one that fails, or finds no finite value, leaves it as it was, bit for bit. The driver keeps
   * no copies of x and no gradient for such a rule: records have no gradient norm, and after L2O_STOP_DIVERGED x is where no finite
   *  value was found. */
  L2O_KEEPS_X = 4096u
};

/** A rule. The functions return a status; why a run ends is set through `stop`. */
typedef struct l2o_solver {
  size_t struct_size; /**< sizeof(l2o_solver) */
  const char *name;
  const char *meaning; /**< one line for help texts, with the source of the method */
  unsigned needs;
  const l2o_option *options;                    /**< ends with a NULL name; NULL: none */
  size_t (*state_len)(const l2o_iterate *it);   /**< reals remembered between steps; NULL: none */
  size_t (*scratch_len)(const l2o_iterate *it); /**< reals of scratch; NULL: none */
  /** May the rule run with these options on this problem (it->problem, options, n are set)? A sentence if not. NULL: yes. */
  l2o_status (*check)(const l2o_iterate *it, l2o_diag *diag);
  /** Does the rule do without a step size with these options? Then it->step is 0 where neither option nor Lipschitz constant gives
   * one. NULL: as L2O_NEEDS_STEP says. */
  bool (*finds_step)(const l2o_iterate *it);
  /** Sets the state for a start at it->x; NULL: zeroes. */
  l2o_status (*init)(l2o_iterate *it);
  /** x_k -> x_{k+1}. Learned rules record what `step_vjp` needs in `tape` unless it is NULL. Never allocates. A rule that cannot go
   *  on sets `stop`: L2O_STOP_STALLED when no better point can be told apart in this precision, L2O_STOP_DIVERGED when a search
   *  finds no end to the decrease, after both of which x is the best point it has; and L2O_STOP_CALLS, before it evaluates or moves
   *  anything, when the step would cost more than it->allowance. */
  l2o_status (*step)(l2o_iterate *it, l2o_real *tape, l2o_stop *stop);
  /** Releases what init() got from elsewhere (peers that are wrapped); NULL: nothing. */
  void (*done)(l2o_iterate *it);
  /* learned rules */
  const char *model_kind;                    /**< the kind of model it reads */
  const char *classical;                     /**< name of the rule it grew from */
  size_t (*tape_len)(const l2o_iterate *it); /**< reals a step records */
  /** Vector-Jacobian product of one step.
   *  @param dx      (n) in: dL/dx_{k+1}; out: dL/dx_k.  @param dstate  the same for the state.
   *  @param dg      (n) out, written whole: dL/dg, g the step's gradient, where `gradient_at` says at which point z that was taken
   *                 (the tape then begins with z, n reals): the caller adds (Hessian at z) dg to dL/dz, which is dx or the first n
   * of dstate. NULL with L2O_GRADIENT_ANYWHERE: the rule multiplies by Hessians itself.
   *  @param dsum    accumulators of dL/dparameters (src/nn/model.h), added to.
   *  Uses only it->{problem, model, options, n, step, deviation_weight, scratch, work}. */
  l2o_status (*step_vjp)(l2o_iterate *it, l2o_real *dx, l2o_real *dstate, l2o_real *dg, double *dsum, const l2o_real *tape,
                         l2o_stop_gradient mode);
  /** The gradient that every step begins with; instances that share data are then evaluated together. */
  l2o_gradient_at gradient_at;
  /** Writes the options of the rule that it grew from, "key=value,...", for the guard; NULL: its defaults. */
  void (*classical_options)(const l2o_iterate *it, char *out, size_t size);
  /** guard=descent: the point x_c (n) to which the rule that it grew from goes from it->x, with the memory that this rule has, and
   *  f there; calls are counted. step() follows from the same point, so it->x, f and g stay as they are. `stop`: as of step(), when
   *  there is no such point; x_c is then it->x. NULL: a step of the classical rule, which must have no memory. */
  l2o_status (*classical_point)(l2o_iterate *it, l2o_real *x_c, double *f_c, l2o_stop *stop);
  /** The guard has moved it->x from where step() left it to x_c; NULL: init(). */
  l2o_status (*fell_back)(l2o_iterate *it);
} l2o_solver;

/** Every solver of the library, ending with NULL: tests and help texts walk it. */
L2O_API const l2o_solver *const *l2o_solver_list(void);
/** The solver of that name; NULL and a sentence that suggests the nearest name if there is none. */
L2O_API const l2o_solver *l2o_solver_find(const char *name, l2o_diag *diag);

/** Gives a model that is made for one matrix (lista, lista-cp, lista-cpss, alista) its initial weights, from the A of a problem
 *  1/2 |A x - y|^2 + l1 |x|_1, and lets it note A: its rule then refuses problems with another one. l2o-train does it with the
 * first training instance. Models of other kinds are left as they are, but ada-lista takes steps and thresholds from the problem
 * where its options gamma and theta are 0.
 *  @return L2O_ERR_NOTSUP for a problem without such a matrix, L2O_ERR_SHAPE where the model is for another size, L2O_ERR_NUMERIC
 *          where alista finds no analytic weight (a zero column, rows that depend on each other); the model is then as before.
 *  Allocates; O(n^2 m), alista O(n^3). */
L2O_API l2o_status l2o_model_fit_problem(l2o_model *model, const l2o_problem *problem, l2o_diag *diag);

/** Called after the start and after each step; non-zero ends the run with L2O_STOP_USER. `instance` counts in l2o_solve_many(),
 * which calls from several threads at a time. */
typedef int (*l2o_callback)(void *context, const l2o_record *record, const l2o_real *x, size_t instance);

/** Settings of a run. Start from l2o_settings_default(). */
typedef struct l2o_settings {
  size_t struct_size;
  const char *options;       /**< "key=value,..." of the solver's table; NULL or "": its defaults */
  size_t iterations;         /**< most steps; default 1000 */
  size_t calls;              /**< most charged function calls, see l2o_record; default 0: no limit */
  double seconds;            /**< time limit in seconds; default 0: none (results then never depend on the clock) */
  double gradient_tolerance; /**< ends when the gradient norm of the record is at most this; default 0: off */
  double objective_target;   /**< ends when f <= this; default -HUGE_VAL: off */
  uint64_t seed;             /**< stream of rules that draw random numbers: (seed, instance); default 0 */
  int threads;               /**< l2o_solve_many(): threads; default 0: as many as OpenMP gives */
  l2o_callback callback;     /**< default NULL */
  void *context;             /**< handed to the callback */
  l2o_trace *const *traces;  /**< one a problem, or NULL; default NULL */
  size_t first;        /**< l2o_solve_many(): number of its first problem, if they are a part of many: random streams, callback and
                            messages count from it; default 0 */
  size_t record_every; /**< the objective is evaluated for a record (trace, tolerances) after every so many steps, and at start and
                            end; the callback has not-a-number for it in between; default 1 */
} l2o_settings;

/** Fills the defaults for a struct of that size. */
L2O_API void l2o_settings_init(l2o_settings *settings, size_t struct_size);
static inline l2o_settings l2o_settings_default(void) {
  l2o_settings s;
  l2o_settings_init(&s, sizeof s);
  return s;
}

/** How a run ended. */
typedef struct l2o_result {
  l2o_status status; /**< L2O_OK, or why the run had to be given up; x is the last good point in either case */
  l2o_stop stop;
  l2o_record last; /**< the record of the returned x; objective and norm are not-a-number where a failure left them unknown */
} l2o_result;

typedef struct l2o_run l2o_run;

/** A solver at work on one problem; solver, model and problem are borrowed and outlive it. All memory of the run is got here.
 *  @param model  for learned rules, else NULL.
 *  @return L2O_ERR_NOTSUP with a sentence when the problem or the model lacks what the rule needs; L2O_ERR_ARG for bad options. */
L2O_API l2o_status l2o_run_new(l2o_run **out, const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem,
                               const l2o_settings *settings, l2o_diag *diag);
L2O_API void l2o_run_free(l2o_run *run);
/** Puts the run at x0 (n), or at the problem's customary start if NULL. May be called again to start over. */
L2O_API l2o_status l2o_run_start(l2o_run *run, const l2o_real *x0);
/** One step; `*stop` tells whether the run is over. Never allocates. After L2O_STOP_DIVERGED x is the last finite point. */
L2O_API l2o_status l2o_run_step(l2o_run *run, l2o_stop *stop);
/** The current point (n); valid until the next call. */
L2O_API const l2o_real *l2o_run_x(const l2o_run *run);
/** Steps that led to the current point. */
L2O_API size_t l2o_run_steps(const l2o_run *run);
/** Objective, gradient norm and counts at the current point; evaluates them, uncounted, if the rule has not. */
L2O_API l2o_status l2o_run_record(l2o_run *run, l2o_record *record);

/** From now on the rule's base step is `factor` times what its options, or the problem, give: a schedule. l2o_run_start() and
 *  l2o_run_resume() go back to factor 1. Rules that adapt their step by themselves, having begun with it, do not notice.
 *  @param step  out: that step; may be NULL.
 *  @return L2O_ERR_ARG for a factor below 0 or not finite, or before the start; L2O_ERR_NOTSUP for a rule without a base step and
 *          for a run with a guard. */
L2O_API l2o_status l2o_run_scale_step(l2o_run *run, double factor, double *step);

/** Writes the run to a file: x, what the rule remembers, counts. @param id  kept in the file, to recognise the experiment by.
 *  @return L2O_ERR_NOTSUP for a run with a guard or of a rule that keeps memory elsewhere; L2O_ERR_IO, L2O_ERR_NOMEM. */
L2O_API l2o_status l2o_run_save(const l2o_run *run, const char *path, const char *id, l2o_diag *diag);
/** Puts a run that was made alike where the saved one was: it goes on bit for bit as that would have gone on.
 *  @return L2O_ERR_ARG where `id` is another one, or rule, options or problem; L2O_ERR_SHAPE, L2O_ERR_FORMAT, L2O_ERR_IO; the run
 *          is then as before. L2O_ERR_CALLBACK where the problem fails: the run then has to be started anew. */
L2O_API l2o_status l2o_run_resume(l2o_run *run, const char *path, const char *id, l2o_diag *diag);

/** Minimises one problem.
 *  @param x  (n) in: the start; out: the last finite point. Rules with L2O_KEEPS_X work in it, and keep no other.
 *  @param settings  NULL: the defaults.  @param result  may be NULL.
 *  @return the status, also in result->status. */
L2O_API l2o_status l2o_minimize(const l2o_solver *solver, const l2o_model *model, const l2o_problem *problem, l2o_real *x,
                                l2o_result *result, const l2o_settings *settings, l2o_diag *diag);

/** Minimises many problems over threads; each thread takes whole problems, so the numbers do not depend on the thread count.
 *  @param x  the points one after another, n_0 + n_1 + ... reals; in: starts, out: last finite points.
 *  @param results  (count).
 *  @return L2O_OK if every run did its work, else the status of the first problem (in order) that did not; the others are solved
 *          all the same. */
L2O_API l2o_status l2o_solve_many(const l2o_solver *solver, const l2o_model *model, const l2o_problem *problems, size_t count,
                                  l2o_real *x, l2o_result *results, const l2o_settings *settings, l2o_diag *diag);

#ifdef __cplusplus
}
#endif
#endif
