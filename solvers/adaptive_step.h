/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of a fixed length and steps that find their own, for `gd` and `projected-gradient`. P is the projection of a constrained
 * problem, the identity elsewhere. A fixed step is x+ = P(x - s grad f(x)). The others take it->step for their first trial, or
 * 1 / |grad f| where that is 0: the Lipschitz constant is not needed.
 *
 * A trial whose objective is not finite is one that went too far. When no trial succeeds, or none differs from x in this precision,
 * the rule stops: as diverged if f was -infinity at one of these trials or x could not be represented there, and as stalled
 * otherwise. */
#ifndef L2O_SOLVERS_ADAPTIVE_STEP_H
#define L2O_SOLVERS_ADAPTIVE_STEP_H
#include "solvers.h"

/* armijo: Armijo's rule along the projection arc (Armijo, Pacific J. Math. 1966; Bertsekas, IEEE Trans. Automatic Control 1976):
 *   x(a) = P(x - a grad f(x)),   f(x(a)) <= f(x) - c1 grad f(x)'(x - x(a)),   c1 = 1e-4,
 * for the first a of 2 a_last, a_last, a_last / 2, ... The objective falls at each step. One value a trial, one gradient a step.
 *
 * barzilai-borwein, spectral: the spectral projected gradient method SPG2 (Birgin, Martinez and Raydan, SIAM J. Optimization 2000),
 * which is Raydan's globalised Barzilai-Borwein method (SIAM J. Optimization 1997) where P is the identity:
 *   d = P(x - lambda grad f(x)) - x,   x+ = x + alpha d,
 *   f(x+) <= max(f(x_k), ..., f(x_{k-9})) + c1 alpha grad f(x)'d,   c1 = 1e-4,
 * the first alpha being 1, the next ones the minimiser of a parabola kept in [alpha/10, alpha/2]. With s = x+ - x and y the change
 * of the gradient (Barzilai and Borwein, IMA J. Numerical Analysis 1988) the next lambda is s's / s'y (long), s'y / y'y (short), or
 * one after the other (alternate; Dai and Fletcher, Numerische Mathematik 2005), kept within 1e+-10 of the first accepted one; it
 * is ten times the last where the curvature s'y is not positive. A run that stops ends at the best point it has seen. One gradient
 * a trial, and nearly every first trial is accepted. */
typedef enum l2o_step_rule { L2O_STEP_FIXED, L2O_STEP_ARMIJO, L2O_STEP_SPECTRAL } l2o_step_rule;
typedef enum l2o_spectral { L2O_SPECTRAL_LONG, L2O_SPECTRAL_SHORT, L2O_SPECTRAL_ALTERNATE } l2o_spectral;

/* First in the tables of rules with such steps; `spectral` is what they call the last rule. */
enum { L2O_ADAPTIVE_RULE = 2, L2O_ADAPTIVE_BB, L2O_ADAPTIVE_OPTION_COUNT };
#define L2O_ADAPTIVE_OPTIONS(spectral, rule, length)                                                                               \
  L2O_STEP_OPTIONS,                                                                                                                \
      {"step_rule",                                                                                                                \
       L2O_OPTION_CHOICE,                                                                                                          \
       (rule),                                                                                                                     \
       0,                                                                                                                          \
       0,                                                                                                                          \
       "fixed|armijo|" spectral,                                                                                                   \
       "armijo and " spectral " search the step, first at `step`; they need no L"},                                                \
  {                                                                                                                                \
    "bb", L2O_OPTION_CHOICE, (length), 0, 0, "long|short|alternate",                                                               \
        spectral " step: s's / s'y, s'y / y'y, or by turns (s, y: changes of x and gradient)"                                      \
  }

l2o_step_rule l2o_adaptive_rule(const l2o_iterate *it);
/* Of the descriptors. With a fixed step there is no state: guard=descent counts on that. */
bool l2o_adaptive_finds_step(const l2o_iterate *it);
size_t l2o_adaptive_state_len(const l2o_iterate *it);
size_t l2o_adaptive_scratch_len(const l2o_iterate *it);
l2o_status l2o_adaptive_step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop);
#endif
