/* SPDX-License-Identifier: BSD-3-Clause */
/** @file l2o.h
 *  The whole of libl2o. */
#ifndef L2O_L2O_H
#define L2O_L2O_H
#include <l2o/base.h>
#include <l2o/data.h>
#include <l2o/family.h>
#include <l2o/model.h>
#include <l2o/network.h>
#include <l2o/problem.h>
#include <l2o/random.h>
#include <l2o/solver.h>
#include <l2o/tensor_file.h>
#include <l2o/trace.h>
#include <l2o/train.h>
#endif
