/* SPDX-License-Identifier: BSD-3-Clause */
#include "interrupt.h"
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t requested;

static void request(int signal_number) {
  (void)signal_number;
  requested = 1;
}

void interrupt_catch(void) {
  struct sigaction action = {.sa_handler = request, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
}

bool interrupt_requested(void) {
  return requested;
}
