/* SPDX-License-Identifier: BSD-3-Clause */
/* Families that learn to tell classes apart: an instance is a matrix of features, as they are or scaled, and a class for every row,
 * drawn or real. A family says in an l2o_classification_kind what is its own: the loss, and how an instance is drawn. */
#ifndef L2O_PROBLEMS_CLASSIFICATION_H
#define L2O_PROBLEMS_CLASSIFICATION_H
#include "problems/draws.h"
#include "problems/instance.h"

enum { L2O_FEATURES_NONE, L2O_FEATURES_UNIT, L2O_FEATURES_STANDARD };
#define L2O_SCALE_OPTION                                                                                                           \
  {                                                                                                                                \
    "scale", L2O_OPTION_CHOICE, L2O_FEATURES_NONE, 0, 0, "none|unit|standard",                                                     \
        "features as they are, divided by their largest absolute value, or with mean 0 and variance 1"                             \
  }
#define L2O_FEATURE_OPTIONS                                                                                                        \
  L2O_SCALE_OPTION, {                                                                                                              \
    "bias", L2O_OPTION_CHOICE, 0, 0, 0, "false|true", "append a constant feature 1"                                                \
  }

/* out (rows, features + bias) from A (rows, features). A feature that does not vary has no variance to scale to: `standard` makes
 * it 0; `unit` leaves one that is 0 everywhere. Allocates; L2O_ERR_NOMEM. */
l2o_status l2o_scale_features(l2o_real *out, const l2o_real *A, size_t rows, size_t features, int scale, bool bias);

typedef struct l2o_classification l2o_classification;

typedef struct l2o_classification_kind {
  const char *name;
  const l2o_problem_ops *ops, *composite_ops; /* with l1 = 0; with l1 > 0, NULL where the family has no such term */
  /* There are two classes, and an instance stores b_i a_i with b_i = -1 for label 0, 1 for label 1, instead of the labels. */
  bool binary;
  /* The Hessian of a row's loss in its scores has eigenvalues from 0 to `largest`, and at most this trace. */
  void (*curvature)(double *largest, double *trace, size_t classes);
  /* Draws A (m, features), label (m) below f->classes, and start (base.n) where that is not NULL. */
  l2o_status (*draw)(const l2o_classification *f, double *A, size_t *label, l2o_real *start, l2o_draws *draws);
} l2o_classification_kind;

struct l2o_classification {
  l2o_family base; /* first: the family handle points here */
  const l2o_classification_kind *kind;
  size_t m, features, classes; /* as drawn or read: without the bias */
  int scale;
  bool bias, draws_start;
  double l1, l2;
  /* of families from data */
  l2o_instance instance;
  l2o_dataset *source;
  l2o_real *scaled;
  char note[240];
};

/* A family that draws: `size` bytes, zeroed but for the l2o_classification that they begin with. That is `about` with its base
 * filled in, of which only plain_seeds is read. L2O_ERR_SHAPE where it is too large. */
l2o_status l2o_classification_new(l2o_classification **out, size_t size, const l2o_classification *about, l2o_diag *diag);
/* The instance of a row of a file, of a binary kind: `arrays` as in l2o_instance_kind.make, the vector -1 and 1. */
l2o_status l2o_classification_from_row(l2o_problem *out, const l2o_classification_kind *kind, const l2o_instance *arrays, size_t n,
                                       l2o_diag *diag);
/* The one instance that a data set is, with a start of its own for every seed and index where it draws one; m, features and classes
 * of `about` must be those of the data or 0. Takes the data over on success. */
l2o_status l2o_classification_from_data(l2o_family **out, const l2o_classification *about, l2o_dataset *data, l2o_diag *diag);
#endif
