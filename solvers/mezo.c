/* SPDX-License-Identifier: BSD-3-Clause */
/* MeZO (Malladi, Gao, Nichani, Damian, Lee, Chen and Arora, NeurIPS 2023): zeroth-order training in the memory of a forward pass.
 * All weights are probed along one Gaussian direction, which is drawn again from its name whenever it is needed; layer_probe.h
 * tells how. Cost of a step: 2 forward passes, and 3 n normals. */
#include "layer_probe.h"

static const l2o_option options[] = {PROBE_OPTIONS(PROBE_TWO_SIDED, PROBE_ALL), {0}};

static size_t scratch_len(const l2o_iterate *it) {
  probe p;
  l2o_arena arena = {0};
  probe_layout(&p, (l2o_iterate *)(uintptr_t)it, 0, &arena);
  return arena.used / sizeof(l2o_real);
}

static l2o_status step(l2o_iterate *it, l2o_real *tape, l2o_stop *stop) {
  (void)tape;
  probe p;
  l2o_arena arena = {.base = (unsigned char *)it->scratch};
  probe_layout(&p, it, 0, &arena);
  probe_begin(&p);
  return probe_step(&p, stop);
}

const l2o_solver l2o_mezo = {
    .struct_size = sizeof l2o_mezo,
    .name = "mezo",
    .meaning = "zeroth order for layered problems: MeZO, one Gaussian direction for all weights (arXiv 2305.17333)",
    .needs = L2O_NEEDS_STEP | L2O_NEEDS_LAYERS | L2O_KEEPS_X,
    .options = options,
    .scratch_len = scratch_len,
    .step = step,
};
