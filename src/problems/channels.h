/* SPDX-License-Identifier: BSD-3-Clause */
/* Random channels of a network of cells, and the noise, power and weight that go with them. */
#ifndef L2O_PROBLEMS_CHANNELS_H
#define L2O_PROBLEMS_CHANNELS_H
#include "problems/draws.h"

/* CN(0, 1) is a complex normal variable of variance 1, N a real one.
 *
 * rayleigh: H = CN(0, 1); noise 1, power 10^(snr_db / 10).
 *
 * layout: numbers as of 3GPP TR 36.814, case 1. Sites of hexagonal cells 500 m apart, the first at 0 and six about it; users
 * uniform in the ring from 35 m to 250 m about their site; d at least 35 m;
 *   H = sqrt(10^((46 - loss + 95) / 10)) CN(0, 1),   loss = 128.1 + 37.6 log10(d / km) + 20 + 8 N in dB,
 * of a base station of 46 dBm over noise of -95 dBm (10 MHz, noise figure 9 dB); noise and power 1.
 *
 * deepfp: after arXiv 2601.02822. Sites 800 m apart; the k-th user of a cell uniform in the sector k mod 3 of its hexagon, further
 * from the site than 0.3 of the circumradius; d at least 5 m; coefficients of one size and random phase,
 *   H = sqrt(10^(-loss / 10)) e^(i phase),   loss = 128.1 + 37.6 log10(d / km) + 8 N in dB;
 * noise 1e-8, power 100, weights 1 / users.
 *
 * imac: after Sun et al., IEEE Trans. Signal Processing 2018. Sites 200 m apart, users uniform in the hexagon but within 0.2 of its
 * circumradius;
 *   H = sqrt((200 m / d)^3 10^(8 N / 10)) CN(0, 1);
 * noise 1, power 10^(snr_db / 10). */
typedef enum l2o_channel { L2O_CHANNEL_RAYLEIGH, L2O_CHANNEL_LAYOUT, L2O_CHANNEL_DEEPFP, L2O_CHANNEL_IMAC } l2o_channel;

enum { L2O_SITES = 7 }; /* cells that the last three have at most */
void l2o_channel_setting(double *noise, double *power, double *weight, l2o_channel channel, double snr_db, size_t users);

/* out[2 count] = count of CN(0, 1), sqrt(-ln u1) e^(2 pi i u2), by consecutive uniforms */
void l2o_draws_complex(l2o_draws *draws, double *out, size_t count);
/* H (n, cells, rx, tx, 2). Drawn are, in this order: places of the users, shadowing by user and base station, coefficients.
 * Allocates; L2O_ERR_NOMEM. */
l2o_status l2o_channel_draw(double *H, l2o_draws *draws, l2o_channel channel, const l2o_sum_rate_sizes *sizes);
#endif
