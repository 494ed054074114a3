/* SPDX-License-Identifier: BSD-3-Clause */
/* NLopt's LD_LBFGS (Luksan's PLIS). It does not tell its iterations. */
#include "peers.h"
#include <stdio.h>
#ifdef BENCH_WITH_NLOPT
#include <nlopt.h>

typedef struct context {
  bench *b;
  nlopt_opt opt;
} context;

static double objective(unsigned n, const double *x, double *g, void *data) {
  (void)n;
  const context *c = data;
  const double f = g ? bench_evaluate(c->b, x, g) : bench_value(c->b, x);
  if (bench_over(c->b))
    nlopt_force_stop(c->opt);
  return f;
}

static const char *run(const peer *self, bench *b, double *x) {
  double f;
  context c = {b, nlopt_create(NLOPT_LD_LBFGS, (unsigned)bench_n(b))};
  if (!c.opt)
    return "out of memory";
  nlopt_set_min_objective(c.opt, objective, &c);
  if (self->memory)
    nlopt_set_vector_storage(c.opt, (unsigned)self->memory);
  const nlopt_result answer = nlopt_optimize(c.opt, x, &f);
  nlopt_destroy(c.opt);
  return nlopt_result_to_string(answer);
}

const peer peers_nlopt[] = {{"NLopt LD_LBFGS", 0, run, "LD_LBFGS"},
                            {"NLopt LD_LBFGS m=5", 5, run, "LD_LBFGS"},
                            {"NLopt LD_LBFGS m=6", 6, run, "LD_LBFGS"},
                            {NULL, 0, NULL, NULL}};

const char *version_nlopt(void) {
  static char text[60];
  int major, minor, fix;
  nlopt_version(&major, &minor, &fix);
  snprintf(text, sizeof text, "NLopt %d.%d.%d", major, minor, fix);
  return text;
}
#else
const peer peers_nlopt[] = {{NULL, 0, NULL, NULL}};
const char *version_nlopt(void) {
  return "";
}
#endif
