// SPDX-License-Identifier: MIT
//
// Reports of faults (SIGSEGV, SIGBUS): a handler on an alternate stack that asks the layer above
// whether it knows the address, and otherwise leaves the signal to whoever handled it before. Not a
// way to go on after a fault: the process still ends by the signal.
#ifndef WEFT__FAULT_H
#define WEFT__FAULT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

// Writes a line about a fault at `addr` into buf and returns true, or returns false. Runs in a
// signal handler: no locks, no allocation.
typedef bool weft__fault_describe(const void *addr, char *buf, size_t size);

// Installs the handler. It runs on the alternate stack of a thread that has one.
void weft__fault_watch(weft__fault_describe *describe);
// Puts back what weft__fault_watch found, unless somebody has replaced it since.
void weft__fault_unwatch(void);

// Whether a function is called, so that it may in turn call the one that it has found.
bool weft__signal_is_handled(const struct sigaction *action);
// Calls it, if there is one.
bool weft__signal_pass_on(const struct sigaction *next, int number, siginfo_t *info, void *context);

// Whether the handler of this signal is ours at the moment.
bool weft__fault_is_watched(int number);

// An alternate stack for the calling thread's handlers, unless it has one already (then *ret_stack
// is NULL), and back, on the same thread. Returns 0 or a negative errno.
int weft__fault_stack_give(void **ret_stack);
void weft__fault_stack_take(void *stack);

#endif
