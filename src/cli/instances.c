/* SPDX-License-Identifier: BSD-3-Clause */
#include "instances.h"

static l2o_status open_plain(l2o_family **out, const struct engine *engine, const config *c, bool eval, l2o_diag *diag) {
  const char *file = config_family_file(c, eval), *data = config_family_data(c, eval), *spec = config_family_spec(c, eval);
  if (file)
    return engine->family_open(out, config_family_name(c, eval), file, diag);
  return data ? engine->family_new_data(out, spec, data, diag) : engine->family_new(out, spec, diag);
}

static l2o_status open_started(l2o_family **out, const struct engine *engine, const config *c, bool eval, l2o_diag *diag) {
  const char *weights = config_family_weights(c, eval);
  l2o_family *plain;
  l2o_status status = open_plain(weights ? &plain : out, engine, c, eval, diag);
  if (status || !weights)
    return status;
  status = engine->family_started(out, plain, weights, diag);
  if (status)
    engine->family_free(plain);
  return status;
}

l2o_status instances_open(l2o_family **out, const struct engine *engine, const config *c, bool eval, l2o_diag *diag) {
  const double start = config_real(c, eval ? "eval.problem.shift.start" : "problem.shift.start");
  const double function = config_real(c, eval ? "eval.problem.shift.function" : "problem.shift.function");
  const bool published = config_is(c, eval ? "eval.problem.shift.prox" : "problem.shift.prox", "published");
  l2o_family *plain;
  *out = NULL;
  l2o_status status = open_started(&plain, engine, c, eval, diag);
  if (status)
    return status;
  if (start == 0 && function == 0) { /* both proxes are the same then */
    *out = plain;
    return L2O_OK;
  }
  status = engine->family_shifted(out, plain, start, function, published, diag);
  if (status)
    engine->family_free(plain);
  return status;
}
