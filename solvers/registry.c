/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/diag.h"
#include "solvers.h"
#include <string.h>

/* Every solver: a new one adds its line here and to solvers.h. */
static const l2o_solver *const list[] = {&l2o_gd,
                                         &l2o_momentum,
                                         &l2o_nesterov,
                                         &l2o_sgd,
                                         &l2o_adam,
                                         &l2o_adam_hd,
                                         &l2o_rmsprop,
                                         &l2o_shampoo,
                                         &l2o_ista,
                                         &l2o_fista,
                                         &l2o_projected_gradient,
                                         &l2o_bfgs,
                                         &l2o_lbfgs,
                                         &l2o_bfgs_hd,
                                         &l2o_newton,
                                         &l2o_zo_avg,
                                         &l2o_zo_align,
                                         &l2o_mezo,
                                         &l2o_lozo,
                                         &l2o_agzo,
                                         &l2o_wmmse,
                                         &l2o_fastfp,
                                         &l2o_wmmse_power,
                                         &l2o_math_l2o_gd,
                                         &l2o_math_l2o_nesterov,
                                         &l2o_l2o_bfgs,
                                         &l2o_go_math_l2o,
                                         &l2o_l2o_pa,
                                         &l2o_l2o_dm,
                                         &l2o_rnnprop,
                                         &l2o_lista,
                                         &l2o_lista_cp,
                                         &l2o_lista_cpss,
                                         &l2o_alista,
                                         &l2o_ada_lista,
                                         &l2o_sum_rate_lo,
                                         &l2o_sum_rate_pga,
                                         &l2o_deepfp,
                                         &l2o_power_control_mlp,
                                         NULL};

const l2o_solver *const *l2o_solver_list(void) {
  return list;
}

static const char *solver_name(const void *context, size_t i) {
  (void)context;
  return list[i] ? list[i]->name : NULL;
}

const l2o_solver *l2o_solver_find(const char *name, l2o_diag *diag) {
  for (size_t i = 0; list[i]; i++)
    if (strcmp(list[i]->name, name) == 0)
      return list[i];
  const char *near = l2o_nearest(name, solver_name, NULL);
  l2o_fail(diag, L2O_ERR_ARG, "there is no solver '%.60s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "",
           near ? "'?" : "");
  return NULL;
}
