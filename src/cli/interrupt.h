/* SPDX-License-Identifier: BSD-3-Clause */
/* Ctrl-C, SIGTERM and SIGUSR1 (which mpirun hands on, and batch systems send before the time is up) ask for an orderly end; the
 * second one of a kind ends the program at once. */
#ifndef L2O_CLI_INTERRUPT_H
#define L2O_CLI_INTERRUPT_H
#include <stdbool.h>

void interrupt_catch(void);
bool interrupt_requested(void);
#endif
