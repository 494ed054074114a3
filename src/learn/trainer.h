/* SPDX-License-Identifier: BSD-3-Clause */
/* What trainer.c and checkpoint.c share. */
#ifndef L2O_LEARN_TRAINER_H
#define L2O_LEARN_TRAINER_H
#include "learn/layerwise.h"
#include "learn/ranks.h"
#include "learn/unroll.h"
#include <l2o/train.h>

/* What the next training step depends on, besides weights and moments. */
typedef struct l2o_progress {
  size_t step;     /* training steps done */
  size_t updates;  /* updates made since the moments were zero (Adam's t) */
  size_t round;    /* horizons begun before the present one */
  size_t position; /* iterations done in the present horizon */
  size_t rejected, rejected_run;
  double best; /* smallest validation objective noted; infinity: none */
} l2o_progress;

struct l2o_trainer {
  l2o_model *model;
  const l2o_solver *solver;
  const l2o_family *family;
  l2o_train_settings settings;
  double options[L2O_OPTIONS_MAX];
  size_t n, parameters, state_len, sum_len, rows; /* rows: instances of a file that are trained on; 0: unlimited */
  size_t stride;                                  /* from state to state: whole cache lines */
  int threads;
  l2o_share share, validation_share; /* this rank's instances: all of them unless there are other ranks */
  size_t held;                       /* training instances in memory: a rank without any holds one that tells the sizes */
  size_t slots;                      /* sums of vector-Jacobian products: each of an even part of the share, in order */
  l2o_progress progress;
  size_t sampled_round; /* the round whose instances are in `problems`; SIZE_MAX: none */
  l2o_problem *problems, *validation;
  double *step_sizes, *validation_steps; /* base step of each instance */
  double *minima, *validation_minima;    /* f* of each instance, for the loss log-gap */
  l2o_real **solutions;                  /* (held + validation share) x* of each, (n), for the loss solution; NULL for others */
  size_t *groups, *validation_groups;    /* instances that a thread takes together from here on; 0: they are in an earlier group */
  l2o_real **hessians; /* (share) triangles, see core/matrix.h, one for a group; NULL: the problem multiplies itself */
  double *weights, *moment1, *moment2, *gradient, *proposal, *best; /* (parameters) */
  l2o_real *x, *state, *next_x, *next_state;                        /* (share, n) and (share, stride) */
  l2o_real *g, *next_g;                                             /* (share, n) gradients there, and */
  double *f, *next_f;                                               /* (share) objectives, */
  bool looked;                                                      /* if they have been evaluated since the checkpoint was read */
  l2o_stretch *stretches;                                           /* what a step moves */
  double *sums;                                                     /* (slots, sum_len) */
  double *sum, *losses; /* (sum_len), and behind it (max(batch, validation) + 1): what is added up over the ranks */
  l2o_status *statuses; /* (max(share, validation share)) */
  l2o_worker *workers;  /* (threads) */
  size_t width, room;   /* lanes of each worker, their problems' scratch, */
  bool composite;       /* and whether there is a nonsmooth part */
  void *worker_block;
  char note[200]; /* for logs: l2o_trainer_note() */
};
#endif
