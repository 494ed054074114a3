/* SPDX-License-Identifier: BSD-3-Clause */
/** @file base.h
 *  Status codes, diagnostics, options and the scalar type: what every other header stands on.
 *
 *  Conventions of the whole library
 *  - Argument order: handle, outputs, inputs, sizes, and last an optional l2o_diag.
 *  - `l2o_X_new` gives ownership and `l2o_X_free` takes it back (NULL is fine); a failed `_new` leaves `*out` NULL.
 *  - `const` means shareable between threads. One run, trainer or generator belongs to one thread at a time.
 *  - The library never prints, exits or aborts, has no globals that change, and reads no clock into a result.
 *  - Losses, norms, settings and files speak double in both precisions.
 */
#ifndef L2O_BASE_H
#define L2O_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Scalar of iterates, gradients and weights. Define L2O_SINGLE (the targets l2o::l2of and l2of.pc do) to use the
 *  single-precision library: the same functions, then named l2of_... in the object code, so that both libraries fit into
 *  one process and a mix-up fails at link time. */
#ifdef L2O_SINGLE
#include <l2o/rename_single.h>
typedef float l2o_real;
#else
typedef double l2o_real;
#endif

#if defined(__GNUC__) || defined(__clang__)
#define L2O_API __attribute__((visibility("default")))
#else
#define L2O_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Did the call work? Zero is success, every failure is negative. Why a run *ended* is an l2o_stop, not an error. */
typedef enum l2o_status {
  L2O_OK = 0,
  L2O_ERR_ARG = -1,      /**< an argument is outside its range */
  L2O_ERR_SHAPE = -2,    /**< sizes do not fit together */
  L2O_ERR_NOMEM = -3,    /**< out of memory */
  L2O_ERR_NOTSUP = -4,   /**< the problem, model or solver lacks what is asked of it */
  L2O_ERR_CALLBACK = -5, /**< a user's callback reported a failure */
  L2O_ERR_IO = -6,       /**< a file could not be opened, read or written */
  L2O_ERR_FORMAT = -7,   /**< a file's content is not what it should be */
  L2O_ERR_LAPACK = -8,   /**< a LAPACK routine did not converge */
  L2O_ERR_NUMERIC = -9   /**< not-a-number or infinity where a finite number is needed */
} l2o_status;

/** Why did the run end? */
typedef enum l2o_stop {
  L2O_STOP_NONE = 0,   /**< still running */
  L2O_STOP_GRADIENT,   /**< the gradient norm reached `gradient_tolerance` */
  L2O_STOP_TARGET,     /**< the objective reached `objective_target` */
  L2O_STOP_ITERATIONS, /**< the iterations are used up */
  L2O_STOP_CALLS,      /**< the budget of function calls is used up */
  L2O_STOP_SECONDS,    /**< the time limit is reached */
  L2O_STOP_STALLED,    /**< the rule can make no more progress in this precision */
  L2O_STOP_DIVERGED,   /**< objective, gradient or iterate stopped being finite, or f has no end; the last finite point is kept */
  L2O_STOP_USER        /**< the caller's callback asked to stop */
} l2o_stop;

/** A sentence about a failure: what, where, what was expected. Every `diag` argument may be NULL. */
typedef struct l2o_diag {
  char text[400];
} l2o_diag;

/** Version of the library, "MAJOR.MINOR.PATCH". */
L2O_API const char *l2o_version(void);
/** The instruction set that the kernels use on this processor: "avx512", "avx2" or "portable". The same build gives the same bits
 *  wherever this is the same (and BLAS does its part); elsewhere the last bits differ. */
L2O_API const char *l2o_vector_instructions(void);
/** A sentence for a status; total: any int gives a text, never NULL. */
L2O_API const char *l2o_strerror(int status);
/** Short name of a stop reason ("iterations", "diverged", ...); total, never NULL. */
L2O_API const char *l2o_stop_name(int stop);

/** One option of a solver, a family or a model: a row of the table that checks values and prints the documentation.
 *  A choice takes one of its words; where `high` is not 0 also a number: `low` is the first word, `high` at most the last.
 *  A table ends with a row whose `name` is NULL. */
typedef struct l2o_option {
  const char *name;
  enum { L2O_OPTION_REAL, L2O_OPTION_INT, L2O_OPTION_CHOICE } type;
  double initial;      /**< default; for a choice the index of the word */
  double low, high;    /**< closed range of a number */
  const char *choices; /**< words of a choice, separated by '|' */
  const char *meaning; /**< one line for help texts */
} l2o_option;

/** Checks one value against its row.
 *  @param value  the number, or the index of the chosen word; written only on L2O_OK.
 *  @return L2O_OK, or L2O_ERR_ARG with a sentence that names the option, the text and what was expected. */
L2O_API l2o_status l2o_option_parse(const l2o_option *option, double *value, const char *text, l2o_diag *diag);

#ifdef __cplusplus
}
#endif
#endif
