/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of family that family.c lists, and what their files share. */
#ifndef L2O_PROBLEMS_FAMILIES_H
#define L2O_PROBLEMS_FAMILIES_H
#include <l2o/family.h>
#include <l2o/tensor_file.h>

extern const l2o_family_type l2o_family_type_qp;
extern const l2o_family_type l2o_family_type_quadratic;

/* Arrays of an instance file, converted to l2o_real. One block: free(set->block). */
typedef struct l2o_instance_set {
  l2o_real *block;
  l2o_real *matrix;  /* (matrices, rows, columns) */
  l2o_real *vector;  /* (count, rows) */
  l2o_real *start;   /* (count, columns) or NULL */
  double *minimum;   /* (count) or NULL */
  double *lipschitz; /* (matrices), filled by the family */
  size_t count, matrices, rows, columns;
} l2o_instance_set;

/* Reads `matrix_name` [B,r,c] or [r,c], `vector_name` [B,r] or [B,r,1], optional `x0` [B,c] or [B,c,1], `fstar` [B]; anything else
 * in the file is left alone. Everything must be finite. */
l2o_status l2o_instances_read(l2o_instance_set *set, const char *path, const char *matrix_name, const char *vector_name,
                              l2o_diag *diag);
/* Writes such a file from pointers to each instance's arrays; the matrix is stored once where all instances share it. starts[0]
 * NULL: none of them is stored. */
l2o_status l2o_instances_write(const char *path, const char *matrix_name, const char *vector_name, const l2o_real *const *matrices,
                               const l2o_real *const *vectors, const l2o_real *const *starts, size_t count, size_t rows,
                               size_t columns, l2o_diag *diag);
#endif
