/* SPDX-License-Identifier: BSD-3-Clause */
/* What mezo, lozo and agzo share: a layered problem is probed at W + mu D, block by block, with a direction D that is drawn again
 * from its name whenever it is needed, and moved along it.
 *
 *   two-sided:  c = (f(W + mu D) - f(W - mu D)) / 2 mu        one-sided:  c = (f(W + mu D) - f(W)) / mu
 *   W <- W - eta c D
 *
 * D of a block is
 *   gaussian   u, i.i.d. N(0, 1)
 *   low rank   R A, R (rows, r) i.i.d. N(0, 1), A (r, columns) given for this step
 *   none       0: frozen
 * times the block's scale. Entry (i, j) of u of block b in step k is entry i p + j of the sequence (it->seed, b, k), p the columns
 * rounded up to a multiple of 4; entry (i, j) of R is entry j q + i, q the rows rounded up likewise. So D depends on neither
 * threads nor tiles, and nothing of it is kept.
 *
 * perturb=scratch forms the rows of W + mu D in a tile just before the product that takes them: W is never touched until the
 * update, and a step without a finite value leaves it as it was. perturb=in-place adds mu D to W and takes it off again, as the
 * published code of MeZO does: W then comes back to rounding.
 *
 * tables=rows perturbs the rows of a table that the minibatch looks up, and no others; tables=frozen none.
 *
 * A probe without a finite value makes the step one that is taken back, counted in it->rejected. */
#ifndef L2O_SOLVERS_LAYER_PROBE_H
#define L2O_SOLVERS_LAYER_PROBE_H
#include "core/arena.h"
#include "solvers.h"

/* The options in the order of the tables. */
enum {
  PROBE_STEP,
  PROBE_STEP_SCALE,
  PROBE_BATCH,
  PROBE_RADIUS,
  PROBE_DIFFERENCE,
  PROBE_PERTURB,
  PROBE_TABLES,
  PROBE_OTHERS,
  PROBE_OPTION_COUNT
};
enum { PROBE_ONE_SIDED, PROBE_TWO_SIDED };
enum { PROBE_SCRATCH, PROBE_IN_PLACE };
enum { PROBE_FROZEN, PROBE_ROWS, PROBE_ALL };
#define PROBE_OPTIONS(sides, tables)                                                                                               \
  L2O_STEP_OPTIONS,                                                                                                                \
      {"batch", L2O_OPTION_INT, 16, 1, 1e9, NULL, "summands drawn for each step; as many as there are: all, each once"},           \
      {"radius", L2O_OPTION_REAL, 0, 0, 1, NULL, "distance mu of the probes; 0: 1e-6, in single precision 1e-4"},                  \
      {"difference",                                                                                                               \
       L2O_OPTION_CHOICE,                                                                                                          \
       sides,                                                                                                                      \
       0,                                                                                                                          \
       0,                                                                                                                          \
       "one-sided|two-sided",                                                                                                      \
       "(f(W + mu D) - f(W)) / mu, or (f(W + mu D) - f(W - mu D)) / 2 mu"},                                                        \
      {"perturb",                                                                                                                  \
       L2O_OPTION_CHOICE,                                                                                                          \
       PROBE_SCRATCH,                                                                                                              \
       0,                                                                                                                          \
       0,                                                                                                                          \
       "scratch|in-place",                                                                                                         \
       "form W + mu D a tile at a time, or add it to W and take it off"},                                                          \
      {"tables",                                                                                                                   \
       L2O_OPTION_CHOICE,                                                                                                          \
       tables,                                                                                                                     \
       0,                                                                                                                          \
       0,                                                                                                                          \
       "frozen|rows|all",                                                                                                          \
       "embeddings: none of their rows, those of the minibatch, or all"},                                                          \
  {                                                                                                                                \
    "others", L2O_OPTION_REAL, 1, 0, 1e3, NULL, "factor of the direction of gains and biases; 0: they are frozen"                  \
  }

typedef struct probe_direction {
  enum { PROBE_NONE, PROBE_GAUSSIAN, PROBE_LOW_RANK } kind;
  size_t rank;
  const l2o_real *factor; /* A (rank, columns) */
  l2o_real scale;
  uint32_t *present; /* tables: a bit for each row that is perturbed; NULL: all of them */
} probe_direction;

typedef struct probe {
  l2o_iterate *it;
  const l2o_block *blocks;
  size_t count, tokens; /* blocks; most rows of input of a linear block */
  double mu;            /* signed: of the pass under way */
  probe_direction *of;  /* (count) */
  l2o_real *room;       /* rows of R, transposed */
  /* agzo: called in the base pass with the input of linear blocks; NULL: nobody looks */
  l2o_status (*look)(struct probe *probe, size_t block, const l2o_real *X, size_t rows, size_t stride);
  void *context; /* its own */
} probe;

/* Lays out what the probe needs in the rule's scratch, for low-rank directions of up to `rank`; sets all but kinds, factors and
 * look. */
void probe_layout(probe *p, l2o_iterate *it, size_t rank, l2o_arena *arena);
/* Sets the directions of this step: gaussian everywhere, or none where the options say so. */
void probe_begin(probe *p);
/* Evaluations of a step; `base`: the rule looks at a pass at W. */
size_t probe_calls(const l2o_iterate *it, bool base);
/* The passes of a step and the move. Sets `stop` where the budget does not allow them. */
l2o_status probe_step(probe *p, l2o_stop *stop);
/* Rank of all low-rank directions against the blocks: a sentence that names the first linear block of fewer inputs. */
l2o_status probe_check_rank(const l2o_iterate *it, const char *rule, size_t rank, l2o_diag *diag);
#endif
