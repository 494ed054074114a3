/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/diag.h"
#include "nn/model.h"
#include "problems/instance.h"
#include <l2o/solver.h>

l2o_status l2o_model_fit_problem(l2o_model *model, const l2o_problem *problem, l2o_diag *diag) {
  const l2o_model_type *type = model->type;
  if (!type->fit)
    return L2O_OK;
  const l2o_instance *d = l2o_squares_of(problem);
  if (!d && l2o_function_shift(problem) != 0)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s is made from the matrix of 1/2 |A x - y|^2; problem '%s' is shifted by %g",
                    type->kind.name, l2o_problem_name(problem), l2o_function_shift(problem));
  if (!d)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "%s is made from the matrix of 1/2 |A x - y|^2; problem '%s' has none", type->kind.name,
                    l2o_problem_name(problem));
  const l2o_matrix_fit fit = {.A = d->matrix, .m = d->rows, .n = problem->n, .lipschitz = d->lipschitz - d->ridge, .l1 = d->l1};
  const l2o_status status = type->fit(model, &fit, diag);
  if (!status)
    type->commit(model);
  return status;
}
