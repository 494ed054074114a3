/* SPDX-License-Identifier: BSD-3-Clause */
#include "learn/optimizer.h"
#include <math.h>

double l2o_schedule_rate(const l2o_train_settings *s, size_t i) {
  switch (s->schedule) {
  case L2O_SCHEDULE_COSINE: {
    double t = s->steps && i < s->steps ? (double)i / (double)s->steps : 1;
    return s->learning_rate_end + (s->learning_rate - s->learning_rate_end) * (1 + cos(3.14159265358979323846 * t)) / 2;
  }
  case L2O_SCHEDULE_STEP:
    return s->learning_rate * pow(s->decay, (double)(s->decay_every ? i / s->decay_every : 0));
  default:
    return s->learning_rate;
  }
}

void l2o_sgd_update(double *w, const double *g, double rate, size_t n) {
  for (size_t i = 0; i < n; i++)
    w[i] -= rate * g[i];
}

void l2o_adam_update(double *w, double *m, double *v, const double *g, const l2o_train_settings *s, double rate, size_t t,
                     size_t n) {
  const double unbias1 = 1 - pow(s->beta1, (double)t), unbias2 = 1 - pow(s->beta2, (double)t);
  for (size_t i = 0; i < n; i++) {
    m[i] = s->beta1 * m[i] + (1 - s->beta1) * g[i];
    v[i] = s->beta2 * v[i] + (1 - s->beta2) * g[i] * g[i];
    w[i] -= rate * (m[i] / unbias1) / (sqrt(v[i] / unbias2) + s->epsilon);
  }
}
