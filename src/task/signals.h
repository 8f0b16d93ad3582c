// SPDX-License-Identifier: MIT
//
// Waiting for signals: who waits for which, and which of them are ours. Process-wide, as signals
// are. The dispositions themselves are os/signals.c, the public call is io/signal.c.
#ifndef WEFT__TASK_SIGNALS_H
#define WEFT__TASK_SIGNALS_H

#include "task/waiter.h"

// Makes the signals ours. Returns 0; or -EAGAIN, -ENOMEM: no thread to see them.
int weft__signals_keep(uint64_t wanted);
// Waits until a signal of the set comes. Returns its number; or -EAGAIN, -ENOMEM: no thread; or
// what weft__interrupted answers.
int weft__signals_await(struct weft__waiter *self, uint64_t wanted);

// The runtime stops: signals that nobody waits for are given back now, others when the last who
// waits for them goes, until somebody waits anew.
void weft__signals_give_back(void);
// The same, and the thread ends if nobody waits at all.
void weft__signals_end(void);

#endif
