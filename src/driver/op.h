// SPDX-License-Identifier: MIT
//
// The life of an operation inside a real driver: begun, finished, delivered. Here so that every
// driver counts and calls back in the same way. Not here: attempts (driver/socket.h).
//
// An op that waits is PENDING. Once its result is known it is FINISHED and stands in a list of the
// driver's until the pass over the descriptors is over; only then is `done` called, because `done`
// may submit and cancel, and nobody wants that in the middle of a pass. A cancel that meets a
// finished op comes too late: what the op did is delivered.
#ifndef WEFT__OP_H
#define WEFT__OP_H

#include "base/assert.h"
#include "driver/driver.h"

#include <errno.h>

// Takes an op: from here to weft__op_deliver it is the driver's.
static inline void weft__op_begin(struct weft__driver *d, struct weft__op *op) {
    ASSERT(!op->is_pending && op->done != NULL);
    op->is_pending = true;
    weft__own_add(&d->pending, 1);
    weft__own_add(&d->stats.submits, 1);
}

// Gives an op back. Its driver fields are zero again, so that it may be submitted once more.
static inline void weft__op_deliver(struct weft__driver *d, struct weft__op *op, int64_t result) {
    ASSERT(op->is_pending);
    weft__list_remove(&op->link);
    op->result = result;
    op->slot = 0;
    op->driver_data = NULL;
    op->is_pending = false;
    weft__own_add(&d->pending, -(size_t)1);
    weft__own_add(&d->stats.completions, 1);
    op->done(op);
}

// Moves a pending op to the list of those whose result is known. The list itself is the mark: it
// goes into driver_data, which is NULL while the op is pending.
static inline void weft__op_finish(struct weft__list *finished, struct weft__op *op,
                                   int64_t result) {
    weft__list_remove(&op->link);
    op->result = result;
    op->driver_data = finished;
    weft__list_push_back(finished, &op->link);
}

static inline bool weft__op_is_finished(const struct weft__op *op) {
    return op->driver_data != NULL;
}

// Delivers all that is finished, also what the callbacks add.
static inline void weft__op_deliver_all(struct weft__driver *d, struct weft__list *finished) {
    struct weft__list *link;
    while ((link = weft__list_first(finished)) != NULL) {
        struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        weft__op_deliver(d, op, op->result);
    }
}

// A cancel of an op that waits for a descriptor: it is over at once, with `result` unless its own
// is known.
static inline void weft__op_cancel(struct weft__driver *d, struct weft__op *op, int64_t result) {
    ASSERT(op->is_pending);
    weft__own_add(&d->stats.cancels, 1);
    if (!weft__op_is_finished(op))
        weft__op_deliver(d, op, result);
}

#endif
