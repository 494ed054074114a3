/* SPDX-License-Identifier: BSD-3-Clause */
/* Which parameters a training step moves, and how fast: all that are learned, or layer by layer (Chen, Liu, Wang, Yin, NeurIPS
 * 2018; Aberdam, Golts, Elad, arXiv 2001.08456). Layer l = 1 .. K is trained in three stages, by the loss after it:
 *
 *   stage 1: layer l            at the learning rate
 *   stage 2: layers j = 1 .. l  at 0.2  of it, times d^(l - j)
 *   stage 3: the same           at 0.02 of it, times d^(l - j)
 *
 * and what the layers share in all three, times d^(l - 1). All stages are of one length, so that the number of a step tells where
 * it stands; the published ones end where validation no longer gains. */
#ifndef L2O_LEARN_LAYERWISE_H
#define L2O_LEARN_LAYERWISE_H
#include "nn/model.h"
#include <l2o/train.h>

/* Where a training step stands. */
typedef struct l2o_stage {
  size_t layer, stage; /* from 1; 0: all layers are trained at once */
  bool begins;         /* first step of its stage */
  double factor;       /* of the learning rate */
} l2o_stage;

/* Consecutive parameters that move at `factor` times the step's learning rate. */
typedef struct l2o_stretch {
  size_t first, count;
  double factor;
} l2o_stretch;

/* Do settings and model fit, if layers are to be trained one by one? A sentence if not. */
l2o_status l2o_layerwise_check(const l2o_train_settings *s, const l2o_model *model, l2o_diag *diag);
/* Of step 0, 1, ...; beyond settings->steps the rounds go on. */
l2o_stage l2o_stage_at(const l2o_train_settings *s, const l2o_model *model, size_t step);
/* Most stretches that a step can have. */
size_t l2o_stretches_most(const l2o_train_settings *s, const l2o_model *model);
/* What moves; returns how many stretches. The loss does not have to be differentiated through iterations before *from. */
size_t l2o_stretches(l2o_stretch *out, size_t *from, const l2o_train_settings *s, const l2o_model *model, const l2o_stage *stage);
#endif
