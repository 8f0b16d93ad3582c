// SPDX-License-Identifier: MIT
//
// The entry and the exit of a public call that may wait: the look at cancellation and deadline
// before any effect, what it costs of the task's budget, the record of a refusal.
#ifndef WEFT__ENTRY_H
#define WEFT__ENTRY_H

#include "task/waiter.h"

// 0, or what weft__interrupted says, or -ENOTSUP: a plain thread while a simulation runs.
int weft__enter(struct weft__waiter *self);

// The same for a call that never waits, and is not refused by a cancellation: 0, -ECHILD, -ENOTSUP.
int weft__enter_at_once(struct weft__waiter *self);

// Records `code` as the failure of the call `name`, if it is one; -ETIMEDOUT as a deadline's.
// Returns it.
int weft__leave(struct weft__waiter *self, const char *name, int code);

#endif
