/* SPDX-License-Identifier: BSD-3-Clause */
#include "instances.h"

l2o_status instances_open(l2o_family **out, const struct engine *engine, const config *c, bool eval, l2o_diag *diag) {
  const char *file = config_family_file(c, eval), *data = config_family_data(c, eval), *spec = config_family_spec(c, eval);
  if (file)
    return engine->family_open(out, config_family_name(c, eval), file, diag);
  return data ? engine->family_new_data(out, spec, data, diag) : engine->family_new(out, spec, diag);
}
