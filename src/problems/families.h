/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of family that family.c lists. */
#ifndef L2O_PROBLEMS_FAMILIES_H
#define L2O_PROBLEMS_FAMILIES_H
#include <l2o/family.h>

extern const l2o_family_type l2o_family_type_cnn;
extern const l2o_family_type l2o_family_type_geman_mcclure;
extern const l2o_family_type l2o_family_type_lasso;
extern const l2o_family_type l2o_family_type_least_squares;
extern const l2o_family_type l2o_family_type_log_sum_exp;
extern const l2o_family_type l2o_family_type_logistic;
extern const l2o_family_type l2o_family_type_mlp;
extern const l2o_family_type l2o_family_type_more_garbow_hillstrom;
extern const l2o_family_type l2o_family_type_power_control;
extern const l2o_family_type l2o_family_type_qp;
extern const l2o_family_type l2o_family_type_quadratic;
extern const l2o_family_type l2o_family_type_rosenbrock;
extern const l2o_family_type l2o_family_type_softmax;
extern const l2o_family_type l2o_family_type_sum_rate;
extern const l2o_family_type l2o_family_type_transformer;

/* Is it one of l2o_family_shifted()? (shifted.c) */
bool l2o_family_is_shifted(const l2o_family *family);
/* Of such a problem whose start alone is shifted, the one inside; every other problem itself. */
const l2o_problem *l2o_unshifted(const l2o_problem *p);
/* t of F(x + t); 0 where nothing is shifted. */
double l2o_function_shift(const l2o_problem *p);
#endif
