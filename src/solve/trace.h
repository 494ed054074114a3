/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef L2O_SOLVE_TRACE_H
#define L2O_SOLVE_TRACE_H
#include <l2o/trace.h>
void l2o_trace_clear(l2o_trace *trace);
void l2o_trace_add(l2o_trace *trace, const l2o_record *record, const l2o_real *x, size_t n);
#endif
