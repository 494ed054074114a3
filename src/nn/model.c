/* SPDX-License-Identifier: BSD-3-Clause */
#include "nn/model.h"
#include "core/diag.h"
#include "core/linalg.h"
#include <l2o/tensor_file.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every kind of model: a new one adds its line here. */
static const l2o_model_type *const types[] = {&l2o_model_type_math_l2o_gd,
                                              &l2o_model_type_math_l2o_nesterov,
                                              &l2o_model_type_bfgs_lstm,
                                              &l2o_model_type_go_math_l2o,
                                              &l2o_model_type_l2o_pa,
                                              &l2o_model_type_l2o_dm,
                                              &l2o_model_type_rnnprop,
                                              &l2o_model_type_lista,
                                              &l2o_model_type_lista_cp,
                                              &l2o_model_type_lista_cpss,
                                              &l2o_model_type_alista,
                                              &l2o_model_type_ada_lista,
                                              &l2o_model_type_sum_rate_lo,
                                              &l2o_model_type_sum_rate_pga,
                                              &l2o_model_type_deepfp,
                                              &l2o_model_type_power_control_mlp,
                                              NULL};
static const l2o_model_kind *const kinds[] = {&l2o_model_type_math_l2o_gd.kind,
                                              &l2o_model_type_math_l2o_nesterov.kind,
                                              &l2o_model_type_bfgs_lstm.kind,
                                              &l2o_model_type_go_math_l2o.kind,
                                              &l2o_model_type_l2o_pa.kind,
                                              &l2o_model_type_l2o_dm.kind,
                                              &l2o_model_type_rnnprop.kind,
                                              &l2o_model_type_lista.kind,
                                              &l2o_model_type_lista_cp.kind,
                                              &l2o_model_type_lista_cpss.kind,
                                              &l2o_model_type_alista.kind,
                                              &l2o_model_type_ada_lista.kind,
                                              &l2o_model_type_sum_rate_lo.kind,
                                              &l2o_model_type_sum_rate_pga.kind,
                                              &l2o_model_type_deepfp.kind,
                                              &l2o_model_type_power_control_mlp.kind,
                                              NULL};

/* Version of what stands in a model file's metadata; a newer library reads every older one. */
static const char FORMAT_VERSION[] = "1";

const l2o_model_kind *const *l2o_model_kinds(void) {
  return kinds;
}

static const char *kind_name(const void *context, size_t i) {
  (void)context;
  return kinds[i] ? kinds[i]->name : NULL;
}

static const l2o_model_type *find_type(const char *name, l2o_diag *diag) {
  for (size_t i = 0; types[i]; i++)
    if (strcmp(types[i]->kind.name, name) == 0)
      return types[i];
  const char *near = l2o_nearest(name, kind_name, NULL);
  char known[256] = "";
  for (size_t i = 0, at = 0; kinds[i] && at < sizeof known; i++)
    at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", kinds[i]->name);
  l2o_fail(diag, L2O_ERR_ARG, "there is no kind of model '%.60s'%s%s%s", name,
           near ? "; did you mean '" : "; known: ", near ? near : known, near ? "'?" : "");
  return NULL;
}

const l2o_model_kind *l2o_model_kind_find(const char *name, l2o_diag *diag) {
  const l2o_model_type *type = find_type(name, diag);
  return type ? &type->kind : NULL;
}

/* A model of that specification with all parameters zero and no tables. */
static l2o_status new_empty(l2o_model **out, const char *spec, l2o_diag *diag) {
  char name[L2O_NAME_MAX];
  const char *rest;
  *out = NULL;
  l2o_status status = l2o_spec_split(spec, name, &rest, diag);
  const l2o_model_type *type = status ? NULL : find_type(name, diag);
  if (!type)
    return L2O_ERR_ARG;
  l2o_model *model = calloc(1, sizeof *model);
  if (!model)
    return l2o_fail(diag, L2O_ERR_NOMEM, "model: out of memory");
  model->type = type;
  status = l2o_options_parse(type->kind.options, model->options, name, rest, diag);
  if (!status && type->check)
    status = type->check(model->options, diag);
  if (!status && !l2o_options_format(type->kind.options, model->options, name, model->spec, sizeof model->spec))
    status = l2o_fail(diag, L2O_ERR_ARG, "model: the specification is too long");
  if (!status) {
    model->tensor_count = type->describe(model->tensors, model->options);
    for (size_t i = 0; i < model->tensor_count; i++) {
      l2o_model_tensor *t = &model->tensors[i];
      t->count = 1;
      for (size_t j = 0; j < t->rank; j++)
        t->count *= t->shape[j];
      t->offset = model->parameter_count;
      model->parameter_count += t->count;
    }
    model->parameters = calloc(model->parameter_count, sizeof *model->parameters);
    size_t bytes = type->table_bytes(model);
    model->table = calloc(1, bytes ? bytes : 1);
    if (!model->parameters || !model->table)
      status = l2o_fail(diag, L2O_ERR_NOMEM, "model: out of memory for %zu parameters", model->parameter_count);
  }
  if (status) {
    l2o_model_free(model);
    return status;
  }
  *out = model;
  return L2O_OK;
}

l2o_status l2o_model_new(l2o_model **out, const char *spec, uint64_t seed, l2o_diag *diag) {
  l2o_status status = new_empty(out, spec, diag);
  if (status)
    return status;
  status = (*out)->type->initialise(*out, seed);
  if (status) {
    l2o_model_free(*out);
    *out = NULL;
    return l2o_fail(diag, status, "model: initialisation failed: %s", l2o_strerror(status));
  }
  (*out)->type->commit(*out);
  return L2O_OK;
}

void l2o_model_free(l2o_model *model) {
  if (!model)
    return;
  free(model->parameters);
  free(model->table);
  free(model);
}

l2o_status l2o_model_clone(l2o_model **out, const l2o_model *model) {
  l2o_status status = new_empty(out, model->spec, NULL);
  if (status)
    return status;
  memcpy((*out)->parameters, model->parameters, model->parameter_count * sizeof *model->parameters);
  (*out)->type->commit(*out);
  return L2O_OK;
}

const char *l2o_model_spec(const l2o_model *model) {
  return model->spec;
}
const char *l2o_model_kind_name(const l2o_model *model) {
  return model->type->kind.name;
}
size_t l2o_model_tensor_count(const l2o_model *model) {
  return model->tensor_count;
}
l2o_model_tensor l2o_model_tensor_at(const l2o_model *model, size_t i) {
  return model->tensors[i];
}

const l2o_real *l2o_model_parameters(const l2o_model *model, size_t *count) {
  if (count)
    *count = model->parameter_count;
  return model->parameters;
}

l2o_status l2o_model_set_parameters(l2o_model *model, const double *values, size_t count) {
  if (count != model->parameter_count)
    return L2O_ERR_SHAPE;
  for (size_t i = 0; i < count; i++)
    if (!isfinite((l2o_real)values[i]))
      return L2O_ERR_NUMERIC;
  for (size_t i = 0; i < count; i++)
    model->parameters[i] = (l2o_real)values[i];
  model->type->commit(model);
  return L2O_OK;
}

l2o_status l2o_model_save(const l2o_model *model, const char *path, l2o_diag *diag) {
  l2o_tensor_writer *writer;
  double *values = malloc(model->parameter_count * sizeof *values);
  l2o_status status = l2o_tensor_writer_new(&writer);
  if (!status && !values)
    status = L2O_ERR_NOMEM;
  if (!status)
    status = l2o_tensor_writer_metadata(writer, "l2o.format", FORMAT_VERSION);
  if (!status)
    status = l2o_tensor_writer_metadata(writer, "l2o.model", model->spec);
  for (size_t i = 0; i < model->tensor_count && !status; i++) {
    const l2o_model_tensor *t = &model->tensors[i];
    for (size_t j = 0; j < t->count; j++)
      values[j] = (double)model->parameters[t->offset + j];
    status =
        l2o_tensor_writer_add(writer, t->name, sizeof(l2o_real) == sizeof(float) ? L2O_F32 : L2O_F64, values, t->shape, t->rank);
  }
  if (status)
    l2o_fail(diag, status, "%s: model not saved: %s", path, l2o_strerror(status));
  else
    status = l2o_tensor_writer_save(writer, path, diag);
  l2o_tensor_writer_free(writer);
  free(values);
  return status;
}

static bool ends_with(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

/* A tensor of the file that the model does not have: only the all-zero bias_value of published checkpoints may pass. */
static l2o_status check_stranger(const l2o_tensor *tensor, const char *path, l2o_diag *diag) {
  if (ends_with(tensor->name, ".bias_value")) {
    double *values = malloc((tensor->count + 1) * sizeof *values);
    if (!values)
      return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
    bool zero = true;
    l2o_tensor_to_double(tensor, values);
    for (size_t j = 0; j < tensor->count; j++)
      zero &= values[j] == 0;
    free(values);
    return zero ? L2O_OK : l2o_fail(diag, L2O_ERR_FORMAT, "%s: '%s' is not zero, but this model has no biases", path, tensor->name);
  }
  return l2o_fail(diag, L2O_ERR_FORMAT, "%s: unknown tensor '%.100s'", path, tensor->name);
}

/* "(80, 7)"; "()" is a scalar */
static void format_shape(char *out, size_t room, const size_t *shape, size_t rank) {
  size_t at = (size_t)snprintf(out, room, "(");
  for (size_t j = 0; j < rank && at < room; j++)
    at += (size_t)snprintf(out + at, room - at, "%s%zu", j ? ", " : "", shape[j]);
  if (at < room)
    snprintf(out + at, room - at, ")");
}

static l2o_status refuse_shape(const l2o_model *model, const l2o_model_tensor *want, const l2o_tensor *have, const char *path,
                               l2o_diag *diag) {
  char found[96], expected[96];
  format_shape(found, sizeof found, have->shape, have->rank);
  format_shape(expected, sizeof expected, want->shape, want->rank);
  return l2o_fail(diag, L2O_ERR_SHAPE, "%s: tensor '%s' has shape %s, expected %s for %s", path, want->name, found, expected,
                  model->spec);
}

static l2o_status read_tensor(l2o_model *model, size_t i, const l2o_tensor_file *file, const char *path, l2o_diag *diag) {
  const l2o_model_tensor *want = &model->tensors[i];
  const l2o_tensor *have = l2o_tensor_file_find(file, want->name);
  if (!have) {
    if (!want->learned) /* constants such as p_scale may be missing: they keep their initial value */
      return L2O_OK;
    return l2o_fail(diag, L2O_ERR_FORMAT, "%s: tensor '%s' of %s is missing", path, want->name, model->type->kind.name);
  }
  bool same = have->rank == want->rank;
  for (size_t j = 0; same && j < want->rank; j++)
    same = have->shape[j] == want->shape[j];
  if (!same)
    return refuse_shape(model, want, have, path, diag);
  double *values = malloc((want->count + 1) * sizeof *values);
  if (!values)
    return l2o_fail(diag, L2O_ERR_NOMEM, "%s: out of memory", path);
  l2o_tensor_to_double(have, values);
  l2o_status status = L2O_OK;
  for (size_t j = 0; j < want->count && !status; j++) {
    model->parameters[want->offset + j] = (l2o_real)values[j];
    if (!isfinite(model->parameters[want->offset + j]))
      status =
          l2o_fail(diag, L2O_ERR_NUMERIC, "%s: tensor '%s' holds a value that is not finite, at entry %zu", path, want->name, j);
  }
  free(values);
  return status;
}

l2o_status l2o_model_load(l2o_model **out, const char *path, const char *spec, l2o_diag *diag) {
  l2o_tensor_file *file;
  *out = NULL;
  l2o_status status = l2o_tensor_file_open(&file, path, diag);
  if (status)
    return status;
  const char *version = l2o_tensor_file_metadata(file, "l2o.format"), *own = l2o_tensor_file_metadata(file, "l2o.model");
  l2o_model *model = NULL;
  if (version && strcmp(version, FORMAT_VERSION) != 0)
    status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: model format '%.20s' is newer than this library reads (%s)", path, version,
                      FORMAT_VERSION);
  else if (!own && !spec)
    status = l2o_fail(diag, L2O_ERR_FORMAT, "%s: the file does not say which model it holds, and no specification was given", path);
  else {
    l2o_diag inner;
    status = new_empty(&model, own ? own : spec, &inner);
    if (!status)
      status = model->type->initialise(model, 0); /* tensors that may be missing get their initial values */
    if (status)
      l2o_fail(diag, status, "%s: %.300s", path, model ? l2o_strerror(status) : inner.text);
  }
  for (size_t i = 0; i < l2o_tensor_file_count(file) && !status; i++) {
    const l2o_tensor *tensor = l2o_tensor_file_at(file, i);
    bool known = false;
    for (size_t j = 0; j < model->tensor_count; j++)
      known |= strcmp(model->tensors[j].name, tensor->name) == 0;
    if (!known)
      status = check_stranger(tensor, path, diag);
  }
  for (size_t i = 0; !status && i < model->tensor_count; i++)
    status = read_tensor(model, i, file, path, diag);
  l2o_tensor_file_free(file);
  if (status) {
    l2o_model_free(model);
    return status;
  }
  model->type->commit(model);
  *out = model;
  return L2O_OK;
}
