/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems/channels.h"
#include <math.h>
#include <stdlib.h>

static const double TWO_PI = 6.283185307179586476925286766559, DEGREE = 0.017453292519943295769;

void l2o_draws_complex(l2o_draws *draws, double *out, size_t count) {
  for (size_t i = 0; i < count; i++, out += 2) {
    const double u1 = l2o_draws_uniform(draws), u2 = l2o_draws_uniform(draws);
    const double size = sqrt(-log(u1)), angle = TWO_PI * u2;
    out[0] = size * cos(angle);
    out[1] = size * sin(angle);
  }
}

void l2o_channel_setting(double *noise, double *power, double *weight, l2o_channel channel, double snr_db, size_t users) {
  const bool by_ratio = channel == L2O_CHANNEL_RAYLEIGH || channel == L2O_CHANNEL_IMAC;
  *noise = channel == L2O_CHANNEL_DEEPFP ? 1e-8 : 1;
  *power = by_ratio ? pow(10, snr_db / 10) : channel == L2O_CHANNEL_DEEPFP ? 100 : 1;
  *weight = channel == L2O_CHANNEL_DEEPFP ? 1 / (double)users : 1;
}

typedef struct place {
  double x, y;
} place;

static place polar(double radius, double angle) {
  return (place){radius * cos(angle), radius * sin(angle)};
}

/* The first site at 0, the others `apart` from it. */
static place site(size_t j, double apart) {
  static const double degrees[] = {0, 30, -30, -90, -150, 150, 90};
  return j ? polar(apart, degrees[j] * DEGREE) : (place){0, 0};
}

/* Uniform in a ring: its area grows with the square of the radius. */
static place in_ring(l2o_draws *draws, double inner, double outer) {
  const double u = l2o_draws_uniform(draws), angle = TWO_PI * l2o_draws_uniform(draws);
  return polar(sqrt(inner * inner + u * (outer * outer - inner * inner)), angle);
}

/* Uniform in one of three rhombi that a hexagon of this circumradius consists of, further from the centre than `inner` of that: two
 * sites are neighbours across an edge, so that the first corner is at 0 degrees. */
static place in_sector(l2o_draws *draws, size_t sector, double radius, double inner) {
  const place a = polar(radius, (double)sector * TWO_PI / 3), b = polar(radius, (double)(sector + 1) * TWO_PI / 3);
  place p;
  do {
    const double u = l2o_draws_uniform(draws), v = l2o_draws_uniform(draws);
    p = (place){u * a.x + v * b.x, u * a.y + v * b.y};
  } while (hypot(p.x, p.y) <= inner * radius);
  return p;
}

typedef struct recipe {
  double apart, inner; /* of sites, in m; of a hexagon's circumradius */
  double nearest;      /* m that a distance is at least */
} recipe;
static const recipe recipes[] = {
    [L2O_CHANNEL_LAYOUT] = {500, 0, 35}, [L2O_CHANNEL_DEEPFP] = {800, 0.3, 5}, [L2O_CHANNEL_IMAC] = {200, 0.2, 0}};

/* Power that arrives, by the distance in m and the shadowing N. */
static double gain(l2o_channel channel, double d, double shadowing) {
  const double loss = 128.1 + 37.6 * log10(d / 1000) + 8 * shadowing;
  switch (channel) {
  case L2O_CHANNEL_LAYOUT:
    return pow(10, (46 - (loss + 20) + 95) / 10);
  case L2O_CHANNEL_DEEPFP:
    return pow(10, -loss / 10);
  default:
    return pow(200 / d, 3) * pow(10, 8 * shadowing / 10);
  }
}

/* gains (n, cells); users (n), scratch */
static void draw_gains(double *gains, place *users, l2o_draws *draws, l2o_channel channel, const l2o_sum_rate_sizes *s) {
  const size_t n = s->cells * s->users, count = n * s->cells;
  const recipe *r = &recipes[channel];
  const double root3 = 1.7320508075688772935;
  for (size_t u = 0; u < n; u++) {
    const size_t k = u % s->users;
    const place at = site(u / s->users, r->apart);
    /* the three sectors, one after the other; of imac any of them */
    const place p = channel == L2O_CHANNEL_LAYOUT ? in_ring(draws, r->nearest, r->apart / 2)
                    : channel == L2O_CHANNEL_DEEPFP
                        ? in_sector(draws, k % 3, r->apart / root3, r->inner)
                        : in_sector(draws, (size_t)(3 * l2o_draws_uniform(draws)), r->apart / root3, r->inner);
    users[u] = (place){at.x + p.x, at.y + p.y};
  }
  l2o_draws_normal(draws, gains, count);
  for (size_t i = 0; i < count; i++) {
    const place p = users[i / s->cells], q = site(i % s->cells, r->apart);
    gains[i] = gain(channel, fmax(hypot(p.x - q.x, p.y - q.y), r->nearest), gains[i]);
  }
}

l2o_status l2o_channel_draw(double *H, l2o_draws *draws, l2o_channel channel, const l2o_sum_rate_sizes *s) {
  const size_t n = s->cells * s->users, links = n * s->cells, each = s->rx * s->tx;
  if (channel == L2O_CHANNEL_RAYLEIGH) {
    l2o_draws_complex(draws, H, links * each);
    return L2O_OK;
  }
  double *gains = malloc(links * sizeof *gains);
  place *users = malloc(n * sizeof *users);
  const bool room = gains && users;
  if (room) {
    draw_gains(gains, users, draws, channel, s);
    if (channel != L2O_CHANNEL_DEEPFP)
      l2o_draws_complex(draws, H, links * each);
    for (size_t i = 0; i < links * each; i++) {
      const double size = sqrt(gains[i / each]);
      if (channel == L2O_CHANNEL_DEEPFP) {
        const place phase = polar(size, TWO_PI * l2o_draws_uniform(draws));
        H[2 * i] = phase.x;
        H[2 * i + 1] = phase.y;
      } else {
        H[2 * i] *= size;
        H[2 * i + 1] *= size;
      }
    }
  }
  free(gains);
  free(users);
  return room ? L2O_OK : L2O_ERR_NOMEM;
}
