// SPDX-License-Identifier: MIT
//
// One public call on a handle, from its entry to its result: the look at cancellation, the turn,
// the operation on a driver, the record of a failure. docs/architecture.md tells it as the life of
// a read.
#ifndef WEFT__CALL_H
#define WEFT__CALL_H

#include "driver/driver.h"
#include "task/entry.h"
#include "task/handle.h"
#include "task/waiter.h"

struct weft__call {
    struct weft__waiter *self;
    struct weft__turn turn;
    const char *name; // static
    int h;
    bool is_interrupted; // the code came from a cancel, a deadline or a close, not from the network
};

// For calls that may wait: looks at cancellation and deadline, charges the budget, takes the turn.
// Returns 0 or an error, which is recorded. `self` is set whenever the result is not -ENOMEM.
int weft__call_begin(struct weft__call *call, const char *name, int h, enum weft__side side,
                     unsigned kinds);
// For calls that never wait, and are never refused by a cancellation.
int weft__call_enter(struct weft__call *call, const char *name, int h, unsigned kinds);
// Ends the turn; records a negative result. Returns the result.
int64_t weft__call_end(struct weft__call *call, int64_t result);

// Performs an operation for the call: inline if it can, else waiting. The call has begun.
int64_t weft__call_perform(struct weft__call *call, struct weft__op *op);

// Makes an attempt that never waits: -EAGAIN when it would have to.
int64_t weft__call_attempt(struct weft__call *call, struct weft__op *op);

// Its first half: tries inline, else submits. Returns the result, or -EAGAIN: `done` will be
// called.
int64_t weft__perform_start(struct weft__waiter *self, struct weft__op *op);

// The whole without a handle (connect, resolve). `ret_interrupted`, may be NULL, tells whether the
// code came from a cancel or a deadline.
int64_t weft__perform(struct weft__waiter *self, struct weft__op *op, bool *ret_interrupted);

// Control of a descriptor, on the caller's driver. Tests can make it fail.
int64_t weft__ctl(struct weft__waiter *self, struct weft__ctl *ctl);
void weft__ctl_close(struct weft__waiter *self, int fd);

#endif
