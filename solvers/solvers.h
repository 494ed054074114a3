/* SPDX-License-Identifier: BSD-3-Clause */
/* The solvers that registry.c lists, one file each. */
#ifndef L2O_SOLVERS_H
#define L2O_SOLVERS_H
#include <l2o/solver.h>

extern const l2o_solver l2o_gd;
extern const l2o_solver l2o_nesterov;
extern const l2o_solver l2o_momentum;
extern const l2o_solver l2o_sgd;
extern const l2o_solver l2o_adam;
extern const l2o_solver l2o_adam_hd;
extern const l2o_solver l2o_rmsprop;
extern const l2o_solver l2o_shampoo;
extern const l2o_solver l2o_ista;
extern const l2o_solver l2o_fista;
extern const l2o_solver l2o_projected_gradient;
extern const l2o_solver l2o_bfgs;
extern const l2o_solver l2o_lbfgs;
extern const l2o_solver l2o_bfgs_hd;
extern const l2o_solver l2o_newton;
extern const l2o_solver l2o_zo_avg;
extern const l2o_solver l2o_zo_align;
extern const l2o_solver l2o_mezo;
extern const l2o_solver l2o_lozo;
extern const l2o_solver l2o_agzo;
extern const l2o_solver l2o_wmmse;
extern const l2o_solver l2o_fastfp;
extern const l2o_solver l2o_wmmse_power;
extern const l2o_solver l2o_math_l2o_gd;
extern const l2o_solver l2o_math_l2o_nesterov;
extern const l2o_solver l2o_l2o_bfgs;
extern const l2o_solver l2o_go_math_l2o;
extern const l2o_solver l2o_l2o_pa;
extern const l2o_solver l2o_l2o_dm;
extern const l2o_solver l2o_rnnprop;
extern const l2o_solver l2o_lista;
extern const l2o_solver l2o_lista_cp;
extern const l2o_solver l2o_lista_cpss;
extern const l2o_solver l2o_alista;
extern const l2o_solver l2o_ada_lista;
extern const l2o_solver l2o_sum_rate_lo;
extern const l2o_solver l2o_sum_rate_pga;
extern const l2o_solver l2o_deepfp;
extern const l2o_solver l2o_power_control_mlp;

/* Option of every learned rule. */
#define L2O_GUARD_OPTION(classical)                                                                                                \
  {                                                                                                                                \
    "guard", L2O_OPTION_CHOICE, 0, 0, 0, "off|descent|shadow",                                                                     \
        "fall back on " classical "; docs/guides/guard.md tells what each promises"                                                \
  }
/* Options of every learned rule with a base step. */
#define L2O_LEARNED_STEP_OPTIONS(classical)                                                                                        \
  {"step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "base step; 0: the model's step_scale / L of the problem"},                          \
      L2O_GUARD_OPTION(classical)

/* t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2, the sequence behind Nesterov's momentum (t_k - 1) / t_{k+1} */
#define L2O_NESTEROV_NEXT(t) ((1 + r_sqrt(1 + 4 * (t) * (t))) / 2)

/* Options that every rule with a base step has, first in its table. */
#define L2O_STEP_OPTIONS                                                                                                           \
  {"step", L2O_OPTION_REAL, 0, 0, 1e12, NULL, "step size; 0: step_scale / L of the problem"}, {                                    \
    "step_scale", L2O_OPTION_REAL, 0.9999, 1e-12, 1e6, NULL, "step size times L, where step is 0"                                  \
  }

/* The option that makes the driver draw minibatches. */
#define L2O_BATCH_OPTION                                                                                                           \
  { "batch", L2O_OPTION_INT, 0, 0, 1e9, NULL, "summands drawn for each step; 0: the whole sum" }

/* The running moments of the gradient: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, steps by m / (sqrt(v) + epsilon). */
#define L2O_DECAY_OPTION(name, initial, of)                                                                                        \
  { name, L2O_OPTION_REAL, initial, 0, 0.9999999, NULL, "decay of the running mean of the " of }
#define L2O_EPSILON_OPTION                                                                                                         \
  { "epsilon", L2O_OPTION_REAL, 1e-8, 0, 1, NULL, "added to the root of the mean square, which the step is divided by" }
#define L2O_ADAM_OPTIONS                                                                                                           \
  L2O_DECAY_OPTION("beta1", 0.9, "gradient"), L2O_DECAY_OPTION("beta2", 0.999, "squared gradient"), L2O_EPSILON_OPTION

/* When an accelerated rule drops its momentum. */
enum { L2O_RESTART_NONE, L2O_RESTART_GRADIENT, L2O_RESTART_FUNCTION };
#define L2O_RESTART_OPTION                                                                                                         \
  {                                                                                                                                \
    "restart", L2O_OPTION_CHOICE, L2O_RESTART_NONE, 0, 0, "none|gradient|function",                                                \
        "when the momentum is dropped: if the gradient opposes the move, or if the objective rose"                                 \
  }

/* Reals of a rule's state that a `type` takes; it goes in and out by memcpy(). */
#define L2O_REALS_OF(type) ((sizeof(type) + sizeof(l2o_real) - 1) / sizeof(l2o_real))
#endif
