/* SPDX-License-Identifier: BSD-3-Clause */
/* AGZO (Lin, Jiang, Song, Xiang and Xu, arXiv 2601.17261): activation-guided zeroth-order optimisation. The gradient of a linear
 * layer is G = Q' X, X (N, columns) its input, a row a token: the rows of G lie in the span of those of X. The direction of a
 * linear layer is R A with A (r, columns) an orthonormal basis of about the dominant right singular subspace of X, found while X is
 * there, in the pass at W that the one-sided difference needs anyway: A = orth(O' X), O (N, r) i.i.d. N(0, 1);   K times: Z = X A',
 * A = orth(Z' X). Layers that share an input share A. Where X is zero, or anything here is not finite, and for everything that is
 * no linear layer, the direction is Gaussian.
 *
 * guide=random takes an A that knows nothing of X, orth of Gaussian rows: what low rank alone does. energy < 1 gives every layer a
 * rank of its own: the least one up to `rank` whose singular directions hold that share of |X|_F^2, by the norms of the columns of
 * Z.
 *
 * layer_probe.h tells the rest. Cost of a step: 2 forward passes and for each input 2 r (2 K + 1) N columns operations, r (2 K + 1)
 * / rows of the layer's own product; A for every input, r columns, lives for a step; O and Z together take r N. */
#include "core/linalg.h"
#include "core/normals.h"
#include "layer_probe.h"
#include <math.h>
#include <string.h>

enum { RANK = PROBE_OPTION_COUNT, POWER, GUIDE, ENERGY };
enum { GUIDE_ACTIVATIONS, GUIDE_RANDOM };
static const l2o_option options[] = {
    PROBE_OPTIONS(PROBE_ONE_SIDED, PROBE_ROWS),
    {"rank", L2O_OPTION_INT, 1, 1, 1e6, NULL, "rank r of the direction of a linear layer; less where it has fewer rows of input"},
    {"power", L2O_OPTION_INT, 3, 0, 100, NULL, "power iterations K"},
    {"guide", L2O_OPTION_CHOICE, GUIDE_ACTIVATIONS, 0, 0, "activations|random", "what the right factor spans"},
    {"energy", L2O_OPTION_REAL, 1, 0, 1, NULL,
     "share of |X|^2 that a layer's rank, at most `rank`, is to hold; 1: all have `rank`"},
    {0},
};

static const uint32_t STARTS = UINT32_C(1) << 30; /* streams of O, after those of the directions */

typedef struct guide {
  l2o_real *Z, *work; /* (tokens, r) O, then Z; l2o_orthonormal_rows_work(r) */
} guide;

/* The first block of those that share an input holds A. */
static bool leads(const probe *p, size_t b) {
  return p->blocks[b].kind == L2O_BLOCK_LINEAR && p->blocks[b].input == b;
}

static void layout(probe *p, guide *g, l2o_iterate *it, l2o_arena *arena) {
  const size_t rank = (size_t)it->options[RANK];
  probe_layout(p, it, rank, arena);
  for (size_t b = 0; b < p->count; b++) {
    l2o_real *factor = NULL;
    if (leads(p, b))
      L2O_TAKE(arena, factor, rank * p->blocks[b].columns);
    if (p->of)
      p->of[b].factor = factor;
  }
  L2O_TAKE(arena, g->Z, (rank < p->tokens ? rank : p->tokens) * p->tokens);
  L2O_TAKE(arena, g->work, l2o_orthonormal_rows_work(rank));
}

static size_t scratch_len(const l2o_iterate *it) {
  probe p;
  guide g;
  l2o_arena arena = {0};
  layout(&p, &g, (l2o_iterate *)(uintptr_t)it, &arena);
  return arena.used / sizeof(l2o_real);
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return probe_check_rank(it, "agzo", (size_t)it->options[RANK], diag);
}

/* The least rank whose columns of Z (N, r), whose squared norms are about the squares of the singular values, hold the share. */
static size_t rank_for(const l2o_real *Z, const l2o_real *X, size_t N, size_t columns, size_t stride, size_t r, double share) {
  double all = 0, held = 0;
  for (size_t t = 0; t < N; t++)
    all += l2o_dot(X + t * stride, X + t * stride, columns);
  for (size_t j = 0; j < r; j++) {
    for (size_t t = 0; t < N; t++)
      held += (double)Z[t * r + j] * (double)Z[t * r + j];
    if (held >= share * all)
      return j + 1;
  }
  return r;
}

/* Gives the layers that share this input their A. */
static void share(probe *p, size_t leader, size_t rank) {
  for (size_t b = leader; b < p->count; b++) {
    probe_direction *d = &p->of[b];
    if (p->blocks[b].kind != L2O_BLOCK_LINEAR || p->blocks[b].input != leader || d->kind == PROBE_NONE)
      continue;
    d->kind = PROBE_LOW_RANK;
    d->rank = rank;
    d->factor = p->of[leader].factor;
  }
}

static l2o_status look(probe *p, size_t block, const l2o_real *X, size_t N, size_t stride) {
  const l2o_iterate *it = p->it;
  const guide *g = p->context;
  const size_t columns = p->blocks[block].columns, wanted = (size_t)it->options[RANK], r = wanted < N ? wanted : N;
  const size_t K = it->options[GUIDE] == GUIDE_RANDOM ? 0 : (size_t)it->options[POWER];
  l2o_real *A = (l2o_real *)(uintptr_t)p->of[block].factor;
  if (N > p->tokens) /* more than the problem has said */
    return L2O_ERR_SHAPE;
  if (it->options[GUIDE] == GUIDE_RANDOM) {
    l2o_normals(A, it->seed, STARTS + (uint32_t)block, it->k, 0, r * columns);
  } else {
    l2o_normals(g->Z, it->seed, STARTS + (uint32_t)block, it->k, 0, N * r);
    l2o_gemm_part(A, columns, false, g->Z, r, true, X, stride, false, r, columns, N);
  }
  if (!(l2o_norm(A, r * columns) > 0))
    return L2O_OK;
  l2o_status status = l2o_orthonormal_rows(A, g->work, r, columns);
  for (size_t k = 0; k < K && !status; k++) {
    l2o_gemm_part(g->Z, r, false, X, stride, false, A, columns, true, N, r, columns);
    l2o_gemm_part(A, columns, false, g->Z, r, true, X, stride, false, r, columns, N);
    status = l2o_orthonormal_rows(A, g->work, r, columns);
  }
  if (status || !l2o_all_finite(A, r * columns))
    return L2O_OK;
  share(p, block, K && it->options[ENERGY] < 1 ? rank_for(g->Z, X, N, columns, stride, r, it->options[ENERGY]) : r);
  return L2O_OK;
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  probe p;
  guide g;
  l2o_arena arena = {.base = (unsigned char *)it->scratch};
  layout(&p, &g, it, &arena);
  probe_begin(&p);
  p.look = look;
  p.context = &g;
  return probe_step(&p, stop);
}

const l2o_solver l2o_agzo = {
    .struct_size = sizeof l2o_agzo,
    .name = "agzo",
    .meaning = "zeroth order for layered problems: AGZO, each layer along its dominant activations (arXiv 2601.17261)",
    .needs = L2O_NEEDS_STEP | L2O_NEEDS_LAYERS | L2O_KEEPS_X,
    .options = options,
    .scratch_len = scratch_len,
    .check = check,
    .step = step,
};
