/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/diag.h"
#include "core/options.h"
#include "problems/families.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every kind of family: a new one adds its line here. */
static const l2o_family_type *const types[] = {&l2o_family_type_cnn,           &l2o_family_type_geman_mcclure,
                                               &l2o_family_type_lasso,         &l2o_family_type_least_squares,
                                               &l2o_family_type_log_sum_exp,   &l2o_family_type_logistic,
                                               &l2o_family_type_mlp,           &l2o_family_type_more_garbow_hillstrom,
                                               &l2o_family_type_power_control, &l2o_family_type_qp,
                                               &l2o_family_type_quadratic,     &l2o_family_type_rosenbrock,
                                               &l2o_family_type_softmax,       &l2o_family_type_sum_rate,
                                               &l2o_family_type_transformer,   NULL};

const l2o_family_type *const *l2o_family_types(void) {
  return types;
}

static const char *type_name(const void *context, size_t i) {
  (void)context;
  return types[i] ? types[i]->name : NULL;
}

/* "lasso, qp, ..." as far as there is room. */
static void list_types(char *out, size_t room, bool that_take_data) {
  *out = '\0';
  for (size_t i = 0, used = 0; types[i] && used < room; i++)
    if (!that_take_data || types[i]->create_from)
      used += (size_t)snprintf(out + used, room - used, "%s%s", used ? ", " : "", types[i]->name);
}

const l2o_family_type *l2o_family_type_find(const char *name, l2o_diag *diag) {
  for (size_t i = 0; types[i]; i++)
    if (strcmp(types[i]->name, name) == 0)
      return types[i];
  const char *near = l2o_nearest(name, type_name, NULL);
  char known[256];
  list_types(known, sizeof known, false);
  l2o_fail(diag, L2O_ERR_ARG, "there is no family '%.60s'%s%s%s", name,
           near ? "; did you mean '" : "; known: ", near ? near : known, near ? "'?" : "");
  return NULL;
}

/* The kind that a specification names, and its options. */
static l2o_status parse(const l2o_family_type **type, double *values, const char *spec, l2o_diag *diag) {
  char name[L2O_NAME_MAX];
  const char *rest;
  l2o_status status = l2o_spec_split(spec, name, &rest, diag);
  if (status)
    return status;
  *type = l2o_family_type_find(name, diag);
  return *type ? l2o_options_parse((*type)->options, values, name, rest, diag) : L2O_ERR_ARG;
}

l2o_status l2o_family_new(l2o_family **out, const char *spec, l2o_diag *diag) {
  const l2o_family_type *type;
  double values[L2O_OPTIONS_MAX];
  *out = NULL;
  l2o_status status = parse(&type, values, spec, diag);
  if (!status && !type->create)
    return l2o_fail(diag, L2O_ERR_ARG, "family %s is made from data only: give it a file (key problem.data)", type->name);
  return status ? status : type->create(out, values, diag);
}

/* The kind that a specification names, which must be one that takes data. */
static l2o_status parse_for_data(const l2o_family_type **type, double *values, const char *spec, l2o_diag *diag) {
  l2o_status status = parse(type, values, spec, diag);
  if (status || (*type)->create_from)
    return status;
  char others[256];
  list_types(others, sizeof others, true);
  return l2o_fail(diag, L2O_ERR_NOTSUP, "family %s takes no data; those that do: %s", (*type)->name, others);
}

l2o_status l2o_family_new_from(l2o_family **out, const char *spec, l2o_dataset *data, l2o_diag *diag) {
  const l2o_family_type *type;
  double values[L2O_OPTIONS_MAX];
  *out = NULL;
  l2o_status status = parse_for_data(&type, values, spec, diag);
  return status ? status : type->create_from(out, values, data, diag);
}

l2o_status l2o_family_new_data(l2o_family **out, const char *spec, const char *path, l2o_diag *diag) {
  const l2o_family_type *type;
  double values[L2O_OPTIONS_MAX];
  l2o_dataset *data;
  *out = NULL;
  l2o_status status = parse_for_data(&type, values, spec, diag); /* before a large file is read */
  if (!status)
    status = l2o_dataset_read(&data, path, diag);
  if (status)
    return status;
  status = l2o_family_new_from(out, spec, data, diag);
  if (status)
    l2o_dataset_free(data);
  return status;
}

l2o_status l2o_family_open(l2o_family **out, const char *name, const char *path, l2o_diag *diag) {
  *out = NULL;
  const l2o_family_type *type = l2o_family_type_find(name, diag);
  if (!type)
    return L2O_ERR_ARG;
  if (!type->open)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "family %s has no instance files", name);
  return type->open(out, path, diag);
}

void l2o_family_free(l2o_family *family) {
  if (family && family->free)
    family->free(family);
}

l2o_status l2o_family_sample(const l2o_family *family, l2o_problem *out, uint64_t seed, l2o_purpose purpose, uint64_t index,
                             l2o_diag *diag) {
  l2o_diag inner = {""};
  *out = (l2o_problem){0};
  l2o_status status = family->sample(family, out, family->plain_seeds ? seed : l2o_seed_for(seed, purpose), index, &inner);
  const char *name = family->name ? family->name : "unnamed";
  if (!status && (!out->ops || out->n == 0 || (!l2o_problem_has_gradient(out) && !out->ops->value)))
    status = l2o_fail(&inner, L2O_ERR_ARG, "the problem has no unknowns or no operations");
  if (!status && family->n && out->n != family->n)
    status = l2o_fail(&inner, L2O_ERR_SHAPE, "the problem has %zu unknowns, the family says %zu", out->n, family->n);
  if (!status)
    return L2O_OK;
  if (out->ops)
    l2o_problem_free(out);
  *out = (l2o_problem){0};
  return l2o_fail(diag, status, "family %s, instance %llu: %.300s", name, (unsigned long long)index,
                  inner.text[0] ? inner.text : l2o_strerror(status));
}

l2o_status l2o_family_save(const l2o_family *family, const char *path, uint64_t seed, l2o_purpose purpose, size_t count,
                           l2o_diag *diag) {
  if (l2o_family_is_shifted(family)) /* the arrays of its instances are those of the inner family's */
    return l2o_fail(diag, L2O_ERR_NOTSUP,
                    "started or shifted instances have no files: save those of family %s, and shift what is read", family->name);
  const l2o_family_type *type = l2o_family_type_find(family->name, diag);
  if (!type || !type->save)
    return l2o_fail(diag, L2O_ERR_NOTSUP, "family %s has no instance files", family->name);
  if (count == 0)
    return l2o_fail(diag, L2O_ERR_ARG, "saving instances: expected at least one");
  l2o_problem *instances = calloc(count, sizeof *instances);
  if (!instances)
    return L2O_ERR_NOMEM;
  l2o_status status = L2O_OK;
  for (size_t i = 0; i < count && !status; i++)
    status = l2o_family_sample(family, &instances[i], seed, purpose, i, diag);
  if (!status)
    status = type->save(instances, count, path, diag);
  for (size_t i = 0; i < count; i++)
    l2o_problem_free(&instances[i]);
  free(instances);
  return status;
}
