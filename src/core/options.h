/* SPDX-License-Identifier: BSD-3-Clause */
/* Specifications "name:key=value,key=value" against tables of l2o_option: the one grammar of solvers, families and models. */
#ifndef L2O_CORE_OPTIONS_H
#define L2O_CORE_OPTIONS_H
#include <l2o/base.h>

enum { L2O_OPTIONS_MAX = 24, L2O_SPEC_MAX = 1024, L2O_NAME_MAX = 64 };

/* Rows of a table (NULL: 0), at most L2O_OPTIONS_MAX. */
size_t l2o_option_count(const l2o_option *table);

/* values[] = defaults, then what "key=value,..." says (NULL or "": nothing). `owner` names the thing in sentences. */
l2o_status l2o_options_parse(const l2o_option *table, double *values, const char *owner, const char *text, l2o_diag *diag);

/* Splits "name" or "name:rest" into name[L2O_NAME_MAX]; *rest points behind the colon, or at the end. */
l2o_status l2o_spec_split(const char *spec, char *name, const char **rest, l2o_diag *diag);

/* "name:key=value,..." with every option, numbers with enough digits to read back the same; false if `size` is too small. */
bool l2o_options_format(const l2o_option *table, const double *values, const char *name, char *out, size_t size);
#endif
