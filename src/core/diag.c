/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/diag.h"
#include "core/vector.h"

const char *l2o_version(void) {
  return L2O_VERSION;
}

const char *l2o_vector_instructions(void) {
#if L2O_VECTOR_MAX >= 2
  if (L2O_HAS_AVX512)
    return "avx512";
#endif
#if L2O_VECTOR_MAX >= 1
  if (L2O_HAS_AVX2)
    return "avx2";
#endif
  return "portable";
}

const char *l2o_strerror(int status) {
  switch (status) {
  case L2O_OK:
    return "no error";
  case L2O_ERR_ARG:
    return "an argument is outside its range";
  case L2O_ERR_SHAPE:
    return "sizes do not fit together";
  case L2O_ERR_NOMEM:
    return "out of memory";
  case L2O_ERR_NOTSUP:
    return "the problem, model or solver lacks what is asked of it";
  case L2O_ERR_CALLBACK:
    return "a callback reported a failure";
  case L2O_ERR_IO:
    return "a file could not be opened, read or written";
  case L2O_ERR_FORMAT:
    return "the content of a file is not what it should be";
  case L2O_ERR_LAPACK:
    return "a LAPACK routine did not converge";
  case L2O_ERR_NUMERIC:
    return "not-a-number or infinity where a finite number is needed";
  default:
    return "unknown status";
  }
}

const char *l2o_stop_name(int stop) {
  switch (stop) {
  case L2O_STOP_NONE:
    return "running";
  case L2O_STOP_GRADIENT:
    return "gradient";
  case L2O_STOP_TARGET:
    return "target";
  case L2O_STOP_ITERATIONS:
    return "iterations";
  case L2O_STOP_CALLS:
    return "calls";
  case L2O_STOP_SECONDS:
    return "seconds";
  case L2O_STOP_STALLED:
    return "stalled";
  case L2O_STOP_DIVERGED:
    return "diverged";
  case L2O_STOP_USER:
    return "user";
  default:
    return "unknown";
  }
}
