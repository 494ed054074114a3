/* SPDX-License-Identifier: BSD-3-Clause */
/** @file train.h
 *  The trainer: unrolls a learned rule over sampled problems, sweeps back through time, updates the model.
 *
 *  One training step takes one segment of `unroll` iterations on `batch` instances forward and back and makes one update. Segments
 *  follow each other along the horizon (truncated back-propagation); when the horizon is reached the next batch begins. With
 *  unroll = horizon every training step is one full unroll. Instances are the outer loop: one thread takes one instance through
 *  the whole segment. Each instance has a sum of its own for its part of the gradient; where these would take more than 16 MiB, a
 *  run of consecutive instances has one, which one thread takes in their order: as many runs as 16 MiB hold sums, but at least 4,
 *  and no more threads have work then. The sums are added up in order, so 1 and 2 threads give the same bits.
 *
 *  Several processes, the ranks, share the work if each makes a trainer with the same settings but for `rank`, of equal models and
 *  families. Rank r of R takes the instances [batch r / R, batch (r + 1) / R) of every batch, by their own seeds and numbers, and
 *  validates its share likewise; gradients and losses are added up in one call of `sum` a step, and all ranks make the same update.
 * The loss of given weights is the same bits for every R, the gradient differs by the order of summation. With MPI:
 *
 *      static l2o_status sum(void *context, double *values, size_t count) {
 *        int failed = MPI_Allreduce(MPI_IN_PLACE, values, (int)count, MPI_DOUBLE, MPI_SUM, *(MPI_Comm *)context);
 *        return failed ? L2O_ERR_CALLBACK : L2O_OK;
 *      }
 *
 *  MPI libraries whose MPI_Allreduce gives every rank the same bits (Open MPI does) will do; all ranks need to run the same build
 *  on the same instruction set, see l2o_vector_instructions(). Every rank makes the same calls of l2o_trainer_new(), _step(),
 *  _gradient(), _validate(), _save() and _resume(), each of which may call `sum`, and each of which fails with the same status and
 *  sentence on all ranks if it fails on any. */
#ifndef L2O_TRAIN_H
#define L2O_TRAIN_H
#include <l2o/family.h>
#include <l2o/solver.h>
#ifdef __cplusplus
extern "C" {
#endif

/** With f_0 .. f_U the objectives (F = f + h where composite) and g_0 .. g_U the gradients along a segment of U steps. */
typedef enum l2o_loss {
  L2O_LOSS_LAST,     /**< f_U */
  L2O_LOSS_MEAN,     /**< (f_1 + ... + f_U) / U */
  L2O_LOSS_WEIGHTED, /**< (1 f_1 + 2 f_2 + ... + U f_U) / (U (U+1) / 2) */
  /** 1/U sum_j (f_j - f_{j-1}) / max(-g_{j-1}'d_{j-1}, 1e-14), d the direction of a rule with L2O_FACTORS; only f_j is
   *  differentiated. What remains of the decrease that the slope promises: of any scale, -1/2 for Newton's step on a quadratic. */
  L2O_LOSS_DECREASE,
  /** 1/U sum_j ln max(f_j - f*, 1e-10); problems with a known minimum, which is solved for, where it has to be, when an instance is
   *  sampled. Nothing is differentiated where the bound holds, here and below. */
  L2O_LOSS_LOG_GAP,
  /** 1/U sum_j ln max(|g_j|, 1e-14), of composite problems with the residual r = x - prox_{s h}(x - s grad f(x)), s the base step
   * or 1, in place of g; its derivative is a Hessian-vector product */
  L2O_LOSS_LOG_GRADIENT,
  /** 1/2 |x_U - x*|^2 (supervised training); problems whose minimiser x* is known, which is solved for, where it has to be, when an
   *  instance is sampled, and kept with it */
  L2O_LOSS_SOLUTION
} l2o_loss;
typedef enum l2o_reduction { L2O_REDUCTION_MEAN, L2O_REDUCTION_SUM } l2o_reduction; /**< over the instances of a batch */
typedef enum l2o_optimizer { L2O_OPTIMIZER_SGD, L2O_OPTIMIZER_ADAM } l2o_optimizer;
typedef enum l2o_schedule {
  L2O_SCHEDULE_CONSTANT, /**< lr */
  L2O_SCHEDULE_COSINE,   /**< lr_end + (lr - lr_end) (1 + cos(pi i / steps)) / 2 at step i */
  L2O_SCHEDULE_STEP      /**< lr gamma^floor(i / every) */
} l2o_schedule;

/** Settings of training. Start from l2o_train_settings_default(). */
typedef struct l2o_train_settings {
  size_t struct_size;
  const char *options;             /**< options of the rule, "key=value,..."; NULL: defaults */
  size_t steps;                    /**< length of the cosine schedule; default 1000 */
  size_t batch;                    /**< instances a step; default 32 */
  size_t horizon;                  /**< iterations of one solve; default 100 */
  size_t unroll;                   /**< iterations between updates; default 0: the horizon */
  l2o_loss loss;                   /**< default last */
  l2o_reduction reduction;         /**< default mean */
  l2o_stop_gradient stop_gradient; /**< default features */
  l2o_optimizer optimizer;         /**< default adam */
  double learning_rate;            /**< default 1e-3 */
  double beta1, beta2, epsilon;    /**< Adam; default 0.9, 0.999, 1e-8 */
  double clip_norm;                /**< the gradient is scaled down to this 2-norm; default 0: off */
  l2o_schedule schedule;           /**< default constant */
  double learning_rate_end;        /**< cosine; default 0 */
  double decay;                    /**< step: gamma; default 0.1 */
  size_t decay_every;              /**< step: every; default 1000 */
  bool fresh;                      /**< new instances for every horizon; default false: instances 0..batch-1 throughout */
  uint64_t seed;                   /**< of the training instances; default 0 */
  uint64_t validation_seed;        /**< default 0 (another purpose: never meets the training instances) */
  size_t validation_instances;     /**< default 0: no validation */
  size_t max_rejected;             /**< rejected steps in a row that end training; default 10 */
  int threads;                     /**< default 0: as many as OpenMP gives */
  size_t ranks, rank;              /**< this trainer is one of so many that share the work; default 0, 0: alone */
  /** Adds up `values` over all ranks, in place, the same bits for all of them; not needed by a trainer that is alone. A failure
   * must be everybody's. */
  l2o_status (*sum)(void *context, double *values, size_t count);
  void *sum_context;     /**< handed to `sum` */
  double regularisation; /**< adds this times 1/U sum_j (mean_i (p_{j,i} - 1)^2), p the factors of a rule with L2O_FACTORS; default
                            0 */
  /** Layer-wise training of models with K layers (lista and its kin), in so many passes through them; default 0: all layers at
   *  once. Layer l = 1 .. K is trained by the loss after it, that of a segment of l steps, in three stages: in the first its own
   *  parameters move, at the learning rate; in the second those of layers j <= l, at 0.2 of it times layer_decay^(l - j); in the
   *  third at 0.02 likewise. Tensors that all layers share move in every stage, times layer_decay^(l - 1). Each stage begins with
   *  fresh moments. All stages have steps / (3 K layerwise_rounds) steps, where the published method ends a stage when validation
   *  no longer gains; `steps` must be a multiple of that, horizon and unroll must be K. Every step begins a horizon. Chen, Liu,
   * Wang, Yin, NeurIPS 2018; Aberdam, Golts, Elad, arXiv 2001.08456 (layer_decay 0.3). */
  size_t layerwise_rounds;
  double layer_decay; /**< above 0, at most 1; default 1 */
} l2o_train_settings;

L2O_API void l2o_train_settings_init(l2o_train_settings *settings, size_t struct_size);
static inline l2o_train_settings l2o_train_settings_default(void) {
  l2o_train_settings s;
  l2o_train_settings_init(&s, sizeof s);
  return s;
}

/** What one training step did. */
typedef struct l2o_train_record {
  size_t step;          /**< steps done, this one included */
  double loss;          /**< of the weights before the update */
  double learning_rate; /**< used by this update; layer-wise, of the layer that is trained */
  double gradient_norm; /**< of what moves, before clipping */
  bool rejected;        /**< loss or gradient was not finite: the weights are as before */
  size_t rejected_total;
  size_t layer, stage; /**< layer-wise: which of the K layers was trained, in which of the 3 stages; else 0 */
} l2o_train_record;

typedef struct l2o_trainer l2o_trainer;

/** Gets all memory: O(threads T n + batch n + min(batch, 4 + 2^21 / P) P), T = unroll, P = number of gradient accumulators, plus
 * the sampled instances; with ranks, for the own share of the batch. Model, solver and family are borrowed and outlive it; the
 * trainer writes the model. L2O_ERR_SHAPE where instances differ in size (on any rank), L2O_ERR_ARG for settings that make no sense
 * and for ranks whose models differ, L2O_ERR_NOTSUP for a rule that cannot be trained, or not with this loss, L2O_ERR_NOMEM, or
 * what the family reports. A file family's last `validation_instances` rows are kept for validation and never trained on. */
L2O_API l2o_status l2o_trainer_new(l2o_trainer **out, l2o_model *model, const l2o_solver *solver, const l2o_family *family,
                                   const l2o_train_settings *settings, l2o_diag *diag);
L2O_API void l2o_trainer_free(l2o_trainer *trainer);
/** One segment forward and back, one update. A non-finite loss or gradient rejects the step (reported, not an error); after
 *  `max_rejected` of them in a row: L2O_ERR_NUMERIC, the model holding the last good weights. Does not allocate with fixed
 * instances. */
L2O_API l2o_status l2o_trainer_step(l2o_trainer *trainer, l2o_train_record *record, l2o_diag *diag);
/** Loss and gradient (flat, in the model's tensor order) of the next segment, without an update; layer-wise, of everything, whether
 * it moves or not. */
L2O_API l2o_status l2o_trainer_gradient(l2o_trainer *trainer, double *loss, double *gradient, l2o_diag *diag);
/** Over the validation instances: with the losses last, mean and weighted the mean objective after the whole horizon; with the
 *  others, which are of any scale, the mean over the iterates x_1 .. x_T of the horizon, too, of ln max(|g_j| / |g_0|, 1e-14), r in
 *  place of g where composite, and with log-gap of ln max((f_j - f*) / (f_0 - f*), 1e-14); with solution the mean of
 *  |x_T - x*|^2 / |x_0 - x*|^2. Layer-wise training, too, is validated through all K layers, whichever is trained: what is
 *  compared is of one kind, and says how good the model is as it stands.
 *  Infinite where an iterate is not finite. @return L2O_ERR_NOTSUP without any instances. */
L2O_API l2o_status l2o_trainer_validate(l2o_trainer *trainer, double *objective, l2o_diag *diag);
/** Notes the current weights as the best so far if `objective` is below every earlier one; true if it was. */
L2O_API bool l2o_trainer_keep_best(l2o_trainer *trainer, double objective);
/** Copies the best weights noted (if any) into the model. @return L2O_ERR_NOTSUP if none were noted. */
L2O_API l2o_status l2o_trainer_use_best(l2o_trainer *trainer);
/** A sentence for logs: by which matrix backward passes multiply, the problem's own or its Hessian (W or W'W), and how many
 * instances go together. "" where there is nothing to tell. Belongs to the trainer. */
L2O_API const char *l2o_trainer_note(const l2o_trainer *trainer);
/** Steps done so far. */
L2O_API size_t l2o_trainer_steps_done(const l2o_trainer *trainer);
/** Everything that the next step depends on (weights, moments, step, seed, iterates of an unfinished horizon, best weights); the
 * file appears whole or not at all. `config_id` is any text that must be the same on resuming. With ranks, rank 0 writes the file
 * for all, and the path that the others give is not looked at. */
L2O_API l2o_status l2o_trainer_save(const l2o_trainer *trainer, const char *path, const char *config_id, l2o_diag *diag);
/** Goes on where a saved trainer stopped, bit for bit. With ranks, each reads the same file, which may have been written by another
 *  number of them; the bits are those of the unbroken run if that was the same. @return L2O_ERR_ARG when the checkpoint belongs to
 *  another config_id, L2O_ERR_FORMAT (also where ranks read different ones), L2O_ERR_SHAPE when it does not fit; the trainer is
 *  then unchanged. */
L2O_API l2o_status l2o_trainer_resume(l2o_trainer *trainer, const char *path, const char *config_id, l2o_diag *diag);

#ifdef __cplusplus
}
#endif
#endif
