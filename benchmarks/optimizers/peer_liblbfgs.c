/* SPDX-License-Identifier: BSD-3-Clause */
/* libLBFGS with its default line search (More-Thuente) and memory (6), its gradient test at 0. */
#include "peers.h"
#include <string.h>
#ifdef BENCH_WITH_LIBLBFGS
#include <lbfgs.h>

static lbfgsfloatval_t evaluate(void *b, const lbfgsfloatval_t *x, lbfgsfloatval_t *g, const int n, const lbfgsfloatval_t step) {
  (void)n, (void)step;
  return bench_evaluate(b, x, g);
}

static int progress(void *b, const lbfgsfloatval_t *x, const lbfgsfloatval_t *g, const lbfgsfloatval_t f,
                    const lbfgsfloatval_t xnorm, const lbfgsfloatval_t gnorm, const lbfgsfloatval_t step, int n, int k, int calls) {
  (void)x, (void)g, (void)f, (void)xnorm, (void)gnorm, (void)step, (void)n, (void)k, (void)calls;
  bench_iteration(b);
  return bench_over(b);
}

static const char *run(const peer *self, bench *b, double *x) {
  const size_t n = bench_n(b);
  lbfgs_parameter_t settings;
  lbfgs_parameter_init(&settings);
  settings.epsilon = 0;
  if (self->memory)
    settings.m = self->memory;
  lbfgsfloatval_t *aligned = lbfgs_malloc((int)n), f;
  if (!aligned)
    return "out of memory";
  memcpy(aligned, x, n * sizeof *x);
  const int answer = lbfgs((int)n, aligned, &f, evaluate, progress, b, &settings);
  lbfgs_free(aligned);
  switch (answer) {
  case LBFGS_SUCCESS:
  case LBFGS_ALREADY_MINIMIZED:
    return "gradient 0";
  case LBFGSERR_ROUNDING_ERROR:
    return "rounding";
  case LBFGSERR_MAXIMUMLINESEARCH:
    return "line search: trials";
  case LBFGSERR_WIDTHTOOSMALL:
    return "line search: width";
  case LBFGSERR_MINIMUMSTEP:
    return "line search: least step";
  case LBFGSERR_MAXIMUMSTEP:
    return "line search: largest step";
  case LBFGSERR_INCREASEGRADIENT:
    return "no descent direction";
  default:
    return "failed";
  }
}

const peer peers_liblbfgs[] = {{"libLBFGS", 0, run, "lbfgs"}, {"libLBFGS m=5", 5, run, "lbfgs"}, {NULL, 0, NULL, NULL}};

const char *version_liblbfgs(void) {
  return "libLBFGS " BENCH_LIBLBFGS_VERSION;
}
#else
const peer peers_liblbfgs[] = {{NULL, 0, NULL, NULL}};
const char *version_liblbfgs(void) {
  return "";
}
#endif
