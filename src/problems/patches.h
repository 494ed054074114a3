/* SPDX-License-Identifier: BSD-3-Clause */
/* Patches of images, and the dictionaries that they are coded with. */
#ifndef L2O_PROBLEMS_PATCHES_H
#define L2O_PROBLEMS_PATCHES_H
#include <l2o/data.h>
#include <l2o/random.h>

/* out (side, side) = the window of an image of the data set at a place that is drawn uniformly, as (p - min) / (max - min + 1e-3)
 * less its mean. The images are one PGM or the rows of an IDX file, at least side x side. */
void l2o_patch_draw(l2o_real *out, const l2o_dataset *data, size_t side, l2o_rng *rng);

/* Overcomplete 2-D DCT: A (side^2, axis^2), column (j, k) the outer product of the 1-D atoms j and k,
 * d_j(i) = cos(pi (i + 1/2) j / axis), i < side, less its mean where j > 0, of unit length; with axis = side the orthonormal
 * DCT-II. */
void l2o_dictionary_dct(l2o_real *A, size_t side, size_t axis);
/* A (rows, n) with columns uniform on the unit sphere. Allocates. */
l2o_status l2o_dictionary_random(l2o_real *A, size_t rows, size_t n, uint64_t seed);
/* A (side^2, n), learned by ten iterations of K-SVD (ksvd.h) on 1000 patches of the data set that the seed draws, each coded with
 * `sparsity` atoms; its start is the first n of these patches, and random atoms where there are too few that are not flat.
 * Allocates; 10,000 sparsity n side^2 multiplications. */
l2o_status l2o_dictionary_ksvd(l2o_real *A, const l2o_dataset *data, size_t side, size_t n, size_t sparsity, uint64_t seed);
#endif
