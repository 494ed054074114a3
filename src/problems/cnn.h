/* SPDX-License-Identifier: BSD-3-Clause */
/* A small convolutional network on images of 28 x 28 pixels: convolution 1 -> 2, 3 x 3 with a border of zeros; rectifier; maximum
 * over 2 x 2; convolution 2 -> 3, rectifier and maximum likewise; linear 147 -> 10; cross-entropy. Its unknowns in the order of a
 * PyTorch state_dict. docs/derivations/cnn.md has the formulas. */
#ifndef L2O_PROBLEMS_CNN_H
#define L2O_PROBLEMS_CNN_H
#include "core/vector.h"

enum {
  L2O_CNN_SIDE = 28,
  L2O_CNN_PIXELS = 784,
  L2O_CNN_CLASSES = 10,
  L2O_CNN_FEATURES = 147,  /* (3, 7, 7), of the linear layer */
  L2O_CNN_WEIGHT1 = 0,     /* (2, 1, 3, 3) */
  L2O_CNN_BIAS1 = 18,      /* (2) */
  L2O_CNN_WEIGHT2 = 20,    /* (3, 2, 3, 3) */
  L2O_CNN_BIAS2 = 74,      /* (3) */
  L2O_CNN_WEIGHT3 = 77,    /* (10, 147) */
  L2O_CNN_BIAS3 = 1547,    /* (10) */
  L2O_CNN_UNKNOWNS = 1557, /* of all of them */

  L2O_CNN_BLOCK = 64,                    /* images of one call below */
  L2O_CNN_LANES = 64 / sizeof(l2o_real), /* of the widest vectors */
  L2O_CNN_IMAGE = 900,                   /* the image with its border, (30, 30) */
  L2O_CNN_POOLED = 512,                  /* the first maxima with their border, (2, 16, 16) */
  L2O_CNN_SLOPES = 768,                  /* gradient of the second convolution with its border, (3, 16, 16) */
  L2O_CNN_BORDERED = L2O_CNN_IMAGE + L2O_CNN_POOLED + L2O_CNN_SLOPES,
  L2O_CNN_PLAIN = 392 + 392 + L2O_CNN_FEATURES, /* where the first maxima are, their gradient; where the second are */
  L2O_CNN_ROOM = (L2O_CNN_BORDERED + L2O_CNN_PLAIN) * L2O_CNN_LANES + (L2O_CNN_FEATURES + L2O_CNN_CLASSES) * L2O_CNN_BLOCK
};

/* Images as they are stored, 784 reals each; a pixel goes in as (stored - shift) * scale. All of the arrays are filled: behind
 * `count` with any image, any label and share 0. */
typedef struct l2o_cnn_images {
  const l2o_real *image[L2O_CNN_BLOCK];
  l2o_real label[L2O_CNN_BLOCK], share[L2O_CNN_BLOCK]; /* 0 to 9; 1 */
  size_t count;                                        /* from 1 to L2O_CNN_BLOCK */
  l2o_real shift, scale;
} l2o_cnn_images;

/* loss += the sum of the cross-entropies, and g (1557) += their gradient unless g is NULL. room: L2O_CNN_ROOM reals, aligned to 64
 * bytes, of which the first L2O_CNN_BORDERED * L2O_CNN_LANES are zero before the first call and then left to these calls. */
L2O_KERNEL(void, l2o_cnn_add, (double *loss, double *g, const l2o_real *x, const l2o_cnn_images *images, l2o_real *room));
static inline void l2o_cnn_add(double *loss, double *g, const l2o_real *x, const l2o_cnn_images *images, l2o_real *room) {
  L2O_DISPATCH(l2o_cnn_add, (loss, g, x, images, room));
}
#endif
