/* SPDX-License-Identifier: BSD-3-Clause */
/* Customary precoders, where solvers of the sum of rates start. H (n, cells, rx, tx, 2) as in l2o_sum_rate_new(), V_u the
 * precoders. */
#ifndef L2O_PROBLEMS_PRECODERS_H
#define L2O_PROBLEMS_PRECODERS_H
#include <l2o/family.h>

/* Maximum ratio (matched filter): V_u = the first columns of H_u^H, H_u the channel from its own base station, scaled to
 * |V_u|_F^2 = power / users. A user whose columns are zero gets nothing. */
void l2o_start_matched(l2o_real *V, const l2o_real *H, double power, const l2o_sum_rate_sizes *sizes);
/* Zero forcing within a cell: the pseudo-inverse of the rows that the first `streams` receive antennas of its users make (K d, tx);
 * where K d <= tx these antennas hear nothing of what is sent to others of the cell. Scaled in the same way. Allocates. */
l2o_status l2o_start_zero_forcing(l2o_real *V, const l2o_real *H, double power, const l2o_sum_rate_sizes *sizes);
/* Any numbers, scaled to the whole power of every base station. */
void l2o_start_full_power(l2o_real *V, double power, const l2o_sum_rate_sizes *sizes);
#endif
