/* SPDX-License-Identifier: BSD-3-Clause */
/* Every test includes this first: cmocka with what it needs, and a comparison that tells what it saw. */
#ifndef L2O_TEST_H
#define L2O_TEST_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <l2o/base.h>

/* |actual - expected| <= atol + rtol |expected|. Equal infinities are close, not-a-number is close to nothing. */
#define assert_close(actual, expected, rtol, atol)                                                                                 \
  l2o_assert_close((double)(actual), (double)(expected), (rtol), (atol), #actual, __FILE__, __LINE__)

static inline void l2o_assert_close(double actual, double expected, double rtol, double atol, const char *what, const char *file,
                                    int line) {
  double error = fabs(actual - expected), bound = atol + rtol * fabs(expected);
  if (actual == expected || error <= bound)
    return;
  print_error("%s = %.17g, expected %.17g: off by %.3g, allowed %.3g\n", what, actual, expected, error, bound);
  _fail(file, line);
}

/* Compares statuses and shows their names; `diag` (may be NULL) is what the call said. */
#define assert_status(actual, expected, diag) l2o_assert_status((actual), (expected), (diag), #actual, __FILE__, __LINE__)

static inline void l2o_assert_status(int actual, int expected, const l2o_diag *diag, const char *what, const char *file, int line) {
  if (actual == expected)
    return;
  print_error("%s: %s, expected: %s%s%s\n", what, l2o_strerror(actual), l2o_strerror(expected), diag ? "\n  " : "",
              diag ? diag->text : "");
  _fail(file, line);
}
#endif
