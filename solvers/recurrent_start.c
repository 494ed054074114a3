/* SPDX-License-Identifier: BSD-3-Clause */
#include "recurrent_start.h"
#include "core/diag.h"
#include <l2o/random.h>
#include <string.h>

l2o_status l2o_recurrent_start(const l2o_iterate *it, const l2o_recurrent_shape *shape, l2o_real *state, double deviation) {
  const size_t length = l2o_recurrent_state_len(shape, it->n);
  l2o_states given;
  const l2o_status status = l2o_problem_states(it->problem, &given);
  if (!status)
    l2o_recurrent_set_state(shape, state, given.h, given.c, it->n);
  if (status != L2O_ERR_NOTSUP)
    return status;
  memset(state, 0, length * sizeof *state);
  for (size_t i = 0; deviation > 0 && i < length; i++) {
    double draw;
    l2o_rng_normal(it->rng, &draw, 1);
    state[i] = (l2o_real)(deviation * draw);
  }
  return L2O_OK;
}

l2o_status l2o_recurrent_start_check(const l2o_iterate *it, const l2o_recurrent_shape *shape, l2o_diag *diag) {
  l2o_states given;
  const l2o_status status = l2o_problem_states(it->problem, &given);
  if (status == L2O_ERR_NOTSUP || (!status && given.layers == shape->layers && given.hidden == shape->hidden))
    return L2O_OK;
  if (status)
    return l2o_fail(diag, status, "%s: problem '%s' failed to give its states", l2o_model_kind_name(it->model),
                    l2o_problem_name(it->problem));
  return l2o_fail(diag, L2O_ERR_SHAPE, "%s: problem '%s' brings states of %zu layers of %zu units, the model has %zu of %zu",
                  l2o_model_kind_name(it->model), l2o_problem_name(it->problem), given.layers, given.hidden, shape->layers,
                  shape->hidden);
}
