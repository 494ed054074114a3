/* SPDX-License-Identifier: BSD-3-Clause */
/* LOZO (Chen, Zhang, Cao, Yuan and Yin, ICLR 2025): the direction of every matrix, tables included, is R A with R fresh in every
 * step and A Gaussian, drawn anew every `interval` steps; gains and biases have a Gaussian one. There is no factor 1/r. A is not
 * kept but drawn again from its name in every step. layer_probe.h tells the rest. Cost of a step: 2 forward passes, 3 r normals for
 * a row and r for a column, and 2 r n operations for each of the 3 times that a direction is used. */
#include "core/normals.h"
#include "layer_probe.h"

enum { RANK = PROBE_OPTION_COUNT, INTERVAL };
static const l2o_option options[] = {
    PROBE_OPTIONS(PROBE_TWO_SIDED, PROBE_ALL),
    {"rank", L2O_OPTION_INT, 1, 1, 1e6, NULL, "rank r of the direction of a matrix"},
    {"interval", L2O_OPTION_INT, 100, 1, 1e9, NULL, "steps for which the right factor A stays"},
    {0},
};

static const uint32_t FACTORS = UINT32_C(1) << 30; /* streams of the right factors, after those of the directions */

static void layout(probe *p, l2o_iterate *it, l2o_arena *arena) {
  const size_t rank = (size_t)it->options[RANK];
  probe_layout(p, it, rank, arena);
  for (size_t b = 0; b < p->count; b++) {
    l2o_real *factor = NULL;
    if (p->blocks[b].kind != L2O_BLOCK_OTHER)
      L2O_TAKE(arena, factor, rank * p->blocks[b].columns);
    if (p->of)
      p->of[b].factor = factor;
  }
}

static size_t scratch_len(const l2o_iterate *it) {
  probe p;
  l2o_arena arena = {0};
  layout(&p, (l2o_iterate *)(uintptr_t)it, &arena);
  return arena.used / sizeof(l2o_real);
}

static l2o_status check(const l2o_iterate *it, l2o_diag *diag) {
  return probe_check_rank(it, "lozo", (size_t)it->options[RANK], diag);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  const uint64_t period = it->k / (size_t)it->options[INTERVAL];
  probe p;
  l2o_arena arena = {.base = (unsigned char *)it->scratch};
  layout(&p, it, &arena);
  probe_begin(&p);
  for (size_t b = 0; b < p.count; b++) {
    probe_direction *d = &p.of[b];
    if (!d->factor || d->kind == PROBE_NONE)
      continue;
    d->kind = PROBE_LOW_RANK;
    d->rank = (size_t)it->options[RANK];
    l2o_normals((l2o_real *)(uintptr_t)d->factor, it->seed, FACTORS + (uint32_t)b, period, 0, d->rank * p.blocks[b].columns);
  }
  return probe_step(&p, stop);
}

const l2o_solver l2o_lozo = {
    .struct_size = sizeof l2o_lozo,
    .name = "lozo",
    .meaning = "zeroth order for layered problems: LOZO, a random low-rank direction for each matrix (arXiv 2410.07698)",
    .needs = L2O_NEEDS_STEP | L2O_NEEDS_LAYERS | L2O_KEEPS_X,
    .options = options,
    .scratch_len = scratch_len,
    .check = check,
    .step = step,
};
