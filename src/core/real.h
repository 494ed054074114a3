/* SPDX-License-Identifier: BSD-3-Clause */
/* Mathematical functions of l2o_real. */
#ifndef L2O_CORE_REAL_H
#define L2O_CORE_REAL_H
#include <l2o/base.h>
#include <math.h>
#include <string.h>
#ifdef L2O_SINGLE
#define r_sqrt sqrtf
#define r_abs fabsf
#else
#define r_sqrt sqrt
#define r_abs fabs
#endif
#endif
