/* SPDX-License-Identifier: BSD-3-Clause */
/* One process, both libraries: the same instance solved in each precision, with nearly the same answer. */
#include <math.h>
#include <stdio.h>

double run_double(void);
double run_single(void);

int main(void) {
  const double in_double = run_double(), in_single = run_single();
  printf("f/f0 after 200 steps: %.9g in double, %.9g in single precision\n", in_double, in_single);
  if (!(in_double >= 0 && in_single >= 0 && in_double < 0.1))
    return 1;
  if (in_double == in_single)
    return 1; /* the same library twice */
  return fabs(in_double - in_single) < 1e-4 ? 0 : 1;
}
