// SPDX-License-Identifier: MIT
//
// A queue of waiters that are served in order: what a mutex, a semaphore, an event and all their
// kin are made of. The object keeps its state beside the queue, and its lock guards both.
//
// 1. Granting. Who gives something away does so under the lock: it changes the object's state, then
//    grants the first seat, which takes it out of the queue, marks it and wakes its waiter. So what
//    was granted belongs to the waiter from that moment, and nobody who comes by can be faster.
// 2. An interruption and a grant race for the lock. A waiter that wakes takes it and looks at its
//    seat first: if that was granted, the wait has succeeded, whatever else has happened; the next
//    call reports the cancellation. If not, the waiter leaves the queue, and nothing was granted
//    to it. There is no state in between that would have to be given back.
// 3. The object may be gone after an unlock. A waiter returns, and may free the object, only after
//    it has had the lock, so whoever granted its seat has left it. Hence the last that anybody does
//    with an object is to unlock its queue; and wakes are sent under the lock, while their waiters
//    cannot return: their records and runtimes are there (park.c, rule 5), without further ado.
// 4. The lock is biased to the worker of the first user (os/lock.h), until somebody comes from
//    elsewhere; it is not biased again.
#ifndef WEFT__WAIT_QUEUE_H
#define WEFT__WAIT_QUEUE_H

#include "os/lock.h"
#include "task/waiter.h"

struct weft__wait_queue { // zeroed: unlocked, nobody waits
    struct weft__biased_lock lock;
    struct weft__list waiting; // struct weft__seat
};

// One waiter's place. On its stack; guarded by the queue's lock.
struct weft__seat {
    struct weft__list link;
    struct weft__waiter *waiter;
    uint64_t wants; // what for: the object's
    bool is_granted;
};

static inline void weft__wait_queue_enter(struct weft__wait_queue *queue,
                                          const struct weft__waiter *self) {
    weft__biased_lock_first(&queue->lock, self->worker);
}

// The object may be gone after it.
static inline void weft__wait_queue_leave(struct weft__wait_queue *queue) {
    weft__biased_unlock(&queue->lock);
}

// The first that waits, or NULL. As all below, with the lock held.
static inline struct weft__seat *weft__wait_queue_first(const struct weft__wait_queue *queue) {
    struct weft__list *link = weft__list_first(&queue->waiting);
    return link ? WEFT__CONTAINER(link, struct weft__seat, link) : NULL;
}

// Waits at the end of the queue until the seat is granted; lets the lock go meanwhile. `wants` is
// set by the caller. Returns 0; or, and then nothing was granted and the seat is out of the queue,
// -ECANCELED, -ETIMEDOUT, or -ENOMEM where there is no stack to wait on.
int weft__wait_queue_wait(struct weft__wait_queue *queue, struct weft__seat *seat,
                          struct weft__waiter *self, const char *what);

// Gives a seat what it waits for.
void weft__wait_queue_grant(struct weft__seat *seat);

// For tests: how many wait. Without the lock held.
size_t weft__wait_queue_length(struct weft__wait_queue *queue, const struct weft__waiter *self);

#endif
