/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef L2O_PROBLEMS_KSVD_H
#define L2O_PROBLEMS_KSVD_H
#include <l2o/base.h>

/* Learns a dictionary in which each of samples (count, rows) is nearly a sum of at most `sparsity` multiples of atoms.
 * atoms (n, rows), in: a start, of unit length each; out: the dictionary, of unit length each. sparsity is from 1 to rows.
 * Returns L2O_ERR_NOMEM. Allocates about 2 count rows doubles. Cost: iterations count sparsity n rows multiplications. */
l2o_status l2o_ksvd(double *atoms, const double *samples, size_t count, size_t rows, size_t n, size_t sparsity, size_t iterations);
#endif
